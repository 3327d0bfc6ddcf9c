#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""layout.py CC INCLUDE: holds the structures of pgtsim.py against the compiler's view of the
headers: size of each, and offset and size of each field."""

import ctypes
import subprocess
import sys
import tempfile
from pathlib import Path

import pgtsim


def structures():
    names = {"MachineConfig": "machine_config", "ViolationKind": "violation_kind"}
    for name, kind in vars(pgtsim).items():
        if isinstance(kind, type) and issubclass(kind, ctypes.Structure):
            yield "struct pgtsim_" + names.get(name, name.lower()), kind


def program():
    lines = ["#include <stdio.h>", "#include <pgtsim/pgtsim.h>", "int main(void) {"]
    for tag, kind in structures():
        lines.append(f'printf("{tag} %zu\\n", sizeof({tag}));')
        for field in kind._fields_:
            lines.append(f'printf("{tag}.{field[0]} %zu %zu\\n", offsetof({tag}, {field[0]}), '
                         f"sizeof((({tag} *)0)->{field[0]}));")
    return "\n".join(lines + ["return 0; }"])


def expected():
    for tag, kind in structures():
        yield f"{tag} {ctypes.sizeof(kind)}"
        for field in kind._fields_:
            place = getattr(kind, field[0])
            yield f"{tag}.{field[0]} {place.offset} {place.size}"


def main():
    compiler, include = sys.argv[1].split(), sys.argv[2]
    with tempfile.TemporaryDirectory() as work:
        source, binary = Path(work, "layout.c"), Path(work, "layout")
        source.write_text(program(), encoding="utf-8")
        subprocess.run([*compiler, "-I" + include, source, "-o", binary], check=True)
        found = subprocess.run([binary], check=True, stdout=subprocess.PIPE,
                               encoding="utf-8").stdout.splitlines()
    wrong = [f"{a} (Python: {b})" for a, b in zip(found, expected()) if a != b]
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"{len(found)} sizes and offsets agree")


if __name__ == "__main__":
    main()
