/* SPDX-License-Identifier: MIT */
/* live: changing entries of live tables in place; shared by split.c, protect.c and engine.c. */
#ifndef PGTSIM_LIVE_H
#define PGTSIM_LIVE_H

#include <pgtsim/protect.h>

#include "events/events.h"

/* True for a valid entry, and for an invalid one that is marked as a leaf. */
bool pgtsim_is_present(uint64_t desc);

/*
 * Writes the entry of a run of one and counts it. A valid entry has to be made visible by DSB ISHST
 * and ISB: at once up to 6.12, and from 6.18 on once at the end, when *pending says so.
 */
void pgtsim_live_write(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, uint64_t desc,
		       bool *pending);

/* pgtsim_split() as a part of another operation: by the library, and without an end. In split.c. */
int pgtsim_split_leaves(struct pgtsim_pgtable *pgt, uint64_t start, uint64_t end);

/* The barriers that pgtsim_live_write() put off. */
void pgtsim_live_complete(struct pgtsim_pgtable *pgt, bool *pending);

/* Writes any value over an entry, as pgtsim_poke() does. `flags`: 0 or PGTSIM_EACH_REPLACED. In pgtable.c. */
void pgtsim_entry_overwrite(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, uint64_t desc,
			    unsigned flags);

/*
 * pgtsim_tables_reserve() of one table that will have entries of this level, of as many pages as those
 * need. Returns whether there is one, in *list. In engine.c.
 */
bool pgtsim_table_reserve(struct pgtsim_pgtable *pgt, int level, struct pgtsim_table **list);

/*
 * Tells the checker of each entry below that of the run, `before` and `after` its descriptors, or
 * those of all on the way, `cpu` which changes it; looking on is neither seen nor counted.
 */
void pgtsim_emit_below(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
		       enum pgtsim_below_change change, uint64_t before, uint64_t after, unsigned cpu);

/* Links a table that has begun: writes its entry, which is zero, and emits that. In pgtable.c. */
void pgtsim_entry_link(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
		       struct pgtsim_table *child, uint64_t desc, unsigned flags);

/*
 * Clears the table entry of the run, which is `desc`, as pgtsim_table_detach() does, without any
 * barrier.
 */
void pgtsim_entry_unlink(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
			 struct pgtsim_table *child, uint64_t desc);

/*
 * Takes the first table of a list, fills it with leaves from `first` on, orders that by DSB ISHST
 * and writes its entry over the block at run->va. In pgtable.c.
 */
void pgtsim_table_replace(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
			  struct pgtsim_table **list, uint64_t first, uint64_t attrs);

#endif
