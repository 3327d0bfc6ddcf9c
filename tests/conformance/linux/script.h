/* SPDX-License-Identifier: MIT */
/*
 * Scripts: random operations on one kernel page table, the same for the kernel's functions and
 * for the library. A script follows from its seed and the kernel's geometry alone.
 */
#ifndef KC_SCRIPT_H
#define KC_SCRIPT_H

#include <stdio.h>

#include "world.h"

enum kc_step_kind {
	KC_MAP,         /* a va, b pa, c size */
	KC_UNMAP,       /* a start, b end */
	KC_TABLES,      /* a start, b end, c floor, d ceiling */
	KC_REMOVE,      /* a start, b size */
	KC_POPULATE,    /* a start, b end */
	KC_FREE_MEMMAP, /* a start, b end */
	KC_FAIL,        /* the a-th next allocation fails */
	KC_ALTMAP,      /* a base, b reserve, c free: pages */
	KC_ADD,         /* memory at a, b bytes; addresses are physical */
	KC_TAKE,        /* the same, removed */
	KC_PROTECT,     /* a va, b size, prot: enum kc_change */
	KC_SPLIT,       /* a start, b end */
	KC_VMAP,        /* a va, b pa, c size, KC_BLOCKS */
	KC_VUNMAP,      /* a start, b end */
	KC_STEP_KINDS,
};

enum { KC_ALTMAPS = 2, KC_MAX_STEPS = 40 };

struct kc_step {
	enum kc_step_kind kind;
	uint64_t a, b, c, d;
	unsigned prot, flags; /* of a map: enum pgtsim_prot, KC_BLOCKS … */
	bool noflush;         /* protect: the caller flushes */
	bool free;            /* unmap: the memory is freed */
	bool pages;           /* populate: base pages only */
	bool device;          /* add, take: a driver's memory */
	int altmap;           /* which one; -1: none */
};

/* What a script is made of. */
enum kc_family {
	KC_CALLS,   /* the calls of a correct caller */
	KC_HOTPLUG, /* memory added and removed as a whole */
	KC_LIVE,    /* a few mappings whose leaves are changed and split, and taken down */
	KC_WILD,    /* anything at all */
};

struct kc_script {
	uint64_t seed;
	uint64_t ram_start;
	enum kc_family family;
	bool blocks; /* what added memory may be mapped with: blocks and the contiguous hint */
	bool tlbi_range; /* the CPU has range operations … */
	bool bbm3;       /* … and BBM level 3 */
	unsigned va_actual;
	unsigned count;
	struct kc_step step[KC_MAX_STEPS];
};

/* Makes the script of this seed for the kernel that runs with va_actual bits. */
void kc_script_make(struct kc_script *script, const struct kc_kernel *kernel, unsigned va_actual,
		    uint64_t seed, enum kc_family family);

/* One line for each step, numbered. */
void kc_step_print(FILE *out, const struct kc_step *step);

#endif
