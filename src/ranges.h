/* SPDX-License-Identifier: MIT */
/*
 * ranges: how hotplug divides physical ranges into memory blocks and sections.
 */
#ifndef PGTSIM_RANGES_H
#define PGTSIM_RANGES_H

#include "sections.h"

/* Walks the memory blocks of [start, start + size): `pa` is the address of each. */
#define for_each_block(hotplug, pa, start, size) \
	for (uint64_t pa = (start); pa - (start) < (size); pa += (hotplug)->config.block_size)

static inline struct section *section_at(const struct pgtsim_hotplug *hotplug, uint64_t pa)
{
	return pgtsim_sections_find(hotplug->sections, pa);
}

static inline struct memory_block *block_at(const struct pgtsim_hotplug *hotplug, uint64_t pa)
{
	const struct section *section = section_at(hotplug, pa);

	return section ? section->block : NULL;
}

static inline bool aligned(uint64_t start, uint64_t size, uint64_t unit)
{
	return size && !((start | size) & (unit - 1)) && start + (size - 1) >= start;
}

static inline bool block_aligned(const struct pgtsim_hotplug *hotplug, uint64_t start,
				 uint64_t size)
{
	return aligned(start, size, hotplug->config.block_size);
}

/* arch_get_mappable_range(): what the linear map can hold. */
static inline bool mappable(const struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	const struct pgtsim_layout *layout = hotplug->config.layout;
	const struct pgtsim_geometry *geo = &hotplug->config.pgt->geo;
	uint64_t room = layout->page_end - layout->linear_start;
	uint64_t first = layout->memstart + (layout->linear_start - layout->page_offset);

	return !pgtsim_geometry_check_pa(geo, start, size) && start >= first &&
	       start - first < room && size <= room - (start - first);
}

static inline uint64_t pages_of(const struct pgtsim_hotplug *hotplug, uint64_t bytes)
{
	return bytes >> hotplug->config.pgt->geo.page_shift;
}

static inline const struct pgtsim_policy *policy_of(const struct pgtsim_hotplug *hotplug)
{
	return hotplug->config.pgt->policy;
}

/* Walks [start, end) section by section: [pa, part_end) is the part in each. */
#define for_each_part(hotplug, pa, part_end, start, end)                                \
	for (uint64_t pa = (start), part_end = next_part(hotplug, pa, end); pa < (end); \
	     pa = part_end, part_end = next_part(hotplug, pa, end))

static inline uint64_t next_part(const struct pgtsim_hotplug *hotplug, uint64_t pa, uint64_t end)
{
	uint64_t next = (pa | (hotplug->config.section_size - 1)) + 1;

	return next < end ? next : end;
}

static inline uint64_t linear(const struct pgtsim_hotplug *hotplug, uint64_t pa)
{
	return pgtsim_linear(hotplug->config.layout, pa);
}

static inline uint64_t memmap_of(const struct pgtsim_hotplug *hotplug, uint64_t pa)
{
	return pgtsim_page_of_pfn(hotplug->config.vmemmap, pages_of(hotplug, pa));
}

#endif
