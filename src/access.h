/* SPDX-License-Identifier: MIT */
/*
 * Table access: the only code that reads or writes entries of table memory.
 *
 * Each primitive works on a run of entries of one table. Tables of one thread get plain loops
 * over vectors; shared ones get one atomic access an entry, hooked ones a call before each. Runs
 * of leaves are recorded here, single entries by the callers in pgtable.c.
 *
 * Most tables hold nothing but leaves that follow one another, and are never looked at. Such a
 * table is implied: its record tells its entries, none of which is written until the record can
 * tell them no longer, or somebody looks.
 */
#ifndef PGTSIM_ACCESS_H
#define PGTSIM_ACCESS_H

#include <pgtsim/pgtable.h>

#include "directory.h"
#include "shared.h"

/* Counts the 64-byte lines of a table that the modelled kernel touches for these entries. */
static inline void pgtsim_access_lines(const struct pgtsim_pgtable *pgt, unsigned index,
				       unsigned count)
{
	pgtsim_count(pgt->tlb, &pgt->tlb->counts.lines_touched,
		     (index + count - 1) / 8 - index / 8 + 1);
}

/* One access of a table that is not private. */
uint64_t pgtsim_access_read_carefully(const struct pgtsim_pgtable *pgt,
				      const struct pgtsim_table *table, unsigned index);

void pgtsim_access_write(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
			 unsigned index, uint64_t desc);

/*
 * Writes an entry that is zero. In a shared table another thread may be first: then nothing is
 * written, and it returns false. Anywhere else it is a plain write, as the kernel's.
 */
bool pgtsim_access_install(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
			   unsigned index, uint64_t desc);

/* Writes leaves that follow one another, `desc` first, over entries that are zero; records them. */
void pgtsim_access_fill(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
			unsigned index, unsigned count, uint64_t desc);

/* Clears entries, of which `live` are not zero; records it. */
void pgtsim_access_clear(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
			 unsigned index, unsigned count, unsigned live);

/* Keeps the record when `live` of these entries, all zero before, are written. */
void pgtsim_record_filled(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
			  unsigned index, unsigned live);

/* The same when they are cleared. */
void pgtsim_record_cleared(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
			   unsigned index, unsigned count, unsigned live);

/* How many of the entries are not zero. */
unsigned pgtsim_access_live(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
			    unsigned index, unsigned count);

/* How many entries from index on are zero. */
unsigned pgtsim_access_zeros(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
			     unsigned index, unsigned count);

/* How many entries from index on grow by step, at least 1 of count. */
unsigned pgtsim_access_uniform(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
			       unsigned index, unsigned count, uint64_t step);

/* How many entries from index on are no tables; the level is not the last one. */
unsigned pgtsim_access_no_tables(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
				 unsigned index, unsigned count);

/* An entry of a table of one thread. Inline for walks, which read one entry a table. */
static inline uint64_t pgtsim_access_plain(const struct pgtsim_table *table, unsigned index)
{
	if (!table->implied)
		return table->entries[index];
	return index - table->first < table->live ?
		       table->base + ((uint64_t)index << table->shift) :
		       0;
}

/* Whether tables may be implied: those of a simulated memory, which keeps track of them. */
static inline bool pgtsim_implies(const struct pgtsim_pgtable *pgt)
{
	return pgt->access == PGTSIM_ACCESS_PRIVATE && pgt->ops.find == pgtsim_directory_lookup;
}

static inline uint64_t pgtsim_access_read(const struct pgtsim_pgtable *pgt,
					  const struct pgtsim_table *table, unsigned index)
{
	if (pgt->access == PGTSIM_ACCESS_PRIVATE)
		return pgtsim_access_plain(table, index);
	return pgtsim_access_read_carefully(pgt, table, index);
}

#endif
