/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include <pgtsim/altmap.h>

/* A request starts at base + reserve + what is gone, aligned to the lowest bit of its size. */
static void requests_are_aligned(void **state)
{
	static const struct {
		uint64_t base, reserve, alloc, align, pages; /* before */
		uint64_t pfn, padding;                       /* after */
	} rows[] = {
		{ 0x80000, 0, 0, 0, 1, 0x80000, 0 },
		{ 0x80000, 0, 0, 0, 512, 0x80000, 0 },
		{ 0x80000, 3, 0, 0, 1, 0x80003, 0 },
		{ 0x80000, 3, 0, 0, 512, 0x80200, 509 },
		{ 0x80000, 512, 0, 0, 512, 0x80200, 0 },
		{ 0x80000, 0, 1, 0, 512, 0x80200, 511 },
		{ 0x80000, 0, 512, 511, 512, 0x80400, 1 },
		{ 0x80001, 0, 0, 0, 6, 0x80002, 1 },  /* to 2 pages */
		{ 0x80001, 0, 0, 0, 12, 0x80004, 3 }, /* to 4 pages */
		{ 0x80001, 0, 0, 0, 7, 0x80001, 0 },
		{ 0x80001, 1, 1, 1, 4, 0x80004, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pgtsim_altmap altmap = { rows[i].base, rows[i].reserve, 4096, rows[i].align,
						rows[i].alloc };
		uint64_t pfn = 0;

		assert_int_equal(pgtsim_altmap_alloc(&altmap, rows[i].pages, &pfn), 0);
		assert_int_equal(pfn, rows[i].pfn);
		assert_int_equal(altmap.align, rows[i].align + rows[i].padding);
		assert_int_equal(altmap.alloc, rows[i].alloc + rows[i].pages);
		assert_int_equal(altmap.base, rows[i].base);
		assert_int_equal(altmap.reserve, rows[i].reserve);
		assert_int_equal(altmap.free, 4096);
	}
}

/* A request and its padding must fit in what is left; one that does not fit changes nothing. */
static void requests_that_do_not_fit(void **state)
{
	static const struct {
		uint64_t base, free, alloc, align, pages;
		int result;
	} rows[] = {
		{ 0x80000, 512, 0, 0, 512, 0 },
		{ 0x80000, 511, 0, 0, 512, -ENOMEM },
		{ 0x80001, 1023, 0, 0, 512, 0 }, /* 511 pages of padding */
		{ 0x80001, 1022, 0, 0, 512, -ENOMEM },
		{ 0x80001, 511, 0, 0, 512, -ENOMEM },
		{ 0x80000, 512, 511, 0, 1, 0 },
		{ 0x80000, 512, 512, 0, 1, -ENOMEM },
		{ 0x80000, 512, 256, 256, 1, -ENOMEM },
		{ 0x80000, 512, 256, 255, 1, 0 },
		{ 0x80000, 512, 600, 0, 1, -ENOMEM }, /* more is gone than there is */
		{ 0x80000, 0, 0, 0, 1, -ENOMEM },
		{ 0x80000, 512, 0, 0, 0, -EINVAL },
		{ 0x80000, 512, 0, 0, UINT64_MAX, -ENOMEM },
		{ 0x80001, 512, 0, 0, UINT64_C(1) << 63, -ENOMEM },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pgtsim_altmap altmap = { rows[i].base, 0, rows[i].free, rows[i].align,
						rows[i].alloc };
		const struct pgtsim_altmap before = altmap;
		uint64_t pfn = 42;

		assert_int_equal(pgtsim_altmap_alloc(&altmap, rows[i].pages, &pfn), rows[i].result);
		if (rows[i].result == 0)
			continue;
		assert_memory_equal(&altmap, &before, sizeof(altmap));
		assert_int_equal(pfn, 42);
	}
}

/* A run of single pages leaves the altmap as that many single requests do, used up or not. */
static void run_equals_singles(void **state)
{
	(void)state;
	for (uint64_t count = 0; count < 24; count++) {
		struct pgtsim_altmap run = { 0x80000, 5, 16, 2, 1 }, single = run;
		uint64_t first = 0, got = pgtsim_altmap_alloc_run(&run, count, &first), pfn;

		for (uint64_t i = 0; i < got; i++) {
			assert_int_equal(pgtsim_altmap_alloc(&single, 1, &pfn), 0);
			assert_int_equal(pfn, first + i);
		}
		assert_memory_equal(&run, &single, sizeof(run));
		assert_int_equal(got, count < 13 ? count : 13);
		if (got < count)
			assert_int_equal(pgtsim_altmap_alloc(&single, 1, &pfn), -ENOMEM);
	}
}

/* quirk: a free only subtracts, so the pages handed out next may be in use still. */
static void quirk_free_subtracts(void **state)
{
	struct pgtsim_altmap altmap = { .base = 0x80000, .free = 16 };
	uint64_t low, high, again;

	(void)state;
	assert_int_equal(pgtsim_altmap_alloc_run(&altmap, 4, &low), 4);
	assert_int_equal(pgtsim_altmap_alloc_run(&altmap, 4, &high), 4);
	pgtsim_altmap_free(&altmap, 4); /* the low ones are meant */
	assert_int_equal(altmap.alloc, 4);
	assert_int_equal(pgtsim_altmap_alloc_run(&altmap, 4, &again), 4);
	assert_int_equal(again, high);
}

/* quirk: padding is never given back, and freeing more than was handed out wraps. */
static void quirk_padding_is_lost_and_free_wraps(void **state)
{
	struct pgtsim_altmap altmap = { .base = 0x80001, .free = 2048 };
	uint64_t pfn;

	(void)state;
	assert_int_equal(pgtsim_altmap_alloc(&altmap, 512, &pfn), 0);
	pgtsim_altmap_free(&altmap, 512);
	assert_int_equal(altmap.align, 511);
	assert_int_equal(altmap.alloc, 0);
	pgtsim_altmap_free(&altmap, 1);
	assert_int_equal(altmap.alloc, UINT64_MAX);
}

/* Room that only lost padding takes is told from room that is truly used. */
static void lost_padding(void **state)
{
	static const struct {
		uint64_t base, free, align, alloc, pages;
		bool lost;
	} rows[] = {
		{ 0x80000, 512, 0, 1, 512, false }, /* used */
		{ 0x80000, 512, 1, 0, 512, false }, /* its own padding would not fit */
		{ 0x80000, 1024, 513, 511, 512, true },  { 0x80000, 1023, 1, 511, 512, true },
		{ 0x80000, 1022, 1, 511, 512, false },   { 0x80000, 1024, 0, 512, 513, false },
		{ 0x80000, 1024, 512, 600, 512, false }, { 0x80000, 10, 5, 20, 1, false },
		{ 0x80000, 1024, 0, 0, 512, false }, /* it did not fail */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct pgtsim_altmap altmap = { rows[i].base, 0, rows[i].free, rows[i].align,
						      rows[i].alloc };

		assert_int_equal(pgtsim_altmap_lost_padding(&altmap, rows[i].pages), rows[i].lost);
	}
}

/* The frames that an altmap can ever have handed out are those behind its reserve. */
static void frames_it_holds(void **state)
{
	static const struct {
		uint64_t pfn, pages;
		bool holds;
	} rows[] = {
		{ 0x80010, 1, true },   { 0x8000f, 1, false }, { 0x80010, 64, true },
		{ 0x80010, 65, false }, { 0x8004f, 1, true },  { 0x80050, 1, false },
		{ 0x80050, 0, true },   { 0x80051, 0, false }, { 0x80011, UINT64_MAX, false },
		{ 0, 1, false },
	};
	const struct pgtsim_altmap altmap = { .base = 0x80000, .reserve = 16, .free = 64 };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(pgtsim_altmap_holds(&altmap, rows[i].pfn, rows[i].pages),
				 rows[i].holds);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(requests_are_aligned),
	cmocka_unit_test(requests_that_do_not_fit),
	cmocka_unit_test(run_equals_singles),
	cmocka_unit_test(quirk_free_subtracts),
	cmocka_unit_test(quirk_padding_is_lost_and_free_wraps),
	cmocka_unit_test(lost_padding),
	cmocka_unit_test(frames_it_holds),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
