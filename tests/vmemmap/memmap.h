/* SPDX-License-Identifier: MIT */
/* What the tests of the vmemmap share: a page table with one in it. */
#ifndef MEMMAP_H
#define MEMMAP_H

#include "fixture.h"

#include <pgtsim/vmemmap.h>

/* A page table, its layout, and the vmemmap in it. */
struct machine {
	struct fixture f;
	struct pgtsim_layout layout;
	struct pgtsim_vmemmap v;
	uint64_t size; /* the struct pages of one section, bytes */
};

static inline void machine_init_policy(struct machine *m, const struct pgtsim_policy *policy,
				const struct pgtsim_geometry *geo, unsigned struct_page)
{
	bool s390 = is_s390(policy);
	uint64_t section = (geo->page_shift == 16 ? 512 : s390 ? 256 : 128) * MIB;
	enum pgtsim_layout_rule rule =
		s390 ? PGTSIM_LAYOUT_S390 : (enum pgtsim_layout_rule)policy->layout;

	fixture_init(&m->f, policy, geo);
	pgtsim_layout_init(&m->layout, geo, rule, RAM_START, struct_page);
	m->v = (struct pgtsim_vmemmap){
		.pgt = &m->f.pgt,
		.memory = m->f.memory,
		.start = m->layout.vmemmap_start,
		.end = m->layout.vmemmap_end,
		.base = m->layout.vmemmap,
		.section_pages = section >> geo->page_shift,
		.struct_page = struct_page,
	};
	m->size = m->v.section_pages * struct_page;
}

static inline void machine_init(struct machine *m, const char *name)
{
	const struct pgtsim_geometry geo = linux_geometry(4, 48, 0, 48);
	const struct pgtsim_policy policy = profile(name);

	machine_init_policy(m, &policy, &geo, 64);
}

/* The vmemmap range with the struct pages of the n-th section after the end of RAM. */
static inline uint64_t section_of(const struct machine *m, unsigned n)
{
	uint64_t pfn = (RAM_START + GIB) >> m->f.pgt.geo.page_shift;

	return pgtsim_page_of_pfn(&m->v, pfn + n * m->v.section_pages);
}

static inline int populate(struct machine *m, uint64_t start, uint64_t size, struct pgtsim_altmap *altmap)
{
	return pgtsim_vmemmap_populate(&m->v, start, start + size, altmap, 0);
}

static inline int unpopulate(struct machine *m, uint64_t start, uint64_t size,
		      struct pgtsim_altmap *altmap)
{
	return pgtsim_vmemmap_free(&m->v, start, start + size, altmap);
}

/* Counts the leaves of a level in the whole page table. */
static inline unsigned leaves(const struct machine *m, int level)
{
	struct snapshot s = snapshot_take(&m->f);
	unsigned n = 0;

	for (size_t i = 0; i < s.count; i++)
		n += s.line[i].level == level &&
		     pgtsim_desc_kind(level, s.line[i].desc) != PGTSIM_TABLE;
	snapshot_free(&s);
	return n;
}

/* Pages allocated from the page allocator, without table pages. */
static inline uint64_t backing(const struct machine *m)
{
	uint64_t used = pgtsim_memory_ram_count(m->f.memory) - free_pages_of(&m->f);
	size_t pages;

	(void)tables_and_pages(&m->f, &pages);
	return used - pages;
}

#endif
