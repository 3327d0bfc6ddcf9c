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

/*
 * Frees the memory that the leaves of a run mapped: their bytes from `pa` on, which follow one
 * another as the leaves do. It goes to the altmap, or if that is NULL to the page allocator
 * `memory`, a block as one allocation of its order. Nothing is cleared and nothing invalidated:
 * that comes before it. A wrong free is a violation, and that memory is not freed; so is memory
 * that is freed while an entry of the run is not zero (with a checker) or while a translation to it
 * may be cached. Returns 0, or -EINVAL (an empty run; nowhere to free to). Models
 * free_hotplug_page_range().
 */
PGTSIM_API int pgtsim_run_free(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
			       uint64_t pa, struct pgtsim_memory *memory,
			       struct pgtsim_altmap *altmap);

/* ---- the gather ---- */

/* Leaves whose memory waits: consecutive entries of one table, cleared, their frames likewise. */
struct pgtsim_held {
	struct pgtsim_run run;
	uint64_t pa; /* of the first */
};

enum { PGTSIM_GATHER_RUNS = 64 };

/*
 * Owns the memory of leaves from the moment they are cleared until the invalidate that makes it
 * safe to free. There is no way to free it earlier: only a flush does, after it has invalidated.
 * Takes no host memory; when it is full it flushes by itself, so nothing can fail half way.
 * Embedded by its owner, who ends it with pgtsim_gather_flush(). Models struct mmu_gather.
 */
struct pgtsim_gather {
	struct pgtsim_pgtable *pgt;   /* the caller's, as are the next two */
	struct pgtsim_memory *memory; /* the page allocator */
	struct pgtsim_altmap *altmap; /* where memory is freed to instead; or NULL */
	uint64_t start, last;         /* what was cleared since the last flush, if count */
	unsigned count;
	struct pgtsim_held held[PGTSIM_GATHER_RUNS];
};

/* Starts with nothing in it: tlb_gather_mmu(). memory must not be NULL unless altmap is given. */
PGTSIM_API void pgtsim_gather_init(struct pgtsim_gather *gather, struct pgtsim_pgtable *pgt,
				   struct pgtsim_memory *memory, struct pgtsim_altmap *altmap);

/*
 * Clears every leaf that [start, end) touches, and takes the memory behind them. end 0 is the end
 * of the address space. Returns 0 or -EINVAL (empty or reversed range, outside the region; nowhere
 * to free to; s390's tables, where the knob free-order gathers). Free no tables of the range before the flush.
 */
PGTSIM_API int pgtsim_gather_unmap(struct pgtsim_gather *gather, uint64_t start, uint64_t end);

/*
 * Invalidates all that was cleared, in one flush of the profile's, then frees its memory:
 * tlb_flush_mmu(). Wrong frees are violations. Does nothing if nothing was cleared.
 */
PGTSIM_API void pgtsim_gather_flush(struct pgtsim_gather *gather);

#ifdef __cplusplus
}
#endif

#endif
