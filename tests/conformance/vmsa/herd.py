# SPDX-License-Identifier: MIT
"""Sequences as litmus tests, and what Arm's executable memory model, herd7, says of them.

herd7 knows the last level of a translation, Inner Shareable and local invalidates by VA, and
barriers of the Inner Shareable domain. So OSH and SY are written as ISH, Outer Shareable
invalidates as Inner Shareable ones, and ranges as VAALE1 of the page. DSB NSH it knows and
lets order nothing.
"""

import os
import re
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from sequence import HANDOVERS, STORES, Sequence

BARRIER = {
    "dsb": "DSB ISH", "dsb.st": "DSB ISHST", "dsb.ld": "DSB ISHLD", "dsb.nsh": "DSB NSH",
    "dsb.osh": "DSB ISH", "dsb.sy": "DSB ISH",
    "dmb": "DMB ISH", "dmb.st": "DMB ISHST", "dmb.ld": "DMB ISHLD", "isb": "ISB",
}
SAME_TO_HERD = {"dsb.osh": "dsb", "dsb.sy": "dsb"}
# Registers of every thread: what they hold at first.
INIT = {
    "X1": "PTE(x)", "X2": "x", "X11": "PTE(y)", "X12": "y",
    "X4": "(oa:PA(x),valid:0)", "X5": "(oa:PA(x))", "X6": "(oa:PA(z))",
    "X7": "(oa:PA(x),db:0)", "X14": "(oa:PA(y),valid:0)", "X16": "(oa:PA(z))",
    "X20": "1",
}
STORE_REGISTER = {"0": "X4", "A": "X5", "B": "X6", "R": "X7", "y0": "X14", "yB": "X16"}
FIRST = {"V": "(oa:PA(x))", "R": "(oa:PA(x),db:0)", "I": "(oa:PA(x),valid:0)"}
FAULTS = ("Translation", "Permission")


def normal(text):
    """A sequence that herd7 answers alike, in fewer words: a key of kept answers.

    What concerns page y says nothing about x, and a barrier twice is one. `vmsa.py --live` asks
    about sequences as they are, and so holds this to what herd7 says.
    """
    out = []
    for word in text.split():
        base, _, scope = word.partition(".")
        if base in ("yleaf", "y0", "yB"):
            continue
        if base in ("walk", "range", "leaf", "all"):
            word = "leaf" + (".local" if scope == "local" else "")
        word = SAME_TO_HERD.get(word, word)
        if not (out and out[-1] == word and word in BARRIER):
            out.append(word)
    return " ".join(out)


def asked_by_writes(sequence):
    """Permissions are asked by a write, pages by a read of what they hold."""
    return "R" in sequence.values()


class Litmus:
    """One sequence, an access included, as a litmus test."""

    def __init__(self, sequence, observer=False):
        self.sequence = sequence
        self.writes = asked_by_writes(sequence)
        self.threads = [["LSR X3,X2,#12", "LSR X13,X12,#12"], ["LSR X3,X2,#12", "LSR X13,X12,#12"]]
        self.flags, self.seen, self.registers = 0, [], []
        self.fault_labels = []
        cpu, address = 0, "[X2]"
        for word in sequence.words:
            if word in HANDOVERS:
                cpu = 1 - cpu
                address = "[X2]"
                if self.hand_over(cpu, word):
                    address = "[X2,W29,SXTW]"
            elif word == "?":
                self.access(cpu, address)
            else:
                self.threads[cpu].append(self.step(word))
        if observer:
            self.threads.append([])
            self.access(2, "[X2]")
            self.access(2, "[X2]")

    def step(self, word):
        if word in STORES:
            page = "X11" if STORES[word] == "y" else "X1"
            return f"STR {STORE_REGISTER[word]},[{page}]"
        if word in BARRIER:
            return BARRIER[word]
        base, _, scope = word.partition(".")
        suffix = "" if scope == "local" else "IS"
        if base == "all":
            return f"TLBI VMALLE1{suffix}"
        kind = "VAAE1" if base == "walk" else "VAALE1"
        return f"TLBI {kind}{suffix},{'X13' if base == 'yleaf' else 'X3'}"

    def hand_over(self, cpu, how):
        """A flag of its own for each: set here, read by `cpu`. True if its address depends."""
        flag, register = f"f{self.flags}", f"X{21 + self.flags}"
        pointer = f"X{24 + self.flags}"
        self.flags += 1
        self.registers += [(1 - cpu, pointer, flag), (cpu, pointer, flag)]
        self.threads[1 - cpu].append(f"STR W20,[{pointer}]")
        load = "LDAR" if how == "/acq" else "LDR"
        self.threads[cpu].append(f"{load} W{register[1:]},[{pointer}]")
        self.seen.append((cpu, register))
        if how == "/":
            self.threads[cpu].append(f"CBZ W{register[1:]},END{cpu}")
        if how == "/addr":
            self.threads[cpu].append(f"EOR W29,W{register[1:]},W{register[1:]}")
        return how == "/addr"

    def access(self, cpu, address):
        n = len(self.fault_labels)
        label, register = f"L{n}", ("X8", "X9")[n]
        op = "STR W20" if self.writes else f"LDR W{register[1:]}"
        self.threads[cpu] += [label + ":", f"{op},{address}"]
        self.fault_labels.append((cpu, label, register))

    def text(self, name):
        threads = [list(t) for t in self.threads]
        if not any(t for t in threads[1][2:]) and len(threads) == 2:
            threads.pop()
        elif len(threads) > 2 and not threads[1][2:]:
            threads[1] = ["NOP"]
        lines = [f"AArch64 {name}", "Variant=vmsa,fatal", "{",
                 "int x=1; int z=2; int y=3;", f"[PTE(x)]={FIRST[self.sequence.first]};"]
        for cpu in range(len(threads)):
            body = "\n".join(threads[cpu])
            for register, value in INIT.items():
                if re.search(rf"\b[XW]{register[1:]}\b", body):
                    kind = "pteval_t " if value.startswith("(") else ""
                    lines.append(f"{kind}{cpu}:{register}={value};")
            if f"END{cpu}" in body:
                threads[cpu].append(f"END{cpu}:")
        lines += [f"{cpu}:{register}={flag};" for cpu, register, flag in self.registers]
        lines.append("}")
        height = max(map(len, threads))
        for row in [[f"P{i}" for i in range(len(threads))]] + [
                [t[i] if i < len(t) else "" for t in threads] for i in range(height)]:
            lines.append(" " + " | ".join(row) + " ;")
        shown = [f"{cpu}:{register};" for cpu, register in self.seen]
        for cpu, label, register in self.fault_labels:
            shown += [f"{cpu}:{register};"] + [f"fault(P{cpu}:{label},x,MMU:{f});" for f in FAULTS]
        lines += ["locations [" + " ".join(shown) + "]", "forall (true)"]
        return "\n".join(lines) + "\n"

    def outcomes(self, states):
        """What each access may meet: a set of tuples of "A", "B", "translation", "permission" …"""
        found = set()
        for state in states:
            if any(not re.search(rf"\b{cpu}:{r}=1;", state) for cpu, r in self.seen):
                continue
            met = []
            for cpu, label, register in self.fault_labels:
                fault = re.search(rf"(?<!~)Fault\(P{cpu}:{label},x,MMU:(\w+)\)", state)
                if fault:
                    met.append(fault.group(1).lower())
                elif self.writes:
                    met.append("done")
                else:
                    value = re.search(rf"\b{cpu}:{register}=(\d+);", state).group(1)
                    met.append({"1": "A", "2": "B", "0": "none"}[value])
            found.add(tuple(met))
        return found


# --- herd7 -------------------------------------------------------------------------------------

def command():
    """How herd7 is called: the words of $HERD7, or herd7 from the path; None without it."""
    words = shlex.split(os.environ.get("HERD7", "herd7"))
    return words if shutil.which(words[0]) else None


def run(tests, ets2):
    """What herd7 says of litmus tests, {name: Litmus}: {name: (outcomes, needs BBM)}."""
    variant = ["-variant", "ETS2"] if ets2 else []
    answers = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, litmus in tests.items():
            (Path(folder) / f"{name}.litmus").write_text(litmus.text(name))
        files = [str(Path(folder) / f"{name}.litmus") for name in tests]
        for i in range(0, len(files), 500):
            result = subprocess.run(command() + variant + files[i:i + 500], check=True,
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                    encoding="utf-8")
            if "Warning" in result.stdout:
                raise RuntimeError(result.stdout[result.stdout.index("Warning"):][:500])
            for block in re.split(r"^Test ", result.stdout, flags=re.MULTILINE)[1:]:
                name = block.split()[0]
                states = re.search(r"^States \d+\n((?:.*\n)*?)(?:Ok|No)\n", block, re.MULTILINE)
                answers[name] = (tests[name].outcomes(states.group(1).splitlines()),
                                 "Flag requires-BBM" in block)
    missing = set(tests) - set(answers)
    if missing:
        raise RuntimeError(f"herd7 said nothing of {sorted(missing)[:3]}")
    return answers
