/* SPDX-License-Identifier: MIT */
/*
 * shared: what threads of a shared machine take turns by. Private machines see one branch, which
 * always goes the same way.
 */
#ifndef PGTSIM_SHARED_H
#define PGTSIM_SHARED_H

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include <atomic_ops.h>

#include <pgtsim/tlb.h>

static_assert(sizeof(AO_TS_t) <= sizeof(uintptr_t), "a lock fits into the word it is kept in");

/* Takes a spin lock, zero when it is free. Not recursive. */
void pgtsim_lock_shared(uintptr_t *lock);

/* The same if there is anybody to share with. */
static inline void pgtsim_lock(bool shared, uintptr_t *lock)
{
	if (shared)
		pgtsim_lock_shared(lock);
}

static inline void pgtsim_unlock(bool shared, uintptr_t *lock)
{
	if (shared)
		AO_CLEAR((AO_TS_t *)(void *)lock);
}

/* pgtsim_count() where it is quiet, or threads take turns. */
void pgtsim_count_carefully(struct pgtsim_tlb *tlb, uint64_t *counter, uint64_t n);

/* Adds n to one of the tlb's counters; not from within an event. */
static inline void pgtsim_count(struct pgtsim_tlb *tlb, uint64_t *counter, uint64_t n)
{
	uint16_t careful;

	static_assert(offsetof(struct pgtsim_tlb, shared) == offsetof(struct pgtsim_tlb, quiet) + 1,
		      "quiet and shared are asked as one");
	memcpy(&careful, (const char *)tlb + offsetof(struct pgtsim_tlb, quiet), sizeof(careful));
	if (careful)
		pgtsim_count_carefully(tlb, counter, n);
	else
		*counter += n;
}

#endif
