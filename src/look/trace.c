/* SPDX-License-Identifier: MIT */
#include <pgtsim/trace.h>

#include <pgtsim/format.h>

#include <assert.h>
#include <inttypes.h>

#include "events/ops.h"
#include "words.h"

static void print_hex(const struct pgtsim_printer *out, const char *name, uint64_t value)
{
	pgtsim_printf(out, ",\"%s\":\"0x%016" PRIx64 "\"", name, value);
}

static void print_number(const struct pgtsim_printer *out, const char *name, uint64_t value)
{
	pgtsim_printf(out, ",\"%s\":%" PRIu64, name, value);
}

/* The root's table events say PGTSIM_PGD whatever its level; a level with no name goes unsaid. */
static void print_level(const struct pgtsim_trace *trace, int level)
{
	const char *name = level == PGTSIM_PGD ? "pgd" : pgtsim_level_name(trace->geo, level);

	if (name)
		pgtsim_printf(&trace->out, ",\"level\":\"%s\"", name);
}

static void print_flags(const struct pgtsim_printer *out, unsigned flags)
{
	const char *before = ",\"flags\":[";

	for (unsigned i = 0; pgtsim_flag_name(i); i++) {
		if (!(flags & 1u << i))
			continue;
		pgtsim_printf(out, "%s\"%s\"", before, pgtsim_flag_name(i));
		before = ",";
	}
	if (flags)
		pgtsim_printf(out, "]");
}

/* Who issued an invalidate or a barrier, how far an invalidate reaches, and its level hint. */
static void print_issuer(const struct pgtsim_printer *out, const struct pgtsim_event *event)
{
	if (event->cpu)
		print_number(out, "cpu", event->cpu);
	if (event->scope)
		pgtsim_printf(out, ",\"scope\":\"%s\"", pgtsim_scope_names[event->scope]);
	if (event->ttl)
		print_number(out, "ttl", event->ttl);
}

/* An entry as people know it. A store to a table whose place is not known is of no level. */
static uint64_t raw_of(const struct pgtsim_trace *trace, const struct pgtsim_event *event,
		       uint64_t desc)
{
	return event->op == PGTSIM_OP_STORE ? desc :
					      pgtsim_desc_to_raw(trace->geo, event->level, desc);
}

static void trace_event(struct pgtsim_observer *self, const struct pgtsim_event *event)
{
	const struct pgtsim_trace *trace = (const struct pgtsim_trace *)(void *)self;
	const struct pgtsim_printer *out = &trace->out;
	unsigned has = pgtsim_op_fields(event->op);

	pgtsim_printf(out, "{\"op\":\"%s\"", pgtsim_op_name(event->op));
	if (has & PGTSIM_HAS_LEVEL)
		print_level(trace, event->level);
	if (has & PGTSIM_HAS_VA)
		print_hex(out, "va", event->va);
	if (has & PGTSIM_HAS_COUNT || event->count > 1)
		print_number(out, "count", event->count);
	if (has & PGTSIM_HAS_SIZE)
		print_number(out, "size", event->size);
	if (has & PGTSIM_HAS_OLD)
		print_hex(out, "old", raw_of(trace, event, event->old_desc));
	if (has & PGTSIM_HAS_NEW)
		print_hex(out, "new", raw_of(trace, event, event->new_desc));
	if (has & PGTSIM_HAS_STEP)
		print_hex(out, "step", event->step);
	if (has & PGTSIM_HAS_PA)
		print_hex(out, "pa", event->pa);
	print_issuer(out, event);
	print_flags(out, event->flags);
	pgtsim_printf(out, "}\n");
}

static void trace_end(struct pgtsim_end_observer *self, uint64_t va, uint64_t last)
{
	const struct pgtsim_trace *trace =
		(const struct pgtsim_trace *)(void *)((char *)self -
						      offsetof(struct pgtsim_trace, end));

	pgtsim_printf(&trace->out, "{\"op\":\"end\"");
	print_hex(&trace->out, "va", va);
	print_hex(&trace->out, "last", last);
	pgtsim_printf(&trace->out, "}\n");
}

static_assert(offsetof(struct pgtsim_trace, observer) == 0, "an observer is cast to its trace");

void pgtsim_trace_start(struct pgtsim_trace *trace, struct pgtsim_tlb *tlb,
			const struct pgtsim_geometry *geo, const struct pgtsim_printer *out)
{
	if (!trace || !tlb || !geo || !out)
		return;
	*trace = (struct pgtsim_trace){
		.observer = { .event = trace_event },
		.end = { .end = trace_end },
		.out = *out,
		.geo = geo,
		.tlb = tlb,
	};
	pgtsim_printf(out, "{\"format\":\"pgtsim-trace\",\"version\":%d}\n", PGTSIM_TRACE_VERSION);
	pgtsim_observe(tlb, &trace->observer);
	tlb->end_observer = &trace->end;
}

void pgtsim_trace_stop(struct pgtsim_trace *trace)
{
	if (!trace || !trace->tlb)
		return;
	pgtsim_unobserve(trace->tlb, &trace->observer);
	if (trace->tlb->end_observer == &trace->end)
		trace->tlb->end_observer = NULL;
	trace->tlb = NULL;
}
