/* SPDX-License-Identifier: MIT */
/*
 * cpu: CPUs that use the page table through a TLB of their own. For teaching: it shows what a
 * missing invalidate comes to, on one simple machine. What any CPU may do is the checker's
 * business: pgtsim_checker_start().
 *
 * Each CPU has 64 entries for leaves, 4 for each of 16 sets, and 16 for table entries on the way (a
 * walk cache). An entry comes only by an access that was not a hit, in place of an empty one or of
 * one that a seeded sequence picks. It goes only by that, or by an invalidate:
 *   by VA, last level     leaves that contain the VA
 *   by VA, all levels     these, and walk-cache entries for the VA
 *   range, last level     leaves that contain an address of the range
 *   range, all levels     these, and walk-cache entries for such an address
 *   all                   everything
 * A local invalidate is for the CPU that its event names, the others are for all. A level hint that
 * is not the entry's invalidates nothing. With LPA2 a range begins at the multiple of 64K before it.
 * A contiguous group is one entry of the group's size, computed from the member that was walked:
 * an access to any member brings all of them in, one invalidate by VA throws all of them out.
 * Where entries of different sizes translate an address the smallest is used. Faults are not
 * cached; barriers change nothing: stores are seen, and invalidates complete, at once.
 *
 * The CPUs are an observer of the machine's events. They belong to the thread that uses it.
 */
#ifndef PGTSIM_CPU_H
#define PGTSIM_CPU_H

#include <pgtsim/pgtable.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
	PGTSIM_CPU_SETS = 16,
	PGTSIM_CPU_WAYS = 4,
	PGTSIM_CPU_WALKS = 16,
	PGTSIM_CPUS_MAX = 1024,
};

/* What an access met. */
enum pgtsim_outcome {
	PGTSIM_OUTCOME_HIT,   /* a leaf in the TLB */
	PGTSIM_OUTCOME_WALK,  /* a walk from a table entry in the walk cache on */
	PGTSIM_OUTCOME_MISS,  /* a walk from the root */
	PGTSIM_OUTCOME_FAULT, /* a walk that ended in a fault */
	/*
	 * Something cached that the tables do not say any more: the leaf is gone or another one, or
	 * the walk went through a table entry that is, perhaps into a table that is freed.
	 */
	PGTSIM_OUTCOME_STALE_HIT,
};

struct pgtsim_access_result {
	enum pgtsim_outcome outcome;
	struct pgtsim_translation used; /* what the CPU came to; steps: those it read from memory */
	struct pgtsim_translation now;  /* what the tables say */
};

struct pgtsim_cpus; /* opaque */

/*
 * Creates CPUs with nothing cached, which watch the events of pgt from now on. Equal seeds and
 * events give equal results. pgt stays the caller's and must live longer.
 * Returns 0 with them in *out, freed by pgtsim_cpus_free(); -EINVAL (count 0 or above
 * PGTSIM_CPUS_MAX; a page table that threads share) or -ENOBUFS.
 */
PGTSIM_API int pgtsim_cpus_new(struct pgtsim_cpus **out, struct pgtsim_pgtable *pgt, unsigned count,
			       uint64_t seed);

/* Frees them, and sets *cpus to NULL. NULL is allowed. */
PGTSIM_API void pgtsim_cpus_free(struct pgtsim_cpus **cpus);

/*
 * CPU number `cpu`, from 0, accesses va. Each stale hit is reported as a violation.
 * Returns 0, whatever the outcome, or -EINVAL (no such CPU, va outside the region).
 */
PGTSIM_API int pgtsim_cpu_access(struct pgtsim_cpus *cpus, unsigned cpu, uint64_t va,
				 struct pgtsim_access_result *out);

/* "hit", "walk", "miss", "fault", "stale-hit"; NULL for a number that is no outcome. */
PGTSIM_API const char *pgtsim_outcome_name(enum pgtsim_outcome outcome);

#ifdef __cplusplus
}
#endif

#endif
