/* SPDX-License-Identifier: MIT */
/*
 * protect: changes of live mappings. Attributes of leaves, splitting a leaf into smaller ones,
 * joining smaller ones into a block, and the kernel's huge vmap. What a split or a join writes counts as
 * entries.written, but not as leaves that are mapped or cleared: no memory comes or goes.
 *
 * A translation that is in use can't always be changed in place. Attributes that only restrict
 * access may, if an invalidate follows. The size may on a CPU with BBM level 3 (`bbm3` below);
 * anywhere else a leaf has to be taken away first (break-before-make).
 *
 * Models: arch/arm64/mm/pageattr.c, split_kernel_leaf_mapping(), vmap_range(), pmd_free_pte_page().
 */
#ifndef PGTSIM_PROTECT_H
#define PGTSIM_PROTECT_H

#include <pgtsim/pgtable.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What becomes of each leaf: a mask is cleared, then another one is set. */
enum pgtsim_protect {
	PGTSIM_PROTECT_RO,      /* sets AP[2], clears DBM: set_memory_ro() */
	PGTSIM_PROTECT_RW,      /* clears AP[2], sets DBM: set_memory_rw() */
	PGTSIM_PROTECT_X,       /* clears PXN: set_memory_x() */
	PGTSIM_PROTECT_NX,      /* sets PXN, clears GP: set_memory_nx() */
	PGTSIM_PROTECT_INVALID, /* clears valid; from 7.1 on sets bit 11: set_memory_valid(0) */
	PGTSIM_PROTECT_VALID,   /* the reverse: set_memory_valid(1) */
	PGTSIM_PROTECT_DEFAULT, /* valid and writable: set_direct_map_default_noflush() */
	PGTSIM_PROTECTS,
};

/*
 * Changes each leaf of [va, va + size), then flushes the range once. With `noflush` it does not
 * flush, as set_direct_map_*_noflush(): the caller has to. From 7.1 on nothing is flushed either
 * when leaves only become valid again, as an invalid entry can't be cached.
 * Where the profile splits live leaves (knob live-split) and the CPU may, both ends are split first.
 * Returns 0; -EINVAL (not page-aligned, empty, outside the region, nothing is mapped at some page, a
 * leaf that lies only partly inside, or with live-split=never a block at all): leaves before the
 * one in question are changed then, and flushed; -ENOMEM (no table for a split): leaves keep their
 * attributes, what was split stays split, and the range is flushed as if they had changed.
 * Departure: a hole is -EINVAL before anything is written. The kernel would set bits in it.
 * Events of one thread only.
 */
PGTSIM_API int pgtsim_protect(struct pgtsim_pgtable *pgt, uint64_t va, uint64_t size,
			      enum pgtsim_protect what, bool noflush);

/*
 * Splits leaves until `start` and `end` (0: the end of the address space) are leaf boundaries,
 * contiguous groups counted as leaves: a pud block becomes pmd blocks with the hint, a contiguous
 * group loses its hint, a pmd block becomes ptes with the hint. Nothing is invalidated: a CPU
 * without BBM level 3 may then hold two sizes of a translation. Of a single page only the end
 * that is aligned to less is split, which splits the other one too.
 * Returns 0; -EINVAL (not page-aligned, outside the region, empty); -ENOMEM with what was split
 * before left split. Models split_kernel_leaf_mapping(), without its question what the CPU can.
 */
PGTSIM_API int pgtsim_split(struct pgtsim_pgtable *pgt, uint64_t start, uint64_t end);

/*
 * Joins the lowest table that translates va into one block, if it maps a whole block's memory with
 * the same attributes, contiguous hints aside: clears its entry, invalidates the walk cache and every page of the table, frees
 * the table, and only then writes the block. The contiguous hint goes.
 * Returns 0 or -EINVAL (va, no table below the root there, entries that differ, no block there).
 */
PGTSIM_API int pgtsim_join(struct pgtsim_pgtable *pgt, uint64_t va);

/*
 * Maps [va, va + size) to pa as core mm's vmap: PAGE_KERNEL, pages, and with `huge` blocks, too, and
 * from 6.18 on pages with the contiguous hint. One walk allocates each table where none is (DMB ISHST
 * before its link). Where a block fits over a table, the table and those below it go first, each with
 * one invalidate of all levels at its first address. Pages are made visible one by one up to 6.12, and
 * from 6.18 on once for each table of them.
 * Returns 0; -EINVAL (not page-aligned, empty, outside the region, PA beyond pa_bits); -EEXIST (an
 * entry is in use), before anything is written, where the kernel stops with a BUG; -EFAULT (an entry
 * points to no table), -ENOMEM (no table): what was mapped before stays, whatever the profile.
 * Models vmap_range_noflush(), pmd_free_pte_page(), pud_free_pmd_page().
 */
PGTSIM_API int pgtsim_vmap(struct pgtsim_pgtable *pgt, uint64_t va, uint64_t pa, uint64_t size,
			   bool huge);

/*
 * Clears every leaf of [va, va + size), then flushes the range once; the memory is the caller's,
 * tables stay. From 6.18 on pages with the contiguous hint go by whole groups, although no more than
 * the range is flushed, as in the kernel, which warns. Returns 0 or -EINVAL (not page-aligned, outside
 * the region, empty). Models vunmap_range().
 */
PGTSIM_API int pgtsim_vunmap(struct pgtsim_pgtable *pgt, uint64_t va, uint64_t size);

#ifdef __cplusplus
}
#endif

#endif
