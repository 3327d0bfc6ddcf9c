/* SPDX-License-Identifier: MIT */
/* What goes into a descriptor comes out of it, in all three places for an output address. */
#include <pgtsim/desc.h>

#include "prove.h"

static const struct pgtsim_geometry_config configs[] = {
	{ .page_shift = 12, .levels = 3, .bits = { 2, 2, 2 }, .block_levels = 8 },
	{ .page_shift = 12,
	  .levels = 3,
	  .bits = { 2, 2, 2 },
	  .block_levels = 8,
	  .pa_bits = 52,
	  .oa = PGTSIM_OA_LPA2 },
	{ .page_shift = 16,
	  .levels = 3,
	  .bits = { 2, 2, 2 },
	  .block_levels = 8,
	  .pa_bits = 52,
	  .oa = PGTSIM_OA_64K_52 },
};

/* An address of so many bits: any, or one of its low pages with any of its high bits. */
static uint64_t address(const struct pgtsim_geometry *geo)
{
	uint64_t pa = choose(52, 5);

#ifndef PGTSIM_CBMC
	pa = pa << geo->page_shift | choose(0, 5) << 47;
#endif
	return pa & ((UINT64_C(1) << geo->pa_bits) - 1) & ~(pgtsim_page_size(geo) - 1);
}

/* Attribute bits of a leaf that the library has names for. */
static uint64_t attributes(const struct pgtsim_geometry *geo)
{
	uint64_t low = choose(10, 5), high = choose(6, 3);
	uint64_t attrs = high << 50 | (low << 2 & 0xffc);

	return attrs & (geo->oa == PGTSIM_OA_LPA2 ? ~PGTSIM_DESC_SH_MASK : UINT64_MAX);
}

static void leaf(const struct pgtsim_geometry *geo, uint64_t pa, uint64_t attrs)
{
	uint64_t desc = pgtsim_desc_leaf(geo, PGTSIM_PTE, pa, attrs);
	struct pgtsim_desc fields;

	PROVE(pgtsim_desc_kind(PGTSIM_PTE, desc) == PGTSIM_PAGE);
	PROVE(pgtsim_desc_address(geo, PGTSIM_PTE, desc) == pa);
	PROVE((desc & ~pgtsim_desc_oa(geo, pa)) == (attrs | 3));
	pgtsim_desc_decode(geo, PGTSIM_PTE, desc, &fields);
	PROVE(fields.address == pa);
	PROVE(pgtsim_desc_encode(geo, PGTSIM_PTE, &fields) == desc);
}

static void table(const struct pgtsim_geometry *geo, uint64_t pa, uint64_t attrs)
{
	uint64_t desc = pgtsim_desc_table(geo, pa, attrs);
	struct pgtsim_desc fields;

	PROVE(pgtsim_desc_kind(PGTSIM_PMD, desc) == PGTSIM_TABLE);
	PROVE(pgtsim_desc_address(geo, PGTSIM_PMD, desc) == pa);
	pgtsim_desc_decode(geo, PGTSIM_PMD, desc, &fields);
	PROVE(fields.address == pa);
	PROVE(pgtsim_desc_encode(geo, PGTSIM_PMD, &fields) == desc);
}

void harness(void)
{
	struct pgtsim_geometry geo;
	uint64_t which = choose(2, 2), pa;

	ASSUME(which < 3);
	PROVE(pgtsim_geometry_custom(&geo, &configs[which]) == 0);
	pa = address(&geo);
	leaf(&geo, pa, attributes(&geo));
	table(&geo, pa, choose(2, 2) << 59 | choose(1, 1) << 10);
}
