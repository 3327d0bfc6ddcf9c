/* SPDX-License-Identifier: MIT */
#include "oracle.h"

#include <errno.h>
#include <string.h>

#define MEBI (UINT64_C(1) << 20)
#define GIBI (UINT64_C(1) << 30)

/* ---- facts ---- */

static void init_geometry(struct oracle_geometry *g, const struct oracle_config *c)
{
	static const unsigned groups[][2] = { { 4, 4 }, { 7, 5 }, { 5, 5 } }; /* pte, pmd */
	unsigned per = c->page_shift - 3, shift = c->page_shift;
	/* The root of a 64K kernel keeps its size on a CPU with fewer bits. */
	unsigned bits = c->page_shift == 16 ? c->va : c->va_actual;
	bool wide = c->va == 52 && c->va_actual == 52;

	memset(g, 0, sizeof(*g));
	g->page_shift = c->page_shift;
	g->va_bits = c->va_actual;
	g->pa_bits = c->page_shift == 16 || wide ? c->pa : 48;
	g->format = c->page_shift == 16 ? (c->pa == 52 ? ORACLE_64K_52 : ORACLE_PLAIN) :
		    wide                ? ORACLE_LPA2 :
					  ORACLE_PLAIN;
	g->copies_49_48 = g->format == ORACLE_64K_52 && c->release >= LINUX_6_12;
	for (g->root = ORACLE_PTE;; g->root--) {
		struct oracle_level *l = &g->level[g->root + 1];

		l->shift = shift;
		l->entries = 1u << (bits - shift < per ? bits - shift : per);
		shift += per;
		if (shift >= bits)
			break;
	}
	g->level[ORACLE_PTE + 1].group = groups[(c->page_shift - 12) / 2][0];
	g->level[ORACLE_PTE].group = groups[(c->page_shift - 12) / 2][1];
	g->level[ORACLE_PTE].block = true;                    /* pmd */
	g->level[ORACLE_PTE - 1].block = c->page_shift == 12; /* pud */
}

/* The kernel's address space layout. */
static void init_layout(struct oracle *o)
{
	const struct oracle_config *c = &o->config;
	unsigned low = c->va < 48 ? c->va : 48;
	uint64_t span, base = c->page_shift == 16 ? 512 * MEBI : GIBI;

	o->linear = -(UINT64_C(1) << c->va_actual);
	o->page_offset = -(UINT64_C(1) << c->va);
	o->page_end = -(UINT64_C(1) << (low - 1));
	if (c->page_shift == 14 && c->va == 52)
		o->page_end = -(UINT64_C(1) << 46);
	span = o->page_end - o->page_offset;
	if (c->release <= LINUX_5_10) {
		o->vmemmap = -(span >> (c->page_shift - 6)) - 2 * MEBI;
		o->vmemmap_end = -2 * MEBI;
	} else if (c->release <= LINUX_6_1) {
		o->vmemmap = -(UINT64_C(1) << (c->va - c->page_shift + 6));
		o->vmemmap_end = o->vmemmap + (span >> (c->page_shift - 6));
	} else {
		o->vmemmap = -GIBI - (span >> c->page_shift) * 64;
		o->vmemmap_end = -GIBI;
	}
	o->memstart = c->ram & -base;
	if (c->va == 52 && c->va_actual < 52)
		o->memstart -= (UINT64_C(1) << 52) - (UINT64_C(1) << c->va_actual);
	o->page_of_0 =
		o->vmemmap - (uint64_t)((int64_t)o->memstart / (INT64_C(1) << c->page_shift)) * 64;
	o->section = c->page_shift == 16 ? 512 * MEBI : 128 * MEBI;
}

/* Attribute bits together with the type bits of a page; for a block subtract 2. */
static void init_attributes(struct oracle *o)
{
	static const uint64_t tagged[] = { 0x713, 0x703, 0x707, 0x707, 0x707, 0x707 };
	static const uint64_t kernel[] = { 0x713, 0x703, 0x703, 0x703, 0x703, 0x703 };
	static const uint64_t top[] = { 0x60, 0x60, 0x60, 0x60, 0x68, 0xe8 };
	static const uint64_t linear[] = { 0, 0, 0x18, 0x18, 0x18, 0x18 };
	static const uint64_t vmemmap[] = { 0, 0, 0x10, 0x10, 0x10, 0x10 };
	enum oracle_release r = o->config.release;
	uint64_t sharing = o->geo.format == ORACLE_LPA2 ? 0x300 : 0;
	uint64_t accessed = r == LINUX_7_3 ? 0x400 : 0;

	o->prot[0] = (UINT64_C(0xe8) << 48 | tagged[r]) & ~sharing;
	o->prot[1] = (UINT64_C(0xe8) << 48 | kernel[r]) & ~sharing;
	o->prot[2] = (UINT64_C(0xe0) << 48 | 0x783) & ~sharing;
	o->prot[3] = (UINT64_C(0xc0) << 48 | 0x783) & ~sharing;
	o->prot[4] = (UINT64_C(0x68) << 48 | 0x713) & ~sharing;
	o->vmemmap_page = o->prot[1];
	o->vmemmap_block = (top[r] << 48 | kernel[r]) & ~sharing;
	o->linear_table = linear[r] << 56 | 3 | accessed;
	o->vmemmap_table = vmemmap[r] << 56 | 3 | accessed;
}

void oracle_init(struct oracle *o, const struct oracle_config *config)
{
	o->config = *config;
	init_geometry(&o->geo, config);
	init_layout(o);
	init_attributes(o);
	oracle_fail(o, 0, false);
	o->violates = o->stale = o->foreign = o->full = false;
	o->ranges = o->runs = o->tables = 0;
	o->lost = 0;
	memset(o->altmap, 0, sizeof(o->altmap));
}

void oracle_copy(struct oracle *to, const struct oracle *from)
{
	memcpy(to, from, offsetof(struct oracle, run));
	memcpy(to->run, from->run, from->runs * sizeof(from->run[0]));
	memcpy(to->table, from->table, from->tables * sizeof(from->table[0]));
}

/* Notes that the library has to report a violation here. */
void oracle_restore(struct oracle *o, const struct oracle *was)
{
	bool violates = o->violates, stale = o->stale;

	oracle_copy(o, was);
	o->violates = violates;
	o->stale = stale;
}

uint64_t oracle_address_bits(const struct oracle_geometry *g)
{
	uint64_t page = (UINT64_C(1) << g->page_shift) - 1;

	if (g->format == ORACLE_LPA2)
		return ((UINT64_C(1) << 50) - 1 - page) | 3 << 8;
	if (g->format == ORACLE_64K_52)
		return ((UINT64_C(1) << (g->copies_49_48 ? 50 : 48)) - 1 - page) | 0xf000;
	return (UINT64_C(1) << 48) - 1 - page;
}

uint64_t oracle_desc(const struct oracle_geometry *g, uint64_t pa, uint64_t attrs)
{
	if (g->format == ORACLE_LPA2)
		return pa % (UINT64_C(1) << 50) + (pa >> 50) * 0x100 + attrs;
	if (g->format == ORACLE_64K_52)
		return pa % (UINT64_C(1) << (g->copies_49_48 ? 50 : 48)) + (pa >> 48) * 0x1000 +
		       attrs;
	return pa + attrs;
}

uint64_t oracle_address(const struct oracle_geometry *g, uint64_t desc)
{
	uint64_t page = (UINT64_C(1) << g->page_shift) - 1;

	if (g->format == ORACLE_LPA2)
		return (desc & ((UINT64_C(1) << 50) - 1) & ~page) | (desc >> 8 & 3) << 50;
	if (g->format == ORACLE_64K_52)
		return (desc & ((UINT64_C(1) << 48) - 1) & ~page) | (desc >> 12 & 15) << 48;
	return desc & ((UINT64_C(1) << 48) - 1) & ~page;
}

/* ---- injected failures ---- */

void oracle_fail(struct oracle *o, uint64_t nth, bool every)
{
	o->fail_nth = o->fail_in = nth;
	o->fail_every = every;
}

bool oracle_alloc(struct oracle *o)
{
	if (!o->fail_in || --o->fail_in)
		return true;
	o->fail_in = o->fail_every ? o->fail_nth : 0;
	return false;
}

/* ---- the list of leaves ---- */

/* The first run that ends at va or after it. */
static size_t run_from(const struct oracle *o, uint64_t va)
{
	size_t low = 0, high = o->runs;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (o->run[middle].last < va)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct oracle_run *oracle_find(const struct oracle *o, uint64_t va)
{
	size_t i = run_from(o, va);

	return i < o->runs && o->run[i].va <= va ? &o->run[i] : NULL;
}

bool oracle_mapped(const struct oracle *o, uint64_t va, uint64_t last)
{
	for (size_t i = run_from(o, va); i < o->runs && o->run[i].va <= va; i++) {
		if (o->run[i].last >= last)
			return true;
		va = o->run[i].last + 1;
	}
	return false;
}

static bool any_mapped(const struct oracle *o, uint64_t va, uint64_t last)
{
	size_t i = run_from(o, va);

	return i < o->runs && o->run[i].va <= last;
}

static bool joins(const struct oracle_run *a, const struct oracle_run *b)
{
	return a->last + 1 == b->va && a->level == b->level && a->attrs == b->attrs &&
	       a->backing == b->backing && a->altmap == b->altmap &&
	       (a->backing == ORACLE_ALLOCATOR || a->pa + (b->va - a->va) == b->pa);
}

static void insert_run(struct oracle *o, size_t at, const struct oracle_run *run)
{
	if (o->runs == ORACLE_RUNS_MAX) {
		o->full = true;
		return;
	}
	memmove(&o->run[at + 1], &o->run[at], (o->runs - at) * sizeof(*run));
	o->run[at] = *run;
	o->runs++;
}

static void add_run(struct oracle *o, const struct oracle_run *run)
{
	size_t at = run_from(o, run->va);

	if (at && joins(&o->run[at - 1], run))
		o->run[at - 1].last = run->last;
	else
		insert_run(o, at, run);
}

/* Cuts [va, last], which must consist of whole leaves of run i, out of it. Returns what is next. */
static size_t cut_run(struct oracle *o, size_t i, uint64_t va, uint64_t last)
{
	struct oracle_run behind = o->run[i];

	behind.pa += last + 1 - behind.va;
	behind.va = last + 1;
	if (va > o->run[i].va) {
		o->run[i].last = va - 1;
		if (last < behind.last)
			insert_run(o, i + 1, &behind);
		return i + 1;
	}
	if (last < behind.last) {
		o->run[i] = behind;
		return i + 1;
	}
	o->runs--;
	memmove(&o->run[i], &o->run[i + 1], (o->runs - i) * sizeof(o->run[0]));
	return i;
}

uint64_t oracle_leaves(const struct oracle *o)
{
	uint64_t leaves = 0;

	for (size_t i = 0; i < o->runs; i++)
		leaves += (o->run[i].last - o->run[i].va + 1) >>
			  oracle_level(o, o->run[i].level)->shift;
	return leaves;
}

/* ---- the list of tables ---- */

/* The number of bytes that one table translates. */
static uint64_t span(const struct oracle *o, int level)
{
	return (uint64_t)oracle_level(o, level)->entries << oracle_level(o, level)->shift;
}

static size_t table_from(const struct oracle *o, int level, uint64_t base)
{
	size_t low = 0, high = o->tables;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct oracle_table *t = &o->table[middle];

		if (t->level < level || (t->level == level && t->base < base))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct oracle_table *oracle_table_at(const struct oracle *o, int level, uint64_t va)
{
	uint64_t base = va & -span(o, level);
	size_t i = table_from(o, level, base);

	return i < o->tables && o->table[i].level == level && o->table[i].base == base ?
		       &o->table[i] :
		       NULL;
}

/* Finds or makes the table of this level that translates va. Making one is an allocation. */
static int need_table(struct oracle *o, int level, uint64_t va, uint64_t attrs)
{
	const struct oracle_table table = { va & -span(o, level), attrs, level };
	size_t i = table_from(o, level, table.base);

	if (oracle_table_at(o, level, va))
		return 0;
	if (!oracle_alloc(o))
		return -ENOMEM;
	if (o->tables == ORACLE_TABLES_MAX) {
		o->full = true;
		return 0;
	}
	memmove(&o->table[i + 1], &o->table[i], (o->tables - i) * sizeof(table));
	o->table[i] = table;
	o->tables++;
	return 0;
}

static bool any_table(const struct oracle *o, int level, uint64_t va, uint64_t last)
{
	size_t i = table_from(o, level, va);

	return i < o->tables && o->table[i].level == level && o->table[i].base <= last;
}

uint64_t oracle_tables(const struct oracle *o, int level)
{
	if (level < o->geo.root)
		return 0;
	if (level == o->geo.root)
		return 1;
	return table_from(o, level + 1, 0) - table_from(o, level, 0);
}

/* ---- map ---- */

static bool in_region(const struct oracle *o, uint64_t va, uint64_t size)
{
	return size && va >= o->linear && va + (size - 1) >= va;
}

static bool wants_block(const struct oracle *o, const struct oracle_map *m, int level, uint64_t va,
			uint64_t last)
{
	uint64_t size = oracle_leaf_size(o, level);

	return m->blocks && oracle_level(o, level)->block && va % size == 0 &&
	       (va - m->va + m->pa) % size == 0 && last - va >= size - 1;
}

/* Whether a table hangs below an entry of [start, start + bytes). */
static bool any_table_below(const struct oracle *o, int level, uint64_t start, uint64_t bytes)
{
	for (uint64_t at = 0; at < bytes; at += oracle_leaf_size(o, level))
		if (oracle_table_at(o, level + 1, start + at))
			return true;
	return false;
}

/*
 * True if the whole contiguous group of va is inside the mapping and its physical address is
 * aligned. Blocks in the root never have the hint, because the kernel maps them one by one.
 */
static bool hinted(const struct oracle *o, const struct oracle_map *m, int level, uint64_t va)
{
	uint64_t size = oracle_leaf_size(o, level) << oracle_level(o, level)->group;
	uint64_t start = va - va % size, last = m->va + m->size - 1;

	if (level == o->geo.root && level < ORACLE_PTE)
		return false;
	/* 7.3 gives no hint to a group with a table in it. */
	if (o->config.release == LINUX_7_3 && level < ORACLE_PTE &&
	    any_table_below(o, level, start, size))
		return false;
	return m->cont && oracle_level(o, level)->group && start >= m->va &&
	       start + (size - 1) <= last && (m->pa - m->va) % size == 0;
}

/*
 * The number of leaves from va on that have the same attributes: up to the end of the group, or of
 * the table.
 */
static uint64_t map_leaves(struct oracle *o, const struct oracle_map *m, int level, uint64_t va,
			   uint64_t last)
{
	uint64_t size = oracle_leaf_size(o, level), unit = size;
	struct oracle_run run = { .va = va, .pa = va - m->va + m->pa, .level = level };

	if (level == ORACLE_PTE)
		unit <<= oracle_level(o, level)->group;
	run.last = (va | (unit - 1)) < last ? va | (unit - 1) : last;
	run.attrs = m->attrs - (level < ORACLE_PTE ? 2 : 0);
	if (hinted(o, m, level, va))
		run.attrs |= UINT64_C(1) << 52;
	add_run(o, &run);
	return run.last + 1;
}

/* Maps one entry at va, the largest that fits, and moves *va behind it. */
static int map_next(struct oracle *o, const struct oracle_map *m, uint64_t *va, uint64_t last)
{
	for (int level = o->geo.root;; level++) {
		if (level == ORACLE_PTE) {
			*va = map_leaves(o, m, level, *va, last);
			return 0;
		}
		if (wants_block(o, m, level, *va, last)) {
			if (!oracle_table_at(o, level + 1, *va)) {
				*va = map_leaves(o, m, level, *va, last);
				return 0;
			}
			/* The group gets the hint although one of its members is not a block. */
			o->stale |= hinted(o, m, level, *va);
			/* Up to 6.12 a block is not mapped if a table is in its place. */
			if (o->config.release <= LINUX_6_12) {
				*va += oracle_leaf_size(o, level);
				return 0;
			}
		}
		if (need_table(o, level + 1, *va, m->table_attrs))
			return -ENOMEM;
	}
}

int oracle_map_raw(struct oracle *o, const struct oracle_map *map)
{
	uint64_t page = (UINT64_C(1) << o->geo.page_shift) - 1;
	uint64_t last = (map->va + map->size - 1) | page, pa_end = UINT64_C(1) << o->geo.pa_bits;
	struct oracle_map m = *map;

	if (!in_region(o, map->va, map->size) || ((map->va ^ map->pa) & page) ||
	    map->pa >= pa_end || map->size > pa_end - map->pa)
		return -EINVAL;
	m.va &= ~page;
	m.pa &= ~page;
	m.size = last - m.va + 1;
	if (any_mapped(o, m.va, last))
		return -EEXIST;
	for (uint64_t va = m.va; va - 1 != last && !o->full;)
		if (map_next(o, &m, &va, last))
			return -ENOMEM;
	return 0;
}

/* ---- unmap ---- */

/* Clears whole leaves; in a pte table one entry for every page size from va on. */
static uint64_t last_pte(const struct oracle *o, uint64_t va, uint64_t last)
{
	uint64_t page = UINT64_C(1) << o->geo.page_shift, table = span(o, ORACLE_PTE);

	if (va / table != last / table)
		return last;
	return (va & -page) + (last - va) / page * page;
}

/* Gives the memory behind the leaves [va, last] of a run back to its owner. */
static void free_leaves(struct oracle *o, const struct oracle_run *run, uint64_t va, uint64_t last,
			struct oracle_altmap *altmap, unsigned number)
{
	uint64_t pages = (last - va + 1) >> o->geo.page_shift;

	if (run->attrs >> 52 & 1)
		o->violates = true;
	if (!altmap) {
		o->foreign |= run->backing != ORACLE_ALLOCATOR;
		return;
	}
	o->foreign |=
		run->backing != ORACLE_ALTMAP || run->altmap != number || altmap->alloc < pages;
	altmap->alloc -= pages;
}

/*
 * Whether invalidates may miss something when the leaves [va, last] of a run are cleared: a group
 * that is cut, or cleared entry by entry.
 */
static bool goes_stale(const struct oracle *o, const struct oracle_run *run, uint64_t va,
		       uint64_t last)
{
	uint64_t group = oracle_leaf_size(o, run->level) << oracle_level(o, run->level)->group;

	return run->attrs >> 52 & 1 &&
	       (o->config.release < LINUX_6_1 || va % group || (last + 1) % group);
}

static void clear(struct oracle *o, uint64_t va, uint64_t last, bool free,
		  struct oracle_altmap *altmap, unsigned number)
{
	uint64_t pte = last_pte(o, va, last), page = UINT64_C(1) << o->geo.page_shift;

	/* A flush does not round its range the way pass 1 does. */
	o->stale |= va % page || (last + 1) % page;
	for (size_t i = run_from(o, va); i < o->runs && o->run[i].va <= last;) {
		const struct oracle_run run = o->run[i];
		uint64_t size = oracle_leaf_size(o, run.level);
		uint64_t end = run.level == ORACLE_PTE ? pte : last;
		uint64_t from = run.va > va ? run.va : va & -size;
		uint64_t to = run.last < end ? run.last : end | (size - 1);

		if (from > end) {
			i++;
			continue;
		}
		o->stale |= goes_stale(o, &run, from, to);
		if (free)
			free_leaves(o, &run, from, to, altmap, number);
		else if (run.backing == ORACLE_ALLOCATOR)
			o->lost += (to - from + 1) >> o->geo.page_shift;
		i = cut_run(o, i, from, to);
	}
}

int oracle_unmap_range(struct oracle *o, uint64_t va, uint64_t size, bool free, int altmap)
{
	struct oracle_altmap *to = altmap < 0 ? NULL : &o->altmap[altmap];

	if (!in_region(o, va, size))
		return -EINVAL;
	o->violates |= to && !free;
	clear(o, va, va + size - 1, free, to, (unsigned)altmap);
	return 0;
}

/* ---- free tables ---- */

static bool in_bounds(const struct oracle *o, const struct oracle_table *t, uint64_t last,
		      uint64_t floor, uint64_t ceiling)
{
	uint64_t size = span(o, t->level), end = t->base + (size - 1), limit = ceiling & -size;

	if (last < end)
		end = last;
	if (t->base < floor)
		return false;
	if (!ceiling)
		return true;
	/*
	 * A ceiling inside the first table means that nothing may be freed; otherwise tables
	 * wholly below it may.
	 */
	return limit && end < limit;
}

static bool is_empty(const struct oracle *o, const struct oracle_table *t)
{
	uint64_t last = t->base + (span(o, t->level) - 1);

	return !any_mapped(o, t->base, last) &&
	       (t->level == ORACLE_PTE || !any_table(o, t->level + 1, t->base, last));
}

/* True if pass 1 over the range would still find a leaf. */
static bool finds_leaves(const struct oracle *o, uint64_t va, uint64_t last)
{
	uint64_t pte = last_pte(o, va, last) | ((UINT64_C(1) << o->geo.page_shift) - 1);

	for (size_t i = run_from(o, va); i < o->runs && o->run[i].va <= last; i++)
		if (o->run[i].va <= (o->run[i].level == ORACLE_PTE ? pte : last))
			return true;
	return false;
}

bool oracle_has_empty_table(const struct oracle *o)
{
	for (size_t i = 0; i < o->tables; i++) {
		const struct oracle_table *t = &o->table[i];
		uint64_t last = t->base + (span(o, t->level) - 1);

		if (is_empty(o, t) && ((t->base >= o->page_offset && last < o->page_end) ||
				       (t->base >= o->vmemmap && last < o->vmemmap_end)))
			return true;
	}
	return false;
}

int oracle_free_tables(struct oracle *o, uint64_t va, uint64_t size, uint64_t floor,
		       uint64_t ceiling)
{
	uint64_t last = va + size - 1;

	if (!in_region(o, va, size))
		return -EINVAL;
	o->violates |= finds_leaves(o, va, last);
	if (o->config.never_free_tables)
		return 0;
	for (int level = ORACLE_PTE; level > o->geo.root; level--) {
		size_t i = table_from(o, level, va & -span(o, level));

		while (i < o->tables && o->table[i].level == level && o->table[i].base <= last) {
			if (!in_bounds(o, &o->table[i], last, floor, ceiling) ||
			    !is_empty(o, &o->table[i])) {
				i++;
				continue;
			}
			o->tables--;
			memmove(&o->table[i], &o->table[i + 1],
				(o->tables - i) * sizeof(o->table[0]));
		}
	}
	return 0;
}

/* ---- vmemmap ---- */

/* Takes frames from an altmap: after all that it has ever handed out, aligned to their number. */
static bool altmap_alloc(struct oracle *o, struct oracle_altmap *a, uint64_t pages, uint64_t *pfn)
{
	uint64_t next = a->base + a->reserve + a->alloc + a->align;
	uint64_t start = (next + pages - 1) / pages * pages;

	if (a->alloc + a->align + (start - next) + pages > a->free) {
		/* The library reports it if there would be room without earlier padding. */
		o->violates |=
			pages > 1 && a->align && a->alloc + (start - next) + pages <= a->free;
		return false;
	}
	*pfn = start;
	a->align += start - next;
	a->alloc += pages;
	return true;
}

struct populate {
	struct oracle_altmap *altmap;
	unsigned number;
	bool blocks;
};

/* One leaf with new memory behind it. */
static int populate_leaf(struct oracle *o, const struct populate *p, int level, uint64_t va)
{
	uint64_t size = oracle_leaf_size(o, level), pfn = 0;
	struct oracle_run run = { .va = va & -size, .last = va | (size - 1), .level = level };

	run.attrs = level == ORACLE_PTE ? o->vmemmap_page : o->vmemmap_block - 2;
	run.backing = p->altmap ? ORACLE_ALTMAP : ORACLE_ALLOCATOR;
	if (p->altmap) {
		run.altmap = p->number;
		if (!altmap_alloc(o, p->altmap, size >> o->geo.page_shift, &pfn))
			return -ENOMEM;
	} else if (!oracle_alloc(o)) {
		return -ENOMEM;
	}
	run.pa = pfn << o->geo.page_shift;
	add_run(o, &run);
	return 0;
}

static int populate_pages(struct oracle *o, const struct populate *p, uint64_t va, uint64_t last)
{
	uint64_t page = UINT64_C(1) << o->geo.page_shift;

	for (; va - 1 != last; va += page) {
		if (oracle_find(o, va))
			continue;
		for (int level = o->geo.root + 1; level <= ORACLE_PTE; level++)
			if (need_table(o, level, va, o->vmemmap_table))
				return -ENOMEM;
		if (populate_leaf(o, p, ORACLE_PTE, va))
			return -ENOMEM;
	}
	return 0;
}

/* What one pmd entry covers, where blocks are wanted. */
static int populate_pmd(struct oracle *o, const struct populate *p, uint64_t va, uint64_t last)
{
	enum oracle_release r = o->config.release;
	const struct oracle_run *there = oracle_find(o, va);

	if (there && there->level < ORACLE_PTE)
		return 0;
	for (int level = o->geo.root + 1; level < ORACLE_PTE; level++)
		if (need_table(o, level, va, o->vmemmap_table))
			return -ENOMEM;
	if (oracle_table_at(o, ORACLE_PTE, va))
		return r < LINUX_7_3 ? 0 : populate_pages(o, p, va, last);
	if (!populate_leaf(o, p, ORACLE_PTE - 1, va))
		return 0;
	if (p->altmap ? r != LINUX_5_14 && r != LINUX_6_1 : r < LINUX_5_14)
		return -ENOMEM;
	return populate_pages(o, p, va, last);
}

int oracle_populate_raw(struct oracle *o, uint64_t start, uint64_t end,
			struct oracle_altmap *altmap, unsigned number, bool pages)
{
	const struct populate p = {
		.altmap = o->config.release == LINUX_5_7 ? NULL : altmap,
		.number = number,
		.blocks = o->geo.page_shift == 12 && !pages &&
			  (o->config.release < LINUX_6_1 ||
			   end - start >= (o->section >> o->geo.page_shift) * 64),
	};
	uint64_t page = (UINT64_C(1) << o->geo.page_shift) - 1, last = (end - 1) | page;

	if (start >= end || start < o->vmemmap || end > o->vmemmap_end)
		return -EINVAL;
	start &= ~page;
	if (!p.blocks)
		return populate_pages(o, &p, start, last);
	while (start - 1 != last) {
		uint64_t to = start | (2 * MEBI - 1);
		int ret = populate_pmd(o, &p, start, to < last ? to : last);

		if (ret)
			return ret;
		start = (to < last ? to : last) + 1;
	}
	return 0;
}

int oracle_free_memmap(struct oracle *o, uint64_t start, uint64_t end, struct oracle_altmap *altmap,
		       unsigned number)
{
	if (start >= end || start < o->vmemmap || end > o->vmemmap_end)
		return -EINVAL;
	clear(o, start, end - 1, true, o->config.release == LINUX_5_7 ? NULL : altmap, number);
	return oracle_free_tables(o, start, end - start, o->vmemmap, o->vmemmap_end);
}

int oracle_vmemmap_free(struct oracle *o, uint64_t start, uint64_t end, int altmap)
{
	return oracle_free_memmap(o, start, end, altmap < 0 ? NULL : &o->altmap[altmap],
				  (unsigned)altmap);
}

/* ---- operations that undo what fails ---- */

static struct oracle *before(const struct oracle *o)
{
	static struct oracle copy; /* static because it is large; only one operation runs at a time */

	oracle_copy(&copy, o);
	return &copy;
}

int oracle_map(struct oracle *o, const struct oracle_map *map)
{
	const struct oracle *was = before(o);
	int ret = oracle_map_raw(o, map);

	if (ret == -ENOMEM && !o->config.keep_map)
		oracle_restore(o, was);
	return ret;
}

int oracle_populate(struct oracle *o, uint64_t start, uint64_t end, int altmap, bool pages)
{
	const struct oracle *was = before(o);
	int ret = oracle_populate_raw(o, start, end, altmap < 0 ? NULL : &o->altmap[altmap],
				      (unsigned)altmap, pages);

	if (ret && !o->config.keep_populate)
		oracle_restore(o, was);
	return ret;
}

/* ---- what can be asked ---- */

uint64_t oracle_pages_allocated(const struct oracle *o)
{
	uint64_t pages = o->tables + 1;

	for (size_t i = 0; i < o->runs; i++)
		if (o->run[i].backing == ORACLE_ALLOCATOR)
			pages += (o->run[i].last - o->run[i].va + 1) >> o->geo.page_shift;
	return pages;
}

bool oracle_shares_frames(const struct oracle *o)
{
	for (size_t i = 0; i < o->runs; i++)
		for (size_t j = 0; j < i; j++) {
			const struct oracle_run *a = &o->run[i], *b = &o->run[j];

			if (a->backing == ORACLE_ALTMAP && b->backing == ORACLE_ALTMAP &&
			    a->pa <= b->pa + (b->last - b->va) &&
			    b->pa <= a->pa + (a->last - a->va))
				return true;
		}
	return false;
}
