/* SPDX-License-Identifier: MIT */
/* flush: barriers and invalidates, one by one and as the kernel's flush functions issue them. */
#include <pgtsim/tlb.h>

#include <errno.h>

#include "events.h"
#include "ops.h"

/* TLBI operands hold VA[55:12] whatever the granule. */
enum { TLBI_SHIFT = 12 };

/* MAX_TLBI_RANGE_PAGES: what one round over all scales can cover. */
#define TLBI_RANGE_PAGES (UINT64_C(1) << 21)

/* With LPA2 a range operation's operand holds VA[52:16]. */
#define LPA2_RANGE_ALIGN (UINT64_C(1) << 16)

/* ---- one by one ---- */

int pgtsim_barrier(struct pgtsim_tlb *tlb, enum pgtsim_op op, unsigned cpu)
{
	const struct pgtsim_event event = {
		.op = op,
		.level = PGTSIM_PTE,
		.count = 1,
		.cpu = cpu,
	};

	if (!tlb)
		return -EINVAL;
	if (!pgtsim_op_is_barrier(op))
		return pgtsim_fail(tlb, -EINVAL, "operation %u is no barrier", (unsigned)op);
	pgtsim_tlb_event(tlb, &event);
	return 0;
}

int pgtsim_invalidate(struct pgtsim_tlb *tlb, enum pgtsim_op op, uint64_t va, uint64_t size,
		      unsigned cpu, enum pgtsim_scope scope, uint8_t ttl)
{
	const struct pgtsim_event event = {
		.op = op,
		.level = PGTSIM_PTE,
		.va = va,
		.count = 1,
		.size = size,
		.cpu = cpu,
		.scope = (uint8_t)scope,
		.ttl = ttl,
	};

	if (!tlb)
		return -EINVAL;
	if (!pgtsim_op_is_invalidate(op))
		return pgtsim_fail(tlb, -EINVAL, "operation %u is no invalidate", (unsigned)op);
	if ((unsigned)scope > PGTSIM_SCOPE_IOMMU)
		return pgtsim_fail(tlb, -EINVAL, "there is no scope %u", (unsigned)scope);
	if (pgtsim_event_lacks(&event, false))
		return pgtsim_fail(tlb, -EINVAL, "%s with a wrong `%s`", pgtsim_op_name(op),
				   pgtsim_event_lacks(&event, false));
	if (size && !(pgtsim_op_fields(op) & PGTSIM_HAS_SIZE))
		return pgtsim_fail(tlb, -EINVAL, "%s is for one address, so its size is 0",
				   pgtsim_op_name(op));
	pgtsim_tlb_event(tlb, &event);
	return 0;
}

uint8_t pgtsim_ttl(const struct pgtsim_geometry *geo, int level)
{
	if (!geo)
		return 0;

	unsigned granule = geo->page_shift == 12 ? 1 : geo->page_shift == 14 ? 2 : 3;

	return level < PGTSIM_P4D || level > PGTSIM_PTE ? 0 : (uint8_t)(granule << 2 | level);
}

/* ---- sequences ---- */

/* n operations of one kind; the invalidates among them are for n addresses, `size` bytes apart. */
static inline void emit_op(struct pgtsim_tlb *tlb, enum pgtsim_op op, uint64_t va, uint64_t n,
			   uint64_t size)
{
	if (!n)
		return;
	if (pgtsim_tlb_watched(tlb)) {
		const struct pgtsim_event event = {
			.op = op,
			.level = PGTSIM_PTE,
			.va = va,
			.count = n,
			.size = size,
		};

		pgtsim_events_tell(tlb, &event);
	} else {
		pgtsim_count_op(&tlb->counts, op, n);
	}
}

/* Emits one step of a sequence; `event` is used again for each, with its fields as they were. */
static inline void emit_step(struct pgtsim_tlb *tlb, struct pgtsim_event *event, enum pgtsim_op op,
			     uint64_t va, uint64_t size)
{
	event->op = op;
	event->va = va;
	event->size = size;
	pgtsim_events_tell(tlb, event);
}

void pgtsim_emit_steps(struct pgtsim_tlb *tlb, const struct pgtsim_sequence *sequence, uint64_t va,
		       uint64_t size)
{
	struct pgtsim_event event = { .level = PGTSIM_PTE, .count = 1 };

	for (unsigned i = 0; i < sequence->length; i++) {
		enum pgtsim_op op = sequence->op[i];
		bool barrier = op >= PGTSIM_OP_DSB_ISHST && op <= PGTSIM_OP_ISB;

		emit_step(tlb, &event, op, barrier ? 0 : va, barrier ? 0 : size);
		/* __repeat_tlbi_sync() */
		if (op == PGTSIM_OP_DSB_ISH && tlb->repeat_tlbi) {
			emit_step(tlb, &event, PGTSIM_OP_TLBI_LEAF, 0, 0);
			emit_step(tlb, &event, PGTSIM_OP_DSB_ISH, 0, 0);
		}
	}
}

void pgtsim_tlb_publish(struct pgtsim_tlb *tlb)
{
	if (!tlb)
		return;
	pgtsim_emit(tlb, &PGTSIM_PUBLISH, 0, 0);
}

void pgtsim_tlb_sync(struct pgtsim_tlb *tlb)
{
	if (!tlb)
		return;
	pgtsim_emit(tlb, &PGTSIM_SYNC, 0, 0);
}

void pgtsim_tlb_complete(struct pgtsim_tlb *tlb)
{
	if (!tlb)
		return;
	pgtsim_emit(tlb, &PGTSIM_COMPLETE, 0, 0);
}

void pgtsim_tlb_flush_table(struct pgtsim_tlb *tlb, uint64_t va)
{
	if (!tlb)
		return;
	pgtsim_emit(tlb, &PGTSIM_FLUSH_TABLE, va, 0);
}

/* ---- flush_tlb_kernel_range() ---- */

/* Pages before va's next address where a range operation may begin, at most all of them. */
static uint64_t pages_before_range(const struct pgtsim_geometry *geo, uint64_t va, uint64_t pages)
{
	uint64_t before = 0;

	if (geo->oa == PGTSIM_OA_LPA2)
		before = (-va & (LPA2_RANGE_ALIGN - 1)) >> geo->page_shift;
	return before < pages ? before : pages;
}

/*
 * __flush_tlb_range_op() with range operations. Example with LPA2 and 4K pages: 33 pages from 4K
 * past a multiple of 64K are 15 by VA, then 18 by one range (scale 0, NUM 8).
 */
static void invalidate_by_range(struct pgtsim_tlb *tlb, const struct pgtsim_geometry *geo,
				uint64_t va, uint64_t pages)
{
	uint64_t before = pages_before_range(geo, va, pages);

	emit_op(tlb, PGTSIM_OP_TLBI_LEAF, va, before, pgtsim_page_size(geo));
	va += before << geo->page_shift;
	pages -= before;
	for (int scale = 3; scale >= 0 && pages > 1; scale--) {
		unsigned shift = 5 * (unsigned)scale + 1;
		uint64_t covered = pages >> shift << shift;

		emit_op(tlb, PGTSIM_OP_TLBI_RANGE, va, covered != 0, covered << geo->page_shift);
		va += covered << geo->page_shift;
		pages -= covered;
	}
	emit_op(tlb, PGTSIM_OP_TLBI_LEAF, va, pages, pgtsim_page_size(geo));
}

/* How many by-VA operations the kernel's loop over 4K units from va to va + size makes. */
static uint64_t operations(const struct pgtsim_geometry *geo, uint64_t va, uint64_t size)
{
	uint64_t units = ((va & ((1u << TLBI_SHIFT) - 1)) + size) >> TLBI_SHIFT;
	uint64_t per_page = UINT64_C(1) << (geo->page_shift - TLBI_SHIFT);

	return (units + per_page - 1) / per_page;
}

void pgtsim_tlb_flush_range(struct pgtsim_tlb *tlb, const struct pgtsim_geometry *geo,
			    const struct pgtsim_policy *policy, uint64_t start, uint64_t end)
{
	if (!tlb || !geo || !policy)
		return;

	uint64_t mask = pgtsim_page_size(geo) - 1;
	uint64_t limit = (uint64_t)pgtsim_entries(geo, PGTSIM_PTE) << geo->page_shift;
	bool by_range = tlb->range_operations && policy->tlbi_range;

	if (policy->flush_rounds_out) {
		start &= ~mask;
		end = (end + mask) & ~mask;
	}
	if (by_range)
		limit = TLBI_RANGE_PAGES << geo->page_shift;
	pgtsim_emit(tlb, &PGTSIM_PUBLISH, 0, 0);
	if (end - start > limit ||
	    (end - start == limit && !by_range && policy->flush_all == PGTSIM_FLUSH_ALL_FROM))
		emit_op(tlb, PGTSIM_OP_TLBI_ALL, start, 1, end - start);
	else if (by_range)
		invalidate_by_range(tlb, geo, start, (end - start) >> geo->page_shift);
	else
		emit_op(tlb, PGTSIM_OP_TLBI_LEAF, start, operations(geo, start, end - start),
			pgtsim_page_size(geo));
	pgtsim_emit(tlb, &PGTSIM_COMPLETE, 0, 0);
}
