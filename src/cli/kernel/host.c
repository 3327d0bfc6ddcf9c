/* SPDX-License-Identifier: MIT */
/* host: the machine below a kernel's functions: its memory, and the events of what they do. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

/* Set in pointers to memory whose contents are not simulated. */
#define NOWHERE (UINT64_C(1) << 63)

enum { JUNK_BYTES = 1 << 16 };

/* What memory that is no table looks like to a walk: not empty, not valid, not a table. */
static uint64_t junk[JUNK_BYTES / sizeof(uint64_t)];

static struct pgtsim_pgtable *pgtable_of(const struct kernel_engine *e)
{
	return &e->machine->pgt;
}

static size_t page_bytes(const struct kernel_engine *e)
{
	return (size_t)pgtsim_page_size(&e->machine->geo);
}

static struct kernel_table *find_known(const struct kernel_engine *e, const volatile void *memory)
{
	return kernel_tables_find(&e->tables, memory, page_bytes(e));
}

static struct pgtsim_table *find_table(const struct kernel_engine *e, uint64_t pa)
{
	const struct pgtsim_table_ops *ops = &pgtable_of(e)->ops;

	return ops->find(ops->ctx, pa & ~(uint64_t)(page_bytes(e) - 1));
}

/* ---- where a table stands ---- */

/* True if the entry that said where this table stands still points to it. */
static bool still_placed(const struct kernel_engine *e, const struct kernel_table *known)
{
	const struct pgtsim_geometry *geo = &e->machine->geo;
	uint64_t desc;

	if (!known->placed || !known->parent)
		return known->placed;
	if (!known->parent->entries || known->parent->level + 1 != known->table->level)
		return false;
	desc = known->parent->entries[known->index];
	return pgtsim_desc_is_table(known->parent->level, desc) &&
	       pgtsim_desc_address(geo, known->parent->level, desc) == known->table->pa;
}

static void place(struct kernel_engine *e, struct pgtsim_table *parent, unsigned index, uint64_t va,
		  struct pgtsim_table *child)
{
	struct kernel_table *known = kernel_tables_add(&e->tables, child);

	if (!known)
		return;
	known->placed = true;
	known->parent = parent;
	known->index = index;
	known->va = va;
}

static int place_child(struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
		       struct pgtsim_table *child, void *arg)
{
	place(arg, run->table, run->index, pgtsim_entry_base(&pgt->geo, run->level, run->va),
	      child);
	return 0;
}

/* Who hears of accesses, while pgtsim itself looks around. */
struct unheard {
	struct pgtsim_access_hook *hook;
	bool quiet;
};

static struct unheard look_around(struct pgtsim_pgtable *pgt)
{
	struct unheard unheard = { pgt->hook, pgt->tlb->quiet };

	pgt->hook = NULL;
	pgt->tlb->quiet = true;
	return unheard;
}

static void look_ends(struct pgtsim_pgtable *pgt, struct unheard unheard)
{
	pgt->tlb->quiet = unheard.quiet;
	pgt->hook = unheard.hook;
}

/* Finds out where all tables stand: somebody else has linked one. */
static void place_all(struct kernel_engine *e)
{
	static const struct pgtsim_visitor visitor = { .table = place_child };
	struct pgtsim_pgtable *pgt = pgtable_of(e);
	struct unheard unheard = look_around(pgt);

	pgtsim_walk(pgt, pgtsim_va_start(&pgt->geo), pgtsim_va_last(&pgt->geo), &visitor, e);
	look_ends(pgt, unheard);
}

/* The address that an entry of a linked table translates. Returns whether that is known. */
static bool address_of_entry(struct kernel_engine *e, struct kernel_table **known,
			     const volatile void *entry, uint64_t *va)
{
	const struct pgtsim_geometry *geo = &e->machine->geo;
	const volatile uint64_t *at = entry;

	if (!still_placed(e, *known))
		place_all(e);
	*known = find_known(e, entry);
	if (!*known || !still_placed(e, *known))
		return false;
	*va = (*known)->va +
	      (uint64_t)(at - (*known)->entries) * pgtsim_entry_size(geo, (*known)->table->level);
	return true;
}

/* ---- tables that wait to be linked ---- */

static void emit(struct kernel_engine *e, struct kernel_call *call, const struct kc_event *event);

/* Begins a table at the entry of `level` for va, and emits all that came since it was allocated. */
static void begin(struct kernel_engine *e, struct kernel_call *call, unsigned number, int level,
		  uint64_t va)
{
	struct pgtsim_table *table = call->waiting[number];
	struct kernel_table *known = kernel_tables_add(&e->tables, table);
	unsigned count = call->later_count;
	struct kc_event later[KERNEL_WAITING];

	memmove(&call->waiting[number], &call->waiting[number + 1],
		(call->waiting_count - number - 1) * sizeof(call->waiting[0]));
	call->waiting_count--;
	pgtsim_table_begin(pgtable_of(e), table, level + 1, va, call->region,
			   known && known->constructed);
	if (known)
		known->waiting = false;
	if (call->waiting_count)
		return;
	memcpy(later, call->later, sizeof(later));
	call->later_count = 0;
	for (unsigned i = 0; i < count; i++)
		emit(e, call, &later[i]);
}

void kernel_host_settle(struct kernel_engine *e, struct kernel_call *call)
{
	int level = call->loaded_level < PGTSIM_PTE ? call->loaded_level : PGTSIM_PMD;

	while (call->waiting_count)
		begin(e, call, 0, level, call->loaded_va);
}

/* The table that waits at pa; -1 if none does. */
static int waiting_at(const struct kernel_call *call, uint64_t pa)
{
	for (unsigned i = 0; i < call->waiting_count; i++)
		if (call->waiting[i]->pa == pa)
			return (int)i;
	return -1;
}

/* ---- pages ---- */

static uint64_t host_alloc_table(struct kernel_engine *e, struct kernel_call *call)
{
	struct kernel_table *known;
	struct pgtsim_table *table;

	if (call->waiting_count == KERNEL_WAITING)
		kernel_host_settle(e, call);
	if (pgtsim_tables_reserve(pgtable_of(e), 1, &table) != 1) {
		call->no_memory = true;
		return 0;
	}
	known = kernel_tables_add(&e->tables, table);
	if (known) {
		*known = (struct kernel_table){ .entries = table->entries, .table = table };
		known->waiting = true;
	}
	call->waiting[call->waiting_count++] = table;
	return table->pa;
}

static uint64_t host_alloc(void *ctx, unsigned order, bool table)
{
	struct kernel_engine *e = ctx;
	struct kernel_call *call = e->call;
	unsigned shift = e->machine->geo.page_shift;
	struct pgtsim_event event = {
		.op = PGTSIM_OP_PAGES_ALLOC,
		.level = PGTSIM_PTE,
		.count = UINT64_C(1) << order,
	};
	uint64_t pfn;

	if (table && !order)
		return host_alloc_table(e, call);
	if (pgtsim_memory_alloc(e->machine->memory, order, &pfn)) {
		call->no_memory = true;
		return 0;
	}
	event.pa = pfn << shift;
	pgtsim_tlb_event(pgtable_of(e)->tlb, &event);
	return event.pa;
}

static bool host_alloc_small(void *ctx)
{
	struct kernel_engine *e = ctx;

	return !pgtsim_memory_alloc_small(e->machine->memory);
}

static void free_table(struct kernel_engine *e, struct kernel_call *call,
		       struct pgtsim_table *table)
{
	struct kernel_table *known = kernel_tables_add(&e->tables, table);
	bool destructed = known && known->destructed;
	uint64_t va = known && known->placed ? known->va : call->loaded_va;

	if (waiting_at(call, table->pa) >= 0)
		kernel_host_settle(e, call);
	if (known) {
		known->table = NULL;
		known->placed = false;
	}
	pgtsim_table_give_back(pgtable_of(e), table, va, destructed);
}

/* A free that does not follow the clear of a leaf of that size, or not at all. */
static void free_block(struct kernel_engine *e, const struct kernel_call *call, uint64_t pa,
		       unsigned order)
{
	uint64_t pfn = pa >> e->machine->geo.page_shift;
	enum pgtsim_bad_free bad = pgtsim_memory_free_pages(e->machine->memory, pfn, order);
	static const enum pgtsim_violation_name names[] = {
		[PGTSIM_FREE_NOT_RAM] = PGTSIM_V_NOT_RAM,
		[PGTSIM_FREE_DOUBLE] = PGTSIM_V_DOUBLE_FREE,
		[PGTSIM_FREE_WRONG_ORDER] = PGTSIM_V_WRONG_ORDER,
		[PGTSIM_FREE_WRONG_OWNER] = PGTSIM_V_WRONG_OWNER,
		[PGTSIM_FREE_BOOT] = PGTSIM_V_BOOT_MEMORY_FREED,
		[PGTSIM_FREE_BUSY] = PGTSIM_V_WRONG_OWNER,
	};

	if (bad)
		pgtsim_tlb_violation(pgtable_of(e)->tlb, names[bad], call->loaded_va, PGTSIM_PTE,
				     "the kernel frees PFN 0x%llx with order %u: %s",
				     (unsigned long long)pfn, order, pgtsim_bad_free_name(bad));
}

static void host_free(void *ctx, uint64_t pa, unsigned order)
{
	struct kernel_engine *e = ctx;
	struct kernel_call *call = e->call;
	struct pgtsim_table *table = find_table(e, pa);
	uint64_t bytes = (uint64_t)page_bytes(e) << order;

	if (table && !order) {
		free_table(e, call, table);
	} else if (call->cleared.count && call->cleared_pa == pa &&
		   pgtsim_entry_size(&e->machine->geo, call->cleared.level) == bytes) {
		pgtsim_run_free(pgtable_of(e), &call->cleared, pa, e->machine->memory, NULL);
		call->cleared.count = 0;
	} else {
		free_block(e, call, pa, order);
	}
}

/* ---- pointers ---- */

static void *host_memory(void *ctx, uint64_t pa)
{
	struct kernel_engine *e = ctx;
	struct pgtsim_table *table = find_table(e, pa);

	if (!table || !kernel_tables_add(&e->tables, table))
		return (void *)(uintptr_t)(pa | NOWHERE);
	return (char *)table->entries + (pa - table->pa);
}

static void *host_table(void *ctx, uint64_t pa)
{
	struct kernel_engine *e = ctx;
	struct pgtsim_table *table = find_table(e, pa);

	if (!table || !kernel_tables_add(&e->tables, table))
		return junk;
	return (char *)table->entries + (pa - table->pa);
}

static uint64_t host_address(void *ctx, const volatile void *memory)
{
	const struct kernel_engine *e = ctx;
	uintptr_t at = (uintptr_t)memory;
	const struct kernel_table *known;

	if (at & NOWHERE)
		return at & ~NOWHERE;
	known = find_known(e, memory);
	return known && known->table ? known->table->pa + (at - (uintptr_t)known->entries) : 0;
}

/* ---- loads and stores ---- */

static void host_load(void *ctx, const volatile void *entry)
{
	struct kernel_engine *e = ctx;
	struct kernel_call *call = e->call;
	struct kernel_table *known = find_known(e, entry);
	const struct pgtsim_geometry *geo = &e->machine->geo;
	unsigned index;
	uint64_t desc, va;

	if (!known || !known->table || known->waiting)
		return;
	index = (unsigned)((const volatile uint64_t *)entry - known->entries);
	if (call->loaded != entry)
		kernel_goes_on();
	call->loaded = entry;
	desc = pgtsim_entry_load(pgtable_of(e), known->table, index);
	/* Meanwhile others may have gone on. */
	known = find_known(e, entry);
	if (!known || !known->table || !address_of_entry(e, &known, entry, &va))
		return;
	call->loaded_level = known->table->level;
	call->loaded_va = va;
	if (pgtsim_desc_is_table(known->table->level, desc)) {
		struct pgtsim_table *child =
			find_table(e, pgtsim_desc_address(geo, known->table->level, desc));

		if (child)
			place(e, known->table, index, va, child);
	}
}

/*
 * A table that is filled before it is linked replaces a leaf of the linear map: it is for where that maps
 * what is stored.
 */
static void place_by_leaf(const struct kernel_engine *e, struct kernel_call *call, unsigned index,
			  uint64_t value)
{
	const struct pgtsim_geometry *geo = &e->machine->geo;
	int above = call->loaded_level < PGTSIM_PTE ? call->loaded_level : PGTSIM_PMD;
	uint64_t size = pgtsim_entry_size(geo, above + 1);
	uint64_t pa = pgtsim_desc_address(geo, above + 1, value) - index * size;
	struct pgtsim_translation at;
	uint64_t va = pgtsim_linear(&e->machine->layout, pa);
	struct unheard unheard = look_around(pgtable_of(e));

	if (!pgtsim_translate(&e->machine->pgt, va, &at) && at.pa == pa && at.level <= above)
		call->loaded_va = va;
	look_ends(pgtable_of(e), unheard);
}

/* A store to a table that nothing points to yet. */
static void store_early(struct kernel_engine *e, struct kernel_call *call,
			struct kernel_table *known, const volatile uint64_t *entry, uint64_t value)
{
	if (call->waiting_count && value)
		place_by_leaf(e, call, (unsigned)(entry - known->entries), value);
	kernel_host_settle(e, call);
	pgtsim_entry_store_early(pgtable_of(e), known->table, (unsigned)(entry - known->entries),
				 value);
}

static void remember_cleared(const struct kernel_engine *e, struct kernel_call *call,
			     const struct kernel_table *known, uint64_t va, uint64_t old)
{
	const struct pgtsim_geometry *geo = &e->machine->geo;
	uint64_t size = pgtsim_entry_size(geo, known->table->level);

	call->cleared = (struct pgtsim_run){
		.table = known->table,
		.level = known->table->level,
		.index = pgtsim_index(geo, known->table->level, va),
		.count = 1,
		.va = va,
		.last = va + (size - 1),
	};
	call->cleared_pa = pgtsim_desc_address(geo, known->table->level, old | PGTSIM_DESC_VALID);
}

static void store_linked(struct kernel_engine *e, struct kernel_call *call,
			 struct kernel_table *known, uint64_t va, uint64_t old, uint64_t value)
{
	struct pgtsim_table *table = known->table;
	bool leads = pgtsim_desc_is_table(table->level, value);
	uint64_t pa = pgtsim_desc_address(&e->machine->geo, table->level, value);
	bool fixmap = known->fixmap;
	int waits = leads ? waiting_at(call, pa) : -1;

	if (old && !value && !pgtsim_desc_is_table(table->level, old))
		remember_cleared(e, call, known, va, old);
	if (waits >= 0)
		begin(e, call, (unsigned)waits, table->level, va);
	kernel_host_settle(e, call);
	pgtsim_entry_store(pgtable_of(e), table, va, value, fixmap ? PGTSIM_EACH_SEEN : 0);
	if (leads && find_table(e, pa))
		place(e, table, pgtsim_index(&e->machine->geo, table->level, va), va,
		      find_table(e, pa));
}

static void host_store(void *ctx, volatile void *entry, uint64_t value)
{
	struct kernel_engine *e = ctx;
	struct kernel_call *call = e->call;
	struct kernel_table *known = find_known(e, entry);
	volatile uint64_t *at = entry;
	uint64_t va;

	kernel_goes_on();
	if (known && known->table && !known->table->linked && known->table != pgtable_of(e)->root) {
		store_early(e, call, known, at, value);
		return;
	}
	if (known && known->table && address_of_entry(e, &known, entry, &va)) {
		store_linked(e, call, known, va, *at, value);
		return;
	}
	pgtsim_tlb_violation(pgtable_of(e)->tlb, PGTSIM_V_NOT_A_TABLE, call->loaded_va, PGTSIM_PTE,
			     "the kernel stores 0x%016llx to memory that is no table in use",
			     (unsigned long long)value);
}

/* ---- events ---- */

static void emit_altmap(struct kernel_engine *e, struct kernel_call *call,
			const struct kc_event *event)
{
	const struct pgtsim_event alloc = {
		.op = PGTSIM_OP_ALTMAP_ALLOC,
		.level = PGTSIM_PTE,
		.count = event->b,
		.pa = event->a,
	};

	if (event->what == KC_ALTMAP_ALLOC)
		pgtsim_tlb_event(pgtable_of(e)->tlb, &alloc);
	else if (call->cleared.count && call->altmap)
		pgtsim_run_free(pgtable_of(e), &call->cleared, call->cleared_pa, NULL,
				call->altmap);
	call->cleared.count = 0;
}

struct maintenance {
	enum pgtsim_op op;
	enum pgtsim_scope scope;
};

static const struct maintenance maintenance[KC_WHATS] = {
	[KC_DSB_ISHST] = { PGTSIM_OP_DSB_ISHST, PGTSIM_SCOPE_IS },
	[KC_DSB_ISH] = { PGTSIM_OP_DSB_ISH, PGTSIM_SCOPE_IS },
	[KC_DSB_ISHLD] = { PGTSIM_OP_DSB_ISHLD, PGTSIM_SCOPE_IS },
	[KC_DSB_NSH] = { PGTSIM_OP_DSB_NSH, PGTSIM_SCOPE_IS },
	[KC_DSB_SY] = { PGTSIM_OP_DSB_SY, PGTSIM_SCOPE_IS },
	[KC_DMB_ISHST] = { PGTSIM_OP_DMB_ISHST, PGTSIM_SCOPE_IS },
	[KC_DMB_ISH] = { PGTSIM_OP_DMB_ISH, PGTSIM_SCOPE_IS },
	[KC_DMB_ISHLD] = { PGTSIM_OP_DMB_ISHLD, PGTSIM_SCOPE_IS },
	[KC_ISB] = { PGTSIM_OP_ISB, PGTSIM_SCOPE_IS },
	[KC_TLBI_LEAF] = { PGTSIM_OP_TLBI_LEAF, PGTSIM_SCOPE_IS },
	[KC_TLBI_WALK] = { PGTSIM_OP_TLBI_WALK, PGTSIM_SCOPE_IS },
	[KC_TLBI_RANGE] = { PGTSIM_OP_TLBI_RANGE, PGTSIM_SCOPE_IS },
	[KC_TLBI_ALL] = { PGTSIM_OP_TLBI_ALL, PGTSIM_SCOPE_IS },
	[KC_TLBI_LEAF_LOCAL] = { PGTSIM_OP_TLBI_LEAF, PGTSIM_SCOPE_LOCAL },
	[KC_TLBI_WALK_LOCAL] = { PGTSIM_OP_TLBI_WALK, PGTSIM_SCOPE_LOCAL },
	[KC_TLBI_RANGE_LOCAL] = { PGTSIM_OP_TLBI_RANGE, PGTSIM_SCOPE_LOCAL },
	[KC_TLBI_ALL_LOCAL] = { PGTSIM_OP_TLBI_ALL, PGTSIM_SCOPE_LOCAL },
};

static void emit(struct kernel_engine *e, struct kernel_call *call, const struct kc_event *event)
{
	struct pgtsim_tlb *tlb = pgtable_of(e)->tlb;
	const struct maintenance *m = &maintenance[event->what];

	if (event->what == KC_ALTMAP_ALLOC || event->what == KC_ALTMAP_FREE)
		emit_altmap(e, call, event);
	else if (pgtsim_barrier(tlb, m->op, 0))
		pgtsim_invalidate(tlb, m->op, event->va,
				  m->op == PGTSIM_OP_TLBI_RANGE ? event->b : 0, 0, m->scope, 0);
}

static void host_event(void *ctx, const struct kc_event *event)
{
	struct kernel_engine *e = ctx;
	struct kernel_call *call = e->call;

	kernel_goes_on();
	if (call->waiting_count && call->later_count == KERNEL_WAITING)
		kernel_host_settle(e, call);
	if (call->waiting_count)
		call->later[call->later_count++] = *event;
	else
		emit(e, call, event);
}

static void host_construct(void *ctx, uint64_t pa, bool destruct)
{
	struct kernel_engine *e = ctx;
	struct pgtsim_table *table = find_table(e, pa);
	struct kernel_table *known = table ? kernel_tables_add(&e->tables, table) : NULL;

	if (known && destruct)
		known->destructed = true;
	else if (known)
		known->constructed = true;
}

static struct kernel_table *known_at(struct kernel_engine *e, uint64_t pa)
{
	struct pgtsim_table *table = pa ? find_table(e, pa) : NULL;

	return table ? kernel_tables_add(&e->tables, table) : NULL;
}

static void host_fixmap(void *ctx, unsigned slot, uint64_t pa, const char *lock)
{
	struct kernel_engine *e = ctx;
	struct kernel_call *call = e->call;
	uint64_t *in = &call->slot[slot % KERNEL_SLOTS];
	struct kernel_table *before = known_at(e, *in), *after = known_at(e, pa);

	if (pa && lock && !kernel_host_holds(e, lock))
		pgtsim_tlb_violation(pgtable_of(e)->tlb, PGTSIM_V_LOCK_NOT_HELD, call->loaded_va,
				     PGTSIM_PTE, "the kernel sets a slot of the fixmap without %s", lock);
	if (before)
		before->fixmap = false;
	if (after)
		after->fixmap = true;
	*in = pa;
}

static void host_pass(void *ctx, int pass, uint64_t start, uint64_t end)
{
	struct kernel_engine *e = ctx;
	struct kernel_call *call = e->call;
	struct pgtsim_tlb *tlb = pgtable_of(e)->tlb;

	if (call->pass)
		pgtsim_tlb_end(tlb, call->pass_start, call->pass_last);
	call->pass = pass;
	call->pass_start = start;
	call->pass_last = end - 1;
	pgtsim_tlb_begin(tlb, pass == 1 ? PGTSIM_OP_BEGIN_PASS_1 : PGTSIM_OP_BEGIN_PASS_2, start,
			 end - 1);
}

static void host_said(void *ctx, bool bug, const char *file, int line)
{
	struct kernel_engine *e = ctx;
	struct kernel_call *call = e->call;
	char place[200];

	if (bug) {
		call->bug_file = file;
		call->bug_line = line;
	}
	if (file)
		snprintf(place, sizeof(place), "%s:%d", file, line);
	else
		snprintf(place, sizeof(place), "%s", kernel_end_reason());
	pgtsim_tlb_violation(pgtable_of(e)->tlb,
			     bug ? PGTSIM_V_KERNEL_BUG : PGTSIM_V_KERNEL_WARNING, call->loaded_va,
			     call->loaded_level, "%s%s", place,
			     bug && call->no_memory ? ", for want of memory" : "");
}

void kernel_host_init(struct kernel_engine *e)
{
	memset(junk, 0x52, sizeof(junk));
	e->host = (struct kc_host){
		.ctx = e,
		.call = &e->call,
		.alloc = host_alloc,
		.free = host_free,
		.alloc_small = host_alloc_small,
		.memory = host_memory,
		.table = host_table,
		.address = host_address,
		.load = host_load,
		.store = host_store,
		.event = host_event,
		.construct = host_construct,
		.fixmap = host_fixmap,
		.lock = kernel_host_lock,
		.holds = kernel_host_holds,
		.pass = host_pass,
		.said = host_said,
	};
}
