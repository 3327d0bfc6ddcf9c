/* SPDX-License-Identifier: MIT */
/* used: pages that somebody holds, and where they move to when their memory goes offline. */
#include "online.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "events/events.h"
#include "memory_ranges.h"

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
		return -ENOBUFS;
	if (more <= used->room - used->count)
		return 0;
	room = 2 * used->count + more + 8;
	run = realloc(used->run, room * sizeof(*run));
	if (!run)
		return -ENOBUFS;
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

/* Marks [pfn, end) as unused. May split a run in two, so room for one more must be reserved. */
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
uint64_t pgtsim_used_in(const struct pgtsim_used *used, uint64_t pfn, uint64_t end,
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

static int check_pages(const struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	int ret = pgtsim_hotplug_check_units(
		hotplug, start, size, pgtsim_page_size(&hotplug->config.pgt->geo), "the page size");

	return ret ? ret : pgtsim_hotplug_check_reach(hotplug, start, size, -EINVAL);
}

/* True if the page allocator was given every page of the range. */
static bool all_managed(const struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t end)
{
	uint64_t size = hotplug->config.block_size;

	for (uint64_t pa = start; pa < end; pa = (pa & ~(size - 1)) + size) {
		const struct memory_block *block = pgtsim_block_at(hotplug, pa);

		if (!block || !block->online ||
		    pgtsim_pages_of(hotplug, pa - block->start) < block->memmap_pages)
			return false;
	}
	return true;
}

static int use_memory(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size, bool movable)
{
	uint64_t pfn = pgtsim_pages_of(hotplug, start), pages = pgtsim_pages_of(hotplug, size),
		 used, unmovable;
	int ret = check_pages(hotplug, start, size);

	if (ret)
		return ret;
	if (!all_managed(hotplug, start, start + size))
		return pgtsim_hotplug_fail(hotplug, -EINVAL, "not all of it is online memory");
	used = pgtsim_used_in(hotplug->used, pfn, pfn + pages, &unmovable);
	if (used)
		return pgtsim_hotplug_fail(hotplug, -EEXIST,
					   "some of these pages are in use already: %" PRIu64
					   " of %" PRIu64,
					   used, pages);
	if (used_reserve(hotplug, 1))
		return -ENOBUFS;
	used_insert(hotplug->used, pfn, pages, movable);
	return 0;
}

int pgtsim_use_memory(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size, bool movable)
{
	int ret = pgtsim_hotplug_ready(hotplug);

	return ret ? ret : pgtsim_hotplug_end(hotplug, use_memory(hotplug, start, size, movable));
}

/* Frees frames that no table of the kernel's maps otherwise: that is no event. */
static void free_frames(struct pgtsim_hotplug *hotplug, uint64_t pfn, uint64_t pages)
{
	struct pgtsim_tlb *tlb = hotplug->config.pgt->tlb;
	bool freeing = pgtsim_freeing_begin(tlb);
	enum pgtsim_bad_free bad;

	pgtsim_memory_free_run(hotplug->config.memory, pfn, pages, &bad);
	pgtsim_freeing_end(tlb, freeing);
}

static int unuse_memory(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	uint64_t pfn = pgtsim_pages_of(hotplug, start), pages = pgtsim_pages_of(hotplug, size),
		 used, unmovable;
	int ret = check_pages(hotplug, start, size);

	if (ret)
		return ret;
	used = pgtsim_used_in(hotplug->used, pfn, pfn + pages, &unmovable);
	if (used != pages)
		return pgtsim_hotplug_fail(
			hotplug, -EINVAL,
			"not all of these pages are in use: %" PRIu64 " of %" PRIu64, used, pages);
	if (used_reserve(hotplug, 1))
		return -ENOBUFS;
	used_remove(hotplug->used, pfn, pfn + pages);
	/* Pages that were migrated are the page allocator's. */
	if (pgtsim_memory_is_ram(hotplug->config.memory, start, size))
		free_frames(hotplug, pfn, pages);
	return 0;
}

int pgtsim_unuse_memory(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size)
{
	int ret = pgtsim_hotplug_ready(hotplug);

	return ret ? ret : pgtsim_hotplug_end(hotplug, unuse_memory(hotplug, start, size));
}

/* ---- migration ---- */

void pgtsim_migration_cancel(struct pgtsim_hotplug *hotplug, struct pgtsim_migration *migration)
{
	for (size_t i = 0; i < migration->count; i++)
		free_frames(hotplug, migration->target[i].pfn, migration->target[i].pages);
	free(migration->target);
}

int pgtsim_migration_prepare(struct pgtsim_hotplug *hotplug, struct pgtsim_migration *migration)
{
	uint64_t left = migration->pages;
	int ret = -EBUSY;

	while (left) {
		size_t count = migration->count;
		struct target *grown = realloc(migration->target, (count + 1) * sizeof(*grown));
		uint64_t got = 0;

		if (grown) {
			migration->target = grown;
			got = pgtsim_memory_alloc_run(hotplug->config.memory, left,
						      &grown[count].pfn);
		}
		ret = grown ? ret : -ENOBUFS;
		if (!got)
			break;
		grown[count].pages = got;
		migration->count++;
		left -= got;
	}
	if (left && ret == -EBUSY)
		pgtsim_hotplug_fail(hotplug, ret,
				    "no memory to move %" PRIu64 " of the %" PRIu64
				    " pages in use to: the kernel would try for ever",
				    left, migration->pages);
	if (!left)
		ret = migration->count ? used_reserve(hotplug, migration->count + 1) : 0;
	if (ret)
		pgtsim_migration_cancel(hotplug, migration);
	return ret;
}

void pgtsim_migrate(struct pgtsim_hotplug *hotplug, uint64_t pfn, uint64_t end,
		    struct pgtsim_migration *migration)
{
	struct pgtsim_event event = { .op = PGTSIM_OP_MIGRATE, .level = PGTSIM_PTE };

	if (migration->count)
		used_remove(hotplug->used, pfn, end);
	for (size_t i = 0; i < migration->count; i++) {
		event.count = migration->target[i].pages;
		event.pa = migration->target[i].pfn << hotplug->config.pgt->geo.page_shift;
		used_insert(hotplug->used, migration->target[i].pfn, event.count, true);
		pgtsim_events_tell(hotplug->config.pgt->tlb, &event);
	}
	free(migration->target);
}
