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

/* Geometries of 3 levels that use all of the root, tables smaller and larger than a page among them. */
static size_t three_levels(struct geometry_case out[MAX_GEOMETRIES])
{
	struct geometry_case all[MAX_GEOMETRIES];
	const struct pgtsim_policy latest = profile("latest"), s390 = profile("s390-7.3");
	size_t n = 0;

	for (int i = 0; i < 2; i++) {
		size_t count = all_geometries(all, i ? &s390 : &latest);

		for (size_t k = 0; k < count; k++)
			if (all[k].geo.levels == 3 && !pgtsim_index(&all[k].geo, PGTSIM_PUD,
								    pgtsim_va_start(&all[k].geo)))
				out[n++] = all[k];
	}
	assert_true(n > 10 && out[n - 1].geo.format == PGTSIM_FORMAT_S390);
	return n;
}

/* Maps one page, the 4th in the 2nd entry of the 3rd entry of the root. */
static void init_walk(struct fixture *f, const struct pgtsim_geometry *geo, uint64_t *page)
{
	const struct pgtsim_policy policy = latest_for(geo);

	fixture_init(f, &policy, geo);
	*page = pgtsim_va_start(geo) + 2 * pgtsim_entry_size(geo, PGTSIM_PUD) +
		pgtsim_entry_size(geo, PGTSIM_PMD) + 3 * pgtsim_page_size(geo);
	assert_int_equal(map_linear(f, *page, 0, pgtsim_page_size(geo), false), 0);
}

/* Runs a test for each of them. */
static void each_of_three_levels(void (*test)(const struct pgtsim_geometry *geo))
{
	struct geometry_case cases[MAX_GEOMETRIES];
	size_t n = three_levels(cases);

	for (size_t i = 0; i < n; i++)
		test(&cases[i].geo);
}

static void assert_visits(const struct visits *v, const struct visit *expected, size_t n)
{
	assert_int_equal(v->n, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(v->visit[i].kind, expected[i].kind);
		assert_int_equal(v->visit[i].level, expected[i].level);
		assert_int_equal(v->visit[i].index, expected[i].index);
		assert_int_equal(v->visit[i].count, expected[i].count);
		assert_int_equal(v->visit[i].va, expected[i].va);
		assert_int_equal(v->visit[i].last, expected[i].last);
	}
}

static void check_order(const struct pgtsim_geometry *geo)
{
	uint64_t start = pgtsim_va_start(geo), last = pgtsim_va_last(geo);
	uint64_t pud = start + 2 * pgtsim_entry_size(geo, PGTSIM_PUD);
	uint64_t pud_end = pud + pgtsim_entry_size(geo, PGTSIM_PUD);
	uint64_t pmd = pud + pgtsim_entry_size(geo, PGTSIM_PMD);
	uint64_t pmd_end = pmd + pgtsim_entry_size(geo, PGTSIM_PMD);
	unsigned pmds = pgtsim_entries(geo, PGTSIM_PMD), ptes = pgtsim_entries(geo, PGTSIM_PTE);
	const struct visit expected[] = {
		{ 'e', 1, 0, 2, start + 5, pud - 1 },
		{ 't', 1, 2, 1, pud, pud_end - 1 },
		{ 'e', 2, 0, 1, pud, pmd - 1 },
		{ 't', 2, 1, 1, pmd, pmd_end - 1 },
		{ 'e', 3, 0, ptes, pmd, pmd_end - 1 },
		{ 'd', 2, 1, 1, pmd, pmd_end - 1 },
		{ 'e', 2, 2, pmds - 2, pmd_end, pud_end - 1 },
		{ 'd', 1, 2, 1, pud, pud_end - 1 },
		{ 'e', 1, 3, pgtsim_entries(geo, PGTSIM_PUD) - 3, pud_end, last - 5 },
	};
	struct visits v = { .n = 0 };
	struct fixture f;
	uint64_t page;

	init_walk(&f, geo, &page);
	assert_int_equal(pgtsim_walk(&f.pgt, start + 5, last - 5, &noting, &v), 0);
	assert_visits(&v, expected, COUNT(expected));
	fixture_fini(&f);
}

/* The walker visits runs ascending, a table's entry before and after what is below it. */
static void walk_in_order(void **state)
{
	(void)state;
	each_of_three_levels(check_order);
}

static void check_one_byte(const struct pgtsim_geometry *geo)
{
	struct visits v = { .n = 0 };
	uint64_t page;
	struct fixture f;

	init_walk(&f, geo, &page);
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

/* One byte: only the entries that translate it, cut to it. */
static void walk_of_one_byte(void **state)
{
	(void)state;
	each_of_three_levels(check_one_byte);
}

static void check_steering(const struct pgtsim_geometry *geo)
{
	static const struct pgtsim_visitor nothing = { .entries = NULL };
	uint64_t page, start = pgtsim_va_start(geo), last = pgtsim_va_last(geo);
	struct fixture f;

	init_walk(&f, geo, &page);
	for (unsigned i = 0; i < 3; i++) {
		struct visits v = { .answer = -EBUSY, .when = "etd"[i], .countdown = 2 };

		assert_int_equal(pgtsim_walk(&f.pgt, start, last, &noting, &v), -EBUSY);
		assert_int_equal(v.n, (unsigned)"\3\4\10"[i]);
	}
	{
		struct visits v = { .answer = PGTSIM_WALK_SKIP, .when = 't', .countdown = 1 };

		assert_int_equal(pgtsim_walk(&f.pgt, start, last, &noting, &v), 0);
		assert_int_equal(v.n, 3); /* e t(skipped) e */
	}
	{
		struct visits v = { .answer = PGTSIM_WALK_AGAIN, .when = 'e', .countdown = 1 };

		assert_int_equal(pgtsim_walk(&f.pgt, start, last, &noting, &v), 0);
		assert_int_equal(v.n, 10); /* the first run twice */
		assert_int_equal(v.visit[1].index, v.visit[0].index);
		assert_int_equal(v.visit[1].count, v.visit[0].count);
	}
	assert_int_equal(pgtsim_walk(&f.pgt, start, last, &nothing, NULL), 0);
	assert_int_equal(pgtsim_walk(&f.pgt, start - 1, last, &nothing, NULL), -EINVAL);
	assert_int_equal(pgtsim_walk(&f.pgt, start, last + 1, &nothing, NULL), -EINVAL);
	assert_int_equal(pgtsim_walk(&f.pgt, start + 1, start, &nothing, NULL), -EINVAL);
	fixture_fini(&f);
}

/* A visitor may stop the walk, leave a table out, or be left out itself. */
static void visitors_steer(void **state)
{
	(void)state;
	each_of_three_levels(check_steering);
}

/* With `no_pages` nobody is called for entries of the last level, whatever else is asked for. */
static void walk_without_pages(void **state)
{
	const struct pgtsim_policy latest = profile("latest"), s390 = profile("s390-7.3");
	struct geometry_case cases[2 * MAX_GEOMETRIES];
	size_t n = all_geometries(cases, &latest);

	(void)state;
	n += all_geometries(&cases[n], &s390);
	for (size_t i = 0; i < 4 * n; i++) {
		const struct pgtsim_geometry *geo = &cases[i / 4].geo;
		const struct pgtsim_policy policy = latest_for(geo);
		const uint64_t va = pgtsim_va_start(geo), last = pgtsim_va_last(geo);
		const struct pgtsim_visitor visitor = {
			.entries = note_entries,
			.table = i & 1 ? note_table : NULL,
			.no_pages = true,
		};
		struct visits v = { .n = 0 };
		struct fixture f;

		fixture_init(&f, &policy, geo);
		assert_int_equal(map_linear(&f, va, 0, pgtsim_page_size(geo), false), 0);
		assert_int_equal(pgtsim_walk(&f.pgt, va, i & 2 ? va : last, &visitor, &v), 0);
		assert_int_equal(!v.n, geo->levels == 1 || (i & 3) == 2);
		while (v.n--)
			assert_true(v.visit[v.n].kind == 't' || v.visit[v.n].level < PGTSIM_PTE);
		fixture_fini(&f);
	}
}

/* Another thread links a table behind the walk's first run. */
struct other_thread {
	uint64_t va, desc;
	unsigned entries, tables, of_root; /* calls, and how many entries the root has */
};

static int link_behind(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	struct other_thread *other = arg;

	if (other->entries++)
		return 0;
	assert_int_equal(run->count, other->of_root);
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

static void check_shared_walk(const struct pgtsim_geometry *geo)
{
	static const struct pgtsim_visitor visitor = { .entries = link_behind,
						       .table = count_table };
	struct other_thread other = { .of_root = pgtsim_entries(geo, PGTSIM_PUD) };
	uint64_t page = pgtsim_page_size(geo), last = pgtsim_va_last(geo);
	struct fixture f;

	init_walk(&f, geo, &other.va);
	f.pgt.access = PGTSIM_ACCESS_SHARED;
	other.desc = entry_at(&f, PGTSIM_PUD, other.va);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PUD, other.va, 0), 0);
	assert_int_equal(map_linear(&f, last, page - 1, 1, false), 0); /* the root is not empty */
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PUD, last, 1), 0);
	assert_int_equal(pgtsim_walk(&f.pgt, pgtsim_va_start(geo), last, &visitor, &other), 0);
	assert_int_equal(other.tables, 1);
	assert_int_equal(other.entries, 3);
	fixture_drop(&f);
}

/* What a shared table held when it was looked at first is not believed later. */
static void shared_walk_looks_again(void **state)
{
	(void)state;
	each_of_three_levels(check_shared_walk);
}

static void check_broken_entry(const struct pgtsim_geometry *geo)
{
	struct pgtsim_visitor strict = noting;
	uint64_t page, start = pgtsim_va_start(geo), last = pgtsim_va_last(geo);
	struct fixture f;

	init_walk(&f, geo, &page);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PUD, start, 0x50000003), 0);
	{
		struct visits v = { .n = 0 };

		assert_int_equal(pgtsim_walk(&f.pgt, start, last, &noting, &v), 0);
		assert_int_equal(v.n, 9);
		assert_int_equal(v.visit[0].index, 1);
		assert_int_equal(f.tlb.counts.violations, 1);
	}
	{
		struct visits v = { .n = 0 };

		strict.strict = true;
		assert_int_equal(pgtsim_walk(&f.pgt, start, last, &strict, &v), -EFAULT);
		assert_int_equal(v.n, 0);
		assert_int_equal(f.tlb.counts.violations, 2);
		assert_string_equal(first_violation(&f), "not-a-table");
		assert_int_equal(f.tlb.violations[0].va, start);
		assert_int_equal(f.tlb.violations[0].level, PGTSIM_PUD);
	}
	fixture_fini(&f);
}

/* A table entry that points nowhere is left out and noted; a strict visitor stops there. */
static void walk_of_a_broken_entry(void **state)
{
	(void)state;
	each_of_three_levels(check_broken_entry);
}

/* All of the last table that translates va. */
static struct pgtsim_run all_of_table(const struct fixture *f, uint64_t va)
{
	const struct pgtsim_geometry *geo = &f->pgt.geo;
	uint64_t pa = pgtsim_desc_address(geo, PGTSIM_PMD, entry_at(f, PGTSIM_PMD, va));
	uint64_t start = pgtsim_entry_base(geo, PGTSIM_PMD, va);

	return (struct pgtsim_run){
		.table = pgtsim_memory_table(f->memory, pa),
		.level = PGTSIM_PTE,
		.count = pgtsim_entries(geo, PGTSIM_PTE),
		.va = start,
		.last = start + pgtsim_entry_size(geo, PGTSIM_PMD) - 1,
	};
}

static void check_runs(const struct pgtsim_policy *policy, const struct pgtsim_geometry *geo)
{
	const uint64_t va = pgtsim_va_start(geo), page = pgtsim_page_size(geo), at = va + 8 * page;
	const unsigned ptes = pgtsim_entries(geo, PGTSIM_PTE);
	struct pgtsim_run run, part;
	struct fixture f;

	if (geo->levels == 1 || ptes < 16)
		return;
	fixture_init(&f, policy, geo);
	assert_int_equal(map_linear(&f, at, GIB, 4 * page, false), 0);
	assert_int_equal(map_linear(&f, at + 4 * page, 2 * GIB, page, false), 0);
	run = all_of_table(&f, at);
	assert_int_equal(pgtsim_run_live(&f.pgt, &run), 5);
	assert_int_equal(pgtsim_run_zeros(&f.pgt, run.table, 0, ptes), 8);
	assert_int_equal(pgtsim_run_zeros(&f.pgt, run.table, 3, 2), 2);
	assert_int_equal(pgtsim_run_zeros(&f.pgt, run.table, 8, 5), 0);
	assert_int_equal(pgtsim_run_uniform(&f.pgt, run.table, 8, ptes - 8, page), 4);
	assert_int_equal(pgtsim_run_uniform(&f.pgt, run.table, 8, 3, page), 3);
	assert_int_equal(pgtsim_table_first(&f.pgt, run.table), 8);
	assert_int_equal(pgtsim_entry(&f.pgt, run.table, 12),
			 entry_at(&f, PGTSIM_PTE, at) + GIB);
	part = pgtsim_run_part(&f.pgt, &run, at + page, at + 5 * page);
	assert_int_equal(part.index, 9);
	assert_int_equal(part.count, 5);
	assert_int_equal(part.va, at + page);
	assert_int_equal(part.last, at + 5 * page);
	assert_int_equal(pgtsim_run_live(&f.pgt, &part), 4);
	pgtsim_run_clear(&f.pgt, &part, 4, 0);
	assert_int_equal(pgtsim_table_first(&f.pgt, run.table), 8);
	assert_int_equal(run.table->live, 1);
	part = pgtsim_run_part(&f.pgt, &run, at, at);
	pgtsim_run_clear(&f.pgt, &part, 1, 0);
	assert_int_equal(pgtsim_table_first(&f.pgt, run.table), ptes);
	fixture_fini(&f);
}

/* Questions about runs: live, zeros, uniform, and the part of a run. */
static void questions_about_runs(void **state)
{
	(void)state;
	each_geometry("latest", check_runs);
	each_geometry("s390-7.3", check_runs);
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
