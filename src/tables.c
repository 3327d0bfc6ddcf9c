/* SPDX-License-Identifier: MIT */
/* tables: the records of table pages, and where their entries are. A part of memory. */
#include "tables.h"

#include <assert.h>
#include <string.h>

static_assert(sizeof(void *) != 8 || sizeof(struct pgtsim_table) == 64,
	      "a record is one of the host's cache lines");

/* The table pages of a chunk. NULL if the host has no memory. */
static struct tables *get_tables(struct pgtsim_memory *memory, struct chunk *chunk)
{
	struct host *host = &memory->host[RECORDS];
	struct tables **tables = tables_of(chunk);

	if (!*tables && pgtsim_host_ready(host, 1, 1)) {
		*tables = pgtsim_piece_at(pgtsim_host_pop(host));
		(*tables)->chunk = chunk;
	}
	return *tables;
}

static void give_back_entries(struct pgtsim_memory *memory, const struct pgtsim_table *table)
{
	pgtsim_host_push(&memory->host[table->upper],
			 pgtsim_piece(table->entries, table->implied || table->live));
}

/* Redeems the promise of host memory. Returns whether it may hold anything but zeros. */
static bool take_entries(struct pgtsim_table *table)
{
	struct pgtsim_memory *memory = table->memory;
	struct host *host = &memory->host[LAST];
	uintptr_t piece;

	pgtsim_memory_lock(memory);
	host->promised--;
	piece = pgtsim_host_pop(host);
	pgtsim_memory_unlock(memory);
	table->entries = pgtsim_piece_at(piece);
	return pgtsim_piece_is_dirty(piece);
}

/* All of its memory, not only its entries: the next table there may be a larger one. */
void pgtsim_table_write_out(struct pgtsim_table *table)
{
	uint64_t first, end;

	/* First: threads that share a table change `live`. */
	if (!table->implied)
		return;
	first = table->live ? table->first : 0;
	end = first + table->live;
	if (table->upper || take_entries(table)) {
		memset(table->entries, 0, first * sizeof(uint64_t));
		memset(&table->entries[end], 0, (table->room - end) * sizeof(uint64_t));
	}
	for (uint64_t i = first; i < end; i++)
		table->entries[i] = table->base + (i << table->shift);
	table->implied = false;
}

void pgtsim_table_imply(struct pgtsim_memory *memory, struct pgtsim_table *table)
{
	if (!table->upper) {
		pgtsim_memory_lock(memory);
		give_back_entries(memory, table);
		memory->host[LAST].promised++;
		pgtsim_memory_unlock(memory);
		table->memory = memory;
	}
	table->implied = true;
}

void pgtsim_table_becomes_upper(struct pgtsim_memory *memory, struct pgtsim_table *table)
{
	struct host *host = &memory->host[UPPER];

	if (table->upper)
		return;
	pgtsim_memory_lock(memory);
	if (pgtsim_host_ready(host, 1, 1)) {
		uintptr_t piece = pgtsim_host_pop(host);

		if (table->implied)
			memory->host[LAST].promised--;
		else
			give_back_entries(memory, table);
		table->entries = pgtsim_piece_at(piece);
		table->implied = pgtsim_piece_is_dirty(piece);
		table->upper = true;
	}
	pgtsim_memory_unlock(memory);
}

bool pgtsim_table_take_notes(struct pgtsim_memory *memory, struct pgtsim_table *table)
{
	struct host *host = &memory->host[NOTES];
	uintptr_t piece = 0;

	if (table->room > NOTED_ENTRIES)
		return false;
	pgtsim_memory_lock(memory);
	if (pgtsim_host_ready(host, 1, 1))
		piece = pgtsim_host_pop(host);
	pgtsim_memory_unlock(memory);
	table->notes = pgtsim_piece_at(piece);
	if (pgtsim_piece_is_dirty(piece))
		memset(table->notes, 0, host->piece);
	return table->notes;
}

void pgtsim_table_forget(struct pgtsim_memory *memory, struct pgtsim_table *table)
{
	pgtsim_memory_lock(memory);
	pgtsim_host_push(&memory->host[NOTES], pgtsim_piece(table->notes, true));
	pgtsim_memory_unlock(memory);
	table->notes = NULL;
}

/* Initialises the records of one run and appends them to the list. */
static void link_tables(struct pgtsim_memory *memory, struct tables *tables,
			const struct frames *run, struct pgtsim_table ***tail)
{
	struct pgtsim_table *table = &tables->record[run->start];
	struct pgtsim_table *end = &tables->record[run->end];
	uint64_t pa = pa_of(memory, run);

	**tail = table;
	for (; table < end; table++) {
		start_record(memory, table, pa);
		table->next = table + 1;
		pa += UINT64_C(1) << memory->directory.page_shift;
	}
	table[-1].next = NULL;
	*tail = &table[-1].next;
}

/* Allocates tables that follow one another. Returns how many; 0: the next one failed. */
static unsigned alloc_table_run(struct pgtsim_memory *memory, uint64_t count,
				struct pgtsim_table ***tail)
{
	unsigned most = pgtsim_frames_next(memory, count);
	struct tables *tables = most ? get_tables(memory, memory->open.chunk) : NULL;
	struct frames run;

	if (!tables)
		return 0;
	most = pgtsim_host_ready(&memory->host[LAST], most, count);
	if (!most)
		return 0;
	memory->host[LAST].promised += most;
	run = pgtsim_frames_take(memory, most, STATE_TABLE);
	link_tables(memory, tables, &run, tail);
	return most;
}

uint64_t pgtsim_memory_take_tables(struct pgtsim_memory *memory, uint64_t count,
				   struct pgtsim_table ***tail)
{
	uint64_t done = 0;

	pgtsim_memory_lock(memory);
	while (done < count) {
		unsigned run = alloc_table_run(memory, count - done, tail);

		if (!run)
			break;
		done += run;
	}
	pgtsim_memory_unlock(memory);
	return done;
}

uint64_t pgtsim_memory_alloc_tables(struct pgtsim_memory *memory, uint64_t count,
				    struct pgtsim_table ***tail)
{
	struct pgtsim_table **list = *tail;
	uint64_t got = pgtsim_memory_take_tables(memory, count, tail);

	for (uint64_t i = 0; i < got; i++, list = &(*list)->next) {
		struct pgtsim_table *table = *list;

		pgtsim_table_write_out(table);
		table->first = table->room;
		table->level = 0;
		table->region = 0;
		table->linked = false;
	}
	return got;
}

void pgtsim_memory_free_table(struct pgtsim_memory *memory, struct pgtsim_table *table)
{
	if (!table->entries)
		return;
	pgtsim_memory_lock(memory);
	if (table->implied && !table->upper)
		memory->host[LAST].promised--;
	else
		give_back_entries(memory, table);
	if (table->notes)
		pgtsim_host_push(&memory->host[NOTES],
				 pgtsim_piece(table->notes, table->notes->count));
	table->notes = NULL;
	pgtsim_table_free_page(memory, table);
	pgtsim_memory_unlock(memory);
}

/*
 * Finds it without a lock: what it reads of a table was written before an entry that points there,
 * and stays as it is until that entry is gone.
 */
struct pgtsim_table *pgtsim_memory_table(const struct pgtsim_memory *memory, uint64_t pa)
{
	struct pgtsim_table *table = pgtsim_directory_find(&memory->directory, pa);

	if (table && table->implied)
		pgtsim_table_write_out(table);
	return table;
}
