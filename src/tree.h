/* SPDX-License-Identifier: MIT */
/*
 * tree: a set of small numbers whose lowest member is found at once. It is a tree of 64-bit words,
 * the root first, then its 64 children, then theirs; a bit says that the word below it is not zero.
 * One of depth n holds numbers below 64^n; its last level may be cut short. All zeros: empty.
 */
#ifndef PGTSIM_TREE_H
#define PGTSIM_TREE_H

#include "bits.h"

/* Where a level starts, the root's being 0. */
static inline unsigned pgtsim_tree_at(unsigned level)
{
	return level < 2 ? level : 65;
}

static inline bool pgtsim_tree_test(const uint64_t *tree, unsigned depth, unsigned n)
{
	return tree[pgtsim_tree_at(depth - 1) + n / 64] >> n % 64 & 1;
}

/* Returns whether the set was empty before. */
static inline bool pgtsim_tree_add(uint64_t *tree, unsigned depth, unsigned n)
{
	while (depth-- > 0) {
		uint64_t *word = &tree[pgtsim_tree_at(depth) + n / 64];
		uint64_t old = *word;

		*word = old | UINT64_C(1) << n % 64;
		if (old)
			return false;
		n /= 64;
	}
	return true;
}

/* Returns whether the set is empty now. */
static inline bool pgtsim_tree_remove(uint64_t *tree, unsigned depth, unsigned n)
{
	while (depth-- > 0) {
		uint64_t *word = &tree[pgtsim_tree_at(depth) + n / 64];

		*word &= ~(UINT64_C(1) << n % 64);
		if (*word)
			return false;
		n /= 64;
	}
	return true;
}

/* The set must not be empty. */
static inline unsigned pgtsim_tree_lowest(const uint64_t *tree, unsigned depth)
{
	unsigned n = 0;

	for (unsigned level = 0; level < depth; level++)
		n = n * 64 + pgtsim_lowest_bit(tree[pgtsim_tree_at(level) + n]);
	return n;
}

#endif
