/* SPDX-License-Identifier: MIT */
/* One script on both sides, compared after each step. */
#ifndef KC_RUN_H
#define KC_RUN_H

#include "script.h"

/* Where the library departs from the kernel on purpose: see departures[] in run.c. */
enum kc_departure {
	KC_AS_THE_KERNEL,
	KC_EXISTS,
	KC_INVALID_MAP,
	KC_NO_MEMORY,
	KC_INVALID_RANGE,
	KC_OUTSIDE_MEMMAP,
	KC_ROUNDS_OUTWARDS,
	KC_FLUSHES_TWO_PAGES,
	KC_THERE,
	KC_NOT_THERE,
	KC_HOLE,
	KC_DEPARTURES,
};

extern const char *const kc_departure_names[KC_DEPARTURES];

/* What the kernel does where the library says -EEXIST. */
enum kc_over_leaf {
	KC_OVER_BUG,     /* stops */
	KC_OVER_REWRITE, /* writes the leaf again */
	KC_OVER_KEEP,    /* keeps it and says nothing */
	KC_OVER_LEAVES,
};

/* What scripts were, over all that were run. */
struct kc_tally {
	uint64_t scripts, steps, events, entries, differences;
	uint64_t departures[KC_DEPARTURES], over_leaf[KC_OVER_LEAVES];
};

/* What differs first, as text; empty if nothing does. */
struct kc_difference {
	unsigned step;
	char text[400];
};

/*
 * The profile of the library that differs from what was read in this source in the fewest knobs;
 * the older one of two. All knobs that were read are set, so the name matters for the others alone.
 */
const char *kc_nearest_profile(const struct kc_kernel *kernel);

/* Returns whether the two agree. A tally may be NULL. */
bool kc_run(const struct kc_script *script, const struct kc_kernel *kernel, struct kc_tally *tally,
	    struct kc_difference *difference);

#endif
