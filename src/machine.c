/* SPDX-License-Identifier: MIT */
#include <pgtsim/machine.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct pgtsim_ram default_ram = { 0x40000000, 0x80000000 };

int pgtsim_machine_config_init(struct pgtsim_machine_config *config, const char *profile)
{
	*config = (struct pgtsim_machine_config){
		.granule = 4096,
		.va_bits = 48,
		.struct_page = 64,
		.checker = true,
	};
	return pgtsim_policy_init(&config->policy, profile);
}

/* The configuration with every default filled in. */
static void fill_defaults(struct pgtsim_machine_config *config)
{
	if (!config->ram_count) {
		config->ram = &default_ram;
		config->ram_count = 1;
	}
	if (!config->section_size)
		config->section_size = UINT64_C(1) << (config->granule == 65536 ? 29 : 27);
	if (!config->block_size)
		config->block_size = config->section_size;
}

/* 4K and 16K with 52 bits came with LPA2. */
static int init_geometry(struct pgtsim_geometry *geo, const struct pgtsim_machine_config *config)
{
	if (config->va_bits == 52 && config->granule != 65536 && !config->policy.lpa2)
		return -EINVAL;
	if (pgtsim_geometry_linux(geo, config->granule, config->va_bits, config->va_actual,
				  config->pa_bits))
		return -EINVAL;
	geo->oa_keeps_49_48 = config->policy.oa_keeps_49_48 && geo->oa == PGTSIM_OA_64K_52;
	return 0;
}

static uint64_t lowest_ram(const struct pgtsim_machine_config *config)
{
	uint64_t lowest = UINT64_MAX;

	for (size_t i = 0; i < config->ram_count; i++)
		if (config->ram[i].start < lowest)
			lowest = config->ram[i].start;
	return lowest;
}

static size_t largest_table(const struct pgtsim_geometry *geo)
{
	unsigned bits = 0;

	for (int level = pgtsim_root_level(geo); level <= PGTSIM_PTE; level++)
		if (geo->bits[pgtsim_slot(level)] > bits)
			bits = geo->bits[pgtsim_slot(level)];
	return sizeof(uint64_t) << bits;
}

static int add_boot_memory(struct pgtsim_machine *machine,
			   const struct pgtsim_machine_config *config)
{
	for (size_t i = 0; i < config->ram_count; i++) {
		const struct pgtsim_ram *ram = &config->ram[i];
		int ret = pgtsim_add_boot_memory(&machine->hotplug, ram->start,
						 ram->end - ram->start);

		if (ret)
			return ret;
	}
	return 0;
}

static int init_rooms(struct pgtsim_machine *machine, const struct pgtsim_machine_config *config)
{
	const struct pgtsim_hotplug_config hotplug = {
		.pgt = &machine->pgt,
		.memory = machine->memory,
		.vmemmap = &machine->vmemmap,
		.layout = &machine->layout,
		.section_size = config->section_size,
		.block_size = config->block_size,
		.blocks = config->blocks,
		.cont = config->cont,
		.memmap_on_memory = config->memmap_on_memory,
	};
	int ret = pgtsim_pgtable_init(&machine->pgt, &machine->geo, &machine->policy, &machine->tlb,
				      pgtsim_memory_table_ops(machine->memory), config->access);

	if (ret)
		return ret;
	machine->vmemmap = (struct pgtsim_vmemmap){
		.pgt = &machine->pgt,
		.memory = machine->memory,
		.start = machine->layout.vmemmap_start,
		.end = machine->layout.vmemmap_end,
		.base = machine->layout.vmemmap,
		.section_pages = config->section_size >> machine->geo.page_shift,
		.struct_page = config->struct_page,
	};
	ret = pgtsim_hotplug_init(&machine->hotplug, &hotplug);
	return ret ? ret : add_boot_memory(machine, config);
}

/* ---- boot ---- */

static uint64_t section_end(const struct pgtsim_machine *machine, uint64_t pa)
{
	uint64_t size = machine->hotplug.config.section_size;

	return (pa + size - 1) & ~(size - 1);
}

/* The memmap of the sections of one range: pages of memory that it takes at most. */
static uint64_t memmap_pages(const struct pgtsim_machine *machine, const struct pgtsim_ram *ram)
{
	const struct pgtsim_geometry *geo = &machine->geo;
	uint64_t size = machine->hotplug.config.section_size;
	uint64_t bytes = section_end(machine, ram->end) - (ram->start & ~(size - 1));
	uint64_t block = UINT64_C(1) << geo->shift[pgtsim_slot(PGTSIM_PMD)];

	bytes = (bytes >> geo->page_shift) * machine->vmemmap.struct_page;
	/* Where blocks are used, both ends may be rounded outwards, and the first block aligned. */
	return (bytes >> geo->page_shift) + (geo->page_shift == 12 ? 3 * block >> 12 : 2);
}

/*
 * Takes memory for the memmap of all boot memory, as memblock does, from the end of the highest
 * range that has room: an altmap over those frames hands them out.
 */
static int reserve_memmap(struct pgtsim_machine *machine,
			  const struct pgtsim_machine_config *config,
			  struct pgtsim_altmap *memblock)
{
	unsigned shift = machine->geo.page_shift;
	const struct pgtsim_ram *highest = NULL;

	*memblock = (struct pgtsim_altmap){ 0 };
	for (size_t i = 0; i < config->ram_count; i++)
		memblock->free += memmap_pages(machine, &config->ram[i]);
	for (size_t i = 0; i < config->ram_count; i++) {
		const struct pgtsim_ram *ram = &config->ram[i];

		if ((ram->end - ram->start) >> shift > memblock->free &&
		    (!highest || ram->start > highest->start))
			highest = ram;
	}
	if (!highest)
		return -ENOMEM;
	memblock->base = (highest->end >> shift) - memblock->free;
	return pgtsim_memory_reserve_boot(machine->memory, memblock->base, memblock->free);
}

/* The memmap of one range of boot memory: whole sections. */
static int boot_memmap(struct pgtsim_machine *machine, const struct pgtsim_ram *ram,
		       struct pgtsim_altmap *memblock)
{
	unsigned shift = machine->geo.page_shift;
	uint64_t size = machine->hotplug.config.section_size;
	uint64_t last = section_end(machine, ram->end);
	int ret = 0;

	for (uint64_t pa = ram->start & ~(size - 1); !ret && pa < last; pa += size) {
		uint64_t start = pgtsim_page_of_pfn(&machine->vmemmap, pa >> shift);
		uint64_t end = pgtsim_page_of_pfn(&machine->vmemmap, (pa + size) >> shift);

		ret = pgtsim_vmemmap_populate(&machine->vmemmap, start, end, memblock, 0);
	}
	return ret;
}

static int boot_linear(struct pgtsim_machine *machine, const struct pgtsim_ram *ram)
{
	const struct pgtsim_map map = {
		.va = pgtsim_linear(&machine->layout, ram->start),
		.pa = ram->start,
		.size = ram->end - ram->start,
		.attrs = machine->policy.prot[PGTSIM_PROT_TAGGED],
		.table_attrs = machine->policy.linear_table,
		.blocks = machine->hotplug.config.blocks,
		.cont = machine->hotplug.config.cont,
		.region = PGTSIM_REGION_LINEAR,
	};

	return pgtsim_map(&machine->pgt, &map);
}

/* paging_init() and sparse_init(), as far as the page table shows them; nothing is counted. */
static int boot(struct pgtsim_machine *machine, const struct pgtsim_machine_config *config)
{
	struct pgtsim_altmap memblock;
	int ret = reserve_memmap(machine, config, &memblock);

	/* Memory at boot comes from memblock even where hot-add knows no altmap. */
	machine->policy.altmap_full = PGTSIM_ALTMAP_FAIL;
	for (size_t i = 0; !ret && i < config->ram_count; i++) {
		ret = boot_memmap(machine, &config->ram[i], &memblock);
		if (!ret)
			ret = boot_linear(machine, &config->ram[i]);
	}
	machine->policy.altmap_full = config->policy.altmap_full;
	return ret;
}

static int build(struct pgtsim_machine *machine, const struct pgtsim_machine_config *config)
{
	int ret = init_geometry(&machine->geo, config);

	if (ret)
		return ret;
	if (config->struct_page != 56 && config->struct_page != 64)
		return -EINVAL;
	machine->policy = config->policy;
	pgtsim_layout_init(&machine->layout, &machine->geo, machine->policy.layout,
			   lowest_ram(config), config->struct_page);
	machine->tlb.range_operations = config->tlbi_range;
	machine->tlb.bbml2 = config->bbml2;
	if (config->checker && config->access != PGTSIM_ACCESS_SHARED)
		ret = pgtsim_checker_start(&machine->tlb, &machine->geo, &machine->policy);
	if (ret)
		return ret;
	ret = pgtsim_memory_new(&machine->memory, machine->geo.page_shift,
				largest_table(&machine->geo), config->ram, config->ram_count);
	if (!ret && config->access == PGTSIM_ACCESS_SHARED)
		pgtsim_memory_share(machine->memory);
	if (!ret)
		ret = init_rooms(machine, config);
	if (!ret && config->boot) {
		ret = boot(machine, config);
		pgtsim_tlb_reset_counts(&machine->tlb);
		machine->tlb.counts.tables_allocated = 1;
	}
	return ret;
}

int pgtsim_machine_new(struct pgtsim_machine **out, const struct pgtsim_machine_config *config)
{
	struct pgtsim_machine_config full = *config;
	struct pgtsim_machine *machine = calloc(1, sizeof(*machine));
	int ret;

	*out = NULL;
	if (!machine)
		return -ENOMEM;
	pgtsim_tlb_init(&machine->tlb);
	fill_defaults(&full);
	ret = build(machine, &full);
	if (ret)
		pgtsim_machine_free(&machine);
	*out = machine;
	return ret;
}

void pgtsim_machine_free(struct pgtsim_machine **machine)
{
	struct pgtsim_machine *m = *machine;

	if (!m)
		return;
	pgtsim_hotplug_fini(&m->hotplug);
	pgtsim_vmemmap_fini(&m->vmemmap);
	pgtsim_memory_free(&m->memory);
	pgtsim_tlb_fini(&m->tlb);
	free(m);
	*machine = NULL;
}

struct pgtsim_tlb *pgtsim_machine_tlb(struct pgtsim_machine *machine)
{
	return &machine->tlb;
}

struct pgtsim_pgtable *pgtsim_machine_pgtable(struct pgtsim_machine *machine)
{
	return &machine->pgt;
}

struct pgtsim_hotplug *pgtsim_machine_hotplug(struct pgtsim_machine *machine)
{
	return &machine->hotplug;
}

const struct pgtsim_layout *pgtsim_machine_layout(const struct pgtsim_machine *machine)
{
	return &machine->layout;
}

const struct pgtsim_policy *pgtsim_machine_policy(const struct pgtsim_machine *machine)
{
	return &machine->policy;
}

void pgtsim_machine_bounds(const struct pgtsim_machine *machine, uint64_t start, uint64_t end,
			   uint64_t *floor, uint64_t *ceiling)
{
	const struct pgtsim_layout *layout = &machine->layout;
	uint64_t last = end - 1;

	*floor = *ceiling = 0;
	if (start >= layout->page_offset && last < layout->page_end) {
		*floor = layout->page_offset;
		*ceiling = layout->page_end;
	} else if (start >= layout->vmemmap_start && last < layout->vmemmap_end) {
		*floor = layout->vmemmap_start;
		*ceiling = layout->vmemmap_end;
	}
}

/* ---- /proc/iomem ---- */

/* A hexadecimal number at *text; moves on behind it. */
static bool read_hex(const char **text, const char *end, uint64_t *value)
{
	const char *start = *text;

	for (*value = 0; *text < end && *text - start < 16; (*text)++) {
		const char *digits = "0123456789abcdef";
		const char *digit = **text ? strchr(digits, **text) : NULL;

		if (!digit)
			break;
		*value = *value << 4 | (uint64_t)(digit - digits);
	}
	return *text > start;
}

/* "start-end : name", end inclusive. */
static bool read_line(const char *line, const char *end, struct pgtsim_ram *range, bool *is_ram)
{
	static const char separator[] = " : ", name[] = "System RAM";
	size_t length;

	if (!read_hex(&line, end, &range->start) || line == end || *line++ != '-' ||
	    !read_hex(&line, end, &range->end))
		return false;
	length = (size_t)(end - line);
	if (length < sizeof(separator) - 1 || memcmp(line, separator, sizeof(separator) - 1) != 0)
		return false;
	line += sizeof(separator) - 1;
	length -= sizeof(separator) - 1;
	*is_ram = length == sizeof(name) - 1 && !memcmp(line, name, length);
	return range->end >= range->start;
}

static bool round_inwards(struct pgtsim_ram *range, uint64_t granule)
{
	uint64_t start = (range->start + granule - 1) & ~(granule - 1);
	bool wraps = start < range->start;

	range->start = start;
	range->end = (range->end + 1) & ~(granule - 1);
	return !wraps && range->start < range->end;
}

int pgtsim_iomem_read(const char *text, size_t length, uint32_t granule, struct pgtsim_ram *ram,
		      size_t room)
{
	const char *end = text + length;
	int count = 0;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *line = text, *line_end = newline ? newline : end;
		struct pgtsim_ram range;
		bool is_ram;

		text = newline ? newline + 1 : end;
		/* What is nested is part of what is around it. */
		if (line == line_end || *line == ' ')
			continue;
		if (!read_line(line, line_end, &range, &is_ram) || (!range.start && !range.end))
			return -EINVAL;
		if (!is_ram || !round_inwards(&range, granule))
			continue;
		if ((size_t)count < room)
			ram[count] = range;
		count++;
	}
	return count ? count : -EINVAL;
}
