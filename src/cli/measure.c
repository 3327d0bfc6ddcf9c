/* SPDX-License-Identifier: MIT */
#include "measure.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "kernel/kernel.h"
#include "options.h"
#include "scenario/runner.h"
#include "variant.h"

static void note_counts(struct measure *out, const struct pgtsim_machine *machine)
{
	out->counts = machine->tlb.counts;
	out->counts_only = machine->geo.format != PGTSIM_FORMAT_ARM64;
}

static int run_quietly(const char *file, const char *text, size_t length,
		       const struct run_kernel *kernel, struct measure *out)
{
	const struct run_options options = {
		.out = { .print = cli_print_nothing },
		.kernel = kernel,
		.read_file = file_read_beside,
		.ctx = (void *)(uintptr_t)file,
	};
	struct scenario_error wrong;
	struct scenario scenario;
	struct run_error error;
	struct run run;
	int status;

	status = scenario_parse(&scenario, text, length, &wrong);
	if (status) {
		fprintf(stderr, "%s:%u: %s\n", file, wrong.line, wrong.message);
		return run_parse_status(status);
	}
	status = run_start(&run, &scenario, &options, &error);
	if (status == RUN_OK)
		status = run_rest(&run, &error);
	if (status == RUN_OK)
		note_counts(out, run.machine);
	else
		fprintf(stderr, "%s:%u: %s\n", file, error.line, error.message);
	run_end(&run);
	scenario_free(&scenario);
	return status;
}

/* Runs the file with the machine changed: "PROFILE", "KEY=VALUE,..." or "PROFILE,KEY=VALUE,...". */
static int measure_variant(const char *file, const char *changes, const struct run_kernel *kernel,
			   struct measure *out)
{
	bool profile = changes[0] && changes[strcspn(changes, "=,")] != '=';
	char *text = NULL, *variant = NULL, *all = malloc(strlen(changes) + sizeof("profile="));
	size_t length, variant_length;
	int status;

	if (!all)
		return file_complain(file, ENOMEM);
	strcpy(all, profile ? "profile=" : "");
	strcat(all, changes);
	status = file_read(file, &text, &length);
	if (!status)
		status = variant_of(text, length, all, &variant, &variant_length);
	if (status)
		status = file_complain(file, -status);
	else
		status = run_quietly(file, variant, variant_length, kernel, out);
	free(variant);
	free(text);
	free(all);
	return status;
}

/* The length of the kernel's file that changes begin with, "FILE.so" or "FILE.so,..."; 0: none. */
static size_t kernel_length(const char *changes)
{
	size_t length = strcspn(changes, ",");

	return length > 3 && !strncmp(changes + length - 3, ".so", 3) ? length : 0;
}

/* The same on the functions of the kernel that the changes begin with. */
static int measure_kernel(const char *file, char *changes, struct measure *out)
{
	char *rest = changes + kernel_length(changes);
	struct kernel kernel;
	int status;

	if (*rest)
		*rest++ = '\0';
	status = kernel_open_or_complain(&kernel, changes);
	if (status != RUN_OK)
		return status;
	status = measure_variant(file, rest, &kernel.run, out);
	kernel_close(&kernel);
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
	if (at && kernel_length(at))
		status = measure_kernel(file, at, out);
	else
		status = measure_variant(file, at ? at : "", NULL, out);
	free(file);
	if (status == RUN_OK)
		measure_cost(out, model);
	return status;
}

/* ---- values by name ---- */

#define PART(name, text)                                                                        \
	{                                                                                       \
		"cost." #name, text, offsetof(struct measure, cost.name),                       \
			offsetof(struct measure, low.name), offsetof(struct measure, high.name) \
	}

static const struct {
	const char *name, *meaning;
	size_t best, low, high; /* in struct measure */
} costs[] = {
	PART(invalidates, "issuing invalidates"),
	PART(barriers, "barriers, waiting for invalidates included"),
	PART(entries, "reading and writing descriptors"),
	PART(lines, "bringing cache lines of tables"),
	PART(memory, "allocating and freeing tables and pages"),
	PART(time, "the sum, for the CPU that does the work; without refills"),
	PART(refills, "what all CPUs together lose after invalidate-alls"),
};

/* The ranges that have names of their own. */
static const struct {
	const char *name;
	size_t offset;
} bounds[] = {
	{ "cost.time.low", offsetof(struct measure, low.time) },
	{ "cost.time.high", offsetof(struct measure, high.time) },
	{ "cost.refills.low", offsetof(struct measure, low.refills) },
	{ "cost.refills.high", offsetof(struct measure, high.refills) },
};

enum { COSTS = sizeof(costs) / sizeof(costs[0]), BOUNDS = sizeof(bounds) / sizeof(bounds[0]) };

static uint64_t picoseconds_at(const struct measure *measure, size_t offset)
{
	uint64_t picoseconds;

	memcpy(&picoseconds, (const char *)measure + offset, sizeof(picoseconds));
	return picoseconds;
}

static size_t counter_count(void)
{
	size_t count;

	pgtsim_counters(&count);
	return count;
}

void measure_cost(struct measure *measure, const struct pgtsim_cost_model *model)
{
	pgtsim_cost_of(&measure->counts, model, &measure->cost);
	pgtsim_cost_range(&measure->counts, model, &measure->low, &measure->high);
}

bool measure_is_counter(size_t index)
{
	return index < counter_count();
}

bool measure_is_bound(size_t index)
{
	return index >= counter_count() + COSTS;
}

const char *measure_name(size_t index)
{
	size_t count;
	const struct pgtsim_counter *counters = pgtsim_counters(&count);

	if (index < count)
		return counters[index].name;
	index -= count;
	if (index < COSTS)
		return costs[index].name;
	return index - COSTS < BOUNDS ? bounds[index - COSTS].name : NULL;
}

uint64_t measure_value(const struct measure *measure, size_t index)
{
	size_t count;
	const struct pgtsim_counter *counters = pgtsim_counters(&count);

	if (index < count)
		return pgtsim_counter_value(&measure->counts, &counters[index]);
	index -= count;
	return picoseconds_at(measure,
			      index < COSTS ? costs[index].best : bounds[index - COSTS].offset) /
	       1000;
}

/* ---- for people ---- */

struct measure_time measure_time(uint64_t picoseconds)
{
	static const char *const units[] = { "ps", "ns", "µs", "ms", "s" };
	struct measure_time time = { "0" };
	double value = (double)picoseconds;
	unsigned unit = 0;
	int digits;

	while (value >= 999.5 && unit < sizeof(units) / sizeof(units[0]) - 1) {
		value /= 1000;
		unit++;
	}
	digits = !unit || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
	if (picoseconds)
		snprintf(time.text, sizeof(time.text), "%.*f %s", digits, value, units[unit]);
	return time;
}

struct measure_time measure_column(uint64_t picoseconds)
{
	const struct measure_time time = measure_time(picoseconds);
	int bytes_more = strstr(time.text, "µ") ? 1 : 0;
	struct measure_time column;

	snprintf(column.text, sizeof(column.text), "%*s", 8 + bytes_more, time.text);
	return column;
}

/* Prints a text of any length in lines of up to 96 columns, each after `indent` blanks. */
static void print_wrapped(const char *text, int indent)
{
	size_t column = 0;

	for (size_t length; *text; text += length + (text[length] == ' ')) {
		length = strcspn(text, " ");
		if (column && (size_t)indent + column + length > 96) {
			column = 0;
			printf("\n");
		}
		printf("%*s%.*s", column ? 1 : indent, "", (int)length, text);
		column += length + 1;
	}
	printf("\n");
}

void measure_print_left_out(void)
{
	char text[400];

	snprintf(text, sizeof(text), "Not counted: %s.", pgtsim_cost_leaves_out());
	print_wrapped(text, 0);
}

void measure_print_foreign(const struct measure *m)
{
	if (m->counts_only)
		printf("The constants are of arm64 machines: of s390 only the counts mean something.\n");
}

void measure_print_costs(const struct measure *m)
{
	for (size_t i = 0; i < COSTS; i++) {
		uint64_t best = picoseconds_at(m, costs[i].best);

		printf("%-20s %s  (%s to %s)  %s\n", costs[i].name, measure_column(best).text,
		       measure_column(picoseconds_at(m, costs[i].low)).text,
		       measure_column(picoseconds_at(m, costs[i].high)).text, costs[i].meaning);
	}
	printf("\nA range is that of the constants: pgtsim cost --model says where each is from.\n");
	measure_print_foreign(m);
	measure_print_left_out();
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

	if (!copy) {
		file_complain(command, ENOMEM);
		return -ENOMEM;
	}
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

static void print_constant(const struct pgtsim_cost_knob *knob)
{
	printf("%-18s %8" PRIu64, knob->name, knob->value);
	if (knob->basis == PGTSIM_COST_CHOICE)
		printf("  %s\n", knob->meaning);
	else
		printf(" ps (%" PRIu64 " to %" PRIu64 ", %s)  %s\n", knob->low, knob->high,
		       pgtsim_cost_basis_name(knob->basis), knob->meaning);
	print_wrapped(knob->source, 4);
	if (knob->address)
		print_wrapped(knob->address, 4);
}

void measure_print_model(void)
{
	size_t count;
	const struct pgtsim_cost_knob *knobs = pgtsim_cost_knobs(&count);

	for (size_t i = 0; i < count; i++)
		print_constant(&knobs[i]);
	printf("\nps: picoseconds. --cost=NAME=NUMBER,... changes a constant, which has no range then.\n");
	measure_print_left_out();
}
