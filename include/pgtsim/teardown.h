/* SPDX-License-Identifier: MIT */
/*
 * teardown: the two passes of hot-remove. Pass 1 unmaps, pass 2 frees the tables left empty.
 *
 * Models unmap_hotplug_range() and free_empty_tables() of arch/arm64/mm/mmu.c with the flush of
 * the profile. Departures: an empty range is -EINVAL (the kernel would clear one entry); a range
 * may end at the end of the address space; a block or an invalid entry met where the kernel
 * would read memory that is no table is a violation and stays.
 */
#ifndef PGTSIM_TEARDOWN_H
#define PGTSIM_TEARDOWN_H

#include <pgtsim/altmap.h>
#include <pgtsim/pgtable.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Pass 1. Clears every leaf from start on, whole leaves and contiguous hints as they are: in the
 * first and the last pte table one entry for every page size from start on (a last part page
 * beyond that stays, as in the kernel). Flushes as the profile does; an empty pass still does.
 */
struct pgtsim_unmap {
	uint64_t start, end;          /* bytes, half-open; end 0 is the end of the address space */
	bool free_mapped;             /* the mapped memory is freed, leaf by leaf */
	struct pgtsim_altmap *altmap; /* where it is freed to; NULL: the page allocator */
	struct pgtsim_memory *memory; /* the page allocator; needed if free_mapped */
};

/*
 * Returns 0 or -EINVAL (empty or reversed range, outside the region, free_mapped without memory).
 * A wrong free is a violation, and that memory is not freed. An altmap without free_mapped is one.
 */
PGTSIM_API int pgtsim_unmap_range(struct pgtsim_pgtable *pgt, const struct pgtsim_unmap *unmap);

/*
 * Pass 2. Frees the tables of [start, end) that are empty and lie inside [floor, ceiling);
 * ceiling 0 is no limit. The root is never freed. Returns 0 or -EINVAL (as above).
 */
PGTSIM_API int pgtsim_free_tables(struct pgtsim_pgtable *pgt, uint64_t start, uint64_t end,
				  uint64_t floor, uint64_t ceiling);

#ifdef __cplusplus
}
#endif

#endif
