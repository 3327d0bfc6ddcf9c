/* SPDX-License-Identifier: MIT */
/* pgtable: a page table comes and goes; its tables are linked and unlinked; poke. */
#include <pgtsim/engine.h>

#include <errno.h>
#include <inttypes.h>

#include "arch/range.h"
#include "live.h"
#include "runs.h"

/* ---- ranges ---- */

int pgtsim_pgtable_fail_outside(const struct pgtsim_pgtable *pgt, uint64_t va, uint64_t size)
{
	if (!pgt->root)
		return pgtsim_fail(pgt->tlb, -EINVAL,
				   "the page table has ended: pgtsim_pgtable_fini() took its tables");
	if (!size)
		return pgtsim_fail(pgt->tlb, -EINVAL, "the range is empty");
	return pgtsim_fail(pgt->tlb, -EINVAL,
			   pgt->geo.from_zero ?
				   "VA 0x%" PRIx64 "+%s is not in the address space of %u bits, from "
				   "0x%016" PRIx64 " on" :
				   "VA 0x%" PRIx64 "+%s is not in the kernel's half of %u bits, from "
				   "0x%016" PRIx64 " on",
			   va, pgtsim_amount(size).text, pgt->geo.va_bits,
			   pgtsim_va_start(&pgt->geo));
}

int pgtsim_pgtable_check_pages(const struct pgtsim_pgtable *pgt, uint64_t va, uint64_t size)
{
	uint64_t page = pgtsim_page_size(&pgt->geo);

	if ((va | size) & (page - 1))
		return pgtsim_fail(pgt->tlb, -EINVAL,
				   "VA 0x%" PRIx64 "+%s does not begin and end with a page (%s)",
				   va, pgtsim_amount(size).text, pgtsim_amount(page).text);
	return pgtsim_pgtable_check(pgt, va, size);
}

/* ---- a table begins and ends ---- */

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

/* Begins the record of an empty table. An allocator of the caller's own may have left anything. */
static void start_record(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table, int level,
			 enum pgtsim_region region)
{
	struct pgtsim_table_state *state = pgtsim_state(table);

	table->next = NULL;
	table->live = 0;
	table->level = (int8_t)level;
	table->region = (uint8_t)region;
	table->constructed = table->linked = false;
	state->described = pgtsim_is_private(pgt);
	state->first = pgtsim_is_shared(pgt) ? 0 : pgtsim_entries(&pgt->geo, level);
	state->epoch = pgtsim_pgtable_state(pgt)->epoch;
	state->shift = pgt->geo.shift[pgtsim_slot(level)];
	if (pgt->ops.find == pgtsim_memory_find_op && state->cache)
		pgtsim_cache_free(pgt->ops.ctx, table);
	if (!pgtsim_uses_lazy_tables(pgt)) {
		state->lazy = false;
		state->cache = NULL;
	} else if (level < PGTSIM_PTE) {
		pgtsim_table_use_upper_pool(pgt->ops.ctx, table);
	}
}

/* __create_pgd_mapping() calls the constructor of a table, vmemmap_p?d_populate() does not. */
static bool is_constructed(const struct pgtsim_pgtable *pgt, enum pgtsim_region region)
{
	return pgt->policy->table_dtor != PGTSIM_TABLE_DTOR_NONE && region != PGTSIM_REGION_VMEMMAP;
}

/* Whether a barrier orders a new table's zeros before its link: vmemmap_p?d_populate() has none. */
static bool is_published(const struct pgtsim_pgtable *pgt, enum pgtsim_region region)
{
	return region != PGTSIM_REGION_VMEMMAP ||
	       pgt->policy->vmemmap_publish == PGTSIM_VMEMMAP_PUBLISH_DSB;
}

/*
 * The flag of a table's destructor, if it is called, for the event of the free. A violation if one is
 * due and is not called, a remark if the table never had a constructor.
 */
static unsigned destruct(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
			 uint64_t va, bool called)
{
	if (called && !table->constructed)
		pgtsim_tlb_remark(pgt->tlb, PGTSIM_W_TABLE_NOT_CONSTRUCTED);
	if (!called && table->constructed)
		pgtsim_tlb_violation(pgt->tlb, PGTSIM_V_TABLE_NOT_DESTROYED, va, table->level,
				     "the table at PA 0x%llx", (unsigned long long)table->pa);
	return called ? PGTSIM_EACH_DTOR : 0;
}

/* ---- a page table begins and ends ---- */

int pgtsim_pgtable_init(struct pgtsim_pgtable *pgt, const struct pgtsim_geometry *geo,
			const struct pgtsim_policy *policy, struct pgtsim_tlb *tlb,
			struct pgtsim_table_ops ops, enum pgtsim_access access)
{
	struct pgtsim_table *root;

	if (!pgt || !geo || !policy || !tlb || !ops.alloc || !ops.free || !ops.find)
		return -EINVAL;
	if ((unsigned)access > PGTSIM_ACCESS_HOOKED)
		return pgtsim_fail(tlb, -EINVAL, "there is no access mode %u", (unsigned)access);
	*pgt = (struct pgtsim_pgtable){
		.geo = *geo,
		.policy = policy,
		.tlb = tlb,
		.ops = ops,
		.access = access,
	};
	if (!pgtsim_table_reserve(pgt, pgtsim_root_level(geo), &root))
		return pgtsim_fail_table(pgt, "no memory for the root table");
	pgt->root = root;
	tlb->shared |= pgtsim_is_shared(pgt);
	start_record(pgt, pgt->root, pgtsim_root_level(geo), PGTSIM_REGION_OTHER);
	pgtsim_table_materialize(pgt->root);
	table_event(pgt, PGTSIM_OP_TABLE_ALLOC, pgt->root, pgtsim_va_start(geo), 0);
	return 0;
}

static int give_back_child(struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
			   struct pgtsim_table *child, void *arg)
{
	(void)run;
	(void)arg;
	pgtsim_table_return(pgt, child);
	return 0;
}

void pgtsim_pgtable_fini(struct pgtsim_pgtable *pgt)
{
	if (!pgt)
		return;

	static const struct pgtsim_visitor visitor = { .table_done = give_back_child };
	bool quiet = pgt->tlb->quiet;

	if (!pgt->root)
		return;
	pgt->tlb->quiet = true;
	pgtsim_walk(pgt, pgtsim_va_start(&pgt->geo), pgtsim_va_last(&pgt->geo), &visitor, NULL);
	pgt->tlb->quiet = quiet;
	pgtsim_table_return(pgt, pgt->root);
	pgt->root = NULL;
}

/* ---- tables are linked and unlinked ---- */

static inline struct pgtsim_event event_of_entry(const struct pgtsim_pgtable *pgt,
						 enum pgtsim_op op, const struct pgtsim_run *run,
						 uint64_t old_desc, uint64_t new_desc)
{
	return (struct pgtsim_event){
		.op = op,
		.level = run->level,
		.va = pgtsim_entry_base(&pgt->geo, run->level, run->va),
		.count = 1,
		.size = pgtsim_entry_size(&pgt->geo, run->level),
		.old_desc = old_desc,
		.new_desc = new_desc,
	};
}

static inline void entry_event(struct pgtsim_pgtable *pgt, enum pgtsim_op op,
			       const struct pgtsim_run *run, uint64_t old_desc, uint64_t new_desc,
			       unsigned flags)
{
	if (pgtsim_tlb_watched(pgt->tlb)) {
		struct pgtsim_event event = event_of_entry(pgt, op, run, old_desc, new_desc);

		event.flags = flags;
		pgtsim_events_tell(pgt->tlb, &event);
	} else {
		pgtsim_tlb_count(&pgt->tlb->counts, op, run->level, 1, 0);
	}
}

/* The record of a new table, and its event. */
static inline void begin_table(struct pgtsim_pgtable *pgt, struct pgtsim_table *child, int level,
			       uint64_t va, enum pgtsim_region region, bool constructed)
{
	start_record(pgt, child, level, region);
	child->constructed = constructed;
	table_event(pgt, PGTSIM_OP_TABLE_ALLOC, child, va, constructed ? PGTSIM_EACH_CTOR : 0);
}

void pgtsim_table_begin(struct pgtsim_pgtable *pgt, struct pgtsim_table *table, int level,
			uint64_t va, enum pgtsim_region region, bool constructed)
{
	if (!pgt || !table || !pgtsim_level_name(&pgt->geo, level))
		return;
	begin_table(pgt, table, level, va, region, constructed);
}

/*
 * Writes the entry of a new table and emits that. Returns false, with nothing done, if another thread
 * has linked a table there.
 */
static inline bool link_entry(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
			      struct pgtsim_table *child, uint64_t desc, unsigned flags)
{
	unsigned index = pgtsim_index(&pgt->geo, run->level, run->va);

	child->linked = true;
	if (!pgtsim_access_install(pgt, run->table, index, desc)) {
		child->linked = false;
		return false;
	}
	/* A table beyond pa_bits is not where its entry points. */
	if (pgtsim_uses_lazy_tables(pgt) && !(child->pa >> pgt->geo.pa_bits))
		pgtsim_cache_child(pgt->ops.ctx, run->table, index, child);
	pgtsim_record_filled(pgt, run->table, index, 1);
	pgtsim_count_work(pgt, 1);
	pgtsim_access_lines(pgt, index, 1);
	if (!is_published(pgt, (enum pgtsim_region)child->region))
		flags |= PGTSIM_EACH_KNOWN;
	entry_event(pgt, PGTSIM_OP_LINK, run, 0, desc, flags);
	return true;
}

void pgtsim_entry_link(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
		       struct pgtsim_table *child, uint64_t desc, unsigned flags)
{
	link_entry(pgt, run, child, desc, flags);
}

void pgtsim_table_link(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
		       struct pgtsim_table **list, uint64_t attrs, enum pgtsim_region region)
{
	if (!pgt || !run || !list || !*list)
		return;

	struct pgtsim_table *child = *list;
	uint64_t desc = pgtsim_table_desc(&pgt->geo, child->pa, attrs);
	/* Up to 6.1 set_swapper_pgd() has no barriers but those of its fixmap slot. */
	bool sync = run->table != pgt->root || pgtsim_deferred_barriers(pgt);

	bool published = is_published(pgt, region), known;

	*list = child->next;
	known = pgtsim_routine_begin(pgt->tlb,
				     PGTSIM_ROUTINE_COMES |
					     (region == PGTSIM_REGION_VMALLOC ? PGTSIM_ROUTINE_ORDERED :
					      published ? PGTSIM_ROUTINE_PUBLISHED : 0) |
					     (sync ? PGTSIM_ROUTINE_SYNCED : 0),
				     run->level);
	begin_table(pgt, child, run->level + 1, run->va, region, is_constructed(pgt, region));
	if (published)
		pgtsim_emit(pgt->tlb,
			    region == PGTSIM_REGION_VMALLOC ? &PGTSIM_ORDER : &PGTSIM_PUBLISH, 0, 0);
	if (!link_entry(pgt, run, child, desc, sync ? 0 : PGTSIM_EACH_SEEN)) {
		table_event(pgt, PGTSIM_OP_TABLE_FREE, child, run->va,
			    child->constructed ? PGTSIM_EACH_DTOR : 0);
		child->next = *list;
		*list = child;
	} else if (sync) {
		pgtsim_emit(pgt->tlb, &PGTSIM_SYNC, 0, 0);
	}
	pgtsim_routine_end(pgt->tlb, known);
}

void pgtsim_entry_unlink(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
			 struct pgtsim_table *child, uint64_t desc)
{
	if (pgt->tlb->checker && child->live)
		pgtsim_emit_below(pgt, run, PGTSIM_BELOW_GOES, desc, desc, 0);
	pgtsim_access_write(pgt, run->table, run->index, 0);
	if (pgtsim_table_address(&pgt->geo, run->level, desc) == child->pa)
		child->linked = false;
	pgtsim_record_cleared(pgt, run->table, run->index, 1, 1);
	pgtsim_count_work(pgt, 1);
	pgtsim_access_lines(pgt, run->index, 1);
	entry_event(pgt, PGTSIM_OP_UNLINK, run, desc, 0, 0);
}

static inline void detach(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
			  struct pgtsim_table *child, bool sync)
{
	pgtsim_entry_unlink(pgt, run, child, pgtsim_access_read(pgt, run->table, run->index));
	if (sync)
		pgtsim_tlb_sync(pgt->tlb);
}

void pgtsim_table_detach(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
			 struct pgtsim_table *child)
{
	if (!pgt || !run || !child)
		return;
	detach(pgt, run, child, pgtsim_sync_after_clear(pgt, run->table, run->level));
}

void pgtsim_table_give_back(struct pgtsim_pgtable *pgt, struct pgtsim_table *table, uint64_t va,
			    bool destructed)
{
	if (!pgt || !table)
		return;
	table_event(pgt, PGTSIM_OP_TABLE_FREE, table, va, destruct(pgt, table, va, destructed));
	pgtsim_table_return(pgt, table);
}

void pgtsim_table_free(struct pgtsim_pgtable *pgt, struct pgtsim_table *table, uint64_t va)
{
	if (!pgt || !table)
		return;

	bool called = table->constructed ? pgt->policy->table_dtor >= PGTSIM_TABLE_DTOR_CALLED :
					   pgt->policy->table_dtor == PGTSIM_TABLE_DTOR_EVERY;

	pgtsim_table_give_back(pgt, table, va, called);
}

void pgtsim_table_unlink(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
			 struct pgtsim_table *child)
{
	if (!pgt || !run || !child)
		return;

	bool early = pgt->policy->table_free_order == PGTSIM_TABLE_FREE_BEFORE_INVALIDATE;
	bool sync = pgtsim_sync_after_clear(pgt, run->table, run->level);
	bool known = !child->live &&
		     pgtsim_routine_begin(pgt->tlb,
					  PGTSIM_ROUTINE_GOES | (early ? PGTSIM_ROUTINE_EARLY : 0) |
						  (sync ? PGTSIM_ROUTINE_SYNCED : 0),
					  run->level);

	detach(pgt, run, child, sync);
	if (early)
		pgtsim_table_free(pgt, child, run->va);
	pgtsim_emit(pgt->tlb, &PGTSIM_FLUSH_TABLE, run->va, 0);
	if (!early)
		pgtsim_table_free(pgt, child, run->va);
	pgtsim_routine_end(pgt->tlb, known);
}

uint32_t pgtsim_tables_mark(struct pgtsim_pgtable *pgt)
{
	if (!pgt)
		return 0;
	return pgtsim_is_shared(pgt) ? pgtsim_pgtable_state(pgt)->epoch :
				       ++pgtsim_pgtable_state(pgt)->epoch;
}

static int undo_table(struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
		      struct pgtsim_table *child, void *arg)
{
	const uint32_t *mark = arg;

	/* Differences of serial numbers are right although the counter may have wrapped. */
	if (!child->live && pgtsim_pgtable_state(pgt)->epoch - pgtsim_state(child)->epoch <=
				    pgtsim_pgtable_state(pgt)->epoch - *mark)
		pgtsim_table_unlink(pgt, run, child);
	return 0;
}

void pgtsim_tables_undo(struct pgtsim_pgtable *pgt, uint64_t va, uint64_t last, uint32_t mark)
{
	static const struct pgtsim_visitor visitor = { .table_done = undo_table };

	if (!pgt || pgtsim_pgtable_busy(pgt))
		return;
	if (!pgtsim_is_shared(pgt))
		pgtsim_walk(pgt, va, last, &visitor, &mark);
	pgtsim_tlb_end(pgt->tlb, va, last);
}

/* An entry that is overwritten, by a CPU; `above` has the bits of the table entries on the way, ORed. */
struct change_by_hand {
	const struct pgtsim_run *run;
	uint64_t old, desc, above;
	unsigned cpu, flags;
};

/* The table that the entry, `desc`, points to, or pointed to before, is linked or not. */
static void move_table(struct pgtsim_pgtable *pgt, const struct change_by_hand *by_hand,
		       uint64_t desc, bool comes)
{
	const struct pgtsim_run *run = by_hand->run;
	uint64_t pa = pgtsim_desc_address(&pgt->geo, run->level, desc);
	struct pgtsim_table *child =
		pgtsim_desc_is_table(run->level, desc) ? pgt->ops.find(pgt->ops.ctx, pa) : NULL;

	if (!child || child->level != run->level + 1)
		return;
	child->linked = comes;
	desc |= by_hand->above;
	pgtsim_emit_below(pgt, run, comes ? PGTSIM_BELOW_COMES : PGTSIM_BELOW_GOES, desc, desc,
			  by_hand->cpu);
}

/* Tells the checker that an entry was overwritten and what is below it, then tells the observers. */
static void emit_poke(struct pgtsim_pgtable *pgt, const struct change_by_hand *by_hand, bool moves)
{
	uint64_t old = by_hand->old, desc = by_hand->desc, above = by_hand->above;
	struct pgtsim_event event = event_of_entry(pgt, PGTSIM_OP_POKE, by_hand->run, old, desc);

	event.cpu = by_hand->cpu;
	event.flags = by_hand->flags;
	event.pa = above;
	if (pgt->tlb->checker)
		pgt->tlb->checker->poke(pgt->tlb->checker, &event);
	event.pa = 0;
	if (moves)
		move_table(pgt, by_hand, desc, true);
	else if (pgtsim_desc_is_table(event.level, desc) &&
		 (old ^ desc) & PGTSIM_DESC_RESTRICTIONS & ~above)
		pgtsim_emit_below(pgt, by_hand->run, PGTSIM_BELOW_RESTRICTS, old | above,
				  desc | above, event.cpu);
	pgtsim_events_tell(pgt->tlb, &event);
}

static void overwrite(struct pgtsim_pgtable *pgt, struct change_by_hand *by_hand)
{
	const struct pgtsim_run *run = by_hand->run;
	uint64_t old = pgtsim_access_read(pgt, run->table, run->index), desc = by_hand->desc;
	bool moves =
		pgtsim_desc_is_table(run->level, old) != pgtsim_desc_is_table(run->level, desc) ||
		pgtsim_desc_address(&pgt->geo, run->level, old) !=
			pgtsim_desc_address(&pgt->geo, run->level, desc);

	by_hand->old = old;
	if (moves)
		move_table(pgt, by_hand, old, false);
	pgtsim_access_write(pgt, run->table, run->index, desc);
	if (old && !desc)
		pgtsim_record_cleared(pgt, run->table, run->index, 1, 1);
	else if (!old && desc)
		pgtsim_record_filled(pgt, run->table, run->index, 1);
	pgtsim_pgtable_state(pgt)->poked = true;
	emit_poke(pgt, by_hand, moves);
}

void pgtsim_entry_overwrite(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, uint64_t desc,
			    unsigned flags)
{
	overwrite(pgt, &(struct change_by_hand){ .run = run, .desc = desc, .flags = flags });
}

void pgtsim_table_replace(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
			  struct pgtsim_table **list, uint64_t first, uint64_t attrs)
{
	enum pgtsim_region region = (enum pgtsim_region)run->table->region;
	unsigned entries = pgtsim_entries(&pgt->geo, run->level + 1);
	struct pgtsim_table *child = *list;
	const struct pgtsim_event filled = {
		.op = PGTSIM_OP_STORE,
		.count = entries,
		.new_desc = first,
		.step = pgtsim_entry_size(&pgt->geo, run->level + 1),
		.pa = child->pa,
	};

	*list = child->next;
	start_record(pgt, child, run->level + 1, region);
	child->constructed = pgt->policy->table_dtor != PGTSIM_TABLE_DTOR_NONE;
	table_event(pgt, PGTSIM_OP_TABLE_ALLOC, child, run->va,
		    child->constructed ? PGTSIM_EACH_CTOR : 0);
	pgtsim_access_fill(pgt, child, 0, entries, first);
	pgtsim_access_lines(pgt, 0, entries);
	pgtsim_count(pgt->tlb, &pgt->tlb->counts.entries_written, entries + 1);
	pgtsim_count_work(pgt, entries);
	pgtsim_tlb_event(pgt->tlb, &filled);
	pgtsim_emit(pgt->tlb, &PGTSIM_PUBLISH, 0, 0);
	pgtsim_entry_overwrite(pgt, run, pgtsim_table_desc(&pgt->geo, child->pa, attrs), 0);
}

static int no_table_above(struct pgtsim_pgtable *pgt, int level, uint64_t va)
{
	return pgtsim_fail(pgt->tlb, -ENOENT,
			   "no table leads to this entry: the %s of VA 0x%016" PRIx64
			   " points to none",
			   pgtsim_level_name(&pgt->geo, level), va);
}

int pgtsim_poke(struct pgtsim_pgtable *pgt, int level, uint64_t va, uint64_t desc)
{
	return pgtsim_poke_on(pgt, level, va, desc, 0);
}

int pgtsim_poke_on(struct pgtsim_pgtable *pgt, int level, uint64_t va, uint64_t desc, unsigned cpu)
{
	struct pgtsim_run run = { .va = va };
	uint64_t above = 0;
	int ret = pgt ? pgtsim_pgtable_check_inside(pgt, va, 1) : -EINVAL;

	if (ret)
		return ret;
	run.table = pgt->root;
	run.level = pgt->root->level;
	if (!pgtsim_level_name(&pgt->geo, level))
		return pgtsim_fail(pgt->tlb, -EINVAL,
				   "there is no entry of this level at this address: this geometry "
				   "has %u levels",
				   pgt->geo.levels);
	for (;; run.level++) {
		run.index = pgtsim_index(&pgt->geo, run.level, va);
		if (run.level == level)
			break;
		if (!pgtsim_desc_is_table(run.level, pgtsim_entry(pgt, run.table, run.index)))
			return no_table_above(pgt, run.level, va);
		above |= pgtsim_entry(pgt, run.table, run.index) & PGTSIM_DESC_RESTRICTIONS;
		run.table = pgtsim_child_of(pgt, &run);
		if (!run.table)
			return no_table_above(pgt, run.level, va);
	}
	overwrite(pgt, &(struct change_by_hand){
			       .run = &run, .desc = desc, .above = above, .cpu = cpu });
	return 0;
}

bool pgtsim_is_poked(const struct pgtsim_pgtable *pgt)
{
	if (!pgt)
		return false;
	return pgtsim_pgtable_state(pgt)->poked;
}
