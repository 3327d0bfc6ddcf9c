/* SPDX-License-Identifier: MIT */
/* Is one invalidate enough for a range of contiguous mappings? And one for each entry? */
#include <pgtsim/testing.h>

#define PA UINT64_C(0x80000000)
#define SIZE UINT64_C(0x200000)

static uint64_t map_contiguous(struct pgtsim_machine *machine)
{
	const struct pgtsim_map map = {
		.va = pgtsim_linear(&machine->layout, PA),
		.pa = PA,
		.size = SIZE,
		.attrs = machine->policy.prot[PGTSIM_PROT_TAGGED],
		.table_attrs = machine->policy.linear_table,
		.cont = true,
		.region = PGTSIM_REGION_LINEAR,
	};

	assert_int_equal(pgtsim_map(&machine->pgt, &map), 0);
	pgtsim_assert_mapped_to(machine, map.va, PA, SIZE);
	return map.va;
}

static void tear_down(struct pgtsim_machine *machine, uint64_t va)
{
	const struct pgtsim_unmap unmap = { .start = va, .end = va + SIZE };

	assert_int_equal(pgtsim_unmap_range(&machine->pgt, &unmap), 0);
	assert_int_equal(pgtsim_free_tables(&machine->pgt, va, va + SIZE, 0, 0), 0);
	pgtsim_assert_not_mapped(machine, va, SIZE);
}

/* Everything is cleared, then invalidated: nothing stays cached, nothing leaks. */
static void one_flush_for_all(void **state)
{
	struct pgtsim_machine *machine = *state;
	struct pgtsim_test_mark mark = pgtsim_test_mark(machine);

	tear_down(machine, map_contiguous(machine));
	pgtsim_assert_nothing_stale(machine);
	pgtsim_assert_nothing_leaked(machine, mark);
	pgtsim_assert_clean(machine);
}

/* Each entry is cleared and invalidated alone: the group may be cached again meanwhile. */
static void one_flush_for_each(void **state)
{
	struct pgtsim_machine *machine = *state;
	struct pgtsim_stale stale;
	uint64_t va;

	assert_int_equal(pgtsim_policy_set(&machine->policy, "flush", "per-leaf"), 0);
	va = map_contiguous(machine);
	tear_down(machine, va);
	assert_true(pgtsim_may_be_stale(&machine->tlb, va + 0x1000, &stale));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_flush_for_all, pgtsim_test_setup,
						pgtsim_test_teardown),
		cmocka_unit_test_setup_teardown(one_flush_for_each, pgtsim_test_setup,
						pgtsim_test_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
