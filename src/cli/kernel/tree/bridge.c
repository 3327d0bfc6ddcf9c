/* SPDX-License-Identifier: MIT */
/* A machine of the library as the world below the kernel's functions. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plug.h"

struct kc_world kc_world;
const struct kc_kernel *kc_running;
struct kc_task *kc_task;

static struct kc_host host;

/* ---- who runs ---- */

/* A call of the host's, from which it may come back after other calls of the kernel's code. */
struct outside {
	struct kc_task *task;
	void *call;
};

static struct outside leave(void)
{
	struct outside outside = { kc_task, *host.call };

	kc_task = NULL;
	return outside;
}

static void come_back(struct outside outside)
{
	kc_task = outside.task;
	*host.call = outside.call;
}

/* Calls a function of the host's that returns nothing, or one that returns a value. */
#define TELL(function, ...)                          \
	do {                                         \
		struct outside outside = leave();    \
                                                     \
		host.function(host.ctx, __VA_ARGS__); \
		come_back(outside);                  \
	} while (0)

#define ASK(type, function, ...)                                         \
	({                                                               \
		struct outside outside = leave();                        \
		type answer = host.function(host.ctx, __VA_ARGS__);      \
                                                                         \
		come_back(outside);                                      \
		answer;                                                  \
	})

/* The kernel's code runs while there is a task; a call of it that has ended has none. */
static void crashed(void)
{
	if (!kc_task)
		return;
	kc_said(true, NULL, 0);
	longjmp(kc_task->bug, 1);
}

void kc_call_ends(void)
{
	kc_task = NULL;
}

/* ---- the world ---- */

void kc_world_start(unsigned page_shift, uint64_t ram_start, int root_level, uint64_t root_va)
{
	(void)root_level;
	(void)root_va;
	kc_world.page_shift = page_shift;
	kc_world.ram_start = ram_start;
}

void kc_log_add(struct kc_log *log, struct kc_event event)
{
	(void)log;
	TELL(event, &event);
}

void kc_next_is_table(void)
{
	kc_task->table_next = true;
}

uint64_t kc_alloc(unsigned order, bool zero)
{
	bool table = kc_task->table_next;

	(void)zero;
	kc_task->table_next = false;
	return ASK(uint64_t, alloc, order, table);
}

bool kc_alloc_small(void)
{
	struct outside outside = leave();
	bool answer = host.alloc_small(host.ctx);

	come_back(outside);
	return answer;
}

void kc_free(uint64_t pa, unsigned order)
{
	TELL(free, pa, order);
}

void *kc_memory(uint64_t pa)
{
	return ASK(void *, memory, pa);
}

void *kc_table(uint64_t pa)
{
	return ASK(void *, table, pa);
}

uint64_t kc_address(const volatile void *memory)
{
	return ASK(uint64_t, address, memory);
}

void kc_load(const volatile void *entry)
{
	TELL(load, entry);
}

void kc_store(volatile void *entry, uint64_t value)
{
	TELL(store, entry, value);
}

void kc_construct(uint64_t pa)
{
	TELL(construct, pa, false);
}

void kc_destruct(uint64_t pa)
{
	TELL(construct, pa, true);
}

void *kc_fixmap(unsigned slot, uint64_t pa, const char *lock)
{
	TELL(fixmap, slot, pa, lock);
	return pa ? kc_memory(pa) : NULL;
}

void kc_lock(const char *name)
{
	TELL(lock, name, true);
}

void kc_unlock(const char *name)
{
	TELL(lock, name, false);
}

bool kc_holds(const char *name)
{
	return ASK(bool, holds, name);
}

bool kc_is_early(uint64_t pa)
{
	return ASK(bool, is_early, pa);
}

void kc_block_pages(uint64_t pfn, uint64_t pages, bool online)
{
	TELL(block_pages, pfn, pages, online);
}

void kc_shadow(uint64_t pa, uint64_t pages, bool add)
{
	TELL(shadow, pa, pages, add);
}

void kc_print(const char *format, ...)
{
	char text[200];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	TELL(print, text);
}

void kc_pass(int pass, uint64_t start, uint64_t end)
{
	TELL(pass, pass, start, end);
}

void kc_said(bool bug, const char *file, int line)
{
	TELL(said, bug, file, line);
}

/* ---- the plug ---- */

static void attach(const struct kc_host *to, uint64_t root, bool tlbi_range, bool bbm3)
{
	host = *to;
	kc_running = pgtsim_kernel.kernel;
	kc_world.root = root;
	kc_world.tlbi_range = tlbi_range;
	kc_world.bbm3 = bbm3;
}

extern const struct kc_kernel KC_SYMBOL_KERNEL;

static const struct kc_missing missing[] = { KC_MISSING{ NULL, NULL, NULL } };

const struct kc_plug pgtsim_kernel = {
	.version = KC_PLUG_VERSION,
	.host_bytes = sizeof(struct kc_host),
	.tree = KC_TREE,
	.kernel = &KC_SYMBOL_KERNEL,
	.missing = missing,
	.attach = attach,
	.crashed = crashed,
};
