/* SPDX-License-Identifier: MIT */
/* Among the kernel's functions, before ptdump's walk: nobody reads what it would print. */
static inline void kc_note_nothing(void)
{
}
#undef pgd_page
#define pgd_page(pgd) NULL
#ifndef ptep_get_lockless
#define ptep_get_lockless(pte) ptep_get(pte)
#endif
/* No directory of huge pages, and no memory of user space. */
typedef struct {
	unsigned long pd;
} hugepd_t;
#define is_hugepd(pd) ((void)(pd), false)
#define __hugepd(value) ((hugepd_t){ value })
#define walk_hugepd_range(...) 0
#define pmd_trans_unstable(pmd) false
#define pud_trans_unstable(pud) false
