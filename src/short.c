/* SPDX-License-Identifier: MIT */
#include "short.h"

#include <errno.h>

#include "links.h"
#include "runs.h"

/* Levels are told by their slot here, as they index arrays: that of a table below one is slot + 1. */
enum { PTE_SLOT = PGTSIM_PTE + 1 };

/* The entries that translate a short range, from the root down as far as tables are noted. */
struct way {
	struct pgtsim_table *table[PGTSIM_MAX_LEVELS];
	unsigned index[PGTSIM_MAX_LEVELS];
};

static inline unsigned root_slot(const struct pgtsim_geometry *geo)
{
	return pgtsim_slot(pgtsim_root_level(geo));
}

static inline unsigned index_at(const struct pgtsim_geometry *geo, unsigned slot, uint64_t va)
{
	return pgtsim_index(geo, (int)slot - 1, va);
}

static inline bool is_short(const struct pgtsim_pgtable *pgt, uint64_t va, uint64_t last)
{
	return !((va ^ last) >> pgt->geo.shift[PTE_SLOT - 1]) && pgt->geo.levels > 1 &&
	       pgtsim_is_plain(pgt) && pgtsim_implies(pgt) && !pgt->poked;
}

/* Returns the slot of the last table on the way. */
static inline unsigned go_down(const struct pgtsim_pgtable *pgt, uint64_t va, struct way *way)
{
	struct pgtsim_table *table = pgt->root;
	unsigned slot = root_slot(&pgt->geo);

	for (;; slot++) {
		unsigned index = index_at(&pgt->geo, slot, va);
		struct pgtsim_table *child;

		way->table[slot] = table;
		way->index[slot] = index;
		if (slot == PTE_SLOT)
			return slot;
		child = pgtsim_table_noted(table, index);
		/* Who frees a table that is linked finds no way there any more. */
		if (!child || child->level != (int)slot)
			return slot;
		table = child;
	}
}

/* pgtsim_runs_live(). */
static inline unsigned count_live(const struct pgtsim_pgtable *pgt,
				  const struct pgtsim_table *table, unsigned index, unsigned count)
{
	return table->told ? pgtsim_told(table, index, count) :
			     pgtsim_access_live(pgt, table, index, count);
}

/* ---- map ---- */

/* pgtsim_tables_reserve(). */
static inline uint64_t reserve(struct pgtsim_pgtable *pgt, uint64_t count,
			       struct pgtsim_table **list)
{
	*list = count == 1 ? pgtsim_memory_take_table(pgt->ops.ctx) : NULL;
	return *list ? 1 : pgtsim_tables_reserve(pgt, count, list);
}

/* pgtsim_table_link() of one that the memory has just handed out. */
static inline void link_table(struct pgtsim_pgtable *pgt, struct pgtsim_table *table, int level,
			      unsigned index, struct pgtsim_table *child,
			      const struct pgtsim_map *map)
{
	struct pgtsim_counts *counts = &pgt->tlb->counts;
	uint64_t desc = pgtsim_table_desc(&pgt->geo, child->pa, map->table_attrs);
	bool sync = pgtsim_sync_after_link(pgt, table);

	pgtsim_record_start(pgt, child, level + 1, map->region);
	if (level + 1 < PGTSIM_PTE)
		pgtsim_table_becomes_upper(pgt->ops.ctx, child);
	child->constructed = pgtsim_constructs(pgt, map->region);
	child->linked = true;
	pgtsim_plain_write(table, index, desc);
	if (pgtsim_is_addressed(&pgt->geo, child))
		pgtsim_table_note(pgt->ops.ctx, table, index, child);
	pgtsim_plain_filled(table, index, 1);
	pgtsim_tlb_count(counts, PGTSIM_OP_TABLE_ALLOC, level + 1, 1,
			 child->constructed ? PGTSIM_EACH_CTOR : 0);
	counts->dsb += (map->region != PGTSIM_REGION_VMEMMAP) + sync;
	counts->isb += sync;
	counts->work_entries++;
	counts->lines_touched++;
}

/* Links all tables that are missing on the way. Returns the last one; NULL: not all were had. */
static struct pgtsim_table *link_tables(struct pgtsim_pgtable *pgt, const struct way *way,
					unsigned slot, const struct pgtsim_map *map)
{
	struct pgtsim_table *table = way->table[slot], *list;
	uint64_t needed = PTE_SLOT - slot, got = reserve(pgt, needed, &list);
	unsigned index = way->index[slot];

	if (got < needed && pgt->policy->map_failure == PGTSIM_ROLLBACK) {
		pgtsim_tables_release(pgt, &list);
		return NULL;
	}
	while (list) {
		struct pgtsim_table *child = list;

		list = child->next;
		link_table(pgt, table, (int)slot - 1, index, child, map);
		table = child;
		index = index_at(&pgt->geo, ++slot, map->va);
	}
	return slot == PTE_SLOT ? table : NULL;
}

int pgtsim_short_map(struct pgtsim_pgtable *pgt, const struct pgtsim_map *map, uint64_t va,
		     uint64_t last)
{
	const struct pgtsim_geometry *geo = &pgt->geo;
	struct pgtsim_counts *counts = &pgt->tlb->counts;
	unsigned index = index_at(geo, PTE_SLOT, va), slot;
	unsigned count = (unsigned)((last - va) >> geo->page_shift) + 1;
	bool is_block = map->blocks && count > geo->last_index[PTE_SLOT];
	bool own_tables = pgt->ops.alloc != pgtsim_memory_alloc_op;
	struct pgtsim_table *table;
	struct way way;
	uint64_t desc;

	if (!is_short(pgt, va, last) || geo->oa != PGTSIM_OA_48 || map->cont || is_block ||
	    own_tables)
		return PGTSIM_NOT_SHORT;
	slot = go_down(pgt, va, &way);
	table = way.table[slot];
	if (slot == PTE_SLOT ? count_live(pgt, table, index, count) :
			       pgtsim_access_plain(table, way.index[slot]))
		return PGTSIM_NOT_SHORT;
	if (slot < PTE_SLOT)
		table = link_tables(pgt, &way, slot, map);
	if (!table)
		return -ENOMEM;
	desc = pgtsim_leaf(geo, PGTSIM_PTE, map->pa, map->attrs);
	pgtsim_access_fill(pgt, table, index, count, desc);
	pgtsim_tlb_count(counts, PGTSIM_OP_MAP, PGTSIM_PTE, count,
			 pgtsim_deferred_barriers(pgt) ? 0 : PGTSIM_EACH_SYNC);
	counts->lines_touched += pgtsim_lines(index, count);
	counts->work_entries += geo->levels + count;
	return 0;
}

/* ---- unmap: pass 1 ---- */

/* What pgtsim_unmap_range() does to a run of the last level. */
static inline void clear(struct pgtsim_pgtable *pgt, struct pgtsim_table *table, unsigned index,
			 unsigned count)
{
	struct pgtsim_counts *counts = &pgt->tlb->counts;
	unsigned live = count_live(pgt, table, index, count);
	bool flush = pgt->policy->flush == PGTSIM_FLUSH_PER_LEAF;

	if (live) {
		pgtsim_access_clear(pgt, table, index, count, live);
		pgtsim_tlb_count(counts, PGTSIM_OP_CLEAR, PGTSIM_PTE, live,
				 flush ? PGTSIM_EACH_FLUSH : 0);
	}
	counts->lines_touched += pgtsim_lines(index, count);
	counts->work_entries += count;
}

/* pgtsim_tlb_flush_range() after it: mostly of a few whole pages, one invalidate each. */
static inline void flush(struct pgtsim_pgtable *pgt, uint64_t va, uint64_t last, unsigned count)
{
	struct pgtsim_counts *counts = &pgt->tlb->counts;
	uint64_t parts = (va | (last + 1)) & (pgtsim_page_size(&pgt->geo) - 1);

	if (pgt->policy->flush == PGTSIM_FLUSH_PER_LEAF)
		return;
	if (parts || pgt->tlb->range_operations || count > pgt->geo.last_index[PTE_SLOT]) {
		pgtsim_tlb_flush_range(pgt->tlb, &pgt->geo, pgt->policy, va, last + 1);
		return;
	}
	counts->tlbi_leaf += count;
	counts->dsb += 2;
	counts->dsb_ish++;
	counts->isb++;
}

/* ---- unmap: pass 2 ---- */

/* Whether pass 2 frees what is empty and inside the bounds. */
static inline bool frees_tables(const struct pgtsim_policy *policy)
{
	return policy->free_tables == PGTSIM_FREE_FLOOR_CEILING ||
	       policy->free_tables == PGTSIM_FREE_SKIP_WHEN_REGIONS_OVERLAP;
}

/* pgtsim_table_unlink() of the table that the way's entry leads to. */
static inline void unlink_table(struct pgtsim_pgtable *pgt, const struct way *way, unsigned slot,
				struct pgtsim_table *child, uint64_t va)
{
	struct pgtsim_counts *counts = &pgt->tlb->counts;
	struct pgtsim_table *table = way->table[slot];
	bool sync = pgtsim_sync_after_clear(pgt, table, (int)slot - 1);

	pgtsim_plain_write(table, way->index[slot], 0);
	pgtsim_plain_cleared(table, way->index[slot], 1, 1);
	child->linked = false;
	pgtsim_tlb_count(counts, PGTSIM_OP_TABLE_FREE, (int)slot, 1,
			 pgtsim_destruct(pgt, child, va));
	counts->tlbi_walk++;
	counts->dsb += 2 + sync;
	counts->dsb_ish++;
	counts->isb += 1 + sync;
	counts->work_entries++;
	counts->lines_touched++;
	pgtsim_give_back(pgt, child);
}

/* pgtsim_runs_first(). */
static inline unsigned first_live(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
				  unsigned last_index)
{
	if (table->first <= last_index && pgtsim_access_plain(table, table->first))
		return table->first;
	return pgtsim_runs_first(pgt, table);
}

/*
 * Pass 2 up the way from the table of the last level: tables that are empty go, and the kernel scans
 * the others up to their first live entry. It has been through the last level's lines before.
 */
static inline void free_tables(struct pgtsim_pgtable *pgt, const struct way *way, uint64_t va)
{
	struct pgtsim_counts *counts = &pgt->tlb->counts;
	unsigned root = root_slot(&pgt->geo);

	for (unsigned slot = PTE_SLOT; slot > root; slot--) {
		struct pgtsim_table *table = way->table[slot];
		unsigned last_index = pgt->geo.last_index[slot];
		unsigned first = first_live(pgt, table, last_index);
		unsigned scanned = first <= last_index ? first + 1 : first;

		counts->entries_read += scanned;
		if (slot < PTE_SLOT)
			counts->lines_touched += pgtsim_lines(0, scanned);
		if (first > last_index)
			unlink_table(pgt, way, slot - 1, table, va);
	}
}

bool pgtsim_short_unmap(struct pgtsim_pgtable *pgt, uint64_t va, uint64_t last, uint64_t floor,
			uint64_t ceiling)
{
	struct pgtsim_counts *counts = &pgt->tlb->counts;
	unsigned count = (unsigned)((last - va) >> pgt->geo.page_shift) + 1;
	struct way way;

	if (!is_short(pgt, va, last) || pgtsim_shares_root(pgt, va, last, floor, ceiling) ||
	    !frees_tables(pgt->policy) || go_down(pgt, va, &way) < PTE_SLOT)
		return false;
	clear(pgt, way.table[PTE_SLOT], way.index[PTE_SLOT], count);
	flush(pgt, va, last, count);
	/* The kernel's check that pass 1 was there reads what that has cleared. */
	counts->entries_read += count;
	counts->lines_touched += pgtsim_lines(way.index[PTE_SLOT], count);
	counts->work_entries += 2 * pgt->geo.levels;
	free_tables(pgt, &way, va);
	return true;
}
