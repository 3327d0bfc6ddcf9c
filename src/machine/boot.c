/* SPDX-License-Identifier: MIT */
/*
 * boot: what the page table of a machine holds before anything is hot-added. Memory of the memmap, the
 * kernel image, KFENCE's pool, and the linear map around them, as paging_init(), sparse_init() and
 * mark_rodata_ro() leave it.
 */
#include <errno.h>
#include <inttypes.h>

#include <pgtsim/protect.h>

#include "arch/error.h"
#include "config.h"
#include "events/events.h"
#include "pgtable/access.h"

#define SEGMENT UINT64_C(0x10000)       /* SEGMENT_ALIGN; the image's head is as long */
#define MODULES (UINT64_C(2) << 30)     /* the modules' region, below the image */
#define IMAGE_ALIGN (UINT64_C(2) << 20) /* MIN_KIMG_ALIGN */

/* ---- parts of the image ---- */

/* The head of the image is there if the image is. */
static uint64_t text_start(const struct pgtsim_image *image)
{
	bool any = image->text | image->rodata | image->init | image->data;

	return image->start + (any ? SEGMENT : 0);
}

static uint64_t text_end(const struct pgtsim_image *image)
{
	return text_start(image) + image->text;
}

static uint64_t init_begin(const struct pgtsim_image *image)
{
	return text_end(image) + image->rodata;
}

static uint64_t image_end(const struct pgtsim_image *image)
{
	return init_begin(image) + image->init + image->data;
}

/* ---- the memmap ---- */

static uint64_t section_end(const struct pgtsim_machine *machine, uint64_t pa)
{
	uint64_t size = machine->hotplug.config.section_size;

	return (pa + size - 1) & ~(size - 1);
}

/* The memmap of the sections of one range: pages of memory that it takes at most. */
static uint64_t memmap_pages(const struct pgtsim_machine *machine, const struct pgtsim_ram *ram)
{
	const struct pgtsim_geometry *geo = &machine->geo;
	uint64_t size = machine->hotplug.config.section_size;
	uint64_t bytes = section_end(machine, ram->end) - (ram->start & ~(size - 1));
	uint64_t block = UINT64_C(1) << geo->shift[pgtsim_slot(PGTSIM_PMD)];

	bytes = (bytes >> geo->page_shift) * machine->vmemmap.struct_page;
	/* Where blocks are used, both ends may be rounded outwards, and the first block aligned. */
	return (bytes >> geo->page_shift) + (geo->page_shift == 12 ? 3 * block >> 12 : 2);
}

/* The highest range of RAM that starts below an address; NULL: there is none. */
static const struct pgtsim_ram *highest_below(const struct pgtsim_machine_config *config,
					      uint64_t bound)
{
	const struct pgtsim_ram *highest = NULL;

	for (size_t i = 0; i < config->ram_count; i++)
		if (config->ram[i].start < bound &&
		    (!highest || config->ram[i].start > highest->start))
			highest = &config->ram[i];
	return highest;
}

/*
 * The end of the highest run of bytes in a range of RAM that the image, KFENCE's pool and the root
 * table leave; 0: there is none. Init memory is the image's until the kernel has booted.
 */
static uint64_t end_of_free_run(const struct pgtsim_machine *machine,
				const struct pgtsim_image *image, const struct pgtsim_ram *ram,
				uint64_t bytes)
{
	uint64_t end = ram->end, root = machine->pgt.root->pa;
	struct pgtsim_ram taken[3] = { { root, root + pgtsim_page_size(&machine->geo) } };

	if (image) {
		taken[1] = (struct pgtsim_ram){ image->start, image_end(image) };
		taken[2] = image->kfence;
	}
	for (unsigned i = 0; i < 3;) {
		if (end <= ram->start || end - ram->start <= bytes)
			return 0;
		if (taken[i].start < end && taken[i].end > end - bytes &&
		    taken[i].start < taken[i].end) {
			end = taken[i].start;
			i = 0;
		} else {
			i++;
		}
	}
	return end;
}

/*
 * Takes memory for the memmap of all boot memory, as memblock does, from the highest range that has
 * room and as high in it as is free: an altmap over those frames hands them out.
 */
static int reserve_memmap(struct pgtsim_machine *machine,
			  const struct pgtsim_machine_config *config,
			  struct pgtsim_altmap *memblock)
{
	unsigned shift = machine->geo.page_shift;
	const struct pgtsim_ram *ram = highest_below(config, UINT64_MAX);
	int ret = -EBUSY;

	*memblock = (struct pgtsim_altmap){ 0 };
	for (size_t i = 0; i < config->ram_count; i++)
		memblock->free += memmap_pages(machine, &config->ram[i]);
	for (; ret == -EBUSY && ram; ram = highest_below(config, ram->start)) {
		uint64_t end =
			end_of_free_run(machine, config->image, ram, memblock->free << shift);

		if (!end)
			continue;
		memblock->base = (end >> shift) - memblock->free;
		ret = pgtsim_memory_reserve_boot(machine->memory, memblock->base, memblock->free);
	}
	if (ret == -EBUSY)
		return pgtsim_fail(&machine->tlb, -ENOMEM,
				   "no RAM range has room for the memmap of all RAM (%s) beside "
				   "what is reserved",
				   pgtsim_amount(memblock->free << shift).text);
	return ret;
}

/* The memmap of one range of boot memory: whole sections. */
static int boot_memmap(struct pgtsim_machine *machine, const struct pgtsim_ram *ram,
		       struct pgtsim_altmap *memblock)
{
	unsigned shift = machine->geo.page_shift;
	uint64_t size = machine->hotplug.config.section_size;
	uint64_t last = section_end(machine, ram->end);
	int ret = 0;

	for (uint64_t pa = ram->start & ~(size - 1); !ret && pa < last; pa += size) {
		uint64_t start = pgtsim_page_of_pfn(&machine->vmemmap, pa >> shift);
		uint64_t end = pgtsim_page_of_pfn(&machine->vmemmap, (pa + size) >> shift);

		ret = pgtsim_vmemmap_populate(&machine->vmemmap, start, end, memblock, 0);
	}
	return ret;
}

/* ---- the kernel image ---- */

uint64_t pgtsim_image_va(const struct pgtsim_machine *machine, const struct pgtsim_image *image,
			 uint64_t pa)
{
	if (!machine || !image)
		return 0;
	return machine->layout.page_end + MODULES + (image->start & (IMAGE_ALIGN - 1)) +
	       (pa - image->start);
}

static int map_part(struct pgtsim_machine *machine, const struct pgtsim_image *image,
		    const struct pgtsim_map *like, uint64_t start, uint64_t end)
{
	struct pgtsim_map map = *like;

	if (start >= end)
		return 0;
	map.va = pgtsim_image_va(machine, image, start);
	map.pa = start;
	map.size = end - start;
	return pgtsim_map(&machine->pgt, &map);
}

/*
 * One segment at its place in the vmalloc region, as map_range() of arch/arm64/kernel/pi maps it: pmd
 * blocks where they fit, without the hint; pages with the hint where `cont`.
 */
static int map_segment(struct pgtsim_machine *machine, const struct pgtsim_image *image,
		       uint64_t start, uint64_t end, enum pgtsim_prot prot, bool cont)
{
	uint64_t block = pgtsim_entry_size(&machine->geo, PGTSIM_PMD);
	uint64_t first = (start + block - 1) & ~(block - 1), last = end & ~(block - 1);
	const struct pgtsim_map pages = {
		.attrs = machine->policy.prot[prot],
		.table_attrs = machine->policy.table_noexec ? PGTSIM_DESC_UXNTABLE : 0,
		.cont = cont,
		.region = PGTSIM_REGION_OTHER,
	};
	struct pgtsim_map blocks = pages;
	int ret;

	blocks.blocks = true;
	blocks.cont = false;
	if ((pgtsim_image_va(machine, image, start) ^ start) & (block - 1) || first >= last)
		return map_part(machine, image, &pages, start, end);
	ret = map_part(machine, image, &pages, start, first);
	ret = ret ? ret : map_part(machine, image, &blocks, first, last);
	return ret ? ret : map_part(machine, image, &pages, last, end);
}

/* The head of the image isn't executed after boot; init memory has been freed. */
static int map_image(struct pgtsim_machine *machine, const struct pgtsim_image *image)
{
	uint64_t text = text_start(image);
	int ret = map_segment(machine, image, image->start, text, PGTSIM_PROT_RO, false);

	if (!ret)
		ret = map_segment(machine, image, text, text_end(image), PGTSIM_PROT_RX, true);
	if (!ret)
		ret = map_segment(machine, image, text_end(image), init_begin(image),
				  PGTSIM_PROT_RO, false);
	if (!ret)
		ret = map_segment(machine, image, init_begin(image) + image->init, image_end(image),
				  PGTSIM_PROT_KERNEL, true);
	return ret;
}

/* ---- the linear map ---- */

static int map_linear(struct pgtsim_machine *machine, uint64_t start, uint64_t end,
		      enum pgtsim_prot prot, bool pages)
{
	bool large = pgtsim_starts_large(&machine->tlb, &machine->policy);
	const struct pgtsim_map map = {
		.va = pgtsim_linear(&machine->layout, start),
		.pa = start,
		.size = end - start,
		.attrs = machine->policy.prot[prot],
		.table_attrs = machine->policy.linear_table,
		.blocks = !pages && (machine->hotplug.config.blocks || large),
		.cont = !pages && (machine->hotplug.config.cont || large),
		.region = PGTSIM_REGION_LINEAR,
	};

	return start < end ? pgtsim_map(&machine->pgt, &map) : 0;
}

static int make_invalid(struct pgtsim_machine *machine, uint64_t start, uint64_t size)
{
	return size ? pgtsim_protect(&machine->pgt, pgtsim_linear(&machine->layout, start), size,
				     PGTSIM_PROTECT_INVALID, false) :
		      0;
}

/* kfence_init_pool(): the first two pages and then each second one are guards. */
static int map_kfence(struct pgtsim_machine *machine, const struct pgtsim_image *image)
{
	uint64_t page = pgtsim_page_size(&machine->geo), start = image->kfence.start;
	int ret = map_linear(machine, start, image->kfence.end, PGTSIM_PROT_TAGGED, true);

	if (!ret && start < image->kfence.end)
		ret = make_invalid(machine, start, page);
	for (uint64_t pa = start + page; !ret && pa < image->kfence.end; pa += 2 * page)
		ret = make_invalid(machine, pa, page);
	return ret;
}

/* Of the image: text and rodata are read-only, data and bss invalid from 7.1 on. */
static int map_alias(struct pgtsim_machine *machine, const struct pgtsim_image *image)
{
	uint64_t data = init_begin(image) + image->init;
	int ret = map_linear(machine, image->start, init_begin(image), PGTSIM_PROT_RO, false);

	ret = ret ? ret : map_linear(machine, data, image_end(image), PGTSIM_PROT_TAGGED, false);
	if (!ret && machine->policy.invalid_leaf == PGTSIM_INVALID_LEAF_MARKED)
		ret = make_invalid(machine, data, image->data);
	return ret;
}

/*
 * Maps a range of RAM, and leaves out the parts that are mapped already. A block or group is large only
 * where it lies between such parts.
 */
static int map_bank(struct pgtsim_machine *machine, const struct pgtsim_image *image,
		    const struct pgtsim_ram *ram)
{
	const struct pgtsim_ram none = { ram->end, ram->end };
	struct pgtsim_ram apart[3] = { none, none, none };
	uint64_t pa = ram->start;
	int ret = 0;

	if (image) {
		apart[0] = (struct pgtsim_ram){ image->start, init_begin(image) };
		apart[1] = (struct pgtsim_ram){ init_begin(image) + image->init, image_end(image) };
		apart[2] = image->kfence;
	}
	while (!ret && pa < ram->end) {
		struct pgtsim_ram next = none;

		for (unsigned i = 0; i < 3; i++)
			if (apart[i].start >= pa && apart[i].start < next.start &&
			    apart[i].start < apart[i].end)
				next = apart[i];
		ret = map_linear(machine, pa, next.start, PGTSIM_PROT_TAGGED, false);
		pa = next.end;
	}
	return ret;
}

/* ---- all of it ---- */

static int refuse(struct pgtsim_machine *machine, const char *what, const struct pgtsim_ram *range)
{
	return pgtsim_fail(&machine->tlb, -EINVAL,
			   "%s (0x%" PRIx64 "+%s) must lie in one range of RAM, apart from other "
			   "reserved memory",
			   what, range->start, pgtsim_amount(range->end - range->start).text);
}

static int reserve(struct pgtsim_machine *machine, const char *what, const struct pgtsim_ram *range)
{
	unsigned shift = machine->geo.page_shift;
	int ret;

	if (range->start == range->end)
		return 0;
	ret = pgtsim_memory_reserve_boot(machine->memory, range->start >> shift,
					 (range->end - range->start) >> shift);
	return ret == -EINVAL || ret == -EBUSY ? refuse(machine, what, range) : ret;
}

int pgtsim_boot_reserve(struct pgtsim_machine *machine, const struct pgtsim_image *image)
{
	const struct pgtsim_ram code = { image->start, init_begin(image) };
	const struct pgtsim_ram data = { init_begin(image) + image->init, image_end(image) };
	int ret = reserve(machine, "the kernel's text and rodata", &code);

	ret = ret ? ret : reserve(machine, "the kernel's data", &data);
	return ret ? ret : reserve(machine, "KFENCE's pool", &image->kfence);
}

int pgtsim_boot(struct pgtsim_machine *machine, const struct pgtsim_machine_config *config)
{
	const struct pgtsim_image *image = config->image;
	struct pgtsim_altmap memblock;
	int ret = reserve_memmap(machine, config, &memblock);

	if (!ret && image)
		ret = map_image(machine, image);
	if (!ret && image)
		ret = map_kfence(machine, image);
	if (!ret && image)
		ret = map_alias(machine, image);
	/* Memory at boot comes from memblock even where hot-add knows no altmap. */
	machine->policy.altmap_full = PGTSIM_ALTMAP_FAIL;
	for (size_t i = 0; !ret && i < config->ram_count; i++) {
		ret = boot_memmap(machine, &config->ram[i], &memblock);
		if (!ret)
			ret = map_bank(machine, image, &config->ram[i]);
	}
	machine->policy.altmap_full = config->policy.altmap_full;
	return ret;
}
