/* SPDX-License-Identifier: MIT */
#include <pgtsim/hotplug.h>

#include <errno.h>
#include <stdlib.h>

/* ---- the directory of sections ---- */

enum {
	PA_BITS = 52,
	LEAF_SHIFT = 8, /* sections in one part of the directory, log2 */
	MIN_SECTION_SHIFT = PGTSIM_SUBSECTION_SHIFT,
	MAX_SECTION_SHIFT = 30,
};

struct pgtsim_sections {
	unsigned shift;  /* log2 of the section size */
	size_t parts;
	struct pgtsim_section_state *part[];
};

static struct pgtsim_sections *sections_new(unsigned shift)
{
	size_t parts = (size_t)1 << (PA_BITS - shift - LEAF_SHIFT);
	struct pgtsim_sections *sections;

	sections = calloc(1, sizeof(*sections) + parts * sizeof(sections->part[0]));
	if (sections) {
		sections->shift = shift;
		sections->parts = parts;
	}
	return sections;
}

static void sections_free(struct pgtsim_sections *sections)
{
	if (!sections)
		return;
	for (size_t i = 0; i < sections->parts; i++)
		free(sections->part[i]);
	free(sections);
}

/* The section that holds pa, or NULL if nothing near it was ever added. */
static struct pgtsim_section_state *find_section(const struct pgtsim_sections *sections,
						 uint64_t pa)
{
	uint64_t number = pa >> sections->shift;
	struct pgtsim_section_state *part;

	if (pa >> PA_BITS)
		return NULL;
	part = sections->part[number >> LEAF_SHIFT];
	return part ? &part[number & ((1u << LEAF_SHIFT) - 1)] : NULL;
}

/* Makes the directory hold [start, end), so that find_section() does not fail there. */
static int prepare_sections(struct pgtsim_sections *sections, uint64_t start, uint64_t end)
{
	uint64_t first = start >> sections->shift >> LEAF_SHIFT;
	uint64_t last = (end - 1) >> sections->shift >> LEAF_SHIFT;

	for (uint64_t i = first; i <= last; i++) {
		if (sections->part[i])
			continue;
		sections->part[i] = calloc((size_t)1 << LEAF_SHIFT, sizeof(**sections->part));
		if (!sections->part[i])
			return -ENOMEM;
	}
	return 0;
}

struct pgtsim_section_state pgtsim_section_state(const struct pgtsim_hotplug *hotplug, uint64_t pa)
{
	const struct pgtsim_section_state *section = find_section(hotplug->sections, pa);

	return section ? *section : (struct pgtsim_section_state){ 0 };
}

/* ---- creation ---- */

static bool power_of_two(uint64_t value)
{
	return value && !(value & (value - 1));
}

int pgtsim_hotplug_init(struct pgtsim_hotplug *hotplug, const struct pgtsim_hotplug_config *config)
{
	unsigned shift = MIN_SECTION_SHIFT;

	if (!power_of_two(config->section_size) || !power_of_two(config->block_size) ||
	    config->block_size < config->section_size || config->block_size >> PA_BITS ||
	    config->section_size < pgtsim_page_size(&config->pgt->geo))
		return -EINVAL;
	while (shift <= MAX_SECTION_SHIFT && config->section_size >> shift != 1)
		shift++;
	if (shift > MAX_SECTION_SHIFT)
		return -EINVAL;
	hotplug->config = *config;
	hotplug->sections = sections_new(shift);
	return hotplug->sections ? 0 : -ENOMEM;
}

void pgtsim_hotplug_fini(struct pgtsim_hotplug *hotplug)
{
	sections_free(hotplug->sections);
	hotplug->sections = NULL;
}

/* ---- ranges ---- */

/* Walks the sections of [start, start + size): `pa` is the address of each. */
#define for_each_section(hotplug, pa, start, size)                                                 \
	for (uint64_t pa = (start); pa - (start) < (size); pa += (hotplug)->config.section_size)

static bool block_aligned(const struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	return size && !((start | size) & (hotplug->config.block_size - 1)) &&
	       start + (size - 1) >= start;
}

/* arch_get_mappable_range(): what the linear map can hold. */
static bool mappable(const struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	const struct pgtsim_layout *layout = hotplug->config.layout;
	const struct pgtsim_geometry *geo = &hotplug->config.pgt->geo;
	uint64_t room = layout->page_end - layout->linear_start;
	uint64_t first = layout->memstart + (layout->linear_start - layout->page_offset);

	return !pgtsim_geometry_check_pa(geo, start, size) && start >= first &&
	       start - first < room && size <= room - (start - first);
}

enum wanted {
	WANT_PRESENT,
	WANT_ONLINE,
	WANT_OFFLINE,
	WANT_HOTPLUGGED,
};

static bool section_is(const struct pgtsim_section_state *section, enum wanted wanted)
{
	switch (wanted) {
	case WANT_PRESENT:
		return section->present;
	case WANT_ONLINE:
		return section->present && section->online;
	case WANT_OFFLINE:
		return section->present && !section->online;
	case WANT_HOTPLUGGED:
		return section->present && !section->early;
	}
	return false;
}

static bool all_sections(const struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size,
			 enum wanted wanted)
{
	for_each_section(hotplug, pa, start, size) {
		const struct pgtsim_section_state *section = find_section(hotplug->sections, pa);

		if (!section || !section_is(section, wanted))
			return false;
	}
	return true;
}

static bool any_present(const struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	for_each_section(hotplug, pa, start, size) {
		const struct pgtsim_section_state *section = find_section(hotplug->sections, pa);

		if (section && section->present)
			return true;
	}
	return false;
}

int pgtsim_add_boot_memory(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	uint64_t mask = hotplug->config.section_size - 1;
	uint64_t first = start & ~mask;

	if (!size || !mappable(hotplug, start, size))
		return -EINVAL;
	if (prepare_sections(hotplug->sections, start, start + size))
		return -ENOMEM;
	for_each_section(hotplug, pa, first, start + size - first)
		*find_section(hotplug->sections, pa) = (struct pgtsim_section_state){
			.present = true,
			.early = true,
			.online = true,
		};
	return 0;
}

/* ---- add and remove ---- */

static uint64_t linear(const struct pgtsim_hotplug *hotplug, uint64_t pa)
{
	return pgtsim_linear(hotplug->config.layout, pa);
}

static uint64_t memmap_of(const struct pgtsim_hotplug *hotplug, uint64_t pa)
{
	return pgtsim_page_of_pfn(hotplug->config.vmemmap,
				  pa >> hotplug->config.pgt->geo.page_shift);
}

int pgtsim_unmap_linear(struct pgtsim_pgtable *pgt, uint64_t va, uint64_t size, uint64_t floor,
			uint64_t ceiling)
{
	const struct pgtsim_unmap unmap = { .start = va, .end = va + size };
	int ret;

	if (pgtsim_geometry_check_va(&pgt->geo, va, size))
		return -EINVAL;
	ret = pgtsim_unmap_range(pgt, &unmap);
	if (ret)
		return ret;
	return pgtsim_free_tables(pgt, va, va + size, floor, ceiling);
}

static void unmap_memory(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	pgtsim_unmap_linear(hotplug->config.pgt, linear(hotplug, start), size,
			    hotplug->config.layout->page_offset, hotplug->config.layout->page_end);
}

static int map_memory(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	struct pgtsim_pgtable *pgt = hotplug->config.pgt;
	const struct pgtsim_map map = {
		.va = linear(hotplug, start),
		.pa = start,
		.size = size,
		.attrs = pgt->policy->prot[PGTSIM_PROT_TAGGED],
		.table_attrs = pgt->policy->linear_table,
		.blocks = hotplug->config.blocks,
		.cont = hotplug->config.cont,
		.region = PGTSIM_REGION_LINEAR,
	};
	int ret = pgtsim_map(pgt, &map);

	if (ret == -ENOMEM && pgt->policy->map_failure == PGTSIM_KEEP)
		unmap_memory(hotplug, start, size);
	return ret;
}

static void free_memmap(struct pgtsim_hotplug *hotplug, uint64_t section)
{
	pgtsim_vmemmap_free(hotplug->config.vmemmap, memmap_of(hotplug, section),
			    memmap_of(hotplug, section + hotplug->config.section_size), NULL);
}

static int add_section(struct pgtsim_hotplug *hotplug, uint64_t pa)
{
	uint64_t start = memmap_of(hotplug, pa);
	uint64_t end = memmap_of(hotplug, pa + hotplug->config.section_size);
	int ret = pgtsim_vmemmap_populate(hotplug->config.vmemmap, start, end, NULL, 0);

	if (!ret)
		find_section(hotplug->sections, pa)->present = true;
	else if (ret == -ENOMEM && hotplug->config.pgt->policy->populate_failure == PGTSIM_KEEP)
		free_memmap(hotplug, pa);
	return ret;
}

static void remove_sections(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	for_each_section(hotplug, pa, start, size) {
		free_memmap(hotplug, pa);
		*find_section(hotplug->sections, pa) = (struct pgtsim_section_state){ 0 };
	}
}

/* Adds sections; *added is how many bytes of them are there when one fails. */
static int add_sections(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size,
			uint64_t *added)
{
	for_each_section(hotplug, pa, start, size) {
		int ret = add_section(hotplug, pa);

		if (ret)
			return ret;
		*added += hotplug->config.section_size;
	}
	return 0;
}

/*
 * Takes back an add of which `added` bytes of sections are there. The kernel leaves those, and
 * tables that its bounds keep; here nothing is left, unless the knob says so.
 */
static void undo_add(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size,
		     uint64_t added, uint32_t mark)
{
	struct pgtsim_pgtable *pgt = hotplug->config.pgt;

	unmap_memory(hotplug, start, size);
	if (pgt->policy->add_failure == PGTSIM_KEEP)
		return;
	remove_sections(hotplug, start, added);
	pgtsim_tables_undo(pgt, linear(hotplug, start), linear(hotplug, start + size) - 1, mark);
	pgtsim_tables_undo(pgt, memmap_of(hotplug, start), memmap_of(hotplug, start + size) - 1,
			   mark);
}

int pgtsim_add_memory(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	uint64_t added = 0;
	uint32_t mark;
	int ret;

	if (!block_aligned(hotplug, start, size))
		return -EINVAL;
	if (!mappable(hotplug, start, size))
		return -E2BIG;
	if (any_present(hotplug, start, size))
		return -EEXIST;
	if (prepare_sections(hotplug->sections, start, start + size))
		return -ENOMEM;
	mark = pgtsim_tables_mark(hotplug->config.pgt);
	ret = map_memory(hotplug, start, size);
	if (ret)
		return ret;
	ret = add_sections(hotplug, start, size, &added);
	if (ret)
		undo_add(hotplug, start, size, added, mark);
	return ret;
}

int pgtsim_remove_memory(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	if (!block_aligned(hotplug, start, size) ||
	    !all_sections(hotplug, start, size, WANT_PRESENT))
		return -EINVAL;
	if (!all_sections(hotplug, start, size, WANT_OFFLINE))
		return -EBUSY;
	remove_sections(hotplug, start, size);
	unmap_memory(hotplug, start, size);
	return 0;
}

/* ---- online and offline ---- */

static void set_online(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size, bool online,
		       enum pgtsim_zone zone)
{
	for_each_section(hotplug, pa, start, size) {
		struct pgtsim_section_state *section = find_section(hotplug->sections, pa);

		section->online = online;
		section->zone = zone;
	}
}

int pgtsim_online_memory(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size,
			 enum pgtsim_zone zone)
{
	if (!block_aligned(hotplug, start, size) ||
	    !all_sections(hotplug, start, size, WANT_OFFLINE))
		return -EINVAL;
	set_online(hotplug, start, size, true, zone);
	return 0;
}

/* Whether the leaf, or the contiguous group, that translates va - 1 goes on at va. */
static bool inside_leaf(const struct pgtsim_pgtable *pgt, uint64_t va)
{
	struct pgtsim_translation at;
	uint64_t size;

	if (pgtsim_translate(pgt, va - 1, &at))
		return false;
	size = at.size;
	if (at.desc & PGTSIM_DESC_CONT)
		size <<= pgt->geo.cont[pgtsim_slot(at.level)];
	return (va & (size - 1)) != 0;
}

static bool splits_leaf(const struct pgtsim_pgtable *pgt, uint64_t start, uint64_t end)
{
	return inside_leaf(pgt, start) || inside_leaf(pgt, end);
}

int pgtsim_offline_memory(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	const struct pgtsim_pgtable *pgt = hotplug->config.pgt;

	if (!block_aligned(hotplug, start, size) ||
	    !all_sections(hotplug, start, size, WANT_ONLINE))
		return -EINVAL;
	if (!all_sections(hotplug, start, size, WANT_HOTPLUGGED))
		return -EPERM;
	if (pgt->policy->leaf_split == PGTSIM_SPLIT_REFUSE &&
	    (splits_leaf(pgt, linear(hotplug, start), linear(hotplug, start + size)) ||
	     splits_leaf(pgt, memmap_of(hotplug, start), memmap_of(hotplug, start + size))))
		return -EPERM;
	set_online(hotplug, start, size, false, PGTSIM_ZONE_NORMAL);
	return 0;
}
