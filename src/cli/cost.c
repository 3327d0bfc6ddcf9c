/* SPDX-License-Identifier: MIT */
/* The command cost. */
#include <inttypes.h>
#include <stdio.h>

#include "measure.h"
#include "options.h"
#include "scenario/runner.h"

struct cost_arguments {
	bool json, model_only;
	struct pgtsim_cost_model model;
};

static void print_json(const struct measure *m)
{
	const char *name;

	for (size_t i = 0; (name = measure_name(i)); i++)
		printf("%s\"%s\":%" PRIu64, i ? "," : "{", name, measure_value(m, i));
	printf("}\n");
}

static void print_cost(const struct measure *m)
{
	for (size_t i = 0; measure_is_counter(i); i++)
		printf("%-20s %15" PRIu64 "\n", measure_name(i), measure_value(m, i));
	printf("\n");
	measure_print_costs(m);
}

static int take_cost(void *arguments, const char *value)
{
	return measure_model("cost", value, &((struct cost_arguments *)arguments)->model);
}

static int command_cost(int argc, char **argv)
{
	struct cost_arguments a = { .json = false };
	struct cli_words files;
	struct measure m;
	int status;

	pgtsim_cost_model_init(&a.model);
	status = cli_parse(&cli_cost, argc, argv, &a, &files);
	if (status != CLI_CONTINUE)
		return status;
	if (a.model_only && !files.count)
		return measure_print_model(), RUN_OK;
	if (a.model_only || !files.count)
		return fprintf(stderr,
			       "pgtsim cost: write --model or one scenario; see pgtsim cost "
			       "--help\n"),
		       RUN_BAD_SCENARIO;
	status = measure_file(files.word[0], &a.model, &m);
	if (status == RUN_OK && a.json)
		print_json(&m);
	else if (status == RUN_OK)
		print_cost(&m);
	return status;
}

static const struct cli_option options[] = {
	{ .name = "cost",
	  .value = "NAME=NUMBER,...",
	  .kind = CLI_TAKE,
	  .take = take_cost,
	  .meaning = "change constants of the cost model" },
	{ .name = "model",
	  .kind = CLI_FLAG,
	  .offset = offsetof(struct cost_arguments, model_only),
	  .meaning = "print the constants: default, range and source" },
	{ .name = "json",
	  .kind = CLI_FLAG,
	  .offset = offsetof(struct cost_arguments, json),
	  .meaning = "one JSON object, costs in nanoseconds" },
	{ .name = NULL },
};

const struct cli_command cli_cost = {
	.name = "cost",
	.summary = "what a scenario counts, and what it would take on a machine",
	.usage =
		"pgtsim cost [OPTIONS] FILE[@CHANGES]   what a scenario counts, and what it would take\n",
	.options = options,
	.notes =
		"CHANGES to the scenario's machine: a profile, keys, or both: @linux-6.1,flush=per-leaf or\n"
		"@memmap-on-memory=on,repeat-tlbi=on. Or a kernel: @mine.so or @mine.so,blocks=on, with what\n"
		"pgtsim kernel build made.\n"
		"cost.time is the sum, what the CPU that does the work takes; cost.refills, not in it, what\n"
		"all CPUs together lose as they fill their TLBs again. The range comes from the range of\n"
		"the constants. Counters are those of the whole scenario, or from its last reset-stats on.\n"
		"JSON has nanoseconds.\n",
	.most = 1,
	.run = command_cost,
};
