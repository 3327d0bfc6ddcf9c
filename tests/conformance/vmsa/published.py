# SPDX-License-Identifier: MIT
"""Tests that were published with the memory model, as sequences with their verdicts.

A row: the sequence with its access; what is asked: "old", may the former translation (or its
permissions) be used; "fault", may the access fault although the entry is valid; "twice", may a CPU
that accesses the page twice meanwhile get the new one and then the old one; the verdict without
FEAT_ETS2 and with it.
"""

import re

import answers
import herd
from sequence import Sequence

ROWS = (
    ("V 0 dsb leaf dsb isb ?", "old", "no", "no"),
    ("V 0 dsb.st leaf dsb isb ?", "old", "no", "no"),
    ("V 0 dsb.ld leaf dsb isb ?", "old", "yes", "yes"),
    ("V 0 dsb leaf dsb.st isb ?", "old", "yes", "yes"),
    ("V 0 dsb leaf dsb.ld isb ?", "old", "yes", "yes"),
    ("V 0 dsb isb ?", "old", "yes", "yes"),
    ("I B dsb leaf dsb 0 dsb ?", "old", "yes", "yes"),
    ("V 0 dsb all dsb /po dsb isb ?", "old", "no", "no"),
    ("V 0 dsb yleaf dsb /po dsb isb ?", "old", "yes", "yes"),
    ("V B dsb leaf dsb /po ?", "old", "yes", "yes"),
    ("V B dsb leaf dsb /po dsb ?", "old", "no", "no"),
    ("V B dsb leaf dsb / isb ?", "old", "no", "no"),
    ("V B dsb leaf dsb /addr ?", "old", "no", "no"),
    ("V B dsb leaf dsb /po dmb.ld ?", "old", "no", "no"),
    ("V B ?", "twice", "yes", "yes"),
    ("V 0 dsb leaf dsb B ?", "twice", "no", "no"),
    ("R A dsb isb ?", "old", "yes", "yes"),
    ("R A dsb leaf dsb isb ?", "old", "no", "no"),
    ("R A dsb leaf dsb /po dmb ?", "old", "no", "no"),
    ("I B ?", "fault", "yes", "no"),
    ("I B dmb ?", "fault", "yes", "no"),
    ("I B dsb ?", "fault", "yes", "no"),
    ("I B dsb leaf dsb ?", "fault", "yes", "no"),
    ("I B dsb.st isb ?", "fault", "no", "no"),
    ("I B dsb isb ?", "fault", "no", "no"),
    ("I B dsb.ld isb ?", "fault", "yes", "no"),
    ("I B dsb leaf dsb /po ?", "fault", "yes", "no"),
    ("I B dsb leaf dsb / ?", "fault", "yes", "no"),
    ("I B dsb leaf dsb / isb ?", "fault", "no", "no"),
    ("I B dsb leaf dsb /addr ?", "fault", "no", "no"),
    ("I B dsb leaf dsb /po dmb.ld ?", "fault", "no", "no"),
    ("I B dsb leaf dsb /acq ?", "fault", "no", "no"),
    ("I B dsb /po dsb isb ?", "fault", "no", "no"),
    ("I A dsb leaf dsb /po dmb ?", "fault", "no", "no"),
)
# Where herd7 7.58 says otherwise than was published: no fault, with and without ETS2. It orders the
# fault before whatever follows the DSB after the invalidate, however the reader goes on. A matter
# of the reader: of the writer nothing more can be asked.
DEPARTURES = ("I B dsb leaf dsb /po ?", "I B dsb leaf dsb / ?")
# These want break-before-make, whatever an access meets.
NEED_BREAK = ("V B",)


def writer_of(text):
    """The part of the CPU that changes the entry."""
    return re.sub(r" (/|\?).*", "", text)


def rows_for_the_checker():
    """(writer's part, question, may be met without ETS2, with): not where the reader matters."""
    for text, asks, *verdicts in ROWS:
        if asks == "twice" or ("/" in text and not text.endswith(answers.SYNCHRONISED)):
            continue
        question = "other" if "/" in text else "own"
        yield writer_of(text), question, *(verdict == "yes" for verdict in verdicts)


def herd_verdict(text, asks, outcome):
    """yes or no from herd7's outcomes of a row."""
    met, sequence = outcome[0], Sequence(text)
    if asks == "twice":
        old, new = answers.pages_in_order(sequence)
        return "yes" if (new, old) in met else "no"
    letter = answers.letter(sequence, met)
    return "yes" if letter in ("b", asks[0]) else "no"


def differing_rows():
    """Rows that herd7 sees otherwise, as text."""
    tests = {}
    for i, (text, asks, _, _) in enumerate(ROWS):
        sequence = Sequence(text.replace(" ?", "") if asks == "twice" else text)
        tests[f"r{i}"] = herd.Litmus(sequence, observer=asks == "twice")
    both = [herd.run(tests, False), herd.run(tests, True)]
    wrong = []
    for i, (text, asks, *verdicts) in enumerate(ROWS):
        said = [herd_verdict(text, asks, run[f"r{i}"]) for run in both]
        if said != (["no", "no"] if text in DEPARTURES else verdicts):
            wrong.append(f"{text}: {asks}: published {verdicts}, herd7 says {said}")
        needs_break = any(writer_of(text).startswith(start) for start in NEED_BREAK)
        if both[0][f"r{i}"][1] != needs_break:
            wrong.append(f"{text}: break-before-make is {'not ' * needs_break}asked for")
    return wrong
