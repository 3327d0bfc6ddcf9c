/* SPDX-License-Identifier: MIT */
#include "below.h"

/* ---- tables that go and come back ---- */

/* The stale runs below a table entry, cut at its ends: a list by `todo`. */
static struct stale *below(struct checker *c, const struct pgtsim_event *event)
{
	uint64_t last = checker_last_of(c, event);
	struct stale *run = pgtsim_stale_todo(pgtsim_stale_all(c, event->va, last)), *list = NULL;

	for (struct stale *next; run; run = next) {
		next = run->todo;
		if (run->level <= event->level)
			continue;
		run = pgtsim_stale_cut(c, run, event->va, last);
		if (!run)
			continue;
		run->todo = list;
		list = run;
	}
	return list;
}

void pgtsim_below_unlinked(struct checker *c, const struct pgtsim_event *event)
{
	for (struct stale *run = below(c, event); run; run = run->todo) {
		if (run->seen == SEEN)
			continue;
		run->unlinked |= (uint8_t)(1 << pgtsim_slot(event->level));
		pgtsim_stale_orphan(c, run, true);
	}
}

void pgtsim_below_loosened(struct checker *c, const struct pgtsim_event *event)
{
	uint64_t bits = event->old_desc & ~event->new_desc & PGTSIM_DESC_RESTRICTIONS;

	if (!bits || !c->tables)
		return;
	for (struct stale *run = below(c, event); run; run = run->todo)
		run->loosened |= bits;
}

void pgtsim_below_linked(struct checker *c, const struct pgtsim_event *event)
{
	for (struct stale *run = below(c, event); run; run = run->todo) {
		bool was = run->unlinked;

		run->unlinked &= (uint8_t) ~(1 << pgtsim_slot(event->level));
		if (!was || run->unlinked || run->seen == SEEN)
			continue;
		/* A walk may find the old values again, whatever was invalidated meanwhile. */
		pgtsim_stale_uncover(run);
		if (run->asleep)
			pgtsim_stale_harmless(c, run, false, false);
		run->asleep = false;
	}
}

/* ---- entries that can be walked in more than one way ---- */

/* True if stale table entries above lead to the very table that the tables lead to. */
static bool is_the_table(const struct checker *c, int level, uint64_t va)
{
	const struct stale *run;

	if (level == pgtsim_root_level(c->geo))
		return false;
	run = pgtsim_stale_level(c, level - 1, va, va);
	while (run && (!run->walk || run->back))
		run = run->hit;
	return !run;
}

void pgtsim_below_changed(struct checker *c, const struct pgtsim_event *event)
{
	uint64_t last = checker_last_of(c, event);
	struct stale *run = pgtsim_stale_todo(pgtsim_stale_level(c, event->level, event->va, last));

	for (struct stale *next; run; run = next) {
		uint64_t va = run->by_va.start > event->va ? run->by_va.start : event->va;

		next = run->todo;
		if (!run->orphan || !is_the_table(c, event->level, va) ||
		    checker_old_at(c, run, va) != event->old_desc + (va - event->va))
			continue;
		run = pgtsim_stale_cut(c, run, event->va, last);
		if (!run)
			continue;
		run->seen = UNSEEN;
		run->unlinked |= RESTRICTED;
		run->cpu = event->cpu;
		pgtsim_stale_settle(c, run);
	}
}

void pgtsim_below_stored(struct checker *c, const struct pgtsim_event *event)
{
	uint64_t last = checker_last_of(c, event);
	struct stale *run = pgtsim_stale_todo(pgtsim_stale_level(c, event->level, event->va, last));

	for (struct stale *next; run; run = next) {
		next = run->todo;
		if (run->seen == SEEN || run->unlinked || run->cpu == event->cpu)
			continue;
		run = pgtsim_stale_cut(c, run, event->va, last);
		if (run)
			run->also |= pgtsim_stale_cpu(run, event->cpu);
	}
}

/* The run that says that an entry may be cached with these bits of tables above; NULL for none. */
static struct stale *known(const struct checker *c, const struct pgtsim_event *entry)
{
	struct stale *run = pgtsim_stale_level(c, entry->level, entry->va, entry->va);

	while (run && !((run->orphan || run->attrs) && run->above == entry->pa &&
			checker_old_at(c, run, entry->va) == entry->old_desc))
		run = run->hit;
	return run;
}

static void uncover_at(struct checker *c, struct stale *run, const struct pgtsim_event *entry)
{
	run = pgtsim_stale_cut(c, run, entry->va, checker_last_of(c, entry));
	if (run)
		pgtsim_stale_uncover(run);
}

/*
 * Adds entries that may be cached with the bits of tables above that the event has, each once. One
 * that is known may be cached again if `again`: an invalidate that is not complete came too early.
 */
static void add_new(struct checker *c, const struct pgtsim_event *event, bool again)
{
	uint64_t size = checker_entry_size(c, event->level);
	struct pgtsim_event entry = *event;
	struct stale *run;

	for (uint64_t i = 0, n; i < event->count; i += n) {
		n = c->orphans ? 1 : event->count - i;
		entry.va = event->va + i * size;
		entry.old_desc = entry.new_desc = event->old_desc + i * size;
		entry.count = n;
		run = c->orphans ? known(c, &entry) : NULL;
		if (!run)
			pgtsim_rules_unreachable(c, &entry, true);
		else if (again && run->pending | run->local)
			uncover_at(c, run, &entry);
	}
}

/* True if the entry means the same below tables with either bits. */
static bool means_the_same(const struct checker *c, const struct pgtsim_event *event,
			   uint64_t above, uint64_t other)
{
	if (pgtsim_desc_is_table(event->level, event->new_desc))
		return !((above ^ other) & ~event->new_desc & PGTSIM_DESC_RESTRICTIONS);
	return pgtsim_rules_attributes(c, event->new_desc, above) ==
	       pgtsim_rules_attributes(c, event->new_desc, other);
}

/* The part of the event's entries that a stale table entry leads to. */
static struct pgtsim_event part_below(const struct checker *c, const struct pgtsim_event *event,
				      const struct stale *table)
{
	uint64_t last = checker_last_of(c, event);
	struct pgtsim_event part = *event;

	if (table->by_va.start > part.va)
		part.va = table->by_va.start;
	if (table->by_va.last < last)
		last = table->by_va.last;
	part.count = (last - part.va + 1) >> c->geo->shift[pgtsim_slot(event->level)];
	part.old_desc = part.new_desc = event->new_desc + (part.va - event->va);
	part.pa = table->above | (table->desc & PGTSIM_DESC_RESTRICTIONS);
	return part;
}

void pgtsim_below_restricted(struct checker *c, const struct pgtsim_event *event)
{
	struct stale *run;

	if (event->level == pgtsim_root_level(c->geo))
		return;
	run = pgtsim_stale_todo(
		pgtsim_stale_level(c, event->level - 1, event->va, checker_last_of(c, event)));
	for (struct stale *next; run; run = next) {
		struct pgtsim_event part = part_below(c, event, run);

		next = run->todo;
		if (!run->walk || !run->back || (run->harmless && !run->resized) ||
		    means_the_same(c, &part, part.pa, checker_above(event, run->allowed)))
			continue;
		/* A walk meets the new entry by way of a table entry that is above it, or may be cached. */
		add_new(c, &part, run->level < c->poked_level || !(run->pending | run->local));
	}
}
