/* SPDX-License-Identifier: MIT */
/*
 * cost: what the counted work would take on a machine. Each counter is multiplied by a constant, and
 * each constant has a range and says where it is from: measured, derived from something measured, or
 * assumed. Few of them were measured, so read a result with its range. Times come out in picoseconds
 * and are the same on every host.
 *
 * A broadcast invalidate waits for every CPU that hears it, so its cost grows with them. An
 * invalidate-all is cheap for the CPU that issues it, and every CPU then refills its TLB: that is
 * told apart, as time that all CPUs lose afterwards; the sum leaves it out.
 */
#ifndef PGTSIM_COST_H
#define PGTSIM_COST_H

#include <pgtsim/tlb.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Numbers, or picoseconds each. pgtsim_cost_knobs() says what each means and where it is from. */
struct pgtsim_cost_model {
	uint64_t cpus;            /* that hear a broadcast */
	uint64_t tlb_entries;     /* of each, that an invalidate-all empties */
	uint64_t tlbi;            /* to issue an invalidate … */
	uint64_t tlbi_per_cpu;    /* … and more for each CPU that hears it */
	uint64_t dsb_ishst;
	uint64_t dsb_ish;         /* to wait for the invalidates before it … */
	uint64_t dsb_ish_per_cpu; /* … and more for each CPU that hears them */
	uint64_t isb;
	uint64_t entry_read, entry_write;
	uint64_t line;            /* to bring a cache line of a table */
	uint64_t table;           /* to allocate or free a table page */
	uint64_t page;            /* to free a page */
	uint64_t refill;          /* a walk after a TLB entry was lost */
	uint64_t sockets;         /* that the CPUs are in; 0 is taken for 1 */
	uint64_t dsb_ish_per_socket; /* to wait, and more for each socket but the first */
	uint64_t chosen;          /* bit I: constant I was set, so it has no range */
};

/* Where a constant is from. */
enum pgtsim_cost_basis {
	PGTSIM_COST_CHOICE,   /* a property of the machine: yours to choose, it has no range */
	PGTSIM_COST_MEASURED, /* somebody measured it and published the number */
	PGTSIM_COST_DERIVED,  /* computed from something that was measured */
	PGTSIM_COST_ASSUMED,  /* nobody is known to have published it */
};

struct pgtsim_cost_knob {
	const char *name;    /* "cpus" */
	const char *meaning;
	const char *source;  /* what was measured, on what and by whom; or why it is assumed */
	const char *address; /* of what was published; NULL: nothing was */
	enum pgtsim_cost_basis basis;
	uint64_t value;      /* the default */
	uint64_t low, high;  /* its range: low <= value <= high */
	size_t offset;       /* of the uint64_t in struct pgtsim_cost_model */
};

/* Picoseconds. */
struct pgtsim_cost {
	uint64_t invalidates, barriers; /* waiting for broadcasts counts as barriers */
	uint64_t entries, lines, memory;
	uint64_t time;    /* the sum: what the CPU that does the work takes; refills not included */
	uint64_t refills; /* what all CPUs together lose afterwards */
};

/* The constants by name; *count receives their number. The table is constant. */
PGTSIM_API const struct pgtsim_cost_knob *pgtsim_cost_knobs(size_t *count);

/* "measured", "derived", "assumed" or "choice"; NULL if there is no such basis. */
PGTSIM_API const char *pgtsim_cost_basis_name(enum pgtsim_cost_basis basis);

/* What no constant stands for and no sum has in it: a sentence without its stop. */
PGTSIM_API const char *pgtsim_cost_leaves_out(void);

/* Every constant at its default. */
PGTSIM_API void pgtsim_cost_model_init(struct pgtsim_cost_model *model);

/*
 * Sets one constant, which has no range from then on. Returns 0, -ENOENT (no such name) or -ERANGE
 * (above 10^9: a millisecond).
 */
PGTSIM_API int pgtsim_cost_set(struct pgtsim_cost_model *model, const char *name, uint64_t value);

/* The value of a constant; 0 if there is none of that name. */
PGTSIM_API uint64_t pgtsim_cost_get(const struct pgtsim_cost_model *model, const char *name);

/* What these counts cost. A sum that does not fit is UINT64_MAX. */
PGTSIM_API void pgtsim_cost_of(const struct pgtsim_counts *counts,
			       const struct pgtsim_cost_model *model, struct pgtsim_cost *cost);

/*
 * The least and the most that these counts cost: with every constant that was not set at the low
 * and at the high end of its range.
 */
PGTSIM_API void pgtsim_cost_range(const struct pgtsim_counts *counts,
				  const struct pgtsim_cost_model *model, struct pgtsim_cost *low,
				  struct pgtsim_cost *high);

#ifdef __cplusplus
}
#endif

#endif
