/* SPDX-License-Identifier: MIT */
#include <pgtsim/teardown.h>

#include <errno.h>
#include <inttypes.h>

#include "pgtable/runs.h"

#define NOWHERE_TO_FREE "there is neither a page allocator nor an altmap to free the memory to"

static int check_range(const struct pgtsim_pgtable *pgt, uint64_t start, uint64_t end)
{
	if (start != end && start > end - 1)
		return pgtsim_fail(pgt->tlb, -EINVAL,
				   "the range ends (0x%" PRIx64 ") before it begins (0x%" PRIx64
				   ")",
				   end, start);
	return pgtsim_pgtable_check(pgt, start, end - start);
}

/* ---- freeing what was mapped ---- */

static void report_bad_free(struct pgtsim_pgtable *pgt, enum pgtsim_bad_free bad, uint64_t va,
			    int level, uint64_t pfn)
{
	static const enum pgtsim_violation_name names[] = {
		[PGTSIM_FREE_NOT_RAM] = PGTSIM_V_NOT_RAM,
		[PGTSIM_FREE_DOUBLE] = PGTSIM_V_DOUBLE_FREE,
		[PGTSIM_FREE_WRONG_ORDER] = PGTSIM_V_WRONG_ORDER,
		[PGTSIM_FREE_WRONG_OWNER] = PGTSIM_V_WRONG_OWNER,
		[PGTSIM_FREE_BOOT] = PGTSIM_V_BOOT_MEMORY_FREED,
		[PGTSIM_FREE_BUSY] = PGTSIM_V_WRONG_OWNER,
	};

	pgtsim_tlb_violation(pgt->tlb, names[bad], va, level, "freeing PFN 0x%llx: %s",
			     (unsigned long long)pfn, pgtsim_bad_free_name(bad));
}

static void pages_event(struct pgtsim_pgtable *pgt, enum pgtsim_op op, uint64_t pfn, uint64_t pages)
{
	const struct pgtsim_event event = {
		.op = op,
		.level = PGTSIM_PTE,
		.count = pages,
		.pa = pfn << pgt->geo.page_shift,
	};

	if (pages)
		pgtsim_events_tell(pgt->tlb, &event);
}

static void free_blocks(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, uint64_t pfn,
			struct pgtsim_memory *memory)
{
	unsigned order = pgt->geo.shift[pgtsim_slot(run->level)] - pgt->geo.page_shift;

	for (unsigned i = 0; i < run->count; i++, pfn += UINT64_C(1) << order) {
		bool freeing = pgtsim_freeing_begin(pgt->tlb);
		enum pgtsim_bad_free bad = pgtsim_memory_free_pages(memory, pfn, order);

		pgtsim_freeing_end(pgt->tlb, freeing);
		if (bad)
			report_bad_free(pgt, bad,
					run->va + i * pgtsim_entry_size(&pgt->geo, run->level),
					run->level, pfn);
		else
			pages_event(pgt, PGTSIM_OP_PAGES_FREE, pfn, UINT64_C(1) << order);
	}
}

static void free_pages(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, uint64_t pfn,
		       struct pgtsim_memory *memory)
{
	uint64_t page = 0;

	while (page < run->count) {
		bool freeing = pgtsim_freeing_begin(pgt->tlb);
		enum pgtsim_bad_free bad;
		uint64_t freed =
			pgtsim_memory_free_run(memory, pfn + page, run->count - page, &bad);

		pgtsim_freeing_end(pgt->tlb, freeing);
		pages_event(pgt, PGTSIM_OP_PAGES_FREE, pfn + page, freed);
		page += freed;
		if (page == run->count)
			break;
		report_bad_free(pgt, bad, run->va + (page << pgt->geo.page_shift), run->level,
				pfn + page);
		page++;
	}
}

/* What is wrong with giving a leaf's memory to an altmap, whatever that memory really is. */
static void check_altmap(struct pgtsim_pgtable *pgt, const struct pgtsim_run *leaf, uint64_t pfn,
			 uint64_t pages, const struct pgtsim_altmap *altmap)
{
	if (!pgtsim_altmap_holds(altmap, pfn, pages))
		pgtsim_tlb_violation(pgt->tlb, PGTSIM_V_WRONG_OWNER, leaf->va, leaf->level,
				     "PFN 0x%llx is freed to an altmap that never had it",
				     (unsigned long long)pfn);
	if (pages > altmap->alloc)
		pgtsim_tlb_violation(pgt->tlb, PGTSIM_V_ALTMAP_WRAPPED, leaf->va, leaf->level,
				     "%llu pages of %llu", (unsigned long long)pages,
				     (unsigned long long)altmap->alloc);
}

static void free_to_altmap(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, uint64_t pfn,
			   uint64_t pages, struct pgtsim_altmap *altmap)
{
	uint64_t each = pages / run->count;

	if (pgtsim_altmap_holds(altmap, pfn, pages) && pages <= altmap->alloc) {
		pgtsim_altmap_free(altmap, pages);
	} else {
		for (unsigned i = 0; i < run->count; i++) {
			const struct pgtsim_run leaf =
				pgtsim_run_entries(pgt, run, run->index + i, 1);

			check_altmap(pgt, &leaf, pfn + i * each, each, altmap);
			pgtsim_altmap_free(altmap, each);
		}
	}
	pages_event(pgt, PGTSIM_OP_ALTMAP_FREE, pfn, pages);
	pages_event(pgt, PGTSIM_OP_PAGES_FREE, pfn, pages);
}

/* Memory that is freed must not be mapped any more. */
static void check_unmapped(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, uint64_t pfn)
{
	uint64_t size = pgtsim_entry_size(&pgt->geo, run->level);

	for (unsigned i = 0; i < run->count; i++)
		if (pgtsim_entry(pgt, run->table, run->index + i))
			pgtsim_tlb_violation(
				pgt->tlb, PGTSIM_V_FREED_WHILE_MAPPED, run->va + i * size,
				run->level, "PFN 0x%llx",
				(unsigned long long)(pfn + (i * size >> pgt->geo.page_shift)));
}

/* Frees the memory of leaves whose addresses follow one another from pa on. */
static void free_backing(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, uint64_t pa,
			 struct pgtsim_memory *memory, struct pgtsim_altmap *altmap)
{
	uint64_t pfn = pa >> pgt->geo.page_shift;
	uint64_t pages = (uint64_t)run->count
			 << (pgt->geo.shift[pgtsim_slot(run->level)] - pgt->geo.page_shift);

	if (pgt->policy->free_order == PGTSIM_FREE_BEFORE_CLEAR || pgt->tlb->checker)
		check_unmapped(pgt, run, pfn);
	if (altmap)
		free_to_altmap(pgt, run, pfn, pages, altmap);
	else if (run->level < PGTSIM_PTE)
		free_blocks(pgt, run, pfn, memory);
	else
		free_pages(pgt, run, pfn, memory);
}

int pgtsim_run_free(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, uint64_t pa,
		    struct pgtsim_memory *memory, struct pgtsim_altmap *altmap)
{
	if (!pgt || !run)
		return -EINVAL;
	if (!run->count)
		return pgtsim_fail(pgt->tlb, -EINVAL, "the run is empty");
	if (!memory && !altmap)
		return pgtsim_fail(pgt->tlb, -EINVAL, NOWHERE_TO_FREE);
	free_backing(pgt, run, pa, memory, altmap);
	return 0;
}

/* ---- the gather ---- */

void pgtsim_gather_init(struct pgtsim_gather *gather, struct pgtsim_pgtable *pgt,
			struct pgtsim_memory *memory, struct pgtsim_altmap *altmap)
{
	if (!gather)
		return;
	gather->pgt = pgt;
	gather->memory = memory;
	gather->altmap = altmap;
	gather->count = 0;
}

/* Frees what it holds: only after an invalidate of all of it. */
static void release(struct pgtsim_gather *gather)
{
	for (unsigned i = 0; i < gather->count; i++)
		free_backing(gather->pgt, &gather->held[i].run, gather->held[i].pa, gather->memory,
			     gather->altmap);
	gather->count = 0;
}

void pgtsim_gather_flush(struct pgtsim_gather *gather)
{
	if (!gather)
		return;

	struct pgtsim_pgtable *pgt = gather->pgt;

	if (!gather->count)
		return;
	pgtsim_tlb_flush_range(pgt->tlb, &pgt->geo, pgt->policy, gather->start, gather->last + 1);
	release(gather);
	pgtsim_events_end(pgt->tlb, gather->start, gather->last);
}

/* The memory behind the run's first entry: an invalid leaf, too, has some. */
static uint64_t memory_behind(const struct pgtsim_pgtable *pgt, const struct pgtsim_run *run)
{
	uint64_t desc = pgtsim_entry(pgt, run->table, run->index) | PGTSIM_DESC_VALID;

	return pgtsim_desc_address(&pgt->geo, run->level, desc);
}

/* Takes leaves whose addresses follow one another, and clears them. */
static void hold(struct pgtsim_gather *gather, const struct pgtsim_run *run)
{
	struct pgtsim_pgtable *pgt = gather->pgt;
	struct pgtsim_held *held;

	if (gather->count == PGTSIM_GATHER_RUNS)
		pgtsim_gather_flush(gather);
	if (!gather->count || run->va < gather->start)
		gather->start = run->va;
	if (!gather->count || run->last > gather->last)
		gather->last = run->last;
	held = &gather->held[gather->count++];
	held->run = *run;
	held->pa = memory_behind(pgt, run);
	pgtsim_run_clear(pgt, run, run->count, PGTSIM_EACH_FREE);
}

static int gather_entries(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	uint64_t size = pgtsim_entry_size(&pgt->geo, run->level);
	unsigned index = run->index, end = run->index + run->count;

	while ((index += pgtsim_run_zeros(pgt, run->table, index, end - index)) < end) {
		unsigned count = pgtsim_run_uniform(pgt, run->table, index, end - index, size);
		const struct pgtsim_run part = pgtsim_run_entries(pgt, run, index, count);
		uint64_t desc = pgtsim_entry(pgt, run->table, index);

		if ((desc & PGTSIM_DESC_VALID) && !pgtsim_desc_is_table(run->level, desc))
			hold(arg, &part);
		index += count;
	}
	return 0;
}

int pgtsim_gather_unmap(struct pgtsim_gather *gather, uint64_t start, uint64_t end)
{
	static const struct pgtsim_visitor visitor = { .entries = gather_entries };

	int ret = gather && gather->pgt ? check_range(gather->pgt, start, end) : -EINVAL;

	ret = ret ? ret : pgtsim_pgtable_check_arm64(gather->pgt, "leaves are gathered");
	if (ret)
		return ret;
	if (!gather->memory && !gather->altmap)
		return pgtsim_fail(gather->pgt->tlb, -EINVAL, NOWHERE_TO_FREE);
	pgtsim_tlb_begin(gather->pgt->tlb, PGTSIM_OP_BEGIN_PASS_1, start, end - 1);
	return pgtsim_walk(gather->pgt, start, end - 1, &visitor, gather);
}

/* ---- pass 1 ---- */

static bool by_page_of_block(const struct pgtsim_pgtable *pgt, const struct pgtsim_run *run)
{
	return pgt->policy->flush == PGTSIM_FLUSH_PER_PAGE_OF_BLOCK && run->level < PGTSIM_PTE;
}

/* Leaves with the contiguous hint whose memory is freed one by one; the first one is `desc`. */
static void report_hint(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, uint64_t desc)
{
	uint64_t size = pgtsim_entry_size(&pgt->geo, run->level);

	for (unsigned i = 0; i < run->count; i++)
		pgtsim_tlb_violation(pgt->tlb, PGTSIM_V_CONT_FREED, run->va + i * size, run->level,
				     "descriptor 0x%016llx", (unsigned long long)(desc + i * size));
}

/*
 * Without a gather: each leaf is invalidated as it is cleared, or (s390) its memory is freed before
 * its entry is cleared, or before the one flush at the end.
 */
static void unmap_and_free_directly(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
				    const struct pgtsim_unmap *unmap, unsigned flags)
{
	uint64_t pa = memory_behind(pgt, run);
	bool before = pgt->policy->free_order == PGTSIM_FREE_BEFORE_CLEAR;

	if (before)
		free_backing(pgt, run, pa, unmap->memory, unmap->altmap);
	pgtsim_run_clear(pgt, run, run->count, flags | PGTSIM_EACH_FREE);
	if (by_page_of_block(pgt, run))
		pgtsim_tlb_flush_range(pgt->tlb, &pgt->geo, pgt->policy, run->va, run->last + 1);
	if (!before)
		free_backing(pgt, run, pa, unmap->memory, unmap->altmap);
}

/* Clears leaves whose addresses follow one another, and frees their memory. */
static void unmap_and_free(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
			   const struct pgtsim_unmap *unmap)
{
	uint64_t desc = pgtsim_entry(pgt, run->table, run->index);
	bool at_end = pgt->policy->flush == PGTSIM_FLUSH_AT_END;
	unsigned flags = at_end || by_page_of_block(pgt, run) ? 0 : PGTSIM_EACH_FLUSH;
	struct pgtsim_gather gather;

	if (desc & PGTSIM_DESC_CONT)
		report_hint(pgt, run, desc);
	if (at_end || flags || pgt->policy->free_order == PGTSIM_FREE_BEFORE_CLEAR) {
		unmap_and_free_directly(pgt, run, unmap, flags);
		return;
	}
	pgtsim_gather_init(&gather, pgt, unmap->memory, unmap->altmap);
	hold(&gather, run);
	pgtsim_gather_flush(&gather);
}

static void unmap_and_free_run(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
			       const struct pgtsim_unmap *unmap)
{
	uint64_t size = pgtsim_entry_size(&pgt->geo, run->level);
	unsigned index = run->index, end = run->index + run->count;
	bool singly = by_page_of_block(pgt, run) || pgtsim_tlb_singly(pgt->tlb);

	while ((index += pgtsim_run_zeros(pgt, run->table, index, end - index)) < end) {
		unsigned count =
			singly ? 1 : pgtsim_run_uniform(pgt, run->table, index, end - index, size);
		const struct pgtsim_run part = pgtsim_run_entries(pgt, run, index, count);

		unmap_and_free(pgt, &part, unmap);
		index += count;
	}
}

static inline void unmap_run(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
			     const struct pgtsim_unmap *unmap)
{
	unsigned live = pgtsim_run_live_inline(pgt, run);
	bool per_leaf = pgt->policy->flush == PGTSIM_FLUSH_PER_LEAF;

	if (!live)
		return;
	if (unmap->free_mapped)
		unmap_and_free_run(pgt, run, unmap);
	else
		pgtsim_run_clear_inline(pgt, run, live, per_leaf ? PGTSIM_EACH_FLUSH : 0);
}

/* True if pass 1 of the kernel takes an entry that was poked for a leaf. */
static bool is_leaf(const struct pgtsim_pgtable *pgt, int level, uint64_t desc)
{
	switch (pgtsim_desc_kind(level, desc)) {
	case PGTSIM_INVALID:
		return pgt->policy->invalid_leaf == PGTSIM_INVALID_LEAF_MARKED &&
		       pgtsim_desc_is_marked(desc);
	case PGTSIM_BLOCK:
		return pgt->geo.block_legal[pgtsim_slot(level)];
	default:
		return true;
	}
}

/*
 * Entries that were poked may be anything; what the kernel would take for a table stays. Entries
 * of upper tables that threads share may have become tables since the walker looked at them.
 */
static void unmap_one_by_one(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
			     const struct pgtsim_unmap *unmap)
{
	for (unsigned i = 0; i < run->count; i++) {
		const struct pgtsim_run one = pgtsim_run_entries(pgt, run, run->index + i, 1);
		uint64_t desc = pgtsim_entry(pgt, run->table, one.index);
		bool leaf = is_leaf(pgt, run->level, desc);

		if (!desc || pgtsim_desc_is_table(run->level, desc))
			continue;
		if (!leaf)
			pgtsim_tlb_violation(pgt->tlb, PGTSIM_V_INVALID_ENTRY, one.va, run->level,
					     "pass 1 %s 0x%016llx%s",
					     run->level < PGTSIM_PTE ? "takes" : "meets",
					     (unsigned long long)desc,
					     run->level < PGTSIM_PTE ? " for a table" : "");
		if (leaf || run->level == PGTSIM_PTE)
			unmap_run(pgt, &one, unmap);
	}
}

static inline int unmap_entries(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	if (run->level == PGTSIM_PTE)
		run->count = pgtsim_pte_steps(pgt, run->va, run->last);
	pgtsim_access_lines(pgt, run->index, run->count);
	if (pgtsim_pgtable_state(pgt)->poked ||
	    (pgt->access != PGTSIM_ACCESS_PRIVATE && run->level < PGTSIM_PTE))
		unmap_one_by_one(pgt, run, arg);
	else
		unmap_run(pgt, run, arg);
	return 0;
}

int pgtsim_unmap_range(struct pgtsim_pgtable *pgt, const struct pgtsim_unmap *unmap)
{
	static const struct pgtsim_visitor visitor = { .entries = unmap_entries };
	int ret = pgt && unmap ? check_range(pgt, unmap->start, unmap->end) : -EINVAL;
	struct pgtsim_engine *engine;
	struct pgtsim_unmap pass;
	uint8_t flush;

	if (ret)
		return ret;
	if (unmap->free_mapped && !unmap->memory)
		return pgtsim_fail(pgt->tlb, -EINVAL,
				   "memory is to be freed, and there is no page allocator for it");
	engine = pgtsim_engine_of(pgt);
	ret = engine && engine->unmap ? engine->unmap(engine, pgt, unmap) : PGTSIM_ENGINE_OWN;
	if (ret != PGTSIM_ENGINE_OWN)
		return ret;
	pass = *unmap;
	flush = pgt->policy->flush;
	pgtsim_events_begin(pgt->tlb, PGTSIM_OP_BEGIN_PASS_1, pass.start, pass.end - 1);
	if (pass.altmap && !pass.free_mapped)
		pgtsim_tlb_violation(pgt->tlb, PGTSIM_V_ALTMAP_WITHOUT_FREE, pass.start, PGTSIM_PTE,
				     "no memory is freed here");
	pgtsim_walk_inside(pgt, pass.start, pass.end - 1, &visitor, &pass);
	if (pass.free_mapped ? flush == PGTSIM_FLUSH_AT_END : flush != PGTSIM_FLUSH_PER_LEAF)
		pgtsim_tlb_flush_range(pgt->tlb, &pgt->geo, pgt->policy, pass.start, pass.end);
	pgtsim_events_end(pgt->tlb, pass.start, pass.end - 1);
	return 0;
}

/* ---- pass 2 ---- */

struct bounds {
	uint64_t floor, ceiling;
	bool frees; /* empty tables inside the bounds go */
};

/* pgtable_range_aligned(): true if the table below the run's entry lies inside the bounds. */
static bool inside(const struct pgtsim_pgtable *pgt, const struct bounds *bounds,
		   const struct pgtsim_run *run)
{
	uint64_t mask = ~(pgtsim_entry_size(&pgt->geo, run->level) - 1);
	uint64_t ceiling = bounds->ceiling & mask;

	if ((run->va & mask) < bounds->floor)
		return false;
	if (bounds->ceiling && !ceiling)
		return false;
	return run->last <= ceiling - 1;
}

/* Descriptors that the kernel reads as it scans. */
static void count_reads(struct pgtsim_pgtable *pgt, uint64_t entries)
{
	pgtsim_count(pgt->tlb, &pgt->tlb->counts.entries_read, entries);
}

/* The kernel's check that pass 1 was there, and what it reads for it. */
static void check_ptes(struct pgtsim_pgtable *pgt, const struct pgtsim_run *parent,
		       struct pgtsim_table *table)
{
	struct pgtsim_run run = {
		.table = table,
		.level = PGTSIM_PTE,
		.index = pgtsim_index(&pgt->geo, PGTSIM_PTE, parent->va),
		.count = pgtsim_pte_steps(pgt, parent->va, parent->last),
		.va = parent->va,
		.last = parent->last,
	};
	unsigned live = pgtsim_run_live_inline(pgt, &run);

	count_reads(pgt, run.count);
	pgtsim_access_lines(pgt, run.index, run.count);
	if (live)
		pgtsim_tlb_violation(pgt->tlb, PGTSIM_V_LEAF_IN_PASS_2, run.va, run.level,
				     "%u entries are live", live);
}

/*
 * True if every entry is zero. The kernel reads from the first entry to the first live one, and
 * that is counted; the library looks at the table's record instead.
 */
static bool is_empty(struct pgtsim_pgtable *pgt, struct pgtsim_table *table)
{
	unsigned entries = pgtsim_entries(&pgt->geo, table->level);
	unsigned first = pgtsim_table_first_inline(pgt, table);
	bool empty = first == entries;

	if (!empty)
		entries = first + 1;
	count_reads(pgt, entries);
	/* A pte table's lines have just been read by the check before. */
	if (table->level < PGTSIM_PTE)
		pgtsim_access_lines(pgt, 0, entries);
	return empty;
}

/* Where KASAN would have its shadow: an eighth of the address space, from its middle on. */
static bool in_kasan_shadow(const struct pgtsim_pgtable *pgt, uint64_t va)
{
	uint64_t start = pgtsim_va_start(&pgt->geo) + (UINT64_C(1) << (pgt->geo.va_bits - 1));

	return va >= start && va - start < UINT64_C(1) << (pgt->geo.va_bits - 3);
}

/* True if pass 2 frees empty tables at va. */
static bool frees_tables(const struct pgtsim_pgtable *pgt, const struct bounds *bounds, uint64_t va)
{
	if (pgt->policy->free_tables == PGTSIM_FREE_KASAN_INVERTED)
		return in_kasan_shadow(pgt, va);
	return bounds->frees;
}

static inline int free_table(struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
			     struct pgtsim_table *child, void *arg)
{
	if (child->level == PGTSIM_PTE)
		check_ptes(pgt, run, child);
	if (!frees_tables(pgt, arg, run->va) || !inside(pgt, arg, run)) {
		if (!pgtsim_table_live(pgt, child))
			pgtsim_count(pgt->tlb, &pgt->tlb->counts.tables_kept, 1);
		return 0;
	}
	if (is_empty(pgt, child))
		pgtsim_table_unlink(pgt, run, child);
	return 0;
}

static int report_blocks(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	(void)arg;
	if (pgtsim_run_live(pgt, run)) {
		unsigned zeros = pgtsim_run_zeros(pgt, run->table, run->index, run->count);
		const struct pgtsim_run one = pgtsim_run_entries(pgt, run, run->index + zeros, 1);
		uint64_t desc = pgtsim_entry(pgt, run->table, one.index);

		/* A table that another thread has linked since is none of ours. */
		if (!pgtsim_desc_is_table(run->level, desc))
			pgtsim_tlb_violation(pgt->tlb, PGTSIM_V_BLOCK_IN_PASS_2, one.va, run->level,
					     "entry 0x%016llx is left as it is",
					     (unsigned long long)desc);
	}
	return 0;
}

/* True if an entry of the root that [va, last] uses may also hold something outside the bounds. */
static bool shares_root(const struct pgtsim_pgtable *pgt, uint64_t va, uint64_t last,
			uint64_t floor, uint64_t ceiling)
{
	uint64_t mask = pgtsim_entry_size(&pgt->geo, pgt->root->level) - 1;

	return (va & ~mask) < floor || (ceiling && (last | mask) > ceiling - 1);
}

int pgtsim_free_tables(struct pgtsim_pgtable *pgt, uint64_t start, uint64_t end, uint64_t floor,
		       uint64_t ceiling)
{
	static const struct pgtsim_visitor visitor = {
		.entries = report_blocks,
		.table_done = free_table,
		.no_pages = true,
	};
	struct pgtsim_engine *engine;
	struct bounds bounds = { .floor = floor, .ceiling = ceiling };
	int ret = pgt ? check_range(pgt, start, end) : -EINVAL;

	if (ret)
		return ret;
	engine = pgtsim_engine_of(pgt);
	ret = PGTSIM_ENGINE_OWN;
	if (engine && engine->free_tables)
		ret = engine->free_tables(engine, pgt, start, end, floor, ceiling);
	if (ret != PGTSIM_ENGINE_OWN)
		return ret;
	bounds.frees = pgt->policy->free_tables == PGTSIM_FREE_FLOOR_CEILING ||
		       (pgt->policy->free_tables == PGTSIM_FREE_SKIP_WHEN_REGIONS_OVERLAP &&
			!shares_root(pgt, start, end - 1, floor, ceiling));
	pgtsim_events_begin(pgt->tlb, PGTSIM_OP_BEGIN_PASS_2, start, end - 1);
	pgtsim_walk_inside(pgt, start, end - 1, &visitor, &bounds);
	pgtsim_events_end(pgt->tlb, start, end - 1);
	return 0;
}
