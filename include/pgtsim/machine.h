/* SPDX-License-Identifier: MIT */
/*
 * machine: one simulated machine. Takes its policy from a profile, places the kernel's regions,
 * and owns all the rooms below.
 *
 * Threads: different machines have nothing in common. One machine is one thread's, unless it was
 * created with access = PGTSIM_ACCESS_SHARED. Then hotplug operations and those on the vmemmap
 * still exclude each other, by a lock of the caller's: the kernel's mem_hotplug lock. Beside one
 * of them any number of threads may map, unmap, walk and translate what is no hot-added memory, as
 * pgtable.h says, allocate and free pages of its memory, and look at memory that stays.
 */
#ifndef PGTSIM_MACHINE_H
#define PGTSIM_MACHINE_H

#include <pgtsim/hotplug.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Fill with pgtsim_machine_config_init(), then change what should differ. */
struct pgtsim_machine_config {
	struct pgtsim_policy policy; /* of the profile; single knobs may be changed */
	uint32_t granule;            /* bytes [4096] */
	unsigned va_bits;            /* CONFIG_ARM64_VA_BITS [48] */
	unsigned va_actual;          /* [0: the same] when the CPU lacks 52 bits */
	unsigned pa_bits;            /* [0: 52 if va_bits is 52, else 48] */
	const struct pgtsim_ram *ram; /* boot memory, bytes; the caller's, read while creating */
	size_t ram_count;            /* [0: 0x40000000 + 1 GiB] */
	uint64_t section_size;       /* bytes [0: 128 MiB; 512 MiB with 64K] */
	uint64_t block_size;         /* bytes [0: one section] */
	unsigned struct_page;        /* bytes [64]; 56 or 64 */
	bool blocks, cont;           /* [false] what hot-add's linear map may use */
	enum pgtsim_memmap_on_memory memmap_on_memory; /* [off] */
	bool tlbi_range;             /* [false] the CPU has TLB range operations */
	bool boot;                   /* [false] build boot memory's linear map and memmap first */
	enum pgtsim_access access;   /* [private] shared: for several threads, see above */
	bool checker;                /* [true] track what may still be cached; not if access is shared */
	bool bbml2;                  /* [false] the CPU has FEAT_BBM, level 2 */
};

/* Read its rooms freely; change them through their own functions. */
struct pgtsim_machine {
	struct pgtsim_geometry geo;
	struct pgtsim_policy policy;
	struct pgtsim_layout layout;
	struct pgtsim_memory *memory;
	struct pgtsim_tlb tlb;
	struct pgtsim_pgtable pgt;
	struct pgtsim_vmemmap vmemmap;
	struct pgtsim_hotplug hotplug;
};

/* The defaults with the profile of this name. Returns 0 or -ENOENT (no such profile). */
PGTSIM_API int pgtsim_machine_config_init(struct pgtsim_machine_config *config,
					  const char *profile);

/*
 * Creates a machine: an empty root table, all counters 0 but the root's, unless config->boot.
 * Returns 0 with the machine in *out, freed by pgtsim_machine_free(); -EINVAL (a geometry that
 * there is none of or that the profile's kernel cannot run, RAM that is unaligned, overlapping
 * or out of reach of the linear map, sizes); -ENOMEM.
 */
PGTSIM_API int pgtsim_machine_new(struct pgtsim_machine **out,
				  const struct pgtsim_machine_config *config);

/* Frees it with everything in it, and sets *machine to NULL. NULL is allowed. */
PGTSIM_API void pgtsim_machine_free(struct pgtsim_machine **machine);

/* A machine's rooms, for callers in other languages, to whom its layout in memory is nothing. */
PGTSIM_API struct pgtsim_tlb *pgtsim_machine_tlb(struct pgtsim_machine *machine);
PGTSIM_API struct pgtsim_pgtable *pgtsim_machine_pgtable(struct pgtsim_machine *machine);
PGTSIM_API struct pgtsim_hotplug *pgtsim_machine_hotplug(struct pgtsim_machine *machine);
PGTSIM_API const struct pgtsim_layout *pgtsim_machine_layout(const struct pgtsim_machine *machine);
PGTSIM_API const struct pgtsim_policy *pgtsim_machine_policy(const struct pgtsim_machine *machine);

/*
 * Floor and ceiling of the region of the kernel layout that holds all of [start, end): the
 * linear map's, the vmemmap's, or none (0, 0).
 */
PGTSIM_API void pgtsim_machine_bounds(const struct pgtsim_machine *machine, uint64_t start,
				      uint64_t end, uint64_t *floor, uint64_t *ceiling);

/*
 * Reads "System RAM" of a /proc/iomem listing, rounded inwards to pages of `granule` bytes. Writes
 * at most `room` ranges and returns how many there are, or -EINVAL (not such a listing, or one
 * whose addresses are hidden from the user that made it).
 */
PGTSIM_API int pgtsim_iomem_read(const char *text, size_t length, uint32_t granule,
				 struct pgtsim_ram *ram, size_t room);

#ifdef __cplusplus
}
#endif

#endif
