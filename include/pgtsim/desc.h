/* SPDX-License-Identifier: MIT */
/*
 * desc: VMSAv8-64 stage-1 descriptors of the EL1&0 regime, bit for bit. Pure arithmetic.
 *
 * Arm ARM D8.3 (descriptor formats); arch/arm64/include/asm/pgtable-hwdef.h for the software bits.
 */
#ifndef PGTSIM_DESC_H
#define PGTSIM_DESC_H

#include <pgtsim/geometry.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PGTSIM_BIT(n) (UINT64_C(1) << (n))

#define PGTSIM_DESC_VALID PGTSIM_BIT(0)
#define PGTSIM_DESC_TABLE PGTSIM_BIT(1) /* a table at levels -1 to 2, a page at level 3 */
#define PGTSIM_DESC_ATTRINDX(i) ((uint64_t)(i) << 2)
#define PGTSIM_DESC_ATTRINDX_MASK PGTSIM_DESC_ATTRINDX(7)
#define PGTSIM_DESC_NS PGTSIM_BIT(5)
#define PGTSIM_DESC_AP1 PGTSIM_BIT(6) /* EL0 may access */
#define PGTSIM_DESC_AP2 PGTSIM_BIT(7) /* read-only */
#define PGTSIM_DESC_SH_INNER (UINT64_C(3) << 8)
#define PGTSIM_DESC_SH_MASK (UINT64_C(3) << 8)
#define PGTSIM_DESC_AF PGTSIM_BIT(10)
#define PGTSIM_DESC_NG PGTSIM_BIT(11) /* in an invalid leaf of Linux 7.1 on: present-invalid */
#define PGTSIM_DESC_GP PGTSIM_BIT(50)
#define PGTSIM_DESC_DBM PGTSIM_BIT(51)
#define PGTSIM_DESC_CONT PGTSIM_BIT(52)
#define PGTSIM_DESC_PXN PGTSIM_BIT(53)
#define PGTSIM_DESC_UXN PGTSIM_BIT(54)
#define PGTSIM_DESC_DIRTY PGTSIM_BIT(55) /* software: Linux's PTE_DIRTY */
#define PGTSIM_DESC_PXNTABLE PGTSIM_BIT(59)
#define PGTSIM_DESC_UXNTABLE PGTSIM_BIT(60)
#define PGTSIM_DESC_APTABLE_MASK (UINT64_C(3) << 61)
#define PGTSIM_DESC_APTABLE_EL1 PGTSIM_BIT(61) /* EL0 may not access what is below */
#define PGTSIM_DESC_APTABLE_RO PGTSIM_BIT(62)  /* what is below is read-only */
#define PGTSIM_DESC_NSTABLE PGTSIM_BIT(63)
/* Bits 63:59 of a table entry, all of the above from PXNTABLE on: they restrict what is below. */
#define PGTSIM_DESC_RESTRICTIONS (UINT64_C(31) << 59)

/* What an entry is to a walk. */
enum pgtsim_kind {
	PGTSIM_NONE,    /* zero */
	PGTSIM_INVALID, /* not zero, not valid; also bits 01 at level 3, which are reserved */
	PGTSIM_TABLE,
	PGTSIM_BLOCK, /* whether blocks are legal at the level or not */
	PGTSIM_PAGE,
};

/* A descriptor taken apart. Fields that the kind does not have are 0. */
struct pgtsim_desc {
	enum pgtsim_kind kind;
	uint64_t address; /* output address, bytes: of the leaf or of the next table */
	uint8_t attr_index, ap, sh;
	bool ns, af, ng, gp, dbm, cont, pxn, uxn, dirty;
	bool pxn_table, uxn_table, ns_table;
	uint8_t ap_table;
};

/* What an entry of this level is; of a level that there is not, as of one above the last. */
PGTSIM_API enum pgtsim_kind pgtsim_desc_kind(int level, uint64_t desc);

/* "none", "invalid", "table", "block" or "page"; NULL for a number that is no kind. */
PGTSIM_API const char *pgtsim_kind_name(enum pgtsim_kind kind);

/*
 * The output address of a table, block or page descriptor, in bytes; 0 for any other. The level
 * must be one of the geometry's, here and below; the address at one that no geometry has is 0.
 */
PGTSIM_API uint64_t pgtsim_desc_address(const struct pgtsim_geometry *geo, int level,
					uint64_t desc);

/*
 * The bits of a descriptor that hold this output address. pa is aligned to the page and fits in
 * pa_bits; other bits are dropped. Models __phys_to_pte_val().
 */
PGTSIM_API uint64_t pgtsim_desc_oa(const struct pgtsim_geometry *geo, uint64_t pa);

/*
 * A leaf of this level, with the attribute bits `attrs`. Sets bits 1:0: a page at level 3, else a
 * block. With LPA2 the bits of SH are left out, because the address has their place.
 */
PGTSIM_API uint64_t pgtsim_desc_leaf(const struct pgtsim_geometry *geo, int level, uint64_t pa,
				     uint64_t attrs);

/* A table descriptor: pa of the next table, `attrs` the restrictions and flags to add. */
PGTSIM_API uint64_t pgtsim_desc_table(const struct pgtsim_geometry *geo, uint64_t pa,
				      uint64_t attrs);

/* Takes a descriptor apart. */
PGTSIM_API void pgtsim_desc_decode(const struct pgtsim_geometry *geo, int level, uint64_t desc,
				   struct pgtsim_desc *out);

/*
 * Puts a descriptor together. A table, block or page that was taken apart comes back the same if
 * no bit was set that has no field. Other kinds have no fields and become 0.
 */
PGTSIM_API uint64_t pgtsim_desc_encode(const struct pgtsim_geometry *geo, int level,
				       const struct pgtsim_desc *in);

/*
 * How many leaves of this level from pa on, at most `count`, have descriptors that grow by the size
 * of an entry. Fewer than `count` if the addresses cross 2^48 or 2^50 and the descriptor has the
 * higher bits elsewhere.
 */
PGTSIM_API uint64_t pgtsim_desc_run(const struct pgtsim_geometry *geo, int level, uint64_t pa,
				    uint64_t count);

/* Whether an invalid entry is marked as a leaf by bit 11: Linux's pte_present_invalid(). */
static inline bool pgtsim_desc_is_marked(uint64_t desc)
{
	return (desc & (PGTSIM_DESC_NG | PGTSIM_DESC_VALID)) == PGTSIM_DESC_NG;
}

static inline bool pgtsim_desc_is_table(int level, uint64_t desc)
{
	return level < PGTSIM_PTE && (desc & 3) == 3;
}

#ifdef __cplusplus
}
#endif

#endif
