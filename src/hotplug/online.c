/* SPDX-License-Identifier: MIT */
#include "online.h"

#include <errno.h>
#include <inttypes.h>

#include "events/events.h"
#include "memory_ranges.h"
#include "pgtable/access.h"

int pgtsim_check_all_blocks(const struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size,
			    bool online)
{
	int ret = pgtsim_hotplug_check_blocks(hotplug, start, size);

	if (ret)
		return ret;
	pgtsim_for_each_block (hotplug, pa, start, size) {
		const struct section *section = pgtsim_section_at(hotplug, pa);

		if (!section ||
		    !(section->early ? section->offline != online :
				       section->block && section->block->online == online))
			return pgtsim_hotplug_fail(
				hotplug, -EINVAL,
				"not all of it is memory that %s: the memory block at 0x%" PRIx64
				" is %s",
				online ? "is online" : "was added and is offline", pa,
				!section || !(section->early || section->block) ? "not there" :
				online                                          ? "offline" :
										  "online");
	}
	return 0;
}

bool pgtsim_is_boot_memory(const struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	pgtsim_for_each_part (hotplug, pa, part_end, start, start + size)
		if (pgtsim_section_at(hotplug, pa)->early)
			return true;
	return false;
}

/* What the engine of the page table, if there is one, returns for that: PGTSIM_ENGINE_OWN without. */
static int ask_engine(struct pgtsim_hotplug *hotplug, const struct memory_block *block,
		      enum pgtsim_op op)
{
	struct pgtsim_engine *engine = pgtsim_engine_of(hotplug->config.pgt);

	if (engine && op == PGTSIM_OP_KASAN_ADD && engine->online)
		return engine->online(engine, hotplug, block->start);
	if (engine && op == PGTSIM_OP_KASAN_REMOVE && engine->offline)
		return engine->offline(engine, hotplug, block->start);
	return PGTSIM_ENGINE_OWN;
}

int pgtsim_kasan_event(struct pgtsim_hotplug *hotplug, const struct memory_block *block,
		       enum pgtsim_op op)
{
	const struct pgtsim_event event = {
		.op = op,
		.level = PGTSIM_PTE,
		.count = block->memmap_pages,
		.pa = block->start,
	};

	int ret = ask_engine(hotplug, block, op);

	if (ret != PGTSIM_ENGINE_OWN)
		return ret;
	if (!block->memmap_pages)
		return 0;
	if (!hotplug->locked)
		pgtsim_tlb_violation(hotplug->config.pgt->tlb, PGTSIM_V_LOCK_NOT_HELD,
				     pgtsim_memmap_of(hotplug, block->start), PGTSIM_PTE, "%s",
				     pgtsim_op_name(op));
	pgtsim_events_tell(hotplug->config.pgt->tlb, &event);
	return 0;
}

bool pgtsim_locks_memmap(const struct pgtsim_hotplug *hotplug)
{
	return pgtsim_hotplug_policy(hotplug)->mom_lock == PGTSIM_MOM_LOCK_HELD;
}

/* online_pages() wants whole page blocks, which are as large as a pmd. */
static void check_page_blocks(struct pgtsim_hotplug *hotplug, const struct memory_block *block)
{
	uint64_t pages = pgtsim_pages_of(hotplug, hotplug->config.block_size);
	uint64_t page_block = UINT64_C(1) << hotplug->config.pgt->geo.bits[pgtsim_slot(PGTSIM_PTE)];

	if (block->memmap_pages & (page_block - 1) || block->memmap_pages >= pages)
		pgtsim_tlb_violation(hotplug->config.pgt->tlb, PGTSIM_V_PAGE_BLOCK,
				     pgtsim_memmap_of(hotplug, block->start), PGTSIM_PTE,
				     "%llu of %llu pages hold the memmap",
				     (unsigned long long)block->memmap_pages,
				     (unsigned long long)pages);
}

void pgtsim_block_set_online(struct pgtsim_hotplug *hotplug, struct memory_block *block,
			     bool online)
{
	pgtsim_for_each_part (hotplug, pa, part_end, block->start,
			      block->start + hotplug->config.block_size)
		pgtsim_section_changes(hotplug, pa, PGTSIM_SECTION_FLAGS);
	block->online = online;
}

/* Pages that hold the memmap are present in the zone, but never given to the page allocator. */
static int online_block(struct pgtsim_hotplug *hotplug, struct memory_block *block,
			enum pgtsim_zone number)
{
	struct pgtsim_zone_state *zone = &hotplug->zones[block->node][number];
	uint64_t pages = pgtsim_pages_of(hotplug, hotplug->config.block_size);
	int ret;

	check_page_blocks(hotplug, block);
	hotplug->locked = pgtsim_locks_memmap(hotplug);
	ret = pgtsim_kasan_event(hotplug, block, PGTSIM_OP_KASAN_ADD);
	hotplug->locked = !ret;
	if (ret)
		return ret;
	pgtsim_block_set_online(hotplug, block, true);
	block->zone = number;
	pgtsim_zone_grow(zone, pgtsim_pages_of(hotplug, block->start), pages);
	zone->present += pages;
	zone->managed += pages - block->memmap_pages;
	pgtsim_notify_block(hotplug, block, PGTSIM_ONLINE);
	hotplug->locked = false;
	return 0;
}

static int online_memory(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size,
			 enum pgtsim_zone zone)
{
	int ret;

	if ((unsigned)zone >= PGTSIM_ZONES)
		return pgtsim_hotplug_fail(hotplug, -EINVAL, "there is no zone %u", (unsigned)zone);
	ret = pgtsim_check_all_blocks(hotplug, start, size, false);
	if (ret)
		return ret;
	if (pgtsim_is_boot_memory(hotplug, start, size))
		return pgtsim_hotplug_fail(hotplug, -EINVAL,
					   "boot memory that went offline does not come back here");
	ret = pgtsim_notify_going(hotplug, start, size, PGTSIM_GOING_ONLINE, PGTSIM_CANCEL_ONLINE);
	if (ret)
		return ret;
	pgtsim_for_each_block (hotplug, pa, start, size) {
		ret = online_block(hotplug, pgtsim_block_at(hotplug, pa), zone);
		if (!ret)
			continue;
		pgtsim_notify_cancel(hotplug, pa, start + size - pa, PGTSIM_CANCEL_ONLINE);
		return ret;
	}
	return 0;
}

int pgtsim_online_memory(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size,
			 enum pgtsim_zone zone)
{
	int ret = pgtsim_hotplug_ready(hotplug);

	return ret ? ret : pgtsim_hotplug_end(hotplug, online_memory(hotplug, start, size, zone));
}

bool pgtsim_pfn_is_online(const struct pgtsim_hotplug *hotplug, uint64_t pfn)
{
	if (!hotplug)
		return false;

	uint64_t pa = pfn << hotplug->config.pgt->geo.page_shift;
	uint64_t section_end = (pa | (hotplug->config.section_size - 1)) + 1;
	const struct section *section = pgtsim_section_at(hotplug, pa);
	const struct memory_block *block = section ? section->block : NULL;
	uint64_t memmap_end;

	if (!block)
		return section && section->early && !section->offline &&
		       pgtsim_is_systems(hotplug, pa);
	memmap_end = block->start + (block->memmap_pages << hotplug->config.pgt->geo.page_shift);
	return block->online && (pa >= memmap_end || section_end <= memmap_end);
}
