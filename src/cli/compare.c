/* SPDX-License-Identifier: MIT */
/* The commands cost and compare. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "measure.h"
#include "run.h"
#include "scenario.h"

struct arguments {
	const char *command;
	const char *file[2];
	unsigned files;
	uint64_t tolerance; /* percent */
	const char *only;   /* names, with commas; NULL: all */
	bool json;
	struct pgtsim_cost_model model;
};

static const char *value_of(const char *argument, const char *option)
{
	size_t length = strlen(option);

	return strncmp(argument, option, length) ? NULL : argument + length;
}

static int unexpected(const struct arguments *a, const char *argument)
{
	fprintf(stderr, "pgtsim %s: unexpected '%s'; see pgtsim %s --help\n", a->command, argument,
		a->command);
	return -EINVAL;
}

static int parse_one(struct arguments *a, const char *argument, unsigned files)
{
	const char *value;

	if (!strcmp(argument, "--json"))
		a->json = true;
	else if ((value = value_of(argument, "--cost=")))
		return measure_model(a->command, value, &a->model);
	else if (files == 2 && (value = value_of(argument, "--only=")))
		a->only = value;
	else if (files == 2 && (value = value_of(argument, "--tolerance="))) {
		if (!scenario_number(value, &a->tolerance) || a->tolerance > 1000000)
			return unexpected(a, argument);
	} else if (argument[0] == '-' || a->files == files)
		return unexpected(a, argument);
	else
		a->file[a->files++] = argument;
	return 0;
}

/* Reads the arguments of a command that wants this many files. */
static int parse(struct arguments *a, const char *command, unsigned files, int argc, char **argv)
{
	*a = (struct arguments){ .command = command };
	pgtsim_cost_model_init(&a->model);
	for (int i = 1; i < argc; i++) {
		int ret = parse_one(a, argv[i], files);

		if (ret)
			return ret;
	}
	if (a->files == files)
		return 0;
	fprintf(stderr, "pgtsim %s: which scenario? see pgtsim %s --help\n", command, command);
	return -EINVAL;
}

static bool has(int argc, char **argv, const char *option)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], option))
			return true;
	return false;
}

/* ---- cost ---- */

static const char cost_help[] =
	"pgtsim cost [OPTIONS] FILE[@PROFILE]   what a scenario counts, and what it would take\n"
	"\n"
	"  --cost=NAME=NUMBER,...   change constants of the cost model\n"
	"  --model                  print the constants, with their defaults and sources\n"
	"  --json                   one JSON object\n"
	"\n"
	"Costs are in nanoseconds: cost.time is the sum, what the CPU that does the work takes;\n"
	"cost.refills what all CPUs together lose as they fill their TLBs again. Counters are\n"
	"those of the whole scenario, or from its last reset-stats on.\n";

static void print_cost(const struct measure *m, bool json)
{
	const char *name;

	for (size_t i = 0; (name = measure_name(i)); i++)
		if (json)
			printf("%s\"%s\":%" PRIu64, i ? "," : "{", name, measure_value(m, i));
		else
			printf("%-20s %15" PRIu64 "\n", name, measure_value(m, i));
	if (json)
		printf("}\n");
}

int command_cost(int argc, char **argv)
{
	struct arguments a;
	struct measure m;
	int status;

	if (has(argc, argv, "--help"))
		return fputs(cost_help, stdout), RUN_OK;
	if (argc == 2 && has(argc, argv, "--model"))
		return measure_print_model(), RUN_OK;
	if (parse(&a, "cost", 1, argc, argv))
		return RUN_BAD_SCENARIO;
	status = measure_file(a.file[0], &a.model, &m);
	if (status == RUN_OK)
		print_cost(&m, a.json);
	return status;
}

/* ---- compare ---- */

static const char compare_help[] =
	"pgtsim compare [OPTIONS] A[@PROFILE] B[@PROFILE]   does scenario B cost more than A?\n"
	"\n"
	"  --tolerance=PERCENT      how much more is no matter (default: 0)\n"
	"  --only=NAME,...          look at these alone: counters or costs\n"
	"  --cost=NAME=NUMBER,...   change constants of the cost model\n"
	"  --json                   one JSON object a line\n"
	"\n"
	"Prints what differs. Exit status: 0 nothing grew beyond the tolerance; 1 something did, or\n"
	"a scenario failed; 2 a scenario or the command line is wrong.\n";

static bool in_list(const char *list, const char *name)
{
	size_t length = strlen(name);

	for (const char *at = list; (at = strstr(at, name)); at += length)
		if ((at == list || at[-1] == ',') && (at[length] == ',' || !at[length]))
			return true;
	return false;
}

/* Whether every name of the list is a counter or a cost. */
static bool names_known(const char *list)
{
	const char *name = list;

	while (*name) {
		size_t length = strcspn(name, ","), i = 0;
		const char *known;

		while ((known = measure_name(i)) && (strncmp(known, name, length) || known[length]))
			i++;
		if (!known) {
			fprintf(stderr, "pgtsim compare: '%.*s' is no counter and no cost\n",
				(int)length, name);
			return false;
		}
		name += length;
		name += *name == ',';
	}
	return true;
}

static bool grew(uint64_t before, uint64_t after, uint64_t tolerance)
{
	if (after <= before)
		return false;
	return !before || (double)(after - before) * 100 > (double)before * (double)tolerance;
}

static void print_difference(const struct arguments *a, const char *name, uint64_t before,
			     uint64_t after, bool more)
{
	double change = before ? ((double)after / (double)before - 1) * 100 : 0;

	if (a->json)
		printf("{\"name\":\"%s\",\"a\":%" PRIu64 ",\"b\":%" PRIu64 ",\"grew\":%s}\n", name,
		       before, after, more ? "true" : "false");
	else if (before)
		printf("%-20s %15" PRIu64 " %15" PRIu64 " %+9.1f%%%s\n", name, before, after,
		       change, more ? "  more" : "");
	else
		printf("%-20s %15" PRIu64 " %15" PRIu64 " %10s%s\n", name, before, after, "",
		       more ? "  more" : "");
}

int command_compare(int argc, char **argv)
{
	struct measure m[2];
	struct arguments a;
	const char *name;
	bool more = false;

	if (has(argc, argv, "--help"))
		return fputs(compare_help, stdout), RUN_OK;
	if (parse(&a, "compare", 2, argc, argv) || (a.only && !names_known(a.only)))
		return RUN_BAD_SCENARIO;
	for (unsigned i = 0; i < 2; i++) {
		int status = measure_file(a.file[i], &a.model, &m[i]);

		if (status)
			return status;
	}
	for (size_t i = 0; (name = measure_name(i)); i++) {
		uint64_t before = measure_value(&m[0], i), after = measure_value(&m[1], i);
		bool this_more = grew(before, after, a.tolerance);

		if (before == after || (a.only && !in_list(a.only, name)))
			continue;
		print_difference(&a, name, before, after, this_more);
		more |= this_more;
	}
	return more ? RUN_FAILED : RUN_OK;
}
