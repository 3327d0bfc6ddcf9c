/* SPDX-License-Identifier: MIT */
/*
 * hotplug: memmap on memory. Which blocks qualify, where the memmap goes, how its pages are
 * counted, and what can be removed.
 */
#include "hotplug.h"

#include "hotplug/sections.h"

static const char *const modes[] = { "off", "on", "force" };

/*
 * Boot memory: enough for memory added without its own memmap, including 512 MiB of struct pages.
 */
static const struct pgtsim_ram ram = { RAM_START, RAM_START + 2 * GIB };

static struct pgtsim_machine *host(const char *profile_name, unsigned kib, uint64_t block,
				   enum pgtsim_memmap_on_memory mode, unsigned struct_page)
{
	struct pgtsim_machine_config config = config_of(profile_name, kib, 48);

	config.ram = &ram;
	config.blocks = true;
	config.block_size = block;
	config.section_size = block < 128 * MIB ? block : 0;
	config.memmap_on_memory = mode;
	config.struct_page = struct_page;
	return machine_of(&config);
}

/* 4K and 128 MiB, where the memmap is one block of the table: 512 pages. */
static struct pgtsim_machine *simple_host(const char *profile_name)
{
	return host(profile_name, 4, 128 * MIB, PGTSIM_MEMMAP_ON, 64);
}

static uint64_t memmap_pages(const struct pgtsim_machine *machine, uint64_t pa)
{
	return pgtsim_section_state(&machine->hotplug, pa).memmap_pages;
}

/* ---- who may use it ---- */

struct size_case {
	unsigned kib, struct_page;
	uint64_t block;
	uint64_t pages; /* pages of the block that hold its memmap; 0: the block does not qualify */
};

static const struct size_case size_cases[] = {
	{ 4, 64, 128 * MIB, 512 },  { 4, 64, 64 * MIB, 0 }, /* half a pmd */
	{ 4, 64, 256 * MIB, 1024 }, { 4, 64, GIB, 4096 },     { 4, 56, 128 * MIB, 0 },
	{ 4, 56, 512 * MIB, 0 }, /* 7 MiB */
	{ 4, 56, GIB, 7 * 512 },    { 16, 64, 128 * MIB, 0 }, { 16, 64, 4 * GIB, 0 },
	{ 16, 64, 8 * GIB, 2048 },  { 16, 56, 8 * GIB, 0 },   { 16, 56, 64 * GIB, 7 * 2048 },
	{ 64, 64, 512 * MIB, 0 },   { 64, 64, 256 * GIB, 0 }, { 64, 64, 512 * GIB, 8192 },
	{ 64, 56, 512 * GIB, 0 },
};

/* Adds a block that asks for its own memmap, and checks what the release does with it. */
static void check_size(const char *profile_name, const struct size_case *c,
		       enum pgtsim_memmap_on_memory mode)
{
	struct pgtsim_machine *machine = host(profile_name, c->kib, c->block, mode, c->struct_page);
	struct pgtsim_machine *twin = host(profile_name, c->kib, c->block, mode, c->struct_page);
	bool never = !later_than(profile_name, "linux-5.10");
	bool refuses = never || !later_than(profile_name, "linux-6.1");
	uint64_t pages = never || mode == PGTSIM_MEMMAP_OFF ? 0 : c->pages;
	uint64_t base = c->block < 4 * GIB ? 4 * GIB : c->block;
	int ret = add_self_hosted(machine, base, c->block);

	if (ret != (!pages && refuses ? -EINVAL : 0) || memmap_pages(machine, base) != pages)
		fail_msg("%s %uK block 0x%llx %s: %d, %llu pages", profile_name, c->kib,
			 (unsigned long long)c->block, modes[mode], ret,
			 (unsigned long long)memmap_pages(machine, base));
	if (ret) {
		assert_same(machine, twin);
	} else {
		assert_int_equal(machine->tlb.counts.altmap_allocated, pages);
		assert_int_equal(machine->tlb.counts.pages_allocated != 0, !pages);
		assert_int_equal(remove_memory(machine, base, c->block), 0);
		assert_int_equal(machine->tlb.counts.altmap_freed, pages);
	}
	assert_clean(machine);
	pgtsim_machine_free(&machine);
	pgtsim_machine_free(&twin);
}

/*
 * The memmap must be a multiple of a pmd block, and so must the rest of the block. If it is not, or
 * if memmap on memory is off, releases up to 6.1 refuse, and later ones add the block without it.
 */
static void who_may_use_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(all_profiles); i++)
		for (size_t c = 0; c < COUNT(size_cases); c++)
			for (int mode = PGTSIM_MEMMAP_OFF; mode <= PGTSIM_MEMMAP_FORCE; mode++)
				check_size(all_profiles[i], &size_cases[c],
					   (enum pgtsim_memmap_on_memory)mode);
}

/* A block that does not ask for its own memmap does not get it, in any mode. */
static void only_for_those_who_ask(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(all_profiles); i++) {
		struct pgtsim_machine *machine =
			host(all_profiles[i], 4, 128 * MIB, PGTSIM_MEMMAP_FORCE, 64);

		assert_int_equal(pgtsim_add_memory(&machine->hotplug, 4 * GIB, 128 * MIB), 0);
		assert_int_equal(memmap_pages(machine, 4 * GIB), 0);
		assert_int_equal(machine->tlb.counts.altmap_allocated, 0);
		pgtsim_machine_free(&machine);
	}
}

/* Two blocks at once: refused up to 6.5, ordinary in 6.6, each with its own altmap from 6.8 on. */
static void several_blocks(void **state)
{
	static const struct {
		const char *profile;
		enum pgtsim_mom_rule rule;
		int ret;
		uint64_t pages;
	} rows[] = {
		{ "linux-5.7", PGTSIM_MOM_NONE, -EINVAL, 0 },
		{ "linux-5.14", PGTSIM_MOM_5_14, -EINVAL, 0 },
		{ "linux-6.1", PGTSIM_MOM_5_14, -EINVAL, 0 },
		{ "linux-6.1", PGTSIM_MOM_6_6, 0, 0 },
		{ "linux-6.12", PGTSIM_MOM_6_8, 0, 512 },
		{ "latest", PGTSIM_MOM_6_8, 0, 512 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pgtsim_machine *machine = simple_host(rows[i].profile);

		machine->policy.memmap_on_memory = (uint8_t)rows[i].rule;
		assert_int_equal(add_self_hosted(machine, 4 * GIB, 256 * MIB), rows[i].ret);
		assert_int_equal(memmap_pages(machine, 4 * GIB), rows[i].pages);
		assert_int_equal(memmap_pages(machine, 4 * GIB + 128 * MIB), rows[i].pages);
		assert_int_equal(add_self_hosted(machine, 8 * GIB, 128 * MIB),
				 rows[i].rule ? 0 : -EINVAL);
		assert_int_equal(memmap_pages(machine, 8 * GIB), rows[i].rule ? 512 : 0);
		assert_clean(machine);
		pgtsim_machine_free(&machine);
	}
}

/* ---- where the memmap goes ---- */

/* Each block holds its own memmap from its start on, and no linear leaf spans two of them. */
static void reservation(void **state)
{
	static const struct {
		unsigned kib, level;
		uint64_t block;
	} rows[] = {
		{ 4, PGTSIM_PMD, 128 * MIB },
		{ 4, PGTSIM_PMD, GIB },
		{ 16, PGTSIM_PTE, 8 * GIB },
		{ 64, PGTSIM_PTE, 512 * GIB },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pgtsim_machine *machine =
			host("latest", rows[i].kib, rows[i].block, PGTSIM_MEMMAP_ON, 64);
		uint64_t block = rows[i].block, base = block < 4 * GIB ? 4 * GIB : 2 * block;
		unsigned shift = machine->geo.page_shift;
		uint64_t bytes = (block >> shift) * 64;

		assert_int_equal(add_self_hosted(machine, base, 3 * block), 0);
		for (uint64_t pa = base; pa < base + 3 * block; pa += block) {
			uint64_t middle = memmap_at(machine, pa + block / 2).pa;

			assert_int_equal(memmap_at(machine, pa).pa, pa);
			assert_int_equal(memmap_at(machine, pa).level, rows[i].level);
			assert_int_equal(middle, pa + bytes / 2);
			assert_int_equal(memmap_pages(machine, pa), bytes >> shift);
			assert_true(linear_at(machine, pa).size <= block);
		}
		assert_int_equal(machine->tlb.counts.pages_allocated, 0);
		assert_clean(machine);
		pgtsim_machine_free(&machine);
	}
}

/* The altmap of a block: up to 6.5 it could hand out the whole block, later what is reserved. */
static void altmap_of_a_block(void **state)
{
	static const struct {
		const char *profile;
		uint64_t free;
	} rows[] = { { "linux-5.14", 32768 },
		     { "linux-6.1", 32768 },
		     { "linux-6.12", 512 },
		     { "latest", 512 } };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pgtsim_machine *machine = simple_host(rows[i].profile);
		const struct pgtsim_altmap *altmap;

		assert_int_equal(add_self_hosted(machine, 4 * GIB, 128 * MIB), 0);
		altmap = &pgtsim_sections_find(machine->hotplug.sections, 4 * GIB)->block->altmap;
		assert_int_equal(altmap->base, 4 * GIB >> 12);
		assert_int_equal(altmap->reserve, 0);
		assert_int_equal(altmap->free, rows[i].free);
		assert_int_equal(altmap->alloc, 512);
		assert_int_equal(altmap->align, 0);
		assert_int_equal(remove_memory(machine, 4 * GIB, 128 * MIB), 0);
		assert_clean(machine);
		pgtsim_machine_free(&machine);
	}
}

/* ---- online and offline ---- */

static void assert_zone(const struct pgtsim_machine *machine, unsigned node, enum pgtsim_zone zone,
			uint64_t start, uint64_t spanned, uint64_t present, uint64_t managed)
{
	struct pgtsim_zone_state is = pgtsim_zone_state(&machine->hotplug, node, zone);

	assert_int_equal(is.start_pfn, start);
	assert_int_equal(is.spanned, spanned);
	assert_int_equal(is.present, present);
	assert_int_equal(is.managed, managed);
}

/* Pages that hold the memmap are spanned and present while the block is online, never managed. */
static void accounting(void **state)
{
	static const struct pgtsim_add add = { 4 * GIB, 256 * MIB, 3, true, false, NULL };
	const enum pgtsim_zone zones[] = { PGTSIM_ZONE_NORMAL, PGTSIM_ZONE_MOVABLE };
	struct pgtsim_machine *machine = simple_host("latest");
	struct pgtsim_hotplug *hotplug = &machine->hotplug;
	const uint64_t first = 4 * GIB >> 12, pages = 32768, usable = pages - 512;

	(void)state;
	machine->policy.split_check = PGTSIM_SPLIT_CHECK_BLOCK; /* else it stays online */
	assert_int_equal(pgtsim_add_range(hotplug, &add), 0);
	for (size_t i = 0; i < 2; i++) {
		assert_zone(machine, 3, zones[i], 0, 0, 0, 0);
		assert_int_equal(pgtsim_online_memory(hotplug, 4 * GIB, 256 * MIB, zones[i]), 0);
		assert_zone(machine, 3, zones[i], first, 2 * pages, 2 * pages, 2 * usable);
		assert_zone(machine, 3, zones[1 - i], 0, 0, 0, 0);
		assert_int_equal(memmap_pages(machine, 4 * GIB), 512);
		assert_int_equal(pgtsim_offline_memory(hotplug, 4 * GIB, 128 * MIB), 0);
		assert_zone(machine, 3, zones[i], first + pages, pages, pages, usable);
		assert_int_equal(pgtsim_offline_memory(hotplug, 4 * GIB + 128 * MIB, 128 * MIB), 0);
		assert_zone(machine, 3, zones[i], 0, 0, 0, 0);
	}
	assert_int_equal(remove_memory(machine, 4 * GIB, 256 * MIB), 0);
	assert_clean(machine);
	pgtsim_machine_free(&machine);
}

static const struct {
	const char *profile;
	unsigned kib;
	uint64_t block;
	bool blocks;
	const char *check;
	int result;
} offline_rows[] = {
	{ "linux-7.3", 4, 128 * MIB, false, NULL, -EPERM },
	{ "linux-7.3", 4, 128 * MIB, true, NULL, -EPERM },
	{ "linux-7.3", 4, 128 * MIB, true, "block", 0 },
	{ "linux-7.3", 4, 128 * MIB, false, "request", 0 },
	{ "linux-6.12", 4, 128 * MIB, true, NULL, 0 },
	{ "linux-6.18", 4, 128 * MIB, true, NULL, 0 },
	{ "linux-7.3", 16, 8 * GIB, false, NULL, 0 },
	{ "linux-7.3", 16, 8 * GIB, true, NULL, -EPERM },
	{ "linux-7.3", 16, 8 * GIB, true, "block", 0 },
};

/*
 * From 7.1 on a block that holds its own memmap can't go offline: the kernel asks about the block
 * without its memmap pages, and that start lies inside the 2 MiB vmemmap block, with block mappings
 * inside a contiguous group of the linear map too. Up to 6.12, and asked about the whole block, it goes.
 */
static void offline_of_a_self_hosted_block(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(offline_rows); i++) {
		struct pgtsim_machine_config config =
			config_of(offline_rows[i].profile, offline_rows[i].kib, 48);
		struct pgtsim_machine *machine;
		uint64_t start = 16 * GIB, size = offline_rows[i].block;

		config.block_size = size;
		config.blocks = config.cont = offline_rows[i].blocks;
		config.memmap_on_memory = PGTSIM_MEMMAP_ON;
		if (offline_rows[i].check)
			assert_int_equal(pgtsim_policy_set(&config.policy, "split-check",
							   offline_rows[i].check),
					 0);
		machine = machine_of(&config);
		assert_int_equal(add_self_hosted(machine, start, size), 0);
		assert_true(memmap_pages(machine, start) > 0);
		assert_int_equal(
			pgtsim_online_memory(&machine->hotplug, start, size, PGTSIM_ZONE_MOVABLE),
			0);
		assert_int_equal(pgtsim_offline_memory(&machine->hotplug, start, size),
				 offline_rows[i].result);
		assert_int_equal(pgtsim_tlb_remarked(&machine->tlb, PGTSIM_W_MEMMAP_OFFLINE),
				 offline_rows[i].result != 0);
		assert_false(pgtsim_tlb_remarked(&machine->tlb, PGTSIM_W_BLOCK_OFFLINE));
		pgtsim_machine_free(&machine);
	}
}

/*
 * The kernel reads the entry at an address to find out if the address is inside a contiguous group.
 * The hint of the entry before it does not matter. A leaf that is marked present counts even if it
 * is invalid.
 */
static void leaf_ends_as_the_kernel_sees_them(void **state)
{
	static const struct {
		uint64_t
			desc; /* of the second pmd of the block, whose first pmd holds the memmap */
		int result;
	} rows[] = {
		{ 0x00f8000400200705, -EPERM }, /* as it was mapped: in the middle of a group */
		{ 0x00e8000400200705, 0 },      /* a block of its own */
		{ 0, 0 },
		{ 0x00f8000400200f04, -EPERM }, /* marked as present */
		{ 0x00f8000400200704, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pgtsim_machine_config config = config_of("linux-7.3", 4, 48);
		struct pgtsim_machine *machine;
		uint64_t start = 16 * GIB;

		config.blocks = config.cont = true;
		config.memmap_on_memory = PGTSIM_MEMMAP_ON;
		machine = machine_of(&config);
		assert_int_equal(add_self_hosted(machine, start, 128 * MIB), 0);
		assert_int_equal(pgtsim_online_memory(&machine->hotplug, start, 128 * MIB,
						      PGTSIM_ZONE_MOVABLE),
				 0);
		/* Clear the vmemmap's entry, so that the vmemmap does not matter here. */
		assert_int_equal(pgtsim_poke(&machine->pgt, PGTSIM_PMD,
					     pgtsim_page_of_pfn(&machine->vmemmap, start >> 12), 0),
				 0);
		assert_int_equal(pgtsim_poke(&machine->pgt, PGTSIM_PMD,
					     pgtsim_linear(&machine->layout, start + 2 * MIB),
					     rows[i].desc),
				 0);
		assert_int_equal(pgtsim_offline_memory(&machine->hotplug, start, 128 * MIB),
				 rows[i].result);
		pgtsim_machine_free(&machine);
	}
}

/*
 * The struct pages of pages that hold the memmap may be looked at only in sections that they fill:
 * with sections of 2 MiB they fill one, with those of 128 MiB only a part.
 */
static void pages_that_are_online(void **state)
{
	(void)state;
	for (uint64_t section = 2 * MIB; section <= 128 * MIB; section *= 64) {
		struct pgtsim_machine_config config = config_of("latest", 4, 48);
		struct pgtsim_machine *machine;
		uint64_t pfn = 4 * GIB >> 12;

		config.section_size = section;
		config.block_size = 128 * MIB;
		config.memmap_on_memory = PGTSIM_MEMMAP_ON;
		machine = machine_of(&config);
		assert_int_equal(add_self_hosted(machine, 4 * GIB, 128 * MIB), 0);
		assert_false(pgtsim_pfn_is_online(&machine->hotplug, pfn + 512));
		assert_int_equal(pgtsim_online_memory(&machine->hotplug, 4 * GIB, 128 * MIB,
						      PGTSIM_ZONE_NORMAL),
				 0);
		assert_int_equal(pgtsim_pfn_is_online(&machine->hotplug, pfn), section == 2 * MIB);
		assert_int_equal(pgtsim_pfn_is_online(&machine->hotplug, pfn + 511),
				 section == 2 * MIB);
		assert_true(pgtsim_pfn_is_online(&machine->hotplug, pfn + 512));
		assert_true(pgtsim_pfn_is_online(&machine->hotplug, pfn + 32767));
		pgtsim_machine_free(&machine);
	}
}

/* ---- remove ---- */

/* Several blocks of which some hold their memmap: up to 6.7 one by one only, then all alike. */
static void removal_rules(void **state)
{
	static const struct {
		const char *profile;
		int mixed, all;
	} rows[] = { { "linux-5.14", -EINVAL, -EINVAL },
		     { "linux-6.1", -EINVAL, -EINVAL },
		     { "linux-6.12", -EINVAL, 0 },
		     { "latest", -EINVAL, 0 } };
	const uint64_t base = 4 * GIB, block = 128 * MIB;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pgtsim_machine *machine = simple_host(rows[i].profile);
		struct pgtsim_machine *twin = simple_host(rows[i].profile);

		assert_int_equal(add_self_hosted(machine, base, block), 0);
		assert_int_equal(add_self_hosted(machine, base + block, block), 0);
		assert_int_equal(pgtsim_add_memory(&machine->hotplug, base + 2 * block, block), 0);
		assert_int_equal(add_self_hosted(twin, base, block), 0);
		assert_int_equal(add_self_hosted(twin, base + block, block), 0);
		assert_int_equal(pgtsim_add_memory(&twin->hotplug, base + 2 * block, block), 0);
		assert_int_equal(remove_memory(machine, base, 3 * block), rows[i].mixed);
		assert_int_equal(remove_memory(machine, base + block, 2 * block), rows[i].mixed);
		assert_same(machine, twin);
		assert_int_equal(remove_memory(machine, base, 2 * block), rows[i].all);
		if (rows[i].all) {
			assert_same(machine, twin);
			assert_int_equal(remove_memory(machine, base, block), 0);
			assert_int_equal(remove_memory(machine, base + block, block), 0);
		}
		assert_int_equal(remove_memory(machine, base + 2 * block, block), 0);
		assert_int_equal(machine->tlb.counts.altmap_freed, 1024);
		assert_clean(machine);
		pgtsim_machine_free(&machine);
		pgtsim_machine_free(&twin);
	}
}

/* ---- failure ---- */

/* If any allocation fails, the blocks that were finished before are removed, with their tables. */
static void rollback_of_finished_blocks(void **state)
{
	struct pgtsim_machine *machine = simple_host("linux-6.12");
	struct pgtsim_machine *twin = simple_host("linux-6.12");
	unsigned finished = 0;
	int ret = -ENOMEM;

	(void)state;
	for (uint64_t nth = 1; ret; nth++) {
		uint64_t freed = machine->tlb.counts.altmap_freed;

		pgtsim_memory_fail(machine->memory, nth, false);
		ret = add_self_hosted(machine, 4 * GIB, 512 * MIB);
		pgtsim_memory_fail(machine->memory, 0, false);
		if (!ret)
			break;
		assert_int_equal(ret, -ENOMEM);
		freed = machine->tlb.counts.altmap_freed - freed;
		assert_int_equal(freed % 512, 0);
		if (freed / 512 > finished)
			finished = (unsigned)(freed / 512);
		assert_same(machine, twin);
		assert_clean(machine);
	}
	assert_true(finished >= 3);
	assert_int_equal(add_self_hosted(twin, 4 * GIB, 512 * MIB), 0);
	assert_same(machine, twin);
	pgtsim_machine_free(&machine);
	pgtsim_machine_free(&twin);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_may_use_it),
		cmocka_unit_test(only_for_those_who_ask),
		cmocka_unit_test(several_blocks),
		cmocka_unit_test(reservation),
		cmocka_unit_test(altmap_of_a_block),
		cmocka_unit_test(accounting),
		cmocka_unit_test(offline_of_a_self_hosted_block),
		cmocka_unit_test(leaf_ends_as_the_kernel_sees_them),
		cmocka_unit_test(pages_that_are_online),
		cmocka_unit_test(removal_rules),
		cmocka_unit_test(rollback_of_finished_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
