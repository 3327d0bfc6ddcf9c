/* SPDX-License-Identifier: MIT */
/*
 * oracle: what a machine should look like, without page tables: a flat, sorted list of runs of
 * leaves and a sorted list of the tables that stand. It shares no code with the library; numbers
 * come from the Arm ARM (D8.3) and from arch/arm64 of the kernels that the profiles are named for.
 *
 * What it does not know are the frames that the page allocator hands out: those leaves have no
 * address here.
 */
#ifndef ORACLE_H
#define ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	ORACLE_RUNS_MAX = 2048,
	ORACLE_TABLES_MAX = 4096,
	ORACLE_RANGES_MAX = 32,
	ORACLE_ALTMAPS = 2,
	ORACLE_PTE = 3, /* the level's number; the root's is as low as -1 */
};

/* The kernels, in the order of their profiles. */
enum oracle_release { LINUX_5_7, LINUX_5_10, LINUX_5_14, LINUX_6_1, LINUX_6_12, LINUX_7_3 };

enum oracle_format { ORACLE_PLAIN, ORACLE_64K_52, ORACLE_LPA2 };

/* What a machine is made of. */
struct oracle_config {
	enum oracle_release release;
	unsigned page_shift, va, va_actual, pa; /* 12, 14, 16; bits */
	bool blocks, cont;                      /* of the linear map of hot-added memory */
	bool memmap_on_memory;
	bool keep_map, keep_populate; /* what was done before a failure stays */
	bool never_free_tables;
	uint64_t ram, ram_size;
};

struct oracle_level {
	unsigned shift;   /* log2 of the bytes that an entry covers */
	unsigned entries; /* of a table */
	unsigned group;   /* log2 of the entries of a contiguous group */
	bool block;
};

struct oracle_geometry {
	unsigned page_shift, va_bits, pa_bits;
	int root;
	enum oracle_format format;
	bool copies_49_48;
	struct oracle_level level[5]; /* by level + 1 */
};

/* Where the memory behind a leaf comes from. */
enum oracle_backing { ORACLE_BY_HAND, ORACLE_ALLOCATOR, ORACLE_ALTMAP };

/* Consecutive leaves of one level that have the same attributes and map consecutive memory. */
struct oracle_run {
	uint64_t va, last; /* inclusive */
	uint64_t pa;       /* of the first; unknown from the page allocator */
	uint64_t attrs;    /* all bits but the address */
	int level;
	enum oracle_backing backing;
	unsigned altmap;
};

struct oracle_table {
	uint64_t base;  /* the first address below it */
	uint64_t attrs; /* of the entry that points to it */
	int level;
};

struct oracle_altmap {
	uint64_t base, reserve, free, align, alloc;
};

/* A memory block, or the memory of a device. */
struct oracle_range {
	uint64_t start, size;
	bool device, online, self_hosted;
	int altmap;               /* of a device; -1: none */
	struct oracle_altmap own; /* of a block that holds its memmap */
};

struct oracle {
	struct oracle_config config;
	struct oracle_geometry geo;
	uint64_t linear, page_offset, page_end; /* -2^va in use; the bounds */
	uint64_t vmemmap, vmemmap_end;
	uint64_t page_of_0; /* where the struct page of PFN 0 would be */
	uint64_t memstart, section;
	uint64_t prot[5], vmemmap_page, vmemmap_block, linear_table, vmemmap_table;

	uint64_t fail_nth, fail_in; /* which allocation fails */
	bool fail_every;
	bool violates; /* the library has to report a violation for the last operation */
	bool stale;    /* after some operation a TLB may still hold what is gone */
	bool foreign;  /* it freed memory to another owner than it came from */

	struct oracle_altmap altmap[ORACLE_ALTMAPS];
	struct oracle_range range[ORACLE_RANGES_MAX];
	size_t ranges;
	size_t runs, tables;
	uint64_t lost; /* pages that were unmapped and not freed */
	bool full;     /* one of the lists was full */
	struct oracle_run run[ORACLE_RUNS_MAX];
	struct oracle_table table[ORACLE_TABLES_MAX]; /* by level, then base; not the root */
};

struct oracle_map {
	uint64_t va, pa, size;
	uint64_t attrs, table_attrs;
	bool blocks, cont;
};

void oracle_init(struct oracle *o, const struct oracle_config *config);
void oracle_copy(struct oracle *to, const struct oracle *from);
/* Copies back all but the violations, after a failure. */
void oracle_restore(struct oracle *o, const struct oracle *was);

/* Operations: 0 or a negative errno; after an error nothing has changed unless the config says so. */
int oracle_map(struct oracle *o, const struct oracle_map *map);
int oracle_unmap_range(struct oracle *o, uint64_t va, uint64_t size, bool free, int altmap);
int oracle_free_tables(struct oracle *o, uint64_t va, uint64_t size, uint64_t floor,
		       uint64_t ceiling);
int oracle_populate(struct oracle *o, uint64_t start, uint64_t end, int altmap, bool pages);
int oracle_vmemmap_free(struct oracle *o, uint64_t start, uint64_t end, int altmap);
int oracle_add(struct oracle *o, uint64_t start, uint64_t size, bool device, int altmap,
	       bool memmap_on_memory);
int oracle_remove(struct oracle *o, uint64_t start, uint64_t size);
int oracle_online(struct oracle *o, uint64_t start, uint64_t size);
int oracle_offline(struct oracle *o, uint64_t start, uint64_t size);

/* Parts of the hotplug operations. If they fail, what they did is not undone. */
int oracle_map_raw(struct oracle *o, const struct oracle_map *map);
int oracle_populate_raw(struct oracle *o, uint64_t start, uint64_t end,
			struct oracle_altmap *altmap, unsigned number, bool pages);
int oracle_free_memmap(struct oracle *o, uint64_t start, uint64_t end, struct oracle_altmap *altmap,
		       unsigned number);
bool oracle_alloc(struct oracle *o);
void oracle_fail(struct oracle *o, uint64_t nth, bool every);

/* The run that maps va, or NULL. */
const struct oracle_run *oracle_find(const struct oracle *o, uint64_t va);
bool oracle_mapped(const struct oracle *o, uint64_t va, uint64_t last);
const struct oracle_table *oracle_table_at(const struct oracle *o, int level, uint64_t va);
uint64_t oracle_leaves(const struct oracle *o);
uint64_t oracle_tables(const struct oracle *o, int level); /* root included */
uint64_t oracle_pages_allocated(const struct oracle *o);   /* tables included */
bool oracle_has_empty_table(const struct oracle *o);       /* wholly inside a region */
bool oracle_has_hole(const struct oracle *o);              /* hot-added memory that is not mapped */
bool oracle_shares_frames(const struct oracle *o);         /* an altmap handed a page out twice */

/* The descriptor of an entry: an output address and everything else. */
uint64_t oracle_desc(const struct oracle_geometry *geo, uint64_t pa, uint64_t attrs);
/* The output address of a valid one, and the bits that hold it. */
uint64_t oracle_address(const struct oracle_geometry *geo, uint64_t desc);
uint64_t oracle_address_bits(const struct oracle_geometry *geo);

static inline const struct oracle_level *oracle_level(const struct oracle *o, int level)
{
	return &o->geo.level[level + 1];
}

static inline uint64_t oracle_leaf_size(const struct oracle *o, int level)
{
	return UINT64_C(1) << oracle_level(o, level)->shift;
}

#endif
