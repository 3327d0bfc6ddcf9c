#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vmsa.py JUDGE ANSWERS            compares the checker with the model
vmsa.py --update JUDGE ANSWERS   asks herd7 about sequences of which no answer is kept
vmsa.py --live N JUDGE ANSWERS   asks herd7 about all published tests, and again about N random
                                 sequences (77: it is not installed)
vmsa.py --show SEQUENCE          prints it as a scenario and as litmus tests

Random maintenance sequences are given to the checker (JUDGE, built from judge.c) and compared with
what Arm's own memory model says of them: ANSWERS are kept, see answers.py. The model must allow
nothing that the checker is silent about. README.md says what else must agree.
"""

import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

sys.dont_write_bytecode = True  # nothing beside the sources

import answers  # noqa: E402
import herd  # noqa: E402
import published  # noqa: E402
import scenario  # noqa: E402
from sequence import STORES, Sequence, is_invalidate, random_sequences  # noqa: E402

COUNT, SEED = 20000, 1
ENOUGH = COUNT  # of them must have an answer that is kept
def verdicts(judge, sequences):
    """What the checker says: {(ets2, question, sequence): names}, for all questions at once."""
    asked = [(ets2, question, text) for ets2 in (0, 1) for text in sequences
             for question in ("own", "other")]
    lines = [f"{ets2} {asked_by(text, question)}\n" for ets2, question, text in asked]
    run = subprocess.run([judge], input="".join(lines), check=True, stdout=subprocess.PIPE,
                         encoding="utf-8")
    return dict(zip(asked, (line.split() for line in run.stdout.splitlines())))


def asked_by(text, question):
    """The sequence with the barriers of the CPU that asks, if it did not come last."""
    asked = Sequence(text).asked_by(1 if question == "other" else 0)
    return " ".join([asked.first] + [w for w in asked.words if w != "?"])


def is_between_invalidate_and_make(sequence):
    """The checker may ask for a DSB between an invalidate and the store of a new page."""
    waited, found = True, False
    for _, word in sequence.steps:
        if is_invalidate(word):
            waited = False
        elif word in ("dsb", "dsb.osh", "dsb.sy"):
            waited = True
        elif word in ("A", "B", "R") and not waited:
            found = True
    return found


def stricter_kind(text, names):
    """Why the checker may report something although the model allows nothing; "" if it may not."""
    sequence = Sequence(text)
    if is_between_invalidate_and_make(sequence):
        return "asks for a DSB between invalidate and make"
    # The own CPU's question has its DSB and ISB.
    if names["own"][0] == "clean" and sequence.last_cpu == 1:
        return "asks for the ISB of the CPU that did it"
    # A DMB and a flag order a store before the other CPU's invalidate; the checker knows no flags.
    if is_ordered_by_dmb_and_flag(sequence):
        return "asks for a DSB where a DMB and a flag would do"
    return ""


def is_ordered_by_dmb_and_flag(sequence):
    """After the last store a DMB that orders stores, no DSB, and then the other CPU's turn."""
    before = str(sequence).partition(" / ")[0].split()
    after_store = before[max(i for i, w in enumerate(before) if w in STORES or i == 0):]
    return ("/" in sequence.words and bool({"dmb", "dmb.st"} & set(after_store))
            and not {"dsb", "dsb.st", "dsb.osh", "dsb.sy"} & set(after_store))


def judge_one(text, names, answer, ets2):
    """What is wrong with the two verdicts on one sequence: "missed", "stricter" or ""."""
    own, other, twice, flag = answer.split()
    allowed = {"own": own[ets2], "other": other[ets2]}
    clean = {question: names[question][0] == "clean" for question in names}
    if any(clean[question] and allowed[question] in "ofb" for question in names):
        return "missed"
    if all(clean.values()):
        return "missed" if flag == "b" else ""
    if any(letter in "ofb." for letter in allowed.values()) or flag == "b" or twice[ets2] == "y":
        return ""
    return stricter_kind(text, names) or "stricter"


def compare(judge, kept):
    """Random sequences, then the published ones; returns the exit status."""
    sequences = [str(s) for s in random_sequences(COUNT, SEED)]
    sequences = [s for s in sequences if herd.normal(s) in kept]
    if len(sequences) < ENOUGH:
        sys.exit(f"answers are kept for {len(sequences)} of {COUNT} sequences only: --update")
    said = verdicts(judge, list(dict.fromkeys(sequences)))
    tally, wrong = Counter(), {}
    for text in sequences:
        answer = kept[herd.normal(text)]
        for ets2 in (0, 1):
            names = {question: said[ets2, question, text] for question in ("own", "other")}
            what = judge_one(text, names, answer, ets2)
            tally[what or "agree"] += 1
            if what in ("missed", "stricter"):
                wrong[what, text, ets2] = (answer, names)
    print_wrong(wrong)
    print(f"{len(sequences)} of {COUNT} sequences ({len(set(sequences))} distinct), own CPU and another, without and "
          "with ETS2: " + ", ".join(f"{n} {what}" for what, n in sorted(tally.items())))
    return 1 if compare_published(judge) or wrong else 0


def print_wrong(wrong):
    """The shortest ones."""
    for (what, text, ets2), (answer, names) in sorted(
            wrong.items(), key=lambda w: (w[0][0], len(w[0][1].split()), w[0]))[:20]:
        said = "; ".join(f"{question}: {' '.join(n)}" for question, n in names.items())
        print(f"{what}, ets2={ets2}: {text}\n    model: {answer}; checker: {said}")


def compare_published(judge):
    """How many published tests allow something that the checker is silent about."""
    rows = list(published.rows_for_the_checker())
    said = verdicts(judge, [text for text, *_ in rows])
    wrong = 0
    for text, question, *allowed in rows:
        for ets2 in (0, 1):
            if allowed[ets2] and said[ets2, question, text][0] == "clean":
                print(f"missed, published, ets2={ets2}: {text}")
                wrong += 1
    print(f"{len(rows)} published tests whose verdict is the writer's matter: {wrong} missed")
    return wrong


def update(path):
    kept = answers.read(path) if path.exists() else {}
    wanted = {herd.normal(str(s)) for s in random_sequences(COUNT, SEED)}
    kept = {text: answer for text, answer in kept.items() if text in wanted}
    missing = sorted(wanted - set(kept))
    for i in range(0, len(missing), 50):
        kept.update(answers.ask(missing[i:i + 50]))
        answers.write(path, kept)
        print(f"{i + len(missing[i:i + 50])} of {len(missing)}", flush=True)
    answers.write(path, kept)
    return 0


def live(count, kept):
    """Holds the published tests and some of the random sequences, as they are, to herd7."""
    if not herd.command():
        print("herd7 is not installed, and HERD7 names none")
        return 77
    wrong = published.differing_rows()
    known = {str(s) for s in random_sequences(COUNT, SEED) if herd.normal(str(s)) in kept}
    texts = random.Random().sample(sorted(known), count)
    for text, answer in answers.ask(texts, everything=True).items():
        if answer != kept[herd.normal(text)]:
            wrong.append(f"{text}: kept {kept[herd.normal(text)]}, herd7 says {answer}")
    print("\n".join(wrong + [f"{len(published.ROWS)} published tests and {count} random sequences "
                             f"asked: {len(wrong)} differ"]))
    return 1 if wrong else 0


def show(text):
    print(scenario.text(Sequence(text), False))
    for question, litmus in answers.tests_of(text).items():
        print(litmus.text(question))
    return 0


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "--show":
        return show(arguments[1])
    if len(arguments) == 2:
        return compare(arguments[0], answers.read(Path(arguments[1])))
    if len(arguments) == 3 and arguments[0] == "--update":
        return update(Path(arguments[2]))
    if len(arguments) == 4 and arguments[0] == "--live":
        return live(int(arguments[1]), answers.read(Path(arguments[3])))
    sys.exit(__doc__)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
