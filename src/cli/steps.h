/* SPDX-License-Identifier: MIT */
/*
 * steps: a scenario one event at a time. Any moment of it can be looked at, forwards and
 * backwards: the scenario is run again up to there, which takes milliseconds and always gives the
 * same machine.
 */
#ifndef PGTSIM_CLI_STEPS_H
#define PGTSIM_CLI_STEPS_H

#include "run.h"

/* A moment: an event has just happened, or (event NULL) a command has just ended. */
struct step {
	uint64_t number;                        /* 0 the first: the machine is there */
	const struct scenario_command *command; /* under way, or ended */
	const struct pgtsim_event *event;
	int result; /* of the command that ended: 0 or a negative errno */
};

/* Looks at the machine of a moment; it may not change it. */
typedef void steps_see(void *ctx, struct run *run, const struct step *step);

/* What the whole run came to. */
struct steps_end {
	uint64_t count; /* moments in all */
	int status;     /* RUN_OK, RUN_FAILED */
	struct run_error error;
};

/*
 * Runs the scenario and shows the moments [first, last]. The whole scenario is run, whatever is
 * looked at; watchers of the options are told as well. The end is in *end.
 */
void steps_visit(const struct scenario *scenario, const struct run_options *options, uint64_t first,
		 uint64_t last, steps_see *see, void *ctx, struct steps_end *end);

#endif
