/* SPDX-License-Identifier: MIT */
#include <pgtsim/trace.h>

#include <assert.h>
#include <inttypes.h>

/* Which fields an operation has besides its name. Without COUNT a count of 1 is left out. */
enum {
	LEVEL = 1,
	VA = 2,
	COUNT = 4,
	SIZE = 8,
	DESC = 16, /* old and new */
	STEP = 32,
	PA = 64,
};

static const unsigned char fields[PGTSIM_OP_COUNT] = {
	[PGTSIM_OP_TABLE_ALLOC] = LEVEL | VA | PA,
	[PGTSIM_OP_TABLE_FREE] = LEVEL | VA | PA,
	[PGTSIM_OP_LINK] = LEVEL | VA | SIZE | DESC,
	[PGTSIM_OP_UNLINK] = LEVEL | VA | SIZE | DESC,
	[PGTSIM_OP_MAP] = LEVEL | VA | COUNT | SIZE | DESC | STEP | PA,
	[PGTSIM_OP_CLEAR] = LEVEL | VA | COUNT | SIZE | DESC | STEP | PA,
	[PGTSIM_OP_POKE] = LEVEL | VA | SIZE | DESC,
	[PGTSIM_OP_PAGES_ALLOC] = COUNT | PA,
	[PGTSIM_OP_PAGES_FREE] = COUNT | PA,
	[PGTSIM_OP_ALTMAP_ALLOC] = COUNT | PA,
	[PGTSIM_OP_ALTMAP_FREE] = COUNT | PA,
	[PGTSIM_OP_KASAN_ADD] = COUNT | PA,
	[PGTSIM_OP_KASAN_REMOVE] = COUNT | PA,
	[PGTSIM_OP_MIGRATE] = COUNT | PA,
	[PGTSIM_OP_TLBI_LEAF] = VA | COUNT | SIZE,
	[PGTSIM_OP_TLBI_WALK] = VA,
	[PGTSIM_OP_TLBI_RANGE] = VA | SIZE,
	[PGTSIM_OP_BEGIN_MAP] = VA | SIZE,
	[PGTSIM_OP_BEGIN_POPULATE] = VA | SIZE,
	[PGTSIM_OP_BEGIN_PASS_1] = VA | SIZE,
	[PGTSIM_OP_BEGIN_PASS_2] = VA | SIZE,
};

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
	static const char *const names[] = { "sync", "flush", "free", "ctor", "dtor" };
	const char *before = ",\"flags\":[";

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!(flags & 1u << i))
			continue;
		pgtsim_printf(out, "%s\"%s\"", before, names[i]);
		before = ",";
	}
	if (flags)
		pgtsim_printf(out, "]");
}

static void trace_event(struct pgtsim_observer *self, const struct pgtsim_event *event)
{
	const struct pgtsim_trace *trace = (const struct pgtsim_trace *)(void *)self;
	const struct pgtsim_printer *out = &trace->out;
	unsigned has = fields[event->op];

	pgtsim_printf(out, "{\"op\":\"%s\"", pgtsim_op_name(event->op));
	if (has & LEVEL)
		print_level(trace, event->level);
	if (has & VA)
		print_hex(out, "va", event->va);
	if (has & COUNT || event->count > 1)
		print_number(out, "count", event->count);
	if (has & SIZE)
		print_number(out, "size", event->size);
	if (has & DESC) {
		print_hex(out, "old", event->old_desc);
		print_hex(out, "new", event->new_desc);
	}
	if (has & STEP)
		print_hex(out, "step", event->step);
	if (has & PA)
		print_hex(out, "pa", event->pa);
	print_flags(out, event->flags);
	pgtsim_printf(out, "}\n");
}

static_assert(offsetof(struct pgtsim_trace, observer) == 0, "an observer is cast to its trace");

void pgtsim_trace_start(struct pgtsim_trace *trace, struct pgtsim_tlb *tlb,
			const struct pgtsim_geometry *geo, const struct pgtsim_printer *out)
{
	*trace = (struct pgtsim_trace){
		.observer = { .event = trace_event },
		.out = *out,
		.geo = geo,
		.tlb = tlb,
	};
	pgtsim_printf(out, "{\"format\":\"pgtsim-trace\",\"version\":%d}\n", PGTSIM_TRACE_VERSION);
	pgtsim_observe(tlb, &trace->observer);
}

void pgtsim_trace_stop(struct pgtsim_trace *trace)
{
	pgtsim_unobserve(trace->tlb, &trace->observer);
}
