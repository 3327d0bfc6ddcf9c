/* SPDX-License-Identifier: MIT */
/* live: the commands that change live mappings. */
#include <errno.h>

#include <pgtsim/protect.h>

#include "runner.h"
#include "syntax.h"

static int do_protect(struct run *run, const struct scenario_command *command)
{
	uint64_t va;
	int ret = run_address(run, &command->args[0], &va);

	return ret ? ret :
		     pgtsim_protect(&run->machine->pgt, va, command->args[1].number,
				    (enum pgtsim_protect)command->args[2].choice,
				    scenario_flag(command, SCENARIO_KEY_NOFLUSH));
}

/* Without SIZE: splits so that VA becomes a leaf boundary. */
static int do_split(struct run *run, const struct scenario_command *command)
{
	uint64_t size = pgtsim_page_size(&run->machine->geo), va;
	int ret = run_address(run, &command->args[0], &va);

	if (command->arg_count > 1)
		size = command->args[1].number;
	return ret ? ret : pgtsim_split(&run->machine->pgt, va, va + size);
}

static int do_join(struct run *run, const struct scenario_command *command)
{
	uint64_t va;
	int ret = run_address(run, &command->args[0], &va);

	return ret ? ret : pgtsim_join(&run->machine->pgt, va);
}

static int do_vmap(struct run *run, const struct scenario_command *command)
{
	uint64_t va;
	int ret = run_address(run, &command->args[0], &va);

	return ret ? ret :
		     pgtsim_vmap(&run->machine->pgt, va, command->args[1].number,
				 command->args[2].number,
				 scenario_flag(command, SCENARIO_KEY_VMAP_HUGE));
}

static int do_vunmap(struct run *run, const struct scenario_command *command)
{
	uint64_t va;
	int ret = run_address(run, &command->args[0], &va);

	return ret ? ret : pgtsim_vunmap(&run->machine->pgt, va, command->args[1].number);
}

static int do_set_memory(struct run *run, const struct scenario_command *command)
{
	uint64_t va;
	int ret = run_address(run, &command->args[0], &va);

	return ret ? ret :
		     pgtsim_set_memory(run->machine, va, command->args[1].number,
				       (enum pgtsim_protect)command->args[2].choice);
}

static int do_set_direct_map(struct run *run, const struct scenario_command *command)
{
	static const enum pgtsim_protect changes[] = {
		[SCENARIO_DIRECT_MAP_INVALID] = PGTSIM_PROTECT_INVALID,
		[SCENARIO_DIRECT_MAP_VALID] = PGTSIM_PROTECT_VALID,
		[SCENARIO_DIRECT_MAP_DEFAULT] = PGTSIM_PROTECT_DEFAULT,
	};
	uint64_t va;
	int ret = run_address(run, &command->args[0], &va);

	return ret ? ret :
		     pgtsim_set_direct_map(run->machine, va, command->args[1].number,
					   changes[command->args[2].choice]);
}

static int do_declare(struct run *run, const struct scenario_command *command)
{
	uint64_t va;
	int ret = run_address(run, &command->args[0], &va);

	return ret ? ret :
		     pgtsim_declare(run->machine, va, command->args[1].number,
				    (enum pgtsim_meaning)command->args[2].choice);
}

const struct scenario_row live_commands[] = {
	COMMAND("protect", PROTECT, do_protect,
		ARGS(ARG_VA, ARG_SIZE,
		     ARG_CHOICE("WHAT", "ro", "rw", "x", "nx", "invalid", "valid", "default")),
		OPTIONS(FLAG("noflush", NOFLUSH))),
	COMMAND("split", SPLIT, do_split, ARGS(ARG_VA, ARG_OPTIONAL("SIZE", syntax_number))),
	COMMAND("join", JOIN, do_join, ARGS(ARG_VA)),
	COMMAND("vmap", VMAP, do_vmap, ARGS(ARG_VA, ARG("PA", syntax_number), ARG_SIZE),
		OPTIONS(FLAG("huge", VMAP_HUGE))),
	COMMAND("vunmap", VUNMAP, do_vunmap, ARGS(ARG_VA, ARG_SIZE)),
	COMMAND("set-memory", SET_MEMORY, do_set_memory,
		ARGS(ARG_VA, ARG_SIZE, ARG_CHOICE("WHAT", "ro", "rw", "x", "nx"))),
	COMMAND("set-direct-map", SET_DIRECT_MAP, do_set_direct_map,
		ARGS(ARG_VA, ARG_SIZE, ARG_CHOICE("WHAT", "invalid", "valid", "default"))),
	COMMAND("declare", DECLARE, do_declare,
		ARGS(ARG_VA, ARG_SIZE,
		     ARG_CHOICE("WHAT", "meant-invalid", "shared-memmap", "vmalloc",
				"vmalloc-huge"))),
	COMMANDS_END,
};
