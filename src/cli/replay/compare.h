/* SPDX-License-Identifier: MIT */
/*
 * compare: compares the simulated machine with a recording after one step. Private to replay/.
 */
#ifndef PGTSIM_CLI_REPLAY_COMPARE_H
#define PGTSIM_CLI_REPLAY_COMPARE_H

#include "recording.h"
#include "scenario/runner.h"

enum { REPLAY_DIFFERENCES_MAX = 50 }; /* that are listed */

/* A replay under way. */
struct replay {
	const struct recording *recording;
	struct run run;
	const struct step *step;
	enum region region;
	struct content base[REGIONS]; /* the simulator's at the step `before` */
	struct content now[REGIONS];
	size_t steps;
	uint64_t descriptors, differences;
	size_t told; /* violations that are already listed as differences */
	size_t listed;
	char lines[REPLAY_DIFFERENCES_MAX][REPLAY_LINE_MAX];
};

const struct pgtsim_geometry *replay_geometry(const struct replay *replay);

/* The output address of an entry. */
uint64_t replay_address(const struct replay *replay, const struct row *entry);

/* True if the address lies in the hot-added memory, which is where an altmap's pages come from. */
bool replay_hot_added(const struct replay *replay, uint64_t pa);

/* Counts a difference and keeps its line; `place` may be NULL. */
#ifdef __GNUC__
__attribute__((format(printf, 3, 4)))
#endif
void replay_differ(struct replay *replay, const struct row *place, const char *format, ...);

/* Compares the machine with the recording after replay->step. Returns 0 or a negative errno. */
int replay_compare_step(struct replay *replay);

/*
 * Checks that everything that was compared without its address has memory of its own. `whose` says
 * in messages whether `content` is the recording's or the simulator's. Returns 0 or -ENOMEM.
 */
int replay_check_frames(struct replay *replay, const struct content *content, const char *whose);

#endif
