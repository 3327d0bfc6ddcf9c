/* SPDX-License-Identifier: MIT */
/*
 * What the kernel's page-table code needs of the rest of the kernel, for a build on the host.
 *
 * Types and configuration are as on arm64. What touches the machine ends in world.h: stores,
 * barriers, invalidates, pages. Locks, caches, KASAN, MTE and statistics do nothing; WARN()
 * counts, BUG() ends the operation.
 */
#ifndef KC_SHIM_H
#define KC_SHIM_H

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "world.h"

/* ---- types ---- */

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef unsigned long u64; /* printed with %lx */
typedef int64_t s64;
typedef unsigned long phys_addr_t;
typedef unsigned gfp_t;
typedef unsigned long pgoff_t;
typedef unsigned cydp_t;

struct page {
	unsigned char bytes[KC_STRUCT_PAGE];
};
typedef struct page *pgtable_t;
struct folio {
	struct page page;
};
typedef struct {
	unsigned long val;
} swp_entry_t;
struct vm_area_struct;
struct vm_fault;
struct file;

/* ---- configuration ---- */

#define CONFIG_ARM64_VA_BITS KC_VA_BITS
#define CONFIG_ARM64_PA_BITS KC_PA_BITS
#define CONFIG_PGTABLE_LEVELS (((KC_VA_BITS)-4) / ((KC_PAGE_SHIFT)-3))
#if KC_VA_BITS == 52
#define CONFIG_ARM64_VA_BITS_52 1
#endif
#if KC_PA_BITS == 52
#define CONFIG_ARM64_PA_BITS_52 1
#endif
#if KC_PAGE_SHIFT == 12
#define CONFIG_ARM64_4K_PAGES 1
#define CONFIG_ARM64_CONT_PTE_SHIFT 4
#define CONFIG_ARM64_CONT_PMD_SHIFT 4
#define ARM64_KERNEL_USES_PMD_MAPS 1
#elif KC_PAGE_SHIFT == 14
#define CONFIG_ARM64_16K_PAGES 1
#define CONFIG_ARM64_CONT_PTE_SHIFT 7
#define CONFIG_ARM64_CONT_PMD_SHIFT 5
#define ARM64_KERNEL_USES_PMD_MAPS 0
#else
#define CONFIG_ARM64_64K_PAGES 1
#define CONFIG_ARM64_CONT_PTE_SHIFT 5
#define CONFIG_ARM64_CONT_PMD_SHIFT 5
#define ARM64_KERNEL_USES_PMD_MAPS 0
#endif
#if KC_VA_BITS == 52 && KC_PAGE_SHIFT != 16
#define CONFIG_ARM64_LPA2 1
#endif
/* The name that it had up to 5.16. */
#define ARM64_SWAPPER_USES_SECTION_MAPS ARM64_KERNEL_USES_PMD_MAPS
#define CONFIG_MMU 1
#define CONFIG_MEMORY_HOTPLUG 1
#define CONFIG_SPARSEMEM_VMEMMAP 1

/* IS_ENABLED(): 1 for a macro defined as 1, 0 for one that is not defined. */
#define KC_SECOND(a, b, ...) b
#define KC_ONE_1 0, 1
#define KC_ENABLED_(x) KC_SECOND(x, 0, 0)
#define KC_ENABLED(x) KC_ENABLED_(KC_ONE_##x)
#define KC_EXPAND(x) KC_ENABLED(x)
#define IS_ENABLED(x) KC_EXPAND(x)

/* ---- words of the language ---- */

#define __init
#define __meminit
#define __meminitdata
#define __bitwise
#define __ref
#define __weak static __attribute__((unused))
#define noinstr
#define __force
#define __pure
#define __always_unused __attribute__((unused))
#define __maybe_unused __attribute__((unused))
#define __always_inline inline
#define likely(x) (x)
#define unlikely(x) (x)
#define _AC(x, suffix) KC_PASTE(x, suffix)
#define KC_PASTE(x, suffix) x##suffix
#define _AT(type, x) ((type)(x))
#define UL(x) KC_PASTE(x, UL)
#define BIT(n) (1UL << (n))
#define GENMASK(high, low) ((~0UL << (low)) & (~0UL >> (63 - (high))))
#define GENMASK_ULL(high, low) GENMASK(high, low)
#define FIELD_GET(mask, value) (((value) & (mask)) / ((mask) & -(mask)))
#define BITS_PER_LONG 64
#define ALIGN(x, size) (((x) + (size)-1) & ~((size)-1))
#define PTR_ALIGN_DOWN(p, size) ((__typeof__(p))((uintptr_t)(p) & ~((uintptr_t)(size)-1)))
#define min(a, b) ((a) < (b) ? (a) : (b))
#define SZ_4K 0x00001000
#define SZ_16K 0x00004000
#define SZ_2M 0x00200000
#define SZ_8M 0x00800000
#define SZ_16M 0x01000000
#define SZ_32M 0x02000000
#define SZ_64K 0x00010000
#define SZ_128M 0x08000000
#define SZ_256M 0x10000000
#define SZ_1G 0x40000000
#define SZ_2G 0x80000000
#define find_first_bit(word, bits) ((unsigned long)__builtin_ctzl(*(word)))

/* ---- the machine ---- */

/* Before a plain load of an entry: extract.py puts it there. */
#define KC_SEEN(entry)                            \
	({                                        \
		__typeof__(entry) kc_at = (entry); \
		kc_load(kc_at);                   \
		kc_at;                            \
	})
#define READ_ONCE(x) (kc_load(&(x)), *(const volatile __typeof__(x) *)&(x))
#if KC_BARE
#define WRITE_ONCE(x, value) ((void)(*(volatile __typeof__(x) *)&(x) = (value)))
#else
#define WRITE_ONCE(x, value)                                  \
	do {                                                  \
		__typeof__(x) kc_value = (value);             \
		uint64_t kc_bits;                             \
		memcpy(&kc_bits, &kc_value, sizeof(kc_bits)); \
		kc_store(&(x), kc_bits);                      \
	} while (0)
#endif
/* What is empty and stays so is no store. */
#define xchg_relaxed(p, value)                                      \
	({                                                          \
		__typeof__(*(p)) kc_old = *(p), kc_new = (value);   \
		if (kc_old || kc_new)                               \
			WRITE_ONCE(*(p), kc_new);                   \
		kc_old;                                             \
	})
#define cmpxchg_relaxed(p, old, value)                        \
	({                                                    \
		__typeof__(*(p)) kc_was = READ_ONCE(*(p));    \
		if (kc_was == (old))                          \
			WRITE_ONCE(*(p), value);              \
		kc_was;                                       \
	})

#define dsb(domain) kc_note(KC_DSB_##domain, 0)
#define KC_DSB_ishst KC_DSB_ISHST
#define KC_DSB_ish KC_DSB_ISH
#define KC_DSB_nsh KC_DSB_NSH
#define KC_DSB_nshst KC_DSB_NSH
#define KC_DSB_ishld KC_DSB_ISHLD
#define KC_DSB_sy KC_DSB_SY
#define dmb(domain) kc_note(KC_DMB_##domain, 0)
#define KC_DMB_ishst KC_DMB_ISHST
#define KC_DMB_ish KC_DMB_ISH
#define KC_DMB_ishld KC_DMB_ISHLD
#define smp_wmb() dmb(ishst)
#define smp_mb() dmb(ish)
#define smp_rmb() dmb(ishld)
#define wmb() dsb(sy)
#define mb() dsb(sy)
#define barrier() __asm__ volatile("" ::: "memory")
#define isb() kc_note(KC_ISB, 0)
#define __tlbi(op, ...) kc_tlbi_##op(__VA_ARGS__)
#define __repeat_tlbi_sync(op, arg) ((void)0)
/* The operand is VA[55:12]. */
#define KC_TLBI_VA(operand) ((uint64_t)(operand) << 12 | UINT64_C(0xff) << 56)
#define kc_tlbi_vaale1is(operand) kc_note(KC_TLBI_LEAF, KC_TLBI_VA(operand))
#define kc_tlbi_vaae1is(operand) kc_note(KC_TLBI_WALK, KC_TLBI_VA(operand))
#define kc_tlbi_vmalle1is() kc_note(KC_TLBI_ALL, 0)
#define kc_tlbi_vaale1(operand) kc_note(KC_TLBI_LEAF_LOCAL, KC_TLBI_VA(operand))
#define kc_tlbi_vaae1(operand) kc_note(KC_TLBI_WALK_LOCAL, KC_TLBI_VA(operand))
#define kc_tlbi_vmalle1() kc_note(KC_TLBI_ALL_LOCAL, 0)

/* From 6.13 on: a range operation is noted as what it covers, not as its operand. */
typedef unsigned tlbf_t;
typedef void (*tlbi_op)(u64 operand);
static inline void rvaale1is(u64 operand)
{
}
/* Those of this CPU alone, which a patch may use. */
static inline void rvaale1(u64 operand)
{
}
static inline void vaale1(u64 operand)
{
	__tlbi(vaale1, operand);
}
#define __tlbi_level_asid(op, addr, level, asid) op(__TLBI_VADDR(addr, asid))
#define __tlbi_range(op, addr, asid, scale, num, level, lpa2) \
	kc_note_range((op) == rvaale1, addr, (uint64_t)__TLBI_RANGE_PAGES(num, scale) << PAGE_SHIFT)
#define round_down(x, size) ((x) & ~((size)-1))
#define round_up(x, size) ALIGN(x, size)
#define system_supports_tlb_range() kc_world.tlbi_range

/* Lazy MMU mode: barriers wait for its end. */
#define is_lazy_mmu_mode_active() kc_task->lazy
#define TIF_LAZY_MMU_PENDING 0
#define test_thread_flag(flag) kc_task->pending
#define set_thread_flag(flag) ((void)(kc_task->pending = true))

static inline bool kc_take_pending(void)
{
	bool pending = kc_task->pending;

	kc_task->pending = false;
	return pending;
}
#define test_and_clear_thread_flag(flag) kc_take_pending()
#define lazy_mmu_mode_enable() ((void)(kc_task->lazy = true))
#define lazy_mmu_mode_disable()             \
	do {                                \
		kc_task->lazy = false;      \
		arch_flush_lazy_mmu_mode(); \
	} while (0)

static unsigned kc_va_actual;
static bool kc_lpa2;
static s64 memstart_addr;
#define TCR_EL1_DS (1UL << 59)
#define vabits_actual ((u64)kc_va_actual)
#define read_tcr() ((u64)(64 - kc_va_actual) << 16 | (u64)kc_lpa2 << 59)
#define alternative_has_cap_likely(cap) 0
#define alternative_has_cap_unlikely(cap) 0

#define WARN_ON(x)                 \
	({                         \
		bool kc_x = !!(x); \
		kc_warn(kc_x, __FILE__, __LINE__); \
		kc_x;              \
	})
#define WARN_ON_ONCE(x) WARN_ON(x)
#define WARN(x, ...) WARN_ON(x)
#define BUG_ON(x) kc_bug(!!(x), __FILE__, __LINE__)
#define BUG() kc_bug(true, __FILE__, __LINE__)
#define BUILD_BUG() BUG()
#define VM_BUG_ON(x) ((void)0)
#define VM_WARN_ONCE(x, ...) ((void)(x))
#define VM_WARN_ON(x) ((void)(x))
#define VM_WARN_ON_ONCE(x) ((void)(x))
#define pr_warn_once(...) ((void)0)
#define pr_debug(...) ((void)0)
#define pr_err(...) ((void)0)
#define warn_alloc(...) ((void)0)

/* ---- pages ---- */

#define PAGE_SHIFT KC_PAGE_SHIFT
#define PAGE_SIZE (1UL << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define PAGE_ALIGN(x) ALIGN(x, PAGE_SIZE)
#define STRUCT_PAGE_MAX_SHIFT 6
#define SECTION_SIZE_BITS KC_SECTION_BITS
#define IS_ALIGNED(x, size) (!((x) & ((size)-1)))
#define PHYS_PFN(pa) __phys_to_pfn(pa)
#define PFN_PHYS(pfn) __pfn_to_phys(pfn)
#define __phys_to_pfn(pa) ((unsigned long)(pa) >> PAGE_SHIFT)
#define __pfn_to_phys(pfn) ((phys_addr_t)(pfn) << PAGE_SHIFT)
/* Struct pages are never looked at: their addresses stand for frame numbers. */
#define pfn_to_page(pfn) ((struct page *)((unsigned long)(pfn)*64))
#define page_to_pfn(page) ((unsigned long)(page) / 64)
#define phys_to_page(pa) pfn_to_page(__phys_to_pfn(pa))
#define page_to_phys(page) __pfn_to_phys(page_to_pfn(page))
#define page_address(page) kc_memory(page_to_phys(page))
#define page_to_virt(page) page_address(page)
#define virt_to_page(memory) phys_to_page(kc_address(memory))
#define PageReserved(page) 0
#define get_page(page) ((void)(page))
/* In the headers: where a descriptor's table is. hooks.h changes that. */
#if KC_BARE
#define __va(pa) ((void *)(kc_world.ram + ((pa)-kc_world.ram_start)))
#else
#define __va(pa) kc_table(pa)
#endif
#define __pa(memory) kc_address((const void *)(memory))
#define clear_page(memory) memset(memory, 0, PAGE_SIZE)
#define get_order(size) ((unsigned)__builtin_ctzl((size) >> PAGE_SHIFT))

#define GFP_KERNEL 0
#define GFP_PGTABLE_KERNEL 0
#define GFP_PGTABLE_USER 0
#define __GFP_ZERO 0
#define __GFP_RETRY_MAYFAIL 0
#define __GFP_NOWARN 0
#define MAX_DMA_ADDRESS 0
#define NUMA_NO_NODE (-1)
#define LOCAL_DISTANCE 10
#define node_distance(a, b) LOCAL_DISTANCE
#define early_pfn_to_nid(pfn) ((void)(pfn), 0)
#define slab_is_available() true
#define __earlyonly_bootmem_alloc(node, size, align, goal) NULL
#define sparse_buffer_alloc(size) NULL

static inline struct page *alloc_pages_node(int node, gfp_t gfp, unsigned order)
{
	uint64_t pa = kc_alloc(order, false);

	return pa ? phys_to_page(pa) : NULL;
}

static inline unsigned long __get_free_page(gfp_t gfp)
{
	uint64_t pa;

	kc_next_is_table();
	pa = kc_alloc(0, true);
	return pa ? (unsigned long)kc_memory(pa) : 0;
}
#define get_zeroed_page(gfp) __get_free_page(gfp)

static inline void free_pages(unsigned long memory, unsigned order)
{
	kc_free(kc_address((void *)memory), order);
}
#define free_page(memory) free_pages(memory, 0)
#define __free_pages(page, order) kc_free(page_to_phys(page), order)

/* A struct ptdesc is the struct page of a table; of its constructor only the count is kept. */
struct ptdesc {
	struct page page;
};
#define ptdesc_page(ptdesc) (&(ptdesc)->page)
#define page_ptdesc(page) ((struct ptdesc *)(page))

static inline struct ptdesc *pagetable_alloc(gfp_t gfp, unsigned order)
{
	uint64_t pa;

	kc_next_is_table();
	pa = kc_alloc(order, true);
	return pa ? page_ptdesc(phys_to_page(pa)) : NULL;
}
#define pagetable_pte_ctor(mm, ptdesc) (kc_construct(page_to_phys(ptdesc_page(ptdesc))), true)
#define pagetable_pmd_ctor(mm, ptdesc) pagetable_pte_ctor(mm, ptdesc)
#define pagetable_pud_ctor(ptdesc) pagetable_pte_ctor(NULL, ptdesc)
#define pagetable_p4d_ctor(ptdesc) pagetable_pte_ctor(NULL, ptdesc)
#define pagetable_dtor(ptdesc) kc_destruct(page_to_phys(ptdesc_page(ptdesc)))

#define __pud_free(mm, pud) free_page((unsigned long)(pud))

/* ---- the rest of the kernel ---- */

struct kc_count {
	int value;
};
#define atomic_read(count) ((count)->value)
struct mm_struct {
	void *pgd;
	struct kc_count mm_users;
};
struct task_struct {
	struct mm_struct *active_mm;
};
static struct task_struct kc_current;
#define current (&kc_current)
static struct mm_struct init_mm;

/* The root table, where the kernel's headers declare an array. */
#define swapper_pg_dir (*kc_root)

#define SYSTEM_BOOTING 0
#define system_state 1
#define virt_to_phys(memory) kc_address(memory)
#define is_power_of_2(x) ((x) && !((x) & ((x)-1)))
#define cond_resched() ((void)0)

/* ---- locks: known by what the source calls them ---- */

#define mutex_lock(lock) kc_lock(#lock)
#define mutex_unlock(lock) kc_unlock(#lock)
#define spin_lock(lock) kc_lock(#lock)
#define spin_unlock(lock) kc_unlock(#lock)
#define spin_lock_irqsave(lock, flags) ((void)((flags) = 0), kc_lock(#lock))
#define spin_unlock_irqrestore(lock, flags) kc_unlock(#lock)
#define down_read(lock) kc_lock(#lock)
#define up_read(lock) kc_unlock(#lock)
#define down_write(lock) kc_lock(#lock)
#define up_write(lock) kc_unlock(#lock)
#define mem_hotplug_begin() kc_lock("mem_hotplug_lock")
#define mem_hotplug_done() kc_unlock("mem_hotplug_lock")
#define get_online_mems() kc_lock("mem_hotplug_lock")
#define put_online_mems() kc_unlock("mem_hotplug_lock")
#define mmap_read_lock(mm) kc_lock("mmap_lock")
#define mmap_read_unlock(mm) kc_unlock("mmap_lock")
#define mmap_write_lock(mm) kc_lock("mmap_lock")
#define mmap_write_unlock(mm) kc_unlock("mmap_lock")
#define mmap_write_lock_nested(mm, depth) mmap_write_lock(mm)
#define SINGLE_DEPTH_NESTING 1
#define lockdep_assert_held(lock) WARN_ON(!kc_holds(#lock))
#define mmap_assert_write_locked(mm) WARN_ON(!kc_holds("mmap_lock"))
#define mmap_assert_locked(mm) WARN_ON(!kc_holds("mmap_lock"))
/* guard(mutex)(&lock), to the end of the block; scoped_guard(mutex, &lock) of the next statement. */
struct kc_guard {
	const char *name;
	bool done;
};
static inline struct kc_guard kc_begin_guard(const char *name)
{
	kc_lock(name);
	return (struct kc_guard){ name, false };
}
static inline void kc_end_guard(struct kc_guard *guard)
{
	kc_unlock(guard->name);
}
#define KC_GUARD(name) \
	struct kc_guard kc_guard __attribute__((cleanup(kc_end_guard), unused)) = kc_begin_guard(name)
#define KC_SCOPE(name) for (KC_GUARD(name); !kc_guard.done; kc_guard.done = true)
#define KC_GUARD_mutex(lock) KC_GUARD(#lock)
#define KC_GUARD_spinlock(lock) KC_GUARD(#lock)
#define scoped_guard(kind, lock) KC_SCOPE(#lock)
#define KC_TRIED_mmap_read_lock_try(mm) "mmap_lock"
#define KC_TRIED_mutex_try(lock) #lock
#define guard(kind) KC_GUARD_##kind

/* A fixmap slot is the memory itself; the maintenance of the slot is not shown. */
enum kc_slot { FIX_PGD, FIX_P4D, FIX_PUD, FIX_PMD, FIX_PTE };
#define set_fixmap_offset(slot, pa) \
	((unsigned long)kc_fixmap(slot, pa, (slot) == FIX_PGD ? KC_PGD_LOCK : KC_FIXMAP_LOCK))
#define clear_fixmap(slot) ((void)kc_fixmap(slot, 0, NULL))
#define __pa_symbol(symbol) kc_address(symbol)

/* What decides whether hot-added memory is mapped by pages, from 6.18 on. */
static bool kc_blocks;
#define rodata_full (!kc_blocks)
#define can_set_direct_map() (!kc_blocks)
#define debug_pagealloc_enabled() false
#define arm64_kfence_can_set_direct_map() false
#define is_realm_world() false
#define system_capabilities_finalized() true
#define system_supports_bbml3() kc_world.bbm3
#define cpu_supports_bbml3() kc_world.bbm3
#define system_supports_bbml2_noabort() kc_world.bbm3
#define cpu_supports_bbml2_noabort() kc_world.bbm3

#define system_supports_mte() false
#define system_supports_poe() false
#define system_supports_bti_kernel() false
#define cpu_has_hw_af() true
static bool arm64_use_ng_mappings;
#define mte_sync_tags(...) ((void)0)
#define mm_tlb_flush_pending(mm) false
#define page_table_check_pte_set(...) ((void)0)
#define page_table_check_ptes_set(...) ((void)0)
#define page_table_check_pmd_set(...) ((void)0)
#define page_table_check_pud_set(...) ((void)0)
#define page_table_check_pte_clear(...) ((void)0)
#define page_table_check_pmd_clear(...) ((void)0)
#define page_table_check_pud_clear(...) ((void)0)
#define page_table_check_pmds_set(...) ((void)0)
#define page_table_check_puds_set(...) ((void)0)
#define __sync_icache_dcache KC_LOCAL(sync_icache_dcache)
#define flush_cache_vmap(start, end) ((void)0)
#define read_sysreg_s(reg) 0
#define SYS_POR_EL0 0
#define por_elx_allows_write(por, key) true
#define por_elx_allows_exec(por, key) true
#define por_elx_allows_read(por, key) true
#define CYDP_CLEAR_YOUNG 1
#define CYDP_CLEAR_DIRTY 2
#define flush_tlb_page_nosync(...) ((void)0)
#define flush_tlb_page(...) ((void)0)
#define ARCH_PAGE_TABLE_SYNC_MASK 0
#define PGTBL_PGD_MODIFIED 0
#define PGTBL_P4D_MODIFIED 0
#define arch_sync_kernel_mappings(...) ((void)0)

#endif
