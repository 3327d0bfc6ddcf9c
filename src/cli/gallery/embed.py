#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""embed.py OUT FILE...

Writes the gallery's scenarios, each bad one followed by its good one, into a C file:
gallery_pairs[] of gallery.h.
"""

import re
import sys
from pathlib import Path


def array(name, data):
    lines = [data[i : i + 16] for i in range(0, len(data), 16)]
    body = "\n".join("\t" + " ".join(f"{byte}," for byte in line) for line in lines)
    return f"static const char {name}[] = {{\n{body}\n\t0,\n}};\n\n"


def file_of(path):
    return f'{{ "{path.name}", {path.stem}, sizeof({path.stem}) - 1 }}'


def pair(bad, good):
    number = re.fullmatch(r"bad_b(\d+)\.pgt", bad.name)
    if not number or good.name != f"good_b{number[1]}.pgt":
        sys.exit(f"embed.py: {bad.name} and {good.name} are no pair")
    return f"\t{{ {int(number[1])}, {file_of(bad)}, {file_of(good)} }},\n"


def main():
    out, *names = sys.argv[1:]
    files = [Path(name) for name in names]
    if len(files) % 2:
        sys.exit(f"embed.py: {files[-1].name} has no good one")
    pairs = zip(files[::2], files[1::2])
    Path(out).write_text(
        '#include "gallery/gallery.h"\n\n'
        + "".join(array(file.stem, file.read_bytes()) for file in files)
        + "const struct gallery_pair gallery_pairs[] = {\n"
        + "".join(pair(bad, good) for bad, good in pairs)
        + "\t{ 0 },\n};\n",
        encoding="ascii",
    )


main()
