/* SPDX-License-Identifier: MIT */
#include "stale.h"

/* ---- stores ---- */

/* Entries that are stale already, with another old value than they get now. */
static void note_several(struct pgtsim_cached *c, struct record *r, struct part part, uint64_t desc)
{
	uint64_t size = pgtsim_entry_size(c->geo, r->level);

	if (r->link && !r->bits && (part.lo >= r->hi || part.hi <= r->lo))
		return;
	for (unsigned i = part.lo; r->link && i < part.hi; i++)
		if (is_stale(c, r, i) && old_of(c, r, i) != desc + (i - part.lo) * size)
			pgtsim_record_set_rare(c, r, SEVERAL, i, i + 1);
}

/* Keeps what the entries held, `desc` the first. */
static bool remember(struct pgtsim_cached *c, struct record *r, struct part part, uint64_t desc)
{
	uint64_t size = pgtsim_entry_size(c->geo, r->level);
	uint64_t base = desc - part.lo * size;

	if (!r->link)
		r->base = base;
	else if (!r->old && r->base != base && !pgtsim_record_expand_old(c, r))
		return false;
	if (r->old)
		for (unsigned i = part.lo; i < part.hi; i++)
			r->old[i] = base + i * size;
	return true;
}

static void widen(struct pgtsim_cached *c, struct record *r, struct part part, uint64_t desc)
{
	uint64_t pa = pgtsim_desc_address(c->geo, r->level, desc);
	uint64_t bytes = (part.hi - part.lo) * pgtsim_entry_size(c->geo, r->level);

	if (!r->link || pa < r->pa)
		r->pa = pa;
	if (!r->link || pa + (bytes - 1) > r->pa_last)
		r->pa_last = pa + (bytes - 1);
}

/* Whether the part only makes the record's interval longer. */
static bool extends(const struct record *r, struct part part, bool walk)
{
	return !r->bits &&
	       (!r->link || (r->state == UNSYNCED && r->hi == part.lo && r->walk == walk));
}

static void mark_bits(struct pgtsim_cached *c, struct record *r, struct part part, bool walk,
		      bool unsynced)
{
	if (!pgtsim_record_expand(c, r))
		return;
	for (unsigned w = part.lo / 64; r->level < PGTSIM_PTE && w * 64 < part.hi; w++) {
		uint64_t all = pgtsim_bits_word(w, part.lo, part.hi);

		plane(c, r, WALK)[w] &= ~all | plane(c, r, STALE)[w];
		plane(c, r, WALK)[w] |= walk ? all : 0;
	}
	pgtsim_bits_set(plane(c, r, STALE), part.lo, part.hi);
	if (unsynced)
		pgtsim_bits_set(plane(c, r, UNSYNCED), part.lo, part.hi);
	pgtsim_bits_clear(plane(c, r, PENDING), part.lo, part.hi);
	rare_clear(c, r, TOLD, part.lo, part.hi);
}

void pgtsim_stale_mark(struct pgtsim_cached *c, struct record *r, struct part part, uint64_t desc,
		       bool unsynced)
{
	bool walk = pgtsim_desc_is_table(r->level, desc);

	note_several(c, r, part, desc);
	if (!remember(c, r, part, desc))
		return;
	widen(c, r, part, desc);
	if (!r->link) {
		r->since = c->now;
		r->by = c->by;
		r->why = 0;
	}
	if (unsynced && extends(r, part, walk)) {
		if (!r->link)
			r->lo = part.lo;
		r->hi = part.hi;
		r->state = UNSYNCED;
		r->walk = walk;
	} else {
		if (!r->link && !r->bits)
			r->lo = r->hi = 0;
		mark_bits(c, r, part, walk, unsynced);
	}
	pgtsim_record_enlist(c, r, unsynced || r->fresh);
}

void pgtsim_stale_store(struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	struct part run = run_of(c, event);
	struct record *r = pgtsim_record_of(c, event->level, event->va);

	if (!r)
		return;
	pgtsim_stale_mark(c, r, run, event->old_desc, true);
	if (r->bits)
		pgtsim_bits_clear(plane(c, r, LIVE), run.lo, run.hi);
}

/* ---- barriers ---- */

/* The stores so far are seen: nothing is walked any more that they took away. */
static void sync_record(struct pgtsim_cached *c, struct record *r)
{
	if (!r->bits) {
		if (r->state == UNSYNCED)
			r->state = STALE;
		return;
	}
	for (unsigned w = 0; w < words_of(c, r); w++) {
		plane(c, r, HINTED)[w] = plane(c, r, LIVE)[w];
		plane(c, r, UNSYNCED)[w] = 0;
	}
}

static bool is_pending(const struct pgtsim_cached *c, const struct record *r)
{
	return r->bits ? pgtsim_bits_any(plane(c, r, PENDING), 0, entries_of(c, r)) :
			 r->state == PENDING;
}

void pgtsim_stale_sync(struct pgtsim_cached *c)
{
	for (struct record *r = c->fresh, *next; r; r = next) {
		next = r->next;
		sync_record(c, r);
		if (!is_pending(c, r))
			pgtsim_record_enlist(c, r, false);
	}
}

/* Whether a walk cache may hold a table entry on the way to `level`, `unsynced` or any. */
static bool cached_above(const struct pgtsim_cached *c, int level, uint64_t va, bool unsynced)
{
	while (--level >= pgtsim_root_level(c->geo)) {
		const struct record *r = find(c, level, va);
		unsigned i = pgtsim_index(c->geo, level, va);

		if (!r || !is_stale(c, r, i))
			continue;
		if (r->bits ? pgtsim_bit(plane(c, r, WALK), i) &&
				      (!unsynced || pgtsim_bit(plane(c, r, UNSYNCED), i)) :
			      r->walk && (!unsynced || r->state == UNSYNCED))
			return true;
	}
	return false;
}

/* Whether something of the record is still out of reach but for walk caches; forgets the rest. */
static bool shed(struct pgtsim_cached *c, struct record *r)
{
	for (unsigned i = 0; i < entries_of(c, r); i++)
		if (rare_bit(c, r, ORPHAN, i) && !cached_above(c, r->level, va_of(c, r, i), false))
			rare_clear(c, r, ORPHAN, i, i + 1);
	return pgtsim_record_has_orphans(c, r);
}

static void shed_orphans(struct pgtsim_cached *c)
{
	if (!c->orphans)
		return;
	c->orphans = false;
	for (size_t i = 0; i < (size_t)1 << c->bucket_bits; i++)
		for (struct record *r = c->buckets[i], *next; r; r = next) {
			next = r->chain;
			if (!r->rare)
				continue;
			c->orphans |= shed(c, r);
			if (!r->link)
				pgtsim_record_settle(c, r);
		}
}

void pgtsim_stale_complete(struct pgtsim_cached *c)
{
	for (struct record *r = c->fresh, *next; r; r = next) {
		next = r->next;
		sync_record(c, r);
		if (is_pending(c, r))
			c->context = true;
		if (r->bits) {
			for (unsigned w = 0; w < words_of(c, r); w++)
				remove_word(c, r, w, plane(c, r, PENDING)[w]);
			pgtsim_record_settle(c, r);
		} else if (r->state == PENDING) {
			pgtsim_record_drop(c, r);
		} else {
			pgtsim_record_enlist(c, r, false);
		}
	}
	shed_orphans(c);
}

/* ---- invalidates ---- */

/*
 * The entries of a word that their contiguous group can bring back. One that has the hint itself
 * is what the group makes of it, so none of its old values.
 */
static uint64_t hinted_word(const struct pgtsim_cached *c, const struct record *r, unsigned w)
{
	unsigned group = pgtsim_cont_entries(c->geo, r->level);
	uint64_t all = 0;

	if (group == 1)
		return 0;
	for (unsigned lo = w * 64; lo < w * 64 + 64; lo += group < 64 ? group : 64)
		if (hinted(c, r, lo, lo + 1))
			all |= pgtsim_bits_word(w, lo, lo + group);
	return all & ~plane(c, r, LIVE)[w];
}

/*
 * Of these entries those that may be cached again from a table out of reach: an invalidate for
 * leaves does not touch the walk cache that leads there, and a walk may fill it again.
 */
static uint64_t orphans_word(const struct pgtsim_cached *c, const struct record *r, unsigned w,
			     uint64_t entries, bool leaves_only)
{
	uint64_t again = 0;

	if (!r->rare || !(entries & rare(c, r, ORPHAN)[w]))
		return 0;
	for (unsigned i = w * 64; i < w * 64 + 64 && i < entries_of(c, r); i++)
		if (rare_bit(c, r, ORPHAN, i) &&
		    cached_above(c, r->level, va_of(c, r, i), !leaves_only))
			again |= UINT64_C(1) << i % 64;
	return again & entries;
}

static void invalidate_word(struct pgtsim_cached *c, struct record *r, unsigned w, uint64_t entries,
			    bool leaves_only)
{
	uint64_t stale = plane(c, r, STALE)[w] & entries;
	uint64_t unsynced = stale & plane(c, r, UNSYNCED)[w];
	uint64_t kind = 0, again;

	if (!stale)
		return;
	if (leaves_only && r->level < PGTSIM_PTE)
		kind = stale & plane(c, r, WALK)[w];
	kind |= orphans_word(c, r, w, stale, leaves_only);
	again = stale & ~unsynced & ~kind & hinted_word(c, r, w);
	r->why |= (unsynced ? WHY_EARLY : 0) | (kind ? WHY_KIND : 0) | (again ? WHY_HINT : 0);
	plane(c, r, PENDING)[w] |= stale & ~unsynced & ~kind & ~again;
}

static void invalidate_bits(struct pgtsim_cached *c, struct record *r, struct part part,
			    bool leaves_only)
{
	for (unsigned w = part.lo / 64; w * 64 < part.hi; w++)
		invalidate_word(c, r, w, pgtsim_bits_word(w, part.lo, part.hi), leaves_only);
	pgtsim_record_enlist(c, r, true);
}

static void invalidate(struct pgtsim_cached *c, struct record *r, uint64_t va, uint64_t last,
		       bool leaves_only)
{
	struct part part = part_in(c, r, va, last);

	if (part.lo >= part.hi || (!r->bits && (part.hi <= r->lo || part.lo >= r->hi)))
		return;
	if (r->bits || (r->state == STALE && (part.lo > r->lo || part.hi < r->hi))) {
		if (pgtsim_record_expand(c, r))
			invalidate_bits(c, r, part, leaves_only);
	} else if (r->state == UNSYNCED) {
		r->why |= WHY_EARLY;
	} else if (leaves_only && r->walk) {
		r->why |= WHY_KIND;
	} else {
		r->state = PENDING;
		pgtsim_record_enlist(c, r, true);
	}
}

static void invalidate_leaves(struct pgtsim_cached *c, struct record *r, uint64_t va, uint64_t last)
{
	invalidate(c, r, va, last, true);
}

static void invalidate_walks(struct pgtsim_cached *c, struct record *r, uint64_t va, uint64_t last)
{
	invalidate(c, r, va, last, false);
}

/* `count` invalidates by VA, `size` bytes apart: more than a page if each is for a block. */
static void invalidate_each(struct pgtsim_cached *c, const struct pgtsim_event *event,
			    visit_fn *visit)
{
	uint64_t va = event->va;

	if (event->size <= pgtsim_page_size(c->geo)) {
		pgtsim_records_visit(c, va, va + (event->count - 1) * event->size, visit);
		return;
	}
	for (uint64_t i = 0; i < event->count && (c->fresh || c->settled); i++, va += event->size)
		pgtsim_records_visit(c, va, va, visit);
}

void pgtsim_stale_invalidate_all(struct pgtsim_cached *c)
{
	pgtsim_records_visit(c, pgtsim_va_start(c->geo), UINT64_MAX, invalidate_walks);
}

void pgtsim_stale_invalidate(struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	if (event->op == PGTSIM_OP_TLBI_ALL)
		pgtsim_stale_invalidate_all(c);
	else if (event->op == PGTSIM_OP_TLBI_RANGE)
		pgtsim_records_visit(c, event->va, event->va + (event->size - 1),
				     invalidate_leaves);
	else
		invalidate_each(c, event,
				event->op == PGTSIM_OP_TLBI_WALK ? invalidate_walks :
								   invalidate_leaves);
}

/* ---- leaves that are cleared and invalidated one by one ---- */

/*
 * One contiguous group's part of a run. As each entry is invalidated alone, all before the last
 * can be cached again through those not yet cleared, and the last too if the group goes on.
 */
static void flush_group(struct pgtsim_cached *c, struct record *r, struct part part, uint64_t desc)
{
	pgtsim_bits_clear(plane(c, r, HINTED), part.lo, part.hi);
	pgtsim_bits_clear(plane(c, r, LIVE), part.lo, part.hi);
	if (!hinted(c, r, part.lo, part.hi))
		part.hi--;
	if (part.lo == part.hi)
		return;
	pgtsim_stale_mark(c, r, part, desc, false);
	r->why |= WHY_HINT;
}

static void flush_groups(struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	unsigned group = pgtsim_cont_entries(c->geo, event->level);
	uint64_t size = pgtsim_entry_size(c->geo, event->level);
	struct record *r = pgtsim_record_of(c, event->level, event->va);
	struct part run = run_of(c, event), part = run;

	if (!r || !pgtsim_record_expand(c, r))
		return;
	for (; part.lo < run.hi; part.lo = part.hi) {
		part.hi = (part.lo | (group - 1)) + 1;
		if (part.hi > run.hi)
			part.hi = run.hi;
		flush_group(c, r, part, event->old_desc + (part.lo - run.lo) * size);
	}
	pgtsim_record_settle(c, r);
}

/* Leaves that go while a table out of reach holds the same value: a walk may still find it. */
static void mark_orphans(struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	struct record *r = find(c, event->level, event->va);
	struct part run = run_of(c, event);

	for (unsigned i = run.lo; r && i < run.hi; i++)
		if (rare_bit(c, r, ORPHAN, i))
			pgtsim_stale_mark(c, r, (struct part){ i, i + 1 },
					  event->old_desc + (i - run.lo) * event->size, false);
}

void pgtsim_stale_flush(struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	pgtsim_stale_sync(c);
	if (c->orphans)
		mark_orphans(c, event);
	invalidate_each(c, event, invalidate_leaves);
	pgtsim_stale_complete(c);
	if (is_hinted(c, event->level, event->old_desc))
		flush_groups(c, event);
	c->context = false;
}
