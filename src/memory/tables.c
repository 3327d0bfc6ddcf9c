/* SPDX-License-Identifier: MIT */
/* tables: table pages of a simulated memory, their records and where their entries are. */
#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "frames.h"

enum { FREED = -128 }; /* the level of a table that is free: no walk takes it for a child */

static_assert(sizeof(void *) != 8 || sizeof(struct pgtsim_table) == 64,
	      "a record fills one cache line of the host");

/* ---- records ---- */

/* The table pages of a chunk. NULL if the host has no memory. */
static inline struct tables *get_tables(struct pgtsim_memory *memory, struct chunk *chunk)
{
	struct tables **tables = &chunk->region->tables.chunk[chunk->index % REGION_CHUNKS];
	struct host *host = &memory->host[POOL_RECORDS];

	if (!*tables && pgtsim_host_ready(host, 1, 1)) {
		*tables = pgtsim_piece_at(pgtsim_host_pop(host));
		(*tables)->chunk = chunk;
		(*tables)->memory = memory;
	}
	return *tables;
}

static struct tables *tables_around(const struct pgtsim_table *table)
{
	const struct pgtsim_table *first = table - pgtsim_state(table)->frame;

	return (struct tables *)((uintptr_t)first - offsetof(struct tables, record));
}

static size_t room_of(const struct pgtsim_memory *memory)
{
	return memory->table_bytes / sizeof(uint64_t);
}

/* Begins a record, lazy and empty. */
static inline void begin_record(struct pgtsim_table *table, uint64_t pa, unsigned number)
{
	struct pgtsim_table_state *state = pgtsim_state(table);

	table->pa = pa;
	table->live = 0;
	table->next = table + 1;
	state->frame = (uint16_t)number;
	state->lazy = true;
	state->upper = false;
	state->in_use = true;
	state->order = 0;
}

/* Begins the records of the frames of a run, and appends them to the list. */
static inline void link_tables(struct pgtsim_memory *memory, struct tables *tables,
			const struct frames *run, struct pgtsim_table ***tail)
{
	unsigned shift = memory->directory.page_shift;
	uint64_t pa = pgtsim_frame_pfn(run->chunk, run->start) << shift;

	**tail = &tables->record[run->start];
	for (unsigned frame = run->start; frame < run->end; frame++) {
		begin_record(&tables->record[frame], pa, frame);
		pa += UINT64_C(1) << shift;
	}
	*tail = &tables->record[run->end - 1].next;
	**tail = NULL;
}

/* ---- host memory of entries ---- */

static void give_back_entries(struct pgtsim_memory *memory, const struct pgtsim_table *table)
{
	const struct pgtsim_table_state *state = pgtsim_state(table);

	pgtsim_host_push(&memory->host[state->upper ? POOL_UPPER : POOL_PTE],
			 pgtsim_piece(table->entries, state->lazy || table->live));
}

/* Takes the host memory reserved for a table. Returns whether it may hold anything but zeros. */
static bool take_entries(struct pgtsim_table *table)
{
	struct pgtsim_memory *memory = tables_around(table)->memory;
	struct host *host = &memory->host[POOL_PTE];
	uintptr_t piece;

	pgtsim_memory_lock(memory);
	host->reserved_count--;
	piece = pgtsim_host_pop(host);
	pgtsim_memory_unlock(memory);
	table->entries = pgtsim_piece_at(piece);
	return pgtsim_piece_is_dirty(piece);
}

/* Clears all of the host memory, not only the entries: the next table there may be larger. */
void pgtsim_table_materialize(struct pgtsim_table *table)
{
	struct pgtsim_table_state *state = pgtsim_state(table);
	uint64_t first, end;

	/* Asked before anything else is read: threads that share a table change `live`. */
	if (!state->lazy)
		return;
	first = table->live ? state->first : 0;
	end = first + table->live;
	if (state->upper || take_entries(table)) {
		size_t room = room_of(tables_around(table)->memory);

		memset(table->entries, 0, first * sizeof(uint64_t));
		memset(&table->entries[end], 0, (room - end) * sizeof(uint64_t));
	}
	for (uint64_t i = first; i < end; i++)
		table->entries[i] = state->base + (i << state->shift);
	state->lazy = false;
}

void pgtsim_table_make_lazy(struct pgtsim_memory *memory, struct pgtsim_table *table)
{
	struct pgtsim_table_state *state = pgtsim_state(table);

	if (!state->upper) {
		pgtsim_memory_lock(memory);
		give_back_entries(memory, table);
		memory->host[POOL_PTE].reserved_count++;
		pgtsim_memory_unlock(memory);
		table->entries = NULL;
	}
	state->lazy = true;
}

void pgtsim_table_use_upper_pool(struct pgtsim_memory *memory, struct pgtsim_table *table)
{
	struct pgtsim_table_state *state = pgtsim_state(table);
	struct host *host = &memory->host[POOL_UPPER];

	if (state->upper)
		return;
	pgtsim_memory_lock(memory);
	if (pgtsim_host_ready(host, 1, 1)) {
		uintptr_t piece = pgtsim_host_pop(host);

		if (state->lazy)
			memory->host[POOL_PTE].reserved_count--;
		else
			give_back_entries(memory, table);
		table->entries = pgtsim_piece_at(piece);
		state->lazy = pgtsim_piece_is_dirty(piece);
		state->upper = true;
	}
	pgtsim_memory_unlock(memory);
}

/* ---- the child cache ---- */

bool pgtsim_cache_alloc(struct pgtsim_memory *memory, struct pgtsim_table *table)
{
	struct pgtsim_table_state *state = pgtsim_state(table);
	struct host *host = &memory->host[POOL_CACHE];
	uintptr_t piece = 0;

	if (room_of(memory) > CACHED_ENTRIES)
		return false;
	pgtsim_memory_lock(memory);
	if (pgtsim_host_ready(host, 1, 1))
		piece = pgtsim_host_pop(host);
	pgtsim_memory_unlock(memory);
	state->cache = pgtsim_piece_at(piece);
	if (pgtsim_piece_is_dirty(piece))
		memset(state->cache, 0, host->piece);
	return state->cache;
}

void pgtsim_cache_free(struct pgtsim_memory *memory, struct pgtsim_table *table)
{
	pgtsim_memory_lock(memory);
	pgtsim_host_push(&memory->host[POOL_CACHE], pgtsim_piece(pgtsim_state(table)->cache, true));
	pgtsim_memory_unlock(memory);
	pgtsim_state(table)->cache = NULL;
}

/* ---- table pages ---- */

/*
 * Allocates tables whose frames follow one another, and reserves host memory for their entries.
 * Returns how many; 0: the next one failed.
 */
static unsigned alloc_table_run(struct pgtsim_memory *memory, uint64_t count,
				struct pgtsim_table ***tail)
{
	unsigned most = pgtsim_frames_next(memory, count);
	struct tables *tables = most ? get_tables(memory, memory->current.chunk) : NULL;
	struct frames run;

	if (!tables)
		return 0;
	most = pgtsim_host_ready(&memory->host[POOL_PTE], most, count);
	if (!most)
		return 0;
	memory->host[POOL_PTE].reserved_count += most;
	run = pgtsim_frames_take(memory, most, STATE_TABLE);
	link_tables(memory, tables, &run, tail);
	return most;
}

/* ---- two tables in a page ---- */

static struct pgtsim_table *other_half(struct pgtsim_table *table)
{
	return pgtsim_state(table)->frame < CHUNK_FRAMES ? table + CHUNK_FRAMES :
							   table - CHUNK_FRAMES;
}

/* Puts a free half at the head of their list. */
static void push_half(struct pgtsim_memory *memory, struct pgtsim_table *half)
{
	pgtsim_state(half)->previous = NULL;
	half->next = memory->halves;
	if (half->next)
		pgtsim_state(half->next)->previous = half;
	memory->halves = half;
}

static void remove_half(struct pgtsim_memory *memory, struct pgtsim_table *half)
{
	struct pgtsim_table *previous = pgtsim_state(half)->previous;

	if (previous)
		previous->next = half->next;
	else
		memory->halves = half->next;
	if (half->next)
		pgtsim_state(half->next)->previous = previous;
	pgtsim_state(half)->previous = NULL; /* which is where its child cache is */
}

/* Of a page that one of two tables has: the other one is free. */
static void offer_other_half(struct pgtsim_memory *memory, struct pgtsim_table *table)
{
	struct pgtsim_table *half = other_half(table);
	uint64_t bytes = UINT64_C(1) << (memory->directory.page_shift - 1);

	begin_record(half, table->pa ^ bytes, pgtsim_state(table)->frame ^ CHUNK_FRAMES);
	pgtsim_state(half)->in_use = false;
	push_half(memory, half);
}

/*
 * Allocates one table: the free half of a page, or the first half of a new one. Models page_table_alloc()
 * of arch/s390/mm/pgalloc.c up to 6.6.
 */
static unsigned alloc_half(struct pgtsim_memory *memory, struct pgtsim_table ***tail)
{
	struct pgtsim_table *half = memory->halves, **list = *tail;
	unsigned got;

	if (!half) {
		got = alloc_table_run(memory, 1, tail);
		if (got)
			offer_other_half(memory, *list);
		return got;
	}
	if (!pgtsim_host_ready(&memory->host[POOL_PTE], 1, 1))
		return 0;
	memory->host[POOL_PTE].reserved_count++;
	remove_half(memory, half);
	begin_record(half, half->pa, pgtsim_state(half)->frame);
	half->next = NULL;
	*list = half;
	*tail = &half->next;
	return 1;
}

/*
 * Takes back a table whose page another one may have. Returns whether the page goes: then it is in no list.
 * Models page_table_free().
 */
static bool free_half(struct pgtsim_memory *memory, struct pgtsim_table *table)
{
	struct pgtsim_table *half = other_half(table);

	if (pgtsim_state(half)->in_use) {
		push_half(memory, table);
		return false;
	}
	remove_half(memory, half);
	return true;
}

uint64_t pgtsim_memory_alloc_lazy_tables(struct pgtsim_memory *memory, uint64_t count,
					 struct pgtsim_table ***tail)
{
	uint64_t done = 0;

	if (memory->hooking)
		return 0;
	pgtsim_memory_lock(memory);
	while (done < count) {
		unsigned run = memory->directory.second ?
				       alloc_half(memory, tail) :
				       alloc_table_run(memory, count - done, tail);

		if (!run)
			break;
		done += run;
	}
	pgtsim_memory_unlock(memory);
	return done;
}

static __attribute__((noinline)) int alloc_large_table(struct pgtsim_memory *memory, unsigned order,
			     struct pgtsim_table ***tail)
{
	struct frames block, first;
	struct tables *tables;

	if (!pgtsim_host_ready(&memory->host[POOL_PTE], 1, 1) || !pgtsim_failure_admits(memory, 1) ||
	    pgtsim_frames_take_block(memory, order, &block))
		return -ENOMEM;
	pgtsim_failure_count(memory, 1);
	pgtsim_frames_set(&block, STATE_TABLE);
	tables = get_tables(memory, block.chunk);
	if (!tables) {
		pgtsim_frames_set(&block, STATE_FREE);
		pgtsim_frames_release(memory, &block);
		return -ENOMEM;
	}
	memory->host[POOL_PTE].reserved_count++;
	first = block;
	first.end = first.start + 1;
	link_tables(memory, tables, &first, tail);
	pgtsim_state(&tables->record[first.start])->order = (uint8_t)order;
	return 0;
}

int pgtsim_memory_alloc_large_table(struct pgtsim_memory *memory, unsigned order,
				    struct pgtsim_table ***tail)
{
	int ret;

	pgtsim_memory_lock(memory);
	ret = alloc_large_table(memory, order, tail);
	pgtsim_memory_unlock(memory);
	return ret;
}

/* Makes a new table one that is not lazy: its entries are zero in memory. */
static void settle(struct pgtsim_memory *memory, struct pgtsim_table *table)
{
	pgtsim_table_materialize(table);
	pgtsim_state(table)->first = (uint32_t)room_of(memory);
	table->level = 0;
	table->region = 0;
	table->linked = false;
}

uint64_t pgtsim_memory_alloc_written_table(struct pgtsim_memory *memory, unsigned order,
					   struct pgtsim_table ***tail)
{
	struct pgtsim_table **list = *tail;

	if (pgtsim_memory_alloc_large_table(memory, order, tail))
		return 0;
	settle(memory, *list);
	return 1;
}

uint64_t pgtsim_memory_alloc_tables(struct pgtsim_memory *memory, uint64_t count,
				    struct pgtsim_table ***tail)
{
	if (!memory || !tail)
		return 0;

	struct pgtsim_table **list = *tail;
	uint64_t got = pgtsim_memory_alloc_lazy_tables(memory, count, tail);

	for (uint64_t i = 0; i < got; i++, list = &(*list)->next)
		settle(memory, *list);
	return got;
}

/* A table of several pages; `page` is the first one. Apart, so that one page is freed by less. */
static __attribute__((noinline)) void free_more(struct pgtsim_memory *memory,
						const struct pgtsim_table *table,
						const struct frames *page)
{
	struct frames block = { page->chunk, page->start,
				page->start + (1u << pgtsim_state(table)->order) };

	pgtsim_frames_set(&block, STATE_FREE);
	pgtsim_frames_release(memory, &block);
}

static void free_page(struct pgtsim_memory *memory, struct pgtsim_table *table)
{
	unsigned frame = pgtsim_state(table)->frame % CHUNK_FRAMES;
	struct frames page = { tables_around(table)->chunk, frame, frame + 1 };

	table->level = FREED;
	table->entries = NULL;
	pgtsim_state(table)->in_use = false;
	if (pgtsim_state(table)->order) {
		free_more(memory, table, &page);
		return;
	}
	if (memory->directory.second && !free_half(memory, table))
		return;
	pgtsim_frames_set(&page, STATE_FREE);
	pgtsim_frames_release(memory, &page);
}

void pgtsim_memory_free_table(struct pgtsim_memory *memory, struct pgtsim_table *table)
{
	if (!memory || !table)
		return;

	struct pgtsim_table_state *state = pgtsim_state(table);

	if (!state->in_use || memory->hooking)
		return;
	if (memory->hook.table_freed) {
		memory->hooking = true;
		memory->hook.table_freed(memory->hook.ctx, table);
		memory->hooking = false;
	}
	pgtsim_memory_lock(memory);
	if (state->lazy && !state->upper)
		memory->host[POOL_PTE].reserved_count--;
	else
		give_back_entries(memory, table);
	if (state->cache)
		pgtsim_host_push(&memory->host[POOL_CACHE],
				 pgtsim_piece(state->cache, state->cache->count));
	state->cache = NULL;
	free_page(memory, table);
	pgtsim_memory_unlock(memory);
}

/*
 * Takes no lock: what it reads of a record was written before an entry pointed there, and stays
 * as it is until that entry is gone.
 */
struct pgtsim_table *pgtsim_memory_table(struct pgtsim_memory *memory, uint64_t pa)
{
	if (!memory)
		return NULL;

	struct pgtsim_table *table = pgtsim_directory_find(&memory->directory, pa);

	if (table)
		pgtsim_table_materialize(table);
	return table;
}
