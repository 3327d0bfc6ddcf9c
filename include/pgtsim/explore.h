/* SPDX-License-Identifier: MIT */
/*
 * explore: all interleavings of actors on one simulated page table.
 *
 * An actor is a function that works on a machine through the ordinary functions of this library.
 * Every access of a table entry, every free of a table and every use of a lock is a step, and any
 * other actor may run between two steps. A schedule says who takes each step. All of them are
 * tried, but for those that differ only in the order of steps that do not touch each other: two
 * steps depend on each other if they access the same entry and one writes, if one frees the table
 * that the other accesses, or if both use one lock. (Dynamic partial-order reduction with source
 * sets and sleep sets: Abdulla, Aronis, Jonsson, Sagonas, POPL 2014.) Each schedule runs on a
 * machine that is built anew, so actors must be deterministic.
 *
 * A schedule fails if any violation is noted in it or by pgtsim_check_machine() at its end. While
 * exploring, freed tables are kept aside until the schedule ends, so that an access of one is
 * found: PGTSIM_V_TABLE_USE_AFTER_FREE. Actors that wait for each other for ever are
 * PGTSIM_V_DEADLOCK. The first schedule that fails is made as simple as possible.
 *
 * Not explored: orders of allocations alone (which page a table gets), and CPUs that reorder
 * their own accesses.
 */
#ifndef PGTSIM_EXPLORE_H
#define PGTSIM_EXPLORE_H

#include <pgtsim/dump.h>
#include <pgtsim/machine.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { PGTSIM_ACTORS_MAX = 8 };

/* What an actor may hold; one holder at a time, others wait. */
enum pgtsim_lock {
	PGTSIM_LOCK_HOTPLUG,    /* mem_hotplug_lock */
	PGTSIM_LOCK_PAGE_TABLE, /* init_mm.page_table_lock */
	PGTSIM_LOCKS,
};

struct pgtsim_actor; /* opaque: an actor under way */

/* An actor: what it does, and what must hold at the end. */
struct pgtsim_actor_spec {
	const char *name; /* letters, digits, '-', '_' and '.'; each actor has its own */
	/*
	 * Runs it on the machine. Returns 0 or a negative errno. What others use it touches through
	 * the library only, and not before its first step. It must not wait for others but by
	 * pgtsim_actor_lock(), and must end. Its stack has 512 KiB.
	 */
	int (*run)(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg);
	/*
	 * Called when all have ended, with what run() returned: notes violations if it must. May
	 * be NULL. The machine is private then and no hook is called.
	 */
	void (*check)(struct pgtsim_machine *machine, int result, void *arg);
	void *arg; /* the caller's */
};

/*
 * Takes a lock for an actor, waiting until it is free. One that it holds already it waits for for
 * ever (PGTSIM_V_DEADLOCK). Called from run(). Returns 0 or -EINVAL (no such lock).
 */
PGTSIM_API int pgtsim_actor_lock(struct pgtsim_actor *actor, enum pgtsim_lock lock);

/* Gives it back. Returns 0, -EINVAL (no such lock) or -EPERM (the actor does not hold it). */
PGTSIM_API int pgtsim_actor_unlock(struct pgtsim_actor *actor, enum pgtsim_lock lock);

struct pgtsim_explore_config {
	/*
	 * Builds the machine of a schedule, always the same. Returns 0 or a negative errno, which
	 * ends the exploration, and then leaves nothing to take down. Any access mode; violations
	 * noted so far are forgotten.
	 */
	int (*setup)(void *ctx, struct pgtsim_machine **machine);
	/* Takes it down again; NULL: pgtsim_machine_free(). */
	void (*teardown)(void *ctx, struct pgtsim_machine *machine);
	/* Called at the end of each schedule: returns what is wrong, or NULL. May be NULL. */
	const char *(*check)(void *ctx, struct pgtsim_machine *machine);
	void *ctx;
	const struct pgtsim_actor_spec *actors; /* the caller's */
	size_t actor_count;                     /* 1 to PGTSIM_ACTORS_MAX */
	uint64_t bound;       /* [0: none] schedules after which to stop */
	const char *schedule; /* [NULL] runs just this one: "a*12,b*3,a*4" */
	bool first_only;      /* stops at the first schedule that fails */
};

/* What a step, or a run of them, does. */
enum pgtsim_explore_op {
	PGTSIM_STEP_READ,
	PGTSIM_STEP_WRITE,
	PGTSIM_STEP_FREE,   /* a table is freed */
	PGTSIM_STEP_LOCK,
	PGTSIM_STEP_UNLOCK,
	PGTSIM_STEP_WALK,   /* a CPU starts to walk the tables … */
	PGTSIM_STEP_WALKED, /* … and ends */
	PGTSIM_STEP_DSB,    /* DSB ISH waits for a walk that may use what was invalidated */
	PGTSIM_STEP_MANY,   /* reads, writes and frees that touch no other actor's */
};

/* A row of the account of a schedule: consecutive steps of one actor. */
struct pgtsim_explore_row {
	uint64_t step, count; /* the first one, from 1; how many */
	uint64_t entries;     /* of a read or write: that many, from va on; 1 if read repeatedly */
	unsigned actor;
	enum pgtsim_explore_op op;
	int level;            /* of the entries, or of the table that is freed */
	uint64_t va;          /* what the entry, or the table, translates from */
	uint64_t value;       /* of an entry: what is read or written */
	enum pgtsim_lock lock;
	uint64_t reads, writes, frees; /* of PGTSIM_STEP_MANY */
	bool failed;          /* here the first violation was noted */
};

/* What was found. Freed by pgtsim_exploration_free(). */
struct pgtsim_exploration {
	uint64_t schedules; /* run to their end */
	uint64_t failed;    /* those of them in which there was a violation */
	uint64_t cut;       /* given up half way: they would have repeated another one */
	uint64_t steps;     /* of the longest schedule */
	bool complete;      /* all were explored: neither the bound nor first_only stopped it */
	int result;         /* of the first actor that ever returned an error; 0: none did */
	unsigned result_actor; /* that actor */

	/* Of the first failing schedule, as simple as it could be made; NULL, 0: none failed. */
	char *schedule;                    /* runs it again */
	struct pgtsim_violation violation; /* the first one in it */
	struct pgtsim_explore_row *rows;
	size_t row_count;

	struct pgtsim_geometry geo; /* for level names */
	char names[PGTSIM_ACTORS_MAX][24]; /* of the actors, cut to fit */
};

/*
 * Explores. Returns 0 whatever was found; -EINVAL (no setup, number or names of actors; a schedule
 * that is none), -ENOMEM, -ENOTSUP (no coroutines on this system), -EIO (the setup or an actor did
 * not do the same twice), or what setup returned. On failure *out is empty.
 */
PGTSIM_API int pgtsim_explore(const struct pgtsim_explore_config *config,
			      struct pgtsim_exploration *out);

/* Prints it: one line, and the account of the schedule that failed, if any. */
PGTSIM_API void pgtsim_exploration_print(const struct pgtsim_exploration *exploration,
					 const struct pgtsim_printer *out);

/* Frees what was found, and empties it. */
PGTSIM_API void pgtsim_exploration_free(struct pgtsim_exploration *exploration);

/*
 * Whether this is the spelling of a schedule: NAME*COUNT or NAME (to its end), comma-separated.
 * `known` says whether an actor has this name; the name is not terminated.
 */
PGTSIM_API bool pgtsim_schedule_is_valid(const char *schedule,
					 bool (*known)(const void *ctx, const char *name,
						       size_t length),
					 const void *ctx);

/* ---- actors ---- */

/* A range of addresses for the actors below; what it means they say. The caller's, and constant. */
struct pgtsim_actor_range {
	uint64_t start, size;
	uint64_t floor, ceiling; /* of unmap */
};

/* Adds physical memory under the hotplug lock. `arg` is a struct pgtsim_actor_range, as below. */
PGTSIM_API int pgtsim_actor_add(struct pgtsim_actor *actor, struct pgtsim_machine *machine,
				void *arg);

/* Removes physical memory under the hotplug lock: pgtsim_remove_memory(). */
PGTSIM_API int pgtsim_actor_remove(struct pgtsim_actor *actor, struct pgtsim_machine *machine,
				   void *arg);

/* Unmaps a range with floor and ceiling, both passes, under the hotplug lock. */
PGTSIM_API int pgtsim_actor_unmap(struct pgtsim_actor *actor, struct pgtsim_machine *machine,
				  void *arg);

/* Frees a range of the vmemmap, both passes, under the hotplug lock. */
PGTSIM_API int pgtsim_actor_vmemmap_free(struct pgtsim_actor *actor,
					 struct pgtsim_machine *machine, void *arg);

/*
 * Maps pages of the page allocator at [start, start + size), aligned to pages, as vmalloc() does:
 * a missing table is allocated, and linked under init_mm.page_table_lock if it is still missing
 * then (__pte_alloc_kernel()). Takes no hotplug lock. Returns 0, -EINVAL, -ENOMEM or -EBUSY (an
 * entry is not zero).
 */
PGTSIM_API int pgtsim_actor_vmalloc(struct pgtsim_actor *actor, struct pgtsim_machine *machine,
				    void *arg);

/* Its check: all of that is mapped at the end, or else it is PGTSIM_V_MAPPING_LOST. */
PGTSIM_API void pgtsim_actor_vmalloc_check(struct pgtsim_machine *machine, int result, void *arg);

/*
 * Reads every entry that translates [start, start + size), and what it points to, as ptdump does:
 * under the hotplug lock (get_online_mems()).
 */
PGTSIM_API int pgtsim_actor_ptdump(struct pgtsim_actor *actor, struct pgtsim_machine *machine,
				   void *arg);

/* The same without the lock. */
PGTSIM_API int pgtsim_actor_ptdump_unlocked(struct pgtsim_actor *actor,
					    struct pgtsim_machine *machine, void *arg);

/* Addresses that a CPU accesses, one after the other; the caller's, and constant. */
struct pgtsim_actor_accesses {
	const uint64_t *va;
	size_t count;
};

/*
 * Walks the tables as a CPU's MMU does, for each address of struct pgtsim_actor_accesses. Where a table
 * entry above an address went, the DSB ISH after its invalidate waits for a walk that is under
 * way (Arm ARM D8.16, completion of TLB maintenance). Faults are no errors.
 */
PGTSIM_API int pgtsim_actor_access(struct pgtsim_actor *actor, struct pgtsim_machine *machine,
				   void *arg);

#ifdef __cplusplus
}
#endif

#endif
