/* SPDX-License-Identifier: MIT */
#include "tree.h"

#include <errno.h>
#include <stdlib.h>

enum {
	EXACT_MAX = 256, /* with at most so many tables, all their entries are compared */
	ROWS_MAX = 48,
};

/* ---- what is stale ---- */

struct collecting {
	struct tree *tree;
	size_t room;
	bool lost;
};

static bool follows(const struct tree *tree, const struct pgtsim_stale_run *a,
		    const struct pgtsim_stale_run *b)
{
	uint64_t bytes = a->count * pgtsim_entry_size(&tree->machine->geo, a->level);

	return b->level == a->level && b->walk == a->walk && b->va == a->va + bytes &&
	       b->desc == a->desc + bytes;
}

/* Joins a run to the last one if it ends where that begins. Most runs come in descending order. */
static bool joins(struct tree *tree, const struct pgtsim_stale_run *run)
{
	struct pgtsim_stale_run *last;

	if (!tree->stale_count)
		return false;
	last = &tree->stale[tree->stale_count - 1];
	if (!follows(tree, run, last))
		return false;
	last->va = run->va;
	last->desc = run->desc;
	last->count += run->count;
	return true;
}

static void collect(void *ctx, const struct pgtsim_stale_run *run)
{
	struct collecting *c = ctx;
	struct tree *tree = c->tree;

	if (joins(tree, run))
		return;
	if (tree->stale_count == c->room) {
		size_t room = c->room ? 2 * c->room : 64;
		void *grown = realloc(tree->stale, room * sizeof(*tree->stale));

		if (!grown) {
			c->lost = true;
			return;
		}
		tree->stale = grown;
		c->room = room;
	}
	tree->stale[tree->stale_count++] = *run;
}

static int by_level_and_address(const void *left, const void *right)
{
	const struct pgtsim_stale_run *a = left, *b = right;

	if (a->level != b->level)
		return a->level < b->level ? -1 : 1;
	return a->va < b->va ? -1 : a->va > b->va;
}

static void merge(struct tree *tree)
{
	size_t kept = 0;

	for (size_t i = 1; i < tree->stale_count; i++)
		if (follows(tree, &tree->stale[kept], &tree->stale[i]))
			tree->stale[kept].count += tree->stale[i].count;
		else
			tree->stale[++kept] = tree->stale[i];
	if (tree->stale_count)
		tree->stale_count = kept + 1;
}

int tree_init(struct tree *tree, struct pgtsim_machine *machine)
{
	const struct pgtsim_counts *counts = &machine->tlb.counts;
	struct collecting c = { .tree = tree };

	*tree = (struct tree){ .machine = machine, .rows_max = ROWS_MAX };
	tree->exact = counts->tables_pte + counts->tables_pmd <= EXACT_MAX ||
		      pgtsim_is_poked(&machine->pgt);
	tree->oa = pgtsim_desc_oa(&machine->geo, ((UINT64_C(1) << machine->geo.pa_bits) - 1) &
							 ~(pgtsim_page_size(&machine->geo) - 1));
	pgtsim_stale_visit(&machine->tlb, collect, &c);
	if (c.lost) {
		tree_fini(tree);
		return -ENOMEM;
	}
	if (tree->stale_count)
		qsort(tree->stale, tree->stale_count, sizeof(*tree->stale), by_level_and_address);
	merge(tree);
	return 0;
}

uint64_t tree_take_ahead(struct tree *tree, const struct pgtsim_event *event)
{
	const struct pgtsim_geometry *geo = &tree->machine->geo;
	uint64_t size, group, next, end, ahead = 0;
	size_t kept = 0;

	if (!event || event->op != PGTSIM_OP_MAP || !(event->new_desc & PGTSIM_DESC_CONT))
		return 0;
	size = pgtsim_entry_size(geo, event->level);
	group = size * pgtsim_cont_entries(geo, event->level);
	next = event->va + event->count * size;
	end = (next - 1) / group * group + group;
	for (size_t i = 0; i < tree->stale_count; i++) {
		const struct pgtsim_stale_run *run = &tree->stale[i];
		bool follows = !run->walk && run->level == event->level && run->va >= next &&
			       run->va + (run->count - 1) * size <= end - size &&
			       run->desc - event->new_desc == run->va - event->va;

		if (follows)
			ahead += run->count;
		else
			tree->stale[kept++] = *run;
	}
	tree->stale_count = kept;
	return ahead;
}

void tree_fini(struct tree *tree)
{
	free(tree->stale);
	tree->stale = NULL;
	tree->stale_count = 0;
}

/* Returns the index of the first stale run of a level that ends above va. */
static size_t stale_from(const struct tree *tree, int level, uint64_t va)
{
	uint64_t size = pgtsim_entry_size(&tree->machine->geo, level);
	size_t low = 0, high = tree->stale_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct pgtsim_stale_run *run = &tree->stale[middle];

		if (run->level < level ||
		    (run->level == level && run->va + (run->count * size - 1) < va))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct tree_part tree_stale(const struct tree *tree, const struct tree_row *row, unsigned index)
{
	uint64_t size = pgtsim_entry_size(&tree->machine->geo, row->level);
	size_t i = index < row->entries ? stale_from(tree, row->level, row->va + index * size) :
					  tree->stale_count;
	const struct pgtsim_stale_run *run = &tree->stale[i];
	struct tree_part part = { .index = index };
	uint64_t skip, end;

	if (i == tree->stale_count || run->level != row->level ||
	    (run->va > row->va && (run->va - row->va) / size >= row->entries))
		return part;
	if (run->va > row->va + index * size)
		part.index = (unsigned)((run->va - row->va) / size);
	skip = (row->va + part.index * size - run->va) / size;
	end = part.index + (run->count - skip);
	part.count = (unsigned)(end < row->entries ? end : row->entries) - part.index;
	part.kind =
		run->walk ? PGTSIM_TABLE : (row->level == PGTSIM_PTE ? PGTSIM_PAGE : PGTSIM_BLOCK);
	part.desc = run->desc + skip * size;
	return part;
}

static uint64_t stale_in(const struct tree *tree, const struct tree_row *row)
{
	struct tree_part part = { 0 };
	uint64_t count = 0;

	while (tree->stale_count) {
		part = tree_stale(tree, row, part.index + part.count);
		if (part.kind == PGTSIM_NONE)
			break;
		count += part.count;
	}
	return count;
}

/* ---- parts ---- */

static uint64_t entry(const struct tree *tree, const struct pgtsim_table *table, unsigned index)
{
	return pgtsim_entry(&tree->machine->pgt, table, index);
}

struct tree_part tree_part(const struct tree *tree, const struct tree_row *row, unsigned index)
{
	struct tree_part part = { .index = index };
	uint64_t attrs, desc;

	if (index >= row->entries)
		return part;
	part.desc = entry(tree, row->table, index);
	part.kind = pgtsim_desc_kind(row->level, part.desc);
	attrs = part.desc & ~tree->oa;
	do {
		part.count++;
		if (index + part.count == row->entries)
			break;
		desc = entry(tree, row->table, index + part.count);
	} while ((desc & ~tree->oa) == attrs && !desc == !part.desc);
	return part;
}

/* ---- rows ---- */

struct rows {
	const struct tree *tree;
	void (*see)(void *ctx, const struct tree_row *row);
	void *ctx;
	unsigned count;
	struct tree_row left_out;
};

static struct tree_row row_of(const struct tree *tree, const struct pgtsim_table *table, int level,
			      unsigned depth, uint64_t va)
{
	const struct pgtsim_geometry *geo = &tree->machine->geo;
	struct tree_row row = {
		.table = table,
		.depth = depth,
		.level = level,
		.va = va,
		.tables = 1,
		.entries = pgtsim_entries(geo, level),
	};

	row.span = row.entries * pgtsim_entry_size(geo, level);
	row.stale = stale_in(tree, &row);
	return row;
}

/* Makes a row of the table that an entry points to. Its `table` is NULL if the entry is none. */
static struct tree_row child_of(const struct tree *tree, const struct tree_row *row, unsigned index)
{
	const struct pgtsim_geometry *geo = &tree->machine->geo;
	uint64_t desc = entry(tree, row->table, index);
	struct tree_row none = { 0 };
	const struct pgtsim_table *table = NULL;

	if (pgtsim_desc_is_table(row->level, desc))
		table = pgtsim_memory_table(tree->machine->memory,
					    pgtsim_desc_address(geo, row->level, desc));
	if (!table)
		return none;
	return row_of(tree, table, row->level + 1, row->depth + 1,
		      row->va + index * pgtsim_entry_size(geo, row->level));
}

static bool alike(const struct tree *tree, const struct tree_row *a, const struct tree_row *b);

static bool parts_alike(const struct tree *tree, const struct tree_row *a, const struct tree_row *b)
{
	struct tree_part p = tree_part(tree, a, 0), q = tree_part(tree, b, 0);

	while (p.count && p.index == q.index && p.count == q.count &&
	       !((p.desc ^ q.desc) & ~tree->oa) && !p.desc == !q.desc) {
		for (unsigned i = p.index; p.kind == PGTSIM_TABLE && i < p.index + p.count; i++) {
			struct tree_row below_a = child_of(tree, a, i);
			struct tree_row below_b = child_of(tree, b, i);

			if (!alike(tree, &below_a, &below_b))
				return false;
		}
		p = tree_part(tree, a, p.index + p.count);
		q = tree_part(tree, b, q.index + q.count);
	}
	return !p.count && !q.count;
}

/* True if two tables of one level look the same, including the tables below them. */
static bool alike(const struct tree *tree, const struct tree_row *a, const struct tree_row *b)
{
	if (!a->table || !b->table)
		return a->table == b->table;
	if (a->table->live != b->table->live || a->stale != b->stale)
		return false;
	if (a->level == PGTSIM_PTE && !tree->exact)
		return !((entry(tree, a->table, 0) ^ entry(tree, b->table, 0)) & ~tree->oa);
	return parts_alike(tree, a, b);
}

static bool has_focus(const struct tree *tree, const struct tree_row *row)
{
	for (size_t i = 0; i < tree->focus_count; i++)
		if (!row->span || tree->focus[i] - row->va < row->span)
			return true;
	return false;
}

static void show(struct rows *rows, const struct tree_row *row)
{
	if (rows->count++ < rows->tree->rows_max) {
		rows->see(rows->ctx, row);
		return;
	}
	if (!rows->left_out.tables)
		rows->left_out = (struct tree_row){ .depth = row->depth, .level = row->level };
	rows->left_out.tables += row->tables;
}

static void show_below(struct rows *rows, const struct tree_row *row);

static void show_fold(struct rows *rows, struct tree_row *fold)
{
	if (!fold->tables)
		return;
	show(rows, fold);
	show_below(rows, fold);
	fold->tables = 0;
}

/*
 * Counts a child in `fold` if it looks like the children right before it. Otherwise the folded ones
 * are shown as one row, and the child begins the next one.
 */
static void fold_child(struct rows *rows, struct tree_row *fold, const struct tree_row *child)
{
	bool alone = has_focus(rows->tree, child);

	if (fold->tables && !alone && alike(rows->tree, fold, child)) {
		fold->tables++;
		return;
	}
	show_fold(rows, fold);
	*fold = *child;
	if (alone)
		show_fold(rows, fold);
}

static void show_below(struct rows *rows, const struct tree_row *row)
{
	struct tree_row fold = { 0 };

	if (row->level == PGTSIM_PTE)
		return;
	for (unsigned i = 0; i < row->entries; i++) {
		struct tree_row child = child_of(rows->tree, row, i);

		if (child.table)
			fold_child(rows, &fold, &child);
		else
			show_fold(rows, &fold);
	}
	show_fold(rows, &fold);
}

void tree_rows(const struct tree *tree, void (*see)(void *ctx, const struct tree_row *row),
	       void *ctx)
{
	const struct pgtsim_geometry *geo = &tree->machine->geo;
	struct rows rows = { .tree = tree, .see = see, .ctx = ctx };
	int level = pgtsim_root_level(geo);
	uint64_t span = pgtsim_entries(geo, level) * pgtsim_entry_size(geo, level);
	uint64_t start = geo->from_zero ? 0 : 0 - span;
	struct tree_row root = row_of(tree, tree->machine->pgt.root, level, 0, start);

	show(&rows, &root);
	show_below(&rows, &root);
	if (rows.left_out.tables)
		see(ctx, &rows.left_out);
}

/* Pass 2 frees a table only if all that it translates is in [floor, ceiling). It keeps the root. */
int tree_kept(const struct tree_row *row, const struct tree_pass *pass)
{
	uint64_t last = row->va + (row->span - 1);

	if (!pass->under_way || !row->depth || !row->table || row->table->live || last < pass->va ||
	    row->va > pass->last)
		return 0;
	if (row->va < pass->floor)
		return -1;
	return pass->ceiling && last > pass->ceiling - 1;
}
