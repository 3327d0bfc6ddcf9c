/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include <pgtsim/cost.h>
#include <pgtsim/machine.h>

static struct pgtsim_cost_model defaults(void)
{
	struct pgtsim_cost_model model;

	pgtsim_cost_model_init(&model);
	return model;
}

/* What it costs to remove `size` bytes of hot-added memory under a profile. */
static struct pgtsim_cost removal(const char *profile_name, uint64_t size,
				  const struct pgtsim_cost_model *model)
{
	struct pgtsim_machine_config config;
	struct pgtsim_machine *machine;
	struct pgtsim_cost cost;
	const struct pgtsim_ram ram = { RAM_START, RAM_START + 32 * GIB };

	assert_int_equal(pgtsim_machine_config_init(&config, profile_name), 0);
	config.checker = false;
	config.ram = &ram;
	config.ram_count = 1;
	assert_int_equal(pgtsim_machine_new(&machine, &config), 0);
	assert_int_equal(pgtsim_add_memory(&machine->hotplug, 64 * GIB, size), 0);
	pgtsim_tlb_reset_counts(&machine->tlb);
	assert_int_equal(pgtsim_remove_memory(&machine->hotplug, 64 * GIB, size), 0);
	pgtsim_cost_of(&machine->tlb.counts, model, &cost);
	pgtsim_machine_free(&machine);
	return cost;
}

static const struct pgtsim_counts some_counts = {
	.tlbi_leaf = 1,
	.tlbi_walk = 10,
	.tlbi_range = 100,
	.tlbi_all = 1000,
	.dsb = 7,
	.dsb_ish = 2,
	.isb = 3,
	.entries_read = 5,
	.entries_written = 11,
	.lines_touched = 13,
	.tables_allocated = 17,
	.tables_freed = 19,
	.pages_freed = 23,
};

static const struct pgtsim_cost_model small_model = {
	.cpus = 4,
	.tlb_entries = 6,
	.tlbi = 1,
	.tlbi_per_cpu = 2,
	.dsb_ishst = 3,
	.dsb_ish = 5,
	.dsb_ish_per_cpu = 7,
	.isb = 11,
	.entry_read = 13,
	.entry_write = 17,
	.line = 19,
	.table = 23,
	.page = 29,
	.refill = 31,
};

/* Each count meets its own constant, and the total is the sum of the parts. */
static void each_constant_counts(void **state)
{
	struct pgtsim_cost cost;

	(void)state;
	pgtsim_cost_of(&some_counts, &small_model, &cost);
	assert_int_equal(cost.invalidates, 1111 * (1 + 2 * 4));
	assert_int_equal(cost.barriers, 5 * 3 + 2 * (5 + 7 * 4) + 3 * 11);
	assert_int_equal(cost.entries, 5 * 13 + 11 * 17);
	assert_int_equal(cost.lines, 13 * 19);
	assert_int_equal(cost.memory, (17 + 19) * 23 + 23 * 29);
	assert_int_equal(cost.time, cost.invalidates + cost.barriers + cost.entries + cost.lines +
					    cost.memory);
	assert_int_equal(cost.refills, 1000 * 6 * 4 * 31);
}

/* Every constant can be set by name, within its limit, and a sum too large is the largest. */
static void constants_by_name(void **state)
{
	struct pgtsim_cost_model model = defaults();
	const struct pgtsim_counts many = { .tlbi_leaf = UINT64_MAX, .dsb_ish = 1, .dsb = 1 };
	size_t count;
	const struct pgtsim_cost_knob *knobs = pgtsim_cost_knobs(&count);
	struct pgtsim_cost cost;

	(void)state;
	assert_int_equal(count * sizeof(uint64_t), sizeof(model));
	for (size_t i = 0; i < count; i++) {
		const uint64_t *value =
			(const uint64_t *)(const void *)((const char *)&model + knobs[i].offset);

		assert_int_equal(*value, knobs[i].value);
		assert_true(strlen(knobs[i].meaning) > 2 && strlen(knobs[i].source) > 2);
		assert_int_equal(pgtsim_cost_set(&model, knobs[i].name, 1000000000), 0);
		assert_int_equal(*value, 1000000000);
		assert_int_equal(pgtsim_cost_set(&model, knobs[i].name, 1000000001), -ERANGE);
	}
	assert_int_equal(pgtsim_cost_set(&model, "price", 1), -ENOENT);
	pgtsim_cost_of(&many, &model, &cost);
	assert_true(cost.time == UINT64_MAX);
}

/* 2 GiB of 4K ptes: the batched flush takes 97 % of the time away, as was published. */
static void batched_flush_of_2_gib(void **state)
{
	struct pgtsim_cost_model model = defaults();
	struct pgtsim_cost before, after;

	(void)state;
	assert_int_equal(pgtsim_cost_set(&model, "cpus", 80), 0);
	before = removal("linux-5.7", 2 * GIB, &model);
	after = removal("linux-6.12", 2 * GIB, &model);
	assert_in_range(after.time * 1000 / before.time, 20, 45);
	assert_int_equal(before.refills, 0);
	assert_true(after.refills > 0);
}

/* 480 GiB: a minute before the batched flush, a second after; the model's constants rest on it. */
static void removal_of_480_gib(void **state)
{
	const uint64_t second = UINT64_C(1000000000000);
	const struct pgtsim_cost_model model = defaults();
	struct pgtsim_cost before = removal("linux-5.7", 480 * GIB, &model);
	struct pgtsim_cost after = removal("linux-6.12", 480 * GIB, &model);

	(void)state;
	assert_in_range(before.time, 45 * second, 75 * second);
	assert_in_range(after.time, second / 2, 2 * second);
}

/* A broadcast costs more the more CPUs hear it; batching pays with refills. */
static void grows_with_cpus(void **state)
{
	struct pgtsim_cost_model model = defaults();
	uint64_t last = 0, refills = 0;

	(void)state;
	for (uint64_t cpus = 1; cpus <= 256; cpus *= 4) {
		struct pgtsim_cost leaves, batch;

		assert_int_equal(pgtsim_cost_set(&model, "cpus", cpus), 0);
		leaves = removal("linux-5.7", 128 * MIB, &model);
		batch = removal("linux-6.12", 128 * MIB, &model);
		assert_true(leaves.time > last);
		assert_true(batch.refills > refills);
		last = leaves.time;
		refills = batch.refills;
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(each_constant_counts),   cmocka_unit_test(constants_by_name),
	cmocka_unit_test(batched_flush_of_2_gib), cmocka_unit_test(removal_of_480_gib),
	cmocka_unit_test(grows_with_cpus),
};

int main(void)
{
	return cmocka_run_group_tests_name("cost", tests, NULL, NULL);
}
