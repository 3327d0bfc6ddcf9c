/* SPDX-License-Identifier: MIT */
/*
 * reach: what a step means to the checker: its kind, and the addresses it concerns. If the reaches
 * of two steps meet, the checker may judge the two orders differently, so the search tries both.
 * If they don't meet, one order stands for the other. A reach may be too large (then a schedule is
 * run that adds nothing), never too small (then one would be missed).
 */
#ifndef PGTSIM_EXPLORE_REACH_H
#define PGTSIM_EXPLORE_REACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgtsim/checker.h>

enum pgtsim_reach_kind {
	PGTSIM_REACH_NONE,
	PGTSIM_REACH_STORE,      /* an entry is written */
	PGTSIM_REACH_INVALIDATE, /* TLBI */
	PGTSIM_REACH_BARRIER,    /* DSB or DMB */
	PGTSIM_REACH_CONTEXT,    /* ISB */
	PGTSIM_REACH_FREE,       /* memory or a table is freed */
	PGTSIM_REACH_END,        /* the end of an operation: the checker reports what is stale */
	PGTSIM_REACH_KINDS,
};

/*
 * What one step concerns: virtual addresses [va, last] and physical addresses [pa, pa_last], both
 * ends included. A range whose start is above its end is empty.
 */
struct pgtsim_reach {
	uint8_t kind; /* enum pgtsim_reach_kind */
	/* The CPU whose barriers publish and complete what the step does. Of a store that is still to
	 * come it may be PGTSIM_REACH_ANY_CPU: it is not known. */
	uint8_t cpu;
	bool takes_away; /* store: the entry was not zero before */
	bool completes;  /* barrier: it completes at least one invalidate */
	uint64_t va, last;
	uint64_t pa, pa_last;
	/*
	 * Barrier: [new_va, new_last] holds the entries that were zero and that it makes visible. The
	 * smallest of them translates new_size + 1 bytes. Overwriting such an entry does not depend on
	 * the barrier. The end of an operation does (the checker reports what is not visible), and so
	 * does a store to a table entry above one of them: that entry translates at least new_size + 1.
	 */
	uint64_t new_va, new_last, new_size;
};

/*
 * A summary of up to 64 consecutive reaches in a log: the kinds as bits and a range that contains
 * all ranges. pgtsim_reach_last() skips a chunk if nothing in it can meet.
 */
enum { PGTSIM_REACH_CHUNK = 64 };

struct pgtsim_reach_chunk {
	unsigned kinds;
	uint64_t va, last, pa, pa_last;
};

struct pgtsim_reached {
	uint32_t step;
	struct pgtsim_reach reach;
};

/* The steps of one actor that concern the checker, in ascending order. All zero: empty. */
struct pgtsim_reach_log {
	struct pgtsim_reached *list;
	struct pgtsim_reach_chunk *chunks;
	size_t count, room;
};

/* Virtual addresses [va, last]; empty if va > last. */
struct pgtsim_reach_span {
	uint64_t va, last;
};

/* What the next barrier of a CPU would act on. Each range contains everything of its kind. */
struct pgtsim_reach_open {
	struct pgtsim_reach_span stores;  /* changed or cleared entries, not published yet */
	struct pgtsim_reach_span entries; /* new entries, not published yet, … */
	uint64_t smallest;                /* … the smallest one translates smallest + 1 bytes */
	struct pgtsim_reach_span invalidates; /* not complete yet */
	struct pgtsim_reach_span unsynced;    /* stores and invalidates since the last ISB */
};

enum { PGTSIM_REACH_CPUS = 64, PGTSIM_REACH_ANY_CPU = 255 };

struct pgtsim_reach_state {
	const struct pgtsim_pgtable *pgt;
	const struct pgtsim_geometry *geo; /* of pgt */
	struct pgtsim_reach_open open[PGTSIM_REACH_CPUS];
	/*
	 * Entries stored so far that translate more than a page. An invalidate of any address in one
	 * removes the whole entry, so its reach is extended to all of it.
	 */
	struct pgtsim_reach_span *spans;
	size_t span_count, span_room;
};

/*
 * Forgets what happened before, except for entries that the machine's checker knows to be stale
 * already. Returns false if there is no memory.
 */
bool pgtsim_reach_start(struct pgtsim_reach_state *state, const struct pgtsim_pgtable *pgt,
			const struct pgtsim_tlb *tlb);

/* Frees what the state holds. */
void pgtsim_reach_fini(struct pgtsim_reach_state *state);

/*
 * Returns the CPU on which an actor's event happens: the one the event names, or else the actor's
 * own.
 */
unsigned pgtsim_reach_cpu(unsigned actor, const struct pgtsim_event *event);

/* Returns the reach of an event that `actor` is about to emit or has just emitted. */
struct pgtsim_reach pgtsim_reach_of(const struct pgtsim_reach_state *state, unsigned actor,
				    const struct pgtsim_event *event);

/* Returns the reach of the end of an operation on [va, last] by a CPU. */
struct pgtsim_reach pgtsim_reach_of_end(unsigned cpu, uint64_t va, uint64_t last);

/*
 * Returns the largest reach that a store to the entry of this level at va can have. Used before the
 * store, when the new value is not known yet. `cpu` may be PGTSIM_ANY_CPU.
 */
struct pgtsim_reach pgtsim_reach_of_store(const struct pgtsim_reach_state *state, unsigned cpu,
					  int level, uint64_t va);

/*
 * Updates the state after an event: later barriers publish and complete it. Returns false if there
 * is no memory.
 */
bool pgtsim_reach_happened(struct pgtsim_reach_state *state, const struct pgtsim_reach *reach,
			   enum pgtsim_op op);

/*
 * True if two steps of different actors depend on each other, that is, if both orders must be
 * tried.
 */
bool pgtsim_reach_meets(const struct pgtsim_reach *a, const struct pgtsim_reach *b);

/* Adds a step to an actor's log. Returns false if there is no memory. */
bool pgtsim_reach_add(struct pgtsim_reach_log *log, uint32_t step,
		      const struct pgtsim_reach *reach);

/* Returns the last step in the log after step `after` that meets the reach, or 0 if none does. */
uint32_t pgtsim_reach_last(const struct pgtsim_reach_log *log, uint32_t after,
			   const struct pgtsim_reach *reach);

/* Frees what the log holds. */
void pgtsim_reach_log_fini(struct pgtsim_reach_log *log);

#endif
