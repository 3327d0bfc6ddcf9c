/* SPDX-License-Identifier: MIT */
#include <pgtsim/pgtable.h>

#include <errno.h>

#include "access.h"
#include "cached.h"
#include "directory.h"
#include "events.h"
#include "oa.h"
#include "shared.h"
#include "translate.h"

/* Entries that the library itself dealt with, written or implied. */
static void count_work(const struct pgtsim_pgtable *pgt, uint64_t entries)
{
	pgtsim_count(pgt->tlb, &pgt->tlb->counts.work_entries, entries);
}

/* Whether the side record may be believed without a look at the entries: nobody else writes. */
static bool is_private(const struct pgtsim_pgtable *pgt)
{
	return pgt->access == PGTSIM_ACCESS_PRIVATE;
}

static bool is_shared(const struct pgtsim_pgtable *pgt)
{
	return pgt->access == PGTSIM_ACCESS_SHARED;
}

/* ---- creation ---- */

static uint64_t memory_alloc(void *ctx, uint64_t count, struct pgtsim_table ***tail)
{
	return pgtsim_memory_alloc_tables(ctx, count, tail);
}

static void memory_free(void *ctx, struct pgtsim_table *table)
{
	pgtsim_memory_free_table(ctx, table);
}

struct pgtsim_table *pgtsim_directory_lookup(const void *memory, uint64_t pa)
{
	return pgtsim_directory_find(memory, pa);
}

struct pgtsim_table_ops pgtsim_memory_table_ops(struct pgtsim_memory *memory)
{
	return (struct pgtsim_table_ops){
		.alloc = memory_alloc,
		.free = memory_free,
		.find = pgtsim_directory_lookup,
		.ctx = memory,
	};
}

static inline void table_event(struct pgtsim_pgtable *pgt, enum pgtsim_op op,
			       const struct pgtsim_table *table, uint64_t va, unsigned flags)
{
	int level = table == pgt->root ? PGTSIM_PGD : table->level;

	if (op == PGTSIM_OP_TABLE_FREE && table->linked)
		pgtsim_tlb_violation(pgt->tlb, PGTSIM_V_FREED_WHILE_MAPPED, va, table->level - 1,
				     "the table at PA 0x%llx is freed, its entry is not cleared",
				     (unsigned long long)table->pa);
	if (pgtsim_tlb_watched(pgt->tlb)) {
		const struct pgtsim_event event = {
			.op = op,
			.level = level,
			.flags = flags,
			.va = va,
			.count = 1,
			.pa = table->pa,
		};

		pgtsim_events_tell(pgt->tlb, &event);
	} else {
		pgtsim_tlb_count(&pgt->tlb->counts, op, level, 1, flags);
	}
}

/* The side record of an empty table; an allocator of the caller's own may have left anything. */
static void start_record(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table, int level,
			 enum pgtsim_region region)
{
	table->next = NULL;
	table->live = 0;
	table->linked = false;
	table->alike = false;
	table->first = is_shared(pgt) ? 0 : pgtsim_entries(&pgt->geo, level);
	table->level = (int8_t)level;
	table->region = (uint8_t)region;
	table->epoch = pgt->epoch;
	table->constructed = false;
	table->shift = pgt->geo.shift[pgtsim_slot(level)];
	if (pgtsim_implies(pgt))
		return;
	table->implied = false;
	table->children = NULL;
}

int pgtsim_pgtable_init(struct pgtsim_pgtable *pgt, const struct pgtsim_geometry *geo,
			const struct pgtsim_policy *policy, struct pgtsim_tlb *tlb,
			struct pgtsim_table_ops ops, enum pgtsim_access access)
{
	*pgt = (struct pgtsim_pgtable){
		.geo = *geo,
		.policy = policy,
		.tlb = tlb,
		.ops = ops,
		.access = access,
	};
	if (pgtsim_tables_reserve(pgt, 1, &pgt->root) != 1)
		return -ENOMEM;
	tlb->shared |= is_shared(pgt);
	start_record(pgt, pgt->root, pgtsim_root_level(geo), PGTSIM_REGION_OTHER);
	pgtsim_table_write_out(pgt->root);
	table_event(pgt, PGTSIM_OP_TABLE_ALLOC, pgt->root, pgtsim_va_start(geo), 0);
	return 0;
}

static int give_back(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, struct pgtsim_table *child,
		     void *arg)
{
	(void)run;
	(void)arg;
	pgt->ops.free(pgt->ops.ctx, child);
	return 0;
}

void pgtsim_pgtable_fini(struct pgtsim_pgtable *pgt)
{
	static const struct pgtsim_visitor visitor = { .table_done = give_back };
	bool quiet = pgt->tlb->quiet;

	if (!pgt->root)
		return;
	pgt->tlb->quiet = true;
	pgtsim_walk(pgt, pgtsim_va_start(&pgt->geo), UINT64_MAX, &visitor, NULL);
	pgt->tlb->quiet = quiet;
	pgt->ops.free(pgt->ops.ctx, pgt->root);
	pgt->root = NULL;
}

/* The record of the table at pa; without a call if it is one of a simulated memory's. */
static struct pgtsim_table *find_table(const struct pgtsim_pgtable *pgt, uint64_t pa)
{
	if (pgt->ops.find == pgtsim_directory_lookup)
		return pgtsim_directory_find(pgt->ops.ctx, pa);
	return pgt->ops.find(pgt->ops.ctx, pa);
}

/* The table of the next level that an entry of a table leads to; NULL if there is none. */
static struct pgtsim_table *find_child(const struct pgtsim_pgtable *pgt, int level, uint64_t desc)
{
	struct pgtsim_table *child =
		find_table(pgt, pgtsim_oa(&pgt->geo, pgt->geo.page_shift, desc));

	return child && child->entries && child->level == level + 1 ? child : NULL;
}

/* The same if it is noted where the entry leads, and nobody else looks at it or changes it. */
static inline struct pgtsim_table *noted_child(const struct pgtsim_pgtable *pgt,
					       const struct pgtsim_table *table, int level,
					       unsigned index)
{
	struct pgtsim_table *child;

	if (!table->children || !is_private(pgt) ||
	    !pgtsim_desc_is_table(level, table->entries[index]))
		return NULL;
	child = table->children[index];
	return child && child->level == level + 1 ? child : NULL;
}

/* ---- the walker ---- */

/*
 * Makes the run of a table that translates [va, last]. Written in place, here and below: copying
 * what was written piece by piece a moment ago would wait until all stores to tables are done.
 */
static void set_run(const struct pgtsim_geometry *geo, struct pgtsim_run *run,
		    struct pgtsim_table *table, int level, uint64_t va, uint64_t last)
{
	run->table = table;
	run->level = level;
	run->index = pgtsim_index(geo, level, va);
	run->count = pgtsim_index(geo, level, last) - run->index + 1;
	run->va = va;
	run->last = last;
}

/* Sets the last address that the run's entries translate, or `last` if that is lower. */
static void end_run(const struct pgtsim_geometry *geo, struct pgtsim_run *run, uint64_t last)
{
	uint64_t size = pgtsim_entry_size(geo, run->level);
	uint64_t end = pgtsim_entry_base(geo, run->level, run->va) + run->count * size - 1;

	run->last = end < last ? end : last;
}

/*
 * How many entries from the run's first on are no tables. `known` is the index up to which that
 * is known but for the first, so that a visitor that fills a table entry by entry does not make
 * the walk quadratic; other threads may change what is known.
 */
static unsigned count_no_tables(const struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
				unsigned *known)
{
	const struct pgtsim_table *table = run->table;
	unsigned count = 1;

	if (!is_private(pgt)) {
		count = pgtsim_access_no_tables(pgt, table, run->index, run->count);
	} else if (pgtsim_desc_is_table(run->level, pgtsim_access_plain(table, run->index))) {
		count = 0;
	} else if (run->index >= *known) {
		count = pgtsim_access_no_tables(pgt, table, run->index, run->count);
		*known = run->index + count;
	} else {
		count_work(pgt, 1);
		return *known - run->index;
	}
	count_work(pgt, count + 1);
	return count;
}

/*
 * Makes the run from va on: entries that are no tables, or (count 0) one table, *child if it is
 * noted.
 */
static inline void next_run(const struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
			    unsigned *known, struct pgtsim_table **child)
{
	*child = NULL;
	if (run->level == PGTSIM_PTE)
		return;
	*child = noted_child(pgt, run->table, run->level, run->index);
	if (*child) {
		run->count = 0;
		count_work(pgt, 1);
	} else if (!is_private(pgt) || run->table->live) {
		run->count = count_no_tables(pgt, run, known);
	} else {
		*known = run->index + run->count;
	}
}

/* The table that an entry points to, or NULL, noted as a violation. */
static struct pgtsim_table *child_of(const struct pgtsim_pgtable *pgt, const struct pgtsim_run *run)
{
	uint64_t desc = pgtsim_access_read(pgt, run->table, run->index);
	struct pgtsim_table *child = find_child(pgt, run->level, desc);

	if (child)
		return child;
	pgtsim_tlb_violation(pgt->tlb, PGTSIM_V_NOT_A_TABLE, run->va, run->level,
			     "entry 0x%016llx points to no table of the next level",
			     (unsigned long long)desc);
	return NULL;
}

static int walk_table(struct pgtsim_pgtable *pgt, struct pgtsim_table *table, int level,
		      uint64_t va, uint64_t last, const struct pgtsim_visitor *visitor, void *arg);

static int visit_child(struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
		       struct pgtsim_table *child, const struct pgtsim_visitor *visitor, void *arg)
{
	int result = 0;

	if (!child)
		child = child_of(pgt, run);
	if (!child)
		return visitor->strict ? -EFAULT : 0;
	if (visitor->table)
		result = visitor->table(pgt, run, child, arg);
	if (result)
		return result == PGTSIM_WALK_SKIP ? 0 : result;
	if (!visitor->no_pages || run->level + 1 < PGTSIM_PTE)
		result = walk_table(pgt, child, run->level + 1, run->va, run->last, visitor, arg);
	if (!result && visitor->table_done)
		result = visitor->table_done(pgt, run, child, arg);
	return result;
}

static int walk_table(struct pgtsim_pgtable *pgt, struct pgtsim_table *table, int level,
		      uint64_t va, uint64_t last, const struct pgtsim_visitor *visitor, void *arg)
{
	unsigned known = 0;

	for (;;) {
		struct pgtsim_table *child;
		struct pgtsim_run run;
		int result = 0;

		set_run(&pgt->geo, &run, table, level, va, last);
		next_run(pgt, &run, &known, &child);
		if (run.count) {
			end_run(&pgt->geo, &run, last);
			if (visitor->entries)
				result = visitor->entries(pgt, &run, arg);
		} else {
			run.count = 1;
			end_run(&pgt->geo, &run, last);
			result = visit_child(pgt, &run, child, visitor, arg);
		}
		if (result == PGTSIM_WALK_AGAIN) {
			va = run.va;
			continue;
		}
		if (result || run.last == last)
			return result;
		va = run.last + 1;
	}
}

/* The table below this one that translates all of [va, last], if it is noted; else NULL. */
static inline struct pgtsim_table *only_child(const struct pgtsim_pgtable *pgt,
					      const struct pgtsim_table *table, int level,
					      uint64_t va, uint64_t last)
{
	if ((va ^ last) >> pgt->geo.shift[pgtsim_slot(level)])
		return NULL;
	return noted_child(pgt, table, level, pgtsim_index(&pgt->geo, level, va));
}

/* The lowest table that translates all of [va, last], as far as it is noted. */
static struct pgtsim_table *lowest_table(const struct pgtsim_pgtable *pgt, uint64_t va,
					 uint64_t last)
{
	struct pgtsim_table *table = pgt->root, *child;
	int level = table->level;

	while ((child = only_child(pgt, table, level, va, last))) {
		table = child;
		level++;
	}
	count_work(pgt, (unsigned)(level - pgt->root->level));
	return table;
}

/* The same as walk_table(), in fewer steps as long as the range lies below one noted entry. */
static int walk_down(struct pgtsim_pgtable *pgt, struct pgtsim_table *table, int level, uint64_t va,
		     uint64_t last, const struct pgtsim_visitor *visitor, void *arg)
{
	struct pgtsim_table *child = only_child(pgt, table, level, va, last);
	struct pgtsim_run run;
	int result = 0;

	if (!child)
		return walk_table(pgt, table, level, va, last, visitor, arg);
	count_work(pgt, 1);
	set_run(&pgt->geo, &run, table, level, va, last);
	if (visitor->table)
		result = visitor->table(pgt, &run, child, arg);
	if (!result && !(visitor->no_pages && level + 1 == PGTSIM_PTE))
		result = walk_down(pgt, child, level + 1, va, last, visitor, arg);
	if (!result && visitor->table_done)
		result = visitor->table_done(pgt, &run, child, arg);
	if (result == PGTSIM_WALK_AGAIN)
		return walk_table(pgt, table, level, run.va, last, visitor, arg);
	return result == PGTSIM_WALK_SKIP ? 0 : result;
}

int pgtsim_walk(struct pgtsim_pgtable *pgt, uint64_t va, uint64_t last,
		const struct pgtsim_visitor *visitor, void *arg)
{
	struct pgtsim_table *table = pgt->root;

	if (va < pgtsim_va_start(&pgt->geo) || last < va)
		return -EINVAL;
	if (visitor->table || visitor->table_done)
		return walk_down(pgt, table, table->level, va, last, visitor, arg);
	table = lowest_table(pgt, va, last);
	return walk_table(pgt, table, table->level, va, last, visitor, arg);
}

/* ---- runs of entries ---- */

static unsigned table_entries(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table)
{
	return pgtsim_entries(&pgt->geo, table->level);
}

unsigned pgtsim_table_live(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table)
{
	return is_shared(pgt) ? AO_int_load_acquire(&table->live) : table->live;
}

uint64_t pgtsim_entry(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
		      unsigned index)
{
	return pgtsim_access_read(pgt, table, index);
}

unsigned pgtsim_run_live(const struct pgtsim_pgtable *pgt, const struct pgtsim_run *run)
{
	if (is_private(pgt) && !run->table->live)
		return 0;
	if (is_private(pgt) && run->table->live == table_entries(pgt, run->table))
		return run->count;
	count_work(pgt, run->count);
	return pgtsim_access_live(pgt, run->table, run->index, run->count);
}

unsigned pgtsim_run_uniform(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
			    unsigned index, unsigned count, uint64_t step)
{
	return pgtsim_access_uniform(pgt, table, index, count, step);
}

unsigned pgtsim_run_zeros(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
			  unsigned index, unsigned count)
{
	if (is_private(pgt) && !table->live)
		return count;
	return pgtsim_access_zeros(pgt, table, index, count);
}

struct pgtsim_run pgtsim_run_part(const struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
				  uint64_t va, uint64_t last)
{
	struct pgtsim_run part;

	set_run(&pgt->geo, &part, run->table, run->level, va, last);
	return part;
}

/* What a flag says happens after an entry, as events of their own. */
static void each(struct pgtsim_pgtable *pgt, uint64_t va, unsigned flags)
{
	const struct pgtsim_event invalidate = {
		.op = PGTSIM_OP_TLBI_LEAF,
		.level = PGTSIM_PTE,
		.va = va,
		.count = 1,
		.size = pgtsim_page_size(&pgt->geo),
	};

	if (flags & PGTSIM_EACH_SYNC)
		pgtsim_tlb_sync(pgt->tlb);
	if (flags & PGTSIM_EACH_FLUSH) {
		pgtsim_tlb_publish(pgt->tlb);
		pgtsim_tlb_event(pgt->tlb, &invalidate);
		pgtsim_tlb_complete(pgt->tlb);
	}
}

/* One entry's store and its event, for those who look step by step. */
static void store_singly(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
			 struct pgtsim_event *event, unsigned index)
{
	unsigned flags = event->flags;

	event->va = pgtsim_entry_base(&pgt->geo, run->level, run->va) +
		    (index - run->index) * event->size;
	event->count = 1;
	event->old_desc = pgtsim_access_read(pgt, run->table, index);
	if (event->op == PGTSIM_OP_CLEAR) {
		if (!event->old_desc)
			return;
		event->pa = pgtsim_desc_address(&pgt->geo, run->level, event->old_desc);
	}
	pgtsim_access_write(pgt, run->table, index, event->new_desc);
	if (event->op == PGTSIM_OP_CLEAR)
		pgtsim_record_cleared(pgt, run->table, index, 1, 1);
	else
		pgtsim_record_filled(pgt, run->table, index, 1);
	if (run->table->alike)
		run->table->alike = event->op == PGTSIM_OP_CLEAR;
	count_work(pgt, 1);
	event->flags &= PGTSIM_EACH_FREE;
	pgtsim_tlb_event(pgt->tlb, event);
	event->flags = flags;
	each(pgt, event->va, flags);
}

static bool deferred_barriers(const struct pgtsim_pgtable *pgt)
{
	return pgt->policy->barriers == PGTSIM_BARRIERS_DEFERRED;
}

/* Up to 6.1 set_swapper_pgd() has no barriers of its own, for blocks as for tables. */
static unsigned map_flags(const struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
			  unsigned flags)
{
	if (run->table == pgt->root && run->level < PGTSIM_PTE && !deferred_barriers(pgt))
		flags &= ~(unsigned)PGTSIM_EACH_SYNC;
	return flags;
}

/* set_p4d() of five levels and set_swapper_pgd() make a cleared entry visible (6.12). */
static bool sync_after_clear(const struct pgtsim_pgtable *pgt, const struct pgtsim_run *run)
{
	return deferred_barriers(pgt) && run->level < PGTSIM_PTE &&
	       (run->table == pgt->root || run->level == PGTSIM_P4D);
}

/* What pgtsim_run_map() and pgtsim_run_clear() do for those who look step by step. */
static void map_singly(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, uint64_t pa,
		       uint64_t attrs, unsigned flags)
{
	struct pgtsim_event event = {
		.op = PGTSIM_OP_MAP,
		.level = run->level,
		.flags = flags,
		.size = pgtsim_entry_size(&pgt->geo, run->level),
		.step = pgtsim_entry_size(&pgt->geo, run->level),
		.pa = pa,
	};

	for (unsigned i = 0; i < run->count; i++, event.pa += event.size) {
		event.new_desc = pgtsim_desc_leaf(&pgt->geo, run->level, event.pa, attrs);
		store_singly(pgt, run, &event, run->index + i);
	}
}

static void clear_singly(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, unsigned flags)
{
	struct pgtsim_event event = {
		.op = PGTSIM_OP_CLEAR,
		.level = run->level,
		.flags = flags,
		.size = pgtsim_entry_size(&pgt->geo, run->level),
		.step = pgtsim_entry_size(&pgt->geo, run->level),
	};

	for (unsigned i = 0; i < run->count; i++)
		store_singly(pgt, run, &event, run->index + i);
}

/* The event of `count` leaves that were written from va on. */
static void map_event(struct pgtsim_pgtable *pgt, int level, uint64_t va, uint64_t count,
		      uint64_t pa, uint64_t desc, unsigned flags)
{
	const struct pgtsim_event event = {
		.op = PGTSIM_OP_MAP,
		.level = level,
		.flags = flags,
		.va = va,
		.count = count,
		.size = pgtsim_entry_size(&pgt->geo, level),
		.step = pgtsim_entry_size(&pgt->geo, level),
		.pa = pa,
		.new_desc = desc,
	};

	pgtsim_events_tell(pgt->tlb, &event);
}

void pgtsim_run_map(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, uint64_t pa,
		    uint64_t attrs, unsigned flags)
{
	uint64_t size = pgtsim_entry_size(&pgt->geo, run->level);
	uint64_t va = pgtsim_entry_base(&pgt->geo, run->level, run->va);

	flags = map_flags(pgt, run, flags);
	pgtsim_access_lines(pgt, run->index, run->count);
	if (pgt->tlb->single) {
		map_singly(pgt, run, pa, attrs, flags);
		return;
	}
	for (unsigned done = 0, n; done < run->count; done += n, va += n * size, pa += n * size) {
		uint64_t desc = pgtsim_desc_leaf(&pgt->geo, run->level, pa, attrs);

		n = (unsigned)pgtsim_desc_run(&pgt->geo, run->level, pa, run->count - done);
		pgtsim_access_fill(pgt, run->table, run->index + done, n, desc);
		if (pgtsim_tlb_watched(pgt->tlb))
			map_event(pgt, run->level, va, n, pa, desc, flags);
		else
			pgtsim_tlb_count(&pgt->tlb->counts, PGTSIM_OP_MAP, run->level, n, flags);
	}
	count_work(pgt, run->count);
}

/* Shows the run's leaves to whoever watches, before they go, in uniform parts. */
static void clear_events(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, unsigned live,
			 unsigned flags)
{
	uint64_t base = pgtsim_entry_base(&pgt->geo, run->level, run->va);
	struct pgtsim_event event = {
		.op = PGTSIM_OP_CLEAR,
		.level = run->level,
		.flags = flags,
		.size = pgtsim_entry_size(&pgt->geo, run->level),
		.step = pgtsim_entry_size(&pgt->geo, run->level),
	};
	const struct pgtsim_table *table = run->table;
	unsigned index = run->index, end = run->index + run->count;
	bool known = is_private(pgt) && table->alike && live == run->count;

	for (; index < end; index += (unsigned)event.count) {
		if (!known)
			index += pgtsim_access_zeros(pgt, table, index, end - index);
		if (index == end)
			break;
		event.old_desc = known ? table->base + index * event.size :
					 pgtsim_access_read(pgt, table, index);
		event.count =
			known ? live :
				pgtsim_access_uniform(pgt, table, index, end - index, event.step);
		event.va = base + (index - run->index) * event.size;
		event.pa = pgtsim_desc_address(&pgt->geo, run->level, event.old_desc);
		pgtsim_events_tell(pgt->tlb, &event);
	}
}

void pgtsim_run_clear(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, unsigned live,
		      unsigned flags)
{
	if (!live)
		return;
	if (sync_after_clear(pgt, run))
		flags |= PGTSIM_EACH_SYNC;
	if (pgt->tlb->single) {
		clear_singly(pgt, run, flags);
		return;
	}
	if (pgtsim_tlb_watched(pgt->tlb))
		clear_events(pgt, run, live, flags);
	else
		pgtsim_tlb_count(&pgt->tlb->counts, PGTSIM_OP_CLEAR, run->level, live, flags);
	pgtsim_access_clear(pgt, run->table, run->index, run->count, live);
	count_work(pgt, run->count);
}

unsigned pgtsim_table_first(struct pgtsim_pgtable *pgt, struct pgtsim_table *table)
{
	unsigned end = table_entries(pgt, table);

	if (!is_private(pgt)) {
		count_work(pgt, end);
		return pgtsim_access_zeros(pgt, table, 0, end);
	}
	if (!table->live) {
		table->first = end;
		return end;
	}
	if (table->first == end || !pgtsim_access_plain(table, table->first)) {
		unsigned zeros = pgtsim_access_zeros(pgt, table, table->first, end - table->first);

		count_work(pgt, zeros);
		table->first += zeros;
	}
	count_work(pgt, 1);
	return table->first;
}

/* ---- tables ---- */

uint64_t pgtsim_tables_reserve(struct pgtsim_pgtable *pgt, uint64_t count,
			       struct pgtsim_table **list)
{
	struct pgtsim_table **tail = list;
	uint64_t got;

	*list = NULL;
	if (!count)
		got = 0;
	else if (pgtsim_implies(pgt) && pgt->ops.alloc == memory_alloc)
		got = pgtsim_memory_take_tables(pgt->ops.ctx, count, &tail);
	else
		got = pgt->ops.alloc(pgt->ops.ctx, count, &tail);
	*tail = NULL;
	return got;
}

void pgtsim_tables_release(struct pgtsim_pgtable *pgt, struct pgtsim_table **list)
{
	while (*list) {
		struct pgtsim_table *table = *list;

		*list = table->next;
		pgt->ops.free(pgt->ops.ctx, table);
	}
}

static inline void entry_event(struct pgtsim_pgtable *pgt, enum pgtsim_op op,
			       const struct pgtsim_run *run, uint64_t old_desc, uint64_t new_desc)
{
	if (pgtsim_tlb_watched(pgt->tlb)) {
		const struct pgtsim_event event = {
			.op = op,
			.level = run->level,
			.va = pgtsim_entry_base(&pgt->geo, run->level, run->va),
			.count = 1,
			.size = pgtsim_entry_size(&pgt->geo, run->level),
			.old_desc = old_desc,
			.new_desc = new_desc,
		};

		pgtsim_events_tell(pgt->tlb, &event);
	} else {
		pgtsim_tlb_count(&pgt->tlb->counts, op, run->level, 1, 0);
	}
}

/* __create_pgd_mapping() calls the constructor of a table, vmemmap_p?d_populate() does not. */
static unsigned construct(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table)
{
	table->constructed = pgt->policy->table_dtor != PGTSIM_TABLE_DTOR_NONE &&
			     table->region != PGTSIM_REGION_VMEMMAP;
	return table->constructed ? PGTSIM_EACH_CTOR : 0;
}

static unsigned destruct(struct pgtsim_pgtable *pgt, const struct pgtsim_table *table, uint64_t va)
{
	if (!table->constructed)
		return 0;
	if (pgt->policy->table_dtor == PGTSIM_TABLE_DTOR_CALLED)
		return PGTSIM_EACH_DTOR;
	pgtsim_tlb_violation(pgt->tlb, PGTSIM_V_TABLE_NOT_DESTROYED, va, table->level,
			     "the table at PA 0x%llx", (unsigned long long)table->pa);
	return 0;
}

void pgtsim_table_link(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
		       struct pgtsim_table **list, uint64_t attrs, enum pgtsim_region region)
{
	struct pgtsim_table *child = *list;
	uint64_t desc = pgtsim_desc_table(&pgt->geo, child->pa, attrs);
	unsigned index = pgtsim_index(&pgt->geo, run->level, run->va);

	*list = child->next;
	start_record(pgt, child, run->level + 1, region);
	table_event(pgt, PGTSIM_OP_TABLE_ALLOC, child, run->va, construct(pgt, child));
	if (region != PGTSIM_REGION_VMEMMAP)
		pgtsim_events_publish(pgt->tlb);
	child->linked = true;
	if (!pgtsim_access_install(pgt, run->table, index, desc)) {
		child->linked = false;
		table_event(pgt, PGTSIM_OP_TABLE_FREE, child, run->va,
			    child->constructed ? PGTSIM_EACH_DTOR : 0);
		child->next = *list;
		*list = child;
		return;
	}
	/* A table beyond pa_bits is not where its entry says. */
	if (pgtsim_implies(pgt) && pgtsim_oa(&pgt->geo, pgt->geo.page_shift, desc) == child->pa)
		pgtsim_table_note(pgt->ops.ctx, run->table, index, child);
	if (run->table->alike)
		run->table->alike = false;
	pgtsim_record_filled(pgt, run->table, index, 1);
	count_work(pgt, 1);
	pgtsim_access_lines(pgt, index, 1);
	entry_event(pgt, PGTSIM_OP_LINK, run, 0, desc);
	if (run->table != pgt->root || deferred_barriers(pgt))
		pgtsim_events_sync(pgt->tlb);
}

/* What a walk cache may reach though the tables do not lead there: for the checker. */
struct subtree {
	int level; /* of the entry above it */
	void (*tell)(struct pgtsim_cached *cached, const struct pgtsim_event *event);
};

static int tell_entries(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	const struct subtree *subtree = arg;
	uint64_t size = pgtsim_entry_size(&pgt->geo, run->level);
	struct pgtsim_event event = { .op = PGTSIM_OP_POKE, .level = run->level, .size = size };
	unsigned index = run->index, end = run->index + run->count;

	while (run->level > subtree->level && index < end) {
		uint64_t desc = pgtsim_entry(pgt, run->table, index);

		event.va = run->va + (index - run->index) * size;
		event.count = pgtsim_run_uniform(pgt, run->table, index, end - index, size);
		event.old_desc = event.new_desc = desc;
		subtree->tell(pgt->tlb->cached, &event);
		index += (unsigned)event.count;
	}
	return 0;
}

static int tell_table(struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
		      struct pgtsim_table *child, void *arg)
{
	(void)child;
	return tell_entries(pgt, run, arg);
}

/* Tells the checker of each entry below that of the run; looking on is neither seen nor counted. */
static void tell_below(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
		       void (*tell)(struct pgtsim_cached *, const struct pgtsim_event *))
{
	static const struct pgtsim_visitor visitor = { .entries = tell_entries,
						       .table = tell_table };
	struct subtree subtree = { run->level, tell };
	uint64_t va = pgtsim_entry_base(&pgt->geo, run->level, run->va);
	struct pgtsim_access_hook *hook = pgt->hook;
	bool quiet = pgt->tlb->quiet;

	if (!pgt->tlb->cached)
		return;
	pgt->hook = NULL;
	pgt->tlb->quiet = true;
	pgtsim_walk(pgt, va, va + (pgtsim_entry_size(&pgt->geo, run->level) - 1), &visitor,
		    &subtree);
	pgt->tlb->quiet = quiet;
	pgt->hook = hook;
}

static void free_table(struct pgtsim_pgtable *pgt, struct pgtsim_table *table, uint64_t va)
{
	table_event(pgt, PGTSIM_OP_TABLE_FREE, table, va, destruct(pgt, table, va));
	pgt->ops.free(pgt->ops.ctx, table);
}

void pgtsim_table_unlink(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
			 struct pgtsim_table *child)
{
	uint64_t desc = pgtsim_access_read(pgt, run->table, run->index);
	bool early = pgt->policy->table_free_order == PGTSIM_TABLE_FREE_BEFORE_INVALIDATE;

	if (pgt->tlb->cached && child->live)
		tell_below(pgt, run, pgtsim_cached_lost);
	pgtsim_access_write(pgt, run->table, run->index, 0);
	if (pgtsim_oa(&pgt->geo, pgt->geo.page_shift, desc) == child->pa)
		child->linked = false;
	pgtsim_record_cleared(pgt, run->table, run->index, 1, 1);
	count_work(pgt, 1);
	pgtsim_access_lines(pgt, run->index, 1);
	entry_event(pgt, PGTSIM_OP_UNLINK, run, desc, 0);
	if (sync_after_clear(pgt, run))
		pgtsim_tlb_sync(pgt->tlb);
	if (early)
		free_table(pgt, child, run->va);
	pgtsim_events_flush_table(pgt->tlb, run->va);
	if (!early)
		free_table(pgt, child, run->va);
}

uint32_t pgtsim_tables_mark(struct pgtsim_pgtable *pgt)
{
	return is_shared(pgt) ? pgt->epoch : ++pgt->epoch;
}

static int undo_table(struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
		      struct pgtsim_table *child, void *arg)
{
	const uint32_t *mark = arg;

	/* Serial numbers: the difference is right when the counter has wrapped, too. */
	if (!child->live && pgt->epoch - child->epoch <= pgt->epoch - *mark)
		pgtsim_table_unlink(pgt, run, child);
	return 0;
}

void pgtsim_tables_undo(struct pgtsim_pgtable *pgt, uint64_t va, uint64_t last, uint32_t mark)
{
	static const struct pgtsim_visitor visitor = { .table_done = undo_table };

	if (!is_shared(pgt))
		pgtsim_walk(pgt, va, last, &visitor, &mark);
	pgtsim_tlb_end(pgt->tlb, va, last);
}

/* ---- map ---- */

/* A mapping under way: page aligned, [va, last], pa = va + delta. */
struct mapping {
	const struct pgtsim_map *map;
	uint64_t va, last, delta;
	struct pgtsim_table *tables; /* reserved, in the order they will be linked */
	uint64_t needed;             /* tables to reserve */
	bool reserved;               /* all of them were */
	struct pgtsim_table
		*empty; /* nothing is there but entries of this one, all zero; or NULL */
	int skipping;   /* the level below which nothing is mapped; above pte: none */
};

enum { NOT_SKIPPING = PGTSIM_PTE + 1 };

static bool block_fits(const struct pgtsim_geometry *geo, const struct mapping *m, int level,
		       uint64_t va, uint64_t last)
{
	uint64_t mask = pgtsim_entry_size(geo, level) - 1;

	return m->map->blocks && geo->block[pgtsim_slot(level)] && !(va & mask) &&
	       !((va + m->delta) & mask) && last - va >= mask;
}

/* Tables that mapping [va, last] needs below empty entries of this level. */
static uint64_t tables_below(const struct pgtsim_geometry *geo, const struct mapping *m, int level,
			     uint64_t va, uint64_t last)
{
	unsigned shift = geo->shift[pgtsim_slot(level)];
	uint64_t mask = pgtsim_entry_size(geo, level) - 1;
	uint64_t head, tail;

	if (level == PGTSIM_PTE)
		return 0;
	if (!m->map->blocks || !geo->block[pgtsim_slot(level)] || (m->delta & mask))
		return (last >> shift) - (va >> shift) + 1 +
		       tables_below(geo, m, level + 1, va, last);
	head = va & mask ? 1 : 0;
	if (head && (va | mask) >= last)
		return 1 + tables_below(geo, m, level + 1, va, last);
	if (head)
		head += tables_below(geo, m, level + 1, va, va | mask);
	tail = (last & mask) != mask ? 1 : 0;
	if (tail)
		tail += tables_below(geo, m, level + 1, last & ~mask, last);
	return head + tail;
}

/* How many entries of a run are free; others may have linked a table since it was looked at. */
static unsigned free_entries(const struct pgtsim_pgtable *pgt, const struct pgtsim_run *run)
{
	if (is_private(pgt))
		return pgtsim_run_live(pgt, run) ? 0 : run->count;
	count_work(pgt, run->count);
	return pgtsim_run_zeros(pgt, run->table, run->index, run->count);
}

static bool is_table(const struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, unsigned index)
{
	return pgtsim_desc_is_table(run->level, pgtsim_entry(pgt, run->table, index));
}

static int prepare_entries(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	struct mapping *m = arg;
	unsigned all = run->count;

	run->count = free_entries(pgt, run);
	if (run->count < all && !is_table(pgt, run, run->index + run->count))
		return -EEXIST;
	if (!run->count)
		return PGTSIM_WALK_AGAIN;
	end_run(&pgt->geo, run, run->last);
	if (run->va == m->va && run->last == m->last && m->skipping == NOT_SKIPPING)
		m->empty = run->table;
	if (run->level <= m->skipping)
		m->needed += tables_below(&pgt->geo, m, run->level, run->va, run->last);
	if (run->count == all)
		return 0;
	run->va = run->last + 1;
	return PGTSIM_WALK_AGAIN;
}

/* pmd_set_huge() over a table changes nothing, up to 6.12. */
static bool skips_table(const struct pgtsim_pgtable *pgt, const struct mapping *m,
			const struct pgtsim_run *run)
{
	return pgt->policy->block_over_table == PGTSIM_OVER_TABLE_SKIP &&
	       block_fits(&pgt->geo, m, run->level, run->va, run->last);
}

static int prepare_table(struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
			 struct pgtsim_table *child, void *arg)
{
	struct mapping *m = arg;

	(void)child;
	if (m->skipping == NOT_SKIPPING && skips_table(pgt, m, run))
		m->skipping = run->level;
	return 0;
}

static int prepare_done(struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
			struct pgtsim_table *child, void *arg)
{
	struct mapping *m = arg;

	(void)pgt;
	(void)child;
	if (m->skipping == run->level)
		m->skipping = NOT_SKIPPING;
	return 0;
}

static void map_whole(struct pgtsim_pgtable *pgt, const struct mapping *m,
		      const struct pgtsim_run *run, uint64_t hint)
{
	bool sync = run->level < PGTSIM_PTE || !deferred_barriers(pgt);

	pgtsim_run_map(pgt, run, run->va + m->delta, m->map->attrs | hint,
		       sync ? PGTSIM_EACH_SYNC : 0);
}

static void map_part(struct pgtsim_pgtable *pgt, const struct mapping *m,
		     const struct pgtsim_run *run, uint64_t va, uint64_t last, uint64_t hint)
{
	const struct pgtsim_run part = pgtsim_run_part(pgt, run, va, last);

	map_whole(pgt, m, &part, hint);
}

/* alloc_init_cont_pmd() sees one entry at a time where the pmd is the root: no group fits. */
static bool may_hint(const struct pgtsim_pgtable *pgt, const struct mapping *m,
		     const struct pgtsim_run *run)
{
	return m->map->cont && pgtsim_cont_entries(&pgt->geo, run->level) > 1 &&
	       (run->table != pgt->root || run->level == PGTSIM_PTE);
}

/* Maps the run; contiguous groups that lie wholly inside the mapping get the hint. */
static void map_leaves(struct pgtsim_pgtable *pgt, const struct mapping *m,
		       const struct pgtsim_run *run)
{
	uint64_t mask = (pgtsim_entry_size(&pgt->geo, run->level)
			 << pgt->geo.cont[pgtsim_slot(run->level)]) -
			1;
	uint64_t first = (m->va + mask) & ~mask, last = ((m->last + 1) & ~mask) - 1;

	if (first < run->va && first >= m->va)
		first = run->va;
	if (last > run->last)
		last = run->last;
	if (!may_hint(pgt, m, run) || (m->delta & mask) || first < m->va || first > last ||
	    first > run->last || last < run->va) {
		map_whole(pgt, m, run, 0);
		return;
	}
	if (first == run->va && last == run->last) {
		map_whole(pgt, m, run, PGTSIM_DESC_CONT);
		return;
	}
	if (first > run->va)
		map_part(pgt, m, run, run->va, first - 1, 0);
	map_part(pgt, m, run, first, last, PGTSIM_DESC_CONT);
	if (last < run->last)
		map_part(pgt, m, run, last + 1, run->last, 0);
}

/* How far one step from va on goes. Returns whether it maps leaves, not one entry by a table. */
static bool next_step(const struct pgtsim_geometry *geo, const struct mapping *m, int level,
		      uint64_t va, uint64_t last, uint64_t *end)
{
	uint64_t mask = pgtsim_entry_size(geo, level) - 1;

	*end = last;
	if (level == PGTSIM_PTE)
		return true;
	if (block_fits(geo, m, level, va, last)) {
		*end = va + ((last - va + 1) & ~mask) - 1;
		return true;
	}
	if ((va | mask) < last)
		*end = va | mask;
	return false;
}

/*
 * Maps [va, last], of which the table holds nothing so far, and all below: what a new table holds
 * need not be asked.
 */
static int map_empty(struct pgtsim_pgtable *pgt, struct mapping *m, struct pgtsim_table *table,
		     int level, uint64_t va, uint64_t last)
{
	for (;;) {
		struct pgtsim_table *child = m->tables;
		struct pgtsim_run run;
		uint64_t end;
		bool leaves = next_step(&pgt->geo, m, level, va, last, &end);

		set_run(&pgt->geo, &run, table, level, va, end);
		if (leaves) {
			map_leaves(pgt, m, &run);
		} else {
			int ret = -ENOMEM;

			if (child)
				pgtsim_table_link(pgt, &run, &m->tables, m->map->table_attrs,
						  m->map->region);
			if (child)
				ret = map_empty(pgt, m, child, level + 1, va, end);
			if (ret)
				return ret;
		}
		if (end == last)
			return 0;
		va = end + 1;
	}
}

static int map_entries(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	struct mapping *m = arg;

	if (is_private(pgt))
		return map_empty(pgt, m, run->table, run->level, run->va, run->last);
	if (run->level == PGTSIM_PTE) {
		map_leaves(pgt, m, run);
		return 0;
	}
	if (block_fits(&pgt->geo, m, run->level, run->va, run->last)) {
		uint64_t size = pgtsim_entry_size(&pgt->geo, run->level);
		uint64_t last = run->va + ((run->last - run->va + 1) & ~(size - 1)) - 1;
		const struct pgtsim_run blocks = pgtsim_run_part(pgt, run, run->va, last);

		map_leaves(pgt, m, &blocks);
		run->va = last + 1;
		return last == run->last ? 0 : PGTSIM_WALK_AGAIN;
	}
	if (!m->tables && !(m->reserved && pgtsim_tables_reserve(pgt, 1, &m->tables)))
		return -ENOMEM;
	pgtsim_table_link(pgt, run, &m->tables, m->map->table_attrs, m->map->region);
	return PGTSIM_WALK_AGAIN;
}

static int map_table(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, struct pgtsim_table *child,
		     void *arg)
{
	(void)child;
	return skips_table(pgt, arg, run) ? PGTSIM_WALK_SKIP : 0;
}

static int check_map(const struct pgtsim_geometry *geo, const struct pgtsim_map *map,
		     struct mapping *m)
{
	uint64_t mask = pgtsim_page_size(geo) - 1;

	if ((map->va ^ map->pa) & mask)
		return -EINVAL;
	if (pgtsim_geometry_check_va(geo, map->va, map->size) ||
	    pgtsim_geometry_check_pa(geo, map->pa, map->size))
		return -EINVAL;
	*m = (struct mapping){
		.map = map,
		.va = map->va & ~mask,
		.last = (map->va + map->size - 1) | mask,
		.delta = map->pa - map->va,
		.skipping = NOT_SKIPPING,
	};
	return 0;
}

/* First all that may fail, then all that may not. */
struct map_visitors {
	struct pgtsim_visitor prepare, commit;
};

static const struct map_visitors map_visitors = {
	.prepare = { .entries = prepare_entries, .strict = true },
	.commit = { .entries = map_entries },
};

/* Where a table that stands in a block's way is left as it is. */
static const struct map_visitors map_visitors_skipping = {
	.prepare = {
		.entries = prepare_entries,
		.table = prepare_table,
		.table_done = prepare_done,
		.strict = true,
	},
	.commit = { .entries = map_entries, .table = map_table },
};

int pgtsim_map(struct pgtsim_pgtable *pgt, const struct pgtsim_map *map)
{
	bool skips = map->blocks && pgt->policy->block_over_table == PGTSIM_OVER_TABLE_SKIP;
	const struct map_visitors *visitors = skips ? &map_visitors_skipping : &map_visitors;
	struct pgtsim_table *first;
	struct mapping m;
	uint64_t got;
	int ret = check_map(&pgt->geo, map, &m);

	if (ret)
		return ret;
	pgtsim_events_begin(pgt->tlb, PGTSIM_OP_BEGIN_MAP, m.va, m.last);
	first = skips ? pgt->root : lowest_table(pgt, m.va, m.last);
	ret = walk_table(pgt, first, first->level, m.va, m.last, &visitors->prepare, &m);
	if (ret)
		return ret;
	got = pgtsim_tables_reserve(pgt, m.needed, &m.tables);
	if (got < m.needed && pgt->policy->map_failure == PGTSIM_ROLLBACK) {
		pgtsim_tables_release(pgt, &m.tables);
		return -ENOMEM;
	}
	m.reserved = got == m.needed;
	if (m.empty && is_private(pgt))
		ret = map_empty(pgt, &m, m.empty, m.empty->level, m.va, m.last);
	else
		ret = walk_table(pgt, first, first->level, m.va, m.last, &visitors->commit, &m);
	pgtsim_tables_release(pgt, &m.tables);
	return ret;
}

/* ---- translate ---- */

/* What is wrong with a leaf of this level, or what should be one; NONE if nothing is. */
static enum pgtsim_fault leaf_fault(const struct pgtsim_geometry *geo, int level, uint64_t desc)
{
	bool block = level < PGTSIM_PTE;

	/* Both low bits are set in a page, only the first one in a block. */
	if ((desc & 3) != (block ? 1 : 3) || (block && !geo->block_legal[pgtsim_slot(level)]))
		return PGTSIM_FAULT_TRANSLATION;
	if (pgtsim_oa(geo, geo->shift[pgtsim_slot(level)], desc) >> geo->pa_bits)
		return PGTSIM_FAULT_ADDRESS_SIZE;
	return desc & PGTSIM_DESC_AF ? PGTSIM_FAULT_NONE : PGTSIM_FAULT_ACCESS_FLAG;
}

/*
 * Permissions of a leaf, cut by `tables`, the bits set in any table on the way (Arm ARM D8.4). What
 * EL0 may write EL1 may not execute; that EL0 may not read does not keep it from executing.
 */
static void fill_access(struct pgtsim_translation *out, uint64_t tables)
{
	out->writable = !(out->desc & PGTSIM_DESC_AP2) && !(tables & PGTSIM_DESC_APTABLE_RO);
	out->user_readable = (out->desc & PGTSIM_DESC_AP1) && !(tables & PGTSIM_DESC_APTABLE_EL1);
	out->user_writable = out->user_readable && out->writable;
	out->user_executable = !(out->desc & PGTSIM_DESC_UXN) && !(tables & PGTSIM_DESC_UXNTABLE);
	out->executable = !(out->desc & PGTSIM_DESC_PXN) && !(tables & PGTSIM_DESC_PXNTABLE) &&
			  !out->user_writable;
}

void pgtsim_translate_leaf(const struct pgtsim_geometry *geo, uint64_t va, uint64_t tables,
			   struct pgtsim_translation *out)
{
	unsigned shift = geo->shift[pgtsim_slot(out->level)];

	fill_access(out, tables);
	out->attr_index = (out->desc & PGTSIM_DESC_ATTRINDX_MASK) >> 2;
	if (geo->oa != PGTSIM_OA_LPA2)
		out->sh = (out->desc & PGTSIM_DESC_SH_MASK) >> 8;
	out->size = UINT64_C(1) << shift;
	out->pa = pgtsim_oa(geo, shift, out->desc) + (va & (out->size - 1));
}

/* The table that an entry of this level points to, or NULL with the fault. */
static const struct pgtsim_table *next_table(const struct pgtsim_pgtable *pgt, int level,
					     uint64_t desc, enum pgtsim_fault *fault)
{
	uint64_t pa = pgtsim_oa(&pgt->geo, pgt->geo.page_shift, desc);
	const struct pgtsim_table *table;

	if (pa >> pgt->geo.pa_bits) {
		*fault = PGTSIM_FAULT_ADDRESS_SIZE;
		return NULL;
	}
	table = find_table(pgt, pa);
	if (table && table->level == level + 1)
		return table;
	*fault = PGTSIM_FAULT_EXTERNAL;
	return NULL;
}

int pgtsim_translate_from(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
			  uint64_t va, uint64_t tables, struct pgtsim_translation *out)
{
	for (int level = table->level; table; level++) {
		unsigned index = pgtsim_index(&pgt->geo, level, va);
		uint64_t desc = pgtsim_access_read(pgt, table, index);

		out->level = level;
		out->desc = desc;
		out->step[out->steps++] = (struct pgtsim_step){ level, index, desc };
		if (!pgtsim_desc_is_table(level, desc)) {
			out->fault = leaf_fault(&pgt->geo, level, desc);
			if (out->fault)
				return -EFAULT;
			pgtsim_translate_leaf(&pgt->geo, va, tables, out);
			return 0;
		}
		tables |= desc;
		table = next_table(pgt, level, desc, &out->fault);
	}
	return -EFAULT;
}

/* Field by field: steps that are never taken need not be cleared. */
static void start_walk(struct pgtsim_translation *out, int level)
{
	out->fault = PGTSIM_FAULT_TRANSLATION;
	out->level = level;
	out->pa = out->size = out->desc = 0;
	out->writable = out->executable = false;
	out->user_readable = out->user_writable = out->user_executable = false;
	out->attr_index = out->sh = 0;
	out->steps = 0;
}

/*
 * A walk through entries of which it is noted where they lead, to a leaf that has nothing wrong.
 * Returns false if it is another one. In as few instructions as can be: the host overlaps as many
 * walks as it has room for, and each waits for one line of a pte table.
 */
static bool translate_plainly(const struct pgtsim_pgtable *pgt, uint64_t va,
			      struct pgtsim_translation *out)
{
	const struct pgtsim_geometry *geo = &pgt->geo;
	const struct pgtsim_table *table = pgt->root;
	struct pgtsim_step *step = out->step;
	int level = table->level;
	unsigned index = pgtsim_index(geo, level, va);
	uint64_t desc, tables = 0;

	if (!is_private(pgt))
		return false;
	while (table->children && table->children[index]) {
		const struct pgtsim_table *next = table->children[index];

		if (next->level != ++level)
			return false;
		desc = table->entries[index];
		*step++ = (struct pgtsim_step){ level - 1, index, desc };
		tables |= desc;
		index = pgtsim_index(geo, level, va);
		table = next;
	}
	desc = pgtsim_access_plain(table, index);
	if (leaf_fault(geo, level, desc))
		return false;
	*step++ = (struct pgtsim_step){ level, index, desc };
	out->fault = PGTSIM_FAULT_NONE;
	out->level = level;
	out->desc = desc;
	out->sh = 0;
	out->steps = (unsigned)(step - out->step);
	pgtsim_translate_leaf(geo, va, tables, out);
	return true;
}

int pgtsim_translate(const struct pgtsim_pgtable *pgt, uint64_t va, struct pgtsim_translation *out)
{
	bool inside = va >= pgtsim_va_start(&pgt->geo);

	if (inside && translate_plainly(pgt, va, out))
		return 0;
	start_walk(out, pgt->root->level);
	return inside ? pgtsim_translate_from(pgt, pgt->root, va, 0, out) : -EINVAL;
}

const char *pgtsim_fault_name(enum pgtsim_fault fault)
{
	static const char *const names[] = {
		[PGTSIM_FAULT_NONE] = "no fault",
		[PGTSIM_FAULT_TRANSLATION] = "translation fault",
		[PGTSIM_FAULT_ADDRESS_SIZE] = "address size fault",
		[PGTSIM_FAULT_ACCESS_FLAG] = "access flag fault",
		[PGTSIM_FAULT_EXTERNAL] = "external abort on translation table walk",
	};

	return (unsigned)fault < sizeof(names) / sizeof(names[0]) ? names[fault] : NULL;
}

/* A table goes with its entry, or comes with it. */
static void move_table(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, uint64_t desc,
		       bool comes)
{
	uint64_t pa = pgtsim_desc_address(&pgt->geo, run->level, desc);
	struct pgtsim_table *child =
		pgtsim_desc_is_table(run->level, desc) ? pgt->ops.find(pgt->ops.ctx, pa) : NULL;

	if (!child || child->level != run->level + 1)
		return;
	child->linked = comes;
	tell_below(pgt, run, comes ? pgtsim_cached_found : pgtsim_cached_lost);
}

static void overwrite(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, uint64_t desc)
{
	uint64_t old = pgtsim_access_read(pgt, run->table, run->index);
	bool moves =
		pgtsim_desc_is_table(run->level, old) != pgtsim_desc_is_table(run->level, desc) ||
		pgtsim_desc_address(&pgt->geo, run->level, old) !=
			pgtsim_desc_address(&pgt->geo, run->level, desc);

	if (moves)
		move_table(pgt, run, old, false);
	pgtsim_access_write(pgt, run->table, run->index, desc);
	run->table->alike = false;
	if (old && !desc)
		pgtsim_record_cleared(pgt, run->table, run->index, 1, 1);
	else if (!old && desc)
		pgtsim_record_filled(pgt, run->table, run->index, 1);
	if (moves)
		move_table(pgt, run, desc, true);
	pgt->poked = true;
	entry_event(pgt, PGTSIM_OP_POKE, run, old, desc);
}

int pgtsim_poke(struct pgtsim_pgtable *pgt, int level, uint64_t va, uint64_t desc)
{
	struct pgtsim_run run = { .table = pgt->root, .level = pgt->root->level, .va = va };

	if (va < pgtsim_va_start(&pgt->geo) || level < run.level || level > PGTSIM_PTE)
		return -EINVAL;
	for (;; run.level++) {
		run.index = pgtsim_index(&pgt->geo, run.level, va);
		if (run.level == level)
			break;
		if (!pgtsim_desc_is_table(run.level, pgtsim_entry(pgt, run.table, run.index)))
			return -ENOENT;
		run.table = child_of(pgt, &run);
		if (!run.table)
			return -ENOENT;
	}
	overwrite(pgt, &run, desc);
	return 0;
}
