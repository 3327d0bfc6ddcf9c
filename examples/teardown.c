/* SPDX-License-Identifier: MIT */
/* What does it cost to remove 256 MiB of hot-added memory? */
#include <stdio.h>

#include <pgtsim/pgtsim.h>

static int remove_as(const char *profile)
{
	const uint64_t start = 0x80000000, size = 256 << 20;
	struct pgtsim_machine_config config;
	struct pgtsim_machine *machine;
	int ret = pgtsim_machine_config_init(&config, profile);

	if (!ret)
		ret = pgtsim_machine_new(&machine, &config);
	if (ret)
		return ret;
	ret = pgtsim_add_memory(&machine->hotplug, start, size);
	pgtsim_tlb_reset_counts(&machine->tlb);
	if (!ret)
		ret = pgtsim_remove_memory(&machine->hotplug, start, size);
	printf("%-10s %6llu invalidates by VA, %llu of everything, %llu tables freed\n", profile,
	       (unsigned long long)machine->tlb.counts.tlbi_leaf,
	       (unsigned long long)machine->tlb.counts.tlbi_all,
	       (unsigned long long)machine->tlb.counts.tables_freed);
	pgtsim_machine_free(&machine);
	return ret;
}

int main(void)
{
	return remove_as("linux-5.7") || remove_as("latest");
}
