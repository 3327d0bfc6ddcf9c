/* SPDX-License-Identifier: MIT */
/*
 * tlb: what the CPU is told. Every store to a table, every barrier, every invalidate and every page
 * that comes or goes is an event. Here events are counted (counters.h), shown to observers and
 * handed to the checker (checker.h), and violations are kept (violations.h).
 *
 * An event is a run: one operation on `count` entries or addresses. A flush after each leaf of a
 * run is one event with a flag, not many events, unless somebody looks step by step (`single`).
 * While nobody watches, an event costs a few additions and one branch.
 *
 * An algorithm of your own emits what it does through here:
 *
 *	pgtsim_tlb_begin(tlb, PGTSIM_OP_BEGIN_PASS_1, va, last);
 *	…                                         stores, through pgtable.h
 *	pgtsim_barrier(tlb, PGTSIM_OP_DSB_ISHST, 0);
 *	pgtsim_invalidate(tlb, PGTSIM_OP_TLBI_LEAF, va, 0, 0, PGTSIM_SCOPE_IS, 0);
 *	pgtsim_barrier(tlb, PGTSIM_OP_DSB_ISH, 0);
 *	pgtsim_barrier(tlb, PGTSIM_OP_ISB, 0);
 *	pgtsim_tlb_end(tlb, va, last);            what is stale there is reported now
 *
 * Threads: while `shared` is set (pgtsim_pgtable_init() of a shared page table sets it), any number
 * of threads may emit events and report violations. Memory and tables that a caller frees are then
 * counted only if the caller emits the event. Everything else, like adding an observer or reading
 * counters and violations, wants all other threads to be still.
 */
#ifndef PGTSIM_TLB_H
#define PGTSIM_TLB_H

#include <pgtsim/counters.h>
#include <pgtsim/error.h>
#include <pgtsim/geometry.h>
#include <pgtsim/policy.h>
#include <pgtsim/violations.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Operations. Their numbers stay; a new one comes before PGTSIM_OP_BEGIN_MAP. */
enum pgtsim_op {
	PGTSIM_OP_TABLE_ALLOC, /* a table page at pa, for the entry that translates va */
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
	/* Barriers of the CPU that `cpu` names. */
	PGTSIM_OP_DSB_ISHST,
	PGTSIM_OP_DSB_ISH,
	PGTSIM_OP_ISB,
	/* Invalidates by the CPU that `cpu` names, with `scope` and `ttl`. */
	PGTSIM_OP_TLBI_LEAF,  /* VAALE1: last level, by VA */
	PGTSIM_OP_TLBI_WALK,  /* VAAE1: all levels, by VA */
	PGTSIM_OP_TLBI_RANGE, /* RVAALE1: last level, `size` bytes from va on */
	PGTSIM_OP_TLBI_ALL,   /* VMALLE1 */
	PGTSIM_OP_KASAN_ADD,  /* the zero shadow of pages that hold a memmap comes … */
	PGTSIM_OP_KASAN_REMOVE, /* … and goes */
	PGTSIM_OP_MIGRATE,    /* pages in use move to pa */
	PGTSIM_OP_DSB_ISHLD,
	PGTSIM_OP_DSB_NSH,
	PGTSIM_OP_DSB_OSH,
	PGTSIM_OP_DSB_SY,
	PGTSIM_OP_DMB_ISHST,
	PGTSIM_OP_DMB_ISH,
	PGTSIM_OP_DMB_ISHLD,
	PGTSIM_OP_TLBI_RANGE_WALK, /* RVAAE1: all levels, `size` bytes from va on */
	PGTSIM_OP_STORE,      /* `count` stores from pa on: a table whose place is not known yet */
	PGTSIM_OP_IDTE,       /* s390: invalidates all; comes after all stores before it, and every CPU has
				 done it when it ends */
	PGTSIM_OP_BEGIN_MAP,  /* marks: an operation on [va, va + size) begins; nothing is counted */
	PGTSIM_OP_BEGIN_POPULATE,
	PGTSIM_OP_BEGIN_PASS_1,
	PGTSIM_OP_BEGIN_PASS_2,
	PGTSIM_OP_COUNT,
};

/* What happens after each entry of a run, in this order; the last two happen to each table. */
enum {
	PGTSIM_EACH_SYNC = 1,  /* DSB ISHST, ISB */
	PGTSIM_EACH_FLUSH = 2, /* DSB ISHST, one last-level invalidate by VA, DSB ISH, ISB */
	PGTSIM_EACH_FREE = 4,  /* the memory it mapped is freed */
	PGTSIM_EACH_CTOR = 8,  /* its constructor was called, when it was allocated … */
	PGTSIM_EACH_DTOR = 16, /* … its destructor, when it was freed */
	/* Barriers that are not counted make the entries visible: those of the kernel's fixmap slot
	 * through which it writes tables. Of no effect on anything else. */
	PGTSIM_EACH_SEEN = 32,
	PGTSIM_EACH_KNOWN = 64, /* a barrier is missing that is known to be missing in the kernel */
	/* One instruction replaces the entry and invalidates what CPUs have of it: s390's CRDTE, of
	 * which the IDTE that follows is a part. */
	PGTSIM_EACH_REPLACED = 128,
};

/* Which CPUs an invalidate reaches. */
enum pgtsim_scope {
	PGTSIM_SCOPE_IS,    /* the Inner Shareable domain: all CPUs, as the kernel does */
	PGTSIM_SCOPE_LOCAL, /* the CPU that issues it alone */
	PGTSIM_SCOPE_OS,    /* the Outer Shareable domain: all CPUs here */
	PGTSIM_SCOPE_IOMMU, /* no CPU: an IOMMU that walks the same tables; complete after DSB */
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
	unsigned cpu;   /* the CPU that did it; 0 unless said */
	uint8_t scope;  /* of an invalidate: enum pgtsim_scope */
	uint8_t ttl;    /* its level hint, as the architecture encodes it: 0 none, else TG << 2 | level */
};

/*
 * Sees every event as it happens. Embedded by its owner, who removes it before it goes.
 * Of a shared machine it sees one event at a time, from any thread; event() must then not call
 * anything that emits an event or reports a violation.
 */
struct pgtsim_observer {
	void (*event)(struct pgtsim_observer *self, const struct pgtsim_event *event);
	struct pgtsim_observer *next; /* the library's own */
};

/* Sees the end of each operation, pgtsim_tlb_end(), as long as there are observers. */
struct pgtsim_end_observer {
	void (*end)(struct pgtsim_end_observer *self, uint64_t va, uint64_t last);
};

struct pgtsim_checker; /* opaque: checker.h */
struct pgtsim_memory;  /* opaque: memory.h */

/* Set the fields that say so; read the counters; the rest is the library's own. */
struct pgtsim_tlb {
	struct pgtsim_counts counts;         /* to read: counters.h */
	struct pgtsim_observer *observers;   /* pgtsim_observe() */
	struct pgtsim_violation *violations; /* pgtsim_violations() */
	size_t violation_count;
	/* These eight flags are tested with one load for each event: they stay adjacent. */
	bool quiet;    /* set it to look around: nothing is counted, shown or reported */
	bool shared;   /* the library's own: threads take turns */
	bool observed; /* the library's own: there are observers */
	bool checked;  /* the library's own: there is a checker */
	bool single;   /* set it for one event an entry, after its store, with the barriers and
			  invalidates that flags stand for as events of their own; counts from the
			  next run on */
	bool repeat_tlbi; /* set it before the first event: see pgtsim_tlb_flush_range() */
	bool freeing;  /* the library's own: it emits the event of what it frees itself */
	bool reserved;
	bool range_operations; /* set it before the first event: the CPU has FEAT_TLBIRANGE */
	bool bbml2;    /* set it before the first event, or with pgtsim_checker_set_cpu(): the CPU has
			  FEAT_BBM level 3, which Linux calls BBML2 without aborts */
	bool host_failed; /* the library's own: pgtsim_machine_out_of_host_memory() */
	/* The library's own. */
	struct pgtsim_checker *checker;
	uintptr_t lock;
	uint64_t freed_pa, freed_pages; /* what the event before this one said is freed */
	uint32_t remarks; /* bit PGTSIM_W_…: pgtsim_tlb_remarked() */
	struct pgtsim_end_observer *end_observer; /* NULL, or set it while no other thread is here */
	/*
	 * Why the operation that failed last did so; a machine sets it to its own. NULL, or set it:
	 * reasons are then written there, by whichever thread fails.
	 */
	struct pgtsim_error *error;
	uint64_t room[6];
};

/* Prepares an empty one; it needs no memory until there is a violation. */
PGTSIM_API void pgtsim_tlb_init(struct pgtsim_tlb *tlb);

/* Frees what it kept, the checker included. */
PGTSIM_API void pgtsim_tlb_fini(struct pgtsim_tlb *tlb);

/* Adds an observer, or takes it out again (nothing happens if it is not in). */
PGTSIM_API void pgtsim_observe(struct pgtsim_tlb *tlb, struct pgtsim_observer *observer);
PGTSIM_API void pgtsim_unobserve(struct pgtsim_tlb *tlb, struct pgtsim_observer *observer);

/*
 * Emits an event of the caller's own making: it is counted, shown and checked. An event that lacks
 * what its operation needs (`count`; `va`, `size` and the descriptor of entries; `va` and `pa` of a
 * table; `size` of a range), or has what it cannot have (an operation that does not exist, a barrier
 * with an address), is reported as incomplete-event and has no other effect.
 *
 * Pages and tables that are given back to a machine's memory (memory.h) while there is a checker
 * emit their event themselves; an event for the same pages right before is not repeated.
 */
PGTSIM_API void pgtsim_tlb_event(struct pgtsim_tlb *tlb, const struct pgtsim_event *event);

/*
 * From now on every page and table page that is given back to this memory is an event, whoever
 * gives it back; those of the library's own operations still are one event each. Models what a
 * kernel cannot: a caller's free that comes too early. A machine with a checker does so from the
 * start. It ends with pgtsim_memory_set_hook(memory, NULL). Not for memory that threads share.
 */
PGTSIM_API void pgtsim_tlb_watch_memory(struct pgtsim_tlb *tlb, struct pgtsim_memory *memory);

/*
 * One barrier of a CPU: a PGTSIM_OP_DSB_…, PGTSIM_OP_DMB_… or PGTSIM_OP_ISB. Returns 0, or -EINVAL
 * if op is no barrier; nothing is emitted then.
 */
PGTSIM_API int pgtsim_barrier(struct pgtsim_tlb *tlb, enum pgtsim_op op, unsigned cpu);

/*
 * One invalidate by a CPU: a PGTSIM_OP_TLBI_…. By VA it is for the entries that translate va, and
 * size is 0; a range is for the `size` bytes from va on, at least one; with TLBI_ALL both are 0.
 * ttl is 0 or pgtsim_ttl(): an entry of another level is then not invalidated. Returns 0, or
 * -EINVAL if that cannot be (op is no invalidate, or another value is out of range); nothing is
 * emitted then. What it does is certain only after a DSB ISH of the same CPU.
 */
PGTSIM_API int pgtsim_invalidate(struct pgtsim_tlb *tlb, enum pgtsim_op op, uint64_t va,
				 uint64_t size, unsigned cpu, enum pgtsim_scope scope, uint8_t ttl);

/* The level hint of an invalidate for entries of a level, Arm ARM D8.17; 0 if it has none. */
PGTSIM_API uint8_t pgtsim_ttl(const struct pgtsim_geometry *geo, int level);

/*
 * Begin and end of an operation on [va, last], `last` being its last byte. `op` is one of
 * PGTSIM_OP_BEGIN_…: reports name it as what changed the entries from now on (what is no operation
 * begins nothing). At the end a
 * violation is reported for each run of entries there that may still be cached although the tables
 * say otherwise and that none was reported for yet. Without a checker the end does nothing.
 */
PGTSIM_API void pgtsim_tlb_begin(struct pgtsim_tlb *tlb, enum pgtsim_op op, uint64_t va,
				 uint64_t last);
PGTSIM_API void pgtsim_tlb_end(struct pgtsim_tlb *tlb, uint64_t va, uint64_t last);

/* Any CPU, and any other agent that walks the tables. */
#define PGTSIM_ANY_CPU (~0U)

/*
 * The end of an operation of one CPU, while others are under way: entries that other CPUs wrote,
 * changed or cleared there, and invalidates that they completed, are not judged, as their barriers
 * and invalidates may be still to come. Of PGTSIM_ANY_CPU it is pgtsim_tlb_end(): the machine is at rest. While schedules are
 * explored an actor's pgtsim_tlb_end() is one of its own CPU.
 */
PGTSIM_API void pgtsim_tlb_end_on(struct pgtsim_tlb *tlb, uint64_t va, uint64_t last, unsigned cpu);

/* DSB ISHST then ISB: makes a store visible to walks and to this CPU. */
PGTSIM_API void pgtsim_tlb_sync(struct pgtsim_tlb *tlb);

/* DSB ISHST alone: before a new table is linked. */
PGTSIM_API void pgtsim_tlb_publish(struct pgtsim_tlb *tlb);

/* DSB ISH then ISB: waits for invalidates, and makes them count for this CPU. */
PGTSIM_API void pgtsim_tlb_complete(struct pgtsim_tlb *tlb);

/*
 * flush_tlb_kernel_range() of the profile: DSB ISHST, invalidates for [start, end), DSB ISH, ISB;
 * end is 0 for the end of the address space. Above PTRS_PER_PTE pages it is one invalidate-all. If
 * the CPU and the policy have range operations those are used: for each scale from 3 to 0 one of
 * (NUM + 1) << (5 * scale + 1) pages, and by VA a page that is left over, and with LPA2 the pages
 * before the first multiple of 64K, where alone a range may begin. Up to 6.12 both addresses are
 * rounded down to 4K, as the kernel does: a part of a page at the end is not invalidated.
 *
 * With repeat_tlbi the kernel works around CPUs on which an invalidate is certain only when another
 * one and another DSB ISH follow (ARM64_WORKAROUND_REPEAT_TLBI, as 6.1.y and later do it): each of
 * the library's DSB ISH is followed by an invalidate of VA 0 and a second DSB ISH.
 */
PGTSIM_API void pgtsim_tlb_flush_range(struct pgtsim_tlb *tlb, const struct pgtsim_geometry *geo,
				       const struct pgtsim_policy *policy, uint64_t start,
				       uint64_t end);

/* __flush_tlb_kernel_pgtable(): DSB ISHST, one all-level invalidate by VA, DSB ISH, ISB. */
PGTSIM_API void pgtsim_tlb_flush_table(struct pgtsim_tlb *tlb, uint64_t va);

/*
 * A known weakness of the profile shows in what is done here (policy.h). That is a remark: it is
 * kept once and is no violation, since every machine with that kernel has it.
 */
PGTSIM_API void pgtsim_tlb_remark(struct pgtsim_tlb *tlb, enum pgtsim_weakness_name weakness);

/* True if the weakness has shown. */
PGTSIM_API bool pgtsim_tlb_remarked(const struct pgtsim_tlb *tlb,
				    enum pgtsim_weakness_name weakness);

/* Sets all counters to 0 but those of live tables and of violations, which are kept. */
PGTSIM_API void pgtsim_tlb_reset_counts(struct pgtsim_tlb *tlb);

/* The name of an operation: "map", "tlbi-leaf" …; NULL if there is none. */
PGTSIM_API const char *pgtsim_op_name(enum pgtsim_op op);

#ifdef __cplusplus
}
#endif

#endif
