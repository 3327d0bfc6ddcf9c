/* SPDX-License-Identifier: MIT */
/* set_memory_*() and set_direct_map_*(): what they refuse, what else they change, what it costs. */
#include <errno.h>

#include "hotplug.h"

enum { PAGES = 16 };

static const struct {
	const char *profile;
	unsigned kib, va;
	bool bbml2;
	unsigned aliases; /* how many pages of the linear map change with a part of three */
} kernels[] = {
	{ "linux-5.10.223", 4, 48, false, PAGES }, { "linux-6.1", 4, 48, false, PAGES },
	{ "linux-6.12", 16, 47, false, PAGES },    { "linux-6.18", 4, 39, true, PAGES },
	{ "linux-7.3", 4, 52, true, 3 },           { "linux-7.3", 64, 42, false, 3 },
	{ "linux-7.3", 16, 36, true, 3 },          { "latest", 4, 48, false, 3 },
};

/* An area in the vmalloc region, of pages in the middle of boot memory. */
struct area {
	uint64_t page, va, pa, alias;
};

static struct pgtsim_machine *with_area(size_t i, enum pgtsim_rodata rodata,
					enum pgtsim_meaning what, struct area *area)
{
	struct pgtsim_machine_config config =
		config_of(kernels[i].profile, kernels[i].kib, kernels[i].va);
	struct pgtsim_machine *m;

	config.boot = true;
	config.bbml2 = kernels[i].bbml2;
	config.rodata = (uint8_t)rodata;
	m = machine_of(&config);
	area->page = config.granule;
	area->va = m->layout.page_end + (UINT64_C(4) << 30);
	area->pa = RAM_START + 96 * MIB;
	area->alias = pgtsim_linear(&m->layout, area->pa);
	assert_int_equal(pgtsim_vmap(&m->pgt, area->va, area->pa, PAGES * area->page, false), 0);
	assert_int_equal(pgtsim_declare(m, area->va, PAGES * area->page, what), 0);
	pgtsim_tlb_reset_counts(&m->tlb);
	return m;
}

static bool is_ro(struct pgtsim_machine *m, uint64_t va)
{
	struct pgtsim_translation at;

	assert_int_equal(pgtsim_translate(&m->pgt, va, &at), 0);
	return at.desc & PGTSIM_DESC_AP2;
}

/* How many pages of both mappings are read-only. */
static unsigned count_ro(struct pgtsim_machine *m, const struct area *area, unsigned *in_alias)
{
	unsigned count = 0;

	*in_alias = 0;
	for (unsigned i = 0; i < PAGES; i++) {
		count += is_ro(m, area->va + i * area->page);
		*in_alias += is_ro(m, area->alias + i * area->page);
	}
	return count;
}

/*
 * With rodata=full read-only and writable reach the pages of the linear map, one flush for each: up to
 * 6.18 those behind the whole area, later those behind the part. Without it, and for x and nx, nothing
 * but the part changes.
 */
static void aliases_change_too(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * COUNT(kernels); i++) {
		enum pgtsim_rodata rodata = i % 2 ? PGTSIM_RODATA_NOALIAS : PGTSIM_RODATA_FULL;
		unsigned want = rodata == PGTSIM_RODATA_FULL ? kernels[i / 2].aliases : 0, in_alias;
		struct area area;
		struct pgtsim_machine *m = with_area(i / 2, rodata, PGTSIM_VMALLOC, &area);
		uint64_t part = area.va + 5 * area.page, size = 3 * area.page;

		assert_int_equal(pgtsim_set_memory(m, part, size, PGTSIM_PROTECT_RO), 0);
		assert_int_equal(count_ro(m, &area, &in_alias), 3);
		assert_int_equal(in_alias, want);
		assert_int_equal(m->tlb.counts.tlbi_leaf, 3 + want);
		assert_int_equal(pgtsim_set_memory(m, part, size, PGTSIM_PROTECT_RW), 0);
		assert_int_equal(count_ro(m, &area, &in_alias), 0);
		assert_int_equal(in_alias, 0);
		pgtsim_tlb_reset_counts(&m->tlb);
		assert_int_equal(pgtsim_set_memory(m, part, size, PGTSIM_PROTECT_X), 0);
		assert_int_equal(m->tlb.counts.tlbi_leaf, 3);
		assert_int_equal(pgtsim_check_machine(m), 0);
		pgtsim_machine_free(&m);
	}
}

/* The knob decides, not the profile; an area that is not mapped to its end fails there with a reason. */
static void the_knob_decides(void **state)
{
	(void)state;
	for (unsigned v = 0; v < 2; v++) {
		struct area area;
		struct pgtsim_machine *m = with_area(v ? 1 : COUNT(kernels) - 1, PGTSIM_RODATA_FULL,
						     PGTSIM_VMALLOC, &area);
		uint64_t end = area.va + PAGES * area.page;
		unsigned in_alias;

		assert_int_equal(pgtsim_policy_set(&m->policy, "alias-change", v ? "part" : "area"),
				 0);
		assert_int_equal(pgtsim_set_memory(m, area.va, area.page, PGTSIM_PROTECT_RO), 0);
		assert_int_equal(count_ro(m, &area, &in_alias), 1);
		assert_int_equal(in_alias, v ? 1 : PAGES);
		assert_int_equal(
			pgtsim_declare(m, area.va, end + area.page - area.va, PGTSIM_VMALLOC), 0);
		assert_int_equal(pgtsim_set_memory(m, area.va, area.page, PGTSIM_PROTECT_RW),
				 v ? 0 : -EINVAL);
		if (!v)
			assert_non_null(
				strstr(pgtsim_machine_reason(m, -EINVAL), "no page whose alias"));
		pgtsim_machine_free(&m);
	}
}

/* Anything but a part of one plain area is refused, and nothing has changed then. */
static void other_areas_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(kernels); i++) {
		struct area area;
		struct pgtsim_machine *m = with_area(i, PGTSIM_RODATA_FULL, PGTSIM_VMALLOC, &area);
		uint64_t end = area.va + PAGES * area.page;
		const struct {
			uint64_t va, size;
			enum pgtsim_protect what;
		} rows[] = {
			{ area.alias, area.page, PGTSIM_PROTECT_RO },
			{ area.va - area.page, 2 * area.page, PGTSIM_PROTECT_RO },
			{ end - area.page, 2 * area.page, PGTSIM_PROTECT_RO },
			{ area.va, 0, PGTSIM_PROTECT_RO },
			{ area.va + 1, area.page, PGTSIM_PROTECT_RO },
			{ area.va, area.page, PGTSIM_PROTECT_INVALID },
			{ area.va, area.page, PGTSIM_PROTECTS },
		};
		unsigned in_alias;

		/* A neighbour does not make one area of two. */
		assert_int_equal(pgtsim_vmap(&m->pgt, end, area.pa, area.page, false), 0);
		assert_int_equal(pgtsim_declare(m, end, area.page, PGTSIM_VMALLOC), 0);
		for (size_t r = 0; r < COUNT(rows); r++) {
			assert_int_equal(
				pgtsim_set_memory(m, rows[r].va, rows[r].size, rows[r].what),
				-EINVAL);
			assert_true(strlen(pgtsim_machine_reason(m, -EINVAL)) > 10);
		}
		assert_int_equal(count_ro(m, &area, &in_alias) + in_alias, 0);
		assert_int_equal(m->tlb.counts.tlbi_leaf, 0);
		pgtsim_machine_free(&m);
	}
}

/*
 * From 6.18 on an area that may have huge mappings is refused at once; before, its pages change. The knob
 * decides, whatever becomes of live leaves.
 */
static void huge_areas(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(kernels); i++) {
		struct area area;
		struct pgtsim_machine *m =
			with_area(i, PGTSIM_RODATA_FULL, PGTSIM_VMALLOC_HUGE, &area);
		bool refuses = i > 2;
		unsigned in_alias;

		m->policy.live_split = !m->policy.live_split;

		assert_int_equal(pgtsim_set_memory(m, area.va, area.page, PGTSIM_PROTECT_RO),
				 refuses ? -EINVAL : 0);
		assert_int_equal(count_ro(m, &area, &in_alias), !refuses);
		assert_int_equal(in_alias, refuses ? 0 : kernels[i].aliases == PAGES ? PAGES : 1);
		pgtsim_machine_free(&m);
	}
}

/* The linear map changes without a flush, or, where it may not, not at all and without an error. */
static void direct_map(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * COUNT(kernels); i++) {
		bool may = !(i % 2);
		struct area area;
		struct pgtsim_machine *m =
			with_area(i / 2, may ? PGTSIM_RODATA_FULL : PGTSIM_RODATA_NOALIAS,
				  PGTSIM_VMALLOC, &area);
		struct pgtsim_translation at;
		uint64_t size = 2 * area.page;

		assert_int_equal(pgtsim_can_set_direct_map(m), may);
		assert_int_equal(pgtsim_set_direct_map(m, area.alias, size, PGTSIM_PROTECT_INVALID),
				 0);
		assert_int_equal(pgtsim_translate(&m->pgt, area.alias, &at) != 0, may);
		assert_int_equal(m->tlb.counts.tlbi_leaf, 0);
		assert_int_equal(pgtsim_set_direct_map(m, area.alias, size, PGTSIM_PROTECT_DEFAULT),
				 0);
		assert_int_equal(pgtsim_translate(&m->pgt, area.alias, &at), 0);
		assert_int_equal(pgtsim_set_direct_map(m, area.alias, size, PGTSIM_PROTECT_RO),
				 -EINVAL);
		assert_int_equal(pgtsim_set_direct_map(m, area.va, size, PGTSIM_PROTECT_INVALID),
				 -EINVAL);
		pgtsim_machine_free(&m);
	}
	assert_false(pgtsim_can_set_direct_map(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(aliases_change_too),
		cmocka_unit_test(the_knob_decides),
		cmocka_unit_test(other_areas_are_refused),
		cmocka_unit_test(huge_areas),
		cmocka_unit_test(direct_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
