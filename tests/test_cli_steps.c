/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include "steps.h"

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

/* Every moment can be seen, the commands' ends among them, and the last one is the whole run. */
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

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(all_moments),
	cmocka_unit_test(each_store_is_a_moment),
	cmocka_unit_test(stale_entries_show_as_they_come),
};

int main(void)
{
	return cmocka_run_group_tests_name("steps", tests, NULL, NULL);
}
