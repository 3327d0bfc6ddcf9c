/* SPDX-License-Identifier: MIT */
/* The memory room, compiled into a test so that its host allocations can fail. Include it first. */
#ifndef HOST_MEMORY_H
#define HOST_MEMORY_H

#define _DEFAULT_SOURCE 1 /* MAP_ANONYMOUS, getrusage() */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <cmocka.h>

#include <pgtsim/memory.h>

static unsigned host_fail_in;   /* the nth next host allocation fails; 0: none */
static bool host_keeps_failing; /* all after that one fail, too */

static inline bool host_fails(void)
{
	if (host_fail_in == 1 && host_keeps_failing)
		return true;
	return host_fail_in && --host_fail_in == 0;
}

static inline void *host_calloc(size_t count, size_t size)
{
	return host_fails() ? NULL : calloc(count, size);
}

static inline void *host_aligned_alloc(size_t alignment, size_t size)
{
	return host_fails() ? NULL : aligned_alloc(alignment, size);
}

static inline void *host_realloc(void *at, size_t size)
{
	return host_fails() ? NULL : realloc(at, size);
}

#ifdef __linux__
static bool host_misaligns; /* no mapping starts at a multiple of 2 MiB */

static inline void *host_mmap(void *at, size_t size, int prot, int flags, int fd, off_t offset)
{
	unsigned char *mapped;
	size_t skip;

	if (host_fails())
		return MAP_FAILED;
	if (!host_misaligns)
		return mmap(at, size, prot, flags, fd, offset);
	mapped = mmap(at, size + 4096, prot, flags, fd, offset);
	assert_ptr_not_equal(mapped, MAP_FAILED);
	skip = (uintptr_t)mapped % (2 << 20) ? 0 : 4096;
	munmap(mapped + (skip ? 0 : size), 4096);
	return mapped + skip;
}
#define mmap host_mmap

static size_t host_advised; /* bytes for which huge pages were asked for */

static inline int host_madvise(void *at, size_t size, int advice)
{
	assert_int_equal(advice, MADV_HUGEPAGE);
	assert_int_equal((uintptr_t)at % (2 << 20) + size % (2 << 20), 0);
	host_advised += size;
	return madvise(at, size, advice);
}
#define madvise host_madvise
#endif

#define aligned_alloc host_aligned_alloc
#define calloc host_calloc
#define realloc host_realloc
#include "memory/frames.c"
#include "memory/host.c"
#include "memory/memory.c"
#include "memory/tables.c"
#undef calloc
#undef realloc
#undef mmap
#undef madvise
#undef aligned_alloc

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CHUNK ((uint64_t)CHUNK_FRAMES)
#define REGION_FRAMES (CHUNK << REGION_BITS)
#define TOP (UINT64_C(1) << (PA_BITS - 12)) /* frames of 4K in all physical addresses */
#define TIB (UINT64_C(1) << 40)

/* Memory of 4K pages from ranges of PFNs. */
static inline struct pgtsim_memory *make(const struct pfn_range *range, size_t count)
{
	struct pgtsim_memory *memory = NULL;
	struct pgtsim_ram ram[8] = { 0 };

	assert_true(count <= COUNT(ram));
	for (size_t i = 0; i < count; i++)
		ram[i] = (struct pgtsim_ram){ range[i].start << 12, range[i].end << 12 };
	assert_int_equal(pgtsim_memory_new(&memory, 12, 4096, ram, count), 0);
	return memory;
}

static inline struct pgtsim_memory *make_one(uint64_t start, uint64_t end)
{
	struct pfn_range range = { start, end };

	return make(&range, 1);
}

static inline uint64_t alloc(struct pgtsim_memory *memory, unsigned order)
{
	uint64_t pfn = UINT64_MAX;

	assert_int_equal(pgtsim_memory_alloc(memory, order, &pfn), 0);
	return pfn;
}

static inline long max_rss_kib(void)
{
	struct rusage usage;

	assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
	return usage.ru_maxrss;
}
static inline size_t list_length(const struct pgtsim_table *list)
{
	size_t length = 0;

	for (; list; list = list->next)
		length++;
	return length;
}

static inline void free_list(struct pgtsim_memory *memory, struct pgtsim_table *list)
{
	while (list) {
		struct pgtsim_table *next = list->next;

		pgtsim_memory_free_table(memory, list);
		assert_null(pgtsim_memory_table(memory, list->pa));
		pgtsim_memory_free_table(memory, list); /* is ignored */
		list = next;
	}
}

/* No piece of a pool for entries or caches is in use or reserved. */
static inline void check_pools_whole(const struct pgtsim_memory *memory)
{
	for (unsigned pool = POOL_PTE; pool < POOL_RECORDS; pool++) {
		assert_int_equal(memory->host[pool].spare_count, memory->host[pool].pieces);
		assert_int_equal(memory->host[pool].reserved_count, 0);
	}
}

#endif
