/* SPDX-License-Identifier: MIT */
#ifndef PGTSIM_TRANSLATE_H
#define PGTSIM_TRANSLATE_H

#include <pgtsim/pgtable.h>

/*
 * The part of pgtsim_translate() from a table on. The table is of level out->level and translates
 * va; out->steps is 0. `tables` has the bits that are set in any table entry above it.
 */
int pgtsim_translate_from(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
			  uint64_t va, uint64_t tables, struct pgtsim_translation *out);

/* Fills in what the leaf out->desc of level out->level says about va, below such tables. */
void pgtsim_translate_leaf(const struct pgtsim_geometry *geo, uint64_t va, uint64_t tables,
			   struct pgtsim_translation *out);

#endif
