/* SPDX-License-Identifier: MIT */
/* short_unmap: both passes over a range, of a few pages in a straight line. */
#include <pgtsim/teardown.h>

#include "links.h"
#include "short.h"
#include "tables.h"

/* Whether pass 2 frees what is empty and inside the bounds. */
static inline bool frees_tables(const struct pgtsim_policy *policy)
{
	return policy->free_tables == PGTSIM_FREE_FLOOR_CEILING ||
	       policy->free_tables == PGTSIM_FREE_SKIP_WHEN_REGIONS_OVERLAP;
}

/* ---- any run of the last level, and what is empty then ---- */

/* Pass 1, and the kernel's check in pass 2 that it was there, which reads what it has cleared. */
static void clear(struct pgtsim_pgtable *pgt, struct pgtsim_table *table, uint64_t va,
		  unsigned count)
{
	bool flush = pgt->policy->flush == PGTSIM_FLUSH_PER_LEAF;
	struct pgtsim_run run;

	pgtsim_set_run(&pgt->geo, &run, table, PGTSIM_PTE, va, va);
	run.count = count;
	pgtsim_runs_clear(pgt, &run, pgtsim_runs_live(pgt, &run), flush ? PGTSIM_EACH_FLUSH : 0);
	pgt->tlb->counts.entries_read += count;
	pgt->tlb->counts.lines_touched += 2 * pgtsim_lines(run.index, count);
}

/*
 * Pass 2 from a table on the way upwards: what is empty goes, and the kernel scans the others up to
 * their first live entry. It has been through the last level's lines before.
 */
static __attribute__((noinline)) void free_tables(struct pgtsim_pgtable *pgt, const struct way *way,
						  unsigned slot, uint64_t va)
{
	struct pgtsim_counts *counts = &pgt->tlb->counts;
	unsigned root = root_slot(&pgt->geo);

	for (; slot > root; slot--) {
		struct pgtsim_table *table = way->table[slot];
		unsigned end = pgt->geo.last_index[slot] + 1;
		unsigned first = table->live ? pgtsim_runs_first(pgt, table) : end;
		unsigned scanned = first < end ? first + 1 : end;
		struct pgtsim_run run;

		counts->entries_read += scanned;
		if (slot < PTE_SLOT)
			counts->lines_touched += pgtsim_lines(0, scanned);
		if (first == end) {
			pgtsim_set_run(&pgt->geo, &run, way->table[slot - 1], (int)slot - 2, va,
				       va);
			pgtsim_table_unlink(pgt, &run, table);
		}
	}
}

/* ---- a run that is all its table holds ---- */

/*
 * Whether it is, and its table goes with it by no more than is done here: nothing is called that
 * wants registers saved.
 */
static inline bool goes_whole(const struct pgtsim_pgtable *pgt, const struct way *way,
			      unsigned count)
{
	const struct pgtsim_table *table = way->table[PTE_SLOT];

	return table->first == way->index[PTE_SLOT] && table->live == count &&
	       pgt->ops.free == pgtsim_memory_free_op &&
	       pgtsim_table_goes_plainly(pgt->ops.ctx, table) &&
	       (!table->constructed || pgt->policy->table_dtor == PGTSIM_TABLE_DTOR_CALLED);
}

/* Whether the flush after pass 1 is of a few whole pages, one invalidate each. */
static inline bool flushes_pages(const struct pgtsim_pgtable *pgt, uint64_t va, uint64_t last,
				 unsigned count)
{
	uint64_t parts = (va | (last + 1)) & (pgtsim_page_size(&pgt->geo) - 1);

	return pgt->policy->flush != PGTSIM_FLUSH_PER_LEAF && !parts &&
	       !pgt->tlb->range_operations && count <= pgt->geo.last_index[PTE_SLOT];
}

/* clear(), the flush and free_tables() of the last level. */
static inline void unmap_whole(struct pgtsim_pgtable *pgt, const struct way *way, unsigned count)
{
	struct pgtsim_counts *counts = &pgt->tlb->counts;
	struct pgtsim_table *table = way->table[PTE_SLOT], *above = way->table[PTE_SLOT - 1];
	bool sync = pgtsim_sync_after_clear(pgt, above, PGTSIM_PMD);

	pgtsim_tlb_count(counts, PGTSIM_OP_CLEAR, PGTSIM_PTE, count, 0);
	pgtsim_tlb_count(counts, PGTSIM_OP_TABLE_FREE, PGTSIM_PTE, 1,
			 table->constructed ? PGTSIM_EACH_DTOR : 0);
	counts->tlbi_leaf += count;
	counts->tlbi_walk++;
	counts->dsb += 4 + sync;
	counts->dsb_ish += 2;
	counts->isb += 2 + sync;
	counts->entries_read += count + pgtsim_entries(&pgt->geo, PGTSIM_PTE);
	counts->lines_touched += 2 * pgtsim_lines(way->index[PTE_SLOT], count) + 1;
	counts->work_entries += count + 1;
	pgtsim_plain_unlink(above, way->index[PTE_SLOT - 1]);
	pgtsim_table_put(pgt->ops.ctx, table);
}

/* free_tables() of the tables above: mostly they stay. */
static inline void free_upper(struct pgtsim_pgtable *pgt, const struct way *way, uint64_t va)
{
	struct pgtsim_counts *counts = &pgt->tlb->counts;
	unsigned root = root_slot(&pgt->geo);

	for (unsigned slot = PTE_SLOT - 1; slot > root; slot--) {
		struct pgtsim_table *table = way->table[slot];

		if (!table->live || !pgtsim_all_noted(table)) {
			free_tables(pgt, way, slot, va);
			return;
		}
		table->first = pgtsim_bits_first(table->notes->noted, table->first,
						 pgt->geo.last_index[slot] + 1);
		counts->entries_read += table->first + 1;
		counts->lines_touched += pgtsim_lines(0, table->first + 1);
	}
}

/* ---- both ---- */

static __attribute__((noinline)) void unmap_part(struct pgtsim_pgtable *pgt, const struct way *way,
						 uint64_t va, uint64_t last, unsigned count)
{
	clear(pgt, way->table[PTE_SLOT], va, count);
	if (pgt->policy->flush != PGTSIM_FLUSH_PER_LEAF)
		pgtsim_tlb_flush_range(pgt->tlb, &pgt->geo, pgt->policy, va, last + 1);
	free_tables(pgt, way, PTE_SLOT, va);
}

static int unmap_long(struct pgtsim_pgtable *pgt, uint64_t va, uint64_t last, uint64_t floor,
		      uint64_t ceiling)
{
	const struct pgtsim_unmap unmap = { .start = va, .end = last + 1 };
	int ret = pgtsim_unmap_range(pgt, &unmap);

	return ret ? ret : pgtsim_free_tables(pgt, va, last + 1, floor, ceiling);
}

int pgtsim_unmap_and_free(struct pgtsim_pgtable *pgt, uint64_t va, uint64_t last, uint64_t floor,
			  uint64_t ceiling)
{
	unsigned count;
	struct way way;

	if (!is_below_a_table(pgt, va, last) || go_down(pgt, va, &way) < PTE_SLOT ||
	    !is_straight(pgt) || pgtsim_shares_root(pgt, va, last, floor, ceiling) ||
	    !frees_tables(pgt->policy))
		return unmap_long(pgt, va, last, floor, ceiling);
	count = pgtsim_pte_steps(pgt, va, last);
	pgt->tlb->counts.work_entries += 2 * pgt->geo.levels;
	if (!goes_whole(pgt, &way, count) || !flushes_pages(pgt, va, last, count)) {
		unmap_part(pgt, &way, va, last, count);
		return 0;
	}
	unmap_whole(pgt, &way, count);
	free_upper(pgt, &way, va);
	return 0;
}
