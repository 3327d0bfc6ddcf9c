/* SPDX-License-Identifier: MIT */
/*
 * words: describes a moment of a scenario in a sentence.
 */
#ifndef PGTSIM_CLI_VIEW_WORDS_H
#define PGTSIM_CLI_VIEW_WORDS_H

#include "steps.h"
#include "tree.h"

/* Prints the sentence for a moment, without a newline. `index` knows why the run ended. */
void words_moment(const struct pgtsim_printer *out, const struct run *run, const struct step *step,
		 const struct steps_index *index);

/* Prints the name of a part of a command: "linear map, pass 1 (unmap)". */
void words_part(const struct pgtsim_printer *out, const struct run *run,
	       const struct steps_place *part);

/*
 * The name of a level. Accepts PGTSIM_PGD for the root in every geometry, as events of tables use
 * it.
 */
const char *words_level(const struct pgtsim_geometry *geo, int level);

/* Returns the pass 2 that is running at a moment. `part` is the last part that began, or NULL. */
struct tree_pass words_pass(const struct run *run, const struct step *step,
			   const struct steps_place *part);

#endif
