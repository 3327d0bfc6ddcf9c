/* SPDX-License-Identifier: MIT */
/* actors: how `actor` and `explore` are written. explore.c runs them. */
#include <errno.h>
#include <string.h>

#include <pgtsim/explore.h>

#include "explore.h"
#include "syntax.h"

static value_parser parse_protect, parse_level;

/* The arguments of each kind of actor after NAME and KIND, in the order of enum scenario_actor. */
static const struct actor_kind {
	const char *name;
	const char *wants;
	size_t least, most;
	value_parser *parse[SCENARIO_ARGS_MAX - 2];
} actor_kinds[] = {
	{ "add", "BASE+SIZE", 1, 1, { syntax_range } },
	{ "remove", "BASE+SIZE", 1, 1, { syntax_range } },
	{ "unmap", "VA SIZE", 2, 2, { syntax_address, syntax_number } },
	{ "vmemmap-free", "START END", 2, 2, { syntax_address, syntax_address } },
	{ "vmalloc", "VA PAGES", 2, 2, { syntax_address, syntax_number } },
	{ "ptdump", "VA SIZE", 2, 2, { syntax_address, syntax_number } },
	{ "access",
	  "VA, at most 4 of them",
	  1,
	  4,
	  { syntax_address, syntax_address, syntax_address, syntax_address } },
	{ "vmap", "VA PA SIZE", 3, 3, { syntax_address, syntax_number, syntax_number } },
	{ "protect", "VA SIZE WHAT", 3, 3, { syntax_address, syntax_number, parse_protect } },
	{ "poke", "LEVEL VA DESCRIPTOR", 3, 3, { parse_level, syntax_address, syntax_number } },
	{ "online-page", "PFN", 1, 1, { syntax_number } },
	{ "unplug", "BASE+SIZE", 1, 1, { syntax_range } },
};

static const char *const actor_names[] = { "add",     "remove", "unmap",       "vmemmap-free",
					   "vmalloc", "ptdump", "access",      "vmap",
					   "protect", "poke",   "online-page", "unplug",
					   NULL };

static int parse_protect(struct parser *p, const struct slot *slot, char *word,
			 struct scenario_value *value)
{
	(void)slot;
	return syntax_choice(p,
			     &(const struct slot){ .name = "WHAT",
						   .choices = CHOICES("ro", "rw", "x", "nx",
								      "invalid", "valid",
								      "default") },
			     word, value);
}

static int parse_level(struct parser *p, const struct slot *slot, char *word,
		       struct scenario_value *value)
{
	(void)slot;
	return syntax_choice(p,
			     &(const struct slot){ .name = "LEVEL",
						   .choices = CHOICES("pgd", "p4d", "pud", "pmd",
								      "pte") },
			     word, value);
}

size_t scenario_actors(const struct scenario *scenario, const struct scenario_command *explore,
		       size_t actors[SCENARIO_ACTORS_MAX])
{
	size_t end = (size_t)(explore - scenario->commands), start = end, count = 0;

	while (start && scenario->commands[start - 1].kind != SCENARIO_EXPLORE)
		start--;
	for (size_t i = start; i < end && count < SCENARIO_ACTORS_MAX; i++)
		if (scenario->commands[i].kind == SCENARIO_ACTOR)
			actors[count++] = i;
	return count;
}

/* The actors that the command being read would explore. */
static size_t actors_so_far(const struct parser *p, size_t actors[SCENARIO_ACTORS_MAX])
{
	return scenario_actors(p->out, p->command, actors);
}

static int declare_actor(struct parser *p, const struct slot *slot, char *word,
			 struct scenario_value *value)
{
	size_t actors[SCENARIO_ACTORS_MAX], count = actors_so_far(p, actors);

	(void)value;
	if (!syntax_is_name(word))
		return syntax_fail(p, "%s: '%s' is not a name of letters, digits, '-', '_' and '.'",
				   slot->name, syntax_quote(word).text);
	for (size_t i = 0; i < count; i++)
		if (!strcmp(p->out->commands[actors[i]].args[0].word, word))
			return syntax_fail(p, "%s: actor '%s' is declared twice", slot->name,
					   syntax_quote(word).text);
	if (count == SCENARIO_ACTORS_MAX)
		return syntax_fail(p, "too many actors; the most is %d", SCENARIO_ACTORS_MAX);
	return 0;
}

static const struct actor_kind *kind_of(const struct parser *p)
{
	return &actor_kinds[p->command->args[1].choice];
}

/* Reads an argument after KIND. */
static int parse_actor_value(struct parser *p, const struct slot *slot, char *word,
			     struct scenario_value *value)
{
	const struct actor_kind *kind = kind_of(p);
	size_t at = p->command->arg_count - 3; /* this one counts already */

	(void)slot;
	if (at >= kind->most)
		return syntax_fail(p, "too many arguments for 'actor %s': '%s'", kind->name,
				   syntax_quote(word).text);
	return kind->parse[at](p, &(const struct slot){ .name = kind->wants }, word, value);
}

/* What takes the hotplug lock always, never, or if the actor says `lock`. */
static bool may_lock(unsigned kind)
{
	return kind >= SCENARIO_ACTOR_PTDUMP && kind != SCENARIO_ACTOR_ACCESS &&
	       kind != SCENARIO_ACTOR_UNPLUG;
}

static int check_actor(struct parser *p)
{
	const struct actor_kind *kind = kind_of(p);
	unsigned choice = p->command->args[1].choice;

	if (p->command->arg_count - 2 < kind->least)
		return syntax_fail(p, "an actor that does '%s' needs %s", kind->name, kind->wants);
	if (syntax_given(p, "lock") && !may_lock(choice))
		return syntax_fail(
			p,
			"'lock' is for 'ptdump', 'vmap', 'protect', 'poke' and 'online-page': '%s' %s",
			kind->name,
			choice < SCENARIO_ACTOR_VMALLOC || choice == SCENARIO_ACTOR_UNPLUG ?
				"always takes the hotplug lock" :
				"never takes the hotplug lock");
	if (syntax_given(p, "rcu") && choice != SCENARIO_ACTOR_ONLINE_PAGE)
		return syntax_fail(p, "'rcu' is for 'online-page'");
	if (syntax_given(p, "rcu") && syntax_given(p, "lock"))
		return syntax_fail(p, "an actor takes 'lock' or 'rcu', not both");
	return 0;
}

static bool knows_actor(const void *ctx, const char *name, size_t length)
{
	const struct parser *p = ctx;
	size_t actors[SCENARIO_ACTORS_MAX], count = actors_so_far(p, actors);

	for (size_t i = 0; i < count; i++) {
		const char *actor = p->out->commands[actors[i]].args[0].word;

		if (strlen(actor) == length && !strncmp(actor, name, length))
			return true;
	}
	return false;
}

static int parse_schedule(struct parser *p, const struct slot *slot, char *word,
			  struct scenario_value *value)
{
	(void)value;
	if (pgtsim_schedule_is_valid(word, knows_actor, p))
		return 0;
	return syntax_fail(
		p, "%s: '%s' is not a schedule of the actors before it; write NAME*STEPS,...",
		slot->name, syntax_quote(word).text);
}

static int check_explore(struct parser *p)
{
	static const char *const apart[][2] = {
		{ "bound", "schedule" },  { "preemptions", "schedule" }, { "random", "schedule" },
		{ "random", "preemptions" }, { "random", "bound" },
	};
	size_t actors[SCENARIO_ACTORS_MAX];

	if (!actors_so_far(p, actors))
		return syntax_fail(p,
				   "'explore' needs an 'actor' before it, and after the 'explore' "
				   "before");
	for (size_t i = 0; i < sizeof(apart) / sizeof(apart[0]); i++)
		if (syntax_given(p, apart[i][0]) && syntax_given(p, apart[i][1]))
			return syntax_fail(p, "explore takes '%s' or '%s', not both", apart[i][0],
					   apart[i][1]);
	if ((syntax_given(p, "seed") || syntax_given(p, "runs")) && !syntax_given(p, "random"))
		return syntax_fail(p, "'seed=' and 'runs=' are for 'explore random'");
	return 0;
}

/* An actor does nothing by itself: explore_actors() runs those before it. */
static int do_actor(struct run *run, const struct scenario_command *command)
{
	(void)run;
	(void)command;
	return 0;
}

#define ACTOR_VALUE ARG_OPTIONAL("WHAT", parse_actor_value)

const struct scenario_row actor_commands[] = {
	COMMAND("actor", ACTOR, do_actor,
		ARGS(ARG("NAME", declare_actor),
		     { .name = "KIND",
		       .parse = syntax_choice,
		       .choices = actor_names,
		       .required = true },
		     ACTOR_VALUE, ACTOR_VALUE, ACTOR_VALUE, ACTOR_VALUE),
		OPTIONS(FLAG("lock", LOCK), FLAG("rcu", RCU)), .alone = true,
		.finish = check_actor),
	COMMAND("explore", EXPLORE, explore_actors, NO_ARGS,
		OPTIONS(NUMBER_FROM_1("bound", BOUND), OPTION("schedule", SCHEDULE, parse_schedule),
			NUMBER_INT("preemptions", PREEMPTIONS, 0), FLAG("random", RANDOM),
			NUMBER("seed", SEED), NUMBER_FROM_1("runs", RUNS)),
		.looks = true, .finish = check_explore),
	COMMANDS_END,
};
