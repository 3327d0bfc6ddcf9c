#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""documentation.py [--update] COMMAND

Holds the documentation against what there is: every command and option, counter, knob and its
values, violation, cost constant, scenario command and key, profile, and public function appears
in the guide (examples/guide) and every command and option in the manual page as well. COMMAND is
the pgtsim command. The guide's reference.md is made from the public headers; with --update it is
written anew.
"""

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
ROOMS = ("geometry desc policy memory altmap tlb pgtable teardown vmemmap hotplug machine "
         "trace dump check cost cpu explore testing").split()


def output_of(*command):
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         encoding="utf-8", input="")
    return run.stdout


def read(path):
    return path.read_text(encoding="utf-8")


# --- what there is -----------------------------------------------------------

def commands(pgtsim):
    return re.findall(r"^  pgtsim (\w+) ", output_of(pgtsim, "--help"), re.MULTILINE)


def options(pgtsim):
    found = {"--help", "--version"}
    for command in commands(pgtsim):
        found.update(re.findall(r"(?<![\w-])--[a-z][a-z-]*", output_of(pgtsim, command, "--help")))
    return found


def counters():
    rows = re.findall(r'^\tX\(\w+, "([a-z.]+)"', read(HEADERS / "tlb.h"), re.MULTILINE)
    if not rows:
        sys.exit("no counters found in tlb.h")
    return rows


def knob_rows(pgtsim):
    return re.findall(r"^  ([a-z-]+) +(.*): ([a-z0-9|-]+)$", output_of(pgtsim, "profiles"),
                      re.MULTILINE)


def knobs(pgtsim):
    rows = knob_rows(pgtsim)
    names = [name for name, _, _ in rows]
    values = [f"{name}={value}" for name, _, values in rows for value in values.split("|")]
    if len(names) < 20:
        sys.exit("pgtsim profiles shows few knobs")
    return names, values


def profiles(pgtsim):
    return output_of(pgtsim, "profiles").splitlines()[0].split()


def violations():
    return re.findall(r'\[PGTSIM_V_\w+\] = \{\s*"([a-z-]+)"', read(ROOT / "src/tlb.c"))


def constants(pgtsim):
    return re.findall(r"^([a-z-]+) +\d+  ", output_of(pgtsim, "cost", "--model"), re.MULTILINE)


def scenario_words():
    text = read(ROOT / "src/cli/scenario.c")
    words = set(re.findall(r'\{ "([a-z-]+)", SCENARIO_', text))
    keys = set(re.findall(r'\b(?:OPTION|NUMBER|NUMBER_INT|NUMBER_NEEDED|CHOICE|FLAG)\("([a-z0-9-]+)"',
                          text))
    if "machine" not in words or "profile" not in keys:
        sys.exit("no scenario commands or keys found in scenario.c")
    return words | keys


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
    for name, meaning, alternatives in knob_rows(pgtsim):
        values = ", ".join(f"`{name}={value}`" for value in alternatives.split("|"))
        lines.append(f"| {values} | {meaning} |")
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

def missing(names, text, what):
    lost = [name for name in sorted(set(names))
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
    names, values = knobs(pgtsim)

    lost = missing(commands(pgtsim), manual, "manual page: command")
    lost += missing(options(pgtsim), manual, "manual page: option")
    lost += missing(["pgtsim " + c for c in commands(pgtsim)], guide, "command")
    lost += missing(options(pgtsim), guide, "option")
    lost += missing(counters(), guide, "counter")
    lost += missing(names + values, guide, "knob")
    lost += missing(profiles(pgtsim), guide, "profile")
    lost += missing(violations(), guide, "violation")
    lost += missing(constants(pgtsim), guide, "cost constant")
    lost += missing(scenario_words(), guide, "scenario word")
    exported = [name for header in HEADERS.glob("*.h") for name, _ in functions(header)]
    lost += missing([n for n in exported if not n.endswith("_at")], guide, "function")
    if made != read(REFERENCE):
        sys.exit("examples/guide/reference.md is not up to date: tests/documentation.py --update")
    if lost:
        sys.exit(1)
    print("everything there is, is documented")


if __name__ == "__main__":
    main()
