/* SPDX-License-Identifier: MIT */
/* What the tests of the vmemmap hold of arm64, where it is not about arm64's bits, over s390's geometries. */
#include "vmemmap/memmap.h"

enum { KINDS = 48, PAGES = 256 }; /* pages of a segment */

/* Releases, levels, what leaves there are, and sizes of struct page. Memory waits for the invalidate. */
static bool start(struct machine *m, unsigned n)
{
	const struct pgtsim_geometry geo = s390_geometry(n / 4 % 2 ? 53 : 42, n / 8 % 3);
	struct pgtsim_policy policy = profile(s390_profiles[n % 4]);

	policy.free_order = PGTSIM_FREE_AFTER_INVALIDATE;
	machine_init_policy(m, &policy, &geo, n / 24 ? 56 : 64);
	return geo.block[pgtsim_slot(PGTSIM_PMD)];
}

static void finish(struct machine *m)
{
	assert_int_equal(backing(m), 0);
	assert_int_equal(m->f.pgt.root->live, 0);
	assert_int_equal(m->f.tlb.counts.violations, 0);
	pgtsim_vmemmap_fini(&m->v);
	fixture_fini(&m->f);
}

/* Populating again keeps what is there, and is no error. */
static void populated_again(void **state)
{
	(void)state;
	for (unsigned n = 0; n < KINDS; n++) {
		struct snapshot before;
		struct machine m;
		uint64_t at;

		start(&m, n);
		at = section_of(&m, 0);
		assert_int_equal(populate(&m, at, m.size, NULL), 0);
		before = snapshot_take(&m.f);
		assert_int_equal(populate(&m, at, m.size, NULL), 0);
		assert_int_equal(populate(&m, at + 4096, 8192, NULL), 0);
		assert_true(unchanged(&m.f, &before));
		assert_int_equal(populate(&m, at, 2 * m.size, NULL), 0);
		for (uint64_t va = at; va < at + 2 * m.size; va += 4096)
			assert_true(is_mapped(&m.f, va));
		assert_int_equal(unpopulate(&m, at, 2 * m.size, NULL), 0);
		snapshot_free(&before);
		finish(&m);
	}
}

/* Populate and free refuse empty and reversed ranges, and ranges outside the vmemmap. */
static void invalid_ranges(void **state)
{
	(void)state;
	for (unsigned n = 0; n < KINDS; n++) {
		struct snapshot before;
		struct machine m;

		start(&m, n);
		before = snapshot_take(&m.f);
		{
			const struct {
				uint64_t start, end;
			} rows[] = {
				{ m.v.start, m.v.start },       { m.v.start + 4096, m.v.start },
				{ m.v.start - 1, m.v.start + 4096 }, { m.v.end - 4096, m.v.end + 1 },
				{ m.v.end, m.v.end + 4096 },    { 0, 4096 },
				{ m.v.start, 0 },               { 0, UINT64_MAX },
			};

			for (size_t i = 0; i < COUNT(rows); i++) {
				assert_int_equal(pgtsim_vmemmap_populate(&m.v, rows[i].start,
									 rows[i].end, NULL, 0),
						 -EINVAL);
				assert_int_equal(pgtsim_vmemmap_free(&m.v, rows[i].start,
								     rows[i].end, NULL),
						 -EINVAL);
			}
		}
		assert_true(unchanged(&m.f, &before));
		snapshot_free(&before);
		finish(&m);
	}
}

/* Unaligned ends are rounded outwards: the pages, or the segments, that hold the struct pages. */
static void unaligned_ends(void **state)
{
	(void)state;
	for (unsigned n = 0; n < KINDS; n++) {
		struct machine m;
		bool large = start(&m, n);
		uint64_t at = section_of(&m, 0) & ~(MIB - 1);

		assert_int_equal(populate(&m, at + 4096 + 64, 4096, NULL), 0);
		assert_int_equal(leaves(&m, PGTSIM_PTE), large ? 0 : 2);
		assert_int_equal(leaves(&m, PGTSIM_PMD), large);
		assert_true(is_mapped(&m.f, at + 4096) && is_mapped(&m.f, at + 3 * 4096 - 1));
		assert_int_equal(is_mapped(&m.f, at), large);
		assert_int_equal(populate(&m, at + 4096 - 1, 1, NULL), 0);
		assert_int_equal(leaves(&m, PGTSIM_PTE), large ? 0 : 3);
		assert_int_equal(unpopulate(&m, at, 3 * 4096, NULL), 0);
		finish(&m);
	}
}

/* Two ranges share a segment: freeing the first one, whichever, leaves the other. */
static void shared_segment_is_kept(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 2 * KINDS; n++) {
		struct machine m;
		bool large = start(&m, n / 2);
		uint64_t half = MIB / 2, at = section_of(&m, 0) & ~(MIB - 1);
		uint64_t first = at + (n % 2 ? half : 0), second = at + (n % 2 ? 0 : half);

		assert_int_equal(populate(&m, first, half, NULL), 0);
		assert_int_equal(populate(&m, second, half, NULL), 0);
		assert_int_equal(leaves(&m, PGTSIM_PMD), large);
		assert_int_equal(backing(&m), PAGES);
		assert_int_equal(unpopulate(&m, first, half, NULL), 0);
		assert_true(is_mapped(&m.f, second));
		assert_int_equal(is_mapped(&m.f, first), large);
		assert_int_equal(unpopulate(&m, second, half, NULL), 0);
		finish(&m);
	}
}

/* Sections that come and go in order: nothing of a segment is marked before something of it goes. */
static void unused_parts_are_tracked(void **state)
{
	(void)state;
	for (unsigned n = 0; n < KINDS; n++) {
		struct machine m;
		bool large = start(&m, n);
		const struct pgtsim_counts *counts = &m.f.tlb.counts;
		uint64_t at = m.v.start;

		for (unsigned round = 0; round < 2; round++) {
			pgtsim_tlb_reset_counts(&m.f.tlb);
			assert_int_equal(populate(&m, at, m.size, NULL), 0);
			assert_int_equal(populate(&m, at + m.size, m.size, NULL), 0);
			assert_int_equal(counts->memmap_marked, 0);
			assert_int_equal(backing(&m), 2 * m.size / 4096);
			assert_int_equal(unpopulate(&m, at, m.size, NULL), 0);
			assert_true(is_mapped(&m.f, at + m.size));
			/* What it has of the segment that it shares. */
			assert_int_equal(counts->memmap_marked, large ? m.size % MIB : 0);
			assert_int_equal(unpopulate(&m, at + m.size, m.size, NULL), 0);
			assert_int_equal(backing(&m), 0);
		}
		finish(&m);
	}
}

/* Memory for pages but none for a segment: that one gets pages, and the next a segment again. */
static void no_memory_for_a_segment(void **state)
{
	(void)state;
	for (unsigned n = 0; n < KINDS; n++) {
		struct machine m;
		bool large = start(&m, n);
		uint64_t at = section_of(&m, 0) & ~(MIB - 1);

		assert_int_equal(populate(&m, at + 8 * MIB, MIB, NULL), 0);
		pgtsim_memory_fail(m.f.memory, large ? 1 : 0, false);
		assert_int_equal(populate(&m, at, 2 * MIB, NULL), 0);
		pgtsim_memory_fail(m.f.memory, 0, false);
		assert_int_equal(leaves(&m, PGTSIM_PTE), large ? PAGES : 3 * PAGES);
		assert_int_equal(leaves(&m, PGTSIM_PMD), large ? 2 : 0);
		assert_int_equal(unpopulate(&m, at, 9 * MIB, NULL), 0);
		finish(&m);
	}
}

/* The same with fragmented memory: every second page is free. The tables have to be there. */
static void fragmented_memory(void **state)
{
	struct machine m;
	uint64_t pfn, left, at;

	(void)state;
	start(&m, 3 + 8); /* s390-7.3, three levels, EDAT 1 */
	at = section_of(&m, 0) & ~(MIB - 1);
	assert_int_equal(populate(&m, at + 8 * MIB, MIB, NULL), 0);
	while (pgtsim_memory_alloc_run(m.f.memory, UINT32_MAX, &pfn) > 0)
		;
	for (pfn = (RAM_START >> 12) + 4097; pfn < (RAM_START + GIB) >> 12; pfn += 2)
		assert_int_equal(pgtsim_memory_free_pages(m.f.memory, pfn, 0), PGTSIM_FREE_OK);
	left = free_pages_of(&m.f);
	assert_int_equal(populate(&m, at, 2 * MIB, NULL), 0);
	assert_int_equal(leaves(&m, PGTSIM_PTE), 2 * PAGES);
	assert_int_equal(unpopulate(&m, at, 2 * MIB, NULL), 0);
	assert_int_equal(free_pages_of(&m.f), left);
	assert_int_equal(m.f.tlb.counts.violations, 0);
	pgtsim_vmemmap_fini(&m.v);
	fixture_drop(&m.f);
}

/* Whichever allocation fails, -ENOMEM leaves nothing of a range that was empty before. */
static void failures_roll_back(void **state)
{
	(void)state;
	for (unsigned n = 0; n < KINDS; n++) {
		struct machine m;
		struct snapshot before;
		uint64_t at;
		int ret = -ENOMEM;

		start(&m, n);
		at = section_of(&m, 0);
		assert_int_equal(populate(&m, at + 8 * m.size, m.size, NULL), 0);
		before = snapshot_take(&m.f);
		for (unsigned nth = 1; ret; nth++) {
			pgtsim_memory_fail(m.f.memory, nth, true);
			ret = populate(&m, at + MIB / 2, 3 * MIB, NULL);
			pgtsim_memory_fail(m.f.memory, 0, false);
			if (ret) {
				assert_int_equal(ret, -ENOMEM);
				assert_true(unchanged(&m.f, &before));
			}
		}
		assert_int_equal(unpopulate(&m, at + MIB / 2, 3 * MIB, NULL), 0);
		assert_true(unchanged(&m.f, &before));
		assert_int_equal(unpopulate(&m, at + 8 * m.size, m.size, NULL), 0);
		snapshot_free(&before);
		finish(&m);
	}
}

/* Observers get events for allocations and mappings, and change no counter. */
static void observed_equals_unobserved(void **state)
{
	static const enum pgtsim_op ops[] = { PGTSIM_OP_PAGES_ALLOC, PGTSIM_OP_MAP };

	(void)state;
	for (unsigned n = 0; n < KINDS; n++) {
		struct machine m[2];
		struct recorder r;

		for (unsigned i = 0; i < 2; i++) {
			uint64_t at;

			start(&m[i], n);
			if (i)
				recorder_start(&r, &m[i].f);
			at = section_of(&m[i], 0);
			assert_int_equal(populate(&m[i], at, m[i].size, NULL), 0);
			if (i) {
				assert_int_equal(r.mark.op, PGTSIM_OP_BEGIN_POPULATE);
				assert_true(recorded(&r, r.count - 2, ops, 2));
				assert_int_equal(r.event[r.count - 1].pa, r.event[r.count - 2].pa);
			}
			assert_int_equal(populate(&m[i], at + m[i].size, 40 * 4096, NULL), 0);
			assert_int_equal(unpopulate(&m[i], at, m[i].size + 40 * 4096, NULL), 0);
		}
		assert_counts_equal(&m[0].f.tlb.counts, &m[1].f.tlb.counts);
		recorder_stop(&r, &m[1].f);
		finish(&m[0]);
		finish(&m[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(populated_again),
		cmocka_unit_test(invalid_ranges),
		cmocka_unit_test(unaligned_ends),
		cmocka_unit_test(shared_segment_is_kept),
		cmocka_unit_test(unused_parts_are_tracked),
		cmocka_unit_test(no_memory_for_a_segment),
		cmocka_unit_test(fragmented_memory),
		cmocka_unit_test(failures_roll_back),
		cmocka_unit_test(observed_equals_unobserved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
