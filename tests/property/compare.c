/* SPDX-License-Identifier: MIT */
/* compare: reads all tables of a machine, entry by entry, and compares them with the oracle. */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "../fixture.h"
#include "sequence.h"

bool complain(struct failure *failure, uint64_t va, const char *text, ...)
{
	va_list args;

	failure->va = va;
	failure->checker = false;
	va_start(args, text);
	vsnprintf(failure->text, sizeof(failure->text), text, args);
	va_end(args);
	return false;
}

struct reader {
	const struct oracle *o;
	const struct pgtsim_pgtable *pgt;
	const struct pgtsim_memory *memory;
	struct failure *failure;
	size_t cursor; /* the first run that ends at the address or after it */
	uint64_t leaves, tables[5], pages, hash;
	uint8_t *taken; /* frames of boot memory that were met, one byte each */
};

static void mix(struct reader *r, uint64_t value)
{
	r->hash = (r->hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
	r->hash ^= r->hash >> 29;
}

/* A frame of boot memory must have this owner, and must be found only once. */
static bool take_frames(struct reader *r, uint64_t va, uint64_t pa, uint64_t size,
			enum pgtsim_owner owner)
{
	unsigned shift = r->o->geo.page_shift;
	uint64_t first = (pa - r->o->config.ram) >> shift, count = size >> shift;

	if (pa < r->o->config.ram || pa - r->o->config.ram + size > r->o->config.ram_size)
		return complain(r->failure, va, "0x%" PRIx64 " is no RAM", pa);
	for (uint64_t i = first; i < first + count; i++) {
		if (r->taken[i]++)
			return complain(r->failure, va, "frame of 0x%" PRIx64 " is used twice", pa);
		if (pgtsim_memory_owner(r->memory, (pa >> shift) + i - first) != owner)
			return complain(r->failure, va, "0x%" PRIx64 " is not its holder's", pa);
	}
	r->pages += count;
	return true;
}

static bool read_leaf(struct reader *r, int level, uint64_t va, uint64_t desc)
{
	const struct oracle *o = r->o;
	const struct oracle_run *run;
	uint64_t expected = 0, mask = UINT64_MAX;

	while (r->cursor < o->runs && o->run[r->cursor].last < va)
		r->cursor++;
	run = r->cursor < o->runs && o->run[r->cursor].va <= va ? &o->run[r->cursor] : NULL;
	if (run && run->backing == ORACLE_ALLOCATOR) {
		mask = ~oracle_address_bits(&o->geo);
		expected = run->attrs;
	} else if (run) {
		expected = oracle_desc(&o->geo, run->pa + (va - run->va), run->attrs);
	}
	if (!run || run->level != level || (desc & mask) != expected)
		return complain(r->failure, va,
				"entry 0x%016" PRIx64 " of level %d, expected 0x%016" PRIx64
				" of level %d",
				desc, level, expected, run ? run->level : 0);
	r->leaves++;
	return run->backing != ORACLE_ALLOCATOR ||
	       take_frames(r, va, oracle_address(&o->geo, desc), oracle_leaf_size(o, level),
			   PGTSIM_OWNER_PAGES);
}

static bool read_table(struct reader *r, const struct pgtsim_table *table, int level, uint64_t va);

static bool read_link(struct reader *r, int level, uint64_t va, uint64_t desc)
{
	uint64_t pa = oracle_address(&r->o->geo, desc);
	uint64_t attrs = desc & ~oracle_address_bits(&r->o->geo);
	const struct oracle_table *expected = oracle_table_at(r->o, level + 1, va);
	const struct pgtsim_table *child = r->pgt->ops.find(r->pgt->ops.ctx, pa);

	if (!expected || !child || child->level != level + 1 || child->pa != pa)
		return complain(r->failure, va, "table 0x%016" PRIx64 " below level %d", desc,
				level);
	if (attrs != expected->attrs)
		return complain(r->failure, va,
				"table with 0x%016" PRIx64 ", expected 0x%016" PRIx64, attrs,
				expected->attrs);
	return read_table(r, child, level + 1, va);
}

static bool read_table(struct reader *r, const struct pgtsim_table *table, int level, uint64_t va)
{
	const struct oracle_level *l = oracle_level(r->o, level);
	unsigned live = 0;

	r->tables[level + 1]++;
	if (!take_frames(r, va, table->pa, UINT64_C(1) << r->o->geo.page_shift, PGTSIM_OWNER_TABLE))
		return false;
	for (unsigned i = 0; i < l->entries; i++) {
		uint64_t desc = pgtsim_entry(r->pgt, table, i), at = va + ((uint64_t)i << l->shift);

		if (!desc)
			continue;
		live++;
		mix(r, at);
		mix(r, desc + (uint64_t)(level + 1));
		if (level < ORACLE_PTE && (desc & 3) == 3 ? !read_link(r, level, at, desc) :
							    !read_leaf(r, level, at, desc))
			return false;
	}
	if (table->live != live)
		return complain(r->failure, va, "%u live entries of level %d, recorded %u", live,
				level, table->live);
	return true;
}

/* Compares pgtsim_translate() of one address with the oracle. */
static bool compare_translation(const struct oracle *o, const struct pgtsim_pgtable *pgt,
				uint64_t va, struct failure *failure)
{
	const struct oracle_run *run = oracle_find(o, va);
	struct pgtsim_translation t;
	int ret = pgtsim_translate(pgt, va, &t);

	if (va < o->linear)
		return ret == -EINVAL || complain(failure, va, "translates outside the region");
	if (!run)
		return ret == -EFAULT || complain(failure, va, "translates to 0x%" PRIx64, t.pa);
	if (ret || t.level != run->level || t.size != oracle_leaf_size(o, run->level))
		return complain(failure, va, "translates by level %d (%d)", t.level, ret);
	if (run->backing != ORACLE_ALLOCATOR && t.pa != run->pa + (va - run->va))
		return complain(failure, va, "translates to 0x%" PRIx64 ", expected 0x%" PRIx64,
				t.pa, run->pa + (va - run->va));
	return true;
}

static bool compare_translations(const struct oracle *o, const struct pgtsim_pgtable *pgt,
				 struct failure *failure)
{
	size_t step = o->runs / 8 + 1;

	if (!compare_translation(o, pgt, o->linear, failure) ||
	    !compare_translation(o, pgt, o->linear - 1, failure) ||
	    !compare_translation(o, pgt, UINT64_MAX, failure))
		return false;
	for (size_t i = 0; i < o->runs; i += step) {
		const struct oracle_run *run = &o->run[i];

		if (!compare_translation(o, pgt, run->va, failure) ||
		    !compare_translation(o, pgt, run->va - 1, failure) ||
		    !compare_translation(o, pgt, run->last, failure) ||
		    !compare_translation(o, pgt, run->last + 1, failure))
			return false;
	}
	return true;
}

static bool compare_counts(const struct reader *r)
{
	const struct pgtsim_counts *c = &r->pgt->tlb->counts;
	const uint64_t named[] = { 0, c->tables_p4d, c->tables_pud, c->tables_pmd, c->tables_pte };
	const struct oracle *o = r->o;
	uint64_t ram = o->config.ram_size >> o->geo.page_shift;

	for (int level = -1; level <= ORACLE_PTE; level++) {
		uint64_t expected = oracle_tables(o, level);
		uint64_t counted = level == o->geo.root ? c->tables_pgd : named[level + 1];

		if (r->tables[level + 1] != expected || counted != expected)
			return complain(r->failure, o->linear,
					"%" PRIu64 " tables of level %d, counted %" PRIu64
					", expected %" PRIu64,
					r->tables[level + 1], level, counted, expected);
	}
	if (r->leaves != oracle_leaves(o) || c->leaves_mapped - c->leaves_cleared != r->leaves)
		return complain(r->failure, o->linear,
				"%" PRIu64 " leaves, counted %" PRIu64 ", expected %" PRIu64,
				r->leaves, c->leaves_mapped - c->leaves_cleared, oracle_leaves(o));
	if (r->pages != oracle_pages_allocated(o) ||
	    pgtsim_memory_free_count(r->memory) != ram - r->pages - o->lost)
		return complain(r->failure, o->linear,
				"%" PRIu64 " pages are free, %" PRIu64 " in use, expected %" PRIu64,
				pgtsim_memory_free_count(r->memory), r->pages,
				oracle_pages_allocated(o));
	return true;
}

bool compare(const struct oracle *o, const struct pgtsim_pgtable *pgt,
	     const struct pgtsim_memory *memory, uint64_t *hash, struct failure *failure)
{
	struct reader r = { .o = o, .pgt = pgt, .memory = memory, .failure = failure };
	const struct oracle_level *root = oracle_level(o, o->geo.root);
	uint64_t top = -((uint64_t)root->entries << root->shift);
	bool good;

	r.taken = calloc(o->config.ram_size >> o->geo.page_shift, 1);
	assert_non_null(r.taken);
	good = read_table(&r, pgt->root, o->geo.root, top) && compare_counts(&r) &&
	       compare_translations(o, pgt, failure);
	free(r.taken);
	*hash = r.hash;
	return good;
}
