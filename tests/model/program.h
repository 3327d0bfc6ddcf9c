/* SPDX-License-Identifier: MIT */
/* program: random programs of stores, barriers and invalidates, run by the model and the checker. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include "model.h"

enum step_kind {
	STEP_STORE,
	STEP_BARRIER,
	STEP_INVALIDATE,
	STEP_FREE_TABLE,
	STEP_FREE_PAGE,
	STEP_END,
};

/* What is stored. */
enum step_value {
	VALUE_NONE,
	VALUE_PAGE,     /* a leaf to the page of the same number, for a block the first of them */
	VALUE_OTHER,    /* … to other memory */
	VALUE_READONLY, /* … to the page of the same number, read-only */
	VALUE_HINTED,   /* … with the contiguous hint */
	VALUE_DEVICE,   /* … of another memory type */
	VALUE_YOUNG,    /* … without the access flag */
	VALUE_SOFT,     /* … with a software bit */
	VALUE_HINTED_YOUNG, /* … with the hint, without the access flag */
	VALUE_TABLE,    /* the table that was there at first */
	VALUE_TABLE_READONLY, /* … with APTable: all below is read-only */
	VALUE_TABLE_SOFT,     /* … with a software bit */
	VALUE_COUNT,
};

struct step {
	enum step_kind kind;
	unsigned cpu;
	int level;             /* of a store, or of the entry whose table is freed */
	unsigned page;         /* of a store, an invalidate or what is freed */
	enum step_value value; /* of a store */
	enum model_barrier barrier;
	enum { ONE_LEAF, ONE_WALK, RANGE, RANGE_WALK, ALL } invalidate;
	unsigned pages; /* of a range */
	bool local;
	int hint; /* of an invalidate: its level, or MODEL_ANY_LEVEL */
};

enum { MAX_STEPS = 80 };

/* Which steps a program may have. */
struct features {
	bool permissions; /* read-only pages */
	bool cpus;        /* what two CPUs do */
	bool scopes;      /* local invalidates */
	bool kinds;       /* DSB of kinds other than ISHST and ISH, and DMB */
	bool tables;      /* tables with restrictions and software bits */
	bool leaves;      /* leaves of another memory type, without AF, with software bits */
	bool hints;       /* invalidates with a level hint, and ranges of all levels */
	bool frees;       /* tables and pages are freed */
	bool isb;         /* ISB; without, every CPU has one when an operation ends */
	bool versions;    /* CPUs with levels of FEAT_BBM, and with FEAT_ETS2 */
};

struct program {
	unsigned page_shift; /* 12, 14 or 16 */
	unsigned group;      /* log2 of the ptes in a contiguous group */
	struct model_cpus cpus;
	bool isb; /* only where the program has them */
	unsigned count;
	struct step step[MAX_STEPS];
};

/* A program, and what it shows. */
struct kept_program {
	const char *name;
	struct program program;
};

/* Those on which model and checker once disagreed. */
const struct kept_program *programs_kept(unsigned *count);

/* The first thing that is wrong. */
struct finding {
	unsigned step;  /* where; the number of steps if nothing is wrong */
	unsigned wrong; /* MODEL_…, by the checker one of them */
	unsigned page;
	int level;
	char text[240];
	bool judge_differs;  /* by the checker: the judge of the same events finds something else */
	bool is_group;       /* by the checker: a contiguous group, named by its first page */
	uint64_t bad_groups; /* by the model: a bit for the first page of each */
};

/* True for the values of an entry that leads to a table. */
bool is_table(enum step_value value);

void program_random(struct program *program, uint32_t seed, const struct features *features);
void program_print(const struct program *program);

/* What the model and what the checker find first. */
struct finding program_by_model(const struct program *program);
struct finding program_by_checker(const struct program *program);

/* True if both found the same: nothing, or at the same address what the model allows to be said. */
bool findings_agree(const struct program *program, const struct finding *model,
		    const struct finding *checker);

/* Drops steps as long as the two still differ. */
void program_shrink(struct program *program);

#endif
