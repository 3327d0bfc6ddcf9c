/* SPDX-License-Identifier: MIT */
/* tables: the commands that map, unmap and free page tables of a range, and write entries. */
#include <errno.h>

#include "runner.h"
#include "syntax.h"

/* args[0] VA and args[1] SIZE as [*start, *end); an end of 0 is the end of the address space. */
static int va_range(struct run *run, const struct scenario_command *command, uint64_t *start,
		    uint64_t *end)
{
	uint64_t size = command->args[1].number;
	int ret = run_address(run, &command->args[0], start);

	*end = *start + size;
	return ret ? ret : run_check_range(run, *start, size);
}

/* s390's functions know of none of these. */
static bool says_how(const struct scenario_command *command)
{
	static const enum scenario_key keys[] = { SCENARIO_KEY_PROT, SCENARIO_KEY_BLOCKS,
						  SCENARIO_KEY_CONT, SCENARIO_KEY_TABLES };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (scenario_option(command, keys[i]))
			return true;
	return false;
}

static int do_map(struct run *run, const struct scenario_command *command)
{
	const struct pgtsim_policy *policy = &run->machine->policy;
	struct pgtsim_map map = {
		.pa = command->args[1].number,
		.size = command->args[2].number,
		.attrs = policy->prot[scenario_choice_or(command, SCENARIO_KEY_PROT,
							 PGTSIM_PROT_TAGGED)],
		.table_attrs = policy->linear_table,
		.blocks = scenario_choice_or(command, SCENARIO_KEY_BLOCKS, 1),
		.cont = scenario_choice_or(command, SCENARIO_KEY_CONT, 1),
		.region = PGTSIM_REGION_OTHER,
	};
	int ret = run_address(run, &command->args[0], &map.va);

	if (scenario_choice_or(command, SCENARIO_KEY_TABLES, SCENARIO_TABLES_NOEXEC) ==
	    SCENARIO_TABLES_EXEC)
		map.table_attrs &= ~PGTSIM_DESC_PXNTABLE;
	if (run->machine->geo.format == PGTSIM_FORMAT_S390 && says_how(command))
		return run_refuse(run, -EINVAL,
				  "s390 maps with the attributes of its kernel and the largest leaves "
				  "that edat allows: prot, blocks, cont and tables are arm64's");
	return ret ? ret : pgtsim_map(&run->machine->pgt, &map);
}

static int do_unmap(struct run *run, const struct scenario_command *command)
{
	uint64_t start, end, floor, ceiling;
	int ret = va_range(run, command, &start, &end);

	if (ret)
		return ret;
	run_bounds(run, start, end, &floor, &ceiling);
	return pgtsim_unmap_linear(&run->machine->pgt, start, end - start, floor, ceiling);
}

static int do_unmap_range(struct run *run, const struct scenario_command *command)
{
	struct pgtsim_unmap unmap = {
		.free_mapped = scenario_flag(command, SCENARIO_KEY_FREE),
		.altmap = run_altmap(run, command),
		.memory = run->machine->memory,
	};
	int ret = va_range(run, command, &unmap.start, &unmap.end);

	return ret ? ret : pgtsim_unmap_range(&run->machine->pgt, &unmap);
}

static int do_free_tables(struct run *run, const struct scenario_command *command)
{
	uint64_t start, end, floor, ceiling;
	int ret = va_range(run, command, &start, &end);

	if (ret)
		return ret;
	run_bounds(run, start, end, &floor, &ceiling);
	return pgtsim_free_tables(&run->machine->pgt, start, end, floor, ceiling);
}

static int do_bounds(struct run *run, const struct scenario_command *command)
{
	uint64_t floor, ceiling;
	int ret;

	if (scenario_flag(command, SCENARIO_KEY_DEFAULT)) {
		run->bounds_set = false;
		return 0;
	}
	ret = run_address(run, &command->args[0], &floor);
	if (!ret)
		ret = run_address(run, &command->args[1], &ceiling);
	if (ret)
		return ret;
	run->bounds_set = true;
	run->floor = floor;
	run->ceiling = ceiling;
	return 0;
}

static int level_of(const struct run *run, const struct scenario_value *value)
{
	int level;

	if (pgtsim_level_of_name(&run->machine->geo, value->word, &level))
		return PGTSIM_PTE + 1;
	return level;
}

static int do_poke(struct run *run, const struct scenario_command *command)
{
	uint64_t va, desc;
	int ret = run_address(run, &command->args[1], &va);
	int level = level_of(run, &command->args[0]);

	if (ret)
		return ret;
	desc = pgtsim_desc_from_raw(&run->machine->geo, level, command->args[2].number);
	return pgtsim_poke_on(&run->machine->pgt, level, va, desc,
			      (unsigned)scenario_number_or(command, SCENARIO_KEY_CPU, 0));
}

/* A table page whose entry was cleared by hand goes back to the allocator. */
static int do_give_back(struct run *run, const struct scenario_command *command)
{
	struct pgtsim_pgtable *pgt = &run->machine->pgt;
	struct pgtsim_table *table = pgt->ops.find(pgt->ops.ctx, command->args[0].number);
	struct pgtsim_event event = { .op = PGTSIM_OP_TABLE_FREE, .count = 1 };

	if (!table || table == pgt->root)
		return run_refuse(run, -ENOENT, "there is no table page at this PA that can go");
	if (table->linked)
		return run_refuse(run, -EBUSY, "a table entry still points to this table");
	event.level = table->level;
	event.va = pgtsim_va_start(&pgt->geo);
	event.pa = table->pa;
	pgtsim_tlb_event(pgt->tlb, &event);
	pgt->ops.free(pgt->ops.ctx, table);
	return 0;
}

static int check_bounds(struct parser *p)
{
	if (p->command->arg_count == (syntax_given(p, "default") ? 0 : 2))
		return 0;
	return syntax_fail(p, "write 'bounds FLOOR CEILING' or 'bounds default'");
}

static const struct slot map_options[] = {
	CHOICE("blocks", BLOCKS, ON_OFF),
	CHOICE("cont", CONT, ON_OFF),
	CHOICE("prot", PROT, CHOICES("tagged", "kernel", "ro", "rx", "device")),
	CHOICE("tables", TABLES, CHOICES("noexec", "exec")),
	{ .name = NULL },
};

const struct scenario_row table_commands[] = {
	COMMAND("map", MAP, do_map, ARGS(ARG_VA, ARG("PA", syntax_number), ARG_SIZE),
		.options = map_options),
	COMMAND("unmap", UNMAP, do_unmap, ARGS(ARG_VA, ARG_SIZE)),
	COMMAND("unmap-range", UNMAP_RANGE, do_unmap_range, ARGS(ARG_VA, ARG_SIZE),
		OPTIONS(FLAG("free", FREE), OPTION_ALTMAP)),
	COMMAND("free-tables", FREE_TABLES, do_free_tables, ARGS(ARG_VA, ARG_SIZE)),
	COMMAND("bounds", BOUNDS, do_bounds,
		ARGS(ARG_OPTIONAL("FLOOR", syntax_address),
		     ARG_OPTIONAL("CEILING", syntax_address)),
		OPTIONS(FLAG("default", DEFAULT)), .finish = check_bounds),
	COMMAND("poke", POKE, do_poke,
		ARGS(ARG_CHOICE("LEVEL", "pgd", "p4d", "pud", "pmd", "pte"), ARG_VA,
		     ARG("DESCRIPTOR", syntax_number)),
		OPTIONS(NUMBER_INT("cpu", CPU, 0))),
	COMMAND("give-back", GIVE_BACK, do_give_back, ARGS(ARG("PA", syntax_number))),
	COMMANDS_END,
};
