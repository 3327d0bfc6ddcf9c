/* SPDX-License-Identifier: MIT */
/*
 * online: what the files of hotplug share that let memory blocks go online and offline.
 */
#ifndef PGTSIM_ONLINE_H
#define PGTSIM_ONLINE_H

#include <pgtsim/hotplug.h>

#include "sections.h"

/* ---- zones ---- */

/* resize_zone_range(): the zone spans [pfn, pfn + pages) too. */
void pgtsim_zone_grow(struct pgtsim_zone_state *zone, uint64_t pfn, uint64_t pages);

/* shrink_zone_span(): [pfn, pfn + pages) leaves the zone. */
void pgtsim_zone_shrink(const struct pgtsim_hotplug *hotplug, unsigned node,
			enum pgtsim_zone number, struct pgtsim_zone_state *zone, uint64_t pfn,
			uint64_t pages);

/* True if the page at pa is memory that the system had at boot. */
bool pgtsim_is_systems(const struct pgtsim_hotplug *hotplug, uint64_t pa);

/* ---- pages in use ---- */

/* Pages that somebody holds: runs of frames, sorted, not overlapping. */
struct used_run {
	uint64_t pfn, pages;
	bool movable;
};

struct pgtsim_used {
	size_t count, room;
	struct used_run *run;
};

void pgtsim_used_free(struct pgtsim_used *used);
bool pgtsim_used_equal(const struct pgtsim_used *a, const struct pgtsim_used *b);

/* How many frames of [pfn, end) are in use; *unmovable: how many of them cannot move. */
uint64_t pgtsim_used_in(const struct pgtsim_used *used, uint64_t pfn, uint64_t end,
			uint64_t *unmovable);

/* Where pages move to, one run of frames after another. */
struct target {
	uint64_t pfn, pages;
};

struct pgtsim_migration {
	struct target *target;
	size_t count;
	uint64_t pages;
};

/*
 * Takes frames for migration->pages pages, and makes sure that moving them there cannot fail.
 * Returns 0, or -EBUSY with nothing taken.
 */
int pgtsim_migration_prepare(struct pgtsim_hotplug *hotplug, struct pgtsim_migration *migration);

/* Moves what is in use of [pfn, end) there, or gives the frames back. Either ends the migration. */
void pgtsim_migrate(struct pgtsim_hotplug *hotplug, uint64_t pfn, uint64_t end,
		    struct pgtsim_migration *migration);
void pgtsim_migration_cancel(struct pgtsim_hotplug *hotplug, struct pgtsim_migration *migration);

/* ---- notifiers ---- */

/* Tells the chain of one block; stops at a veto, which counts only while the block is going. */
int pgtsim_notify_block(struct pgtsim_hotplug *hotplug, const struct memory_block *block,
			enum pgtsim_memory_action action);

/*
 * Tells of each block of [start, start + size) that it is going. If one is vetoed, tells of it and
 * of those before it that they are not, and returns what the notifier returned.
 */
int pgtsim_notify_going(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size,
			enum pgtsim_memory_action going, enum pgtsim_memory_action cancel);

/* Tells of each block of [start, start + size) that it is not going after all. */
void pgtsim_notify_cancel(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size,
			  enum pgtsim_memory_action cancel);

/* ---- online and offline ---- */

/* 0 if [start, start + size) is whole memory blocks, all of them online, or all offline; or -EINVAL. */
int pgtsim_check_all_blocks(const struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size,
			    bool online);

/* True if any of it was there at boot. */
bool pgtsim_is_boot_memory(const struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size);

/*
 * mhp_init_memmap_on_memory() and its opposite: the KASAN shadow of the pages that hold a block's
 * memmap comes or goes, under the lock that protects their zone. An engine's code may do that instead:
 * returns 0 or the engine's error.
 */
int pgtsim_kasan_event(struct pgtsim_hotplug *hotplug, const struct memory_block *block,
		       enum pgtsim_op op);

/* True if the release holds the lock around that, too. */
bool pgtsim_locks_memmap(const struct pgtsim_hotplug *hotplug);

/* Brings a block online or takes it offline: the flag of its sections, and its own. */
void pgtsim_block_set_online(struct pgtsim_hotplug *hotplug, struct memory_block *block,
			     bool online);

#endif
