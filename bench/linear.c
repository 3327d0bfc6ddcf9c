/* SPDX-License-Identifier: MIT */
/* Map, pass 1 and pass 2 of one range: how they grow, and what each leaf costs. */
#include "bench.h"

#ifdef __linux__
#include <unistd.h>
#endif

/* What is mapped, a terabyte above the start of the linear map. */
#define PA (UINT64_C(1) << 40)

struct kind {
	const char *name;
	uint64_t leaf;  /* bytes */
	uint64_t shift; /* of the physical address, away from PA: 2M keeps 1G blocks out */
	bool blocks, cont, checker;
	bool cold; /* what is touched is in none of the host's caches, whatever its size */
	uint64_t sizes[8];
};

static const struct kind kinds[] = {
	{ .name = "ptes",
	  .leaf = 4 * KIB,
	  .sizes = { 128 * MIB, GIB, 16 * GIB, 64 * GIB, 256 * GIB, TIB } },
	{ .name = "ptes-cold",
	  .leaf = 4 * KIB,
	  .cold = true,
	  .sizes = { GIB, 16 * GIB, 256 * GIB, TIB } },
	{ .name = "2M",
	  .leaf = 2 * MIB,
	  .shift = 2 * MIB,
	  .blocks = true,
	  .sizes = { 128 * MIB, GIB, 64 * GIB, TIB } },
	{ .name = "1G", .leaf = GIB, .blocks = true, .sizes = { GIB, 64 * GIB, TIB } },
	{ .name = "cont", .leaf = 4 * KIB, .cont = true, .sizes = { 128 * MIB, GIB, 16 * GIB } },
	{ .name = "ptes-checked",
	  .leaf = 4 * KIB,
	  .checker = true,
	  .sizes = { 128 * MIB, GIB, 16 * GIB } },
	{ .name = "2M-checked",
	  .leaf = 2 * MIB,
	  .shift = 2 * MIB,
	  .blocks = true,
	  .checker = true,
	  .sizes = { GIB, 64 * GIB } },
};

static uint64_t tables_of(uint64_t va, uint64_t size, uint64_t span)
{
	return (va + size - 1) / span - va / span + 1;
}

/* Tables below the root that the mapping needs. */
static uint64_t tables_for(const struct kind *kind, uint64_t va, uint64_t size)
{
	uint64_t tables = tables_of(va, size, 512 * GIB);

	if (kind->leaf < GIB)
		tables += tables_of(va, size, GIB);
	if (kind->leaf < 2 * MIB)
		tables += tables_of(va, size, 2 * MIB);
	return tables;
}

static void must_be_mapped(struct pgtsim_machine *machine, const struct kind *kind,
			   const struct pgtsim_map *map, const struct pgtsim_counts *before)
{
	const struct pgtsim_counts *now = &machine->tlb.counts;
	uint64_t tables = tables_for(kind, map->va, map->size);

	must(now->leaves_mapped - before->leaves_mapped == map->size / kind->leaf);
	must(now->tables_allocated - before->tables_allocated == tables);
	must(pgtsim_memory_free_count(machine->memory) ==
	     pgtsim_memory_ram_count(machine->memory) - 1 - tables);
	bench_must_translate(machine, map->va, map->pa, map->size);
}

/* The time when a phase begins, or the memset of the next round. */
static double begin(const struct bench *bench, const struct kind *kind)
{
	if (kind->cold && !bench_counts_only(bench))
		bench_evict();
	return bench_now();
}

static void one_round(struct bench *bench, struct pgtsim_machine *machine, const struct kind *kind,
		      const struct pgtsim_map *map)
{
	const struct pgtsim_unmap unmap = { .start = map->va, .end = map->va + map->size };
	uint64_t leaves = map->size / kind->leaf;
	struct pgtsim_counts at[4];
	double ns[4];

	at[0] = machine->tlb.counts;
	ns[0] = begin(bench, kind);
	must(pgtsim_map(&machine->pgt, map) == 0);
	ns[0] = bench_now() - ns[0];
	at[1] = machine->tlb.counts;
	must_be_mapped(machine, kind, map, &at[0]);
	ns[1] = begin(bench, kind);
	must(pgtsim_unmap_range(&machine->pgt, &unmap) == 0);
	ns[1] = bench_now() - ns[1];
	at[2] = machine->tlb.counts;
	must(at[2].leaves_cleared - at[1].leaves_cleared == leaves);
	ns[2] = begin(bench, kind);
	must(pgtsim_free_tables(&machine->pgt, unmap.start, unmap.end, machine->layout.page_offset,
				machine->layout.page_end) == 0);
	ns[2] = bench_now() - ns[2];
	at[3] = machine->tlb.counts;
	bench_must_be_empty(machine);
	(void)begin(bench, kind);

	bench_counts(bench, "map", &at[0], &at[1]);
	bench_counts(bench, "pass-1", &at[1], &at[2]);
	bench_counts(bench, "pass-2", &at[2], &at[3]);
	bench_time(bench, "map", ns[0], leaves, "leaf");
	bench_time(bench, "pass-1", ns[1], leaves, "leaf");
	bench_time(bench, "pass-2", ns[2], leaves, "leaf");
	bench_time(bench, "all", ns[0] + ns[1] + ns[2], leaves, "leaf");
}

static struct pgtsim_map map_of(const struct pgtsim_machine *machine, const struct kind *kind,
				uint64_t size)
{
	return (struct pgtsim_map){
		.va = machine->layout.linear_start + TIB,
		.pa = PA + kind->shift,
		.size = size,
		.attrs = machine->policy.prot[PGTSIM_PROT_TAGGED],
		.table_attrs = machine->policy.linear_table,
		.blocks = kind->blocks,
		.cont = kind->cont,
		.region = PGTSIM_REGION_LINEAR,
	};
}

static void one_case(struct bench *bench, const struct kind *kind, uint64_t size)
{
	struct pgtsim_machine *machine = bench_machine(kind->blocks, kind->cont, kind->checker);
	const struct pgtsim_map map = map_of(machine, kind, size);

	if (bench_start(bench, tables_for(kind, map.va, size) * 4096, "linear/%s/%s", kind->name,
			bench_size(size)))
		while (bench_round(bench))
			one_round(bench, machine, kind, &map);
	pgtsim_machine_free(&machine);
}

/* ---- a new machine: its memory is new to the host, too ---- */

/* Memory of this process, bytes; 0 where that is not known. */
static double resident(void)
{
	unsigned long long pages = 0;
	FILE *statm = fopen("/proc/self/statm", "r");

	if (!statm)
		return 0;
	must(fscanf(statm, "%*u %llu", &pages) == 1);
	fclose(statm);
	return (double)pages * 4096;
}

/* The memory of a machine as a multiple of its tables, after all tables were materialized. */
static double written(const struct pgtsim_map *map)
{
	double before = resident(), after;
	struct pgtsim_machine *machine = bench_machine(false, false, false);
	uint64_t tables;

	must(pgtsim_map(&machine->pgt, map) == 0);
	bench_write_tables(machine);
	tables = machine->tlb.counts.tables_allocated;
	after = resident();
	pgtsim_machine_free(&machine);
	return (after - before) / (double)(tables * 4096);
}

/* The first mapping of a machine, in host memory that is new, and the memory that it takes. */
static void first_map(struct bench *bench, uint64_t size)
{
	const struct kind *ptes = &kinds[0];
	struct pgtsim_machine *machine = bench_machine(false, false, false);
	const struct pgtsim_map map = map_of(machine, ptes, size);
	uint64_t bytes = tables_for(ptes, map.va, size) * 4096;
	double before = 0, after = 0, ns;

	pgtsim_machine_free(&machine);
	if (!bench_start(bench, bytes, "first/ptes/%s", bench_size(size)))
		return;
	while (bench_round(bench)) {
		struct pgtsim_counts none;

		before = resident();
		machine = bench_machine(false, false, false);
		none = machine->tlb.counts;
		ns = bench_now();
		must(pgtsim_map(&machine->pgt, &map) == 0);
		bench_time(bench, "map", bench_now() - ns, size / 4096, "leaf");
		after = resident();
		must_be_mapped(machine, ptes, &map, &none);
		pgtsim_machine_free(&machine);
	}
	if (bench_counts_only(bench) || before == 0)
		return;
	bench_value(bench, "memory", (after - before) / (double)bytes, "x tables");
	bench_value(bench, "written", written(&map), "x tables");
}

void bench_linear(struct bench *bench)
{
	for (size_t k = 0; k < COUNT(kinds); k++)
		for (size_t i = 0; i < COUNT(kinds[k].sizes) && kinds[k].sizes[i]; i++)
			if (!bench_quick(bench) || kinds[k].sizes[i] <= GIB)
				one_case(bench, &kinds[k], kinds[k].sizes[i]);
	for (uint64_t size = GIB; size <= (bench_quick(bench) ? GIB : TIB); size <<= 5)
		first_map(bench, size);
}
