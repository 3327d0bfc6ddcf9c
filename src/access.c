/* SPDX-License-Identifier: MIT */
#include "access.h"

#include <string.h>

#include "shared.h"

/* Shared tables need an atomic access as wide as an entry; where there is none they fall back. */
#if UINTPTR_MAX >= UINT64_MAX && defined(AO_HAVE_load_acquire) && \
	defined(AO_HAVE_store_release) && defined(AO_HAVE_compare_and_swap_release)
static uint64_t load(const uint64_t *entry)
{
	return AO_load_acquire((const volatile AO_t *)entry);
}

static void store(uint64_t *entry, uint64_t desc)
{
	AO_store_release((volatile AO_t *)entry, desc);
}

static bool install(uint64_t *entry, uint64_t desc)
{
	return AO_compare_and_swap_release((volatile AO_t *)entry, 0, desc);
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

static bool install(uint64_t *entry, uint64_t desc)
{
	if (load(entry))
		return false;
	store(entry, desc);
	return true;
}
#endif

static bool is_private(const struct pgtsim_pgtable *pgt)
{
	return pgt->access == PGTSIM_ACCESS_PRIVATE;
}

static void announce(const struct pgtsim_pgtable *pgt, const uint64_t *entry, bool write)
{
	if (pgt->access == PGTSIM_ACCESS_HOOKED && pgt->hook)
		pgt->hook->before(pgt->hook, entry, write);
}

/* One access of a table that is not private. */
static uint64_t careful_load(const struct pgtsim_pgtable *pgt, const uint64_t *entry)
{
	announce(pgt, entry, false);
	return load(entry);
}

static void careful_store(const struct pgtsim_pgtable *pgt, uint64_t *entry, uint64_t desc)
{
	announce(pgt, entry, true);
	store(entry, desc);
}

void pgtsim_access_lines(const struct pgtsim_pgtable *pgt, unsigned index, unsigned count)
{
	pgtsim_count(pgt->tlb, &pgt->tlb->counts.lines_touched,
		     (index + count - 1) / 8 - index / 8 + 1);
}

uint64_t pgtsim_access_read(const struct pgtsim_pgtable *pgt, const uint64_t *entry)
{
	return is_private(pgt) ? *entry : careful_load(pgt, entry);
}

void pgtsim_access_write(const struct pgtsim_pgtable *pgt, uint64_t *entry, uint64_t desc)
{
	if (is_private(pgt))
		*entry = desc;
	else
		careful_store(pgt, entry, desc);
}

bool pgtsim_access_install(const struct pgtsim_pgtable *pgt, uint64_t *entry, uint64_t desc)
{
	if (pgt->access == PGTSIM_ACCESS_SHARED)
		return install(entry, desc);
	pgtsim_access_write(pgt, entry, desc);
	return true;
}

void pgtsim_access_fill(const struct pgtsim_pgtable *pgt, uint64_t *entries, unsigned count,
			uint64_t first, uint64_t step)
{
	if (is_private(pgt)) {
		for (unsigned i = 0; i < count; i++)
			entries[i] = first + i * step;
		return;
	}
	for (unsigned i = 0; i < count; i++)
		careful_store(pgt, &entries[i], first + i * step);
}

void pgtsim_access_clear(const struct pgtsim_pgtable *pgt, uint64_t *entries, unsigned count)
{
	if (is_private(pgt)) {
		memset(entries, 0, count * sizeof(*entries));
		return;
	}
	for (unsigned i = 0; i < count; i++)
		careful_store(pgt, &entries[i], 0);
}

unsigned pgtsim_access_live(const struct pgtsim_pgtable *pgt, const uint64_t *entries,
			    unsigned count)
{
	unsigned live = 0;

	if (is_private(pgt)) {
		for (unsigned i = 0; i < count; i++)
			live += entries[i] != 0;
		return live;
	}
	for (unsigned i = 0; i < count; i++)
		live += careful_load(pgt, &entries[i]) != 0;
	return live;
}

unsigned pgtsim_access_zeros(const struct pgtsim_pgtable *pgt, const uint64_t *entries,
			     unsigned count)
{
	unsigned i = 0;

	while (i < count && !pgtsim_access_read(pgt, &entries[i]))
		i++;
	return i;
}

unsigned pgtsim_access_uniform(const struct pgtsim_pgtable *pgt, const uint64_t *entries,
			       unsigned count, uint64_t step)
{
	uint64_t desc = pgtsim_access_read(pgt, &entries[0]);
	unsigned i = 1;

	while (i < count && pgtsim_access_read(pgt, &entries[i]) == (desc += step))
		i++;
	return i;
}

unsigned pgtsim_access_no_tables(const struct pgtsim_pgtable *pgt, const uint64_t *entries,
				 unsigned count)
{
	unsigned i = 0;

	while (i < count && !pgtsim_desc_is_table(PGTSIM_PMD, pgtsim_access_read(pgt, &entries[i])))
		i++;
	return i;
}
