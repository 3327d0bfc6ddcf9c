/* SPDX-License-Identifier: MIT */
/*
 * schedule: who takes each step, as runs of steps of one actor.
 */
#ifndef PGTSIM_SCHEDULE_H
#define PGTSIM_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `count` steps of an actor from step `first` on, the schedule's first step being 1. */
struct pgtsim_segment {
	uint32_t first, count;
	unsigned actor;
};

enum { PGTSIM_TO_ITS_END = UINT32_MAX >> 1 }; /* a count larger than any actor's steps */

/* All zero: an empty one. */
struct pgtsim_schedule {
	struct pgtsim_segment *segment;
	size_t count, room;
};

void pgtsim_schedule_fini(struct pgtsim_schedule *schedule);

/* Adds steps of an actor at the end. Returns whether there was memory. */
bool pgtsim_schedule_add(struct pgtsim_schedule *schedule, unsigned actor, uint32_t count);

/* Makes `to` the first `steps` steps of `from`. Returns whether there was memory. */
bool pgtsim_schedule_copy(struct pgtsim_schedule *to, const struct pgtsim_schedule *from,
			  uint32_t steps);

/* The index of the segment that holds a step, which must be in the schedule. */
size_t pgtsim_schedule_find(const struct pgtsim_schedule *schedule, uint32_t step);

uint32_t pgtsim_schedule_steps(const struct pgtsim_schedule *schedule);

/* One NAME*COUNT of a spelling. */
struct pgtsim_schedule_word {
	const char *name;
	size_t length;
	uint32_t count;
};

/*
 * Reads the next word at *text and moves on behind it and a comma. Returns whether there was one
 * that is well-formed.
 */
bool pgtsim_schedule_word(const char **text, struct pgtsim_schedule_word *word);

#endif
