/* SPDX-License-Identifier: MIT */
/*
 * Table access: the only code that changes entries of tables in use, but for what writes out those
 * of an implied table; and, but for walks down what is noted in private tables, that reads them.
 *
 * Each primitive works on a run of entries of one table. Tables of one thread get plain loops
 * over vectors; shared ones get one atomic access an entry, hooked ones a call before each. Runs
 * of leaves are recorded here, single entries by the callers.
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

/* The 64-byte lines of a table that the modelled kernel touches for these entries. */
static inline unsigned pgtsim_lines(unsigned index, unsigned count)
{
	return (index + count - 1) / 8 - index / 8 + 1;
}

/* Counts them. */
static inline void pgtsim_access_lines(const struct pgtsim_pgtable *pgt, unsigned index,
				       unsigned count)
{
	pgtsim_count(pgt->tlb, &pgt->tlb->counts.lines_touched, pgtsim_lines(index, count));
}

/* One access of a table that is not private. */
uint64_t pgtsim_access_read_carefully(const struct pgtsim_pgtable *pgt,
				      const struct pgtsim_table *table, unsigned index);

/* pgtsim_access_install() in a table of threads. */
bool pgtsim_access_install_first(struct pgtsim_table *table, unsigned index, uint64_t desc);

/* pgtsim_access_write() of a table that is not private. */
void pgtsim_access_write_carefully(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
				   unsigned index, uint64_t desc);

/* The same as pgtsim_access_fill() of entries that must be written. */
void pgtsim_access_write_leaves(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
				unsigned index, unsigned count, uint64_t desc);

/* The same as pgtsim_access_clear() of entries that must be written, but for what is recorded. */
void pgtsim_access_write_zeros(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
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

/* ---- in line, for walks and operations that read or write one entry or one run a table ---- */

/* Whether the side record may be believed without a look at the entries: nobody else writes. */
static inline bool pgtsim_is_private(const struct pgtsim_pgtable *pgt)
{
	return pgt->access == PGTSIM_ACCESS_PRIVATE;
}

static inline bool pgtsim_is_shared(const struct pgtsim_pgtable *pgt)
{
	return pgt->access == PGTSIM_ACCESS_SHARED;
}

/* Whether tables may be implied: those of a simulated memory, which keeps track of them. */
static inline bool pgtsim_implies(const struct pgtsim_pgtable *pgt)
{
	return pgtsim_is_private(pgt) && pgt->ops.find == pgtsim_directory_lookup;
}

/* How many of the entries are live, of a table that its record tells. */
static inline unsigned pgtsim_told(const struct pgtsim_table *table, unsigned index, unsigned count)
{
	unsigned end = table->first + table->live;
	unsigned from = index > table->first ? index : table->first;
	unsigned to = index + count < end ? index + count : end;

	return from < to ? to - from : 0;
}

/* An entry of a table that its record tells. */
static inline uint64_t pgtsim_told_entry(const struct pgtsim_table *table, unsigned index)
{
	return index - table->first < table->live ?
		       table->base + ((uint64_t)index << table->shift) :
		       0;
}

/* An entry of a table of one thread. */
static inline uint64_t pgtsim_access_plain(const struct pgtsim_table *table, unsigned index)
{
	return table->implied ? pgtsim_told_entry(table, index) : table->entries[index];
}

static inline uint64_t pgtsim_access_read(const struct pgtsim_pgtable *pgt,
					  const struct pgtsim_table *table, unsigned index)
{
	if (pgtsim_is_private(pgt))
		return pgtsim_access_plain(table, index);
	return pgtsim_access_read_carefully(pgt, table, index);
}

/* Writes an entry of a table of one thread. */
static inline void pgtsim_plain_write(struct pgtsim_table *table, unsigned index, uint64_t desc)
{
	if (table->implied)
		pgtsim_table_write_out(table);
	pgtsim_table_unnote(table, index);
	table->told = false;
	table->entries[index] = desc;
}

static inline void pgtsim_access_write(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
				       unsigned index, uint64_t desc)
{
	if (pgtsim_is_private(pgt))
		pgtsim_plain_write(table, index, desc);
	else
		pgtsim_access_write_carefully(pgt, table, index, desc);
}

/*
 * Writes an entry that is zero. In a shared table another thread may be first: then nothing is
 * written, and it returns false. Anywhere else it is a plain write, as the kernel's.
 */
static inline bool pgtsim_access_install(const struct pgtsim_pgtable *pgt,
					 struct pgtsim_table *table, unsigned index, uint64_t desc)
{
	if (pgtsim_is_shared(pgt))
		return pgtsim_access_install_first(table, index, desc);
	pgtsim_access_write(pgt, table, index, desc);
	return true;
}

/* Keeps the record of a table of one thread when `live` of these entries, all zero, are written. */
static inline void pgtsim_plain_filled(struct pgtsim_table *table, unsigned index, unsigned live)
{
	table->live += live;
	table->first = index < table->first ? index : table->first;
}

/* The same when they are cleared. */
static inline void pgtsim_plain_cleared(struct pgtsim_table *table, unsigned index, unsigned count,
					unsigned live)
{
	table->live -= live;
	table->first = table->first - index < count ? index + count : table->first;
}

/*
 * The same of any table. All that threads keep of one they share is `live`; `first` is 0, but where
 * one that was private is now shared.
 */
static inline void pgtsim_record_filled(const struct pgtsim_pgtable *pgt,
					struct pgtsim_table *table, unsigned index, unsigned live)
{
	if (pgtsim_is_shared(pgt)) {
		if (table->first)
			table->first = 0;
		AO_int_fetch_and_add_release(&table->live, live);
		return;
	}
	pgtsim_plain_filled(table, index, live);
}

static inline void pgtsim_record_cleared(const struct pgtsim_pgtable *pgt,
					 struct pgtsim_table *table, unsigned index, unsigned count,
					 unsigned live)
{
	if (pgtsim_is_shared(pgt)) {
		AO_int_fetch_and_add_release(&table->live, -live);
		return;
	}
	pgtsim_plain_cleared(table, index, count, live);
}

/* Links a table at an entry that is zero of a table of one thread that is written out. */
static inline void pgtsim_plain_link(struct pgtsim_table *table, unsigned index, uint64_t desc)
{
	table->told = false;
	table->entries[index] = desc;
	pgtsim_plain_filled(table, index, 1);
}

/* Clears an entry of a table of one thread that is noted: such a table is written out. */
static inline void pgtsim_plain_unlink(struct pgtsim_table *table, unsigned index)
{
	pgtsim_table_clear_note(table, index);
	table->told = false;
	table->entries[index] = 0;
	table->live--;
}

/* Whether a table may be implied. */
static inline bool pgtsim_may_imply(const struct pgtsim_pgtable *pgt,
				    const struct pgtsim_table *table)
{
	return table != pgt->root && pgtsim_implies(pgt);
}

/* Whether a table's record can tell these leaves, too. */
static inline bool pgtsim_tells_filled(const struct pgtsim_table *table, unsigned index,
				       unsigned count, uint64_t base)
{
	return !table->live ||
	       (table->told && table->base == base &&
		(index == table->first + table->live || index + count == table->first));
}

/* Writes leaves that follow one another, `desc` first, over entries that are zero; records them. */
static inline void pgtsim_access_fill(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
				      unsigned index, unsigned count, uint64_t desc)
{
	uint64_t base = desc - ((uint64_t)index << table->shift);

	if (!pgtsim_is_private(pgt) ||
	    !(table->live ? table->implied : pgtsim_may_imply(pgt, table)) ||
	    !pgtsim_tells_filled(table, index, count, base)) {
		pgtsim_access_write_leaves(pgt, table, index, count, desc);
		return;
	}
	if (!table->implied)
		pgtsim_table_imply(pgt->ops.ctx, table);
	if (!table->live || index < table->first)
		table->first = index;
	table->live += count;
	table->base = base;
	table->told = true;
}

/* Whether a table's record can tell what is left of it once these entries are cleared. */
static inline bool pgtsim_tells_cleared(const struct pgtsim_table *table, unsigned index,
					unsigned count, unsigned live)
{
	return live == table->live ||
	       (table->told &&
		(index <= table->first || index + count >= table->first + table->live));
}

/* Clears entries, of which `live` are not zero; records it. */
static inline void pgtsim_access_clear(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
				       unsigned index, unsigned count, unsigned live)
{
	bool whole = count == pgtsim_entries(&pgt->geo, table->level);

	if (table->notes || !(table->implied || (whole && pgtsim_may_imply(pgt, table))) ||
	    !pgtsim_tells_cleared(table, index, count, live)) {
		pgtsim_access_write_zeros(pgt, table, index, count, live);
	} else {
		if (!table->implied)
			pgtsim_table_imply(pgt->ops.ctx, table);
		table->told = true;
	}
	pgtsim_record_cleared(pgt, table, index, count, live);
}

#endif
