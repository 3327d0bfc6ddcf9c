/* SPDX-License-Identifier: MIT */
#include "cached.h"

#include <errno.h>

#include "making.h"
#include "reports.h"
#include "span.h"

/* ---- events ---- */

/* DSB ISHST and ISB after each entry of a run. */
static void sync_each(struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	if (!(event->flags & PGTSIM_EACH_SYNC))
		return;
	sync_stores(c);
	c->context = false;
}

static void clear(struct pgtsim_cached *c, const struct pgtsim_event *event)
{
	if (event->flags & PGTSIM_EACH_FLUSH)
		pgtsim_stale_flush(c, event);
	else
		store(c, event);
}

static inline void barrier(struct pgtsim_cached *c, enum pgtsim_op op)
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

void pgtsim_cached_barrier(struct pgtsim_cached *c, enum pgtsim_op op)
{
	barrier(c, op);
}

void pgtsim_cached_sync(struct pgtsim_cached *c)
{
	barrier(c, PGTSIM_OP_DSB_ISHST);
	barrier(c, PGTSIM_OP_ISB);
}

void pgtsim_cached_flush_table(struct pgtsim_cached *c, uint64_t va)
{
	const struct pgtsim_event event = {
		.op = PGTSIM_OP_TLBI_WALK,
		.level = PGTSIM_PTE,
		.va = va,
		.count = 1,
	};

	barrier(c, PGTSIM_OP_DSB_ISHST);
	if (!c->tlb->quiet)
		c->now++;
	invalidated(c, &event);
	barrier(c, PGTSIM_OP_DSB_ISH);
	barrier(c, PGTSIM_OP_ISB);
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
		pgtsim_span_spill(c);
	switch (event->op) {
	case PGTSIM_OP_MAP:
	case PGTSIM_OP_LINK:
		make(c, event);
		sync_each(c, event);
		break;
	case PGTSIM_OP_CLEAR:
	case PGTSIM_OP_UNLINK:
		clear(c, event);
		sync_each(c, event);
		break;
	case PGTSIM_OP_POKE:
		pgtsim_make_by_hand(c, event);
		break;
	case PGTSIM_OP_PAGES_FREE:
		pgtsim_tell_pages_freed(c, event);
		break;
	case PGTSIM_OP_TABLE_FREE:
		pgtsim_tell_table_freed(c, event);
		break;
	case PGTSIM_OP_TLBI_LEAF:
	case PGTSIM_OP_TLBI_WALK:
	case PGTSIM_OP_TLBI_RANGE:
	case PGTSIM_OP_TLBI_ALL:
		invalidated(c, event);
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
	c = pgtsim_records_new();
	if (!c)
		return -ENOMEM;
	c->tlb = tlb;
	c->geo = geo;
	c->policy = policy;
	tlb->cached = c;
	tlb->checked = true;
	return 0;
}

void pgtsim_checker_stop(struct pgtsim_tlb *tlb)
{
	if (tlb->cached)
		pgtsim_records_free(tlb->cached);
	tlb->cached = NULL;
	tlb->checked = false;
}

uint64_t pgtsim_checker_bytes(const struct pgtsim_tlb *tlb)
{
	return tlb->cached ? tlb->cached->peak : 0;
}
