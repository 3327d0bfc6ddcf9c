/* SPDX-License-Identifier: MIT */
/*
 * step: pgtsim run --step, a scenario in the terminal one event at a time.
 */
#ifndef PGTSIM_CLI_STEP_H
#define PGTSIM_CLI_STEP_H

#include "scenario/runner.h"

/*
 * Steps through a scenario: shows a moment on standard output and reads from standard input, line by
 * line, which one is next. `name` is the scenario's file, for messages. Returns the status that the
 * whole run has, an exit status.
 */
int step_scenario(const char *name, const struct scenario *scenario,
		  const struct run_options *options);

#endif
