/* SPDX-License-Identifier: MIT */
/*
 * online: zones, and what happens when memory blocks go online and offline; a part of hotplug.
 */
#ifndef PGTSIM_ONLINE_H
#define PGTSIM_ONLINE_H

#include <pgtsim/hotplug.h>

/* resize_zone_range(): the zone spans [pfn, pfn + pages) too. */
void pgtsim_zone_grow(struct pgtsim_zone_state *zone, uint64_t pfn, uint64_t pages);

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

#endif
