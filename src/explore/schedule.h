/* SPDX-License-Identifier: MIT */
/*
 * schedule: which actor takes each step. Consecutive steps of one actor are one segment: "a*12,b*3,a*4"
 * has three.
 */
#ifndef PGTSIM_SCHEDULE_H
#define PGTSIM_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * `count` consecutive steps of an actor; `first` is the number of the first one, from 1.
 *
 * The text of a schedule does not count the library's internal steps (reads ahead of the walker, the
 * end of an operation). "a*3+1" means three counted steps and one uncounted step after them. In a
 * segment read from a text, `count` is the number of counted steps and `extra` that of uncounted steps
 * after them; `first` is 0.
 */
struct pgtsim_segment {
	uint32_t first, count;
	uint32_t counted, extra; /* set by pgtsim_schedule_count() or from a text */
	unsigned actor;
};

enum { PGTSIM_TO_ITS_END = UINT32_MAX >> 1 }; /* a count larger than any actor's steps */

/* All zero: an empty schedule. */
struct pgtsim_schedule {
	struct pgtsim_segment *segment;
	size_t count, room;
};

/* Frees the segments; the schedule is empty then. */
void pgtsim_schedule_fini(struct pgtsim_schedule *schedule);

/* Adds `count` steps of an actor at the end. Returns false if there is no memory. */
bool pgtsim_schedule_add(struct pgtsim_schedule *schedule, unsigned actor, uint32_t count);

/*
 * Adds a word of a schedule's text as a segment of its own, even if the one before has the same
 * actor. Returns false if there is no memory.
 */
bool pgtsim_schedule_add_word(struct pgtsim_schedule *schedule, unsigned actor, uint32_t count,
			      uint32_t extra);

/* Tells whether the text of the schedule counts the step that was added last. */
void pgtsim_schedule_count(struct pgtsim_schedule *schedule, bool counted);

/* Replaces `to` by the first `steps` steps of `from`. Returns false if there is no memory. */
bool pgtsim_schedule_copy(struct pgtsim_schedule *to, const struct pgtsim_schedule *from,
			  uint32_t steps);

/* Returns the index of the segment that contains a step. The step must be in the schedule. */
size_t pgtsim_schedule_find(const struct pgtsim_schedule *schedule, uint32_t step);

/* Returns the number of steps. */
uint32_t pgtsim_schedule_steps(const struct pgtsim_schedule *schedule);

/* One word of a schedule's text: NAME, NAME*COUNT or NAME*COUNT+EXTRA. `name` is not terminated. */
struct pgtsim_schedule_word {
	const char *name;
	size_t length;
	uint32_t count, extra;
};

/* Reads the word at *text and moves *text past it and a comma. Returns false if it is malformed. */
bool pgtsim_schedule_word(const char **text, struct pgtsim_schedule_word *word);

#endif
