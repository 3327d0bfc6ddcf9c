/* SPDX-License-Identifier: MIT */
/* How memory that was mapped is freed, and when it is flushed. */
#include "teardown.h"

/* ---- freeing what was mapped ---- */

/* Pages and blocks go back to the page allocator, one flush a leaf in every release. */
static void freeing_to_the_page_allocator(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(all_profiles); i++) {
		uint64_t pfn, before;
		struct fixture f;

		init_4k(&f, all_profiles[i]);
		before = free_pages_of(&f);
		map_allocated(&f, 300);
		assert_int_equal(pgtsim_memory_alloc(f.memory, 9, &pfn), 0);
		must_map(&f, VA + 2 * MIB, pfn << 12, 2 * MIB, true);
		pgtsim_tlb_reset_counts(&f.tlb);
		assert_int_equal(unmap_free(&f, VA, VA + 4 * MIB, NULL), 0);
		assert_int_equal(free_pages_of(&f), before - 3);
		assert_int_equal(f.tlb.counts.pages_freed, 300 + 512);
		assert_int_equal(f.tlb.counts.leaves_cleared, 301);
		assert_int_equal(f.tlb.counts.tlbi_leaf, 301);
		assert_int_equal(f.tlb.counts.tlbi_all, 0);
		assert_int_equal(f.tlb.counts.dsb, 602);
		assert_int_equal(f.tlb.counts.isb, 301);
		assert_int_equal(f.tlb.counts.violations, 0);
		fixture_fini(&f);
	}
}

/* Memory of an altmap is only counted back, whatever it really is. */
static void freeing_to_an_altmap(void **state)
{
	struct pgtsim_altmap altmap = { .base = 0x80000, .free = 4096, .alloc = 2000 };
	uint64_t before;
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	must_map(&f, VA, 2 * GIB, 8 * 4096, false);
	must_map(&f, VA + 2 * MIB, 2 * GIB, 2 * MIB, true);
	before = free_pages_of(&f);
	pgtsim_tlb_reset_counts(&f.tlb);
	assert_int_equal(unmap_free(&f, VA, VA + 4 * MIB, &altmap), 0);
	assert_int_equal(altmap.alloc, 2000 - 520);
	assert_int_equal(f.tlb.counts.altmap_freed, 520);
	assert_int_equal(f.tlb.counts.pages_freed, 520);
	assert_int_equal(f.tlb.counts.violations, 0);
	assert_int_equal(free_pages_of(&f), before);
	fixture_fini(&f);
}

/* Invalid leaves that bit 11 marks are leaves from 7.1 on: cleared, and their memory is freed. */
static void marked_leaves_in_pass_1(void **state)
{
	const uint64_t marked = PGTSIM_DESC_NG;

	(void)state;
	for (size_t i = 0; i < COUNT(all_profiles); i++) {
		bool leaf = !strcmp(all_profiles[i], "linux-7.3");
		uint64_t before, pfn, block;
		struct fixture f;

		init_4k(&f, all_profiles[i]);
		before = free_pages_of(&f);
		assert_int_equal(pgtsim_memory_alloc(f.memory, 9, &pfn), 0);
		must_map(&f, VA + 2 * MIB, pfn << 12, 2 * MIB, true);
		map_allocated(&f, 1);
		block = entry_at(&f, PGTSIM_PMD, VA + 2 * MIB) & ~PGTSIM_DESC_VALID;
		assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PMD, VA + 2 * MIB, block | marked), 0);
		assert_int_equal(unmap_free(&f, VA, VA + 4 * MIB, NULL), 0);
		assert_int_equal(f.tlb.counts.violations, leaf ? 0 : 1);
		assert_int_equal(f.tlb.counts.pages_freed, leaf ? 513 : 1);
		assert_int_equal(free_pages_of(&f), before - 3 - (leaf ? 0 : 512));
		assert_int_equal(entry_at(&f, PGTSIM_PMD, VA + 2 * MIB), leaf ? 0 : block | marked);
		if (!leaf) {
			assert_non_null(strstr(f.tlb.violations[0].text, "for a table"));
			assert_int_equal(pgtsim_memory_free_pages(f.memory, pfn, 9), 0);
		}
		fixture_fini(&f);
	}
}

/* A mark on a valid entry is nG, and one that has the bits of a reserved pte is no leaf. */
static void marks_that_are_none(void **state)
{
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	must_map(&f, VA, GIB, 2 * 4096, false);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PTE, VA, 0x00e8000040000f05), 0);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PTE, VA + 4096, 0x00e8000040001f07), 0);
	assert_int_equal(unmap(&f, VA, VA + 8192), 0);
	assert_int_equal(f.tlb.counts.violations, 1);
	assert_string_equal(first_violation(&f), "invalid-entry");
	assert_int_equal(f.tlb.violations[0].va, VA);
	fixture_fini(&f);
}

/* What an altmap never had is freed to it: the kernel counts, the library notes it. */
static void freeing_to_the_wrong_altmap(void **state)
{
	static const struct {
		uint64_t base, reserve, free, alloc;
		const char *violation; /* NULL: none */
		unsigned leaves;
	} rows[] = {
		{ 0x80000, 0, 4096, 8, NULL, 0 },
		{ 0x7fff0, 16, 8, 8, NULL, 0 },
		{ 0x90000, 0, 4096, 8, "wrong-owner", 8 },
		{ 0x7fff0, 17, 4096, 8, "wrong-owner", 1 },
		{ 0x80000, 0, 7, 8, "wrong-owner", 1 },
		{ 0x80000, 0, 4096, 7, "altmap-wrapped", 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pgtsim_altmap altmap = { .base = rows[i].base,
						.reserve = rows[i].reserve,
						.free = rows[i].free,
						.alloc = rows[i].alloc };
		struct fixture f;

		init_4k(&f, "latest");
		must_map(&f, VA, 2 * GIB, 8 * 4096, false);
		assert_int_equal(unmap_free(&f, VA, VA + 8 * 4096, &altmap), 0);
		assert_int_equal(altmap.alloc, rows[i].alloc - 8);
		assert_int_equal(f.tlb.counts.altmap_freed, 8);
		if (rows[i].violation)
			assert_string_equal(first_violation(&f), rows[i].violation);
		assert_int_equal(f.tlb.counts.violations, rows[i].leaves);
		fixture_fini(&f);
	}
}

/* An altmap where nothing is freed is a violation, and is not touched. */
static void altmap_without_freeing(void **state)
{
	struct pgtsim_altmap altmap = { .base = 0x80000, .free = 4096, .alloc = 2000 };
	struct pgtsim_unmap pass = { .start = VA, .end = VA + 4096, .altmap = &altmap };
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	must_map(&f, VA, 2 * GIB, 4096, false);
	assert_int_equal(pgtsim_unmap_range(&f.pgt, &pass), 0);
	assert_string_equal(first_violation(&f), "altmap-without-free");
	assert_int_equal(f.tlb.counts.violations, 1);
	assert_int_equal(altmap.alloc, 2000);
	assert_int_equal(f.tlb.counts.leaves_cleared, 1);
	fixture_fini(&f);
}

/* What stands at VA before a free that is wrong, for its page 3 of 8. */
enum wrong { BOOT, HOLE, ORDER, DOUBLE, TABLE };

static void make_wrong(struct fixture *f, enum wrong wrong)
{
	uint64_t pfn = map_allocated(f, 8), bad = pfn + 3, page;

	switch (wrong) {
	case BOOT:
		bad = (RAM_START + GIB) / 4096 - 1;
		assert_int_equal(pgtsim_memory_reserve_boot(f->memory, bad, 1), 0);
		break;
	case HOLE:
		bad = 0x12345678;
		break;
	case ORDER:
		assert_int_equal(pgtsim_memory_alloc(f->memory, 1, &bad), 0);
		break;
	case DOUBLE: /* in the middle of a run that goes on */
		assert_int_equal(pgtsim_memory_free_pages(f->memory, bad, 0), PGTSIM_FREE_OK);
		return;
	case TABLE:
		bad = f->pgt.root->pa / 4096;
		break;
	}
	page = entry_at(f, PGTSIM_PTE, VA + 3 * 4096);
	page = page - ((pfn + 3) << 12) + (bad << 12);
	assert_int_equal(pgtsim_poke(&f->pgt, PGTSIM_PTE, VA + 3 * 4096, page), 0);
	pgtsim_pgtable_state(&f->pgt)->poked = false;
}

/* A wrong free is a violation with a name; that page stays as it is, the others are freed. */
static void wrong_frees(void **state)
{
	static const struct {
		enum wrong wrong;
		const char *name;
	} rows[] = {
		{ BOOT, "boot-memory-freed" }, { HOLE, "not-ram" },      { ORDER, "wrong-order" },
		{ DOUBLE, "double-free" },     { TABLE, "wrong-owner" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t before;
		struct fixture f;

		init_4k(&f, "latest");
		make_wrong(&f, rows[i].wrong);
		before = free_pages_of(&f);
		pgtsim_tlb_reset_counts(&f.tlb);
		assert_int_equal(unmap_free(&f, VA, VA + 8 * 4096, NULL), 0);
		assert_int_equal(f.tlb.counts.violations, 1);
		assert_string_equal(first_violation(&f), rows[i].name);
		assert_int_equal(f.tlb.violations[0].va, VA + 3 * 4096);
		assert_int_equal(f.tlb.violations[0].level, PGTSIM_PTE);
		assert_int_equal(f.tlb.counts.pages_freed, 7);
		assert_int_equal(free_pages_of(&f), before + 7);
		assert_int_equal(f.tlb.counts.leaves_cleared, 8);
		fixture_drop(&f);
	}
}

/* Freeing a block that the allocator does not own is just as wrong. */
static void wrong_free_of_a_block(void **state)
{
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	assert_int_equal(pgtsim_memory_reserve_boot(f.memory, (RAM_START + 64 * MIB) / 4096, 512),
			 0);
	must_map(&f, VA, RAM_START + 64 * MIB, 2 * MIB, true);
	must_map(&f, VA + 2 * MIB, 256 * GIB, 4 * MIB, true);
	assert_int_equal(unmap_free(&f, VA, VA + 6 * MIB, NULL), 0);
	assert_int_equal(f.tlb.counts.violations, 3);
	assert_int_equal(f.tlb.violations[0].name, PGTSIM_V_BOOT_MEMORY_FREED);
	assert_int_equal(f.tlb.violations[0].va, VA);
	assert_int_equal(f.tlb.violations[0].level, PGTSIM_PMD);
	assert_int_equal(f.tlb.violations[1].name, PGTSIM_V_NOT_RAM);
	assert_int_equal(f.tlb.violations[1].va, VA + 2 * MIB);
	assert_int_equal(f.tlb.violations[2].va, VA + 4 * MIB);
	assert_int_equal(f.tlb.counts.pages_freed, 0);
	fixture_drop(&f);
}

/* Memory that is freed leaf by leaf must not carry the contiguous hint. */
static void hint_on_freed_memory(void **state)
{
	struct pgtsim_map map;
	uint64_t pfn;
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	take_pages(&f, 15);
	pfn = take_pages(&f, 16);
	assert_int_equal(pfn % 16, 0);
	map = linear_map(&f, VA, pfn << 12, 16 * 4096);
	map.cont = true;
	assert_int_equal(pgtsim_map(&f.pgt, &map), 0);
	assert_int_equal(unmap_free(&f, VA, VA + 16 * 4096, NULL), 0);
	assert_string_equal(first_violation(&f), "cont-freed");
	assert_int_equal(f.tlb.counts.violations, 16);
	assert_int_equal(f.tlb.violations[15].va, VA + 15 * 4096);
	fixture_drop(&f);
}

/* ---- when it is flushed and freed ---- */

/* Two allocated pages in ptes, a 2M block behind them. */
static void map_pages_and_block(struct fixture *f)
{
	uint64_t pfn;

	map_allocated(f, 2);
	assert_int_equal(pgtsim_memory_alloc(f->memory, 9, &pfn), 0);
	must_map(f, VA + 2 * MIB, pfn << 12, 2 * MIB, true);
	pgtsim_tlb_reset_counts(&f->tlb);
}

/* The invalidates of each flush knob when memory is freed, and when it is not. */
static void flush_knobs(void **state)
{
	static const struct {
		uint8_t flush;
		bool free;
		uint64_t size, leaf, all, dsb;
	} rows[] = {
		{ PGTSIM_FLUSH_PER_LEAF, true, 4 * MIB, 3, 0, 6 },
		{ PGTSIM_FLUSH_PER_LEAF, false, 4 * MIB, 3, 0, 6 },
		{ PGTSIM_FLUSH_RANGE, true, 4 * MIB, 3, 0, 6 },
		{ PGTSIM_FLUSH_RANGE, false, 4 * MIB, 0, 1, 2 },
		{ PGTSIM_FLUSH_RANGE, false, 8192, 2, 0, 2 },
		/* 6.1.176: a block takes one for each of its pages */
		{ PGTSIM_FLUSH_PER_PAGE_OF_BLOCK, true, 4 * MIB, 2 + 512, 0, 6 },
		{ PGTSIM_FLUSH_PER_PAGE_OF_BLOCK, false, 4 * MIB, 0, 1, 2 },
		{ PGTSIM_FLUSH_AT_END, true, 4 * MIB, 0, 1, 2 },
		{ PGTSIM_FLUSH_AT_END, true, 8192, 2, 0, 2 },
		{ PGTSIM_FLUSH_AT_END, false, 4 * MIB, 0, 1, 2 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct fixture f;

		init_4k(&f, "linux-6.1");
		f.policy.flush = rows[i].flush;
		map_pages_and_block(&f);
		if (rows[i].free)
			assert_int_equal(unmap_free(&f, VA, VA + rows[i].size, NULL), 0);
		else
			assert_int_equal(unmap(&f, VA, VA + rows[i].size), 0);
		assert_int_equal(f.tlb.counts.tlbi_leaf, rows[i].leaf);
		assert_int_equal(f.tlb.counts.tlbi_all, rows[i].all);
		assert_int_equal(f.tlb.counts.dsb, rows[i].dsb);
		assert_int_equal(f.tlb.counts.isb, rows[i].dsb / 2);
		assert_int_equal(f.tlb.counts.leaves_cleared, rows[i].size > 8192 ? 3 : 2);
		fixture_drop(&f);
	}
}

static const struct {
	uint8_t flush, order;
	unsigned flags; /* of the clear */
	enum pgtsim_op ops[5];
	unsigned n;
} order_rows[] = {
	{ PGTSIM_FLUSH_RANGE,
	  PGTSIM_FREE_AFTER_INVALIDATE,
	  PGTSIM_EACH_FREE | PGTSIM_EACH_FLUSH,
	  { PGTSIM_OP_CLEAR, PGTSIM_OP_PAGES_FREE },
	  2 },
	{ PGTSIM_FLUSH_RANGE,
	  PGTSIM_FREE_BEFORE_CLEAR,
	  PGTSIM_EACH_FREE | PGTSIM_EACH_FLUSH,
	  { PGTSIM_OP_PAGES_FREE, PGTSIM_OP_CLEAR },
	  2 },
	{ PGTSIM_FLUSH_AT_END,
	  PGTSIM_FREE_BEFORE_CLEAR,
	  PGTSIM_EACH_FREE,
	  { PGTSIM_OP_PAGES_FREE, PGTSIM_OP_CLEAR, PGTSIM_OP_DSB_ISHST, PGTSIM_OP_TLBI_LEAF,
	    PGTSIM_OP_DSB_ISH },
	  6 },
	{ PGTSIM_FLUSH_AT_END,
	  PGTSIM_FREE_AFTER_INVALIDATE,
	  PGTSIM_EACH_FREE,
	  { PGTSIM_OP_CLEAR, PGTSIM_OP_PAGES_FREE, PGTSIM_OP_DSB_ISHST, PGTSIM_OP_TLBI_LEAF,
	    PGTSIM_OP_DSB_ISH },
	  6 },
};

/* The order of clearing, flushing and freeing that each pair of knobs gives. */
static void order_of_freeing(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(order_rows); i++) {
		struct recorder r;
		struct fixture f;
		uint64_t pfn;

		init_4k(&f, "linux-6.12");
		f.policy.flush = order_rows[i].flush;
		f.policy.free_order = order_rows[i].order;
		pfn = map_allocated(&f, 5);
		recorder_start(&r, &f);
		assert_int_equal(unmap_free(&f, VA, VA + 5 * 4096, NULL), 0);
		assert_int_equal(r.mark.op, PGTSIM_OP_BEGIN_PASS_1);
		assert_int_equal(r.count, order_rows[i].n);
		assert_true(recorded(&r, 0, order_rows[i].ops,
				     order_rows[i].n > 5 ? 5 : order_rows[i].n));
		/* Each page that was freed while its entry was there is named. */
		assert_int_equal(f.tlb.counts.violations,
				 order_rows[i].order == PGTSIM_FREE_BEFORE_CLEAR ? 5 : 0);
		for (size_t e = 0; e < 2; e++) {
			assert_int_equal(r.event[e].count, 5);
			assert_int_equal(r.event[e].pa, pfn << 12);
			if (r.event[e].op == PGTSIM_OP_CLEAR)
				assert_int_equal(r.event[e].flags, order_rows[i].flags);
		}
		recorder_stop(&r, &f);
		fixture_fini(&f);
	}
}

/* A block flushed page by page is cleared, then invalidated, then freed, in this order; with s390's
 * profile it is freed before. */
static void order_of_a_block_by_pages(void **state)
{
	static const enum pgtsim_op ops[2][6] = {
		{ PGTSIM_OP_CLEAR, PGTSIM_OP_DSB_ISHST, PGTSIM_OP_TLBI_LEAF, PGTSIM_OP_DSB_ISH,
		  PGTSIM_OP_ISB, PGTSIM_OP_PAGES_FREE },
		{ PGTSIM_OP_PAGES_FREE, PGTSIM_OP_CLEAR, PGTSIM_OP_DSB_ISHST, PGTSIM_OP_TLBI_LEAF,
		  PGTSIM_OP_DSB_ISH, PGTSIM_OP_ISB },
	};

	(void)state;
	for (size_t early = 0; early < COUNT(ops); early++) {
		struct recorder r;
		struct fixture f;

		init_4k(&f, "linux-6.1");
		f.policy.flush = PGTSIM_FLUSH_PER_PAGE_OF_BLOCK;
		if (early)
			f.policy.free_order = PGTSIM_FREE_BEFORE_CLEAR;
		map_pages_and_block(&f);
		recorder_start(&r, &f);
		assert_int_equal(unmap_free(&f, VA + 2 * MIB, VA + 4 * MIB, NULL), 0);
		assert_int_equal(r.count, COUNT(ops[early]));
		assert_true(recorded(&r, 0, ops[early], COUNT(ops[early])));
		assert_int_equal(r.event[early].flags, PGTSIM_EACH_FREE);
		assert_int_equal(r.event[2 + early].va, VA + 2 * MIB);
		assert_int_equal(r.event[2 + early].count, 512);
		recorder_stop(&r, &f);
		fixture_drop(&f);
	}
}

/* A block that is freed before it is cleared is still invalidated page by page, every page of it. */
static void pages_of_a_block_freed_early(void **state)
{
	struct fixture f;

	(void)state;
	init_4k(&f, "linux-6.1");
	f.policy.flush = PGTSIM_FLUSH_PER_PAGE_OF_BLOCK;
	f.policy.free_order = PGTSIM_FREE_BEFORE_CLEAR;
	map_pages_and_block(&f);
	pgtsim_tlb_reset_counts(&f.tlb);
	assert_int_equal(unmap_free(&f, VA + 2 * MIB, VA + 4 * MIB, NULL), 0);
	assert_int_equal(f.tlb.counts.tlbi_leaf, 512);
	assert_int_equal(f.tlb.counts.violations, 1);
	fixture_drop(&f);
}

/* ---- freeing what a run mapped ---- */

/* The run of the first `count` entries of this level at va. */
static struct pgtsim_run run_at(const struct fixture *f, int level, uint64_t va, unsigned count)
{
	const struct pgtsim_geometry *geo = &f->pgt.geo;
	struct pgtsim_table *table = f->pgt.root;

	for (int above = pgtsim_root_level(geo); above < level; above++)
		table = f->pgt.ops.find(f->pgt.ops.ctx,
					pgtsim_desc_address(geo, above, entry_at(f, above, va)));
	return (struct pgtsim_run){
		.table = table,
		.level = level,
		.index = pgtsim_index(geo, level, va),
		.count = count,
		.va = va,
		.last = va + count * pgtsim_entry_size(geo, level) - 1,
	};
}

static void check_run_free(const struct pgtsim_geometry *geo, int level)
{
	const struct pgtsim_policy policy = latest_for(geo);
	uint64_t before, pfn, va = pgtsim_va_start(geo), size = pgtsim_entry_size(geo, level);
	unsigned order = geo->shift[pgtsim_slot(level)] - geo->page_shift;
	struct pgtsim_run run;
	struct fixture f;

	fixture_init(&f, &policy, geo);
	before = free_pages_of(&f);
	if (pgtsim_memory_alloc(f.memory, order, &pfn)) {
		fixture_fini(&f);
		return;
	}
	must_map(&f, va, pfn << geo->page_shift, size, level < PGTSIM_PTE);
	run = run_at(&f, level, va, 1);
	pgtsim_run_clear(&f.pgt, &run, 1, PGTSIM_EACH_FLUSH);
	assert_int_equal(pgtsim_run_free(&f.pgt, &run, pfn << geo->page_shift, f.memory, NULL), 0);
	assert_int_equal(f.tlb.counts.pages_freed, UINT64_C(1) << order);
	assert_int_equal(f.tlb.counts.violations, 0);
	/* s390's tables go with the leaves. */
	assert_int_equal(unmap(&f, va, va + size), 0);
	assert_int_equal(pgtsim_free_tables(&f.pgt, va, va + size, 0, 0), 0);
	assert_int_equal(free_pages_of(&f), before);
	fixture_fini(&f);
}

/* The memory of a page or a block goes back to the page allocator as it came: any geometry. */
static void run_to_the_page_allocator(void **state)
{
	static const char *const names[] = { "latest", "s390-7.3" };

	(void)state;
	for (size_t k = 0; k < COUNT(names); k++) {
		const struct pgtsim_policy policy = profile(names[k]);
		struct geometry_case cases[MAX_GEOMETRIES];
		size_t n = all_geometries(cases, &policy);

		for (size_t i = 0; i < n; i++) {
			const struct pgtsim_geometry *geo = &cases[i].geo;

			check_run_free(geo, PGTSIM_PTE);
			if (geo->levels > 1 && geo->block_legal[pgtsim_slot(PGTSIM_PMD)])
				check_run_free(geo, PGTSIM_PMD);
		}
	}
}

/* The memory of a run goes to an altmap if there is one, and not to the page allocator as well. */
static void run_to_an_altmap(void **state)
{
	struct pgtsim_altmap altmap = { .base = 0x80000, .free = 4096, .alloc = 2000 };
	uint64_t before;
	struct pgtsim_run run;
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	must_map(&f, VA, 2 * GIB, 8 * 4096, false);
	before = free_pages_of(&f);
	run = run_at(&f, PGTSIM_PTE, VA, 8);
	pgtsim_run_clear(&f.pgt, &run, 8, PGTSIM_EACH_FLUSH);
	assert_int_equal(pgtsim_run_free(&f.pgt, &run, 2 * GIB, f.memory, &altmap), 0);
	assert_int_equal(altmap.alloc, 2000 - 8);
	assert_int_equal(f.tlb.counts.altmap_freed, 8);
	assert_int_equal(free_pages_of(&f), before);
	assert_int_equal(f.tlb.counts.violations, 0);
	/* What it never had is counted back, and reported for each page. */
	assert_int_equal(pgtsim_run_free(&f.pgt, &run, GIB, NULL, &altmap), 0);
	assert_int_equal(f.tlb.counts.violations, 8);
	assert_string_equal(first_violation(&f), "wrong-owner");
	fixture_fini(&f);
}

/* An empty run and memory that has nowhere to go are refused; a second free is reported. */
static void wrong_frees_of_a_run(void **state)
{
	struct pgtsim_run run, none;
	struct fixture f;
	uint64_t pfn;

	(void)state;
	init_4k(&f, "latest");
	pfn = map_allocated(&f, 4);
	none = run = run_at(&f, PGTSIM_PTE, VA, 4);
	none.count = 0;
	pgtsim_run_clear(&f.pgt, &run, 4, PGTSIM_EACH_FLUSH);
	assert_int_equal(pgtsim_run_free(&f.pgt, &run, pfn << 12, NULL, NULL), -EINVAL);
	assert_int_equal(pgtsim_run_free(&f.pgt, &none, pfn << 12, f.memory, NULL), -EINVAL);
	assert_int_equal(f.tlb.counts.pages_freed, 0);
	assert_int_equal(pgtsim_run_free(&f.pgt, &run, pfn << 12, f.memory, NULL), 0);
	assert_int_equal(f.tlb.counts.violations, 0);
	assert_int_equal(pgtsim_run_free(&f.pgt, &run, pfn << 12, f.memory, NULL), 0);
	assert_int_equal(f.tlb.counts.violations, 4);
	assert_string_equal(first_violation(&f), "double-free");
	assert_int_equal(f.tlb.counts.pages_freed, 4);
	fixture_fini(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(marked_leaves_in_pass_1),
	cmocka_unit_test(marks_that_are_none),
	cmocka_unit_test(freeing_to_the_page_allocator),
	cmocka_unit_test(freeing_to_an_altmap),
	cmocka_unit_test(freeing_to_the_wrong_altmap),
	cmocka_unit_test(altmap_without_freeing),
	cmocka_unit_test(wrong_frees),
	cmocka_unit_test(wrong_free_of_a_block),
	cmocka_unit_test(hint_on_freed_memory),
	cmocka_unit_test(flush_knobs),
	cmocka_unit_test(order_of_freeing),
	cmocka_unit_test(order_of_a_block_by_pages),
	cmocka_unit_test(pages_of_a_block_freed_early),
	cmocka_unit_test(run_to_the_page_allocator),
	cmocka_unit_test(run_to_an_altmap),
	cmocka_unit_test(wrong_frees_of_a_run),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
