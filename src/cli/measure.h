/* SPDX-License-Identifier: MIT */
/*
 * measure: what a scenario counts and costs. The commands cost, compare and sweep.
 */
#ifndef PGTSIM_CLI_MEASURE_H
#define PGTSIM_CLI_MEASURE_H

#include <pgtsim/cost.h>

/* The counters of a whole scenario, and what they cost: the best guess and its range. */
struct measure {
	struct pgtsim_counts counts;
	struct pgtsim_cost cost, low, high;
	bool counts_only; /* the constants are not of its architecture */
};

/* Fills in what the counters cost. */
void measure_cost(struct measure *measure, const struct pgtsim_cost_model *model);

/*
 * Runs FILE, or FILE@PROFILE,KEY=VALUE,... with other keys of `machine` than the scenario's (the
 * profile or the keys may be left out), or FILE@KERNEL.so,KEY=VALUE,... on the functions of a kernel.
 * Says on standard error what went wrong. Returns an exit status; *out is set if it is 0.
 */
int measure_file(const char *name, const struct pgtsim_cost_model *model, struct measure *out);

/*
 * Values by name: all counters, then the costs and at last the ends of their ranges, in nanoseconds.
 * NULL for index past the last.
 */
const char *measure_name(size_t index);
uint64_t measure_value(const struct measure *measure, size_t index);

/* True if the value is a counter; if it is an end of a range. */
bool measure_is_counter(size_t index);
bool measure_is_bound(size_t index);

/* A time for people: three digits and a unit, "1.25 µs"; or that in a column of 8. */
struct measure_time {
	char text[24];
};
struct measure_time measure_time(uint64_t picoseconds);
struct measure_time measure_column(uint64_t picoseconds);

/* Prints what no cost has in it, as a sentence. */
void measure_print_left_out(void);

/* Says so if what was measured is of an architecture that the constants are not of. */
void measure_print_foreign(const struct measure *m);

/* Prints the costs with their ranges, in units for people, and what is not in them. */
void measure_print_costs(const struct measure *measure);

/*
 * Reads --cost=NAME=NUMBER,… into the model: picoseconds, or a plain number. Returns 0, or -EINVAL
 * with what is wrong said on standard error after `command`.
 */
int measure_model(const char *command, const char *list, struct pgtsim_cost_model *model);

/* Prints every constant of the cost model with its default and its source. */
void measure_print_model(void);

#endif
