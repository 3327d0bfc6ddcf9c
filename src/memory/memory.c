/* SPDX-License-Identifier: MIT */
#include <pgtsim/memory.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "frames.h"

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

/* Frees frames [start, end), which are allocated or new RAM. */
static void release(struct pgtsim_memory *memory, struct chunk *chunk, unsigned start, unsigned end)
{
	const struct frames frames = { chunk, start, end };

	pgtsim_frames_set(&frames, STATE_FREE);
	pgtsim_frames_release(memory, &frames);
}

/* Makes frames of one chunk, not RAM so far, free RAM. */
static int add_part(struct pgtsim_memory *memory, uint64_t start, uint64_t end)
{
	struct chunk *chunk = pgtsim_chunk(memory, start >> CHUNK_BITS);
	unsigned first = start % CHUNK_FRAMES;

	if (!chunk)
		chunk = pgtsim_chunk_new(memory, start >> CHUNK_BITS);
	if (!chunk)
		return -ENOBUFS;
	release(memory, chunk, first, first + (unsigned)(end - start));
	return 0;
}

/* Sets up the chunks at the ends of a range that are not RAM as a whole. */
static int add_range(struct pgtsim_memory *memory, const struct pfn_range *range)
{
	struct pfn_range whole = pgtsim_whole_chunks(range);
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

/* Large if RAM ends high, but zeros: the host backs only the part that is used. */
static int add_directory(struct pgtsim_memory *memory)
{
	uint64_t last = memory->range[memory->range_count - 1].end - 1;
	size_t count = (size_t)(last >> (CHUNK_BITS + REGION_BITS)) + 1;
	size_t words = MEMORY_UPPER_WORDS + (count + 63) / 64;
	uint64_t *holders = calloc(ORDERS * words, sizeof(*holders));

	if (!holders)
		return -ENOBUFS;
	for (unsigned order = 0; order < ORDERS; order++)
		memory->holders[order] = holders + order * words;
	memory->directory.regions = calloc(count, sizeof(struct region *));
	if (!memory->directory.regions)
		return -ENOBUFS;
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

/* Tables of s390 above the last level have four pages. */
enum { TABLE_ORDER_MAX = 2 };

static bool sizes_ok(unsigned page_shift, size_t table_bytes)
{
	return page_shift >= MIN_PAGE_SHIFT && page_shift <= MAX_PAGE_SHIFT && table_bytes != 0 &&
	       table_bytes % sizeof(uint64_t) == 0 &&
	       table_bytes <= (size_t)1 << (page_shift + TABLE_ORDER_MAX);
}

/* The size of a piece for so many bytes: whole cache lines. */
static size_t piece_bytes(size_t bytes)
{
	return (bytes + 63) & ~(size_t)63;
}

static size_t records_bytes(unsigned count)
{
	return piece_bytes(sizeof(struct tables) + count * sizeof(struct pgtsim_table));
}

/*
 * Most pte tables are lazy and never touch their memory, so a slab for them costs nothing. They get
 * huge pages for a small need only when the last page wastes at most 2 % of the pool. The other
 * pools are written at once, but there is so much less of them that this is reached sooner.
 */
static void set_pools(struct pgtsim_memory *memory)
{
	enum { MIB = 1 << 20 };
	size_t piece = piece_bytes(memory->table_bytes);
	size_t children = memory->table_bytes / sizeof(uint64_t) * sizeof(struct pgtsim_table *);
	size_t cache = piece_bytes(sizeof(struct pgtsim_child_cache) + children);

	memory->host[POOL_PTE] = (struct host){ piece, .few = 1, .many = 128 * MIB };
	memory->host[POOL_UPPER] = (struct host){ piece, .few = 4 * MIB, .many = 4 * MIB };
	memory->host[POOL_CACHE] = (struct host){ cache, .few = 4 * MIB, .many = 4 * MIB };
	memory->host[POOL_RECORDS] =
		(struct host){ records_bytes(CHUNK_FRAMES), .few = 4 * MIB, .many = 4 * MIB };
}

int pgtsim_memory_new(struct pgtsim_memory **out, unsigned page_shift, size_t table_bytes,
		      const struct pgtsim_ram *ram, size_t count)
{
	struct pgtsim_memory *memory;
	int err;

	if (!sizes_ok(page_shift, table_bytes) || count == 0)
		return -EINVAL;
	if (count > (SIZE_MAX - sizeof(*memory)) / sizeof(memory->range[0]))
		return -ENOBUFS;
	memory = calloc(1, sizeof(*memory) + count * sizeof(memory->range[0]));
	if (!memory)
		return -ENOBUFS;
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

void pgtsim_memory_share_pages(struct pgtsim_memory *memory)
{
	memory->directory.second = CHUNK_FRAMES;
	memory->host[POOL_RECORDS].piece = records_bytes(2 * CHUNK_FRAMES);
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
	if (!memory)
		return;

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

void pgtsim_memory_host_failed(struct pgtsim_memory *memory)
{
	memory->host_failed = true;
}

bool pgtsim_memory_out_of_host_memory(const struct pgtsim_memory *memory)
{
	if (!memory)
		return false;

	bool failed = memory->host_failed;

	for (unsigned i = 0; i < POOLS; i++)
		failed |= memory->host[i].failed;
	return failed;
}

/* Allocating. */

void pgtsim_memory_share(struct pgtsim_memory *memory)
{
	if (!memory)
		return;
	memory->shared = true;
}

void pgtsim_memory_fail(struct pgtsim_memory *memory, uint64_t nth, bool every)
{
	if (!memory)
		return;
	pgtsim_memory_lock(memory);
	memory->fail_in = nth;
	memory->fail_again = every ? nth : 0;
	pgtsim_memory_unlock(memory);
}

int pgtsim_memory_alloc_small(struct pgtsim_memory *memory)
{
	uint64_t admitted;

	if (!memory)
		return -EINVAL;
	if (memory->hooking)
		return -EBUSY;
	pgtsim_memory_lock(memory);
	admitted = pgtsim_failure_admits(memory, 1);
	pgtsim_failure_count(memory, admitted);
	pgtsim_memory_unlock(memory);
	return admitted ? 0 : -ENOMEM;
}

static uint64_t alloc_run(struct pgtsim_memory *memory, uint64_t count, uint64_t *pfn)
{
	uint64_t done = 0;

	/* A failure that is due next is left for the next call. */
	while (done < count && (!done || memory->fail_in != 1)) {
		unsigned run = pgtsim_frames_next(memory, count - done);
		uint64_t first =
			run ? pgtsim_frame_pfn(memory->current.chunk, memory->current.start) : 0;

		if (!run || (done && first != *pfn + done))
			break;
		if (!done)
			*pfn = first;
		pgtsim_frames_take(memory, run, STATE_PAGES);
		done += run;
	}
	return done;
}

uint64_t pgtsim_memory_alloc_run(struct pgtsim_memory *memory, uint64_t count, uint64_t *pfn)
{
	uint64_t got;

	if (!memory || !pfn || memory->hooking)
		return 0;
	pgtsim_memory_lock(memory);
	got = alloc_run(memory, count, pfn);
	pgtsim_memory_unlock(memory);
	return got;
}

static int alloc_block(struct pgtsim_memory *memory, unsigned order, uint64_t *pfn)
{
	struct frames block;

	if (!pgtsim_failure_admits(memory, 1) || pgtsim_frames_take_block(memory, order, &block))
		return -ENOMEM;
	pgtsim_failure_count(memory, 1);
	pgtsim_frames_set(&block, STATE_PAGES | INSIDE);
	block.chunk->state[block.start] = (uint8_t)(STATE_PAGES | order);
	*pfn = pgtsim_frame_pfn(block.chunk, block.start);
	return 0;
}

int pgtsim_memory_alloc(struct pgtsim_memory *memory, unsigned order, uint64_t *pfn)
{
	int ret;

	if (!memory || !pfn)
		return -EINVAL;
	if (order > PGTSIM_MAX_ORDER)
		return -EINVAL;
	if (memory->hooking)
		return -EBUSY;
	pgtsim_memory_lock(memory);
	if (order)
		ret = alloc_block(memory, order, pfn);
	else
		ret = alloc_run(memory, 1, pfn) ? 0 : -ENOMEM;
	pgtsim_memory_unlock(memory);
	return ret;
}

/* Freeing. */

enum pgtsim_owner pgtsim_memory_owner(const struct pgtsim_memory *memory, uint64_t pfn)
{
	if (!memory)
		return (enum pgtsim_owner)0;

	const struct chunk *chunk = pgtsim_chunk(memory, pfn >> CHUNK_BITS);

	if (chunk)
		return (enum pgtsim_owner)(chunk->state[pfn % CHUNK_FRAMES] >> OWNER_SHIFT);
	return pgtsim_ram_at(memory, pfn) ? PGTSIM_OWNER_FREE : PGTSIM_OWNER_NOT_RAM;
}

/* What is wrong with freeing a block that does not start at pages of its order. */
void pgtsim_memory_set_hook(struct pgtsim_memory *memory, const struct pgtsim_memory_hook *hook)
{
	if (!memory)
		return;
	memory->hook = hook ? *hook : (struct pgtsim_memory_hook){ 0 };
}

/* Tells the hook of pages that go now. */
static inline void call_hook(struct pgtsim_memory *memory, uint64_t pfn, uint64_t pages)
{
	if (!memory->hook.pages_freed)
		return;
	memory->hooking = true;
	memory->hook.pages_freed(memory->hook.ctx, pfn, pages, memory->directory.page_shift);
	memory->hooking = false;
}

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
	struct chunk *chunk = pgtsim_chunk(memory, pfn >> CHUNK_BITS);
	unsigned frame = pfn % CHUNK_FRAMES;

	if (!chunk || order > PGTSIM_MAX_ORDER || chunk->state[frame] != (STATE_PAGES | order))
		return what_is_wrong(memory, pfn);
	call_hook(memory, pfn, UINT64_C(1) << order);
	release(memory, chunk, frame, frame + (1u << order));
	return PGTSIM_FREE_OK;
}

enum pgtsim_bad_free pgtsim_memory_free_pages(struct pgtsim_memory *memory, uint64_t pfn,
					      unsigned order)
{
	enum pgtsim_bad_free bad;

	if (!memory)
		return (enum pgtsim_bad_free)0;
	if (memory->hooking)
		return PGTSIM_FREE_BUSY;
	pgtsim_memory_lock(memory);
	bad = free_block(memory, pfn, order);
	pgtsim_memory_unlock(memory);
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

	if (!memory || !bad)
		return 0;
	*bad = memory->hooking ? PGTSIM_FREE_BUSY : PGTSIM_FREE_OK;
	if (memory->hooking)
		return 0;
	pgtsim_memory_lock(memory);
	while (done < count) {
		struct chunk *chunk = pgtsim_chunk(memory, (pfn + done) >> CHUNK_BITS);
		unsigned frame = (pfn + done) % CHUNK_FRAMES;
		uint64_t most = CHUNK_FRAMES - frame;
		unsigned run = 0;

		if (most > count - done)
			most = count - done;
		if (chunk)
			run = equal_states(&chunk->state[frame], STATE_PAGES, (unsigned)most);
		if (run) {
			call_hook(memory, pfn + done, run);
			release(memory, chunk, frame, frame + run);
		}
		done += run;
		if (run < most) {
			*bad = what_is_wrong(memory, pfn + done);
			break;
		}
	}
	pgtsim_memory_unlock(memory);
	return done;
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
	const struct chunk *chunk = pgtsim_chunk(memory, part->index);
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
		else
			memory->host_failed = true;
	}
	return memory->boot;
}

/* Allocates all host memory that reserve_part() needs. */
static int prepare_part(struct pgtsim_memory *memory, const struct part *part)
{
	bool ready;

	if (part_is_whole(part))
		ready = get_boot_chunk(memory) &&
			pgtsim_region_touch(memory, part->index >> REGION_BITS);
	else
		ready = pgtsim_chunk_touch(memory, part->index);
	return ready ? 0 : -ENOBUFS;
}

static int reserve_part(struct pgtsim_memory *memory, const struct part *part)
{
	struct chunk *chunk = pgtsim_chunk(memory, part->index);

	if (!chunk) {
		memory->free_count -= CHUNK_FRAMES;
		chunk = memory->boot;
		memory->directory.regions[part->index >> REGION_BITS]
			->chunks[part->index % REGION_CHUNKS] = chunk;
		return 0;
	}
	pgtsim_frames_take_part(memory, chunk, part->start, part->end);
	memset(&chunk->state[part->start], STATE_BOOT, part->end - part->start);
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
	if (!memory)
		return -EINVAL;

	const struct pfn_range *range = pgtsim_ram_at(memory, pfn);
	int err;

	if (!range || count == 0 || count > range->end - pfn)
		return -EINVAL;
	if (memory->hooking)
		return -EBUSY;
	pgtsim_frames_merge_free(memory);
	err = each_part(memory, pfn, pfn + count, check_part_free);
	if (!err)
		err = each_part(memory, pfn, pfn + count, prepare_part);
	if (!err)
		err = each_part(memory, pfn, pfn + count, reserve_part);
	return err;
}
