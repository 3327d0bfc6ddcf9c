/* SPDX-License-Identifier: MIT */
/* Table pages: their records, host memory, upper tables and child caches. */
#include "host_memory.h"

static void check_fresh_entries(struct pgtsim_memory *memory, struct pgtsim_table *table,
				size_t entries)
{
	assert_ptr_equal(pgtsim_memory_table(memory, table->pa), table);
	assert_int_equal((uintptr_t)table->entries % 64, 0);
	assert_int_equal((uintptr_t)table % (sizeof(void *) == 8 ? 64 : 4), 0);
	assert_int_equal(table->live, 0);
	for (size_t i = 0; i < entries; i++)
		assert_int_equal(table->entries[i], 0);
}

static void check_fresh_table(struct pgtsim_memory *memory, struct pgtsim_table *table,
			      size_t entries)
{
	check_fresh_entries(memory, table, entries);
	assert_int_equal(pgtsim_state(table)->first, entries);
	assert_int_equal(table->level, 0);
	assert_int_equal(table->region, 0);
	assert_false(table->linked);
}

/* Leaves a table as pgtable and observers might leave it, except for `next`. */
static void scribble(struct pgtsim_table *table, size_t bytes)
{
	memset(table->entries, 0xff, bytes);
	table->live = (uint32_t)(bytes / 8);
	pgtsim_state(table)->first = 0;
	table->level = 3;
	table->region = 2;
	table->linked = true;
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
	if (pgtsim_state(table)->lazy && !pgtsim_state(table)->upper)
		return POOL_PTE;
	for (unsigned pool = POOL_PTE; pool < POOL_RECORDS; pool++) {
		const struct host *host = &memory->host[pool];

		for (size_t i = 0; i < host->slab_count; i++)
			if ((uintptr_t)table->entries - (uintptr_t)host->slabs[i].at <
			    host->slabs[i].bytes)
				return (enum pool)pool;
	}
	return POOLS;
}

/* Checks that only the first entry of a table is cached. Tables that are too large have no cache. */
static void check_cache(const struct pgtsim_memory *memory, struct pgtsim_table *table)
{
	unsigned entries = (unsigned)(memory->table_bytes / 8);

	assert_int_equal(!pgtsim_state(table)->cache, entries > CACHED_ENTRIES);
	if (!pgtsim_state(table)->cache)
		return;
	assert_int_equal(pgtsim_state(table)->cache->count, 1);
	assert_int_equal(pgtsim_bits_first(pgtsim_state(table)->cache->cached, 0, entries), 0);
	assert_int_equal(pgtsim_bits_first(pgtsim_state(table)->cache->cached, 1, entries),
			 entries);
	for (unsigned i = 0; i < entries; i++)
		assert_ptr_equal(pgtsim_cached_child(table, i), i ? NULL : table);
}

/* Makes each nth table of a list an upper one and cache a child in some; all of them are empty. */
static void make_upper(struct pgtsim_memory *memory, struct pgtsim_table *list, unsigned nth)
{
	for (unsigned n = 0; list; list = list->next, n++) {
		if (n % nth == 0) {
			const uint64_t *entries;

			pgtsim_table_use_upper_pool(memory, list);
			entries = list->entries;
			pgtsim_table_use_upper_pool(memory, list); /* is ignored */
			assert_ptr_equal(list->entries, entries);
			assert_int_equal(pool_of(memory, list), POOL_UPPER);
		}
		if (n % (2 * nth) == 0) {
			pgtsim_cache_child(memory, list, 0, list);
			check_cache(memory, list);
		}
		pgtsim_table_materialize(list);
		check_fresh_entries(memory, list, memory->table_bytes / 8);
	}
}

/* Upper tables and cache have pools of their own, to which their memory returns, clean or not. */
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

			assert_int_equal(
				pgtsim_memory_alloc_lazy_tables(memory, rows[i].count, &tail),
				rows[i].count);
			for (const struct pgtsim_table *at = list; at; at = at->next)
				assert_int_equal(pool_of(memory, at), POOL_PTE);
			make_upper(memory, list, 3 - round % 2);
			for (struct pgtsim_table *at = list; at; at = at->next)
				if (round)
					scribble(at, rows[i].bytes);
				else
					pgtsim_cache_drop(at, 0);
			free_list(memory, list);
			check_pools_whole(memory);
		}
		pgtsim_memory_free(&memory);
	}
}

/* Without host memory a table stays where it is, and has no cache. */
static void test_no_memory_for_upper_tables(void **state)
{
	struct pgtsim_memory *memory = make_one(0, CHUNK);
	struct pgtsim_table *list = NULL, **tail = &list;
	const uint64_t *entries;

	(void)state;
	assert_int_equal(pgtsim_memory_alloc_lazy_tables(memory, 1, &tail), 1);
	entries = list->entries;
	host_fail_in = 1;
	host_keeps_failing = true;
	pgtsim_table_use_upper_pool(memory, list);
	pgtsim_cache_child(memory, list, 7, list);
	host_fail_in = 0;
	host_keeps_failing = false;
	assert_ptr_equal(list->entries, entries);
	assert_null(pgtsim_state(list)->cache);
	check_fresh_entries(memory, list, 512);
	free_list(memory, list);
	check_pools_whole(memory);
	pgtsim_memory_free(&memory);
}

static struct pgtsim_table *take_upper(struct pgtsim_memory *memory)
{
	struct pgtsim_table *table, **tail = &table;

	assert_int_equal(pgtsim_memory_alloc_lazy_tables(memory, 1, &tail), 1);
	pgtsim_table_use_upper_pool(memory, table);
	return table;
}

/* Memory that was dirty is still so once a table has had it that nobody wrote to. */
static void test_dirty_memory_stays_dirty(void **state)
{
	struct pgtsim_memory *memory = make_one(0, CHUNK);
	struct pgtsim_table *table = take_upper(memory);
	const uint64_t *entries = table->entries;

	(void)state;
	pgtsim_table_materialize(table);
	scribble(table, 4096);
	pgtsim_memory_free_table(memory, table);
	table = take_upper(memory);
	assert_true(pgtsim_state(table)->lazy);
	pgtsim_memory_free_table(memory, table);
	table = take_upper(memory);
	assert_ptr_equal(table->entries, entries);
	pgtsim_table_materialize(table);
	check_fresh_entries(memory, table, 512);
	pgtsim_memory_free_table(memory, table);
	check_pools_whole(memory);
	pgtsim_memory_free(&memory);
}

/* A child cache that was taken from a table begins empty in the next one. */
static void test_cache_given_up(void **state)
{
	struct pgtsim_memory *memory = make_one(0, CHUNK);
	struct pgtsim_table *table = take_upper(memory);
	const struct pgtsim_child_cache *cache;

	(void)state;
	pgtsim_cache_child(memory, table, 7, table);
	cache = pgtsim_state(table)->cache;
	pgtsim_cache_free(memory, table);
	assert_null(pgtsim_state(table)->cache);
	pgtsim_cache_child(memory, table, 0, table);
	assert_ptr_equal(pgtsim_state(table)->cache, cache);
	assert_null(cache->child[7]);
	assert_int_equal(pgtsim_bits_first(cache->cached, 1, 512), 512);
	assert_int_equal(cache->count, 1);
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
	const struct host *last = &memory->host[POOL_PTE], *upper = &memory->host[POOL_UPPER];
	const size_t few = 4 << 20;
	unsigned count = 0;

	(void)state;
	assert_int_equal(pgtsim_memory_alloc_lazy_tables(memory, 4 * CHUNK, &tail), 4 * CHUNK);
	for (size_t i = 0; i < last->slab_count; i++)
		assert_int_equal((uintptr_t)last->slabs[i].at % (2 << 20) +
					 last->slabs[i].bytes % (2 << 20),
				 0);
	host_advised = 0;
	for (; list; list = list->next) {
		size_t taken, unused;

		pgtsim_table_use_upper_pool(memory, list);
		assert_true(pgtsim_state(list)->upper);
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
	assert_true(memory->host[POOL_PTE].slab_count <= 2 + FAR * 4096 / SLAB_BYTES);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),
#ifdef __linux__
		cmocka_unit_test(test_tables_fit_huge_pages),
#endif
		cmocka_unit_test(test_upper_tables),
		cmocka_unit_test(test_no_memory_for_upper_tables),
		cmocka_unit_test(test_dirty_memory_stays_dirty),
		cmocka_unit_test(test_cache_given_up),
		cmocka_unit_test(test_upper_tables_grow),
		cmocka_unit_test(test_scattered_tables),
		cmocka_unit_test(test_reserve_what_tables_held),
		cmocka_unit_test(test_table_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
