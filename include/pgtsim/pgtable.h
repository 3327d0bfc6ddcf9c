/* SPDX-License-Identifier: MIT */
/*
 * pgtable: one kernel page table. Table access, the one walker and its visitors; map, translate.
 *
 * The walker descends every geometry alike. It hands its visitor runs: consecutive entries of
 * one table that are not tables, and, one by one, the tables on the way. Mapping, both passes
 * of the teardown, dumps and checks are visitors.
 *
 * Usable alone: geometry, policy, a struct pgtsim_tlb and an allocator of tables are all it needs.
 *
 * Threads. A private or hooked page table is used by one thread at a time. On a shared one
 * (PGTSIM_ACCESS_SHARED, on hosts with atomic accesses of 64 bits) the rules are the kernel's for
 * init_mm. At the same time, from any threads, may run:
 *   - pgtsim_map(), pgtsim_unmap_range() and visitors that write, as long as no two of them touch
 *     the same leaf. They may share tables, and meet at one empty entry: the first links its
 *     table, the other uses that one and gives back its own;
 *   - pgtsim_translate() and walks that only look, of any address that is not about to be freed.
 *     Of what others change meanwhile they see each entry as it was before or after;
 *   - pgtsim_free_tables() and pgtsim_table_unlink(), as long as nobody maps, walks or translates
 *     an address of a table that they free: one inside floor and ceiling that becomes empty.
 *     That is what the bounds are for, and why hotplug operations exclude each other (machine.h).
 *     Whoever follows an entry to a table that is freed meanwhile has a bug, as in the kernel.
 * The allocator of tables must then be safe to call from several threads, too: of a simulated
 * memory pgtsim_memory_share() makes it so. Everything else (init and fini, poke, check, dump)
 * wants all others to be still. Entries are written with release and read with acquire.
 *
 * Models: arch/arm64/mm/mmu.c (__create_pgd_mapping and below), KVM's hyp/pgtable.c for its form.
 */
#ifndef PGTSIM_PGTABLE_H
#define PGTSIM_PGTABLE_H

#include <pgtsim/desc.h>
#include <pgtsim/geometry.h>
#include <pgtsim/memory.h>
#include <pgtsim/policy.h>
#include <pgtsim/tlb.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Where table pages come from. alloc, free and find work as pgtsim_memory_alloc_tables(),
 * pgtsim_memory_free_table() and pgtsim_memory_table() say, but that find need not write out what a
 * record tells; ctx is their first argument. A caller's own free gets no implied table.
 */
struct pgtsim_table_ops {
	uint64_t (*alloc)(void *ctx, uint64_t count, struct pgtsim_table ***tail);
	void (*free)(void *ctx, struct pgtsim_table *table);
	struct pgtsim_table *(*find)(const void *ctx, uint64_t pa);
	void *ctx;
};

/* How entries are read and written. */
enum pgtsim_access {
	PGTSIM_ACCESS_PRIVATE, /* by one thread: plain loops */
	PGTSIM_ACCESS_SHARED,  /* by several, see above: one atomic access an entry */
	PGTSIM_ACCESS_HOOKED,  /* by one; the hook, if any, is called before each access */
};

/* Called before one entry is read or written: where another actor may run (explore). */
struct pgtsim_access_hook {
	void (*before)(struct pgtsim_access_hook *self, const uint64_t *entry, bool write);
};

/* What a table was made for: struct pgtsim_table's `region`. */
enum pgtsim_region {
	PGTSIM_REGION_OTHER,
	PGTSIM_REGION_LINEAR,
	PGTSIM_REGION_VMEMMAP,
};

struct pgtsim_pgtable {
	struct pgtsim_geometry geo;
	const struct pgtsim_policy *policy; /* the caller's, as long as the page table lives */
	struct pgtsim_tlb *tlb;             /* the caller's, too */
	struct pgtsim_table_ops ops;
	struct pgtsim_table *root;
	enum pgtsim_access access;
	struct pgtsim_access_hook *hook; /* of PGTSIM_ACCESS_HOOKED, the caller's; else NULL */
	uint32_t epoch; /* of the tables linked from now on */
	bool poked;     /* entries may hold anything: look at each before it is cleared */
};

/* The ops that take table pages from a simulated memory. */
PGTSIM_API struct pgtsim_table_ops pgtsim_memory_table_ops(struct pgtsim_memory *memory);

/* Creates a page table: an empty root. Returns 0 or -ENOMEM. Counts one table allocated. */
PGTSIM_API int pgtsim_pgtable_init(struct pgtsim_pgtable *pgt, const struct pgtsim_geometry *geo,
				   const struct pgtsim_policy *policy, struct pgtsim_tlb *tlb,
				   struct pgtsim_table_ops ops, enum pgtsim_access access);

/* Gives back every table, uncounted. Mapped memory is not touched. */
PGTSIM_API void pgtsim_pgtable_fini(struct pgtsim_pgtable *pgt);

/* ---- the walker ---- */

/* A run: `count` entries of one table from `index` on, as far as the walked range touches them. */
struct pgtsim_run {
	struct pgtsim_table *table;
	int level;             /* of the entries */
	unsigned index, count;
	uint64_t va;           /* first address of the walked range in the run */
	uint64_t last;         /* last one, inclusive: the end may be that of the address space */
};

/* What a visitor answers: 0 go on, a negative errno stops the walk and is its result, or: */
enum {
	/* entries() changed those before run->va, which it may move on, or the one at it: look again */
	PGTSIM_WALK_AGAIN = 1,
	PGTSIM_WALK_SKIP = 2,  /* table(): do not descend; table_done() is not called either */
};

/* Any member may be NULL. `arg` is the caller's. */
struct pgtsim_visitor {
	/* Entries that are no tables: none, leaves or invalid ones, mixed. */
	int (*entries)(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg);
	/* A table entry (run->count is 1), before the table it points to is visited … */
	int (*table)(struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
		     struct pgtsim_table *child, void *arg);
	/* … and after; it may free it. */
	int (*table_done)(struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
			  struct pgtsim_table *child, void *arg);
	/* A table entry that points to no table page ends the walk with -EFAULT. */
	bool strict;
	/* entries() is not called for tables of the last level: they are not looked into. */
	bool no_pages;
};

/*
 * Visits the entries that translate [va, last], ascending, depth first, a table's entry before
 * what is below it. `last` is inclusive. The range must lie in the geometry's region.
 * A table entry that points to no table page (poked) is a violation, and left out.
 * Returns 0, -EINVAL (range), -EFAULT (see strict), or what the visitor returned.
 */
PGTSIM_API int pgtsim_walk(struct pgtsim_pgtable *pgt, uint64_t va, uint64_t last,
			   const struct pgtsim_visitor *visitor, void *arg);

/* ---- table access for visitors: runs of entries of one table ---- */

/* Reads entry `index`. */
PGTSIM_API uint64_t pgtsim_entry(const struct pgtsim_pgtable *pgt,
				 const struct pgtsim_table *table, unsigned index);

/* How many of the run's entries are not zero. */
PGTSIM_API unsigned pgtsim_run_live(const struct pgtsim_pgtable *pgt, const struct pgtsim_run *run);

/*
 * How many entries from index on, at most count, have descriptors that grow by `step` from one
 * to the next; at least 1.
 */
PGTSIM_API unsigned pgtsim_run_uniform(const struct pgtsim_pgtable *pgt,
				       const struct pgtsim_table *table, unsigned index,
				       unsigned count, uint64_t step);

/* How many entries from index on, at most count, are zero. */
PGTSIM_API unsigned pgtsim_run_zeros(const struct pgtsim_pgtable *pgt,
				     const struct pgtsim_table *table, unsigned index,
				     unsigned count);

/* How many of a table's entries are not zero; on a shared page table, at a moment of the call. */
PGTSIM_API unsigned pgtsim_table_live(const struct pgtsim_pgtable *pgt,
				      const struct pgtsim_table *table);

/* The part of a run that translates [va, last], which must lie in it. */
PGTSIM_API struct pgtsim_run pgtsim_run_part(const struct pgtsim_pgtable *pgt,
					     const struct pgtsim_run *run, uint64_t va,
					     uint64_t last);

/*
 * Maps the run to pa and what follows it with these attributes; its entries must be zero.
 * `flags` PGTSIM_EACH_SYNC as the profile wants it; not done for blocks of the root up to 6.1.
 */
PGTSIM_API void pgtsim_run_map(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
			       uint64_t pa, uint64_t attrs, unsigned flags);

/*
 * Clears the run; `live` is pgtsim_run_live() of it. One event for each uniform part of it with
 * these flags, and PGTSIM_EACH_SYNC for blocks of the root from 6.12 on. Nothing is flushed or
 * freed here.
 */
PGTSIM_API void pgtsim_run_clear(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
				 unsigned live, unsigned flags);

/*
 * The index of the first entry that is not zero, or the number of entries. Constant time on
 * average: the search goes on where it stopped.
 */
PGTSIM_API unsigned pgtsim_table_first(struct pgtsim_pgtable *pgt, struct pgtsim_table *table);

/* Reserves `count` tables onto an empty list. Returns how many; fewer: the next one failed. */
PGTSIM_API uint64_t pgtsim_tables_reserve(struct pgtsim_pgtable *pgt, uint64_t count,
					  struct pgtsim_table **list);

/* Gives back a list of tables that were not linked. */
PGTSIM_API void pgtsim_tables_release(struct pgtsim_pgtable *pgt, struct pgtsim_table **list);

/*
 * Takes the first table of a list and links it under the entry that translates run->va, which
 * must be zero, with the barriers of the profile: before it DSB ISHST for the linear map, after
 * it DSB ISHST and ISB, but not for the root up to 6.1. Models p?d_populate().
 * On a shared page table another thread may link one first: then this one is back on the list,
 * counted as allocated and freed. Models __pte_alloc_kernel(), with a compare-and-swap for its
 * lock.
 */
PGTSIM_API void pgtsim_table_link(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
				  struct pgtsim_table **list, uint64_t attrs,
				  enum pgtsim_region region);

/*
 * Clears the table entry of the run, invalidates the walk-cache entries for run->va, and frees the
 * table. Models p?d_clear(), __flush_tlb_kernel_pgtable(), free_hotplug_pgtable_page().
 */
PGTSIM_API void pgtsim_table_unlink(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
				    struct pgtsim_table *child);

/*
 * For operations that may have to be taken back: marks this moment, and later frees the tables
 * of [va, last] that were linked since and are empty, whatever the bounds. A mark made in between
 * does not disturb an earlier one. Undo does nothing on a shared page table, where others may be
 * about to use what is empty now: there pass 2 frees what lies inside the bounds.
 */
PGTSIM_API uint32_t pgtsim_tables_mark(struct pgtsim_pgtable *pgt);
PGTSIM_API void pgtsim_tables_undo(struct pgtsim_pgtable *pgt, uint64_t va, uint64_t last,
				   uint32_t mark);

/* ---- operations ---- */

struct pgtsim_map {
	uint64_t va, pa, size;  /* bytes; alike unaligned va and pa are rounded outwards */
	uint64_t attrs;         /* of the leaves: struct pgtsim_policy's prot[] */
	uint64_t table_attrs;   /* of new tables */
	bool blocks, cont;      /* may use blocks; the contiguous hint */
	enum pgtsim_region region;
};

/*
 * Maps [va, va + size). All tables are reserved first, then nothing can fail.
 * Returns 0; -EINVAL (size 0, wrapping, outside the region, PA beyond pa_bits, va and pa with
 * different offsets in the page); -EEXIST (a live entry in the range; the identical mapping
 * too), nothing written; -ENOMEM, nothing left of it, or with map_failure=keep what the tables
 * there were sufficed for.
 * -EFAULT if a table entry in the range points to no table page; nothing written.
 * On a shared page table -ENOMEM leaves a part mapped if a table that was there has been freed
 * since.
 * Departures from __create_pgd_mapping(): -EINVAL, -EEXIST and -ENOMEM stand where 6.12 warns,
 * keeps the old entry, or stops the machine.
 */
PGTSIM_API int pgtsim_map(struct pgtsim_pgtable *pgt, const struct pgtsim_map *map);

/* Why a translation failed (Arm ARM D8.15). */
enum pgtsim_fault {
	PGTSIM_FAULT_NONE,
	PGTSIM_FAULT_TRANSLATION,  /* an entry is invalid, or a block where none is legal */
	PGTSIM_FAULT_ADDRESS_SIZE, /* an output address beyond pa_bits */
	PGTSIM_FAULT_ACCESS_FLAG,  /* AF is 0 */
	PGTSIM_FAULT_EXTERNAL,     /* a table address where no table is */
};

/* One step of a walk. */
struct pgtsim_step {
	int level;
	unsigned index;
	uint64_t desc;
};

struct pgtsim_translation {
	enum pgtsim_fault fault;
	int level;   /* where the walk ended: of the last descriptor read */
	uint64_t pa; /* of the byte, if there was no fault */
	uint64_t size; /* bytes that the leaf maps, its contiguous group not counted */
	uint64_t desc; /* the last descriptor read */
	/*
	 * If there was no fault: what EL1 may do besides reading, what EL0 may do, restrictions of
	 * the tables on the way included (without PAN and WXN); the leaf's index into MAIR_EL1;
	 * its SH, 0 with LPA2, where TCR_EL1.SH1 says.
	 */
	bool writable, executable;
	bool user_readable, user_writable, user_executable;
	uint8_t attr_index, sh;
	unsigned steps;
	struct pgtsim_step step[PGTSIM_MAX_LEVELS]; /* the first `steps` are written */
};

/*
 * Translates va as the MMU would. Returns 0, -EINVAL (va outside the region; *out has no steps)
 * or -EFAULT (out->fault says why).
 */
PGTSIM_API int pgtsim_translate(const struct pgtsim_pgtable *pgt, uint64_t va,
				struct pgtsim_translation *out);

/* The name of a fault: "translation fault" … */
PGTSIM_API const char *pgtsim_fault_name(enum pgtsim_fault fault);

/*
 * Overwrites the entry of this level that translates va with any value; tables above it must
 * be there. For experiments: nothing is flushed, and a table that loses its entry is leaked
 * (the check says so). Returns 0, -EINVAL (level, va) or -ENOENT (a table above is missing).
 */
PGTSIM_API int pgtsim_poke(struct pgtsim_pgtable *pgt, int level, uint64_t va, uint64_t desc);

#ifdef __cplusplus
}
#endif

#endif
