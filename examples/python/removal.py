#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What does it cost to remove 1 GiB, and is it safe? Over kernels, with and without contiguous
mappings. Needs the package: pip install examples/python"""

from pgtsim import Machine

START, SIZE = 0x80000000, 1 << 30


def main():
    print(f"{'profile':12} {'leaves':6} {'by VA':>8} {'all':>4} {'DSB':>8}  may still be cached")
    for profile in ("linux-5.7", "linux-6.12", "latest"):
        for cont in (False, True):
            with Machine(profile, cont=cont) as machine:
                machine.add(START, SIZE)
                machine.counters.reset()
                machine.remove(START, SIZE)
                count = machine.counters
                found = {violation.name for violation in machine.check()}
                print(f"{profile:12} {'cont' if cont else 'ptes':6} {count.tlbi_leaf:8} "
                      f"{count.tlbi_all:4} {count.dsb:8}  {', '.join(found) or 'nothing'}")


if __name__ == "__main__":
    main()
