/* SPDX-License-Identifier: MIT */
/* The checker beside a brute-force model of the rules: the first violation of random programs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "program.h"

static unsigned first_program, programs = 2000;

static void print_wrong(unsigned wrong)
{
	static const char *const names[] = { "stale",       "no-break",    "overlapping-sizes",
					     "not-visible", "unpublished", "freed" };

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (wrong >> i & 1)
			printf("%s ", names[i]);
	if (!wrong)
		printf("clean ");
}

static void print_finding(const char *who, const struct finding *f)
{
	printf("%s: step %u, ", who, f->step - 1);
	print_wrong(f->wrong);
	printf("at page %u, level %d %s%s\n", f->page, f->level, f->text,
	       f->judge_differs ? "; the judge of its events finds something else" : "");
}

/* True if both find the same first violation; prints the shortest program if not. */
static bool agrees(unsigned number, const struct features *features, unsigned *tally)
{
	struct program program;
	struct finding model, checker;

	program_random(&program, number, features);
	model = program_by_model(&program);
	checker = program_by_checker(&program);
	tally[model.wrong]++;
	if (findings_agree(&program, &model, &checker))
		return true;
	program_shrink(&program);
	model = program_by_model(&program);
	checker = program_by_checker(&program);
	printf("program %u, shrunk: ", number);
	program_print(&program);
	print_finding("model", &model);
	print_finding("checker", &checker);
	return false;
}

/* They agree on what they disagreed on before. */
static void kept(void **state)
{
	unsigned count, wrong = 0;
	const struct kept_program *kept = programs_kept(&count);

	(void)state;
	for (unsigned i = 0; i < count; i++) {
		const struct program *program = &kept[i].program;
		struct finding model = program_by_model(program),
			       checker = program_by_checker(program);

		if (findings_agree(program, &model, &checker))
			continue;
		wrong++;
		printf("%s: ", kept[i].name);
		program_print(program);
		print_finding("model", &model);
		print_finding("checker", &checker);
	}
	assert_int_equal(wrong, 0);
}

static void compare(const struct features *features)
{
	unsigned tally[64] = { 0 }, wrong = 0;

	for (unsigned n = first_program; n - first_program < programs && wrong < 5; n++)
		wrong += !agrees(n, features, tally);
	printf("%u programs from %u on:", programs, first_program);
	for (unsigned i = 0; i < 64; i++)
		if (tally[i]) {
			printf(" %u ", tally[i]);
			print_wrong(i);
		}
	printf("\n");
	assert_int_equal(wrong, 0);
	if (programs >= 1000)
		assert_true(tally[0] > programs / 20 && tally[MODEL_STALE] > programs / 20);
}

/* One CPU's stores of pages, groups, blocks and tables, DSB ISHST, DSB ISH and all invalidates. */
static void one_cpu(void **state)
{
	(void)state;
	compare(&(struct features){ .cpus = false });
}

/* Read-only pages, too: new permissions want no break. */
static void permissions(void **state)
{
	(void)state;
	compare(&(struct features){ .permissions = true });
}

/* DSB of other kinds: LD orders no store, NSH is good for the own CPU only. */
static void kinds(void **state)
{
	(void)state;
	compare(&(struct features){ .permissions = true, .kinds = true });
}

/* Two CPUs: a barrier is one CPU's own, an invalidate may be local. */
static void two_cpus(void **state)
{
	(void)state;
	compare(&(struct features){
		.permissions = true, .kinds = true, .cpus = true, .scopes = true });
}

/* APTable, the access flag, memory types, software bits. */
static void attributes(void **state)
{
	(void)state;
	compare(&(struct features){ .permissions = true, .tables = true, .leaves = true });
}

/* CPUs with FEAT_BBM and FEAT_ETS2; ISB is not given for nothing. */
static void versions(void **state)
{
	(void)state;
	compare(&(struct features){ .permissions = true, .versions = true, .isb = true });
}

/* Level hints, ranges of all levels, and frees. */
static void hints_and_frees(void **state)
{
	(void)state;
	compare(&(struct features){ .hints = true, .frees = true });
}

/* All of it. */
static void everything(void **state)
{
	(void)state;
	compare(&(struct features){ .permissions = true,
				    .cpus = true,
				    .scopes = true,
				    .kinds = true,
				    .tables = true,
				    .leaves = true,
				    .hints = true,
				    .frees = true,
				    .isb = true,
				    .versions = true });
}

/* test_model [FIRST [COUNT [TEST]]]: other programs, of one test. */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kept),
		cmocka_unit_test(one_cpu),
		cmocka_unit_test(permissions),
		cmocka_unit_test(kinds),
		cmocka_unit_test(attributes),
		cmocka_unit_test(versions),
		cmocka_unit_test(hints_and_frees),
		cmocka_unit_test(two_cpus),
		cmocka_unit_test(everything),
	};

	if (argc > 1) {
		first_program = (unsigned)strtoul(argv[1], NULL, 0);
		programs = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 0) : 1;
	}
	if (argc > 3)
		cmocka_set_test_filter(argv[3]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
