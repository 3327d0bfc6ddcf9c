/* SPDX-License-Identifier: MIT */
/*
 * cached: what TLBs and walk caches may still hold that the tables no longer say.
 *
 * Whatever can be walked may be cached, so only the rest needs room: a bit for each entry that
 * was cleared or changed and whose old value may still be in use. Such an entry is called stale.
 *
 *   a store         makes the old value stale; walks may use the old value until DSB ISHST
 *   an invalidate   that covers a stale entry, when nothing can be cached again from it, …
 *   DSB ISH         … and is complete: the entry is stale no more
 *
 * What can be cached again: an entry whose store is not yet seen, and, in a contiguous group,
 * every entry while any member with the hint can still be walked (Arm ARM D8.7.1: the hint lets a
 * TLB hold the group, computed from any member).
 */
#ifndef PGTSIM_CACHED_H
#define PGTSIM_CACHED_H

#include <pgtsim/tlb.h>

/* Takes an event into account; called for each, counted or not. */
void pgtsim_cached_event(struct pgtsim_cached *cached, const struct pgtsim_event *event);

/* Notes a violation for each run of stale entries of [va, last] that none was noted for. */
void pgtsim_cached_report(struct pgtsim_cached *cached, uint64_t va, uint64_t last);

#endif
