#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Takes the page-table code of arm64 out of a Linux source for a build on the host.

    extract.py --release SOURCE     prints the release ("6.1"), or nothing
    extract.py SOURCE OUTPUT        writes one file for kernel.c to include

SOURCE is an unpacked kernel or a tarball of one. Whole headers are taken, without their
#include lines, and single functions and macros by name. What the output has is the kernel's,
word for word; it stays in the build directory.
"""
import re
import sys
import tarfile
from pathlib import Path

ASM = "arch/arm64/include/asm/"
FOLDED = ["pgtable-nopmd.h", "pgtable-nopud.h", "pgtable-nop4d.h"]
FILES = ["Makefile", "arch/arm64/mm/mmu.c", "mm/sparse-vmemmap.c", "mm/sparse.c",
         "mm/memory_hotplug.c", "mm/memremap.c", "include/linux/mmzone.h",
         "include/linux/memremap.h", "include/linux/mm.h", "include/linux/pgtable.h",
         "include/linux/pgalloc.h"]
FILES += [ASM + name for name in ("memory.h", "pgtable-hwdef.h", "pgtable-types.h",
                                  "pgtable-prot.h", "pgtable.h", "pgalloc.h", "tlbflush.h")]
FILES += ["include/asm-generic/" + name for name in FOLDED]

# By name, in the order of the output. A name that a release does not have is left out, and
# what needs it does not compile.
MEMORY = ["PHYS_OFFSET", "__phys_to_virt"]
FLUSH = ["__TLBI_VADDR", "MAX_TLBI_OPS", "MAX_DVM_OPS", "__tlbi_sync_s1ish", "flush_tlb_all",
         "flush_tlb_kernel_range", "__flush_tlb_kernel_pgtable"]
GENERIC = ["pte_index", "pmd_index", "pud_index", "pgd_index", "pte_offset_kernel", "pmd_offset",
           "pud_offset", "pgd_offset_pgd", "pgd_offset", "pgd_offset_k", "pgd_addr_end",
           "p4d_addr_end", "pud_addr_end", "pmd_addr_end", "ptep_get", "pmdp_get", "set_pte_at"]
ALTMAP = ["vmemmap_alloc_block", "vmem_altmap_next_pfn", "vmem_altmap_nr_free",
          "altmap_alloc_block_buf", "vmemmap_alloc_block_buf"]
VMEMMAP = ["vmemmap_verify", "vmemmap_pte_populate", "vmemmap_alloc_block_zero",
           "kernel_pte_init", "pmd_init", "pud_init", "vmemmap_pmd_populate",
           "vmemmap_pud_populate", "vmemmap_p4d_populate", "vmemmap_pgd_populate",
           "vmemmap_populate_address", "vmemmap_populate_range", "vmemmap_populate_basepages"]
MMU_FIRST = ["NO_BLOCK_MAPPINGS", "NO_CONT_MAPPINGS", "NO_EXEC_MAPPINGS", "set_swapper_pgd",
             "pgattr_change_is_safe", "pud_set_huge", "pmd_set_huge", "vmemmap_set_pmd",
             "vmemmap_check_pmd"]
MMU = ["init_clear_pgtable", "init_pte", "alloc_init_cont_pte", "init_pmd", "alloc_init_cont_pmd",
       "alloc_init_pud", "alloc_init_p4d", "__create_pgd_mapping_locked", "__create_pgd_mapping",
       "__pgd_pgtable_alloc", "free_hotplug_page_range", "free_hotplug_pgtable_page",
       "pgtable_range_aligned", "unmap_hotplug_pte_range", "unmap_hotplug_pmd_range",
       "unmap_hotplug_pud_range", "unmap_hotplug_p4d_range", "unmap_hotplug_range",
       "free_empty_pte_table", "free_empty_pmd_table", "free_empty_pud_table",
       "free_empty_p4d_table", "free_empty_tables", "vmemmap_populate", "vmemmap_free",
       "__remove_pgd_mapping"]
SECTIONS = ["PFN_SECTION_SHIFT", "PAGES_PER_SECTION", "PAGE_SECTION_MASK", "pfn_to_section_nr",
            "section_nr_to_pfn", "SECTION_ALIGN_UP", "SECTION_ALIGN_DOWN", "SUBSECTION_SHIFT",
            "PFN_SUBSECTION_SHIFT", "PAGES_PER_SUBSECTION", "SUBSECTIONS_PER_SECTION",
            "subsection_map_index"]
SPARSE = ["__populate_section_memmap", "subsection_mask_set", "populate_section_memmap",
          "depopulate_section_memmap", "free_map_bootmem", "clear_subsection_map",
          "is_subsection_map_empty", "fill_subsection_map", "section_deactivate",
          "section_activate", "sparse_add_section", "sparse_remove_section"]
HOTPLUG = ["check_pfn_span", "__add_pages", "__remove_section", "__remove_pages"]
ARCH = ["arch_add_memory", "arch_remove_memory"]


def read_files(source):
    """The FILES that there are, by name."""
    path = Path(source)
    if path.is_dir():
        return {name: (path / name).read_text() for name in FILES if (path / name).exists()}
    found = {}
    with tarfile.open(source, "r|*") as tar:
        for member in tar:
            name = member.name.partition("/")[2]
            if name in FILES and member.isfile():
                found[name] = tar.extractfile(member).read().decode()
            if len(found) == len(FILES):
                break
    return found


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


def find_macro(text, name):
    found = re.search(rf"^#\s*define\s+{name}\b(?:.*\\\n)*.*\n", text, re.M)
    return found.group(0) if found else None


def find_function(text, name):
    """The definition: from the first line of its declaration to the brace in column 0."""
    for found in re.finditer(rf"^[A-Za-z_][^\n;{{}}]*\b{name}\(", text, re.M):
        body = re.compile(r"[;{]").search(text, found.end())
        if not body or body.group(0) == ";":
            continue
        start = found.start()
        before = text[:start].rstrip("\n").rpartition("\n")[2]
        if text[start - 2:start] != "\n\n" and re.match(r"[A-Za-z_][\w\s*]*$", before):
            start -= len(before) + 1
        end = text.index("\n}", found.end())
        return text[start:end] + "\n}\n"
    found = re.search(rf"^\w[^\n{{}}]*\b{name}\([^\n]*\{{[^\n]*\}}\n", text, re.M)
    return found.group(0) if found else None


def pick(text, names, guarded=False):
    out = []
    for name in names:
        item = find_function(text, name) or find_macro(text, name)
        if item and guarded:
            item = f"#ifndef {name}\n{item}#endif\n"
        if item:
            out.append(item)
    return "\n".join(out)


def header(files, name):
    """A whole header: the folded levels where it includes them, no other #include."""
    def include(line):
        folded = Path(line.group(1)).name
        return header(files, "include/asm-generic/" + folded) if folded in FOLDED else ""
    return re.sub(r"^#\s*include\s*[<\"]([^>\"]*)[>\"].*$", include, files[name], flags=re.M)


def local_names(functions):
    """Gives each function that is not static a name of its own in every kernel."""
    names = re.findall(r"^(?!static\b|#)[A-Za-z_][^\n(]*?\b(\w+)\([^;{]*\n\{", functions, re.M)
    return "".join(f"#define {name} KC_LOCAL({name})\n" for name in names)


def structure(text, name):
    return re.search(rf"^struct {name} \{{.*?^\}};\n", text, re.M | re.S).group(0)


def knobs(files):
    """What this source does where point releases differ, as knobs of the library."""
    mmu = files["arch/arm64/mm/mmu.c"]
    unmap = find_function(mmu, "unmap_hotplug_range")
    blocks = find_function(mmu, "unmap_hotplug_pmd_range")
    populate = find_function(mmu, "vmemmap_populate")
    huge = find_function(files["mm/sparse-vmemmap.c"], "vmemmap_populate_hugepages") or populate
    flush = find_function(files[ASM + "tlbflush.h"], "flush_tlb_kernel_range")
    once = "flush_tlb_kernel_range" in unmap
    by_page = re.search(r"flush_tlb_kernel_range\(addr, addr \+ PMD_SIZE\)", blocks)
    return {
        "flush": ("per-page-of-block" if by_page else "range") if once else "per-leaf",
        "flush-all": "from" if ">=" in flush else "above",
        "map-failure": "keep",
        "populate-failure": "keep",
        "add-failure": "keep",
        "vmemmap-partial": "base-pages" if "end - start < PAGES_PER_SECTION" in populate
                           else "clear-all",
        "altmap-full": "fail" if re.search(r"if \(altmap\)", huge) else "base-pages",
        "leaf-split": "refuse" if "split" in (find_function(mmu, "prevent_bootmem_remove_notifier")
                                              or "") else "cut",
        "barriers": "deferred" if "__set_pte_nosync" in mmu else "every-leaf",
    }


def altmap_free(files):
    """It moved from one file to the other; a stub for kernels without devices comes after it."""
    return pick(files["mm/memremap.c"] + files["include/linux/mm.h"], ["vmem_altmap_free"])


def write(files, out):
    number = version(files["Makefile"])
    out.append(f'#define KC_RELEASE "{".".join(number)}"')
    out.append(f'#define KC_PROFILE "linux-{number[0]}.{number[1]}"')
    rows = " ".join(f'{{ "{knob}", "{value}" }},' for knob, value in knobs(files).items())
    out.append(f"#define KC_KNOBS {rows}")

    take = find_function(files["arch/arm64/mm/mmu.c"], "arch_remove_memory")
    out.append("#define KC_ARCH_REMOVE(start, size, altmap) "
               f"arch_remove_memory(start, size, altmap{', NULL' if 'pgmap' in take else ''})")
    out.append("#ifdef KC_HEADERS")
    out.append("#define __ASSEMBLY__")
    out.append(header(files, ASM + "memory.h"))
    out.append("#undef __ASSEMBLY__")
    out.append(pick(files[ASM + "memory.h"], MEMORY, guarded=True))
    for name in ("pgtable-hwdef.h", "pgtable-types.h", "pgtable-prot.h"):
        out.append(header(files, ASM + name))
    out.append(pick(files[ASM + "tlbflush.h"], FLUSH))
    out.append(header(files, ASM + "pgtable.h"))
    out.append(pick(files["include/linux/pgtable.h"], GENERIC, guarded=True))
    out.append(header(files, ASM + "pgalloc.h"))
    out.append(header(files, "include/linux/pgalloc.h"))
    out.append(pick(files["include/linux/mmzone.h"], SECTIONS, guarded=True))
    out.append(structure(files["include/linux/memremap.h"], "vmem_altmap"))
    out.append("#endif")

    vmemmap, mmu = files["mm/sparse-vmemmap.c"], files["arch/arm64/mm/mmu.c"]
    functions = "\n".join([
        altmap_free(files), pick(vmemmap, ALTMAP),
        '#include "hooks.h"',
        pick(mmu, MMU_FIRST), pick(vmemmap, VMEMMAP + ["vmemmap_populate_hugepages"]),
        pick(mmu, MMU), '#include "sections.h"',
        pick(vmemmap + files["mm/sparse.c"], SPARSE),
        pick(files["mm/memremap.c"] + files["include/linux/mm.h"], ["vmem_altmap_offset"]),
        pick(files["mm/memory_hotplug.c"], HOTPLUG), pick(mmu, ARCH)])
    out.append("#ifdef KC_FUNCTIONS")
    out.append(functions)
    out.append("#endif")
    out[3:3] = [f"#ifdef KC_HEADERS\n{local_names(functions)}#endif"]


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--release":
        found = release(sys.argv[2]) if Path(sys.argv[2]).exists() else ""
        print(found or f"{sys.argv[2]} is no Linux source of a known release")
        return 0 if found else 1
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    files = read_files(sys.argv[1])
    missing = [name for name in FILES if name not in files]
    if missing:
        print(f"{sys.argv[1]} lacks {', '.join(missing)}", file=sys.stderr)
        return 1
    out = []
    write(files, out)
    Path(sys.argv[2]).write_text("\n".join(out) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
