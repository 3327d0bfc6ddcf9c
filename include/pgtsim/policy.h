/* SPDX-License-Identifier: MIT */
/*
 * policy: what differs between kernels, as plain data. A profile is a row of knobs.
 *
 * Each knob names one decision of arch/arm64/mm/mmu.c, mm/sparse-vmemmap.c or
 * mm/memory_hotplug.c. A profile fills them all; single knobs may then be changed.
 */
#ifndef PGTSIM_POLICY_H
#define PGTSIM_POLICY_H

#include <pgtsim/geometry.h>

#ifdef __cplusplus
extern "C" {
#endif

/* When pass 1 invalidates the TLB. */
enum pgtsim_flush {
	PGTSIM_FLUSH_PER_LEAF,          /* after every leaf, one for each (5.7 to 6.1.170) */
	PGTSIM_FLUSH_PER_PAGE_OF_BLOCK, /* as range; a vmemmap block page by page (6.1.176) */
	PGTSIM_FLUSH_RANGE,             /* linear map: once for the range; vmemmap: once a leaf */
	PGTSIM_FLUSH_AT_END,            /* once for the range, freed memory included (s390) */
};

/* What is left of an operation that fails in the middle. */
enum pgtsim_failure {
	PGTSIM_ROLLBACK, /* nothing: everything is as it was */
	PGTSIM_KEEP,     /* what was done before the failure */
};

/* How vmemmap treats blocks that a range fills only in part. */
enum pgtsim_vmemmap_partial {
	PGTSIM_PARTIAL_CLEAR_ALL,    /* always blocks; freeing a part frees the block (5.7) */
	PGTSIM_PARTIAL_BASE_PAGES,   /* base pages for less than a section (2025, backported) */
	PGTSIM_PARTIAL_TRACK_UNUSED, /* always blocks; one goes when all unused (s390, x86) */
};

/* What track-unused marks when a memmap begins inside a block. */
enum pgtsim_mark_unused {
	PGTSIM_MARK_EXACT,     /* the part before it */
	PGTSIM_MARK_MISPLACED, /* as many bytes of the memmap itself (x86, until 2022) */
};

/* When no memory for a vmemmap block can be had. */
enum pgtsim_block_failure {
	PGTSIM_BLOCK_FAILURE_BASE_PAGES,
	PGTSIM_BLOCK_FAILURE_FAIL,
};

/* When the altmap has no room for a vmemmap block. */
enum pgtsim_altmap_full {
	PGTSIM_ALTMAP_IGNORED,    /* the altmap is never used (5.7) */
	PGTSIM_ALTMAP_FAIL,       /* -ENOMEM */
	PGTSIM_ALTMAP_BASE_PAGES, /* base pages of the altmap (5.14, 6.1) */
	PGTSIM_ALTMAP_REFUSED,    /* never used, and an add that has one is -EINVAL (s390 to 6.7) */
};

/* Which empty tables pass 2 frees. */
enum pgtsim_free_tables {
	PGTSIM_FREE_FLOOR_CEILING,
	PGTSIM_FREE_SKIP_WHEN_REGIONS_OVERLAP, /* none if its root entries hold another region */
	PGTSIM_FREE_NEVER,
	PGTSIM_FREE_KASAN_INVERTED, /* those in the KASAN shadow alone: a test turned round (s390) */
};

/* When an end of a range that goes offline lies inside a leaf or a contiguous group. */
enum pgtsim_leaf_split {
	PGTSIM_SPLIT_CUT,    /* the whole leaf goes: the neighbour loses its mapping */
	PGTSIM_SPLIT_REFUSE, /* going offline fails with -EPERM (7.1 on) */
	PGTSIM_SPLIT_FIRST,  /* s390 from 7.3 on: the removal splits a 2G leaf that it cuts */
};

/* Which bits that hardware does not look at s390's entries carry. */
enum pgtsim_s390_bits {
	PGTSIM_S390_BITS_6_12,
	PGTSIM_S390_BITS_7_3, /* present, read and write have bits of their own */
};

/* Which range leaf-split=refuse looks at the ends of, when memory goes offline. */
enum pgtsim_split_check {
	PGTSIM_SPLIT_CHECK_REQUEST,      /* the whole request's */
	PGTSIM_SPLIT_CHECK_BLOCK,        /* each memory block's */
	PGTSIM_SPLIT_CHECK_USABLE_PAGES, /* each block's, without the pages of its memmap (7.1 on) */
};

/* In which order pass 1 clears, invalidates and frees memory. */
enum pgtsim_free_order {
	PGTSIM_FREE_AFTER_INVALIDATE,
	PGTSIM_FREE_BEFORE_CLEAR, /* s390 */
};

/* When pass 2 frees a table whose entry it has cleared. */
enum pgtsim_table_free_order {
	PGTSIM_TABLE_FREE_AFTER_INVALIDATE,
	PGTSIM_TABLE_FREE_BEFORE_INVALIDATE, /* a walk cache may still hold it */
};

/* The constructor and destructor of table pages: what keeps NR_PAGETABLE. */
enum pgtsim_table_dtor {
	PGTSIM_TABLE_DTOR_NONE,    /* no constructor, so no destructor (to 6.15) */
	PGTSIM_TABLE_DTOR_SKIPPED, /* outside the vmemmap the constructor alone (6.16 on) */
	PGTSIM_TABLE_DTOR_CALLED,  /* outside the vmemmap both */
	PGTSIM_TABLE_DTOR_EVERY, /* every table's destructor; no constructor in the vmemmap (7.x) */
};

/* What pass 1 takes an entry for that is neither zero nor valid. */
enum pgtsim_invalid_leaf {
	PGTSIM_INVALID_LEAF_TABLE,  /* above the pte level for a table */
	PGTSIM_INVALID_LEAF_MARKED, /* for a leaf if it is marked by bit 11 (7.1 on) */
};

/* Where an add that fails after its memmap came from an altmap frees that memmap to. */
enum pgtsim_error_path {
	PGTSIM_ERROR_PATH_ALTMAP,
	PGTSIM_ERROR_PATH_PAGE_ALLOCATOR, /* 5.14 to 6.6; again 6.8 to early 2026 */
};

/* The memmap of a boot section when a device's part of that section is removed. */
enum pgtsim_early_memmap {
	PGTSIM_EARLY_MEMMAP_SHARED, /* stays: it serves the whole section */
	PGTSIM_EARLY_MEMMAP_FREED,
};

/* Whether a notifier keeps boot memory from going offline. */
enum pgtsim_boot_guard {
	PGTSIM_BOOT_GUARD_ON,
	PGTSIM_BOOT_GUARD_OFF,
};

/* Whether memmap on memory looks at the sizes first. */
enum pgtsim_mom_check {
	PGTSIM_MOM_CHECK_FULL,
	PGTSIM_MOM_CHECK_NONE,
};

/* Whether memmap pages are set up and torn down with the hotplug lock held. */
enum pgtsim_mom_lock {
	PGTSIM_MOM_LOCK_HELD,
	PGTSIM_MOM_LOCK_NOT_HELD, /* 5.14 to 6.6 */
};

/* A pmd or pud block where a table already stands. */
enum pgtsim_block_over_table {
	PGTSIM_OVER_TABLE_SKIP, /* maps nothing there, silently (to 6.12) */
	PGTSIM_OVER_TABLE_FILL, /* the next smaller leaves (7.3) */
};

/* Which contiguous groups of blocks get the hint, if a mapping covers them whole. */
enum pgtsim_cont_group {
	PGTSIM_CONT_GROUP_ANY,   /* those that hold a table too: on their other entries (to 6.12) */
	PGTSIM_CONT_GROUP_WHOLE, /* those of which every entry is a block (7.x) */
};

/* What a CPU with bbm=3 changes for hot-added memory. */
enum pgtsim_hot_add_leaves {
	PGTSIM_HOT_ADD_AS_TOLD,     /* nothing: struct pgtsim_hotplug_config says what is used */
	PGTSIM_HOT_ADD_BBM3_BLOCKS, /* blocks and contiguous groups, whatever that says (6.18 on) */
};

/* Whether leaves of live mappings are split, and blocks changed, when attributes change. */
enum pgtsim_live_split {
	PGTSIM_LIVE_SPLIT_NEVER, /* only ptes change, with barriers after each (to 6.12) */
	PGTSIM_LIVE_SPLIT_BBM3,  /* on a CPU with bbm=3, with barriers at the end (6.18 on) */
};

/* Whose aliases in the linear map set_memory_ro() and set_memory_rw() change, with rodata=full. */
enum pgtsim_alias_change {
	PGTSIM_ALIAS_CHANGE_AREA, /* those of the whole vmalloc area (to 6.18) */
	PGTSIM_ALIAS_CHANGE_PART, /* those of the part that changes (6.19 on; read in 7.2.12) */
};

/* Barriers between zeroing a new table of the vmemmap and linking it. */
enum pgtsim_vmemmap_publish {
	PGTSIM_VMEMMAP_PUBLISH_NONE, /* 5.7 to 7.3.4 */
	PGTSIM_VMEMMAP_PUBLISH_DSB,  /* DSB ISHST, as for tables of the linear map */
};

/* Whether removing a memmap unmaps it: on arm64. */
enum pgtsim_free_mapped {
	PGTSIM_FREE_MAPPED_ALWAYS,
	PGTSIM_FREE_MAPPED_NEVER, /* it stays as it is, and the next add finds it (to 5.6) */
};

/* When the usage map of a section that is removed is freed. */
enum pgtsim_usage_map {
	PGTSIM_USAGE_MAP_AT_ONCE,      /* pfn_to_online_page() may be reading it */
	PGTSIM_USAGE_MAP_GRACE_PERIOD, /* its pointer is cleared, then RCU readers end first (6.8 on) */
};

/* What adding memory outside the linear map returns. */
enum pgtsim_add_outside {
	PGTSIM_ADD_OUTSIDE_EINVAL, /* -EINVAL (to 5.11) */
	PGTSIM_ADD_OUTSIDE_E2BIG,  /* -E2BIG (5.12 on) */
	PGTSIM_ADD_OUTSIDE_ERANGE, /* -ERANGE (s390 to 5.11) */
};

/* The order of memory types in MAIR_EL1, and whether hot-added memory is tagged. */
enum pgtsim_memory_types {
	PGTSIM_MEMORY_TYPES_5_7,         /* normal 4, device 1 */
	PGTSIM_MEMORY_TYPES_5_10,        /* normal 0, device 5 */
	PGTSIM_MEMORY_TYPES_5_12,        /* normal 0, tagged 1, device 4 */
	PGTSIM_MEMORY_TYPES_5_10_TAGGED, /* normal 0, tagged 1, device 5: 5.10.y of 2021 on */
};

/* Attributes of a vmemmap block besides those that every leaf has. */
enum pgtsim_vmemmap_block_attrs {
	PGTSIM_VMEMMAP_BLOCK_PLAIN,    /* no DBM (to 6.1) */
	PGTSIM_VMEMMAP_BLOCK_WRITABLE, /* DBM (6.6 on) */
	PGTSIM_VMEMMAP_BLOCK_KERNEL,   /* DBM and dirty: PAGE_KERNEL (7.x) */
};

/* When a flush of a kernel range becomes one invalidate-all. */
enum pgtsim_flush_all {
	PGTSIM_FLUSH_ALL_ABOVE, /* more than PTRS_PER_PTE pages */
	PGTSIM_FLUSH_ALL_FROM,  /* PTRS_PER_PTE pages or more */
};

/* The barriers around table and leaf stores. */
enum pgtsim_barriers {
	PGTSIM_BARRIERS_EVERY_LEAF, /* after each pte and block; none for the root (to 6.1) */
	PGTSIM_BARRIERS_DEFERRED,   /* none for linear ptes; for the root too (6.12 on) */
};

/* The rules for memmap on memory. */
enum pgtsim_mom_rule {
	PGTSIM_MOM_NONE, /* not there yet */
	PGTSIM_MOM_5_14, /* one block; refused if a condition is not met */
	PGTSIM_MOM_6_6,  /* one block; an ordinary add if a condition is not met */
	PGTSIM_MOM_6_8,  /* one altmap a block */
};

/* Attribute sets of a leaf. */
enum pgtsim_prot {
	PGTSIM_PROT_TAGGED, /* PAGE_KERNEL_TAGGED: hot-added memory */
	PGTSIM_PROT_KERNEL, /* PAGE_KERNEL: memory of a device */
	PGTSIM_PROT_RO,
	PGTSIM_PROT_RX,
	PGTSIM_PROT_DEVICE, /* nGnRE */
	PGTSIM_PROT_COUNT,
};

/* All knobs. Set them one by one, by name, or from a profile. */
struct pgtsim_policy {
	const char *profile; /* the row it came from, a constant string; never NULL */

	uint8_t flush;            /* enum pgtsim_flush */
	uint8_t flush_all;        /* enum pgtsim_flush_all */
	uint8_t map_failure;      /* enum pgtsim_failure */
	uint8_t populate_failure; /* enum pgtsim_failure */
	uint8_t add_failure;      /* enum pgtsim_failure */
	uint8_t vmemmap_partial;  /* enum pgtsim_vmemmap_partial */
	uint8_t mark_unused;      /* enum pgtsim_mark_unused */
	uint8_t block_failure;    /* enum pgtsim_block_failure */
	uint8_t altmap_full;      /* enum pgtsim_altmap_full */
	uint8_t free_tables;      /* enum pgtsim_free_tables */
	uint8_t leaf_split;       /* enum pgtsim_leaf_split */
	uint8_t free_order;       /* enum pgtsim_free_order */
	uint8_t table_free_order; /* enum pgtsim_table_free_order */
	uint8_t table_dtor;       /* enum pgtsim_table_dtor */
	uint8_t invalid_leaf;     /* enum pgtsim_invalid_leaf */
	uint8_t block_over_table; /* enum pgtsim_block_over_table */
	uint8_t error_path;       /* enum pgtsim_error_path */
	uint8_t early_memmap;     /* enum pgtsim_early_memmap */
	uint8_t boot_guard;       /* enum pgtsim_boot_guard */
	uint8_t mom_check;        /* enum pgtsim_mom_check */
	uint8_t mom_lock;         /* enum pgtsim_mom_lock */
	uint8_t barriers;         /* enum pgtsim_barriers */
	uint8_t layout;           /* enum pgtsim_layout_rule */
	uint8_t memmap_on_memory; /* enum pgtsim_mom_rule */

	bool lpa2;             /* 4K and 16K with 52 bits exist */
	bool tlbi_range;       /* TLB range operations serve kernel ranges */
	bool flush_rounds_out; /* a flush rounds its range outwards to pages (7.3) */
	bool oa_keeps_49_48;   /* see struct pgtsim_geometry */
	bool cont_rewrite;     /* a live contiguous entry may be written again as it is (7.3) */

	/* Attribute bits include SH, which LPA2 lacks, but not bits 1:0 or the contiguous bit. */
	uint64_t prot[PGTSIM_PROT_COUNT]; /* attribute bits of linear-map leaves */
	uint64_t vmemmap_page;            /* attribute bits of a vmemmap page */
	uint64_t vmemmap_block;
	uint64_t linear_table;  /* bits of its new tables, without 1:0 and the address */
	uint64_t vmemmap_table; /* the same for the vmemmap */

	uint8_t memory_types;        /* enum pgtsim_memory_types; prot[] and vmemmap_… follow */
	uint8_t vmemmap_block_attrs; /* enum pgtsim_vmemmap_block_attrs; vmemmap_block follows */
	bool clean_leaves;       /* the kernel's leaves lack software's dirty bit (5.10 to 2025) */
	bool table_noexec;       /* new tables forbid execution (5.13); …_table follow */
	bool table_af;           /* new tables carry AF (6.18); …_table follow */
	uint8_t split_check;     /* enum pgtsim_split_check */
	uint8_t cont_group;      /* enum pgtsim_cont_group */
	uint8_t hot_add_leaves;  /* enum pgtsim_hot_add_leaves */
	uint8_t vmemmap_publish; /* enum pgtsim_vmemmap_publish */
	uint8_t add_outside;     /* enum pgtsim_add_outside */
	uint8_t live_split;      /* enum pgtsim_live_split */
	uint8_t s390_bits;       /* enum pgtsim_s390_bits */
	bool leaf_at_zero;       /* large leaves may map address 0 (s390 from 6.1 on) */
	uint8_t usage_map;       /* enum pgtsim_usage_map */
	uint8_t free_mapped;     /* enum pgtsim_free_mapped */
	bool half_page_tables;   /* two page tables share a page (s390 up to 6.6) */
	uint8_t alias_change;    /* enum pgtsim_alias_change */
	bool huge_areas_refused; /* set_memory_*() takes no area with huge mappings (6.18 on) */
	bool vmalloc_batched;    /* vmalloc has barriers once a table, and groups (6.18 on) */
	uint8_t reserved[13];    /* 0; for knobs to come */
};

/* A knob that has a name: `key=value` in scenarios. */
struct pgtsim_knob {
	const char *name;
	const char *const *values; /* names in the order of the enum, NULL at the end */
	const char *meaning;       /* one line */
	size_t offset;             /* of the uint8_t in struct pgtsim_policy */
	unsigned formats;          /* whose it is: 1 << enum pgtsim_format, or both */
	const char *only_s390;     /* a value that no kernel of arm64 has; NULL: there is none */
};

/* The named knobs; *count receives their number. The table is constant. */
PGTSIM_API const struct pgtsim_knob *pgtsim_knobs(size_t *count);

/* A profile is a row: another one and what differs from it. */
struct pgtsim_profile {
	const char *name;    /* "linux-6.1" */
	const char *base;    /* the row it starts from; NULL: all knobs have their first value */
	const char *changes; /* knobs that differ from it: "flush=range boot-guard=on" */
	const char *release; /* the stable release that it describes: "6.1.192" */
	const char *summary; /* what is new in it, in half a line */
};

/* arm64's profiles, oldest first, then "latest"; *count receives their number. Constant. */
PGTSIM_API const struct pgtsim_profile *pgtsim_profile_rows(size_t *count);

/* The profiles' names in the same order; NULL at the end. The table is constant. */
PGTSIM_API const char *const *pgtsim_profiles(void);

/* The names of the profiles of a format; NULL at the end. NULL if there is no such format. */
PGTSIM_API const char *const *pgtsim_profiles_of(enum pgtsim_format format);

/*
 * What releases do wrong, by the rules of the architecture or by their own intent. A policy has a
 * weakness if its knob has that value.
 */
enum pgtsim_weakness_name {
	PGTSIM_W_STALE_GROUP,
	PGTSIM_W_PAGE_BY_PAGE,
	PGTSIM_W_LEAF_CUT,
	PGTSIM_W_SHARED_BLOCK,
	PGTSIM_W_ALTMAP_ERROR_PATH,
	PGTSIM_W_MEMMAP_LOCK,
	PGTSIM_W_LONE_HINT,
	PGTSIM_W_TABLE_NOT_DESTROYED,
	PGTSIM_W_TABLE_NOT_CONSTRUCTED,
	PGTSIM_W_INVALID_BLOCK,
	PGTSIM_W_UNPUBLISHED_TABLE,
	PGTSIM_W_MEMMAP_OFFLINE,
	PGTSIM_W_BLOCK_OFFLINE,
	PGTSIM_W_USAGE_MAP,
	PGTSIM_W_COUNT,
};

struct pgtsim_weakness {
	const char *name;         /* "memmap-offline" */
	const char *knob, *value; /* the choice that is the weakness */
	const char *releases;     /* "7.1 and later" */
	const char *text;         /* what goes wrong, in a sentence without its stop */
	const char *remedy;       /* what would be right, likewise */
};

/* The weaknesses by enum pgtsim_weakness_name, PGTSIM_W_COUNT of them. The table is constant. */
PGTSIM_API const struct pgtsim_weakness *pgtsim_weaknesses(void);

/* Fills a policy from a profile ("linux-6.1", "latest"). Returns 0 or -ENOENT (no such name). */
PGTSIM_API int pgtsim_policy_init(struct pgtsim_policy *policy, const char *profile);

/* Sets one knob by name. Returns 0, -ENOENT (no such knob) or -EINVAL (no such value). */
PGTSIM_API int pgtsim_policy_set(struct pgtsim_policy *policy, const char *knob, const char *value);

/* The name of a knob's value; NULL if there is no such knob, or its field holds no such value. */
PGTSIM_API const char *pgtsim_policy_get(const struct pgtsim_policy *policy, const char *knob);

/* Whether a kernel that behaves so has this weakness. */
PGTSIM_API bool pgtsim_policy_has_weakness(const struct pgtsim_policy *policy,
					   enum pgtsim_weakness_name weakness);

/*
 * With KPTI the kernel's own leaves are not global: sets nG in prot[], vmemmap_page and
 * vmemmap_block. The kernel decides that by CPU and command line, whatever the release.
 */
PGTSIM_API void pgtsim_policy_kpti(struct pgtsim_policy *policy);

#ifdef __cplusplus
}
#endif

#endif
