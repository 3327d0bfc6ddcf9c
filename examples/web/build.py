#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""build.py OUT.html [FOLDER]

Builds the page: compiles the library, the scenario library and page.c to WebAssembly with emcc, and
puts that, page.css, page.js and all scenarios of the examples into page.html. The result is one
file that needs nothing else. FOLDER, if given, is used to build in; only what changed is compiled.
"""

import base64
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SCRIPTS = ["page.js", "race.js", "exercises.js", "start.js"]


def link_atomic_ops(work):
    """The headers of libatomic_ops alone: beside them are others that are not for WebAssembly."""
    command = ["pkg-config", "--variable=includedir", "atomic_ops"]
    found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    for name in ["atomic_ops.h", "atomic_ops"]:
        (work / name).unlink(missing_ok=True)
        (work / name).symlink_to(Path(found or "/usr/include") / name)


def compile_in(work):
    """Meson's build for WebAssembly, below `work`; what is there already is used again."""
    build = work / "wasm"
    link_atomic_ops(work)
    if not (build / "build.ninja").exists():
        subprocess.run(
            ["meson", "setup", build, ROOT, f"--cross-file={HERE / 'emscripten.ini'}", f"-Dc_args=-I{work}"]
            + ["--buildtype=plain", "-Doptimization=2", "-Db_ndebug=true", "-Dcommand=false", "-Dtests=false"],
            check=True,
        )
    subprocess.run(["ninja", "-C", build, "examples/web/page.wasm"], check=True)
    return build / "examples/web/page.wasm"


def title_of(text, name):
    for line in text.splitlines():
        comment = re.fullmatch(r"# (.*)", line)
        if comment:
            return comment[1].rstrip(".")
    return name


def scenarios():
    """Every scenario of the examples that needs no other file: the first walk, the stories, the gallery."""
    paths = sorted(HERE.glob("*.pgt")) + sorted((ROOT / "examples").glob("*.pgt"))
    paths += sorted(
        (ROOT / "examples/gallery").glob("*.pgt"),
        key=lambda path: (path.stem.split("_")[1], path.stem),
    )
    found = []
    for path in paths:
        text = path.read_text(encoding="utf-8")
        if "iomem=" not in text:
            title = title_of(text, path.stem)
            found.append({"name": path.stem, "title": title, "text": text})
    return found


def script(text):
    """Text that may stand in a script element."""
    return text.replace("</", "<\\/")


def main():
    out = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        work = Path(sys.argv[2] if len(sys.argv) > 2 else folder).resolve()
        work.mkdir(parents=True, exist_ok=True)
        binary = base64.b64encode(compile_in(work).read_bytes()).decode()
    page = (HERE / "page.html").read_text(encoding="utf-8")
    parts = {
        "page.css": (HERE / "page.css").read_text(encoding="utf-8"),
        "page.js": script("".join((HERE / name).read_text(encoding="utf-8") for name in SCRIPTS)),
        "scenarios": script(json.dumps(scenarios())),
        "wasm": binary,
    }
    page = re.sub(r"@@([a-z.]+)@@", lambda match: parts[match[1]], page)
    out.write_text(page, encoding="utf-8")
    print(f"{out}: {len(page.encode())} bytes, {len(binary) * 3 // 4} of them WebAssembly")


main()
