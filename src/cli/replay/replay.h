/* SPDX-License-Identifier: MIT */
/*
 * replay: runs the operations of a recorded live kernel on the same simulated machine and
 * compares the page tables after each step.
 */
#ifndef PGTSIM_CLI_REPLAY_REPLAY_H
#define PGTSIM_CLI_REPLAY_REPLAY_H

#include <pgtsim/dump.h>

/*
 * Replays the text of one recording. `name` is what its lines begin with. Prints the result and
 * the differences to `out`; what is wrong with the recording itself, one line, to `errors`.
 * Returns RUN_OK, RUN_FAILED if anything differs, RUN_BAD_SCENARIO for a recording that is none
 * or that cannot be replayed.
 */
int replay_text(const char *name, const char *text, size_t length, const struct pgtsim_printer *out,
		const struct pgtsim_printer *errors);

#endif
