/* SPDX-License-Identifier: MIT */
/* oracle: memory hotplug, which is made of the operations in oracle.c. */
#include "oracle.h"

#include <errno.h>

#define SUBSECTION (UINT64_C(2) << 20)

static uint64_t linear_of(const struct oracle *o, uint64_t pa)
{
	return o->page_offset + (pa - o->memstart);
}

static uint64_t struct_page_of(const struct oracle *o, uint64_t pa)
{
	return o->page_of_0 + (pa >> o->geo.page_shift) * 64;
}

/* Boot memory lies at the start of its section, and may leave the rest of it to others. */
static bool is_early(const struct oracle *o, uint64_t pa)
{
	return pa / o->section == o->config.ram / o->section;
}

static bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

static struct oracle_range *range_at(struct oracle *o, uint64_t start, bool device)
{
	for (size_t i = 0; i < o->ranges; i++)
		if (o->range[i].start == start && o->range[i].device == device)
			return &o->range[i];
	return NULL;
}

static bool present(const struct oracle *o, uint64_t start, uint64_t size)
{
	for (size_t i = 0; i < o->ranges; i++)
		if (overlap(start, size, o->range[i].start, o->range[i].size))
			return true;
	return overlap(start, size, o->config.ram, o->config.ram_size);
}

/* True if the linear map reaches this address. */
static bool reachable(const struct oracle *o, uint64_t start, uint64_t size)
{
	uint64_t pa_end = UINT64_C(1) << o->geo.pa_bits, va = linear_of(o, start);
	uint64_t last = va + size - 1;

	return start < pa_end && size <= pa_end - start && (int64_t)start >= (int64_t)o->memstart &&
	       va >= o->linear && last >= va && last < o->page_end;
}

/* A range that is added or removed, and where its memmap is. */
struct part {
	uint64_t start, size;
	struct oracle_altmap *altmap;
	unsigned number;
};

static int add_part(struct oracle *o, const struct part *p, uint64_t attrs)
{
	const struct oracle_map map = {
		.va = linear_of(o, p->start),
		.pa = p->start,
		.size = p->size,
		.attrs = attrs,
		.table_attrs = o->linear_table,
		.blocks = o->config.blocks,
		.cont = o->config.cont,
	};
	uint64_t end = p->start + p->size, next;
	int ret = oracle_map_raw(o, &map);

	for (uint64_t pa = p->start; !ret && pa < end; pa = next) {
		next = (pa / o->section + 1) * o->section;
		next = next < end ? next : end;
		if (!is_early(o, pa))
			ret = oracle_populate_raw(o, struct_page_of(o, pa), struct_page_of(o, next),
						  p->altmap, p->number, false);
	}
	return ret;
}

static void remove_part(struct oracle *o, const struct part *p)
{
	uint64_t page = (UINT64_C(1) << o->geo.page_shift) - 1, va = linear_of(o, p->start);
	uint64_t end = p->start + p->size, next;

	for (uint64_t pa = p->start; pa < end; pa = next) {
		next = (pa / o->section + 1) * o->section;
		next = next < end ? next : end;
		if (!is_early(o, pa))
			oracle_free_memmap(o, struct_page_of(o, pa) & ~page,
					   (struct_page_of(o, next) + page) & ~page, p->altmap,
					   p->number);
	}
	oracle_unmap_range(o, va, p->size, false, -1);
	oracle_free_tables(o, va, p->size, o->page_offset, o->page_end);
	if (p->altmap && p->altmap->alloc)
		o->violates = true;
}

/* ---- add ---- */

/* Only the 4K granule has blocks whose memmap is whole pmds. */
static bool self_hosts(const struct oracle *o, uint64_t size, bool wanted)
{
	return wanted && o->config.memmap_on_memory && o->geo.page_shift == 12 &&
	       (o->config.release >= LINUX_6_12 || size == o->section);
}

static int add_blocks(struct oracle *o, uint64_t start, uint64_t size, bool self_hosted)
{
	uint64_t pages = (o->section >> o->geo.page_shift) * 64 >> o->geo.page_shift;

	for (uint64_t pa = start; pa < start + size; pa += o->section) {
		struct oracle_range block = { .start = pa, .size = o->section, .altmap = -1 };
		int ret = 0;

		block.self_hosted = self_hosted;
		block.own.base = pa >> o->geo.page_shift;
		block.own.free =
			o->config.release < LINUX_6_12 ? o->section >> o->geo.page_shift : pages;
		if (self_hosted) {
			const struct part part = { pa, o->section, &block.own,
						   (unsigned)(pa >> 21) };

			ret = add_part(o, &part, o->prot[0]);
		}
		if (ret || !oracle_alloc(o))
			return -ENOMEM;
		if (o->ranges == ORACLE_RANGES_MAX)
			o->full = true;
		else
			o->range[o->ranges++] = block;
	}
	return 0;
}

static int add_device(struct oracle *o, uint64_t start, uint64_t size, int altmap)
{
	struct part part = { start, size, altmap < 0 ? NULL : &o->altmap[altmap],
			     (unsigned)altmap };
	int ret = add_part(o, &part, o->prot[1]);

	if (ret)
		return ret;
	if (o->ranges == ORACLE_RANGES_MAX)
		o->full = true;
	else
		o->range[o->ranges++] = (struct oracle_range){
			.start = start, .size = size, .device = true, .altmap = altmap
		};
	return 0;
}

static int check_add(const struct oracle *o, uint64_t start, uint64_t size, bool device, int altmap,
		     bool memmap_on_memory)
{
	uint64_t unit = device ? SUBSECTION : o->section;
	const struct oracle_altmap *a = altmap < 0 ? NULL : &o->altmap[altmap];

	if (!size || start % unit || size % unit || start + (size - 1) < start)
		return -EINVAL;
	if (a && (!device || a->base != start >> o->geo.page_shift ||
		  a->reserve + a->free > size >> o->geo.page_shift))
		return -EINVAL;
	if (memmap_on_memory && (device || o->config.release < LINUX_5_14 ||
				 (o->config.release < LINUX_6_12 && !self_hosts(o, size, true))))
		return -EINVAL;
	if (!reachable(o, start, size))
		return o->config.release < LINUX_5_14 ? -EINVAL : -E2BIG;
	return present(o, start, size) ? -EEXIST : 0;
}

int oracle_add(struct oracle *o, uint64_t start, uint64_t size, bool device, int altmap,
	       bool memmap_on_memory)
{
	const struct part part = { .start = start, .size = size };
	static struct oracle was;
	int ret = check_add(o, start, size, device, altmap, memmap_on_memory);

	if (ret)
		return ret;
	oracle_copy(&was, o);
	if (device) {
		ret = add_device(o, start, size, altmap);
	} else {
		bool self_hosted = self_hosts(o, size, memmap_on_memory);

		ret = self_hosted ? 0 : add_part(o, &part, o->prot[0]);
		if (!ret)
			ret = add_blocks(o, start, size, self_hosted);
	}
	if (ret) {
		/* 5.14 then frees an altmap's memory to the page allocator. */
		bool astray = o->config.release == LINUX_5_14 && (altmap >= 0 || memmap_on_memory);

		oracle_restore(o, &was);
		o->foreign = astray;
	}
	return ret;
}

/* ---- remove, online, offline ---- */

static void forget(struct oracle *o, struct oracle_range *range)
{
	*range = o->range[--o->ranges];
}

/* Memory blocks of a range: how many, and how many of those are online or hold their memmap. */
struct census {
	uint64_t blocks, online, self_hosted, boot;
};

static struct census count(struct oracle *o, uint64_t start, uint64_t size)
{
	uint64_t boot = o->config.ram & -o->section;
	struct census c = { 0 };

	/* Boot memory counts as a block that is always online. */
	c.blocks = c.online = c.boot = boot >= start && boot - start < size;
	for (size_t i = 0; i < o->ranges; i++) {
		const struct oracle_range *r = &o->range[i];

		if (r->device || r->start < start || r->start - start >= size)
			continue;
		c.blocks++;
		c.online += r->online;
		c.self_hosted += r->self_hosted;
	}
	return c;
}

static bool whole_blocks(const struct oracle *o, uint64_t start, uint64_t size)
{
	return size && start % o->section == 0 && size % o->section == 0;
}

static void remove_blocks(struct oracle *o, uint64_t start, uint64_t size, bool self_hosted)
{
	const struct part part = { .start = start, .size = size };

	for (uint64_t pa = start; pa < start + size; pa += o->section) {
		struct oracle_range *range = range_at(o, pa, false);
		struct oracle_altmap own = range->own;
		const struct part one = { pa, o->section, &own, (unsigned)(pa >> 21) };

		forget(o, range);
		if (self_hosted)
			remove_part(o, &one);
	}
	if (!self_hosted)
		remove_part(o, &part);
}

int oracle_remove(struct oracle *o, uint64_t start, uint64_t size)
{
	struct oracle_range *device = range_at(o, start, true);
	struct census c = count(o, start, size);

	if (device && device->size == size) {
		const struct part part = { start, size,
					   device->altmap < 0 ? NULL : &o->altmap[device->altmap],
					   (unsigned)device->altmap };

		forget(o, device);
		remove_part(o, &part);
		return 0;
	}
	if (!whole_blocks(o, start, size) || !reachable(o, start, size))
		return -EINVAL;
	if (c.blocks * o->section != size)
		return -EINVAL;
	if (c.online)
		return -EBUSY;
	if (c.self_hosted &&
	    (o->config.release < LINUX_6_12 ? c.blocks > 1 : c.self_hosted < c.blocks))
		return -EINVAL;
	remove_blocks(o, start, size, c.self_hosted);
	return 0;
}

/* 5.14 sets up and tears down the pages of such a memmap without the hotplug lock. */
static bool forgets_lock(const struct oracle *o, const struct census *c)
{
	return o->config.release == LINUX_5_14 && c->self_hosted;
}

int oracle_online(struct oracle *o, uint64_t start, uint64_t size)
{
	struct census c = count(o, start, size);

	if (!whole_blocks(o, start, size) || c.blocks * o->section != size || c.online)
		return -EINVAL;
	o->violates = forgets_lock(o, &c);
	for (size_t i = 0; i < o->ranges; i++)
		if (!o->range[i].device && o->range[i].start - start < size)
			o->range[i].online = true;
	return 0;
}

/* True if va is inside the leaf or the contiguous group that maps it. */
static bool cuts(const struct oracle *o, uint64_t va)
{
	const struct oracle_run *run = oracle_find(o, va);
	uint64_t size;

	if (!run)
		return false;
	size = oracle_leaf_size(o, run->level);
	if (run->attrs >> 52 & 1)
		size <<= oracle_level(o, run->level)->group;
	return va % size;
}

/* 7.3 asks about each memory block on its own, without the pages of its memmap. */
static bool refused(const struct oracle *o, uint64_t start, uint64_t size)
{
	uint64_t memmap = (o->section >> o->geo.page_shift) * 64;

	for (size_t i = 0; i < o->ranges; i++) {
		const struct oracle_range *r = &o->range[i];
		uint64_t from = r->start + (r->self_hosted ? memmap : 0), to = r->start + r->size;

		if (r->device || r->start - start >= size)
			continue;
		if (cuts(o, linear_of(o, from)) || cuts(o, linear_of(o, to)) ||
		    cuts(o, struct_page_of(o, from)) || cuts(o, struct_page_of(o, to)))
			return true;
	}
	return false;
}

int oracle_offline(struct oracle *o, uint64_t start, uint64_t size)
{
	struct census c = count(o, start, size);

	if (!whole_blocks(o, start, size) || c.blocks * o->section != size || c.online < c.blocks)
		return -EINVAL;
	if (c.boot)
		return -EPERM;
	if (o->config.release == LINUX_7_3 && refused(o, start, size))
		return -EPERM;
	o->violates = forgets_lock(o, &c);
	for (size_t i = 0; i < o->ranges; i++)
		if (!o->range[i].device && o->range[i].start - start < size)
			o->range[i].online = false;
	return 0;
}

bool oracle_has_hole(const struct oracle *o)
{
	for (size_t i = 0; i < o->ranges; i++) {
		uint64_t start = o->range[i].start, end = start + o->range[i].size;

		if (is_early(o, start))
			continue;
		if (!oracle_mapped(o, linear_of(o, start), linear_of(o, end) - 1) ||
		    !oracle_mapped(o, struct_page_of(o, start), struct_page_of(o, end) - 1))
			return true;
	}
	return false;
}
