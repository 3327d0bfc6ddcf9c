/* SPDX-License-Identifier: MIT */
#include <pgtsim/vmemmap.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "pgtable/access.h"
#include "unused.h"
#include "memory/lookup.h"

/* What one populate has done at [va, va + size), so that it can be taken back. */
struct built {
	uint64_t va, size; /* bytes */
	bool shared;       /* part of a block that was there: used from now on, not mapped */
};

struct populating {
	struct pgtsim_vmemmap *vmemmap;
	struct pgtsim_altmap *altmap;
	bool blocks;
	uint64_t fallback; /* address of the pmd that gets base pages because no block was free */
	struct built *log; /* in order; NULL if this populate takes nothing back */
	size_t logged, room;
	bool log_wanted;
	uint64_t start, end; /* as asked for */
	uint32_t mark;       /* tables linked since pgtsim_tables_mark() are this populate's */
};

/* ---- the log ---- */

/* Makes room in the log before something is built: adding it afterwards cannot fail. */
static int log_reserve(struct populating *p)
{
	size_t room = p->room ? 2 * p->room : 16;
	struct built *log;

	if (!p->log_wanted || p->logged < p->room)
		return 0;
	log = realloc(p->log, room * sizeof(*log));
	if (!log) {
		pgtsim_memory_host_failed(p->vmemmap->memory);
		return -ENOMEM;
	}
	p->log = log;
	p->room = room;
	return 0;
}

static void log_add(struct populating *p, uint64_t va, uint64_t size)
{
	struct built *last = p->logged ? &p->log[p->logged - 1] : NULL;

	if (!p->log_wanted)
		return;
	if (last && !last->shared && last->va + last->size == va)
		last->size += size;
	else
		p->log[p->logged++] = (struct built){ .va = va, .size = size };
}

static bool tracks(const struct pgtsim_vmemmap *vmemmap)
{
	return vmemmap->pgt->policy->vmemmap_partial == PGTSIM_PARTIAL_TRACK_UNUSED;
}

static void forget_blocks(struct pgtsim_vmemmap *vmemmap, uint64_t va, uint64_t size)
{
	uint64_t block = pgtsim_entry_size(&vmemmap->pgt->geo, PGTSIM_PMD);

	for (uint64_t done = 0; done < size; done += block)
		pgtsim_unused_forget(vmemmap, va + done);
}

static void take_back(struct populating *p, uint64_t va, uint64_t last)
{
	while (p->logged) {
		struct built *built = &p->log[--p->logged];
		const struct pgtsim_unmap unmap = {
			.start = built->va,
			.end = built->va + built->size,
			.free_mapped = true,
			.altmap = p->altmap,
			.memory = p->vmemmap->memory,
		};

		if (built->shared) {
			pgtsim_unused_drop(p->vmemmap, built->va, built->va + built->size);
			continue;
		}
		if (tracks(p->vmemmap) && p->vmemmap->unused && p->blocks)
			forget_blocks(p->vmemmap, built->va, built->size);
		pgtsim_unmap_range(p->vmemmap->pgt, &unmap);
	}
	if (p->vmemmap->pgt->access == PGTSIM_ACCESS_SHARED)
		pgtsim_free_tables(p->vmemmap->pgt, va, last + 1, p->vmemmap->start,
				   p->vmemmap->end);
	else
		pgtsim_tables_undo(p->vmemmap->pgt, va, last, p->mark);
}

/* ---- populate ---- */

static void alloc_event(struct populating *p, uint64_t pfn, uint64_t pages)
{
	const struct pgtsim_event event = {
		.op = p->altmap ? PGTSIM_OP_ALTMAP_ALLOC : PGTSIM_OP_PAGES_ALLOC,
		.level = PGTSIM_PTE,
		.count = pages,
		.pa = pfn << p->vmemmap->pgt->geo.page_shift,
	};

	pgtsim_events_tell(p->vmemmap->pgt->tlb, &event);
}

/* Allocates up to `count` pages with consecutive frames. Returns how many; 0 if none is free. */
static unsigned alloc_pages(struct populating *p, unsigned count, uint64_t *pfn)
{
	uint64_t got;

	if (p->altmap)
		got = pgtsim_altmap_alloc_run(p->altmap, count, pfn);
	else
		got = pgtsim_memory_alloc_run(p->vmemmap->memory, count, pfn);
	if (!got)
		return 0;
	alloc_event(p, *pfn, got);
	return (unsigned)got;
}

static int alloc_block(struct populating *p, uint64_t *pfn)
{
	unsigned order = p->vmemmap->pgt->geo.bits[pgtsim_slot(PGTSIM_PTE)];
	int ret;

	if (p->altmap)
		ret = pgtsim_altmap_alloc(p->altmap, UINT64_C(1) << order, pfn);
	else
		ret = pgtsim_memory_alloc(p->vmemmap->memory, order, pfn);
	if (!ret)
		alloc_event(p, *pfn, UINT64_C(1) << order);
	return ret;
}

static void map_run(struct populating *p, const struct pgtsim_run *run, uint64_t pfn,
		    uint64_t attrs)
{
	struct pgtsim_pgtable *pgt = p->vmemmap->pgt;

	pgtsim_run_map(pgt, run, pfn << pgt->geo.page_shift, attrs, PGTSIM_EACH_SYNC);
	log_add(p, run->va, (uint64_t)run->count << pgt->geo.shift[pgtsim_slot(run->level)]);
}

/* Why there are no `pages` pages for the memmap at va. */
static int no_memmap(const struct populating *p, uint64_t va, uint64_t pages)
{
	uint64_t bytes = pages << p->vmemmap->pgt->geo.page_shift;
	struct pgtsim_tlb *tlb = p->vmemmap->pgt->tlb;

	if (!p->altmap)
		return pgtsim_fail(tlb, -ENOMEM,
				   "no memory for %s of the memmap, at VA 0x%016" PRIx64
				   ": %" PRIu64 " pages of RAM are free",
				   pgtsim_amount(bytes).text, va,
				   pgtsim_memory_free_now(p->vmemmap->memory));
	return pgtsim_fail(
		tlb, -ENOMEM,
		"the altmap has no %s left for the memmap, at VA 0x%016" PRIx64 ": of its %" PRIu64
		" pages %" PRIu64 " are handed out and %" PRIu64 " lost to alignment",
		pgtsim_amount(bytes).text, va, p->altmap->free, p->altmap->alloc, p->altmap->align);
}

/* Allocates pages for `count` entries from va on, which are all zero, and maps them. */
static int populate_zeros(struct populating *p, const struct pgtsim_run *run, uint64_t va,
			  unsigned count)
{
	struct pgtsim_pgtable *pgt = p->vmemmap->pgt;
	uint64_t size = pgtsim_page_size(&pgt->geo);

	while (count) {
		uint64_t pfn;
		unsigned got = log_reserve(p) ? 0 : alloc_pages(p, count, &pfn);
		struct pgtsim_run part;

		if (!got)
			return no_memmap(p, va, 1);
		part = pgtsim_run_part(pgt, run, va, va + got * size - 1);
		map_run(p, &part, pfn, pgt->policy->vmemmap_page);
		va += got * size;
		count -= got;
	}
	return 0;
}

/* Counts leaves that are there already, for [va, last]: they are kept. */
static void count_found(const struct populating *p, uint64_t va, uint64_t last)
{
	struct pgtsim_pgtable *pgt = p->vmemmap->pgt;

	pgtsim_count(pgt->tlb, &pgt->tlb->counts.memmap_found,
		     (last - va + 1) >> pgt->geo.page_shift);
}

static int populate_pages(struct populating *p, struct pgtsim_run *run)
{
	struct pgtsim_pgtable *pgt = p->vmemmap->pgt;
	unsigned index = run->index, end = run->index + run->count;
	uint64_t mask = pgtsim_page_size(&pgt->geo) - 1;
	int ret = 0;

	while (!ret && index < end) {
		unsigned zeros = pgtsim_run_zeros(pgt, run->table, index, end - index);
		uint64_t va = run->va + ((uint64_t)(index - run->index) << pgt->geo.page_shift);

		ret = populate_zeros(p, run, va, zeros);
		index += zeros;
		va += (uint64_t)zeros << pgt->geo.page_shift;
		if (!ret && index < end)
			count_found(p, va & ~mask, va | mask);
		index++;
	}
	return ret;
}

static int link_table(struct populating *p, const struct pgtsim_run *run)
{
	struct pgtsim_pgtable *pgt = p->vmemmap->pgt;
	struct pgtsim_table *table;

	if (!pgtsim_tables_reserve(pgt, 1, &table))
		return pgtsim_fail_table(pgt,
					 "no memory for a table of the vmemmap, below the %s of VA "
					 "0x%016" PRIx64,
					 pgtsim_level_name(&pgt->geo, run->level), run->va);
	pgtsim_table_link(pgt, run, &table, pgt->policy->vmemmap_table, PGTSIM_REGION_VMEMMAP);
	pgtsim_tables_release(pgt, &table);
	return PGTSIM_WALK_AGAIN;
}

/* An altmap that fails with room left has lost it to alignment. */
static void report_padding(const struct populating *p, const struct pgtsim_run *run, uint64_t pages)
{
	if (p->altmap && pgtsim_altmap_lost_padding(p->altmap, pages))
		pgtsim_tlb_violation(p->vmemmap->pgt->tlb, PGTSIM_V_ALTMAP_LOST_PADDING, run->va,
				     run->level, "%llu pages handed out, %llu lost, %llu in all",
				     (unsigned long long)p->altmap->alloc,
				     (unsigned long long)p->altmap->align,
				     (unsigned long long)p->altmap->free);
}

/* No memory for a block: goes on with base pages, or fails, as the profile says. */
static int without_block(struct populating *p, const struct pgtsim_run *run)
{
	const struct pgtsim_policy *policy = p->vmemmap->pgt->policy;

	const uint64_t pages = UINT64_C(1) << p->vmemmap->pgt->geo.bits[pgtsim_slot(PGTSIM_PTE)];

	report_padding(p, run, pages);
	if (p->altmap ? policy->altmap_full != PGTSIM_ALTMAP_BASE_PAGES :
			policy->block_failure != PGTSIM_BLOCK_FAILURE_BASE_PAGES)
		return no_memmap(p, run->va, pages);
	p->fallback = pgtsim_entry_base(&p->vmemmap->pgt->geo, PGTSIM_PMD, run->va);
	return link_table(p, run);
}

static void use_block(struct populating *p, uint64_t start, uint64_t end, bool fresh)
{
	pgtsim_unused_use(p->vmemmap, start, end, fresh);
	if (!fresh && p->log_wanted)
		p->log[p->logged++] = (struct built){ start, end - start, true };
}

/* Maps one block, or takes part of one that is there into use; blocks are not consecutive. */
static int populate_block(struct populating *p, struct pgtsim_run *run)
{
	struct pgtsim_pgtable *pgt = p->vmemmap->pgt;
	uint64_t size = pgtsim_entry_size(&pgt->geo, PGTSIM_PMD);
	uint64_t base = pgtsim_entry_base(&pgt->geo, PGTSIM_PMD, run->va);

	bool fresh = !pgtsim_entry(pgt, run->table, run->index);

	if (log_reserve(p) || (tracks(p->vmemmap) && pgtsim_unused_prepare(p->vmemmap, base)))
		return -ENOMEM;
	if (fresh) {
		const struct pgtsim_run one = pgtsim_run_part(pgt, run, base, base + size - 1);
		uint64_t pfn;

		if (alloc_block(p, &pfn))
			return without_block(p, run);
		map_run(p, &one, pfn, pgt->policy->vmemmap_block);
	} else
		count_found(p, run->va, base + size - 1 < run->last ? base + size - 1 : run->last);
	if (tracks(p->vmemmap))
		use_block(p, run->va > p->start ? run->va : p->start,
			  base + size - 1 < p->end - 1 ? base + size : p->end, fresh);
	if (run->count == 1)
		return 0;
	run->va = base + size;
	return PGTSIM_WALK_AGAIN;
}

static int populate_entries(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	struct populating *p = arg;
	uint64_t desc;

	if (run->level == PGTSIM_PTE)
		return populate_pages(p, run);
	if (run->level == PGTSIM_PMD && p->blocks)
		return populate_block(p, run);
	desc = pgtsim_entry(pgt, run->table, run->index);
	if (pgtsim_desc_is_table(run->level, desc))
		return PGTSIM_WALK_AGAIN; /* another thread has linked it since */
	if (desc) {
		uint64_t end = run->va | (pgtsim_entry_size(&pgt->geo, run->level) - 1);

		count_found(p, run->va, end < run->last ? end : run->last);
		run->va = pgtsim_entry_base(&pgt->geo, run->level, run->va) +
			  pgtsim_entry_size(&pgt->geo, run->level);
		return run->count == 1 ? 0 : PGTSIM_WALK_AGAIN;
	}
	return link_table(p, run);
}

/* Where a block is wanted and a table stands, 6.1 and 6.12 leave it as it is, holes and all. */
static int populate_table(struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
			  struct pgtsim_table *child, void *arg)
{
	const struct populating *p = arg;

	(void)child;
	if (run->level == PGTSIM_PMD && p->blocks &&
	    pgt->policy->block_over_table == PGTSIM_OVER_TABLE_SKIP &&
	    p->fallback != pgtsim_entry_base(&pgt->geo, PGTSIM_PMD, run->va))
		return PGTSIM_WALK_SKIP;
	return 0;
}

static int check_range(const struct pgtsim_vmemmap *vmemmap, uint64_t start, uint64_t end)
{
	if (!vmemmap)
		return -EINVAL;
	if (pgtsim_pgtable_busy(vmemmap->pgt))
		return pgtsim_pgtable_fail_busy(vmemmap->pgt);
	if (start == end)
		return pgtsim_fail(vmemmap->pgt->tlb, -EINVAL, "the range is empty");
	if (start > end)
		return pgtsim_fail(vmemmap->pgt->tlb, -EINVAL,
				   "the range ends (0x%" PRIx64 ") before it begins (0x%" PRIx64
				   ")",
				   end, start);
	if (start < vmemmap->start || end > vmemmap->end)
		return pgtsim_fail(vmemmap->pgt->tlb, -EINVAL,
				   "0x%" PRIx64 " to 0x%" PRIx64
				   " is not in the vmemmap region, 0x%016" PRIx64
				   " to 0x%016" PRIx64,
				   start, end, vmemmap->start, vmemmap->end);
	return 0;
}

/* Blocks only with the 4K granule, and for less than a section only in some releases. */
static bool wants_blocks(const struct pgtsim_vmemmap *vmemmap, uint64_t size, unsigned flags)
{
	const struct pgtsim_pgtable *pgt = vmemmap->pgt;

	if ((flags & PGTSIM_POPULATE_PAGES) || pgt->geo.page_shift != 12 ||
	    !pgt->geo.block[pgtsim_slot(PGTSIM_PMD)])
		return false;
	return pgt->policy->vmemmap_partial != PGTSIM_PARTIAL_BASE_PAGES ||
	       size >= vmemmap->section_pages * vmemmap->struct_page;
}

static struct pgtsim_altmap *known_altmap(const struct pgtsim_vmemmap *vmemmap,
					  struct pgtsim_altmap *altmap)
{
	return vmemmap->pgt->policy->altmap_full == PGTSIM_ALTMAP_IGNORED ? NULL : altmap;
}

/* pgtsim_vmemmap_populate() as the library does it. */
static int populate(struct pgtsim_vmemmap *vmemmap, uint64_t start, uint64_t end,
		    struct pgtsim_altmap *altmap, unsigned flags)
{
	static const struct pgtsim_visitor visitor = {
		.entries = populate_entries,
		.table = populate_table,
	};
	uint64_t mask = pgtsim_page_size(&vmemmap->pgt->geo) - 1, last = end - 1;
	struct pgtsim_altmap before = { 0 };
	struct populating p = {
		.vmemmap = vmemmap,
		.altmap = known_altmap(vmemmap, altmap),
		.blocks = wants_blocks(vmemmap, end - start, flags),
		.start = start,
		.end = end,
		.log_wanted = vmemmap->pgt->policy->populate_failure == PGTSIM_ROLLBACK,
	};
	int ret;

	pgtsim_events_begin(vmemmap->pgt->tlb, PGTSIM_OP_BEGIN_POPULATE, start, last);
	if (p.altmap)
		before = *p.altmap;
	p.mark = pgtsim_tables_mark(vmemmap->pgt);
	start &= ~mask;
	last |= mask;
	ret = pgtsim_walk(vmemmap->pgt, start, last, &visitor, &p);
	if (ret && p.log_wanted) {
		take_back(&p, start, last);
		if (p.altmap)
			*p.altmap = before;
	}
	free(p.log);
	return pgtsim_memory_result(vmemmap->memory, ret);
}

int pgtsim_vmemmap_populate(struct pgtsim_vmemmap *vmemmap, uint64_t start, uint64_t end,
			    struct pgtsim_altmap *altmap, unsigned flags)
{
	if (!vmemmap)
		return -EINVAL;

	struct pgtsim_engine *engine = pgtsim_engine_of(vmemmap->pgt);
	int ret = check_range(vmemmap, start, end);

	if (ret)
		return ret;
	ret = PGTSIM_ENGINE_OWN;
	if (engine && engine->populate)
		ret = engine->populate(engine, vmemmap, start, end, altmap, flags);
	return ret == PGTSIM_ENGINE_OWN ? populate(vmemmap, start, end, altmap, flags) : ret;
}

/* True if va is mapped by a block. */
static bool in_block(const struct pgtsim_vmemmap *vmemmap, uint64_t va)
{
	struct pgtsim_translation at;

	return !pgtsim_translate(vmemmap->pgt, va, &at) && at.level == PGTSIM_PMD;
}

/*
 * The part of [start, end) that can be unmapped where unused parts are tracked: a block that is
 * still used in part stays, one of which nothing is used any more goes as a whole.
 */
static void drop_unused(struct pgtsim_vmemmap *vmemmap, uint64_t *start, uint64_t *end)
{
	uint64_t size = pgtsim_entry_size(&vmemmap->pgt->geo, PGTSIM_PMD);
	uint64_t from = *start, to = *end;

	for (uint64_t va = from; va < to; va = (va | (size - 1)) + 1) {
		uint64_t base = va & ~(size - 1);
		uint64_t next = base + size - 1 < to - 1 ? base + size : to;
		bool whole = va == base && next == base + size;

		if (!in_block(vmemmap, va))
			continue;
		if (whole || pgtsim_unused_drop(vmemmap, va, next)) {
			pgtsim_unused_forget(vmemmap, va);
			*start = base < *start ? base : *start;
			*end = base + size > *end ? base + size : *end;
		} else if (va == from) {
			*start = next;
		} else {
			*end = va;
		}
	}
}

void pgtsim_vmemmap_fini(struct pgtsim_vmemmap *vmemmap)
{
	if (!vmemmap)
		return;
	pgtsim_unused_free(vmemmap->unused);
	vmemmap->unused = NULL;
}

/* What of a memmap stays mapped. */
struct keeping {
	uint64_t pages, of_altmap;
};

/* Looks around: no entry is counted as work, because the modelled code reads none. */
static struct keeping count_kept(const struct pgtsim_pgtable *pgt, uint64_t start, uint64_t end,
				 const struct pgtsim_altmap *altmap)
{
	struct keeping kept = { 0 };
	unsigned shift = pgt->geo.page_shift;
	uint64_t last;

	for (uint64_t va = start; va < end; va = last + 1) {
		struct pgtsim_translation at;
		bool mapped = !pgtsim_translate(pgt, va, &at);
		uint64_t pages, pfn;

		last = va | (pgtsim_entry_size(&pgt->geo, at.level) - 1);
		last = last < end ? last : end - 1;
		if (!mapped)
			continue;
		pages = (last - va + 1) >> shift;
		pfn = at.pa >> shift;
		kept.pages += pages;
		if (altmap && pfn - (altmap->base + altmap->reserve) < altmap->free)
			kept.of_altmap += pages;
	}
	return kept;
}

/* free-mapped=never: vmemmap_free() does nothing. Only counts. */
static void keep_memmap(struct pgtsim_vmemmap *vmemmap, uint64_t start, uint64_t end,
			const struct pgtsim_altmap *altmap)
{
	struct pgtsim_tlb *tlb = vmemmap->pgt->tlb;
	struct pgtsim_pgtable around = *vmemmap->pgt;
	struct keeping kept;

	around.hook = NULL;
	pgtsim_events_begin(tlb, PGTSIM_OP_BEGIN_PASS_1, start, end - 1);
	kept = count_kept(&around, start, end, altmap);
	pgtsim_count(tlb, &tlb->counts.memmap_kept, kept.pages);
	pgtsim_count(tlb, &tlb->counts.altmap_kept, kept.of_altmap);
	pgtsim_events_end(tlb, start, end - 1);
}

/* pgtsim_vmemmap_free() as the library does it. */
static int free_memmap(struct pgtsim_vmemmap *vmemmap, uint64_t start, uint64_t end,
		       struct pgtsim_altmap *altmap)
{
	struct pgtsim_unmap unmap = {
		.free_mapped = true,
		.altmap = known_altmap(vmemmap, altmap),
		.memory = vmemmap->memory,
	};
	int ret;

	if (vmemmap->pgt->policy->free_mapped == PGTSIM_FREE_MAPPED_NEVER) {
		keep_memmap(vmemmap, start, end, unmap.altmap);
		return 0;
	}
	if (tracks(vmemmap) && vmemmap->unused)
		drop_unused(vmemmap, &start, &end);
	if (start >= end)
		return 0;
	unmap.start = start;
	unmap.end = end;
	ret = pgtsim_unmap_range(vmemmap->pgt, &unmap);
	if (ret)
		return ret;
	return pgtsim_free_tables(vmemmap->pgt, start, end, vmemmap->start, vmemmap->end);
}

int pgtsim_vmemmap_free(struct pgtsim_vmemmap *vmemmap, uint64_t start, uint64_t end,
			struct pgtsim_altmap *altmap)
{
	if (!vmemmap)
		return -EINVAL;

	struct pgtsim_engine *engine = pgtsim_engine_of(vmemmap->pgt);
	int ret = check_range(vmemmap, start, end);

	if (ret)
		return ret;
	ret = PGTSIM_ENGINE_OWN;
	if (engine && engine->free_memmap)
		ret = engine->free_memmap(engine, vmemmap, start, end, altmap);
	return ret == PGTSIM_ENGINE_OWN ? free_memmap(vmemmap, start, end, altmap) : ret;
}
