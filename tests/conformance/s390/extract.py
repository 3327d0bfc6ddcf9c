#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Takes s390's page-table code out of a Linux source for a build on the host.

    extract.py TREE SOURCE OUTPUT

TREE is the folder of the extractor for arm64, whose functions find a name in a text. SOURCE is an
unpacked kernel or a tarball of one. What the output has is the kernel's, word for word but for
what plain() does to old releases; it stays in the build directory.
"""
import re
import sys
from pathlib import Path

ASM = "arch/s390/include/asm/"
FILES = ["arch/s390/mm/vmem.c", "arch/s390/mm/pgalloc.c", "mm/sparse-vmemmap.c", "mm/memremap.c", "include/linux/mm.h",
         "include/linux/memremap.h", "include/linux/pgtable.h", "arch/s390/mm/pageattr.c",
         ASM + "pgtable.h", ASM + "pgalloc.h"]

CONSTANTS = """
_PAGE_NOEXEC _PAGE_PROTECT _PAGE_INVALID _PAGE_PRESENT _PAGE_YOUNG _PAGE_DIRTY _PAGE_READ
_PAGE_WRITE _REGION_ENTRY_ORIGIN _REGION_ENTRY_PROTECT _REGION_ENTRY_NOEXEC _REGION_ENTRY_INVALID
_REGION_ENTRY_TYPE_MASK _REGION_ENTRY_TYPE_R1 _REGION_ENTRY_TYPE_R2 _REGION_ENTRY_TYPE_R3
_REGION_ENTRY_LENGTH _REGION1_ENTRY _REGION1_ENTRY_EMPTY _REGION2_ENTRY _REGION2_ENTRY_EMPTY
_REGION3_ENTRY _REGION3_ENTRY_EMPTY _REGION3_ENTRY_ORIGIN_LARGE _REGION3_ENTRY_DIRTY
_REGION3_ENTRY_YOUNG _REGION3_ENTRY_LARGE _REGION3_ENTRY_WRITE _REGION3_ENTRY_READ
_SEGMENT_ENTRY_ORIGIN_LARGE _SEGMENT_ENTRY_ORIGIN _SEGMENT_ENTRY_NOEXEC _SEGMENT_ENTRY_INVALID
_SEGMENT_ENTRY_TYPE_MASK _SEGMENT_ENTRY _SEGMENT_ENTRY_EMPTY _SEGMENT_ENTRY_DIRTY
_SEGMENT_ENTRY_YOUNG _SEGMENT_ENTRY_LARGE _SEGMENT_ENTRY_WRITE _SEGMENT_ENTRY_READ
_SEGMENT_ENTRY_PRESENT _CRST_ENTRIES _PAGE_ENTRIES _REGION1_SHIFT _REGION2_SHIFT _REGION3_SHIFT
_SEGMENT_ENTRY_PROTECT _PAGE_UNUSED _REGION3_ENTRY_PRESENT __PAGE_KERNEL __SEGMENT_KERNEL
__SEGMENT_KERNEL_RO SEGMENT_KERNEL_RO __REGION3_KERNEL CRDTE_DTT_PAGE CRDTE_DTT_SEGMENT CRDTE_DTT_REGION3
_SEGMENT_SHIFT _REGION1_SIZE _REGION2_SIZE _REGION3_SIZE _SEGMENT_SIZE _REGION1_MASK _REGION2_MASK
_REGION3_MASK _SEGMENT_MASK PMD_SHIFT PUD_SHIFT P4D_SHIFT PGDIR_SHIFT PMD_SIZE PUD_SIZE P4D_SIZE
PGDIR_SIZE PMD_MASK PUD_MASK P4D_MASK PGDIR_MASK PTRS_PER_PTE PTRS_PER_PMD PTRS_PER_PUD
PTRS_PER_P4D PTRS_PER_PGD PAGE_KERNEL SEGMENT_KERNEL REGION3_KERNEL
""".split()
QUERIES = """
pte_present clear_pte_bit
pmd_large pud_large set_pgd set_p4d set_pud set_pmd set_pte pgd_folded p4d_folded pud_folded pud_present pmd_present pgd_none p4d_none pud_none
pud_leaf pmd_leaf pmd_none pte_none pgd_clear p4d_clear pud_clear pmd_clear pte_clear p4d_index
pud_index pmd_index p4d_deref pgd_deref pmd_deref pud_deref pgd_offset_raw pgd_offset
p4d_offset_lockless p4d_offset pud_offset_lockless pud_offset pmd_offset_lockless pmd_offset pmd_page_vaddr pte_pfn pud_pfn
""".split()
GENERIC = "pte_index pte_offset_kernel pgd_offset_k pgd_addr_end p4d_addr_end pud_addr_end pmd_addr_end".split()
POPULATE = "crst_table_init pgd_populate p4d_populate pud_populate pmd_populate".split()
ALTMAP = "vmem_altmap_next_pfn vmem_altmap_nr_free altmap_alloc_block_buf".split()
VMEM = """
vmem_alloc_pages vmem_free_pages vmem_crst_alloc vmem_pte_alloc vmem_pte_free PAGE_UNUSED
vmemmap_flush_unused_pmd __vmemmap_use_sub_pmd vmemmap_flush_unused_sub_pmd vmemmap_mark_sub_pmd_used vmemmap_use_sub_pmd vmemmap_use_new_sub_pmd
vmemmap_unuse_sub_pmd modify_pte_table try_free_pte_table modify_pmd_table try_free_pmd_table
modify_pud_table try_free_pud_table modify_p4d_table try_free_p4d_table modify_pagetable
add_pagetable remove_pagetable
""".split()
SPLIT = "pgt_set split_pud_page".split()
RANGES = "vmem_add_range vmem_remove_range vmemmap_populate vmemmap_free".split()


def plain(text):
    """Releases before 6.1 store by assignment and take an address for a pointer; later ones say both."""
    text = re.sub(r"\b(p\w\w)_val\(\*(\w+)\) = ([^;]+);", r"WRITE_ONCE(*\2, __\1(\3));", text)
    text = re.sub(r"\((p\w\w_t) \*\) (p\w\w_deref\(\w+\))", r"(\1 *)__va(\2)", text)
    return text.replace("(unsigned long) pmd_deref(pmd)", "(unsigned long)__va(pmd_deref(pmd))")


def halves(text):
    """Releases before 6.7 have two page tables in a page. Its state is not in the page itself: kernel.c."""
    text = re.sub(r"struct page\b", "struct half_page", text)
    return text.replace("page_to_phys(", "page_to_virt(").replace("virt_to_page(", "virt_to_half(")


def facts(vmem, pgalloc):
    """What the releases do differently, for main.c to choose a profile by."""
    populate = vmem[vmem.index("vmemmap_populate("):]
    return "".join(f"#define {name}\n" for name, there in [
        ("S390_SPLITS", "split_pud_page" in vmem),
        ("S390_LEAF_AT_ZERO", "&& addr &&" not in vmem),
        ("S390_HALVES", "pgtable_list" in pgalloc),
        ("S390_ALTMAPS", re.search(r"_pagetable\([^)]*altmap\)", populate)),
    ] if there)


def main():
    tree, source, output = sys.argv[1:]
    sys.path.insert(0, tree)
    sys.dont_write_bytecode = True
    from extract import pick, read_files, structure  # pylint: disable=import-outside-toplevel

    files = read_files(source, FILES)
    lost = [name for name in FILES if name not in files]
    if lost:
        sys.exit(f"{source} lacks {lost[0]}")
    vmem, pgalloc = files["arch/s390/mm/vmem.c"], files["arch/s390/mm/pgalloc.c"]
    text = [
        facts(vmem, pgalloc),
        structure(files["include/linux/memremap.h"], "vmem_altmap"),
        pick(files, ASM + "pgtable.h", CONSTANTS),
        plain(pick(files, ASM + "pgtable.h", QUERIES)),
        pick(files, "include/linux/pgtable.h", GENERIC),
        plain(pick(files, ASM + "pgalloc.h", POPULATE)),
        # Some releases count allocations by their callers, by a macro around these.
        halves(pick(files, "arch/s390/mm/pgalloc.c",
                    ["atomic_xor_bits", "page_table_alloc", "page_table_free"]))
        if "pgtable_list" in pgalloc else
        pick(files, "arch/s390/mm/pgalloc.c",
             ["page_table_alloc", "page_table_alloc_noprof", "page_table_free"]).replace("_noprof", ""),
        pick(files, "mm/sparse-vmemmap.c", ALTMAP),
        pick(files, ["include/linux/mm.h", "mm/memremap.c"], ["vmem_altmap_free"]),
        "static unsigned long unused_sub_pmd_start;\n",
        plain(pick(files, "arch/s390/mm/vmem.c", VMEM)),
        # Called from vmem.c since the split is there.
        pick(files, "arch/s390/mm/pageattr.c", SPLIT) if "split_pud_page" in vmem else "",
        # From here on addresses of the identity mapping, no longer of memory of the host.
        "#undef __va\n#define __va(pa) ((void *)(unsigned long)(pa))\n",
        pick(files, "arch/s390/mm/vmem.c", RANGES),
    ]
    Path(output).write_text("\n".join(text))


if __name__ == "__main__":
    main()
