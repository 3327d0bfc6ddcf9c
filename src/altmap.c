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

int pgtsim_altmap_alloc(struct pgtsim_altmap *altmap, uint64_t pages, uint64_t *pfn)
{
	uint64_t boundary = pages & -pages;
	uint64_t next = next_pfn(altmap), left = pages_left(altmap);
	uint64_t padding = -next & (boundary - 1);

	if (!pages)
		return -EINVAL;
	if (pages > left || padding > left - pages)
		return -ENOMEM;
	altmap->alloc += pages;
	altmap->align += padding;
	*pfn = next + padding;
	return 0;
}

uint64_t pgtsim_altmap_alloc_run(struct pgtsim_altmap *altmap, uint64_t count, uint64_t *pfn)
{
	uint64_t left = pages_left(altmap);

	if (count > left)
		count = left;
	*pfn = next_pfn(altmap);
	altmap->alloc += count;
	return count;
}

void pgtsim_altmap_free(struct pgtsim_altmap *altmap, uint64_t pages)
{
	altmap->alloc -= pages;
}
