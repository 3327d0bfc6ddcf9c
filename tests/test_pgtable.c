/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#define VA UINT64_C(0xffff000000000000)

static const struct {
	bool blocks, cont;
} shapes[] = { { false, false }, { false, true }, { true, false }, { true, true } };

/* A 4K/48 table of a profile. */
static void init_4k(struct fixture *f, const char *name)
{
	const struct pgtsim_geometry geo = linux_geometry(4, 48, 0, 48);
	const struct pgtsim_policy policy = profile(name);

	fixture_init(f, &policy, &geo);
}

/* Runs a test for every geometry of a profile. */
static void each_geometry(const char *name, void (*test)(const struct pgtsim_policy *policy,
							 const struct pgtsim_geometry *geo))
{
	const struct pgtsim_policy policy = profile(name);
	struct geometry_case cases[MAX_GEOMETRIES];
	size_t n = all_geometries(cases, &policy);

	for (size_t i = 0; i < n; i++)
		test(&policy, &cases[i].geo);
}

/* ---- creation ---- */

static void check_empty(const struct pgtsim_policy *policy, const struct pgtsim_geometry *geo)
{
	struct pgtsim_translation t;
	struct snapshot s;
	struct fixture f;

	fixture_init(&f, policy, geo);
	s = snapshot_take(&f);
	assert_int_equal(s.count, 0);
	assert_int_equal(f.tlb.counts.tables_allocated, 1);
	assert_int_equal(f.tlb.counts.tables_pgd, 1);
	assert_int_equal(f.tlb.counts.tables_pte, 0);
	assert_int_equal(pgtsim_translate(&f.pgt, UINT64_MAX, &t), -EFAULT);
	assert_int_equal(t.fault, PGTSIM_FAULT_TRANSLATION);
	assert_int_equal(t.level, pgtsim_root_level(geo));
	assert_int_equal(t.steps, 1);
	assert_int_equal(t.step[0].index, pgtsim_entries(geo, t.level) - 1);
	assert_int_equal(pgtsim_translate(&f.pgt, pgtsim_va_start(geo), &t), -EFAULT);
	assert_int_equal(pgtsim_translate(&f.pgt, pgtsim_va_start(geo) - 1, &t), -EINVAL);
	assert_int_equal(t.steps, 0);
	snapshot_free(&s);
	fixture_fini(&f);
}

/* A new page table is one empty root, counted, that translates nothing. */
static void new_table_is_empty(void **state)
{
	(void)state;
	each_geometry("latest", check_empty);
	each_geometry("linux-5.7", check_empty);
}

/* Without memory for the root there is no page table, and taking it down is harmless. */
static void root_needs_memory(void **state)
{
	struct pgtsim_pgtable pgt;
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	pgtsim_memory_fail(f.memory, 1, false);
	assert_int_equal(pgtsim_pgtable_init(&pgt, &f.pgt.geo, &f.policy, &f.tlb, f.pgt.ops,
					     PGTSIM_ACCESS_PRIVATE),
			 -ENOMEM);
	assert_int_equal(f.tlb.counts.tables_allocated, 1);
	pgtsim_pgtable_fini(&pgt);
	pgtsim_pgtable_fini(&pgt);
	fixture_fini(&f);
}

/* ---- map and translate ---- */

/* A range to map: offsets from the start of the region, or from its end if negative. */
struct range {
	uint64_t va, pa, size;
};

static uint64_t block_size(const struct pgtsim_geometry *geo)
{
	return pgtsim_entry_size(geo, geo->levels > 1 ? PGTSIM_PMD : PGTSIM_PTE);
}

/* The ranges of interest of a geometry; returns how many. */
static size_t ranges_of(const struct pgtsim_geometry *geo, struct range out[8])
{
	uint64_t page = pgtsim_page_size(geo), block = block_size(geo), low = block * 4;
	uint64_t start = pgtsim_va_start(geo), middle = start + (-start >> 1);
	size_t n = 0;

	out[n++] = (struct range){ start, low, page };
	out[n++] = (struct range){ start + page, low + page, 2 * page };
	out[n++] = (struct range){ -page, low, page };
	out[n++] = (struct range){ -2 * page, low + page, 2 * page };
	if (geo->levels == 1)
		return n;
	out[n++] = (struct range){ middle - 3 * page, low + block - 3 * page, 8 * page };
	out[n++] = (struct range){ -block - page, low - page, block + page };
	out[n++] = (struct range){ start, low, 2 * block + page };
	out[n++] = (struct range){ start, low + page, block };
	return n;
}

/* The leaf that the page at va gets: the largest that VA, PA and range allow. */
static int leaf_level(const struct pgtsim_geometry *geo, const struct range *r, bool blocks,
		      uint64_t va)
{
	for (int level = pgtsim_root_level(geo); level < PGTSIM_PTE; level++) {
		uint64_t size = pgtsim_entry_size(geo, level);
		uint64_t base = va / size * size;

		if (blocks && geo->block[level + 1] && base >= r->va &&
		    base + (size - 1) <= r->va + (r->size - 1) && (r->pa - r->va) % size == 0)
			return level;
	}
	return PGTSIM_PTE;
}

/*
 * Whether that leaf carries the hint: its whole group is in the range, and aligned; never in a
 * root of blocks (quirk).
 */
static bool has_hint(const struct pgtsim_geometry *geo, const struct range *r, int level,
		     uint64_t va)
{
	uint64_t size = pgtsim_entry_size(geo, level) * pgtsim_cont_entries(geo, level);
	uint64_t base = va / size * size;

	if (level < PGTSIM_PTE && level == pgtsim_root_level(geo))
		return false;
	return pgtsim_cont_entries(geo, level) > 1 && level >= PGTSIM_PMD && base >= r->va &&
	       base + (size - 1) <= r->va + (r->size - 1) && (r->pa - r->va) % size == 0;
}

static void check_byte(const struct fixture *f, const struct range *r, bool blocks, bool cont,
		       uint64_t va)
{
	const struct pgtsim_geometry *geo = &f->pgt.geo;
	int level = leaf_level(geo, r, blocks, va);
	bool hint = cont && has_hint(geo, r, level, va);
	uint64_t size = pgtsim_entry_size(geo, level), pa = r->pa + (va - r->va);
	struct pgtsim_translation t;

	assert_int_equal(pgtsim_translate(&f->pgt, va, &t), 0);
	assert_int_equal(t.pa, pa);
	assert_int_equal(t.level, level);
	assert_int_equal(t.size, size);
	assert_int_equal(t.steps, level - pgtsim_root_level(geo) + 1);
	assert_int_equal(t.desc, pgtsim_desc_leaf(geo, level, pa / size * size,
						  f->policy.prot[PGTSIM_PROT_TAGGED] |
							  (hint ? PGTSIM_DESC_CONT : 0)));
}

static void check_range(const struct fixture *f, const struct range *r, bool blocks, bool cont)
{
	uint64_t page = pgtsim_page_size(&f->pgt.geo);

	for (uint64_t at = 0; at < r->size; at += page) {
		check_byte(f, r, blocks, cont, r->va + at);
		check_byte(f, r, blocks, cont, r->va + at + page - 1);
	}
	if (r->va > pgtsim_va_start(&f->pgt.geo))
		assert_false(is_mapped(f, r->va - 1));
	if (r->va + r->size)
		assert_false(is_mapped(f, r->va + r->size));
}

static void check_map(const struct pgtsim_policy *policy, const struct pgtsim_geometry *geo)
{
	struct range ranges[8];
	size_t n = ranges_of(geo, ranges);

	for (size_t i = 0; i < n * COUNT(shapes); i++) {
		const struct range *r = &ranges[i / COUNT(shapes)];
		bool blocks = shapes[i % COUNT(shapes)].blocks;
		struct fixture f;
		struct pgtsim_map map;
		size_t tables;

		fixture_init(&f, policy, geo);
		map = linear_map(&f, r->va, r->pa, r->size);
		map.blocks = blocks;
		map.cont = shapes[i % COUNT(shapes)].cont;
		assert_int_equal(pgtsim_map(&f.pgt, &map), 0);
		check_range(&f, r, blocks, map.cont);
		tables = tables_linked(&f);
		assert_int_equal(f.tlb.counts.tables_allocated, tables);
		assert_int_equal(pgtsim_memory_ram_count(f.memory) - free_pages_of(&f), tables);
		assert_int_equal(f.tlb.counts.violations, 0);
		fixture_fini(&f);
	}
}

/* Each byte of a mapping translates as it should, with the right leaf and hint, and no other. */
static void map_and_translate(void **state)
{
	(void)state;
	each_geometry("linux-6.1", check_map);
	each_geometry("linux-6.12", check_map);
	each_geometry("latest", check_map);
}

/* Mappings that start anywhere around groups and blocks: the hint goes to whole groups alone. */
static void contiguous_groups(void **state)
{
	static const uint64_t pages[] = { 1, 15, 16, 17, 31, 32, 33, 47, 48, 64 };
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	for (uint64_t offset = 0; offset < 34; offset++) {
		for (size_t i = 0; i < COUNT(pages) * 2; i++) {
			const struct range r = { VA + 32 * 4096 * 100 + offset * 4096,
						 GIB + offset * 4096 + (i % 2) * 4096 * 8,
						 pages[i / 2] * 4096 };
			struct pgtsim_map map = linear_map(&f, r.va, r.pa, r.size);

			map.cont = true;
			assert_int_equal(pgtsim_map(&f.pgt, &map), 0);
			check_range(&f, &r, false, true);
			for (uint64_t at = r.va; at < r.va + r.size; at += 4096)
				assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PTE, at, 0), 0);
		}
	}
	fixture_fini(&f);
}

/* Groups of pmd blocks get the hint, pud blocks never do, and a tail of pages closes the range. */
static void contiguous_blocks(void **state)
{
	static const struct range rows[] = {
		{ VA, 4 * GIB, 32 * MIB },
		{ VA, 4 * GIB, 64 * MIB - 4096 },
		{ VA + 2 * MIB, 4 * GIB + 2 * MIB, 64 * MIB },
		{ VA + 30 * MIB, 4 * GIB + 30 * MIB, 68 * MIB },
		{ VA, 4 * GIB + 2 * MIB, 64 * MIB },
		{ VA, 4 * GIB, GIB },
		{ VA, 4 * GIB, 16 * GIB },
		{ VA + GIB - 32 * MIB, 5 * GIB - 32 * MIB, GIB + 64 * MIB },
		{ VA + 16 * 4096, 4 * GIB + 16 * 4096, 64 * MIB },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pgtsim_map map;
		struct fixture f;

		init_4k(&f, "latest");
		map = linear_map(&f, rows[i].va, rows[i].pa, rows[i].size);
		map.blocks = map.cont = true;
		assert_int_equal(pgtsim_map(&f.pgt, &map), 0);
		for (uint64_t at = 0; at < rows[i].size; at += 64 * KIB)
			check_byte(&f, &rows[i], true, true, rows[i].va + at);
		check_byte(&f, &rows[i], true, true, rows[i].va + rows[i].size - 1);
		assert_false(is_mapped(&f, rows[i].va + rows[i].size));
		fixture_fini(&f);
	}
}

/* VA and PA alike unaligned: the pages they touch are mapped, whole. */
static void unaligned_is_rounded_outwards(void **state)
{
	static const struct {
		uint64_t offset, size, pages;
	} rows[] = {
		{ 1, 1, 1 },      { 0xfff, 1, 1 },      { 0xfff, 2, 2 },
		{ 0, 0x1001, 2 }, { 0x800, 0x1000, 2 },
	};
	const struct range block = { VA + 2 * MIB, GIB, 2 * MIB };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct range r = { VA + 4096, GIB, rows[i].pages * 4096 };
		struct fixture f;

		init_4k(&f, "latest");
		assert_int_equal(map_linear(&f, r.va + rows[i].offset, r.pa + rows[i].offset,
					    rows[i].size, false),
				 0);
		check_range(&f, &r, false, false);
		/* Rounded, it is a block. */
		assert_int_equal(map_linear(&f, block.va + 5, block.pa + 5, block.size - 9, true),
				 0);
		check_range(&f, &block, true, false);
		fixture_fini(&f);
	}
}

/* ---- descriptors ---- */

struct desc_row {
	const char *profile;
	unsigned kib, va, va_actual, pa_bits;
	enum pgtsim_prot prot;
	bool block, cont;
	uint64_t pa, desc;
};

#define TAGGED PGTSIM_PROT_TAGGED
#define KERNEL PGTSIM_PROT_KERNEL

static const struct desc_row desc_rows[] = {
	{ "linux-6.1", 4, 48, 0, 48, TAGGED, false, false, 0x80000000, 0x00e8000080000707 },
	{ "linux-6.1", 4, 48, 0, 48, TAGGED, true, false, 0x80000000, 0x00e8000080000705 },
	{ "linux-6.1", 4, 48, 0, 48, TAGGED, false, true, 0x80000000, 0x00f8000080000707 },
	{ "linux-6.1", 4, 48, 0, 48, TAGGED, true, true, 0x80000000, 0x00f8000080000705 },
	{ "linux-6.1", 4, 48, 0, 48, KERNEL, false, false, 0x80000000, 0x00e8000080000703 },
	{ "linux-6.1", 4, 48, 0, 48, KERNEL, true, false, 0x80000000, 0x00e8000080000701 },
	{ "linux-6.1", 4, 48, 0, 48, PGTSIM_PROT_RO, false, false, 0x80000000, 0x00e0000080000783 },
	{ "linux-6.1", 4, 48, 0, 48, PGTSIM_PROT_RX, false, false, 0x80000000, 0x00c0000080000783 },
	{ "latest", 4, 48, 0, 48, PGTSIM_PROT_DEVICE, false, false, 0x9000000, 0x0068000009000713 },
	{ "linux-5.7", 4, 48, 0, 48, TAGGED, false, false, 0x80000000, 0x00e8000080000713 },
	{ "linux-5.7", 4, 48, 0, 48, TAGGED, true, false, 0x80000000, 0x00e8000080000711 },
	{ "linux-5.10", 4, 48, 0, 48, TAGGED, false, false, 0x80000000, 0x00e8000080000703 },
	{ "linux-5.10", 4, 48, 0, 48, TAGGED, true, false, 0x80000000, 0x00e8000080000701 },
	{ "linux-5.14", 4, 48, 0, 48, TAGGED, false, false, 0x80000000, 0x00e8000080000707 },
	{ "linux-6.12", 16, 47, 0, 48, TAGGED, false, false, 0x80000000, 0x00e8000080000707 },
	{ "linux-6.12", 16, 47, 0, 48, TAGGED, true, true, 0x80000000, 0x00f8000080000705 },
	{ "linux-6.12", 64, 48, 0, 48, TAGGED, false, false, 0x80000000, 0x00e8000080000707 },
	/* LPA2 has no SH bits; PA[51:50] are there. */
	{ "latest", 4, 52, 0, 52, TAGGED, false, false, 0x80000000, 0x00e8000080000407 },
	{ "latest", 4, 52, 0, 52, TAGGED, true, false, 0x80000000, 0x00e8000080000405 },
	{ "latest", 4, 52, 0, 52, KERNEL, false, false, 0x80000000, 0x00e8000080000403 },
	{ "latest", 16, 52, 0, 52, KERNEL, true, false, 0x80000000, 0x00e8000080000401 },
	{ "latest", 16, 52, 0, 52, TAGGED, false, true, 0x80000000, 0x00f8000080000407 },
	{ "latest", 4, 52, 0, 52, TAGGED, false, false, 0x4000080000000, 0x00e8000080000507 },
	{ "latest", 4, 52, 0, 52, TAGGED, true, false, 0x8000080000000, 0x00e8000080000605 },
	{ "latest", 16, 52, 0, 52, TAGGED, false, false, 0xf000080000000, 0x00eb000080000707 },
	/* Without 52 bits the ordinary form. */
	{ "latest", 4, 52, 48, 0, TAGGED, false, false, 0x80000000, 0x00e8000080000707 },
	{ "latest", 16, 52, 47, 0, TAGGED, true, false, 0x80000000, 0x00e8000080000705 },
	/* 64K/52: PA[51:48] in 15:12; from 6.12 on PA[49:48] in place too. */
	{ "linux-6.1", 64, 52, 0, 52, TAGGED, false, false, 0x5000020000000, 0x00e8000020005707 },
	{ "linux-6.12", 64, 52, 0, 52, TAGGED, false, false, 0x5000020000000, 0x00e9000020005707 },
	{ "latest", 64, 52, 0, 52, TAGGED, true, false, 0xf000020000000, 0x00eb00002000f705 },
	{ "linux-6.1", 64, 52, 48, 52, TAGGED, true, false, 0xf000020000000, 0x00e800002000f705 },
	{ "linux-6.1", 64, 42, 0, 52, TAGGED, false, true, 0x5000020000000, 0x00f8000020005707 },
};

/* The first descriptor of a mapping of two groups of these leaves. */
static uint64_t mapped_desc(const struct desc_row *row)
{
	struct pgtsim_geometry geo =
		linux_geometry(row->kib, row->va, row->va_actual, row->pa_bits);
	const struct pgtsim_policy policy = profile(row->profile);
	int level = row->block ? PGTSIM_PMD : PGTSIM_PTE;
	uint64_t leaf = pgtsim_entry_size(&geo, level);
	struct pgtsim_map map;
	struct fixture f;
	uint64_t desc;

	fixture_init(&f, &policy, &geo);
	map = linear_map(&f, pgtsim_va_start(&geo), row->pa,
			 row->cont ? leaf * pgtsim_cont_entries(&geo, level) : leaf);
	map.attrs = policy.prot[row->prot];
	map.blocks = row->block;
	map.cont = row->cont;
	/* A pmd group of 64K and 16K is larger than the alignment of these PAs. */
	if (row->block && row->cont)
		map.pa &= ~(map.size - 1);
	assert_int_equal(pgtsim_map(&f.pgt, &map), 0);
	desc = entry_at(&f, level, map.va);
	fixture_fini(&f);
	return desc + (row->pa - map.pa);
}

/* Leaves have the kernel's very bits, in every release, granule and address layout. */
static void leaf_descriptors(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(desc_rows); i++)
		if (mapped_desc(&desc_rows[i]) != desc_rows[i].desc)
			fail_msg("row %zu: 0x%016llx", i,
				 (unsigned long long)mapped_desc(&desc_rows[i]));
}

/* New tables of the linear map carry the release's restrictions; whoever is first decides. */
static void table_descriptors(void **state)
{
	static const struct {
		const char *profile;
		uint64_t bits;
	} rows[] = {
		{ "linux-5.7", 0x0000000000000003 },  { "linux-5.10", 0x0000000000000003 },
		{ "linux-5.14", 0x1800000000000003 }, { "linux-6.1", 0x1800000000000003 },
		{ "linux-6.12", 0x1800000000000003 }, { "linux-7.3", 0x1800000000000403 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pgtsim_map map;
		struct fixture f;

		init_4k(&f, rows[i].profile);
		assert_int_equal(map_linear(&f, VA, GIB, 4096, false), 0);
		for (int level = PGTSIM_P4D; level < PGTSIM_PTE; level++) {
			uint64_t desc = entry_at(&f, level, VA);

			assert_int_equal(desc & 0xffff000000000fff, rows[i].bits);
			assert_non_null(pgtsim_memory_table(f.memory, desc & 0xfffffffff000));
		}
		map = linear_map(&f, VA + 2 * MIB, GIB, 4096);
		map.table_attrs = 0;
		assert_int_equal(pgtsim_map(&f.pgt, &map), 0);
		assert_int_equal(entry_at(&f, PGTSIM_PMD, VA + 2 * MIB) & 0xffff000000000fff, 3);
		assert_int_equal(entry_at(&f, PGTSIM_PUD, VA) & 0xffff000000000fff, rows[i].bits);
		fixture_fini(&f);
	}
}

/* Mappings whose PA crosses 2^48 or 2^50, where bits of a descriptor change place. */
static void mappings_across_high_addresses(void **state)
{
	static const struct {
		unsigned kib, va;
		uint64_t boundary;
	} rows[] = {
		{ 4, 52, PGTSIM_BIT(48) },  { 4, 52, PGTSIM_BIT(50) },  { 4, 52, PGTSIM_BIT(51) },
		{ 16, 52, PGTSIM_BIT(50) }, { 16, 52, PGTSIM_BIT(51) }, { 64, 52, PGTSIM_BIT(48) },
		{ 64, 52, PGTSIM_BIT(50) }, { 64, 48, PGTSIM_BIT(48) }, { 64, 42, PGTSIM_BIT(51) },
	};
	static const char *const profiles[] = { "linux-6.1", "linux-6.12", "latest" };

	(void)state;
	for (size_t i = 0; i < COUNT(rows) * COUNT(profiles) * COUNT(shapes); i++) {
		size_t row = i / (COUNT(profiles) * COUNT(shapes));
		const struct pgtsim_geometry geo =
			linux_geometry(rows[row].kib, rows[row].va, 0, 52);
		const struct pgtsim_policy policy = profile(profiles[i / COUNT(shapes) % 3]);
		uint64_t block = block_size(&geo), page = pgtsim_page_size(&geo);
		const struct range r = { pgtsim_va_start(&geo) + block - 3 * page,
					 rows[row].boundary - block - 3 * page,
					 2 * block + 5 * page };
		struct pgtsim_map map;
		struct fixture f;

		fixture_init(&f, &policy, &geo);
		map = linear_map(&f, r.va, r.pa, r.size);
		map.blocks = shapes[i % COUNT(shapes)].blocks;
		map.cont = shapes[i % COUNT(shapes)].cont;
		assert_int_equal(pgtsim_map(&f.pgt, &map), 0);
		check_range(&f, &r, map.blocks, map.cont);
		fixture_fini(&f);
	}
}

/* ---- errors of map ---- */

/* Ranges that cannot be mapped are refused before anything changes. */
static void invalid_ranges(void **state)
{
	static const struct {
		uint64_t va, pa, size;
	} rows[] = {
		{ VA, GIB, 0 },           /* empty */
		{ VA - 4096, GIB, 4096 }, /* below the region */
		{ VA - 4096, GIB, 8192 },
		{ 0, GIB, 4096 },
		{ UINT64_C(0x0000ffffffffffff), GIB, 4096 }, /* not canonical */
		{ -UINT64_C(4096), GIB, 8192 },              /* wraps */
		{ VA, GIB, UINT64_MAX },
		{ VA, GIB, PGTSIM_BIT(48) + 1 },
		{ VA, PGTSIM_BIT(48), 4096 }, /* PA beyond */
		{ VA, PGTSIM_BIT(48) - 4096, 8192 },
		{ VA, UINT64_MAX & ~UINT64_C(0xfff), 4096 },
		{ VA, GIB + 1, 4096 }, /* different offsets */
		{ VA + 0x800, GIB, 4096 },
		{ VA + 1, GIB + 0x801, 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct snapshot before;
		struct fixture f;

		init_4k(&f, "latest");
		before = snapshot_take(&f);
		assert_int_equal(map_linear(&f, rows[i].va, rows[i].pa, rows[i].size, true),
				 -EINVAL);
		assert_true(unchanged(&f, &before));
		snapshot_free(&before);
		fixture_fini(&f);
	}
}

/* The last byte of the physical and of the virtual space can be mapped. */
static void last_addresses(void **state)
{
	const struct range r = { -UINT64_C(8192), PGTSIM_BIT(48) - 8192, 8192 };
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	assert_int_equal(map_linear(&f, r.va, r.pa, r.size, true), 0);
	check_range(&f, &r, true, false);
	fixture_fini(&f);
}

static void check_exists(const struct pgtsim_policy *policy, const struct pgtsim_geometry *geo)
{
	uint64_t page = pgtsim_page_size(geo), start = pgtsim_va_start(geo);
	const struct range rows[] = {
		{ start + page, 8 * page, page },     /* the identical one */
		{ start + page, 16 * page, page },    /* another address */
		{ start, 8 * page, 2 * page },        /* it is the last one */
		{ start + page, 8 * page, 2 * page }, /* the first */
		{ start, 8 * page, 4 * page },        /* in the middle */
	};
	struct snapshot before;
	struct fixture f;

	fixture_init(&f, policy, geo);
	assert_int_equal(map_linear(&f, start + page, 8 * page, page, false), 0);
	before = snapshot_take(&f);
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(map_linear(&f, rows[i].va, rows[i].pa, rows[i].size, i % 2),
				 -EEXIST);
		assert_true(unchanged(&f, &before));
	}
	if (geo->levels > 1) { /* much before it is new, and would need tables */
		uint64_t size = -start;

		assert_int_equal(map_linear(&f, start, 0, size < TIB ? size : TIB, true), -EEXIST);
		assert_true(unchanged(&f, &before));
	}
	snapshot_free(&before);
	fixture_fini(&f);
}

/* A live entry anywhere in the range, the identical one too: nothing is written. */
static void live_entries_are_refused(void **state)
{
	(void)state;
	each_geometry("linux-6.12", check_exists);
	each_geometry("latest", check_exists);
}

/* Pages into a block, a block over a block, a table that is not empty under a block: all exist. */
static void blocks_are_live_too(void **state)
{
	struct snapshot before;
	struct fixture f;

	(void)state;
	init_4k(&f, "linux-6.12");
	assert_int_equal(map_linear(&f, VA + 2 * MIB, 2 * MIB, 2 * MIB, true), 0);
	assert_int_equal(map_linear(&f, VA + GIB, GIB, GIB, true), 0);
	assert_int_equal(map_linear(&f, VA + 8 * MIB + 4096, 0, 4096, true), 0);
	before = snapshot_take(&f);
	assert_int_equal(map_linear(&f, VA + 3 * MIB, 3 * MIB, 4096, false), -EEXIST);
	assert_int_equal(map_linear(&f, VA, 0, 3 * MIB, true), -EEXIST);
	assert_int_equal(map_linear(&f, VA + GIB + 12345, GIB + 12345, 1, false), -EEXIST);
	assert_int_equal(map_linear(&f, VA, 0, 2 * GIB, true), -EEXIST);
	assert_int_equal(map_linear(&f, VA + 8 * MIB, 0, 2 * MIB, true), -EEXIST);
	assert_true(unchanged(&f, &before));
	snapshot_free(&before);
	fixture_fini(&f);
}

/* An entry that is neither zero nor valid is in the way as well. */
static void invalid_entries_are_in_the_way(void **state)
{
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	assert_int_equal(map_linear(&f, VA, GIB, 4096, false), 0);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PTE, VA + 4096, 0x800), 0);
	assert_int_equal(map_linear(&f, VA + 4096, GIB, 4096, false), -EEXIST);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PMD, VA + 4 * MIB, 0x800), 0);
	assert_int_equal(map_linear(&f, VA + 4 * MIB, GIB, 4096, false), -EEXIST);
	fixture_fini(&f);
}

/* A table entry that points nowhere is -EFAULT, a violation, and nothing is written. */
static void broken_table_entries(void **state)
{
	struct pgtsim_translation t;
	struct snapshot before;
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	assert_int_equal(map_linear(&f, VA, GIB, 4096, false), 0);
	before = snapshot_take(&f);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PMD, VA + 2 * MIB, 0x70000003), 0);
	assert_int_equal(map_linear(&f, VA + 4096, GIB, 4 * MIB, false), -EFAULT);
	assert_string_equal(first_violation(&f), "not-a-table");
	assert_int_equal(pgtsim_translate(&f.pgt, VA + 2 * MIB, &t), -EFAULT);
	assert_int_equal(t.fault, PGTSIM_FAULT_EXTERNAL);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PTE, VA + 2 * MIB, 1), -ENOENT);
	/* A table of another level is no better. */
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PMD, VA + 2 * MIB, f.pgt.root->pa | 3), 0);
	assert_int_equal(pgtsim_translate(&f.pgt, VA + 2 * MIB, &t), -EFAULT);
	assert_int_equal(t.fault, PGTSIM_FAULT_EXTERNAL);
	assert_int_equal(t.level, PGTSIM_PMD);
	assert_int_equal(map_linear(&f, VA + 2 * MIB, GIB, 4096, false), -EFAULT);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PMD, VA + 2 * MIB, 0), 0);
	assert_true(unchanged(&f, &before));
	snapshot_free(&before);
	fixture_fini(&f);
}

/* A table freed under its entry is a fault to translations and maps, whoever has its page. */
static void entries_of_freed_tables(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 12; i++) {
		int level = i % 2 ? PGTSIM_PMD : PGTSIM_PUD;
		struct pgtsim_translation t;
		struct fixture f;
		uint64_t pa, pfn;

		init_4k(&f, "latest");
		assert_int_equal(map_linear(&f, VA + 2 * MIB, GIB, 4096, false), 0);
		assert_int_equal(map_linear(&f, VA, GIB, 4096, false), 0);
		assert_int_equal(pgtsim_translate(&f.pgt, VA, &t), 0);
		pa = pgtsim_desc_address(&f.pgt.geo, level, t.step[level - f.pgt.root->level].desc);
		pgtsim_memory_free_table(f.memory, pgtsim_memory_table(f.memory, pa));
		for (unsigned page = 0; page < i / 2; page++)
			assert_int_equal(pgtsim_memory_alloc(f.memory, 0, &pfn), 0);
		assert_int_equal(pgtsim_translate(&f.pgt, VA, &t), -EFAULT);
		assert_int_equal(t.fault, PGTSIM_FAULT_EXTERNAL);
		assert_int_equal(t.level, level);
		assert_int_equal(map_linear(&f, VA + 4096, GIB, 4096, false), -EFAULT);
		assert_string_equal(first_violation(&f), "not-a-table");
		fixture_drop(&f);
	}
}

/* A range that needs tables on every level, with a head and a tail. */
static struct pgtsim_map wide_map(const struct fixture *f, bool blocks)
{
	const struct pgtsim_geometry *geo = &f->pgt.geo;
	uint64_t page = pgtsim_page_size(geo), block = block_size(geo);
	struct pgtsim_map map = linear_map(f, pgtsim_va_start(geo), 2 * block, 2 * page);

	if (geo->levels > 1) {
		map.va += (-map.va >> 1) - block - page;
		map.pa = 2 * block - page;
		map.size = 2 * block + 2 * page;
	}
	map.blocks = blocks;
	map.cont = true;
	return map;
}

static void check_enomem(const struct pgtsim_policy *policy, const struct pgtsim_geometry *geo)
{
	for (unsigned i = 0; i < 4; i++) {
		struct pgtsim_map map;
		struct snapshot before;
		struct fixture f;
		unsigned nth = 1;

		fixture_init(&f, policy, geo);
		map = wide_map(&f, i & 1);
		if (i & 2 && geo->levels > 1) /* something is there already */
			assert_int_equal(map_linear(&f, -pgtsim_page_size(geo), 0, 1, false), 0);
		before = snapshot_take(&f);
		for (;; nth++) {
			pgtsim_memory_fail(f.memory, nth, false);
			if (pgtsim_map(&f.pgt, &map) != -ENOMEM)
				break;
			assert_true(unchanged(&f, &before));
		}
		/* It failed once for each table that it needs. */
		assert_int_equal(tables_linked(&f) - before.tables, nth - 1);
		assert_true(nth >= (geo->levels > 1 ? geo->levels - 1 - (i & 1) : 1));
		assert_true(is_mapped(&f, map.va + map.size - 1));
		snapshot_free(&before);
		pgtsim_memory_fail(f.memory, 0, false);
		fixture_fini(&f);
	}
}

/* Whichever table cannot be had, nothing is left of the mapping. */
static void no_memory_rolls_back(void **state)
{
	(void)state;
	each_geometry("linux-6.12", check_enomem);
	each_geometry("latest", check_enomem);
}

static void check_keep(const struct pgtsim_policy *base, const struct pgtsim_geometry *geo)
{
	struct pgtsim_policy policy = *base;
	uint64_t last_prefix = 0;
	unsigned nth = 1;
	int ret;

	policy.map_failure = PGTSIM_KEEP;
	do {
		struct pgtsim_map map;
		struct fixture f;
		uint64_t page = pgtsim_page_size(geo), prefix = 0;

		fixture_init(&f, &policy, geo);
		map = wide_map(&f, nth & 1);
		pgtsim_memory_fail(f.memory, nth, false);
		ret = pgtsim_map(&f.pgt, &map);
		while (prefix < map.size && is_mapped(&f, map.va + prefix))
			prefix += page;
		for (uint64_t at = prefix; at < map.size; at += page)
			assert_false(is_mapped(&f, map.va + at));
		assert_true(ret ? prefix < map.size : prefix == map.size);
		assert_true(prefix >= last_prefix || (nth & 1));
		last_prefix = nth & 1 ? last_prefix : prefix;
		if (ret) {
			assert_int_equal(ret, -ENOMEM);
			assert_int_equal(tables_linked(&f), nth);
			assert_int_equal(f.tlb.counts.tables_allocated, nth);
		}
		pgtsim_memory_fail(f.memory, 0, false);
		fixture_fini(&f);
	} while (nth++, ret);
	assert_true(geo->levels == 1 || last_prefix);
}

/* With map-failure=keep what the tables sufficed for stays: a prefix of the range. */
static void no_memory_keeps_a_prefix(void **state)
{
	(void)state;
	each_geometry("latest", check_keep);
}

/* ---- blocks over tables ---- */

/* Makes the empty pte table of VA + 2M, in the middle of three pmds. */
static void empty_table_at(struct fixture *f, uint64_t va)
{
	assert_int_equal(map_linear(f, va, GIB, 4096, false), 0);
	assert_int_equal(pgtsim_poke(&f->pgt, PGTSIM_PTE, va, 0), 0);
}

/* A block where an empty table stands: up to 6.12 nothing is mapped there, 7.3 fills the table. */
static void block_over_empty_table(void **state)
{
	static const struct {
		const char *profile;
		bool fill;
	} rows[] = { { "linux-5.7", false },
		     { "linux-6.1", false },
		     { "linux-6.12", false },
		     { "linux-7.3", true } };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct fixture f;

		init_4k(&f, rows[i].profile);
		empty_table_at(&f, VA + 2 * MIB);
		pgtsim_tlb_reset_counts(&f.tlb);
		assert_int_equal(map_linear(&f, VA, 0, 6 * MIB, true), 0);
		assert_int_equal(f.tlb.counts.leaves_mapped, rows[i].fill ? 514 : 2);
		assert_int_equal(f.tlb.counts.tables_allocated, 0);
		for (uint64_t at = 0; at < 6 * MIB; at += 4096) {
			struct pgtsim_translation t;
			bool hole = at / (2 * MIB) == 1;

			assert_int_equal(pgtsim_translate(&f.pgt, VA + at, &t),
					 hole && !rows[i].fill ? -EFAULT : 0);
			assert_int_equal(t.level, hole ? PGTSIM_PTE : PGTSIM_PMD);
			if (!t.fault)
				assert_int_equal(t.pa, at);
		}
		fixture_fini(&f);
	}
}

/* The same one level up: a pud block over a pmd table with an empty pte table below. */
static void pud_block_over_empty_table(void **state)
{
	struct fixture f;

	(void)state;
	init_4k(&f, "linux-6.12");
	empty_table_at(&f, VA + 2 * MIB);
	assert_int_equal(map_linear(&f, VA, 0, 2 * GIB, true), 0);
	assert_false(is_mapped(&f, VA));
	assert_false(is_mapped(&f, VA + GIB - 1));
	assert_true(is_mapped(&f, VA + GIB));
	assert_int_equal(tables_linked(&f), 4);
	fixture_fini(&f);
	init_4k(&f, "latest");
	empty_table_at(&f, VA + 2 * MIB);
	pgtsim_tlb_reset_counts(&f.tlb);
	assert_int_equal(map_linear(&f, VA, 0, 2 * GIB, true), 0);
	assert_int_equal(f.tlb.counts.leaves_mapped, 1 + 511 + 512);
	assert_int_equal(tables_linked(&f), 4);
	fixture_fini(&f);
}

/* A level with blocks over one without: no table is reserved for what a block is skipped over. */
static void skipped_blocks_reserve_nothing(void **state)
{
	static const uint8_t block_levels[] = { 1 << 2, 1 << 1 | 1 << 3, 1 << 1 | 1 << 2 };
	const struct pgtsim_policy policy = profile("linux-6.12");

	(void)state;
	for (size_t i = 0; i < COUNT(block_levels); i++) {
		const struct pgtsim_geometry_config config = {
			.page_shift = 12,
			.levels = 4,
			.bits = { 2, 2, 2, 2 },
			.block_levels = block_levels[i],
		};
		struct pgtsim_geometry geo;
		uint64_t start, before;
		struct fixture f;

		assert_int_equal(pgtsim_geometry_custom(&geo, &config), 0);
		start = pgtsim_va_start(&geo);
		fixture_init(&f, &policy, &geo);
		empty_table_at(&f, start);
		before = free_pages_of(&f);
		assert_int_equal(map_linear(&f, start, 0, 64 * 4096, true), 0);
		assert_int_equal(free_pages_of(&f), before);
		assert_int_equal(f.tlb.counts.tables_allocated, 4);
		assert_false(is_mapped(&f, start));
		/* A pud block in its place covers a quarter, a p4d block all. */
		assert_int_equal(is_mapped(&f, start + 64 * 4096 - 1), i == 0);
		fixture_fini(&f);
	}
}

/* quirk: blocks in the root of two levels never get the hint, the pages below them do. */
static void no_hint_in_the_root(void **state)
{
	const struct pgtsim_geometry geo = linux_geometry(16, 36, 0, 0);
	const struct pgtsim_policy policy = profile("latest");
	uint64_t start = pgtsim_va_start(&geo);
	struct pgtsim_map map;
	struct fixture f;

	(void)state;
	fixture_init(&f, &policy, &geo);
	map = linear_map(&f, start, 4 * GIB, 2 * GIB + 2 * MIB);
	map.blocks = map.cont = true;
	assert_int_equal(pgtsim_map(&f.pgt, &map), 0);
	assert_int_equal(entry_at(&f, PGTSIM_PMD, start) & PGTSIM_DESC_CONT, 0);
	assert_int_equal(entry_at(&f, PGTSIM_PMD, start + GIB) & PGTSIM_DESC_CONT, 0);
	assert_true(entry_at(&f, PGTSIM_PTE, start + 2 * GIB) & PGTSIM_DESC_CONT);
	fixture_fini(&f);
}

/* ---- barriers and counters ---- */

struct barrier_row {
	const char *profile;
	unsigned kib, va;
	uint64_t leaves;
	bool blocks;
	enum pgtsim_region region;
	unsigned dsb, isb;
};

/* DSB and ISB of a mapping into an empty table. */
static void barriers_of_mapping(void **state)
{
	static const struct barrier_row rows[] = {
		{ "linux-5.7", 4, 48, 512, false, PGTSIM_REGION_LINEAR, 517, 514 },
		{ "linux-6.1", 4, 48, 512, false, PGTSIM_REGION_LINEAR, 517, 514 },
		{ "linux-6.12", 4, 48, 512, false, PGTSIM_REGION_LINEAR, 6, 3 },
		{ "linux-7.3", 4, 48, 512, false, PGTSIM_REGION_LINEAR, 6, 3 },
		/* 2 tables, 3 blocks */
		{ "linux-6.1", 4, 48, 3, true, PGTSIM_REGION_LINEAR, 3 + 3, 1 + 3 },
		{ "linux-6.12", 4, 48, 3, true, PGTSIM_REGION_LINEAR, 4 + 3, 2 + 3 },
		/* vmemmap: no DSB ISHST before the link */
		{ "linux-6.12", 4, 48, 512, false, PGTSIM_REGION_VMEMMAP, 3, 3 },
		/* 2 levels: the one table is linked in the root */
		{ "linux-6.1", 64, 42, 4, false, PGTSIM_REGION_LINEAR, 1 + 4, 4 },
		{ "linux-6.12", 64, 42, 4, false, PGTSIM_REGION_LINEAR, 2, 1 },
		/* blocks in the root: it has no barriers of its own up to 6.1 */
		{ "linux-6.1", 64, 42, 3, true, PGTSIM_REGION_LINEAR, 0, 0 },
		{ "linux-6.12", 64, 42, 3, true, PGTSIM_REGION_LINEAR, 3, 3 },
		{ "linux-6.12", 4, 52, 4, false, PGTSIM_REGION_LINEAR, 8, 4 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pgtsim_geometry geo = linux_geometry(rows[i].kib, rows[i].va, 0, 0);
		const struct pgtsim_policy policy = profile(rows[i].profile);
		uint64_t leaf = pgtsim_entry_size(&geo, rows[i].blocks ? PGTSIM_PMD : PGTSIM_PTE);
		struct pgtsim_map map;
		struct fixture f;

		fixture_init(&f, &policy, &geo);
		map = linear_map(&f, pgtsim_va_start(&geo), GIB, rows[i].leaves * leaf);
		map.blocks = rows[i].blocks;
		map.region = rows[i].region;
		assert_int_equal(pgtsim_map(&f.pgt, &map), 0);
		assert_int_equal(f.tlb.counts.dsb, rows[i].dsb);
		assert_int_equal(f.tlb.counts.isb, rows[i].isb);
		assert_int_equal(f.tlb.counts.leaves_mapped, rows[i].leaves);
		assert_int_equal(f.tlb.counts.entries_read, rows[i].leaves);
		assert_int_equal(f.tlb.counts.entries_written, rows[i].leaves);
		assert_int_equal(f.tlb.counts.tlbi_leaf + f.tlb.counts.tlbi_all, 0);
		fixture_fini(&f);
	}
}

/* The order of a new table: allocated, made visible, linked, then DSB ISHST and ISB. */
static void events_of_a_link(void **state)
{
	static const enum pgtsim_op ops[] = {
		PGTSIM_OP_TABLE_ALLOC, PGTSIM_OP_DSB_ISHST, PGTSIM_OP_LINK,
		PGTSIM_OP_DSB_ISHST,   PGTSIM_OP_ISB,       PGTSIM_OP_TABLE_ALLOC,
		PGTSIM_OP_DSB_ISHST,   PGTSIM_OP_LINK,      PGTSIM_OP_DSB_ISHST,
		PGTSIM_OP_ISB,         PGTSIM_OP_MAP,
	};
	struct recorder r;
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	assert_int_equal(map_linear(&f, VA + 512 * GIB, GIB, GIB, true), 0);
	recorder_start(&r, &f);
	assert_int_equal(map_linear(&f, VA + 4096, GIB, 8192, false), 0);
	assert_int_equal(r.count, COUNT(ops) + 5);
	assert_true(recorded(&r, 5, ops, COUNT(ops)));
	assert_int_equal(r.event[0].level, PGTSIM_PUD);
	assert_int_equal(r.event[2].level, PGTSIM_P4D);
	assert_int_equal(r.event[2].va, VA);
	assert_int_equal(r.event[2].size, 512 * GIB);
	assert_int_equal(r.event[2].new_desc, entry_at(&f, PGTSIM_P4D, VA));
	assert_int_equal(r.event[2].old_desc, 0);
	assert_int_equal(r.event[0].pa, r.event[2].new_desc & 0xfffffffff000);
	assert_int_equal(r.event[10].level, PGTSIM_PTE);
	assert_int_equal(r.event[15].va, VA + 4096);
	assert_int_equal(r.event[15].count, 2);
	assert_int_equal(r.event[15].new_desc, entry_at(&f, PGTSIM_PTE, VA + 4096));
	assert_int_equal(r.event[15].pa, GIB);
	recorder_stop(&r, &f);
	fixture_fini(&f);
}

static void check_gauges(const struct pgtsim_policy *policy, const struct pgtsim_geometry *geo)
{
	unsigned root = pgtsim_slot(pgtsim_root_level(geo));
	struct fixture f;
	uint64_t *gauge;

	fixture_init(&f, policy, geo);
	gauge = &f.tlb.counts.tables_pgd; /* the gauges stand in the order of the levels */
	assert_int_equal(map_linear(&f, pgtsim_va_start(geo), 0, 1, false), 0);
	assert_int_equal(map_linear(&f, UINT64_MAX, pgtsim_page_size(geo) - 1, 1, false), 0);
	assert_int_equal(gauge[0], 1);
	for (unsigned slot = 1; slot < PGTSIM_MAX_LEVELS; slot++)
		assert_int_equal(gauge[slot], slot <= root                     ? 0 :
					      geo->va_bits == geo->shift[root] ? 1 :
										 2);
	fixture_fini(&f);
}

/* Live tables are counted at their own level, the root as pgd, folded levels not at all. */
static void gauges_follow_levels(void **state)
{
	(void)state;
	each_geometry("latest", check_gauges);
}

/* ---- shared tables, observers ---- */

static void check_modes(const struct pgtsim_policy *policy, const struct pgtsim_geometry *geo)
{
	struct snapshot a, b;
	struct fixture f[2];

	for (unsigned i = 0; i < 2; i++) {
		struct pgtsim_map map;

		fixture_init_access(&f[i], policy, geo,
				    i ? PGTSIM_ACCESS_SHARED : PGTSIM_ACCESS_PRIVATE);
		map = wide_map(&f[i], true);
		assert_int_equal(pgtsim_map(&f[i].pgt, &map), 0);
		assert_int_equal(pgtsim_map(&f[i].pgt, &map), -EEXIST);
		assert_int_equal(map_linear(&f[i], pgtsim_va_start(geo), 0, 1, false),
				 geo->levels > 2 ? 0 :
				 geo->levels > 1 ? 0 :
						   -EEXIST);
	}
	a = snapshot_take(&f[0]);
	b = snapshot_take(&f[1]);
	assert_true(snapshots_equal(&a, &b));
	assert_counts_equal(&f[0].tlb.counts, &f[1].tlb.counts);
	snapshot_free(&a);
	snapshot_free(&b);
	fixture_fini(&f[0]);
	fixture_fini(&f[1]);
}

/* Private and shared page tables come to hold the same, at the same cost to the kernel. */
static void shared_equals_private(void **state)
{
	(void)state;
	each_geometry("linux-6.1", check_modes);
	each_geometry("latest", check_modes);
}

static void check_events(const struct pgtsim_policy *policy, const struct pgtsim_geometry *geo)
{
	uint64_t leaves = 0, tables = 0;
	struct pgtsim_map map;
	struct recorder r;
	struct fixture f;

	fixture_init(&f, policy, geo);
	map = wide_map(&f, true);
	recorder_start(&r, &f);
	assert_int_equal(pgtsim_map(&f.pgt, &map), 0);
	for (size_t i = 0; i < r.count; i++) {
		const struct pgtsim_event *e = &r.event[i];

		tables += e->op == PGTSIM_OP_TABLE_ALLOC;
		if (e->op != PGTSIM_OP_MAP)
			continue;
		leaves += e->count;
		for (uint64_t n = 0; n < e->count; n++)
			assert_int_equal(entry_at(&f, e->level, e->va + n * e->size),
					 e->new_desc + n * e->step);
		assert_int_equal(pgtsim_desc_address(geo, e->level, e->new_desc), e->pa);
		assert_int_equal(e->pa - e->va, map.pa - map.va);
	}
	assert_int_equal(leaves, f.tlb.counts.leaves_mapped);
	assert_int_equal(tables + 1, f.tlb.counts.tables_allocated);
	recorder_stop(&r, &f);
	fixture_fini(&f);
}

/* The events of a mapping, expanded, are exactly what the table then holds. */
static void events_expand_to_the_table(void **state)
{
	(void)state;
	each_geometry("linux-6.1", check_events);
	each_geometry("latest", check_events);
}

/* ---- a caller's own allocator ---- */

enum { POOL = 8, POOL_ENTRIES = 512 };

struct pool {
	uint64_t page[POOL][POOL_ENTRIES];
	struct pgtsim_table table[POOL];
	bool used[POOL];
	unsigned in_use;
};

static uint64_t pool_alloc(void *ctx, uint64_t count, struct pgtsim_table ***tail)
{
	struct pool *pool = ctx;
	uint64_t done = 0;

	for (unsigned i = 0; i < POOL && done < count; i++) {
		struct pgtsim_table *table = &pool->table[i];

		if (pool->used[i])
			continue;
		pool->used[i] = true;
		pool->in_use++;
		memset(pool->page[i], 0, sizeof(pool->page[i]));
		/* All other fields are what the last user left. */
		table->entries = pool->page[i];
		table->pa = UINT64_C(0x1234000000) + i * 4096;
		**tail = table;
		*tail = &table->next;
		done++;
	}
	return done;
}

static void pool_free(void *ctx, struct pgtsim_table *table)
{
	struct pool *pool = ctx;
	size_t i = (size_t)(table - pool->table);

	assert_true(i < POOL && pool->used[i]);
	pool->used[i] = false;
	pool->in_use--;
}

static struct pgtsim_table *pool_find(const void *ctx, uint64_t pa)
{
	const struct pool *pool = ctx;
	uint64_t i = (pa - UINT64_C(0x1234000000)) / 4096;

	return i < POOL && pool->used[i] ? (struct pgtsim_table *)(uintptr_t)&pool->table[i] : NULL;
}

/* A page table needs no simulated memory: an allocator of the caller's own will do. */
static void own_allocator(void **state)
{
	const struct pgtsim_geometry geo = linux_geometry(4, 48, 0, 48);
	struct pool *pool = calloc(1, sizeof(*pool));
	const struct pgtsim_table_ops ops = { pool_alloc, pool_free, pool_find, pool };
	struct fixture f = { .policy = profile("latest") };
	struct pgtsim_translation t;

	(void)state;
	assert_non_null(pool);
	memset(pool->table, 0xa5, sizeof(pool->table));
	pgtsim_tlb_init(&f.tlb);
	for (unsigned round = 0; round < 3; round++) {
		assert_int_equal(pgtsim_pgtable_init(&f.pgt, &geo, &f.policy, &f.tlb, ops,
						     PGTSIM_ACCESS_PRIVATE),
				 0);
		assert_int_equal(map_linear(&f, VA, GIB, 4 * MIB, false), 0);
		assert_int_equal(pool->in_use, 5);
		assert_int_equal(pgtsim_translate(&f.pgt, VA + 3 * MIB + 5, &t), 0);
		assert_int_equal(t.pa, GIB + 3 * MIB + 5);
		/* It needs 4 more and has 3. */
		assert_int_equal(map_linear(&f, -2 * MIB - 4096, GIB, 8192, false), -ENOMEM);
		assert_int_equal(pool->in_use, 5);
		assert_int_equal(map_linear(&f, VA + 4 * MIB, GIB, 6 * MIB, false), 0);
		assert_int_equal(pool->in_use, POOL);
		assert_int_equal(f.pgt.root->live, 1);
		pgtsim_pgtable_fini(&f.pgt);
		assert_int_equal(pool->in_use, 0);
	}
	pgtsim_tlb_fini(&f.tlb);
	free(pool);
}

/* Tables can be reserved and given back; a list that came short holds what there was. */
static void reserve_and_release(void **state)
{
	struct pgtsim_table *list;
	unsigned n = 0;
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	assert_int_equal(pgtsim_tables_reserve(&f.pgt, 0, &list), 0);
	assert_null(list);
	pgtsim_memory_fail(f.memory, 4, false);
	assert_int_equal(pgtsim_tables_reserve(&f.pgt, 7, &list), 3);
	for (struct pgtsim_table *table = list; table; table = table->next)
		n++;
	assert_int_equal(n, 3);
	pgtsim_tables_release(&f.pgt, &list);
	assert_null(list);
	fixture_fini(&f);
}

/* Tables linked since a mark can be taken back if they are empty; marks nest, even around 2^32. */
static void tables_since_a_mark(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		uint32_t outer, inner;
		struct fixture f;

		init_4k(&f, "latest");
		f.pgt.epoch = i ? UINT32_MAX - 1 : 0;
		assert_int_equal(map_linear(&f, VA, GIB, 4096, false), 0);
		outer = pgtsim_tables_mark(&f.pgt);
		assert_int_equal(map_linear(&f, VA + 2 * MIB, GIB, 4096, false), 0);
		inner = pgtsim_tables_mark(&f.pgt);
		assert_int_equal(map_linear(&f, VA + GIB, GIB, 4 * MIB, false), 0);
		for (uint64_t at = VA; at < VA + 2 * GIB; at += 4096)
			if (is_mapped(&f, at) && at != VA + GIB + 2 * MIB)
				assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PTE, at, 0), 0);
		assert_int_equal(tables_linked(&f), 4 + 1 + 3);
		pgtsim_tables_undo(&f.pgt, VA, VA + GIB - 1, inner); /* none there */
		assert_int_equal(tables_linked(&f), 8);
		pgtsim_tables_undo(&f.pgt, VA, UINT64_MAX, inner); /* one of three is empty */
		assert_int_equal(tables_linked(&f), 7);
		assert_true(is_mapped(&f, VA + GIB + 2 * MIB));
		pgtsim_tables_undo(&f.pgt, VA, UINT64_MAX, outer);
		assert_int_equal(tables_linked(&f), 6);
		assert_int_not_equal(entry_at(&f, PGTSIM_PMD, VA), 0);
		assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PTE, VA + GIB + 2 * MIB, 0), 0);
		pgtsim_tables_undo(&f.pgt, VA, UINT64_MAX, outer);
		assert_int_equal(tables_linked(&f), 4);
		assert_int_equal(f.tlb.counts.tables_freed, 4);
		assert_int_equal(f.tlb.counts.tlbi_walk, 4);
		fixture_fini(&f);
	}
}

/* ---- poke ---- */

/* A poke writes any value at any level, keeps the record and shows an event. */
static void poke_writes(void **state)
{
	static const uint64_t values[] = { 1, 0, 0x800, 3, 0, 0, 5 };
	struct recorder r;
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	assert_false(f.pgt.poked);
	assert_int_equal(map_linear(&f, VA, GIB, 4096, false), 0);
	recorder_start(&r, &f);
	for (size_t i = 0; i < COUNT(values); i++) {
		uint64_t old = entry_at(&f, PGTSIM_PMD, VA + 2 * MIB);
		struct snapshot s;

		assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PMD, VA + 2 * MIB + 77, values[i]), 0);
		assert_int_equal(entry_at(&f, PGTSIM_PMD, VA + 2 * MIB), values[i]);
		assert_int_equal(r.event[i].op, PGTSIM_OP_POKE);
		assert_int_equal(r.event[i].level, PGTSIM_PMD);
		assert_int_equal(r.event[i].va, VA + 2 * MIB);
		assert_int_equal(r.event[i].old_desc, old);
		assert_int_equal(r.event[i].new_desc, values[i]);
		if (values[i] == 3)
			continue;
		s = snapshot_take(&f); /* checks the record */
		snapshot_free(&s);
	}
	assert_true(f.pgt.poked);
	assert_int_equal(r.count, COUNT(values));
	recorder_stop(&r, &f);
	fixture_fini(&f);
}

static void check_poke_errors(const struct pgtsim_policy *policy, const struct pgtsim_geometry *geo)
{
	uint64_t va = pgtsim_va_start(geo);
	int root = pgtsim_root_level(geo);
	struct fixture f;

	fixture_init(&f, policy, geo);
	assert_int_equal(pgtsim_poke(&f.pgt, root - 1, va, 1), -EINVAL);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PTE + 1, va, 1), -EINVAL);
	assert_int_equal(pgtsim_poke(&f.pgt, root, va - 1, 1), -EINVAL);
	for (int level = root + 1; level <= PGTSIM_PTE; level++)
		assert_int_equal(pgtsim_poke(&f.pgt, level, va, 1), -ENOENT);
	assert_false(f.pgt.poked);
	assert_int_equal(pgtsim_poke(&f.pgt, root, va, 1), 0);
	assert_int_equal(pgtsim_poke(&f.pgt, root, va, 0), 0);
	assert_int_equal(map_linear(&f, va, 0, 1, false), 0);
	for (int level = root; level <= PGTSIM_PTE; level++)
		assert_int_equal(pgtsim_poke(&f.pgt, level, va, entry_at(&f, level, va)), 0);
	fixture_fini(&f);
}

/* A poke needs a level of the geometry, an address of the region, and the tables above. */
static void poke_errors(void **state)
{
	(void)state;
	each_geometry("latest", check_poke_errors);
}

/* ---- faults and permissions ---- */

struct fault_row {
	int level;
	uint64_t desc;
	enum pgtsim_fault fault;
};

static void check_faults(unsigned kib, unsigned va_bits, unsigned pa_bits,
			 const struct fault_row *rows, size_t n)
{
	const struct pgtsim_geometry geo = linux_geometry(kib, va_bits, 0, pa_bits);
	const struct pgtsim_policy policy = profile("latest");
	uint64_t va = pgtsim_va_start(&geo);

	for (size_t i = 0; i < n; i++) {
		struct pgtsim_translation t;
		struct fixture f;

		fixture_init(&f, &policy, &geo);
		assert_int_equal(map_linear(&f, va, 0, 1, false), 0);
		assert_int_equal(pgtsim_poke(&f.pgt, rows[i].level, va, rows[i].desc), 0);
		assert_int_equal(pgtsim_translate(&f.pgt, va, &t), rows[i].fault ? -EFAULT : 0);
		assert_int_equal(t.fault, rows[i].fault);
		assert_int_equal(t.level, rows[i].level);
		assert_int_equal(t.desc, rows[i].desc);
		assert_int_equal(t.steps, rows[i].level - pgtsim_root_level(&geo) + 1);
		fixture_drop(&f);
	}
}

/* Each way a walk can fail, with the level where it does. */
static void faults_of_a_walk(void **state)
{
	static const struct fault_row rows_4k[] = {
		{ PGTSIM_PTE, 0, PGTSIM_FAULT_TRANSLATION },
		{ PGTSIM_PTE, 0x00e8000080000701, PGTSIM_FAULT_TRANSLATION }, /* no block here */
		{ PGTSIM_PTE, 0x00e8000080000702, PGTSIM_FAULT_TRANSLATION },
		{ PGTSIM_PTE, 0x00e8000080000303, PGTSIM_FAULT_ACCESS_FLAG },
		{ PGTSIM_PTE, 0x00e8000080000703, PGTSIM_FAULT_NONE },
		{ PGTSIM_PMD, 0x00e8000080000701, PGTSIM_FAULT_NONE },
		{ PGTSIM_PMD, 0x00e8000080000301, PGTSIM_FAULT_ACCESS_FLAG },
		{ PGTSIM_PMD, 0x00e8000080000700, PGTSIM_FAULT_TRANSLATION },
		{ PGTSIM_PMD, 0x0000000030000003, PGTSIM_FAULT_EXTERNAL },
		{ PGTSIM_PUD, 0x00e8000080000701, PGTSIM_FAULT_NONE },
		{ PGTSIM_P4D, 0x00e8000080000701, PGTSIM_FAULT_TRANSLATION }, /* not legal */
		{ PGTSIM_P4D, 0, PGTSIM_FAULT_TRANSLATION },
		{ PGTSIM_P4D, 0x0000000030000003, PGTSIM_FAULT_EXTERNAL },
	};
	static const struct fault_row rows_lpa2[] = {
		{ PGTSIM_P4D, 0x00e8000000000401, PGTSIM_FAULT_NONE }, /* legal with LPA2 */
		{ PGTSIM_PGD, 0x00e8000000000401, PGTSIM_FAULT_TRANSLATION },
		{ PGTSIM_PGD, 0, PGTSIM_FAULT_TRANSLATION },
	};
	static const struct fault_row rows_16k[] = {
		{ PGTSIM_PMD, 0x00e8000080000701, PGTSIM_FAULT_NONE },
		{ PGTSIM_PUD, 0x00e8000080000701, PGTSIM_FAULT_TRANSLATION },
	};
	static const struct fault_row rows_64k_52[] = {
		{ PGTSIM_PUD, 0x00e8000000000701, PGTSIM_FAULT_NONE }, /* legal with a 52-bit PA */
		{ PGTSIM_PTE, 0x00e8000020005707, PGTSIM_FAULT_NONE },
	};

	(void)state;
	check_faults(4, 48, 48, rows_4k, COUNT(rows_4k));
	check_faults(4, 52, 52, rows_lpa2, COUNT(rows_lpa2));
	check_faults(16, 47, 48, rows_16k, COUNT(rows_16k));
	check_faults(64, 48, 48, &rows_16k[1], 1);
	check_faults(64, 52, 52, rows_64k_52, COUNT(rows_64k_52));
}

/* An address that the machine does not have: address size fault, of a table and of a leaf. */
static void address_size_faults(void **state)
{
	struct pgtsim_geometry_config config = {
		.page_shift = 12, .levels = 2, .bits = { 9, 9 }, .pa_bits = 36
	};
	const struct pgtsim_policy policy = profile("latest");
	struct pgtsim_geometry geo;
	struct pgtsim_translation t;
	struct fixture f;

	(void)state;
	assert_int_equal(pgtsim_geometry_custom(&geo, &config), 0);
	fixture_init(&f, &policy, &geo);
	assert_int_equal(map_linear(&f, UINT64_MAX, PGTSIM_BIT(36) - 1, 1, false), 0);
	assert_int_equal(map_linear(&f, UINT64_MAX - 4096, PGTSIM_BIT(36) + 4095, 1, false),
			 -EINVAL);
	assert_int_equal(pgtsim_translate(&f.pgt, UINT64_MAX, &t), 0);
	assert_int_equal(t.pa, PGTSIM_BIT(36) - 1);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PTE, UINT64_MAX, 0x00e8001000000703), 0);
	assert_int_equal(pgtsim_translate(&f.pgt, UINT64_MAX, &t), -EFAULT);
	assert_int_equal(t.fault, PGTSIM_FAULT_ADDRESS_SIZE);
	assert_int_equal(t.level, PGTSIM_PTE);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PMD, UINT64_MAX, 0x0000001000000003), 0);
	assert_int_equal(pgtsim_translate(&f.pgt, UINT64_MAX, &t), -EFAULT);
	assert_int_equal(t.fault, PGTSIM_FAULT_ADDRESS_SIZE);
	assert_int_equal(t.level, PGTSIM_PMD);
	fixture_drop(&f);
}

#define AP1 PGTSIM_DESC_AP1
#define AP2 PGTSIM_DESC_AP2
#define PXN PGTSIM_DESC_PXN
#define UXN PGTSIM_DESC_UXN
#define PXNT PGTSIM_DESC_PXNTABLE
#define UXNT PGTSIM_DESC_UXNTABLE
#define EL1T PGTSIM_DESC_APTABLE_EL1
#define ROT PGTSIM_DESC_APTABLE_RO

/* A page and the bits of a table above it, and what they allow together, in letters. */
struct permission_row {
	uint64_t leaf, table;
	const char *allowed; /* EL1: wx, EL0: RWX */
};

static void check_permissions(const struct permission_row *row, int level)
{
	struct pgtsim_translation t;
	struct pgtsim_map map;
	struct fixture f;
	char allowed[6];

	init_4k(&f, "latest");
	map = linear_map(&f, VA, GIB, 4096);
	map.attrs = PGTSIM_DESC_AF | row->leaf;
	map.table_attrs = 0;
	assert_int_equal(pgtsim_map(&f.pgt, &map), 0);
	pgtsim_poke(&f.pgt, level, VA, entry_at(&f, level, VA) | row->table);
	assert_int_equal(pgtsim_translate(&f.pgt, VA, &t), 0);
	snprintf(allowed, sizeof(allowed), "%s%s%s%s%s", t.writable ? "w" : "",
		 t.executable ? "x" : "", t.user_readable ? "R" : "", t.user_writable ? "W" : "",
		 t.user_executable ? "X" : "");
	assert_string_equal(allowed, row->allowed);
	fixture_fini(&f);
}

/* Permissions are the leaf's, cut by those of a table, on whichever level it is. */
static void permissions(void **state)
{
	static const struct permission_row rows[] = {
		{ 0, 0, "wxX" },
		{ PXN, 0, "wX" },
		{ UXN, 0, "wx" },
		{ AP2, 0, "xX" },
		{ AP1, 0, "wRWX" },
		{ AP1 | UXN, 0, "wRW" },
		{ AP1 | AP2, 0, "xRX" },
		{ AP1 | AP2 | PXN, 0, "RX" },
		{ 0, PXNT, "wX" },
		{ 0, UXNT, "wx" },
		{ 0, ROT, "xX" },
		{ 0, EL1T, "wxX" },
		{ AP1 | AP2, EL1T, "xX" },
		{ AP1 | AP2, PXNT | UXNT, "R" },
		/* EL0 may write no longer, so that EL1 may execute again. */
		{ AP1, EL1T, "wxX" },
		{ AP1, ROT, "xRX" },
		{ AP1, ROT | EL1T, "xX" },
		{ AP1 | PXN, ROT, "RX" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		for (int level = PGTSIM_P4D; level < PGTSIM_PTE; level++)
			check_permissions(&rows[i], level);
}

/* A translation names the memory type and the shareability; with LPA2 there is none to name. */
static void types_of_memory(void **state)
{
	const struct pgtsim_geometry geos[] = { linux_geometry(4, 48, 0, 48),
						linux_geometry(4, 52, 0, 52) };

	(void)state;
	for (unsigned i = 0; i < 64; i++) {
		struct pgtsim_policy policy = profile("latest");
		struct pgtsim_translation t;
		struct pgtsim_map map;
		struct fixture f;

		fixture_init(&f, &policy, &geos[i & 1]);
		map = linear_map(&f, VA, GIB, 4096);
		map.attrs =
			PGTSIM_DESC_AF | PGTSIM_DESC_ATTRINDX(i >> 1 & 7) | (uint64_t)(i >> 4) << 8;
		assert_int_equal(pgtsim_map(&f.pgt, &map), 0);
		assert_int_equal(pgtsim_translate(&f.pgt, VA, &t), 0);
		assert_int_equal(t.attr_index, i >> 1 & 7);
		assert_int_equal(t.sh, i & 1 ? 0 : i >> 4);
		fixture_fini(&f);
	}
}

/* What EL0 may write EL1 may not execute; a page without PXN and UXN else is executable. */
static void what_el0_writes_is_not_executed(void **state)
{
	struct pgtsim_translation t;
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	assert_int_equal(map_linear(&f, VA, GIB, 4096, false), 0);
	for (int level = PGTSIM_P4D; level < PGTSIM_PTE; level++)
		pgtsim_poke(&f.pgt, level, VA, entry_at(&f, level, VA) & ~PGTSIM_DESC_PXNTABLE);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PTE, VA, 0x0000000080000703), 0);
	assert_int_equal(pgtsim_translate(&f.pgt, VA, &t), 0);
	assert_true(t.writable && t.executable);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PTE, VA, 0x0000000080000743), 0);
	assert_int_equal(pgtsim_translate(&f.pgt, VA, &t), 0);
	assert_true(t.writable && !t.executable);
	fixture_fini(&f);
}

/* Every fault has a name of its own. */
static void faults_have_names(void **state)
{
	(void)state;
	assert_string_equal(pgtsim_fault_name(PGTSIM_FAULT_NONE), "no fault");
	assert_string_equal(pgtsim_fault_name(PGTSIM_FAULT_TRANSLATION), "translation fault");
	assert_string_equal(pgtsim_fault_name(PGTSIM_FAULT_ADDRESS_SIZE), "address size fault");
	assert_string_equal(pgtsim_fault_name(PGTSIM_FAULT_ACCESS_FLAG), "access flag fault");
	assert_string_equal(pgtsim_fault_name(PGTSIM_FAULT_EXTERNAL),
			    "external abort on translation table walk");
	assert_null(pgtsim_fault_name((enum pgtsim_fault)(PGTSIM_FAULT_EXTERNAL + 1)));
}

/* ---- the walker ---- */

struct visit {
	char kind; /* e entries, t table, d table done */
	int level;
	unsigned index, count;
	uint64_t va, last;
};

struct visits {
	struct visit visit[64];
	unsigned n;
	int answer; /* to `when` calls */
	char when;
	unsigned countdown; /* the call that gets the answer: 1 the next */
};

static int note(struct visits *v, char kind, const struct pgtsim_run *run)
{
	assert_true(v->n < COUNT(v->visit));
	v->visit[v->n++] =
		(struct visit){ kind, run->level, run->index, run->count, run->va, run->last };
	return kind == v->when && v->countdown && --v->countdown == 0 ? v->answer : 0;
}

static int note_entries(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	(void)pgt;
	return note(arg, 'e', run);
}

static int note_table(struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
		      struct pgtsim_table *child, void *arg)
{
	(void)pgt;
	assert_int_equal(child->level, run->level + 1);
	return note(arg, 't', run);
}

static int note_done(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, struct pgtsim_table *child,
		     void *arg)
{
	(void)pgt;
	assert_int_equal(child->level, run->level + 1);
	return note(arg, 'd', run);
}

static const struct pgtsim_visitor noting = {
	.entries = note_entries,
	.table = note_table,
	.table_done = note_done,
};

/* A toy of 3 levels with one page mapped in its 2nd pmd of its 3rd pud. */
static void init_walk(struct fixture *f, uint64_t *page)
{
	const struct pgtsim_geometry geo = toy_geometry(3);
	const struct pgtsim_policy policy = profile("latest");

	fixture_init(f, &policy, &geo);
	*page = pgtsim_va_start(&geo) + (2 * 16 + 1 * 4 + 3) * 4096;
	assert_int_equal(map_linear(f, *page, 0, 4096, false), 0);
}

/* The walker visits runs ascending, a table's entry before and after what is below it. */
static void walk_in_order(void **state)
{
	struct visits v = { .n = 0 };
	uint64_t page, start, k = 4096;
	struct fixture f;

	(void)state;
	init_walk(&f, &page);
	start = pgtsim_va_start(&f.pgt.geo);
	assert_int_equal(pgtsim_walk(&f.pgt, start + 5, UINT64_MAX - 5, &noting, &v), 0);
	{
		const struct visit expected[] = {
			{ 'e', 1, 0, 2, start + 5, start + 32 * k - 1 },
			{ 't', 1, 2, 1, start + 32 * k, start + 48 * k - 1 },
			{ 'e', 2, 0, 1, start + 32 * k, start + 36 * k - 1 },
			{ 't', 2, 1, 1, start + 36 * k, start + 40 * k - 1 },
			{ 'e', 3, 0, 4, start + 36 * k, start + 40 * k - 1 },
			{ 'd', 2, 1, 1, start + 36 * k, start + 40 * k - 1 },
			{ 'e', 2, 2, 2, start + 40 * k, start + 48 * k - 1 },
			{ 'd', 1, 2, 1, start + 32 * k, start + 48 * k - 1 },
			{ 'e', 1, 3, 1, start + 48 * k, UINT64_MAX - 5 },
		};

		assert_int_equal(v.n, COUNT(expected));
		for (size_t i = 0; i < COUNT(expected); i++) {
			assert_int_equal(v.visit[i].kind, expected[i].kind);
			assert_int_equal(v.visit[i].level, expected[i].level);
			assert_int_equal(v.visit[i].index, expected[i].index);
			assert_int_equal(v.visit[i].count, expected[i].count);
			assert_int_equal(v.visit[i].va, expected[i].va);
			assert_int_equal(v.visit[i].last, expected[i].last);
		}
	}
	fixture_fini(&f);
}

/* One byte: only the entries that translate it, cut to it. */
static void walk_of_one_byte(void **state)
{
	struct visits v = { .n = 0 };
	uint64_t page;
	struct fixture f;

	(void)state;
	init_walk(&f, &page);
	assert_int_equal(pgtsim_walk(&f.pgt, page + 7, page + 7, &noting, &v), 0);
	assert_int_equal(v.n, 5);
	for (unsigned i = 0; i < v.n; i++) {
		assert_int_equal(v.visit[i].count, 1);
		assert_int_equal(v.visit[i].va, page + 7);
		assert_int_equal(v.visit[i].last, page + 7);
	}
	assert_int_equal(v.visit[2].index, 3);
	fixture_fini(&f);
}

/* A visitor may stop the walk, leave a table out, or be left out itself. */
static void visitors_steer(void **state)
{
	static const struct pgtsim_visitor nothing = { .entries = NULL };
	uint64_t page, start;
	struct fixture f;

	(void)state;
	init_walk(&f, &page);
	start = pgtsim_va_start(&f.pgt.geo);
	for (unsigned i = 0; i < 3; i++) {
		struct visits v = { .answer = -EBUSY, .when = "etd"[i], .countdown = 2 };

		assert_int_equal(pgtsim_walk(&f.pgt, start, UINT64_MAX, &noting, &v), -EBUSY);
		assert_int_equal(v.n, (unsigned)"\3\4\10"[i]);
	}
	{
		struct visits v = { .answer = PGTSIM_WALK_SKIP, .when = 't', .countdown = 1 };

		assert_int_equal(pgtsim_walk(&f.pgt, start, UINT64_MAX, &noting, &v), 0);
		assert_int_equal(v.n, 3); /* e t(skipped) e */
	}
	{
		struct visits v = { .answer = PGTSIM_WALK_AGAIN, .when = 'e', .countdown = 1 };

		assert_int_equal(pgtsim_walk(&f.pgt, start, UINT64_MAX, &noting, &v), 0);
		assert_int_equal(v.n, 10); /* the first run twice */
		assert_int_equal(v.visit[1].index, v.visit[0].index);
		assert_int_equal(v.visit[1].count, v.visit[0].count);
	}
	assert_int_equal(pgtsim_walk(&f.pgt, start, UINT64_MAX, &nothing, NULL), 0);
	assert_int_equal(pgtsim_walk(&f.pgt, start - 1, UINT64_MAX, &nothing, NULL), -EINVAL);
	assert_int_equal(pgtsim_walk(&f.pgt, start + 1, start, &nothing, NULL), -EINVAL);
	fixture_fini(&f);
}

/* With `no_pages` nobody is called for entries of the last level, whatever else is asked for. */
static void walk_without_pages(void **state)
{
	const struct pgtsim_policy policy = profile("latest");

	(void)state;
	for (unsigned i = 0; i < 4 * PGTSIM_MAX_LEVELS; i++) {
		const struct pgtsim_geometry geo = toy_geometry(i / 4 + 1);
		const uint64_t va = pgtsim_va_start(&geo);
		const struct pgtsim_visitor visitor = {
			.entries = note_entries,
			.table = i & 1 ? note_table : NULL,
			.no_pages = true,
		};
		struct visits v = { .n = 0 };
		struct fixture f;

		fixture_init(&f, &policy, &geo);
		assert_int_equal(map_linear(&f, va, 0, 4096, false), 0);
		assert_int_equal(pgtsim_walk(&f.pgt, va, i & 2 ? va : UINT64_MAX, &visitor, &v), 0);
		assert_int_equal(!v.n, geo.levels == 1 || (i & 3) == 2);
		while (v.n--)
			assert_true(v.visit[v.n].kind == 't' || v.visit[v.n].level < PGTSIM_PTE);
		fixture_fini(&f);
	}
}

/* Another thread links a table behind the walk's first run. */
struct other_thread {
	uint64_t va, desc;
	unsigned entries, tables;
};

static int link_behind(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	struct other_thread *other = arg;

	if (other->entries++)
		return 0;
	assert_int_equal(run->count, 4);
	assert_int_equal(pgtsim_poke(pgt, run->level, other->va, other->desc), 0);
	return PGTSIM_WALK_AGAIN;
}

static int count_table(struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
		       struct pgtsim_table *child, void *arg)
{
	(void)pgt;
	(void)child;
	assert_int_equal(run->index, 2);
	((struct other_thread *)arg)->tables++;
	return PGTSIM_WALK_SKIP;
}

/* What a shared table held when it was looked at first is not believed later. */
static void shared_walk_looks_again(void **state)
{
	static const struct pgtsim_visitor visitor = { .entries = link_behind,
						       .table = count_table };
	struct other_thread other = { .entries = 0 };
	struct fixture f;

	(void)state;
	init_walk(&f, &other.va);
	f.pgt.access = PGTSIM_ACCESS_SHARED;
	other.desc = entry_at(&f, PGTSIM_PUD, other.va);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PUD, other.va, 0), 0);
	assert_int_equal(map_linear(&f, UINT64_MAX, 4095, 1, false), 0); /* the root is not empty */
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PUD, UINT64_MAX, 1), 0);
	assert_int_equal(
		pgtsim_walk(&f.pgt, pgtsim_va_start(&f.pgt.geo), UINT64_MAX, &visitor, &other), 0);
	assert_int_equal(other.tables, 1);
	assert_int_equal(other.entries, 3);
	fixture_drop(&f);
}

/* A table entry that points nowhere is left out and noted; a strict visitor stops there. */
static void walk_of_a_broken_entry(void **state)
{
	struct pgtsim_visitor strict = noting;
	uint64_t page, start;
	struct fixture f;

	(void)state;
	init_walk(&f, &page);
	start = pgtsim_va_start(&f.pgt.geo);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PUD, start, 0x50000003), 0);
	{
		struct visits v = { .n = 0 };

		assert_int_equal(pgtsim_walk(&f.pgt, start, UINT64_MAX, &noting, &v), 0);
		assert_int_equal(v.n, 9);
		assert_int_equal(v.visit[0].index, 1);
		assert_int_equal(f.tlb.counts.violations, 1);
	}
	{
		struct visits v = { .n = 0 };

		strict.strict = true;
		assert_int_equal(pgtsim_walk(&f.pgt, start, UINT64_MAX, &strict, &v), -EFAULT);
		assert_int_equal(v.n, 0);
		assert_int_equal(f.tlb.counts.violations, 2);
		assert_string_equal(first_violation(&f), "not-a-table");
		assert_int_equal(f.tlb.violations[0].va, start);
		assert_int_equal(f.tlb.violations[0].level, PGTSIM_PUD);
	}
	fixture_fini(&f);
}

/* Questions about runs: live, zeros, uniform, and the part of a run. */
static void questions_about_runs(void **state)
{
	const uint64_t at = VA + 8 * 4096;
	struct pgtsim_run run, part;
	struct pgtsim_translation t;
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	assert_int_equal(map_linear(&f, at, GIB, 4 * 4096, false), 0);
	assert_int_equal(map_linear(&f, at + 4 * 4096, 2 * GIB, 4096, false), 0);
	assert_int_equal(pgtsim_translate(&f.pgt, at, &t), 0);
	run = (struct pgtsim_run){
		.table = pgtsim_memory_table(f.memory, t.step[2].desc & 0xfffffffff000),
		.level = PGTSIM_PTE,
		.index = 0,
		.count = 512,
		.va = VA,
		.last = VA + 2 * MIB - 1,
	};
	assert_int_equal(pgtsim_run_live(&f.pgt, &run), 5);
	assert_int_equal(pgtsim_run_zeros(&f.pgt, run.table, 0, 512), 8);
	assert_int_equal(pgtsim_run_zeros(&f.pgt, run.table, 3, 2), 2);
	assert_int_equal(pgtsim_run_zeros(&f.pgt, run.table, 8, 9), 0);
	assert_int_equal(pgtsim_run_uniform(&f.pgt, run.table, 8, 504, 4096), 4);
	assert_int_equal(pgtsim_run_uniform(&f.pgt, run.table, 8, 3, 4096), 3);
	assert_int_equal(pgtsim_table_first(&f.pgt, run.table), 8);
	assert_int_equal(pgtsim_entry(&f.pgt, run.table, 12), t.desc + GIB);
	part = pgtsim_run_part(&f.pgt, &run, at + 4096, at + 5 * 4096);
	assert_int_equal(part.index, 9);
	assert_int_equal(part.count, 5);
	assert_int_equal(part.va, at + 4096);
	assert_int_equal(part.last, at + 5 * 4096);
	assert_int_equal(pgtsim_run_live(&f.pgt, &part), 4);
	pgtsim_run_clear(&f.pgt, &part, 4, 0);
	assert_int_equal(pgtsim_table_first(&f.pgt, run.table), 8);
	assert_int_equal(run.table->live, 1);
	part = pgtsim_run_part(&f.pgt, &run, at, at);
	pgtsim_run_clear(&f.pgt, &part, 1, 0);
	assert_int_equal(pgtsim_table_first(&f.pgt, run.table), 512);
	fixture_fini(&f);
}

/* ---- the flat oracle ---- */

enum { TOY_PAGES = 1024 };

/* A toy table laid flat: what each entry of each level is. */
struct flat {
	const struct pgtsim_geometry *geo;
	bool table[PGTSIM_MAX_LEVELS][TOY_PAGES]; /* a table hangs under the entry */
	uint64_t leaf[PGTSIM_MAX_LEVELS][TOY_PAGES];
};

static unsigned flat_shift(int level)
{
	return 2 * (unsigned)(PGTSIM_PTE - level);
}

/* Whether the page is mapped, by a leaf of any level. */
static bool flat_mapped(const struct flat *flat, unsigned page)
{
	for (int level = pgtsim_root_level(flat->geo); level <= PGTSIM_PTE; level++)
		if (flat->leaf[level + 1][page >> flat_shift(level)])
			return true;
	return false;
}

/* Maps pages [first, end) to frame on, one page after the other. */
static int flat_map(struct flat *flat, unsigned first, unsigned end, uint64_t frame, bool blocks,
		    bool cont, const struct pgtsim_policy *policy)
{
	for (unsigned page = first; page < end; page++)
		if (flat_mapped(flat, page))
			return -EEXIST;
	for (unsigned page = first; page < end; page++) {
		for (int level = pgtsim_root_level(flat->geo); level <= PGTSIM_PTE; level++) {
			unsigned shift = flat_shift(level), entry = page >> shift;
			unsigned size = 1u << shift, start = entry << shift, group = 2 * size;
			uint64_t to = frame + start - first;
			bool fits =
				start >= first && start + size <= end && to % size == 0 &&
				(level == PGTSIM_PTE || (blocks && flat->geo->block[level + 1]));
			bool whole = start / group * group >= first &&
				     start / group * group + group <= end &&
				     (frame - first) % group == 0;
			bool hint = cont && level >= PGTSIM_PMD && whole &&
				    flat->geo->cont[level + 1] &&
				    (level == PGTSIM_PTE || level > pgtsim_root_level(flat->geo));

			if (fits && flat->table[level + 1][entry] &&
			    policy->block_over_table == PGTSIM_OVER_TABLE_SKIP)
				break;
			if (fits && !flat->table[level + 1][entry]) {
				flat->leaf[level + 1][entry] =
					pgtsim_desc_leaf(flat->geo, level, to << 12,
							 policy->prot[PGTSIM_PROT_TAGGED] |
								 (hint ? PGTSIM_DESC_CONT : 0));
				break;
			}
			flat->table[level + 1][entry] = true;
		}
	}
	return 0;
}

/* Whether the real table is the flat one. */
static void flat_compare(const struct flat *flat, const struct fixture *f)
{
	struct snapshot s = snapshot_take(f);
	size_t expected = 0;

	for (size_t i = 0; i < s.count; i++) {
		const struct snapshot_line *line = &s.line[i];
		size_t entry =
			(line->va - pgtsim_va_start(flat->geo)) >> (12 + flat_shift(line->level));

		if (pgtsim_desc_kind(line->level, line->desc) == PGTSIM_TABLE)
			assert_true(flat->table[line->level + 1][entry]);
		else
			assert_int_equal(line->desc, flat->leaf[line->level + 1][entry]);
	}
	for (int level = pgtsim_root_level(flat->geo); level <= PGTSIM_PTE; level++)
		for (unsigned i = 0; i < (unsigned)TOY_PAGES >> flat_shift(level); i++)
			expected += flat->table[level + 1][i] || flat->leaf[level + 1][i];
	assert_int_equal(s.count, expected);
	assert_int_equal(pgtsim_memory_ram_count(f->memory) - s.free_pages, s.tables);
	snapshot_free(&s);
}

/* What is in a toy before the mapping under test. */
enum { PRIOR_EMPTY, PRIOR_EMPTY_TABLES, PRIOR_PAGES, PRIORS };

static void prepare(struct fixture *f, struct flat *flat, unsigned prior)
{
	uint64_t start = pgtsim_va_start(flat->geo);
	unsigned pages = 1u << 2 * flat->geo->levels, at = pages / 2 - 1;

	if (prior == PRIOR_EMPTY)
		return;
	assert_int_equal(flat_map(flat, at, at + 3, 7, false, false, &f->policy), 0);
	assert_int_equal(map_linear(f, start + at * 4096, 7 * 4096, 3 * 4096, false), 0);
	if (prior == PRIOR_PAGES)
		return;
	for (unsigned page = at; page < at + 3; page++) {
		flat->leaf[PGTSIM_PTE + 1][page] = 0;
		assert_int_equal(pgtsim_poke(&f->pgt, PGTSIM_PTE, start + page * 4096, 0), 0);
	}
	f->pgt.poked = false;
}

/* Empties the fixture's table again, the cheap way. */
static void start_again(struct fixture *f)
{
	struct pgtsim_geometry geo = f->pgt.geo;

	pgtsim_pgtable_fini(&f->pgt);
	assert_int_equal(free_pages_of(f), pgtsim_memory_ram_count(f->memory));
	assert_int_equal(pgtsim_pgtable_init(&f->pgt, &geo, &f->policy, &f->tlb,
					     pgtsim_memory_table_ops(f->memory),
					     PGTSIM_ACCESS_PRIVATE),
			 0);
}

/* One mapping into one prior state, in the real table and the flat one. */
static void check_toy_map(struct fixture *f, unsigned first, unsigned end, unsigned variant)
{
	static const uint64_t frames[] = { 0, 1, 4, 2048 + 2 };
	static struct flat flat;
	bool blocks = variant & 1, cont = variant & 2;
	uint64_t frame = first + frames[variant / 4 % 4];
	uint64_t va = pgtsim_va_start(&f->pgt.geo) + (uint64_t)first * 4096;
	struct pgtsim_map map = linear_map(f, va, frame << 12, (uint64_t)(end - first) << 12);

	memset(&flat, 0, sizeof(flat));
	flat.geo = &f->pgt.geo;
	prepare(f, &flat, variant / 16);
	map.blocks = blocks;
	map.cont = cont;
	assert_int_equal(pgtsim_map(&f->pgt, &map),
			 flat_map(&flat, first, end, frame, blocks, cont, &f->policy));
	flat_compare(&flat, f);
	start_again(f);
}

enum { VARIANTS = 16 * PRIORS };

/* All ranges, prior states, leaf sizes and offsets of toys of 1 to 3 levels match a flat array. */
static void toys_exhaustively(void **state)
{
	static const char *const profiles[] = { "linux-6.12", "latest" };

	(void)state;
	for (size_t p = 0; p < COUNT(profiles); p++) {
		const struct pgtsim_policy policy = profile(profiles[p]);

		for (unsigned levels = 1; levels <= 3; levels++) {
			const struct pgtsim_geometry geo = toy_geometry(levels);
			unsigned pages = 1u << 2 * levels, variant = 0;
			unsigned each = levels < 3 ? VARIANTS : 5; /* 5 does not divide 48 */
			struct fixture f;

			fixture_init(&f, &policy, &geo);
			for (unsigned i = 0; i < pages * pages; i++)
				for (unsigned v = 0; v < each && i / pages <= i % pages; v++)
					check_toy_map(&f, i / pages, i % pages + 1,
						      variant++ % VARIANTS);
			fixture_fini(&f);
		}
	}
}

/* Many ranges of toys of 4 and 5 levels match it too. */
static void toys_of_many_levels(void **state)
{
	static const char *const profiles[] = { "linux-6.12", "latest" };
	uint32_t seed = 1;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		const struct pgtsim_policy policy = profile(profiles[i % 2]);
		const struct pgtsim_geometry geo = toy_geometry(4 + i / 2);
		unsigned pages = 1u << 2 * geo.levels;
		struct fixture f;

		fixture_init(&f, &policy, &geo);
		for (unsigned n = 0; n < 1500; n++) {
			unsigned align = 1u << random_next(&seed) % 9;
			unsigned first = random_next(&seed) % pages / align * align;
			unsigned end = first + 1 + random_next(&seed) % (pages - first);

			if (random_next(&seed) % 2 && end / align * align > first)
				end = end / align * align;
			check_toy_map(&f, first, end, random_next(&seed) % VARIANTS);
		}
		fixture_fini(&f);
	}
}

/* Through any sequence of maps, clears and pokes each table's record agrees with its entries. */
static void records_stay_right(void **state)
{
	uint32_t seed = 7;

	(void)state;
	for (unsigned levels = 1; levels <= PGTSIM_MAX_LEVELS; levels++) {
		const struct pgtsim_geometry geo = toy_geometry(levels);
		const struct pgtsim_policy policy = profile("latest");
		uint64_t start = pgtsim_va_start(&geo), pages = -start >> 12;
		struct fixture f;

		fixture_init(&f, &policy, &geo);
		for (unsigned i = 0; i < 400; i++) {
			uint64_t first = random_next(&seed) % pages;
			uint64_t n =
				1 + random_next(&seed) % (pages - first < 9 ? pages - first : 9);
			uint64_t va = start + first * 4096;
			struct snapshot s;

			if (random_next(&seed) % 3)
				map_linear(&f, va, first << 12, n << 12, i % 2);
			else if (pgtsim_desc_kind(PGTSIM_PMD, entry_at(&f, PGTSIM_PMD, va)) ==
				 PGTSIM_BLOCK)
				pgtsim_poke(&f.pgt, PGTSIM_PMD, va, 0);
			else
				pgtsim_poke(&f.pgt, PGTSIM_PTE, va, random_next(&seed) % 2 * 0x800);
			s = snapshot_take(&f);
			snapshot_free(&s);
		}
		fixture_fini(&f);
	}
}

/* Mapping page by page does work in proportion to the pages, not to their square. */
static void work_is_linear(void **state)
{
	uint64_t work;
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	assert_int_equal(map_linear(&f, VA, 0, GIB, false), 0);
	work = f.tlb.counts.work_entries;
	assert_true(work >= 262144 && work < 262144 + 8 * 512);
	fixture_fini(&f);
}

/* A table whose address has more bits than pa_bits is an address size fault, real or not. */
static void tables_beyond_pa_bits(void **state)
{
	const struct pgtsim_policy policy = profile("latest");
	const struct pgtsim_geometry geo = linux_geometry(4, 48, 0, 48);
	uint64_t va = pgtsim_va_start(&geo);
	struct pgtsim_translation t;
	struct fixture f;

	(void)state;
	fixture_init(&f, &policy, &geo);
	assert_int_equal(map_linear(&f, va, RAM_START, MIB, false), 0);
	assert_int_equal(pgtsim_translate(&f.pgt, va, &t), 0);
	f.pgt.geo.pa_bits = 30; /* RAM begins there */
	assert_int_equal(pgtsim_poke(&f.pgt, t.step[0].level, va, t.step[0].desc), 0);
	assert_int_equal(pgtsim_translate(&f.pgt, va, &t), -EFAULT);
	assert_int_equal(t.fault, PGTSIM_FAULT_ADDRESS_SIZE);
	assert_int_equal(t.steps, 1);
	fixture_drop(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(new_table_is_empty),
	cmocka_unit_test(root_needs_memory),
	cmocka_unit_test(map_and_translate),
	cmocka_unit_test(contiguous_groups),
	cmocka_unit_test(contiguous_blocks),
	cmocka_unit_test(no_hint_in_the_root),
	cmocka_unit_test(unaligned_is_rounded_outwards),
	cmocka_unit_test(leaf_descriptors),
	cmocka_unit_test(table_descriptors),
	cmocka_unit_test(mappings_across_high_addresses),
	cmocka_unit_test(invalid_ranges),
	cmocka_unit_test(last_addresses),
	cmocka_unit_test(live_entries_are_refused),
	cmocka_unit_test(blocks_are_live_too),
	cmocka_unit_test(invalid_entries_are_in_the_way),
	cmocka_unit_test(broken_table_entries),
	cmocka_unit_test(entries_of_freed_tables),
	cmocka_unit_test(tables_beyond_pa_bits),
	cmocka_unit_test(no_memory_rolls_back),
	cmocka_unit_test(no_memory_keeps_a_prefix),
	cmocka_unit_test(block_over_empty_table),
	cmocka_unit_test(pud_block_over_empty_table),
	cmocka_unit_test(skipped_blocks_reserve_nothing),
	cmocka_unit_test(barriers_of_mapping),
	cmocka_unit_test(events_of_a_link),
	cmocka_unit_test(gauges_follow_levels),
	cmocka_unit_test(shared_equals_private),
	cmocka_unit_test(events_expand_to_the_table),
	cmocka_unit_test(own_allocator),
	cmocka_unit_test(reserve_and_release),
	cmocka_unit_test(tables_since_a_mark),
	cmocka_unit_test(poke_writes),
	cmocka_unit_test(poke_errors),
	cmocka_unit_test(faults_of_a_walk),
	cmocka_unit_test(address_size_faults),
	cmocka_unit_test(permissions),
	cmocka_unit_test(types_of_memory),
	cmocka_unit_test(what_el0_writes_is_not_executed),
	cmocka_unit_test(faults_have_names),
	cmocka_unit_test(walk_in_order),
	cmocka_unit_test(walk_of_one_byte),
	cmocka_unit_test(visitors_steer),
	cmocka_unit_test(walk_without_pages),
	cmocka_unit_test(shared_walk_looks_again),
	cmocka_unit_test(walk_of_a_broken_entry),
	cmocka_unit_test(questions_about_runs),
	cmocka_unit_test(toys_exhaustively),
	cmocka_unit_test(toys_of_many_levels),
	cmocka_unit_test(records_stay_right),
	cmocka_unit_test(work_is_linear),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
