/* SPDX-License-Identifier: MIT */
/*
 * checker: what may still be cached although the tables say otherwise, and what may not be seen
 * yet although they say so.
 *
 *   checker.c     takes each event, and hands it to those below
 *   reports.c     what is said of what was found
 *   below.c       entries that walk caches lead to in another way than the tables
 *   bbm.c         new entries and changes in place: break-before-make, sizes
 *   groups.c      contiguous groups that are misprogrammed, entries of no legal form
 *   visible.c     new entries and tables that walks may not see yet
 *   rules.c       what makes an entry stale, and what makes it stale no more
 *   invalidate.c  what an invalidate removes
 *   asking.c      what may be stale, for whoever looks in
 *   stale_set.c   the runs of stale entries, and how they are found
 *   range_map.c   ranges of addresses that may overlap
 *
 * Whatever can be walked may be cached, so only the rest needs room: runs of entries that went or
 * changed and whose old values may still be in use. Old values of one entry are told apart.
 *
 * Not known here: what freed tables hold later, and tables linked in two places; each is named by a
 * violation of its own.
 */
#ifndef PGTSIM_CHECKER_CHECKER_H
#define PGTSIM_CHECKER_CHECKER_H

#include "stale_set.h"

#endif
