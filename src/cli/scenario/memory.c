/* SPDX-License-Identifier: MIT */
/* memory: the commands for memory hotplug, the vmemmap, and who holds pages. */
#include <errno.h>

#include "runner.h"
#include "syntax.h"

static int do_altmap(struct run *run, const struct scenario_command *command)
{
	run->altmaps[command->args[0].altmap] = (struct pgtsim_altmap){
		.base = scenario_number_or(command, SCENARIO_KEY_BASE, 0),
		.reserve = scenario_number_or(command, SCENARIO_KEY_RESERVE, 0),
		.free = scenario_number_or(command, SCENARIO_KEY_FREE_PAGES, 0),
		.align = scenario_number_or(command, SCENARIO_KEY_ALIGN, 0),
	};
	return 0;
}

static int do_populate(struct run *run, const struct scenario_command *command)
{
	unsigned flags = scenario_flag(command, SCENARIO_KEY_PAGES) ? PGTSIM_POPULATE_PAGES : 0;
	uint64_t start, end;
	int ret = run_address(run, &command->args[0], &start);

	if (!ret)
		ret = run_address(run, &command->args[1], &end);
	return ret ? ret :
		     pgtsim_vmemmap_populate(&run->machine->vmemmap, start, end,
					     run_altmap(run, command), flags);
}

static int do_vmemmap_free(struct run *run, const struct scenario_command *command)
{
	uint64_t start, end;
	int ret = run_address(run, &command->args[0], &start);

	if (!ret)
		ret = run_address(run, &command->args[1], &end);
	return ret ? ret :
		     pgtsim_vmemmap_free(&run->machine->vmemmap, start, end,
					 run_altmap(run, command));
}

struct pgtsim_add run_add(const struct run *run, const struct scenario_command *command)
{
	const struct scenario_range *range = &command->args[0].range;
	const uint64_t node = scenario_number_or(command, SCENARIO_KEY_NODE, 0);

	return (struct pgtsim_add){
		.start = range->base,
		.size = range->size,
		.node = node < PGTSIM_NODES ? (unsigned)node : PGTSIM_NODES,
		.memmap_on_memory = scenario_flag(command, SCENARIO_KEY_MEMMAP_ON_MEMORY),
		.device = scenario_flag(command, SCENARIO_KEY_DEVICE),
		.altmap = run_altmap(run, command),
	};
}

static int do_add(struct run *run, const struct scenario_command *command)
{
	const struct pgtsim_add add = run_add(run, command);

	return pgtsim_add_range(&run->machine->hotplug, &add);
}

static int do_online(struct run *run, const struct scenario_command *command)
{
	const struct scenario_range *range = &command->args[0].range;
	unsigned zone = scenario_choice_or(command, SCENARIO_KEY_ZONE, SCENARIO_ZONE_NORMAL);

	return pgtsim_online_memory(&run->machine->hotplug, range->base, range->size,
				    zone == SCENARIO_ZONE_MOVABLE ? PGTSIM_ZONE_MOVABLE :
								    PGTSIM_ZONE_NORMAL);
}

static int do_offline(struct run *run, const struct scenario_command *command)
{
	const struct scenario_range *range = &command->args[0].range;

	return pgtsim_offline_memory(&run->machine->hotplug, range->base, range->size);
}

static int do_use(struct run *run, const struct scenario_command *command)
{
	const struct scenario_range *range = &command->args[0].range;

	return pgtsim_use_memory(&run->machine->hotplug, range->base, range->size,
				 command->args[1].choice == SCENARIO_USE_MOVABLE);
}

static int do_unuse(struct run *run, const struct scenario_command *command)
{
	const struct scenario_range *range = &command->args[0].range;

	return pgtsim_unuse_memory(&run->machine->hotplug, range->base, range->size);
}

static int do_remove(struct run *run, const struct scenario_command *command)
{
	const struct scenario_range *range = &command->args[0].range;

	return pgtsim_remove_memory(&run->machine->hotplug, range->base, range->size);
}

static int do_fail(struct run *run, const struct scenario_command *command)
{
	pgtsim_memory_fail(run->machine->memory, scenario_number_or(command, SCENARIO_KEY_NTH, 1),
			   scenario_flag(command, SCENARIO_KEY_EVERY));
	return 0;
}

static int check_add(struct parser *p)
{
	if (syntax_given(p, "altmap") && !syntax_given(p, "device"))
		return syntax_fail(
			p, "'altmap=' needs 'device': only a driver's memory takes an altmap "
			   "by name");
	return 0;
}

static const struct slot altmap_options[] = {
	NUMBER_NEEDED("base", BASE, 0),
	NUMBER("reserve", RESERVE),
	NUMBER_NEEDED("free", FREE_PAGES, 0),
	NUMBER("align", ALIGN),
	{ .name = NULL },
};

static const struct slot add_options[] = {
	FLAG("memmap-on-memory", MEMMAP_ON_MEMORY),
	FLAG("device", DEVICE),
	OPTION_ALTMAP,
	NUMBER_INT("node", NODE, 0),
	{ .name = NULL },
};

const struct scenario_row memory_commands[] = {
	COMMAND("altmap", ALTMAP, do_altmap, ARGS(ARG("NAME", syntax_new_altmap)),
		.options = altmap_options),
	COMMAND("vmemmap-populate", VMEMMAP_POPULATE, do_populate,
		ARGS(ARG("START", syntax_address), ARG("END", syntax_address)),
		OPTIONS(OPTION_ALTMAP, FLAG("pages", PAGES))),
	COMMAND("vmemmap-free", VMEMMAP_FREE, do_vmemmap_free,
		ARGS(ARG("START", syntax_address), ARG("END", syntax_address)),
		OPTIONS(OPTION_ALTMAP)),
	COMMAND("add", ADD, do_add, ARGS(ARG_RANGE), .options = add_options, .finish = check_add),
	COMMAND("online", ONLINE, do_online, ARGS(ARG_RANGE),
		OPTIONS(CHOICE("zone", ZONE, CHOICES("normal", "movable")))),
	COMMAND("offline", OFFLINE, do_offline, ARGS(ARG_RANGE)),
	COMMAND("remove", REMOVE, do_remove, ARGS(ARG_RANGE)),
	COMMAND("use", USE, do_use, ARGS(ARG_RANGE, ARG_CHOICE("KIND", "movable", "unmovable"))),
	COMMAND("unuse", UNUSE, do_unuse, ARGS(ARG_RANGE)),
	COMMAND("fail", FAIL, do_fail, ARGS(ARG_CHOICE("WHAT", "alloc")),
		OPTIONS(NUMBER_NEEDED("nth", NTH, 1), FLAG("every", EVERY))),
	COMMANDS_END,
};
