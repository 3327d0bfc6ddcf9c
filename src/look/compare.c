/* SPDX-License-Identifier: MIT */
/* compare: whether two machines are in the same state. */
#include <pgtsim/check.h>

#include <string.h>

#include "hotplug/online.h"
#include "hotplug/sections.h"

/* Compares the tables of va; *out receives the first entry that differs. */
static bool tables_differ(const struct pgtsim_pgtable *a, const struct pgtsim_table *table_a,
			  const struct pgtsim_pgtable *b, const struct pgtsim_table *table_b,
			  uint64_t va, struct pgtsim_difference *out)
{
	unsigned entries = pgtsim_entries(&a->geo, table_a->level);
	uint64_t size = pgtsim_entry_size(&a->geo, table_a->level);

	for (unsigned i = 0; i < entries; i++, va += size) {
		uint64_t desc = pgtsim_entry(a, table_a, i), other = pgtsim_entry(b, table_b, i);
		const struct pgtsim_table *child_a, *child_b;
		uint64_t pa;

		*out = (struct pgtsim_difference){ table_a->level, va, desc, other };
		if (desc != other)
			return true;
		if (!pgtsim_desc_is_table(table_a->level, desc))
			continue;
		pa = pgtsim_desc_address(&a->geo, table_a->level, desc);
		child_a = a->ops.find(a->ops.ctx, pa);
		child_b = b->ops.find(b->ops.ctx, pa);
		if (!child_a != !child_b)
			return true;
		if (child_a && child_a->level == table_a->level + 1 &&
		    (child_b->level != child_a->level ||
		     tables_differ(a, child_a, b, child_b, va, out)))
			return true;
	}
	return false;
}

bool pgtsim_pgtable_difference(const struct pgtsim_pgtable *a, const struct pgtsim_pgtable *b,
			       struct pgtsim_difference *out)
{
	if (!a || !b || !out || !a->root || !b->root)
		return false;
	/* The root's last entry ends with the address space, whatever part of it is in use. */
	uint64_t size = pgtsim_entry_size(&a->geo, a->root->level);
	uint64_t va = -(size * pgtsim_entries(&a->geo, a->root->level));

	return tables_differ(a, a->root, b, b->root, va, out);
}

static bool altmaps_equal(const struct pgtsim_altmap *a, const struct pgtsim_altmap *b)
{
	return a->base == b->base && a->reserve == b->reserve && a->free == b->free &&
	       a->align == b->align && a->alloc == b->alloc;
}

static bool blocks_equal(const struct memory_block *a, const struct memory_block *b)
{
	if (!a || !b)
		return a == b;
	return a->start == b->start && a->online == b->online && a->zone == b->zone &&
	       a->node == b->node && a->memmap_pages == b->memmap_pages &&
	       altmaps_equal(&a->altmap, &b->altmap);
}

static bool sections_equal(const struct pgtsim_hotplug *a, const struct pgtsim_hotplug *b)
{
	const uint64_t end = UINT64_C(1) << 52, size = a->config.section_size;

	for (uint64_t pa = 0;; pa = (pa & ~(size - 1)) + size) {
		uint64_t next = pgtsim_sections_next(b->sections, pa, end);
		const struct section *in_a, *in_b;

		pa = pgtsim_sections_next(a->sections, pa, end);
		if (pa != next || pa == end)
			return pa == next;
		in_a = pgtsim_sections_find(a->sections, pa);
		in_b = pgtsim_sections_find(b->sections, pa);
		if (in_a->early != in_b->early || in_a->offline != in_b->offline ||
		    !blocks_equal(in_a->block, in_b->block) ||
		    memcmp(in_a->subsections, in_b->subsections,
			   in_a->words * sizeof(in_a->subsections[0])) != 0)
			return false;
	}
}

static bool devices_equal(const struct pgtsim_device *a, const struct pgtsim_device *b)
{
	for (; a && b; a = a->next, b = b->next)
		if (a->start != b->start || a->size != b->size || !a->altmap != !b->altmap ||
		    (a->altmap && !altmaps_equal(a->altmap, b->altmap)))
			return false;
	return !a && !b;
}

const char *pgtsim_machine_difference(const struct pgtsim_machine *a,
				      const struct pgtsim_machine *b)
{
	struct pgtsim_difference first;

	if (!a || !b)
		return NULL;
	if (memcmp(&a->layout, &b->layout, sizeof(a->layout)) != 0 ||
	    a->hotplug.config.section_size != b->hotplug.config.section_size)
		return "layout";
	if (pgtsim_pgtable_difference(&a->pgt, &b->pgt, &first))
		return "page table";
	if (!pgtsim_memory_equal(a->memory, b->memory))
		return "memory";
	if (!sections_equal(&a->hotplug, &b->hotplug))
		return "sections";
	if (!devices_equal(a->hotplug.devices, b->hotplug.devices))
		return "devices";
	if (!pgtsim_used_equal(a->hotplug.used, b->hotplug.used))
		return "pages in use";
	if (memcmp(a->hotplug.zones, b->hotplug.zones, sizeof(a->hotplug.zones)) != 0)
		return "zones";
	return NULL;
}
