/* SPDX-License-Identifier: MIT */
/*
 * geometry: how an address splits into indices. Pure arithmetic, no state.
 *
 * A geometry is a page shift and a number of index bits for each level. Levels carry the
 * Arm ARM's numbers: 3 is the last one (pte), 2 pmd, 1 pud, 0 p4d, -1 the root of five levels.
 *
 *   63        va_bits                                page_shift          0
 *   +-----------+--------+--------+--------+--------+-------------------+
 *   | all ones  | root   |  ...   | pmd    | pte    |  offset in page   |
 *   +-----------+--------+--------+--------+--------+-------------------+
 *
 * All addresses belong to TTBR1: the region [2^64 - 2^va_bits, 2^64). On s390 the kernel has an address
 * space of its own, and the region is [0, 2^va_bits).
 *
 * Ranges in this library are a start and a size, or half-open, [start, end). An `end` of 0 is the end
 * of the address space. Only the walker and events have a first and a last address: pgtable.h.
 *
 * Models: arch/arm64/include/asm/pgtable-hwdef.h; Arm ARM D8.2 (translation process).
 */
#ifndef PGTSIM_GEOMETRY_H
#define PGTSIM_GEOMETRY_H

#include <pgtsim/api.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
	PGTSIM_PGD = -1, /* the root of a table of five levels */
	PGTSIM_P4D = 0,
	PGTSIM_PUD = 1,
	PGTSIM_PMD = 2,
	PGTSIM_PTE = 3,
	PGTSIM_MAX_LEVELS = 5,
};

/* Where a descriptor keeps its output address (Arm ARM D8.3.1). */
enum pgtsim_oa {
	PGTSIM_OA_48,     /* bits 47:page_shift in place */
	PGTSIM_OA_64K_52, /* PA[51:48] in bits 15:12 */
	PGTSIM_OA_LPA2,   /* PA[49:48] in place, PA[51:50] in bits 9:8, where SH would be */
};

/* Whose table entries these are: format.h. */
enum pgtsim_format {
	PGTSIM_FORMAT_ARM64,
	PGTSIM_FORMAT_S390,
	PGTSIM_FORMAT_COUNT,
};

/* Arrays have one entry for each level: index them by pgtsim_slot(level). Read only. */
struct pgtsim_geometry {
	uint8_t page_shift;               /* log2 of the granule in bytes */
	uint8_t levels;                   /* tables from root to pte, 1 to 5 */
	uint8_t va_bits;                  /* bits of VA in use; at most what the indices hold */
	uint8_t pa_bits;                  /* bits of a physical address */
	uint8_t config_va_bits;           /* CONFIG_ARM64_VA_BITS; more than va_bits without 52 */
	uint8_t oa;                       /* enum pgtsim_oa */
	uint8_t bits[PGTSIM_MAX_LEVELS];  /* index bits of each level; 0 for a folded one */
	uint8_t shift[PGTSIM_MAX_LEVELS]; /* log2 of the bytes that one entry covers */
	uint8_t cont[PGTSIM_MAX_LEVELS];  /* log2 of the entries in a contiguous group; 0: none */
	bool block[PGTSIM_MAX_LEVELS];    /* Linux maps blocks here */
	bool block_legal[PGTSIM_MAX_LEVELS]; /* the architecture allows blocks here */
	bool oa_keeps_49_48;                 /* 64K/52: PA[49:48] in bits 49:48 too (Linux 6.12) */
	uint32_t last_index[PGTSIM_MAX_LEVELS]; /* entries of a table of each level, less 1 */
	uint8_t format;                         /* enum pgtsim_format */
	bool from_zero;                         /* the region begins at VA 0 */
	bool half_tables;                       /* tables of the last level are half a page, aligned so */
	uint64_t pa_mask;                       /* derived: PA[pa_bits - 1:page_shift], all ones */
};

/* Input of pgtsim_geometry_custom(). 0 in a field means the default in brackets. */
struct pgtsim_geometry_config {
	uint8_t page_shift;              /* 12 to 24 */
	uint8_t levels;                  /* 1 to 5 */
	uint8_t bits[PGTSIM_MAX_LEVELS]; /* root first; 1 to page_shift - 3, the rest 0 */
	/* [page_shift + all index bits, at most 63]; may leave the root's first part unused */
	uint8_t va_bits;
	uint8_t pa_bits;            /* [48] page_shift to 48, or to 52 if oa has room for it */
	uint8_t oa;                 /* enum pgtsim_oa; 64K_52: page_shift 16, LPA2: 12 or 14 */
	uint8_t cont_pte, cont_pmd; /* log2 of the group size [0: no contiguous groups] */
	uint8_t block_levels;       /* bit (level + 1) set: blocks are legal and used there */
};

/* A row of the table of Linux's regimes. */
struct pgtsim_regime {
	const char *name; /* "4K/48" */
	uint8_t page_shift, va_bits, levels;
	uint8_t bits[PGTSIM_MAX_LEVELS]; /* root first */
	uint8_t va_bits_without_52;      /* what a CPU without 52-bit VAs runs */
};

/* Where the kernel puts the linear map and the vmemmap. */
enum pgtsim_layout_rule {
	PGTSIM_LAYOUT_5_7,
	PGTSIM_LAYOUT_5_14,
	PGTSIM_LAYOUT_6_12,
	PGTSIM_LAYOUT_S390, /* by format, never by knob */
};

/*
 * The kernel's address map. Virtual and physical addresses in bytes; ranges half-open. No KASLR.
 * linear(pa) = page_offset + pa - memstart, modulo 2^64: memstart is "negative" for a kernel of
 * 52 bits that runs with fewer.
 */
struct pgtsim_layout {
	uint64_t
		page_offset; /* PAGE_OFFSET: of CONFIG_ARM64_VA_BITS, the floor of the linear map */
	uint64_t page_end;   /* PAGE_END: its ceiling */
	uint64_t linear_start;  /* where the linear map really starts: -2^va_bits */
	uint64_t memstart;      /* memstart_addr (PHYS_OFFSET) */
	uint64_t vmemmap_start; /* VMEMMAP_START */
	uint64_t vmemmap_end;   /* VMEMMAP_END */
	uint64_t vmemmap;       /* the struct page of PFN 0 */
};

/*
 * The map of a release for this geometry; ram_start is the lowest address of RAM, struct_page
 * sizeof(struct page) in bytes. Models arch/arm64/include/asm/memory.h, arm64_memblock_init().
 */
PGTSIM_API void pgtsim_layout_init(struct pgtsim_layout *layout, const struct pgtsim_geometry *geo,
				   enum pgtsim_layout_rule rule, uint64_t ram_start,
				   unsigned struct_page);

/* The linear-map address of a physical one: __phys_to_virt(). */
static inline uint64_t pgtsim_linear(const struct pgtsim_layout *layout, uint64_t pa)
{
	return layout->page_offset + (pa - layout->memstart);
}

/* Linux's regimes, 4K/39 first; *count receives their number. The table is constant. */
PGTSIM_API const struct pgtsim_regime *pgtsim_regimes(size_t *count);

/*
 * Builds one of Linux's regimes. Returns 0 or -EINVAL.
 *   granule    in bytes: 4096, 16384 or 65536
 *   va_bits    CONFIG_ARM64_VA_BITS
 *   va_actual  what the CPU runs. 0: the same. A 52-bit kernel runs with 48 bits, or with 47 if the
 *              granule is 16K, on a CPU without 52-bit VAs
 *   pa_bits    48 or 52. 0: 52 if va_bits is 52, else 48
 * A PA of 52 bits needs a 64K granule or va_bits 52. With 4K and 16K, if the CPU runs fewer VA bits,
 * PAs are cut to 48 bits and descriptors have their ordinary form.
 */
PGTSIM_API int pgtsim_geometry_linux(struct pgtsim_geometry *geo, uint32_t granule,
				     unsigned va_bits, unsigned va_actual, unsigned pa_bits);

/* Builds any geometry, toy sizes included. Returns 0 or -EINVAL (config). */
PGTSIM_API int pgtsim_geometry_custom(struct pgtsim_geometry *geo,
				      const struct pgtsim_geometry_config *config);

/*
 * Builds the geometry of an s390 kernel: pages of 4K, tables of 256 pages, then 2048 entries a level:
 * segments of 1M, region-third entries of 2G, region-second entries of 4T. Returns 0 or -EINVAL.
 *   va_bits  42: three levels; 53: four
 *   edat     what the CPU maps by one entry: 0 pages, 1 segments, too (EDAT1), 2 also 2G (EDAT2)
 */
PGTSIM_API int pgtsim_geometry_s390(struct pgtsim_geometry *geo, unsigned va_bits, unsigned edat);

/*
 * The kernel's name of a level: pgd, p4d, pud, pmd, pte. The root is always "pgd".
 * NULL for a level the geometry folds away.
 */
PGTSIM_API const char *pgtsim_level_name(const struct pgtsim_geometry *geo, int level);

/* The level of that name in this geometry. Returns 0 or -EINVAL (unknown or folded). */
PGTSIM_API int pgtsim_level_of_name(const struct pgtsim_geometry *geo, const char *name,
				    int *level);

/*
 * Whether [va, va + size) lies inside the region that TTBR1 translates, size at least 1.
 * va + size may be the end of the address space. Returns 0 or -EINVAL.
 */
PGTSIM_API int pgtsim_geometry_check_va(const struct pgtsim_geometry *geo, uint64_t va,
					uint64_t size);

/* Whether [pa, pa + size) fits in pa_bits, size at least 1. Returns 0 or -EINVAL. */
PGTSIM_API int pgtsim_geometry_check_pa(const struct pgtsim_geometry *geo, uint64_t pa,
					uint64_t size);

/* The index of a level in the arrays of struct pgtsim_geometry. */
static inline unsigned pgtsim_slot(int level)
{
	return (unsigned)(level + 1);
}

/* The level of the root table. */
static inline int pgtsim_root_level(const struct pgtsim_geometry *geo)
{
	return PGTSIM_PTE + 1 - geo->levels;
}

/* Bytes of one page. */
static inline uint64_t pgtsim_page_size(const struct pgtsim_geometry *geo)
{
	return UINT64_C(1) << geo->page_shift;
}

/* Bytes that one entry of this level covers. The root's of a 1-level toy is a page. */
static inline uint64_t pgtsim_entry_size(const struct pgtsim_geometry *geo, int level)
{
	return UINT64_C(1) << geo->shift[pgtsim_slot(level)];
}

/* Entries of one table of this level: PTRS_PER_PTE and its like. */
static inline unsigned pgtsim_entries(const struct pgtsim_geometry *geo, int level)
{
	return geo->last_index[pgtsim_slot(level)] + 1;
}

/* Which entry of its table translates va at this level: pte_index() and its like. */
static inline unsigned pgtsim_index(const struct pgtsim_geometry *geo, int level, uint64_t va)
{
	return (unsigned)(va >> geo->shift[pgtsim_slot(level)]) &
	       geo->last_index[pgtsim_slot(level)];
}

/* The first address of the entry that holds va at this level. */
static inline uint64_t pgtsim_entry_base(const struct pgtsim_geometry *geo, int level, uint64_t va)
{
	return va & ~(pgtsim_entry_size(geo, level) - 1);
}

/* Entries in a contiguous group of this level; 1 where there are no groups. */
static inline unsigned pgtsim_cont_entries(const struct pgtsim_geometry *geo, int level)
{
	return 1u << geo->cont[pgtsim_slot(level)];
}

/* The first address of the region: 2^64 - 2^va_bits, or 0. */
static inline uint64_t pgtsim_va_start(const struct pgtsim_geometry *geo)
{
	return geo->from_zero ? 0 : ~UINT64_C(0) << geo->va_bits;
}

/* The last address of the region. */
static inline uint64_t pgtsim_va_last(const struct pgtsim_geometry *geo)
{
	return geo->from_zero ? ~(~UINT64_C(0) << geo->va_bits) : ~UINT64_C(0);
}

/* Whether the region holds va. */
static inline bool pgtsim_va_inside(const struct pgtsim_geometry *geo, uint64_t va)
{
	/* All bits above va_bits are 1, or 0 where the region begins at 0. */
	return ((va ^ ((uint64_t)geo->from_zero - 1)) >> geo->va_bits) == 0;
}

/* Pages that a table of this level takes, as log2: 2 for the 16K of an s390 region or segment table. */
static inline unsigned pgtsim_table_order(const struct pgtsim_geometry *geo, int level)
{
	unsigned shift = geo->bits[pgtsim_slot(level)] + 3u;

	return shift > geo->page_shift ? shift - geo->page_shift : 0;
}

/* Bytes that are a table's own: whole pages, or half of one. */
static inline uint64_t pgtsim_table_bytes(const struct pgtsim_geometry *geo, int level)
{
	if (geo->half_tables && level == PGTSIM_PTE)
		return pgtsim_page_size(geo) / 2;
	return pgtsim_page_size(geo) << pgtsim_table_order(geo, level);
}

#ifdef __cplusplus
}
#endif

#endif
