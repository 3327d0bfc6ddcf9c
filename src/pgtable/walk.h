/* SPDX-License-Identifier: MIT */
/* walk: from an entry to the table it points to, and runs of a table. */
#ifndef PGTSIM_WALK_H
#define PGTSIM_WALK_H

#include "access.h"
#include "arch/address.h"

/* Counts entries that the library itself handled, written or lazy. */
static inline void pgtsim_count_work(const struct pgtsim_pgtable *pgt, uint64_t entries)
{
	pgtsim_count(pgt->tlb, &pgt->tlb->counts.work_entries, entries);
}

/* The record of the table at pa, or NULL. A simulated memory is searched without a call. */
static inline struct pgtsim_table *pgtsim_find_table(const struct pgtsim_pgtable *pgt, uint64_t pa)
{
	if (pgt->ops.find == pgtsim_memory_find_op)
		return pgtsim_directory_find(pgt->ops.ctx, pa);
	return pgt->ops.find(pgt->ops.ctx, pa);
}

/* The table of the next level that a table entry points to. NULL if there is none. */
static inline struct pgtsim_table *pgtsim_find_child(const struct pgtsim_pgtable *pgt, int level,
						     uint64_t desc)
{
	struct pgtsim_table *child =
		pgtsim_find_table(pgt, pgtsim_table_address(&pgt->geo, level, desc));

	return child && child->level == level + 1 ? child : NULL;
}

/*
 * The table that an entry of a private table points to, from the child cache. NULL if it is not
 * cached, or if the cached table was freed and handed out for another level since.
 */
static inline struct pgtsim_table *pgtsim_child_at(const struct pgtsim_pgtable *pgt,
						   const struct pgtsim_table *table, int level,
						   unsigned index)
{
	struct pgtsim_table *child;

	if (!pgtsim_is_private(pgt))
		return NULL;
	child = pgtsim_cached_child(table, index);
	if (!child || child->level != level + 1)
		return NULL;
	/* Read last: a table with a cached child is not lazy, another one may have no entries. */
	return pgtsim_desc_is_table(level, table->entries[index]) ? child : NULL;
}

/*
 * Begins a run of a table at the entry that translates va. Field by field, here and below: a struct
 * that is built elsewhere and copied would make the host wait for its own stores.
 */
static inline void pgtsim_run_at(const struct pgtsim_geometry *geo, struct pgtsim_run *run,
				 struct pgtsim_table *table, int level, uint64_t va)
{
	run->table = table;
	run->level = level;
	run->index = pgtsim_index(geo, level, va);
	run->va = va;
}

/* Ends a run with the entry that translates `last`. */
static inline void pgtsim_run_until(const struct pgtsim_geometry *geo, struct pgtsim_run *run,
				    uint64_t last)
{
	run->count = pgtsim_index(geo, run->level, last) - run->index + 1;
	run->last = last;
}

/* Sets the run of a table that translates [va, last]. */
static inline void pgtsim_set_run(const struct pgtsim_geometry *geo, struct pgtsim_run *run,
				  struct pgtsim_table *table, int level, uint64_t va, uint64_t last)
{
	pgtsim_run_at(geo, run, table, level, va);
	pgtsim_run_until(geo, run, last);
}

/* Sets run->last from the run's count: the last address its entries translate, at most `last`. */
static inline void pgtsim_end_run(const struct pgtsim_geometry *geo, struct pgtsim_run *run,
				  uint64_t last)
{
	uint64_t size = pgtsim_entry_size(geo, run->level);
	uint64_t end = (run->va | (size - 1)) + ((uint64_t)run->count - 1) * size;

	run->last = end < last ? end : last;
}

/* pgtsim_walk() of a range that pgtsim_pgtable_check() has looked at. */
int pgtsim_walk_inside(struct pgtsim_pgtable *pgt, uint64_t va, uint64_t last,
		       const struct pgtsim_visitor *visitor, void *arg);

/* The table that the run's first entry points to. If there is none: NULL, and a violation. */
struct pgtsim_table *pgtsim_child_of(const struct pgtsim_pgtable *pgt,
				     const struct pgtsim_run *run);

#endif
