/* SPDX-License-Identifier: MIT */
/*
 * frames: which frames of RAM are free, and which one the page allocator hands out next. It is a
 * buddy allocator with two shortcuts, both in struct pgtsim_memory: the current block and frames
 * not merged yet. Who holds an allocated frame is in its state, which memory.c sets for pages and
 * tables.c for table pages. Callers hold the lock: pgtsim_memory_lock().
 */
#ifndef PGTSIM_FRAMES_H
#define PGTSIM_FRAMES_H

#include "arch/bits.h"
#include "lookup.h"
#include "host.h"
#include "arch/lock.h"

/*
 * A chunk is one block of the largest order. A chunk that is all RAM and was never touched has no
 * metadata: it is free, and the frontier says which such chunk comes next. Chunks that are RAM in
 * part get their metadata at the start. So every free block below the largest order is known, and
 * the search for "the lowest block of the smallest sufficient order" need not visit fresh chunks.
 */
enum {
	PA_BITS = 52,
	MIN_PAGE_SHIFT = 12,
	MAX_PAGE_SHIFT = 24,
	ORDERS = PGTSIM_MAX_ORDER + 1,
};

/* Depths and sizes of the bitmaps of a chunk's blocks, a region's chunks and all regions. */
enum {
	CHUNK_DEPTH = 2,
	REGION_DEPTH = 2,
	MEMORY_DEPTH = 3,
	REGION_WORDS = 1 + 64,
	MEMORY_UPPER_WORDS = 1 + 64,
};

enum { BLOCK_WORDS = 48 }; /* of all bitmaps of a chunk's free blocks, one for each order */

/* A frame's state: its owner, and for a block's first frame the block's order. */
enum {
	OWNER_SHIFT = 4,
	INSIDE = 15, /* in place of the order: not a block's first frame */
	STATE_FREE = PGTSIM_OWNER_FREE << OWNER_SHIFT,
	STATE_BOOT = PGTSIM_OWNER_BOOT << OWNER_SHIFT,
	STATE_PAGES = PGTSIM_OWNER_PAGES << OWNER_SHIFT,
	STATE_TABLE = PGTSIM_OWNER_TABLE << OWNER_SHIFT,
};

enum { FRAME_WORDS = CHUNK_FRAMES / 64 };

struct chunk {
	struct region *region;
	uint64_t index;                 /* its PFN >> CHUNK_BITS */
	struct chunk *next_unmerged;    /* in the list of chunks with such frames … */
	bool is_unmerged;               /* … if it is in that list */
	unsigned free_count;            /* frames that are free, merged or not */
	uint64_t unmerged[FRAME_WORDS]; /* frames that are free, but in no free block */
	uint64_t blocks[BLOCK_WORDS];   /* free blocks of each order */
	uint8_t state[CHUNK_FRAMES];
};

struct region {
	struct region_tables tables;
	struct chunk *chunks[REGION_CHUNKS];
	uint64_t holders[ORDERS][REGION_WORDS]; /* chunks that may have a free block of it */
};

/* RAM; half-open. */
struct pfn_range {
	uint64_t start, end;
};

/* Consecutive frames of a chunk; half-open. */
struct frames {
	struct chunk *chunk;
	unsigned start, end;
};

/* Pools of host memory: entries of pte tables and of upper ones, child caches, records. */
enum pool { POOL_PTE, POOL_UPPER, POOL_CACHE, POOL_RECORDS, POOLS };

struct pgtsim_memory {
	struct directory directory; /* first */
	size_t table_bytes;
	struct host host[POOLS];
	uint64_t
		*holders[ORDERS]; /* regions with a chunk that may have a free block of the order */
	uint64_t orders;          /* bit n: holders[n] is not empty */
	uint64_t ram_count, free_count;
	/*
	 * Single pages are taken from the current block, one after the other. It was the lowest
	 * block of the smallest order. Splitting it in halves each time would give the same pages:
	 * what remains of it are always the smallest free blocks, lowest first. That holds until
	 * another frame is freed; then the rest goes back, and the next block is looked for.
	 */
	struct frames current;
	/*
	 * Chunks with frames that were freed and not merged into free blocks yet. Frames are often
	 * freed one by one until the whole chunk is free, and nobody looks at the free blocks before
	 * the next allocation: pgtsim_frames_merge_free().
	 */
	struct chunk *unmerged;
	struct pgtsim_table *halves; /* free ones beside a table: the page that was put here last first */
	uint64_t fail_in;      /* 1: the next allocation fails, 2: the one after it …; 0: none */
	uint64_t fail_again;   /* what fail_in becomes then */
	size_t frontier_range; /* no fresh chunk is in a lower range, … */
	uint64_t frontier;     /* … or is a lower chunk of this one */
	struct chunk *boot;    /* stands for each fresh chunk that is reserved whole */
	bool shared;           /* by threads */
	bool host_failed;      /* the host once had no memory, the pools' aside */
	uintptr_t lock;
	struct pgtsim_memory_hook hook;
	bool hooking; /* the hook is being called: nobody may allocate or free */
	size_t range_count;
	struct pfn_range range[]; /* RAM, sorted, not touching each other */
};

/* The chunk with that index; NULL if nobody touched it. */
static inline struct chunk *pgtsim_chunk(const struct pgtsim_memory *memory, uint64_t index)
{
	uint64_t at = index >> REGION_BITS;
	const struct region *region =
		at < memory->directory.region_count ? memory->directory.regions[at] : NULL;

	return region ? region->chunks[index % REGION_CHUNKS] : NULL;
}

static inline uint64_t pgtsim_frame_pfn(const struct chunk *chunk, unsigned frame)
{
	return (chunk->index << CHUNK_BITS) + frame;
}

static inline bool pgtsim_frames_empty(const struct frames *frames)
{
	return frames->start == frames->end;
}

/* The chunks that are RAM as a whole: [start, end); start may be above end. */
static inline struct pfn_range pgtsim_whole_chunks(const struct pfn_range *range)
{
	return (struct pfn_range){
		.start = (range->start + CHUNK_FRAMES - 1) >> CHUNK_BITS,
		.end = range->end >> CHUNK_BITS,
	};
}

/* The range of RAM that holds pfn; NULL if none does. */
const struct pfn_range *pgtsim_ram_at(const struct pgtsim_memory *memory, uint64_t pfn);

/* These create what is not there yet. NULL: the host has no memory. The index must be of RAM. */
struct region *pgtsim_region_touch(struct pgtsim_memory *memory, uint64_t index);

/* A chunk that is RAM as a whole. */
struct chunk *pgtsim_chunk_touch(struct pgtsim_memory *memory, uint64_t index);

/* A new chunk, all of it not RAM. */
struct chunk *pgtsim_chunk_new(struct pgtsim_memory *memory, uint64_t index);

/* Takes the lowest free block of the smallest sufficient order. Returns 0 or -ENOMEM. */
int pgtsim_frames_take_block(struct pgtsim_memory *memory, unsigned order, struct frames *taken);

/* Finds the next current block. Returns 0 or -ENOMEM. */
int pgtsim_frames_new_current(struct pgtsim_memory *memory);

/* Merges all free frames into free blocks. Needed before anyone looks at those. */
void pgtsim_frames_merge_free(struct pgtsim_memory *memory);

/* Takes frames of a chunk that are all free and merged. */
void pgtsim_frames_take_part(struct pgtsim_memory *memory, struct chunk *chunk, unsigned start,
			     unsigned end);

/*
 * memset() that is not inlined. The compiler makes a string instruction of a memset of at most
 * 1024 bytes, which takes longer than the call.
 */
__attribute__((noinline)) void pgtsim_set_bytes(void *at, int value, size_t count);

/* Sets the state of frames, at least one. */
static inline void pgtsim_frames_set(const struct frames *frames, uint8_t state)
{
	unsigned count = frames->end - frames->start;

	if (count == 1)
		frames->chunk->state[frames->start] = state;
	else
		pgtsim_set_bytes(&frames->chunk->state[frames->start], state, count);
}

/* Adds free frames, at least one, to those that are not merged yet. */
static inline void pgtsim_frames_add_unmerged(struct pgtsim_memory *memory,
					      const struct frames *frames)
{
	struct chunk *chunk = frames->chunk;

	if (frames->end - frames->start == 1)
		pgtsim_bit_set(chunk->unmerged, frames->start);
	else
		pgtsim_bits_set(chunk->unmerged, frames->start, frames->end);
	if (chunk->is_unmerged)
		return;
	chunk->is_unmerged = true;
	chunk->next_unmerged = memory->unmerged;
	memory->unmerged = chunk;
}

/* Frees frames, at least one and none of them free. The caller sets their state. */
static inline void pgtsim_frames_release(struct pgtsim_memory *memory, const struct frames *frames)
{
	pgtsim_frames_add_unmerged(memory, frames);
	frames->chunk->free_count += frames->end - frames->start;
	memory->free_count += frames->end - frames->start;
}

/* How many of `count` allocations come before the injected failure. 0: it is used up now. */
static inline uint64_t pgtsim_failure_admits(struct pgtsim_memory *memory, uint64_t count)
{
	if (!memory->fail_in)
		return count;
	if (memory->fail_in == 1) {
		memory->fail_in = memory->fail_again;
		return 0;
	}
	return count < memory->fail_in ? count : memory->fail_in - 1;
}

/* Counts allocations that pgtsim_failure_admits() admitted. */
static inline void pgtsim_failure_count(struct pgtsim_memory *memory, uint64_t count)
{
	if (memory->fail_in)
		memory->fail_in -= count;
}

/*
 * How many of the next `count` order-0 allocations take frames that follow one another, from
 * current.start on. 0: the next one fails, and an injected failure is used up.
 */
static inline unsigned pgtsim_frames_next(struct pgtsim_memory *memory, uint64_t count)
{
	uint64_t most = pgtsim_failure_admits(memory, count);
	bool none = memory->unmerged || pgtsim_frames_empty(&memory->current);
	unsigned size;

	if (!most || (none && pgtsim_frames_new_current(memory)))
		return 0;
	size = memory->current.end - memory->current.start;
	return most < size ? (unsigned)most : size;
}

/* Takes as many frames, or fewer, and counts the allocations. */
static inline struct frames pgtsim_frames_take(struct pgtsim_memory *memory, unsigned count,
					       uint8_t state)
{
	struct frames run = memory->current;

	run.end = run.start + count;
	memory->current.start = run.end;
	memory->free_count -= count;
	run.chunk->free_count -= count;
	pgtsim_failure_count(memory, count);
	pgtsim_frames_set(&run, state);
	return run;
}

/* The lock of a memory that threads share. Without threads these do nothing. */
static inline void pgtsim_memory_lock(struct pgtsim_memory *memory)
{
	pgtsim_lock(memory->shared, &memory->lock);
}

static inline void pgtsim_memory_unlock(struct pgtsim_memory *memory)
{
	pgtsim_unlock(memory->shared, &memory->lock);
}

#endif
