#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""diff.py BASE TREE

Says which functions differ between two Linux sources, and which of them run when `pgtsim kernel build` has
built TREE: what `pgtsim kernel diff` runs. Exits with 1 if some of what differs does not run, and with 2 if a
source cannot be read.
"""
import difflib
import filecmp
import re
import subprocess
import sys
from pathlib import Path

import build
import extract

# What kernel.c calls.
CALLED = [row[0] for row in extract.OPERATIONS.values()] + extract.SET_MEMORY + [
    "vmemmap_populate_basepages", "split_kernel_leaf_mapping", "vmap_range_noflush", "vunmap_range", "ptdump_walk_pgd", *extract.BLOCK]
# Where code that belongs to this may be changed: other files of these are compared, if they can be.
NEAR = ["mm", "arch/arm64", "include/linux", "include/asm-generic", "drivers/base/memory.c"]
# What stands in for functions and macros of the kernel.
OWN = set(re.findall(r"\w+", "".join((build.HERE / name).read_text() for name in ("shim.h", "live.h", "vmap.h", "blocks.h", "blocks_end.h", "ptdump.h"))))


# The exit status if some of it does not run; 1 is Python's own when it fails.
NOT_ALL = 10

# A line that says nothing to a compiler: blank, of a comment, or only braces.
NOTHING = re.compile(r"\s*(?:$|/\*|\*|//|[{}]\W*$)")


def spans(text):
    """The functions and macros of a file: (first line, line behind the last, name), from 0."""
    found = []
    for name in dict.fromkeys(re.findall(r"^[A-Za-z_][^\n;{}=]*?\b(\w+)\([^;{]*\n?\{", text, re.M)):
        span = extract.find_function_span(text, name)
        if span:
            found.append((text.count("\n", 0, span[0]), text.count("\n", 0, span[1]), name))
    for macro in re.finditer(r"^#\s*define\s+(\w+)(?:.*\\\n)*.*\n", text, re.M):
        found.append((text.count("\n", 0, macro.start()), text.count("\n", 0, macro.end()), macro.group(1)))
    return found


def changed_names(before, after):
    """The names of what differs between two texts; "" for what is in no function and no macro."""
    names = {}
    old, new = before.splitlines(), after.splitlines()
    where = (spans(before), old), (spans(after), new)
    for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        for (known, lines), numbers in zip(where, (range(a, b), range(c, d))):
            for number in numbers:
                names.update((name, None) for name in
                             ([name for first, end, name in known if first <= number < end]
                              or ([] if NOTHING.match(lines[number]) else [""])))
    return list(names)


def running(files):
    """The names of all that an engine runs, of functions, macros and what they mention; and of those defined."""
    before, _, rest = extract.text_of(files).partition("#if !KC_ENGINE\n")
    text = before + rest.partition(extract.SECTIONS_END)[2]
    lines, mentioned = text.splitlines(), {}
    for first, end, name in spans(text):
        mentioned.setdefault(name, set()).update(re.findall(r"\w+", "\n".join(lines[first:end])))
    reached, more = set(), set(CALLED)
    while more:
        reached |= more
        more = set().union(*(mentioned.get(name, ()) for name in more)) - reached
    return reached, set(mentioned)


def runs(before, after, path, name):
    """Whether this, which differs, is something that runs. before, after: (files, running() of them)."""
    if name == "" or path == extract.ASM + "memory.h" and name not in extract.MEMORY:
        return False
    old, new = (path in files and extract.find(files, [path], name) for files, _ in (before, after))
    reached, defined = (after if new else before)[1]
    # A function that is new is taken where another one calls it.
    return name in reached and (name in defined or not old and name not in OWN)


def sources(tree):
    """The names of the sources near those that an engine takes."""
    found = set()
    for near in NEAR:
        top = Path(tree) / near
        found |= {str(path.relative_to(tree)) for path in ([top] if top.is_file() else top.rglob("*.[chS]"))
                  if path.is_file()}
    return found


def others(base, tree):
    """Other files that differ, as far as that can be told."""
    names = set()
    if Path(base).is_dir() and Path(tree).is_dir():
        for name in sources(base) | sources(tree):
            old, new = Path(base) / name, Path(tree) / name
            if not (old.is_file() and new.is_file() and filecmp.cmp(old, new, shallow=False)):
                names.add(name)
    folder, _, first = base.rpartition("@")
    other, _, second = tree.rpartition("@")
    if folder and folder == other and not Path(tree).exists():
        listed = subprocess.run(["git", "-C", folder, "diff", "--name-only", first, second, "--", *NEAR],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        if listed.returncode:
            raise build.Refused(f"git cannot compare {first} and {second}: {listed.stderr.decode().strip()}")
        names.update(listed.stdout.decode().split())
    return sorted(name for name in names if name not in extract.ALL_FILES)


def rows_of(before, after):
    """What differs in the files that are read: (how, name)."""
    for path in extract.ALL_FILES[1:]:
        old, new = before[0].get(path, ""), after[0].get(path, "")
        if old and not new:
            yield "is gone", path
        elif old != new:
            for name in changed_names(old, new):
                yield ("runs" if runs(before, after, path, name) else "does not run",
                       f"{name or 'what is in no function'} in {path}")


def report(base, tree):
    """Prints what differs, first what runs. Returns how much of it does not run."""
    before, after = ((files, running(files)) for files in (build.read_tree(base), build.read_tree(tree)))
    rows = [*rows_of(before, after), *(("is not read", name) for name in others(base, tree))]
    order = ["runs", "does not run", "is gone", "is not read"]
    for how, what in sorted(rows, key=lambda row: order.index(row[0])):
        print(f"{how:13} {what}")
    missed = sum(how != "runs" for how, _ in rows)
    if not rows:
        print("nothing differs but comments")
    if missed:
        print(f"{missed} of what differs is not judged by scenarios on {tree}")
    return missed


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        return NOT_ALL if report(*sys.argv[1:]) else 0
    except (extract.Damaged, build.Refused) as e:
        print(f"pgtsim kernel diff: {e}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(build.until_interrupted(main))
