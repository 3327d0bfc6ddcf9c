/* SPDX-License-Identifier: MIT */
/*
 * explore: the scenario's actors, and the command that tries all their interleavings.
 */
#ifndef PGTSIM_CLI_EXPLORE_H
#define PGTSIM_CLI_EXPLORE_H

#include "run.h"

/*
 * Explores the actors before this command on the machine as it is now, and prints what it found.
 * The machine is left as it is; a schedule that failed is noted as a violation. Returns 0, what
 * pgtsim_explore() returned, or the error of the first actor that ever returned one.
 */
int explore_actors(struct run *run, const struct scenario_command *command);

#endif
