/* SPDX-License-Identifier: MIT */
/* Pass 2 frees no table of which a part lies outside the bounds, and keeps no other. */
#include "../../src/teardown/teardown.c"

#include "prove.h"

/* A number of pages: any, or one near the end of the space. */
static uint64_t page(void)
{
	uint64_t number = choose(52, 4);

#ifndef PGTSIM_CBMC
	/* 0 stays 0, which is no ceiling, or the end of the space; 1 stays in the first table. */
	number = number > 1 ? (UINT64_C(1) << 52) - 16 + number : number;
#endif
	return number << 12;
}

void harness(void)
{
	const struct pgtsim_geometry_config config = { .page_shift = 12,
						       .levels = 2,
						       .bits = { 2, 2 } };
	struct pgtsim_pgtable pgt = { 0 };
	struct bounds bounds = { .floor = page(), .ceiling = page() };
	struct pgtsim_run run = { .level = PGTSIM_PMD, .va = page(), .last = page() - 1 };
	uint64_t span = UINT64_C(4) << 12, base = run.va & -span, ceiling = bounds.ceiling & -span;
	bool kept;

	PROVE(pgtsim_geometry_custom(&pgt.geo, &config) == 0);
	/* The range lies in one table of the region. */
	ASSUME(run.va >= pgtsim_va_start(&pgt.geo) && run.last >= run.va && run.last - base < span);
	kept = !inside(&pgt, &bounds, &run);
	if (!kept) {
		PROVE(base >= bounds.floor);
		PROVE(bounds.ceiling == 0 || run.last < bounds.ceiling);
		/* Nor does a neighbour share the table. */
		PROVE(bounds.ceiling == 0 || base + span - 1 <= bounds.ceiling - 1);
	}
	if (base >= bounds.floor && (bounds.ceiling == 0 || (ceiling && run.last < ceiling)))
		PROVE(!kept);
}
