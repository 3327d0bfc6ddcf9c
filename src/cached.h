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
 * TLB hold the group, computed from any member). An entry that has no hint in a group that has is
 * stale from the start. When a table entry is overwritten by hand, what is below it is stale, and
 * can be cached again as long as a walk cache may hold a table entry above it.
 *
 * "Stale" is never said too late or taken back too early, but in these corners, each behind a
 * violation, it may last longer than it must:
 *   - old values of one entry go together: when one invalidate has removed them all
 *   - a store to an entry that is being invalidated (before DSB ISH) makes it count as not
 *   - what is in tables that were overwritten, or just came back, is taken to be reachable through
 *     any stale table entry above it, not only through the one that led there
 *
 * Behind it, from the ground up: records.c keeps what is stale and finds it; stale.c has the rules
 * by which an entry gets stale and is stale no more; span.c takes the common case, which needs no
 * records; reports.c tells; making.c judges new entries; cached.c hands each event to them.
 *
 * Not known here: what freed tables hold then, tables linked in two places, and groups whose
 * members disagree on what they translate to; each is named by a violation of its own.
 */
#ifndef PGTSIM_CACHED_H
#define PGTSIM_CACHED_H

#include <pgtsim/tlb.h>

/* Takes an event into account; called for each, counted or not. */
void pgtsim_cached_event(struct pgtsim_cached *cached, const struct pgtsim_event *event);

/* The same for a DSB ISHST, DSB ISH or ISB. */
void pgtsim_cached_barrier(struct pgtsim_cached *cached, enum pgtsim_op op);

/* The same for what pgtsim_tlb_sync() and pgtsim_tlb_flush_table() do. */
void pgtsim_cached_sync(struct pgtsim_cached *cached);
void pgtsim_cached_flush_table(struct pgtsim_cached *cached, uint64_t va);

/*
 * Entries of which only a walk cache knows, because a table entry above them goes (old_desc), or
 * which the tables give again (new_desc): for entries overwritten with all that is below them.
 */
void pgtsim_cached_lost(struct pgtsim_cached *cached, const struct pgtsim_event *event);
void pgtsim_cached_found(struct pgtsim_cached *cached, const struct pgtsim_event *event);

/* Notes a violation for each run of stale entries of [va, last] that none was noted for. */
void pgtsim_cached_report(struct pgtsim_cached *cached, uint64_t va, uint64_t last);

#endif
