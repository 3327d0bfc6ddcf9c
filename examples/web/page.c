/* SPDX-License-Identifier: MIT */
/*
 * The simulator's side of the web page: text in, JSON out. One scenario at a time is loaded; any
 * moment of it can be looked at. Every answer stays valid until the next call.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgtsim/format.h>

#include "json.h"
#include "page.h"
#include "story.h"
#include "view/tree.h"
#include "view/words.h"

enum {
	PARTS_MAX = 512, /* of a row: what more there is cannot be told apart on a screen */
	STALE_MAX = 64,
	PRINTED_MAX = 8000, /* bytes of what a command printed */
	LOOK_BACK = 24,     /* moments: how long ago an event had an address */
};

typedef unsigned long long ull;

static struct {
	struct scenario scenario;
	struct run_options options;
	struct run_watcher watcher;
	struct steps_index index;
	char printed[PRINTED_MAX]; /* by the command under way */
	size_t printed_length;
	bool loaded;
} page;

/* Keeps what a command prints, as far as there is room. */
static void keep(void *ctx, const char *text)
{
	size_t length = strlen(text), left = PRINTED_MAX - 1 - page.printed_length;

	(void)ctx;
	if (length > left)
		length = left;
	memcpy(page.printed + page.printed_length, text, length);
	page.printed_length += length;
	page.printed[page.printed_length] = '\0';
}

static void forget(struct run_watcher *watcher, struct run *run,
		   const struct scenario_command *command)
{
	(void)watcher;
	(void)run;
	(void)command;
	page.printed_length = 0;
	page.printed[0] = '\0';
}

/* ---- what there is to choose from ---- */

static void about_knobs(void)
{
	size_t count;
	const struct pgtsim_knob *knobs = pgtsim_knobs(&count);

	list("knobs");
	for (size_t i = 0; i < count; i++) {
		item("{");
		text_field("name", knobs[i].name);
		text_field("meaning", knobs[i].meaning);
		list("values");
		for (const char *const *value = knobs[i].values; *value; value++)
			text_item(*value);
		end("]}");
	}
	end("]");
}

static void about_counters(void)
{
	size_t count;
	const struct pgtsim_counter *counters = pgtsim_counters(&count);

	list("counters");
	for (size_t i = 0; i < count; i++) {
		item("[");
		text_item(counters[i].name);
		text_item(counters[i].meaning);
		end("]");
	}
	end("]");
}

static void about_regimes(void)
{
	size_t count;
	const struct pgtsim_regime *regimes = pgtsim_regimes(&count);

	list("regimes");
	for (size_t i = 0; i < count; i++) {
		item("{");
		number_field("granule", 1u << regimes[i].page_shift);
		number_field("va", regimes[i].va_bits);
		end("}");
	}
	end("]");
}

const char *page_about(void)
{
	begin();
	text_field("version", PGTSIM_VERSION);
	list("profiles");
	for (const char *const *name = pgtsim_profiles(); *name; name++)
		text_item(*name);
	end("]");
	about_knobs();
	about_counters();
	about_regimes();
	return answer();
}

/* ---- a scenario ---- */

static void unload(void)
{
	if (!page.loaded)
		return;
	steps_index_free(&page.index);
	scenario_free(&page.scenario);
	story_forget();
	page.loaded = false;
}

static void put_error(unsigned line, const char *message)
{
	key("error");
	item("{");
	number_field("line", line);
	text_field("message", message);
	end("}");
}

static void put_commands(void)
{
	list("commands");
	for (size_t i = 0; i < page.index.place_count; i++) {
		const struct steps_place *place = &page.index.places[i];

		if (place->part)
			continue;
		item("{");
		number_field("line", place->command->line);
		text_field("kind", place->command->name);
		number_field("first", (double)place->first);
		number_field("end", (double)place->end);
		end("}");
	}
	end("]");
}

/* Parts are named when a machine is there: at their first moment. */
static void put_parts(void)
{
	list("parts");
	for (size_t i = 0; i < page.index.place_count; i++) {
		const struct steps_place *place = &page.index.places[i];

		if (!place->part)
			continue;
		item("{");
		number_field("line", place->command->line);
		text_field("op", pgtsim_op_name(place->begin.op));
		number_field("first", (double)place->first);
		number_field("end", (double)place->end);
		end("}");
	}
	end("]");
}

static void put_found(const struct pgtsim_geometry *geo)
{
	list("found");
	for (size_t i = 0; i < page.index.found_count; i++) {
		const struct steps_found *found = &page.index.found[i];
		const struct pgtsim_violation_kind *kind =
			pgtsim_violation_kind(found->violation.name);

		item("{");
		number_field("moment", (double)found->moment);
		text_field("name", kind->name);
		text_field("meaning", kind->meaning);
		text_field("instead", kind->instead);
		text_field("level", words_level(geo, found->violation.level));
		hex_field("va", found->violation.va);
		text_field("text", found->violation.text);
		end("}");
	}
	end("]");
}

static void put_levels(const struct pgtsim_geometry *geo)
{
	list("levels");
	for (int level = pgtsim_root_level(geo); level <= PGTSIM_PTE; level++) {
		item("{");
		number_field("level", level);
		text_field("name", words_level(geo, level));
		number_field("bits", geo->bits[pgtsim_slot(level)]);
		number_field("shift", geo->shift[pgtsim_slot(level)]);
		number_field("cont", pgtsim_cont_entries(geo, level));
		end("}");
	}
	end("]");
}

static void put_machine(void *ctx, struct run *run, const struct step *step)
{
	const struct pgtsim_geometry *geo = &run->machine->geo;
	const struct pgtsim_layout *layout = &run->machine->layout;

	(void)ctx;
	(void)step;
	put_found(geo);
	key("machine");
	item("{");
	text_field("profile", run->machine->policy.profile);
	number_field("page_shift", geo->page_shift);
	number_field("va_bits", geo->va_bits);
	put_levels(geo);
	hex_field("linear", layout->linear_start);
	hex_field("linear_end", layout->page_end);
	hex_field("vmemmap", layout->vmemmap_start);
	hex_field("vmemmap_end", layout->vmemmap_end);
	end("}");
}

static void put_loaded(void)
{
	const struct steps_end *last = &page.index.end;

	number_field("moments", (double)last->count);
	number_field("runs", page.index.runs);
	number_field("status", last->status);
	if (last->status != RUN_OK)
		put_error(last->error.line, last->error.message);
	put_commands();
	put_parts();
	story_put();
	if (last->count)
		steps_seek(&page.index, 0, 0, put_machine, NULL);
}

/*
 * Parses and runs a scenario. {error: {line, message}} and no `moments` if it is none; else how
 * many moments it has, commands, parts and violations with their moments, and the machine.
 */
const char *page_load(const char *text)
{
	struct scenario_error error;

	unload();
	begin();
	page.watcher.before = forget;
	page.options = (struct run_options){
		.out = { .print = keep },
		.watchers = &page.watcher,
		.explore = story_explore,
	};
	if (scenario_parse(&page.scenario, text, strlen(text), &error)) {
		put_error(error.line, error.message);
		return answer();
	}
	if (steps_index(&page.index, &page.scenario, &page.options)) {
		scenario_free(&page.scenario);
		put_error(0, "out of memory");
		return answer();
	}
	page.loaded = true;
	put_loaded();
	return answer();
}

/* ---- the tree ---- */

/* An entry as people know it. */
static uint64_t raw(const struct tree *tree, int level, uint64_t desc)
{
	return pgtsim_desc_to_raw(&tree->machine->geo, level, desc);
}

static void put_parts_of(const struct tree *tree, const struct tree_row *row)
{
	struct tree_part part = tree_part(tree, row, 0);

	list("parts");
	for (unsigned n = 0; part.count && n < PARTS_MAX; n++) {
		if (part.kind != PGTSIM_NONE) {
			item("[");
			number_item(part.index);
			number_item(part.count);
			text_item(pgtsim_kind_name(part.kind));
			hex_item(raw(tree, row->level, part.desc));
			number_item(part.kind != PGTSIM_TABLE && part.desc & PGTSIM_DESC_CONT ? 1 :
												0);
			end("]");
		}
		part = tree_part(tree, row, part.index + part.count);
	}
	end("]");
}

static void put_stale_of(const struct tree *tree, const struct tree_row *row)
{
	struct tree_part part = tree_stale(tree, row, 0);

	list("stale");
	for (unsigned n = 0; part.count && n < PARTS_MAX; n++) {
		item("[");
		number_item(part.index);
		number_item(part.count);
		number_item(part.kind == PGTSIM_TABLE);
		hex_item(raw(tree, row->level, part.desc));
		end("]");
		part = tree_stale(tree, row, part.index + part.count);
	}
	end("]");
}

struct looking {
	const struct tree *tree;
	struct tree_pass pass;
};

static void put_row(void *ctx, const struct tree_row *row)
{
	const struct looking *looking = ctx;

	item("{");
	number_field("depth", row->depth);
	number_field("level", row->level);
	number_field("tables", (double)row->tables);
	if (row->table) {
		hex_field("va", row->va);
		hex_field("pa", row->table->pa);
		number_field("entries", row->entries);
		number_field("live", row->table->live);
		number_field("kept", tree_kept(row, &looking->pass));
		put_parts_of(looking->tree, row);
		put_stale_of(looking->tree, row);
	}
	end("}");
}

static void put_stale(const struct tree *tree)
{
	uint64_t leaves = 0, walks = 0;

	list("stale");
	for (size_t i = 0; i < tree->stale_count; i++) {
		const struct pgtsim_stale_run *run = &tree->stale[i];

		*(run->walk ? &walks : &leaves) += run->count;
		if (i >= STALE_MAX)
			continue;
		item("{");
		text_field("level", words_level(&tree->machine->geo, run->level));
		hex_field("va", run->va);
		number_field("count", (double)run->count);
		hex_field("desc", raw(tree, run->level, run->desc));
		number_field("walk", run->walk);
		hex_field("pa", pgtsim_desc_address(&tree->machine->geo, run->level, run->desc));
		end("}");
	}
	end("]");
	number_field("stale_runs", (double)tree->stale_count);
	number_field("stale_leaves", (double)leaves);
	number_field("stale_walks", (double)walks);
}

/* ---- counters, cost, the walk ---- */

static void put_counts(const struct pgtsim_counts *counts)
{
	size_t count;
	const struct pgtsim_counter *counters = pgtsim_counters(&count);
	struct pgtsim_cost_model model;
	struct pgtsim_cost cost;

	list("counts");
	for (size_t i = 0; i < count; i++)
		number_item((double)pgtsim_counter_value(counts, &counters[i]));
	end("]");
	pgtsim_cost_model_init(&model);
	pgtsim_cost_of(counts, &model, &cost);
	key("cost");
	item("{");
	number_field("invalidates", (double)cost.invalidates);
	number_field("barriers", (double)cost.barriers);
	number_field("entries", (double)cost.entries);
	number_field("lines", (double)cost.lines);
	number_field("memory", (double)cost.memory);
	number_field("time", (double)cost.time);
	number_field("refills", (double)cost.refills);
	end("}");
}

static void put_walk_steps(const struct pgtsim_machine *machine, const struct pgtsim_translation *t)
{
	list("steps");
	for (unsigned i = 0; i < t->steps; i++) {
		const struct pgtsim_step *step = &t->step[i];

		item("{");
		number_field("level", step->level);
		text_field("name", words_level(&machine->geo, step->level));
		number_field("index", step->index);
		hex_field("desc", pgtsim_desc_to_raw(&machine->geo, step->level, step->desc));
		text_field("kind", pgtsim_kind_name(pgtsim_desc_kind(step->level, step->desc)));
		hex_field("address", pgtsim_desc_address(&machine->geo, step->level, step->desc));
		end("}");
	}
	end("]");
}

static void put_walk(const struct pgtsim_machine *machine, uint64_t va)
{
	struct pgtsim_translation t;
	struct pgtsim_stale stale;

	if (pgtsim_translate(&machine->pgt, va, &t) && !t.steps)
		return;
	key("walk");
	item("{");
	hex_field("va", va);
	put_walk_steps(machine, &t);
	text_field("fault", t.fault ? pgtsim_fault_name(t.fault) : "");
	hex_field("pa", t.pa);
	number_field("size", (double)t.size);
	number_field("writable", t.writable);
	number_field("executable", t.executable);
	if (pgtsim_may_be_stale(&machine->tlb, va, &stale)) {
		text_field("stale", words_level(&machine->geo, stale.level));
		hex_field("stale_desc",
			  pgtsim_desc_to_raw(&machine->geo, stale.level, stale.desc));
	}
	end("}");
}

/* ---- a view ---- */

static bool has_address(const struct pgtsim_event *event)
{
	switch (event->op) {
	case PGTSIM_OP_TABLE_ALLOC:
		return event->count == 1 && event->va;
	case PGTSIM_OP_TABLE_FREE:
	case PGTSIM_OP_LINK:
	case PGTSIM_OP_UNLINK:
	case PGTSIM_OP_MAP:
	case PGTSIM_OP_CLEAR:
	case PGTSIM_OP_POKE:
	case PGTSIM_OP_TLBI_LEAF:
	case PGTSIM_OP_TLBI_WALK:
	case PGTSIM_OP_TLBI_RANGE:
		return true;
	default:
		return event->op >= PGTSIM_OP_BEGIN_MAP;
	}
}

static void put_event(const struct run *run, const struct pgtsim_event *event)
{
	key("event");
	item("{");
	text_field("op", pgtsim_op_name(event->op));
	number_field("level", event->level);
	text_field("name", words_level(&run->machine->geo, event->level));
	if (has_address(event))
		hex_field("va", event->va);
	hex_field("size", event->size);
	number_field("count", (double)event->count);
	end("}");
}

static void put_moment(const struct run *run, const struct step *step,
		       const struct steps_place *part, struct looking *looking)
{
	number_field("number", (double)step->number);
	number_field("line", step->command->line);
	text_field("command", step->command->source);
	key("text");
	item("\"");
	words_moment(&quoted, run, step, &page.index);
	end("\"");
	if (step->event)
		put_event(run, step->event);
	else if (step->command->kind != SCENARIO_ECHO && step->command->kind != SCENARIO_CHECK)
		text_field("printed", page.printed);
	if (!part || !step->event)
		return;
	key("part");
	item("\"");
	words_part(&quoted, run, part);
	end("\"");
	hex_field("part_va", part->begin.va);
	hex_field("part_last", part->begin.va + (part->begin.size - 1));
	looking->pass = words_pass(run, step, part);
	if (!looking->pass.under_way)
		return;
	hex_field("floor", looking->pass.floor);
	hex_field("ceiling", looking->pass.ceiling);
}

/* The tables, the caches, counters and the walk, as fields. */
static void put_tables(const struct viewing *v, struct pgtsim_machine *machine,
		       const struct pgtsim_event *event, struct looking *looking)
{
	struct tree tree;

	if (tree_init(&tree, machine)) {
		json_lost();
		return;
	}
	number_field("ahead", (double)tree_take_ahead(&tree, event));
	tree.rows_max = v->rows_max;
	if (v->has_va)
		tree.focus[tree.focus_count++] = v->va;
	if (v->has_focus)
		tree.focus[tree.focus_count++] = v->focus;
	looking->tree = &tree;
	list("rows");
	tree_rows(&tree, put_row, looking);
	end("]");
	put_stale(&tree);
	tree_fini(&tree);
	put_counts(&machine->tlb.counts);
	if (v->has_va)
		hex_field("at", v->va);
	if (v->has_focus || v->has_va)
		put_walk(machine, v->has_focus ? v->focus : v->va);
}

void view_put_tables(const struct viewing *v, struct pgtsim_machine *machine)
{
	struct looking looking = { 0 };

	put_tables(v, machine, NULL, &looking);
}

static void put_view(const struct viewing *v, struct run *run, const struct step *step)
{
	struct looking looking = { 0 };

	item("{");
	put_moment(run, step, steps_place_of(&page.index, step->number, true), &looking);
	put_tables(v, run->machine, step->event, &looking);
	end("}");
}

static void see(void *ctx, struct run *run, const struct step *step)
{
	struct viewing *v = ctx;

	if (step->event && has_address(step->event)) {
		v->va = step->event->va;
		v->has_va = true;
	}
	if (step->number >= v->first)
		put_view(v, run, step);
}

static struct viewing view_of(double first, const char *focus, int rows)
{
	struct viewing v = { .first = (uint64_t)first, .rows_max = (unsigned)rows };

	v.has_focus = *focus;
	v.focus = strtoull(focus, NULL, 16);
	return v;
}

/*
 * The moments [first, first + count): {views: [...]}. `focus` is an address in hex whose tables
 * stand alone and which is walked, or "". At most `rows` rows of the tree.
 */
const char *page_views(double first, double count, const char *focus, int rows)
{
	struct viewing v = view_of(first, focus, rows);

	begin();
	list("views");
	if (page.loaded && page.index.end.count && count >= 1)
		steps_seek(&page.index, v.first > LOOK_BACK ? v.first - LOOK_BACK : 0,
			   v.first + (uint64_t)count - 1, see, &v);
	end("]");
	return answer();
}

/*
 * One schedule of the `explore` on this line, step by step: the steps [first, first + count) of it,
 * {steps: how many there are, views: [...]}.
 */
const char *page_story(int line, const char *schedule, double first, double count,
			      const char *focus, int rows)
{
	struct viewing v = view_of(first, focus, rows);

	begin();
	if (page.loaded)
		story_views(&page.scenario, (unsigned)line, schedule, &v,
			    v.first + (uint64_t)count);
	return answer();
}

/* ---- a plain run, and a descriptor's bits ---- */

static const char *plain_run(struct run *run, const struct scenario *scenario,
			     const struct run_options *options)
{
	struct run_error error;
	int status;

	key("printed");
	item("\"");
	status = run_start(run, scenario, options, &error);
	if (status == RUN_OK)
		status = run_rest(run, &error);
	run_end(run);
	end("\"");
	number_field("status", status);
	if (status != RUN_OK)
		put_error(error.line, error.message);
	return answer();
}

/* What `pgtsim run --quiet` prints for a scenario: {printed, status, error}. */
const char *page_run(const char *text)
{
	const struct run_options options = { .out = quoted };
	struct scenario_error error;
	struct scenario scenario;
	struct run run;
	const char *json;

	begin();
	if (scenario_parse(&scenario, text, strlen(text), &error)) {
		number_field("status", RUN_BAD_SCENARIO);
		put_error(error.line, error.message);
		return answer();
	}
	json = plain_run(&run, &scenario, &options);
	scenario_free(&scenario);
	return json;
}

static void put_bits(void *ctx, struct run *run, const struct step *step)
{
	const uint64_t *desc = ctx;

	(void)step;
	pgtsim_dump_desc(&run->machine->geo, (int)desc[1],
			 pgtsim_desc_from_raw(&run->machine->geo, (int)desc[1], desc[0]), &quoted);
}

/* What each bit of a descriptor of this level means, in the loaded machine: {text}. */
const char *page_decode(int level, const char *desc)
{
	uint64_t arguments[] = { strtoull(desc, NULL, 16), (uint64_t)level };

	begin();
	key("text");
	item("\"");
	if (page.loaded && page.index.end.count)
		steps_seek(&page.index, 0, 0, put_bits, arguments);
	end("\"");
	return answer();
}
