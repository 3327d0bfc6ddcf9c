// SPDX-License-Identifier: MIT
/* Programs on which model and checker once disagreed, as small as they can be. */
#include "program.h"

#define STORE(c, l, p, v)                                                        \
	{                                                                        \
		.kind = STEP_STORE, .cpu = (c), .level = MODEL_##l, .page = (p), \
		.value = VALUE_##v                                               \
	}
#define BARRIER(c, b)                                                  \
	{                                                              \
		.kind = STEP_BARRIER, .cpu = (c), .barrier = MODEL_##b \
	}
#define TLBI(what, p)                                                                   \
	{                                                                               \
		.kind = STEP_INVALIDATE, .page = (p), .invalidate = (what), .pages = 1, \
		.hint = MODEL_ANY_LEVEL                                                 \
	}
#define END                      \
	{                        \
		.kind = STEP_END \
	}

static const struct kept_program kept[] = {
	{ "the table that a block replaced, unseen, is found below what a table above allows now",
	  { .page_shift = 16,
	    .group = 1,
	    .cpus = { .bbm = 3, .ets2 = true },
	    .count = 10,
	    .step = { STORE(0, PTE, 8, PAGE), STORE(0, PTE, 9, PAGE), STORE(0, PTE, 10, PAGE),
		      STORE(0, PTE, 11, PAGE), STORE(1, PMD, 8, PAGE),
		      STORE(0, PUD, 0, TABLE_READONLY), BARRIER(0, DSB_ISHST), TLBI(ALL, 0),
		      BARRIER(0, DSB_ISH), END } } },
	{ "a table that restricts leads to no leaf without the restriction",
	  { .page_shift = 14,
	    .group = 1,
	    .cpus = { .bbm = 3, .ets2 = true },
	    .count = 10,
	    .step = { STORE(0, PTE, 4, HINTED), STORE(0, PTE, 5, HINTED), STORE(0, PTE, 6, PAGE),
		      STORE(0, PTE, 7, PAGE), STORE(1, PUD, 0, TABLE_READONLY),
		      STORE(0, PMD, 4, PAGE), BARRIER(1, DSB_ISHST), TLBI(ALL, 0),
		      BARRIER(0, DSB_ISH), END } } },
	{ "nor to one member of a group, where the others are stale",
	  { .page_shift = 14,
	    .group = 2,
	    .cpus = { .bbm = 3 },
	    .isb = true,
	    .count = 11,
	    .step = { STORE(0, PTE, 0, HINTED), STORE(0, PTE, 1, HINTED), STORE(0, PTE, 2, HINTED),
		      STORE(0, PTE, 3, HINTED), STORE(0, PUD, 0, TABLE_READONLY),
		      STORE(1, PMD, 0, PAGE), BARRIER(0, DSB_ISHST), TLBI(ONE_WALK, 0),
		      BARRIER(0, DSB_ISH), BARRIER(0, ISB), END } } },
	{ "a table entry that restricts what is restricted already changes nothing below",
	  { .page_shift = 14,
	    .group = 2,
	    .isb = true,
	    .count = 9,
	    .step = { STORE(0, PTE, 15, PAGE), STORE(0, PUD, 0, TABLE_READONLY),
		      BARRIER(0, DSB_ISHST), TLBI(ALL, 0), BARRIER(0, DSB_ISH), BARRIER(0, ISB),
		      STORE(1, PTE, 15, YOUNG), STORE(0, PMD, 12, TABLE_READONLY), END } } },
	{ "what a group gives to a leaf without the hint is as harmless below other restrictions",
	  { .page_shift = 12,
	    .group = 1,
	    .cpus = { .bbm = 3 },
	    .isb = true,
	    .count = 10,
	    .step = { STORE(0, PTE, 4, HINTED), STORE(0, PTE, 5, HINTED), STORE(0, PTE, 4, PAGE),
		      BARRIER(0, DSB_ISHST), STORE(0, PUD, 0, TABLE_READONLY),
		      BARRIER(0, DSB_ISHST), TLBI(ALL, 0), BARRIER(0, DSB_ISH), BARRIER(0, ISB),
		      END } } },
	{ "a hinted leaf that is young now, unseen, is found below what a table above allows now",
	  { .page_shift = 16,
	    .group = 1,
	    .cpus = { .bbm = 1, .ets2 = true },
	    .count = 9,
	    .step = { STORE(0, PTE, 8, HINTED), STORE(0, PTE, 9, HINTED), STORE(0, PTE, 8, YOUNG),
		      STORE(0, PTE, 9, YOUNG), STORE(1, PMD, 8, TABLE_READONLY),
		      BARRIER(1, DSB_ISHST), TLBI(ONE_WALK, 8), BARRIER(0, DSB_ISH), END } } },
	{ "what an unseen store left is found below fewer restrictions, although an invalidate runs",
	  { .page_shift = 12,
	    .group = 1,
	    .cpus = { .bbm = 2, .ets2 = true },
	    .count = 10,
	    .step = { STORE(0, PTE, 4, PAGE), STORE(0, PMD, 4, TABLE_READONLY),
		      BARRIER(0, DSB_ISHST), TLBI(ALL, 0), STORE(1, PTE, 4, READONLY),
		      STORE(0, PMD, 4, TABLE), BARRIER(0, DSB_ISHST), TLBI(ONE_WALK, 7),
		      BARRIER(0, DSB_ISH), END } } },
	{ "what an unseen store left is found below other restrictions after an invalidate",
	  { .page_shift = 16,
	    .group = 2,
	    .cpus = { .bbm = 1 },
	    .count = 7,
	    .step = { STORE(0, PTE, 3, PAGE), STORE(1, PTE, 3, YOUNG),
		      STORE(0, PMD, 0, TABLE_READONLY), BARRIER(0, DSB_ISHST),
		      TLBI(ONE_WALK, 3), BARRIER(0, DSB_ISH), STORE(0, PTE, 3, DEVICE) } } },
	{ "a group of which a part was cleared gives that part again once its table is back",
	  { .page_shift = 16,
	    .group = 2,
	    .count = 11,
	    .step = { STORE(0, PTE, 0, HINTED), STORE(0, PTE, 1, HINTED), STORE(0, PTE, 2, HINTED),
		      STORE(0, PTE, 3, HINTED), STORE(0, PTE, 3, NONE), STORE(0, PUD, 0, NONE),
		      BARRIER(0, DSB_ISHST), TLBI(ALL, 0), BARRIER(0, DSB_ISH),
		      STORE(0, PUD, 0, TABLE),
		      { .kind = STEP_FREE_PAGE, .page = 3, .level = MODEL_PTE } } } },
	{ "a member of a group without the access flag is a member",
	  { .page_shift = 12,
	    .group = 1,
	    .count = 7,
	    .step = { STORE(0, PTE, 0, HINTED), STORE(0, PTE, 1, HINTED),
		      STORE(0, PTE, 1, HINTED_YOUNG), BARRIER(0, DSB_ISHST), TLBI(ALL, 0),
		      BARRIER(0, DSB_ISH), END } } },
	{ "a member that was young until its table went does no harm below other restrictions",
	  { .page_shift = 12,
	    .group = 1,
	    .count = 10,
	    .step = { STORE(0, PTE, 14, HINTED), STORE(0, PTE, 15, HINTED),
		      STORE(0, PTE, 14, HINTED_YOUNG), STORE(0, PUD, 0, NONE),
		      BARRIER(0, DSB_ISHST), TLBI(ALL, 4), BARRIER(0, DSB_ISH),
		      STORE(0, PUD, 0, TABLE), BARRIER(0, DSB_ISHST), END } } },
	{ "a table that is linked again before its invalidate is complete is walked with old restrictions",
	  { .page_shift = 12,
	    .group = 1,
	    .count = 8,
	    .step = { STORE(0, PTE, 9, PAGE), STORE(0, PUD, 0, TABLE_READONLY),
		      STORE(0, PMD, 8, NONE), BARRIER(0, DSB_ISHST), TLBI(ALL, 4),
		      STORE(0, PMD, 8, TABLE), BARRIER(0, DSB_ISH), END } } },
	{ "memory that was freed and is mapped by hand since is not freed too early",
	  { .page_shift = 16,
	    .group = 2,
	    .count = 3,
	    .step = { { .kind = STEP_FREE_PAGE, .page = 3, .level = MODEL_PTE },
		      STORE(0, PTE, 3, READONLY), STORE(0, PTE, 3, NONE) } } },
	{ "a group of which one member was written twice is judged when another loses the hint",
	  { .page_shift = 16,
	    .group = 2,
	    .cpus = { .bbm = 3 },
	    .count = 10,
	    .step = { STORE(0, PTE, 0, HINTED), STORE(0, PTE, 1, HINTED), STORE(0, PTE, 2, HINTED),
		      STORE(0, PTE, 3, HINTED), BARRIER(0, DSB_ISHST), STORE(0, PTE, 0, HINTED),
		      BARRIER(0, DSB_ISHST), END, STORE(1, PTE, 2, PAGE), END } } },
};

const struct kept_program *programs_kept(unsigned *count)
{
	*count = sizeof(kept) / sizeof(kept[0]);
	return kept;
}
