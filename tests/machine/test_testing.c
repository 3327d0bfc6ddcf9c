/* SPDX-License-Identifier: MIT */
/* The helper header's assertions hold when they should, and fail, with a reason, when not. */
#define _POSIX_C_SOURCE 200809L

#include <stdlib.h>

#include <pgtsim/testing.h>

#define PA UINT64_C(0x80000000)

struct bench {
	struct pgtsim_machine *machine, *twin;
	uint64_t va;
};

static int map(struct pgtsim_machine *machine, uint64_t size)
{
	const struct pgtsim_map map = {
		.va = pgtsim_linear(&machine->layout, PA),
		.pa = PA,
		.size = size,
		.attrs = machine->policy.prot[PGTSIM_PROT_TAGGED],
		.blocks = true,
	};

	return pgtsim_map(&machine->pgt, &map);
}

static int setup(void **state)
{
	static struct bench bench;

	bench.machine = pgtsim_test_machine("latest", 4096, 48);
	bench.twin = pgtsim_test_machine("latest", 4096, 48);
	bench.va = pgtsim_linear(&bench.machine->layout, PA);
	*state = &bench;
	return map(bench.machine, 0x403000) || map(bench.twin, 0x403000);
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	pgtsim_machine_free(&bench->machine);
	pgtsim_machine_free(&bench->twin);
	return 0;
}

/* Pages and blocks mapped as they should be pass, and so do holes around them. */
static void what_holds_passes(void **state)
{
	struct bench *b = *state;

	pgtsim_assert_mapped_to(b->machine, b->va, PA, 0x403000);
	pgtsim_assert_mapped_to(b->machine, b->va + 0x1ff123, PA + 0x1ff123, 0x2000);
	pgtsim_assert_not_mapped(b->machine, b->va + 0x403000, UINT64_C(1) << 40);
	pgtsim_assert_not_mapped(b->machine, b->va - 1, 1);
	pgtsim_assert_nothing_stale(b->machine);
	pgtsim_assert_nothing_leaked(b->machine, pgtsim_test_mark(b->twin));
	pgtsim_assert_machines_equal(b->machine, b->twin);
	pgtsim_assert_clean(b->machine);
}

static void wrong_pa(struct bench *b)
{
	pgtsim_assert_mapped_to(b->machine, b->va, PA + 0x1000, 0x1000);
}

static void hole_at_the_end(struct bench *b)
{
	pgtsim_assert_mapped_to(b->machine, b->va, PA, 0x403001);
}

static void mapped_at_the_end(struct bench *b)
{
	pgtsim_assert_not_mapped(b->machine, b->va - 0x200000, 0x200001);
}

static void stale(struct bench *b)
{
	pgtsim_poke(&b->machine->pgt, PGTSIM_PMD, b->va, 0);
	pgtsim_assert_nothing_stale(b->machine);
}

static void stale_unknown(struct bench *b)
{
	pgtsim_checker_stop(&b->machine->tlb);
	pgtsim_assert_nothing_stale(b->machine);
}

static void leaked(struct bench *b)
{
	struct pgtsim_test_mark mark = pgtsim_test_mark(b->machine);
	uint64_t pfn;

	assert_int_equal(pgtsim_memory_alloc(b->machine->memory, 0, &pfn), 0);
	pgtsim_assert_nothing_leaked(b->machine, mark);
}

static void different(struct bench *b)
{
	pgtsim_poke(&b->machine->pgt, PGTSIM_PMD, b->va, 0);
	pgtsim_assert_machines_equal(b->machine, b->twin);
}

static void not_clean(struct bench *b)
{
	assert_int_equal(pgtsim_poke(&b->machine->pgt, PGTSIM_PMD, b->va, 3), 0);
	pgtsim_assert_clean(b->machine);
}

static void many_of_a_kind(struct bench *b)
{
	for (unsigned i = 0; i < 5; i++)
		pgtsim_tlb_violation(&b->machine->tlb, PGTSIM_V_DEADLOCK, b->va, PGTSIM_PMD,
				     "by hand");
	pgtsim_assert_clean(b->machine);
}

static void no_such_machine(struct bench *b)
{
	(void)b;
	pgtsim_test_machine("latest", 8192, 48);
}

/* Each must fail its test, and say this. */
static const struct {
	void (*run)(struct bench *bench);
	const char *says;
} failing[] = {
	{ wrong_pa, "should be mapped to 0x80001000" },
	{ hole_at_the_end, "should be mapped to 0x80403000" },
	{ mapped_at_the_end, "should not be mapped" },
	{ stale, "stale-leaf" },
	{ stale_unknown, "checker is off" },
	{ leaked, "pages are free" },
	{ different, "the machines differ: page table" },
	{ different, "0xffff000040000000 (pmd): 0x0000000000000000 and 0x00e8000080000705" },
	{ many_of_a_kind, "  0xffff000040000000 (pmd): by hand\n  … and 2 more" },
	{ not_clean, "not-a-table" },
	{ no_such_machine, "granule 8192, 48 bits: error 22" },
};

static const char *program; /* this one */
static unsigned chosen;

static void fail_as_chosen(void **state)
{
	failing[chosen].run(*state);
}

/* Runs the chosen one alone; the exit status is the number of tests that failed. */
static int run_chosen(const char *number)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(fail_as_chosen, setup, teardown),
	};

	chosen = (unsigned)strtoul(number, NULL, 10);
	return cmocka_run_group_tests_name("chosen", tests, NULL, NULL);
}

/* What does not hold fails at the caller's line, and says what was found. */
static void what_does_not_hold_fails(void **state)
{
	const char *emulator = getenv("MESON_EXE_WRAPPER"); /* set where programs need one */

	(void)state;
	for (unsigned i = 0; i < sizeof(failing) / sizeof(failing[0]); i++) {
		char command[512], text[8192];
		size_t length;
		FILE *child;

		snprintf(command, sizeof(command), "%s '%s' %u 2>&1", emulator ? emulator : "",
			 program, i);
		child = popen(command, "r");
		assert_non_null(child);
		length = fread(text, 1, sizeof(text) - 1, child);
		text[length] = '\0';
		if (pclose(child) == 0 || !strstr(text, failing[i].says) ||
		    !strstr(text, "test_testing.c:"))
			fail_msg("%u should say '%s', but says: %s", i, failing[i].says, text);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_holds_passes, setup, teardown),
		cmocka_unit_test(what_does_not_hold_fails),
	};

	program = argv[0];
	if (argc > 1)
		return run_chosen(argv[1]);
	return cmocka_run_group_tests_name("testing", tests, NULL, NULL);
}
