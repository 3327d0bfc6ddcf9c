/* SPDX-License-Identifier: MIT */
/* zones: the spans of zones and nodes, as resize_zone_range() and shrink_zone_span() keep them. */
#include "online.h"

#include "memory_ranges.h"

static bool online_in(const struct section *section, unsigned node, enum pgtsim_zone zone)
{
	if (section->early)
		return !section->offline && node == 0 && zone == PGTSIM_ZONE_NORMAL;
	return section->block && section->block->online && section->block->node == node &&
	       section->block->zone == zone;
}

/* A device's memory may be in an early section, too; it belongs to no zone. */
bool pgtsim_is_systems(const struct pgtsim_hotplug *hotplug, uint64_t pa)
{
	if (!pgtsim_sections_any(hotplug->sections, pa, pa + 1))
		return false;
	for (const struct pgtsim_device *d = hotplug->devices; d; d = d->next)
		if (pa - d->start < d->size)
			return false;
	return true;
}

/* find_smallest_section_pfn(): the first address of the zone in [start, end); end if none. */
static uint64_t first_in_zone(const struct pgtsim_hotplug *hotplug, unsigned node,
			      enum pgtsim_zone zone, uint64_t start, uint64_t end)
{
	const uint64_t step = UINT64_C(1) << PGTSIM_SUBSECTION_SHIFT;
	uint64_t size = hotplug->config.section_size;

	for (uint64_t pa = start; (pa = pgtsim_sections_next(hotplug->sections, pa, end)) < end;
	     pa = (pa & ~(size - 1)) + size)
		if (online_in(pgtsim_section_at(hotplug, pa), node, zone))
			for (uint64_t at = pa; at <= (pa | (size - 1)); at += step)
				if (pgtsim_is_systems(hotplug, at))
					return at;
	return end;
}

/* find_biggest_section_pfn(): the end of the zone's last part in [start, end); start if none. */
static uint64_t last_in_zone(const struct pgtsim_hotplug *hotplug, unsigned node,
			     enum pgtsim_zone zone, uint64_t start, uint64_t end)
{
	const uint64_t step = UINT64_C(1) << PGTSIM_SUBSECTION_SHIFT;
	uint64_t size = hotplug->config.section_size, pa = end;

	while ((pa = pgtsim_sections_previous(hotplug->sections, start, pa)) > start) {
		bool online = online_in(pgtsim_section_at(hotplug, pa - 1), node, zone);

		if (online && pgtsim_is_systems(hotplug, pa - 1))
			return pa;
		pa = (pa - 1) & ~((online ? step : size) - 1);
	}
	return start;
}

void pgtsim_zone_grow(struct pgtsim_zone_state *zone, uint64_t pfn, uint64_t pages)
{
	uint64_t end = zone->spanned ? zone->start_pfn + zone->spanned : pfn;

	if (!zone->spanned || pfn < zone->start_pfn)
		zone->start_pfn = pfn;
	if (pfn + pages > end)
		end = pfn + pages;
	zone->spanned = end - zone->start_pfn;
}

/* shrink_zone_span(): [pfn, pfn + pages) is online no more. */
void pgtsim_zone_shrink(const struct pgtsim_hotplug *hotplug, unsigned node,
			enum pgtsim_zone number, struct pgtsim_zone_state *zone, uint64_t pfn,
			uint64_t pages)
{
	unsigned shift = hotplug->config.pgt->geo.page_shift;
	uint64_t start = zone->start_pfn, end = start + zone->spanned;

	if (start == pfn)
		start = first_in_zone(hotplug, node, number, (pfn + pages) << shift,
				      end << shift) >>
			shift;
	else if (end == pfn + pages)
		end = last_in_zone(hotplug, node, number, start << shift, pfn << shift) >> shift;
	zone->start_pfn = start < end ? start : 0;
	zone->spanned = end - start;
}

struct pgtsim_zone_state pgtsim_zone_state(const struct pgtsim_hotplug *hotplug, unsigned node,
					   enum pgtsim_zone zone)
{
	if (!hotplug || node >= PGTSIM_NODES || (unsigned)zone >= PGTSIM_ZONES)
		return (struct pgtsim_zone_state){ 0 };
	return hotplug->zones[node][zone];
}

struct pgtsim_zone_state pgtsim_node_state(const struct pgtsim_hotplug *hotplug, unsigned node)
{
	struct pgtsim_zone_state sum = { 0 };

	for (unsigned i = 0; hotplug && node < PGTSIM_NODES && i < PGTSIM_ZONES; i++) {
		const struct pgtsim_zone_state *zone = &hotplug->zones[node][i];

		if (zone->spanned)
			pgtsim_zone_grow(&sum, zone->start_pfn, zone->spanned);
		sum.present += zone->present;
		sum.managed += zone->managed;
	}
	return sum;
}
