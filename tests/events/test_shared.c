/* SPDX-License-Identifier: MIT */
/*
 * The lock of a shared machine's counters, events and violations. One thread is inside an observer,
 * which is called with the lock held; a second one tries to get in, and must not be able to.
 */
#define _POSIX_C_SOURCE 200809L /* nanosleep() */

#include "fixture.h"

#include <pthread.h>
#include <time.h>

#include <atomic_ops.h>

#include "events/events.h"

/* What the second thread does. */
enum intruder { COUNTS, EMITS, REPORTS };

struct meeting {
	struct pgtsim_observer observer;
	struct pgtsim_tlb tlb;
	enum intruder intruder;
	pthread_t second;
	AO_t arrived; /* the second thread is about to do it */
	unsigned inside, events;
	bool got_in;
};

static void *intrude(void *arg)
{
	const struct pgtsim_event event = { .op = PGTSIM_OP_ISB, .count = 1 };
	struct meeting *m = arg;

	AO_store_release(&m->arrived, 1);
	if (m->intruder == COUNTS)
		pgtsim_count(&m->tlb, &m->tlb.counts.work_entries, 1);
	else if (m->intruder == EMITS)
		pgtsim_tlb_event(&m->tlb, &event);
	else
		pgtsim_tlb_violation(&m->tlb, PGTSIM_V_DEADLOCK, 0, PGTSIM_PTE, "of the second");
	return NULL;
}

/* Long enough for the other thread to run, were it not kept out. */
static void wait_a_little(void)
{
	const struct timespec time = { .tv_nsec = 20000000 };

	nanosleep(&time, NULL);
}

static void see(struct pgtsim_observer *self, const struct pgtsim_event *event)
{
	struct meeting *m = (struct meeting *)(void *)self;

	(void)event;
	if (m->inside++)
		m->got_in = true;
	if (m->events++ == 0) {
		const struct pgtsim_counts before = m->tlb.counts;

		if (pthread_create(&m->second, NULL, intrude, m))
			abort();
		while (!AO_load_acquire(&m->arrived))
			wait_a_little();
		wait_a_little();
		m->got_in |= memcmp(&before, &m->tlb.counts, sizeof(before)) != 0;
	}
	m->inside--;
}

/* While one thread is inside, nothing that another one counts, emits or reports goes through. */
static void one_thread_at_a_time(void **state)
{
	const struct pgtsim_event event = { .op = PGTSIM_OP_DSB_ISH, .count = 1 };

	(void)state;
	for (int intruder = COUNTS; intruder <= REPORTS; intruder++) {
		struct meeting m = { .observer = { .event = see } };

		m.intruder = (enum intruder)intruder;
		pgtsim_tlb_init(&m.tlb);
		m.tlb.shared = true;
		pgtsim_observe(&m.tlb, &m.observer);
		pgtsim_tlb_event(&m.tlb, &event);
		pthread_join(m.second, NULL);
		assert_false(m.got_in);
		assert_int_equal(m.tlb.counts.work_entries, intruder == COUNTS);
		assert_int_equal(m.tlb.counts.isb, intruder == EMITS);
		assert_int_equal(m.tlb.counts.violations, intruder == REPORTS);
		assert_int_equal(m.events, 1 + (intruder == EMITS));
		pgtsim_tlb_fini(&m.tlb);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(one_thread_at_a_time),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
