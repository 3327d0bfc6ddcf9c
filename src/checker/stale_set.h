/* SPDX-License-Identifier: MIT */
/*
 * stale_set: what TLBs and walk caches may hold that the tables do not give now, as runs.
 *
 * A run is consecutive entries of one level that held values which grow by the entry size, and that
 * fared alike since: cleared in one go, not yet invalidated. Clearing 16 GiB of pages table by table
 * makes one run of four million entries. An invalidate of part of a run cuts it; one entry may be in
 * several runs if several of its old values may be cached. Runs are found by virtual address (a map
 * for each level) and by the physical address they lead to (one map), in time that does not depend
 * on how many there are.
 *
 * This file keeps runs and finds them; what makes an entry stale, and what makes it stale no more,
 * is said in rules.c and bbm.c.
 *
 * If host memory runs out, `lost` is set: some entry is not known to be stale then.
 */
#ifndef PGTSIM_STALE_SET_H
#define PGTSIM_STALE_SET_H

#include <pgtsim/checker.h>
#include <pgtsim/desc.h>

#include "arch/address.h"
#include "events/events.h"
#include "range_map.h"

/* Who is certain to see the store that took a run's values from the tables. */
enum {
	SEEN,        /* every walk */
	SEEN_BY_OWN, /* walks of the CPU that stored: after DSB NSH */
	UNSEEN,      /* nobody: a walk may still cache the old values */
};

/* Of `unlinked`: the tables above, as they are now, restrict what they lead to in another way. */
enum { RESTRICTED = 128 };

/* Why the last invalidate of a run's addresses did not remove it. */
enum {
	WHY_NONE,     /* there was none */
	WHY_EARLY,    /* it came before the store was certain to be seen */
	WHY_HINT,     /* … while a member of the contiguous group could be walked */
	WHY_LEAVES,   /* … was for leaves, where a table went */
	WHY_LEVEL,    /* … had a level hint for another level */
	WHY_LOCAL,    /* … was for the CPU that issued it alone */
	WHY_NSH,      /* … came when only the CPU that stored was certain to see the store */
	WHY_ONCE,     /* … was issued once, on CPUs that need it twice */
	WHY_CPUS_ONLY /* … was for CPUs, and an IOMMU walks the same tables */
};

struct stale {
	struct pgtsim_range by_va, by_pa; /* by_va first: a map's node is cast to its run */
	struct stale *next, **link;       /* of the open ones; link is NULL if it is not */
	struct stale *hit;                /* the next one that a search found */
	struct stale *todo;               /* the next one of a list that outlives searches */
	uint64_t count;                   /* entries */
	uint64_t desc;                    /* the first one's old value; the next ones' grow */
	uint64_t since;                   /* the event that took the first one from the tables */
	uint64_t above;                   /* bits set in table entries that went with it, ORed */
	uint32_t cpu;                     /* which CPU stored */
	int8_t level;
	uint8_t seen;
	uint8_t why;
	uint8_t by;  /* enum pgtsim_op: the operation under way */
	bool walk;   /* tables, which walk caches may hold; else leaves */
	bool orphan; /* a table that only walk caches lead to holds the values */
	bool gap;    /* they never were in the tables: computed from others of a group */
	bool attrs;  /* the entries are as they were, but not the restrictions above */
	/* From here on all is 0 in a new run. */
	uint32_t far; /* which CPU bit 63 stands for, 0 if none */
	/* A bit for each CPU, see pgtsim_stale_cpu(): an invalidate for all CPUs that it issued is
	 * not yet complete; … is complete once, and wants another of any address; the same for those
	 * for itself alone; and whether it has nothing cached any more. */
	uint64_t pending, once, local, local_once, gone;
	uint64_t also;     /* other CPUs that stored later: a DSB of any hides the values */
	uint64_t allowed;  /* of a table with `back`: such bits of it and above now */
	uint64_t loosened; /* of a table: such bits of `above` that a walk may not meet any more */
	uint64_t alike;    /* of a single entry: bytes that smaller leaves translate as it does */
	uint8_t unlinked;  /* why an unseen store of it matters to walk caches only: a bit for each
			   * level at which a table above was unlinked since, or RESTRICTED */
	bool ordered;      /* the store comes before later ones of its CPU: DMB, or DSB */
	bool stepped;      /* each table's part went with an event of its own, one after another */
	bool back;         /* of a table: the tables lead to it again */
	bool harmless;     /* the tables translate the addresses alike, now */
	bool resized;      /* … but in another size */
	bool leaving;      /* it is about to be dropped */
	bool asleep;       /* gone from caches; found again if the table above is linked again */
	bool cpus_gone;    /* no CPU holds them; the IOMMU may */
	uint8_t iommu;     /* 0: it may hold them, 1: an invalidate is pending, 2: gone */
	uint64_t iommu_by; /* the CPUs whose invalidate for it is pending */
	bool told, freed;  /* a violation was reported; one for memory that was freed */
};

/* What a new run is: the rest of struct stale is 0. */
struct stale_value {
	uint64_t desc, since, above;
	uint32_t cpu;
	int8_t level;
	uint8_t seen, why, by;
	bool walk, orphan, gap, attrs;
};

/* What a barrier does, of all that its CPU did before. */
enum {
	BARRIER_ORDERS = 1, /* stores come before its later ones */
	BARRIER_IS_DMB = 2,
	BARRIER_SHOWS_OWN = 4, /* walks of its own see its stores */
	BARRIER_SHOWS_ALL = 8, /* every walk does */
	BARRIER_COMPLETES =
		16,         /* its invalidates are complete; on itself alone, without SHOWS_ALL */
	BARRIER_SYNCS = 32, /* what is complete counts for its next instructions */
};

/* A new valid entry, or several, that some walk may not see yet: visible.c. */
struct unseen {
	uint64_t va, last, event, desc;
	int8_t level;
	uint8_t by;
	uint8_t after; /* BARRIER_ effects of its CPU since; SYNCS: after SHOWS_OWN */
};

/* Addresses whose invalidate a DSB of a CPU has completed; the CPU wants an ISB. */
struct unsynced {
	uint64_t va, last, event;
	int8_t level;
};

/* What is known of a CPU that has issued events. */
struct issuer {
	struct unseen *unseen; /* new entries */
	size_t unseen_count, unseen_room;
	uint64_t *unordered; /* tables that it stored to since its last barrier for stores */
	size_t unordered_count, unordered_room;
	struct unsynced *unsynced; /* of no meaning unless `context` */
	size_t unsynced_count, unsynced_room;
	bool context; /* an invalidate is complete, but there was no ISB since */
};

/* Live entries worth knowing, whose descriptors grow by the entry size. */
struct live {
	struct pgtsim_range by_va; /* first */
	struct live *next;         /* of the spare ones, or of those a search found */
	uint64_t desc;             /* of the entry at by_va.start */
	uint64_t since;            /* the event that wrote it */
	bool told;                 /* a violation was reported */
};

enum { REMARKS = 8, CPUS_IN_MASK = 63 };

/* What is remembered of a routine of events for tables of a level: see pgtsim_routine_begin(). */
struct routine {
	bool known;
	uint64_t events;
};

struct checker {
	struct pgtsim_checker base; /* first */
	struct pgtsim_tlb *tlb;
	const struct pgtsim_geometry *geo;
	const struct pgtsim_policy *policy;
	struct pgtsim_checker_cpu features;
	struct pgtsim_range_map stale[PGTSIM_MAX_LEVELS], stale_by_pa;
	struct pgtsim_range_map
		hinted[PGTSIM_MAX_LEVELS]; /* live leaves with the contiguous hint */
	/* Live entries that are not cached: of no legal form, and members of groups without AF. */
	struct pgtsim_range_map uncached[PGTSIM_MAX_LEVELS];
	struct pgtsim_range_map freed; /* memory, by PA, that the operation under way has freed */
	struct stale *open;                                 /* those that a barrier may change */
	struct stale *newest; /* a store that goes on where it ends makes it longer */
	struct stale *only;   /* the one run there is: no map is asked; NULL if not known */
	struct stale *spare;
	struct live *spare_live;
	size_t runs, tables, harmless, orphans, partial; /* how many; of tables; …; with `alike` */
	struct issuer *issuers;
	unsigned issuer_count;
	uint64_t now; /* events so far: the line of a trace */
	uint64_t bytes, peak;
	uint64_t broken_at, overlapped_at; /* the event that a new entry was last reported at */
	uint8_t by;                        /* the operation under way */
	int8_t poked_level; /* of the entry that was overwritten last */
	bool ahead;                        /* the next event, a poke, has been dealt with */
	bool lost;                         /* host memory ran out */
	bool strict;                       /* remarks are violations */
	struct pgtsim_remark remarks[REMARKS];
	size_t remark_count;
	struct routine routines[PGTSIM_ROUTINES][PGTSIM_MAX_LEVELS];
	struct routine *learning; /* the one under way, if it may be learnt */
	int learning_level;
	uint64_t learning_since, learning_violations; /* events and violations before it */
};

static inline struct checker *checker_of(const struct pgtsim_checker *base)
{
	return (struct checker *)(uintptr_t)base;
}

static inline struct stale *checker_stale_of(struct pgtsim_range *by_va)
{
	return (struct stale *)(void *)by_va;
}

static inline uint64_t checker_entry_size(const struct checker *c, int level)
{
	return pgtsim_entry_size(c->geo, level);
}

/* What an event's entries cover, to the last byte. */
static inline uint64_t checker_last_of(const struct checker *c, const struct pgtsim_event *event)
{
	return event->va + (event->count * checker_entry_size(c, event->level) - 1);
}

/* The old value of the entry that translates va. */
static inline uint64_t checker_old_at(const struct checker *c, const struct stale *run, uint64_t va)
{
	return run->desc + (pgtsim_entry_base(c->geo, run->level, va) - run->by_va.start);
}

/* Who is certain not to find a run's values in the tables any more. */
static inline uint8_t checker_seen(const struct stale *run)
{
	return run->unlinked ? SEEN : run->seen;
}

/* The event that took the entry that translates va from the tables. */
static inline uint64_t checker_event_of(const struct checker *c, const struct stale *run,
					uint64_t va)
{
	unsigned shift =
		c->geo->shift[pgtsim_slot(run->level)] + c->geo->bits[pgtsim_slot(run->level)];

	return run->since + (run->stepped ? (va >> shift) - (run->by_va.start >> shift) : 0);
}

/* NULL if there is no memory. The caller fills in `tlb`, `geo` and `policy`. */
struct checker *pgtsim_stale_new(void);
void pgtsim_stale_free(struct checker *c);

/* Host memory that counts as the checker's; NULL, and `lost`, if there is none. */
void *pgtsim_checker_take(struct checker *c, size_t size);
void pgtsim_checker_give(struct checker *c, void *memory, size_t size);

/* Makes an array that is full twice as large; see pgtsim_checker_room(). */
bool pgtsim_checker_grow(struct checker *c, void **items, size_t count, size_t *room, size_t size);

/*
 * Room for one more item of an array that grows; false if memory ran out. *items is of `count`
 * items of `size` bytes with room for *room.
 */
static inline bool pgtsim_checker_room(struct checker *c, void **items, size_t count, size_t *room,
				       size_t size)
{
	return count < *room || pgtsim_checker_grow(c, items, count, room, size);
}

/* What is known of a CPU; NULL, and `lost`, if memory ran out. */
struct issuer *pgtsim_issuer(struct checker *c, unsigned cpu);

/*
 * Adds a run of values. The entries must not cross the end of the
 * address space. Returns it, or one that was made longer by them; NULL if memory ran out.
 */
struct stale *pgtsim_stale_add(struct checker *c, const struct stale_value *like, uint64_t va,
			       uint64_t count);

/* pgtsim_stale_extend() where the addresses go on. */
bool pgtsim_stale_extend_newest(struct checker *c, const struct pgtsim_event *event);

/* Makes the newest run longer by an event's old values if they only go on where it ends. */
static inline bool pgtsim_stale_extend(struct checker *c, const struct pgtsim_event *event)
{
	const struct stale *run = c->newest;

	return run && run->by_va.last + 1 == event->va && run->level == event->level &&
	       !run->walk && pgtsim_stale_extend_newest(c, event);
}

void pgtsim_stale_drop(struct checker *c, struct stale *run);

/*
 * The part of a run that touches [va, last], cut off from the rest, which stay runs of their own.
 * NULL if memory ran out.
 */
struct stale *pgtsim_stale_cut(struct checker *c, struct stale *run, uint64_t va, uint64_t last);

/* Cuts a run in two before the entry at va. Returns the second one; NULL if memory ran out. */
struct stale *pgtsim_stale_split(struct checker *c, struct stale *run, uint64_t va);

/* Sets or clears `orphan`. */
void pgtsim_stale_orphan(struct checker *c, struct stale *run, bool orphan);

/* Sets or clears `harmless`, with `resized`. */
void pgtsim_stale_harmless(struct checker *c, struct stale *run, bool harmless, bool resized);

/* Sets how many bytes smaller leaves translate as a run's one entry does: harmless if all. */
void pgtsim_stale_alike(struct checker *c, struct stale *run, uint64_t bytes);

/* Copies `hit` to `todo`, so that other searches may follow. Returns the list. */
struct stale *pgtsim_stale_todo(struct stale *list);

/* True if a barrier may change the run. */
static inline bool pgtsim_stale_is_open(const struct stale *run)
{
	return run->pending | run->local | run->once | run->local_once || run->seen != SEEN ||
	       run->iommu == 1;
}

/* Takes a run out of the open ones. */
void pgtsim_stale_close(struct stale *run);

/* A walk may find the run's values again: what was invalidated meanwhile does not count. */
static inline void pgtsim_stale_uncover(struct stale *run)
{
	run->pending = run->once = run->local = run->local_once = run->gone = 0;
	run->iommu = 0;
	run->iommu_by = 0;
	run->cpus_gone = false;
}

/* Puts a run among the open ones if it belongs there. The next barrier takes it out if not. */
static inline void pgtsim_stale_settle(struct checker *c, struct stale *run)
{
	if (run->link || !pgtsim_stale_is_open(run))
		return;
	run->next = c->open;
	run->link = &c->open;
	if (run->next)
		run->next->link = &run->next;
	c->open = run;
}

/* The runs of a level, or of all levels, that touch [va, last]: a list by `hit`. */
struct stale *pgtsim_stale_level(const struct checker *c, int level, uint64_t va, uint64_t last);
struct stale *pgtsim_stale_all(const struct checker *c, uint64_t va, uint64_t last);

/* The runs that lead to [pa, last]: a list by `hit`. */
struct stale *pgtsim_stale_by_pa(const struct checker *c, uint64_t pa, uint64_t last);

/* The bit that stands for a CPU in a run's masks; 0 if there is none for it. */
static inline uint64_t pgtsim_stale_cpu(const struct stale *run, unsigned cpu)
{
	if (cpu < CPUS_IN_MASK)
		return UINT64_C(1) << cpu;
	return run->far == cpu ? UINT64_C(1) << CPUS_IN_MASK : 0;
}

/* ---- live entries ---- */

/* Adds entries, `desc` the first. */
void pgtsim_live_add(struct checker *c, struct pgtsim_range_map *map, uint64_t va, uint64_t last,
		     uint64_t desc);

/* Takes out what lies in [va, last]. */
void pgtsim_live_remove(struct checker *c, struct pgtsim_range_map *map, uint64_t va,
			uint64_t last);

/* Those that touch [va, last]: a list by `next`. */
struct live *pgtsim_live_in(const struct pgtsim_range_map *map, uint64_t va, uint64_t last);

/* How many bytes of [va, last] they are. */
uint64_t pgtsim_live_bytes(const struct pgtsim_range_map *map, uint64_t va, uint64_t last);

#endif
