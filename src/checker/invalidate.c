/* SPDX-License-Identifier: MIT */
/* invalidate: what an invalidate removes, once a DSB has completed it; and what it does not. */
#include "reports.h"
#include "rules.h"

/* ---- what can cache a value again ---- */

/* A search for what can cache a run's values again, when an invalidate comes. */
struct source {
	const struct checker *c;
	const struct stale *run;
	bool leaves; /* the invalidate removes no table entry above */
};

/* Whether a leaf with the hint at `start` gives the run's values to the rest of its group. */
static bool computes(const struct source *s, uint64_t start, uint64_t desc)
{
	return desc + (s->run->by_va.start - start) == s->run->desc;
}

static bool is_live_source(struct pgtsim_range *node, void *ctx)
{
	const struct live *live = (const struct live *)(void *)node;

	return computes(ctx, node->start, live->desc);
}

static bool is_stale_source(struct pgtsim_range *node, void *ctx)
{
	const struct source *s = ctx;
	const struct stale *run = checker_stale_of(node);

	return !run->walk && run->desc & PGTSIM_DESC_CONT &&
	       (checker_seen(run) != SEEN ||
		(run->orphan && pgtsim_rules_table_above(s->c, run, !s->leaves))) &&
	       computes(s, node->start, run->desc);
}

struct part {
	uint64_t va, last;
};

/* Makes `part` smaller, or gives it the part of the run that a found range concerns. */
static bool earlier(const struct pgtsim_range *found, uint64_t mask, const struct part *run,
		    struct part *part)
{
	uint64_t va, last;

	if (!found)
		return false;
	va = found->start & ~mask;
	last = found->last | mask;
	if (va < run->va)
		va = run->va;
	if (last > run->last)
		last = run->last;
	if (part->va <= va && part->va <= part->last)
		return false;
	*part = (struct part){ va, last };
	return true;
}

/*
 * The first part of [va, last] of a run whose values can be cached again although an invalidate
 * removes them. Returns why, or WHY_NONE if there is no such part.
 */
static uint8_t again(const struct checker *c, const struct stale *run, const struct part *all,
		     bool leaves, struct part *part)
{
	struct source s = { c, run, leaves };
	uint64_t mask = checker_group_mask(c, run->level), none = 0;
	unsigned slot = pgtsim_slot(run->level);
	uint8_t why = WHY_NONE;

	*part = (struct part){ 1, 0 };
	if (run->orphan && earlier(pgtsim_rules_table_above(c, run, !leaves), none, all, part))
		why = WHY_LEAVES;
	if (run->walk || pgtsim_cont_entries(c->geo, run->level) == 1)
		return why;
	/* Others of its group give what the tables allow now, but through a stale table entry. */
	if (run->attrs && !pgtsim_rules_table_above(c, run, !leaves))
		return why;
	if (earlier(pgtsim_ranges_find(&c->hinted[slot], all->va & ~mask, all->last | mask,
				       is_live_source, &s),
		    mask, all, part))
		why = WHY_HINT;
	if (earlier(pgtsim_ranges_find(&c->stale[slot], all->va & ~mask, all->last | mask,
				       is_stale_source, &s),
		    mask, all, part))
		why = WHY_HINT;
	return why;
}

/* ---- invalidates ---- */

/* An invalidate: what it covers, and of what. */
struct covers {
	uint64_t va, last;
	unsigned cpu;
	uint8_t scope;
	bool leaves;
	int level; /* the only one, by its hint; ANY_LEVEL */
};

enum { ANY_LEVEL = PGTSIM_PGD - 1 };

/* The level that a hint names: Arm ARM D8.17, TTL. Encodings without a meaning are no hint. */
static int hinted_level(const struct checker *c, uint8_t ttl, bool *foreign)
{
	int level = ttl & 3;
	unsigned granule = ttl >> 2 & 3; /* 1: 4K, 2: 16K, 3: 64K */
	bool lpa2 = c->geo->oa == PGTSIM_OA_LPA2;

	*foreign = granule && c->geo->page_shift != 10 + 2 * granule;
	if (!granule || (!level && (granule != 1 || !lpa2)) ||
	    (granule == 2 && level == 1 && !lpa2))
		return ANY_LEVEL;
	return level;
}

/* Notes an invalidate that removes a run once a DSB has completed it. */
static void note_pending(struct checker *c, struct stale *run, const struct covers *covers)
{
	if (covers->cpu >= CPUS_IN_MASK && !run->far)
		run->far = covers->cpu;
	if (covers->scope == PGTSIM_SCOPE_IOMMU && run->iommu != 2 && checker_seen(run) == SEEN) {
		run->iommu = 1;
		run->iommu_by |= pgtsim_stale_cpu(run, covers->cpu);
	} else if (covers->scope == PGTSIM_SCOPE_IOMMU)
		return;
	else if (covers->scope == PGTSIM_SCOPE_LOCAL || checker_seen(run) == SEEN_BY_OWN) {
		run->local |= pgtsim_stale_cpu(run, covers->cpu);
		run->why = covers->scope == PGTSIM_SCOPE_LOCAL ? WHY_LOCAL : WHY_NSH;
	} else
		run->pending |= pgtsim_stale_cpu(run, covers->cpu);
	pgtsim_stale_settle(c, run);
}

/* Why an invalidate has no effect on a run, whatever else may be cached; WHY_NONE if it has. */
static uint8_t in_vain(const struct stale *run, const struct covers *covers)
{
	if (covers->level != ANY_LEVEL && covers->level != run->level)
		return WHY_LEVEL;
	if (covers->leaves && run->walk)
		return WHY_LEAVES;
	if (checker_seen(run) == UNSEEN ||
	    (checker_seen(run) == SEEN_BY_OWN && covers->cpu != run->cpu))
		return WHY_EARLY;
	return WHY_NONE;
}

/* Notes an invalidate for the part of a run that cannot be cached again at once. */
static void cover_run(struct checker *c, struct stale *run, const struct covers *covers)
{
	while (run) {
		struct part all = { run->by_va.start, run->by_va.last }, part;
		bool leaves = covers->leaves || covers->level != ANY_LEVEL;
		uint8_t why = again(c, run, &all, leaves, &part);
		struct stale *rest;

		if (!why) {
			note_pending(c, run, covers);
			return;
		}
		if (part.va > all.va) {
			rest = pgtsim_stale_split(c, run, part.va);
			if (rest)
				note_pending(c, run, covers);
			run = rest;
			continue;
		}
		rest = part.last < all.last ? pgtsim_stale_split(c, run, part.last + 1) : NULL;
		run->why = why;
		run = rest;
	}
}

static void cover_part(struct checker *c, struct stale *run, const struct covers *covers)
{
	uint8_t why = in_vain(run, covers);

	if (why && (run->pending || run->local))
		return;
	run = pgtsim_stale_cut(c, run, covers->va, covers->last);
	if (run && why)
		run->why = why;
	else
		cover_run(c, run, covers);
}

static void cover(struct checker *c, const struct covers *covers)
{
	struct stale *run = c->only, *next;

	if (run) {
		if (run->by_va.start <= covers->last && run->by_va.last >= covers->va)
			cover_part(c, run, covers);
		return;
	}
	run = pgtsim_stale_todo(pgtsim_stale_all(c, covers->va, covers->last));
	for (; run; run = next) {
		next = run->todo;
		cover_part(c, run, covers);
	}
}

/* The last address of `bytes` from va on; a loop past the end of the address space stops there. */
static uint64_t end_of(uint64_t va, uint64_t bytes)
{
	return va + (bytes - 1) < va ? UINT64_MAX : va + (bytes - 1);
}

/* `count` invalidates by VA, `size` bytes apart: more than a page if each is for a block. */
static void cover_each(struct checker *c, const struct pgtsim_event *event, struct covers *covers)
{
	uint64_t va = event->va;

	if (event->size <= pgtsim_page_size(c->geo) || event->count == 1) {
		covers->va = va;
		covers->last = end_of(va, (event->count - 1) * event->size + 1);
		cover(c, covers);
		return;
	}
	for (uint64_t i = 0; i < event->count && c->runs; i++, va += event->size) {
		if (va < event->va)
			break;
		covers->va = covers->last = va;
		cover(c, covers);
	}
}

/* Where a range operation really begins: with LPA2 its operand has no bits below 16. */
static uint64_t range_base(struct checker *c, const struct pgtsim_event *event)
{
	const uint64_t low = 0xffff;

	if (c->geo->oa != PGTSIM_OA_LPA2 || !(event->va & low))
		return event->va;
	pgtsim_report_misaligned_range(c, event);
	return event->va & ~low;
}

/* On CPUs that need it twice, the second invalidate may be of any address. */
static void repeat(struct checker *c, const struct pgtsim_event *event)
{
	for (struct stale *run = c->open; run; run = run->next) {
		uint64_t bit = pgtsim_stale_cpu(run, event->cpu);

		/* No other CPU waits for a local one. */
		if (event->scope != PGTSIM_SCOPE_LOCAL)
			run->pending |= run->once & bit;
		run->local |= run->local_once & bit;
	}
}

void pgtsim_rules_invalidate(struct checker *c, const struct pgtsim_event *event)
{
	bool range = event->op == PGTSIM_OP_TLBI_RANGE || event->op == PGTSIM_OP_TLBI_RANGE_WALK;
	uint64_t base = range ? range_base(c, event) : event->va;
	struct covers covers = {
		.va = base,
		.last = end_of(base, event->size),
		.cpu = event->cpu,
		.scope = event->scope,
		.leaves = event->op == PGTSIM_OP_TLBI_LEAF || event->op == PGTSIM_OP_TLBI_RANGE,
		.level = ANY_LEVEL,
	};
	bool foreign = false;

	if (!c->runs)
		return;
	if (c->features.repeat_tlbi && event->scope != PGTSIM_SCOPE_IOMMU)
		repeat(c, event);
	if (event->op == PGTSIM_OP_TLBI_ALL) {
		covers.va = 0;
		covers.last = UINT64_MAX;
		cover(c, &covers);
		return;
	}
	covers.level = hinted_level(c, event->ttl, &foreign);
	if (foreign)
		covers.level = PGTSIM_PTE + 1;
	if (range)
		cover(c, &covers);
	else
		cover_each(c, event, &covers);
}

/* ---- leaves that are cleared and invalidated one by one ---- */

/*
 * One contiguous group's part of a run of leaves with the hint. As each is invalidated alone, all
 * before the last can be cached again through those not yet cleared.
 */
static void flush_group(struct checker *c, const struct pgtsim_event *event, uint64_t va,
			uint64_t last)
{
	uint64_t size = checker_entry_size(c, event->level),
		 mask = checker_group_mask(c, event->level);
	const struct pgtsim_range_map *map = &c->hinted[pgtsim_slot(event->level)];
	const struct stale_value old = {
		.level = (int8_t)event->level,
		.desc = event->old_desc + (va - event->va),
		.since = c->now,
		.by = c->by,
		.cpu = event->cpu,
		.why = WHY_HINT,
	};
	uint64_t count = (last - va + 1) / size - 1;

	/* As long as the group goes on the invalidates have removed none of it. */
	if (count && !pgtsim_live_bytes(map, va & ~mask, va | mask))
		pgtsim_stale_add(c, &old, va, count);
}

static void flush_groups(struct checker *c, const struct pgtsim_event *event)
{
	uint64_t mask = checker_group_mask(c, event->level), last = checker_last_of(c, event);

	for (uint64_t va = event->va, end;; va = end + 1) {
		end = (va | mask) < last ? va | mask : last;
		flush_group(c, event, va, end);
		if (end == last)
			break;
	}
}

/* DSB ISHST, an invalidate for each leaf, DSB ISH: twice where CPUs need it and the kernel knows. */
static void invalidate_each(struct checker *c, const struct pgtsim_event *event)
{
	const struct pgtsim_event leaves = {
		.op = PGTSIM_OP_TLBI_LEAF,
		.level = PGTSIM_PTE,
		.va = event->va,
		.count = event->count,
		.size = event->size,
		.cpu = event->cpu,
	};
	unsigned times = c->tlb->repeat_tlbi ? 2 : 1;

	pgtsim_rules_barrier(c, PGTSIM_OP_DSB_ISHST, event->cpu);
	while (times--) {
		pgtsim_rules_invalidate(c, &leaves);
		pgtsim_rules_barrier(c, PGTSIM_OP_DSB_ISH, event->cpu);
	}
	pgtsim_rules_barrier(c, PGTSIM_OP_ISB, event->cpu);
}

void pgtsim_rules_flush_each(struct checker *c, const struct pgtsim_event *event)
{
	bool hint = checker_is_hinted(c, event->level, event->old_desc);

	pgtsim_rules_store(c, event);
	invalidate_each(c, event);
	if (hint)
		flush_groups(c, event);
}
