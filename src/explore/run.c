/* SPDX-License-Identifier: MIT */
/* Runs one schedule: builds a machine, lets the actors take turns, and checks what is left. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgtsim/check.h>
#include <pgtsim/format.h>

#include "explore.h"

/* ---- choosing the actor of the next step ---- */

bool pgtsim_is_runnable(const struct pgtsim_exploring *x, unsigned actor)
{
	const struct pgtsim_actor *a = &x->actor[actor];

	if (!a->running || (a->next.waits && x->variable[a->next.index].version == a->next.version))
		return false;
	return !(pgtsim_step_acquires(a->next.op) && x->lock[a->next.lock].held);
}

/* Returns what a blocked actor waits for, in words. */
static const char *awaited_name(const struct pgtsim_exploring *x, unsigned actor)
{
	unsigned lock = x->actor[actor].next.lock;

	if (x->actor[actor].next.waits)
		return "a variable to change";
	return lock < PGTSIM_LOCKS ? pgtsim_lock_name((enum pgtsim_lock)lock) : "the end of a walk";
}

/* The caller's schedule cannot go on as written: says why in x->problem, and ends the run. */
static int cannot_follow(struct pgtsim_exploring *x, unsigned actor, const char *why,
			 const char *what)
{
	snprintf(x->problem, sizeof(x->problem),
		 "word %zu of the schedule cannot run as written: after %llu steps %s %s%s",
		 x->plan_at + 1, (unsigned long long)x->counted, x->config->actors[actor].name, why,
		 what);
	x->error = -EINVAL;
	return PGTSIM_NOBODY;
}

/* Starts segment x->plan_at of the plan. */
static void begin_word(struct pgtsim_exploring *x)
{
	const struct pgtsim_segment *segment;

	x->plan_left = x->plan_extra = 0;
	if (x->plan_at >= x->plan.count)
		return;
	segment = &x->plan.segment[x->plan_at];
	x->plan_left = segment->count;
	x->plan_extra = segment->extra;
}

/*
 * True if the current word of the caller's schedule still contains this step; takes it off the
 * word.
 */
static bool use_up_step(struct pgtsim_exploring *x, const struct pgtsim_next *next)
{
	if (x->plan_left) {
		x->plan_left -= !next->uncounted && x->plan_left != PGTSIM_TO_ITS_END;
		return true;
	}
	if (!x->plan_extra || !next->uncounted)
		return false;
	x->plan_extra--;
	return true;
}

/*
 * Returns the actor that the caller's schedule names next. Never skips a step that is written
 * there.
 */
static int choose_given(struct pgtsim_exploring *x)
{
	for (; x->plan_at < x->plan.count; x->plan_at++, begin_word(x)) {
		unsigned actor = x->plan.segment[x->plan_at].actor;
		const struct pgtsim_actor *a = &x->actor[actor];

		if (!a->running) {
			if ((x->plan_left && x->plan_left != PGTSIM_TO_ITS_END) || x->plan_extra)
				return cannot_follow(x, actor, "has ended", "");
			continue;
		}
		if (!x->plan_left && !x->plan_extra)
			continue;
		if (!pgtsim_is_runnable(x, actor))
			return cannot_follow(x, actor, "waits for ", awaited_name(x, actor));
		if (use_up_step(x, &a->next))
			return (int)actor;
		return cannot_follow(x, actor, "has no such uncounted step", "");
	}
	return PGTSIM_NOBODY;
}

/*
 * Returns the actor that the plan names next, or PGTSIM_NOBODY at its end. If the actor cannot go
 * on, an exact plan fails with -EIO; in another one (of simplify.c) the rest of the segment is
 * skipped.
 */
static int choose_planned(struct pgtsim_exploring *x)
{
	while (x->plan_at < x->plan.count) {
		const struct pgtsim_segment *segment = &x->plan.segment[x->plan_at];

		if (x->plan_left && pgtsim_is_runnable(x, segment->actor)) {
			x->plan_left--;
			return (int)segment->actor;
		}
		if (x->plan_left && x->exact) {
			x->error = -EIO;
			return PGTSIM_NOBODY;
		}
		x->plan_at++;
		begin_word(x);
	}
	return PGTSIM_NOBODY;
}

/* Records which actors can take the next step. */
static void record_runnable(struct pgtsim_exploring *x)
{
	size_t step = (size_t)x->step + 1, room = x->runnable_room ? x->runnable_room : 1024;
	uint8_t *grown;

	while (room <= step)
		room *= 2;
	if (room > x->runnable_room) {
		grown = realloc(x->runnable, room);
		if (!grown) {
			x->error = -ENOBUFS;
			return;
		}
		x->runnable = grown;
		x->runnable_room = room;
	}
	x->runnable[step] = 0;
	for (unsigned i = 0; i < x->actor_count; i++)
		x->runnable[step] |= (uint8_t)(pgtsim_is_runnable(x, i) << i);
}

/*
 * Follows the plan. After it, stays with the current actor as long as it is runnable and not asleep.
 * The run is cut if only sleeping actors are runnable: whatever follows was explored before.
 */
int pgtsim_choose(struct pgtsim_exploring *x)
{
	bool any = false;
	int planned;

	if (x->starting || x->error)
		return PGTSIM_NOBODY;
	if (x->randomly)
		return pgtsim_choose_randomly(x);
	if (x->searching && (x->config->limit_preemptions || x->config->shards > 1))
		record_runnable(x);
	planned = x->given ? choose_given(x) : choose_planned(x);
	if (planned != PGTSIM_NOBODY || x->error)
		return planned;
	if (pgtsim_is_runnable(x, x->current) && !(x->sleep >> x->current & 1))
		return (int)x->current;
	for (unsigned i = 0; i < x->actor_count; i++) {
		if (!pgtsim_is_runnable(x, i))
			continue;
		if (!(x->sleep >> i & 1))
			return (int)i;
		any = true;
	}
	x->cut = any;
	return PGTSIM_NOBODY;
}

/* ---- a run ---- */

static void run_actor(void *arg)
{
	struct pgtsim_actor *actor = arg;
	const struct pgtsim_actor_spec *spec = &actor->x->config->actors[actor->id];

	actor->result = spec->run(actor, actor->x->machine, spec->arg);
}

/* Runs an actor until it waits for its next turn or ends. */
static void resume(struct pgtsim_exploring *x, unsigned actor)
{
	x->current = actor;
	x->actor[actor].running = pgtsim_coroutine_resume(x->actor[actor].coroutine);
}

/* Runs each actor up to its first step. What comes before that must not touch anything shared. */
static void start_actors(struct pgtsim_exploring *x)
{
	x->starting = true;
	for (unsigned i = 0; i < x->actor_count; i++) {
		struct pgtsim_actor *a = &x->actor[i];

		a->clock = (struct pgtsim_clock){ { 0 } };
		a->change_count = 0;
		a->accesses = NULL;
		a->reads_again = a->uncounted = false;
		a->result = 0;
		pgtsim_coroutine_start(a->coroutine, run_actor, a);
		a->unlinked_size = 0;
		resume(x, i);
	}
	x->starting = false;
	x->current = 0;
}

/* True if the actor has not ended but cannot go on. */
static bool is_blocked(const struct pgtsim_exploring *x, unsigned actor)
{
	return x->actor[actor].running && !pgtsim_is_runnable(x, actor);
}

/*
 * An actor that is still blocked by a lock at the end could have taken it before its holder did. It
 * never takes that step in this run, so the race is reported here.
 */
static void offer_blocked(struct pgtsim_exploring *x)
{
	for (unsigned i = 0; i < x->actor_count; i++) {
		struct pgtsim_actor *a = &x->actor[i];
		const struct pgtsim_lock_state *lock = &x->lock[a->next.lock];

		if (is_blocked(x, i) && !a->next.waits && lock->acquirer != i &&
		    a->clock.step[lock->acquirer] < lock->acquired)
			pgtsim_race(x, lock->acquirer, lock->acquired, i, &a->clock);
	}
}

/* Reports the first actor that is blocked for ever. */
static void report_deadlock(struct pgtsim_exploring *x)
{
	const struct pgtsim_lock_state *lock;
	unsigned i = 0;

	while (!is_blocked(x, i))
		i++;
	lock = &x->lock[x->actor[i].next.lock];
	x->deadlock = true;
	if (x->actor[i].next.waits)
		pgtsim_tlb_violation(&x->machine->tlb, PGTSIM_V_DEADLOCK, 0, PGTSIM_PGD,
				     "%s waits for %s, which nobody does",
				     x->config->actors[i].name, awaited_name(x, i));
	else
		pgtsim_tlb_violation(&x->machine->tlb, PGTSIM_V_DEADLOCK, 0, PGTSIM_PGD,
				     "%s waits for %s, which %s holds", x->config->actors[i].name,
				     awaited_name(x, i),
				     lock->holder == i ? "it" :
							 x->config->actors[lock->holder].name);
	pgtsim_record_failure(x, x->step);
}

/*
 * Gives an actor that was abandoned in an endless loop (variables.c, give_up()) a new stack: its
 * function never returns.
 */
static void replace_coroutine(struct pgtsim_exploring *x, struct pgtsim_actor *a)
{
	if (!a->given_up)
		return;
	a->given_up = a->running = false;
	pgtsim_coroutine_free(&a->coroutine);
	a->coroutine = pgtsim_coroutine_new();
	if (!a->coroutine)
		x->error = -ENOBUFS;
}

/*
 * Lets actors that are still in the middle run to their end, so that nothing is leaked. They take
 * no steps, and nothing is reported.
 */
static void drain(struct pgtsim_exploring *x)
{
	x->draining = true;
	x->machine->tlb.quiet = true;
	for (unsigned i = 0; i < x->actor_count; i++)
		if (x->actor[i].running) {
			resume(x, i);
			replace_coroutine(x, &x->actor[i]);
		}
	x->machine->tlb.quiet = false;
}

/* Lets the actors take steps until none can, then deals with those that have not ended. */
static void run_actors(struct pgtsim_exploring *x)
{
	bool left = false;

	start_actors(x);
	x->chosen = pgtsim_choose(x);
	while (x->chosen != PGTSIM_NOBODY) {
		resume(x, (unsigned)x->chosen);
		if (x->actor[x->current].running)
			continue;
		pgtsim_finish_step(x);
		x->chosen = pgtsim_choose(x);
	}
	for (unsigned i = 0; i < x->actor_count; i++)
		left |= x->actor[i].running;
	pgtsim_finish_step(x);
	if (!left)
		return;
	if (x->searching && !x->error)
		offer_blocked(x);
	if (!x->cut && !x->error)
		report_deadlock(x);
	drain(x);
}

/* Runs the checks of the actors, of the caller and of the machine. */
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
	pgtsim_record_failure(x, x->step + 1);
}

/*
 * Runs the actors on x->machine with hooks on its accesses, allocator and events. Afterwards the
 * machine is as it was, except for what the actors did. Violations of the setup are forgotten.
 */
static int run_machine(struct pgtsim_exploring *x)
{
	struct pgtsim_pgtable *pgt = &x->machine->pgt;
	struct pgtsim_access_hook *hook = pgt->hook;
	enum pgtsim_access access = pgt->access;
	int ret;

	x->machine->tlb.violation_count = 0;
	x->machine->tlb.counts.violations = 0;
	pgt->access = PGTSIM_ACCESS_PRIVATE;
	ret = pgtsim_shadow_start(x);
	if (!ret)
		ret = pgtsim_listen_start(x);
	if (!ret) {
		pgt->access = PGTSIM_ACCESS_HOOKED;
		pgt->hook = &x->hook;
		run_actors(x);
	}
	pgtsim_listen_end(x);
	pgt->access = PGTSIM_ACCESS_PRIVATE;
	pgtsim_shadow_end(x);
	if (!ret && !x->error && !x->cut && !x->deadlock)
		check_end(x);
	pgt->access = access;
	pgt->hook = hook;
	return ret;
}

int pgtsim_run_schedule(struct pgtsim_exploring *x)
{
	const struct pgtsim_explore_config *config = x->config;
	int ret;

	x->machine = NULL;
	ret = config->setup(config->ctx, &x->machine);
	if (ret)
		return ret;
	memset(x->lock, 0, sizeof(x->lock));
	memset(x->actor_steps, 0, sizeof(x->actor_steps));
	pgtsim_variables_start(x);
	x->cut = x->deadlock = x->draining = false;
	x->step = x->failed_at = x->shown = 0;
	x->ordered = false;
	x->sleep = 0;
	x->taken.count = x->path.count = 0;
	x->counted = 0;
	x->plan_at = 0;
	begin_word(x);
	ret = run_machine(x);
	if (!ret && pgtsim_machine_out_of_host_memory(x->machine))
		ret = -ENOBUFS;
	if (config->teardown)
		config->teardown(config->ctx, x->machine);
	else
		pgtsim_machine_free(&x->machine);
	return ret ? ret : x->error;
}

int pgtsim_run_init(struct pgtsim_exploring *x)
{
	if (!pgtsim_coroutine_supported())
		return -ENOTSUP;
	x->hook.before = pgtsim_before_access;
	x->hook.section = pgtsim_before_section;
	for (unsigned i = 0; i < x->actor_count; i++) {
		x->actor[i].x = x;
		x->actor[i].id = i;
		x->actor[i].coroutine = pgtsim_coroutine_new();
		if (!x->actor[i].coroutine)
			return -ENOBUFS;
	}
	return 0;
}

void pgtsim_run_fini(struct pgtsim_exploring *x)
{
	for (unsigned i = 0; i < x->actor_count; i++) {
		pgtsim_coroutine_free(&x->actor[i].coroutine);
		free(x->actor[i].changes);
	}
	pgtsim_shadow_fini(x);
	pgtsim_listen_fini(x);
	pgtsim_variables_fini(x);
	pgtsim_schedule_fini(&x->path);
	pgtsim_schedule_fini(&x->plan);
	pgtsim_schedule_fini(&x->taken);
	free(x->sleeps);
	free(x->runnable);
	free(x->nodes);
}
