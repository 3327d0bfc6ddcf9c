/* SPDX-License-Identifier: MIT */
/* short_map: pgtsim_map(), of a few pages in a straight line. */
#include <pgtsim/pgtable.h>

#include <errno.h>

#include "checks.h"
#include "links.h"
#include "short.h"
#include "tables.h"

/* Whether a map of these pages of one table is nothing but that. */
static inline bool is_short(const struct pgtsim_pgtable *pgt, const struct pgtsim_map *map,
			    unsigned count)
{
	bool is_block = map->blocks && count > pgt->geo.last_index[PTE_SLOT];

	return is_straight(pgt) && pgt->geo.oa == PGTSIM_OA_48 && !map->cont && !is_block &&
	       pgt->ops.alloc == pgtsim_memory_alloc_op;
}

static inline void count_pages(struct pgtsim_pgtable *pgt, unsigned index, unsigned count)
{
	struct pgtsim_counts *counts = &pgt->tlb->counts;

	pgtsim_tlb_count(counts, PGTSIM_OP_MAP, PGTSIM_PTE, count,
			 pgtsim_deferred_barriers(pgt) ? 0 : PGTSIM_EACH_SYNC);
	counts->lines_touched += pgtsim_lines(index, count);
	counts->work_entries += pgt->geo.levels + count;
}

/* ---- any pages of a table, and tables that are missing ---- */

/* Links all tables that are missing on the way. Returns the last one; NULL: not all were had. */
static struct pgtsim_table *link_tables(struct pgtsim_pgtable *pgt, const struct way *way,
					unsigned slot, const struct pgtsim_map *map)
{
	struct pgtsim_table *table = way->table[slot], *list = NULL;
	uint64_t needed = PTE_SLOT - slot, got = pgtsim_tables_reserve(pgt, needed, &list);

	if (got < needed && pgt->policy->map_failure == PGTSIM_ROLLBACK) {
		pgtsim_tables_release(pgt, &list);
		return NULL;
	}
	for (; list; slot++) {
		struct pgtsim_table *child = list;
		struct pgtsim_run run;

		pgtsim_set_run(&pgt->geo, &run, table, (int)slot - 1, map->va, map->va);
		pgtsim_table_link(pgt, &run, &list, map->table_attrs, map->region);
		table = child;
	}
	return slot == PTE_SLOT ? table : NULL;
}

/* Whether nothing is mapped yet where the way ends. */
static bool is_free(const struct pgtsim_pgtable *pgt, const struct way *way, unsigned slot,
		    uint64_t va, uint64_t last)
{
	struct pgtsim_run run;

	if (slot < PTE_SLOT)
		return !pgtsim_access_plain(way->table[slot], way->index[slot]);
	pgtsim_set_run(&pgt->geo, &run, way->table[slot], PGTSIM_PTE, va, last);
	return !pgtsim_runs_live(pgt, &run);
}

static __attribute__((noinline)) int map_part(struct pgtsim_pgtable *pgt,
					      const struct pgtsim_map *map, const struct way *way,
					      unsigned slot, unsigned count)
{
	unsigned index = index_at(&pgt->geo, PTE_SLOT, map->va);
	uint64_t desc = pgtsim_leaf(&pgt->geo, PGTSIM_PTE, map->pa, map->attrs);
	struct pgtsim_table *table = way->table[slot];

	if (slot < PTE_SLOT)
		table = link_tables(pgt, way, slot, map);
	if (!table)
		return -ENOMEM;
	pgtsim_access_fill(pgt, table, index, count, desc);
	count_pages(pgt, index, count);
	return 0;
}

/* ---- a new table of pages ---- */

/* pgtsim_table_link() of one that the memory has just handed out, at an entry that is zero. */
static inline void link_table(struct pgtsim_pgtable *pgt, struct pgtsim_table *above,
			      unsigned index, struct pgtsim_table *table,
			      const struct pgtsim_map *map)
{
	struct pgtsim_counts *counts = &pgt->tlb->counts;
	bool sync = pgtsim_sync_after_link(pgt, above);

	pgtsim_record_start(pgt, table, PGTSIM_PTE, map->region, PGTSIM_ACCESS_PRIVATE);
	table->constructed = pgtsim_constructs(pgt, map->region);
	table->linked = true;
	pgtsim_plain_link(above, index, pgtsim_table_desc(&pgt->geo, table->pa, map->table_attrs));
	if (pgtsim_is_addressed(&pgt->geo, table))
		pgtsim_table_add_note(above, index, table);
	pgtsim_tlb_count(counts, PGTSIM_OP_TABLE_ALLOC, PGTSIM_PTE, 1,
			 table->constructed ? PGTSIM_EACH_CTOR : 0);
	counts->dsb += (map->region != PGTSIM_REGION_VMEMMAP) + sync;
	counts->isb += sync;
	counts->work_entries++;
	counts->lines_touched++;
}

/*
 * map_part() if no more is missing, and nothing need be called that wants registers saved. Returns
 * false, and nothing was done, if that is not so.
 */
static inline bool map_whole(struct pgtsim_pgtable *pgt, const struct pgtsim_map *map,
			     const struct way *way, unsigned slot, unsigned count)
{
	unsigned index = index_at(&pgt->geo, PTE_SLOT, map->va);
	uint64_t desc = pgtsim_leaf(&pgt->geo, PGTSIM_PTE, map->pa, map->attrs);
	struct pgtsim_table *above = way->table[slot], *table;

	/* All that is live is noted: what is not noted is zero. */
	if (slot != PTE_SLOT - 1 || !pgtsim_all_noted(above) ||
	    pgtsim_table_noted(above, way->index[slot]))
		return false;
	table = pgtsim_table_take(pgt->ops.ctx);
	if (!table)
		return false;
	link_table(pgt, above, way->index[slot], table, map);
	table->first = index;
	table->live = count;
	table->base = desc - ((uint64_t)index << table->shift);
	count_pages(pgt, index, count);
	return true;
}

/* ---- both ---- */

int pgtsim_map(struct pgtsim_pgtable *pgt, const struct pgtsim_map *map)
{
	const struct pgtsim_geometry *geo = &pgt->geo;
	uint64_t mask = pgtsim_page_size(geo) - 1;
	uint64_t va = map->va & ~mask, last = (map->va + map->size - 1) | mask;
	unsigned slot, count;
	struct way way;

	if ((map->va ^ map->pa) & mask || !pgtsim_va_fits(geo, map->va, map->size) ||
	    !pgtsim_pa_fits(geo, map->pa, map->size))
		return -EINVAL;
	if (!is_below_a_table(pgt, va, last))
		return pgtsim_map_range(pgt, map, va, last);
	slot = go_down(pgt, va, &way);
	count = pgtsim_pte_steps(pgt, va, last);
	if (!is_short(pgt, map, count))
		return pgtsim_map_range(pgt, map, va, last);
	if (map_whole(pgt, map, &way, slot, count))
		return 0;
	if (!is_free(pgt, &way, slot, va, last))
		return pgtsim_map_range(pgt, map, va, last);
	return map_part(pgt, map, &way, slot, count);
}
