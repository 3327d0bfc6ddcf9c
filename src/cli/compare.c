/* SPDX-License-Identifier: MIT */
/* The command compare. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "measure.h"
#include "options.h"
#include "scenario/runner.h"

struct compare_arguments {
	uint64_t tolerance; /* percent */
	const char *only;   /* names, with commas, that are shown and judged; NULL: see judged() */
	bool json;
	struct pgtsim_cost_model model;
};

static bool in_list(const char *list, const char *name)
{
	size_t length = strlen(name);

	for (const char *at = list; (at = strstr(at, name)); at += length)
		if ((at == list || at[-1] == ',') && (at[length] == ',' || !at[length]))
			return true;
	return false;
}

/* True if every name in the list is a counter or a cost. */
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

/* What decides: what --only names, else the time. All other differences are only shown. */
static bool judged(const struct compare_arguments *a, const char *name)
{
	return in_list(a->only ? a->only : "cost.time", name);
}

/* A counter, or a cost in units for people, in 15 columns. */
static void print_value(size_t index, uint64_t value)
{
	if (measure_is_counter(index))
		printf(" %15" PRIu64, value);
	else
		printf("        %s", measure_column(value > UINT64_MAX / 1000 ? UINT64_MAX :
									     value * 1000)
					     .text);
}

static void print_difference(const struct compare_arguments *a, size_t index, uint64_t before,
			     uint64_t after, bool more)
{
	const char *name = measure_name(index);

	if (a->json) {
		printf("{\"name\":\"%s\",\"a\":%" PRIu64 ",\"b\":%" PRIu64 ",\"grew\":%s}\n", name,
		       before, after, more ? "true" : "false");
		return;
	}
	printf("%-20s", name);
	print_value(index, before);
	print_value(index, after);
	if (before)
		printf(" %+9.1f%%", ((double)after / (double)before - 1) * 100);
	else
		printf(" %10s", "");
	printf("%s\n", more ? "  more" : "");
}

/* Prints what differs. Returns true if something that is judged grew. */
static bool print_differences(const struct compare_arguments *a, const struct measure m[2])
{
	bool any = false, more = false;
	const char *name;

	for (size_t i = 0; (name = measure_name(i)); i++) {
		uint64_t before = measure_value(&m[0], i), after = measure_value(&m[1], i);
		bool this_more = judged(a, name) && grew(before, after, a->tolerance);

		if (before == after || (a->only ? !in_list(a->only, name) : measure_is_bound(i)))
			continue;
		print_difference(a, i, before, after, this_more);
		any = true;
		more |= this_more;
	}
	if (any && !a->json && !a->only) {
		printf("\nJudged: cost.time, which leaves out cost.refills.\n");
		measure_print_foreign(&m[m[1].counts_only]);
		measure_print_left_out();
	}
	return more;
}

static int command_compare(int argc, char **argv)
{
	struct compare_arguments a = { .json = false };
	struct cli_words files;
	struct measure m[2];
	int status;

	pgtsim_cost_model_init(&a.model);
	status = cli_parse(&cli_compare, argc, argv, &a, &files);
	if (status != CLI_CONTINUE)
		return status;
	for (unsigned i = 0; i < 2; i++) {
		status = measure_file(files.word[i], &a.model, &m[i]);
		if (status)
			return status;
	}
	return print_differences(&a, m) ? RUN_FAILED : RUN_OK;
}

static int take_cost(void *arguments, const char *value)
{
	return measure_model("compare", value, &((struct compare_arguments *)arguments)->model);
}

static int take_only(void *arguments, const char *value)
{
	((struct compare_arguments *)arguments)->only = value;
	return names_known(value) ? 0 : -EINVAL;
}

static int take_tolerance(void *arguments, const char *value)
{
	struct compare_arguments *a = arguments;

	if (scenario_number(value, &a->tolerance) && a->tolerance <= 1000000)
		return 0;
	fprintf(stderr, "pgtsim compare: --tolerance wants a percentage up to 1000000, not '%s'\n",
		value);
	return -EINVAL;
}

static const struct cli_option options[] = {
	{ .name = "tolerance",
	  .value = "PERCENT",
	  .kind = CLI_TAKE,
	  .take = take_tolerance,
	  .meaning = "how much more is no matter (default: 0)" },
	{ .name = "only",
	  .value = "NAME,...",
	  .kind = CLI_TAKE,
	  .take = take_only,
	  .meaning = "look at these alone, counters or costs (default: print all,\n"
		     "judge cost.time)" },
	{ .name = "cost",
	  .value = "NAME=NUMBER,...",
	  .kind = CLI_TAKE,
	  .take = take_cost,
	  .meaning = "change constants of the cost model" },
	{ .name = "json",
	  .kind = CLI_FLAG,
	  .offset = offsetof(struct compare_arguments, json),
	  .meaning = "one JSON object a line" },
	{ .name = NULL },
};

const struct cli_command cli_compare = {
	.name = "compare",
	.summary = "whether one scenario costs more than another",
	.usage =
		"pgtsim compare [OPTIONS] A[@CHANGES] B[@CHANGES]   does scenario B cost more than A?\n",
	.options = options,
	.notes =
		"CHANGES to the scenario's machine: a profile, keys, or both: @linux-6.1,flush=per-leaf or\n"
		"@memmap-on-memory=on,repeat-tlbi=on. Or a kernel: @mine.so or @mine.so,blocks=on, with what\n"
		"pgtsim kernel build made.\n"
		"Prints what differs. Exit status: 0 what is judged did not grow beyond the tolerance; 1 it\n"
		"did, or a scenario failed; 2 a scenario or the command line is wrong. What shrinks never\n"
		"fails.\n",
	.wanted = "which two scenarios?",
	.least = 2,
	.most = 2,
	.run = command_compare,
};
