/* SPDX-License-Identifier: MIT */
#include "regime.h"

#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BLOCKS(level) (1u << ((level) + 1))

/* Regimes that Linux does not run: narrow PAs, roots at each level, LPA2 with fewer VA bits. */
static const struct {
	const char *name;
	struct pgtsim_geometry_config config;
} others[] = {
	{ "4K/48 PA 32",
	  { .page_shift = 12,
	    .levels = 4,
	    .bits = { 9, 9, 9, 9 },
	    .pa_bits = 32,
	    .cont_pte = 4,
	    .cont_pmd = 4,
	    .block_levels = BLOCKS(1) | BLOCKS(2) } },
	{ "4K/39 PA 36",
	  { .page_shift = 12,
	    .levels = 3,
	    .bits = { 9, 9, 9 },
	    .pa_bits = 36,
	    .cont_pte = 4,
	    .cont_pmd = 4,
	    .block_levels = BLOCKS(1) | BLOCKS(2) } },
	{ "4K/42 PA 40",
	  { .page_shift = 12,
	    .levels = 4,
	    .bits = { 3, 9, 9, 9 },
	    .pa_bits = 40,
	    .cont_pte = 4,
	    .cont_pmd = 4,
	    .block_levels = BLOCKS(1) | BLOCKS(2) } },
	{ "4K/25",
	  { .page_shift = 12,
	    .levels = 2,
	    .bits = { 4, 9 },
	    .cont_pte = 4,
	    .cont_pmd = 4,
	    .block_levels = BLOCKS(2) } },
	{ "4K/39 LPA2",
	  { .page_shift = 12,
	    .levels = 3,
	    .bits = { 9, 9, 9 },
	    .pa_bits = 52,
	    .oa = PGTSIM_OA_LPA2,
	    .cont_pte = 4,
	    .cont_pmd = 4,
	    .block_levels = BLOCKS(1) | BLOCKS(2) } },
	{ "4K/48 LPA2",
	  { .page_shift = 12,
	    .levels = 4,
	    .bits = { 9, 9, 9, 9 },
	    .pa_bits = 52,
	    .oa = PGTSIM_OA_LPA2,
	    .cont_pte = 4,
	    .cont_pmd = 4,
	    .block_levels = BLOCKS(0) | BLOCKS(1) | BLOCKS(2) } },
	{ "16K/47 PA 42",
	  { .page_shift = 14,
	    .levels = 3,
	    .bits = { 11, 11, 11 },
	    .pa_bits = 42,
	    .cont_pte = 7,
	    .cont_pmd = 5,
	    .block_levels = BLOCKS(2) } },
	{ "16K/25", { .page_shift = 14, .levels = 1, .bits = { 11 }, .cont_pte = 7 } },
	{ "16K/36 LPA2",
	  { .page_shift = 14,
	    .levels = 2,
	    .bits = { 11, 11 },
	    .pa_bits = 52,
	    .oa = PGTSIM_OA_LPA2,
	    .cont_pte = 7,
	    .cont_pmd = 5,
	    .block_levels = BLOCKS(2) } },
	{ "16K/48 LPA2",
	  { .page_shift = 14,
	    .levels = 4,
	    .bits = { 1, 11, 11, 11 },
	    .pa_bits = 52,
	    .oa = PGTSIM_OA_LPA2,
	    .cont_pte = 7,
	    .cont_pmd = 5,
	    .block_levels = BLOCKS(1) | BLOCKS(2) } },
	{ "64K/48 PA 44",
	  { .page_shift = 16,
	    .levels = 3,
	    .bits = { 6, 13, 13 },
	    .pa_bits = 44,
	    .cont_pte = 5,
	    .cont_pmd = 5,
	    .block_levels = BLOCKS(2) } },
	{ "64K/29", { .page_shift = 16, .levels = 1, .bits = { 13 }, .cont_pte = 5 } },
};

static size_t add_linux(struct regime *out, const struct pgtsim_regime *regime, unsigned va_actual,
			unsigned pa)
{
	if (pgtsim_geometry_linux(&out->geo, UINT32_C(1) << regime->page_shift, regime->va_bits,
				  va_actual, pa))
		return 0;
	/* What the CPU cannot do without 52-bit VAs is the same regime as with a PA of 48 bits. */
	if (out->geo.pa_bits != pa)
		return 0;
	if (va_actual == regime->va_bits)
		snprintf(out->name, sizeof(out->name), "%s PA %u", regime->name, pa);
	else
		snprintf(out->name, sizeof(out->name), "%s at %u PA %u", regime->name, va_actual,
			 pa);
	return 1;
}

size_t regime_all(struct regime out[MAX_REGIMES])
{
	size_t regimes, n = 0;
	const struct pgtsim_regime *regime = pgtsim_regimes(&regimes);

	for (const struct pgtsim_regime *end = regime + regimes; regime < end; regime++) {
		for (unsigned pa = 48; pa <= 52; pa += 4) {
			n += add_linux(&out[n], regime, regime->va_bits, pa);
			if (regime->va_bits_without_52 != regime->va_bits)
				n += add_linux(&out[n], regime, regime->va_bits_without_52, pa);
		}
	}
	for (size_t i = 0; i < COUNT(others); i++, n++) {
		snprintf(out[n].name, sizeof(out[n].name), "%s", others[i].name);
		if (pgtsim_geometry_custom(&out[n].geo, &others[i].config))
			return 0;
	}
	return n;
}

/* TCR_EL1.IPS. */
static uint64_t pa_size(unsigned pa_bits)
{
	static const uint8_t sizes[] = { 32, 36, 40, 42, 44, 48, 52 };
	uint64_t i = 0;

	while (sizes[i] != pa_bits)
		i++;
	return i;
}

uint64_t regime_tcr(const struct pgtsim_geometry *geo, unsigned sh1)
{
	const uint64_t t0sz = 64 - 39;
	uint64_t tg1 = geo->page_shift == 12 ? 2 : geo->page_shift == 14 ? 1 : 3;
	uint64_t t1sz = 64 - geo->va_bits, ds = geo->oa == PGTSIM_OA_LPA2;

	return t0sz | t1sz << 16 | (uint64_t)sh1 << 28 | tg1 << 30 | pa_size(geo->pa_bits) << 32 |
	       ds << 59;
}

uint64_t regime_ttbr1(const struct pgtsim_geometry *geo, uint64_t root)
{
	int level = pgtsim_root_level(geo);
	uint64_t used = UINT64_C(1) << (geo->va_bits - geo->shift[pgtsim_slot(level)]);

	return root + (pgtsim_entries(geo, level) - used) * sizeof(uint64_t);
}

bool regime_block_is_legal(const struct pgtsim_geometry *geo, int level)
{
	switch (geo->page_shift) {
	case 12:
		return level == 1 || level == 2 || (level == 0 && geo->oa == PGTSIM_OA_LPA2);
	case 14:
		return level == 2 || (level == 1 && geo->oa == PGTSIM_OA_LPA2);
	default:
		return level == 2 || (level == 1 && geo->pa_bits == 52);
	}
}
