/* SPDX-License-Identifier: MIT */
#include "sections.h"

#include <errno.h>
#include <stdlib.h>

enum {
	PA_BITS = 52,
	PART_SHIFT = 8, /* sections in one part of the directory, log2 */
};

struct pgtsim_sections {
	unsigned shift; /* log2 of the section size */
	uint8_t words;  /* of a section's bits */
	size_t stride;  /* bytes of a section with those */
	size_t parts;
	size_t used; /* parts up to the last that is there */
	char *part[];
};

struct pgtsim_sections *sections_new(unsigned shift)
{
	size_t parts = (size_t)1 << (PA_BITS - shift - PART_SHIFT);
	struct pgtsim_sections *sections;

	sections = calloc(1, sizeof(*sections) + parts * sizeof(sections->part[0]));
	if (sections) {
		sections->shift = shift;
		sections->parts = parts;
		sections->words = (uint8_t)(((1u << (shift - PGTSIM_SUBSECTION_SHIFT)) + 63) / 64);
		sections->stride = sizeof(struct section) + sections->words * sizeof(uint64_t);
	}
	return sections;
}

void sections_free(struct pgtsim_sections *sections)
{
	if (!sections)
		return;
	for (size_t i = 0; i < sections->used; i++)
		free(sections->part[i]);
	free(sections);
}

static struct section *section_in(const struct pgtsim_sections *sections, char *part, size_t i)
{
	return (struct section *)(void *)(part + i * sections->stride);
}

struct section *sections_find(const struct pgtsim_sections *sections, uint64_t pa)
{
	uint64_t number = pa >> sections->shift;
	char *part;

	if (pa >> PA_BITS)
		return NULL;
	part = sections->part[number >> PART_SHIFT];
	if (!part)
		return NULL;
	return section_in(sections, part, (size_t)number & ((1u << PART_SHIFT) - 1));
}

int sections_prepare(struct pgtsim_sections *sections, uint64_t start, uint64_t end)
{
	uint64_t first = start >> sections->shift >> PART_SHIFT;
	uint64_t last = (end - 1) >> sections->shift >> PART_SHIFT;

	for (uint64_t i = first; i <= last; i++) {
		if (sections->part[i])
			continue;
		sections->part[i] = calloc((size_t)1 << PART_SHIFT, sections->stride);
		if (!sections->part[i])
			return -ENOMEM;
		for (size_t n = 0; n < (size_t)1 << PART_SHIFT; n++)
			section_in(sections, sections->part[i], n)->words = sections->words;
		if (sections->used <= i)
			sections->used = (size_t)i + 1;
	}
	return 0;
}

bool section_present(const struct section *section)
{
	uint64_t any = 0;

	for (unsigned i = 0; i < section->words; i++)
		any |= section->subsections[i];
	return any != 0;
}

uint64_t sections_next(const struct pgtsim_sections *sections, uint64_t pa, uint64_t end)
{
	const uint64_t size = UINT64_C(1) << sections->shift, part = size << PART_SHIFT;

	while (pa < end && pa < sections->used * part) {
		const struct section *section = sections_find(sections, pa);

		if (section && section_present(section))
			return pa;
		pa = section ? pa + size : (pa & ~(part - 1)) + part;
	}
	return end;
}

/* The bit of the sub-section that holds pa, and the word it stands in. */
static uint64_t subsection_bit(const struct pgtsim_sections *sections, uint64_t pa, unsigned *word)
{
	uint64_t offset = pa & ((UINT64_C(1) << sections->shift) - 1);
	unsigned number = (unsigned)(offset >> PGTSIM_SUBSECTION_SHIFT);

	*word = number / 64;
	return UINT64_C(1) << number % 64;
}

/* Walks the sub-sections that [start, end) touches. */
#define for_each_subsection(pa, start, end)                                                        \
	for (uint64_t pa = (start) >> PGTSIM_SUBSECTION_SHIFT << PGTSIM_SUBSECTION_SHIFT;          \
	     pa < (end); pa += UINT64_C(1) << PGTSIM_SUBSECTION_SHIFT)

void sections_mark(struct pgtsim_sections *sections, uint64_t start, uint64_t end, bool there)
{
	for_each_subsection(pa, start, end) {
		struct section *section = sections_find(sections, pa);
		unsigned word;
		uint64_t bit = subsection_bit(sections, pa, &word);

		if (there)
			section->subsections[word] |= bit;
		else
			section->subsections[word] &= ~bit;
	}
}

static bool is_there(const struct pgtsim_sections *sections, uint64_t pa)
{
	const struct section *section = sections_find(sections, pa);
	unsigned word;
	uint64_t bit = subsection_bit(sections, pa, &word);

	return section && (section->subsections[word] & bit);
}

bool sections_any(const struct pgtsim_sections *sections, uint64_t start, uint64_t end)
{
	for_each_subsection(pa, start, end)
		if (is_there(sections, pa))
			return true;
	return false;
}

bool sections_all(const struct pgtsim_sections *sections, uint64_t start, uint64_t end)
{
	for_each_subsection(pa, start, end)
		if (!is_there(sections, pa))
			return false;
	return true;
}
