/* SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE 1 /* MAP_ANONYMOUS */

#include "host.h"

#include <stdlib.h>
#include <string.h>

#ifdef __linux__
#include <sys/mman.h>
#endif

/* Memory that is taken from the host at once and cut into pieces. */
struct slab {
	void *at;
	size_t bytes;
};

enum { SMALL_BYTES = 64 << 10 };

/*
 * Zeros, aligned to `align`. The process mostly has so much already, so a small machine costs no
 * system call.
 */
static void *slab_small(size_t bytes, size_t align)
{
	void *slab = aligned_alloc(align, bytes);

	return slab ? memset(slab, 0, bytes) : NULL;
}

#ifdef __linux__

enum { SLAB_BYTES = 2 << 20 }; /* a transparent huge page */

/*
 * Zeros. With `huge` a large slab is of huge pages. The host's kernel clears them 2 MiB at a time,
 * and tables that are scattered among gigabytes of them cause few misses in the host's TLB.
 */
static void *slab_new(size_t bytes, size_t align, bool huge)
{
	size_t skip;
	unsigned char *at;

	if (bytes < SLAB_BYTES)
		return slab_small(bytes, align);
	at = mmap(NULL, bytes + SLAB_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		  0);
	if (at == MAP_FAILED)
		return NULL;
	skip = -(uintptr_t)at % SLAB_BYTES;
	if (skip)
		munmap(at, skip);
	munmap(at + skip + bytes, SLAB_BYTES - skip);
	if (huge)
		madvise(at + skip, bytes, MADV_HUGEPAGE);
	return at + skip;
}

static void slab_free(const struct slab *slab)
{
	if (slab->bytes < SLAB_BYTES)
		free(slab->at);
	else
		munmap(slab->at, slab->bytes);
}

#else

enum { SLAB_BYTES = 64 << 10 }; /* small, as all of it is cleared before its first use */

static void *slab_new(size_t bytes, size_t align, bool huge)
{
	(void)huge;
	return slab_small(bytes, align);
}

static void slab_free(const struct slab *slab)
{
	free(slab->at);
}

#endif

/* Makes room in the lists for one slab more and its pieces. */
static bool grow_lists(struct host *host, size_t pieces)
{
	struct slab *slabs = realloc(host->slabs, (host->slab_count + 1) * sizeof(*slabs));
	uintptr_t *spare;

	if (!slabs)
		return false;
	host->slabs = slabs;
	spare = realloc(host->spare, (host->pieces + pieces) * sizeof(*spare));
	if (!spare)
		return false;
	host->spare = spare;
	return true;
}

static void add_slab(struct host *host, size_t bytes, bool huge)
{
	size_t pieces = bytes / host->piece;
	size_t align = host->piece & (host->piece - 1) ? 64 : host->piece;
	unsigned char *slab = grow_lists(host, pieces) ? slab_new(bytes, align, huge) : NULL;

	if (!slab) {
		host->failed = true;
		return;
	}
	host->slabs[host->slab_count++] = (struct slab){ slab, bytes };
	host->pieces += pieces;
	for (size_t i = 0; i < pieces; i++)
		pgtsim_host_push(host, pgtsim_piece(slab + i * host->piece, false));
}

void pgtsim_host_grow(struct host *host, uint64_t count)
{
	enum { MOST = 16 }; /* slabs made as one */
	uint64_t slabs = count * host->piece / SLAB_BYTES;
	size_t have = host->pieces * host->piece;
	size_t bytes = have < host->few ? SMALL_BYTES : SLAB_BYTES;

	if (slabs)
		bytes = (size_t)(slabs < MOST ? slabs : MOST) * SLAB_BYTES;
	if (bytes < host->piece)
		bytes = (host->piece + SLAB_BYTES - 1) / SLAB_BYTES * SLAB_BYTES;
	add_slab(host, bytes, slabs || have >= host->many);
}

void pgtsim_host_free(struct host *host)
{
	for (size_t i = 0; i < host->slab_count; i++)
		slab_free(&host->slabs[i]);
	free(host->slabs);
	free(host->spare);
}
