/* SPDX-License-Identifier: MIT */
/*
 * lock: the spin lock that the threads of a shared machine take turns by. The lock of a private
 * machine is never taken: it costs one branch that always goes the same way.
 */
#ifndef PGTSIM_LOCK_H
#define PGTSIM_LOCK_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include <atomic_ops.h>

static_assert(sizeof(AO_TS_t) <= sizeof(uintptr_t), "a lock fits into the word it is kept in");

/* Takes a spin lock; the word is zero while nobody holds it. Not recursive. */
void pgtsim_lock_shared(uintptr_t *lock);

/* Takes the lock if the machine is shared. */
static inline void pgtsim_lock(bool shared, uintptr_t *lock)
{
	if (shared)
		pgtsim_lock_shared(lock);
}

/* Releases what pgtsim_lock() took. */
static inline void pgtsim_unlock(bool shared, uintptr_t *lock)
{
	if (shared)
		AO_CLEAR((AO_TS_t *)(void *)lock);
}

#endif
