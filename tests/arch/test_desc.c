/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pgtsim/desc.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Attributes of a tagged linear-map leaf, and of a vmemmap block of 6.12. */
#define TAGGED UINT64_C(0x00e8000000000704)
#define VMEMMAP UINT64_C(0x0068000000000700)
#define LINEAR_TABLE UINT64_C(0x1800000000000000)

typedef void (*visit)(const struct pgtsim_geometry *geo);

static struct pgtsim_geometry linux_geometry(uint32_t granule, unsigned va, unsigned va_actual,
					     unsigned pa)
{
	struct pgtsim_geometry geo;

	assert_int_equal(0, pgtsim_geometry_linux(&geo, granule, va, va_actual, pa));
	return geo;
}

/* All that a regime can be: fewer VA bits, both sizes of PA, both ways of 64K/52. */
static void each_variant(const struct pgtsim_regime *regime, visit call)
{
	const unsigned va[] = { regime->va_bits, regime->va_bits_without_52 };
	struct pgtsim_geometry geo;

	for (unsigned i = 0; i < COUNT(va); i++) {
		for (unsigned pa = 48; pa <= 52; pa += 4) {
			if (pgtsim_geometry_linux(&geo, UINT32_C(1) << regime->page_shift,
						  regime->va_bits, va[i], pa) != 0)
				continue;
			call(&geo);
			geo.oa_keeps_49_48 = true;
			call(&geo);
		}
	}
}

static void each_geometry(visit call)
{
	size_t count;
	const struct pgtsim_regime *regimes = pgtsim_regimes(&count);

	for (size_t i = 0; i < count; i++)
		each_variant(&regimes[i], call);
}

/*
 * The n-th test address that is aligned to 2^shift: one bit set, all but one set, then none,
 * all and every other one. False if there are not so many.
 */
static bool address_pattern(const struct pgtsim_geometry *geo, unsigned shift, unsigned n,
			    uint64_t *pa)
{
	uint64_t all = (PGTSIM_BIT(geo->pa_bits) - 1) & ~(PGTSIM_BIT(shift) - 1);
	unsigned bits = geo->pa_bits - shift;
	const uint64_t others[] = { 0, all, all & UINT64_C(0x5555555555555555),
				    all & UINT64_C(0xaaaaaaaaaaaaaaaa) };

	if (n < bits)
		*pa = PGTSIM_BIT(shift + n);
	else if (n < 2 * bits)
		*pa = all & ~PGTSIM_BIT(shift + n - bits);
	else if (n < 2 * bits + COUNT(others))
		*pa = others[n - 2 * bits];
	else
		return false;
	return true;
}

/* An entry is none, invalid, a table, a block or a page by its level and its low bits alone. */
static void kinds(void **state)
{
	static const struct {
		uint64_t desc;
		enum pgtsim_kind above, last;
	} cases[] = {
		{ 0, PGTSIM_NONE, PGTSIM_NONE },
		{ 2, PGTSIM_INVALID, PGTSIM_INVALID },
		{ UINT64_C(0x00e8000000000f06), PGTSIM_INVALID, PGTSIM_INVALID },
		{ PGTSIM_BIT(63), PGTSIM_INVALID, PGTSIM_INVALID },
		{ 1, PGTSIM_BLOCK, PGTSIM_INVALID },
		{ UINT64_C(0x00e8000000000705), PGTSIM_BLOCK, PGTSIM_INVALID },
		{ 3, PGTSIM_TABLE, PGTSIM_PAGE },
		{ UINT64_MAX, PGTSIM_TABLE, PGTSIM_PAGE },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t desc = cases[i].desc;

		for (int level = PGTSIM_PGD; level < PGTSIM_PTE; level++) {
			assert_int_equal(cases[i].above, pgtsim_desc_kind(level, desc));
			assert_int_equal(cases[i].above == PGTSIM_TABLE,
					 pgtsim_desc_is_table(level, desc));
		}
		assert_int_equal(cases[i].last, pgtsim_desc_kind(PGTSIM_PTE, desc));
		assert_false(pgtsim_desc_is_table(PGTSIM_PTE, desc));
	}
}

/* Each kind has its name in `dump`. */
static void names_of_kinds(void **state)
{
	(void)state;
	assert_string_equal("none", pgtsim_kind_name(PGTSIM_NONE));
	assert_string_equal("invalid", pgtsim_kind_name(PGTSIM_INVALID));
	assert_string_equal("table", pgtsim_kind_name(PGTSIM_TABLE));
	assert_string_equal("block", pgtsim_kind_name(PGTSIM_BLOCK));
	assert_string_equal("page", pgtsim_kind_name(PGTSIM_PAGE));
	assert_null(pgtsim_kind_name((enum pgtsim_kind)(PGTSIM_PAGE + 1)));
}

/* Descriptors of real kernels come out bit for bit, in each layout of the output address. */
static void known_leaves(void **state)
{
	static const struct {
		uint32_t granule;
		unsigned va, va_actual;
		bool keeps;
		int level;
		uint64_t pa, attrs, desc;
	} cases[] = {
		{ 4096, 48, 0, true, 3, 0x80000000, TAGGED, 0x00e8000080000707 },
		{ 4096, 48, 0, true, 2, 0x80000000, TAGGED, 0x00e8000080000705 },
		{ 4096, 48, 0, true, 2, 0x80000000, VMEMMAP, 0x0068000080000701 },
		{ 4096, 48, 0, true, 3, 0x80000000, TAGGED | PGTSIM_DESC_CONT, 0x00f8000080000707 },
		{ 4096, 52, 0, true, 3, 0x80000000, TAGGED, 0x00e8000080000407 },
		{ 4096, 52, 0, true, 2, 0x80000000, TAGGED, 0x00e8000080000405 },
		{ 4096, 52, 0, true, 2, 0x80000000, VMEMMAP, 0x0068000080000401 },
		{ 4096, 52, 0, true, 3, 0xf000080000000, TAGGED, 0x00eb000080000707 },
		{ 16384, 52, 0, true, 3, 0x4000080000000, TAGGED, 0x00e8000080000507 },
		{ 4096, 52, 48, true, 3, 0x80000000, TAGGED, 0x00e8000080000707 },
		{ 65536, 52, 0, false, 3, 0x5000020000000, TAGGED, 0x00e8000020005707 },
		{ 65536, 52, 0, true, 3, 0x5000020000000, TAGGED, 0x00e9000020005707 },
		{ 65536, 52, 0, false, 2, 0xf000020000000, TAGGED, 0x00e800002000f705 },
		{ 65536, 52, 48, true, 3, 0x80000000, TAGGED, 0x00e8000080000707 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct pgtsim_geometry geo =
			linux_geometry(cases[i].granule, cases[i].va, cases[i].va_actual, 0);
		uint64_t desc;

		geo.oa_keeps_49_48 = cases[i].keeps;
		desc = pgtsim_desc_leaf(&geo, cases[i].level, cases[i].pa, cases[i].attrs);
		assert_int_equal(cases[i].desc, desc);
		assert_int_equal(cases[i].pa, pgtsim_desc_address(&geo, cases[i].level, desc));
	}
}

/* Tables carry their address like leaves do, and the flags they are given. */
static void known_tables(void **state)
{
	struct pgtsim_geometry geo = linux_geometry(4096, 48, 0, 0);

	(void)state;
	assert_int_equal(0x1800000080001003, pgtsim_desc_table(&geo, 0x80001000, LINEAR_TABLE));
	assert_int_equal(0x1800000080001403,
			 pgtsim_desc_table(&geo, 0x80001000, LINEAR_TABLE | PGTSIM_DESC_AF));
	geo = linux_geometry(4096, 52, 0, 0);
	assert_int_equal(0x1803000080001303,
			 pgtsim_desc_table(&geo, 0xf000080001000, LINEAR_TABLE));
	geo = linux_geometry(65536, 52, 0, 0);
	assert_int_equal(0x000000002000a003, pgtsim_desc_table(&geo, 0xa000020000000, 0));
}

/* quirk: with 64K/52 the copy of PA[49:48] in bits 49:48 has no say in the address. */
static void quirk_copy_of_49_48_is_not_read(void **state)
{
	struct pgtsim_geometry geo = linux_geometry(65536, 52, 0, 0);

	(void)state;
	assert_int_equal(0x5000020000000, pgtsim_desc_address(&geo, 3, 0x00e9000020005707));
	assert_int_equal(0x5000020000000, pgtsim_desc_address(&geo, 3, 0x00ea000020005707));
	assert_int_equal(0x5000020000000, pgtsim_desc_address(&geo, 3, 0x00e8000020005707));
}

/* Only 64K/52 leaves that copy, whatever the flag says. */
static void copy_of_49_48_is_64k_only(void **state)
{
	struct pgtsim_geometry lpa2 = linux_geometry(4096, 52, 0, 0);
	struct pgtsim_geometry narrow = linux_geometry(65536, 48, 0, 0);

	(void)state;
	lpa2.oa_keeps_49_48 = true;
	narrow.oa_keeps_49_48 = true;
	assert_int_equal(UINT64_C(0x0003000000000300), pgtsim_desc_oa(&lpa2, 0xf000000000000));
	assert_int_equal(0, pgtsim_desc_oa(&narrow, 0xf000000000000));
}

/* Address bits that do not fit are dropped, and so are attributes in bits 1:0 of a block. */
static void what_does_not_fit_is_dropped(void **state)
{
	struct pgtsim_geometry geo = linux_geometry(4096, 48, 0, 0);

	(void)state;
	assert_int_equal(0x0000fffffffff000, pgtsim_desc_oa(&geo, UINT64_MAX));
	assert_int_equal(0x200001, pgtsim_desc_leaf(&geo, PGTSIM_PMD, 0x200000, 3));
	geo = linux_geometry(4096, 52, 0, 48);
	assert_int_equal(0x0000fffffffff000, pgtsim_desc_oa(&geo, UINT64_MAX));
}

/* Low bits that a block reserves are no part of its address, were they all there are. */
static void blocks_have_aligned_addresses(void **state)
{
	const struct pgtsim_geometry_config wide = { .page_shift = 16,
						     .levels = 4,
						     .bits = { 2, 13, 13, 13 } };
	struct pgtsim_geometry geo = linux_geometry(4096, 48, 0, 0);

	(void)state;
	assert_int_equal(0x80000000, pgtsim_desc_address(&geo, PGTSIM_PMD, 0x801ff705));
	assert_int_equal(0x801ff000, pgtsim_desc_address(&geo, PGTSIM_PMD, 0x801ff703));
	assert_int_equal(0x801ff000, pgtsim_desc_address(&geo, PGTSIM_PTE, 0x801ff703));
	assert_int_equal(0, pgtsim_desc_address(&geo, PGTSIM_PTE, 0x801ff702));
	assert_int_equal(0, pgtsim_geometry_custom(&geo, &wide));
	assert_int_equal(0, pgtsim_desc_address(&geo, pgtsim_root_level(&geo), ~UINT64_C(2)));
}

static void leaf_round_trip(const struct pgtsim_geometry *geo, int level, uint64_t pa)
{
	uint64_t desc = pgtsim_desc_leaf(geo, level, pa, TAGGED);
	struct pgtsim_desc parts;

	pgtsim_desc_decode(geo, level, desc, &parts);
	assert_int_equal(level == PGTSIM_PTE ? PGTSIM_PAGE : PGTSIM_BLOCK, parts.kind);
	assert_int_equal(pa, parts.address);
	assert_int_equal(1, parts.attr_index);
	assert_int_equal(geo->oa == PGTSIM_OA_LPA2 ? 0 : 3, parts.sh);
	assert_true(parts.af && parts.dbm && parts.pxn && parts.uxn && parts.dirty);
	assert_int_equal(desc, pgtsim_desc_encode(geo, level, &parts));
}

static void table_round_trip(const struct pgtsim_geometry *geo, int level, uint64_t pa)
{
	uint64_t desc = pgtsim_desc_table(geo, pa, LINEAR_TABLE | PGTSIM_DESC_AF);
	struct pgtsim_desc parts;

	pgtsim_desc_decode(geo, level, desc, &parts);
	assert_int_equal(PGTSIM_TABLE, parts.kind);
	assert_int_equal(pa, parts.address);
	assert_true(parts.pxn_table && parts.uxn_table && parts.af);
	assert_int_equal(desc, pgtsim_desc_encode(geo, level, &parts));
}

static void address_round_trips(const struct pgtsim_geometry *geo)
{
	uint64_t pa;

	for (int level = pgtsim_root_level(geo); level <= PGTSIM_PTE; level++) {
		unsigned slot = pgtsim_slot(level);

		for (unsigned n = 0; address_pattern(geo, geo->page_shift, n, &pa); n++)
			if (level < PGTSIM_PTE)
				table_round_trip(geo, level, pa);
		if (level < PGTSIM_PTE && !geo->block_legal[slot])
			continue;
		for (unsigned n = 0; address_pattern(geo, geo->shift[slot], n, &pa); n++)
			leaf_round_trip(geo, level, pa);
	}
}

/* Every address up to the last of pa_bits survives, at each level of each regime. */
static void addresses_survive(void **state)
{
	(void)state;
	each_geometry(address_round_trips);
}

/* A named bit comes through decode and encode alone and together with all others. */
static void bit_round_trips(const struct pgtsim_geometry *geo)
{
	static const uint64_t leaf = UINT64_C(0x00fc000000000ffc) & ~(UINT64_C(1) << 9 | 1 << 8);
	static const uint64_t table = UINT64_C(0xf800000000000400);
	uint64_t pa = pgtsim_entry_size(geo, PGTSIM_PMD);
	uint64_t sh = geo->oa == PGTSIM_OA_LPA2 ? 0 : PGTSIM_DESC_SH_MASK;

	for (int level = PGTSIM_PMD; level <= PGTSIM_PTE; level++) {
		for (unsigned bit = 0; bit < 64; bit++) {
			struct pgtsim_desc parts;
			uint64_t one = PGTSIM_BIT(bit) & (leaf | sh);
			uint64_t desc = pgtsim_desc_leaf(geo, level, pa, one);

			pgtsim_desc_decode(geo, level, desc, &parts);
			assert_int_equal(desc, pgtsim_desc_encode(geo, level, &parts));
			desc = pgtsim_desc_leaf(geo, level, pa, (leaf | sh) & ~one);
			pgtsim_desc_decode(geo, level, desc, &parts);
			assert_int_equal(desc, pgtsim_desc_encode(geo, level, &parts));
			desc = pgtsim_desc_table(geo, pa, PGTSIM_BIT(bit) & table);
			pgtsim_desc_decode(geo, PGTSIM_PMD, desc, &parts);
			assert_int_equal(desc, pgtsim_desc_encode(geo, PGTSIM_PMD, &parts));
		}
	}
}

/* No named bit of a leaf or table is lost or moved. */
static void attributes_survive(void **state)
{
	(void)state;
	each_geometry(bit_round_trips);
}

/* Each bit of a leaf has the name that the Arm ARM gives it. */
static void fields_of_a_leaf(void **state)
{
	struct pgtsim_geometry geo = linux_geometry(4096, 48, 0, 0);
	struct pgtsim_desc d;

	(void)state;
	pgtsim_desc_decode(&geo, 3, 3 | 5 << 2 | 2 << 6 | 1 << 8, &d);
	assert_int_equal(5, d.attr_index);
	assert_int_equal(2, d.ap);
	assert_int_equal(1, d.sh);
	assert_false(d.ns || d.af || d.ng || d.gp || d.dbm || d.cont || d.pxn || d.uxn || d.dirty);
	pgtsim_desc_decode(&geo, 3, 3 | PGTSIM_DESC_NS | PGTSIM_DESC_NG | PGTSIM_DESC_DBM, &d);
	assert_true(d.ns && d.ng && d.dbm && !d.af && !d.gp && !d.cont && !d.pxn);
	pgtsim_desc_decode(&geo, 3, 3 | PGTSIM_DESC_GP | PGTSIM_DESC_CONT | PGTSIM_DESC_UXN, &d);
	assert_true(d.gp && d.cont && d.uxn && !d.dbm && !d.pxn && !d.dirty);
	pgtsim_desc_decode(&geo, 3, 3 | PGTSIM_DESC_AF | PGTSIM_DESC_PXN | PGTSIM_DESC_DIRTY, &d);
	assert_true(d.af && d.pxn && d.dirty && !d.uxn && !d.ng && !d.ns);
	assert_int_equal(0, d.ap_table);
}

/* Each bit of a table has its name, and leaf fields stay 0. */
static void fields_of_a_table(void **state)
{
	struct pgtsim_geometry geo = linux_geometry(4096, 48, 0, 0);
	struct pgtsim_desc d;

	(void)state;
	pgtsim_desc_decode(&geo, 2, 3 | PGTSIM_DESC_PXNTABLE | PGTSIM_BIT(62), &d);
	assert_true(d.pxn_table && !d.uxn_table && !d.ns_table && !d.af);
	assert_int_equal(2, d.ap_table);
	pgtsim_desc_decode(&geo, 2, 3 | PGTSIM_DESC_UXNTABLE | PGTSIM_DESC_NSTABLE, &d);
	assert_true(d.uxn_table && d.ns_table && !d.pxn_table);
	assert_int_equal(0, d.ap_table);
	pgtsim_desc_decode(&geo, 2, UINT64_C(0x00ffffffffffffff), &d);
	assert_int_equal(0, d.attr_index | d.ap | d.sh | d.ns | d.ng | d.cont | d.uxn);
}

/* What is not valid has a kind and nothing else, and encodes as an empty entry. */
static void invalid_has_no_fields(void **state)
{
	static const struct {
		int level;
		uint64_t desc;
	} cases[] = { { 3, 0 }, { 2, 0 }, { 3, 0x00e8000080000f06 }, { 3, 0x00e8000080000705 } };
	struct pgtsim_geometry geo = linux_geometry(4096, 48, 0, 0);
	struct pgtsim_desc d;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		pgtsim_desc_decode(&geo, cases[i].level, cases[i].desc, &d);
		assert_int_equal(cases[i].desc ? PGTSIM_INVALID : PGTSIM_NONE, d.kind);
		assert_int_equal(0, d.address);
		assert_false(d.af || d.ng || d.attr_index || d.dirty);
		assert_int_equal(0, pgtsim_desc_encode(&geo, cases[i].level, &d));
	}
}

/* Within a run each descriptor is the first plus a multiple of the entry size; after it, not. */
static void check_run(const struct pgtsim_geometry *geo, int level, uint64_t pa, uint64_t count)
{
	uint64_t size = pgtsim_entry_size(geo, level);
	uint64_t run = pgtsim_desc_run(geo, level, pa, count);
	uint64_t first = pgtsim_desc_leaf(geo, level, pa, TAGGED);

	assert_in_range(run, 1, count);
	for (uint64_t i = 0; i < run; i++)
		assert_int_equal(first + i * size,
				 pgtsim_desc_leaf(geo, level, pa + i * size, TAGGED));
	if (run < count)
		assert_int_not_equal(first + run * size,
				     pgtsim_desc_leaf(geo, level, pa + run * size, TAGGED));
}

static void runs_at_boundaries(const struct pgtsim_geometry *geo)
{
	for (int level = pgtsim_root_level(geo); level <= PGTSIM_PTE; level++) {
		uint64_t size = pgtsim_entry_size(geo, level);

		if (level < PGTSIM_PTE && !geo->block_legal[pgtsim_slot(level)])
			continue;
		for (unsigned bit = geo->shift[pgtsim_slot(level)] + 3; bit < geo->pa_bits; bit++)
			for (unsigned before = 0; before < 5; before++)
				check_run(geo, level, PGTSIM_BIT(bit) - before * size, 5);
		check_run(geo, level, PGTSIM_BIT(geo->pa_bits) - size, 1);
	}
}

/* Runs are right around every power of two, at each level of each regime. */
static void runs_grow_by_the_entry_size(void **state)
{
	(void)state;
	each_geometry(runs_at_boundaries);
}

/* A run is as long as asked for, unless address bits would go elsewhere. */
static void lengths_of_runs(void **state)
{
	static const struct {
		uint32_t granule;
		unsigned va;
		int level;
		uint64_t pa, count, run;
	} cases[] = {
		{ 4096, 48, 3, 0x80000000, 512, 512 },
		{ 4096, 48, 3, 0, UINT64_MAX, UINT64_MAX },
		{ 4096, 48, 3, 0x80000000, 0, 0 },
		{ 4096, 52, 3, 0x3fffffffff000, 2, 1 },
		{ 4096, 52, 3, 0x0ffffffffe000, 9, 9 },
		{ 4096, 52, 3, 0x4000000000000, 512, 512 },
		{ 65536, 52, 3, 0x0fffffffe0000, 9, 2 },
		{ 65536, 52, 2, 0x0ffffe0000000, 9, 1 },
		{ 65536, 52, 3, 0x1000000000000, 8192, 8192 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct pgtsim_geometry geo = linux_geometry(cases[i].granule, cases[i].va, 0, 0);

		assert_int_equal(cases[i].run, pgtsim_desc_run(&geo, cases[i].level, cases[i].pa,
							       cases[i].count));
	}
}

/* An entry of a toy that is larger than the boundary is a run of one. */
static void run_of_a_huge_entry(void **state)
{
	const struct pgtsim_geometry_config config = {
		.page_shift = 16,
		.levels = 4,
		.bits = { 5, 13, 13, 13 },
		.pa_bits = 52,
		.oa = PGTSIM_OA_64K_52,
	};
	struct pgtsim_geometry geo;

	(void)state;
	assert_int_equal(0, pgtsim_geometry_custom(&geo, &config));
	assert_int_equal(1, pgtsim_desc_run(&geo, PGTSIM_P4D, 0, 7));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds),
		cmocka_unit_test(names_of_kinds),
		cmocka_unit_test(known_leaves),
		cmocka_unit_test(known_tables),
		cmocka_unit_test(quirk_copy_of_49_48_is_not_read),
		cmocka_unit_test(copy_of_49_48_is_64k_only),
		cmocka_unit_test(what_does_not_fit_is_dropped),
		cmocka_unit_test(blocks_have_aligned_addresses),
		cmocka_unit_test(addresses_survive),
		cmocka_unit_test(attributes_survive),
		cmocka_unit_test(fields_of_a_leaf),
		cmocka_unit_test(fields_of_a_table),
		cmocka_unit_test(invalid_has_no_fields),
		cmocka_unit_test(runs_grow_by_the_entry_size),
		cmocka_unit_test(lengths_of_runs),
		cmocka_unit_test(run_of_a_huge_entry),
	};

	return cmocka_run_group_tests_name("desc", tests, NULL, NULL);
}
