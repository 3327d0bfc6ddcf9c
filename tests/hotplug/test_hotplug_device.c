/* SPDX-License-Identifier: MIT */
/*
 * hotplug: device memory, with and without an altmap, in sub-sections, next to other devices.
 */
#include "hotplug.h"

static const unsigned granules[] = { 4, 16, 64 };
static const uint64_t base = UINT64_C(0x100000000);

/* ---- what is mapped ---- */

/* A driver's memory is PAGE_KERNEL, hot-added memory is tagged from 5.14 on, in every release. */
static void attributes(void **state)
{
	static const struct {
		const char *profile;
		unsigned va;
		uint64_t device, memory;
	} rows[] = {
		{ "linux-5.7", 48, 0x713, 0x713 },  { "linux-5.10", 48, 0x703, 0x703 },
		{ "linux-5.14", 48, 0x703, 0x707 }, { "linux-6.1", 48, 0x703, 0x707 },
		{ "linux-6.12", 48, 0x703, 0x707 }, { "linux-6.12", 52, 0x403, 0x407 },
		{ "linux-7.3", 48, 0x703, 0x707 },  { "linux-7.3", 52, 0x403, 0x407 },
	};
	const uint64_t wxn = UINT64_C(0x00e8000000000000);

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(rows); i++) {
		struct pgtsim_machine_config config =
			config_of(rows[i / 2].profile, 4, rows[i / 2].va);
		uint64_t block = i % 2 ? 2 : 0;
		struct pgtsim_machine *machine;

		config.blocks = block;
		machine = machine_of(&config);
		assert_int_equal(add_device(machine, base, 128 * MIB, NULL), 0);
		assert_int_equal(pgtsim_add_memory(&machine->hotplug, base + GIB, 128 * MIB), 0);
		assert_int_equal(linear_at(machine, base).desc,
				 wxn | base | (rows[i / 2].device - block));
		assert_int_equal(linear_at(machine, base + GIB).desc,
				 wxn | (base + GIB) | (rows[i / 2].memory - block));
		assert_clean(machine);
		pgtsim_machine_free(&machine);
	}
}

/* A device of one sub-section, anywhere in a section or across its end: nothing else is mapped. */
static void one_subsection(void **state)
{
	static const uint64_t offsets[] = { 0, 2 * MIB, 126 * MIB, 510 * MIB };

	(void)state;
	for (size_t i = 0; i < COUNT(granules) * COUNT(offsets); i++) {
		struct pgtsim_machine *machine = simple_machine("latest", granules[i / 4]);
		struct pgtsim_machine *twin = simple_machine("latest", granules[i / 4]);
		uint64_t start = base + offsets[i % 4];

		for (uint64_t size = 2 * MIB; size <= 4 * MIB; size += 2 * MIB) {
			assert_int_equal(add_device(machine, start, size, NULL), 0);
			assert_true(pgtsim_section_state(&machine->hotplug, start).present);
			assert_false(pgtsim_section_state(&machine->hotplug, start).early);
			assert_false(pgtsim_section_state(&machine->hotplug, start).online);
			assert_false(linear_is_mapped(machine, start - 1));
			assert_false(linear_is_mapped(machine, start + size));
			assert_clean(machine);
			assert_int_equal(remove_memory(machine, start, size), 0);
			assert_false(pgtsim_section_state(&machine->hotplug, start).present);
			/* Once more, so that the tables that bounds keep are the same in both. */
			assert_int_equal(add_device(twin, base, 2 * MIB, NULL), 0);
			assert_int_equal(remove_memory(twin, base, 2 * MIB), 0);
			assert_same(machine, twin);
		}
		assert_clean(machine);
		pgtsim_machine_free(&machine);
		pgtsim_machine_free(&twin);
	}
}

/* The struct pages of one sub-section take pages of memory, rounded outwards, on each granule. */
static void memmap_of_one_subsection(void **state)
{
	static const struct {
		unsigned kib, struct_page;
		uint64_t pages;
	} rows[] = {
		{ 4, 64, 8 },  { 4, 56, 7 },  { 16, 64, 1 },
		{ 16, 56, 1 }, { 64, 64, 1 }, { 64, 56, 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pgtsim_machine_config config = config_of("latest", rows[i].kib, 48);
		struct pgtsim_machine *machine;

		config.struct_page = rows[i].struct_page;
		machine = machine_of(&config);
		assert_int_equal(add_device(machine, base, 2 * MIB, NULL), 0);
		assert_int_equal(machine->tlb.counts.pages_allocated, rows[i].pages);
		assert_int_equal(remove_memory(machine, base, 2 * MIB), 0);
		assert_int_equal(machine->tlb.counts.pages_freed, rows[i].pages);
		assert_clean(machine);
		pgtsim_machine_free(&machine);
	}
}

/* A device over two and a half sections with struct pages of 56 bytes, which fill no block. */
static void struct_pages_of_56_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(all_profiles) * COUNT(granules); i++) {
		struct pgtsim_machine_config config =
			config_of(all_profiles[i / 3], granules[i % 3], 48);
		struct pgtsim_machine *machine;
		uint64_t section, size;

		config.struct_page = 56;
		machine = machine_of(&config);
		section = machine->hotplug.config.section_size;
		size = 2 * section + section / 2;
		assert_int_equal(add_device(machine, base, size, NULL), 0);
		assert_true(memmap_is_mapped(machine, base + size - 1));
		assert_clean(machine);
		assert_int_equal(remove_memory(machine, base, size), 0);
		assert_false(memmap_is_mapped(machine, base + section));
		assert_int_equal(machine->tlb.counts.pages_freed,
				 machine->tlb.counts.pages_allocated);
		assert_clean(machine);
		pgtsim_machine_free(&machine);
	}
}

/*
 * quirk: with 56 bytes two sections share a block. 6.1 and 6.12 populate part of a section with
 * base pages, find their table where the next, whole section wants the block, and leave it at that.
 */
static void quirk_whole_section_over_base_pages(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(all_profiles); i++) {
		struct pgtsim_machine_config config = config_of(all_profiles[i], 4, 48);
		bool hole = strcmp(all_profiles[i], "linux-6.1") == 0 ||
			    strcmp(all_profiles[i], "linux-6.12") == 0;
		struct pgtsim_machine *machine;

		config.struct_page = 56;
		machine = machine_of(&config);
		assert_int_equal(add_device(machine, base + 2 * MIB, 254 * MIB, NULL), 0);
		assert_int_equal(pgtsim_check_machine(machine), hole);
		assert_int_equal(found(machine, PGTSIM_V_MEMMAP_HOLE), hole);
		pgtsim_machine_free(&machine);
	}
}

/* ---- altmap ---- */

/*
 * What a device costs boot memory: tables, and without an altmap its memmap. With one all of that
 * comes from the device, in ascending order from its first page, and goes back to it.
 */
static void altmap_holds_the_memmap(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * COUNT(granules); i++) {
		struct pgtsim_machine *machine =
			simple_machine(i % 2 ? "latest" : "linux-6.1", granules[i / 2]);
		const struct pgtsim_counts *counts = &machine->tlb.counts;
		uint64_t pages = (GIB >> machine->geo.page_shift) * 64 >> machine->geo.page_shift;
		struct pgtsim_altmap altmap = altmap_over(machine, base, 0, pages);

		assert_int_equal(add_device(machine, base, GIB, &altmap), 0);
		assert_int_equal(altmap.alloc, pages);
		assert_int_equal(altmap.align, 0);
		assert_int_equal(counts->pages_allocated, 0);
		assert_int_equal(counts->altmap_allocated, pages);
		assert_int_equal(memmap_at(machine, base).pa, base);
		assert_int_equal(memmap_at(machine, base + GIB - 1).pa & -MIB,
				 (base + (pages << machine->geo.page_shift) - 1) & -MIB);
		assert_int_equal(pgtsim_memory_ram_count(machine->memory) -
					 pgtsim_memory_free_count(machine->memory),
				 counts->tables_allocated);
		assert_clean(machine);
		assert_int_equal(remove_memory(machine, base, GIB), 0);
		assert_int_equal(altmap.alloc, 0);
		assert_int_equal(counts->altmap_freed, pages);
		assert_clean(machine);

		assert_int_equal(add_device(machine, base, GIB, NULL), 0);
		assert_int_equal(counts->pages_allocated, pages);
		pgtsim_machine_free(&machine);
	}
}

/* 5.7 ignores an altmap: nothing is taken from it. */
static void altmap_before_there_were_any(void **state)
{
	struct pgtsim_machine *machine = simple_machine("linux-5.7", 4);
	struct pgtsim_altmap altmap = altmap_over(machine, base, 0, 512);

	(void)state;
	assert_int_equal(add_device(machine, base, 128 * MIB, &altmap), 0);
	assert_int_equal(altmap.alloc, 0);
	assert_int_equal(machine->tlb.counts.pages_allocated, 512);
	assert_int_equal(remove_memory(machine, base, 128 * MIB), 0);
	assert_int_equal(altmap.alloc, 0);
	assert_clean(machine);
	pgtsim_machine_free(&machine);
}

/* Pages at the start are the driver's own: the memmap begins behind them, at a block's boundary. */
static void altmap_reserve(void **state)
{
	static const struct {
		unsigned kib;
		uint64_t offset, align; /* of the first struct page's memory; pages lost */
	} rows[] = { { 4, 2 * MIB, 509 }, { 16, 3 * 16 * KIB, 0 }, { 64, 3 * 64 * KIB, 0 } };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pgtsim_machine *machine = simple_machine("latest", rows[i].kib);
		uint64_t section = machine->hotplug.config.section_size;
		struct pgtsim_altmap altmap = altmap_over(machine, base, 3, 1021);

		assert_int_equal(add_device(machine, base, section, &altmap), 0);
		assert_int_equal(memmap_at(machine, base).pa, base + rows[i].offset);
		assert_int_equal(altmap.align, rows[i].align);
		assert_clean(machine);
		assert_int_equal(remove_memory(machine, base, section), 0);
		assert_int_equal(altmap.alloc, 0);
		assert_int_equal(altmap.align, rows[i].align);
		assert_clean(machine);
		pgtsim_machine_free(&machine);
	}
}

/* An altmap is refused for memory that is no device, and if it does not begin where the device does or
 * is larger. */
static void altmap_that_does_not_fit(void **state)
{
	struct pgtsim_machine *machine = simple_machine("latest", 4);
	struct pgtsim_machine *twin = simple_machine("latest", 4);
	uint64_t pages = 128 * MIB >> 12, first = base >> 12;
	const struct pgtsim_altmap bad[] = {
		{ .base = first + 1, .free = 512 },
		{ .base = first - 1, .free = 512 },
		{ .base = first, .reserve = pages + 1 },
		{ .base = first, .reserve = 1, .free = pages },
		{ .base = first, .free = pages + 1 },
		{ .base = first, .free = UINT64_MAX },
		{ .base = first, .reserve = UINT64_MAX, .free = 2 },
	};
	struct pgtsim_altmap good = { .base = first, .reserve = pages - 1024, .free = 1024 };
	struct pgtsim_add add = { .start = base, .size = 128 * MIB, .altmap = &good };

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct pgtsim_altmap altmap = bad[i];

		assert_int_equal(add_device(machine, base, 128 * MIB, &altmap), -EINVAL);
		assert_memory_equal(&altmap, &bad[i], sizeof(altmap));
	}
	assert_int_equal(pgtsim_add_range(&machine->hotplug, &add), -EINVAL);
	add.device = add.memmap_on_memory = true;
	assert_int_equal(pgtsim_add_range(&machine->hotplug, &add), -EINVAL);
	assert_same(machine, twin);
	add.memmap_on_memory = false;
	assert_int_equal(pgtsim_add_range(&machine->hotplug, &add), 0);
	assert_clean(machine);
	pgtsim_machine_free(&machine);
	pgtsim_machine_free(&twin);
}

/*
 * An altmap with room for one block and a bit, for two sections: most releases give up and leave
 * nothing; 5.14 and 6.1 go on with base pages until those are used up as well.
 */
static void altmap_that_is_used_up(void **state)
{
	static const struct {
		const char *profile;
		uint64_t reserve, pages; /* the first block takes up to a boundary, and 512 pages */
		int ret;
	} rows[] = {
		{ "linux-5.7", 0, 0, 0 },           { "linux-5.10", 0, 1023, -ENOMEM },
		{ "linux-5.14", 0, 1023, -ENOMEM }, { "linux-6.1", 0, 1023, -ENOMEM },
		{ "linux-6.12", 0, 1023, -ENOMEM }, { "latest", 0, 1023, -ENOMEM },
		{ "linux-5.10", 1, 1534, -ENOMEM }, { "linux-6.1", 1, 1534, -ENOMEM },
		{ "linux-6.12", 1, 1534, -ENOMEM }, { "latest", 1, 1534, -ENOMEM },
		{ "linux-6.12", 0, 1024, 0 },       { "linux-6.12", 1, 1535, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pgtsim_machine *machine = simple_machine(rows[i].profile, 4);
		struct pgtsim_machine *twin = simple_machine(rows[i].profile, 4);
		struct pgtsim_altmap altmap =
			altmap_over(machine, base, rows[i].reserve, rows[i].pages);
		struct pgtsim_altmap before = altmap;

		/* The error path of 5.14 has a defect of its own: B7. */
		machine->policy.error_path = PGTSIM_ERROR_PATH_ALTMAP;
		assert_int_equal(add_device(machine, base, 256 * MIB, &altmap), rows[i].ret);
		if (rows[i].ret) {
			assert_memory_equal(&altmap, &before, sizeof(altmap));
			assert_same(machine, twin);
		}
		if (rows[i].reserve && rows[i].ret)
			assert_true(found(machine, PGTSIM_V_ALTMAP_LOST_PADDING));
		else
			assert_clean(machine);
		pgtsim_machine_free(&machine);
		pgtsim_machine_free(&twin);
	}
}

/* B7: when an add fails, 5.14 frees the memmap that came from the altmap to the page allocator. */
static void error_path_frees_to_the_page_allocator(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(all_profiles); i++) {
		struct pgtsim_machine *machine = simple_machine(all_profiles[i], 4);
		bool defect = strcmp(all_profiles[i], "linux-5.14") == 0;
		struct pgtsim_altmap altmap = altmap_over(machine, base, 0, 512);
		bool ignored = strcmp(all_profiles[i], "linux-5.7") == 0;

		assert_int_equal(add_device(machine, base, 256 * MIB, &altmap),
				 ignored ? 0 : -ENOMEM);
		assert_int_equal(found(machine, PGTSIM_V_NOT_RAM), defect);
		assert_int_equal(machine->tlb.counts.violations > 0, defect);
		pgtsim_machine_free(&machine);
	}
}

/* With 5.14 and 6.1 an altmap that no aligned block fits into gives base pages, to the last. */
static void altmap_in_base_pages(void **state)
{
	static const char *const profiles[] = { "linux-5.14", "linux-6.1", "linux-6.12" };

	(void)state;
	for (size_t i = 0; i < COUNT(profiles); i++) {
		struct pgtsim_machine *machine = simple_machine(profiles[i], 4);
		struct pgtsim_altmap altmap = altmap_over(machine, base, 1, 512);
		bool pages = !later_than(profiles[i], "linux-6.1");

		assert_int_equal(add_device(machine, base, 128 * MIB, &altmap),
				 pages ? 0 : -ENOMEM);
		assert_int_equal(altmap.alloc, pages ? 512 : 0);
		if (pages) {
			assert_int_equal(memmap_at(machine, base).pa, base + 4 * KIB);
			assert_int_equal(memmap_at(machine, base).level, PGTSIM_PTE);
			assert_int_equal(remove_memory(machine, base, 128 * MIB), 0);
			assert_int_equal(altmap.alloc, 0);
		}
		assert_clean(machine);
		pgtsim_machine_free(&machine);
	}
}

/* ---- neighbours ---- */

/*
 * Two devices in one section of the 4K granule. Up to 5.14 one block holds the struct pages of
 * both, and goes with the first of them: B4. Later releases use base pages.
 */
static void two_devices_in_one_section(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(all_profiles); i++) {
		struct pgtsim_machine *machine = simple_machine(all_profiles[i], 4);
		bool lost = !later_than(all_profiles[i], "linux-5.14");

		assert_int_equal(add_device(machine, base, 64 * MIB, NULL), 0);
		assert_int_equal(add_device(machine, base + 64 * MIB, 64 * MIB, NULL), 0);
		assert_clean(machine);
		assert_int_equal(remove_memory(machine, base, 64 * MIB), 0);
		assert_true(linear_is_mapped(machine, base + 64 * MIB));
		assert_int_equal(memmap_is_mapped(machine, base + 64 * MIB), !lost);
		assert_int_equal(pgtsim_check_machine(machine), lost);
		assert_int_equal(found(machine, PGTSIM_V_MEMMAP_HOLE), lost);
		assert_true(pgtsim_section_state(&machine->hotplug, base).present);
		assert_int_equal(remove_memory(machine, base + 64 * MIB, 64 * MIB), 0);
		assert_false(pgtsim_section_state(&machine->hotplug, base).present);
		assert_int_equal(pgtsim_check_machine(machine), 0);
		pgtsim_machine_free(&machine);
	}
}

/*
 * quirk: 2 MiB are less than the memory that one page of struct pages describes with 16K and
 * 64K, so that the page is shared in every release, and goes with the first of two neighbours.
 */
static void quirk_neighbours_share_a_page(void **state)
{
	static const struct {
		unsigned kib;
		uint64_t apart; /* the smallest distance at which they share nothing */
	} rows[] = { { 4, 2 * MIB }, { 16, 4 * MIB }, { 64, 64 * MIB } };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (uint64_t apart = 2 * MIB; apart <= 64 * MIB; apart *= 2) {
			struct pgtsim_machine *machine = simple_machine("latest", rows[i].kib);
			bool lost = apart < rows[i].apart;

			assert_int_equal(add_device(machine, base, 2 * MIB, NULL), 0);
			assert_int_equal(add_device(machine, base + apart, 2 * MIB, NULL), 0);
			assert_clean(machine);
			assert_int_equal(remove_memory(machine, base + apart, 2 * MIB), 0);
			assert_int_equal(pgtsim_check_machine(machine), lost);
			assert_int_equal(found(machine, PGTSIM_V_MEMMAP_HOLE), lost);
			pgtsim_machine_free(&machine);
		}
	}
}

/* A failed add leaves a neighbour alone with which its struct pages would have shared a block. */
static void failure_spares_the_neighbour(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(all_profiles) * COUNT(granules); i++) {
		struct pgtsim_machine_config config =
			config_of(all_profiles[i / 3], granules[i % 3], 48);
		struct pgtsim_machine *machine = machine_of(&config), *twin = machine_of(&config);
		uint64_t section = machine->hotplug.config.section_size, size = 2 * section;
		int ret = -ENOMEM;

		assert_int_equal(add_device(machine, base, 2 * MIB, NULL), 0);
		assert_int_equal(add_device(twin, base, 2 * MIB, NULL), 0);
		for (uint64_t nth = 1; ret; nth++) {
			pgtsim_memory_fail(machine->memory, nth, true);
			ret = add_device(machine, base + 2 * MIB, size, NULL);
			pgtsim_memory_fail(machine->memory, 0, false);
			if (ret)
				assert_same(machine, twin);
		}
		assert_clean(machine);
		pgtsim_machine_free(&machine);
		pgtsim_machine_free(&twin);
	}
}

/* ---- early sections ---- */

/*
 * Boot memory does not fill its section. What is added behind it shares the memmap that has been
 * there since boot: adding populates nothing, not even from an altmap, and removing frees nothing.
 */
static void rest_of_an_early_section(void **state)
{
	static const struct pgtsim_ram ram = { RAM_START, RAM_START + 192 * MIB };

	(void)state;
	for (size_t i = 0; i < COUNT(all_profiles) * COUNT(granules); i++) {
		struct pgtsim_machine_config config =
			config_of(all_profiles[i / 3], granules[i % 3], 48);
		struct pgtsim_machine *machine;
		struct pgtsim_altmap altmap;
		struct pgtsim_counts before;

		config.ram = &ram;
		config.boot = true;
		machine = machine_of(&config);
		altmap = altmap_over(machine, ram.end, 0, 16);
		before = machine->tlb.counts;
		assert_true(memmap_is_mapped(machine, ram.end));
		assert_int_equal(add_device(machine, ram.end, 64 * MIB, &altmap), 0);
		assert_true(linear_is_mapped(machine, ram.end));
		assert_int_equal(machine->tlb.counts.pages_allocated, before.pages_allocated);
		assert_int_equal(altmap.alloc, 0);
		assert_true(pgtsim_section_state(&machine->hotplug, ram.end).early);
		assert_clean(machine);
		assert_int_equal(remove_memory(machine, ram.end, 64 * MIB), 0);
		assert_false(linear_is_mapped(machine, ram.end));
		assert_true(memmap_is_mapped(machine, ram.end));
		assert_true(memmap_is_mapped(machine, RAM_START));
		assert_int_equal(machine->tlb.counts.pages_freed, before.pages_freed);
		assert_int_equal(altmap.alloc, 0);
		assert_true(pgtsim_section_state(&machine->hotplug, ram.end).early);
		assert_clean(machine);
		pgtsim_machine_free(&machine);
	}
}

/* A device that begins in an early section and goes on in the next one populates only there. */
static void from_an_early_section_on(void **state)
{
	static const struct pgtsim_ram ram = { RAM_START, RAM_START + 64 * MIB };
	struct pgtsim_machine_config config = config_of("latest", 4, 48);
	struct pgtsim_machine *machine, *twin;

	(void)state;
	config.ram = &ram;
	config.boot = true;
	machine = machine_of(&config);
	twin = machine_of(&config);
	assert_int_equal(add_device(machine, ram.end, 192 * MIB, NULL), 0);
	assert_int_equal(machine->tlb.counts.pages_allocated, 512);
	assert_clean(machine);
	assert_int_equal(remove_memory(machine, ram.end, 192 * MIB), 0);
	assert_int_equal(machine->tlb.counts.pages_freed, 512);
	assert_same(machine, twin);
	assert_clean(machine);
	pgtsim_machine_free(&machine);
	pgtsim_machine_free(&twin);
}

/* Adds a device with each allocation failing in turn, on one of two machines that are the same. */
static void fail_device(struct pgtsim_machine *machine, const struct pgtsim_machine *twin,
			uint64_t start, uint64_t size)
{
	int ret = -ENOMEM;

	for (uint64_t nth = 1; ret; nth++) {
		pgtsim_memory_fail(machine->memory, nth, true);
		ret = add_device(machine, start, size, NULL);
		pgtsim_memory_fail(machine->memory, 0, false);
		if (ret)
			assert_same(machine, twin);
	}
	assert_clean(machine);
}

/* A device with an end in an early section that fails to be added leaves boot's memmap alone. */
static void failure_spares_early_sections(void **state)
{
	static const struct pgtsim_ram two[] = { { RAM_START, RAM_START + 64 * MIB },
						 { 5 * GIB + 64 * MIB, 5 * GIB + 128 * MIB } };

	(void)state;
	for (size_t i = 0; i < COUNT(all_profiles) * COUNT(granules) * 2; i++) {
		struct pgtsim_machine_config config =
			config_of(all_profiles[i / 6], granules[i / 2 % 3], 48);
		struct pgtsim_machine *machine, *twin;
		uint64_t section;

		config.ram = two;
		config.ram_count = COUNT(two);
		config.boot = config.blocks = true;
		config.struct_page = i % 2 ? 56 : 64;
		machine = machine_of(&config);
		twin = machine_of(&config);
		section = machine->hotplug.config.section_size;
		fail_device(machine, twin, two[0].end, 2 * section - 64 * MIB);
		assert_true(memmap_is_mapped(machine, RAM_START + section - 1));
		pgtsim_machine_free(&machine);
		machine = machine_of(&config);
		fail_device(machine, twin, 5 * GIB - section, section + 64 * MIB);
		assert_true(memmap_is_mapped(machine, 5 * GIB));
		pgtsim_machine_free(&machine);
		pgtsim_machine_free(&twin);
	}
}

/* A device's pages in an early section are not online, and no part of the zone as boot's are. */
static void device_in_an_early_section_is_in_no_zone(void **state)
{
	static const struct pgtsim_ram ram = { RAM_START, RAM_START + 64 * MIB };
	struct pgtsim_machine_config config = config_of("latest", 4, 48);
	struct pgtsim_machine *machine;
	struct pgtsim_zone_state zone;

	(void)state;
	config.ram = &ram;
	machine = machine_of(&config);
	assert_int_equal(add_device(machine, ram.end, 2 * MIB, NULL), 0);
	assert_int_equal(machine->tlb.counts.pages_allocated, 0);
	assert_false(memmap_is_mapped(machine, ram.end)); /* nothing was built at boot */
	assert_int_equal(pgtsim_add_memory(&machine->hotplug, base, 128 * MIB), 0);
	assert_int_equal(
		pgtsim_online_memory(&machine->hotplug, base, 128 * MIB, PGTSIM_ZONE_NORMAL), 0);
	assert_int_equal(pgtsim_offline_memory(&machine->hotplug, base, 128 * MIB), 0);
	zone = pgtsim_zone_state(&machine->hotplug, 0, PGTSIM_ZONE_NORMAL);
	assert_int_equal(zone.start_pfn, RAM_START >> 12);
	assert_int_equal(zone.spanned, 64 * MIB >> 12);
	assert_true(pgtsim_pfn_is_online(&machine->hotplug, (ram.end - 1) >> 12));
	assert_false(pgtsim_pfn_is_online(&machine->hotplug, ram.end >> 12));
	pgtsim_machine_free(&machine);
}

/* ---- what is refused ---- */

/* Bad ranges, overlaps, going online or offline, and removing anything but the whole device. */
static void refusals(void **state)
{
	struct pgtsim_machine *machine = simple_machine("latest", 4);
	struct pgtsim_machine *twin = simple_machine("latest", 4);
	struct pgtsim_hotplug *hotplug = &machine->hotplug;
	const struct pgtsim_add far_node = { base, 2 * MIB, PGTSIM_NODES, false, true, NULL };
	uint64_t size = 128 * MIB, end = machine->layout.memstart + (UINT64_C(1) << 47);

	(void)state;
	assert_int_equal(add_device(machine, base, size, NULL), 0);
	assert_int_equal(add_device(twin, base, size, NULL), 0);
	assert_int_equal(add_device(machine, base + size, 0, NULL), -EINVAL);
	assert_int_equal(add_device(machine, base + size, MIB, NULL), -EINVAL);
	assert_int_equal(add_device(machine, base + size + MIB, 2 * MIB, NULL), -EINVAL);
	assert_int_equal(add_device(machine, -2 * MIB, 4 * MIB, NULL), -EINVAL);
	assert_int_equal(pgtsim_add_range(hotplug, &far_node), -EINVAL);
	assert_int_equal(add_device(machine, end, 2 * MIB, NULL), -E2BIG);
	assert_int_equal(add_device(machine, end - 2 * MIB, 4 * MIB, NULL), -E2BIG);
	assert_int_equal(add_device(machine, 0, 2 * MIB, NULL), -E2BIG);
	assert_int_equal(add_device(machine, base, size, NULL), -EEXIST);
	assert_int_equal(add_device(machine, base + size - 2 * MIB, 4 * MIB, NULL), -EEXIST);
	assert_int_equal(add_device(machine, base - 2 * MIB, 4 * MIB, NULL), -EEXIST);
	assert_int_equal(add_device(machine, RAM_START, 2 * MIB, NULL), -EEXIST);
	assert_int_equal(pgtsim_add_memory(hotplug, base, size), -EEXIST);
	assert_int_equal(pgtsim_online_memory(hotplug, base, size, PGTSIM_ZONE_NORMAL), -EINVAL);
	assert_int_equal(pgtsim_offline_memory(hotplug, base, size), -EINVAL);
	assert_int_equal(remove_memory(machine, base, size / 2), -EINVAL);
	assert_int_equal(remove_memory(machine, base, 2 * size), -EINVAL);
	assert_int_equal(remove_memory(machine, base + 2 * MIB, size - 2 * MIB), -EINVAL);
	assert_same(machine, twin);
	assert_int_equal(remove_memory(machine, base, size), 0);
	assert_int_equal(remove_memory(machine, base, size), -EINVAL);
	assert_clean(machine);
	pgtsim_machine_free(&machine);
	pgtsim_machine_free(&twin);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attributes),
		cmocka_unit_test(one_subsection),
		cmocka_unit_test(memmap_of_one_subsection),
		cmocka_unit_test(struct_pages_of_56_bytes),
		cmocka_unit_test(quirk_whole_section_over_base_pages),
		cmocka_unit_test(altmap_holds_the_memmap),
		cmocka_unit_test(altmap_before_there_were_any),
		cmocka_unit_test(altmap_reserve),
		cmocka_unit_test(altmap_that_does_not_fit),
		cmocka_unit_test(altmap_that_is_used_up),
		cmocka_unit_test(error_path_frees_to_the_page_allocator),
		cmocka_unit_test(altmap_in_base_pages),
		cmocka_unit_test(two_devices_in_one_section),
		cmocka_unit_test(quirk_neighbours_share_a_page),
		cmocka_unit_test(failure_spares_the_neighbour),
		cmocka_unit_test(rest_of_an_early_section),
		cmocka_unit_test(from_an_early_section_on),
		cmocka_unit_test(failure_spares_early_sections),
		cmocka_unit_test(device_in_an_early_section_is_in_no_zone),
		cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
