/* SPDX-License-Identifier: MIT */
#include <pgtsim/hotplug.h>

#include <errno.h>
#include <stdlib.h>

#include "checks.h"
#include "online.h"
#include "ranges.h"
#include "sections.h"
#include "short.h"

enum { MAX_SECTION_SHIFT = 30 };

/* ---- creation ---- */

static bool power_of_two(uint64_t value)
{
	return value && !(value & (value - 1));
}

int pgtsim_hotplug_init(struct pgtsim_hotplug *hotplug, const struct pgtsim_hotplug_config *config)
{
	unsigned shift = PGTSIM_SUBSECTION_SHIFT;

	if (!power_of_two(config->section_size) || !power_of_two(config->block_size) ||
	    config->block_size < config->section_size ||
	    pgtsim_geometry_check_pa(&config->pgt->geo, 0, config->block_size) ||
	    config->section_size < pgtsim_page_size(&config->pgt->geo))
		return -EINVAL;
	while (shift <= MAX_SECTION_SHIFT && config->section_size >> shift != 1)
		shift++;
	if (shift > MAX_SECTION_SHIFT)
		return -EINVAL;
	*hotplug = (struct pgtsim_hotplug){ .config = *config };
	hotplug->sections = pgtsim_sections_new(shift);
	return hotplug->sections ? 0 : -ENOMEM;
}

static void free_blocks(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size);

void pgtsim_hotplug_fini(struct pgtsim_hotplug *hotplug)
{
	if (hotplug->sections)
		free_blocks(hotplug, 0, UINT64_C(1) << 52);
	while (hotplug->devices) {
		struct pgtsim_device *device = hotplug->devices;

		hotplug->devices = device->next;
		free(device);
	}
	pgtsim_used_free(hotplug->used);
	hotplug->used = NULL;
	pgtsim_sections_free(hotplug->sections);
	hotplug->sections = NULL;
}

/* ---- boot memory ---- */

int pgtsim_add_boot_memory(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	struct pgtsim_zone_state *zone = &hotplug->zones[0][PGTSIM_ZONE_NORMAL];
	uint64_t section = hotplug->config.section_size, block = hotplug->config.block_size - 1;

	if (!size || !mappable(hotplug, start, size))
		return -EINVAL;
	/* Whole memory blocks, as online and offline look at those. */
	if (pgtsim_sections_prepare(hotplug->sections, start & ~block,
				    ((start + size - 1) | block) + 1))
		return -ENOMEM;
	pgtsim_sections_mark(hotplug->sections, start, start + size, true);
	for (uint64_t pa = start & ~(section - 1); pa < start + size; pa += section)
		section_at(hotplug, pa)->early = true;
	pgtsim_zone_grow(zone, pages_of(hotplug, start), pages_of(hotplug, size));
	zone->present += pages_of(hotplug, size);
	zone->managed += pages_of(hotplug, size);
	return 0;
}

struct pgtsim_section_state pgtsim_section_state(const struct pgtsim_hotplug *hotplug, uint64_t pa)
{
	const struct section *section = section_at(hotplug, pa);
	struct pgtsim_section_state state = { 0 };

	if (!section || !pgtsim_section_present(section))
		return state;
	state.present = true;
	state.early = section->early;
	state.online = section->early && !section->offline;
	if (section->block) {
		state.online = section->block->online;
		state.zone = section->block->zone;
		state.memmap_pages = section->block->memmap_pages;
	}
	return state;
}

/* ---- linear map and vmemmap of a range ---- */

/* A range that comes, and where its memmap comes from. */
struct coming {
	uint64_t start, size;
	struct pgtsim_altmap *altmap;
	enum pgtsim_prot prot;
	uint64_t own_start, own_end; /* what of its memmap is not there yet: find_own_memmap() */
};

int pgtsim_unmap_linear(struct pgtsim_pgtable *pgt, uint64_t va, uint64_t size, uint64_t floor,
			uint64_t ceiling)
{
	if (!pgtsim_va_fits(&pgt->geo, va, size))
		return -EINVAL;
	return pgtsim_unmap_and_free(pgt, va, va + (size - 1), floor, ceiling);
}

static void unmap_memory(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	pgtsim_unmap_linear(hotplug->config.pgt, linear(hotplug, start), size,
			    hotplug->config.layout->page_offset, hotplug->config.layout->page_end);
}

static int map_memory(struct pgtsim_hotplug *hotplug, const struct coming *coming, uint32_t mark)
{
	struct pgtsim_pgtable *pgt = hotplug->config.pgt;
	const struct pgtsim_map map = {
		.va = linear(hotplug, coming->start),
		.pa = coming->start,
		.size = coming->size,
		.attrs = pgt->policy->prot[coming->prot],
		.table_attrs = pgt->policy->linear_table,
		.blocks = hotplug->config.blocks,
		.cont = hotplug->config.cont,
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
	free_struct_pages(hotplug, memmap_of(hotplug, start), memmap_of(hotplug, end), altmap);
}

/*
 * Whether the leaf that maps this part of the memmap is there, for a neighbour, and would go with
 * any part of it: not a block whose unused part is tracked.
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
static void find_own_memmap(struct pgtsim_hotplug *hotplug, struct coming *coming)
{
	const struct pgtsim_pgtable *pgt = hotplug->config.pgt;
	uint64_t start = coming->start, end = start + coming->size;
	uint64_t mask;

	if (section_at(hotplug, start)->early)
		start = next_part(hotplug, start, end);
	if (section_at(hotplug, end - 1)->early)
		end = (end - 1) & ~(hotplug->config.section_size - 1);
	coming->own_start = memmap_of(hotplug, start);
	coming->own_end = memmap_of(hotplug, end);
	if (start >= end)
		return;
	if (neighbours_leaf(pgt, coming->own_start, &mask))
		coming->own_start = (coming->own_start | mask) + 1;
	if (neighbours_leaf(pgt, coming->own_end - 1, &mask))
		coming->own_end = (coming->own_end - 1) & ~mask;
}

/* Frees what an add has built of the memmap of [start, end), and nothing that was there before. */
static void free_own_memmap(struct pgtsim_hotplug *hotplug, const struct coming *coming,
			    uint64_t start, uint64_t end, struct pgtsim_altmap *altmap)
{
	uint64_t first = memmap_of(hotplug, start), last = memmap_of(hotplug, end);

	if (first < coming->own_start)
		first = coming->own_start;
	if (last > coming->own_end)
		last = coming->own_end;
	if (first < last)
		free_struct_pages(hotplug, first, last, altmap);
}

/* section_activate(): part of an early section has its memmap already. */
static int add_part(struct pgtsim_hotplug *hotplug, const struct coming *coming, uint64_t start,
		    uint64_t end)
{
	int ret = 0;

	if (!section_at(hotplug, start)->early)
		ret = pgtsim_vmemmap_populate(hotplug->config.vmemmap, memmap_of(hotplug, start),
					      memmap_of(hotplug, end), coming->altmap, 0);
	if (!ret)
		pgtsim_sections_mark(hotplug->sections, start, end, true);
	else if (ret == -ENOMEM && policy_of(hotplug)->populate_failure == PGTSIM_KEEP)
		free_own_memmap(hotplug, coming, start, end, coming->altmap);
	return ret;
}

/* The sections of an add that fails go again, with what it has built of their memmap. */
static void undo_parts(struct pgtsim_hotplug *hotplug, const struct coming *coming, uint64_t end,
		       struct pgtsim_altmap *altmap)
{
	for_each_part (hotplug, pa, part_end, coming->start, end) {
		pgtsim_sections_mark(hotplug->sections, pa, part_end, false);
		free_own_memmap(hotplug, coming, pa, part_end, altmap);
	}
}

/* __remove_pages(): the memmap of an early section goes with the last of that section. */
static void remove_parts(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t end,
			 struct pgtsim_altmap *altmap)
{
	for_each_part (hotplug, pa, part_end, start, end) {
		struct section *section = section_at(hotplug, pa);

		pgtsim_sections_mark(hotplug->sections, pa, part_end, false);
		if (!section->early || !pgtsim_section_present(section) ||
		    policy_of(hotplug)->early_memmap == PGTSIM_EARLY_MEMMAP_FREED)
			free_memmap(hotplug, pa, part_end, altmap);
		if (!pgtsim_section_present(section))
			section->early = section->offline = false;
	}
}

static void remove_range(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size,
			 struct pgtsim_altmap *altmap)
{
	remove_parts(hotplug, start, start + size, altmap);
	unmap_memory(hotplug, start, size);
	if (altmap && altmap->alloc)
		pgtsim_tlb_violation(hotplug->config.pgt->tlb, PGTSIM_V_ALTMAP_NOT_EMPTY,
				     linear(hotplug, start), PGTSIM_PTE, "%llu pages are left",
				     (unsigned long long)altmap->alloc);
}

/*
 * Takes back what a failed add has done up to `end`. The kernel leaves its sections, and tables
 * that its bounds keep; here nothing is left, unless the knob says so.
 */
static void undo_range(struct pgtsim_hotplug *hotplug, const struct coming *coming, uint64_t end,
		       uint32_t mark)
{
	struct pgtsim_pgtable *pgt = hotplug->config.pgt;
	uint64_t last = coming->start + coming->size;
	struct pgtsim_altmap *altmap = NULL;

	unmap_memory(hotplug, coming->start, coming->size);
	if (pgt->policy->add_failure == PGTSIM_KEEP)
		return;
	if (policy_of(hotplug)->error_path == PGTSIM_ERROR_PATH_ALTMAP)
		altmap = coming->altmap;
	undo_parts(hotplug, coming, end, altmap);
	pgtsim_tables_undo(pgt, linear(hotplug, coming->start), linear(hotplug, last) - 1, mark);
	pgtsim_tables_undo(pgt, memmap_of(hotplug, coming->start), memmap_of(hotplug, last) - 1,
			   mark);
}

/* Takes back an add whose memory blocks failed: the kernel calls arch_remove_memory() then. */
static void undo_added(struct pgtsim_hotplug *hotplug, const struct coming *coming, uint32_t mark)
{
	struct pgtsim_altmap *altmap = NULL;

	if (policy_of(hotplug)->add_failure == PGTSIM_ROLLBACK) {
		undo_range(hotplug, coming, coming->start + coming->size, mark);
		return;
	}
	if (policy_of(hotplug)->error_path == PGTSIM_ERROR_PATH_ALTMAP)
		altmap = coming->altmap;
	remove_range(hotplug, coming->start, coming->size, altmap);
}

/* arch_add_memory(): the linear map of all of it, then each section's memmap. */
static int add_range(struct pgtsim_hotplug *hotplug, struct coming *coming, uint32_t mark)
{
	int ret = map_memory(hotplug, coming, mark);

	if (ret)
		return ret;
	find_own_memmap(hotplug, coming);
	for_each_part (hotplug, pa, part_end, coming->start, coming->start + coming->size) {
		ret = add_part(hotplug, coming, pa, part_end);
		if (!ret)
			continue;
		undo_range(hotplug, coming, pa, mark);
		return ret;
	}
	return 0;
}

/* ---- memory blocks ---- */

/* Makes an offline block of the sections from `start` on. */
static int add_block(struct pgtsim_hotplug *hotplug, uint64_t start, unsigned node,
		     const struct pgtsim_altmap *altmap, uint64_t memmap_pages)
{
	struct memory_block *block;

	if (pgtsim_memory_alloc_small(hotplug->config.memory))
		return -ENOMEM;
	block = calloc(1, sizeof(*block));
	if (!block)
		return -ENOMEM;
	block->start = start;
	block->node = node;
	block->memmap_pages = memmap_pages;
	if (altmap)
		block->altmap = *altmap;
	for_each_part (hotplug, pa, part_end, start, start + hotplug->config.block_size)
		section_at(hotplug, pa)->block = block;
	return 0;
}

static void free_blocks(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	uint64_t end = start + size;

	for (uint64_t pa = start; (pa = pgtsim_sections_next(hotplug->sections, pa, end)) < end;
	     pa += hotplug->config.section_size) {
		struct section *section = section_at(hotplug, pa);
		struct memory_block *block = section->block;

		section->block = NULL;
		if (block &&
		    pa + hotplug->config.section_size == block->start + hotplug->config.block_size)
			free(block);
	}
}

static int add_blocks(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size, unsigned node)
{
	for_each_block (hotplug, pa, start, size) {
		if (add_block(hotplug, pa, node, NULL, 0)) {
			free_blocks(hotplug, start, size);
			return -ENOMEM;
		}
	}
	return 0;
}

/* ---- memmap on memory ---- */

/*
 * The pages at a block's start that its memmap takes, 0 if the release does not do it for blocks of
 * this size. Models mhp_supports_memmap_on_memory(); a page block is as large as a pmd.
 */
static uint64_t reserved_pages(const struct pgtsim_hotplug *hotplug)
{
	const struct pgtsim_geometry *geo = &hotplug->config.pgt->geo;
	uint64_t pmd = pgtsim_entry_size(geo, PGTSIM_PMD), block = hotplug->config.block_size;
	uint64_t bytes = pages_of(hotplug, block) * hotplug->config.vmemmap->struct_page;
	uint64_t reserved = bytes;

	if (hotplug->config.memmap_on_memory == PGTSIM_MEMMAP_OFF)
		return 0;
	if (policy_of(hotplug)->mom_check == PGTSIM_MOM_CHECK_NONE)
		return pages_of(hotplug, bytes + pgtsim_page_size(geo) - 1);
	if (bytes & (pmd - 1))
		return 0;
	if (policy_of(hotplug)->memmap_on_memory == PGTSIM_MOM_5_14)
		return (block - bytes) & (pmd - 1) ? 0 : pages_of(hotplug, bytes);
	if (hotplug->config.memmap_on_memory == PGTSIM_MEMMAP_FORCE)
		reserved = (bytes + pmd - 1) & ~(pmd - 1);
	if (reserved & (pmd - 1) || reserved >= block)
		return 0;
	return pages_of(hotplug, reserved);
}

static struct pgtsim_altmap block_altmap(const struct pgtsim_hotplug *hotplug, uint64_t start,
					 uint64_t reserved)
{
	bool whole = policy_of(hotplug)->memmap_on_memory == PGTSIM_MOM_5_14;

	return (struct pgtsim_altmap){
		.base = pages_of(hotplug, start),
		.free = whole ? pages_of(hotplug, hotplug->config.block_size) : reserved,
	};
}

/* One block that holds its own memmap: its mapping, its sections, itself. */
static int add_self_hosted_block(struct pgtsim_hotplug *hotplug, uint64_t start, unsigned node,
				 uint64_t reserved, uint32_t mark)
{
	struct pgtsim_altmap altmap = block_altmap(hotplug, start, reserved);
	struct coming coming = {
		.start = start,
		.size = hotplug->config.block_size,
		.altmap = &altmap,
		.prot = PGTSIM_PROT_TAGGED,
	};
	int ret = add_range(hotplug, &coming, mark);

	if (ret)
		return ret;
	ret = add_block(hotplug, start, node, &altmap, reserved);
	if (ret)
		undo_added(hotplug, &coming, mark);
	return ret;
}

static void remove_self_hosted_blocks(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	for_each_block (hotplug, pa, start, size) {
		struct pgtsim_altmap altmap = block_at(hotplug, pa)->altmap;

		free_blocks(hotplug, pa, hotplug->config.block_size);
		remove_range(hotplug, pa, hotplug->config.block_size, &altmap);
	}
}

/* create_altmaps_and_memory_blocks(): finished blocks go again if a later one fails. */
static int add_self_hosted(struct pgtsim_hotplug *hotplug, const struct pgtsim_add *add,
			   uint64_t reserved, uint32_t mark)
{
	struct pgtsim_pgtable *pgt = hotplug->config.pgt;

	for_each_block (hotplug, pa, add->start, add->size) {
		int ret = add_self_hosted_block(hotplug, pa, add->node, reserved, mark);

		if (!ret)
			continue;
		remove_self_hosted_blocks(hotplug, add->start, pa - add->start);
		pgtsim_tables_undo(pgt, linear(hotplug, add->start),
				   linear(hotplug, add->start + add->size) - 1, mark);
		pgtsim_tables_undo(pgt, memmap_of(hotplug, add->start),
				   memmap_of(hotplug, add->start + add->size) - 1, mark);
		return ret;
	}
	return 0;
}

/* Up to 6.7 one block alone can hold its memmap. */
static bool one_block_at_most(const struct pgtsim_hotplug *hotplug)
{
	return policy_of(hotplug)->memmap_on_memory < PGTSIM_MOM_6_8;
}

/*
 * Pages to reserve in each block, 0 for an ordinary add, or -EINVAL: 5.14 to 6.5 refuse what they
 * cannot do.
 */
static int64_t wanted_reservation(const struct pgtsim_hotplug *hotplug,
				  const struct pgtsim_add *add)
{
	uint64_t reserved = 0;

	if (!add->memmap_on_memory)
		return 0;
	if (policy_of(hotplug)->memmap_on_memory == PGTSIM_MOM_NONE)
		return -EINVAL;
	if (!one_block_at_most(hotplug) || add->size == hotplug->config.block_size)
		reserved = reserved_pages(hotplug);
	if (!reserved && policy_of(hotplug)->memmap_on_memory == PGTSIM_MOM_5_14)
		return -EINVAL;
	return (int64_t)reserved;
}

/* ---- add ---- */

static int check_new(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	if (!mappable(hotplug, start, size))
		return -E2BIG;
	if (pgtsim_sections_any(hotplug->sections, start, start + size))
		return -EEXIST;
	return pgtsim_sections_prepare(hotplug->sections, start, start + size);
}

static int add_plain(struct pgtsim_hotplug *hotplug, const struct pgtsim_add *add, uint32_t mark)
{
	struct coming coming = {
		.start = add->start,
		.size = add->size,
		.prot = PGTSIM_PROT_TAGGED,
	};
	int ret = add_range(hotplug, &coming, mark);

	if (ret)
		return ret;
	ret = add_blocks(hotplug, add->start, add->size, add->node);
	if (ret)
		undo_added(hotplug, &coming, mark);
	return ret;
}

/* vmem_altmap_offset() and pagemap_range(): the altmap describes this very range. */
static bool altmap_fits(const struct pgtsim_hotplug *hotplug, const struct pgtsim_add *add)
{
	const struct pgtsim_altmap *altmap = add->altmap;
	uint64_t pages = pages_of(hotplug, add->size);

	return altmap->base == pages_of(hotplug, add->start) && altmap->reserve <= pages &&
	       altmap->free <= pages - altmap->reserve;
}

static int add_device(struct pgtsim_hotplug *hotplug, const struct pgtsim_add *add)
{
	struct coming coming = {
		.start = add->start,
		.size = add->size,
		.altmap = add->altmap,
		.prot = PGTSIM_PROT_KERNEL,
	};
	struct pgtsim_altmap before = add->altmap ? *add->altmap : (struct pgtsim_altmap){ 0 };
	struct pgtsim_device *device = malloc(sizeof(*device));
	int ret = -ENOMEM;

	if (device)
		ret = add_range(hotplug, &coming, pgtsim_tables_mark(hotplug->config.pgt));
	if (ret) {
		if (add->altmap && policy_of(hotplug)->add_failure == PGTSIM_ROLLBACK)
			*add->altmap = before;
		free(device);
		return ret;
	}
	*device = (struct pgtsim_device){ add->start, add->size, add->altmap, hotplug->devices };
	hotplug->devices = device;
	return 0;
}

int pgtsim_add_range(struct pgtsim_hotplug *hotplug, const struct pgtsim_add *add)
{
	uint64_t unit =
		add->device ? UINT64_C(1) << PGTSIM_SUBSECTION_SHIFT : hotplug->config.block_size;
	int64_t reserved = wanted_reservation(hotplug, add);
	uint32_t mark;
	int ret;

	if (add->device && unit < pgtsim_page_size(&hotplug->config.pgt->geo))
		unit = pgtsim_page_size(&hotplug->config.pgt->geo);
	if (!aligned(add->start, add->size, unit) || add->node >= PGTSIM_NODES || reserved < 0 ||
	    (add->altmap && !add->device) || (add->device && add->memmap_on_memory) ||
	    (add->altmap && !altmap_fits(hotplug, add)))
		return -EINVAL;
	ret = check_new(hotplug, add->start, add->size);
	if (ret)
		return ret;
	if (add->device)
		return add_device(hotplug, add);
	mark = pgtsim_tables_mark(hotplug->config.pgt);
	if (reserved)
		return add_self_hosted(hotplug, add, (uint64_t)reserved, mark);
	return add_plain(hotplug, add, mark);
}

int pgtsim_add_memory(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	const struct pgtsim_add add = { .start = start, .size = size };

	return pgtsim_add_range(hotplug, &add);
}

/* ---- remove ---- */

static int remove_device(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	struct pgtsim_device **link = &hotplug->devices;
	struct pgtsim_device *device;

	while (*link && ((*link)->start != start || (*link)->size != size))
		link = &(*link)->next;
	device = *link;
	if (!device)
		return -ENOENT;
	*link = device->next;
	remove_range(hotplug, start, size, device->altmap);
	free(device);
	return 0;
}

/* Whether all blocks are there and offline; how many of them hold their own memmap. */
static int check_blocks(const struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size,
			uint64_t *self_hosted)
{
	bool busy = false;

	*self_hosted = 0;
	for_each_block (hotplug, pa, start, size) {
		const struct section *section = section_at(hotplug, pa);

		if (!section || !(section->early || section->block))
			return -EINVAL;
		busy |= section->early ? !section->offline : section->block->online;
		*self_hosted += section->block && section->block->memmap_pages;
	}
	return busy ? -EBUSY : 0;
}

int pgtsim_remove_memory(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	uint64_t blocks = size / hotplug->config.block_size, self_hosted;
	int ret = remove_device(hotplug, start, size);

	if (ret != -ENOENT)
		return ret;
	if (!block_aligned(hotplug, start, size) || !mappable(hotplug, start, size))
		return -EINVAL;
	ret = check_blocks(hotplug, start, size, &self_hosted);
	if (ret)
		return ret;
	if (self_hosted && (one_block_at_most(hotplug) ? blocks > 1 : self_hosted < blocks))
		return -EINVAL;
	if (self_hosted) {
		remove_self_hosted_blocks(hotplug, start, size);
		return 0;
	}
	free_blocks(hotplug, start, size);
	remove_range(hotplug, start, size, NULL);
	return 0;
}

/* ---- owners ---- */

static bool handed_out(const struct pgtsim_altmap *altmap, uint64_t pfn)
{
	return altmap && pfn - (altmap->base + altmap->reserve) < altmap->alloc + altmap->align;
}

enum pgtsim_owner pgtsim_frame_owner(const struct pgtsim_hotplug *hotplug, uint64_t pfn)
{
	uint64_t pa = pfn << hotplug->config.pgt->geo.page_shift;
	const struct memory_block *block = block_at(hotplug, pa);

	if (block && block->memmap_pages && handed_out(&block->altmap, pfn))
		return PGTSIM_OWNER_ALTMAP;
	for (const struct pgtsim_device *d = hotplug->devices; d; d = d->next)
		if (pa - d->start < d->size && handed_out(d->altmap, pfn))
			return PGTSIM_OWNER_ALTMAP;
	return pgtsim_memory_owner(hotplug->config.memory, pfn);
}
