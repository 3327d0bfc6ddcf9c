#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""pages.py [--update] [COMMAND PROGRAM...]

Checks that what README.md and the guide (examples/guide/*.md) show is true. COMMAND is the pgtsim
command, each PROGRAM one of examples/*.c, built; left out, they are those that tests/run has built.
With --update, what is not true is written anew.

What is shown stands between <!-- NAME --> and <!-- end -->. NAME is one of

    scenario FILE            a scenario that the commands of the page may name
    output of COMMAND        what this command prints: pgtsim with arguments, examples/run, a PROGRAM
    output of COMMAND, N lines
                             the same, cut off after N lines
    picture FILE: COMMAND    an image; FILE in the tree is what the command prints
    examples/NAME.c          this file
    examples/NAME.c, PART    of this file what follows the comment "---- PART ----", up to the next one

Commands run in a folder with these scenarios, examples/ and tests/. All other lines of code that begin
with "pgtsim" are run as well, unless they have a placeholder in capitals, and must succeed. A time, a share or a
factor that stands elsewhere must cite what says it, or name the command that measures it.
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "examples/guide").glob("*.md"))]
MADE = ["reference.md"]
BUILT = ["build/tests/src/cli/pgtsim", "build/tests/tests/teardown", "build/tests/tests/idea"]
MOST_COLUMNS = 118
README_LINES = 200
PLACE = re.compile(r"<!-- (scenario|output of|picture|examples/)([^\n]*?) -->\n(.*?)<!-- end -->\n", re.DOTALL)
MEASURED = re.compile(r"(?<![\w.])\d[\d,.]*( %| percent| (ns|µs|us|ms|s|seconds?|minutes?)\b)"
                      r"|\b(ten|fifty|hundred|\d+) times\b|\b(about (a|half a) (second|minute)|milliseconds)\b")
SOURCE = re.compile(r"\]\(https?://|\]\[\w+\]|bench/run|pgtsim cost")
FENCED = re.compile(r"^```(\w*)\n(.*?)^```\n", re.DOTALL | re.MULTILINE)


def read(path):
    return path.read_text(encoding="utf-8")


class Runner:
    """Runs the commands that a page names, in a folder of its own."""

    def __init__(self, programs, folder):
        self.folder = Path(folder)
        self.programs = {Path(path).name: [os.path.abspath(path)] for path in programs}
        self.programs["examples/run"] = [str(ROOT / "examples/story"), *self.programs["pgtsim"]]
        for name in ("examples", "tests"):
            (self.folder / name).symlink_to(ROOT / name)

    def run(self, line):
        words = shlex.split(line, comments=True)
        if words[0] not in self.programs:
            sys.exit(f"nothing is known of the command {line}")
        return subprocess.run(self.programs[words[0]] + words[1:], cwd=self.folder, input="",
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8")

    def output(self, line):
        result = self.run(line)
        if result.returncode not in (0, 1):
            sys.exit(f"{line}: status {result.returncode}: {result.stdout}")
        return result.stdout


def part_of(name, part):
    """The text of an example, or what stands in it after the comment that names the part."""
    text = read(ROOT / "examples" / name)
    if part:
        parts = dict(re.findall(r"^/\* ---- (.*?) ---- \*/\n(.*?)(?=^/\* ---- |\Z)", text, re.DOTALL | re.MULTILINE))
        if part not in parts:
            sys.exit(f"examples/{name} has no part called {part}")
        text = parts[part]
    return text.strip()


def shown(runner, kind, name, inside):
    """What should stand between the marks."""
    if kind in ("scenario", "picture"):
        return inside
    if kind == "examples/":
        return f"```c\n{part_of(*name.strip().partition(', ')[::2])}\n```\n"
    command, _, lines = name.strip().partition(", ")
    text = runner.output(command).rstrip("\n").split("\n")
    if lines and len(text) > int(lines.split()[0]):
        text = text[:int(lines.split()[0])] + ["…"]
    prompt = f"$ {command}\n" if command.startswith("pgtsim") else ""
    return f"```\n{prompt}" + "\n".join(text) + "\n```\n"


def stale_places(runner, page, update):
    """Names of the places that are not up to date; corrects the page and its pictures if `update`."""
    stale = []

    def correct(match):
        kind, name, inside = match.groups()
        fresh = shown(runner, kind, name, inside)
        if fresh != inside:
            stale.append(kind + name)
        if kind == "picture":
            file, command = name.strip().split(": ")
            drawn = runner.output(command)
            if f"]({os.path.relpath(ROOT / file, page.parent)})" not in inside:
                sys.exit(f"{page.name}: {file} is not shown")
            if not (ROOT / file).exists() or read(ROOT / file) != drawn:
                stale.append(kind + name)
                if update:
                    (ROOT / file).write_text(drawn, encoding="utf-8")
        return f"<!-- {kind}{name} -->\n{fresh}<!-- end -->\n"

    text = read(page)
    for kind, name, inside in PLACE.findall(text):
        if kind == "scenario":
            (runner.folder / name.strip()).write_text(FENCED.search(inside)[2], encoding="utf-8")
    fresh = PLACE.sub(correct, text)
    if update and fresh != text:
        page.write_text(fresh, encoding="utf-8")
    return stale


def failing_lines(runner, page):
    """Command lines outside of the marks that do not succeed."""
    text = PLACE.sub("", read(page))
    lines = re.findall(r"^(?:    )?(?:\$ )?(pgtsim .*)", text, re.MULTILINE)
    for line in lines:
        command = re.split(r"\s{2,}|\s#|\s[|>]\s", line)[0]
        if re.search(r"(?<![\w-])[A-Z]+(?![a-z0-9])|[….]{3}|…|\$", command):
            continue
        result = runner.run(command)
        if result.returncode:
            yield f"{command}: status {result.returncode}: {result.stdout.splitlines()[-1:]}"


def unsourced(page):
    """Paragraphs with a time, a share or a factor that no command has printed and that cite nothing. What an
    option does is no measurement."""
    text = FENCED.sub("", PLACE.sub("", read(page)))
    for part in re.split(r"\n\s*\n|\n(?=\|)|\n(?=- )", text):
        if MEASURED.search(part) and not SOURCE.search(part) and not part.lstrip().startswith("| `--"):
            yield " ".join(part.split())[:100]


def main():
    arguments = sys.argv[1:]
    update = "--update" in arguments
    if update:
        arguments.remove("--update")
    if len(arguments) == 1 or any(word.startswith("-") for word in arguments):
        sys.exit(__doc__)
    programs = arguments or [ROOT / path for path in BUILT]
    wrong = 0
    if len(read(PAGES[0]).splitlines()) >= README_LINES:
        wrong += 1
        print(f"README.md has {README_LINES} lines or more")
    for page in PAGES:
        if page.name in MADE:
            continue
        with tempfile.TemporaryDirectory() as folder:
            runner = Runner(programs, folder)
            stale = stale_places(runner, page, update)
            failing = list(failing_lines(runner, page))
        for name in stale:
            print(f"{page.name}: {name}: {'updated' if update else 'not up to date'}")
        for line in failing:
            print(f"{page.name}: {line}")
        long = [line for line in FENCED.sub("", PLACE.sub("", read(page))).splitlines()
                if len(line) > MOST_COLUMNS and not line.startswith(("|", "    "))]
        for line in long:
            print(f"{page.name}: a line of more than {MOST_COLUMNS} columns: {line}")
        bare = list(unsourced(page))
        for part in bare:
            print(f"{page.name}: a number without a source: {part}")
        wrong += len(failing) + len(long) + len(bare) + (0 if update else len(stale))
    if wrong:
        sys.exit("tests/run, then tests/pages.py --update, puts right what is not up to date")


if __name__ == "__main__":
    main()
