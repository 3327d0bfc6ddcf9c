/* SPDX-License-Identifier: MIT */
#include "lock.h"

#include <sched.h>

void pgtsim_lock_shared(uintptr_t *lock)
{
	enum { SPINS = 100 }; /* before the CPU is left to the thread that holds the lock */
	AO_TS_t *flag = (void *)lock;

	for (unsigned spins = 0; AO_test_and_set_acquire(flag) == AO_TS_SET; spins++)
		if (spins >= SPINS)
			sched_yield();
}
