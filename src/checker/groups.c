/* SPDX-License-Identifier: MIT */
#include "groups.h"

#include <pgtsim/format.h>

/* The live leaf with the hint at va, with the access flag or without; NULL if there is none. */
static struct live *hinted_at(const struct checker *c, int level, uint64_t va)
{
	struct live *live = pgtsim_live_in(&c->hinted[pgtsim_slot(level)], va, va);

	if (live)
		return live;
	live = pgtsim_live_in(&c->uncached[pgtsim_slot(level)], va, va);
	return live && !checker_is_illegal(c, level, live->desc) ? live : NULL;
}

/* What members of a group may differ in beside the address: AF, DBM's dirty state, software bits. */
static uint64_t of_the_group(const struct checker *c, uint64_t desc)
{
	uint64_t attributes = pgtsim_rules_attributes(c, desc, 0);

	return desc & PGTSIM_DESC_DBM ? attributes & ~PGTSIM_DESC_AP2 : attributes;
}

enum { GROUP_GOOD, GROUP_PARTIAL, GROUP_MISALIGNED, GROUP_DISAGREES };

/* What is wrong with a group, and how many of its entries have the hint. */
struct verdict {
	int wrong;
	unsigned members;
	bool cached;
	uint64_t first; /* the address of the first one that may be cached */
};

static struct verdict judge_group(const struct checker *c, int level, uint64_t group)
{
	uint64_t size = checker_entry_size(c, level), mask = checker_group_mask(c, level),
		 first_pa = 0, attrs = 0;
	struct verdict v = { 0 };

	for (uint64_t va = group; va - group <= mask; va += size) {
		const struct live *live = hinted_at(c, level, va);
		uint64_t desc = live ? live->desc + (va - live->by_va.start) : 0;
		uint64_t pa = pgtsim_address(c->geo, level, desc) - (va - group);

		if (!live)
			continue;
		if (!v.members++) {
			first_pa = pa;
			attrs = of_the_group(c, desc);
		}
		if (!v.cached && desc & PGTSIM_DESC_AF)
			v.first = va;
		v.cached |= desc & PGTSIM_DESC_AF;
		if (pa != first_pa || of_the_group(c, desc) != attrs)
			v.wrong = GROUP_DISAGREES;
	}
	if (v.wrong == GROUP_GOOD && first_pa & mask)
		v.wrong = GROUP_MISALIGNED;
	if (v.members < (mask + 1) / size)
		v.wrong = GROUP_PARTIAL;
	return v;
}

/* Whether leaves of the group were cleared and may be cached: that is reported as such. */
static bool was_cut(const struct checker *c, int level, uint64_t group)
{
	const struct stale *run =
		pgtsim_stale_level(c, level, group, group | checker_group_mask(c, level));

	while (run && (run->gap || run->harmless || !(run->desc & PGTSIM_DESC_CONT)))
		run = run->hit;
	return run;
}

static void report_group(struct checker *c, int level, const struct live *live, uint64_t group)
{
	struct verdict v = judge_group(c, level, group);

	/* What begins the group tells of it. */
	if (v.first < live->by_va.start || v.wrong == GROUP_GOOD ||
	    (v.wrong == GROUP_PARTIAL && was_cut(c, level, group)))
		return;
	if (v.wrong == GROUP_PARTIAL)
		pgtsim_tlb_violation(c->tlb, PGTSIM_V_MISPROGRAMMED_GROUP, v.first, level,
				     "the hint is set on %u of %u entries of the group only: a "
				     "walk of one gives translations to all",
				     v.members, pgtsim_cont_entries(c->geo, level));
	else
		pgtsim_tlb_violation(c->tlb, PGTSIM_V_MISPROGRAMMED_GROUP, v.first, level, "%s",
				     v.wrong == GROUP_MISALIGNED ?
					     "the output address of the group's first entry is "
					     "not a multiple of the group's size" :
					     "entries of the group disagree in more than their "
					     "place: a walk of one gives its translation to all");
}

static void report_hinted(struct checker *c, int level, struct live *live)
{
	uint64_t mask = checker_group_mask(c, level), start = live->by_va.start,
		 last = live->by_va.last;

	live->told = true;
	report_group(c, level, live, start & ~mask);
	if ((last & ~mask) != (start & ~mask))
		report_group(c, level, live, last & ~mask);
}

static void report_illegal(struct checker *c, int level, struct live *live)
{
	live->told = true;
	if (!checker_is_illegal(c, level, live->desc))
		return;
	pgtsim_tlb_violation(c->tlb, PGTSIM_V_ILLEGAL_DESCRIPTOR, live->by_va.start, level,
			     "0x%016llx: %s",
			     (unsigned long long)pgtsim_desc_to_raw(c->geo, level, live->desc),
			     level == PGTSIM_PTE ? "bits 1:0 are 01, which is reserved" :
						   "there are no blocks at this level");
}

static bool is_untold(struct pgtsim_range *node, void *ctx)
{
	(void)ctx;
	return !((const struct live *)(const void *)node)->told;
}

/* The first of a map that touches [va, last] and was not reported; NULL if there is none. */
static struct live *untold(const struct pgtsim_range_map *map, uint64_t va, uint64_t last)
{
	return (struct live *)(void *)pgtsim_ranges_find(map, va, last, is_untold, NULL);
}

void pgtsim_groups_report(struct checker *c, uint64_t va, uint64_t last)
{
	for (int level = pgtsim_root_level(c->geo); level <= PGTSIM_PTE; level++) {
		unsigned slot = pgtsim_slot(level);
		struct live *live;

		while ((live = untold(&c->hinted[slot], va, last)))
			report_hinted(c, level, live);
		while ((live = untold(&c->uncached[slot], va, last)))
			report_illegal(c, level, live);
	}
}
