/* SPDX-License-Identifier: MIT */
/* Two page tables in a page, as s390's kernels up to 6.6 have them. */
#include "hotplug.h"

enum { SECTION_MIB = 256, TABLES = 256 };

#define SECTION (SECTION_MIB * MIB)

static struct pgtsim_machine *machine_with(const char *profile_name, const char *value)
{
	struct pgtsim_machine_config config = config_of(profile_name, 4, 42);

	config.edat = 0;
	config.policy.free_order = PGTSIM_FREE_AFTER_INVALIDATE;
	if (value)
		assert_int_equal(pgtsim_policy_set(&config.policy, "half-page-tables", value), 0);
	return machine_of(&config);
}

static uint64_t taken(const struct pgtsim_machine *machine)
{
	return pgtsim_memory_ram_count(machine->memory) - pgtsim_memory_free_count(machine->memory);
}

/* Maps a page in a segment of its own, so that it needs a page table. Returns where that is. */
static uint64_t map_segment(struct pgtsim_machine *machine, unsigned segment)
{
	const struct pgtsim_map map = {
		.va = 4 * GIB + segment * MIB,
		.pa = 4 * GIB + segment * MIB,
		.size = 4096,
		.region = PGTSIM_REGION_LINEAR,
	};
	struct pgtsim_translation at;

	assert_int_equal(pgtsim_map(&machine->pgt, &map), 0);
	assert_int_equal(pgtsim_translate(&machine->pgt, map.va, &at), 0);
	assert_int_equal(at.pa, map.pa);
	return pgtsim_desc_address(&machine->geo, PGTSIM_PMD, at.step[at.steps - 2].desc);
}

static void unmap_segment(struct pgtsim_machine *machine, unsigned segment)
{
	uint64_t va = 4 * GIB + segment * MIB;

	assert_int_equal(pgtsim_unmap_linear(&machine->pgt, va, 4096, 0, 0), 0);
	assert_false(linear_is_mapped(machine, va));
}

/*
 * A section by pages alone takes 256 page tables, and its memmap 4 more: half as many pages up to 6.6. Each
 * of the two has a segment table of four pages.
 */
static void pages_of_a_section(void **state)
{
	static const struct {
		const char *profile, *value;
		unsigned pages;
	} rows[] = {
		{ "s390-5.9", NULL, (TABLES + 4) / 2 },  { "s390-6.1", NULL, (TABLES + 4) / 2 },
		{ "s390-6.1", "off", TABLES + 4 },       { "s390-6.12", NULL, TABLES + 4 },
		{ "s390-7.3", "on", (TABLES + 4) / 2 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pgtsim_machine *machine = machine_with(rows[i].profile, rows[i].value);
		uint64_t before = taken(machine), memmap = SECTION / 4096 * 64 / 4096;

		assert_int_equal(pgtsim_add_memory(&machine->hotplug, 4 * GIB, SECTION), 0);
		assert_int_equal(machine->tlb.counts.tables_pte, TABLES + 4);
		assert_int_equal(taken(machine) - before, memmap + 2 * 4 + rows[i].pages);
		assert_clean(machine);
		assert_int_equal(remove_memory(machine, 4 * GIB, SECTION), 0);
		assert_int_equal(taken(machine), before);
		assert_clean(machine);
		pgtsim_machine_free(&machine);
	}
}

/*
 * A table takes the free half of the page that was last given one, else the first half of a new page; a page
 * goes with its second table.
 */
static void order_of_halves(void **state)
{
	struct pgtsim_machine *machine = machine_with("s390-6.1", NULL);
	uint64_t at[6], before;

	(void)state;
	map_segment(machine, 100); /* the segment table */
	map_segment(machine, 101);
	before = taken(machine);
	for (unsigned i = 0; i < 6; i++)
		at[i] = map_segment(machine, i);
	assert_int_equal(taken(machine), before + 3);
	for (unsigned i = 0; i < 6; i += 2) {
		assert_int_equal(at[i] & 4095, 0);
		assert_int_equal(at[i + 1], at[i] + 2048);
	}
	unmap_segment(machine, 0);
	unmap_segment(machine, 3);
	assert_int_equal(taken(machine), before + 3);
	assert_true(pgtsim_memory_table(machine->memory, at[1]) != NULL);
	assert_null(pgtsim_memory_table(machine->memory, at[0]));
	assert_int_equal(map_segment(machine, 10), at[3]);
	assert_int_equal(map_segment(machine, 11), at[0]);
	unmap_segment(machine, 10);
	unmap_segment(machine, 2);
	assert_int_equal(taken(machine), before + 2);
	assert_int_equal(pgtsim_memory_owner(machine->memory, at[2] >> 12), PGTSIM_OWNER_FREE);
	assert_int_equal(pgtsim_memory_owner(machine->memory, at[4] >> 12), PGTSIM_OWNER_TABLE);
	assert_int_equal(pgtsim_check(&machine->pgt), 0);
	pgtsim_machine_free(&machine);
}

/* A free half is no allocation: with every page allocation failing, one table more can be had. */
static void half_is_no_allocation(void **state)
{
	struct pgtsim_machine *machine = machine_with("s390-6.1", NULL);
	struct pgtsim_map map = { .va = 4 * GIB + 9 * MIB, .pa = 4 * GIB + 9 * MIB, .size = 4096 };

	(void)state;
	map_segment(machine, 0);
	pgtsim_memory_fail(machine->memory, 1, true);
	map_segment(machine, 1);
	assert_int_equal(pgtsim_map(&machine->pgt, &map), -ENOMEM);
	pgtsim_memory_fail(machine->memory, 0, false);
	assert_clean(machine);
	pgtsim_machine_free(&machine);
}

enum { SEGMENTS = 40, STEPS = 3000 };

/* Maps and unmaps at random: no two tables at one place, each at a half, and as many pages as there must be. */
static void random_halves(void **state)
{
	struct pgtsim_machine *machine = machine_with("s390-5.9", NULL);
	uint64_t at[SEGMENTS] = { 0 }, before;
	uint32_t seed = 77;

	(void)state;
	map_segment(machine, 100);
	map_segment(machine, 101);
	before = taken(machine);
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned i = random_next(&seed) % SEGMENTS;
		uint64_t pages = 0;

		if (at[i])
			unmap_segment(machine, i);
		at[i] = at[i] ? 0 : map_segment(machine, i);
		for (unsigned a = 0; a < SEGMENTS; a++) {
			bool first = at[a];

			assert_int_equal(at[a] & 2047, 0);
			for (unsigned b = 0; b < a; b++) {
				assert_false(at[a] && at[a] == at[b]);
				first &= at[a] >> 12 != at[b] >> 12;
			}
			pages += first;
			assert_int_equal(linear_is_mapped(machine, 4 * GIB + a * MIB), at[a] != 0);
		}
		assert_int_equal(taken(machine), before + pages);
	}
	assert_int_equal(pgtsim_check(&machine->pgt), 0);
	pgtsim_machine_free(&machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_of_a_section),
		cmocka_unit_test(order_of_halves),
		cmocka_unit_test(half_is_no_allocation),
		cmocka_unit_test(random_halves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
