/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include <pgtsim/teardown.h>

#define VA UINT64_C(0xffff000000000000)

static void init_with(struct fixture *f, const char *name, unsigned kib, unsigned va)
{
	const struct pgtsim_geometry geo = linux_geometry(kib, va, 0, va == 52 ? 52 : 48);
	const struct pgtsim_policy policy = profile(name);

	fixture_init(f, &policy, &geo);
}

static void init_4k(struct fixture *f, const char *name)
{
	init_with(f, name, 4, 48);
}

/* Pass 1 of a range whose memory is not freed. */
static int unmap(struct fixture *f, uint64_t start, uint64_t end)
{
	const struct pgtsim_unmap pass = { .start = start, .end = end };

	return pgtsim_unmap_range(&f->pgt, &pass);
}

/* Pass 1 that frees. */
static int unmap_free(struct fixture *f, uint64_t start, uint64_t end, struct pgtsim_altmap *altmap)
{
	const struct pgtsim_unmap pass = { .start = start,
					   .end = end,
					   .free_mapped = true,
					   .altmap = altmap,
					   .memory = f->memory };

	return pgtsim_unmap_range(&f->pgt, &pass);
}

static void must_map(struct fixture *f, uint64_t va, uint64_t pa, uint64_t size, bool blocks)
{
	assert_int_equal(map_linear(f, va, pa, size, blocks), 0);
}

/* ---- cost ---- */

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
		uint64_t size = 4 * pgtsim_page_size(geo);
		struct fixture f;

		fixture_init(&f, &policy, geo);
		must_map(&f, -size, 0, size, false);
		assert_int_equal(unmap(&f, -size + 1, 0), 0);
		assert_int_equal(f.tlb.counts.leaves_cleared, 4);
		assert_int_equal(pgtsim_free_tables(&f.pgt, -size + 1, 0, 0, 0), 0);
		assert_int_equal(tables_linked(&f), 1);
		assert_int_equal(f.tlb.counts.tables_freed, geo->levels - 1);
		assert_int_equal(f.tlb.counts.violations, 0);
		/* The whole region at once. */
		must_map(&f, pgtsim_va_start(geo), 0, size, true);
		if (geo->levels > 1)
			must_map(&f, -size, 0, size, true);
		assert_int_equal(unmap(&f, pgtsim_va_start(geo), 0), 0);
		assert_int_equal(pgtsim_free_tables(&f.pgt, pgtsim_va_start(geo), 0, 0, 0), 0);
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

/* ---- freeing what was mapped ---- */

/* Takes n pages that follow one another from the page allocator; returns their first frame. */
static uint64_t take_pages(struct fixture *f, uint64_t n)
{
	uint64_t first = 0, pfn;

	for (uint64_t got = 0; got < n;) {
		int64_t run = pgtsim_memory_alloc_run(f->memory, n - got, &pfn);

		assert_true(run > 0);
		if (!got)
			first = pfn;
		assert_int_equal(pfn, first + got);
		got += (uint64_t)run;
	}
	return first;
}

/* Maps n pages of the page allocator at VA; returns their first frame. */
static uint64_t map_allocated(struct fixture *f, uint64_t n)
{
	uint64_t pfn = take_pages(f, n);

	must_map(f, VA, pfn << 12, n << 12, false);
	return pfn;
}

/* Pages and blocks go back to the page allocator, one flush a leaf in every release. */
static void freeing_to_the_page_allocator(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(all_profiles); i++) {
		uint64_t pfn, before;
		struct fixture f;

		init_4k(&f, all_profiles[i]);
		before = free_pages_of(&f);
		map_allocated(&f, 300);
		assert_int_equal(pgtsim_memory_alloc(f.memory, 9, &pfn), 0);
		must_map(&f, VA + 2 * MIB, pfn << 12, 2 * MIB, true);
		pgtsim_tlb_reset_counts(&f.tlb);
		assert_int_equal(unmap_free(&f, VA, VA + 4 * MIB, NULL), 0);
		assert_int_equal(free_pages_of(&f), before - 3);
		assert_int_equal(f.tlb.counts.pages_freed, 300 + 512);
		assert_int_equal(f.tlb.counts.leaves_cleared, 301);
		assert_int_equal(f.tlb.counts.tlbi_leaf, 301);
		assert_int_equal(f.tlb.counts.tlbi_all, 0);
		assert_int_equal(f.tlb.counts.dsb, 602);
		assert_int_equal(f.tlb.counts.isb, 301);
		assert_int_equal(f.tlb.counts.violations, 0);
		fixture_fini(&f);
	}
}

/* Memory of an altmap is only counted back, whatever it really is. */
static void freeing_to_an_altmap(void **state)
{
	struct pgtsim_altmap altmap = { .base = 0x80000, .free = 4096, .alloc = 2000 };
	uint64_t before;
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	must_map(&f, VA, 2 * GIB, 8 * 4096, false);
	must_map(&f, VA + 2 * MIB, 2 * GIB, 2 * MIB, true);
	before = free_pages_of(&f);
	pgtsim_tlb_reset_counts(&f.tlb);
	assert_int_equal(unmap_free(&f, VA, VA + 4 * MIB, &altmap), 0);
	assert_int_equal(altmap.alloc, 2000 - 520);
	assert_int_equal(f.tlb.counts.altmap_freed, 520);
	assert_int_equal(f.tlb.counts.pages_freed, 520);
	assert_int_equal(f.tlb.counts.violations, 0);
	assert_int_equal(free_pages_of(&f), before);
	fixture_fini(&f);
}

/* Invalid leaves that bit 11 marks are leaves from 7.1 on: cleared, and their memory is freed. */
static void marked_leaves_in_pass_1(void **state)
{
	const uint64_t marked = PGTSIM_DESC_NG;

	(void)state;
	for (size_t i = 0; i < COUNT(all_profiles); i++) {
		bool leaf = !strcmp(all_profiles[i], "linux-7.3");
		uint64_t before, pfn, block;
		struct fixture f;

		init_4k(&f, all_profiles[i]);
		before = free_pages_of(&f);
		assert_int_equal(pgtsim_memory_alloc(f.memory, 9, &pfn), 0);
		must_map(&f, VA + 2 * MIB, pfn << 12, 2 * MIB, true);
		map_allocated(&f, 1);
		block = entry_at(&f, PGTSIM_PMD, VA + 2 * MIB) & ~PGTSIM_DESC_VALID;
		assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PMD, VA + 2 * MIB, block | marked), 0);
		assert_int_equal(unmap_free(&f, VA, VA + 4 * MIB, NULL), 0);
		assert_int_equal(f.tlb.counts.violations, leaf ? 0 : 1);
		assert_int_equal(f.tlb.counts.pages_freed, leaf ? 513 : 1);
		assert_int_equal(free_pages_of(&f), before - 3 - (leaf ? 0 : 512));
		assert_int_equal(entry_at(&f, PGTSIM_PMD, VA + 2 * MIB), leaf ? 0 : block | marked);
		if (!leaf) {
			assert_non_null(strstr(f.tlb.violations[0].text, "for a table"));
			assert_int_equal(pgtsim_memory_free_pages(f.memory, pfn, 9), 0);
		}
		fixture_fini(&f);
	}
}

/* A mark on a valid entry is nG, and one that has the bits of a reserved pte is no leaf. */
static void marks_that_are_none(void **state)
{
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	must_map(&f, VA, GIB, 2 * 4096, false);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PTE, VA, 0x00e8000040000f05), 0);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PTE, VA + 4096, 0x00e8000040001f07), 0);
	assert_int_equal(unmap(&f, VA, VA + 8192), 0);
	assert_int_equal(f.tlb.counts.violations, 1);
	assert_string_equal(first_violation(&f), "invalid-entry");
	assert_int_equal(f.tlb.violations[0].va, VA);
	fixture_fini(&f);
}

/* What an altmap never had is freed to it: the kernel counts, the library notes it. */
static void freeing_to_the_wrong_altmap(void **state)
{
	static const struct {
		uint64_t base, reserve, free, alloc;
		const char *violation; /* NULL: none */
		unsigned leaves;
	} rows[] = {
		{ 0x80000, 0, 4096, 8, NULL, 0 },
		{ 0x7fff0, 16, 8, 8, NULL, 0 },
		{ 0x90000, 0, 4096, 8, "wrong-owner", 8 },
		{ 0x7fff0, 17, 4096, 8, "wrong-owner", 1 },
		{ 0x80000, 0, 7, 8, "wrong-owner", 1 },
		{ 0x80000, 0, 4096, 7, "altmap-wrapped", 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pgtsim_altmap altmap = { .base = rows[i].base,
						.reserve = rows[i].reserve,
						.free = rows[i].free,
						.alloc = rows[i].alloc };
		struct fixture f;

		init_4k(&f, "latest");
		must_map(&f, VA, 2 * GIB, 8 * 4096, false);
		assert_int_equal(unmap_free(&f, VA, VA + 8 * 4096, &altmap), 0);
		assert_int_equal(altmap.alloc, rows[i].alloc - 8);
		assert_int_equal(f.tlb.counts.altmap_freed, 8);
		if (rows[i].violation)
			assert_string_equal(first_violation(&f), rows[i].violation);
		assert_int_equal(f.tlb.counts.violations, rows[i].leaves);
		fixture_fini(&f);
	}
}

/* An altmap where nothing is freed is a violation, and is not touched. */
static void altmap_without_freeing(void **state)
{
	struct pgtsim_altmap altmap = { .base = 0x80000, .free = 4096, .alloc = 2000 };
	struct pgtsim_unmap pass = { .start = VA, .end = VA + 4096, .altmap = &altmap };
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	must_map(&f, VA, 2 * GIB, 4096, false);
	assert_int_equal(pgtsim_unmap_range(&f.pgt, &pass), 0);
	assert_string_equal(first_violation(&f), "altmap-without-free");
	assert_int_equal(f.tlb.counts.violations, 1);
	assert_int_equal(altmap.alloc, 2000);
	assert_int_equal(f.tlb.counts.leaves_cleared, 1);
	fixture_fini(&f);
}

/* What stands at VA before a free that is wrong, for its page 3 of 8. */
enum wrong { BOOT, HOLE, ORDER, DOUBLE, TABLE };

static void make_wrong(struct fixture *f, enum wrong wrong)
{
	uint64_t pfn = map_allocated(f, 8), bad = pfn + 3, page;

	switch (wrong) {
	case BOOT:
		bad = (RAM_START + GIB) / 4096 - 1;
		assert_int_equal(pgtsim_memory_reserve_boot(f->memory, bad, 1), 0);
		break;
	case HOLE:
		bad = 0x12345678;
		break;
	case ORDER:
		assert_int_equal(pgtsim_memory_alloc(f->memory, 1, &bad), 0);
		break;
	case DOUBLE: /* in the middle of a run that goes on */
		assert_int_equal(pgtsim_memory_free_pages(f->memory, bad, 0), PGTSIM_FREE_OK);
		return;
	case TABLE:
		bad = f->pgt.root->pa / 4096;
		break;
	}
	page = entry_at(f, PGTSIM_PTE, VA + 3 * 4096);
	page = page - ((pfn + 3) << 12) + (bad << 12);
	assert_int_equal(pgtsim_poke(&f->pgt, PGTSIM_PTE, VA + 3 * 4096, page), 0);
	f->pgt.poked = false;
}

/* A wrong free is a violation with a name; that page stays as it is, the others are freed. */
static void wrong_frees(void **state)
{
	static const struct {
		enum wrong wrong;
		const char *name;
	} rows[] = {
		{ BOOT, "boot-memory-freed" }, { HOLE, "not-ram" },      { ORDER, "wrong-order" },
		{ DOUBLE, "double-free" },     { TABLE, "wrong-owner" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t before;
		struct fixture f;

		init_4k(&f, "latest");
		make_wrong(&f, rows[i].wrong);
		before = free_pages_of(&f);
		pgtsim_tlb_reset_counts(&f.tlb);
		assert_int_equal(unmap_free(&f, VA, VA + 8 * 4096, NULL), 0);
		assert_int_equal(f.tlb.counts.violations, 1);
		assert_string_equal(first_violation(&f), rows[i].name);
		assert_int_equal(f.tlb.violations[0].va, VA + 3 * 4096);
		assert_int_equal(f.tlb.violations[0].level, PGTSIM_PTE);
		assert_int_equal(f.tlb.counts.pages_freed, 7);
		assert_int_equal(free_pages_of(&f), before + 7);
		assert_int_equal(f.tlb.counts.leaves_cleared, 8);
		fixture_drop(&f);
	}
}

/* A block of what is no block of the allocator is as wrong. */
static void wrong_free_of_a_block(void **state)
{
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	assert_int_equal(pgtsim_memory_reserve_boot(f.memory, (RAM_START + 64 * MIB) / 4096, 512),
			 0);
	must_map(&f, VA, RAM_START + 64 * MIB, 2 * MIB, true);
	must_map(&f, VA + 2 * MIB, 256 * GIB, 4 * MIB, true);
	assert_int_equal(unmap_free(&f, VA, VA + 6 * MIB, NULL), 0);
	assert_int_equal(f.tlb.counts.violations, 3);
	assert_int_equal(f.tlb.violations[0].name, PGTSIM_V_BOOT_MEMORY_FREED);
	assert_int_equal(f.tlb.violations[0].va, VA);
	assert_int_equal(f.tlb.violations[0].level, PGTSIM_PMD);
	assert_int_equal(f.tlb.violations[1].name, PGTSIM_V_NOT_RAM);
	assert_int_equal(f.tlb.violations[1].va, VA + 2 * MIB);
	assert_int_equal(f.tlb.violations[2].va, VA + 4 * MIB);
	assert_int_equal(f.tlb.counts.pages_freed, 0);
	fixture_drop(&f);
}

/* Memory that is freed leaf by leaf must not carry the contiguous hint. */
static void hint_on_freed_memory(void **state)
{
	struct pgtsim_map map;
	uint64_t pfn;
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	take_pages(&f, 15);
	pfn = take_pages(&f, 16);
	assert_int_equal(pfn % 16, 0);
	map = linear_map(&f, VA, pfn << 12, 16 * 4096);
	map.cont = true;
	assert_int_equal(pgtsim_map(&f.pgt, &map), 0);
	assert_int_equal(unmap_free(&f, VA, VA + 16 * 4096, NULL), 0);
	assert_string_equal(first_violation(&f), "cont-freed");
	assert_int_equal(f.tlb.counts.violations, 16);
	assert_int_equal(f.tlb.violations[15].va, VA + 15 * 4096);
	fixture_drop(&f);
}

/* ---- when it is flushed and freed ---- */

/* Two allocated pages in ptes, a 2M block behind them. */
static void map_pages_and_block(struct fixture *f)
{
	uint64_t pfn;

	map_allocated(f, 2);
	assert_int_equal(pgtsim_memory_alloc(f->memory, 9, &pfn), 0);
	must_map(f, VA + 2 * MIB, pfn << 12, 2 * MIB, true);
	pgtsim_tlb_reset_counts(&f->tlb);
}

/* The invalidates of each flush knob when memory is freed, and when it is not. */
static void flush_knobs(void **state)
{
	static const struct {
		uint8_t flush;
		bool free;
		uint64_t size, leaf, all, dsb;
	} rows[] = {
		{ PGTSIM_FLUSH_PER_LEAF, true, 4 * MIB, 3, 0, 6 },
		{ PGTSIM_FLUSH_PER_LEAF, false, 4 * MIB, 3, 0, 6 },
		{ PGTSIM_FLUSH_RANGE, true, 4 * MIB, 3, 0, 6 },
		{ PGTSIM_FLUSH_RANGE, false, 4 * MIB, 0, 1, 2 },
		{ PGTSIM_FLUSH_RANGE, false, 8192, 2, 0, 2 },
		/* 6.1.176: a block takes one for each of its pages */
		{ PGTSIM_FLUSH_PER_PAGE_OF_BLOCK, true, 4 * MIB, 2 + 512, 0, 6 },
		{ PGTSIM_FLUSH_PER_PAGE_OF_BLOCK, false, 4 * MIB, 0, 1, 2 },
		{ PGTSIM_FLUSH_AT_END, true, 4 * MIB, 0, 1, 2 },
		{ PGTSIM_FLUSH_AT_END, true, 8192, 2, 0, 2 },
		{ PGTSIM_FLUSH_AT_END, false, 4 * MIB, 0, 1, 2 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct fixture f;

		init_4k(&f, "linux-6.1");
		f.policy.flush = rows[i].flush;
		map_pages_and_block(&f);
		if (rows[i].free)
			assert_int_equal(unmap_free(&f, VA, VA + rows[i].size, NULL), 0);
		else
			assert_int_equal(unmap(&f, VA, VA + rows[i].size), 0);
		assert_int_equal(f.tlb.counts.tlbi_leaf, rows[i].leaf);
		assert_int_equal(f.tlb.counts.tlbi_all, rows[i].all);
		assert_int_equal(f.tlb.counts.dsb, rows[i].dsb);
		assert_int_equal(f.tlb.counts.isb, rows[i].dsb / 2);
		assert_int_equal(f.tlb.counts.leaves_cleared, rows[i].size > 8192 ? 3 : 2);
		fixture_drop(&f);
	}
}

static const struct {
	uint8_t flush, order;
	unsigned flags; /* of the clear */
	enum pgtsim_op ops[5];
	unsigned n;
} order_rows[] = {
	{ PGTSIM_FLUSH_RANGE,
	  PGTSIM_FREE_AFTER_INVALIDATE,
	  PGTSIM_EACH_FREE | PGTSIM_EACH_FLUSH,
	  { PGTSIM_OP_CLEAR, PGTSIM_OP_PAGES_FREE },
	  2 },
	{ PGTSIM_FLUSH_RANGE,
	  PGTSIM_FREE_BEFORE_CLEAR,
	  PGTSIM_EACH_FREE | PGTSIM_EACH_FLUSH,
	  { PGTSIM_OP_PAGES_FREE, PGTSIM_OP_CLEAR },
	  2 },
	{ PGTSIM_FLUSH_AT_END,
	  PGTSIM_FREE_BEFORE_CLEAR,
	  PGTSIM_EACH_FREE,
	  { PGTSIM_OP_PAGES_FREE, PGTSIM_OP_CLEAR, PGTSIM_OP_DSB_ISHST, PGTSIM_OP_TLBI_LEAF,
	    PGTSIM_OP_DSB_ISH },
	  6 },
	{ PGTSIM_FLUSH_AT_END,
	  PGTSIM_FREE_AFTER_INVALIDATE,
	  PGTSIM_EACH_FREE,
	  { PGTSIM_OP_CLEAR, PGTSIM_OP_PAGES_FREE, PGTSIM_OP_DSB_ISHST, PGTSIM_OP_TLBI_LEAF,
	    PGTSIM_OP_DSB_ISH },
	  6 },
};

/* The order of clearing, flushing and freeing that each pair of knobs gives. */
static void order_of_freeing(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(order_rows); i++) {
		struct recorder r;
		struct fixture f;
		uint64_t pfn;

		init_4k(&f, "linux-6.12");
		f.policy.flush = order_rows[i].flush;
		f.policy.free_order = order_rows[i].order;
		pfn = map_allocated(&f, 5);
		recorder_start(&r, &f);
		assert_int_equal(unmap_free(&f, VA, VA + 5 * 4096, NULL), 0);
		assert_int_equal(r.mark.op, PGTSIM_OP_BEGIN_PASS_1);
		assert_int_equal(r.count, order_rows[i].n);
		assert_true(recorded(&r, 0, order_rows[i].ops,
				     order_rows[i].n > 5 ? 5 : order_rows[i].n));
		/* Each page that was freed while its entry was there is named. */
		assert_int_equal(f.tlb.counts.violations,
				 order_rows[i].order == PGTSIM_FREE_BEFORE_CLEAR ? 5 : 0);
		for (size_t e = 0; e < 2; e++) {
			assert_int_equal(r.event[e].count, 5);
			assert_int_equal(r.event[e].pa, pfn << 12);
			if (r.event[e].op == PGTSIM_OP_CLEAR)
				assert_int_equal(r.event[e].flags, order_rows[i].flags);
		}
		recorder_stop(&r, &f);
		fixture_fini(&f);
	}
}

/* A block flushed page by page is invalidated after it is cleared and, but for s390, then freed. */
static void order_of_a_block_by_pages(void **state)
{
	static const enum pgtsim_op ops[2][6] = {
		{ PGTSIM_OP_CLEAR, PGTSIM_OP_DSB_ISHST, PGTSIM_OP_TLBI_LEAF, PGTSIM_OP_DSB_ISH,
		  PGTSIM_OP_ISB, PGTSIM_OP_PAGES_FREE },
		{ PGTSIM_OP_PAGES_FREE, PGTSIM_OP_CLEAR, PGTSIM_OP_DSB_ISHST, PGTSIM_OP_TLBI_LEAF,
		  PGTSIM_OP_DSB_ISH, PGTSIM_OP_ISB },
	};

	(void)state;
	for (size_t early = 0; early < COUNT(ops); early++) {
		struct recorder r;
		struct fixture f;

		init_4k(&f, "linux-6.1");
		f.policy.flush = PGTSIM_FLUSH_PER_PAGE_OF_BLOCK;
		if (early)
			f.policy.free_order = PGTSIM_FREE_BEFORE_CLEAR;
		map_pages_and_block(&f);
		recorder_start(&r, &f);
		assert_int_equal(unmap_free(&f, VA + 2 * MIB, VA + 4 * MIB, NULL), 0);
		assert_int_equal(r.count, COUNT(ops[early]));
		assert_true(recorded(&r, 0, ops[early], COUNT(ops[early])));
		assert_int_equal(r.event[early].flags, PGTSIM_EACH_FREE);
		assert_int_equal(r.event[2 + early].va, VA + 2 * MIB);
		assert_int_equal(r.event[2 + early].count, 512);
		recorder_stop(&r, &f);
		fixture_drop(&f);
	}
}

/* A block that is freed before it is cleared is still invalidated page by page, every page of it. */
static void pages_of_a_block_freed_early(void **state)
{
	struct fixture f;

	(void)state;
	init_4k(&f, "linux-6.1");
	f.policy.flush = PGTSIM_FLUSH_PER_PAGE_OF_BLOCK;
	f.policy.free_order = PGTSIM_FREE_BEFORE_CLEAR;
	map_pages_and_block(&f);
	pgtsim_tlb_reset_counts(&f.tlb);
	assert_int_equal(unmap_free(&f, VA + 2 * MIB, VA + 4 * MIB, NULL), 0);
	assert_int_equal(f.tlb.counts.tlbi_leaf, 512);
	assert_int_equal(f.tlb.counts.violations, 1);
	fixture_drop(&f);
}

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
	f->pgt.poked = way == POKED;
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
 * The runs of one operation laid out one by one must be alike, but for the flags not in `flags`;
 * where runs are cut may differ.
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
		f.pgt.poked = false; /* pass 1 takes the table whole */
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
	cmocka_unit_test(invalidates_of_a_section),
	cmocka_unit_test(two_gigabytes),
	cmocka_unit_test(barriers_of_removal),
	cmocka_unit_test(barriers_of_root_blocks),
	cmocka_unit_test(empty_pass_flushes),
	cmocka_unit_test(batched_flush_counts_pages),
	cmocka_unit_test(reads_of_pass_2),
	cmocka_unit_test(scans_end_at_the_first_live_entry),
	cmocka_unit_test(work_is_linear),
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
	cmocka_unit_test(marked_leaves_in_pass_1),
	cmocka_unit_test(marks_that_are_none),
	cmocka_unit_test(constructors_and_destructors),
	cmocka_unit_test(tables_freed_too_early),
	cmocka_unit_test(freeing_to_the_page_allocator),
	cmocka_unit_test(freeing_to_an_altmap),
	cmocka_unit_test(freeing_to_the_wrong_altmap),
	cmocka_unit_test(altmap_without_freeing),
	cmocka_unit_test(wrong_frees),
	cmocka_unit_test(wrong_free_of_a_block),
	cmocka_unit_test(hint_on_freed_memory),
	cmocka_unit_test(flush_knobs),
	cmocka_unit_test(order_of_freeing),
	cmocka_unit_test(order_of_a_block_by_pages),
	cmocka_unit_test(pages_of_a_block_freed_early),
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
