/* SPDX-License-Identifier: MIT */
#include "checker.h"

#include <errno.h>
#include <string.h>

#include "bbm.h"
#include "reports.h"
#include "rules.h"
#include "visible.h"

enum { CPUS_MAX = 4096 };

/* ---- events of a caller's making ---- */

/* Of entries of one table. */
static const char *wrong_entries(const struct checker *c, const struct pgtsim_event *event)
{
	if (event->level < pgtsim_root_level(c->geo) || event->level > PGTSIM_PTE)
		return "level is none of this geometry";
	if (!pgtsim_va_inside(c->geo, event->va))
		return "va is not in the region of these tables";
	if (!event->count)
		return "count is 0";
	if (event->count >
	    pgtsim_entries(c->geo, event->level) - pgtsim_index(c->geo, event->level, event->va))
		return "count goes beyond the end of the table";
	if (event->va & (checker_entry_size(c, event->level) - 1))
		return "va is not where an entry begins";
	return NULL;
}

static const char *checker_wrong(const struct pgtsim_checker *self,
				 const struct pgtsim_event *event)
{
	const struct checker *c = checker_of(self);

	if (event->cpu >= CPUS_MAX)
		return "cpu is too large";
	switch (event->op) {
	case PGTSIM_OP_MAP:
	case PGTSIM_OP_CLEAR:
	case PGTSIM_OP_LINK:
	case PGTSIM_OP_UNLINK:
	case PGTSIM_OP_POKE:
		return wrong_entries(c, event);
	default:
		return NULL;
	}
}

/* ---- events ---- */

/* DSB ISHST and ISB after each entry of a run. */
static void sync_each(struct checker *c, const struct pgtsim_event *event)
{
	pgtsim_rules_barrier(c, PGTSIM_OP_DSB_ISHST, event->cpu);
	pgtsim_rules_barrier(c, PGTSIM_OP_ISB, event->cpu);
}

/* ---- memory that is freed before the leaf that maps it goes ---- */

/*
 * Memory is mapped anew, or the operation is over. That it is allocated again is no reason: the old
 * leaf still maps what is now somebody else's.
 */
static void forget_freed(struct checker *c, uint64_t pa, uint64_t last)
{
	if (c->freed.root)
		pgtsim_live_remove(c, &c->freed, pa, last);
}

/* True if this was told of when the memory was freed, or there is no room to tell more. */
static bool is_told(const struct checker *c, uint64_t va)
{
	size_t count;
	const struct pgtsim_violation *v = pgtsim_violations(c->tlb, &count);

	for (size_t i = 0; i < count; i++)
		if (v[i].name == PGTSIM_V_FREED_WHILE_MAPPED && v[i].va == va)
			return true;
	return count < c->tlb->counts.violations;
}

/* Leaves go, `pa` the first one's address: reports those whose memory was freed before. */
static void were_mapped(struct checker *c, const struct pgtsim_event *event, uint64_t pa)
{
	uint64_t size = checker_entry_size(c, event->level), last = pa + (event->count * size - 1);

	if (!c->freed.root || pgtsim_desc_is_table(event->level, event->old_desc))
		return;
	for (const struct live *freed = pgtsim_live_in(&c->freed, pa, last); freed;
	     freed = freed->next) {
		uint64_t from = freed->by_va.start > pa ? freed->by_va.start - pa : 0;
		uint64_t to = freed->by_va.last < last ? freed->by_va.last - pa : last - pa;

		for (uint64_t at = from & ~(size - 1); at <= to; at += size)
			if (!is_told(c, event->va + at))
				pgtsim_tlb_violation(
					c->tlb, PGTSIM_V_FREED_WHILE_MAPPED, event->va + at,
					event->level, "PFN 0x%llx",
					(unsigned long long)((pa + at) >> c->geo->page_shift));
	}
}

/* Leaves come, `pa` the first one's address: that it was freed is not their matter. */
static void are_mapped(struct checker *c, const struct pgtsim_event *event, uint64_t pa)
{
	uint64_t bytes = event->count * checker_entry_size(c, event->level);

	if (event->new_desc & PGTSIM_DESC_VALID)
		forget_freed(c, pa, pa + (bytes - 1));
}

static void new_entries(struct checker *c, const struct pgtsim_event *event)
{
	if (event->op == PGTSIM_OP_MAP)
		are_mapped(c, event, event->pa);
	if (pgtsim_bbm_new(c, event))
		pgtsim_visible_new(c, event);
	if (event->flags & PGTSIM_EACH_SYNC)
		sync_each(c, event);
}

static void new_table(struct checker *c, const struct pgtsim_event *event)
{
	pgtsim_visible_link(c, event);
	new_entries(c, event);
}

static void old_entries(struct checker *c, const struct pgtsim_event *event)
{
	if (event->op == PGTSIM_OP_CLEAR)
		were_mapped(c, event, event->pa);
	if (event->flags & PGTSIM_EACH_FLUSH)
		pgtsim_rules_flush_each(c, event);
	else
		pgtsim_rules_store(c, event);
	if (event->flags & PGTSIM_EACH_SYNC)
		sync_each(c, event);
}

static void tables_zeroed(struct checker *c, const struct pgtsim_event *event)
{
	/* s390's CPUs see stores in their order. */
	if (c->geo->format == PGTSIM_FORMAT_S390)
		return;
	for (uint64_t i = 0; i < event->count; i++)
		pgtsim_visible_store(c, event->cpu, event->pa + (i << c->geo->page_shift));
}

static void table_stored(struct checker *c, const struct pgtsim_event *event)
{
	pgtsim_visible_store(c, event->cpu, event->pa & ~(pgtsim_page_size(c->geo) - 1));
}

static void pages_freed(struct checker *c, const struct pgtsim_event *event)
{
	bool table = event->op == PGTSIM_OP_TABLE_FREE;
	uint64_t bytes = table ? pgtsim_table_bytes(c->geo, event->level) :
				 pgtsim_page_size(c->geo);
	uint64_t last = event->pa + (event->count * bytes - 1);

	pgtsim_visible_freed(c, event->pa, last);
	if (c->runs)
		pgtsim_report_freed(c, event->pa, last);
	if (table)
		return;
	forget_freed(c, event->pa, last);
	pgtsim_live_add(c, &c->freed, event->pa, last, event->pa);
}

/* IDTE, in arm64's words: it waits for the stores, invalidates all, and waits for all CPUs. */
static void idte(struct checker *c, const struct pgtsim_event *event)
{
	struct pgtsim_event all = *event;

	all.op = PGTSIM_OP_TLBI_ALL;
	pgtsim_rules_barrier(c, PGTSIM_OP_DSB_ISHST, all.cpu);
	pgtsim_rules_invalidate(c, &all);
	pgtsim_rules_barrier(c, PGTSIM_OP_DSB_ISH, all.cpu);
	pgtsim_rules_barrier(c, PGTSIM_OP_ISB, all.cpu);
}

/* CRDTE, in arm64's words: the entry is cleared, all is invalidated, and the entry is written. */
static void changed_by_hand(struct checker *c, const struct pgtsim_event *event)
{
	struct pgtsim_event part = *event;

	if (pgtsim_rules_cacheable(c, event->level, event->old_desc))
		were_mapped(c, event, pgtsim_address(c->geo, event->level, event->old_desc));
	if (!pgtsim_desc_is_table(event->level, event->new_desc))
		are_mapped(c, event, pgtsim_address(c->geo, event->level, event->new_desc));
	if (!(event->flags & PGTSIM_EACH_REPLACED)) {
		pgtsim_bbm_by_hand(c, event);
		return;
	}
	part.new_desc = 0;
	pgtsim_bbm_by_hand(c, &part);
	idte(c, event);
	part.old_desc = 0;
	part.new_desc = event->new_desc;
	pgtsim_bbm_by_hand(c, &part);
}

static void operation_begins(struct checker *c, const struct pgtsim_event *event)
{
	c->by = (uint8_t)event->op;
	forget_freed(c, 0, UINT64_MAX);
}

/* All but barriers, and what is of no interest here. */
static void (*const judges[PGTSIM_OP_COUNT])(struct checker *, const struct pgtsim_event *) = {
	[PGTSIM_OP_MAP] = new_entries,
	[PGTSIM_OP_LINK] = new_table,
	[PGTSIM_OP_CLEAR] = old_entries,
	[PGTSIM_OP_UNLINK] = old_entries,
	[PGTSIM_OP_POKE] = changed_by_hand,
	[PGTSIM_OP_STORE] = table_stored,
	[PGTSIM_OP_TABLE_ALLOC] = tables_zeroed,
	[PGTSIM_OP_PAGES_FREE] = pages_freed,
	[PGTSIM_OP_ALTMAP_FREE] = pages_freed,
	[PGTSIM_OP_TABLE_FREE] = pages_freed,
	[PGTSIM_OP_TLBI_LEAF] = pgtsim_rules_invalidate,
	[PGTSIM_OP_TLBI_WALK] = pgtsim_rules_invalidate,
	[PGTSIM_OP_TLBI_RANGE] = pgtsim_rules_invalidate,
	[PGTSIM_OP_TLBI_RANGE_WALK] = pgtsim_rules_invalidate,
	[PGTSIM_OP_TLBI_ALL] = pgtsim_rules_invalidate,
	[PGTSIM_OP_IDTE] = idte,
	[PGTSIM_OP_BEGIN_MAP] = operation_begins,
	[PGTSIM_OP_BEGIN_POPULATE] = operation_begins,
	[PGTSIM_OP_BEGIN_PASS_1] = operation_begins,
	[PGTSIM_OP_BEGIN_PASS_2] = operation_begins,
};

static void checker_event(struct pgtsim_checker *self, const struct pgtsim_event *event)
{
	struct checker *c = checker_of(self);

	if (c->ahead && event->op == PGTSIM_OP_POKE) {
		c->ahead = false;
		return;
	}
	c->now += !c->tlb->quiet;
	if (event->cpu >= c->issuer_count && !pgtsim_issuer(c, event->cpu))
		return;
	if (judges[event->op])
		judges[event->op](c, event);
	else
		pgtsim_rules_barrier(c, event->op, event->cpu);
}

/* ---- routines ---- */

/*
 * True if nothing that an event says of a table entry of a level can meet anything: no entry is
 * stale, none is new, no table is written but not published, and no group is cached.
 */
static bool is_at_rest(const struct checker *c, int level)
{
	const struct issuer *issuer = c->issuers;

	return !c->runs && c->issuer_count == 1 && !issuer->unseen_count &&
	       !issuer->unordered_count && !issuer->context &&
	       !c->hinted[pgtsim_slot(level)].root && !c->ahead;
}

static bool checker_begin(struct pgtsim_checker *self, unsigned routine, int level)
{
	struct checker *c = checker_of(self);
	struct routine *r = &c->routines[routine][pgtsim_slot(level)];

	c->learning = NULL;
	if (!is_at_rest(c, level))
		return false;
	if (r->known) {
		c->now += r->events;
		return true;
	}
	c->learning = r;
	c->learning_level = level;
	c->learning_since = c->now;
	c->learning_violations = c->tlb->counts.violations;
	return false;
}

static void checker_done(struct pgtsim_checker *self)
{
	struct checker *c = checker_of(self);
	struct routine *r = c->learning;

	c->learning = NULL;
	if (!r || c->lost || !is_at_rest(c, c->learning_level) ||
	    c->tlb->counts.violations != c->learning_violations)
		return;
	r->known = true;
	r->events = c->now - c->learning_since;
}

/* ---- what pgtable and memory tell besides ---- */

static void checker_poke(struct pgtsim_checker *self, const struct pgtsim_event *event)
{
	checker_of(self)->poked_level = (int8_t)event->level;
	checker_event(self, event);
	checker_of(self)->ahead = true;
}

static void checker_unreachable(struct pgtsim_checker *self, const struct pgtsim_event *event)
{
	pgtsim_rules_unreachable(checker_of(self), event, false);
}

static void checker_reachable(struct pgtsim_checker *self, const struct pgtsim_event *event)
{
	struct checker *c = checker_of(self);

	/* Stores to a table further down are to be seen before this, too. */
	if (pgtsim_desc_is_table(event->level, event->new_desc))
		pgtsim_visible_link(c, event);
	pgtsim_bbm_new(c, event);
	/* A group that a part of was cleared gives that part again. */
	if (checker_is_hinted(c, event->level, event->new_desc))
		pgtsim_rules_gaps(c, event);
}

static void checker_attributes(struct pgtsim_checker *self, const struct pgtsim_event *event)
{
	pgtsim_bbm_attributes(checker_of(self), event);
}

static void checker_end(struct pgtsim_checker *self, uint64_t va, uint64_t last, unsigned cpu)
{
	struct checker *c = checker_of(self);

	pgtsim_report_end(c, va, last, cpu);
	forget_freed(c, 0, UINT64_MAX);
	c->by = PGTSIM_OP_COUNT;
}

static void checker_free(struct pgtsim_checker *self)
{
	pgtsim_stale_free(checker_of(self));
}

/* ---- from outside ---- */

#define NO_CHECKER "the machine has no checker"

int pgtsim_checker_start(struct pgtsim_tlb *tlb, const struct pgtsim_geometry *geo,
			 const struct pgtsim_policy *policy)
{
	struct checker *c;

	if (!tlb || !geo || !policy)
		return -EINVAL;
	if (tlb->checker)
		return pgtsim_fail(tlb, -EEXIST, "there is a checker already");
	c = pgtsim_stale_new();
	if (!c)
		return -ENOBUFS;
	c->base = (struct pgtsim_checker){
		.zero_va = !pgtsim_va_start(geo),
		.wrong = checker_wrong,
		.event = checker_event,
		.poke = checker_poke,
		.unreachable = checker_unreachable,
		.reachable = checker_reachable,
		.attributes = checker_attributes,
		.begin = checker_begin,
		.done = checker_done,
		.end = checker_end,
		.free = checker_free,
	};
	c->tlb = tlb;
	c->geo = geo;
	c->policy = policy;
	tlb->checker = &c->base;
	tlb->checked = true;
	return 0;
}

void pgtsim_checker_stop(struct pgtsim_tlb *tlb)
{
	if (!tlb)
		return;
	if (tlb->checker)
		tlb->checker->free(tlb->checker);
	tlb->checker = NULL;
	tlb->checked = false;
}

int pgtsim_checker_set_cpu(struct pgtsim_tlb *tlb, const struct pgtsim_checker_cpu *cpu)
{
	struct checker *c;

	if (!tlb || !cpu)
		return -EINVAL;
	if (!tlb->checker)
		return pgtsim_fail(tlb, -EINVAL, NO_CHECKER);
	if (cpu->bbm > 3)
		return pgtsim_fail(tlb, -EINVAL,
				   "there are levels 0 to 3 of break-before-make, no %u", cpu->bbm);
	c = checker_of(tlb->checker);
	c->features = *cpu;
	if (cpu->bbm)
		tlb->bbml2 = cpu->bbm == 3;
	memset(c->routines, 0, sizeof(c->routines));
	return 0;
}

int pgtsim_checker_set_strict(struct pgtsim_tlb *tlb, bool strict)
{
	struct checker *c = tlb && tlb->checker ? checker_of(tlb->checker) : NULL;

	if (!c)
		return pgtsim_fail(tlb, -EINVAL, NO_CHECKER);
	c->strict = strict;
	memset(c->routines, 0, sizeof(c->routines));
	if (strict)
		pgtsim_report_remarks(c);
	return 0;
}

const struct pgtsim_remark *pgtsim_remarks(const struct pgtsim_tlb *tlb, size_t *count)
{
	if (!tlb || !count)
		return NULL;

	const struct checker *c = tlb->checker ? checker_of(tlb->checker) : NULL;

	*count = c ? c->remark_count : 0;
	return c ? c->remarks : NULL;
}

uint64_t pgtsim_checker_bytes(const struct pgtsim_tlb *tlb)
{
	if (!tlb)
		return 0;
	return tlb->checker ? checker_of(tlb->checker)->peak : 0;
}
