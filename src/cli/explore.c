/* SPDX-License-Identifier: MIT */
#include "explore.h"

#include <assert.h>
#include <errno.h>

static_assert((int)SCENARIO_ACTORS_MAX == (int)PGTSIM_ACTORS_MAX,
	      "what can be written can be explored");

/* An actor of the scenario: the library's, with what it works on. */
struct player {
	struct pgtsim_actor_range range;
	uint64_t va[SCENARIO_ARGS_MAX];
	struct pgtsim_actor_accesses accesses;
};

struct stage {
	const struct run *run;
	const struct scenario_command *explore;
	struct run again; /* of the schedule under way */
	struct run_options options;
	struct player players[SCENARIO_ACTORS_MAX];
	struct pgtsim_actor_spec actors[SCENARIO_ACTORS_MAX];
};

static int setup(void *ctx, struct pgtsim_machine **machine)
{
	struct stage *stage = ctx;
	int ret = run_again(&stage->again, stage->run, stage->explore, &stage->options);

	if (!ret)
		*machine = stage->again.machine;
	return ret;
}

static void teardown(void *ctx, struct pgtsim_machine *machine)
{
	struct stage *stage = ctx;

	(void)machine;
	run_end(&stage->again);
}

/* ---- what an actor works on ---- */

static int physical(struct stage *stage, const struct scenario_command *command,
		    struct player *player)
{
	(void)stage;
	player->range.start = command->args[2].range.base;
	player->range.size = command->args[2].range.size;
	return 0;
}

static int va_and_size(struct stage *stage, const struct scenario_command *command,
		       struct player *player)
{
	player->range.size = command->args[3].number;
	return run_address(stage->run, &command->args[2], &player->range.start);
}

static int unmap(struct stage *stage, const struct scenario_command *command, struct player *player)
{
	struct pgtsim_actor_range *range = &player->range;
	int ret = va_and_size(stage, command, player);

	run_bounds(stage->run, range->start, range->start + range->size, &range->floor,
		   &range->ceiling);
	return ret;
}

static int start_and_end(struct stage *stage, const struct scenario_command *command,
			 struct player *player)
{
	uint64_t end;
	int ret = run_address(stage->run, &command->args[2], &player->range.start);

	if (!ret)
		ret = run_address(stage->run, &command->args[3], &end);
	if (!ret)
		player->range.size = end - player->range.start;
	return ret;
}

static int pages(struct stage *stage, const struct scenario_command *command, struct player *player)
{
	unsigned shift = stage->run->machine->geo.page_shift;
	uint64_t count = command->args[3].number;

	if (count > UINT64_MAX >> shift)
		return -EINVAL;
	player->range.size = count << shift;
	return run_address(stage->run, &command->args[2], &player->range.start);
}

static int addresses(struct stage *stage, const struct scenario_command *command,
		     struct player *player)
{
	int ret = 0;

	player->accesses.va = player->va;
	player->accesses.count = command->arg_count - 2;
	for (size_t i = 0; !ret && i < player->accesses.count; i++)
		ret = run_address(stage->run, &command->args[2 + i], &player->va[i]);
	return ret;
}

static const struct {
	int (*read)(struct stage *stage, const struct scenario_command *command,
		    struct player *player);
	struct pgtsim_actor_spec spec;
} kinds[] = {
	[SCENARIO_ACTOR_ADD] = { physical, { .run = pgtsim_actor_add } },
	[SCENARIO_ACTOR_REMOVE] = { physical, { .run = pgtsim_actor_remove } },
	[SCENARIO_ACTOR_UNMAP] = { unmap, { .run = pgtsim_actor_unmap } },
	[SCENARIO_ACTOR_VMEMMAP_FREE] = { start_and_end, { .run = pgtsim_actor_vmemmap_free } },
	[SCENARIO_ACTOR_VMALLOC] = { pages,
				     { .run = pgtsim_actor_vmalloc,
				       .check = pgtsim_actor_vmalloc_check } },
	[SCENARIO_ACTOR_PTDUMP] = { va_and_size, { .run = pgtsim_actor_ptdump_unlocked } },
	[SCENARIO_ACTOR_ACCESS] = { addresses, { .run = pgtsim_actor_access } },
};

static int make_actor(struct stage *stage, const struct scenario_command *command, size_t i)
{
	const unsigned kind = command->args[1].choice;
	struct player *player = &stage->players[i];
	struct pgtsim_actor_spec *actor = &stage->actors[i];

	*actor = kinds[kind].spec;
	actor->name = command->args[0].word;
	actor->arg = kind == SCENARIO_ACTOR_ACCESS ? (void *)&player->accesses : &player->range;
	if (scenario_option(command, SCENARIO_KEY_LOCK))
		actor->run = pgtsim_actor_ptdump;
	return kinds[kind].read(stage, command, player);
}

/* ---- exploring ---- */

/* What was found, on the machine for `check` and `expect`, and in words. */
static int conclude(const struct run *run, struct pgtsim_exploration *found)
{
	struct pgtsim_tlb *tlb = &run->machine->tlb;
	const struct pgtsim_violation *violation = &found->violation;
	const char *name = scenario_errno_name(found->result);

	tlb->counts.explore_schedules += found->schedules;
	tlb->counts.explore_failed += found->failed;
	if (found->failed)
		pgtsim_tlb_violation(tlb, violation->name, violation->va, violation->level, "%s",
				     violation->text);
	pgtsim_exploration_print(found, &run->options->out);
	if (found->result)
		pgtsim_printf(&run->options->out, "%s fails: %s\n",
			      found->names[found->result_actor], name ? name : "an error");
	return found->result;
}

int explore_actors(struct run *run, const struct scenario_command *command)
{
	const struct scenario_value *bound = scenario_option(command, SCENARIO_KEY_BOUND);
	const struct scenario_value *schedule = scenario_option(command, SCENARIO_KEY_SCHEDULE);
	struct stage stage = { .run = run, .explore = command };
	struct pgtsim_explore_config config = {
		.setup = setup,
		.teardown = teardown,
		.ctx = &stage,
		.actors = stage.actors,
		.bound = bound ? bound->number : 0,
		.schedule = schedule ? schedule->word : NULL,
	};
	struct pgtsim_exploration found;
	size_t actors[SCENARIO_ACTORS_MAX];
	int ret = 0;

	config.actor_count = scenario_actors(run->scenario, command, actors);
	for (size_t i = 0; !ret && i < config.actor_count; i++)
		ret = make_actor(&stage, &run->scenario->commands[actors[i]], i);
	if (!ret)
		ret = pgtsim_explore(&config, &found);
	if (ret)
		return ret;
	ret = conclude(run, &found);
	pgtsim_exploration_free(&found);
	return ret;
}
