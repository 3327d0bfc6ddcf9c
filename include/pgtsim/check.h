/* SPDX-License-Identifier: MIT */
/*
 * check: the invariants that hold between operations. Looks in; what is wrong becomes a violation.
 */
#ifndef PGTSIM_CHECK_H
#define PGTSIM_CHECK_H

#include <pgtsim/machine.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Checks a page table: each table's record against its memory, each table reached once, and as
 * many reached as are counted live. Returns how many violations it added to pgt->tlb.
 */
PGTSIM_API uint64_t pgtsim_check(struct pgtsim_pgtable *pgt);

/*
 * Checks a whole machine: its page table, and that all memory that was hot-added has its linear
 * mapping and its struct pages mapped (unmapped by a neighbour's removal they are not), that no
 * frame backs two leaves of the vmemmap (not looked at if the host has no memory for it), that
 * boot memory is online, and that no empty table is left which removal could have freed.
 * Returns how many violations it added to machine->tlb.
 */
PGTSIM_API uint64_t pgtsim_check_machine(struct pgtsim_machine *machine);

/*
 * Whether two machines are in the same state: every table and descriptor, every frame's owner,
 * sections, memory blocks, zones, devices with their altmaps. Counters and violations aside. For
 * comparing a machine in which something failed with one in which it was not tried.
 * NULL if they are equal, else the first difference: "page table", "memory" …; a constant string.
 */
PGTSIM_API const char *pgtsim_machine_difference(const struct pgtsim_machine *a,
						 const struct pgtsim_machine *b);

#ifdef __cplusplus
}
#endif

#endif
