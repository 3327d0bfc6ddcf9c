/* SPDX-License-Identifier: MIT */
#include "walk.h"

#include <errno.h>

/*
 * How many entries from the run's first on are no tables. `known` is the index up to which that
 * is known but for the first, so that a visitor that fills a table entry by entry does not make
 * the walk quadratic; other threads may change what is known.
 */
static unsigned count_no_tables(const struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
				unsigned *known)
{
	const struct pgtsim_table *table = run->table;
	unsigned count = 1;

	if (!pgtsim_is_private(pgt)) {
		count = pgtsim_access_no_tables(pgt, table, run->index, run->count);
	} else if (pgtsim_desc_is_table(run->level, pgtsim_access_plain(table, run->index))) {
		count = 0;
	} else if (run->index >= *known) {
		count = pgtsim_access_no_tables(pgt, table, run->index, run->count);
		*known = run->index + count;
	} else {
		pgtsim_count_work(pgt, 1);
		return *known - run->index;
	}
	pgtsim_count_work(pgt, count + 1);
	return count;
}

/*
 * Makes the run from va on: entries that are no tables, or (count 0) one table, *child if it is
 * noted.
 */
static inline void next_run(const struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
			    unsigned *known, struct pgtsim_table **child)
{
	*child = NULL;
	if (run->level == PGTSIM_PTE)
		return;
	*child = pgtsim_noted_child(pgt, run->table, run->level, run->index);
	if (*child) {
		run->count = 0;
		pgtsim_count_work(pgt, 1);
	} else if (!pgtsim_is_private(pgt) || run->table->live) {
		run->count = count_no_tables(pgt, run, known);
	} else {
		*known = run->index + run->count;
	}
}

struct pgtsim_table *pgtsim_child_of(const struct pgtsim_pgtable *pgt, const struct pgtsim_run *run)
{
	uint64_t desc = pgtsim_access_read(pgt, run->table, run->index);
	struct pgtsim_table *child = pgtsim_find_child(pgt, run->level, desc);

	if (child)
		return child;
	pgtsim_tlb_violation(pgt->tlb, PGTSIM_V_NOT_A_TABLE, run->va, run->level,
			     "entry 0x%016llx points to no table of the next level",
			     (unsigned long long)desc);
	return NULL;
}

static int walk_table(struct pgtsim_pgtable *pgt, struct pgtsim_table *table, int level,
		      uint64_t va, uint64_t last, const struct pgtsim_visitor *visitor, void *arg);

static int visit_child(struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
		       struct pgtsim_table *child, const struct pgtsim_visitor *visitor, void *arg)
{
	int result = 0;

	if (!child)
		child = pgtsim_child_of(pgt, run);
	if (!child)
		return visitor->strict ? -EFAULT : 0;
	if (visitor->table)
		result = visitor->table(pgt, run, child, arg);
	if (result)
		return result == PGTSIM_WALK_SKIP ? 0 : result;
	if (!visitor->no_pages || run->level + 1 < PGTSIM_PTE)
		result = walk_table(pgt, child, run->level + 1, run->va, run->last, visitor, arg);
	if (!result && visitor->table_done)
		result = visitor->table_done(pgt, run, child, arg);
	return result;
}

static int walk_table(struct pgtsim_pgtable *pgt, struct pgtsim_table *table, int level,
		      uint64_t va, uint64_t last, const struct pgtsim_visitor *visitor, void *arg)
{
	unsigned known = 0;

	for (;;) {
		struct pgtsim_table *child;
		struct pgtsim_run run;
		int result = 0;

		pgtsim_set_run(&pgt->geo, &run, table, level, va, last);
		next_run(pgt, &run, &known, &child);
		if (run.count) {
			pgtsim_end_run(&pgt->geo, &run, last);
			if (visitor->entries)
				result = visitor->entries(pgt, &run, arg);
		} else {
			run.count = 1;
			pgtsim_end_run(&pgt->geo, &run, last);
			result = visit_child(pgt, &run, child, visitor, arg);
		}
		if (result == PGTSIM_WALK_AGAIN) {
			va = run.va;
			continue;
		}
		if (result || run.last == last)
			return result;
		va = run.last + 1;
	}
}

int pgtsim_walk(struct pgtsim_pgtable *pgt, uint64_t va, uint64_t last,
		const struct pgtsim_visitor *visitor, void *arg)
{
	if (va < pgtsim_va_start(&pgt->geo) || last < va)
		return -EINVAL;
	if (visitor->no_pages && pgt->root->level == PGTSIM_PTE)
		return 0;
	return walk_table(pgt, pgt->root, pgt->root->level, va, last, visitor, arg);
}
