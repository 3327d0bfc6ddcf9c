/* SPDX-License-Identifier: MIT */
#include "access.h"

/* One atomic access of an entry. A host without atomic accesses of 64 bits has no shared tables. */
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

/* ---- loops over the entries of a private table ---- */

static void fill(uint64_t *entries, unsigned count, uint64_t first, uint64_t step)
{
	for (unsigned i = 0; i < count; i++)
		entries[i] = first + i * step;
}

/* How many entries from the first on are first, first + step, first + 2 * step … */
static unsigned count_equal(const uint64_t *entries, unsigned count, uint64_t first, uint64_t step)
{
	unsigned i = 0;

	while (i < count && entries[i] == first + i * step)
		i++;
	return i;
}

static unsigned count_zeros(const uint64_t *entries, unsigned count)
{
	unsigned i = 0;

	while (i < count && !entries[i])
		i++;
	return i;
}

static unsigned count_no_tables(const uint64_t *entries, unsigned count)
{
	unsigned i = 0;

	while (i < count && !pgtsim_desc_is_table(PGTSIM_PMD, entries[i]))
		i++;
	return i;
}

/* ---- the slow path ---- */

/*
 * Calls the hook, if there is one, with the address of the entry. A page table may get its hook
 * late, so the table may be lazy. Materializing it changes nothing that a reader can see. A hook that
 * looks at the page table is not called for that.
 */
static void announce(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
		     unsigned index, bool write, bool looks_ahead)
{
	struct pgtsim_pgtable_state *state = pgtsim_pgtable_state(pgt);

	if (pgt->access != PGTSIM_ACCESS_HOOKED || !pgt->hook || state->busy == PGTSIM_BUSY_HOOK)
		return;
	pgtsim_table_materialize((struct pgtsim_table *)(uintptr_t)table);
	pgt->hook->looks_ahead = looks_ahead;
	state->busy = PGTSIM_BUSY_HOOK;
	pgt->hook->before(pgt->hook, &table->entries[index], write);
	state->busy = PGTSIM_BUSY_NOT;
}

static uint64_t read_announced(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
			       unsigned index, bool looks_ahead)
{
	announce(pgt, table, index, false, looks_ahead);
	return pgtsim_state(table)->lazy ? pgtsim_lazy_entry(table, index) :
					   load(&table->entries[index]);
}

uint64_t pgtsim_access_read_slow(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
				 unsigned index)
{
	return read_announced(pgt, table, index, false);
}

/* A read of the library's own, to find out how many entries it may treat as one run. */
static uint64_t look_ahead(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
			   unsigned index)
{
	if (pgtsim_is_private(pgt))
		return pgtsim_access_read(pgt, table, index);
	return read_announced(pgt, table, index, true);
}

/* pgtsim_cache_drop() while other threads do the same: nobody counts or marks the others' children. */
static void cache_drop_shared(struct pgtsim_child_cache *cache, unsigned index)
{
	AO_int_store(&cache->count, COUNT_UNKNOWN);
	cache->child[index] = NULL;
}

/* Several threads may do this at once, so it is only written if that changes it. */
static void not_described(struct pgtsim_table *table)
{
	if (pgtsim_state(table)->described)
		pgtsim_state(table)->described = false;
}

void pgtsim_access_write_slow(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
			      unsigned index, uint64_t desc)
{
	struct pgtsim_child_cache *cache = pgtsim_state(table)->cache;

	pgtsim_table_materialize(table);
	announce(pgt, table, index, true, false);
	if (cache && pgtsim_is_shared(pgt))
		cache_drop_shared(cache, index);
	else
		pgtsim_cache_drop(table, index);
	not_described(table);
	store(&table->entries[index], desc);
}

bool pgtsim_access_install_shared(struct pgtsim_table *table, unsigned index, uint64_t desc)
{
	pgtsim_table_materialize(table);
	not_described(table);
	return install(&table->entries[index], desc);
}

void pgtsim_access_write_leaves(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
				unsigned index, unsigned count, uint64_t desc)
{
	struct pgtsim_table_state *state = pgtsim_state(table);
	uint64_t step = UINT64_C(1) << state->shift, base = desc - index * step;

	if (pgtsim_is_private(pgt)) {
		pgtsim_table_materialize(table);
		state->described = pgtsim_fill_extends_run(table, index, count, base);
		state->base = base;
		if (!table->live)
			state->first = index;
		fill(&table->entries[index], count, desc, step);
	} else {
		for (unsigned i = 0; i < count; i++)
			pgtsim_access_write_slow(pgt, table, index + i, desc + i * step);
	}
	pgtsim_record_filled(pgt, table, index, count);
}

void pgtsim_access_write_zeros(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
			       unsigned index, unsigned count, unsigned live)
{
	struct pgtsim_table_state *state = pgtsim_state(table);

	if (!pgtsim_is_private(pgt)) {
		for (unsigned i = 0; i < count; i++)
			pgtsim_access_write_slow(pgt, table, index + i, 0);
		return;
	}
	for (unsigned i = index; state->cache && i < index + count; i++)
		pgtsim_cache_drop(table, i);
	pgtsim_table_materialize(table);
	state->described = pgtsim_clear_leaves_run(table, index, count, live);
	fill(&table->entries[index], count, 0, 0);
}

/* ---- questions about runs ---- */

unsigned pgtsim_access_live(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
			    unsigned index, unsigned count)
{
	unsigned live = 0;

	if (pgtsim_is_private(pgt) && pgtsim_state(table)->lazy)
		return pgtsim_lazy_live(table, index, count);
	for (unsigned i = index; i < index + count; i++)
		live += look_ahead(pgt, table, i) != 0;
	return live;
}

unsigned pgtsim_access_zeros(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
			     unsigned index, unsigned count)
{
	unsigned first = pgtsim_state(table)->first, i = 0;

	if (!pgtsim_is_private(pgt)) {
		while (i < count && !look_ahead(pgt, table, index + i))
			i++;
		return i;
	}
	if (!pgtsim_state(table)->lazy)
		return count_zeros(&table->entries[index], count);
	if (!pgtsim_lazy_live(table, index, count))
		return count;
	return index < first ? first - index : 0;
}

unsigned pgtsim_access_uniform(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
			       unsigned index, unsigned count, uint64_t step)
{
	uint64_t desc = look_ahead(pgt, table, index);
	unsigned i = 1;

	if (!pgtsim_is_private(pgt)) {
		while (i < count && look_ahead(pgt, table, index + i) == (desc += step))
			i++;
		return i;
	}
	if (!pgtsim_state(table)->lazy)
		return count_equal(&table->entries[index], count, desc, step);
	/* A lazy table has two steps: that of its leaves, and 0 where there is nothing. */
	if (step == (desc ? UINT64_C(1) << pgtsim_state(table)->shift : 0))
		i = desc ? pgtsim_lazy_live(table, index, count) :
			   pgtsim_access_zeros(pgt, table, index, count);
	return i;
}

unsigned pgtsim_access_no_tables(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
				 unsigned index, unsigned count)
{
	unsigned i = 0;

	if (!pgtsim_is_private(pgt)) {
		while (i < count &&
		       !pgtsim_desc_is_table(PGTSIM_PMD, look_ahead(pgt, table, index + i)))
			i++;
		return i;
	}
	return pgtsim_state(table)->lazy ? count : count_no_tables(&table->entries[index], count);
}
