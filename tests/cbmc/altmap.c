/* SPDX-License-Identifier: MIT */
/* Frames of an altmap are aligned, follow all that were handed out, and lie in what it has. */
#include <pgtsim/altmap.h>

#include "prove.h"

/* A claim that the ones after it rest on: solvers do not find such sums equal by themselves. */
#define LEMMA(claim)           \
	do {                   \
		PROVE(claim);  \
		ASSUME(claim); \
	} while (0)

static void one_request(const struct pgtsim_altmap *before, uint64_t pages)
{
	struct pgtsim_altmap altmap = *before;
	uint64_t next = before->base + before->reserve + before->alloc + before->align, pfn = 0;
	uint64_t align = pages & -pages, aligned = (next + align - 1) & -align;
	uint64_t padding = aligned - next, left = before->free - (before->alloc + before->align);
	uint64_t offset = before->alloc + before->align + padding;
	int ret;

	LEMMA(padding == (-next & (align - 1)));
	ret = pgtsim_altmap_alloc(&altmap, pages, &pfn);
	if (ret) {
		PROVE(!pages || pages > left || padding > left - pages);
		PROVE(altmap.alloc == before->alloc && altmap.align == before->align);
		return;
	}
	LEMMA(pfn == aligned);
	LEMMA(pfn == before->base + before->reserve + offset);
	LEMMA(pages <= left && padding <= left - pages);
	/* With holding(): the altmap holds them. */
	PROVE(offset <= before->free && pages <= before->free - offset);
	PROVE(altmap.alloc == before->alloc + pages);
	PROVE(altmap.align == before->align + (pfn - next));
	pgtsim_altmap_free(&altmap, pages);
	PROVE(altmap.alloc == before->alloc);
}

/* It holds pages that far behind its reserve, exactly if they end before its free ones do. */
static void holding(const struct pgtsim_altmap *altmap, uint64_t offset, uint64_t pages)
{
	uint64_t pfn = altmap->base + altmap->reserve + offset;
	bool inside = offset <= altmap->free && pages <= altmap->free - offset;

	LEMMA(pfn - (altmap->base + altmap->reserve) == offset);
	PROVE(pgtsim_altmap_holds(altmap, pfn, pages) == inside);
}

static void a_run(const struct pgtsim_altmap *before, uint64_t count)
{
	struct pgtsim_altmap altmap = *before, one_by_one = *before;
	uint64_t pfn, single, got = pgtsim_altmap_alloc_run(&altmap, count, &pfn);

	PROVE(got <= count);
	if (got)
		PROVE(pgtsim_altmap_alloc(&one_by_one, 1, &single) == 0 && single == pfn);
	else
		PROVE(!count || pgtsim_altmap_alloc(&one_by_one, 1, &single) != 0);
}

void harness(void)
{
	struct pgtsim_altmap altmap = {
		.base = choose(40, 2),
		.reserve = choose(40, 2),
		.free = choose(40, 4),
		.align = choose(40, 2),
		.alloc = choose(40, 3),
	};
	uint64_t pages = choose(40, 4);

	ASSUME(altmap.alloc + altmap.align <= altmap.free);
	one_request(&altmap, pages);
	holding(&altmap, choose(40, 3), pages);
	a_run(&altmap, pages);
}
