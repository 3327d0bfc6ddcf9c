/* SPDX-License-Identifier: MIT */
/*
 * exploring: what the files behind <pgtsim/explore.h> share. watch.c knows the tables,
 * execution.c runs one schedule, explore.c searches, account.c tells, actors.c acts.
 */
#ifndef PGTSIM_EXPLORING_H
#define PGTSIM_EXPLORING_H

#include <pgtsim/explore.h>

#include "coroutine.h"
#include "schedule.h"

/* Beyond those of enum pgtsim_lock each actor has one: held while it walks as a CPU. */
enum { LOCKS = PGTSIM_LOCKS + PGTSIM_ACTORS_MAX };

/* A vector clock: for each actor, its last step that comes before in every equivalent schedule. */
struct pgtsim_clock {
	uint32_t step[PGTSIM_ACTORS_MAX];
};

/* From this step on an actor's clock is this, its own component aside. */
struct pgtsim_clock_change {
	uint32_t step;
	struct pgtsim_clock clock;
};

/* A table page: who did what to it in this run. */
struct pgtsim_watched {
	struct pgtsim_table *table;
	const uint64_t *entries;
	int level;
	uint64_t va;
	unsigned users;                   /* actors that accessed it, as bits */
	uint32_t last[PGTSIM_ACTORS_MAX]; /* the last step of each that did */
	uint32_t freed;                   /* the step; 0: it is not */
	unsigned freed_by;
	bool gone; /* freed, perhaps when steps did not count any more */
	bool reported;
	/* These stay from run to run. */
	uint32_t run;          /* the cells are of this one */
	uint32_t *cells;       /* for each entry; cell() */
	unsigned char *shared; /* for each entry: several actors meet there; NULL: not known */
	bool met;              /* with shared: several actors used the table */
};

/* What an actor does next. */
struct pgtsim_next {
	enum pgtsim_explore_op op;
	struct pgtsim_watched *table; /* of reads, writes, frees */
	unsigned index;               /* of reads, writes */
	unsigned lock;                /* of the rest */
};

struct pgtsim_actor {
	struct pgtsim_exploring *x;
	unsigned id;
	struct pgtsim_coroutine *coroutine;
	bool running; /* not ended */
	int result;
	struct pgtsim_next next;
	struct pgtsim_clock clock;
	struct pgtsim_clock_change *changes;
	size_t change_count, change_room;
	const struct pgtsim_actor_accesses *accesses; /* of a CPU */
};

struct pgtsim_lock_state {
	bool held;
	unsigned holder, acquirer, releaser; /* acquirer, releaser: the last ones */
	uint32_t acquired, released;         /* when; 0: never */
};

/* Where schedules part: actors as bits. */
struct pgtsim_node {
	uint32_t step; /* the choice is who takes this step */
	uint8_t todo;  /* those to be tried, tried ones included */
	uint8_t done;  /* tried */
	uint8_t sleep; /* need not be tried: an earlier choice has covered them */
};

struct pgtsim_sleep_change {
	uint32_t step;
	uint8_t sleep; /* before that step */
};

struct pgtsim_exploring {
	struct pgtsim_access_hook hook; /* first: the callback casts */
	struct pgtsim_observer observer;
	const struct pgtsim_explore_config *config;
	struct pgtsim_actor actor[PGTSIM_ACTORS_MAX];
	unsigned actor_count;
	int error; /* what ends the exploration */

	/* The run. */
	struct pgtsim_machine *machine;
	struct pgtsim_table_ops ops; /* the machine's own */
	enum pgtsim_access access;
	struct pgtsim_lock_state lock[LOCKS];
	unsigned current;   /* the actor that runs */
	int chosen;         /* who takes the next step; negative: nobody can */
	bool starting;      /* steps are not taken yet */
	bool draining;      /* what is left only has to end, uncounted */
	bool cut, deadlock; /* how it ended */
	uint32_t step;      /* the last one taken */
	uint32_t failed_at; /* the step of the first violation; 0: none; beyond the last: the end */
	struct pgtsim_violation violation;
	uint64_t unlinked_va, unlinked_size; /* by the last unlink; size 0: its flush is done */

	/* Its schedule. */
	struct pgtsim_schedule plan; /* to be followed first … */
	size_t plan_at;
	uint32_t plan_left;
	bool exact; /* … to the letter */
	struct pgtsim_schedule taken;

	/* The search. */
	bool searching;
	uint32_t fresh; /* the first step that no earlier run took with the same past */
	uint8_t fresh_sleep, sleep;
	struct pgtsim_sleep_change *sleeps;
	size_t sleep_count, sleep_room;
	struct pgtsim_node *nodes; /* ascending */
	size_t node_count, node_room;

	/* Tables, in the order in which they came, and by address. */
	struct pgtsim_watched **watched, **sorted;
	size_t watched_count, watched_room; /* those above watched_count: to be used again */
	struct pgtsim_watched *recent;
	unsigned entries; /* of the largest table */
	uint32_t run;
	struct pgtsim_watched *stored; /* above the ptes, by the last step, or NULL: an entry … */
	unsigned stored_index;
	uint64_t stored_over; /* … that was this before … */
	int stored_after;     /* … by this actor; negative: before the run */
	unsigned stored_by;   /* who stored */

	/* The account. */
	struct pgtsim_exploration *account; /* NULL: none is made */
	uint32_t fails_at;                  /* where the schedule is known to fail */
	size_t row_room;
	const uint64_t *written;                /* by the last row, not read back yet; or NULL */
	const struct pgtsim_watched *row_table; /* of the last row, or NULL */
	unsigned row_index;
};

/* ---- watch.c ---- */

/* Takes the machine's tables under watch. Returns 0 or -ENOMEM. */
int pgtsim_watch_start(struct pgtsim_exploring *x);

/* Frees for good the tables that were freed in this run. */
void pgtsim_watch_end(struct pgtsim_exploring *x);

/* The table of this entry; NULL only if memory ran out. */
struct pgtsim_watched *pgtsim_watch_find(struct pgtsim_exploring *x, const uint64_t *entry);

/*
 * An entry's cell: its last write; bits: readers, writers << 8, its last writer << 16; and the
 * last read of each actor. NULL if there is no memory.
 */
enum { CELL_WRITE, CELL_WHO, CELL_READ };
uint32_t *pgtsim_watch_cell(struct pgtsim_exploring *x, struct pgtsim_watched *table,
			    unsigned index);

/* Looks at what the last step stored above the ptes, if it did: learns what table was linked. */
void pgtsim_watch_stored(struct pgtsim_exploring *x);

/* Notes for each entry whether actors meet there, for the account of the same schedule. */
int pgtsim_watch_share(struct pgtsim_exploring *x);

void pgtsim_watch_fini(struct pgtsim_exploring *x);

/* ---- execution.c ---- */

/* Makes the coroutines. Returns 0, -ENOMEM or -ENOTSUP. */
int pgtsim_execution_init(struct pgtsim_exploring *x);

/*
 * Runs the actors on a new machine by x->plan, from its first word on. Returns 0 or what ends the
 * exploration.
 */
int pgtsim_execute(struct pgtsim_exploring *x);

void pgtsim_execution_fini(struct pgtsim_exploring *x);

/* The running actor's next step: returns when it is its turn. */
void pgtsim_take_step(struct pgtsim_exploring *x, const struct pgtsim_next *next);

/* Whether the steps of all actors so far make a before b; a is a step of its actor. */
struct pgtsim_clock pgtsim_clock_at(const struct pgtsim_actor *actor, uint32_t step);

/* ---- explore.c ---- */

/*
 * Actor `a`'s step (the current one, or one that it never gets to take) could have come before
 * `step` of `other`; clock is that step's, `step` and what depends on it left out.
 */
void pgtsim_race(struct pgtsim_exploring *x, unsigned other, uint32_t step, unsigned a,
		 const struct pgtsim_clock *clock);

/* ---- account.c ---- */

/* Adds the step just taken to the account. */
void pgtsim_account_step(struct pgtsim_exploring *x, unsigned actor,
			 const struct pgtsim_next *next);

/* Reads back what the last step wrote. */
void pgtsim_account_value(struct pgtsim_exploring *x);

#endif
