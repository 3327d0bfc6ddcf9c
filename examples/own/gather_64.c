/* SPDX-License-Identifier: MIT */
/* A teardown to judge: gather 64 leaves, flush, free their memory. */
#include "orders.h"

#define PAGES 200

struct leaf {
	struct pgtsim_run run;
	uint64_t pa;
};

struct gather {
	struct pgtsim_machine *machine;
	const enum step *steps;
	unsigned count;
	struct leaf leaf[64];
};

/* ---- the algorithm ---- */

static int invalidate(struct gather *gather, const struct leaf *leaf, enum step step)
{
	const struct pgtsim_geometry *geo = &gather->machine->geo;
	int level = step == TLBI_LEVEL ? PGTSIM_PMD : leaf->run.level;

	if (step == TLBI_PART && leaf != gather->leaf)
		return 0;
	return pgtsim_invalidate(&gather->machine->tlb, PGTSIM_OP_TLBI_LEAF, leaf->run.va, 0, 0,
				 step == TLBI_LOCAL ? PGTSIM_SCOPE_LOCAL : PGTSIM_SCOPE_IS,
				 pgtsim_ttl(geo, level));
}

static int take_step(struct gather *gather, const struct leaf *leaf, enum step step)
{
	struct pgtsim_machine *machine = gather->machine;

	if (step == FREE)
		return pgtsim_run_free(&machine->pgt, &leaf->run, leaf->pa, machine->memory, NULL);
	if (step != CLEAR)
		return invalidate(gather, leaf, step);
	pgtsim_run_clear(&machine->pgt, &leaf->run, 1, 0);
	return 0;
}

/* Each step for all leaves, before the next one. */
static void flush(struct gather *gather)
{
	for (const enum step *step = gather->steps; *step; step++)
		if (!take_barrier(&gather->machine->tlb, *step))
			for (unsigned i = 0; i < gather->count; i++)
				assert_int_equal(take_step(gather, &gather->leaf[i], *step), 0);
	gather->count = 0;
}

/* A visitor: gathers the leaves of a run, one by one. */
static int gather_leaves(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	const uint64_t size = pgtsim_entry_size(&pgt->geo, run->level);
	struct gather *gather = arg;

	for (unsigned i = 0; i < run->count; i++) {
		uint64_t desc = pgtsim_entry(pgt, run->table, run->index + i);
		uint64_t va = run->va + i * size;

		if (!desc)
			continue;
		gather->leaf[gather->count++] = (struct leaf){
			.run = pgtsim_run_part(pgt, run, va, va + size - 1),
			.pa = pgtsim_desc_address(&pgt->geo, run->level, desc),
		};
		if (gather->count == 64)
			flush(gather);
	}
	return 0;
}

static void unmap(struct pgtsim_machine *machine, uint64_t va, uint64_t last,
		  const enum step *steps)
{
	static const struct pgtsim_visitor visitor = { .entries = gather_leaves };
	struct gather gather = { .machine = machine, .steps = steps };

	pgtsim_tlb_begin(&machine->tlb, PGTSIM_OP_BEGIN_PASS_1, va, last);
	assert_int_equal(pgtsim_walk(&machine->pgt, va, last, &visitor, &gather), 0);
	flush(&gather);
	pgtsim_tlb_end(&machine->tlb, va, last);
}

/* ---- what it is tried on ---- */

/* Maps pages of the page allocator, and unmaps them with these steps. */
static void tear_down(struct pgtsim_machine *machine, const enum step *steps)
{
	uint64_t pfn, va = pgtsim_linear(&machine->layout, 0x80000000);
	struct pgtsim_map map = {
		.va = va,
		.size = PAGES * 4096,
		.attrs = machine->policy.prot[PGTSIM_PROT_TAGGED],
		.table_attrs = machine->policy.linear_table,
	};

	assert_int_equal(pgtsim_memory_alloc_run(machine->memory, PAGES, &pfn), PAGES);
	map.pa = pfn * 4096;
	assert_int_equal(pgtsim_map(&machine->pgt, &map), 0);
	unmap(machine, va, va + map.size - 1, steps);
	assert_int_equal(pgtsim_free_tables(&machine->pgt, va, va + map.size, 0, 0), 0);
}

/* ---- the tests ---- */

/* In the right order nothing is found, and every page and table is given back. */
static void right_order(void **state)
{
	static const enum step steps[] = { CLEAR, DSB_ISHST, TLBI, DSB_ISH, ISB, FREE, END };
	struct pgtsim_machine *machine = *state;
	struct pgtsim_test_mark mark = pgtsim_test_mark(machine);

	tear_down(machine, steps);
	pgtsim_assert_nothing_leaked(machine, mark);
	pgtsim_assert_nothing_stale(machine);
	pgtsim_assert_clean(machine);
}

/*
 * Every wrong order is reported, by name. One is no violation: pages that are never freed. They are
 * missed when free pages are counted, in every_order().
 */
static void wrong_orders(void **state)
{
	static const struct wrong_order wrong[] = {
		/* A step is left out. */
		{ "leaf-in-pass-2", { DSB_ISHST, TLBI, DSB_ISH, ISB } },
		{ "freed-while-mapped", { DSB_ISHST, TLBI, DSB_ISH, ISB, FREE } },
		{ "missing-barrier", { CLEAR, TLBI, DSB_ISH, ISB, FREE } },
		{ "freed-while-cached", { CLEAR, DSB_ISHST, DSB_ISH, ISB, FREE } },
		{ "missing-barrier", { CLEAR, DSB_ISHST, TLBI, ISB, FREE } },
		{ "missing-barrier", { CLEAR, DSB_ISHST, TLBI, DSB_ISH, FREE } },
		/* Two steps are swapped. */
		{ "missing-barrier", { DSB_ISHST, CLEAR, TLBI, DSB_ISH, ISB, FREE } },
		{ "missing-barrier", { CLEAR, TLBI, DSB_ISHST, DSB_ISH, ISB, FREE } },
		{ "missing-barrier", { CLEAR, DSB_ISHST, DSB_ISH, TLBI, ISB, FREE } },
		{ "missing-barrier", { CLEAR, DSB_ISHST, TLBI, ISB, DSB_ISH, FREE } },
		/* Freed before the flush, and even before the entries are cleared. */
		{ "freed-while-cached", { CLEAR, FREE, DSB_ISHST, TLBI, DSB_ISH, ISB } },
		{ "freed-while-cached", { CLEAR, DSB_ISHST, FREE, TLBI, DSB_ISH, ISB } },
		{ "freed-while-cached", { CLEAR, DSB_ISHST, TLBI, FREE, DSB_ISH, ISB } },
		{ "freed-while-mapped", { FREE, CLEAR, DSB_ISHST, TLBI, DSB_ISH, ISB } },
		/* The wrong invalidate: of one CPU, of blocks, of the first leaf alone. */
		{ "stale-leaf", { CLEAR, DSB_ISHST, TLBI_LOCAL, DSB_ISH, ISB } },
		{ "freed-while-cached", { CLEAR, DSB_ISHST, TLBI_LOCAL, DSB_ISH, ISB, FREE } },
		{ "wrong-invalidate", { CLEAR, DSB_ISHST, TLBI_LEVEL, DSB_ISH, ISB, FREE } },
		{ "freed-while-cached", { CLEAR, DSB_ISHST, TLBI_PART, DSB_ISH, ISB, FREE } },
	};

	(void)state;
	assert_all_reported(tear_down, wrong, sizeof(wrong) / sizeof(wrong[0]));
}

/* Of all orders of all or some of the steps the right ones alone are clean. */
static void every_order(void **state)
{
	struct pgtsim_machine *machine = *state;

	assert_every_order_judged(tear_down, pgtsim_memory_free_count(machine->memory));
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
