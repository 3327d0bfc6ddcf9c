/* SPDX-License-Identifier: MIT */
/* engine: whose operations these are, and single loads and stores of code that is not the library's. */
#include <pgtsim/engine.h>
#include <pgtsim/format.h>

#include "live.h"
#include "runs.h"

void pgtsim_engine_set(struct pgtsim_pgtable *pgt, struct pgtsim_engine *engine)
{
	if (!pgt)
		return;
	pgtsim_pgtable_state(pgt)->engine = engine;
}

struct pgtsim_engine *pgtsim_engine_get(const struct pgtsim_pgtable *pgt)
{
	if (!pgt)
		return NULL;
	return pgtsim_engine_of(pgt);
}

int pgtsim_pgtable_check_arm64(const struct pgtsim_pgtable *pgt, const char *what)
{
	if (pgt->geo.format == PGTSIM_FORMAT_ARM64)
		return 0;
	return pgtsim_fail(pgt->tlb, -EINVAL, "format=%s does not know how %s yet",
			   pgtsim_format_name(pgt->geo.format), what);
}

bool pgtsim_table_reserve(struct pgtsim_pgtable *pgt, int level, struct pgtsim_table **list)
{
	unsigned order = pgtsim_table_order(&pgt->geo, level);
	struct pgtsim_table **tail = list;
	bool got;

	if (order && pgt->ops.alloc == pgtsim_memory_alloc_op) {
		*list = NULL;
		if (pgtsim_uses_lazy_tables(pgt))
			return !pgtsim_memory_alloc_large_table(pgt->ops.ctx, order, &tail);
		return pgtsim_memory_alloc_written_table(pgt->ops.ctx, order, &tail) == 1;
	}
	pgtsim_pgtable_state(pgt)->order = (uint8_t)order;
	got = pgtsim_tables_reserve(pgt, 1, list) == 1;
	pgtsim_pgtable_state(pgt)->order = 0;
	return got;
}

/* Counts the line of an entry, unless the access before was to that line, too. */
static void touch(struct pgtsim_pgtable *pgt, const struct pgtsim_table *table, unsigned index)
{
	struct pgtsim_pgtable_state *state = pgtsim_pgtable_state(pgt);
	uint64_t line = table->pa / 64 + index / 8;

	if (state->line == line)
		return;
	state->line = line;
	pgtsim_access_lines(pgt, index, 1);
}

uint64_t pgtsim_entry_load(struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
			   unsigned index)
{
	if (!pgt || !table || index >= pgtsim_entries_of(pgt, table))
		return 0;
	touch(pgt, table, index);
	pgtsim_count(pgt->tlb, &pgt->tlb->counts.entries_read, 1);
	return pgtsim_access_read(pgt, table, index);
}

/* A leaf that is written to an empty entry, or cleared. */
static void store_leaf(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, uint64_t old,
		       uint64_t desc, unsigned flags)
{
	uint64_t size = pgtsim_entry_size(&pgt->geo, run->level), leaf = old ? old : desc;
	const struct pgtsim_event event = {
		.op = desc ? PGTSIM_OP_MAP : PGTSIM_OP_CLEAR,
		.level = run->level,
		.flags = flags,
		.va = run->va,
		.count = 1,
		.size = size,
		.step = size,
		.old_desc = old,
		.new_desc = desc,
		.pa = pgtsim_address(&pgt->geo, run->level, leaf),
	};

	touch(pgt, run->table, run->index);
	pgtsim_access_write(pgt, run->table, run->index, desc);
	if (desc)
		pgtsim_record_filled(pgt, run->table, run->index, 1);
	else
		pgtsim_record_cleared(pgt, run->table, run->index, 1, 1);
	pgtsim_events_tell(pgt->tlb, &event);
	/* The event of a run counts a read of each entry; here reads are counted as they come. */
	if (!pgt->tlb->quiet)
		pgt->tlb->counts.entries_read--;
}

/* The table that an entry with this value points to; NULL if it is no table, or of another level. */
static struct pgtsim_table *child_at(const struct pgtsim_pgtable *pgt, int level, uint64_t desc)
{
	uint64_t pa = pgtsim_desc_address(&pgt->geo, level, desc);
	struct pgtsim_table *child =
		pgtsim_desc_is_table(level, desc) ? pgt->ops.find(pgt->ops.ctx, pa) : NULL;

	return child && child->level == level + 1 ? child : NULL;
}

/* A live entry that changes. */
static void overwrite(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, uint64_t desc)
{
	touch(pgt, run->table, run->index);
	pgtsim_count(pgt->tlb, &pgt->tlb->counts.entries_written, 1);
	pgtsim_entry_overwrite(pgt, run, desc, 0);
}

void pgtsim_entry_store(struct pgtsim_pgtable *pgt, struct pgtsim_table *table, uint64_t va,
			uint64_t desc, unsigned flags)
{
	if (!pgt || !table)
		return;

	uint64_t size = pgtsim_entry_size(&pgt->geo, table->level), base = va & ~(size - 1), old;
	struct pgtsim_table *child = child_at(pgt, table->level, desc);
	struct pgtsim_run run;

	pgtsim_set_run(&pgt->geo, &run, table, table->level, base, base + (size - 1));
	old = pgtsim_entry_quietly(pgt, table, run.index);
	if (!old && child && !child->linked)
		pgtsim_entry_link(pgt, &run, child, desc, flags);
	else if (!desc && child_at(pgt, table->level, old))
		pgtsim_entry_unlink(pgt, &run, child_at(pgt, table->level, old), old);
	else if (!old != !desc && !pgtsim_desc_is_table(table->level, old | desc))
		store_leaf(pgt, &run, old, desc, flags);
	else
		overwrite(pgt, &run, desc);
}

void pgtsim_entry_store_early(struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
			      unsigned index, uint64_t desc)
{
	if (!pgt || !table || index >= pgtsim_entries_of(pgt, table))
		return;

	struct pgtsim_access_hook *hook = pgt->hook;
	uint64_t old = pgtsim_entry_quietly(pgt, table, index);
	const struct pgtsim_event event = {
		.op = PGTSIM_OP_STORE,
		.count = 1,
		.new_desc = desc,
		.pa = table->pa + index * sizeof(desc),
	};

	touch(pgt, table, index);
	pgtsim_count(pgt->tlb, &pgt->tlb->counts.entries_written, 1);
	/* Nobody else can see it: it is no step. */
	pgt->hook = NULL;
	pgtsim_access_write(pgt, table, index, desc);
	pgt->hook = hook;
	if (!old && desc)
		pgtsim_record_filled(pgt, table, index, 1);
	else if (old && !desc)
		pgtsim_record_cleared(pgt, table, index, 1, 1);
	pgtsim_tlb_event(pgt->tlb, &event);
}
