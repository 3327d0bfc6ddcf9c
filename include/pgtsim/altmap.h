/* SPDX-License-Identifier: MIT */
/*
 * altmap: the allocator of a device's own memory, for the struct pages that describe it.
 *
 * Models struct vmem_altmap and mm/sparse-vmemmap.c: a counter, not a bitmap. The next frame is
 * base + reserve + alloc + align; freeing subtracts, whatever was freed.
 */
#ifndef PGTSIM_ALTMAP_H
#define PGTSIM_ALTMAP_H

#include <pgtsim/api.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Units: base is a PFN, all others are pages. */
struct pgtsim_altmap {
	uint64_t base;    /* first frame of the device's memory */
	uint64_t reserve; /* pages at its start that are never handed out */
	uint64_t free;    /* pages after those that may be handed out */
	uint64_t align;   /* pages lost to alignment */
	uint64_t alloc;   /* pages handed out */
};

/*
 * Hands out `pages` pages, aligned to the lowest set bit of that number. Returns 0 with the first
 * frame in *pfn, -EINVAL (no pages, NULL) or -ENOMEM (they and their padding exceed
 * free - alloc - align). Models altmap_alloc_block_buf().
 */
PGTSIM_API int pgtsim_altmap_alloc(struct pgtsim_altmap *altmap, uint64_t pages, uint64_t *pfn);

/*
 * Hands out up to `count` single pages with consecutive frames, as that many calls of
 * pgtsim_altmap_alloc(altmap, 1) would. Returns how many, 0 if there is none left.
 */
PGTSIM_API uint64_t pgtsim_altmap_alloc_run(struct pgtsim_altmap *altmap, uint64_t count,
					    uint64_t *pfn);

/*
 * Whether an allocation of `pages` pages failed only because padding that was lost to alignment
 * earlier is never given back.
 */
PGTSIM_API bool pgtsim_altmap_lost_padding(const struct pgtsim_altmap *altmap, uint64_t pages);

/* Whether [pfn, pfn + pages) lies in the part that may be handed out. */
PGTSIM_API bool pgtsim_altmap_holds(const struct pgtsim_altmap *altmap, uint64_t pfn,
				    uint64_t pages);

/* Gives `pages` pages back: subtracts, and may wrap. Models vmem_altmap_free(). */
PGTSIM_API void pgtsim_altmap_free(struct pgtsim_altmap *altmap, uint64_t pages);

#ifdef __cplusplus
}
#endif

#endif
