/* SPDX-License-Identifier: MIT */
#include "step.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "measure.h"
#include "options.h"
#include "tree.h"
#include "words.h"

enum {
	WIDTH = 64, /* characters of a table's strip */
	ROWS = 20,
	STALE_SHOWN = 4,
	LOOK_BACK = 24, /* moments: how long ago an event had an address */
};

static const char help[] =
	"  Enter or n  the next event          b    the one before\n"
	"  c           on to the end of this command, or of the next\n"
	"  g N         moment N                q    quit\n"
	"\n"
	"  A table is drawn as a strip: . none  T tables  p pages  B blocks  c with the contiguous\n"
	"  hint  ! invalid  * gone from the table, but a TLB or a walk cache may still hold it\n"
	"  | floor and ceiling\n";

struct stepper {
	struct pgtsim_printer out;
	const struct steps_index *index;
	uint64_t moment;
	bool has_va;
	uint64_t va; /* of the last event that had one */
	const struct pgtsim_event *event; /* of the moment; NULL: a command has ended */
	struct tree_pass pass;
	const struct tree *tree;
};

/* ---- a table as a line ---- */

static char letter(const struct tree_row *row, const struct tree_part *part)
{
	switch (part->kind) {
	case PGTSIM_TABLE:
		return 'T';
	case PGTSIM_PAGE:
	case PGTSIM_BLOCK:
		if (part->desc & PGTSIM_DESC_CONT)
			return 'c';
		return row->level == PGTSIM_PTE ? 'p' : 'B';
	default:
		return '!';
	}
}

/* Writes a letter at the position of these entries; several entries may share a character. */
static void fill(char *strip, const struct tree_row *row, const struct tree_part *part, char c)
{
	unsigned width = row->entries < WIDTH ? row->entries : WIDTH;
	unsigned from = part->index * width / row->entries;
	unsigned last = (part->index + part->count - 1) * width / row->entries;

	memset(strip + from, c, last - from + 1);
}

/* Draws the floor or the ceiling if this table translates it. */
static void wall(char *strip, const struct tree_row *row, uint64_t va)
{
	unsigned width = row->entries < WIDTH ? row->entries : WIDTH;

	if (va > row->va && va - row->va < row->span)
		strip[(va - row->va) / (row->span / width)] = '|';
}

static void draw_strip(const struct stepper *s, const struct tree_row *row, char *strip)
{
	struct tree_part part = tree_part(s->tree, row, 0);

	memset(strip, '.', WIDTH);
	strip[row->entries < WIDTH ? row->entries : WIDTH] = '\0';
	for (; part.count; part = tree_part(s->tree, row, part.index + part.count))
		if (part.kind != PGTSIM_NONE)
			fill(strip, row, &part, letter(row, &part));
	for (part = tree_stale(s->tree, row, 0); part.kind != PGTSIM_NONE;
	     part = tree_stale(s->tree, row, part.index + part.count))
		fill(strip, row, &part, '*');
	if (s->pass.floor)
		wall(strip, row, s->pass.floor);
	if (s->pass.ceiling)
		wall(strip, row, s->pass.ceiling);
}

static void print_row(void *ctx, const struct tree_row *row)
{
	const struct stepper *s = ctx;
	const struct pgtsim_geometry *geo = &s->tree->machine->geo;
	char strip[WIDTH + 1], many[32] = "";
	int kept;

	if (!row->table) {
		pgtsim_printf(&s->out, "%*s... and %" PRIu64 " more tables\n", (int)row->depth * 2,
			      "", row->tables);
		return;
	}
	if (row->tables > 1)
		snprintf(many, sizeof(many), "%" PRIu64 " x ", row->tables);
	draw_strip(s, row, strip);
	kept = tree_kept(row, &s->pass);
	pgtsim_printf(&s->out, "%*s%s%s 0x%016" PRIx64 " %u of %u%s\n%*s[%s]\n",
		      (int)row->depth * 2, "", many, words_level(geo, row->level), row->va,
		      row->table->live, row->entries,
		      kept ? kept < 0 ? ", kept: begins below the floor" :
					", kept: reaches above the ceiling" :
			     "",
		      (int)row->depth * 2, "", strip);
}

/* ---- a moment ---- */

static void print_stale(const struct stepper *s)
{
	const struct tree *tree = s->tree;

	for (size_t i = 0; i < tree->stale_count && i < STALE_SHOWN; i++) {
		const struct pgtsim_stale_run *run = &tree->stale[i];

		pgtsim_printf(&s->out, "%s may hold %" PRIu64 " %s from 0x%016" PRIx64 " (%s)\n",
			      run->walk ? "walk caches" : "TLBs", run->count,
			      run->walk ? "table entries" : "translations", run->va,
			      words_level(&tree->machine->geo, run->level));
	}
	if (tree->stale_count > STALE_SHOWN)
		pgtsim_printf(&s->out, "... and %zu more runs\n", tree->stale_count - STALE_SHOWN);
}

static void print_found(const struct stepper *s)
{
	for (size_t i = 0; i < s->index->found_count; i++) {
		const struct steps_found *found = &s->index->found[i];

		if (found->moment == s->moment)
			pgtsim_printf(&s->out, "VIOLATION %s 0x%016" PRIx64 ": %s\n",
				      pgtsim_violation_kind(found->violation.name)->name,
				      found->violation.va, found->violation.text);
	}
}

static void print_tree(struct stepper *s, struct run *run)
{
	struct tree tree;

	if (tree_init(&tree, run->machine)) {
		pgtsim_printf(&s->out, RUN_NO_MEMORY_TEXT "\n");
		return;
	}
	tree_take_ahead(&tree, s->event);
	tree.rows_max = ROWS;
	if (s->has_va)
		tree.focus[tree.focus_count++] = s->va;
	s->tree = &tree;
	tree_rows(&tree, print_row, s);
	print_stale(s);
	tree_fini(&tree);
}

static void print_cost(const struct stepper *s, const struct run *run)
{
	struct pgtsim_cost_model model;
	struct pgtsim_cost cost;

	/* The constants are arm64's. */
	if (run->machine->geo.format != PGTSIM_FORMAT_ARM64)
		return;
	pgtsim_cost_model_init(&model);
	pgtsim_cost_of(&run->machine->tlb.counts, &model, &cost);
	pgtsim_printf(&s->out, "cost so far %s, of it invalidates %s, barriers %s\n",
		      measure_time(cost.time).text, measure_time(cost.invalidates).text,
		      measure_time(cost.barriers).text);
}

static bool has_address(const struct pgtsim_event *event)
{
	return event->va && event->op != PGTSIM_OP_TLBI_ALL;
}

static void see(void *ctx, struct run *run, const struct step *step)
{
	struct stepper *s = ctx;
	const struct steps_place *part = steps_place_of(s->index, step->number, true);

	if (step->event && has_address(step->event)) {
		s->va = step->event->va;
		s->has_va = true;
	}
	if (step->number < s->moment)
		return;
	pgtsim_printf(&s->out, "\nmoment %" PRIu64 " of %" PRIu64 "  line %u: %s", step->number,
		      s->index->end.count - 1, step->command->line, step->command->source);
	s->pass = words_pass(run, step, part);
	if (step->event && part) {
		pgtsim_printf(&s->out, "  (");
		words_part(&s->out, run, part);
		pgtsim_printf(&s->out, ")");
	}
	pgtsim_printf(&s->out, "\n");
	words_moment(&s->out, run, step, s->index);
	pgtsim_printf(&s->out, "\n");
	s->event = step->event;
	print_tree(s, run);
	print_cost(s, run);
	print_found(s);
}

static void show(struct stepper *s)
{
	uint64_t first = s->moment > LOOK_BACK ? s->moment - LOOK_BACK : 0;

	s->has_va = false;
	steps_seek(s->index, first, s->moment, see, s);
	fflush(stdout);
}

/* ---- what is typed ---- */

/* The last moment of the running command or, if that is now, of the next command. */
static uint64_t command_end(const struct stepper *s)
{
	const struct steps_place *place = steps_place_of(s->index, s->moment, false);
	uint64_t last = s->index->end.count - 1;

	if (place && s->moment + 1 == place->end && s->moment < last)
		place = steps_place_of(s->index, s->moment + 1, false);
	return place && place->end ? place->end - 1 : last;
}

/* Reads the number of "g 12" and goes to that moment. False, with a message, if there is none. */
static bool go_to(struct stepper *s, const char *word)
{
	char *end;
	unsigned long long number;

	errno = 0;
	number = strtoull(word, &end, 10);
	if (errno || end == word || *end || strchr(word, '-') || number >= s->index->end.count) {
		pgtsim_printf(&s->out, "there are moments 0 to %" PRIu64 "\n",
			      s->index->end.count - 1);
		return false;
	}
	s->moment = number;
	return true;
}

/* Executes a line. Returns true if a moment must be shown then. */
static bool obey(struct stepper *s, const char *line)
{
	uint64_t last = s->index->end.count - 1;

	if (!*line || !strcmp(line, "n")) {
		if (s->moment == last) {
			pgtsim_printf(&s->out, "that was the last moment\n");
			return false;
		}
		s->moment++;
	} else if (!strcmp(line, "b")) {
		s->moment -= s->moment > 0;
	} else if (!strcmp(line, "c")) {
		s->moment = command_end(s);
	} else if (!strncmp(line, "g ", 2)) {
		return go_to(s, line + 2);
	} else {
		fputs(help, stdout);
		return false;
	}
	return true;
}

static void converse(struct stepper *s)
{
	bool terminal = isatty(STDIN_FILENO);
	char line[64];

	show(s);
	for (;;) {
		if (terminal)
			printf("> (h for help) ");
		fflush(stdout);
		if (!fgets(line, sizeof(line), stdin))
			return;
		line[strcspn(line, "\n")] = '\0';
		if (!strcmp(line, "q"))
			return;
		if (obey(s, line))
			show(s);
	}
}

int step_scenario(const char *name, const struct scenario *scenario,
		  const struct run_options *options)
{
	struct run_options quiet = *options;
	struct steps_index index;
	struct stepper s = { .out = *cli_out, .index = &index };
	int status;

	quiet.out = (struct pgtsim_printer){ .print = cli_print_nothing };
	if (steps_index(&index, scenario, &quiet))
		return file_complain(name, ENOMEM);
	status = index.end.status;
	if (index.end.count)
		converse(&s);
	fflush(stdout);
	if (status != RUN_OK)
		fprintf(stderr, "%s:%u: %s\n", name, index.end.error.line, index.end.error.message);
	steps_index_free(&index);
	return status;
}
