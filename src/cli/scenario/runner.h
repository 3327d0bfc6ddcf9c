/* SPDX-License-Identifier: MIT */
/*
 * runner: executes a parsed scenario on a machine. Text goes to a printer; files are the caller's.
 */
#ifndef PGTSIM_CLI_SCENARIO_RUNNER_H
#define PGTSIM_CLI_SCENARIO_RUNNER_H

#include <pgtsim/explore.h>
#include <errno.h>

#include <pgtsim/pgtsim.h>

#include "scenario.h"

struct run;

/*
 * Told of each command; any member may be NULL. `result` is 0, a negative errno for which run->reason
 * says why, or RUN_FAILED: a statement is false.
 */
struct run_watcher {
	void (*before)(struct run_watcher *self, struct run *run,
		       const struct scenario_command *command);
	void (*after)(struct run_watcher *self, struct run *run,
		      const struct scenario_command *command, int result);
	struct run_watcher *next;
};

/* A kernel whose functions do the operations of the machines, in place of the library. */
struct run_kernel {
	bool leaves_out_knobs; /* those of a scenario; else they are an error */
	/* Fills in the configuration of a new machine: its policy, its geometry, its access. */
	void (*defaults)(const struct run_kernel *self, struct pgtsim_machine_config *config);
	/* Returns 0, or -EINVAL with the reason if the scenario wants another geometry. */
	int (*accept)(const struct run_kernel *self, const struct pgtsim_machine_config *config,
		      char *reason, size_t size);
	/* Attaches to a machine. Returns 0 or a negative errno with the reason. */
	int (*attach)(const struct run_kernel *self, struct pgtsim_machine *machine,
		      struct pgtsim_engine **engine, char *reason, size_t size);
	/* The machine is gone. */
	void (*detach)(const struct run_kernel *self, struct pgtsim_engine *engine);
};

struct run_options {
	struct pgtsim_printer out;       /* what dump, walk, stats, check and echo print */
	const char *profile;             /* instead of the scenario's; NULL: the scenario's */
	const struct run_kernel *kernel; /* NULL: the library's own code */
	/*
	 * Reads a file named in the scenario into memory that the runner frees. Returns 0 or a
	 * negative errno. NULL: there are no files.
	 */
	int (*read_file)(void *ctx, const char *name, char **text, size_t *length);
	void *ctx;
	struct run_watcher *watchers; /* a list, in the order they are told */
	/* Asked between commands; NULL, or true: the run ends there, without an error. */
	bool (*stop)(void *ctx);
	/* Explores for the command on this line; NULL: pgtsim_explore(). */
	int (*explore)(void *ctx, const struct run *run, unsigned line,
		       const struct pgtsim_explore_config *config,
		       struct pgtsim_exploration *found);
	void *explore_ctx;
};

/* What ended a run. */
struct run_error {
	unsigned line;
	char message[384];
};

/* What the command `veto` keeps memory from: a member of the notifier chain, by its first member. */
struct run_veto {
	struct pgtsim_notifier notifier; /* notify is NULL: it is not in the chain */
	bool online, offline;
};

/* A run under way. */
struct run {
	const struct scenario *scenario;
	const struct run_options *options;
	struct pgtsim_machine *machine;
	struct pgtsim_engine *engine;  /* of options->kernel */
	struct pgtsim_altmap *altmaps; /* by the scenario's numbers */
	struct pgtsim_cpus *cpus;      /* from the first access on; NULL before */
	struct run_veto veto;
	size_t next;                   /* command to execute */
	bool bounds_set;               /* by the command `bounds` */
	uint64_t floor, ceiling;
	char reason[300];        /* why the last command returned a negative errno */
	uint32_t remarks;        /* known weaknesses that show in it: bits PGTSIM_W_… */
	struct run_error *error; /* of the step under way: run_fail() sets it */
};

/*
 * Exit statuses. RUN_NO_MEMORY: the host is out of memory, so that nothing is known of what the
 * scenario does; it is never what a scenario expects.
 */
enum { RUN_OK = 0, RUN_FAILED = 1, RUN_BAD_SCENARIO = 2, RUN_NO_MEMORY = 3 };

#define RUN_NO_MEMORY_TEXT "the host is out of memory"

/* The status for a text that scenario_parse() did not take. */
static inline int run_parse_status(int ret)
{
	return ret == -ENOMEM ? RUN_NO_MEMORY : RUN_BAD_SCENARIO;
}

/*
 * Starts a run: creates the machine. The scenario and the options must live as long. Returns a
 * status; *error is set unless it is RUN_OK.
 */
int run_start(struct run *run, const struct scenario *scenario, const struct run_options *options,
	      struct run_error *error);

/* Executes the next command; there must be one. Returns a status as above. */
int run_step(struct run *run, struct run_error *error);

/* Executes all that is left. */
int run_rest(struct run *run, struct run_error *error);

void run_end(struct run *run);

/* ---- for what executes a command ---- */

/*
 * Ends the run with a message: a statement about the machine is false. Returns RUN_FAILED, which
 * the function that executes the command returns.
 */
#ifdef __GNUC__
__attribute__((format(printf, 3, 4)))
#endif
int run_fail(struct run *run, const struct scenario_command *command, const char *format, ...);

/*
 * A command of the runner's own returns `result`, a negative errno: keeps the reason, one sentence
 * without a period. Those of the library say why themselves. Returns `result`.
 */
#ifdef __GNUC__
__attribute__((format(printf, 3, 4)))
#endif
int run_refuse(struct run *run, int result, const char *format, ...);

/*
 * Prints a violation, and those that follow and are like it, in one line. Returns how many it has printed.
 */
size_t run_print_violation(const struct run *run, size_t first, const struct pgtsim_printer *out);

/* The altmap that the option `altmap=` names; NULL if it was not given. */
struct pgtsim_altmap *run_altmap(const struct run *run, const struct scenario_command *command);

/* What the command `add` asks for. */
struct pgtsim_add run_add(const struct run *run, const struct scenario_command *command);

/* A virtual address of this machine. The end of the address space, 0, is one. Or -EINVAL. */
int run_address(struct run *run, const struct scenario_value *value, uint64_t *va);

/* 0 if the kernel's half of this machine has [va, va + size), or -EINVAL with the reason. */
int run_check_range(struct run *run, uint64_t va, uint64_t size);

/* Why a file cannot be read or written, for an errno (positive): a sentence without a period. */
const char *run_file_reason(int error);

/* Floor and ceiling for [start, end), as the command `bounds` or the layout says. */
void run_bounds(const struct run *run, uint64_t start, uint64_t end, uint64_t *floor,
		uint64_t *ceiling);

/*
 * Rebuilds the machine that `original` had before the command `end`: runs the commands up to there
 * again, except those that only look, and prints nothing. *options must live as long as *run.
 * Returns 0 or -ENOMEM; run_end() ends it.
 */
int run_again(struct run *run, const struct run *original, const struct scenario_command *end,
	      struct run_options *options);

#endif
