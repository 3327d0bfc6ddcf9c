/* SPDX-License-Identifier: MIT */
/*
 * Where the records of table pages are, so that a walk finds one in line: a PFN, from the top, is
 * | region | chunk in it: 12 bits | frame in it: 10 bits |.
 */
#ifndef PGTSIM_DIRECTORY_H
#define PGTSIM_DIRECTORY_H

#include <pgtsim/memory.h>

#include "bits.h"

enum {
	CHUNK_BITS = PGTSIM_MAX_ORDER,
	CHUNK_FRAMES = 1 << CHUNK_BITS,
	REGION_BITS = 12,
	REGION_CHUNKS = 1 << REGION_BITS,
	NOTED_ENTRIES = 8192, /* the most that a table with notes may have: those of 64K pages */
	UNCOUNTED = 1 << 30,  /* a count: threads share the table and keep none */
};

/*
 * Records of a chunk's frames; they stay once they are there. One that is no table has no entries,
 * and no memory to take them from.
 */
struct tables {
	struct pgtsim_table record[CHUNK_FRAMES];
	struct chunk *chunk;
};

/*
 * Beside the entries of a table: where they lead. While as many are noted as are live, the first
 * live one is the first noted one.
 */
struct pgtsim_notes {
	unsigned count;                         /* noted; UNCOUNTED or about it: not known */
	uint64_t noted[NOTED_ENTRIES / 64 + 1]; /* a bit for each … */
	struct pgtsim_table *child[];           /* … that is not NULL */
};

/* A region's chunks that have had a table. */
struct region_tables {
	struct tables *chunk[REGION_CHUNKS];
};

struct region; /* begins with struct region_tables */

/* What every struct pgtsim_memory begins with. */
struct directory {
	unsigned page_shift;
	uint64_t region_count;
	struct region **regions; /* NULL for those that nobody touched */
};

/* The record of the table page at pa, NULL if there is none; its entries may be implied. */
static inline struct pgtsim_table *pgtsim_directory_find(const struct directory *directory,
							 uint64_t pa)
{
	uint64_t pfn = pa >> directory->page_shift, region = pfn >> (CHUNK_BITS + REGION_BITS);
	const struct region_tables *chunks;
	struct pgtsim_table *table;
	struct tables *tables;

	if (region >= directory->region_count || !directory->regions[region])
		return NULL;
	chunks = (const void *)directory->regions[region];
	tables = chunks->chunk[(pfn >> CHUNK_BITS) % REGION_CHUNKS];
	if (!tables)
		return NULL;
	table = &tables->record[pfn % CHUNK_FRAMES];
	return table->entries ? table : NULL;
}

/* The same to call by address: `find` of struct pgtsim_table_ops for a simulated memory. */
struct pgtsim_table *pgtsim_directory_lookup(const void *memory, uint64_t pa);

/* The same with pgtsim_memory_alloc_tables() and pgtsim_memory_free_table(). */
uint64_t pgtsim_memory_alloc_op(void *memory, uint64_t count, struct pgtsim_table ***tail);
void pgtsim_memory_free_op(void *memory, struct pgtsim_table *table);

/* Writes the entries that the record of an implied table tells: someone is about to look. */
void pgtsim_table_write_out(struct pgtsim_table *table);

/* The record alone tells the entries from now on: a table of the last level gives up its memory. */
void pgtsim_table_imply(struct pgtsim_memory *memory, struct pgtsim_table *table);

/*
 * Gives a table of a simulated memory that is none of the last level, empty and not linked yet,
 * host memory among others of its kind. Those of the last level are mostly implied: then nothing
 * is written to their part of host memory, and the host need not have it. Without host memory for
 * it the table stays where it is.
 */
void pgtsim_table_becomes_upper(struct pgtsim_memory *memory, struct pgtsim_table *table);

/* Gives a table notes, empty ones. Returns false if it is too large, or the host has no memory. */
bool pgtsim_table_take_notes(struct pgtsim_memory *memory, struct pgtsim_table *table);

/* pgtsim_table_note() in a table that has notes. */
static inline void pgtsim_table_add_note(struct pgtsim_table *table, unsigned index,
					 struct pgtsim_table *child)
{
	struct pgtsim_notes *notes = table->notes;

	notes->child[index] = child;
	pgtsim_bit_set(notes->noted, index);
	notes->count++;
}

/*
 * Notes that an entry of a table, not noted yet, leads to `child`, so that walks need not look it
 * up. Whoever changes the entry must clear the note. It may be that nothing is noted.
 */
static inline void pgtsim_table_note(struct pgtsim_memory *memory, struct pgtsim_table *table,
				     unsigned index, struct pgtsim_table *child)
{
	if (table->notes || pgtsim_table_take_notes(memory, table))
		pgtsim_table_add_note(table, index, child);
}

/* Whether all that is live in a table is noted. */
static inline bool pgtsim_all_noted(const struct pgtsim_table *table)
{
	return table->notes && table->notes->count == table->live;
}

/* Clears the note of an entry that has one. */
static inline void pgtsim_table_clear_note(struct pgtsim_table *table, unsigned index)
{
	struct pgtsim_notes *notes = table->notes;

	notes->child[index] = NULL;
	pgtsim_bit_clear(notes->noted, index);
	notes->count--;
}

/* The same if there is one. */
static inline void pgtsim_table_unnote(struct pgtsim_table *table, unsigned index)
{
	if (table->notes && table->notes->child[index])
		pgtsim_table_clear_note(table, index);
}

/* The table that an entry leads to, if that is noted. */
static inline struct pgtsim_table *pgtsim_table_noted(const struct pgtsim_table *table,
						      unsigned index)
{
	return table->notes ? table->notes->child[index] : NULL;
}

/* Gives up a table's notes: it begins anew, from an allocator that keeps tables for later. */
void pgtsim_table_forget(struct pgtsim_memory *memory, struct pgtsim_table *table);

/*
 * pgtsim_memory_alloc_tables() for a page table that knows which tables are implied: they may be
 * so, empty, from what they held before.
 */
uint64_t pgtsim_memory_take_tables(struct pgtsim_memory *memory, uint64_t count,
				   struct pgtsim_table ***tail);

#endif
