/* SPDX-License-Identifier: MIT */
/*
 * sequence: a machine's configuration and operations on it, as data. The same sequence runs on the
 * library, on the oracle, and, printed as a scenario, under `pgtsim run`.
 */
#ifndef SEQUENCE_H
#define SEQUENCE_H

#include <stdio.h>

#include <pgtsim/pgtsim.h>

#include "oracle.h"

enum { SEQUENCE_MAX = 40 };

enum operation_kind {
	OP_MAP,
	OP_UNMAP,
	OP_UNMAP_RANGE,
	OP_FREE_TABLES,
	OP_POPULATE,
	OP_VMEMMAP_FREE,
	OP_ADD,
	OP_ONLINE,
	OP_OFFLINE,
	OP_REMOVE,
};

struct operation {
	enum operation_kind kind;
	uint64_t start, size; /* VA, or PA of the operations of hotplug */
	uint64_t pa;          /* of map */
	unsigned prot;
	bool blocks, cont;
	bool pages; /* of populate */
	bool free;  /* of unmap-range */
	bool device, memmap_on_memory;
	int altmap;  /* -1: none */
	bool bounds; /* floor and ceiling instead of the default */
	uint64_t floor, ceiling;
	uint64_t fail_nth; /* this allocation of it fails; 0: none */
	bool fail_every;
};

struct sequence {
	struct oracle_config config;
	struct oracle_altmap altmap[ORACLE_ALTMAPS];
	struct operation op[SEQUENCE_MAX];
	size_t count;
	bool checker;       /* its scenario is for the checker of what may still be cached */
	bool whole_machine; /* pgtsim_check_machine() must agree, not only pgtsim_check() */
};

/* What went wrong with a sequence. */
struct failure {
	size_t op; /* the operation after which it was seen */
	uint64_t va;
	bool checker; /* only the checker of what may still be cached sees it */
	char text[256];
};

/* A machine with its altmaps. */
struct subject {
	struct pgtsim_machine *machine;
	struct pgtsim_altmap altmap[ORACLE_ALTMAPS];
};

/* ---- random numbers ---- */

/* Pseudo-random numbers. With data: the numbers in the data, then 0. */
struct dice {
	uint64_t state;
	const uint8_t *data;
	size_t size;
};

/* A number below n. */
uint64_t dice_below(struct dice *dice, uint64_t n);
static inline bool dice_one_in(struct dice *dice, unsigned n)
{
	return dice_below(dice, n) == 0;
}

/* ---- generate.c ---- */

void generate_config(struct dice *dice, struct oracle_config *config);
/* The n-th of all geometries that the release knows; returns false if there are fewer. */
bool geometry_number(struct oracle_config *config, enum oracle_release release, unsigned n);
void generate_altmaps(struct dice *dice, struct sequence *s);
void generate_page_table(struct dice *dice, const struct oracle *o, struct operation *op);
void generate_hotplug(struct dice *dice, const struct oracle *o, struct operation *op);

/* ---- subject.c ---- */

extern const char *const release_names[];

/* With the checker of what may still be cached, or without. */
void subject_init(struct subject *subject, const struct sequence *s, bool checker);
void subject_fini(struct subject *subject);
int subject_apply(struct subject *subject, const struct operation *op);

/* ---- compare.c ---- */

/* Whether the tables are what the oracle says; if not, *failure says where. *hash: all entries. */
bool compare(const struct oracle *o, const struct pgtsim_pgtable *pgt,
	     const struct pgtsim_memory *memory, uint64_t *hash, struct failure *failure);
/* Notes what is wrong and returns false. */
bool complain(struct failure *failure, uint64_t va, const char *text, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- run.c ---- */

/* Chooses the next operation, knowing the state that the sequence has led to. */
typedef void generate_function(struct dice *dice, const struct oracle *o, struct operation *op);

/*
 * Runs a sequence on two machines and the oracle and compares after each operation. With
 * `generate`, operations are drawn and added to it until it is full. Operations whose outcome the
 * oracle cannot know are removed. Returns whether all was well.
 */
bool sequence_run(struct sequence *s, struct dice *dice, generate_function *generate,
		  struct failure *failure);
/* Applies an operation to an oracle: 0 or a negative errno. */
int oracle_apply(struct oracle *o, const struct operation *op);
/* An oracle for the sequence's machine. */
void sequence_oracle(const struct sequence *s, struct oracle *o);

/* ---- clean.c ---- */

/* Makes a random script that cuts nothing and leaves nothing mapped. */
void clean_generate(struct dice *dice, const struct oracle *o, struct sequence *s);
/* Runs one. The machine must be new, and is as new again if all was well. */
bool clean_apply(struct subject *subject, const struct sequence *s, struct failure *failure);
/*
 * Like the above, on a machine of its own and for part of a script: only violations count as
 * failures.
 */
bool clean_run(struct sequence *s, struct failure *failure);

/* ---- shrink.c ---- */

/* Runs a candidate and returns whether all was well. It may take operations out of it. */
typedef bool run_function(struct sequence *s, struct failure *failure);

/* Runs a sequence without adding operations. */
bool sequence_rerun(struct sequence *s, struct failure *failure);

/*
 * Makes a sequence that fails smaller, as long as it fails: operations go, and, unless the sizes of
 * what is left must fit together, their values become simpler.
 */
void sequence_shrink(struct sequence *s, run_function *run, bool simplify, struct failure *failure);

/* ---- scenario.c ---- */

/* Writes a sequence as a scenario, with what the oracle expects. failure may be NULL. */
void sequence_print(const struct sequence *s, const struct failure *failure, FILE *out);

#endif
