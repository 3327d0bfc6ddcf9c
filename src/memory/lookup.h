/* SPDX-License-Identifier: MIT */
/*
 * lookup: side records of table pages, what they keep to themselves, and how a walk finds one.
 *
 * Two ideas make big page tables cheap. Both are explained here, where their data is.
 *
 * Lazy tables. Most tables of the last level hold one run of consecutive leaves and are never
 * read. Such a table need not be written: its record describes it. Example: 512 pages from PA
 * 0x80000000 on are `first` 0, `live` 512, `base` 0x00e8000080000707 and `shift` 12, so entry 3 is
 * base + (3 << 12) = 0x00e8000080003707. Unmapping the first 100 of them sets `first` to 100 and
 * `live` to 412. A table that is described so and not written is lazy. It is written
 * (materialized) when someone reads its memory, or when a change leaves more than one run.
 *
 * The child cache. Beside the entries of an upper table, a walk finds the record of the table that
 * each entry points to, and needs no look-up. Example: entries 3 and 7 of a pmd table point to pte
 * tables; `child[3]` and `child[7]` are their records, `cached` has bits 3 and 7, `count` is 2. If
 * the table has two live entries, too, then every live entry is cached: the lowest bit of `cached`
 * is the first live entry.
 */
#ifndef PGTSIM_LOOKUP_H
#define PGTSIM_LOOKUP_H

#include <errno.h>

#include <assert.h>

#include <pgtsim/memory.h>

#include "arch/bits.h"

/* A PFN, from its highest bit: region | chunk in the region: 12 bits | frame in the chunk: 10 bits. */
enum {
	CHUNK_BITS = PGTSIM_MAX_ORDER,
	CHUNK_FRAMES = 1 << CHUNK_BITS,
	REGION_BITS = 12,
	REGION_CHUNKS = 1 << REGION_BITS,
	CACHED_ENTRIES =
		8192, /* a table with a child cache has no more entries: those of 64K pages */
	COUNT_UNKNOWN = 1 << 30, /* the `count` of a child cache while threads share the table */
};

/* The private part of struct pgtsim_table: its `opaque`. */
struct pgtsim_table_state {
	uint64_t base; /* described: entry i is base + (i << shift) … */
	union {
		struct pgtsim_child_cache *cache; /* NULL: there is none */
		struct pgtsim_table *previous;    /* of a free half: in the list of them */
	};
	uint32_t first;                   /* … from here on. No entry below is live. Shared: 0 */
	uint32_t epoch;                   /* when it was linked: pgtsim_tables_mark() */
	uint16_t frame;                   /* its record's number in the chunk: struct tables */
	uint8_t shift;                    /* of the bytes that an entry translates */
	bool described; /* `live` entries from `first` on follow one another, all others are 0 */
	bool lazy;      /* described, and not written to host memory */
	bool upper;     /* its host memory is of the pool for upper tables */
	bool in_use;    /* it is a table page of a simulated memory */
	uint8_t order;  /* log2 of its pages */
} __attribute__((may_alias));

static_assert(sizeof(struct pgtsim_table_state) <= sizeof(((struct pgtsim_table *)0)->opaque),
	      "the private part of a table has room");

static inline struct pgtsim_table_state *pgtsim_state(const struct pgtsim_table *table)
{
	return (struct pgtsim_table_state *)(uintptr_t)table->opaque;
}

/* The records of a chunk's frames. They stay once they are there. */
struct tables {
	struct chunk *chunk;
	struct pgtsim_memory *memory;
	uint64_t unused[6]; /* a record fills one cache line */
	/* One for each frame. Where two tables share a page, as many follow for the second ones. */
	struct pgtsim_table record[];
};

/* See the top of this file. */
struct pgtsim_child_cache {
	unsigned count; /* of children; COUNT_UNKNOWN or about it: not known */
	uint64_t cached[CACHED_ENTRIES / 64 + 1]; /* a bit for each child … */
	struct pgtsim_table *child[];             /* … that is not NULL */
};

/* A region's chunks that have had a table. */
struct region_tables {
	struct tables *chunk[REGION_CHUNKS];
};

struct region; /* begins with struct region_tables */

/* What every struct pgtsim_memory begins with. */
struct directory {
	unsigned page_shift;
	unsigned second; /* CHUNK_FRAMES where two tables share a page, else 0 */
	uint64_t region_count;
	struct region **regions; /* NULL for those that nobody touched */
};

/* The record of the table page at pa, which may be lazy. NULL if there is none. */
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
	table = &tables->record[pfn % CHUNK_FRAMES +
				(pa >> (directory->page_shift - 1) & 1) * directory->second];
	return pgtsim_state(table)->in_use ? table : NULL;
}

/* The functions of pgtsim_memory_table_ops(). */
uint64_t pgtsim_memory_alloc_op(void *memory, uint64_t count, struct pgtsim_table ***tail);
void pgtsim_memory_free_op(void *memory, struct pgtsim_table *table);
struct pgtsim_table *pgtsim_memory_find_op(const void *memory, uint64_t pa);

/* ---- lazy tables ---- */

/*
 * Like pgtsim_memory_alloc_tables(), for a page table that knows of lazy tables: the tables are
 * lazy, and their records hold what was in them before.
 */
uint64_t pgtsim_memory_alloc_lazy_tables(struct pgtsim_memory *memory, uint64_t count,
					 struct pgtsim_table ***tail);

/*
 * Like it, for one table of 2^order pages, by a single allocation of that order. Returns 0 or -ENOMEM.
 */
int pgtsim_memory_alloc_large_table(struct pgtsim_memory *memory, unsigned order,
				    struct pgtsim_table ***tail);

/* The same for callers that do not know of lazy tables. Returns how many: 1 or 0. */
uint64_t pgtsim_memory_alloc_written_table(struct pgtsim_memory *memory, unsigned order,
					   struct pgtsim_table ***tail);

/*
 * From now on two tables of the last level share a page, as in s390's kernels up to 6.6: the second one
 * takes the free half of a page that has a free half. Call it before there is any table.
 */
void pgtsim_memory_share_pages(struct pgtsim_memory *memory);

/* Writes the entries of a lazy table to host memory. Does nothing to another table. Cannot fail. */
void pgtsim_table_materialize(struct pgtsim_table *table);

/* Makes a described table lazy. A table of the last level gives its host memory back. */
void pgtsim_table_make_lazy(struct pgtsim_memory *memory, struct pgtsim_table *table);

/*
 * Moves the host memory of a table that is empty and not linked yet to the pool for upper tables.
 * Tables of the last level are mostly lazy and their pool is never touched, so the few tables
 * that are written stand close together. Without host memory the table stays where it is.
 */
void pgtsim_table_use_upper_pool(struct pgtsim_memory *memory, struct pgtsim_table *table);

/* ---- the child cache ---- */

/* Gives a table an empty child cache. Returns false if it is too large or the host has no memory. */
bool pgtsim_cache_alloc(struct pgtsim_memory *memory, struct pgtsim_table *table);

/* Takes the child cache from a table that a caller's allocator hands out again. */
void pgtsim_cache_free(struct pgtsim_memory *memory, struct pgtsim_table *table);

/* The table that an entry points to, if it is cached; else NULL. */
static inline struct pgtsim_table *pgtsim_cached_child(const struct pgtsim_table *table,
						       unsigned index)
{
	const struct pgtsim_child_cache *cache = pgtsim_state(table)->cache;

	return cache ? cache->child[index] : NULL;
}

/* Whether every live entry of the table is cached. */
static inline bool pgtsim_all_cached(const struct pgtsim_table *table)
{
	const struct pgtsim_child_cache *cache = pgtsim_state(table)->cache;

	return cache && cache->count == table->live;
}

/*
 * Caches that an entry, not cached yet, points to `child`. Whoever changes the entry must drop the
 * child. Without host memory for the cache nothing is cached.
 */
static inline void pgtsim_cache_child(struct pgtsim_memory *memory, struct pgtsim_table *table,
				      unsigned index, struct pgtsim_table *child)
{
	struct pgtsim_child_cache *cache;

	if (!pgtsim_state(table)->cache && !pgtsim_cache_alloc(memory, table))
		return;
	cache = pgtsim_state(table)->cache;
	cache->child[index] = child;
	pgtsim_bit_set(cache->cached, index);
	cache->count++;
}

/* Drops the child of an entry from the cache, if it is there. */
static inline void pgtsim_cache_drop(struct pgtsim_table *table, unsigned index)
{
	struct pgtsim_child_cache *cache = pgtsim_state(table)->cache;

	if (!cache || !cache->child[index])
		return;
	cache->child[index] = NULL;
	pgtsim_bit_clear(cache->cached, index);
	cache->count--;
}

/* ---- free pages ---- */

/* Pages that are free at this moment, whatever other threads do. */
uint64_t pgtsim_memory_free_now(struct pgtsim_memory *memory);

/* ---- memory of the host ---- */

/* Remembers that the host had no memory for what a simulated memory, or a room above it, had to keep. */
void pgtsim_memory_host_failed(struct pgtsim_memory *memory);

/*
 * What an operation returns: a failure of the host is no failure of the simulated memory, and what
 * was done after it may have gone another way.
 */
static inline int pgtsim_memory_result(const struct pgtsim_memory *memory, int result)
{
	return pgtsim_memory_out_of_host_memory(memory) ? -ENOBUFS : result;
}

#endif
