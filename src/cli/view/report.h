/* SPDX-License-Identifier: MIT */
/*
 * report: prints what a run does, for people to read. Watches the run's commands and observes its
 * events.
 */
#ifndef PGTSIM_CLI_VIEW_REPORT_H
#define PGTSIM_CLI_VIEW_REPORT_H

#include "scenario/runner.h"

/* An operation has up to 4 parts in each of 3 regions. The cost is printed for each part. */
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
	bool started;     /* the observer is on a machine */
	uint32_t remarks; /* bits of the weaknesses already printed */
	struct pgtsim_machine *machine;
	struct pgtsim_counts begin; /* when the command began */
	struct pgtsim_counts mark;  /* when the current part began */
	struct report_part *current;
	struct report_part part[REPORT_REGIONS][REPORT_PARTS];
};

/* Prepares a report that prints to `out`. Add &report->watcher to the run's watchers. */
void report_init(struct report *report, const struct pgtsim_printer *out, bool colour);

#endif
