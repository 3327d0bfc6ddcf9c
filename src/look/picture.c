/* SPDX-License-Identifier: MIT */
/* picture: the levels of a geometry, and which bits of an address index which. */
#include <pgtsim/dump.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "words.h"

static const char *block_use(const struct pgtsim_geometry *geo, int level)
{
	if (level == PGTSIM_PTE)
		return "pages";
	if (geo->block[pgtsim_slot(level)])
		return "used";
	return geo->block_legal[pgtsim_slot(level)] ? "legal" : "-";
}

static void print_level(const struct pgtsim_geometry *geo, int level, uint64_t va,
			const struct pgtsim_printer *out)
{
	unsigned slot = pgtsim_slot(level), shift = geo->shift[slot];
	char group[64] = "-";

	if (geo->cont[slot])
		snprintf(group, sizeof(group), "%u x %s = %s", pgtsim_cont_entries(geo, level),
			 pgtsim_size_word(shift).text,
			 pgtsim_size_word(shift + geo->cont[slot]).text);
	pgtsim_printf(out, "%-6s %5d  %-5s  %7u  %5s  %-6s  %-18s  %5u\n",
		      pgtsim_level_name(geo, level), level,
		      pgtsim_bits_word(shift, geo->bits[slot]).text, pgtsim_entries(geo, level),
		      pgtsim_size_word(shift).text, block_use(geo, level), group,
		      pgtsim_index(geo, level, va));
}

/* A column of the picture: the bits, whose they are, and what va has there. */
struct cell {
	char bits[24], name[8], value[24];
};

enum { MAX_CELLS = PGTSIM_MAX_LEVELS + 2 };

/* Cuts va into cells, highest bits first. Returns their number. */
static size_t cut(const struct pgtsim_geometry *geo, uint64_t va, struct cell *cells)
{
	int root = pgtsim_root_level(geo);
	unsigned top = geo->shift[pgtsim_slot(root)] + geo->bits[pgtsim_slot(root)];
	struct cell *cell = cells;

	memset(cells, 0, MAX_CELLS * sizeof(*cells));
	memcpy(cell->bits, pgtsim_bits_word(top, 64 - top).text, sizeof(cell->bits));
	snprintf(cell->value, sizeof(cell->value), "0x%" PRIx64, va >> top);
	cell++;
	for (int level = root; level <= PGTSIM_PTE; level++, cell++) {
		unsigned slot = pgtsim_slot(level);

		memcpy(cell->bits, pgtsim_bits_word(geo->shift[slot], geo->bits[slot]).text,
		       sizeof(cell->bits));
		snprintf(cell->name, sizeof(cell->name), "%s", pgtsim_level_name(geo, level));
		snprintf(cell->value, sizeof(cell->value), "%u", pgtsim_index(geo, level, va));
	}
	memcpy(cell->bits, pgtsim_bits_word(0, geo->page_shift).text, sizeof(cell->bits));
	snprintf(cell->name, sizeof(cell->name), "offset");
	snprintf(cell->value, sizeof(cell->value), "0x%" PRIx64, va & (pgtsim_page_size(geo) - 1));
	return (size_t)(cell - cells) + 1;
}

static int cell_width(const struct cell *cell)
{
	size_t width = strlen(cell->bits);

	if (strlen(cell->name) > width)
		width = strlen(cell->name);
	if (strlen(cell->value) > width)
		width = strlen(cell->value);
	return (int)width;
}

/* One line of the picture: the texts at this offset in each cell. */
static void print_row(const struct cell *cells, size_t count, size_t offset,
		      const struct pgtsim_printer *out)
{
	for (size_t i = 0; i < count; i++)
		pgtsim_printf(out, "| %-*s ", cell_width(&cells[i]),
			      (const char *)&cells[i] + offset);
	pgtsim_printf(out, "|\n");
}

static void print_rule(const struct cell *cells, size_t count, const struct pgtsim_printer *out)
{
	static const char dashes[] = "--------------------------------";

	for (size_t i = 0; i < count; i++)
		pgtsim_printf(out, "+%.*s", cell_width(&cells[i]) + 2, dashes);
	pgtsim_printf(out, "+\n");
}

static void print_picture(const struct pgtsim_geometry *geo, uint64_t va,
			  const struct pgtsim_printer *out)
{
	struct cell cells[MAX_CELLS];
	size_t count = cut(geo, va, cells);

	print_rule(cells, count, out);
	print_row(cells, count, offsetof(struct cell, bits), out);
	print_row(cells, count, offsetof(struct cell, name), out);
	print_row(cells, count, offsetof(struct cell, value), out);
	print_rule(cells, count, out);
}

void pgtsim_dump_geometry(const struct pgtsim_geometry *geo, uint64_t va,
			  const struct pgtsim_printer *out)
{
	static const char *const oa_names[] = {
		[PGTSIM_OA_48] = "",
		[PGTSIM_OA_64K_52] = " (PA[51:48] in bits 15:12 of a descriptor)",
		[PGTSIM_OA_LPA2] = " (LPA2: PA[51:50] in bits 9:8 of a descriptor)",
	};

	if (!geo || !out)
		return;
	pgtsim_printf(out, "granule %s, %u levels, VA of %u bits",
		      pgtsim_size_word(geo->page_shift).text, geo->levels, geo->va_bits);
	if (geo->config_va_bits != geo->va_bits)
		pgtsim_printf(out, " (a kernel of %u)", geo->config_va_bits);
	pgtsim_printf(out, ", PA of %u bits%s\n", geo->pa_bits, oa_names[geo->oa]);
	pgtsim_printf(out, "region 0x%016" PRIx64 " to 0x%016" PRIx64 "\n\n", pgtsim_va_start(geo),
		      pgtsim_va_last(geo));
	pgtsim_printf(out, "level   arch  bits   entries   each  blocks  %-18s  index\n",
		      "contiguous group");
	for (int level = pgtsim_root_level(geo); level <= PGTSIM_PTE; level++)
		print_level(geo, level, va, out);
	pgtsim_printf(out, "\n0x%016" PRIx64 "%s\n", va,
		      !pgtsim_va_inside(geo, va) ? ", outside the region:" : ":");
	print_picture(geo, va, out);
}
