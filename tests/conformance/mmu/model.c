/* SPDX-License-Identifier: MIT */
#include "model.h"

#include <assert.h>
#include <errno.h>

#include "guest.h"

#define SLOT (UINT64_C(2) << 20)

enum {
	MAPS = 48,
	SLOTS = 4,       /* of a model */
	RANGES = 12,     /* of RAM in each slot */
	SMALL_ROOT = 16, /* entries */
	LEAVES = 100,    /* at most in one map; there may be more ptes */
};

static_assert((GUEST_RAM_END - GUEST_TABLES) / SLOT <= 64 * 512, "each slot has a bit in used[]");

static uint64_t low_bits(unsigned n)
{
	return (UINT64_C(1) << n) - 1;
}

/* ---- memory ---- */

/* The PA of a slot that nobody has, within reach of pa_bits; 0 if it finds none. */
static uint64_t take_slot(struct model *model, struct model_slots *slots)
{
	uint64_t end = GUEST_RAM_END;

	if (end > low_bits(model->regime->geo.pa_bits))
		end = low_bits(model->regime->geo.pa_bits) + 1;
	for (unsigned tries = 0; tries < 10000; tries++) {
		uint64_t slot = random_below(&model->random, (end - GUEST_TABLES) / SLOT);
		uint64_t bit = UINT64_C(1) << slot % 64;

		if (slots->used[slot / 64] & bit)
			continue;
		slots->used[slot / 64] |= bit;
		return GUEST_TABLES + slot * SLOT;
	}
	return 0;
}

/* Runs of pages with gaps between them; returns how many. */
static size_t scatter(struct model *model, uint64_t slot, struct pgtsim_ram *ram)
{
	unsigned shift = model->regime->geo.page_shift;
	uint64_t pages = SLOT >> shift, at = 0;
	size_t n = 0;

	while (n < RANGES) {
		uint64_t start = at + random_below(&model->random, 3);
		uint64_t end = start + 1 + random_below(&model->random, 4);

		if (end > pages)
			break;
		ram[n++] = (struct pgtsim_ram){ slot + (start << shift), slot + (end << shift) };
		at = end + 1;
	}
	return n;
}

static bool make_memory(struct model *model, struct model_slots *slots)
{
	struct pgtsim_ram ram[SLOTS * RANGES];
	unsigned shift = model->regime->geo.page_shift;
	size_t n = 0;

	for (unsigned i = 0; i < SLOTS; i++) {
		uint64_t slot = take_slot(model, slots);

		if (!slot)
			return false;
		n += scatter(model, slot, &ram[n]);
	}
	return !pgtsim_memory_new(&model->memory, shift, (size_t)1 << shift, ram, n);
}

/* ---- maps ---- */

/* Any attributes that a leaf may have; shareability 1 is reserved. */
static uint64_t random_attrs(struct random *r)
{
	const uint64_t any = PGTSIM_DESC_ATTRINDX_MASK | PGTSIM_DESC_NS | PGTSIM_DESC_AP1 |
			     PGTSIM_DESC_AP2 | PGTSIM_DESC_SH_MASK | PGTSIM_DESC_NG |
			     PGTSIM_DESC_GP | PGTSIM_DESC_DBM | PGTSIM_DESC_PXN | PGTSIM_DESC_UXN |
			     UINT64_C(0xf) << 55 | PGTSIM_BIT(63);
	uint64_t attrs = random_bits(r) & any;

	if ((attrs & PGTSIM_DESC_SH_MASK) == UINT64_C(1) << 8)
		attrs |= PGTSIM_DESC_SH_MASK;
	return random_once_in(r, 30) ? attrs : attrs | PGTSIM_DESC_AF;
}

/* Restrictions of a table and what the MMU ignores in one. */
static uint64_t random_table_attrs(struct random *r)
{
	const uint64_t ignored = UINT64_C(0x7f) << 51 | PGTSIM_DESC_NG;

	return (random_bits(r) & random_bits(r) & UINT64_C(0x1f) << 59) |
	       (random_bits(r) & ignored);
}

/* Near something that is mapped, or anywhere. */
static uint64_t random_place(struct model *model)
{
	const struct pgtsim_geometry *geo = &model->regime->geo;
	struct random *r = &model->random;
	uint64_t va = random_bits(r);

	if (model->spot_count && !random_once_in(r, 3)) {
		const struct spot *spot = &model->spots[random_below(r, model->spot_count)];
		int level = pgtsim_root_level(geo) + (int)random_below(r, geo->levels);

		va = spot->va + (random_below(r, 9) - 4) * pgtsim_entry_size(geo, level);
	} else if (random_once_in(r, 10)) {
		va = random_once_in(r, 2) ? 0 : UINT64_MAX;
	}
	return va | pgtsim_va_start(geo);
}

/*
 * A PA to map to. Often just below a power of two: above some of them descriptors have the address
 * bits elsewhere.
 */
static uint64_t random_target(struct model *model, uint64_t align)
{
	unsigned bits = model->regime->geo.pa_bits;
	struct random *r = &model->random;
	uint64_t pa = random_bits(r);

	if (random_once_in(r, 4))
		pa = PGTSIM_BIT(bits - random_below(r, 6)) - random_below(r, 8) * (align + 1);
	return pa & low_bits(bits) & ~align;
}

/* A level that may hold leaves. */
static int random_leaf_level(struct model *model)
{
	const struct pgtsim_geometry *geo = &model->regime->geo;

	for (;;) {
		int level = pgtsim_root_level(geo) + (int)random_below(&model->random, geo->levels);

		if (level == PGTSIM_PTE || geo->block_legal[pgtsim_slot(level)])
			return level;
	}
}

/* How many bytes to map from here on, in leaves of this level, and some pages on top. */
static uint64_t random_size(struct model *model, int level, uint64_t va, uint64_t pa)
{
	const struct pgtsim_geometry *geo = &model->regime->geo;
	struct random *r = &model->random;
	uint64_t most = level == PGTSIM_PTE ? pgtsim_entries(geo, level) : LEAVES;
	uint64_t size = (1 + random_below(r, most)) * pgtsim_entry_size(geo, level);
	uint64_t room = UINT64_MAX - va, pa_room = low_bits(geo->pa_bits) - pa;

	if (random_once_in(r, 2))
		size += random_below(r, 40) * pgtsim_page_size(geo);
	room = room < pa_room ? room : pa_room;
	return room < size ? room + 1 : size;
}

/* Maps something somewhere; what is there already, or has no memory, is left. */
static void map_something(struct model *model, uint64_t place)
{
	const struct pgtsim_geometry *geo = &model->regime->geo;
	struct random *r = &model->random;
	int level = random_leaf_level(model);
	uint64_t mask = pgtsim_entry_size(geo, level) - 1;
	uint64_t group = mask | (mask + 1) * (pgtsim_cont_entries(geo, level) - 1);
	uint64_t align = random_once_in(r, 2) ? mask : group;
	struct pgtsim_map map = {
		.va = place & ~align,
		.pa = random_target(model, align),
		.attrs = random_attrs(r),
		.table_attrs = random_once_in(r, 2) ? 0 : random_table_attrs(r),
		.blocks = true,
		.cont = random_once_in(r, 2),
		.region = PGTSIM_REGION_LINEAR,
	};

	/* Groups at other places than their own are no groups. */
	if (random_once_in(r, 3)) {
		uint64_t shift = random_below(r, 5) * (mask + 1);

		if (UINT64_MAX - map.va > shift && low_bits(geo->pa_bits) - map.pa > shift) {
			map.va += shift;
			map.pa += shift;
		}
	}
	if (map.va < pgtsim_va_start(geo))
		return;
	map.size = random_size(model, level, map.va, map.pa);
	if (!pgtsim_map(&model->pgt, &map))
		model->spots[model->spot_count++] =
			(struct spot){ map.va, map.va + map.size - 1, map.pa };
}

static unsigned root_shift(const struct model *model)
{
	const struct pgtsim_geometry *geo = &model->regime->geo;

	return geo->shift[pgtsim_slot(pgtsim_root_level(geo))];
}

/* Entries of the root that are in use. */
static uint64_t root_parts(const struct model *model)
{
	return UINT64_C(1) << (model->regime->geo.va_bits - root_shift(model));
}

/* Maps below every entry of the root if it is small, then anywhere. */
static void make_maps(struct model *model)
{
	const struct pgtsim_geometry *geo = &model->regime->geo;
	unsigned shift = root_shift(model);
	uint64_t parts = root_parts(model);

	for (uint64_t i = 0; parts <= SMALL_ROOT && i < parts; i++)
		for (unsigned tries = 0; tries < 2; tries++)
			map_something(model,
				      (pgtsim_va_start(geo) + (i << shift)) |
					      (random_bits(&model->random) & low_bits(shift)));
	for (unsigned tries = 0; tries < 200 && model->spot_count < MAPS; tries++)
		map_something(model, random_place(model));
}

/* ---- entries changed ---- */

enum change {
	CHANGE_ZERO,
	CHANGE_INVALIDATE,   /* any bits but the lowest */
	CHANGE_LEAF,         /* any leaf, at levels where none is legal, too */
	CHANGE_TOO_WIDE,     /* an address beyond pa_bits */
	CHANGE_RESTRICT,     /* of tables: permissions taken from what is below */
	CHANGE_LEAD_NOWHERE, /* … no memory where they lead */
	CHANGE_CLEAR_AF,     /* of leaves */
	CHANGE_TYPE,         /* … bit 1 */
	CHANGE_ACCESS,
	CHANGES,
};

/* A bit of a descriptor that stands for an address beyond pa_bits; 0 if there is none. */
static uint64_t too_wide(struct model *model)
{
	const struct pgtsim_geometry *geo = &model->regime->geo;
	unsigned room = geo->oa == PGTSIM_OA_48 ? 48 : 50;
	uint64_t bit;

	/* limits.c leaves these two out. */
	if (geo->oa == PGTSIM_OA_LPA2 && random_once_in(&model->random, 4))
		room = 52;
	if (geo->pa_bits >= room)
		return 0;
	bit = geo->pa_bits + random_below(&model->random, room - geo->pa_bits);
	return PGTSIM_BIT(bit < 50 ? bit : bit - 42);
}

/* An address where there is no table and no RAM: anywhere, or a table's with a high bit set. */
static uint64_t nowhere(struct model *model, uint64_t table)
{
	const struct pgtsim_geometry *geo = &model->regime->geo;
	struct random *r = &model->random;
	uint64_t bit;

	if (geo->pa_bits <= 42)
		return table;
	bit = UINT64_C(1) << (42 + random_below(r, geo->pa_bits - 42));
	if (random_once_in(r, 2))
		return table | bit;
	return (random_bits(r) & low_bits(geo->pa_bits) & ~low_bits(geo->page_shift)) | bit;
}

/* Where a descriptor has an address. Not the library's word. */
static uint64_t address_bits(const struct pgtsim_geometry *geo, uint64_t pa)
{
	switch (geo->oa) {
	case PGTSIM_OA_64K_52:
		return (pa & low_bits(48)) | pa >> 48 << 12;
	case PGTSIM_OA_LPA2:
		return (pa & low_bits(50)) | pa >> 50 << 8;
	default:
		return pa;
	}
}

static uint64_t random_leaf(struct model *model, int level)
{
	const struct pgtsim_geometry *geo = &model->regime->geo;
	uint64_t pa = random_bits(&model->random) & low_bits(geo->pa_bits) &
		      ~(pgtsim_entry_size(geo, level) - 1);
	uint64_t attrs = random_attrs(&model->random);

	if (geo->oa == PGTSIM_OA_LPA2)
		attrs &= ~PGTSIM_DESC_SH_MASK;
	return address_bits(geo, pa) | attrs | (level == PGTSIM_PTE ? 3 : 1);
}

/* A block that becomes a table, a page that is none; but no table where the guest has memory. */
static uint64_t other_type(struct model *model, int level, uint64_t desc)
{
	uint64_t other = desc ^ PGTSIM_DESC_TABLE;
	uint64_t table = pgtsim_desc_address(&model->regime->geo, level, other);

	return level < PGTSIM_PTE && table < GUEST_VOID ? desc : other;
}

/* What is done to a leaf. */
static uint64_t other_leaf(struct model *model, enum change change, int level, uint64_t desc)
{
	switch (change) {
	case CHANGE_CLEAR_AF:
		return desc & ~PGTSIM_DESC_AF;
	case CHANGE_TYPE:
		return other_type(model, level, desc);
	case CHANGE_ACCESS:
		return desc ^ (random_bits(&model->random) & (PGTSIM_DESC_AP1 | PGTSIM_DESC_AP2 |
							      PGTSIM_DESC_PXN | PGTSIM_DESC_UXN));
	default:
		return desc;
	}
}

/* What is done to a table. What is done to leaves is done to one that takes its place. */
static uint64_t other_table(struct model *model, enum change change, int level, uint64_t desc)
{
	const struct pgtsim_geometry *geo = &model->regime->geo;
	uint64_t table = pgtsim_desc_address(geo, level, desc);
	uint64_t attrs = random_table_attrs(&model->random);

	switch (change) {
	case CHANGE_RESTRICT:
		return desc | attrs;
	case CHANGE_LEAD_NOWHERE:
		return address_bits(geo, nowhere(model, table)) | attrs | 3;
	default:
		return other_leaf(model, change, level, random_leaf(model, level));
	}
}

/* The entry changed; the same if the change is none for it. */
static uint64_t changed(struct model *model, enum change change, int level, uint64_t desc)
{
	enum pgtsim_kind kind = pgtsim_desc_kind(level, desc);

	switch (change) {
	case CHANGE_ZERO:
		return 0;
	case CHANGE_INVALIDATE:
		return random_bits(&model->random) & ~PGTSIM_DESC_VALID;
	case CHANGE_LEAF:
		return random_leaf(model, level);
	case CHANGE_TOO_WIDE:
		return kind == PGTSIM_NONE || kind == PGTSIM_INVALID ? desc :
								       desc | too_wide(model);
	default:
		if (kind == PGTSIM_TABLE)
			return other_table(model, change, level, desc);
		if (kind == PGTSIM_BLOCK || kind == PGTSIM_PAGE)
			return other_leaf(model, change, level, desc);
		return desc;
	}
}

static uint64_t random_mapped(struct model *model)
{
	const struct spot *spot = &model->spots[random_below(&model->random, model->spot_count)];

	return spot->va + random_below(&model->random, spot->last - spot->va + 1);
}

/* Makes this change to some entry of this level, if one is found that it changes. */
static void poke(struct model *model, enum change change, int level)
{
	struct pgtsim_translation t;

	for (unsigned tries = 0; tries < 100 && model->spot_count < MODEL_SPOTS; tries++) {
		uint64_t va = random_mapped(model), desc, other;
		int step = level - pgtsim_root_level(&model->regime->geo);

		if (pgtsim_translate(&model->pgt, va, &t) == -EINVAL || step >= (int)t.steps)
			continue;
		desc = t.step[step].desc;
		other = changed(model, change, level, desc);
		if (other == desc || pgtsim_poke(&model->pgt, level, va, other))
			continue;
		model->spots[model->spot_count++] = (struct spot){ .va = va, .last = va };
		return;
	}
}

/*
 * Every change at every level, from the root down so that none hides another; of those in a small
 * root only one, or little would be left.
 */
static void make_changes(struct model *model, unsigned number)
{
	int root = pgtsim_root_level(&model->regime->geo);

	for (enum change change = 0; change < CHANGES; change++)
		if (root_parts(model) > SMALL_ROOT || change == number % CHANGES)
			poke(model, change, root);
	for (int level = root + 1; level <= PGTSIM_PTE; level++)
		for (enum change change = 0; change < CHANGES; change++)
			poke(model, change, level);
}

/* ---- all together ---- */

bool model_new(struct model *model, const struct regime *regime, struct model_slots *slots,
	       unsigned number, uint64_t seed)
{
	struct pgtsim_geometry geo = regime->geo;

	*model = (struct model){ .regime = regime, .random = { seed } };
	/* Linux leaves some levels without blocks where the architecture allows them. */
	for (unsigned slot = 0; slot < PGTSIM_MAX_LEVELS; slot++)
		geo.block[slot] = geo.block_legal[slot];
	geo.oa_keeps_49_48 = random_once_in(&model->random, 2);
	pgtsim_tlb_init(&model->tlb);
	if (pgtsim_policy_init(&model->policy, "latest") || !make_memory(model, slots) ||
	    pgtsim_pgtable_init(&model->pgt, &geo, &model->policy, &model->tlb,
				pgtsim_memory_table_ops(model->memory), PGTSIM_ACCESS_PRIVATE)) {
		model_free(model);
		return false;
	}
	make_maps(model);
	model->map_count = model->spot_count;
	if (model->map_count && number)
		make_changes(model, number);
	return true;
}

void model_free(struct model *model)
{
	/* Tables that lost their entry are given back with the memory. */
	if (model->pgt.root)
		pgtsim_pgtable_fini(&model->pgt);
	pgtsim_tlb_fini(&model->tlb);
	pgtsim_memory_free(&model->memory);
}

bool model_target(const struct model *model, uint64_t va, uint64_t *pa)
{
	if (model->spot_count > model->map_count)
		return false;
	for (size_t i = 0; i < model->map_count; i++) {
		const struct spot *spot = &model->spots[i];

		if (spot->va <= va && va <= spot->last) {
			*pa = spot->pa + (va - spot->va);
			return true;
		}
	}
	return false;
}

/* ---- VAs ---- */

/* Eight for each level: the ends of the entry that translates va and of its table, and beyond. */
static uint64_t boundary(const struct pgtsim_geometry *geo, uint64_t va, unsigned which)
{
	int level = pgtsim_root_level(geo) + (int)(which / 8);
	unsigned shift = geo->shift[pgtsim_slot(level)];
	uint64_t mask;

	if (which & 1)
		shift += geo->bits[pgtsim_slot(level)];
	mask = low_bits(shift);
	switch (which % 8 / 2) {
	case 0:
		return va & ~mask;
	case 1:
		return va | mask;
	case 2:
		return (va & ~mask) - 1;
	default:
		return (va | mask) + 1;
	}
}

static uint64_t random_boundary(struct model *model, uint64_t va)
{
	const struct pgtsim_geometry *geo = &model->regime->geo;

	return boundary(geo, va, (unsigned)random_below(&model->random, geo->levels * 8));
}

static uint64_t random_va(struct model *model)
{
	const struct pgtsim_geometry *geo = &model->regime->geo;
	struct random *r = &model->random;
	uint64_t start = pgtsim_va_start(geo);

	switch (random_below(r, 16)) {
	case 0: /* outside, but TTBR1's by bit 55 */
		return (random_bits(r) | PGTSIM_BIT(55)) &
		       ~PGTSIM_BIT(geo->va_bits + random_below(r, 55 - geo->va_bits));
	case 1:
		return random_bits(r) | start;
	case 2:
		return random_once_in(r, 2) ? start : start - 1;
	case 3:
		return random_boundary(model, random_bits(r) | start);
	case 4: /* another index somewhere */
		return random_mapped(model) ^ PGTSIM_BIT(random_below(r, geo->va_bits));
	case 5:
	case 6:
	case 7:
		return random_boundary(model, random_mapped(model));
	default:
		return random_mapped(model);
	}
}

uint64_t model_va(struct model *model, size_t n)
{
	const struct pgtsim_geometry *geo = &model->regime->geo;
	size_t each = (size_t)geo->levels * 8;
	uint64_t va;

	if (n < model->spot_count) {
		va = model->spots[n].va;
	} else if ((n -= model->spot_count) < model->map_count * 2 * each) {
		const struct spot *spot = &model->spots[n / each / 2];

		va = boundary(geo, n / each % 2 ? spot->last : spot->va, (unsigned)(n % each));
	} else {
		va = random_va(model);
	}
	/* TTBR0's half is not what is asked about. */
	return va | PGTSIM_BIT(55);
}
