/* SPDX-License-Identifier: MIT */
/*
 * hotplug: sections and memory blocks; add, online, offline, remove.
 *
 * Models mm/memory_hotplug.c, mm/sparse.c, drivers/base/memory.c, and arch_add_memory(),
 * arch_remove_memory() of arch/arm64/mm/mmu.c. Addresses and sizes are physical, in bytes.
 *
 * Every operation that changes something returns -EINVAL for NULL, -EBUSY if a notifier calls it,
 * and -ENOBUFS once the host was out of memory: pgtsim_memory_out_of_host_memory(). What only looks returns zeros for NULL.
 */
#ifndef PGTSIM_HOTPLUG_H
#define PGTSIM_HOTPLUG_H

#include <pgtsim/vmemmap.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { PGTSIM_SUBSECTION_SHIFT = 21 /* 2 MiB, whatever the granule */ };

enum { PGTSIM_NODES = 16 };

enum pgtsim_zone {
	PGTSIM_ZONE_NORMAL,
	PGTSIM_ZONE_MOVABLE,
	PGTSIM_ZONES,
};

/* memory_hotplug.memmap_on_memory: may hot-added memory hold its own memmap? */
enum pgtsim_memmap_on_memory {
	PGTSIM_MEMMAP_OFF,
	PGTSIM_MEMMAP_ON,
	PGTSIM_MEMMAP_FORCE, /* rounds the reservation up to page blocks (6.6 on; before: on) */
};

struct pgtsim_hotplug_config {
	struct pgtsim_pgtable *pgt;
	struct pgtsim_memory *memory;
	struct pgtsim_vmemmap *vmemmap;
	const struct pgtsim_layout *layout;
	uint64_t section_size; /* bytes, a power of two, 2 MiB to 1 GiB */
	uint64_t block_size;   /* bytes, a multiple of the section: a power of two */
	bool blocks, cont;     /* what the linear map of hot-added memory may use */
	enum pgtsim_memmap_on_memory memmap_on_memory;
	uint8_t reserved[32]; /* 0; for members to come */
};

struct pgtsim_sections; /* opaque: the sections, in a directory that grows as they come */
struct pgtsim_device;   /* opaque: a device's memory */
struct pgtsim_used;     /* opaque: pages that somebody holds */
struct pgtsim_hotplug;

/* What memory notifiers are told: memory_notify(). */
enum pgtsim_memory_action {
	PGTSIM_GOING_ONLINE,
	PGTSIM_ONLINE,
	PGTSIM_CANCEL_ONLINE,
	PGTSIM_GOING_OFFLINE,
	PGTSIM_OFFLINE,
	PGTSIM_CANCEL_OFFLINE,
};

struct pgtsim_memory_notify {
	enum pgtsim_memory_action action;
	uint64_t start_pfn, pages; /* those that the page allocator gets or loses */
	unsigned node;
};

/*
 * Is told of each memory block that goes online or offline. While it is going, a negative errno
 * vetoes that and is what the operation returns; after that, and for boot memory, nothing it
 * returns counts. It may look at the machine; operations of this header that change it return
 * -EBUSY, as they would wait for ever for mem_hotplug_lock, and so does leaving the chain. Embedded
 * by its owner, who removes it before it goes.
 */
struct pgtsim_notifier {
	int (*notify)(struct pgtsim_notifier *self, const struct pgtsim_memory_notify *notify);
	struct pgtsim_notifier *next;
};

/* Pages of a zone, or of a whole node. start_pfn is 0 if nothing is spanned. */
struct pgtsim_zone_state {
	uint64_t start_pfn, spanned; /* from the first to the last page, holes included */
	uint64_t present;            /* pages that are there */
	uint64_t managed;            /* those that the page allocator was given */
};

struct pgtsim_hotplug {
	struct pgtsim_hotplug_config config;
	struct pgtsim_sections *sections;
	struct pgtsim_device *devices;
	struct pgtsim_used *used;
	struct pgtsim_notifier *notifiers;
	bool locked; /* mem_hotplug_lock is held for writing */
	bool notifying; /* a notifier is being told: it must not change the machine's memory */
	struct pgtsim_zone_state zones[PGTSIM_NODES][PGTSIM_ZONES];
};

/* What is known of a section. */
struct pgtsim_section_state {
	bool present; /* has memory */
	bool early;   /* has been there since boot */
	bool online;
	enum pgtsim_zone zone; /* of an online one */
	uint64_t memmap_pages; /* at the start of its memory block, that hold that block's memmap */
	unsigned node;         /* of its memory block; 0 for boot memory and a device's */
};

/*
 * Prepares it. The config's pointers are the caller's and must live as long.
 * Returns 0, -EINVAL (sizes) or -ENOMEM.
 */
PGTSIM_API int pgtsim_hotplug_init(struct pgtsim_hotplug *hotplug,
				   const struct pgtsim_hotplug_config *config);
PGTSIM_API void pgtsim_hotplug_fini(struct pgtsim_hotplug *hotplug);

/*
 * Declares boot memory: its sections are present, early and online in zone normal of node 0. Maps
 * nothing. Returns 0, -EINVAL (range) or -ENOMEM.
 */
PGTSIM_API int pgtsim_add_boot_memory(struct pgtsim_hotplug *hotplug, uint64_t start,
				      uint64_t size);

/* What to add; start and size suffice. */
struct pgtsim_add {
	uint64_t start, size;         /* bytes */
	unsigned node;                /* below PGTSIM_NODES */
	bool memmap_on_memory;        /* MHP_MEMMAP_ON_MEMORY: its memmap in its own first pages */
	bool device;                  /* a driver's: PAGE_KERNEL, no memory blocks, never online */
	struct pgtsim_altmap *altmap; /* of a device: where its memmap comes from; the caller's */
};

/*
 * Adds memory: linear map, then the vmemmap section by section, then its memory blocks, offline.
 * Returns 0; -EINVAL (empty or not aligned to memory blocks, a device's not to 2 MiB; no such node;
 * an altmap that does not lie in the range from its first page on; memmap on memory that the
 * release refuses), -E2BIG (outside what the linear map can hold), -EEXIST (there already, or
 * mapped by hand), -ENOMEM. A failure leaves everything as it was, or with add-failure=keep the
 * sections before the one that failed, without their linear map; nothing if a memory block failed.
 * Models add_memory_resource(), and pagemap_range() for a device.
 */
PGTSIM_API int pgtsim_add_range(struct pgtsim_hotplug *hotplug, const struct pgtsim_add *add);

/* Where the memmap of an add comes from. */
enum pgtsim_memmap_source {
	PGTSIM_MEMMAP_FROM_RAM,    /* the page allocator */
	PGTSIM_MEMMAP_FROM_ITSELF, /* the first pages of each memory block: memmap on memory */
	PGTSIM_MEMMAP_FROM_ALTMAP, /* the altmap of a device */
};

/*
 * Where pgtsim_add_range() takes the memmap of this add from. If another source was asked for, *why
 * (unless it is NULL) says which rule is against it, with the code -EINVAL where the kernel refuses
 * the add for it, and else 0; its text is empty if all is as asked for. Models
 * mhp_supports_memmap_on_memory().
 */
PGTSIM_API enum pgtsim_memmap_source pgtsim_memmap_source(const struct pgtsim_hotplug *hotplug,
							  const struct pgtsim_add *add,
							  struct pgtsim_error *why);

/* pgtsim_add_range() for plain memory on node 0. */
PGTSIM_API int pgtsim_add_memory(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size);

/*
 * Removes memory blocks that are offline, or the whole memory of one device: the vmemmap section by
 * section, both passes each, then the linear map of the whole range, both passes (with memmap on
 * memory, from 6.8 on, all that block by block). Returns 0; -EINVAL (empty, not aligned, not all
 * there, part of a device; several blocks of which one has memmap pages, up to 6.7, or only some
 * have, from 6.8 on), -EBUSY (a block is online; boot memory always is).
 * Models try_remove_memory(), memunmap_pages().
 */
PGTSIM_API int pgtsim_remove_memory(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size);

/*
 * Joins the notifier chain at its end. Returns 0, -EINVAL (NULL, or nothing to call), -EEXIST (it is
 * in the chain) or -EBUSY (called by a notifier).
 */
PGTSIM_API int pgtsim_notifier_add(struct pgtsim_hotplug *hotplug,
				   struct pgtsim_notifier *notifier);

/* Leaves it; nothing happens if it is not in. Returns 0, -EINVAL (NULL) or -EBUSY as above. */
PGTSIM_API int pgtsim_notifier_remove(struct pgtsim_hotplug *hotplug,
				      struct pgtsim_notifier *notifier);

/*
 * Brings offline memory blocks into a zone. Changes no page table. Returns 0; -EINVAL (empty, not
 * aligned, not there, online already, boot memory; no such zone); or what a notifier vetoed with:
 * then none of the blocks is online; or the error of an engine's online(). Models
 * memory_block_online(): pages that hold the memmap join the zone first and are present, but are never
 * managed.
 */
PGTSIM_API int pgtsim_online_memory(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size,
				    enum pgtsim_zone zone);

/*
 * Takes online memory blocks offline: pages in use that can move are migrated to boot memory.
 * Returns 0; -EINVAL (empty, not aligned, not there, offline already), -EBUSY (a page in use that
 * cannot move, or no memory to move pages to, where the kernel would try for ever), -EPERM (boot
 * memory; an end of the range lies inside a leaf or contiguous group of the linear map or the
 * vmemmap and the knob leaf-split refuses that), or what a notifier vetoed with. After a failure
 * all blocks are online and every page is where it was, unless it is an error of an engine's offline().
 * Models memory_block_offline().
 */
PGTSIM_API int pgtsim_offline_memory(struct pgtsim_hotplug *hotplug, uint64_t start,
				     uint64_t size);

/*
 * Marks the pages of [start, start + size), bytes, of online hot-added memory as in use. Pages that
 * are not movable keep their memory from going offline. Returns 0, -EINVAL (empty, not aligned to
 * pages, not all online, boot memory, pages that hold the memmap), -EEXIST (some are held
 * already) or -ENOMEM.
 */
PGTSIM_API int pgtsim_use_memory(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size,
				 bool movable);

/*
 * Marks pages as free again. A page that was migrated is named by the address where it is now. Returns 0, -EINVAL (not all are
 * held) or -ENOMEM, with nothing changed.
 */
PGTSIM_API int pgtsim_unuse_memory(struct pgtsim_hotplug *hotplug, uint64_t start,
				   uint64_t size);

/*
 * pfn_to_online_page(): true if this frame's struct page may be looked at. Those of pages that hold
 * the memmap of part of a section may not.
 */
PGTSIM_API bool pgtsim_pfn_is_online(const struct pgtsim_hotplug *hotplug, uint64_t pfn);

/* A zone of a node as it is now; all 0 for one that is empty. */
PGTSIM_API struct pgtsim_zone_state pgtsim_zone_state(const struct pgtsim_hotplug *hotplug,
						      unsigned node, enum pgtsim_zone zone);

/* A whole node: from the first to the last page of its zones, and their sums. */
PGTSIM_API struct pgtsim_zone_state pgtsim_node_state(const struct pgtsim_hotplug *hotplug,
						      unsigned node);

/*
 * Who holds a frame of the machine: of boot memory what pgtsim_memory_owner() says; of memory that
 * was added, its altmap if that has handed the frame out, as far as its counter knows.
 */
PGTSIM_API enum pgtsim_owner pgtsim_frame_owner(const struct pgtsim_hotplug *hotplug, uint64_t pfn);

/* What is known of the section that holds this address. */
PGTSIM_API struct pgtsim_section_state pgtsim_section_state(const struct pgtsim_hotplug *hotplug,
							    uint64_t pa);

/*
 * pa, bytes, if the section that holds it has memory; else the start of the next one that has, or
 * UINT64_MAX. With pgtsim_section_state() this goes through all sections.
 */
PGTSIM_API uint64_t pgtsim_next_section(const struct pgtsim_hotplug *hotplug, uint64_t pa);

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
