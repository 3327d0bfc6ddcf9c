# SPDX-License-Identifier: MIT
"""libpgtsim from Python: a machine, its page table, its counters.

    import pgtsim

    with pgtsim.Machine("linux-6.12", granule=4096, va=48) as machine:
        machine.add(0x80000000, 128 << 20)
        machine.counters.reset()
        machine.remove(0x80000000, 128 << 20)
        print(machine.counters.tlbi_all, machine.counters["dsb.ish"])
        for violation in machine.check():
            print(violation)

Whatever a scenario can say, Machine.run() executes: machine.run("online 0x80000000+128M").
A command that fails raises Error, an OSError with its errno and a sentence; what is misspelt, or is no
command, raises UsageError, a ValueError. Machines are not for several threads at once.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Iterable, Optional, Tuple, Union

import _pgtsim
from _pgtsim import Error, UsageError, profiles

__all__ = ["Counters", "Error", "Machine", "UsageError", "Violation", "keys", "profiles"]

Option = Union[int, bool, str]


def keys() -> list[str]:
    """What Machine() takes beside `profile` and `ram`: keys and knobs, with underscores."""
    return [name.replace("-", "_") for name in _pgtsim.keys() if name not in ("profile", "ram", "iomem")]


@dataclass(frozen=True)
class Violation:
    """Something that the machine did and a kernel must not."""

    name: str  #: "stale-leaf"
    level: int
    va: int
    text: str  #: what happened
    meaning: str  #: what is wrong with it
    instead: str  #: what would be right

    def __str__(self) -> str:
        return f"{self.name} at {self.va:#x}: {self.text}; instead: {self.instead}"


class Counters(Mapping[str, int]):
    """The counters of a machine as they are now, by name and as attributes: tlbi_all is "tlbi.all"."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def __getitem__(self, name: str) -> int:
        return self._machine._counters()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._machine._counters())

    def __len__(self) -> int:
        return len(self._machine._counters())

    def __getattr__(self, name: str) -> int:
        for counter, value in (() if name.startswith("_") else self._machine._counters().items()):
            if counter.replace(".", "_") == name:
                return value
        raise AttributeError(f"there is no counter {name!r}; list(counters) has all names")

    def __dir__(self) -> Iterable[str]:
        return [*super().__dir__(), *(name.replace(".", "_") for name in self)]

    def reset(self) -> None:
        """Sets all to 0, those of tables now live aside."""
        self._machine.run("reset-stats")


def _word(value: Option) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    word = str(value) if isinstance(value, str) else str(operator.index(value))
    if not word or any(character.isspace() or character == "#" for character in word):
        raise UsageError(f"{word!r} is no value")
    return word


def _range(start: int, size: int) -> str:
    return f"{operator.index(start):#x}+{operator.index(size):#x}"


class Machine(_pgtsim.Machine):
    """One simulated machine. `ram` is a list of (start, end); other options are the keys of the
    scenario command `machine` and the knobs, with underscores: see keys()."""

    def __init__(self, profile: str = "latest", *, ram: Optional[Iterable[Tuple[int, int]]] = None,
                 **options: Option) -> None:
        words = ["machine", "profile=" + _word(profile)]
        words += ["ram=" + _range(start, end - start) for start, end in ram or ()]
        words += [f"{name.replace('_', '-')}={_word(value)}" for name, value in options.items()]
        super().__init__(" ".join(words))

    def __enter__(self) -> Machine:
        if self.closed:
            raise ValueError("the machine is closed")
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def counters(self) -> Counters:
        """The counters."""
        return Counters(self)

    @property
    def violations(self) -> list[Violation]:
        """Every violation so far."""
        return [Violation(*found) for found in self._violations()]

    def add(self, start: int, size: int, memmap_on_memory: bool = False) -> None:
        """Hot-adds memory, offline."""
        self.run(f"add {_range(start, size)}" + (" memmap-on-memory" if memmap_on_memory else ""))

    def online(self, start: int, size: int, movable: bool = False) -> None:
        """Onlines memory blocks."""
        self.run(f"online {_range(start, size)}" + (" zone=movable" if movable else ""))

    def offline(self, start: int, size: int) -> None:
        """Offlines memory blocks."""
        self.run(f"offline {_range(start, size)}")

    def remove(self, start: int, size: int) -> None:
        """Removes memory blocks that are offline."""
        self.run(f"remove {_range(start, size)}")

    def map(self, va: int, pa: int, size: int, blocks: Optional[bool] = None,
            cont: Optional[bool] = None) -> None:
        """Maps a range as hot-add does, by the largest leaves unless `blocks` or `cont` is False."""
        how = [f" {name}={_word(value)}" for name, value in (("blocks", blocks), ("cont", cont)) if value is not None]
        self.run(f"map {operator.index(va):#x} {operator.index(pa):#x} {operator.index(size):#x}" + "".join(how))

    def unmap(self, va: int, size: int) -> None:
        """Both passes: clears the leaves, then frees the tables that are empty."""
        self.run(f"unmap {operator.index(va):#x} {operator.index(size):#x}")

    def check(self) -> list[Violation]:
        """Verifies everything. Returns every violation so far."""
        self._check()
        return self.violations
