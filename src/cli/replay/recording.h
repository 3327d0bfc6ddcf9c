/* SPDX-License-Identifier: MIT */
/*
 * recording: what a live kernel's page tables held after each step, read from its JSON file.
 * Private to the folder replay/.
 */
#ifndef PGTSIM_CLI_REPLAY_RECORDING_H
#define PGTSIM_CLI_REPLAY_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgtsim/geometry.h>
#include <pgtsim/machine.h>

struct json_object;

enum {
	REPLAY_LINE_MAX = 512,  /* bytes of a difference or of a complaint */
	REPLAY_PLACE_MAX = 128, /* bytes of the place in the recording */
};

enum region { LINEAR, VMEMMAP, REGIONS };

/* What a region holds after a step, one array each. */
enum list { TABLES, LEAVES, INVALID, LISTS };

extern const char *const region_names[REGIONS]; /* "linear", "vmemmap" */

/*
 * Table: the entry, its descriptor, and the live entries of the table it points to. Leaves: a run
 * whose descriptor grows by the entry size. Invalid: one entry, count 1.
 */
struct row {
	int level;
	uint64_t va, desc, count;
};

/* By va, then from the root down: the order of a walk. */
struct rows {
	struct row *at;
	size_t count, room;
};

struct content {
	struct rows list[LISTS];
};

struct range {
	uint64_t start, end; /* end may be that of the address space: 0 */
};

struct step {
	const char *name;
	unsigned last_line; /* of the scenario, after which this step is compared */
	struct content content[REGIONS];
};

struct recording {
	struct json_object *json; /* owns the names */
	struct range window[REGIONS], pa;
	struct step *steps;
	size_t step_count;
	bool has_before; /* steps[0] is it */
	char *text;      /* the scenario: the machine, then a line for each op */
	size_t length, room;
	unsigned lines;
};

/* ---- rows ---- */

/* Compares by va, then by level, for qsort() and bsearch(). */
int rows_order(const void *a, const void *b);

/* Appends a row. Returns 0 or -ENOMEM. */
int rows_push(struct rows *rows, struct row row);
void rows_sort(struct rows *rows);

/* Row i; NULL past the last one. */
const struct row *rows_get(const struct rows *rows, size_t i);

/* The row of the same entry in sorted rows; NULL if there is none. */
const struct row *rows_find(const struct rows *rows, const struct row *row);

void content_clear(struct content *content);
void content_free(struct content *content);

/* ---- reading ---- */

/* Where the reader is in the recording, and what is wrong there. */
struct reader {
	struct recording *recording;
	size_t step;               /* SIZE_MAX: in none */
	const char *region, *list; /* NULL: in none */
	size_t row;
	char message[REPLAY_PLACE_MAX + 2 + REPLAY_LINE_MAX];
};

/* Reads a whole recording. Returns 0, -EINVAL or -ENOMEM, with reader->message set. */
int recording_read(struct recording *recording, const char *text, size_t length,
		   struct reader *reader);
void recording_free(struct recording *recording);

/*
 * Checks what only the machine's geometry can tell: levels and addresses. Nothing else of replay
 * may see a recording that this refuses. Returns 0 or -EINVAL.
 */
int recording_check(struct reader *reader, const struct pgtsim_geometry *geo);

/*
 * Checks that the machine of the recording's line is the one that its `info`, if it has one,
 * describes. Returns 0 or -EINVAL.
 */
int recording_check_info(struct reader *reader, const struct pgtsim_machine *machine);

/* Sets the reader's message, with its place in front. Returns -EINVAL. */
#ifdef __GNUC__
__attribute__((format(printf, 2, 3)))
#endif
int reader_complain(struct reader *reader, const char *format, ...);

/* The same about a line of the recording's scenario: says where in the recording it stands. */
void reader_complain_line(struct reader *reader, unsigned line, const char *message);

#endif
