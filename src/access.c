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

/* How many entries, in whole steps, are zero. */
IN_EACH unsigned zero_steps(const uint64_t *entries, unsigned count)
{
	unsigned i = 0;

	for (; i < count; i += STEP) {
		entries8 any = { 0 };

		for (unsigned j = 0; j < STEP; j += 8)
			any |= LOAD8(&entries[i + j]);
		if (ANY(any))
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
	unsigned (*zero)(const uint64_t *entries, unsigned count);
	unsigned (*plain)(const uint64_t *entries, unsigned count);
};

#define LOOPS(name, target)                                                                \
	target static void fill_##name(uint64_t *entries, unsigned count, uint64_t first,  \
				       uint64_t step)                                      \
	{                                                                                  \
		fill_steps(entries, count, first, step);                                   \
	}                                                                                  \
	target static unsigned equal_##name(const uint64_t *entries, unsigned count,       \
					    uint64_t first, uint64_t step)                 \
	{                                                                                  \
		return equal_steps(entries, count, first, step);                           \
	}                                                                                  \
	target static unsigned zero_##name(const uint64_t *entries, unsigned count)        \
	{                                                                                  \
		return zero_steps(entries, count);                                         \
	}                                                                                  \
	target static unsigned plain_##name(const uint64_t *entries, unsigned count)       \
	{                                                                                  \
		return plain_steps(entries, count);                                        \
	}                                                                                  \
	static const struct loops loops_##name = { fill_##name, equal_##name, zero_##name, \
						   plain_##name }

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

static unsigned plain_zeros(const uint64_t *entries, unsigned count)
{
	unsigned i = 0;

	if (count >= STEP)
		i = loops()->zero(entries, count - count % STEP);
	while (i < count && !entries[i])
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

/* A page table may get its hook late, when tables are implied: an entry is to be where it says. */
static void announce(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
		     unsigned index, bool write)
{
	if (pgt->access != PGTSIM_ACCESS_HOOKED || !pgt->hook)
		return;
	pgtsim_table_write_out((struct pgtsim_table *)(uintptr_t)table);
	pgt->hook->before(pgt->hook, &table->entries[index], write);
}

uint64_t pgtsim_access_read_carefully(const struct pgtsim_pgtable *pgt,
				      const struct pgtsim_table *table, unsigned index)
{
	announce(pgt, table, index, false);
	return table->implied ? pgtsim_access_plain(table, index) : load(&table->entries[index]);
}

static void unnote_shared(struct pgtsim_notes *notes, unsigned index)
{
	AO_int_store(&notes->count, UNCOUNTED);
	notes->child[index] = NULL;
}

void pgtsim_access_write_carefully(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
				   unsigned index, uint64_t desc)
{
	pgtsim_table_write_out(table);
	announce(pgt, table, index, true);
	if (table->notes && pgtsim_is_shared(pgt))
		unnote_shared(table->notes, index);
	else
		pgtsim_table_unnote(table, index);
	if (table->told)
		table->told = false;
	store(&table->entries[index], desc);
}

bool pgtsim_access_install_first(struct pgtsim_table *table, unsigned index, uint64_t desc)
{
	pgtsim_table_write_out(table);
	if (table->told)
		table->told = false;
	return install(&table->entries[index], desc);
}

void pgtsim_access_write_leaves(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
				unsigned index, unsigned count, uint64_t desc)
{
	uint64_t step = UINT64_C(1) << table->shift, base = desc - index * step;

	if (pgtsim_is_private(pgt)) {
		pgtsim_table_write_out(table);
		table->told = pgtsim_tells_filled(table, index, count, base);
		table->base = base;
		if (!table->live)
			table->first = index;
		plain_fill(&table->entries[index], count, desc, step);
	} else {
		for (unsigned i = 0; i < count; i++)
			pgtsim_access_write_carefully(pgt, table, index + i, desc + i * step);
	}
	pgtsim_record_filled(pgt, table, index, count);
}

void pgtsim_access_write_zeros(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
			       unsigned index, unsigned count, unsigned live)
{
	if (!pgtsim_is_private(pgt)) {
		for (unsigned i = 0; i < count; i++)
			pgtsim_access_write_carefully(pgt, table, index + i, 0);
		return;
	}
	for (unsigned i = index; table->notes && i < index + count; i++)
		pgtsim_table_unnote(table, i);
	pgtsim_table_write_out(table);
	table->told = pgtsim_tells_cleared(table, index, count, live);
	plain_fill(&table->entries[index], count, 0, 0);
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

	if (!pgtsim_is_private(pgt)) {
		for (unsigned i = 0; i < count; i++)
			live += pgtsim_access_read_carefully(pgt, table, index + i) != 0;
	} else if (table->implied) {
		live = pgtsim_told(table, index, count);
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

	if (!pgtsim_is_private(pgt)) {
		while (i < count && !pgtsim_access_read_carefully(pgt, table, index + i))
			i++;
		return i;
	}
	if (!table->implied)
		return plain_zeros(&table->entries[index], count);
	if (!pgtsim_told(table, index, count))
		return count;
	return index < table->first ? table->first - index : 0;
}

unsigned pgtsim_access_uniform(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
			       unsigned index, unsigned count, uint64_t step)
{
	uint64_t desc = pgtsim_access_read(pgt, table, index);
	unsigned i = 1;

	if (!pgtsim_is_private(pgt)) {
		while (i < count &&
		       pgtsim_access_read_carefully(pgt, table, index + i) == (desc += step))
			i++;
		return i;
	}
	if (!table->implied)
		return plain_equal(&table->entries[index], count, desc, step);
	if (step == (desc ? UINT64_C(1) << table->shift : 0))
		i = desc ? pgtsim_told(table, index, count) :
			   pgtsim_access_zeros(pgt, table, index, count);
	return i;
}

unsigned pgtsim_access_no_tables(const struct pgtsim_pgtable *pgt, const struct pgtsim_table *table,
				 unsigned index, unsigned count)
{
	unsigned i = 0;

	if (!pgtsim_is_private(pgt)) {
		while (i < count &&
		       !pgtsim_desc_is_table(PGTSIM_PMD,
					     pgtsim_access_read_carefully(pgt, table, index + i)))
			i++;
		return i;
	}
	return table->implied ? count : plain_no_tables(&table->entries[index], count);
}
