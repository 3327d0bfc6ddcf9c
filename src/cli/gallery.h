/* SPDX-License-Identifier: MIT */
/*
 * gallery: defects of real kernels, each a pair of scenarios that are compiled in: bad_b01.pgt
 * shows the defect, good_b01.pgt the same steps as later kernels do them. Text in, text out.
 *
 * A scenario of the gallery begins with comment lines: "# B1: TITLE", its story, and lines of the
 * form "# KEY: VALUE". "# finds:" names what it is about: the violations that its last command,
 * check, prints; or the counter of which its last command, expect, is not true; or "nothing".
 */
#ifndef PGTSIM_CLI_GALLERY_H
#define PGTSIM_CLI_GALLERY_H

#include "run.h"

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

/* What a run of a scenario came to. */
struct gallery_verdict {
	int status; /* of the run */
	struct run_error error;
	char found[160]; /* in the words of "# finds:"; "" if something else ended the run */
	bool as_told;    /* that is what the scenario says it finds */
};

/* The value of a line "# KEY: VALUE" of the opening comment; "" if there is none. */
void gallery_value(const struct gallery_file *file, const char *key, char *value, size_t size);

/* Runs a scenario; what it prints and what watchers print goes to their printers. */
void gallery_play(const struct gallery_file *file, const struct pgtsim_printer *out,
		  struct run_watcher *watchers, struct gallery_verdict *verdict);

/* The pair of "B1", in either case; NULL if there is none. */
const struct gallery_pair *gallery_find(const char *id);

/* Prints the list of all pairs. */
void gallery_list(const struct pgtsim_printer *out);

/* Tells a pair's story and runs it. Returns whether both scenarios found just what they say. */
bool gallery_tell(const struct gallery_pair *pair, const struct pgtsim_printer *out);

/*
 * Runs pairs, as many as there are before the number 0, and prints a verdict on each. Returns
 * whether all found just what they say.
 */
bool gallery_run_all(const struct gallery_pair *pairs, const struct pgtsim_printer *out);

#endif
