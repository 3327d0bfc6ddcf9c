/* SPDX-License-Identifier: MIT */
#include "online.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ranges.h"

/* ---- zones ---- */

static bool online_in(const struct section *section, unsigned node, enum pgtsim_zone zone)
{
	if (section->early)
		return !section->offline && node == 0 && zone == PGTSIM_ZONE_NORMAL;
	return section->block && section->block->online && section->block->node == node &&
	       section->block->zone == zone;
}

/* Whether there is memory at pa that is no device's: a device's may be in an early section too. */
static bool is_systems(const struct pgtsim_hotplug *hotplug, uint64_t pa)
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
		if (online_in(section_at(hotplug, pa), node, zone))
			for (uint64_t at = pa; at <= (pa | (size - 1)); at += step)
				if (is_systems(hotplug, at))
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
		bool online = online_in(section_at(hotplug, pa - 1), node, zone);

		if (online && is_systems(hotplug, pa - 1))
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
static void zone_shrink(const struct pgtsim_hotplug *hotplug, unsigned node,
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
	if (node >= PGTSIM_NODES || (unsigned)zone >= PGTSIM_ZONES)
		return (struct pgtsim_zone_state){ 0 };
	return hotplug->zones[node][zone];
}

struct pgtsim_zone_state pgtsim_node_state(const struct pgtsim_hotplug *hotplug, unsigned node)
{
	struct pgtsim_zone_state sum = { 0 };

	for (unsigned i = 0; node < PGTSIM_NODES && i < PGTSIM_ZONES; i++) {
		const struct pgtsim_zone_state *zone = &hotplug->zones[node][i];

		if (zone->spanned)
			pgtsim_zone_grow(&sum, zone->start_pfn, zone->spanned);
		sum.present += zone->present;
		sum.managed += zone->managed;
	}
	return sum;
}

/* ---- pages in use ---- */

void pgtsim_used_free(struct pgtsim_used *used)
{
	if (used)
		free(used->run);
	free(used);
}

bool pgtsim_used_equal(const struct pgtsim_used *a, const struct pgtsim_used *b)
{
	size_t count_a = a ? a->count : 0, count_b = b ? b->count : 0;

	for (size_t i = 0; i < count_a && i < count_b; i++)
		if (a->run[i].pfn != b->run[i].pfn || a->run[i].pages != b->run[i].pages ||
		    a->run[i].movable != b->run[i].movable)
			return false;
	return count_a == count_b;
}

/* The first run that ends behind pfn. */
static size_t used_at(const struct pgtsim_used *used, uint64_t pfn)
{
	size_t low = 0, high = used->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (used->run[middle].pfn + used->run[middle].pages <= pfn)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Room for so many more runs, so that used_insert() does not fail. */
static int used_reserve(struct pgtsim_hotplug *hotplug, size_t more)
{
	struct pgtsim_used *used = hotplug->used;
	struct used_run *run;
	size_t room;

	if (!used)
		used = hotplug->used = calloc(1, sizeof(*used));
	if (!used)
		return -ENOMEM;
	if (more <= used->room - used->count)
		return 0;
	room = 2 * used->count + more + 8;
	run = realloc(used->run, room * sizeof(*run));
	if (!run)
		return -ENOMEM;
	used->run = run;
	used->room = room;
	return 0;
}

static void used_insert(struct pgtsim_used *used, uint64_t pfn, uint64_t pages, bool movable)
{
	size_t at = used_at(used, pfn);

	memmove(&used->run[at + 1], &used->run[at], (used->count - at) * sizeof(used->run[0]));
	used->run[at] = (struct used_run){ pfn, pages, movable };
	used->count++;
}

/* Cuts [pfn, end) out of what is used; room for one more run must be reserved. */
static void used_remove(struct pgtsim_used *used, uint64_t pfn, uint64_t end)
{
	size_t at = used_at(used, pfn);

	while (at < used->count && used->run[at].pfn < end) {
		struct used_run run = used->run[at];
		uint64_t run_end = run.pfn + run.pages;

		memmove(&used->run[at], &used->run[at + 1],
			(--used->count - at) * sizeof(used->run[0]));
		if (run.pfn < pfn) {
			used_insert(used, run.pfn, pfn - run.pfn, run.movable);
			at++;
		}
		if (run_end > end)
			used_insert(used, end, run_end - end, run.movable);
	}
}

/* Pages of [pfn, end) that are in use, and how many of them cannot move. */
static uint64_t used_in(const struct pgtsim_used *used, uint64_t pfn, uint64_t end,
			uint64_t *unmovable)
{
	uint64_t pages = 0;

	*unmovable = 0;
	if (!used)
		return 0;
	for (size_t i = used_at(used, pfn); i < used->count && used->run[i].pfn < end; i++) {
		const struct used_run *run = &used->run[i];
		uint64_t from = run->pfn > pfn ? run->pfn : pfn;
		uint64_t to = run->pfn + run->pages < end ? run->pfn + run->pages : end;

		pages += to - from;
		*unmovable += run->movable ? 0 : to - from;
	}
	return pages;
}

static bool page_aligned(const struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	return aligned(start, size, pgtsim_page_size(&hotplug->config.pgt->geo)) &&
	       mappable(hotplug, start, size);
}

/* Whether the page allocator was given every page of the range. */
static bool all_managed(const struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t end)
{
	uint64_t size = hotplug->config.block_size;

	for (uint64_t pa = start; pa < end; pa = (pa & ~(size - 1)) + size) {
		const struct memory_block *block = block_at(hotplug, pa);

		if (!block || !block->online ||
		    pages_of(hotplug, pa - block->start) < block->memmap_pages)
			return false;
	}
	return true;
}

int pgtsim_use_memory(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size, bool movable)
{
	uint64_t pfn = pages_of(hotplug, start), pages = pages_of(hotplug, size), unmovable;

	if (!page_aligned(hotplug, start, size) || !all_managed(hotplug, start, start + size))
		return -EINVAL;
	if (used_in(hotplug->used, pfn, pfn + pages, &unmovable))
		return -EEXIST;
	if (used_reserve(hotplug, 1))
		return -ENOMEM;
	used_insert(hotplug->used, pfn, pages, movable);
	return 0;
}

int pgtsim_unuse_memory(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	uint64_t pfn = pages_of(hotplug, start), pages = pages_of(hotplug, size), unmovable;
	enum pgtsim_bad_free bad;

	if (!page_aligned(hotplug, start, size) ||
	    used_in(hotplug->used, pfn, pfn + pages, &unmovable) != pages)
		return -EINVAL;
	if (used_reserve(hotplug, 1))
		return -ENOMEM;
	used_remove(hotplug->used, pfn, pfn + pages);
	/* Pages that were migrated are the page allocator's. */
	if (pgtsim_memory_is_ram(hotplug->config.memory, start, size))
		pgtsim_memory_free_run(hotplug->config.memory, pfn, pages, &bad);
	return 0;
}

/* ---- notifiers ---- */

void pgtsim_notifier_add(struct pgtsim_hotplug *hotplug, struct pgtsim_notifier *notifier)
{
	struct pgtsim_notifier **end = &hotplug->notifiers;

	while (*end)
		end = &(*end)->next;
	notifier->next = NULL;
	*end = notifier;
}

void pgtsim_notifier_remove(struct pgtsim_hotplug *hotplug, struct pgtsim_notifier *notifier)
{
	struct pgtsim_notifier **link = &hotplug->notifiers;

	while (*link && *link != notifier)
		link = &(*link)->next;
	if (*link)
		*link = notifier->next;
}

/* Tells the chain of one block; stops at a veto, which counts only while it is going. */
static int notify(struct pgtsim_hotplug *hotplug, const struct memory_block *block,
		  enum pgtsim_memory_action action)
{
	const struct pgtsim_memory_notify message = {
		.action = action,
		.start_pfn = pages_of(hotplug, block->start) + block->memmap_pages,
		.pages = pages_of(hotplug, hotplug->config.block_size) - block->memmap_pages,
		.node = block->node,
	};
	bool going = action == PGTSIM_GOING_ONLINE || action == PGTSIM_GOING_OFFLINE;

	for (struct pgtsim_notifier *n = hotplug->notifiers, *next; n; n = next) {
		int ret;

		next = n->next;
		ret = n->notify(n, &message);
		if (ret < 0 && going)
			return ret;
	}
	return 0;
}

/* Tells every block that it is going; the others, and it, that it is not if one is vetoed. */
static int notify_going(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size,
			enum pgtsim_memory_action going, enum pgtsim_memory_action cancel)
{
	for_each_block (hotplug, pa, start, size) {
		const struct memory_block *block = block_at(hotplug, pa);
		int ret = block ? notify(hotplug, block, going) : 0;

		if (!ret)
			continue;
		for_each_block (hotplug, told, start, pa + 1 - start)
			notify(hotplug, block_at(hotplug, told), cancel);
		return ret;
	}
	return 0;
}

/* ---- online ---- */

static bool all_blocks(const struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size,
		       bool online)
{
	if (!block_aligned(hotplug, start, size) || !mappable(hotplug, start, size))
		return false;
	for_each_block (hotplug, pa, start, size) {
		const struct section *section = section_at(hotplug, pa);

		if (!section ||
		    !(section->early ? section->offline != online :
				       section->block && section->block->online == online))
			return false;
	}
	return true;
}

static bool is_boot_memory(const struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	for_each_part (hotplug, pa, part_end, start, start + size)
		if (section_at(hotplug, pa)->early)
			return true;
	return false;
}

/*
 * mhp_init_memmap_on_memory() and its opposite: the KASAN shadow of the pages that hold a block's
 * memmap comes and goes, under the lock that protects their zone.
 */
static void kasan_event(struct pgtsim_hotplug *hotplug, const struct memory_block *block,
			enum pgtsim_op op)
{
	const struct pgtsim_event event = {
		.op = op,
		.level = PGTSIM_PTE,
		.count = block->memmap_pages,
		.pa = block->start,
	};

	if (!block->memmap_pages)
		return;
	if (!hotplug->locked)
		pgtsim_tlb_violation(hotplug->config.pgt->tlb, PGTSIM_V_LOCK_NOT_HELD,
				     memmap_of(hotplug, block->start), PGTSIM_PTE, "%s",
				     pgtsim_op_name(op));
	pgtsim_tlb_event(hotplug->config.pgt->tlb, &event);
}

/* Whether the release holds the lock around that, too. */
static bool locks_memmap(const struct pgtsim_hotplug *hotplug)
{
	return policy_of(hotplug)->mom_lock == PGTSIM_MOM_LOCK_HELD;
}

/* online_pages() wants whole page blocks, which are as large as a pmd. */
static void check_page_blocks(struct pgtsim_hotplug *hotplug, const struct memory_block *block)
{
	uint64_t pages = pages_of(hotplug, hotplug->config.block_size);
	uint64_t page_block = UINT64_C(1) << hotplug->config.pgt->geo.bits[pgtsim_slot(PGTSIM_PTE)];

	if (block->memmap_pages & (page_block - 1) || block->memmap_pages >= pages)
		pgtsim_tlb_violation(hotplug->config.pgt->tlb, PGTSIM_V_PAGE_BLOCK,
				     memmap_of(hotplug, block->start), PGTSIM_PTE,
				     "%llu of %llu pages hold the memmap",
				     (unsigned long long)block->memmap_pages,
				     (unsigned long long)pages);
}

/* Pages that hold the memmap are present in the zone, but never given to the page allocator. */
static void online_block(struct pgtsim_hotplug *hotplug, struct memory_block *block,
			 enum pgtsim_zone number)
{
	struct pgtsim_zone_state *zone = &hotplug->zones[block->node][number];
	uint64_t pages = pages_of(hotplug, hotplug->config.block_size);

	check_page_blocks(hotplug, block);
	hotplug->locked = locks_memmap(hotplug);
	kasan_event(hotplug, block, PGTSIM_OP_KASAN_ADD);
	hotplug->locked = true;
	block->online = true;
	block->zone = number;
	pgtsim_zone_grow(zone, pages_of(hotplug, block->start), pages);
	zone->present += pages;
	zone->managed += pages - block->memmap_pages;
	notify(hotplug, block, PGTSIM_ONLINE);
	hotplug->locked = false;
}

int pgtsim_online_memory(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size,
			 enum pgtsim_zone zone)
{
	int ret;

	if ((unsigned)zone >= PGTSIM_ZONES || !all_blocks(hotplug, start, size, false) ||
	    is_boot_memory(hotplug, start, size))
		return -EINVAL;
	ret = notify_going(hotplug, start, size, PGTSIM_GOING_ONLINE, PGTSIM_CANCEL_ONLINE);
	if (ret)
		return ret;
	for_each_block (hotplug, pa, start, size)
		online_block(hotplug, block_at(hotplug, pa), zone);
	return 0;
}

bool pgtsim_pfn_is_online(const struct pgtsim_hotplug *hotplug, uint64_t pfn)
{
	uint64_t pa = pfn << hotplug->config.pgt->geo.page_shift;
	uint64_t section_end = (pa | (hotplug->config.section_size - 1)) + 1;
	const struct section *section = section_at(hotplug, pa);
	const struct memory_block *block = section ? section->block : NULL;
	uint64_t memmap_end;

	if (!block)
		return section && section->early && !section->offline && is_systems(hotplug, pa);
	memmap_end = block->start + (block->memmap_pages << hotplug->config.pgt->geo.page_shift);
	return block->online && (pa >= memmap_end || section_end <= memmap_end);
}

/* ---- offline ---- */

static void offline_block(struct pgtsim_hotplug *hotplug, struct memory_block *block)
{
	struct pgtsim_zone_state *zone = &hotplug->zones[block->node][block->zone];
	uint64_t pages = pages_of(hotplug, hotplug->config.block_size);

	hotplug->locked = true;
	block->online = false;
	zone_shrink(hotplug, block->node, block->zone, zone, pages_of(hotplug, block->start),
		    pages);
	zone->present -= pages;
	zone->managed -= pages - block->memmap_pages;
	block->zone = PGTSIM_ZONE_NORMAL;
	notify(hotplug, block, PGTSIM_OFFLINE);
	hotplug->locked = locks_memmap(hotplug);
	kasan_event(hotplug, block, PGTSIM_OP_KASAN_REMOVE);
	hotplug->locked = false;
}

/* Only without the guard: boot memory is offlined section by section, as it has no block here. */
static void offline_boot_memory(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	struct pgtsim_zone_state *zone = &hotplug->zones[0][PGTSIM_ZONE_NORMAL];

	for_each_part (hotplug, pa, part_end, start, start + size) {
		uint64_t ram = pgtsim_memory_ram_in(hotplug->config.memory, pa, part_end - pa);

		if (!section_at(hotplug, pa)->early)
			continue;
		section_at(hotplug, pa)->offline = true;
		zone_shrink(hotplug, 0, PGTSIM_ZONE_NORMAL, zone, pages_of(hotplug, pa),
			    pages_of(hotplug, part_end - pa));
		zone->present -= ram;
		zone->managed -= zone->managed < ram ? zone->managed : ram;
	}
}

/* Whether the leaf, or the contiguous group, that translates va - 1 goes on at va. */
static bool inside_leaf(const struct pgtsim_pgtable *pgt, uint64_t va)
{
	struct pgtsim_translation at;
	uint64_t size;

	if (pgtsim_translate(pgt, va - 1, &at))
		return false;
	size = at.size;
	if (at.desc & PGTSIM_DESC_CONT)
		size <<= pgt->geo.cont[pgtsim_slot(at.level)];
	return (va & (size - 1)) != 0;
}

static bool splits_leaf(const struct pgtsim_pgtable *pgt, uint64_t start, uint64_t end)
{
	return inside_leaf(pgt, start) || inside_leaf(pgt, end);
}

/* What the notifiers of the kernel itself refuse. */
static bool refused(const struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	const struct pgtsim_pgtable *pgt = hotplug->config.pgt;
	uint64_t end = start + size;

	if (is_boot_memory(hotplug, start, size) && pgt->policy->boot_guard == PGTSIM_BOOT_GUARD_ON)
		return true;
	return pgt->policy->leaf_split == PGTSIM_SPLIT_REFUSE &&
	       (splits_leaf(pgt, linear(hotplug, start), linear(hotplug, end)) ||
		splits_leaf(pgt, memmap_of(hotplug, start), memmap_of(hotplug, end)));
}

/* Where pages move to, one run of frames after another. */
struct target {
	uint64_t pfn, pages;
};

struct migration {
	struct target *target;
	size_t count;
	uint64_t pages;
};

static void give_back(struct pgtsim_hotplug *hotplug, struct migration *migration)
{
	enum pgtsim_bad_free bad;

	for (size_t i = 0; i < migration->count; i++)
		pgtsim_memory_free_run(hotplug->config.memory, migration->target[i].pfn,
				       migration->target[i].pages, &bad);
	free(migration->target);
}

/* Finds frames for so many pages, and makes sure that moving them there can't fail. */
static int prepare_migration(struct pgtsim_hotplug *hotplug, struct migration *migration)
{
	uint64_t left = migration->pages;

	while (left) {
		size_t count = migration->count;
		struct target *grown = realloc(migration->target, (count + 1) * sizeof(*grown));
		int64_t got = -ENOMEM;

		if (grown) {
			migration->target = grown;
			got = pgtsim_memory_alloc_run(hotplug->config.memory, left,
						      &grown[count].pfn);
		}
		if (got < 0)
			break;
		grown[count].pages = (uint64_t)got;
		migration->count++;
		left -= (uint64_t)got;
	}
	if (!left && (!migration->count || !used_reserve(hotplug, migration->count + 1)))
		return 0;
	give_back(hotplug, migration);
	return -EBUSY;
}

static void migrate(struct pgtsim_hotplug *hotplug, uint64_t pfn, uint64_t end,
		    struct migration *migration)
{
	struct pgtsim_event event = { .op = PGTSIM_OP_MIGRATE, .level = PGTSIM_PTE };

	if (migration->count)
		used_remove(hotplug->used, pfn, end);
	for (size_t i = 0; i < migration->count; i++) {
		event.count = migration->target[i].pages;
		event.pa = migration->target[i].pfn << hotplug->config.pgt->geo.page_shift;
		used_insert(hotplug->used, migration->target[i].pfn, event.count, true);
		pgtsim_tlb_event(hotplug->config.pgt->tlb, &event);
	}
	free(migration->target);
}

int pgtsim_offline_memory(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	uint64_t pfn = pages_of(hotplug, start), end = pfn + pages_of(hotplug, size), unmovable;
	struct migration migration = { 0 };
	int ret;

	if (!all_blocks(hotplug, start, size, true))
		return -EINVAL;
	migration.pages = used_in(hotplug->used, pfn, end, &unmovable);
	/* Pages move to boot memory: those that are there stay. */
	if (unmovable || (migration.pages && is_boot_memory(hotplug, start, size)))
		return -EBUSY;
	if (refused(hotplug, start, size))
		return -EPERM;
	ret = prepare_migration(hotplug, &migration);
	if (ret)
		return ret;
	ret = notify_going(hotplug, start, size, PGTSIM_GOING_OFFLINE, PGTSIM_CANCEL_OFFLINE);
	if (ret) {
		give_back(hotplug, &migration);
		return ret;
	}
	migrate(hotplug, pfn, end, &migration);
	for_each_block (hotplug, pa, start, size) {
		if (block_at(hotplug, pa))
			offline_block(hotplug, block_at(hotplug, pa));
		else
			offline_boot_memory(hotplug, pa, hotplug->config.block_size);
	}
	return 0;
}
