/* SPDX-License-Identifier: MIT */
/* pgtsim_translate(): faults, permissions, memory types. */
#include "page_table.h"

#include <pgtsim/hotplug.h>

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

/*
 * Threads unlink a table and link another one in its place. Whoever translates finds the new one,
 * also when one thread alone uses the page table again: the child cache has dropped the old one,
 * whose page is by now the table of another address.
 */
static void threads_link_another_table(void **state)
{
	struct pgtsim_translation t;
	struct fixture f;
	uint64_t va = fixture_init_4k_48(&f);

	(void)state;
	assert_int_equal(map_linear(&f, va, 2 * GIB, 4096, false), 0);
	assert_int_equal(map_linear(&f, va + 4 * MIB, 2 * GIB, 4096, false), 0);
	f.pgt.access = PGTSIM_ACCESS_SHARED;
	assert_int_equal(pgtsim_unmap_linear(&f.pgt, va, 4096, 0, 0), 0);
	assert_int_equal(map_linear(&f, va + 8 * MIB, 6 * GIB, 4096, false), 0);
	assert_int_equal(map_linear(&f, va, 4 * GIB, 4096, false), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(pgtsim_translate(&f.pgt, va, &t), 0);
		assert_int_equal(t.pa, 4 * GIB);
		assert_int_equal(pgtsim_translate(&f.pgt, va + 8 * MIB, &t), 0);
		assert_int_equal(t.pa, 6 * GIB);
		f.pgt.access = PGTSIM_ACCESS_PRIVATE;
	}
	fixture_drop(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(tables_beyond_pa_bits), cmocka_unit_test(faults_of_a_walk),
	cmocka_unit_test(address_size_faults),   cmocka_unit_test(permissions),
	cmocka_unit_test(types_of_memory),       cmocka_unit_test(what_el0_writes_is_not_executed),
	cmocka_unit_test(faults_have_names),     cmocka_unit_test(threads_link_another_table),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
