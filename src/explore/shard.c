/* SPDX-License-Identifier: MIT */
/*
 * Explores one of several shards of a search. Every shard first divides the whole search into the
 * same list of items, then explores each item whose number is its own modulo the number of shards.
 *
 * An item is a prefix of schedules and a sleep set. To divide an item, each actor that can take the
 * next step gets an item with that step added to the prefix, so no item depends on what another one
 * finds. The actors of earlier items sleep in the later ones until a step is taken that theirs depends
 * on, so no schedule is in two items. For example, prefix "a*2" with runnable actors a, b and c becomes
 * "a*3", "a*2,b*1" with a asleep, and "a*2,c*1" with a and b asleep.
 */
#include <errno.h>
#include <stdlib.h>

#include "explore.h"

enum {
	ITEMS = 16,  /* for each shard: enough for shards to take about equally long */
	PROBE = 4,   /* an item that needs more runs than this is divided */
	PROBES = 64, /* at most so many items are probed for each shard */
};

struct items {
	struct pgtsim_item *list;
	size_t count, room;
};

/* Adds an item with this prefix, and one step of `actor` unless it is PGTSIM_NOBODY. */
static int add_item(struct items *items, const struct pgtsim_schedule *prefix, int actor,
		    uint8_t sleep)
{
	size_t room = items->room ? 2 * items->room : 64;
	struct pgtsim_item *grown, *item;

	if (items->count == items->room) {
		grown = realloc(items->list, room * sizeof(*grown));
		if (!grown)
			return -ENOBUFS;
		items->list = grown;
		items->room = room;
	}
	item = &items->list[items->count++];
	*item = (struct pgtsim_item){ .sleep = sleep };
	if (!pgtsim_schedule_copy(&item->prefix, prefix, UINT32_MAX))
		return -ENOBUFS;
	return actor == PGTSIM_NOBODY || pgtsim_schedule_add(&item->prefix, (unsigned)actor, 1) ?
		       0 :
		       -ENOBUFS;
}

static void free_items(struct items *items)
{
	for (size_t i = 0; i < items->count; i++)
		pgtsim_schedule_fini(&items->list[i].prefix);
	free(items->list);
}

/*
 * Replaces item `at` by one for each actor that can take the next step and is not asleep. x must be
 * as the last run of the item left it.
 */
static int divide_item(struct pgtsim_exploring *x, struct items *items, size_t at)
{
	uint32_t steps = pgtsim_schedule_steps(&items->list[at].prefix);
	uint8_t can = x->runnable[steps + 1];
	uint8_t sleep = pgtsim_sleep_before(x, steps + 1);
	struct pgtsim_schedule prefix = items->list[at].prefix;
	bool first = true;
	int ret = 0;

	items->list[at].prefix = (struct pgtsim_schedule){ 0 };
	for (unsigned i = 0; !ret && i < x->actor_count; i++) {
		if (!(can >> i & 1) || sleep >> i & 1)
			continue;
		ret = add_item(items, &prefix, (int)i, sleep);
		if (!ret && first) {
			items->list[at] = items->list[--items->count];
			first = false;
		}
		sleep |= (uint8_t)(1u << i);
	}
	pgtsim_schedule_fini(&prefix);
	return ret;
}

/*
 * Explores an item for at most PROBE runs. Returns 0 if it is done, 1 if not, or a negative errno.
 * What is found is thrown away: the item is explored again by the shard that it belongs to.
 */
static int probe_item(struct pgtsim_exploring *x, const struct pgtsim_item *item)
{
	struct pgtsim_exploration found = { 0 };
	struct pgtsim_schedule failing = { 0 };
	int ret = pgtsim_search_item(x, &found, &failing, item, PROBE);

	pgtsim_schedule_fini(&failing);
	return ret;
}

/* Divides the search into items until there are enough, or nothing is left to divide. */
static int make_items(struct pgtsim_exploring *x, struct items *items)
{
	const struct pgtsim_schedule empty = { 0 };
	uint64_t shards = x->config->shards;
	int ret = add_item(items, &empty, PGTSIM_NOBODY, 0);
	size_t at = 0;

	for (uint64_t i = 0; ret >= 0 && i < PROBES * shards && at < items->count; i++) {
		if (items->count - at >= ITEMS * shards)
			break;
		ret = probe_item(x, &items->list[at]);
		if (ret == 1)
			ret = divide_item(x, items, at);
		else
			at++;
	}
	return ret < 0 ? ret : 0;
}

/* Explores this shard's items. */
static int search_items(struct pgtsim_exploring *x, struct pgtsim_exploration *out,
			struct pgtsim_schedule *failing, const struct items *items)
{
	uint64_t shards = x->config->shards;
	int ret = 0;

	x->runs = x->later_runs = x->expected_runs = 0;
	for (size_t i = x->config->shard; i < items->count; i += shards)
		x->items++;
	for (size_t i = x->config->shard; !ret && i < items->count; i += shards) {
		ret = pgtsim_search_item(x, out, failing, &items->list[i], 0);
		x->items_done += !ret;
	}
	out->estimate = ret == 1 ? pgtsim_search_estimate(x, out) : out->schedules;
	pgtsim_search_ended(x, out, ret);
	return ret < 0 ? ret : 0;
}

int pgtsim_search_shard(struct pgtsim_exploring *x, struct pgtsim_exploration *out,
			struct pgtsim_schedule *failing)
{
	struct items items = { 0 };
	int ret = make_items(x, &items);

	if (!ret)
		ret = search_items(x, out, failing, &items);
	free_items(&items);
	return ret;
}
