/* SPDX-License-Identifier: MIT */
/* The command run. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "explore_jobs.h"
#include "file.h"
#include "host_limits.h"
#include "kernel/kernel.h"
#include "options.h"
#include "scenario/runner.h"
#include "view/junit.h"
#include "view/report.h"
#include "view/step.h"
#include "view/tracer.h"

struct run_arguments {
	const char *trace, *profile, *junit, *kernel;
	const struct run_kernel *built; /* the opened --kernel; NULL: none */
	bool quiet, step;
	const char *file; /* the one that is run now */
};

static int run_scenario(const struct scenario *scenario, const struct run_arguments *arguments,
			struct run_options *options)
{
	struct run_error error;
	struct run run;
	int status = run_start(&run, scenario, options, &error);

	if (status == RUN_OK)
		status = run_rest(&run, &error);
	fflush(stdout);
	if (status != RUN_OK)
		fprintf(stderr, "%s:%u: %s\n", arguments->file, error.line, error.message);
	else if (run.next < scenario->command_count)
		fprintf(stderr, "%s:%u: stopped before this line\n", arguments->file,
			scenario->commands[run.next].line);
	if (arguments->junit && status != RUN_BAD_SCENARIO) {
		int lost = junit_write(arguments->junit, arguments->file, scenario, &run, status,
				       &error);

		if (lost)
			status = file_complain_of_output(arguments->junit, lost);
	}
	run_end(&run);
	return status;
}

/* Runs the scenario, with the trace and the report as watchers. */
static int run_watched(const struct scenario *scenario, const struct run_arguments *arguments,
		       FILE *trace)
{
	const char *no_colour = getenv("NO_COLOR");
	bool colour = isatty(STDOUT_FILENO) && !(no_colour && *no_colour);
	struct pgtsim_printer out = *cli_out;
	const struct pgtsim_printer trace_out = { cli_print_to, trace };
	struct tracer tracer;
	struct run_options options = {
		.out = out,
		.profile = arguments->profile,
		.kernel = arguments->built,
		.read_file = file_read_beside,
		.ctx = (void *)(uintptr_t)arguments->file,
	};
	struct explore_jobs alone = { 0 };
	struct report report;

	options.explore = explore_jobs_run;
	options.stop = limits_stop_run;
	options.explore_ctx = &alone;
	if (arguments->step)
		return step_scenario(arguments->file, scenario, &options);
	limits_catch_interrupt();
	report_init(&report, &out, colour);
	tracer_init(&tracer, &trace_out);
	if (trace)
		options.watchers = &tracer.watcher;
	if (!arguments->quiet) {
		report.watcher.next = options.watchers;
		options.watchers = &report.watcher;
	}
	return run_scenario(scenario, arguments, &options);
}

static int close_trace(FILE *trace, const char *path, int status)
{
	int lost = file_flush(trace);

	fclose(trace);
	return lost ? file_complain(path, lost) : status;
}

static int run_text(const char *text, size_t length, const struct run_arguments *arguments)
{
	struct scenario scenario;
	struct scenario_error error;
	FILE *trace = NULL;
	int status;

	status = scenario_parse(&scenario, text, length, &error);
	if (status) {
		fprintf(stderr, "%s:%u: %s\n", arguments->file, error.line, error.message);
		return run_parse_status(status);
	}
	if (arguments->trace)
		trace = strcmp(arguments->trace, "-") ? fopen(arguments->trace, "w") : stdout;
	if (arguments->trace && !trace)
		status = file_complain_of_output(arguments->trace, errno);
	else
		status = run_watched(&scenario, arguments, trace);
	if (trace && trace != stdout)
		status = close_trace(trace, arguments->trace, status);
	scenario_free(&scenario);
	return status;
}

static int run_file(const struct run_arguments *arguments)
{
	char *text;
	size_t length;
	int status = file_read(arguments->file, &text, &length);

	if (status)
		return file_complain(arguments->file, -status);
	status = run_text(text, length, arguments);
	free(text);
	return status;
}

/* Whether what is to be written would go over the scenario, or one over the other. */
static bool writes_over(const struct run_arguments *arguments, const char *scenario)
{
	const char *trace = arguments->trace, *junit = arguments->junit;

	if (trace && file_is(trace, scenario))
		fprintf(stderr, "pgtsim run: --trace would write over the scenario %s\n", scenario);
	else if (junit && file_is(junit, scenario))
		fprintf(stderr, "pgtsim run: --junit would write over the scenario %s\n", scenario);
	else if (trace && junit && file_is(trace, junit))
		fprintf(stderr, "pgtsim run: --trace and --junit would both write %s\n", junit);
	else
		return false;
	return true;
}

/* Options that work with one scenario only: they write one file, or talk to one user. */
static const char *for_one_scenario(const struct run_arguments *arguments)
{
	if (arguments->trace)
		return "--trace";
	if (arguments->junit)
		return "--junit";
	return arguments->step ? "--step" : NULL;
}

static int run_files(struct run_arguments *arguments, const struct cli_words *files)
{
	int worst = RUN_OK;

	for (int i = 0; i < files->count && !limits_stop(); i++) {
		int status;

		arguments->file = files->word[i];
		if (files->count > 1 && !arguments->quiet)
			printf("%s=== %s\n", i ? "\n" : "", arguments->file);
		status = run_file(arguments);
		if (status > worst)
			worst = status;
	}
	return worst;
}

/* Runs the scenarios on the functions of a kernel. */
static int run_on_kernel(struct run_arguments *arguments, const struct cli_words *files)
{
	struct kernel kernel;
	int status;

	if (arguments->profile) {
		fprintf(stderr, "pgtsim run: --profile and --kernel: one or the other decides\n");
		return RUN_BAD_SCENARIO;
	}
	status = kernel_open_or_complain(&kernel, arguments->kernel);
	if (status != RUN_OK)
		return status;
	arguments->built = &kernel.run;
	status = run_files(arguments, files);
	kernel_close(&kernel);
	return status;
}

static int command_run(int argc, char **argv)
{
	struct run_arguments arguments = { 0 };
	struct cli_words files;
	int status = cli_parse(&cli_run, argc, argv, &arguments, &files);

	if (status != CLI_CONTINUE)
		return status;
	if (files.count > 1 && for_one_scenario(&arguments)) {
		fprintf(stderr, "pgtsim run: %s is for one scenario, and here are %d\n",
			for_one_scenario(&arguments), files.count);
		return RUN_BAD_SCENARIO;
	}
	if (writes_over(&arguments, files.word[0]))
		return RUN_BAD_SCENARIO;
	return arguments.kernel ? run_on_kernel(&arguments, &files) : run_files(&arguments, &files);
}

static const struct cli_option options[] = {
	{ .name = "quiet",
	  .kind = CLI_FLAG,
	  .offset = offsetof(struct run_arguments, quiet),
	  .meaning = "print only what dump, walk, stats, check and echo print" },
	{ .name = "step",
	  .kind = CLI_FLAG,
	  .offset = offsetof(struct run_arguments, step),
	  .meaning = "go through it event by event, the tables drawn; h says how" },
	{ .name = "profile",
	  .value = "NAME",
	  .kind = CLI_PROFILE,
	  .offset = offsetof(struct run_arguments, profile),
	  .meaning = "run it as this kernel, whatever the scenario says" },
	{ .name = "kernel",
	  .value = "FILE",
	  .kind = CLI_WORD,
	  .offset = offsetof(struct run_arguments, kernel),
	  .meaning = "run it on the functions of a kernel tree: see pgtsim kernel --help" },
	{ .name = "trace",
	  .value = "FILE",
	  .kind = CLI_WORD,
	  .offset = offsetof(struct run_arguments, trace),
	  .meaning = "write every event as one JSON object a line; '-' is standard output" },
	{ .name = "junit",
	  .value = "FILE",
	  .kind = CLI_WORD,
	  .offset = offsetof(struct run_arguments, junit),
	  .meaning = "write each expect, expect-error and check as a test case" },
	{ .name = NULL },
};

const struct cli_command cli_run = {
	.name = "run",
	.summary = "run a scenario: build a machine, hot-add memory, tear it down",
	.usage = "pgtsim run [OPTIONS] FILE...     run scenarios; '-' is standard input\n",
	.options = options,
	.notes =
		"Exit status: 0 everything held; 1 a command failed, an expect was false or check found a\n"
		"violation; 2 the scenario or the command line is wrong, and nothing was run, or a file could\n"
		"not be read or written; 3 the host is out of memory; 4 the time is up; 130 Ctrl-C ended it.\n"
		"Of several scenarios, the worst counts.\n"
		"\n"
		"A scenario, one command a line:\n"
		"\n"
		"  machine profile=linux-6.12 granule=4K va=48 ram=0x40000000+1G\n"
		"  add 0x80000000+256M          # hot-add: linear map, vmemmap, memory blocks\n"
		"  walk linear+1G               # the page-table walk of one address\n"
		"  remove 0x80000000+256M       # both passes, with floor and ceiling\n"
		"  expect tables.pte == 0\n"
		"  check                        # every invariant\n",
	.wanted = "which scenario?",
	.least = 1,
	.most = -1,
	.run = command_run,
};
