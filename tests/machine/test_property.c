/* SPDX-License-Identifier: MIT */
/*
 * Random sequences of operations, each held against an oracle that shares no code with the library.
 * A sequence that fails is made smaller and left behind as a scenario for `pgtsim run`.
 *
 * PGTSIM_PROPERTY_RUNS: sequences a family [120]. PGTSIM_CLEAN_SCRIPTS: scripts of the last test
 * [8000]; a share of both with PGTSIM_TEST_SHARE. PGTSIM_PROPERTY_SEED: the first one's seed [0].
 */
#define _POSIX_C_SOURCE 200809L /* open_memstream() */

#include <errno.h>

#include "fixture.h"
#include "property/sequence.h"
#include "scenario/runner.h"

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
	const char *text = getenv(variable);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

/* Leaves the sequence, made smaller, behind as a scenario and fails. */
static void report(const char *family, uint64_t seed, struct sequence *s, run_function *run,
		   struct failure *failure)
{
	char name[64];
	FILE *out;

	print_message("%s, seed %llu: after operation %zu of %zu: %s\n", family,
		      (unsigned long long)seed, failure->op + 1, s->count, failure->text);
	sequence_shrink(s, run, run == sequence_rerun, failure);
	snprintf(name, sizeof(name), "property-%s-%llu.pgt", family, (unsigned long long)seed);
	out = fopen(name, "w");
	if (out) {
		sequence_print(s, failure, out);
		fclose(out);
	}
	fail_msg("%s, seed %llu, %zu operations: %s; see %s", family, (unsigned long long)seed,
		 s->count, failure->text, name);
}

static struct dice dice_of(uint64_t seed)
{
	return (struct dice){ .state = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15) };
}

static void run_family(const char *family, generate_function *generate, bool whole_machine)
{
	static struct sequence s;
	uint64_t first = number_from("PGTSIM_PROPERTY_SEED", 0);
	uint64_t runs = number_from("PGTSIM_PROPERTY_RUNS", 120 / test_share());

	for (uint64_t seed = first; seed < first + runs; seed++) {
		struct dice dice = dice_of(seed);
		struct failure failure;

		s.count = 0;
		s.whole_machine = whole_machine;
		generate_config(&dice, &s.config);
		generate_altmaps(&dice, &s);
		if (!sequence_run(&s, &dice, generate, &failure))
			report(family, seed, &s, sequence_rerun, &failure);
	}
}

/* Map, unmap, both passes apart, odd bounds, the vmemmap by hand, and allocations that fail. */
static void test_page_table(void **state)
{
	(void)state;
	run_family("page-table", generate_page_table, false);
}

/* Add, online, offline and remove of blocks and devices, with allocations that fail. */
static void test_hotplug(void **state)
{
	(void)state;
	run_family("hotplug", generate_hotplug, true);
}

/* A machine that runs one clean script after another. */
static void run_scripts(struct sequence *s, uint64_t first, uint64_t count)
{
	static struct oracle o; /* only for what it knows of the machine */
	struct subject subject;
	struct failure failure;

	sequence_oracle(s, &o);
	subject_init(&subject, s, true);
	for (uint64_t seed = first; seed < first + count; seed++) {
		struct dice dice = dice_of(seed);

		clean_generate(&dice, &o, s);
		if (!clean_apply(&subject, s, &failure)) {
			subject_fini(&subject);
			report("clean", seed, s, clean_run, &failure);
		}
	}
	subject_fini(&subject);
}

/*
 * Where all that is mapped is unmapped, nothing is cut and nothing is left, no kernel violates
 * anything: on every geometry, with every profile.
 */
static void test_clean_scripts(void **state)
{
	uint64_t first = number_from("PGTSIM_PROPERTY_SEED", 0);
	uint64_t each = number_from("PGTSIM_CLEAN_SCRIPTS", 8000 / test_share()) / 80, machines = 0;
	static struct sequence s;

	(void)state;
	for (enum oracle_release r = LINUX_5_7; r <= LINUX_7_3; r++)
		for (unsigned n = 0; geometry_number(&s.config, r, n); n++, machines++) {
			s.checker = true;
			s.config.blocks = machines % 2;
			s.config.cont = machines % 3 == 0 && r >= LINUX_6_1;
			run_scripts(&s, first + machines * each, each);
		}
	assert_int_equal(machines, 80);
}

/* ---- the tools of this test ---- */

static void print_nothing(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

/* Runs a scenario that must succeed; `machine`, if any, is what it must end with. */
static void run_text(const char *text, size_t length, const struct pgtsim_machine *machine)
{
	const struct run_options options = { .out = { .print = print_nothing } };
	struct scenario scenario;
	struct scenario_error bad = { 0 };
	struct run_error error = { 0 };
	struct run run;

	if (scenario_parse(&scenario, text, length, &bad))
		fail_msg("%u: %s\n%s", bad.line, bad.message, text);
	if (run_start(&run, &scenario, &options, &error) || run_rest(&run, &error))
		fail_msg("%u: %s\n%s", error.line, error.message, text);
	if (machine)
		assert_null(pgtsim_machine_difference(machine, run.machine));
	run_end(&run);
	scenario_free(&scenario);
}

static void replay(const struct sequence *s, const struct subject *subject)
{
	size_t length = 0;
	char *text = NULL;
	FILE *out = open_memstream(&text, &length);

	assert_non_null(out);
	sequence_print(s, NULL, out);
	fclose(out);
	run_text(text, length, subject->machine);
	free(text);
}

/* `pgtsim run` does with a sequence's scenario what the sequence did here. */
static void test_scenarios(void **state)
{
	static struct sequence s;

	(void)state;
	for (uint64_t seed = 0; seed < 40; seed++) {
		struct dice dice = dice_of(seed);
		struct failure failure;
		struct subject subject;

		s.count = 0;
		s.whole_machine = seed % 2;
		generate_config(&dice, &s.config);
		generate_altmaps(&dice, &s);
		assert_true(sequence_run(
			&s, &dice, seed % 2 ? generate_hotplug : generate_page_table, &failure));
		assert_true(s.count > 10);
		subject_init(&subject, &s, false);
		for (size_t i = 0; i < s.count; i++)
			(void)subject_apply(&subject, &s.op[i]);
		replay(&s, &subject);
		subject_fini(&subject);
	}
}

/* Scenarios that sequences have left behind: defects that are no more. */
static const char *const found_once[] = {
	/* An add whose linear map failed left its tables where pass 2 frees none. */
	"machine profile=linux-5.10 granule=64K va=48 map-failure=keep free-tables=never\n"
	"fail alloc nth=2\n"
	"expect-error ENOMEM add 0xe0000000+0x60000000\n"
	"expect tables.pmd == 0\n"
	"check\n",
	/* The checker read a record that it had just freed: only a sanitizer sees that. */
	"machine profile=linux-5.7 granule=4K va=48 ram=0x40000000+64M\n"
	"map linear+0 0x80000000 64K\n"
	"unmap-range linear+0 64K\n"
	"map linear+0 0x80000000 64K cont=off\n"
	"unmap-range linear+0 64K\n",
};

static void test_found_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(found_once); i++)
		run_text(found_once[i], strlen(found_once[i]), NULL);
}

/* Fails once two pages are mapped by one call and unmapped by a later one. */
static bool run_that_fails(struct sequence *s, struct failure *failure)
{
	bool mapped = false;

	for (failure->op = 0; failure->op < s->count; failure->op++) {
		const struct operation *op = &s->op[failure->op];

		if (op->kind == OP_MAP && op->size >= 0x20000)
			mapped = true;
		else if (op->kind == OP_UNMAP && mapped)
			return complain(failure, 0, "both");
	}
	return true;
}

/* Shrinking leaves the two operations of a long sequence that matter, as small as can be. */
static void test_shrinking(void **state)
{
	struct sequence s = { .config = { .page_shift = 16 }, .count = SEQUENCE_MAX };
	struct failure failure;

	(void)state;
	for (size_t i = 0; i < s.count; i++)
		s.op[i] = (struct operation){
			.kind = i == 30 ? OP_UNMAP :
				i % 7   ? OP_ADD :
					  OP_MAP,
			.start = 0x123456789,
			.size = 0x12345678,
			.blocks = true,
			.fail_nth = 3,
		};
	assert_false(run_that_fails(&s, &failure));
	sequence_shrink(&s, run_that_fails, true, &failure);
	assert_int_equal(s.count, 2);
	assert_int_equal(s.op[0].kind, OP_MAP);
	assert_int_equal(s.op[0].size, 0x20000);
	assert_false(s.op[0].blocks);
	assert_int_equal(s.op[0].fail_nth, 0);
	assert_int_equal(s.op[1].kind, OP_UNMAP);
	assert_int_equal(s.op[1].size, 0x10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_page_table),    cmocka_unit_test(test_hotplug),
		cmocka_unit_test(test_clean_scripts), cmocka_unit_test(test_scenarios),
		cmocka_unit_test(test_found_once),    cmocka_unit_test(test_shrinking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
