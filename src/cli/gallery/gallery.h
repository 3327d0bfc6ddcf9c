/* SPDX-License-Identifier: MIT */
/*
 * gallery: defects of real kernels, each a pair of scenarios that are compiled in: bad_b01.pgt
 * shows the defect, good_b01.pgt the same steps as later kernels do them. Text in, text out.
 *
 * A scenario of the gallery begins with comment lines: "# B1: TITLE", its story, and lines of the
 * form "# KEY: VALUE". "# finds:" names what it is about: the violations that its last command,
 * check, prints; or the counter of which its last command, expect, is not true; or "nothing".
 * "# in a tree: yes" says that the defect lies in the functions that a kernel tree is built of.
 */
#ifndef PGTSIM_CLI_GALLERY_H
#define PGTSIM_CLI_GALLERY_H

#include "scenario/runner.h"

/* A scenario; the text is followed by a NUL that `length` does not count. */
struct gallery_file {
	const char *name; /* "bad_b01.pgt" */
	const char *text;
	size_t length;
};

struct gallery_pair {
	unsigned number; /* 1 of B1 */
	struct gallery_file bad, good;
};

/* All of them by number; the number 0 ends the table. */
extern const struct gallery_pair gallery_pairs[];

/* The result of running a scenario. */
struct gallery_verdict {
	int status; /* of the run */
	struct run_error error;
	char found[160]; /* in the words of "# finds:"; "" if something else ended the run */
	bool as_told;    /* `found` is what the scenario's "# finds:" says */
};

/* The value of a line "# KEY: VALUE" of the opening comment; "" if there is none. */
void gallery_value(const struct gallery_file *file, const char *key, char *value, size_t size);

/*
 * Runs a scenario, on a kernel if one is given; what it prints and what watchers print goes to their
 * printers.
 */
void gallery_play(const struct gallery_file *file, const struct pgtsim_printer *out,
		  struct run_watcher *watchers, const struct run_kernel *kernel,
		  struct gallery_verdict *verdict);

/* The pair of "B1", in either case; NULL if there is none. */
const struct gallery_pair *gallery_find(const char *id);

/* Prints the list of all pairs. */
void gallery_list(const struct pgtsim_printer *out);

/*
 * Prints a pair's story and runs it. Returns an exit status: RUN_OK if both scenarios found exactly
 * what they say.
 */
int gallery_tell(const struct gallery_pair *pair, const struct pgtsim_printer *out);

/* Is asked before each pair: true ends the run with what there is. */
typedef bool gallery_stop(const struct gallery_pair *next);

/*
 * Runs pairs, as many as there are before the number 0 and until stop(), which may be NULL, and prints
 * a verdict on each. Returns an exit status: RUN_OK if all found just what they say.
 */
int gallery_run_all(const struct gallery_pair *pairs, const struct pgtsim_printer *out,
		    gallery_stop *stop);

/*
 * Runs on a kernel those bad scenarios whose defect lies in the functions of a tree ("# in a tree:
 * yes"), or only that of one pair, without their knobs, and prints of each whether it shows there.
 * Returns an exit status: RUN_OK if none does.
 */
int gallery_run_kernel(const struct gallery_pair *pairs, const struct gallery_pair *only,
		       const struct run_kernel *kernel, const struct pgtsim_printer *out,
		       gallery_stop *stop);

#endif
