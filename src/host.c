/* SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE 1 /* MAP_ANONYMOUS */

#include "host.h"

#include <stdlib.h>
#include <string.h>

#ifdef __linux__
#include <sys/mman.h>
#endif

/* What is taken from the host at once, and cut into pieces. */
struct slab {
	void *at;
	size_t bytes;
};

#ifdef __linux__

enum { SLAB_BYTES = 2 << 20 };

/*
 * Zeros, aligned to transparent huge pages if they are as large. With `huge` these are asked for:
 * the kernel clears 2 MiB at a time, and a table scattered among gigabytes of them costs no miss in
 * the host's TLB.
 */
static void *slab_new(size_t bytes, bool huge)
{
	size_t slack = bytes < SLAB_BYTES ? 0 : SLAB_BYTES, skip;
	unsigned char *at = mmap(NULL, bytes + slack, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return NULL;
	skip = slack ? -(uintptr_t)at % SLAB_BYTES : 0;
	if (skip)
		munmap(at, skip);
	if (slack)
		munmap(at + skip + bytes, slack - skip);
	if (huge)
		madvise(at + skip, bytes, MADV_HUGEPAGE);
	return at + skip;
}

static void slab_free(const struct slab *slab)
{
	munmap(slab->at, slab->bytes);
}

#else

enum { SLAB_BYTES = 64 << 10 }; /* small: it is cleared whole before its first table */

static void *slab_new(size_t bytes, bool huge)
{
	void *slab = aligned_alloc(64, bytes);

	(void)huge;
	return slab ? memset(slab, 0, bytes) : NULL;
}

static void slab_free(const struct slab *slab)
{
	free(slab->at);
}

#endif

/* Room for one slab more and its pieces. */
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
	unsigned char *slab = grow_lists(host, pieces) ? slab_new(bytes, huge) : NULL;

	if (!slab)
		return;
	host->slabs[host->slab_count++] = (struct slab){ slab, bytes };
	host->pieces += pieces;
	for (size_t i = 0; i < pieces; i++)
		pgtsim_host_push(host, pgtsim_piece(slab + i * host->piece, false));
}

/* What a small need gets at once: as much as the pool has, within bounds. */
static size_t next_slab(const struct host *host)
{
	size_t bytes = host->pieces * host->piece;

	if (bytes < host->least)
		bytes = host->least;
	if (bytes > SLAB_BYTES)
		bytes = SLAB_BYTES;
	return bytes < host->piece ? host->piece : bytes;
}

void pgtsim_host_grow(struct host *host, uint64_t count)
{
	enum { MOST = 16 }; /* slabs made as one */
	uint64_t slabs = count * host->piece / SLAB_BYTES;

	if (slabs > MOST)
		slabs = MOST;
	if (slabs)
		add_slab(host, (size_t)slabs * SLAB_BYTES, true);
	else
		add_slab(host, next_slab(host), host->pieces * host->piece >= host->many);
}

void pgtsim_host_free(struct host *host)
{
	for (size_t i = 0; i < host->slab_count; i++)
		slab_free(&host->slabs[i]);
	free(host->slabs);
	free(host->spare);
}
