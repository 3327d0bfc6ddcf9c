/* SPDX-License-Identifier: MIT */
/* protect: attributes of live leaves, splits, joins, vmap. */
#include "fixture.h"

#include <pgtsim/protect.h>

#define VA UINT64_C(0xffff000040000000)

static void start(struct fixture *f, const char *profile_name, unsigned kib, unsigned va_bits)
{
	const struct pgtsim_policy policy = profile(profile_name);
	const struct pgtsim_geometry geo = linux_geometry(kib, va_bits, 0, 48);

	fixture_init(f, &policy, &geo);
	f->tlb.bbml2 = true;
}

/* Maps with all the large leaves that fit. */
static void map_large(struct fixture *f, uint64_t va, uint64_t pa, uint64_t size)
{
	struct pgtsim_map map = linear_map(f, va, pa, size);

	map.blocks = map.cont = true;
	assert_int_equal(pgtsim_map(&f->pgt, &map), 0);
}

static uint64_t desc_at(struct fixture *f, uint64_t va, int *level)
{
	struct pgtsim_translation at;

	pgtsim_translate(&f->pgt, va, &at);
	*level = at.level;
	return at.desc;
}

static void assert_leaf(struct fixture *f, uint64_t va, int level, bool hint)
{
	int is;
	uint64_t desc = desc_at(f, va, &is);

	assert_int_equal(is, level);
	assert_int_equal((desc & PGTSIM_DESC_CONT) != 0, hint);
}

/*
 * Splitting one page out of a block of 1 GiB: the pud becomes hinted pmds, the group around the page
 * loses its hint, its pmd becomes hinted ptes, and the group there loses its hint. Two tables.
 */
static void page_out_of_a_gigabyte(void **state)
{
	const uint64_t page = VA + 5 * MIB + 3 * 4096;
	struct fixture f;

	(void)state;
	start(&f, "linux-7.3", 4, 48);
	map_large(&f, VA, GIB, GIB);
	assert_leaf(&f, page, PGTSIM_PUD, false);
	pgtsim_tlb_reset_counts(&f.tlb);
	assert_int_equal(pgtsim_split(&f.pgt, page, page + 4096), 0);
	assert_leaf(&f, page, PGTSIM_PTE, false);
	assert_leaf(&f, page + 64 * KIB, PGTSIM_PTE, true);
	assert_leaf(&f, VA + 2 * MIB, PGTSIM_PMD, false);
	assert_leaf(&f, VA + 32 * MIB, PGTSIM_PMD, true);
	assert_int_equal(f.tlb.counts.tables_allocated, 2);
	assert_int_equal(f.tlb.counts.tables_constructed, 2);
	assert_int_equal(f.tlb.counts.tlbi_leaf + f.tlb.counts.tlbi_walk + f.tlb.counts.tlbi_all,
			 0);
	/* DSB ISHST before each link, DSB ISHST and ISB at the end. */
	assert_int_equal(f.tlb.counts.dsb, 3);
	assert_int_equal(f.tlb.counts.isb, 1);
	fixture_fini(&f);
}

/* What a leaf says besides its size, and where it leads. */
static uint64_t meaning(struct fixture *f, uint64_t va)
{
	struct pgtsim_translation at;

	assert_int_equal(pgtsim_translate(&f->pgt, va, &at), 0);
	return at.pa | (uint64_t)at.writable << 60 | (uint64_t)at.executable << 61;
}

/* However memory is split, on any granule, every address translates as before. */
static void splits_change_no_translation(void **state)
{
	static const struct {
		unsigned kib, va;
	} rows[] = { { 4, 39 },  { 4, 48 },  { 16, 36 }, { 16, 47 },
		     { 16, 48 }, { 64, 42 }, { 64, 48 } };
	uint32_t seed = 7;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct fixture f;
		uint64_t page, start_va;

		start(&f, "linux-7.3", rows[i].kib, rows[i].va);
		page = (uint64_t)rows[i].kib * KIB;
		start_va = pgtsim_va_start(&f.pgt.geo);
		map_large(&f, start_va, 0, 2 * GIB);
		for (unsigned n = 0; n < 40; n++) {
			uint64_t at = random_next(&seed) % (2 * GIB / page) * page;
			uint64_t size = (1 + random_next(&seed) % 64) * page;

			if (at + size > 2 * GIB)
				continue;
			assert_int_equal(pgtsim_split(&f.pgt, start_va + at, start_va + at + size),
					 0);
		}
		for (uint64_t at = 0; at < 2 * GIB; at += 37 * page)
			assert_int_equal(meaning(&f, start_va + at), at | UINT64_C(1) << 60);
		assert_int_equal(f.tlb.counts.violations, 0);
		fixture_fini(&f);
	}
}

/* Without memory for a table -ENOMEM; what was split before it stays so, and attributes stay. */
static void split_without_memory(void **state)
{
	const uint64_t page = VA + 5 * MIB + 3 * 4096;
	struct fixture f;

	(void)state;
	start(&f, "linux-7.3", 4, 48);
	map_large(&f, VA, GIB, GIB);
	pgtsim_memory_fail(f.memory, 2, false);
	assert_int_equal(pgtsim_protect(&f.pgt, page, 4096, PGTSIM_PROTECT_RO, false), -ENOMEM);
	assert_leaf(&f, page, PGTSIM_PMD, false);
	assert_int_equal(meaning(&f, page), (GIB + (page - VA)) | UINT64_C(1) << 60);
	assert_int_equal(pgtsim_protect(&f.pgt, page, 4096, PGTSIM_PROTECT_RO, false), 0);
	assert_int_equal(meaning(&f, page), GIB + (page - VA));
	assert_int_equal(meaning(&f, page + 4096), (GIB + (page + 4096 - VA)) | UINT64_C(1) << 60);
	assert_int_equal(f.tlb.counts.violations, 0);
	fixture_fini(&f);
}

/* Where a table is missing the kernel changes nothing, and flushes what it was asked to change. */
static void without_memory_it_flushes(void **state)
{
	static const struct {
		enum pgtsim_protect what;
		bool noflush;
		uint64_t leaves, dsb;
	} rows[] = {
		{ PGTSIM_PROTECT_RO, false, 4, 2 },
		{ PGTSIM_PROTECT_INVALID, false, 4, 2 },
		{ PGTSIM_PROTECT_VALID, false, 0, 0 },
		{ PGTSIM_PROTECT_DEFAULT, true, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct fixture f;

		start(&f, "linux-7.3", 4, 48);
		map_large(&f, VA, GIB, GIB);
		pgtsim_tlb_reset_counts(&f.tlb);
		pgtsim_memory_fail(f.memory, 1, false);
		assert_int_equal(
			pgtsim_protect(&f.pgt, VA + MIB, 4 * 4096, rows[i].what, rows[i].noflush),
			-ENOMEM);
		assert_leaf(&f, VA, PGTSIM_PUD, false);
		assert_int_equal(f.tlb.counts.tlbi_leaf, rows[i].leaves);
		assert_int_equal(f.tlb.counts.dsb, rows[i].dsb);
		fixture_fini(&f);
	}
}

/* An entry of the root has barriers of its own, as set_swapper_pgd() has, valid or not. */
static void entries_of_the_root(void **state)
{
	static const struct {
		unsigned va_bits;
		uint64_t invalid, split; /* DSB and ISB: at once, and once more if put off */
	} rows[] = {
		{ 36, 1, 2 }, /* the pmd is the root */
		{ 47, 0, 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const uint64_t size = 32 * MIB;
		struct fixture f;
		uint64_t va;

		start(&f, "linux-7.3", 16, rows[i].va_bits);
		va = pgtsim_va_start(&f.pgt.geo);
		map_large(&f, va, GIB, 2 * size);
		pgtsim_tlb_reset_counts(&f.tlb);
		assert_int_equal(pgtsim_protect(&f.pgt, va, size, PGTSIM_PROTECT_INVALID, true), 0);
		assert_int_equal(f.tlb.counts.isb, rows[i].invalid);
		assert_int_equal(f.tlb.counts.dsb, rows[i].invalid);
		pgtsim_tlb_reset_counts(&f.tlb);
		assert_int_equal(pgtsim_split(&f.pgt, va + size, va + size + 16 * KIB), 0);
		assert_int_equal(f.tlb.counts.isb, rows[i].split);
		assert_int_equal(f.tlb.counts.dsb, rows[i].split + 1);
		assert_int_equal(f.tlb.counts.violations, 0);
		fixture_fini(&f);
	}
}

/* Each kind of change clears one mask and sets another, in every leaf wholly inside. */
static void masks(void **state)
{
	static const struct {
		enum pgtsim_protect what;
		uint64_t from, to;
	} rows[] = {
		{ PGTSIM_PROTECT_RO, 0x00e8000040000707, 0x00e0000040000787 },
		{ PGTSIM_PROTECT_RW, 0x00e0000040000787, 0x00e8000040000707 },
		{ PGTSIM_PROTECT_X, 0x00e8000040000707, 0x00c8000040000707 },
		{ PGTSIM_PROTECT_NX, 0x00cc000040000707, 0x00e8000040000707 },
		{ PGTSIM_PROTECT_INVALID, 0x00e8000040000707, 0x00e8000040000f06 },
		{ PGTSIM_PROTECT_VALID, 0x00e8000040000f06, 0x00e8000040000707 },
		{ PGTSIM_PROTECT_DEFAULT, 0x00e0000040000f86, 0x00e8000040000707 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct fixture f;
		int level;

		start(&f, "linux-7.3", 4, 48);
		assert_int_equal(map_linear(&f, VA, GIB, 4096, false), 0);
		assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PTE, VA, rows[i].from), 0);
		pgtsim_tlb_reset_counts(&f.tlb);
		assert_int_equal(pgtsim_protect(&f.pgt, VA, 4096, rows[i].what, false), 0);
		assert_int_equal(desc_at(&f, VA, &level), rows[i].to);
		/* Leaves that only become valid again are not flushed. */
		assert_int_equal(f.tlb.counts.tlbi_leaf, rows[i].what != PGTSIM_PROTECT_VALID);
		assert_int_equal(f.tlb.counts.dsb - 2 * f.tlb.counts.tlbi_leaf,
				 rows[i].to & PGTSIM_DESC_VALID);
		fixture_fini(&f);
	}
}

/* Up to 6.12 only ptes change, each with barriers of its own, and an invalid leaf has no mark. */
static void attributes_in_6_12(void **state)
{
	struct fixture f;
	int level;

	(void)state;
	start(&f, "linux-6.12", 4, 48);
	map_large(&f, VA, GIB, 2 * MIB);
	assert_int_equal(map_linear(&f, VA + 2 * MIB, GIB, 64 * KIB, false), 0);
	assert_int_equal(pgtsim_protect(&f.pgt, VA, 2 * MIB, PGTSIM_PROTECT_RO, false), -EINVAL);
	pgtsim_tlb_reset_counts(&f.tlb);
	assert_int_equal(pgtsim_protect(&f.pgt, VA + 2 * MIB, 64 * KIB, PGTSIM_PROTECT_RO, false),
			 0);
	assert_int_equal(f.tlb.counts.dsb, 16 + 2);
	assert_int_equal(f.tlb.counts.isb, 16 + 1);
	assert_int_equal(f.tlb.counts.tlbi_leaf, 16);
	assert_int_equal(pgtsim_protect(&f.pgt, VA + 2 * MIB, 4096, PGTSIM_PROTECT_INVALID, false),
			 0);
	assert_int_equal(desc_at(&f, VA + 2 * MIB, &level), 0x00e0000040000786);
	fixture_fini(&f);
}

/* A hole, an address inside a page, no bytes and what lies outside are refused before anything. */
static void refused(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, "linux-7.3", 4, 48);
	assert_int_equal(map_linear(&f, VA, GIB, 8192, false), 0);
	assert_int_equal(pgtsim_protect(&f.pgt, VA, 12288, PGTSIM_PROTECT_RO, false), -EINVAL);
	assert_int_equal(meaning(&f, VA), GIB | UINT64_C(1) << 60);
	assert_int_equal(pgtsim_protect(&f.pgt, VA + 1, 4096, PGTSIM_PROTECT_RO, false), -EINVAL);
	assert_int_equal(pgtsim_protect(&f.pgt, VA, 0, PGTSIM_PROTECT_RO, false), -EINVAL);
	assert_int_equal(pgtsim_protect(&f.pgt, 4096, 4096, PGTSIM_PROTECT_RO, false), -EINVAL);
	assert_int_equal(pgtsim_protect(&f.pgt, VA, 4096, PGTSIM_PROTECTS, false), -EINVAL);
	assert_int_equal(pgtsim_split(&f.pgt, VA + 1, VA + 4096), -EINVAL);
	assert_int_equal(pgtsim_split(&f.pgt, VA, VA), -EINVAL);
	assert_int_equal(pgtsim_join(&f.pgt, VA), -EINVAL);
	fixture_fini(&f);
}

/* Joining needs entries that are alike but for the contiguous hint, which a joined block lacks. */
static void joined_again(void **state)
{
	const uint64_t page = VA + 5 * MIB;
	struct fixture f;
	int level;

	(void)state;
	start(&f, "linux-7.3", 4, 48);
	map_large(&f, VA, GIB, GIB);
	assert_int_equal(pgtsim_split(&f.pgt, page, page + 4096), 0);
	/* The group around the page has lost its hint. */
	assert_int_equal(pgtsim_join(&f.pgt, page), 0);
	assert_leaf(&f, page, PGTSIM_PMD, false);
	assert_int_equal(pgtsim_protect(&f.pgt, page, 4096, PGTSIM_PROTECT_RO, false), 0);
	assert_int_equal(pgtsim_join(&f.pgt, page), -EINVAL);
	assert_int_equal(pgtsim_split(&f.pgt, VA + 512 * MIB, VA + 512 * MIB + 4096), 0);
	fixture_fini(&f);
	/* Split at a group's end, a pud block is pmds that all have the hint. */
	start(&f, "linux-7.3", 4, 48);
	map_large(&f, VA, GIB, GIB);
	assert_int_equal(pgtsim_split(&f.pgt, VA, VA + 32 * MIB), 0);
	assert_leaf(&f, VA, PGTSIM_PMD, true);
	assert_int_equal(pgtsim_join(&f.pgt, VA), 0);
	assert_leaf(&f, VA, PGTSIM_PUD, false);
	fixture_fini(&f);
	start(&f, "linux-7.3", 4, 48);
	assert_int_equal(map_linear(&f, VA, GIB, 2 * MIB, false), 0);
	pgtsim_tlb_reset_counts(&f.tlb);
	assert_int_equal(pgtsim_join(&f.pgt, VA + MIB), 0);
	assert_int_equal(desc_at(&f, VA, &level), 0x00e8000040000705);
	assert_int_equal(level, PGTSIM_PMD);
	assert_int_equal(f.tlb.counts.tables_freed, 1);
	assert_int_equal(f.tlb.counts.violations, 0);
	fixture_fini(&f);
}

/* A huge vmap where pages were: their empty table goes first, with one invalidate. */
static void huge_vmap_over_an_empty_table(void **state)
{
	const uint64_t va = UINT64_C(0xffff800000000000);
	struct fixture f;
	int level;

	(void)state;
	start(&f, "linux-7.3", 4, 48);
	assert_int_equal(pgtsim_vmap(&f.pgt, va, GIB, 2 * MIB, false), 0);
	assert_int_equal(f.tlb.counts.leaves_mapped, 512);
	assert_int_equal(pgtsim_vmap(&f.pgt, va, GIB, 2 * MIB, true), -EEXIST);
	assert_int_equal(pgtsim_vunmap(&f.pgt, va, 2 * MIB), 0);
	pgtsim_tlb_reset_counts(&f.tlb);
	assert_int_equal(pgtsim_vmap(&f.pgt, va, GIB, 2 * MIB, true), 0);
	assert_int_equal(f.tlb.counts.tables_freed, 1);
	assert_int_equal(f.tlb.counts.tlbi_walk, 1);
	assert_int_equal(desc_at(&f, va, &level) & 0xfff, 0x701);
	assert_int_equal(level, PGTSIM_PMD);
	assert_int_equal(pgtsim_vunmap(&f.pgt, va, 2 * MIB), 0);
	assert_int_equal(f.tlb.counts.violations, 0);
	fixture_fini(&f);
}

/* An entry that points to no table ends a vmap before it maps anything. */
static void vmap_below_no_table(void **state)
{
	const uint64_t va = UINT64_C(0xffff800000000000);

	(void)state;
	for (int level = PGTSIM_PUD; level <= PGTSIM_PMD; level++) {
		uint64_t size = level == PGTSIM_PUD ? GIB : 2 * MIB;
		struct fixture f;

		start(&f, "linux-7.3", 4, 48);
		assert_int_equal(pgtsim_vmap(&f.pgt, va, GIB, 4096, false), 0);
		assert_int_equal(pgtsim_poke(&f.pgt, level, va + 2 * size, 0x123003), 0);
		pgtsim_tlb_reset_counts(&f.tlb);
		assert_int_equal(pgtsim_vmap(&f.pgt, va + size, GIB, 2 * size, false), -EFAULT);
		assert_int_equal(f.tlb.counts.leaves_mapped, 0);
		fixture_fini(&f);
	}
}

/* A pmd table stays where memory is aligned for pmd blocks only: vmap_try_huge_pud() refuses it. */
static void huge_vmap_keeps_the_table_of_its_blocks(void **state)
{
	const uint64_t va = VA + 512 * GIB;
	struct fixture f;
	int level;

	(void)state;
	start(&f, "linux-7.3", 4, 48);
	assert_int_equal(pgtsim_vmap(&f.pgt, va, 4 * GIB, 4096, false), 0);
	assert_int_equal(pgtsim_vunmap(&f.pgt, va, 4096), 0);
	pgtsim_tlb_reset_counts(&f.tlb);
	assert_int_equal(pgtsim_vmap(&f.pgt, va, 4 * GIB + 2 * MIB, GIB, true), 0);
	assert_int_equal(f.tlb.counts.tables_freed, 1);
	assert_int_equal(f.tlb.counts.tables_allocated, 0);
	desc_at(&f, va, &level);
	assert_int_equal(level, PGTSIM_PMD);
	assert_int_equal(pgtsim_vunmap(&f.pgt, va, GIB), 0);
	pgtsim_tlb_reset_counts(&f.tlb);
	assert_int_equal(pgtsim_vmap(&f.pgt, va, 4 * GIB, GIB, true), 0);
	assert_int_equal(f.tlb.counts.tables_freed, 1);
	desc_at(&f, va, &level);
	assert_int_equal(level, PGTSIM_PUD);
	assert_int_equal(f.tlb.counts.violations, 0);
	fixture_fini(&f);
}

/*
 * Barriers of vmap: for each page and link up to 6.12, later one pair for all pages of a table. The knob
 * decides, whatever becomes of live leaves.
 */
static void vmap_barriers(void **state)
{
	static const struct {
		const char *profile;
		uint64_t pages, dsb;
		const char *batching;
	} rows[] = {
		/* Links of a pud, a pmd and a pte table, of which the root's has a pair too. */
		{ "linux-6.1", 24, 2 + 24, "off" }, { "linux-6.12", 24, 3 + 24, "off" },
		{ "linux-7.3", 24, 3 + 1, "on" },   { "linux-6.1", 24, 2 + 1, "on" },
		{ "linux-7.3", 24, 3 + 24, "off" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture f;

		start(&f, rows[i].profile, 4, 48);
		f.policy.live_split = !f.policy.live_split;
		assert_int_equal(pgtsim_policy_set(&f.policy, "vmalloc-batching", rows[i].batching),
				 0);
		pgtsim_tlb_reset_counts(&f.tlb);
		assert_int_equal(pgtsim_vmap(&f.pgt, VA, GIB, rows[i].pages * 4096, false), 0);
		assert_int_equal(f.tlb.counts.tables_allocated, 3);
		assert_int_equal(f.tlb.counts.dsb, rows[i].dsb);
		assert_int_equal(f.tlb.counts.isb, rows[i].dsb);
		assert_int_equal(f.tlb.counts.violations, 0);
		fixture_fini(&f);
	}
}

/* Whole groups of pages get the hint where vmap may use large leaves; they go as a whole again. */
static void vmap_groups(void **state)
{
	static const unsigned granules[] = { 4, 16, 64 };

	(void)state;
	for (size_t i = 0; i < sizeof(granules) / sizeof(granules[0]); i++) {
		uint64_t page = granules[i] * KIB, group;
		const uint64_t va = UINT64_C(0xffff801000000000);
		struct fixture f;
		int level;

		start(&f, "linux-7.3", granules[i], granules[i] == 16 ? 47 : 48);
		group = page << f.pgt.geo.cont[pgtsim_slot(PGTSIM_PTE)];
		assert_int_equal(pgtsim_vmap(&f.pgt, va - page, GIB - page, 2 * group, true), 0);
		assert_false(desc_at(&f, va - page, &level) & PGTSIM_DESC_CONT);
		assert_true(desc_at(&f, va, &level) & PGTSIM_DESC_CONT);
		assert_true(desc_at(&f, va + group - page, &level) & PGTSIM_DESC_CONT);
		assert_false(desc_at(&f, va + group, &level) & PGTSIM_DESC_CONT);
		assert_int_equal(pgtsim_vunmap(&f.pgt, va + 2 * page, page), 0);
		assert_int_equal(desc_at(&f, va, &level), 0);
		assert_int_equal(desc_at(&f, va + group - page, &level), 0);
		assert_int_not_equal(desc_at(&f, va + group, &level), 0);
		assert_int_not_equal(desc_at(&f, va - page, &level), 0);
		fixture_fini(&f);
	}
}

/* Without memory for a table vmap keeps what it has mapped, in every profile. */
static void vmap_without_memory(void **state)
{
	(void)state;
	for (const char *const *name = pgtsim_profiles(); *name; name++) {
		struct fixture f;

		if (!strncmp(*name, "s390", 4))
			continue;
		start(&f, *name, 4, 48);
		pgtsim_memory_fail(f.memory, 4, false);
		assert_int_equal(pgtsim_vmap(&f.pgt, VA, GIB, 4 * MIB, false), -ENOMEM);
		assert_int_equal(f.tlb.counts.leaves_mapped, 512);
		assert_int_equal(f.tlb.counts.violations, 0);
		fixture_fini(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(page_out_of_a_gigabyte),
		cmocka_unit_test(splits_change_no_translation),
		cmocka_unit_test(split_without_memory),
		cmocka_unit_test(without_memory_it_flushes),
		cmocka_unit_test(entries_of_the_root),
		cmocka_unit_test(masks),
		cmocka_unit_test(attributes_in_6_12),
		cmocka_unit_test(refused),
		cmocka_unit_test(joined_again),
		cmocka_unit_test(huge_vmap_over_an_empty_table),
		cmocka_unit_test(vmap_below_no_table),
		cmocka_unit_test(huge_vmap_keeps_the_table_of_its_blocks),
		cmocka_unit_test(vmap_barriers),
		cmocka_unit_test(vmap_groups),
		cmocka_unit_test(vmap_without_memory),
	};

	return cmocka_run_group_tests_name("protect", tests, NULL, NULL);
}
