/* SPDX-License-Identifier: MIT */
/* The translation regimes under test, and the registers that select them. */
#ifndef REGIME_H
#define REGIME_H

#include <pgtsim/geometry.h>

enum { MAX_REGIMES = 64 };

/* What MAIR_EL1 holds: eight values that PAR_EL1 reports as they are. The payload needs index 0. */
#define REGIME_MAIR UINT64_C(0x774f0c04bb44f0ff)

struct regime {
	char name[32];
	struct pgtsim_geometry geo;
};

/* All of them; returns how many. */
size_t regime_all(struct regime out[MAX_REGIMES]);

/* TCR_EL1: the regime for TTBR1, `sh1` where LPA2 has no SH; for TTBR0 4K and 39 bits. */
uint64_t regime_tcr(const struct pgtsim_geometry *geo, unsigned sh1);

/* TTBR1_EL1 for a root table at this PA: where the part of the root begins that is in use. */
uint64_t regime_ttbr1(const struct pgtsim_geometry *geo, uint64_t root);

/* Whether a CPU with this much PA allows a block here: Arm ARM D8.3.1. Not the library's word. */
bool regime_block_is_legal(const struct pgtsim_geometry *geo, int level);

#endif
