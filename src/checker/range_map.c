/* SPDX-License-Identifier: MIT */
#include "range_map.h"

/* By start, then by number; numbers wrap, and those that meet are never so far apart. */
static bool comes_before(const struct pgtsim_range *a, const struct pgtsim_range *b)
{
	return a->start != b->start ? a->start < b->start : (int32_t)(a->number - b->number) < 0;
}

static void update(struct pgtsim_range *node)
{
	node->furthest = node->last;
	if (node->left && node->left->furthest > node->furthest)
		node->furthest = node->left->furthest;
	if (node->right && node->right->furthest > node->furthest)
		node->furthest = node->right->furthest;
}

/* Cuts a tree in two: what comes before `at`, and the rest. */
static void split(struct pgtsim_range *tree, const struct pgtsim_range *at,
		  struct pgtsim_range **before, struct pgtsim_range **after)
{
	if (!tree) {
		*before = *after = NULL;
	} else if (comes_before(tree, at)) {
		*before = tree;
		split(tree->right, at, &tree->right, after);
		update(tree);
	} else {
		*after = tree;
		split(tree->left, at, before, &tree->left);
		update(tree);
	}
}

/* Joins two trees; all of `before` comes before all of `after`. */
static struct pgtsim_range *join(struct pgtsim_range *before, struct pgtsim_range *after)
{
	if (!before || !after)
		return before ? before : after;
	if (before->weight >= after->weight) {
		before->right = join(before->right, after);
		update(before);
		return before;
	}
	after->left = join(before, after->left);
	update(after);
	return after;
}

static struct pgtsim_range *insert(struct pgtsim_range *tree, struct pgtsim_range *node)
{
	if (!tree || node->weight > tree->weight) {
		split(tree, node, &node->left, &node->right);
		update(node);
		return node;
	}
	if (comes_before(node, tree))
		tree->left = insert(tree->left, node);
	else
		tree->right = insert(tree->right, node);
	update(tree);
	return tree;
}

void pgtsim_ranges_insert_beside(struct pgtsim_range_map *map, struct pgtsim_range *node)
{
	map->random = map->random * UINT32_C(1664525) + UINT32_C(1013904223);
	node->weight = map->random >> 8;
	map->root = insert(map->root, node);
}

static struct pgtsim_range *take_out(struct pgtsim_range *tree, const struct pgtsim_range *node)
{
	if (tree == node)
		return join(tree->left, tree->right);
	if (comes_before(node, tree))
		tree->left = take_out(tree->left, node);
	else
		tree->right = take_out(tree->right, node);
	update(tree);
	return tree;
}

void pgtsim_ranges_remove_beside(struct pgtsim_range_map *map, struct pgtsim_range *node)
{
	map->root = take_out(map->root, node);
}

static void update_path(struct pgtsim_range *tree, const struct pgtsim_range *node)
{
	if (tree != node)
		update_path(comes_before(node, tree) ? tree->left : tree->right, node);
	update(tree);
}

void pgtsim_ranges_resize_path(struct pgtsim_range_map *map, struct pgtsim_range *node,
			       uint64_t last)
{
	node->last = last;
	update_path(map->root, node);
}

static struct pgtsim_range *find(struct pgtsim_range *tree, uint64_t start, uint64_t last,
				 bool (*see)(struct pgtsim_range *, void *), void *ctx)
{
	struct pgtsim_range *found;

	if (!tree || tree->furthest < start)
		return NULL;
	found = find(tree->left, start, last, see, ctx);
	if (found || tree->start > last)
		return found;
	if (tree->last >= start && see(tree, ctx))
		return tree;
	return find(tree->right, start, last, see, ctx);
}

struct pgtsim_range *pgtsim_ranges_find(const struct pgtsim_range_map *map, uint64_t start,
					uint64_t last, bool (*see)(struct pgtsim_range *, void *),
					void *ctx)
{
	return find(map->root, start, last, see, ctx);
}
