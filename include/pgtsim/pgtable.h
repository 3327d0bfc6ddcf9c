/* SPDX-License-Identifier: MIT */
/*
 * pgtable: one kernel page table. Reading and writing entries, the walker and its visitors, map,
 * translate.
 *
 * One walker serves all geometries. It gives its visitor runs, which are consecutive entries of one
 * table that are no table entries, and, one by one, the table entries on the way. Mapping, both
 * passes of the teardown, dumps and checks are visitors.
 *
 * It can be used alone, with a geometry, a policy, a struct pgtsim_tlb and an allocator of tables.
 *
 * Ranges. Operations take a start and a size in bytes. The walker, its runs and what visitors call
 * have `va` and `last`, both inclusive, because a run may end with the last byte of the address
 * space, whose end does not fit into 64 bits. Functions that take several of a thing return how
 * many they got, as a uint64_t; fewer than asked means that the next one failed.
 *
 * Threads. A private or hooked page table is used by one thread at a time. On a shared one
 * (PGTSIM_ACCESS_SHARED, on hosts with atomic accesses of 64 bits) the rules are the kernel's for
 * init_mm. At the same time, from any threads, may run:
 *   - pgtsim_map(), pgtsim_unmap_range() and visitors that write, as long as no two of them touch
 *     the same leaf. They may share tables, and meet at one empty entry: the first links its
 *     table, the other uses that one and gives back its own;
 *   - pgtsim_translate() and walks that only look, of any address that is not about to be freed.
 *     Of what others change meanwhile they see each entry as it was before or after;
 *   - pgtsim_free_tables(), pgtsim_table_unlink(), _detach() and _free(), as long as nobody maps, walks or translates
 *     an address of a table that they free: one inside floor and ceiling that becomes empty.
 *     That is what the bounds are for, and why hotplug operations exclude each other (machine.h).
 *     Whoever follows an entry to a table that is freed meanwhile has a bug, as in the kernel.
 * The allocator of tables must then be safe to call from several threads, too. For a simulated
 * memory pgtsim_memory_share() makes it so. During everything else (init and fini, poke, check,
 * dump) no other thread may use the page table. Entries are written with release and read with
 * acquire.
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
 * Where table pages come from. `ctx` is the first argument of each function.
 *
 * alloc appends up to `count` tables to a list: see pgtsim_memory_alloc_tables(). free takes one
 * back: see pgtsim_memory_free_table(). find returns the record of the table page at pa, or NULL. It
 * only looks, so it is no pgtsim_memory_table(). A `free` of the caller's own always gets a table
 * with its host memory.
 *
 * What an alloc of the caller's own gives is looked at. A table without host memory of its own, not
 * aligned to a page or beyond pa_bits, in use or given twice, with entries that are not zero, or that
 * find() does not find fails the operation with -EINVAL and the reason; it and all after it stay with
 * the allocator. alloc and free must not change the page table: of one that is private, operations
 * called from there return -EBUSY.
 */
struct pgtsim_table_ops {
	uint64_t (*alloc)(void *ctx, uint64_t count, struct pgtsim_table ***tail);
	void (*free)(void *ctx, struct pgtsim_table *table);
	struct pgtsim_table *(*find)(const void *ctx, uint64_t pa);
	void *ctx;
};

/* How entries are read and written. */
enum pgtsim_access {
	PGTSIM_ACCESS_PRIVATE, /* by one thread, in plain loops */
	PGTSIM_ACCESS_SHARED,  /* by several threads, see above: one atomic access an entry */
	PGTSIM_ACCESS_HOOKED,  /* by one thread; the hook, if any, is called before each access */
};

/* What of a section changes: of struct mem_section and its struct mem_section_usage. */
enum pgtsim_section_part {
	PGTSIM_SECTION_FLAGS,        /* the flag that says online is set or cleared */
	PGTSIM_SECTION_POINTER,      /* the pointer to the usage map is cleared */
	PGTSIM_SECTION_GRACE_PERIOD, /* not a change: RCU readers that are under way end first */
	PGTSIM_SECTION_MAP,          /* the usage map is freed */
	PGTSIM_SECTION_NEW_MAP,      /* the pointer is set to a new usage map */
	PGTSIM_SECTION_PARTS,
};

/*
 * Called before an entry is read or written. Here explore lets another actor run. A hook of the
 * caller's may look at the page table, and is not called for that; operations called from there
 * return -EBUSY, unless it stands for another thread: then it takes itself away (`hook` of the page
 * table is NULL) before it calls them.
 */
struct pgtsim_access_hook {
	void (*before)(struct pgtsim_access_hook *self, const uint64_t *entry, bool write);
	/*
	 * [NULL] Called before memory hotplug changes what pfn_to_online_page() reads of the section
	 * that holds this physical address.
	 */
	void (*section)(struct pgtsim_access_hook *self, uint64_t pa,
			enum pgtsim_section_part part);
	/*
	 * Set by the library before each call: true for reads of its own that the modelled code does
	 * not make, when it looks ahead at several entries at once.
	 */
	bool looks_ahead;
};

/* What a table was made for: struct pgtsim_table's `region`. */
enum pgtsim_region {
	PGTSIM_REGION_OTHER,
	PGTSIM_REGION_LINEAR,
	PGTSIM_REGION_VMEMMAP,
	PGTSIM_REGION_VMALLOC, /* linked by core mm, like __pte_alloc_kernel(): DMB ISHST before it */
};

struct pgtsim_pgtable {
	struct pgtsim_geometry geo;
	const struct pgtsim_policy *policy; /* the caller's; must outlive the page table */
	struct pgtsim_tlb *tlb;             /* the caller's; must outlive the page table */
	struct pgtsim_table_ops ops;
	struct pgtsim_table *root;
	enum pgtsim_access access;
	struct pgtsim_access_hook *hook; /* the caller's, for PGTSIM_ACCESS_HOOKED; or NULL */
	uint64_t opaque[4];              /* the library's own */
};

/* The ops that take table pages from a simulated memory. */
PGTSIM_API struct pgtsim_table_ops pgtsim_memory_table_ops(struct pgtsim_memory *memory);

/*
 * Creates a page table: an empty root. Returns 0, -EINVAL (NULL, no such access mode, what ops.alloc
 * gave), -ENOMEM or -ENOBUFS (the host is out of memory).
 * Counts one table allocated.
 */
PGTSIM_API int pgtsim_pgtable_init(struct pgtsim_pgtable *pgt, const struct pgtsim_geometry *geo,
				   const struct pgtsim_policy *policy, struct pgtsim_tlb *tlb,
				   struct pgtsim_table_ops ops, enum pgtsim_access access);

/* Gives back every table. Counts nothing, and does not touch mapped memory. */
PGTSIM_API void pgtsim_pgtable_fini(struct pgtsim_pgtable *pgt);

/* ---- the walker ---- */

/* A run: the `count` entries of one table from `index` on that translate [va, last]. */
struct pgtsim_run {
	struct pgtsim_table *table;
	int level; /* of the entries */
	unsigned index, count;
	uint64_t va;   /* first address of the walked range that the run translates */
	uint64_t last; /* last one, inclusive */
};

/*
 * What a visitor returns: 0 to go on, a negative errno to stop the walk with that result, or one of
 * these.
 */
enum {
	/*
	 * entries() is done up to run->va, which it may have moved on, and has changed entries: look
	 * at the entry of run->va anew.
	 */
	PGTSIM_WALK_AGAIN = 1,
	PGTSIM_WALK_SKIP = 2, /* table(): do not descend; table_done() is not called either */
};

/*
 * Any member may be NULL. `arg` is the caller's. A visitor may look, walk, and use what is below for
 * visitors and pgtsim_poke(). Operations on a range, which may free the tables that are being walked,
 * return -EBUSY from there: map, unmap, free tables, protect, split, join, the vmemmap's, hotplug's.
 * Not found out where threads share the page table or actors explore it.
 */
struct pgtsim_visitor {
	/* Entries that are no table entries: zeros, leaves and invalid ones, mixed. */
	int (*entries)(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg);
	/* A table entry (run->count is 1), before the table it points to is visited … */
	int (*table)(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, struct pgtsim_table *child,
		     void *arg);
	/* … and after; it may free it. */
	int (*table_done)(struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
			  struct pgtsim_table *child, void *arg);
	/* If true, a table entry that points to no table page ends the walk with -EFAULT. */
	bool strict;
	/* If true, tables of the last level are not looked into: no entries() for them. */
	bool no_pages;
};

/*
 * Visits the entries that translate [va, last], in ascending order, a table entry before the entries
 * below it. `last` is inclusive. The range must lie in the geometry's region.
 * A table entry that points to no table page (poked) is a violation, and is left out.
 * Returns 0, -EINVAL (range, NULL), -EFAULT (see strict), -ELOOP (entries() asked to look again
 * again and again without moving on, or moved back or out of the range), or what the visitor returned.
 */
PGTSIM_API int pgtsim_walk(struct pgtsim_pgtable *pgt, uint64_t va, uint64_t last,
			   const struct pgtsim_visitor *visitor, void *arg);

/* ---- table access for visitors: runs of entries of one table ---- */

/* Reads entry `index`; 0 beyond the table. */
PGTSIM_API uint64_t pgtsim_entry(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
				 unsigned index);

/* How many of the run's entries are not zero. */
PGTSIM_API unsigned pgtsim_run_live(const struct pgtsim_pgtable *pgt, const struct pgtsim_run *run);

/*
 * How many entries from index on, 1 to count, have descriptors that grow by `step` from one to the
 * next. With the size of an entry as `step`: leaves that follow one another.
 */
PGTSIM_API unsigned pgtsim_run_uniform(const struct pgtsim_pgtable *pgt,
				       const struct pgtsim_table *table, unsigned index,
				       unsigned count, uint64_t step);

/* How many entries from index on, at most count, are zero. */
PGTSIM_API unsigned pgtsim_run_zeros(const struct pgtsim_pgtable *pgt,
				     const struct pgtsim_table *table, unsigned index,
				     unsigned count);

/* How many entries of a table are not zero. On a shared page table: at some moment of the call. */
PGTSIM_API unsigned pgtsim_table_live(const struct pgtsim_pgtable *pgt,
				      const struct pgtsim_table *table);

/* The part of a run that translates [va, last], which must lie in it. */
PGTSIM_API struct pgtsim_run pgtsim_run_part(const struct pgtsim_pgtable *pgt,
					     const struct pgtsim_run *run, uint64_t va,
					     uint64_t last);

/*
 * Maps the run to pa and the addresses that follow it, with these attributes. Its entries must be
 * zero. `flags` is 0, or PGTSIM_EACH_SYNC for DSB ISHST and ISB after each leaf. Up to 6.1,
 * set_swapper_pgd() issues no barrier, so block entries in the root get none either.
 */
PGTSIM_API void pgtsim_run_map(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
			       uint64_t pa, uint64_t attrs, unsigned flags);

/*
 * Clears the run; `live` is pgtsim_run_live() of it. Emits an event with these flags for each
 * uniform part of the run. From 6.12 on blocks of the root get PGTSIM_EACH_SYNC, too. Flushes and
 * frees nothing that the flags do not say.
 */
PGTSIM_API void pgtsim_run_clear(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
				 unsigned live, unsigned flags);

/*
 * The index of the first entry that is not zero, or the number of entries. Constant time on
 * average, as each search goes on where the last one stopped.
 */
PGTSIM_API unsigned pgtsim_table_first(struct pgtsim_pgtable *pgt, struct pgtsim_table *table);

/* Allocates `count` tables and makes *list the list of them. Returns how many; see Ranges. */
PGTSIM_API uint64_t pgtsim_tables_reserve(struct pgtsim_pgtable *pgt, uint64_t count,
					  struct pgtsim_table **list);

/* Gives back a list of tables that were not linked. */
PGTSIM_API void pgtsim_tables_release(struct pgtsim_pgtable *pgt, struct pgtsim_table **list);

/*
 * Takes the first table of a list and links it at the entry that translates run->va, which must be
 * zero. The barriers are the profile's: DSB ISHST before it, except in the vmemmap; DSB ISHST and ISB
 * after it, except for the root up to 6.1. Models p?d_populate().
 * On a shared page table another thread may link a table there first. Then this one is back on the
 * list, counted as allocated and freed. Models __pte_alloc_kernel(), with a compare-and-swap in
 * place of its lock.
 */
PGTSIM_API void pgtsim_table_link(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
				  struct pgtsim_table **list, uint64_t attrs,
				  enum pgtsim_region region);

/*
 * Clears the table entry of the run, which points to `child`. Nothing is invalidated, and the page
 * of the table stays as it is: walk caches may still lead there. From now on the caller owns the
 * table until pgtsim_table_free(); its `next` is the caller's, to keep a list of such tables.
 * pgtsim_check() reports a table that is never freed as leaked. The barriers are the profile's:
 * DSB ISHST and ISB after an entry of the root, or of a p4d, from 6.12 on; else none. Models
 * p?d_clear().
 */
PGTSIM_API void pgtsim_table_detach(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
				    struct pgtsim_table *child);

/*
 * Frees a table that was detached: calls its destructor if the profile does, emits the event, and
 * gives the page back to the page table's allocator. `va` is an address that the table translated;
 * reports name it. The table is not the caller's any more. That its entry is still there, or that a
 * walk cache may still lead to it, is a violation, and it is freed all the same. Never free the root.
 * Models free_hotplug_pgtable_page().
 */
PGTSIM_API void pgtsim_table_free(struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
				  uint64_t va);

/*
 * Detaches a table, invalidates the walk-cache entries for run->va, and frees the table; with
 * table_free_order=before-invalidate the free comes before the invalidate. Models p?d_clear(),
 * __flush_tlb_kernel_pgtable(), free_hotplug_pgtable_page().
 */
PGTSIM_API void pgtsim_table_unlink(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
				    struct pgtsim_table *child);

/*
 * For operations that may have to be undone. pgtsim_tables_mark() marks this moment.
 * pgtsim_tables_undo() frees the tables of [va, last] that were linked since the mark and are empty,
 * whatever the bounds. Marks nest. On a shared page table undo frees nothing, because
 * other threads may be about to use an empty table; there pass 2 frees what lies inside the bounds.
 */
PGTSIM_API uint32_t pgtsim_tables_mark(struct pgtsim_pgtable *pgt);
PGTSIM_API void pgtsim_tables_undo(struct pgtsim_pgtable *pgt, uint64_t va, uint64_t last,
				   uint32_t mark);

/* ---- operations ---- */

struct pgtsim_map {
	uint64_t va, pa, size; /* bytes; rounded outwards to whole pages */
	uint64_t attrs;        /* of the leaves: struct pgtsim_policy's prot[] */
	uint64_t table_attrs;  /* of new tables */
	bool blocks;           /* may use blocks */
	bool cont;             /* may use the contiguous hint */
	enum pgtsim_region region;
};

/*
 * Maps [va, va + size). Allocates all tables first; after that nothing can fail. Returns 0, or:
 *   -EINVAL  size 0, a range that wraps or is outside the region, PA beyond pa_bits, va and pa
 *            with different offsets in the page, NULL, or a wrong table of the caller's allocator
 *   -EBUSY   called by a visitor, an allocator or a hook
 *   -EEXIST  a live entry in the range, the identical mapping too; nothing was written
 *   -EFAULT  a table entry in the range points to no table page; nothing was written
 *   -ENOBUFS the host is out of memory: pgtsim_memory_out_of_host_memory()
 *   -ENOMEM  nothing was written; with map_failure=keep, as much is mapped as there were tables for.
 *            On a shared page table a part stays mapped if another thread freed a table meanwhile
 * Departures from __create_pgd_mapping(): where the library returns -EINVAL, -EEXIST or -ENOMEM,
 * 6.12 warns, keeps the old entry, or stops the machine.
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
	int level;     /* of the last descriptor read, where the walk ended */
	uint64_t pa;   /* of the byte, if there was no fault */
	uint64_t size; /* bytes that the leaf maps, its contiguous group not counted */
	uint64_t desc; /* the last descriptor read */
	/*
	 * If there was no fault: what EL1 may do besides reading, and what EL0 may do. Restrictions
	 * of the tables on the way are included, PAN and WXN are not.
	 */
	bool writable, executable;
	bool user_readable, user_writable, user_executable;
	uint8_t attr_index; /* the leaf's index into MAIR_EL1 */
	uint8_t sh;         /* its shareability; 0 with LPA2, where TCR_EL1.SH1 has it */
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
 * Overwrites the entry of this level that translates va with any value. For experiments: nothing is
 * flushed, and a table that loses its entry is leaked, which pgtsim_check() reports.
 * Returns 0, -EINVAL (level, va) or -ENOENT (a table above the entry is missing).
 */
PGTSIM_API int pgtsim_poke(struct pgtsim_pgtable *pgt, int level, uint64_t va, uint64_t desc);

/* Like pgtsim_poke(), by a CPU: its own barriers, and no other's, order the store. pgtsim_poke() is CPU 0's. */
PGTSIM_API int pgtsim_poke_on(struct pgtsim_pgtable *pgt, int level, uint64_t va, uint64_t desc,
			      unsigned cpu);

/* Whether pgtsim_poke() has overwritten any entry, so that tables may hold anything. */
PGTSIM_API bool pgtsim_is_poked(const struct pgtsim_pgtable *pgt);

#ifdef __cplusplus
}
#endif

#endif
