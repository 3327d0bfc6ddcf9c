/* SPDX-License-Identifier: MIT */
/* Lazy tables: nobody can tell them from tables that are written. */
#include "fixture.h"

#include "memory/frames.h"

#include <pgtsim/hotplug.h>
#include <pgtsim/teardown.h>

enum { STEPS = 60, PAGES = 3 };

/* One page table twice: one with lazy tables, and one where each access of an entry is hooked. */
struct pair {
	struct fixture f[2];
	struct recorder r[2];
	uint64_t start, span, page, spans; /* of the addresses used: tables of the last level */
	uint32_t seed;
	bool watched; /* each event is compared; else the fast side has nobody to tell of them */
};

static void pair_init(struct pair *p, const struct pgtsim_policy *policy,
		      const struct pgtsim_geometry *geo, bool watched)
{
	for (unsigned i = 0; i < 2; i++) {
		fixture_init_access(&p->f[i], policy, geo,
				    i ? PGTSIM_ACCESS_HOOKED : PGTSIM_ACCESS_PRIVATE);
		recorder_start(&p->r[i], &p->f[i]);
	}
	p->start = pgtsim_va_start(geo);
	p->page = pgtsim_page_size(geo);
	p->span = p->page * pgtsim_entries(geo, PGTSIM_PTE);
	p->spans = geo->bits[pgtsim_slot(PGTSIM_PMD)] > 2 ? 4 : 3;
	p->seed = 4;
	p->watched = watched;
	for (unsigned i = 0; !watched && i < 2; i++)
		recorder_stop(&p->r[i], &p->f[i]);
}

static void pair_drop(struct pair *p)
{
	for (unsigned i = 0; i < 2; i++) {
		recorder_stop(&p->r[i], &p->f[i]);
		fixture_drop(&p->f[i]);
	}
}

/* The tables at an address, of both sides. NULL where there is none. */
static const struct pgtsim_table *lookup(const struct pair *p, unsigned side, uint64_t pa)
{
	return pgtsim_memory_table(p->f[side].memory, pa);
}

/* Compares the bytes of each table, as someone finds them who looks at its memory. */
static void compare_bytes(const struct pair *p)
{
	uint64_t end = RAM_START + 64 * p->page;

	for (uint64_t pa = RAM_START; pa < end; pa += p->page) {
		const struct pgtsim_table *a = lookup(p, 0, pa), *b = lookup(p, 1, pa);

		assert_int_equal(!a, !b);
		if (a)
			assert_memory_equal(a->entries, b->entries,
					    pgtsim_entries(&p->f[0].pgt.geo, a->level) *
						    sizeof(*a->entries));
	}
}

static void compare_events(const struct pgtsim_event *a, const struct pgtsim_event *b)
{
	assert_int_equal(a->op, b->op);
	assert_int_equal(a->level, b->level);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->va, b->va);
	assert_int_equal(a->count, b->count);
	assert_int_equal(a->size, b->size);
	assert_int_equal(a->old_desc, b->old_desc);
	assert_int_equal(a->new_desc, b->new_desc);
	assert_int_equal(a->step, b->step);
	assert_int_equal(a->pa, b->pa);
}

static void compare(const struct pair *p)
{
	struct snapshot a = snapshot_take(&p->f[0]), b = snapshot_take(&p->f[1]);

	assert_true(snapshots_equal(&a, &b));
	snapshot_free(&a);
	snapshot_free(&b);
	assert_counts_equal(&p->f[0].tlb.counts, &p->f[1].tlb.counts);
	if (p->watched)
		assert_int_equal(p->r[0].count, p->r[1].count);
	for (size_t i = 0; i < p->r[0].count; i++)
		compare_events(&p->r[0].event[i], &p->r[1].event[i]);
}

/* Mostly where a table begins, else a few pages beside. */
static uint64_t address(struct pair *p)
{
	uint64_t va = p->start + random_next(&p->seed) % (p->spans + 1) * p->span;
	uint64_t pages = random_next(&p->seed) % PAGES;

	if (random_next(&p->seed) % 3)
		return va;
	return va < p->start + p->span ? va + pages * p->page : va - pages * p->page;
}

static void map_both(struct pair *p, uint64_t va, uint64_t size, bool blocks, bool cont)
{
	int ret[2];

	for (unsigned i = 0; i < 2; i++) {
		const struct pgtsim_map map = {
			.va = va,
			.pa = 2 * GIB + (va - p->start),
			.size = size,
			.attrs = p->f[i].policy.prot[PGTSIM_PROT_TAGGED],
			.blocks = blocks,
			.cont = cont,
		};

		ret[i] = pgtsim_map(&p->f[i].pgt, &map);
	}
	assert_int_equal(ret[0], ret[1]);
}

/* Operations that only look. They may materialize tables on one side, and change nothing. */
static void look(struct pair *p, uint64_t va)
{
	struct pgtsim_translation t[2];
	int ret[2];

	for (unsigned i = 0; i < 2; i++)
		ret[i] = pgtsim_translate(&p->f[i].pgt, va, &t[i]);
	assert_int_equal(ret[0], ret[1]);
	assert_int_equal(t[0].desc, t[1].desc);
	assert_int_equal(t[0].pa, t[1].pa);
	lookup(p, 0, RAM_START + random_next(&p->seed) % 16 * p->page);
}

static void step(struct pair *p)
{
	uint64_t a = address(p), b = address(p), what = random_next(&p->seed) % 16;
	uint64_t start = a < b ? a : b, end = a < b ? b : a;
	uint64_t desc = random_next(&p->seed) % 2 ? 0x3000000703 : 0;

	if (start == end)
		return;
	if (what < 6) {
		map_both(p, start, end - start, what < 1, what < 3);
	} else if (what == 6) {
		look(p, start);
	} else {
		for (unsigned i = 0; i < 2; i++) {
			struct pgtsim_pgtable *pgt = &p->f[i].pgt;
			const struct pgtsim_unmap unmap = { .start = start, .end = end };

			if (what < 12)
				assert_int_equal(pgtsim_unmap_range(pgt, &unmap), 0);
			else if (what < 15)
				assert_int_equal(pgtsim_free_tables(pgt, start, end, p->start, 0),
						 0);
			else
				pgtsim_poke(pgt, PGTSIM_PTE, start, desc);
		}
	}
}

static void check_steps(const struct pgtsim_policy *policy, const struct pgtsim_geometry *geo,
			bool watched)
{
	struct pair p;

	if (geo->levels == 1)
		return;
	pair_init(&p, policy, geo, watched);
	for (unsigned i = 0; i < STEPS; i++) {
		step(&p);
		compare(&p);
		p.r[0].count = p.r[1].count = 0;
		if (i % 16 == 15)
			compare_bytes(&p);
	}
	compare_bytes(&p);
	pair_drop(&p);
}

/*
 * Lazy or written: the same events, counts, errors and bytes, whoever looks and when. So it is for
 * s390's functions, and for tables that are smaller or larger than a page.
 */
static void lazy_equals_written(void **state)
{
	static const char *const names[] = { "linux-5.7",  "linux-5.10", "linux-5.14", "linux-6.1",
					     "linux-6.12", "linux-7.3",  "s390-5.9",   "s390-7.3" };
	unsigned number = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		struct geometry_case geometries[MAX_GEOMETRIES];
		struct pgtsim_policy policy = profile(names[i]);
		size_t n = all_geometries(geometries, &policy);

		for (size_t k = 0; k < 2 * n; k++)
			if (in_share(number++))
				check_steps(&policy, &geometries[k / 2].geo, k % 2);
	}
}

/* The table of the page at va. */
static struct pgtsim_table *last_table(const struct fixture *f, uint64_t va)
{
	struct pgtsim_translation t;

	pgtsim_translate(&f->pgt, va, &t);
	return f->pgt.ops.find(f->pgt.ops.ctx, pgtsim_desc_address(&f->pgt.geo, PGTSIM_PMD,
								   t.step[t.steps - 2].desc));
}

/* A table that is mapped whole is lazy until one entry changes or its memory is asked for. */
static void written_when_needed(void **state)
{
	struct pgtsim_table *table;
	struct fixture f;
	uint64_t va = fixture_init_4k_48(&f);

	(void)state;
	assert_int_equal(map_linear(&f, va, 2 * GIB, 4 * MIB, false), 0);
	table = last_table(&f, va);
	assert_true(pgtsim_state(table)->lazy && table->live == 512);
	assert_int_equal(pgtsim_entry(&f.pgt, table, 511) & 0xfffffffff000, 2 * GIB + 511 * 4096);
	assert_ptr_equal(pgtsim_memory_table(f.memory, table->pa), table);
	assert_false(pgtsim_state(table)->lazy);
	assert_int_equal(table->entries[511] & 0xfffffffff000, 2 * GIB + 511 * 4096);

	table = last_table(&f, va + 2 * MIB);
	assert_true(pgtsim_state(table)->lazy);
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PTE, va + 2 * MIB + 4096, 0), 0);
	assert_false(pgtsim_state(table)->lazy);
	assert_int_equal(table->entries[0] & 0xfffffffff000, 2 * GIB + 2 * MIB);
	assert_int_equal(table->entries[1], 0);
	assert_int_equal(table->entries[511] & 0xfffffffff000, 2 * GIB + 4 * MIB - 4096);
	fixture_drop(&f);
}

struct reader {
	struct pgtsim_access_hook hook; /* first: the callback casts */
	uint64_t last;
};

static void read_entry(struct pgtsim_access_hook *self, const uint64_t *entry, bool write)
{
	(void)write;
	((struct reader *)(void *)self)->last = *entry;
}

/* A page table may get a hook when it is in use. The hook gets the addresses of entries. */
static void hooks_see_entries(void **state)
{
	struct reader reader = { .hook.before = read_entry };
	struct pgtsim_translation t;
	struct fixture f;
	uint64_t va = fixture_init_4k_48(&f);

	(void)state;
	assert_int_equal(map_linear(&f, va + GIB, 2 * GIB, GIB, true), 0); /* upper tables, too */
	assert_int_equal(map_linear(&f, va, 2 * GIB, 2 * MIB, false), 0);
	assert_true(pgtsim_state(last_table(&f, va))->lazy);
	f.pgt.access = PGTSIM_ACCESS_HOOKED;
	f.pgt.hook = &reader.hook;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(pgtsim_translate(&f.pgt, va + i * (GIB + 2 * MIB), &t), 0);
		assert_int_equal(reader.last, t.desc);
	}
	fixture_drop(&f);
}

/* A page table may become shared when it is in use. What threads link stands beside lazy leaves. */
static void threads_link_beside_blocks(void **state)
{
	struct pgtsim_translation t;
	struct fixture f;
	uint64_t va = fixture_init_4k_48(&f);

	(void)state;
	assert_int_equal(map_linear(&f, va + 2 * MIB, 2 * GIB, 8 * MIB, true), 0);
	f.pgt.access = PGTSIM_ACCESS_SHARED;
	assert_int_equal(map_linear(&f, va, 4 * GIB, 4096, false), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(pgtsim_translate(&f.pgt, va, &t), 0);
		assert_int_equal(t.pa, 4 * GIB);
		assert_int_equal(pgtsim_translate(&f.pgt, va + 8 * MIB, &t), 0);
		assert_int_equal(t.pa, 2 * GIB + 6 * MIB);
		assert_int_equal(pgtsim_translate(&f.pgt, va + 10 * MIB, &t), -EFAULT);
		f.pgt.access = PGTSIM_ACCESS_PRIVATE;
	}
	fixture_drop(&f);
}

/* What threads wrote below the first live entry is still live when that one is cleared. */
static void threads_fill_before_what_was_first(void **state)
{
	struct pgtsim_translation t;
	struct fixture f;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		uint64_t va = fixture_init_4k_48(&f), size = i ? 2 * MIB : 4096;

		assert_int_equal(map_linear(&f, va + 5 * size, 2 * GIB, size, i), 0);
		f.pgt.access = PGTSIM_ACCESS_SHARED;
		assert_int_equal(map_linear(&f, va + 2 * size, 4 * GIB, 4096, false), 0);
		f.pgt.access = PGTSIM_ACCESS_PRIVATE;
		assert_int_equal(pgtsim_unmap_linear(&f.pgt, va + 5 * size, size, 0, 0), 0);
		assert_int_equal(pgtsim_translate(&f.pgt, va + 2 * size, &t), 0);
		assert_int_equal(t.pa, 4 * GIB);
		fixture_drop(&f);
	}
}

/* Pass 2 reads the entries up to the first live one, whatever threads unlinked before. */
static void scan_after_threads(void **state)
{
	struct fixture f;
	uint64_t va = fixture_init_4k_48(&f), read;

	(void)state;
	for (unsigned i = 5; i < 8; i++)
		assert_int_equal(map_linear(&f, va + i * 2 * MIB, 2 * GIB, 4096, false), 0);
	f.pgt.access = PGTSIM_ACCESS_SHARED;
	assert_int_equal(pgtsim_unmap_linear(&f.pgt, va + 10 * MIB, 4096, 0, 0), 0);
	f.pgt.access = PGTSIM_ACCESS_PRIVATE;
	assert_int_equal(map_linear(&f, va + 2 * MIB, 2 * GIB, 2 * MIB, true), 0);
	read = f.tlb.counts.entries_read;
	assert_int_equal(pgtsim_free_tables(&f.pgt, va, va + GIB, va, va + GIB), 0);
	/* Of each table of pages all and the first one again, of the one above up to the block. */
	assert_int_equal(f.tlb.counts.entries_read - read, 2 * (512 + 1) + 2);
	fixture_drop(&f);
}

/* Clears the pages [from, to) of a table, and checks what is left and whether it is lazy. */
static void clear_pages(struct fixture *f, uint64_t va, unsigned from, unsigned to, bool lazy,
			unsigned first, unsigned live)
{
	const struct pgtsim_unmap unmap = { .start = va + from * 4096, .end = va + to * 4096 };
	const struct pgtsim_table *table = last_table(f, va);

	assert_int_equal(pgtsim_unmap_range(&f->pgt, &unmap), 0);
	assert_int_equal(pgtsim_state(table)->lazy, lazy);
	assert_int_equal(pgtsim_state(table)->first, first);
	assert_int_equal(table->live, live);
}

/* A table with a single run of leaves stays lazy while the run grows and shrinks at its ends. */
static void runs_need_no_memory(void **state)
{
	struct pgtsim_table *table;
	struct fixture f;
	uint64_t va = fixture_init_4k_48(&f);

	(void)state;
	assert_int_equal(map_linear(&f, va + 20 * 4096, 2 * GIB, 20 * 4096, false), 0);
	table = last_table(&f, va + 20 * 4096);
	assert_true(pgtsim_state(table)->lazy && pgtsim_state(table)->first == 20 &&
		    table->live == 20);
	assert_int_equal(map_linear(&f, va + 40 * 4096, 2 * GIB + 20 * 4096, 4096, false), 0);
	assert_int_equal(map_linear(&f, va + 19 * 4096, 2 * GIB - 4096, 4096, false), 0);
	assert_true(pgtsim_state(table)->lazy && pgtsim_state(table)->first == 19 &&
		    table->live == 22);
	clear_pages(&f, va, 0, 21, true, 21, 20);
	clear_pages(&f, va, 40, 512, true, 21, 19);
	clear_pages(&f, va, 18, 512, true, 512, 0);
	assert_int_equal(map_linear(&f, va + 7 * 4096, 2 * GIB, 9 * 4096, false), 0);
	assert_true(pgtsim_state(table)->lazy && pgtsim_state(table)->first == 7 &&
		    table->live == 9);
	clear_pages(&f, va, 8, 9, false, 7, 8);
	fixture_drop(&f);
}

/* Checks how many pieces of host memory pte tables have taken, and how many are reserved. */
static void assert_pool(const struct fixture *f, size_t used, size_t reserved)
{
	const struct host *host = &f->memory->host[POOL_PTE];

	assert_int_equal(host->pieces - host->spare_count, used);
	assert_int_equal(host->reserved_count, reserved);
}

/* A lazy table has no host memory, but some is reserved for it. It gives back what it had. */
static void memory_is_reserved(void **state)
{
	struct pgtsim_unmap unmap = { 0 };
	struct pgtsim_table *table;
	struct fixture f;
	uint64_t va = fixture_init_4k_48(&f);

	(void)state;
	assert_pool(&f, 0, 0);
	assert_int_equal(map_linear(&f, va, 2 * GIB, 32 * MIB, false), 0);
	assert_pool(&f, 0, 16);
	table = last_table(&f, va);
	pgtsim_memory_table(f.memory, table->pa);
	assert_pool(&f, 1, 15);
	unmap.start = va;
	unmap.end = va + 4 * MIB;
	assert_int_equal(pgtsim_unmap_range(&f.pgt, &unmap), 0);
	assert_true(pgtsim_state(table)->lazy);
	assert_pool(&f, 0, 16);
	assert_int_equal(map_linear(&f, va + 4096, 2 * GIB, 4096, false), 0);
	assert_int_equal(map_linear(&f, va, 2 * GIB, 4096, false), 0);
	assert_false(pgtsim_state(table)->lazy);
	assert_pool(&f, 1, 15);
	for (unsigned i = 0; i < 512; i++)
		assert_int_equal(!table->entries[i], i > 1);
	unmap.end = va + 8192;
	assert_int_equal(pgtsim_unmap_range(&f.pgt, &unmap), 0);
	assert_pool(&f, 1, 15);
	assert_int_equal(map_linear(&f, va + MIB, 2 * GIB, 4096, false), 0);
	assert_pool(&f, 0, 16);
	unmap.end = va + 32 * MIB;
	assert_int_equal(pgtsim_unmap_range(&f.pgt, &unmap), 0);
	assert_int_equal(pgtsim_free_tables(&f.pgt, va, va + 32 * MIB, 0, 0), 0);
	assert_pool(&f, 0, 0);
	fixture_drop(&f);
}

enum { TOY_ENTRIES = 8, CLEAR = 0, FILL = 1, FILL_ELSE = 2, KINDS = 3 };

/* Two levels of eight entries. */
static struct pgtsim_geometry two_levels_of_eight(void)
{
	const struct pgtsim_geometry_config config = {
		.page_shift = 12,
		.levels = 2,
		.bits = { 3, 3 },
	};
	struct pgtsim_geometry geo;

	assert_int_equal(pgtsim_geometry_custom(&geo, &config), 0);
	return geo;
}

/* One operation on pages [from, to) of both tables. */
static void operate(struct pair *p, unsigned kind, unsigned from, unsigned to)
{
	int ret[2];

	for (unsigned i = 0; i < 2; i++) {
		uint64_t va = p->start + from * p->page, size = (to - from) * p->page;
		const struct pgtsim_unmap unmap = { .start = va, .end = va + size };

		if (kind == CLEAR)
			ret[i] = pgtsim_unmap_range(&p->f[i].pgt, &unmap);
		else
			ret[i] = map_linear(&p->f[i], va, kind * 2 * GIB + from * p->page, size,
					    false);
	}
	assert_int_equal(ret[0], ret[1]);
}

static void compare_tables(const struct pair *p, struct pgtsim_table *const table[2])
{
	assert_int_equal(table[0]->live, table[1]->live);
	for (unsigned i = 0; i < TOY_ENTRIES; i++) {
		uint64_t desc = pgtsim_entry(&p->f[0].pgt, table[0], i);

		assert_int_equal(desc, pgtsim_entry(&p->f[1].pgt, table[1], i));
		assert_as_described(table[0], i, desc);
	}
	assert_counts_equal(&p->f[0].tlb.counts, &p->f[1].tlb.counts);
}

/* A run is there; one more comes or goes; then one goes; then all is looked at, and goes. */
static void check_three_runs(struct pair *p, struct pgtsim_table *const table[2], unsigned from,
			     unsigned to)
{
	for (unsigned i = 0; i < TOY_ENTRIES * TOY_ENTRIES * KINDS; i++) {
		unsigned a = i % TOY_ENTRIES, b = i / TOY_ENTRIES % TOY_ENTRIES + 1;

		for (unsigned c = 0; a < b && c < TOY_ENTRIES; c++) {
			operate(p, FILL, from, to);
			if (b % 2)
				pgtsim_memory_table(p->f[0].memory, table[0]->pa);
			operate(p, i / (TOY_ENTRIES * TOY_ENTRIES), a, b);
			compare_tables(p, table);
			operate(p, CLEAR, c, c + 1 + (a + b) % (TOY_ENTRIES - c));
			compare_tables(p, table);
			if (c % 2)
				pgtsim_memory_table(p->f[0].memory, table[0]->pa);
			compare_tables(p, table);
			operate(p, CLEAR, 0, TOY_ENTRIES);
		}
	}
}

/* Each run in a table, whatever comes beside, over or after it. */
static void every_run_of_a_table(void **state)
{
	const struct pgtsim_policy policy = profile("latest");
	const struct pgtsim_geometry geo = two_levels_of_eight();
	struct pgtsim_table *table[2];
	struct pair p;

	(void)state;
	pair_init(&p, &policy, &geo, false);
	operate(&p, FILL, 0, TOY_ENTRIES);
	for (unsigned i = 0; i < 2; i++)
		table[i] = last_table(&p.f[i], p.start);
	operate(&p, CLEAR, 0, TOY_ENTRIES);
	for (unsigned from = 0; from < TOY_ENTRIES; from++)
		for (unsigned to = from + 1; to <= TOY_ENTRIES; to++)
			check_three_runs(&p, table, from, to);
	pair_drop(&p);
}

/* Runs of lazy tables are as long as those of written ones, whatever step is asked for. */
static void runs_of_any_step(void **state)
{
	const struct pgtsim_policy policy = profile("latest");
	const struct pgtsim_geometry geo = two_levels_of_eight();
	struct pgtsim_table *table[2];
	struct pair p;

	(void)state;
	pair_init(&p, &policy, &geo, false);
	operate(&p, FILL, 2, 5);
	for (unsigned i = 0; i < 2; i++)
		table[i] = last_table(&p.f[i], p.start);
	for (unsigned i = 0; i < TOY_ENTRIES * TOY_ENTRIES * 3; i++) {
		unsigned index = i % TOY_ENTRIES, count = i / TOY_ENTRIES % TOY_ENTRIES + 1;
		uint64_t step = i / (TOY_ENTRIES * TOY_ENTRIES) * p.page;

		if (index + count <= TOY_ENTRIES)
			assert_int_equal(
				pgtsim_run_uniform(&p.f[0].pgt, table[0], index, count, step),
				pgtsim_run_uniform(&p.f[1].pgt, table[1], index, count, step));
	}
	assert_true(pgtsim_state(table[0])->lazy);
	pair_drop(&p);
}

/* A root of pages is never lazy, and pass 2 has nothing to do there. */
static void root_of_pages(void **state)
{
	const struct pgtsim_policy policy = profile("latest");
	const struct pgtsim_geometry_config config = { .page_shift = 12,
						       .levels = 1,
						       .bits = { 3 } };
	struct pgtsim_geometry geo;
	struct pair p;

	(void)state;
	assert_int_equal(pgtsim_geometry_custom(&geo, &config), 0);
	pair_init(&p, &policy, &geo, false);
	for (unsigned i = 0; i < 500; i++) {
		unsigned from = random_next(&p.seed) % TOY_ENTRIES;
		unsigned to = from + 1 + random_next(&p.seed) % (TOY_ENTRIES - from);

		operate(&p, random_next(&p.seed) % KINDS, from, to);
		for (unsigned k = 0; k < 2 && i % 3 == 0; k++)
			assert_int_equal(
				pgtsim_unmap_linear(&p.f[k].pgt, p.start + from * p.page, 1, 0, 0),
				0);
		compare(&p);
		assert_false(pgtsim_state(p.f[0].pgt.root)->lazy);
	}
	pair_drop(&p);
}

/* Maps a few pages or many, and counts the tables that there are then. */
static void map_apart(uint64_t size, unsigned uppers, unsigned lasts)
{
	const uint64_t end = RAM_START + 64 * 4096;
	unsigned count[2] = { 0, 0 };
	struct fixture f;
	uint64_t va = fixture_init_4k_48(&f);

	assert_true(pgtsim_state(f.pgt.root)->upper);
	assert_int_equal(map_linear(&f, va, 2 * GIB, size, false), 0);
	for (uint64_t pa = RAM_START; pa < end; pa += 4096) {
		const struct pgtsim_table *table = f.pgt.ops.find(f.pgt.ops.ctx, pa);

		if (!table)
			continue;
		count[pgtsim_state(table)->upper]++;
		assert_int_equal(pgtsim_state(table)->upper, table->level < PGTSIM_PTE);
		assert_int_equal(pgtsim_state(table)->lazy, !pgtsim_state(table)->upper);
	}
	assert_int_equal(count[true], uppers);
	assert_int_equal(count[false], lasts);
	fixture_drop(&f);
}

/* Only upper tables take host memory of the pool for upper tables. */
static void upper_tables_are_apart(void **state)
{
	(void)state;
	map_apart(4096, 3, 1);
	map_apart(64 * MIB, 3, 32);
}

/* Host memory of a lazy table, or of one that was not cleared, is zeros for the next table. */
static void memory_is_used_again(void **state)
{
	struct fixture f;
	uint64_t va = fixture_init_4k_48(&f);
	struct pgtsim_table *list, **tail = &list;
	struct pgtsim_unmap unmap = { .start = va, .end = va + 2 * MIB };

	(void)state;
	for (unsigned written = 0; written < 2; written++) {
		assert_int_equal(map_linear(&f, va, 2 * GIB, 2 * MIB, false), 0);
		if (written)
			pgtsim_memory_table(f.memory, last_table(&f, va)->pa);
		assert_int_equal(pgtsim_unmap_range(&f.pgt, &unmap), 0);
		assert_int_equal(pgtsim_free_tables(&f.pgt, va, va + GIB, 0, 0), 0);
		assert_int_equal(map_linear(&f, va + 4096, 2 * GIB, 4096, false), 0);
		for (unsigned i = 0; i < 512; i++)
			assert_int_equal(!pgtsim_entry(&f.pgt, last_table(&f, va), i), i != 1);
		unmap.end = va + GIB;
		assert_int_equal(pgtsim_unmap_range(&f.pgt, &unmap), 0);
		assert_int_equal(pgtsim_free_tables(&f.pgt, va, va + GIB, 0, 0), 0);
	}
	assert_int_equal(map_linear(&f, va, 2 * GIB, 64 * MIB, false), 0);
	pgtsim_pgtable_fini(&f.pgt);
	assert_int_equal(pgtsim_memory_alloc_tables(f.memory, 40, &tail), 40);
	for (; list; list = list->next)
		for (unsigned i = 0; i < 512; i++)
			assert_int_equal(list->entries[i], 0);
	fixture_drop(&f);
}

struct clearing {
	int level;
	bool whole; /* the entries beside it, too */
};

/* Clears a table entry as if it were a leaf. Its table is leaked. */
static int clear_entry(struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
		       struct pgtsim_table *child, void *arg)
{
	const struct clearing *clearing = arg;

	(void)child;
	if (run->level != clearing->level)
		return 0;
	if (clearing->whole)
		run->count = pgtsim_entries(&pgt->geo, run->level);
	pgtsim_run_clear(pgt, run, pgtsim_run_live(pgt, run), 0);
	return PGTSIM_WALK_SKIP;
}

static void check_no_way(const struct pgtsim_geometry *geo, struct clearing clearing)
{
	static const struct pgtsim_visitor visitor = { .table = clear_entry };
	const struct pgtsim_policy policy = profile("latest");
	uint64_t va = pgtsim_va_start(geo);
	struct pgtsim_translation t;
	struct fixture f;

	fixture_init(&f, &policy, geo);
	assert_int_equal(map_linear(&f, va, 2 * GIB, 4096, false), 0);
	assert_int_equal(pgtsim_walk(&f.pgt, va, va, &visitor, &clearing), 0);
	assert_int_equal(pgtsim_translate(&f.pgt, va, &t), -EFAULT);
	assert_int_equal(t.level, clearing.level);
	assert_int_equal(map_linear(&f, va, 4 * GIB, 4096, false), 0);
	assert_int_equal(pgtsim_translate(&f.pgt, va, &t), 0);
	assert_int_equal(t.pa, 4 * GIB);
	fixture_drop(&f);
}

/* Whoever clears the entry of a table, the child cache drops that table. */
static void no_way_without_entry(void **state)
{
	(void)state;
	for (unsigned levels = 2; levels <= PGTSIM_MAX_LEVELS; levels++) {
		const struct pgtsim_geometry geo = toy_geometry(levels);

		for (int level = pgtsim_root_level(&geo); level < PGTSIM_PTE; level++)
			for (unsigned whole = 0; whole < 2; whole++)
				check_no_way(&geo, (struct clearing){ level, whole });
	}
}

/*
 * A table that two entries lead to, mapped through both at once: what was written last stands, and
 * nothing beyond it.
 */
static void map_through_two_entries(const struct pgtsim_geometry *geo, unsigned pages)
{
	const struct pgtsim_policy policy = profile("latest");
	unsigned entries = pgtsim_entries(geo, PGTSIM_PTE);
	uint64_t va = pgtsim_va_start(geo), span = entries * pgtsim_page_size(geo);
	struct pgtsim_unmap unmap = { .start = va, .end = va + span };
	const struct pgtsim_step *step;
	const struct pgtsim_table *table;
	struct pgtsim_translation t;
	struct fixture f;

	fixture_init(&f, &policy, geo);
	assert_int_equal(map_linear(&f, va, 2 * GIB, span, false), 0);
	assert_int_equal(pgtsim_unmap_range(&f.pgt, &unmap), 0);
	pgtsim_translate(&f.pgt, va, &t);
	step = &t.step[t.steps - 2];
	assert_int_equal(pgtsim_poke(&f.pgt, PGTSIM_PMD, va + span, step->desc), 0);
	assert_int_equal(map_linear(&f, va, 2 * GIB, span + pages * 4096, false), 0);
	table = pgtsim_memory_table(f.memory, pgtsim_desc_address(geo, PGTSIM_PMD, step->desc));
	for (unsigned i = 0; i < entries; i++)
		assert_int_equal(pgtsim_desc_address(geo, PGTSIM_PTE, table->entries[i]),
				 2 * GIB + (i < pages ? span : 0) + i * 4096);
	assert_int_equal(pgtsim_unmap_range(&f.pgt, &unmap), 0);
	for (unsigned i = 0; i < entries; i++)
		assert_int_equal(pgtsim_entry(&f.pgt, table, i), 0);
	fixture_drop(&f);
}

static void mapped_through_two_entries(void **state)
{
	const struct pgtsim_geometry small = toy_geometry(3), wide = linux_geometry(4, 48, 0, 48);

	(void)state;
	for (unsigned pages = 1; pages <= 4; pages++)
		map_through_two_entries(&small, pages);
	map_through_two_entries(&wide, 1);
	map_through_two_entries(&wide, 512);
}

/* Counts the tables, and allocates them from a simulated memory. */
static unsigned asked_for;

static uint64_t (*memory_alloc)(void *ctx, uint64_t count, struct pgtsim_table ***tail);

static uint64_t counting_alloc(void *ctx, uint64_t count, struct pgtsim_table ***tail)
{
	asked_for += (unsigned)count;
	return memory_alloc(ctx, count, tail);
}

/* A function of the caller's own in place of a simulated memory's is called for each table. */
static void own_alloc_is_called(void **state)
{
	const struct pgtsim_policy policy = profile("latest");
	const struct pgtsim_geometry geo = toy_geometry(3);
	uint64_t va = pgtsim_va_start(&geo);
	struct fixture f;

	(void)state;
	fixture_init(&f, &policy, &geo);
	memory_alloc = f.pgt.ops.alloc;
	f.pgt.ops.alloc = counting_alloc;
	assert_int_equal(map_linear(&f, va, 2 * GIB, 4 * 4096, false), 0);
	assert_int_equal(asked_for, 2);
	fixture_drop(&f);
}

/* Maps a page while the host has no memory for upper tables: new ones stay where tables begin. */
static void map_without_upper(struct fixture *f, uint64_t va)
{
	struct host *host = &f->memory->host[POOL_UPPER];
	size_t piece = host->piece, spare = host->spare_count;

	host->piece = SIZE_MAX / 4 * 3; /* there is no hole of that size */
	host->spare_count = 0;
	assert_int_equal(map_linear(f, va, 2 * GIB, 4096, false), 0);
	host->piece = piece;
	host->spare_count = spare;
}

/* An upper table that found no memory in its pool may be lazy, and keeps its child cache. */
static void upper_without_memory(void **state)
{
	struct pgtsim_translation t;
	struct pgtsim_table *table;
	struct fixture f;
	uint64_t va = fixture_init_4k_48(&f), blocks = va + 400 * 2 * MIB;

	(void)state;
	map_without_upper(&f, va);
	assert_int_equal(map_linear(&f, va + 2 * MIB, 2 * GIB, 4096, false), 0);
	pgtsim_translate(&f.pgt, va, &t);
	table = pgtsim_memory_table(f.memory,
				    pgtsim_desc_address(&f.pgt.geo, PGTSIM_PUD, t.step[1].desc));
	assert_true(!pgtsim_state(table)->upper && pgtsim_state(table)->cache);
	assert_int_equal(pgtsim_unmap_linear(&f.pgt, va, 4 * MIB, va, va + 4 * MIB), 0);
	assert_int_equal(table->live, 0);
	assert_int_equal(map_linear(&f, blocks, 2 * GIB, 4 * MIB, true), 0);
	assert_true(pgtsim_state(table)->lazy && !pgtsim_state(table)->upper && table->live == 2);
	assert_int_equal(pgtsim_unmap_linear(&f.pgt, blocks, 2 * MIB, 0, 0), 0);
	assert_int_equal(table->live, 1);
	assert_int_equal(pgtsim_unmap_linear(&f.pgt, va, GIB, 0, 0), 0);
	assert_int_equal(f.tlb.counts.tables_pmd, 0);
	assert_pool(&f, 0, 0);
	fixture_drop(&f);
}

/* An allocator that keeps tables for the next page table instead of giving them back. */
static struct pgtsim_table *kept;

static uint64_t keeping_alloc(void *ctx, uint64_t count, struct pgtsim_table ***tail)
{
	uint64_t got = 0;

	for (; kept && got < count; got++) {
		struct pgtsim_table *table = kept;

		kept = table->next;
		memset(table->entries, 0, 4096);
		**tail = table;
		*tail = &table->next;
	}
	return got + (got < count ? memory_alloc(ctx, count - got, tail) : 0);
}

static void keeping_free(void *ctx, struct pgtsim_table *table)
{
	(void)ctx;
	table->next = kept;
	kept = table;
}

/* A table that is handed out again has an empty child cache. */
static void kept_tables_lead_nowhere(void **state)
{
	const struct pgtsim_policy policy = profile("latest");
	const struct pgtsim_geometry geo = toy_geometry(4);
	const uint64_t va = pgtsim_va_start(&geo);
	struct pgtsim_table_ops ops;
	struct pgtsim_translation t;
	struct fixture f;

	(void)state;
	fixture_init(&f, &policy, &geo);
	pgtsim_pgtable_fini(&f.pgt);
	ops = pgtsim_memory_table_ops(f.memory);
	memory_alloc = ops.alloc;
	ops.alloc = keeping_alloc;
	ops.free = keeping_free;
	for (unsigned round = 0; round < 6; round++) {
		assert_int_equal(pgtsim_pgtable_init(&f.pgt, &geo, &f.policy, &f.tlb, ops,
						     round % 3 ? PGTSIM_ACCESS_PRIVATE :
								 PGTSIM_ACCESS_HOOKED),
				 0);
		assert_int_equal(pgtsim_translate(&f.pgt, va, &t), -EFAULT);
		assert_int_equal(map_linear(&f, va + 4096, GIB, 4096, false), 0);
		assert_int_equal(pgtsim_translate(&f.pgt, va, &t), -EFAULT);
		if (round % 3 < 2)
			assert_int_equal(map_linear(&f, va, GIB, 4096, false), 0);
		pgtsim_pgtable_fini(&f.pgt);
	}
	while (kept) {
		struct pgtsim_table *table = kept;

		kept = table->next;
		pgtsim_memory_free_table(f.memory, table);
	}
	for (unsigned pool = POOL_PTE; pool < POOL_RECORDS; pool++)
		assert_int_equal(f.memory->host[pool].spare_count, f.memory->host[pool].pieces);
	fixture_drop(&f);
}

/* A table beyond the addresses that entries can hold is no table, whoever linked it. */
static void tables_out_of_reach(void **state)
{
	const struct pgtsim_policy policy = profile("latest");
	const struct pgtsim_geometry_config config = {
		.page_shift = 12, .levels = 3, .bits = { 9, 9, 9 }, .pa_bits = 40
	};
	/* The first tables are in reach, then one is not. */
	const struct pgtsim_ram ram[] = { { GIB, GIB + 3 * 4096 }, { 2 * TIB, 2 * TIB + GIB } };
	struct pgtsim_geometry geo;

	(void)state;
	assert_int_equal(pgtsim_geometry_custom(&geo, &config), 0);
	for (unsigned i = 0; i < 4; i++) {
		bool some = i / 2;
		uint64_t va = pgtsim_va_start(&geo) + some * 2 * MIB;
		struct pgtsim_translation t;
		struct fixture f;

		fixture_init(&f, &policy, &geo);
		pgtsim_pgtable_fini(&f.pgt);
		pgtsim_memory_free(&f.memory);
		assert_int_equal(pgtsim_memory_new(&f.memory, 12, 4096, &ram[!some], 1 + some), 0);
		assert_int_equal(
			pgtsim_pgtable_init(&f.pgt, &geo, &f.policy, &f.tlb,
					    pgtsim_memory_table_ops(f.memory),
					    i % 2 ? PGTSIM_ACCESS_HOOKED : PGTSIM_ACCESS_PRIVATE),
			0);
		if (some) {
			assert_int_equal(map_linear(&f, va - 2 * MIB, 2 * GIB, 4096, false), 0);
			map_linear(&f, va + GIB, 2 * GIB, 4096, false);
		}
		map_linear(&f, va, 2 * GIB, 4096, false);
		assert_int_equal(pgtsim_translate(&f.pgt, va, &t), -EFAULT);
		assert_int_equal(pgtsim_unmap_linear(&f.pgt, va, 4096, 0, 0), 0);
		assert_int_equal(f.tlb.counts.leaves_cleared, 0);
		fixture_drop(&f);
	}
}

/* A table of pages may have the host memory that it had as an upper table, and gives that back. */
static void pages_in_upper_memory(void **state)
{
	struct pgtsim_table **tail = &kept;
	struct fixture f;
	const uint64_t va = fixture_init_4k_48(&f);
	const struct host *upper = &f.memory->host[POOL_UPPER];
	size_t spare;

	(void)state;
	assert_int_equal(map_linear(&f, va, GIB, 4096, false), 0);
	spare = upper->spare_count;
	assert_int_equal(pgtsim_memory_alloc_lazy_tables(f.memory, 1, &tail), 1);
	pgtsim_table_use_upper_pool(f.memory, kept);
	pgtsim_table_materialize(kept);
	memory_alloc = f.pgt.ops.alloc;
	f.pgt.ops.alloc = keeping_alloc;
	assert_int_equal(map_linear(&f, va + 2 * MIB, GIB, 4096, false), 0);
	assert_true(pgtsim_state(last_table(&f, va + 2 * MIB))->lazy);
	assert_true(pgtsim_state(last_table(&f, va + 2 * MIB))->upper);
	assert_int_equal(upper->spare_count, spare - 1);
	for (unsigned i = 2; i-- > 0;)
		assert_int_equal(pgtsim_unmap_linear(&f.pgt, va + i * 2 * MIB, 4096, 0, 0), 0);
	assert_pool(&f, 0, 0);
	fixture_drop(&f);
}

/* A `free` of the caller's own gets tables with host memory, which it may write. */
static void kept_tables_are_written(void **state)
{
	const struct pgtsim_policy policy = profile("latest");
	const struct pgtsim_geometry geo = toy_geometry(3);
	const uint64_t va = pgtsim_va_start(&geo);
	struct fixture f;

	(void)state;
	fixture_init(&f, &policy, &geo);
	f.pgt.ops.free = keeping_free;
	assert_int_equal(map_linear(&f, va, GIB, 4096, false), 0);
	assert_true(pgtsim_state(last_table(&f, va))->lazy);
	for (unsigned round = 0; round < 2; round++) {
		kept = NULL;
		if (round)
			pgtsim_pgtable_fini(&f.pgt);
		else
			assert_int_equal(pgtsim_unmap_linear(&f.pgt, va, 4096, 0, 0), 0);
		assert_non_null(kept);
		for (struct pgtsim_table *table = kept; table; table = table->next)
			assert_false(pgtsim_state(table)->lazy);
		if (!round)
			assert_int_equal(map_linear(&f, va, GIB, 8192, true), 0);
	}
	fixture_drop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lazy_equals_written),
		cmocka_unit_test(written_when_needed),
		cmocka_unit_test(hooks_see_entries),
		cmocka_unit_test(threads_link_beside_blocks),
		cmocka_unit_test(threads_fill_before_what_was_first),
		cmocka_unit_test(scan_after_threads),
		cmocka_unit_test(runs_need_no_memory),
		cmocka_unit_test(memory_is_reserved),
		cmocka_unit_test(every_run_of_a_table),
		cmocka_unit_test(runs_of_any_step),
		cmocka_unit_test(root_of_pages),
		cmocka_unit_test(upper_tables_are_apart),
		cmocka_unit_test(memory_is_used_again),
		cmocka_unit_test(no_way_without_entry),
		cmocka_unit_test(mapped_through_two_entries),
		cmocka_unit_test(upper_without_memory),
		cmocka_unit_test(own_alloc_is_called),
		cmocka_unit_test(kept_tables_lead_nowhere),
		cmocka_unit_test(kept_tables_are_written),
		cmocka_unit_test(tables_out_of_reach),
		cmocka_unit_test(pages_in_upper_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
