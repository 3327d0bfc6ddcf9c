/* SPDX-License-Identifier: MIT */
#include <pgtsim/check.h>

#include <stdlib.h>
#include <string.h>

#include "access.h"
#include "online.h"
#include "sections.h"

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

/* Whether the entries are what the record tells of them. */
static bool is_as_told(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table)
{
	uint64_t step = UINT64_C(1) << table->shift;

	return !table->told || !table->live ||
	       (pgtsim_entry(pgt, table, table->first) == table->base + table->first * step &&
		pgtsim_access_uniform(pgt, table, table->first, table->live, step) == table->live);
}

/* The record of a table against its memory. */
static void check_table(struct pgtsim_pgtable *pgt, const struct pgtsim_table *table, uint64_t va)
{
	unsigned entries = pgtsim_entries(&pgt->geo, table->level);
	unsigned live = pgtsim_access_live(pgt, table, 0, entries);
	unsigned zeros = pgtsim_access_zeros(pgt, table, 0, entries);

	if (live != table->live || zeros < table->first)
		pgtsim_tlb_violation(pgt->tlb, PGTSIM_V_TABLE_COUNT, va, table->level,
				     "%u live entries from %u on, recorded %u from %u on", live,
				     zeros, table->live, table->first);
	else if (!is_as_told(pgt, table))
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
	static const struct pgtsim_visitor visitor = { .table = check_child };
	struct pgtsim_counts *counts = &pgt->tlb->counts;
	uint64_t before = counts->violations, work = counts->work_entries;
	struct checking checking = { .list = &checking.end };
	uint64_t va = pgtsim_va_start(&pgt->geo);

	reach(&checking, pgt->root);
	check_table(pgt, pgt->root, va);
	pgtsim_walk(pgt, va, UINT64_MAX, &visitor, &checking);
	forget(&checking);
	if (checking.reached != live_tables(counts))
		pgtsim_tlb_violation(pgt->tlb, PGTSIM_V_TABLE_LEAK, va, pgt->root->level,
				     "%llu tables are live, %llu can be reached",
				     (unsigned long long)live_tables(counts),
				     (unsigned long long)checking.reached);
	counts->work_entries = work;
	pgtsim_tlb_end(pgt->tlb, va, UINT64_MAX);
	return counts->violations - before;
}

/* ---- a whole machine ---- */

/* What of a range must be mapped, and how. */
struct coverage {
	uint64_t next;  /* the first address not seen to be mapped */
	uint64_t delta; /* pa - va, if that is to hold */
	bool linear;
};

static int cover_entries(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	struct coverage *coverage = arg;
	uint64_t size = pgtsim_entry_size(&pgt->geo, run->level);
	uint64_t va = pgtsim_entry_base(&pgt->geo, run->level, run->va);

	if (run->va != coverage->next)
		return -1;
	for (unsigned i = 0; i < run->count;) {
		uint64_t desc = pgtsim_entry(pgt, run->table, run->index + i);
		uint64_t pa = pgtsim_desc_address(&pgt->geo, run->level, desc);
		unsigned alike;

		if (!(desc & PGTSIM_DESC_VALID) || (coverage->linear && pa != va + coverage->delta))
			return -1;
		alike = pgtsim_run_uniform(pgt, run->table, run->index + i, run->count - i, size);
		i += alike;
		va += alike * size;
		coverage->next = va;
	}
	return 0;
}

/* What is wrong with tables has been said already. */
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

/* The first address of [va, last] that is not mapped as it should be; last + 1 if all is. */
static uint64_t first_hole(struct pgtsim_pgtable *pgt, uint64_t va, uint64_t last, bool linear,
			   uint64_t delta)
{
	static const struct pgtsim_visitor visitor = { .entries = cover_entries };
	struct coverage coverage = { .next = va, .delta = delta, .linear = linear };
	int ret = walk_quietly(pgt, va, last, &visitor, &coverage);

	if (!ret && coverage.next - 1 >= last)
		return last + 1;
	return coverage.next;
}

static void check_memory(struct pgtsim_machine *machine, uint64_t pa, uint64_t end)
{
	unsigned shift = machine->geo.page_shift;
	uint64_t va = pgtsim_linear(&machine->layout, pa), last = va + (end - pa) - 1;
	uint64_t hole = first_hole(&machine->pgt, va, last, true, pa - va);

	if (hole <= last)
		pgtsim_tlb_violation(&machine->tlb, PGTSIM_V_LINEAR_HOLE, hole, PGTSIM_PTE,
				     "PA 0x%llx", (unsigned long long)(hole + (pa - va)));
	va = pgtsim_page_of_pfn(&machine->vmemmap, pa >> shift);
	last = pgtsim_page_of_pfn(&machine->vmemmap, end >> shift) - 1;
	hole = first_hole(&machine->pgt, va, last, false, 0);
	if (hole <= last)
		pgtsim_tlb_violation(&machine->tlb, PGTSIM_V_MEMMAP_HOLE, hole, PGTSIM_PTE,
				     "of PFN 0x%llx",
				     (unsigned long long)((hole - machine->vmemmap.base) /
							  machine->vmemmap.struct_page));
}

/* Memory that was hot-added: boot memory is mapped only if the machine was booted. */
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
};

struct backings {
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
		if ((desc & PGTSIM_DESC_VALID) && add_backing(arg, &backing))
			return -1;
	}
	return 0;
}

static int by_pfn(const void *a, const void *b)
{
	const struct backing *run_a = a, *run_b = b;

	return (run_a->pfn > run_b->pfn) - (run_a->pfn < run_b->pfn);
}

/* A frame that two leaves map was handed out twice. Not looked at if the host has no memory. */
static void check_backing(struct pgtsim_machine *machine)
{
	static const struct pgtsim_visitor visitor = { .entries = collect_backing };
	const struct pgtsim_vmemmap *vmemmap = &machine->vmemmap;
	struct backings backings = { 0 };

	if (!walk_quietly(&machine->pgt, vmemmap->start, vmemmap->end - 1, &visitor, &backings) &&
	    backings.count)
		qsort(backings.run, backings.count, sizeof(*backings.run), by_pfn);
	else
		backings.count = 0;
	for (size_t i = 1; i < backings.count; i++) {
		const struct backing *run = &backings.run[i], *before = run - 1;

		if (run->pfn < before->pfn + before->pages)
			pgtsim_tlb_violation(&machine->tlb, PGTSIM_V_BACKING_SHARED, run->va,
					     PGTSIM_PTE, "PFN 0x%llx backs 0x%llx, too",
					     (unsigned long long)run->pfn,
					     (unsigned long long)before->va);
	}
	free(backings.run);
}

/* ---- tables that nobody needs ---- */

/* Empty tables of a region are noted as violations when the walk is over: it is a quiet one. */
struct emptiness {
	uint64_t start, last; /* of the region */
	uint64_t va;          /* of the first empty table */
	uint64_t count;
	int level;
};

static int count_empty(struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
		       struct pgtsim_table *child, void *arg)
{
	struct emptiness *empty = arg;
	uint64_t mask = pgtsim_entry_size(&pgt->geo, run->level) - 1;

	if (child->live || child->region == PGTSIM_REGION_OTHER ||
	    (run->va & ~mask) < empty->start || (run->va | mask) > empty->last)
		return 0;
	if (!empty->count++) {
		empty->va = run->va & ~mask;
		empty->level = child->level;
	}
	return 0;
}

/* A table wholly inside its region that a removal has emptied should have been freed by it. */
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

/* ---- comparing ---- */

static bool tables_equal(const struct pgtsim_pgtable *a, const struct pgtsim_table *table_a,
			 const struct pgtsim_pgtable *b, const struct pgtsim_table *table_b)
{
	unsigned entries = pgtsim_entries(&a->geo, table_a->level);

	for (unsigned i = 0; i < entries; i++) {
		uint64_t desc = pgtsim_entry(a, table_a, i);
		const struct pgtsim_table *child_a, *child_b;
		uint64_t pa;

		if (desc != pgtsim_entry(b, table_b, i))
			return false;
		if (!pgtsim_desc_is_table(table_a->level, desc))
			continue;
		pa = pgtsim_desc_address(&a->geo, table_a->level, desc);
		child_a = a->ops.find(a->ops.ctx, pa);
		child_b = b->ops.find(b->ops.ctx, pa);
		if (!child_a != !child_b)
			return false;
		if (child_a && child_a->level == table_a->level + 1 &&
		    (child_b->level != child_a->level || !tables_equal(a, child_a, b, child_b)))
			return false;
	}
	return true;
}

static bool altmaps_equal(const struct pgtsim_altmap *a, const struct pgtsim_altmap *b)
{
	return a->base == b->base && a->reserve == b->reserve && a->free == b->free &&
	       a->align == b->align && a->alloc == b->alloc;
}

static bool blocks_equal(const struct memory_block *a, const struct memory_block *b)
{
	if (!a || !b)
		return a == b;
	return a->start == b->start && a->online == b->online && a->zone == b->zone &&
	       a->node == b->node && a->memmap_pages == b->memmap_pages &&
	       altmaps_equal(&a->altmap, &b->altmap);
}

static bool sections_equal(const struct pgtsim_hotplug *a, const struct pgtsim_hotplug *b)
{
	const uint64_t end = UINT64_C(1) << 52, size = a->config.section_size;

	for (uint64_t pa = 0;; pa = (pa & ~(size - 1)) + size) {
		uint64_t next = pgtsim_sections_next(b->sections, pa, end);
		const struct section *in_a, *in_b;

		pa = pgtsim_sections_next(a->sections, pa, end);
		if (pa != next || pa == end)
			return pa == next;
		in_a = pgtsim_sections_find(a->sections, pa);
		in_b = pgtsim_sections_find(b->sections, pa);
		if (in_a->early != in_b->early || in_a->offline != in_b->offline ||
		    !blocks_equal(in_a->block, in_b->block) ||
		    memcmp(in_a->subsections, in_b->subsections,
			   in_a->words * sizeof(in_a->subsections[0])) != 0)
			return false;
	}
}

static bool devices_equal(const struct pgtsim_device *a, const struct pgtsim_device *b)
{
	for (; a && b; a = a->next, b = b->next)
		if (a->start != b->start || a->size != b->size || !a->altmap != !b->altmap ||
		    (a->altmap && !altmaps_equal(a->altmap, b->altmap)))
			return false;
	return !a && !b;
}

const char *pgtsim_machine_difference(const struct pgtsim_machine *a,
				      const struct pgtsim_machine *b)
{
	if (memcmp(&a->layout, &b->layout, sizeof(a->layout)) != 0 ||
	    a->hotplug.config.section_size != b->hotplug.config.section_size)
		return "layout";
	if (!tables_equal(&a->pgt, a->pgt.root, &b->pgt, b->pgt.root))
		return "page table";
	if (!pgtsim_memory_equal(a->memory, b->memory))
		return "memory";
	if (!sections_equal(&a->hotplug, &b->hotplug))
		return "sections";
	if (!devices_equal(a->hotplug.devices, b->hotplug.devices))
		return "devices";
	if (!pgtsim_used_equal(a->hotplug.used, b->hotplug.used))
		return "pages in use";
	if (memcmp(a->hotplug.zones, b->hotplug.zones, sizeof(a->hotplug.zones)) != 0)
		return "zones";
	return NULL;
}
