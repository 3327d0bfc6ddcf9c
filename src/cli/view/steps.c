/* SPDX-License-Identifier: MIT */
#include "steps.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct stepping {
	struct run_watcher watcher;
	struct pgtsim_observer observer;
	struct run *run;
	const struct scenario_command *command;
	uint64_t number, first, last;
	steps_see *see;
	void *ctx;

	struct steps_index *index;       /* the index that this run makes, or NULL */
	const struct steps_index *known; /* the index that this run uses, or NULL */
	uint64_t anchors;                /* number so far */
	uint64_t fine_from;              /* number of the anchor from which on events are single entries */
	uint64_t table;                  /* leaves_of() the last event; 0: it changed no leaves */
	size_t place;                    /* index of the running command in places[] */
	uint64_t leaves;                 /* number written and cleared so far */
	bool lost;                       /* host memory ran out */
};

static void show(struct stepping *s, const struct pgtsim_event *event, int result)
{
	const struct step step = {
		.number = s->number++,
		.command = s->command,
		.event = event,
		.result = result,
	};

	if (step.number >= s->first && step.number <= s->last)
		s->see(s->ctx, s->run, &step);
}

/* ---- anchors ---- */

/* Makes room for one more in an array whose size is a power of two. False if there is no memory. */
static bool room(struct stepping *s, void **array, size_t count, size_t size)
{
	void *grown;

	if (count & (count - 1))
		return true;
	grown = realloc(*array, (count ? 2 * count : 1) * size);
	if (!grown) {
		s->lost = true;
		return false;
	}
	*array = grown;
	return true;
}

/* A number for the table whose leaves an event changes, and for writing or clearing; never 0. */
static uint64_t leaves_of(const struct stepping *s, const struct pgtsim_event *event)
{
	const struct pgtsim_geometry *geo = &s->run->machine->geo;
	unsigned slot = pgtsim_slot(event->level);

	return event->va >> (geo->shift[slot] + geo->bits[slot]) << 5 | slot << 2 |
	       (event->op == PGTSIM_OP_MAP ? 2 : 1);
}

/*
 * True if a moment is an anchor: a moment that exists whether a run of leaves is one event or an event
 * for each leaf. The first leaf written or cleared in a table is an anchor; the other leaves, and the
 * barriers and invalidates between them, are not.
 */
static bool is_anchor(struct stepping *s, const struct pgtsim_event *event)
{
	uint64_t table = 0;

	switch (event ? event->op : PGTSIM_OP_COUNT) {
	case PGTSIM_OP_MAP:
	case PGTSIM_OP_CLEAR:
		table = leaves_of(s, event);
		if (table == s->table)
			return false;
		break;
	case PGTSIM_OP_LINK:
	case PGTSIM_OP_UNLINK:
	case PGTSIM_OP_BEGIN_MAP:
	case PGTSIM_OP_BEGIN_POPULATE:
	case PGTSIM_OP_BEGIN_PASS_1:
	case PGTSIM_OP_BEGIN_PASS_2:
	case PGTSIM_OP_COUNT:
		break;
	default:
		return false;
	}
	s->table = table;
	return true;
}

/* At an anchor of an indexed scenario: corrects the moment's number, and decides how to go on. */
static void at_anchor(struct stepping *s, uint64_t anchor)
{
	const struct steps_index *known = s->known;

	if (anchor < known->anchor_count)
		s->number = known->anchors[anchor];
	if (known->runs)
		return;
	/* Starts one anchor early, so that the anchor that is needed is a single entry already. */
	s->run->machine->tlb.single = anchor + 1 >= s->fine_from && s->number <= s->last;
}

/* ---- making an index ---- */

static void note_anchor(struct stepping *s)
{
	struct steps_index *index = s->index;

	if (room(s, (void **)&index->anchors, index->anchor_count, sizeof(*index->anchors)))
		index->anchors[index->anchor_count++] = s->number;
}

static void note_place(struct stepping *s, const struct steps_place *place)
{
	struct steps_index *index = s->index;

	if (room(s, (void **)&index->places, index->place_count, sizeof(*place)))
		index->places[index->place_count++] = *place;
}

static void note_part(struct stepping *s, const struct pgtsim_event *event)
{
	const struct steps_place place = {
		.command = s->command,
		.first = s->number,
		.part = true,
		.begin = *event,
	};

	note_place(s, &place);
}

static void note_violations(struct stepping *s)
{
	const struct pgtsim_tlb *tlb = &s->run->machine->tlb;
	struct steps_index *index = s->index;

	while (index->found_count < tlb->violation_count) {
		size_t i = index->found_count;

		if (!room(s, (void **)&index->found, i, sizeof(*index->found)))
			return;
		index->found[i].moment = s->number;
		index->found[i].violation = tlb->violations[i];
		index->found_count++;
	}
}

static void note_moment(struct stepping *s, const struct pgtsim_event *event)
{
	note_violations(s);
	if (!event)
		return;
	if (event->op >= PGTSIM_OP_BEGIN_MAP)
		note_part(s, event);
	else if (event->op == PGTSIM_OP_MAP || event->op == PGTSIM_OP_CLEAR)
		s->leaves += event->count;
}

/* ---- moments ---- */

static void moment(struct stepping *s, const struct pgtsim_event *event, int result)
{
	if ((s->index || s->known) && is_anchor(s, event)) {
		if (s->index)
			note_anchor(s);
		else
			at_anchor(s, s->anchors);
		s->anchors++;
	}
	if (s->index)
		note_moment(s, event);
	show(s, event, result);
}

static void happened(struct pgtsim_observer *observer, const struct pgtsim_event *event)
{
	struct stepping *s =
		(struct stepping *)(void *)((char *)observer - offsetof(struct stepping, observer));

	moment(s, event, 0);
}

static void begin(struct run_watcher *watcher, struct run *run,
		  const struct scenario_command *command)
{
	struct stepping *s = (struct stepping *)(void *)watcher;
	const struct steps_place place = { .command = command, .first = s->number };

	s->run = run;
	s->command = command;
	if (!s->index)
		return;
	s->place = s->index->place_count;
	note_place(s, &place);
}

static void close_places(struct stepping *s, int result)
{
	struct steps_index *index = s->index;
	uint64_t end = s->number;

	for (size_t i = index->place_count; i-- > s->place;) {
		index->places[i].end = i == s->place ? s->number : end;
		index->places[i].result = result;
		end = index->places[i].first;
	}
}

static void ended(struct run_watcher *watcher, struct run *run,
		  const struct scenario_command *command, int result)
{
	struct stepping *s = (struct stepping *)(void *)watcher;

	if (!run->machine)
		return;
	moment(s, NULL, result);
	if (s->index)
		close_places(s, result);
	if (command->kind != SCENARIO_MACHINE)
		return;
	if (!s->known)
		run->machine->tlb.single = !s->index || !s->index->runs;
	pgtsim_observe(&run->machine->tlb, &s->observer);
}

static void run_stepping(struct stepping *s, const struct scenario *scenario,
			 const struct run_options *options, struct steps_end *end)
{
	struct run_options stepped = *options;
	struct run run;

	s->watcher =
		(struct run_watcher){ .before = begin, .after = ended, .next = options->watchers };
	s->observer.event = happened;
	stepped.watchers = &s->watcher;
	*end = (struct steps_end){ 0 };
	end->status = run_start(&run, scenario, &stepped, &end->error);
	if (end->status == RUN_OK && !s->known)
		end->status = run_rest(&run, &end->error);
	while (s->known && end->status == RUN_OK && s->number <= s->last &&
	       run.next < scenario->command_count)
		end->status = run_step(&run, &end->error);
	end->count = s->number;
	run_end(&run);
}

void steps_visit(const struct scenario *scenario, const struct run_options *options, uint64_t first,
		 uint64_t last, steps_see *see, void *ctx, struct steps_end *end)
{
	struct stepping s = { .first = first, .last = last, .see = see, .ctx = ctx };

	run_stepping(&s, scenario, options, end);
}

/* ---- any moment, fast ---- */

/* Runs the scenario to make an index. Returns the number of leaves written and cleared. */
static uint64_t make_index(struct stepping *s, struct steps_index *index,
			   const struct scenario *scenario, const struct run_options *options,
			   bool runs)
{
	*index = (struct steps_index){ .scenario = scenario, .options = options, .runs = runs };
	*s = (struct stepping){ .first = 1, .index = index };
	run_stepping(s, scenario, options, &index->end);
	return s->leaves;
}

int steps_index(struct steps_index *index, const struct scenario *scenario,
		const struct run_options *options)
{
	struct stepping s;

	if (make_index(&s, index, scenario, options, true) <= STEPS_LEAVES_MAX) {
		steps_index_free(index);
		make_index(&s, index, scenario, options, false);
	}
	if (s.lost)
		steps_index_free(index);
	return s.lost ? -ENOMEM : 0;
}

void steps_index_free(struct steps_index *index)
{
	free(index->places);
	free(index->found);
	free(index->anchors);
	*index = (struct steps_index){ 0 };
}

/* Returns the number of the last anchor at a moment or before it, or of the first anchor. */
static size_t anchor_before(const struct steps_index *index, uint64_t moment)
{
	size_t low = 0, high = index->anchor_count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (index->anchors[middle] <= moment)
			low = middle;
		else
			high = middle;
	}
	return low;
}

void steps_seek(const struct steps_index *index, uint64_t first, uint64_t last, steps_see *see,
		void *ctx)
{
	struct stepping s = { .first = first, .last = last, .see = see, .ctx = ctx };
	struct steps_end end;

	s.known = index;
	s.fine_from = anchor_before(index, first);
	run_stepping(&s, index->scenario, index->options, &end);
}

const struct steps_place *steps_place_of(const struct steps_index *index, uint64_t moment,
					 bool part)
{
	const struct steps_place *found = NULL;

	for (size_t i = 0; i < index->place_count && index->places[i].first <= moment; i++)
		if (!index->places[i].part)
			found = &index->places[i];
		else if (part)
			found = &index->places[i];
	return found && (!part || found->part) ? found : NULL;
}
