#!/usr/bin/env bash
# python.sh SOURCE_ROOT LIBRARY CC: the Python module mirrors the headers, and its example finds
# what the library finds.
set -euo pipefail

export PYTHONPATH=$1/examples/python PGTSIM_LIBRARY=$2 PYTHONDONTWRITEBYTECODE=1
python3 "$1/examples/python/layout.py" "$3" "$1/include"
out=$(python3 "$1/examples/python/removal.py")
echo "$out"
[ "$(grep -c 'nothing$' <<<"$out")" -eq 5 ]
grep -q '^linux-5.7 *cont .*stale-leaf$' <<<"$out"

python3 - <<'END'
import errno
from pgtsim import Machine

with Machine("latest", granule=16384, va_bits=47, flush="per-leaf") as m:
    va = m.linear(0x80000000)
    assert m.translate(va) is None
    m.map(va, 0x80000000, 2 << 20)
    assert m.translate(va + 5) == 0x80000005
    assert m.stale(va) is None and m.check() == []
    m.unmap(va, 2 << 20)
    assert m.translate(va) is None and m.stale(va + 16384)
    assert {name for name, _, _ in m.check()} == {"stale-leaf"}
    m.reset_counters()
    assert m.counters()["leaves.mapped"] == 0
    for wrong in (lambda: m.add(0x80000000, 5), lambda: Machine("latest", granule=5),
                  lambda: Machine("latest", flush="never")):
        try:
            wrong()
        except OSError as error:
            assert error.errno == errno.EINVAL, error
        else:
            raise SystemExit("a mistake went unnoticed")
with Machine("linux-6.12", ram=[(0x40000000, 0x80000000)]) as m:
    m.add(0x100000000, 128 << 20)
    m.online(0x100000000, 128 << 20, movable=True)
    m.offline(0x100000000, 128 << 20)
    m.remove(0x100000000, 128 << 20)
    assert m.check() == []
END
