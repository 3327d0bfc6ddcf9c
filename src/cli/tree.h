/* SPDX-License-Identifier: MIT */
/*
 * tree: the tables of a machine, folded so that thousands are legible. Tables beside one another
 * that are alike are one row; those on the way to an address of interest stand alone.
 */
#ifndef PGTSIM_CLI_TREE_H
#define PGTSIM_CLI_TREE_H

#include <pgtsim/pgtsim.h>

enum { TREE_FOCUS_MAX = 4 };

/* A look at a machine; it may not change meanwhile. */
struct tree {
	struct pgtsim_machine *machine; /* the caller's */
	uint64_t focus[TREE_FOCUS_MAX]; /* addresses whose tables stand alone … */
	size_t focus_count;
	unsigned rows_max;              /* … and how many rows there may be */
	struct pgtsim_stale_run *stale; /* by level, then by address; neighbours are merged */
	size_t stale_count;
	bool exact;  /* few enough tables to compare every entry; else by their counts */
	uint64_t oa; /* address bits of descriptors */
};

/* A table, or `tables` of them that are alike and follow one another. */
struct tree_row {
	const struct pgtsim_table
		*table; /* the first; NULL: rows_max was reached, these are left out */
	unsigned depth; /* 0 the root */
	int level;
	uint64_t va;   /* the first address that it translates */
	uint64_t span; /* bytes that one of them translates; 0: 2^64 */
	uint64_t tables;
	unsigned entries; /* of one */
	uint64_t stale;   /* entries of one whose old values may still be cached */
};

/* Consecutive entries of a table that are alike. */
struct tree_part {
	unsigned index, count;
	enum pgtsim_kind kind;
	uint64_t desc; /* of the first */
};

/* Prepares a look. Add to focus[] afterwards. Returns 0 or -ENOMEM. */
int tree_init(struct tree *tree, struct pgtsim_machine *machine);
void tree_fini(struct tree *tree);

/* Shows the rows, depth first in address order; a table's row before those below it. */
void tree_rows(const struct tree *tree, void (*see)(void *ctx, const struct tree_row *row),
	       void *ctx);

/* The part of a row's first table that begins at an index; count 0 at the end. */
struct tree_part tree_part(const struct tree *tree, const struct tree_row *row, unsigned index);

/*
 * The first run of stale entries of this row's first table that ends behind `index`, cut to the
 * table: index and count, of kind NONE if there is none.
 */
struct tree_part tree_stale(const struct tree *tree, const struct tree_row *row, unsigned index);

/* A second pass under way over [va, last], between floor and ceiling; 0: there is none. */
struct tree_pass {
	bool under_way;
	uint64_t va, last, floor, ceiling;
};

/*
 * Whether the row's first table is empty, in the pass's range, and kept all the same: -1 it begins
 * below the floor, 1 it reaches above the ceiling; else 0.
 */
int tree_kept(const struct tree_row *row, const struct tree_pass *pass);

#endif
