/* SPDX-License-Identifier: MIT */
#include <pgtsim/cpu.h>
#include <pgtsim/format.h>

#include <errno.h>
#include <stdlib.h>

#include "events/events.h"
#include "events/ops.h"
#include "pgtable/access.h"
#include "pgtable/translate.h"

enum { LEAVES = PGTSIM_CPU_SETS * PGTSIM_CPU_WAYS };

/* A leaf, its contiguous group included, or a table entry. */
struct entry {
	bool valid;
	int8_t level;
	uint64_t va, last; /* what it translates */
	uint64_t pa;       /* of va; leaves only */
	uint64_t desc;     /* as it was read */
	uint64_t tables;   /* bits set in any table entry on the way, itself included */
};

struct cpu {
	struct entry leaf[LEAVES];
	struct entry walk[PGTSIM_CPU_WALKS];
	uint64_t random;
};

struct pgtsim_cpus {
	struct pgtsim_observer observer; /* first: the callback casts */
	struct pgtsim_pgtable *pgt;
	unsigned count;
	struct cpu cpu[];
};

/* ---- invalidates ---- */

/*
 * True if the entry translates one of the event's addresses: va, va + size, … (`count` of them).
 * Finds the first of them that is not below the entry and compares it with the entry's
 * end. For example, va 0x1000, size 0x2000, count 4 names 0x1000, 0x3000, 0x5000 and 0x7000; for an
 * entry that translates [0x4000, 0x5fff], that is 0x5000.
 */
static bool holds_one_of(const struct entry *entry, const struct pgtsim_event *event)
{
	uint64_t before = entry->va > event->va ? entry->va - event->va : 0;
	uint64_t step = event->size ? event->size : 1;
	uint64_t first = before / step + (before % step != 0);

	return first < event->count &&
	       event->va + first * step - entry->va <= entry->last - entry->va;
}

/* True if the entry translates part of a range. With LPA2 the operand holds the base from 64K up. */
static bool is_in_range(const struct pgtsim_geometry *geo, const struct entry *entry,
			const struct pgtsim_event *event)
{
	uint64_t va = event->va;

	if (geo->oa == PGTSIM_OA_LPA2)
		va &= ~UINT64_C(0xffff);
	return entry->va - va < event->size || va - entry->va <= entry->last - entry->va;
}

/* The level hint is that of the leaf: walk caches hold tables of the levels above it. */
static bool is_of_hinted_level(const struct pgtsim_geometry *geo, const struct entry *entry,
			       bool table, uint8_t ttl)
{
	if (!(ttl >> 2))
		return true;
	return table ? entry->level < (ttl & 3) : pgtsim_ttl(geo, entry->level) == ttl;
}

/* True if the event invalidates the entry; `table`: it is one of the walk cache. */
static bool hits(const struct pgtsim_geometry *geo, const struct entry *entry, bool table,
		 const struct pgtsim_event *event)
{
	switch (event->op) {
	case PGTSIM_OP_TLBI_ALL:
	case PGTSIM_OP_IDTE:
		return true;
	case PGTSIM_OP_TLBI_RANGE:
	case PGTSIM_OP_TLBI_RANGE_WALK:
		return (!table || event->op == PGTSIM_OP_TLBI_RANGE_WALK) &&
		       is_of_hinted_level(geo, entry, table, event->ttl) &&
		       is_in_range(geo, entry, event);
	case PGTSIM_OP_TLBI_LEAF:
	case PGTSIM_OP_TLBI_WALK:
		return (!table || event->op == PGTSIM_OP_TLBI_WALK) &&
		       is_of_hinted_level(geo, entry, table, event->ttl) &&
		       holds_one_of(entry, event);
	default:
		return !table && event->flags & PGTSIM_EACH_FLUSH && holds_one_of(entry, event);
	}
}

static void drop(const struct pgtsim_geometry *geo, struct entry *entries, unsigned count,
		 bool table, const struct pgtsim_event *event)
{
	for (unsigned i = 0; i < count; i++)
		if (entries[i].valid && hits(geo, &entries[i], table, event))
			entries[i].valid = false;
}

static void watch(struct pgtsim_observer *self, const struct pgtsim_event *event)
{
	struct pgtsim_cpus *cpus = (struct pgtsim_cpus *)(void *)self;
	const struct pgtsim_geometry *geo = &cpus->pgt->geo;

	if (!pgtsim_op_is_invalidate(event->op) && !(event->flags & PGTSIM_EACH_FLUSH))
		return;
	for (unsigned i = 0; i < cpus->count; i++) {
		if (event->scope == PGTSIM_SCOPE_LOCAL && event->cpu != i)
			continue;
		drop(geo, cpus->cpu[i].leaf, LEAVES, false, event);
		drop(geo, cpus->cpu[i].walk, PGTSIM_CPU_WALKS, true, event);
	}
}

/* ---- entries ---- */

/* The entry for va that translates least; NULL if there is none. */
static const struct entry *find(const struct entry *entries, unsigned count, uint64_t va)
{
	const struct entry *best = NULL;

	for (const struct entry *e = entries; e < entries + count; e++)
		if (e->valid && e->va <= va && va <= e->last &&
		    (!best || e->last - e->va < best->last - best->va))
			best = e;
	return best;
}

/* Marsaglia's xorshift64. */
static uint64_t random_next(struct cpu *cpu)
{
	cpu->random ^= cpu->random << 13;
	cpu->random ^= cpu->random >> 7;
	cpu->random ^= cpu->random << 17;
	return cpu->random;
}

static void put(struct cpu *cpu, struct entry *entries, unsigned count, const struct entry *entry)
{
	unsigned place = 0;

	while (place < count && entries[place].valid)
		place++;
	if (place == count)
		place = (unsigned)(random_next(cpu) % count);
	entries[place] = *entry;
}

static void put_leaf(const struct pgtsim_geometry *geo, struct cpu *cpu, uint64_t va,
		     const struct pgtsim_translation *at, uint64_t tables)
{
	unsigned slot = pgtsim_slot(at->level);
	unsigned shift = geo->shift[slot] + (at->desc & PGTSIM_DESC_CONT ? geo->cont[slot] : 0);
	uint64_t mask = (UINT64_C(1) << shift) - 1;
	const struct entry entry = {
		.valid = true,
		.level = (int8_t)at->level,
		.va = va & ~mask,
		.last = va | mask,
		.pa = at->pa & ~mask,
		.desc = at->desc,
		.tables = tables,
	};
	unsigned set = (va >> shift) % PGTSIM_CPU_SETS;

	put(cpu, &cpu->leaf[set * PGTSIM_CPU_WAYS], PGTSIM_CPU_WAYS, &entry);
}

/* Keeps the table entries that a walk read. `tables`: of those above, then of all, returned. */
static uint64_t put_walk(const struct pgtsim_geometry *geo, struct cpu *cpu, uint64_t va,
			 const struct pgtsim_translation *at, uint64_t tables)
{
	for (unsigned i = 0; i + 1 < at->steps; i++) {
		const struct pgtsim_step *step = &at->step[i];
		uint64_t mask = pgtsim_entry_size(geo, step->level) - 1;
		struct entry entry = {
			.valid = true,
			.level = (int8_t)step->level,
			.va = va & ~mask,
			.last = va | mask,
			.desc = step->desc,
		};

		tables |= step->desc;
		entry.tables = tables;
		put(cpu, cpu->walk, PGTSIM_CPU_WALKS, &entry);
	}
	return tables;
}

/* ---- accesses ---- */

static void use_leaf(const struct pgtsim_geometry *geo, const struct entry *entry, uint64_t va,
		     struct pgtsim_translation *used)
{
	*used = (struct pgtsim_translation){
		.level = entry->level,
		.desc = entry->desc,
	};
	pgtsim_translate_leaf(geo, va, entry->tables, used);
	used->pa = entry->pa + (va - entry->va);
}

/* Goes on from a table entry of the walk cache. What is no table any more is not read. */
static void walk_from(const struct pgtsim_pgtable *pgt, const struct entry *entry, uint64_t va,
		      struct pgtsim_translation *used)
{
	uint64_t pa = pgtsim_desc_address(&pgt->geo, entry->level, entry->desc);
	const struct pgtsim_table *table = pgt->ops.find(pgt->ops.ctx, pa);

	*used = (struct pgtsim_translation){
		.fault = PGTSIM_FAULT_EXTERNAL,
		.level = entry->level,
		.desc = entry->desc,
	};
	if (!table || table->level != entry->level + 1)
		return;
	used->level++;
	pgtsim_translate_from(pgt, table, va, entry->tables, used);
}

/* A walk, from the walk cache's lowest entry or from the root, and what is kept of it. */
static void walk(const struct pgtsim_pgtable *pgt, struct cpu *cpu, const struct entry *entry,
		 uint64_t va, struct pgtsim_access_result *out)
{
	uint64_t tables = entry ? entry->tables : 0;

	out->outcome = entry ? PGTSIM_OUTCOME_WALK : PGTSIM_OUTCOME_MISS;
	if (entry)
		walk_from(pgt, entry, va, &out->used);
	else
		out->used = out->now;
	tables = put_walk(&pgt->geo, cpu, va, &out->used, tables);
	if (out->used.fault)
		out->outcome = PGTSIM_OUTCOME_FAULT;
	else
		put_leaf(&pgt->geo, cpu, va, &out->used, tables);
}

/* What of a leaf a walk uses, beside its address and size: not the hint, not what is software's. */
static uint64_t attributes(const struct pgtsim_geometry *geo, const struct pgtsim_translation *at)
{
	uint64_t address = pgtsim_desc_address(geo, at->level, at->desc);
	uint64_t software = UINT64_C(15) << 55;

	return (at->desc & ~pgtsim_desc_oa(geo, address)) & ~(PGTSIM_DESC_CONT | software | 3);
}

static bool same_access(const struct pgtsim_translation *a, const struct pgtsim_translation *b)
{
	return a->writable == b->writable && a->executable == b->executable &&
	       a->user_readable == b->user_readable && a->user_writable == b->user_writable &&
	       a->user_executable == b->user_executable;
}

/* True if a walk of the tables (b) comes to the same as a leaf of the TLB (a). */
static bool same(const struct pgtsim_geometry *geo, const struct pgtsim_translation *a,
		 const struct pgtsim_translation *b)
{
	return !b->fault && a->pa == b->pa && same_access(a, b) &&
	       attributes(geo, a) == attributes(geo, b);
}

/* The entry of this level that a walk read; 0 if it did not come so far. */
static uint64_t step_of(const struct pgtsim_translation *at, int level)
{
	for (unsigned i = 0; i < at->steps; i++)
		if (at->step[i].level == level)
			return at->step[i].desc;
	return 0;
}

/* table: the cached entry that the walk began with; NULL if a leaf was cached. */
/* An entry as people know it. */
static unsigned long long shown(const struct pgtsim_geometry *geo, int level, uint64_t desc)
{
	return pgtsim_desc_to_raw(geo, level, desc);
}

static void report(const struct pgtsim_cpus *cpus, unsigned cpu, uint64_t va,
		   const struct entry *table, const struct pgtsim_access_result *result)
{
	const struct pgtsim_translation *used = &result->used;
	const struct pgtsim_geometry *geo = &cpus->pgt->geo;
	struct pgtsim_tlb *tlb = cpus->pgt->tlb;

	if (!table)
		pgtsim_tlb_violation(tlb, PGTSIM_V_STALE_HIT, va, used->level,
				     "CPU %u uses PA 0x%llx by the cached 0x%016llx; the tables "
				     "end in 0x%016llx",
				     cpu, (unsigned long long)used->pa,
				     shown(geo, used->level, used->desc),
				     shown(geo, result->now.level, result->now.desc));
	else
		pgtsim_tlb_violation(tlb, PGTSIM_V_STALE_HIT, va, table->level,
				     "CPU %u walks through the cached 0x%016llx%s; the tables have "
				     "0x%016llx there",
				     cpu, shown(geo, table->level, table->desc),
				     used->steps ? "" : ", which leads to no table",
				     shown(geo, table->level, step_of(&result->now, table->level)));
}

/* An access that is not a hit. Returns whether it went through a stale table entry. */
static bool miss(struct pgtsim_cpus *cpus, unsigned cpu, uint64_t va,
		 struct pgtsim_access_result *out)
{
	struct cpu *own = &cpus->cpu[cpu];
	const struct entry *cached = find(own->walk, PGTSIM_CPU_WALKS, va);
	struct entry entry;

	if (!cached) {
		walk(cpus->pgt, own, NULL, va, out);
		return false;
	}
	entry = *cached; /* what is kept now may take its place */
	walk(cpus->pgt, own, &entry, va, out);
	if (step_of(&out->now, entry.level) == entry.desc && same_access(&out->used, &out->now))
		return false;
	report(cpus, cpu, va, &entry, out);
	return true;
}

int pgtsim_cpu_access(struct pgtsim_cpus *cpus, unsigned cpu, uint64_t va,
		      struct pgtsim_access_result *out)
{
	const struct entry *leaf;

	if (!cpus || !out)
		return -EINVAL;
	if (cpu >= cpus->count)
		return pgtsim_fail(cpus->pgt->tlb, -EINVAL, "there are CPUs 0 to %u, and no %u",
				   cpus->count - 1, cpu);
	if (pgtsim_translate(cpus->pgt, va, &out->now) == -EINVAL)
		return pgtsim_pgtable_check(cpus->pgt, va, 1);
	leaf = find(cpus->cpu[cpu].leaf, LEAVES, va);
	if (!leaf) {
		if (miss(cpus, cpu, va, out))
			out->outcome = PGTSIM_OUTCOME_STALE_HIT;
		return 0;
	}
	out->outcome = PGTSIM_OUTCOME_HIT;
	use_leaf(&cpus->pgt->geo, leaf, va, &out->used);
	if (!same(&cpus->pgt->geo, &out->used, &out->now)) {
		out->outcome = PGTSIM_OUTCOME_STALE_HIT;
		report(cpus, cpu, va, NULL, out);
	}
	return 0;
}

const char *pgtsim_outcome_name(enum pgtsim_outcome outcome)
{
	static const char *const names[] = {
		[PGTSIM_OUTCOME_HIT] = "hit",
		[PGTSIM_OUTCOME_WALK] = "walk",
		[PGTSIM_OUTCOME_MISS] = "miss",
		[PGTSIM_OUTCOME_FAULT] = "fault",
		[PGTSIM_OUTCOME_STALE_HIT] = "stale-hit",
	};

	return (unsigned)outcome < sizeof(names) / sizeof(names[0]) ? names[outcome] : NULL;
}

/* ---- creation ---- */

int pgtsim_cpus_new(struct pgtsim_cpus **out, struct pgtsim_pgtable *pgt, unsigned count,
		    uint64_t seed)
{
	struct pgtsim_cpus *cpus;

	if (!out || !pgt)
		return -EINVAL;
	if (!count || count > PGTSIM_CPUS_MAX)
		return pgtsim_fail(pgt->tlb, -EINVAL, "there are at most %d CPUs, and at least one",
				   PGTSIM_CPUS_MAX);
	if (pgt->access == PGTSIM_ACCESS_SHARED)
		return pgtsim_fail(pgt->tlb, -EINVAL,
				   "the page table is shared by threads: its CPUs are those");
	cpus = calloc(1, sizeof(*cpus) + count * sizeof(cpus->cpu[0]));
	if (!cpus)
		return -ENOBUFS;
	cpus->observer.event = watch;
	cpus->pgt = pgt;
	cpus->count = count;
	for (unsigned i = 0; i < count; i++) {
		cpus->cpu[i].random = (seed + i) * UINT64_C(0x9e3779b97f4a7c15);
		if (!cpus->cpu[i].random)
			cpus->cpu[i].random = 1;
	}
	pgtsim_observe(pgt->tlb, &cpus->observer);
	*out = cpus;
	return 0;
}

void pgtsim_cpus_free(struct pgtsim_cpus **cpus)
{
	if (!cpus || !*cpus)
		return;
	pgtsim_unobserve((*cpus)->pgt->tlb, &(*cpus)->observer);
	free(*cpus);
	*cpus = NULL;
}
