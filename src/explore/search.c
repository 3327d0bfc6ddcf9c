/* SPDX-License-Identifier: MIT */
/*
 * The search: dynamic partial-order reduction with source sets and sleep sets (Abdulla, Aronis,
 * Jonsson, Sagonas: POPL 2014). It runs one schedule of each class of equivalent ones, that is, of
 * those that differ only in the order of independent steps.
 *
 * Each run is searched for races: two steps of different actors that depend on each other and could
 * come in the other order. A race adds a branch to the node at the first of the two steps: a later run
 * takes the same steps up to there, then lets another actor go first. Nodes are explored depth first.
 *
 * Sleep sets avoid running a class twice. Example: actor a writes x and actor b writes y, then both
 * write z. When the branch that begins with a is done, a sleeps in the branch that begins with b. The
 * write of y does not depend on a's next step, the write of x, so a stays asleep: b, then a, would only
 * repeat a, then b. b's write of z does not depend on the write of x either, and nobody is left but a:
 * the run is cut. Only a step that depends on a's next step wakes a.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "explore.h"

/* ---- nodes ---- */

uint8_t pgtsim_sleep_before(const struct pgtsim_exploring *x, uint32_t step)
{
	size_t i = x->sleep_count;

	while (i && x->sleeps[i - 1].step > step)
		i--;
	return i ? x->sleeps[i - 1].sleep : 0;
}

/* Returns the node of a step, and makes it if there is none. NULL if there is no memory. */
static struct pgtsim_node *node_at(struct pgtsim_exploring *x, uint32_t step)
{
	size_t room = x->node_room ? 2 * x->node_room : 64, i = x->node_count;
	unsigned taker = x->taken.segment[pgtsim_schedule_find(&x->taken, step)].actor;
	struct pgtsim_node *grown;

	while (i && x->nodes[i - 1].step > step)
		i--;
	if (i && x->nodes[i - 1].step == step)
		return &x->nodes[i - 1];
	if (x->node_count == x->node_room) {
		grown = realloc(x->nodes, room * sizeof(*grown));
		if (!grown)
			return NULL;
		x->nodes = grown;
		x->node_room = room;
	}
	memmove(&x->nodes[i + 1], &x->nodes[i], (x->node_count++ - i) * sizeof(*x->nodes));
	x->nodes[i] = (struct pgtsim_node){
		.step = step,
		.todo = (uint8_t)(1u << taker),
		.done = (uint8_t)(1u << taker),
		.sleep = pgtsim_sleep_before(x, step),
		.begun = i ? x->nodes[i - 1].begun : x->item_begun,
	};
	return &x->nodes[i];
}

/*
 * After a race is found, the steps that follow the first racing step and don't depend on it can all be
 * moved before it. For each actor: the first of these steps (0: none) and its clock.
 */
struct rest {
	uint32_t first[PGTSIM_ACTORS_MAX];
	struct pgtsim_clock clock[PGTSIM_ACTORS_MAX];
};

/* Collects those steps for a race of `step`, taken by `other`, with the current step of `a`. */
static void find_rest(const struct pgtsim_exploring *x, unsigned other, uint32_t step, unsigned a,
		      const struct pgtsim_clock *clock, struct rest *rest)
{
	bool seen[PGTSIM_ACTORS_MAX] = { false };

	memset(rest, 0, sizeof(*rest));
	seen[other] = true;
	for (size_t i = pgtsim_schedule_find(&x->taken, step) + 1; i < x->taken.count; i++) {
		const struct pgtsim_segment *segment = &x->taken.segment[i];
		unsigned r = segment->actor;

		if (seen[r] || (r == a && segment->first == x->step))
			continue;
		seen[r] = true;
		rest->clock[r] = pgtsim_clock_at(&x->actor[r], segment->first);
		if (rest->clock[r].step[other] < step)
			rest->first[r] = segment->first;
	}
	if (!seen[a]) {
		rest->first[a] = x->step + 1;
		rest->clock[a] = *clock;
	}
}

/*
 * Returns the actors whose step in `rest` can be the first one: it comes after no other actor's
 * first step. If one of them is explored at the node, the race is covered (source sets).
 */
static uint8_t initials(const struct pgtsim_exploring *x, const struct rest *rest)
{
	uint8_t found = 0;

	for (unsigned r = 0; r < x->actor_count; r++) {
		bool first = rest->first[r] != 0;

		for (unsigned s = 0; s < x->actor_count; s++)
			if (s != r && rest->first[s] && rest->clock[r].step[s] >= rest->first[s])
				first = false;
		if (first)
			found |= (uint8_t)(1u << r);
	}
	return found;
}

/*
 * True if the actor could have taken this step. Recorded only while preemptions are limited or the
 * search is divided into shards.
 */
static bool could_take(const struct pgtsim_exploring *x, uint32_t step, unsigned actor)
{
	return x->runnable[step] >> actor & 1;
}

/*
 * Adds branches to the node of a step: all actors in `could` that could run, or all runnable ones
 * if none of those could. With a limit on preemptions one branch is not enough: another one may
 * reach the same order with fewer switches (Coons, Musuvathi, McKinley: OOPSLA 2013).
 */
static void add_all(struct pgtsim_exploring *x, uint32_t step, uint8_t could)
{
	struct pgtsim_node *node = node_at(x, step);
	uint8_t can = x->runnable[step];

	if (!node)
		x->error = -ENOBUFS;
	else
		node->todo |= could & can ? could & can : can;
}

void pgtsim_race(struct pgtsim_exploring *x, unsigned other, uint32_t step, unsigned a,
		 const struct pgtsim_clock *clock)
{
	struct pgtsim_node *node;
	struct rest rest;
	uint8_t could;

	if (step <= x->item_steps)
		return;
	node = node_at(x, step);
	if (!node) {
		x->error = -ENOBUFS;
		return;
	}
	find_rest(x, other, step, a, clock, &rest);
	could = initials(x, &rest);
	if (x->config->limit_preemptions) {
		size_t block = pgtsim_schedule_find(&x->taken, step);

		add_all(x, step, could);
		add_all(x, x->taken.segment[block].first, (uint8_t)(1u << a));
	} else if (!(could & (node->todo | node->sleep))) {
		node->todo |= could & (uint8_t)-could;
	}
}

/* ---- the next schedule ---- */

/*
 * Counts the preemptions of the last run before `step`, and one more if giving the step to `actor`
 * is one. A preemption is a switch from an actor that could have gone on.
 */
static unsigned preemptions(const struct pgtsim_exploring *x, uint32_t step, unsigned actor)
{
	unsigned count = 0;

	for (size_t i = 1; i < x->taken.count && x->taken.segment[i].first < step; i++)
		count += could_take(x, x->taken.segment[i].first, x->taken.segment[i - 1].actor);
	if (step > 1) {
		unsigned before = x->taken.segment[pgtsim_schedule_find(&x->taken, step - 1)].actor;

		count += before != actor && could_take(x, step, before);
	}
	return count;
}

/*
 * Returns an actor of the node that must still be tried, or PGTSIM_NOBODY. Skips those that would
 * need too many preemptions.
 */
static int pick_branch(struct pgtsim_exploring *x, struct pgtsim_node *node)
{
	for (unsigned i = 0; i < x->actor_count; i++) {
		uint8_t bit = (uint8_t)(1u << i);

		if (!(node->todo & bit) || (node->done | node->sleep) & bit)
			continue;
		if (!x->config->limit_preemptions ||
		    preemptions(x, node->step, i) <= x->config->preemptions)
			return (int)i;
		node->done |= bit;
		x->left_out = true;
	}
	return PGTSIM_NOBODY;
}

/* Counts the runs of the branch that has just ended, for the estimate. */
static void end_branch(struct pgtsim_exploring *x, struct pgtsim_node *node)
{
	uint64_t size = x->runs - node->begun;

	if (!node->branches++)
		node->first = size;
	else
		x->later_runs += size;
	if (node->branches > 1)
		x->expected_runs += node->first;
	node->sum += size;
	node->begun = x->runs;
}

/*
 * Plans the next schedule: the deepest node with a branch left decides. Returns false if there is
 * none, or if there is no memory (x->error).
 */
static bool next_schedule(struct pgtsim_exploring *x)
{
	for (; x->node_count; x->node_count--) {
		struct pgtsim_node *node = &x->nodes[x->node_count - 1];
		int actor = pick_branch(x, node);

		end_branch(x, node);
		if (actor == PGTSIM_NOBODY)
			continue;
		x->fresh = node->step;
		x->fresh_sleep = x->config->limit_preemptions ? 0 : node->sleep | node->done;
		node->done |= (uint8_t)(1u << actor);
		while (x->sleep_count && x->sleeps[x->sleep_count - 1].step > x->fresh)
			x->sleep_count--;
		if (pgtsim_schedule_copy(&x->plan, &x->taken, x->fresh - 1) &&
		    pgtsim_schedule_add(&x->plan, (unsigned)actor, 1))
			return true;
		x->error = -ENOBUFS;
		return false;
	}
	return false;
}

/* ---- estimates ---- */

/*
 * Estimates the number of runs of the current item. A branch that is still to be tried is assumed
 * to be as large as the first one of its node, multiplied by how wrong this assumption was so far:
 * later branches are smaller, because more actors are asleep in them.
 */
static double estimate_item(const struct pgtsim_exploring *x)
{
	double ratio = x->expected_runs ? (double)x->later_runs / (double)x->expected_runs : 1;
	double size = (double)(x->runs - x->item_begun);

	if (x->node_count)
		size = (double)(x->runs - x->nodes[x->node_count - 1].begun);
	for (size_t i = x->node_count; i--;) {
		const struct pgtsim_node *node = &x->nodes[i];
		uint8_t left = node->todo & (uint8_t) ~(node->done | node->sleep);
		double first = node->branches ? (double)node->first : size;

		size += (double)node->sum;
		for (; left; left &= (uint8_t)(left - 1))
			size += first * ratio;
	}
	return size;
}

/* Estimates the number of schedules in all items. Runs that are cut short are not counted. */
static uint64_t estimate(const struct pgtsim_exploring *x, const struct pgtsim_exploration *out)
{
	double item = estimate_item(x), runs = (double)x->item_begun + item;
	uint64_t left = x->items ? x->items - x->items_done - 1 : 0;
	double mean = x->items_done ? (double)x->item_begun / (double)x->items_done : item;

	runs += mean * (double)left;
	return x->runs ? (uint64_t)(runs * (double)out->schedules / (double)x->runs + 0.5) : 0;
}

/* ---- the search ---- */

void pgtsim_count_run(struct pgtsim_exploring *x, struct pgtsim_exploration *out)
{
	x->runs++;
	if (x->cut) {
		out->cut++;
		return;
	}
	out->schedules++;
	out->failed += x->failed_at != 0;
	if (x->counted > out->steps)
		out->steps = x->counted;
	for (unsigned i = 0; i < x->actor_count && !out->result && !x->deadlock; i++) {
		out->result = x->actor[i].result;
		out->result_actor = i;
	}
}

int pgtsim_keep_failing(struct pgtsim_exploring *x, struct pgtsim_schedule *failing)
{
	uint32_t steps = x->failed_at < x->step ? x->failed_at : x->step;

	return pgtsim_schedule_copy(failing, &x->taken, steps) ? 0 : -ENOBUFS;
}

/* True if the search must end here; sets out->stopped to the reason. */
static bool stops_here(struct pgtsim_exploring *x, struct pgtsim_exploration *out)
{
	const struct pgtsim_explore_config *config = x->config;
	const struct pgtsim_explore_progress progress = {
		.schedules = out->schedules,
		.failed = out->failed,
		.estimate = config->progress ? estimate(x, out) : 0,
	};

	if (config->first_only && out->failed)
		out->stopped = PGTSIM_STOPPED_FIRST;
	else if (config->bound && out->schedules + out->cut >= config->bound)
		out->stopped = PGTSIM_STOPPED_BOUND;
	else if (config->progress && config->progress(config->ctx, &progress))
		out->stopped = PGTSIM_STOPPED_ASKED;
	return out->stopped != PGTSIM_STOPPED_NOT;
}

/*
 * Runs x->plan and adds what it found. Keeps the first failing schedule. Returns 0, or a negative
 * errno that ends the exploration.
 */
static int run_one(struct pgtsim_exploring *x, struct pgtsim_exploration *out,
		   struct pgtsim_schedule *failing)
{
	int ret = pgtsim_run_schedule(x);

	if (ret)
		return ret;
	pgtsim_count_run(x, out);
	if (x->cut || !x->failed_at || out->failed != 1)
		return 0;
	out->violation = x->violation;
	return pgtsim_keep_failing(x, failing);
}

/* Starts an item: no nodes, and nobody sleeps except in its own sleep set. */
static void begin_item(struct pgtsim_exploring *x, uint32_t steps, uint8_t sleep)
{
	x->searching = x->exact = true;
	x->node_count = x->sleep_count = 0;
	x->item_steps = steps;
	x->fresh = steps ? steps : 1;
	x->fresh_sleep = sleep;
	x->item_begun = x->runs;
}

int pgtsim_search_item(struct pgtsim_exploring *x, struct pgtsim_exploration *out,
		       struct pgtsim_schedule *failing, const struct pgtsim_item *item,
		       uint64_t bound)
{
	uint64_t last = x->runs + bound;

	if (!pgtsim_schedule_copy(&x->plan, &item->prefix, UINT32_MAX))
		return -ENOBUFS;
	begin_item(x, pgtsim_schedule_steps(&item->prefix), item->sleep);
	for (;;) {
		int ret = run_one(x, out, failing);

		if (ret)
			return ret;
		if (!next_schedule(x))
			return x->error;
		if (bound && x->runs >= last)
			return 1;
		if (!bound && stops_here(x, out))
			return 1;
	}
}

int pgtsim_search(struct pgtsim_exploring *x, struct pgtsim_exploration *out,
		  struct pgtsim_schedule *failing)
{
	const struct pgtsim_item all = { .sleep = 0 };
	int ret;

	if (x->config->runs)
		return pgtsim_search_randomly(x, out, failing, run_one);
	if (x->config->shards > 1)
		return pgtsim_search_shard(x, out, failing);
	ret = pgtsim_search_item(x, out, failing, &all, 0);
	out->estimate = ret == 1 ? estimate(x, out) : out->schedules;
	if (!ret && x->left_out)
		out->stopped = PGTSIM_STOPPED_PREEMPTIONS;
	pgtsim_search_ended(x, out, ret);
	return ret < 0 ? ret : 0;
}

void pgtsim_search_ended(const struct pgtsim_exploring *x, struct pgtsim_exploration *out, int ret)
{
	out->complete = !ret && !x->left_out && !x->named_late;
	if (!ret && x->named_late)
		out->stopped = PGTSIM_STOPPED_SHARED_CPU;
}

uint64_t pgtsim_search_estimate(const struct pgtsim_exploring *x,
				const struct pgtsim_exploration *out)
{
	return estimate(x, out);
}
