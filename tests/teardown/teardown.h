/* SPDX-License-Identifier: MIT */
/* What the tests of teardown share: little page tables, and both passes over a range. */
#ifndef TEARDOWN_H
#define TEARDOWN_H

#include "fixture.h"

#include <pgtsim/teardown.h>

#define VA UINT64_C(0xffff000000000000)

static inline void init_with(struct fixture *f, const char *name, unsigned kib, unsigned va)
{
	const struct pgtsim_geometry geo = linux_geometry(kib, va, 0, va == 52 ? 52 : 48);
	const struct pgtsim_policy policy = profile(name);

	fixture_init(f, &policy, &geo);
}

static inline void init_4k(struct fixture *f, const char *name)
{
	init_with(f, name, 4, 48);
}

/* Pass 1 of a range whose memory is not freed. */
static inline int unmap(struct fixture *f, uint64_t start, uint64_t end)
{
	const struct pgtsim_unmap pass = { .start = start, .end = end };

	return pgtsim_unmap_range(&f->pgt, &pass);
}

/* Pass 1 that frees. */
static inline int unmap_free(struct fixture *f, uint64_t start, uint64_t end,
			     struct pgtsim_altmap *altmap)
{
	const struct pgtsim_unmap pass = { .start = start,
					   .end = end,
					   .free_mapped = true,
					   .altmap = altmap,
					   .memory = f->memory };

	return pgtsim_unmap_range(&f->pgt, &pass);
}

static inline void must_map(struct fixture *f, uint64_t va, uint64_t pa, uint64_t size, bool blocks)
{
	assert_int_equal(map_linear(f, va, pa, size, blocks), 0);
}

/* Takes n pages that follow one another from the page allocator; returns their first frame. */
static inline uint64_t take_pages(struct fixture *f, uint64_t n)
{
	uint64_t first = 0, pfn;

	for (uint64_t got = 0; got < n;) {
		int64_t run = pgtsim_memory_alloc_run(f->memory, n - got, &pfn);

		assert_true(run > 0);
		if (!got)
			first = pfn;
		assert_int_equal(pfn, first + got);
		got += (uint64_t)run;
	}
	return first;
}

/* Maps n pages of the page allocator at VA; returns their first frame. */
static inline uint64_t map_allocated(struct fixture *f, uint64_t n)
{
	uint64_t pfn = take_pages(f, n);

	must_map(f, VA, pfn << 12, n << 12, false);
	return pfn;
}

#endif
