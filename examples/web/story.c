/* SPDX-License-Identifier: MIT */
#include "story.h"

#include <stdlib.h>
#include <string.h>

#include "explore/explore.h"
#include "json.h"

enum { SEARCHES_MAX = 16 };

/* Tells the page how far a search has come. */
__attribute__((import_module("env"), import_name("page_progress"))) void
page_progress(double schedules, double failed, double estimate);

static struct search {
	unsigned line;
	struct pgtsim_exploration found;
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
	return copy(found, &search->found);
}

void story_forget(void)
{
	while (search_count)
		pgtsim_exploration_free(&searches[--search_count].found);
}

static void put_row(const struct pgtsim_exploration *found, const struct pgtsim_explore_row *row)
{
	item("{");
	number_field("step", (double)row->step);
	number_field("count", (double)row->count);
	number_field("actor", row->actor);
	number_field("failed", row->failed);
	number_field("many", row->op == PGTSIM_STEP_MANY);
	key("text");
	item("\"");
	pgtsim_story_print_what(found, row, &quoted);
	end("\"");
}

static void put_search(const struct search *search)
{
	const struct pgtsim_exploration *found = &search->found;

	item("{");
	number_field("line", search->line);
	number_field("schedules", (double)found->schedules);
	number_field("failed", (double)found->failed);
	number_field("complete", found->complete);
	text_field("schedule", found->schedule);
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
