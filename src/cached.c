/* SPDX-License-Identifier: MIT */
#include "cached.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <pgtsim/desc.h>

#include "bits.h"

/* Bits of each entry of a record's table. */
enum plane {
	STALE,    /* an old value may be in use */
	UNSYNCED, /* … and be cached again: its store is not yet certain to be seen */
	PENDING,  /* an invalidate has removed it, once that is complete */
	HINTED,   /* a walk may meet the contiguous hint here */
	LIVE,     /* … and the table has it now */
	WALK,     /* an old value is a table: a walk cache holds it */
	PLANES,
};

/* Bits that few records need. */
enum rare_plane {
	TOLD,    /* a violation was noted */
	SEVERAL, /* more than one old value may be in use; the latest is known */
	ORPHAN,  /* a table that only a walk cache leads to holds an old value */
	RARE_PLANES,
};

/* Why entries of a record stayed. */
enum {
	WHY_EARLY = 1, /* an invalidate came before the store was certain to be seen */
	WHY_HINT = 2,  /* … or while a member of the contiguous group could be walked */
	WHY_KIND = 4,  /* … or was for leaves, where a table went */
};

/*
 * One table's stale entries. Most are one interval in one state, and need no bits: then `bits` is
 * NULL, [lo, hi) is STALE, and `state` says what else it is. One without a stale entry is kept
 * for its hints.
 */
struct record {
	struct record *next, **link; /* the list it is in, if it has stale entries */
	struct record *chain;        /* of its bucket */
	uint64_t va;                 /* of entry 0 */
	uint64_t base;               /* the old value of entry 0, were all alike … */
	uint64_t *old;               /* … or that of each entry */
	uint64_t *bits, *rare;
	uint64_t since;       /* the event that made the first one stale */
	uint64_t pa, pa_last; /* bounds of what the stale leaves map */
	uint32_t lo, hi;
	int8_t level;
	uint8_t state; /* UNSYNCED, PENDING or STALE: neither */
	uint8_t why;
	uint8_t by; /* enum pgtsim_op: the operation under way then */
	bool walk;  /* of [lo, hi) */
	bool fresh; /* in the list of those that the next barrier changes */
};

/*
 * What needs no records yet: leaves that went one table after another, each table's by an event of
 * its own, or one table entry. Most of what ever is stale goes this way: a pass clears a range in
 * order, and one invalidate takes all of it; a table is unlinked, flushed and freed. While there is
 * a span no record has stale entries.
 */
struct span {
	uint64_t va, count,
		desc; /* entries from va on; the first one's old value. None: count is 0 */
	uint64_t since, events; /* the first event, and how many */
	int8_t level;
	uint8_t state, by; /* as in a record */
	bool walk;
};

struct pgtsim_cached {
	struct pgtsim_tlb *tlb;
	const struct pgtsim_geometry *geo;
	const struct pgtsim_policy *policy;
	struct record **buckets;
	unsigned bucket_bits;
	size_t records;
	struct record *fresh, *settled; /* those with stale entries */
	size_t settled_count;
	struct record *spare;
	struct span span;
	uint64_t now; /* events so far: the line of a trace */
	uint64_t bytes, peak;
	uint8_t by;
	bool context; /* an invalidate is complete, but this CPU has not had its ISB */
	bool lost;    /* host memory ran out */
	bool orphans; /* some record has some */
	const struct pgtsim_event *event; /* the one under way, for visits */
};

/* ---- records ---- */

static unsigned entries_of(const struct pgtsim_cached *c, const struct record *r)
{
	return pgtsim_entries(c->geo, r->level);
}

static unsigned words_of(const struct pgtsim_cached *c, const struct record *r)
{
	return (entries_of(c, r) + 63) / 64;
}

/* Pages have no tables behind them. */
static unsigned planes_of(const struct record *r)
{
	return r->level == PGTSIM_PTE ? WALK : PLANES;
}

static uint64_t *plane(const struct pgtsim_cached *c, const struct record *r, enum plane p)
{
	return r->bits + p * words_of(c, r);
}

static uint64_t *rare(const struct pgtsim_cached *c, const struct record *r, enum rare_plane p)
{
	return r->rare + p * words_of(c, r);
}

static bool rare_bit(const struct pgtsim_cached *c, const struct record *r, enum rare_plane p,
		     unsigned i)
{
	return r->rare && pgtsim_bit(rare(c, r, p), i);
}

static void rare_clear(const struct pgtsim_cached *c, const struct record *r, enum rare_plane p,
		       unsigned lo, unsigned hi)
{
	if (r->rare)
		pgtsim_bits_clear(rare(c, r, p), lo, hi);
}

static void *take(struct pgtsim_cached *c, size_t size)
{
	void *memory = calloc(1, size);

	if (!memory) {
		c->lost = true;
		return NULL;
	}
	c->bytes += size;
	if (c->bytes > c->peak)
		c->peak = c->bytes;
	return memory;
}

static void give(struct pgtsim_cached *c, void *memory, size_t size)
{
	if (memory)
		c->bytes -= size;
	free(memory);
}

static void rare_set(struct pgtsim_cached *c, struct record *r, enum rare_plane p, unsigned lo,
		     unsigned hi)
{
	if (!r->rare)
		r->rare = take(c, RARE_PLANES * words_of(c, r) * sizeof(*r->rare));
	if (r->rare)
		pgtsim_bits_set(rare(c, r, p), lo, hi);
}

static struct record **bucket(const struct pgtsim_cached *c, int level, uint64_t va)
{
	uint64_t key = (va >> c->geo->shift[pgtsim_slot(level)]) * 8 + (uint64_t)(level + 1);

	return &c->buckets[key * UINT64_C(0x9e3779b97f4a7c15) >> (64 - c->bucket_bits)];
}

/* The address of entry 0 of the table that translates va at this level. */
static uint64_t table_va(const struct pgtsim_cached *c, int level, uint64_t va)
{
	return pgtsim_entry_base(c->geo, level, va) -
	       pgtsim_index(c->geo, level, va) * pgtsim_entry_size(c->geo, level);
}

static struct record *find(const struct pgtsim_cached *c, int level, uint64_t va)
{
	struct record *r;

	if (!c->records)
		return NULL;
	va = table_va(c, level, va);
	r = *bucket(c, level, va);
	while (r && (r->va != va || r->level != level))
		r = r->chain;
	return r;
}

static void unlist(struct pgtsim_cached *c, struct record *r)
{
	if (!r->link)
		return;
	*r->link = r->next;
	if (r->next)
		r->next->link = r->link;
	r->link = NULL;
	if (!r->fresh)
		c->settled_count--;
}

static void enlist(struct pgtsim_cached *c, struct record *r, bool fresh)
{
	struct record **list = fresh ? &c->fresh : &c->settled;

	if (r->link && r->fresh == fresh)
		return;
	unlist(c, r);
	r->fresh = fresh;
	r->next = *list;
	r->link = list;
	if (r->next)
		r->next->link = &r->next;
	*list = r;
	if (!fresh)
		c->settled_count++;
}

static bool grow(struct pgtsim_cached *c)
{
	unsigned bits = c->bucket_bits + 2;
	size_t before = sizeof(*c->buckets) << c->bucket_bits;
	struct record **old = c->buckets, **fresh = take(c, sizeof(*fresh) << bits);

	if (!fresh)
		return false;
	c->buckets = fresh;
	c->bucket_bits = bits;
	for (size_t i = 0; i < before / sizeof(*old); i++) {
		while (old[i]) {
			struct record *r = old[i], **at = bucket(c, r->level, r->va);

			old[i] = r->chain;
			r->chain = *at;
			*at = r;
		}
	}
	give(c, old, before);
	return true;
}

/* The record of a table, made if there is none; NULL (and `lost`) if memory ran out. */
static struct record *record_of(struct pgtsim_cached *c, int level, uint64_t va)
{
	struct record *r = find(c, level, va), **at;

	if (r)
		return r;
	if (c->records >= (size_t)1 << c->bucket_bits && !grow(c))
		return NULL;
	r = c->spare;
	if (r)
		c->spare = r->next;
	else
		r = take(c, sizeof(*r));
	if (!r)
		return NULL;
	*r = (struct record){ .level = (int8_t)level, .va = table_va(c, level, va) };
	at = bucket(c, level, r->va);
	r->chain = *at;
	*at = r;
	c->records++;
	return r;
}

static void drop(struct pgtsim_cached *c, struct record *r)
{
	struct record **at = bucket(c, r->level, r->va);

	while (*at != r)
		at = &(*at)->chain;
	*at = r->chain;
	unlist(c, r);
	give(c, r->bits, planes_of(r) * words_of(c, r) * sizeof(*r->bits));
	give(c, r->rare, RARE_PLANES * words_of(c, r) * sizeof(*r->rare));
	give(c, r->old, entries_of(c, r) * sizeof(*r->old));
	c->records--;
	r->next = c->spare;
	c->spare = r;
}

/* From an interval to bits. Returns false (and `lost`) if memory ran out. */
static bool expand(struct pgtsim_cached *c, struct record *r)
{
	if (r->bits)
		return true;
	r->bits = take(c, planes_of(r) * words_of(c, r) * sizeof(*r->bits));
	if (!r->bits)
		return false;
	pgtsim_bits_set(plane(c, r, STALE), r->lo, r->hi);
	if (r->state != STALE)
		pgtsim_bits_set(plane(c, r, (enum plane)r->state), r->lo, r->hi);
	if (r->walk)
		pgtsim_bits_set(plane(c, r, WALK), r->lo, r->hi);
	return true;
}

/* A run of entries of a record: those of [va, last], as far as they are its own. */
struct part {
	unsigned lo, hi;
};

static struct part part_in(const struct pgtsim_cached *c, const struct record *r, uint64_t va,
			   uint64_t last)
{
	uint64_t end = r->va + (entries_of(c, r) * pgtsim_entry_size(c->geo, r->level) - 1);
	struct part part = { 0, 0 };

	if (va > end || last < r->va)
		return part;
	if (va > r->va)
		part.lo = pgtsim_index(c->geo, r->level, va);
	part.hi = last < end ? pgtsim_index(c->geo, r->level, last) + 1 : entries_of(c, r);
	return part;
}

typedef void visit_fn(struct pgtsim_cached *c, struct record *r, uint64_t va, uint64_t last);

static void visit_list(struct pgtsim_cached *c, struct record *list, uint64_t va, uint64_t last,
		       visit_fn *visit)
{
	for (struct record *r = list, *next; r; r = next) {
		next = r->next;
		visit(c, r, va, last);
	}
}

/* The settled records of a level that have entries in [va, last]. */
static void visit_level(struct pgtsim_cached *c, int level, uint64_t va, uint64_t last,
			visit_fn *visit)
{
	uint64_t span = pgtsim_entries(c->geo, level) * pgtsim_entry_size(c->geo, level);
	uint64_t tables = (last - table_va(c, level, va)) / span;

	if (tables >= c->settled_count) {
		for (struct record *r = c->settled, *next; r; r = next) {
			next = r->next;
			if (r->level == level)
				visit(c, r, va, last);
		}
		return;
	}
	for (uint64_t i = 0; i <= tables; i++) {
		struct record *r = find(c, level, table_va(c, level, va) + i * span);

		if (r && r->link && !r->fresh)
			visit(c, r, va, last);
	}
}

/* Every record with stale entries that may lie in [va, last]; it may change lists meanwhile. */
static void visit_stale(struct pgtsim_cached *c, uint64_t va, uint64_t last, visit_fn *visit)
{
	struct record *fresh = c->fresh;

	if (va < pgtsim_va_start(c->geo))
		va = pgtsim_va_start(c->geo);
	if (last < va)
		return;
	if (va == pgtsim_va_start(c->geo) && last == UINT64_MAX)
		visit_list(c, c->settled, va, last, visit);
	else if (c->settled_count)
		for (int level = pgtsim_root_level(c->geo); level <= PGTSIM_PTE; level++)
			visit_level(c, level, va, last, visit);
	visit_list(c, fresh, va, last, visit);
}

/* ---- stores ---- */

static bool hinted(const struct pgtsim_cached *c, const struct record *r, unsigned lo, unsigned hi)
{
	unsigned group = pgtsim_cont_entries(c->geo, r->level);

	if (!r->bits || group == 1)
		return false;
	return pgtsim_bits_any(plane(c, r, HINTED), lo & ~(group - 1),
			       (hi + group - 1) & ~(group - 1));
}

static uint64_t old_of(const struct pgtsim_cached *c, const struct record *r, unsigned index)
{
	return r->old ? r->old[index] : r->base + index * pgtsim_entry_size(c->geo, r->level);
}

/* Whether entry i is stale. */
static bool is_stale(const struct pgtsim_cached *c, const struct record *r, unsigned i)
{
	if (!r->link)
		return false;
	return r->bits ? pgtsim_bit(plane(c, r, STALE), i) : i >= r->lo && i < r->hi;
}

/* Entries that are stale already, with another old value than they get now. */
static void note_several(struct pgtsim_cached *c, struct record *r, struct part part, uint64_t desc)
{
	uint64_t size = pgtsim_entry_size(c->geo, r->level);

	if (r->link && !r->bits && (part.lo >= r->hi || part.hi <= r->lo))
		return;
	for (unsigned i = part.lo; r->link && i < part.hi; i++)
		if (is_stale(c, r, i) && old_of(c, r, i) != desc + (i - part.lo) * size)
			rare_set(c, r, SEVERAL, i, i + 1);
}

/* Keeps what the entries held, `desc` the first. */
static bool remember(struct pgtsim_cached *c, struct record *r, struct part part, uint64_t desc)
{
	uint64_t size = pgtsim_entry_size(c->geo, r->level);
	uint64_t base = desc - part.lo * size;
	unsigned entries = entries_of(c, r);

	if (!r->link)
		r->base = base;
	else if (!r->old && r->base != base) {
		r->old = take(c, entries * sizeof(*r->old));
		if (!r->old)
			return false;
		for (unsigned i = 0; i < entries; i++)
			r->old[i] = r->base + i * size;
	}
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
	if (!expand(c, r))
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

/* Entries whose old value, `desc` the first, is valid and now goes. */
static void mark(struct pgtsim_cached *c, struct record *r, struct part part, uint64_t desc,
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
	enlist(c, r, unsynced || r->fresh);
}

static struct part run_of(const struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	unsigned lo = pgtsim_index(c->geo, event->level, event->va);

	return (struct part){ lo, lo + (unsigned)event->count };
}

/* Whether a walk can use an entry: what faults is never cached. */
static bool cacheable(const struct pgtsim_cached *c, int level, uint64_t desc)
{
	enum pgtsim_kind kind = pgtsim_desc_kind(level, desc);

	return kind == PGTSIM_TABLE || kind == PGTSIM_PAGE ||
	       (kind == PGTSIM_BLOCK && c->geo->block_legal[pgtsim_slot(level)]);
}

/* Whether it is a leaf that may be cached as part of its contiguous group. */
static bool is_hinted(const struct pgtsim_cached *c, int level, uint64_t desc)
{
	return desc & PGTSIM_DESC_CONT && pgtsim_cont_entries(c->geo, level) > 1 &&
	       cacheable(c, level, desc) && !pgtsim_desc_is_table(level, desc);
}

/* Whether the event goes on where the span ends, with the next table. */
static bool goes_on(const struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	const struct span *s = &c->span;
	uint64_t bytes = s->count * event->size;

	return s->state == UNSYNCED && s->level == event->level && !s->walk &&
	       s->va + bytes == event->va && s->desc + bytes == event->old_desc &&
	       !pgtsim_index(c->geo, event->level, event->va) && s->since + s->events == c->now;
}

/* Takes entries that go into the span, if they are the first ones or the next. */
static bool span_takes(struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	struct span *s = &c->span;

	if (c->fresh || c->settled || c->orphans || find(c, event->level, event->va))
		return false;
	if (!s->count) {
		s->va = event->va;
		s->desc = event->old_desc;
		s->since = c->now;
		s->events = 0;
		s->level = (int8_t)event->level;
		s->state = UNSYNCED;
		s->by = c->by;
		s->walk = pgtsim_desc_is_table(event->level, event->old_desc);
	} else if (!goes_on(c, event)) {
		return false;
	}
	s->count += event->count;
	s->events++;
	return true;
}

static void sync_stores(struct pgtsim_cached *c);
static void invalidate_walks(struct pgtsim_cached *c, struct record *r, uint64_t va, uint64_t last);

/* From the span to records, as if its events had only now happened to them. */
static void spill(struct pgtsim_cached *c)
{
	const struct span s = c->span;
	uint64_t size = pgtsim_entry_size(c->geo, s.level), now = c->now;
	uint8_t by = c->by;

	c->span.count = 0;
	c->by = s.by;
	c->now = s.since;
	for (uint64_t done = 0, n; done < s.count; done += n, c->now++) {
		uint64_t va = s.va + done * size;
		unsigned lo = pgtsim_index(c->geo, s.level, va);
		struct record *r = record_of(c, s.level, va);

		n = pgtsim_entries(c->geo, s.level) - lo;
		if (n > s.count - done)
			n = s.count - done;
		if (r)
			mark(c, r, (struct part){ lo, lo + (unsigned)n }, s.desc + done * size,
			     true);
	}
	c->by = by;
	c->now = now;
	if (s.count && s.state != UNSYNCED)
		sync_stores(c);
	if (s.count && s.state == PENDING)
		visit_list(c, c->settled, 0, UINT64_MAX, invalidate_walks);
}

static void store(struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	struct part run = run_of(c, event);
	struct record *r;

	if (!cacheable(c, event->level, event->old_desc) || span_takes(c, event))
		return;
	spill(c);
	r = record_of(c, event->level, event->va);
	if (!r)
		return;
	mark(c, r, run, event->old_desc, true);
	if (r->bits)
		pgtsim_bits_clear(plane(c, r, LIVE), run.lo, run.hi);
}

/* ---- barriers ---- */

/* These entries are stale no more. */
static void remove_word(struct pgtsim_cached *c, struct record *r, unsigned w, uint64_t gone)
{
	plane(c, r, STALE)[w] &= ~gone;
	plane(c, r, UNSYNCED)[w] &= ~gone;
	plane(c, r, PENDING)[w] &= ~gone;
	for (enum rare_plane p = TOLD; r->rare && p <= SEVERAL; p++)
		rare(c, r, p)[w] &= ~gone;
}

static bool has_orphans(const struct pgtsim_cached *c, const struct record *r)
{
	return r->rare && pgtsim_bits_any(rare(c, r, ORPHAN), 0, entries_of(c, r));
}

/* Back to the list it belongs to, or away with it if there is nothing left to know. */
static void settle(struct pgtsim_cached *c, struct record *r)
{
	unsigned entries = entries_of(c, r);

	if (r->bits && pgtsim_bits_any(plane(c, r, STALE), 0, entries)) {
		enlist(c, r, false);
		return;
	}
	if (!has_orphans(c, r) && (!r->bits || !pgtsim_bits_any(plane(c, r, HINTED), 0, entries))) {
		drop(c, r);
		return;
	}
	unlist(c, r);
	give(c, r->old, entries * sizeof(*r->old));
	r->old = NULL;
}

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

/* DSB ISHST: after it walks see every store before it. */
static void sync_stores(struct pgtsim_cached *c)
{
	if (c->span.count && c->span.state == UNSYNCED)
		c->span.state = STALE;
	for (struct record *r = c->fresh, *next; r; r = next) {
		next = r->next;
		sync_record(c, r);
		if (!is_pending(c, r))
			enlist(c, r, false);
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

static uint64_t va_of(const struct pgtsim_cached *c, const struct record *r, unsigned i)
{
	return r->va + i * pgtsim_entry_size(c->geo, r->level);
}

/* Whether something of the record is still out of reach but for walk caches; forgets the rest. */
static bool shed(struct pgtsim_cached *c, struct record *r)
{
	for (unsigned i = 0; i < entries_of(c, r); i++)
		if (rare_bit(c, r, ORPHAN, i) && !cached_above(c, r->level, va_of(c, r, i), false))
			rare_clear(c, r, ORPHAN, i, i + 1);
	return has_orphans(c, r);
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
				settle(c, r);
		}
}

/* DSB ISH: the invalidates before it are complete, and what DSB ISHST does. */
static void complete(struct pgtsim_cached *c)
{
	if (c->span.count && c->span.state == PENDING) {
		c->context = true;
		c->span.count = 0;
	} else {
		c->span.state = STALE;
	}
	for (struct record *r = c->fresh, *next; r; r = next) {
		next = r->next;
		sync_record(c, r);
		if (is_pending(c, r))
			c->context = true;
		if (r->bits) {
			for (unsigned w = 0; w < words_of(c, r); w++)
				remove_word(c, r, w, plane(c, r, PENDING)[w]);
			settle(c, r);
		} else if (r->state == PENDING) {
			drop(c, r);
		} else {
			enlist(c, r, false);
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
	enlist(c, r, true);
}

static void invalidate(struct pgtsim_cached *c, struct record *r, uint64_t va, uint64_t last,
		       bool leaves_only)
{
	struct part part = part_in(c, r, va, last);

	if (part.lo >= part.hi || (!r->bits && (part.hi <= r->lo || part.lo >= r->hi)))
		return;
	if (r->bits || (r->state == STALE && (part.lo > r->lo || part.hi < r->hi))) {
		if (expand(c, r))
			invalidate_bits(c, r, part, leaves_only);
	} else if (r->state == UNSYNCED) {
		r->why |= WHY_EARLY;
	} else if (leaves_only && r->walk) {
		r->why |= WHY_KIND;
	} else {
		r->state = PENDING;
		enlist(c, r, true);
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
		visit_stale(c, va, va + (event->count - 1) * event->size, visit);
		return;
	}
	for (uint64_t i = 0; i < event->count && (c->fresh || c->settled); i++, va += event->size)
		visit_stale(c, va, va, visit);
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
	mark(c, r, part, desc, false);
	r->why |= WHY_HINT;
}

static void flush_groups(struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	unsigned group = pgtsim_cont_entries(c->geo, event->level);
	uint64_t size = pgtsim_entry_size(c->geo, event->level);
	struct record *r = record_of(c, event->level, event->va);
	struct part run = run_of(c, event), part = run;

	if (!r || !expand(c, r))
		return;
	for (; part.lo < run.hi; part.lo = part.hi) {
		part.hi = (part.lo | (group - 1)) + 1;
		if (part.hi > run.hi)
			part.hi = run.hi;
		flush_group(c, r, part, event->old_desc + (part.lo - run.lo) * size);
	}
	settle(c, r);
}

/* Leaves that go while a table out of reach holds the same value: a walk may still find it. */
static void mark_orphans(struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	struct record *r = find(c, event->level, event->va);
	struct part run = run_of(c, event);

	for (unsigned i = run.lo; r && i < run.hi; i++)
		if (rare_bit(c, r, ORPHAN, i))
			mark(c, r, (struct part){ i, i + 1 },
			     event->old_desc + (i - run.lo) * event->size, false);
}

/* Each leaf: a store, DSB ISHST, an invalidate, DSB ISH, ISB. */
static void clear_and_flush(struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	sync_stores(c);
	if (c->orphans)
		mark_orphans(c, event);
	invalidate_each(c, event, invalidate_leaves);
	complete(c);
	if (is_hinted(c, event->level, event->old_desc))
		flush_groups(c, event);
	c->context = false;
}

/* ---- new entries ---- */

static void tell_making(struct pgtsim_cached *c, const struct pgtsim_event *event,
			enum pgtsim_violation_name name, uint64_t va, uint64_t old)
{
	pgtsim_tlb_violation(c->tlb, name, va, event->level,
			     "0x%016llx is written while 0x%016llx may still be cached",
			     (unsigned long long)event->new_desc, (unsigned long long)old);
}

/* Entry i is written again, as `made`. Returns whether something else may be cached for it. */
static bool make_one_again(struct pgtsim_cached *c, struct record *r, unsigned i, uint64_t made)
{
	if (!is_stale(c, r, i))
		return false;
	if (old_of(c, r, i) != made)
		return true;
	if (!rare_bit(c, r, SEVERAL, i))
		remove_word(c, r, i / 64, UINT64_C(1) << i % 64);
	return false;
}

/* Entries that are written again before their old values are gone from every cache. */
static void make_again(struct pgtsim_cached *c, struct record *r, const struct pgtsim_event *event)
{
	struct part run = run_of(c, event);
	bool told = false;

	if (!expand(c, r))
		return;
	for (unsigned i = run.lo; i < run.hi; i++) {
		uint64_t offset = (i - run.lo) * event->size;
		uint64_t old = old_of(c, r, i), made = event->new_desc + offset;

		if (!make_one_again(c, r, i, made) || told)
			continue;
		told = true;
		tell_making(c, event,
			    (old ^ made) == PGTSIM_DESC_CONT ? PGTSIM_V_OVERLAPPING_SIZES :
							       PGTSIM_V_NO_BREAK,
			    event->va + offset, old);
	}
	if (!r->fresh)
		settle(c, r);
}

/* The first stale leaf of a record in [va, last]; false if there is none. */
static bool first_stale(const struct pgtsim_cached *c, const struct record *r, struct part part,
			unsigned *index)
{
	for (unsigned i = part.lo; i < part.hi; i++) {
		bool stale = r->bits ? pgtsim_bit(plane(c, r, STALE), i) &&
					       !(r->level < PGTSIM_PTE &&
						 pgtsim_bit(plane(c, r, WALK), i)) :
				       i >= r->lo && i < r->hi && !r->walk;

		*index = i;
		if (stale)
			return true;
	}
	return false;
}

static void tell_overlap(struct pgtsim_cached *c, struct record *r, uint64_t va, uint64_t last)
{
	unsigned index;

	if (r->level != c->event->level && first_stale(c, r, part_in(c, r, va, last), &index))
		tell_making(c, c->event, PGTSIM_V_OVERLAPPING_SIZES,
			    r->level < c->event->level ?
				    c->event->va :
				    r->va + index * pgtsim_entry_size(c->geo, r->level),
			    old_of(c, r, index));
}

/* Entry i lacks the hint that its group has: a walk may make a translation of it all the same. */
static void mark_gap(struct pgtsim_cached *c, struct record *r, unsigned i, uint64_t desc)
{
	if (!pgtsim_bit(plane(c, r, LIVE), i))
		mark(c, r, (struct part){ i, i + 1 }, desc, false);
}

/* The contiguous groups that a run touches. */
static struct part groups_of(const struct pgtsim_cached *c, int level, struct part run)
{
	unsigned group = pgtsim_cont_entries(c->geo, level);

	return (struct part){ run.lo & ~(group - 1), (run.hi + group - 1) & ~(group - 1) };
}

static void set_hints(struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	struct record *r = record_of(c, event->level, event->va);
	struct part run = run_of(c, event), groups = groups_of(c, event->level, run);
	uint64_t first = event->new_desc - run.lo * event->size;

	if (!r || !expand(c, r))
		return;
	pgtsim_bits_set(plane(c, r, HINTED), run.lo, run.hi);
	pgtsim_bits_set(plane(c, r, LIVE), run.lo, run.hi);
	for (unsigned i = groups.lo; i < run.lo; i++)
		mark_gap(c, r, i, first + i * event->size);
	for (unsigned i = run.hi; i < groups.hi; i++)
		mark_gap(c, r, i, first + i * event->size);
}

/* Entries that were none become leaves or tables. */
static void make(struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	uint64_t last = event->va + (event->count * event->size - 1);
	bool leaf = !pgtsim_desc_is_table(event->level, event->new_desc);
	struct record *r = find(c, event->level, event->va);
	struct part run = run_of(c, event);

	if (!cacheable(c, event->level, event->new_desc))
		return;
	if (!c->records && !is_hinted(c, event->level, event->new_desc))
		return;
	if (leaf && r && !(event->new_desc & PGTSIM_DESC_CONT) && hinted(c, r, run.lo, run.hi))
		pgtsim_tlb_violation(
			c->tlb, PGTSIM_V_OVERLAPPING_SIZES, event->va, event->level,
			"0x%016llx is written in a contiguous group that may be cached "
			"whole",
			(unsigned long long)event->new_desc);
	if (r && r->link)
		make_again(c, r, event);
	c->event = event;
	if (leaf && (c->fresh || c->settled))
		visit_stale(c, event->va, last, tell_overlap);
	if (is_hinted(c, event->level, event->new_desc))
		set_hints(c, event);
}

/* Normal memory and normal tagged memory: either may become the other while it is in use. */
static bool is_normal(const struct pgtsim_cached *c, uint64_t desc)
{
	uint64_t index = desc & PGTSIM_DESC_ATTRINDX_MASK;

	return index == (c->policy->prot[PGTSIM_PROT_KERNEL] & PGTSIM_DESC_ATTRINDX_MASK) ||
	       index == (c->policy->prot[PGTSIM_PROT_TAGGED] & PGTSIM_DESC_ATTRINDX_MASK);
}

/* pgattr_change_is_safe(), and for tables what Arm ARM D8.16.1 leaves out of its list. */
static bool needs_break(const struct pgtsim_cached *c, int level, uint64_t old, uint64_t desc)
{
	const uint64_t software = UINT64_C(15) << 55;
	uint64_t changed = old ^ desc, harmless;

	if (pgtsim_desc_is_table(level, old) != pgtsim_desc_is_table(level, desc))
		return !c->tlb->bbml2;
	if (pgtsim_desc_is_table(level, old))
		return changed & ~(software | UINT64_C(31) << 59);
	if (!changed)
		return old & PGTSIM_DESC_CONT && !c->policy->cont_rewrite;
	harmless = PGTSIM_DESC_AP2 | PGTSIM_DESC_DBM | PGTSIM_DESC_PXN | software;
	if (c->tlb->bbml2)
		harmless |= PGTSIM_DESC_CONT;
	else if ((old | desc) & PGTSIM_DESC_CONT)
		return true;
	if (desc & PGTSIM_DESC_NG)
		harmless |= PGTSIM_DESC_NG;
	if (is_normal(c, old) && is_normal(c, desc))
		harmless |= PGTSIM_DESC_ATTRINDX_MASK;
	return changed & ~harmless;
}

/* An entry that gets its old value back is stale no more. */
static void restore(struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	struct record *r = find(c, event->level, event->va);

	if (r && r->link && expand(c, r))
		make_one_again(c, r, pgtsim_index(c->geo, event->level, event->va),
			       event->new_desc);
}

/* An entry overwritten by hand. */
static void poke(struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	bool was = cacheable(c, event->level, event->old_desc);
	bool is = cacheable(c, event->level, event->new_desc);
	uint8_t by = c->by;

	if (was && is && needs_break(c, event->level, event->old_desc, event->new_desc))
		pgtsim_tlb_violation(c->tlb, PGTSIM_V_NO_BREAK, event->va, event->level,
				     "0x%016llx is changed to 0x%016llx in place",
				     (unsigned long long)event->old_desc,
				     (unsigned long long)event->new_desc);
	c->by = PGTSIM_OP_POKE;
	if (was && event->old_desc != event->new_desc) {
		restore(c, event);
		store(c, event);
	}
	c->by = by;
	if (!is)
		return;
	if (!was)
		make(c, event);
	else if (is_hinted(c, event->level, event->new_desc))
		set_hints(c, event);
}

void pgtsim_cached_lost(struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	struct part run = run_of(c, event);
	struct record *r;
	uint8_t by = c->by;

	spill(c);
	if (!cacheable(c, event->level, event->old_desc))
		return;
	r = record_of(c, event->level, event->va);
	if (!r || !expand(c, r))
		return;
	/* The event of the entry above is still to come. */
	c->now++;
	c->by = PGTSIM_OP_POKE;
	mark(c, r, run, event->old_desc, false);
	c->by = by;
	c->now--;
	pgtsim_bits_clear(plane(c, r, LIVE), run.lo, run.hi);
	if (is_hinted(c, event->level, event->old_desc))
		run = groups_of(c, event->level, run);
	for (unsigned i = run.lo; i < run.hi; i++)
		if (is_stale(c, r, i))
			rare_set(c, r, ORPHAN, i, i + 1);
	c->orphans = true;
	enlist(c, r, true);
}

void pgtsim_cached_found(struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	spill(c);
	make(c, event);
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
	for (; first_stale(c, r, part, &index); part.lo = index + 1) {
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

static void free_pages(struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	uint64_t last = event->pa + (event->count << c->geo->page_shift) - 1;

	visit_list(c, c->fresh, event->pa, last, tell_freed);
	visit_list(c, c->settled, event->pa, last, tell_freed);
}

static void free_table(struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	int level = event->level - 1;
	struct record *r;
	unsigned i;

	if (level < pgtsim_root_level(c->geo))
		return;
	r = find(c, level, event->va);
	i = pgtsim_index(c->geo, level, event->va);
	if (!r || !r->link || !expand(c, r) || !pgtsim_bit(plane(c, r, STALE), i) ||
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

/* ---- reports ---- */

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

	if (part.lo >= part.hi || !expand(c, r))
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
		rare_set(c, r, TOLD, i, i + n);
	}
}

void pgtsim_cached_report(struct pgtsim_cached *c, uint64_t va, uint64_t last)
{
	spill(c);
	visit_stale(c, va, last, tell_stale);
	if (c->lost)
		pgtsim_tlb_violation(c->tlb, PGTSIM_V_UNCHECKED, va, PGTSIM_PTE,
				     "no host memory for what may be cached");
	c->lost = false;
	if (c->context)
		pgtsim_tlb_violation(c->tlb, PGTSIM_V_MISSING_BARRIER, va, PGTSIM_PTE,
				     "no ISB after the invalidates were complete");
	c->context = false;
}

/* ---- events ---- */

/* Whether an invalidate takes all of the span, or nothing, and that is noted. */
static bool span_invalidated(struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	struct span *s = &c->span;
	bool each = event->op == PGTSIM_OP_TLBI_LEAF || event->op == PGTSIM_OP_TLBI_WALK;
	bool leaves = event->op == PGTSIM_OP_TLBI_LEAF || event->op == PGTSIM_OP_TLBI_RANGE;
	uint64_t bytes = each ? (event->count - 1) * event->size + 1 : event->size;
	uint64_t size = pgtsim_entry_size(c->geo, s->level), last = s->va + (s->count * size - 1);

	if (s->state == UNSYNCED || (leaves && s->walk) ||
	    (each && event->count > 1 && event->size > pgtsim_page_size(c->geo)))
		return false;
	if (event->op != PGTSIM_OP_TLBI_ALL) {
		if (event->va > last || event->va + (bytes - 1) < s->va)
			return true;
		if (event->va > s->va + (size - 1) || event->va + (bytes - 1) < last - (size - 1))
			return false;
	}
	s->state = PENDING;
	return true;
}

static void range_event(struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	if (c->span.count && span_invalidated(c, event))
		return;
	spill(c);
	if (event->op == PGTSIM_OP_TLBI_ALL)
		visit_stale(c, pgtsim_va_start(c->geo), UINT64_MAX, invalidate_walks);
	else if (event->op == PGTSIM_OP_TLBI_RANGE)
		visit_stale(c, event->va, event->va + (event->size - 1), invalidate_leaves);
	else
		invalidate_each(c, event,
				event->op == PGTSIM_OP_TLBI_WALK ? invalidate_walks :
								   invalidate_leaves);
}

/* DSB ISHST and ISB after each entry of a run. */
static void sync_each(struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	if (!(event->flags & PGTSIM_EACH_SYNC))
		return;
	sync_stores(c);
	c->context = false;
}

void pgtsim_cached_barrier(struct pgtsim_cached *c, enum pgtsim_op op)
{
	if (!c->tlb->quiet)
		c->now++;
	if (op == PGTSIM_OP_DSB_ISHST)
		sync_stores(c);
	else if (op == PGTSIM_OP_DSB_ISH)
		complete(c);
	else
		c->context = false;
}

/* Whether the event knows what to do with a span. */
static bool keeps_span(const struct pgtsim_event *event)
{
	switch (event->op) {
	case PGTSIM_OP_CLEAR:
	case PGTSIM_OP_UNLINK:
		return !(event->flags & PGTSIM_EACH_FLUSH);
	case PGTSIM_OP_MAP:
	case PGTSIM_OP_LINK:
	case PGTSIM_OP_POKE:
	case PGTSIM_OP_PAGES_FREE:
	case PGTSIM_OP_TABLE_FREE:
		return false;
	default:
		return true;
	}
}

void pgtsim_cached_event(struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	if (event->op >= PGTSIM_OP_DSB_ISHST && event->op <= PGTSIM_OP_ISB) {
		pgtsim_cached_barrier(c, event->op);
		return;
	}
	if (!c->tlb->quiet)
		c->now++;
	if (c->span.count && !keeps_span(event))
		spill(c);
	switch (event->op) {
	case PGTSIM_OP_MAP:
	case PGTSIM_OP_LINK:
		make(c, event);
		sync_each(c, event);
		break;
	case PGTSIM_OP_CLEAR:
	case PGTSIM_OP_UNLINK:
		if (event->flags & PGTSIM_EACH_FLUSH)
			clear_and_flush(c, event);
		else
			store(c, event);
		sync_each(c, event);
		break;
	case PGTSIM_OP_POKE:
		poke(c, event);
		break;
	case PGTSIM_OP_PAGES_FREE:
		free_pages(c, event);
		break;
	case PGTSIM_OP_TABLE_FREE:
		free_table(c, event);
		break;
	case PGTSIM_OP_TLBI_LEAF:
	case PGTSIM_OP_TLBI_WALK:
	case PGTSIM_OP_TLBI_RANGE:
	case PGTSIM_OP_TLBI_ALL:
		range_event(c, event);
		break;
	default:
		if (event->op >= PGTSIM_OP_BEGIN_MAP)
			c->by = (uint8_t)event->op;
	}
}

/* ---- from outside ---- */

int pgtsim_checker_start(struct pgtsim_tlb *tlb, const struct pgtsim_geometry *geo,
			 const struct pgtsim_policy *policy)
{
	struct pgtsim_cached *c;

	if (tlb->cached)
		return -EEXIST;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->bucket_bits = 4;
	c->buckets = take(c, sizeof(*c->buckets) << c->bucket_bits);
	if (!c->buckets) {
		free(c);
		return -ENOMEM;
	}
	c->tlb = tlb;
	c->geo = geo;
	c->policy = policy;
	tlb->cached = c;
	return 0;
}

void pgtsim_checker_stop(struct pgtsim_tlb *tlb)
{
	struct pgtsim_cached *c = tlb->cached;

	if (!c)
		return;
	for (size_t i = 0; i < (size_t)1 << c->bucket_bits; i++)
		while (c->buckets[i])
			drop(c, c->buckets[i]);
	while (c->spare) {
		struct record *r = c->spare;

		c->spare = r->next;
		free(r);
	}
	free(c->buckets);
	free(c);
	tlb->cached = NULL;
}

uint64_t pgtsim_checker_bytes(const struct pgtsim_tlb *tlb)
{
	return tlb->cached ? tlb->cached->peak : 0;
}

bool pgtsim_may_be_stale(const struct pgtsim_tlb *tlb, uint64_t va, struct pgtsim_stale *out)
{
	struct pgtsim_cached *c = tlb->cached;

	if (!c || va < pgtsim_va_start(c->geo))
		return false;
	spill(c);
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

static bool is_walk(const struct pgtsim_cached *c, const struct record *r, unsigned i)
{
	if (r->bits)
		return r->level < PGTSIM_PTE && pgtsim_bit(plane(c, r, WALK), i);
	return r->walk;
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
		spill(c);
	for (const struct record *r = c ? c->fresh : NULL; r; r = r->next)
		visit_stale_runs(c, r, see, ctx);
	for (const struct record *r = c ? c->settled : NULL; r; r = r->next)
		visit_stale_runs(c, r, see, ctx);
}
