/* SPDX-License-Identifier: MIT */
/*
 * Small mappings: 1 to 64 pages anywhere in a window of 64 GiB come and go with their tables,
 * beside a bare loop that does the same to tables of its own.
 */
#include "bench.h"

#define PA (UINT64_C(1) << 40)
#define WINDOW (64 * GIB)

enum { LIVE = 1024, CELL_PAGES = 64, CELLS = WINDOW / 4096 / CELL_PAGES };

struct piece {
	uint64_t page, pages; /* from the start of the window on */
};

static struct piece pieces[LIVE];
static uint16_t order[LIVE]; /* of the unmaps */

/* One piece a cell, so that none overlaps another; unmapped in another order. */
static void choose_pieces(void)
{
	static uint8_t used[CELLS];
	uint32_t seed = 4711;

	for (unsigned i = 0; i < LIVE; i++) {
		uint32_t cell = bench_random(&seed) % CELLS;
		struct piece *piece = &pieces[i];

		while (used[cell])
			cell = (cell + 1) % CELLS;
		used[cell] = 1;
		piece->pages = 1 + bench_random(&seed) % CELL_PAGES;
		piece->page = (uint64_t)cell * CELL_PAGES +
			      bench_random(&seed) % (CELL_PAGES + 1 - piece->pages);
		order[i] = (uint16_t)i;
	}
	for (unsigned i = LIVE - 1; i > 0; i--) {
		unsigned other = bench_random(&seed) % (i + 1);
		uint16_t swap = order[i];

		order[i] = order[other];
		order[other] = swap;
	}
}

/* ---- the bare loop ---- */

/* Entries of upper tables hold the number of a table, those of the last ones an address. */
struct bare {
	uint64_t (*table)[512];
	uint32_t *live;
	uint32_t *spare; /* tables that are free, all of them zero */
	uint32_t spares;
	uint64_t tables, leaves; /* in use */
};

static void bare_init(struct bare *bare)
{
	uint32_t count = LIVE + 64 + 4;

	bare->table = aligned_alloc(4096, count * sizeof(*bare->table));
	bare->live = calloc(count, sizeof(*bare->live));
	bare->spare = calloc(count, sizeof(*bare->spare));
	must(bare->table && bare->live && bare->spare);
	memset(bare->table, 0, count * sizeof(*bare->table));
	bare->spares = 0;
	for (uint32_t i = count - 1; i > 0; i--)
		bare->spare[bare->spares++] = i;
	bare->tables = bare->leaves = 0;
}

static uint32_t bare_next(struct bare *bare, uint32_t at, uint64_t index)
{
	uint64_t *entry = &bare->table[at][index & 511];

	if (!*entry) {
		*entry = bare->spare[--bare->spares];
		bare->live[at]++;
		bare->tables++;
	}
	return (uint32_t)*entry;
}

static void bare_part(struct bare *bare, uint64_t page, uint64_t pages, uint64_t desc)
{
	uint32_t at = 0;
	uint64_t *entries;

	for (int shift = 27; shift > 0; shift -= 9)
		at = bare_next(bare, at, page >> shift);
	entries = &bare->table[at][page & 511];
	for (uint64_t i = 0; i < pages; i++)
		entries[i] = desc + i * 4096;
	bare->live[at] += (uint32_t)pages;
	bare->leaves += pages;
}

static void bare_unmap(struct bare *bare, uint64_t page, uint64_t pages)
{
	uint32_t path[4] = { 0 };

	for (int level = 0; level < 3; level++)
		path[level + 1] =
			(uint32_t)bare->table[path[level]][page >> (27 - 9 * level) & 511];
	memset(&bare->table[path[3]][page & 511], 0, pages * 8);
	bare->live[path[3]] -= (uint32_t)pages;
	bare->leaves -= pages;
	for (int level = 3; level > 0 && !bare->live[path[level]]; level--) {
		bare->table[path[level - 1]][page >> (36 - 9 * level) & 511] = 0;
		bare->live[path[level - 1]]--;
		bare->spare[bare->spares++] = path[level];
		bare->tables--;
	}
}

static __attribute__((noinline)) void bare_maps(struct bare *bare)
{
	for (unsigned i = 0; i < LIVE; i++)
		bare_part(bare, pieces[i].page, pieces[i].pages, pieces[i].page << 12 | 0x703);
}

static __attribute__((noinline)) void bare_unmaps(struct bare *bare)
{
	for (unsigned i = 0; i < LIVE; i++)
		bare_unmap(bare, pieces[order[i]].page, pieces[order[i]].pages);
}

/* ---- the library ---- */

static __attribute__((noinline)) bool maps(struct pgtsim_machine *machine, uint64_t va)
{
	struct pgtsim_map map = {
		.attrs = machine->policy.prot[PGTSIM_PROT_TAGGED],
		.table_attrs = machine->policy.linear_table,
		.region = PGTSIM_REGION_LINEAR,
	};

	for (unsigned i = 0; i < LIVE; i++) {
		map.va = va + pieces[i].page * 4096;
		map.pa = PA + pieces[i].page * 4096;
		map.size = pieces[i].pages * 4096;
		if (pgtsim_map(&machine->pgt, &map))
			return false;
	}
	return true;
}

static __attribute__((noinline)) bool unmaps(struct pgtsim_machine *machine, uint64_t va)
{
	for (unsigned i = 0; i < LIVE; i++) {
		const struct piece *piece = &pieces[order[i]];

		if (pgtsim_unmap_linear(&machine->pgt, va + piece->page * 4096, piece->pages * 4096,
					machine->layout.page_offset, machine->layout.page_end))
			return false;
	}
	return true;
}

static void ours(struct bench *bench, struct pgtsim_machine *machine, uint64_t va,
		 const struct bare *bare)
{
	struct pgtsim_counts at[3] = { machine->tlb.counts };
	double map = bench_now(), unmap;

	must(maps(machine, va));
	map = bench_now() - map;
	at[1] = machine->tlb.counts;
	must(at[1].leaves_mapped - at[0].leaves_mapped == bare->leaves);
	must(at[1].tables_allocated - at[0].tables_allocated == bare->tables);
	for (unsigned i = 0; i < LIVE; i++) {
		uint64_t offset = (pieces[i].page + pieces[i].pages - 1) * 4096;
		struct pgtsim_translation to;

		must(pgtsim_translate(&machine->pgt, va + offset, &to) == 0);
		must(to.pa == PA + offset);
	}
	unmap = bench_now();
	must(unmaps(machine, va));
	unmap = bench_now() - unmap;
	at[2] = machine->tlb.counts;
	bench_must_be_empty(machine);
	bench_counts(bench, "map", &at[0], &at[1]);
	bench_counts(bench, "unmap", &at[1], &at[2]);
	bench_time(bench, "map", map, LIVE, "call");
	bench_time(bench, "unmap", unmap, LIVE, "call");
}

static void one_round(struct bench *bench, struct pgtsim_machine *machine, uint64_t va,
		      struct bare *bare)
{
	double map = bench_now(), unmap;

	bare_maps(bare);
	map = bench_now() - map;
	bench_time(bench, "bare-map", map, LIVE, "call");
	ours(bench, machine, va, bare);
	unmap = bench_now();
	bare_unmaps(bare);
	unmap = bench_now() - unmap;
	bench_time(bench, "bare-unmap", unmap, LIVE, "call");
	must(bare->tables == 0 && bare->leaves == 0);
}

void bench_small(struct bench *bench)
{
	struct pgtsim_machine *machine;
	struct bare bare;

	if (!bench_start(bench, 0, "small/ptes/64G"))
		return;
	machine = bench_machine(false, false, false);
	choose_pieces();
	bare_init(&bare);
	while (bench_round(bench))
		one_round(bench, machine, machine->layout.linear_start + TIB, &bare);
	free(bare.table);
	free(bare.live);
	free(bare.spare);
	pgtsim_machine_free(&machine);
}
