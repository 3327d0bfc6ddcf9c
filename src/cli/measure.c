/* SPDX-License-Identifier: MIT */
#include "measure.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "run.h"

static void print_nothing(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

static int run_quietly(const char *file, const char *profile, const char *text, size_t length,
		       struct pgtsim_counts *counts)
{
	const struct run_options options = {
		.out = { .print = print_nothing },
		.profile = profile,
		.read_file = file_read_beside,
		.ctx = (void *)(uintptr_t)file,
	};
	struct scenario_error wrong;
	struct scenario scenario;
	struct run_error error;
	struct run run;
	int status;

	if (scenario_parse(&scenario, text, length, &wrong)) {
		fprintf(stderr, "%s:%u: %s\n", file, wrong.line, wrong.message);
		return RUN_BAD_SCENARIO;
	}
	status = run_start(&run, &scenario, &options, &error);
	if (status == RUN_OK)
		status = run_rest(&run, &error);
	if (status == RUN_OK)
		*counts = run.machine->tlb.counts;
	else
		fprintf(stderr, "%s:%u: %s\n", file, error.line, error.message);
	run_end(&run);
	scenario_free(&scenario);
	return status;
}

static int measure_of(const char *file, const char *profile, const struct pgtsim_cost_model *model,
		      struct measure *out)
{
	struct pgtsim_policy policy;
	char *text;
	size_t length;
	int status;

	if (profile && pgtsim_policy_init(&policy, profile))
		return fprintf(stderr, "%s: there is no profile '%s'; see pgtsim profiles\n", file,
			       profile),
		       RUN_BAD_SCENARIO;
	status = file_read(file, &text, &length);
	if (status)
		return file_complain(file, -status);
	status = run_quietly(file, profile, text, length, &out->counts);
	free(text);
	if (status == RUN_OK)
		pgtsim_cost_of(&out->counts, model, &out->cost);
	return status;
}

int measure_file(const char *name, const struct pgtsim_cost_model *model, struct measure *out)
{
	char *file = malloc(strlen(name) + 1), *at;
	int status;

	if (!file)
		return file_complain(name, ENOMEM);
	strcpy(file, name);
	at = strrchr(file, '@');
	if (at)
		*at++ = '\0';
	status = measure_of(file, at, model, out);
	free(file);
	return status;
}

/* ---- values by name ---- */

static const struct {
	const char *name;
	size_t offset;
} costs[] = {
	{ "cost.invalidates", offsetof(struct pgtsim_cost, invalidates) },
	{ "cost.barriers", offsetof(struct pgtsim_cost, barriers) },
	{ "cost.entries", offsetof(struct pgtsim_cost, entries) },
	{ "cost.lines", offsetof(struct pgtsim_cost, lines) },
	{ "cost.memory", offsetof(struct pgtsim_cost, memory) },
	{ "cost.time", offsetof(struct pgtsim_cost, time) },
	{ "cost.refills", offsetof(struct pgtsim_cost, refills) },
};

enum { COSTS = sizeof(costs) / sizeof(costs[0]) };

const char *measure_name(size_t index)
{
	size_t count;
	const struct pgtsim_counter *counters = pgtsim_counters(&count);

	if (index < count)
		return counters[index].name;
	return index - count < COSTS ? costs[index - count].name : NULL;
}

uint64_t measure_value(const struct measure *measure, size_t index)
{
	size_t count;
	const struct pgtsim_counter *counters = pgtsim_counters(&count);
	uint64_t picoseconds;

	if (index < count)
		return pgtsim_counter_value(&measure->counts, &counters[index]);
	memcpy(&picoseconds, (const char *)&measure->cost + costs[index - count].offset,
	       sizeof(picoseconds));
	return picoseconds / 1000;
}

/* ---- the model ---- */

static int set_constant(const char *command, char *item, struct pgtsim_cost_model *model)
{
	char *value = strchr(item, '=');
	uint64_t number;
	int ret = -EINVAL;

	if (value) {
		*value++ = '\0';
		if (scenario_number(value, &number))
			ret = pgtsim_cost_set(model, item, number);
	}
	if (ret == -ENOENT)
		fprintf(stderr, "pgtsim %s: the cost model has no '%s'; see pgtsim cost --model\n",
			command, item);
	else if (ret == -ERANGE)
		fprintf(stderr, "pgtsim %s: %s: at most 1000000000\n", command, item);
	else if (ret)
		fprintf(stderr, "pgtsim %s: --cost wants NAME=NUMBER, not '%s'\n", command, item);
	return ret ? -EINVAL : 0;
}

int measure_model(const char *command, const char *list, struct pgtsim_cost_model *model)
{
	char *copy = malloc(strlen(list) + 1), *item = copy, *comma;
	int ret = 0;

	if (!copy)
		return -ENOMEM;
	strcpy(copy, list);
	do {
		comma = strchr(item, ',');
		if (comma)
			*comma = '\0';
		ret = set_constant(command, item, model);
		item = comma + 1;
	} while (comma && !ret);
	free(copy);
	return ret;
}

void measure_print_model(void)
{
	size_t count;
	const struct pgtsim_cost_knob *knobs = pgtsim_cost_knobs(&count);

	for (size_t i = 0; i < count; i++)
		printf("%-16s %8" PRIu64 "  %s (%s)\n", knobs[i].name, knobs[i].value,
		       knobs[i].meaning, knobs[i].source);
	printf("\nTimes are picoseconds. --cost=NAME=NUMBER,... changes them.\n");
}
