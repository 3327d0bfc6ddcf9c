/* SPDX-License-Identifier: MIT */
/*
 * frames: which frames of RAM are free, and which of them the page allocator hands out next. Who
 * holds the others is in their state, which is the callers' business: memory.c for pages, tables.c
 * for table pages. All of this is for one thread at a time; see pgtsim_memory_lock().
 */
#ifndef PGTSIM_FRAMES_H
#define PGTSIM_FRAMES_H

#include "bits.h"
#include "directory.h"
#include "host.h"
#include "shared.h"

/*
 * A chunk is one block of the largest order. Chunks that nobody touched have no metadata: chunks
 * that are RAM as a whole are free, and the frontier says which comes next; the others that hold
 * any RAM are set up at the start. So the free blocks of less than the largest order are always
 * known, and "the lowest block of the smallest sufficient order" needs no look at fresh chunks.
 */
enum {
	PA_BITS = 52,
	MIN_PAGE_SHIFT = 12,
	MAX_PAGE_SHIFT = 24,
	ORDERS = PGTSIM_MAX_ORDER + 1,
};

/* Of the trees that hold a chunk's blocks, a region's chunks and all regions. */
enum {
	CHUNK_DEPTH = 2,
	REGION_DEPTH = 2,
	MEMORY_DEPTH = 3,
	REGION_WORDS = 1 + 64,
	MEMORY_UPPER_WORDS = 1 + 64,
};

enum { BLOCK_WORDS = 48 }; /* of all trees of free blocks of a chunk */

/* A frame's state: its owner, and for a block's first frame the block's order. */
enum {
	OWNER_SHIFT = 4,
	INSIDE = 15, /* in place of the order: not a block's first frame */
	STATE_FREE = PGTSIM_OWNER_FREE << OWNER_SHIFT,
	STATE_BOOT = PGTSIM_OWNER_BOOT << OWNER_SHIFT,
	STATE_PAGES = PGTSIM_OWNER_PAGES << OWNER_SHIFT,
	STATE_TABLE = PGTSIM_OWNER_TABLE << OWNER_SHIFT,
};

enum { LOOSE_WORDS = CHUNK_FRAMES / 64 };

struct chunk {
	struct region *region;
	uint64_t index;              /* its PFN >> CHUNK_BITS */
	struct chunk *next_loose;    /* in the list of those that have loose frames */
	bool is_loose;               /* it is in that list */
	unsigned free_count;         /* frames that are free, in blocks or not */
	uint64_t loose[LOOSE_WORDS]; /* frames that are free, but in no free block */
	uint64_t blocks[BLOCK_WORDS];
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

/* Pools of host memory: for entries, numbered as `upper` of their tables, and for what is known. */
enum pool { LAST, UPPER, NOTES, RECORDS, POOLS };

struct pgtsim_memory {
	struct directory directory; /* first */
	size_t table_bytes;
	struct host host[POOLS];
	uint64_t *holders[ORDERS]; /* regions with such chunks */
	uint64_t orders;           /* that any region has such chunks for */
	uint64_t ram_count, free_count;
	/*
	 * Frames that are free, but in no free block: pgtsim_frames_settle().
	 *
	 * loose: chunks of which frames were freed since. What is freed bit by bit is often a whole
	 * chunk in the end, and until someone allocates nobody needs to know its blocks.
	 *
	 * open: what is left of a block that single pages are taken of, from its start on, one after
	 * the other. It was the lowest of the smallest order, and while no other frame is freed that
	 * is what halving it again and again comes to: what remains are the smallest blocks there
	 * are, the smaller ones first. The pages taken last go back to it.
	 */
	struct chunk *loose;
	struct frames open;
	unsigned opened;       /* where it began */
	uint64_t fail_in;      /* 1: the next allocation fails, 2: the one after it …; 0: none */
	uint64_t fail_again;   /* what fail_in becomes then */
	size_t frontier_range; /* whole chunks not touched are at the frontier or above */
	uint64_t frontier;
	struct chunk *boot; /* stands for each untouched chunk reserved whole */
	bool shared;        /* by threads */
	uintptr_t lock;
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

static inline bool pgtsim_frames_none(const struct frames *frames)
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

/* These make what is not there yet; NULL if the host has no memory. The index must be of RAM. */
struct region *pgtsim_region_touch(struct pgtsim_memory *memory, uint64_t index);

/* A chunk that is RAM as a whole. */
struct chunk *pgtsim_chunk_touch(struct pgtsim_memory *memory, uint64_t index);

/* A new chunk, all of it not RAM. */
struct chunk *pgtsim_chunk_new(struct pgtsim_memory *memory, uint64_t index);

/* Takes the lowest free block of the smallest order that is enough. Returns 0 or -ENOMEM. */
int pgtsim_frames_take_block(struct pgtsim_memory *memory, unsigned order, struct frames *taken);

/* Opens the block that the next single page comes from. Returns 0 or -ENOMEM. */
int pgtsim_frames_open(struct pgtsim_memory *memory);

/* Puts all free frames into free blocks, before anyone looks at those. */
void pgtsim_frames_settle(struct pgtsim_memory *memory);

/* Takes frames that are all free, after pgtsim_frames_settle(). */
void pgtsim_frames_take_part(struct pgtsim_memory *memory, struct chunk *chunk, unsigned start,
			     unsigned end);

/*
 * memset() out of line: where the compiler knows how few bytes it can be, it makes a string
 * instruction of it, which takes longer than the call.
 */
__attribute__((noinline)) void pgtsim_set_bytes(void *at, int value, size_t count);

/* Sets the state of frames, at least one; mostly it is one. */
static inline void pgtsim_frames_set(const struct frames *frames, uint8_t state)
{
	unsigned count = frames->end - frames->start;

	if (count == 1)
		frames->chunk->state[frames->start] = state;
	else
		pgtsim_set_bytes(&frames->chunk->state[frames->start], state, count);
}

/* Makes free frames, at least one, loose. */
static inline void pgtsim_frames_loosen(struct pgtsim_memory *memory, const struct frames *frames)
{
	struct chunk *chunk = frames->chunk;

	if (frames->end - frames->start == 1)
		pgtsim_bit_set(chunk->loose, frames->start);
	else
		pgtsim_bits_set(chunk->loose, frames->start, frames->end);
	if (chunk->is_loose)
		return;
	chunk->is_loose = true;
	chunk->next_loose = memory->loose;
	memory->loose = chunk;
}

/*
 * Whether frames are those that were taken last of the open block: free again, they make it what it
 * was before, as it is the free frames alone that tell which free blocks there are.
 */
static inline bool pgtsim_frames_are_last(const struct pgtsim_memory *memory,
					  const struct frames *frames)
{
	return frames->end == memory->open.start && frames->start >= memory->opened &&
	       frames->chunk == memory->open.chunk;
}

/* Frees frames, at least one and none of them free; their state is for the caller to set. */
static inline void pgtsim_frames_release(struct pgtsim_memory *memory, const struct frames *frames)
{
	if (pgtsim_frames_are_last(memory, frames))
		memory->open.start = frames->start;
	else
		pgtsim_frames_loosen(memory, frames);
	frames->chunk->free_count += frames->end - frames->start;
	memory->free_count += frames->end - frames->start;
}

/* How many of `count` allocations precede the injected failure; 0: that failure is now used up. */
static inline uint64_t pgtsim_admit(struct pgtsim_memory *memory, uint64_t count)
{
	if (!memory->fail_in)
		return count;
	if (memory->fail_in == 1) {
		memory->fail_in = memory->fail_again;
		return 0;
	}
	return count < memory->fail_in ? count : memory->fail_in - 1;
}

/* Counts allocations that pgtsim_admit() let through. */
static inline void pgtsim_count_admitted(struct pgtsim_memory *memory, uint64_t count)
{
	if (memory->fail_in)
		memory->fail_in -= count;
}

/*
 * How many of the next `count` order-0 allocations take frames that follow one another, from the
 * first that is open on; 0: the next one fails, and an injected failure is used up.
 */
static inline unsigned pgtsim_frames_next(struct pgtsim_memory *memory, uint64_t count)
{
	uint64_t most = pgtsim_admit(memory, count);
	bool closed = memory->loose || pgtsim_frames_none(&memory->open);
	unsigned size;

	if (!most || (closed && pgtsim_frames_open(memory)))
		return 0;
	size = memory->open.end - memory->open.start;
	return most < size ? (unsigned)most : size;
}

/* Takes as many of these, or fewer, and counts the allocations. */
static inline struct frames pgtsim_frames_take(struct pgtsim_memory *memory, unsigned count,
					       uint8_t state)
{
	struct frames run = memory->open;

	run.end = run.start + count;
	memory->open.start = run.end;
	memory->free_count -= count;
	run.chunk->free_count -= count;
	pgtsim_count_admitted(memory, count);
	pgtsim_frames_set(&run, state);
	return run;
}

/* Threads that share the memory take turns. */
static inline void pgtsim_memory_lock(struct pgtsim_memory *memory)
{
	pgtsim_lock(memory->shared, &memory->lock);
}

static inline void pgtsim_memory_unlock(struct pgtsim_memory *memory)
{
	pgtsim_unlock(memory->shared, &memory->lock);
}

#endif
