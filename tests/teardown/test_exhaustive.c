/* SPDX-License-Identifier: MIT */
/*
 * A toy address space of a few pages, in every state it can be in: each operation with every range
 * and every bound, compared with the oracle of tests/property.
 *
 * PGTSIM_EXHAUSTIVE_ALL=1: also the larger toys.
 */
#include <errno.h>

#include "fixture.h"
#include "property/sequence.h"

/* A toy: bits of each level below. Groups are of 2 entries. */
struct toy {
	unsigned levels, bits[3]; /* root first */
	bool large;
};

static const struct toy toys[] = {
	{ 1, { 2 }, false },
	{ 2, { 1, 1 }, false },
	{ 2, { 1, 2 }, true },
	{ 3, { 1, 1, 1 }, true },
};

static bool everything(void)
{
	const char *text = getenv("PGTSIM_EXHAUSTIVE_ALL");

	return text && strcmp(text, "0") != 0;
}

/* ---- a page table and its oracle ---- */

struct bench {
	struct fixture f;
	struct oracle o;
	const struct toy *toy;
};

static void init_oracle(struct oracle *o, const struct toy *toy, enum oracle_release release)
{
	const struct oracle_config config = {
		.release = release,
		.page_shift = 12,
		.va = 48,
		.va_actual = 48,
		.pa = 48,
		.ram = RAM_START,
		.ram_size = GIB,
	};
	unsigned shift = 12;

	oracle_init(o, &config);
	memset(o->geo.level, 0, sizeof(o->geo.level));
	o->geo.root = ORACLE_PTE + 1 - (int)toy->levels;
	for (int level = ORACLE_PTE; level >= o->geo.root; level--) {
		unsigned bits = toy->bits[level - o->geo.root];

		o->geo.level[level + 1] = (struct oracle_level){
			.shift = shift,
			.entries = 1u << bits,
			.group = level >= ORACLE_PTE - 1 ? 1 : 0,
			.block = level < ORACLE_PTE,
		};
		shift += bits;
	}
	o->geo.va_bits = shift;
	o->linear = -(UINT64_C(1) << shift);
}

static void bench_init(struct bench *b, const struct toy *toy, enum oracle_release release)
{
	struct pgtsim_geometry_config config = {
		.page_shift = 12,
		.levels = (uint8_t)toy->levels,
		.cont_pte = 1,
		.cont_pmd = toy->levels >= 2,
		.block_levels = toy->levels == 1 ? 0 :
				toy->levels == 2 ? 8 :
						   8 | 4,
	};
	const struct pgtsim_policy policy = profile(release_names[release]);
	struct pgtsim_geometry geo;

	for (unsigned i = 0; i < toy->levels; i++)
		config.bits[i] = (uint8_t)toy->bits[i];
	assert_int_equal(pgtsim_geometry_custom(&geo, &config), 0);
	b->toy = toy;
	fixture_init(&b->f, &policy, &geo);
	init_oracle(&b->o, toy, release);
}

static void bench_empty(struct bench *b)
{
	struct pgtsim_unmap unmap = { .start = b->o.linear };

	assert_int_equal(pgtsim_unmap_range(&b->f.pgt, &unmap), 0);
	assert_int_equal(pgtsim_free_tables(&b->f.pgt, b->o.linear, 0, 0, 0), 0);
	b->o.runs = b->o.tables = 0;
}

static void bench_check(struct bench *b, const char *what, uint64_t start, uint64_t end)
{
	struct failure failure;
	uint64_t hash;

	if (!compare(&b->o, &b->f.pgt, b->f.memory, &hash, &failure))
		fail_msg("%s [0x%llx, 0x%llx) with %s: 0x%llx: %s", what, (unsigned long long)start,
			 (unsigned long long)end, release_names[b->o.config.release],
			 (unsigned long long)failure.va, failure.text);
}

/* ---- every state ---- */

/* Maps as map_here() says. */
static void map_there(struct bench *b, uint64_t va, uint64_t pa, uint64_t size, bool blocks,
		      bool cont, int expected)
{
	const struct pgtsim_map map = {
		.va = va,
		.pa = pa,
		.size = size,
		.attrs = b->f.policy.prot[PGTSIM_PROT_TAGGED],
		.table_attrs = b->f.policy.linear_table,
		.blocks = blocks,
		.cont = cont,
	};

	assert_int_equal(pgtsim_map(&b->f.pgt, &map), expected);
}

static int map_here(struct bench *b, uint64_t va, uint64_t pa, uint64_t size, bool blocks,
		    bool cont)
{
	const struct oracle_map map = {
		.va = va,
		.pa = pa,
		.size = size,
		.attrs = b->o.prot[0],
		.table_attrs = b->o.linear_table,
		.blocks = blocks,
		.cont = cont,
	};
	int ret = oracle_map(&b->o, &map);

	map_there(b, va, pa, size, blocks, cont, ret);
	return ret;
}

/* Only what has the same offset in the largest leaf can be mapped by it. */
static uint64_t pa_of(const struct bench *b, uint64_t va)
{
	return 0x100000 + (va - b->o.linear);
}

static void leave_tables(struct bench *b, int level, uint64_t va)
{
	/* A page makes all tables on its way; then it goes, and so do those below `level`. */
	uint64_t page = va & ~UINT64_C(0xfff), span = oracle_leaf_size(&b->o, level - 1);
	const struct pgtsim_unmap unmap = { .start = page, .end = page + 0x1000 };

	if (oracle_table_at(&b->o, level, va))
		return;
	assert_int_equal(map_here(b, page, pa_of(b, page), 0x1000, false, false), 0);
	assert_int_equal(pgtsim_unmap_range(&b->f.pgt, &unmap), 0);
	assert_int_equal(oracle_unmap_range(&b->o, page, 0x1000, false, -1), 0);
	if (level == ORACLE_PTE)
		return;
	/* A ceiling inside the table keeps it, and the tables above. */
	span = oracle_leaf_size(&b->o, level);
	assert_int_equal(pgtsim_free_tables(&b->f.pgt, page, page + 0x1000, page & -span,
					    (page & -span) + span),
			 0);
	assert_int_equal(
		oracle_free_tables(&b->o, page, 0x1000, page & -span, (page & -span) + span), 0);
}

/*
 * States have numbers. An entry is nothing, a leaf, or a table in one of its states; two entries of
 * a group may also be leaves with the hint.
 */
static uint64_t table_states(const struct oracle *o, int level);

static uint64_t entry_states(const struct oracle *o, int level)
{
	return level == ORACLE_PTE ? 2 : 2 + table_states(o, level + 1);
}

static uint64_t group_states(const struct oracle *o, int level)
{
	uint64_t entry = entry_states(o, level);

	return oracle_level(o, level)->group ? entry * entry + 1 : entry;
}

static uint64_t table_states(const struct oracle *o, int level)
{
	const struct oracle_level *l = oracle_level(o, level);
	uint64_t states = 1;

	for (unsigned i = 0; i < l->entries >> l->group; i++)
		states *= group_states(o, level);
	return states;
}

static void place_table(struct bench *b, int level, uint64_t va, uint64_t state);

static void place_entry(struct bench *b, int level, uint64_t va, uint64_t state)
{
	if (state == 1)
		map_here(b, va, pa_of(b, va), oracle_leaf_size(&b->o, level), true, false);
	if (state < 2)
		return;
	leave_tables(b, level + 1, va);
	place_table(b, level + 1, va, state - 2);
}

static void place_group(struct bench *b, int level, uint64_t va, uint64_t state)
{
	uint64_t size = oracle_leaf_size(&b->o, level), entry = entry_states(&b->o, level);

	if (state == entry * entry) {
		map_here(b, va, pa_of(b, va), 2 * size, true, true);
		return;
	}
	place_entry(b, level, va, state % entry);
	if (oracle_level(&b->o, level)->group)
		place_entry(b, level, va + size, state / entry);
}

static void place_table(struct bench *b, int level, uint64_t va, uint64_t state)
{
	const struct oracle_level *l = oracle_level(&b->o, level);
	uint64_t groups = group_states(&b->o, level), span = oracle_leaf_size(&b->o, level)
							     << l->group;

	for (unsigned i = 0; i < l->entries >> l->group; i++, state /= groups)
		place_group(b, level, va + i * span, state % groups);
}

static void place(struct bench *b, uint64_t state)
{
	bench_empty(b);
	place_table(b, b->o.geo.root, b->o.linear, state);
}

/* ---- every operation ---- */

/* An operation with one range in one state; it puts the state back if it has changed it. */
typedef void range_function(struct bench *b, uint64_t state, uint64_t start, uint64_t size);

/* All ranges that begin and end at a multiple of `unit`, in all states. */
static void for_all(const struct toy *toy, enum oracle_release release, uint64_t unit,
		    range_function *function)
{
	static struct bench b; /* large */
	uint64_t states, first;

	bench_init(&b, toy, release);
	states = table_states(&b.o, b.o.geo.root);
	first = b.o.linear;
	for (uint64_t state = 0; state < states; state++) {
		place(&b, state);
		bench_check(&b, "placing", state, state);
		for (uint64_t start = first; start; start += unit)
			for (uint64_t size = unit; size <= -start; size += unit)
				function(&b, state, start, size);
	}
	bench_empty(&b);
	fixture_fini(&b.f);
}

static void in_all_toys(enum oracle_release release, uint64_t unit, range_function *function)
{
	for (size_t i = 0; i < COUNT(toys); i++)
		if (!toys[i].large || everything())
			for_all(&toys[i], release, unit, function);
}

static void unmap_range(struct bench *b, uint64_t state, uint64_t start, uint64_t size)
{
	const struct pgtsim_unmap unmap = { .start = start, .end = start + size };
	uint64_t leaves = oracle_leaves(&b->o);

	assert_int_equal(pgtsim_unmap_range(&b->f.pgt, &unmap), 0);
	assert_int_equal(oracle_unmap_range(&b->o, start, size, false, -1), 0);
	bench_check(b, "unmap-range", start, start + size);
	if (oracle_leaves(&b->o) != leaves)
		place(b, state);
}

/* Pass 1 clears the leaves that the kernel's would, from every half page to every half page. */
static void test_unmap_range(void **state)
{
	(void)state;
	in_all_toys(LINUX_6_12, 0x800, unmap_range);
}

static void map_one(struct bench *b, uint64_t state, uint64_t start, uint64_t size, unsigned how)
{
	uint64_t pa = pa_of(b, start) + (how & 4 ? 0x1000 : 0);
	size_t tables = b->o.tables;
	int ret = map_here(b, start, pa, size, how & 1, how & 2);

	if (ret) {
		assert_int_equal(ret, -EEXIST);
		return;
	}
	bench_check(b, "map", start, start + size);
	if (tables || b->o.tables || b->o.runs)
		place(b, state);
}

static void map_range(struct bench *b, uint64_t state, uint64_t start, uint64_t size)
{
	for (unsigned how = 0; how < 8; how++)
		map_one(b, state, start, size, how);
}

/* Every mapping, with and without blocks and hint, at addresses that suit them and others. */
static void test_map(void **state)
{
	(void)state;
	in_all_toys(LINUX_6_12, 0x1000, map_range);
	in_all_toys(LINUX_7_3, 0x1000, map_range);
}

static void free_tables(struct bench *b, uint64_t state, uint64_t start, uint64_t size)
{
	/* From one page below the space to its end, which is 0, no limit, and to the first page. */
	uint64_t below = b->o.linear - 0x1000;

	for (uint64_t floor = below; floor; floor += 0x1000)
		for (uint64_t ceiling = below; ceiling != 0x2000; ceiling += 0x1000) {
			size_t tables = b->o.tables;

			assert_int_equal(
				pgtsim_free_tables(&b->f.pgt, start, start + size, floor, ceiling),
				0);
			assert_int_equal(oracle_free_tables(&b->o, start, size, floor, ceiling), 0);
			bench_check(b, "free-tables", start, start + size);
			if (b->o.tables != tables)
				place(b, state);
		}
}

/* Pass 2 frees the tables that are empty and inside the bounds, with every floor and ceiling. */
static void test_free_tables(void **state)
{
	(void)state;
	in_all_toys(LINUX_6_12, 0x1000, free_tables);
}

/* ---- address arithmetic ---- */

/* Every byte of a page, every page: the index at each level is what division says it is. */
static void test_addresses(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(toys); i++) {
		static struct bench b; /* large */
		const struct pgtsim_geometry *geo = &b.f.pgt.geo;

		bench_init(&b, &toys[i], LINUX_6_12);
		assert_int_equal(pgtsim_root_level(geo), b.o.geo.root);
		for (uint64_t va = b.o.linear; va; va++)
			for (int level = b.o.geo.root; level <= ORACLE_PTE; level++) {
				uint64_t size = oracle_leaf_size(&b.o, level);

				if (pgtsim_index(geo, level, va) !=
					    va / size % oracle_level(&b.o, level)->entries ||
				    pgtsim_entry_base(geo, level, va) != va / size * size)
					fail_msg("0x%llx at level %d", (unsigned long long)va,
						 level);
			}
		fixture_fini(&b.f);
	}
}

/* Ranges are accepted exactly when they begin in the region and end in it or with it. */
static void test_ranges(void **state)
{
	static struct bench b; /* large */
	uint64_t first;

	(void)state;
	bench_init(&b, &toys[0], LINUX_6_12);
	first = b.o.linear;
	for (uint64_t va = first - 0x1000; va - first + 0x1000 < 0x2000 - first; va += 0x400)
		for (uint64_t size = 0; size < 0x1000 - first; size += 0x400) {
			bool good = va >= first && size && size <= -va;

			assert_int_equal(pgtsim_geometry_check_va(&b.f.pgt.geo, va, size),
					 good ? 0 : -EINVAL);
		}
	fixture_fini(&b.f);
}

/* ---- descriptors ---- */

/* What an address becomes, and that it comes back, for every page of a toy and every single bit. */
static void check_address(const struct pgtsim_geometry *geo, const struct oracle_geometry *o,
			  uint64_t pa, uint64_t attrs)
{
	uint64_t desc = pgtsim_desc_leaf(geo, PGTSIM_PTE, pa, attrs);
	struct pgtsim_desc fields;

	if (desc != oracle_desc(o, pa, attrs | 3) || oracle_address(o, desc) != pa ||
	    pgtsim_desc_address(geo, PGTSIM_PTE, desc) != pa)
		fail_msg("PA 0x%llx with 0x%llx: 0x%llx", (unsigned long long)pa,
			 (unsigned long long)attrs, (unsigned long long)desc);
	pgtsim_desc_decode(geo, PGTSIM_PTE, desc, &fields);
	if (fields.attr_index != (attrs >> 2 & 7) || fields.ap != (attrs >> 6 & 3) ||
	    fields.af != (attrs >> 10 & 1) || fields.dbm != (attrs >> 51 & 1) ||
	    fields.cont != (attrs >> 52 & 1) || fields.uxn != (attrs >> 54 & 1))
		fail_msg("a field of 0x%llx", (unsigned long long)desc);
	if (fields.address != pa ||
	    (!geo->oa_keeps_49_48 && pgtsim_desc_encode(geo, PGTSIM_PTE, &fields) != desc))
		fail_msg("0x%llx decodes wrongly", (unsigned long long)desc);
}

static void check_addresses(const struct pgtsim_geometry *geo, const struct oracle_geometry *o)
{
	/* Attribute bits that a leaf of this geometry can have, one by one. */
	uint64_t all = UINT64_C(0x00fc000000000cfc);

	if (geo->oa != PGTSIM_OA_LPA2)
		all |= 0x300;
	for (unsigned a = 0; a < 64; a++) {
		uint64_t attrs = all & UINT64_C(1) << a;

		for (uint64_t page = 0; page < 64; page++)
			check_address(geo, o, page << geo->page_shift, attrs);
		for (unsigned x = geo->page_shift; x < geo->pa_bits; x++)
			for (unsigned y = geo->page_shift; y < geo->pa_bits; y++)
				check_address(geo, o, UINT64_C(1) << x | UINT64_C(1) << y, attrs);
	}
}

static void test_descriptors(void **state)
{
	(void)state;
	for (enum oracle_release r = LINUX_6_1; r <= LINUX_6_12; r++) {
		struct oracle_config config;

		for (unsigned n = 0; geometry_number(&config, r, n); n++) {
			static struct oracle o; /* large */
			struct pgtsim_geometry geo;

			oracle_init(&o, &config);
			geo = linux_geometry(1u << (config.page_shift - 10), config.va,
					     config.va_actual, config.pa);
			geo.oa_keeps_49_48 = o.geo.copies_49_48;
			assert_int_equal(geo.pa_bits, o.geo.pa_bits);
			check_addresses(&geo, &o.geo);
		}
	}
}

/* ---- the altmap ---- */

/* The first frame behind all that were handed out, at a multiple of `pages`, found by trying. */
static int naive_alloc(struct pgtsim_altmap *a, uint64_t pages, uint64_t *pfn)
{
	uint64_t next = a->base + a->reserve + a->alloc + a->align, padding = 0;

	while ((next + padding) % pages)
		padding++;
	if (a->alloc + a->align + padding + pages > a->free)
		return -ENOMEM;
	*pfn = next + padding;
	a->alloc += pages;
	a->align += padding;
	return 0;
}

/* Three requests, or frees, in a row on every altmap of up to 9 pages. */
static void try_altmap(struct pgtsim_altmap a)
{
	for (unsigned requests = 0; requests < 216; requests++) {
		struct pgtsim_altmap library = a, naive = a;

		for (unsigned rest = requests, i = 0; i < 3; i++, rest /= 6) {
			uint64_t pages = UINT64_C(1) << rest % 3, pfn = 0, expected = 0;

			if (rest % 6 >= 3) {
				pgtsim_altmap_free(&library, pages);
				naive.alloc -= pages;
				if (naive.alloc > a.free)
					break;
				continue;
			}
			assert_int_equal(pgtsim_altmap_alloc(&library, pages, &pfn),
					 naive_alloc(&naive, pages, &expected));
			assert_int_equal(pfn, expected);
			assert_memory_equal(&library, &naive, sizeof(naive));
		}
	}
}

static void test_altmap(void **state)
{
	(void)state;
	for (uint64_t base = 0; base < 5; base++)
		for (uint64_t reserve = 0; reserve < 4; reserve++)
			for (uint64_t count = 0; count < 10; count++)
				for (uint64_t align = 0; align < 3; align++)
					try_altmap((struct pgtsim_altmap){ .base = base,
									   .reserve = reserve,
									   .free = count,
									   .align = align });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unmap_range), cmocka_unit_test(test_map),
		cmocka_unit_test(test_free_tables), cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_ranges),      cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_altmap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
