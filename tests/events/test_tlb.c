/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include <pgtsim/tlb.h>
#include <pgtsim/violations.h>

#include "events/events.h"

#define VA UINT64_C(0xffff000000000000)

/* What one flush of [start, start + size) costs. */
static struct pgtsim_counts flush(const char *name, unsigned kib, bool range_operations,
				  uint64_t start, uint64_t size)
{
	const struct pgtsim_geometry geo = linux_geometry(kib, kib == 16 ? 47 : 48, 0, 48);
	const struct pgtsim_policy policy = profile(name);
	struct pgtsim_tlb tlb;

	pgtsim_tlb_init(&tlb);
	tlb.range_operations = range_operations;
	pgtsim_tlb_flush_range(&tlb, &geo, &policy, start, start + size);
	pgtsim_tlb_fini(&tlb);
	assert_int_equal(tlb.counts.dsb, 2);
	assert_int_equal(tlb.counts.isb, 1);
	assert_int_equal(tlb.counts.tlbi_walk, 0);
	return tlb.counts;
}

/* A flush becomes one invalidate-all above PTRS_PER_PTE pages, in 7.3 from that number on. */
static void threshold_of_each_profile(void **state)
{
	static const unsigned granules[] = { 4, 16, 64 };

	(void)state;
	for (size_t p = 0; p < COUNT(all_profiles); p++) {
		bool from = strcmp(all_profiles[p], "linux-7.3") == 0;

		for (size_t g = 0; g < COUNT(granules); g++) {
			uint64_t size = (uint64_t)granules[g] << 10, limit = size / 8;

			for (uint64_t pages = limit - 1; pages <= limit + 1; pages++) {
				bool all = from ? pages >= limit : pages > limit;
				struct pgtsim_counts c = flush(all_profiles[p], granules[g], false,
							       -(size << 20), pages * size);

				assert_int_equal(c.tlbi_all, all);
				assert_int_equal(c.tlbi_leaf, all ? 0 : pages);
				assert_int_equal(c.tlbi_range, 0);
			}
		}
	}
}

/* Up to 6.12 both ends go down to 4K and the loop steps by pages; 7.3 rounds outwards to pages. */
static void unaligned_ends(void **state)
{
	static const struct {
		unsigned kib;
		uint64_t start, size;
		unsigned old, new;
	} rows[] = {
		{ 4, 0, 0, 0, 0 },
		{ 4, 0, 1, 0, 1 },
		{ 4, 0x800, 0x7ff, 0, 1 },
		{ 4, 0x800, 0x800, 1, 1 },
		{ 4, 0x800, 0x1000, 1, 2 },
		{ 4, 0, 0x1800, 1, 2 },
		{ 4, 0xfff, 2, 1, 2 },
		{ 4, 0, 0x1fff, 1, 2 },
		{ 64, 0, 0x10000, 1, 1 },
		{ 64, 0, 0x20000, 2, 2 },
		{ 64, 0, 0xfff, 0, 1 },
		{ 64, 0, 0x1000, 1, 1 },
		{ 64, 0, 0x11000, 2, 2 },
		{ 64, 0xf000, 0x2000, 1, 2 }, /* the second page is left out */
		{ 64, 0xf000, 0x10fff, 1, 2 },
		{ 64, 0xf000, 0x11000, 2, 2 },
		{ 64, 0x8000, 0x20000, 2, 3 },
		{ 16, 0x3000, 0x4000, 1, 2 },
		{ 16, 0x3000, 0x5000, 2, 2 },
	};
	static const char *const old[] = { "linux-5.7", "linux-6.1", "linux-6.12" };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t start = VA + rows[i].start, size = rows[i].size;

		if (rows[i].kib == 16)
			start = UINT64_C(0xffff800000000000) + rows[i].start;
		for (size_t p = 0; p < COUNT(old); p++)
			assert_int_equal(flush(old[p], rows[i].kib, false, start, size).tlbi_leaf,
					 rows[i].old);
		assert_int_equal(flush("linux-7.3", rows[i].kib, false, start, size).tlbi_leaf,
				 rows[i].new);
	}
}

/* The threshold compares bytes, before any rounding up to 6.12 and after it in 7.3. */
static void threshold_of_unaligned_ranges(void **state)
{
	(void)state;
	assert_int_equal(flush("linux-6.12", 4, false, VA + 1, 512 * 4096).tlbi_all, 0);
	assert_int_equal(flush("linux-6.12", 4, false, VA + 1, 512 * 4096 + 1).tlbi_all, 1);
	assert_int_equal(flush("linux-7.3", 4, false, VA + 1, 510 * 4096).tlbi_leaf, 511);
	assert_int_equal(flush("linux-7.3", 4, false, VA + 1, 511 * 4096).tlbi_all, 1);
}

/* A range may end at the end of the address space. */
static void flush_up_to_the_end(void **state)
{
	(void)state;
	for (size_t p = 0; p < COUNT(all_profiles); p++) {
		assert_int_equal(
			flush(all_profiles[p], 4, false, -(UINT64_C(3) << 12), UINT64_C(3) << 12)
				.tlbi_leaf,
			3);
		assert_int_equal(
			flush(all_profiles[p], 4, false, -(UINT64_C(1) << 40), UINT64_C(1) << 40)
				.tlbi_all,
			1);
	}
	assert_int_equal(
		flush("linux-7.3", 4, true, -(UINT64_C(3) << 12) + 5, (UINT64_C(3) << 12) - 5)
			.tlbi_range,
		1);
}

/* Numbers of pages and what they take with range operations. */
static const struct {
	uint64_t pages;
	unsigned range, leaf, all;
} range_rows[] = {
	{ 0, 0, 0, 0 },
	{ 1, 0, 1, 0 },
	{ 2, 1, 0, 0 },
	{ 3, 1, 1, 0 },
	{ 62, 1, 0, 0 },
	{ 63, 1, 1, 0 },
	{ 64, 1, 0, 0 },
	{ 65, 1, 1, 0 },
	{ 66, 2, 0, 0 },
	{ 512, 1, 0, 0 },
	{ 513, 1, 1, 0 },
	{ 2047, 2, 1, 0 },
	{ 2048, 1, 0, 0 },
	{ 65535, 3, 1, 0 },
	{ 65536, 1, 0, 0 },
	{ 65536 + 2048 + 64 + 2 + 1, 4, 1, 0 },
	{ (1 << 21) - 1, 4, 1, 0 },
	{ 1 << 21, 1, 0, 0 },
	{ (1 << 21) + 1, 0, 0, 1 },
};

/* 7.3 with range operations: one for each scale that has pages, the last page by VA. */
static void range_operations(void **state)
{
	static const unsigned granules[] = { 4, 16, 64 };

	(void)state;
	for (size_t i = 0; i < COUNT(range_rows); i++) {
		for (size_t g = 0; g < COUNT(granules); g++) {
			uint64_t size = (uint64_t)granules[g] << 10;
			struct pgtsim_counts c = flush("linux-7.3", granules[g], true,
						       -(size << 22), range_rows[i].pages * size);

			assert_int_equal(c.tlbi_range, range_rows[i].range);
			assert_int_equal(c.tlbi_leaf, range_rows[i].leaf);
			assert_int_equal(c.tlbi_all, range_rows[i].all);
		}
	}
}

/* Only the profile and the CPU together give range operations. */
static void range_operations_need_both(void **state)
{
	(void)state;
	for (size_t p = 0; p + 1 < COUNT(all_profiles); p++) {
		assert_int_equal(flush(all_profiles[p], 4, true, VA, 512 << 12).tlbi_leaf, 512);
		assert_int_equal(flush(all_profiles[p], 4, true, VA, 513 << 12).tlbi_all, 1);
	}
	assert_int_equal(flush("linux-7.3", 4, false, VA, 511 << 12).tlbi_leaf, 511);
	assert_int_equal(flush("linux-7.3", 4, true, VA, 511 << 12).tlbi_leaf, 1);
}

/*
 * With LPA2 a range may begin at a multiple of 64K only: by VA up to there, then ranges, then by VA
 * what is left over. Without it a range begins anywhere.
 */
static void range_operations_with_lpa2(void **state)
{
	static const struct {
		unsigned kib, va;
		uint64_t start, pages; /* start: pages past a multiple of 64K */
		unsigned leaf, range;
	} rows[] = {
		{ 4, 52, 1, 16, 16, 0 }, { 4, 52, 1, 33, 15, 1 },   { 4, 52, 0, 33, 1, 1 },
		{ 4, 52, 15, 1, 1, 0 },  { 4, 52, 3, 5, 5, 0 },     { 4, 52, 1, 15, 15, 0 },
		{ 4, 52, 1, 17, 15, 1 }, { 4, 52, 1, 2128, 16, 2 }, { 16, 52, 1, 64, 4, 1 },
		{ 16, 52, 0, 64, 0, 1 }, { 4, 48, 1, 33, 1, 1 },    { 16, 47, 1, 64, 0, 1 },
		{ 64, 52, 1, 33, 1, 1 },
	};
	const struct pgtsim_policy policy = profile("linux-7.3");

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct pgtsim_geometry geo = linux_geometry(rows[i].kib, rows[i].va, 0, 0);
		uint64_t size = (uint64_t)rows[i].kib << 10, start = -GIB + rows[i].start * size;
		struct pgtsim_tlb tlb;

		pgtsim_tlb_init(&tlb);
		tlb.range_operations = true;
		pgtsim_tlb_flush_range(&tlb, &geo, &policy, start, start + rows[i].pages * size);
		assert_int_equal(tlb.counts.tlbi_leaf, rows[i].leaf);
		assert_int_equal(tlb.counts.tlbi_range, rows[i].range);
		assert_int_equal(tlb.counts.tlbi_all, 0);
		pgtsim_tlb_fini(&tlb);
	}
}

/* A little machine with a recorder. */
struct watched {
	struct fixture f;
	struct recorder r;
};

static void watch(struct watched *w, const char *name)
{
	const struct pgtsim_geometry geo = linux_geometry(4, 48, 0, 48);
	const struct pgtsim_policy policy = profile(name);

	fixture_init(&w->f, &policy, &geo);
	pgtsim_tlb_reset_counts(&w->f.tlb);
	recorder_start(&w->r, &w->f);
}

static void unwatch(struct watched *w)
{
	recorder_stop(&w->r, &w->f);
	fixture_fini(&w->f);
}

/* A flush is DSB ISHST, invalidates, DSB ISH, ISB; range operations tile exactly the range. */
static void events_of_a_flush(void **state)
{
	static const enum pgtsim_op by_va[] = { PGTSIM_OP_DSB_ISHST, PGTSIM_OP_TLBI_LEAF,
						PGTSIM_OP_DSB_ISH, PGTSIM_OP_ISB };
	struct watched w;

	(void)state;
	watch(&w, "linux-7.3");
	pgtsim_tlb_flush_range(&w.f.tlb, &w.f.pgt.geo, &w.f.policy, VA, VA + (3 << 12));
	assert_int_equal(w.r.count, 4);
	assert_true(recorded(&w.r, 0, by_va, 4));
	assert_int_equal(w.r.event[1].va, VA);
	assert_int_equal(w.r.event[1].count, 3);
	assert_int_equal(w.r.event[1].size, 4096);
	w.f.tlb.range_operations = true;
	for (size_t i = 0; i < COUNT(range_rows); i++) {
		uint64_t at = VA;

		w.r.count = 0;
		pgtsim_tlb_flush_range(&w.f.tlb, &w.f.pgt.geo, &w.f.policy, VA,
				       VA + (range_rows[i].pages << 12));
		assert_int_equal(w.r.event[0].op, PGTSIM_OP_DSB_ISHST);
		for (size_t e = 1; e < w.r.count - 2; e++) {
			assert_int_equal(w.r.event[e].va, at);
			at += w.r.event[e].count * w.r.event[e].size;
		}
		assert_int_equal(at, VA + (range_rows[i].pages << 12));
		assert_int_equal(w.r.event[w.r.count - 2].op, PGTSIM_OP_DSB_ISH);
		assert_int_equal(w.r.event[w.r.count - 1].op, PGTSIM_OP_ISB);
	}
	unwatch(&w);
}

/* The small operations: publish, sync, and the flush of one table. */
static void barriers_and_table_flush(void **state)
{
	static const enum pgtsim_op ops[] = {
		PGTSIM_OP_DSB_ISHST,                /* publish */
		PGTSIM_OP_DSB_ISHST, PGTSIM_OP_ISB, /* sync */
		PGTSIM_OP_DSB_ISHST, PGTSIM_OP_TLBI_WALK, PGTSIM_OP_DSB_ISH, PGTSIM_OP_ISB,
	};
	struct watched w;

	(void)state;
	watch(&w, "latest");
	pgtsim_tlb_publish(&w.f.tlb);
	pgtsim_tlb_sync(&w.f.tlb);
	pgtsim_tlb_flush_table(&w.f.tlb, VA + 0x200000);
	assert_int_equal(w.r.count, COUNT(ops));
	assert_true(recorded(&w.r, 0, ops, COUNT(ops)));
	assert_int_equal(w.r.event[4].va, VA + 0x200000);
	assert_int_equal(w.f.tlb.counts.dsb, 4);
	assert_int_equal(w.f.tlb.counts.isb, 2);
	assert_int_equal(w.f.tlb.counts.tlbi_walk, 1);
	assert_int_equal(w.f.tlb.counts.tlbi_leaf, 0);
	unwatch(&w);
}

static const struct {
	enum pgtsim_op op;
	unsigned flags;
	struct pgtsim_counts counts;
} event_rows[] = {
	{ PGTSIM_OP_TABLE_ALLOC, 0, { .tables_allocated = 5, .tables_pmd = 5 } },
	{ PGTSIM_OP_TABLE_FREE, 0, { .tables_freed = 5, .tables_pmd = -UINT64_C(5) } },
	{ PGTSIM_OP_LINK, 0, { 0 } },
	{ PGTSIM_OP_UNLINK, 0, { 0 } },
	{ PGTSIM_OP_POKE, 0, { 0 } },
	{ PGTSIM_OP_MAP, 0, { .leaves_mapped = 5, .entries_read = 5, .entries_written = 5 } },
	{ PGTSIM_OP_MAP,
	  PGTSIM_EACH_SYNC,
	  { .leaves_mapped = 5, .entries_read = 5, .entries_written = 5, .dsb = 5, .isb = 5 } },
	{ PGTSIM_OP_CLEAR,
	  PGTSIM_EACH_FREE,
	  { .leaves_cleared = 5, .entries_read = 5, .entries_written = 5 } },
	{ PGTSIM_OP_CLEAR,
	  PGTSIM_EACH_FLUSH,
	  { .leaves_cleared = 5,
	    .entries_read = 5,
	    .entries_written = 5,
	    .dsb = 10,
	    .dsb_ish = 5,
	    .isb = 5,
	    .tlbi_leaf = 5 } },
	{ PGTSIM_OP_PAGES_ALLOC, 0, { .pages_allocated = 5 } },
	{ PGTSIM_OP_PAGES_FREE, 0, { .pages_freed = 5 } },
	{ PGTSIM_OP_ALTMAP_ALLOC, 0, { .altmap_allocated = 5 } },
	{ PGTSIM_OP_ALTMAP_FREE, 0, { .altmap_freed = 5 } },
	{ PGTSIM_OP_DSB_ISHST, 0, { .dsb = 5 } },
	{ PGTSIM_OP_DSB_ISH, 0, { .dsb = 5, .dsb_ish = 5 } },
	{ PGTSIM_OP_ISB, 0, { .isb = 5 } },
	{ PGTSIM_OP_DSB_ISHLD, 0, { .dsb = 5 } },
	{ PGTSIM_OP_DSB_NSH, 0, { .dsb = 5 } },
	{ PGTSIM_OP_DSB_OSH, 0, { .dsb = 5 } },
	{ PGTSIM_OP_DSB_SY, 0, { .dsb = 5 } },
	{ PGTSIM_OP_DMB_ISHST, 0, { .dmb = 5 } },
	{ PGTSIM_OP_DMB_ISH, 0, { .dmb = 5 } },
	{ PGTSIM_OP_DMB_ISHLD, 0, { .dmb = 5 } },
	{ PGTSIM_OP_TLBI_LEAF, 0, { .tlbi_leaf = 5 } },
	{ PGTSIM_OP_TLBI_WALK, 0, { .tlbi_walk = 5 } },
	{ PGTSIM_OP_TLBI_RANGE, 0, { .tlbi_range = 5 } },
	{ PGTSIM_OP_TLBI_RANGE_WALK, 0, { .tlbi_range = 5 } },
	{ PGTSIM_OP_TLBI_ALL, 0, { .tlbi_all = 5 } },
};

/* Each operation adds its run to its own counters; flags add barriers and invalidates a leaf. */
static void counters_of_events(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(event_rows); i++) {
		const struct pgtsim_event event = {
			.op = event_rows[i].op,
			.level = PGTSIM_PMD,
			.flags = event_rows[i].flags,
			.count = 5,
		};
		struct pgtsim_tlb tlb;

		pgtsim_tlb_init(&tlb);
		pgtsim_emit_event_slowly(&tlb, &event);
		assert_counts_equal(&tlb.counts, &event_rows[i].counts);
		pgtsim_tlb_fini(&tlb);
	}
}

/* Each level has its own gauge of live tables. */
static void gauges_by_level(void **state)
{
	(void)state;
	for (int level = PGTSIM_PGD; level <= PGTSIM_PTE; level++) {
		const struct pgtsim_event event = { .op = PGTSIM_OP_TABLE_ALLOC,
						    .level = level,
						    .count = 1 };
		struct pgtsim_tlb tlb;

		pgtsim_tlb_init(&tlb);
		pgtsim_emit_event_slowly(&tlb, &event);
		assert_int_equal(tlb.counts.tables_pgd, level == PGTSIM_PGD);
		assert_int_equal(tlb.counts.tables_p4d, level == PGTSIM_P4D);
		assert_int_equal(tlb.counts.tables_pud, level == PGTSIM_PUD);
		assert_int_equal(tlb.counts.tables_pmd, level == PGTSIM_PMD);
		assert_int_equal(tlb.counts.tables_pte, level == PGTSIM_PTE);
		pgtsim_tlb_fini(&tlb);
	}
}

/* An observer that takes itself out at its first event, or counts them. */
struct counting {
	struct pgtsim_observer observer;
	struct pgtsim_tlb *leave; /* NULL: stay */
	unsigned seen;
	unsigned *clock, first_at;
};

static void counting_event(struct pgtsim_observer *self, const struct pgtsim_event *event)
{
	struct counting *c = (struct counting *)(void *)self;

	(void)event;
	if (!c->seen++)
		c->first_at = ++*c->clock;
	if (c->leave) {
		pgtsim_unobserve(c->leave, self);
		self->next = NULL; /* what is out may be gone */
	}
}

/* Observers see every event, in the order they came, until they leave, even while they look. */
static void observers_come_and_go(void **state)
{
	unsigned clock = 0;
	struct pgtsim_tlb tlb;
	struct counting a = { .observer = { .event = counting_event }, .clock = &clock }, b = a,
			c = a;

	(void)state;
	pgtsim_tlb_init(&tlb);
	b.leave = &tlb;
	pgtsim_observe(&tlb, &a.observer);
	pgtsim_observe(&tlb, &b.observer);
	pgtsim_observe(&tlb, &c.observer);
	pgtsim_tlb_publish(&tlb);
	pgtsim_tlb_publish(&tlb);
	assert_int_equal(a.seen, 2);
	assert_int_equal(b.seen, 1);
	assert_int_equal(c.seen, 2);
	assert_true(a.first_at < b.first_at && b.first_at < c.first_at);
	pgtsim_unobserve(&tlb, &a.observer);
	pgtsim_unobserve(&tlb, &b.observer); /* is out already */
	pgtsim_tlb_publish(&tlb);
	assert_int_equal(a.seen, 2);
	assert_int_equal(b.seen, 1);
	assert_int_equal(c.seen, 3);
	pgtsim_unobserve(&tlb, &c.observer);
	assert_null(tlb.observers);
	assert_false(tlb.observed);
	assert_int_equal(tlb.counts.dsb, 3);
	pgtsim_tlb_fini(&tlb);
}

/* An observer added twice is in once. */
static void observer_added_twice(void **state)
{
	unsigned clock = 0;
	struct pgtsim_tlb tlb;
	struct counting a = { .observer = { .event = counting_event }, .clock = &clock };

	(void)state;
	pgtsim_tlb_init(&tlb);
	pgtsim_observe(&tlb, &a.observer);
	pgtsim_observe(&tlb, &a.observer);
	pgtsim_tlb_publish(&tlb);
	assert_int_equal(a.seen, 1);
	pgtsim_unobserve(&tlb, &a.observer);
	pgtsim_tlb_publish(&tlb);
	assert_int_equal(a.seen, 1);
	pgtsim_tlb_fini(&tlb);
}

/* While it is quiet nothing is counted, shown or kept. */
static void quiet_counts_nothing(void **state)
{
	const struct pgtsim_counts none = { 0 };
	struct watched w;

	(void)state;
	watch(&w, "latest");
	w.f.tlb.counts = none;
	w.f.tlb.quiet = true;
	pgtsim_tlb_sync(&w.f.tlb);
	pgtsim_tlb_violation(&w.f.tlb, PGTSIM_V_TABLE_LEAK, VA, PGTSIM_PTE, "unseen");
	assert_int_equal(map_linear(&w.f, VA, GIB, MIB, false), 0);
	assert_true(is_mapped(&w.f, VA));
	assert_memory_equal(&w.f.tlb.counts, &none, sizeof(none));
	assert_int_equal(w.r.count, 0);
	assert_int_equal(w.f.tlb.violation_count, 0);
	w.f.tlb.quiet = false;
	unwatch(&w);
}

/* The first violations are kept with their text, however long, and all are counted. */
static void violations_are_kept_and_counted(void **state)
{
	struct pgtsim_tlb tlb;
	char longer[400];

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	pgtsim_tlb_init(&tlb);
	assert_null(tlb.violations);
	pgtsim_tlb_violation(&tlb, PGTSIM_V_NOT_RAM, VA, PGTSIM_PMD, "frame %d of %s", 7, "this");
	pgtsim_tlb_violation(&tlb, PGTSIM_V_DOUBLE_FREE, VA, PGTSIM_PTE, "%s", longer);
	for (unsigned i = 2; i < PGTSIM_VIOLATIONS_KEPT + 9; i++)
		pgtsim_tlb_violation(&tlb, PGTSIM_V_TABLE_LEAK, VA + i, PGTSIM_PTE, "%u", i);
	assert_int_equal(tlb.violation_count, PGTSIM_VIOLATIONS_KEPT);
	assert_int_equal(tlb.counts.violations, PGTSIM_VIOLATIONS_KEPT + 9);
	assert_int_equal(tlb.violations[0].name, PGTSIM_V_NOT_RAM);
	assert_int_equal(tlb.violations[0].level, PGTSIM_PMD);
	assert_int_equal(tlb.violations[0].va, VA);
	assert_string_equal(tlb.violations[0].text, "frame 7 of this");
	assert_int_equal(strlen(tlb.violations[1].text), sizeof(tlb.violations[1].text) - 1);
	assert_int_equal(tlb.violations[PGTSIM_VIOLATIONS_KEPT - 1].va,
			 VA + PGTSIM_VIOLATIONS_KEPT - 1);
	pgtsim_tlb_fini(&tlb);
	assert_null(tlb.violations);
	assert_int_equal(tlb.violation_count, 0);
}

/* A reset starts every counter again but the live tables and the violations, which stay. */
static void reset_keeps_gauges(void **state)
{
	size_t n;
	const struct pgtsim_counter *counters = pgtsim_counters(&n);
	struct pgtsim_tlb tlb;

	(void)state;
	pgtsim_tlb_init(&tlb);
	pgtsim_tlb_violation(&tlb, PGTSIM_V_NOT_RAM, VA, PGTSIM_PTE, "kept");
	for (size_t i = 0; i < n; i++) {
		const uint64_t value = 100 + i;

		memcpy((char *)&tlb.counts + counters[i].offset, &value, sizeof(value));
	}
	pgtsim_tlb_reset_counts(&tlb);
	for (size_t i = 0; i < n; i++) {
		bool gauge = strncmp(counters[i].name, "tables.p", 8) == 0 ||
			     strcmp(counters[i].name, "violations") == 0;

		assert_int_equal(pgtsim_counter_value(&tlb.counts, &counters[i]),
				 gauge ? 100 + i : 0);
	}
	assert_int_equal(tlb.violation_count, 1);
	pgtsim_tlb_fini(&tlb);
}

static const char *const counter_names[] = {
	"tables.pgd",
	"tables.p4d",
	"tables.pud",
	"tables.pmd",
	"tables.pte",
	"tables.freed",
	"tables.allocated",
	"leaves.mapped",
	"leaves.cleared",
	"pages.freed",
	"altmap.allocated",
	"altmap.freed",
	"tlbi.leaf",
	"tlbi.walk",
	"tlbi.range",
	"tlbi.all",
	"dsb",
	"isb",
	"entries.read",
	"entries.written",
	"work.entries",
	"violations",
};

/* Every counter that scenarios may name is there once, found by its name, and is its own field. */
static void counters_have_names(void **state)
{
	const struct pgtsim_counts counts = { .tlbi_walk = 7, .violations = 9, .tables_pgd = 3 };
	size_t n;
	const struct pgtsim_counter *counters = pgtsim_counters(&n);

	(void)state;
	assert_int_equal(n, PGTSIM_COUNTER_COUNT);
	assert_int_equal(sizeof(struct pgtsim_counts), 512);
	for (size_t i = 0; i < n; i++) {
		assert_ptr_equal(pgtsim_counter_find(counters[i].name), &counters[i]);
		assert_int_equal(counters[i].offset, i * sizeof(uint64_t));
		assert_true(strlen(counters[i].meaning) > 2);
	}
	for (size_t i = 0; i < COUNT(counter_names); i++)
		assert_non_null(pgtsim_counter_find(counter_names[i]));
	assert_int_equal(pgtsim_counter_value(&counts, pgtsim_counter_find("tlbi.walk")), 7);
	assert_int_equal(pgtsim_counter_value(&counts, pgtsim_counter_find("violations")), 9);
	assert_int_equal(pgtsim_counter_value(&counts, pgtsim_counter_find("tables.pgd")), 3);
	assert_null(pgtsim_counter_find("tlbi"));
	assert_null(pgtsim_counter_find(""));
}

/* Every violation has a name of its own, a meaning and advice; every operation has a name. */
static void violations_and_operations_have_names(void **state)
{
	(void)state;
	for (int i = 0; i < PGTSIM_V_COUNT; i++) {
		const struct pgtsim_violation_kind *kind =
			pgtsim_violation_kind((enum pgtsim_violation_name)i);

		assert_non_null(kind);
		assert_non_null(kind->name);
		assert_true(strlen(kind->meaning) > 5 && strlen(kind->instead) > 5);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(
				kind->name,
				pgtsim_violation_kind((enum pgtsim_violation_name)j)->name);
	}
	assert_null(pgtsim_violation_kind(PGTSIM_V_COUNT));
	for (int i = 0; i < PGTSIM_OP_COUNT; i++) {
		assert_non_null(pgtsim_op_name((enum pgtsim_op)i));
		for (int j = 0; j < i; j++)
			assert_string_not_equal(pgtsim_op_name((enum pgtsim_op)i),
						pgtsim_op_name((enum pgtsim_op)j));
	}
	assert_string_equal(pgtsim_op_name(PGTSIM_OP_TLBI_WALK), "tlbi-walk");
	assert_null(pgtsim_op_name(PGTSIM_OP_COUNT));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(threshold_of_each_profile),
	cmocka_unit_test(unaligned_ends),
	cmocka_unit_test(threshold_of_unaligned_ranges),
	cmocka_unit_test(flush_up_to_the_end),
	cmocka_unit_test(range_operations),
	cmocka_unit_test(range_operations_need_both),
	cmocka_unit_test(range_operations_with_lpa2),
	cmocka_unit_test(events_of_a_flush),
	cmocka_unit_test(barriers_and_table_flush),
	cmocka_unit_test(counters_of_events),
	cmocka_unit_test(gauges_by_level),
	cmocka_unit_test(observers_come_and_go),
	cmocka_unit_test(observer_added_twice),
	cmocka_unit_test(quiet_counts_nothing),
	cmocka_unit_test(violations_are_kept_and_counted),
	cmocka_unit_test(reset_keeps_gauges),
	cmocka_unit_test(counters_have_names),
	cmocka_unit_test(violations_and_operations_have_names),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
