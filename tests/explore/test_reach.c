/* SPDX-License-Identifier: MIT */
/* reach: which pairs of steps depend on each other, one row of the rules after the other. */
#include "hotplug.h"

/* The rules are no part of the library's interface. */
#include "explore/reach.c"

enum { NOTHING, VA_ALONE, PA_ALONE, CPU_ALONE, NEW_SMALL, NEW_ABOVE, DONE, COUNT_OF_WAYS };

/* Two steps that have one thing in common, or nothing. */
static void make(struct pgtsim_reach *a, struct pgtsim_reach *b, int way)
{
	*a = *b = no_reach;
	a->cpu = 1;
	b->cpu = way == CPU_ALONE ? 1 : 2;
	a->va = 0x1000;
	a->last = 0x1fff;
	b->va = way == VA_ALONE || way == NEW_SMALL || way == NEW_ABOVE ? 0x1000 : 0x8000;
	b->last = b->va + (way == NEW_ABOVE ? 0x1fff : 0xfff);
	a->pa = 0x100000;
	a->pa_last = 0x100fff;
	b->pa = way == PA_ALONE ? 0x100000 : 0x200000;
	b->pa_last = b->pa + 0xfff;
	if (way == NEW_SMALL || way == NEW_ABOVE) {
		a->va = UINT64_MAX;
		a->last = 0;
		a->new_va = 0x1000;
		a->new_last = 0x1fff;
		a->new_size = 0x1fff;
	}
	a->completes = way == DONE;
}

/* The ways in which a pair of kinds depends: bit VA_ALONE … DONE. `a` is the barrier, if one is. */
static const struct {
	uint8_t a, b;
	unsigned ways;
} pairs[] = {
#define WAY(name) (1u << (name))
	{ PGTSIM_REACH_STORE, PGTSIM_REACH_STORE, WAY(VA_ALONE) },
	{ PGTSIM_REACH_STORE, PGTSIM_REACH_INVALIDATE, WAY(VA_ALONE) },
	{ PGTSIM_REACH_BARRIER, PGTSIM_REACH_STORE,
	  WAY(VA_ALONE) | WAY(CPU_ALONE) | WAY(NEW_ABOVE) },
	{ PGTSIM_REACH_STORE, PGTSIM_REACH_CONTEXT, WAY(CPU_ALONE) },
	{ PGTSIM_REACH_STORE, PGTSIM_REACH_FREE, WAY(VA_ALONE) | WAY(PA_ALONE) },
	{ PGTSIM_REACH_STORE, PGTSIM_REACH_END, WAY(VA_ALONE) },
	{ PGTSIM_REACH_INVALIDATE, PGTSIM_REACH_INVALIDATE, WAY(VA_ALONE) },
	{ PGTSIM_REACH_BARRIER, PGTSIM_REACH_INVALIDATE, WAY(VA_ALONE) | WAY(CPU_ALONE) },
	{ PGTSIM_REACH_INVALIDATE, PGTSIM_REACH_CONTEXT, WAY(CPU_ALONE) },
	{ PGTSIM_REACH_INVALIDATE, PGTSIM_REACH_FREE, 0 },
	{ PGTSIM_REACH_INVALIDATE, PGTSIM_REACH_END, WAY(VA_ALONE) },
	{ PGTSIM_REACH_BARRIER, PGTSIM_REACH_BARRIER, WAY(CPU_ALONE) },
	{ PGTSIM_REACH_BARRIER, PGTSIM_REACH_CONTEXT, WAY(CPU_ALONE) },
	{ PGTSIM_REACH_BARRIER, PGTSIM_REACH_FREE, WAY(VA_ALONE) | WAY(DONE) },
	{ PGTSIM_REACH_BARRIER, PGTSIM_REACH_END,
	  WAY(VA_ALONE) | WAY(CPU_ALONE) | WAY(NEW_SMALL) | WAY(NEW_ABOVE) },
	{ PGTSIM_REACH_CONTEXT, PGTSIM_REACH_CONTEXT, WAY(CPU_ALONE) },
	{ PGTSIM_REACH_CONTEXT, PGTSIM_REACH_FREE, 0 },
	{ PGTSIM_REACH_CONTEXT, PGTSIM_REACH_END, WAY(VA_ALONE) | WAY(CPU_ALONE) },
	{ PGTSIM_REACH_FREE, PGTSIM_REACH_FREE, WAY(PA_ALONE) },
	{ PGTSIM_REACH_FREE, PGTSIM_REACH_END, 0 },
	{ PGTSIM_REACH_END, PGTSIM_REACH_END, 0 },
};

/* Each pair depends in its ways and in no other, whichever step comes first. */
static void pairs_depend(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(pairs); i++)
		for (int way = NOTHING; way < COUNT_OF_WAYS; way++) {
			bool is_new = way == NEW_SMALL || way == NEW_ABOVE;
			bool depends = pairs[i].ways >> way & 1;
			struct pgtsim_reach a, b;

			/* Only a barrier makes something new visible, or completes something. */
			if ((is_new || way == DONE) && pairs[i].a != PGTSIM_REACH_BARRIER)
				continue;
			make(&a, &b, way);
			a.kind = pairs[i].a;
			b.kind = pairs[i].b;
			if (pgtsim_reach_meets(&a, &b) != depends ||
			    pgtsim_reach_meets(&b, &a) != depends)
				fail_msg("pair %zu, way %d: not %d", i, way, depends);
		}
}

/* A store that is still to come may be on any CPU. */
static void any_cpu_is_each(void **state)
{
	struct pgtsim_reach a, b;

	(void)state;
	make(&a, &b, NOTHING);
	a.kind = PGTSIM_REACH_STORE;
	b.kind = PGTSIM_REACH_BARRIER;
	assert_false(pgtsim_reach_meets(&a, &b));
	a.cpu = PGTSIM_REACH_ANY_CPU;
	assert_true(pgtsim_reach_meets(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_depend),
		cmocka_unit_test(any_cpu_is_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
