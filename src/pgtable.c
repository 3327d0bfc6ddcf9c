/* SPDX-License-Identifier: MIT */
#include <pgtsim/pgtable.h>

#include <errno.h>

#include "cached.h"
#include "links.h"

/* ---- creation ---- */

uint64_t pgtsim_memory_alloc_op(void *ctx, uint64_t count, struct pgtsim_table ***tail)
{
	return pgtsim_memory_alloc_tables(ctx, count, tail);
}

void pgtsim_memory_free_op(void *ctx, struct pgtsim_table *table)
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
		.alloc = pgtsim_memory_alloc_op,
		.free = pgtsim_memory_free_op,
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

/* The side record of an empty table, and its host memory. */
static void start_record(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table, int level,
			 enum pgtsim_region region)
{
	pgtsim_record_start(pgt, table, level, region, pgt->access);
	if (pgt->ops.find == pgtsim_directory_lookup && table->notes)
		pgtsim_table_forget(pgt->ops.ctx, table);
	if (!pgtsim_implies(pgt)) {
		table->implied = false;
		table->notes = NULL;
		return;
	}
	if (level < PGTSIM_PTE)
		pgtsim_table_becomes_upper(pgt->ops.ctx, table);
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
	tlb->shared |= pgtsim_is_shared(pgt);
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
	pgtsim_give_back(pgt, child);
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
	pgtsim_give_back(pgt, pgt->root);
	pgt->root = NULL;
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
	else if (pgtsim_implies(pgt) && pgt->ops.alloc == pgtsim_memory_alloc_op)
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
		pgtsim_give_back(pgt, table);
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

void pgtsim_table_link(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
		       struct pgtsim_table **list, uint64_t attrs, enum pgtsim_region region)
{
	struct pgtsim_table *child = *list;
	uint64_t desc = pgtsim_table_desc(&pgt->geo, child->pa, attrs);
	unsigned index = pgtsim_index(&pgt->geo, run->level, run->va);

	*list = child->next;
	start_record(pgt, child, run->level + 1, region);
	child->constructed = pgtsim_constructs(pgt, region);
	table_event(pgt, PGTSIM_OP_TABLE_ALLOC, child, run->va,
		    child->constructed ? PGTSIM_EACH_CTOR : 0);
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
	if (pgtsim_implies(pgt) && pgtsim_is_addressed(&pgt->geo, child))
		pgtsim_table_note(pgt->ops.ctx, run->table, index, child);
	pgtsim_record_filled(pgt, run->table, index, 1);
	pgtsim_count_work(pgt, 1);
	pgtsim_access_lines(pgt, index, 1);
	entry_event(pgt, PGTSIM_OP_LINK, run, 0, desc);
	if (pgtsim_sync_after_link(pgt, run->table))
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
	table_event(pgt, PGTSIM_OP_TABLE_FREE, table, va, pgtsim_destruct(pgt, table, va));
	pgtsim_give_back(pgt, table);
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
	pgtsim_count_work(pgt, 1);
	pgtsim_access_lines(pgt, run->index, 1);
	entry_event(pgt, PGTSIM_OP_UNLINK, run, desc, 0);
	if (pgtsim_sync_after_clear(pgt, run->table, run->level))
		pgtsim_tlb_sync(pgt->tlb);
	if (early)
		free_table(pgt, child, run->va);
	pgtsim_events_flush_table(pgt->tlb, run->va);
	if (!early)
		free_table(pgt, child, run->va);
}

uint32_t pgtsim_tables_mark(struct pgtsim_pgtable *pgt)
{
	return pgtsim_is_shared(pgt) ? pgt->epoch : ++pgt->epoch;
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

	if (!pgtsim_is_shared(pgt))
		pgtsim_walk(pgt, va, last, &visitor, &mark);
	pgtsim_tlb_end(pgt->tlb, va, last);
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
		run.table = pgtsim_child_of(pgt, &run);
		if (!run.table)
			return -ENOENT;
	}
	overwrite(pgt, &run, desc);
	return 0;
}
