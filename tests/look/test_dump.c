/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include <inttypes.h>

#include <pgtsim/dump.h>
#include <pgtsim/format.h>

/* ---- what a printer was given ---- */

struct text {
	char *at;
	size_t length, room;
};

static void text_add(void *ctx, const char *more)
{
	struct text *text = ctx;
	size_t n = strlen(more);

	if (text->length + n >= text->room) {
		text->room = 2 * (text->length + n + 1);
		text->at = realloc(text->at, text->room);
		assert_non_null(text->at);
	}
	memcpy(text->at + text->length, more, n + 1);
	text->length += n;
}

static struct pgtsim_printer printer_to(struct text *text)
{
	*text = (struct text){ 0 };
	text_add(text, "");
	return (struct pgtsim_printer){ text_add, text };
}

/* Compares and frees. */
static void text_is(struct text *text, const char *expected)
{
	assert_string_equal(text->at, expected);
	free(text->at);
}

static struct text dump_text(struct fixture *f, const struct pgtsim_layout *layout,
			     enum pgtsim_dump_form form)
{
	struct text text;
	const struct pgtsim_printer out = printer_to(&text);

	pgtsim_dump(&f->pgt, layout, form, &out);
	return text;
}

static void dump_is(struct fixture *f, const struct pgtsim_layout *layout,
		    enum pgtsim_dump_form form, const char *expected)
{
	struct text text = dump_text(f, layout, form);

	text_is(&text, expected);
}

static void walk_is(struct fixture *f, uint64_t va, const char *expected)
{
	struct text text;
	const struct pgtsim_printer out = printer_to(&text);

	pgtsim_dump_walk(&f->pgt, va, &out);
	text_is(&text, expected);
}

static void desc_is(const struct pgtsim_geometry *geo, int level, uint64_t desc,
		    const char *expected)
{
	struct text text;
	const struct pgtsim_printer out = printer_to(&text);

	pgtsim_dump_desc(geo, level, desc, &out);
	text_is(&text, expected);
}

static void geometry_is(const struct pgtsim_geometry *geo, uint64_t va, const char *expected)
{
	struct text text;
	const struct pgtsim_printer out = printer_to(&text);

	pgtsim_dump_geometry(geo, va, &out);
	text_is(&text, expected);
}

static void start(struct fixture *f, const char *name, const struct pgtsim_geometry *geo)
{
	const struct pgtsim_policy policy = profile(name);

	fixture_init(f, &policy, geo);
}

static uint64_t first_va(const struct fixture *f)
{
	return pgtsim_va_start(&f->pgt.geo);
}

static void map_blocks(struct fixture *f, uint64_t va, uint64_t pa, uint64_t size)
{
	struct pgtsim_map map = linear_map(f, va, pa, size);

	map.blocks = true;
	map.cont = true;
	assert_int_equal(pgtsim_map(&f->pgt, &map), 0);
}

static void map_pages(struct fixture *f, uint64_t va, uint64_t pa, uint64_t size)
{
	assert_int_equal(map_linear(f, va, pa, size, false), 0);
}

static void poke(struct fixture *f, int level, uint64_t va, uint64_t desc)
{
	assert_int_equal(pgtsim_poke(&f->pgt, level, va, desc), 0);
}

/* ---- tables, leaves, json ---- */

/* A line longer than the buffer is cut, and nothing else happens. */
static void a_long_line_is_cut(void **state)
{
	struct text text;
	const struct pgtsim_printer out = printer_to(&text);

	(void)state;
	pgtsim_printf(&out, "%0511d", 7);
	assert_int_equal(text.length, 511);
	pgtsim_printf(&out, "%0512d", 7);
	assert_int_equal(text.length, 2 * 511);
	assert_int_equal(text.at[2 * 511 - 1], '0');
	free(text.at);
}

/* An empty table has no lines, and is still a JSON document. */
static void nothing_is_mapped(void **state)
{
	const struct pgtsim_geometry geo = linux_geometry(4, 39, 0, 0);
	struct fixture f;

	(void)state;
	start(&f, "linux-6.12", &geo);
	dump_is(&f, NULL, PGTSIM_DUMP_TABLES, "");
	dump_is(&f, NULL, PGTSIM_DUMP_LEAVES, "");
	dump_is(&f, NULL, PGTSIM_DUMP_JSON,
		"{\"version\":1,\"granule\":4096,\"va_bits\":39,\"levels\":3,\"entries\":[]}\n");
	fixture_fini(&f);
}

/* 4K/39: three levels; the root is "pgd" and may hold a block of 1G. */
static void three_levels_of_4k(void **state)
{
	const struct pgtsim_geometry geo = linux_geometry(4, 39, 0, 0);
	struct fixture f;

	(void)state;
	start(&f, "linux-6.1", &geo);
	map_blocks(&f, first_va(&f) + GIB, GIB, GIB + 2 * MIB);
	map_pages(&f, -(UINT64_C(1) << 12), 0xabcde000, 4096);
	dump_is(&f, NULL, PGTSIM_DUMP_TABLES,
		"pgd 0xffffff8040000000 0x00e8000040000705 block\n"
		"pgd 0xffffff8080000000 0x1800000040001003 table\n"
		"pmd 0xffffff8080000000 0x00e8000080000705 block\n"
		"pgd 0xffffffffc0000000 0x1800000040002003 table\n"
		"pmd 0xffffffffffe00000 0x1800000040003003 table\n"
		"pte 0xfffffffffffff000 0x00e80000abcde707 page\n");
	dump_is(&f, NULL, PGTSIM_DUMP_LEAVES,
		"pgd 0xffffff8040000000 0x00e8000040000705 block\n"
		"pmd 0xffffff8080000000 0x00e8000080000705 block\n"
		"pte 0xfffffffffffff000 0x00e80000abcde707 page\n");
	fixture_fini(&f);
}

/* 4K/52: five levels; no SH in leaves, AF in the tables of 7.3. */
static void five_levels_of_4k(void **state)
{
	const struct pgtsim_geometry geo = linux_geometry(4, 52, 0, 0);
	struct fixture f;

	(void)state;
	start(&f, "linux-7.3", &geo);
	map_pages(&f, first_va(&f), UINT64_C(0xc000000012000), 4096);
	dump_is(&f, NULL, PGTSIM_DUMP_JSON,
		"{\"version\":1,\"granule\":4096,\"va_bits\":52,\"levels\":5,\"entries\":[\n"
		"{\"level\":\"pgd\",\"va\":\"0xfff0000000000000\","
		"\"desc\":\"0x1800000040001403\",\"kind\":\"table\"},\n"
		"{\"level\":\"p4d\",\"va\":\"0xfff0000000000000\","
		"\"desc\":\"0x1800000040002403\",\"kind\":\"table\"},\n"
		"{\"level\":\"pud\",\"va\":\"0xfff0000000000000\","
		"\"desc\":\"0x1800000040003403\",\"kind\":\"table\"},\n"
		"{\"level\":\"pmd\",\"va\":\"0xfff0000000000000\","
		"\"desc\":\"0x1800000040004403\",\"kind\":\"table\"},\n"
		"{\"level\":\"pte\",\"va\":\"0xfff0000000000000\","
		"\"desc\":\"0x00e8000000012707\",\"kind\":\"page\"}\n"
		"]}\n");
	fixture_fini(&f);
}

/* 64K/48: the attributes of 5.7; a contiguous group, and entries that were poked. */
static void invalid_entries_are_shown(void **state)
{
	const struct pgtsim_geometry geo = linux_geometry(64, 48, 0, 0);
	struct fixture f;

	(void)state;
	start(&f, "linux-5.7", &geo);
	map_pages(&f, first_va(&f) + 0x20000, 0x80000000, 0x20000);
	poke(&f, PGTSIM_PTE, first_va(&f) + 0x10000, 0x801);
	poke(&f, PGTSIM_PTE, first_va(&f) + 0x20000, 2);
	poke(&f, PGTSIM_PMD, first_va(&f) + 512 * MIB, 0xff0);
	dump_is(&f, NULL, PGTSIM_DUMP_TABLES,
		"pgd 0xffff000000000000 0x0000000040010003 table\n"
		"pmd 0xffff000000000000 0x0000000040020003 table\n"
		"pte 0xffff000000010000 0x0000000000000801 invalid\n"
		"pte 0xffff000000020000 0x0000000000000002 invalid\n"
		"pte 0xffff000000030000 0x00e8000080010713 page\n"
		"pmd 0xffff000020000000 0x0000000000000ff0 invalid\n");
	dump_is(&f, NULL, PGTSIM_DUMP_LEAVES,
		"pte 0xffff000000010000 0x0000000000000801 invalid\n"
		"pte 0xffff000000020000 0x0000000000000002 invalid\n"
		"pte 0xffff000000030000 0x00e8000080010713 page\n"
		"pmd 0xffff000020000000 0x0000000000000ff0 invalid\n");
	fixture_drop(&f);
}

/*
 * Table entries that point to no table stand where they belong: the last one of a table, the one
 * after it in the table above, and the very last of the address space.
 */
static void tables_that_are_none_are_shown(void **state)
{
	const struct pgtsim_geometry geo = toy_geometry(3);
	struct fixture f;
	uint64_t va;

	(void)state;
	start(&f, "linux-6.12", &geo);
	va = first_va(&f);
	map_pages(&f, va, 0x80000000, 4096);
	map_pages(&f, va + 0x30000, 0x90000000, 4096);
	poke(&f, PGTSIM_PMD, va + 0xc000, 0x7000003);
	poke(&f, PGTSIM_PUD, va + 0x10000, 0x7001003);
	poke(&f, PGTSIM_PMD, va + 0x38000, 0x7002003);
	poke(&f, PGTSIM_PMD, va + 0x3c000, 0x7003003);
	dump_is(&f, NULL, PGTSIM_DUMP_TABLES,
		"pgd 0xfffffffffffc0000 0x1800000040001003 table\n"
		"pmd 0xfffffffffffc0000 0x1800000040002003 table\n"
		"pte 0xfffffffffffc0000 0x00e8000080000707 page\n"
		"pmd 0xfffffffffffcc000 0x0000000007000003 table\n"
		"pgd 0xfffffffffffd0000 0x0000000007001003 table\n"
		"pgd 0xffffffffffff0000 0x1800000040003003 table\n"
		"pmd 0xffffffffffff0000 0x1800000040004003 table\n"
		"pte 0xffffffffffff0000 0x00e8000090000707 page\n"
		"pmd 0xffffffffffff8000 0x0000000007002003 table\n"
		"pmd 0xffffffffffffc000 0x0000000007003003 table\n");
	dump_is(&f, NULL, PGTSIM_DUMP_LEAVES,
		"pte 0xfffffffffffc0000 0x00e8000080000707 page\n"
		"pte 0xffffffffffff0000 0x00e8000090000707 page\n");
	dump_is(&f, NULL, PGTSIM_DUMP_PTDUMP,
		"0xfffffffffffc0000-0xfffffffffffc1000           4K PTE       RW NX SHD AF"
		"            UXN    MEM/NORMAL-TAGGED\n"
		"0xfffffffffffc1000-0xfffffffffffc4000          12K PTE\n"
		"0xfffffffffffc4000-0xfffffffffffd0000          48K PMD\n"
		"0xfffffffffffd0000-0xffffffffffff0000         128K PGD\n"
		"0xffffffffffff0000-0xffffffffffff1000           4K PTE       RW NX SHD AF"
		"            UXN    MEM/NORMAL-TAGGED\n"
		"0xffffffffffff1000-0xffffffffffff4000          12K PTE\n"
		"0xffffffffffff4000-0x0000000000000000          48K PMD\n");
	fixture_drop(&f);
}

/* Some of everything: pages at both ends, blocks and groups where the geometry has them. */
static void fill(struct fixture *f)
{
	const struct pgtsim_geometry *geo = &f->pgt.geo;
	uint64_t page = pgtsim_page_size(geo), pmd = pgtsim_entry_size(geo, PGTSIM_PMD);

	map_pages(f, first_va(f), 5 * page, 2 * page);
	map_pages(f, region_end(geo) - page, 9 * page, page);
	if (geo->levels > 1)
		map_blocks(f, first_va(f) + 2 * pmd, 2 * pmd, pmd + pmd / 2);
}

/* The lines of a dump are the entries that are not zero, as read without the walker. */
static void lines_match(struct fixture *f, bool leaves)
{
	struct snapshot all = snapshot_take(f);
	struct text text = dump_text(f, NULL, leaves ? PGTSIM_DUMP_LEAVES : PGTSIM_DUMP_TABLES);
	struct text expected;
	const struct pgtsim_printer out = printer_to(&expected);

	for (size_t i = 0; i < all.count; i++) {
		const struct snapshot_line *line = &all.line[i];
		enum pgtsim_kind kind = pgtsim_desc_kind(line->level, line->desc);

		if (!leaves || kind != PGTSIM_TABLE)
			pgtsim_printf(&out, "%s 0x%016" PRIx64 " 0x%016" PRIx64 " %s\n",
				      pgtsim_level_name(&f->pgt.geo, line->level), line->va,
				      pgtsim_desc_to_raw(&f->pgt.geo, line->level, line->desc),
				      pgtsim_kind_name(kind));
	}
	assert_true(all.count > 0);
	assert_string_equal(text.at, expected.at);
	free(text.at);
	free(expected.at);
	snapshot_free(&all);
}

/* The geometries of arm64 and those of s390. */
static size_t both_geometries(struct geometry_case out[2 * MAX_GEOMETRIES])
{
	const struct pgtsim_policy latest = profile("latest"), s390 = profile("s390-7.3");
	size_t n = all_geometries(out, &latest);

	return n + all_geometries(&out[n], &s390);
}

static void every_geometry_dumps_every_entry(void **state)
{
	struct geometry_case geometries[2 * MAX_GEOMETRIES];
	size_t n = both_geometries(geometries);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		const struct pgtsim_policy policy = latest_for(&geometries[i].geo);
		struct fixture f;

		fixture_init(&f, &policy, &geometries[i].geo);
		fill(&f);
		lines_match(&f, false);
		lines_match(&f, true);
		fixture_fini(&f);
	}
}

/* A dump counts nothing and finds nothing: all counters and violations are as before. */
static void a_dump_leaves_no_trace(void **state)
{
	const struct pgtsim_geometry geo = linux_geometry(4, 48, 0, 0);
	struct pgtsim_counts before;
	struct recorder recorder;
	struct fixture f;

	(void)state;
	start(&f, "latest", &geo);
	fill(&f);
	poke(&f, PGTSIM_PMD, first_va(&f) + 16 * MIB, 0x1003);
	before = f.tlb.counts;
	recorder_start(&recorder, &f);
	for (int form = PGTSIM_DUMP_TABLES; form <= PGTSIM_DUMP_JSON; form++)
		free(dump_text(&f, NULL, (enum pgtsim_dump_form)form).at);
	assert_memory_equal(&before, &f.tlb.counts, sizeof(before));
	assert_int_equal(f.tlb.violation_count, 0);
	assert_false(f.tlb.quiet);
	assert_int_equal(recorder.count, 0);
	recorder_stop(&recorder, &f);
	fixture_drop(&f);
}

/* ---- ptdump ---- */

static void map_prot(struct fixture *f, enum pgtsim_prot prot, uint64_t va, uint64_t size)
{
	struct pgtsim_map map = linear_map(f, va, GIB, size);

	map.attrs = f->policy.prot[prot];
	map.blocks = true;
	map.cont = true;
	assert_int_equal(pgtsim_map(&f->pgt, &map), 0);
}

/* Alike leaves are one line, across pte tables too; every region has its markers. */
static void ptdump_merges_and_marks(void **state)
{
	const struct pgtsim_geometry geo = linux_geometry(4, 48, 0, 0);
	struct pgtsim_layout layout;
	struct fixture f;

	(void)state;
	start(&f, "linux-6.12", &geo);
	pgtsim_layout_init(&layout, &geo, PGTSIM_LAYOUT_6_12, RAM_START, 64);
	map_pages(&f, first_va(&f), RAM_START, 4 * MIB);
	map_prot(&f, PGTSIM_PROT_RX, first_va(&f) + 4 * MIB, 64 * KIB);
	map_prot(&f, PGTSIM_PROT_DEVICE, layout.vmemmap_start, 2 * MIB);
	poke(&f, PGTSIM_PTE, first_va(&f) + 5 * MIB, PGTSIM_DESC_NG | PGTSIM_DESC_GP);
	dump_is(&f, &layout, PGTSIM_DUMP_PTDUMP,
		"---[ Linear Mapping start ]---\n"
		"0xffff000000000000-0xffff000000400000           4M PTE       RW NX SHD AF"
		"            UXN    MEM/NORMAL-TAGGED\n"
		"0xffff000000400000-0xffff000000410000          64K PTE       ro x  SHD AF"
		"    CON     UXN    MEM/NORMAL\n"
		"0xffff000000410000-0xffff000000500000         960K PTE\n"
		"0xffff000000500000-0xffff000000501000           4K PTE F     RW x      "
		"   NG     BLK     GP MEM/NORMAL\n"
		"0xffff000000501000-0xffff000000600000        1020K PTE\n"
		"0xffff000000600000-0xffff000040000000        1018M PMD\n"
		"0xffff000040000000-0xffff008000000000         511G PUD\n"
		"0xffff008000000000-0xffff800000000000      130560G PGD\n"
		"---[ Linear Mapping end ]---\n"
		"0xffff800000000000-0xfffffd8000000000      128512G PGD\n"
		"0xfffffd8000000000-0xfffffdffc0000000         511G PUD\n"
		"---[ vmemmap start ]---\n"
		"0xfffffdffc0000000-0xfffffdffc0200000           2M PMD       RW NX SHD AF"
		"        BLK UXN    DEVICE/nGnRE\n"
		"0xfffffdffc0200000-0xfffffe0000000000        1022M PMD\n"
		"0xfffffe0000000000-0xffffffffc0000000        2047G PGD\n"
		"---[ vmemmap end ]---\n"
		"0xffffffffc0000000-0x0000000000000000           1G PGD\n");
	fixture_drop(&f);
}

/* The memory types have the names of the profile's kernel; a type it does not set has none. */
static void memory_types_follow_the_kernel(void **state)
{
	static const struct {
		const char *profile, *expected;
	} rows[] = {
		{ "linux-5.7", "DEVICE/nGnRnE|DEVICE/nGnRE|DEVICE/GRE|MEM/NORMAL-NC|MEM/NORMAL|"
			       "MEM/NORMAL-WT|-|-|" },
		{ "linux-5.10", "MEM/NORMAL|MEM/NORMAL-TAGGED|MEM/NORMAL-NC|MEM/NORMAL-WT|"
				"DEVICE/nGnRnE|DEVICE/nGnRE|DEVICE/GRE|-|" },
		{ "linux-5.14", "MEM/NORMAL|MEM/NORMAL-TAGGED|MEM/NORMAL-NC|DEVICE/nGnRnE|"
				"DEVICE/nGnRE|-|-|-|" },
		{ "latest", "MEM/NORMAL|MEM/NORMAL-TAGGED|MEM/NORMAL-NC|DEVICE/nGnRnE|"
			    "DEVICE/nGnRE|-|-|-|" },
	};
	const struct pgtsim_geometry geo = toy_geometry(2);
	struct fixture f;

	(void)state;
	for (size_t row = 0; row < COUNT(rows); row++) {
		struct text names, text;
		const struct pgtsim_printer out = printer_to(&names);

		start(&f, rows[row].profile, &geo);
		map_pages(&f, first_va(&f), 0, 4096);
		for (unsigned i = 0; i < 8; i++) {
			const char *space;

			poke(&f, PGTSIM_PTE, first_va(&f), PGTSIM_DESC_ATTRINDX(i) | 0x403);
			text = dump_text(&f, NULL, PGTSIM_DUMP_PTDUMP);
			*strchr(text.at, '\n') = '\0';
			space = strrchr(text.at, ' ');
			pgtsim_printf(&out, "%s|", space[1] ? space + 1 : "-");
			free(text.at);
		}
		text_is(&names, rows[row].expected);
		fixture_fini(&f);
	}
}

/* With LPA2 bits 9:8 are PA[51:50]: no SHD, and no new line where they change. */
static void ptdump_knows_no_sh_with_lpa2(void **state)
{
	const struct pgtsim_geometry geo = linux_geometry(4, 52, 0, 0);
	struct fixture f;
	struct text text;

	(void)state;
	start(&f, "linux-6.12", &geo);
	map_pages(&f, first_va(&f), (UINT64_C(3) << 50) - 4096, 8192);
	text = dump_text(&f, NULL, PGTSIM_DUMP_PTDUMP);
	*strchr(text.at, '\n') = '\0';
	text_is(&text, "0xfff0000000000000-0xfff0000000002000           8K PTE       RW NX     AF"
		       "            UXN    MEM/NORMAL-TAGGED");
	fixture_fini(&f);
}

/* The ranges of a ptdump cover the whole region without a gap, whatever the geometry. */
static void ptdump_covers_everything(void **state)
{
	struct geometry_case geometries[2 * MAX_GEOMETRIES];
	size_t n = both_geometries(geometries);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		bool s390 = geometries[i].geo.format == PGTSIM_FORMAT_S390;
		const struct pgtsim_policy policy = latest_for(&geometries[i].geo);
		struct pgtsim_layout layout;
		struct fixture f;
		struct text text;
		uint64_t next;
		unsigned markers = 0;

		fixture_init(&f, &policy, &geometries[i].geo);
		pgtsim_layout_init(&layout, &f.pgt.geo,
				   s390 ? PGTSIM_LAYOUT_S390 : PGTSIM_LAYOUT_6_12, RAM_START, 64);
		fill(&f);
		/* A toy is too small for a kernel's layout. */
		text = dump_text(&f, geometries[i].geo.va_bits < 36 ? NULL : &layout,
				 PGTSIM_DUMP_PTDUMP);
		next = first_va(&f);
		for (char *line = strtok(text.at, "\n"); line; line = strtok(NULL, "\n")) {
			uint64_t from, to;

			if (sscanf(line, "0x%" SCNx64 "-0x%" SCNx64, &from, &to) != 2) {
				markers++;
				continue;
			}
			assert_int_equal(from, next);
			assert_true(to - 1 >= from);
			next = to;
		}
		assert_int_equal(next, region_end(&f.pgt.geo));
		assert_int_equal(markers, geometries[i].geo.va_bits < 36 ? 0 : s390 ? 5 : 4);
		free(text.at);
		fixture_fini(&f);
	}
}

/* ---- walk ---- */

static void a_walk_to_a_page(void **state)
{
	const struct pgtsim_geometry geo = linux_geometry(4, 48, 0, 0);
	struct fixture f;

	(void)state;
	start(&f, "linux-6.12", &geo);
	map_pages(&f, first_va(&f) + 0x40201000, 0x80001000, 4096);
	walk_is(&f, first_va(&f) + 0x40201234,
		"VA 0xffff000040201234\n"
		"level   arch  bits   index  entry               kind\n"
		"pgd        0  47:39      0  0x1800000040001003  table\n"
		"pud        1  38:30      1  0x1800000040002003  table\n"
		"pmd        2  29:21      1  0x1800000040003003  table\n"
		"pte        3  20:12      1  0x00e8000080001707  page\n"
		"offset        11:0   0x234\n"
		"PA 0x0000000080001234: a leaf of 4K, read-write, not executable, "
		"MEM/NORMAL-TAGGED\n");
	fixture_fini(&f);
}

static void a_walk_to_a_contiguous_block(void **state)
{
	const struct pgtsim_geometry geo = linux_geometry(16, 47, 0, 0);
	struct fixture f;
	struct pgtsim_map map;

	(void)state;
	start(&f, "linux-6.12", &geo);
	map = linear_map(&f, first_va(&f), 4 * GIB, GIB);
	map.blocks = true;
	map.cont = true;
	map.attrs = f.policy.prot[PGTSIM_PROT_RX] | PGTSIM_DESC_ATTRINDX(7);
	map.table_attrs = 0;
	assert_int_equal(pgtsim_map(&f.pgt, &map), 0);
	walk_is(&f, first_va(&f) + 33 * MIB,
		"VA 0xffff800002100000\n"
		"level   arch  bits   index  entry               kind\n"
		"pgd        1  46:36      0  0x0000000040004003  table\n"
		"pmd        2  35:25      1  0x00d000010200079d  block\n"
		"offset        24:0   0x100000\n"
		"PA 0x0000000102100000: a leaf of 32M, read-only, executable, contiguous, "
		"a memory type that Linux does not set\n");
	fixture_fini(&f);
}

/* A walk that ends early says why and where; one outside the region has no steps. */
static void a_walk_that_faults(void **state)
{
	const struct pgtsim_geometry geo = linux_geometry(64, 52, 48, 0);
	struct fixture f;

	(void)state;
	start(&f, "linux-6.12", &geo);
	map_pages(&f, first_va(&f), 0, 0x10000);
	walk_is(&f, first_va(&f) + 0x10000,
		"VA 0xffff000000010000\n"
		"level   arch  bits   index  entry               kind\n"
		"pgd        1  51:42    960  0x1800000040010003  table\n"
		"pmd        2  41:29      0  0x1800000040020003  table\n"
		"pte        3  28:16      1  0x0000000000000000  none\n"
		"no PA: translation fault, level 3 (pte)\n");
	poke(&f, PGTSIM_PMD, first_va(&f), 0x30003);
	walk_is(&f, UINT64_C(0xffff000000000000),
		"VA 0xffff000000000000\n"
		"level   arch  bits   index  entry               kind\n"
		"pgd        1  51:42    960  0x1800000040010003  table\n"
		"pmd        2  41:29      0  0x0000000000030003  table\n"
		"no PA: external abort on translation table walk, level 2 (pmd)\n");
	walk_is(&f, 0xffff,
		"VA 0x000000000000ffff\n"
		"outside the region of TTBR1, which begins at 0xffff000000000000\n");
	fixture_drop(&f);
}

/* ---- descriptors ---- */

static void a_page_bit_by_bit(void **state)
{
	const struct pgtsim_geometry geo = linux_geometry(4, 48, 0, 0);

	(void)state;
	desc_is(&geo, PGTSIM_PTE, 0x00f8000080000707,
		"0x00f8000080000707 at level 3 (pte): page\n"
		"0            valid     0x1   valid\n"
		"1            type      0x1   page\n"
		"47:12        PA        0x80000000, 4K of it\n"
		"4:2          AttrIndx  0x1   MEM/NORMAL-TAGGED\n"
		"7:6          AP        0x0   EL1 read-write, EL0 none\n"
		"9:8          SH        0x3   inner shareable\n"
		"10           AF        0x1   access flag: accessed\n"
		"51           DBM       0x1   dirty bit modifier; Linux: may be written\n"
		"52           Contig    0x1   one of a contiguous group\n"
		"53           PXN       0x1   not executable at EL1\n"
		"54           UXN       0x1   not executable at EL0\n"
		"55           dirty     0x1   software bit; Linux: has been written\n");
}

/* With LPA2 a block has no SH, and bits 9:8 are part of its address. */
static void a_block_with_lpa2(void **state)
{
	const struct pgtsim_geometry geo = linux_geometry(4, 52, 0, 0);

	(void)state;
	desc_is(&geo, PGTSIM_PMD, 0x0100000080000d01,
		"0x0100000080000d01 at level 2 (pmd): block\n"
		"0            valid     0x1   valid\n"
		"1            type      0x0   block\n"
		"49:21,9:8    PA        0x4000080000000, 2M of it\n"
		"4:2          AttrIndx  0x0   MEM/NORMAL\n"
		"7:6          AP        0x0   EL1 read-write, EL0 none\n"
		"10           AF        0x1   access flag: accessed\n"
		"11           nG        0x1   not global: of one ASID\n"
		"56           -         0x1   software bit\n");
}

/* Address bits that are beyond pa_bits are address bits still. */
static void an_address_that_is_too_wide(void **state)
{
	const struct pgtsim_geometry geo = linux_geometry(16, 52, 0, 48);

	(void)state;
	desc_is(&geo, PGTSIM_PMD, 0x0000000000000303,
		"0x0000000000000303 at level 2 (pmd): table\n"
		"0            valid     0x1   valid\n"
		"1            type      0x1   table\n"
		"49:14,9:8    table at  0xc000000000000, wider than a PA: a walk faults\n");
}

/* 64K with 52-bit addresses: PA[51:48] in bits 15:12, and what 6.12 leaves in 49:48. */
static void a_page_of_64k_with_52_bits(void **state)
{
	struct pgtsim_geometry geo = linux_geometry(64, 52, 0, 0);
	static const char head[] = "0x0001000020005403 at level 3 (pte): page\n"
				   "0            valid     0x1   valid\n"
				   "1            type      0x1   page\n"
				   "47:16,15:12  PA        0x5000020000000, 64K of it\n"
				   "4:2          AttrIndx  0x0   MEM/NORMAL\n"
				   "7:6          AP        0x0   EL1 read-write, EL0 none\n"
				   "9:8          SH        0x0   non-shareable\n"
				   "10           AF        0x1   access flag: accessed\n";
	char expected[1024];

	(void)state;
	snprintf(expected, sizeof(expected), "%s%s", head,
		 "48           -         0x1   reserved, should be 0\n");
	desc_is(&geo, PGTSIM_PTE, 0x0001000020005403, expected);
	geo.oa_keeps_49_48 = true;
	snprintf(expected, sizeof(expected), "%s%s", head,
		 "49:48        -         0x1   "
		 "copy of PA[49:48], left by Linux 6.12 on; reserved\n");
	desc_is(&geo, PGTSIM_PTE, 0x0001000020005403, expected);
}

static void a_table_bit_by_bit(void **state)
{
	const struct pgtsim_geometry geo = linux_geometry(16, 48, 0, 0);

	(void)state;
	desc_is(&geo, PGTSIM_P4D, 0xf888000040008427,
		"0xf888000040008427 at level 0 (pgd): table\n"
		"0            valid     0x1   valid\n"
		"1            type      0x1   table\n"
		"47:14        table at  0x40008000\n"
		"10           AF        0x1   access flag of the table (FEAT_HAFT)\n"
		"59           PXNTable  0x1   nothing below is executable at EL1\n"
		"60           UXNTable  0x1   nothing below is executable at EL0\n"
		"62:61        APTable   0x3   below: read-only, no access at EL0\n"
		"63           NSTable   0x1   non-secure below; ignored outside Secure state\n"
		"2            -         0x1   ignored: free for software\n"
		"5            -         0x1   ignored: free for software\n"
		"51           -         0x1   ignored: free for software\n"
		"55           -         0x1   ignored: free for software\n");
}

/* What is no valid descriptor of its level, or of any. */
static void what_a_walk_faults_on(void **state)
{
	const struct pgtsim_geometry geo = linux_geometry(16, 48, 0, 0);

	(void)state;
	desc_is(&geo, PGTSIM_PMD, 0,
		"0x0000000000000000 at level 2 (pmd): none\n"
		"0            valid     0x0   invalid: a walk that gets here faults\n");
	desc_is(&geo, PGTSIM_PTE, 0x1801,
		"0x0000000000001801 at level 3 (pte): invalid\n"
		"0            valid     0x1   valid\n"
		"1            type      0x0   "
		"reserved at this level: a walk that gets here faults\n"
		"11           -         0x1   software bit; Linux: present although invalid\n"
		"12           -         0x1   ignored: free for software\n");
	desc_is(&geo, PGTSIM_PUD, 0x8800000000013401,
		"0x8800000000013401 at level 1 (pud): block\n"
		"0            valid     0x1   valid\n"
		"1            type      0x0   "
		"block, which is not legal at this level: a walk faults\n"
		"47:36        PA        0x0, 64G of it\n"
		"4:2          AttrIndx  0x0   MEM/NORMAL\n"
		"7:6          AP        0x0   EL1 read-write, EL0 none\n"
		"9:8          SH        0x0   non-shareable\n"
		"10           AF        0x1   access flag: accessed\n"
		"12           -         0x1   reserved, should be 0\n"
		"13           -         0x1   reserved, should be 0\n"
		"16           -         0x1   nT (FEAT_BBM): the TLB may not hold it\n"
		"59           -         0x1   PBHA, or ignored\n"
		"63           -         0x1   ignored\n");
}

/* The bits that the first word of a line names: "47:12", "10" or "49:21,9:8". */
static uint64_t bits_of_line(const char *line)
{
	uint64_t bits = 0;

	do {
		unsigned high = (unsigned)strtoul(line, NULL, 10), low = high;

		line += strspn(line, "0123456789");
		if (*line == ':') {
			low = (unsigned)strtoul(line + 1, NULL, 10);
			line += 1 + strspn(line + 1, "0123456789");
		}
		for (unsigned bit = low; bit <= high; bit++)
			bits |= PGTSIM_BIT(bit);
	} while (*line++ == ',');
	return bits;
}

/* Every bit that is set is named by exactly one line, and no line names another's bits. */
static void all_bits_are_named(const struct pgtsim_geometry *geo, int level, uint64_t desc)
{
	struct text text;
	const struct pgtsim_printer out = printer_to(&text);
	uint64_t named = 0;

	pgtsim_dump_desc(geo, level, desc, &out);
	assert_non_null(strtok(text.at, "\n"));
	for (char *line; (line = strtok(NULL, "\n"));) {
		assert_int_equal(named & bits_of_line(line), 0);
		named |= bits_of_line(line);
	}
	assert_int_equal(pgtsim_desc_to_raw(geo, level, desc) & ~named, 0);
	free(text.at);
}

static void every_bit_is_named_once(void **state)
{
	struct geometry_case geometries[2 * MAX_GEOMETRIES];
	size_t n = both_geometries(geometries);
	uint32_t seed = 1;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		const struct pgtsim_geometry *geo = &geometries[i].geo;

		for (int level = pgtsim_root_level(geo); level <= PGTSIM_PTE; level++)
			for (unsigned round = 0; round < 200; round++) {
				uint64_t desc = (uint64_t)random_next(&seed) << 32;

				all_bits_are_named(geo, level, desc | random_next(&seed));
			}
	}
}

/* ---- geometries ---- */

static void the_picture_of_four_levels(void **state)
{
	const struct pgtsim_geometry geo = linux_geometry(4, 48, 0, 0);

	(void)state;
	geometry_is(&geo, 0xffff800080201234,
		    "granule 4K, 4 levels, VA of 48 bits, PA of 48 bits\n"
		    "region 0xffff000000000000 to 0xffffffffffffffff\n"
		    "\n"
		    "level   arch  bits   entries   each  blocks  contiguous group    index\n"
		    "pgd        0  47:39      512   512G  -       -                     256\n"
		    "pud        1  38:30      512     1G  used    -                       2\n"
		    "pmd        2  29:21      512     2M  used    16 x 2M = 32M           1\n"
		    "pte        3  20:12      512     4K  pages   16 x 4K = 64K           1\n"
		    "\n"
		    "0xffff800080201234:\n"
		    "+--------+-------+-------+-------+-------+--------+\n"
		    "| 63:48  | 47:39 | 38:30 | 29:21 | 20:12 | 11:0   |\n"
		    "|        | pgd   | pud   | pmd   | pte   | offset |\n"
		    "| 0xffff | 256   | 2     | 1     | 1     | 0x234  |\n"
		    "+--------+-------+-------+-------+-------+--------+\n");
}

/* 64K/52 on a CPU with 48 bits keeps its root; an address outside is cut all the same. */
static void the_picture_of_a_narrow_cpu(void **state)
{
	const struct pgtsim_geometry geo = linux_geometry(64, 52, 48, 0);

	(void)state;
	geometry_is(&geo, 0x20012345,
		    "granule 64K, 3 levels, VA of 48 bits (a kernel of 52), PA of 52 bits "
		    "(PA[51:48] in bits 15:12 of a descriptor)\n"
		    "region 0xffff000000000000 to 0xffffffffffffffff\n"
		    "\n"
		    "level   arch  bits   entries   each  blocks  contiguous group    index\n"
		    "pgd        1  51:42     1024     4T  legal   -                       0\n"
		    "pmd        2  41:29     8192   512M  used    32 x 512M = 16G         1\n"
		    "pte        3  28:16     8192    64K  pages   32 x 64K = 2M           1\n"
		    "\n"
		    "0x0000000020012345, outside the region:\n"
		    "+-------+-------+-------+-------+--------+\n"
		    "| 63:52 | 51:42 | 41:29 | 28:16 | 15:0   |\n"
		    "|       | pgd   | pmd   | pte   | offset |\n"
		    "| 0x0   | 0     | 1     | 1     | 0x2345 |\n"
		    "+-------+-------+-------+-------+--------+\n");
}

/* ---- the tables' memory ---- */

enum { MOST_EXPORTED = 64 };

/* The memory of another machine: pages by their address. */
struct other_memory {
	struct {
		uint64_t pa;
		uint64_t *entries;
	} page[MOST_EXPORTED];
	size_t count;
};

static void keep_page(void *arg, uint64_t pa, const void *bytes, size_t size)
{
	struct other_memory *memory = arg;

	assert_true(memory->count < MOST_EXPORTED);
	memory->page[memory->count].pa = pa;
	memory->page[memory->count].entries = malloc(size);
	assert_non_null(memory->page[memory->count].entries);
	memcpy(memory->page[memory->count++].entries, bytes, size);
}

static void drop_pages(struct other_memory *memory)
{
	for (size_t i = 0; i < memory->count; i++)
		free(memory->page[i].entries);
}

/* An entry of the one page at this address. */
static uint64_t read_other(const struct other_memory *memory, uint64_t pa, unsigned index)
{
	const uint64_t *found = NULL;

	for (size_t i = 0; i < memory->count; i++) {
		if (memory->page[i].pa != pa)
			continue;
		assert_null(found);
		found = memory->page[i].entries;
	}
	assert_non_null(found);
	return found[index];
}

/* Follows a walk's steps through the other machine's memory. */
static void walks_alike(const struct fixture *f, const struct other_memory *memory, uint64_t va)
{
	uint64_t table = f->pgt.root->pa;
	struct pgtsim_translation t;

	(void)pgtsim_translate(&f->pgt, va, &t);
	for (unsigned i = 0; i < t.steps; i++) {
		const struct pgtsim_step *step = &t.step[i];

		assert_int_equal(read_other(memory, table, step->index),
				 pgtsim_desc_to_raw(&f->pgt.geo, step->level, step->desc));
		table = pgtsim_desc_address(&f->pgt.geo, step->level, step->desc);
	}
}

/* Every table of every geometry comes out once, the root first, with all that it holds. */
static void exported_tables_walk_alike(void **state)
{
	struct geometry_case cases[2 * MAX_GEOMETRIES];
	size_t count = both_geometries(cases);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		struct other_memory memory = { 0 };
		struct pgtsim_counts before;
		struct snapshot s;
		struct fixture f;

		start(&f, cases[i].geo.format == PGTSIM_FORMAT_S390 ? "s390-7.3" : "latest",
		      &cases[i].geo);
		fill(&f);
		before = f.tlb.counts;
		pgtsim_export_tables(&f.pgt, keep_page, &memory);
		assert_memory_equal(&before, &f.tlb.counts, sizeof(before));
		s = snapshot_take(&f);
		assert_int_equal(memory.count, s.tables);
		assert_int_equal(memory.page[0].pa, f.pgt.root->pa);
		for (size_t line = 0; line < s.count; line++)
			walks_alike(&f, &memory, s.line[line].va);
		walks_alike(&f, &memory, pgtsim_va_last(&f.pgt.geo));
		walks_alike(&f, &memory, pgtsim_va_start(&f.pgt.geo));
		snapshot_free(&s);
		drop_pages(&memory);
		fixture_fini(&f);
	}
}

/* An entry that leads to no table adds no page, and is no violation. */
static void what_is_no_table_is_not_exported(void **state)
{
	const struct pgtsim_geometry geo = linux_geometry(4, 48, 0, 0);
	struct other_memory memory = { 0 };
	struct fixture f;

	(void)state;
	start(&f, "latest", &geo);
	pgtsim_poke(&f.pgt, pgtsim_root_level(&geo), first_va(&f), 0x1003);
	pgtsim_export_tables(&f.pgt, keep_page, &memory);
	assert_int_equal(memory.count, 1);
	assert_int_equal(f.tlb.violation_count, 0);
	assert_false(f.tlb.quiet);
	drop_pages(&memory);
	fixture_drop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_long_line_is_cut),
		cmocka_unit_test(nothing_is_mapped),
		cmocka_unit_test(three_levels_of_4k),
		cmocka_unit_test(five_levels_of_4k),
		cmocka_unit_test(invalid_entries_are_shown),
		cmocka_unit_test(tables_that_are_none_are_shown),
		cmocka_unit_test(every_geometry_dumps_every_entry),
		cmocka_unit_test(a_dump_leaves_no_trace),
		cmocka_unit_test(ptdump_merges_and_marks),
		cmocka_unit_test(memory_types_follow_the_kernel),
		cmocka_unit_test(ptdump_knows_no_sh_with_lpa2),
		cmocka_unit_test(ptdump_covers_everything),
		cmocka_unit_test(a_walk_to_a_page),
		cmocka_unit_test(a_walk_to_a_contiguous_block),
		cmocka_unit_test(a_walk_that_faults),
		cmocka_unit_test(a_page_bit_by_bit),
		cmocka_unit_test(a_block_with_lpa2),
		cmocka_unit_test(an_address_that_is_too_wide),
		cmocka_unit_test(a_page_of_64k_with_52_bits),
		cmocka_unit_test(a_table_bit_by_bit),
		cmocka_unit_test(what_a_walk_faults_on),
		cmocka_unit_test(every_bit_is_named_once),
		cmocka_unit_test(the_picture_of_four_levels),
		cmocka_unit_test(the_picture_of_a_narrow_cpu),
		cmocka_unit_test(exported_tables_walk_alike),
		cmocka_unit_test(what_is_no_table_is_not_exported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
