/* SPDX-License-Identifier: MIT */
/*
 * measure: what a scenario counts and costs. The commands cost, compare and sweep.
 */
#ifndef PGTSIM_CLI_MEASURE_H
#define PGTSIM_CLI_MEASURE_H

#include <pgtsim/cost.h>

/* The counters of a whole scenario, and what they cost. */
struct measure {
	struct pgtsim_counts counts;
	struct pgtsim_cost cost;
};

/*
 * Runs FILE, or FILE@PROFILE for another profile than the scenario's, and says on standard error
 * what went wrong. Returns an exit status; *out is set if it is 0.
 */
int measure_file(const char *name, const struct pgtsim_cost_model *model, struct measure *out);

/* Values by name: all counters, then the costs, in nanoseconds. NULL for index past the last. */
const char *measure_name(size_t index);
uint64_t measure_value(const struct measure *measure, size_t index);

/*
 * Reads --cost=NAME=NUMBER,… into the model: picoseconds, or a plain number. Returns 0, or -EINVAL
 * with what is wrong said on standard error after `command`.
 */
int measure_model(const char *command, const char *list, struct pgtsim_cost_model *model);

/* Prints every constant of the cost model with its default and its source. */
void measure_print_model(void);

int command_cost(int argc, char **argv);
int command_compare(int argc, char **argv);
int command_sweep(int argc, char **argv);

#endif
