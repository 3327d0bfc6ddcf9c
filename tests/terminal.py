#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""terminal.py COMMAND

Every work that may take long shows on a terminal how far it is, and Ctrl-C there prints what there is
and ends with 130. All of them run at once, each on a terminal of its own. PGTSIM_TEST_DATA has recordings,
PGTSIM_SHARE what builds a kernel.
"""
import os
import pty
import select
import sys
import tempfile
import threading
import time
from pathlib import Path

COMMAND = os.path.abspath(sys.argv[1])
# Each is the words after `pgtsim`, what its progress says, and what is printed beside it.
WORKS = [
    (["run", "search.pgt"], b"schedules, 0 failed, of an estimated", b"not all: stopped"),
    (["explore", "--jobs=2", "search.pgt"], b"schedules, 0 failed, of an estimated", b"not all: stopped"),
    (["sweep", "--sizes=64G"], b"ptes", b"profile,geometry"),
    (["replay"] + 4000 * ["recording.json"], b"of 4000: recording.json", b"descriptors"),
    (["gallery", "all"], b"defect B", b"defects found"),
    (["judge", "trace"], b"trace: line", b"stopped after this line"),
    (["kernel", "build", "tree", "-o", "x.so"], b"compiling tree", b""),
]
PATIENCE = 120
# A work may be done before its progress shows, or just then, as both go by whole seconds.
TURNS = 20


def prepare(folder):
    """Makes the files that the works read."""
    (folder / "search.pgt").write_text(
        "machine\nactor a vmalloc 0xffff800000000000 8\nactor b vmalloc 0xffff800000010000 8\n"
        "actor c ptdump 0xffff800000000000 64K\nexplore\n")
    recordings = Path(os.environ["PGTSIM_TEST_DATA"]) / "recordings"
    (folder / "recording.json").write_bytes((recordings / "612-4k-va48.json").read_bytes())
    os.mkfifo(folder / "trace")
    (folder / "cc").write_text("#!/bin/sh\nexec sleep 60\n")
    (folder / "cc").chmod(0o755)
    sys.path.insert(0, os.environ["PGTSIM_SHARE"])
    import extract
    for name in extract.FILES[1:]:
        path = folder / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text({
            "mmu.c": "int __create_pgd_mapping(void)\n{\n\treturn 0;\n}\n",
            "memremap.h": "struct vmem_altmap {\n\tint x;\n};\n",
        }.get(path.name, ""))
    (folder / "tree" / "Makefile").write_text("VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 1\n")


def start(folder, words):
    """The command on a new terminal: its number and the terminal's file."""
    pid, terminal = pty.fork()
    if not pid:
        os.chdir(folder)
        os.environ["CC"] = str(folder / "cc")
        os.execv(COMMAND, [COMMAND, *words])
    return pid, terminal


def feed(path):
    """Writes lines of a trace until nobody reads them."""
    try:
        with open(path, "w") as trace:
            while True:
                trace.write('{"op":"dsb-ish"}\n' * 2000)
                trace.flush()
                time.sleep(0.01)
    except BrokenPipeError:
        pass


def watch(works):
    """Reads each terminal, presses Ctrl-C once the progress is there, and returns what each said."""
    said = {terminal: b"" for _, terminal in works.values()}
    progress = {terminal: WORKS[row][1] for row, (_, terminal) in works.items()}
    pressed, open_ones, end = set(), set(said), time.monotonic() + PATIENCE
    while open_ones and time.monotonic() < end:
        for terminal in select.select(open_ones, [], [], 1)[0]:
            try:
                text = os.read(terminal, 65536)
            except OSError:
                text = b""
            said[terminal] += text
            if not text:
                open_ones.discard(terminal)
            elif terminal not in pressed and progress[terminal] in said[terminal]:
                pressed.add(terminal)
                os.write(terminal, b"\x03")
    return {row: said[terminal] for row, (_, terminal) in works.items()}


def status_of(pid):
    """The exit status of a process that has closed its terminal; one that has not is ended."""
    for _ in range(100):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    return "none"


def turn(folder, rows):
    """Runs works. Returns those that were done too soon, and how many failed."""
    works = {row: start(folder, WORKS[row][0]) for row in rows}
    said, soon, failures = watch(works), [], 0
    for row, (pid, terminal) in works.items():
        words, progress, beside = WORKS[row]
        text, status = said[row], status_of(pid)
        os.close(terminal)
        if status == 0:
            soon.append(row)
        elif status != 130 or progress not in text or beside not in text or b"Traceback" in text:
            failures += 1
            print(f"FAILED: {' '.join(words[:3])}: status {status}, progress {progress in text}: {text[-300:]!r}")
    return soon, failures


def main():
    failures, rows = 0, list(range(len(WORKS)))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        threading.Thread(target=feed, args=[folder / "trace"], daemon=True).start()
        for _ in range(TURNS):
            rows, failed = turn(folder, rows)
            failures += failed
            if not rows:
                break
        left = [path.name for path in folder.iterdir() if "x.so" in path.name]
    for row in rows:
        print(f"FAILED: {' '.join(WORKS[row][0][:3])}: nothing shows how far it is, or Ctrl-C does not end it")
    if left:
        print(f"FAILED: kernel build leaves {left}")
    return failures + len(rows) + len(left) > 0


sys.exit(main())
