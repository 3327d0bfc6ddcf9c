/* SPDX-License-Identifier: MIT */
#include "memmap.h"

/* ---- one section in each geometry ---- */

static void check_section(const struct pgtsim_policy *policy, const struct pgtsim_geometry *geo,
			  unsigned struct_page)
{
	int level = geo->page_shift == 12 && geo->block[pgtsim_slot(PGTSIM_PMD)] ? PGTSIM_PMD :
										    PGTSIM_PTE;
	struct machine m;
	uint64_t at, mask = pgtsim_page_size(geo) - 1, first, last;

	machine_init_policy(&m, policy, geo, struct_page);
	at = section_of(&m, 0);
	first = at & ~mask;
	last = (at + m.size - 1) | mask;
	assert_int_equal(populate(&m, at, m.size, NULL), 0);
	for (uint64_t va = first; va <= last; va += mask + 1) {
		struct pgtsim_translation t;

		assert_int_equal(pgtsim_translate(&m.f.pgt, va, &t), 0);
		assert_int_equal(t.level, level);
		assert_int_equal(pgtsim_memory_owner(m.f.memory, t.pa >> geo->page_shift),
				 PGTSIM_OWNER_PAGES);
		assert_true(t.writable && !t.executable);
		assert_false(t.desc & PGTSIM_DESC_CONT);
	}
	assert_int_equal(leaves(&m, PGTSIM_PMD) + leaves(&m, PGTSIM_PTE),
			 m.f.tlb.counts.leaves_mapped);
	assert_int_equal(m.f.tlb.counts.pages_allocated, backing(&m));
	assert_int_equal(unpopulate(&m, at, m.size, NULL), 0);
	assert_int_equal(backing(&m), 0);
	assert_int_equal(m.f.tlb.counts.pages_freed, m.f.tlb.counts.pages_allocated);
	assert_int_equal(m.f.tlb.counts.leaves_cleared, m.f.tlb.counts.leaves_mapped);
	assert_int_equal(m.f.tlb.counts.tlbi_leaf,
			 is_s390(policy) ? 0 : m.f.tlb.counts.leaves_cleared);
	assert_int_equal(m.f.tlb.counts.violations, 0);
	pgtsim_vmemmap_fini(&m.v);
	fixture_fini(&m.f);
}

/* Every struct page of a section gets memory of its own, in blocks with 4K; free gives it back. */
static void a_section_in_every_geometry(void **state)
{
	static const size_t arm64 = COUNT(all_profiles);

	(void)state;
	for (size_t p = 0; p < arm64 + COUNT(s390_profiles); p++) {
		struct pgtsim_policy policy =
			profile(p < arm64 ? all_profiles[p] : s390_profiles[p - arm64]);
		struct geometry_case cases[MAX_GEOMETRIES];
		size_t n = all_geometries(cases, &policy);

		/* As s390 does it, it is a violation. */
		policy.free_order = PGTSIM_FREE_AFTER_INVALIDATE;
		for (size_t i = 0; i < n; i++) {
			if (strstr(cases[i].name, "toy"))
				continue;
			check_section(&policy, &cases[i].geo, 64);
			check_section(&policy, &cases[i].geo, 56);
		}
	}
}

/* The tables that bounds keep after the first section was added and removed, and after the last. */
static void tables_kept_by_the_region(void **state)
{
	static const struct {
		unsigned kib, va, old[2], new[2]; /* 6.1; 6.12 and 7.3 */
	} rows[] = {
		{ 4, 39, { 0, 0 }, { 0, 0 } },  { 4, 48, { 0, 0 }, { 1, 2 } },
		{ 4, 52, { 0, 0 }, { 2, 3 } },  { 16, 36, { 0, 0 }, { 0, 0 } },
		{ 16, 47, { 0, 0 }, { 1, 2 } }, { 16, 48, { 1, 1 }, { 2, 3 } },
		{ 16, 52, { 0, 0 }, { 2, 3 } }, { 64, 42, { 0, 0 }, { 0, 0 } },
		{ 64, 48, { 1, 1 }, { 1, 1 } }, { 64, 52, { 1, 1 }, { 1, 1 } },
	};
	static const char *const names[] = { "linux-6.1", "linux-6.12", "linux-7.3" };

	(void)state;
	for (size_t i = 0; i < COUNT(rows) * COUNT(names); i++) {
		size_t row = i / COUNT(names);
		const struct pgtsim_policy policy = profile(names[i % COUNT(names)]);
		const unsigned *kept = i % COUNT(names) ? rows[row].new : rows[row].old;
		const struct pgtsim_geometry geo =
			linux_geometry(rows[row].kib, rows[row].va, 0, 0);
		struct machine m;

		if (rows[row].va == 52 && rows[row].kib != 64 && !policy.lpa2)
			continue;
		machine_init_policy(&m, &policy, &geo, 64);
		for (unsigned last = 0; last < 2; last++) {
			uint64_t at = last ? m.v.end - m.size : m.v.start;

			assert_int_equal(populate(&m, at, m.size, NULL), 0);
			assert_int_equal(unpopulate(&m, at, m.size, NULL), 0);
			if (tables_linked(&m.f) != kept[last] + 1)
				fail_msg("%u/%u %s: %zu tables", rows[row].kib, rows[row].va,
					 policy.profile, tables_linked(&m.f) - 1);
			assert_int_equal(!!m.f.tlb.counts.tables_kept, !!kept[last]);
		}
		fixture_fini(&m.f);
	}
}

/* ---- descriptors ---- */

/* The bits of vmemmap pages, blocks and tables in each release. */
static void descriptors(void **state)
{
	static const struct {
		const char *profile;
		unsigned va;
		uint64_t page, block, table;
	} rows[] = {
		{ "linux-5.7", 48, 0x00e8000000000713, 0x0060000000000711, 0x0000000000000003 },
		{ "linux-5.10", 48, 0x00e8000000000703, 0x0060000000000701, 0x0000000000000003 },
		{ "linux-5.14", 48, 0x00e8000000000703, 0x0060000000000701, 0x1000000000000003 },
		{ "linux-6.1", 48, 0x00e8000000000703, 0x0060000000000701, 0x1000000000000003 },
		{ "linux-6.12", 48, 0x00e8000000000703, 0x0068000000000701, 0x1000000000000003 },
		{ "linux-6.12", 52, 0x00e8000000000403, 0x0068000000000401, 0x1000000000000003 },
		{ "linux-7.3", 48, 0x00e8000000000703, 0x00e8000000000701, 0x1000000000000403 },
		{ "linux-7.3", 52, 0x00e8000000000403, 0x00e8000000000401, 0x1000000000000403 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct pgtsim_geometry geo = linux_geometry(4, rows[i].va, 0, 0);
		const struct pgtsim_policy policy = profile(rows[i].profile);
		struct machine m;
		uint64_t at, pages;

		machine_init_policy(&m, &policy, &geo, 64);
		at = section_of(&m, 0);
		pages = section_of(&m, 1);
		assert_int_equal(populate(&m, at, m.size, NULL), 0);
		assert_int_equal(pgtsim_vmemmap_populate(&m.v, pages, pages + m.size, NULL,
							 PGTSIM_POPULATE_PAGES),
				 0);
		assert_int_equal(entry_at(&m.f, PGTSIM_PMD, at) & 0xffff000000000fff,
				 rows[i].block);
		assert_int_equal(entry_at(&m.f, PGTSIM_PTE, pages) & 0xffff000000000fff,
				 rows[i].page);
		for (int level = pgtsim_root_level(&geo); level < PGTSIM_PTE; level++)
			assert_int_equal(entry_at(&m.f, level, pages) & 0xffff000000000fff,
					 rows[i].table);
		fixture_drop(&m.f);
	}
}

/* DSB and ISB: a pair for each leaf and each link (6.1: not in the root), none before a link. */
static void barriers(void **state)
{
	static const struct {
		const char *profile;
		unsigned flags, pairs;
	} rows[] = {
		{ "linux-6.1", 0, 1 + 1 },
		{ "linux-6.12", 0, 2 + 1 },
		{ "linux-6.1", PGTSIM_POPULATE_PAGES, 2 + 512 },
		{ "linux-7.3", PGTSIM_POPULATE_PAGES, 3 + 512 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct machine m;
		uint64_t at;

		machine_init(&m, rows[i].profile);
		at = section_of(&m, 0);
		assert_int_equal(
			pgtsim_vmemmap_populate(&m.v, at, at + m.size, NULL, rows[i].flags), 0);
		assert_int_equal(m.f.tlb.counts.dsb, rows[i].pairs);
		assert_int_equal(m.f.tlb.counts.isb, rows[i].pairs);
		assert_int_equal(m.f.tlb.counts.entries_written, m.f.tlb.counts.leaves_mapped);
		assert_int_equal(m.f.tlb.counts.entries_read, m.f.tlb.counts.leaves_mapped);
		fixture_drop(&m.f);
	}
}

/* No table of the vmemmap is constructed. 7.3 calls the destructor for each nevertheless. */
static void no_constructors(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(all_profiles); i++) {
		bool drifts = !strcmp(all_profiles[i], "linux-7.3");
		struct machine m;

		machine_init(&m, all_profiles[i]);
		assert_int_equal(populate(&m, section_of(&m, 0), m.size, NULL), 0);
		assert_int_equal(unpopulate(&m, section_of(&m, 0), m.size, NULL), 0);
		assert_int_equal(m.f.tlb.counts.tables_constructed, 0);
		assert_int_equal(m.f.tlb.counts.tables_destructed,
				 drifts ? m.f.tlb.counts.tables_freed : 0);
		assert_int_equal(pgtsim_tlb_remarked(&m.f.tlb, PGTSIM_W_TABLE_NOT_CONSTRUCTED),
				 drifts);
		fixture_drop(&m.f);
	}
}

/* vmemmap-publish=dsb: one DSB ISHST more for each new table, before its link. */
static void publishing_new_tables(void **state)
{
	uint64_t dsb[2];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct machine m;

		machine_init(&m, "latest");
		m.f.policy.vmemmap_publish = (uint8_t)i;
		assert_int_equal(populate(&m, section_of(&m, 0), m.size, NULL), 0);
		dsb[i] = m.f.tlb.counts.dsb - i * (m.f.tlb.counts.tables_allocated - 1);
		fixture_drop(&m.f);
	}
	assert_int_equal(dsb[0], dsb[1]);
}

/* ---- the rows of the profile table ---- */

struct profile_row {
	const char *name;
	bool small_is_block; /* less than a section */
	int no_memory;       /* result if there is no memory for a block */
	int altmap_used_up;  /* 1: the altmap is ignored */
};

static const struct profile_row profile_rows[] = {
	{ "linux-5.7", true, -ENOMEM, 1 },   { "linux-5.10", true, -ENOMEM, -ENOMEM },
	{ "linux-5.14", true, 0, 0 },        { "linux-6.1", false, 0, 0 },
	{ "linux-6.12", false, 0, -ENOMEM }, { "linux-7.3", false, 0, -ENOMEM },
};

/* Less than a section: up to 5.14 a block nevertheless, from 6.1 on base pages. */
static void less_than_a_section(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(profile_rows); i++) {
		struct machine m;
		uint64_t at, half;

		machine_init(&m, profile_rows[i].name);
		at = section_of(&m, 0);
		half = m.size / 2;
		assert_int_equal(populate(&m, at + half, half, NULL), 0);
		assert_int_equal(leaves(&m, PGTSIM_PMD), profile_rows[i].small_is_block);
		assert_int_equal(leaves(&m, PGTSIM_PTE), profile_rows[i].small_is_block ? 0 : 256);
		assert_int_equal(is_mapped(&m.f, at), profile_rows[i].small_is_block);
		assert_true(is_mapped(&m.f, at + half));
		assert_int_equal(unpopulate(&m, at + half, half, NULL), 0);
		assert_int_equal(backing(&m), 0);
		/* One page less than a section is less; a section is not. */
		assert_int_equal(populate(&m, at, m.size - 4096, NULL), 0);
		assert_int_equal(leaves(&m, PGTSIM_PTE), profile_rows[i].small_is_block ? 0 : 511);
		assert_int_equal(unpopulate(&m, at, m.size, NULL), 0);
		assert_int_equal(populate(&m, at, m.size, NULL), 0);
		assert_int_equal(leaves(&m, PGTSIM_PMD), 1);
		assert_int_equal(unpopulate(&m, at, m.size, NULL), 0);
		fixture_fini(&m.f);
	}
}

/* The caller can ask for base pages in every release. */
static void base_pages_on_request(void **state)
{
	struct machine m;
	uint64_t at;

	(void)state;
	machine_init(&m, "linux-5.7");
	at = section_of(&m, 0);
	assert_int_equal(
		pgtsim_vmemmap_populate(&m.v, at, at + m.size, NULL, PGTSIM_POPULATE_PAGES), 0);
	assert_int_equal(leaves(&m, PGTSIM_PTE), 512);
	assert_int_equal(leaves(&m, PGTSIM_PMD), 0);
	fixture_drop(&m.f);
}

/* Memory for pages but none for a block: -ENOMEM up to 5.10, base pages in later releases. */
static void no_memory_for_a_block(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(profile_rows); i++) {
		struct machine m;
		uint64_t at;

		machine_init(&m, profile_rows[i].name);
		/* The tables are there; the next allocation is the block's. */
		at = section_of(&m, 0);
		assert_int_equal(populate(&m, section_of(&m, 1), m.size, NULL), 0);
		pgtsim_memory_fail(m.f.memory, 1, false);
		assert_int_equal(populate(&m, at, m.size, NULL), profile_rows[i].no_memory);
		assert_int_equal(leaves(&m, PGTSIM_PTE), profile_rows[i].no_memory ? 0 : 512);
		assert_int_equal(leaves(&m, PGTSIM_PMD), 1);
		assert_int_equal(is_mapped(&m.f, at), !profile_rows[i].no_memory);
		/* Two sections at once: the second one's block is there again. */
		pgtsim_memory_fail(m.f.memory, 1, false);
		at = section_of(&m, 2);
		assert_int_equal(populate(&m, at, 2 * m.size, NULL), profile_rows[i].no_memory);
		assert_int_equal(leaves(&m, PGTSIM_PMD), profile_rows[i].no_memory ? 1 : 2);
		assert_int_equal(unpopulate(&m, section_of(&m, 0), 4 * m.size, NULL), 0);
		assert_int_equal(backing(&m), 0);
		assert_int_equal(m.f.tlb.counts.violations, 0);
		fixture_fini(&m.f);
	}
}

/* Like the test above, with fragmented memory: every second page is free. */
static void fragmented_memory(void **state)
{
	uint64_t pfn, left;
	struct machine m;

	(void)state;
	machine_init(&m, "latest");
	while (pgtsim_memory_alloc_run(m.f.memory, UINT32_MAX, &pfn) > 0)
		;
	for (pfn = RAM_START / 4096 + 1; pfn < (RAM_START + GIB) / 4096; pfn += 2)
		assert_int_equal(pgtsim_memory_free_pages(m.f.memory, pfn, 0), PGTSIM_FREE_OK);
	left = free_pages_of(&m.f);
	assert_int_equal(populate(&m, section_of(&m, 0), 2 * m.size, NULL), 0);
	assert_int_equal(leaves(&m, PGTSIM_PTE), 1024);
	assert_int_equal(unpopulate(&m, section_of(&m, 0), 2 * m.size, NULL), 0);
	/* Nothing but the tables that bounds keep is missing. */
	assert_int_equal(free_pages_of(&m.f), left - (tables_linked(&m.f) - 1));
	fixture_drop(&m.f);
}

/* An altmap too small for a block: 5.7 ignores it, 5.14 and 6.1 use its pages, others -ENOMEM. */
static void altmap_used_up(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(profile_rows); i++) {
		const struct profile_row *row = &profile_rows[i];
		/* A block does not fit behind the reserved page, 512 pages do. */
		struct pgtsim_altmap altmap = { .base = 0x80000, .reserve = 1, .free = 600 };
		struct machine m;
		uint64_t at;

		machine_init(&m, row->name);
		at = section_of(&m, 0);
		assert_int_equal(populate(&m, at, m.size, &altmap),
				 row->altmap_used_up < 0 ? -ENOMEM : 0);
		assert_int_equal(altmap.alloc, row->altmap_used_up ? 0 : 512);
		assert_int_equal(altmap.align, 0);
		assert_int_equal(m.f.tlb.counts.altmap_allocated, altmap.alloc);
		assert_int_equal(m.f.tlb.counts.pages_allocated,
				 row->altmap_used_up == 1 ? 512 : 0);
		assert_int_equal(leaves(&m, PGTSIM_PTE), row->altmap_used_up ? 0 : 512);
		assert_int_equal(leaves(&m, PGTSIM_PMD), row->altmap_used_up == 1);
		if (row->altmap_used_up == 0)
			assert_int_equal(entry_at(&m.f, PGTSIM_PTE, at) & 0xfffffffff000,
					 0x80001000);
		assert_int_equal(unpopulate(&m, at, m.size, &altmap), 0);
		assert_int_equal(altmap.alloc, 0);
		assert_int_equal(backing(&m), 0);
		assert_int_equal(m.f.tlb.counts.violations, 0);
		fixture_fini(&m.f);
	}
}

/* ---- altmap ---- */

/* Blocks and pages come from the altmap, in order, tables never; freeing counts them back. */
static void memory_of_the_altmap(void **state)
{
	struct pgtsim_altmap altmap = { .base = 0x80000, .reserve = 4, .free = 4092 };
	struct machine m;
	uint64_t at, before;

	(void)state;
	machine_init(&m, "latest");
	at = section_of(&m, 0);
	before = free_pages_of(&m.f);
	assert_int_equal(populate(&m, at, m.size, &altmap), 0);
	assert_int_equal(entry_at(&m.f, PGTSIM_PMD, at), 0x00e8000080200701);
	assert_int_equal(altmap.alloc, 512);
	assert_int_equal(altmap.align, 508);
	assert_int_equal(populate(&m, at + m.size, 8192, &altmap), 0);
	assert_int_equal(entry_at(&m.f, PGTSIM_PTE, at + m.size + 4096), 0x00e8000080401703);
	assert_int_equal(m.f.tlb.counts.altmap_allocated, 514);
	assert_int_equal(m.f.tlb.counts.pages_allocated, 0);
	assert_int_equal(before - free_pages_of(&m.f), tables_linked(&m.f) - 1);
	assert_int_equal(unpopulate(&m, at, m.size + 8192, &altmap), 0);
	assert_int_equal(altmap.alloc, 0);
	assert_int_equal(altmap.align, 508);
	assert_int_equal(m.f.tlb.counts.altmap_freed, 514);
	fixture_fini(&m.f);
}

/* Padding is never given back, so a later block can fail although there is room: a remark. */
static void padding_of_the_altmap(void **state)
{
	struct pgtsim_altmap altmap = { .base = 0x80001, .free = 1030 };
	struct machine m;
	uint64_t at;

	(void)state;
	machine_init(&m, "latest");
	at = section_of(&m, 0);
	assert_int_equal(populate(&m, at, m.size, &altmap), 0);
	assert_int_equal(unpopulate(&m, at, m.size, &altmap), 0);
	assert_int_equal(populate(&m, at, 4096, &altmap), 0);
	assert_int_equal(m.f.tlb.counts.violations, 0);
	assert_int_equal(populate(&m, at + m.size, m.size, &altmap), -ENOMEM);
	assert_int_equal(m.f.tlb.counts.violations, 1);
	assert_string_equal(first_violation(&m.f), "altmap-lost-padding");
	assert_int_equal(m.f.tlb.violations[0].va, at + m.size);
	assert_int_equal(altmap.alloc, 1);
	fixture_fini(&m.f);
}

/* ---- what is there already ---- */

/* Populating again keeps what is there, and is no error: pages, blocks, and parts of a range. */
static void populated_again(void **state)
{
	struct snapshot before;
	struct machine m;
	uint64_t at, page;

	(void)state;
	machine_init(&m, "latest");
	at = section_of(&m, 0);
	assert_int_equal(populate(&m, at, m.size, NULL), 0);
	assert_int_equal(populate(&m, at + m.size, 8192, NULL), 0);
	page = entry_at(&m.f, PGTSIM_PTE, at + m.size + 4096);
	before = snapshot_take(&m.f);
	assert_int_equal(populate(&m, at, m.size, NULL), 0);
	assert_int_equal(populate(&m, at + 4096, 8192, NULL), 0); /* pages into a block */
	assert_int_equal(populate(&m, at + m.size, 4096, NULL), 0);
	assert_true(unchanged(&m.f, &before));
	assert_int_equal(populate(&m, at + m.size - 4096, 5 * 4096, NULL), 0);
	assert_int_equal(leaves(&m, PGTSIM_PTE), 4);
	assert_int_equal(entry_at(&m.f, PGTSIM_PTE, at + m.size + 4096), page);
	assert_int_equal(populate(&m, at + 2 * m.size, 2 * m.size, NULL), 0);
	assert_int_equal(populate(&m, at + 2 * m.size, 3 * m.size, NULL), 0);
	assert_int_equal(leaves(&m, PGTSIM_PMD), 4);
	assert_int_equal(m.f.tlb.counts.violations, 0);
	assert_int_equal(unpopulate(&m, at, 5 * m.size, NULL), 0);
	assert_int_equal(backing(&m), 0);
	snapshot_free(&before);
	fixture_fini(&m.f);
}

/* Base pages over a range that begins with a block: the block stays, the rest is populated. */
static void pages_behind_a_block(void **state)
{
	struct machine m;
	uint64_t at;

	(void)state;
	machine_init(&m, "latest");
	at = section_of(&m, 0);
	assert_int_equal(populate(&m, at, m.size, NULL), 0);
	assert_int_equal(
		pgtsim_vmemmap_populate(&m.v, at, at + 2 * m.size, NULL, PGTSIM_POPULATE_PAGES), 0);
	assert_int_equal(leaves(&m, PGTSIM_PMD), 1);
	assert_int_equal(leaves(&m, PGTSIM_PTE), 512);
	assert_true(is_mapped(&m.f, at + m.size));
	assert_int_equal(unpopulate(&m, at, 2 * m.size, NULL), 0);
	assert_int_equal(backing(&m), 0);
	fixture_fini(&m.f);
}

/* A whole section over a partly populated pmd: 6.1 and 6.12 leave the holes, 7.3 fills them. */
static void section_over_pages(void **state)
{
	static const struct {
		const char *profile;
		bool fill;
	} rows[] = { { "linux-6.1", false }, { "linux-6.12", false }, { "linux-7.3", true } };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct machine m;
		uint64_t at, first;

		machine_init(&m, rows[i].profile);
		at = section_of(&m, 0);
		assert_int_equal(populate(&m, at + 8192, 8192, NULL), 0);
		assert_int_equal(populate(&m, at + 5 * 4096, 4096, NULL), 0);
		first = entry_at(&m.f, PGTSIM_PTE, at + 8192);
		assert_int_equal(populate(&m, at, m.size, NULL), 0);
		assert_int_equal(leaves(&m, PGTSIM_PTE), rows[i].fill ? 512 : 3);
		assert_int_equal(leaves(&m, PGTSIM_PMD), 0);
		assert_int_equal(is_mapped(&m.f, at), rows[i].fill);
		assert_int_equal(entry_at(&m.f, PGTSIM_PTE, at + 8192), first);
		assert_int_equal(unpopulate(&m, at, m.size, NULL), 0);
		assert_int_equal(backing(&m), 0);
		assert_int_equal(m.f.tlb.counts.violations, 0);
		fixture_fini(&m.f);
	}
}

/* ---- failures ---- */

/* States to start from that are hard to restore. */
enum before { NOTHING, EMPTY_TABLES_BEFORE, PAGES_BEFORE, BLOCK_BEFORE, ALTMAP_BEFORE, BEFORES };

static void populate_before(struct machine *m, enum before before, uint64_t at,
			    struct pgtsim_altmap *altmap)
{
	const struct pgtsim_unmap pass = {
		.start = at, .end = at + 4096, .free_mapped = true, .memory = m->f.memory
	};

	*altmap = (struct pgtsim_altmap){ .base = 0x80001, .free = 4096 };
	switch (before) {
	case EMPTY_TABLES_BEFORE:
		assert_int_equal(populate(m, at, 4096, NULL), 0);
		assert_int_equal(pgtsim_unmap_range(&m->f.pgt, &pass), 0);
		break;
	case PAGES_BEFORE: /* in the middle of a range that gets base pages */
		assert_int_equal(populate(m, at + 3 * 4096, 2 * 4096, NULL), 0);
		assert_int_equal(populate(m, at + 7 * 4096, 4096, NULL), 0);
		break;
	case BLOCK_BEFORE:
		assert_int_equal(populate(m, at + m->size, m->size, NULL), 0);
		break;
	case ALTMAP_BEFORE:
		assert_int_equal(populate(m, at + 5 * m->size, 3 * 4096, altmap), 0);
		break;
	default:
		break;
	}
}

/* Fails each allocation of one populate in turn, with rollback. Returns how many there were. */
static unsigned check_rollback(const struct pgtsim_policy *policy,
			       const struct pgtsim_geometry *geo, enum before before, uint64_t size,
			       unsigned flags)
{
	struct pgtsim_altmap altmap, altmap_before;
	struct snapshot s;
	struct machine m;
	unsigned nth = 1;
	int ret;

	machine_init_policy(&m, policy, geo, 64);
	populate_before(&m, before, section_of(&m, 0), &altmap);
	altmap_before = altmap;
	s = snapshot_take(&m.f);
	for (;; nth++) {
		uint64_t at = section_of(&m, 0);

		pgtsim_memory_fail(m.f.memory, nth, false);
		ret = pgtsim_vmemmap_populate(&m.v, at, at + size,
					      before == ALTMAP_BEFORE ? &altmap : NULL, flags);
		if (!ret)
			break;
		assert_int_equal(ret, -ENOMEM);
		assert_true(nth < 2000);
		assert_true(unchanged(&m.f, &s));
		assert_memory_equal(&altmap, &altmap_before, sizeof(altmap));
		assert_int_equal(m.f.tlb.counts.violations, 0);
	}
	pgtsim_memory_fail(m.f.memory, 0, false);
	snapshot_free(&s);
	fixture_drop(&m.f);
	return nth - 1;
}

/* With rollback, a failed allocation changes nothing: tables, pages and altmap are as before. */
static void failures_roll_back(void **state)
{
	struct pgtsim_policy policy = profile("latest");
	const struct pgtsim_geometry geo = linux_geometry(4, 48, 0, 48);
	const struct pgtsim_geometry geo_16k = linux_geometry(16, 47, 0, 48);

	(void)state;
	policy.block_failure = PGTSIM_BLOCK_FAILURE_FAIL;
	for (int before = NOTHING; before < BEFORES; before++) {
		enum before b = (enum before)before;

		assert_true(check_rollback(&policy, &geo, b, 9 * 4096, 0) > 4 ||
			    b == ALTMAP_BEFORE);
		assert_true(check_rollback(&policy, &geo, b, 6 * MIB, 0) > 1 || b > NOTHING);
		assert_true(check_rollback(&policy, &geo, b, 3 * MIB, PGTSIM_POPULATE_PAGES) >
				    511 ||
			    b == ALTMAP_BEFORE);
		assert_true(check_rollback(&policy, &geo_16k, b, 512 * KIB, 0) >= 32 - 1 ||
			    b >= PAGES_BEFORE);
	}
}

/* If an altmap runs out in the middle, rollback restores its counter. */
static void dry_altmap_rolls_back(void **state)
{
	struct pgtsim_altmap altmap = { .base = 0x80001, .free = 1600, .alloc = 3, .align = 1 };
	const struct pgtsim_altmap altmap_before = altmap;
	struct snapshot before;
	struct machine m;

	(void)state;
	machine_init(&m, "latest");
	before = snapshot_take(&m.f);
	/* Two blocks fit, with 508 pages of padding, three do not. */
	assert_int_equal(populate(&m, section_of(&m, 0), 3 * m.size, &altmap), -ENOMEM);
	assert_true(unchanged(&m.f, &before));
	assert_memory_equal(&altmap, &altmap_before, sizeof(altmap));
	assert_int_equal(m.f.tlb.counts.altmap_allocated, 1024);
	assert_int_equal(m.f.tlb.counts.altmap_freed, 1024);
	assert_int_equal(populate(&m, section_of(&m, 0), 2 * m.size, &altmap), 0);
	snapshot_free(&before);
	fixture_drop(&m.f);
}

/* With populate-failure=keep what was populated stays, and the caller frees it. */
static void failures_keep(void **state)
{
	unsigned mapped = 0, nth = 1;
	int ret;

	(void)state;
	do {
		struct machine m;
		uint64_t at;
		unsigned now;

		machine_init(&m, "linux-6.12");
		at = section_of(&m, 0);
		pgtsim_memory_fail(m.f.memory, nth, false);
		ret = pgtsim_vmemmap_populate(&m.v, at, at + 32 * 4096, NULL, 0);
		now = leaves(&m, PGTSIM_PTE);
		assert_true(now >= mapped);
		/* 3 tables, then one page for each: everything that could be allocated is there. */
		assert_int_equal(now, nth <= 3 ? 0 : nth - 4 < 32 ? nth - 4 : 32);
		for (unsigned page = 0; page < 32; page++)
			assert_int_equal(is_mapped(&m.f, at + page * 4096), page < now);
		assert_int_equal(backing(&m), now);
		assert_int_equal(tables_linked(&m.f), nth < 4 ? nth : 4);
		mapped = now;
		pgtsim_memory_fail(m.f.memory, 0, false);
		assert_int_equal(unpopulate(&m, at, 32 * 4096, NULL), 0);
		assert_int_equal(backing(&m), 0);
		fixture_fini(&m.f);
	} while (nth++, ret == -ENOMEM);
	assert_int_equal(ret, 0);
	assert_int_equal(mapped, 32);
}

/* ---- ranges ---- */

/* Populate and free refuse empty and reversed ranges, and ranges outside the vmemmap. */
static void invalid_ranges(void **state)
{
	struct snapshot before;
	struct machine m;
	uint64_t start, end;

	(void)state;
	machine_init(&m, "latest");
	start = m.v.start;
	end = m.v.end;
	before = snapshot_take(&m.f);
	{
		const struct {
			uint64_t start, end;
		} rows[] = {
			{ start, start },
			{ start + 4096, start },
			{ start - 1, start + 4096 },
			{ end - 4096, end + 1 },
			{ end, end + 4096 },
			{ 0, 4096 },
			{ start, 0 },
			{ 0, UINT64_MAX },
		};

		for (size_t i = 0; i < COUNT(rows); i++) {
			assert_int_equal(
				pgtsim_vmemmap_populate(&m.v, rows[i].start, rows[i].end, NULL, 0),
				-EINVAL);
			assert_int_equal(
				pgtsim_vmemmap_free(&m.v, rows[i].start, rows[i].end, NULL),
				-EINVAL);
		}
	}
	assert_true(unchanged(&m.f, &before));
	snapshot_free(&before);
	fixture_fini(&m.f);
}

/* Unaligned ends are rounded outwards: the pages that hold the struct pages. */
static void unaligned_ends(void **state)
{
	struct machine m;
	uint64_t at;

	(void)state;
	machine_init(&m, "latest");
	at = section_of(&m, 0);
	assert_int_equal(populate(&m, at + 4096 + 64, 4096, NULL), 0);
	assert_int_equal(leaves(&m, PGTSIM_PTE), 2);
	assert_true(is_mapped(&m.f, at + 4096) && is_mapped(&m.f, at + 3 * 4096 - 1));
	assert_int_equal(populate(&m, at + 4096 - 1, 1, NULL), 0);
	assert_int_equal(leaves(&m, PGTSIM_PTE), 3);
	fixture_drop(&m.f);
}

/* The address of a frame's struct page, for both sizes of struct page. */
static void address_of_a_struct_page(void **state)
{
	const struct pgtsim_policy policy = profile("latest");
	const struct pgtsim_geometry geo = linux_geometry(4, 48, 0, 48);

	(void)state;
	for (unsigned size = 56; size <= 64; size += 8) {
		struct machine m;
		uint64_t ram = RAM_START / 4096;

		machine_init_policy(&m, &policy, &geo, size);
		assert_int_equal(pgtsim_page_of_pfn(&m.v, ram), m.v.start);
		assert_int_equal(pgtsim_page_of_pfn(&m.v, ram + 100), m.v.start + 100 * size);
		fixture_fini(&m.f);
	}
}

/* With 56 bytes neighbouring sections share blocks: freeing one takes the neighbour's (CUT). */
static void sections_of_56_byte_struct_pages(void **state)
{
	const struct pgtsim_policy policy = profile("latest");
	const struct pgtsim_geometry geo = linux_geometry(4, 48, 0, 48);
	struct machine m;
	uint64_t at;

	(void)state;
	machine_init_policy(&m, &policy, &geo, 56);
	at = m.v.start; /* a multiple of 2M: 1.75M a section */
	assert_int_equal(m.size, 1792 * KIB);
	assert_int_equal(populate(&m, at, m.size, NULL), 0);
	assert_int_equal(leaves(&m, PGTSIM_PMD), 1);
	assert_int_equal(populate(&m, at + m.size, m.size, NULL), 0);
	assert_int_equal(leaves(&m, PGTSIM_PMD), 2);
	assert_true(is_mapped(&m.f, at + 2 * m.size - 1));
	assert_int_equal(unpopulate(&m, at, m.size, NULL), 0);
	assert_int_equal(leaves(&m, PGTSIM_PMD), 1);
	assert_false(is_mapped(&m.f, at + m.size));
	assert_int_equal(unpopulate(&m, at + m.size, m.size, NULL), 0);
	assert_int_equal(backing(&m), 0);
	fixture_fini(&m.f);
}

/* ---- freeing ---- */

/* Freeing half of a block (5.7, 5.14) frees it all; half of the pages leaves the other half. */
static void freeing_a_part(void **state)
{
	static const struct {
		const char *profile;
		unsigned left;
	} rows[] = {
		{ "linux-5.7", 0 }, { "linux-5.14", 0 }, { "linux-6.1", 256 }, { "linux-7.3", 256 }
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct machine m;
		uint64_t at, half;

		machine_init(&m, rows[i].profile);
		at = section_of(&m, 0);
		half = m.size / 2;
		assert_int_equal(populate(&m, at, half, NULL), 0);
		assert_int_equal(populate(&m, at + half, half, NULL), 0);
		assert_int_equal(backing(&m), 512);
		assert_int_equal(unpopulate(&m, at, half, NULL), 0);
		assert_int_equal(backing(&m), rows[i].left);
		assert_int_equal(is_mapped(&m.f, at + half), rows[i].left != 0);
		assert_int_equal(unpopulate(&m, at + half, half, NULL), 0);
		assert_int_equal(backing(&m), 0);
		fixture_fini(&m.f);
	}
}

/* With unused parts tracked a block goes when all is unused; consecutive adds mark nothing. */
static void unused_parts_are_tracked(void **state)
{
	struct pgtsim_policy policy = profile("latest");
	const struct pgtsim_geometry geo = linux_geometry(4, 48, 0, 48);
	struct machine m;
	uint64_t at;

	(void)state;
	policy.vmemmap_partial = PGTSIM_PARTIAL_TRACK_UNUSED;
	machine_init_policy(&m, &policy, &geo, 56);
	at = m.v.start;
	for (unsigned round = 0; round < 2; round++) {
		pgtsim_tlb_reset_counts(&m.f.tlb);
		assert_int_equal(populate(&m, at, m.size, NULL), 0);
		assert_int_equal(populate(&m, at + m.size, m.size, NULL), 0);
		assert_int_equal(leaves(&m, PGTSIM_PMD), 2);
		assert_int_equal(m.f.tlb.counts.memmap_marked, 0);
		/* The first block still holds struct pages of the second section. */
		assert_int_equal(unpopulate(&m, at, m.size, NULL), 0);
		assert_int_equal(leaves(&m, PGTSIM_PMD), 2);
		assert_true(is_mapped(&m.f, at + m.size));
		assert_int_equal(m.f.tlb.counts.memmap_marked, m.size + 512 * KIB);
		assert_int_equal(unpopulate(&m, at + m.size, m.size, NULL), 0);
		assert_int_equal(m.f.tlb.counts.memmap_marked, 4 * MIB);
		assert_int_equal(backing(&m), 0);
		assert_int_equal(m.f.tlb.counts.violations, 0);
	}
	pgtsim_vmemmap_fini(&m.v);
	fixture_fini(&m.f);
}

/* Two ranges of less than a section share a block: freeing the first one leaves the other. */
static void shared_block_is_kept(void **state)
{
	struct pgtsim_policy policy = profile("latest");
	const struct pgtsim_geometry geo = linux_geometry(4, 48, 0, 48);

	(void)state;
	policy.vmemmap_partial = PGTSIM_PARTIAL_TRACK_UNUSED;
	for (unsigned upper_first = 0; upper_first < 2; upper_first++) {
		uint64_t at, first, second;
		struct machine m;

		machine_init_policy(&m, &policy, &geo, 64);
		at = section_of(&m, 0);
		first = at + (upper_first ? MIB : 0);
		second = at + (upper_first ? 0 : MIB);
		assert_int_equal(populate(&m, first, MIB, NULL), 0);
		assert_int_equal(populate(&m, second, MIB, NULL), 0);
		assert_int_equal(leaves(&m, PGTSIM_PMD), 1);
		assert_int_equal(unpopulate(&m, first, MIB, NULL), 0);
		assert_true(is_mapped(&m.f, second));
		assert_int_equal(unpopulate(&m, second, MIB, NULL), 0);
		assert_int_equal(backing(&m), 0);
		assert_int_equal(m.f.tlb.counts.violations, 0);
		pgtsim_vmemmap_fini(&m.v);
		fixture_fini(&m.f);
	}
}

/* A block takes one invalidate, as 6.1.176 had it 512. */
static void invalidates_of_a_block(void **state)
{
	static const struct {
		uint8_t flush;
		unsigned leaf;
	} rows[] = {
		{ PGTSIM_FLUSH_PER_LEAF, 1 },
		{ PGTSIM_FLUSH_RANGE, 1 },
		{ PGTSIM_FLUSH_PER_PAGE_OF_BLOCK, 512 },
		{ PGTSIM_FLUSH_AT_END, 512 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct machine m;
		uint64_t at;

		machine_init(&m, "linux-6.1");
		m.f.policy.flush = rows[i].flush;
		at = section_of(&m, 0);
		assert_int_equal(populate(&m, at, m.size, NULL), 0);
		assert_int_equal(unpopulate(&m, at, m.size, NULL), 0);
		assert_int_equal(m.f.tlb.counts.tlbi_leaf, rows[i].leaf);
		assert_int_equal(m.f.tlb.counts.tlbi_all, 0);
		assert_int_equal(m.f.tlb.counts.violations, 0);
		fixture_fini(&m.f);
	}
}

/* Observers get events for allocations and mappings, and change no counter. */
static void observed_equals_unobserved(void **state)
{
	static const enum pgtsim_op ops[] = { PGTSIM_OP_PAGES_ALLOC, PGTSIM_OP_MAP };
	struct machine m[2];
	struct recorder r;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		uint64_t at;

		machine_init(&m[i], "latest");
		if (i)
			recorder_start(&r, &m[i].f);
		at = section_of(&m[i], 0);
		assert_int_equal(populate(&m[i], at, m[i].size, NULL), 0);
		if (i) {
			assert_int_equal(r.mark.op, PGTSIM_OP_BEGIN_POPULATE);
			assert_true(recorded(&r, r.count - 2, ops, 2));
			assert_int_equal(r.event[r.count - 1].pa, r.event[r.count - 2].pa);
			assert_int_equal(r.event[r.count - 2].count, 512);
		}
		assert_int_equal(populate(&m[i], at + m[i].size, 40 * 4096, NULL), 0);
		assert_int_equal(unpopulate(&m[i], at, m[i].size + 20 * 4096, NULL), 0);
	}
	assert_counts_equal(&m[0].f.tlb.counts, &m[1].f.tlb.counts);
	recorder_stop(&r, &m[1].f);
	fixture_drop(&m[0].f);
	fixture_drop(&m[1].f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_section_in_every_geometry),
	cmocka_unit_test(tables_kept_by_the_region),
	cmocka_unit_test(descriptors),
	cmocka_unit_test(barriers),
	cmocka_unit_test(no_constructors),
	cmocka_unit_test(publishing_new_tables),
	cmocka_unit_test(less_than_a_section),
	cmocka_unit_test(base_pages_on_request),
	cmocka_unit_test(no_memory_for_a_block),
	cmocka_unit_test(fragmented_memory),
	cmocka_unit_test(altmap_used_up),
	cmocka_unit_test(memory_of_the_altmap),
	cmocka_unit_test(padding_of_the_altmap),
	cmocka_unit_test(populated_again),
	cmocka_unit_test(pages_behind_a_block),
	cmocka_unit_test(section_over_pages),
	cmocka_unit_test(failures_roll_back),
	cmocka_unit_test(dry_altmap_rolls_back),
	cmocka_unit_test(failures_keep),
	cmocka_unit_test(invalid_ranges),
	cmocka_unit_test(unaligned_ends),
	cmocka_unit_test(address_of_a_struct_page),
	cmocka_unit_test(sections_of_56_byte_struct_pages),
	cmocka_unit_test(freeing_a_part),
	cmocka_unit_test(unused_parts_are_tracked),
	cmocka_unit_test(shared_block_is_kept),
	cmocka_unit_test(invalidates_of_a_block),
	cmocka_unit_test(observed_equals_unobserved),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
