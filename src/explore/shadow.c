/* SPDX-License-Identifier: MIT */
/*
 * Shadows of the table pages: for each page, which actors read and wrote which entry at which step,
 * and whether the table has been freed. During a run freed tables are kept, so that an access of one
 * can be reported instead of being one.
 */
#include "events/events.h"
#include "memory/lookup.h"
#include "pgtable/access.h"
#include "explore.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { UNLINKED = PGTSIM_PTE + 1 }; /* the level of a table that nothing points to yet */

/* Words in a cell: see pgtsim_shadow_cell(). */
static size_t cell_words(const struct pgtsim_exploring *x)
{
	return CELL_READ + x->actor_count;
}

/* ---- finding the shadow of an entry ---- */

/* The number of tables that begin at this address or below it. */
static size_t rank(const struct pgtsim_exploring *x, const uint64_t *entry)
{
	size_t low = 0, high = x->shadow_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if ((uintptr_t)x->sorted[middle]->entries <= (uintptr_t)entry)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool holds(const struct pgtsim_exploring *x, const struct pgtsim_shadow *table,
		  const uint64_t *entry)
{
	return table && (uintptr_t)entry - (uintptr_t)table->entries < x->entries * sizeof(*entry);
}

struct pgtsim_shadow *pgtsim_shadow_find(struct pgtsim_exploring *x, const uint64_t *entry)
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

/* ---- tables come and go ---- */

static bool make_room(struct pgtsim_exploring *x)
{
	size_t room = x->shadow_room ? 2 * x->shadow_room : 64;
	struct pgtsim_shadow **shadows, **sorted;

	if (x->shadow_count < x->shadow_room)
		return true;
	shadows = realloc(x->shadows, room * sizeof(*shadows));
	if (!shadows)
		return false;
	x->shadows = shadows;
	sorted = realloc(x->sorted, room * sizeof(*sorted));
	if (!sorted)
		return false;
	x->sorted = sorted;
	memset(&shadows[x->shadow_room], 0, (room - x->shadow_room) * sizeof(*shadows));
	x->shadow_room = room;
	return true;
}

/*
 * Adds the shadow of a table. A lazy table is written out first, because actors' accesses are seen
 * by the address of the entry. A slot that an earlier run has used keeps its memory for cells.
 */
static bool add_shadow(struct pgtsim_exploring *x, struct pgtsim_table *table, uint64_t va)
{
	struct pgtsim_shadow **slot, old;
	size_t at;

	pgtsim_table_materialize(table);
	if (!make_room(x))
		return false;
	slot = &x->shadows[x->shadow_count];
	if (!*slot)
		*slot = calloc(1, sizeof(**slot));
	if (!*slot)
		return false;
	old = **slot;
	**slot = (struct pgtsim_shadow){
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
		(x->shadow_count - at) * sizeof(struct pgtsim_shadow *));
	x->sorted[at] = *slot;
	x->shadow_count++;
	return true;
}

static int add_child_shadow(struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
			    struct pgtsim_table *child, void *arg)
{
	struct pgtsim_exploring *x = arg;

	return add_shadow(x, child, pgtsim_entry_base(&pgt->geo, run->level, run->va)) ? 0 :
											 -ENOBUFS;
}

static void add_new_shadow(struct pgtsim_exploring *x, struct pgtsim_table *table)
{
	if (add_shadow(x, table, 0))
		x->shadows[x->shadow_count - 1]->level = UNLINKED;
	else
		x->error = -ENOBUFS;
}

/* Table allocator of the run: takes tables from the machine's own and adds their shadows. */
static uint64_t shadow_alloc(void *ctx, uint64_t count, struct pgtsim_table ***tail)
{
	struct pgtsim_exploring *x = ctx;
	struct pgtsim_table **list = *tail;
	unsigned order = pgtsim_pgtable_state(&x->machine->pgt)->order;
	uint64_t got =
		order && x->ops.alloc == pgtsim_memory_alloc_op ?
			pgtsim_memory_alloc_written_table(x->ops.ctx, order, tail) :
			x->ops.alloc(x->ops.ctx, count, tail);

	for (uint64_t i = 0; i < got; i++, list = &(*list)->next)
		add_new_shadow(x, *list);
	return got;
}

/* Frees nothing before the run ends, so that an access after the free is found. */
static void shadow_free(void *ctx, struct pgtsim_table *table)
{
	struct pgtsim_exploring *x = ctx;
	struct pgtsim_shadow *shadow = pgtsim_shadow_find(x, table->entries);

	if (!shadow) {
		x->ops.free(x->ops.ctx, table);
		return;
	}
	if (!x->draining)
		pgtsim_take_step(x,
				 &(struct pgtsim_next){ .op = PGTSIM_STEP_FREE, .table = shadow });
	shadow->gone = true;
}

static struct pgtsim_table *shadow_find_table(const void *ctx, uint64_t pa)
{
	const struct pgtsim_exploring *x = ctx;

	return x->ops.find(x->ops.ctx, pa);
}

int pgtsim_shadow_start(struct pgtsim_exploring *x)
{
	static const struct pgtsim_visitor visitor = { .table = add_child_shadow };
	struct pgtsim_pgtable *pgt = &x->machine->pgt;
	uint64_t start = pgtsim_va_start(&pgt->geo);
	int ret;

	x->ops = pgt->ops;
	x->shadow_count = 0;
	x->recent = x->stored = NULL;
	x->run++;
	x->entries = 0;
	for (int level = pgtsim_root_level(&pgt->geo); level <= PGTSIM_PTE; level++)
		if (pgtsim_entries(&pgt->geo, level) > x->entries)
			x->entries = pgtsim_entries(&pgt->geo, level);
	if (!add_shadow(x, pgt->root, start))
		return -ENOBUFS;
	ret = pgtsim_walk(pgt, start, pgtsim_va_last(&pgt->geo), &visitor, x);
	pgt->ops = (struct pgtsim_table_ops){ shadow_alloc, shadow_free, shadow_find_table, x };
	return ret;
}

void pgtsim_shadow_end(struct pgtsim_exploring *x)
{
	bool freeing = pgtsim_freeing_begin(&x->machine->tlb);

	x->machine->pgt.ops = x->ops;
	for (size_t i = 0; i < x->shadow_count; i++)
		if (x->shadows[i]->gone)
			x->ops.free(x->ops.ctx, x->shadows[i]->table);
	pgtsim_freeing_end(&x->machine->tlb, freeing);
}

void pgtsim_shadow_fini(struct pgtsim_exploring *x)
{
	for (size_t i = 0; i < x->shadow_room && x->shadows[i]; i++) {
		free(x->shadows[i]->cells);
		free(x->shadows[i]->shared);
		free(x->shadows[i]);
	}
	free(x->shadows);
	free(x->sorted);
	free(x->met);
}

/* ---- what actors do to entries ---- */

/* Clears the cells of a table at its first access in a run; allocates them if need be. */
static uint32_t *fresh_cells(struct pgtsim_exploring *x, struct pgtsim_shadow *table)
{
	size_t count = table->count ? table->count : x->entries;
	size_t bytes = count * cell_words(x) * sizeof(*table->cells);

	if (!table->cells)
		table->cells = malloc(bytes);
	if (!table->cells)
		return NULL;
	memset(table->cells, 0, bytes);
	table->run = x->run;
	return table->cells;
}

bool pgtsim_shadow_widen(struct pgtsim_exploring *x, struct pgtsim_shadow *table, unsigned count)
{
	size_t words = cell_words(x);
	uint32_t *cells = table->cells;

	if (cells) {
		cells = realloc(cells, count * words * sizeof(*cells));
		if (!cells)
			return false;
		memset(&cells[table->count * words], 0,
		       (count - table->count) * words * sizeof(*cells));
	}
	table->cells = cells;
	table->count = count;
	return true;
}

uint32_t *pgtsim_shadow_cell(struct pgtsim_exploring *x, struct pgtsim_shadow *table,
			     unsigned index)
{
	if (table->run != x->run && !fresh_cells(x, table))
		return NULL;
	return &table->cells[index * cell_words(x)];
}

/*
 * Reports a lost mapping if a link replaced another table: whatever that table mapped is
 * unreachable.
 */
static void report_replaced(struct pgtsim_exploring *x, const struct pgtsim_shadow *parent,
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

void pgtsim_shadow_check_store(struct pgtsim_exploring *x)
{
	const struct pgtsim_geometry *geo = &x->machine->geo;
	const struct pgtsim_shadow *parent = x->stored;
	struct pgtsim_table *child;
	struct pgtsim_shadow *shadow;
	uint64_t desc, va;

	x->stored = NULL;
	if (!parent)
		return;
	desc = parent->entries[x->stored_index];
	va = parent->va + x->stored_index * pgtsim_entry_size(geo, parent->level);
	if (!pgtsim_desc_is_table(parent->level, desc))
		return;
	report_replaced(x, parent, va, desc);
	child = x->ops.find(x->ops.ctx, pgtsim_desc_address(geo, parent->level, desc));
	shadow = child ? pgtsim_shadow_find(x, child->entries) : NULL;
	if (!shadow)
		return;
	shadow->level = child->level;
	shadow->va = va;
}

/*
 * True if several actors accessed the entry and at least one of them wrote it. `who` is CELL_WHO.
 */
static bool is_shared(uint32_t who)
{
	uint32_t readers = who & 0xff, writers = who >> 8 & 0xff, all = readers | writers;

	return writers && (all & (all - 1));
}

void pgtsim_shadow_mark_step(struct pgtsim_exploring *x, uint32_t step)
{
	size_t room = x->met_room ? x->met_room : 1024;
	unsigned char *grown;

	while (room <= step)
		room *= 2;
	if (room > x->met_room) {
		grown = realloc(x->met, room);
		if (!grown) {
			x->error = -ENOBUFS;
			return;
		}
		memset(grown + x->met_room, 0, room - x->met_room);
		x->met = grown;
		x->met_room = room;
	}
	x->met[step] = 1;
}

int pgtsim_shadow_mark_shared(struct pgtsim_exploring *x)
{
	for (size_t i = 0; i < x->shadow_count; i++) {
		struct pgtsim_shadow *table = x->shadows[i];

		free(table->shared);
		table->shared = calloc(x->entries, 1);
		if (!table->shared)
			return -ENOBUFS;
		table->met = table->users & (table->users - 1);
		for (unsigned e = 0; table->run == x->run && e < x->entries; e++)
			table->shared[e] = is_shared(pgtsim_shadow_cell(x, table, e)[CELL_WHO]);
	}
	return 0;
}
