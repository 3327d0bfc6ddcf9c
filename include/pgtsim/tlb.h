/* SPDX-License-Identifier: MIT */
/*
 * tlb: what the hardware is told. Stores to tables, barriers and invalidates pass through here
 * as events; here they are counted, shown to observers, and violations are kept.
 *
 * An event is a run: one operation on `count` entries or addresses. A flush after each leaf is
 * not many events but one, with a flag; unless somebody looks step by step (`single`). With no
 * observer an event costs its additions and one branch.
 *
 * Threads: while `shared` is set (pgtsim_pgtable_init() of a shared page table does), any number
 * of threads may make events and note violations. Everything else, like adding an observer,
 * resetting or reading counters and violations, wants all others to be still.
 */
#ifndef PGTSIM_TLB_H
#define PGTSIM_TLB_H

#include <pgtsim/geometry.h>
#include <pgtsim/policy.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * All counters: field, name in `stats`, meaning. They count what the modelled kernel does,
 * work.entries aside. A run adds its count.
 */
#define PGTSIM_COUNTERS(X)                                                                         \
	X(tables_pgd, "tables.pgd", "root tables now live")                                        \
	X(tables_p4d, "tables.p4d", "p4d tables now live")                                         \
	X(tables_pud, "tables.pud", "pud tables now live")                                         \
	X(tables_pmd, "tables.pmd", "pmd tables now live")                                         \
	X(tables_pte, "tables.pte", "pte tables now live")                                         \
	X(tables_allocated, "tables.allocated", "table pages allocated, the root included")        \
	X(tables_freed, "tables.freed", "table pages freed")                                       \
	X(tables_kept, "tables.kept", "times pass 2 kept an empty table because of its bounds")    \
	X(tables_constructed, "tables.constructed", "table pages whose constructor was called")    \
	X(tables_destructed, "tables.destructed", "table pages whose destructor was called")       \
	X(leaves_mapped, "leaves.mapped", "leaf descriptors written")                              \
	X(leaves_cleared, "leaves.cleared", "leaf descriptors cleared")                            \
	X(pages_allocated, "pages.allocated", "base pages allocated for the vmemmap")              \
	X(pages_freed, "pages.freed", "base pages freed, tables not included")                     \
	X(pages_migrated, "pages.migrated", "pages in use moved by an offline")                    \
	X(memmap_marked, "memmap.marked", "bytes of vmemmap blocks marked as unused")              \
	X(altmap_allocated, "altmap.allocated", "pages handed out by altmaps")                     \
	X(altmap_freed, "altmap.freed", "pages given back to altmaps")                             \
	X(tlbi_leaf, "tlbi.leaf", "invalidates by VA, last level (VAALE1IS)")                      \
	X(tlbi_walk, "tlbi.walk", "invalidates by VA, all levels (VAAE1IS)")                       \
	X(tlbi_range, "tlbi.range", "range invalidates (RVAALE1IS)")                               \
	X(tlbi_all, "tlbi.all", "invalidates of everything (VMALLE1IS)")                           \
	X(dsb, "dsb", "DSB ISHST and DSB ISH")                                                     \
	X(dsb_ish, "dsb.ish", "those of them that wait for invalidates: DSB ISH")                  \
	X(isb, "isb", "ISB")                                                                       \
	X(entries_read, "entries.read", "descriptors read: one a leaf; pass 2 as it scans")        \
	X(entries_written, "entries.written", "leaf descriptors written or cleared")                \
	X(lines_touched, "lines.touched", "64-byte lines of tables read or written, run by run")   \
	X(work_entries, "work.entries", "entries that the library itself dealt with")              \
	X(explore_schedules, "explore.schedules", "schedules explored")                            \
	X(explore_failed, "explore.failed", "those of them that failed")                           \
	X(violations, "violations", "violations found so far")

struct pgtsim_counts {
#define PGTSIM_COUNTER_FIELD(field, name, meaning) uint64_t field;
	PGTSIM_COUNTERS(PGTSIM_COUNTER_FIELD)
#undef PGTSIM_COUNTER_FIELD
};

/* A counter by name. */
struct pgtsim_counter {
	const char *name, *meaning;
	size_t offset; /* of the uint64_t in struct pgtsim_counts */
};

enum pgtsim_op {
	PGTSIM_OP_TABLE_ALLOC, /* a table page at pa */
	PGTSIM_OP_TABLE_FREE,
	PGTSIM_OP_LINK,   /* a table entry is written */
	PGTSIM_OP_UNLINK, /* a table entry is cleared */
	PGTSIM_OP_MAP,    /* leaves are written */
	PGTSIM_OP_CLEAR,  /* leaves are cleared */
	PGTSIM_OP_POKE,   /* an entry is overwritten by hand */
	PGTSIM_OP_PAGES_ALLOC,
	PGTSIM_OP_PAGES_FREE,
	PGTSIM_OP_ALTMAP_ALLOC,
	PGTSIM_OP_ALTMAP_FREE,
	PGTSIM_OP_DSB_ISHST,
	PGTSIM_OP_DSB_ISH,
	PGTSIM_OP_ISB,
	PGTSIM_OP_TLBI_LEAF,  /* VAALE1IS */
	PGTSIM_OP_TLBI_WALK,  /* VAAE1IS */
	PGTSIM_OP_TLBI_RANGE, /* RVAALE1IS */
	PGTSIM_OP_TLBI_ALL,   /* VMALLE1IS */
	PGTSIM_OP_KASAN_ADD,  /* the zero shadow of pages that hold a memmap comes … */
	PGTSIM_OP_KASAN_REMOVE, /* … and goes */
	PGTSIM_OP_MIGRATE,    /* pages in use move to pa */
	PGTSIM_OP_BEGIN_MAP,  /* marks: an operation on [va, va + size) begins; nothing is counted */
	PGTSIM_OP_BEGIN_POPULATE,
	PGTSIM_OP_BEGIN_PASS_1,
	PGTSIM_OP_BEGIN_PASS_2,
	PGTSIM_OP_COUNT,
};

/* What happens after each entry of a run, in this order; the last two: to each table. */
enum {
	PGTSIM_EACH_SYNC = 1,  /* DSB ISHST, ISB */
	PGTSIM_EACH_FLUSH = 2, /* DSB ISHST, one last-level invalidate by VA, DSB ISH, ISB */
	PGTSIM_EACH_FREE = 4,  /* the memory it mapped is freed */
	PGTSIM_EACH_CTOR = 8,  /* its constructor was called, when it was allocated … */
	PGTSIM_EACH_DTOR = 16, /* … its destructor, when it was freed */
};

struct pgtsim_event {
	enum pgtsim_op op;
	int level;      /* of the entries, or of the table (the root's is PGTSIM_PGD) */
	unsigned flags; /* PGTSIM_EACH_… */
	uint64_t va;    /* the first address concerned */
	uint64_t count; /* entries, tables, operations; pages for the PAGES and ALTMAP events */
	uint64_t size;  /* bytes of VA from one to the next */
	uint64_t old_desc, new_desc; /* of the first entry */
	uint64_t step;  /* what the descriptor that is not 0 grows by from one to the next */
	uint64_t pa;    /* of the first table or page, bytes */
};

/*
 * Sees every event as it happens. Embedded by its owner, who removes it before it goes.
 * Of a shared machine it sees one at a time, from any thread; event() must then not call anything
 * that makes an event or notes a violation.
 */
struct pgtsim_observer {
	void (*event)(struct pgtsim_observer *self, const struct pgtsim_event *event);
	struct pgtsim_observer *next;
};

/* Names of violations, with what they mean and what to do instead: pgtsim_violation_kind(). */
enum pgtsim_violation_name {
	PGTSIM_V_DOUBLE_FREE,
	PGTSIM_V_WRONG_ORDER,
	PGTSIM_V_WRONG_OWNER,
	PGTSIM_V_NOT_RAM,
	PGTSIM_V_BOOT_MEMORY_FREED,
	PGTSIM_V_ALTMAP_WITHOUT_FREE,
	PGTSIM_V_ALTMAP_NOT_EMPTY,
	PGTSIM_V_ALTMAP_LOST_PADDING,
	PGTSIM_V_ALTMAP_WRAPPED,
	PGTSIM_V_CONT_FREED,
	PGTSIM_V_BLOCK_IN_PASS_2,
	PGTSIM_V_LEAF_IN_PASS_2,
	PGTSIM_V_NOT_A_TABLE,
	PGTSIM_V_INVALID_ENTRY,
	PGTSIM_V_TABLE_COUNT,
	PGTSIM_V_TABLE_LEAK,
	PGTSIM_V_TABLE_SHARED,
	PGTSIM_V_BACKING_SHARED,
	PGTSIM_V_LINEAR_HOLE,
	PGTSIM_V_MEMMAP_HOLE,
	PGTSIM_V_BOOT_MEMORY_OFFLINE,
	PGTSIM_V_LOCK_NOT_HELD,
	PGTSIM_V_MARKED_IN_USE,
	PGTSIM_V_PAGE_BLOCK,
	PGTSIM_V_FREED_WHILE_MAPPED,
	PGTSIM_V_EMPTY_TABLE,
	PGTSIM_V_TABLE_NOT_DESTROYED,
	PGTSIM_V_STALE_LEAF,
	PGTSIM_V_STALE_TABLE,
	PGTSIM_V_FREED_WHILE_CACHED,
	PGTSIM_V_TABLE_FREED_WHILE_CACHED,
	PGTSIM_V_MISSING_BARRIER,
	PGTSIM_V_WRONG_INVALIDATE,
	PGTSIM_V_NO_BREAK,
	PGTSIM_V_OVERLAPPING_SIZES,
	PGTSIM_V_UNCHECKED,
	PGTSIM_V_TABLE_USE_AFTER_FREE,
	PGTSIM_V_MAPPING_LOST,
	PGTSIM_V_DEADLOCK,
	PGTSIM_V_EXPLORE_CHECK,
	PGTSIM_V_STALE_HIT,
	PGTSIM_V_COUNT,
};

struct pgtsim_violation_kind {
	const char *name;    /* "double-free" */
	const char *meaning; /* what is wrong */
	const char *instead; /* what to do */
};

struct pgtsim_violation {
	enum pgtsim_violation_name name;
	int level;
	uint64_t va;
	char text[232];
};

enum { PGTSIM_VIOLATIONS_KEPT = 256 }; /* the first ones are kept; all are counted */

struct pgtsim_cached; /* what may still be cached; pgtsim_checker_start() */

struct pgtsim_tlb {
	struct pgtsim_counts counts;
	struct pgtsim_observer *observers;
	struct pgtsim_violation *violations; /* the first ones; NULL until there is one */
	size_t violation_count;              /* of those kept */
	/* Four that are asked as one, for each event. */
	bool quiet;                          /* nothing is counted, shown or kept: somebody only looks */
	bool shared;                         /* by threads: events and violations take turns */
	bool observed;                       /* there are observers; the library's own */
	bool checked;                        /* there is a checker; the library's own */
	bool range_operations;               /* the CPU has them (FEAT_TLBIRANGE) */
	bool bbml2;                          /* … and FEAT_BBM, level 2 */
	/* An event is one entry, after its store; what flags say are events, too. May change with
	 * any event, and counts from the next run on. */
	bool single;
	struct pgtsim_cached *cached;        /* NULL: not checked */
	uintptr_t lock;                      /* the library's own */
};

/* Prepares an empty one; it needs no memory until there is a violation. */
PGTSIM_API void pgtsim_tlb_init(struct pgtsim_tlb *tlb);

/* Frees what it kept. */
PGTSIM_API void pgtsim_tlb_fini(struct pgtsim_tlb *tlb);

/* Adds an observer, or takes it out again (nothing happens if it is not in). */
PGTSIM_API void pgtsim_observe(struct pgtsim_tlb *tlb, struct pgtsim_observer *observer);
PGTSIM_API void pgtsim_unobserve(struct pgtsim_tlb *tlb, struct pgtsim_observer *observer);

/* Counts an event and shows it to the observers. Every store to a table comes through here. */
PGTSIM_API void pgtsim_tlb_event(struct pgtsim_tlb *tlb, const struct pgtsim_event *event);

/* Marks the begin of an operation on [va, last] for whoever watches: one of PGTSIM_OP_BEGIN_…. */
PGTSIM_API void pgtsim_tlb_begin(struct pgtsim_tlb *tlb, enum pgtsim_op op, uint64_t va,
				 uint64_t last);

/* DSB ISHST then ISB: what makes a store visible to walks and to this CPU. */
PGTSIM_API void pgtsim_tlb_sync(struct pgtsim_tlb *tlb);

/* DSB ISHST alone: before a new table is linked. */
PGTSIM_API void pgtsim_tlb_publish(struct pgtsim_tlb *tlb);

/* DSB ISH then ISB: waits for invalidates, and makes them count for this CPU. */
PGTSIM_API void pgtsim_tlb_complete(struct pgtsim_tlb *tlb);

/*
 * flush_tlb_kernel_range() of the profile: DSB ISHST, invalidates for [start, end), DSB ISH,
 * ISB. Above PTRS_PER_PTE pages one invalidate-all; range operations are used if the CPU and the
 * policy have them. Up to 6.12 the addresses are rounded down to 4K, both
 * of them, as the kernel does: a part of a page at the end is not invalidated.
 */
PGTSIM_API void pgtsim_tlb_flush_range(struct pgtsim_tlb *tlb, const struct pgtsim_geometry *geo,
				       const struct pgtsim_policy *policy, uint64_t start,
				       uint64_t end);

/* __flush_tlb_kernel_pgtable(): DSB ISHST, one all-level invalidate by VA, DSB ISH, ISB. */
PGTSIM_API void pgtsim_tlb_flush_table(struct pgtsim_tlb *tlb, uint64_t va);

/*
 * Starts to keep track of what TLBs and walk caches of any CPU may still hold although the tables
 * say otherwise (behaviour of Arm ARM D8.16, D8.17): whatever can be walked may be cached, at any
 * time; a store is certain to be seen after DSB ISHST only, an invalidate certain to be complete
 * after DSB ISH only; and a contiguous group may be cached again as long as one member with the
 * hint can be walked. No schedule is searched: what is possible is found.
 * Start it before anything is mapped. geo and policy stay the caller's. Events of one thread only.
 * Takes host memory for entries that are stale or carry the hint, at most an eighth of their
 * tables' unless scattered frames wait for a flush or violations were found there. Returns 0, -EEXIST (started already) or -ENOMEM.
 */
PGTSIM_API int pgtsim_checker_start(struct pgtsim_tlb *tlb, const struct pgtsim_geometry *geo,
				    const struct pgtsim_policy *policy);

/* Ends that and frees what it took; pgtsim_tlb_fini() does it too. */
PGTSIM_API void pgtsim_checker_stop(struct pgtsim_tlb *tlb);

/* The most host memory that the checker has used so far, bytes; 0 if it is off. */
PGTSIM_API uint64_t pgtsim_checker_bytes(const struct pgtsim_tlb *tlb);

/*
 * The end of an operation on [va, last]: what may still be cached there should not be. Notes a
 * violation for each run of entries that none was noted for. Nothing happens without a checker.
 */
PGTSIM_API void pgtsim_tlb_end(struct pgtsim_tlb *tlb, uint64_t va, uint64_t last);

/* A translation, or the entry of a walk cache, that the tables no longer give. */
struct pgtsim_stale {
	int level;
	uint64_t va;    /* the first address that it translates */
	uint64_t desc;  /* the old descriptor */
	uint64_t since; /* the event that took it from the tables, 1 the first */
};

/*
 * Whether a translation or walk-cache entry for va that is no longer in the tables may be in use;
 * the one of the lowest level in *out. Always false without a checker.
 */
PGTSIM_API bool pgtsim_may_be_stale(const struct pgtsim_tlb *tlb, uint64_t va,
				    struct pgtsim_stale *out);

/* Consecutive entries of one table, or what was one, that are stale and were alike. */
struct pgtsim_stale_run {
	int level;
	uint64_t va;    /* the first address of the first entry */
	uint64_t count; /* entries */
	uint64_t desc;  /* the first one's old descriptor; the next ones' grow by the entry size */
	bool walk;      /* tables, which walk caches may hold; else leaves, which TLBs may hold */
};

/*
 * Shows all that is stale, in no particular order; see() changes nothing of the machine. Takes time
 * for the tables that have stale entries, not for all. Shows nothing without a checker.
 */
PGTSIM_API void pgtsim_stale_visit(const struct pgtsim_tlb *tlb,
				   void (*see)(void *ctx, const struct pgtsim_stale_run *run),
				   void *ctx);

/* Notes a violation: `text` in printf's way says what is wrong here. */
PGTSIM_API void pgtsim_tlb_violation(struct pgtsim_tlb *tlb, enum pgtsim_violation_name name,
				     uint64_t va, int level, const char *text, ...)
#ifdef __GNUC__
	__attribute__((format(printf, 5, 6)))
#endif
	;

/* The violations kept, the first ones; *count receives their number. Valid until the next one. */
PGTSIM_API const struct pgtsim_violation *pgtsim_violations(const struct pgtsim_tlb *tlb,
							    size_t *count);

/* Starts all counters again but those of live tables and of violations, which are kept. */
PGTSIM_API void pgtsim_tlb_reset_counts(struct pgtsim_tlb *tlb);

/* The counters by name; *count receives their number. The table is constant. */
PGTSIM_API const struct pgtsim_counter *pgtsim_counters(size_t *count);

/* The value of a counter, and the counter of that name (NULL if there is none). */
PGTSIM_API uint64_t pgtsim_counter_value(const struct pgtsim_counts *counts,
					 const struct pgtsim_counter *counter);
PGTSIM_API const struct pgtsim_counter *pgtsim_counter_find(const char *name);

/* The violations by enum pgtsim_violation_name. The table is constant. */
PGTSIM_API const struct pgtsim_violation_kind *pgtsim_violation_kind(
	enum pgtsim_violation_name name);

/* The name of an operation: "map", "tlbi-leaf" … */
PGTSIM_API const char *pgtsim_op_name(enum pgtsim_op op);

#ifdef __cplusplus
}
#endif

#endif
