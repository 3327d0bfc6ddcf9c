/* SPDX-License-Identifier: MIT */
/*
 * What actors share besides the tables: variables, and reader-writer locks and RCU built on them. Each
 * access is a step. An actor that reads a variable twice in a row waits, the second time, until another
 * actor has written it. So a loop that polls a variable takes a few steps instead of endlessly many,
 * and if nobody ever writes it, the run is a deadlock.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "explore.h"

enum { PATIENCE = 1000 }; /* reads after which a polling actor is abandoned while draining */

/* The value of a rwlock is the number of readers that hold it, or this if a writer does. */
#define WRITER UINT64_MAX

/* The number of variables when there is room for that many sections. */
static unsigned variable_room(size_t sections)
{
	return PGTSIM_FIRST_SECTION + (unsigned)sections * PGTSIM_SECTION_PARTS;
}

void pgtsim_variables_start(struct pgtsim_exploring *x)
{
	free(x->variables.cells);
	x->variables = (struct pgtsim_shadow){ .level = PGTSIM_PTE,
					       .count = variable_room(x->section_room) };
	for (unsigned i = 0; i < PGTSIM_FIRST_SECTION; i++)
		x->variable[i] = (struct pgtsim_variable){ .value = 0 };
	for (size_t i = 0; i < x->section_count; i++)
		memset(x->sections[i]->part, 0, sizeof(x->sections[i]->part));
	x->section_recent = 0;
	for (unsigned i = 0; i < x->actor_count; i++)
		x->actor[i].spins = 0;
}

void pgtsim_variables_fini(struct pgtsim_exploring *x)
{
	free(x->variables.cells);
	for (size_t i = 0; i < x->section_count; i++)
		free(x->sections[i]);
	free(x->sections);
}

/* The section that a variable from PGTSIM_FIRST_SECTION on is of. */
static struct pgtsim_section_cells *section_of(const struct pgtsim_exploring *x, unsigned number)
{
	return x->sections[(number - PGTSIM_FIRST_SECTION) / PGTSIM_SECTION_PARTS];
}

struct pgtsim_variable *pgtsim_variable_at(struct pgtsim_exploring *x, unsigned number)
{
	if (number < PGTSIM_FIRST_SECTION)
		return &x->variable[number];
	return &section_of(x, number)->part[(number - PGTSIM_FIRST_SECTION) % PGTSIM_SECTION_PARTS];
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
						   .uncounted = a->uncounted,
						   .version = a->read_version });
	if (op == PGTSIM_STEP_WRITE && !x->draining)
		pgtsim_variable_at(x, variable)->version++;
}

/*
 * Reads a variable. If the actor's last step was a read of the same one, waits until it is written.
 */
static uint64_t load_variable(struct pgtsim_actor *a, unsigned variable)
{
	struct pgtsim_exploring *x = a->x;
	const struct pgtsim_variable *v = pgtsim_variable_at(x, variable);
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
	pgtsim_variable_at(a->x, variable)->value = value;
}

static bool compare_swap(struct pgtsim_actor *a, unsigned variable, uint64_t old, uint64_t value)
{
	struct pgtsim_variable *v = pgtsim_variable_at(a->x, variable);

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

/* Makes room for another section and for its variables. */
static bool make_section_room(struct pgtsim_exploring *x)
{
	size_t room = x->section_room ? 2 * x->section_room : 8;
	struct pgtsim_section_cells **grown;

	if (x->section_count < x->section_room)
		return true;
	if (!pgtsim_shadow_widen(x, &x->variables, variable_room(room)))
		return false;
	grown = realloc(x->sections, room * sizeof(struct pgtsim_section_cells *));
	if (!grown)
		return false;
	x->sections = grown;
	x->section_room = room;
	return true;
}

static bool add_section(struct pgtsim_exploring *x, uint64_t number)
{
	struct pgtsim_section_cells *section;

	if (!make_section_room(x))
		return false;
	section = calloc(1, sizeof(*section));
	if (!section)
		return false;
	section->number = number;
	x->section_recent = x->section_count;
	x->sections[x->section_count++] = section;
	return true;
}

/*
 * The first variable of the section that holds pa, made at its first access from either side. 0, with
 * x->error set, if there is no memory.
 */
static unsigned first_variable(struct pgtsim_exploring *x, uint64_t pa)
{
	uint64_t number = pa / x->machine->hotplug.config.section_size;
	size_t i = 0;

	while (i < x->section_count &&
	       x->sections[(x->section_recent + i) % x->section_count]->number != number)
		i++;
	if (i < x->section_count) {
		x->section_recent = (x->section_recent + i) % x->section_count;
	} else if (!add_section(x, number)) {
		x->error = -ENOBUFS;
		return 0;
	}
	return variable_room(x->section_recent);
}

/* A step that changes this part. What it writes is known only when it is the actor's turn. */
static void change_section(struct pgtsim_actor *a, unsigned first, uint64_t pa,
			   enum pgtsim_section_part part)
{
	struct pgtsim_exploring *x = a->x;
	const struct pgtsim_variable *pointer =
		pgtsim_variable_at(x, first + PGTSIM_SECTION_POINTER);
	unsigned changed = part == PGTSIM_SECTION_NEW_MAP ? PGTSIM_SECTION_POINTER : part;
	struct pgtsim_variable *variable = pgtsim_variable_at(x, first + changed);

	take_variable_step(a, first + changed, PGTSIM_STEP_WRITE, false);
	if (part == PGTSIM_SECTION_FLAGS)
		variable->value = pgtsim_section_state(&x->machine->hotplug, pa).online ?
					  PGTSIM_FLAG_OFFLINE :
					  PGTSIM_FLAG_ONLINE;
	else if (part == PGTSIM_SECTION_NEW_MAP)
		variable->value = pgtsim_map_value(pgtsim_map_of(pointer->value) + 1, 0);
	else
		variable->value = pgtsim_map_value(pgtsim_map_of(pointer->value), a->id + 1);
}

/* Each change is a step, but a schedule counts only those of sections that an actor looks at by then. */
void pgtsim_before_section(struct pgtsim_access_hook *self, uint64_t pa,
			   enum pgtsim_section_part part)
{
	struct pgtsim_exploring *x = (struct pgtsim_exploring *)(void *)self;
	struct pgtsim_actor *a = &x->actor[x->current];
	unsigned first = x->draining ? 0 : first_variable(x, pa);

	if (!first)
		return;
	a->uncounted = section_of(x, first)->looked_up != x->run;
	if (part == PGTSIM_SECTION_GRACE_PERIOD)
		pgtsim_actor_synchronize_rcu(a);
	else
		change_section(a, first, pa, part);
	a->uncounted = false;
}

unsigned pgtsim_section_looked_up(struct pgtsim_actor *actor, uint64_t pa)
{
	unsigned first = first_variable(actor->x, pa);

	if (first)
		section_of(actor->x, first)->looked_up = actor->x->run;
	return first;
}

uint64_t pgtsim_load_section(struct pgtsim_actor *actor, unsigned first,
			     enum pgtsim_section_part part)
{
	actor->reads_again = false; /* to look up the same page again is not to wait for it */
	return load_variable(actor, first + part);
}

bool pgtsim_is_looked_up(const struct pgtsim_exploring *x, unsigned number)
{
	return number >= PGTSIM_FIRST_SECTION && section_of(x, number)->looked_up;
}
