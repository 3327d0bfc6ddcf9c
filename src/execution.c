/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <pgtsim/check.h>

#include "exploring.h"

enum { NOBODY = -1, CANDIDATES = 2 * PGTSIM_ACTORS_MAX };

/* A step that depends on the one being taken. */
struct candidate {
	unsigned actor;
	uint32_t step;
};

struct candidates {
	struct candidate list[CANDIDATES];
	unsigned count;
};

/* ---- who is next ---- */

static bool uses_lock(enum pgtsim_explore_op op)
{
	return op >= PGTSIM_STEP_LOCK && op <= PGTSIM_STEP_DSB;
}

static bool acquires(enum pgtsim_explore_op op)
{
	return op == PGTSIM_STEP_LOCK || op == PGTSIM_STEP_WALK || op == PGTSIM_STEP_DSB;
}

static bool runnable(const struct pgtsim_exploring *x, unsigned actor)
{
	const struct pgtsim_actor *a = &x->actor[actor];

	return a->running && !(acquires(a->next.op) && x->lock[a->next.lock].held);
}

/* Whoever the plan names; NOBODY when it is at its end. */
static int choose_planned(struct pgtsim_exploring *x)
{
	while (x->plan_at < x->plan.count) {
		const struct pgtsim_segment *segment = &x->plan.segment[x->plan_at];

		if (x->plan_left && runnable(x, segment->actor)) {
			x->plan_left--;
			return (int)segment->actor;
		}
		if (x->plan_left && x->exact) {
			x->error = -EIO;
			return NOBODY;
		}
		if (++x->plan_at < x->plan.count)
			x->plan_left = x->plan.segment[x->plan_at].count;
	}
	return NOBODY;
}

/* Stays with the current actor as long as it can. */
static int choose(struct pgtsim_exploring *x)
{
	bool any = false;
	int planned;

	if (x->starting || x->error)
		return NOBODY;
	planned = choose_planned(x);
	if (planned != NOBODY || x->error)
		return planned;
	if (runnable(x, x->current) && !(x->sleep >> x->current & 1))
		return (int)x->current;
	for (unsigned i = 0; i < x->actor_count; i++) {
		if (!runnable(x, i))
			continue;
		if (!(x->sleep >> i & 1))
			return (int)i;
		any = true;
	}
	x->cut = any;
	return NOBODY;
}

/* ---- what comes before what ---- */

struct pgtsim_clock pgtsim_clock_at(const struct pgtsim_actor *actor, uint32_t step)
{
	struct pgtsim_clock clock = { { 0 } };
	size_t low = 0, high = actor->change_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (actor->changes[middle].step <= step)
			low = middle + 1;
		else
			high = middle;
	}
	if (low)
		clock = actor->changes[low - 1].clock;
	clock.step[actor->id] = step;
	return clock;
}

static bool join(struct pgtsim_clock *clock, const struct pgtsim_clock *other)
{
	bool changed = false;

	for (unsigned i = 0; i < PGTSIM_ACTORS_MAX; i++) {
		if (other->step[i] <= clock->step[i])
			continue;
		clock->step[i] = other->step[i];
		changed = true;
	}
	return changed;
}

static void note_change(struct pgtsim_exploring *x, struct pgtsim_actor *a)
{
	size_t room = a->change_room ? 2 * a->change_room : 64;
	struct pgtsim_clock_change *grown;

	if (a->change_count == a->change_room) {
		grown = realloc(a->changes, room * sizeof(*grown));
		if (!grown) {
			x->error = -ENOMEM;
			return;
		}
		a->changes = grown;
		a->change_room = room;
	}
	a->changes[a->change_count++] = (struct pgtsim_clock_change){ x->step, a->clock };
}

static void join_step(struct pgtsim_exploring *x, struct pgtsim_actor *a, unsigned other,
		      uint32_t step)
{
	struct pgtsim_clock clock = pgtsim_clock_at(&x->actor[other], step);

	if (join(&a->clock, &clock))
		note_change(x, a);
}

/* ---- races ---- */

static void add_candidate(const struct pgtsim_actor *a, struct candidates *to, unsigned actor,
			  uint32_t step)
{
	if (step && actor != a->id && a->clock.step[actor] < step)
		to->list[to->count++] = (struct candidate){ actor, step };
}

/* Offers each of these steps to the search, then lets them come before the current one. */
static void conflict(struct pgtsim_exploring *x, struct pgtsim_actor *a, struct candidates *with)
{
	for (unsigned i = 0; x->searching && x->step >= x->fresh && i < with->count; i++) {
		const struct candidate *c = &with->list[i];
		struct pgtsim_clock clock = a->clock;

		for (unsigned k = 0; k < with->count; k++) {
			struct pgtsim_clock other =
				pgtsim_clock_at(&x->actor[with->list[k].actor], with->list[k].step);

			if (k != i && other.step[c->actor] < c->step)
				join(&clock, &other);
		}
		pgtsim_race(x, c->actor, c->step, a->id, &clock);
	}
	for (unsigned i = 0; i < with->count; i++)
		join_step(x, a, with->list[i].actor, with->list[i].step);
}

/* ---- taking a step ---- */

static void note_use_after_free(struct pgtsim_exploring *x, const struct pgtsim_actor *a)
{
	struct pgtsim_watched *table = a->next.table;
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

static void find_conflicts(const struct pgtsim_exploring *x, const struct pgtsim_actor *a,
			   const uint32_t *cell, struct candidates *found)
{
	const struct pgtsim_watched *table = a->next.table;

	found->count = 0;
	add_candidate(a, found, table->freed_by, table->freed);
	add_candidate(a, found, cell[CELL_WHO] >> 16, cell[CELL_WRITE]);
	for (unsigned i = 0; a->next.op == PGTSIM_STEP_WRITE && i < x->actor_count; i++)
		add_candidate(a, found, i, cell[CELL_READ + i]);
}

static void note_access(uint32_t *cell, const struct pgtsim_actor *a, uint32_t step)
{
	if (a->next.op == PGTSIM_STEP_WRITE) {
		cell[CELL_WRITE] = step;
		cell[CELL_WHO] = (cell[CELL_WHO] & 0xffff) | 0x100u << a->id | a->id << 16;
	} else {
		cell[CELL_READ + a->id] = step;
		cell[CELL_WHO] |= 1u << a->id;
	}
}

/* What a store above the ptes replaces; what it stores is seen when it is done. */
static void note_store(struct pgtsim_exploring *x, const struct pgtsim_actor *a,
		       const uint32_t *cell)
{
	x->stored = a->next.table;
	x->stored_index = a->next.index;
	x->stored_over = x->stored->entries[x->stored_index];
	x->stored_by = a->id;
	x->stored_after = cell[CELL_WRITE] ? (int)(cell[CELL_WHO] >> 16) : NOBODY;
}

static void access_entry(struct pgtsim_exploring *x, struct pgtsim_actor *a)
{
	struct pgtsim_watched *table = a->next.table;
	uint32_t *cell = pgtsim_watch_cell(x, table, a->next.index);
	struct candidates found;

	if (!cell) {
		x->error = -ENOMEM;
		return;
	}
	table->users |= 1u << a->id;
	table->last[a->id] = x->step;
	if (table->users & (table->users - 1)) {
		find_conflicts(x, a, cell, &found);
		if (found.count)
			conflict(x, a, &found);
	}
	if (table->freed)
		note_use_after_free(x, a);
	if (a->next.op == PGTSIM_STEP_WRITE && table->level < PGTSIM_PTE)
		note_store(x, a, cell);
	note_access(cell, a, x->step);
}

static void free_table(struct pgtsim_exploring *x, struct pgtsim_actor *a)
{
	struct pgtsim_watched *table = a->next.table;
	struct candidates found = { .count = 0 };

	for (unsigned i = 0; i < x->actor_count; i++)
		add_candidate(a, &found, i, table->last[i]);
	conflict(x, a, &found);
	table->users |= 1u << a->id;
	table->last[a->id] = x->step;
	if (table->freed)
		pgtsim_tlb_violation(&x->machine->tlb, PGTSIM_V_DOUBLE_FREE, table->va,
				     table->level, "%s frees a table that %s freed before",
				     x->config->actors[a->id].name,
				     x->config->actors[table->freed_by].name);
	table->freed = x->step;
	table->freed_by = a->id;
}

/* Only who acquires a lock could have come earlier: before the last one who acquired it. */
static void use_lock(struct pgtsim_exploring *x, struct pgtsim_actor *a)
{
	struct pgtsim_lock_state *lock = &x->lock[a->next.lock];
	struct candidates found = { .count = 0 };

	if (acquires(a->next.op)) {
		add_candidate(a, &found, lock->acquirer, lock->acquired);
		conflict(x, a, &found);
		if (lock->released && lock->releaser != a->id)
			join_step(x, a, lock->releaser, lock->released);
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

static bool dependent(const struct pgtsim_next *a, const struct pgtsim_next *b)
{
	if (uses_lock(a->op) || uses_lock(b->op))
		return uses_lock(a->op) && uses_lock(b->op) && a->lock == b->lock;
	if (a->table != b->table)
		return false;
	if (a->op == PGTSIM_STEP_FREE || b->op == PGTSIM_STEP_FREE)
		return true;
	return a->index == b->index && (a->op == PGTSIM_STEP_WRITE || b->op == PGTSIM_STEP_WRITE);
}

static void note_sleep(struct pgtsim_exploring *x)
{
	size_t room = x->sleep_room ? 2 * x->sleep_room : 64;
	struct pgtsim_sleep_change *grown;

	if (x->sleep == (x->sleep_count ? x->sleeps[x->sleep_count - 1].sleep : 0))
		return;
	if (x->sleep_count == x->sleep_room) {
		grown = realloc(x->sleeps, room * sizeof(*grown));
		if (!grown) {
			x->error = -ENOMEM;
			return;
		}
		x->sleeps = grown;
		x->sleep_room = room;
	}
	x->sleeps[x->sleep_count++] = (struct pgtsim_sleep_change){ x->step + 1, x->sleep };
}

/* Whoever sleeps wakes when a step is taken that its next one depends on. */
static void wake(struct pgtsim_exploring *x, const struct pgtsim_next *step)
{
	if (x->step == x->fresh)
		x->sleep = x->fresh_sleep;
	if (x->step < x->fresh || (!x->sleep && x->step > x->fresh))
		return;
	for (unsigned i = 0; i < x->actor_count; i++)
		if ((x->sleep >> i & 1) && dependent(&x->actor[i].next, step))
			x->sleep &= (uint8_t) ~(1u << i);
	note_sleep(x);
}

/* The first violation was noted by the step before, or by what its actor did after it. */
static void note_failure(struct pgtsim_exploring *x, uint32_t step)
{
	const struct pgtsim_tlb *tlb = &x->machine->tlb;

	if (x->failed_at || !tlb->counts.violations)
		return;
	x->failed_at = step ? step : 1;
	if (tlb->violation_count)
		x->violation = tlb->violations[0];
}

/* Looks at what the last step did, when its actor has gone on to the next one or has ended. */
static void finish_step(struct pgtsim_exploring *x)
{
	pgtsim_watch_stored(x);
	note_failure(x, x->step);
	if (x->account)
		pgtsim_account_value(x);
}

static void take(struct pgtsim_exploring *x, struct pgtsim_actor *a)
{
	finish_step(x);
	a->clock.step[a->id] = ++x->step;
	if (!pgtsim_schedule_add(&x->taken, a->id, 1))
		x->error = -ENOMEM;
	if (uses_lock(a->next.op))
		use_lock(x, a);
	else if (a->next.op == PGTSIM_STEP_FREE)
		free_table(x, a);
	else
		access_entry(x, a);
	if (x->searching)
		wake(x, &a->next);
	note_failure(x, x->step);
	if (x->account)
		pgtsim_account_step(x, a->id, &a->next);
}

void pgtsim_take_step(struct pgtsim_exploring *x, const struct pgtsim_next *next)
{
	struct pgtsim_actor *a = &x->actor[x->current];

	a->next = *next;
	x->chosen = choose(x);
	if (x->chosen != (int)a->id)
		pgtsim_coroutine_yield(a->coroutine);
	if (!x->draining)
		take(x, a);
}

/* ---- what takes steps ---- */

static void before_access(struct pgtsim_access_hook *self, const uint64_t *entry, bool write)
{
	struct pgtsim_exploring *x = (struct pgtsim_exploring *)(void *)self;
	struct pgtsim_next next = { .op = write ? PGTSIM_STEP_WRITE : PGTSIM_STEP_READ };

	if (x->draining)
		return;
	next.table = pgtsim_watch_find(x, entry);
	if (!next.table)
		return;
	next.index = (unsigned)(entry - next.table->entries);
	pgtsim_take_step(x, &next);
}

int pgtsim_actor_lock(struct pgtsim_actor *actor, enum pgtsim_lock lock)
{
	if ((unsigned)lock >= PGTSIM_LOCKS)
		return -EINVAL;
	if (!actor->x->draining)
		pgtsim_take_step(actor->x,
				 &(struct pgtsim_next){ PGTSIM_STEP_LOCK, NULL, 0, lock });
	return 0;
}

int pgtsim_actor_unlock(struct pgtsim_actor *actor, enum pgtsim_lock lock)
{
	const struct pgtsim_lock_state *state = actor->x->lock;

	if ((unsigned)lock >= PGTSIM_LOCKS)
		return -EINVAL;
	if (actor->x->draining)
		return 0;
	if (!state[lock].held || state[lock].holder != actor->id)
		return -EPERM;
	pgtsim_take_step(actor->x, &(struct pgtsim_next){ PGTSIM_STEP_UNLOCK, NULL, 0, lock });
	return 0;
}

/* Whether one of the addresses that a CPU walks to lies where an entry was unlinked. */
static bool walks_there(const struct pgtsim_exploring *x, const struct pgtsim_actor *cpu)
{
	for (size_t i = 0; cpu->accesses && i < cpu->accesses->count; i++)
		if (cpu->accesses->va[i] - x->unlinked_va < x->unlinked_size)
			return true;
	return false;
}

static void see_event(struct pgtsim_observer *observer, const struct pgtsim_event *event)
{
	struct pgtsim_exploring *x =
		(struct pgtsim_exploring *)(void *)((char *)observer -
						    offsetof(struct pgtsim_exploring, observer));

	if (event->op == PGTSIM_OP_UNLINK) {
		x->unlinked_va = event->va;
		x->unlinked_size = event->size;
	}
	if (event->op != PGTSIM_OP_DSB_ISH)
		return;
	for (unsigned i = 0; i < x->actor_count && !x->draining; i++)
		if (i != x->current && walks_there(x, &x->actor[i]))
			pgtsim_take_step(x, &(struct pgtsim_next){ PGTSIM_STEP_DSB, NULL, 0,
								   PGTSIM_LOCKS + i });
	x->unlinked_size = 0;
}

/* ---- a run ---- */

static void run_actor(void *arg)
{
	struct pgtsim_actor *actor = arg;
	const struct pgtsim_actor_spec *spec = &actor->x->config->actors[actor->id];

	actor->result = spec->run(actor, actor->x->machine, spec->arg);
}

static void resume(struct pgtsim_exploring *x, unsigned actor)
{
	x->current = actor;
	x->actor[actor].running = pgtsim_coroutine_resume(x->actor[actor].coroutine);
}

/* Brings each actor to its first step: what comes before that touches nothing of the others. */
static void start_actors(struct pgtsim_exploring *x)
{
	x->starting = true;
	for (unsigned i = 0; i < x->actor_count; i++) {
		struct pgtsim_actor *a = &x->actor[i];

		a->clock = (struct pgtsim_clock){ { 0 } };
		a->change_count = 0;
		a->accesses = NULL;
		a->result = 0;
		pgtsim_coroutine_start(a->coroutine, run_actor, a);
		resume(x, i);
		if (a->accesses)
			pgtsim_observe(&x->machine->tlb, &x->observer);
	}
	x->starting = false;
	x->current = 0;
}

static const char *const lock_names[PGTSIM_LOCKS] = {
	[PGTSIM_LOCK_HOTPLUG] = "the hotplug lock",
	[PGTSIM_LOCK_PAGE_TABLE] = "the page table lock",
};

static bool waits(const struct pgtsim_exploring *x, unsigned actor)
{
	return x->actor[actor].running && !runnable(x, actor);
}

/* Whoever waits for a lock at the end could have taken it before its holder did. */
static void offer_waiters(struct pgtsim_exploring *x)
{
	for (unsigned i = 0; i < x->actor_count; i++) {
		struct pgtsim_actor *a = &x->actor[i];
		const struct pgtsim_lock_state *lock = &x->lock[a->next.lock];

		if (waits(x, i) && lock->acquirer != i &&
		    a->clock.step[lock->acquirer] < lock->acquired)
			pgtsim_race(x, lock->acquirer, lock->acquired, i, &a->clock);
	}
}

static void note_deadlock(struct pgtsim_exploring *x)
{
	const struct pgtsim_lock_state *lock;
	unsigned i = 0;

	while (!waits(x, i))
		i++;
	lock = &x->lock[x->actor[i].next.lock];
	x->deadlock = true;
	pgtsim_tlb_violation(&x->machine->tlb, PGTSIM_V_DEADLOCK, 0, PGTSIM_PGD,
			     "%s waits for %s, which %s holds", x->config->actors[i].name,
			     x->actor[i].next.lock < PGTSIM_LOCKS ?
				     lock_names[x->actor[i].next.lock] :
				     "the end of a walk",
			     lock->holder == i ? "it" : x->config->actors[lock->holder].name);
	note_failure(x, x->step);
}

/* Whoever is in the middle goes on to its end, so that nothing is leaked. */
static void drain(struct pgtsim_exploring *x)
{
	x->draining = true;
	x->machine->tlb.quiet = true;
	for (unsigned i = 0; i < x->actor_count; i++)
		if (x->actor[i].running)
			resume(x, i);
	x->machine->tlb.quiet = false;
}

static void run_actors(struct pgtsim_exploring *x)
{
	bool left = false;

	start_actors(x);
	x->chosen = choose(x);
	while (x->chosen != NOBODY) {
		resume(x, (unsigned)x->chosen);
		if (!x->actor[x->current].running)
			x->chosen = choose(x);
	}
	for (unsigned i = 0; i < x->actor_count; i++)
		left |= x->actor[i].running;
	finish_step(x);
	if (!left)
		return;
	if (x->searching && !x->error)
		offer_waiters(x);
	if (!x->cut && !x->error)
		note_deadlock(x);
	drain(x);
}

/* What must hold when all have ended. */
static void check_end(struct pgtsim_exploring *x)
{
	const struct pgtsim_explore_config *config = x->config;
	const char *wrong;

	for (unsigned i = 0; i < x->actor_count; i++)
		if (config->actors[i].check)
			config->actors[i].check(x->machine, x->actor[i].result,
						config->actors[i].arg);
	wrong = config->check ? config->check(config->ctx, x->machine) : NULL;
	if (wrong)
		pgtsim_tlb_violation(&x->machine->tlb, PGTSIM_V_EXPLORE_CHECK, 0, PGTSIM_PGD, "%s",
				     wrong);
	pgtsim_check_machine(x->machine);
	note_failure(x, x->step + 1);
}

static int run_machine(struct pgtsim_exploring *x)
{
	struct pgtsim_pgtable *pgt = &x->machine->pgt;
	struct pgtsim_access_hook *hook = pgt->hook;
	enum pgtsim_access access = pgt->access;
	int ret;

	x->machine->tlb.violation_count = 0;
	x->machine->tlb.counts.violations = 0;
	pgt->access = PGTSIM_ACCESS_PRIVATE;
	ret = pgtsim_watch_start(x);
	if (!ret) {
		pgt->access = PGTSIM_ACCESS_HOOKED;
		pgt->hook = &x->hook;
		run_actors(x);
		pgtsim_unobserve(&x->machine->tlb, &x->observer);
	}
	pgt->access = PGTSIM_ACCESS_PRIVATE;
	pgtsim_watch_end(x);
	if (!ret && !x->error && !x->cut && !x->deadlock)
		check_end(x);
	pgt->access = access;
	pgt->hook = hook;
	return ret;
}

int pgtsim_execute(struct pgtsim_exploring *x)
{
	const struct pgtsim_explore_config *config = x->config;
	int ret;

	x->machine = NULL;
	ret = config->setup(config->ctx, &x->machine);
	if (ret)
		return ret;
	memset(x->lock, 0, sizeof(x->lock));
	x->cut = x->deadlock = x->draining = false;
	x->step = x->failed_at = 0;
	x->sleep = 0;
	x->unlinked_size = 0;
	x->taken.count = 0;
	x->plan_at = 0;
	x->plan_left = x->plan.count ? x->plan.segment[0].count : 0;
	ret = run_machine(x);
	if (config->teardown)
		config->teardown(config->ctx, x->machine);
	else
		pgtsim_machine_free(&x->machine);
	return ret ? ret : x->error;
}

int pgtsim_execution_init(struct pgtsim_exploring *x)
{
	if (!pgtsim_coroutine_supported())
		return -ENOTSUP;
	x->hook.before = before_access;
	x->observer.event = see_event;
	for (unsigned i = 0; i < x->actor_count; i++) {
		x->actor[i].x = x;
		x->actor[i].id = i;
		x->actor[i].coroutine = pgtsim_coroutine_new();
		if (!x->actor[i].coroutine)
			return -ENOMEM;
	}
	return 0;
}

void pgtsim_execution_fini(struct pgtsim_exploring *x)
{
	for (unsigned i = 0; i < x->actor_count; i++) {
		pgtsim_coroutine_free(&x->actor[i].coroutine);
		free(x->actor[i].changes);
	}
	pgtsim_watch_fini(x);
	pgtsim_schedule_fini(&x->plan);
	pgtsim_schedule_fini(&x->taken);
	free(x->sleeps);
	free(x->nodes);
}
