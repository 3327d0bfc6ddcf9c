/* SPDX-License-Identifier: MIT */
/* orders: tries a teardown of a caller's own with its steps in the right order, and in all others. */
#ifndef ORDERS_H
#define ORDERS_H

#include <pgtsim/testing.h>

enum step {
	END,
	CLEAR,
	DSB_ISHST,
	TLBI,
	DSB_ISH,
	ISB,
	FREE,
	/* Mistakes: */
	TLBI_LOCAL, /* not broadcast to other CPUs */
	TLBI_LEVEL, /* of another level than what was cleared */
	TLBI_PART,  /* not of all that was cleared */
	FREE_THEN_CLEAR,
};

/* Maps something in an empty machine, and tears it down again with these steps. */
typedef void teardown_fn(struct pgtsim_machine *machine, const enum step *steps);

struct wrong_order {
	const char *found; /* the violation that tells of it */
	enum step steps[8];
};

/* Takes a step that is a barrier; false if it is none. */
static inline bool take_barrier(struct pgtsim_tlb *tlb, enum step step)
{
	switch (step) {
	case DSB_ISHST:
		return !pgtsim_barrier(tlb, PGTSIM_OP_DSB_ISHST, 0);
	case DSB_ISH:
		return !pgtsim_barrier(tlb, PGTSIM_OP_DSB_ISH, 0);
	case ISB:
		return !pgtsim_barrier(tlb, PGTSIM_OP_ISB, 0);
	default:
		return false;
	}
}

/* True if a violation of this name is among those found. */
static inline bool is_found(const struct pgtsim_machine *machine, const char *name)
{
	const struct pgtsim_violation *found;
	size_t count;

	found = pgtsim_violations(&machine->tlb, &count);
	for (size_t i = 0; i < count; i++)
		if (!strcmp(pgtsim_violation_kind(found[i].name)->name, name))
			return true;
	return false;
}

/* Fails unless each of the orders is reported, by name. */
static inline void assert_all_reported(teardown_fn *tear_down, const struct wrong_order *wrong,
				       size_t count)
{
	unsigned missed = 0;

	for (size_t i = 0; i < count; i++) {
		struct pgtsim_machine *machine = pgtsim_test_machine("latest", 4096, 48);

		tear_down(machine, wrong[i].steps);
		pgtsim_check_machine(machine);
		if (!is_found(machine, wrong[i].found)) {
			print_error("wrong[%u]: no %s\n", (unsigned)i, wrong[i].found);
			pgtsim_test_print_violations(machine, 0);
			missed++;
		}
		pgtsim_machine_free(&machine);
	}
	assert_int_equal(missed, 0);
}

/* ---- every order ---- */

/*
 * Clear, DSB ISHST, invalidate, DSB ISH; after that free and ISB. Which of these two comes first does
 * not matter: after DSB ISH no other CPU uses the old entries, and this one, which may until its ISB,
 * accesses nothing there in between.
 */
static inline bool is_right(const unsigned at[FREE + 1])
{
	return at[CLEAR] && at[DSB_ISHST] > at[CLEAR] && at[TLBI] > at[DSB_ISHST] &&
	       at[DSB_ISH] > at[TLBI] && at[ISB] > at[DSB_ISH] && at[FREE] > at[DSB_ISH];
}

/* True if the machine finds nothing wrong with these steps, and as much is free as without any. */
static inline bool is_clean(teardown_fn *tear_down, const enum step *steps, uint64_t free_pages)
{
	struct pgtsim_machine *machine = pgtsim_test_machine("latest", 4096, 48);
	bool clean;

	tear_down(machine, steps);
	pgtsim_check_machine(machine);
	clean = !machine->tlb.counts.violations &&
		pgtsim_memory_free_count(machine->memory) == free_pages;
	pgtsim_machine_free(&machine);
	return clean;
}

/* Tries all orders that begin with these steps; at[] says where each step is, 1 the first. */
static inline void try_orders(teardown_fn *tear_down, enum step steps[FREE + 1], unsigned count,
			      unsigned at[FREE + 1], uint64_t free_pages)
{
	steps[count] = END;
	if (is_clean(tear_down, steps, free_pages) != is_right(at)) {
		for (unsigned i = 0; i < count; i++)
			print_error("%u ", (unsigned)steps[i]);
		print_error("are %s, and reported otherwise\n", is_right(at) ? "right" : "wrong");
		fail();
	}
	for (enum step step = CLEAR; step <= FREE; step = (enum step)(step + 1)) {
		if (at[step])
			continue;
		steps[count] = step;
		at[step] = count + 1;
		try_orders(tear_down, steps, count + 1, at, free_pages);
		at[step] = 0;
	}
}

/* Fails unless of all orders of all or some of the steps the right ones alone are clean. */
static inline void assert_every_order_judged(teardown_fn *tear_down, uint64_t free_pages)
{
	enum step steps[FREE + 1];
	unsigned at[FREE + 1] = { 0 };

	try_orders(tear_down, steps, 0, at, free_pages);
}

#endif
