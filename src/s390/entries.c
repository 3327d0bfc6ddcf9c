/* SPDX-License-Identifier: MIT */
#include "entries.h"

#include <pgtsim/format.h>

#include "events/events.h"
#include "pgtable/access.h"
#include "pgtable/live.h"

/*
 * PAGE_KERNEL, SEGMENT_KERNEL and REGION3_KERNEL of arch/s390/include/asm/pgtable.h, where no-execute
 * exists, and the present bit of a segment entry that points to a table. Hardware's bits are the same.
 */
static const struct {
	uint16_t page, segment, region3, segment_table;
} software[] = {
	[PGTSIM_S390_BITS_6_12] = { 0x13d, 0x3503, 0x3507, 0 },
	[PGTSIM_S390_BITS_7_3] = { 0x13d, 0xf501, 0xf505, 1 },
};

uint64_t pgtsim_s390_leaf(const struct pgtsim_pgtable *pgt, int level)
{
	unsigned bits = pgt->policy->s390_bits;
	uint64_t raw = level == PGTSIM_PTE ? software[bits].page :
		       level == PGTSIM_PMD ? software[bits].segment :
					     software[bits].region3;

	return pgtsim_desc_from_raw(&pgt->geo, level, raw);
}

/* Its type, and above the segment table how long the table is. */
uint64_t pgtsim_s390_table(const struct pgtsim_pgtable *pgt, int level, uint64_t pa)
{
	uint64_t type = pgtsim_desc_empty(&pgt->geo, level) & PGTSIM_S390_TYPE;
	uint64_t low = level == PGTSIM_PMD ? software[pgt->policy->s390_bits].segment_table :
					     PGTSIM_S390_LENGTH;

	return pgtsim_desc_from_raw(&pgt->geo, level, pa | type | low);
}

bool pgtsim_s390_split(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run)
{
	uint64_t leaf = pgtsim_access_read(pgt, run->table, run->index);
	uint64_t pa = pgtsim_desc_address(&pgt->geo, run->level, leaf);
	int level = run->level + 1;
	unsigned entries = pgtsim_entries(&pgt->geo, level);
	struct pgtsim_table *table;

	if (!pgtsim_table_reserve(pgt, level, &table))
		return false;
	pgtsim_table_begin(pgt, table, level, pgtsim_entry_base(&pgt->geo, run->level, run->va),
			   (enum pgtsim_region)run->table->region, false);
	pgtsim_access_fill(pgt, table, 0, entries, pa | pgtsim_s390_leaf(pgt, level));
	pgtsim_access_lines(pgt, 0, entries);
	pgtsim_count(pgt->tlb, &pgt->tlb->counts.entries_written, entries + 1);
	pgtsim_count(pgt->tlb, &pgt->tlb->counts.work_entries, entries + 1);
	pgtsim_entry_overwrite(pgt, run, pgtsim_s390_table(pgt, run->level, table->pa),
			       PGTSIM_EACH_REPLACED);
	pgtsim_invalidate(pgt->tlb, PGTSIM_OP_IDTE, 0, 0, 0, PGTSIM_SCOPE_IS, 0);
	return true;
}
