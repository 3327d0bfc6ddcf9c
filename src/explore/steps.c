/* SPDX-License-Identifier: MIT */
/*
 * Takes the steps of a schedule. A step is taken in two halves: perform_step() when it is its actor's
 * turn, and order_step() when the actor has come to its next step. Only then is everything known that
 * the step did, for example which value it stored.
 */
#include <errno.h>
#include <stdlib.h>

#include "explore.h"
#include "pgtable/access.h"

static bool uses_lock(enum pgtsim_explore_op op)
{
	return op >= PGTSIM_STEP_LOCK && op <= PGTSIM_STEP_DSB;
}

/* True for steps that are events of struct pgtsim_tlb. */
static bool is_event(enum pgtsim_explore_op op)
{
	return op >= PGTSIM_STEP_BARRIER && op <= PGTSIM_STEP_END;
}

bool pgtsim_step_acquires(enum pgtsim_explore_op op)
{
	return op == PGTSIM_STEP_LOCK || op == PGTSIM_STEP_WALK || op == PGTSIM_STEP_DSB;
}

/* ---- accesses and frees ---- */

/* Reports an access of a freed table, once for each table. */
static void report_use_after_free(struct pgtsim_exploring *x, const struct pgtsim_actor *a)
{
	struct pgtsim_shadow *table = a->next.table;
	const struct pgtsim_geometry *geo = &x->machine->geo;
	uint64_t size = pgtsim_entry_size(geo, table->level);

	if (table->reported)
		return;
	table->reported = true;
	pgtsim_tlb_violation(
		&x->machine->tlb, PGTSIM_V_TABLE_USE_AFTER_FREE, table->va + a->next.index * size,
		table->level,
		"%s %s entry %u of the %s table of 0x%016llx after %s freed that table",
		x->config->actors[a->id].name, a->next.op == PGTSIM_STEP_WRITE ? "writes" : "reads",
		a->next.index, pgtsim_level_name(geo, table->level), (unsigned long long)table->va,
		x->config->actors[table->freed_by].name);
}

/*
 * Remembers the old value of an entry above the pte level, and who wrote it, for
 * pgtsim_shadow_check_store().
 */
static void remember_store(struct pgtsim_exploring *x, const struct pgtsim_actor *a)
{
	const uint32_t *cell = pgtsim_shadow_cell(x, a->next.table, a->next.index);

	if (!cell)
		return;
	x->stored = a->next.table;
	x->stored_index = a->next.index;
	x->stored_over = x->stored->entries[x->stored_index];
	x->stored_by = a->id;
	x->stored_after = cell[CELL_WRITE] ? (int)(cell[CELL_WHO] >> 16) : PGTSIM_NOBODY;
}

/*
 * Finds the steps on which an access of an entry depends: the free of the table, the last write,
 * and for a write the last read of each actor.
 */
static void find_accesses(const struct pgtsim_exploring *x, const struct pgtsim_actor *a,
			  const uint32_t *cell, struct pgtsim_candidates *found)
{
	const struct pgtsim_shadow *table = x->doing.table;

	pgtsim_add_candidate(a, found, table->freed_by, table->freed);
	pgtsim_add_candidate(a, found, cell[CELL_WHO] >> 16, cell[CELL_WRITE]);
	for (unsigned i = 0; x->doing.op == PGTSIM_STEP_WRITE && i < x->actor_count; i++)
		pgtsim_add_candidate(a, found, i, cell[CELL_READ + i]);
}

/* Records an access in the entry's cell. */
static void record_access(uint32_t *cell, const struct pgtsim_actor *a, enum pgtsim_explore_op op,
			  uint32_t step)
{
	if (op == PGTSIM_STEP_WRITE) {
		cell[CELL_WRITE] = step;
		cell[CELL_WHO] = (cell[CELL_WHO] & 0xffff) | 0x100u << a->id | a->id << 16;
	} else {
		cell[CELL_READ + a->id] = step;
		cell[CELL_WHO] |= 1u << a->id;
	}
}

static void order_access(struct pgtsim_exploring *x, struct pgtsim_actor *a,
			 struct pgtsim_candidates *found)
{
	struct pgtsim_shadow *table = x->doing.table;
	uint32_t *cell = pgtsim_shadow_cell(x, table, x->doing.index);

	if (!cell) {
		x->error = -ENOBUFS;
		return;
	}
	table->users |= 1u << a->id;
	table->last[a->id] = x->step;
	/* Not a race: the read waited for that write, so it could not have come earlier. */
	if (x->doing.waits && cell[CELL_WRITE])
		pgtsim_join_step(x, a, cell[CELL_WHO] >> 16, cell[CELL_WRITE]);
	if (table->users & (table->users - 1))
		find_accesses(x, a, cell, found);
	record_access(cell, a, x->doing.op, x->step);
}

/* A free depends on every access of the table. */
static void order_free(struct pgtsim_exploring *x, struct pgtsim_actor *a,
		       struct pgtsim_candidates *found)
{
	struct pgtsim_shadow *table = x->doing.table;

	for (unsigned i = 0; i < x->actor_count; i++)
		pgtsim_add_candidate(a, found, i, table->last[i]);
	table->users |= 1u << a->id;
	table->last[a->id] = x->step;
	table->freed = x->step;
	table->freed_by = a->id;
}

static void begin_free(struct pgtsim_exploring *x, const struct pgtsim_actor *a)
{
	const struct pgtsim_shadow *table = a->next.table;

	if (table->freed)
		pgtsim_tlb_violation(&x->machine->tlb, PGTSIM_V_DOUBLE_FREE, table->va,
				     table->level, "%s frees a table that %s freed before",
				     x->config->actors[a->id].name,
				     x->config->actors[table->freed_by].name);
}

/* ---- locks ---- */

/*
 * Orders a step that uses a lock. The only race is of an acquire with the last acquire: who is
 * second could have been first. A release always comes after its own acquire, and before the next
 * one.
 */
static void use_lock(struct pgtsim_exploring *x, struct pgtsim_actor *a)
{
	struct pgtsim_lock_state *lock = &x->lock[a->next.lock];
	struct pgtsim_candidates found = { .count = 0 };

	if (pgtsim_step_acquires(a->next.op)) {
		pgtsim_add_candidate(a, &found, lock->acquirer, lock->acquired);
		pgtsim_order_after(x, a, &found);
		if (lock->released && lock->releaser != a->id)
			pgtsim_join_step(x, a, lock->releaser, lock->released);
		lock->acquirer = lock->holder = a->id;
		lock->acquired = x->step;
		lock->held = true;
	}
	if (a->next.op == PGTSIM_STEP_UNLOCK || a->next.op == PGTSIM_STEP_WALKED ||
	    a->next.op == PGTSIM_STEP_DSB) {
		lock->releaser = a->id;
		lock->released = x->step;
		lock->held = false;
	}
}

/* ---- dependence through the checker ---- */

/*
 * Finds the last step of each other actor whose reach meets that of this step. While marking, looks
 * at all steps, also those that happen before anyway, to know which rows the story must show.
 */
static void order_reach(struct pgtsim_exploring *x, struct pgtsim_actor *a,
			struct pgtsim_candidates *found)
{
	const struct pgtsim_reach *reach = &x->doing.reach;

	if (reach->kind == PGTSIM_REACH_NONE)
		return;
	for (unsigned i = 0; i < x->actor_count; i++) {
		uint32_t step = 0;

		if (i != a->id)
			step = pgtsim_reach_last(&x->actor[i].log,
						 x->marking ? 0 : a->clock.step[i], reach);
		if (step && x->marking) {
			pgtsim_shadow_mark_step(x, step);
			pgtsim_shadow_mark_step(x, x->step);
		}
		pgtsim_add_candidate(a, found, i, step);
	}
	if (!pgtsim_reach_add(&a->log, x->step, reach) ||
	    !pgtsim_reach_happened(&x->reach, reach, x->doing.event))
		x->error = -ENOBUFS;
}

/* ---- sleep sets ---- */

/* True if the order of two steps of different actors matters. */
static bool are_dependent(const struct pgtsim_next *a, const struct pgtsim_next *b)
{
	if (uses_lock(a->op) || uses_lock(b->op))
		return uses_lock(a->op) && uses_lock(b->op) && a->lock == b->lock;
	if (pgtsim_reach_meets(&a->reach, &b->reach))
		return true;
	if (is_event(a->op) || is_event(b->op) || a->table != b->table)
		return false;
	if (a->op == PGTSIM_STEP_FREE || b->op == PGTSIM_STEP_FREE)
		return true;
	return a->index == b->index && (a->op == PGTSIM_STEP_WRITE || b->op == PGTSIM_STEP_WRITE);
}

/* Records the sleep set before the next step, if it has changed. */
static void record_sleep(struct pgtsim_exploring *x)
{
	size_t room = x->sleep_room ? 2 * x->sleep_room : 64;
	struct pgtsim_sleep_change *grown;

	if (x->sleep == (x->sleep_count ? x->sleeps[x->sleep_count - 1].sleep : 0))
		return;
	if (x->sleep_count == x->sleep_room) {
		grown = realloc(x->sleeps, room * sizeof(*grown));
		if (!grown) {
			x->error = -ENOBUFS;
			return;
		}
		x->sleeps = grown;
		x->sleep_room = room;
	}
	x->sleeps[x->sleep_count++] = (struct pgtsim_sleep_change){ x->step + 1, x->sleep };
}

/* Computes the reach of an actor's next step again: it depends on what has happened since. */
static void update_reach(const struct pgtsim_exploring *x, struct pgtsim_actor *a)
{
	if (a->next.hears)
		a->next.reach = pgtsim_reach_of(&x->reach, a->id, a->next.hears);
}

/* True if the step just taken and the actor's next step depend on each other. */
static bool wakes(struct pgtsim_exploring *x, struct pgtsim_actor *a)
{
	update_reach(x, a);
	return are_dependent(&a->next, &x->doing);
}

/*
 * Removes actors from the sleep set whose next step depends on the step just taken. Steps before
 * `fresh` only repeat an earlier run, whose sleep sets are still recorded.
 */
static void wake_sleepers(struct pgtsim_exploring *x)
{
	if (x->step == x->fresh)
		x->sleep = x->fresh_sleep;
	if (x->step < x->fresh || (!x->sleep && x->step > x->fresh))
		return;
	for (unsigned i = 0; i < x->actor_count; i++)
		if ((x->sleep >> i & 1) && wakes(x, &x->actor[i]))
			x->sleep &= (uint8_t) ~(1u << i);
	record_sleep(x);
}

/* ---- taking a step ---- */

void pgtsim_record_failure(struct pgtsim_exploring *x, uint32_t step)
{
	const struct pgtsim_tlb *tlb = &x->machine->tlb;

	if (x->failed_at || !tlb->counts.violations)
		return;
	x->failed_at = step ? step : 1;
	if (tlb->violation_count)
		x->violation = tlb->violations[0];
}

/* Orders the step just taken after the steps on which it depends. */
static void order_step(struct pgtsim_exploring *x)
{
	struct pgtsim_actor *a = &x->actor[x->doer];
	struct pgtsim_candidates found = { .count = 0 };

	x->ordered = true;
	if (x->doing.op == PGTSIM_STEP_READ || x->doing.op == PGTSIM_STEP_WRITE)
		order_access(x, a, &found);
	else if (x->doing.op == PGTSIM_STEP_FREE)
		order_free(x, a, &found);
	order_reach(x, a, &found);
	if (found.count)
		pgtsim_order_after(x, a, &found);
	if (x->searching)
		wake_sleepers(x);
}

void pgtsim_finish_step(struct pgtsim_exploring *x)
{
	if (x->step && !x->ordered)
		order_step(x);
	pgtsim_shadow_check_store(x);
	pgtsim_record_failure(x, x->step);
	if (x->story)
		pgtsim_story_read_back(x);
	if (x->step > x->shown && x->given && x->config->step)
		pgtsim_story_show_step(x);
}

/* Adds a step to the schedule taken, and to the story's path. */
static void add_to_schedule(struct pgtsim_exploring *x, const struct pgtsim_actor *a)
{
	bool counted = !a->next.uncounted;

	x->counted += counted;
	if (!pgtsim_schedule_add(&x->taken, a->id, 1))
		x->error = -ENOBUFS;
	if (!x->story || x->step > x->fails_at)
		return;
	if (!pgtsim_schedule_add(&x->path, a->id, 1))
		x->error = -ENOBUFS;
	else
		pgtsim_schedule_count(&x->path, counted);
}

/* Takes the actor's next step: counts it, and does what must be done before the access itself. */
static void perform_step(struct pgtsim_exploring *x, struct pgtsim_actor *a)
{
	a->clock.step[a->id] = ++x->step;
	add_to_schedule(x, a);
	x->actor_steps[a->id]++;
	update_reach(x, a);
	x->doing = a->next;
	x->doer = a->id;
	x->ordered = false;
	if (uses_lock(a->next.op)) {
		use_lock(x, a);
	} else if (a->next.op == PGTSIM_STEP_FREE) {
		begin_free(x, a);
	} else if (!is_event(a->next.op)) {
		x->doing.reach = (struct pgtsim_reach){ .kind = PGTSIM_REACH_NONE };
		if (a->next.table->freed)
			report_use_after_free(x, a);
		if (a->next.op == PGTSIM_STEP_WRITE && a->next.table->level < PGTSIM_PTE)
			remember_store(x, a);
	}
	pgtsim_record_failure(x, x->step);
	if (x->story)
		pgtsim_story_add_step(x, a->id, &a->next);
}

void pgtsim_take_step(struct pgtsim_exploring *x, const struct pgtsim_next *next)
{
	struct pgtsim_actor *a = &x->actor[x->current];

	pgtsim_finish_step(x);
	a->next = *next;
	x->chosen = pgtsim_choose(x);
	if (x->chosen != (int)a->id)
		pgtsim_coroutine_yield(a->coroutine);
	if (!x->draining)
		perform_step(x, a);
}

/* ---- who calls pgtsim_take_step() ---- */

void pgtsim_before_access(struct pgtsim_access_hook *self, const uint64_t *entry, bool write)
{
	struct pgtsim_exploring *x = (struct pgtsim_exploring *)(void *)self;
	struct pgtsim_next next = { .op = write ? PGTSIM_STEP_WRITE : PGTSIM_STEP_READ };

	if (x->draining)
		return;
	next.table = pgtsim_shadow_find(x, entry);
	if (!next.table)
		return;
	next.index = (unsigned)(entry - next.table->entries);
	next.uncounted = self->looks_ahead;
	/* Other actors may go on inside of this call. */
	pgtsim_pgtable_state(&x->machine->pgt)->busy = PGTSIM_BUSY_NOT;
	if (write && x->checker)
		next.reach = pgtsim_reach_of_store(
			&x->reach, x->names_cpus ? PGTSIM_ANY_CPU : x->current, next.table->level,
			next.table->va + next.index * pgtsim_entry_size(&x->machine->geo,
									next.table->level));
	pgtsim_take_step(x, &next);
}

static int use_named_lock(struct pgtsim_actor *actor, enum pgtsim_explore_op op,
			  enum pgtsim_lock lock)
{
	pgtsim_take_step(actor->x, &(struct pgtsim_next){ .op = op, .lock = lock });
	return 0;
}

int pgtsim_actor_lock(struct pgtsim_actor *actor, enum pgtsim_lock lock)
{
	if (!actor)
		return -EINVAL;
	if ((unsigned)lock >= PGTSIM_LOCKS)
		return -EINVAL;
	return actor->x->draining ? 0 : use_named_lock(actor, PGTSIM_STEP_LOCK, lock);
}

int pgtsim_actor_unlock(struct pgtsim_actor *actor, enum pgtsim_lock lock)
{
	if (!actor)
		return -EINVAL;

	const struct pgtsim_lock_state *state = actor->x->lock;

	if ((unsigned)lock >= PGTSIM_LOCKS)
		return -EINVAL;
	if (actor->x->draining)
		return 0;
	if (!state[lock].held || state[lock].holder != actor->id)
		return -EPERM;
	return use_named_lock(actor, PGTSIM_STEP_UNLOCK, lock);
}

bool pgtsim_actor_holds(const struct pgtsim_actor *actor, enum pgtsim_lock lock)
{
	const struct pgtsim_lock_state *state;

	if (!actor || (unsigned)lock >= PGTSIM_LOCKS)
		return false;
	state = &actor->x->lock[lock];
	return state->held && state->holder == actor->id;
}

struct pgtsim_actor *pgtsim_actor_of(const struct pgtsim_machine *machine)
{
	struct pgtsim_access_hook *hook = machine ? machine->pgt.hook : NULL;
	struct pgtsim_exploring *x;

	if (!hook || hook->before != pgtsim_before_access)
		return NULL;
	x = (struct pgtsim_exploring *)(void *)((char *)hook -
						offsetof(struct pgtsim_exploring, hook));
	return &x->actor[x->current];
}

const char *pgtsim_lock_name(enum pgtsim_lock lock)
{
	static const char *const names[] = {
		[PGTSIM_LOCK_HOTPLUG] = "the hotplug lock",
		[PGTSIM_LOCK_PAGE_TABLE] = "the page table lock",
		[PGTSIM_LOCK_MMAP] = "the mmap lock",
		[PGTSIM_LOCK_1] = "lock 1",
		[PGTSIM_LOCK_2] = "lock 2",
		[PGTSIM_LOCK_3] = "lock 3",
		[PGTSIM_LOCK_4] = "lock 4",
	};

	return (unsigned)lock < PGTSIM_LOCKS ? names[lock] : "";
}
