/* SPDX-License-Identifier: MIT */
/*
 * check: the invariants that hold between operations. Looks in; what is wrong becomes a violation.
 */
#ifndef PGTSIM_CHECK_H
#define PGTSIM_CHECK_H

#include <pgtsim/pgtable.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Checks a page table: each table's record against its memory, each table reached once, and as
 * many reached as are counted live. Returns how many violations it added to pgt->tlb.
 */
PGTSIM_API uint64_t pgtsim_check(struct pgtsim_pgtable *pgt);

#ifdef __cplusplus
}
#endif

#endif
