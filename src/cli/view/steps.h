/* SPDX-License-Identifier: MIT */
/*
 * steps: a scenario, one event at a time, forwards and backwards. To show a moment, the scenario is
 * run again up to there: that takes milliseconds and always gives the same machine.
 */
#ifndef PGTSIM_CLI_VIEW_STEPS_H
#define PGTSIM_CLI_VIEW_STEPS_H

#include "scenario/runner.h"

/* A moment: right after an event, or (event NULL) right after the end of a command. */
struct step {
	uint64_t number;                        /* 0: the machine has just been made */
	const struct scenario_command *command; /* the one that is running or has just ended */
	const struct pgtsim_event *event;
	int result; /* of the command that ended: 0 or a negative errno */
};

/* Called for each moment to be shown. Must not change the machine. */
typedef void steps_see(void *ctx, struct run *run, const struct step *step);

/* The result of the whole run. */
struct steps_end {
	uint64_t count; /* moments in all */
	int status;     /* RUN_OK, RUN_FAILED */
	struct run_error error;
};

/*
 * Runs the whole scenario and calls see() for the moments [first, last]. The watchers in *options
 * are called, too. Sets *end.
 */
void steps_visit(const struct scenario *scenario, const struct run_options *options, uint64_t first,
		 uint64_t last, steps_see *see, void *ctx, struct steps_end *end);

/* ---- any moment, fast ---- */

/* A command, or a part of one, as a range of moments. */
struct steps_place {
	const struct scenario_command *command;
	uint64_t first;            /* its first moment … */
	uint64_t end;              /* … and one past its last one */
	int result;                /* of a command: 0 or a negative errno */
	bool part;                 /* true: a part, begun by `begin`; false: a whole command */
	struct pgtsim_event begin; /* PGTSIM_OP_BEGIN_… */
};

/* A violation, and the first moment at which it had been reported. */
struct steps_found {
	uint64_t moment;
	struct pgtsim_violation violation;
};

/* What a first run of a scenario records, so that later runs are faster. */
struct steps_index {
	const struct scenario
		*scenario; /* owned by the caller, and must live as long as the index */
	const struct run_options *options;
	struct steps_end end;
	bool runs; /* the scenario is too long: one event for each run of entries, not for each entry */
	struct steps_place *places; /* in order; a command comes before its parts */
	size_t place_count;
	struct steps_found *found; /* in order */
	size_t found_count;
	/* Moments that exist whether events are single entries or runs: see is_anchor(). */
	uint64_t *anchors;
	size_t anchor_count;
};

/* Scenarios with more leaves than this to write or clear are stepped run by run. */
enum { STEPS_LEAVES_MAX = 1 << 24 };

/* Runs the scenario to make its index. Returns 0, or -ENOMEM with nothing to free. */
int steps_index(struct steps_index *index, const struct scenario *scenario,
		const struct run_options *options);

/* Frees what the index holds. */
void steps_index_free(struct steps_index *index);

/*
 * Like steps_visit(), but much faster if there are millions of moments: events are single entries
 * only near [first, last], and runs elsewhere. The run ends with the command of `last`. The checker's
 * event numbers differ then, so take violations from the index.
 */
void steps_seek(const struct steps_index *index, uint64_t first, uint64_t last, steps_see *see,
		void *ctx);

/*
 * Returns the command that is running at a moment or, if `part` is set, the part of it that began
 * last. NULL if there is none.
 */
const struct steps_place *steps_place_of(const struct steps_index *index, uint64_t moment,
					 bool part);

#endif
