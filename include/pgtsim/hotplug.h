/* SPDX-License-Identifier: MIT */
/*
 * hotplug: sections and memory blocks; add, online, offline, remove.
 *
 * Models mm/memory_hotplug.c, mm/sparse.c, drivers/base/memory.c, and arch_add_memory(),
 * arch_remove_memory() of arch/arm64/mm/mmu.c. Addresses and sizes are physical, in bytes.
 */
#ifndef PGTSIM_HOTPLUG_H
#define PGTSIM_HOTPLUG_H

#include <pgtsim/vmemmap.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { PGTSIM_SUBSECTION_SHIFT = 21 /* 2 MiB, whatever the granule */ };

enum pgtsim_zone {
	PGTSIM_ZONE_NORMAL,
	PGTSIM_ZONE_MOVABLE,
};

struct pgtsim_hotplug_config {
	struct pgtsim_pgtable *pgt;
	struct pgtsim_memory *memory;
	struct pgtsim_vmemmap *vmemmap;
	const struct pgtsim_layout *layout;
	uint64_t section_size; /* bytes, a power of two, 2 MiB to 1 GiB */
	uint64_t block_size;   /* bytes, a multiple of the section: a power of two */
	bool blocks, cont;     /* what the linear map of hot-added memory may use */
};

struct pgtsim_sections; /* opaque: the sections, in a directory that grows as they come */

struct pgtsim_hotplug {
	struct pgtsim_hotplug_config config;
	struct pgtsim_sections *sections;
};

/* What is known of a section. */
struct pgtsim_section_state {
	bool present; /* has memory */
	bool early;   /* has been there since boot */
	bool online;
	enum pgtsim_zone zone; /* of an online one */
};

/*
 * Prepares it. The config's pointers are the caller's and must live as long.
 * Returns 0, -EINVAL (sizes) or -ENOMEM.
 */
PGTSIM_API int pgtsim_hotplug_init(struct pgtsim_hotplug *hotplug,
				   const struct pgtsim_hotplug_config *config);
PGTSIM_API void pgtsim_hotplug_fini(struct pgtsim_hotplug *hotplug);

/*
 * Declares boot memory: its sections, rounded outwards, are present, early and online. Maps
 * nothing. Returns 0, -EINVAL (range) or -ENOMEM.
 */
PGTSIM_API int pgtsim_add_boot_memory(struct pgtsim_hotplug *hotplug, uint64_t start,
				      uint64_t size);

/*
 * Adds memory: linear map, then the vmemmap section by section, then its memory blocks, offline.
 * Returns 0; -EINVAL (empty or not aligned to memory blocks), -E2BIG (outside what the linear map
 * can hold), -EEXIST (there already, or mapped by hand), -ENOMEM. A failure leaves everything as it
 * was, or with add-failure=keep the sections before it, without their linear map.
 * Models add_memory().
 */
PGTSIM_API int pgtsim_add_memory(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size);

/*
 * Removes memory blocks that are offline: the vmemmap section by section, both passes each, then
 * the linear map of the whole range, both passes. Returns 0; -EINVAL (empty, not aligned, or not
 * all there), -EBUSY (a block is online; boot memory always is). Models try_remove_memory().
 */
PGTSIM_API int pgtsim_remove_memory(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size);

/*
 * Brings offline memory blocks into a zone. Changes no page table. Returns 0 or -EINVAL (empty,
 * not aligned, not there, online already). Models memory_block_online().
 */
PGTSIM_API int pgtsim_online_memory(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size,
				    enum pgtsim_zone zone);

/*
 * Takes online memory blocks offline. Returns 0; -EINVAL (empty, not aligned, not there, offline
 * already), -EPERM (boot memory; an end of the range lies inside a leaf or contiguous group of
 * the linear map or the vmemmap and the knob leaf-split refuses that).
 */
PGTSIM_API int pgtsim_offline_memory(struct pgtsim_hotplug *hotplug, uint64_t start,
				     uint64_t size);

/* What is known of the section that holds this address. */
PGTSIM_API struct pgtsim_section_state pgtsim_section_state(const struct pgtsim_hotplug *hotplug,
							    uint64_t pa);

/*
 * Unmaps [va, va + size) of the linear map as its removal does: both passes, no memory freed.
 * Returns 0 or -EINVAL. Models __remove_pgd_mapping() with other bounds.
 */
PGTSIM_API int pgtsim_unmap_linear(struct pgtsim_pgtable *pgt, uint64_t va, uint64_t size,
				   uint64_t floor, uint64_t ceiling);

#ifdef __cplusplus
}
#endif

#endif
