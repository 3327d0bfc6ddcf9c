/* SPDX-License-Identifier: MIT */
/*
 * address: where descriptors have their output address. Inline, as a walk decodes one on each level.
 */
#ifndef PGTSIM_ADDRESS_H
#define PGTSIM_ADDRESS_H

#include <pgtsim/desc.h>

/*
 * PA[in_place - 1:page_shift] are the same bits of the descriptor. The `moved` bits above them are
 * found `down_by` bits lower. Example: 64K with 52 bits has PA[51:48] in bits 15:12.
 */
struct pgtsim_oa_layout {
	uint8_t in_place, moved, down_by;
};

static const struct pgtsim_oa_layout pgtsim_oa_layouts[] = {
	[PGTSIM_OA_48] = { 48, 0, 0 },
	[PGTSIM_OA_64K_52] = { 48, 4, 48 - 12 },
	[PGTSIM_OA_LPA2] = { 50, 2, 50 - 8 },
};

/* Bits high - 1 to low; none if high is not above low. */
static inline uint64_t pgtsim_oa_mask(unsigned high, unsigned low)
{
	return high > low ? (PGTSIM_BIT(high) - 1) & ~(PGTSIM_BIT(low) - 1) : 0;
}

/* pgtsim_oa() with 52-bit addresses. */
static inline uint64_t pgtsim_wide_oa(const struct pgtsim_oa_layout *layout, unsigned low,
				      uint64_t desc)
{
	uint64_t high = pgtsim_oa_mask(layout->in_place + layout->moved, layout->in_place);

	return (desc & pgtsim_oa_mask(layout->in_place, low)) | (desc << layout->down_by & high);
}

/* The output address that a valid descriptor holds, aligned to 2^low bytes. */
static inline uint64_t pgtsim_oa(const struct pgtsim_geometry *geo, unsigned low, uint64_t desc)
{
	if (geo->oa == PGTSIM_OA_48)
		return low < 48 ? desc & (PGTSIM_BIT(48) - PGTSIM_BIT(low)) : 0;
	return pgtsim_wide_oa(&pgtsim_oa_layouts[geo->oa], low, desc);
}

/* Whether there is such a level in some geometry: the arrays of a geometry have it. */
static inline bool pgtsim_is_level(int level)
{
	return level >= PGTSIM_PGD && level <= PGTSIM_PTE;
}

/* Where the table is that a table entry of this level points to. */
static inline uint64_t pgtsim_table_address(const struct pgtsim_geometry *geo, int level,
					    uint64_t desc)
{
	unsigned low = geo->page_shift - (geo->half_tables & (level == PGTSIM_PMD));

	return pgtsim_oa(geo, low, desc);
}

/* pgtsim_desc_address() in line. */
static inline uint64_t pgtsim_address(const struct pgtsim_geometry *geo, int level, uint64_t desc)
{
	bool is_block = !(desc & PGTSIM_DESC_TABLE);

	if (!(desc & PGTSIM_DESC_VALID) || (is_block && level == PGTSIM_PTE))
		return 0;
	if (is_block)
		return pgtsim_oa(geo, geo->shift[pgtsim_slot(level)], desc);
	return pgtsim_table_address(geo, level, desc);
}

/* The bits of a descriptor that hold the output address pa: pgtsim_desc_oa(). */
static inline uint64_t pgtsim_oa_bits(const struct pgtsim_geometry *geo, uint64_t pa)
{
	const struct pgtsim_oa_layout *layout = &pgtsim_oa_layouts[geo->oa];
	uint64_t high, in_place;

	pa &= geo->pa_mask;
	if (geo->oa == PGTSIM_OA_48)
		return pa;
	in_place = pgtsim_oa_mask(layout->in_place, geo->page_shift);
	/* Changes only 64K with 52 bits: elsewhere these bits are in place or above pa_bits. */
	if (geo->oa_keeps_49_48)
		in_place |= pgtsim_oa_mask(50, 48);
	high = pgtsim_oa_mask(layout->in_place + layout->moved, layout->in_place);
	return (pa & in_place) | (pa & high) >> layout->down_by;
}

/* pgtsim_desc_table() in line. */
static inline uint64_t pgtsim_table_desc(const struct pgtsim_geometry *geo, uint64_t pa,
					 uint64_t attrs)
{
	return pgtsim_oa_bits(geo, pa) | attrs | PGTSIM_DESC_TABLE | PGTSIM_DESC_VALID;
}

/* pgtsim_desc_leaf() in line. With LPA2 the bits of SH belong to the address. */
static inline uint64_t pgtsim_leaf(const struct pgtsim_geometry *geo, int level, uint64_t pa,
				   uint64_t attrs)
{
	uint64_t page = level == PGTSIM_PTE ? PGTSIM_DESC_TABLE : 0;

	if (geo->oa == PGTSIM_OA_LPA2)
		attrs &= ~(uint64_t)PGTSIM_DESC_SH_MASK;
	return pgtsim_oa_bits(geo, pa) | (attrs & ~(uint64_t)PGTSIM_DESC_TABLE) | page |
	       PGTSIM_DESC_VALID;
}

#endif
