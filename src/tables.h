/* SPDX-License-Identifier: MIT */
/* tables: how a table page of a simulated memory comes and goes, in line for a few pages. */
#ifndef PGTSIM_TABLES_H
#define PGTSIM_TABLES_H

#include "directory.h"
#include "frames.h"

enum { FREED = -128 }; /* the level of a table that is free: nothing leads there */

/* Where a chunk's table pages are, once it has had any. */
static inline struct tables **tables_of(const struct chunk *chunk)
{
	return &chunk->region->tables.chunk[chunk->index % REGION_CHUNKS];
}

/* The record of a frame that becomes a table page: implied, and empty. */
static inline void start_record(struct pgtsim_memory *memory, struct pgtsim_table *table,
				uint64_t pa)
{
	table->memory = memory;
	table->implied = true;
	table->upper = false;
	table->room = (uint32_t)(memory->table_bytes / sizeof(uint64_t));
	table->pa = pa;
	table->live = 0;
}

static inline uint64_t pa_of(const struct pgtsim_memory *memory, const struct frames *run)
{
	return pgtsim_frame_pfn(run->chunk, run->start) << memory->directory.page_shift;
}

/* pgtsim_memory_take_tables() for one, if nothing is in its way. NULL: it must be called. */
static inline struct pgtsim_table *pgtsim_table_take(struct pgtsim_memory *memory)
{
	const struct frames *open = &memory->open;
	struct host *host = &memory->host[LAST];
	struct tables *tables;
	struct frames one;
	struct pgtsim_table *table;

	if (memory->shared || memory->fail_in || memory->loose || pgtsim_frames_none(open) ||
	    !pgtsim_host_free_pieces(host))
		return NULL;
	tables = *tables_of(open->chunk);
	if (!tables)
		return NULL;
	one = pgtsim_frames_take(memory, 1, STATE_TABLE);
	host->promised++;
	table = &tables->record[one.start];
	start_record(memory, table, pa_of(memory, &one));
	table->next = NULL;
	return table;
}

/* Frees the page of a table that has given back its notes and host memory. */
static inline void pgtsim_table_free_page(struct pgtsim_memory *memory, struct pgtsim_table *table)
{
	unsigned at = (table->pa >> memory->directory.page_shift) % CHUNK_FRAMES;
	const struct tables *tables = (const void *)(table - at);
	struct frames frame = { tables->chunk, at, at + 1 };

	table->level = FREED;
	table->entries = NULL;
	pgtsim_frames_set(&frame, STATE_FREE);
	pgtsim_frames_release(memory, &frame);
}

/* Whether it is known what freeing a table takes: its memory is promised only. */
static inline bool pgtsim_table_goes_plainly(const struct pgtsim_memory *memory,
					     const struct pgtsim_table *table)
{
	return table->implied && !table->upper && !memory->shared;
}

/* Frees one that goes plainly, without notes. */
static inline void pgtsim_table_put(struct pgtsim_memory *memory, struct pgtsim_table *table)
{
	memory->host[LAST].promised--;
	pgtsim_table_free_page(memory, table);
}

#endif
