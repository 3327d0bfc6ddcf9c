/* SPDX-License-Identifier: MIT */
/*
 * span: the stale entries that need no records yet. Stores and invalidates go here first; what a
 * span cannot take goes to the records. A part of cached.
 */
#ifndef PGTSIM_SPAN_H
#define PGTSIM_SPAN_H

#include "stale.h"

/* From the span to records, as if its events had only now happened to them. */
void pgtsim_span_spill(struct pgtsim_cached *c);

/* Whether the event goes on where the span ends, with the next table. */
static inline bool goes_on(const struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	const struct span *s = &c->span;
	uint64_t bytes = s->count * event->size;

	return s->state == UNSYNCED && s->level == event->level && !s->walk &&
	       s->va + bytes == event->va && s->desc + bytes == event->old_desc &&
	       !pgtsim_index(c->geo, event->level, event->va) && s->since + s->events == c->now;
}

/* Takes entries that go into the span, if they are the first ones or the next. */
static inline bool span_takes(struct pgtsim_cached *c, const struct pgtsim_event *event)
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

/* Whether an invalidate takes all of the span, or nothing, and that is noted. */
static inline bool span_invalidated(struct pgtsim_cached *c, const struct pgtsim_event *event)
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

/* The event's old values go. */
static inline void store(struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	if (!cacheable(c, event->level, event->old_desc) || span_takes(c, event))
		return;
	pgtsim_span_spill(c);
	pgtsim_stale_store(c, event);
}

/* An invalidate of any kind. */
static inline void invalidated(struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	if (c->span.count && span_invalidated(c, event))
		return;
	pgtsim_span_spill(c);
	pgtsim_stale_invalidate(c, event);
}

/* DSB ISHST. */
static inline void sync_stores(struct pgtsim_cached *c)
{
	if (c->span.count && c->span.state == UNSYNCED)
		c->span.state = STALE;
	if (c->fresh)
		pgtsim_stale_sync(c);
}

/* DSB ISH. */
static inline void complete(struct pgtsim_cached *c)
{
	if (c->span.count && c->span.state == PENDING) {
		c->context = true;
		c->span.count = 0;
	} else {
		c->span.state = STALE;
	}
	if (c->fresh || c->orphans)
		pgtsim_stale_complete(c);
}

#endif
