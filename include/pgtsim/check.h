/* SPDX-License-Identifier: MIT */
/*
 * check: the invariants that hold between operations. What does not hold is reported
 * as a violation; nothing else changes.
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
 * Compares the state of two machines: every table and descriptor, every frame's owner,
 * sections, memory blocks, zones, devices with their altmaps. Counters and violations aside. For
 * comparing a machine in which something failed with one in which it was not tried.
 * NULL if they are equal, else the first difference: "page table", "memory" …; a constant string.
 */
PGTSIM_API const char *pgtsim_machine_difference(const struct pgtsim_machine *a,
						 const struct pgtsim_machine *b);

/* The first entry, in ascending addresses, that two page tables do not have alike. */
struct pgtsim_difference {
	int level;
	uint64_t va;               /* the first address that the entry translates */
	uint64_t desc_a, desc_b;   /* alike if it is the table below that one of them lacks */
};

/*
 * True if two page tables of one geometry differ in an entry or in what it leads to; *out receives
 * the first one.
 */
PGTSIM_API bool pgtsim_pgtable_difference(const struct pgtsim_pgtable *a,
					  const struct pgtsim_pgtable *b,
					  struct pgtsim_difference *out);

#ifdef __cplusplus
}
#endif

#endif
