/* SPDX-License-Identifier: MIT */
/*
 * Happens-before: a step comes before another one in every schedule that is equivalent to this one
 * if both are of one actor, if they depend on each other and it was taken earlier, or through a chain
 * of such pairs. Kept as vector clocks: clock.step[i] is the last step of actor i that comes before.
 */
#include <errno.h>
#include <stdlib.h>

#include "explore.h"

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

/* Sets each component of `clock` to the larger one. True if any changed. */
static bool join_clocks(struct pgtsim_clock *clock, const struct pgtsim_clock *other)
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

/* Keeps the clock that the actor has from the current step on, for pgtsim_clock_at(). */
static void record_change(struct pgtsim_exploring *x, struct pgtsim_actor *a)
{
	size_t room = a->change_room ? 2 * a->change_room : 64;
	struct pgtsim_clock_change *grown;

	if (a->change_count == a->change_room) {
		grown = realloc(a->changes, room * sizeof(*grown));
		if (!grown) {
			x->error = -ENOBUFS;
			return;
		}
		a->changes = grown;
		a->change_room = room;
	}
	a->changes[a->change_count++] = (struct pgtsim_clock_change){ x->step, a->clock };
}

void pgtsim_join_step(struct pgtsim_exploring *x, struct pgtsim_actor *a, unsigned other,
		      uint32_t step)
{
	struct pgtsim_clock clock = pgtsim_clock_at(&x->actor[other], step);

	if (join_clocks(&a->clock, &clock))
		record_change(x, a);
}

void pgtsim_add_candidate(const struct pgtsim_actor *a, struct pgtsim_candidates *to,
			  unsigned actor, uint32_t step)
{
	if (step && actor != a->id && a->clock.step[actor] < step)
		to->list[to->count++] = (struct pgtsim_candidate){ actor, step };
}

/*
 * Tells the search that candidate i could have come after the current step, unless another
 * candidate comes after candidate i: then the two steps are adjacent in no equivalent schedule, and
 * the race is with the other candidate.
 *
 * Example: b writes an entry, c reads it and then frees the table, and a accesses the entry. The
 * write comes before the free, so only the race of the free and the access is reported.
 */
static void offer_race(struct pgtsim_exploring *x, struct pgtsim_actor *a,
		       const struct pgtsim_candidates *with, unsigned i)
{
	const struct pgtsim_candidate *c = &with->list[i];
	struct pgtsim_clock clock = a->clock;

	for (unsigned k = 0; k < with->count; k++) {
		const struct pgtsim_candidate *d = &with->list[k];
		struct pgtsim_clock other = pgtsim_clock_at(&x->actor[d->actor], d->step);

		if (k == i || (d->actor == c->actor && d->step == c->step))
			continue;
		if (other.step[c->actor] >= c->step)
			return;
		join_clocks(&clock, &other);
	}
	pgtsim_race(x, c->actor, c->step, a->id, &clock);
}

void pgtsim_order_after(struct pgtsim_exploring *x, struct pgtsim_actor *a,
			const struct pgtsim_candidates *with)
{
	for (unsigned i = 0; x->searching && x->step >= x->fresh && i < with->count; i++)
		offer_race(x, a, with, i);
	for (unsigned i = 0; i < with->count; i++)
		pgtsim_join_step(x, a, with->list[i].actor, with->list[i].step);
}
