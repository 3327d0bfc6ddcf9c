/* SPDX-License-Identifier: MIT */
/* The parts into which an address splits are the address, and ranges do not leave their region. */
#include <pgtsim/geometry.h>

#include "prove.h"

/* 3 levels of 2 bits: 2^18 bytes at the end of the space. */
static void init(struct pgtsim_geometry *geo)
{
	const struct pgtsim_geometry_config config = {
		.page_shift = 12, .levels = 3, .bits = { 2, 2, 2 }, .block_levels = 8
	};

	PROVE(pgtsim_geometry_custom(geo, &config) == 0);
}

static void split(const struct pgtsim_geometry *geo, uint64_t va)
{
	uint64_t sum = va & (pgtsim_page_size(geo) - 1);

	for (int level = pgtsim_root_level(geo); level <= PGTSIM_PTE; level++) {
		uint64_t size = pgtsim_entry_size(geo, level);
		uint64_t base = pgtsim_entry_base(geo, level, va);

		PROVE(base <= va && va - base < size);
		PROVE((base & (size - 1)) == 0);
		PROVE(pgtsim_index(geo, level, va) < pgtsim_entries(geo, level));
		sum += pgtsim_index(geo, level, va) * size;
	}
	PROVE(pgtsim_va_start(geo) + sum == va);
}

static void ranges(const struct pgtsim_geometry *geo, uint64_t va, uint64_t size)
{
	int ret = pgtsim_geometry_check_va(geo, va, size);

	/* -va is what is left of the space from va on. */
	PROVE((ret == 0) == (va >= pgtsim_va_start(geo) && size > 0 && size - 1 <= -va - 1));
}

void harness(void)
{
	struct pgtsim_geometry geo;
	uint64_t va = choose(64, 6), size = choose(64, 7);

#ifndef PGTSIM_CBMC
	/* Around the region, in quarters of a page. */
	va = UINT64_C(0) - (va << 13) - (choose(0, 3) << 10);
	size <<= 10;
#endif
	init(&geo);
	ranges(&geo, va, size);
	if (va >= pgtsim_va_start(&geo))
		split(&geo, va);
}
