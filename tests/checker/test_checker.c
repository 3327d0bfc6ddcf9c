/* SPDX-License-Identifier: MIT */
/* checker: each rule of what may still be cached, by itself. */
#include "with_checker.h"

/* ---- contiguous groups ---- */

static const struct {
	unsigned kib, va;
} granules[] = { { 4, 48 }, { 16, 47 }, { 64, 48 } };

struct groups {
	struct fixture f;
	uint64_t va, size;
	unsigned count; /* entries of one group */
};

/* Two groups with the hint, of pages or of blocks. */
static void two_groups(struct groups *g, size_t granule, int level)
{
	const struct pgtsim_geometry geo =
		linux_geometry(granules[granule].kib, granules[granule].va, 0, 48);

	start(&g->f, "linux-5.7", &geo);
	g->size = pgtsim_entry_size(&geo, level);
	g->count = pgtsim_cont_entries(&geo, level);
	g->va = pgtsim_va_start(&geo) + (UINT64_C(1) << 38);
	assert_true(g->count > 1);
	{
		struct pgtsim_map map = linear_map(&g->f, g->va, 0, 2 * g->count * g->size);

		map.blocks = level == PGTSIM_PMD;
		map.cont = true;
		assert_int_equal(pgtsim_map(&g->f.pgt, &map), 0);
	}
}

/* Each row of granules, with groups of pages and of blocks. */
#define for_each_groups(g)                                                                 \
	for (unsigned row_ = 0; row_ < 2 * COUNT(granules); row_++, fixture_drop(&(g)->f)) \
		if (two_groups((g), row_ / 2, row_ % 2 ? PGTSIM_PMD : PGTSIM_PTE), true)

/* Leaf by leaf, all entries of a group but the last can be cached again through those after it. */
static void per_leaf_flush_leaves_all_but_the_last(void **state)
{
	struct groups g;

	(void)state;
	for_each_groups(&g)
	{
		clear(&g.f, g.va, 2 * g.count * g.size, PGTSIM_EACH_FLUSH);
		assert_stale(&g.f, g.va, g.size, 0, g.count - 1, true);
		assert_false(stale_at(&g.f, g.va + (g.count - 1) * g.size));
		assert_stale(&g.f, g.va, g.size, g.count, 2 * g.count - 1, true);
		assert_false(stale_at(&g.f, g.va + (2 * g.count - 1) * g.size));
		pgtsim_tlb_end(&g.f.tlb, g.va, UINT64_MAX);
		assert_int_equal(g.f.tlb.counts.violations, 2);
		assert_int_equal(times_found(&g.f.tlb, PGTSIM_V_STALE_LEAF), 2);
		assert_int_equal(g.f.tlb.violations[0].va, g.va);
		assert_int_equal(g.f.tlb.violations[1].va, g.va + g.count * g.size);
	}
}

/* The end of a range cuts a group: as the rest keeps the hint, not even the last one is clean. */
static void per_leaf_flush_of_part_of_a_group(void **state)
{
	struct groups g;

	(void)state;
	for_each_groups(&g)
	{
		unsigned half = g.count / 2;

		clear(&g.f, g.va, half * g.size, PGTSIM_EACH_FLUSH);
		assert_stale(&g.f, g.va, g.size, 0, half, true);
		assert_stale(&g.f, g.va, g.size, half, 2 * g.count, false);
		/* The rest goes too: its own last entry is clean, nothing covers the first half. */
		clear(&g.f, g.va + half * g.size, half * g.size, PGTSIM_EACH_FLUSH);
		assert_stale(&g.f, g.va, g.size, 0, g.count - 1, true);
		assert_stale(&g.f, g.va, g.size, g.count - 1, 2 * g.count, false);
		/* One more round over it, now that no hint is left. */
		for (unsigned i = 0; i < g.count; i++)
			invalidate_pages(&g.f, PGTSIM_OP_TLBI_LEAF, g.va + i * g.size, 1);
		assert_stale(&g.f, g.va, g.size, 0, 2 * g.count, false);
	}
}

/* The whole group is cleared before the first invalidate: nothing stays. */
static void batched_flush_leaves_none(void **state)
{
	struct groups g;

	(void)state;
	for_each_groups(&g)
	{
		clear(&g.f, g.va, 2 * g.count * g.size, 0);
		assert_stale(&g.f, g.va, g.size, 0, 2 * g.count, true);
		pgtsim_tlb_flush_range(&g.f.tlb, &g.f.pgt.geo, &g.f.policy, g.va,
				       g.va + 2 * g.count * g.size);
		assert_stale(&g.f, g.va, g.size, 0, 2 * g.count, false);
		assert_nothing_told(&g.f);
	}
}

/* A group cut in two keeps its hint: a flush of what went is in vain until the rest has gone. */
static void survivors_keep_the_hint(void **state)
{
	struct groups g;

	(void)state;
	for_each_groups(&g)
	{
		uint64_t pages = g.size / pgtsim_page_size(&g.f.pgt.geo);

		clear(&g.f, g.va, g.size, 0);
		invalidate_pages(&g.f, PGTSIM_OP_TLBI_LEAF, g.va, pages);
		assert_true(stale_at(&g.f, g.va));
		assert_false(stale_at(&g.f, g.va + g.size));
		clear(&g.f, g.va + g.size, (g.count - 1) * g.size, 0);
		invalidate_pages(&g.f, PGTSIM_OP_TLBI_LEAF, g.va + g.size, (g.count - 1) * pages);
		assert_true(stale_at(&g.f, g.va));
		assert_stale(&g.f, g.va, g.size, 1, g.count, false);
		invalidate_pages(&g.f, PGTSIM_OP_TLBI_LEAF, g.va, pages);
		assert_stale(&g.f, g.va, g.size, 0, g.count, false);
	}
}

/* One leaf with the hint where its group has none: the rest may be translated though not mapped. */
static void lone_hint_makes_the_group_stale(void **state)
{
	struct fixture f;
	struct pgtsim_translation at;

	(void)state;
	start_4k(&f, "latest");
	put(&f, VA, 2 * PAGE, false, false);
	assert_int_equal(pgtsim_translate(&f.pgt, VA, &at), 0);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PTE, VA + 4 * PAGE,
				     (at.desc + 4 * PAGE) | PGTSIM_DESC_CONT),
			 0);
	assert_stale(&f, VA, PAGE, 0, 4, true);
	assert_false(stale_at(&f, VA + 4 * PAGE));
	assert_stale(&f, VA, PAGE, 5, 16, true);
	invalidate_pages(&f, PGTSIM_OP_TLBI_LEAF, VA, 16);
	assert_true(stale_at(&f, VA));
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PTE, VA + 4 * PAGE, 0), 0);
	invalidate_pages(&f, PGTSIM_OP_TLBI_LEAF, VA, 16);
	assert_stale(&f, VA, PAGE, 0, 16, false);
	fixture_drop(&f);
}

/* ---- barriers ---- */

enum { END_OF_STEPS = PGTSIM_OP_COUNT, NOTHING = PGTSIM_V_COUNT };

#define END END_OF_STEPS

/* What follows after a page, or a table, is cleared; and what is found then. */
static const struct steps {
	bool table;
	int op[7];
	int found;
} steps_rows[] = {
	{ false, { SHST, LEAF, DSB, CONTEXT, END }, NOTHING },
	{ false, { SHST, WALK, DSB, CONTEXT, END }, NOTHING },
	{ false, { SHST, RANGE, DSB, CONTEXT, END }, NOTHING },
	{ false, { SHST, ALL, DSB, CONTEXT, END }, NOTHING },
	{ false, { DSB, LEAF, DSB, CONTEXT, END }, NOTHING }, /* DSB ISH waits for stores, too */
	{ false, { LEAF, SHST, DSB, CONTEXT, END }, PGTSIM_V_MISSING_BARRIER },
	{ false, { LEAF, DSB, CONTEXT, END }, PGTSIM_V_MISSING_BARRIER },
	{ false, { LEAF, SHST, LEAF, DSB, CONTEXT, END }, NOTHING },
	{ false, { SHST, LEAF, CONTEXT, END }, PGTSIM_V_MISSING_BARRIER },
	{ false, { SHST, LEAF, SHST, CONTEXT, END }, PGTSIM_V_MISSING_BARRIER },
	{ false, { SHST, LEAF, END }, PGTSIM_V_MISSING_BARRIER },
	{ false, { SHST, LEAF, DSB, END }, PGTSIM_V_MISSING_BARRIER },
	{ false, { SHST, DSB, LEAF, CONTEXT, END }, PGTSIM_V_MISSING_BARRIER },
	{ false, { SHST, DSB, CONTEXT, END }, PGTSIM_V_STALE_LEAF },
	{ false, { END }, PGTSIM_V_STALE_LEAF },
	{ true, { SHST, WALK, DSB, CONTEXT, END }, NOTHING },
	{ true, { SHST, ALL, DSB, CONTEXT, END }, NOTHING },
	{ true, { SHST, LEAF, DSB, CONTEXT, END }, PGTSIM_V_WRONG_INVALIDATE },
	{ true, { SHST, RANGE, DSB, CONTEXT, END }, PGTSIM_V_WRONG_INVALIDATE },
	{ true, { SHST, LEAF, WALK, DSB, CONTEXT, END }, NOTHING },
	{ true, { WALK, DSB, CONTEXT, END }, PGTSIM_V_MISSING_BARRIER },
	{ true, { SHST, WALK, CONTEXT, END }, PGTSIM_V_MISSING_BARRIER },
	{ true, { SHST, DSB, CONTEXT, END }, PGTSIM_V_STALE_TABLE },
};

static void take_steps(const struct steps *row, unsigned neighbours)
{
	struct fixture f;

	start_4k(&f, "latest");
	put(&f, VA, (1 + neighbours) * PAGE, false, false);
	clear(&f, VA, (1 + neighbours) * PAGE, 0);
	pgtsim_tlb_flush_range(&f.tlb, &f.pgt.geo, &f.policy, VA, VA + (1 + neighbours) * PAGE);
	if (row->table) {
		assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PMD, VA, 0), 0);
	} else {
		put(&f, VA, (1 + neighbours) * PAGE, false, false);
		clear(&f, VA, (1 + neighbours) * PAGE, 0);
	}
	f.tlb.counts.violations = f.tlb.violation_count = 0;
	for (unsigned i = 0; row->op[i] != END; i++) {
		bool by_va = row->op[i] == LEAF || (row->op[i] == WALK && !row->table);

		send(&f, (enum pgtsim_op)row->op[i], VA, 1 + (by_va ? neighbours : 0),
		     row->op[i] == RANGE ? (1 + neighbours) * PAGE : PAGE);
	}
	if (row->found == NOTHING)
		assert_nothing_told(&f);
	else
		assert_told(&f, 0, (enum pgtsim_violation_name)row->found);
	fixture_drop(&f);
}

/* A store, DSB ISHST, the right invalidate, DSB ISH, ISB: all of it, and in this order. */
static void barriers_and_kinds_in_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(steps_rows); i++)
		for (unsigned neighbours = 0; neighbours < 3; neighbours++)
			take_steps(&steps_rows[i], neighbours);
}

/* The barrier after each leaf of a map is one, for stores before it as well. */
static void barriers_of_a_map_count(void **state)
{
	struct fixture f;

	(void)state;
	start_4k(&f, "linux-6.1");
	put(&f, VA, 2 * PAGE, false, false);
	clear(&f, VA, PAGE, 0);
	put(&f, VA + 2 * PAGE, PAGE, false, false);
	send(&f, LEAF, VA, 1, PAGE);
	pgtsim_tlb_complete(&f.tlb);
	assert_nothing_told(&f);
	assert_false(stale_at(&f, VA));
	fixture_drop(&f);
}

/* So is the barrier after a table of the vmemmap is linked, which has none before. */
static void barriers_of_a_link_count(void **state)
{
	struct pgtsim_map map;
	struct fixture f;

	(void)state;
	start_4k(&f, "latest");
	put(&f, VA, 2 * PAGE, false, false);
	clear(&f, VA, PAGE, 0);
	map = linear_map(&f, VA + 2 * MIB, GIB, PAGE);
	map.region = PGTSIM_REGION_VMEMMAP;
	assert_int_equal(pgtsim_map(&f.pgt, &map), 0);
	send(&f, LEAF, VA, 1, PAGE);
	pgtsim_tlb_complete(&f.tlb);
	assert_false(stale_at(&f, VA));
	fixture_drop(&f);
}

/* What is written before the old value is out of sight keeps it possible all the same. */
static void new_value_does_not_sync_the_old(void **state)
{
	struct fixture f;

	(void)state;
	start_4k(&f, "latest");
	put(&f, VA, 2 * PAGE, false, false);
	pgtsim_tlb_publish(&f.tlb);
	clear(&f, VA, PAGE, 0);
	assert_int_equal(
		pgtsim_poke(&f.pgt, PGTSIM_PTE, VA, pgtsim_desc_leaf(&f.pgt.geo, PGTSIM_PTE, 0, 0)),
		0);
	send(&f, LEAF, VA, 1, PAGE);
	pgtsim_tlb_complete(&f.tlb);
	assert_true(stale_at(&f, VA));
	fixture_drop(&f);
}

/* ---- what invalidates cover ---- */

/* Ranges and runs end where they say. */
static void invalidates_cover_their_pages(void **state)
{
	static const enum pgtsim_op ops[] = { LEAF, RANGE, WALK };

	(void)state;
	for (size_t i = 0; i < COUNT(ops); i++) {
		struct fixture f;

		start_4k(&f, "latest");
		/* Over the end of a table. */
		put(&f, VA + 508 * PAGE, 8 * PAGE, false, false);
		clear(&f, VA + 508 * PAGE, 8 * PAGE, 0);
		invalidate_pages(&f, ops[i], VA + 510 * PAGE, 4);
		assert_stale(&f, VA, PAGE, 508, 510, true);
		assert_stale(&f, VA, PAGE, 510, 514, false);
		assert_stale(&f, VA, PAGE, 514, 516, true);
		invalidate_pages(&f, ALL, 0, 1);
		assert_stale(&f, VA, PAGE, 508, 516, false);
		fixture_drop(&f);
	}
}

/* A block goes with an invalidate of any page in it, and of none beside it. */
static void any_address_of_a_block_will_do(void **state)
{
	static const uint64_t hits[] = { 0, 1, 255, 511 };

	(void)state;
	for (size_t i = 0; i < COUNT(hits); i++) {
		struct fixture f;

		start_4k(&f, "latest");
		put(&f, VA, 2 * MIB, true, false);
		clear(&f, VA, 2 * MIB, 0);
		invalidate_pages(&f, LEAF, VA - PAGE, 1);
		invalidate_pages(&f, LEAF, VA + 2 * MIB, 1);
		assert_true(stale_at(&f, VA));
		invalidate_pages(&f, LEAF, VA + hits[i] * PAGE, 1);
		assert_stale(&f, VA, PAGE, 0, 512, false);
		fixture_drop(&f);
	}
}

/* An invalidate for each block of a run is none for the pages inside them. */
static void flush_of_a_block_is_of_one_page(void **state)
{
	struct fixture f;

	(void)state;
	start_4k(&f, "linux-5.7");
	put(&f, VA, 4 * MIB, false, false);
	clear(&f, VA, 4 * MIB, 0);
	for (uint64_t va = VA; va < VA + 4 * MIB; va += 2 * MIB)
		assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PMD, va, 0), 0);
	put(&f, VA, 4 * MIB, true, false);
	clear(&f, VA, 4 * MIB, PGTSIM_EACH_FLUSH);
	assert_int_equal(entry_at(&f, PGTSIM_PMD, VA), 0);
	for (unsigned i = 0; i < 1024; i++) {
		struct pgtsim_stale stale;
		bool is = pgtsim_may_be_stale(&f.tlb, VA + i * PAGE, &stale);

		assert_true(is);
		assert_int_equal(stale.level, i % 512 ? PGTSIM_PTE : PGTSIM_PMD);
	}
	fixture_drop(&f);
}

/* What faults in a walk is never cached: reserved forms, blocks at levels that have none. */
static void what_cannot_be_walked_is_not_cached(void **state)
{
	static const struct {
		int level;
		uint64_t desc;
	} rows[] = {
		{ PGTSIM_PTE, 0x00e8000080000701 },
		{ PGTSIM_PTE, 0x00e8000080000702 },
		{ PGTSIM_P4D, 0x00e8000080000701 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t va = rows[i].level == PGTSIM_PTE ? VA + PAGE : VA + 2 * TIB;
		struct fixture f;

		start_4k(&f, "latest");
		put(&f, VA, PAGE, false, false);
		assert_int_equal(pgtsim_poke(&f.pgt, rows[i].level, va, rows[i].desc), 0);
		assert_int_equal(pgtsim_poke(&f.pgt, rows[i].level, va, 0), 0);
		assert_nothing_told(&f);
		assert_false(stale_at(&f, va));
		fixture_drop(&f);
	}
}

/* ---- what must not be freed yet ---- */

/*
 * Memory that is freed while a translation to it may be cached: of pages, of blocks, whether or not
 * it is certain that the store is seen.
 */
static void memory_freed_while_cached(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < 4; kind++) {
		bool blocks = kind & 1, published = kind & 2;
		struct fixture f;
		struct pgtsim_event event = { .op = PGTSIM_OP_PAGES_FREE, .level = PGTSIM_PTE };

		start_4k(&f, "latest");
		put(&f, VA, 2 * MIB, blocks, false);
		clear(&f, VA, 2 * MIB, 0);
		if (published)
			pgtsim_tlb_publish(&f.tlb);
		event.pa = PA + 2 * MIB;
		event.count = 7;
		pgtsim_tlb_event(&f.tlb, &event);
		event.pa = PA - PAGE;
		event.count = 1;
		pgtsim_tlb_event(&f.tlb, &event);
		assert_int_equal(f.tlb.counts.violations, 0);
		event.pa = PA + MIB;
		event.count = 1;
		pgtsim_tlb_event(&f.tlb, &event);
		assert_int_equal(f.tlb.counts.violations, 1);
		assert_int_equal(f.tlb.violations[0].name, PGTSIM_V_FREED_WHILE_CACHED);
		assert_int_equal(f.tlb.violations[0].va, blocks ? VA : VA + MIB);
		pgtsim_tlb_flush_range(&f.tlb, &f.pgt.geo, &f.policy, VA, VA + 2 * MIB);
		pgtsim_tlb_event(&f.tlb, &event);
		assert_int_equal(f.tlb.counts.violations, 1);
		fixture_drop(&f);
	}
}

static const struct {
	enum pgtsim_op op;
	bool blocks, by_hand, used, mapped, over;
	unsigned found;
} early_frees[] = {
	{ PGTSIM_OP_PAGES_FREE, false, false, false, false, false, 2 },
	{ PGTSIM_OP_ALTMAP_FREE, false, false, false, false, false, 2 },
	{ PGTSIM_OP_PAGES_FREE, true, false, false, false, false, 1 },
	{ PGTSIM_OP_PAGES_FREE, false, true, false, false, false, 1 },
	{ PGTSIM_OP_PAGES_FREE, false, false, true, false, false, 2 },
	{ PGTSIM_OP_PAGES_FREE, false, false, false, true, false, 0 },
	{ PGTSIM_OP_PAGES_FREE, false, false, false, false, true, 0 },
};

/*
 * Memory that is freed before the leaf that maps it goes: of pages, of blocks, of an altmap, whoever
 * clears, and although it is allocated again. Not if it was mapped anew since, nor if the operation
 * that freed it is over: a page of the page allocator stays in the linear map.
 */
static void memory_freed_while_mapped(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(early_frees) / sizeof(early_frees[0]); i++) {
		struct pgtsim_event event = { .op = early_frees[i].op,
					      .level = PGTSIM_PTE,
					      .count = 2 };
		uint64_t va = VA + (early_frees[i].blocks ? 0 : 5 * PAGE);
		struct fixture f;

		start_4k(&f, "latest");
		put(&f, VA, 2 * MIB, early_frees[i].blocks, false);
		event.pa = PA + 5 * PAGE;
		pgtsim_tlb_event(&f.tlb, &event);
		assert_int_equal(f.tlb.counts.violations, 0);
		event.op = PGTSIM_OP_PAGES_ALLOC;
		if (early_frees[i].used)
			pgtsim_tlb_event(&f.tlb, &event);
		event.op = PGTSIM_OP_MAP;
		event.va = VA + 4 * MIB;
		event.size = PAGE;
		event.new_desc = pgtsim_desc_leaf(&f.pgt.geo, PGTSIM_PTE, event.pa, 0);
		if (early_frees[i].mapped)
			pgtsim_tlb_event(&f.tlb, &event);
		if (early_frees[i].over)
			pgtsim_tlb_end(&f.tlb, VA, VA + (2 * MIB - 1));
		if (early_frees[i].by_hand)
			assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PTE, va, 0), 0);
		else
			clear(&f, VA, 2 * MIB, 0);
		assert_int_equal(f.tlb.counts.violations, early_frees[i].found);
		assert_int_equal(times_found(&f.tlb, PGTSIM_V_FREED_WHILE_MAPPED),
				 early_frees[i].found);
		if (early_frees[i].found)
			assert_int_equal(f.tlb.violations[0].va, va);
		fixture_drop(&f);
	}
}

/* Frames from two places in one table: each is known. */
static void scattered_memory_freed_while_cached(void **state)
{
	struct fixture f;
	struct pgtsim_event event = { .op = PGTSIM_OP_PAGES_FREE, .level = PGTSIM_PTE, .count = 1 };

	(void)state;
	start_4k(&f, "latest");
	for (uint64_t i = 0; i < 8; i++)
		assert_int_equal(
			map_linear(&f, VA + i * PAGE, PA + (7 - i) * 3 * PAGE, PAGE, false), 0);
	clear(&f, VA, 8 * PAGE, 0);
	for (uint64_t i = 0; i < 24; i++) {
		event.pa = PA + i * PAGE;
		pgtsim_tlb_event(&f.tlb, &event);
		assert_int_equal(f.tlb.counts.violations, i / 3 + 1);
		assert_int_equal(f.tlb.violations[i / 3].va, VA + (7 - i / 3) * PAGE);
	}
	fixture_drop(&f);
}

/* A table that is freed before the walk caches have forgotten its entry. */
static void table_freed_while_cached(void **state)
{
	struct fixture f;
	const struct pgtsim_event event = {
		.op = PGTSIM_OP_TABLE_FREE, .level = PGTSIM_PTE, .va = VA, .count = 1
	};
	struct pgtsim_event of_table = event, of_other = event;

	(void)state;
	start_4k(&f, "latest");
	put(&f, VA, PAGE, false, false);
	clear(&f, VA, PAGE, PGTSIM_EACH_FLUSH);
	of_table.pa = entry_run(&f, PGTSIM_PTE, VA).table->pa;
	of_other.pa = of_table.pa + PAGE;
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PMD, VA, 0), 0);
	f.tlb.counts.violations = f.tlb.violation_count = 0;
	pgtsim_tlb_event(&f.tlb, &of_other);
	assert_int_equal(f.tlb.counts.violations, 0);
	pgtsim_tlb_event(&f.tlb, &of_table);
	assert_int_equal(f.tlb.counts.violations, 1);
	assert_int_equal(f.tlb.violations[0].name, PGTSIM_V_TABLE_FREED_WHILE_CACHED);
	pgtsim_tlb_flush_table(&f.tlb, VA);
	pgtsim_tlb_event(&f.tlb, &of_table);
	assert_int_equal(f.tlb.counts.violations, 1);
	fixture_drop(&f);
}

/* A table is freed when its own entry is cleared, not another: checker or none. */
static void table_freed_while_linked(void **state)
{
	(void)state;
	for (unsigned checked = 0; checked < 2; checked++) {
		struct fixture f;
		struct pgtsim_run wrong;
		struct pgtsim_table *table;

		start_4k(&f, "latest");
		if (!checked)
			pgtsim_checker_stop(&f.tlb);
		assert_int_equal(map_linear(&f, VA, PA, PAGE, false), 0);
		assert_int_equal(map_linear(&f, VA + 2 * MIB, PA, PAGE, false), 0);
		clear(&f, VA, PAGE, PGTSIM_EACH_FLUSH);
		clear(&f, VA + 2 * MIB, PAGE, PGTSIM_EACH_FLUSH);
		table = entry_run(&f, PGTSIM_PTE, VA).table;
		wrong = entry_run(&f, PGTSIM_PMD, VA + 2 * MIB);
		pgtsim_table_unlink(&f.pgt, &wrong, table);
		assert_true(times_found(&f.tlb, PGTSIM_V_FREED_WHILE_MAPPED) == 1);
		assert_int_equal(f.tlb.violations[0].va, VA + 2 * MIB);
		fixture_drop(&f);
	}
}

/* ---- writing again ---- */

static const struct {
	uint64_t size; /* of the leaf that goes … */
	uint64_t add;  /* … and what is added to the descriptor that comes */
	int found;
} again_rows[] = {
	{ PAGE, 0, NOTHING },
	{ PAGE, PAGE, PGTSIM_V_NO_BREAK },
	{ PAGE, PGTSIM_DESC_ATTRINDX(3), PGTSIM_V_NO_BREAK },
	{ PAGE, PGTSIM_DESC_CONT, PGTSIM_V_OVERLAPPING_SIZES },
	{ 2 * MIB, 0, NOTHING },
	{ 2 * MIB, 2 * MIB, PGTSIM_V_NO_BREAK },
};

/* An entry may get the same value again at any time, another only when the old one is gone. */
static void writing_again(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * COUNT(again_rows); i++) {
		uint64_t size = again_rows[i / 2].size, desc;
		int level = size == PAGE ? PGTSIM_PTE : PGTSIM_PMD;
		bool flushed = i % 2;
		struct fixture f;

		start_4k(&f, "latest");
		put(&f, VA, size, size > PAGE, false);
		desc = entry_at(&f, level, VA);
		clear(&f, VA, size, 0);
		if (flushed)
			pgtsim_tlb_flush_range(&f.tlb, &f.pgt.geo, &f.policy, VA, VA + size);
		assert_int_equal(pgtsim_poke(&f.pgt, level, VA, desc + again_rows[i / 2].add), 0);
		if (flushed || again_rows[i / 2].found == NOTHING) {
			assert_int_equal(f.tlb.counts.violations, 0);
			assert_false(stale_at(&f, VA));
		} else {
			assert_int_equal(f.tlb.counts.violations, 1);
			assert_int_equal(f.tlb.violations[0].name, again_rows[i / 2].found);
			assert_true(stale_at(&f, VA));
		}
		fixture_drop(&f);
	}
}

/* Pages where a block may be cached, a block where pages may be. */
static void other_sizes_overlap(void **state)
{
	struct fixture f;

	(void)state;
	start_4k(&f, "latest");
	put(&f, VA, 4 * PAGE, false, false);
	clear(&f, VA, 4 * PAGE, 0);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PMD, VA, 0), 0);
	pgtsim_tlb_flush_table(&f.tlb, VA); /* the table, and the first page */
	assert_false(stale_at(&f, VA));
	put(&f, VA, 2 * MIB, true, false);
	assert_int_equal(times_found(&f.tlb, PGTSIM_V_OVERLAPPING_SIZES), 1);
	assert_int_equal(f.tlb.violations[f.tlb.violation_count - 1].va, VA + PAGE);
	invalidate_pages(&f, ALL, 0, 1);
	f.tlb.counts.violations = f.tlb.violation_count = 0;
	clear(&f, VA, 2 * MIB, 0);
	put(&f, VA, PAGE, false, false);
	/* The table in the block's place, and the page under it. */
	assert_int_equal(f.tlb.violations[0].name, PGTSIM_V_NO_BREAK);
	assert_int_equal(f.tlb.violations[1].name, PGTSIM_V_OVERLAPPING_SIZES);
	fixture_drop(&f);
}

/* A page without the hint in a group that may be cached whole: told of the entry and the group. */
static void page_in_a_group(void **state)
{
	struct fixture f;

	(void)state;
	start_4k(&f, "latest");
	put(&f, VA, 16 * PAGE, false, true);
	clear(&f, VA, PAGE, 0);
	pgtsim_tlb_flush_range(&f.tlb, &f.pgt.geo, &f.policy, VA, VA + PAGE);
	put(&f, VA, PAGE, false, false);
	assert_int_equal(times_found(&f.tlb, PGTSIM_V_OVERLAPPING_SIZES), 2);
	assert_true(stale_at(&f, VA));
	fixture_drop(&f);
}

/* After a second old value the first is not forgotten, whatever is written then. */
static void two_old_values(void **state)
{
	struct fixture f;
	uint64_t desc;

	(void)state;
	start_4k(&f, "latest");
	put(&f, VA, PAGE, false, false);
	desc = entry_at(&f, PGTSIM_PTE, VA);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PTE, VA, 0), 0);
		assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PTE, VA, desc + PAGE), 0);
		assert_true(stale_at(&f, VA));
	}
	invalidate_pages(&f, LEAF, VA, 1);
	assert_false(stale_at(&f, VA));
	fixture_drop(&f);
}

/* A block's translation hides no table that a walk cache may hold for the same entry. */
static void table_and_block_of_one_entry(void **state)
{
	struct fixture f;

	(void)state;
	start_4k(&f, "latest");
	put(&f, VA, PAGE, false, false);
	clear(&f, VA, PAGE, PGTSIM_EACH_FLUSH);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PMD, VA, 0), 0);
	put(&f, VA, 2 * MIB, true, false);
	clear(&f, VA, 2 * MIB, PGTSIM_EACH_FLUSH);
	assert_true(stale_at(&f, VA));
	invalidate_pages(&f, LEAF, VA, 512);
	assert_true(stale_at(&f, VA));
	pgtsim_tlb_flush_table(&f.tlb, VA);
	assert_false(stale_at(&f, VA));
	fixture_drop(&f);
}

/* ---- changes in place ---- */

static const struct {
	const char *what;
	uint64_t set, clear; /* bits of the new descriptor */
	bool hint;           /* of a leaf that has it, else of one that has not */
	bool bbml2, rewrite;
	bool breaks;
} change_rows[] = {
	{ "read-only", PGTSIM_DESC_AP2, 0, false, false, false, false },
	{ "no dirty bit management", 0, PGTSIM_DESC_DBM, false, false, false, false },
	{ "executable at EL1", 0, PGTSIM_DESC_PXN, false, false, false, false },
	{ "not global", PGTSIM_DESC_NG, 0, false, false, false, false },
	{ "software bits", PGTSIM_BIT(58) | PGTSIM_BIT(56), PGTSIM_DESC_DIRTY, false, false, false,
	  false },
	{ "not tagged", 0, PGTSIM_DESC_ATTRINDX(1), false, false, false, false },
	{ "device memory", PGTSIM_DESC_ATTRINDX(4), PGTSIM_DESC_ATTRINDX(1), false, false, false,
	  true },
	{ "executable at EL0", 0, PGTSIM_DESC_UXN, false, false, false, false },
	{ "shareability", 0, PGTSIM_DESC_SH_INNER, false, false, false, true },
	{ "access flag", 0, PGTSIM_DESC_AF, false, false, false, false },
	{ "EL0 may access", PGTSIM_DESC_AP1, 0, false, false, false, false },
	{ "guarded page", PGTSIM_DESC_GP, 0, false, false, false, false },
	{ "another page", 1 << 12, 0, false, false, false, true },
	{ "another page, level 2", 1 << 12, 0, false, true, false, true },
	{ "the hint", PGTSIM_DESC_CONT, 0, false, false, false, true },
	{ "the hint, level 2", PGTSIM_DESC_CONT, 0, false, true, false, false },
	{ "no hint", 0, PGTSIM_DESC_CONT, true, false, false, true },
	{ "no hint, level 2", 0, PGTSIM_DESC_CONT, true, true, false, false },
	{ "in a group", PGTSIM_DESC_AP2, 0, true, false, false, true },
	{ "in a group, level 2", PGTSIM_DESC_AP2, 0, true, true, false, false },
	{ "the same in a group", 0, 0, true, false, false, false },
	{ "the same in a group, 7.3", 0, 0, true, false, true, false },
	{ "the same", 0, 0, false, false, false, false },
};

/* The changes of a live leaf that need no break are not reported, the others are. */
static void changes_in_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(change_rows); i++) {
		struct fixture f;
		uint64_t desc;

		start_4k(&f, "latest");
		f.policy.cont_rewrite = change_rows[i].rewrite;
		f.tlb.bbml2 = change_rows[i].bbml2;
		put(&f, VA, 16 * PAGE, false, change_rows[i].hint);
		desc = entry_at(&f, PGTSIM_PTE, VA);
		assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PTE, VA,
					     (desc & ~change_rows[i].clear) | change_rows[i].set),
				 0);
		if (times_found(&f.tlb, PGTSIM_V_NO_BREAK) != change_rows[i].breaks)
			fail_msg("%s: %u violations", change_rows[i].what,
				 (unsigned)f.tlb.counts.violations);
		fixture_drop(&f);
	}
}

/* Global again needs a break, as no software can tell which entries are cached as not global. */
static void global_again_needs_a_break(void **state)
{
	struct fixture f;
	uint64_t desc;

	(void)state;
	start_4k(&f, "latest");
	put(&f, VA, PAGE, false, false);
	desc = entry_at(&f, PGTSIM_PTE, VA);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PTE, VA, desc | PGTSIM_DESC_NG), 0);
	assert_int_equal(f.tlb.counts.violations, 0);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PTE, VA, desc), 0);
	assert_int_equal(times_found(&f.tlb, PGTSIM_V_NO_BREAK), 1);
	fixture_drop(&f);
}

/* Between a block and a table: a break, unless the CPU has level 2. A table's own bits: none. */
static void block_to_table_in_place(void **state)
{
	(void)state;
	for (unsigned bbml2 = 0; bbml2 < 2; bbml2++) {
		struct fixture f;
		uint64_t table, block;

		start_4k(&f, "latest");
		f.tlb.bbml2 = bbml2;
		put(&f, VA, PAGE, false, false);
		put(&f, VA + 2 * MIB, 2 * MIB, true, false);
		table = entry_at(&f, PGTSIM_PMD, VA);
		block = entry_at(&f, PGTSIM_PMD, VA + 2 * MIB) - 2 * MIB;
		assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PMD, VA, table ^ PGTSIM_DESC_PXNTABLE),
				 0);
		assert_int_equal(f.tlb.counts.violations, 0);
		assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PMD, VA, block), 0);
		assert_int_equal(times_found(&f.tlb, PGTSIM_V_NO_BREAK), !bbml2);
		assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PMD, VA, table), 0);
		assert_int_equal(times_found(&f.tlb, PGTSIM_V_NO_BREAK), 2 * !bbml2);
		fixture_drop(&f);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(per_leaf_flush_leaves_all_but_the_last),
	cmocka_unit_test(per_leaf_flush_of_part_of_a_group),
	cmocka_unit_test(batched_flush_leaves_none),
	cmocka_unit_test(survivors_keep_the_hint),
	cmocka_unit_test(lone_hint_makes_the_group_stale),
	cmocka_unit_test(barriers_and_kinds_in_order),
	cmocka_unit_test(barriers_of_a_map_count),
	cmocka_unit_test(barriers_of_a_link_count),
	cmocka_unit_test(new_value_does_not_sync_the_old),
	cmocka_unit_test(invalidates_cover_their_pages),
	cmocka_unit_test(any_address_of_a_block_will_do),
	cmocka_unit_test(flush_of_a_block_is_of_one_page),
	cmocka_unit_test(what_cannot_be_walked_is_not_cached),
	cmocka_unit_test(memory_freed_while_cached),
	cmocka_unit_test(memory_freed_while_mapped),
	cmocka_unit_test(scattered_memory_freed_while_cached),
	cmocka_unit_test(table_freed_while_cached),
	cmocka_unit_test(table_freed_while_linked),
	cmocka_unit_test(writing_again),
	cmocka_unit_test(other_sizes_overlap),
	cmocka_unit_test(page_in_a_group),
	cmocka_unit_test(two_old_values),
	cmocka_unit_test(table_and_block_of_one_entry),
	cmocka_unit_test(changes_in_place),
	cmocka_unit_test(global_again_needs_a_break),
	cmocka_unit_test(block_to_table_in_place),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
