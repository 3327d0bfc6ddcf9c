/* SPDX-License-Identifier: MIT */
/* locks: those that a kernel's functions take. Where schedules are explored, actors wait for them. */
#include <stdio.h>
#include <string.h>

#include "kernel.h"

/* The locks that pgtsim knows, by the last word of what the source calls them. */
static const struct {
	const char *name;
	enum pgtsim_lock lock;
} known[] = {
	{ "mem_hotplug_lock", PGTSIM_LOCK_HOTPLUG },
	{ "page_table_lock", PGTSIM_LOCK_PAGE_TABLE },
	{ "ptl", PGTSIM_LOCK_PAGE_TABLE },
	{ "mmap_lock", PGTSIM_LOCK_MMAP },
};

/* "&init_mm.page_table_lock" without what comes before the last word. */
static const char *last_word(const char *name)
{
	const char *word = name;

	for (const char *c = name; *c; c++)
		if (*c == '.' || *c == '>' || *c == '&' || *c == ' ')
			word = c + 1;
	return word;
}

/* The lock of this name; PGTSIM_LOCKS if the kernel has more locks than there are. */
static enum pgtsim_lock find_lock(struct kernel_engine *e, const char *name)
{
	const char *word = last_word(name);
	unsigned i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(known[i].name, word))
			return known[i].lock;
	for (i = 0; i < KERNEL_LOCKS && e->lock_names[i][0]; i++)
		if (!strcmp(e->lock_names[i], word))
			return (enum pgtsim_lock)(PGTSIM_LOCK_1 + i);
	if (i == KERNEL_LOCKS)
		return PGTSIM_LOCKS;
	snprintf(e->lock_names[i], sizeof(e->lock_names[i]), "%s", word);
	return (enum pgtsim_lock)(PGTSIM_LOCK_1 + i);
}

static void complain(struct kernel_engine *e, const struct kernel_call *call,
		     enum pgtsim_violation_name name, const char *what, const char *lock)
{
	pgtsim_tlb_violation(&e->machine->tlb, name, call->loaded_va, call->loaded_level, "the kernel %s %s",
			     what, last_word(lock));
}

static void take(struct kernel_engine *e, struct kernel_call *call, enum pgtsim_lock lock,
		 const char *name)
{
	struct pgtsim_actor *actor = pgtsim_actor_of(e->machine);

	if (lock == PGTSIM_LOCKS || call->held & 1u << lock) {
		complain(e, call, PGTSIM_V_DEADLOCK,
			 lock == PGTSIM_LOCKS ? "has more locks than pgtsim knows:" :
						"waits for ever: it has taken",
			 name);
		return;
	}
	call->held |= 1u << lock;
	/* Whoever calls the kernel's function may hold it: of readers that is so. */
	if (!actor || pgtsim_actor_holds(actor, lock))
		return;
	call->taken |= 1u << lock;
	pgtsim_actor_lock(actor, lock);
}

static void release(struct kernel_engine *e, struct kernel_call *call, enum pgtsim_lock lock,
		    const char *name)
{
	if (lock == PGTSIM_LOCKS || !(call->held & 1u << lock)) {
		complain(e, call, PGTSIM_V_LOCK_NOT_HELD, "releases", name);
		return;
	}
	call->held &= ~(1u << lock);
	if (call->taken & 1u << lock)
		pgtsim_actor_unlock(pgtsim_actor_of(e->machine), lock);
	call->taken &= ~(1u << lock);
}

void kernel_host_lock(void *ctx, const char *name, bool takes)
{
	struct kernel_engine *e = ctx;
	struct kernel_call *call = e->call;
	enum pgtsim_lock lock = find_lock(e, name);

	if (takes)
		take(e, call, lock, name);
	else
		release(e, call, lock, name);
}

bool kernel_host_holds(void *ctx, const char *name)
{
	struct kernel_engine *e = ctx;
	const struct kernel_call *call = e->call;
	enum pgtsim_lock lock = find_lock(e, name);

	return lock != PGTSIM_LOCKS && call->held & 1u << lock;
}

/* What a lock is called: of a known one, else as the source does. */
static const char *name_of(const struct kernel_engine *e, enum pgtsim_lock lock)
{
	if (lock >= PGTSIM_LOCK_1)
		return e->lock_names[lock - PGTSIM_LOCK_1];
	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].lock == lock)
			return known[i].name;
	return "";
}

void kernel_locks_end(struct kernel_engine *e, struct kernel_call *call, bool stopped)
{
	struct pgtsim_actor *actor = pgtsim_actor_of(e->machine);

	for (unsigned i = 0; i < PGTSIM_LOCKS; i++) {
		if (!(call->held & 1u << i))
			continue;
		if (!stopped)
			complain(e, call, PGTSIM_V_DEADLOCK, "returns and does not release",
				 name_of(e, (enum pgtsim_lock)i));
		if (call->taken & 1u << i)
			pgtsim_actor_unlock(actor, (enum pgtsim_lock)i);
	}
	call->held = call->taken = 0;
}
