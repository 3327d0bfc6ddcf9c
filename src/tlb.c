/* SPDX-License-Identifier: MIT */
#include <pgtsim/tlb.h>

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cached.h"
#include "events.h"
#include "shared.h"

/* TLBI operands hold VA[55:12] whatever the granule. */
enum { TLBI_SHIFT = 12 };

/* MAX_TLBI_RANGE_PAGES: what one round over all scales can cover. */
#define TLBI_RANGE_PAGES (UINT64_C(1) << 21)

static const struct pgtsim_counter counters[] = {
#define COUNTER_ROW(field, name, meaning) { name, meaning, offsetof(struct pgtsim_counts, field) },
	PGTSIM_COUNTERS(COUNTER_ROW)
#undef COUNTER_ROW
};

static const struct pgtsim_violation_kind kinds[PGTSIM_V_COUNT] = {
	[PGTSIM_V_DOUBLE_FREE] = { "double-free", "a page that is free already is freed again",
				   "free each page once, where its last mapping goes" },
	[PGTSIM_V_WRONG_ORDER] = { "wrong-order",
				   "pages are freed that are not one allocated block",
				   "free the block with the order and the start it was allocated with" },
	[PGTSIM_V_WRONG_OWNER] = { "wrong-owner", "pages are freed to someone who never owned them",
				   "give memory back to the allocator it came from" },
	[PGTSIM_V_NOT_RAM] = { "not-ram", "memory is freed to the page allocator that it never had",
			       "give a device's memory back to its altmap, or do not free it" },
	[PGTSIM_V_BOOT_MEMORY_FREED] = { "boot-memory-freed",
					 "boot memory (reserved) is freed to the page allocator",
					 "refuse to remove boot memory" },
	[PGTSIM_V_ALTMAP_WITHOUT_FREE] = { "altmap-without-free",
					   "an altmap is given to a teardown that frees no memory",
					   "pass the altmap where the vmemmap is freed" },
	[PGTSIM_V_ALTMAP_NOT_EMPTY] = { "altmap-not-empty",
					"an altmap has pages handed out after its memory is gone",
					"free the memmap to the allocator it came from" },
	[PGTSIM_V_ALTMAP_LOST_PADDING] = { "altmap-lost-padding",
					   "an altmap has room, but counts lost padding as used",
					   "start the altmap's memory aligned to a vmemmap block" },
	[PGTSIM_V_ALTMAP_WRAPPED] = { "altmap-wrapped",
				      "more pages are freed to an altmap than it handed out",
				      "free to an altmap only what came from it" },
	[PGTSIM_V_CONT_FREED] = { "cont-freed",
				  "memory mapped with the contiguous hint is freed leaf by leaf",
				  "map memory that is freed leaf by leaf without the hint" },
	[PGTSIM_V_BLOCK_IN_PASS_2] = { "block-in-pass-2",
				       "pass 2 meets a block, which the kernel would read as a table",
				       "unmap the range (pass 1) before its tables are freed" },
	[PGTSIM_V_LEAF_IN_PASS_2] = { "leaf-in-pass-2", "pass 2 meets entries that are not cleared",
				      "unmap the range (pass 1) before its tables are freed" },
	[PGTSIM_V_NOT_A_TABLE] = { "not-a-table",
				   "a table entry points to memory that is no table of that level",
				   "link only tables, and clear the entry before its table is freed" },
	[PGTSIM_V_INVALID_ENTRY] = { "invalid-entry", "an entry is not zero and not valid",
				     "clear it to zero, keep it valid, or mark it by bit 11" },
	[PGTSIM_V_TABLE_COUNT] = { "table-count",
				   "the record of a table's entries disagrees with its memory",
				   "change entries through the library alone" },
	[PGTSIM_V_TABLE_LEAK] = { "table-leak", "table pages are allocated that no entry points to",
				  "free a table when its entry goes" },
	[PGTSIM_V_TABLE_SHARED] = { "table-shared", "two entries point to one table page",
				    "give each entry a table of its own" },
	[PGTSIM_V_BACKING_SHARED] = { "backing-shared", "two vmemmap leaves share one page frame",
				      "hand out a frame once until it is freed" },
	[PGTSIM_V_LINEAR_HOLE] = { "linear-hole",
				   "memory is there that the linear map does not map to itself",
				   "remove only what no leaf shares with a neighbour" },
	[PGTSIM_V_MEMMAP_HOLE] = { "memmap-hole",
				   "memory is there whose struct pages are not mapped",
				   "free a vmemmap leaf when all of it is unused" },
	[PGTSIM_V_BOOT_MEMORY_OFFLINE] = { "boot-memory-offline",
					   "boot memory is offline, so that it can be removed",
					   "refuse to take boot memory offline" },
	[PGTSIM_V_LOCK_NOT_HELD] = { "lock-not-held",
				     "memmap pages are set up or torn down without the hotplug lock",
				     "take mem_hotplug_lock first, release it last" },
	[PGTSIM_V_MARKED_IN_USE] = { "marked-in-use",
				     "struct pages that are in use are marked as unused",
				     "mark only what no memory that is there needs" },
	[PGTSIM_V_PAGE_BLOCK] = { "page-block",
				  "the pages that go online do not begin at a page block, or are none",
				  "reserve whole page blocks, and leave some memory" },
	[PGTSIM_V_FREED_WHILE_MAPPED] = { "freed-while-mapped",
					  "memory is freed while an entry still maps it",
					  "clear the entry, invalidate, then free" },
	[PGTSIM_V_EMPTY_TABLE] = { "empty-table",
				   "a table of hot-added memory is empty and was never freed",
				   "free the tables that a removal empties, within floor and ceiling" },
	[PGTSIM_V_TABLE_NOT_DESTROYED] = { "table-not-destroyed",
					   "a table is freed without its destructor: \"Bad page "
					   "state\", and the count of table pages drifts",
					   "call the destructor of what had its constructor called" },
	[PGTSIM_V_STALE_LEAF] = { "stale-leaf",
				  "a translation that is gone from the tables may still be cached",
				  "clear all of it first, then invalidate, then DSB ISH" },
	[PGTSIM_V_STALE_TABLE] = { "stale-table",
				   "a walk cache may still hold a table that is gone",
				   "invalidate all levels (VAAE1IS) after the entry is cleared" },
	[PGTSIM_V_FREED_WHILE_CACHED] = { "freed-while-cached",
					  "memory is freed while a translation to it may be cached",
					  "clear, invalidate, DSB ISH, and only then free" },
	[PGTSIM_V_TABLE_FREED_WHILE_CACHED] = { "table-freed-while-cached",
						"a table is freed while a walk cache may hold it",
						"clear its entry, invalidate all levels, DSB ISH, "
						"then free" },
	[PGTSIM_V_MISSING_BARRIER] = { "missing-barrier",
				       "a barrier is missing or stands in the wrong place",
				       "store, DSB ISHST, invalidate, DSB ISH, ISB" },
	[PGTSIM_V_WRONG_INVALIDATE] = { "wrong-invalidate",
					"an invalidate of the last level, where a table went",
					"invalidate all levels (VAAE1IS)" },
	[PGTSIM_V_NO_BREAK] = { "no-break", "a valid entry is replaced without break-before-make",
				"clear it, invalidate, DSB ISH, then write the new one" },
	[PGTSIM_V_OVERLAPPING_SIZES] = { "overlapping-sizes",
					 "an address may be cached in two sizes at once",
					 "invalidate the old size before the new one is written" },
	[PGTSIM_V_STALE_HIT] = { "stale-hit",
				 "a CPU uses a translation that the tables do not give any more",
				 "invalidate what has changed, then DSB ISH, before it is used" },
	[PGTSIM_V_UNCHECKED] = { "unchecked",
				 "host memory ran out: what may be cached is not known any more",
				 "run it again with more memory" },
	[PGTSIM_V_TABLE_USE_AFTER_FREE] = { "table-use-after-free",
					    "an actor accesses a table that another one has freed",
					    "keep it from the walk by a lock, or from being freed "
					    "by floor and ceiling" },
	[PGTSIM_V_MAPPING_LOST] = { "mapping-lost", "what an actor mapped is gone",
				    "look again under the page table lock before a table is "
				    "linked, and free only tables of the own region" },
	[PGTSIM_V_DEADLOCK] = { "deadlock", "actors wait for each other for ever",
				"take locks in one order, and give them back" },
	[PGTSIM_V_EXPLORE_CHECK] = { "explore-check",
				     "a schedule ends in a state that its check refuses",
				     "order by a lock what must not overtake" },
};

static const char *const op_names[PGTSIM_OP_COUNT] = {
	[PGTSIM_OP_TABLE_ALLOC] = "table-alloc",
	[PGTSIM_OP_TABLE_FREE] = "table-free",
	[PGTSIM_OP_LINK] = "link",
	[PGTSIM_OP_UNLINK] = "unlink",
	[PGTSIM_OP_MAP] = "map",
	[PGTSIM_OP_CLEAR] = "clear",
	[PGTSIM_OP_POKE] = "poke",
	[PGTSIM_OP_PAGES_ALLOC] = "pages-alloc",
	[PGTSIM_OP_PAGES_FREE] = "pages-free",
	[PGTSIM_OP_ALTMAP_ALLOC] = "altmap-alloc",
	[PGTSIM_OP_ALTMAP_FREE] = "altmap-free",
	[PGTSIM_OP_DSB_ISHST] = "dsb-ishst",
	[PGTSIM_OP_DSB_ISH] = "dsb-ish",
	[PGTSIM_OP_ISB] = "isb",
	[PGTSIM_OP_TLBI_LEAF] = "tlbi-leaf",
	[PGTSIM_OP_TLBI_WALK] = "tlbi-walk",
	[PGTSIM_OP_TLBI_RANGE] = "tlbi-range",
	[PGTSIM_OP_TLBI_ALL] = "tlbi-all",
	[PGTSIM_OP_KASAN_ADD] = "kasan-add",
	[PGTSIM_OP_KASAN_REMOVE] = "kasan-remove",
	[PGTSIM_OP_MIGRATE] = "migrate",
	[PGTSIM_OP_BEGIN_MAP] = "begin-map",
	[PGTSIM_OP_BEGIN_POPULATE] = "begin-populate",
	[PGTSIM_OP_BEGIN_PASS_1] = "begin-pass-1",
	[PGTSIM_OP_BEGIN_PASS_2] = "begin-pass-2",
};

void pgtsim_tlb_init(struct pgtsim_tlb *tlb)
{
	*tlb = (struct pgtsim_tlb){ 0 };
}

void pgtsim_tlb_fini(struct pgtsim_tlb *tlb)
{
	pgtsim_checker_stop(tlb);
	free(tlb->violations);
	tlb->violations = NULL;
	tlb->violation_count = 0;
}

void pgtsim_observe(struct pgtsim_tlb *tlb, struct pgtsim_observer *observer)
{
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
	struct pgtsim_observer **link = &tlb->observers;

	while (*link && *link != observer)
		link = &(*link)->next;
	if (*link)
		*link = observer->next;
	tlb->observed = tlb->observers;
}

void pgtsim_lock_shared(uintptr_t *lock)
{
	enum { SPINS = 100 }; /* before the thread that holds it gets the CPU */
	AO_TS_t *flag = (void *)lock;

	for (unsigned spins = 0; AO_test_and_set_acquire(flag) == AO_TS_SET; spins++)
		if (spins >= SPINS)
			sched_yield();
}

void pgtsim_count_carefully(struct pgtsim_tlb *tlb, uint64_t *counter, uint64_t n)
{
	if (tlb->quiet)
		return;
	pgtsim_lock(tlb->shared, &tlb->lock);
	*counter += n;
	pgtsim_unlock(tlb->shared, &tlb->lock);
}

void pgtsim_tlb_event(struct pgtsim_tlb *tlb, const struct pgtsim_event *event)
{
	if (tlb->cached)
		pgtsim_cached_event(tlb->cached, event);
	if (tlb->quiet)
		return;
	pgtsim_lock(tlb->shared, &tlb->lock);
	pgtsim_tlb_count(&tlb->counts, event->op, event->level, event->count, event->flags);
	for (struct pgtsim_observer *o = tlb->observers, *next; o; o = next) {
		next = o->next;
		o->event(o, event);
	}
	pgtsim_unlock(tlb->shared, &tlb->lock);
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

	pgtsim_tlb_event(tlb, &event);
}

void pgtsim_tlb_end(struct pgtsim_tlb *tlb, uint64_t va, uint64_t last)
{
	if (tlb->cached)
		pgtsim_cached_report(tlb->cached, va, last);
}

/* Most events are barriers: whoever does not need the event itself is spared it. */
static inline void barrier(struct pgtsim_tlb *tlb, enum pgtsim_op op)
{
	if (pgtsim_tlb_tells(tlb)) {
		pgtsim_tlb_event(
			tlb, &(struct pgtsim_event){ .op = op, .level = PGTSIM_PTE, .count = 1 });
		return;
	}
	if (tlb->cached)
		pgtsim_cached_barrier(tlb->cached, op);
	pgtsim_tlb_count(&tlb->counts, op, PGTSIM_PTE, 1, 0);
}

static inline void invalidate(struct pgtsim_tlb *tlb, enum pgtsim_op op, uint64_t va, uint64_t n,
			      uint64_t size)
{
	if (pgtsim_tlb_watched(tlb)) {
		const struct pgtsim_event event = {
			.op = op,
			.level = PGTSIM_PTE,
			.va = va,
			.count = n,
			.size = size,
		};

		if (n)
			pgtsim_events_tell(tlb, &event);
	} else {
		pgtsim_tlb_count(&tlb->counts, op, PGTSIM_PTE, n, 0);
	}
}

void pgtsim_tlb_publish(struct pgtsim_tlb *tlb)
{
	barrier(tlb, PGTSIM_OP_DSB_ISHST);
}

void pgtsim_tlb_sync(struct pgtsim_tlb *tlb)
{
	barrier(tlb, PGTSIM_OP_DSB_ISHST);
	barrier(tlb, PGTSIM_OP_ISB);
}

void pgtsim_tlb_complete(struct pgtsim_tlb *tlb)
{
	barrier(tlb, PGTSIM_OP_DSB_ISH);
	barrier(tlb, PGTSIM_OP_ISB);
}

void pgtsim_tlb_flush_table(struct pgtsim_tlb *tlb, uint64_t va)
{
	barrier(tlb, PGTSIM_OP_DSB_ISHST);
	invalidate(tlb, PGTSIM_OP_TLBI_WALK, va, 1, 0);
	pgtsim_tlb_complete(tlb);
}

/*
 * __flush_tlb_range_op() with range operations: for each scale from 3 down one operation of
 * (num + 1) << (5 * scale + 1) pages, and by VA what is left.
 */
static void invalidate_by_range(struct pgtsim_tlb *tlb, const struct pgtsim_geometry *geo,
				uint64_t va, uint64_t pages)
{
	for (int scale = 3; scale >= 0 && pages > 1; scale--) {
		unsigned shift = 5 * (unsigned)scale + 1;
		uint64_t covered = pages >> shift << shift;

		if (!covered)
			continue;
		invalidate(tlb, PGTSIM_OP_TLBI_RANGE, va, 1, covered << geo->page_shift);
		va += covered << geo->page_shift;
		pages -= covered;
	}
	invalidate(tlb, PGTSIM_OP_TLBI_LEAF, va, pages, pgtsim_page_size(geo));
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
	uint64_t mask = pgtsim_page_size(geo) - 1;
	uint64_t limit = (uint64_t)pgtsim_entries(geo, PGTSIM_PTE) << geo->page_shift;
	bool by_range = tlb->range_operations && policy->tlbi_range;

	if (policy->flush_rounds_out) {
		start &= ~mask;
		end = (end + mask) & ~mask;
	}
	if (by_range)
		limit = TLBI_RANGE_PAGES << geo->page_shift;
	pgtsim_events_publish(tlb);
	if (end - start > limit ||
	    (end - start == limit && !by_range && policy->flush_all == PGTSIM_FLUSH_ALL_FROM))
		invalidate(tlb, PGTSIM_OP_TLBI_ALL, start, 1, end - start);
	else if (by_range)
		invalidate_by_range(tlb, geo, start, (end - start) >> geo->page_shift);
	else
		invalidate(tlb, PGTSIM_OP_TLBI_LEAF, start, operations(geo, start, end - start),
			   pgtsim_page_size(geo));
	pgtsim_events_complete(tlb);
}

/* The lock must be held on a shared machine. */
#ifdef __GNUC__
__attribute__((format(printf, 5, 0)))
#endif
static void
note(struct pgtsim_tlb *tlb, enum pgtsim_violation_name name, uint64_t va, int level,
     const char *text, va_list args)
{
	struct pgtsim_violation *violation;

	tlb->counts.violations++;
	if (!tlb->violations)
		tlb->violations = calloc(PGTSIM_VIOLATIONS_KEPT, sizeof(*tlb->violations));
	if (!tlb->violations || tlb->violation_count == PGTSIM_VIOLATIONS_KEPT)
		return;
	violation = &tlb->violations[tlb->violation_count++];
	violation->name = name;
	violation->va = va;
	violation->level = level;
	vsnprintf(violation->text, sizeof(violation->text), text, args);
}

void pgtsim_tlb_violation(struct pgtsim_tlb *tlb, enum pgtsim_violation_name name, uint64_t va,
			  int level, const char *text, ...)
{
	va_list args;

	if (tlb->quiet)
		return;
	va_start(args, text);
	pgtsim_lock(tlb->shared, &tlb->lock);
	note(tlb, name, va, level, text, args);
	pgtsim_unlock(tlb->shared, &tlb->lock);
	va_end(args);
}

const struct pgtsim_violation *pgtsim_violations(const struct pgtsim_tlb *tlb, size_t *count)
{
	*count = tlb->violation_count;
	return tlb->violations;
}

void pgtsim_tlb_reset_counts(struct pgtsim_tlb *tlb)
{
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

const struct pgtsim_counter *pgtsim_counters(size_t *n)
{
	*n = sizeof(counters) / sizeof(counters[0]);
	return counters;
}

uint64_t pgtsim_counter_value(const struct pgtsim_counts *counts,
			      const struct pgtsim_counter *counter)
{
	uint64_t value;

	memcpy(&value, (const char *)counts + counter->offset, sizeof(value));
	return value;
}

const struct pgtsim_counter *pgtsim_counter_find(const char *name)
{
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		if (!strcmp(counters[i].name, name))
			return &counters[i];
	return NULL;
}

const struct pgtsim_violation_kind *pgtsim_violation_kind(enum pgtsim_violation_name name)
{
	return (unsigned)name < PGTSIM_V_COUNT ? &kinds[name] : NULL;
}

const char *pgtsim_op_name(enum pgtsim_op op)
{
	return (unsigned)op < PGTSIM_OP_COUNT ? op_names[op] : NULL;
}
