/* SPDX-License-Identifier: MIT */
/*
 * making: new entries, and whether what they replace was broken first (break-before-make, Arm ARM
 * D8.16.1); entries overwritten by hand. A part of cached.
 */
#ifndef PGTSIM_MAKING_H
#define PGTSIM_MAKING_H

#include "stale.h"

void pgtsim_make(struct pgtsim_cached *c, const struct pgtsim_event *event);

/* Entries that were none become leaves or tables: of note if there are records, or a hint. */
static inline void make(struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	if (c->records || is_hinted(c, event->level, event->new_desc))
		pgtsim_make(c, event);
}

/* An entry overwritten by hand. */
void pgtsim_make_by_hand(struct pgtsim_cached *c, const struct pgtsim_event *event);

#endif
