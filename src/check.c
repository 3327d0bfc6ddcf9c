/* SPDX-License-Identifier: MIT */
#include <pgtsim/check.h>

#include "access.h"

struct checking {
	uint64_t reached; /* tables */
};

/* The record of a table against its memory. */
static void check_table(struct pgtsim_pgtable *pgt, const struct pgtsim_table *table, uint64_t va)
{
	unsigned entries = pgtsim_entries(&pgt->geo, table->level);
	unsigned live = access_live(pgt->access, table->entries, entries);
	unsigned zeros = access_zeros(pgt->access, table->entries, entries);

	if (live != table->live || zeros < table->first)
		pgtsim_tlb_violation(pgt->tlb, PGTSIM_V_TABLE_COUNT, va, table->level,
				     "%u live entries from %u on, recorded %u from %u on", live,
				     zeros, table->live, table->first);
}

static int check_child(struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
		       struct pgtsim_table *child, void *arg)
{
	struct checking *checking = arg;

	checking->reached++;
	check_table(pgt, child, run->va);
	return 0;
}

static uint64_t live_tables(const struct pgtsim_counts *counts)
{
	return counts->tables_pgd + counts->tables_p4d + counts->tables_pud + counts->tables_pmd +
	       counts->tables_pte;
}

uint64_t pgtsim_check(struct pgtsim_pgtable *pgt)
{
	static const struct pgtsim_visitor visitor = { .table = check_child };
	struct pgtsim_counts *counts = &pgt->tlb->counts;
	uint64_t before = counts->violations, work = counts->work_entries;
	struct checking checking = { .reached = 1 };
	uint64_t va = pgtsim_va_start(&pgt->geo);

	check_table(pgt, pgt->root, va);
	pgtsim_walk(pgt, va, UINT64_MAX, &visitor, &checking);
	if (checking.reached != live_tables(counts))
		pgtsim_tlb_violation(pgt->tlb, PGTSIM_V_TABLE_LEAK, va, pgt->root->level,
				     "%llu tables are live, %llu can be reached",
				     (unsigned long long)live_tables(counts),
				     (unsigned long long)checking.reached);
	counts->work_entries = work;
	return counts->violations - before;
}
