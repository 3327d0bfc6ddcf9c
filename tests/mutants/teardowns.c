/* SPDX-License-Identifier: MIT */
/*
 * Maps, populates, adds and removes in all ordinary ways, on page tables of every geometry, and
 * prints the name of each violation once. Without a fault there is none; with one it shows what
 * the library's own checks notice, without looking at any counter.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgtsim/pgtsim.h>

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static bool found[PGTSIM_V_COUNT];
static unsigned runs, failures;

/* Prints which operation failed and goes on with the rest. */
static void must(int ret, const char *what)
{
	if (ret && !failures++)
		printf("failed-to-%s: error %d\n", what, -ret);
}

/* Checks, notes what was found, and takes the machine down. */
static void finish(struct pgtsim_machine *machine, bool whole)
{
	size_t count;
	const struct pgtsim_violation *kept;

	if (whole)
		pgtsim_check_machine(machine);
	else
		pgtsim_check(&machine->pgt);
	kept = pgtsim_violations(&machine->tlb, &count);
	for (size_t i = 0; i < count; i++) {
		if (!found[kept[i].name])
			printf("%s: %s\n", pgtsim_violation_kind(kept[i].name)->name, kept[i].text);
		found[kept[i].name] = true;
	}
	runs++;
	pgtsim_machine_free(&machine);
}

struct way {
	const char *profile, *flush;
	uint32_t granule;
	unsigned va_bits;
	bool blocks, cont, range, single;
};

/* NULL where the profile cannot run the geometry. */
static struct pgtsim_machine *machine_of(const struct way *way, bool boot)
{
	/* The linear map's contiguous groups begin where memory's do. */
	static const struct pgtsim_ram ram = { 16 * GIB, 16 * GIB + 512 * MIB };
	struct pgtsim_machine_config config;
	struct pgtsim_machine *machine;

	must(pgtsim_machine_config_init(&config, way->profile), way->profile);
	must(pgtsim_policy_set(&config.policy, "flush", way->flush), way->flush);
	config.granule = way->granule;
	config.va_bits = way->va_bits;
	config.blocks = way->blocks;
	config.cont = way->cont;
	config.tlbi_range = way->range;
	config.boot = boot;
	config.ram = &ram;
	config.ram_count = 1;
	if (pgtsim_machine_new(&machine, &config))
		return NULL;
	machine->tlb.single = way->single;
	return machine;
}

/*
 * Maps part of the linear map by pages, or by blocks and pages, and unmaps exactly that. With
 * `ragged` the range begins and ends inside a page.
 */
static void map_and_unmap(const struct way *way, uint64_t offset, uint64_t pages, bool ragged)
{
	struct pgtsim_machine *machine = machine_of(way, false);
	struct pgtsim_map map = { .blocks = way->blocks, .cont = way->cont };
	uint64_t page, va;

	if (!machine)
		return;
	page = pgtsim_page_size(&machine->geo);
	va = pgtsim_linear(&machine->layout, 20 * GIB) + offset * page;
	map.va = va;
	map.pa = 20 * GIB + offset * page;
	map.size = pages * page;
	map.attrs = machine->policy.prot[PGTSIM_PROT_TAGGED];
	map.table_attrs = machine->policy.linear_table;
	for (unsigned round = 0; round < 2; round++) {
		const struct pgtsim_unmap unmap = {
			.start = va + (ragged ? 0x123 : 0),
			.end = va + map.size - (ragged ? 0x321 : 0),
		};

		must(pgtsim_map(&machine->pgt, &map), "map");
		must(pgtsim_unmap_range(&machine->pgt, &unmap), "unmap");
		must(pgtsim_free_tables(&machine->pgt, unmap.start, unmap.end, 0, 0), "tables");
	}
	if (machine->tlb.counts.tables_allocated - machine->tlb.counts.tables_freed != 1)
		printf("tables are left\n");
	finish(machine, false);
}

/* Populates a memmap of this many bytes and removes exactly that, by a gather if asked. */
static void populate_and_free(const struct way *way, uint64_t bytes, bool gather)
{
	struct pgtsim_machine *machine = machine_of(way, false);
	uint64_t start, free_pages;

	if (!machine)
		return;
	start = pgtsim_page_of_pfn(&machine->vmemmap, 20 * GIB >> machine->geo.page_shift);
	free_pages = pgtsim_memory_free_count(machine->memory);
	for (unsigned round = 0; round < 2; round++) {
		struct pgtsim_gather gathered;

		must(pgtsim_vmemmap_populate(&machine->vmemmap, start, start + bytes, NULL, 0),
		     "populate");
		if (gather) {
			pgtsim_gather_init(&gathered, &machine->pgt, machine->memory, NULL);
			/* Removes the second half first. */
			must(pgtsim_gather_unmap(&gathered, start + bytes / 2, start + bytes),
			     "gather");
			must(pgtsim_gather_unmap(&gathered, start, start + bytes / 2), "gather");
			pgtsim_gather_flush(&gathered);
			must(pgtsim_free_tables(&machine->pgt, start, start + bytes, 0, 0),
			     "tables");
		} else {
			must(pgtsim_vmemmap_free(&machine->vmemmap, start, start + bytes, NULL),
			     "free");
		}
	}
	if (gather && pgtsim_memory_free_count(machine->memory) != free_pages)
		printf("memory is left\n");
	finish(machine, false);
}

/* Adds memory blocks, brings them online and offline, and removes them, one in the middle first. */
static void hotplug(const struct way *way)
{
	struct pgtsim_machine *machine = machine_of(way, true);
	struct pgtsim_hotplug *hotplug;
	uint64_t block;

	if (!machine)
		return;
	hotplug = &machine->hotplug;
	block = hotplug->config.block_size;
	must(pgtsim_add_memory(hotplug, 20 * GIB, 3 * block), "add");
	must(pgtsim_online_memory(hotplug, 20 * GIB, block, PGTSIM_ZONE_NORMAL), "online");
	must(pgtsim_offline_memory(hotplug, 20 * GIB, block), "offline");
	must(pgtsim_remove_memory(hotplug, 20 * GIB + block, block), "remove");
	must(pgtsim_add_memory(hotplug, 20 * GIB + block, block), "add");
	must(pgtsim_remove_memory(hotplug, 20 * GIB, 3 * block), "remove");
	finish(machine, true);
}

/* An add in which the nth allocation fails: what it built is taken back. */
static void failing_add(const struct way *way, unsigned nth)
{
	struct pgtsim_machine *machine = machine_of(way, true);

	if (!machine)
		return;
	pgtsim_memory_fail(machine->memory, nth, false);
	(void)pgtsim_add_memory(&machine->hotplug, 20 * GIB,
				2 * machine->hotplug.config.block_size);
	finish(machine, true);
}

static void all_of(const struct way *way)
{
	static const uint64_t sizes[] = {
		1, 2, 3, 37, 511, 512, 513, 1024, 1500, 2048, 8191, 8193
	};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		map_and_unmap(way, 0, sizes[i], false);
		map_and_unmap(way, 500, sizes[i], false);
		/* Earlier kernels do not invalidate the end of the range. */
		if (!strcmp(way->profile, "linux-7.3"))
			map_and_unmap(way, 500, sizes[i], true);
	}
	for (uint64_t mib = 1; mib <= 4; mib *= 2) {
		populate_and_free(way, mib * MIB, false);
		if (strcmp(way->flush, "per-leaf") != 0)
			populate_and_free(way, mib * MIB, true);
	}
	hotplug(way);
	for (unsigned nth = 1; nth < 8; nth++)
		failing_add(way, nth);
}

int main(void)
{
	static const struct {
		const char *profile, *flush;
		bool cont, range;
	} kernels[] = {
		{ "linux-5.7", "per-leaf", false, false },
		{ "linux-6.1", "range", true, false },
		{ "linux-6.1", "per-page-of-block", true, false },
		{ "linux-6.12", "range", true, false },
		{ "linux-7.3", "range", true, false },
		{ "linux-7.3", "range", true, true },
	};
	static const struct {
		uint32_t granule;
		unsigned va_bits;
	} regimes[] = { { 4096, 48 }, { 4096, 39 }, { 4096, 52 }, { 16384, 47 }, { 65536, 48 } };
	size_t ways = sizeof(kernels) / sizeof(kernels[0]) * (sizeof(regimes) / sizeof(regimes[0]));
	bool any = false;

	setvbuf(stdout, NULL, _IOLBF, 0); /* with a fault it may not get to the end */
	for (size_t i = 0; i < 4 * ways; i++) {
		size_t k = i / 4 % (sizeof(kernels) / sizeof(kernels[0]));
		size_t r = i / 4 / (sizeof(kernels) / sizeof(kernels[0]));
		const struct way way = {
			.profile = kernels[k].profile,
			.flush = kernels[k].flush,
			.granule = regimes[r].granule,
			.va_bits = regimes[r].va_bits,
			.blocks = i % 2,
			.cont = kernels[k].cont,
			.range = kernels[k].range,
			.single = i % 4 / 2,
		};

		all_of(&way);
	}
	for (size_t i = 0; i < PGTSIM_V_COUNT; i++)
		any |= found[i];
	printf("%u runs\n", runs);
	return any || failures;
}
