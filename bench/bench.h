/* SPDX-License-Identifier: MIT */
/*
 * What the workloads share. Each one starts a case, does the same work round after round, gives the
 * time of each phase, and states what must be true of the result: a false statement ends the
 * program before any number of that case is printed.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgtsim/pgtsim.h>

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define TIB (UINT64_C(1) << 40)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define RAM_START UINT64_C(0x40000000)

struct bench; /* opaque */

/* ---- a case ---- */

/* Starts a case. False: it was not asked for. `bytes` of tables is what a memset is done of. */
bool bench_start(struct bench *bench, uint64_t bytes, const char *name, ...)
	__attribute__((format(printf, 3, 4)));

/* Does the memset of the next round. False: there were enough, and the case has been printed. */
bool bench_round(struct bench *bench);

/* A phase of this round took `ns`, for `units` of what `unit` says. */
void bench_time(struct bench *bench, const char *phase, double ns, uint64_t units,
		const char *unit);

/* What the counters of the first round say about a phase: their differences. */
void bench_counts(struct bench *bench, const char *phase, const struct pgtsim_counts *before,
		  const struct pgtsim_counts *after);

/* A number that is no time: bytes, a factor. */
void bench_value(struct bench *bench, const char *what, double value, const char *unit);

/* Whether small sizes are wanted; they always are for counts alone. */
bool bench_quick(const struct bench *bench);

/* Whether no times are wanted, so that one round will do. */
bool bench_counts_only(const struct bench *bench);

double bench_now(void); /* ns */

/* Memory as tables have it: in huge pages, if there are any, and not new to the host. */
void *bench_buffer(size_t bytes);

/* Fills the host's caches with something else. */
void bench_evict(void);

/* Ends the program unless it holds. */
#define must(condition) bench_must(condition, #condition, __FILE__, __LINE__)
void bench_must(bool holds, const char *what, const char *file, int line);

/* ---- machines ---- */

/* Somebody looks at every table of a machine: its entries are in memory, not only in its record. */
void bench_write_tables(struct pgtsim_machine *machine);

/* Profile latest, 4K and 48 bits, 32 GiB of boot memory, the linear map of hot-added memory as said. */
struct pgtsim_machine *bench_machine(bool blocks, bool cont, bool checker);

/* Nothing is allocated but the root, nothing is wrong. */
void bench_must_be_empty(struct pgtsim_machine *machine);

/* Some addresses of a mapping translate to where they should, and what is beside it does not. */
void bench_must_translate(const struct pgtsim_machine *machine, uint64_t va, uint64_t pa,
			  uint64_t size);

uint32_t bench_random(uint32_t *seed);

/* "128M", "1G", "1T"; good until the next call but three. */
const char *bench_size(uint64_t bytes);

/* ---- the workloads, one file each ---- */

void bench_linear(struct bench *bench);
void bench_hotplug(struct bench *bench);
void bench_vmemmap(struct bench *bench);
void bench_translate(struct bench *bench);
void bench_live(struct bench *bench);
void bench_small(struct bench *bench);
void bench_churn(struct bench *bench);
void bench_machines(struct bench *bench);
void bench_threads(struct bench *bench);

/* Only with a Linux source: the build says then which kernel BENCH_LINUX is. */
void bench_linux(struct bench *bench);

#endif
