/* SPDX-License-Identifier: MIT */
/* The entry point: checks the configuration, and runs either one given schedule or the search. */
#include <pgtsim/explore.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explore.h"

/* ---- the schedule that failed ---- */

/*
 * Returns the text of a schedule, like "a*12,b*3+1,a*4", or NULL if there is no memory. The caller
 * frees it.
 */
static char *spell_schedule(const struct pgtsim_exploring *x,
			    const struct pgtsim_schedule *schedule)
{
	size_t room = 1, length = 0;
	char *text;

	for (size_t i = 0; i < schedule->count; i++)
		room += strlen(x->config->actors[schedule->segment[i].actor].name) + 32;
	text = malloc(room);
	if (!text)
		return NULL;
	*text = '\0';
	for (size_t i = 0; i < schedule->count; i++) {
		const struct pgtsim_segment *segment = &schedule->segment[i];

		length += (size_t)snprintf(text + length, room - length, "%s%s*%u", i ? "," : "",
					   x->config->actors[segment->actor].name,
					   (unsigned)segment->counted);
		if (segment->extra)
			length += (size_t)snprintf(text + length, room - length, "+%u",
						   (unsigned)segment->extra);
	}
	return text;
}

/*
 * Runs the failing schedule twice more. The first run records which entries and steps actors share;
 * the second one writes the story, which joins all other steps into rows of PGTSIM_STEP_MANY.
 */
static int write_story(struct pgtsim_exploring *x, struct pgtsim_exploration *out,
		       const struct pgtsim_schedule *failing)
{
	int ret;

	if (!pgtsim_schedule_copy(&x->plan, failing, UINT32_MAX))
		return -ENOBUFS;
	x->marking = true;
	ret = pgtsim_run_schedule(x);
	x->marking = false;
	if (!ret)
		ret = pgtsim_shadow_mark_shared(x);
	out->violation = x->violation;
	x->fails_at = x->failed_at;
	x->story = out;
	if (!ret)
		ret = pgtsim_run_schedule(x);
	x->story = NULL;
	if (ret)
		return ret;
	out->schedule = spell_schedule(x, &x->path);
	return out->schedule ? 0 : -ENOBUFS;
}

/* Makes the failing schedule simpler, if asked to, and writes its story. */
static int explain_failure(struct pgtsim_exploring *x, struct pgtsim_exploration *out,
			   struct pgtsim_schedule *failing, bool simple)
{
	int ret = 0;

	x->searching = x->exact = x->given = false;
	if (simple)
		ret = pgtsim_simplify(x, out->violation.name, failing);
	return ret ? ret : write_story(x, out, failing);
}

/* ---- one given schedule ---- */

/* Returns the number of the actor with this name, or -EINVAL. */
static int find_actor(const struct pgtsim_explore_config *config, const char *name, size_t length)
{
	for (size_t i = 0; i < config->actor_count; i++)
		if (strlen(config->actors[i].name) == length &&
		    !memcmp(config->actors[i].name, name, length))
			return (int)i;
	return -EINVAL;
}

/* Reads a schedule's text into x->plan. Returns 0, -EINVAL or -ENOBUFS. */
static int parse_schedule(struct pgtsim_exploring *x, const char *text)
{
	struct pgtsim_schedule_word word;
	size_t count = 1;

	do {
		int actor = -EINVAL;

		if (pgtsim_schedule_word(&text, &word))
			actor = find_actor(x->config, word.name, word.length);
		if (actor < 0) {
			snprintf(x->problem, sizeof(x->problem),
				 "word %zu of the schedule is not NAME*STEPS of an actor", count);
			return actor;
		}
		count++;
		if (!pgtsim_schedule_add_word(&x->plan, (unsigned)actor, word.count, word.extra))
			return -ENOBUFS;
	} while (*text != '\0');
	return 0;
}

/* Runs the schedule that the caller gave. Its words must be followed exactly. */
static int run_given(struct pgtsim_exploring *x, struct pgtsim_exploration *out,
		     struct pgtsim_schedule *failing)
{
	int ret = parse_schedule(x, x->config->schedule);

	x->given = true;
	if (!ret)
		ret = pgtsim_run_schedule(x);
	if (ret)
		return ret;
	pgtsim_count_run(x, out);
	if (!x->failed_at)
		return 0;
	out->violation = x->violation;
	return pgtsim_keep_failing(x, failing);
}

/* ---- the exploration ---- */

/* Says why a configuration cannot be explored. Returns -EINVAL. */
#ifdef __GNUC__
__attribute__((format(printf, 2, 3)))
#endif
static int
refuse(struct pgtsim_exploration *out, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(out->problem, sizeof(out->problem), format, args);
	va_end(args);
	return -EINVAL;
}

/* Names must be unique and must not contain what separates words of a schedule. */
static int check_actor(const struct pgtsim_explore_config *config, unsigned i,
		       struct pgtsim_exploration *out)
{
	const char *name = config->actors[i].name;

	if (!config->actors[i].run)
		return refuse(out, "actor %u has nothing to run", i + 1);
	if (!name || !*name)
		return refuse(out, "actor %u has no name", i + 1);
	if (name[strcspn(name, "*, \t\n")])
		return refuse(out, "actor %u: a name has no '*', no ',' and no blank", i + 1);
	if (find_actor(config, name, strlen(name)) != (int)i)
		return refuse(out, "two actors have the name '%.60s'", name);
	return 0;
}

static int check_config(const struct pgtsim_explore_config *config, struct pgtsim_exploration *out)
{
	if (!config->setup)
		return refuse(out, "there is no setup() that makes the machine");
	if (!config->actors || !config->actor_count || config->actor_count > PGTSIM_ACTORS_MAX)
		return refuse(out, "there are 1 to %d actors, and here are %zu", PGTSIM_ACTORS_MAX,
			      config->actors ? config->actor_count : 0);
	if (config->shards > 1 && config->shard >= config->shards)
		return refuse(out, "there is no shard %u of %u, they count from 0", config->shard,
			      config->shards);
	if (config->shards > 1 && (config->runs || config->limit_preemptions || config->schedule))
		return refuse(out, "only a search of all schedules is divided into shards");
	for (unsigned i = 0; i < config->actor_count; i++) {
		int ret = check_actor(config, i, out);

		if (ret)
			return ret;
	}
	return 0;
}

static int explore(struct pgtsim_exploring *x, struct pgtsim_exploration *out)
{
	struct pgtsim_schedule failing = { 0 };
	bool given = x->config->schedule != NULL;
	int ret = pgtsim_run_init(x);

	if (!ret)
		ret = given ? run_given(x, out, &failing) : pgtsim_search(x, out, &failing);
	if (!ret && out->failed)
		ret = explain_failure(x, out, &failing, !given);
	pgtsim_schedule_fini(&failing);
	pgtsim_run_fini(x);
	return ret;
}

int pgtsim_explore(const struct pgtsim_explore_config *config, struct pgtsim_exploration *out)
{
	struct pgtsim_exploring *x;
	int ret;

	if (!out)
		return -EINVAL;
	memset(out, 0, sizeof(*out));
	ret = config ? check_config(config, out) : -EINVAL;
	if (ret)
		return ret;
	x = calloc(1, sizeof(*x));
	if (!x)
		return -ENOBUFS;
	x->config = config;
	x->actor_count = (unsigned)config->actor_count;
	for (unsigned i = 0; i < x->actor_count; i++)
		snprintf(out->names[i], sizeof(out->names[i]), "%s", config->actors[i].name);
	ret = explore(x, out);
	if (ret)
		pgtsim_exploration_free(out);
	memcpy(out->problem, x->problem, sizeof(out->problem));
	free(x);
	return ret;
}

void pgtsim_exploration_free(struct pgtsim_exploration *exploration)
{
	if (!exploration)
		return;
	free(exploration->schedule);
	free(exploration->rows);
	memset(exploration, 0, sizeof(*exploration));
}
