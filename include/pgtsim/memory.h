/* SPDX-License-Identifier: MIT */
/*
 * memory: simulated physical memory. Frames and their owners, the page allocator, failure
 * injection, and host memory plus a side record for each table page.
 *
 * Only RAM that the page allocator serves lives here: boot memory (memblock). What a frame holds
 * is not simulated, table pages aside, so a terabyte costs nothing until it is used.
 * Units: PFN and pages of the granule; an order-n block is 2^n pages, aligned to its size.
 *
 * Models mm/page_alloc.c: alloc_pages(), free_pages(). Departures: the lowest free block of the
 * smallest sufficient order is taken, so that every run is the same; a wrong free is an error
 * with a name and changes nothing, where the kernel corrupts its lists or says "Bad page state".
 */
#ifndef PGTSIM_MEMORY_H
#define PGTSIM_MEMORY_H

#include <pgtsim/api.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { PGTSIM_MAX_ORDER = 10 }; /* the largest block: 1024 pages */

/* Who holds a frame. */
enum pgtsim_owner {
	PGTSIM_OWNER_NOT_RAM, /* no memory of the page allocator: a hole, a device, hot-added memory */
	PGTSIM_OWNER_FREE,
	PGTSIM_OWNER_BOOT,  /* reserved at boot (memblock); the kernel's PageReserved */
	PGTSIM_OWNER_PAGES, /* handed out by the page allocator */
	PGTSIM_OWNER_TABLE, /* a table page */
	PGTSIM_OWNER_ALTMAP, /* handed out by an altmap: pgtsim_frame_owner(), never this room */
};

/* What is wrong with a free. */
enum pgtsim_bad_free {
	PGTSIM_FREE_OK,
	PGTSIM_FREE_NOT_RAM,     /* no RAM of the page allocator at that PFN */
	PGTSIM_FREE_DOUBLE,      /* free already */
	PGTSIM_FREE_WRONG_ORDER, /* not the block that was allocated: other order, or inside of it */
	PGTSIM_FREE_WRONG_OWNER, /* somebody else's: a table, other pages */
	PGTSIM_FREE_BOOT,        /* boot memory: reserved, not the page allocator's */
};

/* A range of RAM, bytes, half-open; both ends aligned to the page. */
struct pgtsim_ram {
	uint64_t start, end;
};

struct pgtsim_memory; /* opaque; pgtsim_memory_new() */

/*
 * The side record of a table page, and where its entries are in host memory.
 * Read only outside pgtable's table access. Of leaves that follow one another in a table that holds
 * nothing else this record tells all, and pgtable may leave it at that: an implied table has no
 * entries in host memory, or none that are valid. pgtsim_memory_table() writes them out. Whoever
 * writes entries in another way than by pgtsim_poke() is found by pgtsim_check(), not by walks.
 */
struct pgtsim_table {
	union {
		uint64_t *entries;            /* host memory, zeroed when the table is allocated … */
		struct pgtsim_memory *memory; /* … or, implied and not `upper`: where it will be from */
	};
	uint64_t pa;               /* of the table, bytes */
	struct pgtsim_table *next; /* in a list of tables not linked yet; owner: who holds the list */
	uint32_t live;             /* entries that are not zero: pgtsim_table_live() */
	uint32_t first;            /* no entry below this index is live; 0 if shared by threads */
	uint32_t epoch;            /* when it was linked: pgtsim_tables_mark() */
	int8_t level;
	uint8_t region;            /* for the checker and the dump: which region it was made for */
	bool constructed;          /* its destructor is due when it is freed; owned by pgtable */
	bool linked;               /* a table entry points to it: it must not be freed */
	bool told;                 /* `live` entries from `first` on hold base + (i << shift), others 0 */
	bool implied;              /* told, but not written */
	uint8_t shift;             /* of the bytes that an entry covers */
	bool upper;                /* its host memory is of the pool for tables above the last level */
	uint32_t room;             /* entries that there is host memory for */
	uint64_t base;
	struct pgtsim_notes *notes; /* opaque: the tables that entries lead to, as far as known; or NULL */
};

/*
 * Creates memory from ranges of RAM, in any order, not overlapping. table_bytes is the host
 * memory of one table page: at least the largest table's entries, at most the page.
 * Returns 0, -EINVAL (no range, empty, unaligned, overlapping, reversed, past 2^52; page_shift
 * not 12 to 24; table_bytes 0, above the page or not a multiple of 8) or -ENOMEM.
 * *out is freed by pgtsim_memory_free().
 */
PGTSIM_API int pgtsim_memory_new(struct pgtsim_memory **out, unsigned page_shift,
				 size_t table_bytes, const struct pgtsim_ram *ram, size_t count);

/*
 * From now on threads may allocate and free at the same time, and look up tables that none of them
 * frees. Everything else wants all others to be still. Only for a memory that no thread uses yet.
 */
PGTSIM_API void pgtsim_memory_share(struct pgtsim_memory *memory);

/* Frees it with all host memory, and sets *memory to NULL. NULL is allowed. */
PGTSIM_API void pgtsim_memory_free(struct pgtsim_memory **memory);

/*
 * Allocates one block of 2^order pages. Returns 0 with its first frame in *pfn, -EINVAL (order
 * above PGTSIM_MAX_ORDER) or -ENOMEM (none free, or injected).
 */
PGTSIM_API int pgtsim_memory_alloc(struct pgtsim_memory *memory, unsigned order, uint64_t *pfn);

/*
 * Allocates up to `count` order-0 pages with consecutive frames, exactly those that as many
 * single calls would return. Returns how many it allocated, from *pfn on, at least 1, or
 * -ENOMEM if the very next single call would fail (an injected failure is then used up).
 * Fewer than asked is no failure: call again for the rest.
 */
PGTSIM_API int64_t pgtsim_memory_alloc_run(struct pgtsim_memory *memory, uint64_t count,
					   uint64_t *pfn);

/*
 * An allocation that takes no page of its own (kmalloc): it only counts for failure injection.
 * Returns 0 or -ENOMEM.
 */
PGTSIM_API int pgtsim_memory_alloc_small(struct pgtsim_memory *memory);

/*
 * Frees one block of 2^order pages. Returns what is wrong with it, or PGTSIM_FREE_OK; a wrong
 * free changes nothing. Models free_pages(); WARN_ON(PageReserved(page)) is PGTSIM_FREE_BOOT.
 */
PGTSIM_API enum pgtsim_bad_free pgtsim_memory_free_pages(struct pgtsim_memory *memory,
							 uint64_t pfn, unsigned order);

/*
 * Frees `count` order-0 pages with consecutive frames, as that many single calls, up to the first
 * that is wrong. Returns how many were freed; *bad says what is wrong with the next.
 */
PGTSIM_API uint64_t pgtsim_memory_free_run(struct pgtsim_memory *memory, uint64_t pfn,
					   uint64_t count, enum pgtsim_bad_free *bad);

/*
 * Allocates up to `count` table pages, each as a single order-0 allocation would be, and appends
 * their records to the list that *tail ends (*tail: the `next` field, or the list's head, to
 * write to; moved on). The entries are zero. Returns how many; less than count means the next
 * one failed (-ENOMEM for the caller; an injected failure is then used up).
 */
PGTSIM_API uint64_t pgtsim_memory_alloc_tables(struct pgtsim_memory *memory, uint64_t count,
					       struct pgtsim_table ***tail);

/* Frees a table page. Its entries need not be zero, as long as `live` says so. */
PGTSIM_API void pgtsim_memory_free_table(struct pgtsim_memory *memory, struct pgtsim_table *table);

/*
 * The record of the table page at pa (bytes), in constant time; NULL if there is none. If the
 * table was implied its entries are written out now, which of a private page table's tables is for
 * that one's thread alone; pgtsim_entry() reads it as it is.
 */
PGTSIM_API struct pgtsim_table *pgtsim_memory_table(const struct pgtsim_memory *memory,
						    uint64_t pa);

/* Who holds this frame. */
PGTSIM_API enum pgtsim_owner pgtsim_memory_owner(const struct pgtsim_memory *memory,
						 uint64_t pfn);

/*
 * Takes `count` frames from pfn on out of the page allocator for good: boot memory's own use
 * (memblock_reserve()). Returns 0, -EINVAL (none, or not all RAM), -EBUSY (not all free) or
 * -ENOMEM.
 */
PGTSIM_API int pgtsim_memory_reserve_boot(struct pgtsim_memory *memory, uint64_t pfn,
					  uint64_t count);

/* Pages that are free, and pages of RAM in all. */
PGTSIM_API uint64_t pgtsim_memory_free_count(const struct pgtsim_memory *memory);
PGTSIM_API uint64_t pgtsim_memory_ram_count(const struct pgtsim_memory *memory);

/* Whether two memories have the same RAM, and every frame the same owner, in the same blocks. */
PGTSIM_API bool pgtsim_memory_equal(const struct pgtsim_memory *a, const struct pgtsim_memory *b);

/* How many pages of [pa, pa + size), bytes, are RAM of this memory. */
PGTSIM_API uint64_t pgtsim_memory_ram_in(const struct pgtsim_memory *memory, uint64_t pa,
					 uint64_t size);

/* Whether [pa, pa + size), bytes, is RAM of this memory as a whole; false if size is 0. */
PGTSIM_API bool pgtsim_memory_is_ram(const struct pgtsim_memory *memory, uint64_t pa,
				     uint64_t size);

/*
 * Failure injection: the nth next allocation fails (1: the next), with `every` each nth from
 * then on; 0 turns it off. Pages and tables, single and in runs, count alike; an allocation that
 * fails because nothing is free does not count.
 */
PGTSIM_API void pgtsim_memory_fail(struct pgtsim_memory *memory, uint64_t nth, bool every);

/* The name of a wrong free: "double free", "wrong order" … */
PGTSIM_API const char *pgtsim_bad_free_name(enum pgtsim_bad_free bad);

/* The name of an owner: "free", "boot", "pages", "table", "not RAM". */
PGTSIM_API const char *pgtsim_owner_name(enum pgtsim_owner owner);

#ifdef __cplusplus
}
#endif

#endif
