/* SPDX-License-Identifier: MIT */
/*
 * tree: the tables of a machine as rows. Neighbouring tables that look the same are one row, so
 * that thousands stay readable. Tables on the way to a focus address have rows of their own.
 */
#ifndef PGTSIM_CLI_VIEW_TREE_H
#define PGTSIM_CLI_VIEW_TREE_H

#include <pgtsim/pgtsim.h>

enum { TREE_FOCUS_MAX = 4 };

/* A view of a machine, valid until the machine changes. */
struct tree {
	struct pgtsim_machine *machine; /* the caller's */
	uint64_t focus[TREE_FOCUS_MAX]; /* the tables above these addresses are never folded */
	size_t focus_count;
	unsigned rows_max;              /* at most so many rows are shown */
	struct pgtsim_stale_run *stale; /* by level, then by address; neighbours are merged */
	size_t stale_count;
	bool exact;  /* few enough tables to compare all entries; else only counts */
	uint64_t oa; /* address bits of descriptors */
};

/* `tables` consecutive tables that look the same. */
struct tree_row {
	const struct pgtsim_table
		*table; /* the first one; NULL: rows_max was reached, and these tables are left out */
	unsigned depth; /* 0 the root */
	int level;
	uint64_t va;   /* the first address that it translates */
	uint64_t span; /* bytes that one of them translates; 0: 2^64 */
	uint64_t tables;
	unsigned entries; /* in each table */
	uint64_t stale;   /* entries of each table whose old values may still be cached */
};

/* Consecutive entries of a table that are alike. */
struct tree_part {
	unsigned index, count;
	enum pgtsim_kind kind;
	uint64_t desc; /* of the first */
};

/* Prepares a view; the caller may then add to focus[]. Returns 0 or -ENOMEM. */
int tree_init(struct tree *tree, struct pgtsim_machine *machine);

/*
 * While a contiguous group is written, a TLB may hold all of it as soon as one member is there. The
 * later members are not written yet, so they are not gone: this removes them from the stale entries
 * if the event wrote a member. Returns how many entries it removed.
 */
uint64_t tree_take_ahead(struct tree *tree, const struct pgtsim_event *event);

/* Frees what the view holds. */
void tree_fini(struct tree *tree);

/* Calls see() for each row in address order; a table comes before the tables below it. */
void tree_rows(const struct tree *tree, void (*see)(void *ctx, const struct tree_row *row),
	       void *ctx);

/* Returns the entries from `index` on that are of the same kind; count 0 at the table's end. */
struct tree_part tree_part(const struct tree *tree, const struct tree_row *row, unsigned index);

/*
 * Returns the first run of stale entries in the row's first table that ends after `index`, cut to
 * the table. If there is none, its kind is NONE.
 */
struct tree_part tree_stale(const struct tree *tree, const struct tree_row *row, unsigned index);

/* A pass 2 that is running over [va, last]. A floor or ceiling of 0 is none. */
struct tree_pass {
	bool under_way;
	uint64_t va, last, floor, ceiling;
};

/*
 * Tells why the pass keeps the row's first table although it is empty: -1 it begins below the
 * floor, 1 it ends above the ceiling. Returns 0 if the pass does not keep it, or not for such a
 * reason.
 */
int tree_kept(const struct tree_row *row, const struct tree_pass *pass);

#endif
