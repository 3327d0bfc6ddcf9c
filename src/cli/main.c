/* SPDX-License-Identifier: MIT */
/*
 * The pgtsim command: files, options and exit statuses around the scenario library.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "decode.h"
#include "draw.h"
#include "file.h"
#include "gallery.h"
#include "junit.h"
#include "measure.h"
#include "replay.h"
#include "report.h"
#include "step.h"

struct run_arguments {
	const char *file, *trace, *profile, *junit;
	bool quiet, step;
};

static void print_to(void *file, const char *text)
{
	fputs(text, file);
}

/* ---- run ---- */

static const char run_help[] =
	"pgtsim run [OPTIONS] FILE        run a scenario; '-' is standard input\n"
	"\n"
	"  --quiet          print only what dump, walk, stats, check and echo print\n"
	"  --step           go through it event by event, the tables drawn; h says how\n"
	"  --profile=NAME   run it as this kernel, whatever the scenario says\n"
	"  --trace=FILE     write every event as one JSON object a line; '-' is standard output\n"
	"  --junit=FILE     write each expect, expect-error and check as a test case\n"
	"\n"
	"Exit status: 0 everything held; 1 a command failed, an expect was false or check found a\n"
	"violation; 2 the scenario or the command line is wrong, and nothing was run, or a file could\n"
	"not be read or written.\n"
	"\n"
	"A scenario, one command a line:\n"
	"\n"
	"  machine profile=linux-6.12 granule=4K va=48 ram=0x40000000+1G\n"
	"  add 0x80000000+256M          # hot-add: linear map, vmemmap, memory blocks\n"
	"  walk linear+1G               # the page-table walk of one address\n"
	"  remove 0x80000000+256M       # both passes, with floor and ceiling\n"
	"  expect tables.pte == 0\n"
	"  check                        # every invariant\n";

/* The trace begins when the machine is there. */
struct tracer {
	struct run_watcher watcher;
	struct pgtsim_trace trace;
	struct pgtsim_printer out;
};

static void trace_after(struct run_watcher *watcher, struct run *run,
			const struct scenario_command *command, int result)
{
	struct tracer *tracer = (struct tracer *)(void *)watcher;

	if (command->kind == SCENARIO_MACHINE && !result)
		pgtsim_trace_start(&tracer->trace, &run->machine->tlb, &run->machine->geo,
				   &tracer->out);
}

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
	if (arguments->junit && status != RUN_BAD_SCENARIO) {
		int lost = junit_write(arguments->junit, arguments->file, scenario, &run, status,
				       &error);

		if (lost)
			status = file_complain(arguments->junit, lost);
	}
	run_end(&run);
	return status;
}

static int run_watched(const struct scenario *scenario, const struct run_arguments *arguments,
		       FILE *trace)
{
	const char *no_colour = getenv("NO_COLOR");
	bool colour = isatty(STDOUT_FILENO) && !(no_colour && *no_colour);
	struct pgtsim_printer out = { print_to, stdout };
	struct tracer tracer = { .watcher = { .after = trace_after }, .out = { print_to, trace } };
	struct run_options options = {
		.out = out,
		.profile = arguments->profile,
		.read_file = file_read_beside,
		.ctx = (void *)(uintptr_t)arguments->file,
	};
	struct report report;

	if (arguments->step)
		return step_scenario(arguments->file, scenario, &options);
	report_init(&report, &out, colour);
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

	if (scenario_parse(&scenario, text, length, &error)) {
		fprintf(stderr, "%s:%u: %s\n", arguments->file, error.line, error.message);
		return RUN_BAD_SCENARIO;
	}
	if (arguments->trace)
		trace = strcmp(arguments->trace, "-") ? fopen(arguments->trace, "w") : stdout;
	if (arguments->trace && !trace)
		status = file_complain(arguments->trace, errno);
	else
		status = run_watched(&scenario, arguments, trace);
	if (trace && trace != stdout)
		status = close_trace(trace, arguments->trace, status);
	scenario_free(&scenario);
	return status;
}

static const char *value_of(const char *argument, const char *option)
{
	size_t length = strlen(option);

	return strncmp(argument, option, length) ? NULL : argument + length;
}

static bool profile_exists(const char *name)
{
	struct pgtsim_policy policy;

	return !pgtsim_policy_init(&policy, name);
}

static int parse_run(int argc, char **argv, struct run_arguments *arguments)
{
	for (int i = 1; i < argc; i++) {
		const char *value;

		if (!strcmp(argv[i], "--quiet"))
			arguments->quiet = true;
		else if (!strcmp(argv[i], "--step"))
			arguments->step = true;
		else if ((value = value_of(argv[i], "--profile=")))
			arguments->profile = value;
		else if ((value = value_of(argv[i], "--trace=")))
			arguments->trace = value;
		else if ((value = value_of(argv[i], "--junit=")))
			arguments->junit = value;
		else if ((argv[i][0] == '-' && argv[i][1]) || arguments->file)
			return fprintf(stderr,
				       "pgtsim run: unexpected '%s'; see pgtsim run --help\n",
				       argv[i]),
			       -EINVAL;
		else
			arguments->file = argv[i];
	}
	if (arguments->profile && !profile_exists(arguments->profile))
		return fprintf(stderr,
			       "pgtsim run: there is no profile '%s'; see pgtsim profiles\n",
			       arguments->profile),
		       -EINVAL;
	if (!arguments->file)
		return fprintf(stderr, "pgtsim run: which scenario? see pgtsim run --help\n"),
		       -EINVAL;
	return 0;
}

static int command_run(int argc, char **argv)
{
	struct run_arguments arguments = { 0 };
	char *text;
	size_t length;
	int status;

	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--help"))
			return fputs(run_help, stdout), RUN_OK;
	if (parse_run(argc, argv, &arguments))
		return RUN_BAD_SCENARIO;
	status = file_read(arguments.file, &text, &length);
	if (status)
		return file_complain(arguments.file, -status);
	status = run_text(text, length, &arguments);
	free(text);
	return status;
}

/* ---- profiles ---- */

static const char profiles_help[] =
	"pgtsim profiles                  the kernels that can be modelled, and where they differ\n";

static void put_cell(const char *text, bool last)
{
	printf(" %-*s%s", last ? 0 : 16, text, last ? "\n" : "");
}

static void print_knobs(const struct pgtsim_policy *policy, size_t profiles)
{
	size_t count;
	const struct pgtsim_knob *knobs = pgtsim_knobs(&count);

	for (size_t i = 0; i < count; i++) {
		printf("%-18s", knobs[i].name);
		for (size_t p = 0; p < profiles; p++)
			put_cell(pgtsim_policy_get(&policy[p], knobs[i].name), p + 1 == profiles);
	}
	printf("\nEach row is a knob: machine KNOB=VALUE changes one.\n\n");
	for (size_t i = 0; i < count; i++) {
		printf("  %-18s %s: ", knobs[i].name, knobs[i].meaning);
		for (const char *const *value = knobs[i].values; *value; value++)
			printf("%s%s", value == knobs[i].values ? "" : "|", *value);
		printf("\n");
	}
}

static int command_profiles(int argc, char **argv)
{
	const char *const *names = pgtsim_profiles();
	struct pgtsim_policy policies[16];
	size_t count = 0;

	if (argc > 1 && !strcmp(argv[1], "--help"))
		return fputs(profiles_help, stdout), 0;
	if (argc > 1)
		return fprintf(stderr, "pgtsim profiles: unexpected '%s'\n", argv[1]), 2;
	printf("%-18s", "");
	for (; names[count]; count++) {
		pgtsim_policy_init(&policies[count], names[count]);
		put_cell(names[count], !names[count + 1]);
	}
	print_knobs(policies, count);
	return 0;
}

/* ---- gallery ---- */

static const char gallery_help[] =
	"pgtsim gallery                   list defects of real kernels, each a pair of scenarios\n"
	"pgtsim gallery B1                tell the story of one, run the bad scenario and the good\n"
	"pgtsim gallery all               run all, and say of each whether it was found\n"
	"\n"
	"Exit status: 0 each bad scenario finds what it is about, and each good one nothing; 1 not so;\n"
	"2 the command line is wrong.\n";

static int command_gallery(int argc, char **argv)
{
	const struct pgtsim_printer out = { print_to, stdout };
	const char *id = argc > 1 ? argv[1] : NULL;
	const struct gallery_pair *pair = id ? gallery_find(id) : NULL;

	if (id && !strcmp(id, "--help"))
		return fputs(gallery_help, stdout), RUN_OK;
	if (argc > 2)
		return fprintf(stderr, "pgtsim gallery: unexpected '%s'\n", argv[2]),
		       RUN_BAD_SCENARIO;
	if (!id)
		return gallery_list(&out), RUN_OK;
	if (!strcmp(id, "all") || !strcmp(id, "--all"))
		return gallery_run_all(gallery_pairs, &out) ? RUN_OK : RUN_FAILED;
	if (!pair)
		return fprintf(stderr, "pgtsim gallery: there is no '%s'; see pgtsim gallery\n",
			       id),
		       RUN_BAD_SCENARIO;
	return gallery_tell(pair, &out) ? RUN_OK : RUN_FAILED;
}

/* ---- the command line ---- */

static int command_help(int argc, char **argv);

static int command_version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	printf("pgtsim %s\n", PGTSIM_VERSION);
	return 0;
}

static const struct {
	const char *name, *meaning;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "run", "run a scenario: build a machine, hot-add memory, tear it down", command_run },
	{ "replay", "replay recordings of live kernels and compare every descriptor",
	  command_replay },
	{ "cost", "what a scenario counts, and what it would take on a machine", command_cost },
	{ "compare", "whether one scenario costs more than another", command_compare },
	{ "sweep", "what removals cost, over kernels, geometries and sizes", command_sweep },
	{ "profiles", "the kernels that can be modelled, and where they differ", command_profiles },
	{ "draw", "the tables of a scenario's machine as SVG", command_draw },
	{ "gallery", "defects of real kernels, each found by the checks", command_gallery },
	{ "decode", "what each bit of a descriptor means", command_decode },
	{ "geometry", "how a virtual address splits into indices", command_geometry },
	{ "--help", NULL, command_help },
	{ "help", NULL, command_help },
	{ "--version", NULL, command_version },
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static int command_help(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	printf("pgtsim simulates the arm64 kernel page table and memory hotplug.\n\n");
	for (size_t i = 0; i < COMMANDS; i++)
		if (commands[i].meaning)
			printf("  pgtsim %-10s %s\n", commands[i].name, commands[i].meaning);
	printf("\npgtsim COMMAND --help says more of each.\n\n"
	       "To see memory come and go on two kernels, save this as try.pgt:\n\n"
	       "  machine granule=4K va=48 ram=0x40000000+1G\n"
	       "  add 0x80000000+128M\n"
	       "  remove 0x80000000+128M\n\n"
	       "and run it:\n\n"
	       "  pgtsim run --profile=linux-5.7 try.pgt\n"
	       "  pgtsim run --profile=latest try.pgt\n");
	return 0;
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < COMMANDS; i++)
		if (!strcmp(argv[1], commands[i].name)) {
			int status = commands[i].run(argc - 1, argv + 1);
			int lost = file_flush(stdout);

			return lost ? file_complain("standard output", lost) : status;
		}
	if (argc > 1)
		fprintf(stderr, "pgtsim: there is no command '%s'; see pgtsim --help\n", argv[1]);
	else
		fprintf(stderr, "pgtsim: which command? see pgtsim --help\n");
	return RUN_BAD_SCENARIO;
}
