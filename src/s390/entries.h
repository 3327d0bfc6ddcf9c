/* SPDX-License-Identifier: MIT */
/* entries: what an s390 kernel writes to its tables. A part of s390. */
#ifndef PGTSIM_ENTRIES_H
#define PGTSIM_ENTRIES_H

#include <pgtsim/pgtable.h>

/* The attributes of a leaf, as they are kept. */
uint64_t pgtsim_s390_leaf(const struct pgtsim_pgtable *pgt, int level);

/* The entry of `level` that points to the table at pa. */
uint64_t pgtsim_s390_table(const struct pgtsim_pgtable *pgt, int level, uint64_t pa);

/*
 * split_pud_page(): a table of segments takes the place of the 2G leaf at run->va, by one CRDTE. False,
 * with nothing done, without memory for the table.
 */
bool pgtsim_s390_split(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run);

#endif
