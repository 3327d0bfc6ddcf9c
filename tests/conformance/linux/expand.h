/* SPDX-License-Identifier: MIT */
/*
 * The library's events, which are runs, turned into the log of single things that world.h has:
 * in the order in which the hardware would see them.
 */
#ifndef KC_EXPAND_H
#define KC_EXPAND_H

#include <pgtsim/pgtsim.h>

#include "world.h"

struct kc_expander {
	struct pgtsim_observer observer; /* first: the callback casts */
	struct kc_log log;
	unsigned page_shift;
	uint64_t pa, pages; /* allocated, not mapped yet */
	enum kc_what from;  /* KC_ALLOC or KC_ALTMAP_ALLOC: where those came from */
	uint64_t flushed_pa, flushing; /* pages whose leaf is gone, before the end of its flush */
	size_t unfreed;     /* no page of an earlier leaf waits for its free event */
	bool to_altmap;     /* the next free event repeats one of an altmap */
};

/* Starts to listen. */
void kc_expand_start(struct kc_expander *expander, struct pgtsim_tlb *tlb, unsigned page_shift);

/* Begins an operation: an empty log. */
void kc_expand_begin(struct kc_expander *expander);

/* Ends it: pages that no event said to be freed were refused. */
void kc_expand_end(struct kc_expander *expander);

#endif
