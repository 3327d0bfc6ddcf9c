/* SPDX-License-Identifier: MIT */
/*
 * map: pgtsim_map(), in two walks. The first one looks for live entries and counts the tables that
 * are missing. Then all of these are allocated. The second one links and writes, and cannot fail.
 */
#include <errno.h>
#include <inttypes.h>

#include "arch/range.h"
#include "runs.h"

/* A mapping under way: page aligned, [va, last], pa = va + delta. */
struct mapping {
	const struct pgtsim_map *map;
	uint64_t va, last, delta;
	struct pgtsim_table *tables; /* reserved, in the order they will be linked */
	uint64_t needed;             /* tables to reserve */
	bool reserved;               /* all of them were */
	/* If the whole range is zero entries of one table: that table; else NULL. */
	struct pgtsim_table *empty;
	int skipping; /* nothing is mapped below this level: a block skips a table; or NOT_SKIPPING */
};

enum { NOT_SKIPPING = PGTSIM_PTE + 1 };

/* Whether the first entry of [va, last] can be a block: allowed, aligned and covered. */
static bool block_fits(const struct pgtsim_geometry *geo, const struct mapping *m, int level,
		       uint64_t va, uint64_t last)
{
	uint64_t mask = pgtsim_entry_size(geo, level) - 1;

	return m->map->blocks && geo->block[pgtsim_slot(level)] && !(va & mask) &&
	       !((va + m->delta) & mask) && last - va >= mask;
}

/*
 * How many tables mapping [va, last] needs below entries of this level that are zero. Example: 4K
 * pages, level pmd, blocks allowed, from 1M to 7M: one pte table for 1M to 2M, none for the two
 * blocks from 2M to 6M, and one for 6M to 7M.
 */
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

/*
 * How many entries of the run are zero before the first that is not. Of a private table only 0 or
 * all: the walker gives no table entries, so what is not zero is a live leaf, an error. In a shared
 * table another thread may have linked a table since.
 */
static unsigned free_entries(const struct pgtsim_pgtable *pgt, const struct pgtsim_run *run)
{
	if (pgtsim_is_private(pgt))
		return pgtsim_run_live_inline(pgt, run) ? 0 : run->count;
	pgtsim_count_work(pgt, run->count);
	return pgtsim_run_zeros(pgt, run->table, run->index, run->count);
}

static bool is_table(const struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, unsigned index)
{
	return pgtsim_desc_is_table(run->level, pgtsim_entry(pgt, run->table, index));
}

/* An entry of the run is in use: names the first. */
static int in_use(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, unsigned count)
{
	unsigned zeros = pgtsim_run_zeros(pgt, run->table, run->index, count);
	uint64_t size = pgtsim_entry_size(&pgt->geo, run->level);
	uint64_t va = zeros ? (run->va & ~(size - 1)) + zeros * size : run->va;

	return pgtsim_fail(pgt->tlb, -EEXIST,
			   "an entry in this range is in use already: the %s of VA 0x%016" PRIx64,
			   pgtsim_level_name(&pgt->geo, run->level), va);
}

static int prepare_entries(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	struct mapping *m = arg;
	unsigned all = run->count;

	run->count = free_entries(pgt, run);
	if (run->count < all && !is_table(pgt, run, run->index + run->count))
		return in_use(pgt, run, all);
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

/* Up to 6.12 pmd_set_huge() changes nothing where a table stands. */
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

	pgtsim_run_map_inline(pgt, run, run->va + m->delta, m->map->attrs | hint,
			      sync ? PGTSIM_EACH_SYNC : PGTSIM_EACH_SEEN);
}

static void map_part(struct pgtsim_pgtable *pgt, const struct mapping *m,
		     const struct pgtsim_run *run, uint64_t va, uint64_t last, uint64_t hint)
{
	const struct pgtsim_run part = pgtsim_run_part(pgt, run, va, last);

	map_whole(pgt, m, &part, hint);
}

/* Where the pmd is the root, alloc_init_cont_pmd() gets one entry at a time, and no group fits. */
static bool may_hint(const struct pgtsim_pgtable *pgt, const struct mapping *m,
		     const struct pgtsim_run *run)
{
	return m->map->cont && pgtsim_cont_entries(&pgt->geo, run->level) > 1 &&
	       (run->table != pgt->root || run->level == PGTSIM_PTE);
}

/*
 * Maps a run in up to three parts: whole contiguous groups get the hint, a head and a tail do not.
 * Up to 6.12 a group is whole if the mapping covers it, from 7.x on if the run does. The two differ
 * where a table stands inside a group, because a table entry ends a run.
 *
 * Example: 4K ptes, groups of 64K, mask 0xffff. The mapping is 0x8000 to 0x2bfff and the run the
 * same. The first group begins at 0x8000 rounded up, 0x10000; the last one ends before 0x2c000
 * rounded down, at 0x1ffff. Parts: 0x8000 to 0xffff without, 0x10000 to 0x1ffff with, 0x20000 to
 * 0x2bfff without the hint. If the run begins inside the groups, the first is clipped to run->va.
 */
static void map_groups(struct pgtsim_pgtable *pgt, const struct mapping *m,
		       const struct pgtsim_run *run, uint64_t mask)
{
	bool whole = pgt->policy->cont_group == PGTSIM_CONT_GROUP_WHOLE;
	uint64_t start = whole ? run->va : m->va, end = (whole ? run->last : m->last) + 1;
	uint64_t first = (start + mask) & ~mask, last = (end & ~mask) - 1;

	if (first < run->va && first >= start)
		first = run->va;
	if (last > run->last)
		last = run->last;
	if (first < start || first > last || first > run->last || last < run->va) {
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

/* Maps the run, with the contiguous hint where it may be used and VA and PA are alike aligned. */
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

/* Sets where one step from va on ends. Returns whether it maps leaves; else it links one table. */
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
 * Maps [va, last], where the table has zeros only, and all below it. A new table need not be read,
 * so this is faster than a walk.
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

/* The visitors of the two walks. */
struct map_visitors {
	struct pgtsim_visitor prepare, commit;
};

static const struct map_visitors map_visitors = {
	.prepare = { .entries = prepare_entries, .strict = true },
	.commit = { .entries = map_entries },
};

/* The same where a block over a table maps nothing. */
static const struct map_visitors map_visitors_skipping = {
	.prepare = {
		.entries = prepare_entries,
		.table = prepare_table,
		.table_done = prepare_done,
		.strict = true,
	},
	.commit = { .entries = map_entries, .table = map_table },
};

/* Why tables are missing: `got` of them were there. */
static int no_table(struct pgtsim_pgtable *pgt, const struct mapping *m, uint64_t got)
{
	if (got == m->needed)
		return pgtsim_fail_table(pgt,
					 "no memory for one more table: another thread freed one");
	return pgtsim_fail_table(pgt,
				 "no memory for table %" PRIu64 " of the %" PRIu64
				 " that the mapping needs",
				 got + 1, m->needed);
}

/* Maps [va, last], whole pages inside the region. */
static int map_pages(struct pgtsim_pgtable *pgt, const struct pgtsim_map *map, uint64_t va,
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
		return no_table(pgt, &m, got);
	}
	m.reserved = got == m.needed;
	if (m.empty && pgtsim_is_private(pgt))
		ret = map_empty(pgt, &m, m.empty, m.empty->level, va, last);
	else
		ret = pgtsim_walk(pgt, va, last, &visitors->commit, &m);
	pgtsim_tables_release(pgt, &m.tables);
	return ret == -ENOMEM ? no_table(pgt, &m, got) : ret;
}

static int check_map(struct pgtsim_pgtable *pgt, const struct pgtsim_map *map)
{
	uint64_t page = pgtsim_page_size(&pgt->geo);
	int ret = pgtsim_pgtable_check(pgt, map->va, map->size);

	if (ret)
		return ret;
	if (!pgtsim_pa_fits(&pgt->geo, map->pa, map->size))
		return pgtsim_fail(pgt->tlb, -EINVAL,
				   "PA 0x%" PRIx64 "+%s goes beyond %u physical address bits",
				   map->pa, pgtsim_amount(map->size).text, pgt->geo.pa_bits);
	if ((map->va ^ map->pa) & (page - 1))
		return pgtsim_fail(pgt->tlb, -EINVAL,
				   "VA and PA differ in their offset within a page (%s)",
				   pgtsim_amount(page).text);
	return 0;
}

int pgtsim_map(struct pgtsim_pgtable *pgt, const struct pgtsim_map *map)
{
	int ret = pgt && map ? check_map(pgt, map) : -EINVAL;
	struct pgtsim_engine *engine;
	uint64_t mask;

	if (ret)
		return ret;
	engine = pgtsim_engine_of(pgt);
	ret = engine && engine->map ? engine->map(engine, pgt, map) : PGTSIM_ENGINE_OWN;
	if (ret != PGTSIM_ENGINE_OWN)
		return ret;
	mask = pgtsim_page_size(&pgt->geo) - 1;
	return map_pages(pgt, map, map->va & ~mask, (map->va + map->size - 1) | mask);
}
