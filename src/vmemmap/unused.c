/* SPDX-License-Identifier: MIT */
#include "unused.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "events/events.h"
#include "memory/lookup.h"

enum {
	BLOCK_SHIFT_MAX = 21, /* only the 4K granule has vmemmap blocks: of 2M, on s390 of 1M */
	UNIT_SHIFT = 12,
	WORDS = 1 << (BLOCK_SHIFT_MAX - UNIT_SHIFT - 6),
	PART_SHIFT = 10,
};

/* What is known of one block, a bit for each 4 KiB. */
struct usage {
	uint64_t used[WORDS];   /* units that hold struct pages of memory that is there */
	uint64_t marked[WORDS]; /* units that are marked as unused */
};

struct pgtsim_unused {
	unsigned block_shift; /* log2 of the bytes of a block */
	uint64_t first; /* number of the block that holds the vmemmap's start */
	/* From here to the end of its block nothing is used, and that is not marked yet; 0: none. */
	uint64_t tail;
	size_t parts;
	struct usage *part[];
};

static uint64_t block_start(const struct pgtsim_unused *unused, uint64_t va)
{
	return va >> unused->block_shift << unused->block_shift;
}

static uint64_t block_size(const struct pgtsim_unused *unused)
{
	return UINT64_C(1) << unused->block_shift;
}

/* NULL where nothing was ever populated. */
static struct usage *find_usage(const struct pgtsim_unused *unused, uint64_t va)
{
	uint64_t number = (va >> unused->block_shift) - unused->first;
	struct usage *part = unused->part[number >> PART_SHIFT];

	return part ? &part[number & ((1u << PART_SHIFT) - 1)] : NULL;
}

int pgtsim_unused_prepare(struct pgtsim_vmemmap *vmemmap, uint64_t va)
{
	struct pgtsim_unused *unused = vmemmap->unused;
	unsigned shift = vmemmap->pgt->geo.shift[pgtsim_slot(PGTSIM_PMD)];
	uint64_t first = vmemmap->start >> shift;
	uint64_t blocks = ((vmemmap->end - 1) >> shift) - first + 1;
	size_t parts = (size_t)(blocks >> PART_SHIFT) + 1;
	struct usage **part;

	if (!unused) {
		unused = calloc(1, sizeof(*unused) + parts * sizeof(unused->part[0]));
		if (!unused) {
			pgtsim_memory_host_failed(vmemmap->memory);
			return -ENOMEM;
		}
		unused->block_shift = shift;
		unused->first = first;
		unused->parts = parts;
		vmemmap->unused = unused;
	}
	part = &unused->part[((va >> shift) - first) >> PART_SHIFT];
	if (!*part)
		*part = calloc((size_t)1 << PART_SHIFT, sizeof(**part));
	if (!*part)
		pgtsim_memory_host_failed(vmemmap->memory);
	return *part ? 0 : -ENOMEM;
}

void pgtsim_unused_free(struct pgtsim_unused *unused)
{
	if (!unused)
		return;
	for (size_t i = 0; i < unused->parts; i++)
		free(unused->part[i]);
	free(unused);
}

/* Walks the units that [start, end), inside one block, touches. */
#define for_each_unit(unit, base, start, end)                           \
	for (unsigned unit = (unsigned)(((start) - (base)) >> UNIT_SHIFT); \
	     unit <= (unsigned)(((end)-1 - (base)) >> UNIT_SHIFT); unit++)

static void set_units(uint64_t *words, uint64_t base, uint64_t start, uint64_t end, bool on)
{
	for_each_unit (unit, base, start, end) {
		uint64_t bit = UINT64_C(1) << unit % 64;

		words[unit / 64] = on ? words[unit / 64] | bit : words[unit / 64] & ~bit;
	}
}

/* memset(start, PAGE_UNUSED, end - start) */
static void mark(struct pgtsim_vmemmap *vmemmap, uint64_t start, uint64_t end)
{
	struct usage *usage = find_usage(vmemmap->unused, start);
	uint64_t base = block_start(vmemmap->unused, start);

	for_each_unit (unit, base, start, end)
		if (usage->used[unit / 64] >> unit % 64 & 1) {
			pgtsim_tlb_violation(vmemmap->pgt->tlb, PGTSIM_V_MARKED_IN_USE,
					     base + ((uint64_t)unit << UNIT_SHIFT),
					     PGTSIM_PMD, "marked 0x%llx to 0x%llx",
					     (unsigned long long)start, (unsigned long long)end);
			break;
		}
	set_units(usage->marked, base, start, end, true);
	pgtsim_count(vmemmap->pgt->tlb, &vmemmap->pgt->tlb->counts.memmap_marked, end - start);
}

static bool is_forgotten(const struct usage *usage)
{
	uint64_t any = 0;

	for (unsigned i = 0; i < WORDS; i++)
		any |= usage->used[i] | usage->marked[i];
	return !any;
}

/*
 * Marks the tail that was put off. The kernel remembers it even when its block is removed as a whole
 * meanwhile: then it writes to what has taken the block's place, or to nothing.
 */
static void mark_tail(struct pgtsim_vmemmap *vmemmap)
{
	uint64_t tail = vmemmap->unused->tail, end;

	vmemmap->unused->tail = 0;
	if (!tail)
		return;
	end = block_start(vmemmap->unused, tail) + block_size(vmemmap->unused);
	if (is_forgotten(find_usage(vmemmap->unused, tail)))
		pgtsim_tlb_violation(vmemmap->pgt->tlb, PGTSIM_V_MARKED_IN_USE, tail, PGTSIM_PMD,
				     "marked 0x%llx to 0x%llx, of a block that was removed before",
				     (unsigned long long)tail, (unsigned long long)end);
	mark(vmemmap, tail, end);
}

static void remember_tail(struct pgtsim_unused *unused, uint64_t end)
{
	unused->tail = end == block_start(unused, end) ? 0 : end;
}

/* The part before the first struct page of a block that begins in its middle. */
static void mark_head(struct pgtsim_vmemmap *vmemmap, uint64_t start)
{
	uint64_t base = block_start(vmemmap->unused, start);
	bool misplaced = vmemmap->pgt->policy->mark_unused == PGTSIM_MARK_MISPLACED;

	if (start == base)
		return;
	if (misplaced && start + (start - base) <= base + block_size(vmemmap->unused))
		mark(vmemmap, start, start + (start - base));
	else
		mark(vmemmap, base, start);
}

void pgtsim_unused_use(struct pgtsim_vmemmap *vmemmap, uint64_t start, uint64_t end, bool fresh)
{
	struct usage *usage = find_usage(vmemmap->unused, start);
	uint64_t base = block_start(vmemmap->unused, start);
	bool consecutive = !fresh && vmemmap->unused->tail == start;

	if (!consecutive)
		mark_tail(vmemmap);
	set_units(usage->used, base, start, end, true);
	/* Only the first struct page is written: enough to tell that not all is unused. */
	if (!consecutive)
		set_units(usage->marked, base, start, start + 1, false);
	if (fresh)
		mark_head(vmemmap, start);
	if (fresh || consecutive)
		remember_tail(vmemmap->unused, end);
}

void pgtsim_unused_fill(struct pgtsim_vmemmap *vmemmap, uint64_t start, uint64_t end)
{
	struct usage *usage = find_usage(vmemmap->unused, start);

	set_units(usage->used, block_start(vmemmap->unused, start), start, end, true);
}

bool pgtsim_unused_drop(struct pgtsim_vmemmap *vmemmap, uint64_t start, uint64_t end)
{
	struct usage *usage = find_usage(vmemmap->unused, start);
	uint64_t all = UINT64_MAX;

	if (!usage)
		return true;
	mark_tail(vmemmap);
	set_units(usage->used, block_start(vmemmap->unused, start), start, end, false);
	mark(vmemmap, start, end);
	for (unsigned i = 0; i < block_size(vmemmap->unused) >> (UNIT_SHIFT + 6); i++)
		all &= usage->marked[i];
	return all == UINT64_MAX;
}

void pgtsim_unused_forget(struct pgtsim_vmemmap *vmemmap, uint64_t va)
{
	struct usage *usage = find_usage(vmemmap->unused, va);

	if (usage)
		memset(usage, 0, sizeof(*usage));
}
