/* SPDX-License-Identifier: MIT */
#include "access.h"

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

/* ---- tables of one thread ---- */

/* Eight entries: a vector of the widest CPU, two or four of others. */
typedef uint64_t entries8 __attribute__((vector_size(64), aligned(8), may_alias));

#define IN_EACH static inline __attribute__((always_inline))

enum { STEP = 32 }; /* entries that are looked at as one: asking a vector is dear */

/* Macros, as a vector is handed to functions in a different way on each CPU. */
#define LOAD8(entries) (*(const entries8 *)(entries))
#define ANY(v) ((v)[0] | (v)[1] | (v)[2] | (v)[3] | (v)[4] | (v)[5] | (v)[6] | (v)[7])

IN_EACH void fill_steps(uint64_t *entries, unsigned count, uint64_t first, uint64_t step)
{
	entries8 next = first + (entries8){ 0, 1, 2, 3, 4, 5, 6, 7 } * step;

	for (unsigned i = 0; i < count; i += 8, next += 8 * step)
		*(entries8 *)&entries[i] = next;
}

/* How many entries, in whole steps, are first, first + step, … */
IN_EACH unsigned equal_steps(const uint64_t *entries, unsigned count, uint64_t first, uint64_t step)
{
	entries8 next = first + (entries8){ 0, 1, 2, 3, 4, 5, 6, 7 } * step;
	unsigned i = 0;

	for (; i < count; i += STEP) {
		entries8 other = { 0 };

		for (unsigned j = 0; j < STEP; j += 8, next += 8 * step)
			other |= LOAD8(&entries[i + j]) ^ next;
		if (ANY(other))
			break;
	}
	return i;
}

/* How many entries, in whole steps, are no tables; those have both low bits set. */
IN_EACH unsigned plain_steps(const uint64_t *entries, unsigned count)
{
	unsigned i = 0;

	for (; i < count; i += STEP) {
		entries8 table = { 0 };

		for (unsigned j = 0; j < STEP; j += 8)
			table |= LOAD8(&entries[i + j]) & LOAD8(&entries[i + j]) >> 1 & 1;
		if (ANY(table))
			break;
	}
	return i;
}

/*
 * The same loops for every CPU, and for those with wider vectors: a table in the second-level
 * cache is filled in 145 ns with SSE2, in 46 with AVX2 and in 37 with AVX-512.
 */
struct loops {
	void (*fill)(uint64_t *entries, unsigned count, uint64_t first, uint64_t step);
	unsigned (*equal)(const uint64_t *entries, unsigned count, uint64_t first, uint64_t step);
	unsigned (*plain)(const uint64_t *entries, unsigned count);
};

#define LOOPS(name, target)                                                               \
	target static void fill_##name(uint64_t *entries, unsigned count, uint64_t first, \
				       uint64_t step)                                     \
	{                                                                                 \
		fill_steps(entries, count, first, step);                                  \
	}                                                                                 \
	target static unsigned equal_##name(const uint64_t *entries, unsigned count,      \
					    uint64_t first, uint64_t step)                \
	{                                                                                 \
		return equal_steps(entries, count, first, step);                          \
	}                                                                                 \
	target static unsigned plain_##name(const uint64_t *entries, unsigned count)      \
	{                                                                                 \
		return plain_steps(entries, count);                                       \
	}                                                                                 \
	static const struct loops loops_##name = { fill_##name, equal_##name, plain_##name }

LOOPS(any, );

#ifdef __x86_64__
LOOPS(avx2, __attribute__((target("avx2"))));
LOOPS(avx512, __attribute__((target("avx512f"))));

static const struct loops *loops(void)
{
	if (__builtin_cpu_supports("avx512f"))
		return &loops_avx512;
	return __builtin_cpu_supports("avx2") ? &loops_avx2 : &loops_any;
}
#else
static const struct loops *loops(void)
{
	return &loops_any;
}
#endif

static void plain_fill(uint64_t *entries, unsigned count, uint64_t first, uint64_t step)
{
	unsigned i = count & ~7u;

	if (i)
		loops()->fill(entries, i, first, step);
	for (; i < count; i++)
		entries[i] = first + i * step;
}

/* How many entries from the first on are first, first + step, … */
static unsigned plain_equal(const uint64_t *entries, unsigned count, uint64_t first, uint64_t step)
{
	unsigned i = 0;

	if (count >= STEP)
		i = loops()->equal(entries, count - count % STEP, first, step);
	while (i < count && entries[i] == first + i * step)
		i++;
	return i;
}

static unsigned plain_no_tables(const uint64_t *entries, unsigned count)
{
	unsigned i = 0;

	if (count >= STEP)
		i = loops()->plain(entries, count - count % STEP);
	while (i < count && (entries[i] & 3) != 3)
		i++;
	return i;
}

/* ---- all tables ---- */

static bool is_private(const struct pgtsim_pgtable *pgt)
{
	return pgt->access == PGTSIM_ACCESS_PRIVATE;
}

/*
 * Whether a run is all of a table, and need not be written: the record tells it. The record says
 * that `live` of its entries are; of a table that several entries lead to it may say anything.
 */
static bool is_told(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
		    unsigned count, unsigned live)
{
	return count == pgtsim_entries(&pgt->geo, table->level) && table->live == live &&
	       table != pgt->root && pgtsim_implies(pgt);
}

static void announce(const struct pgtsim_pgtable *pgt, const uint64_t *entry, bool write)
{
	if (pgt->access == PGTSIM_ACCESS_HOOKED && pgt->hook)
		pgt->hook->before(pgt->hook, entry, write);
}

uint64_t pgtsim_access_read_carefully(const struct pgtsim_pgtable *pgt,
				      const struct pgtsim_table *table, unsigned index)
{
	announce(pgt, &table->entries[index], false);
	return table->implied ? pgtsim_access_plain(table, index) : load(&table->entries[index]);
}

/* Entries that are about to change: where they led is not known any more. */
static void forget_children(struct pgtsim_table *table, unsigned index, unsigned count)
{
	for (unsigned i = index; table->children && i < index + count; i++)
		table->children[i] = NULL;
}

static void careful_store(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
			  unsigned index, uint64_t desc)
{
	pgtsim_table_write_out(table);
	announce(pgt, &table->entries[index], true);
	forget_children(table, index, 1);
	store(&table->entries[index], desc);
}

void pgtsim_access_write(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
			 unsigned index, uint64_t desc)
{
	if (!is_private(pgt)) {
		careful_store(pgt, table, index, desc);
		return;
	}
	pgtsim_table_write_out(table);
	forget_children(table, index, 1);
	table->entries[index] = desc;
}

bool pgtsim_access_install(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
			   unsigned index, uint64_t desc)
{
	if (pgt->access == PGTSIM_ACCESS_SHARED)
		return install(&table->entries[index], desc);
	pgtsim_access_write(pgt, table, index, desc);
	return true;
}

void pgtsim_access_fill(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
			unsigned index, unsigned count, uint64_t first, uint64_t step)
{
	if (is_told(pgt, table, count, 0)) {
		table->implied = true;
	} else if (is_private(pgt)) {
		pgtsim_table_write_out(table);
		plain_fill(&table->entries[index], count, first, step);
	} else {
		for (unsigned i = 0; i < count; i++)
			careful_store(pgt, table, index + i, first + i * step);
	}
}

void pgtsim_access_clear(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
			 unsigned index, unsigned count)
{
	forget_children(table, index, count);
	if (is_told(pgt, table, count, count)) {
		table->implied = true;
	} else if (is_private(pgt)) {
		pgtsim_table_write_out(table);
		plain_fill(&table->entries[index], count, 0, 0);
	} else {
		for (unsigned i = 0; i < count; i++)
			careful_store(pgt, table, index + i, 0);
	}
}

/* Whether each entry is the one before it plus step, and none is zero: leaves, mostly. */
static bool all_follow(const uint64_t *entries, unsigned count, uint64_t step)
{
	return count && *entries && *entries + (count - 1) * step >= *entries &&
	       plain_equal(entries, count, *entries, step) == count;
}

unsigned pgtsim_access_live(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
			    unsigned index, unsigned count)
{
	const uint64_t *entries = &table->entries[index];
	unsigned live = 0;

	if (!is_private(pgt)) {
		for (unsigned i = 0; i < count; i++)
			live += pgtsim_access_read_carefully(pgt, table, index + i) != 0;
	} else if (table->implied) {
		live = table->live ? count : 0;
	} else if (all_follow(entries, count, UINT64_C(1) << table->shift)) {
		live = count;
	} else {
		for (unsigned i = 0; i < count; i++)
			live += entries[i] != 0;
	}
	return live;
}

unsigned pgtsim_access_zeros(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
			     unsigned index, unsigned count)
{
	unsigned i = 0;

	if (!is_private(pgt)) {
		while (i < count && !pgtsim_access_read_carefully(pgt, table, index + i))
			i++;
		return i;
	}
	if (table->implied)
		return table->live ? 0 : count;
	return plain_equal(&table->entries[index], count, 0, 0);
}

unsigned pgtsim_access_uniform(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
			       unsigned index, unsigned count, uint64_t step)
{
	uint64_t desc = pgtsim_access_read(pgt, table, index);
	unsigned i = 1;

	if (!is_private(pgt)) {
		while (i < count &&
		       pgtsim_access_read_carefully(pgt, table, index + i) == (desc += step))
			i++;
		return i;
	}
	if (table->implied)
		return step == (table->live ? UINT64_C(1) << table->shift : 0) ? count : 1;
	return plain_equal(&table->entries[index], count, desc, step);
}

unsigned pgtsim_access_no_tables(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
				 unsigned index, unsigned count)
{
	unsigned i = 0;

	if (!is_private(pgt)) {
		while (i < count &&
		       !pgtsim_desc_is_table(PGTSIM_PMD,
					     pgtsim_access_read_carefully(pgt, table, index + i)))
			i++;
		return i;
	}
	return table->implied ? count : plain_no_tables(&table->entries[index], count);
}
