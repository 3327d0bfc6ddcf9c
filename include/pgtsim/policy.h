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

/* The constructor and destructor of table pages outside the vmemmap. */
enum pgtsim_table_dtor {
	PGTSIM_TABLE_DTOR_NONE,    /* no constructor, so no destructor (to 6.15) */
	PGTSIM_TABLE_DTOR_SKIPPED, /* the constructor alone (6.16 on) */
	PGTSIM_TABLE_DTOR_CALLED,  /* both (7.x) */
};

/* What pass 1 takes an entry for that is neither zero nor valid. */
enum pgtsim_invalid_leaf {
	PGTSIM_INVALID_LEAF_TABLE,  /* above the pte level for a table */
	PGTSIM_INVALID_LEAF_MARKED, /* for a leaf if it is marked by bit 11 (7.1 on) */
};

/* Where an add that fails after its memmap came from an altmap frees that memmap to. */
enum pgtsim_error_path {
	PGTSIM_ERROR_PATH_ALTMAP,
	PGTSIM_ERROR_PATH_PAGE_ALLOCATOR, /* 5.14 to 6.6 */
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
};

/* A knob that has a name: `key=value` in scenarios. */
struct pgtsim_knob {
	const char *name;
	const char *const *values; /* names in the order of the enum, NULL at the end */
	const char *meaning;       /* one line */
	size_t offset;             /* of the uint8_t in struct pgtsim_policy */
};

/* The named knobs; *count receives their number. The table is constant. */
PGTSIM_API const struct pgtsim_knob *pgtsim_knobs(size_t *count);

/* The profiles' names, oldest first, then "latest"; NULL at the end. The table is constant. */
PGTSIM_API const char *const *pgtsim_profiles(void);

/* Fills a policy from a profile ("linux-6.1", "latest"). Returns 0 or -ENOENT (no such name). */
PGTSIM_API int pgtsim_policy_init(struct pgtsim_policy *policy, const char *profile);

/* Sets one knob by name. Returns 0, -ENOENT (no such knob) or -EINVAL (no such value). */
PGTSIM_API int pgtsim_policy_set(struct pgtsim_policy *policy, const char *knob,
				 const char *value);

/* The name of a knob's value; NULL if there is no such knob, or its field holds no such value. */
PGTSIM_API const char *pgtsim_policy_get(const struct pgtsim_policy *policy, const char *knob);

#ifdef __cplusplus
}
#endif

#endif
