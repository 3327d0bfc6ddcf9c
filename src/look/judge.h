/* SPDX-License-Identifier: MIT */
/*
 * judge: the tables of a trace as far as they are known, and what a judge needs to follow them.
 */
#ifndef PGTSIM_LOOK_JUDGE_H
#define PGTSIM_LOOK_JUDGE_H

#include <pgtsim/judge.h>

#include <stdbool.h>
#include <stdint.h>

#include "events/events.h"
#include "memory/host.h"

/* An entry of a table whose content before the trace is not known. */
#define JUDGE_UNKNOWN UINT64_MAX

/* A table known by its place alone gets an address of its own from here downwards. */
#define JUDGE_PA_UNKNOWN (UINT64_MAX << 16)

/* A level for a table that no entry points to yet. */
enum { JUDGE_UNPLACED = PGTSIM_PTE + 1 };

/* A table page of the trace. */
struct judge_table {
	struct judge_table *next_by_pa, *next_by_place;
	uint64_t pa;
	uint64_t va;    /* the first address it translates, if it is placed */
	int level;      /* JUDGE_UNPLACED: only its address is known */
	unsigned count; /* entries */
	bool stored;    /* some entry was written by PGTSIM_OP_STORE */
	bool led_to;    /* an entry points to it, or did */
	bool visited;   /* visit() in judge_below.c has entered it and not left it */
	unsigned live;  /* entries that are neither 0 nor unknown */
	bool unknown;   /* some entry is, or was, unknown */
	uint64_t entry[];
};

/* All of them: two hash tables of the same size over one set. */
struct judge_tables {
	struct judge_table **by_pa, **by_place;
	size_t buckets, count;
	struct host host; /* what the tables stand in */
	uint64_t bytes;   /* of those there are */
	uint64_t unknown; /* the next address for a table whose own is not known */
	const struct pgtsim_geometry *geo;
};

/* The limit of struct judge_tables.bytes: what a trace that makes no sense may take. */
#define JUDGE_BYTES_MAX (UINT64_C(1) << 30)

void pgtsim_judge_tables_init(struct judge_tables *tables, const struct pgtsim_geometry *geo);
void pgtsim_judge_tables_free(struct judge_tables *tables);

/* The table at a physical address, or of a level that translates va; NULL if it is not known. */
struct judge_table *pgtsim_judge_table_at(const struct judge_tables *tables, uint64_t pa);
struct judge_table *pgtsim_judge_table_of(const struct judge_tables *tables, int level,
					  uint64_t va);

/* Pages that were stored to, and that no entry has led to. */
uint64_t pgtsim_judge_tables_nowhere(const struct judge_tables *tables);

/* Some table page in [pa, last]; NULL if there is none. */
struct judge_table *pgtsim_judge_table_in(const struct judge_tables *tables, uint64_t pa,
					  uint64_t last);

/*
 * Adds a table that no entry points to, each entry `value`. Returns NULL if the host's memory or
 * JUDGE_BYTES_MAX does not suffice.
 */
struct judge_table *pgtsim_judge_table_add(struct judge_tables *tables, uint64_t pa,
					   uint64_t value);

/* The same for the table of a level that translates va, and places it: all its entries are unknown. */
struct judge_table *pgtsim_judge_table_assume(struct judge_tables *tables, int level, uint64_t va);

/* Says where a table stands, or that it stands nowhere any more. */
void pgtsim_judge_table_place(struct judge_tables *tables, struct judge_table *table, int level,
			      uint64_t va);
void pgtsim_judge_table_displace(struct judge_tables *tables, struct judge_table *table);

void pgtsim_judge_table_remove(struct judge_tables *tables, struct judge_table *table);

/* Sets `count` entries from `index` on: to 0, or to `desc` and what grows from it by `step`. */
void pgtsim_judge_table_set(struct judge_table *table, unsigned index, unsigned count,
			    uint64_t desc, uint64_t step);

/* Whether a table is known by its place alone. */
static inline bool pgtsim_judge_table_is_assumed(const struct judge_table *table)
{
	return table->pa >> 56;
}

/* ---- what is below an entry (judge_below.c) ---- */

/*
 * The table that an entry points to, by its address or else by the place; NULL if it points to none,
 * or to one that is not known.
 */
struct judge_table *pgtsim_judge_child(const struct pgtsim_judge *judge, int level, uint64_t va,
				       uint64_t desc);

/*
 * Tells the checker of all below the table that the event's old value pointed to, if it goes, or its
 * new one; `pa` of the event is pgtsim_judge_above(). Returns -EINVAL if there are too many, or -ENOBUFS.
 */
int pgtsim_judge_below(struct pgtsim_judge *judge, const struct pgtsim_event *event,
			enum pgtsim_below_change change);

/* The restrictions of the table entries above an entry, ORed, as far as they are known. */
uint64_t pgtsim_judge_above(const struct pgtsim_judge *judge, int level, uint64_t va);

struct pgtsim_judge {
	struct pgtsim_tlb *tlb;
	const struct pgtsim_geometry *geo;
	struct judge_tables tables;
	struct pgtsim_judge_unknown unknown; /* without `pages` that no entry leads to in the end */
	char error[200];
};

/* Sets the sentence of pgtsim_judge_error() for a host, or JUDGE_BYTES_MAX, at its end. Returns -ENOBUFS. */
int pgtsim_judge_fail_memory(struct pgtsim_judge *judge);

/* Sets the sentence of pgtsim_judge_error(). Returns -EINVAL. */
#ifdef __GNUC__
__attribute__((format(printf, 2, 3)))
#endif
int pgtsim_judge_fail(struct pgtsim_judge *judge, const char *format, ...);

#endif
