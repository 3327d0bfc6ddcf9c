/* SPDX-License-Identifier: MIT */
#include "runs.h"

unsigned pgtsim_table_live(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table)
{
	if (!pgt || !table)
		return 0;
	return pgtsim_is_shared(pgt) ? AO_int_load_acquire(&table->live) : table->live;
}

uint64_t pgtsim_entry(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
		      unsigned index)
{
	if (!pgt || !table || index >= pgtsim_entries_of(pgt, table))
		return 0;
	return pgtsim_access_read(pgt, table, index);
}

unsigned pgtsim_run_live(const struct pgtsim_pgtable *pgt, const struct pgtsim_run *run)
{
	if (!pgt || !run)
		return 0;
	return pgtsim_run_live_inline(pgt, run);
}

unsigned pgtsim_run_uniform(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
			    unsigned index, unsigned count, uint64_t step)
{
	unsigned entries = pgt && table ? pgtsim_entries_of(pgt, table) : 0;

	if (index >= entries)
		return 0;
	if (count > entries - index)
		count = entries - index;
	return pgtsim_access_uniform(pgt, table, index, count, step);
}

unsigned pgtsim_run_zeros(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
			  unsigned index, unsigned count)
{
	unsigned entries = pgt && table ? pgtsim_entries_of(pgt, table) : 0;

	if (index >= entries)
		return 0;
	if (count > entries - index)
		count = entries - index;
	if (pgtsim_is_private(pgt) && !table->live)
		return count;
	return pgtsim_access_zeros(pgt, table, index, count);
}

struct pgtsim_run pgtsim_run_part(const struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
				  uint64_t va, uint64_t last)
{
	struct pgtsim_run part;

	if (!pgt || !run)
		return (struct pgtsim_run){ 0 };
	pgtsim_set_run(&pgt->geo, &part, run->table, run->level, va, last);
	return part;
}

/* The fields that all events of a run of leaves have in common. */
static inline struct pgtsim_event leaves_event(const struct pgtsim_pgtable *pgt,
					       const struct pgtsim_run *run, enum pgtsim_op op,
					       unsigned flags)
{
	uint64_t size = pgtsim_entry_size(&pgt->geo, run->level);

	return (struct pgtsim_event){
		.op = op,
		.level = run->level,
		.flags = flags,
		.size = size,
		.step = size,
	};
}

/* What the flags say happens after an entry, as events of their own. */
static void each(struct pgtsim_pgtable *pgt, uint64_t va, unsigned flags)
{
	if (flags & PGTSIM_EACH_SYNC)
		pgtsim_emit(pgt->tlb, &PGTSIM_SYNC, 0, 0);
	if (flags & PGTSIM_EACH_FLUSH)
		pgtsim_emit(pgt->tlb, &PGTSIM_FLUSH_LEAF, va, pgtsim_page_size(&pgt->geo));
}

/* Stores one entry and emits its event: for explore, which runs step by step. */
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
		event->pa = pgtsim_address(&pgt->geo, run->level, event->old_desc);
	}
	pgtsim_access_write(pgt, run->table, index, event->new_desc);
	if (event->op == PGTSIM_OP_CLEAR)
		pgtsim_record_cleared(pgt, run->table, index, 1, 1);
	else
		pgtsim_record_filled(pgt, run->table, index, 1);
	pgtsim_count_work(pgt, 1);
	event->flags &= PGTSIM_EACH_FREE | PGTSIM_EACH_SEEN;
	pgtsim_events_tell(pgt->tlb, event);
	event->flags = flags;
	each(pgt, event->va, flags);
}

/* pgtsim_run_map() and pgtsim_run_clear(), entry by entry. */
static void map_singly(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, uint64_t pa,
		       uint64_t attrs, unsigned flags)
{
	struct pgtsim_event event = leaves_event(pgt, run, PGTSIM_OP_MAP, flags);

	event.pa = pa;
	for (unsigned i = 0; i < run->count; i++, event.pa += event.size) {
		event.new_desc = pgtsim_desc_leaf(&pgt->geo, run->level, event.pa, attrs);
		store_singly(pgt, run, &event, run->index + i);
	}
}

static void clear_singly(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, unsigned flags)
{
	struct pgtsim_event event = leaves_event(pgt, run, PGTSIM_OP_CLEAR, flags);

	for (unsigned i = 0; i < run->count; i++)
		store_singly(pgt, run, &event, run->index + i);
}

void pgtsim_run_map_slow(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, uint64_t pa,
			 uint64_t attrs, unsigned flags)
{
	struct pgtsim_event event = leaves_event(pgt, run, PGTSIM_OP_MAP, flags);
	unsigned done = 0;

	if (pgtsim_tlb_singly(pgt->tlb)) {
		map_singly(pgt, run, pa, attrs, flags);
		return;
	}
	event.va = pgtsim_entry_base(&pgt->geo, run->level, run->va);
	for (event.pa = pa; done < run->count; done += (unsigned)event.count) {
		event.new_desc = pgtsim_leaf(&pgt->geo, run->level, event.pa, attrs);
		event.count = pgtsim_desc_run(&pgt->geo, run->level, event.pa, run->count - done);
		pgtsim_access_fill(pgt, run->table, run->index + done, (unsigned)event.count,
				   event.new_desc);
		pgtsim_events_tell(pgt->tlb, &event);
		event.va += event.count * event.size;
		event.pa += event.count * event.size;
	}
	pgtsim_count_work(pgt, run->count);
}

void pgtsim_run_map(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, uint64_t pa,
		    uint64_t attrs, unsigned flags)
{
	if (!pgt || !run)
		return;
	pgtsim_run_map_inline(pgt, run, pa, attrs, flags);
}

/* Emits the events of a run that is about to be cleared, one for each uniform part. */
static void clear_events(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, unsigned live,
			 unsigned flags)
{
	uint64_t base = pgtsim_entry_base(&pgt->geo, run->level, run->va);
	struct pgtsim_event event = leaves_event(pgt, run, PGTSIM_OP_CLEAR, flags);
	const struct pgtsim_table *table = run->table;
	unsigned index = run->index, end = run->index + run->count;
	bool known = pgtsim_is_private(pgt) && pgtsim_state(table)->described && live == run->count;

	for (; index < end; index += (unsigned)event.count) {
		if (!known)
			index += pgtsim_access_zeros(pgt, table, index, end - index);
		if (index == end)
			break;
		event.old_desc = known ? pgtsim_state(table)->base + index * event.size :
					 pgtsim_access_read(pgt, table, index);
		event.count =
			known ? live :
				pgtsim_access_uniform(pgt, table, index, end - index, event.step);
		event.va = base + (index - run->index) * event.size;
		event.pa = pgtsim_address(&pgt->geo, run->level, event.old_desc);
		pgtsim_events_tell(pgt->tlb, &event);
	}
}

void pgtsim_run_clear_slow(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, unsigned live,
			   unsigned flags)
{
	if (pgtsim_tlb_singly(pgt->tlb)) {
		clear_singly(pgt, run, flags);
		return;
	}
	clear_events(pgt, run, live, flags);
	pgtsim_access_clear(pgt, run->table, run->index, run->count, live);
	pgtsim_count_work(pgt, run->count);
}

void pgtsim_run_clear(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, unsigned live,
		      unsigned flags)
{
	if (!pgt || !run)
		return;
	pgtsim_run_clear_inline(pgt, run, live, flags);
}

unsigned pgtsim_table_first(struct pgtsim_pgtable *pgt, struct pgtsim_table *table)
{
	if (!pgt || !table)
		return 0;
	return pgtsim_table_first_inline(pgt, table);
}
