#!/usr/bin/env python3
"""Counts the individual tests in a Meson testlog.json.

Its last line of output is `N passed, N failed`, followed by `, N skipped` if
there were any. The exit status is 0 only if some passed and none failed.

A CMocka program counts as the tests it holds. What it announced but did not
finish, because it crashed or exited early, has failed. Any other program counts
as one test.
"""

import json
import re
import sys
from collections import Counter

# Not anchored: a test may itself print something without a line end.
CMOCKA_LINE = re.compile(
    r"\[=+\][^\n]*?Running (?P<planned>\d+) test\(s\)"
    r"|\[ RUN      \] (?P<run>\S+)"
    r"|\[       OK \] (?P<ok>\S+)"
    r"|\[  SKIPPED \] (?P<skipped>\S+)"
)


def tally_cmocka(output):
    """Returns the counts and the names of the failed, or None if not CMocka's."""
    counts = Counter()
    failed = []
    planned = 0
    is_cmocka = False
    current = None

    def close(verdict):
        nonlocal current
        if current is not None:
            counts[verdict] += 1
            if verdict == "failed":
                failed.append(current)
            current = None

    for match in CMOCKA_LINE.finditer(output):
        is_cmocka = True
        if match["planned"]:
            planned += int(match["planned"])
        elif match["run"]:
            close("failed")
            current = match["run"]
        # The closing summary repeats names and is not about the current test.
        elif current is not None and current == match["ok"]:
            close("passed")
        elif current is not None and current == match["skipped"]:
            close("skipped")
    close("failed")

    if not is_cmocka:
        return None
    not_run = planned - sum(counts.values())
    if not_run > 0:
        counts["failed"] += not_run
        failed.append(f"{not_run} that did not run")
    return counts, failed


def tally_program(test):
    counts, failed = tally_cmocka(test.get("stdout", "")) or (Counter(), [])
    result = test["result"]

    if result == "SKIP":
        counts["skipped"] += not counts
    elif result in ("OK", "EXPECTEDFAIL"):
        counts["passed"] += not counts
    elif not counts["failed"]:
        # Every test in it passed, and yet: a leak, a group teardown, a timeout.
        counts["failed"] += 1
        failed.append(f"the program: {result.lower()}, status {test['returncode']}")
    return counts, failed


def main():
    totals = Counter()
    with open(sys.argv[1], encoding="utf-8", errors="replace") as log:
        for line in log:
            test = json.loads(line)
            counts, failed = tally_program(test)
            totals += counts
            for name in failed:
                print(f"FAILED {test['name']}: {name}")

    summary = f"{totals['passed']} passed, {totals['failed']} failed"
    if totals["skipped"]:
        summary += f", {totals['skipped']} skipped"
    print(summary)
    return 0 if totals["passed"] and not totals["failed"] else 1


if __name__ == "__main__":
    sys.exit(main())
