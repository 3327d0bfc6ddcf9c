/* SPDX-License-Identifier: MIT */
/*
 * runs: the fast path of the functions for runs in pgtable.h, inline. If nobody watches a private
 * page table, a run changes a record and a few counters, whatever its length.
 */
#ifndef PGTSIM_RUNS_H
#define PGTSIM_RUNS_H

#include "access.h"
#include "events/events.h"
#include "arch/address.h"
#include "walk.h"

static inline bool pgtsim_deferred_barriers(const struct pgtsim_pgtable *pgt)
{
	return pgt->policy->barriers == PGTSIM_BARRIERS_DEFERRED;
}

/* Up to 6.1, set_swapper_pgd() issues no barrier, so block entries in the root get none. */
static inline unsigned pgtsim_map_flags(const struct pgtsim_pgtable *pgt,
					const struct pgtsim_run *run, unsigned flags)
{
	if (run->table == pgt->root && run->level < PGTSIM_PTE && !pgtsim_deferred_barriers(pgt))
		flags = (flags & ~(unsigned)PGTSIM_EACH_SYNC) | PGTSIM_EACH_SEEN;
	return flags;
}

/* From 6.12 on set_swapper_pgd(), and set_p4d() with 5 levels, issue barriers after a clear. */
static inline bool pgtsim_sync_after_clear(const struct pgtsim_pgtable *pgt,
					   const struct pgtsim_table *table, int level)
{
	return level < PGTSIM_PTE && pgtsim_deferred_barriers(pgt) &&
	       (table == pgt->root || level == PGTSIM_P4D);
}

/* How many pages the kernel's loop over a pte table visits: one for every page size from va on. */
static inline unsigned pgtsim_pte_steps(const struct pgtsim_pgtable *pgt, uint64_t va,
					uint64_t last)
{
	return (unsigned)(((last - va) >> pgt->geo.page_shift) + 1);
}

/* True if the fast path may be taken: no threads, no hook, and no observer of events. */
static inline bool pgtsim_is_fast(const struct pgtsim_pgtable *pgt)
{
	return pgtsim_is_private(pgt) && !pgtsim_tlb_watched(pgt->tlb) && !pgt->tlb->single;
}

/*
 * The slow path of pgtsim_run_map() and pgtsim_run_clear(). Mapping takes it with 52-bit addresses,
 * too: there a run of leaves may need descriptors that do not follow one another.
 */
void pgtsim_run_map_slow(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, uint64_t pa,
			 uint64_t attrs, unsigned flags);
void pgtsim_run_clear_slow(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, unsigned live,
			   unsigned flags);

static inline unsigned pgtsim_run_live_inline(const struct pgtsim_pgtable *pgt,
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
	if (pgtsim_state(table)->described)
		return pgtsim_lazy_live(table, run->index, run->count);
	return pgtsim_access_live(pgt, table, run->index, run->count);
}

static inline void pgtsim_run_map_inline(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
					 uint64_t pa, uint64_t attrs, unsigned flags)
{
	uint64_t desc;

	flags = pgtsim_map_flags(pgt, run, flags);
	pgtsim_access_lines(pgt, run->index, run->count);
	if (!pgtsim_is_fast(pgt) || pgt->geo.oa != PGTSIM_OA_48) {
		pgtsim_run_map_slow(pgt, run, pa, attrs, flags);
		return;
	}
	desc = pgtsim_leaf(&pgt->geo, run->level, pa, attrs);
	pgtsim_access_fill(pgt, run->table, run->index, run->count, desc);
	pgtsim_tlb_count(&pgt->tlb->counts, PGTSIM_OP_MAP, run->level, run->count, flags);
	pgtsim_count_work(pgt, run->count);
}

static inline void pgtsim_run_clear_inline(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
					   unsigned live, unsigned flags)
{
	if (!live)
		return;
	if (pgtsim_sync_after_clear(pgt, run->table, run->level))
		flags |= PGTSIM_EACH_SYNC;
	if (!pgtsim_is_fast(pgt)) {
		pgtsim_run_clear_slow(pgt, run, live, flags);
		return;
	}
	pgtsim_tlb_count(&pgt->tlb->counts, PGTSIM_OP_CLEAR, run->level, live, flags);
	pgtsim_access_clear(pgt, run->table, run->index, run->count, live);
	pgtsim_count_work(pgt, run->count);
}

static inline unsigned pgtsim_table_first_inline(const struct pgtsim_pgtable *pgt,
						 struct pgtsim_table *table)
{
	unsigned end = pgtsim_entries(&pgt->geo, table->level), zeros;

	if (!pgtsim_is_private(pgt)) {
		pgtsim_count_work(pgt, end);
		return pgtsim_access_zeros(pgt, table, 0, end);
	}
	if (!table->live) {
		pgtsim_state(table)->first = end;
		return end;
	}
	if (pgtsim_all_cached(table)) {
		pgtsim_state(table)->first = pgtsim_bits_first(pgtsim_state(table)->cache->cached,
							       pgtsim_state(table)->first, end);
	} else if (pgtsim_state(table)->first == end ||
		   !pgtsim_access_read_private(table, pgtsim_state(table)->first)) {
		zeros = pgtsim_access_zeros(pgt, table, pgtsim_state(table)->first,
					    end - pgtsim_state(table)->first);
		pgtsim_count_work(pgt, zeros);
		pgtsim_state(table)->first += zeros;
	}
	pgtsim_count_work(pgt, 1);
	return pgtsim_state(table)->first;
}

/* The entries [index, index + count) of a run, whole. */
static inline struct pgtsim_run pgtsim_run_entries(const struct pgtsim_pgtable *pgt,
						   const struct pgtsim_run *run, unsigned index,
						   unsigned count)
{
	uint64_t size = pgtsim_entry_size(&pgt->geo, run->level);
	uint64_t base = pgtsim_entry_base(&pgt->geo, run->level, run->va);
	uint64_t va = base + (index - run->index) * size;

	return pgtsim_run_part(pgt, run, va, va + count * size - 1);
}

#endif
