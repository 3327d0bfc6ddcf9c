/* SPDX-License-Identifier: MIT */
#include <pgtsim/geometry.h>

#include <errno.h>
#include <string.h>

#include "range.h"

#define LEVEL_BIT(level) (1u << ((level) + 1))

/* Linux offers these sizes of VA (ARM64_VA_BITS in its Kconfig); the levels follow from them. */
static const struct pgtsim_regime regimes[] = {
	{ "4K/39", 12, 39, 3, { 9, 9, 9 }, 39 },
	{ "4K/48", 12, 48, 4, { 9, 9, 9, 9 }, 48 },
	{ "4K/52", 12, 52, 5, { 4, 9, 9, 9, 9 }, 48 },
	{ "16K/36", 14, 36, 2, { 11, 11 }, 36 },
	{ "16K/47", 14, 47, 3, { 11, 11, 11 }, 47 },
	{ "16K/48", 14, 48, 4, { 1, 11, 11, 11 }, 48 },
	{ "16K/52", 14, 52, 4, { 5, 11, 11, 11 }, 47 },
	{ "64K/42", 16, 42, 2, { 13, 13 }, 42 },
	{ "64K/48", 16, 48, 3, { 6, 13, 13 }, 48 },
	{ "64K/52", 16, 52, 3, { 10, 13, 13 }, 48 },
};

/* What the granule decides: Arm ARM, descriptor formats and "the Contiguous bit". */
struct granule {
	uint8_t page_shift;
	uint8_t cont_pte, cont_pmd;
	uint8_t block_levels;   /* Linux uses all that are legal without 52-bit addresses */
	uint8_t block_level_52; /* the one that 52-bit addresses make legal too; Linux leaves it */
	uint8_t oa_52;          /* the layout of 52-bit addresses */
};

static const struct granule granules[] = {
	{ 12, 4, 4, LEVEL_BIT(1) | LEVEL_BIT(2), LEVEL_BIT(0), PGTSIM_OA_LPA2 },
	{ 14, 7, 5, LEVEL_BIT(2), LEVEL_BIT(1), PGTSIM_OA_LPA2 },
	{ 16, 5, 5, LEVEL_BIT(2), LEVEL_BIT(1), PGTSIM_OA_64K_52 },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const struct pgtsim_regime *pgtsim_regimes(size_t *count)
{
	if (!count)
		return NULL;
	*count = COUNT(regimes);
	return regimes;
}

/* The bits of VA that page offset and indices hold; 0 if the config's levels make no sense. */
static unsigned indexed_bits(const struct pgtsim_geometry_config *config)
{
	unsigned total = config->page_shift;

	if (config->page_shift < 12 || config->page_shift > 24)
		return 0;
	if (config->levels < 1 || config->levels > PGTSIM_MAX_LEVELS)
		return 0;
	for (unsigned i = 0; i < PGTSIM_MAX_LEVELS; i++) {
		bool used = i < config->levels;

		if (used != (config->bits[i] != 0) || config->bits[i] > config->page_shift - 3)
			return 0;
		total += config->bits[i];
	}
	return total <= 63 ? total : 0;
}

static bool va_bits_ok(const struct pgtsim_geometry_config *config)
{
	unsigned total = indexed_bits(config);

	/* Below the root's entry size the root would translate nothing of its own. */
	return total != 0 && (config->va_bits == 0 || (config->va_bits <= total &&
						       config->va_bits >= total - config->bits[0]));
}

static bool pa_bits_ok(const struct pgtsim_geometry_config *config)
{
	unsigned shift = config->page_shift;
	unsigned limit = config->oa == PGTSIM_OA_48 ? 48 : 52;

	if (config->pa_bits != 0 && (config->pa_bits < shift || config->pa_bits > limit))
		return false;
	switch (config->oa) {
	case PGTSIM_OA_48:
		return true;
	case PGTSIM_OA_64K_52:
		return shift == 16;
	case PGTSIM_OA_LPA2:
		return shift == 12 || shift == 14;
	default:
		return false;
	}
}

/* Whether groups fit in their table, and blocks are at levels from the root to the pmd. */
static bool leaves_ok(const struct pgtsim_geometry_config *config)
{
	unsigned levels = config->levels;
	unsigned pmd_bits = levels >= 2 ? config->bits[levels - 2] : 0;
	unsigned below_pte = LEVEL_BIT(PGTSIM_PTE) - 1;
	unsigned folded = LEVEL_BIT(PGTSIM_PTE + 1 - (int)levels) - 1;

	return config->cont_pte <= config->bits[levels - 1] && config->cont_pmd <= pmd_bits &&
	       (config->block_levels & ~(below_pte & ~folded)) == 0;
}

int pgtsim_geometry_custom(struct pgtsim_geometry *geo, const struct pgtsim_geometry_config *config)
{
	if (!config)
		return -EINVAL;

	unsigned shift = config->page_shift;

	if (!va_bits_ok(config) || !pa_bits_ok(config) || !leaves_ok(config))
		return -EINVAL;

	*geo = (struct pgtsim_geometry){
		.page_shift = config->page_shift,
		.levels = config->levels,
		.pa_bits = config->pa_bits ? config->pa_bits : 48,
		.oa = config->oa,
	};
	for (int level = PGTSIM_PTE; level >= pgtsim_root_level(geo); level--) {
		unsigned slot = pgtsim_slot(level);

		geo->bits[slot] = config->bits[level - pgtsim_root_level(geo)];
		geo->last_index[slot] = (UINT32_C(1) << geo->bits[slot]) - 1;
		geo->shift[slot] = (uint8_t)shift;
		geo->block[slot] = config->block_levels & LEVEL_BIT(level);
		geo->block_legal[slot] = geo->block[slot];
		shift += geo->bits[slot];
	}
	geo->pa_mask = (UINT64_C(1) << geo->pa_bits) - pgtsim_page_size(geo);
	geo->cont[pgtsim_slot(PGTSIM_PTE)] = config->cont_pte;
	geo->cont[pgtsim_slot(PGTSIM_PMD)] = config->cont_pmd;
	geo->va_bits = config->va_bits ? config->va_bits : (uint8_t)shift;
	geo->config_va_bits = geo->va_bits;
	return 0;
}

/* _PAGE_ENTRIES and _CRST_ENTRIES of arch/s390/include/asm/pgtable.h. */
enum { S390_PAGE_BITS = 8, S390_BITS = 11, S390_PA_BITS = 48 };

int pgtsim_geometry_s390(struct pgtsim_geometry *geo, unsigned va_bits, unsigned edat)
{
	unsigned shift = 12;

	if (!geo || (va_bits != 42 && va_bits != 53) || edat > 2)
		return -EINVAL;
	*geo = (struct pgtsim_geometry){
		.page_shift = 12,
		.levels = va_bits == 42 ? 3 : 4,
		.va_bits = (uint8_t)va_bits,
		.config_va_bits = (uint8_t)va_bits,
		.pa_bits = S390_PA_BITS,
		.format = PGTSIM_FORMAT_S390,
		.from_zero = true,
		.half_tables = true,
	};
	for (int level = PGTSIM_PTE; level >= pgtsim_root_level(geo); level--) {
		unsigned slot = pgtsim_slot(level);

		geo->bits[slot] = level == PGTSIM_PTE ? S390_PAGE_BITS : S390_BITS;
		geo->last_index[slot] = (UINT32_C(1) << geo->bits[slot]) - 1;
		geo->shift[slot] = (uint8_t)shift;
		shift += geo->bits[slot];
	}
	geo->pa_mask = (UINT64_C(1) << S390_PA_BITS) - pgtsim_page_size(geo);
	geo->block[pgtsim_slot(PGTSIM_PMD)] = geo->block_legal[pgtsim_slot(PGTSIM_PMD)] = edat >= 1;
	geo->block[pgtsim_slot(PGTSIM_PUD)] = geo->block_legal[pgtsim_slot(PGTSIM_PUD)] = edat >= 2;
	return 0;
}

static const struct granule *find_granule(uint32_t bytes)
{
	for (size_t i = 0; i < COUNT(granules); i++)
		if (UINT32_C(1) << granules[i].page_shift == bytes)
			return &granules[i];
	return NULL;
}

static const struct pgtsim_regime *find_regime(unsigned page_shift, unsigned va_bits)
{
	for (size_t i = 0; i < COUNT(regimes); i++)
		if (regimes[i].page_shift == page_shift && regimes[i].va_bits == va_bits)
			return &regimes[i];
	return NULL;
}

/* Builds a regime of valid sizes. `wide`: descriptors hold 52-bit addresses. */
static int build_regime(struct pgtsim_geometry *geo, const struct granule *granule,
			const struct pgtsim_regime *regime, unsigned va_bits, unsigned pa_bits,
			bool wide)
{
	struct pgtsim_geometry_config config = {
		.page_shift = granule->page_shift,
		.levels = regime->levels,
		.va_bits = (uint8_t)va_bits,
		.pa_bits = wide ? (uint8_t)pa_bits : 48,
		.oa = wide ? granule->oa_52 : PGTSIM_OA_48,
		.cont_pte = granule->cont_pte,
		.cont_pmd = granule->cont_pmd,
		.block_levels = granule->block_levels,
	};
	int err;

	memcpy(config.bits, regime->bits, sizeof(config.bits));
	err = pgtsim_geometry_custom(geo, &config);
	if (err)
		return err;
	for (int level = pgtsim_root_level(geo); wide && level < PGTSIM_PTE; level++)
		if (granule->block_level_52 & LEVEL_BIT(level))
			geo->block_legal[pgtsim_slot(level)] = true;
	return 0;
}

/* Whether a kernel of this regime can run with va_actual and pa_bits. */
static bool sizes_ok(const struct pgtsim_regime *regime, unsigned va_actual, unsigned pa_bits)
{
	if (va_actual != regime->va_bits && va_actual != regime->va_bits_without_52)
		return false;
	return pa_bits == 48 ||
	       (pa_bits == 52 && (regime->page_shift == 16 || regime->va_bits == 52));
}

int pgtsim_geometry_linux(struct pgtsim_geometry *geo, uint32_t granule_bytes, unsigned va_bits,
			  unsigned va_actual, unsigned pa_bits)
{
	const struct granule *granule = find_granule(granule_bytes);
	const struct pgtsim_regime *regime;
	bool wide, is_64k;
	int err;

	regime = granule ? find_regime(granule->page_shift, va_bits) : NULL;
	if (!va_actual)
		va_actual = va_bits;
	if (!pa_bits)
		pa_bits = va_bits == 52 ? 52 : 48;
	if (!regime || !sizes_ok(regime, va_actual, pa_bits))
		return -EINVAL;

	/*
	 * With 4K and 16K, LPA2 gives 52-bit VAs, 52-bit PAs and the wide descriptors together
	 * (TCR_EL1.DS), and a CPU without it folds levels away. With 64K, VA (LVA) and PA (LPA)
	 * are separate features and the root keeps its size.
	 */
	is_64k = granule->page_shift == 16;
	wide = is_64k ? pa_bits == 52 : va_actual == 52;
	if (!is_64k)
		regime = find_regime(granule->page_shift, va_actual);
	err = build_regime(geo, granule, regime, va_actual, pa_bits, wide);
	if (!err)
		geo->config_va_bits = (uint8_t)va_bits;
	return err;
}

static bool has_level(const struct pgtsim_geometry *geo, int level)
{
	return level >= pgtsim_root_level(geo) && level <= PGTSIM_PTE;
}

const char *pgtsim_level_name(const struct pgtsim_geometry *geo, int level)
{
	static const char *const names[PGTSIM_MAX_LEVELS] = { "pgd", "p4d", "pud", "pmd", "pte" };

	if (!geo)
		return NULL;
	if (!has_level(geo, level))
		return NULL;
	return level == pgtsim_root_level(geo) ? names[0] : names[pgtsim_slot(level)];
}

int pgtsim_level_of_name(const struct pgtsim_geometry *geo, const char *name, int *level)
{
	if (!geo || !name)
		return -EINVAL;
	for (int at = pgtsim_root_level(geo); at <= PGTSIM_PTE; at++) {
		if (strcmp(name, pgtsim_level_name(geo, at)) == 0) {
			*level = at;
			return 0;
		}
	}
	return -EINVAL;
}

int pgtsim_geometry_check_va(const struct pgtsim_geometry *geo, uint64_t va, uint64_t size)
{
	if (!geo)
		return -EINVAL;
	return pgtsim_va_fits(geo, va, size) ? 0 : -EINVAL;
}

int pgtsim_geometry_check_pa(const struct pgtsim_geometry *geo, uint64_t pa, uint64_t size)
{
	if (!geo)
		return -EINVAL;
	return pgtsim_pa_fits(geo, pa, size) ? 0 : -EINVAL;
}

/*
 * PAGE_END: the middle of the address space, or of one with 48 bits if it has more. From 6.12 on,
 * 16K with 52 bits ends where 47 bits would.
 */
static uint64_t page_end(const struct pgtsim_geometry *geo, enum pgtsim_layout_rule rule)
{
	unsigned bits = geo->config_va_bits < 48 ? geo->config_va_bits : 48;

	if (rule == PGTSIM_LAYOUT_6_12 && geo->page_shift == 14 && geo->config_va_bits == 52)
		bits = 47;
	return UINT64_MAX << (bits - 1);
}

static void place_vmemmap(struct pgtsim_layout *layout, const struct pgtsim_geometry *geo,
			  enum pgtsim_layout_rule rule, unsigned struct_page)
{
	uint64_t span = layout->page_end - layout->page_offset;
	unsigned shift = geo->page_shift;

	switch (rule) {
	case PGTSIM_LAYOUT_5_7:
		layout->vmemmap_end = -(UINT64_C(2) << 20);
		layout->vmemmap_start = layout->vmemmap_end - (span >> (shift - 6));
		break;
	case PGTSIM_LAYOUT_5_14:
		layout->vmemmap_start = UINT64_MAX << (geo->config_va_bits - shift + 6);
		layout->vmemmap_end = layout->vmemmap_start + (span >> (shift - 6));
		break;
	case PGTSIM_LAYOUT_6_12:
		layout->vmemmap_end = -(UINT64_C(1) << 30);
		layout->vmemmap_start = layout->vmemmap_end - (span >> shift) * struct_page;
		break;
	case PGTSIM_LAYOUT_S390:
		break;
	}
}

/*
 * setup_kernel_memory_layout() of arch/s390/boot/startup.c without KASLR: from the end of the address
 * space down the kernel image, modules, vmalloc, and the vmemmap; below it the identity mapping.
 */
static void layout_s390(struct pgtsim_layout *layout, const struct pgtsim_geometry *geo,
			unsigned struct_page)
{
	const uint64_t image = UINT64_C(512) << 20, modules = UINT64_C(2) << 30;
	const uint64_t vmalloc = UINT64_C(512) << 30, region3 = UINT64_C(2) << 30;
	const uint64_t section_pages = UINT64_C(1) << 16, max_physmem = UINT64_C(1) << 46;
	uint64_t end = (UINT64_C(1) << geo->va_bits) - image - modules - vmalloc, pages;

	*layout = (struct pgtsim_layout){ 0 };
	pages = end / (pgtsim_page_size(geo) + struct_page);
	pages = (pages + section_pages - 1) & ~(section_pages - 1);
	layout->vmemmap_start = (end - pages * struct_page) & ~(region3 - 1);
	layout->vmemmap_end = end;
	layout->vmemmap = layout->vmemmap_start;
	layout->page_end =
		layout->vmemmap_start < max_physmem ? layout->vmemmap_start : max_physmem;
}

/* The PFN of memstart. An arithmetic shift, as memstart may be negative. */
static uint64_t signed_pfn(uint64_t memstart, unsigned shift)
{
	return memstart >> shift | (memstart >> 63 ? ~(UINT64_MAX >> shift) : 0);
}

void pgtsim_layout_init(struct pgtsim_layout *layout, const struct pgtsim_geometry *geo,
			enum pgtsim_layout_rule rule, uint64_t ram_start, unsigned struct_page)
{
	if (!layout || !geo)
		return;
	if (rule == PGTSIM_LAYOUT_S390) {
		layout_s390(layout, geo, struct_page);
		return;
	}

	uint64_t align = geo->page_shift == 16 ? UINT64_C(512) << 20 : UINT64_C(1) << 30;

	layout->page_offset = UINT64_MAX << geo->config_va_bits;
	layout->linear_start = pgtsim_va_start(geo);
	layout->page_end = page_end(geo, rule);
	layout->memstart =
		(ram_start & ~(align - 1)) - (layout->linear_start - layout->page_offset);
	place_vmemmap(layout, geo, rule, struct_page);
	layout->vmemmap =
		layout->vmemmap_start - signed_pfn(layout->memstart, geo->page_shift) * struct_page;
}
