/* SPDX-License-Identifier: MIT */
#include "unused.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shared.h"

enum {
	BLOCK_SHIFT = 21, /* only the 4K granule has vmemmap blocks */
	UNIT_SHIFT = 12,
	WORDS = 1 << (BLOCK_SHIFT - UNIT_SHIFT - 6),
	PART_SHIFT = 10,
};

struct record {
	uint64_t used[WORDS];   /* units that hold struct pages of memory that is there */
	uint64_t marked[WORDS]; /* units that are marked as unused */
};

struct pgtsim_unused {
	uint64_t first; /* number of the block that holds the vmemmap's start */
	uint64_t
		tail; /* from here to its block's end nothing is used, and not marked yet; 0: none */
	size_t parts;
	struct record *part[];
};

static uint64_t block_start(uint64_t va)
{
	return va >> BLOCK_SHIFT << BLOCK_SHIFT;
}

/* NULL where nothing was ever populated. */
static struct record *find_record(const struct pgtsim_unused *unused, uint64_t va)
{
	uint64_t number = (va >> BLOCK_SHIFT) - unused->first;
	struct record *part = unused->part[number >> PART_SHIFT];

	return part ? &part[number & ((1u << PART_SHIFT) - 1)] : NULL;
}

int pgtsim_unused_prepare(struct pgtsim_vmemmap *vmemmap, uint64_t va)
{
	struct pgtsim_unused *unused = vmemmap->unused;
	uint64_t first = vmemmap->start >> BLOCK_SHIFT;
	uint64_t blocks = ((vmemmap->end - 1) >> BLOCK_SHIFT) - first + 1;
	size_t parts = (size_t)(blocks >> PART_SHIFT) + 1;
	struct record **part;

	if (!unused) {
		unused = calloc(1, sizeof(*unused) + parts * sizeof(unused->part[0]));
		if (!unused)
			return -ENOMEM;
		unused->first = first;
		unused->parts = parts;
		vmemmap->unused = unused;
	}
	part = &unused->part[((va >> BLOCK_SHIFT) - first) >> PART_SHIFT];
	if (!*part)
		*part = calloc((size_t)1 << PART_SHIFT, sizeof(**part));
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
#define for_each_unit(unit, start, end)                                              \
	for (unsigned unit = (unsigned)(((start)-block_start(start)) >> UNIT_SHIFT); \
	     unit <= (unsigned)(((end)-1 - block_start(start)) >> UNIT_SHIFT); unit++)

static void set_units(uint64_t *words, uint64_t start, uint64_t end, bool on)
{
	for_each_unit (unit, start, end) {
		uint64_t bit = UINT64_C(1) << unit % 64;

		words[unit / 64] = on ? words[unit / 64] | bit : words[unit / 64] & ~bit;
	}
}

/* memset(start, PAGE_UNUSED, end - start) */
static void mark(struct pgtsim_vmemmap *vmemmap, uint64_t start, uint64_t end)
{
	struct record *record = find_record(vmemmap->unused, start);

	for_each_unit (unit, start, end)
		if (record->used[unit / 64] >> unit % 64 & 1) {
			pgtsim_tlb_violation(vmemmap->pgt->tlb, PGTSIM_V_MARKED_IN_USE,
					     block_start(start) + ((uint64_t)unit << UNIT_SHIFT),
					     PGTSIM_PMD, "marked 0x%llx to 0x%llx",
					     (unsigned long long)start, (unsigned long long)end);
			break;
		}
	set_units(record->marked, start, end, true);
	pgtsim_count(vmemmap->pgt->tlb, &vmemmap->pgt->tlb->counts.memmap_marked, end - start);
}

/* What was put off is done now. */
static void mark_tail(struct pgtsim_vmemmap *vmemmap)
{
	uint64_t tail = vmemmap->unused->tail;

	vmemmap->unused->tail = 0;
	if (tail)
		mark(vmemmap, tail, block_start(tail) + (UINT64_C(1) << BLOCK_SHIFT));
}

static void remember_tail(struct pgtsim_unused *unused, uint64_t end)
{
	unused->tail = end == block_start(end) ? 0 : end;
}

/* The part before the first struct page of a block that begins in its middle. */
static void mark_head(struct pgtsim_vmemmap *vmemmap, uint64_t start)
{
	uint64_t base = block_start(start);
	bool misplaced = vmemmap->pgt->policy->mark_unused == PGTSIM_MARK_MISPLACED;

	if (start == base)
		return;
	if (misplaced && start + (start - base) <= base + (UINT64_C(1) << BLOCK_SHIFT))
		mark(vmemmap, start, start + (start - base));
	else
		mark(vmemmap, base, start);
}

void pgtsim_unused_use(struct pgtsim_vmemmap *vmemmap, uint64_t start, uint64_t end, bool fresh)
{
	struct record *record = find_record(vmemmap->unused, start);
	bool consecutive = !fresh && vmemmap->unused->tail == start;

	if (!consecutive)
		mark_tail(vmemmap);
	set_units(record->used, start, end, true);
	/* Only the first struct page is written: enough to tell that not all is unused. */
	if (!consecutive)
		set_units(record->marked, start, start + 1, false);
	if (fresh)
		mark_head(vmemmap, start);
	if (fresh || consecutive)
		remember_tail(vmemmap->unused, end);
}

bool pgtsim_unused_drop(struct pgtsim_vmemmap *vmemmap, uint64_t start, uint64_t end)
{
	struct record *record = find_record(vmemmap->unused, start);
	uint64_t all = UINT64_MAX;

	if (!record)
		return true;
	mark_tail(vmemmap);
	set_units(record->used, start, end, false);
	mark(vmemmap, start, end);
	for (unsigned i = 0; i < WORDS; i++)
		all &= record->marked[i];
	return all == UINT64_MAX;
}

void pgtsim_unused_forget(struct pgtsim_vmemmap *vmemmap, uint64_t va)
{
	struct record *record = find_record(vmemmap->unused, va);

	if (vmemmap->unused->tail && block_start(vmemmap->unused->tail) == block_start(va))
		vmemmap->unused->tail = 0;
	if (record)
		memset(record, 0, sizeof(*record));
}
