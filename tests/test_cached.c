/* SPDX-License-Identifier: MIT */
/* cached: each rule of what may still be cached, by itself; and what machines make of it. */
#include "hotplug.h"

/* The checker's records, not the library's copy of them: allocations must fail on demand. */
static unsigned allocations_left = UINT32_MAX, allocations_failed;

static void *failing_calloc(size_t count, size_t size)
{
	if (allocations_left == 0) {
		allocations_failed++;
		return NULL;
	}
	allocations_left--;
	return calloc(count, size);
}

#define calloc failing_calloc
#include "records.c"
#undef calloc

#define VA UINT64_C(0xffff000040000000)
#define PA UINT64_C(0x80000000)
#define PAGE UINT64_C(4096)

/* ---- a page table with a checker ---- */

static void start(struct fixture *f, const char *profile_name, const struct pgtsim_geometry *geo)
{
	const struct pgtsim_policy policy = profile(profile_name);

	fixture_init(f, &policy, geo);
	assert_int_equal(pgtsim_checker_start(&f->tlb, &f->pgt.geo, &f->policy), 0);
}

static void start_4k(struct fixture *f, const char *profile_name)
{
	const struct pgtsim_geometry geo = linux_geometry(4, 48, 0, 48);

	start(f, profile_name, &geo);
}

static void put(struct fixture *f, uint64_t va, uint64_t size, bool blocks, bool cont)
{
	struct pgtsim_map map = linear_map(f, va, PA + (va - VA), size);

	map.blocks = blocks;
	map.cont = cont;
	assert_int_equal(pgtsim_map(&f->pgt, &map), 0);
}

static void send(struct fixture *f, enum pgtsim_op op, uint64_t va, uint64_t count, uint64_t size)
{
	const struct pgtsim_event event = {
		.op = op, .level = PGTSIM_PTE, .va = va, .count = count, .size = size
	};

	pgtsim_tlb_event(&f->tlb, &event);
}

/* DSB ISHST, `op` on [va, va + pages), DSB ISH, ISB. */
static void invalidate_pages(struct fixture *f, enum pgtsim_op op, uint64_t va, uint64_t pages)
{
	uint64_t page = pgtsim_page_size(&f->pgt.geo);

	pgtsim_tlb_publish(&f->tlb);
	if (op == PGTSIM_OP_TLBI_RANGE)
		send(f, op, va, 1, pages * page);
	else
		send(f, op, va, pages, page);
	pgtsim_tlb_complete(&f->tlb);
}

static int clear_run(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	pgtsim_run_clear(pgt, run, pgtsim_run_live(pgt, run), *(unsigned *)arg);
	return 0;
}

/* Clears the leaves of [va, va + size) and does what the flags say, no more. */
static void clear(struct fixture *f, uint64_t va, uint64_t size, unsigned flags)
{
	static const struct pgtsim_visitor visitor = { .entries = clear_run };

	assert_int_equal(pgtsim_walk(&f->pgt, va, va + (size - 1), &visitor, &flags), 0);
}

static bool stale_at(const struct fixture *f, uint64_t va)
{
	struct pgtsim_stale stale;

	return pgtsim_may_be_stale(&f->tlb, va, &stale);
}

/* Whether the entries [from, to) of `size` bytes from va on are all stale, or all not. */
static void assert_stale(const struct fixture *f, uint64_t va, uint64_t size, unsigned from,
			 unsigned to, bool stale)
{
	for (unsigned i = from; i < to; i++)
		if (stale_at(f, va + i * size) != stale)
			fail_msg("entry %u is %s", i, stale ? "not stale" : "stale");
}

static unsigned times_found(const struct pgtsim_tlb *tlb, enum pgtsim_violation_name name)
{
	unsigned n = 0;

	for (size_t i = 0; i < tlb->violation_count; i++)
		n += tlb->violations[i].name == name;
	return n;
}

/* Ends an operation; exactly one violation must have come since there were `before`: this. */
static void assert_told(struct fixture *f, uint64_t before, enum pgtsim_violation_name name)
{
	pgtsim_tlb_end(&f->tlb, pgtsim_va_start(&f->pgt.geo), UINT64_MAX);
	if (f->tlb.counts.violations != before + 1 || f->tlb.violations[before].name != name)
		fail_msg("%llu violations, the first %s: expected %s",
			 (unsigned long long)(f->tlb.counts.violations - before),
			 f->tlb.counts.violations > before ?
				 pgtsim_violation_kind(f->tlb.violations[before].name)->name :
				 "none",
			 pgtsim_violation_kind(name)->name);
}

static void assert_nothing_told(struct fixture *f)
{
	pgtsim_tlb_end(&f->tlb, pgtsim_va_start(&f->pgt.geo), UINT64_MAX);
	if (f->tlb.counts.violations)
		fail_msg("%s: %s", first_violation(f), f->tlb.violations[0].text);
}

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

#define SHST PGTSIM_OP_DSB_ISHST
#define DSB PGTSIM_OP_DSB_ISH
#define CONTEXT PGTSIM_OP_ISB
#define LEAF PGTSIM_OP_TLBI_LEAF
#define WALK PGTSIM_OP_TLBI_WALK
#define RANGE PGTSIM_OP_TLBI_RANGE
#define ALL PGTSIM_OP_TLBI_ALL
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

static struct pgtsim_run entry_run(const struct fixture *f, int level, uint64_t va)
{
	struct pgtsim_run run = { .table = f->pgt.root, .level = f->pgt.root->level, .count = 1 };

	for (;; run.level++) {
		uint64_t desc;

		run.index = pgtsim_index(&f->pgt.geo, run.level, va);
		if (run.level == level)
			break;
		desc = pgtsim_entry(&f->pgt, run.table, run.index);
		run.table = pgtsim_memory_table(f->memory,
						pgtsim_desc_address(&f->pgt.geo, run.level, desc));
	}
	run.va = va;
	run.last = va + (pgtsim_entry_size(&f->pgt.geo, level) - 1);
	return run;
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
	{ PAGE, PGTSIM_DESC_AP2, PGTSIM_V_NO_BREAK },
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
	{ "executable at EL0", 0, PGTSIM_DESC_UXN, false, false, false, true },
	{ "shareability", 0, PGTSIM_DESC_SH_INNER, false, false, false, true },
	{ "access flag", 0, PGTSIM_DESC_AF, false, false, false, true },
	{ "EL0 may access", PGTSIM_DESC_AP1, 0, false, false, false, true },
	{ "another page", 1 << 12, 0, false, false, false, true },
	{ "another page, level 2", 1 << 12, 0, false, true, false, true },
	{ "the hint", PGTSIM_DESC_CONT, 0, false, false, false, true },
	{ "the hint, level 2", PGTSIM_DESC_CONT, 0, false, true, false, false },
	{ "no hint", 0, PGTSIM_DESC_CONT, true, false, false, true },
	{ "no hint, level 2", 0, PGTSIM_DESC_CONT, true, true, false, false },
	{ "in a group", PGTSIM_DESC_AP2, 0, true, false, false, true },
	{ "in a group, level 2", PGTSIM_DESC_AP2, 0, true, true, false, false },
	{ "the same in a group", 0, 0, true, false, false, true },
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

/* ---- tables that are gone ---- */

/* Stale leaves outlive their table, and are there when another takes its place. */
static void stale_leaves_outlive_their_table(void **state)
{
	struct fixture f;

	(void)state;
	start_4k(&f, "latest");
	put(&f, VA, 4 * PAGE, false, false);
	clear(&f, VA, 4 * PAGE, 0);
	assert_int_equal(pgtsim_free_tables(&f.pgt, VA, VA + PAGE, 0, 0), 0);
	assert_int_equal(tables_linked(&f), 1);
	/* Freeing the tables has invalidated the first address, again and again. */
	assert_false(stale_at(&f, VA));
	assert_stale(&f, VA, PAGE, 1, 4, true);
	assert_int_equal(map_linear(&f, VA + PAGE, PA + 4 * PAGE, PAGE, false), 0);
	assert_int_equal(times_found(&f.tlb, PGTSIM_V_NO_BREAK), 1);
	pgtsim_tlb_flush_range(&f.tlb, &f.pgt.geo, &f.policy, VA, VA + 4 * PAGE);
	assert_stale(&f, VA, PAGE, 0, 4, false);
	fixture_drop(&f);
}

/* What is below an overwritten table entry is out of the tables' reach, not of a walk cache's. */
static void overwritten_table(void **state)
{
	struct fixture f;

	(void)state;
	start_4k(&f, "latest");
	put(&f, VA, 4 * PAGE, false, false);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PMD, VA, 0), 0);
	assert_stale(&f, VA, PAGE, 0, 512, true);
	invalidate_pages(&f, LEAF, VA, 4);
	assert_stale(&f, VA, PAGE, 0, 4, true);
	pgtsim_tlb_flush_table(&f.tlb, VA + PAGE);
	/* The walk cache and the page at that address are gone: leaves can be invalidated now. */
	assert_true(stale_at(&f, VA));
	assert_stale(&f, VA, PAGE, 1, 2, false);
	assert_stale(&f, VA, PAGE, 2, 4, true);
	assert_stale(&f, VA, PAGE, 4, 512, false);
	invalidate_pages(&f, LEAF, VA, 4);
	assert_stale(&f, VA, PAGE, 0, 4, false);
	fixture_drop(&f);
}

/* The same higher up: each table on the way is cached for itself. */
static void overwritten_table_of_tables(void **state)
{
	struct fixture f;

	(void)state;
	start_4k(&f, "latest");
	put(&f, VA, PAGE, false, false);
	put(&f, VA + 2 * MIB, PAGE, false, false);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PUD, VA, 0), 0);
	pgtsim_tlb_flush_table(&f.tlb, VA);
	assert_false(stale_at(&f, VA));
	assert_true(stale_at(&f, VA + 2 * MIB));
	invalidate_pages(&f, LEAF, VA + 2 * MIB, 1);
	assert_true(stale_at(&f, VA + 2 * MIB));
	pgtsim_tlb_flush_table(&f.tlb, VA + 2 * MIB);
	assert_false(stale_at(&f, VA + 2 * MIB));
	fixture_drop(&f);
}

/* A table that gets its entry back brings its leaves back, and no harm is done. */
static void restored_table(void **state)
{
	struct fixture f;
	uint64_t desc;

	(void)state;
	start_4k(&f, "latest");
	put(&f, VA, 16 * PAGE, false, true);
	desc = entry_at(&f, PGTSIM_PMD, VA);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PMD, VA, 0), 0);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PMD, VA, desc), 0);
	assert_stale(&f, VA, PAGE, 0, 512, false);
	assert_nothing_told(&f);
	/* The hint is known again, too. */
	clear(&f, VA, 16 * PAGE, PGTSIM_EACH_FLUSH);
	invalidate_pages(&f, ALL, 0, 1);
	assert_stale(&f, VA, PAGE, 0, 512, false);
	fixture_drop(&f);
}

/* Looking at what an overwritten entry takes along is not counted, and seen by nobody. */
static void overwriting_counts_as_before(void **state)
{
	struct fixture f[2];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		start_4k(&f[i], "latest");
		if (i)
			pgtsim_checker_stop(&f[i].tlb);
		put(&f[i], VA, 4 * PAGE, false, false);
		assert_int_equal(pgtsim_poke(&f[i].pgt, PGTSIM_PMD, VA, 0), 0);
		f[i].tlb.counts.violations = 0;
	}
	assert_counts_equal(&f[0].tlb.counts, &f[1].tlb.counts);
	fixture_drop(&f[0]);
	fixture_drop(&f[1]);
}

/* ---- far and wide ---- */

/* Many tables, cleared whole and in part, forwards and backwards. */
static void more_than_one_table(void **state)
{
	struct fixture f;
	uint64_t size = 6 * MIB + 100 * PAGE;

	(void)state;
	start_4k(&f, "latest");
	put(&f, VA, size, false, false);
	for (uint64_t at = size; at > 0; at -= 50 * PAGE < at ? 50 * PAGE : at)
		clear(&f, VA + (at < 50 * PAGE ? 0 : at - 50 * PAGE),
		      at < 50 * PAGE ? at : 50 * PAGE, 0);
	assert_stale(&f, VA, PAGE, 0, (unsigned)(size / PAGE), true);
	assert_int_equal(entry_at(&f, PGTSIM_PTE, VA), 0);
	invalidate_pages(&f, RANGE, VA + PAGE, size / PAGE - 2);
	assert_true(stale_at(&f, VA));
	assert_stale(&f, VA, PAGE, 1, (unsigned)(size / PAGE) - 1, false);
	assert_true(stale_at(&f, VA + size - PAGE));
	invalidate_pages(&f, LEAF, VA, size / PAGE);
	assert_nothing_told(&f);
	fixture_drop(&f);
}

/* Many records, few of them in the range of a flush. */
static void scattered_tables(void **state)
{
	struct fixture f;

	(void)state;
	start_4k(&f, "latest");
	for (uint64_t i = 0; i < 300; i++) {
		assert_int_equal(map_linear(&f, VA + i * GIB, PA, PAGE, false), 0);
		clear(&f, VA + i * GIB, PAGE, 0);
	}
	assert_stale(&f, VA, GIB, 0, 300, true);
	invalidate_pages(&f, RANGE, VA + 100 * GIB, 100 * GIB / PAGE);
	assert_stale(&f, VA, GIB, 0, 100, true);
	assert_stale(&f, VA, GIB, 100, 200, false);
	assert_stale(&f, VA, GIB, 200, 300, true);
	invalidate_pages(&f, ALL, 0, 1);
	assert_nothing_told(&f);
	fixture_drop(&f);
}

/* The last pages and the last block before the address space wraps. */
static void top_of_the_address_space(void **state)
{
	(void)state;
	for (unsigned blocks = 0; blocks < 2; blocks++) {
		uint64_t top = -(2 * MIB);
		struct fixture f;

		start_4k(&f, "latest");
		assert_int_equal(map_linear(&f, top, PA, 2 * MIB, blocks), 0);
		clear(&f, top, 2 * MIB, 0);
		assert_true(stale_at(&f, UINT64_MAX));
		pgtsim_tlb_flush_range(&f.tlb, &f.pgt.geo, &f.policy, top, 0);
		assert_false(stale_at(&f, top));
		assert_false(stale_at(&f, UINT64_MAX));
		assert_int_equal(pgtsim_free_tables(&f.pgt, top, 0, 0, 0), 0);
		assert_nothing_told(&f);
		fixture_drop(&f);
	}
}

/* ---- starting, stopping, asking ---- */

/* What is asked gets the entry, its old value, and when it went. */
static void asking(void **state)
{
	struct fixture f;
	struct pgtsim_stale stale;
	uint64_t desc;

	(void)state;
	start_4k(&f, "latest");
	assert_false(pgtsim_may_be_stale(&f.tlb, VA, &stale));
	assert_false(pgtsim_may_be_stale(&f.tlb, 0, &stale));
	put(&f, VA, 4 * MIB, true, false);
	desc = entry_at(&f, PGTSIM_PMD, VA + 2 * MIB);
	f.tlb.cached->now = 100;
	clear(&f, VA + 2 * MIB, 2 * MIB, 0);
	assert_true(pgtsim_may_be_stale(&f.tlb, VA + 3 * MIB + 5, &stale));
	assert_int_equal(stale.level, PGTSIM_PMD);
	assert_int_equal(stale.va, VA + 2 * MIB);
	assert_int_equal(stale.desc, desc);
	assert_int_equal(stale.since, 101);
	assert_false(pgtsim_may_be_stale(&f.tlb, VA + 2 * MIB - 1, &stale));
	assert_false(pgtsim_may_be_stale(&f.tlb, VA + 4 * MIB, &stale));
	fixture_drop(&f);
}

/* Each entry is told of once, until it goes again. */
static void told_once(void **state)
{
	struct fixture f;

	(void)state;
	start_4k(&f, "latest");
	put(&f, VA, PAGE, false, false);
	clear(&f, VA, PAGE, 0);
	for (unsigned i = 0; i < 3; i++)
		assert_told(&f, 0, PGTSIM_V_STALE_LEAF);
	put(&f, VA, PAGE, false, false);
	assert_told(&f, 0, PGTSIM_V_STALE_LEAF);
	clear(&f, VA, PAGE, 0);
	assert_told(&f, 1, PGTSIM_V_STALE_LEAF);
	/* Only what lies in the operation's range. */
	pgtsim_tlb_end(&f.tlb, VA + PAGE, UINT64_MAX);
	assert_int_equal(f.tlb.counts.violations, 2);
	fixture_drop(&f);
}

/* Without a checker nothing is found, nothing is taken, and the rest is the same. */
static void switched_off(void **state)
{
	struct fixture f[2];

	(void)state;
	for (unsigned off = 0; off < 2; off++) {
		struct pgtsim_unmap unmap = { .start = VA, .end = VA + 4 * MIB };

		start_4k(&f[off], "linux-5.7");
		assert_int_equal(pgtsim_checker_start(&f[off].tlb, &f[off].pgt.geo, &f[off].policy),
				 -EEXIST);
		if (off)
			pgtsim_checker_stop(&f[off].tlb);
		put(&f[off], VA, 4 * MIB, false, true);
		assert_int_equal(pgtsim_unmap_range(&f[off].pgt, &unmap), 0);
		assert_int_equal(pgtsim_free_tables(&f[off].pgt, VA, VA + 4 * MIB, 0, 0), 0);
	}
	assert_true(f[0].tlb.counts.violations > 0);
	assert_true(pgtsim_checker_bytes(&f[0].tlb) > 0);
	assert_int_equal(f[1].tlb.counts.violations, 0);
	assert_int_equal(pgtsim_checker_bytes(&f[1].tlb), 0);
	assert_false(stale_at(&f[1], VA));
	pgtsim_checker_stop(&f[1].tlb);
	f[0].tlb.counts.violations = 0;
	assert_memory_equal(&f[0].tlb.counts, &f[1].tlb.counts, sizeof(f[0].tlb.counts));
	fixture_drop(&f[0]);
	fixture_drop(&f[1]);
}

/* Hints need room while they are mapped: at most an eighth of their tables, and none after. */
static void room_for_hints(void **state)
{
	struct fixture f;

	(void)state;
	start_4k(&f, "latest");
	put(&f, VA, 512 * MIB, false, true);
	assert_in_range(pgtsim_checker_bytes(&f.tlb), 1, 256 * PAGE / 8);
	clear(&f, VA, 512 * MIB, 0);
	pgtsim_tlb_flush_range(&f.tlb, &f.pgt.geo, &f.policy, VA, VA + 512 * MIB);
	assert_int_equal(f.tlb.cached->records, 0);
	fixture_drop(&f);
}

/* ---- no host memory ---- */

/* All that makes the checker take memory. */
static void use_everything(struct fixture *f)
{
	uint64_t desc;

	put(f, VA, 4 * MIB, false, true);
	clear(f, VA, MIB, PGTSIM_EACH_FLUSH);
	for (uint64_t i = 0; i < 40; i++) {
		map_linear(f, VA + (i + 1) * GIB, PA, PAGE, false);
		map_linear(f, VA + (i + 1) * GIB + PAGE, PA, PAGE, false);
		clear(f, VA + (i + 1) * GIB, 2 * PAGE, 0);
	}
	invalidate_pages(f, LEAF, VA + 2 * MIB, 3);
	desc = entry_at(f, PGTSIM_PMD, VA + 2 * MIB);
	pgtsim_poke(&f->pgt, PGTSIM_PMD, VA + 2 * MIB, 0);
	pgtsim_poke(&f->pgt, PGTSIM_PMD, VA + 2 * MIB, desc);
	clear(f, VA + 2 * MIB, 2 * MIB, PGTSIM_EACH_FLUSH);
	pgtsim_poke(&f->pgt, PGTSIM_PMD, VA, 0);
	pgtsim_tlb_end(&f->tlb, VA, UINT64_MAX);
}

/* Whichever allocation fails: no crash, and `unchecked` says that the rest is not the truth. */
static void host_memory_runs_out(void **state)
{
	unsigned n = 0;

	(void)state;
	do {
		struct fixture f;

		start_4k(&f, "latest");
		allocations_failed = 0;
		allocations_left = n++;
		use_everything(&f);
		allocations_left = UINT32_MAX;
		assert_int_equal(times_found(&f.tlb, PGTSIM_V_UNCHECKED), allocations_failed > 0);
		invalidate_pages(&f, ALL, 0, 1);
		fixture_drop(&f);
	} while (allocations_failed);
	assert_true(n > 50);
}

/* A checker that cannot be had is an error, and leaves nothing behind. */
static void cannot_start(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 2; n++) {
		const struct pgtsim_geometry geo = linux_geometry(4, 48, 0, 48);
		const struct pgtsim_policy policy = profile("latest");
		struct pgtsim_tlb tlb;

		pgtsim_tlb_init(&tlb);
		allocations_left = n;
		assert_int_equal(pgtsim_checker_start(&tlb, &geo, &policy), -ENOMEM);
		allocations_left = UINT32_MAX;
		assert_null(tlb.cached);
		pgtsim_tlb_fini(&tlb);
	}
}

/* ---- one by one ---- */

/* Entry by entry, with the flushes as events of their own, the same is found. */
static void single_events_find_the_same(void **state)
{
	(void)state;
	for (unsigned row = 0; row < 4; row++) {
		struct fixture f[2];

		for (unsigned single = 0; single < 2; single++) {
			struct pgtsim_unmap unmap = { .start = VA + 3 * PAGE,
						      .end = VA + 6 * MIB + 5 * PAGE };

			start_4k(&f[single], row % 2 ? "linux-5.7" : "linux-6.12");
			f[single].tlb.single = single;
			put(&f[single], VA, 8 * MIB, row / 2, true);
			assert_int_equal(pgtsim_unmap_range(&f[single].pgt, &unmap), 0);
			for (uint64_t at = 0; at < 8 * MIB; at += PAGE)
				assert_int_equal(stale_at(&f[single], VA + at),
						 stale_at(&f[0], VA + at));
		}
		assert_int_equal(f[0].tlb.counts.violations, f[1].tlb.counts.violations);
		for (size_t i = 0; i < f[0].tlb.violation_count; i++) {
			assert_int_equal(f[0].tlb.violations[i].name, f[1].tlb.violations[i].name);
			assert_int_equal(f[0].tlb.violations[i].va, f[1].tlb.violations[i].va);
		}
		fixture_drop(&f[0]);
		fixture_drop(&f[1]);
	}
}

/* ---- whole machines ---- */

static const struct {
	const char *profile;
	unsigned kib, va;
	uint64_t size; /* with blocks */
} machines[] = {
	{ "linux-5.7", 4, 48, 128 * MIB },  { "linux-5.7", 16, 47, GIB },
	{ "linux-5.7", 64, 48, 16 * GIB },  { "linux-5.7", 4, 39, 128 * MIB },
	{ "linux-5.7", 64, 52, 16 * GIB },  { "linux-5.7", 16, 48, GIB },
	{ "linux-6.12", 4, 52, 128 * MIB }, { "linux-6.12", 16, 52, GIB },
	{ "linux-5.7", 16, 36, GIB },       { "linux-5.7", 64, 42, 16 * GIB },
};

/* Boot memory from where every contiguous group begins. */
static const struct pgtsim_ram aligned_ram = { 16 * GIB, 17 * GIB };

/* Adds and removes memory; returns how many runs of translations were found stale. */
static uint64_t add_and_remove(const struct pgtsim_machine_config *config, uint64_t size)
{
	struct pgtsim_machine *machine = machine_of(config);
	int level = config->blocks ? PGTSIM_PMD : PGTSIM_PTE;
	uint64_t entry = pgtsim_entry_size(&machine->geo, level), group;
	uint64_t start_pa = 32 * GIB, stale;

	group = entry * pgtsim_cont_entries(&machine->geo, level);
	assert_int_equal(pgtsim_add_memory(&machine->hotplug, start_pa, size), 0);
	assert_int_equal(machine->tlb.counts.violations, 0);
	assert_int_equal(remove_memory(machine, start_pa, size), 0);
	stale = machine->tlb.counts.violations;
	for (size_t i = 0; i < machine->tlb.violation_count; i++) {
		const struct pgtsim_violation *v = &machine->tlb.violations[i];

		assert_int_equal(v->name, PGTSIM_V_STALE_LEAF);
		assert_int_equal(v->level, level);
		assert_int_equal(v->va % group, 0); /* from the first one on; never the last */
		assert_in_range(v->va, pgtsim_linear(&machine->layout, start_pa),
				pgtsim_linear(&machine->layout, start_pa) + size - group);
	}
	pgtsim_machine_free(&machine);
	return stale;
}

/* B1: contiguous groups flushed leaf by leaf stay in TLBs, of every granule, of pages and blocks. */
static void b1_with_every_granule(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * COUNT(machines); i++) {
		bool blocks = i % 2;
		struct pgtsim_machine_config config =
			config_of(machines[i / 2].profile, machines[i / 2].kib, machines[i / 2].va);
		uint64_t size = blocks ? machines[i / 2].size : 512 * MIB;
		uint64_t groups = 0;

		config.ram = &aligned_ram;
		config.blocks = blocks;
		config.cont = true;
		assert_int_equal(pgtsim_policy_set(&config.policy, "flush", "per-leaf"), 0);
		groups = add_and_remove(&config, size);
		/* A pmd that is the root has no groups. */
		if (groups == 0 &&
		    !(blocks &&
		      linux_geometry(machines[i / 2].kib, machines[i / 2].va, 0, 0).levels == 2))
			fail_msg("%uK/%u: nothing found", machines[i / 2].kib, machines[i / 2].va);
		/* Without the hint, or with one flush for the range, there is nothing to find. */
		config.cont = false;
		assert_int_equal(add_and_remove(&config, size), 0);
		config.cont = true;
		assert_int_equal(pgtsim_policy_set(&config.policy, "flush", "range"), 0);
		assert_int_equal(add_and_remove(&config, size), 0);
	}
}

/* From 6.1.176 on, and in 6.12 and 7.3 as they are, B1 is gone. */
static void b1_by_profile(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(all_profiles); i++) {
		struct pgtsim_machine_config config = config_of(all_profiles[i], 4, 48);
		bool fixed = config.policy.flush != PGTSIM_FLUSH_PER_LEAF;

		config.cont = true;
		assert_int_equal(fixed, later_than(all_profiles[i], "linux-5.14"));
		assert_int_equal(add_and_remove(&config, 128 * MIB) == 0, fixed);
	}
}

/* An invalidate of another entry of the same table is not taken for one that came too early. */
static void invalidate_of_a_neighbour(void **state)
{
	const struct pgtsim_event clear = { .op = PGTSIM_OP_CLEAR,
					    .level = PGTSIM_PTE,
					    .va = VA,
					    .count = 1,
					    .size = PAGE,
					    .old_desc = PA | 0x703 };
	struct fixture f;

	(void)state;
	for (unsigned several = 0; several < 2; several++) {
		start_4k(&f, "latest");
		pgtsim_tlb_event(&f.tlb, &clear);
		if (several) /* a record, not a span */
			send(&f, PGTSIM_OP_TLBI_LEAF, VA + 7 * PAGE, 2, PAGE);
		send(&f, PGTSIM_OP_TLBI_LEAF, VA + 5 * PAGE, 1, PAGE);
		pgtsim_tlb_end(&f.tlb, VA, VA + 4095);
		assert_int_equal(f.tlb.violation_count, 1);
		assert_non_null(strstr(f.tlb.violations[0].text, "no invalidate covers it"));
		fixture_drop(&f);
	}
}

/* A hint put in by hand makes more of its group stale than the entry: all of it by hand. */
static void hint_by_hand(void **state)
{
	struct fixture f;
	uint64_t desc;

	(void)state;
	start_4k(&f, "latest");
	put(&f, VA, PAGE, false, false);
	desc = pgtsim_desc_leaf(&f.pgt.geo, PGTSIM_PTE, PA, f.policy.prot[PGTSIM_PROT_TAGGED]);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PTE, VA, desc | PGTSIM_DESC_CONT), 0);
	pgtsim_tlb_end(&f.tlb, pgtsim_va_start(&f.pgt.geo), UINT64_MAX);
	assert_true(f.tlb.violation_count > 1);
	for (size_t i = 0; i < f.tlb.violation_count; i++)
		if (f.tlb.violations[i].name == PGTSIM_V_STALE_LEAF &&
		    !strstr(f.tlb.violations[i].text, "gone by hand"))
			fail_msg("%s", f.tlb.violations[i].text);
	fixture_drop(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(invalidate_of_a_neighbour),
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
	cmocka_unit_test(stale_leaves_outlive_their_table),
	cmocka_unit_test(overwritten_table),
	cmocka_unit_test(overwritten_table_of_tables),
	cmocka_unit_test(restored_table),
	cmocka_unit_test(hint_by_hand),
	cmocka_unit_test(overwriting_counts_as_before),
	cmocka_unit_test(more_than_one_table),
	cmocka_unit_test(scattered_tables),
	cmocka_unit_test(top_of_the_address_space),
	cmocka_unit_test(asking),
	cmocka_unit_test(told_once),
	cmocka_unit_test(switched_off),
	cmocka_unit_test(room_for_hints),
	cmocka_unit_test(host_memory_runs_out),
	cmocka_unit_test(cannot_start),
	cmocka_unit_test(single_events_find_the_same),
	cmocka_unit_test(b1_with_every_granule),
	cmocka_unit_test(b1_by_profile),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
