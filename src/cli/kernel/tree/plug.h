/* SPDX-License-Identifier: MIT */
/*
 * What pgtsim and a kernel that was built for it know of each other. The kernel is a shared object
 * with one symbol, `pgtsim_kernel`; pgtsim attaches a host to it, and then calls its functions.
 */
#ifndef KC_PLUG_H
#define KC_PLUG_H

#include "world.h"

/* Changes with this header and with world.h: a file that another pgtsim built is refused. */
#define KC_PLUG_VERSION "pgtsim kernel 3"

/* What the kernel's code does to the machine. Addresses are physical, bytes. */
struct kc_host {
	void *ctx;
	/*
	 * The host's own record of the call under way. Another call may begin and end while one of
	 * these functions runs, where schedules are explored: it is restored when they return.
	 */
	void **call;
	/* One block of 2^order pages; 0 if there is none. `table`: a table page, zeroed. */
	uint64_t (*alloc)(void *ctx, unsigned order, bool table);
	void (*free)(void *ctx, uint64_t pa, unsigned order);
	bool (*alloc_small)(void *ctx);
	/* Host memory of a page: of a table its entries, else a pointer that must not be followed. */
	void *(*memory)(void *ctx, uint64_t pa);
	/* The same, of what a table entry points to: what is no table reads as junk. */
	void *(*table)(void *ctx, uint64_t pa);
	/* The address of such memory, of any byte of it. */
	uint64_t (*address)(void *ctx, const volatile void *memory);
	/* Before an entry is loaded by READ_ONCE(); any other memory is none of its business. */
	void (*load)(void *ctx, const volatile void *entry);
	void (*store)(void *ctx, volatile void *entry, uint64_t value);
	/* A barrier, an invalidate, pages of an altmap: no store and no pages. */
	void (*event)(void *ctx, const struct kc_event *event);
	void (*construct)(void *ctx, uint64_t pa, bool destruct);
	/* A table page comes into a slot of the fixmap, which `lock` is for unless NULL; 0: it is cleared. */
	void (*fixmap)(void *ctx, unsigned slot, uint64_t pa, const char *lock);
	/* A lock is taken or released, by its name in the source; whether this call holds it. */
	void (*lock)(void *ctx, const char *name, bool take);
	bool (*holds)(void *ctx, const char *name);
	/* Of the section at pa: was it there at boot? */
	bool (*is_early)(void *ctx, uint64_t pa);
	/* Pages go to the page allocator, or leave it. */
	void (*block_pages)(void *ctx, uint64_t pfn, uint64_t pages, bool online);
	void (*shadow)(void *ctx, uint64_t pa, uint64_t pages, bool add);
	void (*print)(void *ctx, const char *text);
	void (*pass)(void *ctx, int pass, uint64_t start, uint64_t end);
	/* WARN() or BUG() at a line of the tree. */
	void (*said)(void *ctx, bool bug, const char *file, int line);
};

/* A function that the tree lacks, and what can't be done without. */
struct kc_missing {
	const char *function, *file, *operation;
};

struct kc_plug {
	const char *version; /* KC_PLUG_VERSION */
	size_t host_bytes;   /* sizeof(struct kc_host) */
	const char *tree;    /* as the user named it */
	const struct kc_kernel *kernel;
	const struct kc_missing *missing; /* ends with a NULL function */
	/* From now on its functions work on this machine. root: of its root table. */
	void (*attach)(const struct kc_host *host, uint64_t root, bool tlbi_range, bool bbm3);
	/*
	 * For the handler of a signal that an access of the kernel's code has raised: ends the call, as
	 * BUG() does. Returns only if no code of the kernel's was running.
	 */
	void (*crashed)(void);
};

extern const struct kc_plug pgtsim_kernel __attribute__((visibility("default")));

#endif
