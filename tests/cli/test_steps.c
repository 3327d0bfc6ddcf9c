/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include "gallery/gallery.h"
#include "view/steps.h"

static const char text[] = "machine profile=linux-5.7 cont=on\n"
			   "map linear+0 0x80000000 128K\n"
			   "unmap linear+0 128K\n"
			   "expect leaves.cleared == 32\n";

static void print_nothing(void *ctx, const char *string)
{
	(void)ctx;
	(void)string;
}

static const struct run_options options = { .out = { .print = print_nothing } };

struct seen {
	uint64_t moments, entries, stale, leaves, commands;
	struct pgtsim_counts counts;
};

static int count_entries(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	*(uint64_t *)arg += pgtsim_run_live(pgt, run);
	return 0;
}

static void look(void *ctx, struct run *run, const struct step *step)
{
	static const struct pgtsim_visitor visitor = { .entries = count_entries };
	struct pgtsim_machine *m = run->machine;
	uint64_t start = m->layout.linear_start, live = 0;
	struct pgtsim_stale stale;
	struct seen *seen = ctx;

	assert_int_equal(pgtsim_walk(&m->pgt, start, start + 128 * KIB - 1, &visitor, &live), 0);
	if (step->event && (step->event->op == PGTSIM_OP_MAP || step->event->op == PGTSIM_OP_CLEAR))
		assert_int_equal(step->event->count, 1);
	seen->moments++;
	seen->commands += !step->event;
	seen->entries = live;
	seen->stale = 0;
	for (unsigned i = 0; i < 32; i++)
		seen->stale += pgtsim_may_be_stale(&m->tlb, start + i * 4 * KIB, &stale);
	seen->counts = m->tlb.counts;
}

static struct steps_end visit(uint64_t first, uint64_t last, struct seen *seen)
{
	struct scenario_error error;
	struct scenario scenario;
	struct steps_end end;

	*seen = (struct seen){ 0 };
	assert_int_equal(scenario_parse(&scenario, text, sizeof(text) - 1, &error), 0);
	steps_visit(&scenario, &options, first, last, look, seen, &end);
	scenario_free(&scenario);
	assert_int_equal(end.status, RUN_OK);
	return end;
}

/* Every moment can be shown, also the ends of commands; the last one is the end of the run. */
static void all_moments(void **state)
{
	struct seen seen;
	struct steps_end end = visit(0, UINT64_MAX, &seen);

	(void)state;
	assert_int_equal(seen.moments, end.count);
	assert_int_equal(seen.commands, 4);
	assert_int_equal(seen.entries, 0);
	assert_int_equal(seen.counts.leaves_cleared, 32);
	/* All but the last of each group, and the first: pass 2 invalidates all levels there. */
	assert_int_equal(seen.stale, 29);
	assert_true(end.count > 2 * 32);
}

/* A store is in the tables at the moment of its event: entries come and go one by one. */
static void each_store_is_a_moment(void **state)
{
	struct seen seen;
	uint64_t count = visit(0, 0, &seen).count, before = 0;

	(void)state;
	assert_int_equal(seen.moments, 1);
	for (uint64_t i = 0; i < count; i++) {
		visit(i, i, &seen);
		assert_int_equal(seen.moments, 1);
		assert_int_equal(seen.entries,
				 seen.counts.leaves_mapped - seen.counts.leaves_cleared);
		assert_true(seen.entries + 1 >= before && seen.entries <= before + 1);
		before = seen.entries;
	}
}

/* What may be cached grows as a contiguous group is torn down entry by entry (B1). */
static void stale_entries_show_as_they_come(void **state)
{
	struct seen seen;
	uint64_t count = visit(0, 0, &seen).count, most = 0;

	(void)state;
	for (uint64_t i = 0; i < count; i++) {
		visit(i, i, &seen);
		if (seen.counts.leaves_cleared == 16 && seen.stale > most)
			most = seen.stale;
	}
	assert_int_equal(most, 16);
}

/* ---- any moment, fast ---- */

enum { SAMPLES = 24 };

struct digest {
	uint64_t number, hash, result;
	int op;
};

struct digests {
	uint64_t moments[SAMPLES];
	struct digest seen[SAMPLES];
	size_t count;
};

static void add_text(void *ctx, const char *string)
{
	uint64_t *hash = ctx;

	for (; *string; string++)
		*hash = (*hash ^ (unsigned char)*string) * UINT64_C(1099511628211);
}

static void add_stale(void *ctx, const struct pgtsim_stale_run *run)
{
	uint64_t *sum = ctx;

	for (uint64_t i = 0; i < run->count; i++)
		*sum += ((run->va >> 12) + i * 77) * (run->desc + run->walk + 3) +
			(uint64_t)run->level;
}

/* Everything that a moment shows: tables, counters, stale entries, the event. */
static void digest(void *ctx, struct run *run, const struct step *step)
{
	struct digests *all = ctx;
	struct digest *d = &all->seen[all->count];
	uint64_t stale = 0;
	const struct pgtsim_printer out = { add_text, &d->hash };
	const struct pgtsim_counts *counts = &run->machine->tlb.counts;

	if (all->count == SAMPLES || step->number != all->moments[all->count])
		return;
	*d = (struct digest){ .number = step->number,
			      .op = step->event ? (int)step->event->op : -1 };
	pgtsim_dump(&run->machine->pgt, NULL, PGTSIM_DUMP_TABLES, &out);
	pgtsim_stale_visit(&run->machine->tlb, add_stale, &stale);
	pgtsim_printf(&out, "%llu", (unsigned long long)stale);
	for (size_t i = 0; i < sizeof(*counts) / 8; i++)
		pgtsim_printf(&out, " %llu", (unsigned long long)((const uint64_t *)counts)[i]);
	if (step->event)
		pgtsim_printf(&out, "%llx %llx %llx", (unsigned long long)step->event->va,
			      (unsigned long long)step->event->count,
			      (unsigned long long)step->event->new_desc);
	all->count++;
}

/* Moments near the ends of commands and parts, and some between. */
static void choose(const struct steps_index *index, struct digests *all)
{
	for (size_t i = 0; i < SAMPLES; i++) {
		uint64_t place = index->places[i * index->place_count / SAMPLES].first;

		all->moments[i] = index->end.count * i / SAMPLES;
		if (i % 2 && place + i < index->end.count)
			all->moments[i] = place + i;
		for (size_t j = i; j > 0 && all->moments[j] < all->moments[j - 1]; j--) {
			uint64_t moment = all->moments[j];

			all->moments[j] = all->moments[j - 1];
			all->moments[j - 1] = moment;
		}
	}
	for (size_t i = 1; i < SAMPLES; i++)
		if (all->moments[i] <= all->moments[i - 1])
			all->moments[i] = all->moments[i - 1] + 1;
}

static void seek_each(const char *string, size_t length, const char *name)
{
	struct digests visited = { 0 }, sought = { 0 };
	struct scenario_error error;
	struct steps_index index;
	struct scenario scenario;
	struct steps_end end;

	assert_int_equal(scenario_parse(&scenario, string, length, &error), 0);
	assert_int_equal(steps_index(&index, &scenario, &options), 0);
	assert_false(index.runs);
	choose(&index, &visited);
	memcpy(sought.moments, visited.moments, sizeof(sought.moments));
	steps_visit(&scenario, &options, 0, UINT64_MAX, digest, &visited, &end);
	assert_int_equal(end.count, index.end.count);
	for (size_t i = 0; i < visited.count; i++) {
		steps_seek(&index, visited.moments[i], visited.moments[i], digest, &sought);
		if (sought.count != i + 1 ||
		    memcmp(&sought.seen[i], &visited.seen[i], sizeof(sought.seen[i])) != 0)
			fail_msg("%s: moment %llu differs", name,
				 (unsigned long long)visited.moments[i]);
	}
	steps_index_free(&index);
	scenario_free(&scenario);
}

/*
 * A moment is the same, wherever events were single entries: tables, stale entries, counters. Each
 * seek runs what comes before the moment again: pairs that explore would take too long.
 */
static void seeking_finds_the_same_moment(void **state)
{
	static const char blocks[] = "machine granule=16K va=47 blocks=on cont=on\n"
				     "add 0x80000000+1G\nremove 0x80000000+1G\ncheck\n";

	(void)state;
	seek_each(text, sizeof(text) - 1, "text");
	seek_each(blocks, sizeof(blocks) - 1, "blocks");
	for (const struct gallery_pair *pair = gallery_pairs; pair->number; pair++) {
		if (strstr(pair->bad.text, "\nexplore"))
			continue;
		seek_each(pair->bad.text, pair->bad.length, pair->bad.name);
		seek_each(pair->good.text, pair->good.length, pair->good.name);
	}
}

/* The result of the last check of a run. */
struct result_watcher {
	struct run_watcher watcher;
	int result;
	unsigned checks;
};

static void note_result(struct run_watcher *watcher, struct run *run,
			const struct scenario_command *command, int result)
{
	struct result_watcher *w = (struct result_watcher *)(void *)watcher;

	(void)run;
	if (command->kind != SCENARIO_CHECK)
		return;
	w->result = result;
	w->checks++;
}

static void look_away(void *ctx, struct run *run, const struct step *step)
{
	(void)ctx;
	(void)run;
	(void)step;
}

/* Seeking any moment of a scenario does not change what its run finds. */
static void seeking_leaves_the_run_alone(void **state)
{
	static const char good[] = "machine\nmap linear+0 0x80000000 8M blocks=off\n"
				   "unmap-range linear+2M 4M\ncheck\n";
	struct result_watcher watcher = { .watcher = { .after = note_result } };
	const struct run_options watched = { .out = { .print = print_nothing },
					     .watchers = &watcher.watcher };
	struct scenario_error error;
	struct steps_index index;
	struct scenario scenario;

	(void)state;
	assert_int_equal(scenario_parse(&scenario, good, sizeof(good) - 1, &error), 0);
	assert_int_equal(steps_index(&index, &scenario, &watched), 0);
	watcher.checks = 0;
	for (uint64_t moment = 0; moment < index.end.count; moment += 97) {
		steps_seek(&index, moment, index.end.count - 1, look_away, NULL);
		assert_int_equal(watcher.result, 0);
	}
	assert_true(watcher.checks > 10);
	steps_index_free(&index);
	scenario_free(&scenario);
}

/* To show a moment, no command is run after the one that it belongs to. */
static void seeking_ends_at_the_moment(void **state)
{
	static const char short_text[] = "machine\nmap linear+0 0x80000000 64K\ncheck\n";
	struct result_watcher watcher = { .watcher = { .after = note_result } };
	const struct run_options watched = { .out = { .print = print_nothing },
					     .watchers = &watcher.watcher };
	struct scenario_error error;
	struct steps_index index;
	struct scenario scenario;

	(void)state;
	assert_int_equal(scenario_parse(&scenario, short_text, sizeof(short_text) - 1, &error),
			 0);
	assert_int_equal(steps_index(&index, &scenario, &watched), 0);
	watcher.checks = 0;
	steps_seek(&index, 3, index.end.count - 2, look_away, NULL);
	assert_int_equal(watcher.checks, 0);
	steps_seek(&index, 3, index.end.count - 1, look_away, NULL);
	assert_int_equal(watcher.checks, 1);
	steps_index_free(&index);
	scenario_free(&scenario);
}

/* The index knows where commands and their passes begin, and when each violation is reported. */
static void the_index_has_places(void **state)
{
	const struct gallery_pair *b1 = gallery_find("B1");
	const struct steps_place *command, *part;
	struct scenario_error error;
	struct steps_index index;
	struct scenario scenario;

	(void)state;
	assert_int_equal(scenario_parse(&scenario, b1->bad.text, b1->bad.length, &error), 0);
	assert_int_equal(steps_index(&index, &scenario, &options), 0);
	assert_int_equal(index.end.status, RUN_FAILED);
	assert_true(index.found_count > 0);
	command = steps_place_of(&index, index.found[0].moment, false);
	part = steps_place_of(&index, index.found[0].moment, true);
	assert_string_equal(command->command->name, "remove");
	assert_int_equal(part->begin.op, PGTSIM_OP_BEGIN_PASS_2);
	assert_ptr_equal(part->command, command->command);
	assert_null(steps_place_of(&index, 0, true));
	assert_int_equal(index.places[index.place_count - 1].end, index.end.count);
	steps_index_free(&index);
	scenario_free(&scenario);
}

/* A scenario with too many leaves is stepped run by run. */
static void long_scenarios_are_stepped_by_runs(void **state)
{
	static const char big[] = "machine\nadd 0x100000000+64G\nremove 0x100000000+64G\n";
	struct scenario_error error;
	struct steps_index index;
	struct scenario scenario;
	struct digests sought = { .moments = { 20 } };

	(void)state;
	assert_int_equal(scenario_parse(&scenario, big, sizeof(big) - 1, &error), 0);
	assert_int_equal(steps_index(&index, &scenario, &options), 0);
	assert_true(index.runs);
	assert_true(index.end.count < 1000000);
	steps_seek(&index, 20, 20, digest, &sought);
	assert_int_equal(sought.count, 1);
	steps_index_free(&index);
	scenario_free(&scenario);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(all_moments),
	cmocka_unit_test(each_store_is_a_moment),
	cmocka_unit_test(stale_entries_show_as_they_come),
	cmocka_unit_test(seeking_finds_the_same_moment),
	cmocka_unit_test(seeking_leaves_the_run_alone),
	cmocka_unit_test(seeking_ends_at_the_moment),
	cmocka_unit_test(the_index_has_places),
	cmocka_unit_test(long_scenarios_are_stepped_by_runs),
};

int main(void)
{
	return cmocka_run_group_tests_name("steps", tests, NULL, NULL);
}
