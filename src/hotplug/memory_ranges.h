/* SPDX-License-Identifier: MIT */
/*
 * memory_ranges: how hotplug divides physical ranges into memory blocks and sections.
 */
#ifndef PGTSIM_MEMORY_RANGES_H
#define PGTSIM_MEMORY_RANGES_H

#include "events/events.h"
#include "sections.h"

/* pgtsim_fail() of the machine. */
#define pgtsim_hotplug_fail(hotplug, ...) pgtsim_fail((hotplug)->config.pgt->tlb, __VA_ARGS__)

/* The check at the border of each operation. 0, -EINVAL (NULL), -EBUSY (a notifier calls) or -ENOBUFS. */
int pgtsim_hotplug_ready(const struct pgtsim_hotplug *hotplug);

/* 0, or -EBUSY with the reason if a notifier is being told. */
int pgtsim_hotplug_not_notifying(const struct pgtsim_hotplug *hotplug);

/*
 * Checks of a range: that it begins and ends with a unit, a power of two of bytes that is called
 * `name`; that the linear map can hold it, or else `code`. Return 0 or the error with its reason.
 */
int pgtsim_hotplug_check_units(const struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size,
			       uint64_t unit, const char *name);
int pgtsim_hotplug_check_reach(const struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size,
			       int code);

/* Both of memory blocks. */
int pgtsim_hotplug_check_blocks(const struct pgtsim_hotplug *hotplug, uint64_t start,
				uint64_t size);

/* What an operation returns: -ENOBUFS from the moment on at which the host was out of memory. */
int pgtsim_hotplug_end(struct pgtsim_hotplug *hotplug, int result);

/* Walks the memory blocks of [start, start + size): `pa` is the address of each. */
#define pgtsim_for_each_block(hotplug, pa, start, size) \
	for (uint64_t pa = (start); pa - (start) < (size); pa += (hotplug)->config.block_size)

static inline struct section *pgtsim_section_at(const struct pgtsim_hotplug *hotplug, uint64_t pa)
{
	return pgtsim_sections_find(hotplug->sections, pa);
}

static inline struct memory_block *pgtsim_block_at(const struct pgtsim_hotplug *hotplug,
						   uint64_t pa)
{
	const struct section *section = pgtsim_section_at(hotplug, pa);

	return section ? section->block : NULL;
}

/* Tells the hook, if there is one, before this of a section changes. */
static inline void pgtsim_section_changes(const struct pgtsim_hotplug *hotplug, uint64_t pa,
					  enum pgtsim_section_part part)
{
	struct pgtsim_access_hook *hook = hotplug->config.pgt->hook;

	if (hook && hook->section)
		hook->section(hook, pa, part);
}

static inline bool pgtsim_is_aligned(uint64_t start, uint64_t size, uint64_t unit)
{
	return size && !((start | size) & (unit - 1)) && start + (size - 1) >= start;
}

static inline bool pgtsim_is_block_aligned(const struct pgtsim_hotplug *hotplug, uint64_t start,
					   uint64_t size)
{
	return pgtsim_is_aligned(start, size, hotplug->config.block_size);
}

/* arch_get_mappable_range(): what the linear map can hold. */
static inline bool pgtsim_is_mappable(const struct pgtsim_hotplug *hotplug, uint64_t start,
				      uint64_t size)
{
	const struct pgtsim_layout *layout = hotplug->config.layout;
	const struct pgtsim_geometry *geo = &hotplug->config.pgt->geo;
	uint64_t room = layout->page_end - layout->linear_start;
	uint64_t first = layout->memstart + (layout->linear_start - layout->page_offset);

	return !pgtsim_geometry_check_pa(geo, start, size) && start >= first &&
	       start - first < room && size <= room - (start - first);
}

static inline uint64_t pgtsim_pages_of(const struct pgtsim_hotplug *hotplug, uint64_t bytes)
{
	return bytes >> hotplug->config.pgt->geo.page_shift;
}

static inline const struct pgtsim_policy *
pgtsim_hotplug_policy(const struct pgtsim_hotplug *hotplug)
{
	return hotplug->config.pgt->policy;
}

/* Walks [start, end) section by section: [pa, part_end) is the part in each. */
#define pgtsim_for_each_part(hotplug, pa, part_end, start, end)                                \
	for (uint64_t pa = (start), part_end = pgtsim_next_part(hotplug, pa, end); pa < (end); \
	     pa = part_end, part_end = pgtsim_next_part(hotplug, pa, end))

static inline uint64_t pgtsim_next_part(const struct pgtsim_hotplug *hotplug, uint64_t pa,
					uint64_t end)
{
	uint64_t next = (pa | (hotplug->config.section_size - 1)) + 1;

	return next < end ? next : end;
}

static inline uint64_t pgtsim_linear_va(const struct pgtsim_hotplug *hotplug, uint64_t pa)
{
	return pgtsim_linear(hotplug->config.layout, pa);
}

static inline uint64_t pgtsim_memmap_of(const struct pgtsim_hotplug *hotplug, uint64_t pa)
{
	return pgtsim_page_of_pfn(hotplug->config.vmemmap, pgtsim_pages_of(hotplug, pa));
}

#endif
