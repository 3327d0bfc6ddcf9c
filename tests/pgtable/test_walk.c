/* SPDX-License-Identifier: MIT */
/* The walker, and questions about runs. */
#include "page_table.h"

/* ---- the walker ---- */

struct visit {
	char kind; /* e entries, t table, d table done */
	int level;
	unsigned index, count;
	uint64_t va, last;
};

struct visits {
	struct visit visit[64];
	unsigned n;
	int answer; /* to `when` calls */
	char when;
	unsigned countdown; /* the call that gets the answer: 1 the next */
};

static int note(struct visits *v, char kind, const struct pgtsim_run *run)
{
	assert_true(v->n < COUNT(v->visit));
	v->visit[v->n++] =
		(struct visit){ kind, run->level, run->index, run->count, run->va, run->last };
	return kind == v->when && v->countdown && --v->countdown == 0 ? v->answer : 0;
}

static int note_entries(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	(void)pgt;
	return note(arg, 'e', run);
}

static int note_table(struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
		      struct pgtsim_table *child, void *arg)
{
	(void)pgt;
	assert_int_equal(child->level, run->level + 1);
	return note(arg, 't', run);
}

static int note_done(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, struct pgtsim_table *child,
		     void *arg)
{
	(void)pgt;
	assert_int_equal(child->level, run->level + 1);
	return note(arg, 'd', run);
}

static const struct pgtsim_visitor noting = {
	.entries = note_entries,
	.table = note_table,
	.table_done = note_done,
};

/* A toy of 3 levels with one page mapped in its 2nd pmd of its 3rd pud. */
static void init_walk(struct fixture *f, uint64_t *page)
{
	const struct pgtsim_geometry geo = toy_geometry(3);
	const struct pgtsim_policy policy = profile("latest");

	fixture_init(f, &policy, &geo);
	*page = pgtsim_va_start(&geo) + (2 * 16 + 1 * 4 + 3) * 4096;
	assert_int_equal(map_linear(f, *page, 0, 4096, false), 0);
}

/* The walker visits runs ascending, a table's entry before and after what is below it. */
static void walk_in_order(void **state)
{
	struct visits v = { .n = 0 };
	uint64_t page, start, k = 4096;
	struct fixture f;

	(void)state;
	init_walk(&f, &page);
	start = pgtsim_va_start(&f.pgt.geo);
	assert_int_equal(pgtsim_walk(&f.pgt, start + 5, UINT64_MAX - 5, &noting, &v), 0);
	{
		const struct visit expected[] = {
			{ 'e', 1, 0, 2, start + 5, start + 32 * k - 1 },
			{ 't', 1, 2, 1, start + 32 * k, start + 48 * k - 1 },
			{ 'e', 2, 0, 1, start + 32 * k, start + 36 * k - 1 },
			{ 't', 2, 1, 1, start + 36 * k, start + 40 * k - 1 },
			{ 'e', 3, 0, 4, start + 36 * k, start + 40 * k - 1 },
			{ 'd', 2, 1, 1, start + 36 * k, start + 40 * k - 1 },
			{ 'e', 2, 2, 2, start + 40 * k, start + 48 * k - 1 },
			{ 'd', 1, 2, 1, start + 32 * k, start + 48 * k - 1 },
			{ 'e', 1, 3, 1, start + 48 * k, UINT64_MAX - 5 },
		};

		assert_int_equal(v.n, COUNT(expected));
		for (size_t i = 0; i < COUNT(expected); i++) {
			assert_int_equal(v.visit[i].kind, expected[i].kind);
			assert_int_equal(v.visit[i].level, expected[i].level);
			assert_int_equal(v.visit[i].index, expected[i].index);
			assert_int_equal(v.visit[i].count, expected[i].count);
			assert_int_equal(v.visit[i].va, expected[i].va);
			assert_int_equal(v.visit[i].last, expected[i].last);
		}
	}
	fixture_fini(&f);
}

/* One byte: only the entries that translate it, cut to it. */
static void walk_of_one_byte(void **state)
{
	struct visits v = { .n = 0 };
	uint64_t page;
	struct fixture f;

	(void)state;
	init_walk(&f, &page);
	assert_int_equal(pgtsim_walk(&f.pgt, page + 7, page + 7, &noting, &v), 0);
	assert_int_equal(v.n, 5);
	for (unsigned i = 0; i < v.n; i++) {
		assert_int_equal(v.visit[i].count, 1);
		assert_int_equal(v.visit[i].va, page + 7);
		assert_int_equal(v.visit[i].last, page + 7);
	}
	assert_int_equal(v.visit[2].index, 3);
	fixture_fini(&f);
}

/* A visitor may stop the walk, leave a table out, or be left out itself. */
static void visitors_steer(void **state)
{
	static const struct pgtsim_visitor nothing = { .entries = NULL };
	uint64_t page, start;
	struct fixture f;

	(void)state;
	init_walk(&f, &page);
	start = pgtsim_va_start(&f.pgt.geo);
	for (unsigned i = 0; i < 3; i++) {
		struct visits v = { .answer = -EBUSY, .when = "etd"[i], .countdown = 2 };

		assert_int_equal(pgtsim_walk(&f.pgt, start, UINT64_MAX, &noting, &v), -EBUSY);
		assert_int_equal(v.n, (unsigned)"\3\4\10"[i]);
	}
	{
		struct visits v = { .answer = PGTSIM_WALK_SKIP, .when = 't', .countdown = 1 };

		assert_int_equal(pgtsim_walk(&f.pgt, start, UINT64_MAX, &noting, &v), 0);
		assert_int_equal(v.n, 3); /* e t(skipped) e */
	}
	{
		struct visits v = { .answer = PGTSIM_WALK_AGAIN, .when = 'e', .countdown = 1 };

		assert_int_equal(pgtsim_walk(&f.pgt, start, UINT64_MAX, &noting, &v), 0);
		assert_int_equal(v.n, 10); /* the first run twice */
		assert_int_equal(v.visit[1].index, v.visit[0].index);
		assert_int_equal(v.visit[1].count, v.visit[0].count);
	}
	assert_int_equal(pgtsim_walk(&f.pgt, start, UINT64_MAX, &nothing, NULL), 0);
	assert_int_equal(pgtsim_walk(&f.pgt, start - 1, UINT64_MAX, &nothing, NULL), -EINVAL);
	assert_int_equal(pgtsim_walk(&f.pgt, start + 1, start, &nothing, NULL), -EINVAL);
	fixture_fini(&f);
}

/* With `no_pages` nobody is called for entries of the last level, whatever else is asked for. */
static void walk_without_pages(void **state)
{
	const struct pgtsim_policy policy = profile("latest");

	(void)state;
	for (unsigned i = 0; i < 4 * PGTSIM_MAX_LEVELS; i++) {
		const struct pgtsim_geometry geo = toy_geometry(i / 4 + 1);
		const uint64_t va = pgtsim_va_start(&geo);
		const struct pgtsim_visitor visitor = {
			.entries = note_entries,
			.table = i & 1 ? note_table : NULL,
			.no_pages = true,
		};
		struct visits v = { .n = 0 };
		struct fixture f;

		fixture_init(&f, &policy, &geo);
		assert_int_equal(map_linear(&f, va, 0, 4096, false), 0);
		assert_int_equal(pgtsim_walk(&f.pgt, va, i & 2 ? va : UINT64_MAX, &visitor, &v), 0);
		assert_int_equal(!v.n, geo.levels == 1 || (i & 3) == 2);
		while (v.n--)
			assert_true(v.visit[v.n].kind == 't' || v.visit[v.n].level < PGTSIM_PTE);
		fixture_fini(&f);
	}
}

/* Another thread links a table behind the walk's first run. */
struct other_thread {
	uint64_t va, desc;
	unsigned entries, tables;
};

static int link_behind(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	struct other_thread *other = arg;

	if (other->entries++)
		return 0;
	assert_int_equal(run->count, 4);
	assert_int_equal(pgtsim_poke(pgt, run->level, other->va, other->desc), 0);
	return PGTSIM_WALK_AGAIN;
}

static int count_table(struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
		       struct pgtsim_table *child, void *arg)
{
	(void)pgt;
	(void)child;
	assert_int_equal(run->index, 2);
	((struct other_thread *)arg)->tables++;
	return PGTSIM_WALK_SKIP;
}

/* What a shared table held when it was looked at first is not believed later. */
static void shared_walk_looks_again(void **state)
{
	static const struct pgtsim_visitor visitor = { .entries = link_behind,
						       .table = count_table };
	struct other_thread other = { .entries = 0 };
	struct fixture f;

	(void)state;
	init_walk(&f, &other.va);
	f.pgt.access = PGTSIM_ACCESS_SHARED;
	other.desc = entry_at(&f, PGTSIM_PUD, other.va);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PUD, other.va, 0), 0);
	assert_int_equal(map_linear(&f, UINT64_MAX, 4095, 1, false), 0); /* the root is not empty */
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PUD, UINT64_MAX, 1), 0);
	assert_int_equal(
		pgtsim_walk(&f.pgt, pgtsim_va_start(&f.pgt.geo), UINT64_MAX, &visitor, &other), 0);
	assert_int_equal(other.tables, 1);
	assert_int_equal(other.entries, 3);
	fixture_drop(&f);
}

/* A table entry that points nowhere is left out and noted; a strict visitor stops there. */
static void walk_of_a_broken_entry(void **state)
{
	struct pgtsim_visitor strict = noting;
	uint64_t page, start;
	struct fixture f;

	(void)state;
	init_walk(&f, &page);
	start = pgtsim_va_start(&f.pgt.geo);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PUD, start, 0x50000003), 0);
	{
		struct visits v = { .n = 0 };

		assert_int_equal(pgtsim_walk(&f.pgt, start, UINT64_MAX, &noting, &v), 0);
		assert_int_equal(v.n, 9);
		assert_int_equal(v.visit[0].index, 1);
		assert_int_equal(f.tlb.counts.violations, 1);
	}
	{
		struct visits v = { .n = 0 };

		strict.strict = true;
		assert_int_equal(pgtsim_walk(&f.pgt, start, UINT64_MAX, &strict, &v), -EFAULT);
		assert_int_equal(v.n, 0);
		assert_int_equal(f.tlb.counts.violations, 2);
		assert_string_equal(first_violation(&f), "not-a-table");
		assert_int_equal(f.tlb.violations[0].va, start);
		assert_int_equal(f.tlb.violations[0].level, PGTSIM_PUD);
	}
	fixture_fini(&f);
}

/* Questions about runs: live, zeros, uniform, and the part of a run. */
static void questions_about_runs(void **state)
{
	const uint64_t at = VA + 8 * 4096;
	struct pgtsim_run run, part;
	struct pgtsim_translation t;
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	assert_int_equal(map_linear(&f, at, GIB, 4 * 4096, false), 0);
	assert_int_equal(map_linear(&f, at + 4 * 4096, 2 * GIB, 4096, false), 0);
	assert_int_equal(pgtsim_translate(&f.pgt, at, &t), 0);
	run = (struct pgtsim_run){
		.table = pgtsim_memory_table(f.memory, t.step[2].desc & 0xfffffffff000),
		.level = PGTSIM_PTE,
		.index = 0,
		.count = 512,
		.va = VA,
		.last = VA + 2 * MIB - 1,
	};
	assert_int_equal(pgtsim_run_live(&f.pgt, &run), 5);
	assert_int_equal(pgtsim_run_zeros(&f.pgt, run.table, 0, 512), 8);
	assert_int_equal(pgtsim_run_zeros(&f.pgt, run.table, 3, 2), 2);
	assert_int_equal(pgtsim_run_zeros(&f.pgt, run.table, 8, 9), 0);
	assert_int_equal(pgtsim_run_uniform(&f.pgt, run.table, 8, 504, 4096), 4);
	assert_int_equal(pgtsim_run_uniform(&f.pgt, run.table, 8, 3, 4096), 3);
	assert_int_equal(pgtsim_table_first(&f.pgt, run.table), 8);
	assert_int_equal(pgtsim_entry(&f.pgt, run.table, 12), t.desc + GIB);
	part = pgtsim_run_part(&f.pgt, &run, at + 4096, at + 5 * 4096);
	assert_int_equal(part.index, 9);
	assert_int_equal(part.count, 5);
	assert_int_equal(part.va, at + 4096);
	assert_int_equal(part.last, at + 5 * 4096);
	assert_int_equal(pgtsim_run_live(&f.pgt, &part), 4);
	pgtsim_run_clear(&f.pgt, &part, 4, 0);
	assert_int_equal(pgtsim_table_first(&f.pgt, run.table), 8);
	assert_int_equal(run.table->live, 1);
	part = pgtsim_run_part(&f.pgt, &run, at, at);
	pgtsim_run_clear(&f.pgt, &part, 1, 0);
	assert_int_equal(pgtsim_table_first(&f.pgt, run.table), 512);
	fixture_fini(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(walk_in_order),           cmocka_unit_test(walk_of_one_byte),
	cmocka_unit_test(visitors_steer),          cmocka_unit_test(walk_without_pages),
	cmocka_unit_test(shared_walk_looks_again), cmocka_unit_test(walk_of_a_broken_entry),
	cmocka_unit_test(questions_about_runs),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
