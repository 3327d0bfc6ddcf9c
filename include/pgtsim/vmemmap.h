/* SPDX-License-Identifier: MIT */
/*
 * vmemmap: the array of struct pages and its mapping: populate and free.
 *
 * Models vmemmap_populate() and vmemmap_free() of arch/arm64/mm/mmu.c, mm/sparse-vmemmap.c.
 */
#ifndef PGTSIM_VMEMMAP_H
#define PGTSIM_VMEMMAP_H

#include <pgtsim/teardown.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pgtsim_unused; /* opaque: the unused parts of blocks, with vmemmap-partial=track-unused */

struct pgtsim_vmemmap {
	struct pgtsim_pgtable *pgt;   /* the caller's */
	struct pgtsim_memory *memory; /* the caller's */
	uint64_t start, end;          /* VMEMMAP_START, VMEMMAP_END: also floor and ceiling */
	uint64_t base;                /* address of the struct page of PFN 0 (`vmemmap`) */
	uint64_t section_pages;
	unsigned struct_page;         /* bytes: 56 or 64 */
	struct pgtsim_unused *unused; /* NULL at first; freed by pgtsim_vmemmap_fini() */
};

/* Frees the host memory of `unused`; what is mapped stays mapped. */
PGTSIM_API void pgtsim_vmemmap_fini(struct pgtsim_vmemmap *vmemmap);

/* The address of a frame's struct page: pfn_to_page(). */
static inline uint64_t pgtsim_page_of_pfn(const struct pgtsim_vmemmap *vmemmap, uint64_t pfn)
{
	return vmemmap->base + pfn * vmemmap->struct_page;
}

/* Flags of pgtsim_vmemmap_populate(). */
enum { PGTSIM_POPULATE_PAGES = 1 /* base pages, never blocks */ };

/*
 * Maps the struct pages in [start, end), bytes, rounded outwards to pages; with the 4K granule
 * blocks where the profile wants them. Memory comes from the altmap if one is given (and the
 * profile knows it), else from the page allocator. An entry that is there already is kept.
 * Returns 0, -EINVAL (empty, reversed, outside [vmemmap->start, vmemmap->end)), -ENOMEM: what was
 * populated before stays or is freed again, as the knob populate-failure says; -ENOBUFS (the host is
 * out of memory).
 */
PGTSIM_API int pgtsim_vmemmap_populate(struct pgtsim_vmemmap *vmemmap, uint64_t start,
				       uint64_t end, struct pgtsim_altmap *altmap, unsigned flags);

/*
 * Both passes over [start, end), memory freed to the altmap or the page allocator; floor and
 * ceiling are the region's ends. With free-mapped=never nothing is unmapped or freed, only counted.
 * Returns 0 or -EINVAL as above.
 */
PGTSIM_API int pgtsim_vmemmap_free(struct pgtsim_vmemmap *vmemmap, uint64_t start, uint64_t end,
				   struct pgtsim_altmap *altmap);

#ifdef __cplusplus
}
#endif

#endif
