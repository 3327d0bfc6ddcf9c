/* SPDX-License-Identifier: MIT */
/* groups: live entries that are wrong by themselves. */
#ifndef PGTSIM_GROUPS_H
#define PGTSIM_GROUPS_H

#include "rules.h"

/* Reports contiguous groups of [va, last] that are misprogrammed, and entries of no legal form. */
void pgtsim_groups_report(struct checker *c, uint64_t va, uint64_t last);

#endif
