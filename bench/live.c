/* SPDX-License-Identifier: MIT */
/*
 * Live mappings: blocks are split to ptes, beside mapping the same memory by ptes; and pages are
 * taken out of the linear map one by one, in random order, as set_direct_map_invalid_noflush() and a
 * flush do it: from ptes, which any CPU allows, and from blocks that are split on the way, which
 * wants BBM level 3.
 */
#include "bench.h"

#include <pgtsim/protect.h>

#define PA (UINT64_C(1) << 40)
#define GROUP (64 * KIB)

static struct pgtsim_map map_of(const struct pgtsim_machine *machine, uint64_t size, bool blocks)
{
	return (struct pgtsim_map){
		.va = machine->layout.linear_start + TIB,
		.pa = PA,
		.size = size,
		.attrs = machine->policy.prot[PGTSIM_PROT_TAGGED],
		.table_attrs = machine->policy.linear_table,
		.blocks = blocks,
		.cont = true,
		.region = PGTSIM_REGION_LINEAR,
	};
}

static void unmap(struct pgtsim_machine *machine, const struct pgtsim_map *map)
{
	must(pgtsim_unmap_linear(&machine->pgt, map->va, map->size, 0, 0) == 0);
	bench_must_be_empty(machine);
}

/* ---- split ---- */

/*
 * Each call splits the two 2M blocks that its ends lie in; as these are ends of groups, all of both
 * become ptes with the hint.
 */
static void split(struct pgtsim_machine *machine, const struct pgtsim_map *map)
{
	for (uint64_t at = GROUP; at < map->size; at += 4 * MIB)
		must(pgtsim_split(&machine->pgt, map->va + at, map->va + at + 2 * MIB) == 0);
}

static void split_case(struct bench *bench, uint64_t size)
{
	struct pgtsim_machine *machine = bench_machine(true, true, false);
	const struct pgtsim_map blocks = map_of(machine, size, true);
	const struct pgtsim_map ptes = map_of(machine, size, false);
	uint64_t leaves = size / (4 * KIB), tables = size / (2 * MIB);

	machine->tlb.bbml2 = true;
	if (bench_start(bench, tables * 4096, "live/split/%s", bench_size(size)))
		while (bench_round(bench)) {
			struct pgtsim_counts at[3];
			double ns = bench_now();

			must(pgtsim_map(&machine->pgt, &ptes) == 0);
			bench_time(bench, "map", bench_now() - ns, leaves, "leaf");
			unmap(machine, &ptes);
			must(pgtsim_map(&machine->pgt, &blocks) == 0);
			at[0] = machine->tlb.counts;
			ns = bench_now();
			split(machine, &blocks);
			bench_time(bench, "split", bench_now() - ns, leaves, "leaf");
			at[1] = machine->tlb.counts;
			must(at[1].tables_pte - at[0].tables_pte == tables);
			bench_counts(bench, "split", &at[0], &at[1]);
			bench_must_translate(machine, blocks.va, blocks.pa, size);
			/* A split table counts no leaves as mapped, so nothing else can be asked. */
			must(pgtsim_unmap_linear(&machine->pgt, blocks.va, size, 0, 0) == 0);
			machine->tlb.counts.leaves_mapped = machine->tlb.counts.leaves_cleared;
			bench_must_be_empty(machine);
		}
	pgtsim_machine_free(&machine);
}

/* ---- page by page ---- */

/* A number of [0, pages), a power of two, for each i: all of them, in an order without a pattern. */
static uint64_t scattered(uint64_t i, uint64_t pages)
{
	i = i * UINT64_C(0x9e3779b97f4a7c15) + 7;
	i ^= (i & (pages - 1)) >> 9;
	return (i * UINT64_C(0xd1342543de82ef95)) & (pages - 1);
}

static void take_out_case(struct bench *bench, uint64_t size, bool bbm3)
{
	struct pgtsim_machine *machine = bench_machine(bbm3, bbm3, false);
	const struct pgtsim_map map = map_of(machine, size, bbm3);
	uint64_t pages = size / (4 * KIB);

	machine->tlb.bbml2 = bbm3;
	if (bench_start(bench, size / (2 * MIB) * 4096, "live/%s/%s",
			bbm3 ? "out-of-blocks" : "out-of-ptes", bench_size(size)))
		while (bench_round(bench)) {
			struct pgtsim_counts at[2];
			double ns;

			must(pgtsim_map(&machine->pgt, &map) == 0);
			at[0] = machine->tlb.counts;
			ns = bench_now();
			for (uint64_t i = 0; i < pages; i++)
				must(pgtsim_protect(&machine->pgt,
						    map.va + scattered(i, pages) * 4 * KIB, 4 * KIB,
						    PGTSIM_PROTECT_INVALID, false) == 0);
			bench_time(bench, "take-out", bench_now() - ns, pages, "page");
			at[1] = machine->tlb.counts;
			bench_counts(bench, "take-out", &at[0], &at[1]);
			must(at[1].tlbi_leaf - at[0].tlbi_leaf == pages);
			must(pgtsim_unmap_linear(&machine->pgt, map.va, size, 0, 0) == 0);
			machine->tlb.counts.leaves_mapped = machine->tlb.counts.leaves_cleared;
			bench_must_be_empty(machine);
		}
	pgtsim_machine_free(&machine);
}

void bench_live(struct bench *bench)
{
	static const uint64_t sizes[] = { 128 * MIB, GIB, 64 * GIB };

	for (size_t i = 0; i < COUNT(sizes); i++) {
		if (bench_quick(bench) && sizes[i] > GIB)
			break;
		split_case(bench, sizes[i]);
		take_out_case(bench, sizes[i], false);
		take_out_case(bench, sizes[i], true);
	}
}
