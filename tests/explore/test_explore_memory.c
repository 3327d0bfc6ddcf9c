/* SPDX-License-Identifier: MIT */
/*
 * Each host allocation of an exploration fails once. The files are included, so that their
 * allocations, and no others, can fail on demand.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgtsim/pgtsim.h>

/* Host allocations that are still to succeed; below 0 all do. */
static long until_failure = -1;

static int allocation_fails(void)
{
	if (until_failure < 0)
		return 0;
	return until_failure-- == 0;
}

static void *failing_malloc(size_t size)
{
	return allocation_fails() ? NULL : malloc(size);
}

static void *failing_calloc(size_t count, size_t size)
{
	return allocation_fails() ? NULL : calloc(count, size);
}

static void *failing_realloc(void *old, size_t size)
{
	return allocation_fails() ? NULL : realloc(old, size);
}

static void *failing_aligned_alloc(size_t align, size_t size)
{
	return allocation_fails() ? NULL : aligned_alloc(align, size);
}

#define malloc failing_malloc
#define aligned_alloc failing_aligned_alloc
#define calloc failing_calloc
#define realloc failing_realloc
/* Several of the files have static functions of the same name: give each its own. */
#define make_room watch_make_room
#include "explore/shadow.c"
#undef make_room
#define make_room schedule_make_room
#include "explore/schedule.c"
#undef make_room
#define start coroutine_start
#define run coroutine_run
#include "explore/coroutine.c"
#undef start
#undef run
#define make_room reach_make_room
#include "explore/reach.c"
#undef make_room
#include "explore/order.c"
#include "explore/listen.c"
#include "explore/steps.c"
#define step variable_step
#include "explore/variables.c"
#undef step
#include "explore/story.c"
#include "explore/actors.c"
#include "explore/run.c"
#include "explore/random.c"
#include "explore/search.c"
#include "explore/shard.c"
#include "explore/simplify.c"
#include "explore/explore.c"
#undef malloc
#undef aligned_alloc
#undef calloc
#undef realloc

#include "hotplug.h"

static struct pgtsim_machine_config machine_config;

/* More tables than the lists have room for at first, so that they must grow. */
static int setup(void *ctx, struct pgtsim_machine **machine)
{
	struct pgtsim_map map = { .va = 0xffff000000000000, .pa = 0x80000000, .size = 140 * MIB };
	long keep = until_failure;
	int ret;

	(void)ctx;
	until_failure = -1;
	ret = pgtsim_machine_new(machine, &machine_config);
	if (!ret)
		ret = pgtsim_map(&(*machine)->pgt, &map);
	until_failure = keep;
	return ret;
}

static struct pgtsim_actor_range removed = { .start = 0xffff000000000000, .size = 2 * MIB };
static struct pgtsim_actor_range mapped = { .start = 0xffff800000000000, .size = 4096 };
static struct pgtsim_actor_range read_range = { .start = 0xffff000000000000, .size = 4096 };
static struct pgtsim_actor_range page = { .start = 0x80000000 };

static const struct pgtsim_actor_spec actors[] = {
	{ "remover", pgtsim_actor_unmap, NULL, &removed },
	{ "reader", pgtsim_actor_ptdump_unlocked, NULL, &read_range },
	{ "mapper", pgtsim_actor_vmalloc, pgtsim_actor_vmalloc_check, &mapped },
	{ "looker", pgtsim_actor_online_page, NULL, &page },
};

/* If any host allocation fails, exploring returns -ENOBUFS; a sanitizer sees that nothing leaks. */
static void every_allocation_fails(void **state)
{
	static const char *const schedules[] = { NULL, "reader*3,remover,mapper,looker" };

	(void)state;
	machine_config = config_of("linux-6.12", 4, 48);
	machine_config.checker = false;
	for (size_t i = 0; i < COUNT(schedules); i++) {
		const struct pgtsim_explore_config config = {
			.setup = setup,
			.actors = actors,
			.actor_count = COUNT(actors),
			.schedule = schedules[i],
		};
		struct pgtsim_exploration out;
		long nth = 0;
		int ret;

		do {
			until_failure = nth++;
			ret = pgtsim_explore(&config, &out);
			if (ret) {
				assert_int_equal(ret, -ENOBUFS);
				assert_null(out.schedule);
				assert_null(out.rows);
			}
		} while (ret);
		until_failure = -1;
		print_message("%ld allocations\n", nth - 1);
		assert_true(nth > 30);
		assert_int_equal(out.violation.name, PGTSIM_V_TABLE_USE_AFTER_FREE);
		pgtsim_exploration_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_allocation_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
