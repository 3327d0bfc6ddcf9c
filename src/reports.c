/* SPDX-License-Identifier: MIT */
#include "reports.h"

#include "cached.h"
#include "span.h"

/* ---- new entries ---- */

void pgtsim_tell_made(struct pgtsim_cached *c, const struct pgtsim_event *event,
		      enum pgtsim_violation_name name, uint64_t va, uint64_t old)
{
	pgtsim_tlb_violation(c->tlb, name, va, event->level,
			     "0x%016llx is written while 0x%016llx may still be cached",
			     (unsigned long long)event->new_desc, (unsigned long long)old);
}

void pgtsim_tell_joined(struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	pgtsim_tlb_violation(c->tlb, PGTSIM_V_OVERLAPPING_SIZES, event->va, event->level,
			     "0x%016llx is written in a contiguous group that may be cached "
			     "whole",
			     (unsigned long long)event->new_desc);
}

void pgtsim_tell_changed(struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	pgtsim_tlb_violation(c->tlb, PGTSIM_V_NO_BREAK, event->va, event->level,
			     "0x%016llx is changed to 0x%016llx in place",
			     (unsigned long long)event->old_desc,
			     (unsigned long long)event->new_desc);
}

/* ---- memory that goes ---- */

/* The first stale leaf that maps part of what the event frees. */
static void tell_freed(struct pgtsim_cached *c, struct record *r, uint64_t pa, uint64_t pa_last)
{
	uint64_t size = pgtsim_entry_size(c->geo, r->level);
	struct part part = { 0, entries_of(c, r) };
	unsigned index;

	if (pa > r->pa_last || pa_last < r->pa)
		return;
	for (; pgtsim_record_first_leaf(c, r, part, &index); part.lo = index + 1) {
		uint64_t desc = old_of(c, r, index);
		uint64_t from = pgtsim_desc_address(c->geo, r->level, desc);

		if (from > pa_last || from + (size - 1) < pa)
			continue;
		pgtsim_tlb_violation(c->tlb, PGTSIM_V_FREED_WHILE_CACHED, r->va + index * size,
				     r->level,
				     "PA 0x%llx is freed; 0x%016llx, cleared by event %llu, may "
				     "still be cached",
				     (unsigned long long)pa, (unsigned long long)desc,
				     (unsigned long long)r->since);
		return;
	}
}

void pgtsim_tell_pages_freed(struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	uint64_t last = event->pa + (event->count << c->geo->page_shift) - 1;

	pgtsim_records_visit_list(c, c->fresh, event->pa, last, tell_freed);
	pgtsim_records_visit_list(c, c->settled, event->pa, last, tell_freed);
}

void pgtsim_tell_table_freed(struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	int level = event->level - 1;
	struct record *r;
	unsigned i;

	if (level < pgtsim_root_level(c->geo))
		return;
	r = find(c, level, event->va);
	i = pgtsim_index(c->geo, level, event->va);
	if (!r || !r->link || !pgtsim_record_expand(c, r) || !pgtsim_bit(plane(c, r, STALE), i) ||
	    !pgtsim_bit(plane(c, r, WALK), i) ||
	    pgtsim_desc_address(c->geo, level, old_of(c, r, i)) != event->pa)
		return;
	pgtsim_tlb_violation(c->tlb, PGTSIM_V_TABLE_FREED_WHILE_CACHED, event->va, level,
			     "the table at PA 0x%llx is freed; 0x%016llx, cleared by event %llu, "
			     "may still be in a walk cache%s",
			     (unsigned long long)event->pa, (unsigned long long)old_of(c, r, i),
			     (unsigned long long)r->since,
			     r->why & WHY_KIND ? ": the invalidate was for leaves only" : "");
}

/* ---- stale entries of a range ---- */

/* What is wrong with a stale entry, and in which words. */
static enum pgtsim_violation_name reason(const struct pgtsim_cached *c, const struct record *r,
					 unsigned i, const char **why)
{
	if (r->why & WHY_EARLY) {
		*why = "no DSB ISHST between the store and the invalidate";
		return PGTSIM_V_MISSING_BARRIER;
	}
	if (pgtsim_bit(plane(c, r, PENDING), i)) {
		*why = "no DSB ISH after the invalidate";
		return PGTSIM_V_MISSING_BARRIER;
	}
	if (r->why & WHY_KIND) {
		*why = "the invalidate was for leaves, and a table went";
		return PGTSIM_V_WRONG_INVALIDATE;
	}
	*why = "no invalidate covers it";
	if (r->why & WHY_HINT)
		*why = "its contiguous group could still be walked when it was invalidated";
	return r->level < PGTSIM_PTE && pgtsim_bit(plane(c, r, WALK), i) ? PGTSIM_V_STALE_TABLE :
									   PGTSIM_V_STALE_LEAF;
}

/* Entries alike from i on: stale, not told, one old value growing from entry to entry. */
static unsigned alike(const struct pgtsim_cached *c, const struct record *r, unsigned i,
		      unsigned hi)
{
	uint64_t size = pgtsim_entry_size(c->geo, r->level);
	unsigned n = 1;

	while (i + n < hi && pgtsim_bit(plane(c, r, STALE), i + n) &&
	       !rare_bit(c, r, TOLD, i + n) &&
	       pgtsim_bit(plane(c, r, UNSYNCED), i + n) == pgtsim_bit(plane(c, r, UNSYNCED), i) &&
	       pgtsim_bit(plane(c, r, PENDING), i + n) == pgtsim_bit(plane(c, r, PENDING), i) &&
	       old_of(c, r, i + n) == old_of(c, r, i) + n * size)
		n++;
	return n;
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
	default:
		return "hand";
	}
}

static void tell_stale(struct pgtsim_cached *c, struct record *r, uint64_t va, uint64_t last)
{
	struct part part = part_in(c, r, va, last);
	uint64_t size = pgtsim_entry_size(c->geo, r->level);

	if (part.lo >= part.hi || !pgtsim_record_expand(c, r))
		return;
	for (unsigned i = part.lo, n; i < part.hi; i += n) {
		enum pgtsim_violation_name name;
		const char *why;

		n = 1;
		if (!pgtsim_bit(plane(c, r, STALE), i) || rare_bit(c, r, TOLD, i))
			continue;
		n = alike(c, r, i, part.hi);
		name = reason(c, r, i, &why);
		pgtsim_tlb_violation(c->tlb, name, r->va + i * size, r->level,
				     "%u entries from here on, 0x%016llx the first, "
				     "gone by %s at event %llu: %s",
				     n, (unsigned long long)old_of(c, r, i), operation(r->by),
				     (unsigned long long)r->since, why);
		pgtsim_record_set_rare(c, r, TOLD, i, i + n);
	}
}

void pgtsim_cached_report(struct pgtsim_cached *c, uint64_t va, uint64_t last)
{
	pgtsim_span_spill(c);
	pgtsim_records_visit(c, va, last, tell_stale);
	if (c->lost)
		pgtsim_tlb_violation(c->tlb, PGTSIM_V_UNCHECKED, va, PGTSIM_PTE,
				     "no host memory for what may be cached");
	c->lost = false;
	if (c->context)
		pgtsim_tlb_violation(c->tlb, PGTSIM_V_MISSING_BARRIER, va, PGTSIM_PTE,
				     "no ISB after the invalidates were complete");
	c->context = false;
}

/* ---- for whoever looks in ---- */

bool pgtsim_may_be_stale(const struct pgtsim_tlb *tlb, uint64_t va, struct pgtsim_stale *out)
{
	struct pgtsim_cached *c = tlb->cached;

	if (!c || va < pgtsim_va_start(c->geo))
		return false;
	pgtsim_span_spill(c);
	for (int level = PGTSIM_PTE; level >= pgtsim_root_level(c->geo); level--) {
		const struct record *r = find(c, level, va);
		unsigned i = pgtsim_index(c->geo, level, va);

		if (!r || !is_stale(c, r, i))
			continue;
		*out = (struct pgtsim_stale){
			.level = level,
			.va = va_of(c, r, i),
			.desc = old_of(c, r, i),
			.since = r->since,
		};
		return true;
	}
	return false;
}

/* The stale run of a record that begins at i. */
static struct pgtsim_stale_run stale_run(const struct pgtsim_cached *c, const struct record *r,
					 unsigned i)
{
	uint64_t size = pgtsim_entry_size(c->geo, r->level);
	struct pgtsim_stale_run run = {
		.level = r->level,
		.va = va_of(c, r, i),
		.count = 1,
		.desc = old_of(c, r, i),
		.walk = is_walk(c, r, i),
	};

	if (!r->bits && !r->old) {
		run.count = r->hi - i;
		return run;
	}
	for (unsigned j = i + 1;
	     j < entries_of(c, r) && is_stale(c, r, j) && is_walk(c, r, j) == run.walk &&
	     old_of(c, r, j) == run.desc + run.count * size;
	     j++)
		run.count++;
	return run;
}

static void visit_stale_runs(const struct pgtsim_cached *c, const struct record *r,
			     void (*see)(void *, const struct pgtsim_stale_run *), void *ctx)
{
	unsigned end = r->bits ? entries_of(c, r) : r->hi;

	for (unsigned i = r->bits ? 0 : r->lo; i < end;) {
		struct pgtsim_stale_run run = { .count = 1 };

		if (is_stale(c, r, i)) {
			run = stale_run(c, r, i);
			see(ctx, &run);
		}
		i += (unsigned)run.count;
	}
}

void pgtsim_stale_visit(const struct pgtsim_tlb *tlb,
			void (*see)(void *, const struct pgtsim_stale_run *), void *ctx)
{
	struct pgtsim_cached *c = tlb->cached;

	if (c)
		pgtsim_span_spill(c);
	for (const struct record *r = c ? c->fresh : NULL; r; r = r->next)
		visit_stale_runs(c, r, see, ctx);
	for (const struct record *r = c ? c->settled : NULL; r; r = r->next)
		visit_stale_runs(c, r, see, ctx);
}
