/* SPDX-License-Identifier: MIT */
/*
 * junit: the expectations of a scenario as JUnit test cases, for CI systems.
 */
#ifndef PGTSIM_CLI_JUNIT_H
#define PGTSIM_CLI_JUNIT_H

#include "scenario/runner.h"

/*
 * Writes a JUnit file for a run that ended with this status: a test case for each expect,
 * expect-error and check that was reached, and one for the command that ended the run if that
 * was another. Returns 0 or the errno (positive) of a write that failed.
 */
int junit_write(const char *path, const char *suite, const struct scenario *scenario,
		const struct run *run, int status, const struct run_error *error);

#endif
