/* SPDX-License-Identifier: MIT */
#include "frames.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/bitmap.h"

static_assert(CHUNK_BITS <= 6 * CHUNK_DEPTH, "a bitmap must hold every frame of a chunk");
static_assert(REGION_BITS == 6 * REGION_DEPTH, "a region's bitmaps are full");
static_assert(PA_BITS - MIN_PAGE_SHIFT - CHUNK_BITS - REGION_BITS <= 6 * MEMORY_DEPTH,
	      "a bitmap must hold every region");

/* Where the bitmap of each order starts in a chunk's `blocks`: two levels, 1024 >> order bits. */
static const uint8_t blocks_at[] = { 0, 17, 26, 31, 34, 36, 38, 40, 42, 44, 46, 48 };

static_assert(sizeof(blocks_at) == ORDERS + 1, "each order has a bitmap");

struct block {
	struct chunk *chunk;
	unsigned frame, order;
};

struct region *pgtsim_region_touch(struct pgtsim_memory *memory, uint64_t index)
{
	assert(index < memory->directory.region_count);
	if (!memory->directory.regions[index])
		memory->directory.regions[index] = calloc(1, sizeof(struct region));
	if (!memory->directory.regions[index])
		memory->host_failed = true;
	return memory->directory.regions[index];
}

struct chunk *pgtsim_chunk_new(struct pgtsim_memory *memory, uint64_t index)
{
	struct region *region = pgtsim_region_touch(memory, index >> REGION_BITS);
	struct chunk *chunk = region ? calloc(1, sizeof(*chunk)) : NULL;

	if (!chunk) {
		memory->host_failed = true;
		return NULL;
	}
	chunk->region = region;
	chunk->index = index;
	region->chunks[index % REGION_CHUNKS] = chunk;
	return chunk;
}

/* Free blocks: no two free buddies, save at the largest order. */

static uint64_t *chunk_blocks(struct chunk *chunk, unsigned order)
{
	return &chunk->blocks[blocks_at[order]];
}

static void add_block(struct pgtsim_memory *memory, struct chunk *chunk, unsigned n, unsigned order)
{
	unsigned slot = chunk->index % REGION_CHUNKS;

	if (pgtsim_bitmap_add(chunk_blocks(chunk, order), CHUNK_DEPTH, n) &&
	    pgtsim_bitmap_add(chunk->region->holders[order], REGION_DEPTH, slot) &&
	    pgtsim_bitmap_add(memory->holders[order], MEMORY_DEPTH,
			      (unsigned)(chunk->index >> REGION_BITS)))
		memory->orders |= UINT64_C(1) << order;
}

/*
 * Returns whether it was the chunk's last block of that order. The bit in `holders` stays, as the
 * next free often sets it again. lowest_touched() clears a bit that is stale.
 */
static bool remove_block(struct chunk *chunk, unsigned n, unsigned order)
{
	return pgtsim_bitmap_remove(chunk_blocks(chunk, order), CHUNK_DEPTH, n);
}

/* Clears a stale bit in `holders`. */
static void remove_holder(struct pgtsim_memory *memory, struct chunk *chunk, unsigned order)
{
	unsigned slot = chunk->index % REGION_CHUNKS;

	if (pgtsim_bitmap_remove(chunk->region->holders[order], REGION_DEPTH, slot) &&
	    pgtsim_bitmap_remove(memory->holders[order], MEMORY_DEPTH,
				 (unsigned)(chunk->index >> REGION_BITS)))
		memory->orders &= ~(UINT64_C(1) << order);
}

/* Adds a block whose frames are in no free block, and merges it with its buddies. */
static void merge_block(struct pgtsim_memory *memory, struct chunk *chunk, unsigned frame,
			unsigned order)
{
	unsigned n = frame >> order;

	while (order < PGTSIM_MAX_ORDER &&
	       pgtsim_bitmap_test(chunk_blocks(chunk, order), CHUNK_DEPTH, n ^ 1)) {
		remove_block(chunk, n ^ 1, order);
		n >>= 1;
		order++;
	}
	add_block(memory, chunk, n, order);
}

/* The largest aligned block that starts at start and ends no later than end. */
static unsigned order_at(unsigned start, unsigned end)
{
	unsigned order = start ? pgtsim_lowest_bit(start) : PGTSIM_MAX_ORDER;

	while (1u << order > end - start)
		order--;
	return order;
}

/* Adds frames [start, end), which are in no free block. */
static void add_frames(struct pgtsim_memory *memory, struct chunk *chunk, unsigned start,
		       unsigned end)
{
	while (start < end) {
		unsigned order = order_at(start, end);

		merge_block(memory, chunk, start, order);
		start += 1u << order;
	}
}

/* The first frame from `frame` on that is not merged; with `unmerged` false the first that is. */
static unsigned next_frame(const struct chunk *chunk, unsigned frame, bool unmerged)
{
	uint64_t flip = unmerged ? 0 : ~UINT64_C(0), from = ~UINT64_C(0) << frame % 64;

	for (unsigned w = frame / 64; w < FRAME_WORDS; w++, from = ~UINT64_C(0)) {
		uint64_t word = (chunk->unmerged[w] ^ flip) & from;

		if (word)
			return w * 64 + pgtsim_lowest_bit(word);
	}
	return CHUNK_FRAMES;
}

void pgtsim_set_bytes(void *at, int value, size_t count)
{
	memset(at, value, count);
}

static void merge_chunk(struct pgtsim_memory *memory, struct chunk *chunk)
{
	unsigned start, end = 0;

	if (chunk->free_count == CHUNK_FRAMES) {
		pgtsim_set_bytes(chunk->blocks, 0, sizeof(chunk->blocks));
		add_block(memory, chunk, 0, PGTSIM_MAX_ORDER);
	} else {
		while ((start = next_frame(chunk, end, true)) < CHUNK_FRAMES) {
			end = next_frame(chunk, start, false);
			add_frames(memory, chunk, start, end);
		}
	}
	pgtsim_set_bytes(chunk->unmerged, 0, sizeof(chunk->unmerged));
	chunk->is_unmerged = false;
}

void pgtsim_frames_merge_free(struct pgtsim_memory *memory)
{
	if (!pgtsim_frames_empty(&memory->current))
		pgtsim_frames_add_unmerged(memory, &memory->current);
	memory->current.start = memory->current.end = 0;
	while (memory->unmerged) {
		struct chunk *chunk = memory->unmerged;

		memory->unmerged = chunk->next_unmerged;
		merge_chunk(memory, chunk);
	}
}

/* Removes a free block. Its frames still count as free. */
static void take_block(struct pgtsim_memory *memory, const struct block *block)
{
	if (remove_block(block->chunk, block->frame >> block->order, block->order))
		remove_holder(memory, block->chunk, block->order);
}

/* RAM, and the chunks of it that nobody touched. */

const struct pfn_range *pgtsim_ram_at(const struct pgtsim_memory *memory, uint64_t pfn)
{
	size_t low = 0, high = memory->range_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct pfn_range *range = &memory->range[middle];

		if (pfn < range->start)
			high = middle;
		else if (pfn >= range->end)
			low = middle + 1;
		else
			return range;
	}
	return NULL;
}

struct chunk *pgtsim_chunk_touch(struct pgtsim_memory *memory, uint64_t index)
{
	struct chunk *chunk = pgtsim_chunk(memory, index);

	if (chunk)
		return chunk;
	chunk = pgtsim_chunk_new(memory, index);
	if (!chunk)
		return NULL;
	memset(chunk->state, STATE_FREE, sizeof(chunk->state));
	chunk->free_count = CHUNK_FRAMES;
	add_block(memory, chunk, 0, PGTSIM_MAX_ORDER);
	return chunk;
}

/* Moves the frontier to the lowest whole chunk not touched. Returns whether there is one. */
static bool advance_frontier(struct pgtsim_memory *memory)
{
	while (memory->frontier_range < memory->range_count) {
		struct pfn_range whole =
			pgtsim_whole_chunks(&memory->range[memory->frontier_range]);

		if (memory->frontier < whole.start)
			memory->frontier = whole.start;
		if (memory->frontier >= whole.end)
			memory->frontier_range++;
		else if (pgtsim_chunk(memory, memory->frontier))
			memory->frontier++;
		else
			return true;
	}
	return false;
}

/* The lowest chunk that has metadata and a free block of that order; NULL if none. */
static struct chunk *lowest_touched(struct pgtsim_memory *memory, unsigned order)
{
	while (memory->orders >> order & 1) {
		uint64_t at = pgtsim_bitmap_lowest(memory->holders[order], MEMORY_DEPTH);
		const struct region *region = memory->directory.regions[at];
		struct chunk *chunk =
			region->chunks[pgtsim_bitmap_lowest(region->holders[order], REGION_DEPTH)];

		if (chunk_blocks(chunk, order)[0])
			return chunk;
		remove_holder(memory, chunk, order);
	}
	return NULL;
}

/* The lowest chunk that is free as a whole. NULL if none is, or the host has no memory. */
static struct chunk *lowest_whole(struct pgtsim_memory *memory)
{
	struct chunk *touched = lowest_touched(memory, PGTSIM_MAX_ORDER);

	/* A failed reserve_boot() may leave a free chunk with metadata above the frontier. */
	if (advance_frontier(memory) && (!touched || memory->frontier < touched->index))
		return pgtsim_chunk_touch(memory, memory->frontier);
	return touched;
}

/* Finds the lowest free block of the smallest order that is enough. Returns 0 or -ENOMEM. */
static int find_block(struct pgtsim_memory *memory, unsigned order, struct block *block)
{
	struct chunk *chunk = NULL;
	unsigned found;

	pgtsim_frames_merge_free(memory);
	do {
		uint64_t orders = memory->orders | 1u << PGTSIM_MAX_ORDER;

		found = pgtsim_lowest_bit(orders >> order) + order;
		chunk = found < PGTSIM_MAX_ORDER ? lowest_touched(memory, found) :
						   lowest_whole(memory);
	} while (!chunk && found < PGTSIM_MAX_ORDER);
	if (!chunk)
		return -ENOMEM;
	block->chunk = chunk;
	block->order = found;
	block->frame = pgtsim_bitmap_lowest(chunk_blocks(chunk, found), CHUNK_DEPTH) << found;
	return 0;
}

int pgtsim_frames_new_current(struct pgtsim_memory *memory)
{
	struct block block;

	if (find_block(memory, 0, &block))
		return -ENOMEM;
	take_block(memory, &block);
	memory->current =
		(struct frames){ block.chunk, block.frame, block.frame + (1u << block.order) };
	return 0;
}

int pgtsim_frames_take_block(struct pgtsim_memory *memory, unsigned order, struct frames *taken)
{
	unsigned count = 1u << order, end;
	struct block block;

	if (find_block(memory, order, &block))
		return -ENOMEM;
	take_block(memory, &block);
	*taken = (struct frames){ block.chunk, block.frame, block.frame + count };
	end = block.frame + (1u << block.order);
	add_frames(memory, block.chunk, taken->end, end);
	memory->free_count -= count;
	block.chunk->free_count -= count;
	return 0;
}

/* Frames that somebody chose. */

/* The free block that this frame of a chunk is in; there must be one. */
static struct block block_around(struct chunk *chunk, unsigned frame)
{
	unsigned order = 0;

	while (!pgtsim_bitmap_test(chunk_blocks(chunk, order), CHUNK_DEPTH, frame >> order))
		order++;
	return (struct block){ chunk, frame >> order << order, order };
}

void pgtsim_frames_take_part(struct pgtsim_memory *memory, struct chunk *chunk, unsigned start,
			     unsigned end)
{
	memory->free_count -= end - start;
	chunk->free_count -= end - start;
	for (unsigned at = start; at < end;) {
		struct block block = block_around(chunk, at);
		unsigned after = block.frame + (1u << block.order);

		remove_block(chunk, block.frame >> block.order, block.order);
		add_frames(memory, chunk, block.frame, at);
		add_frames(memory, chunk, end, after);
		at = after;
	}
}
