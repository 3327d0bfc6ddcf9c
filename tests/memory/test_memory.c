/* SPDX-License-Identifier: MIT */
/* The page allocator: which block, wrong frees, failure injection, boot memory, host failures. */
#include "host_memory.h"

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
	{ 12, 16384, 1, { { 0, 4096 } }, 0 },
	{ 12, 16392, 1, { { 0, 4096 } }, -EINVAL },
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
	{ 12, 4096, SIZE_MAX / 8, { { 0, 4096 } }, -ENOBUFS },
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
	uint64_t got, pfn;

	if (way == SINGLES || way == BLOCKS)
		got = pgtsim_memory_alloc(memory, way == BLOCKS ? 3 : 0, &pfn) ? 0 : 1;
	else if (way == RUNS)
		got = pgtsim_memory_alloc_run(memory, count, &pfn);
	else
		got = pgtsim_memory_alloc_tables(memory, asked, &tail);
	if (way == RUNS && got)
		asked = (size_t)got;
	memset(out, '.', (size_t)got);
	if (got < asked)
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
	assert_int_equal(pgtsim_memory_alloc_run(memory, 1, &pfn), 0);
	assert_int_equal(pgtsim_memory_alloc_run(memory, 0, &pfn), 0);
	assert_int_equal(pgtsim_memory_alloc_tables(memory, 3, &tail), 0);
	assert_int_equal(pgtsim_memory_free_run(memory, 0, 2, &bad), 2);
	assert_int_equal(alloc(memory, 0), 0);
	assert_int_equal(pgtsim_memory_alloc(memory, 0, &pfn), -ENOMEM);
	assert_int_equal(alloc(memory, 0), 1);
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

	switch (step->kind) {
	case RESERVE:
		*pfn = step->pfn;
		return pgtsim_memory_reserve_boot(memory, step->pfn, step->count) ? 0 : step->count;
	case ALLOC:
		return pgtsim_memory_alloc(memory, (unsigned)step->count, pfn) ? 0 : step->count;
	case RUN:
		return pgtsim_memory_alloc_run(memory, step->count - done, pfn);
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

	if (pgtsim_memory_new(&memory, 16, 65536, ram, COUNT(ram)) == -ENOBUFS) {
		assert_null(memory);
		assert_int_equal(pgtsim_memory_new(&memory, 16, 65536, ram, COUNT(ram)), 0);
	}
	for (size_t i = 0; i < count; i++) {
		unsigned failed = 0;

		for (uint64_t done = 0; done < steps[i].count;) {
			uint64_t before = pgtsim_memory_free_count(memory), pfn = 0;
			uint64_t got = do_step(memory, &steps[i], done, &pfn);

			done += got;
			if (!got) {
				assert_int_equal(pgtsim_memory_free_count(memory), before);
				assert_true(pgtsim_memory_out_of_host_memory(memory));
			}
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

/*
 * Whichever host allocation fails, nothing is changed or lost, the next try succeeds, and it stays
 * known that one failed.
 */
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
	assert_int_equal(pgtsim_memory_reserve_boot(memory, 8 * CHUNK + 1, 2 * CHUNK), -ENOBUFS);
	assert_int_equal(host_fail_in, 0);
	assert_true(pgtsim_memory_out_of_host_memory(memory));
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
	first_slab = memory->host[POOL_PTE].pieces;
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

/* Owners and wrong frees have names. */
static void test_names(void **state)
{
	(void)state;
	assert_string_equal(pgtsim_owner_name(PGTSIM_OWNER_NOT_RAM), "not RAM");
	assert_string_equal(pgtsim_owner_name(PGTSIM_OWNER_TABLE), "table");
	assert_string_equal(pgtsim_owner_name((enum pgtsim_owner)6), "unknown");
	assert_string_equal(pgtsim_bad_free_name(PGTSIM_FREE_DOUBLE), "double free");
	assert_string_equal(pgtsim_bad_free_name(PGTSIM_FREE_WRONG_ORDER), "wrong order");
	assert_string_equal(pgtsim_bad_free_name(PGTSIM_FREE_BUSY), "from the hook of a free");
	assert_string_equal(pgtsim_bad_free_name((enum pgtsim_bad_free)7), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_large_machines_cost_little),
		cmocka_unit_test(test_large_boot_memory_costs_little),
		cmocka_unit_test(test_new_refuses),
		cmocka_unit_test(test_is_ram),
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_which_block),
		cmocka_unit_test(test_wrong_frees),
		cmocka_unit_test(test_failure_injection),
		cmocka_unit_test(test_failure_injection_counts_successes),
		cmocka_unit_test(test_exhaustion),
		cmocka_unit_test(test_reserve_boot),
		cmocka_unit_test(test_host_failures),
		cmocka_unit_test(test_failed_reserve_keeps_order),
		cmocka_unit_test(test_some_host_memory),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
