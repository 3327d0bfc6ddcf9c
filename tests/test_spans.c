/* SPDX-License-Identifier: MIT */
/*
 * cached: a checker that keeps what goes in order as a span tells the same as one that is made to
 * keep records by being asked after each event.
 */
#include "fixture.h"

#define PA UINT64_C(0x80000000)

enum { STREAMS = 3000, ACTIONS = 30, RUNS = 64 };

/* Random events, for both checkers. */
struct stream {
	struct pgtsim_geometry geo;
	struct pgtsim_policy policy;
	struct pgtsim_tlb span, record;
	uint64_t start, bytes; /* addresses used */
	uint32_t seed;
};

static unsigned pick(struct stream *s, unsigned n)
{
	return random_next(&s->seed) % n;
}

static void tell(struct stream *s, const struct pgtsim_event *event)
{
	struct pgtsim_stale stale;

	pgtsim_tlb_event(&s->span, event);
	pgtsim_tlb_event(&s->record, event);
	pgtsim_may_be_stale(&s->record, s->start, &stale);
}

static void simple(struct stream *s, enum pgtsim_op op, uint64_t va, uint64_t count, uint64_t size)
{
	const struct pgtsim_event event = {
		.op = op, .level = PGTSIM_PTE, .va = va, .count = count, .size = size
	};

	tell(s, &event);
}

static uint64_t random_va(struct stream *s, int level)
{
	return pgtsim_entry_base(&s->geo, level, s->start + random_next(&s->seed) % s->bytes);
}

/* Leaves, one table after the other; mostly whole tables whose addresses follow one another. */
static void clear_tables(struct stream *s)
{
	int level = pick(s, 4) ? PGTSIM_PTE : PGTSIM_PMD;
	uint64_t size = pgtsim_entry_size(&s->geo, level), va = random_va(s, level);
	uint64_t skipped = 0, kind = level == PGTSIM_PTE ? 0x703 : 0x701;
	unsigned flags = pick(s, 8) ? 0 : pick(s, 2) ? PGTSIM_EACH_FLUSH : PGTSIM_EACH_SYNC;

	for (unsigned tables = 1 + pick(s, 4); tables && va >= s->start; tables--) {
		unsigned index = pgtsim_index(&s->geo, level, va);
		uint64_t count = pgtsim_entries(&s->geo, level) - index;
		struct pgtsim_event event = { .op = PGTSIM_OP_CLEAR,
					      .level = level,
					      .flags = flags,
					      .va = va,
					      .size = size,
					      .step = size };

		if (!pick(s, 8))
			count = 1 + pick(s, (unsigned)count);
		event.count = count;
		event.old_desc = (PA + (va - s->start) - skipped) | kind;
		if (!pick(s, 10))
			event.old_desc += PA;
		event.pa = pgtsim_desc_address(&s->geo, level, event.old_desc);
		tell(s, &event);
		va += count * size;
		if (!pick(s, 8)) {
			skipped += size * pgtsim_entries(&s->geo, level);
			va += size * pgtsim_entries(&s->geo, level);
		}
		if (!pick(s, 8))
			simple(s, pick(s, 2) ? PGTSIM_OP_PAGES_ALLOC : PGTSIM_OP_BEGIN_PASS_2, va,
			       1, 0);
	}
}

static void unlink_one(struct stream *s)
{
	int level = pick(s, 2) ? PGTSIM_PMD : PGTSIM_PUD;
	uint64_t va = random_va(s, level);
	uint64_t pa = 2 * PA + (va - s->start) / pgtsim_entry_size(&s->geo, level) * 4096;
	struct pgtsim_event event = { .op = PGTSIM_OP_UNLINK,
				      .level = level,
				      .va = va,
				      .count = 1,
				      .size = pgtsim_entry_size(&s->geo, level),
				      .old_desc = pa | 3 };

	tell(s, &event);
	if (pick(s, 6))
		simple(s, PGTSIM_OP_DSB_ISHST, 0, 1, 0);
	if (pick(s, 6))
		simple(s, pick(s, 6) ? PGTSIM_OP_TLBI_WALK : PGTSIM_OP_TLBI_LEAF,
		       pick(s, 6) ? va : random_va(s, level), 1, 0);
	if (pick(s, 6))
		simple(s, PGTSIM_OP_DSB_ISH, 0, 1, 0);
	if (pick(s, 6))
		simple(s, PGTSIM_OP_ISB, 0, 1, 0);
	event = (struct pgtsim_event){
		.op = PGTSIM_OP_TABLE_FREE, .level = level + 1, .va = va, .count = 1, .pa = pa
	};
	tell(s, &event);
}

static void barrier(struct stream *s)
{
	simple(s, (enum pgtsim_op)(PGTSIM_OP_DSB_ISHST + pick(s, 3)), 0, 1, 0);
}

/* By VA one or several, for pages and for blocks; a range; all. */
static void invalidate(struct stream *s)
{
	int level = pick(s, 3) ? PGTSIM_PTE : PGTSIM_PMD;
	uint64_t va = random_va(s, level), size = pgtsim_entry_size(&s->geo, level);
	uint64_t most = (s->start + s->bytes - va) / size, count = 1 + pick(s, (unsigned)most);

	if (pick(s, 2)) {
		va = s->start;
		count = s->bytes / size;
	}
	switch (pick(s, 4)) {
	case 0:
		simple(s, PGTSIM_OP_TLBI_LEAF, va, count, size);
		break;
	case 1:
		simple(s, PGTSIM_OP_TLBI_RANGE, va, 1, count * size);
		break;
	case 2:
		simple(s, PGTSIM_OP_TLBI_WALK, va, count, size);
		break;
	default:
		simple(s, PGTSIM_OP_TLBI_ALL, s->start, 1, s->bytes);
	}
}

static void map_one(struct stream *s)
{
	int level = pick(s, 3) ? PGTSIM_PTE : PGTSIM_PMD;
	uint64_t hint = pick(s, 6) ? 0 : PGTSIM_DESC_CONT;
	struct pgtsim_event event = { .op = PGTSIM_OP_MAP,
				      .level = level,
				      .count = 1,
				      .va = random_va(s, level),
				      .size = pgtsim_entry_size(&s->geo, level) };

	event.step = event.size;
	event.pa = PA + (event.va - s->start) + (pick(s, 2) ? 0 : PA);
	event.new_desc = event.pa | hint | (level == PGTSIM_PTE ? 0x703 : 0x701);
	tell(s, &event);
}

/* A leaf that changes in place, most of them in the hint, or goes, or comes. */
static void poke_one(struct stream *s)
{
	int level = pick(s, 3) ? PGTSIM_PTE : PGTSIM_PMD;
	uint64_t va = random_va(s, level), kind = level == PGTSIM_PTE ? 0x703 : 0x701;
	struct pgtsim_event event = { .op = PGTSIM_OP_POKE,
				      .level = level,
				      .va = va,
				      .count = 1,
				      .size = pgtsim_entry_size(&s->geo, level) };

	if (pick(s, 4))
		event.old_desc = (PA + (va - s->start)) | kind;
	if (pick(s, 4))
		event.new_desc = (PA + (va - s->start)) | kind | PGTSIM_DESC_CONT;
	tell(s, &event);
}

static void free_pages(struct stream *s)
{
	const struct pgtsim_event event = { .op = PGTSIM_OP_PAGES_FREE,
					    .level = PGTSIM_PTE,
					    .count = 1 + pick(s, 8),
					    .pa = PA + random_va(s, PGTSIM_PTE) - s->start };

	tell(s, &event);
}

static void report(struct stream *s)
{
	uint64_t va = pick(s, 2) ? s->start : random_va(s, PGTSIM_PMD);

	pgtsim_tlb_end(&s->span, va, UINT64_MAX);
	pgtsim_tlb_end(&s->record, va, UINT64_MAX);
}

static void begin(struct stream *s)
{
	simple(s, pick(s, 2) ? PGTSIM_OP_BEGIN_PASS_1 : PGTSIM_OP_BEGIN_MAP, s->start, 1, 4096);
}

/* ---- both compared ---- */

struct runs {
	struct pgtsim_stale_run run[RUNS];
	unsigned count;
};

static void add_run(void *ctx, const struct pgtsim_stale_run *run)
{
	struct runs *runs = ctx;

	if (runs->count < RUNS)
		runs->run[runs->count] = *run;
	runs->count++;
}

static void compare(const struct stream *s)
{
	struct runs a = { .count = 0 }, b = { .count = 0 };

	pgtsim_stale_visit(&s->span, add_run, &a);
	pgtsim_stale_visit(&s->record, add_run, &b);
	assert_int_equal(a.count, b.count);
	for (unsigned i = 0; i < a.count && i < RUNS; i++) {
		assert_int_equal(a.run[i].level, b.run[i].level);
		assert_int_equal(a.run[i].va, b.run[i].va);
		assert_int_equal(a.run[i].count, b.run[i].count);
		assert_int_equal(a.run[i].desc, b.run[i].desc);
		assert_int_equal(a.run[i].walk, b.run[i].walk);
	}
	assert_counts_equal(&s->span.counts, &s->record.counts);
	for (size_t i = 0; i < s->span.violation_count; i++) {
		const struct pgtsim_violation *x = &s->span.violations[i];
		const struct pgtsim_violation *y = &s->record.violations[i];

		assert_int_equal(x->name, y->name);
		assert_int_equal(x->level, y->level);
		assert_int_equal(x->va, y->va);
		assert_string_equal(x->text, y->text);
	}
}

/* Since when an address is stale, which a run does not tell. */
static void compare_ages(const struct stream *s)
{
	uint64_t step = pgtsim_page_size(&s->geo);

	for (uint64_t va = s->start; va < s->start + s->bytes; va += step) {
		struct pgtsim_stale a = { .since = 0 }, b = { .since = 0 };

		assert_int_equal(pgtsim_may_be_stale(&s->span, va, &a),
				 pgtsim_may_be_stale(&s->record, va, &b));
		assert_int_equal(a.since, b.since);
	}
}

static void one_stream(uint32_t number)
{
	static void (*const actions[])(struct stream *) = {
		clear_tables, clear_tables, clear_tables, unlink_one, barrier, barrier,  invalidate,
		invalidate,   map_one,      free_pages,   report,     begin,   poke_one,
	};
	struct stream s = { .geo = toy_geometry(3), .policy = profile("latest") };

	s.seed = number * UINT32_C(2654435761) | 1;
	s.start = pgtsim_va_start(&s.geo);
	s.bytes = pgtsim_entry_size(&s.geo, PGTSIM_PUD) * 2;
	pgtsim_tlb_init(&s.span);
	pgtsim_tlb_init(&s.record);
	assert_int_equal(pgtsim_checker_start(&s.span, &s.geo, &s.policy), 0);
	assert_int_equal(pgtsim_checker_start(&s.record, &s.geo, &s.policy), 0);
	for (unsigned i = 0; i < ACTIONS; i++)
		actions[pick(&s, COUNT(actions))](&s);
	if (pick(&s, 2))
		compare_ages(&s);
	compare(&s);
	pgtsim_tlb_fini(&s.span);
	pgtsim_tlb_fini(&s.record);
}

/* In thousands of random streams: the same entries, ages, violations and words. */
static void spans_tell_what_records_tell(void **state)
{
	(void)state;
	for (uint32_t n = 1; n <= STREAMS; n++)
		one_stream(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spans_tell_what_records_tell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
