#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the host's memory run out at every allocation of the command in turn.

A run must end as it does with memory enough, or say that the host is out of memory and exit with
status 3. Nothing else: a failing host allocation is no simulated one, and no verdict. And with memory
enough a command that is given more files has no more memory in use at its end.

starved.py COMMAND [--all | --each]: COMMAND is linked with tests/cli/starve.c. With --all every
example, gallery scenario and recording is run, at 12 points of failure each; with --each at every
allocation, which takes hours. Without either a sample.
"""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NO_MEMORY = 3
SAYS = "the host is out of memory"


def run(command, words, at=0, on=False, count=None):
    # What is freed is not kept for the next one: it would count as in use.
    env = dict(os.environ, PGTSIM_STARVE_AT=str(at),
               GLIBC_TUNABLES="glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0")
    if on:
        env["PGTSIM_STARVE_ON"] = "1"
    if count:
        env["PGTSIM_STARVE_COUNT"] = count
    done = subprocess.run([command, *words], capture_output=True, env=env, timeout=300, check=False)
    return done.returncode, done.stdout, done.stderr


def sweep(command, words, most):
    """Runs of which the end is neither; `most` points of failure at most, evenly spread."""
    with tempfile.NamedTemporaryFile() as file:
        right = run(command, words, count=file.name)
        total = int(Path(file.name).read_text().split()[0])
    step = max(1, -(-total // most)) if most else 1
    wrong = []
    for at in range(1, total + 1, step):
        for on in (False, True):
            got = run(command, words, at, on)
            said = SAYS in (got[1] + got[2]).decode(errors="replace")
            if got != right and not (got[0] == NO_MEMORY and said):
                wrong.append(f"{' '.join(words)}: allocation {at}{' and all after it' if on else ''} "
                             f"fails: exit status {got[0]}, {right[0]} with memory enough\n"
                             f"{got[2].decode(errors='replace')[:200]}")
    print(f"{' '.join(words)}: {total} allocations, {len(wrong)} wrong", flush=True)
    return wrong


def left(command, words):
    """How many bytes are in use at the end of a run."""
    with tempfile.NamedTemporaryFile() as file:
        run(command, words, count=file.name)
        return int(Path(file.name).read_text().split()[1])


def kept(command):
    """Command lines after which more memory is in use the more files they are given."""
    race, pmem = (str(ROOT / "examples" / name) for name in ("gallery/bad_b35.pgt", "pmem.pgt"))
    recording = str(ROOT / "tests/data/recordings/73-own-4k-va39-blocks.json")
    lines = [["run", pmem], ["run", race], ["run", "--profile=linux-6.12", pmem], ["explore", race],
             ["explore", "--shard=1/2", race], ["explore", "--jobs=2", race], ["replay", recording]]
    grow = [(words, left(command, words), left(command, words + 3 * words[-1:])) for words in lines]
    return [f"{' '.join(words)}: {once} bytes are in use at the end, {often} with four files"
            for words, once, often in grow if once != often]


def commands(everything, trace):
    """What is run: command lines."""
    examples = sorted((ROOT / "examples").glob("*.pgt"))
    gallery = sorted((ROOT / "examples/gallery").glob("*.pgt"))
    recordings = sorted((ROOT / "tests/data/recordings").glob("*.json"))
    pmem = str(ROOT / "examples/pmem.pgt")
    if not everything:
        examples = [ROOT / "examples/pmem.pgt", ROOT / "examples/memmap-on-memory.pgt"]
        gallery = [file for file in gallery if file.name in ("bad_b20.pgt", "good_b09.pgt")]
        recordings = [file for file in recordings if file.name == "73-own-4k-va39-blocks.json"]
    lines = [["run", "--quiet", str(file)] for file in examples + gallery]
    lines += [["replay", str(file)] for file in recordings]
    lines += [["judge", trace], ["draw", pmem], ["cost", pmem], ["compare", pmem, pmem],
              ["sweep", "--profiles=linux-6.12", "--geometries=4K/48", "--sizes=1G"]]
    if everything:
        lines += [["run", str(file)] for file in examples] + [["gallery", "B7"], ["gallery", "all"]]
        lines += [["draw", str(file)] for file in examples]
        lines += [["explore", *jobs, str(file)] for file in gallery if "\nexplore" in file.read_text()
                  for jobs in ([], ["--jobs=2"])]
        lines += [["profiles"], ["list", "commands", "--json"], ["geometry", "0xffff000040000000"],
                  ["decode", "0x0068000040000713"], ["decode", "tlbi", "vmalle1is"],
                  ["run", "--junit=/dev/stdout", pmem], ["run", "--quiet", "--trace=-", pmem]]
    return lines


def main():
    command, each = sys.argv[1], "--each" in sys.argv
    everything = each or "--all" in sys.argv
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        trace = f"{folder}/trace"
        run(command, ["run", "--quiet", f"--trace={trace}", str(ROOT / "examples/hot-remove.pgt")])
        for words in commands(everything, trace):
            wrong += sweep(command, words, 0 if each else 12 if everything else 6)
    wrong += kept(command)
    for text in wrong[:20]:
        print(text)
    sys.exit(1 if wrong else 0)


main()
