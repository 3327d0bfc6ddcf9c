/* SPDX-License-Identifier: MIT */
/* pgtsim_map(): leaves, hints, descriptors, errors, and blocks over tables. */
#include "page_table.h"

#include "s390/entries.h"

/* ---- map and translate ---- */

/* A range to map. */
struct range {
	uint64_t va, pa, size;
};

/* The ranges of interest of a geometry; returns how many. */
static size_t ranges_of(const struct pgtsim_geometry *geo, struct range out[8])
{
	uint64_t page = pgtsim_page_size(geo), block = block_size(geo), low = block * 4;
	uint64_t start = pgtsim_va_start(geo), end = region_end(geo);
	uint64_t middle = start + (end - start) / 2;
	size_t n = 0;

	out[n++] = (struct range){ start, low, page };
	out[n++] = (struct range){ start + page, low + page, 2 * page };
	out[n++] = (struct range){ end - page, low, page };
	out[n++] = (struct range){ end - 2 * page, low + page, 2 * page };
	if (geo->levels == 1)
		return n;
	out[n++] = (struct range){ middle - 3 * page, low + block - 3 * page, 8 * page };
	out[n++] = (struct range){ end - block - page, low - page, block + page };
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

static uint64_t leaf_at(const struct fixture *f, int level, uint64_t pa, bool hint)
{
	if (is_s390(&f->policy))
		return pa | pgtsim_s390_leaf(&f->pgt, level);
	return pgtsim_desc_leaf(&f->pgt.geo, level, pa,
				f->policy.prot[PGTSIM_PROT_TAGGED] | (hint ? PGTSIM_DESC_CONT : 0));
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
	assert_int_equal(t.desc, leaf_at(f, level, pa / size * size, hint));
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
	if (r->va + r->size != region_end(&f->pgt.geo))
		assert_false(is_mapped(f, r->va + r->size));
}

static void check_map(const struct pgtsim_policy *policy, const struct pgtsim_geometry *geo)
{
	struct range ranges[8];
	size_t n = ranges_of(geo, ranges);

	for (size_t i = 0; i < n * COUNT(shapes); i++) {
		const struct range *r = &ranges[i / COUNT(shapes)];
		/* s390 takes the largest leaf that it can. */
		bool blocks = shapes[i % COUNT(shapes)].blocks || is_s390(policy);
		struct fixture f;
		struct pgtsim_map map;
		size_t pages;

		fixture_init(&f, policy, geo);
		map = linear_map(&f, r->va, r->pa, r->size);
		map.blocks = blocks;
		map.cont = shapes[i % COUNT(shapes)].cont;
		assert_int_equal(pgtsim_map(&f.pgt, &map), 0);
		check_range(&f, r, blocks, map.cont);
		assert_int_equal(f.tlb.counts.tables_allocated, tables_and_pages(&f, &pages));
		assert_int_equal(pgtsim_memory_ram_count(f.memory) - free_pages_of(&f), pages);
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
	each_geometry("s390-7.3", check_map);
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

/* A run that is cut where descriptors change is two events, each with its own addresses. */
static void events_of_a_cut_run(void **state)
{
	const struct pgtsim_geometry geo = linux_geometry(64, 52, 0, 52);
	const struct pgtsim_policy policy = profile("latest");
	const uint64_t va = pgtsim_va_start(&geo) + 64 * GIB, page = 64 * KIB;
	const uint64_t seam = PGTSIM_BIT(48);
	struct pgtsim_map map;
	struct recorder r;
	struct fixture f;
	unsigned n = 0;

	(void)state;
	fixture_init(&f, &policy, &geo);
	map = linear_map(&f, va, seam - page, 2 * page);
	recorder_start(&r, &f);
	assert_int_equal(pgtsim_map(&f.pgt, &map), 0);
	for (size_t i = 0; i < r.count; i++) {
		const struct pgtsim_event *event = &r.event[i];

		if (event->op != PGTSIM_OP_MAP)
			continue;
		assert_int_equal(event->va, va + n * page);
		assert_int_equal(event->pa, seam - page + n * page);
		assert_int_equal(event->count, 1);
		assert_int_equal(pgtsim_desc_address(&geo, PGTSIM_PTE, event->new_desc), event->pa);
		n++;
	}
	assert_int_equal(n, 2);
	recorder_stop(&r, &f);
	fixture_drop(&f);
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
			assert_int_equal(map_linear(&f, region_end(geo) - pgtsim_page_size(geo), 0, 1,
						    false),
					 0);
		before = snapshot_take(&f);
		for (;; nth++) {
			pgtsim_memory_fail(f.memory, nth, false);
			if (pgtsim_map(&f.pgt, &map) != -ENOMEM)
				break;
			assert_true(unchanged(&f, &before));
		}
		/* It failed once for each table that it needs; on s390 a failure may be lost. */
		if (!is_s390(policy)) {
			assert_int_equal(tables_linked(&f) - before.tables, nth - 1);
			assert_true(is_mapped(&f, map.va + map.size - 1));
		}
		assert_true(nth >= (geo->levels > 1 ? geo->levels - 1 - (i & 1) : 1));
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
	each_geometry("s390-5.9", check_enomem);
	each_geometry("s390-7.3", check_enomem);
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

/*
 * Blocks around a table in one contiguous group: up to 6.12 the other 15 get the hint, and from 7.x
 * on none does. Groups without a table get it in both.
 */
static void hint_beside_a_table(void **state)
{
	static const struct {
		const char *profile;
		unsigned hinted; /* of the first group */
	} rows[] = { { "linux-6.12", 15 }, { "linux-7.3", 0 } };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		unsigned hinted[2] = { 0, 0 };
		struct pgtsim_map map;
		struct fixture f;

		init_4k(&f, rows[i].profile);
		empty_table_at(&f, VA + 5 * 2 * MIB);
		map = linear_map(&f, VA, 0, 64 * MIB);
		map.blocks = map.cont = true;
		assert_int_equal(pgtsim_map(&f.pgt, &map), 0);
		for (unsigned pmd = 0; pmd < 32; pmd++) {
			struct pgtsim_translation t;

			if (!pgtsim_translate(&f.pgt, VA + pmd * 2 * MIB, &t) &&
			    t.level == PGTSIM_PMD)
				hinted[pmd / 16] += (t.desc & PGTSIM_DESC_CONT) != 0;
		}
		assert_int_equal(hinted[0], rows[i].hinted);
		assert_int_equal(hinted[1], 16);
		assert_int_equal(f.tlb.counts.violations, 0);
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

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(map_and_translate),
	cmocka_unit_test(contiguous_groups),
	cmocka_unit_test(contiguous_blocks),
	cmocka_unit_test(no_hint_in_the_root),
	cmocka_unit_test(unaligned_is_rounded_outwards),
	cmocka_unit_test(leaf_descriptors),
	cmocka_unit_test(table_descriptors),
	cmocka_unit_test(mappings_across_high_addresses),
	cmocka_unit_test(events_of_a_cut_run),
	cmocka_unit_test(invalid_ranges),
	cmocka_unit_test(last_addresses),
	cmocka_unit_test(live_entries_are_refused),
	cmocka_unit_test(blocks_are_live_too),
	cmocka_unit_test(invalid_entries_are_in_the_way),
	cmocka_unit_test(broken_table_entries),
	cmocka_unit_test(entries_of_freed_tables),
	cmocka_unit_test(no_memory_rolls_back),
	cmocka_unit_test(no_memory_keeps_a_prefix),
	cmocka_unit_test(block_over_empty_table),
	cmocka_unit_test(hint_beside_a_table),
	cmocka_unit_test(pud_block_over_empty_table),
	cmocka_unit_test(skipped_blocks_reserve_nothing),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
