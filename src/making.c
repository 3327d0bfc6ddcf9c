/* SPDX-License-Identifier: MIT */
#include "making.h"

#include "cached.h"
#include "reports.h"
#include "span.h"

/* ---- new entries ---- */

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

	if (!pgtsim_record_expand(c, r))
		return;
	for (unsigned i = run.lo; i < run.hi; i++) {
		uint64_t offset = (i - run.lo) * event->size;
		uint64_t old = old_of(c, r, i), made = event->new_desc + offset;

		if (!make_one_again(c, r, i, made) || told)
			continue;
		told = true;
		pgtsim_tell_made(c, event,
				 (old ^ made) == PGTSIM_DESC_CONT ? PGTSIM_V_OVERLAPPING_SIZES :
								    PGTSIM_V_NO_BREAK,
				 event->va + offset, old);
	}
	if (!r->fresh)
		pgtsim_record_settle(c, r);
}

static void tell_overlap(struct pgtsim_cached *c, struct record *r, uint64_t va, uint64_t last)
{
	unsigned index;

	if (r->level != c->event->level &&
	    pgtsim_record_first_leaf(c, r, part_in(c, r, va, last), &index))
		pgtsim_tell_made(c, c->event, PGTSIM_V_OVERLAPPING_SIZES,
				 r->level < c->event->level ?
					 c->event->va :
					 r->va + index * pgtsim_entry_size(c->geo, r->level),
				 old_of(c, r, index));
}

/* Entry i lacks the hint that its group has: a walk may make a translation of it all the same. */
static void mark_gap(struct pgtsim_cached *c, struct record *r, unsigned i, uint64_t desc)
{
	if (!pgtsim_bit(plane(c, r, LIVE), i))
		pgtsim_stale_mark(c, r, (struct part){ i, i + 1 }, desc, false);
}

/* The contiguous groups that a run touches. */
static struct part groups_of(const struct pgtsim_cached *c, int level, struct part run)
{
	unsigned group = pgtsim_cont_entries(c->geo, level);

	return (struct part){ run.lo & ~(group - 1), (run.hi + group - 1) & ~(group - 1) };
}

static void set_hints(struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	struct record *r = pgtsim_record_of(c, event->level, event->va);
	struct part run = run_of(c, event), groups = groups_of(c, event->level, run);
	uint64_t first = event->new_desc - run.lo * event->size;

	if (!r || !pgtsim_record_expand(c, r))
		return;
	pgtsim_bits_set(plane(c, r, HINTED), run.lo, run.hi);
	pgtsim_bits_set(plane(c, r, LIVE), run.lo, run.hi);
	for (unsigned i = groups.lo; i < run.lo; i++)
		mark_gap(c, r, i, first + i * event->size);
	for (unsigned i = run.hi; i < groups.hi; i++)
		mark_gap(c, r, i, first + i * event->size);
}

void pgtsim_make(struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	uint64_t last = event->va + (event->count * event->size - 1);
	bool leaf = !pgtsim_desc_is_table(event->level, event->new_desc);
	struct record *r = find(c, event->level, event->va);
	struct part run = run_of(c, event);

	if (!cacheable(c, event->level, event->new_desc))
		return;
	if (leaf && r && !(event->new_desc & PGTSIM_DESC_CONT) && hinted(c, r, run.lo, run.hi))
		pgtsim_tell_joined(c, event);
	if (r && r->link)
		make_again(c, r, event);
	c->event = event;
	if (leaf && (c->fresh || c->settled))
		pgtsim_records_visit(c, event->va, last, tell_overlap);
	if (is_hinted(c, event->level, event->new_desc))
		set_hints(c, event);
}

/* ---- by hand ---- */

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

	if (r && r->link && pgtsim_record_expand(c, r))
		make_one_again(c, r, pgtsim_index(c->geo, event->level, event->va),
			       event->new_desc);
}

void pgtsim_make_by_hand(struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	bool was = cacheable(c, event->level, event->old_desc);
	bool is = cacheable(c, event->level, event->new_desc);
	uint8_t by = c->by;

	if (was && is && needs_break(c, event->level, event->old_desc, event->new_desc))
		pgtsim_tell_changed(c, event);
	c->by = PGTSIM_OP_POKE;
	if (was && event->old_desc != event->new_desc) {
		restore(c, event);
		store(c, event);
	}
	c->by = by;
	if (!is)
		return;
	if (!was) {
		make(c, event);
	} else if (is_hinted(c, event->level, event->new_desc)) {
		pgtsim_span_spill(c);
		set_hints(c, event);
	}
}

void pgtsim_cached_lost(struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	struct part run = run_of(c, event);
	struct record *r;
	uint8_t by = c->by;

	pgtsim_span_spill(c);
	if (!cacheable(c, event->level, event->old_desc))
		return;
	r = pgtsim_record_of(c, event->level, event->va);
	if (!r || !pgtsim_record_expand(c, r))
		return;
	/* The event of the entry above is still to come. */
	c->now++;
	c->by = PGTSIM_OP_POKE;
	pgtsim_stale_mark(c, r, run, event->old_desc, false);
	c->by = by;
	c->now--;
	pgtsim_bits_clear(plane(c, r, LIVE), run.lo, run.hi);
	if (is_hinted(c, event->level, event->old_desc))
		run = groups_of(c, event->level, run);
	for (unsigned i = run.lo; i < run.hi; i++)
		if (is_stale(c, r, i))
			pgtsim_record_set_rare(c, r, ORPHAN, i, i + 1);
	c->orphans = true;
	pgtsim_record_enlist(c, r, true);
}

void pgtsim_cached_found(struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	pgtsim_span_spill(c);
	make(c, event);
}
