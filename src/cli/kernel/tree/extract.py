#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Takes the page-table code of arm64 out of a Linux source for a build on the host.

    extract.py --release SOURCE     prints the release ("6.1"), or nothing
    extract.py SOURCE OUTPUT        writes one file for kernel.c to include

SOURCE is an unpacked kernel or a tarball of one. Whole headers are taken, without their
#include lines, and single functions and macros by name. What the output has is the kernel's,
word for word; it stays in the build directory.
"""
import lzma
import re
import sys
import tarfile
import zlib
from pathlib import Path

sys.dont_write_bytecode = True

from names import *  # noqa: E402, F403
from pieces import *  # noqa: E402, F403

SUPPORTED = (6, 1), (7, 3)

# What an engine does, by which function, and the commands that need it.
OPERATIONS = {
    "MAP": ("__create_pgd_mapping", MMU_C, "map, add"),
    "UNMAP": ("unmap_hotplug_range", MMU_C, "unmap, remove"),
    "FREE_TABLES": ("free_empty_tables", MMU_C, "free-tables, remove"),
    "POPULATE": ("vmemmap_populate", MMU_C, "vmemmap-populate, add"),
    "FREE_MEMMAP": ("vmemmap_free", MMU_C, "vmemmap-free, remove"),
}

def lacking(files):
    """Rows as those of OPERATIONS for all that this tree cannot do."""
    rows = list(missing(files).values())
    gone = live_missing(files)
    if gone:
        path = dict(live_wanted(files))[gone[0]]
        return rows + [(gone[0], path, "protect, split, vmap, vunmap")]
    rows += [("memory_block_offline", BLOCK_C, "online and offline by its own code")] if not offlines(files) else []
    rows += [("ptdump_walk_pgd", PTDUMP_C, "ptdump by its own code")] if not dumps(files) else []
    rows += [("split_kernel_leaf_mapping", MMU_C, "split")] if not splits(files) else []
    rows += [("vmap_range_noflush", VMALLOC_C, "vmap")] if not vmaps(files) else []
    return rows + ([("vunmap_range", VMALLOC_C, "vunmap")] if not vunmaps(files) else [])


# The end of what an engine is built without.
SECTIONS_END = "#endif /* !KC_ENGINE */"


# What reading a source may raise.
UNREADABLE = (OSError, EOFError, UnicodeDecodeError, tarfile.TarError, lzma.LZMAError, zlib.error)


def read_archive(source, wanted):
    found = {}
    with tarfile.open(source, "r|*") as tar:
        for member in tar:
            name = member.name.partition("/")[2]
            if name in wanted and member.isfile():
                found[name] = tar.extractfile(member).read().decode()
            if len(found) == len(wanted):
                break
    return found


def read_files(source, wanted=FILES):
    """The wanted files that there are, by name."""
    path = Path(source)
    if not path.is_dir():
        return read_archive(source, wanted)
    return {name: (path / name).read_text() for name in wanted
            if (path / name).is_file() or (path / name).is_dir()}


def version(makefile):
    numbers = dict(re.findall(r"^(VERSION|PATCHLEVEL|SUBLEVEL) = (\d+)$", makefile, re.M))
    return [numbers.get(key, "0") for key in ("VERSION", "PATCHLEVEL", "SUBLEVEL")]


def release(source):
    """Major and minor, by the file name if that says it."""
    path = Path(source)
    named = re.search(r"linux(?:-source)?-(\d+\.\d+)", path.name)
    if named:
        return named.group(1)
    makefile = path / "Makefile"
    return ".".join(version(makefile.read_text())[:2]) if makefile.exists() else ""


def missing(files):
    """The rows of OPERATIONS whose function the tree lacks."""
    return {name: row for name, row in OPERATIONS.items() if not find_function(files[row[1]], row[0])}


def unusable(files):
    """What is taken and cannot be done without, in words; None if all is there."""
    if len(missing(files)) < len(OPERATIONS) and not structure(files["include/linux/memremap.h"],
                                                               "vmem_altmap"):
        return "include/linux/memremap.h has no struct vmem_altmap"
    return None


def unreadable(source, why):
    return f"{source} cannot be read: {why}"


def refusal(source):
    """Why this source can't be compiled here, in a sentence; None if nothing speaks against it."""
    if not Path(source).exists():
        return f"there is no {source}"
    try:
        return refusal_of_release(source) or refusal_of_files(source)
    except UNREADABLE as e:
        return unreadable(source, e)


def refusal_of_release(source):
    number = release(source)
    if not number:
        return f"{source} is no Linux source: its Makefile names no version"
    oldest, newest = SUPPORTED
    if not oldest <= tuple(int(part) for part in number.split(".")) <= newest:
        return (f"{source} is Linux {number}; this suite compiles "
                f"{'.'.join(map(str, oldest))} to {'.'.join(map(str, newest))}")
    return None


def refusal_of_files(source):
    """Of a folder all is looked at; of an archive, which takes seconds to unpack, how it begins."""
    if not Path(source).is_dir():
        with tarfile.open(source, "r|*"):
            return None
    return refusal_of_content(source, read_files(source))


def refusal_of_content(source, files):
    if lacks(files):
        return f"{source} lacks {lacks(files)[0]}"
    for function, file, _ in missing(files).values():
        return f"{source} has no function {function}() in {file}"
    return f"{source} cannot be compiled: {unusable(files)}" if unusable(files) else None


def lacks(files):
    """The files that every release has, and this one does not."""
    return [name for name in FILES if name not in files and name not in LATER]


def memory_types(files):
    """The order of MAIR_EL1, and whether hot-added memory is tagged: a value of the knob."""
    found = re.search(r"^#define MT_DEVICE_nGnRE\s+(\d)", files[ASM + "memory.h"], re.M)
    if not found:
        raise Damaged(f"{ASM}memory.h does not define MT_DEVICE_nGnRE")
    device = found.group(1)
    tagged = "define pgprot_mhp" in files[ASM + "pgtable.h"]
    return {"1": "5.7", "5": "5.10-tagged" if tagged else "5.10"}.get(device, "5.12")


def layout(files):
    memory = files[ASM + "memory.h"]
    if re.search(r"define VMEMMAP_END\s+\(-UL\(SZ_1G\)\)", memory):
        return "6.12"
    return "5.14" if "VA_BITS - VMEMMAP_SHIFT" in memory else "5.7"


def table_dtor(mmu):
    if "pagetable_dtor" in (body(mmu, "free_hotplug_pgtable_page")):
        return "every"
    alloc = body(mmu, "__pgd_pgtable_alloc")
    return "skipped" if "pagetable_pte_ctor(mm" in alloc else "none"


def vmemmap_block(files, mmu):
    """The attributes that vmemmap_set_pmd(), or what was there before it, writes."""
    if not find_function(mmu, "vmemmap_set_pmd") and "vmemmap_check_pmd" in files[
            "mm/sparse-vmemmap.c"]:
        return "kernel"
    normal = re.search(r"^#define PROT_SECT_NORMAL\s.*$", files[ASM + "pgtable-prot.h"], re.M)
    if not normal:
        raise Damaged(f"{ASM}pgtable-prot.h does not define PROT_SECT_NORMAL")
    return "writable" if "PTE_WRITE" in normal.group(0) else "plain"


def altmap_full(huge):
    if re.search(r"if \(altmap\)", huge):
        return "fail"
    return "base-pages" if "vmemmap_populate_basepages" in huge else "fail"


def body(text, name):
    """The text of a function, empty if there is none."""
    return find_function(text, name) or ""


def flush_knobs(files, mmu):
    if not find_function(mmu, "unmap_hotplug_range"):
        return {}
    flush = body(files[ASM + "tlbflush.h"], "flush_tlb_kernel_range")
    limit = body(files[ASM + "tlbflush.h"], "__flush_tlb_range_limit_excess")
    blocks = body(mmu, "unmap_hotplug_pmd_range")
    once = "flush_tlb_kernel_range" in body(mmu, "unmap_hotplug_range")
    by_page = re.search(r"flush_tlb_kernel_range\(addr, addr \+ PMD_SIZE\)", blocks)
    return {
        "flush": ("per-page-of-block" if by_page else "range") if once else "per-leaf",
        "flush-all": "from" if ">=" in flush + limit else "above",
        "flush-by-range": "on" if "range_op" in flush else "off",
        "flush-rounding": "out" if "round_up" in flush else "down",
    }


def has_lpa2(files):
    return "lpa2_is_enabled" in files[ASM + "pgtable-prot.h"]


def knobs(files):
    """What this source does, as knobs of the library: the nearest profile follows from them."""
    mmu = files["arch/arm64/mm/mmu.c"]
    populate = body(mmu, "vmemmap_populate")
    for function in re.findall(r"^int __meminit vmemmap_populate\(.*?^}", mmu, re.M | re.S):
        populate = function if "pmd_addr_end" in function else populate
    huge = find_function(files["mm/sparse-vmemmap.c"], "vmemmap_populate_hugepages") or populate
    refuses = find_function(mmu, "can_unmap_without_split")
    init_pmd = body(mmu, "init_pmd")
    known = flush_knobs(files, mmu)
    known.update({
        "map-failure": "keep",
        "populate-failure": "keep",
        "add-failure": "keep",
        "vmemmap-partial": "base-pages" if "end - start < PAGES_PER_SECTION" in populate
                           else "clear-all",
        "altmap-full": altmap_full(huge),
        "block-failure": "base-pages" if "vmemmap_populate_basepages" in huge else "fail",
        "leaf-split": "refuse" if refuses else "cut",
        "split-check": "usable-pages" if refuses else "request",
        "table-dtor": table_dtor(mmu),
        "block-over-table": "fill" if "pmd_table(old_pmd)" in init_pmd else "skip",
        "cont-group": "whole" if "has_valid_noncont" in mmu else "any",
        "invalid-leaf": "marked" if "define pmd_leaf pmd_leaf" in files[ASM + "pgtable.h"]
                        and "pmd_present(pmd) && !pmd_table" in files[ASM + "pgtable.h"]
                        else "table",
        "hot-add-leaves": "bbm3-blocks" if find_function(mmu, "force_pte_mapping") else "as-told",
        "live-split": "bbm3" if find_function(mmu, "split_kernel_leaf_mapping") else "never",
        "barriers": "deferred" if "__set_pte_nosync" in mmu else "every-leaf",
        "kernel-layout": layout(files),
        "lpa2": "on" if has_lpa2(files) else "off",
        "memory-types": memory_types(files),
        "leaf-dirty": "set" if re.search(r"define _?PAGE_KERNEL\s.*PTE_DIRTY|"
                                         r"define PROT_NORMAL\s.*PTE_DIRTY",
                                         files[ASM + "pgtable-prot.h"]) else "clear",
        "table-noexec": "on" if "NO_EXEC_MAPPINGS" in mmu else "off",
        "table-af": "on" if "PMD_TABLE_AF" in mmu else "off",
        "vmemmap-block-attributes": vmemmap_block(files, mmu),
    })
    if files.get(PAGEATTR_C):
        known["huge-areas"] = "refused" if "VM_ALLOW_HUGE_VMAP" in files[PAGEATTR_C] else "taken"
        known["alias-change"] = "area" if "area->nr_pages" in files[PAGEATTR_C] else "part"
    if files.get(VMALLOC_C):
        known["vmalloc-batching"] = "on" if "lazy_mmu_mode" in body(files[VMALLOC_C], "vmap_pte_range") else "off"
    known["pa-bits-49-48"] = "kept" if known["lpa2"] == "on" else "clear"
    return known


def altmap_free(files):
    """It moved from one file to the other; a stub for kernels without devices comes after it."""
    return pick(files, ["mm/memremap.c", "include/linux/mm.h"], ["vmem_altmap_free"])


def calls(files):
    """How kernel.c calls functions whose arguments differ from one release to the next."""
    mmu = files[MMU_C]
    take, create = body(mmu, "arch_remove_memory"), body(mmu, "__create_pgd_mapping")
    alloc = find_function(mmu, "pgd_pgtable_alloc_init_mm")
    return [
        "#define KC_ARCH_REMOVE(start, size, altmap) "
        f"arch_remove_memory({'0, ' if 'int nid' in take else ''}start, size, altmap"
        f"{', NULL' if 'pgmap' in take else ''})",
        "#define KC_CREATE(root, pa, va, size, prot, flags) (__create_pgd_mapping("
        "root, pa, va, size, prot, "
        f"{'pgd_pgtable_alloc_init_mm' if alloc else '__pgd_pgtable_alloc'}, flags)"
        f"{', 0' if create.startswith('static void') else ''})",
    ]


def splits(files):
    return bool(find_function(files[MMU_C], "split_kernel_leaf_mapping"))


def live_wanted(files):
    """The functions that change live mappings in this release, and the file of each."""
    wanted = [(name, PAGEATTR_C) for name in SET_MEMORY + ["__change_memory_common"]]
    if splits(files):
        wanted += [(name, MMU_C) for name in SPLIT] + [(name, PAGEWALK_C) for name in WALK]
        return wanted + [(name, PAGEATTR_C) for name in ("pageattr_pte_entry", "update_range_prot")]
    return wanted + [(name, MEMORY_C) for name in APPLY] + [("change_page_range", PAGEATTR_C)]


def live_missing(files):
    """Those that the tree lacks."""
    return [name for name, path in live_wanted(files) if not find_function(files.get(path, ""), name)]


def vunmaps(files):
    """Whether the tree has all that clears a part of the vmalloc area."""
    return not live_missing(files) and all(find_function(files.get(VMALLOC_C, ""), name)
                                           for name in VUNMAP[:4] + VUNMAP[5:])


def vmaps(files):
    """Whether the tree has all that maps a part of the vmalloc area."""
    return vunmaps(files) and TRACK_H in files and VMALLOC_H in files and all(
        find_function(files[path], name) for path, names in
        ((VMALLOC_C, VMAP), (MMU_C, HUGE_TABLES), (MEMORY_C, ["__pte_alloc_kernel"])) for name in names)


def vmap(files):
    """What vmap_range_noflush() needs, before it and vunmap_range(): tables, and groups of pages."""
    groups = "arch_vmap_pte_range_map_size" in files[VMALLOC_H]
    out = [f"#define KC_VMAP_GROUPS {int(groups)}", '#include "vmap.h"', header(files, VMALLOC_H)]
    for level, name in ALLOC.items():
        out += [f"#ifndef __PAGETABLE_{level}_FOLDED", pick(files, MEMORY_C, [name]),
                "#else", f"#undef {name}", f"#define {name}(mm, entry, va) 0", "#endif"]
    out += [pick(files, MEMORY_C, ["__pte_alloc_kernel"]), header(files, TRACK_H)]
    if groups:
        out += [pick(files, HUGETLB_C, HUGE_PTE)]
    return "\n".join(out + [pick(files, MMU_C, HUGE_TABLES), pick(files, VMALLOC_C, VMAP)])


def lock_text(files, name):
    """A lock of mmu.c as a string of C; NULL if it defines none of that name."""
    return f'"{name}"' if re.search(rf"^static DEFINE_\w+\({name}\)", files[MMU_C], re.M) else "NULL"


def helpers(files):
    """Reads of single entries: once, before the first part that has any."""
    return "" if not live_missing(files) else pick(files, "include/linux/pgtable.h", WALK_HELPERS, guarded=True)


def notifier(files):
    """The function of arm64 in the chain that is told of memory blocks; None if there is none."""
    return next((name for name in NOTIFIERS if find_function(files[MMU_C], name)), None)


def offlines(files):
    """Whether the tree has what decides about memory blocks. Up to 5.11 nobody but the notifier does."""
    wanted = [(BLOCK_C, BLOCK), ("mm/memory_hotplug.c", SHADOW)]
    return bool(notifier(files) and structure(files.get(BLOCK_H, ""), "memory_notify")
                and all(find_function(files.get(path, ""), name) for path, names in wanted for name in names))


def blocks(files):
    """What lets memory blocks go online and offline."""
    if not offlines(files):
        return ""
    out = ['#include "blocks.h"', helpers(files), structure(files[BLOCK_H], "memory_notify"),
           f"#define KC_NOTIFIER {notifier(files)}", pick(files, MMU_C, SPLITS + [notifier(files)])]
    return "\n".join(out + ['#include "blocks_end.h"', pick(files, "mm/memory_hotplug.c", SHADOW),
                            pick(files, BLOCK_C, BLOCK)])


def dumps(files):
    """Whether the tree has ptdump's walk, and what changes live mappings, whose walk it shares."""
    return bool(not live_missing(files) and PTDUMP_H in files
                and find_function(files.get(PTDUMP_C, ""), "ptdump_walk_pgd")
                and any(find_function(files.get(PAGEWALK_C, ""), name) for name in PTDUMP_WALK))


def ptdump(files):
    """ptdump's walk, whose callbacks note nothing here."""
    if not dumps(files):
        return ""
    state = structure(files[PTDUMP_H], "ptdump_state")
    notes = re.findall(r"\(\*(note_page\w*)\)", state)
    out = ['#include "ptdump.h"']
    if not splits(files):
        out += ["struct mm_walk;"] + [declared(files[PAGEWALK_H], *name) for name in WALK_TYPES]
        out += [pick(files, PAGEWALK_C, WALK[:-1])]
    out += [structure(files[PTDUMP_H], "ptdump_range"), state]
    out += ["#define KC_PTDUMP_STATE(ranges) { .range = (ranges), "
            + " ".join(f".{name} = (void *)kc_note_nothing," for name in notes) + " }"]
    return "\n".join(out + [pick(files, PAGEWALK_C, PTDUMP_WALK), pick(files, PTDUMP_C, PTDUMP)])


def live(files):
    """All that changes live mappings; nothing if the tree lacks a part of it."""
    if live_missing(files):
        return ""
    out = ['#include "live.h"', structure(files[PAGEATTR_C], "page_change_data")]
    out += [pick(files, "include/linux/pgtable.h", WALK_HELPERS, guarded=True)]
    if splits(files):
        out += ["struct mm_walk;"]
        out += [declared(files[PAGEWALK_H], *name) for name in WALK_TYPES]
        out += [pick(files, PAGEWALK_C, WALK), pick(files, MMU_C, SPLIT)]
    else:
        out += [pick(files, HUGETLB_C, ["pmd_huge", "pud_huge"]), pick(files, MEMORY_C, APPLY)]
    if vunmaps(files):
        out += [vmap(files)] if vmaps(files) else []
        out += [pick(files, MMU_C, ["pud_clear_huge", "pmd_clear_huge"]), pick(files, VMALLOC_C, VUNMAP)]
    return "\n".join(out + [pick(files, PAGEATTR_C, CHANGE + SET_MEMORY)])


def text_of(files, extra=()):
    """All that kernel.c includes. `extra`: names that are needed, too, in any file."""
    out = []
    number = version(files["Makefile"])
    out.append(f'#define KC_RELEASE "{".".join(number)}"')
    rows = " ".join(f'{{ "{knob}", "{value}" }},' for knob, value in knobs(files).items())
    out.append(f"#define KC_KNOBS {rows}")
    gone = missing(files)
    out += [f"#define KC_HAS_{name} {int(name not in gone)}" for name in OPERATIONS]
    out += [f"#define KC_HAS_PROTECT {int(not live_missing(files))}",
            f"#define KC_HAS_SPLIT {int(not live_missing(files) and splits(files))}",
            f"#define KC_HAS_VUNMAP {int(vunmaps(files))}",
            f"#define KC_HAS_VMAP {int(vmaps(files))}",
            f"#define KC_HAS_OFFLINE (KC_ENGINE && {int(offlines(files))})",
            f"#define KC_HAS_PTDUMP (KC_ENGINE && {int(dumps(files))})",
            *(f"#define {name} {lock_text(files, lock)}" for name, lock in
              (("KC_FIXMAP_LOCK", "fixmap_lock"), ("KC_PGD_LOCK", "swapper_pgdir_lock"))),
            f"#define KC_CONSTRUCTS {int(table_dtor(files[MMU_C]) == 'every')}"]
    out += calls(files)
    out.append("#ifdef KC_HEADERS")
    out.append("#define __ASSEMBLY__\n#define __ASSEMBLER__")
    out.append(header(files, ASM + "memory.h"))
    out.append("#undef __ASSEMBLY__\n#undef __ASSEMBLER__")
    out.append(enumeration(files["include/linux/pgtable.h"], "pgtable_level"))
    out.append(pick(files, "include/linux/mm.h", ["INVALID_PHYS_ADDR"]))
    out.append(pick(files, VMEMMAP_C, ["VMEMMAP_POPULATE_PAGEREF"]))
    out.append(pick(files, ASM + "memory.h", MEMORY, guarded=True))
    for name in ("pgtable-hwdef.h", "pgtable-types.h", "pgtable-prot.h"):
        out.append(header(files, ASM + name))
    out.append(pick(files, ASM + "tlbflush.h", FLUSH))
    out.append(header(files, ASM + "pgtable.h"))
    out.append(pick(files, "include/linux/pgtable.h", GENERIC, guarded=True))
    out.append(header(files, ASM + "pgalloc.h"))
    out.append(header(files, "include/linux/pgalloc.h"))
    out.append(pick(files, "include/linux/mmzone.h", SECTIONS, guarded=True))
    out.append(structure(files["include/linux/memremap.h"], "vmem_altmap"))
    out.append("#endif")

    weak = [name for name in WEAK if not find_function(files[MMU_C], name)]
    functions = visible("\n".join([
        altmap_free(files), pick(files, VMEMMAP_C, ALTMAP),
        '#include "hooks.h"',
        prototypes(pick(files, MMU_C, MMU)) + pick(files, list(files), extra) if extra else "",
        pick(files, MMU_C, MMU_FIRST),
        pick(files, VMEMMAP_C, VMEMMAP + weak + ["vmemmap_populate_hugepages"]),
        pick(files, MMU_C, MMU), "#if !KC_ENGINE", '#include "sections.h"',
        pick(files, [VMEMMAP_C, "mm/sparse.c"], SPARSE),
        pick(files, ["mm/memremap.c", "include/linux/mm.h"], ["vmem_altmap_offset"]),
        pick(files, "mm/memory_hotplug.c", HOTPLUG), pick(files, MMU_C, ARCH), SECTIONS_END, live(files),
        "#if KC_ENGINE", ptdump(files), blocks(files), "#endif"]))
    out.append("#ifdef KC_FUNCTIONS")
    out.append(functions)
    out.append("#endif")
    out.insert(2, f"#ifdef KC_HEADERS\n{local_names(functions)}#endif")
    return "\n".join(out) + "\n"


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--release":
        refused = refusal(sys.argv[2])
        print(refused or release(sys.argv[2]))
        return 1 if refused else 0
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    refused = write_source(*sys.argv[1:])
    if refused:
        print(refused, file=sys.stderr)
    return 1 if refused else 0


def write_source(source, output):
    """Writes what kernel.c includes; why not, in a sentence, or None."""
    try:
        files = read_files(source, ALL_FILES)
        refused = refusal_of_content(source, files)
        if not refused:
            Path(output).write_text(text_of(files))
        return refused
    except Damaged as e:
        return f"{source} cannot be compiled: {e}"
    except UNREADABLE as e:
        return unreadable(source, e)


if __name__ == "__main__":
    sys.exit(main())
