/* SPDX-License-Identifier: MIT */
/*
 * counters: what a machine has done, in numbers. `machine->tlb.counts.dsb` reads one, and
 * pgtsim_counters() finds them by name.
 */
#ifndef PGTSIM_COUNTERS_H
#define PGTSIM_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

#include <pgtsim/api.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * All counters: field, name in `stats`, meaning. They count what the modelled kernel does,
 * work.entries aside. A run of entries adds as many as it has. A new counter is a row at the end,
 * so that it moves no field of a program compiled before.
 */
#define PGTSIM_COUNTERS(X)                                                                       \
	X(tables_pgd, "tables.pgd", "root tables now live")                                      \
	X(tables_p4d, "tables.p4d", "p4d tables now live")                                       \
	X(tables_pud, "tables.pud", "pud tables now live")                                       \
	X(tables_pmd, "tables.pmd", "pmd tables now live")                                       \
	X(tables_pte, "tables.pte", "pte tables now live")                                       \
	X(tables_allocated, "tables.allocated", "table pages allocated, the root included")      \
	X(tables_freed, "tables.freed", "table pages freed")                                     \
	X(tables_kept, "tables.kept", "times pass 2 kept an empty table because of its bounds")  \
	X(tables_constructed, "tables.constructed", "table pages whose constructor was called")  \
	X(tables_destructed, "tables.destructed", "table pages whose destructor was called")     \
	X(leaves_mapped, "leaves.mapped", "leaf descriptors mapped; a split or join maps none")  \
	X(leaves_cleared, "leaves.cleared",                                                      \
	  "leaf descriptors cleared; a split or join clears none")                               \
	X(pages_allocated, "pages.allocated", "base pages allocated for the vmemmap")            \
	X(pages_freed, "pages.freed", "base pages freed, tables not included")                   \
	X(pages_migrated, "pages.migrated", "pages in use moved by an offline")                  \
	X(memmap_marked, "memmap.marked", "bytes of vmemmap blocks marked as unused")            \
	X(altmap_allocated, "altmap.allocated", "pages handed out by altmaps")                   \
	X(altmap_freed, "altmap.freed", "pages given back to altmaps")                           \
	X(tlbi_leaf, "tlbi.leaf", "invalidates by VA, last level (VAALE1IS)")                    \
	X(tlbi_walk, "tlbi.walk", "invalidates by VA, all levels (VAAE1IS)")                     \
	X(tlbi_range, "tlbi.range", "range invalidates (RVAALE1IS, RVAAE1IS)")                   \
	X(tlbi_all, "tlbi.all", "invalidates of everything (VMALLE1IS)")                         \
	X(dsb, "dsb", "DSB of any kind")                                                         \
	X(dsb_ish, "dsb.ish", "those of them that wait for invalidates: DSB ISH")                \
	X(isb, "isb", "ISB")                                                                     \
	X(entries_read, "entries.read", "descriptors read: one a leaf; pass 2 as it scans")      \
	X(entries_written, "entries.written", "leaf descriptors written or cleared")             \
	X(lines_touched, "lines.touched", "64-byte lines of tables read or written, run by run") \
	X(work_entries, "work.entries", "entries that the library itself dealt with")            \
	X(explore_schedules, "explore.schedules", "schedules explored")                          \
	X(explore_failed, "explore.failed", "those of them that failed")                         \
	X(violations, "violations", "violations found so far")                                   \
	X(dmb, "dmb", "DMB of any kind")                                                         \
	X(tlbi_local, "tlbi.local", "those of all invalidates that reach the own CPU only")      \
	X(memmap_found, "memmap.found", "base pages that a populate found mapped")               \
	X(memmap_kept, "memmap.kept", "base pages left mapped by free-mapped=never")             \
	X(altmap_kept, "altmap.kept", "those of them that an altmap did not get back")

/* Room for counters to come: the size of struct pgtsim_counts is part of the ABI. */
enum {
#define PGTSIM_COUNTER_ONE(field, name, meaning) +1
	PGTSIM_COUNTER_COUNT = 0 PGTSIM_COUNTERS(PGTSIM_COUNTER_ONE),
#undef PGTSIM_COUNTER_ONE
	PGTSIM_COUNTERS_MAX = 64,
};

struct pgtsim_counts {
#define PGTSIM_COUNTER_FIELD(field, name, meaning) uint64_t field;
	PGTSIM_COUNTERS(PGTSIM_COUNTER_FIELD)
#undef PGTSIM_COUNTER_FIELD
	uint64_t reserved[PGTSIM_COUNTERS_MAX - PGTSIM_COUNTER_COUNT]; /* 0 */
};

/* A counter by name. */
struct pgtsim_counter {
	const char *name, *meaning;
	size_t offset; /* of the uint64_t in struct pgtsim_counts, bytes */
};

/* The counters by name; *count receives their number. The table is constant. */
PGTSIM_API const struct pgtsim_counter *pgtsim_counters(size_t *count);

/* The counter of that name, or NULL. */
PGTSIM_API const struct pgtsim_counter *pgtsim_counter_find(const char *name);

/* The value of a counter. */
PGTSIM_API uint64_t pgtsim_counter_value(const struct pgtsim_counts *counts,
					 const struct pgtsim_counter *counter);

#ifdef __cplusplus
}
#endif

#endif
