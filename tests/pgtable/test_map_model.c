/* SPDX-License-Identifier: MIT */
/* Mappings of small page tables against a flat array, and records against entries. */
#include "page_table.h"

/* ---- the flat oracle ---- */

enum { TOY_PAGES = 1024 };

/* A toy table laid flat: what each entry of each level is. */
struct flat {
	const struct pgtsim_geometry *geo;
	bool table[PGTSIM_MAX_LEVELS][TOY_PAGES]; /* a table hangs under the entry */
	uint64_t leaf[PGTSIM_MAX_LEVELS][TOY_PAGES];
};

static unsigned flat_shift(int level)
{
	return 2 * (unsigned)(PGTSIM_PTE - level);
}

/* Whether the page is mapped, by a leaf of any level. */
static bool flat_mapped(const struct flat *flat, unsigned page)
{
	for (int level = pgtsim_root_level(flat->geo); level <= PGTSIM_PTE; level++)
		if (flat->leaf[level + 1][page >> flat_shift(level)])
			return true;
	return false;
}

/* Maps pages [first, end) to frame on, one page after the other. */
static int flat_map(struct flat *flat, unsigned first, unsigned end, uint64_t frame, bool blocks,
		    bool cont, const struct pgtsim_policy *policy)
{
	for (unsigned page = first; page < end; page++)
		if (flat_mapped(flat, page))
			return -EEXIST;
	for (unsigned page = first; page < end; page++) {
		for (int level = pgtsim_root_level(flat->geo); level <= PGTSIM_PTE; level++) {
			unsigned shift = flat_shift(level), entry = page >> shift;
			unsigned size = 1u << shift, start = entry << shift, group = 2 * size;
			uint64_t to = frame + start - first;
			bool fits =
				start >= first && start + size <= end && to % size == 0 &&
				(level == PGTSIM_PTE || (blocks && flat->geo->block[level + 1]));
			bool whole = start / group * group >= first &&
				     start / group * group + group <= end &&
				     (frame - first) % group == 0;
			/* From 7.x on a group that holds a table gets no hint at all. */
			bool all_blocks = level == PGTSIM_PTE ||
					  policy->cont_group == PGTSIM_CONT_GROUP_ANY ||
					  (!flat->table[level + 1][entry & ~1u] &&
					   !flat->table[level + 1][entry | 1u]);
			bool hint = cont && all_blocks && level >= PGTSIM_PMD && whole &&
				    flat->geo->cont[level + 1] &&
				    (level == PGTSIM_PTE || level > pgtsim_root_level(flat->geo));

			if (fits && flat->table[level + 1][entry] &&
			    policy->block_over_table == PGTSIM_OVER_TABLE_SKIP)
				break;
			if (fits && !flat->table[level + 1][entry]) {
				flat->leaf[level + 1][entry] =
					pgtsim_desc_leaf(flat->geo, level, to << 12,
							 policy->prot[PGTSIM_PROT_TAGGED] |
								 (hint ? PGTSIM_DESC_CONT : 0));
				break;
			}
			flat->table[level + 1][entry] = true;
		}
	}
	return 0;
}

/* Whether the real table is the flat one. */
static void flat_compare(const struct flat *flat, const struct fixture *f)
{
	struct snapshot s = snapshot_take(f);
	size_t expected = 0;

	for (size_t i = 0; i < s.count; i++) {
		const struct snapshot_line *line = &s.line[i];
		size_t entry =
			(line->va - pgtsim_va_start(flat->geo)) >> (12 + flat_shift(line->level));

		if (pgtsim_desc_kind(line->level, line->desc) == PGTSIM_TABLE)
			assert_true(flat->table[line->level + 1][entry]);
		else
			assert_int_equal(line->desc, flat->leaf[line->level + 1][entry]);
	}
	for (int level = pgtsim_root_level(flat->geo); level <= PGTSIM_PTE; level++)
		for (unsigned i = 0; i < (unsigned)TOY_PAGES >> flat_shift(level); i++)
			expected += flat->table[level + 1][i] || flat->leaf[level + 1][i];
	assert_int_equal(s.count, expected);
	assert_int_equal(pgtsim_memory_ram_count(f->memory) - s.free_pages, s.tables);
	snapshot_free(&s);
}

/* What is in a toy before the mapping under test. */
enum { PRIOR_EMPTY, PRIOR_EMPTY_TABLES, PRIOR_PAGES, PRIORS };

static void prepare(struct fixture *f, struct flat *flat, unsigned prior)
{
	uint64_t start = pgtsim_va_start(flat->geo);
	unsigned pages = 1u << 2 * flat->geo->levels, at = pages / 2 - 1;

	if (prior == PRIOR_EMPTY)
		return;
	assert_int_equal(flat_map(flat, at, at + 3, 7, false, false, &f->policy), 0);
	assert_int_equal(map_linear(f, start + at * 4096, 7 * 4096, 3 * 4096, false), 0);
	if (prior == PRIOR_PAGES)
		return;
	for (unsigned page = at; page < at + 3; page++) {
		flat->leaf[PGTSIM_PTE + 1][page] = 0;
		assert_int_equal(pgtsim_poke(&f->pgt, PGTSIM_PTE, start + page * 4096, 0), 0);
	}
	pgtsim_pgtable_state(&f->pgt)->poked = false;
}

/* Empties the fixture's table again, the cheap way. */
static void start_again(struct fixture *f)
{
	struct pgtsim_geometry geo = f->pgt.geo;

	pgtsim_pgtable_fini(&f->pgt);
	assert_int_equal(free_pages_of(f), pgtsim_memory_ram_count(f->memory));
	assert_int_equal(pgtsim_pgtable_init(&f->pgt, &geo, &f->policy, &f->tlb,
					     pgtsim_memory_table_ops(f->memory),
					     PGTSIM_ACCESS_PRIVATE),
			 0);
}

/* One mapping into one prior state, in the real table and the flat one. */
static void check_toy_map(struct fixture *f, unsigned first, unsigned end, unsigned variant)
{
	static const uint64_t frames[] = { 0, 1, 4, 2048 + 2 };
	static struct flat flat;
	bool blocks = variant & 1, cont = variant & 2;
	uint64_t frame = first + frames[variant / 4 % 4];
	uint64_t va = pgtsim_va_start(&f->pgt.geo) + (uint64_t)first * 4096;
	struct pgtsim_map map = linear_map(f, va, frame << 12, (uint64_t)(end - first) << 12);

	memset(&flat, 0, sizeof(flat));
	flat.geo = &f->pgt.geo;
	prepare(f, &flat, variant / 16);
	map.blocks = blocks;
	map.cont = cont;
	assert_int_equal(pgtsim_map(&f->pgt, &map),
			 flat_map(&flat, first, end, frame, blocks, cont, &f->policy));
	flat_compare(&flat, f);
	start_again(f);
}

enum { VARIANTS = 16 * PRIORS };

/* All ranges, prior states, leaf sizes and offsets of toys of 1 to 3 levels match a flat array. */
static void toys_exhaustively(void **state)
{
	static const char *const profiles[] = { "linux-6.12", "latest" };

	(void)state;
	for (size_t p = 0; p < COUNT(profiles); p++) {
		const struct pgtsim_policy policy = profile(profiles[p]);

		for (unsigned levels = 1; levels <= 3; levels++) {
			const struct pgtsim_geometry geo = toy_geometry(levels);
			unsigned pages = 1u << 2 * levels, variant = 0;
			unsigned each = levels < 3 ? VARIANTS : 5; /* 5 does not divide 48 */
			struct fixture f;

			fixture_init(&f, &policy, &geo);
			for (unsigned i = 0; i < pages * pages; i++)
				for (unsigned v = 0; v < each && i / pages <= i % pages; v++)
					check_toy_map(&f, i / pages, i % pages + 1,
						      variant++ % VARIANTS);
			fixture_fini(&f);
		}
	}
}

/* Many ranges of toys of 4 and 5 levels match it too. */
static void toys_of_many_levels(void **state)
{
	static const char *const profiles[] = { "linux-6.12", "latest" };
	uint32_t seed = 1;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		const struct pgtsim_policy policy = profile(profiles[i % 2]);
		const struct pgtsim_geometry geo = toy_geometry(4 + i / 2);
		unsigned pages = 1u << 2 * geo.levels;
		struct fixture f;

		fixture_init(&f, &policy, &geo);
		for (unsigned n = 0; n < 1500; n++) {
			unsigned align = 1u << random_next(&seed) % 9;
			unsigned first = random_next(&seed) % pages / align * align;
			unsigned end = first + 1 + random_next(&seed) % (pages - first);

			if (random_next(&seed) % 2 && end / align * align > first)
				end = end / align * align;
			check_toy_map(&f, first, end, random_next(&seed) % VARIANTS);
		}
		fixture_fini(&f);
	}
}

/* Through any sequence of maps, clears and pokes each table's record agrees with its entries. */
static void records_stay_right(void **state)
{
	uint32_t seed = 7;

	(void)state;
	for (unsigned levels = 1; levels <= PGTSIM_MAX_LEVELS; levels++) {
		const struct pgtsim_geometry geo = toy_geometry(levels);
		const struct pgtsim_policy policy = profile("latest");
		uint64_t start = pgtsim_va_start(&geo), pages = -start >> 12;
		struct fixture f;

		fixture_init(&f, &policy, &geo);
		for (unsigned i = 0; i < 400; i++) {
			uint64_t first = random_next(&seed) % pages;
			uint64_t n =
				1 + random_next(&seed) % (pages - first < 9 ? pages - first : 9);
			uint64_t va = start + first * 4096;
			struct snapshot s;

			if (random_next(&seed) % 3)
				map_linear(&f, va, first << 12, n << 12, i % 2);
			else if (pgtsim_desc_kind(PGTSIM_PMD, entry_at(&f, PGTSIM_PMD, va)) ==
				 PGTSIM_BLOCK)
				pgtsim_poke(&f.pgt, PGTSIM_PMD, va, 0);
			else
				pgtsim_poke(&f.pgt, PGTSIM_PTE, va, random_next(&seed) % 2 * 0x800);
			s = snapshot_take(&f);
			snapshot_free(&s);
		}
		fixture_fini(&f);
	}
}

/* Mapping page by page does work in proportion to the pages, not to their square. */
static void work_is_linear(void **state)
{
	uint64_t work;
	struct fixture f;

	(void)state;
	init_4k(&f, "latest");
	assert_int_equal(map_linear(&f, VA, 0, GIB, false), 0);
	work = f.tlb.counts.work_entries;
	assert_true(work >= 262144 && work < 262144 + 8 * 512);
	fixture_fini(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(toys_exhaustively),
	cmocka_unit_test(toys_of_many_levels),
	cmocka_unit_test(records_stay_right),
	cmocka_unit_test(work_is_linear),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
