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
struct list_head {
	struct list_head *next, *prev;
};
struct mm_struct {
	pgd_t *pgd;
	struct {
		struct list_head pgtable_list;
		int lock;
	} context;
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

/* Memory of the machine is at world->memory; an address of the identity mapping is its own PA. */
enum { MEMORY_BYTES = 1 << 30, RAM_BYTES = 128 << 20 };

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

/* ---- two page tables in a page ---- */

typedef struct {
	int counter;
} atomic_t;

/* What releases before 6.7 keep of a page that page tables have. */
struct half_page {
	struct list_head lru;
	atomic_t _refcount;
};
static struct half_page half_pages[RAM_BYTES >> PAGE_SHIFT];

static struct half_page *virt_to_half(const void *address)
{
	return &half_pages[__pa(address) >> PAGE_SHIFT];
}

static void *half_to_virt(const struct half_page *page)
{
	return __va((unsigned long)(page - half_pages) << PAGE_SHIFT);
}

static struct half_page *alloc_half(void)
{
	unsigned long address = __get_free_pages(GFP_KERNEL, 0);

	return address ? virt_to_half((void *)address) : NULL;
}

static void list_insert(struct list_head *entry, struct list_head *head)
{
	entry->next = head->next;
	entry->prev = head;
	head->next->prev = entry;
	head->next = entry;
}

static void list_remove(struct list_head *entry)
{
	entry->prev->next = entry->next;
	entry->next->prev = entry->prev;
}

#define INIT_LIST_HEAD(list) ((void)0)
#define list_empty(list) ((list)->next == (list))
#define list_first_entry(list, type, member) ((type *)(list)->next) /* it is the first member */
#define list_add(entry, list) list_insert(entry, list)
#define list_del(entry) list_remove(entry)
#define spin_lock_bh(lock) ((void)0)
#define spin_unlock_bh(lock) ((void)0)
#define atomic_read(v) ((unsigned)(v)->counter)
#define mm_alloc_pgste(mm) 0
#define alloc_page(gfp) alloc_half()
#define __free_page(page) free_pages((unsigned long)half_to_virt(page), 0)
#define page_to_virt(page) half_to_virt(page)
#define pfn_to_page(pfn) (&half_pages[pfn])
#define pgtable_pte_page_ctor(page) true
#define pgtable_pte_page_dtor(page) ((void)0)

#define page_table_release_check(page, table, half, mask) ((void)0)

/* One thread: it never fails. */
static unsigned atomic_cmpxchg(atomic_t *v, unsigned old, unsigned new)
{
	v->counter = (int)new;
	return old;
}

static void no_halves(void)
{
	struct list_head *list = &init_mm.context.pgtable_list;

	list->next = list->prev = list;
	memset(half_pages, 0, sizeof(half_pages));
}

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

/* What the vmemmap has at an address, found by a walk of this file's own. NULL: it is not mapped. */
static unsigned char *vmemmap_at(unsigned long address)
{
	uint64_t table = world->root;

	for (unsigned type = world->root_type + 1; type-- > 0;) {
		unsigned shift = 20 + 11 * type;
		uint64_t entry = ((uint64_t *)(void *)(world->memory + table))[address >> shift & 2047];

		if (entry & 0x20)
			return NULL;
		if (entry & 0x400)
			return world->memory + (entry >> shift << shift) +
			       (address & ((1UL << shift) - 1));
		table = entry & (type ? ~0xfffUL : ~0x7ffUL);
	}
	table = ((uint64_t *)(void *)(world->memory + table))[address >> 12 & 255];
	return table & 0x400 ? NULL : world->memory + (table & ~0xfffUL) + (address & 0xfff);
}

/* How much of `size` bytes lies in the page of an address. */
static size_t in_page(unsigned long address, size_t size)
{
	size_t rest = PAGE_SIZE - (address & (PAGE_SIZE - 1));

	return size < rest ? size : rest;
}

static void *vmemmap_memset(void *at, int value, size_t size)
{
	unsigned long address = (unsigned long)at;

	for (size_t i = 0, count; i < size; i += count) {
		unsigned char *memory = vmemmap_at(address + i);

		count = in_page(address + i, size - i);
		world->fault |= !memory;
		if (memory)
			memset(memory, value, count);
	}
	world->marked += value ? size : 0;
	return at;
}

static void *vmemmap_memchr_inv(const void *at, int value, size_t size)
{
	unsigned long address = (unsigned long)at;

	for (size_t i = 0, count; i < size; i += count) {
		const unsigned char *memory = vmemmap_at(address + i);

		count = in_page(address + i, size - i);
		world->fault |= !memory;
		for (size_t k = 0; k < count; k++)
			if (!memory || memory[k] != value)
				return (void *)(address + i + k);
	}
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

static void begin(struct s390_world *on)
{
	world = on;
	init_mm.pgd = (pgd_t *)(world->memory + world->root);
	no_halves();
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
