# SPDX-License-Identifier: MIT
"""One-line faults that kernel_trees.py plants into a kernel tree: (name, file, function, what is
replaced, by what). Some functions have another name in other releases: names with | between."""

MMU = "arch/arm64/mm/mmu.c"
TLB = "arch/arm64/include/asm/tlbflush.h"
PGTABLE = "arch/arm64/include/asm/pgtable.h"
PAGEATTR = "arch/arm64/mm/pageattr.c"
VMALLOC = "mm/vmalloc.c"
MEMORY = "mm/memory.c"
PTDUMP = "mm/ptdump.c"
BLOCK = "drivers/base/memory.c"
HOTPLUG = "mm/memory_hotplug.c"

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
    ("a page is freed before its entry goes (B15)", MMU, "unmap_hotplug_pte_range",
     rf"(?s)(\t+_*pte_clear\([^;]*;)(.*?)({FREE_PAGES})", r"\3 \1\2"),
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
    ("a page is freed twice", MMU, "free_hotplug_page_range", r"(_*free_pages\([^;]*;)", r"{ \1 \1 }"),
    ("the memmap is not freed", MMU, "vmemmap_free", "end, true, altmap", "end, false, NULL"),
    ("the altmap is not passed", MMU, "vmemmap_free", "true, altmap", "true, NULL"),
    ("the passes are swapped", MMU, "vmemmap_free", r"(unmap_hotplug_range\([^;]*;)\s*(free_empty_tables\([^;]*;)",
     r"\2 \1"),
    ("a wild pointer is read", MMU, "free_empty_tables", r"pgd = READ_ONCE\(\*pgdp\);",
     "pgd = READ_ONCE(*(pgd_t *)8);"),
    # Attributes of live mappings.
    ("attributes change and nothing is flushed", PAGEATTR, "__change_memory_common",
     r"flush_tlb_kernel_range\(start, start \+ size\);", ";"),
    ("the flush of attributes ends a page early", PAGEATTR, "__change_memory_common",
     r"start \+ size\);\n\treturn", "start + size - PAGE_SIZE);\n\treturn"),
    ("attributes do not change", PAGEATTR, "change_page_range", r"_*set_pte\(ptep, pte\);", ";"),
    ("no barriers after attributes", PAGEATTR, "update_range_prot", r"lazy_mmu_mode_disable\(\);", ";"),
    ("nothing is split before attributes change", PAGEATTR, "update_range_prot",
     r"ret = split_kernel_leaf_mapping\(start, start \+ size\);", "ret = 0;"),
    # Splits.
    ("no barrier before a table replaces a block", MMU, "split_pmd", r"dsb\(ishst\);", ";"),
    ("half of a table that replaces a block is filled", MMU, "split_pmd", "PTRS_PER_PTE", "PTRS_PER_PTE / 2"),
    ("one page is in all of a table that replaces a block", MMU, "split_pmd", r"ptep\+\+, pfn\+\+", "ptep++"),
    ("half of a group of pages loses its hint", MMU, "split_contpte", "i < CONT_PTES", "i < CONT_PTES / 2"),
    ("half of a group of blocks loses its hint", MMU, "split_contpmd", "i < CONT_PMDS", "i < CONT_PMDS / 2"),
    ("the end of a range is not split", MMU, "split_kernel_leaf_mapping", r"_locked\(end\)", "_locked(start)"),
    ("a range of one page is split at the wrong end", MMU, "split_kernel_leaf_mapping",
     r"__ffs\(start\) <", "__ffs(start) >"),
    ("barriers of a split never come", MMU, "split_kernel_leaf_mapping", r"lazy_mmu_mode_disable\(\);", ";"),
    # vmap.
    ("vmap frees a table before its flush", MMU, "pmd_free_pte_page",
     r"(__flush_tlb_kernel_pgtable\(addr\);)\s*(pte_free_kernel\([^;]*;)", r"\2 \1"),
    ("vmap frees a table without a flush", MMU, "pmd_free_pte_page", r"__flush_tlb_kernel_pgtable\(addr\);", ";"),
    ("vmap frees a table that is linked", MMU, "pmd_free_pte_page", r"pmd_clear\(pmdp\);", ";"),
    ("vmap keeps the memory of a table", MMU, "pmd_free_pte_page", r"pte_free_kernel\([^;]*;", ";"),
    ("vmap frees a pmd table without a flush", MMU, "pud_free_pmd_page",
     r"__flush_tlb_kernel_pgtable\(addr\);", ";"),
    ("vmap maps a block to memory that is not aligned", VMALLOC, "vmap_try_huge_pmd",
     r"if \(!IS_ALIGNED\(phys_addr, PMD_SIZE\)\)\n\t\treturn 0;", ""),
    ("vmap links a table with no barrier", MEMORY, "__pte_alloc_kernel", r"smp_wmb\(\);", ";"),
    ("vunmap flushes nothing", VMALLOC, "vunmap_range", r"flush_tlb_kernel_range\(addr, end\);", ";"),
    ("vunmap leaves the last page", VMALLOC, "vunmap_pte_range", "addr != end", "addr != end - PAGE_SIZE"),
    # Locks that are left out, each where it is taken and where it is released.
    ("ptdump takes no hotplug lock (B5)", PTDUMP, "ptdump_walk_pgd", r"get_online_mems\(\);", ";",
     "ptdump_walk_pgd", r"put_online_mems\(\);", ";"),
    ("ptdump takes no mmap lock", PTDUMP, "ptdump_walk_pgd", r"mmap_write_lock\(mm\);", ";",
     "ptdump_walk_pgd", r"mmap_write_unlock\(mm\);", ";"),
    ("vmap takes no mmap lock before it frees a table", VMALLOC, "vmap_try_huge_pmd",
     r"scoped_cond_guard\([^{]*\{|if \(!mmap_read_trylock\(&init_mm\)\)\n\t\treturn 0;", "{",
     "vmap_try_huge_pmd", r"\tmmap_read_unlock\(&init_mm\);|\A", ""),
    ("no lock around a new table of ptes", MEMORY, "__pte_alloc_kernel",
     r"spin_lock\(&init_mm.page_table_lock\);", ";",
     "__pte_alloc_kernel", r"spin_unlock\(&init_mm.page_table_lock\);", ";"),
    ("no lock around a new table of pmds", MEMORY, "__pmd_alloc", r"ptl = pud_lock\(mm, pud\);", "(void)ptl;",
     "__pmd_alloc", r"spin_unlock\(ptl\);", ";"),
    ("no lock around the fixmap's slots", MMU, "__create_pgd_mapping", r"mutex_lock\(&fixmap_lock\);", ";",
     "__create_pgd_mapping", r"mutex_unlock\(&fixmap_lock\);", ";"),
    ("no lock around a split", MMU, "split_kernel_leaf_mapping", r"mutex_lock\(&pgtable_split_lock\);", ";",
     "split_kernel_leaf_mapping", r"mutex_unlock\(&pgtable_split_lock\);", ";"),
    ("a lock is not released", MMU, "__create_pgd_mapping", r"mutex_unlock\(&fixmap_lock\);", ";"),
    ("a memory block goes offline without the hotplug lock", BLOCK, "memory_block_offline",
     r"mem_hotplug_begin\(\);", ";", "memory_block_offline", r"mem_hotplug_done\(\);", ";"),
    ("a memory block goes online without the hotplug lock", BLOCK, "memory_block_online",
     r"mem_hotplug_begin\(\);", ";", "memory_block_online", r"mem_hotplug_done\(\);", ";"),
    # Memory blocks.
    ("boot memory goes offline", MMU, "(?:prevent_memory_remove_notifier|prevent_bootmem_remove_notifier)",
     "return NOTIFY_BAD;", "return NOTIFY_OK;"),
    ("nothing is refused that cuts a leaf", MMU, "can_unmap_without_split", r"return false;", "return true;"),
    ("pages that hold a memmap are given away", BLOCK, "memory_block_online",
     r"start_pfn \+ nr_vmemmap_pages,", "start_pfn,"),
    ("the shadow of a memmap is too small", HOTPLUG, "mhp_init_memmap_on_memory",
     r"PFN_PHYS\(nr_pages\)", "PFN_PHYS(nr_pages / 2)"),
    ("entries are stored without WRITE_ONCE()", PGTABLE, None,
     r"WRITE_ONCE\(\*ptep, pte\);", "*ptep = pte;"),
]
