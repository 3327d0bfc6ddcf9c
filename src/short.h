/* SPDX-License-Identifier: MIT */
/*
 * short: mappings of a few pages that come and go, in a straight line. A range below one entry of
 * each upper table, on a page table of one thread that nobody watches, is a way down and one run:
 * no visitor and no event is needed. What is not quite so is left to map.c and teardown.c, which
 * do the same to all; tests hold both together.
 */
#ifndef PGTSIM_SHORT_H
#define PGTSIM_SHORT_H

#include "runs.h"

/* Levels are told by their slot, as they index arrays: that of a table below one is slot + 1. */
enum { PTE_SLOT = PGTSIM_PTE + 1 };

/* The entries that translate a short range, from the root down as far as tables are noted. */
struct way {
	struct pgtsim_table *table[PGTSIM_MAX_LEVELS];
	unsigned index[PGTSIM_MAX_LEVELS];
};

/* pgtsim_map() of [va, last], whole pages, checked, whether it is short or not. In map.c. */
int pgtsim_map_range(struct pgtsim_pgtable *pgt, const struct pgtsim_map *map, uint64_t va,
		     uint64_t last);

/* pgtsim_unmap_range() and pgtsim_free_tables() of [va, last], checked. In short_unmap.c. */
int pgtsim_unmap_and_free(struct pgtsim_pgtable *pgt, uint64_t va, uint64_t last, uint64_t floor,
			  uint64_t ceiling);

static inline unsigned root_slot(const struct pgtsim_geometry *geo)
{
	return pgtsim_slot(pgtsim_root_level(geo));
}

static inline unsigned index_at(const struct pgtsim_geometry *geo, unsigned slot, uint64_t va)
{
	return pgtsim_index(geo, (int)slot - 1, va);
}

/*
 * Whether a range is short is asked in two parts, and the way down gone between them: it waits for
 * memory, and the earlier it begins the less.
 */
static inline bool is_below_a_table(const struct pgtsim_pgtable *pgt, uint64_t va, uint64_t last)
{
	return !((va ^ last) >> pgt->geo.shift[PTE_SLOT - 1]) && pgt->geo.levels > 1 &&
	       pgtsim_is_private(pgt);
}

static inline bool is_straight(const struct pgtsim_pgtable *pgt)
{
	return pgtsim_is_plain(pgt) && pgtsim_implies(pgt) && !pgt->poked;
}

/* Returns the slot of the last table on the way. */
static inline unsigned go_down(const struct pgtsim_pgtable *pgt, uint64_t va, struct way *way)
{
	struct pgtsim_table *table = pgt->root;
	unsigned slot = root_slot(&pgt->geo);

	for (;; slot++) {
		unsigned index = index_at(&pgt->geo, slot, va);
		struct pgtsim_table *child;

		way->table[slot] = table;
		way->index[slot] = index;
		if (slot == PTE_SLOT)
			return slot;
		child = pgtsim_table_noted(table, index);
		/* Who frees a table that is linked finds no way there any more. */
		if (!child || child->level != (int)slot)
			return slot;
		table = child;
	}
}

#endif
