/* SPDX-License-Identifier: MIT */
/*
 * host: pools of host memory, in pieces of one size. Pieces lie close together, wherever the frames
 * of their tables are. The piece given back last is used first. Memory taken from the host stays in
 * the pool until pgtsim_host_free().
 *
 * A lazy table only reserves a piece. A reserved piece can be taken at any time without fail, but
 * until then it is not touched, so the host need not back it with memory.
 */
#ifndef PGTSIM_HOST_H
#define PGTSIM_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slab;

/* A pool. At first only the three sizes are set, in bytes. */
struct host {
	size_t piece; /* a multiple of 64; pieces are aligned to 64, and to their size if a power of two */
	size_t few;  /* it grows in small steps until it has so much */
	size_t many; /* once it has so much, it takes huge pages for small needs, too */
	struct slab *slabs;
	size_t slab_count;
	uintptr_t
		*spare; /* the free list: pieces that nobody uses; it has room for all there are */
	size_t spare_count, pieces;
	size_t reserved_count; /* how many of the free pieces are reserved */
	bool failed;           /* the host once had no memory for it */
};

/*
 * Takes memory from the host for `count` pieces, as huge pages if they fill any. It may take less,
 * and takes nothing if the host has no memory.
 */
void pgtsim_host_grow(struct host *host, uint64_t count);

/* Gives all memory back to the host, used or not. */
void pgtsim_host_free(struct host *host);

/* How many pieces are neither used nor reserved. */
static inline size_t pgtsim_host_free_pieces(const struct host *host)
{
	return host->spare_count - host->reserved_count;
}

/* How many of `count` pieces are there now. If too few are, grows by `need`, at least count. */
static inline unsigned pgtsim_host_ready(struct host *host, unsigned count, uint64_t need)
{
	if (pgtsim_host_free_pieces(host) < count)
		pgtsim_host_grow(host, need);
	return pgtsim_host_free_pieces(host) < count ? (unsigned)pgtsim_host_free_pieces(host) :
						       count;
}

/* A piece is stored as its address, plus 1 if it is dirty: it may hold something but zeros. */
static inline uintptr_t pgtsim_piece(const void *at, bool dirty)
{
	return (uintptr_t)at | dirty;
}

static inline void *pgtsim_piece_at(uintptr_t piece)
{
	return (void *)(piece & ~(uintptr_t)1);
}

static inline bool pgtsim_piece_is_dirty(uintptr_t piece)
{
	return piece & 1;
}

/* Takes a piece that is there. */
static inline uintptr_t pgtsim_host_pop(struct host *host)
{
	return host->spare[--host->spare_count];
}

/* Gives a piece back. */
static inline void pgtsim_host_push(struct host *host, uintptr_t piece)
{
	host->spare[host->spare_count++] = piece;
}

#endif
