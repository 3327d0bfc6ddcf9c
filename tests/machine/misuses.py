#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""misuses.py INCLUDE: writes C that misuses every public function of the headers, for misuses.c.

Each pointer of each function is NULL in turn, the others valid; each enum and level is out of range in
turn, and each number is the largest there is. No call may crash, and one that returns an errno returns
a negative one where a pointer or an enum is wrong. Nobody lists the functions: a new one is misused from
the day it is declared, and the test `symbols` holds what the library exports against what is misused.
What may be NULL is what its header says may be.

misuses.py INCLUDE --functions: writes their names.
"""
import re
import sys
from pathlib import Path

# Valid arguments by type.
VALUES = {
    "struct pgtsim_machine *": "m", "struct pgtsim_machine **": "&gone", "struct pgtsim_tlb *": "&m->tlb",
    "struct pgtsim_pgtable *": "&m->pgt", "struct pgtsim_hotplug *": "&m->hotplug",
    "struct pgtsim_vmemmap *": "&m->vmemmap", "struct pgtsim_memory *": "m->memory",
    "struct pgtsim_geometry *": "&m->geo", "struct pgtsim_layout *": "&m->layout",
    "struct pgtsim_policy *": "&m->policy", "struct pgtsim_cpus *": "cpus",
    "struct pgtsim_judge *": "judge", "struct pgtsim_table *": "m->pgt.root",
    "struct pgtsim_run *": "&run", "struct pgtsim_printer *": "&printer", "const char *": '"word"',
    "struct pgtsim_visitor *": "&visitor", "struct pgtsim_actor *": None,
    "struct pgtsim_table_ops": "m->pgt.ops", "struct pgtsim_explore_config *": "&explore_config",
    "struct pgtsim_gather *": "&gather", "struct pgtsim_trace *": "&trace", "void *": "scratch",
    "struct pgtsim_hotplug_config *": "&m->hotplug.config",
    "struct pgtsim_notifier *": "&notifier", "struct pgtsim_machine_config *": "&config",
    "struct pgtsim_observer *": "&observer", "struct pgtsim_altmap *": "&altmap",
    "struct pgtsim_table **": "&list", "struct pgtsim_table ***": "&tail",
}
# What may be NULL where the rest is given, as the header says: no error.
MAY_BE_NULL = {"pgtsim_run_free"}
# Numbers that are too large, or just beyond what there is.
NUMBERS = {"int": ["INT_MIN", "INT_MAX", "-2", "4", "100"], "unsigned": ["UINT_MAX", "64"],
           "uint64_t": ["UINT64_MAX", "(UINT64_C(1) << 63)"], "uint32_t": ["UINT32_MAX"],
           "uint8_t": ["UINT8_MAX"], "size_t": ["SIZE_MAX"]}
# A size says how much of a buffer of the caller's may be used: no library can know better.
TRUSTED = {"size_t"}


def functions(include):
    for header in sorted(Path(include, "pgtsim").glob("*.h")):
        text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.DOTALL)
        text = re.sub(r"\n#ifdef __GNUC__\s*__attribute__[^\n]*\n#endif", "", text)
        for found in re.finditer(r"^PGTSIM_API\s+([^;]*?)\b(pgtsim_\w+)\(([^;]*)\)\s*;", text,
                                 re.MULTILINE):
            yield (found[1].strip(), found[2],
                   [" ".join(p.split()) for p in split(found[3]) if p.strip() != "void"])


def split(text):
    depth, word, words = 0, "", []
    for c in text:
        depth += (c == "(") - (c == ")")
        if c == "," and not depth:
            words.append(word)
            word = ""
        else:
            word += c
    return words + [word]


def type_of(parameter):
    return "function" if "(" in parameter else re.sub(r"\b\w+$", "", parameter).strip()


def plain(kind):
    return kind if kind == "const char *" else kind.replace("const ", "")


def value(kind, scalar):
    kind = plain(kind)
    if kind in VALUES:
        return VALUES[kind]
    if kind == "function":
        return "NULL"
    if kind.endswith("*"):
        return f"({kind})scratch"
    return scalar


def wrong_values(kind):
    """What a parameter of that type must not be, and whether the call must then fail."""
    if kind.endswith("*") or kind == "function":
        return [("NULL", True)]
    if kind.startswith("enum"):
        return [(f"({kind})9999", True)]
    if kind in TRUSTED:
        return []
    return [(number, False) for number in NUMBERS.get(kind, [])]


def calls():
    for result, name, parameters in functions(sys.argv[1]):
        kinds = [type_of(p) for p in parameters if p != "..."]
        yield name, f"{name}({', '.join(value(k, '0') or 'NULL' for k in kinds)})", False, result
        for i, scalar in ((i, s) for i in range(len(kinds)) for s in "01"):
            values = [value(k, scalar) for k in kinds]
            for wrong, fails in wrong_values(kinds[i]):
                arguments = [wrong if j == i else v for j, v in enumerate(values)]
                # An actor is there only while schedules are explored.
                arguments = [a or "NULL" for a in arguments]
                fails = fails and result == "int" and name not in MAY_BE_NULL
                yield name, f"{name}({', '.join(arguments)})", fails, result


def main():
    if "--functions" in sys.argv:
        print("\n".join(sorted({name for name, _, _, _ in calls()})))
        return
    rows = list(calls())
    for number, (_, call, _, result) in enumerate(rows):
        print(f"static void call_{number}(void)\n{{")
        print(f"\tresult = {call};" if result == "int" else f"\t(void){call};")
        print("}\n")
    print("static const struct misuse misuses[] = {")
    for number, (_, call, fails, _) in enumerate(rows):
        text = call.replace('"', "'")
        print(f'\t{{ call_{number}, "{text}", {str(fails).lower()} }},')
    print("};")


main()
