# SPDX-License-Identifier: MIT
"""The files and functions of a kernel that extract.py takes, by name."""

# Not in every release that is supported.
LATER = ["include/linux/pgalloc.h"]
ASM = "arch/arm64/include/asm/"
FOLDED = ["pgtable-nopmd.h", "pgtable-nopud.h", "pgtable-nop4d.h"]
FILES = ["Makefile", "arch/arm64/mm/mmu.c", "mm/sparse-vmemmap.c", "mm/sparse.c",
         "mm/memory_hotplug.c", "mm/memremap.c", "include/linux/mmzone.h",
         "include/linux/memremap.h", "include/linux/mm.h", "include/linux/pgtable.h",
         "include/linux/pgalloc.h"]
FILES += [ASM + name for name in ("memory.h", "pgtable-hwdef.h", "pgtable-types.h",
                                  "pgtable-prot.h", "pgtable.h", "pgalloc.h", "tlbflush.h")]
FILES += ["include/asm-generic/" + name for name in FOLDED]

MMU_C = "arch/arm64/mm/mmu.c"
VMEMMAP_C = "mm/sparse-vmemmap.c"

# Changes of live mappings: only where a tree has them all.
PAGEATTR_C = "arch/arm64/mm/pageattr.c"
MEMORY_C = "mm/memory.c"
PAGEWALK_C = "mm/pagewalk.c"
PAGEWALK_H = "include/linux/pagewalk.h"
HUGETLB_C = "arch/arm64/mm/hugetlbpage.c"
VMALLOC_C = "mm/vmalloc.c"
VMALLOC_H = ASM + "vmalloc.h"
TRACK_H = "mm/pgalloc-track.h"
PTDUMP_C = "mm/ptdump.c"
PTDUMP_H = "include/linux/ptdump.h"
BLOCK_C = "drivers/base/memory.c"
BLOCK_H = "include/linux/memory.h"
LIVE_FILES = [PAGEATTR_C, MEMORY_C, PAGEWALK_C, PAGEWALK_H, HUGETLB_C, VMALLOC_C, VMALLOC_H, TRACK_H,
              PTDUMP_C, PTDUMP_H, BLOCK_C, BLOCK_H]
ALL_FILES = FILES + LIVE_FILES

# By name, in the order of the output. A name that a release does not have is left out, and
# what needs it does not compile.
MEMORY = ["PHYS_OFFSET", "PAGE_END", "__phys_to_virt"]
FLUSH = ["__TLBI_VADDR", "MAX_TLBI_OPS", "MAX_DVM_OPS", "TLBI_TTL_UNKNOWN", "TLBF_NONE",
         "TLBF_NOWALKCACHE", "TLBF_NOSYNC", "TLBF_NONOTIFY", "TLBF_NOBROADCAST",
         "__TLBI_RANGE_PAGES", "MAX_TLBI_RANGE_PAGES", "__TLBI_RANGE_NUM", "vaale1is",
         "__tlbi_sync_s1ish", "__tlbi_sync_s1ish_kernel", "__flush_tlb_range_op",
         "__flush_s1_tlb_range_op", "__flush_tlb_range_limit_excess", "flush_tlb_all",
         "flush_tlb_kernel_range", "__flush_tlb_kernel_pgtable"]
GENERIC = ["pte_index", "pmd_index", "pud_index", "pgd_index", "pte_offset_kernel", "pmd_offset",
           "pud_offset", "pgd_offset_pgd", "pgd_offset", "pgd_offset_k", "pgd_addr_end",
           "p4d_addr_end", "pud_addr_end", "pmd_addr_end", "ptep_get", "pmdp_get", "set_pte_at",
           "kernel_pte_init", "pmd_init", "pud_init"]
ALTMAP = ["vmemmap_alloc_block", "vmem_altmap_next_pfn", "vmem_altmap_nr_free",
          "altmap_alloc_block_buf", "vmemmap_alloc_block_buf"]
VMEMMAP = ["vmemmap_verify", "vmemmap_pte_populate", "vmemmap_alloc_block_zero",
           "kernel_pte_init", "pmd_init", "pud_init", "vmemmap_pmd_populate",
           "vmemmap_pud_populate", "vmemmap_p4d_populate", "vmemmap_pgd_populate",
           "vmemmap_populate_address", "vmemmap_populate_range", "vmemmap_populate_basepages"]
MMU_FIRST = ["NO_BLOCK_MAPPINGS", "NO_CONT_MAPPINGS", "NO_EXEC_MAPPINGS", "set_swapper_pgd",
             "pgattr_change_is_safe", "pud_set_huge", "pmd_set_huge", "vmemmap_set_pmd",
             "vmemmap_check_pmd"]
MMU = ["use_1G_block", "init_clear_pgtable", "init_pte", "pte_range_has_valid_noncont", "alloc_init_cont_pte",
       "init_pmd", "pmd_range_has_valid_noncont", "alloc_init_cont_pmd",
       "alloc_init_pud", "alloc_init_p4d", "__create_pgd_mapping_locked", "__create_pgd_mapping",
       "__pgd_pgtable_alloc", "pgd_pgtable_alloc_init_mm_gfp", "pgd_pgtable_alloc_init_mm",
       "force_pte_mapping", "free_hotplug_page_range", "free_hotplug_pgtable_page",
       "pgtable_range_aligned", "unmap_hotplug_pte_range", "unmap_hotplug_pmd_range",
       "unmap_hotplug_pud_range", "unmap_hotplug_p4d_range", "unmap_hotplug_range",
       "free_empty_pte_table", "free_empty_pmd_table", "free_empty_pud_table",
       "free_empty_p4d_table", "free_empty_tables", "vmemmap_populate", "vmemmap_free",
       "__remove_pgd_mapping"]
# The generic ones, where arm64 has none of its own.
WEAK = ["vmemmap_set_pmd", "vmemmap_check_pmd"]
SECTIONS = ["PFN_SECTION_SHIFT", "PAGES_PER_SECTION", "PAGE_SECTION_MASK", "pfn_to_section_nr",
            "section_nr_to_pfn", "SECTION_ALIGN_UP", "SECTION_ALIGN_DOWN", "SUBSECTION_SHIFT",
            "PFN_SUBSECTION_SHIFT", "PAGES_PER_SUBSECTION", "SUBSECTIONS_PER_SECTION",
            "subsection_map_index"]
SPARSE = ["__populate_section_memmap", "subsection_mask_set", "populate_section_memmap",
          "depopulate_section_memmap", "free_map_bootmem", "clear_subsection_map",
          "is_subsection_map_empty", "fill_subsection_map", "section_deactivate",
          "section_activate", "sparse_add_section", "sparse_remove_section"]
HOTPLUG = ["check_pfn_span", "__add_pages", "__remove_section", "__remove_pages"]
ARCH = ["inside_linear_region", "arch_add_memory", "arch_remove_memory"]
WALK_TYPES = [("enum", "page_walk_lock"), ("enum", "page_walk_action"), ("struct", "mm_walk_ops"),
              ("struct", "mm_walk")]
WALK = ["real_depth", "walk_pte_range_inner", "walk_pte_range", "walk_pmd_range", "walk_pud_range",
        "walk_p4d_range", "walk_pgd_range", "check_ops_safe", "walk_kernel_page_table_range_lockless"]
WALK_HELPERS = ["pgdp_get", "p4dp_get", "pudp_get", "pgd_none_or_clear_bad",
                "p4d_none_or_clear_bad", "pud_none_or_clear_bad", "pmd_none_or_clear_bad"]
SPLIT = ["split_contpte", "split_pmd", "split_contpmd", "split_pud", "split_kernel_leaf_mapping_locked",
         "split_kernel_leaf_mapping"]
APPLY = ["apply_to_pte_range", "apply_to_pmd_range", "apply_to_pud_range", "apply_to_p4d_range",
         "__apply_to_page_range", "apply_to_page_range"]
CHANGE = ["set_pageattr_masks", "pageattr_pud_entry", "pageattr_pmd_entry", "pageattr_pte_entry",
          "change_page_range", "pageattr_ops", "update_range_prot", "__change_memory_common"]
VUNMAP = ["vunmap_pte_range", "vunmap_pmd_range", "vunmap_pud_range", "vunmap_p4d_range",
          "__vunmap_range_noflush", "vunmap_range_noflush", "vunmap_range"]
# What each level needs stands apart: where the level is folded there is none.
ALLOC = {"P4D": "__p4d_alloc", "PUD": "__pud_alloc", "PMD": "__pmd_alloc"}
HUGE_PTE = ["num_contig_ptes", "get_clear_contig", "set_huge_pte_at",
            "huge_ptep_get_and_clear", "arch_make_huge_pte"]
HUGE_TABLES = ["pmd_free_pte_page", "pud_free_pmd_page"]
VMAP = ["vmap_pte_range", "vmap_try_huge_pmd", "vmap_pmd_range", "vmap_try_huge_pud", "vmap_pud_range",
        "vmap_try_huge_p4d", "vmap_p4d_range", "vmap_range_noflush"]
SET_MEMORY = ["set_memory_ro", "set_memory_rw", "set_memory_nx", "set_memory_x", "set_memory_valid",
              "set_direct_map_invalid_noflush", "set_direct_map_default_noflush"]
# Memory blocks: arm64's notifier, by either name, and who asks it.
NOTIFIERS = ["prevent_memory_remove_notifier", "prevent_bootmem_remove_notifier"]
SPLITS = ["addr_splits_kernel_leaf", "can_unmap_without_split"]
SHADOW = ["mhp_init_memmap_on_memory", "mhp_deinit_memmap_on_memory"]
BLOCK = ["memory_block_online", "memory_block_offline"]
PTDUMP_WALK = ["walk_page_range_novma", "walk_page_range_debug"]
PTDUMP = ["ptdump_pgd_entry", "ptdump_p4d_entry", "ptdump_pud_entry", "ptdump_pmd_entry", "ptdump_pte_entry",
          "ptdump_hole", "ptdump_ops", "ptdump_walk_pgd"]
