/* SPDX-License-Identifier: MIT */
/*
 * sequence: the barriers and invalidates that the modelled kernel always issues together. Each is
 * written here once; what is counted, what observers see and what the checker judges is derived.
 */
#ifndef PGTSIM_SEQUENCE_H
#define PGTSIM_SEQUENCE_H

#include <pgtsim/tlb.h>

enum { PGTSIM_SEQUENCE_MAX = 4 };

struct pgtsim_sequence {
	unsigned length;
	enum pgtsim_op op[PGTSIM_SEQUENCE_MAX];
};

/* Before a table is linked, or an invalidate is issued: walks see every store before it. */
static const struct pgtsim_sequence PGTSIM_PUBLISH = { 1, { PGTSIM_OP_DSB_ISHST } };

/* smp_wmb(): core mm has it before it links a table; enough for walks, but makes nothing visible. */
static const struct pgtsim_sequence PGTSIM_ORDER = { 1, { PGTSIM_OP_DMB_ISHST } };

/* set_pte() and its like: walks see the store, and so do this CPU's next instructions. */
static const struct pgtsim_sequence PGTSIM_SYNC = { 2, { PGTSIM_OP_DSB_ISHST, PGTSIM_OP_ISB } };

/* After invalidates: waits until all CPUs have done them. */
static const struct pgtsim_sequence PGTSIM_COMPLETE = { 2, { PGTSIM_OP_DSB_ISH, PGTSIM_OP_ISB } };

/* flush_tlb_kernel_range() of one leaf: PGTSIM_EACH_FLUSH says so of each leaf of a run. */
static const struct pgtsim_sequence PGTSIM_FLUSH_LEAF = {
	4, { PGTSIM_OP_DSB_ISHST, PGTSIM_OP_TLBI_LEAF, PGTSIM_OP_DSB_ISH, PGTSIM_OP_ISB }
};

/* __flush_tlb_kernel_pgtable(): after a table's entry is cleared. */
static const struct pgtsim_sequence PGTSIM_FLUSH_TABLE = {
	4, { PGTSIM_OP_DSB_ISHST, PGTSIM_OP_TLBI_WALK, PGTSIM_OP_DSB_ISH, PGTSIM_OP_ISB }
};

#endif
