/* SPDX-License-Identifier: MIT */
/*
 * tell: says what a moment of a scenario is, in a sentence of the field's words.
 */
#ifndef PGTSIM_CLI_TELL_H
#define PGTSIM_CLI_TELL_H

#include "steps.h"
#include "tree.h"

/* Prints the sentence of a moment, without a newline; what ended a run is in `index`. */
void tell_moment(const struct pgtsim_printer *out, const struct run *run, const struct step *step,
		 const struct steps_index *index);

/* Prints what part of a command this is: "linear map, pass 1 (unmap)". */
void tell_part(const struct pgtsim_printer *out, const struct run *run,
	       const struct steps_place *part);

/* The name of a level; of a table event's level, whose root is always PGTSIM_PGD, too. */
const char *tell_level(const struct pgtsim_geometry *geo, int level);

/* The second pass that is under way at a moment; `part` is the last one that began, or NULL. */
struct tree_pass tell_pass(const struct run *run, const struct step *step,
			   const struct steps_place *part);

#endif
