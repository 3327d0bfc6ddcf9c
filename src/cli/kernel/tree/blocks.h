/* SPDX-License-Identifier: MIT */
/*
 * Among the kernel's functions, before those that let memory blocks go online and offline: what they
 * need. offline_pages() and online_pages() are not the kernel's: of what they do, the notifier that
 * arm64 has in the chain is asked, with the range that they are given.
 */
#undef pfn_to_page
#define pfn_to_page(pfn) (vmemmap + (pfn))

/* A section stands for its first page's number. */
#define __pfn_to_section(pfn) ((struct mem_section *)((uintptr_t)(pfn) << 1 | 1))
#define early_section(section) kc_is_early(((uintptr_t)(section) >> 1) << PAGE_SHIFT)
#define PA_SECTION_SHIFT SECTION_SIZE_BITS
#undef pr_warn
#undef pr_err
#define pr_warn(...) kc_print(__VA_ARGS__)
#define pr_err(...) kc_print(__VA_ARGS__)
#define KERN_WARNING ""
#ifndef BUILD_BUG_ON
#define BUILD_BUG_ON(x) ((void)sizeof(char[1 - 2 * !!(x)]))
#endif
#ifndef ALIGN_DOWN
#define ALIGN_DOWN(x, size) ((x) & ~((__typeof__(x))(size)-1))
#endif

struct mem_section;
struct notifier_block {
	int (*notifier_call)(struct notifier_block *nb, unsigned long action, void *data);
};
enum {
	MEM_OFFLINE,
	MEM_ONLINE,
	MEM_GOING_OFFLINE,
	MEM_GOING_ONLINE,
	MEM_CANCEL_ONLINE,
	MEM_CANCEL_OFFLINE,
	MEM_PREPARE_ONLINE,
	MEM_FINISH_OFFLINE,
};
#define NOTIFY_DONE 0
#define NOTIFY_OK 1
#define NOTIFY_STOP_MASK 0x8000
#define NOTIFY_BAD (NOTIFY_STOP_MASK | 2)
#define notifier_to_errno(ret) ((ret) & NOTIFY_STOP_MASK ? -EPERM : 0)

struct zone;
struct memory_group;
/* What drivers/base/memory.c uses of it, in any release. */
struct memory_block {
	unsigned long start_section_nr, state;
	int online_type, nid;
	struct zone *zone;
	struct vmem_altmap *altmap;
	unsigned long nr_vmemmap_pages;
	struct memory_group *group;
};
static unsigned long sections_per_block;

#ifndef EHWPOISON
#define EHWPOISON 133
#endif
#define memblk_nr_poison(block) 0
/* Zones are the library's. */
#define KC_ZONE ((struct zone *)8)
#define zone_for_pfn_range(...) KC_ZONE
#define page_zone(page) KC_ZONE
#define MIGRATE_UNMOVABLE 0
#define move_pfn_range_to_zone(...) ((void)0)
#define remove_pfn_range_from_zone(...) ((void)0)
#define adjust_present_page_count(...) ((void)0)
#define SetPageVmemmapSelfHosted(page) ((void)(page))
#define __ClearPageOffline(page) ((void)(page))
#define online_mem_sections(start, end) ((void)(end))
#define offline_mem_sections(start, end) ((void)(end))
#undef page_init_poison
#define page_init_poison(page, size) ((void)0)
#define kasan_add_zero_shadow(memory, size) (kc_shadow(kc_address(memory), (size) >> PAGE_SHIFT, true), 0)
#define kasan_remove_zero_shadow(memory, size) kc_shadow(kc_address(memory), (size) >> PAGE_SHIFT, false)
/* Of the chain nobody but arm64's notifier is asked, and it has nothing to say of these. */
#define memory_notify(action, arg) ((void)(arg), NOTIFY_OK)
