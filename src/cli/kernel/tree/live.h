/* SPDX-License-Identifier: MIT */
/*
 * Among the kernel's functions, before those that change live mappings: what they need. Those that
 * go through a vmalloc area are called without it and without the linear alias of its pages.
 */
#define change_memory_common(va, pages, set, clear) \
	__change_memory_common(va, PAGE_SIZE *(pages), set, clear)

/* From here on a struct page is where its page is mapped in the linear map. */
#undef page_address
#define page_address(page) ((void *)(page))
#define phys_to_virt(pa) kc_memory(pa)

/* Splits. What linear_map_requires_bbml3 says is asked again before each call. */
static bool linear_map_requires_bbml3;
#define linear_map_requires_bbml2 linear_map_requires_bbml3
#define is_kfence_address(va) false
#define page_alloc_available true
#define num_online_cpus() 1
#define __ffs(word) ((unsigned long)__builtin_ctzl(word))
#define ALIGN_DOWN(x, size) ((x) & ~((__typeof__(x))(size)-1))
#define PAGE_ALIGNED(x) IS_ALIGNED((unsigned long)(x), PAGE_SIZE)

/* Walks of kernel tables: nothing of user space, and no hole is ever filled. */
typedef int spinlock_t;
typedef int (*pte_fn_t)(pte_t *pte, unsigned long addr, void *data);
typedef unsigned pgtbl_mod_mask;
#define PGTBL_PTE_MODIFIED 0
#define PGTBL_PMD_MODIFIED 0
#define PGTBL_PUD_MODIFIED 0
#undef TASK_SIZE
#define TASK_SIZE 0
#define pte_offset_map(pmd, va) pte_offset_kernel(pmd, va)
#define pte_offset_map_lock(mm, pmd, va, lock) ((void)(lock), pte_offset_kernel(pmd, va))
#define pte_alloc_map_lock(mm, pmd, va, lock) pte_offset_map_lock(mm, pmd, va, lock)
#define pte_alloc_kernel_track(pmd, va, mask) pte_offset_kernel(pmd, va)
#define pmd_alloc_track(mm, pud, va, mask) pmd_offset(pud, va)
#define pud_alloc_track(mm, p4d, va, mask) pud_offset(p4d, va)
#define p4d_alloc_track(mm, pgd, va, mask) p4d_offset(pgd, va)
#define pte_unmap(pte) ((void)(pte))
#define pte_unmap_unlock(pte, lock) ((void)(pte))
#define __pte_alloc(mm, pmd) (-ENOMEM)
#undef __pmd_alloc
#define __pmd_alloc(mm, pud, va) (-ENOMEM)
#undef __pud_alloc
#define __pud_alloc(mm, p4d, va) (-ENOMEM)
#undef __p4d_alloc
#define __p4d_alloc(mm, pgd, va) (-ENOMEM)
#define pmd_clear_bad(pmd) BUG()
#define pud_clear_bad(pud) BUG()
#define p4d_clear_bad(p4d) BUG()
#define pgd_clear_bad(pgd) BUG()
#define split_huge_pmd(vma, pmd, va) BUG()
#define split_huge_pud(vma, pud, va) BUG()
#undef pmd_trans_huge
#define pmd_trans_huge(pmd) false
#undef pud_trans_huge
#define pud_trans_huge(pud) false
#undef update_mmu_cache
#define update_mmu_cache(vma, va, pte) ((void)0)
#ifndef pgd_leaf
#define pgd_leaf(pgd) false
#endif
#ifndef p4d_leaf
#define p4d_leaf(p4d) false
#endif
#ifndef arch_enter_lazy_mmu_mode
#define arch_enter_lazy_mmu_mode() ((void)0)
#define arch_leave_lazy_mmu_mode() ((void)0)
#endif

/* vunmap_range() clears pages, which are entries again from here on, and blocks but none of a p4d. */
#define p4d_clear_huge(p4d) 0
#define kmsan_vunmap_range_noflush(start, end) ((void)0)
#define flush_cache_vunmap(start, end) ((void)0)
