/* SPDX-License-Identifier: MIT */
/*
 * records: which entries are stale, table by table, and the bits of each. It keeps them and finds
 * them; what they mean is for others to say. A part of cached.
 *
 * If host memory runs out, `lost` is set: some entry is not known to be stale then.
 */
#ifndef PGTSIM_RECORDS_H
#define PGTSIM_RECORDS_H

#include <pgtsim/desc.h>
#include <pgtsim/tlb.h>

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
	uint64_t va, count;     /* entries from va on; none: count is 0 */
	uint64_t desc;          /* the first one's old value */
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

/* A run of entries of a record. */
struct part {
	unsigned lo, hi;
};

/* NULL if there is no memory. The caller fills in `tlb`, `geo` and `policy`. */
struct pgtsim_cached *pgtsim_records_new(void);
void pgtsim_records_free(struct pgtsim_cached *c);

/* The record of a table, made if there is none; NULL (and `lost`) if memory ran out. */
struct record *pgtsim_record_of(struct pgtsim_cached *c, int level, uint64_t va);

void pgtsim_record_drop(struct pgtsim_cached *c, struct record *r);

/* Puts it into a list of those with stale entries: `fresh` or settled. */
void pgtsim_record_enlist(struct pgtsim_cached *c, struct record *r, bool fresh);

/* Back to the list it belongs to, or away with it if there is nothing left to know. */
void pgtsim_record_settle(struct pgtsim_cached *c, struct record *r);

/* From an interval to bits. Returns false (and `lost`) if memory ran out. */
bool pgtsim_record_expand(struct pgtsim_cached *c, struct record *r);

/* From old values all alike to one for each entry. Returns false (and `lost`) if memory ran out. */
bool pgtsim_record_expand_old(struct pgtsim_cached *c, struct record *r);

void pgtsim_record_set_rare(struct pgtsim_cached *c, struct record *r, enum rare_plane p,
			    unsigned lo, unsigned hi);

/* Whether some entry has its ORPHAN bit. */
bool pgtsim_record_has_orphans(const struct pgtsim_cached *c, const struct record *r);

/* The first stale leaf of a record in a part of it; false if there is none. */
bool pgtsim_record_first_leaf(const struct pgtsim_cached *c, const struct record *r,
			      struct part part, unsigned *index);

/* What is done to a record for the sake of [va, last]: it may change lists, or go. */
typedef void visit_fn(struct pgtsim_cached *c, struct record *r, uint64_t va, uint64_t last);

void pgtsim_records_visit_list(struct pgtsim_cached *c, struct record *list, uint64_t va,
			       uint64_t last, visit_fn *visit);

/* Every record with stale entries that may lie in [va, last]. */
void pgtsim_records_visit(struct pgtsim_cached *c, uint64_t va, uint64_t last, visit_fn *visit);

/* ---- a record's bits ---- */

static inline unsigned entries_of(const struct pgtsim_cached *c, const struct record *r)
{
	return pgtsim_entries(c->geo, r->level);
}

static inline unsigned words_of(const struct pgtsim_cached *c, const struct record *r)
{
	return (entries_of(c, r) + 63) / 64;
}

/* Pages have no tables behind them. */
static inline unsigned planes_of(const struct record *r)
{
	return r->level == PGTSIM_PTE ? WALK : PLANES;
}

static inline uint64_t *plane(const struct pgtsim_cached *c, const struct record *r, enum plane p)
{
	return r->bits + p * words_of(c, r);
}

static inline uint64_t *rare(const struct pgtsim_cached *c, const struct record *r,
			     enum rare_plane p)
{
	return r->rare + p * words_of(c, r);
}

static inline bool rare_bit(const struct pgtsim_cached *c, const struct record *r,
			    enum rare_plane p, unsigned i)
{
	return r->rare && pgtsim_bit(rare(c, r, p), i);
}

static inline void rare_clear(const struct pgtsim_cached *c, const struct record *r,
			      enum rare_plane p, unsigned lo, unsigned hi)
{
	if (r->rare)
		pgtsim_bits_clear(rare(c, r, p), lo, hi);
}

static inline uint64_t va_of(const struct pgtsim_cached *c, const struct record *r, unsigned i)
{
	return r->va + i * pgtsim_entry_size(c->geo, r->level);
}

/* The latest old value of an entry. */
static inline uint64_t old_of(const struct pgtsim_cached *c, const struct record *r, unsigned index)
{
	return r->old ? r->old[index] : r->base + index * pgtsim_entry_size(c->geo, r->level);
}

/* Whether entry i is stale. */
static inline bool is_stale(const struct pgtsim_cached *c, const struct record *r, unsigned i)
{
	if (!r->link)
		return false;
	return r->bits ? pgtsim_bit(plane(c, r, STALE), i) : i >= r->lo && i < r->hi;
}

/* Whether entry i, a stale one, was a table. */
static inline bool is_walk(const struct pgtsim_cached *c, const struct record *r, unsigned i)
{
	if (r->bits)
		return r->level < PGTSIM_PTE && pgtsim_bit(plane(c, r, WALK), i);
	return r->walk;
}

/* Whether a walk may meet the hint in a contiguous group that [lo, hi) touches. */
static inline bool hinted(const struct pgtsim_cached *c, const struct record *r, unsigned lo,
			  unsigned hi)
{
	unsigned group = pgtsim_cont_entries(c->geo, r->level);

	if (!r->bits || group == 1)
		return false;
	return pgtsim_bits_any(plane(c, r, HINTED), lo & ~(group - 1),
			       (hi + group - 1) & ~(group - 1));
}

/* These entries are stale no more. */
static inline void remove_word(struct pgtsim_cached *c, struct record *r, unsigned w, uint64_t gone)
{
	plane(c, r, STALE)[w] &= ~gone;
	plane(c, r, UNSYNCED)[w] &= ~gone;
	plane(c, r, PENDING)[w] &= ~gone;
	for (enum rare_plane p = TOLD; r->rare && p <= SEVERAL; p++)
		rare(c, r, p)[w] &= ~gone;
}

/* ---- which record, which entries ---- */

static inline struct record **bucket(const struct pgtsim_cached *c, int level, uint64_t va)
{
	uint64_t key = (va >> c->geo->shift[pgtsim_slot(level)]) * 8 + (uint64_t)(level + 1);

	return &c->buckets[key * UINT64_C(0x9e3779b97f4a7c15) >> (64 - c->bucket_bits)];
}

/* The address of entry 0 of the table that translates va at this level. */
static inline uint64_t table_va(const struct pgtsim_cached *c, int level, uint64_t va)
{
	return pgtsim_entry_base(c->geo, level, va) -
	       pgtsim_index(c->geo, level, va) * pgtsim_entry_size(c->geo, level);
}

/* The record of the table that translates va at this level, or NULL. */
static inline struct record *find(const struct pgtsim_cached *c, int level, uint64_t va)
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

/* Those of [va, last], as far as they are its own. */
static inline struct part part_in(const struct pgtsim_cached *c, const struct record *r,
				  uint64_t va, uint64_t last)
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

/* Those of an event, which are all in one table. */
static inline struct part run_of(const struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	unsigned lo = pgtsim_index(c->geo, event->level, event->va);

	return (struct part){ lo, lo + (unsigned)event->count };
}

#endif
