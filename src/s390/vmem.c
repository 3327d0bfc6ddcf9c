/* SPDX-License-Identifier: MIT */
/*
 * vmem: one walk adds and removes, whether it is the identity mapping ("direct") or the vmemmap.
 *
 * Removing differs from arm64's two passes. As soon as a table is empty it is freed, and only then its
 * entry is cleared; so is the memory behind a leaf of the vmemmap. All entries are plain stores, and
 * one IDTE at the very end invalidates what CPUs still have cached:
 *
 *	free the memory -> clear the leaf ... free the table -> clear its entry ... IDTE
 *
 * With the knob free-order=after-invalidate memory and tables wait for the IDTE instead: they are
 * gathered, as arm64 does it.
 *
 * Models arch/s390/mm/vmem.c: modify_pagetable() and what it calls. vmem_mutex is not modelled: one
 * operation runs at a time.
 */
#include "vmem.h"

#include <errno.h>
#include <inttypes.h>

#include <pgtsim/format.h>
#include <pgtsim/vmemmap.h>

#include "arch/error.h"
#include "entries.h"
#include "events/events.h"
#include "pgtable/live.h"
#include "pgtable/runs.h"
#include "vmemmap/unused.h"

/* One call of modify_pagetable(). */
struct change {
	struct pgtsim_vmemmap *vmemmap; /* NULL: the identity mapping */
	struct pgtsim_altmap *altmap;
	uint64_t start, end;
	uint64_t delta; /* identity mapping: pa - va */
	enum pgtsim_region region;
	struct waiting *waiting; /* NULL: what is freed is freed at once */
	/* Of each level, while adding: the table in which a table was walked last, and one given up. */
	const struct pgtsim_table *walked[PGTSIM_MAX_LEVELS], *given_up[PGTSIM_MAX_LEVELS];
};

/* ---- runs of whole entries ---- */

/* How many entries of a run, from its first on, lie in the range as a whole. */
static unsigned whole_entries(const struct pgtsim_pgtable *pgt, const struct pgtsim_run *run)
{
	uint64_t size = pgtsim_entry_size(&pgt->geo, run->level);

	if (run->va & (size - 1))
		return 0;
	return (unsigned)((run->last - run->va + 1) >> pgt->geo.shift[pgtsim_slot(run->level)]);
}

/* Moves a run on behind its first `count` entries. Returns what entries() returns then. */
static int go_on(const struct pgtsim_pgtable *pgt, struct pgtsim_run *run, unsigned count)
{
	uint64_t size = pgtsim_entry_size(&pgt->geo, run->level);
	uint64_t next = pgtsim_entry_base(&pgt->geo, run->level, run->va) + count * size;

	if (count >= run->count)
		return 0;
	run->va = next;
	return PGTSIM_WALK_AGAIN;
}

/* ---- adding ---- */

static void alloc_event(struct pgtsim_pgtable *pgt, const struct change *change, uint64_t pfn,
			uint64_t pages)
{
	const struct pgtsim_event event = {
		.op = change->altmap ? PGTSIM_OP_ALTMAP_ALLOC : PGTSIM_OP_PAGES_ALLOC,
		.level = PGTSIM_PTE,
		.count = pages,
		.pa = pfn << pgt->geo.page_shift,
	};

	pgtsim_events_tell(pgt->tlb, &event);
}

/* vmemmap_alloc_block_buf() of up to `count` single pages. Returns how many follow one another. */
static unsigned alloc_pages(struct pgtsim_pgtable *pgt, const struct change *change, unsigned count,
			    uint64_t *pfn)
{
	uint64_t got;

	if (change->altmap)
		got = pgtsim_altmap_alloc_run(change->altmap, count, pfn);
	else
		got = pgtsim_memory_alloc_run(change->vmemmap->memory, count, pfn);
	if (got)
		alloc_event(pgt, change, *pfn, got);
	return (unsigned)got;
}

/* vmemmap_alloc_block_buf() of one segment. Returns 0 or what the allocator returned. */
static int alloc_block(struct pgtsim_pgtable *pgt, const struct change *change, uint64_t *pfn)
{
	unsigned order = pgt->geo.bits[pgtsim_slot(PGTSIM_PTE)];
	int ret;

	if (change->altmap)
		ret = pgtsim_altmap_alloc(change->altmap, UINT64_C(1) << order, pfn);
	else
		ret = pgtsim_memory_alloc(change->vmemmap->memory, order, pfn);
	if (!ret)
		alloc_event(pgt, change, *pfn, UINT64_C(1) << order);
	return ret;
}

/* Entries that were empty become visible without a barrier: s390 keeps the order of stores. */
static void map_run(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, uint64_t pa)
{
	pgtsim_run_map(pgt, run, pa, pgtsim_s390_leaf(pgt, run->level), PGTSIM_EACH_SEEN);
}

static int no_page(struct pgtsim_pgtable *pgt, uint64_t va)
{
	return pgtsim_fail(pgt->tlb, -ENOMEM,
			   "no memory for a page of the memmap, at VA 0x%016" PRIx64, va);
}

/* modify_pte_table(): the empty entries of a run get pages, the others stay. */
static int add_pages(struct pgtsim_pgtable *pgt, const struct change *change,
		     const struct pgtsim_run *run)
{
	unsigned index = run->index, end = run->index + run->count, count;

	for (; index < end; index += count) {
		struct pgtsim_run part;
		uint64_t pfn;

		count = pgtsim_run_zeros(pgt, run->table, index, end - index);
		if (!count) {
			count = 1;
			continue;
		}
		if (change->vmemmap && pgtsim_tlb_singly(pgt->tlb))
			count = 1;
		part = pgtsim_run_entries(pgt, run, index, count);
		if (!change->vmemmap) {
			map_run(pgt, &part, part.va + change->delta);
			continue;
		}
		count = alloc_pages(pgt, change, count, &pfn);
		if (!count)
			return no_page(pgt, part.va);
		part = pgtsim_run_entries(pgt, run, index, count);
		map_run(pgt, &part, pfn << pgt->geo.page_shift);
	}
	return 0;
}

/*
 * No memory for a table. modify_pmd_table() and its like return -ENOMEM only if it is the first table
 * that they come to: `ret` is 0 once an earlier one was walked. Then the rest of this table is left out
 * and the add goes on, and succeeds, with a hole. So it is in the kernel, from 5.9 to 7.3.
 */
static bool is_failure_lost(struct change *change, const struct pgtsim_run *run)
{
	unsigned slot = pgtsim_slot(run->level);

	if (change->walked[slot] != run->table)
		return false;
	change->given_up[slot] = run->table;
	return true;
}

static bool is_given_up(const struct change *change, const struct pgtsim_run *run)
{
	return change->given_up[pgtsim_slot(run->level)] == run->table;
}

static int add_table(struct pgtsim_pgtable *pgt, struct change *change,
		     const struct pgtsim_run *run)
{
	struct pgtsim_table *table;
	int level = run->level + 1;

	if (!pgtsim_table_reserve(pgt, level, &table) && is_failure_lost(change, run))
		return 0;
	if (!table)
		return pgtsim_fail_table(pgt,
					 "no memory for a table, below the %s of VA 0x%016" PRIx64,
					 pgtsim_level_name(&pgt->geo, run->level), run->va);
	/* Page tables have a constructor, region and segment tables of the kernel have none. */
	pgtsim_table_begin(pgt, table, level, run->va, change->region, level == PGTSIM_PTE);
	pgtsim_entry_link(pgt, run, table, pgtsim_s390_table(pgt, run->level, table->pa),
			  PGTSIM_EACH_SEEN);
	return PGTSIM_WALK_AGAIN;
}

/*
 * Whether one entry may map where a run begins, as far as its level goes. The kernel's identity mapping maps
 * an address to itself; what a caller maps elsewhere has to be aligned.
 */
static bool may_be_large(const struct pgtsim_pgtable *pgt, const struct change *change,
			 const struct pgtsim_run *run)
{
	if (change->delta & (pgtsim_entry_size(&pgt->geo, run->level) - 1))
		return false;
	return pgt->geo.block[pgtsim_slot(run->level)] && (run->va || pgt->policy->leaf_at_zero);
}

/* The part of [start, end) that the first entry of a run translates. */
static void part_of_block(const struct pgtsim_pgtable *pgt, const struct change *change,
			  const struct pgtsim_run *run, uint64_t *start, uint64_t *end)
{
	uint64_t size = pgtsim_entry_size(&pgt->geo, run->level);
	uint64_t base = pgtsim_entry_base(&pgt->geo, run->level, run->va);

	*start = base > change->start ? base : change->start;
	*end = base + size < change->end ? base + size : change->end;
}

/* A segment of the vmemmap: always large if memory can be had, even if it is used in part. */
static int add_block(struct pgtsim_pgtable *pgt, struct change *change, struct pgtsim_run *run)
{
	struct pgtsim_run one = pgtsim_run_entries(pgt, run, run->index, 1);
	uint64_t pfn, start, end;

	if (pgtsim_unused_prepare(change->vmemmap, one.va))
		return -ENOMEM;
	if (alloc_block(pgt, change, &pfn))
		return add_table(pgt, change, run);
	map_run(pgt, &one, pfn << pgt->geo.page_shift);
	part_of_block(pgt, change, run, &start, &end);
	if (end - start < pgtsim_entry_size(&pgt->geo, run->level))
		pgtsim_unused_use(change->vmemmap, start, end, true);
	else
		pgtsim_unused_fill(change->vmemmap, start, end);
	return go_on(pgt, run, 1);
}

/* A leaf is there: it stays, and a segment of the vmemmap gets one user more. */
static int keep_leaf(struct pgtsim_pgtable *pgt, const struct change *change,
		     struct pgtsim_run *run)
{
	uint64_t start, end;

	if (change->vmemmap && run->level == PGTSIM_PMD) {
		if (pgtsim_unused_prepare(change->vmemmap, run->va))
			return -ENOMEM;
		part_of_block(pgt, change, run, &start, &end);
		pgtsim_unused_use(change->vmemmap, start, end, false);
	}
	return go_on(pgt, run, 1);
}

static int add_entries(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	struct change *change = arg;
	unsigned empty, whole = whole_entries(pgt, run);

	if (run->level == PGTSIM_PTE)
		return add_pages(pgt, change, run);
	if (is_given_up(change, run))
		return 0;
	empty = pgtsim_run_zeros(pgt, run->table, run->index, run->count);
	if (!empty)
		return keep_leaf(pgt, change, run);
	if (change->vmemmap)
		return run->level == PGTSIM_PMD && pgt->geo.block[pgtsim_slot(PGTSIM_PMD)] ?
			       add_block(pgt, change, run) :
			       add_table(pgt, change, run);
	if (whole && may_be_large(pgt, change, run)) {
		struct pgtsim_run part = pgtsim_run_entries(pgt, run, run->index, empty < whole ? empty : whole);

		map_run(pgt, &part, part.va + change->delta);
		return go_on(pgt, run, part.count);
	}
	return add_table(pgt, change, run);
}

static int add_below(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, struct pgtsim_table *child,
		     void *arg)
{
	(void)pgt;
	(void)child;
	return is_given_up(arg, run) ? PGTSIM_WALK_SKIP : 0;
}

static int added_below(struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
		       struct pgtsim_table *child, void *arg)
{
	struct change *change = arg;

	(void)pgt;
	(void)child;
	change->walked[pgtsim_slot(run->level)] = run->table;
	return 0;
}

/* ---- memory and tables that wait for the IDTE ---- */

enum { WAITING_RUNS = 64 };

struct waiting {
	struct pgtsim_table *tables; /* linked by `next` */
	unsigned count;
	struct pgtsim_held held[WAITING_RUNS];
};

/* flush_tlb_kernel_range(): one IDTE for the kernel's address space, whatever the range; then frees. */
static void flush(struct pgtsim_pgtable *pgt, const struct change *change)
{
	struct waiting *waiting = change->waiting;

	pgtsim_invalidate(pgt->tlb, PGTSIM_OP_IDTE, 0, 0, 0, PGTSIM_SCOPE_IS, 0);
	if (!waiting)
		return;
	for (unsigned i = 0; i < waiting->count; i++)
		pgtsim_run_free(pgt, &waiting->held[i].run, waiting->held[i].pa,
				change->vmemmap->memory, change->altmap);
	waiting->count = 0;
	while (waiting->tables) {
		struct pgtsim_table *table = waiting->tables;

		waiting->tables = table->next;
		table->next = NULL;
		pgtsim_table_give_back(pgt, table, change->start, table->constructed);
	}
}

/* ---- removing ---- */

/* Clears leaves whose addresses follow one another, and frees what the vmemmap has behind them. */
static void remove_leaves(struct pgtsim_pgtable *pgt, const struct change *change,
			  const struct pgtsim_run *run)
{
	uint64_t desc = pgtsim_entry(pgt, run->table, run->index);
	uint64_t pa = pgtsim_desc_address(&pgt->geo, run->level, desc);

	if (!change->vmemmap) {
		pgtsim_run_clear(pgt, run, run->count, 0);
		return;
	}
	if (!change->waiting) {
		pgtsim_run_free(pgt, run, pa, change->vmemmap->memory, change->altmap);
		pgtsim_run_clear(pgt, run, run->count, PGTSIM_EACH_FREE);
		return;
	}
	if (change->waiting->count == WAITING_RUNS)
		flush(pgt, change);
	change->waiting->held[change->waiting->count++] = (struct pgtsim_held){ *run, pa };
	pgtsim_run_clear(pgt, run, run->count, PGTSIM_EACH_FREE);
}

/* The leaves among `count` entries from index on; the empty ones are passed over. */
static void remove_run(struct pgtsim_pgtable *pgt, const struct change *change,
		       const struct pgtsim_run *run, unsigned index, unsigned count)
{
	uint64_t size = pgtsim_entry_size(&pgt->geo, run->level);
	unsigned end = index + count;

	while ((index += pgtsim_run_zeros(pgt, run->table, index, end - index)) < end) {
		struct pgtsim_run part;

		count = pgtsim_tlb_singly(pgt->tlb) ?
				1 :
				pgtsim_run_uniform(pgt, run->table, index, end - index, size);
		part = pgtsim_run_entries(pgt, run, index, count);
		remove_leaves(pgt, change, &part);
		index += count;
	}
}

/*
 * The first entry of a run is a leaf that the range cuts, or an empty one. A segment of the vmemmap
 * goes when nothing of it is used any more; any other leaf stays as it is.
 */
static void remove_part(struct pgtsim_pgtable *pgt, const struct change *change,
			const struct pgtsim_run *run)
{
	uint64_t start, end;

	if (!change->vmemmap || run->level != PGTSIM_PMD ||
	    !pgtsim_entry(pgt, run->table, run->index))
		return;
	part_of_block(pgt, change, run, &start, &end);
	if (!change->vmemmap->unused || !pgtsim_unused_drop(change->vmemmap, start, end))
		return;
	remove_run(pgt, change, run, run->index, 1);
	pgtsim_unused_forget(change->vmemmap, start);
}

static void forget_blocks(const struct pgtsim_pgtable *pgt, const struct change *change,
			  const struct pgtsim_run *run, unsigned count)
{
	uint64_t size = pgtsim_entry_size(&pgt->geo, run->level);

	if (!change->vmemmap || !change->vmemmap->unused || run->level != PGTSIM_PMD)
		return;
	for (unsigned i = 0; i < count; i++)
		pgtsim_unused_forget(change->vmemmap, run->va + i * size);
}

/* A 2G leaf of the identity mapping that the range cuts, where the kernel splits it. */
static bool is_split(const struct pgtsim_pgtable *pgt, const struct change *change,
		     const struct pgtsim_run *run)
{
	return pgt->policy->leaf_split == PGTSIM_SPLIT_FIRST && !change->vmemmap &&
	       run->level == PGTSIM_PUD && pgtsim_entry(pgt, run->table, run->index);
}

/*
 * modify_pud_table() does not look whether split_pud_page() had memory: without, it takes the leaf for
 * an entry that points to a table, and clears what looks like entries in the memory that is mapped.
 */
static int split(struct pgtsim_pgtable *pgt, struct pgtsim_run *run)
{
	if (pgtsim_s390_split(pgt, run))
		return PGTSIM_WALK_AGAIN;
	pgtsim_tlb_violation(pgt->tlb, PGTSIM_V_LEAF_AS_TABLE, run->va, run->level,
			     "no memory for a table of segments");
	return go_on(pgt, run, 1);
}

static int remove_entries(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	const struct change *change = arg;
	unsigned whole = whole_entries(pgt, run);

	if (whole) {
		remove_run(pgt, change, run, run->index, whole);
		forget_blocks(pgt, change, run, whole);
		return go_on(pgt, run, whole);
	}
	if (is_split(pgt, change, run))
		return split(pgt, run);
	remove_part(pgt, change, run);
	return go_on(pgt, run, 1);
}

/* try_free_pte_table() and its like: an empty table is freed, then its entry is cleared. */
static int remove_table(struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
			struct pgtsim_table *child, void *arg)
{
	const struct change *change = arg;

	if (pgtsim_table_live(pgt, child))
		return 0;
	if (!change->waiting) {
		pgtsim_table_give_back(pgt, child, pgtsim_entry_base(&pgt->geo, run->level, run->va),
				       child->constructed);
		pgtsim_table_detach(pgt, run, child);
		return 0;
	}
	pgtsim_table_detach(pgt, run, child);
	child->next = change->waiting->tables;
	change->waiting->tables = child;
	return 0;
}

/* ---- modify_pagetable() ---- */

static int add(struct pgtsim_pgtable *pgt, struct change *change)
{
	static const struct pgtsim_visitor visitor = {
		.entries = add_entries,
		.table = add_below,
		.table_done = added_below,
	};

	return pgtsim_walk(pgt, change->start, change->end - 1, &visitor, change);
}

static void remove_all(struct pgtsim_pgtable *pgt, struct change *change)
{
	static const struct pgtsim_visitor visitor = {
		.entries = remove_entries,
		.table_done = remove_table,
	};
	struct waiting waiting;

	if (pgt->policy->free_order == PGTSIM_FREE_AFTER_INVALIDATE) {
		waiting.tables = NULL;
		waiting.count = 0;
		change->waiting = &waiting;
	}
	pgtsim_events_begin(pgt->tlb, PGTSIM_OP_BEGIN_PASS_1, change->start, change->end - 1);
	pgtsim_walk(pgt, change->start, change->end - 1, &visitor, change);
	flush(pgt, change);
	pgtsim_events_end(pgt->tlb, change->start, change->end - 1);
	change->waiting = NULL;
}

/* Adds; if that fails, all of the range goes, with what was there before. */
static int add_or_remove(struct pgtsim_pgtable *pgt, struct change *change, enum pgtsim_op begin)
{
	int ret;

	pgtsim_events_begin(pgt->tlb, begin, change->start, change->end - 1);
	ret = add(pgt, change);
	if (ret)
		remove_all(pgt, change);
	return ret;
}

/* ---- the engine ---- */

/* vmem_add_mapping() */
static int vmem_map(struct pgtsim_engine *self, struct pgtsim_pgtable *pgt,
		    const struct pgtsim_map *map)
{
	uint64_t mask = pgtsim_page_size(&pgt->geo) - 1;
	struct change change = {
		.start = map->va & ~mask,
		.end = (map->va + map->size + mask) & ~mask,
		.delta = map->pa - map->va,
		.region = map->region,
	};

	(void)self;
	return pgtsim_pgtable_result(pgt, add_or_remove(pgt, &change, PGTSIM_OP_BEGIN_MAP));
}

/* vmem_remove_mapping(); its tables go, too. */
static int vmem_unmap(struct pgtsim_engine *self, struct pgtsim_pgtable *pgt,
		      const struct pgtsim_unmap *unmap)
{
	struct change change = { .start = unmap->start, .end = unmap->end };

	(void)self;
	if (unmap->free_mapped || unmap->altmap)
		return pgtsim_fail(pgt->tlb, -EINVAL,
				   "s390 frees memory behind leaves only where it removes a memmap");
	if ((unmap->start | unmap->end) & (pgtsim_page_size(&pgt->geo) - 1))
		return pgtsim_fail(pgt->tlb, -EINVAL,
				   "0x%" PRIx64 " to 0x%" PRIx64 " are not whole pages",
				   unmap->start, unmap->end);
	remove_all(pgt, &change);
	return 0;
}

/* There is no second pass. */
static int vmem_free_tables(struct pgtsim_engine *self, struct pgtsim_pgtable *pgt, uint64_t start,
			    uint64_t end, uint64_t floor, uint64_t ceiling)
{
	(void)self, (void)pgt, (void)start, (void)end, (void)floor, (void)ceiling;
	return 0;
}

static struct change vmemmap_change(struct pgtsim_vmemmap *vmemmap, uint64_t start, uint64_t end,
				    struct pgtsim_altmap *altmap)
{
	uint64_t mask = pgtsim_page_size(&vmemmap->pgt->geo) - 1;

	unsigned rule = vmemmap->pgt->policy->altmap_full;

	return (struct change){
		.vmemmap = vmemmap,
		.altmap = rule == PGTSIM_ALTMAP_IGNORED || rule == PGTSIM_ALTMAP_REFUSED ? NULL :
											   altmap,
		.start = start & ~mask,
		.end = (end + mask) & ~mask,
		.region = PGTSIM_REGION_VMEMMAP,
	};
}

/* vmemmap_populate() */
static int vmem_populate(struct pgtsim_engine *self, struct pgtsim_vmemmap *vmemmap, uint64_t start,
			 uint64_t end, struct pgtsim_altmap *altmap, unsigned flags)
{
	struct change change = vmemmap_change(vmemmap, start, end, altmap);
	int ret;

	(void)self;
	(void)flags;
	ret = add_or_remove(vmemmap->pgt, &change, PGTSIM_OP_BEGIN_POPULATE);
	return pgtsim_memory_result(vmemmap->memory, ret);
}

/* vmemmap_free() */
static int vmem_free_memmap(struct pgtsim_engine *self, struct pgtsim_vmemmap *vmemmap,
			    uint64_t start, uint64_t end, struct pgtsim_altmap *altmap)
{
	struct change change = vmemmap_change(vmemmap, start, end, altmap);

	(void)self;
	remove_all(vmemmap->pgt, &change);
	return 0;
}

struct pgtsim_engine *pgtsim_vmem_engine(void)
{
	static struct pgtsim_engine engine = {
		.name = "s390",
		.map = vmem_map,
		.unmap = vmem_unmap,
		.free_tables = vmem_free_tables,
		.populate = vmem_populate,
		.free_memmap = vmem_free_memmap,
	};

	return &engine;
}
