/* SPDX-License-Identifier: MIT */
#include "compare.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

/* ---- differences ---- */

bool kc_differ(struct kc_sides *s, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(s->difference->text, sizeof(s->difference->text), format, args);
	va_end(args);
	return false;
}

static const char *event_text(const struct kc_event *event, char *text, size_t size)
{
	static const char *const names[KC_WHATS] = {
		[KC_STORE] = "store",
		[KC_ALLOC] = "alloc",
		[KC_FREE] = "free",
		[KC_BAD_FREE] = "refused free",
		[KC_ALTMAP_ALLOC] = "altmap alloc",
		[KC_ALTMAP_FREE] = "altmap free",
		[KC_DSB_ISHST] = "dsb ishst",
		[KC_DMB_ISHST] = "dmb ishst",
		[KC_DSB_ISH] = "dsb ish",
		[KC_ISB] = "isb",
		[KC_TLBI_LEAF] = "tlbi vaale1is",
		[KC_TLBI_WALK] = "tlbi vaae1is",
		[KC_TLBI_RANGE] = "tlbi rvaale1is",
		[KC_TLBI_ALL] = "tlbi vmalle1is",
	};

	if (!event)
		return "nothing";
	snprintf(text, size, "%s level %d va %" PRIx64 " %" PRIx64 " %" PRIx64, names[event->what],
		 event->level, event->va, event->a, event->b);
	return text;
}

/* The store that cleared the leaf whose invalidate this is; NULL if it is none. */
static const struct kc_event *cleared_by(const struct kc_log *log, size_t i)
{
	const struct kc_event *event = &log->event[i];

	if (event->what != KC_TLBI_LEAF)
		return NULL;
	for (size_t back = 1; back <= 4 && back <= i; back++)
		if (event[-(ptrdiff_t)back].what == KC_STORE)
			return event[-(ptrdiff_t)back].b ? NULL : event - back;
	return NULL;
}

/*
 * A block flushed page by page is flushed from any address inside it, the library's from its first:
 * whether these two are as far behind the first of their flush.
 */
static bool same_step(const struct kc_sides *s, const struct kc_log *a, const struct kc_log *b,
		      size_t i)
{
	size_t first = s->flush;

	return first < i && a->event[i].what == KC_TLBI_LEAF &&
	       a->event[i].va - a->event[first].va == b->event[i].va - b->event[first].va;
}

/* Whether two invalidates by address mean the same: the operand has no bits below 12. */
static bool same_place(const struct kc_sides *s, const struct kc_log *a, const struct kc_log *b,
		       size_t i)
{
	const struct kc_event *leaf = cleared_by(a, i);
	uint64_t mask = ~UINT64_C(0xfff);

	if (leaf) {
		uint64_t size = pgtsim_entry_size(&s->machine->geo, leaf->level);

		if ((a->event[i].va & -size) == leaf->va)
			mask = -size;
	}
	return (a->event[i].va & mask) == (b->event[i].va & mask) || same_step(s, a, b, i);
}

static bool same_event(const struct kc_sides *s, const struct kc_log *a, const struct kc_log *b,
		       size_t i)
{
	const struct kc_event *x = &a->event[i], *y = &b->event[i];

	if (x->what != y->what || x->level != y->level || x->a != y->a || x->b != y->b)
		return false;
	if (x->what == KC_TLBI_LEAF || x->what == KC_TLBI_WALK)
		return same_place(s, a, b, i);
	return x->va == y->va;
}

/* ---- warnings ---- */

/* What the kernel says WARN() to, and what its page allocator would object to. */
static bool is_warning(const struct kc_sides *s, enum pgtsim_violation_name name)
{
	/* Where each leaf is flushed, the kernel does not look at its hint. */
	return (name == PGTSIM_V_CONT_FREED && s->machine->policy.flush != PGTSIM_FLUSH_PER_LEAF) ||
	       name == PGTSIM_V_LEAF_IN_PASS_2 || name == PGTSIM_V_BLOCK_IN_PASS_2 ||
	       name == PGTSIM_V_ALTMAP_WITHOUT_FREE;
}

static bool is_refused_free(enum pgtsim_violation_name name)
{
	return name <= PGTSIM_V_NOT_RAM;
}

static uint64_t refused_frees(const struct kc_log *log)
{
	uint64_t n = 0;

	for (size_t i = 0; i < log->count; i++)
		n += log->event[i].what == KC_BAD_FREE;
	return n;
}

/* The kernel warns of each entry and the library of each table: only whether they do is alike. */
bool kc_compare_warnings(struct kc_sides *s, bool to_altmap, bool outside)
{
	const struct pgtsim_tlb *tlb = &s->machine->tlb;
	uint64_t warnings = 0, refused = 0, kernel = refused_frees(&kc_world.log);

	for (size_t i = s->violations; i < tlb->violation_count; i++) {
		warnings += is_warning(s, tlb->violations[i].name);
		refused += is_refused_free(tlb->violations[i].name);
	}
	s->violations = tlb->violation_count;
	if (tlb->violation_count == PGTSIM_VIOLATIONS_KEPT)
		return true; /* there may be more than those */
	if (refused != kernel && !to_altmap)
		return kc_differ(s, "refused frees: kernel %" PRIu64 ", library %" PRIu64, kernel,
				 refused);
	if (!warnings == !kc_world.warnings || (outside && !warnings))
		return true;
	return kc_differ(s, "warnings: kernel %u, library %" PRIu64, kc_world.warnings, warnings);
}

/* ---- counters ---- */

static void add_store(struct kc_sums *sums, const struct kc_event *event)
{
	uint64_t desc = event->b ? event->b : event->a;

	if (kc_running->decode(event->level, desc).table)
		return;
	sums->mapped += event->b && !event->a;
	sums->cleared += event->a && !event->b;
}

static void add_log(struct kc_sums *sums, const struct kc_log *log)
{
	uint64_t n[KC_WHATS] = { 0 };

	for (size_t i = 0; i < log->count; i++) {
		const struct kc_event *event = &log->event[i];
		bool pages = event->what != KC_TLBI_RANGE && event->b;

		if (event->what == KC_STORE)
			add_store(sums, event);
		n[event->what] += pages ? event->b : 1;
	}
	sums->pages_allocated += n[KC_ALLOC];
	sums->pages_freed += n[KC_FREE];
	sums->altmap_allocated += n[KC_ALTMAP_ALLOC];
	sums->altmap_freed += n[KC_ALTMAP_FREE];
	sums->dsb += n[KC_DSB_ISHST] + n[KC_DSB_ISH];
	sums->isb += n[KC_ISB];
	sums->tlbi_leaf += n[KC_TLBI_LEAF];
	sums->tlbi_walk += n[KC_TLBI_WALK];
	sums->tlbi_range += n[KC_TLBI_RANGE];
	sums->tlbi_all += n[KC_TLBI_ALL];
}

bool kc_compare_counters(struct kc_sides *s)
{
	const struct pgtsim_counts *c = &s->machine->tlb.counts;
	const struct kc_sums *k = &s->sums;
	const struct {
		const char *name;
		uint64_t kernel, ours;
	} rows[] = {
		{ "dsb", k->dsb, c->dsb },
		{ "isb", k->isb, c->isb },
		{ "tlbi.leaf", k->tlbi_leaf, c->tlbi_leaf },
		{ "tlbi.walk", k->tlbi_walk, c->tlbi_walk },
		{ "tlbi.range", k->tlbi_range, c->tlbi_range },
		{ "tlbi.all", k->tlbi_all, c->tlbi_all },
		{ "tables.constructed", kc_world.constructed, c->tables_constructed },
		{ "tables.destructed", kc_world.destructed, c->tables_destructed },
		{ "leaves.mapped", k->mapped, c->leaves_mapped },
		{ "leaves.cleared", k->cleared, c->leaves_cleared },
		{ "altmap.allocated", k->altmap_allocated, c->altmap_allocated },
		{ "altmap.freed", k->altmap_freed, c->altmap_freed },
		/* The root was there before; what an altmap gets counts as freed, too. */
		{ "pages and tables allocated", k->pages_allocated + 1,
		  c->pages_allocated + c->tables_allocated },
		{ "pages and tables freed", k->pages_freed + k->altmap_freed,
		  c->pages_freed + c->tables_freed },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].kernel != rows[i].ours)
			return kc_differ(s, "%s: kernel %" PRIu64 ", library %" PRIu64,
					 rows[i].name, rows[i].kernel, rows[i].ours);
	return true;
}

/* ---- logs ---- */

bool kc_compare_logs(struct kc_sides *s)
{
	const struct kc_log *kernel = &kc_world.log, *library = &s->expander.log;
	size_t i = 0, end = kernel->count < library->count ? kernel->count : library->count;
	char one[160], other[160];

	for (; i < end; i++) {
		if (!i || kernel->event[i - 1].what != KC_TLBI_LEAF)
			s->flush = i;
		if (!same_event(s, kernel, library, i))
			break;
	}
	s->tally->events += i;
	add_log(&s->sums, kernel);
	if (i == kernel->count && i == library->count)
		return true;
	return kc_differ(
		s, "event %zu: kernel: %s; library: %s", i,
		event_text(i < kernel->count ? &kernel->event[i] : NULL, one, sizeof(one)),
		event_text(i < library->count ? &library->event[i] : NULL, other, sizeof(other)));
}

/* ---- tables ---- */

static bool compare_entries(struct kc_sides *s, const struct kc_page *page, const uint64_t *kernel,
			    const struct pgtsim_table *table)
{
	unsigned entries = pgtsim_entries(&s->machine->geo, page->level), i = 0;
	const struct pgtsim_pgtable *pgt = &s->machine->pgt;

	s->tally->entries += entries;
	while (i < entries && kernel[i] == pgtsim_entry(pgt, table, i))
		i++;
	if (i == entries)
		return true;
	return kc_differ(
		s, "level %d va %" PRIx64 " entry %u: kernel %016" PRIx64 ", library %016" PRIx64,
		page->level, page->va, i, kernel[i], pgtsim_entry(pgt, table, i));
}

static bool compare_table(struct kc_sides *s, uint32_t index)
{
	const struct kc_page *page = &kc_world.page[index];
	uint64_t pa = kc_world.ram_start + ((uint64_t)index << kc_world.page_shift);
	const struct pgtsim_table *table = s->machine->pgt.ops.find(s->machine->pgt.ops.ctx, pa);

	if (!table || table->level != page->level)
		return kc_differ(s,
				 "the table at %" PRIx64 " (level %d, va %" PRIx64
				 ") is none of the library's",
				 pa, page->level, page->va);
	return compare_entries(s, page, kc_memory(pa), table);
}

static uint64_t live_tables(const struct pgtsim_counts *counts)
{
	return counts->tables_pgd + counts->tables_p4d + counts->tables_pud + counts->tables_pmd +
	       counts->tables_pte;
}

static bool compare_altmap(struct kc_sides *s, int slot)
{
	const struct pgtsim_altmap *library = &s->altmap[slot];
	const struct kc_altmap *kernel = &s->kernel_altmap[slot];

	if (library->alloc == kernel->alloc && library->align == kernel->align)
		return true;
	return kc_differ(s,
			 "altmap %d: kernel: %" PRIu64 " handed out, %" PRIu64
			 " padding; library: %" PRIu64 ", %" PRIu64,
			 slot, kernel->alloc, kernel->align, library->alloc, library->align);
}

bool kc_compare_state(struct kc_sides *s)
{
	uint64_t library = live_tables(&s->machine->tlb.counts);

	if (library != kc_world.tables)
		return kc_differ(s, "tables: kernel %" PRIu32 ", library %" PRIu64, kc_world.tables,
				 library);
	if (pgtsim_memory_free_count(s->machine->memory) != kc_world.free_pages)
		return kc_differ(s, "free pages: kernel %" PRIu64 ", library %" PRIu64,
				 kc_world.free_pages, pgtsim_memory_free_count(s->machine->memory));
	for (uint32_t i = 0; i < kc_world.tables; i++)
		if (!compare_table(s, kc_world.table[i]))
			return false;
	for (int slot = 0; slot < KC_ALTMAPS; slot++)
		if (!compare_altmap(s, slot))
			return false;
	return true;
}

/* ---- layout ---- */

bool kc_compare_layout(struct kc_sides *s)
{
	const struct kc_layout kernel = s->kernel->layout();
	const struct pgtsim_layout *library = &s->machine->layout;
	const struct pgtsim_geometry *geo = &s->machine->geo;

	if (kernel.page_offset != library->page_offset || kernel.page_end != library->page_end ||
	    kernel.vmemmap_start != library->vmemmap_start ||
	    kernel.vmemmap_end != library->vmemmap_end || kernel.memmap != library->vmemmap ||
	    kernel.linear_0 != pgtsim_linear(library, 0))
		return kc_differ(s, "the layout differs");
	if (kernel.cont_pte != pgtsim_cont_entries(geo, PGTSIM_PTE) ||
	    kernel.cont_pmd != pgtsim_cont_entries(geo, PGTSIM_PMD))
		return kc_differ(s, "the contiguous groups differ");
	return true;
}
