/* SPDX-License-Identifier: MIT */
/*
 * Translations at random addresses: independent ones, which the host may overlap, and dependent
 * ones, each of which begins where the one before it ended. Beside them a bare walk of four loads
 * through a copy of the same tables that lies as their frames do. Tables of one mapping are lazy
 * until somebody looks at them; the second case has all of them written.
 */
#include "bench.h"

#define PA (UINT64_C(1) << 40)
#define OA (((UINT64_C(1) << 48) - 1) & ~UINT64_C(4095))

enum { WALKS = 1 << 20 }; /* twice as many as 16 GiB of ptes have cache lines */

static uint64_t addresses[WALKS];

/* Tables by their physical address: the frame at pa lies at base + pa. */
struct copy {
	uint64_t *memory;
	uintptr_t base;
	uint64_t root, bytes;
};

static struct copy copy_tables(const struct pgtsim_machine *machine)
{
	uint64_t bytes = machine->tlb.counts.tables_allocated * 4096;
	struct copy copy = {
		.memory = aligned_alloc(2 * MIB, (bytes + 2 * MIB - 1) & ~(2 * MIB - 1)),
	};

	must(copy.memory != NULL);
	copy.base = (uintptr_t)copy.memory - (uintptr_t)RAM_START;
	copy.root = machine->pgt.root->pa;
	for (uint64_t at = 0; at < bytes; at += 4096) {
		const struct pgtsim_table *table =
			machine->pgt.ops.find(machine->pgt.ops.ctx, RAM_START + at);
		uint64_t *entries = &copy.memory[at / sizeof(*entries)];

		must(table != NULL);
		for (unsigned i = 0; i < 512; i++)
			entries[i] = pgtsim_entry(&machine->pgt, table, i);
	}
	return copy;
}

static uint64_t load(const struct copy *copy, uint64_t table, uint64_t index)
{
	return *(const uint64_t *)(copy->base + (uintptr_t)(table & OA) + (index & 511) * 8);
}

static uint64_t bare_walk(const struct copy *copy, uint64_t va)
{
	uint64_t desc = load(copy, copy->root, va >> 39);

	desc = load(copy, desc, va >> 30);
	desc = load(copy, desc, va >> 21);
	desc = load(copy, desc, va >> 12);
	return (desc & OA) + (va & 4095);
}

static __attribute__((noinline)) uint64_t bare_walks(const struct copy *copy, bool dependent)
{
	uint64_t sum = 0, last = 0;

	for (unsigned i = 0; i < WALKS; i++) {
		last = bare_walk(copy, addresses[i] ^ (dependent ? last & 4095 : 0));
		sum += last;
	}
	return sum;
}

static __attribute__((noinline)) uint64_t walks(const struct pgtsim_machine *machine,
						bool dependent)
{
	struct pgtsim_translation at = { .pa = 0 };
	uint64_t sum = 0;

	for (unsigned i = 0; i < WALKS; i++) {
		if (pgtsim_translate(&machine->pgt, addresses[i] ^ (dependent ? at.pa & 4095 : 0),
				     &at))
			return 0;
		sum += at.pa;
	}
	return sum;
}

static void fill_addresses(uint64_t va, uint64_t size)
{
	uint32_t seed = 99;

	for (unsigned i = 0; i < WALKS; i++)
		addresses[i] =
			va + (((uint64_t)bench_random(&seed) << 20 ^ bench_random(&seed)) % size);
}

static void one_round(struct bench *bench, const struct pgtsim_machine *machine,
		      const struct copy *copy, bool dependent)
{
	static const char *const names[2][2] = { { "bare", "independent" },
						 { "bare-dep", "dependent" } };
	double bare = bench_now(), ours;
	uint64_t sum = bare_walks(copy, dependent);

	bare = bench_now() - bare;
	ours = bench_now();
	must(walks(machine, dependent) == sum);
	ours = bench_now() - ours;
	bench_time(bench, names[dependent][0], bare, WALKS, "walk");
	bench_time(bench, names[dependent][1], ours, WALKS, "walk");
}

static void one_case(struct bench *bench, uint64_t size, bool written)
{
	struct pgtsim_machine *machine = bench_machine(false, false, false);
	const struct pgtsim_map map = {
		.va = machine->layout.linear_start + TIB,
		.pa = PA,
		.size = size,
		.attrs = machine->policy.prot[PGTSIM_PROT_TAGGED],
		.table_attrs = machine->policy.linear_table,
		.region = PGTSIM_REGION_LINEAR,
	};
	struct copy copy;

	if (bench_start(bench, 0, "translate/ptes%s/%s", written ? "-written" : "",
			bench_size(size))) {
		must(pgtsim_map(&machine->pgt, &map) == 0);
		bench_must_translate(machine, map.va, map.pa, size);
		fill_addresses(map.va, size);
		copy = copy_tables(machine);
		if (written)
			bench_write_tables(machine);
		while (bench_round(bench)) {
			one_round(bench, machine, &copy, false);
			one_round(bench, machine, &copy, true);
		}
		free(copy.memory);
	}
	pgtsim_machine_free(&machine);
}

void bench_translate(struct bench *bench)
{
	uint64_t size = bench_quick(bench) ? GIB : 16 * GIB;

	one_case(bench, size, false);
	one_case(bench, size, true);
}
