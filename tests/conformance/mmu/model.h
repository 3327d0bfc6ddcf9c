/* SPDX-License-Identifier: MIT */
/* A random page table of the library's, and the VAs to ask about. */
#ifndef MODEL_H
#define MODEL_H

#include <pgtsim/pgtable.h>

#include "random.h"
#include "regime.h"

enum { MODEL_SPOTS = 128 };

/* What was mapped in one call, or one address of an entry that was changed. */
struct spot {
	uint64_t va, last;
	uint64_t pa; /* of maps */
};

struct model {
	const struct regime *regime;
	struct pgtsim_policy policy;
	struct pgtsim_tlb tlb;
	struct pgtsim_memory *memory;
	struct pgtsim_pgtable pgt;
	struct random random;
	struct spot spots[MODEL_SPOTS];
	size_t spot_count, map_count; /* maps come first */
};

/* Which parts of the guest's RAM hold tables already; all models of one run share it. */
struct model_slots {
	uint64_t used[512]; /* one bit for 2 MiB, from GUEST_TABLES on */
};

/*
 * Builds one: maps, then entries made invalid, wrong or restricted. Its tables are somewhere in
 * the guest's RAM. Models of a regime are numbered; in number 0 no entry is changed. Returns
 * false if memory is used up.
 */
bool model_new(struct model *model, const struct regime *regime, struct model_slots *slots,
	       unsigned number, uint64_t seed);
void model_free(struct model *model);

/* Whether the library was told, in the end, to map this VA, and where. Of model 0 only. */
bool model_target(const struct model *model, uint64_t va, uint64_t *pa);

/* The VA number n to ask about: changed entries, the ends of maps, then random ones without end. */
uint64_t model_va(struct model *model, size_t n);

#endif
