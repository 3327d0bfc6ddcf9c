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
