#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""sweep.py SWEEP.csv FOLDER

Prints what `pgtsim sweep` has written as a table of the largest size, and plots it: in FOLDER, an SVG
for each geometry, kind of leaf and place of the memmap, with its gnuplot script beside it. Kernels
that take the same time share a row and a line, which names them all; where lines run close together,
the first is the widest.
"""

import csv
import shutil
import subprocess
import sys
from pathlib import Path

PLACES = {"off": "memmap in boot memory", "on": "memmap on memory", "force": "memmap on memory, forced"}
UNITS = ((10**9, "s"), (10**6, "ms"), (10**3, "µs"), (1, "ns"))
SAME = 1.01  # times that differ by no more lie on each other in a plot


def time(nanoseconds):
    """A number of nanoseconds for people: three digits and a unit."""
    factor, unit = next((u for u in UNITS if nanoseconds >= u[0]), UNITS[-1])
    return f"{nanoseconds / factor:.3g} {unit}"


def gib(size):
    return f"{size / 2**30:g} GiB"


TIME, LOW, HIGH, REFILLS = range(4)


class Line:
    """The times of one or more kernels, by size."""

    def __init__(self, name, points=None):
        self.names, self.points = [name], {} if points is None else points

    def like(self, other, columns):
        """True if these columns differ by no more than what a plot shows."""
        return self.points.keys() == other.points.keys() and all(
            1 / SAME <= (mine[i] or 1) / (theirs[i] or 1) <= SAME
            for mine, theirs in zip(self.points.values(), other.points.values()) for i in columns)

    def title(self):
        return ", ".join(self.names)


def read(path):
    """Lines by plot, and what could not be done by plot; the number of CPUs and sockets."""
    plots, refused, machine = {}, {}, None
    with open(path, encoding="utf-8") as file:
        for row in csv.DictReader(file):
            where = (row["geometry"], row["leaves"], row["memmap_on_memory"])
            machine = f"{row['model.cpus']} CPUs, sockets: {row['model.sockets']}"
            if row["with"]:
                machine += ", " + row["with"]
            if row["result"] != "ok":
                refused.setdefault(where, {}).setdefault(row["result"], set()).add(row["profile"])
                continue
            line = plots.setdefault(where, {}).setdefault(row["profile"], Line(row["profile"]))
            line.points[int(row["bytes"])] = [int(row[f"cost.{key}"]) for key in
                                              ("time", "time.low", "time.high", "refills")]
    if not machine:
        sys.exit(f"{path} has no row")
    return {where: list(lines.values()) for where, lines in plots.items()}, refused, machine


def merge(lines, columns):
    """One line for all that are alike in these columns; it has all their names."""
    merged = []
    for line in lines:
        like = next((other for other in merged if other.like(line, columns)), None)
        if like:
            like.names.append(line.names[0])
        else:
            merged.append(Line(line.names[0], line.points))
    return merged


def table(plots, refused, machine):
    size = max(size for lines in plots.values() for line in lines for size in line.points)
    print(f"Time to remove {gib(size)}; {machine}; a cost model, in brackets its range.\n")
    for where in sorted(plots.keys() | refused.keys()):
        print(f"{where[0]}, {where[1]}, {PLACES[where[2]]}")
        for line in merge(plots.get(where, []), (TIME, LOW, HIGH, REFILLS)):
            if size in line.points:
                best, low, high, refills = line.points[size]
                print(f"  {time(best):>8}  ({time(low)} to {time(high)}; refills of all CPUs, not in it: "
                      f"{time(refills)})  {line.title()}")
        for result, names in refused.get(where, {}).items():
            print(f"  {result:>8}  {', '.join(sorted(names))}")
    print("\nNot counted: migration, initialisation of the memmap, zones, sysfs, locks; see pgtsim cost --model.")


def script(where, lines, machine, image):
    """A gnuplot program: a line for each group of kernels, and its range as a band."""
    data, plot = [], []
    for i, line in enumerate(lines):
        rows = [f"{size / 2**30:g} " + " ".join(f"{ns / 1e9:.9g}" for ns in times[:3])
                for size, times in sorted(line.points.items())]
        data += [f"$line{i} << END", *rows, "END"]
        plot.append(f"$line{i} using 1:3:4 with filledcurves linecolor {i + 1} "
                    "fillstyle transparent solid 0.12 notitle")
        plot.append(f"$line{i} using 1:2 with linespoints linecolor {i + 1} "
                    f'linewidth {2 * (len(lines) - i)} pointtype {i + 1} title "{line.title()}"')
    sizes = sorted({size for line in lines for size in line.points})
    tics = ", ".join(f'"{size / 2**30:g}" {size / 2**30:g}' for size in sizes)
    title = f"Hot-remove, {where[0]}, {where[1]}, {PLACES[where[2]]}\\n{machine}; cost model, bands are its range"
    return "\n".join([
        f'set terminal svg size 900,{600 + 22 * len(lines)} font "sans-serif,14" background "white"',
        f'set output "{image}"',
        f'set title "{title}"',
        'set xlabel "memory removed (GiB)"', f"set xtics ({tics})", "set logscale x 2",
        'set ylabel "time"', "set logscale y 10", 'set format y "%.0s %cs"', "set grid",
        f"set xrange [{sizes[0] / 2**30 / 1.3}:{sizes[-1] / 2**30 * 1.3}]",
        "set key at screen 0.01,screen 0.01 left bottom maxcols 1 Left reverse",
        f"set bmargin {5 + 1.5 * len(lines)}", *data, "plot " + ", \\\n  ".join(plot), ""])


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    plots, refused, machine = read(sys.argv[1])
    folder = Path(sys.argv[2])
    table(plots, refused, machine)
    for where, lines in plots.items():
        name = "-".join((where[0].replace("/", "-"), where[1], where[2]))
        program = folder / f"{name}.gnuplot"
        program.write_text(script(where, merge(lines, (TIME,)), machine, folder / f"{name}.svg"), encoding="utf-8")
        if shutil.which("gnuplot"):
            subprocess.run(["gnuplot", program], check=True)


if __name__ == "__main__":
    main()
