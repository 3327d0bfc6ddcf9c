/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "exploring.h"

/* ---- memory hotplug ---- */

int pgtsim_actor_add(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	const struct pgtsim_actor_range *range = arg;
	int ret;

	pgtsim_actor_lock(actor, PGTSIM_LOCK_HOTPLUG);
	ret = pgtsim_add_memory(&machine->hotplug, range->start, range->size);
	pgtsim_actor_unlock(actor, PGTSIM_LOCK_HOTPLUG);
	return ret;
}

int pgtsim_actor_remove(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	const struct pgtsim_actor_range *range = arg;
	int ret;

	pgtsim_actor_lock(actor, PGTSIM_LOCK_HOTPLUG);
	ret = pgtsim_remove_memory(&machine->hotplug, range->start, range->size);
	pgtsim_actor_unlock(actor, PGTSIM_LOCK_HOTPLUG);
	return ret;
}

int pgtsim_actor_unmap(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	const struct pgtsim_actor_range *range = arg;
	int ret;

	pgtsim_actor_lock(actor, PGTSIM_LOCK_HOTPLUG);
	ret = pgtsim_unmap_linear(&machine->pgt, range->start, range->size, range->floor,
				  range->ceiling);
	pgtsim_actor_unlock(actor, PGTSIM_LOCK_HOTPLUG);
	return ret;
}

int pgtsim_actor_vmemmap_free(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	const struct pgtsim_actor_range *range = arg;
	int ret;

	pgtsim_actor_lock(actor, PGTSIM_LOCK_HOTPLUG);
	ret = pgtsim_vmemmap_free(&machine->vmemmap, range->start, range->start + range->size,
				  NULL);
	pgtsim_actor_unlock(actor, PGTSIM_LOCK_HOTPLUG);
	return ret;
}

/* ---- walks of their own: one read an entry, what it says is followed ---- */

/* The part of [va, last] that one table translates, and the entry for its first address. */
static struct pgtsim_run run_in(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
				uint64_t va, uint64_t last)
{
	uint64_t end = pgtsim_entry_base(&pgt->geo, table->level, va) +
		       (pgtsim_entry_size(&pgt->geo, table->level) - 1);

	return (struct pgtsim_run){
		.table = table,
		.level = table->level,
		.index = pgtsim_index(&pgt->geo, table->level, va),
		.count = 1,
		.va = va,
		.last = end < last ? end : last,
	};
}

static struct pgtsim_table *follow(const struct pgtsim_pgtable *pgt, int level, uint64_t desc)
{
	struct pgtsim_table *child;

	if (!pgtsim_desc_is_table(level, desc))
		return NULL;
	child = pgt->ops.find(pgt->ops.ctx, pgtsim_desc_address(&pgt->geo, level, desc));
	return child && child->level == level + 1 ? child : NULL;
}

/* ---- vmalloc ---- */

/*
 * Links a new table below an entry that was none: __p4d_alloc() … __pte_alloc_kernel(). The page
 * comes before the lock, and goes back if somebody else was faster. Returns the entry, or 0 if the
 * new table is in *child.
 */
static int link_below(struct pgtsim_actor *actor, struct pgtsim_pgtable *pgt,
		      const struct pgtsim_run *run, struct pgtsim_table **child, uint64_t *desc)
{
	struct pgtsim_table *list;

	if (pgtsim_tables_reserve(pgt, 1, &list) != 1)
		return -ENOMEM;
	*child = list;
	pgtsim_actor_lock(actor, PGTSIM_LOCK_PAGE_TABLE);
	*desc = pgtsim_entry(pgt, run->table, run->index);
	if (!*desc)
		pgtsim_table_link(pgt, run, &list, pgt->policy->vmemmap_table, PGTSIM_REGION_OTHER);
	pgtsim_actor_unlock(actor, PGTSIM_LOCK_PAGE_TABLE);
	pgtsim_tables_release(pgt, &list);
	return 0;
}

/* The table below an entry, made if there is none: p4d_alloc() … pte_alloc_kernel(). */
static int table_below(struct pgtsim_actor *actor, struct pgtsim_pgtable *pgt,
		       const struct pgtsim_run *run, struct pgtsim_table **child)
{
	uint64_t desc = pgtsim_entry(pgt, run->table, run->index);
	int ret = desc ? 0 : link_below(actor, pgt, run, child, &desc);

	if (ret)
		return ret;
	if (desc)
		*child = follow(pgt, run->level, desc);
	return *child ? 0 : -EBUSY;
}

static int map_page(struct pgtsim_machine *machine, const struct pgtsim_run *run)
{
	struct pgtsim_pgtable *pgt = &machine->pgt;
	uint64_t pfn;

	if (pgtsim_memory_alloc(machine->memory, 0, &pfn))
		return -ENOMEM;
	if (pgtsim_entry(pgt, run->table, run->index)) {
		pgtsim_memory_free_pages(machine->memory, pfn, 0);
		return -EBUSY;
	}
	pgtsim_run_map(pgt, run, pfn << pgt->geo.page_shift, pgt->policy->prot[PGTSIM_PROT_KERNEL],
		       PGTSIM_EACH_SYNC);
	return 0;
}

/* vmap_pages_range_noflush(): each table is looked up once for all that is below it. */
static int map_in(struct pgtsim_actor *actor, struct pgtsim_machine *machine,
		  struct pgtsim_table *table, uint64_t va, uint64_t last)
{
	struct pgtsim_pgtable *pgt = &machine->pgt;

	for (;;) {
		const struct pgtsim_run run = run_in(pgt, table, va, last);
		struct pgtsim_table *child;
		int ret;

		if (run.level == PGTSIM_PTE) {
			ret = map_page(machine, &run);
		} else {
			ret = table_below(actor, pgt, &run, &child);
			if (!ret)
				ret = map_in(actor, machine, child, run.va, run.last);
		}
		if (ret || run.last == last)
			return ret;
		va = run.last + 1;
	}
}

int pgtsim_actor_vmalloc(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	const struct pgtsim_actor_range *range = arg;
	uint64_t mask = pgtsim_page_size(&machine->geo) - 1;

	if (pgtsim_geometry_check_va(&machine->geo, range->start, range->size) ||
	    ((range->start | range->size) & mask))
		return -EINVAL;
	return map_in(actor, machine, machine->pgt.root, range->start,
		      range->start + range->size - 1);
}

void pgtsim_actor_vmalloc_check(struct pgtsim_machine *machine, int result, void *arg)
{
	const struct pgtsim_actor_range *range = arg;
	uint64_t page = pgtsim_page_size(&machine->geo);

	for (uint64_t at = 0; !result && at < range->size; at += page) {
		struct pgtsim_translation t;

		if (!pgtsim_translate(&machine->pgt, range->start + at, &t))
			continue;
		pgtsim_tlb_violation(&machine->tlb, PGTSIM_V_MAPPING_LOST, range->start + at,
				     t.level, "the walk ends at entry 0x%016llx: %s",
				     (unsigned long long)t.desc, pgtsim_fault_name(t.fault));
		return;
	}
}

/* ---- ptdump ---- */

static void read_in(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table, uint64_t va,
		    uint64_t last)
{
	for (;;) {
		const struct pgtsim_run run = run_in(pgt, table, va, last);
		uint64_t desc = pgtsim_entry(pgt, table, run.index);
		struct pgtsim_table *child = follow(pgt, run.level, desc);

		if (child)
			read_in(pgt, child, run.va, run.last);
		if (run.last == last)
			return;
		va = run.last + 1;
	}
}

int pgtsim_actor_ptdump_unlocked(struct pgtsim_actor *actor, struct pgtsim_machine *machine,
				 void *arg)
{
	const struct pgtsim_actor_range *range = arg;

	(void)actor;
	if (pgtsim_geometry_check_va(&machine->geo, range->start, range->size))
		return -EINVAL;
	read_in(&machine->pgt, machine->pgt.root, range->start, range->start + range->size - 1);
	return 0;
}

int pgtsim_actor_ptdump(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	int ret;

	pgtsim_actor_lock(actor, PGTSIM_LOCK_HOTPLUG);
	ret = pgtsim_actor_ptdump_unlocked(actor, machine, arg);
	pgtsim_actor_unlock(actor, PGTSIM_LOCK_HOTPLUG);
	return ret;
}

/* ---- a CPU ---- */

static void walk_step(struct pgtsim_actor *actor, enum pgtsim_explore_op op)
{
	if (!actor->x->draining)
		pgtsim_take_step(actor->x,
				 &(struct pgtsim_next){ op, NULL, 0, PGTSIM_LOCKS + actor->id });
}

int pgtsim_actor_access(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	const struct pgtsim_actor_accesses *accesses = arg;

	actor->accesses = accesses;
	for (size_t i = 0; i < accesses->count; i++) {
		struct pgtsim_translation translation;

		walk_step(actor, PGTSIM_STEP_WALK);
		(void)pgtsim_translate(&machine->pgt, accesses->va[i], &translation);
		walk_step(actor, PGTSIM_STEP_WALKED);
	}
	return 0;
}
