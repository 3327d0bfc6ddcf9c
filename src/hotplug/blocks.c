/* SPDX-License-Identifier: MIT */
#include "blocks.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "mapping.h"
#include "memory_ranges.h"
#include "memory/lookup.h"

/* Makes an offline block of the sections from `start` on. */
static int add_block(struct pgtsim_hotplug *hotplug, uint64_t start, unsigned node,
		     const struct pgtsim_altmap *altmap, uint64_t memmap_pages)
{
	struct memory_block *block;

	if (pgtsim_memory_alloc_small(hotplug->config.memory))
		return pgtsim_hotplug_fail(hotplug, -ENOMEM,
					   "no memory for the memory block at 0x%" PRIx64, start);
	block = calloc(1, sizeof(*block));
	if (!block) {
		pgtsim_memory_host_failed(hotplug->config.memory);
		return -ENOMEM;
	}
	block->start = start;
	block->node = node;
	block->memmap_pages = memmap_pages;
	if (altmap)
		block->altmap = *altmap;
	pgtsim_for_each_part (hotplug, pa, part_end, start, start + hotplug->config.block_size)
		pgtsim_section_at(hotplug, pa)->block = block;
	return 0;
}

void pgtsim_blocks_free(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	uint64_t end = start + size;

	for (uint64_t pa = start; (pa = pgtsim_sections_next(hotplug->sections, pa, end)) < end;
	     pa += hotplug->config.section_size) {
		struct section *section = pgtsim_section_at(hotplug, pa);
		struct memory_block *block = section->block;

		section->block = NULL;
		if (block &&
		    pa + hotplug->config.section_size == block->start + hotplug->config.block_size)
			free(block);
	}
}

int pgtsim_blocks_add(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size, unsigned node)
{
	pgtsim_for_each_block (hotplug, pa, start, size) {
		if (add_block(hotplug, pa, node, NULL, 0)) {
			pgtsim_blocks_free(hotplug, start, size);
			return -ENOMEM;
		}
	}
	return 0;
}

/* ---- memmap on memory ---- */

/* Says which rule is against memmap on memory: 0 pages are reserved. */
#define no_reservation(why, ...) (pgtsim_error_set(why, 0, __VA_ARGS__), UINT64_C(0))

/* The memmap of a block does not go with what it has to be a multiple of. */
static uint64_t odd_memmap(const struct pgtsim_hotplug *hotplug, uint64_t bytes, uint64_t reserved,
			   struct pgtsim_error *why)
{
	uint64_t pmd = pgtsim_entry_size(&hotplug->config.pgt->geo, PGTSIM_PMD);
	uint64_t block = hotplug->config.block_size;

	if (bytes & (pmd - 1))
		return no_reservation(
			why,
			"the memmap of a memory block (%s) takes %s, no multiple of a pmd "
			"(%s)",
			pgtsim_amount(block).text, pgtsim_amount(bytes).text,
			pgtsim_amount(pmd).text);
	return no_reservation(why,
			      "%s of a memory block (%s) would be reserved for its memmap, and "
			      "nothing whole would be left beside it",
			      pgtsim_amount(reserved).text, pgtsim_amount(block).text);
}

/*
 * The pages at a block's start that its memmap takes, 0 if the release does not do it for blocks of
 * this size. Models mhp_supports_memmap_on_memory(); a page block is as large as a pmd.
 */
static uint64_t reserved_pages(const struct pgtsim_hotplug *hotplug, struct pgtsim_error *why)
{
	const struct pgtsim_geometry *geo = &hotplug->config.pgt->geo;
	uint64_t pmd = pgtsim_entry_size(geo, PGTSIM_PMD), block = hotplug->config.block_size;
	uint64_t bytes = pgtsim_pages_of(hotplug, block) * hotplug->config.vmemmap->struct_page;
	uint64_t reserved = bytes;

	if (hotplug->config.memmap_on_memory == PGTSIM_MEMMAP_OFF)
		return no_reservation(why, "memmap_on_memory is off on this machine");
	if (pgtsim_hotplug_policy(hotplug)->mom_check == PGTSIM_MOM_CHECK_NONE)
		return pgtsim_pages_of(hotplug, bytes + pgtsim_page_size(geo) - 1);
	if (bytes & (pmd - 1))
		return odd_memmap(hotplug, bytes, reserved, why);
	if (pgtsim_hotplug_policy(hotplug)->memmap_on_memory == PGTSIM_MOM_5_14)
		return (block - bytes) & (pmd - 1) ? odd_memmap(hotplug, bytes, reserved, why) :
						     pgtsim_pages_of(hotplug, bytes);
	if (hotplug->config.memmap_on_memory == PGTSIM_MEMMAP_FORCE)
		reserved = (bytes + pmd - 1) & ~(pmd - 1);
	if (reserved & (pmd - 1) || reserved >= block)
		return odd_memmap(hotplug, bytes, reserved, why);
	return pgtsim_pages_of(hotplug, reserved);
}

/*
 * The altmap of a block that holds its own memmap, which begins at the block's start. Up to 6.5 the
 * kernel let it hand out the whole block; later releases only the pages reserved for the memmap.
 */
static struct pgtsim_altmap block_altmap(const struct pgtsim_hotplug *hotplug, uint64_t start,
					 uint64_t reserved)
{
	bool whole = pgtsim_hotplug_policy(hotplug)->memmap_on_memory == PGTSIM_MOM_5_14;

	return (struct pgtsim_altmap){
		.base = pgtsim_pages_of(hotplug, start),
		.free = whole ? pgtsim_pages_of(hotplug, hotplug->config.block_size) : reserved,
	};
}

/* One block that holds its own memmap: its mapping, its sections, itself. */
static int add_self_hosted_block(struct pgtsim_hotplug *hotplug, uint64_t start, unsigned node,
				 uint64_t reserved, uint32_t mark)
{
	struct pgtsim_altmap altmap = block_altmap(hotplug, start, reserved);
	struct pgtsim_coming coming = {
		.start = start,
		.size = hotplug->config.block_size,
		.altmap = &altmap,
		.prot = PGTSIM_PROT_TAGGED,
	};
	int ret = pgtsim_range_add(hotplug, &coming, mark);

	if (ret)
		return ret;
	ret = add_block(hotplug, start, node, &altmap, reserved);
	if (ret)
		pgtsim_range_undo(hotplug, &coming, mark);
	return ret;
}

void pgtsim_self_hosted_remove(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	pgtsim_for_each_block (hotplug, pa, start, size) {
		struct pgtsim_altmap altmap = pgtsim_block_at(hotplug, pa)->altmap;

		pgtsim_blocks_free(hotplug, pa, hotplug->config.block_size);
		pgtsim_range_remove(hotplug, pa, hotplug->config.block_size, &altmap);
	}
}

int pgtsim_self_hosted_add(struct pgtsim_hotplug *hotplug, const struct pgtsim_add *add,
			   uint64_t reserved, uint32_t mark)
{
	struct pgtsim_pgtable *pgt = hotplug->config.pgt;

	pgtsim_for_each_block (hotplug, pa, add->start, add->size) {
		int ret = add_self_hosted_block(hotplug, pa, add->node, reserved, mark);

		if (!ret)
			continue;
		pgtsim_self_hosted_remove(hotplug, add->start, pa - add->start);
		pgtsim_tables_undo(pgt, pgtsim_linear_va(hotplug, add->start),
				   pgtsim_linear_va(hotplug, add->start + add->size) - 1, mark);
		pgtsim_tables_undo(pgt, pgtsim_memmap_of(hotplug, add->start),
				   pgtsim_memmap_of(hotplug, add->start + add->size) - 1, mark);
		return ret;
	}
	return 0;
}

bool pgtsim_one_block_at_most(const struct pgtsim_hotplug *hotplug)
{
	return pgtsim_hotplug_policy(hotplug)->memmap_on_memory < PGTSIM_MOM_6_8;
}

int64_t pgtsim_wanted_reservation(const struct pgtsim_hotplug *hotplug,
				  const struct pgtsim_add *add, struct pgtsim_error *why)
{
	uint64_t reserved;

	*why = (struct pgtsim_error){ 0 };
	if (!add->memmap_on_memory)
		return 0;
	if (pgtsim_hotplug_policy(hotplug)->memmap_on_memory == PGTSIM_MOM_NONE)
		return pgtsim_error_set(why, -EINVAL,
					"this kernel has no memmap on memory: that came with %s",
					hotplug->config.pgt->geo.format == PGTSIM_FORMAT_S390 ?
						"6.8" :
						"5.14");
	if (pgtsim_one_block_at_most(hotplug) && add->size != hotplug->config.block_size)
		reserved = no_reservation(
			why, "this kernel does it only for an add of one memory block (%s)",
			pgtsim_amount(hotplug->config.block_size).text);
	else
		reserved = reserved_pages(hotplug, why);
	if (!reserved && pgtsim_hotplug_policy(hotplug)->memmap_on_memory == PGTSIM_MOM_5_14)
		return why->code = -EINVAL;
	return (int64_t)reserved;
}

enum pgtsim_memmap_source pgtsim_memmap_source(const struct pgtsim_hotplug *hotplug,
					       const struct pgtsim_add *add,
					       struct pgtsim_error *why)
{
	struct pgtsim_error unwanted;
	int64_t reserved;

	why = why ? why : &unwanted;
	*why = (struct pgtsim_error){ 0 };
	if (!hotplug || !add)
		return PGTSIM_MEMMAP_FROM_RAM;
	reserved = pgtsim_wanted_reservation(hotplug, add, why);
	if (reserved > 0)
		return PGTSIM_MEMMAP_FROM_ITSELF;
	if (!add->altmap)
		return PGTSIM_MEMMAP_FROM_RAM;
	if (hotplug->config.pgt->policy->altmap_full == PGTSIM_ALTMAP_REFUSED) {
		pgtsim_error_set(why, 0, "this kernel adds no memory with an altmap");
		return PGTSIM_MEMMAP_FROM_RAM;
	}
	if (hotplug->config.pgt->policy->altmap_full != PGTSIM_ALTMAP_IGNORED)
		return PGTSIM_MEMMAP_FROM_ALTMAP;
	pgtsim_error_set(why, 0, "this kernel has no altmap: that came with 5.10");
	return PGTSIM_MEMMAP_FROM_RAM;
}
