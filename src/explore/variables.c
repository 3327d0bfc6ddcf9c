/* SPDX-License-Identifier: MIT */
/*
 * What actors share besides the tables: variables, and reader-writer locks and RCU built on them. Each
 * access is a step. An actor that reads a variable twice in a row waits, the second time, until another
 * actor has written it. So a loop that polls a variable takes a few steps instead of endlessly many,
 * and if nobody ever writes it, the run is a deadlock.
 */
#include <errno.h>
#include <stdlib.h>

#include "explore.h"

enum { PATIENCE = 1000 }; /* reads after which a polling actor is abandoned while draining */

/* The value of a rwlock is the number of readers that hold it, or this if a writer does. */
#define WRITER UINT64_MAX

void pgtsim_variables_start(struct pgtsim_exploring *x)
{
	free(x->variables.cells);
	x->variables = (struct pgtsim_shadow){ .level = PGTSIM_PTE };
	for (unsigned i = 0; i < PGTSIM_ALL_VARIABLES; i++)
		x->variable[i] = (struct pgtsim_variable){ .value = 0 };
	for (unsigned i = 0; i < x->actor_count; i++)
		x->actor[i].spins = 0;
}

void pgtsim_variables_fini(struct pgtsim_exploring *x)
{
	free(x->variables.cells);
}

/*
 * Called for each access while draining. An actor that polls a variable would never end, because
 * nobody writes it any more: after PATIENCE accesses it is stopped here for good, and run.c gives
 * it a new stack.
 */
static void give_up(struct pgtsim_actor *a)
{
	if (++a->spins < PATIENCE)
		return;
	a->given_up = true;
	for (;;)
		pgtsim_coroutine_yield(a->coroutine);
}

/*
 * Takes a step that accesses a variable. If it `waits`, not before the version is another one than
 * the actor's last read saw.
 */
static void take_variable_step(struct pgtsim_actor *a, unsigned variable, enum pgtsim_explore_op op,
			       bool waits)
{
	struct pgtsim_exploring *x = a->x;

	if (x->draining) {
		give_up(a);
		return;
	}
	pgtsim_take_step(x, &(struct pgtsim_next){ .op = op,
						   .table = &x->variables,
						   .index = variable,
						   .waits = waits,
						   .version = a->read_version });
	if (op == PGTSIM_STEP_WRITE && !x->draining)
		x->variable[variable].version++;
}

/*
 * Reads a variable. If the actor's last step was a read of the same one, waits until it is written.
 */
static uint64_t load_variable(struct pgtsim_actor *a, unsigned variable)
{
	struct pgtsim_exploring *x = a->x;
	const struct pgtsim_variable *v = &x->variable[variable];
	bool waits = a->reads_again && a->read_variable == variable &&
		     a->read_at == x->actor_steps[a->id];

	take_variable_step(a, variable, PGTSIM_STEP_READ, waits);
	a->reads_again = true;
	a->read_variable = variable;
	a->read_version = v->version;
	a->read_at = x->actor_steps[a->id];
	return v->value;
}

static void store_variable(struct pgtsim_actor *a, unsigned variable, uint64_t value)
{
	take_variable_step(a, variable, PGTSIM_STEP_WRITE, false);
	a->x->variable[variable].value = value;
}

static bool compare_swap(struct pgtsim_actor *a, unsigned variable, uint64_t old, uint64_t value)
{
	struct pgtsim_variable *v = &a->x->variable[variable];

	take_variable_step(a, variable, PGTSIM_STEP_WRITE, false);
	if (v->value != old)
		return false;
	v->value = value;
	return true;
}

/* ---- for callers ---- */

uint64_t pgtsim_actor_load(struct pgtsim_actor *actor, unsigned variable)
{
	if (!actor)
		return 0;
	return variable < PGTSIM_VARIABLES ? load_variable(actor, variable) : 0;
}

int pgtsim_actor_store(struct pgtsim_actor *actor, unsigned variable, uint64_t value)
{
	if (!actor)
		return -EINVAL;
	if (variable >= PGTSIM_VARIABLES)
		return -EINVAL;
	store_variable(actor, variable, value);
	return 0;
}

bool pgtsim_actor_compare_swap(struct pgtsim_actor *actor, unsigned variable, uint64_t old,
			       uint64_t value)
{
	if (!actor)
		return false;
	return variable < PGTSIM_VARIABLES && compare_swap(actor, variable, old, value);
}

int pgtsim_actor_read_lock(struct pgtsim_actor *actor, unsigned lock)
{
	uint64_t readers;

	if (!actor)
		return -EINVAL;
	if (lock >= PGTSIM_RWLOCKS)
		return -EINVAL;
	do {
		do
			readers = load_variable(actor, PGTSIM_FIRST_RWLOCK + lock);
		while (readers == WRITER);
	} while (!compare_swap(actor, PGTSIM_FIRST_RWLOCK + lock, readers, readers + 1));
	return 0;
}

int pgtsim_actor_read_unlock(struct pgtsim_actor *actor, unsigned lock)
{
	uint64_t readers;

	if (!actor)
		return -EINVAL;
	if (lock >= PGTSIM_RWLOCKS)
		return -EINVAL;
	do {
		readers = load_variable(actor, PGTSIM_FIRST_RWLOCK + lock);
		if (!readers || readers == WRITER)
			return -EPERM;
	} while (!compare_swap(actor, PGTSIM_FIRST_RWLOCK + lock, readers, readers - 1));
	return 0;
}

int pgtsim_actor_write_lock(struct pgtsim_actor *actor, unsigned lock)
{
	if (!actor)
		return -EINVAL;
	if (lock >= PGTSIM_RWLOCKS)
		return -EINVAL;
	do {
		while (load_variable(actor, PGTSIM_FIRST_RWLOCK + lock))
			;
	} while (!compare_swap(actor, PGTSIM_FIRST_RWLOCK + lock, 0, WRITER));
	return 0;
}

int pgtsim_actor_write_unlock(struct pgtsim_actor *actor, unsigned lock)
{
	if (!actor)
		return -EINVAL;
	if (lock >= PGTSIM_RWLOCKS)
		return -EINVAL;
	return compare_swap(actor, PGTSIM_FIRST_RWLOCK + lock, WRITER, 0) ? 0 : -EPERM;
}

void pgtsim_actor_rcu_read_lock(struct pgtsim_actor *actor)
{
	if (!actor)
		return;
	store_variable(actor, PGTSIM_FIRST_READER + actor->id,
		       actor->x->variable[PGTSIM_FIRST_READER + actor->id].value + 1);
}

void pgtsim_actor_rcu_read_unlock(struct pgtsim_actor *actor)
{
	if (!actor)
		return;
	pgtsim_actor_rcu_read_lock(actor); /* adds 1: the state is even again */
}

/* Waits for each other actor that is in a read section (odd state) until its state changes. */
void pgtsim_actor_synchronize_rcu(struct pgtsim_actor *actor)
{
	if (!actor)
		return;
	for (unsigned i = 0; i < actor->x->actor_count; i++) {
		unsigned reader = PGTSIM_FIRST_READER + i;
		uint64_t at = i == actor->id ? 0 : load_variable(actor, reader);

		while (at & 1 && load_variable(actor, reader) == at)
			;
	}
}

/* ---- sections ---- */

/*
 * The variable for this of the section that holds pa; readers of one section share those of the first
 * of them. PGTSIM_ALL_VARIABLES if no actor looks up a page there.
 */
static unsigned section_variable(const struct pgtsim_exploring *x, uint64_t pa,
				 enum pgtsim_section_part part)
{
	uint64_t size = x->machine->hotplug.config.section_size;

	for (unsigned i = 0; i < x->actor_count; i++)
		if (x->actor[i].looks_up && !((x->actor[i].section ^ pa) & ~(size - 1)))
			return PGTSIM_FIRST_SECTION + i * PGTSIM_SECTION_PARTS + part;
	return PGTSIM_ALL_VARIABLES;
}

void pgtsim_before_section(struct pgtsim_access_hook *self, uint64_t pa,
			   enum pgtsim_section_part part)
{
	struct pgtsim_exploring *x = (struct pgtsim_exploring *)(void *)self;
	struct pgtsim_actor *a = &x->actor[x->current];
	unsigned variable = section_variable(x, pa, part);

	if (variable == PGTSIM_ALL_VARIABLES || x->draining)
		return;
	if (part == PGTSIM_SECTION_GRACE_PERIOD)
		pgtsim_actor_synchronize_rcu(a);
	else
		store_variable(a, variable, a->id + 1);
}

uint64_t pgtsim_load_section(struct pgtsim_actor *actor, enum pgtsim_section_part part)
{
	return load_variable(actor, section_variable(actor->x, actor->section, part));
}
