/* SPDX-License-Identifier: MIT */
#include <pgtsim/memory.h>

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bits.h"
#include "directory.h"
#include "host.h"
#include "shared.h"
#include "tree.h"

/*
 * A chunk is one block of the largest order. Chunks that nobody touched have no metadata: chunks
 * that are RAM as a whole are free, and the frontier says which comes next; the others that hold
 * any RAM are set up at the start. So the free blocks of less than the largest order are always
 * known, and "the lowest block of the smallest sufficient order" needs no look at fresh chunks.
 */
enum {
	PA_BITS = 52,
	MIN_PAGE_SHIFT = 12,
	FREED = -128, /* the level of a table that is free: nothing leads there */
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

static_assert(CHUNK_BITS <= 6 * CHUNK_DEPTH, "a tree must hold every frame of a chunk");
static_assert(REGION_BITS == 6 * REGION_DEPTH, "a region's trees are full");
static_assert(PA_BITS - MIN_PAGE_SHIFT - CHUNK_BITS - REGION_BITS <= 6 * MEMORY_DEPTH,
	      "a tree must hold every region");

/* Where each order's tree of free blocks starts in a chunk; two levels, 1024 >> order bits. */
static const uint8_t blocks_at[] = { 0, 17, 26, 31, 34, 36, 38, 40, 42, 44, 46, 48 };
enum { BLOCK_WORDS = 48 };

static_assert(sizeof(blocks_at) == ORDERS + 1, "each order has a tree");

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

/* Half-open. */
struct pfn_range {
	uint64_t start, end;
};

/* Consecutive frames of a chunk; half-open. */
struct frames {
	struct chunk *chunk;
	unsigned start, end;
};

/* Pools of host memory: for entries, numbered as the `upper` of their tables, and for records. */
enum pool { LAST, UPPER, RECORDS, POOLS };

struct pgtsim_memory {
	struct directory directory; /* first */
	size_t table_bytes;
	struct host host[POOLS];
	uint64_t *holders[ORDERS]; /* regions with such chunks */
	uint64_t orders;           /* that any region has such chunks for */
	uint64_t ram_count, free_count;
	/*
	 * Frames that are free, but in no free block for now; settle() changes that.
	 *
	 * loose: chunks of which frames were freed since. What is freed bit by bit is often a whole
	 * chunk in the end, and until someone allocates nobody needs to know its blocks.
	 *
	 * open: what is left of a block that single pages are taken of, from its start on, one after
	 * the other. It was the lowest of the smallest order, and while no other frame is freed that
	 * is what halving it again and again comes to: what remains are the smallest blocks there
	 * are, the smaller ones first.
	 */
	struct chunk *loose;
	struct frames open;
	uint64_t fail_in;      /* 1: the next allocation fails, 2: the one after it …; 0: none */
	uint64_t fail_again;   /* what fail_in becomes then */
	size_t frontier_range; /* whole chunks not touched are at the frontier or above */
	uint64_t frontier;
	struct chunk *boot; /* stands for each untouched chunk reserved whole */
	bool shared;        /* by threads: they take turns with all that follows in this file */
	uintptr_t lock;
	size_t range_count;
	struct pfn_range range[]; /* RAM, sorted, not touching each other */
};

struct block {
	struct chunk *chunk;
	unsigned frame, order;
};

/* The directory: regions and chunks. */

static struct region *find_region(const struct pgtsim_memory *memory, uint64_t index)
{
	return index < memory->directory.region_count ? memory->directory.regions[index] : NULL;
}

/* The chunk with that index, NULL if nobody touched it. */
static struct chunk *find_chunk(const struct pgtsim_memory *memory, uint64_t index)
{
	struct region *region = find_region(memory, index >> REGION_BITS);

	return region ? region->chunks[index % REGION_CHUNKS] : NULL;
}

/* The index must be of RAM. NULL if the host has no memory. */
static struct region *get_region(struct pgtsim_memory *memory, uint64_t index)
{
	assert(index < memory->directory.region_count);
	if (!memory->directory.regions[index])
		memory->directory.regions[index] = calloc(1, sizeof(struct region));
	return memory->directory.regions[index];
}

/* A new chunk, all of it not RAM. NULL if the host has no memory. */
static struct chunk *new_chunk(struct pgtsim_memory *memory, uint64_t index)
{
	struct region *region = get_region(memory, index >> REGION_BITS);
	struct chunk *chunk = region ? calloc(1, sizeof(*chunk)) : NULL;

	if (!chunk)
		return NULL;
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

	if (pgtsim_tree_add(chunk_blocks(chunk, order), CHUNK_DEPTH, n) &&
	    pgtsim_tree_add(chunk->region->holders[order], REGION_DEPTH, slot) &&
	    pgtsim_tree_add(memory->holders[order], MEMORY_DEPTH,
			    (unsigned)(chunk->index >> REGION_BITS)))
		memory->orders |= UINT64_C(1) << order;
}

/*
 * Returns whether it was the chunk's last of that order. The bit in `holders` stays: when pages
 * are freed one by one, the next free sets it again. lowest_touched() clears it if need be.
 */
static bool remove_block(struct chunk *chunk, unsigned n, unsigned order)
{
	return pgtsim_tree_remove(chunk_blocks(chunk, order), CHUNK_DEPTH, n);
}

/* Clears a stale bit in `holders`. */
static void remove_holder(struct pgtsim_memory *memory, struct chunk *chunk, unsigned order)
{
	unsigned slot = chunk->index % REGION_CHUNKS;

	if (pgtsim_tree_remove(chunk->region->holders[order], REGION_DEPTH, slot) &&
	    pgtsim_tree_remove(memory->holders[order], MEMORY_DEPTH,
			       (unsigned)(chunk->index >> REGION_BITS)))
		memory->orders &= ~(UINT64_C(1) << order);
}

/* Adds a block whose frames are in no free block, and merges it with its buddies. */
static void merge_block(struct pgtsim_memory *memory, struct chunk *chunk, unsigned frame,
			unsigned order)
{
	unsigned n = frame >> order;

	while (order < PGTSIM_MAX_ORDER &&
	       pgtsim_tree_test(chunk_blocks(chunk, order), CHUNK_DEPTH, n ^ 1)) {
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

static bool is_empty(const struct frames *frames)
{
	return frames->start == frames->end;
}

/* Makes free frames [start, end), at least one, loose. */
static void loosen(struct pgtsim_memory *memory, struct chunk *chunk, unsigned start, unsigned end)
{
	pgtsim_bits_set(chunk->loose, start, end);
	if (chunk->is_loose)
		return;
	chunk->is_loose = true;
	chunk->next_loose = memory->loose;
	memory->loose = chunk;
}

/* The first loose frame from `frame` on, or with `loose` false the first that is not. */
static unsigned next_frame(const struct chunk *chunk, unsigned frame, bool loose)
{
	uint64_t flip = loose ? 0 : ~UINT64_C(0), from = ~UINT64_C(0) << frame % 64;

	for (unsigned w = frame / 64; w < LOOSE_WORDS; w++, from = ~UINT64_C(0)) {
		uint64_t word = (chunk->loose[w] ^ flip) & from;

		if (word)
			return w * 64 + pgtsim_lowest_bit(word);
	}
	return CHUNK_FRAMES;
}

/*
 * memset() out of line: where the compiler knows how few bytes it can be, it makes a string
 * instruction of it, which takes longer than the call.
 */
__attribute__((noinline)) static void set_bytes(void *at, int value, size_t count)
{
	memset(at, value, count);
}

/* Says whose frames [start, end) are; mostly it is one. */
static void set_states(struct chunk *chunk, unsigned start, unsigned end, uint8_t state)
{
	if (end - start == 1)
		chunk->state[start] = state;
	else
		set_bytes(&chunk->state[start], state, end - start);
}

static void settle_chunk(struct pgtsim_memory *memory, struct chunk *chunk)
{
	unsigned start, end = 0;

	if (chunk->free_count == CHUNK_FRAMES) {
		set_bytes(chunk->blocks, 0, sizeof(chunk->blocks));
		add_block(memory, chunk, 0, PGTSIM_MAX_ORDER);
	} else {
		while ((start = next_frame(chunk, end, true)) < CHUNK_FRAMES) {
			end = next_frame(chunk, start, false);
			add_frames(memory, chunk, start, end);
		}
	}
	set_bytes(chunk->loose, 0, sizeof(chunk->loose));
	chunk->is_loose = false;
}

/* Puts all free frames into free blocks, before anyone looks at those. */
static void settle(struct pgtsim_memory *memory)
{
	if (!is_empty(&memory->open))
		loosen(memory, memory->open.chunk, memory->open.start, memory->open.end);
	memory->open.start = memory->open.end = 0;
	while (memory->loose) {
		struct chunk *chunk = memory->loose;

		memory->loose = chunk->next_loose;
		settle_chunk(memory, chunk);
	}
}

/* Frees frames [start, end), which are marked as free already. */
static void release_marked(struct pgtsim_memory *memory, struct chunk *chunk, unsigned start,
			   unsigned end)
{
	loosen(memory, chunk, start, end);
	chunk->free_count += end - start;
	memory->free_count += end - start;
}

/* Frees frames [start, end), which are allocated. */
static void release(struct pgtsim_memory *memory, struct chunk *chunk, unsigned start, unsigned end)
{
	set_states(chunk, start, end, STATE_FREE);
	release_marked(memory, chunk, start, end);
}

/* Makes a free block nobody's; its frames still count as free. */
static void take_block(struct pgtsim_memory *memory, const struct block *block)
{
	if (remove_block(block->chunk, block->frame >> block->order, block->order))
		remove_holder(memory, block->chunk, block->order);
}

static uint64_t frame_pfn(const struct chunk *chunk, unsigned frame)
{
	return (chunk->index << CHUNK_BITS) + frame;
}

/* RAM, and the chunks of it that nobody touched. */

/* The range of RAM that holds pfn; NULL if none does. */
static const struct pfn_range *find_ram(const struct pgtsim_memory *memory, uint64_t pfn)
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

/* The chunks that are RAM as a whole: [start, end); start may be above end. */
static struct pfn_range whole_chunks(const struct pfn_range *range)
{
	return (struct pfn_range){
		.start = (range->start + CHUNK_FRAMES - 1) >> CHUNK_BITS,
		.end = range->end >> CHUNK_BITS,
	};
}

/* Gives a chunk that is RAM as a whole its metadata. NULL if the host has no memory. */
static struct chunk *touch_chunk(struct pgtsim_memory *memory, uint64_t index)
{
	struct chunk *chunk = find_chunk(memory, index);

	if (chunk)
		return chunk;
	chunk = new_chunk(memory, index);
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
		struct pfn_range whole = whole_chunks(&memory->range[memory->frontier_range]);

		if (memory->frontier < whole.start)
			memory->frontier = whole.start;
		if (memory->frontier >= whole.end)
			memory->frontier_range++;
		else if (find_chunk(memory, memory->frontier))
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
		uint64_t at = pgtsim_tree_lowest(memory->holders[order], MEMORY_DEPTH);
		const struct region *region = memory->directory.regions[at];
		struct chunk *chunk =
			region->chunks[pgtsim_tree_lowest(region->holders[order], REGION_DEPTH)];

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
		return touch_chunk(memory, memory->frontier);
	return touched;
}

/* Finds the lowest free block of the smallest order that is enough. Returns 0 or -ENOMEM. */
static int find_block(struct pgtsim_memory *memory, unsigned order, struct block *block)
{
	struct chunk *chunk = NULL;
	unsigned found;

	settle(memory);
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
	block->frame = pgtsim_tree_lowest(chunk_blocks(chunk, found), CHUNK_DEPTH) << found;
	return 0;
}

/* Creating and freeing. */

static int compare_ranges(const void *a, const void *b)
{
	const struct pfn_range *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

/* Sorts the ranges and joins those that touch. Returns 0 or -EINVAL (overlapping). */
static int join_ranges(struct pgtsim_memory *memory)
{
	size_t last = 0;

	qsort(memory->range, memory->range_count, sizeof(memory->range[0]), compare_ranges);
	for (size_t i = 1; i < memory->range_count; i++) {
		if (memory->range[i].start < memory->range[last].end)
			return -EINVAL;
		if (memory->range[i].start == memory->range[last].end)
			memory->range[last].end = memory->range[i].end;
		else
			memory->range[++last] = memory->range[i];
	}
	memory->range_count = last + 1;
	return 0;
}

static int set_ranges(struct pgtsim_memory *memory, const struct pgtsim_ram *ram, size_t count)
{
	uint64_t page = UINT64_C(1) << memory->directory.page_shift;

	for (size_t i = 0; i < count; i++) {
		if (ram[i].start >= ram[i].end || ram[i].end > UINT64_C(1) << PA_BITS ||
		    (ram[i].start | ram[i].end) % page != 0)
			return -EINVAL;
		memory->range[i].start = ram[i].start >> memory->directory.page_shift;
		memory->range[i].end = ram[i].end >> memory->directory.page_shift;
		memory->ram_count += memory->range[i].end - memory->range[i].start;
	}
	memory->range_count = count;
	return join_ranges(memory);
}

/* Makes frames of one chunk, not RAM so far, free RAM. */
static int add_part(struct pgtsim_memory *memory, uint64_t start, uint64_t end)
{
	struct chunk *chunk = find_chunk(memory, start >> CHUNK_BITS);
	unsigned first = start % CHUNK_FRAMES;

	if (!chunk)
		chunk = new_chunk(memory, start >> CHUNK_BITS);
	if (!chunk)
		return -ENOMEM;
	release(memory, chunk, first, first + (unsigned)(end - start));
	return 0;
}

/* Sets up the chunks at the ends of a range that are not RAM as a whole. */
static int add_range(struct pgtsim_memory *memory, const struct pfn_range *range)
{
	struct pfn_range whole = whole_chunks(range);
	int err = 0;

	if (whole.start > whole.end)
		return add_part(memory, range->start, range->end);
	memory->free_count += (whole.end - whole.start) << CHUNK_BITS;
	if (range->start % CHUNK_FRAMES)
		err = add_part(memory, range->start, whole.start << CHUNK_BITS);
	if (!err && range->end % CHUNK_FRAMES)
		err = add_part(memory, whole.end << CHUNK_BITS, range->end);
	return err;
}

/* Sized by where RAM ends, but zeros: the host gives memory for what is used of it. */
static int add_directory(struct pgtsim_memory *memory)
{
	uint64_t last = memory->range[memory->range_count - 1].end - 1;
	size_t count = (size_t)(last >> (CHUNK_BITS + REGION_BITS)) + 1;
	size_t words = MEMORY_UPPER_WORDS + (count + 63) / 64;
	uint64_t *holders = calloc(ORDERS * words, sizeof(*holders));

	if (!holders)
		return -ENOMEM;
	for (unsigned order = 0; order < ORDERS; order++)
		memory->holders[order] = holders + order * words;
	memory->directory.regions = calloc(count, sizeof(struct region *));
	if (!memory->directory.regions)
		return -ENOMEM;
	memory->directory.region_count = count;
	return 0;
}

static int set_up(struct pgtsim_memory *memory, const struct pgtsim_ram *ram, size_t count)
{
	int err = set_ranges(memory, ram, count);

	if (!err)
		err = add_directory(memory);
	for (size_t i = 0; !err && i < memory->range_count; i++)
		err = add_range(memory, &memory->range[i]);
	return err;
}

static bool sizes_ok(unsigned page_shift, size_t table_bytes)
{
	return page_shift >= MIN_PAGE_SHIFT && page_shift <= MAX_PAGE_SHIFT && table_bytes != 0 &&
	       table_bytes % sizeof(uint64_t) == 0 && table_bytes <= (size_t)1 << page_shift;
}

/*
 * Most tables of the last level are never written: what is made for them costs nothing before that,
 * and huge pages for a small need only when what the last of them wastes is at most 3 %. All else
 * is written at once, but so much less that a huge page of it is soon as little of the whole.
 */
static void set_pools(struct pgtsim_memory *memory)
{
	enum { MIB = 1 << 20 };
	size_t piece = (memory->table_bytes + 63) & ~(size_t)63;

	memory->host[LAST] = (struct host){ piece, .few = 1, .many = 64 * MIB };
	memory->host[UPPER] = (struct host){ piece, .few = 2 * MIB, .many = 2 * MIB };
	memory->host[RECORDS] =
		(struct host){ sizeof(struct tables), .few = 2 * MIB, .many = 2 * MIB };
}

int pgtsim_memory_new(struct pgtsim_memory **out, unsigned page_shift, size_t table_bytes,
		      const struct pgtsim_ram *ram, size_t count)
{
	struct pgtsim_memory *memory;
	int err;

	if (!sizes_ok(page_shift, table_bytes) || count == 0)
		return -EINVAL;
	if (count > (SIZE_MAX - sizeof(*memory)) / sizeof(memory->range[0]))
		return -ENOMEM;
	memory = calloc(1, sizeof(*memory) + count * sizeof(memory->range[0]));
	if (!memory)
		return -ENOMEM;
	memory->directory.page_shift = page_shift;
	memory->table_bytes = table_bytes;
	set_pools(memory);
	err = set_up(memory, ram, count);
	if (err)
		pgtsim_memory_free(&memory);
	else
		*out = memory;
	return err;
}

static void free_region(struct pgtsim_memory *memory, struct region *region)
{
	for (size_t i = 0; region && i < REGION_CHUNKS; i++) {
		if (region->chunks[i] != memory->boot)
			free(region->chunks[i]);
	}
	free(region);
}

void pgtsim_memory_free(struct pgtsim_memory **memory)
{
	struct pgtsim_memory *old = *memory;

	*memory = NULL;
	if (!old)
		return;
	for (uint64_t i = 0; i < old->directory.region_count; i++)
		free_region(old, old->directory.regions[i]);
	for (unsigned i = 0; i < POOLS; i++)
		pgtsim_host_free(&old->host[i]);
	free(old->boot);
	free(old->directory.regions);
	free(old->holders[0]);
	free(old);
}

/* Allocating. */

/* How many of `count` allocations precede the injected failure; 0: that failure is now used up. */
static uint64_t admit(struct pgtsim_memory *memory, uint64_t count)
{
	if (!memory->fail_in)
		return count;
	if (memory->fail_in == 1) {
		memory->fail_in = memory->fail_again;
		return 0;
	}
	return count < memory->fail_in ? count : memory->fail_in - 1;
}

/* Counts allocations that admit() let through. */
static void count_allocations(struct pgtsim_memory *memory, uint64_t count)
{
	if (memory->fail_in)
		memory->fail_in -= count;
}

void pgtsim_memory_share(struct pgtsim_memory *memory)
{
	memory->shared = true;
}

static void lock(struct pgtsim_memory *memory)
{
	pgtsim_lock(memory->shared, &memory->lock);
}

static void unlock(struct pgtsim_memory *memory)
{
	pgtsim_unlock(memory->shared, &memory->lock);
}

void pgtsim_memory_fail(struct pgtsim_memory *memory, uint64_t nth, bool every)
{
	lock(memory);
	memory->fail_in = nth;
	memory->fail_again = every ? nth : 0;
	unlock(memory);
}

int pgtsim_memory_alloc_small(struct pgtsim_memory *memory)
{
	uint64_t admitted;

	lock(memory);
	admitted = admit(memory, 1);
	count_allocations(memory, admitted);
	unlock(memory);
	return admitted ? 0 : -ENOMEM;
}

/* The frames that the next order-0 allocations take, where none is open. Returns 0 or -ENOMEM. */
static int open_block(struct pgtsim_memory *memory)
{
	struct block block;

	if (find_block(memory, 0, &block))
		return -ENOMEM;
	take_block(memory, &block);
	memory->open =
		(struct frames){ block.chunk, block.frame, block.frame + (1u << block.order) };
	return 0;
}

/* How many of the next `count` order-0 allocations take open frames; 0: the next one fails. */
static unsigned find_run(struct pgtsim_memory *memory, uint64_t count)
{
	uint64_t most = admit(memory, count);
	unsigned size;

	if (memory->loose)
		settle(memory);
	if (!most || (is_empty(&memory->open) && open_block(memory)))
		return 0;
	size = memory->open.end - memory->open.start;
	return most < size ? (unsigned)most : size;
}

/* Allocates frames that find_run() found. */
static struct frames take_run(struct pgtsim_memory *memory, unsigned count, uint8_t state)
{
	struct frames run = memory->open;

	run.end = run.start + count;
	memory->open.start = run.end;
	memory->free_count -= count;
	run.chunk->free_count -= count;
	count_allocations(memory, count);
	set_states(run.chunk, run.start, run.end, state);
	return run;
}

static int64_t alloc_run(struct pgtsim_memory *memory, uint64_t count, uint64_t *pfn)
{
	uint64_t done = 0;

	/* A failure that is due next is for the next call to meet. */
	while (done < count && (!done || memory->fail_in != 1)) {
		unsigned run = find_run(memory, count - done);
		uint64_t first = run ? frame_pfn(memory->open.chunk, memory->open.start) : 0;

		if (!run || (done && first != *pfn + done))
			break;
		if (!done)
			*pfn = first;
		take_run(memory, run, STATE_PAGES);
		done += run;
	}
	return done ? (int64_t)done : -ENOMEM;
}

int64_t pgtsim_memory_alloc_run(struct pgtsim_memory *memory, uint64_t count, uint64_t *pfn)
{
	int64_t got;

	if (count == 0)
		return 0;
	lock(memory);
	got = alloc_run(memory, count, pfn);
	unlock(memory);
	return got;
}

static int alloc_block(struct pgtsim_memory *memory, unsigned order, uint64_t *pfn)
{
	unsigned count = 1u << order;
	struct block block;

	if (!admit(memory, 1) || find_block(memory, order, &block))
		return -ENOMEM;
	take_block(memory, &block);
	add_frames(memory, block.chunk, block.frame + count, block.frame + (1u << block.order));
	memory->free_count -= count;
	block.chunk->free_count -= count;
	count_allocations(memory, 1);
	set_states(block.chunk, block.frame, block.frame + count, STATE_PAGES | INSIDE);
	block.chunk->state[block.frame] = (uint8_t)(STATE_PAGES | order);
	*pfn = frame_pfn(block.chunk, block.frame);
	return 0;
}

int pgtsim_memory_alloc(struct pgtsim_memory *memory, unsigned order, uint64_t *pfn)
{
	int ret;

	if (order > PGTSIM_MAX_ORDER)
		return -EINVAL;
	lock(memory);
	if (order)
		ret = alloc_block(memory, order, pfn);
	else
		ret = alloc_run(memory, 1, pfn) < 0 ? -ENOMEM : 0;
	unlock(memory);
	return ret;
}

static_assert(sizeof(void *) != 8 || sizeof(struct pgtsim_table) == 64,
	      "a record is one of the host's cache lines");

/* The table pages of a chunk. NULL if the host has no memory. */
static struct tables *get_tables(struct pgtsim_memory *memory, struct chunk *chunk)
{
	struct host *host = &memory->host[RECORDS];
	struct tables **tables = &chunk->region->tables.chunk[chunk->index % REGION_CHUNKS];

	if (!*tables && pgtsim_host_ready(host, 1, 1))
		*tables = pgtsim_piece_at(*pgtsim_host_pop(host, 1));
	return *tables;
}

/* All of its memory, not only its entries: the next table there may be a larger one. */
void pgtsim_table_write_out(struct pgtsim_table *table)
{
	uint64_t first = table->live ? table->first : 0, end = first + table->live;

	if (!table->implied)
		return;
	memset(table->entries, 0, first * sizeof(uint64_t));
	for (uint64_t i = first; i < end; i++)
		table->entries[i] = table->base + (i << table->shift);
	memset(&table->entries[end], 0, (table->room - end) * sizeof(uint64_t));
	table->implied = false;
}

static void set_entries(struct pgtsim_table *table, uintptr_t piece)
{
	table->entries = pgtsim_piece_at(piece);
	table->implied = pgtsim_piece_is_dirty(piece);
}

static void give_back_entries(struct pgtsim_memory *memory, const struct pgtsim_table *table)
{
	pgtsim_host_push(&memory->host[table->upper],
			 pgtsim_piece(table->entries, table->implied || table->live));
}

void pgtsim_table_becomes_upper(struct pgtsim_memory *memory, struct pgtsim_table *table)
{
	struct host *host = &memory->host[UPPER];

	lock(memory);
	if (pgtsim_host_ready(host, 1, 1)) {
		give_back_entries(memory, table);
		set_entries(table, *pgtsim_host_pop(host, 1));
		table->upper = true;
	}
	unlock(memory);
}

/* Host memory for notes beside a table's entries, all of them NULL. NULL if there is none. */
static struct pgtsim_table **new_children(struct pgtsim_memory *memory)
{
	struct host *host = &memory->host[UPPER];
	uintptr_t piece = 0;

	lock(memory);
	if (pgtsim_host_ready(host, 1, 1))
		piece = *pgtsim_host_pop(host, 1);
	unlock(memory);
	if (pgtsim_piece_is_dirty(piece))
		memset(pgtsim_piece_at(piece), 0, memory->table_bytes);
	return pgtsim_piece_at(piece);
}

void pgtsim_table_note(struct pgtsim_memory *memory, struct pgtsim_table *table, unsigned index,
		       struct pgtsim_table *child)
{
	if (!table->children)
		table->children = new_children(memory);
	if (table->children)
		table->children[index] = child;
}

/* Initialises the records of one run and appends them to the list. */
static void link_tables(struct pgtsim_memory *memory, struct tables *tables,
			const struct frames *run, struct pgtsim_table ***tail)
{
	struct pgtsim_table *table = &tables->record[run->start];
	uint64_t pa = frame_pfn(run->chunk, run->start) << memory->directory.page_shift;
	unsigned count = run->end - run->start;
	const uintptr_t *piece = pgtsim_host_pop(&memory->host[LAST], count);

	**tail = table;
	for (unsigned i = 0; i < count; i++, table++) {
		set_entries(table, piece[i]);
		table->upper = false;
		table->room = (uint32_t)(memory->table_bytes / sizeof(uint64_t));
		table->pa = pa;
		table->next = table + 1;
		table->live = 0;
		table->first = (uint32_t)(memory->table_bytes / sizeof(uint64_t));
		table->level = 0;
		table->region = 0;
		table->linked = false;
		pa += UINT64_C(1) << memory->directory.page_shift;
	}
	table[-1].next = NULL;
	*tail = &table[-1].next;
}

/* Allocates tables that follow one another. Returns how many; 0: the next one failed. */
static unsigned alloc_table_run(struct pgtsim_memory *memory, uint64_t count,
				struct pgtsim_table ***tail)
{
	unsigned most = find_run(memory, count);
	struct tables *tables = most ? get_tables(memory, memory->open.chunk) : NULL;
	struct frames run;

	if (!tables)
		return 0;
	most = pgtsim_host_ready(&memory->host[LAST], most, count);
	if (!most)
		return 0;
	run = take_run(memory, most, STATE_TABLE);
	link_tables(memory, tables, &run, tail);
	return most;
}

uint64_t pgtsim_memory_take_tables(struct pgtsim_memory *memory, uint64_t count,
				   struct pgtsim_table ***tail)
{
	uint64_t done = 0;

	lock(memory);
	while (done < count) {
		unsigned run = alloc_table_run(memory, count - done, tail);

		if (!run)
			break;
		done += run;
	}
	unlock(memory);
	return done;
}

uint64_t pgtsim_memory_alloc_tables(struct pgtsim_memory *memory, uint64_t count,
				    struct pgtsim_table ***tail)
{
	struct pgtsim_table **list = *tail;
	uint64_t got = pgtsim_memory_take_tables(memory, count, tail);

	for (uint64_t i = 0; i < got; i++, list = &(*list)->next)
		pgtsim_table_write_out(*list);
	return got;
}

/* Freeing. */

enum pgtsim_owner pgtsim_memory_owner(const struct pgtsim_memory *memory, uint64_t pfn)
{
	const struct chunk *chunk = find_chunk(memory, pfn >> CHUNK_BITS);

	if (chunk)
		return (enum pgtsim_owner)(chunk->state[pfn % CHUNK_FRAMES] >> OWNER_SHIFT);
	return find_ram(memory, pfn) ? PGTSIM_OWNER_FREE : PGTSIM_OWNER_NOT_RAM;
}

/* What is wrong with freeing a block that does not start at pages of its order. */
static enum pgtsim_bad_free what_is_wrong(const struct pgtsim_memory *memory, uint64_t pfn)
{
	switch (pgtsim_memory_owner(memory, pfn)) {
	case PGTSIM_OWNER_NOT_RAM:
		return PGTSIM_FREE_NOT_RAM;
	case PGTSIM_OWNER_FREE:
		return PGTSIM_FREE_DOUBLE;
	case PGTSIM_OWNER_BOOT:
		return PGTSIM_FREE_BOOT;
	case PGTSIM_OWNER_PAGES:
		return PGTSIM_FREE_WRONG_ORDER;
	default:
		return PGTSIM_FREE_WRONG_OWNER;
	}
}

static enum pgtsim_bad_free free_block(struct pgtsim_memory *memory, uint64_t pfn, unsigned order)
{
	struct chunk *chunk = find_chunk(memory, pfn >> CHUNK_BITS);
	unsigned frame = pfn % CHUNK_FRAMES;

	if (!chunk || order > PGTSIM_MAX_ORDER || chunk->state[frame] != (STATE_PAGES | order))
		return what_is_wrong(memory, pfn);
	release(memory, chunk, frame, frame + (1u << order));
	return PGTSIM_FREE_OK;
}

enum pgtsim_bad_free pgtsim_memory_free_pages(struct pgtsim_memory *memory, uint64_t pfn,
					      unsigned order)
{
	enum pgtsim_bad_free bad;

	lock(memory);
	bad = free_block(memory, pfn, order);
	unlock(memory);
	return bad;
}

/* How many of the bytes from state[0] on, at most `max`, have that value. */
static unsigned equal_states(const uint8_t *state, uint8_t value, unsigned max)
{
	unsigned n = 0;

	/* All alike if each equals the one after it. */
	if (max && state[0] == value && memcmp(state, state + 1, max - 1) == 0)
		return max;
	while (n < max && state[n] == value)
		n++;
	return n;
}

uint64_t pgtsim_memory_free_run(struct pgtsim_memory *memory, uint64_t pfn, uint64_t count,
				enum pgtsim_bad_free *bad)
{
	uint64_t done = 0;

	*bad = PGTSIM_FREE_OK;
	lock(memory);
	while (done < count) {
		struct chunk *chunk = find_chunk(memory, (pfn + done) >> CHUNK_BITS);
		unsigned frame = (pfn + done) % CHUNK_FRAMES;
		uint64_t most = CHUNK_FRAMES - frame;
		unsigned run = 0;

		if (most > count - done)
			most = count - done;
		if (chunk)
			run = equal_states(&chunk->state[frame], STATE_PAGES, (unsigned)most);
		if (run)
			release(memory, chunk, frame, frame + run);
		done += run;
		if (run < most) {
			*bad = what_is_wrong(memory, pfn + done);
			break;
		}
	}
	unlock(memory);
	return done;
}

void pgtsim_memory_free_table(struct pgtsim_memory *memory, struct pgtsim_table *table)
{
	uint64_t pfn = table->pa >> memory->directory.page_shift;
	unsigned frame = pfn % CHUNK_FRAMES;
	struct chunk *chunk;

	if (!table->entries)
		return;
	lock(memory);
	give_back_entries(memory, table);
	if (table->children)
		pgtsim_host_push(&memory->host[UPPER], pgtsim_piece(table->children, table->live));
	table->children = NULL;
	table->level = FREED;
	table->entries = NULL;
	chunk = find_chunk(memory, pfn >> CHUNK_BITS);
	chunk->state[frame] = STATE_FREE;
	release_marked(memory, chunk, frame, frame + 1);
	unlock(memory);
}

/*
 * Takes no lock: what it reads of a table was written before an entry that points there, and stays
 * as it is until that entry is gone.
 */
struct pgtsim_table *pgtsim_memory_table(const struct pgtsim_memory *memory, uint64_t pa)
{
	struct pgtsim_table *table = pgtsim_directory_find(&memory->directory, pa);

	if (table && table->implied)
		pgtsim_table_write_out(table);
	return table;
}

/* Boot memory. */

/* The part of [pfn, end) that lies in the chunk of pfn. */
struct part {
	uint64_t index;
	unsigned start, end;
};

static struct part first_part(uint64_t pfn, uint64_t end)
{
	struct part part = { pfn >> CHUNK_BITS, pfn % CHUNK_FRAMES, CHUNK_FRAMES };

	if (end - pfn < part.end - part.start)
		part.end = part.start + (unsigned)(end - pfn);
	return part;
}

static bool part_is_whole(const struct part *part)
{
	return part->end - part->start == CHUNK_FRAMES;
}

static int check_part_free(struct pgtsim_memory *memory, const struct part *part)
{
	const struct chunk *chunk = find_chunk(memory, part->index);
	unsigned count = part->end - part->start;

	if (!chunk || equal_states(&chunk->state[part->start], STATE_FREE, count) == count)
		return 0;
	return -EBUSY;
}

static struct chunk *get_boot_chunk(struct pgtsim_memory *memory)
{
	if (!memory->boot) {
		memory->boot = calloc(1, sizeof(*memory->boot));
		if (memory->boot)
			memset(memory->boot->state, STATE_BOOT, sizeof(memory->boot->state));
	}
	return memory->boot;
}

/* All that reserve_part() needs of the host. */
static int prepare_part(struct pgtsim_memory *memory, const struct part *part)
{
	bool ready;

	if (part_is_whole(part))
		ready = get_boot_chunk(memory) && get_region(memory, part->index >> REGION_BITS);
	else
		ready = touch_chunk(memory, part->index);
	return ready ? 0 : -ENOMEM;
}

/* The free block that this frame of a chunk is in; there must be one. */
static struct block block_around(struct chunk *chunk, unsigned frame)
{
	unsigned order = 0;

	while (!pgtsim_tree_test(chunk_blocks(chunk, order), CHUNK_DEPTH, frame >> order))
		order++;
	return (struct block){ chunk, frame >> order << order, order };
}

static int reserve_part(struct pgtsim_memory *memory, const struct part *part)
{
	struct chunk *chunk = find_chunk(memory, part->index);
	unsigned at = part->start;

	memory->free_count -= part->end - part->start;
	if (!chunk) {
		chunk = memory->boot;
		memory->directory.regions[part->index >> REGION_BITS]
			->chunks[part->index % REGION_CHUNKS] = chunk;
		return 0;
	}
	chunk->free_count -= part->end - part->start;
	memset(&chunk->state[part->start], STATE_BOOT, part->end - part->start);
	while (at < part->end) {
		struct block block = block_around(chunk, at);
		unsigned end = block.frame + (1u << block.order);

		remove_block(chunk, block.frame >> block.order, block.order);
		add_frames(memory, chunk, block.frame, at);
		add_frames(memory, chunk, part->end, end);
		at = end;
	}
	return 0;
}

static int each_part(struct pgtsim_memory *memory, uint64_t pfn, uint64_t end,
		     int (*visit)(struct pgtsim_memory *memory, const struct part *part))
{
	while (pfn < end) {
		struct part part = first_part(pfn, end);
		int err = visit(memory, &part);

		if (err)
			return err;
		pfn += part.end - part.start;
	}
	return 0;
}

int pgtsim_memory_reserve_boot(struct pgtsim_memory *memory, uint64_t pfn, uint64_t count)
{
	const struct pfn_range *range = find_ram(memory, pfn);
	int err;

	if (!range || count == 0 || count > range->end - pfn)
		return -EINVAL;
	settle(memory);
	err = each_part(memory, pfn, pfn + count, check_part_free);
	if (!err)
		err = each_part(memory, pfn, pfn + count, prepare_part);
	if (!err)
		err = each_part(memory, pfn, pfn + count, reserve_part);
	return err;
}

/* Asking. */

uint64_t pgtsim_memory_free_count(const struct pgtsim_memory *memory)
{
	return memory->free_count;
}

uint64_t pgtsim_memory_ram_count(const struct pgtsim_memory *memory)
{
	return memory->ram_count;
}

uint64_t pgtsim_memory_ram_in(const struct pgtsim_memory *memory, uint64_t pa, uint64_t size)
{
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
	const struct pfn_range *range = find_ram(memory, pa >> memory->directory.page_shift);

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
	if (a->directory.page_shift != b->directory.page_shift ||
	    a->range_count != b->range_count || a->free_count != b->free_count ||
	    memcmp(a->range, b->range, a->range_count * sizeof(a->range[0])) != 0)
		return false;
	for (size_t i = 0; i < a->range_count; i++) {
		uint64_t last = (a->range[i].end - 1) >> CHUNK_BITS;

		for (uint64_t n = a->range[i].start >> CHUNK_BITS; n <= last; n++)
			if (!chunks_equal(find_chunk(a, n), find_chunk(b, n)))
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
