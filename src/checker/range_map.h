/* SPDX-License-Identifier: MIT */
/*
 * range_map: ranges of addresses that may overlap, and those of them that touch an address range.
 *
 * A treap: a search tree by `start` whose shape is decided by a random number in each node, so
 * that it stays shallow whatever order ranges come in. Each node also keeps the greatest `last` of
 * its subtree: a search skips a subtree that ends before the range it looks for.
 *
 * Nodes are embedded in their owner's struct; the map allocates nothing.
 */
#ifndef PGTSIM_RANGE_MAP_H
#define PGTSIM_RANGE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pgtsim_range {
	struct pgtsim_range *left, *right;
	uint64_t start, last; /* both inclusive: a range may end at 2^64 - 1 */
	uint64_t furthest;    /* the greatest `last` of this subtree */
	uint32_t weight;      /* not less than any below */
	uint32_t number;      /* tells ranges with the same start apart: they come as they were put in */
};

struct pgtsim_range_map {
	struct pgtsim_range *root;
	uint32_t random, inserted;
};

/* pgtsim_ranges_insert() and pgtsim_ranges_remove() of a map with other nodes. */
void pgtsim_ranges_insert_beside(struct pgtsim_range_map *map, struct pgtsim_range *node);
void pgtsim_ranges_remove_beside(struct pgtsim_range_map *map, struct pgtsim_range *node);

/* Puts a node with `start` and `last` set into the map. */
static inline void pgtsim_ranges_insert(struct pgtsim_range_map *map, struct pgtsim_range *node)
{
	node->number = map->inserted++;
	if (map->root) {
		pgtsim_ranges_insert_beside(map, node);
		return;
	}
	node->left = node->right = NULL;
	node->furthest = node->last;
	node->weight = 0;
	map->root = node;
}

/* Takes it out again. */
static inline void pgtsim_ranges_remove(struct pgtsim_range_map *map, struct pgtsim_range *node)
{
	if (map->root == node && !node->left && !node->right)
		map->root = NULL;
	else
		pgtsim_ranges_remove_beside(map, node);
}

/* pgtsim_ranges_resize() of any node. */
void pgtsim_ranges_resize_path(struct pgtsim_range_map *map, struct pgtsim_range *node,
			       uint64_t last);

/* Gives a node another `last`. */
static inline void pgtsim_ranges_resize(struct pgtsim_range_map *map, struct pgtsim_range *node,
					uint64_t last)
{
	if (map->root == node && !node->left && !node->right)
		node->last = node->furthest = last;
	else
		pgtsim_ranges_resize_path(map, node, last);
}

/*
 * Calls see() for each node that overlaps [start, last], in ascending order, until it returns true;
 * see() must not change the map. Returns the node it returned true for, or NULL.
 */
struct pgtsim_range *pgtsim_ranges_find(const struct pgtsim_range_map *map, uint64_t start,
					uint64_t last,
					bool (*see)(struct pgtsim_range *node, void *ctx),
					void *ctx);

#endif
