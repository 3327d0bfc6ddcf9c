/* SPDX-License-Identifier: MIT */
/* map: pgtsim_map(), first all of it that may fail, then all that may not. A part of pgtable. */
#include <errno.h>

#include "runs.h"
#include "short.h"

/* A mapping under way: page aligned, [va, last], pa = va + delta. */
struct mapping {
	const struct pgtsim_map *map;
	uint64_t va, last, delta;
	struct pgtsim_table *tables; /* reserved, in the order they will be linked */
	uint64_t needed;             /* tables to reserve */
	bool reserved;               /* all of them were */
	/* Nothing is there but entries of this one, all zero; NULL if there is more. */
	struct pgtsim_table *empty;
	int skipping; /* the level below which nothing is mapped; above pte: none */
};

enum { NOT_SKIPPING = PGTSIM_PTE + 1 };

static bool block_fits(const struct pgtsim_geometry *geo, const struct mapping *m, int level,
		       uint64_t va, uint64_t last)
{
	uint64_t mask = pgtsim_entry_size(geo, level) - 1;

	return m->map->blocks && geo->block[pgtsim_slot(level)] && !(va & mask) &&
	       !((va + m->delta) & mask) && last - va >= mask;
}

/* Tables that mapping [va, last] needs below empty entries of this level. */
static uint64_t tables_below(const struct pgtsim_geometry *geo, const struct mapping *m, int level,
			     uint64_t va, uint64_t last)
{
	unsigned shift = geo->shift[pgtsim_slot(level)];
	uint64_t mask = pgtsim_entry_size(geo, level) - 1;
	uint64_t head, tail;

	if (level == PGTSIM_PTE)
		return 0;
	if (!m->map->blocks || !geo->block[pgtsim_slot(level)] || (m->delta & mask))
		return (last >> shift) - (va >> shift) + 1 +
		       tables_below(geo, m, level + 1, va, last);
	head = va & mask ? 1 : 0;
	if (head && (va | mask) >= last)
		return 1 + tables_below(geo, m, level + 1, va, last);
	if (head)
		head += tables_below(geo, m, level + 1, va, va | mask);
	tail = (last & mask) != mask ? 1 : 0;
	if (tail)
		tail += tables_below(geo, m, level + 1, last & ~mask, last);
	return head + tail;
}

/* How many entries of a run are free; others may have linked a table since it was looked at. */
static unsigned free_entries(const struct pgtsim_pgtable *pgt, const struct pgtsim_run *run)
{
	if (pgtsim_is_private(pgt))
		return pgtsim_runs_live(pgt, run) ? 0 : run->count;
	pgtsim_count_work(pgt, run->count);
	return pgtsim_run_zeros(pgt, run->table, run->index, run->count);
}

static bool is_table(const struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, unsigned index)
{
	return pgtsim_desc_is_table(run->level, pgtsim_entry(pgt, run->table, index));
}

static int prepare_entries(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	struct mapping *m = arg;
	unsigned all = run->count;

	run->count = free_entries(pgt, run);
	if (run->count < all && !is_table(pgt, run, run->index + run->count))
		return -EEXIST;
	if (!run->count)
		return PGTSIM_WALK_AGAIN;
	pgtsim_end_run(&pgt->geo, run, run->last);
	if (run->va == m->va && run->last == m->last && m->skipping == NOT_SKIPPING)
		m->empty = run->table;
	if (run->level <= m->skipping)
		m->needed += tables_below(&pgt->geo, m, run->level, run->va, run->last);
	if (run->count == all)
		return 0;
	run->va = run->last + 1;
	return PGTSIM_WALK_AGAIN;
}

/* pmd_set_huge() over a table changes nothing, up to 6.12. */
static bool skips_table(const struct pgtsim_pgtable *pgt, const struct mapping *m,
			const struct pgtsim_run *run)
{
	return pgt->policy->block_over_table == PGTSIM_OVER_TABLE_SKIP &&
	       block_fits(&pgt->geo, m, run->level, run->va, run->last);
}

static int prepare_table(struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
			 struct pgtsim_table *child, void *arg)
{
	struct mapping *m = arg;

	(void)child;
	if (m->skipping == NOT_SKIPPING && skips_table(pgt, m, run))
		m->skipping = run->level;
	return 0;
}

static int prepare_done(struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
			struct pgtsim_table *child, void *arg)
{
	struct mapping *m = arg;

	(void)pgt;
	(void)child;
	if (m->skipping == run->level)
		m->skipping = NOT_SKIPPING;
	return 0;
}

static inline void map_whole(struct pgtsim_pgtable *pgt, const struct mapping *m,
			     const struct pgtsim_run *run, uint64_t hint)
{
	bool sync = run->level < PGTSIM_PTE || !pgtsim_deferred_barriers(pgt);

	pgtsim_runs_map(pgt, run, run->va + m->delta, m->map->attrs | hint,
			sync ? PGTSIM_EACH_SYNC : 0);
}

static void map_part(struct pgtsim_pgtable *pgt, const struct mapping *m,
		     const struct pgtsim_run *run, uint64_t va, uint64_t last, uint64_t hint)
{
	const struct pgtsim_run part = pgtsim_run_part(pgt, run, va, last);

	map_whole(pgt, m, &part, hint);
}

/* alloc_init_cont_pmd() sees one entry at a time where the pmd is the root: no group fits. */
static bool may_hint(const struct pgtsim_pgtable *pgt, const struct mapping *m,
		     const struct pgtsim_run *run)
{
	return m->map->cont && pgtsim_cont_entries(&pgt->geo, run->level) > 1 &&
	       (run->table != pgt->root || run->level == PGTSIM_PTE);
}

/* Maps a run of which whole contiguous groups get the hint. */
static void map_groups(struct pgtsim_pgtable *pgt, const struct mapping *m,
		       const struct pgtsim_run *run, uint64_t mask)
{
	uint64_t first = (m->va + mask) & ~mask, last = ((m->last + 1) & ~mask) - 1;

	if (first < run->va && first >= m->va)
		first = run->va;
	if (last > run->last)
		last = run->last;
	if (first < m->va || first > last || first > run->last || last < run->va) {
		map_whole(pgt, m, run, 0);
		return;
	}
	if (first == run->va && last == run->last) {
		map_whole(pgt, m, run, PGTSIM_DESC_CONT);
		return;
	}
	if (first > run->va)
		map_part(pgt, m, run, run->va, first - 1, 0);
	map_part(pgt, m, run, first, last, PGTSIM_DESC_CONT);
	if (last < run->last)
		map_part(pgt, m, run, last + 1, run->last, 0);
}

/* Maps the run; contiguous groups that lie wholly inside the mapping get the hint. */
static void map_leaves(struct pgtsim_pgtable *pgt, const struct mapping *m,
		       const struct pgtsim_run *run)
{
	uint64_t mask = (pgtsim_entry_size(&pgt->geo, run->level)
			 << pgt->geo.cont[pgtsim_slot(run->level)]) -
			1;

	if (may_hint(pgt, m, run) && !(m->delta & mask))
		map_groups(pgt, m, run, mask);
	else
		map_whole(pgt, m, run, 0);
}

/* How far one step from va on goes. Returns whether it maps leaves, not one entry by a table. */
static bool next_step(const struct pgtsim_geometry *geo, const struct mapping *m, int level,
		      uint64_t va, uint64_t last, uint64_t *end)
{
	uint64_t mask = pgtsim_entry_size(geo, level) - 1;

	*end = last;
	if (level == PGTSIM_PTE)
		return true;
	if (block_fits(geo, m, level, va, last)) {
		*end = va + ((last - va + 1) & ~mask) - 1;
		return true;
	}
	if ((va | mask) < last)
		*end = va | mask;
	return false;
}

/*
 * Maps [va, last], of which the table holds nothing so far, and all below: what a new table holds
 * need not be asked.
 */
static int map_empty(struct pgtsim_pgtable *pgt, struct mapping *m, struct pgtsim_table *table,
		     int level, uint64_t va, uint64_t last)
{
	for (;;) {
		struct pgtsim_table *child = m->tables;
		struct pgtsim_run run;
		uint64_t end;
		bool leaves = next_step(&pgt->geo, m, level, va, last, &end);

		pgtsim_set_run(&pgt->geo, &run, table, level, va, end);
		if (leaves) {
			map_leaves(pgt, m, &run);
		} else {
			int ret = -ENOMEM;

			if (child)
				pgtsim_table_link(pgt, &run, &m->tables, m->map->table_attrs,
						  m->map->region);
			if (child)
				ret = map_empty(pgt, m, child, level + 1, va, end);
			if (ret)
				return ret;
		}
		if (end == last)
			return 0;
		va = end + 1;
	}
}

static int map_entries(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	struct mapping *m = arg;

	if (pgtsim_is_private(pgt))
		return map_empty(pgt, m, run->table, run->level, run->va, run->last);
	if (run->level == PGTSIM_PTE) {
		map_leaves(pgt, m, run);
		return 0;
	}
	if (block_fits(&pgt->geo, m, run->level, run->va, run->last)) {
		uint64_t size = pgtsim_entry_size(&pgt->geo, run->level);
		uint64_t last = run->va + ((run->last - run->va + 1) & ~(size - 1)) - 1;
		const struct pgtsim_run blocks = pgtsim_run_part(pgt, run, run->va, last);

		map_leaves(pgt, m, &blocks);
		run->va = last + 1;
		return last == run->last ? 0 : PGTSIM_WALK_AGAIN;
	}
	if (!m->tables && !(m->reserved && pgtsim_tables_reserve(pgt, 1, &m->tables)))
		return -ENOMEM;
	pgtsim_table_link(pgt, run, &m->tables, m->map->table_attrs, m->map->region);
	return PGTSIM_WALK_AGAIN;
}

static int map_table(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, struct pgtsim_table *child,
		     void *arg)
{
	(void)child;
	return skips_table(pgt, arg, run) ? PGTSIM_WALK_SKIP : 0;
}

/* First all that may fail, then all that may not. */
struct map_visitors {
	struct pgtsim_visitor prepare, commit;
};

static const struct map_visitors map_visitors = {
	.prepare = { .entries = prepare_entries, .strict = true },
	.commit = { .entries = map_entries },
};

/* Where a table that stands in a block's way is left as it is. */
static const struct map_visitors map_visitors_skipping = {
	.prepare = {
		.entries = prepare_entries,
		.table = prepare_table,
		.table_done = prepare_done,
		.strict = true,
	},
	.commit = { .entries = map_entries, .table = map_table },
};

int pgtsim_map_range(struct pgtsim_pgtable *pgt, const struct pgtsim_map *map, uint64_t va,
		     uint64_t last)
{
	bool skips = map->blocks && pgt->policy->block_over_table == PGTSIM_OVER_TABLE_SKIP;
	const struct map_visitors *visitors = skips ? &map_visitors_skipping : &map_visitors;
	struct mapping m = {
		.map = map,
		.va = va,
		.last = last,
		.delta = map->pa - map->va,
		.skipping = NOT_SKIPPING,
	};
	uint64_t got;
	int ret;

	pgtsim_events_begin(pgt->tlb, PGTSIM_OP_BEGIN_MAP, va, last);
	ret = pgtsim_walk(pgt, va, last, &visitors->prepare, &m);
	if (ret)
		return ret;
	got = pgtsim_tables_reserve(pgt, m.needed, &m.tables);
	if (got < m.needed && pgt->policy->map_failure == PGTSIM_ROLLBACK) {
		pgtsim_tables_release(pgt, &m.tables);
		return -ENOMEM;
	}
	m.reserved = got == m.needed;
	if (m.empty && pgtsim_is_private(pgt))
		ret = map_empty(pgt, &m, m.empty, m.empty->level, va, last);
	else
		ret = pgtsim_walk(pgt, va, last, &visitors->commit, &m);
	pgtsim_tables_release(pgt, &m.tables);
	return ret;
}
