/* SPDX-License-Identifier: MIT */
/*
 * visible: new entries that a walk may not see yet.
 *
 *   publication  before a table is linked, every store to it, its zeroes included, must be ordered
 *                by a barrier of the CPU that stored: DSB or DMB, of a kind that orders stores
 *   visibility   a new valid entry is certain to be seen after a DSB of the CPU that wrote it, of a
 *                kind that waits for stores; by that CPU itself after an ISB besides, unless it has
 *                FEAT_ETS2
 */
#ifndef PGTSIM_VISIBLE_H
#define PGTSIM_VISIBLE_H

#include "stale_set.h"

/* Entries that were not valid are valid now, as the event says. */
void pgtsim_visible_new(struct checker *c, const struct pgtsim_event *event);

/* Entries of [va, last] are written or cleared: those that were new are not any more. */
void pgtsim_visible_take_out(struct checker *c, int level, uint64_t va, uint64_t last);

static inline void pgtsim_visible_gone(struct checker *c, int level, uint64_t va, uint64_t last)
{
	if (c->issuer_count > 1 || c->issuers->unseen_count)
		pgtsim_visible_take_out(c, level, va, last);
}

/* A barrier of a CPU that has new entries; `does` are its effects. */
void pgtsim_visible_see(struct checker *c, struct issuer *issuer, unsigned does);

/* A barrier of a CPU. */
static inline void pgtsim_visible_barrier(struct checker *c, unsigned does, unsigned cpu)
{
	struct issuer *issuer = &c->issuers[cpu];

	if (does & BARRIER_ORDERS)
		issuer->unordered_count = 0;
	if (issuer->unseen_count)
		pgtsim_visible_see(c, issuer, does);
}

/* A CPU stores to the table page at pa, whose place in the tree is not known. */
void pgtsim_visible_store(struct checker *c, unsigned cpu, uint64_t pa);

/* The entry that led to the table goes: its stores of late are to be ordered if it comes back. */
void pgtsim_visible_detach(struct checker *c, const struct pgtsim_event *event);

/* The table is linked: reports it if a store to it may be seen after the link. */
void pgtsim_visible_link(struct checker *c, const struct pgtsim_event *event);

/* Table pages are freed: nothing is known of them any more. */
void pgtsim_visible_freed(struct checker *c, uint64_t pa, uint64_t last);

/* Reports the new entries of [va, last] by a CPU that are not certain to be seen. */
void pgtsim_visible_report(struct checker *c, uint64_t va, uint64_t last, unsigned cpu);

#endif
