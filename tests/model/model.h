/* SPDX-License-Identifier: MIT */
/*
 * model: the rules of the checker, by brute force and on a toy. It shares no code with the checker:
 * it keeps every value that a walk may still see of every entry, and for every CPU the set of all
 * translations and table entries that its TLB and walk cache may hold. Three levels of four
 * entries, all tables there from the start; stores, barriers and invalidates by any CPU.
 *
 *   root 0..3 (pud) -> 4 tables (pmd) -> 16 tables (pte) -> 64 pages
 */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stdint.h>

enum {
	MODEL_CPUS = 2,
	MODEL_PUD = 0, /* levels, from the root on */
	MODEL_PMD = 1,
	MODEL_PTE = 2,
	MODEL_LEVELS = 3,
	MODEL_ANY_LEVEL = 3,
	MODEL_PAGES = 64,
	MODEL_VALUES = 32, /* of one entry in one program */
	MODEL_ITEMS = 64,  /* of one entry in a cache */
	MODEL_OPERATIONS = 64,
};

enum model_kind { MODEL_NONE, MODEL_TABLE, MODEL_LEAF };

/*
 * An entry's value. A table's `address` is its number (pmd table of root entry i: i; pte table of
 * pmd entry m of it: 4 * i + m), a leaf's the page number of its output address.
 */
struct model_value {
	enum model_kind kind;
	unsigned address;
	bool cont;     /* a leaf: the contiguous hint */
	bool readonly; /* a leaf, or all leaves below a table */
	bool device;   /* a leaf: another memory type */
	bool young;    /* a leaf without the access flag: it faults, and is never cached */
	bool soft;     /* a bit for software */
};

enum model_barrier {
	MODEL_DSB_ISHST,
	MODEL_DSB_ISHLD,
	MODEL_DSB_ISH, /* OSH and SY, too */
	MODEL_DSB_NSH,
	MODEL_DMB_ISHST, /* ISH, too */
	MODEL_ISB,
};

/* What an invalidate by VA removes, besides which CPUs it reaches. */
struct model_invalidate {
	unsigned page, pages; /* from this page on, each by its address */
	bool walk;            /* table entries, too */
	bool local;           /* of the CPU that issues it only */
	int level;            /* of this level only, or MODEL_ANY_LEVEL */
};

/* What can be wrong: a set of these. */
enum {
	MODEL_STALE = 1,             /* something may be cached that the tables no longer say */
	MODEL_NO_BREAK = 2,          /* a page's output changes while the old one may be cached */
	MODEL_OVERLAPPING_SIZES = 4, /* … or its size does */
	MODEL_NOT_VISIBLE = 8,       /* an entry is new, and a walk may still find none */
	MODEL_UNPUBLISHED = 16,      /* a table is linked before stores to it are ordered */
	MODEL_FREED = 32,            /* what is freed may still be reached */
};

struct model_cpus {
	unsigned bbm; /* level of FEAT_BBM */
	bool ets2;    /* FEAT_ETS2 */
};

struct model;

/* One with a table in every entry above the ptes, and none in those; group: log2 of its entries. */
struct model *model_new(unsigned group, const struct model_cpus *cpus);
void model_free(struct model *model);

/* True if the tables above the entry are linked, so that it can be stored to by its address. */
bool model_reachable(const struct model *model, int level, unsigned page);

/* True if the table that was below the entry at first is linked there. */
bool model_linked(const struct model *model, int level, unsigned page);

/* True if the tables map some page to this page of memory. */
bool model_mapped(const struct model *model, unsigned output);

/* A store by a CPU; returns what is wrong with the change itself, and in *at the first page. */
unsigned model_store(struct model *model, unsigned cpu, int level, unsigned page,
		     struct model_value value, unsigned *at);

void model_barrier(struct model *model, unsigned cpu, enum model_barrier barrier);

void model_invalidate(struct model *model, unsigned cpu, const struct model_invalidate *op);

/*
 * The table that was below an entry at first, or a page of memory, is freed. Returns MODEL_FREED if
 * a cache may lead there, and in *at the first page for which it does.
 */
unsigned model_free_table(const struct model *model, int level, unsigned page, unsigned *at);
unsigned model_free_page(const struct model *model, unsigned output, unsigned *at);

/* True if the contiguous hint is on some entries only of the group of `page`. */
bool model_misprogrammed(const struct model *model, int level, unsigned page);

/* What is wrong with an entry when an operation ends. Its contiguous group is judged apart. */
unsigned model_end(const struct model *model, int level, unsigned page);

#endif
