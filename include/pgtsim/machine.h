/* SPDX-License-Identifier: MIT */
/*
 * machine: one simulated machine. Takes its policy from a profile, places the kernel's regions, and
 * owns all the parts that the headers before this one describe.
 *
 * Threads: different machines have nothing in common. One machine is one thread's, unless it was
 * created with access = PGTSIM_ACCESS_SHARED. Then hotplug operations and those on the vmemmap
 * still exclude each other, by a lock of the caller's: the kernel's mem_hotplug lock. Beside one
 * of them any number of threads may map, unmap, walk and translate addresses that are not of
 * hot-added memory, as pgtable.h says, allocate and free pages of its memory, and look at memory that stays.
 */
#ifndef PGTSIM_MACHINE_H
#define PGTSIM_MACHINE_H

#include <pgtsim/hotplug.h>
#include <pgtsim/protect.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A kernel image in boot memory, physical addresses and bytes, all multiples of 64 KiB: its head (64
 * KiB), then text, rodata, init, data with bss, in all less than 2 GiB, as far as modules reach.
 * boot=true maps it as 6.12 and later do without KASLR, after boot: in the vmalloc region text
 * read-only and executable, head and rodata read-only, data writable, init not at all; in the linear
 * map head, text and rodata read-only, data writable or, from 7.1 on, invalid. Init memory is RAM like
 * any other.
 */
struct pgtsim_image {
	uint64_t start; /* of the head: _text */
	uint64_t text, rodata, init, data; /* sizes; if all are 0, there is no image */
	/* KFENCE's pool, whole pages, which the linear map maps by pages: the first page and each second
	 * one are guards, which are invalid. Both ends 0: there is none. */
	struct pgtsim_ram kfence;
};

/* The kernel's command line: whether pages of the linear map may change one by one. */
enum pgtsim_rodata {
	PGTSIM_RODATA_FULL,    /* they may, and aliases of vmalloc's pages become read-only with those */
	PGTSIM_RODATA_NOALIAS, /* they may not, unless KFENCE or another user of it comes late */
};

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
	bool bbml2;                  /* [false] the CPU has FEAT_BBM level 3, Linux's BBML2_NOABORT */
	bool kpti;                   /* [false] the kernel's leaves are not global (nG) */
	bool repeat_tlbi;            /* [false] the kernel repeats invalidates: tlb.h */
	struct pgtsim_error *error;  /* [NULL] receives why no machine could be made */
	uint8_t format;              /* [arm64] enum pgtsim_format; see pgtsim_machine_config_s390() */
	uint8_t edat;                /* [0] of s390: pgtsim_geometry_s390() */
	const struct pgtsim_image *image; /* [NULL] with boot; the caller's, read while creating */
	uint8_t rodata;              /* [full] enum pgtsim_rodata */
	uint8_t reserved[39];        /* 0; a new member takes its room from here, and moves no other */
};

/* Its parts may be read freely; change them through their own functions. */
struct pgtsim_machine {
	struct pgtsim_geometry geo;
	struct pgtsim_policy policy;
	struct pgtsim_layout layout;
	struct pgtsim_memory *memory;
	struct pgtsim_tlb tlb;
	struct pgtsim_pgtable pgt;
	struct pgtsim_vmemmap vmemmap;
	struct pgtsim_hotplug hotplug;
	struct pgtsim_declared *declared; /* the library's own */
	struct pgtsim_error error; /* why the operation that failed last did: pgtsim_machine_reason() */
	uint8_t rodata;            /* enum pgtsim_rodata */
};

/*
 * The defaults with the profile of this name. Returns 0, -ENOENT (no such profile; the rest is set)
 * or -EINVAL (NULL).
 */
PGTSIM_API int pgtsim_machine_config_init(struct pgtsim_machine_config *config,
					  const char *profile);

/*
 * The defaults of an s390 machine, with a profile of that architecture: pages of 4K, va_bits 42,
 * EDAT1, RAM from 0 on, sections of 256 MiB. Its page table has s390's entries (format.h), and an engine
 * adds and removes as arch/s390/mm/vmem.c does. What of the configuration is arm64's is not looked at:
 * va_actual, pa_bits, blocks, cont, tlbi_range, bbml2, kpti, repeat_tlbi. Returns as the function above.
 */
PGTSIM_API int pgtsim_machine_config_s390(struct pgtsim_machine_config *config,
					  const char *profile);

/*
 * Creates a machine: an empty root table, all counters 0 but the root's, unless config->boot.
 * Returns 0 with the machine in *out, freed by pgtsim_machine_free(); -EINVAL (a geometry that
 * there is none of or that the profile's kernel cannot run, RAM that is unaligned, overlapping
 * or out of reach of the linear map, sizes, no such access, NULL); -ENOMEM
 * (boot memory is too small); -ENOBUFS (the host is out of memory). *config->error says which, if
 * that is not NULL; its code is 0 if there is a machine.
 */
PGTSIM_API int pgtsim_machine_new(struct pgtsim_machine **out,
				  const struct pgtsim_machine_config *config);

/* Frees it with everything in it, and sets *machine to NULL. NULL is allowed, as is *machine NULL. */
PGTSIM_API void pgtsim_machine_free(struct pgtsim_machine **machine);

/*
 * Why an operation on the machine, or on a part of it, returned `result`, a negative errno: one
 * sentence with the numbers, without a period. Call it right after the operation: the text is
 * overwritten by the next one that fails. If no more is known, what the errno means here. Never NULL.
 * pgtsim_translate() does not count: its *out says why.
 */
PGTSIM_API const char *pgtsim_machine_reason(const struct pgtsim_machine *machine, int result);

/*
 * Whether the host was out of memory once, in whatever the machine did. It stays true: results and
 * violations since then, and that there were none, are not to be believed.
 */
PGTSIM_API bool pgtsim_machine_out_of_host_memory(const struct pgtsim_machine *machine);

/*
 * Accessors for other languages. The members of struct pgtsim_machine are what C programs use. NULL
 * without a machine.
 */
PGTSIM_API struct pgtsim_tlb *pgtsim_machine_tlb(struct pgtsim_machine *machine);
PGTSIM_API struct pgtsim_pgtable *pgtsim_machine_pgtable(struct pgtsim_machine *machine);
PGTSIM_API struct pgtsim_hotplug *pgtsim_machine_hotplug(struct pgtsim_machine *machine);
PGTSIM_API const struct pgtsim_layout *pgtsim_machine_layout(const struct pgtsim_machine *machine);
PGTSIM_API const struct pgtsim_policy *pgtsim_machine_policy(const struct pgtsim_machine *machine);

/* The address in the vmalloc region at which an image maps this physical address of it. */
PGTSIM_API uint64_t pgtsim_image_va(const struct pgtsim_machine *machine,
				    const struct pgtsim_image *image, uint64_t pa);

/* What is meant although it looks like a mistake, of a range of virtual addresses. */
enum pgtsim_meaning {
	PGTSIM_MEANT_INVALID,  /* leaves of the linear map or the memmap may be invalid or missing */
	PGTSIM_SHARED_MEMMAP,  /* memmap pages may share their frame: HVO, device-dax compound pages */
	PGTSIM_VMALLOC,        /* one area of vmalloc(), for pgtsim_set_memory(): VM_ALLOC */
	PGTSIM_VMALLOC_HUGE,   /* one that may have huge mappings: VM_ALLOW_HUGE_VMAP, too */
};

/*
 * Declares [va, va + size) so: pgtsim_check_machine() reports no linear-hole or memmap-hole, or no
 * backing-shared, there. A leaf that is mapped to other memory is reported all the same, as is a
 * frame that a page outside shares. Invalid leaves that the profile marks by bit 11 need no
 * declaration. Returns 0, -EINVAL (size 0 or beyond the end of the addresses, not whole pages, no
 * such meaning) or -ENOBUFS (the host is out of memory).
 */
PGTSIM_API int pgtsim_declare(struct pgtsim_machine *machine, uint64_t va, uint64_t size,
			      enum pgtsim_meaning what);

/* Whether va was declared so; *last receives the last byte of the declaration that reaches furthest. */
PGTSIM_API bool pgtsim_is_declared(const struct pgtsim_machine *machine, uint64_t va,
				   enum pgtsim_meaning what, uint64_t *last);

/*
 * set_memory_ro(), _rw(), _x() or _nx(): changes a part of one vmalloc area, and, if it becomes
 * read-only or writable with rodata=full, first the pages in the linear map behind the whole area (up
 * to 6.18) or behind that part (knob alias-change). Each of these changes is one of pgtsim_protect(),
 * with a flush of its own; a failure leaves those before it. Returns what that returns, and -EINVAL for
 * another change, if no area that was declared holds all of it, and with huge-areas=refused (from 6.18
 * on) if the area may have huge mappings (else, blocks in it are -EINVAL).
 */
PGTSIM_API int pgtsim_set_memory(struct pgtsim_machine *machine, uint64_t va, uint64_t size,
				 enum pgtsim_protect what);

/*
 * set_direct_map_invalid_noflush(), _valid_noflush() or _default_noflush(): changes pages of the linear
 * map by pgtsim_protect() without a flush. Where they may not change one by one it does nothing and
 * returns 0. Returns what pgtsim_protect() returns; -EINVAL for another change or region.
 */
PGTSIM_API int pgtsim_set_direct_map(struct pgtsim_machine *machine, uint64_t va, uint64_t size,
				     enum pgtsim_protect what);

/* can_set_direct_map(): whether pages of the linear map may change one by one. False for NULL. */
PGTSIM_API bool pgtsim_can_set_direct_map(const struct pgtsim_machine *machine);

/*
 * Floor and ceiling of the region of the kernel layout that holds all of [start, end): the
 * linear map's, the vmemmap's, or none (0, 0).
 */
PGTSIM_API void pgtsim_machine_bounds(const struct pgtsim_machine *machine, uint64_t start,
				      uint64_t end, uint64_t *floor, uint64_t *ceiling);

/*
 * Why pgtsim_iomem_read() of the same arguments returns -EINVAL: sets *error. Returns 0 with the code
 * 0 if it does not, or -EINVAL, alone with NULL.
 */
PGTSIM_API int pgtsim_iomem_explain(const char *text, size_t length, uint32_t granule,
				    struct pgtsim_error *error);

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
