/* SPDX-License-Identifier: MIT */
/* A teardown to judge: unlink all empty tables, flush once, then free them. */
#include "orders.h"

#define PA UINT64_C(0x80000000)
#define SIZE UINT64_C(0x1000000)

struct pass {
	struct pgtsim_pgtable *pgt;
	uint64_t va, last;
	bool free_first; /* a mistake */
	unsigned count;
	struct {
		struct pgtsim_table *table;
		uint64_t va;
	} unlinked[16];
};

/* ---- the algorithm ---- */

/* The walk comes here when it has been below: a table whose own tables went is empty, too. */
static int unlink_empty(struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
			struct pgtsim_table *child, void *arg)
{
	struct pass *pass = arg;

	if (pgtsim_table_live(pgt, child))
		return 0;
	if (pass->free_first)
		pgtsim_table_free(pgt, child, run->va);
	pgtsim_table_detach(pgt, run, child);
	if (pass->free_first)
		return 0;
	pass->unlinked[pass->count].table = child;
	pass->unlinked[pass->count++].va = run->va;
	return 0;
}

static void unlink_all(struct pass *pass)
{
	static const struct pgtsim_visitor visitor = { .table_done = unlink_empty };

	assert_int_equal(pgtsim_walk(pass->pgt, pass->va, pass->last, &visitor, pass), 0);
}

static void free_all(struct pass *pass)
{
	for (unsigned i = 0; i < pass->count; i++)
		pgtsim_table_free(pass->pgt, pass->unlinked[i].table, pass->unlinked[i].va);
	pass->count = 0;
}

static int invalidate(struct pgtsim_tlb *tlb, uint64_t va, enum step step)
{
	if (step == TLBI_LEVEL)
		return pgtsim_invalidate(tlb, PGTSIM_OP_TLBI_RANGE, va, SIZE, 0, PGTSIM_SCOPE_IS,
					 0);
	if (step == TLBI_PART)
		return pgtsim_invalidate(tlb, PGTSIM_OP_TLBI_WALK, va, 0, 0, PGTSIM_SCOPE_IS, 0);
	return pgtsim_invalidate(tlb, PGTSIM_OP_TLBI_ALL, 0, 0, 0,
				 step == TLBI_LOCAL ? PGTSIM_SCOPE_LOCAL : PGTSIM_SCOPE_IS, 0);
}

static void take_step(struct pass *pass, enum step step)
{
	pass->free_first = step == FREE_THEN_CLEAR;
	if (step == CLEAR || step == FREE_THEN_CLEAR)
		unlink_all(pass);
	else if (step == FREE)
		free_all(pass);
	else if (!take_barrier(pass->pgt->tlb, step))
		assert_int_equal(invalidate(pass->pgt->tlb, pass->va, step), 0);
}

/* ---- what it is tried on ---- */

static void map(struct pgtsim_machine *machine, uint64_t offset, uint64_t size)
{
	const struct pgtsim_map map = {
		.va = pgtsim_linear(&machine->layout, PA + offset),
		.pa = PA + offset,
		.size = size,
		.attrs = machine->policy.prot[PGTSIM_PROT_TAGGED],
		.table_attrs = machine->policy.linear_table,
		.region = PGTSIM_REGION_LINEAR,
	};

	assert_int_equal(pgtsim_map(&machine->pgt, &map), 0);
}

/*
 * Takes the steps for tables that were left empty: 8 pte tables and the pmd table above. A page in
 * the next GiB stays mapped. Without it the root's entry would go last, and for that the kernel
 * issues a DSB ISHST of its own, the one that some of the wrong orders lack.
 */
static void tear_down(struct pgtsim_machine *machine, const enum step *steps)
{
	uint64_t va = pgtsim_linear(&machine->layout, PA);
	const struct pgtsim_unmap unmap = { .start = va, .end = va + SIZE };
	struct pass pass = { .pgt = &machine->pgt, .va = va, .last = va + SIZE - 1 };

	map(machine, UINT64_C(1) << 30, 4096);
	map(machine, 0, SIZE);
	assert_int_equal(pgtsim_unmap_range(&machine->pgt, &unmap), 0);
	pgtsim_tlb_begin(&machine->tlb, PGTSIM_OP_BEGIN_PASS_2, va, pass.last);
	while (*steps)
		take_step(&pass, *steps++);
	pgtsim_tlb_end(&machine->tlb, va, pass.last);
}

/* ---- the tests ---- */

/* In the right order nothing is found, and only the three tables of the page that stays are left. */
static void right_order(void **state)
{
	static const enum step steps[] = { CLEAR, DSB_ISHST, TLBI, DSB_ISH, ISB, FREE, END };
	struct pgtsim_machine *machine = *state;
	struct pgtsim_test_mark mark = pgtsim_test_mark(machine);

	tear_down(machine, steps);
	mark.free_pages -= 3;
	mark.tables += 3;
	pgtsim_assert_nothing_leaked(machine, mark);
	pgtsim_assert_nothing_stale(machine);
	pgtsim_assert_clean(machine);
}

/* Every wrong order is reported, by name. */
static void wrong_orders(void **state)
{
	static const struct wrong_order wrong[] = {
		/* A step is left out. */
		{ "empty-table", { DSB_ISHST, TLBI, DSB_ISH, ISB, FREE } },
		{ "missing-barrier", { CLEAR, TLBI, DSB_ISH, ISB, FREE } },
		{ "table-freed-while-cached", { CLEAR, DSB_ISHST, DSB_ISH, ISB, FREE } },
		{ "missing-barrier", { CLEAR, DSB_ISHST, TLBI, ISB, FREE } },
		{ "missing-barrier", { CLEAR, DSB_ISHST, TLBI, DSB_ISH, FREE } },
		{ "table-leak", { CLEAR, DSB_ISHST, TLBI, DSB_ISH, ISB } },
		/* Two steps are swapped. */
		{ "missing-barrier", { DSB_ISHST, CLEAR, TLBI, DSB_ISH, ISB, FREE } },
		{ "missing-barrier", { CLEAR, TLBI, DSB_ISHST, DSB_ISH, ISB, FREE } },
		{ "missing-barrier", { CLEAR, DSB_ISHST, DSB_ISH, TLBI, ISB, FREE } },
		{ "missing-barrier", { CLEAR, DSB_ISHST, TLBI, ISB, DSB_ISH, FREE } },
		/* Freed before the flush, and even before the entry is cleared. */
		{ "table-freed-while-cached", { CLEAR, FREE, DSB_ISHST, TLBI, DSB_ISH, ISB } },
		{ "table-freed-while-cached", { CLEAR, DSB_ISHST, FREE, TLBI, DSB_ISH, ISB } },
		{ "table-freed-while-cached", { CLEAR, DSB_ISHST, TLBI, FREE, DSB_ISH, ISB } },
		{ "freed-while-mapped", { FREE_THEN_CLEAR, DSB_ISHST, TLBI, DSB_ISH, ISB } },
		/* The wrong invalidate: of one CPU, of leaves, of the first table alone. */
		{ "stale-table", { CLEAR, DSB_ISHST, TLBI_LOCAL, DSB_ISH, ISB } },
		{ "table-freed-while-cached",
		  { CLEAR, DSB_ISHST, TLBI_LOCAL, DSB_ISH, ISB, FREE } },
		{ "wrong-invalidate", { CLEAR, DSB_ISHST, TLBI_LEVEL, DSB_ISH, ISB, FREE } },
		{ "table-freed-while-cached", { CLEAR, DSB_ISHST, TLBI_PART, DSB_ISH, ISB, FREE } },
	};

	(void)state;
	assert_all_reported(tear_down, wrong, sizeof(wrong) / sizeof(wrong[0]));
}

/* Of all orders of all or some of the steps the right ones alone are clean. */
static void every_order(void **state)
{
	struct pgtsim_machine *machine = *state;

	assert_every_order_judged(tear_down, pgtsim_memory_free_count(machine->memory) - 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(right_order, pgtsim_test_setup,
						pgtsim_test_teardown),
		cmocka_unit_test(wrong_orders),
		cmocka_unit_test_setup_teardown(every_order, pgtsim_test_setup,
						pgtsim_test_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
