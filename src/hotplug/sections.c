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

struct pgtsim_sections *pgtsim_sections_new(unsigned shift)
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

void pgtsim_sections_free(struct pgtsim_sections *sections)
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

struct section *pgtsim_sections_find(const struct pgtsim_sections *sections, uint64_t pa)
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

int pgtsim_sections_prepare(struct pgtsim_sections *sections, uint64_t start, uint64_t end)
{
	uint64_t first = start >> sections->shift >> PART_SHIFT;
	uint64_t last = (end - 1) >> sections->shift >> PART_SHIFT;

	for (uint64_t i = first; i <= last; i++) {
		if (sections->part[i])
			continue;
		sections->part[i] = calloc((size_t)1 << PART_SHIFT, sections->stride);
		if (!sections->part[i])
			return -ENOBUFS;
		for (size_t n = 0; n < (size_t)1 << PART_SHIFT; n++)
			section_in(sections, sections->part[i], n)->words = sections->words;
		if (sections->used <= i)
			sections->used = (size_t)i + 1;
	}
	return 0;
}

bool pgtsim_section_present(const struct section *section)
{
	uint64_t any = 0;

	for (unsigned i = 0; i < section->words; i++)
		any |= section->subsections[i];
	return any != 0;
}

uint64_t pgtsim_sections_next(const struct pgtsim_sections *sections, uint64_t pa, uint64_t end)
{
	const uint64_t size = UINT64_C(1) << sections->shift, part = size << PART_SHIFT;

	while (pa < end && pa < sections->used * part) {
		const struct section *section = pgtsim_sections_find(sections, pa);

		if (section && pgtsim_section_present(section))
			return pa;
		pa = section ? pa + size : (pa & ~(part - 1)) + part;
	}
	return end;
}

uint64_t pgtsim_sections_previous(const struct pgtsim_sections *sections, uint64_t start,
				  uint64_t end)
{
	const uint64_t size = UINT64_C(1) << sections->shift, part = size << PART_SHIFT;

	while (end > start) {
		const struct section *section = pgtsim_sections_find(sections, end - 1);

		if (section && pgtsim_section_present(section))
			return end;
		end = (end - 1) & ~((section ? size : part) - 1);
	}
	return start;
}

/* Sub-sections of one section that one word holds. */
struct word {
	uint64_t *bits; /* NULL: nothing near was ever added */
	uint64_t mask;  /* those that are meant */
	uint64_t next;  /* the address behind them */
};

/* The first word of the sub-sections that [pa, end) touches. */
static struct word word_at(const struct pgtsim_sections *sections, uint64_t pa, uint64_t end)
{
	const uint64_t size = UINT64_C(1) << sections->shift;
	const uint64_t whole = UINT64_C(64) << PGTSIM_SUBSECTION_SHIFT;
	struct section *section = pgtsim_sections_find(sections, pa);
	uint64_t next = (pa | ((size < whole ? size : whole) - 1)) + 1, first, last;

	if (next > end)
		next = end;
	first = (pa & (size - 1)) >> PGTSIM_SUBSECTION_SHIFT;
	last = ((next - 1) & (size - 1)) >> PGTSIM_SUBSECTION_SHIFT;
	return (struct word){
		.bits = section ? &section->subsections[first / 64] : NULL,
		.mask = UINT64_MAX << first % 64 & UINT64_MAX >> (63 - last % 64),
		.next = next,
	};
}

void pgtsim_sections_mark(struct pgtsim_sections *sections, uint64_t start, uint64_t end,
			  bool there)
{
	while (start < end) {
		const struct word word = word_at(sections, start, end);

		if (there)
			*word.bits |= word.mask;
		else
			*word.bits &= ~word.mask;
		start = word.next;
	}
}

bool pgtsim_sections_any(const struct pgtsim_sections *sections, uint64_t start, uint64_t end)
{
	while (start < end) {
		const struct word word = word_at(sections, start, end);

		if (word.bits && (*word.bits & word.mask))
			return true;
		start = word.next;
	}
	return false;
}

bool pgtsim_sections_all(const struct pgtsim_sections *sections, uint64_t start, uint64_t end)
{
	while (start < end) {
		const struct word word = word_at(sections, start, end);

		if (!word.bits || ~*word.bits & word.mask)
			return false;
		start = word.next;
	}
	return true;
}
