/* SPDX-License-Identifier: MIT */
/*
 * format: entries of architectures other than arm64. Pure arithmetic, no state.
 *
 * Inside the library every entry has one form, arm64's: 0 is empty, bit 0 says valid, bit 1 tells a
 * table or page from a block, bits 47:12 are the address. An entry of another architecture is kept in
 * that form: its bits are moved there, and those of an empty entry are 0. Nothing is lost, so both
 * ways give back what was there. What people read and write is the architecture's own value: dumps,
 * traces, reports, poke and decode.
 *
 * Example: an s390 segment entry 0x0000000080003503 maps 1M at 2G, large (0x400), not executable
 * (0x100), read and write by software's bits (0x003, 0x3000). Empty is 0x20, the bit "invalid".
 *
 * s390, z/Architecture, chapter 3 (dynamic address translation); arch/s390/include/asm/pgtable.h.
 */
#ifndef PGTSIM_FORMAT_H
#define PGTSIM_FORMAT_H

#include <pgtsim/desc.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bits of s390's entries. */
#define PGTSIM_S390_LENGTH UINT64_C(0x003)    /* of the next table; region entries */
#define PGTSIM_S390_TYPE UINT64_C(0x00c)      /* R1 0xc, R2 0x8, R3 0x4, segment 0 */
#define PGTSIM_S390_INVALID UINT64_C(0x020)   /* of a region or segment entry */
#define PGTSIM_S390_NOEXEC UINT64_C(0x100)
#define PGTSIM_S390_PROTECT UINT64_C(0x200)   /* read-only */
#define PGTSIM_S390_LARGE UINT64_C(0x400)     /* a leaf: segment and region-third entries */
#define PGTSIM_S390_PTE_INVALID UINT64_C(0x400)

/* "arm64", "s390"; NULL for a number that is no format. */
PGTSIM_API const char *pgtsim_format_name(enum pgtsim_format format);

/* An entry of this level as the library keeps it; `raw` is the architecture's value. */
PGTSIM_API uint64_t pgtsim_desc_from_raw(const struct pgtsim_geometry *geo, int level,
					 uint64_t raw);

/* The reverse: the architecture's value of an entry. On arm64 both return what they get. */
PGTSIM_API uint64_t pgtsim_desc_to_raw(const struct pgtsim_geometry *geo, int level,
				       uint64_t desc);

/* The architecture's value of an empty entry of this level. */
PGTSIM_API uint64_t pgtsim_desc_empty(const struct pgtsim_geometry *geo, int level);

#ifdef __cplusplus
}
#endif

#endif
