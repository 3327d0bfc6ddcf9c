#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""readme.py [--update] [COMMAND EXAMPLE]

Checks that what README.md shows is true: the text of examples/teardown.c, its output, and the
output of examples/run and of pgtsim gallery B1. COMMAND is the pgtsim command, EXAMPLE is examples/teardown.c, built; left
out, they are those that tests/run has built. With --update, README.md is rewritten where it is
not true.

Each shown text stands in a fenced block between <!-- NAME --> and <!-- end -->.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BUILT = ["build/tests/src/cli/pgtsim", "build/tests/tests/teardown"]
MOST_LINES = 50
MOST_COLUMNS = 100


def output_of(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout


def read(path):
    return path.read_text(encoding="utf-8")


def block(language, text):
    return f"```{language}\n{text.rstrip()}\n```\n"


def replace(readme, name, text):
    """The readme with this text as the content of the one place of this name."""
    place = re.compile(rf"(<!-- {re.escape(name)} -->\n).*?(<!-- end -->\n)", re.DOTALL)
    if len(place.findall(readme)) != 1:
        sys.exit(f"README.md: not one place <!-- {name} --> … <!-- end -->")
    return place.sub(lambda match: match[1] + text + match[2], readme)


def check_size(story):
    lines = story.splitlines()
    if len(lines) > MOST_LINES or any(len(line) > MOST_COLUMNS for line in lines):
        sys.exit(f"examples/story prints more than {MOST_LINES} lines of {MOST_COLUMNS} columns")


def main():
    arguments = sys.argv[1:]
    update = "--update" in arguments
    if update:
        arguments.remove("--update")
    if len(arguments) not in (0, 2):
        sys.exit(__doc__)
    command, example = arguments or [ROOT / path for path in BUILT]

    story = output_of(ROOT / "examples/story", command)
    check_size(story)
    shown = {
        "examples/teardown.c": block("c", read(ROOT / "examples/teardown.c")),
        "output of teardown": block("", output_of(example)),
        "output of examples/run": block("", story),
        "output of pgtsim gallery B1": block("", output_of(command, "gallery", "B1")),
    }

    readme = read(README)
    stale = [name for name, text in shown.items() if replace(readme, name, text) != readme]
    for name in stale:
        readme = replace(readme, name, shown[name])
        print(f"README.md: {name}: {'updated' if update else 'not up to date'}")
    if update:
        README.write_text(readme, encoding="utf-8")
    elif stale:
        sys.exit("tests/run, then tests/readme.py --update, puts it right")


if __name__ == "__main__":
    main()
