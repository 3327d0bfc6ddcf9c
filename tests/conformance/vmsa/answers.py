# SPDX-License-Identifier: MIT
"""What the model answers about a sequence, and the file that keeps its answers.

A line of the file: own, other, twice, BBM, then the sequence in herd7's words. `own` and `other`
have a letter for a CPU without FEAT_ETS2 and one for a CPU with it: what an access by CPU 0, and
by CPU 1, may meet that it should not:

    -  nothing              o  an old translation (or old permissions)
    f  a fault, although the entry is valid       b  both       .  not asked

`twice` says whether a CPU that accesses the page twice meanwhile may get the new page and then
the old one (y, n; . if not asked), BBM whether the model flags a missing break-before-make (b, -).
"""

import herd
from sequence import Sequence

LETTER = {(False, False): "-", (True, False): "o", (False, True): "f", (True, True): "b"}
QUESTIONS = ("own", "other", "twice")
SYNCHRONISED = "/po dsb isb ?"


def letter(sequence, outcomes):
    """The letter for what an access may meet after the sequence."""
    now = sequence.values()[-1]
    if herd.asked_by_writes(sequence):
        right = {"0": "translation", "A": "done", "R": "permission"}[now]
    else:
        right = {"0": "translation", "A": "A", "B": "B"}[now]
    met = {one for (one,) in outcomes}
    wrong = met - {right}
    fault = "translation" in wrong
    return LETTER[bool(wrong - {"translation"}), fault]


def pages_in_order(sequence):
    """Two pages of x, the older first; None unless each had it once and the second follows."""
    pages = []
    for value in sequence.values():
        if value != "0" and (not pages or pages[-1] != value):
            pages.append(value)
    return tuple(pages) if len(pages) == 2 and set(pages) == {"A", "B"} else None


def tests_of(text):
    """The litmus tests of a sequence: {question: Litmus}."""
    sequence = Sequence(text)
    tests = {"own": herd.Litmus(sequence.asked_by(0))}
    # With three flags herd7 takes a quarter of a minute.
    if text.count("/") < 2:
        tests["other"] = herd.Litmus(sequence.asked_by(1))
    if pages_in_order(sequence) and text.count("/") < 2:
        tests["twice"] = herd.Litmus(sequence, observer=True)
    return tests


def depends_on_ets2(litmus):
    """FEAT_ETS2 is about a CPU that accesses the page without having synchronised."""
    return not str(litmus.sequence).endswith(SYNCHRONISED)


def ask(texts, everything=False):
    """
    Asks herd7 about sequences: {text: answer}. What does not depend on FEAT_ETS2 is asked with it
    only if `everything` is true.
    """
    tests = {f"t{i}_{question}": litmus for i, text in enumerate(texts)
             for question, litmus in tests_of(text).items()}
    without = herd.run(tests, False)
    again = {n: t for n, t in tests.items() if everything or depends_on_ets2(t)}
    with_ets2 = {**without, **herd.run(again, True)}
    return {text: answer_of(i, Sequence(text), without, with_ets2)
            for i, text in enumerate(texts)}


def answer_of(i, sequence, without, with_ets2):
    fields = {question: ".." for question in QUESTIONS}
    for question in QUESTIONS:
        name = f"t{i}_{question}"
        if name not in without:
            continue
        both = [without[name][0], with_ets2[name][0]]
        if question == "twice":
            old, new = pages_in_order(sequence)
            fields[question] = "".join("y" if (new, old) in o else "n" for o in both)
        else:
            fields[question] = "".join(letter(sequence, o) for o in both)
    flag = "b" if without[f"t{i}_own"][1] else "-"
    return " ".join([fields["own"], fields["other"], fields["twice"], flag])


def read(path):
    """The kept answers: {sequence in herd7's words: answer}."""
    kept = {}
    for line in path.read_text().splitlines():
        if line and not line.startswith("#"):
            own, other, twice, flag, *words = line.split()
            kept[" ".join(words)] = f"{own} {other} {twice} {flag}"
    return kept


def write(path, kept):
    head = ("# What herd7 7.58 (variant vmsa) says of these sequences:\n"
            "# own, other, twice, BBM, sequence: see tests/conformance/vmsa/answers.py.\n")
    path.write_text(head + "".join(f"{answer} {text}\n" for text, answer in sorted(kept.items())))
