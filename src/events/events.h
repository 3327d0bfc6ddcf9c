/* SPDX-License-Identifier: MIT */
/*
 * events: how the library emits an event, and what an event adds to the counters. Inline, so that
 * an operation on a table nobody watches adds a few constants to the counters instead of building
 * the event: a table is linked or freed in a few nanoseconds.
 */
#ifndef PGTSIM_EVENTS_H
#define PGTSIM_EVENTS_H

#include <pgtsim/tlb.h>

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "arch/error.h"
#include "sequence.h"

/*
 * Writes down why an operation fails with `code`, a negative errno, and returns it: one sentence
 * with the numbers, without a period. Nothing is written if nobody wants it.
 */
PGTSIM_PRINTF(3, 4)
int pgtsim_fail(struct pgtsim_tlb *tlb, int code, const char *format, ...) __attribute__((cold));

PGTSIM_PRINTF(3, 0)
int pgtsim_fail_list(struct pgtsim_tlb *tlb, int code, const char *format, va_list args);

/* What happens to a table entry, for what is below it. */
enum pgtsim_below_change {
	PGTSIM_BELOW_GOES,     /* it is cleared: walk caches may still lead below */
	PGTSIM_BELOW_COMES,    /* it is written */
	PGTSIM_BELOW_RESTRICTS /* it stays, but what it allows below changes */
};

/*
 * The checker as events sees it: it gets each event, in order, before the event is counted. The
 * checker's room implements this; events knows no more of it.
 */
struct pgtsim_checker {
	bool zero_va; /* VA 0 is an address of these tables */
	/*
	 * What is wrong with an event of a caller's making, for these tables; NULL if nothing is.
	 * The library's own events are right.
	 */
	const char *(*wrong)(const struct pgtsim_checker *self, const struct pgtsim_event *event);
	void (*event)(struct pgtsim_checker *self, const struct pgtsim_event *event);
	/*
	 * An entry overwritten by hand; event->pa: restrictions of the table entries above it, ORed.
	 * What is below it follows, then its event.
	 */
	void (*poke)(struct pgtsim_checker *self, const struct pgtsim_event *event);
	/*
	 * Entries below a table entry that is cleared (old_desc) or written
	 * (new_desc) by hand. event->pa: bits set in the table entries between, ORed.
	 */
	void (*unreachable)(struct pgtsim_checker *self, const struct pgtsim_event *event);
	void (*reachable)(struct pgtsim_checker *self, const struct pgtsim_event *event);
	/*
	 * Entries below a table entry whose restrictions (PXNTable and the like) are changed by
	 * hand: event->step has those of all table entries above them until now, event->pa after.
	 */
	void (*attributes)(struct pgtsim_checker *self, const struct pgtsim_event *event);
	/* pgtsim_routine_begin() and pgtsim_routine_end(). */
	bool (*begin)(struct pgtsim_checker *self, unsigned routine, int level);
	void (*done)(struct pgtsim_checker *self);
	/* The end of an operation on [va, last]; `cpu` as pgtsim_tlb_end_on() has it. */
	void (*end)(struct pgtsim_checker *self, uint64_t va, uint64_t last, unsigned cpu);
	void (*free)(struct pgtsim_checker *self);
	/* Of whoever has put functions of its own in their place for a time, to hear events first. */
	void *listener;
};

/*
 * True if somebody must get the event itself, or threads take turns. If not, all that an event does
 * is pgtsim_tlb_count().
 */
static inline bool pgtsim_tlb_watched(const struct pgtsim_tlb *tlb)
{
	uint64_t any;

	static_assert(offsetof(struct pgtsim_tlb, range_operations) -
				      offsetof(struct pgtsim_tlb, quiet) ==
			      sizeof(any),
		      "the flags that make a tlb watched are read with one load");
	memcpy(&any, (const char *)tlb + offsetof(struct pgtsim_tlb, quiet), sizeof(any));
	return any;
}

/*
 * True if a run of entries is one event an entry. With repeated invalidates it must be: the flag of
 * a flush after each leaf stands for a flush without them.
 */
static inline bool pgtsim_tlb_singly(const struct pgtsim_tlb *tlb)
{
	return tlb->single || tlb->repeat_tlbi;
}

/* !force_pte_mapping(): a CPU that may change the sizes of live leaves starts with large ones. */
static inline bool pgtsim_starts_large(const struct pgtsim_tlb *tlb,
				       const struct pgtsim_policy *policy)
{
	return tlb->bbml2 && policy->hot_add_leaves == PGTSIM_HOT_ADD_BBM3_BLOCKS;
}

/* The counter of a kind of barrier or invalidate; NULL for other operations. */
static inline uint64_t *pgtsim_maintenance_counter(struct pgtsim_counts *counts, enum pgtsim_op op)
{
	switch (op) {
	case PGTSIM_OP_DSB_ISHST:
	case PGTSIM_OP_DSB_ISH:
	case PGTSIM_OP_DSB_ISHLD:
	case PGTSIM_OP_DSB_NSH:
	case PGTSIM_OP_DSB_OSH:
	case PGTSIM_OP_DSB_SY:
		return &counts->dsb;
	case PGTSIM_OP_DMB_ISHST:
	case PGTSIM_OP_DMB_ISH:
	case PGTSIM_OP_DMB_ISHLD:
		return &counts->dmb;
	case PGTSIM_OP_ISB:
		return &counts->isb;
	case PGTSIM_OP_TLBI_LEAF:
		return &counts->tlbi_leaf;
	case PGTSIM_OP_TLBI_WALK:
		return &counts->tlbi_walk;
	case PGTSIM_OP_TLBI_RANGE:
	case PGTSIM_OP_TLBI_RANGE_WALK:
		return &counts->tlbi_range;
	case PGTSIM_OP_TLBI_ALL:
	case PGTSIM_OP_IDTE:
		return &counts->tlbi_all;
	default:
		return NULL;
	}
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
	default:
		return pgtsim_maintenance_counter(counts, op);
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

/* Adds a run of n operations to the counters of their kind. */
static inline void pgtsim_count_op(struct pgtsim_counts *counts, enum pgtsim_op op, uint64_t n)
{
	uint64_t *counter = pgtsim_counter_of(counts, op);

	if (counter)
		*counter += n;
	if (op == PGTSIM_OP_DSB_ISH)
		counts->dsb_ish += n;
}

static inline void pgtsim_count_step(struct pgtsim_counts *counts,
				     const struct pgtsim_sequence *sequence, unsigned step,
				     uint64_t n)
{
	if (step < sequence->length)
		pgtsim_count_op(counts, sequence->op[step], n);
}

/* Adds n times what a sequence adds. Each step is written out, so that all of it is constant. */
static inline void pgtsim_count_sequence(struct pgtsim_counts *counts,
					 const struct pgtsim_sequence *sequence, uint64_t n)
	__attribute__((always_inline));
static inline void pgtsim_count_sequence(struct pgtsim_counts *counts,
					 const struct pgtsim_sequence *sequence, uint64_t n)
{
	static_assert(PGTSIM_SEQUENCE_MAX == 4, "one line for each step");
	pgtsim_count_step(counts, sequence, 0, n);
	pgtsim_count_step(counts, sequence, 1, n);
	pgtsim_count_step(counts, sequence, 2, n);
	pgtsim_count_step(counts, sequence, 3, n);
}

/* A run of n leaves that are written or cleared. */
static inline void pgtsim_count_leaves(struct pgtsim_counts *counts, uint64_t n, unsigned flags)
{
	counts->entries_read += n;
	counts->entries_written += n;
	if (flags & PGTSIM_EACH_SYNC)
		pgtsim_count_sequence(counts, &PGTSIM_SYNC, n);
	if (flags & PGTSIM_EACH_FLUSH)
		pgtsim_count_sequence(counts, &PGTSIM_FLUSH_LEAF, n);
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

/* Adds what an event with these fields adds. */
static inline void pgtsim_tlb_count(struct pgtsim_counts *counts, enum pgtsim_op op, int level,
				    uint64_t n, unsigned flags)
{
	pgtsim_count_op(counts, op, n);
	if (op == PGTSIM_OP_MAP || op == PGTSIM_OP_CLEAR)
		pgtsim_count_leaves(counts, n, flags);
	else if (op == PGTSIM_OP_TABLE_ALLOC || op == PGTSIM_OP_TABLE_FREE)
		pgtsim_count_tables(counts, op, level, n, flags);
}

/* pgtsim_count() where nothing is counted, or threads take turns. */
void pgtsim_count_slowly(struct pgtsim_tlb *tlb, uint64_t *counter, uint64_t n);

/* Adds n to one of the tlb's counters. Not from within an event: the lock is not recursive. */
static inline void pgtsim_count(struct pgtsim_tlb *tlb, uint64_t *counter, uint64_t n)
{
	uint16_t slowly;

	static_assert(offsetof(struct pgtsim_tlb, shared) == offsetof(struct pgtsim_tlb, quiet) + 1,
		      "quiet and shared are read with one load");
	memcpy(&slowly, (const char *)tlb + offsetof(struct pgtsim_tlb, quiet), sizeof(slowly));
	if (slowly)
		pgtsim_count_slowly(tlb, counter, n);
	else
		*counter += n;
}

/* True if an event goes to more than the checker and the counters of one thread. */
static inline bool pgtsim_tlb_tells(const struct pgtsim_tlb *tlb)
{
	return tlb->observed || tlb->quiet || tlb->shared;
}

/* Counts, shows and checks an event that is complete, whoever watches. */
void pgtsim_emit_event_slowly(struct pgtsim_tlb *tlb, const struct pgtsim_event *event);

/* Emits an event whose operation is known where this is compiled, and that is complete. */
static inline void pgtsim_events_tell(struct pgtsim_tlb *tlb, const struct pgtsim_event *event)
{
	/* Read before the call of the checker: the compiler could not keep them in registers after. */
	const enum pgtsim_op op = event->op;
	const unsigned flags = event->flags;
	const uint64_t count = event->count;
	const int level = event->level;

	if (pgtsim_tlb_tells(tlb)) {
		pgtsim_emit_event_slowly(tlb, event);
		return;
	}
	tlb->freed_pages = 0;
	if (tlb->checker)
		tlb->checker->event(tlb->checker, event);
	pgtsim_tlb_count(&tlb->counts, op, level, count, flags);
}

/* Emits each step of a sequence as an event of its own. */
void pgtsim_emit_steps(struct pgtsim_tlb *tlb, const struct pgtsim_sequence *sequence, uint64_t va,
		       uint64_t size);

/*
 * Emits a sequence of barriers and invalidates. An invalidate in it is for the one address va in an
 * entry of `size` bytes; without one, va and size are 0.
 */
static inline void pgtsim_emit(struct pgtsim_tlb *tlb, const struct pgtsim_sequence *sequence,
			       uint64_t va, uint64_t size)
{
	if (pgtsim_tlb_watched(tlb))
		pgtsim_emit_steps(tlb, sequence, va, size);
	else
		pgtsim_count_sequence(&tlb->counts, sequence, 1);
}

/*
 * Routines: a table comes, or goes, by the same few events every time. If the checker was at rest
 * before, and again at rest after them, with nothing to report, then so it is of the next table of
 * the level: the checker lets those events be counted only. What it makes of them is not written
 * down here or there: it judges the first table of each routine by its rules, and remembers.
 */
enum {
	PGTSIM_ROUTINE_COMES = 0,     /* allocated, linked */
	PGTSIM_ROUTINE_GOES = 1,      /* unlinked while empty, flushed, freed */
	PGTSIM_ROUTINE_PUBLISHED = 2, /* … it is published before the link */
	PGTSIM_ROUTINE_EARLY = 2,     /* … it is freed before the flush */
	PGTSIM_ROUTINE_SYNCED = 4,    /* PGTSIM_SYNC follows the store to its entry */
	PGTSIM_ROUTINE_ORDERED = 8,   /* … by DMB before the link */
	PGTSIM_ROUTINES = 16,
};

/*
 * Begins a routine for a table whose entry is of a level. Returns true if the checker knows what
 * comes of it: until the end its events are only counted then.
 */
static inline bool pgtsim_routine_begin(struct pgtsim_tlb *tlb, unsigned routine, int level)
{
	if (!tlb->checked || pgtsim_tlb_tells(tlb) || pgtsim_tlb_singly(tlb) ||
	    !tlb->checker->begin(tlb->checker, routine, level))
		return false;
	tlb->checked = false;
	return true;
}

/* Ends a routine; `known` is what pgtsim_routine_begin() returned. */
static inline void pgtsim_routine_end(struct pgtsim_tlb *tlb, bool known)
{
	if (known)
		tlb->checked = true;
	else if (tlb->checked)
		tlb->checker->done(tlb->checker);
}

/*
 * Between begin and end the library frees memory of which it emits the event itself, so that
 * memory's hook emits none. They nest: end takes what begin returned. Threads that share the tlb
 * leave the mark alone, because the hook emits nothing then.
 */
static inline bool pgtsim_freeing_begin(struct pgtsim_tlb *tlb)
{
	bool freeing = tlb->freeing;

	if (!tlb->shared)
		tlb->freeing = true;
	return freeing;
}

static inline void pgtsim_freeing_end(struct pgtsim_tlb *tlb, bool freeing)
{
	if (!tlb->shared)
		tlb->freeing = freeing;
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
	if (tlb->checked || tlb->observed)
		pgtsim_tlb_end(tlb, va, last);
}

#endif
