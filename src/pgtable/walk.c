/* SPDX-License-Identifier: MIT */
#include "walk.h"

#include <errno.h>
#include <inttypes.h>

#include <pgtsim/format.h>

/*
 * How many entries from the run's first on are no table entries.
 *
 * `known`: entries below this index were seen before and are no table entries. A visitor that fills
 * a table one entry at a time restarts the walk after each. Without `known` every restart would scan
 * the rest of the table again. Example: 512 calls, each of which links a table at the first entry,
 * would read 512 + 511 + ... = 131,328 entries; with `known` they read about 1,500. Only the first entry is
 * read again, as the visitor may just have written it. In a shared table nothing stays known.
 */
static unsigned count_no_tables(const struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
				unsigned *known)
{
	const struct pgtsim_table *table = run->table;
	unsigned count = 1;

	if (!pgtsim_is_private(pgt)) {
		count = pgtsim_access_no_tables(pgt, table, run->index, run->count);
	} else if (pgtsim_desc_is_table(run->level,
					pgtsim_access_read_private(table, run->index))) {
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
 * Sets the run's count: entries up to `last` that are no table entries, or 0 if the first one is a table
 * entry. Its child is returned if it is cached, else NULL.
 */
static inline struct pgtsim_table *next_run(const struct pgtsim_pgtable *pgt,
					    struct pgtsim_run *run, uint64_t last, unsigned *known)
{
	struct pgtsim_table *child = NULL;

	if (run->level < PGTSIM_PTE)
		child = pgtsim_child_at(pgt, run->table, run->level, run->index);
	if (child) {
		run->count = 0;
		pgtsim_count_work(pgt, 1);
		return child;
	}
	pgtsim_run_until(&pgt->geo, run, last);
	if (run->level >= PGTSIM_PTE)
		return NULL;
	if (!pgtsim_is_private(pgt) || run->table->live)
		run->count = count_no_tables(pgt, run, known);
	else
		*known = run->index + run->count;
	return NULL;
}

struct pgtsim_table *pgtsim_child_of(const struct pgtsim_pgtable *pgt, const struct pgtsim_run *run)
{
	uint64_t desc = pgtsim_access_read(pgt, run->table, run->index);
	struct pgtsim_table *child = pgtsim_find_child(pgt, run->level, desc);

	if (child)
		return child;
	pgtsim_tlb_violation(pgt->tlb, PGTSIM_V_NOT_A_TABLE, run->va, run->level,
			     "entry 0x%016llx points to no table of the next level",
			     (unsigned long long)pgtsim_desc_to_raw(&pgt->geo, run->level, desc));
	return NULL;
}

/* What stays the same while a walk goes down. */
struct walk {
	struct pgtsim_pgtable *pgt;
	const struct pgtsim_visitor *visitor;
	void *arg;
	int last_level; /* of the entries that it visits */
};

static int walk_table(const struct walk *walk, struct pgtsim_table *table, int level, uint64_t va,
		      uint64_t last);

static int fault(const struct pgtsim_pgtable *pgt, const struct pgtsim_run *run)
{
	return pgtsim_fail(pgt->tlb, -EFAULT, "the %s of VA 0x%016" PRIx64 " points to no table",
			   pgtsim_level_name(&pgt->geo, run->level), run->va);
}

static int loop(const struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, uint64_t va)
{
	if (run->va == va)
		return pgtsim_fail(pgt->tlb, -ELOOP,
				   "the visitor's entries() wants VA 0x%016" PRIx64
				   " looked at again and again, and does not move on",
				   va);
	return pgtsim_fail(pgt->tlb, -ELOOP,
			   "the visitor's entries() moved from VA 0x%016" PRIx64 " to 0x%016" PRIx64
			   ", back or out of the range",
			   va, run->va);
}

/*
 * Visits a table entry. *child is its table if that is cached, else it is looked up. Afterwards it is
 * NULL if what is below is left out.
 */
static int visit_entry(const struct walk *walk, struct pgtsim_run *run, struct pgtsim_table **child)
{
	const struct pgtsim_visitor *visitor = walk->visitor;
	int result = 0;

	if (!*child)
		*child = pgtsim_child_of(walk->pgt, run);
	if (!*child)
		return visitor->strict ? fault(walk->pgt, run) : 0;
	if (visitor->table)
		result = visitor->table(walk->pgt, run, *child, walk->arg);
	if (!result)
		return 0;
	*child = NULL;
	return result == PGTSIM_WALK_SKIP ? 0 : result;
}

static int visit_child(const struct walk *walk, struct pgtsim_run *run, struct pgtsim_table *child)
{
	int result = 0;

	if (run->level < walk->last_level)
		result = walk_table(walk, child, run->level + 1, run->va, run->last);
	if (!result && walk->visitor->table_done)
		result = walk->visitor->table_done(walk->pgt, run, child, walk->arg);
	return result;
}

/* Whether nothing remains to be done for an entry of this level after what is below it. */
static bool goes_down_only(const struct walk *walk, int level)
{
	return !walk->visitor->table_done && level < walk->last_level;
}

/* How often a visitor wanted the entry of one address looked at again without moving on. */
struct idle {
	uint64_t va;
	unsigned times;
};

/*
 * Whether a visitor that wants its run looked at again gets that: it has moved on inside the range,
 * or has not moved for only a few times. Once is not enough, as another thread may take away a table
 * that it has just linked.
 */
static bool may_look_again(uint64_t va, uint64_t moved_to, uint64_t last, struct idle *idle)
{
	enum { IDLE_MAX = 1000 };

	if (moved_to < va || moved_to > last)
		return false;
	idle->times = moved_to == va && idle->va == va ? idle->times + 1 : 0;
	idle->va = va;
	return idle->times <= IDLE_MAX;
}

static int walk_table(const struct walk *walk, struct pgtsim_table *table, int level, uint64_t va,
		      uint64_t last)
{
	struct pgtsim_pgtable *pgt = walk->pgt;
	struct idle idle = { 0 };
	unsigned known = 0;

	for (;;) {
		struct pgtsim_table *child;
		struct pgtsim_run run;
		int result = 0;

		pgtsim_run_at(&pgt->geo, &run, table, level, va);
		child = next_run(pgt, &run, last, &known);
		if (run.count) {
			pgtsim_end_run(&pgt->geo, &run, last);
			if (walk->visitor->entries)
				result = walk->visitor->entries(pgt, &run, walk->arg);
		} else {
			run.count = 1;
			pgtsim_end_run(&pgt->geo, &run, last);
			result = visit_entry(walk, &run, &child);
			if (child && run.last == last && goes_down_only(walk, level)) {
				table = child;
				level++;
				known = 0;
				idle = (struct idle){ 0 };
				continue;
			}
			if (child)
				result = visit_child(walk, &run, child);
		}
		if (result == PGTSIM_WALK_AGAIN) {
			if (!may_look_again(va, run.va, last, &idle))
				return loop(pgt, &run, va);
			va = run.va;
			continue;
		}
		if (result || run.last == last)
			return result;
		va = run.last + 1;
	}
}

int pgtsim_walk_inside(struct pgtsim_pgtable *pgt, uint64_t va, uint64_t last,
		       const struct pgtsim_visitor *visitor, void *arg)
{
	const struct walk walk = {
		.pgt = pgt,
		.visitor = visitor,
		.arg = arg,
		.last_level = visitor->no_pages ? PGTSIM_PTE - 1 : PGTSIM_PTE,
	};
	uint8_t busy;
	int ret;

	if (pgt->root->level > walk.last_level)
		return 0;
	busy = pgtsim_busy_begin(pgt, PGTSIM_BUSY_VISITOR);
	ret = walk_table(&walk, pgt->root, pgt->root->level, va, last);
	pgtsim_busy_end(pgt, busy);
	return ret;
}

int pgtsim_walk(struct pgtsim_pgtable *pgt, uint64_t va, uint64_t last,
		const struct pgtsim_visitor *visitor, void *arg)
{
	if (!pgt || !visitor || !pgt->root)
		return -EINVAL;
	if (last < va)
		return pgtsim_fail(pgt->tlb, -EINVAL,
				   "the range ends (0x%" PRIx64 ") before it begins (0x%" PRIx64
				   ")",
				   last, va);
	if (!pgtsim_va_inside(&pgt->geo, va) || !pgtsim_va_inside(&pgt->geo, last))
		return pgtsim_pgtable_check(pgt, va, last - va + 1);
	return pgtsim_walk_inside(pgt, va, last, visitor, arg);
}
