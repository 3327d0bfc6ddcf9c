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

/* ---- any moment, fast ---- */

/* Where a command or a part of one begins. */
struct steps_place {
	const struct scenario_command *command;
	uint64_t first;            /* its first moment … */
	uint64_t end;              /* … and one past its last one */
	int result;                /* of a command: 0 or a negative errno */
	bool part;                 /* begun by `begin`; else a whole command */
	struct pgtsim_event begin; /* PGTSIM_OP_BEGIN_… */
};

/* A violation and the first moment at which it is known. */
struct steps_found {
	uint64_t moment;
	struct pgtsim_violation violation;
};

/* What a first run of a scenario leaves for later ones. */
struct steps_index {
	const struct scenario
		*scenario; /* the caller's, as are the next two, as long as it lives */
	const struct run_options *options;
	struct steps_end end;
	bool runs; /* a scenario too long for single entries: an event is a run of them */
	struct steps_place *places; /* a command before its parts, else in order */
	size_t place_count;
	struct steps_found *found; /* in order */
	size_t found_count;
	/* Moments that come at the same place whether runs are shown singly or not. */
	uint64_t *anchors;
	size_t anchor_count;
};

/* Scenarios with more leaves than this to write or clear are stepped run by run. */
enum { STEPS_LEAVES_MAX = 1 << 24 };

/* Runs the scenario once. Returns 0 or -ENOMEM, with nothing to free. */
int steps_index(struct steps_index *index, const struct scenario *scenario,
		const struct run_options *options);
void steps_index_free(struct steps_index *index);

/*
 * Shows the moments [first, last], the same as steps_visit(), in far less time if there are
 * millions: entries are stepped singly only near them. What the checker calls event numbers is
 * not the same, so show violations from the index.
 */
void steps_seek(const struct steps_index *index, uint64_t first, uint64_t last, steps_see *see,
		void *ctx);

/*
 * The last place that begins at a moment or before it: the command, or with `part` the last part
 * of it that has begun; NULL if there is none.
 */
const struct steps_place *steps_place_of(const struct steps_index *index, uint64_t moment,
					 bool part);

#endif
