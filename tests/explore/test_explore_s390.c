/* SPDX-License-Identifier: MIT */
/* Schedules of actors on s390's tables: what adds and removes there is not arm64's code. */
#include <pgtsim/explore.h>

#include "hotplug.h"

static const struct pgtsim_ram s390_ram = { 0, 64 * MIB };

enum { SECTION_MIB = 256 };

static struct pgtsim_actor_range first = { .start = 4 * GIB, .size = SECTION_MIB * MIB };
static struct pgtsim_actor_range second = { .start = 4 * GIB + SECTION_MIB * MIB,
					    .size = SECTION_MIB * MIB };

struct stage {
	const char *order;   /* free-order */
	bool checker, added; /* the machine has one; the first section is there */
	uint64_t left;       /* free pages at the end; 0: not looked at */
};

static int set_up(void *ctx, struct pgtsim_machine **machine)
{
	const struct stage *stage = ctx;
	struct pgtsim_machine_config config;

	assert_int_equal(pgtsim_machine_config_s390(&config, "s390-6.12"), 0);
	config.ram = &s390_ram;
	config.ram_count = 1;
	config.checker = stage->checker;
	assert_int_equal(pgtsim_policy_set(&config.policy, "free-order", stage->order), 0);
	*machine = machine_of(&config);
	if (stage->added)
		assert_int_equal(pgtsim_add_memory(&(*machine)->hotplug, first.start, first.size), 0);
	return 0;
}

static const char *check_left(void *ctx, struct pgtsim_machine *machine)
{
	const struct stage *stage = ctx;

	if (!stage->left || pgtsim_memory_free_count(machine->memory) == stage->left)
		return NULL;
	return "other pages are free than after the same operations one after the other";
}

static struct pgtsim_exploration explore(const struct stage *stage,
					 const struct pgtsim_actor_spec *actors, size_t count)
{
	struct stage own = *stage;
	const struct pgtsim_explore_config config = {
		.setup = set_up,
		.check = check_left,
		.ctx = &own,
		.actors = actors,
		.actor_count = count,
		.bound = 5000,
	};
	struct pgtsim_exploration found;

	assert_int_equal(pgtsim_explore(&config, &found), 0);
	return found;
}

/* Free pages after both sections were added without any schedule. */
static uint64_t left_by_adds(const struct stage *stage)
{
	struct stage own = *stage;
	struct pgtsim_machine *machine;
	uint64_t left;

	set_up(&own, &machine);
	assert_int_equal(pgtsim_add_memory(&machine->hotplug, first.start, first.size), 0);
	assert_int_equal(pgtsim_add_memory(&machine->hotplug, second.start, second.size), 0);
	left = pgtsim_memory_free_count(machine->memory);
	pgtsim_machine_free(&machine);
	return left;
}

/* Two adds and a removal beside an add end as they do one after the other, tables of 16K included. */
static void test_hotplug(void **state)
{
	static const struct pgtsim_actor_spec adders[] = {
		{ "a", pgtsim_actor_add, NULL, &first },
		{ "b", pgtsim_actor_add, NULL, &second },
	};
	static const struct pgtsim_actor_spec both[] = {
		{ "remover", pgtsim_actor_remove, NULL, &first },
		{ "adder", pgtsim_actor_add, NULL, &second },
	};
	struct stage stage = { .order = "after-invalidate", .checker = true };
	struct pgtsim_exploration found;

	(void)state;
	stage.left = left_by_adds(&stage);
	found = explore(&stage, adders, COUNT(adders));
	assert_true(found.complete && found.schedules >= 2);
	assert_int_equal(found.failed, 0);
	assert_int_equal(found.result, 0);
	pgtsim_exploration_free(&found);

	stage.left = 0;
	stage.added = true;
	found = explore(&stage, both, COUNT(both));
	assert_true(found.complete && found.schedules >= 2);
	assert_int_equal(found.failed, 0);
	pgtsim_exploration_free(&found);
}

/* The kernel frees before it clears, in every schedule; what gathers is clean beside a CPU that walks. */
static void test_walking_cpu(void **state)
{
	static const uint64_t va = 4 * GIB;
	static const struct pgtsim_actor_accesses accesses = { .va = &va, .count = 1 };
	static const struct pgtsim_actor_spec actors[] = {
		{ "remover", pgtsim_actor_remove, NULL, &first },
		{ "cpu", pgtsim_actor_access, NULL, (void *)(uintptr_t)&accesses },
	};
	struct stage stage = { .order = "before-clear", .checker = true, .added = true };
	struct pgtsim_exploration found = explore(&stage, actors, COUNT(actors));

	(void)state;
	assert_true(found.complete);
	assert_int_equal(found.failed, found.schedules);
	assert_int_equal(found.violation.name, PGTSIM_V_FREED_WHILE_MAPPED);
	pgtsim_exploration_free(&found);

	stage.order = "after-invalidate";
	found = explore(&stage, actors, COUNT(actors));
	assert_true(found.complete && found.schedules >= 2);
	assert_int_equal(found.failed, 0);
	pgtsim_exploration_free(&found);
}

/* A dump without the lock reads a table that was freed, even if that is gathered; with it, never. */
static void test_ptdump(void **state)
{
	struct pgtsim_actor_range range = { .start = 4 * GIB, .size = MIB };
	struct pgtsim_actor_spec actors[] = {
		{ "remover", pgtsim_actor_remove, NULL, &first },
		{ "dump", pgtsim_actor_ptdump_unlocked, NULL, &range },
	};
	const struct stage stage = { .order = "after-invalidate", .added = true };
	struct pgtsim_exploration found = explore(&stage, actors, COUNT(actors));

	(void)state;
	assert_true(found.complete && found.failed > 0 && found.failed < found.schedules);
	assert_int_equal(found.violation.name, PGTSIM_V_TABLE_USE_AFTER_FREE);
	pgtsim_exploration_free(&found);

	actors[1].run = pgtsim_actor_ptdump;
	found = explore(&stage, actors, COUNT(actors));
	assert_true(found.complete);
	assert_int_equal(found.failed, 0);
	pgtsim_exploration_free(&found);
}

/* vmalloc's tables are built as on arm64, so its actor says that it cannot. */
static void test_vmalloc(void **state)
{
	struct pgtsim_actor_range range = { .start = 4 * GIB, .size = 4096 };
	const struct pgtsim_actor_spec actors[] = {
		{ "vmalloc", pgtsim_actor_vmalloc, NULL, &range },
	};
	const struct stage stage = { .order = "before-clear" };
	struct pgtsim_exploration found = explore(&stage, actors, COUNT(actors));

	(void)state;
	assert_int_equal(found.result, -EINVAL);
	pgtsim_exploration_free(&found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hotplug),
		cmocka_unit_test(test_walking_cpu),
		cmocka_unit_test(test_ptdump),
		cmocka_unit_test(test_vmalloc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
