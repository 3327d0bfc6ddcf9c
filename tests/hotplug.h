/* SPDX-License-Identifier: MIT */
/*
 * What the tests of hotplug share: machines with little boot memory, pairs of them that are
 * compared, and ways to look at what was built.
 */
#ifndef HOTPLUG_H
#define HOTPLUG_H

#include <pgtsim/pgtsim.h>

#include "fixture.h"

/* 256 MiB of boot memory. It begins at a section, and may end inside one. */
static const struct pgtsim_ram small_ram = { RAM_START, RAM_START + 256 * MIB };

/* Of s390 `va` says how many levels there are, and `kib` is 4. */
static inline struct pgtsim_machine_config config_of(const char *profile_name, unsigned kib,
						     unsigned va)
{
	struct pgtsim_machine_config config;

	if (!strncmp(profile_name, "s390-", 5))
		assert_int_equal(pgtsim_machine_config_s390(&config, profile_name), 0);
	else
		assert_int_equal(pgtsim_machine_config_init(&config, profile_name), 0);
	config.granule = (uint32_t)kib << 10;
	config.va_bits = va;
	config.ram = &small_ram;
	config.ram_count = 1;
	return config;
}

static inline struct pgtsim_machine *machine_of(const struct pgtsim_machine_config *config)
{
	struct pgtsim_machine *machine;

	assert_int_equal(pgtsim_machine_new(&machine, config), 0);
	return machine;
}

/* A machine with all defaults but the boot memory. */
static inline struct pgtsim_machine *simple_machine(const char *profile_name, unsigned kib)
{
	unsigned va = strncmp(profile_name, "s390-", 5) ? 48 : 42;
	const struct pgtsim_machine_config config = config_of(profile_name, kib, va);

	return machine_of(&config);
}

/* Fails if the machine has any violation, old or new. */
static inline void assert_clean(struct pgtsim_machine *machine)
{
	pgtsim_check_machine(machine);
	if (machine->tlb.counts.violations)
		fail_msg("%s: %s", pgtsim_violation_kind(machine->tlb.violations[0].name)->name,
			 machine->tlb.violations[0].text);
}

static inline void assert_same(const struct pgtsim_machine *a, const struct pgtsim_machine *b)
{
	const char *difference = pgtsim_machine_difference(a, b);

	if (difference)
		fail_msg("the %s differs", difference);
}

/* True if this violation was found. */
static inline bool found(const struct pgtsim_machine *machine, enum pgtsim_violation_name name)
{
	for (size_t i = 0; i < machine->tlb.violation_count; i++)
		if (machine->tlb.violations[i].name == name)
			return true;
	return false;
}

static inline bool later_than(const char *profile_name, const char *other)
{
	size_t a = 0, b = 0;

	while (strcmp(pgtsim_profiles()[a], profile_name) != 0)
		a++;
	while (strcmp(pgtsim_profiles()[b], other) != 0)
		b++;
	return a > b;
}

/* The translation of the struct page, or of the byte itself, at this physical address. */
static inline struct pgtsim_translation memmap_at(const struct pgtsim_machine *machine, uint64_t pa)
{
	struct pgtsim_translation at;

	(void)pgtsim_translate(&machine->pgt,
			       pgtsim_page_of_pfn(&machine->vmemmap, pa >> machine->geo.page_shift),
			       &at);
	return at;
}

static inline struct pgtsim_translation linear_at(const struct pgtsim_machine *machine, uint64_t pa)
{
	struct pgtsim_translation at;

	(void)pgtsim_translate(&machine->pgt, pgtsim_linear(&machine->layout, pa), &at);
	return at;
}

static inline bool linear_is_mapped(const struct pgtsim_machine *machine, uint64_t pa)
{
	const struct pgtsim_translation at = linear_at(machine, pa);

	return at.fault == PGTSIM_FAULT_NONE && at.pa == pa;
}

static inline bool memmap_is_mapped(const struct pgtsim_machine *machine, uint64_t pa)
{
	return memmap_at(machine, pa).fault == PGTSIM_FAULT_NONE;
}

static inline int add_device(struct pgtsim_machine *machine, uint64_t start, uint64_t size,
			     struct pgtsim_altmap *altmap)
{
	const struct pgtsim_add add = {
		.start = start,
		.size = size,
		.device = true,
		.altmap = altmap,
	};

	return pgtsim_add_range(&machine->hotplug, &add);
}

static inline int remove_memory(struct pgtsim_machine *machine, uint64_t start, uint64_t size)
{
	return pgtsim_remove_memory(&machine->hotplug, start, size);
}

static inline int add_self_hosted(struct pgtsim_machine *machine, uint64_t start, uint64_t size)
{
	const struct pgtsim_add add = { .start = start, .size = size, .memmap_on_memory = true };

	return pgtsim_add_range(&machine->hotplug, &add);
}

/* An altmap over `pages` pages of a device at this address. */
static inline struct pgtsim_altmap altmap_over(const struct pgtsim_machine *machine, uint64_t start,
					       uint64_t reserve, uint64_t pages)
{
	return (struct pgtsim_altmap){
		.base = start >> machine->geo.page_shift,
		.reserve = reserve,
		.free = pages,
	};
}

#endif
