/* SPDX-License-Identifier: MIT */
#include <pgtsim/format.h>

/* A bit of the architecture's entry, and the bit that it is kept in. */
struct move {
	uint8_t raw, kept;
};

enum { MOVES_MAX = 10 };

/*
 * One kind of entry. The bits that move away are those that others move to, so that nothing is lost:
 * where a bit of arm64's form has no counterpart, the architecture's bits above the address, which
 * are 0, stand in for it.
 */
struct entry_format {
	uint64_t empty;   /* its value; kept as 0 */
	uint64_t implied; /* kept bits that a valid entry has inverted */
	struct move move[MOVES_MAX];
	unsigned moves;
};

/* Bits of arm64's form. */
enum { VALID = 0, TABLE = 1, NS = 5, AP2 = 7, AF = 10, NG = 11, PXN = 53 };

/* A valid entry is a table unless a bit says large, and is always accessed: s390 has no such flag. */
#define IMPLIED (PGTSIM_DESC_TABLE | PGTSIM_DESC_AF)

/* Region and segment entries: I 0x20, P 0x200, large 0x400, no-execute 0x100. */
#define UPPER(type)                                                                        \
	{                                                                                  \
		.empty = (type) | PGTSIM_S390_INVALID, .implied = IMPLIED, .moves = 9,     \
		.move = { { 5, VALID }, { 10, TABLE }, { 9, AP2 },  { 8, PXN }, { 49, AF }, \
			  { 0, NS },    { 1, 49 },     { 7, 8 },    { 53, 9 } },           \
	}

/* Page entries: I 0x400; bit 0x800 must be 0 in a valid one. */
#define PAGE                                                                                   \
	{                                                                                      \
		.empty = PGTSIM_S390_PTE_INVALID, .implied = IMPLIED, .moves = 9,              \
		.move = { { 10, VALID }, { 11, TABLE }, { 9, AP2 }, { 8, PXN }, { 49, AF },    \
			  { 0, 49 },     { 1, NG },     { 7, 8 },   { 53, 9 } },               \
	}

static const struct entry_format s390[PGTSIM_MAX_LEVELS] = {
	UPPER(0x0c), UPPER(0x08), UPPER(0x04), UPPER(0x00), PAGE,
};

/* NULL: arm64's, which are kept as they are. */
static const struct entry_format *const formats[PGTSIM_FORMAT_COUNT] = {
	[PGTSIM_FORMAT_S390] = s390,
};

const char *pgtsim_format_name(enum pgtsim_format format)
{
	static const char *const names[] = {
		[PGTSIM_FORMAT_ARM64] = "arm64",
		[PGTSIM_FORMAT_S390] = "s390",
	};

	return (unsigned)format < PGTSIM_FORMAT_COUNT ? names[format] : NULL;
}

/* NULL if entries are kept as they are. */
static const struct entry_format *format_of(const struct pgtsim_geometry *geo, int level)
{
	if (!geo || geo->format >= PGTSIM_FORMAT_COUNT || !formats[geo->format] ||
	    level < PGTSIM_PGD || level > PGTSIM_PTE)
		return NULL;
	return &formats[geo->format][pgtsim_slot(level)];
}

static uint64_t moved(const struct entry_format *format, uint64_t value, bool back)
{
	uint64_t from = 0, to = 0;

	for (unsigned i = 0; i < format->moves; i++) {
		const struct move *move = &format->move[i];
		unsigned source = back ? move->kept : move->raw;
		unsigned target = back ? move->raw : move->kept;

		from |= PGTSIM_BIT(source);
		to |= (value >> source & 1) << target;
	}
	return (value & ~from) | to;
}

uint64_t pgtsim_desc_from_raw(const struct pgtsim_geometry *geo, int level, uint64_t raw)
{
	const struct entry_format *format = format_of(geo, level);
	uint64_t desc;

	if (!format)
		return raw;
	desc = moved(format, raw ^ format->empty, false);
	return desc & PGTSIM_DESC_VALID ? desc ^ format->implied : desc;
}

uint64_t pgtsim_desc_to_raw(const struct pgtsim_geometry *geo, int level, uint64_t desc)
{
	const struct entry_format *format = format_of(geo, level);

	if (!format)
		return desc;
	if (desc & PGTSIM_DESC_VALID)
		desc ^= format->implied;
	return moved(format, desc, true) ^ format->empty;
}

uint64_t pgtsim_desc_empty(const struct pgtsim_geometry *geo, int level)
{
	return pgtsim_desc_to_raw(geo, level, 0);
}
