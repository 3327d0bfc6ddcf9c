/* SPDX-License-Identifier: MIT */
/*
 * machine: where the kernel puts its regions, what a configuration may say, boot memory,
 * /proc/iomem, and which tables the bounds of the regions leave behind.
 */
#include <pgtsim/pgtsim.h>

#include "fixture.h"

/* ---- machines ---- */

static struct pgtsim_machine_config config_of(const char *profile_name, unsigned kib, unsigned va)
{
	struct pgtsim_machine_config config;

	assert_int_equal(pgtsim_machine_config_init(&config, profile_name), 0);
	config.granule = (uint32_t)kib << 10;
	config.va_bits = va;
	return config;
}

static struct pgtsim_machine *machine_of(const struct pgtsim_machine_config *config)
{
	struct pgtsim_machine *machine;

	assert_int_equal(pgtsim_machine_new(&machine, config), 0);
	assert_non_null(machine);
	return machine;
}

static bool can_run(const struct pgtsim_machine_config *config)
{
	return config->va_bits != 52 || config->granule == 65536 || config->policy.lpa2;
}

static uint64_t live_tables(const struct pgtsim_counts *counts)
{
	return counts->tables_pgd + counts->tables_p4d + counts->tables_pud + counts->tables_pmd +
	       counts->tables_pte;
}

/* Fails unless every counter but those of the live tables is 0, and one table was allocated. */
static void assert_uncounted(const struct pgtsim_counts *counts)
{
	size_t n;
	const struct pgtsim_counter *counters = pgtsim_counters(&n);

	for (size_t i = 0; i < n; i++) {
		uint64_t value = pgtsim_counter_value(counts, &counters[i]);

		if (!strcmp(counters[i].name, "tables.allocated"))
			assert_int_equal(value, 1);
		else if (strncmp(counters[i].name, "tables.p", 8) != 0 && value)
			fail_msg("%s: %llu", counters[i].name, (unsigned long long)value);
	}
}

/* ---- the kernel's layout ---- */

struct layout_case {
	unsigned kib, va;
	uint64_t page_offset, page_end;
	uint64_t start_57;         /* 5.7 and 5.10; END is -2M. 0: there is no such kernel */
	uint64_t start_61, end_61; /* 5.14 and 6.1 */
	uint64_t start_612;        /* 6.12 and 7.3; END is -1G */
};

#define A(high, low) (UINT64_C(0x##high) << 32 | UINT64_C(0x##low))

static const struct layout_case layouts[] = {
	{ 4, 39, A(ffffff80, 00000000), A(ffffffc0, 00000000), A(fffffffe, ffe00000),
	  A(fffffffe, 00000000), A(ffffffff, 00000000), A(fffffffe, c0000000) },
	{ 4, 48, A(ffff0000, 00000000), A(ffff8000, 00000000), A(fffffdff, ffe00000),
	  A(fffffc00, 00000000), A(fffffe00, 00000000), A(fffffdff, c0000000) },
	{ 4, 52, A(fff00000, 00000000), A(ffff8000, 00000000), 0, 0, 0, A(ffffc1ff, c0000000) },
	{ 16, 36, A(fffffff0, 00000000), A(fffffff8, 00000000), A(ffffffff, f7e00000),
	  A(ffffffff, f0000000), A(ffffffff, f8000000), A(ffffffff, b8000000) },
	{ 16, 47, A(ffff8000, 00000000), A(ffffc000, 00000000), A(ffffffbf, ffe00000),
	  A(ffffff80, 00000000), A(ffffffc0, 00000000), A(ffffffbf, c0000000) },
	{ 16, 48, A(ffff0000, 00000000), A(ffff8000, 00000000), A(ffffff7f, ffe00000),
	  A(ffffff00, 00000000), A(ffffff80, 00000000), A(ffffff7f, c0000000) },
	{ 16, 52, A(fff00000, 00000000), A(ffffc000, 00000000), 0, 0, 0, A(fffff03f, c0000000) },
	{ 64, 42, A(fffffc00, 00000000), A(fffffe00, 00000000), A(ffffffff, 7fe00000),
	  A(ffffffff, 00000000), A(ffffffff, 80000000), A(ffffffff, 40000000) },
	{ 64, 48, A(ffff0000, 00000000), A(ffff8000, 00000000), A(ffffffdf, ffe00000),
	  A(ffffffc0, 00000000), A(ffffffe0, 00000000), A(ffffffdf, c0000000) },
	{ 64, 52, A(fff00000, 00000000), A(ffff8000, 00000000), A(fffffc1f, ffe00000),
	  A(fffffc00, 00000000), A(ffffffe0, 00000000), A(fffffc1f, c0000000) },
};

static void check_layout(const struct layout_case *c, const char *profile_name, uint64_t start,
			 uint64_t end)
{
	struct pgtsim_machine_config config = config_of(profile_name, c->kib, c->va);
	struct pgtsim_machine *machine = (void *)1;
	const struct pgtsim_layout *layout;

	if (!start) {
		assert_int_equal(pgtsim_machine_new(&machine, &config), -EINVAL);
		assert_null(machine);
		return;
	}
	machine = machine_of(&config);
	layout = &machine->layout;
	assert_int_equal(layout->page_offset, c->page_offset);
	assert_int_equal(layout->linear_start, c->page_offset);
	assert_int_equal(layout->page_end, c->page_end);
	assert_int_equal(layout->vmemmap_start, start);
	assert_int_equal(layout->vmemmap_end, end);
	assert_int_equal(layout->memstart, RAM_START);
	assert_int_equal(layout->vmemmap, start - (RAM_START / (c->kib * KIB)) * 64);
	assert_int_equal(pgtsim_linear(layout, RAM_START), c->page_offset);
	pgtsim_machine_free(&machine);
}

/* The regions are where each release of Linux puts them; a kernel there is not is refused. */
static void layout_is_linux(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(layouts); i++) {
		const struct layout_case *c = &layouts[i];

		check_layout(c, "linux-5.7", c->start_57, -2 * MIB);
		check_layout(c, "linux-5.10", c->start_57, -2 * MIB);
		check_layout(c, "linux-5.14", c->start_61, c->end_61);
		check_layout(c, "linux-6.1", c->start_61, c->end_61);
		check_layout(c, "linux-6.12", c->start_612, -GIB);
		check_layout(c, "linux-7.3", c->start_612, -GIB);
		check_layout(c, "latest", c->start_612, -GIB);
	}
}

/* What real kernels said of themselves (`info` in tests/data/recordings), RAM from 1G on. */
static void layout_is_the_recorded_one(void **state)
{
	static const struct {
		const char *profile;
		unsigned kib, va, actual;
		uint64_t page_offset, page_end, memstart, start, vmemmap;
	} cases[] = {
		{ "linux-6.1", 4, 48, 0, A(ffff0000, 00000000), A(ffff8000, 00000000),
		  A(0, 40000000), A(fffffc00, 00000000), A(fffffbff, ff000000) },
		{ "linux-6.12", 4, 39, 0, A(ffffff80, 00000000), A(ffffffc0, 00000000),
		  A(0, 40000000), A(fffffffe, c0000000), A(fffffffe, bf000000) },
		{ "linux-6.12", 4, 52, 48, A(fff00000, 00000000), A(ffff8000, 00000000),
		  A(fff10000, 40000000), A(ffffc1ff, c0000000), A(fffffdff, bf000000) },
		{ "linux-6.12", 16, 52, 47, A(fff00000, 00000000), A(ffffc000, 00000000),
		  A(fff08000, 40000000), A(fffff03f, c0000000), A(ffffffbf, bfc00000) },
		{ "linux-6.12", 64, 52, 48, A(fff00000, 00000000), A(ffff8000, 00000000),
		  A(fff10000, 40000000), A(fffffc1f, c0000000), A(ffffffdf, bff00000) },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct pgtsim_machine_config config =
			config_of(cases[i].profile, cases[i].kib, cases[i].va);
		struct pgtsim_machine *machine;
		const struct pgtsim_layout *layout;

		config.va_actual = cases[i].actual;
		machine = machine_of(&config);
		layout = &machine->layout;
		assert_int_equal(layout->page_offset, cases[i].page_offset);
		assert_int_equal(layout->page_end, cases[i].page_end);
		assert_int_equal(layout->memstart, cases[i].memstart);
		assert_int_equal(layout->vmemmap_start, cases[i].start);
		assert_int_equal(layout->vmemmap, cases[i].vmemmap);
		assert_int_equal(pgtsim_linear(layout, RAM_START), pgtsim_va_start(&machine->geo));
		assert_int_equal(layout->linear_start, pgtsim_va_start(&machine->geo));
		pgtsim_machine_free(&machine);
	}
}

/* The start of the linear map is RAM rounded down to 1G, or 512M with 64K pages. */
static void memstart_is_rounded_down(void **state)
{
	static const struct pgtsim_ram ram[] = { { A(1, 40000000), A(1, 50000000) },
						 { A(0, b0000000), A(0, c0000000) } };
	static const struct {
		unsigned kib;
		uint64_t memstart;
	} cases[] = { { 4, A(0, 80000000) }, { 16, A(0, 80000000) }, { 64, A(0, a0000000) } };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct pgtsim_machine_config config = config_of("latest", cases[i].kib, 48);
		struct pgtsim_machine *machine;

		config.ram = ram;
		config.ram_count = COUNT(ram);
		machine = machine_of(&config);
		assert_int_equal(machine->layout.memstart, cases[i].memstart);
		pgtsim_machine_free(&machine);
	}
}

/* 56-byte struct pages make the region smaller from 6.12 on, and move only its base before. */
static void small_struct_pages(void **state)
{
	static const struct {
		const char *profile;
		uint64_t start, end, vmemmap;
	} cases[] = {
		{ "linux-5.10", A(fffffdff, ffe00000), A(ffffffff, ffe00000),
		  A(fffffdff, ff000000) },
		{ "linux-6.1", A(fffffc00, 00000000), A(fffffe00, 00000000),
		  A(fffffbff, ff200000) },
		{ "linux-6.12", A(fffffe3f, c0000000), A(ffffffff, c0000000),
		  A(fffffe3f, bf200000) },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct pgtsim_machine_config config = config_of(cases[i].profile, 4, 48);
		struct pgtsim_machine *machine;

		config.struct_page = 56;
		machine = machine_of(&config);
		assert_int_equal(machine->layout.vmemmap_start, cases[i].start);
		assert_int_equal(machine->layout.vmemmap_end, cases[i].end);
		assert_int_equal(machine->layout.vmemmap, cases[i].vmemmap);
		assert_int_equal(machine->vmemmap.struct_page, 56);
		pgtsim_machine_free(&machine);
	}
}

/* A range gets the bounds of the region that holds all of it, and none if there is no such. */
static void bounds_are_the_regions(void **state)
{
	struct pgtsim_machine_config config = config_of("latest", 4, 48);
	struct pgtsim_machine *machine = machine_of(&config);
	const struct pgtsim_layout *l = &machine->layout;
	const struct {
		uint64_t start, end, floor, ceiling;
	} cases[] = {
		{ l->page_offset, l->page_offset + 1, l->page_offset, l->page_end },
		{ l->page_offset, l->page_end, l->page_offset, l->page_end },
		{ l->page_end - 1, l->page_end, l->page_offset, l->page_end },
		{ l->page_end - 1, l->page_end + 1, 0, 0 },
		{ l->page_end, l->page_end + 1, 0, 0 },
		{ l->vmemmap_start, l->vmemmap_end, l->vmemmap_start, l->vmemmap_end },
		{ l->vmemmap_start - 1, l->vmemmap_end, 0, 0 },
		{ l->vmemmap_start, l->vmemmap_end + 1, 0, 0 },
		{ l->vmemmap_end, 0, 0, 0 },
		{ l->vmemmap_start, 0, 0, 0 },
		{ l->page_offset, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t floor = 1, ceiling = 1;

		pgtsim_machine_bounds(machine, cases[i].start, cases[i].end, &floor, &ceiling);
		assert_int_equal(floor, cases[i].floor);
		assert_int_equal(ceiling, cases[i].ceiling);
	}
	pgtsim_machine_free(&machine);
}

/* ---- configurations ---- */

static void check_new_machine(const struct pgtsim_machine_config *config)
{
	struct pgtsim_machine *machine = machine_of(config);

	assert_uncounted(&machine->tlb.counts);
	assert_int_equal(live_tables(&machine->tlb.counts), 1);
	assert_int_equal(machine->tlb.counts.tables_pgd, 1);
	assert_int_equal(machine->pgt.root->live, 0);
	assert_int_equal(pgtsim_memory_free_count(machine->memory),
			 pgtsim_memory_ram_count(machine->memory) - 1);
	assert_int_equal(pgtsim_check(&machine->pgt), 0);
	pgtsim_machine_free(&machine);
	assert_null(machine);
}

/* Every regime that a profile's kernel can run makes a machine in which nothing was counted. */
static void every_regime_of_every_profile(void **state)
{
	size_t regimes;
	const struct pgtsim_regime *regime = pgtsim_regimes(&regimes);
	unsigned created = 0;

	(void)state;
	for (size_t i = 0; i < regimes * COUNT(all_profiles); i++) {
		const struct pgtsim_regime *r = &regime[i / COUNT(all_profiles)];
		struct pgtsim_machine_config config =
			config_of(all_profiles[i % COUNT(all_profiles)], 1u << (r->page_shift - 10),
				  r->va_bits);
		struct pgtsim_machine *machine;

		for (int without_52 = 0; without_52 < 2; without_52++) {
			config.va_actual = without_52 ? r->va_bits_without_52 : 0;
			if (can_run(&config)) {
				check_new_machine(&config);
				created++;
			} else {
				assert_int_equal(pgtsim_machine_new(&machine, &config), -EINVAL);
				assert_null(machine);
			}
		}
	}
	assert_int_equal(created, 2 * (8 * 6 + 2 * 2));
}

static const struct {
	const char *profile;
	uint32_t granule;
	unsigned va, actual, pa;
	uint64_t section, block;
	unsigned struct_page;
} bad_configs[] = {
	{ "latest", 0, 48, 0, 0, 0, 0, 64 },
	{ "latest", 8192, 48, 0, 0, 0, 0, 64 },
	{ "latest", 4095, 48, 0, 0, 0, 0, 64 },
	{ "latest", 4096, 0, 0, 0, 0, 0, 64 },
	{ "latest", 4096, 47, 0, 0, 0, 0, 64 },
	{ "latest", 16384, 39, 0, 0, 0, 0, 64 },
	{ "latest", 65536, 64, 0, 0, 0, 0, 64 },
	{ "latest", 4096, 48, 47, 0, 0, 0, 64 },
	{ "latest", 4096, 48, 52, 0, 0, 0, 64 },
	{ "latest", 4096, 52, 47, 0, 0, 0, 64 },
	{ "latest", 16384, 52, 48, 0, 0, 0, 64 },
	{ "latest", 4096, 48, 0, 52, 0, 0, 64 },
	{ "latest", 4096, 48, 0, 40, 0, 0, 64 },
	{ "linux-6.1", 4096, 52, 0, 0, 0, 0, 64 },
	{ "linux-6.1", 16384, 52, 47, 0, 0, 0, 64 },
	{ "linux-5.7", 4096, 52, 48, 0, 0, 0, 64 },
	{ "latest", 4096, 48, 0, 0, 96 * MIB, 0, 64 },
	{ "latest", 4096, 48, 0, 0, MIB, 0, 64 },
	{ "latest", 4096, 48, 0, 0, 2 * GIB, 0, 64 },
	{ "latest", 4096, 48, 0, 0, 1, 0, 64 },
	{ "latest", 4096, 48, 0, 0, 0, 64 * MIB, 64 },
	{ "latest", 4096, 48, 0, 0, 0, 384 * MIB, 64 },
	{ "latest", 4096, 48, 0, 0, 0, UINT64_C(1) << 63, 64 },
	{ "latest", 4096, 48, 0, 0, 0, 0, 0 },
	{ "latest", 4096, 48, 0, 0, 0, 0, 48 },
	{ "latest", 4096, 48, 0, 0, 0, 0, 128 },
};

/* What there is none of, or what cannot be, is -EINVAL, whatever else is right. */
static void bad_configurations(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad_configs); i++) {
		struct pgtsim_machine_config config =
			config_of(bad_configs[i].profile, 4, bad_configs[i].va);
		struct pgtsim_machine *machine = (void *)1;

		config.granule = bad_configs[i].granule;
		config.va_actual = bad_configs[i].actual;
		config.pa_bits = bad_configs[i].pa;
		config.section_size = bad_configs[i].section;
		config.block_size = bad_configs[i].block;
		config.struct_page = bad_configs[i].struct_page;
		if (pgtsim_machine_new(&machine, &config) != -EINVAL)
			fail_msg("case %zu", i);
		assert_null(machine);
	}
}

/* RAM must be whole pages, not overlap, not be reversed, and fit the linear map. */
static void bad_ram(void **state)
{
	static const struct {
		unsigned kib, va;
		struct pgtsim_ram ram[2];
	} cases[] = {
		{ 4, 48, { { RAM_START + 1, 2 * GIB }, { 4 * GIB, 5 * GIB } } },
		{ 4, 48, { { RAM_START, 2 * GIB - 1 }, { 4 * GIB, 5 * GIB } } },
		{ 64, 48, { { RAM_START, 2 * GIB }, { 4 * GIB + 4096, 5 * GIB } } },
		{ 4, 48, { { RAM_START, 2 * GIB }, { 2 * GIB - 4096, 5 * GIB } } },
		{ 4, 48, { { RAM_START, 2 * GIB }, { RAM_START, 2 * GIB } } },
		{ 4, 48, { { RAM_START, RAM_START }, { 4 * GIB, 5 * GIB } } },
		{ 4, 48, { { 2 * GIB, RAM_START }, { 4 * GIB, 5 * GIB } } },
		{ 4, 48, { { RAM_START, 2 * GIB }, { -GIB, 0 } } },
		/* The linear map of 4K/39 holds 256 GiB from memstart on, of 16K/36 32 GiB. */
		{ 4, 39, { { RAM_START, 2 * GIB }, { 257 * GIB, 257 * GIB + 4096 } } },
		{ 4, 39, { { RAM_START, 2 * GIB }, { 256 * GIB, 257 * GIB + 4096 } } },
		{ 16, 36, { { RAM_START, 2 * GIB }, { 33 * GIB, 34 * GIB } } },
		{ 4, 48, { { RAM_START, 2 * GIB }, { 256 * TIB, 256 * TIB + GIB } } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct pgtsim_machine_config config =
			config_of("latest", cases[i].kib, cases[i].va);
		struct pgtsim_machine *machine = (void *)1;

		config.ram = cases[i].ram;
		config.ram_count = 2;
		if (pgtsim_machine_new(&machine, &config) != -EINVAL)
			fail_msg("case %zu", i);
		assert_null(machine);
	}
}

/* RAM may reach to the very end of the linear map, in any order of the ranges. */
static void ram_to_the_end_of_the_linear_map(void **state)
{
	static const struct pgtsim_ram ram[] = { { 256 * GIB, 257 * GIB }, { RAM_START, 2 * GIB } };
	struct pgtsim_machine_config config = config_of("latest", 4, 39);
	struct pgtsim_machine *machine;

	(void)state;
	config.ram = ram;
	config.ram_count = COUNT(ram);
	config.boot = true;
	machine = machine_of(&config);
	assert_int_equal(pgtsim_linear(&machine->layout, 257 * GIB), machine->layout.page_end);
	assert_int_equal(pgtsim_page_of_pfn(&machine->vmemmap, 257 * GIB >> 12),
			 machine->layout.vmemmap_end);
	assert_int_equal(pgtsim_check(&machine->pgt), 0);
	pgtsim_machine_free(&machine);
}

/* No profile of that name; and freeing nothing is allowed. */
static void no_such_profile(void **state)
{
	struct pgtsim_machine_config config;
	struct pgtsim_machine *machine = NULL;

	(void)state;
	assert_int_equal(pgtsim_machine_config_init(&config, "linux-4.19"), -ENOENT);
	assert_int_equal(pgtsim_machine_config_init(&config, ""), -ENOENT);
	pgtsim_machine_free(&machine);
}

/* What is done to one machine does not show in another of the same process. */
static void machines_are_independent(void **state)
{
	struct pgtsim_machine_config config = config_of("linux-6.1", 4, 48);
	struct pgtsim_machine *a = machine_of(&config), *b;

	(void)state;
	config = config_of("latest", 64, 52);
	b = machine_of(&config);
	pgtsim_memory_fail(b->memory, 1, true);
	assert_int_equal(pgtsim_add_memory(&a->hotplug, 4 * GIB, GIB), 0);
	assert_int_equal(pgtsim_add_memory(&b->hotplug, 4 * GIB, GIB), -ENOMEM);
	assert_uncounted(&b->tlb.counts);
	assert_false(pgtsim_section_state(&b->hotplug, 4 * GIB).present);
	assert_true(pgtsim_section_state(&a->hotplug, 4 * GIB).present);
	pgtsim_machine_free(&b);
	assert_int_equal(pgtsim_remove_memory(&a->hotplug, 4 * GIB, GIB), 0);
	assert_int_equal(pgtsim_check(&a->pgt), 0);
	assert_int_equal(a->tlb.violation_count, 0);
	pgtsim_machine_free(&a);
}

/* ---- boot memory ---- */

static void assert_translates(const struct pgtsim_machine *machine, uint64_t pa)
{
	struct pgtsim_translation t;

	assert_int_equal(pgtsim_translate(&machine->pgt, pgtsim_linear(&machine->layout, pa), &t),
			 0);
	assert_int_equal(t.pa, pa);
}

static void assert_boot_memmap(const struct pgtsim_machine *machine, uint64_t page)
{
	struct pgtsim_translation t;

	assert_int_equal(pgtsim_translate(&machine->pgt, page, &t), 0);
	assert_int_equal(pgtsim_memory_owner(machine->memory, t.pa >> machine->geo.page_shift),
			 PGTSIM_OWNER_BOOT);
}

/* The linear map and the memmap, first and last byte, of one range of RAM. */
static void check_booted_range(const struct pgtsim_machine *machine, const struct pgtsim_ram *ram)
{
	const struct pgtsim_vmemmap *vmemmap = &machine->vmemmap;
	unsigned shift = machine->geo.page_shift;
	uint64_t mask = machine->hotplug.config.section_size - 1;
	uint64_t first = (ram->start & ~mask) >> shift, last = (ram->end + mask) & ~mask;

	assert_translates(machine, ram->start);
	assert_translates(machine, ram->end - 1);
	assert_boot_memmap(machine, pgtsim_page_of_pfn(vmemmap, first));
	assert_boot_memmap(machine, pgtsim_page_of_pfn(vmemmap, last >> shift) - 1);
	for (uint64_t pa = ram->start; pa < ram->end; pa += MIB) {
		assert_translates(machine, pa);
		assert_boot_memmap(machine, pgtsim_page_of_pfn(vmemmap, pa >> shift));
	}
	assert_true(pgtsim_section_state(&machine->hotplug, ram->end - 1).early);
}

/* Base pages that the leaves of the vmemmap map. */
static int add_pages(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	uint64_t pages = pgtsim_entry_size(&pgt->geo, run->level) >> pgt->geo.page_shift;

	*(uint64_t *)arg += pages * pgtsim_run_live(pgt, run);
	return 0;
}

static uint64_t memmap_pages(struct pgtsim_machine *machine)
{
	static const struct pgtsim_visitor visitor = { .entries = add_pages };
	uint64_t pages = 0;

	assert_int_equal(pgtsim_walk(&machine->pgt, machine->layout.vmemmap_start,
				     machine->layout.vmemmap_end - 1, &visitor, &pages),
			 0);
	return pages;
}

static void check_boot(struct pgtsim_machine_config *config)
{
	struct pgtsim_machine *machine;
	uint64_t used, tables, memmap;

	config->boot = true;
	machine = machine_of(config);
	for (size_t i = 0; i < config->ram_count; i++)
		check_booted_range(machine, &config->ram[i]);
	assert_uncounted(&machine->tlb.counts);
	assert_int_equal(machine->policy.altmap_full, config->policy.altmap_full);
	assert_int_equal(pgtsim_check(&machine->pgt), 0);

	/* Nothing is in use but tables and the memmap, which may have been given some room. */
	used = pgtsim_memory_ram_count(machine->memory) - pgtsim_memory_free_count(machine->memory);
	tables = live_tables(&machine->tlb.counts);
	memmap = memmap_pages(machine);
	assert_in_range(used, tables + memmap, tables + memmap + config->ram_count * 2048);
	assert_int_equal(pgtsim_remove_memory(&machine->hotplug,
					      config->ram[0].start &
						      ~(machine->hotplug.config.block_size - 1),
					      machine->hotplug.config.block_size),
			 -EBUSY);
	pgtsim_machine_free(&machine);
}

/* A booted machine has its linear map and memmap, in memory of its own, and counted nothing. */
static void boot_is_complete_and_uncounted(void **state)
{
	static const struct pgtsim_ram ram = { RAM_START, 2 * GIB };
	size_t regimes;
	const struct pgtsim_regime *regime = pgtsim_regimes(&regimes);

	(void)state;
	for (size_t i = 0; i < regimes * COUNT(all_profiles); i++) {
		const struct pgtsim_regime *r = &regime[i / COUNT(all_profiles)];
		struct pgtsim_machine_config config =
			config_of(all_profiles[i % COUNT(all_profiles)], 1u << (r->page_shift - 10),
				  r->va_bits);

		config.ram = &ram;
		config.ram_count = 1;
		config.blocks = config.cont = i % 2;
		config.struct_page = i % 3 ? 64 : 56;
		if (!can_run(&config))
			continue;
		check_boot(&config);
		config.va_actual = r->va_bits_without_52;
		config.blocks = config.cont = !config.blocks;
		check_boot(&config);
	}
}

/* The ranges of a real machine: some smaller than the memmap of their section, some sharing one. */
static void boot_of_many_ranges(void **state)
{
	static const struct pgtsim_ram ram[] = {
		{ A(0, 40000000), A(0, b9740000) }, { A(0, b97d0000), A(0, bbe40000) },
		{ A(0, bbf50000), A(0, bbf80000) }, { A(0, bc3f0000), A(0, bc400000) },
		{ A(0, bffe0000), A(0, c0000000) }, { A(1, 00000000), A(1, 10000000) },
		{ A(8, 00000000), A(8, 00010000) },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(all_profiles) * 6; i++) {
		static const unsigned kib[] = { 4, 16, 64 };
		struct pgtsim_machine_config config =
			config_of(all_profiles[i / 6], kib[i % 3], 48);

		config.ram = ram;
		config.ram_count = COUNT(ram);
		config.blocks = i % 2;
		config.struct_page = i % 6 < 3 ? 64 : 56;
		check_boot(&config);
	}
}

/* Where the memmap of boot memory does not fit into it, there is no machine. */
static void boot_without_room(void **state)
{
	static const struct pgtsim_ram small = { RAM_START, RAM_START + MIB };
	struct pgtsim_machine_config config = config_of("latest", 4, 48);
	struct pgtsim_machine *machine = (void *)1;

	(void)state;
	config.ram = &small;
	config.ram_count = 1;
	config.boot = true;
	assert_int_equal(pgtsim_machine_new(&machine, &config), -ENOMEM);
	assert_null(machine);
	config.boot = false;
	machine = machine_of(&config);
	pgtsim_machine_free(&machine);
}

/* Memory added to a booted machine and removed again leaves its boot memory as it was. */
static void boot_survives_hotplug(void **state)
{
	struct pgtsim_machine_config config = config_of("linux-6.12", 4, 48);
	struct pgtsim_machine *machine;
	uint64_t free_pages, tables;

	(void)state;
	config.boot = true;
	machine = machine_of(&config);
	free_pages = pgtsim_memory_free_count(machine->memory);
	tables = live_tables(&machine->tlb.counts);
	assert_int_equal(pgtsim_add_memory(&machine->hotplug, 2 * GIB, GIB), 0);
	assert_translates(machine, 2 * GIB);
	assert_translates(machine, 3 * GIB - 1);
	assert_int_equal(pgtsim_remove_memory(&machine->hotplug, 2 * GIB, GIB), 0);
	assert_int_equal(pgtsim_memory_free_count(machine->memory), free_pages);
	assert_int_equal(live_tables(&machine->tlb.counts), tables);
	assert_translates(machine, 2 * GIB - 1);
	assert_int_equal(pgtsim_check(&machine->pgt), 0);
	pgtsim_machine_free(&machine);
}

/* ---- tables that bounds leave behind ---- */

/* Tables beside the root, after one section was mapped at both places and unmapped again. */
static uint64_t tables_left(struct pgtsim_machine *machine, uint64_t linear, uint64_t memmap)
{
	const struct pgtsim_layout *l = &machine->layout;
	uint64_t section = machine->hotplug.config.section_size;
	uint64_t bytes = (section >> machine->geo.page_shift) * 64;
	const struct pgtsim_map map = {
		.va = linear,
		.pa = l->memstart + (linear - l->page_offset),
		.size = section,
		.attrs = machine->policy.prot[PGTSIM_PROT_TAGGED],
		.table_attrs = machine->policy.linear_table,
		.region = PGTSIM_REGION_LINEAR,
	};

	assert_int_equal(pgtsim_map(&machine->pgt, &map), 0);
	assert_int_equal(
		pgtsim_vmemmap_populate(&machine->vmemmap, memmap, memmap + bytes, NULL, 0), 0);
	assert_int_equal(pgtsim_vmemmap_free(&machine->vmemmap, memmap, memmap + bytes, NULL), 0);
	assert_int_equal(
		pgtsim_unmap_linear(&machine->pgt, linear, section, l->page_offset, l->page_end),
		0);
	assert_int_equal(pgtsim_check(&machine->pgt), 0);
	return live_tables(&machine->tlb.counts) - 1;
}

struct left_case {
	unsigned kib, va;
	uint64_t first, both; /* tables left after the first section, and after the last one too */
};

static void check_left(const char *profile_name, const struct left_case *c)
{
	struct pgtsim_machine_config config = config_of(profile_name, c->kib, c->va);
	struct pgtsim_machine *machine = machine_of(&config);
	const struct pgtsim_layout *l = &machine->layout;
	uint64_t section = machine->hotplug.config.section_size;
	uint64_t memmap = (section >> machine->geo.page_shift) * 64;
	uint64_t memmap_end = l->vmemmap_start +
			      ((l->page_end - l->linear_start) >> machine->geo.page_shift) * 64;

	assert_int_equal(tables_left(machine, l->page_offset, l->vmemmap_start), c->first);
	assert_int_equal(tables_left(machine, l->page_end - section, memmap_end - memmap), c->both);
	assert_int_equal(machine->tlb.violation_count, 0);
	pgtsim_machine_free(&machine);
}

/* Quirk: the ends of the vmemmap are not aligned, so the tables around them are never freed. */
static void quirk_bounds_leave_tables(void **state)
{
	static const struct left_case in_6_12[] = {
		{ 4, 39, 0, 0 },  { 4, 48, 1, 2 },  { 4, 52, 2, 3 },  { 16, 36, 0, 0 },
		{ 16, 47, 1, 2 }, { 16, 48, 2, 3 }, { 16, 52, 2, 3 }, { 64, 42, 0, 0 },
		{ 64, 48, 1, 1 }, { 64, 52, 1, 1 },
	};
	static const struct left_case in_6_1[] = {
		{ 4, 39, 0, 0 },  { 4, 48, 0, 0 },  { 16, 36, 0, 0 }, { 16, 47, 0, 0 },
		{ 16, 48, 1, 1 }, { 64, 42, 0, 0 }, { 64, 48, 1, 1 }, { 64, 52, 1, 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(in_6_12); i++)
		check_left("linux-6.12", &in_6_12[i]);
	for (size_t i = 0; i < COUNT(in_6_1); i++)
		check_left("linux-6.1", &in_6_1[i]);
}

/* ---- /proc/iomem ---- */

static int read_text(const char *text, uint32_t granule, struct pgtsim_ram *ram, size_t room)
{
	size_t length = strlen(text);
	char *exact = malloc(length ? length : 1); /* no byte behind it may be read */
	int ret;

	assert_non_null(exact);
	memcpy(exact, text, length);
	ret = pgtsim_iomem_read(exact, length, granule, ram, room);
	free(exact);
	return ret;
}

static const char listing[] = "00000000-03ffffff : 0.flash flash@0\n"
			      "09000000-09000fff : pl011@9000000\n"
			      "  09000000-09000fff : 9000000.pl011 pl011@9000000\n"
			      "10000000-3efeffff : pcie@10000000\n"
			      "  10000000-100fffff : PCI Bus 0000:01\n"
			      "    10000000-10003fff : 0000:01:00.0\n"
			      "40000000-b973ffff : System RAM\n"
			      "  40210000-41c7ffff : Kernel code\n"
			      "  41c80000-4229ffff : reserved\n"
			      "  422a0000-428dffff : Kernel data\n"
			      "b9740000-b97cffff : reserved\n"
			      "b97d0000-bbe4b7ff : System RAM\n"
			      "bbe4b800-bbf4ffff : reserved\n"
			      "bbf50400-bbf80bff : System RAM\n"
			      "bc000000-bc000fff : System RAM (boot alias)\n"
			      "100000000-13fffffff : System RAM\n"
			      "4010000000-401fffffff : PCI ECAM\n";

/* System RAM of a real listing, rounded inwards; what is nested in it, or reserved, is not. */
static void iomem_of_a_real_machine(void **state)
{
	static const struct pgtsim_ram in_4k[] = { { A(0, 40000000), A(0, b9740000) },
						   { A(0, b97d0000), A(0, bbe4b000) },
						   { A(0, bbf51000), A(0, bbf80000) },
						   { A(1, 00000000), A(1, 40000000) } };
	static const struct pgtsim_ram in_64k[] = { { A(0, 40000000), A(0, b9740000) },
						    { A(0, b97d0000), A(0, bbe40000) },
						    { A(0, bbf60000), A(0, bbf80000) },
						    { A(1, 00000000), A(1, 40000000) } };
	struct pgtsim_ram ram[8];

	(void)state;
	assert_int_equal(read_text(listing, 4096, ram, 8), 4);
	assert_memory_equal(ram, in_4k, sizeof(in_4k));
	assert_int_equal(read_text(listing, 65536, ram, 8), 4);
	assert_memory_equal(ram, in_64k, sizeof(in_64k));
}

/* A machine can be made of it, and booted. */
static void iomem_makes_a_machine(void **state)
{
	struct pgtsim_machine_config config = config_of("latest", 4, 48);
	struct pgtsim_ram ram[8];

	(void)state;
	config.ram = ram;
	config.ram_count = (size_t)read_text(listing, 4096, ram, 8);
	check_boot(&config);
}

/* The number of ranges is returned whole even where the caller has room for fewer. */
static void iomem_with_too_little_room(void **state)
{
	struct pgtsim_ram ram[2] = { { 0, 0 }, { 7, 7 } };

	(void)state;
	assert_int_equal(read_text(listing, 4096, ram, 1), 4);
	assert_int_equal(ram[0].start, A(0, 40000000));
	assert_int_equal(ram[1].start, 7);
	assert_int_equal(read_text(listing, 4096, NULL, 0), 4);
}

static const struct {
	const char *text;
	int count;
} lines[] = {
	{ "40000000-7fffffff : System RAM\n", 1 },
	{ "40000000-7fffffff : System RAM", 1 }, /* no final newline */
	{ "\n40000000-7fffffff : System RAM\n\n", 1 },
	{ "00000000-3fffffff : System RAM\n", 1 },
	{ "40000000-7fffffff : System RAM\n  zzz\n", 1 }, /* nested: not looked at */
	{ "40000000-40000fff : System RAM\n40001000-40001ffe : System RAM\n", 1 },
	{ "40000000-7fffffff : System Ram\n", -EINVAL },
	{ "40000000-7fffffff : System RAM2\n", -EINVAL },
	{ "00000000-00000000 : System RAM\n", -EINVAL }, /* hidden from the user */
	{ "40000000-7fffffff : System RAM\n00000000-00000000 : reserved\n", -EINVAL },
	{ "", -EINVAL },
	{ "\n", -EINVAL },
	{ "  40000000-7fffffff : System RAM\n", -EINVAL }, /* nested in nothing */
	{ "40000000-7fffffff : System RAM\n  40000000-4fffffff : System RAM\n", 1 },
	{ "40000000-7fffffff : CXL Window 0\n  40000000-7fffffff : System RAM\n", 1 },
	{ "40000000-7fffffff : Reserved\n  40000000-4fffffff : region0\n"
	  "    40000000-4fffffff : System RAM\n      40000000-40ffffff : Kernel code\n"
	  "      41000000-41ffffff : System RAM\n  50000000-5fffffff : System RAM\n",
	  2 },
	{ "40000000-7fffffff : Reserved\n  zzz\n", -EINVAL },
	{ "09000000-09000fff : pl011\n", -EINVAL }, /* no RAM */
	{ "40000000-40000ffe : System RAM\n", -EINVAL },
	{ "7fffffff-40000000 : System RAM\n", -EINVAL },
	{ "40000000-7fffffff: System RAM\n", -EINVAL },
	{ "40000000-7fffffff :System RAM\n", -EINVAL },
	{ "40000000 7fffffff : System RAM\n", -EINVAL },
	{ "40000000-\n", -EINVAL },
	{ "40000000-7fff", -EINVAL }, /* cut off */
	{ "40000000-7fffffff : ", -EINVAL },
	{ "40000000", -EINVAL },
	{ "-7fffffff : System RAM\n", -EINVAL },
	{ "0x40000000-0x7fffffff : System RAM\n", -EINVAL },
	{ "40000000-00007fffffff00000 : System RAM\n", -EINVAL }, /* 17 digits */
	{ "fffffffffffff800-fffffffffffffffe : System RAM\n", -EINVAL },
	{ "fffffffffffff000-ffffffffffffffff : System RAM\n", -EINVAL },
	{ "machine granule=4K\n", -EINVAL },
	{ "{\"ram\": []}\n", -EINVAL },
};

/* Single lines that are, or are not, a listing. */
static void iomem_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		struct pgtsim_ram ram[2];
		int count = read_text(lines[i].text, 4096, ram, 2);

		if (count != lines[i].count)
			fail_msg("%s: %d", lines[i].text, count);
	}
}

/* Every beginning of a listing, and random bytes, end in an answer. */
static void iomem_of_anything(void **state)
{
	struct pgtsim_ram ram[4];
	uint32_t seed = 1;
	char bytes[64];

	(void)state;
	for (size_t length = 0; length < sizeof(listing); length++)
		assert_true(pgtsim_iomem_read(listing, length, 4096, ram, 4) <= 4);
	assert_int_equal(
		pgtsim_iomem_read("40000000-7fffffff : System RAM\n\0\0\0", 34, 4096, ram, 4),
		-EINVAL);
	for (unsigned i = 0; i < 20000; i++) {
		for (size_t j = 0; j < sizeof(bytes); j++)
			bytes[j] = i % 2 ? (char)random_next(&seed) :
					   "0123456789af-: \nSystem RAM"[random_next(&seed) % 26];
		assert_true(pgtsim_iomem_read(bytes, sizeof(bytes), 4096, ram, 4) < 32);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layout_is_linux),
		cmocka_unit_test(layout_is_the_recorded_one),
		cmocka_unit_test(memstart_is_rounded_down),
		cmocka_unit_test(small_struct_pages),
		cmocka_unit_test(bounds_are_the_regions),
		cmocka_unit_test(every_regime_of_every_profile),
		cmocka_unit_test(bad_configurations),
		cmocka_unit_test(bad_ram),
		cmocka_unit_test(ram_to_the_end_of_the_linear_map),
		cmocka_unit_test(no_such_profile),
		cmocka_unit_test(machines_are_independent),
		cmocka_unit_test(boot_is_complete_and_uncounted),
		cmocka_unit_test(boot_of_many_ranges),
		cmocka_unit_test(boot_without_room),
		cmocka_unit_test(boot_survives_hotplug),
		cmocka_unit_test(quirk_bounds_leave_tables),
		cmocka_unit_test(iomem_of_a_real_machine),
		cmocka_unit_test(iomem_makes_a_machine),
		cmocka_unit_test(iomem_with_too_little_room),
		cmocka_unit_test(iomem_lines),
		cmocka_unit_test(iomem_of_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
