/* SPDX-License-Identifier: MIT */
/*
 * unused: which part of a vmemmap block no struct page needs, as s390 and x86 keep track of it:
 * unused bytes are marked (0xFD), and a block is freed when all of it is.
 *
 * Marking the tail of the last block is put off: a section that is added right behind it needs no
 * mark at all. Units of 4 KiB; va is inside the vmemmap, in bytes. A part of vmemmap.
 */
#ifndef PGTSIM_UNUSED_H
#define PGTSIM_UNUSED_H

#include <pgtsim/vmemmap.h>

/* Makes sure that a block's record is there, so that nothing below fails. 0 or -ENOMEM. */
int pgtsim_unused_prepare(struct pgtsim_vmemmap *vmemmap, uint64_t va);

/* [start, end) of a block is used from now on; `fresh`: the block has just been allocated. */
void pgtsim_unused_use(struct pgtsim_vmemmap *vmemmap, uint64_t start, uint64_t end, bool fresh);

/* A whole block is used from now on: nothing of it is marked, and no mark that was put off is made. */
void pgtsim_unused_fill(struct pgtsim_vmemmap *vmemmap, uint64_t start, uint64_t end);

/*
 * [start, end) of a block is used no more. Returns whether all of the block is unused now; so is a
 * block that was never populated.
 */
bool pgtsim_unused_drop(struct pgtsim_vmemmap *vmemmap, uint64_t start, uint64_t end);

/*
 * A block is gone: nothing is known of it any more. A mark of its tail that was put off is still made
 * later, as in the kernel.
 */
void pgtsim_unused_forget(struct pgtsim_vmemmap *vmemmap, uint64_t va);

void pgtsim_unused_free(struct pgtsim_unused *unused);

#endif
