/* SPDX-License-Identifier: MIT */
#include "explore.h"

#include <pgtsim/format.h>
#include <pgtsim/protect.h>

#include <assert.h>
#include <errno.h>

static_assert((int)SCENARIO_ACTORS_MAX == (int)PGTSIM_ACTORS_MAX,
	      "what can be written can be explored");

/* Defaults: the bound of `explore`, and the number of schedules of `explore random`. */
enum { DEFAULT_BOUND = 2000000, DEFAULT_RUNS = 10000 };

/* An actor of the scenario: the library's, with what it works on. */
struct player {
	struct pgtsim_actor_range range; /* the first member: what the library's actors take */
	uint64_t value;                  /* of vmap the PA, of poke the descriptor */
	unsigned choice;                 /* of protect the change, of poke the level */
	uint64_t va[SCENARIO_ARGS_MAX];
	struct pgtsim_actor_accesses accesses;
};

struct stage {
	struct run *run;
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

/* ---- actors of the command's own ---- */

static int act_vmap(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	const struct player *player = arg;

	(void)actor;
	return pgtsim_vmap(&machine->pgt, player->range.start, player->value, player->range.size,
			   true);
}

static int act_protect(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	const struct player *player = arg;

	(void)actor;
	return pgtsim_protect(&machine->pgt, player->range.start, player->range.size,
			      (enum pgtsim_protect)player->choice, false);
}

static int act_poke(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	const struct player *player = arg;

	(void)actor;
	return pgtsim_poke(&machine->pgt, (int)player->choice, player->range.start, player->value);
}

/* Any of them with the lock that ptdump takes, so that they exclude each other. */
#define LOCKED(act)                                                                         \
	static int act##_locked(struct pgtsim_actor *actor, struct pgtsim_machine *machine, \
				void *arg)                                                  \
	{                                                                                   \
		int ret;                                                                    \
                                                                                            \
		pgtsim_actor_lock(actor, PGTSIM_LOCK_HOTPLUG);                              \
		ret = act(actor, machine, arg);                                             \
		pgtsim_actor_unlock(actor, PGTSIM_LOCK_HOTPLUG);                            \
		return ret;                                                                 \
	}
LOCKED(act_vmap)
LOCKED(act_protect)
LOCKED(act_poke)
LOCKED(pgtsim_actor_online_page)

/* Whether a leaf is what the change makes of it. */
static bool is_protected(const struct pgtsim_machine *machine, uint64_t va, unsigned what)
{
	struct pgtsim_translation at;
	bool valid = !pgtsim_translate(&machine->pgt, va, &at);
	bool nx = at.desc & PGTSIM_DESC_PXN;

	switch (what) {
	case PGTSIM_PROTECT_RO:
		return at.desc & PGTSIM_DESC_AP2;
	case PGTSIM_PROTECT_RW:
		return !(at.desc & PGTSIM_DESC_AP2);
	case PGTSIM_PROTECT_X:
		return !nx;
	case PGTSIM_PROTECT_NX:
		return nx;
	case PGTSIM_PROTECT_INVALID:
		return !valid;
	default:
		return valid;
	}
}

/* What was set must be there at the end, whatever the others have changed meanwhile. */
static void check_protect(struct pgtsim_machine *machine, int result, void *arg)
{
	const struct player *player = arg;
	uint64_t page = pgtsim_page_size(&machine->geo);

	for (uint64_t at = 0; !result && at < player->range.size; at += page)
		if (!is_protected(machine, player->range.start + at, player->choice)) {
			pgtsim_tlb_violation(
				&machine->tlb, PGTSIM_V_MAPPING_LOST, player->range.start + at,
				PGTSIM_PTE,
				"a change of its attributes was overwritten by another");
			return;
		}
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

static int page(struct stage *stage, const struct scenario_command *command, struct player *player)
{
	unsigned shift = stage->run->machine->geo.page_shift;
	uint64_t pfn = command->args[2].number;

	if (pfn > UINT64_MAX >> shift)
		return run_refuse(stage->run, -EINVAL, "there are not so many page frames");
	player->range.start = pfn << shift;
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
		return run_refuse(stage->run, -EINVAL, "there are not so many pages of addresses");
	player->range.size = count << shift;
	return run_address(stage->run, &command->args[2], &player->range.start);
}

static int vmap(struct stage *stage, const struct scenario_command *command, struct player *player)
{
	player->value = command->args[3].number;
	player->range.size = command->args[4].number;
	return run_address(stage->run, &command->args[2], &player->range.start);
}

static int protect(struct stage *stage, const struct scenario_command *command,
		   struct player *player)
{
	player->choice = command->args[4].choice;
	return va_and_size(stage, command, player);
}

static int poke(struct stage *stage, const struct scenario_command *command, struct player *player)
{
	static const int levels[] = {
		[SCENARIO_LEVEL_PGD] = PGTSIM_PGD, [SCENARIO_LEVEL_P4D] = PGTSIM_P4D,
		[SCENARIO_LEVEL_PUD] = PGTSIM_PUD, [SCENARIO_LEVEL_PMD] = PGTSIM_PMD,
		[SCENARIO_LEVEL_PTE] = PGTSIM_PTE,
	};

	player->choice = (unsigned)levels[command->args[2].choice];
	player->value = pgtsim_desc_from_raw(&stage->run->machine->geo, (int)player->choice,
					     command->args[4].number);
	return run_address(stage->run, &command->args[3], &player->range.start);
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
	int (*locked)(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg);
	int (*rcu)(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg);
} kinds[] = {
	[SCENARIO_ACTOR_ADD] = { .read = physical, .spec = { .run = pgtsim_actor_add } },
	[SCENARIO_ACTOR_REMOVE] = { .read = physical, .spec = { .run = pgtsim_actor_remove } },
	[SCENARIO_ACTOR_UNMAP] = { .read = unmap, .spec = { .run = pgtsim_actor_unmap } },
	[SCENARIO_ACTOR_VMEMMAP_FREE] = { .read = start_and_end,
					  .spec = { .run = pgtsim_actor_vmemmap_free } },
	[SCENARIO_ACTOR_VMALLOC] = { .read = pages,
				     .spec = { .run = pgtsim_actor_vmalloc,
					       .check = pgtsim_actor_vmalloc_check } },
	[SCENARIO_ACTOR_PTDUMP] = { .read = va_and_size,
				    .spec = { .run = pgtsim_actor_ptdump_unlocked },
				    .locked = pgtsim_actor_ptdump },
	[SCENARIO_ACTOR_ACCESS] = { .read = addresses, .spec = { .run = pgtsim_actor_access } },
	[SCENARIO_ACTOR_VMAP] = { .read = vmap,
				  .spec = { .run = act_vmap, .check = pgtsim_actor_vmalloc_check },
				  .locked = act_vmap_locked },
	[SCENARIO_ACTOR_PROTECT] = { .read = protect,
				     .spec = { .run = act_protect, .check = check_protect },
				     .locked = act_protect_locked },
	[SCENARIO_ACTOR_POKE] = { .read = poke,
				  .spec = { .run = act_poke },
				  .locked = act_poke_locked },
	[SCENARIO_ACTOR_ONLINE_PAGE] = { .read = page,
					 .spec = { .run = pgtsim_actor_online_page },
					 .locked = pgtsim_actor_online_page_locked,
					 .rcu = pgtsim_actor_online_page_rcu },
	[SCENARIO_ACTOR_UNPLUG] = { .read = physical, .spec = { .run = pgtsim_actor_unplug } },
};

/* What s390's kernel does otherwise than arm64's, and the library does as arm64's alone. */
static int check_format(struct stage *stage, const struct scenario_command *command)
{
	const struct pgtsim_geometry *geo = &stage->run->machine->geo;
	unsigned kind = command->args[1].choice;

	if (geo->format == PGTSIM_FORMAT_ARM64 ||
	    (kind != SCENARIO_ACTOR_VMALLOC && kind != SCENARIO_ACTOR_VMAP &&
	     kind != SCENARIO_ACTOR_PROTECT))
		return 0;
	return run_refuse(stage->run, -EINVAL, "format=%s has no actor '%s' yet",
			  pgtsim_format_name((enum pgtsim_format)geo->format),
			  command->args[1].word);
}

static int make_actor(struct stage *stage, const struct scenario_command *command, size_t i)
{
	const unsigned kind = command->args[1].choice;
	struct player *player = &stage->players[i];
	struct pgtsim_actor_spec *actor = &stage->actors[i];
	int ret = check_format(stage, command);

	if (ret)
		return ret;
	*actor = kinds[kind].spec;
	actor->name = command->args[0].word;
	actor->arg = kind == SCENARIO_ACTOR_ACCESS ? (void *)&player->accesses : &player->range;
	if (scenario_option(command, SCENARIO_KEY_LOCK))
		actor->run = kinds[kind].locked;
	if (scenario_option(command, SCENARIO_KEY_RCU))
		actor->run = kinds[kind].rcu;
	return kinds[kind].read(stage, command, player);
}

/* ---- exploring ---- */

/* Reports the result on the machine, for `check` and `expect`, and prints it. */
static int conclude(struct run *run, struct pgtsim_exploration *found)
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
	if (!found->result)
		return 0;
	run_refuse(run, found->result, "the actor %s fails: %s", found->names[found->result_actor],
		   pgtsim_error_meaning(found->result));
	pgtsim_printf(&run->options->out, "%s fails: %s (%s)\n", found->names[found->result_actor],
		      pgtsim_error_meaning(found->result), name ? name : "an error");
	return found->result;
}

/* Fills in the configuration from the command's options. */
static void read_options(const struct scenario_command *command,
			 struct pgtsim_explore_config *config)
{
	const struct scenario_value *bound = scenario_option(command, SCENARIO_KEY_BOUND);
	const struct scenario_value *schedule = scenario_option(command, SCENARIO_KEY_SCHEDULE);
	const struct scenario_value *most = scenario_option(command, SCENARIO_KEY_PREEMPTIONS);
	const struct scenario_value *seed = scenario_option(command, SCENARIO_KEY_SEED);
	const struct scenario_value *runs = scenario_option(command, SCENARIO_KEY_RUNS);

	config->bound = bound ? bound->number : DEFAULT_BOUND;
	config->schedule = schedule ? schedule->word : NULL;
	config->limit_preemptions = most != NULL;
	config->preemptions = most ? (unsigned)most->number : 0;
	if (!scenario_option(command, SCENARIO_KEY_RANDOM))
		return;
	config->seed = seed ? seed->number : 1;
	config->runs = runs ? runs->number : DEFAULT_RUNS;
}

/* Explores. If the given schedule cannot run as written, the reason says why. */
static int explore(struct run *run, const struct scenario_command *command,
		   const struct pgtsim_explore_config *config, struct pgtsim_exploration *found)
{
	const struct run_options *options = run->options;
	int ret = options->explore ? options->explore(options->explore_ctx, run, command->line,
						      config, found) :
				     pgtsim_explore(config, found);

	if (ret && *found->problem)
		return run_refuse(run, ret, "%s", found->problem);
	return ret;
}

int explore_actors(struct run *run, const struct scenario_command *command)
{
	struct stage stage = { .run = run, .explore = command };
	struct pgtsim_explore_config config = {
		.setup = setup,
		.teardown = teardown,
		.ctx = &stage,
		.actors = stage.actors,
	};
	struct pgtsim_exploration found = { 0 };
	size_t actors[SCENARIO_ACTORS_MAX];
	int ret = 0;

	read_options(command, &config);
	config.actor_count = scenario_actors(run->scenario, command, actors);
	for (size_t i = 0; !ret && i < config.actor_count; i++)
		ret = make_actor(&stage, &run->scenario->commands[actors[i]], i);
	if (!ret)
		ret = explore(run, command, &config, &found);
	if (ret)
		return ret;
	ret = conclude(run, &found);
	pgtsim_exploration_free(&found);
	return ret;
}
