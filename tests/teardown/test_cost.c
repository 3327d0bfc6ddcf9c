/* SPDX-License-Identifier: MIT */
/* What a teardown costs: invalidates, barriers, reads and work. */
#include "teardown.h"

struct cost_row {
	unsigned kib, va;
	bool blocks;
	const char *profile;
	uint64_t leaf, all, walk;
};

static const struct cost_row section_rows[] = {
	{ 4, 48, false, "linux-5.7", 32768, 0, 66 }, { 4, 48, false, "linux-6.1", 0, 1, 66 },
	{ 4, 48, false, "linux-6.12", 0, 1, 66 },    { 4, 48, false, "linux-7.3", 0, 1, 66 },
	{ 16, 47, false, "linux-5.7", 8192, 0, 5 },  { 16, 47, false, "linux-6.1", 0, 1, 5 },
	{ 16, 47, false, "linux-6.12", 0, 1, 5 },    { 16, 47, false, "linux-7.3", 0, 1, 5 },
	{ 64, 48, false, "linux-5.7", 8192, 0, 2 },  { 64, 48, false, "linux-6.1", 8192, 0, 2 },
	{ 64, 48, false, "linux-6.12", 8192, 0, 2 }, { 64, 48, false, "linux-7.3", 0, 1, 2 },
	{ 4, 48, true, "linux-5.7", 64, 0, 2 },      { 4, 48, true, "linux-6.1", 0, 1, 2 },
	{ 4, 48, true, "linux-6.12", 0, 1, 2 },      { 4, 48, true, "linux-7.3", 0, 1, 2 },
};

/* Invalidates of one section removed from the linear map, by profile and geometry. */
static void invalidates_of_a_section(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(section_rows); i++) {
		uint64_t size = (section_rows[i].kib == 64 ? 512 : 128) * MIB;
		uint64_t start, tables;
		struct fixture f;

		init_with(&f, section_rows[i].profile, section_rows[i].kib, section_rows[i].va);
		start = pgtsim_va_start(&f.pgt.geo);
		must_map(&f, start, 2 * GIB, size, section_rows[i].blocks);
		tables = f.tlb.counts.tables_allocated - 1;
		pgtsim_tlb_reset_counts(&f.tlb);
		assert_int_equal(unmap(&f, start, start + size), 0);
		assert_int_equal(f.tlb.counts.tlbi_walk, 0);
		assert_int_equal(pgtsim_free_tables(&f.pgt, start, start + size, 0, 0), 0);
		assert_int_equal(f.tlb.counts.tlbi_leaf, section_rows[i].leaf);
		assert_int_equal(f.tlb.counts.tlbi_all, section_rows[i].all);
		assert_int_equal(f.tlb.counts.tlbi_walk, section_rows[i].walk);
		assert_int_equal(f.tlb.counts.tables_freed, tables);
		assert_int_equal(f.tlb.counts.tables_freed, section_rows[i].walk);
		assert_int_equal(f.tlb.counts.violations, 0);
		assert_int_equal(tables_linked(&f), 1);
		fixture_fini(&f);
	}
}

/* 2 GiB: 5.7 pays DSB, DSB, ISB and an invalidate a leaf, 6.12 once; pass 2 is alike. */
static void two_gigabytes(void **state)
{
	static const struct {
		const char *profile;
		bool blocks;
		uint64_t leaves, leaf, all, dsb, isb, tables, extra;
	} rows[] = {
		{ "linux-5.7", false, 524288, 524288, 0, 1048576, 524288, 1027, 0 },
		{ "linux-6.12", false, 524288, 0, 1, 2, 1, 1027, 1 },
		{ "linux-5.7", true, 1024, 1024, 0, 2048, 1024, 3, 0 },
		{ "linux-6.12", true, 1024, 0, 1, 2, 1, 3, 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t end = VA + 2 * GIB;
		struct fixture f;

		init_4k(&f, rows[i].profile);
		f.pgt.geo.block[pgtsim_slot(PGTSIM_PUD)] = false;
		must_map(&f, VA, 4 * GIB, 2 * GIB, rows[i].blocks);
		pgtsim_tlb_reset_counts(&f.tlb);
		assert_int_equal(unmap(&f, VA, end), 0);
		assert_int_equal(f.tlb.counts.leaves_cleared, rows[i].leaves);
		assert_int_equal(f.tlb.counts.entries_read, rows[i].leaves);
		assert_int_equal(f.tlb.counts.entries_written, rows[i].leaves);
		assert_int_equal(f.tlb.counts.tlbi_leaf, rows[i].leaf);
		assert_int_equal(f.tlb.counts.tlbi_all, rows[i].all);
		assert_int_equal(f.tlb.counts.dsb, rows[i].dsb);
		assert_int_equal(f.tlb.counts.isb, rows[i].isb);
		pgtsim_tlb_reset_counts(&f.tlb);
		assert_int_equal(pgtsim_free_tables(&f.pgt, VA, end, 0, 0), 0);
		assert_int_equal(f.tlb.counts.tables_freed, rows[i].tables);
		assert_int_equal(f.tlb.counts.tlbi_walk, rows[i].tables);
		assert_int_equal(f.tlb.counts.dsb, 2 * rows[i].tables + rows[i].extra);
		assert_int_equal(f.tlb.counts.isb, rows[i].tables + rows[i].extra);
		assert_int_equal(f.tlb.counts.leaves_cleared, 0);
		fixture_fini(&f);
	}
}

/* DSB and ISB of both passes over 512 ptes: 6.12 adds a pair for the root, and a p4d below it. */
static void barriers_of_removal(void **state)
{
	static const struct {
		const char *profile;
		unsigned kib, va, dsb, isb;
	} rows[] = {
		{ "linux-6.1", 4, 48, 8, 4 },
		{ "linux-6.12", 4, 48, 9, 5 },
		{ "linux-7.3", 4, 48, 9, 5 },
		{ "linux-6.12", 4, 52, 2 + 8 + 2, 1 + 4 + 2 },
		{ "linux-6.1", 4, 39, 2 + 4, 1 + 2 },
		{ "linux-6.12", 4, 39, 2 + 4 + 1, 1 + 2 + 1 },
		{ "linux-6.12", 64, 42, 2 + 2 + 1, 1 + 1 + 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t start, size;
		struct fixture f;

		init_with(&f, rows[i].profile, rows[i].kib, rows[i].va);
		start = pgtsim_va_start(&f.pgt.geo);
		size = 512 * pgtsim_page_size(&f.pgt.geo);
		must_map(&f, start, 2 * GIB, size, false);
		pgtsim_tlb_reset_counts(&f.tlb);
		assert_int_equal(unmap(&f, start, start + size), 0);
		assert_int_equal(pgtsim_free_tables(&f.pgt, start, start + size, 0, 0), 0);
		assert_int_equal(f.tlb.counts.dsb, rows[i].dsb);
		assert_int_equal(f.tlb.counts.isb, rows[i].isb);
		fixture_fini(&f);
	}
}

/* Blocks in the root: each that is cleared is made visible from 6.12 on. */
static void barriers_of_root_blocks(void **state)
{
	static const struct {
		const char *profile;
		unsigned dsb, isb;
	} rows[] = {
		{ "linux-6.1", 2, 1 },
		{ "linux-6.12", 2 + 3, 1 + 3 },
		{ "linux-7.3", 2 + 3, 1 + 3 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t start, size = 3 * 512 * MIB;
		struct fixture f;

		init_with(&f, rows[i].profile, 64, 42);
		start = pgtsim_va_start(&f.pgt.geo);
		must_map(&f, start, 2 * GIB, size, true);
		pgtsim_tlb_reset_counts(&f.tlb);
		assert_int_equal(unmap(&f, start, start + size), 0);
		assert_int_equal(f.tlb.counts.leaves_cleared, 3);
		assert_int_equal(f.tlb.counts.dsb, rows[i].dsb);
		assert_int_equal(f.tlb.counts.isb, rows[i].isb);
		fixture_fini(&f);
	}
}

/* Pass 1 over nothing at all still flushes, when the flush is one for the range. */
static void empty_pass_flushes(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(all_profiles); i++) {
		struct fixture f;
		bool batched;

		init_4k(&f, all_profiles[i]);
		batched = f.policy.flush != PGTSIM_FLUSH_PER_LEAF;
		assert_int_equal(batched, i >= 3);
		assert_int_equal(unmap(&f, VA, VA + 64 * KIB), 0);
		assert_int_equal(f.tlb.counts.tlbi_leaf, batched ? 16 : 0);
		assert_int_equal(f.tlb.counts.dsb, batched ? 2 : 0);
		assert_int_equal(f.tlb.counts.isb, batched ? 1 : 0);
		assert_int_equal(f.tlb.counts.leaves_cleared, 0);
		assert_int_equal(f.tlb.counts.entries_read, 0);
		fixture_fini(&f);
	}
}

/* A batched flush counts base pages of the range whatever the leaves are. */
static void batched_flush_counts_pages(void **state)
{
	struct fixture f;

	(void)state;
	init_4k(&f, "linux-6.12");
	must_map(&f, VA, 2 * GIB, 2 * MIB, true);
	assert_int_equal(unmap(&f, VA, VA + 2 * MIB), 0);
	assert_int_equal(f.tlb.counts.leaves_cleared, 1);
	assert_int_equal(f.tlb.counts.tlbi_leaf, 512);
	assert_int_equal(f.tlb.counts.tlbi_all, 0);
	fixture_fini(&f);
}

/* Pass 2 reads every entry of a whole pte table twice and each scanned entry above once. */
static void reads_of_pass_2(void **state)
{
	static const struct {
		unsigned kib, va;
		uint64_t reads; /* of one section */
	} rows[] = {
		{ 4, 48, 64 * 2 * 512 + 512 + 512 },
		{ 4, 39, 64 * 2 * 512 + 512 },
		{ 4, 52, 64 * 2 * 512 + 3 * 512 },
		{ 16, 47, 4 * 2 * 2048 + 2048 },
		{ 64, 42, 2 * 8192 },
		{ 64, 48, 2 * 8192 + 8192 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t start, end;
		struct fixture f;

		init_with(&f, "latest", rows[i].kib, rows[i].va);
		start = pgtsim_va_start(&f.pgt.geo);
		end = start + (rows[i].kib == 64 ? 512 : 128) * MIB;
		must_map(&f, start, 2 * GIB, end - start, false);
		assert_int_equal(unmap(&f, start, end), 0);
		pgtsim_tlb_reset_counts(&f.tlb);
		assert_int_equal(pgtsim_free_tables(&f.pgt, start, end, 0, 0), 0);
		assert_int_equal(f.tlb.counts.entries_read, rows[i].reads);
		assert_int_equal(f.tlb.counts.entries_written, 0);
		fixture_fini(&f);
	}
}

/* A scan ends at the first live entry; a table that bounds keep is not scanned at all. */
static void scans_end_at_the_first_live_entry(void **state)
{
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	must_map(&f, VA, 2 * GIB, 8 * MIB, false);
	assert_int_equal(unmap(&f, VA, VA + 6 * MIB), 0);
	pgtsim_tlb_reset_counts(&f.tlb);
	/* Three pte tables twice, four entries of the pmd table, one of the pud table. */
	assert_int_equal(pgtsim_free_tables(&f.pgt, VA, VA + 6 * MIB, 0, 0), 0);
	assert_int_equal(f.tlb.counts.entries_read, 3 * 1024 + 4 + 1);
	assert_int_equal(f.tlb.counts.tables_freed, 3);
	assert_int_equal(unmap(&f, VA + 6 * MIB, VA + 7 * MIB), 0);
	pgtsim_tlb_reset_counts(&f.tlb);
	/* Half a table: 256 entries are checked, 257 scanned. */
	assert_int_equal(pgtsim_free_tables(&f.pgt, VA + 6 * MIB, VA + 7 * MIB, 0, 0), 0);
	assert_int_equal(f.tlb.counts.entries_read, 256 + 257 + 4 + 1);
	pgtsim_tlb_reset_counts(&f.tlb);
	assert_int_equal(pgtsim_free_tables(&f.pgt, VA + 6 * MIB, VA + 7 * MIB, VA + GIB, 0), 0);
	assert_int_equal(f.tlb.counts.entries_read, 256);
	assert_int_equal(f.tlb.counts.tables_freed, 0);
	fixture_fini(&f);
}

/* Removing a region piece by piece costs the kernel ever longer scans, the library none. */
static void work_is_linear(void **state)
{
	uint64_t work, reads;
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	must_map(&f, VA, 2 * GIB, GIB, false);
	pgtsim_tlb_reset_counts(&f.tlb);
	for (uint64_t at = VA; at < VA + GIB; at += 2 * MIB) {
		assert_int_equal(unmap(&f, at, at + 2 * MIB), 0);
		assert_int_equal(pgtsim_free_tables(&f.pgt, at, at + 2 * MIB, 0, 0), 0);
	}
	assert_int_equal(tables_linked(&f), 1);
	reads = f.tlb.counts.entries_read;
	work = f.tlb.counts.work_entries;
	/* Leaves; ptes twice; 2 + 3 + … + 512 + 512 entries of the pmd table; the pud table. */
	assert_int_equal(reads, 262144 * 3 + (511 * 514 / 2 + 512) + 511 + 512);
	assert_true(work >= 262144 && work < 262144 + 16 * 512);
	fixture_fini(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(invalidates_of_a_section),
	cmocka_unit_test(two_gigabytes),
	cmocka_unit_test(barriers_of_removal),
	cmocka_unit_test(barriers_of_root_blocks),
	cmocka_unit_test(empty_pass_flushes),
	cmocka_unit_test(batched_flush_counts_pages),
	cmocka_unit_test(reads_of_pass_2),
	cmocka_unit_test(scans_end_at_the_first_live_entry),
	cmocka_unit_test(work_is_linear),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
