/* SPDX-License-Identifier: MIT */
#include <pgtsim/explore.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exploring.h"

/* Runs that making a failing schedule simpler may take. */
enum { TRIES = 4096 };

/* ---- nodes ---- */

static uint8_t sleep_before(const struct pgtsim_exploring *x, uint32_t step)
{
	size_t i = x->sleep_count;

	while (i && x->sleeps[i - 1].step > step)
		i--;
	return i ? x->sleeps[i - 1].sleep : 0;
}

/* The node where this step was chosen, made if need be; NULL if there is no memory. */
static struct pgtsim_node *node_at(struct pgtsim_exploring *x, uint32_t step)
{
	size_t room = x->node_room ? 2 * x->node_room : 64, i = x->node_count;
	unsigned taker = x->taken.segment[pgtsim_schedule_find(&x->taken, step)].actor;
	struct pgtsim_node *grown;

	while (i && x->nodes[i - 1].step > step)
		i--;
	if (i && x->nodes[i - 1].step == step)
		return &x->nodes[i - 1];
	if (x->node_count == x->node_room) {
		grown = realloc(x->nodes, room * sizeof(*grown));
		if (!grown)
			return NULL;
		x->nodes = grown;
		x->node_room = room;
	}
	memmove(&x->nodes[i + 1], &x->nodes[i], (x->node_count++ - i) * sizeof(*x->nodes));
	x->nodes[i] = (struct pgtsim_node){
		.step = step,
		.todo = (uint8_t)(1u << taker),
		.done = (uint8_t)(1u << taker),
		.sleep = sleep_before(x, step),
	};
	return &x->nodes[i];
}

/* What follows a step and does not depend on it: the first such step of each actor. */
struct rest {
	uint32_t first[PGTSIM_ACTORS_MAX]; /* 0: none */
	struct pgtsim_clock clock[PGTSIM_ACTORS_MAX];
};

static void find_rest(const struct pgtsim_exploring *x, unsigned other, uint32_t step, unsigned a,
		      const struct pgtsim_clock *clock, struct rest *rest)
{
	bool seen[PGTSIM_ACTORS_MAX] = { false };

	memset(rest, 0, sizeof(*rest));
	seen[other] = true;
	for (size_t i = pgtsim_schedule_find(&x->taken, step) + 1; i < x->taken.count; i++) {
		const struct pgtsim_segment *segment = &x->taken.segment[i];
		unsigned r = segment->actor;

		if (seen[r] || (r == a && segment->first == x->step))
			continue;
		seen[r] = true;
		rest->clock[r] = pgtsim_clock_at(&x->actor[r], segment->first);
		if (rest->clock[r].step[other] < step)
			rest->first[r] = segment->first;
	}
	if (!seen[a]) {
		rest->first[a] = x->step + 1;
		rest->clock[a] = *clock;
	}
}

/* Those that can go first in an order where `a` comes before the step: source sets' initials. */
static uint8_t initials(const struct pgtsim_exploring *x, const struct rest *rest)
{
	uint8_t found = 0;

	for (unsigned r = 0; r < x->actor_count; r++) {
		bool first = rest->first[r] != 0;

		for (unsigned s = 0; s < x->actor_count; s++)
			if (s != r && rest->first[s] && rest->clock[r].step[s] >= rest->first[s])
				first = false;
		if (first)
			found |= (uint8_t)(1u << r);
	}
	return found;
}

void pgtsim_race(struct pgtsim_exploring *x, unsigned other, uint32_t step, unsigned a,
		 const struct pgtsim_clock *clock)
{
	struct pgtsim_node *node = node_at(x, step);
	struct rest rest;
	uint8_t could;

	if (!node) {
		x->error = -ENOMEM;
		return;
	}
	find_rest(x, other, step, a, clock, &rest);
	could = initials(x, &rest);
	if (!(could & (node->todo | node->sleep)))
		node->todo |= could & (uint8_t)-could;
}

/* Plans the next schedule. Returns whether there is one; x->error if there is no memory. */
static bool next_schedule(struct pgtsim_exploring *x)
{
	for (; x->node_count; x->node_count--) {
		struct pgtsim_node *node = &x->nodes[x->node_count - 1];
		uint8_t todo = node->todo & (uint8_t) ~(node->done | node->sleep);
		unsigned actor = 0;

		if (!todo)
			continue;
		while (!(todo >> actor & 1))
			actor++;
		x->fresh = node->step;
		x->fresh_sleep = node->sleep | node->done;
		node->done |= (uint8_t)(1u << actor);
		while (x->sleep_count && x->sleeps[x->sleep_count - 1].step > x->fresh)
			x->sleep_count--;
		if (pgtsim_schedule_copy(&x->plan, &x->taken, x->fresh - 1) &&
		    pgtsim_schedule_add(&x->plan, actor, 1))
			return true;
		x->error = -ENOMEM;
		return false;
	}
	return false;
}

/* ---- the search ---- */

static void count_run(struct pgtsim_exploring *x, struct pgtsim_exploration *out)
{
	if (x->cut) {
		out->cut++;
		return;
	}
	out->schedules++;
	out->failed += x->failed_at != 0;
	if (x->step > out->steps)
		out->steps = x->step;
	for (unsigned i = 0; i < x->actor_count && !out->result && !x->deadlock; i++) {
		out->result = x->actor[i].result;
		out->result_actor = i;
	}
}

/* The part of the last run's schedule up to where it failed. */
static int keep_failing(struct pgtsim_exploring *x, struct pgtsim_schedule *failing)
{
	uint32_t steps = x->failed_at < x->step ? x->failed_at : x->step;

	return pgtsim_schedule_copy(failing, &x->taken, steps) ? 0 : -ENOMEM;
}

static bool stops_here(const struct pgtsim_explore_config *config,
		       const struct pgtsim_exploration *out)
{
	return (config->first_only && out->failed) ||
	       (config->bound && out->schedules + out->cut >= config->bound);
}

static int search(struct pgtsim_exploring *x, struct pgtsim_exploration *out,
		  struct pgtsim_schedule *failing)
{
	x->searching = x->exact = true;
	x->fresh = 1;
	for (;;) {
		int ret = pgtsim_execute(x);

		if (ret)
			return ret;
		count_run(x, out);
		if (!x->cut && x->failed_at && out->failed == 1) {
			ret = keep_failing(x, failing);
			out->violation = x->violation;
		}
		if (ret)
			return ret;
		if (!next_schedule(x))
			break;
		if (stops_here(x->config, out))
			return 0;
	}
	out->complete = !x->error;
	return x->error;
}

/* ---- making it simple ---- */

struct simpler {
	struct pgtsim_exploring *x;
	enum pgtsim_violation_name name; /* of the violation that must stay */
	struct pgtsim_schedule *best;
	unsigned tries;
};

static bool is_simpler(const struct pgtsim_schedule *a, const struct pgtsim_schedule *b)
{
	if (a->count != b->count)
		return a->count < b->count;
	return pgtsim_schedule_steps(a) < pgtsim_schedule_steps(b);
}

/* Runs x->plan; if it fails alike and is simpler, it becomes the best. Returns 1 then. */
static int attempt(struct simpler *s)
{
	struct pgtsim_schedule taken = { 0 };
	int ret;

	if (s->tries++ == TRIES)
		return 0;
	ret = pgtsim_execute(s->x);
	if (!ret && s->x->failed_at && s->x->violation.name == s->name)
		ret = keep_failing(s->x, &taken);
	if (!ret && taken.count && is_simpler(&taken, s->best)) {
		struct pgtsim_schedule old = *s->best;

		*s->best = taken;
		taken = old;
		ret = 1;
	}
	pgtsim_schedule_fini(&taken);
	return ret;
}

/* The best schedule with its word `at` left out, exchanged with the next, or cut short. */
enum edit { DROP, SWAP, SHORTEN };

static int try_edit(struct simpler *s, enum edit edit, size_t at, uint32_t less)
{
	struct pgtsim_schedule *plan = &s->x->plan;
	bool fits = true;

	plan->count = 0;
	for (size_t i = 0; fits && i < s->best->count; i++) {
		size_t from = i;
		uint32_t count;

		if (edit == SWAP && (i == at || i == at + 1))
			from = at + (at + 1) - i;
		count = s->best->segment[from].count;
		if (i == at && edit == DROP)
			continue;
		if (i == at && edit == SHORTEN)
			count -= less;
		fits = !count || pgtsim_schedule_add(plan, s->best->segment[from].actor, count);
	}
	return fits ? attempt(s) : -ENOMEM;
}

/* Takes away switches between actors, one after the other, as long as that works. */
static int fewer_switches(struct simpler *s)
{
	int ret = 1;

	while (ret > 0) {
		ret = 0;
		for (size_t i = 0; ret == 0 && i < s->best->count; i++) {
			ret = try_edit(s, DROP, i, 0);
			if (!ret && i + 1 < s->best->count)
				ret = try_edit(s, SWAP, i, 0);
		}
	}
	return ret;
}

/* Lets each actor stop as early as possible. */
static int fewer_steps(struct simpler *s)
{
	int ret = 0;

	for (size_t i = 0; ret >= 0 && i < s->best->count; i++) {
		uint32_t less = s->best->segment[i].count / 2;

		for (; ret >= 0 && less && i < s->best->count; less /= 2) {
			while (less < s->best->segment[i].count) {
				ret = try_edit(s, SHORTEN, i, less);
				if (ret <= 0 || i >= s->best->count)
					break;
			}
			if (i >= s->best->count)
				break;
		}
	}
	return ret < 0 ? ret : 0;
}

static int simplify(struct pgtsim_exploring *x, struct pgtsim_exploration *out,
		    struct pgtsim_schedule *failing)
{
	struct simpler s = { .x = x, .name = out->violation.name, .best = failing };
	int ret = fewer_switches(&s);

	return ret ? ret : fewer_steps(&s);
}

/* ---- the schedule that failed ---- */

static char *spell(const struct pgtsim_exploring *x, const struct pgtsim_schedule *schedule)
{
	size_t room = 1, length = 0;
	char *text;

	for (size_t i = 0; i < schedule->count; i++)
		room += strlen(x->config->actors[schedule->segment[i].actor].name) + 16;
	text = malloc(room);
	if (!text)
		return NULL;
	*text = '\0';
	for (size_t i = 0; i < schedule->count; i++)
		length += (size_t)snprintf(text + length, room - length, "%s%s*%u", i ? "," : "",
					   x->config->actors[schedule->segment[i].actor].name,
					   (unsigned)schedule->segment[i].count);
	return text;
}

/* Runs it twice more: to see where actors meet, and to write down what they do. */
static int account_for(struct pgtsim_exploring *x, struct pgtsim_exploration *out,
		       const struct pgtsim_schedule *failing)
{
	int ret;

	out->schedule = spell(x, failing);
	if (!out->schedule || !pgtsim_schedule_copy(&x->plan, failing, UINT32_MAX))
		return -ENOMEM;
	ret = pgtsim_execute(x);
	if (!ret)
		ret = pgtsim_watch_share(x);
	out->violation = x->violation;
	x->fails_at = x->failed_at;
	x->account = out;
	if (!ret)
		ret = pgtsim_execute(x);
	x->account = NULL;
	return ret;
}

static int tell(struct pgtsim_exploring *x, struct pgtsim_exploration *out,
		struct pgtsim_schedule *failing, bool simple)
{
	int ret = 0;

	x->searching = x->exact = false;
	if (simple)
		ret = simplify(x, out, failing);
	return ret ? ret : account_for(x, out, failing);
}

/* ---- one given schedule ---- */

static int find_actor(const struct pgtsim_explore_config *config, const char *name, size_t length)
{
	for (size_t i = 0; i < config->actor_count; i++)
		if (strlen(config->actors[i].name) == length &&
		    !memcmp(config->actors[i].name, name, length))
			return (int)i;
	return -EINVAL;
}

static int parse(struct pgtsim_exploring *x, const char *text)
{
	struct pgtsim_schedule_word word;

	do {
		int actor = -EINVAL;

		if (pgtsim_schedule_word(&text, &word))
			actor = find_actor(x->config, word.name, word.length);
		if (actor < 0)
			return actor;
		if (!pgtsim_schedule_add(&x->plan, (unsigned)actor, word.count))
			return -ENOMEM;
	} while (*text != '\0');
	return 0;
}

static int run_given(struct pgtsim_exploring *x, struct pgtsim_exploration *out,
		     struct pgtsim_schedule *failing)
{
	int ret = parse(x, x->config->schedule);

	if (!ret)
		ret = pgtsim_execute(x);
	if (ret)
		return ret;
	count_run(x, out);
	if (!x->failed_at)
		return 0;
	out->violation = x->violation;
	return keep_failing(x, failing);
}

/* ---- all of it ---- */

static int check_config(const struct pgtsim_explore_config *config)
{
	if (!config->setup || !config->actors || !config->actor_count ||
	    config->actor_count > PGTSIM_ACTORS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < config->actor_count; i++) {
		const char *name = config->actors[i].name;

		if (!config->actors[i].run || !name || !*name || name[strcspn(name, "*, \t\n")] ||
		    find_actor(config, name, strlen(name)) != (int)i)
			return -EINVAL;
	}
	return 0;
}

static int explore(struct pgtsim_exploring *x, struct pgtsim_exploration *out)
{
	struct pgtsim_schedule failing = { 0 };
	bool given = x->config->schedule != NULL;
	int ret = pgtsim_execution_init(x);

	if (!ret)
		ret = given ? run_given(x, out, &failing) : search(x, out, &failing);
	if (!ret && out->failed)
		ret = tell(x, out, &failing, !given);
	pgtsim_schedule_fini(&failing);
	pgtsim_execution_fini(x);
	return ret;
}

int pgtsim_explore(const struct pgtsim_explore_config *config, struct pgtsim_exploration *out)
{
	struct pgtsim_exploring *x;
	int ret = check_config(config);

	memset(out, 0, sizeof(*out));
	if (ret)
		return ret;
	x = calloc(1, sizeof(*x));
	if (!x)
		return -ENOMEM;
	x->config = config;
	x->actor_count = (unsigned)config->actor_count;
	for (unsigned i = 0; i < x->actor_count; i++)
		snprintf(out->names[i], sizeof(out->names[i]), "%s", config->actors[i].name);
	ret = explore(x, out);
	free(x);
	if (ret)
		pgtsim_exploration_free(out);
	return ret;
}

void pgtsim_exploration_free(struct pgtsim_exploration *exploration)
{
	free(exploration->schedule);
	free(exploration->rows);
	memset(exploration, 0, sizeof(*exploration));
}
