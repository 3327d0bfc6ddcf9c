/* SPDX-License-Identifier: MIT */
/* An idea to test: after unmapping 2 MiB, flush the first page only. Is that enough? */
#include <stdbool.h>
#include <stdio.h>

#include <pgtsim/pgtsim.h>

#define PA UINT64_C(0x80000000)
#define SIZE UINT64_C(0x200000)

/* A visitor: the walk hands it every run of entries that are not tables. It clears what is live. */
static int clear_run(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	(void)arg;
	pgtsim_run_clear(pgt, run, pgtsim_run_live(pgt, run), 0);
	return 0;
}

static int map(struct pgtsim_machine *machine, uint64_t va)
{
	const struct pgtsim_map map = {
		.va = va,
		.pa = PA,
		.size = SIZE,
		.attrs = machine->policy.prot[PGTSIM_PROT_TAGGED],
		.table_attrs = machine->policy.linear_table,
		.region = PGTSIM_REGION_LINEAR,
	};

	return pgtsim_map(&machine->pgt, &map);
}

static void unmap(struct pgtsim_machine *machine, uint64_t va, uint64_t flushed)
{
	static const struct pgtsim_visitor visitor = { .entries = clear_run };

	pgtsim_walk(&machine->pgt, va, va + SIZE - 1, &visitor, NULL);
	pgtsim_tlb_flush_range(&machine->tlb, &machine->geo, &machine->policy, va, va + flushed);
	/* The operation ends here: whatever may still be cached is a violation. */
	pgtsim_tlb_end(&machine->tlb, va, va + SIZE - 1);
}

static int try_it(const char *idea, uint64_t flushed)
{
	struct pgtsim_machine_config config;
	struct pgtsim_machine *machine;
	const struct pgtsim_violation *found;
	size_t count;
	uint64_t va;

	if (pgtsim_machine_config_init(&config, "linux-6.12") || pgtsim_machine_new(&machine, &config))
		return 1;
	va = pgtsim_linear(&machine->layout, PA);
	if (map(machine, va)) {
		pgtsim_machine_free(&machine);
		return 1;
	}
	unmap(machine, va, flushed);
	found = pgtsim_violations(&machine->tlb, &count);
	printf("%s: %s\n", idea, count ? pgtsim_violation_kind(found[0].name)->name : "clean");
	pgtsim_machine_free(&machine);
	return 0;
}

int main(void)
{
	return try_it("flush the first page", 4096) || try_it("flush the range", SIZE);
}
