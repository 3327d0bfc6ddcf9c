/* SPDX-License-Identifier: MIT */
/*
 * bbm: new entries, and whether what they replace was broken first (break-before-make, Arm ARM
 * D8.16.1); entries changed in place.
 *
 * A break is needed if the output address, the memory type, shareability or (at FEAT_BBM levels 0
 * and 1) the size differs, or an entry becomes global; not for permissions, AF or software bits. At
 * levels 2 and 3 sizes may change in place. What then lingers is harmless as long as the tables
 * translate each of its addresses alike: for ever at level 3, until the operation ends at level 2.
 */
#ifndef PGTSIM_BBM_H
#define PGTSIM_BBM_H

#include "rules.h"

/* The level of FEAT_BBM that the CPUs have. */
static inline unsigned checker_bbm_level(const struct checker *c)
{
	return c->tlb->bbml2 ? 3 : c->features.bbm;
}

/* Entries that were none become leaves or tables. Returns whether they may be cached. */
bool pgtsim_bbm_new(struct checker *c, const struct pgtsim_event *event);

/* An entry overwritten by hand. */
void pgtsim_bbm_by_hand(struct checker *c, const struct pgtsim_event *event);

/*
 * The restrictions of a table entry above these leaves change: `step` of the event has what they
 * were, `pa` what they are now, of all table entries above them, as far as they matter.
 */
void pgtsim_bbm_attributes(struct checker *c, const struct pgtsim_event *event);

#endif
