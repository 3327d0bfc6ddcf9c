/* SPDX-License-Identifier: MIT */
#include <pgtsim/hotplug.h>

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "blocks.h"
#include "mapping.h"
#include "memory_ranges.h"
#include "online.h"
#include "memory/lookup.h"
#include "pgtable/access.h"

enum { MAX_SECTION_SHIFT = 30 };

static_assert(sizeof(void *) != 8 || sizeof(struct pgtsim_hotplug_config) == 88,
	      "a new member takes reserved room: it moves no member of a program compiled before");

/* ---- creation ---- */

static bool power_of_two(uint64_t value)
{
	return value && !(value & (value - 1));
}

static int check_sizes(const struct pgtsim_hotplug_config *config)
{
	const struct pgtsim_geometry *geo = &config->pgt->geo;
	uint64_t section = config->section_size, block = config->block_size;
	struct pgtsim_tlb *tlb = config->pgt->tlb;

	if (!power_of_two(section))
		return pgtsim_fail(tlb, -EINVAL, "section=%s is not a power of two",
				   pgtsim_amount(section).text);
	if (section < UINT64_C(1) << PGTSIM_SUBSECTION_SHIFT || section < pgtsim_page_size(geo) ||
	    section > UINT64_C(1) << MAX_SECTION_SHIFT)
		return pgtsim_fail(tlb, -EINVAL,
				   "section=%s: a section has 2M to 1G, and at least a page",
				   pgtsim_amount(section).text);
	if (!power_of_two(block))
		return pgtsim_fail(tlb, -EINVAL, "block=%s is not a power of two",
				   pgtsim_amount(block).text);
	if (block < section)
		return pgtsim_fail(tlb, -EINVAL, "block=%s is less than a section (%s)",
				   pgtsim_amount(block).text, pgtsim_amount(section).text);
	if (pgtsim_geometry_check_pa(geo, 0, block))
		return pgtsim_fail(tlb, -EINVAL, "block=%s is more than %u physical address bits",
				   pgtsim_amount(block).text, geo->pa_bits);
	return 0;
}

int pgtsim_hotplug_init(struct pgtsim_hotplug *hotplug, const struct pgtsim_hotplug_config *config)
{
	unsigned shift = PGTSIM_SUBSECTION_SHIFT;
	int ret;

	if (!hotplug || !config || !config->pgt)
		return -EINVAL;
	if (!config->memory || !config->vmemmap || !config->layout)
		return pgtsim_fail(config->pgt->tlb, -EINVAL, "the hotplug configuration has no %s",
				   !config->memory  ? "memory" :
				   !config->vmemmap ? "vmemmap" :
						      "layout");
	if ((unsigned)config->memmap_on_memory > PGTSIM_MEMMAP_FORCE)
		return pgtsim_fail(config->pgt->tlb, -EINVAL, "there is no memmap_on_memory %u",
				   (unsigned)config->memmap_on_memory);
	ret = check_sizes(config);
	if (ret)
		return ret;
	while (config->section_size >> shift != 1)
		shift++;
	*hotplug = (struct pgtsim_hotplug){ .config = *config };
	hotplug->sections = pgtsim_sections_new(shift);
	return hotplug->sections ? 0 : -ENOBUFS;
}

int pgtsim_hotplug_not_notifying(const struct pgtsim_hotplug *hotplug)
{
	if (pgtsim_pgtable_busy(hotplug->config.pgt))
		return pgtsim_pgtable_fail_busy(hotplug->config.pgt);
	if (!hotplug->notifying)
		return 0;
	return pgtsim_hotplug_fail(hotplug, -EBUSY,
				   "a notifier calls back into the operation that tells it");
}

int pgtsim_hotplug_check_units(const struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size,
			       uint64_t unit, const char *name)
{
	if (!size)
		return pgtsim_hotplug_fail(hotplug, -EINVAL, "the range is empty");
	if (size & (unit - 1))
		return pgtsim_hotplug_fail(hotplug, -EINVAL,
					   "its size is not a multiple of %s (%s)", name,
					   pgtsim_amount(unit).text);
	if (start & (unit - 1))
		return pgtsim_hotplug_fail(hotplug, -EINVAL,
					   "its start is not a multiple of %s (%s)", name,
					   pgtsim_amount(unit).text);
	if (start + (size - 1) < start)
		return pgtsim_hotplug_fail(hotplug, -EINVAL, "the range goes beyond 64 bits");
	return 0;
}

int pgtsim_hotplug_check_reach(const struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size,
			       int code)
{
	const struct pgtsim_layout *layout = hotplug->config.layout;
	const struct pgtsim_geometry *geo = &hotplug->config.pgt->geo;
	uint64_t first = layout->memstart + (layout->linear_start - layout->page_offset);
	uint64_t end = first + (layout->page_end - layout->linear_start);

	if (pgtsim_is_mappable(hotplug, start, size))
		return 0;
	if (end > UINT64_C(1) << geo->pa_bits)
		end = UINT64_C(1) << geo->pa_bits;
	return pgtsim_hotplug_fail(hotplug, code,
				   "beyond the linear map of this machine (PA 0x%" PRIx64
				   " to 0x%" PRIx64 " with va=%u)",
				   first, end, geo->va_bits);
}

int pgtsim_hotplug_check_blocks(const struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	int ret = pgtsim_hotplug_check_units(hotplug, start, size, hotplug->config.block_size,
					     "the memory block");

	return ret ? ret : pgtsim_hotplug_check_reach(hotplug, start, size, -EINVAL);
}

int pgtsim_hotplug_ready(const struct pgtsim_hotplug *hotplug)
{
	int ret = hotplug ? pgtsim_hotplug_not_notifying(hotplug) : -EINVAL;

	return ret ? ret : pgtsim_memory_result(hotplug->config.memory, 0);
}

int pgtsim_hotplug_end(struct pgtsim_hotplug *hotplug, int result)
{
	if (result == -ENOBUFS)
		pgtsim_memory_host_failed(hotplug->config.memory);
	return pgtsim_memory_result(hotplug->config.memory, result);
}

void pgtsim_hotplug_fini(struct pgtsim_hotplug *hotplug)
{
	if (!hotplug)
		return;
	if (hotplug->sections)
		pgtsim_blocks_free(hotplug, 0, UINT64_C(1) << 52);
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

static int add_boot_memory(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	struct pgtsim_zone_state *zone = &hotplug->zones[0][PGTSIM_ZONE_NORMAL];
	uint64_t section = hotplug->config.section_size, block = hotplug->config.block_size - 1;
	int ret;

	if (!size)
		return pgtsim_hotplug_fail(hotplug, -EINVAL, "the range is empty");
	ret = pgtsim_hotplug_check_reach(hotplug, start, size, -EINVAL);
	if (ret)
		return ret;
	/* Whole memory blocks, as online and offline look at those. */
	if (pgtsim_sections_prepare(hotplug->sections, start & ~block,
				    ((start + size - 1) | block) + 1))
		return -ENOBUFS;
	pgtsim_sections_mark(hotplug->sections, start, start + size, true);
	for (uint64_t pa = start & ~(section - 1); pa < start + size; pa += section)
		pgtsim_section_at(hotplug, pa)->early = true;
	pgtsim_zone_grow(zone, pgtsim_pages_of(hotplug, start), pgtsim_pages_of(hotplug, size));
	zone->present += pgtsim_pages_of(hotplug, size);
	zone->managed += pgtsim_pages_of(hotplug, size);
	return 0;
}

int pgtsim_add_boot_memory(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	int ret = pgtsim_hotplug_ready(hotplug);

	return ret ? ret : pgtsim_hotplug_end(hotplug, add_boot_memory(hotplug, start, size));
}

struct pgtsim_section_state pgtsim_section_state(const struct pgtsim_hotplug *hotplug, uint64_t pa)
{
	if (!hotplug)
		return (struct pgtsim_section_state){ 0 };

	const struct section *section = pgtsim_section_at(hotplug, pa);
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
		state.node = section->block->node;
	}
	return state;
}

uint64_t pgtsim_next_section(const struct pgtsim_hotplug *hotplug, uint64_t pa)
{
	const uint64_t end = UINT64_C(1) << 52;

	if (!hotplug || pa >= end)
		return UINT64_MAX;
	pa = pgtsim_sections_next(hotplug->sections, pa, end);
	return pa < end ? pa : UINT64_MAX;
}

/* ---- add ---- */

static int check_new(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	static const int outside[] = {
		[PGTSIM_ADD_OUTSIDE_EINVAL] = -EINVAL,
		[PGTSIM_ADD_OUTSIDE_E2BIG] = -E2BIG,
		[PGTSIM_ADD_OUTSIDE_ERANGE] = -ERANGE,
	};
	unsigned rule = pgtsim_hotplug_policy(hotplug)->add_outside;
	bool known = rule < sizeof(outside) / sizeof(outside[0]);
	int ret = pgtsim_hotplug_check_reach(hotplug, start, size,
					     known ? outside[rule] : -EINVAL);

	if (ret)
		return ret;
	if (pgtsim_sections_any(hotplug->sections, start, start + size))
		return pgtsim_hotplug_fail(hotplug, -EEXIST,
					   "there is memory in this range already");
	return pgtsim_sections_prepare(hotplug->sections, start, start + size);
}

static int add_plain(struct pgtsim_hotplug *hotplug, const struct pgtsim_add *add, uint32_t mark)
{
	struct pgtsim_coming coming = {
		.start = add->start,
		.size = add->size,
		.prot = PGTSIM_PROT_TAGGED,
	};
	int ret = pgtsim_range_add(hotplug, &coming, mark);

	if (ret)
		return ret;
	ret = pgtsim_blocks_add(hotplug, add->start, add->size, add->node);
	if (ret)
		pgtsim_range_undo(hotplug, &coming, mark);
	return ret;
}

/* vmem_altmap_offset() and pagemap_range(): the altmap describes this very range. */
static bool altmap_fits(const struct pgtsim_hotplug *hotplug, const struct pgtsim_add *add)
{
	const struct pgtsim_altmap *altmap = add->altmap;
	uint64_t pages = pgtsim_pages_of(hotplug, add->size);

	return altmap->base == pgtsim_pages_of(hotplug, add->start) && altmap->reserve <= pages &&
	       altmap->free <= pages - altmap->reserve;
}

static int add_device(struct pgtsim_hotplug *hotplug, const struct pgtsim_add *add)
{
	struct pgtsim_coming coming = {
		.start = add->start,
		.size = add->size,
		.altmap = add->altmap,
		.prot = PGTSIM_PROT_KERNEL,
	};
	struct pgtsim_altmap before = add->altmap ? *add->altmap : (struct pgtsim_altmap){ 0 };
	struct pgtsim_device *device = malloc(sizeof(*device));
	int ret = -ENOBUFS;

	if (device)
		ret = pgtsim_range_add(hotplug, &coming, pgtsim_tables_mark(hotplug->config.pgt));
	if (ret) {
		if (add->altmap && pgtsim_hotplug_policy(hotplug)->add_failure == PGTSIM_ROLLBACK)
			*add->altmap = before;
		free(device);
		return ret;
	}
	*device = (struct pgtsim_device){ add->start, add->size, add->altmap, hotplug->devices };
	hotplug->devices = device;
	return 0;
}

static int check_units(const struct pgtsim_hotplug *hotplug, const struct pgtsim_add *add)
{
	uint64_t page = pgtsim_page_size(&hotplug->config.pgt->geo);
	uint64_t subsection = UINT64_C(1) << PGTSIM_SUBSECTION_SHIFT;

	if (!add->device)
		return pgtsim_hotplug_check_units(hotplug, add->start, add->size,
						  hotplug->config.block_size, "the memory block");
	if (page > subsection)
		return pgtsim_hotplug_check_units(hotplug, add->start, add->size, page,
						  "the page size");
	return pgtsim_hotplug_check_units(hotplug, add->start, add->size, subsection,
					  "the sub-section");
}

/* What may be asked for together. */
static int check_add(const struct pgtsim_hotplug *hotplug, const struct pgtsim_add *add)
{
	if (add->node >= PGTSIM_NODES)
		return pgtsim_hotplug_fail(hotplug, -EINVAL, "there are nodes 0 to %d",
					   PGTSIM_NODES - 1);
	if (add->altmap && !add->device)
		return pgtsim_hotplug_fail(hotplug, -EINVAL,
					   "only the memory of a device takes an altmap");
	if (add->device && add->memmap_on_memory)
		return pgtsim_hotplug_fail(
			hotplug, -EINVAL,
			"memmap-on-memory is for memory blocks, not for a device");
	if (add->altmap &&
	    pgtsim_hotplug_policy(hotplug)->altmap_full == PGTSIM_ALTMAP_REFUSED)
		return pgtsim_hotplug_fail(hotplug, -EINVAL,
					   "this kernel adds no memory with an altmap");
	if (add->altmap && !altmap_fits(hotplug, add))
		return pgtsim_hotplug_fail(
			hotplug, -EINVAL,
			"the altmap must begin with the range, and reserve and free must fit into it: "
			"base=0x%" PRIx64 " reserve=%" PRIu64 " free=%" PRIu64
			", and the range has %" PRIu64 " pages from 0x%" PRIx64 " on",
			add->altmap->base, add->altmap->reserve, add->altmap->free,
			pgtsim_pages_of(hotplug, add->size), pgtsim_pages_of(hotplug, add->start));
	return 0;
}

static int add_range(struct pgtsim_hotplug *hotplug, const struct pgtsim_add *add)
{
	struct pgtsim_error why;
	int64_t reserved;
	uint32_t mark;
	int ret = check_units(hotplug, add);

	if (!ret)
		ret = check_add(hotplug, add);
	if (ret)
		return ret;
	reserved = pgtsim_wanted_reservation(hotplug, add, &why);
	if (reserved < 0)
		return pgtsim_hotplug_fail(hotplug, (int)reserved, "%s", why.text);
	ret = check_new(hotplug, add->start, add->size);
	if (ret)
		return ret;
	if (add->device)
		return add_device(hotplug, add);
	mark = pgtsim_tables_mark(hotplug->config.pgt);
	if (reserved)
		return pgtsim_self_hosted_add(hotplug, add, (uint64_t)reserved, mark);
	return add_plain(hotplug, add, mark);
}

int pgtsim_add_range(struct pgtsim_hotplug *hotplug, const struct pgtsim_add *add)
{
	int ret = add ? pgtsim_hotplug_ready(hotplug) : -EINVAL;

	return ret ? ret : pgtsim_hotplug_end(hotplug, add_range(hotplug, add));
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
	pgtsim_range_remove(hotplug, start, size, device->altmap);
	free(device);
	return 0;
}

/* 0 if all blocks are there and offline; *self_hosted: how many of them hold their own memmap. */
static int check_blocks(const struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size,
			uint64_t *self_hosted)
{
	bool busy = false;
	uint64_t busy_at = 0;

	*self_hosted = 0;
	pgtsim_for_each_block (hotplug, pa, start, size) {
		const struct section *section = pgtsim_section_at(hotplug, pa);

		if (!section || !(section->early || section->block))
			return pgtsim_hotplug_fail(
				hotplug, -EINVAL,
				"nothing is there to remove, or only a part of what has to go at "
				"once: no memory block at 0x%" PRIx64,
				pa);
		if (!busy && (section->early ? !section->offline : section->block->online)) {
			busy = true;
			busy_at = pa;
		}
		*self_hosted += section->block && section->block->memmap_pages;
	}
	if (!busy)
		return 0;
	return pgtsim_hotplug_fail(
		hotplug, -EBUSY,
		"some of it is online: take it offline first (from 0x%" PRIx64 " on)", busy_at);
}

/* Blocks that hold their own memmap go one by one up to 6.7, and only with their like from 6.8 on. */
static int check_self_hosted(const struct pgtsim_hotplug *hotplug, uint64_t blocks,
			     uint64_t self_hosted)
{
	bool single = pgtsim_one_block_at_most(hotplug);

	if (!self_hosted || (single ? blocks == 1 : self_hosted == blocks))
		return 0;
	return pgtsim_hotplug_fail(hotplug, -EINVAL,
				   "%" PRIu64 " of the %" PRIu64
				   " memory blocks hold their own memmap: %s",
				   self_hosted, blocks,
				   single ? "this kernel removes them one at a time" :
					    "this kernel removes them together only if all do");
}

static int remove_memory(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	uint64_t self_hosted;
	int ret = remove_device(hotplug, start, size);

	if (ret != -ENOENT)
		return ret;
	ret = pgtsim_hotplug_check_blocks(hotplug, start, size);
	if (!ret)
		ret = check_blocks(hotplug, start, size, &self_hosted);
	if (!ret)
		ret = check_self_hosted(hotplug, size / hotplug->config.block_size, self_hosted);
	if (ret)
		return ret;
	if (self_hosted) {
		pgtsim_self_hosted_remove(hotplug, start, size);
		return 0;
	}
	pgtsim_blocks_free(hotplug, start, size);
	pgtsim_range_remove(hotplug, start, size, NULL);
	return 0;
}

int pgtsim_remove_memory(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	int ret = pgtsim_hotplug_ready(hotplug);

	return ret ? ret : pgtsim_hotplug_end(hotplug, remove_memory(hotplug, start, size));
}

/* ---- owners ---- */

static bool handed_out(const struct pgtsim_altmap *altmap, uint64_t pfn)
{
	return altmap && pfn - (altmap->base + altmap->reserve) < altmap->alloc + altmap->align;
}

enum pgtsim_owner pgtsim_frame_owner(const struct pgtsim_hotplug *hotplug, uint64_t pfn)
{
	if (!hotplug)
		return (enum pgtsim_owner)0;

	uint64_t pa = pfn << hotplug->config.pgt->geo.page_shift;
	const struct memory_block *block = pgtsim_block_at(hotplug, pa);

	if (block && block->memmap_pages && handed_out(&block->altmap, pfn))
		return PGTSIM_OWNER_ALTMAP;
	for (const struct pgtsim_device *d = hotplug->devices; d; d = d->next)
		if (pa - d->start < d->size && handed_out(d->altmap, pfn))
			return PGTSIM_OWNER_ALTMAP;
	return pgtsim_memory_owner(hotplug->config.memory, pfn);
}
