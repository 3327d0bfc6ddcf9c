/* SPDX-License-Identifier: MIT */
/* walk: what the one walker of all levels and granules shares with operations that use it. */
#ifndef PGTSIM_WALK_H
#define PGTSIM_WALK_H

#include "access.h"
#include "oa.h"

/* Entries that the library itself dealt with, written or implied. */
static inline void pgtsim_count_work(const struct pgtsim_pgtable *pgt, uint64_t entries)
{
	pgtsim_count(pgt->tlb, &pgt->tlb->counts.work_entries, entries);
}

/* The record of the table at pa; without a call if it is one of a simulated memory's. */
static inline struct pgtsim_table *pgtsim_find_table(const struct pgtsim_pgtable *pgt, uint64_t pa)
{
	if (pgt->ops.find == pgtsim_directory_lookup)
		return pgtsim_directory_find(pgt->ops.ctx, pa);
	return pgt->ops.find(pgt->ops.ctx, pa);
}

/* The table of the next level that an entry of a table leads to; NULL if there is none. */
static inline struct pgtsim_table *pgtsim_find_child(const struct pgtsim_pgtable *pgt, int level,
						     uint64_t desc)
{
	struct pgtsim_table *child =
		pgtsim_find_table(pgt, pgtsim_oa(&pgt->geo, pgt->geo.page_shift, desc));

	return child && child->entries && child->level == level + 1 ? child : NULL;
}

/* The same if it is noted where the entry leads, and nobody else looks at it or changes it. */
static inline struct pgtsim_table *pgtsim_noted_child(const struct pgtsim_pgtable *pgt,
						      const struct pgtsim_table *table, int level,
						      unsigned index)
{
	struct pgtsim_table *child;

	if (!pgtsim_is_private(pgt))
		return NULL;
	child = pgtsim_table_noted(table, index);
	if (!child || child->level != level + 1)
		return NULL;
	/* Now, as only a table that is not implied notes anything: another may have no entries. */
	return pgtsim_desc_is_table(level, table->entries[index]) ? child : NULL;
}

/*
 * Makes the run of a table that translates [va, last]. Written in place, here and below: copying
 * what was written piece by piece a moment ago would wait until all stores to tables are done.
 */
static inline void pgtsim_set_run(const struct pgtsim_geometry *geo, struct pgtsim_run *run,
				  struct pgtsim_table *table, int level, uint64_t va, uint64_t last)
{
	run->table = table;
	run->level = level;
	run->index = pgtsim_index(geo, level, va);
	run->count = pgtsim_index(geo, level, last) - run->index + 1;
	run->va = va;
	run->last = last;
}

/* Sets the last address that the run's entries translate, or `last` if that is lower. */
static inline void pgtsim_end_run(const struct pgtsim_geometry *geo, struct pgtsim_run *run,
				  uint64_t last)
{
	uint64_t size = pgtsim_entry_size(geo, run->level);
	uint64_t end = pgtsim_entry_base(geo, run->level, run->va) + run->count * size - 1;

	run->last = end < last ? end : last;
}

/* The table that the run's entry points to, or NULL, noted as a violation. */
struct pgtsim_table *pgtsim_child_of(const struct pgtsim_pgtable *pgt,
				     const struct pgtsim_run *run);

#endif
