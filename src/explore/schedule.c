/* SPDX-License-Identifier: MIT */
#include "schedule.h"

#include <stdlib.h>
#include <string.h>

#include <pgtsim/explore.h>

void pgtsim_schedule_fini(struct pgtsim_schedule *schedule)
{
	free(schedule->segment);
	*schedule = (struct pgtsim_schedule){ 0 };
}

static bool make_room(struct pgtsim_schedule *schedule)
{
	size_t room = schedule->room ? 2 * schedule->room : 64;
	struct pgtsim_segment *grown;

	if (schedule->count < schedule->room)
		return true;
	grown = realloc(schedule->segment, room * sizeof(*grown));
	if (!grown)
		return false;
	schedule->segment = grown;
	schedule->room = room;
	return true;
}

uint32_t pgtsim_schedule_steps(const struct pgtsim_schedule *schedule)
{
	const struct pgtsim_segment *last;

	if (!schedule->count)
		return 0;
	last = &schedule->segment[schedule->count - 1];
	return last->first - 1 + last->count;
}

bool pgtsim_schedule_add(struct pgtsim_schedule *schedule, unsigned actor, uint32_t count)
{
	uint32_t steps = pgtsim_schedule_steps(schedule);

	if (schedule->count && schedule->segment[schedule->count - 1].actor == actor) {
		schedule->segment[schedule->count - 1].count += count;
		return true;
	}
	if (!make_room(schedule))
		return false;
	schedule->segment[schedule->count++] =
		(struct pgtsim_segment){ .first = steps + 1, .count = count, .actor = actor };
	return true;
}

bool pgtsim_schedule_add_word(struct pgtsim_schedule *schedule, unsigned actor, uint32_t count,
			      uint32_t extra)
{
	if (!make_room(schedule))
		return false;
	schedule->segment[schedule->count++] =
		(struct pgtsim_segment){ .count = count, .extra = extra, .actor = actor };
	return true;
}

void pgtsim_schedule_count(struct pgtsim_schedule *schedule, bool counted)
{
	struct pgtsim_segment *last = &schedule->segment[schedule->count - 1];

	last->counted += counted;
	last->extra = counted ? 0 : last->extra + 1;
}

bool pgtsim_schedule_copy(struct pgtsim_schedule *to, const struct pgtsim_schedule *from,
			  uint32_t steps)
{
	to->count = 0;
	for (size_t i = 0; i < from->count && steps; i++) {
		uint32_t count = from->segment[i].count;

		if (count > steps)
			count = steps;
		if (!pgtsim_schedule_add(to, from->segment[i].actor, count))
			return false;
		steps -= count;
	}
	return true;
}

size_t pgtsim_schedule_find(const struct pgtsim_schedule *schedule, uint32_t step)
{
	size_t low = 0, high = schedule->count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (schedule->segment[middle].first <= step)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* Reads a decimal number. False if there is none, or it is above PGTSIM_TO_ITS_END. */
static bool read_count(const char **text, uint32_t *count)
{
	uint64_t number = 0;

	if (**text < '0' || **text > '9')
		return false;
	for (; **text >= '0' && **text <= '9'; (*text)++) {
		number = number * 10 + (uint64_t)(**text - '0');
		if (number > PGTSIM_TO_ITS_END)
			return false;
	}
	*count = (uint32_t)number;
	return true;
}

/* Reads COUNT or COUNT+EXTRA. They must not both be 0. */
static bool read_counts(const char **text, struct pgtsim_schedule_word *word)
{
	if (!read_count(text, &word->count))
		return false;
	if (**text == '+') {
		++*text;
		if (!read_count(text, &word->extra))
			return false;
	}
	return word->count || word->extra;
}

bool pgtsim_schedule_word(const char **text, struct pgtsim_schedule_word *word)
{
	word->name = *text;
	word->length = strcspn(*text, "*,");
	word->count = PGTSIM_TO_ITS_END;
	word->extra = 0;
	*text += word->length;
	if (!word->length)
		return false;
	if (**text == '*') {
		++*text;
		if (!read_counts(text, word))
			return false;
	}
	if (**text == '\0')
		return true;
	if (**text != ',')
		return false;
	++*text;
	return **text != '\0';
}

bool pgtsim_schedule_is_valid(const char *schedule,
			      bool (*known)(const void *ctx, const char *name, size_t length),
			      const void *ctx)
{
	struct pgtsim_schedule_word word;

	if (!schedule || !known)
		return false;
	do {
		if (!pgtsim_schedule_word(&schedule, &word) || !known(ctx, word.name, word.length))
			return false;
	} while (*schedule != '\0');
	return true;
}
