/* SPDX-License-Identifier: MIT */
/* What the tests of teardown hold of arm64's two passes, over s390's one: the same by every path, and events. */
#include "teardown/teardown.h"

enum way { PLAIN, OBSERVED, SHARED, POKED, SINGLE, WAYS };

static const char *const names[] = { "s390-5.9", "s390-7.3" };

/* Pages with holes, whole segments, and a region where the geometry has so much. */
static void mixed_range(struct fixture *f)
{
	const struct pgtsim_geometry *geo = &f->pgt.geo;
	uint64_t segment = pgtsim_entry_size(geo, PGTSIM_PMD), page = pgtsim_page_size(geo);
	uint64_t region = pgtsim_entry_size(geo, PGTSIM_PUD);

	must_map(f, segment + page, segment + page, 5 * page, false);
	must_map(f, segment + 9 * page, segment + 9 * page, 2 * page, false);
	must_map(f, 2 * segment, 2 * segment, 2 * segment, true);
	must_map(f, region, region, region + segment + page, true);
}

static void mixed_teardown(struct fixture *f)
{
	const struct pgtsim_geometry *geo = &f->pgt.geo;
	uint64_t segment = pgtsim_entry_size(geo, PGTSIM_PMD), page = pgtsim_page_size(geo);
	uint64_t region = pgtsim_entry_size(geo, PGTSIM_PUD);

	/* Inside a segment, and from one page of it to another's. */
	assert_int_equal(unmap(f, segment + 2 * page, segment + 10 * page), 0);
	assert_int_equal(unmap(f, 2 * segment + page, 3 * segment + 4 * page), 0);
	assert_int_equal(unmap(f, region, region + 2 * segment), 0);
}

static void check_ways(const struct pgtsim_policy *policy, const struct pgtsim_geometry *geo)
{
	struct recorder r[WAYS];
	struct snapshot s[WAYS];
	struct fixture f[WAYS];

	for (unsigned way = 0; way < WAYS; way++) {
		fixture_init_access(&f[way], policy, geo,
				    way == SHARED ? PGTSIM_ACCESS_SHARED : PGTSIM_ACCESS_PRIVATE);
		mixed_range(&f[way]);
		pgtsim_pgtable_state(&f[way].pgt)->poked = way == POKED;
		f[way].tlb.single = way == SINGLE;
		if (way != PLAIN)
			recorder_start(&r[way], &f[way]);
		mixed_teardown(&f[way]);
		s[way] = snapshot_take(&f[way]);
		assert_true(snapshots_equal(&s[0], &s[way]));
		assert_int_equal(s[0].free_pages, s[way].free_pages);
		assert_counts_equal(&f[0].tlb.counts, &f[way].tlb.counts);
	}
	for (size_t i = 0; i < r[SINGLE].count; i++)
		assert_true(r[SINGLE].event[i].op != PGTSIM_OP_CLEAR || r[SINGLE].event[i].count == 1);
	for (unsigned way = 0; way < WAYS; way++) {
		snapshot_free(&s[way]);
		if (way != PLAIN)
			recorder_stop(&r[way], &f[way]);
		fixture_drop(&f[way]);
	}
}

static void each(void (*test)(const struct pgtsim_policy *policy, const struct pgtsim_geometry *geo))
{
	for (unsigned i = 0; i < 2 * COUNT(names); i++) {
		struct pgtsim_policy policy = profile(names[i / 2]);
		struct geometry_case cases[MAX_GEOMETRIES];
		size_t n = all_geometries(cases, &policy);

		policy.free_order = i % 2 ? PGTSIM_FREE_AFTER_INVALIDATE : PGTSIM_FREE_BEFORE_CLEAR;
		for (size_t k = 0; k < n; k++)
			test(&policy, &cases[k].geo);
	}
}

/* Observed or not, shared, entry by entry: the same tables, counts and free pages. */
static void same_by_every_path(void **state)
{
	(void)state;
	each(check_ways);
}

static void check_clears(const struct pgtsim_policy *policy, const struct pgtsim_geometry *geo)
{
	uint64_t cleared = 0;
	struct snapshot before;
	struct recorder r;
	struct fixture f;

	fixture_init(&f, policy, geo);
	mixed_range(&f);
	before = snapshot_take(&f);
	recorder_start(&r, &f);
	assert_int_equal(unmap(&f, 0, region_end(geo)), 0);
	for (size_t i = 0, line = 0; i < r.count; i++) {
		const struct pgtsim_event *e = &r.event[i];

		if (e->op != PGTSIM_OP_CLEAR)
			continue;
		for (uint64_t n = 0; n < e->count; n++, line++, cleared++) {
			while (pgtsim_desc_kind(before.line[line].level, before.line[line].desc) ==
			       PGTSIM_TABLE)
				line++;
			assert_int_equal(before.line[line].level, e->level);
			assert_int_equal(before.line[line].va, e->va + n * e->size);
			assert_int_equal(before.line[line].desc, e->old_desc + n * e->step);
		}
	}
	assert_int_equal(r.event[r.count - 1].op, policy->free_order == PGTSIM_FREE_AFTER_INVALIDATE ?
							  PGTSIM_OP_TABLE_FREE :
							  PGTSIM_OP_IDTE);
	assert_int_equal(f.tlb.counts.leaves_cleared, cleared);
	assert_int_equal(f.tlb.counts.leaves_mapped, cleared);
	assert_int_equal(f.tlb.counts.tlbi_all, 1);
	assert_int_equal(f.pgt.root->live, 0);
	recorder_stop(&r, &f);
	snapshot_free(&before);
	fixture_fini(&f);
}

/* The clear events, expanded, are the leaves that were there; then comes the one IDTE. */
static void clears_expand_to_the_leaves(void **state)
{
	(void)state;
	each(check_clears);
}

static void check_quiet(const struct pgtsim_policy *policy, const struct pgtsim_geometry *geo)
{
	struct pgtsim_counts before;
	struct fixture f;

	fixture_init(&f, policy, geo);
	mixed_range(&f);
	before = f.tlb.counts;
	f.tlb.quiet = true;
	assert_int_equal(unmap(&f, 0, region_end(geo)), 0);
	assert_int_equal(tables_linked(&f), 1);
	assert_memory_equal(&f.tlb.counts, &before, sizeof(before));
	fixture_fini(&f);
}

/* While it is quiet a removal does its work and counts nothing. */
static void quiet_removal(void **state)
{
	(void)state;
	each(check_quiet);
}

static void check_ranges(const struct pgtsim_policy *policy, const struct pgtsim_geometry *geo)
{
	uint64_t end = region_end(geo), page = pgtsim_page_size(geo);
	const struct {
		uint64_t start, end;
	} rows[] = { { page, page },   { 2 * page, page }, { end, end + page }, { end - page, end + page },
		     { page + 1, 3 * page }, { page, 3 * page - 1 } };
	struct snapshot before;
	struct fixture f;

	fixture_init(&f, policy, geo);
	mixed_range(&f);
	before = snapshot_take(&f);
	pgtsim_tlb_reset_counts(&f.tlb);
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(unmap(&f, rows[i].start, rows[i].end), -EINVAL);
	assert_int_equal(f.tlb.counts.tlbi_all, 0);
	assert_true(unchanged(&f, &before));
	snapshot_free(&before);
	fixture_drop(&f);
}

/* Empty, reversed, foreign and unaligned ranges are refused. */
static void invalid_ranges(void **state)
{
	(void)state;
	each(check_ranges);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_by_every_path),
		cmocka_unit_test(clears_expand_to_the_leaves),
		cmocka_unit_test(quiet_removal),
		cmocka_unit_test(invalid_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
