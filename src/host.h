/* SPDX-License-Identifier: MIT */
/*
 * host: pools of host memory for tables, in pieces of one size. Pieces lie close together wherever
 * the frames of their tables are, and the last one given back is the first one used. Memory that
 * was taken from the host stays until pgtsim_host_free(). What is promised and never taken is never
 * touched: the host need not have memory for it.
 */
#ifndef PGTSIM_HOST_H
#define PGTSIM_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slab;

/* A pool. All zeros but for the sizes, in bytes: nothing was taken yet. */
struct host {
	size_t piece; /* a multiple of 64, to which pieces are aligned */
	size_t few;   /* grows in small steps until it has so much */
	size_t many;  /* has huge pages even for a small need once it has so much */
	struct slab *slabs;
	size_t slab_count;
	uintptr_t *spare; /* pieces that nobody uses; room for all there are */
	size_t spare_count, pieces;
	size_t promised; /* of the spare ones: whoever has the promise is sure to get one */
};

/*
 * Takes memory from the host for a need of `count` pieces, huge pages if it fills any. It may be
 * for fewer; where the host has none it is for none.
 */
void pgtsim_host_grow(struct host *host, uint64_t count);

/* Gives all memory back to the host, used or not. */
void pgtsim_host_free(struct host *host);

/* Pieces that are neither used nor promised. */
static inline size_t pgtsim_host_free_pieces(const struct host *host)
{
	return host->spare_count - host->promised;
}

/* How many of `count` pieces are to be had now, where `need`, no less, are soon. */
static inline unsigned pgtsim_host_ready(struct host *host, unsigned count, uint64_t need)
{
	if (pgtsim_host_free_pieces(host) < count)
		pgtsim_host_grow(host, need);
	return pgtsim_host_free_pieces(host) < count ? (unsigned)pgtsim_host_free_pieces(host) :
						       count;
}

/* A piece is known by its address, plus 1 if it may hold anything but zeros. */
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

/* Takes a piece that is ready. */
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
