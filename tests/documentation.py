#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""documentation.py [--update] COMMAND

Holds the documentation against what there is: every command and option, counter, knob and its
values, violation, cost constant, scenario command and key, profile, and public function appears
in the guide (examples/guide) and every command and option in the manual page as well. COMMAND is
the pgtsim command. The guide's reference.md is made from the public headers; with --update it is
written anew.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GUIDE = ROOT / "examples/guide"
REFERENCE = GUIDE / "reference.md"
MANUAL = ROOT / "src/cli/pgtsim.1"
HEADERS = ROOT / "include/pgtsim"

# From the ground up, as the README has them.
ROOMS = ("api geometry desc format policy memory altmap tlb counters violations checker pgtable protect "
         "teardown vmemmap hotplug machine trace judge dump check cost cpu explore testing").split()


def output_of(*command):
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         encoding="utf-8", input="")
    return run.stdout


def read(path):
    return path.read_text(encoding="utf-8")


# --- what there is -----------------------------------------------------------

def rows(pgtsim, name):
    """A list of the command's own tables: objects with name, meaning and more."""
    found = json.loads(output_of(pgtsim, "list", "--json", name))
    if len(found) < 5:
        sys.exit(f"pgtsim list {name} shows few rows")
    return found


def names(pgtsim, name):
    return [row["name"] for row in rows(pgtsim, name)]


def options(pgtsim):
    found = {"--help", "--version"}
    for row in rows(pgtsim, "commands"):
        found.update(option["name"] for option in row["options"])
    return found


def knobs(pgtsim):
    table = rows(pgtsim, "knobs")
    return [row["name"] for row in table] + [
        f"{row['name']}={value}" for row in table for value in row["values"]]


def scenario_words(pgtsim):
    table = rows(pgtsim, "scenario")
    return {row["name"] for row in table} | {key["name"] for row in table for key in row["keys"]}


# --- the reference -----------------------------------------------------------

DECLARATION = re.compile(
    r"(?:^/\*(?P<comment>(?:[^*]|\*(?!/))*)\*/\n)?"
    r"^(?P<api>PGTSIM_API|static inline)\s(?P<text>[^;{]*?\b(?P<name>pgtsim_\w+)\([^;{]*)[;{]",
    re.MULTILINE)


def first_sentence(comment):
    text = " ".join(line.strip(" *") for line in comment.splitlines()).strip()
    return re.split(r"(?<=[.:])\s", text)[0].rstrip(":")


def functions(header):
    """Name and first sentence of each function; those under one comment share it."""
    found, sentence, end = [], "", 0
    text = read(header)
    for match in DECLARATION.finditer(text):
        if match["comment"]:
            sentence = first_sentence(match["comment"])
        elif text[end:match.start()].strip():
            sentence = ""
        found.append((match["name"], sentence))
        end = match.end()
    return found


def macros(header):
    return re.findall(r"^#define (pgtsim_\w+)\(", read(header), re.MULTILINE)


def reference(pgtsim):
    lines = ["# Reference", "", "## Knobs", "", "| knob | |", "|---|---|"]
    for row in rows(pgtsim, "knobs"):
        values = ", ".join(f"`{row['name']}={value}`" for value in row["values"])
        lines.append(f"| {values} | {row['meaning']} |")
    lines += ["",
              "The functions follow by room, made from the headers, which say the rest: units,",
              "errors, ownership and what is modelled.", ""]
    for room in ROOMS:
        header = HEADERS / f"{room}.h"
        if not header.exists():
            continue
        lines += [f"## `<pgtsim/{room}.h>`", "", "| function | |", "|---|---|"]
        shown = set(macros(header))
        lines += [f"| `{name}` | assertion or fixture |" for name in macros(header)]
        for name, sentence in functions(header):
            if name in shown or name.endswith("_at"):
                continue
            shown.add(name)
            lines.append(f"| `{name}()` | {sentence.replace('|', chr(92) + '|')} |")
        lines.append("")
    return "\n".join(lines)


# --- the comparison ----------------------------------------------------------

def missing(wanted, text, what):
    lost = [name for name in sorted(set(wanted))
            if not re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", text)]
    for name in lost:
        print(f"{what} is not documented: {name}")
    return len(lost)


def main():
    arguments = [a for a in sys.argv[1:] if a != "--update"]
    if len(arguments) != 1:
        sys.exit(__doc__)
    pgtsim = arguments[0]
    made = reference(pgtsim)
    if "--update" in sys.argv:
        REFERENCE.write_text(made, encoding="utf-8")
    guide = "\n".join(read(path) for path in sorted(GUIDE.glob("*.md")))
    manual = re.sub(r"\\f[BIR]", "", read(MANUAL)).replace("\\-", "-")
    commands = names(pgtsim, "commands")

    lost = missing(commands, manual, "manual page: command")
    lost += missing(options(pgtsim), manual, "manual page: option")
    lost += missing(["pgtsim " + command for command in commands], guide, "command")
    lost += missing(options(pgtsim), guide, "option")
    lost += missing(names(pgtsim, "counters"), guide, "counter")
    lost += missing(knobs(pgtsim), guide, "knob")
    lost += missing(names(pgtsim, "profiles"), guide, "profile")
    lost += missing(names(pgtsim, "violations"), guide, "violation")
    lost += missing(names(pgtsim, "constants"), guide, "cost constant")
    lost += missing(scenario_words(pgtsim), guide, "scenario word")
    exported = [name for header in HEADERS.glob("*.h") for name, _ in functions(header)]
    lost += missing([n for n in exported if not n.endswith("_at")], guide, "function")
    if made != read(REFERENCE):
        sys.exit("examples/guide/reference.md is not up to date: tests/documentation.py --update")
    if lost:
        sys.exit(1)
    print("everything there is, is documented")


if __name__ == "__main__":
    main()
