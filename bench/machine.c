/* SPDX-License-Identifier: MIT */
#include "bench.h"

struct pgtsim_machine *bench_machine(bool blocks, bool cont, bool checker)
{
	static const struct pgtsim_ram ram = { RAM_START, RAM_START + 32 * GIB };
	struct pgtsim_machine_config config;
	struct pgtsim_machine *machine;

	must(pgtsim_machine_config_init(&config, "latest") == 0);
	config.ram = &ram;
	config.ram_count = 1;
	config.blocks = blocks;
	config.cont = cont;
	config.checker = checker;
	must(pgtsim_machine_new(&machine, &config) == 0);
	return machine;
}

void bench_evict(void)
{
	static volatile unsigned char *other;
	const size_t bytes = 64 * MIB;

	if (!other)
		other = bench_buffer(bytes);
	must(other);
	/* A memset of so much may go past the caches. */
	for (size_t i = 0; i < bytes; i += 64)
		other[i]++;
}

void bench_must_be_empty(struct pgtsim_machine *machine)
{
	const struct pgtsim_counts *counts = &machine->tlb.counts;

	must(pgtsim_memory_free_count(machine->memory) ==
	     pgtsim_memory_ram_count(machine->memory) - 1);
	must(counts->tables_allocated - counts->tables_freed == 1);
	must(counts->tables_p4d + counts->tables_pud + counts->tables_pmd + counts->tables_pte ==
	     0);
	must(counts->leaves_mapped == counts->leaves_cleared);
	must(pgtsim_check(&machine->pgt) == 0);
	must(counts->violations == 0);
}

void bench_must_translate(const struct pgtsim_machine *machine, uint64_t va, uint64_t pa,
			  uint64_t size)
{
	struct pgtsim_translation at;
	uint32_t seed = 7;

	for (unsigned i = 0; i < 64; i++) {
		uint64_t offset = (uint64_t)bench_random(&seed) << 21 ^ bench_random(&seed);

		offset = i ? offset % size : size - 1;
		must(pgtsim_translate(&machine->pgt, va + offset, &at) == 0);
		must(at.pa == pa + offset);
	}
	must(pgtsim_translate(&machine->pgt, va + size, &at) != 0);
	must(pgtsim_translate(&machine->pgt, va - 1, &at) != 0);
}

void bench_write_tables(struct pgtsim_machine *machine)
{
	for (uint64_t i = 0; i < machine->tlb.counts.tables_allocated; i++)
		must(pgtsim_memory_table(machine->memory, RAM_START + i * 4096) != NULL);
}

/* One section of memory comes and goes. */
static void add_and_remove(struct pgtsim_machine *machine)
{
	const uint64_t start = UINT64_C(1) << 40, size = 128 * MIB;

	must(pgtsim_add_memory(&machine->hotplug, start, size) == 0);
	must(pgtsim_remove_memory(&machine->hotplug, start, size) == 0);
}

/* A machine is created and freed, without and with work in between: what a small test costs. */
void bench_machines(struct bench *bench)
{
	enum { MACHINES = 16 };

	if (!bench_start(bench, 0, "machine"))
		return;
	while (bench_round(bench)) {
		for (unsigned work = 0; work < 2; work++) {
			double ns = bench_now();

			for (unsigned i = 0; i < MACHINES; i++) {
				struct pgtsim_machine *machine = bench_machine(false, false, false);

				if (work)
					add_and_remove(machine);
				must(machine->tlb.counts.violations == 0);
				pgtsim_machine_free(&machine);
			}
			bench_time(bench, work ? "add-remove" : "create-free", bench_now() - ns,
				   MACHINES, "machine");
		}
	}
}
