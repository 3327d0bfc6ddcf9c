/* SPDX-License-Identifier: MIT */
/*
 * explore_jobs: explores for the command: shows progress on a terminal, ends at a limit with what
 * was found, and spreads a search over processes (--jobs) or machines (--shard).
 */
#ifndef PGTSIM_CLI_EXPLORE_JOBS_H
#define PGTSIM_CLI_EXPLORE_JOBS_H

#include <pgtsim/explore.h>

#include "options.h"
#include "scenario/runner.h"

struct explore_jobs {
	uint64_t jobs;          /* processes; 0: one */
	unsigned shard, shards; /* of --shard; 0 shards: all of it */
	const char *shard_out;  /* where to write what the shard found; NULL: nowhere */
};

/* Reads the value of --shard, "i/n", i from 1 on. Returns 0, or -EINVAL after saying what is wrong. */
int explore_jobs_take_shard(struct explore_jobs *jobs, const char *value);

/* An `explore` function for struct run_options. `ctx` is a struct explore_jobs. */
int explore_jobs_run(void *ctx, const struct run *run, unsigned line,
		     const struct pgtsim_explore_config *config, struct pgtsim_exploration *found);

#endif
