/* SPDX-License-Identifier: MIT */
/*
 * hotplug: a device of 64 TiB. Checks the host memory that it takes; the test runner shows the
 * time.
 */
#include <sys/resource.h>

#include "hotplug.h"

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

static const struct pgtsim_ram ram = { RAM_START, RAM_START + 4 * GIB };
static const uint64_t start = 64 * TIB, size = 64 * TIB;

/* The most memory that this process has had so far, bytes. */
static uint64_t peak_memory(void)
{
	struct rusage usage;

	assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
	return (uint64_t)usage.ru_maxrss * KIB;
}

static struct pgtsim_machine *huge_machine(const char *profile_name)
{
	struct pgtsim_machine_config config = config_of(profile_name, 4, 52);

	config.ram = &ram;
	config.blocks = true;
	return machine_of(&config);
}

/* An altmap over the pages that the struct pages take: 1 TiB. */
static struct pgtsim_altmap altmap_of(const struct pgtsim_machine *machine)
{
	return altmap_over(machine, start, 0, size / 64 >> 12);
}

static void add_and_remove(struct pgtsim_machine *machine, int level)
{
	struct pgtsim_altmap altmap = altmap_of(machine);
	uint64_t last = start + size - 1;

	assert_int_equal(add_device(machine, start, size, &altmap), 0);
	assert_int_equal(linear_at(machine, last).level, level);
	assert_int_equal(linear_at(machine, last).pa, last);
	assert_int_equal(memmap_at(machine, last).level, PGTSIM_PMD);
	assert_int_equal(memmap_at(machine, last).pa >> 21, (start + TIB - 1) >> 21);
	assert_int_equal(altmap.alloc, altmap.free);
	assert_int_equal(machine->tlb.counts.pages_allocated, 0);
	assert_clean(machine);
	assert_int_equal(remove_memory(machine, start, size), 0);
	assert_int_equal(altmap.alloc, 0);
	assert_clean(machine);
}

/* With 1G blocks for the linear map, and 2M blocks for the memmap in an altmap. */
static void with_1g_blocks(void **state)
{
	static const char *const profiles[] = { "linux-6.12", "latest" };
	uint64_t before = peak_memory();

	(void)state;
	for (size_t i = 0; i < COUNT(profiles); i++) {
		struct pgtsim_machine *machine = huge_machine(profiles[i]);

		add_and_remove(machine, PGTSIM_PUD);
		pgtsim_machine_free(&machine);
	}
	assert_true(peak_memory() - before < 256 * MIB);
}

/* With 2M blocks only: 65,536 tables for the linear map. */
static void with_2m_blocks(void **state)
{
	struct pgtsim_machine *machine = huge_machine("latest");
	uint64_t before = peak_memory();

	(void)state;
	machine->pgt.geo.block[pgtsim_slot(PGTSIM_PUD)] = false;
	add_and_remove(machine, PGTSIM_PMD);
	assert_true(machine->tlb.counts.tables_freed >= 65536);
	pgtsim_machine_free(&machine);
	assert_true(peak_memory() - before < GIB);
}

/* Its memmap in base pages: 2 GiB of tables. With their side records they take less than 3 GiB. */
static void memmap_in_base_pages(void **state)
{
	struct pgtsim_machine *machine = huge_machine("latest");
	struct pgtsim_altmap altmap = altmap_of(machine);
	uint64_t first = pgtsim_page_of_pfn(&machine->vmemmap, start >> 12), end = first + TIB;
	uint64_t before = peak_memory();

	(void)state;
	if (SANITIZED)
		skip();
	assert_int_equal(pgtsim_vmemmap_populate(&machine->vmemmap, first, end, &altmap,
						 PGTSIM_POPULATE_PAGES),
			 0);
	assert_int_equal(altmap.alloc, altmap.free);
	assert_true(machine->tlb.counts.tables_pte >= 2 * GIB / (4 * KIB));
	assert_int_equal(memmap_at(machine, start + size - 1).level, PGTSIM_PTE);
	assert_int_equal(memmap_at(machine, start + size - 1).pa, start + TIB - 64);
	assert_int_equal(pgtsim_vmemmap_free(&machine->vmemmap, first, end, &altmap), 0);
	assert_int_equal(altmap.alloc, 0);
	assert_int_equal(machine->tlb.counts.tables_pte, 0);
	assert_clean(machine);
	pgtsim_machine_free(&machine);
	assert_true(peak_memory() - before < 3 * GIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_1g_blocks),
		cmocka_unit_test(with_2m_blocks),
		cmocka_unit_test(memmap_in_base_pages),
	};

	if (SANITIZED) {
		print_message("skipped: the sanitizer's own memory is too much\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
