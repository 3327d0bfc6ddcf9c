/* SPDX-License-Identifier: MIT */
/*
 * vmap: maps and unmaps as core mm does, not as __create_pgd_mapping(): one walk that allocates each
 * table where it finds none. A part of protect.
 */
#include <pgtsim/protect.h>

#include <errno.h>
#include <inttypes.h>

#include "arch/range.h"
#include "live.h"
#include "runs.h"

/* A vmap under way: pa = va + delta. */
struct vmap {
	uint64_t delta;
	bool huge;
};

/* The entry of a table that translates va as a run of one, up to `last`. */
static struct pgtsim_run one_entry(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
				   uint64_t va, uint64_t last)
{
	uint64_t end = va | (pgtsim_entry_size(&pgt->geo, table->level) - 1);
	struct pgtsim_run run;

	pgtsim_set_run(&pgt->geo, &run, table, table->level, va, end < last ? end : last);
	return run;
}

static int in_use(struct pgtsim_pgtable *pgt, int level, uint64_t va)
{
	return pgtsim_fail(pgt->tlb, -EEXIST,
			   "an entry in this range is in use already: the %s of VA 0x%016" PRIx64,
			   pgtsim_level_name(&pgt->geo, level), va);
}

/* ---- before ---- */

static int look_entries(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	unsigned zeros = pgtsim_run_zeros(pgt, run->table, run->index, run->count);
	uint64_t size = pgtsim_entry_size(&pgt->geo, run->level);
	uint64_t va = zeros ? (run->va & ~(size - 1)) + zeros * size : run->va;

	(void)arg;
	return zeros < run->count ? in_use(pgt, run->level, va) : 0;
}

/* Whether any entry is in use. Asked by the library, not by the kernel: no step of explore. */
static int check_unused(struct pgtsim_pgtable *pgt, uint64_t va, uint64_t last)
{
	static const struct pgtsim_visitor visitor = { .entries = look_entries, .strict = true };
	struct pgtsim_pgtable around = *pgt;

	around.hook = NULL;
	return pgtsim_walk(&around, va, last, &visitor, NULL);
}

/* ---- pages ---- */

static int map_run(struct pgtsim_pgtable *pgt, const struct vmap *v, struct pgtsim_table *table,
		   uint64_t va, uint64_t last, uint64_t hint)
{
	uint64_t attrs = pgt->policy->prot[PGTSIM_PROT_KERNEL] | hint;
	struct pgtsim_run run;

	pgtsim_set_run(&pgt->geo, &run, table, table->level, va, last);
	if (pgtsim_run_live(pgt, &run))
		return in_use(pgt, run.level, va);
	pgtsim_run_map(pgt, &run, va + v->delta, attrs,
		       pgt->policy->vmalloc_batched ? 0 : PGTSIM_EACH_SYNC);
	return 0;
}

/* Of [va, last] the part that is whole contiguous groups with the hint, or the pages before or behind. */
static uint64_t end_of_part(const struct pgtsim_pgtable *pgt, const struct vmap *v, uint64_t va,
			    uint64_t last, uint64_t *hint)
{
	uint64_t mask = (pgtsim_page_size(&pgt->geo) << pgt->geo.cont[pgtsim_slot(PGTSIM_PTE)]) - 1;

	*hint = 0;
	if (!v->huge || !pgt->policy->vmalloc_batched || v->delta & mask)
		return last;
	if (va & mask)
		return (va | mask) < last ? va | mask : last;
	if (last - va < mask)
		return last;
	*hint = PGTSIM_DESC_CONT;
	return ((last + 1) & ~mask) - 1;
}

/* vmap_pte_range() */
static int map_pages(struct pgtsim_pgtable *pgt, const struct vmap *v, struct pgtsim_table *table,
		     uint64_t va, uint64_t last)
{
	for (;;) {
		uint64_t hint, end = end_of_part(pgt, v, va, last, &hint);
		int ret = map_run(pgt, v, table, va, end, hint);

		if (ret)
			return ret;
		if (end == last)
			break;
		va = end + 1;
	}
	if (pgt->policy->vmalloc_batched)
		pgtsim_tlb_sync(pgt->tlb);
	return 0;
}

/* ---- blocks ---- */

/* Whether the entry can be a block: allowed, covered, VA and PA aligned. */
static bool block_fits(const struct pgtsim_pgtable *pgt, const struct vmap *v,
		       const struct pgtsim_run *run)
{
	uint64_t mask = pgtsim_entry_size(&pgt->geo, run->level) - 1;

	return v->huge && pgt->geo.block[pgtsim_slot(run->level)] && !(run->va & mask) &&
	       !((run->va + v->delta) & mask) && run->last - run->va == mask;
}

/* pmd_free_pte_page(), pud_free_pmd_page(): frees the tables below, then the table. */
static void free_table(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
		       struct pgtsim_table *table)
{
	for (uint64_t va = run->va; table->level < PGTSIM_PTE;) {
		const struct pgtsim_run below = one_entry(pgt, table, va, run->last);
		uint64_t desc = pgtsim_access_read(pgt, table, below.index);
		struct pgtsim_table *child = pgtsim_desc_is_table(below.level, desc) ?
						     pgtsim_find_child(pgt, below.level, desc) :
						     NULL;

		if (child)
			free_table(pgt, &below, child);
		if (below.last == run->last)
			break;
		va = below.last + 1;
	}
	pgtsim_table_unlink(pgt, run, table);
}

static void map_block(struct pgtsim_pgtable *pgt, const struct vmap *v,
		      const struct pgtsim_run *run)
{
	pgtsim_run_map(pgt, run, run->va + v->delta, pgt->policy->prot[PGTSIM_PROT_KERNEL],
		       PGTSIM_EACH_SYNC);
}

/* ---- tables ---- */

static int link_table(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
		      struct pgtsim_table **child)
{
	struct pgtsim_table *list;

	if (pgtsim_tables_reserve(pgt, 1, &list) != 1)
		return pgtsim_fail_table(pgt,
					 "no memory for a table below the %s of VA 0x%016" PRIx64,
					 pgtsim_level_name(&pgt->geo, run->level), run->va);
	*child = list;
	pgtsim_table_link(pgt, run, &list, pgt->policy->vmemmap_table, PGTSIM_REGION_VMALLOC);
	return 0;
}

static int map_below(struct pgtsim_pgtable *pgt, const struct vmap *v, struct pgtsim_table *table,
		     uint64_t va, uint64_t last);

static int points_nowhere(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run)
{
	return pgtsim_fail(pgt->tlb, -EFAULT, "the %s of VA 0x%016" PRIx64 " points to no table",
			   pgtsim_level_name(&pgt->geo, run->level), run->va);
}

/* One entry above the pages, read once: a block, or a table and what is below it. */
static int map_entry(struct pgtsim_pgtable *pgt, const struct vmap *v, const struct pgtsim_run *run)
{
	uint64_t desc = pgtsim_access_read(pgt, run->table, run->index);
	bool is_table = pgtsim_desc_is_table(run->level, desc);
	struct pgtsim_table *child = is_table ? pgtsim_find_child(pgt, run->level, desc) : NULL;

	if (desc && !child)
		return is_table ? points_nowhere(pgt, run) : in_use(pgt, run->level, run->va);
	if (block_fits(pgt, v, run)) {
		if (child)
			free_table(pgt, run, child);
		map_block(pgt, v, run);
		return 0;
	}
	if (!child) {
		int ret = link_table(pgt, run, &child);

		if (ret)
			return ret;
	}
	return map_below(pgt, v, child, run->va, run->last);
}

static int map_below(struct pgtsim_pgtable *pgt, const struct vmap *v, struct pgtsim_table *table,
		     uint64_t va, uint64_t last)
{
	if (table->level == PGTSIM_PTE)
		return map_pages(pgt, v, table, va, last);
	for (;;) {
		const struct pgtsim_run run = one_entry(pgt, table, va, last);
		int ret = map_entry(pgt, v, &run);

		if (ret || run.last == last)
			return ret;
		va = run.last + 1;
	}
}

static int check_vmap(struct pgtsim_pgtable *pgt, uint64_t va, uint64_t pa, uint64_t size)
{
	int ret = pgt ? pgtsim_pgtable_check_arm64(pgt, "vmap maps") : -EINVAL;

	if (!ret)
		ret = pgtsim_pgtable_check_pages(pgt, va, size);
	if (ret)
		return ret;
	if (pa & (pgtsim_page_size(&pgt->geo) - 1))
		return pgtsim_fail(pgt->tlb, -EINVAL, "PA 0x%" PRIx64 " is not page-aligned (%s)",
				   pa, pgtsim_amount(pgtsim_page_size(&pgt->geo)).text);
	if (!pgtsim_pa_fits(&pgt->geo, pa, size))
		return pgtsim_fail(pgt->tlb, -EINVAL,
				   "PA 0x%" PRIx64 "+%s goes beyond %u physical address bits", pa,
				   pgtsim_amount(size).text, pgt->geo.pa_bits);
	return check_unused(pgt, va, va + (size - 1));
}

int pgtsim_vmap(struct pgtsim_pgtable *pgt, uint64_t va, uint64_t pa, uint64_t size, bool huge)
{
	const struct vmap v = { .delta = pa - va, .huge = huge };
	int ret = check_vmap(pgt, va, pa, size);
	struct pgtsim_engine *engine;

	if (ret)
		return ret;
	engine = pgtsim_engine_of(pgt);
	ret = engine && engine->vmap ? engine->vmap(engine, pgt, va, pa, size, huge) :
				       PGTSIM_ENGINE_OWN;
	if (ret != PGTSIM_ENGINE_OWN)
		return ret;
	pgtsim_events_begin(pgt->tlb, PGTSIM_OP_BEGIN_MAP, va, va + (size - 1));
	ret = map_below(pgt, &v, pgt->root, va, va + (size - 1));
	pgtsim_events_end(pgt->tlb, va, va + (size - 1));
	return ret;
}

/* ---- vunmap ---- */

/* The first entry of [from, to) that says that it belongs to a contiguous group; `to` if none does. */
static unsigned first_hinted(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
			     unsigned from, unsigned to)
{
	const uint64_t hinted = PGTSIM_DESC_VALID | PGTSIM_DESC_CONT;

	while (from < to && (pgtsim_access_read(pgt, table, from) & hinted) != hinted)
		from++;
	return from;
}

/* Clears what is live of the entries [from, to) of the run's table, which may lie beside the run. */
static void clear_part(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run, unsigned from,
		       unsigned to)
{
	uint64_t size = pgtsim_entry_size(&pgt->geo, run->level);
	uint64_t va = pgtsim_entry_base(&pgt->geo, run->level, run->va) - run->index * size;
	struct pgtsim_run part;
	unsigned live;

	if (from == to)
		return;
	pgtsim_set_run(&pgt->geo, &part, run->table, run->level, va + from * size,
		       va + (to * size - 1));
	live = pgtsim_run_live(pgt, &part);
	if (live)
		pgtsim_run_clear(pgt, &part, live, 0);
}

/* A contiguous group goes as a whole, once one of its hinted pages is in the range. */
static void clear_groups(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run)
{
	unsigned mask = pgtsim_cont_entries(&pgt->geo, run->level) - 1;
	unsigned from = run->index, to = run->index + run->count;
	unsigned end = (from | mask) + 1 < to ? (from | mask) + 1 : to;
	unsigned last = ((to - 1) & ~mask) > from ? (to - 1) & ~mask : from;
	unsigned hinted = from & mask ? first_hinted(pgt, run->table, from, end) : end;

	if (to & mask && first_hinted(pgt, run->table, last, to) < to)
		to = (to | mask) + 1;
	if (from & mask && hinted < end) {
		clear_part(pgt, run, from, hinted);
		from &= ~mask;
	}
	clear_part(pgt, run, from, to);
}

static int clear_entries(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	(void)arg;
	if (run->level == PGTSIM_PTE && pgt->policy->vmalloc_batched)
		clear_groups(pgt, run);
	else
		clear_part(pgt, run, run->index, run->index + run->count);
	return 0;
}

int pgtsim_vunmap(struct pgtsim_pgtable *pgt, uint64_t va, uint64_t size)
{
	static const struct pgtsim_visitor visitor = { .entries = clear_entries };

	struct pgtsim_engine *engine;
	int ret = pgt ? pgtsim_pgtable_check_arm64(pgt, "vunmap unmaps") : -EINVAL;

	if (!ret)
		ret = pgtsim_pgtable_check_pages(pgt, va, size);
	if (ret)
		return ret;
	engine = pgtsim_engine_of(pgt);
	ret = engine && engine->vunmap ? engine->vunmap(engine, pgt, va, size) : PGTSIM_ENGINE_OWN;
	if (ret != PGTSIM_ENGINE_OWN)
		return ret;
	pgtsim_walk(pgt, va, va + (size - 1), &visitor, NULL);
	pgtsim_tlb_flush_range(pgt->tlb, &pgt->geo, pgt->policy, va, va + size);
	pgtsim_events_end(pgt->tlb, va, va + (size - 1));
	return 0;
}
