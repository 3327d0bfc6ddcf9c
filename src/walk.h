/* SPDX-License-Identifier: MIT */
/*
 * walk: the one walker of all levels and granules, and what an operation needs that walks.
 *
 * Where the range lies below one entry at a time, and it is noted where these lead, a walk is in
 * line: with a visitor that the compiler knows, it calls nothing. All else is pgtsim_walk_table().
 */
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

	if (!table->children || !pgtsim_is_private(pgt) ||
	    !pgtsim_desc_is_table(level, table->entries[index]))
		return NULL;
	child = table->children[index];
	return child && child->level == level + 1 ? child : NULL;
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

/* The lowest bit above all in which two addresses differ. */
static inline unsigned pgtsim_width(uint64_t va, uint64_t last)
{
	return va == last ? 0 : 64 - (unsigned)__builtin_clzll(va ^ last);
}

/*
 * One step down: makes the run of the entry that translates all of [va, last], which differ in
 * `width` bits. Returns the table it leads to, if there is such an entry, and that is noted.
 */
static inline struct pgtsim_table *pgtsim_step_down(const struct pgtsim_pgtable *pgt,
						    struct pgtsim_run *run,
						    struct pgtsim_table *table, int level,
						    uint64_t va, unsigned width)
{
	if (width > pgt->geo.shift[pgtsim_slot(level)])
		return NULL;
	run->table = table;
	run->level = level;
	run->index = pgtsim_index(&pgt->geo, level, va);
	run->count = 1;
	return pgtsim_noted_child(pgt, table, level, run->index);
}

/* The lowest table that translates all of [va, last], as far as it is noted. */
static inline struct pgtsim_table *pgtsim_lowest_table(const struct pgtsim_pgtable *pgt,
						       uint64_t va, uint64_t last)
{
	struct pgtsim_table *table = pgt->root, *child;
	unsigned width = pgtsim_width(va, last);
	int level = table->level;
	struct pgtsim_run run;

	while ((child = pgtsim_step_down(pgt, &run, table, level, va, width))) {
		table = child;
		level++;
	}
	pgtsim_count_work(pgt, (unsigned)(level - pgt->root->level));
	return table;
}

/* The table that the run's entry points to, or NULL, noted as a violation. */
struct pgtsim_table *pgtsim_child_of(const struct pgtsim_pgtable *pgt,
				     const struct pgtsim_run *run);

/* The walk of a table, one of that level, and all below. */
int pgtsim_walk_table(struct pgtsim_pgtable *pgt, struct pgtsim_table *table, int level,
		      uint64_t va, uint64_t last, const struct pgtsim_visitor *visitor, void *arg);

/* Whether a walk of [va, last] meets a single entry of this table, and that is empty. */
static inline bool pgtsim_meets_nothing(const struct pgtsim_pgtable *pgt,
					const struct pgtsim_table *table, int level, uint64_t va,
					uint64_t last)
{
	return pgtsim_width(va, last) <= pgt->geo.shift[pgtsim_slot(level)] &&
	       pgtsim_is_private(pgt) &&
	       !pgtsim_access_plain(table, pgtsim_index(&pgt->geo, level, va));
}

/* A walk in a table that begins in the lowest one it can. */
static inline int pgtsim_walk_lowest(struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
				     int level, uint64_t va, uint64_t last,
				     const struct pgtsim_visitor *visitor, void *arg)
{
	struct pgtsim_run run;
	int result;

	if (level == PGTSIM_PTE) {
		if (visitor->no_pages)
			return 0;
	} else if (!pgtsim_meets_nothing(pgt, table, level, va, last)) {
		return pgtsim_walk_table(pgt, table, level, va, last, visitor, arg);
	} else if (table->live) {
		pgtsim_count_work(pgt, 2);
	}
	if (!visitor->entries)
		return 0;
	pgtsim_set_run(&pgt->geo, &run, table, level, va, last);
	result = visitor->entries(pgt, &run, arg);
	if (result == PGTSIM_WALK_AGAIN)
		return pgtsim_walk_table(pgt, table, level, run.va, last, visitor, arg);
	return result;
}

/* pgtsim_walk() of a range that is right. */
static inline int pgtsim_walk_inline(struct pgtsim_pgtable *pgt, uint64_t va, uint64_t last,
				     const struct pgtsim_visitor *visitor, void *arg)
{
	struct pgtsim_run way[PGTSIM_MAX_LEVELS], *run = way;
	struct pgtsim_table *table = pgt->root, *child;
	unsigned width = pgtsim_width(va, last);
	int level = table->level, result;

	if (visitor->table && level < PGTSIM_PTE)
		return pgtsim_walk_table(pgt, table, level, va, last, visitor, arg);
	while ((child = pgtsim_step_down(pgt, run, table, level, va, width))) {
		run->va = va;
		run->last = last;
		run++;
		table = child;
		level++;
	}
	pgtsim_count_work(pgt, (unsigned)(run - way));
	result = pgtsim_walk_lowest(pgt, table, level, va, last, visitor, arg);
	while (!result && visitor->table_done && run > way) {
		run--;
		result = visitor->table_done(pgt, run, table, arg);
		table = run->table;
		if (result == PGTSIM_WALK_AGAIN)
			result = pgtsim_walk_table(pgt, table, run->level, run->va, last, visitor,
						   arg);
	}
	return result;
}

#endif
