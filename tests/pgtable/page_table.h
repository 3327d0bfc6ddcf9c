/* SPDX-License-Identifier: MIT */
/* What the tests of one page table share. */
#ifndef PAGE_TABLE_H
#define PAGE_TABLE_H

#include "fixture.h"

#define VA UINT64_C(0xffff000000000000)

static const struct {
	bool blocks, cont;
} shapes[] = { { false, false }, { false, true }, { true, false }, { true, true } };

/* A 4K/48 table of a profile. */
static inline void init_4k(struct fixture *f, const char *name)
{
	const struct pgtsim_geometry geo = linux_geometry(4, 48, 0, 48);
	const struct pgtsim_policy policy = profile(name);

	fixture_init(f, &policy, &geo);
}

/* Runs a test for every geometry of a profile. */
static inline void each_geometry(const char *name, void (*test)(const struct pgtsim_policy *policy,
								const struct pgtsim_geometry *geo))
{
	const struct pgtsim_policy policy = profile(name);
	struct geometry_case cases[MAX_GEOMETRIES];
	size_t n = all_geometries(cases, &policy);

	for (size_t i = 0; i < n; i++)
		test(&policy, &cases[i].geo);
}

static inline uint64_t block_size(const struct pgtsim_geometry *geo)
{
	return pgtsim_entry_size(geo, geo->levels > 1 ? PGTSIM_PMD : PGTSIM_PTE);
}

/* A range that needs tables on every level, with a head and a tail. */
static inline struct pgtsim_map wide_map(const struct fixture *f, bool blocks)
{
	const struct pgtsim_geometry *geo = &f->pgt.geo;
	uint64_t page = pgtsim_page_size(geo), block = block_size(geo);
	struct pgtsim_map map = linear_map(f, pgtsim_va_start(geo), 2 * block, 2 * page);

	if (geo->levels > 1) {
		map.va += (pgtsim_va_last(geo) - map.va) / 2 + 1 - block - page;
		map.pa = 2 * block - page;
		map.size = 2 * block + 2 * page;
	}
	map.blocks = blocks;
	map.cont = true;
	return map;
}

#endif
