/* SPDX-License-Identifier: MIT */
/* A page table with a checker, and what tests of the checker's rules do with it. */
#ifndef PGTSIM_TEST_CHECKER_H
#define PGTSIM_TEST_CHECKER_H

#include "hotplug.h"

#define VA UINT64_C(0xffff000040000000)
#define PA UINT64_C(0x80000000)
#define PAGE UINT64_C(4096)

/* Events, in few letters: tables of them are shown below each other. */
#define SHST PGTSIM_OP_DSB_ISHST
#define DSB PGTSIM_OP_DSB_ISH
#define CONTEXT PGTSIM_OP_ISB
#define LEAF PGTSIM_OP_TLBI_LEAF
#define WALK PGTSIM_OP_TLBI_WALK
#define RANGE PGTSIM_OP_TLBI_RANGE
#define ALL PGTSIM_OP_TLBI_ALL

/* ---- a page table with a checker ---- */

static inline void start(struct fixture *f, const char *profile_name,
			 const struct pgtsim_geometry *geo)
{
	const struct pgtsim_policy policy = profile(profile_name);

	fixture_init(f, &policy, geo);
	assert_int_equal(pgtsim_checker_start(&f->tlb, &f->pgt.geo, &f->policy), 0);
}

static inline void start_4k(struct fixture *f, const char *profile_name)
{
	const struct pgtsim_geometry geo = linux_geometry(4, 48, 0, 48);

	start(f, profile_name, &geo);
}

static inline void put(struct fixture *f, uint64_t va, uint64_t size, bool blocks, bool cont)
{
	struct pgtsim_map map = linear_map(f, va, PA + (va - VA), size);

	map.blocks = blocks;
	map.cont = cont;
	assert_int_equal(pgtsim_map(&f->pgt, &map), 0);
}

static inline void send(struct fixture *f, enum pgtsim_op op, uint64_t va, uint64_t count,
			uint64_t size)
{
	const struct pgtsim_event event = {
		.op = op, .level = PGTSIM_PTE, .va = va, .count = count, .size = size
	};

	pgtsim_emit_event_slowly(&f->tlb, &event);
}

/* DSB ISHST, `op` on [va, va + pages), DSB ISH, ISB. */
static inline void invalidate_pages(struct fixture *f, enum pgtsim_op op, uint64_t va,
				    uint64_t pages)
{
	uint64_t page = pgtsim_page_size(&f->pgt.geo);

	pgtsim_tlb_publish(&f->tlb);
	if (op == PGTSIM_OP_TLBI_RANGE)
		send(f, op, va, 1, pages * page);
	else
		send(f, op, va, pages, page);
	pgtsim_tlb_complete(&f->tlb);
}

static inline int clear_run(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	pgtsim_run_clear(pgt, run, pgtsim_run_live(pgt, run), *(unsigned *)arg);
	return 0;
}

/* Clears the leaves of [va, va + size) and does what the flags say, no more. */
static inline void clear(struct fixture *f, uint64_t va, uint64_t size, unsigned flags)
{
	static const struct pgtsim_visitor visitor = { .entries = clear_run };

	assert_int_equal(pgtsim_walk(&f->pgt, va, va + (size - 1), &visitor, &flags), 0);
}

static inline bool stale_at(const struct fixture *f, uint64_t va)
{
	struct pgtsim_stale stale;

	return pgtsim_may_be_stale(&f->tlb, va, &stale);
}

/* Whether the entries [from, to) of `size` bytes from va on are all stale, or all not. */
static inline void assert_stale(const struct fixture *f, uint64_t va, uint64_t size, unsigned from,
				unsigned to, bool stale)
{
	for (unsigned i = from; i < to; i++)
		if (stale_at(f, va + i * size) != stale)
			fail_msg("entry %u is %s", i, stale ? "not stale" : "stale");
}

static inline unsigned times_found(const struct pgtsim_tlb *tlb, enum pgtsim_violation_name name)
{
	unsigned n = 0;

	for (size_t i = 0; i < tlb->violation_count; i++)
		n += tlb->violations[i].name == name;
	return n;
}

/* Ends an operation; exactly one violation must have come since there were `before`: this. */
static inline void assert_told(struct fixture *f, uint64_t before, enum pgtsim_violation_name name)
{
	pgtsim_tlb_end(&f->tlb, pgtsim_va_start(&f->pgt.geo), UINT64_MAX);
	if (f->tlb.counts.violations != before + 1 || f->tlb.violations[before].name != name)
		fail_msg("%llu violations, the first %s: expected %s",
			 (unsigned long long)(f->tlb.counts.violations - before),
			 f->tlb.counts.violations > before ?
				 pgtsim_violation_kind(f->tlb.violations[before].name)->name :
				 "none",
			 pgtsim_violation_kind(name)->name);
}

static inline void assert_nothing_told(struct fixture *f)
{
	pgtsim_tlb_end(&f->tlb, pgtsim_va_start(&f->pgt.geo), UINT64_MAX);
	if (f->tlb.counts.violations)
		fail_msg("%s: %s", first_violation(f), f->tlb.violations[0].text);
}

static inline struct pgtsim_run entry_run(const struct fixture *f, int level, uint64_t va)
{
	struct pgtsim_run run = { .table = f->pgt.root, .level = f->pgt.root->level, .count = 1 };

	for (;; run.level++) {
		uint64_t desc;

		run.index = pgtsim_index(&f->pgt.geo, run.level, va);
		if (run.level == level)
			break;
		desc = pgtsim_entry(&f->pgt, run.table, run.index);
		run.table = pgtsim_memory_table(f->memory,
						pgtsim_desc_address(&f->pgt.geo, run.level, desc));
	}
	run.va = va;
	run.last = va + (pgtsim_entry_size(&f->pgt.geo, level) - 1);
	return run;
}

#endif
