/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include "pgtable/access.h"

enum { ENTRIES = 131, GUARD = 3 };

/* Counts the accesses, and remembers the last one. */
struct counting {
	struct pgtsim_access_hook hook;
	const uint64_t *entry;
	unsigned reads, writes;
};

static void count_access(struct pgtsim_access_hook *self, const uint64_t *entry, bool write)
{
	struct counting *counting = (struct counting *)(void *)self;

	counting->entry = entry;
	if (write)
		counting->writes++;
	else
		counting->reads++;
}

static struct counting counting = { .hook = { .before = count_access } };

/* As much of a page table as table access looks at: tables of 256 entries, from anywhere. */
static struct pgtsim_pgtable in_mode(int mode)
{
	return (struct pgtsim_pgtable){
		.geo = { .bits = { 8, 8, 8, 8, 8 } },
		.access = (enum pgtsim_access)mode,
		.hook = &counting.hook,
	};
}

static struct pgtsim_table table_of(uint64_t *entries)
{
	return (struct pgtsim_table){ .entries = entries, .level = PGTSIM_PTE };
}

/* What tables hold: nothing, tables, blocks and pages, invalid ones, and runs of leaves. */
static uint64_t any_entry(uint32_t *seed)
{
	static const uint64_t values[] = {
		0,
		0,
		0,
		0x1800000040000003,
		0x00e8000080000705,
		0x00e8000080000707,
		0x00e8000080000704,
		UINT64_MAX,
		1,
		2,
	};

	return values[random_next(seed) % COUNT(values)];
}

static void fill_table(uint64_t *entries, uint32_t seed)
{
	unsigned i = 0;

	while (i < ENTRIES) {
		uint64_t desc = any_entry(&seed), step = random_next(&seed) % 2 ? 4096 : 0;
		unsigned run = 1 + random_next(&seed) % 9;

		for (; run-- && i < ENTRIES; i++, desc += step)
			entries[i] = desc;
	}
}

/* Private, shared and hooked tables answer every question about a run alike, and as the plain rule says. */
static void reading_modes_agree(void **state)
{
	uint64_t entries[ENTRIES];
	struct pgtsim_table table = table_of(entries);

	(void)state;
	for (uint32_t seed = 1; seed < 60; seed++) {
		pgtsim_state(&table)->shift = seed % 2 ? 12 : 0; /* by 1 sums wrap to zero */
		fill_table(entries, seed);
		for (unsigned at = 0; at < ENTRIES; at++) {
			const uint64_t *run = &entries[at];
			unsigned n = random_next(&seed) % (ENTRIES - at) + 1;
			unsigned live = 0, zeros = 0, same = 1, plain = 0;

			for (unsigned i = 0; i < n; i++)
				live += run[i] != 0;
			while (zeros < n && !run[zeros])
				zeros++;
			while (same < n && run[same] == run[0] + same * UINT64_C(4096))
				same++;
			while (plain < n && (run[plain] & 3) != 3)
				plain++;
			for (int mode = PGTSIM_ACCESS_PRIVATE; mode <= PGTSIM_ACCESS_HOOKED;
			     mode++) {
				const struct pgtsim_pgtable pgt = in_mode(mode);

				assert_int_equal(pgtsim_access_read(&pgt, &table, at), run[0]);
				assert_int_equal(pgtsim_access_live(&pgt, &table, at, n), live);
				assert_int_equal(pgtsim_access_zeros(&pgt, &table, at, n), zeros);
				assert_int_equal(pgtsim_access_uniform(&pgt, &table, at, n, 4096),
						 same);
				assert_int_equal(pgtsim_access_no_tables(&pgt, &table, at, n),
						 plain);
			}
		}
	}
}

/* All modes write the same entries and none beside them. */
static void writing_modes_agree(void **state)
{
	(void)state;
	for (int mode = PGTSIM_ACCESS_PRIVATE; mode <= PGTSIM_ACCESS_HOOKED; mode++) {
		const struct pgtsim_pgtable pgt = in_mode(mode);

		for (unsigned n = 0; n <= ENTRIES; n++) {
			uint64_t entries[ENTRIES + 2 * GUARD];
			struct pgtsim_table table = table_of(entries);

			memset(entries, 0xa5, sizeof(entries));
			pgtsim_state(&table)->shift = 12;
			pgtsim_access_fill(&pgt, &table, GUARD, n, 0x00e8000080000707);
			for (unsigned i = 0; i < COUNT(entries); i++)
				assert_int_equal(entries[i],
						 i < GUARD || i >= GUARD + n ?
							 UINT64_C(0xa5a5a5a5a5a5a5a5) :
							 0x00e8000080000707 +
								 (i - GUARD) * UINT64_C(4096));
			pgtsim_access_write(&pgt, &table, 1, 7);
			pgtsim_access_clear(&pgt, &table, GUARD, n, n);
			assert_int_equal(entries[1], 7);
			for (unsigned i = 2; i < COUNT(entries); i++)
				assert_int_equal(entries[i], i < GUARD || i >= GUARD + n ?
								     UINT64_C(0xa5a5a5a5a5a5a5a5) :
								     0);
		}
	}
}

/* A step may carry through all 64 bits: huge entries, and sums beyond 32 bits. */
static void steps_are_64_bits_wide(void **state)
{
	(void)state;
	for (int mode = PGTSIM_ACCESS_PRIVATE; mode <= PGTSIM_ACCESS_HOOKED; mode++) {
		const struct pgtsim_pgtable pgt = in_mode(mode);
		uint64_t entries[4];
		struct pgtsim_table table = table_of(entries);

		pgtsim_state(&table)->shift = 42;
		pgtsim_access_fill(&pgt, &table, 0, 4, 1);
		assert_int_equal(entries[3], (UINT64_C(3) << 42) + 1);
		assert_int_equal(pgtsim_access_uniform(&pgt, &table, 0, 4, UINT64_C(1) << 42), 4);
		assert_int_equal(pgtsim_access_uniform(&pgt, &table, 0, 4, UINT64_C(1) << 41), 1);
		assert_int_equal(pgtsim_access_uniform(&pgt, &table, 0, 1, 0), 1);
	}
}

/* A question about no entries is answered with none. */
static void empty_runs(void **state)
{
	uint64_t entry = 3;
	const struct pgtsim_table table = table_of(&entry);

	(void)state;
	for (int mode = PGTSIM_ACCESS_PRIVATE; mode <= PGTSIM_ACCESS_HOOKED; mode++) {
		const struct pgtsim_pgtable pgt = in_mode(mode);

		assert_int_equal(pgtsim_access_live(&pgt, &table, 0, 0), 0);
		assert_int_equal(pgtsim_access_zeros(&pgt, &table, 0, 0), 0);
		assert_int_equal(pgtsim_access_no_tables(&pgt, &table, 0, 0), 0);
	}
}

/* In a hooked table each access of an entry is announced before it happens, and nothing else is. */
static void hook_sees_each_access(void **state)
{
	const struct pgtsim_pgtable pgt = in_mode(PGTSIM_ACCESS_HOOKED);
	uint64_t entries[8] = { 0, 0, 1 };
	struct pgtsim_table table = table_of(entries);

	(void)state;
	counting.reads = counting.writes = 0;
	pgtsim_access_read(&pgt, &table, 5);
	assert_ptr_equal(counting.entry, &entries[5]);
	assert_int_equal(counting.reads, 1);
	assert_int_equal(pgtsim_access_zeros(&pgt, &table, 0, 8), 2);
	assert_ptr_equal(counting.entry, &entries[2]);
	assert_int_equal(counting.reads, 4);
	assert_int_equal(counting.writes, 0);
	pgtsim_access_fill(&pgt, &table, 0, 3, 7);
	assert_ptr_equal(counting.entry, &entries[2]);
	pgtsim_access_clear(&pgt, &table, 0, 8, 3);
	pgtsim_access_write(&pgt, &table, 1, 1);
	assert_ptr_equal(counting.entry, &entries[1]);
	assert_int_equal(counting.writes, 12);
	assert_int_equal(counting.reads, 4);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(reading_modes_agree),
	cmocka_unit_test(writing_modes_agree),
	cmocka_unit_test(hook_sees_each_access),
	cmocka_unit_test(steps_are_64_bits_wide),
	cmocka_unit_test(empty_runs),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
