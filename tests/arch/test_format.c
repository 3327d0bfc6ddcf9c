/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pgtsim/format.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct pgtsim_geometry s390_geometry(unsigned va, unsigned edat)
{
	struct pgtsim_geometry geo;

	assert_int_equal(pgtsim_geometry_s390(&geo, va, edat), 0);
	return geo;
}

/* A number that looks random, the same in each run. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void check_round_trip(const struct pgtsim_geometry *geo, int level, uint64_t value)
{
	uint64_t kept = pgtsim_desc_from_raw(geo, level, value);
	uint64_t raw = pgtsim_desc_to_raw(geo, level, value);

	assert_int_equal(pgtsim_desc_to_raw(geo, level, kept), value);
	assert_int_equal(pgtsim_desc_from_raw(geo, level, raw), value);
}

/* No bit is lost on the way in or out, whatever the entry holds. */
static void test_round_trip(void **state)
{
	const struct pgtsim_geometry geo = s390_geometry(53, 2);
	uint64_t random = 88172645463325252u;

	(void)state;
	for (int level = PGTSIM_PGD; level <= PGTSIM_PTE; level++) {
		for (unsigned bit = 0; bit < 64; bit++)
			for (unsigned other = 0; other < 64; other++)
				check_round_trip(&geo, level, PGTSIM_BIT(bit) | PGTSIM_BIT(other));
		for (unsigned i = 0; i < 10000; i++)
			check_round_trip(&geo, level, next_random(&random));
	}
}

/* arm64's entries are kept as they are. */
static void test_arm64_is_itself(void **state)
{
	struct pgtsim_geometry geo;
	uint64_t random = 1;

	(void)state;
	assert_int_equal(pgtsim_geometry_linux(&geo, 4096, 48, 0, 0), 0);
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t value = next_random(&random);

		assert_int_equal(pgtsim_desc_from_raw(&geo, PGTSIM_PMD, value), value);
		assert_int_equal(pgtsim_desc_to_raw(&geo, PGTSIM_PMD, value), value);
	}
	assert_int_equal(pgtsim_desc_empty(&geo, PGTSIM_PTE), 0);
}

/* An entry's value on s390, and what it is. */
struct entry {
	int level;
	uint64_t raw;
	enum pgtsim_kind kind;
	uint64_t address;
	bool read_only, no_execute; /* of leaves */
};

/* Values that arch/s390/include/asm/pgtable.h makes, and what z/Architecture reads in them. */
static const struct entry entries[] = {
	{ PGTSIM_PGD, 0x2c, PGTSIM_NONE, 0, false, false },
	{ PGTSIM_P4D, 0x28, PGTSIM_NONE, 0, false, false },
	{ PGTSIM_PUD, 0x24, PGTSIM_NONE, 0, false, false },
	{ PGTSIM_PMD, 0x20, PGTSIM_NONE, 0, false, false },
	{ PGTSIM_PTE, 0x400, PGTSIM_NONE, 0, false, false },
	{ PGTSIM_P4D, 0x1234400b, PGTSIM_TABLE, 0x12344000, false, false },
	{ PGTSIM_PUD, 0x12344007, PGTSIM_TABLE, 0x12344000, false, false },
	{ PGTSIM_PMD, 0x12345000, PGTSIM_TABLE, 0x12345000, false, false },
	{ PGTSIM_PUD, 0x180003507, PGTSIM_BLOCK, 0x180000000, false, true },
	{ PGTSIM_PMD, 0x80003503, PGTSIM_BLOCK, 0x80000000, false, true },
	{ PGTSIM_PMD, 0x80003603, PGTSIM_BLOCK, 0x80000000, true, false },
	{ PGTSIM_PTE, 0x1234513d, PGTSIM_PAGE, 0x12345000, false, true },
	{ PGTSIM_PTE, 0x12345215, PGTSIM_PAGE, 0x12345000, true, false },
	/* Invalid, but not empty. */
	{ PGTSIM_PTE, 0x1234553d, PGTSIM_INVALID, 0, false, false },
	{ PGTSIM_PMD, 0x80003523, PGTSIM_INVALID, 0, false, false },
	/* Bit 52 of a valid page entry must be 0. */
	{ PGTSIM_PTE, 0x1234593d, PGTSIM_INVALID, 0, false, false },
};

/* What an entry is, where it leads and what it allows is read from the form that it is kept in. */
static void test_entries(void **state)
{
	const struct pgtsim_geometry geo = s390_geometry(53, 2);

	(void)state;
	for (size_t i = 0; i < COUNT(entries); i++) {
		const struct entry *e = &entries[i];
		uint64_t desc = pgtsim_desc_from_raw(&geo, e->level, e->raw);
		bool leaf = e->kind == PGTSIM_BLOCK || e->kind == PGTSIM_PAGE;

		assert_int_equal(pgtsim_desc_kind(e->level, desc), e->kind);
		assert_int_equal(pgtsim_desc_address(&geo, e->level, desc), e->address);
		assert_int_equal(!desc, e->kind == PGTSIM_NONE);
		if (e->kind == PGTSIM_NONE)
			assert_int_equal(pgtsim_desc_empty(&geo, e->level), e->raw);
		if (!leaf)
			continue;
		assert_int_equal(!!(desc & PGTSIM_DESC_AP2), e->read_only);
		assert_int_equal(!!(desc & PGTSIM_DESC_PXN), e->no_execute);
		assert_true(desc & PGTSIM_DESC_AF);
		assert_false(desc & (PGTSIM_DESC_CONT | PGTSIM_DESC_NG));
	}
}

/* Leaves that follow one another differ by the size of an entry in both forms. */
static void test_steps(void **state)
{
	const struct pgtsim_geometry geo = s390_geometry(53, 2);

	(void)state;
	for (size_t i = 0; i < COUNT(entries); i++) {
		const struct entry *e = &entries[i];
		uint64_t size = pgtsim_entry_size(&geo, e->level);
		uint64_t desc = pgtsim_desc_from_raw(&geo, e->level, e->raw);

		if (e->kind == PGTSIM_BLOCK || e->kind == PGTSIM_PAGE)
			assert_int_equal(pgtsim_desc_to_raw(&geo, e->level, desc + size),
					 e->raw + size);
	}
}

/* The levels of s390, their tables and where leaves are legal. */
static void test_geometry(void **state)
{
	struct pgtsim_geometry geo = s390_geometry(42, 1);

	(void)state;
	assert_int_equal(geo.levels, 3);
	assert_int_equal(pgtsim_va_start(&geo), 0);
	assert_int_equal(pgtsim_va_last(&geo), (UINT64_C(1) << 42) - 1);
	assert_true(pgtsim_va_inside(&geo, 0));
	assert_true(pgtsim_va_inside(&geo, (UINT64_C(1) << 42) - 1));
	assert_false(pgtsim_va_inside(&geo, UINT64_C(1) << 42));
	assert_false(pgtsim_va_inside(&geo, UINT64_MAX));
	assert_int_equal(pgtsim_entries(&geo, PGTSIM_PTE), 256);
	assert_int_equal(pgtsim_entries(&geo, PGTSIM_PMD), 2048);
	assert_int_equal(pgtsim_entry_size(&geo, PGTSIM_PMD), 1 << 20);
	assert_int_equal(pgtsim_entry_size(&geo, PGTSIM_PUD), UINT64_C(1) << 31);
	assert_int_equal(pgtsim_table_order(&geo, PGTSIM_PTE), 0);
	assert_int_equal(pgtsim_table_order(&geo, PGTSIM_PMD), 2);
	assert_true(geo.block_legal[pgtsim_slot(PGTSIM_PMD)]);
	assert_false(geo.block_legal[pgtsim_slot(PGTSIM_PUD)]);
	geo = s390_geometry(53, 2);
	assert_int_equal(geo.levels, 4);
	assert_true(geo.block_legal[pgtsim_slot(PGTSIM_PUD)]);
	geo = s390_geometry(53, 0);
	assert_false(geo.block_legal[pgtsim_slot(PGTSIM_PMD)]);
	assert_int_equal(pgtsim_geometry_s390(&geo, 48, 1), -EINVAL);
	assert_int_equal(pgtsim_geometry_s390(&geo, 42, 3), -EINVAL);
	assert_int_equal(pgtsim_geometry_s390(NULL, 42, 1), -EINVAL);
}

/* Formats have names; numbers that are none have not. */
static void test_names(void **state)
{
	(void)state;
	assert_string_equal(pgtsim_format_name(PGTSIM_FORMAT_ARM64), "arm64");
	assert_string_equal(pgtsim_format_name(PGTSIM_FORMAT_S390), "s390");
	assert_null(pgtsim_format_name(PGTSIM_FORMAT_COUNT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_arm64_is_itself),
		cmocka_unit_test(test_entries),    cmocka_unit_test(test_steps),
		cmocka_unit_test(test_geometry),   cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
