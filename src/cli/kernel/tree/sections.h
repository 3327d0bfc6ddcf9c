/* SPDX-License-Identifier: MIT */
/*
 * Among the kernel's functions, before those that know of sections: the sections of this kernel,
 * and what those functions need. From here on pfn_to_page() is the address of a struct page.
 */
#undef pfn_to_page
#define pfn_to_page(pfn) (vmemmap + (pfn))

/* From here on what is stored is no entry of a table. */
#undef WRITE_ONCE
#define WRITE_ONCE(x, value) ((x) = (value))

enum { KC_SECTIONS = 256 };

struct mem_section_usage {
	unsigned long subsection_map[4];
};

/* Of section_mem_map only the flags are kept. */
struct mem_section {
	unsigned long section_mem_map;
	struct mem_section_usage *usage;
};

#define SECTION_HAS_MEM_MAP BIT(1)
#define early_section(section) false
#define valid_section(section) ((section) && ((section)->section_mem_map & SECTION_HAS_MEM_MAP))

static struct mem_section kc_section[KC_SECTIONS];
static struct mem_section_usage kc_usage[KC_SECTIONS];
static unsigned long kc_first_section;

/* All sections that a script adds lie near RAM. */
static struct mem_section *__nr_to_section(unsigned long number)
{
	return &kc_section[(number - kc_first_section) % KC_SECTIONS];
}

#define __pfn_to_section(pfn) __nr_to_section(pfn_to_section_nr(pfn))
#define __section_mark_present(section, number) ((void)(section))
#define section_mark_present(section) ((void)(section))
#define check_hotplug_memory_addressable(pfn, pages) 0
#define set_section_nid(number, node) ((void)0)
#define sparse_index_init(number, node) 0
#define sparse_decode_mem_map(map, number) NULL
#define sparse_init_one_section(section, number, map, use, flags) \
	((void)(map), (section)->section_mem_map |= SECTION_HAS_MEM_MAP)

/* The usage map is no page of its own; its allocation is not counted, and never fails. */
#define kzalloc(size, gfp) memset(&kc_usage[ms - kc_section], 0, sizeof(kc_usage[0]))
#define kfree(usage) ((void)(usage))
#define kfree_rcu(usage, rcu) ((void)(usage))
#define ERR_PTR(error) ((struct page *)(long)(error))
#define PTR_ERR(page) ((int)(long)(page))
#define IS_ERR(page) ((unsigned long)(page) >= -4095UL)
#define DECLARE_BITMAP(name, bits) unsigned long name[4]
#define PFN_UP(pa) (((pa) + PAGE_SIZE - 1) >> PAGE_SHIFT)
#define max(a, b) ((a) > (b) ? (a) : (b))
#define page_init_poison(page, size) ((void)0)
#define clear_hwpoisoned_pages(page, count) ((void)0)
#define vmemmap_populate_print_last() ((void)0)
#define memmap_pages_add(count) ((void)0)
#define memmap_boot_pages_add(count) ((void)0)
#define memblock_clear_nomap(start, size) ((void)0)
#define vmemmap_can_optimize(altmap, pgmap) false
#define vmemmap_populate_compound_pages(pfn, start, end, node, pgmap) 0
#define pgmap_vmemmap_nr(pgmap) 1UL

struct dev_pagemap;
struct mhp_params {
	struct vmem_altmap *altmap;
	pgprot_t pgprot;
	struct dev_pagemap *pgmap;
};
static unsigned long max_pfn, max_low_pfn;

static void bitmap_set(unsigned long *map, int from, int bits)
{
	for (int i = from; i < from + bits; i++)
		map[i / 64] |= 1UL << i % 64;
}

#define KC_EACH_WORD(statement)             \
	do {                                \
		for (int i = 0; i < 4; i++) \
			statement;          \
	} while (0)

static void bitmap_and(unsigned long *to, const unsigned long *a, const unsigned long *b, int bits)
{
	KC_EACH_WORD(to[i] = a[i] & b[i]);
}

static void bitmap_or(unsigned long *to, const unsigned long *a, const unsigned long *b, int bits)
{
	KC_EACH_WORD(to[i] = a[i] | b[i]);
}

static void bitmap_xor(unsigned long *to, const unsigned long *a, const unsigned long *b, int bits)
{
	KC_EACH_WORD(to[i] = a[i] ^ b[i]);
}

static bool bitmap_equal(const unsigned long *a, const unsigned long *b, int bits)
{
	return !memcmp(a, b, sizeof(kc_usage[0].subsection_map));
}

static bool bitmap_empty(const unsigned long *map, int bits)
{
	return !(map[0] | map[1] | map[2] | map[3]);
}

static bool bitmap_intersects(const unsigned long *a, const unsigned long *b, int bits)
{
	return (a[0] & b[0]) | (a[1] & b[1]) | (a[2] & b[2]) | (a[3] & b[3]);
}
