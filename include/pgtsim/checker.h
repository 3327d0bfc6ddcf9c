/* SPDX-License-Identifier: MIT */
/*
 * checker: what TLBs and walk caches of any CPU may still hold although the tables say otherwise,
 * decided from the architecture's rules (Arm ARM D8.16, D8.17) without searching schedules.
 */
#ifndef PGTSIM_CHECKER_H
#define PGTSIM_CHECKER_H

#include <pgtsim/geometry.h>
#include <pgtsim/policy.h>
#include <pgtsim/tlb.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Starts to keep track of what TLBs and walk caches of any CPU may still hold although the tables
 * say otherwise (behaviour of Arm ARM D8.16, D8.17): whatever can be walked may be cached, at any
 * time; a store is certain to be seen after DSB ISHST only, an invalidate certain to be complete
 * after DSB ISH only; and a contiguous group may be cached again as long as one member with the
 * hint can be walked. No schedule is searched: what is possible is found.
 * Start it before anything is mapped. geo and policy stay the caller's. Events of one thread only.
 * Takes host memory for entries that are stale or carry the hint, at most an eighth of their
 * tables' unless scattered frames wait for a flush or violations were found there. Returns 0, -EEXIST (started already) or -ENOBUFS
 * (the host is out of memory; later that is the violation "unchecked").
 */
PGTSIM_API int pgtsim_checker_start(struct pgtsim_tlb *tlb, const struct pgtsim_geometry *geo,
				    const struct pgtsim_policy *policy);

/* Ends that and frees what it took; pgtsim_tlb_fini() does it too. */
PGTSIM_API void pgtsim_checker_stop(struct pgtsim_tlb *tlb);

/*
 * The CPUs that the checker is to judge for. Without it: no FEAT_BBM but by pgtsim_tlb.bbml2 (level
 * 3), no FEAT_ETS2, CPUs that need an invalidate once, any number of them, no IOMMU.
 */
struct pgtsim_checker_cpu {
	uint8_t bbm;      /* level of FEAT_BBM, 0 to 3: sizes may change in place from 2 on; but
			   * for 0, pgtsim_tlb.bbml2 becomes true at level 3, else false */
	bool ets2;        /* FEAT_ETS2: a CPU sees its own new entries without ISB */
	bool repeat_tlbi; /* an invalidate is certain only after TLBI, DSB, TLBI, DSB of one CPU */
	bool iommu;       /* an agent walks the same tables that hears no CPU's invalidate, but
			   * those of PGTSIM_SCOPE_IOMMU */
	unsigned cpus;    /* how many CPUs there are: invalidates for each of them alone reach all,
			   * up to 62 of them; 0: any number, so they never do */
};

/* Sets them: before the first event. Returns 0 or -EINVAL (no checker, or bbm above 3). */
PGTSIM_API int pgtsim_checker_set_cpu(struct pgtsim_tlb *tlb, const struct pgtsim_checker_cpu *cpu);

/*
 * What every kernel of a profile does although the architecture does not allow it, found in this
 * run: no violation, unless the checker is strict. One of each kind.
 */
struct pgtsim_remark {
	enum pgtsim_violation_name name;
	int level;
	uint64_t va;    /* of the first one */
	uint64_t count; /* how often */
	char text[232]; /* what it is, with the profile's name */
};

/* The remarks so far; *count receives their number. Valid until the next event. */
PGTSIM_API const struct pgtsim_remark *pgtsim_remarks(const struct pgtsim_tlb *tlb, size_t *count);

/*
 * From now on what would be a remark is a violation, and those so far are reported as such; or the
 * reverse. Returns 0 or -EINVAL (no checker).
 */
PGTSIM_API int pgtsim_checker_set_strict(struct pgtsim_tlb *tlb, bool strict);

/* The most host memory that the checker has used so far, bytes; 0 if it is off. */
PGTSIM_API uint64_t pgtsim_checker_bytes(const struct pgtsim_tlb *tlb);

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

/* The same for one CPU: an invalidate of its own alone removes it for no other. */
PGTSIM_API bool pgtsim_may_be_stale_on(const struct pgtsim_tlb *tlb, uint64_t va, unsigned cpu,
				       struct pgtsim_stale *out);

/*
 * Whether an access to va by a CPU may fault although the tables map it: the entry is new, and what
 * makes it visible to that CPU's walks has not come yet. For another CPU than the one that wrote it:
 * one that is told of it only after the writer's barriers. Always false without a checker.
 */
PGTSIM_API bool pgtsim_may_not_be_seen(const struct pgtsim_tlb *tlb, uint64_t va, unsigned cpu);

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

#ifdef __cplusplus
}
#endif

#endif
