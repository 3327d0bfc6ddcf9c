# SPDX-License-Identifier: MIT
"""Sequences as scenarios of the command, so that a verdict can be tried by hand."""

from sequence import HANDOVERS, STORES

BARRIER = {"dsb": "dsb-ish", "dsb.st": "dsb-ishst", "dsb.ld": "dsb-ishld", "dsb.nsh": "dsb-nsh",
           "dsb.osh": "dsb-osh", "dsb.sy": "dsb-sy", "dmb": "dmb-ish", "dmb.st": "dmb-ishst",
           "dmb.ld": "dmb-ishld", "isb": "isb"}
# Attributes of a page of the linear map; the read-only one has AP[2] for DBM.
PAGE = {"A": "0x00e8000040000707", "R": "0x00e0000040000787", "B": "0x00e8000048000707"}
Y_PAGE = {"0": "0", "B": "0x00e8000048001707"}
SETTLE = ("barrier dsb-ishst", "tlbi all", "barrier dsb-ish", "barrier isb")


def step(word, on_cpu):
    if word in STORES:
        if word[0] == "y":
            return f"poke pte linear+4K {Y_PAGE[word[1]]}"
        return f"poke pte linear+0 {PAGE.get(word, '0')}"
    if word in BARRIER:
        return f"barrier {BARRIER[word]}{on_cpu}"
    base, _, scope = word.partition(".")
    scope = f" {scope}" if scope else ""
    va = "linear+4K" if base == "yleaf" else "linear+0"
    what = {"all": "all", "walk": f"walk {va}", "range": f"range {va} 4K"}.get(base, f"leaf {va}")
    return f"tlbi {what}{scope}{on_cpu}"


def text(sequence, ets2):
    """The sequence as a scenario; flags and accesses have no counterpart in one."""
    lines = [f"machine granule=4K va=48 cpus=2 ets2={'on' if ets2 else 'off'}",
             "map linear+0 0x40000000 16K blocks=off cont=off"]
    if sequence.first == "I":
        lines.append("poke pte linear+0 0")
    lines += SETTLE
    if sequence.first == "R":
        lines += [f"poke pte linear+0 {PAGE['R']}", *SETTLE]
    cpu = 0
    for word in sequence.words:
        if word in HANDOVERS:
            cpu = 1 - cpu
        elif word != "?":
            lines.append(step(word, f" cpu={cpu}" if cpu else ""))
    return "\n".join(lines + ["check"]) + "\n"
