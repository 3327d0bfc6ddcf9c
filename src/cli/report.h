/* SPDX-License-Identifier: MIT */
/*
 * report: tells what a run does, for people. A watcher of the run and an observer of its events.
 */
#ifndef PGTSIM_CLI_REPORT_H
#define PGTSIM_CLI_REPORT_H

#include "run.h"

/* The parts of an operation that have a cost of their own, in each region. */
enum { REPORT_PARTS = 4, REPORT_REGIONS = 3 };

struct report_part {
	unsigned times;
	struct pgtsim_counts cost;
	struct pgtsim_counts after; /* all counters when it last ended */
};

struct report {
	struct run_watcher watcher;
	struct pgtsim_observer observer;
	struct pgtsim_printer out;
	bool colour;
	bool started; /* the observer is on a machine */
	struct pgtsim_machine *machine;
	struct pgtsim_counts begin; /* when the command began */
	struct pgtsim_counts mark;  /* when the current part began */
	struct report_part *current;
	struct report_part part[REPORT_REGIONS][REPORT_PARTS];
};

/* Prepares a report that prints to `out`. Add &report->watcher to the run's watchers. */
void report_init(struct report *report, const struct pgtsim_printer *out, bool colour);

#endif
