/* SPDX-License-Identifier: MIT */
/* A page table as a whole: creation, events and counters, allocators, marks, poke. */
#include "page_table.h"

#include <pgtsim/check.h>
#include <pgtsim/teardown.h>

/* ---- creation ---- */

static void check_empty(const struct pgtsim_policy *policy, const struct pgtsim_geometry *geo)
{
	struct pgtsim_translation t;
	struct snapshot s;
	struct fixture f;

	fixture_init(&f, policy, geo);
	s = snapshot_take(&f);
	assert_int_equal(s.count, 0);
	assert_int_equal(f.tlb.counts.tables_allocated, 1);
	assert_int_equal(f.tlb.counts.tables_pgd, 1);
	assert_int_equal(f.tlb.counts.tables_pte, 0);
	assert_int_equal(pgtsim_translate(&f.pgt, pgtsim_va_last(geo), &t), -EFAULT);
	assert_int_equal(t.fault, PGTSIM_FAULT_TRANSLATION);
	assert_int_equal(t.level, pgtsim_root_level(geo));
	assert_int_equal(t.steps, 1);
	assert_int_equal(t.step[0].index, pgtsim_entries(geo, t.level) - 1);
	assert_int_equal(pgtsim_translate(&f.pgt, pgtsim_va_start(geo), &t), -EFAULT);
	assert_int_equal(pgtsim_translate(&f.pgt, pgtsim_va_start(geo) - 1, &t), -EINVAL);
	assert_int_equal(t.steps, 0);
	snapshot_free(&s);
	fixture_fini(&f);
}

/* A new page table is one empty root, counted, that translates nothing. */
static void new_table_is_empty(void **state)
{
	(void)state;
	each_geometry("latest", check_empty);
	each_geometry("linux-5.7", check_empty);
	each_geometry("s390-7.3", check_empty);
}

static int ended_map(struct pgtsim_pgtable *pgt, uint64_t va)
{
	return pgtsim_map(pgt, &(struct pgtsim_map){ .va = va, .size = 4096 });
}

static int ended_unmap(struct pgtsim_pgtable *pgt, uint64_t va)
{
	return pgtsim_unmap_range(pgt, &(struct pgtsim_unmap){ .start = va, .end = va + 4096 });
}

static int ended_free_tables(struct pgtsim_pgtable *pgt, uint64_t va)
{
	return pgtsim_free_tables(pgt, va, va + 4096, 0, 0);
}

static int ended_gather(struct pgtsim_pgtable *pgt, uint64_t va)
{
	struct pgtsim_gather gather;

	pgtsim_gather_init(&gather, pgt, NULL, NULL);
	return pgtsim_gather_unmap(&gather, va, va + 4096);
}

static int ended_protect(struct pgtsim_pgtable *pgt, uint64_t va)
{
	return pgtsim_protect(pgt, va, 4096, 0, 0);
}

static int ended_split(struct pgtsim_pgtable *pgt, uint64_t va)
{
	return pgtsim_split(pgt, va, 4096);
}

static int ended_vmap(struct pgtsim_pgtable *pgt, uint64_t va)
{
	return pgtsim_vmap(pgt, va, 0, 4096, true);
}

static int ended_vunmap(struct pgtsim_pgtable *pgt, uint64_t va)
{
	return pgtsim_vunmap(pgt, va, 4096);
}

static int ended_poke(struct pgtsim_pgtable *pgt, uint64_t va)
{
	return pgtsim_poke(pgt, PGTSIM_PTE, va, 0);
}

/* What is asked of a page table that has ended is refused, with the reason; looking finds nothing. */
static void ended(void **state)
{
	static int (*const operations[])(struct pgtsim_pgtable *, uint64_t) = {
		ended_map,     ended_unmap, ended_free_tables, ended_gather, ended_protect,
		ended_split,   pgtsim_join, ended_vmap,        ended_vunmap, ended_poke,
	};
	static const struct pgtsim_visitor visitor = { .no_pages = false };
	struct pgtsim_translation t;
	struct pgtsim_error error;
	struct fixture f;
	uint64_t va;

	(void)state;
	va = fixture_init_4k_48(&f);
	f.tlb.error = &error;
	pgtsim_pgtable_fini(&f.pgt);
	for (size_t i = 0; i < COUNT(operations); i++) {
		error.text[0] = '\0';
		assert_int_equal(operations[i](&f.pgt, va), -EINVAL);
		assert_non_null(strstr(error.text, "the page table has ended"));
	}
	assert_int_equal(pgtsim_walk(&f.pgt, va, va, &visitor, NULL), -EINVAL);
	assert_int_equal(pgtsim_translate(&f.pgt, va, &t), -EINVAL);
	assert_int_equal(pgtsim_translate(&f.pgt, 0, &t), -EINVAL);
	assert_int_equal(pgtsim_check(&f.pgt), 0);
	pgtsim_tables_undo(&f.pgt, va, va, 0);
	f.tlb.error = NULL;
	fixture_fini(&f);
}

/* Without memory for the root there is no page table, and taking it down is harmless. */
static void root_needs_memory(void **state)
{
	struct pgtsim_pgtable pgt;
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	pgtsim_memory_fail(f.memory, 1, false);
	assert_int_equal(pgtsim_pgtable_init(&pgt, &f.pgt.geo, &f.policy, &f.tlb, f.pgt.ops,
					     PGTSIM_ACCESS_PRIVATE),
			 -ENOMEM);
	assert_int_equal(f.tlb.counts.tables_allocated, 1);
	pgtsim_pgtable_fini(&pgt);
	pgtsim_pgtable_fini(&pgt);
	fixture_fini(&f);
}

/* ---- barriers and counters ---- */

struct barrier_row {
	const char *profile;
	unsigned kib, va;
	uint64_t leaves;
	bool blocks;
	enum pgtsim_region region;
	unsigned dsb, isb;
};

/* DSB and ISB of a mapping into an empty table. */
static void barriers_of_mapping(void **state)
{
	static const struct barrier_row rows[] = {
		{ "linux-5.7", 4, 48, 512, false, PGTSIM_REGION_LINEAR, 517, 514 },
		{ "linux-6.1", 4, 48, 512, false, PGTSIM_REGION_LINEAR, 517, 514 },
		{ "linux-6.12", 4, 48, 512, false, PGTSIM_REGION_LINEAR, 6, 3 },
		{ "linux-7.3", 4, 48, 512, false, PGTSIM_REGION_LINEAR, 6, 3 },
		/* 2 tables, 3 blocks */
		{ "linux-6.1", 4, 48, 3, true, PGTSIM_REGION_LINEAR, 3 + 3, 1 + 3 },
		{ "linux-6.12", 4, 48, 3, true, PGTSIM_REGION_LINEAR, 4 + 3, 2 + 3 },
		/* vmemmap: no DSB ISHST before the link */
		{ "linux-6.12", 4, 48, 512, false, PGTSIM_REGION_VMEMMAP, 3, 3 },
		/* 2 levels: the one table is linked in the root */
		{ "linux-6.1", 64, 42, 4, false, PGTSIM_REGION_LINEAR, 1 + 4, 4 },
		{ "linux-6.12", 64, 42, 4, false, PGTSIM_REGION_LINEAR, 2, 1 },
		/* blocks in the root: it has no barriers of its own up to 6.1 */
		{ "linux-6.1", 64, 42, 3, true, PGTSIM_REGION_LINEAR, 0, 0 },
		{ "linux-6.12", 64, 42, 3, true, PGTSIM_REGION_LINEAR, 3, 3 },
		{ "linux-6.12", 4, 52, 4, false, PGTSIM_REGION_LINEAR, 8, 4 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pgtsim_geometry geo = linux_geometry(rows[i].kib, rows[i].va, 0, 0);
		const struct pgtsim_policy policy = profile(rows[i].profile);
		uint64_t leaf = pgtsim_entry_size(&geo, rows[i].blocks ? PGTSIM_PMD : PGTSIM_PTE);
		struct pgtsim_map map;
		struct fixture f;

		fixture_init(&f, &policy, &geo);
		map = linear_map(&f, pgtsim_va_start(&geo), GIB, rows[i].leaves * leaf);
		map.blocks = rows[i].blocks;
		map.region = rows[i].region;
		assert_int_equal(pgtsim_map(&f.pgt, &map), 0);
		assert_int_equal(f.tlb.counts.dsb, rows[i].dsb);
		assert_int_equal(f.tlb.counts.isb, rows[i].isb);
		assert_int_equal(f.tlb.counts.leaves_mapped, rows[i].leaves);
		assert_int_equal(f.tlb.counts.entries_read, rows[i].leaves);
		assert_int_equal(f.tlb.counts.entries_written, rows[i].leaves);
		assert_int_equal(f.tlb.counts.tlbi_leaf + f.tlb.counts.tlbi_all, 0);
		fixture_fini(&f);
	}
}

/* The order of a new table: allocated, made visible, linked, then DSB ISHST and ISB. */
static void events_of_a_link(void **state)
{
	static const enum pgtsim_op ops[] = {
		PGTSIM_OP_TABLE_ALLOC, PGTSIM_OP_DSB_ISHST, PGTSIM_OP_LINK,
		PGTSIM_OP_DSB_ISHST,   PGTSIM_OP_ISB,       PGTSIM_OP_TABLE_ALLOC,
		PGTSIM_OP_DSB_ISHST,   PGTSIM_OP_LINK,      PGTSIM_OP_DSB_ISHST,
		PGTSIM_OP_ISB,         PGTSIM_OP_MAP,
	};
	struct recorder r;
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	assert_int_equal(map_linear(&f, VA + 512 * GIB, GIB, GIB, true), 0);
	recorder_start(&r, &f);
	assert_int_equal(map_linear(&f, VA + 4096, GIB, 8192, false), 0);
	assert_int_equal(r.count, COUNT(ops) + 5);
	assert_true(recorded(&r, 5, ops, COUNT(ops)));
	assert_int_equal(r.event[0].level, PGTSIM_PUD);
	assert_int_equal(r.event[2].level, PGTSIM_P4D);
	assert_int_equal(r.event[2].va, VA);
	assert_int_equal(r.event[2].size, 512 * GIB);
	assert_int_equal(r.event[2].new_desc, entry_at(&f, PGTSIM_P4D, VA));
	assert_int_equal(r.event[2].old_desc, 0);
	assert_int_equal(r.event[0].pa, r.event[2].new_desc & 0xfffffffff000);
	assert_int_equal(r.event[10].level, PGTSIM_PTE);
	assert_int_equal(r.event[15].va, VA + 4096);
	assert_int_equal(r.event[15].count, 2);
	assert_int_equal(r.event[15].new_desc, entry_at(&f, PGTSIM_PTE, VA + 4096));
	assert_int_equal(r.event[15].pa, GIB);
	recorder_stop(&r, &f);
	fixture_fini(&f);
}

static void check_gauges(const struct pgtsim_policy *policy, const struct pgtsim_geometry *geo)
{
	unsigned root = pgtsim_slot(pgtsim_root_level(geo));
	struct fixture f;
	uint64_t *gauge;

	fixture_init(&f, policy, geo);
	gauge = &f.tlb.counts.tables_pgd; /* the gauges stand in the order of the levels */
	assert_int_equal(map_linear(&f, pgtsim_va_start(geo), 0, 1, false), 0);
	assert_int_equal(map_linear(&f, pgtsim_va_last(geo), pgtsim_page_size(geo) - 1, 1, false),
			 0);
	assert_int_equal(gauge[0], 1);
	for (unsigned slot = 1; slot < PGTSIM_MAX_LEVELS; slot++)
		assert_int_equal(gauge[slot], slot <= root                     ? 0 :
					      geo->va_bits == geo->shift[root] ? 1 :
										 2);
	fixture_fini(&f);
}

/* Live tables are counted at their own level, the root as pgd, folded levels not at all. */
static void gauges_follow_levels(void **state)
{
	(void)state;
	each_geometry("latest", check_gauges);
	each_geometry("s390-7.3", check_gauges);
}

/* ---- shared tables, observers ---- */

static void check_modes(const struct pgtsim_policy *policy, const struct pgtsim_geometry *geo)
{
	struct snapshot a, b;
	struct fixture f[2];

	for (unsigned i = 0; i < 2; i++) {
		struct pgtsim_map map;

		fixture_init_access(&f[i], policy, geo,
				    i ? PGTSIM_ACCESS_SHARED : PGTSIM_ACCESS_PRIVATE);
		map = wide_map(&f[i], true);
		assert_int_equal(pgtsim_map(&f[i].pgt, &map), 0);
		/* s390 keeps what is there. */
		assert_int_equal(pgtsim_map(&f[i].pgt, &map), is_s390(policy) ? 0 : -EEXIST);
		assert_int_equal(map_linear(&f[i], pgtsim_va_start(geo), 0, 1, false),
				 geo->levels > 2 ? 0 :
				 geo->levels > 1 ? 0 :
						   -EEXIST);
	}
	a = snapshot_take(&f[0]);
	b = snapshot_take(&f[1]);
	assert_true(snapshots_equal(&a, &b));
	assert_counts_equal(&f[0].tlb.counts, &f[1].tlb.counts);
	snapshot_free(&a);
	snapshot_free(&b);
	fixture_fini(&f[0]);
	fixture_fini(&f[1]);
}

/* Private and shared page tables come to hold the same, at the same cost to the kernel. */
static void shared_equals_private(void **state)
{
	(void)state;
	each_geometry("linux-6.1", check_modes);
	each_geometry("latest", check_modes);
	each_geometry("s390-5.9", check_modes);
	each_geometry("s390-7.3", check_modes);
}

static void check_events(const struct pgtsim_policy *policy, const struct pgtsim_geometry *geo)
{
	uint64_t leaves = 0, tables = 0;
	struct pgtsim_map map;
	struct recorder r;
	struct fixture f;

	fixture_init(&f, policy, geo);
	map = wide_map(&f, true);
	recorder_start(&r, &f);
	assert_int_equal(pgtsim_map(&f.pgt, &map), 0);
	for (size_t i = 0; i < r.count; i++) {
		const struct pgtsim_event *e = &r.event[i];

		tables += e->op == PGTSIM_OP_TABLE_ALLOC;
		if (e->op != PGTSIM_OP_MAP)
			continue;
		leaves += e->count;
		for (uint64_t n = 0; n < e->count; n++)
			assert_int_equal(entry_at(&f, e->level, e->va + n * e->size),
					 e->new_desc + n * e->step);
		assert_int_equal(pgtsim_desc_address(geo, e->level, e->new_desc), e->pa);
		assert_int_equal(e->pa - e->va, map.pa - map.va);
	}
	assert_int_equal(leaves, f.tlb.counts.leaves_mapped);
	assert_int_equal(tables + 1, f.tlb.counts.tables_allocated);
	recorder_stop(&r, &f);
	fixture_fini(&f);
}

/* The events of a mapping, expanded, are exactly what the table then holds. */
static void events_expand_to_the_table(void **state)
{
	(void)state;
	each_geometry("linux-6.1", check_events);
	each_geometry("latest", check_events);
	each_geometry("s390-5.9", check_events);
	each_geometry("s390-7.3", check_events);
}

/* ---- a caller's own allocator ---- */

enum { POOL = 8, POOL_ENTRIES = 512 };

struct pool {
	uint64_t page[POOL][POOL_ENTRIES];
	struct pgtsim_table table[POOL];
	bool used[POOL];
	unsigned in_use;
};

static uint64_t pool_alloc(void *ctx, uint64_t count, struct pgtsim_table ***tail)
{
	struct pool *pool = ctx;
	uint64_t done = 0;

	for (unsigned i = 0; i < POOL && done < count; i++) {
		struct pgtsim_table *table = &pool->table[i];

		if (pool->used[i])
			continue;
		pool->used[i] = true;
		pool->in_use++;
		memset(pool->page[i], 0, sizeof(pool->page[i]));
		/* All other fields are what the last user left. */
		table->entries = pool->page[i];
		table->pa = UINT64_C(0x1234000000) + i * 4096;
		**tail = table;
		*tail = &table->next;
		done++;
	}
	return done;
}

static void pool_free(void *ctx, struct pgtsim_table *table)
{
	struct pool *pool = ctx;
	size_t i = (size_t)(table - pool->table);

	assert_true(i < POOL && pool->used[i]);
	pool->used[i] = false;
	pool->in_use--;
}

static struct pgtsim_table *pool_find(const void *ctx, uint64_t pa)
{
	const struct pool *pool = ctx;
	uint64_t i = (pa - UINT64_C(0x1234000000)) / 4096;

	return i < POOL && pool->used[i] ? (struct pgtsim_table *)(uintptr_t)&pool->table[i] : NULL;
}

/* A page table needs no simulated memory: an allocator of the caller's own will do. */
static void own_allocator(void **state)
{
	const struct pgtsim_geometry geo = linux_geometry(4, 48, 0, 48);
	struct pool *pool = calloc(1, sizeof(*pool));
	const struct pgtsim_table_ops ops = { pool_alloc, pool_free, pool_find, pool };
	struct fixture f = { .policy = profile("latest") };
	struct pgtsim_translation t;

	(void)state;
	assert_non_null(pool);
	memset(pool->table, 0xa5, sizeof(pool->table));
	pgtsim_tlb_init(&f.tlb);
	for (unsigned round = 0; round < 3; round++) {
		assert_int_equal(pgtsim_pgtable_init(&f.pgt, &geo, &f.policy, &f.tlb, ops,
						     PGTSIM_ACCESS_PRIVATE),
				 0);
		assert_int_equal(map_linear(&f, VA, GIB, 4 * MIB, false), 0);
		assert_int_equal(pool->in_use, 5);
		assert_int_equal(pgtsim_translate(&f.pgt, VA + 3 * MIB + 5, &t), 0);
		assert_int_equal(t.pa, GIB + 3 * MIB + 5);
		/* It needs 4 more and has 3. */
		assert_int_equal(map_linear(&f, -2 * MIB - 4096, GIB, 8192, false), -ENOMEM);
		assert_int_equal(pool->in_use, 5);
		assert_int_equal(map_linear(&f, VA + 4 * MIB, GIB, 6 * MIB, false), 0);
		assert_int_equal(pool->in_use, POOL);
		assert_int_equal(f.pgt.root->live, 1);
		pgtsim_pgtable_fini(&f.pgt);
		assert_int_equal(pool->in_use, 0);
	}
	pgtsim_tlb_fini(&f.tlb);
	free(pool);
}

/* Tables can be reserved and given back; a list that came short holds what there was. */
static void reserve_and_release(void **state)
{
	struct pgtsim_table *list;
	unsigned n = 0;
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	assert_int_equal(pgtsim_tables_reserve(&f.pgt, 0, &list), 0);
	assert_null(list);
	pgtsim_memory_fail(f.memory, 4, false);
	assert_int_equal(pgtsim_tables_reserve(&f.pgt, 7, &list), 3);
	for (struct pgtsim_table *table = list; table; table = table->next)
		n++;
	assert_int_equal(n, 3);
	pgtsim_tables_release(&f.pgt, &list);
	assert_null(list);
	fixture_fini(&f);
}

/* Tables linked since a mark can be taken back if they are empty; marks nest, even around 2^32. */
static void tables_since_a_mark(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		uint32_t outer, inner;
		struct fixture f;

		init_4k(&f, "latest");
		pgtsim_pgtable_state(&f.pgt)->epoch = i ? UINT32_MAX - 1 : 0;
		assert_int_equal(map_linear(&f, VA, GIB, 4096, false), 0);
		outer = pgtsim_tables_mark(&f.pgt);
		assert_int_equal(map_linear(&f, VA + 2 * MIB, GIB, 4096, false), 0);
		inner = pgtsim_tables_mark(&f.pgt);
		assert_int_equal(map_linear(&f, VA + GIB, GIB, 4 * MIB, false), 0);
		for (uint64_t at = VA; at < VA + 2 * GIB; at += 4096)
			if (is_mapped(&f, at) && at != VA + GIB + 2 * MIB)
				assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PTE, at, 0), 0);
		assert_int_equal(tables_linked(&f), 4 + 1 + 3);
		pgtsim_tables_undo(&f.pgt, VA, VA + GIB - 1, inner); /* none there */
		assert_int_equal(tables_linked(&f), 8);
		pgtsim_tables_undo(&f.pgt, VA, UINT64_MAX, inner); /* one of three is empty */
		assert_int_equal(tables_linked(&f), 7);
		assert_true(is_mapped(&f, VA + GIB + 2 * MIB));
		pgtsim_tables_undo(&f.pgt, VA, UINT64_MAX, outer);
		assert_int_equal(tables_linked(&f), 6);
		assert_int_not_equal(entry_at(&f, PGTSIM_PMD, VA), 0);
		assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PTE, VA + GIB + 2 * MIB, 0), 0);
		pgtsim_tables_undo(&f.pgt, VA, UINT64_MAX, outer);
		assert_int_equal(tables_linked(&f), 4);
		assert_int_equal(f.tlb.counts.tables_freed, 4);
		assert_int_equal(f.tlb.counts.tlbi_walk, 4);
		fixture_fini(&f);
	}
}

/* ---- poke ---- */

/* A poke writes any value at any level, keeps the record and shows an event. */
static void poke_writes(void **state)
{
	static const uint64_t values[] = { 1, 0, 0x800, 3, 0, 0, 5 };
	struct recorder r;
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	assert_false(pgtsim_pgtable_state(&f.pgt)->poked);
	assert_int_equal(map_linear(&f, VA, GIB, 4096, false), 0);
	recorder_start(&r, &f);
	for (size_t i = 0; i < COUNT(values); i++) {
		uint64_t old = entry_at(&f, PGTSIM_PMD, VA + 2 * MIB);
		struct snapshot s;

		assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PMD, VA + 2 * MIB + 77, values[i]), 0);
		assert_int_equal(entry_at(&f, PGTSIM_PMD, VA + 2 * MIB), values[i]);
		assert_int_equal(r.event[i].op, PGTSIM_OP_POKE);
		assert_int_equal(r.event[i].level, PGTSIM_PMD);
		assert_int_equal(r.event[i].va, VA + 2 * MIB);
		assert_int_equal(r.event[i].old_desc, old);
		assert_int_equal(r.event[i].new_desc, values[i]);
		if (values[i] == 3)
			continue;
		s = snapshot_take(&f); /* checks the record */
		snapshot_free(&s);
	}
	assert_true(pgtsim_pgtable_state(&f.pgt)->poked);
	assert_int_equal(r.count, COUNT(values));
	recorder_stop(&r, &f);
	fixture_fini(&f);
}

static void check_poke_errors(const struct pgtsim_policy *policy, const struct pgtsim_geometry *geo)
{
	uint64_t va = pgtsim_va_start(geo);
	int root = pgtsim_root_level(geo);
	struct fixture f;

	fixture_init(&f, policy, geo);
	assert_int_equal(pgtsim_poke(&f.pgt, root - 1, va, 1), -EINVAL);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PTE + 1, va, 1), -EINVAL);
	assert_int_equal(pgtsim_poke(&f.pgt, root, va - 1, 1), -EINVAL);
	for (int level = root + 1; level <= PGTSIM_PTE; level++)
		assert_int_equal(pgtsim_poke(&f.pgt, level, va, 1), -ENOENT);
	assert_false(pgtsim_pgtable_state(&f.pgt)->poked);
	assert_int_equal(pgtsim_poke(&f.pgt, root, va, 1), 0);
	assert_int_equal(pgtsim_poke(&f.pgt, root, va, 0), 0);
	assert_int_equal(map_linear(&f, va, 0, 1, false), 0);
	for (int level = root; level <= PGTSIM_PTE; level++)
		assert_int_equal(pgtsim_poke(&f.pgt, level, va, entry_at(&f, level, va)), 0);
	fixture_fini(&f);
}

/* A poke needs a level of the geometry, an address of the region, and the tables above. */
static void poke_errors(void **state)
{
	(void)state;
	each_geometry("latest", check_poke_errors);
	each_geometry("s390-7.3", check_poke_errors);
}

/* ---- a table is detached, and freed later ---- */

/* The run of the table entry above the last level that translates va, and its table. */
static struct pgtsim_run last_table(const struct fixture *f, uint64_t va,
				    struct pgtsim_table **child)
{
	const struct pgtsim_geometry *geo = &f->pgt.geo;
	struct pgtsim_run run = { .table = f->pgt.root, .count = 1, .va = va };

	for (run.level = pgtsim_root_level(geo);; run.level++) {
		uint64_t desc;

		run.index = pgtsim_index(geo, run.level, va);
		run.last = va | (pgtsim_entry_size(geo, run.level) - 1);
		desc = pgtsim_entry(&f->pgt, run.table, run.index);
		*child = f->pgt.ops.find(f->pgt.ops.ctx, pgtsim_desc_address(geo, run.level, desc));
		if (run.level == PGTSIM_PTE - 1)
			return run;
		run.table = *child;
	}
}

/* Maps a page and clears it again; the run of the table entry above the empty table. */
static struct pgtsim_run empty_table(struct fixture *f, struct pgtsim_table **child)
{
	uint64_t va = pgtsim_va_start(&f->pgt.geo);
	struct pgtsim_run run;

	assert_int_equal(map_linear(f, va, 0, pgtsim_page_size(&f->pgt.geo), false), 0);
	run = last_table(f, va, child);
	pgtsim_run_clear(&f->pgt,
			 &(struct pgtsim_run){ .table = *child,
					       .level = PGTSIM_PTE,
					       .count = 1,
					       .va = va,
					       .last = va + pgtsim_page_size(&f->pgt.geo) - 1 },
			 1, PGTSIM_EACH_FLUSH);
	return run;
}

static void check_detach(const struct pgtsim_policy *policy, const struct pgtsim_geometry *geo)
{
	struct pgtsim_table *child;
	struct pgtsim_run run;
	struct pgtsim_counts before;
	struct fixture f;
	uint64_t free_pages;

	if (geo->levels < 2)
		return;
	fixture_init(&f, policy, geo);
	run = empty_table(&f, &child);
	before = f.tlb.counts;
	free_pages = free_pages_of(&f);
	pgtsim_table_detach(&f.pgt, &run, child);
	assert_false(child->linked);
	assert_int_equal(pgtsim_entry(&f.pgt, run.table, run.index), 0);
	assert_int_equal(f.tlb.counts.tables_pte, 1);
	assert_int_equal(f.tlb.counts.tlbi_walk, before.tlbi_walk);
	assert_int_equal(free_pages_of(&f), free_pages);
	pgtsim_tlb_flush_table(&f.tlb, run.va);
	pgtsim_table_free(&f.pgt, child, run.va);
	assert_int_equal(f.tlb.counts.tables_pte, 0);
	assert_int_equal(f.tlb.counts.tables_freed, before.tables_freed + 1);
	assert_int_equal(free_pages_of(&f), free_pages + 1);
	assert_int_equal(f.tlb.counts.violations, before.violations);
	fixture_fini(&f);
}

/* A detached table has no entry any more, but keeps its page until it is freed: any geometry. */
static void detached_table_keeps_its_page(void **state)
{
	(void)state;
	each_geometry("latest", check_detach);
	each_geometry("linux-5.7", check_detach);
	each_geometry("s390-7.3", check_detach);
}

static void check_unlink(const struct pgtsim_policy *policy, const struct pgtsim_geometry *geo)
{
	struct recorder recorder[2];
	struct fixture f[2];

	if (geo->levels < 2)
		return;
	for (int i = 0; i < 2; i++) {
		struct pgtsim_table *child;
		struct pgtsim_run run;

		fixture_init(&f[i], policy, geo);
		run = empty_table(&f[i], &child);
		recorder_start(&recorder[i], &f[i]);
		if (i) {
			pgtsim_table_unlink(&f[i].pgt, &run, child);
			continue;
		}
		pgtsim_table_detach(&f[i].pgt, &run, child);
		pgtsim_tlb_flush_table(&f[i].tlb, run.va);
		pgtsim_table_free(&f[i].pgt, child, run.va);
	}
	assert_int_equal(recorder[0].count, recorder[1].count);
	for (size_t i = 0; i < recorder[0].count; i++) {
		const struct pgtsim_event *a = &recorder[0].event[i], *b = &recorder[1].event[i];

		assert_int_equal(a->op, b->op);
		assert_int_equal(a->level, b->level);
		assert_int_equal(a->flags, b->flags);
		assert_int_equal(a->va, b->va);
		assert_int_equal(a->count, b->count);
		assert_int_equal(a->old_desc, b->old_desc);
		assert_int_equal(a->pa, b->pa);
	}
	assert_counts_equal(&f[0].tlb.counts, &f[1].tlb.counts);
	for (int i = 0; i < 2; i++) {
		recorder_stop(&recorder[i], &f[i]);
		fixture_fini(&f[i]);
	}
}

/* To unlink is to detach, to invalidate, and to free: the same events, any geometry. */
static void unlink_is_detach_and_free(void **state)
{
	(void)state;
	each_geometry("latest", check_unlink);
	each_geometry("linux-5.7", check_unlink);
	each_geometry("linux-6.12", check_unlink);
	each_geometry("s390-7.3", check_unlink);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(new_table_is_empty),
		cmocka_unit_test(ended),
	cmocka_unit_test(root_needs_memory),
	cmocka_unit_test(barriers_of_mapping),
	cmocka_unit_test(events_of_a_link),
	cmocka_unit_test(gauges_follow_levels),
	cmocka_unit_test(shared_equals_private),
	cmocka_unit_test(events_expand_to_the_table),
	cmocka_unit_test(own_allocator),
	cmocka_unit_test(reserve_and_release),
	cmocka_unit_test(tables_since_a_mark),
	cmocka_unit_test(poke_writes),
	cmocka_unit_test(poke_errors),
	cmocka_unit_test(detached_table_keeps_its_page),
	cmocka_unit_test(unlink_is_detach_and_free),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
