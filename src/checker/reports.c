/* SPDX-License-Identifier: MIT */
#include "reports.h"

#include <stdarg.h>
#include <stdio.h>

#include <pgtsim/format.h>

#include "bbm.h"
#include "groups.h"
#include "visible.h"

typedef unsigned long long ull;

/* An entry as people know it. */
static ull shown(const struct checker *c, int level, uint64_t desc)
{
	return pgtsim_desc_to_raw(c->geo, level, desc);
}

static const char *ies(uint64_t count)
{
	return count == 1 ? "y" : "ies";
}

static const char *the_first(uint64_t count)
{
	return count == 1 ? "" : " the first";
}

/* ---- new entries ---- */

void pgtsim_report_made(struct checker *c, const struct pgtsim_event *event,
			enum pgtsim_violation_name name, uint64_t va, const struct stale *run)
{
	bool broken = name == PGTSIM_V_NO_BREAK;
	uint64_t *at = broken ? &c->broken_at : &c->overlapped_at;

	/* One of a kind for each event; one that needs a break overlaps besides. */
	if (*at == c->now || (c->broken_at == c->now && !broken && event->op == PGTSIM_OP_POKE))
		return;
	*at = c->now;
	pgtsim_tlb_violation(c->tlb, name, va, event->level,
			     "0x%016llx is written while 0x%016llx, gone from the tables at event "
			     "%llu, may still be cached",
			     shown(c, event->level, event->new_desc),
			     shown(c, run->level, checker_old_at(c, run, run->by_va.start)),
			     (ull)run->since);
}

void pgtsim_report_joined(struct checker *c, const struct pgtsim_event *event)
{
	pgtsim_tlb_violation(c->tlb, PGTSIM_V_OVERLAPPING_SIZES, event->va, event->level,
			     "0x%016llx is written in a contiguous group that may be cached "
			     "whole",
			     shown(c, event->level, event->new_desc));
}

void pgtsim_report_changed(struct checker *c, const struct pgtsim_event *event)
{
	c->broken_at = c->now;
	pgtsim_tlb_violation(c->tlb, PGTSIM_V_NO_BREAK, event->va, event->level,
			     "0x%016llx is changed to 0x%016llx in place",
			     shown(c, event->level, event->old_desc),
			     shown(c, event->level, event->new_desc));
}

static const char *operation(uint8_t op)
{
	switch (op) {
	case PGTSIM_OP_BEGIN_MAP:
		return "map";
	case PGTSIM_OP_BEGIN_POPULATE:
		return "populate";
	case PGTSIM_OP_BEGIN_PASS_1:
		return "pass 1";
	case PGTSIM_OP_BEGIN_PASS_2:
		return "pass 2";
	case PGTSIM_OP_POKE:
		return "a store by hand";
	default:
		return "a store";
	}
}

void pgtsim_report_not_visible(struct checker *c, const struct unseen *u, unsigned cpu)
{
	uint64_t count = (u->last - u->va + 1) >> c->geo->shift[pgtsim_slot(u->level)];
	const char *missing = "no DSB ISHST";

	if (u->after & BARRIER_SHOWS_ALL)
		missing = "no ISB after its DSB";
	else if (u->after & BARRIER_SHOWS_OWN)
		missing = "DSB NSH alone, which other CPUs' walks do not mind";
	pgtsim_tlb_violation(
		c->tlb, PGTSIM_V_NOT_VISIBLE, u->va, u->level,
		"%llu entr%s, 0x%016llx%s, written by %s at event %llu: CPU %u has issued %s since",
		(ull)count, ies(count), shown(c, u->level, u->desc), the_first(count),
		operation(u->by), (ull)u->event, cpu, missing);
}

/* ---- remarks ---- */

/* Keeps the first of each weakness, and counts them. */
static void remark(struct checker *c, enum pgtsim_violation_name name,
		   enum pgtsim_weakness_name weakness, const struct pgtsim_event *event)
{
	const struct pgtsim_weakness *w = &pgtsim_weaknesses()[weakness];
	struct pgtsim_remark *r = c->remarks;

	c->learning = NULL;
	pgtsim_tlb_remark(c->tlb, weakness);
	while (r < c->remarks + c->remark_count && r->name != name)
		r++;
	if (r->count++)
		return;
	c->remark_count++;
	r->name = name;
	r->va = event->va;
	r->level = event->level;
	snprintf(r->text, sizeof(r->text), "%s: %s", c->policy->profile, w->text);
}

void pgtsim_report_remarks(struct checker *c)
{
	for (size_t i = 0; i < c->remark_count; i++) {
		struct pgtsim_remark *r = &c->remarks[i];

		pgtsim_tlb_violation(c->tlb, r->name, r->va, r->level, "%llu times: %s",
				     (ull)r->count, r->text);
		*r = (struct pgtsim_remark){ 0 };
	}
	c->remark_count = 0;
}

void pgtsim_report_unpublished(struct checker *c, const struct pgtsim_event *event, uint64_t pa,
			       unsigned cpu)
{
	if (c->tlb->quiet)
		return;
	if (event->flags & PGTSIM_EACH_KNOWN && !c->strict)
		remark(c, PGTSIM_V_UNPUBLISHED_TABLE, PGTSIM_W_UNPUBLISHED_TABLE, event);
	else
		pgtsim_tlb_violation(c->tlb, PGTSIM_V_UNPUBLISHED_TABLE, event->va, event->level,
				     "the table at PA 0x%llx is linked, but a walk may read it as "
				     "it was before the stores of CPU %u, its zeroes included",
				     (ull)pa, cpu);
}

/* ---- memory that goes ---- */

static void report_freed(struct checker *c, struct stale *run, uint64_t pa, uint64_t last)
{
	uint64_t from = pa > run->by_pa.start ? pa - run->by_pa.start : 0;
	uint64_t to = last < run->by_pa.last ? last - run->by_pa.start :
					       run->by_pa.last - run->by_pa.start;

	if (run->freed || run->asleep)
		return;
	if (!run->walk)
		run = pgtsim_stale_cut(c, run, run->by_va.start + from, run->by_va.start + to);
	if (!run)
		return;
	run->freed = true;
	if (run->walk)
		pgtsim_tlb_violation(
			c->tlb, PGTSIM_V_TABLE_FREED_WHILE_CACHED, run->by_va.start, run->level,
			"the table at PA 0x%llx is freed; 0x%016llx, gone from the "
			"tables at event %llu, may still be in a walk cache%s",
			(ull)run->by_pa.start, shown(c, run->level, run->desc), (ull)run->since,
			run->why == WHY_LEAVES ? ": the invalidate was for leaves only" : "");
	else
		pgtsim_tlb_violation(c->tlb, PGTSIM_V_FREED_WHILE_CACHED, run->by_va.start,
				     run->level,
				     "PA 0x%llx is freed; 0x%016llx, gone from the tables at event "
				     "%llu, may still be cached",
				     (ull)(pa > run->by_pa.start ? pa : run->by_pa.start),
				     shown(c, run->level, run->desc), (ull)run->since);
}

void pgtsim_report_freed(struct checker *c, uint64_t pa, uint64_t last)
{
	struct stale *run = pgtsim_stale_todo(pgtsim_stale_by_pa(c, pa, last)), *next;

	for (; run; run = next) {
		next = run->todo;
		report_freed(c, run, pa, last);
	}
}

/* ---- events ---- */

void pgtsim_report_misaligned_range(struct checker *c, const struct pgtsim_event *event)
{
	pgtsim_tlb_violation(c->tlb, PGTSIM_V_MISALIGNED_RANGE, event->va, PGTSIM_PTE,
			     "the operand holds no bits below 16 of the base: it covers 0x%llx "
			     "bytes from 0x%016llx on",
			     (ull)event->size, (ull)(event->va & ~UINT64_C(0xffff)));
}

/* ---- stale entries of a range ---- */

/* How a reason is named, for leaves and for tables, and what it says. */
struct reason {
	enum pgtsim_violation_name leaf, table;
	const char *text;
};

static const struct reason reasons[] = {
	[WHY_NONE] = { PGTSIM_V_STALE_LEAF, PGTSIM_V_STALE_TABLE,
		       "and no invalidate has covered them since" },
	[WHY_EARLY] = { PGTSIM_V_MISSING_BARRIER, PGTSIM_V_MISSING_BARRIER,
			"but no DSB of the CPU that stored came between that and the invalidate" },
	[WHY_HINT] = { PGTSIM_V_STALE_LEAF, PGTSIM_V_STALE_TABLE,
		       "but other entries of their contiguous group were valid when the "
		       "invalidate ran: a walk can cache them again" },
	[WHY_LEAVES] = { PGTSIM_V_WRONG_INVALIDATE, PGTSIM_V_WRONG_INVALIDATE,
			 "but the invalidate was for leaves: a walk cache still leads there" },
	[WHY_LEVEL] = { PGTSIM_V_WRONG_INVALIDATE, PGTSIM_V_WRONG_INVALIDATE,
			"but the level hint of the invalidate was for another level" },
	[WHY_LOCAL] = { PGTSIM_V_STALE_LEAF, PGTSIM_V_STALE_TABLE,
			"but the invalidate was local: the other CPUs still hold them" },
	[WHY_NSH] = { PGTSIM_V_STALE_LEAF, PGTSIM_V_STALE_TABLE,
		      "but the DSB before the invalidate was NSH: the walks of other CPUs could "
		      "still cache them" },
	[WHY_ONCE] = { PGTSIM_V_WRONG_INVALIDATE, PGTSIM_V_WRONG_INVALIDATE,
		       "but these CPUs need invalidate and DSB twice, and it was once" },
	[WHY_CPUS_ONLY] = { PGTSIM_V_STALE_LEAF, PGTSIM_V_STALE_TABLE,
			    "but an IOMMU walks these tables, too, and hears no CPU's invalidate" },
};

/* Sizes that changed in place, at level 2 of FEAT_BBM: both may be cached. */
static const struct reason lingers = {
	PGTSIM_V_OVERLAPPING_SIZES,
	PGTSIM_V_OVERLAPPING_SIZES,
	"and may be cached beside those of another size: no invalidate has covered them",
};

static const struct reason not_complete = {
	PGTSIM_V_MISSING_BARRIER,
	PGTSIM_V_MISSING_BARRIER,
	"but no DSB ISH of the CPU that invalidated them came after",
};

static const char *what_happened(const struct stale *run)
{
	if (run->attrs)
		return "cached with what tables above them allowed until";
	if (run->gap)
		return "of a group in which others lost the hint by";
	return "gone by";
}

/* What is wrong with a run; NULL if nothing is. */
static const struct reason *reason_of(const struct checker *c, const struct stale *run)
{
	if (run->told)
		return NULL;
	if (run->harmless)
		return run->resized && checker_bbm_level(c) == 2 && !run->walk ? &lingers : NULL;
	return run->pending || run->local || run->iommu == 1 ? &not_complete : &reasons[run->why];
}

/* Runs that follow one another, and for which the same is to be said: told as one. */
struct group {
	const struct reason *reason;
	struct stale first; /* a copy */
	uint64_t last, count;
};

static bool joins(const struct group *g, const struct stale *run, const struct reason *reason)
{
	const struct stale *first = &g->first;

	return g->reason == reason && first->level == run->level && first->walk == run->walk &&
	       g->last + 1 == run->by_va.start && first->by == run->by &&
	       first->attrs == run->attrs && first->gap == run->gap &&
	       first->desc + (run->by_va.start - first->by_va.start) == run->desc;
}

static void report_group(struct checker *c, const struct group *g)
{
	const struct stale *first = &g->first;

	if (g->reason)
		pgtsim_tlb_violation(c->tlb, first->walk ? g->reason->table : g->reason->leaf,
				     first->by_va.start, first->level,
				     "%llu entr%s, 0x%016llx%s, %s %s at event %llu, %s",
				     (ull)g->count, ies(g->count),
				     shown(c, first->level, first->desc), the_first(g->count),
				     what_happened(first), operation(first->by), (ull)first->since,
				     g->reason->text);
}

/* Whether an operation of a CPU, or of any, answers for a run: one that another left may be under way. */
static bool answers_for(const struct stale *run, unsigned cpu)
{
	return cpu == PGTSIM_ANY_CPU || run->cpu == cpu || run->also & pgtsim_stale_cpu(run, cpu);
}

static void report_stale(struct checker *c, uint64_t va, uint64_t last, unsigned cpu)
{
	struct stale *run = pgtsim_stale_todo(pgtsim_stale_all(c, va, last)), *next;
	struct group group = { 0 };

	for (; run; run = next) {
		const struct reason *reason = reason_of(c, run);

		next = run->todo;
		if (!reason || !answers_for(run, cpu))
			continue;
		run = pgtsim_stale_cut(c, run, va, last);
		if (!run)
			continue;
		run->told = true;
		if (!joins(&group, run, reason)) {
			report_group(c, &group);
			group = (struct group){ .reason = reason, .first = *run };
		}
		group.last = run->by_va.last;
		group.count += run->count;
	}
	report_group(c, &group);
}

/* Takes what an operation on [va, last] left without ISB out of a CPU's list; the first in *first. */
static bool take_unsynced(struct issuer *issuer, uint64_t va, uint64_t last, struct unsynced *first)
{
	size_t kept = 0, count = issuer->context ? issuer->unsynced_count : 0;
	bool any = false;

	for (size_t i = 0; i < count; i++) {
		const struct unsynced u = issuer->unsynced[i];

		if (u.va > last || u.last < va) {
			issuer->unsynced[kept++] = u;
			continue;
		}
		if (!any || u.va < first->va)
			*first = u;
		any = true;
	}
	issuer->unsynced_count = kept;
	issuer->context = kept;
	return any;
}

static void report_missing_isb(struct checker *c, uint64_t va, uint64_t last, unsigned cpu)
{
	struct unsynced first = { 0 };

	if (take_unsynced(&c->issuers[cpu], va, last, &first))
		pgtsim_tlb_violation(c->tlb, PGTSIM_V_MISSING_BARRIER, first.va, first.level,
				     "no ISB of CPU %u after its DSB at event %llu completed the "
				     "invalidate",
				     cpu, (ull)first.event);
}

void pgtsim_report_end(struct checker *c, uint64_t va, uint64_t last, unsigned cpu)
{
	if (c->runs)
		report_stale(c, va, last, cpu);
	pgtsim_groups_report(c, va, last);
	if (c->lost)
		pgtsim_tlb_violation(c->tlb, PGTSIM_V_UNCHECKED, va, PGTSIM_PTE,
				     "no host memory for what may be cached");
	c->lost = false;
	for (unsigned i = 0; i < c->issuer_count; i++) {
		if (cpu != PGTSIM_ANY_CPU && cpu != i)
			continue;
		pgtsim_visible_report(c, va, last, i);
		report_missing_isb(c, va, last, i);
	}
}
