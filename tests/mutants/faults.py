# SPDX-License-Identifier: MIT
"""Planted faults: reads the lists beside this file, and changes sources by them.

A list has a block for each fault, blank lines between:

    NAME FILE
     a line of the file that stays
    -a line that goes
    +a line that comes

NAME says in plain words what is wrong. The lines that stay and go must stand in FILE exactly once,
one after the other; "@@" begins another place of the same file. Lines that begin with "#" before
the first blank line are the list's comment.
"""

import difflib
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
# What each list's faults must be noticed by.
LISTS = {
    "fast": "the fast tests",
    "linux": "the comparison with the kernel's code (tests/conformance/linux)",
    "mmu": "the comparison with QEMU's MMU (tests/conformance/mmu)",
}
HEAD = re.compile(r"\S+ \S+\.(?:c|h|S)")
TOKEN = re.compile(r"\w+|\s+|.", re.DOTALL)


class Fault:
    """One fault: `places` is a list of places, each a list of lines with their sign."""

    def __init__(self, name, file, places):
        self.name, self.file, self.places = name, file, places

    def __str__(self):
        places = "\n@@\n".join("\n".join(place) for place in self.places)
        return f"{self.name} {self.file}\n{places}\n"


def text_of(place, without):
    return "".join(line[1:] + "\n" for line in place if line[:1] != without)


def old_text(place):
    return text_of(place, "+")


def new_text(place):
    return text_of(place, "-")


def parse(text, source):
    """The list's comment and its faults."""
    comment, _, rest = text.partition("\n\n")
    faults = []
    # A blank line is also a line that stays, so that only a head ends a block.
    for block in re.split(rf"\n\n(?={HEAD.pattern}\n)", rest.strip("\n")):
        head, _, body = block.partition("\n")
        if not HEAD.fullmatch(head):
            raise SystemExit(f"{source}: not NAME FILE: {head}")
        places = [place.split("\n") for place in body.split("\n@@\n")]
        for line in (line for place in places for line in place):
            if line and line[0] not in " +-":
                raise SystemExit(f"{source}: {head}: neither kept nor changed: {line}")
        faults.append(Fault(*head.split(), places))
    names = [fault.name for fault in faults]
    for name in sorted({name for name in names if names.count(name) > 1}):
        raise SystemExit(f"{source}: two faults are called {name}")
    return comment, faults


def read(name):
    path = HERE / name
    return parse(path.read_text(encoding="utf-8"), path.relative_to(ROOT))


def write(name, comment, faults):
    text = comment + "\n\n" + "\n".join(str(fault) for fault in faults)
    (HERE / name).write_text(text, encoding="utf-8")


def planted(fault, text):
    """The text with this fault in it. Raises ValueError with the place that is not there once."""
    changed = text
    for place in fault.places:
        if text.count(old_text(place)) != 1 or changed.count(old_text(place)) != 1:
            raise ValueError(place)
        changed = changed.replace(old_text(place), new_text(place))
    return changed


# --- help for whoever changed the source ---------------------------------------

def nearest(place, text):
    """The number of the first line of the passage that is most like the old lines, and the passage."""
    lines = text.splitlines(keepends=True)
    old = old_text(place)
    size = old.count("\n")
    best, found = 0.0, (1, "".join(lines[:size]))
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(old)
    for first in range(max(1, len(lines) - size + 1)):
        passage = "".join(lines[first:first + size])
        matcher.set_seq1(passage)
        if matcher.real_quick_ratio() > best and matcher.quick_ratio() > best:
            ratio = matcher.ratio()
            if ratio > best:
                best, found = ratio, (first + 1, passage)
    return found


def renamed(place, passage):
    """The place in the passage's words, if the two differ by names alone and each by one."""
    old, new = TOKEN.findall(old_text(place)), TOKEN.findall(passage)
    if len(old) != len(new):
        return None
    words = {}
    for before, after in zip(old, new):
        if before == after and before not in words:
            continue
        if not (re.fullmatch(r"\w+|\s+", before) and re.fullmatch(r"\w+|\s+", after)):
            return None
        if before.isspace() != after.isspace() or words.setdefault(before, after) != after:
            return None
    names = {before: after for before, after in words.items() if not before.isspace()}
    fresh = iter(passage.splitlines())
    return [line[:1] + "".join(names.get(word, word) for word in TOKEN.findall(line[1:]))
            if line[:1] == "+" else line[:1] + next(fresh) for line in place]


def repaired(fault, sources):
    """The fault in today's words, if its lines have only moved or only their names have changed."""
    homes = [file for file, text in sources.items()
             if all(text.count(old_text(place)) == 1 for place in fault.places)]
    if len(homes) == 1:
        return Fault(fault.name, homes[0], fault.places)
    if fault.file not in sources:
        return None
    text = sources[fault.file]
    places = [place if text.count(old_text(place)) == 1 else renamed(place, nearest(place, text)[1])
              for place in fault.places]
    if None in places:
        return None
    found = Fault(fault.name, fault.file, places)
    try:
        planted(found, text)
    except ValueError:
        return None
    return found
