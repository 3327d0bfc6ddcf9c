/* SPDX-License-Identifier: MIT */
/* violations: what the library found wrong, with a name, its meaning and what to do instead. */
#ifndef PGTSIM_VIOLATIONS_H
#define PGTSIM_VIOLATIONS_H

#include <stddef.h>
#include <stdint.h>

#include <pgtsim/api.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pgtsim_tlb;

/*
 * All violations: name, its word in messages, what is wrong, what to do instead. A new one is a row
 * at the end and the place that reports it.
 */
// clang-format off
#define PGTSIM_VIOLATIONS(X) \
	X(DOUBLE_FREE, "double-free", \
	  "a page that is free already is freed again", \
	  "free each page once, where its last mapping goes") \
	X(WRONG_ORDER, "wrong-order", \
	  "pages are freed that are not one allocated block", \
	  "free the block with the order and the start it was allocated with") \
	X(WRONG_OWNER, "wrong-owner", \
	  "pages are freed to someone who never owned them", \
	  "give memory back to the allocator it came from") \
	X(NOT_RAM, "not-ram", \
	  "memory is freed to the page allocator that it never had", \
	  "give a device's memory back to its altmap, or do not free it") \
	X(BOOT_MEMORY_FREED, "boot-memory-freed", \
	  "boot memory (reserved) is freed to the page allocator", \
	  "refuse to remove boot memory") \
	X(ALTMAP_WITHOUT_FREE, "altmap-without-free", \
	  "an altmap is given to a teardown that frees no memory", \
	  "pass the altmap where the vmemmap is freed") \
	X(ALTMAP_NOT_EMPTY, "altmap-not-empty", \
	  "an altmap has pages handed out after its memory is gone", \
	  "free the memmap to the allocator it came from") \
	X(ALTMAP_LOST_PADDING, "altmap-lost-padding", \
	  "an altmap has room, but counts lost padding as used", \
	  "start the altmap's memory aligned to a vmemmap block") \
	X(ALTMAP_WRAPPED, "altmap-wrapped", \
	  "more pages are freed to an altmap than it handed out", \
	  "free to an altmap only what came from it") \
	X(CONT_FREED, "cont-freed", \
	  "memory mapped with the contiguous hint is freed leaf by leaf", \
	  "map memory that is freed leaf by leaf without the hint") \
	X(BLOCK_IN_PASS_2, "block-in-pass-2", \
	  "pass 2 meets a block, which the kernel would read as a table", \
	  "unmap the range (pass 1) before its tables are freed") \
	X(LEAF_IN_PASS_2, "leaf-in-pass-2", \
	  "pass 2 meets entries that are not cleared", \
	  "unmap the range (pass 1) before its tables are freed") \
	X(NOT_A_TABLE, "not-a-table", \
	  "a table entry points to memory that is no table of that level", \
	  "link only tables, and clear the entry before its table is freed") \
	X(INVALID_ENTRY, "invalid-entry", \
	  "an entry is not zero and not valid", \
	  "clear it to zero, keep it valid, or mark it by bit 11") \
	X(TABLE_COUNT, "table-count", \
	  "the record of a table's entries disagrees with its memory", \
	  "change entries through the library alone") \
	X(TABLE_LEAK, "table-leak", \
	  "table pages are allocated that no entry points to", \
	  "free a table when its entry goes") \
	X(TABLE_SHARED, "table-shared", \
	  "two entries point to one table page", \
	  "give each entry a table of its own") \
	X(BACKING_SHARED, "backing-shared", \
	  "two vmemmap leaves share one page frame", \
	  "hand out a frame once until it is freed") \
	X(LINEAR_HOLE, "linear-hole", \
	  "memory is there that the linear map does not map to itself", \
	  "remove only what no leaf shares with a neighbour") \
	X(MEMMAP_HOLE, "memmap-hole", \
	  "memory is there whose struct pages are not mapped", \
	  "free a vmemmap leaf when all of it is unused") \
	X(BOOT_MEMORY_OFFLINE, "boot-memory-offline", \
	  "boot memory is offline, so that it can be removed", \
	  "refuse to take boot memory offline") \
	X(LOCK_NOT_HELD, "lock-not-held", \
	  "memmap pages are set up or torn down without the hotplug lock", \
	  "take mem_hotplug_lock first, release it last") \
	X(MARKED_IN_USE, "marked-in-use", \
	  "struct pages that are in use are marked as unused", \
	  "mark only what no memory that is there needs") \
	X(PAGE_BLOCK, "page-block", \
	  "the pages that go online do not begin at a page block, or are none", \
	  "reserve whole page blocks, and leave some memory") \
	X(FREED_WHILE_MAPPED, "freed-while-mapped", \
	  "memory is freed while an entry still maps it", \
	  "clear the entry, invalidate, then free") \
	X(EMPTY_TABLE, "empty-table", \
	  "a table of hot-added memory is empty and was never freed", \
	  "free the tables that a removal empties, within floor and ceiling") \
	X(TABLE_NOT_DESTROYED, "table-not-destroyed", \
	  "a table is freed without its destructor: \"Bad page state\", and the count " \
	  "of table pages drifts", \
	  "call the destructor of what had its constructor called") \
	X(STALE_LEAF, "stale-leaf", \
	  "a translation that is gone from the tables may still be cached", \
	  "clear all of it first, then invalidate, then DSB ISH") \
	X(STALE_TABLE, "stale-table", \
	  "a walk cache may still hold a table that is gone", \
	  "invalidate all levels (VAAE1IS) after the entry is cleared") \
	X(FREED_WHILE_CACHED, "freed-while-cached", \
	  "memory is freed while a translation to it may be cached", \
	  "clear, invalidate, DSB ISH, and only then free") \
	X(TABLE_FREED_WHILE_CACHED, "table-freed-while-cached", \
	  "a table is freed while a walk cache may hold it", \
	  "clear its entry, invalidate all levels, DSB ISH, then free") \
	X(MISSING_BARRIER, "missing-barrier", \
	  "a barrier is missing or stands in the wrong place", \
	  "store, DSB ISHST, invalidate, DSB ISH, ISB") \
	X(WRONG_INVALIDATE, "wrong-invalidate", \
	  "an invalidate that does not remove what went", \
	  "all levels (VAAE1IS) for a table, no level hint or the entry's, and twice on CPUs that need it") \
	X(NO_BREAK, "no-break", \
	  "a valid entry is replaced without break-before-make", \
	  "clear it, invalidate, DSB ISH, then write the new one") \
	X(OVERLAPPING_SIZES, "overlapping-sizes", \
	  "an address may be cached in two sizes at once", \
	  "invalidate the old size before the new one is written") \
	X(UNCHECKED, "unchecked", \
	  "host memory ran out: what may be cached is not known any more", \
	  "run it again with more memory") \
	X(TABLE_USE_AFTER_FREE, "table-use-after-free", \
	  "an actor accesses a table that another one has freed", \
	  "keep it from the walk by a lock, or from being freed by floor and ceiling") \
	X(MAPPING_LOST, "mapping-lost", \
	  "what an actor mapped is gone", \
	  "look again under the page table lock before a table is linked, and free " \
	  "only tables of the own region") \
	X(DEADLOCK, "deadlock", \
	  "actors wait for each other for ever", \
	  "take locks in one order, and give them back") \
	X(EXPLORE_CHECK, "explore-check", \
	  "a schedule ends in a state that its check refuses", \
	  "order by a lock what must not overtake") \
	X(STALE_HIT, "stale-hit", \
	  "a CPU uses a translation that the tables do not give any more", \
	  "invalidate what has changed, then DSB ISH, before it is used") \
	X(INCOMPLETE_EVENT, "incomplete-event", \
	  "an event lacks what its operation needs, or has what it cannot have", \
	  "fill in the field that the message names") \
	X(UNPUBLISHED_TABLE, "unpublished-table", \
	  "a table is linked before its stores are certain to be seen", \
	  "DSB ISHST or DMB ISHST of the CPU that stored, then link") \
	X(NOT_VISIBLE, "not-visible", \
	  "a new entry may not be seen yet: an access may fault", \
	  "DSB ISHST and ISB of the CPU that wrote it") \
	X(MISALIGNED_RANGE, "misaligned-range", \
	  "a range invalidate begins where its operand cannot", \
	  "by VA up to a 64K boundary, then by range") \
	X(MISPROGRAMMED_GROUP, "misprogrammed-group", \
	  "a contiguous group is not what the hint promises", \
	  "set the hint on all entries of a group, alike and aligned, or on none") \
	X(ILLEGAL_DESCRIPTOR, "illegal-descriptor", \
	  "an entry has a form that the architecture reserves, and the MMU takes it for invalid", \
	  "map by the levels and types that the granule has") \
	X(KERNEL_BUG, "kernel-bug", \
	  "the kernel's own code stops the machine: BUG()", \
	  "look at that line of the tree, and at what was done before") \
	X(KERNEL_WARNING, "kernel-warning", \
	  "the kernel's own code warns: WARN()", \
	  "look at that line of the tree, and at what was done before") \
	X(LEAF_AS_TABLE, "leaf-as-table", \
	  "a leaf is taken for an entry that points to a table", \
	  "go below a leaf only when its split has succeeded") \
	X(USAGE_MAP_USE_AFTER_FREE, "usage-map-use-after-free", \
	  "the usage map of a section is read after it was freed", \
	  "free it after a grace period, and read it in an RCU read section or under the hotplug lock")
// clang-format on

enum pgtsim_violation_name {
#define PGTSIM_VIOLATION_NAME(name, word, meaning, instead) PGTSIM_V_##name,
	PGTSIM_VIOLATIONS(PGTSIM_VIOLATION_NAME)
#undef PGTSIM_VIOLATION_NAME
		PGTSIM_V_COUNT,
};

struct pgtsim_violation_kind {
	const char *name;    /* "double-free" */
	const char *meaning; /* what is wrong */
	const char *instead; /* what to do */
};

struct pgtsim_violation {
	enum pgtsim_violation_name name;
	int level;   /* of the entry that is wrong */
	uint64_t va; /* the first address that it translates */
	char text[232];
};

enum { PGTSIM_VIOLATIONS_KEPT = 256 }; /* the first ones are kept; all are counted */

/*
 * Reports a violation at the entry of `level` that translates va; `text` says in printf()'s way
 * what is wrong here. Does nothing for NULL, or a name that is none. On a shared machine any thread may, but not from an observer.
 */
PGTSIM_API void pgtsim_tlb_violation(struct pgtsim_tlb *tlb, enum pgtsim_violation_name name,
				     uint64_t va, int level, const char *text, ...)
#ifdef __GNUC__
	__attribute__((format(printf, 5, 6)))
#endif
	;

/* The violations kept, in order; *count receives their number. Valid until the next one. */
PGTSIM_API const struct pgtsim_violation *pgtsim_violations(const struct pgtsim_tlb *tlb,
							    size_t *count);

/* What there is to say of a violation by that name; NULL if it is none. Constant. */
PGTSIM_API const struct pgtsim_violation_kind *
pgtsim_violation_kind(enum pgtsim_violation_name name);

#ifdef __cplusplus
}
#endif

#endif
