/* SPDX-License-Identifier: MIT */
/*
 * Among the kernel's functions, before vmap_range_noflush() and vunmap_range(): what they need. Tables
 * of core mm have a constructor if those of __create_pgd_mapping() have; earlier ones are not counted.
 */
#undef pte_alloc_kernel_track
#undef pmd_alloc_track
#undef pud_alloc_track
#undef p4d_alloc_track
#undef __pmd_alloc
#undef __pud_alloc
#undef __p4d_alloc
#define __pmd_alloc KC_LOCAL(__pmd_alloc)
#define __pud_alloc KC_LOCAL(__pud_alloc)
#define __p4d_alloc KC_LOCAL(__p4d_alloc)

static inline void *kc_new_table(void)
{
	struct ptdesc *table = pagetable_alloc(0, 0);

	if (!table)
		return NULL;
	if (KC_CONSTRUCTS)
		kc_construct(page_to_phys(ptdesc_page(table)));
	return kc_memory(page_to_phys(ptdesc_page(table)));
}

static inline void kc_free_table(void *table)
{
	if (KC_CONSTRUCTS)
		kc_destruct(kc_address(table));
	free_page((unsigned long)table);
}

#define pte_alloc_one_kernel(mm) ((pte_t *)kc_new_table())
#define pmd_alloc_one(mm, va) ((pmd_t *)kc_new_table())
#define pud_alloc_one(mm, va) ((pud_t *)kc_new_table())
#define p4d_alloc_one(mm, va) ((p4d_t *)kc_new_table())
#define pte_free_kernel(mm, table) kc_free_table(table)
#define pmd_free(mm, table) kc_free_table(table)
#define pud_free(mm, table) kc_free_table(table)
#define p4d_free(mm, table) kc_free_table(table)
#define mm_inc_nr_pmds(mm) ((void)0)
#define mm_inc_nr_puds(mm) ((void)0)
/* Kernel tables have this one lock, which the source calls ptl, too. */
#define pud_lock(mm, pud) (kc_lock("ptl"), NULL)

/* A lock that is tried is waited for: ptdump has it, and leaves it. */
#define mmap_read_trylock(mm) (kc_lock("mmap_lock"), true)
#define scoped_cond_guard(kind, fail, ...) KC_SCOPE(KC_TRIED_##kind(__VA_ARGS__))

#define CONFIG_HAVE_ARCH_HUGE_VMAP 1
#define ARCH_PAGE_TABLE_SYNC_MASK 0
#define PGTBL_P4D_MODIFIED 0
#define PGTBL_PGD_MODIFIED 0
#define arch_sync_kernel_mappings(start, end) ((void)0)
#define arch_vmap_p4d_supported(prot) false
#define p4d_set_huge(p4d, pa, prot) 0
#define p4d_free_pud_page(p4d, va) 0
#define might_sleep() ((void)0)
#define dump_page(page, reason) ((void)(page))
#if KC_VMAP_GROUPS
#define CONFIG_HUGETLB_PAGE 1
#define __hugetlb_valid_size(size) true
typedef unsigned long vm_flags_t;
/* Of entries that are valid already, which vmap_pte_range() refuses. */
#define clear_flush(mm, va, pte, size, count) BUG()
#define pr_warn(...) ((void)0)
#define ilog2(size) ((unsigned)__builtin_ctzl(size))
#endif
#undef pfn_valid
#define pfn_valid(pfn) ((void)(pfn), false)
#undef PFN_DOWN
#define PFN_DOWN(size) ((size) >> PAGE_SHIFT)
