/* SPDX-License-Identifier: MIT */
#include "records.h"

#include <stdlib.h>

/* ---- memory ---- */

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

struct pgtsim_cached *pgtsim_records_new(void)
{
	struct pgtsim_cached *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->bucket_bits = 4;
	c->buckets = take(c, sizeof(*c->buckets) << c->bucket_bits);
	if (c->buckets)
		return c;
	free(c);
	return NULL;
}

void pgtsim_records_free(struct pgtsim_cached *c)
{
	for (size_t i = 0; i < (size_t)1 << c->bucket_bits; i++)
		while (c->buckets[i])
			pgtsim_record_drop(c, c->buckets[i]);
	while (c->spare) {
		struct record *r = c->spare;

		c->spare = r->next;
		free(r);
	}
	free(c->buckets);
	free(c);
}

void pgtsim_record_set_rare(struct pgtsim_cached *c, struct record *r, enum rare_plane p,
			    unsigned lo, unsigned hi)
{
	if (!r->rare)
		r->rare = take(c, RARE_PLANES * words_of(c, r) * sizeof(*r->rare));
	if (r->rare)
		pgtsim_bits_set(rare(c, r, p), lo, hi);
}

bool pgtsim_record_expand(struct pgtsim_cached *c, struct record *r)
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

bool pgtsim_record_expand_old(struct pgtsim_cached *c, struct record *r)
{
	uint64_t size = pgtsim_entry_size(c->geo, r->level);
	unsigned entries = entries_of(c, r);

	r->old = take(c, entries * sizeof(*r->old));
	if (!r->old)
		return false;
	for (unsigned i = 0; i < entries; i++)
		r->old[i] = r->base + i * size;
	return true;
}

/* ---- lists ---- */

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

void pgtsim_record_enlist(struct pgtsim_cached *c, struct record *r, bool fresh)
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

/* ---- by table ---- */

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

struct record *pgtsim_record_of(struct pgtsim_cached *c, int level, uint64_t va)
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

void pgtsim_record_drop(struct pgtsim_cached *c, struct record *r)
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

/* ---- what is stale of it ---- */

bool pgtsim_record_has_orphans(const struct pgtsim_cached *c, const struct record *r)
{
	return r->rare && pgtsim_bits_any(rare(c, r, ORPHAN), 0, entries_of(c, r));
}

void pgtsim_record_settle(struct pgtsim_cached *c, struct record *r)
{
	unsigned entries = entries_of(c, r);

	if (r->bits && pgtsim_bits_any(plane(c, r, STALE), 0, entries)) {
		pgtsim_record_enlist(c, r, false);
		return;
	}
	if (!pgtsim_record_has_orphans(c, r) &&
	    (!r->bits || !pgtsim_bits_any(plane(c, r, HINTED), 0, entries))) {
		pgtsim_record_drop(c, r);
		return;
	}
	unlist(c, r);
	give(c, r->old, entries * sizeof(*r->old));
	r->old = NULL;
}

bool pgtsim_record_first_leaf(const struct pgtsim_cached *c, const struct record *r,
			      struct part part, unsigned *index)
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

/* ---- visits ---- */

void pgtsim_records_visit_list(struct pgtsim_cached *c, struct record *list, uint64_t va,
			       uint64_t last, visit_fn *visit)
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

void pgtsim_records_visit(struct pgtsim_cached *c, uint64_t va, uint64_t last, visit_fn *visit)
{
	struct record *fresh = c->fresh;

	if (va < pgtsim_va_start(c->geo))
		va = pgtsim_va_start(c->geo);
	if (last < va)
		return;
	if (va == pgtsim_va_start(c->geo) && last == UINT64_MAX)
		pgtsim_records_visit_list(c, c->settled, va, last, visit);
	else if (c->settled_count)
		for (int level = pgtsim_root_level(c->geo); level <= PGTSIM_PTE; level++)
			visit_level(c, level, va, last, visit);
	pgtsim_records_visit_list(c, fresh, va, last, visit);
}
