/* SPDX-License-Identifier: MIT */
/*
 * explore: what the files behind <pgtsim/explore.h> share.
 *
 *   search.c     decides which schedules to run (partial-order reduction)
 *   shard.c      divides a search into parts; random.c draws random schedules instead
 *   run.c        runs one schedule on a new machine
 *   steps.c      takes a step; order.c keeps track of which step comes before which
 *   listen.c     makes steps of events; reach.c tells which of them depend on each other
 *   shadow.c     records who read and wrote each table entry
 *   simplify.c   shortens a schedule that failed; story.c writes down what happened in it
 *   actors.c     the library's actors; variables.c the variables, rwlocks and RCU that they use
 *   schedule.c   a schedule as data; coroutine.c gives each actor a stack
 *
 * A run is one execution of a schedule. Steps are numbered from 1 in each run; step 0 means "none".
 */
#ifndef PGTSIM_EXPLORING_H
#define PGTSIM_EXPLORING_H

#include <pgtsim/explore.h>

#include "coroutine.h"
#include "events/events.h"
#include "reach.h"
#include "schedule.h"

/*
 * Besides the locks of enum pgtsim_lock, each actor has a lock of its own, which it holds while it
 * walks as a CPU. A DSB ISH that must wait for the walk takes it.
 */
enum { LOCKS = PGTSIM_LOCKS + PGTSIM_ACTORS_MAX };

/*
 * A vector clock. step[i] is the last step of actor i that happens before a given step, that is,
 * that comes before it in every equivalent schedule.
 */
struct pgtsim_clock {
	uint32_t step[PGTSIM_ACTORS_MAX];
};

/* An actor's clock from `step` on. Its own component is left out: it is the step itself. */
struct pgtsim_clock_change {
	uint32_t step;
	struct pgtsim_clock clock;
};

/* The shadow of a table page: which actors used it in this run, and at which steps. */
struct pgtsim_shadow {
	struct pgtsim_table *table;
	const uint64_t *entries;
	int level;
	uint64_t va;
	unsigned count;                   /* entries that have cells; 0: as many as the largest table */
	unsigned users;                   /* actors that accessed it, a bit for each */
	uint32_t last[PGTSIM_ACTORS_MAX]; /* the last step of each of them */
	uint32_t freed;                   /* the step that freed it; 0: not freed */
	unsigned freed_by;
	bool gone; /* freed, perhaps while draining, when steps are not counted */
	bool reported;
	/* These are kept from run to run. */
	uint32_t run;          /* the run that the cells are from */
	uint32_t *cells;       /* for each entry: see pgtsim_shadow_cell() */
	unsigned char *shared; /* for each entry: 1 if actors share it; NULL: not known */
	bool met;              /* valid with `shared`: several actors used the table */
};

/* A step that an actor is about to take. */
struct pgtsim_next {
	enum pgtsim_explore_op op;
	struct pgtsim_shadow *table; /* of reads, writes, frees */
	unsigned index;               /* of reads, writes */
	unsigned lock;                /* of steps that use a lock: index into pgtsim_exploring.lock */
	enum pgtsim_op event;         /* of steps that are events */
	bool waits;                   /* rereads a variable: blocked until another actor writes it … */
	uint64_t version;             /* … so that its version is not this one */
	bool uncounted;               /* left out of the counts in a schedule's text, like "a*3" */
	struct pgtsim_reach reach;    /* what it means to the checker, or the most that it can mean */
	const struct pgtsim_event *hears; /* the event that the checker hears; NULL: none or not known */
};

struct pgtsim_actor {
	struct pgtsim_exploring *x;
	unsigned id;
	struct pgtsim_coroutine *coroutine;
	bool running; /* its function has not returned */
	int result;
	struct pgtsim_next next;
	struct pgtsim_clock clock;
	struct pgtsim_clock_change *changes;
	size_t change_count, change_room;
	const struct pgtsim_actor_accesses *accesses; /* of an actor that walks as a CPU; else NULL */
	uint64_t unlinked_va, unlinked_size; /* bytes; size 0: it has flushed since */
	/* Its last read of a variable: which variable and version, and how many steps it had taken. */
	bool reads_again, given_up;
	unsigned read_variable, spins;
	uint64_t read_version;
	uint32_t read_at;
	bool uncounted; /* its steps are left out of the counts: nobody looks up a page of that section */
	struct pgtsim_reach_log log;
	struct pgtsim_below *below; /* events held back until its next store */
	size_t below_count, below_room;
};

struct pgtsim_variable {
	uint64_t value, version; /* version: the number of writes so far */
};

/*
 * What pfn_to_online_page() reads of a section, a variable for each part. 0: as the setup left it.
 * FLAGS is then one of enum pgtsim_section_flag. POINTER is the number of the usage map, counted from
 * 0, and who cleared the pointer; MAP the number of the last map that was freed, and who freed it.
 */
struct pgtsim_section_cells {
	uint64_t number;
	uint32_t looked_up; /* the last run in which an actor looked up a page of it; 0: none did */
	struct pgtsim_variable part[PGTSIM_SECTION_PARTS];
};

enum pgtsim_section_flag { PGTSIM_FLAG_OFFLINE = 1, PGTSIM_FLAG_ONLINE };

/* Who: an actor's number + 1; 0: nobody. */
static inline uint64_t pgtsim_map_value(uint64_t map, unsigned who)
{
	return map << 8 | who;
}

static inline uint64_t pgtsim_map_of(uint64_t value)
{
	return value >> 8;
}

static inline unsigned pgtsim_map_who(uint64_t value)
{
	return value & 0xff;
}

/*
 * Callers' variables, then one for each rwlock, then one for each actor's RCU reader state, then those
 * of each section that an actor looks at or changes.
 */
enum {
	PGTSIM_FIRST_RWLOCK = PGTSIM_VARIABLES,
	PGTSIM_FIRST_READER = PGTSIM_FIRST_RWLOCK + PGTSIM_RWLOCKS, /* odd inside a read section */
	PGTSIM_FIRST_SECTION = PGTSIM_FIRST_READER + PGTSIM_ACTORS_MAX,
};

struct pgtsim_lock_state {
	bool held;
	unsigned holder, acquirer, releaser; /* actors; the last to acquire and to release it */
	uint32_t acquired, released;         /* steps of the last ones; 0: never */
};

/* A step at which the search branches: sets of actors, a bit for each. */
struct pgtsim_node {
	uint32_t step; /* the step whose actor is chosen here */
	uint8_t todo;  /* actors to try, including those in `done` */
	uint8_t done;  /* actors already tried, or being tried */
	uint8_t sleep; /* the sleep set: an earlier branch has covered these actors */
	/* For the estimate: x->runs when the current branch began; runs in the first branch, in all. */
	uint64_t begun, first, sum;
	unsigned branches; /* finished ones */
};

/*
 * A part of a search: the schedules that begin with `prefix`, except those that another item covers
 * (the actors in its sleep set).
 */
struct pgtsim_item {
	struct pgtsim_schedule prefix;
	uint8_t sleep; /* the sleep set before the prefix's last step */
};

enum { PGTSIM_RANDOM_CHANGES = 3 };

struct pgtsim_sleep_change {
	uint32_t step;
	uint8_t sleep; /* the sleep set before that step */
};

struct pgtsim_exploring {
	struct pgtsim_access_hook hook; /* first: the callback casts */
	struct pgtsim_observer observer;
	const struct pgtsim_explore_config *config;
	struct pgtsim_actor actor[PGTSIM_ACTORS_MAX];
	unsigned actor_count;
	int error; /* a negative errno ends the exploration; 0: go on */

	/* The run. */
	struct pgtsim_machine *machine;
	struct pgtsim_table_ops ops; /* the machine's own allocator */
	enum pgtsim_access access;
	struct pgtsim_lock_state lock[LOCKS];
	struct pgtsim_shadow variables; /* treated as entries of one table that does not exist */
	struct pgtsim_variable variable[PGTSIM_FIRST_SECTION];
	struct pgtsim_section_cells **sections; /* those met in any run, in the order of appearance */
	size_t section_count, section_room;
	size_t section_recent; /* the one that was looked for last */
	uint32_t actor_steps[PGTSIM_ACTORS_MAX]; /* taken by each actor */
	unsigned current;   /* the actor that is running */
	int chosen;         /* the actor of the next step; PGTSIM_NOBODY: none can go on */
	bool starting;      /* actors are being brought to their first step */
	bool draining;      /* the schedule is over: actors run to their end, no steps taken */
	bool cut, deadlock; /* the run repeats another one; actors wait for ever */
	uint32_t step;      /* the last one taken */
	uint32_t failed_at; /* step of the first violation; 0: none; step + 1: found at the end */
	struct pgtsim_violation violation;

	/*
	 * The step being taken. Whatever its actor does until it comes to its next step belongs to it, so
	 * it is put in order (steps.c, order_step()) only then.
	 */
	struct pgtsim_next doing;
	unsigned doer; /* its actor */
	bool ordered; /* order_step() has run for it */

	/* The checker, which hears events through listen.c during a run. */
	struct pgtsim_checker *checker;      /* the machine's; NULL: there is none */
	struct pgtsim_checker checker_calls; /* a copy of its own functions */
	struct pgtsim_reach_state reach;
	bool was_single; /* tlb.single of the machine before the run */

	/* The schedule of the run: `plan` first, then as pgtsim_choose() decides. */
	struct pgtsim_schedule plan;
	size_t plan_at;      /* current segment of the plan … */
	uint32_t plan_left;  /* … and how many of its steps are left */
	uint32_t plan_extra; /* uncounted ones after them ("a*3+1") */
	bool exact; /* -EIO if the plan cannot be followed; else such steps are skipped */
	bool given; /* the plan is the caller's text: -EINVAL if it cannot be followed */
	struct pgtsim_schedule taken; /* the steps of the run so far */
	char problem[sizeof(((struct pgtsim_exploration *)0)->problem)];

	/* The search. */
	bool searching;
	uint32_t fresh; /* the first step at which this run differs from all earlier ones */
	uint8_t fresh_sleep, sleep; /* sleep sets: at step `fresh`; now */
	struct pgtsim_sleep_change *sleeps;
	size_t sleep_count, sleep_room;
	struct pgtsim_node *nodes; /* by ascending step */
	size_t node_count, node_room;
	uint32_t item_steps; /* length of the item's prefix: no branches are added in it */
	uint64_t runs, item_begun;
	uint64_t items, items_done;
	/* Runs in second and later branches, and what they would be if all were as large as first ones. */
	uint64_t later_runs, expected_runs;
	bool left_out; /* a branch was skipped: too many preemptions */
	bool names_cpus; /* an actor emitted an event as another CPU than its own: note_cpu() */
	bool named_late; /* … but not in the first run */
	uint8_t *runnable; /* for each step: the actors that could have taken it (record_runnable()) */
	size_t runnable_room;

	/* A random schedule. */
	bool randomly;
	uint64_t random;
	unsigned priority[PGTSIM_ACTORS_MAX];
	uint32_t change_at[PGTSIM_RANDOM_CHANGES];

	/* Shadows of all tables: in the order of appearance, and sorted by address. */
	struct pgtsim_shadow **shadows, **sorted;
	size_t shadow_count, shadow_room; /* shadows[shadow_count..]: kept for reuse */
	struct pgtsim_shadow *recent; /* the last one that was looked up */
	unsigned entries; /* in the largest table */
	uint32_t run;     /* number of this run */
	struct pgtsim_shadow *stored; /* table above the pte level that the last step stored to, or NULL */
	unsigned stored_index;
	uint64_t stored_over; /* the old value of that entry … */
	int stored_after;     /* … and the actor that wrote it; negative: the setup */
	unsigned stored_by;   /* the actor that stored */

	/* The story of the failing schedule. */
	struct pgtsim_exploration *story; /* receives it; NULL: not written in this run */
	uint32_t fails_at;                  /* the step at which the schedule is known to fail */
	bool marking;                        /* this run fills `met` */
	unsigned char *met; /* for each step: 1 if another actor's step depends on it by its reach */
	size_t met_room;
	struct pgtsim_schedule path;        /* the steps up to fails_at, with counts for its text */
	uint64_t counted;                   /* counted steps so far */
	uint32_t shown;                     /* the last step that the caller's step() was given */
	size_t row_room;
	const uint64_t *written;                /* what the last row wrote, not read back yet; or NULL */
	const struct pgtsim_shadow *row_table; /* table of the last row, or NULL */
	unsigned row_index;
};

/* ---- shadow.c ---- */

/*
 * Makes a shadow of each of the machine's tables and takes the place of its table allocator, to see
 * tables come and go. Returns 0 or -ENOBUFS.
 */
int pgtsim_shadow_start(struct pgtsim_exploring *x);

/* Gives the machine its allocator back and frees the tables that actors freed in this run. */
void pgtsim_shadow_end(struct pgtsim_exploring *x);

/* Returns the shadow of the table that holds this entry; NULL only if memory ran out. */
struct pgtsim_shadow *pgtsim_shadow_find(struct pgtsim_exploring *x, const uint64_t *entry);

/*
 * Returns the cell of an entry, or NULL if there is no memory. A cell is an array of words:
 * [CELL_WRITE] is the step of the last write; [CELL_WHO] the readers (bits 0-7), the writers (bits
 * 8-15) and the last writer's number (from bit 16); [CELL_READ + i] the last read by actor i.
 */
enum { CELL_WRITE, CELL_WHO, CELL_READ };
uint32_t *pgtsim_shadow_cell(struct pgtsim_exploring *x, struct pgtsim_shadow *table,
			    unsigned index);

/* Gives a table room for this many cells; the new ones are empty. False: no memory. */
bool pgtsim_shadow_widen(struct pgtsim_exploring *x, struct pgtsim_shadow *table, unsigned count);

/*
 * If the last step stored to an entry above the pte level: learns the level and address of a table
 * that it linked, and reports PGTSIM_V_MAPPING_LOST if another table stood there.
 */
void pgtsim_shadow_check_store(struct pgtsim_exploring *x);

/*
 * Records for each entry whether actors share it. The story of the same schedule uses that. Returns
 * 0 or -ENOBUFS.
 */
int pgtsim_shadow_mark_shared(struct pgtsim_exploring *x);

/* Records in `met` that a step depends on a step of another actor by its reach. */
void pgtsim_shadow_mark_step(struct pgtsim_exploring *x, uint32_t step);

/* Frees all shadows. */
void pgtsim_shadow_fini(struct pgtsim_exploring *x);

/* ---- run.c ---- */

enum { PGTSIM_NOBODY = -1 };

/* Makes a coroutine for each actor. Returns 0, -ENOBUFS or -ENOTSUP. */
int pgtsim_run_init(struct pgtsim_exploring *x);

/*
 * Runs the actors on a new machine, by x->plan first. Returns 0, or a negative errno that ends the
 * exploration.
 */
int pgtsim_run_schedule(struct pgtsim_exploring *x);

/* Frees everything that the runs of an exploration kept. */
void pgtsim_run_fini(struct pgtsim_exploring *x);

/* True if the actor has not ended and its next step need not wait. */
bool pgtsim_is_runnable(const struct pgtsim_exploring *x, unsigned actor);

/*
 * Returns the actor that takes the next step, or PGTSIM_NOBODY if none can or the run is cut short.
 */
int pgtsim_choose(struct pgtsim_exploring *x);

/* ---- steps.c ---- */

/*
 * Makes the running actor take this step: returns when its turn has come. Other actors may run
 * before.
 */
void pgtsim_take_step(struct pgtsim_exploring *x, const struct pgtsim_next *next);

/*
 * Completes the last step when its actor has come to its next one or has ended: orders it, and
 * looks at what it stored.
 */
void pgtsim_finish_step(struct pgtsim_exploring *x);

/* True for steps that wait until a lock is free. */
bool pgtsim_step_acquires(enum pgtsim_explore_op op);

/* If there is a violation and none was recorded in this run, records it as one of this step. */
void pgtsim_record_failure(struct pgtsim_exploring *x, uint32_t step);

/*
 * The `before` function of struct pgtsim_access_hook: takes a step before each access of an entry.
 */
void pgtsim_before_access(struct pgtsim_access_hook *self, const uint64_t *entry, bool write);

/* ---- order.c ---- */

/* An earlier step on which the one being taken depends. */
struct pgtsim_candidate {
	unsigned actor;
	uint32_t step;
};

struct pgtsim_candidates {
	struct pgtsim_candidate list[4 * PGTSIM_ACTORS_MAX];
	unsigned count;
};

/*
 * Adds a step of another actor, unless it is 0 or happens before the current step of `a` anyway.
 */
void pgtsim_add_candidate(const struct pgtsim_actor *a, struct pgtsim_candidates *to,
			  unsigned actor, uint32_t step);

/*
 * Orders the current step of `a` after these steps. Reports each pair that could have come the
 * other way round to the search.
 */
void pgtsim_order_after(struct pgtsim_exploring *x, struct pgtsim_actor *a,
		     const struct pgtsim_candidates *with);

/* Orders what actor `a` does from now on after this step of another actor. */
void pgtsim_join_step(struct pgtsim_exploring *x, struct pgtsim_actor *a, unsigned other,
		      uint32_t step);

/* Returns the clock of an actor at one of its steps. */
struct pgtsim_clock pgtsim_clock_at(const struct pgtsim_actor *actor, uint32_t step);

/* ---- listen.c ---- */

/* An event about entries below one that is about to be stored, and the checker's function for it. */
struct pgtsim_below {
	struct pgtsim_event event;
	void (*hear)(struct pgtsim_checker *checker, const struct pgtsim_event *event);
};

/* Starts to hear the machine's events before its checker does. Returns 0 or -ENOBUFS. */
int pgtsim_listen_start(struct pgtsim_exploring *x);

/* Stops listening: the checker hears events directly again. */
void pgtsim_listen_end(struct pgtsim_exploring *x);

/* Frees what listening kept. */
void pgtsim_listen_fini(struct pgtsim_exploring *x);

/* ---- search.c ---- */

/*
 * Runs all schedules that the configuration asks for. Stores the first failing one in *failing.
 * Returns 0, or a negative errno that ends the exploration.
 */
int pgtsim_search(struct pgtsim_exploring *x, struct pgtsim_exploration *out,
		  struct pgtsim_schedule *failing);

/*
 * Explores an item. Returns 0 if all of it is done; 1 if the search stopped before, after `bound`
 * runs (bound 0: where the configuration says so); or a negative errno.
 */
int pgtsim_search_item(struct pgtsim_exploring *x, struct pgtsim_exploration *out,
		       struct pgtsim_schedule *failing, const struct pgtsim_item *item,
		       uint64_t bound);

/* Returns about how many schedules there are in all. */
uint64_t pgtsim_search_estimate(const struct pgtsim_exploring *x,
				const struct pgtsim_exploration *out);

/* Says in *out whether every order was tried; `ret` as pgtsim_search_item() returned it. */
void pgtsim_search_ended(const struct pgtsim_exploring *x, struct pgtsim_exploration *out, int ret);

/* Returns the sleep set before a step of the last run. */
uint8_t pgtsim_sleep_before(const struct pgtsim_exploring *x, uint32_t step);

/*
 * Adds a branch to the search in which actor `a` goes before `step` of `other`. The step of `a` is
 * the current one, or one that `a` waits to take. `clock` is that step's clock without `step` and
 * what depends on `step`.
 */
void pgtsim_race(struct pgtsim_exploring *x, unsigned other, uint32_t step, unsigned a,
		 const struct pgtsim_clock *clock);

/* Adds the last run to the numbers in *out. */
void pgtsim_count_run(struct pgtsim_exploring *x, struct pgtsim_exploration *out);

/*
 * Copies the last run's schedule, up to the step at which it failed, to *failing. Returns 0 or
 * -ENOBUFS.
 */
int pgtsim_keep_failing(struct pgtsim_exploring *x, struct pgtsim_schedule *failing);

/* ---- shard.c ---- */

/* Explores one shard. Returns 0, or a negative errno that ends the exploration. */
int pgtsim_search_shard(struct pgtsim_exploring *x, struct pgtsim_exploration *out,
			struct pgtsim_schedule *failing);

/* ---- random.c ---- */

/* Returns the actor that takes the next step of a random schedule, or PGTSIM_NOBODY. */
int pgtsim_choose_randomly(struct pgtsim_exploring *x);

/*
 * Runs config->runs random schedules, each by run_one(). Returns 0, or a negative errno that ends
 * the exploration.
 */
int pgtsim_search_randomly(struct pgtsim_exploring *x, struct pgtsim_exploration *out,
			 struct pgtsim_schedule *failing,
			 int (*run_one)(struct pgtsim_exploring *, struct pgtsim_exploration *,
					struct pgtsim_schedule *));

/* ---- simplify.c ---- */

/*
 * Makes a failing schedule simpler while it still fails with this violation. Returns 0 or a
 * negative errno.
 */
int pgtsim_simplify(struct pgtsim_exploring *x, enum pgtsim_violation_name name,
		    struct pgtsim_schedule *failing);

/* What the story calls a lock; "" for none. In steps.c. */
const char *pgtsim_lock_name(enum pgtsim_lock lock);

/* ---- variables.c ---- */

/* Sets all variables to 0 for a new run. */
void pgtsim_variables_start(struct pgtsim_exploring *x);

/* A variable by its number: index of x->variables. */
struct pgtsim_variable *pgtsim_variable_at(struct pgtsim_exploring *x, unsigned number);

/* The `section` function of struct pgtsim_access_hook: a step that changes what readers look up. */
void pgtsim_before_section(struct pgtsim_access_hook *self, uint64_t pa,
			   enum pgtsim_section_part part);

/*
 * The actor looks up a page of the section that holds pa: returns the number of its first variable, or
 * 0 with x->error set if there is no memory.
 */
unsigned pgtsim_section_looked_up(struct pgtsim_actor *actor, uint64_t pa);

/* Reads a part of a section whose first variable is this: see struct pgtsim_section_cells. */
uint64_t pgtsim_load_section(struct pgtsim_actor *actor, unsigned first,
			     enum pgtsim_section_part part);

/* True if the variable is one of a section of which an actor looked up a page in any run. */
bool pgtsim_is_looked_up(const struct pgtsim_exploring *x, unsigned number);

/* Frees the cells of the variables, and the sections. */
void pgtsim_variables_fini(struct pgtsim_exploring *x);

/* ---- story.c ---- */

/* Adds the step that `actor` has just taken to the story. */
void pgtsim_story_add_step(struct pgtsim_exploring *x, unsigned actor,
			 const struct pgtsim_next *next);

/*
 * Sets the last row's value to what its write stored. The value is not known when the step is
 * taken.
 */
void pgtsim_story_read_back(struct pgtsim_exploring *x);

/* Prints what the steps of a row do. The exploration has the geometry that they are in. */
void pgtsim_story_print_what(const struct pgtsim_exploration *exploration,
			     const struct pgtsim_explore_row *row,
			     const struct pgtsim_printer *out);

/* Shows the step that has just ended to the caller's step(). */
void pgtsim_story_show_step(struct pgtsim_exploring *x);

#endif
