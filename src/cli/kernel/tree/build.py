#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""build.py TREE FILE GRANULE VA PA STRUCT_PAGE

Compiles the page-table code of a Linux source for the host: what `pgtsim kernel build` runs. TREE is
an unpacked source, a tarball of one, or a git checkout as DIR@REVISION. GRANULE is in KiB, the others
as the command has them. Says on standard error what is wrong; FILE is written whole or not at all.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import extract

HERE = Path(__file__).resolve().parent
SHIFTS = {"4": 12, "16": 14, "64": 16}
# How often something that a function calls may be looked for, before it is taken for hopeless.
ROUNDS = 20
# How many errors of the compiler are shown.
ERRORS = 5
# The exit status after Ctrl-C.
INTERRUPTED = 130


class Refused(Exception):
    pass


# --- the tree ------------------------------------------------------------------

def git_files(folder, revision):
    """The FILES of a commit."""
    def git(*words):
        return subprocess.run(["git", "-C", folder, *words], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False)
    if not shutil.which("git"):
        raise Refused(f"{folder}@{revision} wants git, which is not installed")
    if git("rev-parse", "--verify", revision + "^{commit}").returncode:
        raise Refused(f"{folder} has no commit {revision}")
    found = {}
    for name in extract.ALL_FILES:
        shown = git("show", f"{revision}:{name}")
        if not shown.returncode:
            found[name] = shown.stdout.decode()
    return found


def read_tree(tree):
    folder, at, revision = tree.rpartition("@")
    try:
        if at and not Path(tree).exists() and Path(folder).is_dir():
            files = git_files(folder, revision)
        elif not Path(tree).exists():
            raise Refused(f"there is no {tree}")
        else:
            files = extract.read_files(tree, extract.ALL_FILES)
    except extract.UNREADABLE as e:
        raise Refused(f"{tree} cannot be read: {e}") from None
    if "Makefile" not in files or extract.version(files["Makefile"])[0] == "0":
        raise Refused(f"{tree} is no Linux source: no Makefile of it names a version")
    lacks = extract.lacks(files)
    if lacks:
        raise Refused(f"{tree} lacks {lacks[0]}"
                      + (f" and {len(lacks) - 1} more" if len(lacks) > 1 else ""))
    return files


# --- compiling -----------------------------------------------------------------

def compiler():
    named = os.environ.get("CC", "").split()
    for words in ([named] if named else []) + [["cc"], ["gcc"], ["clang"]]:
        if shutil.which(words[0]):
            return words
    raise Refused("there is no C compiler: install gcc or clang, or say in CC which it is")


def flags(tree, files, geometry):
    granule, va, pa, struct_page = geometry
    gone = "".join(f'{{ "{function}", "{file}", "{commands}" }},'
                   for function, file, commands in extract.lacking(files))
    # What is called and not there is the linker's error; the compiler's warning says where.
    return ["-std=gnu11", "-O2", "-fPIC", "-fno-strict-aliasing", "-fwrapv", "-fvisibility=hidden",
            "-Wimplicit-function-declaration", "-Wno-error=implicit-function-declaration", "-Wl,-z,defs",
            "-DKC_ENGINE=1", "-DKC_SYMBOL=built", "-DKC_SYMBOL_KERNEL=kc_kernel_built",
            '-DKC_SOURCE="kernel-source.h"',
            f"-DKC_PAGE_SHIFT={SHIFTS[granule]}", f"-DKC_VA_BITS={va}", f"-DKC_PA_BITS={pa}",
            f"-DKC_STRUCT_PAGE={struct_page}", f"-DKC_SECTION_BITS={29 if granule == '64' else 27}",
            f"-DKC_TREE={quoted(tree)}", f"-DKC_MISSING={gone}"]


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def not_linked(errors):
    """The functions that are called and that nobody has."""
    return sorted(set(re.findall(r"undefined (?:reference to|symbol:?) [`']?(\w+)", errors)))


def first_unknown(errors):
    """
    The place and name of a function or macro that no file included so far has. Functions of headers that
    nobody calls may call what is not there: then nothing is missing when all is linked.
    """
    missed = not_linked(errors)
    what = (rf"(?:implicit declaration of|call to undeclared) function '({'|'.join(missed)})'" if missed else
            r"error: (?:use of undeclared identifier )?'(\w+)'(?: undeclared|$|[;\[])")
    found = re.search(rf"^(\S+?):(\d+).*?{what}", errors, re.M)
    return found.groups() if found else None


def place(tree, name):
    """A place as the compiler has it; of the tree with the tree's name."""
    return f"{tree}/{name}" if re.match(r"(arch|mm|include)/", name) else name


def in_tree(tree, errors):
    """The compiler's lines, those of the tree with its name."""
    lines = []
    for line in errors.splitlines():
        if not re.search(": (?:fatal )?error:", line) or re.match("(?:collect2|clang|ld):", line):
            continue
        lines.append(place(tree, line))
    return "\n".join(lines[:ERRORS]) or ("" if not_linked(errors) else errors)


def compile_once(words, folder, output):
    run = subprocess.run([*compiler(), *words, f"-I{folder}", f"-I{HERE}", "-shared",
                          str(HERE / "kernel.c"), str(HERE / "bridge.c"), "-o", str(output)],
                         env={**os.environ, "LC_ALL": "C"}, stderr=subprocess.PIPE, check=False)
    return "" if not run.returncode else run.stderr.decode(errors="replace") or "the compiler failed"


def progress(text):
    """Shows what is under way, if that is a terminal; an empty text clears it."""
    if sys.stderr.isatty():
        print(f"\r{text}\033[K", end="", file=sys.stderr, flush=True)


def build(tree, files, geometry, folder, output):
    """Compiles, and adds what functions call that are new in this tree. Returns what was added."""
    words, extra, errors = flags(tree, files, geometry), [], ""
    for turn in range(ROUNDS):
        progress(f"compiling {tree}" + (f", with {len(extra)} functions more" if turn else ""))
        (Path(folder) / "kernel-source.h").write_text(extract.text_of(files, extra))
        errors = compile_once(words, folder, output)
        if not errors:
            return extra
        unknown = first_unknown(errors)
        if not unknown or unknown[2] in extra or not extract.find(files, list(files), unknown[2]):
            break
        extra.append(unknown[2])
    if unknown:
        raise Refused(f"{place(tree, unknown[0])}:{unknown[1]}: {unknown[2]} is used here, and it is neither in the "
                      f"files that are read nor known to pgtsim\n{in_tree(tree, errors)}".strip())
    if not_linked(errors):
        raise Refused(f"{tree} lacks what functions in it call: {', '.join(not_linked(errors))}")
    raise Refused(f"{tree} does not compile\n{in_tree(tree, errors)}")


def install(built, target):
    """Puts the file in its place at once: whoever looks sees the old one or the new one."""
    beside = Path(target).parent / f".{Path(target).name}.{os.getpid()}"
    try:
        shutil.copyfile(built, beside)
        os.replace(beside, target)
    except KeyboardInterrupt:
        beside.unlink(missing_ok=True)
        raise
    except OSError as e:
        beside.unlink(missing_ok=True)
        raise Refused(f"{target} cannot be written: {e.strerror}") from None


def told(tree, files, extra, target):
    print(f"{target}: Linux {'.'.join(extract.version(files['Makefile']))} from {tree}")
    for function, file, commands in extract.lacking(files):
        print(f"{tree} lacks {function}() in {file}: not with this kernel: {commands}")
    for name in extra:
        home = extract.find(files, list(files), name).split('"')[1]
        print(f"also taken, as functions use it: {name} from {home}")


def main():
    if len(sys.argv) != 7:
        sys.exit(__doc__)
    tree, target, *geometry = sys.argv[1:]
    try:
        compiler()
        progress(f"reading {tree}")
        files = read_tree(tree)
        if geometry[1] == "52" and geometry[0] != "64" and not extract.has_lpa2(files):
            raise Refused(f"{tree} has no 52 bits of VA with {geometry[0]}K pages: that came with LPA2 in 6.9")
        gone = extract.unusable(files)
        if gone:
            raise Refused(f"{tree} cannot be built: {gone}")
        if len(extract.missing(files)) == len(extract.OPERATIONS):
            raise Refused(f"{tree} has none of the functions that are looked for: "
                          + ", ".join(row[0] for row in extract.OPERATIONS.values()))
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / "kernel.so"
            extra = build(tree, files, geometry, folder, output)
            install(output, target)
        progress("")
        told(tree, files, extra, target)
    except extract.Damaged as e:
        progress("")
        print(f"pgtsim kernel build: {tree}: {e}", file=sys.stderr)
        return 2
    except Refused as e:
        progress("")
        print(f"pgtsim kernel build: {e}", file=sys.stderr)
        return 2
    return 0


def until_interrupted(work):
    """Runs work; Ctrl-C ends it without a trace of Python's, and with the status of that."""
    try:
        return work()
    except KeyboardInterrupt:
        progress("")
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(until_interrupted(main))
