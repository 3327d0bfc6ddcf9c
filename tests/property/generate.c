/* SPDX-License-Identifier: MIT */
/* generate: random operations that meet at the ends of leaves, groups, tables and regions. */
#include <string.h>

#include "sequence.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MEBI (UINT64_C(1) << 20)

/* ---- machines ---- */

static const struct {
	unsigned page_shift, va, va_actual, pa;
} geometries[] = {
	{ 12, 39, 39, 48 }, { 12, 48, 48, 48 }, { 14, 36, 36, 48 }, { 14, 47, 47, 48 },
	{ 14, 48, 48, 48 }, { 16, 42, 42, 48 }, { 16, 42, 42, 52 }, { 16, 48, 48, 48 },
	{ 16, 48, 48, 52 }, { 16, 52, 52, 48 }, { 16, 52, 52, 52 }, { 16, 52, 48, 52 },
	{ 12, 52, 52, 52 }, { 12, 52, 48, 52 }, { 14, 52, 52, 52 }, { 14, 52, 47, 52 },
};

enum { BEFORE_LPA2 = 12 }; /* first those that every release has */

bool geometry_number(struct oracle_config *config, enum oracle_release release, unsigned n)
{
	if (n >= (release < LINUX_6_12 ? BEFORE_LPA2 : COUNT(geometries)))
		return false;
	*config = (struct oracle_config){
		.release = release,
		.page_shift = geometries[n].page_shift,
		.va = geometries[n].va,
		.va_actual = geometries[n].va_actual,
		.pa = geometries[n].pa,
		.keep_populate = release < LINUX_7_3,
		.ram = UINT64_C(0x40000000),
		.ram_size = 64 * MEBI,
	};
	return true;
}

void generate_config(struct dice *dice, struct oracle_config *config)
{
	enum oracle_release release = (enum oracle_release)dice_below(dice, LINUX_7_3 + 1);

	while (!geometry_number(config, release, (unsigned)dice_below(dice, COUNT(geometries))))
		;
	config->blocks = dice_one_in(dice, 2);
	config->cont = dice_one_in(dice, 2);
	config->memmap_on_memory = dice_one_in(dice, 2);
	config->keep_map = dice_one_in(dice, 4);
	if (dice_one_in(dice, 4))
		config->keep_populate = !config->keep_populate;
	config->never_free_tables = dice_one_in(dice, 16);
}

void generate_altmaps(struct dice *dice, struct sequence *s)
{
	memset(s->altmap, 0, sizeof(s->altmap));
	for (unsigned i = 0; i < ORACLE_ALTMAPS; i++) {
		s->altmap[i].base =
			(UINT64_C(0x200000000) + i * 256 * MEBI) >> s->config.page_shift;
		s->altmap[i].reserve = dice_below(dice, 3);
		s->altmap[i].free =
			dice_one_in(dice, 2) ? dice_below(dice, 20) : dice_below(dice, 1100);
	}
}

/* ---- virtual addresses ---- */

/* Sizes at whose multiples something begins or ends: a page, a group, an entry of some level. */
static uint64_t unit(struct dice *dice, const struct oracle *o)
{
	int level = ORACLE_PTE - (int)dice_below(dice, 3);
	const struct oracle_level *l;

	if (level < o->geo.root)
		level = o->geo.root;
	l = oracle_level(o, level);
	return UINT64_C(1) << (l->shift + (dice_one_in(dice, 3) ? l->group : 0));
}

/*
 * Addresses at which something of the machine ends. Half the operations of a sequence are near
 * one.
 */
static uint64_t anchor(struct dice *dice, const struct oracle *o)
{
	const uint64_t ends[] = {
		o->linear,
		o->page_end,
		o->vmemmap,
		o->vmemmap_end,
		0,
		o->linear + oracle_leaf_size(o, o->geo.root),
		o->linear + 5 * oracle_leaf_size(o, ORACLE_PTE - 1),
	};

	if (o->runs && dice_one_in(dice, 2)) {
		const struct oracle_run *run = &o->run[dice_below(dice, o->runs)];

		return dice_one_in(dice, 2) ? run->va : run->last + 1;
	}
	return ends[dice_below(dice, COUNT(ends))];
}

static uint64_t address(struct dice *dice, const struct oracle *o)
{
	uint64_t va = anchor(dice, o);

	if (dice_one_in(dice, 2))
		va += (dice_below(dice, 5) - 2) * unit(dice, o);
	if (dice_one_in(dice, 4))
		va += (dice_below(dice, 3) - 1) << o->geo.page_shift;
	if (dice_one_in(dice, 12))
		va += dice_below(dice, UINT64_C(1) << o->geo.page_shift);
	return va;
}

static uint64_t length(struct dice *dice, const struct oracle *o)
{
	uint64_t size = (dice_below(dice, 4) + !dice_one_in(dice, 20)) * unit(dice, o);

	if (dice_one_in(dice, 3))
		size += (dice_below(dice, 3) - 1) << o->geo.page_shift;
	if (dice_one_in(dice, 12))
		size += dice_below(dice, UINT64_C(1) << o->geo.page_shift);
	return size;
}

/* Sometimes a size that reaches exactly to the end of a run that is mapped. */
static void existing(struct dice *dice, const struct oracle *o, struct operation *op)
{
	const struct oracle_run *run;

	if (!o->runs)
		return;
	run = &o->run[dice_below(dice, o->runs)];
	op->start = run->va;
	op->size = run->last - run->va + 1;
	if (dice_one_in(dice, 4))
		op->size /= 2;
}

/* ---- operations on the page table ---- */

static void generate_map(struct dice *dice, const struct oracle *o, struct operation *op)
{
	static const uint64_t bases[] = { 0, UINT64_C(0x80000000), UINT64_C(0x4000000000) };
	uint64_t align = UINT64_C(1) << 36, pa_end = UINT64_C(1) << o->geo.pa_bits;
	uint64_t table = oracle_leaf_size(o, ORACLE_PTE - 1);

	op->kind = OP_MAP;
	op->start = address(dice, o);
	op->size = length(dice, o);
	op->blocks = !dice_one_in(dice, 3);
	op->cont = !dice_one_in(dice, 3);
	op->prot = (unsigned)dice_below(dice, o->config.release < LINUX_5_14 ? 2 : 5);
	op->pa = bases[dice_below(dice, COUNT(bases))] + (op->start & (align - 1));
	if (dice_one_in(dice, 6))
		op->pa = pa_end - align + (op->start & (align - 1));
	if (dice_one_in(dice, 6) && o->geo.pa_bits > 48)
		op->pa = (UINT64_C(5) << 48) - table + (op->start & (align - 1));
	if (dice_one_in(dice, 4))
		op->pa += unit(dice, o);
	if (dice_one_in(dice, 30))
		op->pa += dice_below(dice, UINT64_C(1) << o->geo.page_shift);
	/* Mapping by pages costs the most time, so ranges of pages are kept small. */
	if ((!op->blocks || (op->pa - op->start) % table) && op->size > 8 * table)
		op->size = 3 * table + op->size % table;
}

static void generate_bounds(struct dice *dice, const struct oracle *o, struct operation *op)
{
	op->bounds = true;
	if (dice_one_in(dice, 2))
		return;
	op->floor = address(dice, o);
	op->ceiling = dice_one_in(dice, 2) ? op->start + op->size : address(dice, o);
	if (dice_one_in(dice, 2))
		op->floor = op->start;
}

static void generate_teardown(struct dice *dice, const struct oracle *o, struct operation *op)
{
	static const enum operation_kind kinds[] = { OP_UNMAP, OP_UNMAP, OP_UNMAP_RANGE,
						     OP_FREE_TABLES };

	op->kind = kinds[dice_below(dice, COUNT(kinds))];
	op->start = address(dice, o);
	op->size = length(dice, o);
	if (!dice_one_in(dice, 3))
		existing(dice, o, op);
	if (dice_one_in(dice, 12)) {
		op->start = o->linear;
		op->size = -op->start;
	}
	if (op->kind == OP_UNMAP_RANGE) {
		op->free = op->start >= o->vmemmap && op->start < o->vmemmap_end;
		op->altmap = (int)dice_below(dice, ORACLE_ALTMAPS + 1) - 1;
		return;
	}
	if (dice_one_in(dice, 3))
		generate_bounds(dice, o, op);
}

static void generate_vmemmap(struct dice *dice, const struct oracle *o, struct operation *op)
{
	uint64_t page = UINT64_C(1) << o->geo.page_shift;
	uint64_t size = (o->section >> o->geo.page_shift) * 64;

	op->kind = dice_one_in(dice, 2) ? OP_POPULATE : OP_VMEMMAP_FREE;
	op->altmap = (int)dice_below(dice, ORACLE_ALTMAPS + 1) - 1;
	op->pages = op->kind == OP_POPULATE && dice_one_in(dice, 4);
	op->start = o->vmemmap + dice_below(dice, 3) * size;
	if (dice_one_in(dice, 3))
		op->start = o->vmemmap_end - (1 + dice_below(dice, 3)) * size;
	op->size = size * (1 + dice_one_in(dice, 6));
	if (dice_one_in(dice, 3)) {
		op->start += dice_below(dice, 4) * page;
		op->size = (1 + dice_below(dice, 8)) * page;
	}
	if (dice_one_in(dice, 12))
		op->size += dice_below(dice, page);
	if (dice_one_in(dice, 12))
		op->start += dice_below(dice, page);
	if (op->kind == OP_VMEMMAP_FREE && dice_one_in(dice, 2))
		existing(dice, o, op);
}

static void generate_failure(struct dice *dice, struct operation *op)
{
	if (!dice_one_in(dice, 5))
		return;
	op->fail_nth = 1 + dice_below(dice, dice_one_in(dice, 3) ? 80 : 6);
	op->fail_every = dice_one_in(dice, 3);
}

void generate_page_table(struct dice *dice, const struct oracle *o, struct operation *op)
{
	*op = (struct operation){ .altmap = -1 };
	switch (dice_below(dice, 5)) {
	case 0:
	case 1:
		generate_map(dice, o, op);
		break;
	case 2:
		generate_vmemmap(dice, o, op);
		break;
	default:
		generate_teardown(dice, o, op);
	}
	generate_failure(dice, op);
}

/* ---- memory hotplug ---- */

static void generate_device(struct dice *dice, const struct oracle *o, struct operation *op)
{
	op->device = true;
	op->size = (1 + dice_below(dice, 4)) * 2 * MEBI;
	op->start = UINT64_C(0x80000000) + dice_below(dice, 6) * 2 * MEBI;
	if (dice_one_in(dice, 4))
		op->start = o->config.ram + o->config.ram_size + dice_below(dice, 3) * 2 * MEBI;
	if (dice_one_in(dice, 3)) {
		op->altmap = (int)dice_below(dice, ORACLE_ALTMAPS);
		op->start = o->altmap[op->altmap].base << o->geo.page_shift;
		op->size = dice_one_in(dice, 2) ? 16 * MEBI : 2 * o->section;
	}
}

static uint64_t block_address(struct dice *dice, const struct oracle *o)
{
	uint64_t end = o->memstart + (o->page_end - o->page_offset);

	if (dice_one_in(dice, 10))
		return (o->config.ram & -o->section) + dice_below(dice, 2) * o->section;
	if (dice_one_in(dice, 5))
		return end - dice_below(dice, 4) * o->section;
	return UINT64_C(0x80000000) + dice_below(dice, 6) * o->section;
}

static void existing_range(struct dice *dice, const struct oracle *o, struct operation *op)
{
	const struct oracle_range *range;

	if (!o->ranges)
		return;
	range = &o->range[dice_below(dice, o->ranges)];
	op->start = range->start;
	op->size = range->size;
	if (range->device)
		return;
	/* Everything from here on, or a few memory blocks. */
	op->size *= 1 + dice_below(dice, 3);
	if (dice_one_in(dice, 3) && o->range[0].start == UINT64_C(0x80000000)) {
		op->start = o->range[0].start;
		op->size = 8 * o->section;
	}
}

void generate_hotplug(struct dice *dice, const struct oracle *o, struct operation *op)
{
	static const enum operation_kind kinds[] = { OP_ADD,     OP_ADD,    OP_ADD,    OP_ONLINE,
						     OP_OFFLINE, OP_REMOVE, OP_REMOVE, OP_REMOVE };

	*op = (struct operation){
		.kind = kinds[dice_below(dice, COUNT(kinds))],
		.start = block_address(dice, o),
		.size = (1 + dice_below(dice, 3)) * o->section,
		.altmap = -1,
	};
	/* A leaf, or a group, larger than a section. */
	if (op->kind == OP_ADD && o->config.blocks && dice_one_in(dice, 4)) {
		op->start = UINT64_C(0x80000000);
		op->size = 8 * o->section;
	} else if (op->kind == OP_ADD && dice_one_in(dice, 3)) {
		generate_device(dice, o, op);
	} else if (op->kind == OP_ADD) {
		op->memmap_on_memory = dice_one_in(dice, 3);
	} else if (!dice_one_in(dice, 5)) {
		existing_range(dice, o, op);
	}
	if (dice_one_in(dice, 30))
		op->size += MEBI;
	generate_failure(dice, op);
}
