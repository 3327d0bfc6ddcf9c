#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""build.py OUT.html [FOLDER]

Builds the page: compiles the library, the scenario library and page.c to WebAssembly with emcc, and
puts that, page.css, page.js and all scenarios of the examples into page.html. The result is one
file that needs nothing else. FOLDER, if given, receives page.wasm too and is used to build in.
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
EXPORTS = ["about", "load", "views", "run", "decode"]


def scenario_sources():
    """What reads and runs scenarios: the list `scenario_sources` of src/cli/meson.build."""
    text = (ROOT / "src/cli/meson.build").read_text(encoding="utf-8")
    block = re.search(r"^scenario_sources = files\(([^)]*)\)", text, re.MULTILINE)[1]
    return [ROOT / "src/cli" / name for name in re.findall(r"'([^']+)'", block)]


def link_atomic_ops(work):
    """The headers of libatomic_ops alone: beside them are others that are not for WebAssembly."""
    command = ["pkg-config", "--variable=includedir", "atomic_ops"]
    found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    for name in ["atomic_ops.h", "atomic_ops"]:
        (work / name).unlink(missing_ok=True)
        (work / name).symlink_to(Path(found or "/usr/include") / name)


def compile_to(wasm, work):
    link_atomic_ops(work)
    sources = sorted(p for p in (ROOT / "src").rglob("*.c") if "cli" not in p.parts)
    sources += scenario_sources() + [HERE / "page.c"]
    exports = ",".join(["_malloc", "_free"] + [f"_page_{name}" for name in EXPORTS])
    subprocess.run(
        ["emcc", "-O2", "-std=c11", "-DNDEBUG", "-sSTANDALONE_WASM=1", "--no-entry"]
        + ["-sFILESYSTEM=0", "-sASSERTIONS=0", "-sALLOW_MEMORY_GROWTH=1", "-sMAXIMUM_MEMORY=2GB", "-sASYNCIFY=1"]
        + [f"-sEXPORTED_FUNCTIONS={exports}", f"-I{work}", f"-I{ROOT / 'include'}"]
        + [f"-I{ROOT / 'src'}", f"-I{ROOT / 'src/cli'}", "-o", wasm, *sources],
        check=True,
    )


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
        work = Path(sys.argv[2] if len(sys.argv) > 2 else folder)
        work.mkdir(parents=True, exist_ok=True)
        wasm = work / "page.wasm"
        compile_to(wasm, work)
        binary = base64.b64encode(wasm.read_bytes()).decode()
    page = (HERE / "page.html").read_text(encoding="utf-8")
    parts = {
        "page.css": (HERE / "page.css").read_text(encoding="utf-8"),
        "page.js": script((HERE / "page.js").read_text(encoding="utf-8")),
        "scenarios": script(json.dumps(scenarios())),
        "wasm": binary,
    }
    page = re.sub(r"@@([a-z.]+)@@", lambda match: parts[match[1]], page)
    out.write_text(page, encoding="utf-8")
    print(f"{out}: {len(page.encode())} bytes, {len(binary) * 3 // 4} of them WebAssembly")


main()
