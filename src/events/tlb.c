/* SPDX-License-Identifier: MIT */
/* tlb: events, from whoever emits them to the checker, the counters and the observers. */
#include <pgtsim/tlb.h>

#include <assert.h>
#include <stdlib.h>

#include "arch/lock.h"
#include "events.h"
#include "ops.h"

static_assert(sizeof(void *) != 8 || sizeof(struct pgtsim_tlb) == 656,
	      "a new member takes reserved room: it moves no member of a program compiled before");

void pgtsim_tlb_init(struct pgtsim_tlb *tlb)
{
	if (!tlb)
		return;
	*tlb = (struct pgtsim_tlb){ 0 };
}

void pgtsim_tlb_fini(struct pgtsim_tlb *tlb)
{
	if (!tlb)
		return;
	if (tlb->checker)
		tlb->checker->free(tlb->checker);
	tlb->checker = NULL;
	tlb->checked = false;
	free(tlb->violations);
	tlb->violations = NULL;
	tlb->violation_count = 0;
}

void pgtsim_observe(struct pgtsim_tlb *tlb, struct pgtsim_observer *observer)
{
	if (!tlb || !observer)
		return;

	struct pgtsim_observer **end = &tlb->observers;

	while (*end && *end != observer)
		end = &(*end)->next;
	if (*end)
		return;
	observer->next = NULL;
	*end = observer;
	tlb->observed = true;
}

void pgtsim_unobserve(struct pgtsim_tlb *tlb, struct pgtsim_observer *observer)
{
	if (!tlb)
		return;

	struct pgtsim_observer **link = &tlb->observers;

	while (*link && *link != observer)
		link = &(*link)->next;
	if (*link)
		*link = observer->next;
	tlb->observed = tlb->observers;
}

void pgtsim_count_slowly(struct pgtsim_tlb *tlb, uint64_t *counter, uint64_t n)
{
	if (tlb->quiet)
		return;
	pgtsim_lock(tlb->shared, &tlb->lock);
	*counter += n;
	pgtsim_unlock(tlb->shared, &tlb->lock);
}

/* ---- events ---- */

void pgtsim_emit_event_slowly(struct pgtsim_tlb *tlb, const struct pgtsim_event *event)
{
	if (!tlb->shared)
		tlb->freed_pages = 0;
	if (tlb->checker)
		tlb->checker->event(tlb->checker, event);
	if (tlb->quiet)
		return;
	pgtsim_lock(tlb->shared, &tlb->lock);
	pgtsim_tlb_count(&tlb->counts, event->op, event->level, event->count, event->flags);
	if (event->scope == PGTSIM_SCOPE_LOCAL)
		tlb->counts.tlbi_local += event->count;
	for (struct pgtsim_observer *o = tlb->observers, *next; o; o = next) {
		next = o->next;
		o->event(o, event);
	}
	pgtsim_unlock(tlb->shared, &tlb->lock);
}

void pgtsim_tlb_event(struct pgtsim_tlb *tlb, const struct pgtsim_event *event)
{
	if (!tlb || !event)
		return;

	bool zero_va = tlb->checker && tlb->checker->zero_va;
	const char *lacks = pgtsim_event_lacks(event, zero_va), *name = pgtsim_op_name(event->op);
	const char *wrong = NULL;

	if (lacks) {
		pgtsim_tlb_violation(tlb, PGTSIM_V_INCOMPLETE_EVENT, event->va, event->level,
				     "%s with a wrong `%s`: the event is ignored",
				     name ? name : "an operation that does not exist", lacks);
		return;
	}
	if (tlb->checker)
		wrong = tlb->checker->wrong(tlb->checker, event);
	if (wrong) {
		pgtsim_tlb_violation(tlb, PGTSIM_V_INCOMPLETE_EVENT, event->va, PGTSIM_PTE,
				     "%s: %s: the event is ignored", name, wrong);
		return;
	}
	pgtsim_emit_event_slowly(tlb, event);
	if (!tlb->shared &&
	    (event->op == PGTSIM_OP_PAGES_FREE || event->op == PGTSIM_OP_TABLE_FREE)) {
		tlb->freed_pa = event->pa;
		tlb->freed_pages = event->count;
	}
}

void pgtsim_tlb_begin(struct pgtsim_tlb *tlb, enum pgtsim_op op, uint64_t va, uint64_t last)
{
	const struct pgtsim_event event = {
		.op = op,
		.level = PGTSIM_PTE,
		.va = va,
		.count = 1,
		.size = last - va + 1,
	};

	if (!tlb || (unsigned)op >= PGTSIM_OP_COUNT)
		return;
	pgtsim_emit_event_slowly(tlb, &event);
}

void pgtsim_tlb_end(struct pgtsim_tlb *tlb, uint64_t va, uint64_t last)
{
	if (!tlb)
		return;
	pgtsim_tlb_end_on(tlb, va, last, PGTSIM_ANY_CPU);
}

void pgtsim_tlb_end_on(struct pgtsim_tlb *tlb, uint64_t va, uint64_t last, unsigned cpu)
{
	if (!tlb)
		return;
	if (tlb->checker)
		tlb->checker->end(tlb->checker, va, last, cpu);
	if (tlb->quiet || !tlb->end_observer)
		return;
	pgtsim_lock(tlb->shared, &tlb->lock);
	tlb->end_observer->end(tlb->end_observer, va, last);
	pgtsim_unlock(tlb->shared, &tlb->lock);
}

void pgtsim_tlb_remark(struct pgtsim_tlb *tlb, enum pgtsim_weakness_name weakness)
{
	if (!tlb || tlb->quiet || (unsigned)weakness >= PGTSIM_W_COUNT)
		return;
	pgtsim_lock(tlb->shared, &tlb->lock);
	tlb->remarks |= UINT32_C(1) << weakness;
	pgtsim_unlock(tlb->shared, &tlb->lock);
}

bool pgtsim_tlb_remarked(const struct pgtsim_tlb *tlb, enum pgtsim_weakness_name weakness)
{
	if (!tlb)
		return false;
	return (unsigned)weakness < PGTSIM_W_COUNT && tlb->remarks >> weakness & 1;
}

void pgtsim_tlb_reset_counts(struct pgtsim_tlb *tlb)
{
	if (!tlb)
		return;

	struct pgtsim_counts fresh = {
		.tables_pgd = tlb->counts.tables_pgd,
		.tables_p4d = tlb->counts.tables_p4d,
		.tables_pud = tlb->counts.tables_pud,
		.tables_pmd = tlb->counts.tables_pmd,
		.tables_pte = tlb->counts.tables_pte,
		.violations = tlb->counts.violations,
	};

	tlb->counts = fresh;
}
