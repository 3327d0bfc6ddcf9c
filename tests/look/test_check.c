/* SPDX-License-Identifier: MIT */
/*
 * check: each invariant violated on purpose, found, named and placed; nothing found where nothing
 * is wrong.
 */
#include <pgtsim/check.h>

#include "fixture.h"

#define VA UINT64_C(0xffff000000000000)
#define PA UINT64_C(0x80000000)

/* 4K/48 with 4 MiB of ptes: one pud, one pmd and two pte tables. */
static void map_some(struct fixture *f)
{
	const struct pgtsim_geometry geo = linux_geometry(4, 48, 0, 0);
	const struct pgtsim_policy policy = profile("latest");

	fixture_init(f, &policy, &geo);
	assert_int_equal(map_linear(f, VA, PA, 4 * MIB, false), 0);
}

static struct pgtsim_table *table_below(const struct fixture *f, int level, uint64_t va)
{
	struct pgtsim_table *table = pgtsim_memory_table(
		f->memory, pgtsim_desc_address(&f->pgt.geo, level, entry_at(f, level, va)));

	assert_non_null(table);
	return table;
}

/* The check finds exactly this one thing, and finds it again when it looks again. */
static void assert_finds(struct fixture *f, enum pgtsim_violation_name name, int level, uint64_t va)
{
	const struct pgtsim_violation *v;

	assert_int_equal(pgtsim_check(&f->pgt), 1);
	assert_int_equal(f->tlb.violation_count, 1);
	assert_int_equal(f->tlb.counts.violations, 1);
	v = &f->tlb.violations[0];
	assert_string_equal(pgtsim_violation_kind(v->name)->name,
			    pgtsim_violation_kind(name)->name);
	assert_int_equal(v->level, level);
	assert_int_equal(v->va, va);
	assert_true(strlen(v->text) > 0);
	assert_int_equal(pgtsim_check(&f->pgt), 1);
}

/* Nothing is wrong with empty, mapped and unmapped tables of any geometry and profile. */
static void clean_tables_pass(void **state)
{
	static const size_t arm64 = COUNT(all_profiles);

	(void)state;
	for (size_t p = 0; p < arm64 + COUNT(s390_profiles); p++) {
		const struct pgtsim_policy policy =
			profile(p < arm64 ? all_profiles[p] : s390_profiles[p - arm64]);
		struct geometry_case cases[MAX_GEOMETRIES];
		size_t n = all_geometries(cases, &policy);

		for (size_t i = 0; i < n; i++) {
			uint64_t va = pgtsim_va_start(&cases[i].geo);
			uint64_t page = pgtsim_page_size(&cases[i].geo);
			struct fixture f;

			fixture_init(&f, &policy, &cases[i].geo);
			assert_int_equal(pgtsim_check(&f.pgt), 0);
			assert_int_equal(map_linear(&f, va, 0, 3 * page, true), 0);
			assert_int_equal(map_linear(&f, region_end(&cases[i].geo) - page, 0, page,
						    false),
					 0);
			assert_int_equal(pgtsim_check(&f.pgt), 0);
			assert_int_equal(f.tlb.counts.violations, 0);
			fixture_fini(&f);
		}
	}
}

/* Looking changes nothing: no counter, no event, no record, no entry. */
static void looking_changes_nothing(void **state)
{
	struct fixture f;
	struct pgtsim_counts before;
	struct snapshot snapshot;
	struct recorder recorder;

	(void)state;
	map_some(&f);
	before = f.tlb.counts;
	snapshot = snapshot_take(&f);
	recorder_start(&recorder, &f);
	assert_int_equal(pgtsim_check(&f.pgt), 0);
	assert_int_equal(recorder.count + recorder.marks, 0);
	recorder_stop(&recorder, &f);
	assert_memory_equal(&before, &f.tlb.counts, sizeof(before));
	assert_true(unchanged(&f, &snapshot));
	assert_null(f.pgt.root->next);
	assert_null(table_below(&f, PGTSIM_PMD, VA)->next);
	snapshot_free(&snapshot);
	fixture_fini(&f);
}

/* An entry that leads nowhere, or to a table of another level. */
static void entry_to_nowhere(void **state)
{
	struct fixture f;

	(void)state;
	map_some(&f);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PUD, VA + GIB, PA | 3), 0);
	assert_finds(&f, PGTSIM_V_NOT_A_TABLE, PGTSIM_PUD, VA + GIB);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PUD, VA + GIB, 0), 0);
	assert_int_equal(pgtsim_check(&f.pgt), 0);

	/* The pmd table, from an entry that should point to a pte table. */
	assert_int_equal(
		pgtsim_poke(&f.pgt, PGTSIM_PMD, VA + 4 * MIB, entry_at(&f, PGTSIM_PUD, VA)), 0);
	assert_int_equal(pgtsim_check(&f.pgt), 1);
	fixture_drop(&f);
}

/* A table whose entry is gone can't be found again, with all that was below it. */
static void orphaned_tables(void **state)
{
	static const int levels[] = { PGTSIM_PMD, PGTSIM_PUD, PGTSIM_P4D };

	(void)state;
	for (size_t i = 0; i < COUNT(levels); i++) {
		struct fixture f;

		map_some(&f);
		assert_int_equal(pgtsim_poke(&f.pgt, levels[i], VA, 0), 0);
		assert_finds(&f, PGTSIM_V_TABLE_LEAK, PGTSIM_P4D, VA);
		fixture_drop(&f);
	}
}

/* Entries changed behind the library's back: one more, one less, one below the first known. */
static void record_against_memory(void **state)
{
	struct fixture f;
	struct pgtsim_table *table;
	uint64_t desc;

	(void)state;
	map_some(&f);
	table = table_below(&f, PGTSIM_PMD, VA + 2 * MIB);
	desc = table->entries[7];
	table->entries[7] = 0;
	assert_finds(&f, PGTSIM_V_TABLE_COUNT, PGTSIM_PTE, VA + 2 * MIB);
	table->entries[7] = desc ^ PGTSIM_DESC_AF; /* as many as before, but other ones */
	assert_int_equal(pgtsim_check(&f.pgt), 1);
	table->entries[7] = desc;
	assert_int_equal(pgtsim_check(&f.pgt), 0);
	fixture_drop(&f);
}

/* The root is checked as well, and in it an entry below the first that is known to be live. */
static void record_of_the_root(void **state)
{
	struct fixture f;
	uint64_t desc;

	(void)state;
	map_some(&f);
	desc = f.pgt.root->entries[0];
	f.pgt.root->entries[0] = 0;
	assert_int_equal(pgtsim_check(&f.pgt), 2); /* and its tables are out of reach */
	assert_int_equal(f.tlb.violations[0].name, PGTSIM_V_TABLE_COUNT);
	assert_int_equal(f.tlb.violations[0].level, PGTSIM_P4D);
	assert_int_equal(f.tlb.violations[1].name, PGTSIM_V_TABLE_LEAK);
	f.pgt.root->entries[0] = desc;
	pgtsim_state(f.pgt.root)->first = 1;
	assert_int_equal(pgtsim_check(&f.pgt), 1);
	pgtsim_state(f.pgt.root)->first = 0;
	assert_int_equal(pgtsim_check(&f.pgt), 0);
	fixture_fini(&f);
}

/* One table under two entries, whether another was lost by that or not. */
static void shared_tables(void **state)
{
	struct fixture f;
	uint64_t first, second;

	(void)state;
	map_some(&f);
	first = entry_at(&f, PGTSIM_PMD, VA);
	second = entry_at(&f, PGTSIM_PMD, VA + 2 * MIB);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PMD, VA + 6 * MIB, first), 0);
	assert_finds(&f, PGTSIM_V_TABLE_SHARED, PGTSIM_PMD, VA + 6 * MIB);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PMD, VA + 6 * MIB, 0), 0);
	assert_int_equal(pgtsim_check(&f.pgt), 0);

	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PMD, VA + 2 * MIB, first), 0);
	assert_int_equal(pgtsim_check(&f.pgt), 2);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PMD, VA + 2 * MIB, second), 0);
	assert_int_equal(pgtsim_check(&f.pgt), 0);
	fixture_fini(&f);
}

/* Tables full of entries to one table are found each, in no more time than they take. */
static void tables_shared_on_all_levels(void **state)
{
	struct fixture f;
	uint64_t pud, pmd, pte;

	(void)state;
	map_some(&f);
	pud = entry_at(&f, PGTSIM_P4D, VA);
	pmd = entry_at(&f, PGTSIM_PUD, VA);
	pte = entry_at(&f, PGTSIM_PMD, VA);
	for (uint64_t i = 1; i < 512; i++) {
		assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_P4D, VA + (i << 39), pud), 0);
		assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PUD, VA + (i << 30), pmd), 0);
		assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PMD, VA + (i << 21), pte), 0);
	}
	assert_int_equal(pgtsim_check(&f.pgt), 3 * 511 + 1); /* and the second pte table is lost */
	fixture_drop(&f);
}

/* All violations are counted, the first ones kept. */
static void violations_beyond_those_kept(void **state)
{
	struct fixture f;

	(void)state;
	map_some(&f);
	for (uint64_t i = 1; i < 512; i++)
		assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_P4D, VA + (i << 39), PA | 3), 0);
	assert_int_equal(pgtsim_check(&f.pgt), 511);
	assert_int_equal(f.tlb.violation_count, PGTSIM_VIOLATIONS_KEPT);
	assert_int_equal(f.tlb.violations[0].va, VA + (UINT64_C(1) << 39));
	fixture_drop(&f);
}

/* ---- a whole machine ---- */

static struct pgtsim_machine *added(unsigned kib, bool boot)
{
	struct pgtsim_machine_config config;
	struct pgtsim_machine *machine;

	assert_int_equal(pgtsim_machine_config_init(&config, "latest"), 0);
	config.granule = (uint32_t)kib << 10;
	config.boot = boot;
	assert_int_equal(pgtsim_machine_new(&machine, &config), 0);
	assert_int_equal(pgtsim_add_memory(&machine->hotplug, PA, GIB), 0);
	return machine;
}

static void assert_machine_finds(struct pgtsim_machine *machine, const char *name, uint64_t va)
{
	const struct pgtsim_violation *v;

	/* What the overwritten entry leaves in TLBs is another matter. */
	pgtsim_checker_stop(&machine->tlb);
	assert_int_equal(pgtsim_check_machine(machine), 1);
	v = &machine->tlb.violations[machine->tlb.violation_count - 1];
	assert_string_equal(pgtsim_violation_kind(v->name)->name, name);
	assert_int_equal(v->va, va);
}

/* Memory that was added, booted or neither is as it should be, and looking costs nothing. */
static void clean_machines_pass(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		struct pgtsim_machine *machine = added(i < 2 ? 4 : i < 4 ? 16 : 64, i % 2);
		struct pgtsim_counts before = machine->tlb.counts;

		assert_int_equal(pgtsim_check_machine(machine), 0);
		assert_memory_equal(&before, &machine->tlb.counts, sizeof(before));
		assert_int_equal(pgtsim_remove_memory(&machine->hotplug, PA + 512 * MIB, 512 * MIB),
				 0);
		assert_int_equal(pgtsim_check_machine(machine), 0);
		pgtsim_machine_free(&machine);
	}
}

/* A page of added memory that is not mapped, or mapped to another one. */
static void hole_in_the_linear_map(void **state)
{
	struct pgtsim_machine *machine = added(4, false);
	uint64_t va = pgtsim_linear(&machine->layout, PA + 5 * MIB);
	struct pgtsim_translation t;

	(void)state;
	assert_int_equal(pgtsim_translate(&machine->pgt, va, &t), 0);
	assert_int_equal(pgtsim_poke(&machine->pgt, PGTSIM_PTE, va, 0), 0);
	assert_machine_finds(machine, "linear-hole", va);
	assert_int_equal(pgtsim_poke(&machine->pgt, PGTSIM_PTE, va, t.desc + 4096), 0);
	assert_machine_finds(machine, "linear-hole", va);
	assert_int_equal(pgtsim_poke(&machine->pgt, PGTSIM_PTE, va, t.desc), 0);
	assert_int_equal(pgtsim_check_machine(machine), 0);
	pgtsim_machine_free(&machine);
}

/* Struct pages of added memory that are not mapped. */
static void hole_in_the_memmap(void **state)
{
	struct pgtsim_machine *machine = added(16, false);
	uint64_t va = pgtsim_page_of_pfn(&machine->vmemmap, (PA + 256 * MIB) >> 14);

	(void)state;
	assert_int_equal(pgtsim_poke(&machine->pgt, PGTSIM_PTE, va, 0), 0);
	assert_machine_finds(machine, "memmap-hole", va);
	pgtsim_machine_free(&machine);
}

/* Every kind has a name of its own, says what is wrong and what to do instead. */
static void kinds_are_complete(void **state)
{
	(void)state;
	for (int i = 0; i < PGTSIM_V_COUNT; i++) {
		const struct pgtsim_violation_kind *kind =
			pgtsim_violation_kind((enum pgtsim_violation_name)i);

		assert_non_null(kind);
		assert_true(kind->name && kind->meaning && kind->instead);
		assert_true(*kind->name && *kind->meaning && *kind->instead);
		assert_int_equal(strspn(kind->name, "abcdefghijklmnopqrstuvwxyz0123456789-"),
				 strlen(kind->name));
		for (int j = 0; j < i; j++)
			assert_string_not_equal(
				kind->name,
				pgtsim_violation_kind((enum pgtsim_violation_name)j)->name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clean_tables_pass),
		cmocka_unit_test(looking_changes_nothing),
		cmocka_unit_test(entry_to_nowhere),
		cmocka_unit_test(orphaned_tables),
		cmocka_unit_test(record_against_memory),
		cmocka_unit_test(record_of_the_root),
		cmocka_unit_test(shared_tables),
		cmocka_unit_test(tables_shared_on_all_levels),
		cmocka_unit_test(violations_beyond_those_kept),
		cmocka_unit_test(clean_machines_pass),
		cmocka_unit_test(hole_in_the_linear_map),
		cmocka_unit_test(hole_in_the_memmap),
		cmocka_unit_test(kinds_are_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
