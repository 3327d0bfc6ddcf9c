/* SPDX-License-Identifier: MIT */
/*
 * run: executes a parsed scenario on a machine. Text goes to a printer; files are the caller's.
 */
#ifndef PGTSIM_CLI_RUN_H
#define PGTSIM_CLI_RUN_H

#include <pgtsim/pgtsim.h>

#include "scenario.h"

struct run;

/* Told of each command; any member may be NULL. `result` is 0 or a negative errno. */
struct run_watcher {
	void (*before)(struct run_watcher *self, struct run *run,
		       const struct scenario_command *command);
	void (*after)(struct run_watcher *self, struct run *run,
		      const struct scenario_command *command, int result);
	struct run_watcher *next;
};

struct run_options {
	struct pgtsim_printer out; /* what dump, walk, stats, check and echo print */
	const char *profile;       /* instead of the scenario's; NULL: the scenario's */
	/*
	 * Reads a file named in the scenario into memory that the runner frees. Returns 0 or a
	 * negative errno. NULL: there are no files.
	 */
	int (*read_file)(void *ctx, const char *name, char **text, size_t *length);
	void *ctx;
	struct run_watcher *watchers; /* a list, in the order they are told */
};

/* What ended a run. */
struct run_error {
	unsigned line;
	char message[384];
};

/* A run under way. */
struct run {
	const struct scenario *scenario;
	const struct run_options *options;
	struct pgtsim_machine *machine;
	struct pgtsim_altmap *altmaps; /* by the scenario's numbers */
	struct pgtsim_cpus *cpus;      /* from the first access on; NULL before */
	size_t next;                   /* command to execute */
	bool bounds_set;               /* by the command `bounds` */
	uint64_t floor, ceiling;
};

/* Exit statuses. */
enum { RUN_OK = 0, RUN_FAILED = 1, RUN_BAD_SCENARIO = 2 };

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

/* A virtual address of this machine. The end of the address space, 0, is one. Or -EINVAL. */
int run_address(const struct run *run, const struct scenario_value *value, uint64_t *va);

/* Floor and ceiling for [start, end), as the command `bounds` or the layout says. */
void run_bounds(const struct run *run, uint64_t start, uint64_t end, uint64_t *floor,
		uint64_t *ceiling);

/*
 * Makes the machine that `original` had before the command `end`, once more: runs the commands up
 * to there again, but for those that only look, and prints nothing. *options must live as long.
 * Returns 0 or -ENOMEM; run_end() ends it.
 */
int run_again(struct run *run, const struct run *original, const struct scenario_command *end,
	      struct run_options *options);

#endif
