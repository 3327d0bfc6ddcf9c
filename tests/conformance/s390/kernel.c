/* SPDX-License-Identifier: MIT */
/*
 * kernel: s390's functions with as much of the rest of the kernel as they need. What touches the
 * machine ends in struct s390_world. S390_SOURCE is what extract.py wrote.
 */
#include "kernel.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static struct s390_world *world;

typedef uint64_t u64;
typedef unsigned gfp_t;
typedef struct {
	unsigned long pte;
} pte_t;
typedef struct {
	unsigned long pmd;
} pmd_t;
typedef struct {
	unsigned long pud;
} pud_t;
typedef struct {
	unsigned long p4d;
} p4d_t;
typedef struct {
	unsigned long pgd;
} pgd_t;
typedef struct {
	unsigned long pgprot;
} pgprot_t;
typedef pte_t *pgtable_t;
struct page {
	unsigned char bytes[S390_STRUCT_PAGE];
};
struct dev_pagemap;
struct mm_struct {
	pgd_t *pgd;
};
static struct mm_struct init_mm;

#define pte_val(x) ((x).pte)
#define pmd_val(x) ((x).pmd)
#define pud_val(x) ((x).pud)
#define p4d_val(x) ((x).p4d)
#define pgd_val(x) ((x).pgd)
#define pgprot_val(x) ((x).pgprot)
#define __pte(x) ((pte_t){ x })
#define __pmd(x) ((pmd_t){ x })
#define __pud(x) ((pud_t){ x })
#define __p4d(x) ((p4d_t){ x })
#define __pgd(x) ((pgd_t){ x })
#define __pgprot(x) ((pgprot_t){ x })
#define ptep_get(p) (*(p))
#define pmdp_get(p) (*(p))
#define pudp_get(p) (*(p))
#define p4dp_get(p) (*(p))
#define pgdp_get(p) (*(p))

#define UL(x) x##UL
#define PAGE_SHIFT 12
#define PAGE_SIZE (1UL << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define BITS_PER_LONG 64
#define CRST_ALLOC_ORDER 2
#define NUMA_NO_NODE (-1)
#define GFP_KERNEL 0u
#define GFP_KERNEL_ACCOUNT 0u
#define __GFP_ACCOUNT 0u
#define __ref
#define __init
#define __meminit
#define likely(x) (x)
#define unlikely(x) (x)
#define ALIGN(x, a) (((x) + ((a) - 1)) & ~((a) - 1))
#define ALIGN_DOWN(x, a) ((x) & ~((a) - 1))
#define IS_ALIGNED(x, a) (((x) & ((a) - 1)) == 0)
#define PAGE_ALIGNED(x) IS_ALIGNED((unsigned long)(x), PAGE_SIZE)
#define READ_ONCE(x) (x)
#define WARN_ON_ONCE(x) (x)
#define pr_warn_once(...) ((void)0)
#define pr_debug(...) ((void)0)
#define find_first_bit(p, n) ((unsigned long)__builtin_ctzl(*(p)))
#define mutex_lock(m) ((void)0)
#define mutex_unlock(m) ((void)0)
#define slab_is_available() true
#define memblock_alloc(size, align) NULL
#define debug_pagealloc_enabled() false
#define __arch_set_page_dat(page, n) ((void)0)
#define arch_set_page_dat(page, n) ((void)0)
#define update_page_count(level, n) ((void)(n))
#define MACHINE_HAS_NX true
#define MACHINE_HAS_EDAT1 (world->edat1)
#define MACHINE_HAS_EDAT2 (world->edat2)
#define cpu_has_nx() true
#define cpu_has_edat1() (world->edat1)
#define cpu_has_edat2() (world->edat2)
#define __abs_lowcore (~0UL)
#define INIT_LIST_HEAD(list) ((void)0)

/* Memory of the machine is at world->memory; an address of the identity mapping is its own PA. */
enum { MEMORY_BYTES = 1 << 30 };

static unsigned long pa_of(unsigned long address)
{
	unsigned long offset = address - (unsigned long)world->memory;

	return offset < 1UL << 44 ? offset : address;
}

#define __pa(x) pa_of((unsigned long)(x))

/* Old releases ask for it twice, and for addresses of the vmemmap, which are what they are. */
static void *va_of(unsigned long pa)
{
	return (void *)(pa < MEMORY_BYTES ? (unsigned long)world->memory + pa : pa);
}

#define __va(pa) va_of((unsigned long)(pa))
#define pfn_to_virt(pfn) __va((unsigned long)(pfn) << PAGE_SHIFT)
#define __pfn_to_phys(pfn) ((unsigned long)(pfn) << PAGE_SHIFT)
#define virt_to_page(address) ((struct page *)(address))
#define phys_to_page(pa) ((struct page *)__va(pa))
#define pfn_to_phys(pfn) ((unsigned long)(pfn) << PAGE_SHIFT)
#define memblock_phys_alloc(size, align) 0
#define VMALLOC_START (~0UL) /* what follows the vmemmap shares no table with it */
#define unused_pmd_start unused_sub_pmd_start
#define __pgprot_page_mask(x) __pgprot(x)
#define __pgprot_segment_mask(x) __pgprot(x)
#define __pgprot_region_mask(x) __pgprot(x)
#define PageReserved(page) (0)
#define free_reserved_pages(page, order) ((void)0)

static int get_order(unsigned long size)
{
	int order = 0;

	while (PAGE_SIZE << order < size)
		order++;
	return order;
}

static unsigned long __get_free_pages(gfp_t gfp, unsigned order)
{
	uint64_t pa = world->alloc(world->ctx, order);

	(void)gfp;
	return pa ? (unsigned long)__va(pa) : 0;
}

static void free_pages(unsigned long address, unsigned order)
{
	world->free(world->ctx, __pa(address), order);
}

/* A page descriptor is the page itself. */
struct ptdesc {
	unsigned char bytes[4096];
};
#define pagetable_alloc(gfp, order) ((struct ptdesc *)__get_free_pages(gfp, order))
#define pagetable_free(ptdesc) free_pages((unsigned long)(ptdesc), 0)
#define pagetable_pte_ctor(...) true
#define pagetable_pte_dtor(ptdesc) ((void)0)
#define pagetable_dtor_free(ptdesc) pagetable_free(ptdesc)
#define pagetable_pte_dtor_free(ptdesc) pagetable_free(ptdesc)
#define pagetable_dtor(ptdesc) ((void)0)
#define ptdesc_to_virt(ptdesc) ((void *)(ptdesc))
#define virt_to_ptdesc(address) ((struct ptdesc *)(address))
#define pagetable_is_reserved(ptdesc) false
#define free_reserved_ptdesc(ptdesc) ((void)0)
#define ptdesc_address(ptdesc) ((void *)(ptdesc))

static void *memset64(u64 *at, u64 value, size_t count)
{
	for (size_t i = 0; i < count; i++)
		at[i] = value;
	return at;
}

struct lowcore {
	struct {
		unsigned long val;
	} kernel_asce;
};

static struct lowcore *get_lowcore(void)
{
	static struct lowcore lowcore;

	return &lowcore;
}

/* The entry of the table that translates the address. Only region-third entries are replaced. */
static void crdte(unsigned long old, unsigned long new, unsigned long *table, unsigned long type,
		  unsigned long address, unsigned long asce)
{
	unsigned long *entry = &table[address >> 31 & 2047];

	(void)type;
	(void)asce;
	if (*entry != old)
		return;
	*entry = new;
	world->store(world->ctx, __pa(entry), new);
	world->idte(world->ctx);
}

/* Without EDAT 2 there is no leaf to split. */
static void cspg(unsigned long *entry, unsigned long old, unsigned long new)
{
	(void)old;
	*entry = new;
}

/* A store to a table in use. */
#define WRITE_ONCE(place, value)                                                              \
	do {                                                                                  \
		(place) = (value);                                                            \
		world->store(world->ctx, __pa(&(place)), *(const unsigned long *)&(place));   \
	} while (0)

#define flush_tlb_kernel_range(start, end) world->idte(world->ctx)

/* What the vmemmap has at an address, found by a walk of this file's own. */
static unsigned char *vmemmap_byte(unsigned long address)
{
	static unsigned char nowhere;
	uint64_t table = world->root;

	for (unsigned type = world->root_type + 1; type-- > 0;) {
		unsigned shift = 20 + 11 * type;
		uint64_t entry = ((uint64_t *)(void *)(world->memory + table))[address >> shift & 2047];

		if (entry & 0x20) {
			world->fault = true;
			return &nowhere;
		}
		if (entry & 0x400)
			return world->memory + (entry >> shift << shift) +
			       (address & ((1UL << shift) - 1));
		table = entry & ~0xfffUL;
	}
	table = ((uint64_t *)(void *)(world->memory + table))[address >> 12 & 255];
	world->fault |= table & 0x400;
	return table & 0x400 ? &nowhere : world->memory + (table & ~0xfffUL) + (address & 0xfff);
}

static void *vmemmap_memset(void *at, int value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		*vmemmap_byte((unsigned long)at + i) = (unsigned char)value;
	world->marked += value ? size : 0;
	return at;
}

static void *vmemmap_memchr_inv(const void *at, int value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (*vmemmap_byte((unsigned long)at + i) != value)
			return (void *)((unsigned long)at + i);
	return NULL;
}

#define memset vmemmap_memset
#define memchr_inv vmemmap_memchr_inv

struct vmem_altmap;
static void *altmap_alloc_block_buf(unsigned long size, struct vmem_altmap *altmap);

static void *vmemmap_alloc_block_buf(unsigned long size, int node, struct vmem_altmap *altmap)
{
	(void)node;
	return altmap ? altmap_alloc_block_buf(size, altmap) :
			(void *)__get_free_pages(0, (unsigned)get_order(size));
}

static void *vmemmap_alloc_block(unsigned long size, int node)
{
	return vmemmap_alloc_block_buf(size, node, NULL);
}

/* Declared so, they stay in this file: there is one for each release and size. */
static int split_pud_page(pud_t *pud, unsigned long address);
static void *vmem_crst_alloc(unsigned long val);
static pte_t *vmem_pte_alloc(void);
static unsigned long *page_table_alloc(struct mm_struct *mm);
static void page_table_free(struct mm_struct *mm, unsigned long *table);
static void vmem_altmap_free(struct vmem_altmap *altmap, unsigned long pages);
static int vmemmap_populate(unsigned long start, unsigned long end, int node,
			    struct vmem_altmap *altmap);
static void vmemmap_free(unsigned long start, unsigned long end, struct vmem_altmap *altmap);

#include S390_SOURCE

#ifdef S390_HALVES
static unsigned long *page_table_alloc(struct mm_struct *mm)
{
	(void)mm;
	return (unsigned long *)__get_free_pages(0, 0);
}

static void page_table_free(struct mm_struct *mm, unsigned long *table)
{
	(void)mm;
	free_pages((unsigned long)table, 0);
}
#endif

static void begin(struct s390_world *on)
{
	world = on;
	init_mm.pgd = (pgd_t *)(world->memory + world->root);
	unused_sub_pmd_start = 0;
}

/* What vmem_add_mapping() does once it has checked the range. */
static int add(uint64_t start, uint64_t size)
{
	int ret = vmem_add_range(start, size);

	if (ret)
		vmem_remove_range(start, size);
	return ret;
}

static void from_altmap(const struct vmem_altmap *from, struct s390_altmap *to)
{
	to->alloc = from->alloc;
	to->align = from->align;
}

static struct vmem_altmap to_altmap(const struct s390_altmap *from)
{
	return (struct vmem_altmap){
		.base_pfn = from->base_pfn,
		.end_pfn = from->end_pfn,
		.reserve = from->reserve,
		.free = from->free,
		.align = from->align,
		.alloc = from->alloc,
	};
}

static int populate(uint64_t start, uint64_t end, struct s390_altmap *altmap)
{
	if (!altmap)
		return vmemmap_populate(start, end, 0, NULL);

	struct vmem_altmap map = to_altmap(altmap);
	int ret = vmemmap_populate(start, end, 0, &map);

	from_altmap(&map, altmap);
	return ret;
}

static void free_memmap(uint64_t start, uint64_t end, struct s390_altmap *altmap)
{
	if (!altmap) {
		vmemmap_free(start, end, NULL);
		return;
	}

	struct vmem_altmap map = to_altmap(altmap);

	vmemmap_free(start, end, &map);
	from_altmap(&map, altmap);
}

const struct s390_kernel S390_SYMBOL = {
	.source = S390_NAME,
	.struct_page = S390_STRUCT_PAGE,
#ifdef S390_SPLITS
	.splits = true,
#endif
#ifdef S390_LEAF_AT_ZERO
	.leaf_at_zero = true,
#endif
#ifdef S390_ALTMAPS
	.altmaps = true,
#endif
	.begin = begin,
	.add = add,
	.remove = vmem_remove_range,
	.populate = populate,
	.free = free_memmap,
};
