/* SPDX-License-Identifier: MIT */
/* checker: tables that are gone, host memory that runs out, and what whole machines make of the rules. */
#include "with_checker.h"

#include <pgtsim/protect.h>

/* The checker's records, not the library's copy of them: allocations must fail on demand. */
static unsigned allocations_left = UINT32_MAX, allocations_failed;

static void *failing_calloc(size_t count, size_t size)
{
	if (allocations_left == 0) {
		allocations_failed++;
		return NULL;
	}
	allocations_left--;
	return calloc(count, size);
}

#define calloc failing_calloc
#include "checker/stale_set.c"
#undef calloc

/* ---- tables that are gone ---- */

/* Stale leaves outlive their table, and are there when another takes its place. */
static void stale_leaves_outlive_their_table(void **state)
{
	struct fixture f;

	(void)state;
	start_4k(&f, "latest");
	put(&f, VA, 4 * PAGE, false, false);
	clear(&f, VA, 4 * PAGE, 0);
	assert_int_equal(pgtsim_free_tables(&f.pgt, VA, VA + PAGE, 0, 0), 0);
	assert_int_equal(tables_linked(&f), 1);
	/* Freeing the tables has invalidated the first address, again and again. */
	assert_false(stale_at(&f, VA));
	assert_stale(&f, VA, PAGE, 1, 4, true);
	assert_int_equal(map_linear(&f, VA + PAGE, PA + 4 * PAGE, PAGE, false), 0);
	assert_int_equal(times_found(&f.tlb, PGTSIM_V_NO_BREAK), 1);
	pgtsim_tlb_flush_range(&f.tlb, &f.pgt.geo, &f.policy, VA, VA + 4 * PAGE);
	assert_stale(&f, VA, PAGE, 0, 4, false);
	fixture_drop(&f);
}

/* What is below an overwritten table entry is out of the tables' reach, not of a walk cache's. */
static void overwritten_table(void **state)
{
	struct fixture f;

	(void)state;
	start_4k(&f, "latest");
	put(&f, VA, 4 * PAGE, false, false);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PMD, VA, 0), 0);
	assert_stale(&f, VA, PAGE, 0, 512, true);
	invalidate_pages(&f, LEAF, VA, 4);
	assert_stale(&f, VA, PAGE, 0, 4, true);
	pgtsim_tlb_flush_table(&f.tlb, VA + PAGE);
	/* The walk cache and the page at that address are gone: leaves can be invalidated now. */
	assert_true(stale_at(&f, VA));
	assert_stale(&f, VA, PAGE, 1, 2, false);
	assert_stale(&f, VA, PAGE, 2, 4, true);
	assert_stale(&f, VA, PAGE, 4, 512, false);
	invalidate_pages(&f, LEAF, VA, 4);
	assert_stale(&f, VA, PAGE, 0, 4, false);
	fixture_drop(&f);
}

/* The same higher up: each table on the way is cached for itself. */
static void overwritten_table_of_tables(void **state)
{
	struct fixture f;

	(void)state;
	start_4k(&f, "latest");
	put(&f, VA, PAGE, false, false);
	put(&f, VA + 2 * MIB, PAGE, false, false);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PUD, VA, 0), 0);
	pgtsim_tlb_flush_table(&f.tlb, VA);
	assert_false(stale_at(&f, VA));
	assert_true(stale_at(&f, VA + 2 * MIB));
	invalidate_pages(&f, LEAF, VA + 2 * MIB, 1);
	assert_true(stale_at(&f, VA + 2 * MIB));
	pgtsim_tlb_flush_table(&f.tlb, VA + 2 * MIB);
	assert_false(stale_at(&f, VA + 2 * MIB));
	fixture_drop(&f);
}

/* A table that gets its entry back brings its leaves back, and no harm is done. */
static void restored_table(void **state)
{
	struct fixture f;
	uint64_t desc;

	(void)state;
	start_4k(&f, "latest");
	put(&f, VA, 16 * PAGE, false, true);
	desc = entry_at(&f, PGTSIM_PMD, VA);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PMD, VA, 0), 0);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PMD, VA, desc), 0);
	pgtsim_tlb_sync(&f.tlb);
	assert_stale(&f, VA, PAGE, 0, 512, false);
	assert_nothing_told(&f);
	/* The hint is known again, too. */
	clear(&f, VA, 16 * PAGE, PGTSIM_EACH_FLUSH);
	invalidate_pages(&f, ALL, 0, 1);
	assert_stale(&f, VA, PAGE, 0, 512, false);
	fixture_drop(&f);
}

/* Looking at what an overwritten entry takes along is not counted, and seen by nobody. */
static void overwriting_counts_as_before(void **state)
{
	struct fixture f[2];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		start_4k(&f[i], "latest");
		if (i)
			pgtsim_checker_stop(&f[i].tlb);
		put(&f[i], VA, 4 * PAGE, false, false);
		assert_int_equal(pgtsim_poke(&f[i].pgt, PGTSIM_PMD, VA, 0), 0);
		f[i].tlb.counts.violations = 0;
	}
	assert_counts_equal(&f[0].tlb.counts, &f[1].tlb.counts);
	fixture_drop(&f[0]);
	fixture_drop(&f[1]);
}

/* ---- far and wide ---- */

/* Many tables, cleared whole and in part, forwards and backwards. */
static void more_than_one_table(void **state)
{
	struct fixture f;
	uint64_t size = 6 * MIB + 100 * PAGE;

	(void)state;
	start_4k(&f, "latest");
	put(&f, VA, size, false, false);
	for (uint64_t at = size; at > 0; at -= 50 * PAGE < at ? 50 * PAGE : at)
		clear(&f, VA + (at < 50 * PAGE ? 0 : at - 50 * PAGE),
		      at < 50 * PAGE ? at : 50 * PAGE, 0);
	assert_stale(&f, VA, PAGE, 0, (unsigned)(size / PAGE), true);
	assert_int_equal(entry_at(&f, PGTSIM_PTE, VA), 0);
	invalidate_pages(&f, RANGE, VA + PAGE, size / PAGE - 2);
	assert_true(stale_at(&f, VA));
	assert_stale(&f, VA, PAGE, 1, (unsigned)(size / PAGE) - 1, false);
	assert_true(stale_at(&f, VA + size - PAGE));
	invalidate_pages(&f, LEAF, VA, size / PAGE);
	assert_nothing_told(&f);
	fixture_drop(&f);
}

/* Many records, few of them in the range of a flush. */
static void scattered_tables(void **state)
{
	struct fixture f;

	(void)state;
	start_4k(&f, "latest");
	for (uint64_t i = 0; i < 300; i++) {
		assert_int_equal(map_linear(&f, VA + i * GIB, PA, PAGE, false), 0);
		clear(&f, VA + i * GIB, PAGE, 0);
	}
	assert_stale(&f, VA, GIB, 0, 300, true);
	invalidate_pages(&f, RANGE, VA + 100 * GIB, 100 * GIB / PAGE);
	assert_stale(&f, VA, GIB, 0, 100, true);
	assert_stale(&f, VA, GIB, 100, 200, false);
	assert_stale(&f, VA, GIB, 200, 300, true);
	invalidate_pages(&f, ALL, 0, 1);
	assert_nothing_told(&f);
	fixture_drop(&f);
}

/* The last pages and the last block before the address space wraps. */
static void top_of_the_address_space(void **state)
{
	(void)state;
	for (unsigned blocks = 0; blocks < 2; blocks++) {
		uint64_t top = -(2 * MIB);
		struct fixture f;

		start_4k(&f, "latest");
		assert_int_equal(map_linear(&f, top, PA, 2 * MIB, blocks), 0);
		clear(&f, top, 2 * MIB, 0);
		assert_true(stale_at(&f, UINT64_MAX));
		pgtsim_tlb_flush_range(&f.tlb, &f.pgt.geo, &f.policy, top, 0);
		assert_false(stale_at(&f, top));
		assert_false(stale_at(&f, UINT64_MAX));
		assert_int_equal(pgtsim_free_tables(&f.pgt, top, 0, 0, 0), 0);
		assert_nothing_told(&f);
		fixture_drop(&f);
	}
}

/* ---- starting, stopping, asking ---- */

/* What is asked gets the entry, its old value, and when it went. */
static void asking(void **state)
{
	struct fixture f;
	struct pgtsim_stale stale;
	uint64_t desc;

	(void)state;
	start_4k(&f, "latest");
	assert_false(pgtsim_may_be_stale(&f.tlb, VA, &stale));
	assert_false(pgtsim_may_be_stale(&f.tlb, 0, &stale));
	put(&f, VA, 4 * MIB, true, false);
	desc = entry_at(&f, PGTSIM_PMD, VA + 2 * MIB);
	checker_of(f.tlb.checker)->now = 100;
	clear(&f, VA + 2 * MIB, 2 * MIB, 0);
	assert_true(pgtsim_may_be_stale(&f.tlb, VA + 3 * MIB + 5, &stale));
	assert_int_equal(stale.level, PGTSIM_PMD);
	assert_int_equal(stale.va, VA + 2 * MIB);
	assert_int_equal(stale.desc, desc);
	assert_int_equal(stale.since, 101);
	assert_false(pgtsim_may_be_stale(&f.tlb, VA + 2 * MIB - 1, &stale));
	assert_false(pgtsim_may_be_stale(&f.tlb, VA + 4 * MIB, &stale));
	fixture_drop(&f);
}

/* Each entry is told of once, until it goes again. */
static void told_once(void **state)
{
	struct fixture f;

	(void)state;
	start_4k(&f, "latest");
	put(&f, VA, PAGE, false, false);
	clear(&f, VA, PAGE, 0);
	for (unsigned i = 0; i < 3; i++)
		assert_told(&f, 0, PGTSIM_V_STALE_LEAF);
	put(&f, VA, PAGE, false, false);
	assert_told(&f, 0, PGTSIM_V_STALE_LEAF);
	clear(&f, VA, PAGE, 0);
	assert_told(&f, 1, PGTSIM_V_STALE_LEAF);
	/* Only what lies in the operation's range. */
	pgtsim_tlb_end(&f.tlb, VA + PAGE, UINT64_MAX);
	assert_int_equal(f.tlb.counts.violations, 2);
	fixture_drop(&f);
}

/* Without a checker nothing is found, nothing is taken, and the rest is the same. */
static void switched_off(void **state)
{
	struct fixture f[2];

	(void)state;
	for (unsigned off = 0; off < 2; off++) {
		struct pgtsim_unmap unmap = { .start = VA, .end = VA + 4 * MIB };

		start_4k(&f[off], "linux-5.7");
		assert_int_equal(pgtsim_checker_start(&f[off].tlb, &f[off].pgt.geo, &f[off].policy),
				 -EEXIST);
		if (off)
			pgtsim_checker_stop(&f[off].tlb);
		put(&f[off], VA, 4 * MIB, false, true);
		assert_int_equal(pgtsim_unmap_range(&f[off].pgt, &unmap), 0);
		assert_int_equal(pgtsim_free_tables(&f[off].pgt, VA, VA + 4 * MIB, 0, 0), 0);
	}
	assert_true(f[0].tlb.counts.violations > 0);
	assert_true(pgtsim_checker_bytes(&f[0].tlb) > 0);
	assert_int_equal(f[1].tlb.counts.violations, 0);
	assert_int_equal(pgtsim_checker_bytes(&f[1].tlb), 0);
	assert_false(stale_at(&f[1], VA));
	pgtsim_checker_stop(&f[1].tlb);
	f[0].tlb.counts.violations = 0;
	assert_memory_equal(&f[0].tlb.counts, &f[1].tlb.counts, sizeof(f[0].tlb.counts));
	fixture_drop(&f[0]);
	fixture_drop(&f[1]);
}

/* Hints need room while they are mapped: at most an eighth of their tables, and none after. */
static void room_for_hints(void **state)
{
	struct fixture f;

	(void)state;
	start_4k(&f, "latest");
	put(&f, VA, 512 * MIB, false, true);
	assert_in_range(pgtsim_checker_bytes(&f.tlb), 1, 256 * PAGE / 8);
	clear(&f, VA, 512 * MIB, 0);
	pgtsim_tlb_flush_range(&f.tlb, &f.pgt.geo, &f.policy, VA, VA + 512 * MIB);
	assert_int_equal(checker_of(f.tlb.checker)->runs, 0);
	fixture_drop(&f);
}

/* ---- no host memory ---- */

/* All that makes the checker take memory. */
static void use_everything(struct fixture *f)
{
	uint64_t desc;

	put(f, VA, 4 * MIB, false, true);
	clear(f, VA, MIB, PGTSIM_EACH_FLUSH);
	for (uint64_t i = 0; i < 40; i++) {
		map_linear(f, VA + (i + 1) * GIB, PA, PAGE, false);
		map_linear(f, VA + (i + 1) * GIB + PAGE, PA, PAGE, false);
		clear(f, VA + (i + 1) * GIB, 2 * PAGE, 0);
	}
	invalidate_pages(f, LEAF, VA + 2 * MIB, 3);
	desc = entry_at(f, PGTSIM_PMD, VA + 2 * MIB);
	pgtsim_poke(&f->pgt, PGTSIM_PMD, VA + 2 * MIB, 0);
	pgtsim_poke(&f->pgt, PGTSIM_PMD, VA + 2 * MIB, desc);
	clear(f, VA + 2 * MIB, 2 * MIB, PGTSIM_EACH_FLUSH);
	pgtsim_poke(&f->pgt, PGTSIM_PMD, VA, 0);
	pgtsim_tlb_end(&f->tlb, VA, UINT64_MAX);
}

/* Whichever allocation fails: no crash, and `unchecked` says that the rest is not the truth. */
static void host_memory_runs_out(void **state)
{
	unsigned n = 0;

	(void)state;
	do {
		struct fixture f;

		start_4k(&f, "latest");
		allocations_failed = 0;
		allocations_left = n++;
		use_everything(&f);
		allocations_left = UINT32_MAX;
		assert_int_equal(times_found(&f.tlb, PGTSIM_V_UNCHECKED), allocations_failed > 0);
		invalidate_pages(&f, ALL, 0, 1);
		fixture_drop(&f);
	} while (allocations_failed);
	assert_true(n > 50);
}

/* A checker that cannot be had is an error, and leaves nothing behind. */
static void cannot_start(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 2; n++) {
		const struct pgtsim_geometry geo = linux_geometry(4, 48, 0, 48);
		const struct pgtsim_policy policy = profile("latest");
		struct pgtsim_tlb tlb;

		pgtsim_tlb_init(&tlb);
		allocations_left = n;
		assert_int_equal(pgtsim_checker_start(&tlb, &geo, &policy), -ENOBUFS);
		allocations_left = UINT32_MAX;
		assert_null(tlb.checker);
		pgtsim_tlb_fini(&tlb);
	}
}

/* ---- one by one ---- */

/* Entry by entry, with the flushes as events of their own, the same is found. */
static void single_events_find_the_same(void **state)
{
	(void)state;
	for (unsigned row = 0; row < 4; row++) {
		struct fixture f[2];

		for (unsigned single = 0; single < 2; single++) {
			struct pgtsim_unmap unmap = { .start = VA + 3 * PAGE,
						      .end = VA + 6 * MIB + 5 * PAGE };

			start_4k(&f[single], row % 2 ? "linux-5.7" : "linux-6.12");
			f[single].tlb.single = single;
			put(&f[single], VA, 8 * MIB, row / 2, true);
			assert_int_equal(pgtsim_unmap_range(&f[single].pgt, &unmap), 0);
			for (uint64_t at = 0; at < 8 * MIB; at += PAGE)
				assert_int_equal(stale_at(&f[single], VA + at),
						 stale_at(&f[0], VA + at));
		}
		assert_int_equal(f[0].tlb.counts.violations, f[1].tlb.counts.violations);
		for (size_t i = 0; i < f[0].tlb.violation_count; i++) {
			assert_int_equal(f[0].tlb.violations[i].name, f[1].tlb.violations[i].name);
			assert_int_equal(f[0].tlb.violations[i].va, f[1].tlb.violations[i].va);
		}
		fixture_drop(&f[0]);
		fixture_drop(&f[1]);
	}
}

/* ---- routines ---- */

/* What a machine goes through: routines are learnt, then something lies in their way. */
static void go_through(struct fixture *f, unsigned way)
{
	const uint64_t end = VA + 8 * MIB;
	struct pgtsim_unmap unmap = { .start = VA, .end = end };

	for (unsigned round = 0; round < 3; round++) {
		put(f, VA, 8 * MIB, false, way == 1);
		/* In the way: a stale leaf, a new one, another CPU, a missing ISB, a hinted block. */
		if (round == 1 && way == 2)
			assert_int_equal(pgtsim_poke(&f->pgt, PGTSIM_PTE, VA + PAGE, 0), 0);
		if (round == 1 && way == 3)
			assert_int_equal(pgtsim_poke(&f->pgt, PGTSIM_PTE, end - PAGE, 0x703), 0);
		if (round == 1 && way == 4)
			assert_int_equal(pgtsim_barrier(&f->tlb, PGTSIM_OP_DSB_ISHST, 1), 0);
		if (round == 1 && way == 5) {
			assert_int_equal(pgtsim_poke(&f->pgt, PGTSIM_PTE, VA, 0), 0);
			pgtsim_tlb_publish(&f->tlb);
			send(f, LEAF, VA, 1, 0);
			send(f, DSB, 0, 1, 0);
		}
		if (round == 1 && way == 6)
			put(f, VA + 32 * MIB, 32 * MIB, true, true);
		if (round == 1 && way == 7)
			assert_int_equal(pgtsim_checker_set_strict(&f->tlb, true), 0);
		/* What comes is new to a pmd table that holds all that. */
		put(f, VA + 16 * MIB, 4 * MIB, false, false);
		assert_int_equal(pgtsim_unmap_range(&f->pgt, &unmap), 0);
		assert_int_equal(pgtsim_free_tables(&f->pgt, VA, end, 0, 0), 0);
		unmap = (struct pgtsim_unmap){ .start = VA + 16 * MIB, .end = VA + 64 * MIB };
		assert_int_equal(pgtsim_unmap_range(&f->pgt, &unmap), 0);
		assert_int_equal(pgtsim_free_tables(&f->pgt, VA + 16 * MIB, VA + 64 * MIB, 0, 0),
				 0);
		unmap = (struct pgtsim_unmap){ .start = VA, .end = end };
	}
	pgtsim_tlb_end(&f->tlb, VA, VA + 64 * MIB - 1);
}

static void see_nothing(struct pgtsim_observer *self, const struct pgtsim_event *event)
{
	(void)self;
	(void)event;
}

/* An observer wants every event, so that there are no routines: the checker says the same. */
static void routines_find_the_same(void **state)
{
	static const char *const profiles[] = { "linux-5.7", "linux-6.1", "linux-6.12", "latest" };

	(void)state;
	for (unsigned row = 0; row < 8 * COUNT(profiles); row++) {
		struct pgtsim_observer observer = { .event = see_nothing };
		struct fixture f[2];

		for (unsigned i = 0; i < 2; i++) {
			start_4k(&f[i], profiles[row / 8]);
			if (i)
				pgtsim_observe(&f[i].tlb, &observer);
			go_through(&f[i], row % 8);
			pgtsim_unobserve(&f[i].tlb, &observer);
		}
		assert_int_equal(f[0].tlb.counts.violations, f[1].tlb.counts.violations);
		for (size_t i = 0; i < f[0].tlb.violation_count; i++)
			assert_string_equal(f[0].tlb.violations[i].text,
					    f[1].tlb.violations[i].text);
		assert_memory_equal(&f[0].tlb.counts, &f[1].tlb.counts, sizeof(f[0].tlb.counts));
		fixture_drop(&f[0]);
		fixture_drop(&f[1]);
	}
}

static void (*hear)(struct pgtsim_checker *, const struct pgtsim_event *);
static unsigned tables_heard;

static void count_tables(struct pgtsim_checker *self, const struct pgtsim_event *event)
{
	tables_heard += event->op == PGTSIM_OP_LINK || event->op == PGTSIM_OP_UNLINK;
	hear(self, event);
}

/* Of 512 tables that come and go alike the checker judges the first of each kind. */
static void alike_tables_are_judged_once(void **state)
{
	const struct pgtsim_unmap unmap = { .start = VA, .end = VA + GIB };
	struct fixture f;

	(void)state;
	start_4k(&f, "latest");
	hear = f.tlb.checker->event;
	f.tlb.checker->event = count_tables;
	put(&f, VA, GIB, false, false);
	assert_int_equal(pgtsim_unmap_range(&f.pgt, &unmap), 0);
	assert_int_equal(pgtsim_free_tables(&f.pgt, VA, VA + GIB, 0, 0), 0);
	/* A pud, a pmd and a pte table: three levels of entries, twice. */
	assert_int_equal(tables_heard, 6);
	assert_int_equal(f.tlb.counts.tables_freed, 514);
	assert_nothing_told(&f);
	fixture_drop(&f);
}

/* ---- whole machines ---- */

static const struct {
	const char *profile;
	unsigned kib, va;
	uint64_t size; /* with blocks */
} machines[] = {
	{ "linux-5.7", 4, 48, 128 * MIB },  { "linux-5.7", 16, 47, GIB },
	{ "linux-5.7", 64, 48, 16 * GIB },  { "linux-5.7", 4, 39, 128 * MIB },
	{ "linux-5.7", 64, 52, 16 * GIB },  { "linux-5.7", 16, 48, GIB },
	{ "linux-6.12", 4, 52, 128 * MIB }, { "linux-6.12", 16, 52, GIB },
	{ "linux-5.7", 16, 36, GIB },       { "linux-5.7", 64, 42, 16 * GIB },
};

/* Boot memory from where every contiguous group begins. */
static const struct pgtsim_ram aligned_ram = { 16 * GIB, 17 * GIB };

/* Adds and removes memory; returns how many runs of translations were found stale. */
static uint64_t add_and_remove(const struct pgtsim_machine_config *config, uint64_t size)
{
	struct pgtsim_machine *machine = machine_of(config);
	int level = config->blocks ? PGTSIM_PMD : PGTSIM_PTE;
	uint64_t entry = pgtsim_entry_size(&machine->geo, level), group;
	uint64_t start_pa = 32 * GIB, stale;

	group = entry * pgtsim_cont_entries(&machine->geo, level);
	assert_int_equal(pgtsim_add_memory(&machine->hotplug, start_pa, size), 0);
	assert_int_equal(machine->tlb.counts.violations, 0);
	assert_int_equal(remove_memory(machine, start_pa, size), 0);
	stale = machine->tlb.counts.violations;
	for (size_t i = 0; i < machine->tlb.violation_count; i++) {
		const struct pgtsim_violation *v = &machine->tlb.violations[i];

		assert_int_equal(v->name, PGTSIM_V_STALE_LEAF);
		assert_int_equal(v->level, level);
		assert_int_equal(v->va % group, 0); /* from the first one on; never the last */
		assert_in_range(v->va, pgtsim_linear(&machine->layout, start_pa),
				pgtsim_linear(&machine->layout, start_pa) + size - group);
	}
	pgtsim_machine_free(&machine);
	return stale;
}

/* B1: contiguous groups flushed leaf by leaf stay in TLBs, of every granule, of pages and blocks. */
static void b1_with_every_granule(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * COUNT(machines); i++) {
		bool blocks = i % 2;
		struct pgtsim_machine_config config =
			config_of(machines[i / 2].profile, machines[i / 2].kib, machines[i / 2].va);
		uint64_t size = blocks ? machines[i / 2].size : 512 * MIB;
		uint64_t groups = 0;

		config.ram = &aligned_ram;
		config.blocks = blocks;
		config.cont = true;
		assert_int_equal(pgtsim_policy_set(&config.policy, "flush", "per-leaf"), 0);
		groups = add_and_remove(&config, size);
		/* A pmd that is the root has no groups. */
		if (groups == 0 &&
		    !(blocks &&
		      linux_geometry(machines[i / 2].kib, machines[i / 2].va, 0, 0).levels == 2))
			fail_msg("%uK/%u: nothing found", machines[i / 2].kib, machines[i / 2].va);
		/* Without the hint, or with one flush for the range, there is nothing to find. */
		config.cont = false;
		assert_int_equal(add_and_remove(&config, size), 0);
		config.cont = true;
		assert_int_equal(pgtsim_policy_set(&config.policy, "flush", "range"), 0);
		assert_int_equal(add_and_remove(&config, size), 0);
	}
}

/* From 6.1.176 on, and in 6.12 and 7.3 as they are, B1 is gone. */
static void b1_by_profile(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(all_profiles); i++) {
		struct pgtsim_machine_config config = config_of(all_profiles[i], 4, 48);
		bool fixed = config.policy.flush != PGTSIM_FLUSH_PER_LEAF;

		config.cont = true;
		assert_int_equal(fixed, later_than(all_profiles[i], "linux-5.14"));
		assert_int_equal(add_and_remove(&config, 128 * MIB) == 0, fixed);
	}
}

/* An invalidate of another entry of the same table is not taken for one that came too early. */
static void invalidate_of_a_neighbour(void **state)
{
	const struct pgtsim_event clear = { .op = PGTSIM_OP_CLEAR,
					    .level = PGTSIM_PTE,
					    .va = VA,
					    .count = 1,
					    .size = PAGE,
					    .old_desc = PA | 0x703 };
	struct fixture f;

	(void)state;
	for (unsigned several = 0; several < 2; several++) {
		start_4k(&f, "latest");
		pgtsim_tlb_event(&f.tlb, &clear);
		if (several) /* a record, not a span */
			send(&f, PGTSIM_OP_TLBI_LEAF, VA + 7 * PAGE, 2, PAGE);
		send(&f, PGTSIM_OP_TLBI_LEAF, VA + 5 * PAGE, 1, PAGE);
		pgtsim_tlb_end(&f.tlb, VA, VA + 4095);
		assert_int_equal(f.tlb.violation_count, 1);
		assert_non_null(strstr(f.tlb.violations[0].text, "no invalidate has covered"));
		fixture_drop(&f);
	}
}

/* The violations with this name at va. */
static unsigned times_found_at(const struct pgtsim_tlb *tlb, enum pgtsim_violation_name name,
			       uint64_t va)
{
	unsigned n = 0;

	for (size_t i = 0; i < tlb->violation_count; i++)
		n += tlb->violations[i].name == name && tlb->violations[i].va == va;
	return n;
}

/* Two pages are invalidated, and no ISB comes: each operation's end tells it of its own page. */
static void missing_isb_is_told_where_it_is_missing(void **state)
{
	struct fixture f;

	(void)state;
	start_4k(&f, "latest");
	put(&f, VA, 8 * PAGE, false, false);
	clear(&f, VA, PAGE, 0);
	clear(&f, VA + 4 * PAGE, PAGE, 0);
	pgtsim_tlb_publish(&f.tlb);
	send(&f, PGTSIM_OP_TLBI_LEAF, VA, 1, PAGE);
	send(&f, PGTSIM_OP_TLBI_LEAF, VA + 4 * PAGE, 1, PAGE);
	pgtsim_barrier(&f.tlb, PGTSIM_OP_DSB_ISH, 0);
	pgtsim_tlb_end(&f.tlb, VA + 2 * PAGE, VA + 3 * PAGE - 1);
	assert_int_equal(f.tlb.violation_count, 0);
	for (unsigned i = 0; i < 2; i++) {
		uint64_t va = VA + i * 4 * PAGE;

		pgtsim_tlb_end_on(&f.tlb, va, va + PAGE - 1, 1);
		assert_int_equal(f.tlb.violation_count, i);
		pgtsim_tlb_end(&f.tlb, va, va + PAGE - 1);
		assert_int_equal(f.tlb.violation_count, i + 1);
		assert_int_equal(times_found_at(&f.tlb, PGTSIM_V_MISSING_BARRIER, va), 1);
	}
	pgtsim_tlb_end(&f.tlb, VA, UINT64_MAX);
	assert_int_equal(f.tlb.violation_count, 2);
	fixture_drop(&f);
}

/* At the end of one CPU's operation another one's new entry is not judged; at rest it is. */
static void new_entry_of_another_cpu(void **state)
{
	const struct pgtsim_event map = {
		.op = PGTSIM_OP_MAP,
		.level = PGTSIM_PTE,
		.va = VA,
		.count = 1,
		.size = PAGE,
		.new_desc = PA | 0x703,
		.cpu = 1,
	};
	struct fixture f;

	(void)state;
	start_4k(&f, "latest");
	pgtsim_tlb_event(&f.tlb, &map);
	pgtsim_tlb_end_on(&f.tlb, VA, VA + PAGE - 1, 0);
	assert_int_equal(f.tlb.violation_count, 0);
	pgtsim_tlb_end_on(&f.tlb, VA, VA + PAGE - 1, 1);
	assert_int_equal(times_found_at(&f.tlb, PGTSIM_V_NOT_VISIBLE, VA), 1);
	fixture_drop(&f);
	start_4k(&f, "latest");
	pgtsim_tlb_event(&f.tlb, &map);
	pgtsim_tlb_end(&f.tlb, VA, VA + PAGE - 1);
	assert_int_equal(times_found_at(&f.tlb, PGTSIM_V_NOT_VISIBLE, VA), 1);
	fixture_drop(&f);
}

/*
 * At the end of one CPU's operation what another one changed is not judged, whatever is still to come
 * of its DSB, invalidate and DSB; at the end of its own, and at rest, it is.
 */
static void stale_entry_of_another_cpu(void **state)
{
	static const struct pgtsim_event steps[] = {
		{ .op = PGTSIM_OP_CLEAR,
		  .level = PGTSIM_PTE,
		  .va = VA,
		  .count = 1,
		  .size = PAGE,
		  .old_desc = PA | 0x703,
		  .cpu = 1 },
		{ .op = PGTSIM_OP_DSB_ISHST, .level = PGTSIM_PTE, .count = 1, .cpu = 1 },
		{ .op = PGTSIM_OP_TLBI_LEAF,
		  .level = PGTSIM_PTE,
		  .va = VA,
		  .count = 1,
		  .size = PAGE,
		  .cpu = 1 },
	};

	(void)state;
	for (unsigned row = 0; row < 2 * COUNT(steps); row++) {
		struct fixture f;

		start_4k(&f, "latest");
		put(&f, VA, PAGE, false, false);
		for (unsigned i = 0; i <= row / 2; i++)
			pgtsim_tlb_event(&f.tlb, &steps[i]);
		pgtsim_tlb_end_on(&f.tlb, VA, VA + PAGE - 1, 0);
		assert_int_equal(f.tlb.violation_count, 0);
		pgtsim_tlb_end_on(&f.tlb, VA, VA + PAGE - 1, row % 2 ? PGTSIM_ANY_CPU : 1);
		assert_int_equal(f.tlb.violation_count, 1);
		fixture_drop(&f);
	}
}

/* A hint put in by hand on one entry of a group: the group is misprogrammed. */
static void hint_by_hand(void **state)
{
	struct fixture f;
	uint64_t desc;

	(void)state;
	start_4k(&f, "latest");
	put(&f, VA, PAGE, false, false);
	desc = pgtsim_desc_leaf(&f.pgt.geo, PGTSIM_PTE, PA, f.policy.prot[PGTSIM_PROT_TAGGED]);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PTE, VA, desc | PGTSIM_DESC_CONT), 0);
	pgtsim_tlb_end(&f.tlb, pgtsim_va_start(&f.pgt.geo), UINT64_MAX);
	assert_int_equal(times_found(&f.tlb, PGTSIM_V_MISPROGRAMMED_GROUP), 1);
	for (size_t i = 0; i < f.tlb.violation_count; i++)
		if (f.tlb.violations[i].name == PGTSIM_V_STALE_LEAF &&
		    !strstr(f.tlb.violations[i].text, "gone by a store by hand"))
			fail_msg("%s", f.tlb.violations[i].text);
	fixture_drop(&f);
}

/*
 * The level of FEAT_BBM that the checker is told is the one that the kernel sees: only level 3 maps
 * hot-added memory by blocks and splits one to change a page of it.
 */
static void level_of_bbm(void **state)
{
	static const struct {
		bool config;
		uint8_t told;
		bool is_3;
	} rows[] = {
		{ false, 0, false }, { false, 1, false }, { false, 2, false }, { false, 3, true },
		{ true, 0, true },   { true, 2, false },  { true, 3, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pgtsim_machine_config config = config_of("linux-7.3", 4, 48);
		const struct pgtsim_checker_cpu cpu = { .bbm = rows[i].told };
		struct pgtsim_machine *machine;
		uint64_t va;

		config.bbml2 = rows[i].config;
		machine = machine_of(&config);
		va = pgtsim_linear(&machine->layout, 2 * GIB);
		assert_int_equal(pgtsim_checker_set_cpu(&machine->tlb, &cpu), 0);
		assert_int_equal(pgtsim_add_memory(&machine->hotplug, 2 * GIB, 128 * MIB), 0);
		assert_int_equal(machine->tlb.counts.tables_pte, rows[i].is_3 ? 0 : 64);
		va += GIB;
		assert_int_equal(pgtsim_vmap(&machine->pgt, va, 8 * GIB, 2 * MIB, true), 0);
		assert_int_equal(pgtsim_protect(&machine->pgt, va, PAGE, PGTSIM_PROTECT_RO, false),
				 rows[i].is_3 ? 0 : -EINVAL);
		pgtsim_machine_free(&machine);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(invalidate_of_a_neighbour),
	cmocka_unit_test(stale_leaves_outlive_their_table),
	cmocka_unit_test(overwritten_table),
	cmocka_unit_test(overwritten_table_of_tables),
	cmocka_unit_test(restored_table),
	cmocka_unit_test(missing_isb_is_told_where_it_is_missing),
	cmocka_unit_test(new_entry_of_another_cpu),
	cmocka_unit_test(stale_entry_of_another_cpu),
	cmocka_unit_test(hint_by_hand),
	cmocka_unit_test(overwriting_counts_as_before),
	cmocka_unit_test(more_than_one_table),
	cmocka_unit_test(scattered_tables),
	cmocka_unit_test(top_of_the_address_space),
	cmocka_unit_test(asking),
	cmocka_unit_test(told_once),
	cmocka_unit_test(switched_off),
	cmocka_unit_test(room_for_hints),
	cmocka_unit_test(host_memory_runs_out),
	cmocka_unit_test(cannot_start),
	cmocka_unit_test(single_events_find_the_same),
	cmocka_unit_test(routines_find_the_same),
	cmocka_unit_test(alike_tables_are_judged_once),
	cmocka_unit_test(b1_with_every_granule),
	cmocka_unit_test(b1_by_profile),
	cmocka_unit_test(level_of_bbm),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
