/* SPDX-License-Identifier: MIT */
/*
 * Concrete TLBs: what an access meets after each operation, complete or not, and the whole against
 * a slow model that never runs out of room.
 */
#include <pgtsim/cpu.h>
#include <pgtsim/teardown.h>

#include "fixture.h"

#define VA (UINT64_C(0) - 2 * MIB) /* the last 2 MiB */

static struct pgtsim_cpus *cpus_of(struct fixture *f, unsigned count)
{
	struct pgtsim_cpus *cpus;

	assert_int_equal(pgtsim_cpus_new(&cpus, &f->pgt, count, 1), 0);
	return cpus;
}

static struct pgtsim_access_result access_by(struct pgtsim_cpus *cpus, unsigned cpu, uint64_t va)
{
	struct pgtsim_access_result result;

	assert_int_equal(pgtsim_cpu_access(cpus, cpu, va, &result), 0);
	return result;
}

static void assert_outcome(struct pgtsim_cpus *cpus, unsigned cpu, uint64_t va,
			   enum pgtsim_outcome expected)
{
	enum pgtsim_outcome met = access_by(cpus, cpu, va).outcome;

	if (met != expected)
		fail_msg("0x%llx by CPU %u: %s, not %s", (unsigned long long)va, cpu,
			 pgtsim_outcome_name(met), pgtsim_outcome_name(expected));
}

/* A 4K/48 table with `size` bytes mapped at VA, and CPUs. */
static struct pgtsim_cpus *start(struct fixture *f, uint64_t size, bool blocks, bool cont)
{
	struct pgtsim_policy policy = profile("linux-6.12");
	struct pgtsim_geometry geo = linux_geometry(4, 48, 0, 48);
	struct pgtsim_map map;

	fixture_init(f, &policy, &geo);
	map = linear_map(f, VA, 0x80000000, size);
	map.blocks = blocks;
	map.cont = cont;
	assert_int_equal(pgtsim_map(&f->pgt, &map), 0);
	return cpus_of(f, 2);
}

static void end(struct fixture *f, struct pgtsim_cpus *cpus)
{
	pgtsim_cpus_free(&cpus);
	assert_null(cpus);
	assert_null(f->tlb.observers);
	fixture_drop(f);
}

static void event(struct fixture *f, enum pgtsim_op op, uint64_t va, uint64_t count, uint64_t size)
{
	const struct pgtsim_event event = {
		.op = op,
		.level = PGTSIM_PTE,
		.va = va,
		.count = count,
		.size = size,
	};

	pgtsim_tlb_event(&f->tlb, &event);
}

static void poke(struct fixture *f, int level, uint64_t va, uint64_t desc)
{
	assert_int_equal(pgtsim_poke(&f->pgt, level, va, desc), 0);
}

/* The first access walks from the root, the next page from the walk cache, then both are hits. */
static void misses_walks_and_hits(void **state)
{
	struct fixture f;
	struct pgtsim_cpus *cpus = start(&f, 16 * KIB, false, false);
	struct pgtsim_access_result result = access_by(cpus, 0, VA + 8);

	(void)state;
	assert_int_equal(result.outcome, PGTSIM_OUTCOME_MISS);
	assert_int_equal(result.used.pa, 0x80000008);
	assert_int_equal(result.used.steps, 4);
	result = access_by(cpus, 0, VA + 4 * KIB);
	assert_int_equal(result.outcome, PGTSIM_OUTCOME_WALK);
	assert_int_equal(result.used.steps, 1);
	assert_int_equal(result.used.pa, 0x80001000);
	result = access_by(cpus, 0, VA + 9);
	assert_int_equal(result.outcome, PGTSIM_OUTCOME_HIT);
	assert_int_equal(result.used.pa, 0x80000009);
	assert_int_equal(result.used.steps, 0);
	assert_true(result.used.writable);
	assert_false(result.used.executable);
	assert_outcome(cpus, 0, VA + 16 * KIB, PGTSIM_OUTCOME_FAULT);
	assert_outcome(cpus, 0, VA + 16 * KIB, PGTSIM_OUTCOME_FAULT);
	assert_outcome(cpus, 1, VA, PGTSIM_OUTCOME_MISS);
	assert_int_equal(f.tlb.counts.violations, 0);
	end(&f, cpus);
}

/* An entry that is cleared and not invalidated stays in use, by the CPU that has it. */
static void missing_flush(void **state)
{
	struct fixture f;
	struct pgtsim_cpus *cpus = start(&f, 8 * KIB, false, false);
	struct pgtsim_access_result result;

	(void)state;
	assert_outcome(cpus, 0, VA, PGTSIM_OUTCOME_MISS);
	poke(&f, PGTSIM_PTE, VA, 0);
	result = access_by(cpus, 0, VA);
	assert_int_equal(result.outcome, PGTSIM_OUTCOME_STALE_HIT);
	assert_int_equal(result.used.pa, 0x80000000);
	assert_int_equal(result.used.fault, PGTSIM_FAULT_NONE);
	assert_int_equal(result.now.fault, PGTSIM_FAULT_TRANSLATION);
	assert_string_equal(first_violation(&f), "stale-hit");
	assert_int_equal(f.tlb.violations[0].va, VA);
	assert_int_equal(f.tlb.violations[0].level, PGTSIM_PTE);
	assert_outcome(cpus, 1, VA, PGTSIM_OUTCOME_FAULT);
	event(&f, PGTSIM_OP_TLBI_LEAF, VA + 4 * KIB, 1, 0);
	assert_outcome(cpus, 0, VA, PGTSIM_OUTCOME_STALE_HIT);
	event(&f, PGTSIM_OP_TLBI_LEAF, VA + 4 * KIB - 1, 1, 0);
	assert_outcome(cpus, 0, VA, PGTSIM_OUTCOME_FAULT);
	assert_int_equal(f.tlb.counts.violations, 2);
	end(&f, cpus);
}

/* Changes of a live leaf: those a walk can tell, and those it cannot. */
static void changed_leaves(void **state)
{
	static const struct {
		uint64_t flip;
		enum pgtsim_outcome outcome;
	} changes[] = {
		{ PGTSIM_DESC_AP2, PGTSIM_OUTCOME_STALE_HIT },
		{ PGTSIM_DESC_PXN, PGTSIM_OUTCOME_STALE_HIT },
		{ PGTSIM_DESC_ATTRINDX(1), PGTSIM_OUTCOME_STALE_HIT },
		{ PGTSIM_BIT(13), PGTSIM_OUTCOME_STALE_HIT },
		{ PGTSIM_DESC_DIRTY, PGTSIM_OUTCOME_HIT },
		{ PGTSIM_DESC_CONT, PGTSIM_OUTCOME_HIT },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(changes); i++) {
		struct fixture f;
		struct pgtsim_cpus *cpus = start(&f, 4 * KIB, false, false);

		assert_outcome(cpus, 0, VA, PGTSIM_OUTCOME_MISS);
		poke(&f, PGTSIM_PTE, VA, entry_at(&f, PGTSIM_PTE, VA) ^ changes[i].flip);
		assert_outcome(cpus, 0, VA, changes[i].outcome);
		end(&f, cpus);
	}
}

/* A table entry that goes needs an invalidate of all levels; the tables' restrictions count, too. */
static void stale_table_entries(void **state)
{
	struct fixture f;
	struct pgtsim_cpus *cpus = start(&f, 16 * KIB, false, false);
	uint64_t desc = entry_at(&f, PGTSIM_PMD, VA);

	(void)state;
	assert_outcome(cpus, 0, VA, PGTSIM_OUTCOME_MISS);
	poke(&f, PGTSIM_PMD, VA, 0);
	event(&f, PGTSIM_OP_TLBI_LEAF, VA, 512, 4 * KIB);
	assert_outcome(cpus, 0, VA + 4 * KIB, PGTSIM_OUTCOME_STALE_HIT);
	assert_int_equal(f.tlb.violations[0].level, PGTSIM_PMD);
	event(&f, PGTSIM_OP_TLBI_WALK, VA + 2 * MIB - 1, 1, 0);
	assert_outcome(cpus, 0, VA + 8 * KIB, PGTSIM_OUTCOME_FAULT);
	assert_outcome(cpus, 0, VA + 4 * KIB, PGTSIM_OUTCOME_STALE_HIT);
	event(&f, PGTSIM_OP_TLBI_ALL, 0, 1, 0);
	assert_outcome(cpus, 0, VA + 4 * KIB, PGTSIM_OUTCOME_FAULT);
	poke(&f, PGTSIM_PMD, VA, desc);
	assert_outcome(cpus, 0, VA, PGTSIM_OUTCOME_WALK);
	poke(&f, PGTSIM_P4D, VA, entry_at(&f, PGTSIM_P4D, VA) | PGTSIM_BIT(62));
	assert_outcome(cpus, 0, VA + 4 * KIB, PGTSIM_OUTCOME_STALE_HIT);
	assert_outcome(cpus, 1, VA + 4 * KIB, PGTSIM_OUTCOME_MISS);
	assert_false(access_by(cpus, 1, VA + 8 * KIB).used.writable);
	end(&f, cpus);
}

/* A leaf is cached with what the tables above it leave: that may be stale when the leaf is not. */
static void restrictions_of_tables(void **state)
{
	static const uint64_t restrictions[] = { PGTSIM_BIT(62), PGTSIM_DESC_UXNTABLE,
						 PGTSIM_DESC_PXNTABLE };

	(void)state;
	for (size_t i = 0; i < COUNT(restrictions); i++) {
		struct fixture f;
		struct pgtsim_cpus *cpus = start(&f, 4 * KIB, false, false);
		uint64_t root = entry_at(&f, PGTSIM_P4D, VA) & ~restrictions[i];

		for (int level = PGTSIM_PUD; level < PGTSIM_PTE; level++)
			poke(&f, level, VA, entry_at(&f, level, VA) & ~restrictions[i]);
		poke(&f, PGTSIM_PTE, VA,
		     entry_at(&f, PGTSIM_PTE, VA) & ~(PGTSIM_DESC_UXN | PGTSIM_DESC_PXN));
		poke(&f, PGTSIM_P4D, VA, root | restrictions[i]);
		assert_outcome(cpus, 0, VA, PGTSIM_OUTCOME_MISS);
		assert_outcome(cpus, 0, VA, PGTSIM_OUTCOME_HIT);
		poke(&f, PGTSIM_P4D, VA, root);
		assert_outcome(cpus, 0, VA, PGTSIM_OUTCOME_STALE_HIT);
		end(&f, cpus);
	}
}

/* A local invalidate is for the CPU that issues it; the other one goes on with what it has. */
static void local_invalidates(void **state)
{
	static const enum pgtsim_op ops[] = { PGTSIM_OP_TLBI_LEAF, PGTSIM_OP_TLBI_WALK,
					      PGTSIM_OP_TLBI_RANGE, PGTSIM_OP_TLBI_ALL };

	(void)state;
	for (size_t i = 0; i < COUNT(ops); i++) {
		uint64_t size = ops[i] == PGTSIM_OP_TLBI_RANGE ? 4 * KIB : 0;
		struct fixture f;
		struct pgtsim_cpus *cpus = start(&f, 4 * KIB, false, false);

		assert_outcome(cpus, 0, VA, PGTSIM_OUTCOME_MISS);
		assert_outcome(cpus, 1, VA, PGTSIM_OUTCOME_MISS);
		poke(&f, PGTSIM_PTE, VA, 0);
		assert_int_equal(pgtsim_invalidate(&f.tlb, ops[i], size || i < 2 ? VA : 0, size, 1,
						   PGTSIM_SCOPE_LOCAL, 0),
				 0);
		assert_outcome(cpus, 1, VA, PGTSIM_OUTCOME_FAULT);
		assert_outcome(cpus, 0, VA, PGTSIM_OUTCOME_STALE_HIT);
		assert_int_equal(pgtsim_invalidate(&f.tlb, ops[i], size || i < 2 ? VA : 0, size, 1,
						   PGTSIM_SCOPE_OS, 0),
				 0);
		assert_outcome(cpus, 0, VA, PGTSIM_OUTCOME_FAULT);
		end(&f, cpus);
	}
}

/* A level hint that is not the entry's invalidates nothing, the right one does. */
static void level_hints(void **state)
{
	static const struct {
		enum pgtsim_op op;
		uint8_t ttl;
		enum pgtsim_outcome after;
	} rows[] = {
		{ PGTSIM_OP_TLBI_LEAF, 6, PGTSIM_OUTCOME_STALE_HIT },
		{ PGTSIM_OP_TLBI_LEAF, 7, PGTSIM_OUTCOME_FAULT },
		{ PGTSIM_OP_TLBI_LEAF, 11, PGTSIM_OUTCOME_STALE_HIT }, /* of the 16K granule */
		{ PGTSIM_OP_TLBI_WALK, 6, PGTSIM_OUTCOME_STALE_HIT },
		{ PGTSIM_OP_TLBI_WALK, 7, PGTSIM_OUTCOME_FAULT },
		{ PGTSIM_OP_TLBI_RANGE, 6, PGTSIM_OUTCOME_STALE_HIT },
		{ PGTSIM_OP_TLBI_RANGE_WALK, 7, PGTSIM_OUTCOME_FAULT },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		bool range = rows[i].op == PGTSIM_OP_TLBI_RANGE ||
			     rows[i].op == PGTSIM_OP_TLBI_RANGE_WALK;
		struct fixture f;
		struct pgtsim_cpus *cpus = start(&f, 4 * KIB, false, false);

		assert_outcome(cpus, 0, VA, PGTSIM_OUTCOME_MISS);
		poke(&f, PGTSIM_PTE, VA, 0);
		assert_int_equal(pgtsim_invalidate(&f.tlb, rows[i].op, VA, range ? 4 * KIB : 0, 0,
						   PGTSIM_SCOPE_IS, rows[i].ttl),
				 0);
		assert_outcome(cpus, 0, VA, rows[i].after);
		end(&f, cpus);
	}
}

/* A range invalidate of all levels takes walk-cache entries, too; one of leaves does not. */
static void ranges_and_the_walk_cache(void **state)
{
	(void)state;
	for (unsigned walk = 0; walk < 2; walk++) {
		struct fixture f;
		struct pgtsim_cpus *cpus = start(&f, 8 * KIB, false, false);

		assert_outcome(cpus, 0, VA, PGTSIM_OUTCOME_MISS);
		assert_int_equal(
			pgtsim_invalidate(&f.tlb,
					  walk ? PGTSIM_OP_TLBI_RANGE_WALK : PGTSIM_OP_TLBI_RANGE,
					  VA, 8 * KIB, 0, PGTSIM_SCOPE_IS, 0),
			0);
		assert_outcome(cpus, 0, VA, walk ? PGTSIM_OUTCOME_MISS : PGTSIM_OUTCOME_WALK);
		end(&f, cpus);
	}
}

/* A level hint spares the walk-cache entries of its own level and below, and no others. */
static void hints_and_the_walk_cache(void **state)
{
	static const enum pgtsim_op ops[] = { PGTSIM_OP_TLBI_WALK, PGTSIM_OP_TLBI_RANGE_WALK };

	(void)state;
	for (size_t i = 0; i < COUNT(ops); i++) {
		for (uint8_t ttl = 5; ttl <= 7; ttl++) {
			struct fixture f;
			struct pgtsim_cpus *cpus = start(&f, 8 * KIB, false, false);

			assert_outcome(cpus, 0, VA, PGTSIM_OUTCOME_MISS);
			assert_int_equal(pgtsim_invalidate(&f.tlb, ops[i], VA, i ? 4 * KIB : 0, 0,
							   PGTSIM_SCOPE_IS, ttl),
					 0);
			assert_outcome(cpus, 0, VA + 4 * KIB,
				       ttl == 7 ? PGTSIM_OUTCOME_MISS : PGTSIM_OUTCOME_WALK);
			end(&f, cpus);
		}
	}
}

/* A walk that a stale entry leads into freed memory ends there, and says so. */
static void walk_into_a_freed_table(void **state)
{
	struct fixture f;
	struct pgtsim_cpus *cpus = start(&f, 8 * KIB, false, false);
	const struct pgtsim_unmap unmap = { .start = VA, .end = VA + 8 * KIB };
	struct pgtsim_access_result result;
	uint64_t pfn;

	(void)state;
	assert_outcome(cpus, 0, VA, PGTSIM_OUTCOME_MISS);
	assert_int_equal(pgtsim_unmap_range(&f.pgt, &unmap), 0);
	f.tlb.quiet = true; /* nobody hears of the invalidates */
	assert_int_equal(pgtsim_free_tables(&f.pgt, VA, VA + 8 * KIB, 0, 0), 0);
	f.tlb.quiet = false;
	result = access_by(cpus, 0, VA);
	assert_int_equal(result.outcome, PGTSIM_OUTCOME_STALE_HIT);
	assert_int_equal(result.used.fault, PGTSIM_FAULT_EXTERNAL);
	assert_non_null(strstr(f.tlb.violations[0].text, "leads to no table"));
	/* The frames are used again, one later: that of the pte table for a pmd table. */
	assert_int_equal(pgtsim_memory_alloc(f.memory, 0, &pfn), 0);
	assert_int_equal(map_linear(&f, VA, 0x80000000, 4 * KIB, false), 0);
	result = access_by(cpus, 0, VA);
	assert_int_equal(result.outcome, PGTSIM_OUTCOME_STALE_HIT);
	assert_int_equal(result.used.fault, PGTSIM_FAULT_EXTERNAL);
	assert_int_equal(result.now.fault, PGTSIM_FAULT_NONE);
	event(&f, PGTSIM_OP_TLBI_ALL, 0, 1, 0);
	assert_outcome(cpus, 0, VA, PGTSIM_OUTCOME_MISS);
	end(&f, cpus);
}

/* Invalidating one member of a contiguous group is not enough while another can be walked. */
static void contiguous_groups(void **state)
{
	struct fixture f;
	struct pgtsim_cpus *cpus = start(&f, 64 * KIB, false, true);

	(void)state;
	assert_outcome(cpus, 0, VA, PGTSIM_OUTCOME_MISS);
	assert_outcome(cpus, 0, VA + 60 * KIB, PGTSIM_OUTCOME_HIT);
	assert_int_equal(access_by(cpus, 0, VA + 60 * KIB).used.pa, 0x8000f000);
	poke(&f, PGTSIM_PTE, VA, 0);
	event(&f, PGTSIM_OP_TLBI_LEAF, VA, 1, 0);
	assert_outcome(cpus, 0, VA, PGTSIM_OUTCOME_FAULT);
	assert_outcome(cpus, 0, VA + 4 * KIB, PGTSIM_OUTCOME_WALK);
	assert_outcome(cpus, 0, VA, PGTSIM_OUTCOME_STALE_HIT);
	end(&f, cpus);
}

/* One invalidate anywhere in a block is enough; none beside it does anything. */
static void blocks(void **state)
{
	struct fixture f;
	struct pgtsim_cpus *cpus = start(&f, 2 * MIB, true, false);

	(void)state;
	assert_outcome(cpus, 0, VA, PGTSIM_OUTCOME_MISS);
	assert_int_equal(access_by(cpus, 0, VA + MIB).used.pa, 0x80100000);
	assert_outcome(cpus, 0, VA + MIB, PGTSIM_OUTCOME_HIT);
	event(&f, PGTSIM_OP_TLBI_RANGE, VA - MIB, 1, MIB);
	assert_outcome(cpus, 0, UINT64_MAX, PGTSIM_OUTCOME_HIT);
	event(&f, PGTSIM_OP_TLBI_RANGE, UINT64_MAX - 4095, 1, 4096);
	assert_outcome(cpus, 0, VA + MIB, PGTSIM_OUTCOME_WALK);
	end(&f, cpus);
}

/* A flush after each leaf, one event for all of them, throws out these leaves and no others. */
static void flush_after_each_leaf(void **state)
{
	struct pgtsim_policy policy = profile("linux-5.7");
	struct pgtsim_geometry geo = linux_geometry(4, 48, 0, 48);
	const struct pgtsim_unmap unmap = { .start = VA, .end = VA + MIB };
	struct pgtsim_cpus *cpus;
	struct fixture f;

	(void)state;
	fixture_init(&f, &policy, &geo);
	assert_int_equal(map_linear(&f, VA, 0x80000000, 2 * MIB, false), 0);
	cpus = cpus_of(&f, 2);
	for (unsigned i = 0; i < 2; i++) {
		(void)access_by(cpus, i, VA + i * 4 * KIB);
		(void)access_by(cpus, i, VA + MIB);
	}
	assert_int_equal(pgtsim_unmap_range(&f.pgt, &unmap), 0);
	assert_outcome(cpus, 0, VA, PGTSIM_OUTCOME_FAULT);
	assert_outcome(cpus, 1, VA + 4 * KIB, PGTSIM_OUTCOME_FAULT);
	assert_outcome(cpus, 0, VA + MIB, PGTSIM_OUTCOME_HIT);
	assert_outcome(cpus, 1, VA + MIB, PGTSIM_OUTCOME_HIT);
	end(&f, cpus);
}

/* Wrong arguments are refused; equal seeds pick the same entries to replace. */
static void arguments_and_seeds(void **state)
{
	struct fixture f;
	struct pgtsim_cpus *cpus = start(&f, 2 * MIB, false, false), *twin, *none = NULL;
	struct pgtsim_access_result result;
	unsigned hits = 0;
	uint32_t seed = 7;

	(void)state;
	assert_int_equal(pgtsim_cpus_new(&none, &f.pgt, 0, 1), -EINVAL);
	assert_int_equal(pgtsim_cpus_new(&none, &f.pgt, PGTSIM_CPUS_MAX + 1, 1), -EINVAL);
	f.pgt.access = PGTSIM_ACCESS_SHARED;
	assert_int_equal(pgtsim_cpus_new(&none, &f.pgt, 1, 1), -EINVAL);
	f.pgt.access = PGTSIM_ACCESS_PRIVATE;
	pgtsim_cpus_free(&none);
	assert_int_equal(pgtsim_cpu_access(cpus, 2, VA, &result), -EINVAL);
	assert_int_equal(pgtsim_cpu_access(cpus, 0, 0, &result), -EINVAL);
	assert_null(pgtsim_outcome_name(PGTSIM_OUTCOME_STALE_HIT + 1));
	twin = cpus_of(&f, 2);
	for (unsigned i = 0; i < 2000; i++) {
		uint64_t va = VA + random_next(&seed) % 100 * 4 * KIB;
		enum pgtsim_outcome outcome = access_by(cpus, 1, va).outcome;

		assert_outcome(twin, 1, va, outcome);
		hits += outcome == PGTSIM_OUTCOME_HIT;
	}
	assert_true(hits > 800 && hits < 1600); /* 100 pages, 64 entries */
	pgtsim_cpus_free(&twin);
	end(&f, cpus);
}

/* ---- the slow model ---- */

enum { CPUS = 2, HELD_MAX = 512 };

/* What a CPU may hold: a leaf of one address, or a table entry, no matter how much there is. */
struct held {
	int level;
	bool table;
	uint64_t va, size, pa, desc;
};

struct model {
	struct held held[CPUS][HELD_MAX];
	unsigned count[CPUS];
	bool forgetful; /* the real one may run out of room, this one does not */
	struct pgtsim_observer observer;
	unsigned hits, stale, refilled;
};

static bool contains(const struct held *held, uint64_t va)
{
	return va - held->va < held->size;
}

static void forget(struct model *model, uint64_t va, bool tables)
{
	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		for (unsigned i = model->count[cpu]; i-- > 0;)
			if (contains(&model->held[cpu][i], va) &&
			    (tables || !model->held[cpu][i].table))
				model->held[cpu][i] = model->held[cpu][--model->count[cpu]];
}

/* Each address by itself. */
static void model_event(struct pgtsim_observer *self, const struct pgtsim_event *event)
{
	struct model *model = (void *)((char *)self - offsetof(struct model, observer));
	bool walks = event->op == PGTSIM_OP_TLBI_WALK;

	if (event->op == PGTSIM_OP_TLBI_ALL)
		memset(model->count, 0, sizeof(model->count));
	else if (event->op == PGTSIM_OP_TLBI_RANGE)
		for (uint64_t done = 0; done < event->size; done += 4 * KIB)
			forget(model, event->va + done, false);
	else if (walks || event->op == PGTSIM_OP_TLBI_LEAF || (event->flags & PGTSIM_EACH_FLUSH))
		for (uint64_t i = 0; i < event->count; i++)
			forget(model, event->va + i * event->size, walks);
}

/* The smallest that translates va. */
static const struct held *held_by(const struct model *model, unsigned cpu, uint64_t va, bool table)
{
	const struct held *best = NULL;

	for (unsigned i = 0; i < model->count[cpu]; i++) {
		const struct held *held = &model->held[cpu][i];

		if (held->table == table && contains(held, va) &&
		    (!best || held->size < best->size))
			best = held;
	}
	return best;
}

static void hold(struct model *model, unsigned cpu, struct held held)
{
	for (unsigned i = 0; i < model->count[cpu]; i++) {
		struct held *other = &model->held[cpu][i];

		if (other->table == held.table && other->va == held.va &&
		    other->size == held.size) {
			*other = held;
			return;
		}
	}
	assert_true(model->count[cpu] < HELD_MAX);
	model->held[cpu][model->count[cpu]++] = held;
}

static void learn(struct model *model, const struct pgtsim_geometry *geo, unsigned cpu, uint64_t va,
		  const struct pgtsim_translation *used)
{
	for (unsigned i = 0; i < used->steps; i++) {
		const struct pgtsim_step *step = &used->step[i];
		bool leaf = i + 1 == used->steps;
		struct held held = {
			.level = step->level,
			.table = !leaf,
			.size = pgtsim_entry_size(geo, step->level),
			.desc = step->desc,
		};

		if (leaf && used->fault)
			return;
		if (leaf && step->desc & PGTSIM_DESC_CONT)
			held.size *= pgtsim_cont_entries(geo, step->level);
		held.va = va - va % held.size;
		held.pa = leaf ? used->pa - used->pa % held.size : 0;
		hold(model, cpu, held);
	}
}

static bool says(const struct pgtsim_translation *now, int level, uint64_t desc)
{
	for (unsigned i = 0; i < now->steps; i++)
		if (now->step[i].level == level)
			return now->step[i].desc == desc;
	return false;
}

/* Attributes never change here, so that addresses tell all. */
static void check_hit(struct model *model, const struct held *leaf, uint64_t va,
		      const struct pgtsim_access_result *result)
{
	bool stale = result->now.fault || result->now.pa != leaf->pa + (va - leaf->va);

	assert_int_equal(result->used.pa, leaf->pa + (va - leaf->va));
	assert_int_equal(result->outcome, stale ? PGTSIM_OUTCOME_STALE_HIT : PGTSIM_OUTCOME_HIT);
	model->hits++;
	model->stale += stale;
}

static void check_walk(struct model *model, const struct held *table,
		       const struct pgtsim_access_result *result)
{
	bool stale = table && !says(&result->now, table->level, table->desc);
	enum pgtsim_outcome outcome = table ? PGTSIM_OUTCOME_WALK : PGTSIM_OUTCOME_MISS;

	if (result->used.fault)
		outcome = PGTSIM_OUTCOME_FAULT;
	assert_int_equal(result->outcome, stale ? PGTSIM_OUTCOME_STALE_HIT : outcome);
	if (!stale)
		assert_int_equal(result->used.fault, result->now.fault);
	if (!stale && !result->now.fault)
		assert_int_equal(result->used.pa, result->now.pa);
	model->stale += stale;
}

/* One access against the model. What was read tells where a walk began. */
static void compare(struct model *model, const struct pgtsim_geometry *geo,
		    struct pgtsim_cpus *cpus, unsigned cpu, uint64_t va)
{
	const struct pgtsim_access_result result = access_by(cpus, cpu, va);
	const struct held *leaf = held_by(model, cpu, va, false);
	const struct held *table = held_by(model, cpu, va, true);
	bool hit = !result.used.steps && result.used.fault != PGTSIM_FAULT_EXTERNAL;

	if (!model->forgetful)
		assert_int_equal(hit, leaf != NULL);
	if (hit) {
		assert_non_null(leaf);
		if (model->forgetful && leaf->pa + (va - leaf->va) != result.used.pa)
			return; /* a larger one is still there */
		check_hit(model, leaf, va, &result);
		return;
	}
	if (model->forgetful) {
		model->refilled += leaf != NULL;
		if (table && result.used.steps && result.used.step[0].level != table->level + 1)
			table = NULL;
	}
	if (!model->forgetful || table)
		check_walk(model, table, &result);
	learn(model, geo, cpu, va, &result.used);
}

/* A run: random operations on a window of the toy, some of them without their invalidates. */
struct window {
	struct fixture f;
	struct pgtsim_cpus *cpus;
	struct model model;
	uint64_t va, pages;
	bool large; /* blocks and contiguous groups, too */
	uint32_t seed;
};

static uint32_t pick(struct window *w, uint32_t n)
{
	return random_next(&w->seed) % n;
}

static void map_something(struct window *w)
{
	uint64_t page = pick(w, (uint32_t)w->pages), count = 1 + pick(w, w->large ? 16 : 4);
	uint64_t base = RAM_START + 64 * MIB + (w->large ? 64 * KIB : 4 * KIB) * pick(w, 8);
	struct pgtsim_map map;

	if (count > w->pages - page)
		count = w->pages - page;
	map = linear_map(&w->f, w->va + page * 4 * KIB, base + page * 4 * KIB, count * 4 * KIB);
	map.blocks = map.cont = w->large;
	(void)pgtsim_map(&w->f.pgt, &map);
}

static void unmap_something(struct window *w)
{
	uint64_t page = pick(w, (uint32_t)w->pages), count = 1 + pick(w, 16);
	struct pgtsim_unmap unmap = { .start = w->va + page * 4 * KIB };

	if (count > w->pages - page)
		count = w->pages - page;
	unmap.end = unmap.start + count * 4 * KIB;
	w->f.tlb.quiet = !pick(w, 4);
	assert_int_equal(pgtsim_unmap_range(&w->f.pgt, &unmap), 0);
	w->f.tlb.quiet = !pick(w, 4);
	assert_int_equal(pgtsim_free_tables(&w->f.pgt, unmap.start, unmap.end, 0, 0), 0);
	w->f.tlb.quiet = false;
}

static void invalidate_something(struct window *w)
{
	uint64_t va = w->va + pick(w, (uint32_t)w->pages) * 4 * KIB + pick(w, 4 * KIB);

	switch (pick(w, 6)) {
	case 0:
		event(&w->f, PGTSIM_OP_TLBI_ALL, w->va, 1, 0);
		break;
	case 1:
		event(&w->f, PGTSIM_OP_TLBI_RANGE, va & ~UINT64_C(4095), 1, 8 * KIB);
		break;
	case 2:
		event(&w->f, PGTSIM_OP_TLBI_LEAF, va - 8 * KIB, 1 + pick(w, 4), 8 * KIB);
		break;
	case 3:
		event(&w->f, PGTSIM_OP_TLBI_LEAF, va, 1, 0);
		break;
	default:
		event(&w->f, PGTSIM_OP_TLBI_WALK, va, 1, 0);
	}
}

static void step(struct window *w)
{
	unsigned what = pick(w, w->large ? 500 : 100);

	if (what < 8)
		map_something(w);
	else if (what < 14)
		unmap_something(w);
	else if (what < 20)
		invalidate_something(w);
	else
		compare(&w->model, &w->f.pgt.geo, w->cpus, pick(w, CPUS),
			w->va + pick(w, (uint32_t)w->pages) * 4 * KIB + pick(w, 4 * KIB));
}

static void start_window(struct window *w, const char *profile_name,
			 const struct pgtsim_geometry *geo, uint64_t pages)
{
	struct pgtsim_policy policy = profile(profile_name);

	fixture_init(&w->f, &policy, geo);
	w->f.tlb.range_operations = true;
	w->pages = pages;
	w->va = UINT64_C(0) - pages * 4 * KIB;
	w->cpus = cpus_of(&w->f, CPUS);
	w->model.observer.event = model_event;
	pgtsim_observe(&w->f.tlb, &w->model.observer);
}

static void end_window(struct window *w)
{
	pgtsim_unobserve(&w->f.tlb, &w->model.observer);
	end(&w->f, w->cpus);
}

/* While all fits into the TLB it does just what the model says, stale entries and freed tables too. */
static void as_the_model_says(void **state)
{
	const struct pgtsim_geometry geo = toy_geometry(3);
	unsigned hits = 0, stale = 0;

	(void)state;
	for (uint32_t run = 1; run <= 40; run++) {
		static struct window w;

		w = (struct window){ .seed = run };
		start_window(&w, all_profiles[run % COUNT(all_profiles)], &geo, 32);
		for (unsigned i = 0; i < 6000; i++)
			step(&w);
		assert_int_equal(w.f.tlb.counts.violations, w.model.stale);
		hits += w.model.hits;
		stale += w.model.stale;
		end_window(&w);
	}
	assert_true(hits > 10000 && stale > 1000);
}

/* With all sizes of leaves, and more of them than fit: nothing is held that the model lacks. */
static void never_more_than_the_model(void **state)
{
	const struct pgtsim_geometry geos[] = { toy_geometry(3), linux_geometry(4, 39, 0, 48) };
	unsigned hits = 0, stale = 0, refilled = 0;

	(void)state;
	for (uint32_t run = 1; run <= 40; run++) {
		static struct window w;

		w = (struct window){ .seed = run, .large = true, .model.forgetful = true };
		start_window(&w, all_profiles[run % COUNT(all_profiles)], &geos[run & 1],
			     run & 1 ? 128 : 64);
		for (unsigned i = 0; i < 6000; i++)
			step(&w);
		hits += w.model.hits;
		stale += w.model.stale;
		refilled += w.model.refilled;
		end_window(&w);
	}
	assert_true(hits > 10000 && stale > 1000 && refilled > 100);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(misses_walks_and_hits),
	cmocka_unit_test(missing_flush),
	cmocka_unit_test(changed_leaves),
	cmocka_unit_test(stale_table_entries),
	cmocka_unit_test(local_invalidates),
	cmocka_unit_test(level_hints),
	cmocka_unit_test(hints_and_the_walk_cache),
	cmocka_unit_test(ranges_and_the_walk_cache),
	cmocka_unit_test(walk_into_a_freed_table),
	cmocka_unit_test(restrictions_of_tables),
	cmocka_unit_test(contiguous_groups),
	cmocka_unit_test(blocks),
	cmocka_unit_test(flush_after_each_leaf),
	cmocka_unit_test(arguments_and_seeds),
	cmocka_unit_test(as_the_model_says),
	cmocka_unit_test(never_more_than_the_model),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
