/* SPDX-License-Identifier: MIT */
/*
 * access: the only code that writes entries of tables in use. It also does all reads of entries,
 * except for walks down the child cache of a private page table. Two exceptions write elsewhere:
 * pgtsim_table_materialize() fills a lazy table, and a new table is zeroed by its allocator.
 *
 * Each function works on a run of entries of one table. Private tables get plain loops, shared
 * ones one atomic access an entry, hooked ones a call before each access.
 *
 * Whoever writes entries must keep the record in step. Functions for runs of leaves do it; after a
 * write of a single entry the caller does it: pgtsim_record_filled(), pgtsim_record_cleared().
 *
 * For lazy tables see memory/lookup.h.
 */
#ifndef PGTSIM_ACCESS_H
#define PGTSIM_ACCESS_H

#include <pgtsim/engine.h>
#include <pgtsim/pgtable.h>

#include <atomic_ops.h>

#include "arch/range.h"
#include "events/events.h"
#include "memory/lookup.h"

/* The private part of struct pgtsim_pgtable: its `opaque`. */
struct pgtsim_pgtable_state {
	uint32_t epoch; /* of the tables linked from now on: pgtsim_tables_mark() */
	bool poked;     /* entries may hold anything: look at each before it is cleared */
	struct pgtsim_engine *engine; /* who does the operations; NULL: the library */
	uint64_t line;                /* of an engine's last access: address / 64 */
	uint8_t busy; /* enum pgtsim_busy: a function of the caller's is under way, which must not
		       * change the page table */
	uint8_t order; /* log2 of the pages of the table that an allocator is asked for */
	bool refused; /* what an allocator of the caller's gave last was wrong; the reason says how */
} __attribute__((may_alias));

static_assert(sizeof(struct pgtsim_pgtable_state) <= sizeof(((struct pgtsim_pgtable *)0)->opaque),
	      "the private part of a page table has room");

static inline struct pgtsim_pgtable_state *pgtsim_pgtable_state(const struct pgtsim_pgtable *pgt)
{
	return (struct pgtsim_pgtable_state *)(uintptr_t)pgt->opaque;
}

/* Which function of the caller's is under way. */
enum pgtsim_busy {
	PGTSIM_BUSY_NOT,
	PGTSIM_BUSY_ALLOCATOR,
	PGTSIM_BUSY_VISITOR,
	PGTSIM_BUSY_HOOK,
};

/*
 * Whether a function of the caller's is under way that may not change the tables. A hook that took
 * itself away stands for another thread, and may.
 */
static inline bool pgtsim_pgtable_busy(const struct pgtsim_pgtable *pgt)
{
	enum pgtsim_busy busy = (enum pgtsim_busy)pgtsim_pgtable_state(pgt)->busy;

	return busy && (busy != PGTSIM_BUSY_HOOK || pgt->hook);
}

/* -EBUSY with the reason: who is under way. In allocator.c. */
int pgtsim_pgtable_fail_busy(const struct pgtsim_pgtable *pgt);

/*
 * -EINVAL with the reason: nothing of [va, va + size), or not all of it, can be translated, or the page
 * table has ended. In pgtable.c.
 */
int pgtsim_pgtable_fail_outside(const struct pgtsim_pgtable *pgt, uint64_t va, uint64_t size);

static inline int pgtsim_pgtable_check_inside(const struct pgtsim_pgtable *pgt, uint64_t va,
					      uint64_t size)
{
	return pgt->root && pgtsim_va_fits(&pgt->geo, va, size) ?
		       0 :
		       pgtsim_pgtable_fail_outside(pgt, va, size);
}

/*
 * The check at the border of each operation on [va, va + size), bytes. Returns 0, -EINVAL with the
 * reason (nothing, or not all of it, can be translated), or -EBUSY from a function of the caller's.
 */
static inline int pgtsim_pgtable_check(const struct pgtsim_pgtable *pgt, uint64_t va, uint64_t size)
{
	if (pgtsim_pgtable_busy(pgt))
		return pgtsim_pgtable_fail_busy(pgt);
	return pgtsim_pgtable_check_inside(pgt, va, size);
}

/* Like it, for ranges of whole pages alone. */
int pgtsim_pgtable_check_pages(const struct pgtsim_pgtable *pgt, uint64_t va, uint64_t size);

/* 0, or -EINVAL with the reason: `what`, which is modelled for arm64's format alone. */
int pgtsim_pgtable_check_arm64(const struct pgtsim_pgtable *pgt, const char *what);

/* Who does the operations; NULL: the library. */
static inline struct pgtsim_engine *pgtsim_engine_of(const struct pgtsim_pgtable *pgt)
{
	return pgtsim_pgtable_state(pgt)->engine;
}

/*
 * What an operation returns that got no table: -ENOMEM or -ENOBUFS, with this reason; or -EINVAL with
 * what was wrong with the one that the allocator gave.
 */
int pgtsim_fail_table(struct pgtsim_pgtable *pgt, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Gives a table back to its allocator, and emits nothing. */
void pgtsim_table_return(struct pgtsim_pgtable *pgt, struct pgtsim_table *table);

/* What an operation that failed returns: -ENOBUFS if it was the host's memory that ran out. */
int pgtsim_pgtable_result(const struct pgtsim_pgtable *pgt, int result);

/* The entries of a table; 0 of one that is freed. */
static inline unsigned pgtsim_entries_of(const struct pgtsim_pgtable *pgt,
					 const struct pgtsim_table *table)
{
	return table->level < PGTSIM_PGD || table->level > PGTSIM_PTE ?
		       0 :
		       pgtsim_entries(&pgt->geo, table->level);
}

/* The 64-byte lines of a table that the modelled kernel touches for these entries. */
static inline unsigned pgtsim_lines(unsigned index, unsigned count)
{
	return (index + count - 1) / 8 - index / 8 + 1;
}

/* Counts those lines. */
static inline void pgtsim_access_lines(const struct pgtsim_pgtable *pgt, unsigned index,
				       unsigned count)
{
	pgtsim_count(pgt->tlb, &pgt->tlb->counts.lines_touched, pgtsim_lines(index, count));
}

/* ---- the slow path: tables that are shared or hooked, and entries that must be written ---- */

uint64_t pgtsim_access_read_slow(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
				 unsigned index);
void pgtsim_access_write_slow(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
			      unsigned index, uint64_t desc);

/* pgtsim_access_install() in a shared table. */
bool pgtsim_access_install_shared(struct pgtsim_table *table, unsigned index, uint64_t desc);

/* pgtsim_access_fill() of entries that are written to host memory. */
void pgtsim_access_write_leaves(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
				unsigned index, unsigned count, uint64_t desc);

/* pgtsim_access_clear() of entries that are written to host memory; the caller keeps the record. */
void pgtsim_access_write_zeros(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
			       unsigned index, unsigned count, unsigned live);

/* How many of the entries are not zero. */
unsigned pgtsim_access_live(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
			    unsigned index, unsigned count);

/* How many entries from index on are zero, at most count. */
unsigned pgtsim_access_zeros(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
			     unsigned index, unsigned count);

/* How many entries from index on grow by step from one to the next, 1 to count. */
unsigned pgtsim_access_uniform(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
			       unsigned index, unsigned count, uint64_t step);

/* How many entries from index on are no table entries, at most count. Not for the last level. */
unsigned pgtsim_access_no_tables(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
				 unsigned index, unsigned count);

/* ---- which path ---- */

/* Whether one thread alone reads and writes the tables, so that their records can be relied on. */
static inline bool pgtsim_is_private(const struct pgtsim_pgtable *pgt)
{
	return pgt->access == PGTSIM_ACCESS_PRIVATE;
}

static inline bool pgtsim_is_shared(const struct pgtsim_pgtable *pgt)
{
	return pgt->access == PGTSIM_ACCESS_SHARED;
}

/*
 * A function of the caller's begins; returns what is under way already, for the end. Not where others
 * may rightly be at work meanwhile: threads, and actors of explore.
 */
static inline uint8_t pgtsim_busy_begin(struct pgtsim_pgtable *pgt, enum pgtsim_busy busy)
{
	uint8_t before = pgtsim_pgtable_state(pgt)->busy;

	if (pgtsim_is_private(pgt))
		pgtsim_pgtable_state(pgt)->busy = (uint8_t)busy;
	return before;
}

static inline void pgtsim_busy_end(struct pgtsim_pgtable *pgt, uint8_t before)
{
	if (pgtsim_is_private(pgt))
		pgtsim_pgtable_state(pgt)->busy = before;
}

/* Whether tables may be lazy: only those of a simulated memory, which can materialize them. */
static inline bool pgtsim_uses_lazy_tables(const struct pgtsim_pgtable *pgt)
{
	return pgtsim_is_private(pgt) && pgt->ops.find == pgtsim_memory_find_op;
}

/* Whether this table may be lazy. The root is always written. */
static inline bool pgtsim_may_be_lazy(const struct pgtsim_pgtable *pgt,
				      const struct pgtsim_table *table)
{
	return table != pgt->root && pgtsim_uses_lazy_tables(pgt);
}

/* ---- described tables ---- */

/* How many of the entries [index, index + count) of a described table are live. */
static inline unsigned pgtsim_lazy_live(const struct pgtsim_table *table, unsigned index,
					unsigned count)
{
	unsigned first = pgtsim_state(table)->first, end = first + table->live;
	unsigned from = index > first ? index : first;
	unsigned to = index + count < end ? index + count : end;

	return from < to ? to - from : 0;
}

/* Entry `index` of a described table. */
static inline uint64_t pgtsim_lazy_entry(const struct pgtsim_table *table, unsigned index)
{
	const struct pgtsim_table_state *state = pgtsim_state(table);

	return index - state->first < table->live ?
		       state->base + ((uint64_t)index << state->shift) :
		       0;
}

/*
 * Whether a table still holds one run of leaves when these are added, where base is what entry 0
 * of their run would be. True in an empty table, and right before or behind the run there is.
 */
static inline bool pgtsim_fill_extends_run(const struct pgtsim_table *table, unsigned index,
					   unsigned count, uint64_t base)
{
	const struct pgtsim_table_state *state = pgtsim_state(table);

	return !table->live ||
	       (state->described && state->base == base &&
		(index == state->first + table->live || index + count == state->first));
}

/*
 * Whether a table still holds one run of leaves, or none, when these entries are cleared, of which
 * `live` are not zero. False for a hole in the middle of the run.
 */
static inline bool pgtsim_clear_leaves_run(const struct pgtsim_table *table, unsigned index,
					   unsigned count, unsigned live)
{
	const struct pgtsim_table_state *state = pgtsim_state(table);

	return live == table->live ||
	       (state->described &&
		(index <= state->first || index + count >= state->first + table->live));
}

/* ---- single entries ---- */

/* Reads an entry of a private table. */
static inline uint64_t pgtsim_access_read_private(const struct pgtsim_table *table, unsigned index)
{
	return pgtsim_state(table)->lazy ? pgtsim_lazy_entry(table, index) : table->entries[index];
}

static inline uint64_t pgtsim_access_read(const struct pgtsim_pgtable *pgt,
					  const struct pgtsim_table *table, unsigned index)
{
	if (pgtsim_is_private(pgt))
		return pgtsim_access_read_private(table, index);
	return pgtsim_access_read_slow(pgt, table, index);
}

/* Reads an entry to look around: not what the modelled code does, and no step of it. */
static inline uint64_t pgtsim_entry_quietly(const struct pgtsim_pgtable *pgt,
					    const struct pgtsim_table *table, unsigned index)
{
	struct pgtsim_pgtable around = *pgt;

	around.hook = NULL;
	return pgtsim_access_read(&around, table, index);
}

static inline void pgtsim_access_write(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
				       unsigned index, uint64_t desc)
{
	if (!pgtsim_is_private(pgt)) {
		pgtsim_access_write_slow(pgt, table, index, desc);
		return;
	}
	if (pgtsim_state(table)->lazy)
		pgtsim_table_materialize(table);
	pgtsim_cache_drop(table, index);
	pgtsim_state(table)->described = false;
	table->entries[index] = desc;
}

/*
 * Writes an entry that is zero. Returns false, and writes nothing, if the table is shared and
 * another thread has written the entry first. Elsewhere it is a plain write, as the kernel's.
 */
static inline bool pgtsim_access_install(const struct pgtsim_pgtable *pgt,
					 struct pgtsim_table *table, unsigned index, uint64_t desc)
{
	if (pgtsim_is_shared(pgt))
		return pgtsim_access_install_shared(table, index, desc);
	pgtsim_access_write(pgt, table, index, desc);
	return true;
}

/* ---- the record: `live` and `first` ---- */

/*
 * Records that `live` entries from index on, zero before, were written. Threads that share a table
 * keep only `live` of it. `first` is 0 then, which a table that was private may not have yet.
 */
static inline void pgtsim_record_filled(const struct pgtsim_pgtable *pgt,
					struct pgtsim_table *table, unsigned index, unsigned live)
{
	struct pgtsim_table_state *state = pgtsim_state(table);

	if (pgtsim_is_shared(pgt)) {
		if (state->first)
			state->first = 0;
		AO_int_fetch_and_add_release(&table->live, live);
		return;
	}
	table->live += live;
	state->first = index < state->first ? index : state->first;
}

/* Records that entries were cleared, of which `live` were not zero. */
static inline void pgtsim_record_cleared(const struct pgtsim_pgtable *pgt,
					 struct pgtsim_table *table, unsigned index, unsigned count,
					 unsigned live)
{
	struct pgtsim_table_state *state = pgtsim_state(table);

	if (pgtsim_is_shared(pgt)) {
		AO_int_fetch_and_add_release(&table->live, -live);
		return;
	}
	table->live -= live;
	state->first = state->first - index < count ? index + count : state->first;
}

/* ---- runs of leaves ---- */

/* Writes leaves that follow one another, `desc` first, over entries that are zero. Records it. */
static inline void pgtsim_access_fill(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
				      unsigned index, unsigned count, uint64_t desc)
{
	struct pgtsim_table_state *state = pgtsim_state(table);
	uint64_t base = desc - ((uint64_t)index << state->shift);

	if (!pgtsim_is_private(pgt) ||
	    !(table->live ? state->lazy : pgtsim_may_be_lazy(pgt, table)) ||
	    !pgtsim_fill_extends_run(table, index, count, base)) {
		pgtsim_access_write_leaves(pgt, table, index, count, desc);
		return;
	}
	if (!state->lazy)
		pgtsim_table_make_lazy(pgt->ops.ctx, table);
	if (!table->live || index < state->first)
		state->first = index;
	table->live += count;
	state->base = base;
	state->described = true;
}

/* Clears entries, of which `live` are not zero. Records it. */
static inline void pgtsim_access_clear(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
				       unsigned index, unsigned count, unsigned live)
{
	struct pgtsim_table_state *state = pgtsim_state(table);
	bool whole = count == pgtsim_entries(&pgt->geo, table->level);

	if (state->cache || !(state->lazy || (whole && pgtsim_may_be_lazy(pgt, table))) ||
	    !pgtsim_clear_leaves_run(table, index, count, live)) {
		pgtsim_access_write_zeros(pgt, table, index, count, live);
	} else {
		if (!state->lazy)
			pgtsim_table_make_lazy(pgt->ops.ctx, table);
		state->described = true;
	}
	pgtsim_record_cleared(pgt, table, index, count, live);
}

#endif
