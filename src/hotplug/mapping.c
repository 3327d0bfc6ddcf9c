/* SPDX-License-Identifier: MIT */
#include "mapping.h"

#include <errno.h>

#include "arch/range.h"
#include "memory_ranges.h"
#include "pgtable/access.h"

int pgtsim_unmap_linear(struct pgtsim_pgtable *pgt, uint64_t va, uint64_t size, uint64_t floor,
			uint64_t ceiling)
{
	const struct pgtsim_unmap unmap = { .start = va, .end = va + size };
	int ret = pgtsim_unmap_range(pgt, &unmap);

	if (ret)
		return ret;
	return pgtsim_free_tables(pgt, va, va + size, floor, ceiling);
}

static void unmap_memory(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	pgtsim_unmap_linear(hotplug->config.pgt, pgtsim_linear_va(hotplug, start), size,
			    hotplug->config.layout->page_offset, hotplug->config.layout->page_end);
}

static int map_memory(struct pgtsim_hotplug *hotplug, const struct pgtsim_coming *coming,
		      uint32_t mark)
{
	struct pgtsim_pgtable *pgt = hotplug->config.pgt;
	bool large = pgtsim_starts_large(pgt->tlb, pgt->policy);
	const struct pgtsim_map map = {
		.va = pgtsim_linear_va(hotplug, coming->start),
		.pa = coming->start,
		.size = coming->size,
		.attrs = pgt->policy->prot[coming->prot],
		.table_attrs = pgt->policy->linear_table,
		.blocks = hotplug->config.blocks || large,
		.cont = hotplug->config.cont || large,
		.region = PGTSIM_REGION_LINEAR,
	};
	int ret = pgtsim_map(pgt, &map);

	if (ret == -ENOMEM && pgt->policy->map_failure == PGTSIM_KEEP) {
		unmap_memory(hotplug, coming->start, coming->size);
		if (pgt->policy->add_failure == PGTSIM_ROLLBACK)
			pgtsim_tables_undo(pgt, map.va, map.va + map.size - 1, mark);
	}
	return ret;
}

/* Frees struct pages as they were populated: the pages that they touch. */
static void free_struct_pages(struct pgtsim_hotplug *hotplug, uint64_t first, uint64_t end,
			      struct pgtsim_altmap *altmap)
{
	uint64_t mask = pgtsim_page_size(&hotplug->config.pgt->geo) - 1;

	pgtsim_vmemmap_free(hotplug->config.vmemmap, first & ~mask, (end + mask) & ~mask, altmap);
}

static void free_memmap(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t end,
			struct pgtsim_altmap *altmap)
{
	free_struct_pages(hotplug, pgtsim_memmap_of(hotplug, start), pgtsim_memmap_of(hotplug, end),
			  altmap);
}

/*
 * True if the leaf at va of the memmap is there already, for a neighbouring section, and unmapping a
 * part would unmap all of it; so not a block whose unused part is tracked.
 */
static bool neighbours_leaf(const struct pgtsim_pgtable *pgt, uint64_t va, uint64_t *mask)
{
	struct pgtsim_translation at;

	if (pgtsim_translate(pgt, va, &at) ||
	    (at.level < PGTSIM_PTE && pgt->policy->vmemmap_partial == PGTSIM_PARTIAL_TRACK_UNUSED))
		return false;
	*mask = at.size - 1;
	return true;
}

/*
 * The leaves at both ends of a range's memmap may be there already, for a neighbour: an add that
 * fails must leave those alone. Early sections, which can only be at its ends, have theirs.
 */
static void find_own_memmap(struct pgtsim_hotplug *hotplug, struct pgtsim_coming *coming)
{
	const struct pgtsim_pgtable *pgt = hotplug->config.pgt;
	uint64_t start = coming->start, end = start + coming->size;
	uint64_t mask;

	if (pgtsim_section_at(hotplug, start)->early)
		start = pgtsim_next_part(hotplug, start, end);
	if (pgtsim_section_at(hotplug, end - 1)->early)
		end = (end - 1) & ~(hotplug->config.section_size - 1);
	coming->own_start = pgtsim_memmap_of(hotplug, start);
	coming->own_end = pgtsim_memmap_of(hotplug, end);
	if (start >= end)
		return;
	if (neighbours_leaf(pgt, coming->own_start, &mask))
		coming->own_start = (coming->own_start | mask) + 1;
	if (neighbours_leaf(pgt, coming->own_end - 1, &mask))
		coming->own_end = (coming->own_end - 1) & ~mask;
}

/* Frees what an add has built of the memmap of [start, end), and nothing that was there before. */
static void free_own_memmap(struct pgtsim_hotplug *hotplug, const struct pgtsim_coming *coming,
			    uint64_t start, uint64_t end, struct pgtsim_altmap *altmap)
{
	uint64_t first = pgtsim_memmap_of(hotplug, start), last = pgtsim_memmap_of(hotplug, end);

	if (first < coming->own_start)
		first = coming->own_start;
	if (last > coming->own_end)
		last = coming->own_end;
	if (first < last)
		free_struct_pages(hotplug, first, last, altmap);
}

/* The section is there from now on, with a usage map unless it had one. */
static void add_usage_map(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t end)
{
	const struct section *section = pgtsim_section_at(hotplug, start);

	if (!section->early && !pgtsim_section_present(section))
		pgtsim_section_changes(hotplug, start, PGTSIM_SECTION_NEW_MAP);
	pgtsim_sections_mark(hotplug->sections, start, end, true);
}

/* section_activate(): part of an early section has its memmap already. */
static int add_part(struct pgtsim_hotplug *hotplug, const struct pgtsim_coming *coming,
		    uint64_t start, uint64_t end)
{
	int ret = 0;

	if (!pgtsim_section_at(hotplug, start)->early)
		ret = pgtsim_vmemmap_populate(hotplug->config.vmemmap,
					      pgtsim_memmap_of(hotplug, start),
					      pgtsim_memmap_of(hotplug, end), coming->altmap, 0);
	if (!ret)
		add_usage_map(hotplug, start, end);
	else if (ret == -ENOMEM && pgtsim_hotplug_policy(hotplug)->populate_failure == PGTSIM_KEEP)
		free_own_memmap(hotplug, coming, start, end, coming->altmap);
	return ret;
}

/* The sections of an add that fails go again, with what it has built of their memmap. */
static void undo_parts(struct pgtsim_hotplug *hotplug, const struct pgtsim_coming *coming,
		       uint64_t end, struct pgtsim_altmap *altmap)
{
	pgtsim_for_each_part (hotplug, pa, part_end, coming->start, end) {
		pgtsim_sections_mark(hotplug->sections, pa, part_end, false);
		free_own_memmap(hotplug, coming, pa, part_end, altmap);
	}
}

/* The end of a section's usage map, as section_deactivate() orders it. */
static void free_usage_map(const struct pgtsim_hotplug *hotplug, uint64_t pa)
{
	if (pgtsim_hotplug_policy(hotplug)->usage_map == PGTSIM_USAGE_MAP_AT_ONCE) {
		pgtsim_section_changes(hotplug, pa, PGTSIM_SECTION_MAP);
		pgtsim_section_changes(hotplug, pa, PGTSIM_SECTION_POINTER);
		return;
	}
	pgtsim_section_changes(hotplug, pa, PGTSIM_SECTION_POINTER);
	pgtsim_section_changes(hotplug, pa, PGTSIM_SECTION_GRACE_PERIOD);
	pgtsim_section_changes(hotplug, pa, PGTSIM_SECTION_MAP);
}

/* __remove_pages(): the memmap of an early section goes with the last of that section. */
static void remove_parts(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t end,
			 struct pgtsim_altmap *altmap)
{
	pgtsim_for_each_part (hotplug, pa, part_end, start, end) {
		struct section *section = pgtsim_section_at(hotplug, pa);

		pgtsim_sections_mark(hotplug->sections, pa, part_end, false);
		if (!section->early && !pgtsim_section_present(section))
			free_usage_map(hotplug, pa);
		if (!section->early || !pgtsim_section_present(section) ||
		    pgtsim_hotplug_policy(hotplug)->early_memmap == PGTSIM_EARLY_MEMMAP_FREED)
			free_memmap(hotplug, pa, part_end, altmap);
		if (!pgtsim_section_present(section))
			section->early = section->offline = false;
	}
}

void pgtsim_range_remove(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size,
			 struct pgtsim_altmap *altmap)
{
	remove_parts(hotplug, start, start + size, altmap);
	unmap_memory(hotplug, start, size);
	if (altmap && altmap->alloc)
		pgtsim_tlb_violation(hotplug->config.pgt->tlb, PGTSIM_V_ALTMAP_NOT_EMPTY,
				     pgtsim_linear_va(hotplug, start), PGTSIM_PTE,
				     "%llu pages are left", (unsigned long long)altmap->alloc);
}

/*
 * Takes back what a failed add has done up to `end`. The kernel leaves its sections, and tables
 * that its bounds keep; here nothing is left, unless the knob says so.
 */
static void undo_range(struct pgtsim_hotplug *hotplug, const struct pgtsim_coming *coming,
		       uint64_t end, uint32_t mark)
{
	struct pgtsim_pgtable *pgt = hotplug->config.pgt;
	uint64_t last = coming->start + coming->size;
	struct pgtsim_altmap *altmap = NULL;

	unmap_memory(hotplug, coming->start, coming->size);
	if (pgt->policy->add_failure == PGTSIM_KEEP)
		return;
	if (pgtsim_hotplug_policy(hotplug)->error_path == PGTSIM_ERROR_PATH_ALTMAP)
		altmap = coming->altmap;
	undo_parts(hotplug, coming, end, altmap);
	pgtsim_tables_undo(pgt, pgtsim_linear_va(hotplug, coming->start),
			   pgtsim_linear_va(hotplug, last) - 1, mark);
	pgtsim_tables_undo(pgt, pgtsim_memmap_of(hotplug, coming->start),
			   pgtsim_memmap_of(hotplug, last) - 1, mark);
}

void pgtsim_range_undo(struct pgtsim_hotplug *hotplug, const struct pgtsim_coming *coming,
		       uint32_t mark)
{
	struct pgtsim_altmap *altmap = NULL;

	if (pgtsim_hotplug_policy(hotplug)->add_failure == PGTSIM_ROLLBACK) {
		undo_range(hotplug, coming, coming->start + coming->size, mark);
		return;
	}
	if (pgtsim_hotplug_policy(hotplug)->error_path == PGTSIM_ERROR_PATH_ALTMAP)
		altmap = coming->altmap;
	pgtsim_range_remove(hotplug, coming->start, coming->size, altmap);
}

int pgtsim_range_add(struct pgtsim_hotplug *hotplug, struct pgtsim_coming *coming, uint32_t mark)
{
	int ret = map_memory(hotplug, coming, mark);

	if (ret)
		return ret;
	find_own_memmap(hotplug, coming);
	pgtsim_for_each_part (hotplug, pa, part_end, coming->start, coming->start + coming->size) {
		ret = add_part(hotplug, coming, pa, part_end);
		if (!ret)
			continue;
		undo_range(hotplug, coming, pa, mark);
		return ret;
	}
	return 0;
}
