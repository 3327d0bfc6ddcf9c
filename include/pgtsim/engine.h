/* SPDX-License-Identifier: MIT */
/*
 * engine: who maps, unmaps, frees tables, populates and frees the vmemmap, changes live mappings and
 * decides about offline. It is the library, unless the caller brings an engine of its own: a new algorithm, or
 * the functions of a kernel source compiled for the host (`pgtsim kernel build`). All else stays the
 * library's: memory and its owners, injected failures, hotplug, counters, cost, checker, explore, trace.
 *
 * An engine is asked once for each operation, after the library has checked the operation's ranges.
 * It may use all of pgtable.h and teardown.h: the walk, runs, the gather, pgtsim_table_detach(); or
 * store single entries by the functions below. It must not call the operation that it implements.
 *
 * The events are the engine's to emit: pgtsim_tlb_begin() and pgtsim_tlb_end() around what it does,
 * barriers and invalidates by pgtsim_barrier() and pgtsim_invalidate() (tlb.h). examples/own/engine.c
 * is one.
 */
#ifndef PGTSIM_ENGINE_H
#define PGTSIM_ENGINE_H

#include <pgtsim/pgtable.h>
#include <pgtsim/protect.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pgtsim_altmap;
struct pgtsim_hotplug; /* hotplug.h */
struct pgtsim_unmap;   /* teardown.h */
struct pgtsim_vmemmap; /* vmemmap.h */

/* What a function of an engine returns to have the library do the operation. */
enum { PGTSIM_ENGINE_OWN = 1 };

/*
 * Any function may be NULL: then the library does that. Each returns PGTSIM_ENGINE_OWN, or what the
 * function it stands for returns: 0 or a negative errno. Embedded by its owner.
 */
struct pgtsim_engine {
	const char *name;
	/* __create_pgd_mapping(): pgtsim_map(). */
	int (*map)(struct pgtsim_engine *self, struct pgtsim_pgtable *pgt,
		   const struct pgtsim_map *map);
	/* unmap_hotplug_range(), pass 1: pgtsim_unmap_range(). */
	int (*unmap)(struct pgtsim_engine *self, struct pgtsim_pgtable *pgt,
		     const struct pgtsim_unmap *unmap);
	/* free_empty_tables(), pass 2: pgtsim_free_tables(). */
	int (*free_tables)(struct pgtsim_engine *self, struct pgtsim_pgtable *pgt, uint64_t start,
			   uint64_t end, uint64_t floor, uint64_t ceiling);
	/* vmemmap_populate(): pgtsim_vmemmap_populate(). */
	int (*populate)(struct pgtsim_engine *self, struct pgtsim_vmemmap *vmemmap, uint64_t start,
			uint64_t end, struct pgtsim_altmap *altmap, unsigned flags);
	/* vmemmap_free(): pgtsim_vmemmap_free(). */
	int (*free_memmap)(struct pgtsim_engine *self, struct pgtsim_vmemmap *vmemmap,
			   uint64_t start, uint64_t end, struct pgtsim_altmap *altmap);
	/* set_memory_…(), set_direct_map_…(): pgtsim_protect(). All of the range is mapped. */
	int (*protect)(struct pgtsim_engine *self, struct pgtsim_pgtable *pgt, uint64_t va,
		       uint64_t size, enum pgtsim_protect what, bool noflush);
	/* split_kernel_leaf_mapping(): pgtsim_split(). */
	int (*split)(struct pgtsim_engine *self, struct pgtsim_pgtable *pgt, uint64_t start,
		     uint64_t end);
	/* vmap_range(): pgtsim_vmap(). */
	int (*vmap)(struct pgtsim_engine *self, struct pgtsim_pgtable *pgt, uint64_t va,
		    uint64_t pa, uint64_t size, bool huge);
	/* vunmap_range(): pgtsim_vunmap(). */
	int (*vunmap)(struct pgtsim_engine *self, struct pgtsim_pgtable *pgt, uint64_t va,
		      uint64_t size);
	/*
	 * Whether the memory block at `start`, bytes, may go offline: what memory_block_offline() and
	 * arm64's notifier say before anything changes. Returns PGTSIM_ENGINE_OWN, 0, or the negative errno
	 * that pgtsim_offline_memory() then returns: all of its range stays online.
	 */
	int (*may_offline)(struct pgtsim_engine *self, struct pgtsim_hotplug *hotplug,
			   uint64_t start);
	/*
	 * memory_block_online() and memory_block_offline() of that block: the engine emits the events of
	 * its memmap's KASAN shadow. Zones, the notifier chain and the migration stay the library's.
	 * Each returns PGTSIM_ENGINE_OWN, 0, or a negative errno, which pgtsim_online_memory() or
	 * pgtsim_offline_memory() then returns. The block has not gone online by then, or has gone
	 * offline; the blocks before it have, too, and those after it stay as they are.
	 */
	int (*online)(struct pgtsim_engine *self, struct pgtsim_hotplug *hotplug, uint64_t start);
	int (*offline)(struct pgtsim_engine *self, struct pgtsim_hotplug *hotplug, uint64_t start);
	/*
	 * ptdump_walk_pgd(): reads all entries for [start, end). Returns PGTSIM_ENGINE_OWN, or 0 or a
	 * negative errno, which pgtsim_actor_ptdump() then returns.
	 */
	int (*ptdump)(struct pgtsim_engine *self, struct pgtsim_pgtable *pgt, uint64_t start,
		      uint64_t end);
};

/*
 * From now on this engine works on the page table; NULL: the library again. The engine stays the
 * caller's and must outlive the page table. It may come and go between operations.
 */
PGTSIM_API void pgtsim_engine_set(struct pgtsim_pgtable *pgt, struct pgtsim_engine *engine);

/* The engine of a page table; NULL: the library. */
PGTSIM_API struct pgtsim_engine *pgtsim_engine_get(const struct pgtsim_pgtable *pgt);

/* ---- for engines that load and store single entries ---- */

/*
 * Loads entry `index` as the modelled code does: counted, and a step where schedules are explored.
 * pgtsim_entry() is for looking around.
 */
PGTSIM_API uint64_t pgtsim_entry_load(struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
				      unsigned index);

/*
 * Stores any value to the entry of a table that translates va, and emits the event that the store is:
 * map, clear, link, unlink, or the change of a live entry. No barrier and no invalidate comes with it.
 * A table that it links is one that pgtsim_table_begin() began. `flags` is 0, or PGTSIM_EACH_SEEN if
 * barriers that are no events make the entry visible.
 */
PGTSIM_API void pgtsim_entry_store(struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
				   uint64_t va, uint64_t desc, unsigned flags);

/*
 * The same for a table that began and that no entry points to yet: the event is PGTSIM_OP_STORE. It
 * must be empty when it begins.
 */
PGTSIM_API void pgtsim_entry_store_early(struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
					 unsigned index, uint64_t desc);

/*
 * A table of pgtsim_tables_reserve() is empty and about to be linked by pgtsim_entry_store(): it will
 * have entries of `level` and translate from `va` on. `constructed`: its constructor was called.
 * Does nothing if the geometry has no such level.
 */
PGTSIM_API void pgtsim_table_begin(struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
				   int level, uint64_t va, enum pgtsim_region region,
				   bool constructed);

/*
 * Like pgtsim_table_free(), for code that calls the destructor of a table itself, or does not: a
 * table whose constructor was called and that is freed without is a violation.
 */
PGTSIM_API void pgtsim_table_give_back(struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
				       uint64_t va, bool destructed);

#ifdef __cplusplus
}
#endif

#endif
