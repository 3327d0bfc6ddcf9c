/* SPDX-License-Identifier: MIT */
#include "rules.h"

#include "below.h"

/* ---- descriptors ---- */

static uint64_t restricted(uint64_t desc, uint64_t above)
{
	if (above & PGTSIM_DESC_PXNTABLE)
		desc |= PGTSIM_DESC_PXN;
	if (above & PGTSIM_DESC_UXNTABLE)
		desc |= PGTSIM_DESC_UXN;
	if (above & PGTSIM_DESC_APTABLE_EL1)
		desc &= ~PGTSIM_DESC_AP1;
	if (above & PGTSIM_DESC_APTABLE_RO)
		desc = (desc | PGTSIM_DESC_AP2) & ~PGTSIM_DESC_DBM;
	if (above & PGTSIM_DESC_NSTABLE)
		desc |= PGTSIM_DESC_NS;
	return desc;
}

uint64_t pgtsim_rules_attributes(const struct checker *c, uint64_t desc, uint64_t above)
{
	uint64_t used = PGTSIM_DESC_ATTRINDX_MASK | PGTSIM_DESC_NS | PGTSIM_DESC_AP1 |
			PGTSIM_DESC_AP2 | PGTSIM_DESC_NG | PGTSIM_DESC_GP | PGTSIM_DESC_DBM |
			PGTSIM_DESC_PXN | PGTSIM_DESC_UXN;

	/* With LPA2 bits 9:8 are part of the address. */
	if (c->geo->oa != PGTSIM_OA_LPA2)
		used |= PGTSIM_DESC_SH_MASK;
	return restricted(desc, above) & used;
}

/* ---- what can cache a value again ---- */

struct above {
	const struct stale *run;
	bool unseen;
};

/* The restrictions that whoever walks through a stale table entry is certain to meet. */
static uint64_t certain_above(const struct stale *table)
{
	return (table->desc & PGTSIM_DESC_RESTRICTIONS) | (table->above & ~table->loosened);
}

static bool is_table_above(struct pgtsim_range *node, void *ctx)
{
	const struct above *above = ctx;
	const struct stale *table = checker_stale_of(node);

	/* One that restricts more leads to other translations than those of the run. */
	if (above->run->attrs && above->run->by == PGTSIM_OP_POKE &&
	    certain_above(table) & ~above->run->above)
		return false;
	/* One that is in the tables again leads to what they hold. */
	return table->walk && (!table->harmless || table->resized) &&
	       (!above->unseen || checker_seen(table) != SEEN);
}

const struct pgtsim_range *pgtsim_rules_table_above(const struct checker *c,
						    const struct stale *run, bool unseen)
{
	const struct pgtsim_range *first = NULL;
	struct above above = { run, unseen };

	if (!c->tables)
		return NULL;
	for (int level = run->level - 1; level >= pgtsim_root_level(c->geo); level--) {
		const struct pgtsim_range *found =
			pgtsim_ranges_find(&c->stale[pgtsim_slot(level)], run->by_va.start,
					   run->by_va.last, is_table_above, &above);

		if (found && (!first || found->start < first->start))
			first = found;
	}
	return first;
}

void pgtsim_rules_shed(struct checker *c, int level, uint64_t va, uint64_t last)
{
	for (struct stale *run = pgtsim_stale_all(c, va, last), *next; run; run = next) {
		next = run->hit;
		if (!run->orphan || run->leaving || run->asleep || run->level <= level)
			continue;
		run = pgtsim_stale_cut(c, run, va, last);
		if (!run || pgtsim_rules_table_above(c, run, false))
			continue;
		pgtsim_stale_orphan(c, run, false);
		if (run->harmless && !run->resized)
			pgtsim_stale_drop(c, run);
	}
}

/* ---- stores ---- */

/* Whether a table entry changes that leads to the same table before and after. */
static bool is_same_table(const struct checker *c, const struct pgtsim_event *event)
{
	int level = event->level;

	return pgtsim_desc_is_table(level, event->old_desc) &&
	       pgtsim_desc_is_table(level, event->new_desc) &&
	       pgtsim_address(c->geo, level, event->old_desc) ==
		       pgtsim_address(c->geo, level, event->new_desc);
}

void pgtsim_rules_compare(struct checker *c, const struct pgtsim_event *event)
{
	uint64_t va = event->va, last = checker_last_of(c, event);
	bool below = !is_same_table(c, event);

	for (struct stale *run = pgtsim_stale_all(c, va, last), *next; run; run = next) {
		next = run->hit;
		/* What other restrictions mean for the entries below is told of each. */
		if (run->level > event->level && !below)
			continue;
		if (run->level < event->level && run->alike) {
			uint64_t old = event->old_desc, at = va - run->by_va.start;

			if (pgtsim_rules_attributes(c, old, checker_above(event, run->above)) ==
				    pgtsim_rules_attributes(c, run->desc, run->above) &&
			    pgtsim_address(c->geo, event->level, old) == run->by_pa.start + at)
				pgtsim_stale_alike(c, run, run->alike - (last - va + 1));
		} else if (run->harmless && !run->asleep && run->level >= event->level) {
			run = pgtsim_stale_cut(c, run, va, last);
			if (run)
				pgtsim_stale_harmless(c, run, false, false);
		}
	}
}

bool pgtsim_rules_young_member(const struct checker *c, int level, uint64_t va, uint64_t desc)
{
	const struct pgtsim_range_map *map = &c->uncached[pgtsim_slot(level)];
	const struct live *live = map->root ? pgtsim_live_in(map, va, va) : NULL;
	uint64_t young = live ? live->desc + (va - live->by_va.start) : 0;

	return live && checker_is_hinted(c, level, young | PGTSIM_DESC_AF) &&
	       pgtsim_address(c->geo, level, young) == pgtsim_address(c->geo, level, desc) &&
	       pgtsim_rules_attributes(c, young, 0) == pgtsim_rules_attributes(c, desc, 0);
}

/* A value that the group gave an entry is cached again, or for the first time. */
static void computed(struct checker *c, const struct pgtsim_event *event, uint64_t va)
{
	uint64_t last = va + (checker_entry_size(c, event->level) - 1);
	const struct stale_value gap = {
		.level = (int8_t)event->level,
		.desc = event->old_desc + (va - event->va),
		.since = c->now,
		.above = checker_above(event, 0),
		.by = event->op == PGTSIM_OP_POKE ? PGTSIM_OP_POKE : c->by,
		.cpu = event->cpu,
		.why = WHY_HINT,
		.gap = true,
	};
	struct stale *run = pgtsim_stale_level(c, event->level, va, last);

	while (run && (run->walk || run->attrs || run->above != gap.above ||
		       checker_old_at(c, run, va) != gap.desc))
		run = run->hit;
	if (!run)
		run = pgtsim_stale_add(c, &gap, va, 1);
	run = run ? pgtsim_stale_cut(c, run, va, last) : NULL;
	if (!run)
		return;
	pgtsim_stale_uncover(run);
	pgtsim_stale_settle(c, run);
	if (pgtsim_rules_young_member(c, event->level, va, gap.desc))
		pgtsim_stale_harmless(c, run, true, false);
}

/*
 * Leaves with the hint go: what they gave to entries of their groups without the hint stays, stale.
 */
static void leave_gaps(struct checker *c, const struct pgtsim_event *event, uint64_t group)
{
	const struct pgtsim_range_map *map = &c->hinted[pgtsim_slot(event->level)];
	uint64_t size = checker_entry_size(c, event->level),
		 mask = checker_group_mask(c, event->level);
	uint64_t last = checker_last_of(c, event);

	if (pgtsim_live_bytes(map, group, group | mask) == mask + 1)
		return;
	for (uint64_t va = group; va - group <= mask; va += size)
		if ((va < event->va || va > last) && !pgtsim_live_bytes(map, va, va + (size - 1)))
			computed(c, event, va);
}

void pgtsim_rules_gaps(struct checker *c, const struct pgtsim_event *event)
{
	uint64_t mask = checker_group_mask(c, event->level), last = checker_last_of(c, event);

	leave_gaps(c, event, event->va & ~mask);
	if ((last & ~mask) != (event->va & ~mask))
		leave_gaps(c, event, last & ~mask);
}

void pgtsim_rules_filled(struct checker *c, const struct pgtsim_event *event)
{
	const struct pgtsim_range_map *map = &c->hinted[pgtsim_slot(event->level)];
	uint64_t size = checker_entry_size(c, event->level),
		 mask = checker_group_mask(c, event->level), last = checker_last_of(c, event);
	struct pgtsim_event source = *event;

	for (uint64_t va = event->va; map->root && va - event->va <= last - event->va; va += size)
		for (const struct live *live = pgtsim_live_in(map, va & ~mask, va | mask); live;
		     live = live->next) {
			source.va = live->by_va.start;
			source.old_desc = live->desc;
			computed(c, &source, va);
		}
}

/* The groups that the event's entries are in change: they are judged again. */
static void judge_groups_again(struct checker *c, const struct pgtsim_event *event)
{
	const struct pgtsim_range_map *map = &c->hinted[pgtsim_slot(event->level)];
	uint64_t mask = checker_group_mask(c, event->level);
	struct live *live = map->root ? pgtsim_live_in(map, event->va & ~mask,
						       checker_last_of(c, event) | mask) :
					NULL;

	for (; live; live = live->next)
		live->told = false;
}

void pgtsim_rules_add_hinted(struct checker *c, const struct pgtsim_event *event)
{
	judge_groups_again(c, event);
	pgtsim_live_add(c, &c->hinted[pgtsim_slot(event->level)], event->va,
			checker_last_of(c, event), event->new_desc);
}

static void remove_hinted(struct checker *c, const struct pgtsim_event *event)
{
	pgtsim_rules_gaps(c, event);
	pgtsim_live_remove(c, &c->hinted[pgtsim_slot(event->level)], event->va,
			   checker_last_of(c, event));
	judge_groups_again(c, event);
}

/* An entry that was not cached goes. */
static void forget_uncached(struct checker *c, const struct pgtsim_event *event)
{
	struct pgtsim_range_map *map = &c->uncached[pgtsim_slot(event->level)];

	if (!map->root)
		return;
	pgtsim_live_remove(c, map, event->va, checker_last_of(c, event));
	judge_groups_again(c, event);
}

void pgtsim_rules_store(struct checker *c, const struct pgtsim_event *event)
{
	pgtsim_rules_not_alike(c, event);
	if (c->runs && c->issuer_count > 1)
		pgtsim_below_stored(c, event);
	pgtsim_visible_gone(c, event->level, event->va, checker_last_of(c, event));
	if (!pgtsim_rules_cacheable(c, event->level, event->old_desc)) {
		forget_uncached(c, event);
		return;
	}
	if (checker_is_hinted(c, event->level, event->old_desc))
		remove_hinted(c, event);
	if (c->orphans)
		pgtsim_below_changed(c, event);
	if (c->runs && pgtsim_desc_is_table(event->level, event->old_desc))
		is_same_table(c, event) ? pgtsim_below_loosened(c, event) :
					  pgtsim_below_unlinked(c, event);
	if (checker_above(event, 0) || !pgtsim_stale_extend(c, event))
		pgtsim_stale_add(
			c,
			&(struct stale_value){
				.level = (int8_t)event->level,
				.desc = event->old_desc,
				.since = c->now,
				.above = checker_above(event, 0),
				.by = c->by,
				.cpu = event->cpu,
				.seen = UNSEEN,
				.walk = pgtsim_desc_is_table(event->level, event->old_desc),
			},
			event->va, event->count);
}

void pgtsim_rules_unreachable(struct checker *c, const struct pgtsim_event *event, bool attrs)
{
	const struct stale_value old = {
		.level = (int8_t)event->level,
		.desc = event->old_desc,
		/* If the table entry above goes, its event is still to come. */
		.since = attrs ? c->now : c->now + 1,
		.above = event->pa,
		.by = PGTSIM_OP_POKE,
		.cpu = event->cpu,
		.walk = pgtsim_desc_is_table(event->level, event->old_desc),
		.orphan = true,
		.attrs = attrs,
	};

	if (!attrs)
		pgtsim_rules_not_alike(c, event);
	if (!pgtsim_rules_cacheable(c, event->level, event->old_desc)) {
		if (!attrs)
			forget_uncached(c, event);
		return;
	}
	if (!attrs && checker_is_hinted(c, event->level, event->old_desc))
		remove_hinted(c, event);
	pgtsim_stale_add(c, &old, event->va, event->count);
}

/* ---- barriers ---- */

enum {
	DSB_ST = BARRIER_ORDERS | BARRIER_SHOWS_OWN | BARRIER_SHOWS_ALL,
	DSB = DSB_ST | BARRIER_COMPLETES,
	DMB = BARRIER_ORDERS | BARRIER_IS_DMB,
};

/* A DSB or DMB of kind LD does nothing for stores or invalidates. */
const uint8_t pgtsim_rules_effects[PGTSIM_OP_COUNT] = {
	[PGTSIM_OP_DSB_ISHST] = DSB_ST,
	[PGTSIM_OP_DSB_ISH] = DSB,
	[PGTSIM_OP_DSB_OSH] = DSB,
	[PGTSIM_OP_DSB_SY] = DSB,
	[PGTSIM_OP_DSB_NSH] = BARRIER_SHOWS_OWN | BARRIER_COMPLETES,
	[PGTSIM_OP_DMB_ISHST] = DMB,
	[PGTSIM_OP_DMB_ISH] = DMB,
	[PGTSIM_OP_ISB] = BARRIER_SYNCS,
};

/* Whether a machine of so many CPUs has none left that may hold the run. */
static bool gone_from_all(const struct checker *c, const struct stale *run)
{
	unsigned cpus = c->features.cpus;
	uint64_t all = cpus && cpus < CPUS_IN_MASK ? (UINT64_C(1) << cpus) - 1 : UINT64_MAX;

	return (run->gone & all) == all;
}

/* DSB of a CPU whose invalidate of a run is pending. Returns whether every CPU has lost it. */
static bool complete_one(struct checker *c, struct stale *run, uint64_t bit, bool own_only)
{
	bool repeat = c->features.repeat_tlbi;

	if (run->local & bit) {
		run->local &= ~bit;
		if (!repeat || run->local_once & bit)
			run->gone |= bit;
		run->local_once |= bit;
	}
	if (own_only || !(run->pending & bit))
		return gone_from_all(c, run);
	run->pending &= ~bit;
	if (repeat && !(run->once & bit)) {
		run->once |= bit;
		run->why = WHY_ONCE;
		return false;
	}
	run->once = 0;
	return true;
}

/* With FEAT_ETS2 the DSB alone orders later walks. */
static void want_isb(struct checker *c, const struct stale *run, unsigned cpu)
{
	struct issuer *issuer = &c->issuers[cpu];
	const struct unsynced more = { run->by_va.start, run->by_va.last, c->now, run->level };
	struct unsynced *last;

	if (c->features.ets2)
		return;
	if (!issuer->context)
		issuer->unsynced_count = 0;
	issuer->context = true;
	last = issuer->unsynced_count ? &issuer->unsynced[issuer->unsynced_count - 1] : NULL;
	if (last && last->last + 1 == more.va && last->level == more.level &&
	    last->event == more.event)
		last->last = more.last;
	else if (pgtsim_checker_room(c, (void **)&issuer->unsynced, issuer->unsynced_count,
				     &issuer->unsynced_room, sizeof(more)))
		issuer->unsynced[issuer->unsynced_count++] = more;
}

/* What a DSB does to one open run. Returns whether nothing holds it any more. */
static bool complete_run(struct checker *c, struct stale *run, unsigned cpu, bool own_only)
{
	uint64_t bit = pgtsim_stale_cpu(run, cpu);

	if ((own_only ? run->local : run->pending | run->local) & bit) {
		if (!run->harmless || (run->resized && !run->walk && c->features.bbm == 2))
			want_isb(c, run, cpu);
		run->cpus_gone |= complete_one(c, run, bit, own_only);
	}
	if (run->iommu == 1 && !own_only && run->iommu_by & bit)
		run->iommu = 2;
	if (run->cpus_gone && c->features.iommu && run->iommu != 2) {
		run->why = WHY_CPUS_ONLY;
		run->pending = run->local = 0;
		return false;
	}
	return run->cpus_gone;
}

static void see_store(struct checker *c, struct stale *run, unsigned cpu, bool own_only)
{
	if (run->cpu != cpu && (own_only || !(run->also & pgtsim_stale_cpu(run, cpu))))
		return;
	if (own_only) {
		if (run->seen == UNSEEN)
			run->seen = SEEN_BY_OWN;
		return;
	}
	run->seen = SEEN;
	/* No table has the values now, linked or not. */
	if (run->unlinked)
		pgtsim_stale_orphan(c, run, false);
	run->unlinked = 0;
}

/* DMB of a CPU: its stores so far come before its later ones. */
static void order_stores(struct checker *c, unsigned cpu)
{
	for (struct stale *run = c->open; run; run = run->next)
		run->ordered |= run->cpu == cpu;
}

static void settle_open(struct checker *c, unsigned cpu, bool stores_only, bool own_only)
{
	struct stale *gone = NULL;

	for (struct stale *run = c->open, *next; run; run = next) {
		next = run->next;
		if (!pgtsim_stale_is_open(run)) {
			pgtsim_stale_close(run);
			continue;
		}
		see_store(c, run, cpu, own_only);
		if (run->asleep && run->seen == SEEN) {
			pgtsim_stale_drop(c, run);
			continue;
		}
		if (stores_only || !complete_run(c, run, cpu, own_only))
			continue;
		if (run->seen != SEEN && run->unlinked & ~RESTRICTED) {
			run->asleep = true;
			pgtsim_stale_harmless(c, run, true, false);
			continue;
		}
		if (run->walk && c->orphans) {
			run->leaving = true;
			run->todo = gone;
			gone = run;
			continue;
		}
		pgtsim_stale_drop(c, run);
	}
	for (struct stale *run = gone, *next; run; run = next) {
		uint64_t va = run->by_va.start, last = run->by_va.last;
		int level = run->level;

		next = run->todo;
		pgtsim_stale_drop(c, run);
		pgtsim_rules_shed(c, level, va, last);
	}
}

void pgtsim_rules_settle(struct checker *c, unsigned does, unsigned cpu)
{
	if (does & BARRIER_SHOWS_OWN)
		settle_open(c, cpu, !(does & BARRIER_COMPLETES), !(does & BARRIER_SHOWS_ALL));
	else if (does & BARRIER_IS_DMB)
		order_stores(c, cpu);
}
