/* SPDX-License-Identifier: MIT */
/* kernel: s390's own functions, compiled for the host, and the machine below them. */
#ifndef S390_KERNEL_H
#define S390_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

/* The machine: RAM is host memory at `memory`, the rest is told by calls. */
struct s390_world {
	unsigned char *memory;
	bool edat1, edat2;
	uint64_t root; /* PA of the top table, and which it is: 3 region-second, 2 region-third */
	unsigned root_type;
	uint64_t marked; /* bytes that were marked as unused */
	bool fault;      /* the kernel has touched a memmap that is not mapped */
	/* A block of 2^order pages, its PA; 0: there is none. */
	uint64_t (*alloc)(void *ctx, unsigned order);
	void (*free)(void *ctx, uint64_t pa, unsigned order);
	void (*store)(void *ctx, uint64_t pa, uint64_t value);
	void (*idte)(void *ctx);
	void *ctx;
};

/* The members of struct vmem_altmap that both sides have; pages. */
struct s390_altmap {
	uint64_t base_pfn, end_pfn, reserve, free, align, alloc;
};

/* One build of the functions: sizeof(struct page) is a constant there. */
struct s390_kernel {
	const char *source;
	unsigned struct_page;
	bool splits; /* leaves of 2G that a removal cuts, and has the bits of software that came with it */
	bool leaf_at_zero; /* large leaves may map address 0 */
	bool altmaps;      /* are used */
	void (*begin)(struct s390_world *world);
	int (*add)(uint64_t start, uint64_t size);    /* vmem_add_mapping() */
	void (*remove)(uint64_t start, uint64_t size); /* vmem_remove_mapping() */
	int (*populate)(uint64_t start, uint64_t end, struct s390_altmap *altmap);
	void (*free)(uint64_t start, uint64_t end, struct s390_altmap *altmap);
};

#endif
