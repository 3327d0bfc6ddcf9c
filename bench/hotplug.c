/* SPDX-License-Identifier: MIT */
/* Whole hot-add and hot-remove, and sections that come and go one by one. */
#include "bench.h"

#define START (UINT64_C(1) << 40)
#define SECTION (128 * MIB)

struct kind {
	const char *name;
	bool blocks, cont;
	uint64_t sizes[4];
};

static const struct kind kinds[] = {
	{ "ptes", false, false, { GIB, 64 * GIB, TIB } },
	{ "blocks", true, false, { GIB, 64 * GIB, TIB } },
	{ "cont", true, true, { GIB, 64 * GIB } },
};

/* Bytes of tables that adding this range takes. */
static uint64_t table_bytes(const struct kind *kind, uint64_t size)
{
	struct pgtsim_machine *machine = bench_machine(kind->blocks, kind->cont, false);
	uint64_t tables;

	must(pgtsim_add_memory(&machine->hotplug, START, size) == 0);
	tables = machine->tlb.counts.tables_allocated - 1;
	pgtsim_machine_free(&machine);
	return tables * 4096;
}

static void must_be_added(struct pgtsim_machine *machine, const struct kind *kind, uint64_t size)
{
	const struct pgtsim_counts *now = &machine->tlb.counts;
	uint64_t linear = size / (kind->blocks ? GIB : 4096);
	uint64_t memmap = size / 4096 * 64 / (2 * MIB);

	must(now->leaves_mapped - now->leaves_cleared == linear + memmap);
	bench_must_translate(machine, pgtsim_linear(&machine->layout, START), START, size);
	must(pgtsim_section_state(&machine->hotplug, START + size - 1).present);
}

static void whole_round(struct bench *bench, struct pgtsim_machine *machine,
			const struct kind *kind, uint64_t size)
{
	struct pgtsim_counts at[3] = { machine->tlb.counts };
	uint64_t sections = size / SECTION;
	double add = bench_now(), remove;

	must(pgtsim_add_memory(&machine->hotplug, START, size) == 0);
	add = bench_now() - add;
	at[1] = machine->tlb.counts;
	must_be_added(machine, kind, size);
	remove = bench_now();
	must(pgtsim_remove_memory(&machine->hotplug, START, size) == 0);
	remove = bench_now() - remove;
	at[2] = machine->tlb.counts;
	bench_must_be_empty(machine);
	must(!pgtsim_section_state(&machine->hotplug, START).present);
	bench_counts(bench, "add", &at[0], &at[1]);
	bench_counts(bench, "remove", &at[1], &at[2]);
	bench_time(bench, "add", add, sections, "section");
	bench_time(bench, "remove", remove, sections, "section");
}

static void whole(struct bench *bench, const struct kind *kind, uint64_t size)
{
	struct pgtsim_machine *machine;

	if (!bench_start(bench, table_bytes(kind, size), "hotplug/%s/%s", kind->name,
			 bench_size(size)))
		return;
	machine = bench_machine(kind->blocks, kind->cont, false);
	while (bench_round(bench))
		whole_round(bench, machine, kind, size);
	pgtsim_machine_free(&machine);
}

void bench_hotplug(struct bench *bench)
{
	for (size_t k = 0; k < COUNT(kinds); k++)
		for (size_t i = 0; i < COUNT(kinds[k].sizes) && kinds[k].sizes[i]; i++)
			if (!bench_quick(bench) || kinds[k].sizes[i] <= GIB)
				whole(bench, &kinds[k], kinds[k].sizes[i]);
}

/* ---- churn ---- */

enum { SECTIONS = 512, ENDS = 64 };

/* Adds or removes some sections one by one. Returns the time. */
static double each_section(struct pgtsim_machine *machine, unsigned first, unsigned count, bool add)
{
	double began = bench_now();

	for (unsigned i = first; i < first + count; i++) {
		uint64_t start = START + i * SECTION;

		must((add ? pgtsim_add_memory(&machine->hotplug, start, SECTION) :
			    pgtsim_remove_memory(&machine->hotplug, start, SECTION)) == 0);
	}
	return bench_now() - began;
}

static void churn_phase(struct bench *bench, struct pgtsim_machine *machine, bool add)
{
	static const char *const names[2][3] = { { "remove-first", "remove-mid", "remove-last" },
						 { "add-first", "add-mid", "add-last" } };
	static const unsigned counts[3] = { ENDS, SECTIONS - 2 * ENDS, ENDS };
	uint64_t work[3];
	unsigned at = 0;

	for (unsigned i = 0; i < 3; i++) {
		struct pgtsim_counts before = machine->tlb.counts;
		double ns = each_section(machine, at, counts[i], add);

		at += counts[i];
		work[i] = machine->tlb.counts.work_entries - before.work_entries;
		bench_counts(bench, names[add][i], &before, &machine->tlb.counts);
		bench_time(bench, names[add][i], ns, counts[i], "section");
	}
	/*
	 * Later additions cost the same as the first one, whatever was added and removed in between. All
	 * removals cost the same, except the 8th and the last one: these also remove a pud table of the
	 * linear map and a pmd table of the memmap, so 3 entries less are read.
	 */
	must(work[2] == work[0]);
}

/* 512 sections added one by one, then removed; 64 at each end are timed apart. */
void bench_churn(struct bench *bench)
{
	const uint64_t bytes = (SECTIONS * 64 + 64 + 1 + SECTIONS / 512 + 1 + 2) * 4096;
	struct pgtsim_machine *machine = bench_machine(false, false, false);

	if (bench_start(bench, bytes, "churn/ptes"))
		while (bench_round(bench)) {
			churn_phase(bench, machine, true);
			must(machine->tlb.counts.tables_pte == SECTIONS * 64);
			churn_phase(bench, machine, false);
			bench_must_be_empty(machine);
		}
	pgtsim_machine_free(&machine);
}
