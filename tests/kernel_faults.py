# SPDX-License-Identifier: MIT
"""One-line faults that kernel_trees.py plants into a kernel tree: (name, file, function, what is
replaced, by what). Some functions have another name in other releases: names with | between."""

MMU = "arch/arm64/mm/mmu.c"
TLB = "arch/arm64/include/asm/tlbflush.h"
PGTABLE = "arch/arm64/include/asm/pgtable.h"

LEAF_FLUSH = r"flush_tlb_kernel_range\(addr, addr \+ PAGE_SIZE\);"
RANGE_FLUSH = r"if \(!free_mapped\)\n\t\tflush_tlb_kernel_range\(start, end\);"
FREE_PAGES = r"free_hotplug_page_range\([^;]*;"
TABLE_FLUSH = r"__flush_tlb_kernel_pgtable\(start\);"
FREE_TABLE = r"free_hotplug_pgtable_page[^;]*;"

FAULTS = [
    # Flushes: dropped, moved, of too little.
    ("a pte's flush is dropped", MMU, "unmap_hotplug_pte_range", LEAF_FLUSH, ";"),
    ("a block's flush is dropped", MMU, "unmap_hotplug_pmd_range", LEAF_FLUSH, ";"),
    ("a page is freed before its flush", MMU, "unmap_hotplug_pte_range",
     rf"({LEAF_FLUSH})\s*({FREE_PAGES})", r"\2 \1"),
    ("the flush of the range is dropped", MMU, "unmap_hotplug_range", RANGE_FLUSH, ";"),
    ("the flush ends a page early", MMU, "unmap_hotplug_range", r"\(start, end\);", "(start, end - PAGE_SIZE);"),
    ("a table's flush is dropped", MMU, "free_empty_pte_table", TABLE_FLUSH, ";"),
    ("a table is freed before its flush", MMU, "free_empty_pmd_table", rf"({TABLE_FLUSH})\s*({FREE_TABLE})",
     r"\2 \1"),
    ("a table is flushed before its entry goes", MMU, "free_empty_pte_table",
     rf"(pmd_clear\(pmdp\);)\s*({TABLE_FLUSH})", r"\2 \1"),
    ("each leaf is flushed, and its group still there (B1)", MMU, "unmap_hotplug_pte_range",
     r"(?m)^(\t+_*pte_clear\(.*\);)$", r"\1 flush_tlb_kernel_range(addr, addr + PAGE_SIZE);",
     "unmap_hotplug_range", RANGE_FLUSH, ";"),
    # Barriers and invalidates.
    ("no DSB ISHST before invalidates", TLB, "flush_tlb_kernel_range", r"dsb\(ishst\);", ";"),
    ("no ISB after invalidates", TLB, "flush_tlb_kernel_range", r"isb\(\);", ";"),
    ("invalidates of this CPU alone", TLB, "flush_tlb_kernel_range", "vaale1is", "vaale1"),
    ("every second page is invalidated", TLB, "flush_tlb_kernel_range", r"addr \+= 1 <<", "addr += 2 <<"),
    ("a table's invalidate is of leaves", TLB, "__flush_tlb_kernel_pgtable", "vaae1is", "vaale1is"),
    ("no barrier before a link", MMU, "init_clear_pgtable", r"dsb\(ishst\);", ";"),
    ("no barriers after a block", PGTABLE, "set_pmd", r"dsb\(ishst\);\n\t\tisb\(\);", ";"),
    # Bounds.
    ("a page too few is unmapped", MMU, "unmap_hotplug_pte_range", "addr < end", "addr < end - PAGE_SIZE"),
    ("half a table is looked at", MMU, "free_empty_pte_table", "i < PTRS_PER_PTE", "i < PTRS_PER_PTE / 2"),
    ("a quarter of a pmd table is looked at", MMU, "free_empty_pmd_table", "i < PTRS_PER_PMD", "i < PTRS_PER_PMD / 4"),
    ("tables are never inside the bounds", MMU, "pgtable_range_aligned", "return true", "return false"),
    ("the same page is mapped again", MMU, "init_pte", r"phys \+= PAGE_SIZE;", ";"),
    # Memory.
    ("a page is freed with a block's size", MMU, "unmap_hotplug_pte_range", "PAGE_SIZE, altmap", "PMD_SIZE, altmap"),
    ("memory is freed that is not the kernel's", MMU, "unmap_hotplug_pte_range", r"if \(free_mapped\)", "if (1)"),
    ("a table is not freed", MMU, "free_empty_pte_table", FREE_TABLE, ";"),
    ("a table's entry is not cleared", MMU, "free_empty_pte_table", r"pmd_clear\(pmdp\);", ";"),
    ("a page is freed twice", MMU, "free_hotplug_page_range", r"(free_pages\([^;]*;)", r"{ \1 \1 }"),
    ("the memmap is not freed", MMU, "vmemmap_free", "end, true, altmap", "end, false, NULL"),
    ("the altmap is not passed", MMU, "vmemmap_free", "true, altmap", "true, NULL"),
    ("the passes are swapped", MMU, "vmemmap_free", r"(unmap_hotplug_range\([^;]*;)\s*(free_empty_tables\([^;]*;)",
     r"\2 \1"),
    ("a wild pointer is read", MMU, "free_empty_tables", r"pgd = READ_ONCE\(\*pgdp\);",
     "pgd = READ_ONCE(*(pgd_t *)8);"),
]
