/* SPDX-License-Identifier: MIT */
#include "access.h"

#include <string.h>

#include <atomic_ops.h>

/* Shared tables need an atomic access as wide as an entry; where there is none they fall back. */
#if UINTPTR_MAX >= UINT64_MAX && defined(AO_HAVE_load_acquire) && defined(AO_HAVE_store_release)
static uint64_t load(const uint64_t *entry)
{
	return AO_load_acquire((const volatile AO_t *)entry);
}

static void store(uint64_t *entry, uint64_t desc)
{
	AO_store_release((volatile AO_t *)entry, desc);
}
#else
static uint64_t load(const uint64_t *entry)
{
	return *(const volatile uint64_t *)entry;
}

static void store(uint64_t *entry, uint64_t desc)
{
	*(volatile uint64_t *)entry = desc;
}
#endif

uint64_t pgtsim_access_read(enum pgtsim_access mode, const uint64_t *entry)
{
	return mode == PGTSIM_ACCESS_PRIVATE ? *entry : load(entry);
}

void pgtsim_access_write(enum pgtsim_access mode, uint64_t *entry, uint64_t desc)
{
	if (mode == PGTSIM_ACCESS_PRIVATE)
		*entry = desc;
	else
		store(entry, desc);
}

void pgtsim_access_fill(enum pgtsim_access mode, uint64_t *entries, unsigned count, uint64_t first,
			uint64_t step)
{
	if (mode == PGTSIM_ACCESS_PRIVATE) {
		for (unsigned i = 0; i < count; i++)
			entries[i] = first + i * step;
		return;
	}
	for (unsigned i = 0; i < count; i++)
		store(&entries[i], first + i * step);
}

void pgtsim_access_clear(enum pgtsim_access mode, uint64_t *entries, unsigned count)
{
	if (mode == PGTSIM_ACCESS_PRIVATE) {
		memset(entries, 0, count * sizeof(*entries));
		return;
	}
	for (unsigned i = 0; i < count; i++)
		store(&entries[i], 0);
}

unsigned pgtsim_access_live(enum pgtsim_access mode, const uint64_t *entries, unsigned count)
{
	unsigned live = 0;

	if (mode == PGTSIM_ACCESS_PRIVATE) {
		for (unsigned i = 0; i < count; i++)
			live += entries[i] != 0;
		return live;
	}
	for (unsigned i = 0; i < count; i++)
		live += load(&entries[i]) != 0;
	return live;
}

unsigned pgtsim_access_zeros(enum pgtsim_access mode, const uint64_t *entries, unsigned count)
{
	unsigned i = 0;

	while (i < count && !pgtsim_access_read(mode, &entries[i]))
		i++;
	return i;
}

unsigned pgtsim_access_uniform(enum pgtsim_access mode, const uint64_t *entries, unsigned count,
			       uint64_t step)
{
	uint64_t desc = pgtsim_access_read(mode, &entries[0]);
	unsigned i = 1;

	while (i < count && pgtsim_access_read(mode, &entries[i]) == (desc += step))
		i++;
	return i;
}

unsigned pgtsim_access_no_tables(enum pgtsim_access mode, const uint64_t *entries, unsigned count)
{
	unsigned i = 0;

	while (i < count &&
	       !pgtsim_desc_is_table(PGTSIM_PMD, pgtsim_access_read(mode, &entries[i])))
		i++;
	return i;
}
