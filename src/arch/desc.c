/* SPDX-License-Identifier: MIT */
#include <pgtsim/desc.h>

#include <assert.h>

#include "address.h"

/* A field of struct pgtsim_desc and where the descriptor keeps it. */
struct field {
	uint8_t offset, shift, width;
};

#define FIELD(name, shift, width)                                \
	{                                                        \
		offsetof(struct pgtsim_desc, name), shift, width \
	}

static const struct field leaf_fields[] = {
	FIELD(attr_index, 2, 3), FIELD(ns, 5, 1),   FIELD(ap, 6, 2),   FIELD(sh, 8, 2),
	FIELD(af, 10, 1),        FIELD(ng, 11, 1),  FIELD(gp, 50, 1),  FIELD(dbm, 51, 1),
	FIELD(cont, 52, 1),      FIELD(pxn, 53, 1), FIELD(uxn, 54, 1), FIELD(dirty, 55, 1),
};

static const struct field table_fields[] = {
	FIELD(af, 10, 1),       FIELD(pxn_table, 59, 1), FIELD(uxn_table, 60, 1),
	FIELD(ap_table, 61, 2), FIELD(ns_table, 63, 1),
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static_assert(sizeof(bool) == 1, "fields of struct pgtsim_desc are reached as single bytes");
static_assert(sizeof(struct pgtsim_desc) <= UINT8_MAX, "an offset must fit in struct field");

/* Bits of a leaf that hold an address in this geometry, and attributes in others. */
static uint64_t not_attributes(const struct pgtsim_geometry *geo)
{
	return geo->oa == PGTSIM_OA_LPA2 ? PGTSIM_DESC_SH_MASK : 0;
}

enum pgtsim_kind pgtsim_desc_kind(int level, uint64_t desc)
{
	if (desc == 0)
		return PGTSIM_NONE;
	if (!(desc & PGTSIM_DESC_VALID))
		return PGTSIM_INVALID;
	if (level == PGTSIM_PTE)
		return desc & PGTSIM_DESC_TABLE ? PGTSIM_PAGE : PGTSIM_INVALID;
	return desc & PGTSIM_DESC_TABLE ? PGTSIM_TABLE : PGTSIM_BLOCK;
}

const char *pgtsim_kind_name(enum pgtsim_kind kind)
{
	static const char *const names[] = {
		[PGTSIM_NONE] = "none",   [PGTSIM_INVALID] = "invalid", [PGTSIM_TABLE] = "table",
		[PGTSIM_BLOCK] = "block", [PGTSIM_PAGE] = "page",
	};

	return (size_t)kind < COUNT(names) ? names[kind] : NULL;
}

uint64_t pgtsim_desc_address(const struct pgtsim_geometry *geo, int level, uint64_t desc)
{
	if (!geo || !pgtsim_is_level(level))
		return 0;
	return pgtsim_address(geo, level, desc);
}

uint64_t pgtsim_desc_oa(const struct pgtsim_geometry *geo, uint64_t pa)
{
	if (!geo)
		return 0;
	return pgtsim_oa_bits(geo, pa);
}

uint64_t pgtsim_desc_leaf(const struct pgtsim_geometry *geo, int level, uint64_t pa, uint64_t attrs)
{
	if (!geo)
		return 0;
	return pgtsim_leaf(geo, level, pa, attrs);
}

uint64_t pgtsim_desc_table(const struct pgtsim_geometry *geo, uint64_t pa, uint64_t attrs)
{
	if (!geo)
		return 0;
	return pgtsim_table_desc(geo, pa, attrs);
}

static void take_apart(struct pgtsim_desc *out, uint64_t desc, const struct field *fields,
		       size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct field *field = &fields[i];

		((uint8_t *)out)[field->offset] =
			(uint8_t)(desc >> field->shift & (PGTSIM_BIT(field->width) - 1));
	}
}

static uint64_t put_together(const struct pgtsim_desc *in, const struct field *fields, size_t count)
{
	uint64_t desc = 0;

	for (size_t i = 0; i < count; i++) {
		const struct field *field = &fields[i];
		uint64_t value = ((const uint8_t *)in)[field->offset];

		desc |= (value & (PGTSIM_BIT(field->width) - 1)) << field->shift;
	}
	return desc;
}

void pgtsim_desc_decode(const struct pgtsim_geometry *geo, int level, uint64_t desc,
			struct pgtsim_desc *out)
{
	if (!geo || !out)
		return;
	*out = (struct pgtsim_desc){
		.kind = pgtsim_desc_kind(level, desc),
		.address = pgtsim_desc_address(geo, level, desc),
	};
	if (out->kind == PGTSIM_TABLE)
		take_apart(out, desc, table_fields, COUNT(table_fields));
	else if (out->kind == PGTSIM_BLOCK || out->kind == PGTSIM_PAGE)
		take_apart(out, desc & ~not_attributes(geo), leaf_fields, COUNT(leaf_fields));
}

uint64_t pgtsim_desc_encode(const struct pgtsim_geometry *geo, int level,
			    const struct pgtsim_desc *in)
{
	if (!in)
		return 0;
	switch (in->kind) {
	case PGTSIM_TABLE:
		return pgtsim_desc_table(geo, in->address,
					 put_together(in, table_fields, COUNT(table_fields)));
	case PGTSIM_BLOCK:
	case PGTSIM_PAGE:
		return pgtsim_desc_leaf(geo, level, in->address,
					put_together(in, leaf_fields, COUNT(leaf_fields)));
	case PGTSIM_NONE:
	case PGTSIM_INVALID:
		break;
	}
	return 0;
}

uint64_t pgtsim_desc_run(const struct pgtsim_geometry *geo, int level, uint64_t pa, uint64_t count)
{
	if (!geo || !pgtsim_is_level(level))
		return 0;

	const struct pgtsim_oa_layout *layout = &pgtsim_oa_layouts[geo->oa];
	uint64_t boundary = PGTSIM_BIT(layout->in_place);
	uint64_t left;

	if (layout->moved == 0)
		return count;
	/* Rounded up: an entry of a toy geometry may be larger than the boundary. */
	left = boundary - (pa & (boundary - 1)) + pgtsim_entry_size(geo, level) - 1;
	left >>= geo->shift[pgtsim_slot(level)];
	return left < count ? left : count;
}
