/* SPDX-License-Identifier: MIT */
/*
 * tracer: writes the trace of a run: its events, and also what `pgtsim judge` needs and no event
 * says, that is the machine's keys and some violations.
 */
#ifndef PGTSIM_CLI_VIEW_TRACER_H
#define PGTSIM_CLI_VIEW_TRACER_H

#include <pgtsim/trace.h>

#include "scenario/runner.h"

struct tracer {
	struct run_watcher watcher;
	struct pgtsim_trace trace;
	struct pgtsim_printer out;
	size_t violations; /* written so far */
};

/* Prepares a tracer that writes to `out`. Add &tracer->watcher to the run's watchers. */
void tracer_init(struct tracer *tracer, const struct pgtsim_printer *out);

#endif
