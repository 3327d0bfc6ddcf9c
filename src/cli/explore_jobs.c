/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L

#include "explore_jobs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "explore_part.h"
#include "host_limits.h"

/* ---- progress, and the end ---- */

static bool show_progress(void *ctx, const struct pgtsim_explore_progress *progress)
{
	(void)ctx;
	limits_progress("%" PRIu64 " schedules, %" PRIu64 " failed, of an estimated %" PRIu64,
			progress->schedules, progress->failed, progress->estimate);
	return limits_stop();
}

static int explore_here(const struct pgtsim_explore_config *config,
			struct pgtsim_exploration *found)
{
	struct pgtsim_explore_config watched = *config;
	int ret;

	watched.progress = show_progress;
	ret = pgtsim_explore(&watched, found);
	limits_progress(NULL);
	return ret;
}

/* ---- which search it is ---- */

static uint64_t hash_text(uint64_t hash, const char *text)
{
	for (; text && *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return (hash ^ '\n') * UINT64_C(0x100000001b3);
}

/* A hash of the commands up to this line and of the profile: shards of one search have the same. */
static uint64_t search_of(const struct run *run, unsigned line)
{
	uint64_t hash = hash_text(UINT64_C(0xcbf29ce484222325), run->options->profile);

	for (size_t i = 0;
	     i < run->scenario->command_count && run->scenario->commands[i].line <= line; i++)
		hash = hash_text(hash, run->scenario->commands[i].source);
	return hash;
}

/* ---- processes ---- */

struct process {
	pid_t pid;
	FILE *out; /* the child's result is read from here */
};

/* The child's part of fork(): explores one shard and ends. */
static void run_child(const struct pgtsim_explore_config *config, uint64_t search, int out)
{
	struct pgtsim_exploration found;
	FILE *file = fdopen(out, "w");
	struct explore_part part;
	int ret = pgtsim_explore(config, &found);

	if (ret || !file)
		_exit(ret == -ENOBUFS ? 3 : ret == -ENOMEM ? 4 : 2);
	part = explore_part_of(&found, search, config->shard, config->shards);
	_exit(explore_part_write(&part, file) ? 0 : 2);
}

static bool start_process(const struct pgtsim_explore_config *config, uint64_t search,
			  struct process *process)
{
	int ends[2];

	if (pipe(ends))
		return false;
	process->pid = fork();
	if (process->pid == 0) {
		close(ends[0]);
		run_child(config, search, ends[1]);
	}
	close(ends[1]);
	process->out = process->pid > 0 ? fdopen(ends[0], "r") : NULL;
	if (!process->out)
		close(ends[0]);
	return process->out;
}

static int end_process(struct process *process, struct explore_part *part)
{
	int ret = explore_part_read(part, process->out) == 1 ? 0 : -EIO, status = 0;

	fclose(process->out);
	while (waitpid(process->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (ret && WIFEXITED(status) && WEXITSTATUS(status) == 3)
		ret = -ENOBUFS;
	if (ret && WIFEXITED(status) && WEXITSTATUS(status) == 4)
		ret = -ENOMEM;
	return ret;
}

/*
 * Runs the failing schedule that one of the parts found once more, for its story, then sets the
 * numbers to those of all parts.
 */
static int tell_whole(const struct pgtsim_explore_config *config, const struct explore_part *whole,
		      struct pgtsim_exploration *found)
{
	struct pgtsim_explore_config again = *config;
	int ret;

	memset(found, 0, sizeof(*found));
	for (size_t i = 0; i < config->actor_count; i++)
		snprintf(found->names[i], sizeof(found->names[i]), "%s", config->actors[i].name);
	again.schedule = whole->schedule;
	ret = whole->schedule ? pgtsim_explore(&again, found) : 0;
	if (ret)
		return ret;
	found->schedules = whole->schedules;
	found->failed = whole->failed;
	found->cut = whole->cut;
	found->steps = whole->steps;
	found->complete = whole->complete;
	found->estimate = whole->estimate;
	found->result = whole->result;
	found->result_actor = whole->result_actor;
	if (!whole->complete)
		found->stopped = limits_stop() ? PGTSIM_STOPPED_ASKED : PGTSIM_STOPPED_BOUND;
	return 0;
}

static int explore_by_processes(const struct pgtsim_explore_config *config, uint64_t search,
				unsigned jobs, struct pgtsim_exploration *found)
{
	struct process *processes = calloc(jobs, sizeof(*processes));
	struct explore_part *parts = calloc(jobs, sizeof(*parts)), whole;
	unsigned started = 0;
	int ret = processes && parts ? 0 : -ENOBUFS;

	fflush(NULL);
	for (; !ret && started < jobs; started++) {
		struct pgtsim_explore_config part = *config;

		part.shard = started;
		part.shards = jobs;
		part.bound = config->bound ? (config->bound + jobs - 1) / jobs : 0;
		part.progress = show_progress;
		if (!start_process(&part, search, &processes[started]))
			break;
	}
	if (!ret && started < jobs)
		ret = -EAGAIN;
	for (unsigned i = 0; i < started; i++) {
		int lost = end_process(&processes[i], &parts[i]);

		ret = ret ? ret : lost;
	}
	if (!ret && explore_part_merge(parts, jobs, &whole))
		ret = -EIO;
	if (!ret)
		ret = tell_whole(config, &whole, found);
	for (unsigned i = 0; parts && i < jobs; i++)
		free(parts[i].schedule);
	free(parts);
	free(processes);
	return ret;
}

/* ---- a shard ---- */

int explore_jobs_take_shard(struct explore_jobs *jobs, const char *value)
{
	char rest;

	if (sscanf(value, "%u/%u%c", &jobs->shard, &jobs->shards, &rest) == 2 && jobs->shard &&
	    jobs->shard <= jobs->shards && jobs->shards <= EXPLORE_PARTS_MAX) {
		jobs->shard--;
		return 0;
	}
	fprintf(stderr, "pgtsim explore: --shard: '%s' is not i/n with i from 1 to n\n", value);
	return -EINVAL;
}

static int explore_shard(const struct explore_jobs *jobs,
			 const struct pgtsim_explore_config *config, uint64_t search,
			 struct pgtsim_exploration *found)
{
	struct pgtsim_explore_config part = *config;
	struct explore_part written;
	FILE *file;
	int ret;

	part.shard = jobs->shard;
	part.shards = jobs->shards;
	ret = explore_here(&part, found);
	if (ret || !jobs->shard_out)
		return ret;
	written = explore_part_of(found, search, jobs->shard, jobs->shards);
	file = strcmp(jobs->shard_out, "-") ? fopen(jobs->shard_out, "a") : stdout;
	if (!file || !explore_part_write(&written, file))
		ret = -EIO;
	if (file && file != stdout && fclose(file))
		ret = -EIO;
	if (ret)
		pgtsim_exploration_free(found);
	return ret;
}

int explore_jobs_run(void *ctx, const struct run *run, unsigned line,
		     const struct pgtsim_explore_config *config, struct pgtsim_exploration *found)
{
	const struct explore_jobs *jobs = ctx;
	uint64_t search = search_of(run, line);
	struct pgtsim_explore_config bounded = *config;
	bool whole = config->schedule || config->runs || config->limit_preemptions;

	if (limits.schedules && limits.schedules < bounded.runs)
		bounded.runs = limits.schedules;
	if (limits.schedules && (!bounded.bound || limits.schedules < bounded.bound))
		bounded.bound = limits.schedules;
	if (!whole && jobs->shards)
		return explore_shard(jobs, &bounded, search, found);
	if (whole || jobs->jobs < 2)
		return explore_here(&bounded, found);
	return explore_by_processes(&bounded, search, (unsigned)jobs->jobs, found);
}
