/* SPDX-License-Identifier: MIT */
/*
 * below: entries below table entries that are stale. A walk may come to them in two ways: from the
 * tables, and from a walk cache that has an old value of a table entry above.
 */
#ifndef PGTSIM_BELOW_H
#define PGTSIM_BELOW_H

#include "rules.h"

/*
 * A table entry goes: old values below it, of stores that are not yet seen, are found through walk
 * caches only. So an invalidate that removes the table entry, too, need not wait for those stores.
 */
void pgtsim_below_unlinked(struct checker *c, const struct pgtsim_event *event);

/* It restricts less than before: a walk may come through it with that to tables below. */
void pgtsim_below_loosened(struct checker *c, const struct pgtsim_event *event);

/* It comes back. */
void pgtsim_below_linked(struct checker *c, const struct pgtsim_event *event);

/*
 * Entries are changed that may also be cached through a stale table entry: once the store is seen,
 * that way leads to the new value, too.
 */
void pgtsim_below_changed(struct checker *c, const struct pgtsim_event *event);

/*
 * A CPU stores to entries: once its store is seen, so are those before it, by whichever CPU.
 */
void pgtsim_below_stored(struct checker *c, const struct pgtsim_event *event);

/*
 * New entries below a table entry whose old value, with other restrictions, a walk cache may hold:
 * they may be cached with those.
 */
void pgtsim_below_restricted(struct checker *c, const struct pgtsim_event *event);

#endif
