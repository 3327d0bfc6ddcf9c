/* SPDX-License-Identifier: MIT */
/* links: what a table takes that comes or goes, whoever watches. */
#ifndef PGTSIM_LINKS_H
#define PGTSIM_LINKS_H

#include "access.h"
#include "runs.h"

/* The side record of an empty table; an allocator of the caller's own may have left anything. */
static inline void pgtsim_record_start(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
				       int level, enum pgtsim_region region,
				       enum pgtsim_access access)
{
	table->next = NULL;
	table->live = 0;
	table->linked = false;
	table->told = access == PGTSIM_ACCESS_PRIVATE;
	table->first = access == PGTSIM_ACCESS_SHARED ? 0 : pgtsim_entries(&pgt->geo, level);
	table->level = (int8_t)level;
	table->region = (uint8_t)region;
	table->epoch = pgt->epoch;
	table->constructed = false;
	table->shift = pgt->geo.shift[pgtsim_slot(level)];
}

/* __create_pgd_mapping() calls the constructor of a table, vmemmap_p?d_populate() does not. */
static inline bool pgtsim_constructs(const struct pgtsim_pgtable *pgt, enum pgtsim_region region)
{
	return pgt->policy->table_dtor != PGTSIM_TABLE_DTOR_NONE && region != PGTSIM_REGION_VMEMMAP;
}

/* What its destructor adds to the event of a table that is freed; a violation if it is left out. */
static inline unsigned pgtsim_destruct(const struct pgtsim_pgtable *pgt,
				       const struct pgtsim_table *table, uint64_t va)
{
	if (!table->constructed)
		return 0;
	if (pgt->policy->table_dtor == PGTSIM_TABLE_DTOR_CALLED)
		return PGTSIM_EACH_DTOR;
	pgtsim_tlb_violation(pgt->tlb, PGTSIM_V_TABLE_NOT_DESTROYED, va, table->level,
			     "the table at PA 0x%llx", (unsigned long long)table->pa);
	return 0;
}

/* Gives back a table: to a function of the caller's own with host memory, as that once came. */
static inline void pgtsim_give_back(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table)
{
	if (pgt->ops.free != pgtsim_memory_free_op && pgt->ops.find == pgtsim_directory_lookup)
		pgtsim_table_write_out(table);
	pgt->ops.free(pgt->ops.ctx, table);
}

/* Whether entries of the root that [va, last] uses may hold something outside the bounds. */
static inline bool pgtsim_shares_root(const struct pgtsim_pgtable *pgt, uint64_t va, uint64_t last,
				      uint64_t floor, uint64_t ceiling)
{
	uint64_t mask = pgtsim_entry_size(&pgt->geo, pgt->root->level) - 1;

	return (va & ~mask) < floor || (ceiling && (last | mask) > ceiling - 1);
}

/* Pages that the kernel's loop over a pte table visits: one for every page size from va on. */
static inline unsigned pgtsim_pte_steps(const struct pgtsim_pgtable *pgt, uint64_t va,
					uint64_t last)
{
	return (unsigned)(((last - va) >> pgt->geo.page_shift) + 1);
}

/* Whether p?d_populate() makes the entry visible: not that of the root up to 6.1. */
static inline bool pgtsim_sync_after_link(const struct pgtsim_pgtable *pgt,
					  const struct pgtsim_table *table)
{
	return table != pgt->root || pgtsim_deferred_barriers(pgt);
}

/* A table beyond pa_bits is not where its entry says. */
static inline bool pgtsim_is_addressed(const struct pgtsim_geometry *geo,
				       const struct pgtsim_table *table)
{
	return !(table->pa >> geo->pa_bits);
}

#endif
