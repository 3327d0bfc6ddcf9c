#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The package pgtsim: what it does, and 50 ways to misuse it, each of which must raise an exception with
a sentence. If the interpreter crashes, the test fails by its signal."""

import copy
import errno
import inspect
import pickle
import threading
import weakref

import pgtsim
from pgtsim import Error, Machine, UsageError

START, BLOCK = 0x80000000, 128 << 20


def works():
    with Machine("latest", granule=16384, va=47, flush="per-leaf") as m:
        va = m.linear(START)
        assert m.translate(va) is None
        m.map(va, START, 2 << 20)
        assert m.translate(va + 5) == START + 5
        assert m.stale(va) is None and m.check() == []
        m.unmap(va, 2 << 20)
        assert m.translate(va) is None and m.stale(va + 16384)
        found = m.check()
        assert {v.name for v in found} == {"stale-leaf"} and found == m.violations
        assert found[0].instead in str(found[0]) and found[0].va // (1 << 30) == va // (1 << 30)
        m.counters.reset()
        assert m.counters["leaves.mapped"] == m.counters.leaves_mapped == 0
        assert len(m.counters) == len(list(m.counters)) > 30 and "tlbi_all" in dir(m.counters)
    assert m.closed
    with Machine("linux-6.12", ram=[(0x40000000, 0x80000000)]) as m:
        m.add(0x100000000, BLOCK)
        m.online(0x100000000, BLOCK, movable=True)
        m.offline(0x100000000, BLOCK)
        m.remove(0x100000000, BLOCK)
        assert m.check() == []
    with Machine("linux-6.12", memmap_on_memory=True) as m:
        m.add(START, BLOCK, memmap_on_memory=True)
        assert m.counters.altmap_allocated > 0
    with Machine("s390-6.1", format="s390", edat=1, free_order="after-invalidate") as m:
        m.add(0x100000000, 2 * BLOCK)
        m.map(0x200000000, 0x200000000, 2 << 20)
        assert m.translate(0x200000000 + 5) == 0x200000000 + 5
        m.unmap(0x200000000, 2 << 20)
        m.remove(0x100000000, 2 * BLOCK)
        assert m.counters.tlbi_all == 3 and m.counters.dsb == 0 and m.check() == []
    assert "linux-6.12" in pgtsim.profiles() and {"granule", "flush", "cont"} <= set(pgtsim.keys())


def remembers():
    """Commands may name what earlier ones made, and explore starts from all of them."""
    with Machine("linux-6.12", blocks=True) as m:
        m.run("altmap a base=0x80000 free=4096")
        try:
            m.run("add 0x80000000+5")
        except Error:
            pass
        assert "altmap_allocated" not in m.run("echo hello") and m.run("echo hello") == "hello\n"
        m.run("add 0x80000000+128M device altmap=a")
        m.run("add 0x1000000000+128M")
        text = m.run(f"actor r remove 0x1000000000+128M\nactor p ptdump {m.linear(0x1000000000):#x} 4M\nexplore")
        assert "again with: schedule=" in text, text
        assert m.counters.explore_schedules > 1 and m.counters.explore_failed > 0
        assert "table-use-after-free" in {v.name for v in m.violations}


class Careless(Machine):
    def __init__(self):
        pass


def closed():
    m = Machine()
    m.close()
    m.close()
    return m


def full():
    m = Machine(ram=[(0x40000000, 0x42000000)])
    m.add(START, 1 << 40)


def iterate_after_close():
    m = Machine()
    counters = m.counters
    m.close()
    list(counters)


def reinitialise():
    m = Machine()
    m.__init__("linux-2.6")


def after_failed_reinitialise():
    m = Machine()
    try:
        m.__init__("linux-2.6")
    except UsageError:
        pass
    m.add(START, BLOCK)


def raising_ram():
    raise LookupError("no ram")
    yield


MISUSES = [
    # a machine that is closed, or was never made
    (ValueError, lambda: closed().add(START, BLOCK)), (ValueError, lambda: closed().remove(START, BLOCK)),
    (ValueError, lambda: closed().online(START, BLOCK)), (ValueError, lambda: closed().offline(START, BLOCK)),
    (ValueError, lambda: closed().map(0, 0, 4096)), (ValueError, lambda: closed().unmap(0, 4096)),
    (ValueError, lambda: closed().run("stats")), (ValueError, lambda: closed().check()),
    (ValueError, lambda: closed().violations), (ValueError, lambda: closed().counters["dsb"]),
    (ValueError, lambda: closed().counters.dsb), (ValueError, lambda: closed().counters.reset()),
    (ValueError, lambda: closed().linear(0)), (ValueError, lambda: closed().translate(0)),
    (ValueError, lambda: closed().stale(0)), (ValueError, lambda: closed().__enter__()),
    (ValueError, iterate_after_close), (ValueError, lambda: Careless().add(START, BLOCK)),
    (ValueError, lambda: Careless().check()), (ValueError, lambda: Machine.__new__(Machine).translate(0)),
    # what is misspelt
    (UsageError, lambda: Machine("linux-2.6")), (UsageError, lambda: Machine(granul=4096)),
    (UsageError, lambda: Machine(flush="never")), (UsageError, lambda: Machine(granule="4 K")),
    (UsageError, lambda: Machine("")), (UsageError, lambda: Machine("latest\nadd 0+128M")),
    (UsageError, lambda: Machine(cont="yes")), (UsageError, lambda: Machine(bbm=7)),
    (UsageError, lambda: Machine(va=-1)), (UsageError, lambda: Machine(ram=[(5, 4)])),
    (UsageError, lambda: Machine().run("frob")), (UsageError, lambda: Machine().run("machine")),
    (UsageError, lambda: Machine().run("add 0x80000000")), (UsageError, lambda: Machine().run("expect frob == 1")),
    (UsageError, lambda: Machine().run("add 0x80000000+128M device altmap=b")),
    (UsageError, lambda: Machine().add(-1, BLOCK)), (UsageError, lambda: Machine().add(2**64, BLOCK)),
    (AttributeError, lambda: Machine().counters.frob), (KeyError, lambda: Machine().counters["frob"]),
    (UsageError, reinitialise), (ValueError, after_failed_reinitialise),
    # what a kernel refuses
    (Error, lambda: Machine().add(START, 5)), (Error, lambda: Machine().remove(START, BLOCK)),
    (Error, lambda: Machine(granule=5)), (Error, lambda: Machine(granule=65536, va=47)), (Error, full),
    (Error, lambda: Machine(iomem="/proc/iomem")), (UsageError, lambda: Machine().run("explore")),
    (Error, lambda: Machine().map(5, START, 4096)),
    # what is of no use as an argument
    (TypeError, lambda: Machine(5.0)), (TypeError, lambda: Machine("latest", [])),
    (TypeError, lambda: Machine(ram=5)), (TypeError, lambda: Machine(ram=[None])),
    (TypeError, lambda: Machine(granule=None)), (TypeError, lambda: Machine().add("0", BLOCK)),
    (TypeError, lambda: Machine().translate("0")), (OverflowError, lambda: Machine().translate(-1)),
    (OverflowError, lambda: Machine().stale(2**64)), (TypeError, lambda: Machine().linear(None)),
    (TypeError, lambda: Machine().run(5)), (TypeError, lambda: Machine().run()),
    (ValueError, lambda: Machine().run("echo \0")), (ValueError, lambda: Machine().run("echo \ud800")),
    (LookupError, lambda: Machine(ram=raising_ram())),
    (TypeError, lambda: copy.copy(Machine())), (TypeError, lambda: pickle.dumps(Machine())),
    (TypeError, lambda: super(Machine, Machine()).__init__()),
    (UsageError, lambda: super(Machine, Machine()).__init__("add 0+5")),
    (UsageError, lambda: super(Machine, Machine()).__init__("machine\nadd 0+128M")),
]


def misuse():
    assert len(MISUSES) >= 50
    for expected, wrong in MISUSES:
        what = inspect.getsource(wrong).strip()
        try:
            wrong()
        except expected as error:
            assert str(error), what
            if isinstance(error, Error):
                assert error.errno in errno.errorcode and len(error.strerror) > 10, what
        except Exception as error:
            raise SystemExit(f"{what}: {error!r} instead of {expected.__name__}") from error
        else:
            raise SystemExit(f"a mistake went unnoticed: {what}")


def frees():
    """A machine that nobody has any more is gone, and one that fails leaves the others alone."""
    m = Machine()
    gone = weakref.ref(m)
    m.add(START, BLOCK)
    del m
    assert gone() is None
    machines = [Machine("linux-5.7") for _ in range(20)]
    threads = [threading.Thread(target=lambda m=m: (m.add(START, BLOCK), m.remove(START, BLOCK)))
               for m in machines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(m.check() == [] for m in machines)


for part in (works, remembers, misuse, frees):
    part()
print(f"{len(MISUSES)} misuses, no crash")
