/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the page-table rooms share: a page table with its own small memory, the
 * list of all geometries, and a snapshot of a whole table, read without the library's walker.
 */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pgtsim/checker.h>
#include <pgtsim/pgtable.h>

#include "pgtable/access.h"
#include "s390/vmem.h"
#include "share.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define TIB (UINT64_C(1) << 40)
#define RAM_START UINT64_C(0x40000000)

static const char *const all_profiles[] = { "linux-5.7", "linux-5.10", "linux-5.14",
					    "linux-6.1", "linux-6.12", "linux-7.3" };
static const char *const s390_profiles[] = { "s390-5.9", "s390-6.1", "s390-6.12", "s390-7.3" };

struct fixture {
	struct pgtsim_policy policy;
	struct pgtsim_tlb tlb;
	struct pgtsim_memory *memory;
	struct pgtsim_pgtable pgt;
};

/* ---- geometries ---- */

static inline struct pgtsim_geometry linux_geometry(unsigned kib, unsigned va, unsigned va_actual,
						    unsigned pa)
{
	struct pgtsim_geometry geo;

	assert_int_equal(pgtsim_geometry_linux(&geo, (uint32_t)kib << 10, va, va_actual, pa), 0);
	return geo;
}

/* 2 bits a level, groups of 2, blocks at pmd and pud. */
static inline struct pgtsim_geometry toy_geometry(unsigned levels)
{
	struct pgtsim_geometry_config config = {
		.page_shift = 12,
		.levels = (uint8_t)levels,
		.cont_pte = 1,
		.cont_pmd = levels >= 2,
		.block_levels = levels >= 3 ? 1 << 3 | 1 << 2 :
				levels == 2 ? 1 << 3 :
					      0,
	};
	struct pgtsim_geometry geo;

	memset(config.bits, 2, levels);
	assert_int_equal(pgtsim_geometry_custom(&geo, &config), 0);
	return geo;
}

/* The end of the region: one byte more than its last, 0 on arm64. */
static inline uint64_t region_end(const struct pgtsim_geometry *geo)
{
	return pgtsim_va_last(geo) + 1;
}

struct geometry_case {
	char name[24];
	struct pgtsim_geometry geo;
};

enum { MAX_GEOMETRIES = 32 };

static inline void add_regime(struct geometry_case *out, size_t *n,
			      const struct pgtsim_regime *regime, unsigned va_actual, unsigned pa)
{
	struct geometry_case *c = &out[*n];

	if (pgtsim_geometry_linux(&c->geo, UINT32_C(1) << regime->page_shift, regime->va_bits,
				  va_actual, pa))
		return;
	snprintf(c->name, sizeof(c->name), "%s@%u pa%u", regime->name, va_actual, pa);
	++*n;
}

static inline struct pgtsim_geometry s390_geometry(unsigned va, unsigned edat)
{
	struct pgtsim_geometry geo;

	assert_int_equal(pgtsim_geometry_s390(&geo, va, edat), 0);
	return geo;
}

/*
 * s390's form with other sizes: bits of a page table, of a segment table, and of the root. A segment has
 * at least 16 pages, as bits 15:12 of its leaf are software's.
 */
static inline struct pgtsim_geometry s390_toy(unsigned page, unsigned segment, unsigned root,
					      unsigned edat)
{
	struct pgtsim_geometry geo = s390_geometry(42, edat);
	const unsigned bits[] = { root, segment, page };
	unsigned shift = geo.page_shift;

	for (int level = PGTSIM_PTE; level >= pgtsim_root_level(&geo); level--) {
		unsigned slot = pgtsim_slot(level);

		geo.bits[slot] = (uint8_t)bits[level - pgtsim_root_level(&geo)];
		geo.last_index[slot] = (UINT32_C(1) << geo.bits[slot]) - 1;
		geo.shift[slot] = (uint8_t)shift;
		shift += geo.bits[slot];
	}
	geo.va_bits = geo.config_va_bits = (uint8_t)shift;
	return geo;
}

/* s390's, three levels and four, and toys with tables smaller and larger than a page. */
static inline size_t s390_geometries(struct geometry_case out[MAX_GEOMETRIES])
{
	size_t n = 0;

	for (unsigned edat = 0; edat <= 2; edat++) {
		snprintf(out[n].name, sizeof(out[n].name), "s390 of 42 bits edat%u", edat);
		out[n++].geo = s390_geometry(42, edat);
		snprintf(out[n].name, sizeof(out[n].name), "s390 of 53 bits edat%u", edat);
		out[n++].geo = s390_geometry(53, edat);
		snprintf(out[n].name, sizeof(out[n].name), "s390 toy edat%u", edat);
		out[n++].geo = s390_toy(4, 2, 2, edat);
		snprintf(out[n].name, sizeof(out[n].name), "s390 toy, 8K edat%u", edat);
		out[n++].geo = s390_toy(4, 10, 2, edat);
	}
	return n;
}

/* Whether a policy is of an s390 kernel. */
static inline bool is_s390(const struct pgtsim_policy *policy)
{
	return !strncmp(policy->profile, "s390-", 5);
}

/* What a profile can run: Linux's regimes, on CPUs with and without 52 bits, and the toys; or s390's. */
static inline size_t all_geometries(struct geometry_case out[MAX_GEOMETRIES],
				    const struct pgtsim_policy *policy)
{
	size_t regimes, n = 0;
	const struct pgtsim_regime *regime = pgtsim_regimes(&regimes);

	if (is_s390(policy))
		return s390_geometries(out);
	for (const struct pgtsim_regime *end = regime + regimes; regime < end; regime++) {
		if (regime->va_bits == 52 && regime->page_shift != 16 && !policy->lpa2)
			continue;
		add_regime(out, &n, regime, regime->va_bits, 48);
		add_regime(out, &n, regime, regime->va_bits, 52);
		if (regime->va_bits_without_52 != regime->va_bits)
			add_regime(out, &n, regime, regime->va_bits_without_52, 52);
	}
	for (unsigned levels = 1; levels <= PGTSIM_MAX_LEVELS; levels++, n++) {
		out[n].geo = toy_geometry(levels);
		snprintf(out[n].name, sizeof(out[n].name), "toy of %u levels", levels);
	}
	assert_true(n >= 17 && n <= MAX_GEOMETRIES);
	for (size_t i = 0; i < n; i++)
		out[i].geo.oa_keeps_49_48 = policy->oa_keeps_49_48;
	return n;
}

/* The bytes of the largest table, which is larger than a page only on s390. */
static inline size_t largest_table(const struct pgtsim_geometry *geo)
{
	unsigned order = 0;

	for (int level = pgtsim_root_level(geo); level <= PGTSIM_PTE; level++)
		if (pgtsim_table_order(geo, level) > order)
			order = pgtsim_table_order(geo, level);
	return (size_t)1 << (geo->page_shift + order);
}

/* ---- set up and tear down ---- */

static inline struct pgtsim_policy profile(const char *name)
{
	struct pgtsim_policy policy;

	assert_int_equal(pgtsim_policy_init(&policy, name), 0);
	return policy;
}

/* The latest profile of a geometry's architecture. */
static inline struct pgtsim_policy latest_for(const struct pgtsim_geometry *geo)
{
	return profile(geo->format == PGTSIM_FORMAT_S390 ? "s390-7.3" : "latest");
}

/* An empty page table in 1G of RAM; fixture_fini() takes it down. */
static inline void fixture_init_access(struct fixture *f, const struct pgtsim_policy *policy,
				       const struct pgtsim_geometry *geo, enum pgtsim_access access)
{
	const struct pgtsim_ram ram = { RAM_START, RAM_START + GIB };
	struct pgtsim_geometry own = *geo;

	memset(f, 0xa5, sizeof(*f));
	f->policy = *policy;
	own.oa_keeps_49_48 = policy->oa_keeps_49_48;
	pgtsim_tlb_init(&f->tlb);
	assert_int_equal(pgtsim_memory_new(&f->memory, geo->page_shift, largest_table(geo), &ram,
					   1),
			 0);
	assert_int_equal(pgtsim_pgtable_init(&f->pgt, &own, &f->policy, &f->tlb,
					     pgtsim_memory_table_ops(f->memory), access),
			 0);
	if (geo->format == PGTSIM_FORMAT_S390)
		pgtsim_engine_set(&f->pgt, pgtsim_vmem_engine());
}

static inline void fixture_init(struct fixture *f, const struct pgtsim_policy *policy,
				const struct pgtsim_geometry *geo)
{
	fixture_init_access(f, policy, geo, PGTSIM_ACCESS_PRIVATE);
}

/* A page table of 4K pages and 48 bits, as of the latest kernel. Returns its first address. */
static inline uint64_t fixture_init_4k_48(struct fixture *f)
{
	const struct pgtsim_policy policy = profile("latest");
	const struct pgtsim_geometry geo = linux_geometry(4, 48, 0, 48);

	fixture_init(f, &policy, &geo);
	return pgtsim_va_start(&geo);
}

/* Like fixture_fini(), for tests that leak or hold pages. */
static inline void fixture_drop(struct fixture *f)
{
	pgtsim_pgtable_fini(&f->pgt);
	pgtsim_tlb_fini(&f->tlb);
	pgtsim_memory_free(&f->memory);
}

static inline uint64_t free_pages_of(const struct fixture *f)
{
	return pgtsim_memory_free_count(f->memory);
}

/* Fails if anything is still allocated. */
static inline void fixture_fini(struct fixture *f)
{
	pgtsim_pgtable_fini(&f->pgt);
	assert_int_equal(free_pages_of(f), pgtsim_memory_ram_count(f->memory));
	fixture_drop(f);
}

/* A mapping as hot-add makes it: ptes only. */
static inline struct pgtsim_map linear_map(const struct fixture *f, uint64_t va, uint64_t pa,
					   uint64_t size)
{
	return (struct pgtsim_map){
		.va = va,
		.pa = pa,
		.size = size,
		.attrs = f->policy.prot[PGTSIM_PROT_TAGGED],
		.table_attrs = f->policy.linear_table,
		.region = PGTSIM_REGION_LINEAR,
	};
}

static inline int map_linear(struct fixture *f, uint64_t va, uint64_t pa, uint64_t size,
			     bool blocks)
{
	struct pgtsim_map map = linear_map(f, va, pa, size);

	map.blocks = blocks;
	return pgtsim_map(&f->pgt, &map);
}

/* The first violation that was kept, or NULL. */
static inline const char *first_violation(const struct fixture *f)
{
	return f->tlb.violation_count ? pgtsim_violation_kind(f->tlb.violations[0].name)->name :
					NULL;
}

/* A pseudo-random sequence, the same in every run. */
static inline uint32_t random_next(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

/* ---- snapshots ---- */

struct snapshot_line {
	int level;
	uint64_t va, desc;
};

/* Every entry that is not zero, depth first, a table before its children. */
struct snapshot {
	struct snapshot_line *line;
	size_t count, room;
	size_t tables, table_pages; /* the root included */
	uint64_t free_pages;
};

static inline void snapshot_add(struct snapshot *s, int level, uint64_t va, uint64_t desc)
{
	if (s->count == s->room) {
		s->room = s->room ? 2 * s->room : 64;
		s->line = realloc(s->line, s->room * sizeof(*s->line));
		assert_non_null(s->line);
	}
	s->line[s->count++] = (struct snapshot_line){ level, va, desc };
}

/* If the record describes the table's entries, it must describe this one right. */
static inline void assert_as_described(const struct pgtsim_table *table, unsigned i, uint64_t desc)
{
	uint64_t described =
		i - pgtsim_state(table)->first < table->live ?
			pgtsim_state(table)->base + ((uint64_t)i << pgtsim_state(table)->shift) :
			0;

	if (pgtsim_state(table)->described)
		assert_int_equal(desc, described);
	else
		assert_false(pgtsim_state(table)->lazy);
}

/* Reads one table and all below it; its side record must agree with what it holds. */
static inline void snapshot_table(struct snapshot *s, const struct fixture *f,
				  const struct pgtsim_table *table, int level, uint64_t va)
{
	const struct pgtsim_geometry *geo = &f->pgt.geo;
	unsigned live = 0;

	assert_non_null(table);
	assert_int_equal(table->level, level);
	s->tables++;
	s->table_pages += (size_t)1 << pgtsim_table_order(geo, level);
	for (unsigned i = 0; i < pgtsim_entries(geo, level); i++) {
		uint64_t desc = pgtsim_entry(&f->pgt, table, i);
		uint64_t at = va + i * pgtsim_entry_size(geo, level);

		assert_as_described(table, i, desc);
		if (!desc)
			continue;
		live++;
		assert_true(pgtsim_state(table)->first <= i);
		snapshot_add(s, level, at, desc);
		if (pgtsim_desc_kind(level, desc) == PGTSIM_TABLE)
			snapshot_table(s, f,
				       f->pgt.ops.find(f->pgt.ops.ctx,
						       pgtsim_desc_address(geo, level, desc)),
				       level + 1, at);
	}
	assert_int_equal(table->live, live);
}

/* Takes a snapshot and checks every side record on the way. Free it with snapshot_free(). */
static inline struct snapshot snapshot_take(const struct fixture *f)
{
	const struct pgtsim_geometry *geo = &f->pgt.geo;
	int root = pgtsim_root_level(geo);
	uint64_t span = (uint64_t)pgtsim_entries(geo, root) * pgtsim_entry_size(geo, root);
	struct snapshot s = { .free_pages = free_pages_of(f) };

	snapshot_table(&s, f, f->pgt.root, root, geo->from_zero ? 0 : -span);
	return s;
}

static inline void snapshot_free(struct snapshot *s)
{
	free(s->line);
	*s = (struct snapshot){ 0 };
}

static inline bool snapshots_equal(const struct snapshot *a, const struct snapshot *b)
{
	if (a->count != b->count || a->tables != b->tables)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (a->line[i].level != b->line[i].level || a->line[i].va != b->line[i].va ||
		    a->line[i].desc != b->line[i].desc)
			return false;
	return true;
}

/* True if nothing has changed since `before`, free memory included. */
static inline bool unchanged(const struct fixture *f, const struct snapshot *before)
{
	struct snapshot now = snapshot_take(f);
	bool same = snapshots_equal(before, &now) && now.free_pages == before->free_pages;

	snapshot_free(&now);
	return same;
}

/* Number of tables that are linked, the root included, found by reading them, and of their pages. */
static inline size_t tables_and_pages(const struct fixture *f, size_t *pages)
{
	struct snapshot now = snapshot_take(f);
	size_t tables = now.tables;

	*pages = now.table_pages;
	snapshot_free(&now);
	return tables;
}

/* The first of the two alone. */
static inline size_t tables_linked(const struct fixture *f)
{
	size_t pages;

	return tables_and_pages(f, &pages);
}

/* The entry of this level that translates va, 0 if a table above it is missing. */
static inline uint64_t entry_at(const struct fixture *f, int level, uint64_t va)
{
	struct pgtsim_translation t;

	(void)pgtsim_translate(&f->pgt, va, &t);
	for (unsigned i = 0; i < t.steps; i++)
		if (t.step[i].level == level)
			return t.step[i].desc;
	return 0;
}

static inline bool is_mapped(const struct fixture *f, uint64_t va)
{
	struct pgtsim_translation t;

	return pgtsim_translate(&f->pgt, va, &t) == 0;
}

/* ---- counters ---- */

/* Fails with the counter's name if two sets differ in any counter but work.entries. */
static inline void assert_counts_equal(const struct pgtsim_counts *a, const struct pgtsim_counts *b)
{
	size_t n;
	const struct pgtsim_counter *counters = pgtsim_counters(&n);

	for (size_t i = 0; i < n; i++)
		if (strcmp(counters[i].name, "work.entries") != 0 &&
		    pgtsim_counter_value(a, &counters[i]) != pgtsim_counter_value(b, &counters[i]))
			fail_msg("%s: %llu and %llu", counters[i].name,
				 (unsigned long long)pgtsim_counter_value(a, &counters[i]),
				 (unsigned long long)pgtsim_counter_value(b, &counters[i]));
}

/* ---- an observer that keeps every event ---- */

struct recorder {
	struct pgtsim_observer observer; /* first: the callback casts */
	struct pgtsim_event mark;        /* the last PGTSIM_OP_BEGIN_…; the others are below */
	unsigned marks;
	struct pgtsim_event *event;
	size_t count, room;
};

static inline void recorder_event(struct pgtsim_observer *self, const struct pgtsim_event *event)
{
	struct recorder *r = (struct recorder *)(void *)self;

	if (event->op >= PGTSIM_OP_BEGIN_MAP && event->op <= PGTSIM_OP_BEGIN_PASS_2) {
		r->mark = *event;
		r->marks++;
		return;
	}
	if (r->count == r->room) {
		r->room = r->room ? 2 * r->room : 64;
		r->event = realloc(r->event, r->room * sizeof(*r->event));
		assert_non_null(r->event);
	}
	r->event[r->count++] = *event;
}

static inline void recorder_start(struct recorder *r, struct fixture *f)
{
	*r = (struct recorder){ .observer = { .event = recorder_event } };
	pgtsim_observe(&f->tlb, &r->observer);
}

static inline void recorder_stop(struct recorder *r, struct fixture *f)
{
	pgtsim_unobserve(&f->tlb, &r->observer);
	free(r->event);
	*r = (struct recorder){ 0 };
}

/* True if the events from `at` on are exactly these operations. */
static inline bool recorded(const struct recorder *r, size_t at, const enum pgtsim_op *ops,
			    size_t n)
{
	if (at + n > r->count)
		return false;
	for (size_t i = 0; i < n; i++)
		if (r->event[at + i].op != ops[i])
			return false;
	return true;
}

#endif
