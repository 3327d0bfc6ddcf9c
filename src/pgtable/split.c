/* SPDX-License-Identifier: MIT */
/* split: makes smaller leaves of live ones, and one block of many. A part of protect. */
#include <errno.h>
#include <inttypes.h>

#include <pgtsim/format.h>

#include "arch/range.h"
#include "live.h"
#include "runs.h"

/* ---- finding the leaf ---- */

bool pgtsim_is_present(uint64_t desc)
{
	return (desc & PGTSIM_DESC_VALID) || pgtsim_desc_is_marked(desc);
}

/*
 * Descends from a table to the entry for va that is no table. Returns false if a table can't be
 * found.
 */
static bool find_entry(struct pgtsim_pgtable *pgt, struct pgtsim_table *table, uint64_t va,
		       struct pgtsim_run *run)
{
	for (int level = table->level; table; level++) {
		uint64_t desc;

		pgtsim_set_run(&pgt->geo, run, table, level, va, va);
		desc = pgtsim_access_read(pgt, table, run->index);
		if (!pgtsim_desc_is_table(level, desc))
			return true;
		table = pgtsim_child_of(pgt, run);
	}
	return false;
}

/* ---- one step ---- */

/* set_swapper_pgd() has barriers of its own for each entry of the root, whatever it becomes. */
static void make_visible(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, uint64_t desc,
			 bool *pending)
{
	bool root = run->table == pgt->root && pgtsim_deferred_barriers(pgt);

	if (!root && !(desc & PGTSIM_DESC_VALID))
		return;
	if (!root && pgt->policy->live_split == PGTSIM_LIVE_SPLIT_BBM3)
		*pending = true;
	else
		pgtsim_tlb_sync(pgt->tlb);
}

/* Writes an entry of a live table in place; a valid one has to be made visible. */
void pgtsim_live_write(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, uint64_t desc,
		       bool *pending)
{
	pgtsim_entry_overwrite(pgt, run, desc, 0);
	pgtsim_count(pgt->tlb, &pgt->tlb->counts.entries_read, 1);
	pgtsim_count(pgt->tlb, &pgt->tlb->counts.entries_written, 1);
	pgtsim_access_lines(pgt, run->index, 1);
	make_visible(pgt, run, desc, pending);
}

void pgtsim_live_complete(struct pgtsim_pgtable *pgt, bool *pending)
{
	if (*pending)
		pgtsim_tlb_sync(pgt->tlb);
	*pending = false;
}

/* split_contpte(), split_contpmd(): every entry of the group loses its hint, in place. */
static void split_group(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, bool *pending)
{
	unsigned entries = pgtsim_cont_entries(&pgt->geo, run->level);
	uint64_t size = pgtsim_entry_size(&pgt->geo, run->level);
	uint64_t start = run->va & ~(size * entries - 1);

	for (unsigned i = 0; i < entries; i++) {
		struct pgtsim_run one;
		uint64_t desc;

		pgtsim_set_run(&pgt->geo, &one, run->table, run->level, start + i * size,
			       start + i * size);
		desc = pgtsim_access_read(pgt, run->table, one.index);
		pgtsim_live_write(pgt, &one, desc & ~(uint64_t)PGTSIM_DESC_CONT, pending);
	}
}

/* The first leaf of the table that takes a block's place: the same attributes and validity. */
static uint64_t first_leaf(const struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
			   uint64_t block)
{
	int level = run->level + 1;
	uint64_t desc = block & ~(uint64_t)(3 | PGTSIM_DESC_CONT);

	if (pgtsim_cont_entries(&pgt->geo, level) > 1)
		desc |= PGTSIM_DESC_CONT;
	if (level == PGTSIM_PTE)
		desc |= PGTSIM_DESC_TABLE;
	return desc | (block & PGTSIM_DESC_VALID);
}

/* split_pmd(), split_pud(): a table of leaves in place of a block. */
static int split_block(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, uint64_t block,
		       bool *pending)
{
	uint64_t attrs = PGTSIM_DESC_UXNTABLE;
	struct pgtsim_table *table;

	if (block & PGTSIM_DESC_PXN)
		attrs |= PGTSIM_DESC_PXNTABLE;
	if (!pgt->policy->table_noexec)
		attrs = 0;
	if (pgt->policy->table_af)
		attrs |= PGTSIM_DESC_AF;
	if (!pgtsim_tables_reserve(pgt, 1, &table))
		return pgtsim_fail_table(
			pgt, "no memory for a table to split the %s block of VA 0x%016" PRIx64,
			pgtsim_level_name(&pgt->geo, run->level), run->va);
	pgtsim_table_replace(pgt, run, &table, first_leaf(pgt, run, block), attrs);
	make_visible(pgt, run, PGTSIM_DESC_VALID, pending);
	/* Filling the table has put barriers off, too. */
	if (block & PGTSIM_DESC_VALID)
		*pending = true;
	return 0;
}

static bool is_aligned(const struct pgtsim_pgtable *pgt, int level, uint64_t va, bool group)
{
	uint64_t size = pgtsim_entry_size(&pgt->geo, level);

	if (group)
		size <<= pgt->geo.cont[pgtsim_slot(level)];
	return !(va & (size - 1));
}

/* split_kernel_leaf_mapping_locked(): makes va a leaf boundary. */
static int split_at(struct pgtsim_pgtable *pgt, uint64_t va, bool *pending)
{
	struct pgtsim_run run = { .table = pgt->root };

	while (find_entry(pgt, run.table, va, &run)) {
		uint64_t desc = pgtsim_access_read(pgt, run.table, run.index);
		int ret;

		if (!pgtsim_is_present(desc) || is_aligned(pgt, run.level, va, true))
			return 0;
		if (desc & PGTSIM_DESC_CONT)
			split_group(pgt, &run, pending);
		if (is_aligned(pgt, run.level, va, false) || run.level == PGTSIM_PTE)
			return 0;
		desc = pgtsim_access_read(pgt, run.table, run.index);
		ret = split_block(pgt, &run, desc, pending);
		if (ret)
			return ret;
	}
	return 0;
}

int pgtsim_split_leaves(struct pgtsim_pgtable *pgt, uint64_t start, uint64_t end)
{
	bool pending = false;
	int ret;

	if (end - start == pgtsim_page_size(&pgt->geo)) {
		bool at_start = (start & -start) < (end & -end) || !end;

		ret = split_at(pgt, at_start ? start : end, &pending);
	} else {
		ret = split_at(pgt, start, &pending);
		if (!ret && end)
			ret = split_at(pgt, end, &pending);
	}
	pgtsim_live_complete(pgt, &pending);
	return ret;
}

int pgtsim_split(struct pgtsim_pgtable *pgt, uint64_t start, uint64_t end)
{
	int ret = pgt ? pgtsim_pgtable_check_arm64(pgt, "a leaf is split") : -EINVAL;
	struct pgtsim_engine *engine;

	if (!ret)
		ret = pgtsim_pgtable_check_pages(pgt, start, end - start);
	if (ret)
		return ret;
	engine = pgtsim_engine_of(pgt);
	ret = engine && engine->split ? engine->split(engine, pgt, start, end) : PGTSIM_ENGINE_OWN;
	if (ret != PGTSIM_ENGINE_OWN)
		return ret;
	ret = pgtsim_split_leaves(pgt, start, end);
	pgtsim_events_end(pgt->tlb, start, end - 1);
	return ret;
}

/* ---- joining ---- */

/* How many entries from the first on go on where the one before ends, alike but for the hint. */
static unsigned alike(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table)
{
	const uint64_t hint = PGTSIM_DESC_CONT;
	unsigned entries = pgtsim_entries(&pgt->geo, table->level), i = 1;
	uint64_t size = pgtsim_entry_size(&pgt->geo, table->level);
	uint64_t first = pgtsim_access_read(pgt, table, 0) & ~hint;

	while (i < entries && (pgtsim_access_read(pgt, table, i) & ~hint) == first + i * size)
		i++;
	return i;
}

/* Sets *block to what the entries of the table of va add up to. Returns 0, or -EINVAL if they do not. */
static int joined(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table, uint64_t va,
		  uint64_t *block)
{
	const char *level = pgtsim_level_name(&pgt->geo, table->level);
	unsigned entries = pgtsim_entries(&pgt->geo, table->level), same;
	uint64_t size = pgtsim_entry_size(&pgt->geo, table->level);
	uint64_t first = pgtsim_access_read(pgt, table, 0);
	uint64_t pa = pgtsim_desc_address(&pgt->geo, table->level, first);

	*block = (first & ~(uint64_t)(PGTSIM_DESC_TABLE | PGTSIM_DESC_CONT)) | PGTSIM_DESC_VALID;
	if (!pgt->geo.block[pgtsim_slot(table->level - 1)])
		return pgtsim_fail(
			pgt->tlb, -EINVAL,
			"there are no blocks as large as the %s table of VA 0x%016" PRIx64, level,
			va);
	if (!(first & PGTSIM_DESC_VALID) || pgtsim_desc_is_table(table->level, first) ||
	    pa & (size * entries - 1))
		return pgtsim_fail(pgt->tlb, -EINVAL,
				   "the first entry of the %s table of VA 0x%016" PRIx64
				   " cannot begin a block: it is no valid leaf, or its PA is not "
				   "aligned to one",
				   level, va);
	same = alike(pgt, table);
	if (same == entries)
		return 0;
	return pgtsim_fail(
		pgt->tlb, -EINVAL,
		"the entries of the %s table of VA 0x%016" PRIx64
		" do not add up to a block: entry %u, 0x%016" PRIx64
		", does not go on where the one before ends with the same attributes",
		level, va, same,
		pgtsim_desc_to_raw(&pgt->geo, table->level, pgtsim_access_read(pgt, table, same)));
}

int pgtsim_join(struct pgtsim_pgtable *pgt, uint64_t va)
{
	bool pending = false;
	struct pgtsim_run run;
	struct pgtsim_table *child;
	uint64_t block, size;

	int ret = pgt ? pgtsim_pgtable_check_arm64(pgt, "leaves are joined") : -EINVAL;

	if (!ret)
		ret = pgtsim_pgtable_check(pgt, va, 1);
	if (ret)
		return ret;
	if (!find_entry(pgt, pgt->root, va, &run) || run.table == pgt->root)
		return pgtsim_fail(pgt->tlb, -EINVAL,
				   "no table below the root translates VA 0x%016" PRIx64, va);
	child = run.table;
	ret = joined(pgt, child, va, &block);
	if (ret)
		return ret;
	size = pgtsim_entry_size(&pgt->geo, child->level - 1);
	va &= ~(size - 1);
	for (run.table = pgt->root, run.level = run.table->level; run.level < child->level - 1;
	     run.level++) {
		pgtsim_set_run(&pgt->geo, &run, run.table, run.level, va, va);
		run.table = pgtsim_child_of(pgt, &run);
	}
	pgtsim_set_run(&pgt->geo, &run, run.table, run.level, va, va);
	/* The table may lie in the very memory that it maps: it is freed when no CPU has it mapped. */
	pgtsim_table_detach(pgt, &run, child);
	pgtsim_tlb_flush_table(pgt->tlb, va);
	pgtsim_tlb_flush_range(pgt->tlb, &pgt->geo, pgt->policy, va, va + size);
	pgtsim_table_free(pgt, child, va);
	pgtsim_live_write(pgt, &run, block, &pending);
	pgtsim_live_complete(pgt, &pending);
	pgtsim_events_end(pgt->tlb, va, va + (size - 1));
	return 0;
}
