/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/mman.h>

struct kc_world kc_world;
const struct kc_kernel *kc_running;
struct kc_task *kc_task;

/* What memory that is no table looks like to a walk: not empty, not valid, not a table. */
static uint64_t junk[1 << 13];

/* Set in pointers to memory that is not there. */
#define NOWHERE (UINT64_C(1) << 63)

void *kc_grow(void *memory, size_t size)
{
	memory = realloc(memory, size);
	if (!memory) {
		fputs("no memory\n", stderr);
		exit(2);
	}
	return memory;
}

void kc_log_add(struct kc_log *log, struct kc_event event)
{
	if (log->count == log->room) {
		log->room = log->room ? 2 * log->room : 1024;
		log->event = kc_grow(log->event, log->room * sizeof(*log->event));
	}
	log->event[log->count++] = event;
}

/* ---- RAM and its allocator ---- */

static struct kc_page *page_of(uint64_t pa)
{
	return &kc_world.page[(pa - kc_world.ram_start) >> kc_world.page_shift];
}

bool kc_is_ram(uint64_t pa)
{
	return pa >= kc_world.ram_start && pa - kc_world.ram_start < kc_world.pages
									     << kc_world.page_shift;
}

static void put_free(uint32_t index, unsigned order)
{
	kc_world.page[index] = (struct kc_page){ .free = true, .order = (uint8_t)order };
	kc_world.free_blocks[order]++;
	if (index < kc_world.lowest[order])
		kc_world.lowest[order] = index;
}

/* A free block of this order is to be something else. */
static void take_free(uint32_t index, unsigned order)
{
	kc_world.page[index].free = false;
	kc_world.free_blocks[order]--;
}

static bool is_free(uint32_t index, unsigned order)
{
	return kc_world.page[index].free && kc_world.page[index].order == order;
}

/* The lowest free block of this order, or the end of RAM. */
static uint32_t lowest_free(unsigned order)
{
	uint32_t index = kc_world.lowest[order];

	if (!kc_world.free_blocks[order])
		return (uint32_t)kc_world.pages;
	while (index < kc_world.pages && !is_free(index, order))
		index += 1u << order;
	kc_world.lowest[order] = index;
	return index;
}

/* Cuts a free block of order `from` down to `order`: its first part. */
static void split(uint32_t index, unsigned from, unsigned order)
{
	take_free(index, from);
	while (from-- > order)
		put_free(index + (1u << from), from);
}

static bool injected(void)
{
	return kc_world.fail_in && !--kc_world.fail_in;
}

bool kc_alloc_small(void)
{
	return !injected();
}

uint64_t kc_alloc(unsigned order, bool zero)
{
	uint64_t pa, size = UINT64_C(1) << (order + kc_world.page_shift);
	unsigned from = order;
	uint32_t index;

	while (from <= KC_MAX_ORDER && lowest_free(from) >= kc_world.pages)
		from++;
	if (from > KC_MAX_ORDER || injected())
		return 0;
	index = lowest_free(from);
	split(index, from, order);
	kc_world.page[index] = (struct kc_page){ .head = true, .order = (uint8_t)order };
	kc_world.free_pages -= UINT64_C(1) << order;
	pa = kc_world.ram_start + ((uint64_t)index << kc_world.page_shift);
	kc_note_pages(KC_ALLOC, pa, UINT64_C(1) << order);
	if (zero)
		memset(kc_memory(pa), 0, size);
	return pa;
}

/* Frees a block and joins it with its buddies. */
static void join(uint32_t index, unsigned order)
{
	while (order < KC_MAX_ORDER) {
		uint32_t buddy = index ^ 1u << order;

		if (buddy >= kc_world.pages || !is_free(buddy, order))
			break;
		take_free(buddy, order);
		index &= ~(1u << order);
		order++;
	}
	put_free(index, order);
}

void kc_free(uint64_t pa, unsigned order)
{
	uint64_t pages = UINT64_C(1) << order;
	struct kc_page *page = kc_is_ram(pa) ? page_of(pa) : NULL;

	if (!page || !page->head || page->order != order || page->table) {
		kc_note_pages(KC_BAD_FREE, pa, pages);
		return;
	}
	page->head = false;
	kc_world.free_pages += pages;
	join((uint32_t)(page - kc_world.page), order);
	kc_note_pages(KC_FREE, pa, pages);
}

/* ---- host memory ---- */

void *kc_memory(uint64_t pa)
{
	if (kc_is_ram(pa))
		return kc_world.ram + (pa - kc_world.ram_start);
	return (void *)(uintptr_t)(pa | NOWHERE);
}

uint64_t kc_address(const volatile void *memory)
{
	uint64_t at = (uintptr_t)memory;

	if (at & NOWHERE)
		return at & ~NOWHERE;
	return kc_world.ram_start + (at - (uintptr_t)kc_world.ram);
}

void *kc_table(uint64_t pa)
{
	if (kc_is_ram(pa) && page_of(pa)->table)
		return kc_memory(pa);
	return junk;
}

/* ---- stores ---- */

/* log2 of the bytes that one entry of this level translates. */
static unsigned level_shift(int level)
{
	return (kc_world.page_shift - 3) * (unsigned)(4 - level) + 3;
}

static void mark_table(uint64_t pa, int level, uint64_t va)
{
	struct kc_page *page = page_of(pa);

	page->table = true;
	page->level = (int8_t)level;
	page->va = va;
	page->place = kc_world.tables;
	kc_world.table[kc_world.tables++] = (uint32_t)(page - kc_world.page);
}

static void unmark_table(uint64_t pa)
{
	struct kc_page *page = page_of(pa);
	uint32_t last = kc_world.table[--kc_world.tables];

	page->table = false;
	kc_world.table[page->place] = last;
	kc_world.page[last].place = page->place;
}

/* Keeps the records of the tables that an entry pointed to, or will. */
static void follow(struct kc_event store)
{
	struct kc_entry old = kc_running->decode(store.level, store.a);
	struct kc_entry now = kc_running->decode(store.level, store.b);

	if (old.table && kc_is_ram(old.pa))
		unmark_table(old.pa);
	if (now.table && kc_is_ram(now.pa))
		mark_table(now.pa, store.level + 1, store.va);
}

static void journal(volatile uint64_t *entry, uint64_t old)
{
	if (kc_world.undo_count == kc_world.undo_room) {
		kc_world.undo_room = kc_world.undo_room ? 2 * kc_world.undo_room : 1024;
		kc_world.undo = kc_grow(kc_world.undo, kc_world.undo_room * sizeof(*kc_world.undo));
	}
	kc_world.undo[kc_world.undo_count++] = (struct kc_undo){ entry, old };
}

void kc_store(volatile void *entry, uint64_t value)
{
	uint64_t pa = kc_address(entry), mask = (UINT64_C(1) << kc_world.page_shift) - 1;
	const struct kc_page *page = page_of(pa);
	struct kc_event store = { .what = KC_STORE, .level = page->level, .b = value };

	store.va = page->va + ((pa & mask) / 8 << level_shift(page->level));
	store.a = *(volatile uint64_t *)entry;
	journal(entry, store.a);
	*(volatile uint64_t *)entry = value;
	kc_world.invalid |= value && !(value & 1);
	/* A table that is filled before it is linked: no walk sees that. */
	if (!page->table)
		return;
	kc_log_add(&kc_world.log, store);
	follow(store);
}

/* Only whether they come is compared. */
void kc_said(bool bug, const char *file, int line)
{
	(void)bug;
	(void)file;
	(void)line;
}

/* ---- operations ---- */

void kc_begin(void)
{
	kc_world.log.count = 0;
	kc_world.undo_count = 0;
	kc_world.warnings = 0;
}

/* All but the contents of the tables. */
static struct {
	struct kc_page page[KC_MAX_PAGES];
	uint32_t table[KC_MAX_PAGES], tables;
	uint32_t lowest[KC_MAX_ORDER + 1], free_blocks[KC_MAX_ORDER + 1];
	uint64_t free_pages, fail_in, constructed, destructed;
} saved;

void kc_save(void)
{
	memcpy(saved.page, kc_world.page, kc_world.pages * sizeof(saved.page[0]));
	memcpy(saved.table, kc_world.table, kc_world.tables * sizeof(saved.table[0]));
	memcpy(saved.lowest, kc_world.lowest, sizeof(saved.lowest));
	memcpy(saved.free_blocks, kc_world.free_blocks, sizeof(saved.free_blocks));
	saved.tables = kc_world.tables;
	saved.free_pages = kc_world.free_pages;
	saved.fail_in = kc_world.fail_in;
	saved.constructed = kc_world.constructed;
	saved.destructed = kc_world.destructed;
}

void kc_restore(void)
{
	while (kc_world.undo_count) {
		const struct kc_undo *undo = &kc_world.undo[--kc_world.undo_count];

		*undo->entry = undo->old;
	}
	memcpy(kc_world.page, saved.page, kc_world.pages * sizeof(saved.page[0]));
	memcpy(kc_world.table, saved.table, saved.tables * sizeof(saved.table[0]));
	memcpy(kc_world.lowest, saved.lowest, sizeof(saved.lowest));
	memcpy(kc_world.free_blocks, saved.free_blocks, sizeof(saved.free_blocks));
	kc_world.tables = saved.tables;
	kc_world.free_pages = saved.free_pages;
	kc_world.fail_in = saved.fail_in;
	kc_world.constructed = saved.constructed;
	kc_world.destructed = saved.destructed;
	kc_begin();
}

bool kc_find_leaf(uint64_t va, uint64_t last, uint64_t *at)
{
	for (uint32_t i = 0; i < kc_world.tables; i++) {
		const struct kc_page *page = &kc_world.page[kc_world.table[i]];
		const uint64_t *entry = kc_memory(
			kc_world.ram_start + ((uint64_t)kc_world.table[i] << kc_world.page_shift));
		uint64_t size = UINT64_C(1) << level_shift(page->level);

		for (unsigned e = 0; e < 1u << (kc_world.page_shift - 3); e++) {
			*at = page->va + e * size;
			if (entry[e] && *at <= last && *at + size - 1 >= va &&
			    !kc_running->decode(page->level, entry[e]).table)
				return true;
		}
	}
	return false;
}

/* The last address of the entry that is no table and is for va; *desc is what it holds. */
static uint64_t last_of_entry(uint64_t va, uint64_t *desc)
{
	uint64_t pa = kc_world.root;

	for (;;) {
		const struct kc_page *page = page_of(pa);
		unsigned shift = level_shift(page->level);
		struct kc_entry next;

		*desc = ((const uint64_t *)kc_memory(pa))[(va - page->va) >> shift];
		next = kc_running->decode(page->level, *desc);
		if (!next.table || !kc_is_ram(next.pa) || !page_of(next.pa)->table)
			return va | ((UINT64_C(1) << shift) - 1);
		pa = next.pa;
	}
}

bool kc_is_mapped(uint64_t va, uint64_t last)
{
	uint64_t desc, end;

	for (;; va = end + 1) {
		end = last_of_entry(va, &desc);
		if (!desc || end >= last)
			return desc != 0;
	}
}

/* ---- start ---- */

static void start_pages(void)
{
	memset(kc_world.page, 0, sizeof(kc_world.page));
	memset(kc_world.free_blocks, 0, sizeof(kc_world.free_blocks));
	for (unsigned order = 0; order <= KC_MAX_ORDER; order++)
		kc_world.lowest[order] = (uint32_t)kc_world.pages;
	for (uint32_t index = 0; index < kc_world.pages; index += 1u << KC_MAX_ORDER)
		put_free(index, KC_MAX_ORDER);
	kc_world.free_pages = kc_world.pages;
}

static void map_ram(void)
{
	if (kc_world.ram)
		return;
	memset(junk, 0x52, sizeof(junk));
	kc_world.ram = mmap(NULL, 2 * KC_RAM_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (kc_world.ram == MAP_FAILED) {
		perror("mmap");
		exit(2);
	}
#ifdef MADV_HUGEPAGE
	madvise(kc_world.ram, 2 * KC_RAM_BYTES, MADV_HUGEPAGE);
#endif
	/* As aligned as the addresses are: the kernel rounds pointers down to pages. */
	kc_world.ram = (uint8_t *)(((uintptr_t)kc_world.ram + KC_RAM_BYTES - 1) &
				   ~(uintptr_t)(KC_RAM_BYTES - 1));
}

void kc_world_start(unsigned page_shift, uint64_t ram_start, int root_level, uint64_t root_va)
{
	map_ram();
	kc_world.page_shift = page_shift;
	kc_world.ram_start = ram_start;
	kc_world.pages = KC_RAM_BYTES >> page_shift;
	kc_world.fail_in = 0;
	kc_world.invalid = false;
	kc_world.tables = 0;
	kc_begin();
	start_pages();
	kc_world.root = kc_alloc(0, true);
	mark_table(kc_world.root, root_level, root_va);
}
