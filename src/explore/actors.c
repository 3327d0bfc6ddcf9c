/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>

#include "explore.h"

#include <pgtsim/format.h>
#include "pgtable/access.h"

/* ---- memory hotplug ---- */

int pgtsim_actor_add(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	const struct pgtsim_actor_range *range = arg;
	int ret;

	if (!actor || !machine || !arg)
		return -EINVAL;
	pgtsim_actor_lock(actor, PGTSIM_LOCK_HOTPLUG);
	ret = pgtsim_add_memory(&machine->hotplug, range->start, range->size);
	pgtsim_actor_unlock(actor, PGTSIM_LOCK_HOTPLUG);
	return ret;
}

int pgtsim_actor_remove(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	const struct pgtsim_actor_range *range = arg;
	int ret;

	if (!actor || !machine || !arg)
		return -EINVAL;
	pgtsim_actor_lock(actor, PGTSIM_LOCK_HOTPLUG);
	ret = pgtsim_remove_memory(&machine->hotplug, range->start, range->size);
	pgtsim_actor_unlock(actor, PGTSIM_LOCK_HOTPLUG);
	return ret;
}

int pgtsim_actor_unplug(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	const struct pgtsim_actor_range *range = arg;
	int ret;

	if (!actor || !machine || !arg)
		return -EINVAL;
	pgtsim_actor_lock(actor, PGTSIM_LOCK_HOTPLUG);
	ret = pgtsim_offline_memory(&machine->hotplug, range->start, range->size);
	pgtsim_actor_unlock(actor, PGTSIM_LOCK_HOTPLUG);
	return ret ? ret : pgtsim_actor_remove(actor, machine, arg);
}

int pgtsim_actor_unmap(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	const struct pgtsim_actor_range *range = arg;
	int ret;

	if (!actor || !machine || !arg)
		return -EINVAL;
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

	if (!actor || !machine || !arg)
		return -EINVAL;
	pgtsim_actor_lock(actor, PGTSIM_LOCK_HOTPLUG);
	ret = pgtsim_vmemmap_free(&machine->vmemmap, range->start, range->start + range->size,
				  NULL);
	pgtsim_actor_unlock(actor, PGTSIM_LOCK_HOTPLUG);
	return ret;
}

/*
 * ---- walks that read each entry exactly once ----
 *
 * The library's walker reads runs of entries. Code that runs beside others, like vmalloc() and ptdump,
 * reads one entry at a time and follows the value that it read, so the actors below do that too.
 */

/*
 * Returns the entry of a table that translates va as a run. `last` of the run is the end of what
 * the entry translates, or the given one if that is lower.
 */
static struct pgtsim_run entry_run(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
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

/*
 * Returns the table that a descriptor read at this level points to; NULL if it is none, or the page
 * there is not a table of the next level.
 */
static struct pgtsim_table *child_table(const struct pgtsim_pgtable *pgt, int level, uint64_t desc)
{
	struct pgtsim_table *child;

	if (!pgtsim_desc_is_table(level, desc))
		return NULL;
	child = pgt->ops.find(pgt->ops.ctx, pgtsim_desc_address(&pgt->geo, level, desc));
	return child && child->level == level + 1 ? child : NULL;
}

/* ---- vmalloc ---- */

/*
 * Links a new table to an entry that was read as 0, like __p4d_alloc() to __pte_alloc_kernel():
 * allocates the page first, takes the lock, and reads the entry again. If it is still 0, links the
 * table and returns it in *child, with *desc 0. If another actor was faster, frees the page and
 * returns its entry in *desc.
 */
static int link_below(struct pgtsim_actor *actor, struct pgtsim_pgtable *pgt,
		      const struct pgtsim_run *run, struct pgtsim_table **child, uint64_t *desc)
{
	struct pgtsim_table *list;

	if (pgtsim_tables_reserve(pgt, 1, &list) != 1)
		return pgtsim_fail(pgt->tlb, -ENOMEM,
				   "no memory for a table below the %s of VA 0x%016" PRIx64,
				   pgtsim_level_name(&pgt->geo, run->level), run->va);
	*child = list;
	pgtsim_actor_lock(actor, PGTSIM_LOCK_PAGE_TABLE);
	*desc = pgtsim_entry(pgt, run->table, run->index);
	if (!*desc)
		pgtsim_table_link(pgt, run, &list, pgt->policy->vmemmap_table,
				  PGTSIM_REGION_VMALLOC);
	pgtsim_actor_unlock(actor, PGTSIM_LOCK_PAGE_TABLE);
	pgtsim_tables_release(pgt, &list);
	return 0;
}

static int in_use(struct pgtsim_pgtable *pgt, const struct pgtsim_run *run)
{
	return pgtsim_fail(pgt->tlb, -EBUSY, "the %s of VA 0x%016" PRIx64 " is in use already",
			   pgtsim_level_name(&pgt->geo, run->level), run->va);
}

/*
 * Finds the table below an entry, and allocates it if there is none, like p4d_alloc() to
 * pte_alloc_kernel(). Returns 0, -ENOMEM or -EBUSY (the entry is a leaf).
 */
static int table_below(struct pgtsim_actor *actor, struct pgtsim_pgtable *pgt,
		       const struct pgtsim_run *run, struct pgtsim_table **child)
{
	uint64_t desc = pgtsim_entry(pgt, run->table, run->index);
	int ret = desc ? 0 : link_below(actor, pgt, run, child, &desc);

	if (ret)
		return ret;
	if (desc)
		*child = child_table(pgt, run->level, desc);
	return *child ? 0 : in_use(pgt, run);
}

/* Maps a newly allocated page at a pte. -EBUSY if the entry is not zero. */
static int map_page(struct pgtsim_machine *machine, const struct pgtsim_run *run)
{
	struct pgtsim_pgtable *pgt = &machine->pgt;
	uint64_t pfn;

	if (pgtsim_memory_alloc(machine->memory, 0, &pfn))
		return pgtsim_fail(pgt->tlb, -ENOMEM, "no page to map at VA 0x%016" PRIx64,
				   run->va);
	if (pgtsim_entry(pgt, run->table, run->index)) {
		pgtsim_memory_free_pages(machine->memory, pfn, 0);
		return in_use(pgt, run);
	}
	pgtsim_run_map(pgt, run, pfn << pgt->geo.page_shift, pgt->policy->prot[PGTSIM_PROT_KERNEL],
		       pgt->policy->vmalloc_batched ? 0 : PGTSIM_EACH_SYNC);
	return 0;
}

/*
 * Maps pages at [va, last], like vmap_pages_range_noflush(): each table is looked up once for
 * everything below it.
 */
static int map_entries(struct pgtsim_actor *actor, struct pgtsim_machine *machine,
		       struct pgtsim_table *table, uint64_t va, uint64_t last)
{
	struct pgtsim_pgtable *pgt = &machine->pgt;

	for (;;) {
		const struct pgtsim_run run = entry_run(pgt, table, va, last);
		struct pgtsim_table *child = NULL;
		int ret;

		if (run.level == PGTSIM_PTE) {
			ret = map_page(machine, &run);
		} else {
			ret = table_below(actor, pgt, &run, &child);
			if (!ret)
				ret = map_entries(actor, machine, child, run.va, run.last);
		}
		if (ret || run.last == last) {
			if (run.level == PGTSIM_PTE && pgt->policy->vmalloc_batched)
				pgtsim_tlb_sync(pgt->tlb);
			return ret;
		}
		va = run.last + 1;
	}
}

int pgtsim_actor_vmalloc(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	if (!actor || !machine || !arg)
		return -EINVAL;

	const struct pgtsim_actor_range *range = arg;
	int ret = pgtsim_pgtable_check_arm64(&machine->pgt, "vmalloc maps");

	if (!ret)
		ret = pgtsim_pgtable_check_pages(&machine->pgt, range->start, range->size);
	if (ret)
		return ret;
	return map_entries(actor, machine, machine->pgt.root, range->start,
			   range->start + range->size - 1);
}

void pgtsim_actor_vmalloc_check(struct pgtsim_machine *machine, int result, void *arg)
{
	if (!machine || !arg)
		return;

	const struct pgtsim_actor_range *range = arg;
	uint64_t page = pgtsim_page_size(&machine->geo);

	for (uint64_t at = 0; !result && at < range->size; at += page) {
		struct pgtsim_translation t;

		if (!pgtsim_translate(&machine->pgt, range->start + at, &t))
			continue;
		pgtsim_tlb_violation(
			&machine->tlb, PGTSIM_V_MAPPING_LOST, range->start + at, t.level,
			"the walk ends at entry 0x%016llx: %s",
			(unsigned long long)pgtsim_desc_to_raw(&machine->geo, t.level, t.desc),
			pgtsim_fault_name(t.fault));
		return;
	}
}

/* ---- ptdump ---- */

/* Reads the entries for [va, last] of a table, and those of the tables below. */
static void read_entries(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table, uint64_t va,
			 uint64_t last)
{
	for (;;) {
		const struct pgtsim_run run = entry_run(pgt, table, va, last);
		uint64_t desc = pgtsim_entry(pgt, table, run.index);
		struct pgtsim_table *child = child_table(pgt, run.level, desc);

		if (child)
			read_entries(pgt, child, run.va, run.last);
		if (run.last == last)
			return;
		va = run.last + 1;
	}
}

int pgtsim_actor_ptdump_unlocked(struct pgtsim_actor *actor, struct pgtsim_machine *machine,
				 void *arg)
{
	const struct pgtsim_actor_range *range = arg;
	struct pgtsim_engine *engine;
	int ret = PGTSIM_ENGINE_OWN;

	if (!actor || !machine || !arg)
		return -EINVAL;
	if (pgtsim_geometry_check_va(&machine->geo, range->start, range->size))
		return pgtsim_pgtable_check(&machine->pgt, range->start, range->size);
	engine = pgtsim_engine_of(&machine->pgt);
	if (engine && engine->ptdump)
		ret = engine->ptdump(engine, &machine->pgt, range->start,
				     range->start + range->size);
	if (ret != PGTSIM_ENGINE_OWN)
		return ret;
	read_entries(&machine->pgt, machine->pgt.root, range->start,
		     range->start + range->size - 1);
	return 0;
}

int pgtsim_actor_ptdump(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	int ret;

	if (!actor || !machine || !arg)
		return -EINVAL;
	pgtsim_actor_lock(actor, PGTSIM_LOCK_HOTPLUG);
	ret = pgtsim_actor_ptdump_unlocked(actor, machine, arg);
	pgtsim_actor_unlock(actor, PGTSIM_LOCK_HOTPLUG);
	return ret;
}

/* ---- pfn_to_online_page() ---- */

static void report_usage_map(struct pgtsim_actor *actor, struct pgtsim_machine *machine,
			     uint64_t pa, const char *what, unsigned freed_by)
{
	const struct pgtsim_actor_spec *actors = actor->x->config->actors;

	pgtsim_tlb_violation(&machine->tlb, PGTSIM_V_USAGE_MAP_USE_AFTER_FREE,
			     pgtsim_linear(&machine->layout, pa), PGTSIM_PTE,
			     "%s %s of the section of PA 0x%llx after %s freed it",
			     actors[actor->id].name, what, (unsigned long long)pa,
			     actors[freed_by - 1].name);
}

/* Whether the flags of a section say online, once they have been read. */
static bool flags_say_online(const struct pgtsim_machine *machine, uint64_t pa, uint64_t flags)
{
	return flags ? flags == PGTSIM_FLAG_ONLINE :
		       pgtsim_section_state(&machine->hotplug, pa).online;
}

/* Looks up the page at pa, in the section whose first variable is this. */
static void look_up(struct pgtsim_actor *actor, struct pgtsim_machine *machine, uint64_t pa,
		    unsigned section)
{
	uint64_t pointer, freed;

	if (!flags_say_online(machine, pa,
			      pgtsim_load_section(actor, section, PGTSIM_SECTION_FLAGS)))
		return;
	pointer = pgtsim_load_section(actor, section, PGTSIM_SECTION_POINTER);
	if (pgtsim_map_who(pointer)) {
		if (machine->policy.usage_map == PGTSIM_USAGE_MAP_AT_ONCE)
			report_usage_map(actor, machine, pa,
					 "follows the NULL pointer to the usage map",
					 pgtsim_map_who(pointer));
		return;
	}
	freed = pgtsim_load_section(actor, section, PGTSIM_SECTION_MAP);
	if (pgtsim_map_who(freed) && pgtsim_map_of(freed) >= pgtsim_map_of(pointer))
		report_usage_map(actor, machine, pa, "reads the usage map", pgtsim_map_who(freed));
}

int pgtsim_actor_online_page(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	const struct pgtsim_actor_range *range = arg;
	unsigned section;

	if (!actor || !machine || !arg)
		return -EINVAL;
	section = pgtsim_section_looked_up(actor, range->start);
	if (section)
		look_up(actor, machine, range->start, section);
	return 0;
}

int pgtsim_actor_online_page_rcu(struct pgtsim_actor *actor, struct pgtsim_machine *machine,
				 void *arg)
{
	const struct pgtsim_actor_range *range = arg;
	unsigned section;

	if (!actor || !machine || !arg)
		return -EINVAL;
	section = pgtsim_section_looked_up(actor, range->start);
	pgtsim_actor_rcu_read_lock(actor);
	if (section)
		look_up(actor, machine, range->start, section);
	pgtsim_actor_rcu_read_unlock(actor);
	return 0;
}

/* ---- a CPU ---- */

/* Takes or releases the lock that says that this actor is walking the tables as a CPU. */
static void walk_step(struct pgtsim_actor *actor, enum pgtsim_explore_op op)
{
	if (!actor->x->draining)
		pgtsim_take_step(actor->x, &(struct pgtsim_next){
						   .op = op, .lock = PGTSIM_LOCKS + actor->id });
}

int pgtsim_actor_access(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	const struct pgtsim_actor_accesses *accesses = arg;

	if (!actor || !machine || !arg)
		return -EINVAL;
	actor->accesses = accesses;
	for (size_t i = 0; i < accesses->count; i++) {
		struct pgtsim_translation translation;

		walk_step(actor, PGTSIM_STEP_WALK);
		(void)pgtsim_translate(&machine->pgt, accesses->va[i], &translation);
		walk_step(actor, PGTSIM_STEP_WALKED);
	}
	return 0;
}
