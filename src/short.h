/* SPDX-License-Identifier: MIT */
/*
 * short: mappings of a few pages that come and go, in a straight line. A range below one entry of
 * each upper table, on a page table of one thread that nobody watches, is a way down and one run:
 * no visitor and no event is needed. What is not quite so is left to map.c and teardown.c, which
 * do the same to all; tests hold both together.
 */
#ifndef PGTSIM_SHORT_H
#define PGTSIM_SHORT_H

#include <pgtsim/pgtable.h>

enum { PGTSIM_NOT_SHORT = 1 };

/* pgtsim_map() of [va, last], whole pages, checked. Or PGTSIM_NOT_SHORT: nothing was done. */
int pgtsim_short_map(struct pgtsim_pgtable *pgt, const struct pgtsim_map *map, uint64_t va,
		     uint64_t last);

/* pgtsim_unmap_range() and pgtsim_free_tables() of [va, last], checked. Or false: the same. */
bool pgtsim_short_unmap(struct pgtsim_pgtable *pgt, uint64_t va, uint64_t last, uint64_t floor,
			uint64_t ceiling);

#endif
