/* SPDX-License-Identifier: MIT */
/*
 * cost: what the counted work would take on a machine. A model of a dozen constants, each a knob
 * with its source; times come out in picoseconds, and are the same on every host.
 *
 * A broadcast invalidate waits for every CPU that hears it, so its cost grows with them. An
 * invalidate-all is cheap for the CPU that issues it, and every CPU then refills its TLB: that is
 * told apart, as time that others lose.
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
};

struct pgtsim_cost_knob {
	const char *name;    /* "cpus" */
	const char *meaning;
	const char *source;  /* why this default */
	uint64_t value;      /* the default */
	size_t offset;       /* of the uint64_t in struct pgtsim_cost_model */
};

/* Picoseconds. */
struct pgtsim_cost {
	uint64_t invalidates, barriers; /* waiting for broadcasts counts as barriers */
	uint64_t entries, lines, memory;
	uint64_t time;    /* the sum: what the CPU that does the work takes */
	uint64_t refills; /* what all CPUs together lose afterwards */
};

/* The constants by name; *count receives their number. The table is constant. */
PGTSIM_API const struct pgtsim_cost_knob *pgtsim_cost_knobs(size_t *count);

/* Every constant at its default. */
PGTSIM_API void pgtsim_cost_model_init(struct pgtsim_cost_model *model);

/* Sets one constant. Returns 0, -ENOENT (no such name) or -ERANGE (above 10^9: a millisecond). */
PGTSIM_API int pgtsim_cost_set(struct pgtsim_cost_model *model, const char *name, uint64_t value);

/* What these counts cost. A sum that does not fit is UINT64_MAX. */
PGTSIM_API void pgtsim_cost_of(const struct pgtsim_counts *counts,
			       const struct pgtsim_cost_model *model, struct pgtsim_cost *cost);

#ifdef __cplusplus
}
#endif

#endif
