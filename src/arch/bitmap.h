/* SPDX-License-Identifier: MIT */
/*
 * bitmap: a set of small numbers that finds its lowest member in constant time. It is a tree of
 * 64-bit words: first the root, then its 64 children, then theirs. A bit says that the word below it
 * is not zero. Depth n holds numbers below 64^n; the last level may be cut short. All zeros is the
 * empty set. Example of depth 2: {3, 70} is bits 0 and 1 of the root, bit 3 of its first child and
 * bit 6 of its second.
 */
#ifndef PGTSIM_BITMAP_H
#define PGTSIM_BITMAP_H

#include "bits.h"

/* The word that a level starts with; the root is level 0. */
static inline unsigned pgtsim_bitmap_at(unsigned level)
{
	return level < 2 ? level : 65;
}

static inline bool pgtsim_bitmap_test(const uint64_t *tree, unsigned depth, unsigned n)
{
	return tree[pgtsim_bitmap_at(depth - 1) + n / 64] >> n % 64 & 1;
}

/* Returns whether the set was empty before. */
static inline bool pgtsim_bitmap_add(uint64_t *tree, unsigned depth, unsigned n)
{
	while (depth-- > 0) {
		uint64_t *word = &tree[pgtsim_bitmap_at(depth) + n / 64];
		uint64_t old = *word;

		*word = old | UINT64_C(1) << n % 64;
		if (old)
			return false;
		n /= 64;
	}
	return true;
}

/* Returns whether the set is empty now. */
static inline bool pgtsim_bitmap_remove(uint64_t *tree, unsigned depth, unsigned n)
{
	while (depth-- > 0) {
		uint64_t *word = &tree[pgtsim_bitmap_at(depth) + n / 64];

		*word &= ~(UINT64_C(1) << n % 64);
		if (*word)
			return false;
		n /= 64;
	}
	return true;
}

/* The set must not be empty. */
static inline unsigned pgtsim_bitmap_lowest(const uint64_t *tree, unsigned depth)
{
	unsigned n = 0;

	for (unsigned level = 0; level < depth; level++)
		n = n * 64 + pgtsim_lowest_bit(tree[pgtsim_bitmap_at(level) + n]);
	return n;
}

#endif
