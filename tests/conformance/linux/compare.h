/* SPDX-License-Identifier: MIT */
/* The two sides of a script, and what must be the same on both. */
#ifndef KC_COMPARE_H
#define KC_COMPARE_H

#include "expand.h"
#include "run.h"

/* What the kernel did in a whole script, as the library's counters have it. */
struct kc_sums {
	uint64_t dsb, isb, tlbi_leaf, tlbi_walk, tlbi_range, tlbi_all, mapped, cleared;
	uint64_t pages_allocated, pages_freed, altmap_allocated, altmap_freed;
};

struct kc_sides {
	const struct kc_kernel *kernel;
	const struct kc_script *script;
	struct pgtsim_machine *machine;
	struct kc_expander expander;
	struct pgtsim_altmap altmap[KC_ALTMAPS];
	struct kc_altmap kernel_altmap[KC_ALTMAPS];
	struct kc_sums sums;
	size_t flush;      /* in both logs, the first of the invalidates that are looked at */
	size_t violations; /* of the library's, those that were looked at */
	struct kc_tally *tally;
	struct kc_difference *difference;
};

/* Notes what differs, in printf's way. Returns false. */
__attribute__((format(printf, 2, 3))) bool kc_differ(struct kc_sides *s, const char *format, ...);

/* Each of these returns whether the sides agree, and says in s->difference where they do not. */
bool kc_compare_logs(struct kc_sides *s);
bool kc_compare_state(struct kc_sides *s);
bool kc_compare_counters(struct kc_sides *s);
/*
 * `to_altmap`: pages are freed to one, which takes anything and the library alone minds;
 * `outside`: the kernel may warn of the range as well.
 */
bool kc_compare_warnings(struct kc_sides *s, bool to_altmap, bool outside);
bool kc_compare_layout(struct kc_sides *s);

#endif
