/* SPDX-License-Identifier: MIT */
/*
 * sections: the directory of what memory there is, for hotplug. A section is found by
 * arithmetic; nothing is allocated for memory that never came.
 *
 * Models struct mem_section and struct memory_block. Addresses are physical, in bytes.
 */
#ifndef PGTSIM_SECTIONS_H
#define PGTSIM_SECTIONS_H

#include <pgtsim/altmap.h>
#include <pgtsim/hotplug.h>

/* Memory that goes online and offline as one. */
struct memory_block {
	uint64_t start;
	bool online;
	enum pgtsim_zone zone; /* of an online one */
	unsigned node;
	uint64_t memmap_pages;       /* at its start, for its own memmap; 0: none */
	struct pgtsim_altmap altmap; /* over those, if there are any */
};

struct section {
	bool early;
	bool offline;               /* an early one: only without the guard of boot memory */
	uint8_t words;              /* of subsections[] */
	struct memory_block *block; /* NULL: boot memory, or a device's */
	uint64_t subsections[];     /* a bit for each that is there */
};

struct pgtsim_sections *pgtsim_sections_new(unsigned shift);
void pgtsim_sections_free(struct pgtsim_sections *sections);

/* The section that holds pa, or NULL if nothing near it was ever added. */
struct section *pgtsim_sections_find(const struct pgtsim_sections *sections, uint64_t pa);

/* Makes the directory hold [start, end), so that pgtsim_sections_find() does not fail there. */
int pgtsim_sections_prepare(struct pgtsim_sections *sections, uint64_t start, uint64_t end);

/* The address of the first section from pa on, below end, that has memory; end if there is none. */
uint64_t pgtsim_sections_next(const struct pgtsim_sections *sections, uint64_t pa, uint64_t end);

/* The end, at most `end`, of the last section above start that has memory; start if there is none. */
uint64_t pgtsim_sections_previous(const struct pgtsim_sections *sections, uint64_t start,
				  uint64_t end);

/* Sets or clears the sub-sections that [start, end) touches, in whatever sections. */
void pgtsim_sections_mark(struct pgtsim_sections *sections, uint64_t start, uint64_t end,
			  bool there);

/* True if any, or every, sub-section of [start, end) is present. */
bool pgtsim_sections_any(const struct pgtsim_sections *sections, uint64_t start, uint64_t end);
bool pgtsim_sections_all(const struct pgtsim_sections *sections, uint64_t start, uint64_t end);

/* Memory that a driver added, until the driver removes it. */
struct pgtsim_device {
	uint64_t start, size;
	struct pgtsim_altmap *altmap;
	struct pgtsim_device *next;
};

/* True if any sub-section of it is present. */
bool pgtsim_section_present(const struct section *section);

#endif
