/* SPDX-License-Identifier: MIT */
/* Any descriptor at any level of any geometry, and any words as arguments of the two commands. */
#include <pgtsim/pgtsim.h>

#include "geometry.h"
#include "fuzz.h"

static void print_nothing(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

static const struct pgtsim_printer nowhere = { print_nothing, NULL };

static uint64_t number_at(const uint8_t *data)
{
	uint64_t number;

	memcpy(&number, data, sizeof(number));
	return number;
}

/* Decoding, encoding and decoding again must give the same fields. */
static void check_descriptor(const struct pgtsim_geometry *geo, int level, uint64_t desc)
{
	uint64_t mask = geo->pa_bits < 64 ? (UINT64_C(1) << 52) - 1 : UINT64_MAX;
	struct pgtsim_desc fields, again;

	pgtsim_desc_decode(geo, level, desc, &fields);
	MUST(fields.kind == pgtsim_desc_kind(level, desc));
	MUST(fields.address == pgtsim_desc_address(geo, level, desc));
	MUST((fields.address & ~mask) == 0);
	pgtsim_desc_decode(geo, level, pgtsim_desc_encode(geo, level, &fields), &again);
	if (fields.kind >= PGTSIM_TABLE && !(fields.address >> geo->pa_bits)) {
		MUST(again.kind == fields.kind && again.address == fields.address);
		MUST(again.ap == fields.ap && again.cont == fields.cont && again.sh == fields.sh);
	}
	pgtsim_dump_desc(geo, level, desc, &nowhere);
}

static void check_geometry(const uint8_t *data)
{
	static const unsigned sizes[] = { 0, 36, 39, 42, 47, 48, 52, 64 };
	uint32_t granule = UINT32_C(4096) << data[0] % 8;
	struct pgtsim_geometry geo;
	int levels;

	if (pgtsim_geometry_linux(&geo, granule, sizes[data[1] % 8], sizes[data[2] % 8],
				  sizes[data[3] % 8]))
		return;
	geo.oa_keeps_49_48 = geo.oa == PGTSIM_OA_64K_52 && data[0] >> 7;
	levels = PGTSIM_PTE - pgtsim_root_level(&geo) + 1;
	check_descriptor(&geo, PGTSIM_PTE - data[4] % levels, number_at(data + 5));
	pgtsim_dump_geometry(&geo, number_at(data + 5), &nowhere);
}

/* Each argument ends with a zero byte. */
static void check_commands(const uint8_t *data, size_t size)
{
	char name[] = "fuzz", text[256], *arguments[8] = { name };
	int count = 1;

	if (size >= sizeof(text))
		return;
	memcpy(text, data, size);
	text[size] = '\0';
	for (size_t at = 0; at < size && count < 7; at += strlen(text + at) + 1)
		arguments[count++] = text + at;
	decode_descriptor(count, arguments, &nowhere, &nowhere);
	decode_geometry(count, arguments, &nowhere, &nowhere);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size >= 13)
		check_geometry(data);
	check_commands(data, size);
	return 0;
}
