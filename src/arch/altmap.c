/* SPDX-License-Identifier: MIT */
#include <pgtsim/altmap.h>

#include <errno.h>

static uint64_t pages_left(const struct pgtsim_altmap *altmap)
{
	uint64_t used = altmap->alloc + altmap->align;

	return altmap->free > used ? altmap->free - used : 0;
}

static uint64_t next_pfn(const struct pgtsim_altmap *altmap)
{
	return altmap->base + altmap->reserve + altmap->alloc + altmap->align;
}

/* Pages to skip so that `pages` pages begin at a multiple of their lowest set bit. */
static uint64_t padding_for(const struct pgtsim_altmap *altmap, uint64_t pages)
{
	return -next_pfn(altmap) & ((pages & -pages) - 1);
}

int pgtsim_altmap_alloc(struct pgtsim_altmap *altmap, uint64_t pages, uint64_t *pfn)
{
	if (!altmap || !pfn)
		return -EINVAL;

	uint64_t left = pages_left(altmap), padding = padding_for(altmap, pages);

	if (!pages)
		return -EINVAL;
	if (pages > left || padding > left - pages)
		return -ENOMEM;
	*pfn = next_pfn(altmap) + padding;
	altmap->alloc += pages;
	altmap->align += padding;
	return 0;
}

uint64_t pgtsim_altmap_alloc_run(struct pgtsim_altmap *altmap, uint64_t count, uint64_t *pfn)
{
	if (!altmap || !pfn)
		return 0;

	uint64_t left = pages_left(altmap);

	if (count > left)
		count = left;
	*pfn = next_pfn(altmap);
	altmap->alloc += count;
	return count;
}

bool pgtsim_altmap_lost_padding(const struct pgtsim_altmap *altmap, uint64_t pages)
{
	if (!altmap)
		return false;

	uint64_t left = altmap->free > altmap->alloc ? altmap->free - altmap->alloc : 0;
	uint64_t padding = padding_for(altmap, pages);

	return altmap->align && pages <= left && padding <= left - pages;
}

bool pgtsim_altmap_holds(const struct pgtsim_altmap *altmap, uint64_t pfn, uint64_t pages)
{
	if (!altmap)
		return false;

	uint64_t first = altmap->base + altmap->reserve;

	return pfn >= first && pfn - first <= altmap->free && pages <= altmap->free - (pfn - first);
}

void pgtsim_altmap_free(struct pgtsim_altmap *altmap, uint64_t pages)
{
	if (!altmap)
		return;
	altmap->alloc -= pages;
}
