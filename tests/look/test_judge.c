/* SPDX-License-Identifier: MIT */
/* The judge of traces by its C functions; tests/judge.sh has the command and the format. */
#define _DEFAULT_SOURCE 1 /* MAP_ANONYMOUS */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Host allocations that are still to succeed; below 0 all do. */
static int allocations_left = -1;

static bool allocation_fails(void)
{
	if (allocations_left > 0)
		allocations_left--;
	return allocations_left == 0;
}

static void *failing_realloc(void *old, size_t size)
{
	return allocation_fails() ? NULL : realloc(old, size);
}

static void *failing_aligned_alloc(size_t align, size_t size)
{
	return allocation_fails() ? NULL : aligned_alloc(align, size);
}

static void *failing_calloc(size_t count, size_t size)
{
	return allocation_fails() ? NULL : calloc(count, size);
}

/* The judge's tables themselves: their allocations must fail on demand. */
#define realloc failing_realloc
#define aligned_alloc failing_aligned_alloc
#define calloc failing_calloc
#include "look/judge_tables.c"
#include "memory/host.c"
#undef realloc
#undef aligned_alloc
#undef calloc

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pgtsim/checker.h>
#include <pgtsim/judge.h>
#include <pgtsim/policy.h>

#define VA UINT64_C(0xffff000000000000)
#define PAGE UINT64_C(0x0060000040000703)

struct court {
	struct pgtsim_geometry geo;
	struct pgtsim_policy policy;
	struct pgtsim_tlb tlb;
	struct pgtsim_judge *judge;
};

static void open_court(struct court *c)
{
	assert_int_equal(0, pgtsim_geometry_linux(&c->geo, 4096, 48, 0, 0));
	assert_int_equal(0, pgtsim_policy_init(&c->policy, "latest"));
	pgtsim_tlb_init(&c->tlb);
	assert_int_equal(0, pgtsim_checker_start(&c->tlb, &c->geo, &c->policy));
	assert_int_equal(0, pgtsim_judge_new(&c->judge, &c->tlb, &c->geo));
}

static void close_court(struct court *c)
{
	pgtsim_judge_free(&c->judge);
	assert_null(c->judge);
	pgtsim_tlb_fini(&c->tlb);
}

static int store(struct court *c, uint64_t pa, uint64_t value)
{
	const struct pgtsim_event event = {
		.op = PGTSIM_OP_STORE,
		.level = PGTSIM_PTE,
		.count = 1,
		.pa = pa,
		.new_desc = value,
	};

	return pgtsim_judge_event(c->judge, &event);
}

static void has_violation(const struct court *c, enum pgtsim_violation_name name, uint64_t va,
			  int level)
{
	size_t count;
	const struct pgtsim_violation *found = pgtsim_violations(&c->tlb, &count);

	for (size_t i = 0; i < count; i++)
		if (found[i].name == name && found[i].va == va && found[i].level == level)
			return;
	fail_msg("%s at 0x%llx is not among %zu", pgtsim_violation_kind(name)->name,
		 (unsigned long long)va, count);
}

/* Without a checker there is nothing to judge by; freeing nothing is fine. */
static void needs_a_checker(void **state)
{
	struct pgtsim_judge *judge = NULL;
	struct court c;

	(void)state;
	pgtsim_judge_free(&judge);
	open_court(&c);
	pgtsim_checker_stop(&c.tlb);
	assert_int_equal(-EINVAL, pgtsim_judge_new(&judge, &c.tlb, &c.geo));
	assert_null(judge);
	close_court(&c);
}

/* Four levels filled from below by plain stores, then linked to the root: one leaf at VA. */
static void link_by_stores(struct court *c)
{
	assert_int_equal(0, pgtsim_judge_root(c->judge, 0x1000));
	assert_int_equal(0, store(c, 0x4000, PAGE));
	assert_int_equal(0, store(c, 0x3000, 0x4003));
	assert_int_equal(0, store(c, 0x2000, 0x3003));
	assert_int_equal(0, store(c, 0x1000, 0x2003));
}

/* A store to a table whose place has become known is the change of an entry. */
static void stores_become_entries(void **state)
{
	struct court c;

	(void)state;
	open_court(&c);
	link_by_stores(&c);
	assert_int_equal(0, store(&c, 0x4000, 0));
	pgtsim_judge_end(c.judge, 0, UINT64_MAX);
	has_violation(&c, PGTSIM_V_STALE_LEAF, VA, PGTSIM_PTE);
	close_court(&c);
}

/* What hangs below an entry goes out of reach with it, down to the leaf. */
static void subtrees_go(void **state)
{
	struct court c;

	(void)state;
	open_court(&c);
	link_by_stores(&c);
	assert_int_equal(0, store(&c, 0x1000, 0));
	pgtsim_judge_end(c.judge, 0, UINT64_MAX);
	has_violation(&c, PGTSIM_V_STALE_TABLE, VA, PGTSIM_PGD + 1);
	has_violation(&c, PGTSIM_V_STALE_LEAF, VA, PGTSIM_PTE);
	close_court(&c);
}

/* Tables that lead to each other in a circle come to an end. */
static void circles_end(void **state)
{
	struct court c;

	(void)state;
	open_court(&c);
	assert_int_equal(0, pgtsim_judge_root(c.judge, 0x1000));
	for (uint64_t pa = 0x1000; pa < 0x5000; pa += 0x1000)
		for (uint64_t i = 0; i < 4; i++)
			assert_int_equal(0, store(&c, pa + 8 * i, (0x1000 + 0x1000 * i) | 3));
	for (uint64_t pa = 0x1000; pa < 0x5000; pa += 0x1000)
		assert_int_equal(0, store(&c, pa, 0));
	close_court(&c);
}

/* A table page that is freed while an entry still leads to it. */
static void freed_while_linked(void **state)
{
	struct court c;

	(void)state;
	open_court(&c);
	link_by_stores(&c);
	assert_int_equal(0, pgtsim_judge_event(c.judge, &(struct pgtsim_event){
								.op = PGTSIM_OP_TABLE_FREE,
								.level = PGTSIM_PTE,
								.va = VA,
								.count = 1,
								.pa = 0x4000,
							}));
	has_violation(&c, PGTSIM_V_FREED_WHILE_MAPPED, VA, PGTSIM_PMD);
	close_court(&c);
}

/* Events that cannot be are refused with a sentence, and change nothing. */
static void impossible_events(void **state)
{
	static const struct pgtsim_event events[] = {
		{ .op = PGTSIM_OP_COUNT },
		{ .op = PGTSIM_OP_ISB, .cpu = 1 << 20 },
		{ .op = PGTSIM_OP_MAP, .level = PGTSIM_PTE + 1, .va = VA, .count = 1 },
		{ .op = PGTSIM_OP_MAP, .level = -7, .va = VA, .count = 1 },
		{ .op = PGTSIM_OP_MAP, .level = PGTSIM_PTE, .va = VA, .count = 0 },
		{ .op = PGTSIM_OP_MAP, .level = PGTSIM_PTE, .va = VA, .count = UINT64_MAX },
		{ .op = PGTSIM_OP_MAP, .level = PGTSIM_PTE, .va = 0, .count = 1 },
		{ .op = PGTSIM_OP_STORE, .pa = UINT64_MAX },
		{ .op = PGTSIM_OP_TABLE_FREE, .level = 9, .va = VA, .count = 1, .pa = 0x1000 },
		{ .op = PGTSIM_OP_TABLE_FREE, .level = 3, .va = VA, .count = 2, .pa = 0x1000 },
		{ .op = PGTSIM_OP_TABLE_ALLOC, .level = 3, .va = 0, .count = 1, .pa = 0x1000 },
		{ .op = PGTSIM_OP_PAGES_FREE, .count = UINT64_MAX, .pa = 0x1000 },
		{ .op = PGTSIM_OP_PAGES_FREE, .count = 1, .pa = 0x1001 },
		{ .op = PGTSIM_OP_TLBI_LEAF, .va = VA, .count = UINT64_MAX },
		{ .op = PGTSIM_OP_TLBI_LEAF, .va = VA, .count = 1 << 22, .size = 1 << 30 },
		{ .op = PGTSIM_OP_TLBI_RANGE, .va = VA, .count = 1, .size = UINT64_MAX },
		{ .op = PGTSIM_OP_BEGIN_MAP, .va = UINT64_MAX, .count = 1, .size = 2 },
	};
	struct court c;

	(void)state;
	open_court(&c);
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		assert_int_equal(-EINVAL, pgtsim_judge_event(c.judge, &events[i]));
		assert_true(strlen(pgtsim_judge_error(c.judge)) > 10);
	}
	assert_int_equal(-EINVAL, pgtsim_judge_root(c.judge, 1));
	assert_int_equal(0, c.tlb.counts.violations);
	assert_int_equal(0, c.judge->tables.count);
	close_court(&c);
}

/* Every host allocation fails once: the event is refused, and all is well with the next one. */
static void out_of_host_memory(void **state)
{
	struct court c;
	int failed = 0;

	(void)state;
	open_court(&c);
	for (uint64_t pa = 0; pa < 0x100000; pa += 0x1000) {
		allocations_left = 1 + (int)(pa >> 12) % 4;
		if (store(&c, pa, PAGE)) {
			assert_string_equal("the host is out of memory",
					    pgtsim_judge_error(c.judge));
			failed++;
		}
		allocations_left = -1;
		assert_int_equal(0, store(&c, pa, PAGE));
	}
	assert_true(failed > 10);
	assert_int_equal(0x100, c.judge->tables.count);
	close_court(&c);
}

/* A table that stands in the memory of one that is gone holds nothing of it. */
static void tables_begin_empty(void **state)
{
	static const uint64_t left[] = { PAGE, JUDGE_UNKNOWN };
	const struct pgtsim_event alloc = {
		.op = PGTSIM_OP_TABLE_ALLOC,
		.level = PGTSIM_PTE,
		.va = UINT64_C(0xffff000000000000),
		.count = 1,
		.pa = 0x2000,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
		struct judge_table *first, *second;
		struct court c;

		open_court(&c);
		assert_int_equal(0, store(&c, 0x1008, left[i]));
		first = pgtsim_judge_table_at(&c.judge->tables, 0x1000);
		pgtsim_judge_table_remove(&c.judge->tables, first);
		assert_int_equal(0, pgtsim_judge_event(c.judge, &alloc));
		second = pgtsim_judge_table_at(&c.judge->tables, 0x2000);
		assert_ptr_equal(first, second);
		assert_int_equal(0, second->entry[1]);
		/* Of a page that no event began, what is not stored is not known. */
		assert_int_equal(0, store(&c, 0x3000, PAGE));
		assert_int_equal(JUDGE_UNKNOWN,
				 pgtsim_judge_table_at(&c.judge->tables, 0x3000)->entry[1]);
		close_court(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(needs_a_checker),    cmocka_unit_test(stores_become_entries),
		cmocka_unit_test(subtrees_go),        cmocka_unit_test(circles_end),
		cmocka_unit_test(freed_while_linked), cmocka_unit_test(impossible_events),
		cmocka_unit_test(out_of_host_memory), cmocka_unit_test(tables_begin_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
