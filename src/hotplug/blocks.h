/* SPDX-License-Identifier: MIT */
/* blocks: memory blocks come and go, those that hold their own memmap included. */
#ifndef PGTSIM_BLOCKS_H
#define PGTSIM_BLOCKS_H

#include <pgtsim/hotplug.h>

/* Makes offline blocks of the sections of [start, start + size). Returns 0 or -ENOMEM, with none. */
int pgtsim_blocks_add(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size, unsigned node);

/* Frees the blocks that there are. */
void pgtsim_blocks_free(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size);

/* True up to 6.7: a request of more than one block cannot hold its own memmap. */
bool pgtsim_one_block_at_most(const struct pgtsim_hotplug *hotplug);

/*
 * Pages that an add reserves at the start of each block for its memmap; 0 for an ordinary add, or
 * -EINVAL: 5.14 to 6.5 refuse what they cannot do. If memmap on memory is asked for and not done,
 * why->text says which rule is against it; else it is empty.
 */
int64_t pgtsim_wanted_reservation(const struct pgtsim_hotplug *hotplug,
				  const struct pgtsim_add *add, struct pgtsim_error *why);

/* create_altmaps_and_memory_blocks(): finished blocks go again if a later one fails. */
int pgtsim_self_hosted_add(struct pgtsim_hotplug *hotplug, const struct pgtsim_add *add,
			   uint64_t reserved, uint32_t mark);

/* Removes such blocks with their mapping. */
void pgtsim_self_hosted_remove(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size);

#endif
