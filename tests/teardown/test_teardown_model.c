/* SPDX-License-Identifier: MIT */
/* Both passes against a model, and by every path of the library. */
#include "teardown.h"

/* ---- observers, shared tables: the same result by another path ---- */

enum way { PLAIN, OBSERVED, SHARED, POKED, SINGLE, WAYS };

/* A mixed range: pages with holes from two runs, blocks, a pud block apart. */
static void mixed_range(struct fixture *f)
{
	uint64_t pfn;

	map_allocated(f, 40);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(pgtsim_memory_alloc(f->memory, 9, &pfn), 0);
		if (i != 2)
			must_map(f, VA + (2 + 2 * i) * MIB, pfn << 12, 2 * MIB, true);
	}
	pfn = take_pages(f, 30);
	must_map(f, VA + MIB, pfn << 12, 30 * 4096, false);
	must_map(f, VA + 12 * MIB, 3 * GIB, 2 * MIB - 4096, false); /* not RAM */
}

static void mixed_teardown(struct fixture *f, enum way way, bool free, struct recorder *r)
{
	mixed_range(f);
	pgtsim_pgtable_state(&f->pgt)->poked = way == POKED;
	f->tlb.single = way == SINGLE;
	if (way != PLAIN)
		recorder_start(r, f);
	if (free)
		assert_int_equal(unmap_free(f, VA + 4096, VA + 14 * MIB, NULL), 0);
	else
		assert_int_equal(unmap(f, VA + 4096, VA + 14 * MIB), 0);
	assert_int_equal(pgtsim_free_tables(&f->pgt, VA, VA + GIB, 0, 0), 0);
}

/*
 * Both recorders must have the same events of one operation, entry by entry; runs may be cut
 * differently. Only the flags in `flags` are compared.
 */
static void compare_expanded(const struct recorder *a, const struct recorder *b, enum pgtsim_op op,
			     unsigned flags)
{
	uint64_t at[2] = { 0, 0 };
	size_t i = 0, j = 0;

	for (;;) {
		const struct pgtsim_event *x, *y;

		while (i < a->count && (a->event[i].op != op || at[0] == a->event[i].count))
			i++, at[0] = 0;
		while (j < b->count && (b->event[j].op != op || at[1] == b->event[j].count))
			j++, at[1] = 0;
		if (i >= a->count || j >= b->count)
			break;
		x = &a->event[i];
		y = &b->event[j];
		assert_int_equal(x->flags & flags, y->flags & flags);
		assert_int_equal(x->level, y->level);
		assert_int_equal(x->va + at[0] * x->size, y->va + at[1] * y->size);
		if (op == PGTSIM_OP_CLEAR)
			assert_int_equal(x->old_desc + at[0] * x->step,
					 y->old_desc + at[1] * y->step);
		if (op == PGTSIM_OP_PAGES_FREE)
			assert_int_equal(x->pa + at[0] * 4096, y->pa + at[1] * 4096);
		at[0]++;
		at[1]++;
	}
	assert_true(i >= a->count && j >= b->count);
}

static void compare_ways(const struct pgtsim_policy *policy, bool free)
{
	const struct pgtsim_geometry geo = linux_geometry(4, 48, 0, 48);
	struct recorder r[WAYS];
	struct snapshot s[WAYS];
	struct fixture f[WAYS];

	for (unsigned way = 0; way < WAYS; way++) {
		fixture_init_access(&f[way], policy, &geo,
				    way == SHARED ? PGTSIM_ACCESS_SHARED : PGTSIM_ACCESS_PRIVATE);
		mixed_teardown(&f[way], (enum way)way, free, &r[way]);
		s[way] = snapshot_take(&f[way]);
		assert_true(snapshots_equal(&s[0], &s[way]));
		assert_int_equal(s[0].free_pages, s[way].free_pages);
		assert_counts_equal(&f[0].tlb.counts, &f[way].tlb.counts);
	}
	for (unsigned way = SHARED; way < SINGLE; way++)
		for (int op = 0; op < PGTSIM_OP_COUNT; op++)
			compare_expanded(&r[OBSERVED], &r[way], (enum pgtsim_op)op, ~0u);
	for (int op = 0; op < PGTSIM_OP_DSB_ISHST; op++)
		compare_expanded(&r[OBSERVED], &r[SINGLE], (enum pgtsim_op)op, PGTSIM_EACH_FREE);
	for (size_t i = 0; i < r[SINGLE].count; i++)
		assert_true(r[SINGLE].event[i].op != PGTSIM_OP_CLEAR ||
			    r[SINGLE].event[i].count == 1);
	for (unsigned way = 0; way < WAYS; way++) {
		snapshot_free(&s[way]);
		if (way != PLAIN)
			recorder_stop(&r[way], &f[way]);
		fixture_drop(&f[way]);
	}
}

/* Observed or not, shared, entry by entry: the same table, counts and events after expansion. */
static void fast_path_equals_plain_path(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(all_profiles); i++) {
		for (uint8_t flush = PGTSIM_FLUSH_PER_LEAF; flush <= PGTSIM_FLUSH_AT_END; flush++) {
			struct pgtsim_policy policy = profile(all_profiles[i]);

			policy.flush = flush;
			compare_ways(&policy, false);
			compare_ways(&policy, true);
			policy.free_order = PGTSIM_FREE_BEFORE_CLEAR;
			compare_ways(&policy, true);
		}
	}
}

/* The clear events, expanded, are the leaves that were there, with their flags. */
static void clears_expand_to_the_leaves(void **state)
{
	struct snapshot before;
	struct recorder r;
	struct fixture f;
	uint64_t cleared = 0;

	(void)state;
	init_4k(&f, "linux-5.7");
	mixed_range(&f);
	before = snapshot_take(&f);
	recorder_start(&r, &f);
	assert_int_equal(unmap(&f, VA, VA + GIB), 0);
	for (size_t i = 0, line = 0; i < r.count; i++) {
		const struct pgtsim_event *e = &r.event[i];

		assert_int_equal(e->op, PGTSIM_OP_CLEAR);
		assert_int_equal(e->flags, PGTSIM_EACH_FLUSH);
		assert_int_equal(e->pa, pgtsim_desc_address(&f.pgt.geo, e->level, e->old_desc));
		for (uint64_t n = 0; n < e->count; n++, line++, cleared++) {
			while (pgtsim_desc_kind(before.line[line].level, before.line[line].desc) ==
			       PGTSIM_TABLE)
				line++;
			assert_int_equal(before.line[line].level, e->level);
			assert_int_equal(before.line[line].va, e->va + n * e->size);
			assert_int_equal(before.line[line].desc, e->old_desc + n * e->step);
		}
	}
	assert_int_equal(cleared, 40 + 30 + 3 + 511);
	recorder_stop(&r, &f);
	snapshot_free(&before);
	fixture_drop(&f);
}

/* A whole table of alike leaves is told without a look at it; one overwritten since is told as is. */
static void overwritten_leaf_is_told_as_it_is(void **state)
{
	const uint64_t other = 0x00e80000c0000707;

	(void)state;
	for (unsigned way = 0; way < 2; way++) {
		struct recorder r;
		struct fixture f;
		uint64_t told = 0;

		init_4k(&f, "latest");
		must_map(&f, VA, 2 * GIB, 2 * MIB, false);
		if (way)
			assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PTE, VA + 5 * 4096, other), 0);
		pgtsim_pgtable_state(&f.pgt)->poked = false; /* pass 1 takes the table whole */
		recorder_start(&r, &f);
		assert_int_equal(unmap(&f, VA, VA + 2 * MIB), 0);
		for (size_t i = 0; i < r.count; i++) {
			const struct pgtsim_event *e = &r.event[i];

			if (e->op == PGTSIM_OP_CLEAR && e->va <= VA + 5 * 4096 &&
			    e->va + e->count * 4096 > VA + 5 * 4096)
				told = e->old_desc + (VA + 5 * 4096 - e->va);
		}
		assert_int_equal(told, way ? other : 0x00e8000080005707);
		recorder_stop(&r, &f);
		fixture_drop(&f);
	}
}

/* ---- toys against snapshots ---- */

/* The lines that pass 1 must leave, marked by clearing the others' descriptors. */
static void expect_unmapped(struct snapshot *s, const struct pgtsim_geometry *geo, uint64_t start,
			    uint64_t last)
{
	uint64_t mask = pgtsim_page_size(geo) - 1;

	for (size_t i = 0; i < s->count; i++) {
		struct snapshot_line *line = &s->line[i];
		uint64_t size = pgtsim_entry_size(geo, line->level), end = line->va + (size - 1);
		uint64_t table = geo->levels > 1 ? pgtsim_entry_base(geo, PGTSIM_PMD, line->va) : 0;

		if (pgtsim_desc_kind(line->level, line->desc) == PGTSIM_TABLE || end < start ||
		    line->va > last)
			continue;
		/* In the start's own pte table the loop's addresses have the start's offset. */
		if (line->level == PGTSIM_PTE && table <= start && line->va > start &&
		    line->va + (start & mask) > last && line->va + (start & mask) > line->va - 1)
			continue;
		line->desc = 0;
	}
}

/* The same for pass 2: empty tables whose whole span lies in the bounds, from below. */
static size_t expect_freed(struct snapshot *s, const struct pgtsim_geometry *geo, uint64_t start,
			   uint64_t last, uint64_t floor, uint64_t ceiling)
{
	size_t freed = 0;

	for (size_t i = s->count; i-- > 0;) {
		struct snapshot_line *line = &s->line[i];
		uint64_t size = pgtsim_entry_size(geo, line->level), end = line->va + (size - 1);
		bool inside = line->va >= floor && (!ceiling || end <= ceiling - 1);
		bool empty = true;

		if (pgtsim_desc_kind(line->level, line->desc) != PGTSIM_TABLE)
			continue;
		for (size_t j = i + 1; j < s->count && s->line[j].va <= end; j++)
			empty = empty && !s->line[j].desc;
		if (!empty || !inside || end < start || line->va > last)
			continue;
		line->desc = 0;
		freed++;
	}
	return freed;
}

/* Whether the table holds exactly the lines of s that are not cleared. */
static bool holds(const struct fixture *f, const struct snapshot *s)
{
	struct snapshot now = snapshot_take(f);
	size_t at = 0;
	bool same = true;

	for (size_t i = 0; i < s->count && same; i++) {
		if (!s->line[i].desc)
			continue;
		same = at < now.count && now.line[at].va == s->line[i].va &&
		       now.line[at].level == s->line[i].level &&
		       now.line[at].desc == s->line[i].desc;
		at++;
	}
	same = same && at == now.count;
	snapshot_free(&now);
	return same;
}

/* Fills a toy: pages everywhere but in holes, and blocks where a coin says so. */
static void fill_toy(struct fixture *f, uint32_t *seed)
{
	const struct pgtsim_geometry *geo = &f->pgt.geo;
	uint64_t start = pgtsim_va_start(geo), pages = -start >> 12;

	for (unsigned i = 0; i < 12; i++) {
		uint64_t first = random_next(seed) % pages;
		uint64_t n = 1 + random_next(seed) % (pages / 4 + 1);
		bool blocks = random_next(seed) % 2;

		if (blocks)
			first = first / 4 * 4;
		if (n > pages - first)
			n = pages - first;
		map_linear(f, start + first * 4096, first * 4096, n * 4096, blocks);
	}
}

/* Any range, aligned or not, over any toy: pass 1 and pass 2 do what the snapshot says. */
static void toys_at_random(void **state)
{
	uint32_t seed = 3;

	(void)state;
	for (unsigned i = 0; i < 2500; i++) {
		const struct pgtsim_geometry geo = toy_geometry(1 + i % 5);
		const struct pgtsim_policy policy = profile(all_profiles[i % COUNT(all_profiles)]);
		uint64_t base = pgtsim_va_start(&geo), span = -base;
		uint64_t unit = random_next(&seed) % 2 ? 4096 : 1;
		uint64_t start = base + random_next(&seed) % span / unit * unit;
		uint64_t last = start + (-start - 1) % (1 + random_next(&seed) % span);
		uint64_t floor = base + random_next(&seed) % span / unit * unit;
		uint64_t ceiling = base + random_next(&seed) % span / unit * unit;
		struct snapshot s;
		struct fixture f;

		if (random_next(&seed) % 2)
			floor = 0;
		if (random_next(&seed) % 2)
			ceiling = 0;
		fixture_init(&f, &policy, &geo);
		fill_toy(&f, &seed);
		s = snapshot_take(&f);
		assert_int_equal(unmap(&f, start, last + 1), 0);
		expect_unmapped(&s, &geo, start, last);
		assert_true(holds(&f, &s));
		pgtsim_tlb_reset_counts(&f.tlb);
		assert_int_equal(pgtsim_free_tables(&f.pgt, start, last + 1, floor, ceiling), 0);
		assert_int_equal(f.tlb.counts.tables_freed,
				 expect_freed(&s, &geo, start, last, floor, ceiling));
		assert_true(holds(&f, &s));
		snapshot_free(&s);
		fixture_fini(&f);
	}
}

/* Puts back the empty tables of a toy that pass 2 freed. */
static void all_empty_tables(struct fixture *f)
{
	uint64_t start = pgtsim_va_start(&f->pgt.geo);

	for (uint64_t va = start; va; va += 4 * 4096) {
		if (f->pgt.geo.levels > 1 && entry_at(f, PGTSIM_PMD, va))
			continue;
		must_map(f, va, 0, 4096, false);
		assert_int_equal(unmap(f, va, va + 4096), 0);
	}
}

/* Pass 2 over one range of empty tables with every floor and every ceiling. */
static void check_bounds(struct fixture *f, struct snapshot *full, uint64_t start, uint64_t last)
{
	const struct pgtsim_geometry *geo = &f->pgt.geo;
	uint64_t base = pgtsim_va_start(geo), pages = -base >> 12;

	for (uint64_t i = 0; i <= (pages + 1) * pages; i++) {
		uint64_t floor = base + i % (pages + 1) * 4096,
			 ceiling = base + i / (pages + 1) * 4096;
		size_t freed;

		if (i / (pages + 1) == pages)
			ceiling = 0;
		if (i % (pages + 1) == pages)
			floor = 0;
		for (size_t n = 0; n < full->count; n++)
			full->line[n].desc = 3; /* a table, wherever */
		freed = expect_freed(full, geo, start, last, floor, ceiling);
		pgtsim_tlb_reset_counts(&f->tlb);
		assert_int_equal(pgtsim_free_tables(&f->pgt, start, last + 1, floor, ceiling), 0);
		assert_int_equal(f->tlb.counts.tables_freed, freed);
		if (!freed)
			continue;
		for (size_t n = 0; n < full->count; n++)
			assert_int_equal(!!entry_at(f, full->line[n].level, full->line[n].va),
					 !!full->line[n].desc);
		all_empty_tables(f);
	}
}

/* Toys full of empty tables: every range (some, with 3 levels) with every floor and ceiling. */
static void toys_with_all_bounds(void **state)
{
	(void)state;
	for (unsigned levels = 2; levels <= 3; levels++) {
		const struct pgtsim_geometry geo = toy_geometry(levels);
		const struct pgtsim_policy policy = profile("latest");
		uint64_t base = pgtsim_va_start(&geo), pages = -base >> 12;
		struct snapshot full;
		struct fixture f;

		fixture_init(&f, &policy, &geo);
		all_empty_tables(&f);
		full = snapshot_take(&f);
		for (uint64_t first = 0; first < pages; first++)
			for (uint64_t n = 1; n <= pages - first; n++)
				if (levels == 2 || (first * 64 + n) % 127 == 0)
					check_bounds(&f, &full, base + first * 4096,
						     base + (first + n) * 4096 - 1);
		snapshot_free(&full);
		fixture_fini(&f);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(fast_path_equals_plain_path),
	cmocka_unit_test(clears_expand_to_the_leaves),
	cmocka_unit_test(overwritten_leaf_is_told_as_it_is),
	cmocka_unit_test(toys_at_random),
	cmocka_unit_test(toys_with_all_bounds),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
