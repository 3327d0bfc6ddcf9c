/* SPDX-License-Identifier: MIT */
/* range_map: beside an array that is searched from end to end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "checker/range_map.h"

enum { NODES = 64, STEPS = 20000 };

/* What a search finds, in order. */
struct found {
	const struct pgtsim_range *node[NODES];
	unsigned count;
};

static bool note(struct pgtsim_range *node, void *ctx)
{
	struct found *found = ctx;

	found->node[found->count++] = node;
	return false;
}

/* A map and the same ranges in an array, in the order in which they were put in. */
struct both {
	struct pgtsim_range_map map;
	struct pgtsim_range node[NODES], *row[NODES];
	unsigned count;
	bool used[NODES];
	uint32_t random;
};

static unsigned roll(struct both *b, unsigned n)
{
	b->random = b->random * UINT32_C(1103515245) + 12345;
	return (b->random >> 16) % n;
}

static void put_in(struct both *b)
{
	unsigned i = roll(b, NODES);

	if (b->used[i])
		return;
	b->used[i] = true;
	b->node[i].start = roll(b, 16);
	b->node[i].last = b->node[i].start + roll(b, 8);
	pgtsim_ranges_insert(&b->map, &b->node[i]);
	b->row[b->count++] = &b->node[i];
}

static void take_out(struct both *b)
{
	unsigned at = b->count ? roll(b, b->count) : 0;

	if (!b->count)
		return;
	pgtsim_ranges_remove(&b->map, b->row[at]);
	b->used[b->row[at] - b->node] = false;
	for (b->count--; at < b->count; at++)
		b->row[at] = b->row[at + 1];
}

static void resize(struct both *b)
{
	struct pgtsim_range *node = b->count ? b->row[roll(b, b->count)] : NULL;

	if (node)
		pgtsim_ranges_resize(&b->map, node, node->start + roll(b, 8));
}

static void compare(struct both *b)
{
	uint64_t start = roll(b, 24), last = start + roll(b, 6);
	struct found found = { .count = 0 }, wanted = { .count = 0 };

	for (uint64_t at = 0; at < 16; at++)
		for (unsigned i = 0; i < b->count; i++)
			if (b->row[i]->start == at && at <= last && b->row[i]->last >= start)
				note(b->row[i], &wanted);
	assert_null(pgtsim_ranges_find(&b->map, start, last, note, &found));
	assert_int_equal(found.count, wanted.count);
	for (unsigned i = 0; i < found.count; i++)
		assert_ptr_equal(found.node[i], wanted.node[i]);
}

/*
 * Ranges come by start, and those with the same start as they were put in, wherever they lie in host
 * memory: else what the checker says would differ from one run to the next.
 */
static void as_an_array(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 4; seed++) {
		struct both b = { .random = seed };

		for (unsigned i = 0; i < STEPS; i++) {
			switch (roll(&b, 4)) {
			case 0:
				take_out(&b);
				break;
			case 1:
				resize(&b);
				break;
			default:
				put_in(&b);
			}
			compare(&b);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_an_array),
	};

	return cmocka_run_group_tests_name("range_map", tests, NULL, NULL);
}
