/* SPDX-License-Identifier: MIT */
/*
 * What an event adds to the counters. Inline, so that an operation on a table nobody watches adds
 * a few numbers instead of building the event: a table is linked or freed in a few nanoseconds.
 */
#ifndef PGTSIM_EVENTS_H
#define PGTSIM_EVENTS_H

#include <pgtsim/tlb.h>

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "cached.h"

/* Whether anyone wants the event itself, or a turn; if not, it only does pgtsim_tlb_count(). */
static inline bool pgtsim_tlb_watched(const struct pgtsim_tlb *tlb)
{
	uint32_t any;

	static_assert(offsetof(struct pgtsim_tlb, checked) - offsetof(struct pgtsim_tlb, quiet) ==
			      sizeof(any) - 1,
		      "what makes a tlb watched is asked as one");
	memcpy(&any, (const char *)tlb + offsetof(struct pgtsim_tlb, quiet), sizeof(any));
	return any;
}

/* The counter that an operation adds its run to; NULL for none. */
static inline uint64_t *pgtsim_counter_of(struct pgtsim_counts *counts, enum pgtsim_op op)
{
	switch (op) {
	case PGTSIM_OP_TABLE_ALLOC:
		return &counts->tables_allocated;
	case PGTSIM_OP_TABLE_FREE:
		return &counts->tables_freed;
	case PGTSIM_OP_MAP:
		return &counts->leaves_mapped;
	case PGTSIM_OP_CLEAR:
		return &counts->leaves_cleared;
	case PGTSIM_OP_PAGES_ALLOC:
		return &counts->pages_allocated;
	case PGTSIM_OP_PAGES_FREE:
		return &counts->pages_freed;
	case PGTSIM_OP_MIGRATE:
		return &counts->pages_migrated;
	case PGTSIM_OP_ALTMAP_ALLOC:
		return &counts->altmap_allocated;
	case PGTSIM_OP_ALTMAP_FREE:
		return &counts->altmap_freed;
	case PGTSIM_OP_DSB_ISHST:
	case PGTSIM_OP_DSB_ISH:
		return &counts->dsb;
	case PGTSIM_OP_ISB:
		return &counts->isb;
	case PGTSIM_OP_TLBI_LEAF:
		return &counts->tlbi_leaf;
	case PGTSIM_OP_TLBI_WALK:
		return &counts->tlbi_walk;
	case PGTSIM_OP_TLBI_RANGE:
		return &counts->tlbi_range;
	case PGTSIM_OP_TLBI_ALL:
		return &counts->tlbi_all;
	default:
		return NULL;
	}
}

/* The gauge of live tables of a level. */
static inline uint64_t *pgtsim_live_tables(struct pgtsim_counts *counts, int level)
{
	switch (level) {
	case PGTSIM_PGD:
		return &counts->tables_pgd;
	case PGTSIM_P4D:
		return &counts->tables_p4d;
	case PGTSIM_PUD:
		return &counts->tables_pud;
	case PGTSIM_PMD:
		return &counts->tables_pmd;
	default:
		return &counts->tables_pte;
	}
}

/* A run of leaves written or cleared. */
static inline void pgtsim_count_leaves(struct pgtsim_counts *counts, uint64_t n, unsigned flags)
{
	counts->entries_read += n;
	counts->entries_written += n;
	if (flags & PGTSIM_EACH_SYNC) {
		counts->dsb += n;
		counts->isb += n;
	}
	if (flags & PGTSIM_EACH_FLUSH) {
		counts->dsb += 2 * n;
		counts->dsb_ish += n;
		counts->isb += n;
		counts->tlbi_leaf += n;
	}
}

static inline void pgtsim_count_tables(struct pgtsim_counts *counts, enum pgtsim_op op, int level,
				       uint64_t n, unsigned flags)
{
	if (op == PGTSIM_OP_TABLE_ALLOC)
		*pgtsim_live_tables(counts, level) += n;
	else
		*pgtsim_live_tables(counts, level) -= n;
	if (flags & PGTSIM_EACH_CTOR)
		counts->tables_constructed += n;
	if (flags & PGTSIM_EACH_DTOR)
		counts->tables_destructed += n;
}

/* All that an event with these fields adds. */
static inline void pgtsim_tlb_count(struct pgtsim_counts *counts, enum pgtsim_op op, int level,
				    uint64_t n, unsigned flags)
{
	uint64_t *counter = pgtsim_counter_of(counts, op);

	if (counter)
		*counter += n;
	if (op == PGTSIM_OP_MAP || op == PGTSIM_OP_CLEAR)
		pgtsim_count_leaves(counts, n, flags);
	else if (op == PGTSIM_OP_DSB_ISH)
		counts->dsb_ish += n;
	else if (op == PGTSIM_OP_TABLE_ALLOC || op == PGTSIM_OP_TABLE_FREE)
		pgtsim_count_tables(counts, op, level, n, flags);
}

/* Whether an event goes to more than the checker. */
static inline bool pgtsim_tlb_tells(const struct pgtsim_tlb *tlb)
{
	return tlb->observed || tlb->quiet || tlb->shared;
}

/* pgtsim_tlb_event() for an operation that is known where it is compiled. */
static inline void pgtsim_events_tell(struct pgtsim_tlb *tlb, const struct pgtsim_event *event)
{
	/* Read before the compiler has to take them for changed. */
	const enum pgtsim_op op = event->op;
	const unsigned flags = event->flags;
	const uint64_t count = event->count;
	const int level = event->level;

	if (pgtsim_tlb_tells(tlb)) {
		pgtsim_tlb_event(tlb, event);
		return;
	}
	if (tlb->cached)
		pgtsim_cached_event(tlb->cached, event);
	pgtsim_tlb_count(&tlb->counts, op, level, count, flags);
}

/* The marks of an operation's beginning and end, which count nothing. */
static inline void pgtsim_events_begin(struct pgtsim_tlb *tlb, enum pgtsim_op op, uint64_t va,
				       uint64_t last)
{
	if (pgtsim_tlb_watched(tlb))
		pgtsim_tlb_begin(tlb, op, va, last);
}

static inline void pgtsim_events_end(struct pgtsim_tlb *tlb, uint64_t va, uint64_t last)
{
	if (tlb->checked)
		pgtsim_tlb_end(tlb, va, last);
}

/* What a table that comes or goes takes, as in tlb.h, but where nobody watches. */
static inline void pgtsim_events_publish(struct pgtsim_tlb *tlb)
{
	if (pgtsim_tlb_tells(tlb)) {
		pgtsim_tlb_publish(tlb);
		return;
	}
	if (tlb->checked)
		pgtsim_cached_barrier(tlb->cached, PGTSIM_OP_DSB_ISHST);
	pgtsim_tlb_count(&tlb->counts, PGTSIM_OP_DSB_ISHST, PGTSIM_PTE, 1, 0);
}

static inline void pgtsim_events_sync(struct pgtsim_tlb *tlb)
{
	if (pgtsim_tlb_tells(tlb)) {
		pgtsim_tlb_sync(tlb);
		return;
	}
	if (tlb->checked)
		pgtsim_cached_sync(tlb->cached);
	pgtsim_tlb_count(&tlb->counts, PGTSIM_OP_DSB_ISHST, PGTSIM_PTE, 1, 0);
	pgtsim_tlb_count(&tlb->counts, PGTSIM_OP_ISB, PGTSIM_PTE, 1, 0);
}

static inline void pgtsim_events_complete(struct pgtsim_tlb *tlb)
{
	if (pgtsim_tlb_watched(tlb)) {
		pgtsim_tlb_complete(tlb);
		return;
	}
	pgtsim_tlb_count(&tlb->counts, PGTSIM_OP_DSB_ISH, PGTSIM_PTE, 1, 0);
	pgtsim_tlb_count(&tlb->counts, PGTSIM_OP_ISB, PGTSIM_PTE, 1, 0);
}

static inline void pgtsim_events_flush_table(struct pgtsim_tlb *tlb, uint64_t va)
{
	if (pgtsim_tlb_tells(tlb)) {
		pgtsim_tlb_flush_table(tlb, va);
		return;
	}
	if (tlb->checked)
		pgtsim_cached_flush_table(tlb->cached, va);
	pgtsim_tlb_count(&tlb->counts, PGTSIM_OP_DSB_ISHST, PGTSIM_PTE, 1, 0);
	pgtsim_tlb_count(&tlb->counts, PGTSIM_OP_TLBI_WALK, PGTSIM_PTE, 1, 0);
	pgtsim_tlb_count(&tlb->counts, PGTSIM_OP_DSB_ISH, PGTSIM_PTE, 1, 0);
	pgtsim_tlb_count(&tlb->counts, PGTSIM_OP_ISB, PGTSIM_PTE, 1, 0);
}

#endif
