/* SPDX-License-Identifier: MIT */
/* The memmap: populate and free, in base pages and in blocks, with and without an altmap. */
#include "bench.h"

#define START (UINT64_C(1) << 40)

struct kind {
	const char *name;
	unsigned flags;
	bool altmap;
};

static const struct kind kinds[] = {
	{ "pages", PGTSIM_POPULATE_PAGES, false },
	{ "blocks", 0, false },
	{ "pages-altmap", PGTSIM_POPULATE_PAGES, true },
	{ "blocks-altmap", 0, true },
};

struct range {
	uint64_t start, end, leaves, tables;
};

static struct range range_of(const struct pgtsim_machine *machine, const struct kind *kind,
			     uint64_t size)
{
	const struct pgtsim_vmemmap *vmemmap = &machine->vmemmap;
	struct range range = {
		.start = pgtsim_page_of_pfn(vmemmap, START / 4096),
		.end = pgtsim_page_of_pfn(vmemmap, (START + size) / 4096),
	};
	uint64_t bytes = range.end - range.start, last = range.end - 1;

	range.leaves = bytes / (kind->flags ? 4096 : 2 * MIB);
	range.tables = last / (512 * GIB) - range.start / (512 * GIB) + 1;
	range.tables += last / GIB - range.start / GIB + 1;
	range.tables += kind->flags ? bytes / (2 * MIB) : 0;
	return range;
}

static void must_be_populated(const struct pgtsim_machine *machine, const struct range *range,
			      const struct pgtsim_counts *before, uint64_t allocated)
{
	const struct pgtsim_counts *now = &machine->tlb.counts;
	struct pgtsim_translation at;

	must(now->leaves_mapped - before->leaves_mapped == range->leaves);
	must(now->tables_allocated - before->tables_allocated == range->tables);
	must(allocated == (range->end - range->start) / 4096);
	must(pgtsim_translate(&machine->pgt, range->start, &at) == 0);
	must(pgtsim_translate(&machine->pgt, range->end - 1, &at) == 0);
	must(pgtsim_translate(&machine->pgt, range->end, &at) != 0);
}

static void one_round(struct bench *bench, struct pgtsim_machine *machine, const struct kind *kind,
		      const struct range *range)
{
	uint64_t pages = (range->end - range->start) / 4096;
	struct pgtsim_altmap altmap = { .base = START / 4096, .free = pages };
	struct pgtsim_altmap *from = kind->altmap ? &altmap : NULL;
	struct pgtsim_counts at[3] = { machine->tlb.counts };
	double populate = bench_now(), release;

	must(pgtsim_vmemmap_populate(&machine->vmemmap, range->start, range->end, from,
				     kind->flags) == 0);
	populate = bench_now() - populate;
	at[1] = machine->tlb.counts;
	must_be_populated(machine, range, &at[0],
			  from ? altmap.alloc : at[1].pages_allocated - at[0].pages_allocated);
	release = bench_now();
	must(pgtsim_vmemmap_free(&machine->vmemmap, range->start, range->end, from) == 0);
	release = bench_now() - release;
	at[2] = machine->tlb.counts;
	must(at[2].pages_freed - at[1].pages_freed == pages && altmap.alloc == 0);
	bench_must_be_empty(machine);
	bench_counts(bench, "populate", &at[0], &at[1]);
	bench_counts(bench, "free", &at[1], &at[2]);
	bench_time(bench, "populate", populate, range->leaves, "leaf");
	bench_time(bench, "free", release, range->leaves, "leaf");
	bench_time(bench, "all", populate + release, range->leaves, "leaf");
}

static void one_case(struct bench *bench, const struct kind *kind, uint64_t size)
{
	struct pgtsim_machine *machine = bench_machine(false, false, false);
	const struct range range = range_of(machine, kind, size);

	if (bench_start(bench, range.tables * 4096, "vmemmap/%s/%s", kind->name, bench_size(size)))
		while (bench_round(bench))
			one_round(bench, machine, kind, &range);
	pgtsim_machine_free(&machine);
}

void bench_vmemmap(struct bench *bench)
{
	for (size_t k = 0; k < COUNT(kinds); k++)
		for (uint64_t size = 8 * GIB; size <= (bench_quick(bench) ? 8 * GIB : 512 * GIB);
		     size <<= 3)
			one_case(bench, &kinds[k], size);
}
