/* SPDX-License-Identifier: MIT */
/* Watching changes nothing: events that are built and events that are only counted do the same. */
#include "fixture.h"

#include <pgtsim/hotplug.h>

enum { STEPS = 48, TABLES = 4, RECENT = 4 };

/*
 * One page table twice. Nobody watches the first, so its events are only counted. An observer that
 * does nothing watches the second, so each of its events is built.
 */
struct twins {
	struct fixture f[2];
	struct pgtsim_observer watcher;
	uint64_t page, span;       /* bytes: of a page, of a table of the last level */
	uint64_t base[TABLES + 1]; /* of tables used; then one past the last */
	struct {
		uint64_t va, size;
	} mapped[RECENT]; /* the last ranges, whole pages */
	unsigned maps;
	uint32_t seed;
};

static void watch(struct pgtsim_observer *self, const struct pgtsim_event *event)
{
	(void)self;
	(void)event;
}

static uint64_t pick(struct twins *t, uint64_t below)
{
	return random_next(&t->seed) % below;
}

/* A policy of no kernel: each knob that a small range depends on has any value, or one too high. */
static void vary(struct twins *t, struct pgtsim_policy *policy)
{
	policy->free_tables = (uint8_t)pick(t, PGTSIM_FREE_KASAN_INVERTED + 2);
	policy->table_dtor = (uint8_t)pick(t, PGTSIM_TABLE_DTOR_CALLED + 2);
	policy->flush = (uint8_t)pick(t, PGTSIM_FLUSH_PER_PAGE_OF_BLOCK + 2);
	policy->map_failure = (uint8_t)pick(t, 2);
	policy->flush_rounds_out = pick(t, 2);
}

static void twins_init(struct twins *t, const struct pgtsim_policy *policy,
		       const struct pgtsim_geometry *geo, uint32_t seed)
{
	struct pgtsim_policy own = *policy;
	uint64_t start = pgtsim_va_start(geo), tables;

	t->seed = seed;
	t->maps = 0;
	if (seed % 2)
		vary(t, &own);
	for (unsigned i = 0; i < 2; i++) {
		fixture_init(&t->f[i], &own, geo);
		t->f[i].tlb.range_operations = seed % 3 == 0;
	}
	t->watcher.event = watch;
	pgtsim_observe(&t->f[1].tlb, &t->watcher);
	t->page = pgtsim_page_size(geo);
	t->span = t->page * pgtsim_entries(geo, PGTSIM_PTE);
	/* On both sides of the end of a pmd table, where there is one, or up to the last address. */
	tables = (pgtsim_va_last(geo) - start + 1) / t->span;
	for (unsigned i = 0; i <= TABLES; i++) {
		uint64_t n = geo->levels > 2 ? pgtsim_entries(geo, PGTSIM_PMD) + i - 2 : i;

		if (seed % 5 == 0 || tables < TABLES + n)
			n = tables - TABLES + i;
		t->base[i] = start + n * t->span;
	}
}

static void twins_drop(struct twins *t)
{
	pgtsim_unobserve(&t->f[1].tlb, &t->watcher);
	for (unsigned i = 0; i < 2; i++)
		fixture_drop(&t->f[i]);
}

/* Some pages of a table, all of them, or some of the next one, too. */
static uint64_t choose_range(struct twins *t, uint64_t *size)
{
	uint64_t entries = t->span / t->page, first = pick(t, entries < 12 ? entries : 12);
	uint64_t va = t->base[pick(t, TABLES)] + first * t->page;

	*size = (1 + pick(t, entries < 12 ? entries - first : 12)) * t->page;
	if (!pick(t, 8)) {
		va -= first * t->page;
		*size = t->span;
	} else if (!pick(t, 8)) {
		*size = t->span - t->page;
	}
	if (*size - 1 > t->base[TABLES] - 1 - va)
		*size = t->base[TABLES] - va;
	return va;
}

/* Mostly what follows from the address; or where descriptors of more than 48 bits have a seam. */
static uint64_t choose_pa(struct twins *t, uint64_t va)
{
	uint64_t delta = pick(t, 4) ? 0 : pick(t, 4) * t->page;

	if (!pick(t, 12))
		return (UINT64_C(1) << (48 + 2 * pick(t, 2))) - pick(t, 4) * t->page;
	return (va - t->base[0] + delta) & ((UINT64_C(1) << 40) - 1);
}

static void map_both(struct twins *t)
{
	uint64_t size, va = choose_range(t, &size), pa = choose_pa(t, va);
	uint64_t part = pick(t, 4) ? 0 : pick(t, t->page);
	struct pgtsim_map map = {
		.va = va + part,
		.pa = pa + part,
		.size = size > part ? size - part : size,
		.blocks = !pick(t, 3),
		.cont = !pick(t, 6),
		.region = (enum pgtsim_region)pick(t, PGTSIM_REGION_VMEMMAP + 1),
	};
	uint64_t fail = pick(t, 4) ? 0 : 1 + pick(t, 3);
	bool every = pick(t, 2);
	int ret[2];

	t->mapped[t->maps % RECENT].va = va;
	t->mapped[t->maps++ % RECENT].size = size;
	for (unsigned i = 0; i < 2; i++) {
		struct fixture *f = &t->f[i];

		map.attrs = f->policy.prot[PGTSIM_PROT_TAGGED];
		map.table_attrs = f->policy.linear_table;
		pgtsim_memory_fail(f->memory, fail, every);
		ret[i] = pgtsim_map(&f->pgt, &map);
		if (every)
			pgtsim_memory_fail(f->memory, 0, false);
	}
	assert_int_equal(ret[0], ret[1]);
}

/* What a map brought, or whatever. */
static uint64_t choose_mapped(struct twins *t, uint64_t *size)
{
	unsigned at = (unsigned)pick(t, RECENT);

	if (at >= t->maps || pick(t, 3) == 0)
		return choose_range(t, size);
	*size = t->mapped[at].size;
	return t->mapped[at].va;
}

static void unmap_both(struct twins *t)
{
	uint64_t size, va = choose_mapped(t, &size), part = pick(t, 3) ? 0 : pick(t, t->page);
	uint64_t cut = part + (pick(t, 3) ? 0 : pick(t, t->page));
	uint64_t length = size > cut ? size - cut : 1;
	uint64_t floor = pick(t, 3) ? 0 : t->base[pick(t, TABLES)];
	uint64_t ceiling = pick(t, 3) ? 0 : t->base[1 + pick(t, TABLES)] - !pick(t, 6);

	/* s390's functions take whole pages alone. */
	if (is_s390(&t->f[0].policy)) {
		part = 0;
		length = size;
	}
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(
			pgtsim_unmap_linear(&t->f[i].pgt, va + part, length, floor, ceiling), 0);
}

/* What only looks, or changes how a table is kept. */
static void look(struct twins *t)
{
	uint64_t size, va = choose_range(t, &size);
	struct pgtsim_translation at[2];
	int ret[2];

	for (unsigned i = 0; i < 2; i++)
		ret[i] = pgtsim_translate(&t->f[i].pgt, va, &at[i]);
	assert_int_equal(ret[0], ret[1]);
	assert_int_equal(at[0].desc, at[1].desc);
	assert_int_equal(at[0].pa, at[1].pa);
	for (unsigned i = 0; i < at[0].steps; i++)
		if (pick(t, 2) && at[0].step[i].level < PGTSIM_PTE)
			pgtsim_memory_table(t->f[0].memory,
					    pgtsim_desc_address(&t->f[0].pgt.geo,
								at[0].step[i].level,
								at[0].step[i].desc));
}

/* Overwrites one entry by hand. */
static void poke_both(struct twins *t)
{
	static const uint64_t descs[] = { 0, 0x12, 0x701, 0x703 };
	uint64_t size, va = choose_range(t, &size), desc = descs[pick(t, 4)];
	bool page = desc == 0x703 || pick(t, 8);
	int ret[2];

	for (unsigned i = 0; i < 2; i++)
		ret[i] = pgtsim_poke(&t->f[i].pgt, page ? PGTSIM_PTE : PGTSIM_PMD, va, desc);
	assert_int_equal(ret[0], ret[1]);
}

static void compare(const struct twins *t)
{
	struct snapshot a = snapshot_take(&t->f[0]), b = snapshot_take(&t->f[1]);

	assert_true(snapshots_equal(&a, &b));
	assert_int_equal(a.free_pages, b.free_pages);
	snapshot_free(&a);
	snapshot_free(&b);
	assert_counts_equal(&t->f[0].tlb.counts, &t->f[1].tlb.counts);
	assert_int_equal(t->f[0].tlb.violation_count, t->f[1].tlb.violation_count);
}

static void check_steps(const struct pgtsim_policy *policy, const struct pgtsim_geometry *geo,
			uint32_t seed)
{
	struct twins t;

	if (geo->levels == 1)
		return;
	twins_init(&t, policy, geo, seed);
	for (unsigned i = 0; i < STEPS; i++) {
		uint64_t what = pick(&t, 16);

		if (what < 7)
			map_both(&t);
		else if (what < 14)
			unmap_both(&t);
		else
			look(&t);
		if (i > STEPS - 12 && seed % 4 == 0)
			poke_both(&t);
		/* Tables outlive what the policy was when they came. */
		if (i == STEPS / 2 && seed % 3 == 1) {
			vary(&t, &t.f[0].policy);
			t.f[1].policy = t.f[0].policy;
		}
		compare(&t);
	}
	twins_drop(&t);
}

/* Both have the same tables, counters, errors and violations, and take and free the same frames. */
static void watched_equals_unwatched(void **state)
{
	uint32_t seed = 1;

	(void)state;
	for (size_t i = 0; i < COUNT(all_profiles); i++) {
		struct geometry_case geometries[MAX_GEOMETRIES];
		struct pgtsim_policy policy = profile(all_profiles[i]);
		size_t n = all_geometries(geometries, &policy);

		for (size_t k = 0; k < 3 * n; k++, seed++)
			if (in_share(seed))
				check_steps(&policy, &geometries[k / 3].geo, seed);
	}
}

/* The same with s390's functions, in tables that are smaller or larger than a page. */
static void s390_watched_equals_unwatched(void **state)
{
	static const char *const profiles[] = { "s390-5.9", "s390-7.3" };
	uint32_t seed = 1;

	(void)state;
	for (size_t i = 0; i < COUNT(profiles); i++) {
		struct geometry_case geometries[MAX_GEOMETRIES];
		struct pgtsim_policy policy = profile(profiles[i]);
		size_t n = all_geometries(geometries, &policy);

		for (size_t k = 0; k < 3 * n; k++, seed++)
			if (in_share(seed))
				check_steps(&policy, &geometries[k / 3].geo, seed);
	}
}

/* Maps a table's span and a page more, through two entries that lead to one table. */
static void map_through_two(struct fixture *f, uint64_t va)
{
	struct pgtsim_translation at;
	uint64_t pa;

	assert_int_equal(map_linear(f, va, 2 * GIB, 4096, false), 0);
	assert_int_equal(pgtsim_translate(&f->pgt, va, &at), 0);
	pa = pgtsim_desc_address(&f->pgt.geo, PGTSIM_PMD, at.step[2].desc);
	f->pgt.ops.free(f->pgt.ops.ctx, pgtsim_memory_table(f->memory, pa));
	assert_int_equal(map_linear(f, va + 2 * MIB, 2 * GIB, 4096, false), 0);
	assert_int_equal(pgtsim_translate(&f->pgt, va + 2 * MIB, &at), 0);
	assert_int_equal(pgtsim_desc_address(&f->pgt.geo, PGTSIM_PMD, at.step[2].desc), pa);
	assert_int_equal(pgtsim_unmap_linear(&f->pgt, va, 4096, va + 4096, 0), 0);
	assert_int_equal(map_linear(f, va, 2 * GIB, 2 * MIB + 4096, false), 0);
}

/* A table that was freed under its entry and has come back is empty when its entries are zero. */
static void empties_what_two_entries_lead_to(void **state)
{
	const struct pgtsim_policy policy = profile("latest");
	const struct pgtsim_geometry geo = linux_geometry(4, 48, 0, 48);
	const uint64_t va = pgtsim_va_start(&geo);
	struct pgtsim_observer watcher = { .event = watch };
	struct fixture f[2];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		fixture_init(&f[i], &policy, &geo);
		if (i)
			pgtsim_observe(&f[i].tlb, &watcher);
		map_through_two(&f[i], va);
		assert_int_equal(pgtsim_unmap_linear(&f[i].pgt, va, 2 * MIB, 0, 0), 0);
	}
	assert_counts_equal(&f[0].tlb.counts, &f[1].tlb.counts);
	assert_int_equal(free_pages_of(&f[0]), free_pages_of(&f[1]));
	pgtsim_unobserve(&f[1].tlb, &watcher);
	for (unsigned i = 0; i < 2; i++)
		fixture_drop(&f[i]);
}

static uint64_t asked; /* tables */

static uint64_t counting_alloc(void *ctx, uint64_t count, struct pgtsim_table ***tail)
{
	asked += count;
	return pgtsim_memory_alloc_tables(ctx, count, tail);
}

/* An allocator of the caller's own is asked for each table, though a memory's finds them. */
static void asks_for_each_table(void **state)
{
	struct fixture f;
	const uint64_t va = fixture_init_4k_48(&f);

	(void)state;
	f.pgt.ops.alloc = counting_alloc;
	asked = 0;
	assert_int_equal(map_linear(&f, va, 2 * GIB, 4096, false), 0);
	assert_int_equal(asked, 3);
	assert_int_equal(map_linear(&f, va + 2 * MIB, 2 * GIB, 4096, false), 0);
	assert_int_equal(map_linear(&f, va + 3 * MIB, 2 * GIB, 4096, false), 0);
	assert_int_equal(asked, 4);
	fixture_drop(&f);
}

static unsigned freed; /* tables */

static void counting_free(void *ctx, struct pgtsim_table *table)
{
	assert_false(table->linked);
	freed++;
	pgtsim_memory_free_table(ctx, table);
}

/* A function of the caller's own gets each table back, once no entry leads there. */
static void gives_back_each_table(void **state)
{
	struct fixture f;
	const uint64_t va = fixture_init_4k_48(&f);
	struct pgtsim_table_ops ops;

	(void)state;
	ops = f.pgt.ops;
	f.pgt.ops.free = counting_free;
	freed = 0;
	assert_int_equal(map_linear(&f, va, 2 * GIB, 4096, false), 0);
	assert_int_equal(pgtsim_unmap_linear(&f.pgt, va, 4096, 0, 0), 0);
	assert_int_equal(freed, 3);
	f.pgt.ops = ops;
	fixture_fini(&f);
}

static unsigned found; /* tables */

static struct pgtsim_table *counting_find(const void *ctx, uint64_t pa)
{
	found++;
	return pgtsim_memory_find_op(ctx, pa);
}

/* Nobody goes past a caller's own look-up of tables, not even where a memory has them. */
static void looks_up_each_table(void **state)
{
	struct fixture f;
	const uint64_t va = fixture_init_4k_48(&f);

	(void)state;
	f.pgt.ops.find = counting_find;
	assert_int_equal(map_linear(&f, va, 2 * GIB, 4096, false), 0);
	found = 0;
	assert_int_equal(map_linear(&f, va + 4096, 2 * GIB, 4096, false), 0);
	assert_true(found >= 3);
	found = 0;
	assert_int_equal(pgtsim_unmap_linear(&f.pgt, va, 8192, 0, 0), 0);
	assert_true(found >= 3);
	fixture_fini(&f);
}

/* Unmapping one page of a full pmd table takes a few steps, not one for each entry of it. */
static void small_ranges_take_little_work(void **state)
{
	struct fixture f;
	const uint64_t va = fixture_init_4k_48(&f) + GIB;
	uint64_t before;

	(void)state;
	for (unsigned i = 0; i < 512; i++)
		assert_int_equal(map_linear(&f, va + i * 2 * MIB, 2 * GIB, 4096, false), 0);
	before = f.tlb.counts.work_entries;
	for (unsigned i = 0; i < 511; i++)
		assert_int_equal(pgtsim_unmap_linear(&f.pgt, va + i * 2 * MIB, 4096, 0, 0), 0);
	assert_in_range(f.tlb.counts.work_entries - before, 1, 16 * 511);
	fixture_drop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(watched_equals_unwatched),
		cmocka_unit_test(s390_watched_equals_unwatched),
		cmocka_unit_test(empties_what_two_entries_lead_to),
		cmocka_unit_test(asks_for_each_table),
		cmocka_unit_test(gives_back_each_table),
		cmocka_unit_test(looks_up_each_table),
		cmocka_unit_test(small_ranges_take_little_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
