/* SPDX-License-Identifier: MIT */
/* queries: what a memory has, and names. */
#include <pgtsim/memory.h>

#include <string.h>

#include "frames.h"

/* Asking. */

uint64_t pgtsim_memory_free_count(const struct pgtsim_memory *memory)
{
	if (!memory)
		return 0;
	return memory->free_count;
}

uint64_t pgtsim_memory_free_now(struct pgtsim_memory *memory)
{
	uint64_t count;

	pgtsim_memory_lock(memory);
	count = memory->free_count;
	pgtsim_memory_unlock(memory);
	return count;
}

uint64_t pgtsim_memory_ram_count(const struct pgtsim_memory *memory)
{
	if (!memory)
		return 0;
	return memory->ram_count;
}

uint64_t pgtsim_memory_ram_in(const struct pgtsim_memory *memory, uint64_t pa, uint64_t size)
{
	if (!memory)
		return 0;

	uint64_t start = pa >> memory->directory.page_shift,
		 end = start + (size >> memory->directory.page_shift);
	uint64_t pages = 0;

	for (size_t i = 0; i < memory->range_count; i++) {
		const struct pfn_range *ram = &memory->range[i];
		uint64_t from = ram->start > start ? ram->start : start;
		uint64_t to = ram->end < end ? ram->end : end;

		pages += from < to ? to - from : 0;
	}
	return pages;
}

bool pgtsim_memory_is_ram(const struct pgtsim_memory *memory, uint64_t pa, uint64_t size)
{
	if (!memory)
		return false;

	const struct pfn_range *range = pgtsim_ram_at(memory, pa >> memory->directory.page_shift);

	return range && size != 0 && size <= (range->end << memory->directory.page_shift) - pa;
}

/* Chunks are equal frame by frame; one without metadata is wholly free. */
static bool chunks_equal(const struct chunk *a, const struct chunk *b)
{
	if (a && b)
		return !memcmp(a->state, b->state, sizeof(a->state));
	if (!a)
		a = b;
	for (unsigned frame = 0; a && frame < CHUNK_FRAMES; frame++)
		if (a->state[frame] >> OWNER_SHIFT != PGTSIM_OWNER_FREE)
			return false;
	return true;
}

bool pgtsim_memory_equal(const struct pgtsim_memory *a, const struct pgtsim_memory *b)
{
	if (!a || !b)
		return false;
	if (a->directory.page_shift != b->directory.page_shift ||
	    a->range_count != b->range_count || a->free_count != b->free_count ||
	    memcmp(a->range, b->range, a->range_count * sizeof(a->range[0])) != 0)
		return false;
	for (size_t i = 0; i < a->range_count; i++) {
		uint64_t last = (a->range[i].end - 1) >> CHUNK_BITS;

		for (uint64_t n = a->range[i].start >> CHUNK_BITS; n <= last; n++)
			if (!chunks_equal(pgtsim_chunk(a, n), pgtsim_chunk(b, n)))
				return false;
	}
	return true;
}

const char *pgtsim_bad_free_name(enum pgtsim_bad_free bad)
{
	static const char *const names[] = {
		[PGTSIM_FREE_OK] = "ok",
		[PGTSIM_FREE_NOT_RAM] = "not RAM",
		[PGTSIM_FREE_DOUBLE] = "double free",
		[PGTSIM_FREE_WRONG_ORDER] = "wrong order",
		[PGTSIM_FREE_WRONG_OWNER] = "wrong owner",
		[PGTSIM_FREE_BOOT] = "boot memory",
		[PGTSIM_FREE_BUSY] = "from the hook of a free",
	};

	return (size_t)bad < sizeof(names) / sizeof(names[0]) ? names[bad] : "unknown";
}

const char *pgtsim_owner_name(enum pgtsim_owner owner)
{
	static const char *const names[] = {
		[PGTSIM_OWNER_NOT_RAM] = "not RAM", [PGTSIM_OWNER_FREE] = "free",
		[PGTSIM_OWNER_BOOT] = "boot",       [PGTSIM_OWNER_PAGES] = "pages",
		[PGTSIM_OWNER_TABLE] = "table",     [PGTSIM_OWNER_ALTMAP] = "altmap",
	};

	return (size_t)owner < sizeof(names) / sizeof(names[0]) ? names[owner] : "unknown";
}
