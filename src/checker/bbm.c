/* SPDX-License-Identifier: MIT */
#include "bbm.h"

#include <pgtsim/format.h>

#include "below.h"
#include "reports.h"
#include "visible.h"

/* ---- which changes need a break ---- */

/* Normal memory and normal tagged memory: either may become the other while it is in use. */
static bool is_normal(const struct checker *c, uint64_t desc)
{
	uint64_t index = desc & PGTSIM_DESC_ATTRINDX_MASK;

	return index == (c->policy->prot[PGTSIM_PROT_KERNEL] & PGTSIM_DESC_ATTRINDX_MASK) ||
	       index == (c->policy->prot[PGTSIM_PROT_TAGGED] & PGTSIM_DESC_ATTRINDX_MASK);
}

/* Whether attributes differ in what may not change in place. `changed`: as walks use them. */
static bool attributes_need_break(const struct checker *c, uint64_t changed, uint64_t old,
				  uint64_t desc)
{
	uint64_t breaks = PGTSIM_DESC_SH_MASK | PGTSIM_DESC_NS;

	if (changed & PGTSIM_DESC_ATTRINDX_MASK && !(is_normal(c, old) && is_normal(c, desc)))
		return true;
	return changed & breaks || changed & old & PGTSIM_DESC_NG;
}

/* Two leaves of any level, at an address that both translate. */
struct pair {
	uint64_t old_pa, pa;       /* of that address */
	uint64_t old, desc;        /* the descriptors, */
	uint64_t old_above, above; /* … with the restrictions of tables above each */
};

static uint64_t changed_bits(const struct checker *c, const struct pair *p)
{
	return pgtsim_rules_attributes(c, p->old, p->old_above) ^
	       pgtsim_rules_attributes(c, p->desc, p->above);
}

static bool translates_alike(const struct checker *c, const struct pair *p)
{
	return p->old_pa == p->pa && !changed_bits(c, p);
}

static bool needs_break(const struct checker *c, const struct pair *p)
{
	return p->old_pa != p->pa || attributes_need_break(c, changed_bits(c, p), p->old, p->desc);
}

static bool in_place_needs_break(const struct checker *c, const struct pgtsim_event *event)
{
	uint64_t old = event->old_desc, desc = event->new_desc;
	const struct pair p = {
		.old_pa = pgtsim_address(c->geo, event->level, old),
		.pa = pgtsim_address(c->geo, event->level, desc),
		.old = old,
		.desc = desc,
	};
	bool groups = pgtsim_cont_entries(c->geo, event->level) > 1;

	if (pgtsim_desc_is_table(event->level, old) != pgtsim_desc_is_table(event->level, desc))
		return checker_bbm_level(c) < 2;
	if (pgtsim_desc_is_table(event->level, old))
		return p.old_pa != p.pa;
	/* One member of a group changes alone, or joins or leaves it. */
	if (groups && (old | desc) & PGTSIM_DESC_CONT && checker_bbm_level(c) < 2 &&
	    ((old ^ desc) & PGTSIM_DESC_CONT || changed_bits(c, &p)))
		return true;
	return needs_break(c, &p);
}

/* ---- new entries against what may still be cached ---- */

/* What restricts the event's entries. If it is not known: what restricted the run's. */
static uint64_t above_of(const struct stale *run, const struct pgtsim_event *event)
{
	return run->by == PGTSIM_OP_POKE ? checker_above(event, run->above) : run->above;
}

/* The pair of a run's leaf and the event's at the first address that both translate. */
static struct pair pair_at(const struct checker *c, const struct stale *run,
			   const struct pgtsim_event *event)
{
	uint64_t va = run->by_va.start > event->va ? run->by_va.start : event->va;
	uint64_t leaf = pgtsim_entry_base(c->geo, event->level, va);

	return (struct pair){
		.old_pa = run->by_pa.start + (va - run->by_va.start),
		.pa = pgtsim_address(c->geo, event->level, event->new_desc + (leaf - event->va)) +
		      (va - leaf),
		.old = run->desc,
		.desc = event->new_desc,
		.old_above = run->above,
		.above = above_of(run, event),
	};
}

/* Bytes that the leaves below a table that went translate as the tables do now. */
static uint64_t alike_below(const struct checker *c, const struct stale *table)
{
	uint64_t va = table->by_va.start, last = table->by_va.last, bytes = 0;

	/* What the table held then went with it. */
	for (const struct stale *run = pgtsim_stale_all(c, va, last); run; run = run->hit)
		if (run->level > table->level && !run->walk && run->harmless && run->orphan &&
		    run->seen == SEEN && run->since == table->since)
			bytes += run->by_va.last - run->by_va.start + 1;
	return bytes;
}

/*
 * Whether a run and the new entry are alike only because of what tables above restrict: once those
 * restrict less, a walk that does not see the store yet finds another translation.
 */
static bool is_hidden(const struct checker *c, const struct stale *run, const struct pair *p)
{
	return run->seen != SEEN && pgtsim_rules_attributes(c, p->old, 0) !=
					    pgtsim_rules_attributes(c, p->desc, 0);
}

/* A run gets its old value back, or leaves their translation in another size. */
static void restored(struct checker *c, struct stale *run, bool resized, bool hidden)
{
	bool held = run->orphan && pgtsim_rules_table_above(c, run, false);

	if (held || resized || hidden)
		pgtsim_stale_harmless(c, run, true, resized);
	else
		pgtsim_stale_drop(c, run);
}

/* A run whose entries, tables or leaves, are now tables; or were tables, and are now leaves. */
static void new_kind(struct checker *c, struct stale *run, const struct pgtsim_event *event)
{
	bool table = pgtsim_desc_is_table(event->level, event->new_desc);
	uint64_t changed = (run->desc | run->above) ^ (event->new_desc | above_of(run, event));

	if (run->walk != table) {
		if (checker_bbm_level(c) < 2)
			pgtsim_report_made(c, event, PGTSIM_V_NO_BREAK, run->by_va.start, run);
		/* What a table that a block replaces leads to is compared by itself, below. */
		return;
	}
	run->back = pgtsim_address(c->geo, event->level, event->new_desc) == run->by_pa.start;
	run->allowed = (event->new_desc & PGTSIM_DESC_RESTRICTIONS) | above_of(run, event);
	if (!run->back)
		pgtsim_report_made(c, event, PGTSIM_V_NO_BREAK, run->by_va.start, run);
	else if (!(changed & PGTSIM_DESC_RESTRICTIONS))
		restored(c, run, false, false);
}

/* A run of the event's level. */
static void same_level(struct checker *c, struct stale *run, const struct pgtsim_event *event)
{
	bool group = pgtsim_cont_entries(c->geo, event->level) > 1;
	struct pair p;

	run = pgtsim_stale_cut(c, run, event->va, checker_last_of(c, event));
	if (!run)
		return;
	if (run->walk || pgtsim_desc_is_table(event->level, event->new_desc)) {
		new_kind(c, run, event);
		return;
	}
	p = pair_at(c, run, event);
	if (translates_alike(c, &p)) {
		bool resized = group && (p.old ^ p.desc) & PGTSIM_DESC_CONT;

		if (resized && checker_bbm_level(c) < 2)
			pgtsim_report_made(c, event, PGTSIM_V_OVERLAPPING_SIZES, run->by_va.start,
					   run);
		else
			restored(c, run, resized, is_hidden(c, run, &p));
		return;
	}
	/* Of entries that are as they were, only what is above them may differ. */
	run->attrs |= p.old_pa == p.pa && checker_old_at(c, run, run->by_va.start) ==
						  event->new_desc + (run->by_va.start - event->va);
	if (needs_break(c, &p))
		pgtsim_report_made(c, event, PGTSIM_V_NO_BREAK, run->by_va.start, run);
	else if (group && (p.old ^ p.desc) & PGTSIM_DESC_CONT && checker_bbm_level(c) < 2)
		pgtsim_report_made(c, event, PGTSIM_V_OVERLAPPING_SIZES, run->by_va.start, run);
}

/* A run of leaves of another level than the event's leaves. */
static void other_level(struct checker *c, struct stale *run, const struct pgtsim_event *event)
{
	bool larger = run->level < event->level;
	struct pair p;

	run = pgtsim_stale_cut(c, run, event->va, checker_last_of(c, event));
	if (!run)
		return;
	if (checker_bbm_level(c) < 2) {
		pgtsim_report_made(c, event, PGTSIM_V_OVERLAPPING_SIZES,
				   larger ? event->va : run->by_va.start, run);
		return;
	}
	p = pair_at(c, run, event);
	if (translates_alike(c, &p)) {
		if (larger)
			pgtsim_stale_alike(
				c, run, run->alike + (checker_last_of(c, event) - event->va + 1));
		else
			pgtsim_stale_harmless(c, run, true, true);
	} else if (needs_break(c, &p)) {
		pgtsim_report_made(c, event, PGTSIM_V_NO_BREAK,
				   larger ? event->va : run->by_va.start, run);
	}
}

/* Stale table entries that blocks replace, and those below, do no harm if all they lead to is alike. */
static void tables_alike(struct checker *c, const struct pgtsim_event *event)
{
	uint64_t last = checker_last_of(c, event);
	struct stale *run = pgtsim_stale_todo(pgtsim_stale_all(c, event->va, last));

	for (struct stale *next; run; run = next) {
		next = run->todo;
		if (run->walk && run->level >= event->level &&
		    alike_below(c, run) == run->by_va.last - run->by_va.start + 1)
			pgtsim_stale_harmless(c, run, true, true);
	}
}

static void against_stale(struct checker *c, const struct pgtsim_event *event)
{
	bool leaf = !pgtsim_desc_is_table(event->level, event->new_desc);
	struct stale *run =
		pgtsim_stale_todo(pgtsim_stale_all(c, event->va, checker_last_of(c, event)));

	for (struct stale *next; run; run = next) {
		next = run->todo;
		if (run->level == event->level)
			same_level(c, run, event);
		else if (leaf && !run->walk)
			other_level(c, run, event);
	}
	if (leaf && c->tables && checker_bbm_level(c) >= 2)
		tables_alike(c, event);
	if (!leaf && c->orphans) {
		pgtsim_below_linked(c, event);
		pgtsim_rules_shed(c, event->level, event->va, checker_last_of(c, event));
	}
	if (c->tables)
		pgtsim_below_restricted(c, event);
}

/* A leaf whose access flag is not set is never cached; with it, it may be what was cached before. */
static void young_leaf(struct checker *c, const struct pgtsim_event *event)
{
	struct pgtsim_event old = *event;
	struct stale *run;

	old.new_desc |= PGTSIM_DESC_AF;
	if (!c->runs || !pgtsim_rules_cacheable(c, event->level, old.new_desc))
		return;
	run = pgtsim_stale_todo(
		pgtsim_stale_level(c, event->level, event->va, checker_last_of(c, event)));
	for (struct stale *next; run; run = next) {
		struct pair p = pair_at(c, run, &old);

		next = run->todo;
		if (run->walk || (p.old ^ p.desc) & PGTSIM_DESC_CONT || !translates_alike(c, &p))
			continue;
		run = pgtsim_stale_cut(c, run, event->va, checker_last_of(c, event));
		if (run)
			pgtsim_stale_harmless(c, run, true, false);
	}
}

bool pgtsim_bbm_new(struct checker *c, const struct pgtsim_event *event)
{
	struct pgtsim_range_map *hinted = &c->hinted[pgtsim_slot(event->level)];
	uint64_t last = checker_last_of(c, event), mask;

	if (!pgtsim_rules_cacheable(c, event->level, event->new_desc)) {
		if (checker_is_illegal(c, event->level, event->new_desc) ||
		    checker_is_hinted(c, event->level, event->new_desc | PGTSIM_DESC_AF))
			pgtsim_live_add(c, &c->uncached[pgtsim_slot(event->level)], event->va, last,
					event->new_desc);
		young_leaf(c, event);
		return false;
	}
	if (hinted->root && !(event->new_desc & PGTSIM_DESC_CONT) && checker_bbm_level(c) < 2) {
		mask = checker_group_mask(c, event->level);
		if (pgtsim_live_bytes(hinted, event->va & ~mask, last | mask))
			pgtsim_report_joined(c, event);
	}
	if (c->runs)
		against_stale(c, event);
	if (checker_is_hinted(c, event->level, event->new_desc))
		pgtsim_rules_add_hinted(c, event);
	return true;
}

/* ---- by hand ---- */

/* Whether a walk makes of both entries, valid ones, the same; the access flag aside. */
static bool same_effect(const struct checker *c, const struct pgtsim_event *event)
{
	uint64_t old = event->old_desc, desc = event->new_desc;
	bool table = pgtsim_desc_is_table(event->level, old);

	if (table != pgtsim_desc_is_table(event->level, desc) ||
	    pgtsim_address(c->geo, event->level, old) != pgtsim_address(c->geo, event->level, desc))
		return false;
	if (table)
		return !((old ^ desc) >> 59);
	return !((old ^ desc) & (PGTSIM_DESC_CONT | PGTSIM_DESC_TABLE)) &&
	       pgtsim_rules_attributes(c, old, 0) == pgtsim_rules_attributes(c, desc, 0);
}

/* The old value goes. If the new one differs in the access flag alone, the old one does no harm. */
static void store_by_hand(struct checker *c, const struct pgtsim_event *event, bool alike)
{
	struct stale *run;
	uint8_t by = c->by;

	c->by = PGTSIM_OP_POKE;
	pgtsim_rules_store(c, event);
	c->by = by;
	if (!alike)
		return;
	run = pgtsim_stale_level(c, event->level, event->va, checker_last_of(c, event));
	for (struct stale *next; run; run = next) {
		next = run->hit;
		if (run->since == c->now && run->desc == event->old_desc)
			pgtsim_stale_harmless(c, run, true, false);
	}
}

void pgtsim_bbm_by_hand(struct checker *c, const struct pgtsim_event *event)
{
	struct pgtsim_range_map *hinted = &c->hinted[pgtsim_slot(event->level)];
	bool was = pgtsim_rules_cacheable(c, event->level, event->old_desc);
	bool is = pgtsim_rules_cacheable(c, event->level, event->new_desc);
	bool both_valid = event->old_desc & event->new_desc & PGTSIM_DESC_VALID;
	bool alike = both_valid && same_effect(c, event);
	bool table = pgtsim_desc_is_table(event->level, event->new_desc);
	bool stays = was && table && pgtsim_desc_is_table(event->level, event->old_desc) &&
		     pgtsim_address(c->geo, event->level, event->old_desc) ==
			     pgtsim_address(c->geo, event->level, event->new_desc);

	if (was && is && in_place_needs_break(c, event))
		pgtsim_report_changed(c, event);
	if (was && pgtsim_desc_is_table(event->level, event->old_desc) && !stays)
		pgtsim_visible_detach(c, event);
	if (is && table && !stays)
		pgtsim_visible_link(c, event);
	if (was && is && alike) {
		if (c->runs && c->issuer_count > 1)
			pgtsim_below_stored(c, event);
		if (checker_is_hinted(c, event->level, event->old_desc)) {
			pgtsim_live_remove(c, hinted, event->va, checker_last_of(c, event));
			pgtsim_rules_add_hinted(c, event);
		}
		return;
	}
	store_by_hand(c, event, alike);
	pgtsim_bbm_new(c, event);
	if (is && !was)
		pgtsim_visible_new(c, event);
}

/* ---- restrictions of table entries ---- */

/* Adds a run's values below tables that have these bits. Returns NULL if memory ran out. */
static struct stale *add_again(struct checker *c, const struct stale *run, uint64_t above,
			       bool orphan)
{
	const struct stale_value value = {
		.desc = run->desc,
		.since = run->since,
		.above = above,
		.cpu = run->cpu,
		.level = run->level,
		.seen = run->seen,
		.by = run->by,
		.walk = run->walk,
		.orphan = orphan,
	};

	c->newest = NULL;
	return pgtsim_stale_add(c, &value, run->by_va.start, run->count);
}

/* Tables that blocks replaced, both alike, by stores that are not yet seen: a list by `todo`. */
static struct stale *tables_unseen(struct checker *c, const struct pgtsim_event *event)
{
	uint64_t last = checker_last_of(c, event);
	struct stale *run = pgtsim_stale_todo(pgtsim_stale_level(c, event->level, event->va, last));
	struct stale *list = NULL;

	for (struct stale *next; run; run = next) {
		next = run->todo;
		if (!run->walk || !run->harmless || run->orphan || run->seen == SEEN)
			continue;
		run = pgtsim_stale_cut(c, run, event->va, last);
		if (!run)
			continue;
		run->todo = list;
		list = run;
	}
	return list;
}

/* A walk finds such a table below what is allowed now, and what it leads to is alike again. */
static void table_found_again(struct checker *c, struct stale *table,
			      const struct pgtsim_event *event)
{
	uint64_t own = table->desc & PGTSIM_DESC_RESTRICTIONS, above;
	struct stale *run = pgtsim_stale_all(c, table->by_va.start, table->by_va.last), *found;

	for (struct stale *next; run; run = next) {
		next = run->hit;
		if (run != table &&
		    (run->level <= table->level || !run->orphan || run->since != table->since))
			continue;
		above = event->pa;
		if (run != table)
			above |= own | (run->above & ~event->step);
		found = add_again(c, run, above, run->orphan);
		if (found)
			pgtsim_stale_harmless(c, found, true, true);
		run->attrs = run->above != above;
	}
	table->unlinked |= RESTRICTED;
	pgtsim_stale_orphan(c, table, true);
}

/*
 * A walk that does not see the store yet finds the run's leaves below what tables above allow now,
 * and with the hint gives them to their groups.
 */
static void found_again(struct checker *c, const struct stale *run,
			const struct pgtsim_event *event)
{
	const struct pgtsim_event leaves = {
		.op = PGTSIM_OP_POKE,
		.level = run->level,
		.va = run->by_va.start,
		.count = run->count,
		.old_desc = run->desc,
		.pa = event->pa,
		.cpu = run->cpu,
	};
	struct pair p = pair_at(c, run, event);
	bool alike, resized = (p.old ^ p.desc) & PGTSIM_DESC_CONT;
	struct stale *found;

	p.old_above = event->pa;
	alike = translates_alike(c, &p);
	/* Valid entries of another size were told of when the new one was written. */
	if (alike && event->new_desc & PGTSIM_DESC_AF && (!resized || checker_bbm_level(c) < 2))
		return;
	found = add_again(c, run, event->pa, false);
	if (found && alike && (!resized || checker_bbm_level(c) >= 2))
		pgtsim_stale_harmless(c, found, true, resized);
	if (checker_is_hinted(c, leaves.level, leaves.old_desc))
		pgtsim_rules_gaps(c, &leaves);
}

/* A run of entries that are valid now, when what tables above them allow changes, as the event says. */
static void restrict_run(struct checker *c, struct stale *run, const struct pgtsim_event *event)
{
	struct pair p;
	bool resized;

	if (run->by != PGTSIM_OP_POKE && !run->attrs)
		run->above = event->step;
	run->attrs = run->above != event->pa;
	run->back = true;
	run->allowed = (event->new_desc & PGTSIM_DESC_RESTRICTIONS) | event->pa;
	p = pair_at(c, run, event);
	resized = !run->walk && (p.old ^ p.desc) & PGTSIM_DESC_CONT;
	pgtsim_stale_harmless(c, run,
			      run->walk ? !run->attrs :
					  translates_alike(c, &p) &&
						  (!resized || checker_bbm_level(c) >= 2),
			      resized);
	if (checker_seen(run) == SEEN || run->orphan)
		return;
	/* Of a store that is not yet seen: the tables lead to the old value with what they allow now. */
	run->unlinked |= RESTRICTED;
	pgtsim_stale_orphan(c, run, true);
	if (!run->walk)
		found_again(c, run, event);
}

void pgtsim_bbm_attributes(struct checker *c, const struct pgtsim_event *event)
{
	uint64_t last = checker_last_of(c, event);
	bool leaf = !pgtsim_desc_is_table(event->level, event->old_desc);
	struct pgtsim_event before = *event, after = *event;
	struct stale *run = leaf && c->tables ? tables_unseen(c, event) : NULL;

	before.pa = event->step;
	after.op = PGTSIM_OP_POKE;
	pgtsim_rules_not_alike(c, &before);
	for (struct stale *next; run; run = next) {
		next = run->todo;
		table_found_again(c, run, event);
	}
	if (leaf ? pgtsim_rules_attributes(c, event->old_desc, event->step) !=
			    pgtsim_rules_attributes(c, event->old_desc, event->pa) :
		   (event->step ^ event->pa) & ~event->old_desc & PGTSIM_DESC_RESTRICTIONS)
		pgtsim_rules_unreachable(c, &before, true);
	if (leaf && !checker_is_hinted(c, event->level, event->old_desc))
		pgtsim_rules_filled(c, &after);
	run = pgtsim_stale_todo(pgtsim_stale_level(c, event->level, event->va, last));
	/* Of what was stale because of other restrictions some is right again, and none else. */
	for (struct stale *next; run; run = next) {
		next = run->todo;
		run = pgtsim_stale_cut(c, run, event->va, last);
		if (run && run->walk != leaf)
			restrict_run(c, run, event);
	}
	/* What a group gives to entries without the hint it gives with what is allowed now. */
	if (leaf && checker_is_hinted(c, event->level, event->old_desc))
		pgtsim_rules_gaps(c, &after);
}
