/* SPDX-License-Identifier: MIT */
/* tables: a hash of the tables that the kernel's code has pointers to, by the address of their entries. */
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

static size_t place_of(const struct kernel_tables *tables, const void *entries)
{
	uint64_t hash = (uint64_t)((uintptr_t)entries >> 9) * UINT64_C(0x9e3779b97f4a7c15);

	return (size_t)(hash >> 32) & (tables->room - 1);
}

/* The slot of these entries, or the free one where it would be. */
static struct kernel_table *look_up(const struct kernel_tables *tables, const void *entries)
{
	size_t at = place_of(tables, entries);

	while (tables->slot[at].entries && tables->slot[at].entries != entries)
		at = (at + 1) & (tables->room - 1);
	return &tables->slot[at];
}

static bool grow(struct kernel_tables *tables)
{
	struct kernel_tables larger = { .room = tables->room ? 2 * tables->room : 256 };

	larger.slot = calloc(larger.room, sizeof(*larger.slot));
	if (!larger.slot)
		return false;
	for (size_t i = 0; i < tables->room; i++)
		if (tables->slot[i].entries)
			*look_up(&larger, tables->slot[i].entries) = tables->slot[i];
	larger.count = tables->count;
	free(tables->slot);
	*tables = larger;
	return true;
}

struct kernel_table *kernel_tables_add(struct kernel_tables *tables, struct pgtsim_table *table)
{
	struct kernel_table *slot;

	if (2 * tables->count >= tables->room && !grow(tables))
		return NULL;
	slot = look_up(tables, table->entries);
	tables->count += !slot->entries;
	if (slot->table != table)
		*slot = (struct kernel_table){ .entries = table->entries, .table = table };
	return slot;
}

struct kernel_table *kernel_tables_find(const struct kernel_tables *tables,
					const volatile void *memory, size_t bytes)
{
	uintptr_t entries = (uintptr_t)memory & ~(uintptr_t)(bytes - 1);
	struct kernel_table *slot;

	if (!tables->room)
		return NULL;
	slot = look_up(tables, (const void *)entries);
	return slot->entries ? slot : NULL;
}

void kernel_tables_free(struct kernel_tables *tables)
{
	free(tables->slot);
	*tables = (struct kernel_tables){ 0 };
}
