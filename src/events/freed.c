/* SPDX-License-Identifier: MIT */
/*
 * freed: emits an event for memory and tables that are freed. Whether the event before said so
 * already is a matter of one thread: where threads share the tlb, whoever frees emits the event.
 */
#include <pgtsim/memory.h>

#include "events.h"
#include "memory/lookup.h"

/* True if the event before this one said that these pages are freed; it is used up then. */
static bool is_said(struct pgtsim_tlb *tlb, uint64_t pa, uint64_t pages, unsigned page_shift)
{
	if (tlb->freed_pages < pages || tlb->freed_pa != pa)
		return false;
	tlb->freed_pa += pages << page_shift;
	tlb->freed_pages -= pages;
	return true;
}

static void pages_freed(void *ctx, uint64_t pfn, uint64_t pages, unsigned page_shift)
{
	struct pgtsim_tlb *tlb = ctx;
	const struct pgtsim_event event = {
		.op = PGTSIM_OP_PAGES_FREE,
		.level = PGTSIM_PTE,
		.count = pages,
		.pa = pfn << page_shift,
	};

	if (!tlb->shared && !tlb->freeing && !is_said(tlb, event.pa, pages, page_shift))
		pgtsim_emit_event_slowly(tlb, &event);
}

/* A table that no entry has ever led to was never part of a page table: `shift` is still 0. */
static void table_freed(void *ctx, const struct pgtsim_table *table)
{
	struct pgtsim_tlb *tlb = ctx;
	const struct pgtsim_event event = {
		.op = PGTSIM_OP_TABLE_FREE,
		.level = table->level,
		.count = 1,
		.pa = table->pa,
	};

	if (tlb->freeing || !pgtsim_state(table)->shift || table->level < PGTSIM_PGD ||
	    is_said(tlb, table->pa, 1, 0))
		return;
	if (table->linked)
		pgtsim_tlb_violation(tlb, PGTSIM_V_FREED_WHILE_MAPPED, 0, table->level - 1,
				     "the table at PA 0x%llx is freed, its entry is not cleared",
				     (unsigned long long)table->pa);
	if (!tlb->shared)
		pgtsim_emit_event_slowly(tlb, &event);
}

void pgtsim_tlb_watch_memory(struct pgtsim_tlb *tlb, struct pgtsim_memory *memory)
{
	const struct pgtsim_memory_hook hook = {
		.pages_freed = pages_freed,
		.table_freed = table_freed,
		.ctx = tlb,
	};

	if (!memory)
		return;
	pgtsim_memory_set_hook(memory, &hook);
}
