/* SPDX-License-Identifier: MIT */
/* tables: how a table page of a simulated memory goes, in line for a few pages. */
#ifndef PGTSIM_TABLES_H
#define PGTSIM_TABLES_H

#include "directory.h"
#include "frames.h"

enum { FREED = -128 }; /* the level of a table that is free: nothing leads there */

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

/* Whether pgtsim_memory_free_table() takes no more than pgtsim_table_put(): memory is promised only. */
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
