/* SPDX-License-Identifier: MIT */
/* short_map: pgtsim_map(), of a few pages in a straight line. */
#include <pgtsim/pgtable.h>

#include <errno.h>

#include "checks.h"
#include "links.h"
#include "short.h"

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

	pgtsim_record_start(pgt, child, level + 1, map->region, PGTSIM_ACCESS_PRIVATE);
	if (level + 1 < PGTSIM_PTE)
		pgtsim_table_becomes_upper(pgt->ops.ctx, child);
	child->constructed = pgtsim_constructs(pgt, map->region);
	child->linked = true;
	pgtsim_plain_store(table, index, desc);
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

/* pgtsim_access_fill(): mostly of a table that has nothing yet. */
static inline void fill(struct pgtsim_pgtable *pgt, struct pgtsim_table *table, unsigned index,
			unsigned count, uint64_t desc)
{
	if (table->live || !table->implied) {
		pgtsim_access_fill(pgt, table, index, count, desc);
		return;
	}
	table->first = index;
	table->live = count;
	table->base = desc - ((uint64_t)index << table->shift);
}

/* Whether a map of these pages of one table is nothing but that. */
static inline bool is_short(const struct pgtsim_pgtable *pgt, const struct pgtsim_map *map,
			    unsigned count)
{
	bool is_block = map->blocks && count > pgt->geo.last_index[PTE_SLOT];

	return is_straight(pgt) && pgt->geo.oa == PGTSIM_OA_48 && !map->cont && !is_block &&
	       pgt->ops.alloc == pgtsim_memory_alloc_op;
}

/* Whether nothing is mapped yet where the way ends. */
static inline bool is_free(const struct pgtsim_pgtable *pgt, const struct way *way, unsigned slot,
			   unsigned count)
{
	const struct pgtsim_table *table = way->table[slot];
	unsigned index = way->index[slot];

	return slot == PTE_SLOT ? !count_live(pgt, table, index, count) :
				  !pgtsim_access_plain(table, index);
}

/* pgtsim_map_range() of pages of one table. */
static inline int map_pages(struct pgtsim_pgtable *pgt, const struct pgtsim_map *map, uint64_t va,
			    uint64_t last)
{
	const struct pgtsim_geometry *geo = &pgt->geo;
	struct pgtsim_counts *counts = &pgt->tlb->counts;
	unsigned index = index_at(geo, PTE_SLOT, va);
	unsigned count = (unsigned)((last - va) >> geo->page_shift) + 1;
	struct pgtsim_table *table;
	struct way way;
	unsigned slot = go_down(pgt, va, &way);

	if (!is_short(pgt, map, count) || !is_free(pgt, &way, slot, count))
		return pgtsim_map_range(pgt, map, va, last);
	table = slot == PTE_SLOT ? way.table[slot] : link_tables(pgt, &way, slot, map);
	if (!table)
		return -ENOMEM;
	fill(pgt, table, index, count, pgtsim_leaf(geo, PGTSIM_PTE, map->pa, map->attrs));
	pgtsim_tlb_count(counts, PGTSIM_OP_MAP, PGTSIM_PTE, count,
			 pgtsim_deferred_barriers(pgt) ? 0 : PGTSIM_EACH_SYNC);
	counts->lines_touched += pgtsim_lines(index, count);
	counts->work_entries += geo->levels + count;
	return 0;
}

int pgtsim_map(struct pgtsim_pgtable *pgt, const struct pgtsim_map *map)
{
	const struct pgtsim_geometry *geo = &pgt->geo;
	uint64_t mask = pgtsim_page_size(geo) - 1;
	uint64_t va = map->va & ~mask, last = (map->va + map->size - 1) | mask;

	if ((map->va ^ map->pa) & mask || !pgtsim_va_fits(geo, map->va, map->size) ||
	    !pgtsim_pa_fits(geo, map->pa, map->size))
		return -EINVAL;
	if (!is_below_a_table(pgt, va, last))
		return pgtsim_map_range(pgt, map, va, last);
	return map_pages(pgt, map, va, last);
}
