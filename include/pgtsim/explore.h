/* SPDX-License-Identifier: MIT */
/*
 * explore: runs all interleavings of actors on one simulated page table.
 *
 * An actor is a function that works on a machine through the ordinary functions of this library.
 * Every access of a table entry, every free of a table, every use of a lock or a variable, and every
 * barrier and invalidate is a step. Other actors may run between any two steps. A schedule says which
 * actor takes each step.
 *
 * The search runs every schedule, except those that differ from an earlier one only in the order of
 * steps that do not depend on each other. Two steps depend on each other if they access the same entry
 * and one writes it, if one frees the table that the other accesses, if both use the same lock, or if
 * the TLB checker could judge the two orders differently (a store and an invalidate of one address,
 * for example). This is dynamic partial-order reduction with source sets and sleep sets: Abdulla,
 * Aronis, Jonsson, Sagonas, POPL 2014.
 *
 * Each schedule runs on a new machine, so actors and the setup must be deterministic.
 *
 * A schedule fails if a violation is reported during it or by pgtsim_check_machine() at its end. Freed
 * tables are kept until the schedule ends, so that an access of one is found
 * (PGTSIM_V_TABLE_USE_AFTER_FREE). Actors that wait for ever are PGTSIM_V_DEADLOCK. The first schedule
 * that fails is made as simple as possible and described step by step.
 *
 * Not explored: different orders of allocations (which page a table gets), and CPUs that reorder their
 * own accesses. If no schedule failed, nothing is known about either.
 */
#ifndef PGTSIM_EXPLORE_H
#define PGTSIM_EXPLORE_H

#include <pgtsim/dump.h>
#include <pgtsim/machine.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { PGTSIM_ACTORS_MAX = 8 };

/* Locks that actors can take. Each has one holder at a time; others wait. */
enum pgtsim_lock {
	PGTSIM_LOCK_HOTPLUG,    /* mem_hotplug_lock */
	PGTSIM_LOCK_PAGE_TABLE, /* init_mm.page_table_lock */
	PGTSIM_LOCK_MMAP,       /* init_mm.mmap_lock */
	PGTSIM_LOCK_1,          /* any other locks that actors' code has */
	PGTSIM_LOCK_2,
	PGTSIM_LOCK_3,
	PGTSIM_LOCK_4,
	PGTSIM_LOCKS,
};

struct pgtsim_actor; /* opaque: a running actor */

/* An actor: what it does, and what must be true at the end. */
struct pgtsim_actor_spec {
	const char *name; /* letters, digits, '-', '_' and '.'; each actor has its own */
	/*
	 * Does the work on the machine. Returns 0 or a negative errno. It must return, it must touch
	 * shared state through the library only, and it must wait for other actors only with the
	 * functions below. Its stack has 512 KiB.
	 */
	int (*run)(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg);
	/*
	 * Called when all actors have ended, with the result of run(). Reports what is wrong with
	 * pgtsim_tlb_violation(). May be NULL. Takes no steps.
	 */
	void (*check)(struct pgtsim_machine *machine, int result, void *arg);
	void *arg; /* passed to run() and check(); owned by the caller */
};

/*
 * Takes a lock; waits until it is free. Locks do not nest: an actor that takes one that it holds waits
 * for ever (PGTSIM_V_DEADLOCK). Call it from run(). Returns 0 or -EINVAL (no such lock).
 */
PGTSIM_API int pgtsim_actor_lock(struct pgtsim_actor *actor, enum pgtsim_lock lock);

/* Releases a lock. Returns 0, -EINVAL (no such lock) or -EPERM (the actor does not hold it). */
PGTSIM_API int pgtsim_actor_unlock(struct pgtsim_actor *actor, enum pgtsim_lock lock);

/* True if the actor holds the lock; false for NULL and for no such lock. */
PGTSIM_API bool pgtsim_actor_holds(const struct pgtsim_actor *actor, enum pgtsim_lock lock);

/*
 * The actor that runs now on this machine, for code that an actor calls without handing itself on: an
 * engine (engine.h). NULL if the machine is not being explored, or for NULL.
 */
PGTSIM_API struct pgtsim_actor *pgtsim_actor_of(const struct pgtsim_machine *machine);

/*
 * Variables that actors share: numbers 0 to PGTSIM_VARIABLES - 1, each 0 at the start of a schedule.
 * Every access is a step. Other memory that actors share must not change while they run, because the
 * search does not see its accesses.
 *
 * An actor that reads the same variable in two consecutive steps waits, before the second read, until
 * another actor has written it. So a loop that polls a variable takes few steps, and a loop that nobody
 * ends is reported as PGTSIM_V_DEADLOCK.
 */
enum { PGTSIM_VARIABLES = 32, PGTSIM_RWLOCKS = 8 };

/* Reads a variable. Returns its value, or 0 if there is no such variable. */
PGTSIM_API uint64_t pgtsim_actor_load(struct pgtsim_actor *actor, unsigned variable);

/* Writes a variable. Returns 0 or -EINVAL (no such variable). */
PGTSIM_API int pgtsim_actor_store(struct pgtsim_actor *actor, unsigned variable, uint64_t value);

/* Writes `value` if the variable is `old`, in one step. Returns true if it was `old`. */
PGTSIM_API bool pgtsim_actor_compare_swap(struct pgtsim_actor *actor, unsigned variable,
					  uint64_t old, uint64_t value);

/*
 * Reader-writer locks, numbers 0 to PGTSIM_RWLOCKS - 1: many readers or one writer. The lock functions
 * wait until the lock is free for them. All return 0 or -EINVAL (no such lock); the unlock functions
 * also -EPERM (no reader, or no writer, holds the lock).
 */
PGTSIM_API int pgtsim_actor_read_lock(struct pgtsim_actor *actor, unsigned lock);
PGTSIM_API int pgtsim_actor_read_unlock(struct pgtsim_actor *actor, unsigned lock);
PGTSIM_API int pgtsim_actor_write_lock(struct pgtsim_actor *actor, unsigned lock);
PGTSIM_API int pgtsim_actor_write_unlock(struct pgtsim_actor *actor, unsigned lock);

/*
 * Read-copy-update: rcu_read_lock(), rcu_read_unlock(), synchronize_rcu(). Synchronizing waits until
 * every other actor that is in a read section now has left it. Read sections do not nest.
 */
PGTSIM_API void pgtsim_actor_rcu_read_lock(struct pgtsim_actor *actor);
PGTSIM_API void pgtsim_actor_rcu_read_unlock(struct pgtsim_actor *actor);
PGTSIM_API void pgtsim_actor_synchronize_rcu(struct pgtsim_actor *actor);

/* How far a search has come. */
struct pgtsim_explore_progress {
	uint64_t schedules, failed; /* so far */
	uint64_t estimate;          /* about how many there are in all; exact for random schedules */
};

struct pgtsim_explore_row;

struct pgtsim_explore_config {
	/*
	 * Builds the machine for one schedule, in the same way each time. Returns 0 or a negative
	 * errno, which ends the exploration; it must free everything itself then. The machine may have
	 * any access mode. Violations that the setup causes are dropped.
	 */
	int (*setup)(void *ctx, struct pgtsim_machine **machine);
	/* Frees the machine. NULL: pgtsim_machine_free() does. */
	void (*teardown)(void *ctx, struct pgtsim_machine *machine);
	/*
	 * Called at the end of each schedule. Returns a text that says what is wrong, reported as
	 * PGTSIM_V_EXPLORE_CHECK, or NULL. May be NULL. The text must stay valid until the next call.
	 */
	const char *(*check)(void *ctx, struct pgtsim_machine *machine);
	void *ctx; /* passed to the functions of this struct; owned by the caller */
	const struct pgtsim_actor_spec *actors; /* owned by the caller, until pgtsim_explore() returns */
	size_t actor_count;                     /* 1 to PGTSIM_ACTORS_MAX */
	uint64_t bound;       /* [0: no bound] stops after this many schedules */
	const char *schedule; /* [NULL] runs only this one: "a*12,b*3,a*4" */
	bool first_only;      /* stops at the first schedule that fails */
	/*
	 * If set, skips schedules with more than `preemptions` preemptions (switches away from an actor
	 * that could go on). Every other schedule is run, or one that is equivalent to it.
	 */
	bool limit_preemptions;
	unsigned preemptions;
	uint64_t runs; /* [0] if not 0: runs this many random schedules instead of all … */
	uint64_t seed; /* … drawn from this seed: the same seed draws the same schedules */
	/*
	 * [0, 0] Explores only part `shard` (0 to shards - 1) of the search. The parts have no schedule
	 * in common and together contain all. Not with limit_preemptions, runs or schedule (-EINVAL).
	 */
	unsigned shard, shards;
	/* [NULL] Called after each schedule. Returns true to end the search. */
	bool (*progress)(void *ctx, const struct pgtsim_explore_progress *progress);
	/*
	 * [NULL] With `schedule`: called after each of its steps, with a row for that step alone. May
	 * read the machine, and must not change it: what it reads is no step.
	 */
	void (*step)(void *ctx, struct pgtsim_machine *machine, const struct pgtsim_explore_row *row);
};

/* Why a search did not run all schedules. */
enum pgtsim_explore_stop {
	PGTSIM_STOPPED_NOT,         /* it did, or a single given schedule was run */
	PGTSIM_STOPPED_BOUND,       /* it reached `bound` */
	PGTSIM_STOPPED_FIRST,       /* first_only is set, and a schedule failed */
	PGTSIM_STOPPED_ASKED,       /* progress() returned true */
	PGTSIM_STOPPED_PREEMPTIONS, /* schedules with too many preemptions were skipped */
	PGTSIM_STOPPED_RANDOM,      /* random schedules: others may remain */
	/* An actor emitted events as another CPU than its own, but not in the first schedule (nor if
	 * the search is one shard of several): orders may be missing. */
	PGTSIM_STOPPED_SHARED_CPU,
};

/* What a row's steps do. */
enum pgtsim_explore_op {
	PGTSIM_STEP_READ,
	PGTSIM_STEP_WRITE,
	PGTSIM_STEP_FREE,   /* a table is freed */
	PGTSIM_STEP_LOCK,
	PGTSIM_STEP_UNLOCK,
	PGTSIM_STEP_WALK,   /* a CPU starts to walk the tables … */
	PGTSIM_STEP_WALKED, /* … and ends its walk */
	PGTSIM_STEP_DSB,    /* DSB ISH has waited for a walk that may use what was invalidated */
	PGTSIM_STEP_MANY,   /* several steps on which no other actor's steps depend */
	PGTSIM_STEP_BARRIER,    /* DSB, DMB or ISB */
	PGTSIM_STEP_INVALIDATE, /* TLBI */
	PGTSIM_STEP_GIVE_BACK,  /* memory is freed to its allocator */
	PGTSIM_STEP_STORE,      /* an event of a store that is not made through the library */
	PGTSIM_STEP_END,        /* an operation ends: the checker reports what is stale */
	PGTSIM_STEP_LOAD,       /* a variable is read; row.va is its number … */
	PGTSIM_STEP_SET,        /* … or written, or compared and written */
};

/* A row of a schedule's story: consecutive steps of one actor. */
struct pgtsim_explore_row {
	uint64_t step, count; /* number of the first step, from 1; count 0: an internal step, not counted */
	uint64_t entries;     /* READ, WRITE: number of consecutive entries from va on */
	unsigned actor;       /* index into `actors` of the configuration */
	enum pgtsim_explore_op op;
	int level;            /* READ, WRITE, FREE: of the entries, or of the freed table */
	uint64_t va;          /* READ, WRITE, FREE: first address that the entry or table translates */
	uint64_t value;       /* READ, WRITE, LOAD, SET: the value read or written (the first entry's) */
	enum pgtsim_lock lock; /* LOCK, UNLOCK */
	uint64_t reads, writes, frees; /* MANY: numbers of such steps */
	bool failed;          /* the first violation was found at this step */
	enum pgtsim_op event; /* BARRIER, INVALIDATE, GIVE_BACK, STORE */
	uint64_t others;      /* MANY: number of barriers, invalidates and other events */
};

/* The result of an exploration. Free it with pgtsim_exploration_free(). */
struct pgtsim_exploration {
	uint64_t schedules; /* number of schedules that ran to their end */
	uint64_t failed;    /* how many of them had a violation */
	uint64_t cut;       /* abandoned runs, which would have repeated an earlier schedule */
	uint64_t steps;     /* in the longest schedule */
	bool complete;      /* all schedules (of this shard) were run; only then does failed == 0 say
			     * that none of them fails */
	int result;         /* the first error that an actor's run() returned, in any schedule; else 0 */
	unsigned result_actor; /* the actor that returned it */

	/* The first failing schedule, made as simple as possible. NULL and 0 if none failed. */
	char *schedule;                    /* its text, to run it again */
	struct pgtsim_violation violation; /* its first violation */
	struct pgtsim_explore_row *rows;   /* its story */
	size_t row_count;

	struct pgtsim_geometry geo; /* for level names in the story */
	char names[PGTSIM_ACTORS_MAX][24]; /* the actors' names, cut to fit */
	enum pgtsim_explore_stop stopped; /* why not all schedules were run */
	uint64_t estimate; /* about how many schedules there are in all; exact if complete */
	/* If pgtsim_explore() returned -EINVAL because `schedule` cannot run as written: the reason. */
	char problem[160];
};

/*
 * Runs the schedules that the configuration asks for. Returns 0 if it could, whether or not a schedule
 * failed. Returns -EINVAL (no setup; wrong number or names of actors; shards with another mode; a
 * schedule that is malformed or cannot run as written), -ENOBUFS (the host is out of memory),
 * -ENOTSUP (no coroutines on this system), -EIO (the setup or an actor is not deterministic), or what
 * setup() returned. After an error *out is empty except for `problem`.
 */
PGTSIM_API int pgtsim_explore(const struct pgtsim_explore_config *config,
			      struct pgtsim_exploration *out);

/* Prints the result: one line, then the story of the failing schedule, if there is one. */
PGTSIM_API void pgtsim_exploration_print(const struct pgtsim_exploration *exploration,
					 const struct pgtsim_printer *out);

/* Frees what the result holds and sets all of it to 0. */
PGTSIM_API void pgtsim_exploration_free(struct pgtsim_exploration *exploration);

/*
 * True if the text is a well-formed schedule: words separated by commas, each NAME (until the actor
 * ends), NAME*COUNT or NAME*COUNT+EXTRA (COUNT counted steps, then EXTRA internal ones). known() must
 * return true if there is an actor of that name; the name is `length` bytes, not terminated. Whether
 * the schedule can run as written is known only after running it.
 */
PGTSIM_API bool pgtsim_schedule_is_valid(const char *schedule,
					 bool (*known)(const void *ctx, const char *name,
						       size_t length),
					 const void *ctx);

/* ---- ready-made actors: for `run` of struct pgtsim_actor_spec ---- */

/*
 * The `arg` of the actors below: [start, start + size) in bytes, physical or virtual as each actor
 * says. Owned by the caller; must not change while actors run.
 */
struct pgtsim_actor_range {
	uint64_t start, size;
	uint64_t floor, ceiling; /* only for pgtsim_actor_unmap() */
};

/* Adds physical memory under the hotplug lock. Returns what pgtsim_add_memory() returns. */
PGTSIM_API int pgtsim_actor_add(struct pgtsim_actor *actor, struct pgtsim_machine *machine,
				void *arg);

/* Removes physical memory under the hotplug lock. Returns what pgtsim_remove_memory() returns. */
PGTSIM_API int pgtsim_actor_remove(struct pgtsim_actor *actor, struct pgtsim_machine *machine,
				   void *arg);

/*
 * Takes physical memory offline, then removes it, each under the hotplug lock. Returns what
 * pgtsim_offline_memory() or pgtsim_remove_memory() returns. Models offline_and_remove_memory().
 */
PGTSIM_API int pgtsim_actor_unplug(struct pgtsim_actor *actor, struct pgtsim_machine *machine,
				   void *arg);

/*
 * Unmaps virtual addresses of the linear map, both passes, under the hotplug lock. Returns what
 * pgtsim_unmap_linear() returns.
 */
PGTSIM_API int pgtsim_actor_unmap(struct pgtsim_actor *actor, struct pgtsim_machine *machine,
				  void *arg);

/*
 * Frees virtual addresses of the vmemmap, both passes, under the hotplug lock. Returns what
 * pgtsim_vmemmap_free() returns.
 */
PGTSIM_API int pgtsim_actor_vmemmap_free(struct pgtsim_actor *actor,
					 struct pgtsim_machine *machine, void *arg);

/*
 * Maps new pages at page-aligned virtual addresses, like vmalloc(). Allocates each missing table, then
 * takes init_mm.page_table_lock and links it if it is still missing (__pte_alloc_kernel()). Takes no
 * hotplug lock. Returns 0, -EINVAL (range), -ENOMEM or -EBUSY (an entry is not zero). After an error
 * the pages mapped so far stay. Barriers follow each page up to 6.12, and each table of them from 6.18 on.
 */
PGTSIM_API int pgtsim_actor_vmalloc(struct pgtsim_actor *actor, struct pgtsim_machine *machine,
				    void *arg);

/*
 * The `check` for pgtsim_actor_vmalloc(): if the actor succeeded and a page is not mapped at the end,
 * reports PGTSIM_V_MAPPING_LOST.
 */
PGTSIM_API void pgtsim_actor_vmalloc_check(struct pgtsim_machine *machine, int result, void *arg);

/*
 * Reads every entry that translates the virtual addresses, and the tables below, like ptdump, under the
 * hotplug lock (get_online_mems()). Returns 0 or -EINVAL (range).
 */
PGTSIM_API int pgtsim_actor_ptdump(struct pgtsim_actor *actor, struct pgtsim_machine *machine,
				   void *arg);

/* Like pgtsim_actor_ptdump(), but takes no lock. */
PGTSIM_API int pgtsim_actor_ptdump_unlocked(struct pgtsim_actor *actor,
					    struct pgtsim_machine *machine, void *arg);

/*
 * Looks up the page of the physical address `start` as pfn_to_online_page() does: the flags of its
 * section, the pointer to the section's usage map, the map, each a step, under no lock. Reports
 * PGTSIM_V_USAGE_MAP_USE_AFTER_FREE if another actor has freed the map by then. What a caller does with
 * the page is not looked at: the memmap goes without a grace period. An actor may look up pages of
 * several sections. What changes of a section is always a step, but a schedule's text counts it only
 * if an actor has begun to look up a page there. Returns 0.
 */
PGTSIM_API int pgtsim_actor_online_page(struct pgtsim_actor *actor, struct pgtsim_machine *machine,
					void *arg);

/* Like pgtsim_actor_online_page(), but in an RCU read section. */
PGTSIM_API int pgtsim_actor_online_page_rcu(struct pgtsim_actor *actor,
					    struct pgtsim_machine *machine, void *arg);

/*
 * The `arg` of pgtsim_actor_access(): virtual addresses that a CPU accesses one after the other. Owned
 * by the caller; must not change while actors run.
 */
struct pgtsim_actor_accesses {
	const uint64_t *va;
	size_t count;
};

/*
 * Walks the tables for each address, like a CPU's MMU. If another actor unlinks a table above one of the
 * addresses, its next DSB ISH waits until the current walk has ended (Arm ARM D8.16, completion of
 * TLB maintenance). Returns 0; a fault is not an error.
 */
PGTSIM_API int pgtsim_actor_access(struct pgtsim_actor *actor, struct pgtsim_machine *machine,
				   void *arg);

#ifdef __cplusplus
}
#endif

#endif
