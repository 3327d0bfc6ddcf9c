/* SPDX-License-Identifier: MIT */
/* short_unmap: both passes over a range, of a few pages in a straight line. */
#include <pgtsim/teardown.h>

#include "links.h"
#include "short.h"

/* What pgtsim_unmap_range() does to a run of the last level: mostly all that its table holds. */
static inline void clear(struct pgtsim_pgtable *pgt, struct pgtsim_table *table, unsigned index,
			 unsigned count)
{
	struct pgtsim_counts *counts = &pgt->tlb->counts;
	bool all = table->implied && index == table->first && count == table->live;
	unsigned live = all ? count : count_live(pgt, table, index, count);

	if (all)
		table->live = 0;
	else if (live)
		pgtsim_access_clear(pgt, table, index, count, live);
	if (live)
		pgtsim_tlb_count(counts, PGTSIM_OP_CLEAR, PGTSIM_PTE, live,
				 pgt->policy->flush == PGTSIM_FLUSH_PER_LEAF ? PGTSIM_EACH_FLUSH :
									       0);
	/* Twice: the kernel's check that this pass was there reads what it has cleared. */
	counts->entries_read += count;
	counts->lines_touched += 2 * pgtsim_lines(index, count);
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

	pgtsim_table_clear_note(table, way->index[slot]);
	pgtsim_plain_store(table, way->index[slot], 0);
	table->live--;
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

/* pgtsim_runs_first() of a table that is not empty. */
static inline unsigned first_live(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
				  unsigned end)
{
	if (!pgtsim_all_noted(table))
		return pgtsim_runs_first(pgt, table);
	table->first = pgtsim_bits_first(table->notes->noted, table->first, end);
	return table->first;
}

/* Pass 2 at a table on the way: one that is empty goes. Returns how many entries the kernel reads. */
static inline unsigned free_or_scan(struct pgtsim_pgtable *pgt, const struct way *way,
				    unsigned slot, uint64_t va)
{
	struct pgtsim_table *table = way->table[slot];
	unsigned end = pgt->geo.last_index[slot] + 1;
	unsigned first = table->live ? first_live(pgt, table, end) : end;

	if (first < end)
		return first + 1;
	unlink_table(pgt, way, slot - 1, table, va);
	return end;
}

/* Up the way. The kernel has been through the last level's lines before. */
static inline void free_tables(struct pgtsim_pgtable *pgt, const struct way *way, uint64_t va)
{
	struct pgtsim_counts *counts = &pgt->tlb->counts;
	unsigned root = root_slot(&pgt->geo);

	counts->entries_read += free_or_scan(pgt, way, PTE_SLOT, va);
	for (unsigned slot = PTE_SLOT - 1; slot > root; slot--) {
		unsigned count = free_or_scan(pgt, way, slot, va);

		counts->entries_read += count;
		counts->lines_touched += pgtsim_lines(0, count);
	}
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
	count = (unsigned)((last - va) >> pgt->geo.page_shift) + 1;
	pgt->tlb->counts.work_entries += 2 * pgt->geo.levels;
	clear(pgt, way.table[PTE_SLOT], way.index[PTE_SLOT], count);
	flush(pgt, va, last, count);
	free_tables(pgt, &way, va);
	return 0;
}
