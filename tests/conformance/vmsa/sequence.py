# SPDX-License-Identifier: MIT
"""Short maintenance sequences on one or two ptes by one or two CPUs, as text.

A sequence is a line of words: what the entry of page x is at first, then steps in the order in
which they happen. The entry of page y is valid at first.

    first   V  valid, page A     R  page A, read-only     I  invalid
    store   0  invalid   A  page A   R  page A read-only   B  page B;   y0 yB  the same for y
    barrier dsb dsb.st dsb.ld dsb.nsh dsb.osh dsb.sy dmb dmb.st dmb.ld isb   (ISH if not said)
    TLBI    leaf walk range all     VAALE1IS VAAE1IS RVAALE1IS VMALLE1IS of x; yleaf: of y
            leaf.local …, leaf.os … the same for the own CPU alone, and Outer Shareable
    /       the other CPU goes on when it sees a flag that this one sets by a plain store
    ?       this CPU accesses x
"""

import random

FIRSTS = ("V", "R", "I")
STORES = {"0": "x", "A": "x", "B": "x", "R": "x", "y0": "y", "yB": "y"}
BARRIERS = ("dsb", "dsb.st", "dsb.ld", "dsb.nsh", "dsb.osh", "dsb.sy", "dmb", "dmb.st", "dmb.ld",
            "isb")
INVALIDATES = ("leaf", "walk", "range", "all", "yleaf")
SCOPES = ("", ".local", ".os")
# How the flag is read: then a branch; plainly; by a load-acquire; as an address of the access.
HANDOVERS = ("/", "/po", "/acq", "/addr")


class Sequence:
    """One sequence; `steps` are (cpu, word), without the handovers."""

    def __init__(self, text):
        words = text.split()
        if not words or words[0] not in FIRSTS:
            raise ValueError(f"{text}: begins with none of {' '.join(FIRSTS)}")
        self.first, self.words = words[0], words[1:]
        self.steps, cpu = [], 0
        for word in self.words:
            if not is_word(word):
                raise ValueError(f"{text}: no such step: {word}")
            if word in HANDOVERS:
                cpu = 1 - cpu
            else:
                self.steps.append((cpu, word))
        self.last_cpu = cpu

    def __str__(self):
        return " ".join([self.first] + self.words)

    def values(self):
        """What x holds, one after the other; at least the first one."""
        start = {"V": "A", "R": "R", "I": "0"}[self.first]
        return [start] + [w for w in self.words if STORES.get(w) == "x"]

    def asked_by(self, cpu):
        """The sequence with an access by this CPU, which synchronises if it did not come last."""
        sync = [] if self.last_cpu == cpu else ["/po", "dsb", "isb"]
        return Sequence(" ".join([str(self)] + sync + ["?"]))


def is_word(word):
    base, dot, scope = word.partition(".")
    if word in STORES or word in BARRIERS or word in HANDOVERS or word == "?":
        return True
    return base in INVALIDATES and dot + scope in SCOPES


def is_invalidate(word):
    return word.partition(".")[0] in INVALIDATES


# --- random sequences: what is right, with a few steps dropped, weakened, swapped ---------------

RIGHT = (
    "V 0 dsb.st leaf dsb isb",
    "V 0 dsb.st all dsb isb",
    "V 0 dsb.st leaf dsb B dsb.st isb",
    "V 0 dsb.st leaf dsb A dsb.st isb",
    "V 0 y0 dsb.st leaf yleaf dsb isb",
    "V R dsb.st leaf dsb isb",
    "R A dsb.st leaf dsb isb",
    "R 0 dsb.st leaf dsb A dsb.st isb",
    "I B dsb.st isb",
    "I B dsb.st isb 0 dsb.st leaf dsb isb",
    "I A dsb.st isb 0 dsb.st leaf dsb B dsb.st isb",
    "V 0 dsb.st / leaf dsb isb",
    "V 0 / dsb leaf dsb isb",
    "V 0 dsb.st leaf / dsb isb",
)
# Three times as rare: herd7 takes long for each flag.
RARE = (
    "V 0 dsb.st / leaf dsb / isb",
)
SEEDS = RIGHT * 3 + RARE

OTHER_BARRIER = {
    "dsb": ("dsb.st", "dsb.ld", "dsb.nsh", "dsb.osh", "dsb.sy", "dmb", "isb"),
    "dsb.st": ("dsb", "dsb.ld", "dsb.nsh", "dsb.osh", "dsb.sy", "dmb.st", "dmb", "dmb.ld", "isb"),
    "isb": ("dsb", "dmb"),
}
OTHER_INVALIDATE = ("leaf", "walk", "range", "all", "yleaf", "leaf.local", "all.local", "walk.os",
                    "leaf.os", "range.local")
INSERTED = ("dsb", "dsb.st", "isb", "leaf", "0", "A", "B", "y0")


def drop(rng, words):
    if len(words) > 1:
        del words[rng.randrange(len(words))]


def weaken(rng, words):
    at = [i for i, w in enumerate(words) if w in OTHER_BARRIER or is_invalidate(w)]
    if at:
        i = rng.choice(at)
        words[i] = rng.choice(OTHER_BARRIER.get(words[i], OTHER_INVALIDATE))


def swap(rng, words):
    if len(words) > 1:
        i = rng.randrange(len(words) - 1)
        words[i], words[i + 1] = words[i + 1], words[i]


def insert(rng, words):
    words.insert(rng.randrange(len(words) + 1), rng.choice(INSERTED))


MUTATIONS = (drop, drop, drop, weaken, weaken, weaken, swap, swap, insert)


def is_sensible(words):
    """The other CPU only invalidates and waits, and what x holds is asked by reads or writes."""
    cpu = 0
    if words.count("/") > 2:
        return False
    for i, word in enumerate(words):
        if word == "/":
            cpu = 1 - cpu
            if i and words[i - 1] == "/":
                return False
        elif cpu and word in STORES:
            return False
    stores = [w for w in words if STORES.get(w) == "x"]
    # More stores to one entry cost herd7 a factor each.
    return len(stores) <= 3 and not ("R" in stores and "B" in stores)


def random_sequence(rng):
    while True:
        first, *words = rng.choice(SEEDS).split()
        for _ in range(rng.choice((0, 1, 1, 1, 2, 2))):
            rng.choice(MUTATIONS)(rng, words)
        while words and words[-1] == "/":
            words.pop()
        if is_sensible(words) and not (first == "R" and "B" in words):
            return Sequence(" ".join([first] + words))


def random_sequences(count, seed):
    """`count` random ones; the same for the same seed. Many are equal to an earlier one."""
    rng = random.Random(seed)
    return [random_sequence(rng) for _ in range(count)]
