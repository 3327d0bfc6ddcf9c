# SPDX-License-Identifier: MIT
"""Finds functions, macros and types in the text of a kernel source, for extract.py."""
import re
from pathlib import Path

from names import FOLDED

# Behind these functions: from here on whoever calls one says so first.
BEHIND = {
    "unmap_hotplug_range": "#undef unmap_hotplug_range\n"
                           "#define unmap_hotplug_range(start, end, ...) "
                           "(kc_pass(1, start, end), KC_LOCAL(unmap_hotplug_range)(start, end, __VA_ARGS__))\n",
    "free_empty_tables": "#undef free_empty_tables\n"
                         "#define free_empty_tables(start, end, ...) "
                         "(kc_pass(2, start, end), KC_LOCAL(free_empty_tables)(start, end, __VA_ARGS__))\n",
}


class Damaged(Exception):
    """A tree that cannot be taken apart."""


def find_macro_span(text, name):
    found = re.search(rf"^#\s*define\s+{name}\b(?:.*\\\n)*.*\n", text, re.M)
    return found.span() if found else None


def find_function_span(text, name):
    """The definition: from the first line of its declaration to the brace in column 0."""
    for found in re.finditer(rf"^(?:[A-Za-z_][^\n;{{}}]*)?\b{name}\(", text, re.M):
        body = re.compile(r"[;{]").search(text, found.end())
        if not body or body.group(0) == ";":
            continue
        start = found.start()
        before = text[:start].rstrip("\n").rpartition("\n")[2]
        if text[start - 2:start] != "\n\n" and re.match(r"[A-Za-z_][\w\s*]*$", before):
            start -= len(before) + 1
        end = text.find("\n}", found.end())
        if end < 0:
            raise Damaged(f"{name}() has no end: no line begins with its closing brace")
        return start, text.index("\n", end + 1) + 1 if "\n" in text[end + 1:] else len(text)
    found = re.search(rf"^\w[^\n{{}}]*\b{name}\([^\n]*\{{[^\n]*\}}\n", text, re.M)
    return found.span() if found else None


def find_function(text, name):
    span = find_function_span(text, name)
    return text[slice(*span)] if span else None


def find_choice_span(text, name):
    """Several definitions in one #if … #else … #endif, and nothing else there: all of that."""
    first = find_function_span(text, name)
    second = find_function_span(text[first[1]:], name) if first else None
    if not second:
        return None
    start, end = text.rfind("\n#if", 0, first[0]) + 1, text.find("\n#endif", first[1] + second[1] - 1)
    between = text[first[1]:first[1] + second[0]]
    if not start or end < 0 or "\n}" in text[start:first[0]] or "\n}" in between or "\n#else" not in "\n" + between:
        return None
    return start, text.index("\n", end + 1) + 1


def find_variable_span(text, name):
    """A variable that is defined with an initializer of several lines."""
    found = re.search(rf"^(?:static |const |struct )+\w+ {name} = \{{.*?^\}};\n", text, re.M | re.S)
    return found.span() if found else None


def find(files, paths, name):
    """The item of that name, with a line that says where it is; None if no file has it."""
    for look in (find_choice_span, find_function_span, find_macro_span, find_variable_span):
        for path in paths:
            span = look(files[path], name) if path in files else None
            if span:
                line = files[path].count("\n", 0, span[0]) + 1
                return f'#line {line} "{path}"\n' + files[path][slice(*span)]
    return None


def pick(files, paths, names, guarded=False):
    out = []
    for name in names:
        item = find(files, [paths] if isinstance(paths, str) else paths, name)
        if item and guarded:
            item = f"#ifndef {name}\n{item}#endif\n"
        if item:
            out.append(item + BEHIND.get(name, ""))
    return "\n".join(out)


def header(files, name):
    """A whole header: the folded levels where it includes them, no other #include."""
    def include(line):
        folded = Path(line.group(1)).name
        if folded not in FOLDED:
            return ""
        line = files[name].count("\n", 0, line.start()) + 1
        return header(files, "include/asm-generic/" + folded) + f'\n#line {line + 1} "{name}"'
    if name not in files:
        return ""
    return f'#line 1 "{name}"\n' + re.sub(r"^#\s*include\s*[<\"]([^>\"]*)[>\"].*$", include, files[name],
                                         flags=re.M)


def local_names(functions):
    """Gives each function that is not static a name of its own in every kernel."""
    names = re.findall(r"^(?!static\b|#)[A-Za-z_][^\n(]*?\b(\w+)\([^;{]*\n\{", functions, re.M)
    names += BEHIND
    return "".join(f"#define {name} KC_LOCAL({name})\n" for name in names)


def declared(text, kind, name):
    found = re.search(rf"^{kind} {name} \{{.*?^\}};\n", text, re.M | re.S)
    return found.group(0) if found else ""


def enumeration(text, name):
    return declared(text, "enum", name)


def structure(text, name):
    return declared(text, "struct", name)


def visible(functions):
    """
    Entries that functions load without READ_ONCE() are steps, too. If they were not, explore would leave out
    orders that matter.
    """
    entry = r"((?:pgd|p4d|pud|pmd|pte)p?)"
    functions = re.sub(rf"\b((?:pgd|p4d|pud|pmd|pte)_\w+)\(\*{entry}\)", r"\1(*KC_SEEN(\2))", functions)
    return re.sub(rf"= \*{entry};", r"= *KC_SEEN(\1);", functions)


def prototypes(functions):
    """A declaration of each function in this text, for what calls one before it is defined."""
    found = re.findall(r"^((?:[a-z][\w *]*\n)?[A-Za-z_][^\n;{}#]*\([^;{}]*\))\n\{", functions, re.M)
    return "".join(head + ";\n" for head in found)
