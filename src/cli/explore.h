/* SPDX-License-Identifier: MIT */
/*
 * explore: the scenario's actors, and the command that tries all their interleavings.
 */
#ifndef PGTSIM_CLI_EXPLORE_H
#define PGTSIM_CLI_EXPLORE_H

#include "scenario/runner.h"

/*
 * Explores the actors before this command, each schedule on a copy of the machine as it is now, and
 * prints the result. The machine itself does not change; if a schedule failed, a violation is
 * reported on it. Returns 0, the error of pgtsim_explore(), or the first error that an actor
 * returned.
 */
int explore_actors(struct run *run, const struct scenario_command *command);

#endif
