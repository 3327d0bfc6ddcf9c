/* SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE 1 /* MAP_ANONYMOUS, getrusage() */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <cmocka.h>

#include <pgtsim/memory.h>

/* A copy of the rooms whose host allocations can fail: the nth next does; 0: none. */
static unsigned host_fail_in;
static bool host_keeps_failing; /* all after that one fail too */

static bool host_fails(void)
{
	if (host_fail_in == 1 && host_keeps_failing)
		return true;
	return host_fail_in && --host_fail_in == 0;
}

static void *host_calloc(size_t count, size_t size)
{
	return host_fails() ? NULL : calloc(count, size);
}

static void *host_aligned_alloc(size_t alignment, size_t size)
{
	return host_fails() ? NULL : aligned_alloc(alignment, size);
}

static void *host_realloc(void *at, size_t size)
{
	return host_fails() ? NULL : realloc(at, size);
}

#ifdef __linux__
static bool host_misaligns; /* no mapping starts at a multiple of 2 MiB */

static void *host_mmap(void *at, size_t size, int prot, int flags, int fd, off_t offset)
{
	unsigned char *mapped;
	size_t skip;

	if (host_fails())
		return MAP_FAILED;
	if (!host_misaligns)
		return mmap(at, size, prot, flags, fd, offset);
	mapped = mmap(at, size + 4096, prot, flags, fd, offset);
	assert_ptr_not_equal(mapped, MAP_FAILED);
	skip = (uintptr_t)mapped % (2 << 20) ? 0 : 4096;
	munmap(mapped + (skip ? 0 : size), 4096);
	return mapped + skip;
}
#define mmap host_mmap

static size_t host_advised; /* bytes for which huge pages were asked for */

static int host_madvise(void *at, size_t size, int advice)
{
	assert_int_equal(advice, MADV_HUGEPAGE);
	assert_int_equal((uintptr_t)at % (2 << 20) + size % (2 << 20), 0);
	host_advised += size;
	return madvise(at, size, advice);
}
#define madvise host_madvise
#endif

#define aligned_alloc host_aligned_alloc
#define calloc host_calloc
#define realloc host_realloc
#include "frames.c"
#include "host.c"
#include "memory.c"
#include "tables.c"
#undef calloc
#undef realloc
#undef mmap
#undef madvise
#undef aligned_alloc

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CHUNK ((uint64_t)CHUNK_FRAMES)
#define REGION_FRAMES (CHUNK << REGION_BITS)
#define TOP (UINT64_C(1) << (PA_BITS - 12)) /* frames of 4K in all physical addresses */
#define TIB (UINT64_C(1) << 40)

/* Memory of 4K pages from ranges of PFNs. */
static struct pgtsim_memory *make(const struct pfn_range *range, size_t count)
{
	struct pgtsim_memory *memory = NULL;
	struct pgtsim_ram ram[8];

	assert_true(count <= COUNT(ram));
	for (size_t i = 0; i < count; i++)
		ram[i] = (struct pgtsim_ram){ range[i].start << 12, range[i].end << 12 };
	assert_int_equal(pgtsim_memory_new(&memory, 12, 4096, ram, count), 0);
	return memory;
}

static struct pgtsim_memory *make_one(uint64_t start, uint64_t end)
{
	struct pfn_range range = { start, end };

	return make(&range, 1);
}

static uint64_t alloc(struct pgtsim_memory *memory, unsigned order)
{
	uint64_t pfn = UINT64_MAX;

	assert_int_equal(pgtsim_memory_alloc(memory, order, &pfn), 0);
	return pfn;
}

static long max_rss_kib(void)
{
	struct rusage usage;

	assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
	return usage.ru_maxrss;
}

/* However much RAM there is, the first pages cost the host little. */
static void test_large_machines_cost_little(void **state)
{
	static const struct {
		unsigned page_shift;
		uint64_t start, end;
	} machines[] = {
		{ 12, TIB, 2 * TIB },
		{ 12, TIB, 65 * TIB },
		{ 12, 0, UINT64_C(1) << 52 },
		{ 16, 0, UINT64_C(1) << 52 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(machines); i++) {
		struct pgtsim_ram ram = { machines[i].start, machines[i].end };
		struct pgtsim_table *list = NULL, **tail = &list;
		long before = max_rss_kib();
		struct pgtsim_memory *memory;

		assert_int_equal(pgtsim_memory_new(&memory, machines[i].page_shift, 4096, &ram, 1),
				 0);
		assert_int_equal(alloc(memory, 0), ram.start >> machines[i].page_shift);
		assert_int_equal(pgtsim_memory_alloc_tables(memory, 1, &tail), 1);
		list->entries[0] = 1;
		assert_true(max_rss_kib() - before < 4096);
		pgtsim_memory_free(&memory);
	}
}

/* A terabyte reserved at boot costs host memory by the region, not by the page or the chunk. */
static void test_large_boot_memory_costs_little(void **state)
{
	struct pgtsim_memory *memory = make_one(0, 2 * TIB >> 12);
	long before = max_rss_kib();

	(void)state;
	assert_int_equal(pgtsim_memory_reserve_boot(memory, 3, TIB >> 12), 0);
	assert_int_equal(pgtsim_memory_free_count(memory), TIB >> 12);
	assert_int_equal(pgtsim_memory_owner(memory, TIB >> 13), PGTSIM_OWNER_BOOT);
	assert_int_equal(pgtsim_memory_free_pages(memory, TIB >> 13, 0), PGTSIM_FREE_BOOT);
	assert_int_equal(pgtsim_memory_reserve_boot(memory, TIB >> 13, 2048), -EBUSY);
	assert_int_equal(alloc(memory, 0), 2);
	assert_int_equal(alloc(memory, PGTSIM_MAX_ORDER), (TIB >> 12) + CHUNK);
	assert_true(max_rss_kib() - before < 12 * 1024);
	pgtsim_memory_free(&memory);
}

static const struct {
	unsigned page_shift;
	size_t table_bytes, count;
	struct pgtsim_ram ram[3];
	int err;
} configs[] = {
	{ 12, 4096, 1, { { 0, 4096 } }, 0 },
	{ 24, 1 << 24, 1, { { 0, 1 << 24 } }, 0 },
	{ 11, 2048, 1, { { 0, 4096 } }, -EINVAL },
	{ 25, 4096, 1, { { 0, 1 << 25 } }, -EINVAL },
	{ 12, 0, 1, { { 0, 4096 } }, -EINVAL },
	{ 12, 12, 1, { { 0, 4096 } }, -EINVAL },
	{ 12, 4104, 1, { { 0, 4096 } }, -EINVAL },
	{ 12, 8, 1, { { 0, 4096 } }, 0 },
	{ 12, 4096, 0, { { 0, 4096 } }, -EINVAL },
	{ 12, 4096, 1, { { 4096, 4096 } }, -EINVAL },
	{ 12, 4096, 1, { { 8192, 4096 } }, -EINVAL },
	{ 12, 4096, 1, { { 0, 4095 } }, -EINVAL },
	{ 12, 4096, 1, { { 1, 4096 } }, -EINVAL },
	{ 16, 4096, 1, { { 4096, 65536 } }, -EINVAL },
	{ 12, 4096, 1, { { 0, (UINT64_C(1) << 52) + 4096 } }, -EINVAL },
	{ 12, 4096, 1, { { 4096, UINT64_MAX - 4095 } }, -EINVAL },
	{ 12, 4096, 1, { { 4096, 0 } }, -EINVAL },
	{ 12, 4096, 1, { { 0, UINT64_C(1) << 52 } }, 0 },
	{ 12, 4096, 2, { { 4096, 12288 }, { 0, 4096 } }, 0 },
	{ 12, 4096, 2, { { 4096, 12288 }, { 0, 8192 } }, -EINVAL },
	{ 12, 4096, 3, { { 4096, 8192 }, { 0, 4096 }, { 4096, 8192 } }, -EINVAL },
	{ 12, 4096, 2, { { 0, 65536 }, { 4096, 8192 } }, -EINVAL },
	{ 12, 4096, SIZE_MAX / 8, { { 0, 4096 } }, -ENOMEM },
};

/* A page size, a size of tables or ranges that make no sense are refused. */
static void test_new_refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(configs); i++) {
		struct pgtsim_memory *memory = NULL;
		int err = pgtsim_memory_new(&memory, configs[i].page_shift, configs[i].table_bytes,
					    configs[i].ram, configs[i].count);

		if (err != configs[i].err)
			fail_msg("row %zu: %d", i, err);
		assert_true(!memory == !!err);
		pgtsim_memory_free(&memory);
		assert_null(memory);
	}
}

/* RAM is what the ranges say, up to the last byte, joined where they touch. */
static void test_is_ram(void **state)
{
	static const struct pfn_range ranges[] = {
		{ 16, 20 },
		{ 0, 16 },
		{ 24, 32 },
		{ TOP - 1, TOP },
	};
	static const struct {
		uint64_t pa, size;
		bool ram;
	} rows[] = {
		{ 0, 1, true },
		{ 0, 0, false },
		{ 0, 20 << 12, true },
		{ 0, (20 << 12) + 1, false },
		{ 0, UINT64_MAX, false },
		{ (20 << 12) - 1, 1, true },
		{ (20 << 12) - 1, 2, false },
		{ 20 << 12, 1, false },
		{ 19 << 12, 6 << 12, false },
		{ 24 << 12, 8 << 12, true },
		{ (24 << 12) - 1, 8, false },
		{ (TOP - 1) << 12, 4096, true },
		{ (TOP - 1) << 12, 4097, false },
		{ (TOP << 12) - 1, UINT64_MAX, false },
		{ TOP << 12, 1, false },
		{ UINT64_MAX, 1, false },
	};
	struct pgtsim_memory *memory = make(ranges, COUNT(ranges));

	(void)state;
	assert_int_equal(pgtsim_memory_ram_count(memory), 29);
	assert_int_equal(pgtsim_memory_free_count(memory), 29);
	for (size_t i = 0; i < COUNT(rows); i++)
		if (pgtsim_memory_is_ram(memory, rows[i].pa, rows[i].size) != rows[i].ram)
			fail_msg("row %zu", i);
	pgtsim_memory_free(&memory);
}

/* Frames of untouched chunks, holes and beyond all addresses have the right owner. */
static void test_owner(void **state)
{
	static const struct pfn_range ranges[] = {
		{ 2048, 4096 },
		{ REGION_FRAMES + 5, REGION_FRAMES + 4096 },
	};
	static const struct {
		uint64_t pfn;
		enum pgtsim_owner owner;
	} rows[] = {
		{ 0, PGTSIM_OWNER_NOT_RAM },
		{ 2047, PGTSIM_OWNER_NOT_RAM },
		{ 2048, PGTSIM_OWNER_FREE },
		{ 4095, PGTSIM_OWNER_FREE },
		{ 4096, PGTSIM_OWNER_NOT_RAM },
		{ REGION_FRAMES + 4, PGTSIM_OWNER_NOT_RAM },
		{ REGION_FRAMES + 5, PGTSIM_OWNER_FREE },
		{ REGION_FRAMES + 4095, PGTSIM_OWNER_FREE },
		{ 2 * REGION_FRAMES + 5, PGTSIM_OWNER_NOT_RAM },
		{ TOP, PGTSIM_OWNER_NOT_RAM },
		{ UINT64_MAX, PGTSIM_OWNER_NOT_RAM },
	};
	struct pgtsim_memory *memory = make(ranges, COUNT(ranges));

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (pgtsim_memory_owner(memory, rows[i].pfn) != rows[i].owner)
			fail_msg("row %zu", i);
	assert_null(pgtsim_memory_table(memory, UINT64_MAX));
	assert_null(pgtsim_memory_table(memory, 2048 << 12));
	pgtsim_memory_free(&memory);
}

/* The lowest block of the smallest sufficient order is taken, wherever larger ones lie. */
static void test_which_block(void **state)
{
	/* From below: two whole chunks, then a hole, then 16 + 4 + 1 pages. */
	static const struct pfn_range ranges[] = { { 0, 2048 }, { 4096, 4117 } };
	static const struct {
		bool free;
		unsigned order;
		uint64_t pfn;
	} rows[] = {
		{ false, 0, 4116 }, { false, 0, 4112 }, { false, 1, 4114 },  { false, 0, 4113 },
		{ false, 2, 4096 }, { false, 4, 0 },    { false, 3, 4104 },  { false, 2, 4100 },
		{ false, 0, 16 },   { true, 4, 0 },     { false, 10, 1024 }, { true, 2, 4096 },
		{ false, 1, 18 },   { false, 0, 17 },   { true, 0, 16 },     { false, 0, 16 },
		{ true, 0, 17 },    { true, 0, 16 },    { true, 1, 18 },     { true, 10, 1024 },
		{ false, 10, 0 },   { false, 0, 4096 }, { false, 10, 1024 },
	};
	struct pgtsim_memory *memory = make(ranges, COUNT(ranges));

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t pfn = rows[i].pfn;

		if (rows[i].free)
			assert_int_equal(pgtsim_memory_free_pages(memory, pfn, rows[i].order), 0);
		else
			pfn = alloc(memory, rows[i].order);
		if (pfn != rows[i].pfn)
			fail_msg("row %zu: 0x%llx", i, (unsigned long long)pfn);
	}
	pgtsim_memory_free(&memory);
}

static const struct {
	uint64_t pfn;
	unsigned order;
	enum pgtsim_bad_free bad;
} frees[] = {
	/* 1024: 8 pages; 1032: a table; 1033: one page; 1034 to 1040: boot */
	{ 0, 0, PGTSIM_FREE_NOT_RAM },
	{ 1023, 0, PGTSIM_FREE_NOT_RAM },
	{ 4096, 0, PGTSIM_FREE_NOT_RAM },
	{ UINT64_MAX, 0, PGTSIM_FREE_NOT_RAM },
	{ UINT64_MAX, UINT32_MAX, PGTSIM_FREE_NOT_RAM },
	{ 1024, 0, PGTSIM_FREE_WRONG_ORDER },
	{ 1024, 2, PGTSIM_FREE_WRONG_ORDER },
	{ 1024, 4, PGTSIM_FREE_WRONG_ORDER },
	{ 1024, 15, PGTSIM_FREE_WRONG_ORDER },
	{ 1024, 16, PGTSIM_FREE_WRONG_ORDER },
	{ 1025, 0, PGTSIM_FREE_WRONG_ORDER },
	{ 1025, 15, PGTSIM_FREE_WRONG_ORDER },
	{ 1028, 2, PGTSIM_FREE_WRONG_ORDER },
	{ 1033, 1, PGTSIM_FREE_WRONG_ORDER },
	{ 1032, 0, PGTSIM_FREE_WRONG_OWNER },
	{ 1034, 0, PGTSIM_FREE_BOOT },
	{ 1039, 0, PGTSIM_FREE_BOOT },
	{ 1040, 0, PGTSIM_FREE_DOUBLE },
	{ 1041, 0, PGTSIM_FREE_DOUBLE },
	{ 2047, 10, PGTSIM_FREE_DOUBLE },
	{ 2048, 0, PGTSIM_FREE_DOUBLE },
};

/* Each wrong free has its name and changes nothing. */
static void test_wrong_frees(void **state)
{
	struct pgtsim_memory *memory = make_one(1024, 4096);
	struct pgtsim_table *list = NULL, **tail = &list;
	uint64_t free_count, pfn;
	enum pgtsim_bad_free bad;

	(void)state;
	assert_int_equal(alloc(memory, 3), 1024);
	assert_int_equal(pgtsim_memory_alloc_tables(memory, 1, &tail), 1);
	assert_int_equal(pgtsim_memory_alloc_run(memory, 1, &pfn), 1);
	assert_int_equal(pfn, 1033);
	assert_int_equal(pgtsim_memory_reserve_boot(memory, 1034, 6), 0);
	free_count = pgtsim_memory_free_count(memory);
	for (size_t i = 0; i < COUNT(frees); i++) {
		bad = pgtsim_memory_free_pages(memory, frees[i].pfn, frees[i].order);
		if (bad != frees[i].bad)
			fail_msg("row %zu: %s", i, pgtsim_bad_free_name(bad));
		if (frees[i].order != 0)
			continue;
		assert_int_equal(pgtsim_memory_free_run(memory, frees[i].pfn, 9, &bad), 0);
		assert_int_equal(bad, frees[i].bad);
	}
	assert_int_equal(pgtsim_memory_free_count(memory), free_count);
	assert_int_equal(pgtsim_memory_free_run(memory, 1033, 2, &bad), 1);
	assert_int_equal(bad, PGTSIM_FREE_BOOT);
	assert_int_equal(pgtsim_memory_free_run(memory, 1033, 0, &bad), 0);
	assert_int_equal(bad, PGTSIM_FREE_OK);
	pgtsim_memory_free(&memory);
}

/* How to make allocations for the tests of failure injection. */
enum way { SINGLES, BLOCKS, RUNS, TABLES, SINGLE_TABLES, WAYS };

/* Makes up to `count` allocations; writes '.' for each and '!' for one that failed. */
static size_t attempt(struct pgtsim_memory *memory, enum way way, size_t count, char *out)
{
	struct pgtsim_table *list, **tail = &list;
	size_t asked = way == RUNS || way == TABLES ? count : 1;
	int64_t got;
	uint64_t pfn;

	if (way == SINGLES || way == BLOCKS)
		got = pgtsim_memory_alloc(memory, way == BLOCKS ? 3 : 0, &pfn) ? 0 : 1;
	else if (way == RUNS)
		got = pgtsim_memory_alloc_run(memory, count, &pfn);
	else
		got = (int64_t)pgtsim_memory_alloc_tables(memory, asked, &tail);
	if (way == RUNS && got < 0)
		got = 0;
	else if (way == RUNS)
		asked = (size_t)got;
	memset(out, '.', (size_t)got);
	if ((size_t)got < asked)
		out[got++] = '!';
	return (size_t)got;
}

/* The nth allocation fails, with `every` each nth, and runs count as singles do. */
static void test_failure_injection(void **state)
{
	static const struct {
		uint64_t nth;
		bool every;
		const char *pattern;
	} rows[] = {
		{ 0, false, "............" },         { 0, true, "............" },
		{ 1, false, "!..........." },         { 1, true, "!!!!!!!!!!!!" },
		{ 2, false, ".!.........." },         { 2, true, ".!.!.!.!.!.!" },
		{ 5, false, "....!......." },         { 5, true, "....!....!.." },
		{ 12, true, "...........!" },         { 13, true, "............" },
		{ UINT64_MAX, true, "............" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows) * (WAYS + 1); i++) {
		struct pgtsim_memory *memory = make_one(3, 2048);
		char seen[16] = "";
		size_t row = i / (WAYS + 1), way = i % (WAYS + 1);

		pgtsim_memory_fail(memory, rows[row].nth, rows[row].every);
		for (size_t at = 0; at < 12;) {
			/* The last way takes turns. */
			enum way how = (enum way)(way == WAYS ? at % WAYS : way);
			size_t most = way == WAYS ? 2 : 12;

			at += attempt(memory, how, most < 12 - at ? most : 12 - at, seen + at);
		}
		if (strcmp(seen, rows[row].pattern) != 0)
			fail_msg("row %zu way %zu: %s", row, way, seen);
		pgtsim_memory_free(&memory);
	}
}

/* What fails because nothing is free, or makes no sense, does not count. */
static void test_failure_injection_counts_successes(void **state)
{
	struct pgtsim_memory *memory = make_one(0, 2);
	struct pgtsim_table *list, **tail = &list;
	enum pgtsim_bad_free bad;
	uint64_t pfn;

	(void)state;
	assert_int_equal(pgtsim_memory_alloc_run(memory, 9, &pfn), 2);
	pgtsim_memory_fail(memory, 2, false);
	assert_int_equal(pgtsim_memory_alloc(memory, 0, &pfn), -ENOMEM);
	assert_int_equal(pgtsim_memory_alloc(memory, 11, &pfn), -EINVAL);
	assert_int_equal(pgtsim_memory_alloc_run(memory, 1, &pfn), -ENOMEM);
	assert_int_equal(pgtsim_memory_alloc_run(memory, 0, &pfn), 0);
	assert_int_equal(pgtsim_memory_alloc_tables(memory, 3, &tail), 0);
	assert_int_equal(pgtsim_memory_free_run(memory, 0, 2, &bad), 2);
	assert_int_equal(alloc(memory, 0), 0);
	assert_int_equal(pgtsim_memory_alloc(memory, 0, &pfn), -ENOMEM);
	assert_int_equal(alloc(memory, 0), 1);
	pgtsim_memory_free(&memory);
}

static size_t list_length(const struct pgtsim_table *list)
{
	size_t length = 0;

	for (; list; list = list->next)
		length++;
	return length;
}

static void check_fresh_entries(const struct pgtsim_memory *memory, struct pgtsim_table *table,
				size_t entries)
{
	assert_ptr_equal(pgtsim_memory_table(memory, table->pa), table);
	assert_int_equal((uintptr_t)table->entries % 64, 0);
	assert_int_equal((uintptr_t)table % (sizeof(void *) == 8 ? 64 : 4), 0);
	assert_int_equal(table->live, 0);
	for (size_t i = 0; i < entries; i++)
		assert_int_equal(table->entries[i], 0);
}

static void check_fresh_table(const struct pgtsim_memory *memory, struct pgtsim_table *table,
			      size_t entries)
{
	check_fresh_entries(memory, table, entries);
	assert_int_equal(table->first, entries);
	assert_int_equal(table->level, 0);
	assert_int_equal(table->region, 0);
	assert_false(table->linked);
}

/* Leaves a table as pgtable and its observers might, but for `next`. */
static void scribble(struct pgtsim_table *table, size_t bytes)
{
	memset(table->entries, 0xff, bytes);
	table->live = table->room;
	table->first = 0;
	table->level = 3;
	table->region = 2;
	table->linked = true;
}

static void free_list(struct pgtsim_memory *memory, struct pgtsim_table *list)
{
	while (list) {
		struct pgtsim_table *next = list->next;

		pgtsim_memory_free_table(memory, list);
		assert_null(pgtsim_memory_table(memory, list->pa));
		pgtsim_memory_free_table(memory, list); /* is ignored */
		list = next;
	}
}

/* Tables have zeroed memory of their own and fresh records, again when a frame is used again. */
static void test_tables(void **state)
{
	static const struct {
		unsigned page_shift;
		size_t bytes, count;
	} rows[] = {
		{ 12, 4096, 1200 },  { 12, 8, 1200 },          { 14, 16384, 1200 },
		{ 16, 65536, 1200 }, { 16, 512, 1200 },        { 12, 200, 1200 },
		{ 24, 4 << 20, 2 },  { 22, (2 << 20) + 8, 2 }, { 18, 1 << 18, 9 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		unsigned shift = rows[i].page_shift;
		struct pgtsim_ram ram = { UINT64_C(5) << shift, UINT64_C(5000) << shift };
		struct pgtsim_memory *memory;

		assert_int_equal(pgtsim_memory_new(&memory, shift, rows[i].bytes, &ram, 1), 0);
		for (unsigned round = 0; round < 2; round++) {
			struct pgtsim_table *list = NULL, **tail = &list, *at;

			assert_int_equal(pgtsim_memory_alloc_tables(memory, rows[i].count, &tail),
					 rows[i].count);
			assert_int_equal(list_length(list), rows[i].count);
			for (at = list; at; at = at->next) {
				check_fresh_table(memory, at, rows[i].bytes / 8);
				scribble(at, rows[i].bytes);
			}
			free_list(memory, list);
			assert_int_equal(pgtsim_memory_free_count(memory), 4995);
		}
		pgtsim_memory_free(&memory);
	}
}

#ifdef __linux__
/* Many tables fill huge pages wherever the host maps memory: each page begins with a table. */
static void test_tables_fit_huge_pages(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct pgtsim_memory *memory = make_one(0, 4 * CHUNK);
		struct pgtsim_table *list = NULL, **tail = &list;
		unsigned aligned = 0;

		host_misaligns = i;
		host_advised = 0;
		assert_int_equal(pgtsim_memory_alloc_tables(memory, 4 * CHUNK, &tail), 4 * CHUNK);
		host_misaligns = false;
		assert_int_equal(host_advised, 4 * CHUNK * 4096);
		for (; list; list = list->next) {
			list->entries[511] = 1;
			aligned += (uintptr_t)list->entries % (2 << 20) == 0;
		}
		assert_int_equal(aligned, 4 * CHUNK / 512);
		pgtsim_memory_free(&memory);
	}
}
#endif

/* The pool that a table's entries are of, of those for entries. */
static enum pool pool_of(const struct pgtsim_memory *memory, const struct pgtsim_table *table)
{
	if (table->implied && !table->upper)
		return LAST;
	for (unsigned pool = LAST; pool < RECORDS; pool++) {
		const struct host *host = &memory->host[pool];

		for (size_t i = 0; i < host->slab_count; i++)
			if ((uintptr_t)table->entries - (uintptr_t)host->slabs[i].at <
			    host->slabs[i].bytes)
				return (enum pool)pool;
	}
	return POOLS;
}

/* No piece of a pool is in use, or promised. */
static void check_pools_whole(const struct pgtsim_memory *memory)
{
	for (unsigned pool = LAST; pool < RECORDS; pool++) {
		assert_int_equal(memory->host[pool].spare_count, memory->host[pool].pieces);
		assert_int_equal(memory->host[pool].promised, 0);
	}
}

/* Of a table, that its first entry is the only one noted; too large tables have no notes. */
static void check_notes(const struct pgtsim_memory *memory, struct pgtsim_table *table)
{
	unsigned entries = (unsigned)(memory->table_bytes / 8);

	assert_int_equal(!table->notes, entries > NOTED_ENTRIES);
	if (!table->notes)
		return;
	assert_int_equal(table->notes->count, 1);
	assert_int_equal(pgtsim_bits_first(table->notes->noted, 0, entries), 0);
	assert_int_equal(pgtsim_bits_first(table->notes->noted, 1, entries), entries);
	for (unsigned i = 0; i < entries; i++)
		assert_ptr_equal(pgtsim_table_noted(table, i), i ? NULL : table);
}

/* Makes each nth table of a list an upper one and notes a child in some; all of them are empty. */
static void make_upper(struct pgtsim_memory *memory, struct pgtsim_table *list, unsigned nth)
{
	for (unsigned n = 0; list; list = list->next, n++) {
		if (n % nth == 0) {
			const uint64_t *entries;

			pgtsim_table_becomes_upper(memory, list);
			entries = list->entries;
			pgtsim_table_becomes_upper(memory, list); /* is ignored */
			assert_ptr_equal(list->entries, entries);
			assert_int_equal(pool_of(memory, list), UPPER);
		}
		if (n % (2 * nth) == 0) {
			pgtsim_table_note(memory, list, 0, list);
			check_notes(memory, list);
		}
		pgtsim_table_write_out(list);
		check_fresh_entries(memory, list, memory->table_bytes / 8);
	}
}

/* Upper tables and notes have pools of their own, to which their memory returns, clean or not. */
static void test_upper_tables(void **state)
{
	static const struct {
		unsigned page_shift;
		size_t bytes, count;
	} rows[] = { { 12, 4096, 1200 }, { 12, 8, 1200 }, { 16, 65536, 300 }, { 24, 4 << 20, 3 } };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		unsigned shift = rows[i].page_shift;
		struct pgtsim_ram ram = { UINT64_C(5) << shift, UINT64_C(5000) << shift };
		struct pgtsim_memory *memory;

		assert_int_equal(pgtsim_memory_new(&memory, shift, rows[i].bytes, &ram, 1), 0);
		for (unsigned round = 0; round < 4; round++) {
			struct pgtsim_table *list = NULL, **tail = &list;

			assert_int_equal(pgtsim_memory_take_tables(memory, rows[i].count, &tail),
					 rows[i].count);
			for (const struct pgtsim_table *at = list; at; at = at->next)
				assert_int_equal(pool_of(memory, at), LAST);
			make_upper(memory, list, 3 - round % 2);
			for (struct pgtsim_table *at = list; at; at = at->next)
				if (round)
					scribble(at, rows[i].bytes);
				else
					pgtsim_table_unnote(at, 0);
			free_list(memory, list);
			check_pools_whole(memory);
		}
		pgtsim_memory_free(&memory);
	}
}

/* One table taken at once, or as pgtsim_memory_take_tables() does it; *at_once counts the former. */
static struct pgtsim_table *take_one(struct pgtsim_memory *memory, unsigned *at_once)
{
	struct pgtsim_table *table = at_once ? pgtsim_table_take(memory) : NULL, **tail = &table;

	if (table)
		++*at_once;
	else
		pgtsim_memory_take_tables(memory, 1, &tail);
	return table;
}

/* It makes no difference how single tables are taken, if they can be taken at once at all. */
static void test_single_tables(void **state)
{
	struct pgtsim_memory *memory[2] = { make_one(0, 2 * CHUNK), make_one(0, 2 * CHUNK) };
	struct pgtsim_table *held[2][97] = { { NULL } };
	unsigned at_once = 0;

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		unsigned slot = i * i / 3 % 97;

		for (unsigned k = 0; k < 2; k++) {
			struct pgtsim_table **table = &held[k][slot];

			if (i % 500 == 0)
				pgtsim_memory_fail(memory[k], 1 + i / 500 % 3, false);
			if (*table)
				pgtsim_memory_free_table(memory[k], *table);
			*table = *table ? NULL : take_one(memory[k], k ? &at_once : NULL);
		}
		assert_int_equal(!held[0][slot], !held[1][slot]);
		if (held[0][slot])
			check_fresh_entries(memory[1], held[1][slot], 512);
		if (held[0][slot])
			assert_int_equal(held[0][slot]->pa, held[1][slot]->pa);
		assert_int_equal(pgtsim_memory_free_count(memory[0]),
				 pgtsim_memory_free_count(memory[1]));
	}
	assert_in_range(at_once, 100, 4500);
	pgtsim_memory_share(memory[1]);
	assert_null(pgtsim_table_take(memory[1]));
	for (unsigned k = 0; k < 2; k++)
		pgtsim_memory_free(&memory[k]);
}

/* Without host memory a table stays where it is, and has no notes. */
static void test_no_memory_for_upper_tables(void **state)
{
	struct pgtsim_memory *memory = make_one(0, CHUNK);
	struct pgtsim_table *list = NULL, **tail = &list;
	const uint64_t *entries;

	(void)state;
	assert_int_equal(pgtsim_memory_take_tables(memory, 1, &tail), 1);
	entries = list->entries;
	host_fail_in = 1;
	host_keeps_failing = true;
	pgtsim_table_becomes_upper(memory, list);
	pgtsim_table_note(memory, list, 7, list);
	host_fail_in = 0;
	host_keeps_failing = false;
	assert_ptr_equal(list->entries, entries);
	assert_null(list->notes);
	check_fresh_entries(memory, list, 512);
	free_list(memory, list);
	check_pools_whole(memory);
	pgtsim_memory_free(&memory);
}

static struct pgtsim_table *take_upper(struct pgtsim_memory *memory)
{
	struct pgtsim_table *table, **tail = &table;

	assert_int_equal(pgtsim_memory_take_tables(memory, 1, &tail), 1);
	pgtsim_table_becomes_upper(memory, table);
	return table;
}

/* Memory that was dirty is still so once a table has had it that nobody wrote to. */
static void test_dirty_memory_stays_dirty(void **state)
{
	struct pgtsim_memory *memory = make_one(0, CHUNK);
	struct pgtsim_table *table = take_upper(memory);
	const uint64_t *entries = table->entries;

	(void)state;
	pgtsim_table_write_out(table);
	scribble(table, 4096);
	pgtsim_memory_free_table(memory, table);
	table = take_upper(memory);
	assert_true(table->implied);
	pgtsim_memory_free_table(memory, table);
	table = take_upper(memory);
	assert_ptr_equal(table->entries, entries);
	pgtsim_table_write_out(table);
	check_fresh_entries(memory, table, 512);
	pgtsim_memory_free_table(memory, table);
	check_pools_whole(memory);
	pgtsim_memory_free(&memory);
}

/* Notes that were given up are not in those that come next. */
static void test_notes_given_up(void **state)
{
	struct pgtsim_memory *memory = make_one(0, CHUNK);
	struct pgtsim_table *table = take_upper(memory);
	const struct pgtsim_notes *notes;

	(void)state;
	pgtsim_table_note(memory, table, 7, table);
	notes = table->notes;
	pgtsim_table_forget(memory, table);
	assert_null(table->notes);
	pgtsim_table_note(memory, table, 0, table);
	assert_ptr_equal(table->notes, notes);
	assert_null(notes->child[7]);
	assert_int_equal(pgtsim_bits_first(notes->noted, 1, 512), 512);
	assert_int_equal(notes->count, 1);
	pgtsim_memory_free_table(memory, table);
	check_pools_whole(memory);
	pgtsim_memory_free(&memory);
}

#ifdef __linux__
/* A few upper tables take little at once, many have huge pages; others have those to themselves. */
static void test_upper_tables_grow(void **state)
{
	struct pgtsim_memory *memory = make_one(0, 4 * CHUNK);
	struct pgtsim_table *list = NULL, **tail = &list;
	const struct host *last = &memory->host[LAST], *upper = &memory->host[UPPER];
	const size_t few = 4 << 20;
	unsigned count = 0;

	(void)state;
	assert_int_equal(pgtsim_memory_take_tables(memory, 4 * CHUNK, &tail), 4 * CHUNK);
	for (size_t i = 0; i < last->slab_count; i++)
		assert_int_equal((uintptr_t)last->slabs[i].at % (2 << 20) +
					 last->slabs[i].bytes % (2 << 20),
				 0);
	host_advised = 0;
	for (; list; list = list->next) {
		size_t taken, unused;

		pgtsim_table_becomes_upper(memory, list);
		assert_true(list->upper);
		taken = upper->pieces * 4096;
		unused = taken - ++count * 4096;
		assert_true(unused < (taken > few ? 2 << 20 : 64 << 10));
		assert_int_equal(host_advised, taken > few ? taken - few : 0);
	}
	pgtsim_memory_free(&memory);
}
#endif

/* Tables whose frames are far apart lie close together, and what is freed is used again first. */
static void test_scattered_tables(void **state)
{
	enum { FAR = 64 };
	struct pgtsim_memory *memory = make_one(0, FAR * CHUNK);
	struct pgtsim_table *list = NULL, **tail = &list;
	const uint64_t *last;

	(void)state;
	for (unsigned i = 0; i < FAR; i++) {
		uint64_t pfn;

		assert_int_equal(pgtsim_memory_alloc_tables(memory, 1, &tail), 1);
		while (i + 1 < FAR &&
		       pgtsim_memory_owner(memory, (i + 1) * CHUNK - 1) == PGTSIM_OWNER_FREE)
			assert_true(pgtsim_memory_alloc_run(memory, CHUNK - 1, &pfn) > 0);
	}
	assert_true(memory->host[LAST].slab_count <= 2 + FAR * 4096 / SLAB_BYTES);
	while (list->next)
		list = list->next;
	last = list->entries;
	pgtsim_memory_free_table(memory, list);
	list = NULL;
	tail = &list;
	assert_int_equal(pgtsim_memory_alloc_tables(memory, 1, &tail), 1);
	assert_ptr_equal(list->entries, last);
	pgtsim_memory_free(&memory);
}

/* Frames of tables that were freed can be reserved at once, and nobody else gets them then. */
static void test_reserve_what_tables_held(void **state)
{
	struct pgtsim_memory *memory = make_one(0, CHUNK);
	struct pgtsim_table *list = NULL, **tail = &list;
	uint64_t pfn, pages = 0;

	(void)state;
	assert_int_equal(pgtsim_memory_alloc_tables(memory, 4, &tail), 4);
	free_list(memory, list);
	assert_int_equal(pgtsim_memory_reserve_boot(memory, 0, 2), 0);
	for (int64_t got; (got = pgtsim_memory_alloc_run(memory, CHUNK, &pfn)) > 0;) {
		assert_true(pfn >= 2);
		pages += (uint64_t)got;
	}
	assert_int_equal(pages, CHUNK - 2);
	pgtsim_memory_free(&memory);
}

/* A list is appended to where its tail is, and stays terminated. */
static void test_table_lists(void **state)
{
	struct pgtsim_memory *memory = make_one(1, 14);
	struct pgtsim_table *list = NULL, **tail = &list;

	(void)state;
	assert_int_equal(pgtsim_memory_alloc_tables(memory, 0, &tail), 0);
	assert_null(list);
	assert_int_equal(pgtsim_memory_alloc_tables(memory, 2, &tail), 2);
	assert_int_equal(pgtsim_memory_alloc_tables(memory, 3, &tail), 3);
	assert_int_equal(list_length(list), 5);
	assert_int_equal(pgtsim_memory_alloc_tables(memory, 100, &tail), 8);
	assert_int_equal(list_length(list), 13);
	assert_int_equal(pgtsim_memory_alloc_tables(memory, 1, &tail), 0);
	assert_int_equal(list_length(list), 13);
	pgtsim_memory_free(&memory);
}

/* Allocates everything in blocks of all orders; writes the sequence. Returns its length. */
static size_t exhaust(struct pgtsim_memory *memory, uint64_t *pfn, uint8_t *orders)
{
	size_t count = 0;

	for (unsigned order = 0, failed = 0; failed < ORDERS; order = (order + 7) % ORDERS) {
		if (pgtsim_memory_alloc(memory, order, &pfn[count]) == 0) {
			orders[count++] = (uint8_t)order;
			failed = 0;
		} else {
			failed++;
		}
	}
	return count;
}

/* All allocated and all freed, in any order, is as if nothing had happened. */
static void test_exhaustion(void **state)
{
	static const struct pfn_range ranges[] = {
		{ 5, 3000 },
		{ 4000, 4001 },
		{ TOP - 5000, TOP },
	};
	static uint64_t first[8192], again[8192];
	static uint8_t first_orders[8192], orders[8192];
	static const size_t steps[] = { 1, 7, 1021 };
	struct pgtsim_memory *memory = make(ranges, COUNT(ranges));
	size_t count = exhaust(memory, first, first_orders), n = count;

	(void)state;
	memcpy(again, first, sizeof(again));
	memcpy(orders, first_orders, sizeof(orders));
	for (size_t i = 0; i < COUNT(steps); i++) {
		assert_int_equal(pgtsim_memory_free_count(memory), 0);
		assert_int_equal(n, count);
		assert_memory_equal(again, first, count * sizeof(*first));
		assert_memory_equal(orders, first_orders, count);
		for (size_t start = 0; start < steps[i]; start++)
			for (size_t j = start; j < count; j += steps[i])
				assert_int_equal(
					pgtsim_memory_free_pages(memory, first[j], orders[j]),
					PGTSIM_FREE_OK);
		assert_int_equal(pgtsim_memory_free_count(memory), 2995 + 1 + 5000);
		n = exhaust(memory, again, orders);
	}
	pgtsim_memory_free(&memory);
}

/* Boot memory must be free RAM, as a whole, and is never handed out. */
static void test_reserve_boot(void **state)
{
	static const struct pfn_range ranges[] = { { 10, 5000 }, { 5001, 6000 } };
	static const struct {
		uint64_t pfn, count;
		int err;
	} rows[] = {
		{ 10, 0, -EINVAL },   { 9, 2, -EINVAL },           { 4999, 2, -EINVAL },
		{ 4999, 3, -EINVAL }, { 10, UINT64_MAX, -EINVAL }, { UINT64_MAX, 1, -EINVAL },
		{ 10, 4990, -EBUSY }, /* frame 5500 is taken, frame 10 too */
		{ 10, 1, -EBUSY },    { 5490, 20, -EBUSY },        { 2000, 2148, 0 },
		{ 3000, 1, -EBUSY },  { 4147, 1, -EBUSY },         { 4148, 1, 0 },
		{ 1999, 1, 0 },
	};
	struct pgtsim_memory *memory = make(ranges, COUNT(ranges));
	uint64_t run, free_count = 4990 + 999, pfn = 0;

	(void)state;
	assert_int_equal(pgtsim_memory_reserve_boot(memory, 10, 1), 0);
	assert_int_equal(pgtsim_memory_reserve_boot(memory, 5500, 1), 0);
	free_count -= 2;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int err = pgtsim_memory_reserve_boot(memory, rows[i].pfn, rows[i].count);

		if (err != rows[i].err)
			fail_msg("row %zu: %d", i, err);
		free_count -= err ? 0 : rows[i].count;
		assert_int_equal(pgtsim_memory_free_count(memory), free_count);
	}
	for (int64_t got; (got = pgtsim_memory_alloc_run(memory, 5000, &pfn)) > 0;)
		for (run = (uint64_t)got; run; run--, pfn++, free_count--)
			assert_true(pfn != 10 && pfn != 5500 && (pfn < 1999 || pfn >= 4149));
	assert_int_equal(free_count, 0);
	pgtsim_memory_free(&memory);
}

/* One step of the tests of host failures. */
enum step_kind { RESERVE, ALLOC, RUN, GET_TABLES, FREE_RUN };

struct step {
	enum step_kind kind;
	uint64_t pfn, count; /* ALLOC: count is the order */
};

/* Returns the number of allocations that succeeded, or frames that changed hands; 0: failed. */
static uint64_t do_step(struct pgtsim_memory *memory, const struct step *step, uint64_t done,
			uint64_t *pfn)
{
	struct pgtsim_table *list = NULL, **tail = &list;
	enum pgtsim_bad_free bad;
	int64_t run;

	switch (step->kind) {
	case RESERVE:
		*pfn = step->pfn;
		return pgtsim_memory_reserve_boot(memory, step->pfn, step->count) ? 0 : step->count;
	case ALLOC:
		return pgtsim_memory_alloc(memory, (unsigned)step->count, pfn) ? 0 : step->count;
	case RUN:
		run = pgtsim_memory_alloc_run(memory, step->count - done, pfn);
		return run < 0 ? 0 : (uint64_t)run;
	case GET_TABLES:
		done = pgtsim_memory_alloc_tables(memory, step->count - done, &tail);
		*pfn = list ? list->pa >> 16 : 0;
		return done;
	default:
		*pfn = step->pfn;
		return pgtsim_memory_free_run(memory, step->pfn, step->count, &bad);
	}
}

/* Makes memory and does all steps, each again if it failed. Returns a sum over what came out. */
static uint64_t do_steps(const struct step *steps, size_t count)
{
	static const struct pgtsim_ram ram[] = { { 7 << 16, 30 << 16 },
						 { 1024 << 16, UINT64_C(1) << 33 } };
	struct pgtsim_memory *memory = NULL;
	uint64_t sum = 0;

	if (pgtsim_memory_new(&memory, 16, 65536, ram, COUNT(ram)) == -ENOMEM) {
		assert_null(memory);
		assert_int_equal(pgtsim_memory_new(&memory, 16, 65536, ram, COUNT(ram)), 0);
	}
	for (size_t i = 0; i < count; i++) {
		unsigned failed = 0;

		for (uint64_t done = 0; done < steps[i].count;) {
			uint64_t before = pgtsim_memory_free_count(memory), pfn = 0;
			uint64_t got = do_step(memory, &steps[i], done, &pfn);

			done += got;
			if (!got)
				assert_int_equal(pgtsim_memory_free_count(memory), before);
			failed += !got;
			assert_true(failed <= 1);
		}
		sum = sum * 31 + pgtsim_memory_free_count(memory);
		for (uint64_t frame = 0; frame < 1 << 13; frame++)
			sum = sum * 31 + pgtsim_memory_owner(memory, frame);
	}
	pgtsim_memory_free(&memory);
	return sum;
}

/* Whichever host allocation fails, nothing is changed or lost, and the next try succeeds. */
static void test_host_failures(void **state)
{
	static const struct step steps[] = {
		{ RESERVE, 1030, 2500 }, { ALLOC, 0, 5 },        { RUN, 0, 1500 },
		{ GET_TABLES, 0, 700 },  { ALLOC, 0, 10 },       { RESERVE, 66000, 1000 },
		{ FREE_RUN, 4000, 96 },  { GET_TABLES, 0, 120 }, { RESERVE, 8 * 1024, 2048 },
	};
	uint64_t sum = do_steps(steps, COUNT(steps));
	unsigned n = 0;

	(void)state;
	do {
		host_fail_in = ++n;
		if (do_steps(steps, COUNT(steps)) != sum)
			fail_msg("host allocation %u", n);
	} while (!host_fail_in);
	host_fail_in = 0;
	assert_true(n > 20);
}

/* What a failed reservation prepared above fresh memory is not handed out before that. */
static void test_failed_reserve_keeps_order(void **state)
{
	struct pgtsim_memory *memory = make_one(0, 16 * CHUNK);

	(void)state;
	host_fail_in = 4; /* after the region, chunk 8 and what stands for chunk 9 */
	assert_int_equal(pgtsim_memory_reserve_boot(memory, 8 * CHUNK + 1, 2 * CHUNK), -ENOMEM);
	assert_int_equal(host_fail_in, 0);
	assert_int_equal(pgtsim_memory_free_count(memory), 16 * CHUNK);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(alloc(memory, PGTSIM_MAX_ORDER), i * CHUNK);
	pgtsim_memory_free(&memory);
}

/* If the host has memory for some tables of a run, those are allocated, as by single calls. */
static void test_some_host_memory(void **state)
{
	static const struct pgtsim_ram ram = { 0, 1024 << 16 };
	struct pgtsim_table *list = NULL, **tail = &list;
	struct pgtsim_memory *memory;
	uint64_t first_slab;

	(void)state;
	assert_int_equal(pgtsim_memory_new(&memory, 16, 4096, &ram, 1), 0);
	assert_int_equal(pgtsim_memory_alloc_tables(memory, 1, &tail), 1);
	first_slab = memory->host[LAST].pieces;
	assert_true(first_slab > 1 && first_slab < 100);
	pgtsim_memory_free_table(memory, list);
	tail = &list;
	host_fail_in = 1;
	host_keeps_failing = true;
	assert_int_equal(pgtsim_memory_alloc_tables(memory, 100, &tail), first_slab);
	host_keeps_failing = false;
	host_fail_in = 0;
	assert_int_equal(pgtsim_memory_free_count(memory), 1024 - first_slab);
	assert_int_equal(pgtsim_memory_alloc_tables(memory, 100, &tail), 100);
	assert_int_equal(list_length(list), 100 + first_slab);
	pgtsim_memory_free(&memory);
}

/* The naive model: an array of frames, and for each free block, found anew, its order. */
enum { MODEL_CHUNKS = 8, NO_ORDER = 255 };

struct model {
	unsigned chunk_count;
	uint64_t chunk[MODEL_CHUNKS];
	uint8_t owner[MODEL_CHUNKS * CHUNK_FRAMES];
	uint8_t order[MODEL_CHUNKS * CHUNK_FRAMES]; /* of the allocated block that starts here */
	uint8_t free_order[MODEL_CHUNKS * CHUNK_FRAMES]; /* of the free block that starts here */
	uint64_t fail_in, fail_again;
};

/* Two memories that get the same, one in runs and one in single calls, and the model. */
struct property {
	struct pgtsim_memory *runs, *singles;
	struct model *model;
	uint64_t random;
	unsigned layout, seed, step;
};

#define CHECK(p, condition)                                                                        \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fail_msg("layout %u seed %u step %u, line %d: %s", (p)->layout, (p)->seed, \
				 (p)->step, __LINE__, #condition);                                 \
	} while (0)

static unsigned model_frames(const struct model *model)
{
	return model->chunk_count * CHUNK_FRAMES;
}

static uint64_t model_pfn(const struct model *model, unsigned frame)
{
	return model->chunk[frame / CHUNK_FRAMES] * CHUNK + frame % CHUNK_FRAMES;
}

/* The model's number of a frame; -1 if it has none. */
static int model_frame(const struct model *model, uint64_t pfn)
{
	for (unsigned i = 0; i < model->chunk_count; i++)
		if (model->chunk[i] == pfn / CHUNK)
			return (int)(i * CHUNK_FRAMES + pfn % CHUNK);
	return -1;
}

static bool all_free(const struct model *model, unsigned frame, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (model->owner[frame + i] != PGTSIM_OWNER_FREE)
			return false;
	return true;
}

/* Finds the free blocks of this frame's chunk anew: the largest aligned ones. */
static void model_refresh(struct model *model, unsigned frame)
{
	unsigned end;

	frame -= frame % CHUNK_FRAMES;
	end = frame + CHUNK_FRAMES;
	memset(&model->free_order[frame], NO_ORDER, CHUNK_FRAMES);
	while (frame < end) {
		unsigned order = 0;

		if (model->owner[frame] != PGTSIM_OWNER_FREE) {
			frame++;
			continue;
		}
		while (order < PGTSIM_MAX_ORDER && frame % (2u << order) == 0 &&
		       all_free(model, frame + (1u << order), 1u << order))
			order++;
		model->free_order[frame] = (uint8_t)order;
		frame += 1u << order;
	}
}

static void model_own(struct model *model, unsigned frame, unsigned order, uint8_t owner)
{
	memset(&model->owner[frame], owner, 1u << order);
	memset(&model->order[frame], NO_ORDER, 1u << order);
	model->order[frame] = (uint8_t)order;
	model_refresh(model, frame);
}

/* The lowest free block of the smallest sufficient order; -1 if there is none. */
static int model_find(const struct model *model, unsigned order)
{
	int best = -1;
	unsigned best_order = NO_ORDER;

	for (unsigned i = 0; i < model_frames(model); i++) {
		if (model->free_order[i] >= order && model->free_order[i] < best_order) {
			best_order = model->free_order[i];
			best = (int)i;
		}
	}
	return best;
}

static int model_alloc(struct model *model, unsigned order, uint8_t owner, uint64_t *pfn)
{
	int frame;

	if (model->fail_in == 1) {
		model->fail_in = model->fail_again;
		return -ENOMEM;
	}
	frame = model_find(model, order);
	if (frame < 0)
		return -ENOMEM;
	if (model->fail_in)
		model->fail_in--;
	model_own(model, (unsigned)frame, order, owner);
	*pfn = model_pfn(model, (unsigned)frame);
	return 0;
}

static enum pgtsim_bad_free model_free(struct model *model, uint64_t pfn, unsigned order)
{
	int frame = model_frame(model, pfn);

	if (frame < 0 || model->owner[frame] == PGTSIM_OWNER_NOT_RAM)
		return PGTSIM_FREE_NOT_RAM;
	if (model->owner[frame] == PGTSIM_OWNER_FREE)
		return PGTSIM_FREE_DOUBLE;
	if (model->owner[frame] == PGTSIM_OWNER_BOOT)
		return PGTSIM_FREE_BOOT;
	if (model->owner[frame] == PGTSIM_OWNER_TABLE)
		return PGTSIM_FREE_WRONG_OWNER;
	if (order > PGTSIM_MAX_ORDER || model->order[frame] != order)
		return PGTSIM_FREE_WRONG_ORDER;
	model_own(model, (unsigned)frame, order, PGTSIM_OWNER_FREE);
	return PGTSIM_FREE_OK;
}

static int model_reserve(struct model *model, uint64_t pfn, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		int frame = model_frame(model, pfn + i);

		if (frame < 0 || model->owner[frame] == PGTSIM_OWNER_NOT_RAM)
			return -EINVAL;
	}
	for (uint64_t i = 0; i < count; i++)
		if (model->owner[model_frame(model, pfn + i)] != PGTSIM_OWNER_FREE)
			return -EBUSY;
	for (uint64_t i = 0; i < count; i++)
		model_own(model, (unsigned)model_frame(model, pfn + i), 0, PGTSIM_OWNER_BOOT);
	return count ? 0 : -EINVAL;
}

static void model_add_range(struct model *model, const struct pfn_range *range)
{
	for (uint64_t pfn = range->start; pfn < range->end; pfn++) {
		if (model_frame(model, pfn) < 0) {
			assert_true(model->chunk_count < MODEL_CHUNKS);
			model->chunk[model->chunk_count++] = pfn / CHUNK;
		}
		model->owner[model_frame(model, pfn)] = PGTSIM_OWNER_FREE;
	}
	for (unsigned i = 0; i < model_frames(model); i += CHUNK_FRAMES)
		model_refresh(model, i);
}

/* xorshift64: Marsaglia, "Xorshift RNGs", 2003. Below `limit`, which is small. */
static unsigned random_below(struct property *p, unsigned limit)
{
	p->random ^= p->random << 13;
	p->random ^= p->random >> 7;
	p->random ^= p->random << 17;
	return (unsigned)((p->random >> 16) % limit);
}

/* Mostly few, sometimes more than a chunk. */
static unsigned random_count(struct property *p)
{
	static const unsigned limits[] = { 3, 20, 20, 100, 1500 };

	return random_below(p, limits[random_below(p, COUNT(limits))]);
}

/* A frame that is RAM, near RAM or, rarely, far from it. */
static uint64_t random_pfn(struct property *p)
{
	if (random_below(p, 50) == 0)
		return p->random;
	return model_pfn(p->model, random_below(p, model_frames(p->model)));
}

/* The first frame at or after a random one that `owner` has; -1 if there is none. */
static int random_owned(struct property *p, uint8_t owner)
{
	unsigned frame = random_below(p, model_frames(p->model));

	for (; frame < model_frames(p->model); frame++)
		if (p->model->owner[frame] == owner && p->model->order[frame] != NO_ORDER)
			return (int)frame;
	return -1;
}

static int alloc_one(struct property *p, unsigned order)
{
	uint64_t a = 0, b = 0, m = 0;
	int err = model_alloc(p->model, order, PGTSIM_OWNER_PAGES, &m);

	CHECK(p, pgtsim_memory_alloc(p->runs, order, &a) == err);
	CHECK(p, pgtsim_memory_alloc(p->singles, order, &b) == err);
	CHECK(p, a == m && b == m);
	return err;
}

static void do_alloc(struct property *p)
{
	alloc_one(p, random_below(p, random_below(p, 4) ? 5 : ORDERS));
}

/* Order-0 pages, in runs and one by one. */
static void alloc_pages(struct property *p, unsigned count)
{
	for (unsigned left = count; left;) {
		uint64_t pfn = 0, b = 0, m = 0;
		int64_t run = pgtsim_memory_alloc_run(p->runs, left, &pfn);
		int expected = run < 0 ? -ENOMEM : 0;

		CHECK(p, run == -ENOMEM || (run > 0 && run <= (int64_t)left));
		for (int64_t i = 0; i < (run < 0 ? 1 : run); i++) {
			CHECK(p, model_alloc(p->model, 0, PGTSIM_OWNER_PAGES, &m) == expected);
			CHECK(p, pgtsim_memory_alloc(p->singles, 0, &b) == expected);
			CHECK(p, expected || (m == pfn + (uint64_t)i && b == m));
		}
		if (run < 0)
			break;
		left -= (unsigned)run;
	}
}

static void do_alloc_run(struct property *p)
{
	alloc_pages(p, random_count(p));
}

static void do_alloc_tables(struct property *p)
{
	unsigned count = random_count(p);
	struct pgtsim_table *list = NULL, **tail = &list, *one, **one_tail;
	uint64_t got = pgtsim_memory_alloc_tables(p->runs, count, &tail), m = 0;

	CHECK(p, got <= count && list_length(list) == got && *tail == NULL);
	for (; list; list = list->next) {
		if (random_below(p, 4) == 0)
			pgtsim_table_becomes_upper(p->runs, list);
		pgtsim_table_write_out(list);
		one_tail = &one;
		CHECK(p, model_alloc(p->model, 0, PGTSIM_OWNER_TABLE, &m) == 0);
		CHECK(p, pgtsim_memory_alloc_tables(p->singles, 1, &one_tail) == 1);
		CHECK(p, list->pa == m << 12 && one->pa == m << 12);
		CHECK(p, list->entries[0] == 0 && list->entries[511] == 0);
	}
	one_tail = &one;
	if (got < count) {
		CHECK(p, model_alloc(p->model, 0, PGTSIM_OWNER_TABLE, &m) == -ENOMEM);
		CHECK(p, pgtsim_memory_alloc_tables(p->singles, 1, &one_tail) == 0);
	}
}

/* Frees the pages that start at a frame. */
static void free_one(struct property *p, unsigned frame)
{
	unsigned order = p->model->order[frame];
	uint64_t pfn = model_pfn(p->model, frame);

	CHECK(p, model_free(p->model, pfn, order) == PGTSIM_FREE_OK);
	CHECK(p, pgtsim_memory_free_pages(p->runs, pfn, order) == PGTSIM_FREE_OK);
	CHECK(p, pgtsim_memory_free_pages(p->singles, pfn, order) == PGTSIM_FREE_OK);
}

static void do_free(struct property *p)
{
	int frame = random_owned(p, PGTSIM_OWNER_PAGES);

	if (frame >= 0)
		free_one(p, (unsigned)frame);
}

/* Most of these are wrong. */
static void do_free_anything(struct property *p)
{
	unsigned order = random_below(p, 4) ? random_below(p, 3) : random_below(p, 20);
	uint64_t pfn = random_pfn(p);
	enum pgtsim_bad_free bad = model_free(p->model, pfn, order);

	CHECK(p, pgtsim_memory_free_pages(p->runs, pfn, order) == bad);
	CHECK(p, pgtsim_memory_free_pages(p->singles, pfn, order) == bad);
}

static void do_free_run(struct property *p)
{
	int frame = random_owned(p, PGTSIM_OWNER_PAGES);
	uint64_t pfn = frame < 0 ? random_pfn(p) : model_pfn(p->model, (unsigned)frame);
	unsigned count = random_count(p), done = 0;
	enum pgtsim_bad_free bad = PGTSIM_FREE_OK, m = PGTSIM_FREE_OK;
	uint64_t got = pgtsim_memory_free_run(p->runs, pfn, count, &bad);

	while (done < count && m == PGTSIM_FREE_OK) {
		m = model_free(p->model, pfn + done, 0);
		CHECK(p, pgtsim_memory_free_pages(p->singles, pfn + done, 0) == m);
		done += m == PGTSIM_FREE_OK;
	}
	CHECK(p, got == done && bad == m);
}

static void free_one_table(struct property *p, unsigned frame)
{
	uint64_t pfn = model_pfn(p->model, frame);
	struct pgtsim_table *a = pgtsim_memory_table(p->runs, pfn << 12);
	struct pgtsim_table *b = pgtsim_memory_table(p->singles, pfn << 12);

	CHECK(p, a && b);
	a->entries[random_below(p, 512)] = 1;
	a->live = 1;
	pgtsim_memory_free_table(p->runs, a);
	pgtsim_memory_free_table(p->singles, b);
	model_own(p->model, frame, 0, PGTSIM_OWNER_FREE);
}

static void do_free_tables(struct property *p)
{
	int start = random_owned(p, PGTSIM_OWNER_TABLE);
	unsigned count = random_count(p);

	if (start < 0)
		return;
	for (unsigned i = (unsigned)start; i < model_frames(p->model) && count; i++, count--)
		if (p->model->owner[i] == PGTSIM_OWNER_TABLE)
			free_one_table(p, i);
}

static void do_fail(struct property *p)
{
	unsigned nth = random_below(p, 3) ? random_below(p, 100) : 0;
	bool every = random_below(p, 2);

	p->model->fail_in = nth;
	p->model->fail_again = every ? nth : 0;
	pgtsim_memory_fail(p->runs, nth, every);
	pgtsim_memory_fail(p->singles, nth, every);
}

static void reserve(struct property *p, uint64_t pfn, unsigned count)
{
	int err = model_reserve(p->model, pfn, count);

	CHECK(p, pgtsim_memory_reserve_boot(p->runs, pfn, count) == err);
	CHECK(p, pgtsim_memory_reserve_boot(p->singles, pfn, count) == err);
}

static void do_reserve(struct property *p)
{
	uint64_t pfn = random_pfn(p);

	reserve(p, pfn, random_below(p, 8) ? random_below(p, 8) : random_count(p));
}

static void check_same(struct property *p, bool owners)
{
	uint64_t free_count = 0;

	for (unsigned i = 0; i < model_frames(p->model); i++)
		free_count += p->model->owner[i] == PGTSIM_OWNER_FREE;
	CHECK(p, pgtsim_memory_free_count(p->runs) == free_count);
	CHECK(p, pgtsim_memory_free_count(p->singles) == free_count);
	for (unsigned i = 0; owners && i < model_frames(p->model); i++) {
		uint64_t pfn = model_pfn(p->model, i);

		CHECK(p, pgtsim_memory_owner(p->runs, pfn) == p->model->owner[i]);
		CHECK(p, pgtsim_memory_owner(p->singles, pfn) == p->model->owner[i]);
		CHECK(p, !pgtsim_memory_table(p->runs, pfn << 12) ==
				 (p->model->owner[i] != PGTSIM_OWNER_TABLE));
	}
}

static void do_random_step(struct property *p)
{
	static void (*const actions[])(struct property * p) = {
		do_alloc,         do_alloc,    do_alloc_run,   do_alloc_run,   do_alloc_tables,
		do_alloc_tables,  do_free,     do_free,        do_free_run,    do_free_run,
		do_free_anything, do_free_run, do_free_tables, do_free_tables, do_free_tables,
		do_free_anything, do_fail,
	};

	if (random_below(p, 60) == 0)
		do_reserve(p);
	else
		actions[random_below(p, COUNT(actions))](p);
	check_same(p, p->step % 16 == 0);
}

/* Allocates all in blocks from large to small: the free blocks are the model's. */
static void drain(struct property *p)
{
	for (int order = PGTSIM_MAX_ORDER; order >= 0;)
		order -= alloc_one(p, (unsigned)order) != 0;
	CHECK(p, pgtsim_memory_free_count(p->runs) == 0);
}

/* Frees all, then allocates all. */
static void finish(struct property *p)
{
	pgtsim_memory_fail(p->runs, 0, false);
	pgtsim_memory_fail(p->singles, 0, false);
	p->model->fail_in = 0;
	for (unsigned i = 0; i < model_frames(p->model); i++) {
		if (p->model->owner[i] == PGTSIM_OWNER_TABLE)
			free_one_table(p, i);
		else if (p->model->owner[i] == PGTSIM_OWNER_PAGES)
			free_one(p, i);
	}
	check_same(p, true);
	check_pools_whole(p->runs);
	drain(p);
}

/* RAM for the property test; the ranges of a model ascend, memory gets them in reverse. */
static const struct {
	size_t count;
	struct pfn_range range[5];
} layouts[] = {
	{ 1, { { 0, 3072 } } },
	{ 1, { { 1025, 1026 } } },
	{ 2, { { 1000, 1030 }, { 1500, 5003 } } },
	{ 3, { { 0, 50 }, { 100, 200 }, { 200, 2048 } } },
	{ 5, { { 1, 2 }, { 3, 4 }, { 5, 9 }, { 16, 1000 }, { 1023, 1025 } } },
	{ 2, { { 4096 - 7, 4096 + 300 }, { REGION_FRAMES * 3 + 5, REGION_FRAMES * 3 + 2048 } } },
	{ 2, { { REGION_FRAMES - 1024, REGION_FRAMES + 2048 }, { TOP - 2500, TOP } } },
};

static void run_property(unsigned layout, unsigned seed)
{
	static struct model model;
	struct property p = { .model = &model, .layout = layout, .seed = seed };
	size_t count = layouts[layout].count;
	struct pfn_range reversed[COUNT(layouts[0].range)];

	memset(&model, 0, sizeof(model));
	p.random = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
	for (size_t i = 0; i < count; i++) {
		model_add_range(&model, &layouts[layout].range[i]);
		reversed[count - 1 - i] = layouts[layout].range[i];
	}
	p.runs = make(reversed, count);
	p.singles = make(reversed, count);
	check_same(&p, true);
	for (p.step = 1; p.step <= 250; p.step++)
		do_random_step(&p);
	finish(&p);
	pgtsim_memory_free(&p.runs);
	pgtsim_memory_free(&p.singles);
}

/* Runs, single calls and the model agree on every result, whatever is asked of them. */
static void test_runs_equal_singles_equal_model(void **state)
{
	(void)state;
	for (unsigned layout = 0; layout < COUNT(layouts); layout++)
		for (unsigned seed = 0; seed < 8; seed++)
			run_property(layout, seed);
}

/*
 * For the test of blocks that single pages are taken of: four chunks, all of it allocated as single
 * pages, save the block [START, START + 2^order), another of that order above, and a larger one.
 */
enum { START = CHUNK_FRAMES, OTHER = 2 * CHUNK_FRAMES, LARGER = 3 * CHUNK_FRAMES };

static void start_with_blocks(struct property *p, struct model *model, unsigned order)
{
	const struct pfn_range range = { 0, 4 * CHUNK };
	const struct pfn_range free[] = { { START, START + (UINT64_C(1) << order) },
					  { OTHER, OTHER + (UINT64_C(1) << order) },
					  { LARGER, LARGER + (UINT64_C(2) << order) } };
	enum pgtsim_bad_free bad;
	uint64_t pfn;

	*p = (struct property){ .model = model, .seed = order };
	p->runs = make(&range, 1);
	p->singles = make(&range, 1);
	while (pgtsim_memory_alloc_run(p->runs, 4 * CHUNK, &pfn) > 0)
		;
	while (pgtsim_memory_alloc(p->singles, 0, &pfn) == 0)
		;
	memset(model, 0, sizeof(*model));
	model_add_range(model, &range);
	memset(model->owner, PGTSIM_OWNER_PAGES, 4 * CHUNK);
	for (size_t i = 0; i < COUNT(free); i++) {
		uint64_t count = free[i].end - free[i].start;

		if (order == PGTSIM_MAX_ORDER && free[i].start == LARGER)
			continue;
		pgtsim_memory_free_run(p->runs, free[i].start, count, &bad);
		pgtsim_memory_free_run(p->singles, free[i].start, count, &bad);
		memset(&model->owner[free[i].start], PGTSIM_OWNER_FREE, count);
	}
	for (unsigned i = 0; i < model_frames(model); i += CHUNK_FRAMES)
		model_refresh(model, i);
}

/* What happens when `taken` pages of the block were taken. Returns whether there is such a case. */
static bool interrupt(struct property *p, unsigned what, unsigned order, unsigned taken)
{
	const unsigned frames[] = { START,
				    START + taken - 1,
				    START + taken / 2,
				    START + (1u << order),
				    START + (2u << order),
				    START - 1,
				    0,
				    OTHER + (1u << order),
				    OTHER - 1,
				    4 * CHUNK_FRAMES - 1 };

	if (what < COUNT(frames)) {
		if (p->model->owner[frames[what]] == PGTSIM_OWNER_PAGES)
			free_one(p, frames[what]);
		return true;
	}
	what -= COUNT(frames);
	if (what < ORDERS) {
		alloc_one(p, what);
		return true;
	}
	what -= ORDERS;
	if (what == 0)
		reserve(p, START + taken, 1);
	else if (what == 1)
		reserve(p, OTHER, 1);
	else if (what == 2)
		reserve(p, START, 1);
	return what <= 2;
}

/* Single pages taken of a block of each order are the model's, whatever comes in between. */
static void test_pages_of_each_block(void **state)
{
	static struct model model;
	bool more = true;

	(void)state;
	for (unsigned what = 0; more; what++)
		for (unsigned order = 0; order < ORDERS; order++)
			for (unsigned taken = 1; taken <= 1u << order; taken += 1 + taken) {
				struct property p;

				start_with_blocks(&p, &model, order);
				p.layout = what;
				p.step = taken;
				alloc_pages(&p, taken);
				more = interrupt(&p, what, order, taken);
				alloc_pages(&p, 20);
				check_same(&p, true);
				drain(&p);
				pgtsim_memory_free(&p.runs);
				pgtsim_memory_free(&p.singles);
			}
}

/* Owners and wrong frees have names. */
static void test_names(void **state)
{
	(void)state;
	assert_string_equal(pgtsim_owner_name(PGTSIM_OWNER_NOT_RAM), "not RAM");
	assert_string_equal(pgtsim_owner_name(PGTSIM_OWNER_TABLE), "table");
	assert_string_equal(pgtsim_owner_name((enum pgtsim_owner)6), "unknown");
	assert_string_equal(pgtsim_bad_free_name(PGTSIM_FREE_DOUBLE), "double free");
	assert_string_equal(pgtsim_bad_free_name(PGTSIM_FREE_WRONG_ORDER), "wrong order");
	assert_string_equal(pgtsim_bad_free_name((enum pgtsim_bad_free)6), "unknown");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		/* First, as they look at how the process has grown. */
		cmocka_unit_test(test_large_machines_cost_little),
		cmocka_unit_test(test_large_boot_memory_costs_little),
		cmocka_unit_test(test_new_refuses),
		cmocka_unit_test(test_is_ram),
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_which_block),
		cmocka_unit_test(test_wrong_frees),
		cmocka_unit_test(test_failure_injection),
		cmocka_unit_test(test_failure_injection_counts_successes),
		cmocka_unit_test(test_tables),
#ifdef __linux__
		cmocka_unit_test(test_tables_fit_huge_pages),
		cmocka_unit_test(test_upper_tables_grow),
#endif
		cmocka_unit_test(test_single_tables),
		cmocka_unit_test(test_upper_tables),
		cmocka_unit_test(test_no_memory_for_upper_tables),
		cmocka_unit_test(test_dirty_memory_stays_dirty),
		cmocka_unit_test(test_notes_given_up),
		cmocka_unit_test(test_scattered_tables),
		cmocka_unit_test(test_table_lists),
		cmocka_unit_test(test_exhaustion),
		cmocka_unit_test(test_reserve_boot),
		cmocka_unit_test(test_reserve_what_tables_held),
		cmocka_unit_test(test_host_failures),
		cmocka_unit_test(test_failed_reserve_keeps_order),
		cmocka_unit_test(test_some_host_memory),
		cmocka_unit_test(test_runs_equal_singles_equal_model),
		cmocka_unit_test(test_pages_of_each_block),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
