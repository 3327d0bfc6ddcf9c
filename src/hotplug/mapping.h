/* SPDX-License-Identifier: MIT */
/* mapping: the linear map and the vmemmap of a physical range that is added or removed. */
#ifndef PGTSIM_MAPPING_H
#define PGTSIM_MAPPING_H

#include <pgtsim/hotplug.h>

/* A range that comes, and where its memmap comes from. */
struct pgtsim_coming {
	uint64_t start, size;
	struct pgtsim_altmap *altmap;
	enum pgtsim_prot prot;
	uint64_t own_start,
		own_end; /* what of its memmap is not there yet: pgtsim_range_add() finds it */
};

/*
 * arch_add_memory(): the linear map of all of it, then each section's memmap. `mark` is what
 * pgtsim_tables_mark() gave before. Returns 0, or an error with what the policy keeps of it.
 */
int pgtsim_range_add(struct pgtsim_hotplug *hotplug, struct pgtsim_coming *coming, uint32_t mark);

/* Takes back an add whose memory blocks failed: the kernel calls arch_remove_memory() then. */
void pgtsim_range_undo(struct pgtsim_hotplug *hotplug, const struct pgtsim_coming *coming,
		       uint32_t mark);

/* arch_remove_memory(): each section's memmap, then the linear map in one call. */
void pgtsim_range_remove(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size,
			 struct pgtsim_altmap *altmap);

#endif
