/* SPDX-License-Identifier: MIT */
/* checks: whether a range, at least a byte, lies in an address space: in line for a few pages. */
#ifndef PGTSIM_CHECKS_H
#define PGTSIM_CHECKS_H

#include <stdbool.h>

#include <pgtsim/geometry.h>

/* Whether size bytes from start on end no later than the byte at `last`. */
static inline bool pgtsim_range_fits(uint64_t start, uint64_t size, uint64_t last)
{
	return size != 0 && start <= last && size - 1 <= last - start;
}

static inline bool pgtsim_va_fits(const struct pgtsim_geometry *geo, uint64_t va, uint64_t size)
{
	return va >= pgtsim_va_start(geo) && pgtsim_range_fits(va, size, UINT64_MAX);
}

static inline bool pgtsim_pa_fits(const struct pgtsim_geometry *geo, uint64_t pa, uint64_t size)
{
	return pgtsim_range_fits(pa, size, (UINT64_C(1) << geo->pa_bits) - 1);
}

#endif
