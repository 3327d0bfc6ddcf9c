/* SPDX-License-Identifier: MIT */
#include "visible.h"

#include "reports.h"

/* ---- visibility ---- */

/* Whether entries from `va` on only make the last new ones more. */
static bool goes_on(const struct unseen *last, const struct unseen *more)
{
	return last->last + 1 == more->va && last->level == more->level && last->by == more->by &&
	       !last->after;
}

void pgtsim_visible_new(struct checker *c, const struct pgtsim_event *event)
{
	struct issuer *issuer = &c->issuers[event->cpu];
	const struct unseen more = {
		.va = event->va,
		.last = checker_last_of(c, event),
		.event = c->now,
		.desc = event->new_desc,
		.level = (int8_t)event->level,
		.by = event->op == PGTSIM_OP_POKE ? PGTSIM_OP_POKE : c->by,
	};
	struct unseen *last =
		issuer->unseen_count ? &issuer->unseen[issuer->unseen_count - 1] : NULL;

	/* s390's CPUs see stores in their order, and a new entry needs nothing. */
	if (event->flags & (PGTSIM_EACH_SYNC | PGTSIM_EACH_SEEN) ||
	    c->geo->format == PGTSIM_FORMAT_S390)
		return;
	if (last && goes_on(last, &more)) {
		last->last = more.last;
		return;
	}
	if (pgtsim_checker_room(c, (void **)&issuer->unseen, issuer->unseen_count,
				&issuer->unseen_room, sizeof(more)))
		issuer->unseen[issuer->unseen_count++] = more;
}

/* Takes [va, last] out of one CPU's new entries; what is left of one may be two. */
static void take_out(struct checker *c, struct issuer *issuer, int level, uint64_t va,
		     uint64_t last)
{
	size_t kept = 0, count = issuer->unseen_count;

	for (size_t i = 0; i < count; i++) {
		struct unseen u = issuer->unseen[i], rest = u;

		if (u.level != level || u.va > last || u.last < va) {
			issuer->unseen[kept++] = u;
			continue;
		}
		if (u.last > last) {
			rest.va = last + 1;
			rest.desc += rest.va - u.va;
			/* At the end, where this loop does not come; moved down below. */
			if (pgtsim_checker_room(c, (void **)&issuer->unseen, issuer->unseen_count,
						&issuer->unseen_room, sizeof(rest)))
				issuer->unseen[issuer->unseen_count++] = rest;
		}
		if (u.va < va) {
			u.last = va - 1;
			issuer->unseen[kept++] = u;
		}
	}
	for (size_t i = count; i < issuer->unseen_count; i++)
		issuer->unseen[kept++] = issuer->unseen[i];
	issuer->unseen_count = kept;
}

void pgtsim_visible_take_out(struct checker *c, int level, uint64_t va, uint64_t last)
{
	for (unsigned i = 0; i < c->issuer_count; i++)
		if (c->issuers[i].unseen_count)
			take_out(c, &c->issuers[i], level, va, last);
}

void pgtsim_visible_see(struct checker *c, struct issuer *issuer, unsigned does)
{
	const bool ets2 = c->features.ets2;
	const unsigned seen = BARRIER_SHOWS_ALL | (ets2 ? 0 : BARRIER_SYNCS);
	const bool syncs = does & BARRIER_SYNCS;
	size_t kept = 0, count = issuer->unseen_count;

	/* With FEAT_ETS2 it orders the store and whatever tells others of it, too. */
	if (does & BARRIER_IS_DMB && ets2)
		does |= BARRIER_SHOWS_OWN | BARRIER_SHOWS_ALL;
	does &= ~(unsigned)BARRIER_SYNCS;
	for (size_t i = 0; i < count; i++) {
		struct unseen *u = &issuer->unseen[i];

		u->after |= does;
		if (syncs && u->after & BARRIER_SHOWS_OWN)
			u->after |= BARRIER_SYNCS;
		if ((u->after & seen) == seen)
			continue;
		if (kept < i)
			issuer->unseen[kept] = *u;
		kept++;
	}
	issuer->unseen_count = kept;
}

void pgtsim_visible_report(struct checker *c, uint64_t va, uint64_t last, unsigned cpu)
{
	struct issuer *issuer = &c->issuers[cpu];
	size_t kept = 0;

	for (size_t i = 0; i < issuer->unseen_count; i++) {
		/* An entry that covers more may be of another operation, under way. */
		if (issuer->unseen[i].va >= va && issuer->unseen[i].last <= last)
			pgtsim_report_not_visible(c, &issuer->unseen[i], cpu);
		else
			issuer->unseen[kept++] = issuer->unseen[i];
	}
	issuer->unseen_count = kept;
}

bool pgtsim_may_not_be_seen(const struct pgtsim_tlb *tlb, uint64_t va, unsigned cpu)
{
	if (!tlb)
		return false;

	const struct checker *c = tlb->checker ? checker_of(tlb->checker) : NULL;

	for (unsigned i = 0; c && i < c->issuer_count; i++)
		for (size_t j = 0; j < c->issuers[i].unseen_count; j++) {
			const struct unseen *u = &c->issuers[i].unseen[j];

			if (va < u->va || va > u->last)
				continue;
			if (i != cpu ? !(u->after & BARRIER_SHOWS_ALL) :
				       !c->features.ets2 && !(u->after & BARRIER_SYNCS))
				return true;
		}
	return false;
}

/* ---- publication ---- */

void pgtsim_visible_store(struct checker *c, unsigned cpu, uint64_t pa)
{
	struct issuer *issuer = &c->issuers[cpu];

	if (issuer->unordered_count && issuer->unordered[issuer->unordered_count - 1] == pa)
		return;
	if (pgtsim_checker_room(c, (void **)&issuer->unordered, issuer->unordered_count,
				&issuer->unordered_room, sizeof(pa)))
		issuer->unordered[issuer->unordered_count++] = pa;
}

/* Takes a table's stores out of a CPU's list. Returns whether there were any. */
static bool take_stores(struct issuer *issuer, uint64_t pa, uint64_t last)
{
	size_t kept = 0, count = issuer->unordered_count;

	if (!count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (issuer->unordered[i] < pa || issuer->unordered[i] > last)
			issuer->unordered[kept++] = issuer->unordered[i];
	issuer->unordered_count = kept;
	return kept < count;
}

void pgtsim_visible_freed(struct checker *c, uint64_t pa, uint64_t last)
{
	for (unsigned cpu = 0; cpu < c->issuer_count; cpu++)
		take_stores(&c->issuers[cpu], pa, last);
}

void pgtsim_visible_link(struct checker *c, const struct pgtsim_event *event)
{
	uint64_t pa = pgtsim_address(c->geo, event->level, event->new_desc);

	for (unsigned cpu = 0; cpu < c->issuer_count; cpu++)
		if (take_stores(&c->issuers[cpu], pa, pa + (pgtsim_page_size(c->geo) - 1)))
			pgtsim_report_unpublished(c, event, pa, cpu);
}

void pgtsim_visible_detach(struct checker *c, const struct pgtsim_event *event)
{
	uint64_t pa = pgtsim_address(c->geo, event->level, event->old_desc);
	uint64_t last = checker_last_of(c, event);
	int level = event->level + 1;

	for (const struct stale *run = pgtsim_stale_level(c, level, event->va, last); run;
	     run = run->hit)
		if (run->seen != SEEN && !run->ordered)
			pgtsim_visible_store(c, run->cpu, pa);
	for (unsigned cpu = 0; cpu < c->issuer_count; cpu++)
		for (size_t i = 0; i < c->issuers[cpu].unseen_count; i++) {
			const struct unseen *u = &c->issuers[cpu].unseen[i];

			if (u->level == level && u->va <= last && u->last >= event->va &&
			    !(u->after & (BARRIER_SHOWS_ALL | BARRIER_IS_DMB)))
				pgtsim_visible_store(c, cpu, pa);
		}
}
