/* SPDX-License-Identifier: MIT */
/* The command explore: a scenario's searches over several processes or machines. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "explore_jobs.h"
#include "explore_part.h"
#include "file.h"
#include "host_limits.h"
#include "options.h"

struct explore_arguments {
	struct explore_jobs jobs;
	const char *profile;
	bool merge;
};

static int take_shard(void *arguments, const char *value)
{
	struct explore_arguments *a = arguments;

	return explore_jobs_take_shard(&a->jobs, value);
}

/* ---- running ---- */

static int run_text(const char *path, const char *text, size_t length,
		    struct explore_arguments *arguments)
{
	const struct run_options options = {
		.out = *cli_out,
		.profile = arguments->profile,
		.read_file = file_read_beside,
		.ctx = (void *)(uintptr_t)path,
		.explore = explore_jobs_run,
		.explore_ctx = &arguments->jobs,
		.stop = limits_stop_run,
	};
	struct scenario_error wrong;
	struct scenario scenario;
	struct run_error error;
	struct run run;
	int status;

	status = scenario_parse(&scenario, text, length, &wrong);
	if (status) {
		fprintf(stderr, "%s:%u: %s\n", path, wrong.line, wrong.message);
		return run_parse_status(status);
	}
	limits_catch_interrupt();
	status = run_start(&run, &scenario, &options, &error);
	if (status == RUN_OK)
		status = run_rest(&run, &error);
	fflush(stdout);
	if (status != RUN_OK)
		fprintf(stderr, "%s:%u: %s\n", path, error.line, error.message);
	run_end(&run);
	scenario_free(&scenario);
	return status;
}

static int run_file(const char *path, struct explore_arguments *arguments)
{
	char *text;
	size_t length;
	int status = file_read(path, &text, &length);

	if (status)
		return file_complain(path, -status);
	status = run_text(path, text, length, arguments);
	free(text);
	return status;
}

/* ---- putting shards together ---- */

static int read_parts(const char *path, struct explore_part *parts, size_t *count)
{
	FILE *file = fopen(path, "r");
	int ret = file ? 1 : -errno;

	if (!file)
		return file_complain(path, -ret);
	while (*count < EXPLORE_PARTS_MAX && (ret = explore_part_read(&parts[*count], file)) == 1)
		++*count;
	fclose(file);
	if (ret >= 0)
		return RUN_OK;
	fprintf(stderr, "%s: not what --shard-out writes, or cut off\n", path);
	return RUN_BAD_SCENARIO;
}

static int print_whole(const struct explore_part *whole)
{
	printf("explored %" PRIu64 " schedule%s, %" PRIu64 " failed%s\n", whole->schedules,
	       whole->schedules == 1 ? "" : "s", whole->failed,
	       whole->complete ? "" : " (not all: a shard stopped early)");
	if (whole->schedule)
		printf("%s: %s\nagain with: schedule=%s\n", whole->violation, whole->text,
		       whole->schedule);
	return whole->failed ? RUN_FAILED : RUN_OK;
}

static int merge(const struct cli_words *files)
{
	struct explore_part *parts = calloc(EXPLORE_PARTS_MAX, sizeof(*parts)), whole;
	const char *problem;
	size_t count = 0;
	int status = RUN_OK;

	if (!parts)
		return file_complain("merge", ENOMEM);
	for (int i = 0; status == RUN_OK && i < files->count; i++)
		status = read_parts(files->word[i], parts, &count);
	if (status == RUN_OK) {
		problem = explore_part_merge(parts, count, &whole);
		if (problem)
			fprintf(stderr, "pgtsim explore: %s\n", problem);
		status = problem ? RUN_BAD_SCENARIO : print_whole(&whole);
	}
	for (size_t i = 0; i < count; i++)
		free(parts[i].schedule);
	free(parts);
	return status;
}

static int command_explore(int argc, char **argv)
{
	struct explore_arguments arguments = { .merge = false };
	struct cli_words files;
	int status = cli_parse(&cli_explore, argc, argv, &arguments, &files), worst = RUN_OK;

	if (status != CLI_CONTINUE)
		return status;
	if (arguments.jobs.jobs > EXPLORE_PARTS_MAX || (arguments.jobs.jobs && arguments.jobs.shards)) {
		fprintf(stderr, "pgtsim explore: --jobs takes 1 to %d, and not together with "
				"--shard\n",
			EXPLORE_PARTS_MAX);
		return RUN_BAD_SCENARIO;
	}
	if (arguments.merge)
		return merge(&files);
	for (int i = 0; arguments.jobs.shard_out && i < files.count; i++)
		if (file_is(arguments.jobs.shard_out, files.word[i])) {
			fprintf(stderr,
				"pgtsim explore: --shard-out would write into the scenario %s\n",
				files.word[i]);
			return RUN_BAD_SCENARIO;
		}
	for (int i = 0; i < files.count && !limits_stop(); i++) {
		status = run_file(files.word[i], &arguments);
		worst = status > worst ? status : worst;
	}
	return worst;
}

static const struct cli_option options[] = {
	{ .name = "jobs",
	  .value = "N",
	  .kind = CLI_SIZE,
	  .offset = offsetof(struct explore_arguments, jobs.jobs),
	  .meaning = "spread each search over N processes" },
	{ .name = "shard",
	  .value = "I/N",
	  .kind = CLI_TAKE,
	  .take = take_shard,
	  .meaning = "explore the I-th of N parts only; the parts have no schedule in common" },
	{ .name = "shard-out",
	  .value = "FILE",
	  .kind = CLI_WORD,
	  .offset = offsetof(struct explore_arguments, jobs.shard_out),
	  .meaning = "append what the shard found to FILE; '-' is standard output" },
	{ .name = "merge",
	  .kind = CLI_FLAG,
	  .offset = offsetof(struct explore_arguments, merge),
	  .meaning = "the files are what --shard-out wrote: add them up; none may be missing" },
	{ .name = "profile",
	  .value = "NAME",
	  .kind = CLI_PROFILE,
	  .offset = offsetof(struct explore_arguments, profile),
	  .meaning = "run it as this kernel, whatever the scenario says" },
	{ .name = NULL },
};

const struct cli_command cli_explore = {
	.name = "explore",
	.summary = "run a scenario, its searches spread over processes or machines",
	.usage = "pgtsim explore [OPTIONS] FILE...          run scenarios as run --quiet does\n"
		 "pgtsim explore --merge FILE...            add up what shards have found\n",
	.options = options,
	.notes = "Ctrl-C ends a search: what it found so far is printed, and the exit status is 130.\n"
		 "\n"
		 "One search on four machines, or by GNU parallel:\n"
		 "\n"
		 "  parallel pgtsim explore --shard={}/4 --shard-out=part{} race.pgt ::: 1 2 3 4\n"
		 "  pgtsim explore --merge part1 part2 part3 part4\n",
	.wanted = "which scenario?",
	.least = 1,
	.most = -1,
	.run = command_explore,
};
