/* SPDX-License-Identifier: MIT */
/* blocks: memory blocks that go online or offline by a kernel's functions. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernel.h"

static struct kernel_engine *engine_of(struct pgtsim_engine *engine)
{
	return (struct kernel_engine *)(void *)engine;
}

/* ---- what the kernel's code asks and does ---- */

static bool host_is_early(void *ctx, uint64_t pa)
{
	const struct kernel_engine *e = ctx;

	return pgtsim_section_state(&e->machine->hotplug, pa).early;
}

static void host_block_pages(void *ctx, uint64_t pfn, uint64_t pages, bool online)
{
	struct kernel_engine *e = ctx;
	const struct kernel_call *call = e->call;
	const struct kc_block *block = &call->block;

	if (!kernel_host_holds(e, "mem_hotplug_lock"))
		pgtsim_tlb_violation(&e->machine->tlb, PGTSIM_V_LOCK_NOT_HELD, 0, PGTSIM_PTE,
				     "the kernel calls %s() without mem_hotplug_lock",
				     online ? "online_pages" : "offline_pages");
	if (pfn != block->start + block->memmap_pages ||
	    pages != block->pages - block->memmap_pages)
		pgtsim_tlb_violation(
			&e->machine->tlb, PGTSIM_V_WRONG_OWNER, 0, PGTSIM_PTE,
			"the kernel calls %s() for %llu pages from PFN 0x%llx on, of a block of "
			"%llu pages from PFN 0x%llx on whose first %llu hold its memmap",
			online ? "online_pages" : "offline_pages", (unsigned long long)pages,
			(unsigned long long)pfn, (unsigned long long)block->pages,
			(unsigned long long)block->start, (unsigned long long)block->memmap_pages);
}

static void host_shadow(void *ctx, uint64_t pa, uint64_t pages, bool add)
{
	struct kernel_engine *e = ctx;
	struct kernel_call *call = e->call;
	const struct pgtsim_event event = {
		.op = add ? PGTSIM_OP_KASAN_ADD : PGTSIM_OP_KASAN_REMOVE,
		.level = PGTSIM_PTE,
		.count = pages,
		.pa = pa,
	};

	call->shadow += pages;
	if (!kernel_host_holds(e, "mem_hotplug_lock"))
		pgtsim_tlb_violation(&e->machine->tlb, PGTSIM_V_LOCK_NOT_HELD, 0, PGTSIM_PTE, "%s",
				     pgtsim_op_name(event.op));
	pgtsim_tlb_event(&e->machine->tlb, &event);
}

static void host_print(void *ctx, const char *text)
{
	struct kernel_engine *e = ctx;
	struct kernel_call *call = e->call;
	size_t length;

	snprintf(call->said, sizeof(call->said), "%s", text);
	length = strlen(call->said);
	if (length && call->said[length - 1] == '\n')
		call->said[length - 1] = '\0';
}

/* ---- the engine's functions ---- */

static struct kc_block block_at(const struct pgtsim_hotplug *hotplug, uint64_t start, bool online,
				bool ask)
{
	unsigned shift = hotplug->config.pgt->geo.page_shift;

	return (struct kc_block){
		.start = start >> shift,
		.pages = hotplug->config.block_size >> shift,
		.memmap_pages = pgtsim_section_state(hotplug, start).memmap_pages,
		.online = online,
		.ask = ask,
	};
}

static int change(struct pgtsim_engine *self, struct pgtsim_hotplug *hotplug, uint64_t start,
		  bool online, bool ask)
{
	struct kernel_engine *e = engine_of(self);
	struct kernel_call call;
	enum kc_end end;
	int ret;

	if (!e->plug->kernel->block)
		return PGTSIM_ENGINE_OWN;
	call = kernel_call_begin(e, 0, NULL);
	call.block = block_at(hotplug, start, online, ask);
	e->call = &call;
	end = e->plug->kernel->block(&call.block);
	ret = kernel_call_end(e, &call, end);
	if (!ret && !ask && call.shadow != call.block.memmap_pages)
		pgtsim_tlb_violation(
			&e->machine->tlb, PGTSIM_V_PAGE_BLOCK, 0, PGTSIM_PTE,
			"the KASAN shadow of %llu pages %s, and %llu hold the block's memmap",
			(unsigned long long)call.shadow, online ? "comes" : "goes",
			(unsigned long long)call.block.memmap_pages);
	if (end != KC_REFUSED)
		return ret;
	return kernel_fail(e, -EPERM, "the kernel's notifier refuses it", call.said[0] ? ": " : "",
			   call.said);
}

static int may_offline(struct pgtsim_engine *self, struct pgtsim_hotplug *hotplug, uint64_t start)
{
	return change(self, hotplug, start, false, true);
}

/* What must not fail any more: the library has gone too far. */
static int must(struct pgtsim_engine *self, struct pgtsim_hotplug *hotplug, uint64_t start,
		bool online)
{
	struct kernel_engine *e = engine_of(self);
	int ret = change(self, hotplug, start, online, false);

	if (ret < 0 && ret != -ENOBUFS && ret != -EFAULT)
		pgtsim_tlb_violation(&e->machine->tlb, PGTSIM_V_KERNEL_WARNING, 0, PGTSIM_PTE,
				     "memory_block_%s() fails for the block at 0x%llx",
				     online ? "online" : "offline", (unsigned long long)start);
	return ret;
}

static int online(struct pgtsim_engine *self, struct pgtsim_hotplug *hotplug, uint64_t start)
{
	return must(self, hotplug, start, true);
}

static int offline(struct pgtsim_engine *self, struct pgtsim_hotplug *hotplug, uint64_t start)
{
	return must(self, hotplug, start, false);
}

void kernel_blocks_init(struct kernel_engine *e)
{
	e->host.is_early = host_is_early;
	e->host.block_pages = host_block_pages;
	e->host.shadow = host_shadow;
	e->host.print = host_print;
	e->engine.may_offline = may_offline;
	e->engine.online = online;
	e->engine.offline = offline;
}
