/* SPDX-License-Identifier: MIT */
/*
 * Random schedules, for programs with too many schedules to try all. Each actor gets a random
 * priority, and the runnable actor with the highest one takes the next step. At up to three random
 * steps the running actor's priority drops below all others (Burckhardt, Kothari, Musuvathi,
 * Nagarakatte: ASPLOS 2010). With n actors and k steps, each schedule finds a bug that needs d such
 * drops with a probability of at least 1/(n k^d).
 */
#include "explore.h"

/* xorshift64*: the same numbers on every host. */
static uint64_t next_random(struct pgtsim_exploring *x)
{
	x->random ^= x->random >> 12;
	x->random ^= x->random << 25;
	x->random ^= x->random >> 27;
	return x->random * UINT64_C(0x2545f4914f6cdd1d);
}

/* A random number in [0, limit); 0 if limit is 0. */
static uint64_t random_below(struct pgtsim_exploring *x, uint64_t limit)
{
	return limit ? (next_random(x) >> 11) % limit : 0;
}

/* Shuffles the priorities, and draws the steps at which the running actor's priority drops. */
static void draw_priorities(struct pgtsim_exploring *x, uint64_t steps)
{
	unsigned changes = (unsigned)random_below(x, PGTSIM_RANDOM_CHANGES + 1);

	for (unsigned i = 0; i < x->actor_count; i++) {
		unsigned other = (unsigned)random_below(x, i + 1);

		x->priority[i] = x->priority[other];
		x->priority[other] = PGTSIM_RANDOM_CHANGES + 1 + i;
	}
	for (unsigned i = 0; i < PGTSIM_RANDOM_CHANGES; i++)
		x->change_at[i] = i < changes ? 1 + (uint32_t)random_below(x, steps) : 0;
}

int pgtsim_choose_randomly(struct pgtsim_exploring *x)
{
	int best = PGTSIM_NOBODY;

	for (unsigned i = 0; i < PGTSIM_RANDOM_CHANGES; i++)
		if (x->step && x->change_at[i] == x->step)
			x->priority[x->current] = i;
	for (unsigned i = 0; i < x->actor_count; i++)
		if (pgtsim_is_runnable(x, i) &&
		    (best == PGTSIM_NOBODY || x->priority[i] > x->priority[best]))
			best = (int)i;
	return best;
}

int pgtsim_search_randomly(struct pgtsim_exploring *x, struct pgtsim_exploration *out,
			   struct pgtsim_schedule *failing,
			   int (*run_one)(struct pgtsim_exploring *, struct pgtsim_exploration *,
					  struct pgtsim_schedule *))
{
	const struct pgtsim_explore_config *config = x->config;
	uint64_t steps = 0;
	int ret = 0;

	x->random = (config->seed + 1) * UINT64_C(0x9e3779b97f4a7c15) | 1;
	x->randomly = true;
	for (uint64_t i = 0; !ret && i < config->runs; i++) {
		const struct pgtsim_explore_progress progress = {
			.schedules = out->schedules,
			.failed = out->failed,
			.estimate = config->runs,
		};

		if ((config->first_only && out->failed) ||
		    (config->progress && config->progress(config->ctx, &progress)))
			break;
		draw_priorities(x, steps);
		ret = run_one(x, out, failing);
		steps = x->step > steps ? x->step : steps;
	}
	x->randomly = false;
	out->stopped = PGTSIM_STOPPED_RANDOM;
	return ret;
}
