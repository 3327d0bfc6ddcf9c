/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pgtsim/geometry.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LEVEL_BIT(level) (1u << ((level) + 1))

/* A regime at run time, and what it must look like. */
struct expected {
	uint32_t granule;
	unsigned va_bits, va_actual, pa_bits; /* arguments */
	const char *names;                    /* root first */
	uint8_t bits[PGTSIM_MAX_LEVELS];
	uint8_t run_va, run_pa, oa;
	uint8_t cont_pte, cont_pmd;
	unsigned block, block_legal;
};

enum {
	L0 = LEVEL_BIT(0),
	L1 = LEVEL_BIT(1),
	L2 = LEVEL_BIT(2),
	L12 = L1 | L2,
	L012 = L0 | L12,
	OA48 = PGTSIM_OA_48,
	OA64K = PGTSIM_OA_64K_52,
	LPA2 = PGTSIM_OA_LPA2,
};

#define NAMES3 "pgd pmd pte"
#define NAMES4 "pgd pud pmd pte"
#define NAMES5 "pgd p4d pud pmd pte"

static const struct expected table[] = {
	{ 4096, 39, 0, 0, NAMES3, { 9, 9, 9 }, 39, 48, OA48, 4, 4, L12, L12 },
	{ 4096, 48, 0, 0, NAMES4, { 9, 9, 9, 9 }, 48, 48, OA48, 4, 4, L12, L12 },
	{ 4096, 52, 0, 0, NAMES5, { 4, 9, 9, 9, 9 }, 52, 52, LPA2, 4, 4, L12, L012 },
	{ 4096, 52, 0, 48, NAMES5, { 4, 9, 9, 9, 9 }, 52, 48, LPA2, 4, 4, L12, L012 },
	{ 4096, 52, 48, 52, NAMES4, { 9, 9, 9, 9 }, 48, 48, OA48, 4, 4, L12, L12 },
	{ 16384, 36, 0, 0, "pgd pte", { 11, 11 }, 36, 48, OA48, 7, 5, L2, L2 },
	{ 16384, 47, 0, 0, NAMES3, { 11, 11, 11 }, 47, 48, OA48, 7, 5, L2, L2 },
	{ 16384, 48, 0, 0, NAMES4, { 1, 11, 11, 11 }, 48, 48, OA48, 7, 5, L2, L2 },
	{ 16384, 52, 0, 0, NAMES4, { 5, 11, 11, 11 }, 52, 52, LPA2, 7, 5, L2, L12 },
	{ 16384, 52, 47, 0, NAMES3, { 11, 11, 11 }, 47, 48, OA48, 7, 5, L2, L2 },
	{ 65536, 42, 0, 0, "pgd pte", { 13, 13 }, 42, 48, OA48, 5, 5, L2, L2 },
	{ 65536, 42, 0, 52, "pgd pte", { 13, 13 }, 42, 52, OA64K, 5, 5, L2, L2 },
	{ 65536, 48, 0, 0, NAMES3, { 6, 13, 13 }, 48, 48, OA48, 5, 5, L2, L2 },
	{ 65536, 48, 0, 52, NAMES3, { 6, 13, 13 }, 48, 52, OA64K, 5, 5, L2, L12 },
	{ 65536, 52, 0, 0, NAMES3, { 10, 13, 13 }, 52, 52, OA64K, 5, 5, L2, L12 },
	{ 65536, 52, 0, 48, NAMES3, { 10, 13, 13 }, 52, 48, OA48, 5, 5, L2, L2 },
	{ 65536, 52, 48, 52, NAMES3, { 10, 13, 13 }, 48, 52, OA64K, 5, 5, L2, L12 },
};

static struct pgtsim_geometry build(const struct expected *row)
{
	struct pgtsim_geometry geo;

	assert_int_equal(0, pgtsim_geometry_linux(&geo, row->granule, row->va_bits, row->va_actual,
						  row->pa_bits));
	return geo;
}

/* The names from the root down, with blanks between. */
static void list_names(const struct pgtsim_geometry *geo, char *text)
{
	*text = '\0';
	for (int level = pgtsim_root_level(geo); level <= PGTSIM_PTE; level++) {
		strcat(text, *text ? " " : "");
		strcat(text, pgtsim_level_name(geo, level));
	}
}

static unsigned level_set(const bool flags[PGTSIM_MAX_LEVELS])
{
	unsigned set = 0;

	for (unsigned slot = 0; slot < PGTSIM_MAX_LEVELS; slot++)
		set |= flags[slot] ? 1u << slot : 0;
	return set;
}

/* Every regime has the levels, sizes and layout of Linux, also on a CPU without 52 bits. */
static void regimes_are_linux_s(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		const struct expected *row = &table[i];
		struct pgtsim_geometry geo = build(row);
		int root = pgtsim_root_level(&geo);
		char names[32];

		list_names(&geo, names);
		assert_string_equal(row->names, names);
		assert_memory_equal(row->bits, &geo.bits[pgtsim_slot(root)], geo.levels);
		assert_int_equal(row->run_va, geo.va_bits);
		assert_int_equal(row->run_pa, geo.pa_bits);
		assert_int_equal(row->va_bits, geo.config_va_bits);
		assert_int_equal(row->oa, geo.oa);
		assert_int_equal(row->cont_pte, geo.cont[pgtsim_slot(PGTSIM_PTE)]);
		assert_int_equal(row->cont_pmd, geo.cont[pgtsim_slot(PGTSIM_PMD)]);
		assert_int_equal(1, pgtsim_cont_entries(&geo, PGTSIM_PUD));
		assert_int_equal(row->block, level_set(geo.block));
		assert_int_equal(row->block_legal, level_set(geo.block_legal));
		assert_false(geo.oa_keeps_49_48);
	}
}

/* Block and contiguous group sizes are the ones of the granule, in bytes. */
static void leaf_sizes(void **state)
{
	static const struct {
		uint32_t granule;
		unsigned va_bits;
		uint64_t page, block, page_group, block_group;
	} sizes[] = {
		{ 4096, 48, 0x1000, 0x200000, 0x10000, 0x2000000 },
		{ 16384, 47, 0x4000, 0x2000000, 0x200000, 0x40000000 },
		{ 65536, 48, 0x10000, 0x20000000, 0x200000, 0x400000000 },
	};
	struct pgtsim_geometry geo;

	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		pgtsim_geometry_linux(&geo, sizes[i].granule, sizes[i].va_bits, 0, 0);
		assert_int_equal(sizes[i].page, pgtsim_page_size(&geo));
		assert_int_equal(sizes[i].page, pgtsim_entry_size(&geo, PGTSIM_PTE));
		assert_int_equal(sizes[i].block, pgtsim_entry_size(&geo, PGTSIM_PMD));
		assert_int_equal(sizes[i].page_group,
				 sizes[i].page * pgtsim_cont_entries(&geo, PGTSIM_PTE));
		assert_int_equal(sizes[i].block_group,
				 sizes[i].block * pgtsim_cont_entries(&geo, PGTSIM_PMD));
	}
	pgtsim_geometry_linux(&geo, 4096, 39, 0, 0);
	assert_int_equal(PGTSIM_PUD, pgtsim_root_level(&geo));
	assert_int_equal(UINT64_C(1) << 30, pgtsim_entry_size(&geo, PGTSIM_PUD));
}

/* Each regime of the public table builds by its own numbers, and on a CPU without 52 bits. */
static void table_of_regimes(void **state)
{
	size_t count;
	const struct pgtsim_regime *regimes = pgtsim_regimes(&count);
	struct pgtsim_geometry geo;

	(void)state;
	assert_int_equal(10, count);
	assert_string_equal("4K/39", regimes[0].name);
	assert_string_equal("64K/52", regimes[count - 1].name);
	for (size_t i = 0; i < count; i++) {
		const struct pgtsim_regime *r = &regimes[i];

		assert_int_equal(0, pgtsim_geometry_linux(&geo, UINT32_C(1) << r->page_shift,
							  r->va_bits, 0, 0));
		assert_int_equal(r->levels, geo.levels);
		assert_int_equal(0, pgtsim_geometry_linux(&geo, UINT32_C(1) << r->page_shift,
							  r->va_bits, r->va_bits_without_52, 0));
		assert_int_equal(r->va_bits_without_52, geo.va_bits);
	}
}

/* quirk: 64K/52 on 48 bits keeps its 1024-entry root and uses the last 64 entries. */
static void quirk_64k_root_keeps_its_size(void **state)
{
	struct pgtsim_geometry geo;
	uint64_t first;

	(void)state;
	assert_int_equal(0, pgtsim_geometry_linux(&geo, 65536, 52, 48, 0));
	first = pgtsim_va_start(&geo);
	assert_int_equal(UINT64_C(0xffff000000000000), first);
	assert_int_equal(1024, pgtsim_entries(&geo, PGTSIM_PUD));
	assert_int_equal(960, pgtsim_index(&geo, PGTSIM_PUD, first));
	assert_int_equal(1023, pgtsim_index(&geo, PGTSIM_PUD, UINT64_MAX));
}

static void check_split(const struct pgtsim_geometry *geo, uint64_t va)
{
	uint64_t joined = va & (pgtsim_page_size(geo) - 1);
	unsigned total = geo->page_shift;

	for (int level = PGTSIM_PTE; level >= pgtsim_root_level(geo); level--) {
		unsigned slot = pgtsim_slot(level);
		uint64_t base = pgtsim_entry_base(geo, level, va);

		assert_int_equal(total, geo->shift[slot]);
		assert_in_range(va - base, 0, pgtsim_entry_size(geo, level) - 1);
		assert_in_range(pgtsim_index(geo, level, va), 0, pgtsim_entries(geo, level) - 1);
		joined |= (uint64_t)pgtsim_index(geo, level, va) << geo->shift[slot];
		total += geo->bits[slot];
	}
	assert_int_equal(va & ((UINT64_C(1) << total) - 1), joined);
}

/* The indices and the offset together are the address, up to the last entry of the space. */
static void indices_make_the_address(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct pgtsim_geometry geo = build(&table[i]);
		uint64_t start = pgtsim_va_start(&geo);

		for (unsigned bit = 0; bit < geo.va_bits; bit++) {
			check_split(&geo, start | UINT64_C(1) << bit);
			check_split(&geo, ~(UINT64_C(1) << bit));
		}
		check_split(&geo, start);
		check_split(&geo, UINT64_MAX);
	}
}

/* The last entry of each level ends where the address space does, at 2^64, which wraps to 0. */
static void last_entry_wraps_to_zero(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct pgtsim_geometry geo = build(&table[i]);

		for (int level = pgtsim_root_level(&geo); level <= PGTSIM_PTE; level++) {
			uint64_t base = pgtsim_entry_base(&geo, level, UINT64_MAX);

			assert_int_equal(pgtsim_entries(&geo, level) - 1,
					 pgtsim_index(&geo, level, UINT64_MAX));
			assert_int_equal(0, base + pgtsim_entry_size(&geo, level));
		}
	}
}

/* Sizes that no arm64 kernel has are refused, and the geometry is left alone. */
static void linux_refuses_other_sizes(void **state)
{
	static const struct {
		uint32_t granule;
		unsigned va_bits, va_actual, pa_bits;
	} bad[] = {
		{ 0, 48, 0, 0 },      { 8192, 48, 0, 0 },   { 4097, 48, 0, 0 },
		{ 4096, 47, 0, 0 },   { 4096, 0, 0, 0 },    { 16384, 39, 0, 0 },
		{ 65536, 39, 0, 0 },  { 4096, 48, 39, 0 },  { 4096, 48, 52, 0 },
		{ 4096, 52, 47, 0 },  { 16384, 52, 48, 0 }, { 65536, 52, 47, 0 },
		{ 65536, 52, 42, 0 }, { 4096, 48, 0, 52 },  { 16384, 47, 0, 52 },
		{ 4096, 52, 0, 50 },  { 4096, 48, 0, 40 },  { 4096, 304, 0, 0 },
		{ 4096, 48, 304, 0 }, { 4096, 48, 0, 304 },
	};
	struct pgtsim_geometry geo, before;

	(void)state;
	memset(&before, 0xa5, sizeof(before));
	for (size_t i = 0; i < COUNT(bad); i++) {
		memcpy(&geo, &before, sizeof(geo));
		assert_int_equal(-EINVAL,
				 pgtsim_geometry_linux(&geo, bad[i].granule, bad[i].va_bits,
						       bad[i].va_actual, bad[i].pa_bits));
		assert_memory_equal(&before, &geo, sizeof(geo));
	}
}

/* The root is always "pgd"; the names of folded levels are unknown. */
static void names_of_levels(void **state)
{
	struct pgtsim_geometry geo;
	int level = 99;

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		geo = build(&table[i]);
		for (int at = pgtsim_root_level(&geo); at <= PGTSIM_PTE; at++) {
			const char *name = pgtsim_level_name(&geo, at);

			assert_int_equal(0, pgtsim_level_of_name(&geo, name, &level));
			assert_int_equal(at, level);
		}
		assert_null(pgtsim_level_name(&geo, pgtsim_root_level(&geo) - 1));
		assert_null(pgtsim_level_name(&geo, PGTSIM_PTE + 1));
	}
	pgtsim_geometry_linux(&geo, 16384, 47, 0, 0);
	assert_int_equal(-EINVAL, pgtsim_level_of_name(&geo, "pud", &level));
	assert_int_equal(-EINVAL, pgtsim_level_of_name(&geo, "p4d", &level));
	assert_int_equal(-EINVAL, pgtsim_level_of_name(&geo, "", &level));
}

/* A range of VAs may touch both ends of TTBR1's region, and neither leave it nor wrap. */
static void ranges_of_vas(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct pgtsim_geometry geo = build(&table[i]);
		uint64_t start = pgtsim_va_start(&geo);
		uint64_t whole = UINT64_C(1) << geo.va_bits;

		assert_int_equal(0, pgtsim_geometry_check_va(&geo, start, whole));
		assert_int_equal(0, pgtsim_geometry_check_va(&geo, start, 1));
		assert_int_equal(0, pgtsim_geometry_check_va(&geo, UINT64_MAX, 1));
		assert_int_equal(-EINVAL, pgtsim_geometry_check_va(&geo, UINT64_MAX, 2));
		assert_int_equal(-EINVAL, pgtsim_geometry_check_va(&geo, start, whole + 1));
		assert_int_equal(-EINVAL, pgtsim_geometry_check_va(&geo, start, UINT64_MAX));
		assert_int_equal(-EINVAL, pgtsim_geometry_check_va(&geo, start - 1, 1));
		assert_int_equal(-EINVAL, pgtsim_geometry_check_va(&geo, 0, 1));
		assert_int_equal(-EINVAL, pgtsim_geometry_check_va(&geo, start, 0));
	}
}

/* A range of PAs ends with the last byte of pa_bits at most, and does not wrap. */
static void ranges_of_pas(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct pgtsim_geometry geo = build(&table[i]);
		uint64_t whole = UINT64_C(1) << geo.pa_bits;

		assert_int_equal(0, pgtsim_geometry_check_pa(&geo, 0, whole));
		assert_int_equal(0, pgtsim_geometry_check_pa(&geo, whole - 1, 1));
		assert_int_equal(-EINVAL, pgtsim_geometry_check_pa(&geo, whole - 1, 2));
		assert_int_equal(-EINVAL, pgtsim_geometry_check_pa(&geo, whole, 1));
		assert_int_equal(-EINVAL, pgtsim_geometry_check_pa(&geo, 1, UINT64_MAX));
		assert_int_equal(-EINVAL, pgtsim_geometry_check_pa(&geo, UINT64_MAX, 1));
		assert_int_equal(-EINVAL, pgtsim_geometry_check_pa(&geo, 0, 0));
	}
}

/* A toy of two levels has the sizes it was given and defaults for the rest. */
static void toy_of_two_levels(void **state)
{
	const struct pgtsim_geometry_config config = {
		.page_shift = 12,
		.levels = 2,
		.bits = { 2, 3 },
		.cont_pte = 1,
		.cont_pmd = 2,
		.block_levels = L2,
	};
	struct pgtsim_geometry geo;

	(void)state;
	assert_int_equal(0, pgtsim_geometry_custom(&geo, &config));
	assert_int_equal(17, geo.va_bits);
	assert_int_equal(17, geo.config_va_bits);
	assert_int_equal(48, geo.pa_bits);
	assert_int_equal(PGTSIM_OA_48, geo.oa);
	assert_int_equal(4, pgtsim_entries(&geo, PGTSIM_PMD));
	assert_int_equal(8, pgtsim_entries(&geo, PGTSIM_PTE));
	assert_int_equal(0x8000, pgtsim_entry_size(&geo, PGTSIM_PMD));
	assert_int_equal(2, pgtsim_cont_entries(&geo, PGTSIM_PTE));
	assert_int_equal(4, pgtsim_cont_entries(&geo, PGTSIM_PMD));
	assert_int_equal(L2, level_set(geo.block));
	assert_int_equal(L2, level_set(geo.block_legal));
	check_split(&geo, UINT64_MAX - 0x1234);
}

/* A toy of one level is a root of pages, called "pgd". */
static void toy_of_one_level(void **state)
{
	const struct pgtsim_geometry_config config = { .page_shift = 24,
						       .levels = 1,
						       .bits = { 1 } };
	struct pgtsim_geometry geo;

	(void)state;
	assert_int_equal(0, pgtsim_geometry_custom(&geo, &config));
	assert_int_equal(PGTSIM_PTE, pgtsim_root_level(&geo));
	assert_string_equal("pgd", pgtsim_level_name(&geo, PGTSIM_PTE));
	assert_int_equal(25, geo.va_bits);
	assert_int_equal(pgtsim_page_size(&geo), pgtsim_entry_size(&geo, PGTSIM_PTE));
}

/* 63 bits of VA are the most there can be. */
static void widest_geometry(void **state)
{
	struct pgtsim_geometry_config config = {
		.page_shift = 18,
		.levels = 3,
		.bits = { 15, 15, 15 },
	};
	struct pgtsim_geometry geo;

	(void)state;
	assert_int_equal(0, pgtsim_geometry_custom(&geo, &config));
	assert_int_equal(63, geo.va_bits);
	assert_int_equal(UINT64_C(1) << 63, pgtsim_va_start(&geo));
	assert_int_equal(0, pgtsim_geometry_check_va(&geo, UINT64_C(1) << 63, UINT64_C(1) << 63));
	config.page_shift = 19;
	assert_int_equal(-EINVAL, pgtsim_geometry_custom(&geo, &config));
}

/* The VA may use as little as the last root entry, and no more than the indices hold. */
static void toy_with_part_of_the_root(void **state)
{
	static const struct {
		uint8_t va_bits;
		int err;
	} cases[] = { { 20, -EINVAL }, { 21, 0 }, { 24, 0 }, { 25, -EINVAL } };
	struct pgtsim_geometry_config config = { .page_shift = 12, .levels = 2, .bits = { 3, 9 } };
	struct pgtsim_geometry geo;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		config.va_bits = cases[i].va_bits;
		assert_int_equal(cases[i].err, pgtsim_geometry_custom(&geo, &config));
	}
	config.va_bits = 21;
	assert_int_equal(0, pgtsim_geometry_custom(&geo, &config));
	assert_int_equal(7, pgtsim_index(&geo, PGTSIM_PMD, pgtsim_va_start(&geo)));
}

/* Configurations outside the limits are refused, one field at a time. */
static void custom_refuses_nonsense(void **state)
{
	static const struct pgtsim_geometry_config bad[] = {
		{ .page_shift = 11, .levels = 1, .bits = { 1 } },
		{ .page_shift = 25, .levels = 1, .bits = { 1 } },
		{ .page_shift = 12, .levels = 0 },
		{ .page_shift = 12, .levels = 6, .bits = { 1, 1, 1, 1, 1 } },
		{ .page_shift = 12, .levels = 2, .bits = { 9, 0 } },
		{ .page_shift = 12, .levels = 2, .bits = { 9, 10 } },
		{ .page_shift = 12, .levels = 2, .bits = { 9, 9, 9 } },
		{ .page_shift = 12, .levels = 1, .bits = { 9 }, .pa_bits = 11 },
		{ .page_shift = 12, .levels = 1, .bits = { 9 }, .pa_bits = 49 },
		{ .page_shift = 12, .levels = 1, .bits = { 9 }, .pa_bits = 53, .oa = LPA2 },
		{ .page_shift = 12, .levels = 1, .bits = { 9 }, .oa = OA64K },
		{ .page_shift = 16, .levels = 1, .bits = { 9 }, .oa = LPA2 },
		{ .page_shift = 13, .levels = 1, .bits = { 9 }, .oa = LPA2 },
		{ .page_shift = 12, .levels = 1, .bits = { 9 }, .oa = 3 },
		{ .page_shift = 12, .levels = 2, .bits = { 9, 3 }, .cont_pte = 4 },
		{ .page_shift = 12, .levels = 2, .bits = { 3, 9 }, .cont_pmd = 4 },
		{ .page_shift = 12, .levels = 1, .bits = { 9 }, .cont_pmd = 1 },
		{ .page_shift = 12, .levels = 2, .bits = { 9, 9 }, .block_levels = L1 },
		{ .page_shift = 12, .levels = 2, .bits = { 9, 9 }, .block_levels = LEVEL_BIT(3) },
		{ .page_shift = 12, .levels = 2, .bits = { 9, 9 }, .block_levels = 0x80 },
		{ .page_shift = 12, .levels = 1, .bits = { 9 }, .block_levels = L2 },
	};
	struct pgtsim_geometry geo;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(-EINVAL, pgtsim_geometry_custom(&geo, &bad[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(regimes_are_linux_s),
		cmocka_unit_test(leaf_sizes),
		cmocka_unit_test(table_of_regimes),
		cmocka_unit_test(quirk_64k_root_keeps_its_size),
		cmocka_unit_test(indices_make_the_address),
		cmocka_unit_test(last_entry_wraps_to_zero),
		cmocka_unit_test(linux_refuses_other_sizes),
		cmocka_unit_test(names_of_levels),
		cmocka_unit_test(ranges_of_vas),
		cmocka_unit_test(ranges_of_pas),
		cmocka_unit_test(toy_of_two_levels),
		cmocka_unit_test(toy_of_one_level),
		cmocka_unit_test(widest_geometry),
		cmocka_unit_test(toy_with_part_of_the_root),
		cmocka_unit_test(custom_refuses_nonsense),
	};

	return cmocka_run_group_tests_name("geometry", tests, NULL, NULL);
}
