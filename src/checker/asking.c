/* SPDX-License-Identifier: MIT */
/* asking: what may be stale, for whoever looks in. */
#include "rules.h"

/* Whether the group of va gives it a translation that its own entry does not; it in *out. */
static bool in_gap(const struct checker *c, int level, uint64_t va, struct pgtsim_stale *out)
{
	const struct pgtsim_range_map *map = &c->hinted[pgtsim_slot(level)];
	uint64_t mask = checker_group_mask(c, level), entry = pgtsim_entry_base(c->geo, level, va);
	const struct live *live = map->root ? pgtsim_live_in(map, va & ~mask, va | mask) : NULL;

	if (!live || pgtsim_live_bytes(map, va, va))
		return false;
	live = pgtsim_live_in(map, va & ~mask, va | mask);
	*out = (struct pgtsim_stale){
		.level = level,
		.va = entry,
		.desc = live->desc + (entry - live->by_va.start),
		.since = live->since,
	};
	return !pgtsim_rules_young_member(c, level, va, out->desc);
}

/* Whether a CPU may hold a run; ANY_CPU: whether any agent may. */
static bool may_hold(const struct stale *run, unsigned cpu)
{
	return cpu == PGTSIM_ANY_CPU ||
	       (!run->cpus_gone && !(run->gone & pgtsim_stale_cpu(run, cpu)));
}

bool pgtsim_may_be_stale_on(const struct pgtsim_tlb *tlb, uint64_t va, unsigned cpu,
			    struct pgtsim_stale *out)
{
	if (!tlb)
		return false;

	const struct checker *c = tlb->checker ? checker_of(tlb->checker) : NULL;

	if (!c || !pgtsim_va_inside(c->geo, va))
		return false;
	for (int level = PGTSIM_PTE; level >= pgtsim_root_level(c->geo); level--) {
		const struct stale *run = pgtsim_stale_level(c, level, va, va), *latest = NULL;

		for (; run; run = run->hit)
			if (!run->harmless && may_hold(run, cpu) &&
			    (!latest ||
			     checker_event_of(c, run, va) > checker_event_of(c, latest, va)))
				latest = run;
		if (!latest && !in_gap(c, level, va, out))
			continue;
		if (latest)
			*out = (struct pgtsim_stale){
				.level = level,
				.va = pgtsim_entry_base(c->geo, level, va),
				.desc = checker_old_at(c, latest, va),
				.since = checker_event_of(c, latest, va),
			};
		return true;
	}
	return false;
}

bool pgtsim_may_be_stale(const struct pgtsim_tlb *tlb, uint64_t va, struct pgtsim_stale *out)
{
	if (!tlb)
		return false;
	return pgtsim_may_be_stale_on(tlb, va, PGTSIM_ANY_CPU, out);
}

typedef void see_fn(void *ctx, const struct pgtsim_stale_run *run);

/* What is shown: runs that follow one another in a table are shown as one. */
struct shown {
	const struct checker *c;
	see_fn *see;
	void *ctx;
	struct pgtsim_stale_run run; /* not shown yet if its count is not 0 */
};

static void show_last(struct shown *shown)
{
	if (shown->run.count)
		shown->see(shown->ctx, &shown->run);
	shown->run.count = 0;
}

static void show(struct shown *shown, const struct pgtsim_stale_run *more)
{
	struct pgtsim_stale_run *run = &shown->run;
	uint64_t bytes = run->count * checker_entry_size(shown->c, more->level);

	if (run->count && run->level == more->level && run->walk == more->walk &&
	    run->va + bytes == more->va && run->desc + bytes == more->desc &&
	    pgtsim_index(shown->c->geo, more->level, more->va)) {
		run->count += more->count;
		return;
	}
	show_last(shown);
	*run = *more;
}

/* Shows a run table by table. */
static void show_tables(struct shown *shown, const struct stale *run)
{
	const struct checker *c = shown->c;
	uint64_t size = checker_entry_size(c, run->level);
	unsigned entries = pgtsim_entries(c->geo, run->level);

	for (uint64_t done = 0, n; done < run->count; done += n) {
		uint64_t va = run->by_va.start + done * size;
		struct pgtsim_stale_run part = { run->level, va, 0, checker_old_at(c, run, va),
						 run->walk };

		n = entries - pgtsim_index(c->geo, run->level, va);
		if (n > run->count - done)
			n = run->count - done;
		part.count = n;
		show(shown, &part);
	}
}

static bool is_harmful(struct pgtsim_range *node, void *ctx)
{
	(void)ctx;
	return !checker_stale_of(node)->harmless;
}

/* Shows what the group at va gives to entries that have no hint. */
static void show_gaps(struct shown *shown, int level, uint64_t group)
{
	const struct checker *c = shown->c;
	uint64_t size = checker_entry_size(c, level), mask = checker_group_mask(c, level);
	struct pgtsim_stale stale;

	for (uint64_t va = group; va - group <= mask; va += size)
		if (in_gap(c, level, va, &stale) &&
		    !pgtsim_ranges_find(&c->stale[pgtsim_slot(level)], va, va, is_harmful, NULL)) {
			const struct pgtsim_stale_run run = { level, va, 1, stale.desc, false };

			show(shown, &run);
		}
}

static void show_level_gaps(struct shown *shown, int level)
{
	const struct checker *c = shown->c;
	const struct pgtsim_range_map *map = &c->hinted[pgtsim_slot(level)];
	uint64_t mask = checker_group_mask(c, level), va = pgtsim_va_start(c->geo);

	/* Each part of the map in turn: its ends may be in the middle of a group. */
	while (map->root) {
		const struct live *live = pgtsim_live_in(map, va, UINT64_MAX), *first = live;
		uint64_t start, last;

		for (; live; live = live->next)
			if (live->by_va.start < first->by_va.start)
				first = live;
		if (!first)
			break;
		start = first->by_va.start & ~mask;
		last = first->by_va.last;
		if (start >= va)
			show_gaps(shown, level, start);
		if ((last & ~mask) > start && (last & ~mask) >= va)
			show_gaps(shown, level, last & ~mask);
		va = (last | mask) + 1;
		if (!va)
			break;
	}
}

void pgtsim_stale_visit(const struct pgtsim_tlb *tlb, see_fn *see, void *ctx)
{
	if (!tlb)
		return;

	const struct checker *c = tlb->checker ? checker_of(tlb->checker) : NULL;
	struct shown shown = { c, see, ctx, { 0 } };

	if (!c)
		return;
	for (const struct stale *run = pgtsim_stale_all(c, 0, UINT64_MAX); run; run = run->hit)
		if (!run->harmless)
			show_tables(&shown, run);
	show_last(&shown);
	for (int level = pgtsim_root_level(c->geo); level <= PGTSIM_PTE; level++)
		if (pgtsim_cont_entries(c->geo, level) > 1)
			show_level_gaps(&shown, level);
	show_last(&shown);
}
