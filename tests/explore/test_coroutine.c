/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "explore/coroutine.h"

struct task {
	struct pgtsim_coroutine *coroutine;
	unsigned steps, done;
	double fraction;
};

static void work(void *arg)
{
	struct task *task = arg;
	char text[256]; /* must survive every switch */

	for (unsigned i = 0; i < task->steps; i++) {
		snprintf(text, sizeof(text), "%u", i);
		task->fraction += 0.5;
		task->done++;
		pgtsim_coroutine_yield(task->coroutine);
		if (atoi(text) != (int)i)
			task->done = UINT32_MAX;
	}
}

/* Two coroutines take turns; each continues where it stopped, and ends by itself. */
static void they_take_turns(void **state)
{
	struct task a = { .steps = 3 }, b = { .steps = 5 };
	bool more_a = true, more_b = true;
	unsigned rounds = 0;

	(void)state;
	a.coroutine = pgtsim_coroutine_new();
	b.coroutine = pgtsim_coroutine_new();
	assert_non_null(a.coroutine);
	assert_non_null(b.coroutine);
	pgtsim_coroutine_start(a.coroutine, work, &a);
	pgtsim_coroutine_start(b.coroutine, work, &b);
	for (; more_a || more_b; rounds++) {
		if (more_a)
			more_a = pgtsim_coroutine_resume(a.coroutine);
		if (more_b)
			more_b = pgtsim_coroutine_resume(b.coroutine);
		assert_int_equal(a.done, rounds < 3 ? rounds + 1 : 3);
		assert_int_equal(b.done, rounds < 5 ? rounds + 1 : 5);
	}
	assert_int_equal(rounds, 6);
	assert_true(a.fraction == 1.5 && b.fraction == 2.5);
	pgtsim_coroutine_free(&a.coroutine);
	pgtsim_coroutine_free(&b.coroutine);
	assert_null(a.coroutine);
	pgtsim_coroutine_free(&a.coroutine);
}

/* A coroutine whose function has ended can run another one, many times, on the same stack. */
static void it_is_used_again(void **state)
{
	struct pgtsim_coroutine *coroutine = pgtsim_coroutine_new();

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		struct task task = { .coroutine = coroutine, .steps = i % 3 };

		pgtsim_coroutine_start(coroutine, work, &task);
		while (pgtsim_coroutine_resume(coroutine))
			assert_true(task.done <= task.steps);
		assert_int_equal(task.done, i % 3);
	}
	pgtsim_coroutine_free(&coroutine);
}

static void outer(void *arg)
{
	struct task *inner = arg;

	pgtsim_coroutine_start(inner->coroutine, work, inner);
	while (pgtsim_coroutine_resume(inner->coroutine))
		;
}

/* A coroutine may resume another one. */
static void they_nest(void **state)
{
	struct pgtsim_coroutine *coroutine = pgtsim_coroutine_new();
	struct task inner = { .coroutine = pgtsim_coroutine_new(), .steps = 4 };

	(void)state;
	pgtsim_coroutine_start(coroutine, outer, &inner);
	assert_false(pgtsim_coroutine_resume(coroutine));
	assert_int_equal(inner.done, 4);
	pgtsim_coroutine_free(&coroutine);
	pgtsim_coroutine_free(&inner.coroutine);
}

/* A coroutine can be freed in the middle of its function, and if it was never started. */
static void it_is_freed_at_any_time(void **state)
{
	struct task task = { .coroutine = pgtsim_coroutine_new(), .steps = 2 };
	struct pgtsim_coroutine *fresh = pgtsim_coroutine_new();

	(void)state;
	pgtsim_coroutine_start(task.coroutine, work, &task);
	assert_true(pgtsim_coroutine_resume(task.coroutine));
	pgtsim_coroutine_free(&task.coroutine);
	pgtsim_coroutine_free(&fresh);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_take_turns),
		cmocka_unit_test(it_is_used_again),
		cmocka_unit_test(they_nest),
		cmocka_unit_test(it_is_freed_at_any_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
