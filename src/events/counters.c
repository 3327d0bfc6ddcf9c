/* SPDX-License-Identifier: MIT */
#include <pgtsim/counters.h>

#include <assert.h>
#include <string.h>

static_assert(sizeof(struct pgtsim_counts) == PGTSIM_COUNTERS_MAX * sizeof(uint64_t),
	      "a new counter takes reserved room: it changes no program compiled before");

static const struct pgtsim_counter counters[] = {
#define COUNTER_ROW(field, name, meaning) { name, meaning, offsetof(struct pgtsim_counts, field) },
	PGTSIM_COUNTERS(COUNTER_ROW)
#undef COUNTER_ROW
};

const struct pgtsim_counter *pgtsim_counters(size_t *count)
{
	if (!count)
		return NULL;
	*count = PGTSIM_COUNTER_COUNT;
	return counters;
}

const struct pgtsim_counter *pgtsim_counter_find(const char *name)
{
	if (!name)
		return NULL;
	for (size_t i = 0; i < PGTSIM_COUNTER_COUNT; i++)
		if (!strcmp(counters[i].name, name))
			return &counters[i];
	return NULL;
}

uint64_t pgtsim_counter_value(const struct pgtsim_counts *counts,
			      const struct pgtsim_counter *counter)
{
	uint64_t value;

	if (!counts || !counter)
		return 0;
	memcpy(&value, (const char *)counts + counter->offset, sizeof(value));
	return value;
}
