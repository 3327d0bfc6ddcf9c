/* SPDX-License-Identifier: MIT */
/*
 * memory: simulated physical memory. Frames and their owners, the page allocator, failure
 * injection, and for each table page host memory and a side record.
 *
 * Only RAM of the page allocator is here: what the machine boots with. The contents of a frame are
 * not simulated unless it is a table page, so a terabyte costs nothing until it is used.
 * Units: PFN and pages of the granule. An order-n block is 2^n pages, aligned to its size. Ranges
 * are a start and a size or count, except in struct pgtsim_ram. Functions that hand out or take
 * several pages return how many.
 *
 * Models mm/page_alloc.c: alloc_pages(), free_pages(). Departures: it takes the lowest free block of
 * the smallest sufficient order, so that every run is the same. A wrong free is an error with a name
 * and changes nothing, where the kernel corrupts its lists or says "Bad page state".
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
	PGTSIM_OWNER_BOOT,   /* reserved at boot (memblock); the kernel's PageReserved */
	PGTSIM_OWNER_PAGES,  /* handed out by the page allocator */
	PGTSIM_OWNER_TABLE,  /* a table page */
	PGTSIM_OWNER_ALTMAP, /* handed out by an altmap; only pgtsim_frame_owner() returns it */
};

/* What is wrong with a free. */
enum pgtsim_bad_free {
	PGTSIM_FREE_OK,
	PGTSIM_FREE_NOT_RAM,     /* no RAM of the page allocator at that PFN */
	PGTSIM_FREE_DOUBLE,      /* it is free already */
	PGTSIM_FREE_WRONG_ORDER, /* allocated with another order, or inside an allocated block */
	PGTSIM_FREE_WRONG_OWNER, /* a table page */
	PGTSIM_FREE_BOOT,        /* boot memory: reserved, never the page allocator's */
	PGTSIM_FREE_BUSY,        /* the hook of a free frees: struct pgtsim_memory_hook */
};

/* The RAM [start, end), bytes, both aligned to the page. */
struct pgtsim_ram {
	uint64_t start, end;
};

struct pgtsim_memory; /* opaque; pgtsim_memory_new() */

/*
 * The side record of a table page. Read only, except that a caller's own allocator (struct
 * pgtsim_table_ops) sets `entries` and `pa`.
 *
 * Read entries by pgtsim_entry(). A table of a simulated memory need not be written to host memory
 * as long as nobody looks: then `entries` is NULL or what it points to is out of date.
 * pgtsim_memory_table() writes it. Write entries by pgtsim_poke() only: pgtsim_check() reports
 * what was written in another way, but walks may not see it.
 */
struct pgtsim_table {
	uint64_t *entries; /* host memory, see above; zeros when the table is allocated */
	uint64_t pa;       /* of the table, bytes */
	struct pgtsim_table
		*next;      /* in a list of tables not linked yet; else for the list's owner */
	uint32_t live;      /* entries that are not zero: pgtsim_table_live() */
	int8_t level;       /* PGTSIM_PTE and above it: geometry.h */
	uint8_t region;     /* what it was made for: enum pgtsim_region */
	bool constructed;   /* its destructor is due when it is freed */
	bool linked;        /* a table entry points to it, so it must not be freed */
	uint64_t opaque[4]; /* the library's own */
};

/*
 * Creates memory from ranges of RAM, in any order, not overlapping. table_bytes is the host
 * memory of one table: at least the largest table's entries, at most four pages.
 * Returns 0, -EINVAL (no range, empty, unaligned, overlapping, reversed, past 2^52; page_shift
 * not 12 to 24; table_bytes 0, above four pages or not a multiple of 8) or -ENOBUFS (the host is out
 * of memory).
 * *out is freed by pgtsim_memory_free().
 */
PGTSIM_API int pgtsim_memory_new(struct pgtsim_memory **out, unsigned page_shift,
				 size_t table_bytes, const struct pgtsim_ram *ram, size_t count);

/*
 * From now on several threads may allocate and free at the same time, and look up tables that none
 * of them frees. During everything else no other thread may use the memory. Call it before a second
 * thread does.
 */
PGTSIM_API void pgtsim_memory_share(struct pgtsim_memory *memory);

/*
 * Is called just before pages or a table page are given back to the allocator, whoever does it:
 * `pages` frames from pfn on, each of 2^page_shift bytes; or the page of a table, whose record is
 * still as it was. Not called for a free that is wrong, nor by pgtsim_memory_free(). It must not
 * allocate or free: meanwhile allocations get -EBUSY or nothing, frees are PGTSIM_FREE_BUSY, and a
 * table is not freed. Any of the two may be NULL.
 */
struct pgtsim_memory_hook {
	void (*pages_freed)(void *ctx, uint64_t pfn, uint64_t pages, unsigned page_shift);
	void (*table_freed)(void *ctx, const struct pgtsim_table *table);
	void *ctx;
};

/* Sets the hook, which is copied; NULL takes it away. One at a time, and not if threads share it. */
PGTSIM_API void pgtsim_memory_set_hook(struct pgtsim_memory *memory,
				       const struct pgtsim_memory_hook *hook);

/* Frees it with all host memory, and sets *memory to NULL. NULL is allowed. */
PGTSIM_API void pgtsim_memory_free(struct pgtsim_memory **memory);

/*
 * Allocates one block of 2^order pages. Returns 0 with its first frame in *pfn, -EINVAL (order
 * above PGTSIM_MAX_ORDER, NULL), -EBUSY (from the hook of a free) or -ENOMEM (none free, or injected).
 */
PGTSIM_API int pgtsim_memory_alloc(struct pgtsim_memory *memory, unsigned order, uint64_t *pfn);

/*
 * Allocates up to `count` order-0 pages with consecutive frames, those that as many single calls
 * would return. Returns how many it allocated, from *pfn on. 0 means that the next single call would
 * fail, for the caller -ENOMEM; an injected failure is used up then. Fewer than asked is no failure:
 * the next pages are elsewhere, call again for the rest.
 */
PGTSIM_API uint64_t pgtsim_memory_alloc_run(struct pgtsim_memory *memory, uint64_t count,
					    uint64_t *pfn);

/*
 * An allocation that takes no page of its own (kmalloc()). It only counts for failure injection.
 * Returns 0 or -ENOMEM.
 */
PGTSIM_API int pgtsim_memory_alloc_small(struct pgtsim_memory *memory);

/*
 * Frees one block of 2^order pages. Returns PGTSIM_FREE_OK, or what is wrong with the free, which
 * then changes nothing. Models free_pages(); WARN_ON(PageReserved(page)) is PGTSIM_FREE_BOOT.
 */
PGTSIM_API enum pgtsim_bad_free pgtsim_memory_free_pages(struct pgtsim_memory *memory, uint64_t pfn,
							 unsigned order);

/*
 * Frees `count` order-0 pages with consecutive frames, as that many single calls, up to the first
 * that is wrong. Returns how many were freed; *bad says what is wrong with the next.
 */
PGTSIM_API uint64_t pgtsim_memory_free_run(struct pgtsim_memory *memory, uint64_t pfn,
					   uint64_t count, enum pgtsim_bad_free *bad);

/*
 * Allocates up to `count` table pages, each as a single order-0 allocation would be, and appends
 * their records to a list. *tail points to the end of the list: to its head if it is empty, else to
 * `next` of its last table. It is moved on. The entries are zero. Returns how many. Fewer than asked
 * means that the next one failed, for the caller -ENOMEM; an injected failure is used up then.
 */
PGTSIM_API uint64_t pgtsim_memory_alloc_tables(struct pgtsim_memory *memory, uint64_t count,
					       struct pgtsim_table ***tail);

/* Frees a table page. Its entries need not be zero, but then `live` must not be 0 either. */
PGTSIM_API void pgtsim_memory_free_table(struct pgtsim_memory *memory, struct pgtsim_table *table);

/*
 * The record of the table page at pa (bytes), its `entries` up to date. NULL if there is none.
 * Constant time. May write to host memory, so call it from the thread that uses the page table.
 */
PGTSIM_API struct pgtsim_table *pgtsim_memory_table(struct pgtsim_memory *memory, uint64_t pa);

/* Who holds this frame. */
PGTSIM_API enum pgtsim_owner pgtsim_memory_owner(const struct pgtsim_memory *memory, uint64_t pfn);

/*
 * Takes `count` frames from pfn on out of the page allocator for good (memblock_reserve()). Returns
 * 0, -EINVAL (count 0, or not all RAM), -EBUSY (not all free) or -ENOBUFS (the host is out of
 * memory).
 */
PGTSIM_API int pgtsim_memory_reserve_boot(struct pgtsim_memory *memory, uint64_t pfn,
					  uint64_t count);

/*
 * Whether the host once had no memory for what this memory has to keep. Then a simulated allocation
 * may have failed that should not have, so nothing that was found since is to be believed. It stays
 * true. Operations of higher rooms return -ENOBUFS from then on.
 */
PGTSIM_API bool pgtsim_memory_out_of_host_memory(const struct pgtsim_memory *memory);

/* Pages that are free, while no thread allocates or frees, and pages of RAM in all. */
PGTSIM_API uint64_t pgtsim_memory_free_count(const struct pgtsim_memory *memory);
PGTSIM_API uint64_t pgtsim_memory_ram_count(const struct pgtsim_memory *memory);

/* Whether two memories have the same RAM, and every frame the same owner, in the same blocks. */
PGTSIM_API bool pgtsim_memory_equal(const struct pgtsim_memory *a, const struct pgtsim_memory *b);

/*
 * Returns the number of pages in [pa, pa + size) that are RAM of this memory; pa and size in bytes.
 */
PGTSIM_API uint64_t pgtsim_memory_ram_in(const struct pgtsim_memory *memory, uint64_t pa,
					 uint64_t size);

/* Whether [pa, pa + size), bytes, is RAM of this memory as a whole; false if size is 0. */
PGTSIM_API bool pgtsim_memory_is_ram(const struct pgtsim_memory *memory, uint64_t pa,
				     uint64_t size);

/*
 * Failure injection: the nth next allocation fails (1: the next one), with `every` each nth from
 * then on. 0 turns it off. Each page and each table counts as one allocation, in a run, too. An
 * allocation that fails because nothing is free does not count.
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
