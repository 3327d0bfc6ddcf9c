/* SPDX-License-Identifier: MIT */
/*
 * stale: the rules by which an entry gets stale, and is stale no more. They know records only, not
 * what is still in a span. A part of cached.
 */
#ifndef PGTSIM_STALE_H
#define PGTSIM_STALE_H

#include "records.h"

/* Whether a walk can use an entry: what faults is never cached. */
static inline bool cacheable(const struct pgtsim_cached *c, int level, uint64_t desc)
{
	if (!(desc & PGTSIM_DESC_VALID))
		return false;
	return desc & PGTSIM_DESC_TABLE ||
	       (level < PGTSIM_PTE && c->geo->block_legal[pgtsim_slot(level)]);
}

/* Whether it is a leaf that may be cached as part of its contiguous group. */
static inline bool is_hinted(const struct pgtsim_cached *c, int level, uint64_t desc)
{
	return desc & PGTSIM_DESC_CONT && pgtsim_cont_entries(c->geo, level) > 1 &&
	       cacheable(c, level, desc) && !pgtsim_desc_is_table(level, desc);
}

/* Entries whose old value, `desc` the first, is valid and now goes. */
void pgtsim_stale_mark(struct pgtsim_cached *c, struct record *r, struct part part, uint64_t desc,
		       bool unsynced);

/* The event's old values go; they can be cached. */
void pgtsim_stale_store(struct pgtsim_cached *c, const struct pgtsim_event *event);

/* DSB ISHST: after it walks see every store before it. */
void pgtsim_stale_sync(struct pgtsim_cached *c);

/* DSB ISH: the invalidates before it are complete, and what DSB ISHST does. */
void pgtsim_stale_complete(struct pgtsim_cached *c);

/* An invalidate of any kind. */
void pgtsim_stale_invalidate(struct pgtsim_cached *c, const struct pgtsim_event *event);
void pgtsim_stale_invalidate_all(struct pgtsim_cached *c);

/* Each leaf: a store, DSB ISHST, an invalidate, DSB ISH, ISB. */
void pgtsim_stale_flush(struct pgtsim_cached *c, const struct pgtsim_event *event);

#endif
