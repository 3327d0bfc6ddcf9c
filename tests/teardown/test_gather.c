/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include <pgtsim/teardown.h>

/* Notes in which order things happen. */
struct watching {
	struct pgtsim_observer observer;
	uint64_t cleared, freed, flushes;
	bool freed_unflushed;
	bool dirty; /* something was cleared since the last completed invalidate */
};

static void watch(struct pgtsim_observer *self, const struct pgtsim_event *event)
{
	struct watching *w = (struct watching *)(void *)self;

	if (event->op == PGTSIM_OP_CLEAR) {
		assert_false(event->flags & PGTSIM_EACH_FLUSH);
		w->cleared += event->count;
		w->dirty = true;
	} else if (event->op == PGTSIM_OP_DSB_ISH) {
		w->flushes++;
		w->dirty = false;
	} else if (event->op == PGTSIM_OP_PAGES_FREE) {
		w->freed += event->count;
		w->freed_unflushed |= w->dirty;
	}
}

static struct watching watching = { .observer = { .event = watch } };

static void start(struct fixture *f, const struct pgtsim_policy *policy,
		  const struct pgtsim_geometry *geo)
{
	fixture_init(f, policy, geo);
	assert_int_equal(pgtsim_checker_start(&f->tlb, &f->pgt.geo, &f->policy), 0);
	watching = (struct watching){ .observer = { .event = watch } };
	pgtsim_observe(&f->tlb, &watching.observer);
}

/* Maps `pages` pages of the allocator from va on, `stride` pages of VA apart. */
static void map_pages(struct fixture *f, uint64_t va, unsigned pages, unsigned stride)
{
	for (unsigned i = 0; i < pages; i++) {
		const uint64_t size = pgtsim_page_size(&f->pgt.geo);
		struct pgtsim_map map = {
			.va = va + i * stride * size,
			.size = size,
			.attrs = f->policy.vmemmap_page,
			.table_attrs = f->policy.vmemmap_table,
			.region = PGTSIM_REGION_VMEMMAP,
		};
		uint64_t pfn;

		assert_int_equal(pgtsim_memory_alloc(f->memory, 0, &pfn), 0);
		map.pa = pfn << f->pgt.geo.page_shift;
		assert_int_equal(pgtsim_map(&f->pgt, &map), 0);
	}
}

/* Memory waits for the flush, and is back in the allocator after it; in every geometry. */
static void memory_waits_for_the_flush(void **state)
{
	struct geometry_case geometries[MAX_GEOMETRIES];
	const struct pgtsim_policy policy = profile("latest");
	size_t n = all_geometries(geometries, &policy);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		const struct pgtsim_geometry *geo = &geometries[i].geo;
		uint64_t size = pgtsim_page_size(geo), va = pgtsim_va_start(geo);
		struct pgtsim_gather gather;
		uint64_t free_before;
		struct fixture f;

		start(&f, &policy, geo);
		map_pages(&f, va, 3, 1);
		free_before = free_pages_of(&f);
		pgtsim_gather_init(&gather, &f.pgt, f.memory, NULL);
		assert_int_equal(pgtsim_gather_unmap(&gather, va, va + 2 * size), 0);
		assert_int_equal(watching.cleared, 2);
		assert_int_equal(watching.freed, 0);
		assert_int_equal(free_pages_of(&f), free_before);
		pgtsim_gather_flush(&gather);
		assert_int_equal(free_pages_of(&f), free_before + 2);
		assert_false(watching.freed_unflushed);
		assert_int_equal(f.tlb.counts.violations, 0);
		pgtsim_gather_flush(&gather);
		assert_int_equal(watching.flushes, 1);
		fixture_drop(&f);
	}
}

/* More pieces than there is room for are flushed in between, and none is freed early or lost. */
static void full_gather_flushes_itself(void **state)
{
	const struct pgtsim_geometry geo = linux_geometry(4, 48, 0, 48);
	const struct pgtsim_policy policy = profile("latest");
	const unsigned pages = 3 * PGTSIM_GATHER_RUNS + 1;
	uint64_t va = pgtsim_va_start(&geo), free_before;
	struct pgtsim_gather gather;
	struct fixture f;

	(void)state;
	start(&f, &policy, &geo);
	free_before = free_pages_of(&f);
	map_pages(&f, va, pages, 2);
	pgtsim_gather_init(&gather, &f.pgt, f.memory, NULL);
	assert_int_equal(pgtsim_gather_unmap(&gather, va, va + 2 * pages * 4 * KIB), 0);
	assert_int_equal(watching.flushes, 3);
	assert_int_equal(watching.freed, 3 * PGTSIM_GATHER_RUNS);
	pgtsim_gather_flush(&gather);
	assert_int_equal(watching.freed, pages);
	assert_int_equal(watching.cleared, pages);
	assert_false(watching.freed_unflushed);
	assert_int_equal(f.tlb.counts.violations, 0);
	assert_int_equal(pgtsim_free_tables(&f.pgt, va, va + 2 * pages * 4 * KIB, 0, 0), 0);
	assert_int_equal(free_pages_of(&f), free_before);
	fixture_drop(&f);
}

/* A block goes back as the one block it is; an altmap gets what came from it. */
static void blocks_and_altmaps(void **state)
{
	const struct pgtsim_geometry geo = linux_geometry(4, 48, 0, 48);
	const struct pgtsim_policy policy = profile("latest");
	struct pgtsim_altmap altmap = { .base = 0x80000, .free = 1024, .alloc = 512 };
	uint64_t va = pgtsim_va_start(&geo), pfn, free_before;
	struct pgtsim_map map = {
		.va = va,
		.size = 2 * MIB,
		.attrs = policy.vmemmap_block,
		.blocks = true,
	};
	struct pgtsim_gather gather;
	struct fixture f;

	(void)state;
	start(&f, &policy, &geo);
	free_before = free_pages_of(&f);
	assert_int_equal(pgtsim_memory_alloc(f.memory, 9, &pfn), 0);
	map.pa = pfn << 12;
	assert_int_equal(pgtsim_map(&f.pgt, &map), 0);
	pgtsim_gather_init(&gather, &f.pgt, f.memory, NULL);
	assert_int_equal(pgtsim_gather_unmap(&gather, va, va + 1), 0);
	pgtsim_gather_flush(&gather);
	assert_int_equal(free_pages_of(&f) + 2, free_before); /* two tables are left */

	map.pa = altmap.base << 12;
	assert_int_equal(pgtsim_map(&f.pgt, &map), 0);
	pgtsim_gather_init(&gather, &f.pgt, NULL, &altmap);
	assert_int_equal(pgtsim_gather_unmap(&gather, va, va + 2 * MIB), 0);
	assert_int_equal(altmap.alloc, 512);
	pgtsim_gather_flush(&gather);
	assert_int_equal(altmap.alloc, 0);
	assert_int_equal(f.tlb.counts.violations, 0);
	fixture_drop(&f);
}

/* Ranges that are none, and nowhere to free to, are refused before anything is cleared. */
static void refused(void **state)
{
	const struct pgtsim_geometry geo = linux_geometry(4, 48, 0, 48);
	const struct pgtsim_policy policy = profile("latest");
	uint64_t va = pgtsim_va_start(&geo);
	struct pgtsim_gather gather;
	struct fixture f;

	(void)state;
	start(&f, &policy, &geo);
	map_pages(&f, va, 1, 1);
	pgtsim_gather_init(&gather, &f.pgt, f.memory, NULL);
	assert_int_equal(pgtsim_gather_unmap(&gather, va, va), -EINVAL);
	assert_int_equal(pgtsim_gather_unmap(&gather, va + 1, va), -EINVAL);
	assert_int_equal(pgtsim_gather_unmap(&gather, va - 1, va + 1), -EINVAL);
	pgtsim_gather_init(&gather, &f.pgt, NULL, NULL);
	assert_int_equal(pgtsim_gather_unmap(&gather, va, va + 1), -EINVAL);
	assert_int_equal(watching.cleared, 0);
	pgtsim_gather_init(&gather, &f.pgt, f.memory, NULL);
	assert_int_equal(pgtsim_gather_unmap(&gather, va, 0), 0);
	pgtsim_gather_flush(&gather);
	assert_int_equal(watching.freed, 1);
	fixture_drop(&f);
}

/* The flush is arm64's: s390 gathers by a knob, free-order. */
static void refused_on_s390(void **state)
{
	const struct pgtsim_geometry geo = s390_geometry(42, 1);
	const struct pgtsim_policy policy = profile("s390-7.3");
	struct pgtsim_gather gather;
	struct fixture f;

	(void)state;
	start(&f, &policy, &geo);
	map_pages(&f, GIB, 1, 1);
	pgtsim_gather_init(&gather, &f.pgt, f.memory, NULL);
	assert_int_equal(pgtsim_gather_unmap(&gather, GIB, GIB + 4096), -EINVAL);
	assert_int_equal(watching.cleared, 0);
	assert_true(is_mapped(&f, GIB));
	fixture_drop(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(memory_waits_for_the_flush),
	cmocka_unit_test(full_gather_flushes_itself),
	cmocka_unit_test(blocks_and_altmaps),
	cmocka_unit_test(refused),
	cmocka_unit_test(refused_on_s390),
};

int main(void)
{
	return cmocka_run_group_tests_name("gather", tests, NULL, NULL);
}
