/* SPDX-License-Identifier: MIT */
/* ops: which fields of an event mean something, for each operation. */
#ifndef PGTSIM_OPS_H
#define PGTSIM_OPS_H

#include <pgtsim/tlb.h>

/* Fields of struct pgtsim_event that an operation uses, besides count, flags and cpu. */
enum {
	PGTSIM_HAS_LEVEL = 1,
	PGTSIM_HAS_VA = 2,
	PGTSIM_HAS_COUNT = 4, /* a count that is often not 1 */
	PGTSIM_HAS_SIZE = 8,
	PGTSIM_HAS_OLD = 16,
	PGTSIM_HAS_NEW = 32,
	PGTSIM_HAS_STEP = 64,
	PGTSIM_HAS_PA = 128,
	PGTSIM_HAS_SCOPE = 256,
	PGTSIM_HAS_TTL = 512,
};

/* The PGTSIM_HAS_… bits of an operation; 0 for a barrier, and for what is no operation. */
unsigned pgtsim_op_fields(enum pgtsim_op op);

/* The name in a trace of flag bit i, of PGTSIM_EACH_…; NULL if there is none. */
const char *pgtsim_flag_name(unsigned i);

bool pgtsim_op_is_barrier(enum pgtsim_op op);
bool pgtsim_op_is_invalidate(enum pgtsim_op op);

/*
 * The field that an event of the caller's making lacks, or that its operation cannot have; NULL if
 * the event is complete. VA 0 is no address unless `zero_va`: the tables of s390 begin there.
 */
const char *pgtsim_event_lacks(const struct pgtsim_event *event, bool zero_va);

#endif
