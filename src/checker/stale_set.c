/* SPDX-License-Identifier: MIT */
#include "stale_set.h"

#include <stdlib.h>
#include <string.h>

/* ---- memory ---- */

void *pgtsim_checker_take(struct checker *c, size_t size)
{
	void *memory = calloc(1, size);

	if (!memory) {
		c->lost = true;
		if (c->tlb)
			c->tlb->host_failed = true;
		return NULL;
	}
	c->bytes += size;
	if (c->bytes > c->peak)
		c->peak = c->bytes;
	return memory;
}

void pgtsim_checker_give(struct checker *c, void *memory, size_t size)
{
	if (memory)
		c->bytes -= size;
	free(memory);
}

bool pgtsim_checker_grow(struct checker *c, void **items, size_t count, size_t *room, size_t size)
{
	size_t more = *room ? 2 * *room : 4;
	void *grown;

	grown = pgtsim_checker_take(c, more * size);
	if (!grown)
		return false;
	if (count)
		memcpy(grown, *items, count * size);
	pgtsim_checker_give(c, *items, *room * size);
	*items = grown;
	*room = more;
	return true;
}

struct issuer *pgtsim_issuer(struct checker *c, unsigned cpu)
{
	struct issuer *issuers;

	if (cpu < c->issuer_count)
		return &c->issuers[cpu];
	issuers = pgtsim_checker_take(c, (cpu + 1) * sizeof(*issuers));
	if (!issuers)
		return NULL;
	if (c->issuer_count)
		memcpy(issuers, c->issuers, c->issuer_count * sizeof(*issuers));
	pgtsim_checker_give(c, c->issuers, c->issuer_count * sizeof(*issuers));
	c->issuers = issuers;
	c->issuer_count = cpu + 1;
	return &issuers[cpu];
}

struct checker *pgtsim_stale_new(void)
{
	struct checker *c = calloc(1, sizeof(*c));

	if (c && pgtsim_issuer(c, 0))
		return c;
	free(c);
	return NULL;
}

static void free_spare(struct checker *c)
{
	while (c->spare) {
		struct stale *run = c->spare;

		c->spare = run->next;
		free(run);
	}
	while (c->spare_live) {
		struct live *live = c->spare_live;

		c->spare_live = live->next;
		free(live);
	}
}

void pgtsim_stale_free(struct checker *c)
{
	uint64_t start = pgtsim_va_start(c->geo);

	for (struct stale *run = pgtsim_stale_all(c, start, UINT64_MAX), *next; run; run = next) {
		next = run->hit;
		pgtsim_stale_drop(c, run);
	}
	for (unsigned slot = 0; slot < PGTSIM_MAX_LEVELS; slot++) {
		pgtsim_live_remove(c, &c->hinted[slot], start, UINT64_MAX);
		pgtsim_live_remove(c, &c->uncached[slot], start, UINT64_MAX);
	}
	pgtsim_live_remove(c, &c->freed, 0, UINT64_MAX);
	free_spare(c);
	for (unsigned i = 0; i < c->issuer_count; i++) {
		free(c->issuers[i].unseen);
		free(c->issuers[i].unordered);
		free(c->issuers[i].unsynced);
	}
	free(c->issuers);
	free(c);
}

/* ---- runs ---- */

static struct pgtsim_range_map *map_of(struct checker *c, int level)
{
	return &c->stale[pgtsim_slot(level)];
}

static struct stale *stale_of_pa(struct pgtsim_range *by_pa)
{
	return (struct stale *)(void *)((char *)by_pa - offsetof(struct stale, by_pa));
}

/* Sets the ends of a run of `count` entries from va on. */
static void set_ends(const struct checker *c, struct stale *run, uint64_t va, uint64_t count)
{
	uint64_t bytes = count * checker_entry_size(c, run->level);
	uint64_t pa = pgtsim_address(c->geo, run->level, run->desc);

	run->count = count;
	run->by_va.start = va;
	run->by_va.last = va + (bytes - 1);
	run->by_pa.start = pa;
	run->by_pa.last =
		pa + ((run->walk ? pgtsim_table_bytes(c->geo, run->level + 1) : bytes) - 1);
}

static void insert(struct checker *c, struct stale *run)
{
	pgtsim_ranges_insert(map_of(c, run->level), &run->by_va);
	pgtsim_ranges_insert(&c->stale_by_pa, &run->by_pa);
	c->only = c->runs++ ? NULL : run;
	c->tables += run->walk;
	c->harmless += run->harmless;
	c->orphans += run->orphan;
}

static struct stale *new_run(struct checker *c)
{
	struct stale *run = c->spare;

	if (run)
		c->spare = run->next;
	else
		run = pgtsim_checker_take(c, sizeof(*run));
	return run;
}

void pgtsim_stale_close(struct stale *run)
{
	*run->link = run->next;
	if (run->next)
		run->next->link = run->link;
	run->link = NULL;
}

void pgtsim_stale_drop(struct checker *c, struct stale *run)
{
	pgtsim_ranges_remove(map_of(c, run->level), &run->by_va);
	pgtsim_ranges_remove(&c->stale_by_pa, &run->by_pa);
	if (run->link)
		pgtsim_stale_close(run);
	c->runs--;
	c->only = NULL;
	c->tables -= run->walk;
	c->harmless -= run->harmless;
	c->orphans -= run->orphan;
	c->partial -= !!run->alike;
	if (c->newest == run)
		c->newest = NULL;
	run->next = c->spare;
	c->spare = run;
}

void pgtsim_stale_orphan(struct checker *c, struct stale *run, bool orphan)
{
	c->orphans += orphan;
	c->orphans -= run->orphan;
	run->orphan = orphan;
}

void pgtsim_stale_harmless(struct checker *c, struct stale *run, bool harmless, bool resized)
{
	c->harmless += harmless;
	c->harmless -= run->harmless;
	run->harmless = harmless;
	run->resized = harmless && resized;
}

void pgtsim_stale_alike(struct checker *c, struct stale *run, uint64_t bytes)
{
	bool all = bytes == checker_entry_size(c, run->level);

	c->partial += !!bytes;
	c->partial -= !!run->alike;
	run->alike = bytes;
	pgtsim_stale_harmless(c, run, all, all);
}

/* Whether the event that an entry of `run` at va would have, as it goes on, is `since`. */
static bool goes_on_at(const struct checker *c, struct stale *run, uint64_t va, uint64_t since)
{
	unsigned slot = pgtsim_slot(run->level), shift = c->geo->shift[slot] + c->geo->bits[slot];
	uint64_t tables = (va >> shift) - (run->by_va.start >> shift);

	if (since == run->since && !run->stepped)
		return true;
	if (pgtsim_index(c->geo, run->level, va) || since != run->since + tables ||
	    (tables > 1 && !run->stepped))
		return false;
	run->stepped = true;
	return true;
}

/* Whether entries from va on only make a run longer. */
static bool extends(const struct checker *c, struct stale *run, const struct stale_value *like,
		    uint64_t va)
{
	return run && run->level == like->level && run->by_va.last + 1 == va && !run->walk &&
	       !like->walk && run->desc + (va - run->by_va.start) == like->desc &&
	       run->seen == like->seen && run->cpu == like->cpu && run->by == like->by &&
	       run->why == like->why && run->above == like->above && run->orphan == like->orphan &&
	       run->attrs == like->attrs && !run->also && !run->unlinked && !run->ordered &&
	       !run->gap && !like->gap && !run->harmless && !run->pending && !run->local &&
	       !run->once && !run->local_once && !run->gone && !run->iommu && !run->told &&
	       !run->freed && !run->alike && goes_on_at(c, run, va, like->since);
}

static void start_run(struct stale *run, const struct stale_value *like)
{
	run->link = NULL;
	run->desc = like->desc;
	run->since = like->since;
	run->above = like->above;
	run->cpu = like->cpu;
	run->level = like->level;
	run->seen = like->seen;
	run->why = like->why;
	run->by = like->by;
	run->walk = like->walk;
	run->orphan = like->orphan;
	run->gap = like->gap;
	run->attrs = like->attrs;
	memset(&run->far, 0, sizeof(*run) - offsetof(struct stale, far));
}

bool pgtsim_stale_extend_newest(struct checker *c, const struct pgtsim_event *event)
{
	struct stale *run = c->newest;
	uint64_t bytes;

	if (run->desc + (event->va - run->by_va.start) != event->old_desc || run->seen != UNSEEN ||
	    run->cpu != event->cpu || run->by != c->by || run->above || run->orphan || run->also ||
	    run->ordered || run->harmless || run->attrs || run->gap || run->told || run->freed ||
	    !goes_on_at(c, run, event->va, c->now))
		return false;
	bytes = event->count * checker_entry_size(c, run->level);
	run->count += event->count;
	pgtsim_ranges_resize(map_of(c, run->level), &run->by_va, run->by_va.last + bytes);
	pgtsim_ranges_resize(&c->stale_by_pa, &run->by_pa, run->by_pa.last + bytes);
	return true;
}

struct stale *pgtsim_stale_add(struct checker *c, const struct stale_value *like, uint64_t va,
			       uint64_t count)
{
	struct stale *run = c->newest;
	uint64_t bytes = count * checker_entry_size(c, like->level);

	if (run && run->by_va.last + 1 == va && extends(c, run, like, va)) {
		run->count += count;
		pgtsim_ranges_resize(map_of(c, run->level), &run->by_va, va + (bytes - 1));
		pgtsim_ranges_resize(&c->stale_by_pa, &run->by_pa, run->by_pa.last + bytes);
		return run;
	}
	run = new_run(c);
	if (!run)
		return NULL;
	start_run(run, like);
	set_ends(c, run, va, count);
	insert(c, run);
	pgtsim_stale_settle(c, run);
	c->newest = run;
	return run;
}

struct stale *pgtsim_stale_split(struct checker *c, struct stale *run, uint64_t va)
{
	uint64_t before = (va - run->by_va.start) >> c->geo->shift[pgtsim_slot(run->level)];
	struct stale *rest = new_run(c);

	if (!rest)
		return NULL;
	*rest = *run;
	rest->link = NULL;
	rest->desc = checker_old_at(c, run, va);
	rest->since = checker_event_of(c, run, va);
	set_ends(c, rest, va, run->count - before);
	run->count = before;
	pgtsim_ranges_resize(map_of(c, run->level), &run->by_va, va - 1);
	pgtsim_ranges_resize(&c->stale_by_pa, &run->by_pa,
			     run->by_pa.start + (va - run->by_va.start - 1));
	insert(c, rest);
	pgtsim_stale_settle(c, rest);
	if (c->newest == run)
		c->newest = NULL;
	return rest;
}

struct stale *pgtsim_stale_cut(struct checker *c, struct stale *run, uint64_t va, uint64_t last)
{
	uint64_t size = checker_entry_size(c, run->level);
	uint64_t first = pgtsim_entry_base(c->geo, run->level, va), end = last | (size - 1);

	if (c->newest == run)
		c->newest = NULL;
	if (first > run->by_va.start)
		run = pgtsim_stale_split(c, run, first);
	if (run && end < run->by_va.last && !pgtsim_stale_split(c, run, end + 1))
		return NULL;
	return run;
}

/* ---- searches ---- */

static bool collect(struct pgtsim_range *node, void *ctx)
{
	struct stale **list = ctx, *run = checker_stale_of(node);

	run->hit = *list;
	*list = run;
	return false;
}

static bool collect_by_pa(struct pgtsim_range *node, void *ctx)
{
	struct stale **list = ctx, *run = stale_of_pa(node);

	run->hit = *list;
	*list = run;
	return false;
}

static struct stale *reverse(struct stale *list)
{
	struct stale *reversed = NULL;

	while (list) {
		struct stale *run = list;

		list = run->hit;
		run->hit = reversed;
		reversed = run;
	}
	return reversed;
}

/* The only run there is, if it touches [va, last]. */
static struct stale *only_in(const struct checker *c, uint64_t va, uint64_t last)
{
	struct stale *run = c->only;

	if (run->by_va.start > last || run->by_va.last < va)
		return NULL;
	run->hit = NULL;
	return run;
}

struct stale *pgtsim_stale_level(const struct checker *c, int level, uint64_t va, uint64_t last)
{
	struct stale *list = NULL;

	if (c->only)
		return c->only->level == level ? only_in(c, va, last) : NULL;
	pgtsim_ranges_find(&c->stale[pgtsim_slot(level)], va, last, collect, &list);
	return reverse(list);
}

struct stale *pgtsim_stale_all(const struct checker *c, uint64_t va, uint64_t last)
{
	struct stale *list = NULL;

	if (c->only)
		return only_in(c, va, last);
	for (int level = pgtsim_root_level(c->geo); c->runs && level <= PGTSIM_PTE; level++)
		if (c->stale[pgtsim_slot(level)].root)
			pgtsim_ranges_find(&c->stale[pgtsim_slot(level)], va, last, collect, &list);
	return list && list->hit ? reverse(list) : list;
}

struct stale *pgtsim_stale_by_pa(const struct checker *c, uint64_t pa, uint64_t last)
{
	struct stale *list = NULL;

	pgtsim_ranges_find(&c->stale_by_pa, pa, last, collect_by_pa, &list);
	return reverse(list);
}

struct stale *pgtsim_stale_todo(struct stale *list)
{
	for (struct stale *run = list; run; run = run->hit)
		run->todo = run->hit;
	return list;
}

/* ---- live entries ---- */

static struct live *live_of(struct pgtsim_range *node)
{
	return (struct live *)(void *)node;
}

static bool collect_live(struct pgtsim_range *node, void *ctx)
{
	struct live **list = ctx;

	live_of(node)->next = *list;
	*list = live_of(node);
	return false;
}

struct live *pgtsim_live_in(const struct pgtsim_range_map *map, uint64_t va, uint64_t last)
{
	struct live *list = NULL;

	pgtsim_ranges_find(map, va, last, collect_live, &list);
	return list;
}

uint64_t pgtsim_live_bytes(const struct pgtsim_range_map *map, uint64_t va, uint64_t last)
{
	uint64_t bytes = 0;

	for (const struct live *live = pgtsim_live_in(map, va, last); live; live = live->next) {
		uint64_t from = live->by_va.start > va ? live->by_va.start : va;
		uint64_t to = live->by_va.last < last ? live->by_va.last : last;

		bytes += to - from + 1;
	}
	return bytes;
}

static void insert_live(struct checker *c, struct pgtsim_range_map *map, uint64_t va, uint64_t last,
			uint64_t desc)
{
	struct live *live = c->spare_live;

	if (live)
		c->spare_live = live->next;
	else
		live = pgtsim_checker_take(c, sizeof(*live));
	if (!live)
		return;
	*live = (struct live){ .desc = desc,
			       .since = c->now,
			       .by_va = { .start = va, .last = last } };
	pgtsim_ranges_insert(map, &live->by_va);
}

void pgtsim_live_add(struct checker *c, struct pgtsim_range_map *map, uint64_t va, uint64_t last,
		     uint64_t desc)
{
	struct live *before = map->root ? pgtsim_live_in(map, va - 1, va - 1) : NULL;

	if (before && before->desc + (va - before->by_va.start) == desc) {
		before->told = false;
		pgtsim_ranges_resize(map, &before->by_va, last);
		return;
	}
	insert_live(c, map, va, last, desc);
}

void pgtsim_live_remove(struct checker *c, struct pgtsim_range_map *map, uint64_t va, uint64_t last)
{
	struct live *live = pgtsim_live_in(map, va, last), *next;

	for (; live; live = next) {
		uint64_t start = live->by_va.start, end = live->by_va.last, desc = live->desc;

		next = live->next;
		pgtsim_ranges_remove(map, &live->by_va);
		live->next = c->spare_live;
		c->spare_live = live;
		if (start < va)
			insert_live(c, map, start, va - 1, desc);
		if (end > last)
			insert_live(c, map, last + 1, end, desc + (last + 1 - start));
	}
}
