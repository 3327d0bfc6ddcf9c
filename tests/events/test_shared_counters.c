/* SPDX-License-Identifier: MIT */
/*
 * Counters and violations of one struct pgtsim_tlb when several threads make events at once. The
 * threads start together and run long enough to meet, if the host has two CPUs to spare.
 */
#define _XOPEN_SOURCE 600

#include <pthread.h>

#include "fixture.h"

enum { THREADS = 4, ROUNDS = 300000, VIOLATIONS = 40 };

static pthread_barrier_t start;

static void *make_events(void *arg)
{
	struct pgtsim_tlb *tlb = arg;

	pthread_barrier_wait(&start);
	for (unsigned i = 0; i < ROUNDS; i++) {
		pgtsim_tlb_sync(tlb);
		if (i < VIOLATIONS)
			pgtsim_tlb_violation(tlb, PGTSIM_V_DEADLOCK, i, PGTSIM_PTE, "nothing");
	}
	return NULL;
}

/* No event is lost: each thread's barriers are counted, and each of its violations is kept. */
static void no_event_is_lost(void **state)
{
	pthread_t thread[THREADS];
	struct pgtsim_tlb tlb;

	(void)state;
	pgtsim_tlb_init(&tlb);
	tlb.shared = true;
	assert_int_equal(pthread_barrier_init(&start, NULL, THREADS), 0);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, make_events, &tlb), 0);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
	assert_int_equal(tlb.counts.dsb, THREADS * ROUNDS);
	assert_int_equal(tlb.counts.isb, THREADS * ROUNDS);
	assert_int_equal(tlb.counts.violations, THREADS * VIOLATIONS);
	assert_int_equal(tlb.violation_count, THREADS * VIOLATIONS);
	pthread_barrier_destroy(&start);
	pgtsim_tlb_fini(&tlb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_event_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
