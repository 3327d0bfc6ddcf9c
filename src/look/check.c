/* SPDX-License-Identifier: MIT */
#include <pgtsim/check.h>

#include <stdlib.h>
#include <string.h>

#include "pgtable/access.h"
#include "hotplug/online.h"
#include "hotplug/sections.h"

/* The tables reached so far form a list through their `next`, which is NULL in a linked table. */
struct checking {
	struct pgtsim_table *list;
	struct pgtsim_table end;
	uint64_t reached;
};

static bool reach(struct checking *checking, struct pgtsim_table *table)
{
	if (table->next)
		return false;
	table->next = checking->list;
	checking->list = table;
	checking->reached++;
	return true;
}

static void forget(struct checking *checking)
{
	while (checking->list != &checking->end) {
		struct pgtsim_table *table = checking->list;

		checking->list = table->next;
		table->next = NULL;
	}
}

/* True if the table's entries are those that its record describes. */
static bool is_as_described(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table)
{
	uint64_t step = UINT64_C(1) << pgtsim_state(table)->shift;

	return !pgtsim_state(table)->described || !table->live ||
	       (pgtsim_entry(pgt, table, pgtsim_state(table)->first) ==
			pgtsim_state(table)->base + pgtsim_state(table)->first * step &&
		pgtsim_access_uniform(pgt, table, pgtsim_state(table)->first, table->live, step) ==
			table->live);
}

/* Compares a table's record with its entries in memory. */
static void check_table(struct pgtsim_pgtable *pgt, const struct pgtsim_table *table, uint64_t va)
{
	unsigned entries = pgtsim_entries(&pgt->geo, table->level);
	unsigned live = pgtsim_access_live(pgt, table, 0, entries);
	unsigned zeros = pgtsim_access_zeros(pgt, table, 0, entries);

	if (live != table->live || zeros < pgtsim_state(table)->first)
		pgtsim_tlb_violation(pgt->tlb, PGTSIM_V_TABLE_COUNT, va, table->level,
				     "%u live entries from %u on, recorded %u from %u on", live,
				     zeros, table->live, pgtsim_state(table)->first);
	else if (!is_as_described(pgt, table))
		pgtsim_tlb_violation(pgt->tlb, PGTSIM_V_TABLE_COUNT, va, table->level,
				     "%u live entries from %u on, not those that were recorded",
				     live, zeros);
}

static int check_child(struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
		       struct pgtsim_table *child, void *arg)
{
	struct checking *checking = arg;

	if (!reach(checking, child)) {
		pgtsim_tlb_violation(pgt->tlb, PGTSIM_V_TABLE_SHARED, run->va, run->level,
				     "the table at 0x%llx has been reached by another entry",
				     (unsigned long long)child->pa);
		return PGTSIM_WALK_SKIP;
	}
	check_table(pgt, child, run->va);
	return 0;
}

static uint64_t live_tables(const struct pgtsim_counts *counts)
{
	return counts->tables_pgd + counts->tables_p4d + counts->tables_pud + counts->tables_pmd +
	       counts->tables_pte;
}

uint64_t pgtsim_check(struct pgtsim_pgtable *pgt)
{
	if (!pgt || !pgt->root)
		return 0;

	static const struct pgtsim_visitor visitor = { .table = check_child };
	struct pgtsim_counts *counts = &pgt->tlb->counts;
	uint64_t before = counts->violations, work = counts->work_entries;
	struct checking checking = { .list = &checking.end };
	uint64_t va = pgtsim_va_start(&pgt->geo), last = pgtsim_va_last(&pgt->geo);

	reach(&checking, pgt->root);
	check_table(pgt, pgt->root, va);
	pgtsim_walk(pgt, va, last, &visitor, &checking);
	forget(&checking);
	if (checking.reached != live_tables(counts))
		pgtsim_tlb_violation(pgt->tlb, PGTSIM_V_TABLE_LEAK, va, pgt->root->level,
				     "%llu tables are live, %llu can be reached",
				     (unsigned long long)live_tables(counts),
				     (unsigned long long)checking.reached);
	counts->work_entries = work;
	pgtsim_tlb_end(pgt->tlb, va, last);
	return counts->violations - before;
}

/* ---- a whole machine ---- */

/* How far a range is seen to be mapped as it must be. */
struct coverage {
	uint64_t next;  /* the first address not seen to be mapped */
	uint64_t delta; /* pa - va, if that is to hold */
	bool linear;
	bool elsewhere; /* a leaf is there, for other memory */
};

/* Whether an entry maps, or is an invalid leaf that the profile's kernel marks as meant. */
static bool is_meant(const struct pgtsim_pgtable *pgt, uint64_t desc)
{
	return desc & PGTSIM_DESC_VALID ||
	       (pgt->policy->invalid_leaf == PGTSIM_INVALID_LEAF_MARKED &&
		pgtsim_desc_is_marked(desc));
}

static int cover_entries(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	struct coverage *coverage = arg;
	uint64_t size = pgtsim_entry_size(&pgt->geo, run->level);
	uint64_t va = pgtsim_entry_base(&pgt->geo, run->level, run->va);

	if (run->va != coverage->next)
		return -1;
	for (unsigned i = 0; i < run->count;) {
		uint64_t desc = pgtsim_entry(pgt, run->table, run->index + i);
		/* An invalid leaf that is meant keeps the address that it would map. */
		uint64_t pa = pgtsim_desc_address(&pgt->geo, run->level, desc | PGTSIM_DESC_VALID);
		unsigned alike;

		coverage->elsewhere =
			is_meant(pgt, desc) && coverage->linear && pa != va + coverage->delta;
		if (!is_meant(pgt, desc) || coverage->elsewhere)
			return -1;
		alike = pgtsim_run_uniform(pgt, run->table, run->index + i, run->count - i, size);
		i += alike;
		va += alike * size;
		coverage->next = va;
	}
	return 0;
}

/* Walks without reporting: what is wrong with tables was reported before. */
static int walk_quietly(struct pgtsim_pgtable *pgt, uint64_t va, uint64_t last,
			const struct pgtsim_visitor *visitor, void *arg)
{
	bool quiet = pgt->tlb->quiet;
	int ret;

	pgt->tlb->quiet = true;
	ret = pgtsim_walk(pgt, va, last, visitor, arg);
	pgt->tlb->quiet = quiet;
	return ret;
}

/*
 * The first address of [va, last] that is not mapped as it should be; last + 1 if all is.
 * *elsewhere: it is mapped to other memory.
 */
static uint64_t first_gap(struct pgtsim_pgtable *pgt, uint64_t va, uint64_t last, bool linear,
			  uint64_t delta, bool *elsewhere)
{
	static const struct pgtsim_visitor visitor = { .entries = cover_entries };
	struct coverage coverage = { .next = va, .delta = delta, .linear = linear };
	int ret = walk_quietly(pgt, va, last, &visitor, &coverage);

	*elsewhere = coverage.elsewhere;
	if (!ret && coverage.next - 1 >= last)
		return last + 1;
	return coverage.next;
}

/* Like the function above, for gaps that are not declared to be meant. */
static uint64_t first_hole(struct pgtsim_machine *machine, uint64_t va, uint64_t last, bool linear,
			   uint64_t delta)
{
	uint64_t end;
	bool elsewhere;

	while ((va = first_gap(&machine->pgt, va, last, linear, delta, &elsewhere)) <= last) {
		if (elsewhere || !pgtsim_is_declared(machine, va, PGTSIM_MEANT_INVALID, &end))
			return va;
		if (end >= last)
			break;
		va = end + 1;
	}
	return last + 1;
}

static void check_memory(struct pgtsim_machine *machine, uint64_t pa, uint64_t end)
{
	unsigned shift = machine->geo.page_shift;
	uint64_t va = pgtsim_linear(&machine->layout, pa), last = va + (end - pa) - 1;
	uint64_t hole = first_hole(machine, va, last, true, pa - va);

	if (hole <= last)
		pgtsim_tlb_violation(&machine->tlb, PGTSIM_V_LINEAR_HOLE, hole, PGTSIM_PTE,
				     "PA 0x%llx", (unsigned long long)(hole + (pa - va)));
	va = pgtsim_page_of_pfn(&machine->vmemmap, pa >> shift);
	last = pgtsim_page_of_pfn(&machine->vmemmap, end >> shift) - 1;
	hole = first_hole(machine, va, last, false, 0);
	if (hole <= last)
		pgtsim_tlb_violation(&machine->tlb, PGTSIM_V_MEMMAP_HOLE, hole, PGTSIM_PTE,
				     "of PFN 0x%llx",
				     (unsigned long long)((hole - machine->vmemmap.base) /
							  machine->vmemmap.struct_page));
}

/* Checks the mappings of hot-added memory; boot memory is mapped only on a machine that booted. */
static void check_sections(struct pgtsim_machine *machine)
{
	const struct pgtsim_sections *sections = machine->hotplug.sections;
	const uint64_t end = UINT64_C(1) << 52, step = UINT64_C(1) << PGTSIM_SUBSECTION_SHIFT;
	uint64_t size = machine->hotplug.config.section_size;

	for (uint64_t pa = 0; (pa = pgtsim_sections_next(sections, pa, end)) < end;) {
		uint64_t section_end = (pa & ~(size - 1)) + size;

		if (pgtsim_sections_find(sections, pa)->early) {
			if (pgtsim_sections_find(sections, pa)->offline)
				pgtsim_tlb_violation(&machine->tlb, PGTSIM_V_BOOT_MEMORY_OFFLINE,
						     pgtsim_linear(&machine->layout, pa),
						     PGTSIM_PTE, "section at 0x%llx",
						     (unsigned long long)pa);
			pa = section_end;
			continue;
		}
		while (pa < section_end) {
			bool whole = pgtsim_sections_all(sections, pa, section_end);
			uint64_t run = whole ? section_end : pa;

			while (run < section_end && pgtsim_sections_any(sections, run, run + step))
				run += step;
			if (run > pa)
				check_memory(machine, pa, run);
			pa = run + step;
		}
		pa = section_end;
	}
}

/* ---- frames behind the vmemmap ---- */

/* Leaves whose addresses follow one another: frames [pfn, pfn + pages). */
struct backing {
	uint64_t pfn, pages, va;
	bool shared; /* declared to be shared on purpose */
};

struct backings {
	const struct pgtsim_machine *machine;
	struct backing *run;
	size_t count, room;
};

static int add_backing(struct backings *backings, const struct backing *run)
{
	if (backings->count == backings->room) {
		size_t room = 2 * backings->room + 64;
		struct backing *grown = realloc(backings->run, room * sizeof(*grown));

		if (!grown)
			return -1;
		backings->run = grown;
		backings->room = room;
	}
	backings->run[backings->count++] = *run;
	return 0;
}

/* How many pages of a run, the first of which is not declared to be shared, are not. */
static uint64_t undeclared(const struct pgtsim_machine *machine, const struct backing *run)
{
	unsigned shift = machine->geo.page_shift;
	uint64_t pages = 1, last;

	if (!machine->declared)
		return run->pages;
	while (pages < run->pages && !pgtsim_is_declared(machine, run->va + (pages << shift),
							 PGTSIM_SHARED_MEMMAP, &last))
		pages++;
	return pages;
}

/* Adds a run in parts, each of which is declared to be shared or not. */
static int add_parts(struct backings *backings, struct backing run)
{
	unsigned shift = backings->machine->geo.page_shift;
	int ret = 0;

	while (!ret && run.pages) {
		struct backing part = run;
		uint64_t last;

		part.shared =
			pgtsim_is_declared(backings->machine, run.va, PGTSIM_SHARED_MEMMAP, &last);
		part.pages = part.shared ? ((last - run.va) >> shift) + 1 :
					   undeclared(backings->machine, &run);
		if (part.pages > run.pages)
			part.pages = run.pages;
		ret = add_backing(backings, &part);
		run.pfn += part.pages;
		run.va += part.pages << shift;
		run.pages -= part.pages;
	}
	return ret;
}

static int collect_backing(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	uint64_t size = pgtsim_entry_size(&pgt->geo, run->level);
	unsigned order = pgt->geo.shift[pgtsim_slot(run->level)] - pgt->geo.page_shift;
	unsigned end = run->index + run->count, count;

	for (unsigned i = run->index; i < end; i += count) {
		uint64_t desc = pgtsim_entry(pgt, run->table, i);
		struct backing backing = {
			.pfn = pgtsim_desc_address(&pgt->geo, run->level, desc) >>
			       pgt->geo.page_shift,
			.va = run->va + (i - run->index) * size,
		};

		count = desc ? pgtsim_run_uniform(pgt, run->table, i, end - i, size) :
			       pgtsim_run_zeros(pgt, run->table, i, end - i);
		backing.pages = (uint64_t)count << order;
		if ((desc & PGTSIM_DESC_VALID) && add_parts(arg, backing)) {
			pgt->tlb->host_failed = true;
			return -1;
		}
	}
	return 0;
}

static int by_pfn(const void *a, const void *b)
{
	const struct backing *run_a = a, *run_b = b;

	return (run_a->pfn > run_b->pfn) - (run_a->pfn < run_b->pfn);
}

/* Reports frames that two leaves map. Without host memory for the list it checks nothing. */
static void check_backing(struct pgtsim_machine *machine)
{
	static const struct pgtsim_visitor visitor = { .entries = collect_backing };
	const struct pgtsim_vmemmap *vmemmap = &machine->vmemmap;
	struct backings backings = { .machine = machine };

	if (!walk_quietly(&machine->pgt, vmemmap->start, vmemmap->end - 1, &visitor, &backings) &&
	    backings.count)
		qsort(backings.run, backings.count, sizeof(*backings.run), by_pfn);
	else
		backings.count = 0;
	for (size_t i = 1; i < backings.count; i++) {
		const struct backing *run = &backings.run[i], *before = run - 1;

		if (run->pfn < before->pfn + before->pages && !(run->shared && before->shared))
			pgtsim_tlb_violation(&machine->tlb, PGTSIM_V_BACKING_SHARED, run->va,
					     PGTSIM_PTE, "PFN 0x%llx backs 0x%llx, too",
					     (unsigned long long)run->pfn,
					     (unsigned long long)before->va);
	}
	free(backings.run);
}

/* ---- tables that nobody needs ---- */

/* The empty tables of a region. They are reported after the walk, during which nothing is. */
struct emptiness {
	uint64_t start, last; /* of the region */
	uint64_t va;          /* of the first empty table */
	uint64_t count;
	int level;
};

/* Tables that a removal frees when they are empty; vmap's stay. */
static bool is_of_hotplug(const struct pgtsim_table *table)
{
	return table->region == PGTSIM_REGION_LINEAR || table->region == PGTSIM_REGION_VMEMMAP;
}

static int count_empty(struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
		       struct pgtsim_table *child, void *arg)
{
	struct emptiness *empty = arg;
	uint64_t mask = pgtsim_entry_size(&pgt->geo, run->level) - 1;

	if (child->live || !is_of_hotplug(child) ||
	    (run->va & ~mask) < empty->start || (run->va | mask) > empty->last)
		return 0;
	if (!empty->count++) {
		empty->va = run->va & ~mask;
		empty->level = child->level;
	}
	return 0;
}

/* Reports empty tables that lie wholly inside their region: a removal should have freed them. */
static void check_empty_tables(struct pgtsim_machine *machine, uint64_t start, uint64_t end)
{
	static const struct pgtsim_visitor visitor = { .table = count_empty };
	struct emptiness empty = { .start = start, .last = end - 1 };
	uint64_t first = pgtsim_va_start(&machine->geo);

	walk_quietly(&machine->pgt, start > first ? start : first, end - 1, &visitor, &empty);
	if (empty.count)
		pgtsim_tlb_violation(&machine->tlb, PGTSIM_V_EMPTY_TABLE, empty.va, empty.level,
				     "the first of %llu", (unsigned long long)empty.count);
}

uint64_t pgtsim_check_machine(struct pgtsim_machine *machine)
{
	if (!machine)
		return 0;

	struct pgtsim_counts *counts = &machine->tlb.counts;
	uint64_t before = counts->violations, work = counts->work_entries;

	pgtsim_check(&machine->pgt);
	check_sections(machine);
	check_backing(machine);
	check_empty_tables(machine, machine->layout.page_offset, machine->layout.page_end);
	check_empty_tables(machine, machine->vmemmap.start, machine->vmemmap.end);
	counts->work_entries = work;
	return counts->violations - before;
}
