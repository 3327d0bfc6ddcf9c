/* SPDX-License-Identifier: MIT */
/* range: whether a range of at least one byte lies in an address space. */
#ifndef PGTSIM_RANGE_H
#define PGTSIM_RANGE_H

#include <stdbool.h>

#include <pgtsim/geometry.h>

/* Whether [start, start + size) is not empty and ends no later than with the byte at `last`. */
static inline bool pgtsim_range_fits(uint64_t start, uint64_t size, uint64_t last)
{
	return size != 0 && start <= last && size - 1 <= last - start;
}

static inline bool pgtsim_va_fits(const struct pgtsim_geometry *geo, uint64_t va, uint64_t size)
{
	uint64_t last = va + (size - 1);

	return size != 0 && last >= va && pgtsim_va_inside(geo, va) && pgtsim_va_inside(geo, last);
}

static inline bool pgtsim_pa_fits(const struct pgtsim_geometry *geo, uint64_t pa, uint64_t size)
{
	return pgtsim_range_fits(pa, size, (UINT64_C(1) << geo->pa_bits) - 1);
}

#endif
