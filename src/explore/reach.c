/* SPDX-License-Identifier: MIT */
#include "reach.h"

#include <stdlib.h>

#include <pgtsim/desc.h>
#include <pgtsim/pgtable.h>

/*
 * CPUs from this number on share one state. It does not tell which of them stored an entry, so
 * a barrier leaves that state as it is: later reaches are too large, never too small.
 */
enum { LAST_CPU = PGTSIM_REACH_CPUS - 1 };

static const struct pgtsim_reach no_reach = { .va = UINT64_MAX,
					      .pa = UINT64_MAX,
					      .new_va = UINT64_MAX };

unsigned pgtsim_reach_cpu(unsigned actor, const struct pgtsim_event *event)
{
	return event && event->cpu ? event->cpu : actor;
}

/* Index into pgtsim_reach_state.open. */
static unsigned cpu_of(unsigned actor, const struct pgtsim_event *event)
{
	unsigned cpu = pgtsim_reach_cpu(actor, event);

	return cpu < LAST_CPU ? cpu : LAST_CPU;
}

static bool is_empty(uint64_t first, uint64_t last)
{
	return first > last;
}

/* Extends [*first, *last] until it contains [from, to]. */
static void extend(uint64_t *first, uint64_t *last, uint64_t from, uint64_t to)
{
	if (is_empty(from, to))
		return;
	if (is_empty(*first, *last)) {
		*first = from;
		*last = to;
		return;
	}
	*first = from < *first ? from : *first;
	*last = to > *last ? to : *last;
}

/* True if the ranges have an address in common. An empty range overlaps nothing. */
static bool overlap(uint64_t first, uint64_t last, uint64_t from, uint64_t to)
{
	return !is_empty(first, last) && !is_empty(from, to) && first <= to && from <= last;
}

/* ---- the state: what no barrier has acted on yet ---- */

static void empty_range(struct pgtsim_reach_span *range)
{
	*range = (struct pgtsim_reach_span){ UINT64_MAX, 0 };
}

/* Records an entry that translates more than a page. */
static bool add_span(struct pgtsim_reach_state *state, uint64_t va, uint64_t last)
{
	size_t room = state->span_room ? 2 * state->span_room : 64;
	struct pgtsim_reach_span *grown;

	for (size_t i = 0; i < state->span_count; i++)
		if (state->spans[i].va <= va && last <= state->spans[i].last)
			return true;
	if (state->span_count == state->span_room) {
		grown = realloc(state->spans, room * sizeof(*grown));
		if (!grown)
			return false;
		state->spans = grown;
		state->span_room = room;
	}
	state->spans[state->span_count++] = (struct pgtsim_reach_span){ va, last };
	return true;
}

static bool is_more_than_a_page(const struct pgtsim_reach_state *state, uint64_t va, uint64_t last)
{
	return last - va >= pgtsim_page_size(state->geo);
}

struct starting {
	struct pgtsim_reach_state *state;
	bool fits;
};

/*
 * Visitor for entries that were stale before the actors began. The setup ran on CPU 0, so barriers
 * of CPU 0 may still publish or complete what it did.
 */
static void add_stale_run(void *ctx, const struct pgtsim_stale_run *run)
{
	struct starting *starting = ctx;
	struct pgtsim_reach_open *open = &starting->state->open[0];
	uint64_t size = pgtsim_entry_size(starting->state->geo, run->level), va = run->va;
	uint64_t last = va + (run->count * size - 1);

	extend(&open->stores.va, &open->stores.last, va, last);
	extend(&open->invalidates.va, &open->invalidates.last, va, last);
	extend(&open->unsynced.va, &open->unsynced.last, va, last);
	for (uint64_t i = 0; run->level < PGTSIM_PTE && i < run->count; i++, va += size)
		starting->fits &= add_span(starting->state, va, va + (size - 1));
}

bool pgtsim_reach_start(struct pgtsim_reach_state *state, const struct pgtsim_pgtable *pgt,
			const struct pgtsim_tlb *tlb)
{
	struct starting starting = { state, true };

	state->pgt = pgt;
	state->geo = &pgt->geo;
	state->span_count = 0;
	for (unsigned i = 0; i < PGTSIM_REACH_CPUS; i++) {
		empty_range(&state->open[i].stores);
		empty_range(&state->open[i].entries);
		empty_range(&state->open[i].invalidates);
		empty_range(&state->open[i].unsynced);
	}
	pgtsim_stale_visit(tlb, add_stale_run, &starting);
	return starting.fits;
}

void pgtsim_reach_fini(struct pgtsim_reach_state *state)
{
	free(state->spans);
}

static bool store_happened(struct pgtsim_reach_state *state, const struct pgtsim_reach *reach)
{
	struct pgtsim_reach_open *open = &state->open[reach->cpu];

	if (reach->takes_away) {
		extend(&open->stores.va, &open->stores.last, reach->va, reach->last);
	} else {
		if (is_empty(open->entries.va, open->entries.last) ||
		    open->smallest > reach->last - reach->va)
			open->smallest = reach->last - reach->va;
		extend(&open->entries.va, &open->entries.last, reach->va, reach->last);
	}
	extend(&open->unsynced.va, &open->unsynced.last, reach->va, reach->last);
	return !is_more_than_a_page(state, reach->va, reach->last) ||
	       add_span(state, reach->va, reach->last);
}

static void barrier_happened(struct pgtsim_reach_open *open, enum pgtsim_op op)
{
	bool both = op == PGTSIM_OP_DSB_ISH || op == PGTSIM_OP_DSB_OSH || op == PGTSIM_OP_DSB_SY;

	if (both || op == PGTSIM_OP_DSB_ISHST)
		empty_range(&open->stores);
	if (both || op == PGTSIM_OP_DSB_ISHST)
		empty_range(&open->entries);
	if (both)
		empty_range(&open->invalidates);
	if (op == PGTSIM_OP_ISB)
		empty_range(&open->unsynced);
}

bool pgtsim_reach_happened(struct pgtsim_reach_state *state, const struct pgtsim_reach *reach,
			   enum pgtsim_op op)
{
	struct pgtsim_reach_open *open = &state->open[reach->cpu];

	if (reach->kind == PGTSIM_REACH_STORE)
		return store_happened(state, reach);
	if (reach->kind == PGTSIM_REACH_INVALIDATE) {
		extend(&open->invalidates.va, &open->invalidates.last, reach->va, reach->last);
		extend(&open->unsynced.va, &open->unsynced.last, reach->va, reach->last);
	} else if (reach->cpu != LAST_CPU) {
		barrier_happened(open, op);
	}
	return true;
}

/* ---- the reach of an event ---- */

/* Extends [*first, *last] to the whole contiguous group: a TLB may hold the group as one entry. */
static void widen_to_group(const struct pgtsim_geometry *geo, int level, uint64_t *first,
			   uint64_t *last)
{
	uint64_t group = pgtsim_entry_size(geo, level) * pgtsim_cont_entries(geo, level);

	*first &= ~(group - 1);
	*last |= group - 1;
}

/* True for a valid leaf with the contiguous bit. */
static bool has_hint(int level, uint64_t desc)
{
	return (desc & PGTSIM_DESC_VALID) && (desc & PGTSIM_DESC_CONT) &&
	       !pgtsim_desc_is_table(level, desc);
}

/* Reach of a store to a table whose place in the tree is not known: it may be any address. */
static struct pgtsim_reach reach_of_anywhere(unsigned cpu)
{
	return (struct pgtsim_reach){
		.kind = PGTSIM_REACH_STORE,
		.cpu = (uint8_t)cpu,
		.takes_away = true,
		.last = UINT64_MAX,
		.pa_last = UINT64_MAX,
	};
}

/* True if the table at pa has entries, or if no table is known there. */
static bool has_entries(const struct pgtsim_pgtable *pgt, uint64_t pa)
{
	const struct pgtsim_table *table = pgt->ops.find(pgt->ops.ctx, pa);

	return !table || pgtsim_table_live(pgt, table) > 0;
}

/*
 * Reach of a store whose old and new values are known: the addresses the entries translate, and the
 * memory that they point to. Below a table that has entries, it can be any memory.
 */
static struct pgtsim_reach reach_of_store(const struct pgtsim_reach_state *state, unsigned cpu,
					  const struct pgtsim_event *event)
{
	const struct pgtsim_geometry *geo = state->geo;
	uint64_t bytes = event->count * pgtsim_entry_size(geo, event->level);
	const uint64_t desc[] = { event->old_desc, event->new_desc };
	struct pgtsim_reach reach = no_reach;

	reach.kind = PGTSIM_REACH_STORE;
	reach.cpu = (uint8_t)cpu;
	reach.takes_away = event->old_desc != 0;
	reach.va = pgtsim_entry_base(geo, event->level, event->va);
	reach.last = reach.va + (bytes - 1);
	for (unsigned i = 0; i < 2; i++) {
		uint64_t pa = pgtsim_desc_address(geo, event->level, desc[i]);
		uint64_t pa_last = pa + (bytes - 1);

		if (!desc[i])
			continue;
		if (has_hint(event->level, desc[i])) {
			widen_to_group(geo, event->level, &reach.va, &reach.last);
			widen_to_group(geo, event->level, &pa, &pa_last);
		}
		if (pgtsim_desc_is_table(event->level, desc[i]) && has_entries(state->pgt, pa))
			extend(&reach.pa, &reach.pa_last, 0, UINT64_MAX);
		else
			extend(&reach.pa, &reach.pa_last, pa, pa_last);
	}
	return reach;
}

/*
 * Reach of a TLBI: the pages it names, and every entry of which it names a page. For example, an
 * invalidate of one page inside a 2M block removes the block.
 */
static struct pgtsim_reach reach_of_invalidate(const struct pgtsim_reach_state *state, unsigned cpu,
					       const struct pgtsim_event *event)
{
	uint64_t va = event->va, last, bytes = event->size;
	struct pgtsim_reach reach = no_reach;

	if (event->op == PGTSIM_OP_TLBI_LEAF || event->op == PGTSIM_OP_TLBI_WALK)
		bytes = (event->count - 1) * event->size + pgtsim_page_size(state->geo);
	va &= ~(pgtsim_page_size(state->geo) - 1);
	last = (event->va + (bytes ? bytes - 1 : 0)) | (pgtsim_page_size(state->geo) - 1);
	if (event->op == PGTSIM_OP_TLBI_ALL || event->op == PGTSIM_OP_IDTE || last < va)
		last = UINT64_MAX;
	if (event->op == PGTSIM_OP_TLBI_ALL || event->op == PGTSIM_OP_IDTE)
		va = 0;
	reach.kind = PGTSIM_REACH_INVALIDATE;
	reach.cpu = (uint8_t)cpu;
	reach.va = va;
	reach.last = last;
	for (size_t i = 0; i < state->span_count; i++)
		if (overlap(va, last, state->spans[i].va, state->spans[i].last))
			extend(&reach.va, &reach.last, state->spans[i].va, state->spans[i].last);
	return reach;
}

/*
 * Reach of a barrier: what it can publish or complete on its CPU. DSB ISHST and DMB ISHST do not
 * wait for invalidates.
 */
static struct pgtsim_reach reach_of_barrier(const struct pgtsim_reach_state *state, unsigned cpu,
					    enum pgtsim_op op)
{
	const struct pgtsim_reach_open *open = &state->open[cpu];
	struct pgtsim_reach reach = no_reach;

	reach.kind = op == PGTSIM_OP_ISB ? PGTSIM_REACH_CONTEXT : PGTSIM_REACH_BARRIER;
	reach.cpu = (uint8_t)cpu;
	if (op == PGTSIM_OP_ISB) {
		extend(&reach.va, &reach.last, open->unsynced.va, open->unsynced.last);
		return reach;
	}
	extend(&reach.va, &reach.last, open->stores.va, open->stores.last);
	extend(&reach.new_va, &reach.new_last, open->entries.va, open->entries.last);
	reach.new_size = open->smallest;
	if (op == PGTSIM_OP_DSB_ISHST || op == PGTSIM_OP_DMB_ISHST)
		return reach;
	extend(&reach.va, &reach.last, open->invalidates.va, open->invalidates.last);
	reach.completes = !is_empty(open->invalidates.va, open->invalidates.last);
	return reach;
}

/*
 * Reach of a free: the memory, and for a table also what the entry above it translates, since walks
 * reach the table through that entry.
 */
static struct pgtsim_reach reach_of_free(const struct pgtsim_reach_state *state, unsigned cpu,
					 const struct pgtsim_event *event)
{
	const struct pgtsim_geometry *geo = state->geo;
	struct pgtsim_reach reach = no_reach;
	int above = event->level - 1;
	uint64_t bytes = pgtsim_page_size(geo);

	reach.kind = PGTSIM_REACH_FREE;
	reach.cpu = (uint8_t)cpu;
	reach.pa = event->pa;
	if (event->op == PGTSIM_OP_TABLE_FREE)
		bytes = pgtsim_table_bytes(geo, event->level);
	reach.pa_last = event->pa + event->count * bytes - 1;
	if (event->op != PGTSIM_OP_TABLE_FREE || above < pgtsim_root_level(geo))
		return reach;
	reach.va = pgtsim_entry_base(geo, above, event->va);
	reach.last = reach.va + (pgtsim_entry_size(geo, above) - 1);
	return reach;
}

struct pgtsim_reach pgtsim_reach_of(const struct pgtsim_reach_state *state, unsigned actor,
				    const struct pgtsim_event *event)
{
	unsigned cpu = cpu_of(actor, event);

	switch (event->op) {
	case PGTSIM_OP_STORE:
		return reach_of_anywhere(cpu);
	case PGTSIM_OP_LINK:
	case PGTSIM_OP_UNLINK:
	case PGTSIM_OP_MAP:
	case PGTSIM_OP_CLEAR:
	case PGTSIM_OP_POKE:
		return reach_of_store(state, cpu, event);
	case PGTSIM_OP_TLBI_LEAF:
	case PGTSIM_OP_TLBI_WALK:
	case PGTSIM_OP_TLBI_RANGE:
	case PGTSIM_OP_TLBI_RANGE_WALK:
	case PGTSIM_OP_TLBI_ALL:
	case PGTSIM_OP_IDTE:
		return reach_of_invalidate(state, cpu, event);
	case PGTSIM_OP_TABLE_FREE:
	case PGTSIM_OP_PAGES_FREE:
	case PGTSIM_OP_ALTMAP_FREE:
		return reach_of_free(state, cpu, event);
	default:
		return reach_of_barrier(state, cpu, event->op);
	}
}

struct pgtsim_reach pgtsim_reach_of_end(unsigned cpu, uint64_t va, uint64_t last)
{
	struct pgtsim_reach reach = no_reach;

	reach.kind = PGTSIM_REACH_END;
	reach.cpu = (uint8_t)cpu_of(cpu, NULL);
	reach.va = va;
	reach.last = last;
	return reach;
}

struct pgtsim_reach pgtsim_reach_of_store(const struct pgtsim_reach_state *state, unsigned cpu,
					  int level, uint64_t va)
{
	struct pgtsim_reach reach =
		reach_of_anywhere(cpu == PGTSIM_ANY_CPU ? PGTSIM_REACH_ANY_CPU : cpu_of(cpu, NULL));

	if (level > PGTSIM_PTE)
		return reach;
	reach.va = pgtsim_entry_base(state->geo, level, va);
	reach.last = reach.va + (pgtsim_entry_size(state->geo, level) - 1);
	widen_to_group(state->geo, level, &reach.va, &reach.last);
	return reach;
}

/* ---- the dependence rules ---- */

/*
 * Two steps depend on each other if one of the conditions in rules[kind][kind] holds. Each pair of
 * kinds stands in the table once, the smaller kind first. A pair that is not there never depends:
 * a free and an ISB may be exchanged. What a barrier acts on depends on the barriers before it on
 * its CPU, so two of one CPU depend on each other; actors may share a CPU.
 *
 * Example: actor a clears a pte, and actor b, on another CPU, runs DSB ISH. The barrier orders only
 * what its own CPU did, so the steps are independent, unless b has itself cleared or invalidated that
 * address and no barrier has completed that yet: then SAME_VA holds.
 */
enum rule {
	SAME_VA = 1,
	SAME_PA = 2,
	SAME_CPU = 4,  /* a CPU's barrier acts on everything done on that CPU, by any actor */
	COMPLETES = 8, /* the barrier completes an invalidate; the address does not matter */
	NEW_VA = 16,   /* overlaps an entry that the barrier makes visible */
	NEW_LARGE = 32 /* as NEW_VA, and the stored entry is large enough to be above it */
};

static const uint8_t rules[PGTSIM_REACH_KINDS][PGTSIM_REACH_KINDS] = {
	[PGTSIM_REACH_STORE] = {
		[PGTSIM_REACH_STORE] = SAME_VA,
		[PGTSIM_REACH_INVALIDATE] = SAME_VA,
		[PGTSIM_REACH_BARRIER] = SAME_VA | SAME_CPU | NEW_LARGE,
		[PGTSIM_REACH_CONTEXT] = SAME_CPU,
		[PGTSIM_REACH_FREE] = SAME_VA | SAME_PA,
		[PGTSIM_REACH_END] = SAME_VA,
	},
	[PGTSIM_REACH_INVALIDATE] = {
		[PGTSIM_REACH_INVALIDATE] = SAME_VA,
		[PGTSIM_REACH_BARRIER] = SAME_VA | SAME_CPU,
		[PGTSIM_REACH_CONTEXT] = SAME_CPU,
		[PGTSIM_REACH_END] = SAME_VA,
	},
	[PGTSIM_REACH_BARRIER] = {
		[PGTSIM_REACH_BARRIER] = SAME_CPU,
		[PGTSIM_REACH_CONTEXT] = SAME_CPU,
		[PGTSIM_REACH_FREE] = SAME_VA | COMPLETES,
		[PGTSIM_REACH_END] = SAME_VA | SAME_CPU | NEW_VA,
	},
	[PGTSIM_REACH_CONTEXT] = {
		[PGTSIM_REACH_CONTEXT] = SAME_CPU,
		[PGTSIM_REACH_END] = SAME_VA | SAME_CPU,
	},
	[PGTSIM_REACH_FREE] = {
		[PGTSIM_REACH_FREE] = SAME_PA,
	},
};

/* Tests NEW_VA and NEW_LARGE. Only a barrier has addresses in [new_va, new_last]. */
static bool meets_new(uint8_t rule, const struct pgtsim_reach *barrier,
		      const struct pgtsim_reach *other)
{
	if (!(rule & (NEW_VA | NEW_LARGE)) ||
	    !overlap(barrier->new_va, barrier->new_last, other->va, other->last))
		return false;
	return rule & NEW_VA || other->last - other->va >= barrier->new_size;
}

static bool may_be_same_cpu(const struct pgtsim_reach *a, const struct pgtsim_reach *b)
{
	return a->cpu == b->cpu || a->cpu == PGTSIM_REACH_ANY_CPU || b->cpu == PGTSIM_REACH_ANY_CPU;
}

bool pgtsim_reach_meets(const struct pgtsim_reach *a, const struct pgtsim_reach *b)
{
	uint8_t rule = a->kind <= b->kind ? rules[a->kind][b->kind] : rules[b->kind][a->kind];

	return (rule & SAME_CPU && may_be_same_cpu(a, b)) ||
	       (rule & COMPLETES && (a->completes || b->completes)) ||
	       (rule & SAME_VA && overlap(a->va, a->last, b->va, b->last)) ||
	       (rule & SAME_PA && overlap(a->pa, a->pa_last, b->pa, b->pa_last)) ||
	       meets_new(rule, a, b) || meets_new(rule, b, a);
}

/* ---- logs ---- */

/* Makes room for one more step. `room` is a multiple of the chunk size. */
static bool make_room(struct pgtsim_reach_log *log)
{
	size_t room = log->room ? 2 * log->room : PGTSIM_REACH_CHUNK;
	struct pgtsim_reached *list;
	struct pgtsim_reach_chunk *chunks;

	if (log->count < log->room)
		return true;
	list = realloc(log->list, room * sizeof(*list));
	if (!list)
		return false;
	log->list = list;
	chunks = realloc(log->chunks, room / PGTSIM_REACH_CHUNK * sizeof(*chunks));
	if (!chunks)
		return false;
	log->chunks = chunks;
	log->room = room;
	return true;
}

bool pgtsim_reach_add(struct pgtsim_reach_log *log, uint32_t step, const struct pgtsim_reach *reach)
{
	struct pgtsim_reach_chunk *chunk;

	if (!make_room(log))
		return false;
	chunk = &log->chunks[log->count / PGTSIM_REACH_CHUNK];
	if (log->count % PGTSIM_REACH_CHUNK == 0)
		*chunk = (struct pgtsim_reach_chunk){ .va = UINT64_MAX, .pa = UINT64_MAX };
	chunk->kinds |= 1u << reach->kind;
	extend(&chunk->va, &chunk->last, reach->va, reach->last);
	extend(&chunk->va, &chunk->last, reach->new_va, reach->new_last);
	extend(&chunk->pa, &chunk->pa_last, reach->pa, reach->pa_last);
	log->list[log->count++] = (struct pgtsim_reached){ step, *reach };
	return true;
}

/*
 * False only if no reach in the chunk can meet this one. Uses the rules of all kinds in the chunk
 * together, and one range for all of them.
 */
static bool chunk_may_meet(const struct pgtsim_reach_chunk *chunk, const struct pgtsim_reach *reach)
{
	uint8_t rule = 0;

	for (unsigned k = 0; k < PGTSIM_REACH_KINDS; k++)
		if (chunk->kinds >> k & 1)
			rule |= k <= reach->kind ? rules[k][reach->kind] : rules[reach->kind][k];
	return rule & (SAME_CPU | COMPLETES) ||
	       (rule & (NEW_VA | NEW_LARGE) &&
		overlap(chunk->va, chunk->last, reach->new_va, reach->new_last)) ||
	       (rule & (SAME_VA | NEW_VA | NEW_LARGE) &&
		overlap(chunk->va, chunk->last, reach->va, reach->last)) ||
	       (rule & SAME_PA && overlap(chunk->pa, chunk->pa_last, reach->pa, reach->pa_last));
}

uint32_t pgtsim_reach_last(const struct pgtsim_reach_log *log, uint32_t after,
			   const struct pgtsim_reach *reach)
{
	size_t i = log->count;

	while (i && log->list[i - 1].step > after) {
		if (i % PGTSIM_REACH_CHUNK == 0 || i == log->count) {
			size_t chunk = (i - 1) / PGTSIM_REACH_CHUNK;

			if (!chunk_may_meet(&log->chunks[chunk], reach)) {
				i = chunk * PGTSIM_REACH_CHUNK;
				continue;
			}
		}
		i--;
		if (pgtsim_reach_meets(&log->list[i].reach, reach))
			return log->list[i].step;
	}
	return 0;
}

void pgtsim_reach_log_fini(struct pgtsim_reach_log *log)
{
	free(log->list);
	free(log->chunks);
}
