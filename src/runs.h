/* SPDX-License-Identifier: MIT */
/*
 * runs: what pgtable.h does with runs of entries, in line where nobody watches a page table of one
 * thread: then a run changes a record and a few counters.
 */
#ifndef PGTSIM_RUNS_H
#define PGTSIM_RUNS_H

#include "access.h"
#include "events.h"
#include "oa.h"
#include "walk.h"

static inline bool pgtsim_deferred_barriers(const struct pgtsim_pgtable *pgt)
{
	return pgt->policy->barriers == PGTSIM_BARRIERS_DEFERRED;
}

/* Up to 6.1 set_swapper_pgd() has no barriers of its own, for blocks as for tables. */
static inline unsigned pgtsim_map_flags(const struct pgtsim_pgtable *pgt,
					const struct pgtsim_run *run, unsigned flags)
{
	if (run->table == pgt->root && run->level < PGTSIM_PTE && !pgtsim_deferred_barriers(pgt))
		flags &= ~(unsigned)PGTSIM_EACH_SYNC;
	return flags;
}

/* set_p4d() of five levels and set_swapper_pgd() make a cleared entry visible (6.12). */
static inline bool pgtsim_sync_after_clear(const struct pgtsim_pgtable *pgt,
					   const struct pgtsim_table *table, int level)
{
	return level < PGTSIM_PTE && pgtsim_deferred_barriers(pgt) &&
	       (table == pgt->root || level == PGTSIM_P4D);
}

/* Whether an operation on entries is done once they are written, recorded and counted. */
static inline bool pgtsim_is_plain(const struct pgtsim_pgtable *pgt)
{
	return pgtsim_is_private(pgt) && !pgtsim_tlb_watched(pgt->tlb) && !pgt->tlb->single;
}

/*
 * pgtsim_run_map() and pgtsim_run_clear() where it takes more than that, or where descriptors of
 * addresses that follow one another may not do so.
 */
void pgtsim_run_map_carefully(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, uint64_t pa,
			      uint64_t attrs, unsigned flags);
void pgtsim_run_clear_carefully(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
				unsigned live, unsigned flags);

static inline unsigned pgtsim_runs_live(const struct pgtsim_pgtable *pgt,
					const struct pgtsim_run *run)
{
	const struct pgtsim_table *table = run->table;

	if (!pgtsim_is_private(pgt)) {
		pgtsim_count_work(pgt, run->count);
		return pgtsim_access_live(pgt, table, run->index, run->count);
	}
	if (!table->live)
		return 0;
	if (table->live == pgtsim_entries(&pgt->geo, table->level))
		return run->count;
	pgtsim_count_work(pgt, run->count);
	if (table->told)
		return pgtsim_told(table, run->index, run->count);
	return pgtsim_access_live(pgt, table, run->index, run->count);
}

static inline void pgtsim_runs_map(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
				   uint64_t pa, uint64_t attrs, unsigned flags)
{
	uint64_t desc;

	flags = pgtsim_map_flags(pgt, run, flags);
	pgtsim_access_lines(pgt, run->index, run->count);
	if (!pgtsim_is_plain(pgt) || pgt->geo.oa != PGTSIM_OA_48) {
		pgtsim_run_map_carefully(pgt, run, pa, attrs, flags);
		return;
	}
	desc = pgtsim_leaf(&pgt->geo, run->level, pa, attrs);
	pgtsim_access_fill(pgt, run->table, run->index, run->count, desc);
	pgtsim_tlb_count(&pgt->tlb->counts, PGTSIM_OP_MAP, run->level, run->count, flags);
	pgtsim_count_work(pgt, run->count);
}

static inline void pgtsim_runs_clear(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
				     unsigned live, unsigned flags)
{
	if (!live)
		return;
	if (pgtsim_sync_after_clear(pgt, run->table, run->level))
		flags |= PGTSIM_EACH_SYNC;
	if (!pgtsim_is_plain(pgt)) {
		pgtsim_run_clear_carefully(pgt, run, live, flags);
		return;
	}
	pgtsim_tlb_count(&pgt->tlb->counts, PGTSIM_OP_CLEAR, run->level, live, flags);
	pgtsim_access_clear(pgt, run->table, run->index, run->count, live);
	pgtsim_count_work(pgt, run->count);
}

static inline unsigned pgtsim_runs_first(const struct pgtsim_pgtable *pgt,
					 struct pgtsim_table *table)
{
	unsigned end = pgtsim_entries(&pgt->geo, table->level), zeros;

	if (!pgtsim_is_private(pgt)) {
		pgtsim_count_work(pgt, end);
		return pgtsim_access_zeros(pgt, table, 0, end);
	}
	if (!table->live) {
		table->first = end;
		return end;
	}
	if (pgtsim_all_noted(table)) {
		table->first = pgtsim_bits_first(table->notes->noted, table->first, end);
	} else if (table->first == end || !pgtsim_access_plain(table, table->first)) {
		zeros = pgtsim_access_zeros(pgt, table, table->first, end - table->first);
		pgtsim_count_work(pgt, zeros);
		table->first += zeros;
	}
	pgtsim_count_work(pgt, 1);
	return table->first;
}

#endif
