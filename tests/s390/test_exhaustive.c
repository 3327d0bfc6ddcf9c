/* SPDX-License-Identifier: MIT */
/*
 * Every range of a toy, added, and every other one removed, against a model that knows of no tables:
 * each page is mapped by a leaf of some level, or not.
 */
#include "hotplug.h"

enum { PAGES_MAX = 32768, PLACES_MAX = 40 };

/* What maps each page: a level, or NOTHING. */
enum { NOTHING = PGTSIM_PTE + 1 };

struct model {
	const struct pgtsim_geometry *geo;
	unsigned edat, pages, segment, region; /* the last three in pages: all, of a segment, of a region */
	bool at_zero, splits;
	int8_t by[PAGES_MAX];
};

static void model_init(struct model *m, const struct fixture *f, unsigned edat)
{
	const struct pgtsim_geometry *geo = &f->pgt.geo;

	m->geo = geo;
	m->edat = edat;
	m->segment = pgtsim_entries(geo, PGTSIM_PTE);
	m->region = m->segment * pgtsim_entries(geo, PGTSIM_PMD);
	m->pages = m->region * pgtsim_entries(geo, PGTSIM_PUD);
	m->at_zero = f->policy.leaf_at_zero;
	m->splits = f->policy.leaf_split == PGTSIM_SPLIT_FIRST;
	assert_true(m->pages <= PAGES_MAX);
	memset(m->by, NOTHING, m->pages);
}

/* Whether the `count` pages around `page` lie in [from, to), and nothing maps any of them. */
static bool is_free_block(const struct model *m, unsigned page, unsigned count, unsigned from,
			  unsigned to)
{
	unsigned base = page - page % count;

	if (base < from || base + count > to || (!base && !m->at_zero))
		return false;
	for (unsigned i = 0; i < count; i++)
		if (m->by[base + i] != NOTHING)
			return false;
	return true;
}

static void model_add(struct model *m, unsigned from, unsigned to)
{
	for (unsigned page = from, count; page < to; page += count) {
		int level = PGTSIM_PTE;

		count = 1;
		if (m->by[page] != NOTHING)
			continue;
		if (m->edat >= 2 && is_free_block(m, page, m->region, from, to)) {
			level = PGTSIM_PUD;
			count = m->region;
		} else if (m->edat >= 1 && is_free_block(m, page, m->segment, from, to)) {
			level = PGTSIM_PMD;
			count = m->segment;
		}
		memset(&m->by[page], level, count);
	}
}

/* Leaves that the range has in part stay; where the kernel splits, those of a region first. */
static void model_remove(struct model *m, unsigned from, unsigned to)
{
	for (unsigned page = from; page < to; page++) {
		unsigned count = 1, base;

		if (m->by[page] < PGTSIM_PTE)
			count = m->by[page] == PGTSIM_PUD ? m->region : m->segment;
		base = page - page % count;
		if (m->splits && m->by[page] == PGTSIM_PUD && (base < from || base + count > to)) {
			memset(&m->by[base], PGTSIM_PMD, count);
			count = m->segment;
			base = page - page % count;
		}
		if (base >= from && base + count <= to)
			memset(&m->by[base], NOTHING, count);
	}
}

/* Tables below the root: one where anything in it is mapped by less than one entry above it. */
static size_t model_tables(const struct model *m, uint64_t *frames)
{
	size_t tables = 0;

	*frames = 0;
	for (unsigned size = m->region, level = 0; level < 2; level++, size = m->segment)
		for (unsigned base = 0; base < m->pages; base += size)
			for (unsigned i = 0; i < size; i++)
				if (m->by[base + i] == PGTSIM_PTE ||
				    (!level && m->by[base + i] == PGTSIM_PMD)) {
					tables++;
					*frames += UINT64_C(1) << pgtsim_table_order(
							   m->geo, level ? PGTSIM_PTE : PGTSIM_PMD);
					break;
				}
	return tables;
}

static void check_page(const struct fixture *f, const struct model *m, unsigned page)
{
	uint64_t va = (uint64_t)page << 12;
	struct pgtsim_translation at;
	int ret;

	if (page >= m->pages)
		return;
	ret = pgtsim_translate(&f->pgt, va, &at);
	assert_int_equal(!ret, m->by[page] != NOTHING);
	if (ret)
		return;
	assert_int_equal(at.level, m->by[page]);
	assert_int_equal(at.pa, va);
}

struct places {
	unsigned page[PLACES_MAX], count; /* where ranges begin and end, ascending */
};

static void check(const struct fixture *f, const struct model *m, const struct places *places,
		  uint64_t free_before)
{
	uint64_t frames;
	size_t tables = model_tables(m, &frames);

	for (unsigned i = 0; i < places->count; i++) {
		check_page(f, m, places->page[i]);
		check_page(f, m, places->page[i] - 1);
	}
	assert_int_equal(f->tlb.counts.tables_allocated - f->tlb.counts.tables_freed, 1 + tables);
	assert_int_equal(free_before - free_pages_of(f), frames);
}

static void add(struct fixture *f, struct model *m, unsigned from, unsigned to)
{
	const struct pgtsim_map map = { .va = (uint64_t)from << 12,
					.pa = (uint64_t)from << 12,
					.size = (uint64_t)(to - from) << 12,
					.region = PGTSIM_REGION_LINEAR };

	assert_int_equal(pgtsim_map(&f->pgt, &map), 0);
	model_add(m, from, to);
}

static void drop(struct fixture *f, struct model *m, unsigned from, unsigned to)
{
	assert_int_equal(pgtsim_unmap_linear(&f->pgt, (uint64_t)from << 12,
					     (uint64_t)(to - from) << 12, 0, 0),
			 0);
	model_remove(m, from, to);
}

/* Adds one range and removes another; then adds the second one again, and removes everything. */
static void check_pair(struct fixture *f, struct model *m, const struct places *places,
		       const unsigned range[4])
{
	uint64_t before = free_pages_of(f);

	add(f, m, range[0], range[1]);
	check(f, m, places, before);
	drop(f, m, range[2], range[3]);
	check(f, m, places, before);
	add(f, m, range[2], range[3]);
	check(f, m, places, before);
	drop(f, m, 0, m->pages);
	check(f, m, places, before);
	assert_int_equal(f->pgt.root->live, 0);
}

static void check_toy(const char *name, const struct pgtsim_geometry *geo, unsigned edat,
		      const struct places *places, unsigned step)
{
	/* Gathered or not, the tables end alike; what is gathered is clean, too. */
	const bool gathers = edat != 1;
	struct pgtsim_policy policy = profile(name);
	static struct model m;
	unsigned number = 0;
	struct fixture f;

	policy.free_order = gathers ? PGTSIM_FREE_AFTER_INVALIDATE : PGTSIM_FREE_BEFORE_CLEAR;
	fixture_init(&f, &policy, geo);
	model_init(&m, &f, edat);
	for (unsigned a = 0; a < places->count; a++)
		for (unsigned b = a + 1; b < places->count; b++)
			for (unsigned c = 0; c < places->count; c++)
				for (unsigned d = c + 1; d < places->count; d++)
					if (number++ % step == 0 && in_share(number))
						check_pair(&f, &m, places,
							   (const unsigned[]){
								   places->page[a], places->page[b],
								   places->page[c], places->page[d] });
	assert_int_equal(!f.tlb.counts.violations, gathers);
	fixture_fini(&f);
}

static const char *const profiles[] = { "s390-5.9", "s390-6.12", "s390-7.3" };

/* Tables smaller than a page: two regions of two segments of 16 pages. */
static void test_small_tables(void **state)
{
	static const struct places places = {
		{ 0, 1, 7, 15, 16, 17, 31, 32, 33, 47, 48, 63, 64 }, 13
	};

	(void)state;
	for (size_t i = 0; i < COUNT(profiles); i++)
		for (unsigned edat = 0; edat <= 2; edat++) {
			const struct pgtsim_geometry geo = s390_toy(4, 1, 1, edat);

			check_toy(profiles[i], &geo, edat, &places, 3);
		}
}

/* Segment tables of 8K, two pages: ranges that begin and end about the seams of their entries. */
static void test_large_tables(void **state)
{
	static const struct places places = { { 0, 1, 16, 16383, 16384, 16400, 32768 }, 7 };

	(void)state;
	for (size_t i = 0; i < COUNT(profiles); i++)
		for (unsigned edat = 0; edat <= 2; edat++) {
			const struct pgtsim_geometry geo = s390_toy(4, 10, 1, edat);

			check_toy(profiles[i], &geo, edat, &places, 5);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small_tables),
		cmocka_unit_test(test_large_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
