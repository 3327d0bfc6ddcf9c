/* SPDX-License-Identifier: MIT */
/* offline: what refuses to go offline, and what happens when it goes. */
#include "online.h"

#include <errno.h>
#include <inttypes.h>

#include "memory_ranges.h"
#include "pgtable/access.h"

/* Returns 0, or an engine's error: it comes too late to keep the block online. */
static int offline_block(struct pgtsim_hotplug *hotplug, struct memory_block *block)
{
	struct pgtsim_zone_state *zone = &hotplug->zones[block->node][block->zone];
	uint64_t pages = pgtsim_pages_of(hotplug, hotplug->config.block_size);
	int ret;

	hotplug->locked = true;
	pgtsim_block_set_online(hotplug, block, false);
	pgtsim_zone_shrink(hotplug, block->node, block->zone, zone,
			   pgtsim_pages_of(hotplug, block->start), pages);
	zone->present -= pages;
	zone->managed -= pages - block->memmap_pages;
	block->zone = PGTSIM_ZONE_NORMAL;
	pgtsim_notify_block(hotplug, block, PGTSIM_OFFLINE);
	hotplug->locked = pgtsim_locks_memmap(hotplug);
	ret = pgtsim_kasan_event(hotplug, block, PGTSIM_OP_KASAN_REMOVE);
	hotplug->locked = false;
	return ret;
}

/* Only without the guard: boot memory is offlined section by section, as it has no block here. */
static void offline_boot_memory(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	struct pgtsim_zone_state *zone = &hotplug->zones[0][PGTSIM_ZONE_NORMAL];

	pgtsim_for_each_part (hotplug, pa, part_end, start, start + size) {
		uint64_t ram = pgtsim_memory_ram_in(hotplug->config.memory, pa, part_end - pa);

		if (!pgtsim_section_at(hotplug, pa)->early)
			continue;
		pgtsim_section_changes(hotplug, pa, PGTSIM_SECTION_FLAGS);
		pgtsim_section_at(hotplug, pa)->offline = true;
		pgtsim_zone_shrink(hotplug, 0, PGTSIM_ZONE_NORMAL, zone,
				   pgtsim_pages_of(hotplug, pa),
				   pgtsim_pages_of(hotplug, part_end - pa));
		zone->present -= ram;
		zone->managed -= zone->managed < ram ? zone->managed : ram;
	}
}

/*
 * True if va is not the first address of its leaf, or of the leaf's contiguous group. Leaves
 * that are marked as present though not valid count. Models addr_splits_kernel_leaf().
 */
static bool inside_leaf(const struct pgtsim_pgtable *pgt, uint64_t va)
{
	struct pgtsim_translation at;
	int ret = pgtsim_translate(pgt, va, &at);
	uint64_t size;

	if (ret == -EINVAL || (ret && !pgtsim_desc_is_marked(at.desc)))
		return false;
	size = pgtsim_entry_size(&pgt->geo, at.level);
	if (at.desc & PGTSIM_DESC_CONT)
		size <<= pgt->geo.cont[pgtsim_slot(at.level)];
	return (va & (size - 1)) != 0;
}

static bool splits_leaf(const struct pgtsim_pgtable *pgt, uint64_t start, uint64_t end)
{
	return inside_leaf(pgt, start) || inside_leaf(pgt, end);
}

/* can_unmap_without_split(): of the linear map and of the memmap. */
static bool ends_in_leaf(const struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t end)
{
	const struct pgtsim_pgtable *pgt = hotplug->config.pgt;

	return splits_leaf(pgt, pgtsim_linear_va(hotplug, start), pgtsim_linear_va(hotplug, end)) ||
	       splits_leaf(pgt, pgtsim_memmap_of(hotplug, start), pgtsim_memmap_of(hotplug, end));
}

/* -EPERM because of a known weakness. */
static int refuse_weakly(const struct pgtsim_hotplug *hotplug, enum pgtsim_weakness_name name)
{
	const struct pgtsim_weakness *weakness = &pgtsim_weaknesses()[name];

	pgtsim_tlb_remark(hotplug->config.pgt->tlb, name);
	return pgtsim_hotplug_fail(hotplug, -EPERM, "refused, known weakness of %s: %s",
				   weakness->releases, weakness->text);
}

/*
 * Each memory block on its own, as memory_block_offline() does: a leaf larger than a block refuses
 * them all. And it tells the notifier of the block without its memmap pages, which begins inside
 * the leaf that maps the block's memmap.
 */
static int check_block(const struct pgtsim_hotplug *hotplug, uint64_t start)
{
	uint64_t end = start + hotplug->config.block_size;
	const struct memory_block *block = pgtsim_block_at(hotplug, start);
	uint64_t memmap_pages = block ? block->memmap_pages : 0;

	if (ends_in_leaf(hotplug, start, end))
		return refuse_weakly(hotplug, PGTSIM_W_BLOCK_OFFLINE);
	if (!memmap_pages ||
	    pgtsim_hotplug_policy(hotplug)->split_check != PGTSIM_SPLIT_CHECK_USABLE_PAGES)
		return 0;
	start += memmap_pages << hotplug->config.pgt->geo.page_shift;
	if (!ends_in_leaf(hotplug, start, end))
		return 0;
	return refuse_weakly(hotplug, PGTSIM_W_MEMMAP_OFFLINE);
}

static int check_split(const struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	int ret = 0;

	if (pgtsim_hotplug_policy(hotplug)->leaf_split != PGTSIM_SPLIT_REFUSE)
		return 0;
	if (pgtsim_hotplug_policy(hotplug)->split_check != PGTSIM_SPLIT_CHECK_REQUEST) {
		pgtsim_for_each_block (hotplug, pa, start, size)
			if (!ret)
				ret = check_block(hotplug, pa);
		return ret;
	}
	if (!ends_in_leaf(hotplug, start, start + size))
		return 0;
	return pgtsim_hotplug_fail(
		hotplug, -EPERM,
		"an end of the range lies inside a leaf or contiguous group of "
		"the linear map or the vmemmap, which this kernel does not split");
}

/*
 * What the engine says of each memory block; PGTSIM_ENGINE_OWN if it says nothing. If it refuses for what
 * is a known weakness, that is named.
 */
static int ask_engine(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	struct pgtsim_engine *engine = pgtsim_engine_of(hotplug->config.pgt);
	int ret = 0;

	if (!engine || !engine->may_offline)
		return PGTSIM_ENGINE_OWN;
	pgtsim_for_each_block (hotplug, pa, start, size) {
		if (!ret)
			ret = engine->may_offline(engine, hotplug, pa);
		if (ret == -EPERM && !pgtsim_is_boot_memory(hotplug, start, size) &&
		    check_block(hotplug, pa))
			return -EPERM;
	}
	return ret;
}

/* What the notifiers of the kernel itself refuse. */
static int check_refused(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	int ret = ask_engine(hotplug, start, size);

	if (ret != PGTSIM_ENGINE_OWN)
		return ret;
	if (pgtsim_is_boot_memory(hotplug, start, size) &&
	    pgtsim_hotplug_policy(hotplug)->boot_guard == PGTSIM_BOOT_GUARD_ON)
		return pgtsim_hotplug_fail(hotplug, -EPERM,
					   "this kernel does not let boot memory go offline");
	return check_split(hotplug, start, size);
}

/* The blocks after one for which an engine fails stay online. */
static int offline_blocks(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	uint64_t end = start + size;
	int ret = 0;

	pgtsim_for_each_block (hotplug, pa, start, size) {
		uint64_t next = pa + hotplug->config.block_size;

		if (pgtsim_block_at(hotplug, pa))
			ret = offline_block(hotplug, pgtsim_block_at(hotplug, pa));
		else
			offline_boot_memory(hotplug, pa, hotplug->config.block_size);
		if (!ret)
			continue;
		pgtsim_notify_cancel(hotplug, next, end - next, PGTSIM_CANCEL_OFFLINE);
		return ret;
	}
	return 0;
}

static int offline_memory(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	uint64_t pfn = pgtsim_pages_of(hotplug, start), end = pfn + pgtsim_pages_of(hotplug, size),
		 unmovable;
	struct pgtsim_migration migration = { 0 };
	int ret;

	ret = pgtsim_check_all_blocks(hotplug, start, size, true);
	if (ret)
		return ret;
	migration.pages = pgtsim_used_in(hotplug->used, pfn, end, &unmovable);
	/* Pages move to boot memory: those that are there stay. */
	if (unmovable)
		return pgtsim_hotplug_fail(hotplug, -EBUSY,
					   "pages in use there cannot be moved away: %" PRIu64
					   " of %" PRIu64 " are unmovable",
					   unmovable, migration.pages);
	if (migration.pages && pgtsim_is_boot_memory(hotplug, start, size))
		return pgtsim_hotplug_fail(hotplug, -EBUSY,
					   "pages that moved to boot memory stay there: %" PRIu64,
					   migration.pages);
	ret = check_refused(hotplug, start, size);
	if (ret)
		return ret;
	ret = pgtsim_migration_prepare(hotplug, &migration);
	if (ret)
		return ret;
	ret = pgtsim_notify_going(hotplug, start, size, PGTSIM_GOING_OFFLINE,
				  PGTSIM_CANCEL_OFFLINE);
	if (ret) {
		pgtsim_migration_cancel(hotplug, &migration);
		return ret;
	}
	pgtsim_migrate(hotplug, pfn, end, &migration);
	return offline_blocks(hotplug, start, size);
}

int pgtsim_offline_memory(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	int ret = pgtsim_hotplug_ready(hotplug);

	return ret ? ret : pgtsim_hotplug_end(hotplug, offline_memory(hotplug, start, size));
}
