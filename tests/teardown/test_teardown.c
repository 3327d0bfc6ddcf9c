/* SPDX-License-Identifier: MIT */
/* Which leaves pass 1 clears, and which tables pass 2 frees. */
#include "teardown.h"

/* ---- ranges ---- */

/* Empty, reversed and foreign ranges are refused, and freeing needs an allocator. */
static void invalid_ranges(void **state)
{
	static const struct {
		uint64_t start, end;
	} rows[] = {
		{ VA, VA },     { VA + 4096, VA }, { 0, 0 },           { VA - 1, VA + 4096 },
		{ 0, 4096 },    { VA - 4096, 0 },  { UINT64_MAX, VA }, { 4096, 0 },
		{ VA + 1, VA },
	};
	struct snapshot before;
	struct fixture f;

	(void)state;
	init_4k(&f, "linux-6.12");
	must_map(&f, VA, GIB, 4096, false);
	before = snapshot_take(&f);
	pgtsim_tlb_reset_counts(&f.tlb);
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(unmap(&f, rows[i].start, rows[i].end), -EINVAL);
		assert_int_equal(pgtsim_free_tables(&f.pgt, rows[i].start, rows[i].end, 0, 0),
				 -EINVAL);
	}
	{
		const struct pgtsim_unmap pass = { .start = VA,
						   .end = VA + 4096,
						   .free_mapped = true };

		assert_int_equal(pgtsim_unmap_range(&f.pgt, &pass), -EINVAL);
	}
	assert_int_equal(f.tlb.counts.dsb, 0);
	assert_true(unchanged(&f, &before));
	snapshot_free(&before);
	fixture_fini(&f);
}

static void check_end_of_space(const char *name)
{
	const struct pgtsim_policy policy = profile(name);
	struct geometry_case cases[MAX_GEOMETRIES];
	size_t n = all_geometries(cases, &policy);

	for (size_t i = 0; i < n; i++) {
		const struct pgtsim_geometry *geo = &cases[i].geo;
		uint64_t size = 4 * pgtsim_page_size(geo), end = region_end(geo), from = end - size;
		struct fixture f;

		fixture_init(&f, &policy, geo);
		must_map(&f, from, 0, size, false);
		from += !is_s390(&policy); /* which takes whole pages only */
		assert_int_equal(unmap(&f, from, end), 0);
		assert_int_equal(f.tlb.counts.leaves_cleared, 4);
		assert_int_equal(pgtsim_free_tables(&f.pgt, from, end, 0, 0), 0);
		assert_int_equal(tables_linked(&f), 1);
		assert_int_equal(f.tlb.counts.tables_freed, geo->levels - 1);
		/* s390 frees a table before it clears its entry. */
		assert_int_equal(f.tlb.counts.violations, is_s390(&policy) ? geo->levels - 1 : 0);
		/* The whole region at once. */
		must_map(&f, pgtsim_va_start(geo), 0, size, true);
		if (geo->levels > 1)
			must_map(&f, end - size, 0, size, true);
		assert_int_equal(unmap(&f, pgtsim_va_start(geo), end), 0);
		assert_int_equal(pgtsim_free_tables(&f.pgt, pgtsim_va_start(geo), end, 0, 0), 0);
		assert_int_equal(tables_linked(&f), 1);
		assert_int_equal(f.pgt.root->live, 0);
		fixture_fini(&f);
	}
}

/* A range may end at the end of the address space, and may be all of the region: any geometry. */
static void end_of_the_address_space(void **state)
{
	(void)state;
	check_end_of_space("linux-5.7");
	check_end_of_space("linux-6.12");
	check_end_of_space("latest");
	check_end_of_space("s390-5.9");
	check_end_of_space("s390-7.3");
}

/* Whatever a range touches of a block, or one byte of a page, clears the whole leaf. */
static void leaves_are_cut(void **state)
{
	static const struct {
		uint64_t start, size, gone_start, gone_size;
	} rows[] = {
		{ 0, MIB, 0, 2 * MIB }, /* half a block */
		{ MIB, MIB, 0, 2 * MIB },
		{ 2 * MIB - 1, 2, 0, 4 * MIB }, /* a byte of two */
		{ 2 * MIB - 1, 1, 0, 2 * MIB },
		{ 3 * MIB, 2 * MIB, 2 * MIB, 2 * MIB + MIB }, /* half a block and ptes */
		{ 4 * MIB + 5, 1, 4 * MIB, 4096 },            /* a byte of a page */
		{ 4 * MIB + 4095, 1, 4 * MIB, 4096 },
		{ GIB + 77 * MIB, 1, GIB, GIB }, /* a byte of a pud block */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t gone = VA + rows[i].gone_start;
		struct fixture f;

		init_4k(&f, i % 2 ? "linux-5.7" : "linux-6.12");
		must_map(&f, VA, 4 * GIB, 4 * MIB, true);
		must_map(&f, VA + 4 * MIB, 4 * GIB, MIB, false);
		must_map(&f, VA + GIB, 4 * GIB, GIB, true);
		assert_int_equal(unmap(&f, VA + rows[i].start, VA + rows[i].start + rows[i].size),
				 0);
		for (uint64_t at = VA; at < VA + 5 * MIB; at += 4096)
			assert_int_equal(is_mapped(&f, at), at - gone >= rows[i].gone_size);
		assert_int_equal(is_mapped(&f, VA + GIB), gone != VA + GIB);
		assert_int_equal(is_mapped(&f, VA + 2 * GIB - 1), gone != VA + GIB);
		assert_int_equal(f.tlb.counts.violations, 0);
		fixture_fini(&f);
	}
}

/* The survivors of a cut contiguous group keep the hint. */
static void hint_stays_on_survivors(void **state)
{
	struct pgtsim_map map;
	struct fixture f;

	(void)state;
	init_4k(&f, "linux-6.12");
	map = linear_map(&f, VA, 4 * GIB, 32 * MIB + 128 * KIB);
	map.blocks = map.cont = true;
	assert_int_equal(pgtsim_map(&f.pgt, &map), 0);
	assert_int_equal(unmap(&f, VA + 4 * MIB, VA + 6 * MIB), 0);
	assert_int_equal(unmap(&f, VA + 32 * MIB, VA + 32 * MIB + 4096), 0);
	assert_int_equal(entry_at(&f, PGTSIM_PMD, VA + 4 * MIB), 0);
	assert_int_equal(entry_at(&f, PGTSIM_PMD, VA + 6 * MIB), 0x00f8000100600705);
	assert_int_equal(entry_at(&f, PGTSIM_PMD, VA), 0x00f8000100000705);
	assert_int_equal(entry_at(&f, PGTSIM_PTE, VA + 32 * MIB), 0);
	assert_int_equal(entry_at(&f, PGTSIM_PTE, VA + 32 * MIB + 4096), 0x00f8000102001707);
	fixture_fini(&f);
}

/*
 * quirk: in a pte table the kernel's loop steps from an unaligned start by pages, so that the last
 * part page stays if it is less than the first one lacks.
 */
static void quirk_unaligned_start_in_a_pte_table(void **state)
{
	static const struct {
		uint64_t start, end;
		unsigned cleared; /* pages from the first one on */
	} rows[] = {
		{ 0, 4096, 1 },       { 0, 4097, 2 },       { 0x800, 0x1800, 1 },
		{ 0x800, 0x1801, 2 }, { 0x800, 0x1001, 1 }, { 0xfff, 0x1fff, 1 },
		{ 0xfff, 0x2000, 2 }, { 0x800, 0x3000, 3 }, { 1, 0x4000, 4 },
		{ 1, 0x4001, 4 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct fixture f;

		init_4k(&f, i % 2 ? "linux-5.7" : "latest");
		must_map(&f, VA, 4 * GIB, 16 * 4096, false);
		assert_int_equal(unmap(&f, VA + rows[i].start, VA + rows[i].end), 0);
		for (unsigned page = 0; page < 16; page++)
			assert_int_equal(is_mapped(&f, VA + page * 4096), page >= rows[i].cleared);
		assert_int_equal(f.tlb.counts.leaves_cleared, rows[i].cleared);
		fixture_fini(&f);
	}
}

/* quirk: only the table of the unaligned start; in the next one the loop is aligned again. */
static void quirk_ends_with_the_table(void **state)
{
	uint64_t edge = VA + 2 * MIB;
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	must_map(&f, VA, 4 * GIB, 4 * MIB, false);
	assert_int_equal(unmap(&f, edge - 0x800, edge + 0x801), 0);
	assert_true(is_mapped(&f, edge - 0x1001));
	assert_false(is_mapped(&f, edge - 1));
	assert_false(is_mapped(&f, edge));
	assert_true(is_mapped(&f, edge + 4096));
	fixture_fini(&f);
}

/* ---- the bounds of pass 2 ---- */

static const struct {
	uint64_t start, end;     /* from VA; what pass 2 is given */
	uint64_t floor, ceiling; /* from VA, but 0 is 0, and above 2^63 as it is */
	unsigned freed;          /* 0: none, 1: the pte table, 3: all three */
} bounds_rows[] = {
	{ 2 * MIB, 4 * MIB, 0, 0, 3 },
	{ 2 * MIB, 4 * MIB, 1, 0, 1 }, /* floor inside the pmd's span */
	{ 2 * MIB, 4 * MIB, 2 * MIB, 0, 1 },
	{ 2 * MIB, 4 * MIB, 2 * MIB + 1, 0, 0 },
	{ 2 * MIB, 4 * MIB, 4 * MIB, 0, 0 },
	{ 3 * MIB, 4 * MIB, 2 * MIB, 0, 1 }, /* part of the table: its span counts */
	{ 3 * MIB, 4 * MIB, 3 * MIB, 0, 0 },
	{ 2 * MIB, 4 * MIB, 0, 512 * GIB, 3 },
	{ 2 * MIB, 4 * MIB, 0, GIB, 2 }, /* the pud's span is beyond */
	{ 2 * MIB, 4 * MIB, 0, GIB - 1, 1 },
	{ 2 * MIB, 4 * MIB, 0, 4 * MIB, 1 },
	{ 2 * MIB, 4 * MIB, 0, 4 * MIB - 1, 0 },
	{ 2 * MIB, 3 * MIB, 0, 3 * MIB, 0 }, /* ceiling inside the table */
	{ 2 * MIB, 3 * MIB, 0, 4 * MIB, 1 },
	{ 2 * MIB, 4 * MIB, 0, 2 * MIB, 0 },
	{ 2 * MIB, 4 * MIB, 2 * MIB, 4 * MIB, 1 },
	{ 0, 4 * GIB, 2 * MIB, 4 * MIB, 1 }, /* the part inside the table counts */
};

/* pgtable_range_aligned(): whether the pte table of [2M, 4M) and the pmd table above are freed. */
static void bounds_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bounds_rows); i++) {
		uint64_t floor = bounds_rows[i].floor ? VA + bounds_rows[i].floor : 0;
		uint64_t ceiling = bounds_rows[i].ceiling ? VA + bounds_rows[i].ceiling : 0;
		struct fixture f;

		init_4k(&f, "latest");
		must_map(&f, VA + 2 * MIB, 4 * GIB, 2 * MIB, false);
		assert_int_equal(unmap(&f, VA + 2 * MIB, VA + 4 * MIB), 0);
		pgtsim_tlb_reset_counts(&f.tlb);
		assert_int_equal(pgtsim_free_tables(&f.pgt, VA + bounds_rows[i].start,
						    VA + bounds_rows[i].end, floor, ceiling),
				 0);
		if (f.tlb.counts.tables_freed != bounds_rows[i].freed)
			fail_msg("row %zu: %llu freed", i,
				 (unsigned long long)f.tlb.counts.tables_freed);
		assert_int_equal(tables_linked(&f), 4 - bounds_rows[i].freed);
		/* An empty table kept is noted; one that holds a kept one is not empty. */
		assert_int_equal(f.tlb.counts.tables_kept, bounds_rows[i].freed < 3);
		/* Wider bounds free it later. */
		assert_int_equal(pgtsim_free_tables(&f.pgt, VA, VA + GIB, 0, 0), 0);
		assert_int_equal(tables_linked(&f), 1);
		fixture_fini(&f);
	}
}

/* A ceiling below the first entry's span masks to 0, which is not "no limit". */
static void tiny_ceiling(void **state)
{
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	must_map(&f, VA, GIB, 4096, false);
	assert_int_equal(unmap(&f, VA, VA + 4096), 0);
	assert_int_equal(pgtsim_free_tables(&f.pgt, VA, VA + 4096, 0, 1), 0);
	assert_int_equal(pgtsim_free_tables(&f.pgt, VA, VA + 4096, 0, 4096), 0);
	assert_int_equal(tables_linked(&f), 4);
	fixture_fini(&f);
}

/* The last table of the space may have no ceiling but the end of the address space. */
static void bounds_at_the_end_of_space(void **state)
{
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	must_map(&f, -2 * MIB, GIB, 2 * MIB, false);
	assert_int_equal(unmap(&f, -2 * MIB, 0), 0);
	assert_int_equal(pgtsim_free_tables(&f.pgt, -2 * MIB, 0, -2 * MIB, UINT64_MAX), 0);
	assert_int_equal(tables_linked(&f), 4);
	assert_int_equal(pgtsim_free_tables(&f.pgt, -2 * MIB, 0, -2 * MIB, 0), 0);
	assert_int_equal(tables_linked(&f), 3);
	fixture_fini(&f);
}

/* Tables that still hold something stay, with whatever bounds; free-tables=never keeps all. */
static void live_tables_stay(void **state)
{
	struct snapshot before;
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	must_map(&f, VA, GIB, 8 * MIB, false);
	assert_int_equal(unmap(&f, VA, VA + 6 * MIB + 4096), 0);
	before = snapshot_take(&f);
	f.policy.free_tables = PGTSIM_FREE_NEVER;
	assert_int_equal(pgtsim_free_tables(&f.pgt, VA, VA + 6 * MIB, 0, 0), 0);
	assert_true(unchanged(&f, &before));
	assert_int_equal(f.tlb.counts.tables_kept, 3);
	f.policy.free_tables = PGTSIM_FREE_FLOOR_CEILING;
	assert_int_equal(pgtsim_free_tables(&f.pgt, VA, VA + 6 * MIB + 4096, 0, 0), 0);
	assert_int_equal(f.tlb.counts.tables_freed, 3);
	assert_int_equal(tables_linked(&f), 4);
	assert_int_equal(f.tlb.counts.violations, 0);
	snapshot_free(&before);
	fixture_fini(&f);
}

/* The rule of an early draft: nothing is freed where the root's entries reach past the bounds. */
static void no_tables_where_regions_overlap(void **state)
{
	static const struct {
		uint64_t floor, ceiling;
		unsigned freed;
	} rows[] = {
		{ 0, 0, 3 },
		{ VA, VA + 512 * GIB, 3 },
		{ VA + 4096, 0, 0 },
		{ VA, VA + 512 * GIB - 1, 0 },
		{ VA, VA + 4 * GIB, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct fixture f;

		init_4k(&f, "latest");
		f.policy.free_tables = PGTSIM_FREE_SKIP_WHEN_REGIONS_OVERLAP;
		must_map(&f, VA + 2 * MIB, GIB, 2 * MIB, false);
		assert_int_equal(unmap(&f, VA + 2 * MIB, VA + 4 * MIB), 0);
		assert_int_equal(pgtsim_free_tables(&f.pgt, VA + 2 * MIB, VA + 4 * MIB,
						    rows[i].floor, rows[i].ceiling),
				 0);
		assert_int_equal(f.tlb.counts.tables_freed, rows[i].freed);
		fixture_fini(&f);
	}
}

/* While it is quiet both passes do their work and count nothing. */
static void quiet_passes(void **state)
{
	struct pgtsim_counts before;
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	must_map(&f, VA, GIB, 4 * MIB, false);
	before = f.tlb.counts;
	f.tlb.quiet = true;
	assert_int_equal(unmap(&f, VA, VA + 4 * MIB), 0);
	assert_int_equal(pgtsim_free_tables(&f.pgt, VA, VA + 4 * MIB, VA + 2 * MIB, 0), 0);
	assert_int_equal(tables_linked(&f), 4);
	assert_memory_equal(&f.tlb.counts, &before, sizeof(before));
	fixture_fini(&f);
}

/* The events of a table freed: cleared, made visible, walk cache of its first address, freed. */
static void events_of_an_unlink(void **state)
{
	static const enum pgtsim_op ops[] = {
		PGTSIM_OP_UNLINK,  PGTSIM_OP_DSB_ISHST, PGTSIM_OP_TLBI_WALK,
		PGTSIM_OP_DSB_ISH, PGTSIM_OP_ISB,       PGTSIM_OP_TABLE_FREE,
	};
	uint64_t desc, va = VA + 2 * MIB + 8192;
	struct recorder r;
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	must_map(&f, VA, GIB, 3 * MIB, false);
	assert_int_equal(unmap(&f, VA + 2 * MIB, VA + 3 * MIB), 0);
	desc = entry_at(&f, PGTSIM_PMD, va);
	recorder_start(&r, &f);
	assert_int_equal(pgtsim_free_tables(&f.pgt, va, VA + 3 * MIB, 0, 0), 0);
	assert_int_equal(r.mark.op, PGTSIM_OP_BEGIN_PASS_2);
	assert_int_equal(r.count, COUNT(ops));
	assert_true(recorded(&r, 0, ops, COUNT(ops)));
	assert_int_equal(r.event[0].level, PGTSIM_PMD);
	assert_int_equal(r.event[0].va, VA + 2 * MIB);
	assert_int_equal(r.event[0].old_desc, desc);
	assert_int_equal(r.event[0].new_desc, 0);
	assert_int_equal(r.event[2].va, va);
	assert_int_equal(r.event[5].pa, desc & 0xfffffffff000);
	assert_int_equal(r.event[5].level, PGTSIM_PTE);
	recorder_stop(&r, &f);
	fixture_fini(&f);
}

/* ---- what pass 2 and pass 1 should not meet ---- */

/* A block, or ptes, that pass 1 left are a violation and stay, with the tables above. */
static void leaves_in_pass_2(void **state)
{
	struct snapshot before;
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	must_map(&f, VA + 4 * MIB, GIB, 2 * MIB, true);
	before = snapshot_take(&f);
	assert_int_equal(pgtsim_free_tables(&f.pgt, VA, VA + GIB, 0, 0), 0);
	assert_true(unchanged(&f, &before));
	assert_int_equal(f.tlb.counts.violations, 1);
	assert_string_equal(first_violation(&f), "block-in-pass-2");
	assert_int_equal(f.tlb.violations[0].va, VA + 4 * MIB);
	assert_int_equal(f.tlb.violations[0].level, PGTSIM_PMD);
	snapshot_free(&before);
	fixture_fini(&f);

	init_4k(&f, "latest");
	must_map(&f, VA + 4096, GIB, 8192, false);
	before = snapshot_take(&f);
	assert_int_equal(pgtsim_free_tables(&f.pgt, VA, VA + 4096, 0, 0), 0);
	assert_int_equal(f.tlb.counts.violations, 0);
	assert_int_equal(pgtsim_free_tables(&f.pgt, VA, VA + 8192, 0, 0), 0);
	assert_string_equal(first_violation(&f), "leaf-in-pass-2");
	assert_int_equal(f.tlb.violations[0].va, VA);
	assert_int_equal(f.tlb.violations[0].level, PGTSIM_PTE);
	assert_true(unchanged(&f, &before));
	snapshot_free(&before);
	fixture_fini(&f);
}

/* Invalid entries: a pte is cleared, above it stays, both are noted. */
static void invalid_entries_in_pass_1(void **state)
{
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	must_map(&f, VA, GIB, 16 * 4096, false);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PTE, VA + 8192, 0x00e8000080000706), 0);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PMD, VA + 2 * MIB, 0x00e8000080000704), 0);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_P4D, VA + 512 * GIB, 0x00e8000080000705), 0);
	pgtsim_tlb_reset_counts(&f.tlb);
	assert_int_equal(unmap(&f, VA, VA + 513 * GIB), 0);
	assert_int_equal(f.tlb.counts.violations, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(f.tlb.violations[i].name, PGTSIM_V_INVALID_ENTRY);
	assert_int_equal(f.tlb.violations[0].va, VA + 8192);
	assert_int_equal(f.tlb.violations[1].va, VA + 2 * MIB);
	assert_int_equal(f.tlb.violations[2].va, VA + 512 * GIB);
	assert_int_equal(f.tlb.counts.leaves_cleared, 16);
	assert_int_equal(entry_at(&f, PGTSIM_PTE, VA + 8192), 0);
	assert_int_equal(entry_at(&f, PGTSIM_PMD, VA + 2 * MIB), 0x00e8000080000704);
	assert_int_equal(entry_at(&f, PGTSIM_P4D, VA + 512 * GIB), 0x00e8000080000705);
	fixture_fini(&f);
}

/* ---- how tables are freed ---- */

/* As many destructors as constructors are called, by the releases that call any, and by no other. */
static void constructors_and_destructors(void **state)
{
	static const struct {
		const char *dtor;
		uint64_t constructed, destructed, violations;
	} rows[] = { { "none", 0, 0, 0 }, { "skipped", 6, 0, 6 }, { "called", 6, 6, 0 } };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct fixture f;

		init_4k(&f, "latest");
		assert_int_equal(pgtsim_policy_set(&f.policy, "table-dtor", rows[i].dtor), 0);
		must_map(&f, VA, GIB, 8 * MIB, false);
		assert_int_equal(f.tlb.counts.tables_constructed, rows[i].constructed);
		assert_int_equal(unmap(&f, VA, VA + 8 * MIB), 0);
		assert_int_equal(pgtsim_free_tables(&f.pgt, VA, VA + 8 * MIB, 0, 0), 0);
		assert_int_equal(f.tlb.counts.tables_freed, 6);
		assert_int_equal(f.tlb.counts.tables_constructed, rows[i].constructed);
		assert_int_equal(f.tlb.counts.tables_destructed, rows[i].destructed);
		assert_int_equal(f.tlb.counts.violations, rows[i].violations);
		if (rows[i].violations)
			assert_string_equal(first_violation(&f), "table-not-destroyed");
		fixture_fini(&f);
	}
}

/* A table that is freed before the invalidate is one that a walk cache may hold. */
static void tables_freed_too_early(void **state)
{
	static const char *const orders[] = { "after-invalidate", "before-invalidate" };

	(void)state;
	for (unsigned early = 0; early < 2; early++) {
		struct fixture f;

		init_4k(&f, "latest");
		assert_int_equal(pgtsim_policy_set(&f.policy, "table-free-order", orders[early]),
				 0);
		assert_int_equal(pgtsim_checker_start(&f.tlb, &f.pgt.geo, &f.policy), 0);
		must_map(&f, VA, GIB, 8 * MIB, false);
		assert_int_equal(unmap(&f, VA, VA + 8 * MIB), 0);
		assert_int_equal(pgtsim_free_tables(&f.pgt, VA, VA + 8 * MIB, 0, 0), 0);
		assert_int_equal(f.tlb.counts.tables_freed, 6);
		assert_int_equal(f.tlb.counts.tlbi_walk, 6);
		assert_int_equal(f.tlb.counts.violations, early ? 6 : 0);
		if (early)
			assert_string_equal(first_violation(&f), "table-freed-while-cached");
		fixture_fini(&f);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(invalid_ranges),
	cmocka_unit_test(end_of_the_address_space),
	cmocka_unit_test(leaves_are_cut),
	cmocka_unit_test(hint_stays_on_survivors),
	cmocka_unit_test(quirk_unaligned_start_in_a_pte_table),
	cmocka_unit_test(quirk_ends_with_the_table),
	cmocka_unit_test(bounds_table),
	cmocka_unit_test(tiny_ceiling),
	cmocka_unit_test(bounds_at_the_end_of_space),
	cmocka_unit_test(live_tables_stay),
	cmocka_unit_test(no_tables_where_regions_overlap),
	cmocka_unit_test(quiet_passes),
	cmocka_unit_test(events_of_an_unlink),
	cmocka_unit_test(leaves_in_pass_2),
	cmocka_unit_test(invalid_entries_in_pass_1),
	cmocka_unit_test(constructors_and_destructors),
	cmocka_unit_test(tables_freed_too_early),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
