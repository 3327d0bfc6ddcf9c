/* SPDX-License-Identifier: MIT */
/* An engine of one's own: hot-remove with another pass 1, judged like the kernel's. */
#include <stdlib.h>

#include <pgtsim/testing.h>

#define PA UINT64_C(0x80000000)
#define SIZE (UINT64_C(128) << 20)

/* ---- the engine ---- */

/* Pass 1: clears everything, then invalidates once. Memory is freed by the library's own pass 1. */
struct flush_once {
	struct pgtsim_engine engine; /* first: unmap() casts */
	bool forgets;                /* a mistake: no invalidate at all */
	unsigned passes;
};

/* A visitor: clears the live entries of a run. */
static int clear(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	(void)arg;
	pgtsim_run_clear(pgt, run, pgtsim_run_live(pgt, run), 0);
	return 0;
}

static void invalidate_all(struct pgtsim_tlb *tlb)
{
	pgtsim_barrier(tlb, PGTSIM_OP_DSB_ISHST, 0);
	pgtsim_invalidate(tlb, PGTSIM_OP_TLBI_ALL, 0, 0, 0, PGTSIM_SCOPE_IS, 0);
	pgtsim_barrier(tlb, PGTSIM_OP_DSB_ISH, 0);
	pgtsim_barrier(tlb, PGTSIM_OP_ISB, 0);
}

static int unmap(struct pgtsim_engine *self, struct pgtsim_pgtable *pgt,
		 const struct pgtsim_unmap *unmap)
{
	static const struct pgtsim_visitor visitor = { .entries = clear };
	struct flush_once *own = (struct flush_once *)(void *)self;
	int ret;

	if (unmap->free_mapped)
		return PGTSIM_ENGINE_OWN;
	own->passes++;
	pgtsim_tlb_begin(pgt->tlb, PGTSIM_OP_BEGIN_PASS_1, unmap->start, unmap->end - 1);
	ret = pgtsim_walk(pgt, unmap->start, unmap->end - 1, &visitor, NULL);
	if (!own->forgets)
		invalidate_all(pgt->tlb);
	pgtsim_tlb_end(pgt->tlb, unmap->start, unmap->end - 1);
	return ret;
}

/* ---- what it is tried on ---- */

/* Adds and removes memory with the engine on the machine's page table. */
static void add_and_remove(struct pgtsim_machine *machine, struct flush_once *own)
{
	own->engine.unmap = unmap;
	pgtsim_engine_set(&machine->pgt, &own->engine);
	assert_int_equal(pgtsim_add_memory(&machine->hotplug, PA, SIZE), 0);
	assert_int_equal(pgtsim_remove_memory(&machine->hotplug, PA, SIZE), 0);
	assert_int_equal(own->passes, 1);
}

/* Nothing is found, and one invalidate does for the linear map what the library's engine does. */
static void right(void **state)
{
	struct pgtsim_machine *machine = *state;
	struct flush_once own = { .forgets = false };

	add_and_remove(machine, &own);
	assert_int_equal(machine->tlb.counts.tlbi_all, 1);
	pgtsim_assert_nothing_stale(machine);
	pgtsim_assert_clean(machine);
}

/* What the engine forgets is reported. */
static void forgets(void **state)
{
	struct pgtsim_machine *machine = *state;
	struct flush_once own = { .forgets = true };
	const struct pgtsim_violation *found;
	size_t count;

	add_and_remove(machine, &own);
	found = pgtsim_violations(&machine->tlb, &count);
	assert_int_not_equal(count, 0);
	assert_string_equal(pgtsim_violation_kind(found[0].name)->name, "stale-leaf");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(right, pgtsim_test_setup, pgtsim_test_teardown),
		cmocka_unit_test_setup_teardown(forgets, pgtsim_test_setup, pgtsim_test_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
