/* SPDX-License-Identifier: MIT */
#include "directory.h"
#include "exploring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { UNLINKED = PGTSIM_PTE + 1 }; /* the level of a table that nothing points to yet */

static size_t cell_words(const struct pgtsim_exploring *x)
{
	return CELL_READ + x->actor_count;
}

/* ---- by address ---- */

/* How many of the sorted tables begin at this entry or below. */
static size_t rank(const struct pgtsim_exploring *x, const uint64_t *entry)
{
	size_t low = 0, high = x->watched_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if ((uintptr_t)x->sorted[middle]->entries <= (uintptr_t)entry)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool holds(const struct pgtsim_exploring *x, const struct pgtsim_watched *table,
		  const uint64_t *entry)
{
	return table && (uintptr_t)entry - (uintptr_t)table->entries < x->entries * sizeof(*entry);
}

struct pgtsim_watched *pgtsim_watch_find(struct pgtsim_exploring *x, const uint64_t *entry)
{
	size_t at;

	if (holds(x, x->recent, entry))
		return x->recent;
	at = rank(x, entry);
	if (!at || !holds(x, x->sorted[at - 1], entry))
		return NULL;
	x->recent = x->sorted[at - 1];
	return x->recent;
}

/* ---- coming and going ---- */

static bool make_room(struct pgtsim_exploring *x)
{
	size_t room = x->watched_room ? 2 * x->watched_room : 64;
	struct pgtsim_watched **watched, **sorted;

	if (x->watched_count < x->watched_room)
		return true;
	watched = realloc(x->watched, room * sizeof(*watched));
	if (!watched)
		return false;
	x->watched = watched;
	sorted = realloc(x->sorted, room * sizeof(*sorted));
	if (!sorted)
		return false;
	x->sorted = sorted;
	memset(&watched[x->watched_room], 0, (room - x->watched_room) * sizeof(*watched));
	x->watched_room = room;
	return true;
}

/*
 * Takes a table under watch, its entries written; all that is known of one that is not linked yet
 * is where it is.
 */
static bool watch(struct pgtsim_exploring *x, struct pgtsim_table *table, uint64_t va)
{
	struct pgtsim_watched **slot, old;
	size_t at;

	pgtsim_table_write_out(table);
	if (!make_room(x))
		return false;
	slot = &x->watched[x->watched_count];
	if (!*slot)
		*slot = calloc(1, sizeof(**slot));
	if (!*slot)
		return false;
	old = **slot;
	**slot = (struct pgtsim_watched){
		.table = table,
		.entries = table->entries,
		.va = va,
		.level = table->level,
		.run = old.run,
		.cells = old.cells,
		.shared = old.shared,
		.met = old.met,
	};
	at = rank(x, table->entries);
	memmove(&x->sorted[at + 1], &x->sorted[at],
		(x->watched_count - at) * sizeof(struct pgtsim_watched *));
	x->sorted[at] = *slot;
	x->watched_count++;
	return true;
}

static int watch_child(struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
		       struct pgtsim_table *child, void *arg)
{
	struct pgtsim_exploring *x = arg;

	return watch(x, child, pgtsim_entry_base(&pgt->geo, run->level, run->va)) ? 0 : -ENOMEM;
}

/* The machine's own allocator, and what it hands out under watch. */
static uint64_t watched_alloc(void *ctx, uint64_t count, struct pgtsim_table ***tail)
{
	struct pgtsim_exploring *x = ctx;
	struct pgtsim_table **list = *tail;
	uint64_t got = x->ops.alloc(x->ops.ctx, count, tail);

	for (uint64_t i = 0; i < got; i++, list = &(*list)->next) {
		if (watch(x, *list, 0))
			x->watched[x->watched_count - 1]->level = UNLINKED;
		else
			x->error = -ENOMEM;
	}
	return got;
}

/* Keeps a table aside, so that whoever still uses it is found. */
static void watched_free(void *ctx, struct pgtsim_table *table)
{
	struct pgtsim_exploring *x = ctx;
	struct pgtsim_watched *watched = pgtsim_watch_find(x, table->entries);

	if (!watched) {
		x->ops.free(x->ops.ctx, table);
		return;
	}
	if (!x->draining)
		pgtsim_take_step(x, &(struct pgtsim_next){ PGTSIM_STEP_FREE, watched, 0, 0 });
	watched->gone = true;
}

static struct pgtsim_table *watched_find(const void *ctx, uint64_t pa)
{
	const struct pgtsim_exploring *x = ctx;

	return x->ops.find(x->ops.ctx, pa);
}

int pgtsim_watch_start(struct pgtsim_exploring *x)
{
	static const struct pgtsim_visitor visitor = { .table = watch_child };
	struct pgtsim_pgtable *pgt = &x->machine->pgt;
	uint64_t start = pgtsim_va_start(&pgt->geo);
	int ret;

	x->ops = pgt->ops;
	x->watched_count = 0;
	x->recent = x->stored = NULL;
	x->run++;
	x->entries = 0;
	for (int level = pgtsim_root_level(&pgt->geo); level <= PGTSIM_PTE; level++)
		if (pgtsim_entries(&pgt->geo, level) > x->entries)
			x->entries = pgtsim_entries(&pgt->geo, level);
	if (!watch(x, pgt->root, start))
		return -ENOMEM;
	ret = pgtsim_walk(pgt, start, UINT64_MAX, &visitor, x);
	pgt->ops = (struct pgtsim_table_ops){ watched_alloc, watched_free, watched_find, x };
	return ret;
}

void pgtsim_watch_end(struct pgtsim_exploring *x)
{
	x->machine->pgt.ops = x->ops;
	for (size_t i = 0; i < x->watched_count; i++)
		if (x->watched[i]->gone)
			x->ops.free(x->ops.ctx, x->watched[i]->table);
}

void pgtsim_watch_fini(struct pgtsim_exploring *x)
{
	for (size_t i = 0; i < x->watched_room && x->watched[i]; i++) {
		free(x->watched[i]->cells);
		free(x->watched[i]->shared);
		free(x->watched[i]);
	}
	free(x->watched);
	free(x->sorted);
}

/* ---- what happens to entries ---- */

static uint32_t *fresh_cells(struct pgtsim_exploring *x, struct pgtsim_watched *table)
{
	size_t bytes = x->entries * cell_words(x) * sizeof(*table->cells);

	if (!table->cells)
		table->cells = malloc(bytes);
	if (!table->cells)
		return NULL;
	memset(table->cells, 0, bytes);
	table->run = x->run;
	return table->cells;
}

uint32_t *pgtsim_watch_cell(struct pgtsim_exploring *x, struct pgtsim_watched *table,
			    unsigned index)
{
	if (table->run != x->run && !fresh_cells(x, table))
		return NULL;
	return &table->cells[index * cell_words(x)];
}

/* A table that takes the place of another one takes along what that one mapped. */
static void check_replaced(struct pgtsim_exploring *x, const struct pgtsim_watched *parent,
			   uint64_t va, uint64_t desc)
{
	const struct pgtsim_actor_spec *actors = x->config->actors;

	if (!pgtsim_desc_is_table(parent->level, x->stored_over) || x->stored_over == desc)
		return;
	pgtsim_tlb_violation(&x->machine->tlb, PGTSIM_V_MAPPING_LOST, va, parent->level,
			     "%s links a table in place of the one that %s linked",
			     actors[x->stored_by].name,
			     x->stored_after < 0 ? "the setup" : actors[x->stored_after].name);
}

void pgtsim_watch_stored(struct pgtsim_exploring *x)
{
	const struct pgtsim_geometry *geo = &x->machine->geo;
	const struct pgtsim_watched *parent = x->stored;
	struct pgtsim_table *child;
	struct pgtsim_watched *watched;
	uint64_t desc, va;

	x->stored = NULL;
	if (!parent)
		return;
	desc = parent->entries[x->stored_index];
	va = parent->va + x->stored_index * pgtsim_entry_size(geo, parent->level);
	if (!pgtsim_desc_is_table(parent->level, desc))
		return;
	check_replaced(x, parent, va, desc);
	child = x->ops.find(x->ops.ctx, pgtsim_desc_address(geo, parent->level, desc));
	watched = child ? pgtsim_watch_find(x, child->entries) : NULL;
	if (!watched)
		return;
	watched->level = child->level;
	watched->va = va;
}

/* Several actors accessed the entry, and one wrote. */
static bool meets(uint32_t who)
{
	uint32_t readers = who & 0xff, writers = who >> 8 & 0xff, all = readers | writers;

	return writers && (all & (all - 1));
}

int pgtsim_watch_share(struct pgtsim_exploring *x)
{
	for (size_t i = 0; i < x->watched_count; i++) {
		struct pgtsim_watched *table = x->watched[i];

		free(table->shared);
		table->shared = calloc(x->entries, 1);
		if (!table->shared)
			return -ENOMEM;
		table->met = table->users & (table->users - 1);
		for (unsigned e = 0; table->run == x->run && e < x->entries; e++)
			table->shared[e] = meets(pgtsim_watch_cell(x, table, e)[CELL_WHO]);
	}
	return 0;
}
