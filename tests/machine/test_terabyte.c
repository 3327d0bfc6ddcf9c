/* SPDX-License-Identifier: MIT */
/*
 * What large machines cost: time is in the results of the test runner, memory is checked here.
 */
#include <sys/resource.h>

#include <pgtsim/pgtsim.h>

#include "fixture.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/*
 * The most memory that this process has had so far, bytes. getrusage() alone would not do: what it
 * says begins with the memory of the program that started this one.
 */
static uint64_t peak_memory(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	unsigned long long kib = 0;
	struct rusage usage;
	char line[256];

	while (status && !kib && fgets(line, sizeof(line), status))
		(void)sscanf(line, "VmHWM: %llu kB", &kib);
	if (status)
		fclose(status);
	assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
	return (kib ? kib : (uint64_t)usage.ru_maxrss) * KIB;
}

static struct pgtsim_machine *machine_of(unsigned va, const struct pgtsim_ram *ram)
{
	struct pgtsim_machine_config config;
	struct pgtsim_machine *machine;

	assert_int_equal(pgtsim_machine_config_init(&config, "latest"), 0);
	config.va_bits = va;
	config.ram = ram;
	config.ram_count = 1;
	assert_int_equal(pgtsim_machine_new(&machine, &config), 0);
	return machine;
}

static struct pgtsim_map map_of(const struct pgtsim_machine *machine, uint64_t pa, uint64_t size)
{
	return (struct pgtsim_map){
		.va = machine->layout.linear_start,
		.pa = pa,
		.size = size,
		.attrs = machine->policy.prot[PGTSIM_PROT_TAGGED],
		.table_attrs = machine->policy.linear_table,
		.region = PGTSIM_REGION_LINEAR,
	};
}

/* RAM that nothing uses costs next to nothing. First, because a peak does not go down again. */
static void unused_ram_costs_nothing(void **state)
{
	static const struct pgtsim_ram ram = { RAM_START, RAM_START + 64 * TIB };
	uint64_t before = peak_memory();
	struct pgtsim_machine *machine;
	struct pgtsim_map map;

	(void)state;
	if (SANITIZED)
		skip();
	machine = machine_of(52, &ram);
	map = map_of(machine, 32 * TIB, 4096);
	assert_int_equal(pgtsim_map(&machine->pgt, &map), 0);
	assert_int_equal(machine->tlb.counts.tables_allocated, 5);
	assert_in_range(peak_memory() - before, 0, 32 * MIB - 1);
	pgtsim_machine_free(&machine);
}

/* A terabyte of ptes comes and goes: every table is freed, in 2 GiB of tables and little more. */
static void a_terabyte_of_ptes(void **state)
{
	static const struct pgtsim_ram ram = { RAM_START, RAM_START + 8 * GIB };
	const uint64_t ptes = TIB / 4096, pte_tables = ptes / 512, tables = pte_tables + 1024 + 2;
	struct pgtsim_machine *machine;
	const struct pgtsim_counts *counts;
	struct pgtsim_map map;

	(void)state;
	if (SANITIZED)
		skip();
	machine = machine_of(48, &ram);
	counts = &machine->tlb.counts;
	map = map_of(machine, TIB, TIB);
	assert_int_equal(pgtsim_map(&machine->pgt, &map), 0);
	assert_int_equal(counts->leaves_mapped, ptes);
	assert_int_equal(counts->tables_pte, pte_tables);
	assert_int_equal(counts->tables_pmd, 1024);
	assert_int_equal(counts->tables_pud, 2);
	assert_int_equal(pgtsim_check(&machine->pgt), 0);

	assert_int_equal(pgtsim_unmap_linear(&machine->pgt, map.va, map.size,
					     machine->layout.page_offset, machine->layout.page_end),
			 0);
	assert_int_equal(counts->leaves_cleared, ptes);
	assert_int_equal(counts->tables_freed, tables);
	assert_int_equal(counts->tables_allocated, tables + 1);
	assert_int_equal(counts->tables_pte + counts->tables_pmd + counts->tables_pud, 0);
	assert_int_equal(counts->tlbi_all, 1);
	assert_int_equal(counts->tlbi_leaf, 0);
	assert_int_equal(counts->tlbi_walk, tables);
	assert_int_equal(pgtsim_memory_free_count(machine->memory), 8 * GIB / 4096 - 1);
	assert_int_equal(pgtsim_check(&machine->pgt), 0);
	pgtsim_machine_free(&machine);
	assert_in_range(peak_memory(), 0, 4 * GIB - 1);
}

/* Maps all of an s390's identity mapping, and takes it away. Returns how many tables that took. */
static uint64_t map_identity(unsigned edat)
{
	static const struct pgtsim_ram ram = { 0, GIB };
	struct pgtsim_machine_config config;
	struct pgtsim_machine *machine;
	const struct pgtsim_map map = { .size = 64 * TIB, .region = PGTSIM_REGION_LINEAR };
	uint64_t tables;

	assert_int_equal(pgtsim_machine_config_s390(&config, "s390-6.12"), 0);
	config.va_bits = 53;
	config.edat = (uint8_t)edat;
	config.ram = &ram;
	config.ram_count = 1;
	assert_int_equal(pgtsim_machine_new(&machine, &config), 0);
	assert_int_equal(pgtsim_map(&machine->pgt, &map), 0);
	tables = machine->tlb.counts.tables_allocated;
	assert_int_equal(pgtsim_unmap_linear(&machine->pgt, 0, 64 * TIB, 0, 0), 0);
	assert_int_equal(machine->tlb.counts.tables_freed, tables - 1);
	pgtsim_machine_free(&machine);
	return tables;
}

/* 64 TiB by leaves of 2G take 16 tables below the root; by leaves of 1M a table of 16K for each 2G. */
static void an_identity_mapping(void **state)
{
	uint64_t before = peak_memory();

	(void)state;
	if (SANITIZED)
		skip();
	assert_int_equal(map_identity(2), 1 + 16);
	assert_true(peak_memory() - before < 8 * MIB);
	assert_int_equal(map_identity(1), 1 + 16 + 64 * TIB / (2 * GIB));
	assert_true(peak_memory() - before < 64 * TIB / (2 * GIB) * 16 * KIB + 64 * MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unused_ram_costs_nothing),
		cmocka_unit_test(an_identity_mapping),
		cmocka_unit_test(a_terabyte_of_ptes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
