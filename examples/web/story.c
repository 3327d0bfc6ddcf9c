/* SPDX-License-Identifier: MIT */
#include "story.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explore/explore.h"
#include "json.h"

enum {
	SEARCHES_MAX = 16,
	ROWS_MAX = 256,     /* of a passing order: a longer one is not shown */
	TURN_MAX = 12,      /* rows of an actor's turn before tables' entries are only counted */
	SCHEDULE_MAX = 256, /* bytes */
};

/* Tells the page how far a search has come. */
__attribute__((import_module("env"), import_name("page_progress"))) void
page_progress(double schedules, double failed, double estimate);

/* One order of many, where none failed. */
struct passing {
	const struct pgtsim_explore_config *config; /* while its steps are listened to */
	char schedule[SCHEDULE_MAX];
	uint64_t first_steps; /* of the first actor */
	struct pgtsim_explore_row rows[ROWS_MAX];
	size_t row_count, turn; /* rows in all; of them in the last turn */
	bool too_long;
	struct pgtsim_geometry geo;
};

static struct search {
	unsigned line;
	struct pgtsim_exploration found;
	struct passing passing;
} searches[SEARCHES_MAX];
static size_t search_count;

static struct search *find(unsigned line)
{
	for (size_t i = 0; i < search_count; i++)
		if (searches[i].line == line)
			return &searches[i];
	return NULL;
}

static int copy(const struct pgtsim_exploration *from, struct pgtsim_exploration *to)
{
	*to = *from;
	if (!from->schedule)
		return 0;
	to->schedule = malloc(strlen(from->schedule) + 1);
	to->rows = malloc((from->row_count + 1) * sizeof(*to->rows));
	if (!to->schedule || !to->rows)
		return -ENOBUFS;
	memcpy(to->schedule, from->schedule, strlen(from->schedule) + 1);
	memcpy(to->rows, from->rows, from->row_count * sizeof(*to->rows));
	return 0;
}

static bool progress(void *ctx, const struct pgtsim_explore_progress *now)
{
	(void)ctx;
	if (now->schedules % 50 == 0)
		page_progress((double)now->schedules, (double)now->failed, (double)now->estimate);
	return false;
}

/* ---- an order in which nothing is wrong ---- */

/* True if a step goes on with what the row before does: the next entry, or the same one again. */
static bool continues(const struct pgtsim_explore_row *row, const struct pgtsim_explore_row *step,
		      const struct pgtsim_geometry *geo)
{
	uint64_t end = row->va + (row->entries - 1) * pgtsim_entry_size(geo, row->level);

	if (row->actor != step->actor || row->op != step->op || row->level != step->level ||
	    (row->op != PGTSIM_STEP_READ && row->op != PGTSIM_STEP_WRITE))
		return false;
	return step->va == end || step->va == end + pgtsim_entry_size(geo, row->level);
}

/* True for the steps that come by the thousand: of entries, tables, barriers and invalidates. */
static bool is_plain(enum pgtsim_explore_op op)
{
	return op == PGTSIM_STEP_READ || op == PGTSIM_STEP_WRITE || op == PGTSIM_STEP_FREE ||
	       op > PGTSIM_STEP_MANY;
}

static void pass_step(void *ctx, struct pgtsim_machine *machine,
		      const struct pgtsim_explore_row *step)
{
	struct passing *p = ctx;
	struct pgtsim_explore_row *row = p->row_count ? &p->rows[p->row_count - 1] : NULL;

	if (!step->count)
		return;
	p->geo = machine->geo;
	p->first_steps += !step->actor;
	if (!row || row->actor != step->actor)
		p->turn = 0;
	if (row && continues(row, step, &p->geo)) {
		row->count++;
		row->entries += step->va != row->va + (row->entries -
						       1) * pgtsim_entry_size(&p->geo, row->level);
	} else if (p->turn > TURN_MAX && row->op == PGTSIM_STEP_MANY && is_plain(step->op)) {
		row->count++;
	} else if (p->row_count == ROWS_MAX) {
		p->too_long = true;
	} else {
		row = &p->rows[p->row_count++];
		*row = *step;
		if (p->turn++ >= TURN_MAX && is_plain(step->op))
			row->op = PGTSIM_STEP_MANY;
	}
}

static int pass_set_up(void *ctx, struct pgtsim_machine **machine)
{
	const struct passing *p = ctx;

	return p->config->setup(p->config->ctx, machine);
}

static void pass_tear_down(void *ctx, struct pgtsim_machine *machine)
{
	const struct passing *p = ctx;

	p->config->teardown(p->config->ctx, machine);
}

/* Runs the schedule in *p and fills its rows. False if the actors cannot follow it. */
static bool pass(const struct pgtsim_explore_config *config, struct passing *p)
{
	struct pgtsim_explore_config one = *config;
	struct pgtsim_exploration found;
	bool fits;

	p->config = config;
	p->row_count = p->turn = 0;
	p->first_steps = 0;
	p->too_long = false;
	one.setup = pass_set_up;
	one.teardown = pass_tear_down;
	one.check = NULL;
	one.ctx = p;
	one.schedule = p->schedule;
	one.step = pass_step;
	one.runs = 0;
	one.limit_preemptions = false;
	fits = pgtsim_explore(&one, &found) == 0 && !found.failed;
	if (p->too_long)
		p->row_count = 0;
	pgtsim_exploration_free(&found);
	return fits;
}

/*
 * The first actor does half of its steps, then the second one begins and goes on as long as it can;
 * if locks forbid that, earlier, and at last one after the other.
 */
static void find_passing(const struct pgtsim_explore_config *config, struct passing *p)
{
	const char *first = config->actors[0].name;
	uint64_t steps;

	snprintf(p->schedule, SCHEDULE_MAX, "%s", first);
	if (!pass(config, p)) {
		p->row_count = 0;
		return;
	}
	for (steps = config->actor_count > 1 ? p->first_steps / 2 : 0; steps; steps /= 2) {
		snprintf(p->schedule, SCHEDULE_MAX, "%s*%" PRIu64 ",%s*1", first, steps,
			 config->actors[1].name);
		if (pass(config, p))
			return;
	}
	snprintf(p->schedule, SCHEDULE_MAX, "%s", first);
	if (!pass(config, p))
		p->row_count = 0;
}

int story_explore(void *ctx, const struct run *run, unsigned line,
		  const struct pgtsim_explore_config *config, struct pgtsim_exploration *found)
{
	struct search *search = find(line);
	struct pgtsim_explore_config told = *config;
	int ret;

	(void)ctx;
	(void)run;
	if (search)
		return copy(&search->found, found);
	told.progress = progress;
	ret = pgtsim_explore(&told, found);
	if (ret || search_count == SEARCHES_MAX)
		return ret;
	search = &searches[search_count++];
	search->line = line;
	search->passing.row_count = 0;
	if (!found->failed && found->schedules)
		find_passing(config, &search->passing);
	return copy(found, &search->found);
}

void story_forget(void)
{
	while (search_count)
		pgtsim_exploration_free(&searches[--search_count].found);
}

static void put_row_numbers(const struct pgtsim_explore_row *row)
{
	number_field("step", (double)row->step);
	number_field("count", (double)row->count);
	number_field("actor", row->actor);
	number_field("failed", row->failed);
	number_field("many", row->op == PGTSIM_STEP_MANY);
}

static void put_row(const struct pgtsim_exploration *found, const struct pgtsim_explore_row *row)
{
	item("{");
	put_row_numbers(row);
	key("text");
	item("\"");
	pgtsim_story_print_what(found, row, &quoted);
	end("\"");
}

static void put_passing_row(const struct pgtsim_exploration *words,
			    const struct pgtsim_explore_row *row)
{
	char text[64];

	if (row->op == PGTSIM_STEP_MANY) {
		snprintf(text, sizeof(text), "... %" PRIu64 " more steps", row->count);
		item("{");
		put_row_numbers(row);
		text_field("text", text);
	} else {
		put_row(words, row);
	}
	end("}");
}

static void put_search(const struct search *search)
{
	const struct pgtsim_exploration *found = &search->found;
	const struct passing *p = &search->passing;
	struct pgtsim_exploration words = { .geo = p->geo };

	item("{");
	number_field("line", search->line);
	number_field("schedules", (double)found->schedules);
	number_field("failed", (double)found->failed);
	number_field("complete", found->complete);
	text_field("schedule", found->schedule ? found->schedule : p->schedule);
	text_field("violation", found->schedule ? found->violation.text : "");
	list("actors");
	for (size_t i = 0; i < PGTSIM_ACTORS_MAX && *found->names[i]; i++)
		text_item(found->names[i]);
	end("]");
	list("rows");
	for (size_t i = 0; i < found->row_count; i++) {
		put_row(found, &found->rows[i]);
		end("}");
	}
	for (size_t i = 0; i < p->row_count; i++)
		put_passing_row(&words, &p->rows[i]);
	end("]}");
}

void story_put(void)
{
	list("searches");
	for (size_t i = 0; i < search_count; i++)
		put_search(&searches[i]);
	end("]");
}

/* ---- step by step ---- */

struct showing {
	struct viewing *v;
	uint64_t last, end; /* counted steps so far; where to end */
	unsigned line;
	const char *schedule;
	struct pgtsim_exploration names; /* for the words: what row texts need */
	const struct pgtsim_explore_config *config;
	bool done;
};

static bool has_address(const struct pgtsim_explore_row *row)
{
	return row->op == PGTSIM_STEP_READ || row->op == PGTSIM_STEP_WRITE ||
	       row->op == PGTSIM_STEP_FREE;
}

static void show_step(void *ctx, struct pgtsim_machine *machine,
		      const struct pgtsim_explore_row *row)
{
	struct showing *s = ctx;
	if (has_address(row) && row->va) {
		s->v->va = row->va;
		s->v->has_va = true;
	}
	s->last = row->step - !row->count;
	if (row->step < s->v->first || row->step >= s->end || !(row->count || row->failed))
		return;
	s->names.geo = machine->geo;
	put_row(&s->names, row);
	view_put_tables(s->v, machine);
	end("}");
}

static int set_up(void *ctx, struct pgtsim_machine **machine)
{
	const struct showing *s = ctx;

	return s->config->setup(s->config->ctx, machine);
}

static void tear_down(void *ctx, struct pgtsim_machine *machine)
{
	const struct showing *s = ctx;

	s->config->teardown(s->config->ctx, machine);
}

/* In place of the search of the line: its schedule. Of the searches before, what they found. */
static int show(void *ctx, const struct run *run, unsigned line,
		const struct pgtsim_explore_config *config, struct pgtsim_exploration *found)
{
	struct showing *s = ctx;
	struct pgtsim_explore_config one = *config;
	int ret;

	if (line != s->line)
		return story_explore(NULL, run, line, config, found);
	s->config = config;
	s->done = true;
	one.setup = set_up;
	one.teardown = tear_down;
	one.ctx = s;
	one.schedule = s->schedule;
	one.step = show_step;
	one.runs = 0;
	one.limit_preemptions = false;
	list("views");
	ret = pgtsim_explore(&one, found);
	end("]");
	text_field("problem", found->problem);
	number_field("failed", (double)found->failed);
	return ret;
}

static bool is_done(void *ctx)
{
	const struct showing *s = ctx;

	return s->done;
}

static void say_nothing(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

void story_views(const struct scenario *scenario, unsigned line, const char *schedule,
		 struct viewing *v, uint64_t end)
{
	const struct search *search = find(line);
	struct showing s = { .v = v, .end = end, .line = line, .schedule = schedule };
	const struct run_options options = {
		.out = { .print = say_nothing },
		.explore = show,
		.explore_ctx = &s,
		.stop = is_done,
		.ctx = &s,
	};
	struct run_error error;
	struct run run;

	if (search)
		memcpy(s.names.names, search->found.names, sizeof(s.names.names));
	if (run_start(&run, scenario, &options, &error) == RUN_OK)
		run_rest(&run, &error);
	run_end(&run);
	number_field("steps", (double)s.last);
}
