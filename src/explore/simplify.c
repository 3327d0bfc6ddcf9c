/* SPDX-License-Identifier: MIT */
/*
 * Makes a failing schedule simpler, in small edits: first fewer switches between actors, then fewer
 * steps. An edit is kept if the schedule still fails with the same violation.
 */
#include <errno.h>

#include "explore.h"

/* At most so many runs. */
enum { TRIES = 4096 };

struct simpler {
	struct pgtsim_exploring *x;
	enum pgtsim_violation_name name; /* the violation that must remain */
	struct pgtsim_schedule *best;
	unsigned tries;
};

static bool is_simpler(const struct pgtsim_schedule *a, const struct pgtsim_schedule *b)
{
	if (a->count != b->count)
		return a->count < b->count;
	return pgtsim_schedule_steps(a) < pgtsim_schedule_steps(b);
}

/*
 * Runs x->plan. If it still fails the same way and is simpler, it becomes the best one: returns 1.
 * Returns 0 if not, or a negative errno.
 */
static int try_plan(struct simpler *s)
{
	struct pgtsim_schedule taken = { 0 };
	int ret;

	if (s->tries++ == TRIES)
		return 0;
	ret = pgtsim_run_schedule(s->x);
	if (!ret && s->x->failed_at && s->x->violation.name == s->name)
		ret = pgtsim_keep_failing(s->x, &taken);
	if (!ret && taken.count && is_simpler(&taken, s->best)) {
		struct pgtsim_schedule old = *s->best;

		*s->best = taken;
		taken = old;
		ret = 1;
	}
	pgtsim_schedule_fini(&taken);
	return ret;
}

/* What to do with segment `at`: leave it out, exchange it with the next one, or shorten it. */
enum edit { DROP, SWAP, SHORTEN };

/* Tries the best schedule with one edit. SHORTEN takes `less` steps away. */
static int try_edit(struct simpler *s, enum edit edit, size_t at, uint32_t less)
{
	struct pgtsim_schedule *plan = &s->x->plan;
	bool fits = true;

	plan->count = 0;
	for (size_t i = 0; fits && i < s->best->count; i++) {
		size_t from = i;
		uint32_t count;

		if (edit == SWAP && (i == at || i == at + 1))
			from = at + (at + 1) - i;
		count = s->best->segment[from].count;
		if (i == at && edit == DROP)
			continue;
		if (i == at && edit == SHORTEN)
			count -= less;
		fits = !count || pgtsim_schedule_add(plan, s->best->segment[from].actor, count);
	}
	return fits ? try_plan(s) : -ENOBUFS;
}

/* Drops or swaps segments until no such edit makes the schedule simpler. */
static int fewer_switches(struct simpler *s)
{
	int ret = 1;

	while (ret > 0) {
		ret = 0;
		for (size_t i = 0; ret == 0 && i < s->best->count; i++) {
			ret = try_edit(s, DROP, i, 0);
			if (!ret && i + 1 < s->best->count)
				ret = try_edit(s, SWAP, i, 0);
		}
	}
	return ret;
}

/*
 * Shortens each segment as far as possible: by half of it as often as that works, then a quarter,
 * and so on down to one step.
 */
static int fewer_steps(struct simpler *s)
{
	int ret = 0;

	for (size_t i = 0; ret >= 0 && i < s->best->count; i++) {
		uint32_t less = s->best->segment[i].count / 2;

		for (; ret >= 0 && less && i < s->best->count; less /= 2) {
			while (less < s->best->segment[i].count) {
				ret = try_edit(s, SHORTEN, i, less);
				if (ret <= 0 || i >= s->best->count)
					break;
			}
			if (i >= s->best->count)
				break;
		}
	}
	return ret < 0 ? ret : 0;
}

int pgtsim_simplify(struct pgtsim_exploring *x, enum pgtsim_violation_name name,
		    struct pgtsim_schedule *failing)
{
	struct simpler s = { .x = x, .name = name, .best = failing };
	int ret = fewer_switches(&s);

	return ret ? ret : fewer_steps(&s);
}
