/* SPDX-License-Identifier: MIT */
/* judge_tables: the tables of a trace, found by their physical address and by their place. */
#include "judge.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_BUCKETS = 64 };

static size_t hash(uint64_t key, size_t buckets)
{
	key *= UINT64_C(0x9e3779b97f4a7c15);
	return (size_t)(key >> 32) & (buckets - 1);
}

static size_t hash_pa(const struct judge_tables *tables, uint64_t pa)
{
	return hash(pa >> tables->geo->page_shift, tables->buckets);
}

static size_t hash_place(const struct judge_tables *tables, int level, uint64_t va)
{
	return hash((va >> 12) + (uint64_t)(level + 2), tables->buckets);
}

/* The first address that the table translates to which va belongs. */
static uint64_t table_start(const struct judge_tables *tables, int level, uint64_t va)
{
	if (level == pgtsim_root_level(tables->geo))
		return pgtsim_va_start(tables->geo);
	return va & ~(pgtsim_entry_size(tables->geo, level - 1) - 1);
}

/* The entries of the largest table: the level of a table is not known before it is linked. */
static unsigned most_entries(const struct pgtsim_geometry *geo)
{
	unsigned most = pgtsim_entries(geo, PGTSIM_PTE);

	for (int level = pgtsim_root_level(geo); level < PGTSIM_PTE; level++)
		if (pgtsim_entries(geo, level) > most)
			most = pgtsim_entries(geo, level);
	return most;
}

void pgtsim_judge_tables_init(struct judge_tables *tables, const struct pgtsim_geometry *geo)
{
	size_t entries = most_entries(geo) * sizeof(uint64_t);

	*tables = (struct judge_tables){
		.geo = geo,
		.unknown = JUDGE_PA_UNKNOWN,
		.host = { .piece = (sizeof(struct judge_table) + entries + 63) & ~(size_t)63,
			  .few = 4 << 20,
			  .many = 4 << 20 },
	};
}

void pgtsim_judge_tables_free(struct judge_tables *tables)
{
	pgtsim_host_free(&tables->host);
	free(tables->by_pa);
	free(tables->by_place);
}

/* ---- the two hash tables ---- */

static void insert_by_pa(struct judge_tables *tables, struct judge_table *table)
{
	struct judge_table **bucket = &tables->by_pa[hash_pa(tables, table->pa)];

	table->next_by_pa = *bucket;
	*bucket = table;
}

static void insert_by_place(struct judge_tables *tables, struct judge_table *table)
{
	struct judge_table **bucket =
		&tables->by_place[hash_place(tables, table->level, table->va)];

	table->next_by_place = *bucket;
	*bucket = table;
}

/* Moves all tables into hash tables of this size. Returns false, nothing changed, without memory. */
static bool resize(struct judge_tables *tables, size_t buckets)
{
	struct judge_tables larger = { .buckets = buckets, .geo = tables->geo };

	larger.by_pa = calloc(buckets, sizeof(*larger.by_pa));
	larger.by_place = calloc(buckets, sizeof(*larger.by_place));
	if (!larger.by_pa || !larger.by_place) {
		free(larger.by_pa);
		free(larger.by_place);
		return false;
	}
	for (size_t i = 0; i < tables->buckets; i++)
		for (struct judge_table *table = tables->by_pa[i], *next; table; table = next) {
			next = table->next_by_pa;
			insert_by_pa(&larger, table);
			if (table->level != JUDGE_UNPLACED)
				insert_by_place(&larger, table);
		}
	free(tables->by_pa);
	free(tables->by_place);
	tables->by_pa = larger.by_pa;
	tables->by_place = larger.by_place;
	tables->buckets = buckets;
	return true;
}

struct judge_table *pgtsim_judge_table_at(const struct judge_tables *tables, uint64_t pa)
{
	struct judge_table *table = tables->buckets ? tables->by_pa[hash_pa(tables, pa)] : NULL;

	while (table && table->pa != pa)
		table = table->next_by_pa;
	return table;
}

struct judge_table *pgtsim_judge_table_of(const struct judge_tables *tables, int level, uint64_t va)
{
	struct judge_table *table;

	if (!tables->buckets)
		return NULL;
	va = table_start(tables, level, va);
	table = tables->by_place[hash_place(tables, level, va)];
	while (table && (table->level != level || table->va != va))
		table = table->next_by_place;
	return table;
}

/* ---- one table ---- */

static uint64_t size_of(const struct judge_table *table)
{
	return sizeof(*table) + table->count * sizeof(table->entry[0]);
}

struct judge_table *pgtsim_judge_table_add(struct judge_tables *tables, uint64_t pa, uint64_t value)
{
	unsigned count = most_entries(tables->geo);
	struct judge_table *table;
	uintptr_t piece;

	if (tables->count >= tables->buckets &&
	    !resize(tables, tables->buckets ? 2 * tables->buckets : FIRST_BUCKETS))
		return NULL;
	if (tables->bytes > JUDGE_BYTES_MAX)
		return NULL;
	if (!pgtsim_host_ready(&tables->host, 1, 1))
		return NULL;
	piece = pgtsim_host_pop(&tables->host);
	table = pgtsim_piece_at(piece);
	*table = (struct judge_table){ .pa = pa, .level = JUDGE_UNPLACED, .count = count };
	if (value || pgtsim_piece_is_dirty(piece))
		for (unsigned i = 0; i < count; i++)
			table->entry[i] = value;
	table->unknown = value == JUDGE_UNKNOWN;
	insert_by_pa(tables, table);
	tables->count++;
	tables->bytes += size_of(table);
	return table;
}

struct judge_table *pgtsim_judge_table_assume(struct judge_tables *tables, int level, uint64_t va)
{
	struct judge_table *table = pgtsim_judge_table_add(tables, tables->unknown, JUDGE_UNKNOWN);

	if (!table)
		return NULL;
	tables->unknown -= pgtsim_page_size(tables->geo);
	pgtsim_judge_table_place(tables, table, level, va);
	return table;
}

void pgtsim_judge_table_place(struct judge_tables *tables, struct judge_table *table, int level,
			      uint64_t va)
{
	pgtsim_judge_table_displace(tables, table);
	table->level = level;
	table->led_to = true;
	table->va = table_start(tables, level, va);
	insert_by_place(tables, table);
}

void pgtsim_judge_table_displace(struct judge_tables *tables, struct judge_table *table)
{
	struct judge_table **link;

	if (table->level == JUDGE_UNPLACED)
		return;
	link = &tables->by_place[hash_place(tables, table->level, table->va)];
	while (*link != table)
		link = &(*link)->next_by_place;
	*link = table->next_by_place;
	table->level = JUDGE_UNPLACED;
}

void pgtsim_judge_table_remove(struct judge_tables *tables, struct judge_table *table)
{
	struct judge_table **link = &tables->by_pa[hash_pa(tables, table->pa)];

	pgtsim_judge_table_displace(tables, table);
	while (*link != table)
		link = &(*link)->next_by_pa;
	*link = table->next_by_pa;
	tables->count--;
	tables->bytes -= size_of(table);
	pgtsim_host_push(&tables->host, pgtsim_piece(table, table->live || table->unknown));
}

static bool is_live(uint64_t desc)
{
	return desc && desc != JUDGE_UNKNOWN;
}

void pgtsim_judge_table_set(struct judge_table *table, unsigned index, unsigned count,
			    uint64_t desc, uint64_t step)
{
	uint64_t *entry = &table->entry[index];

	if (!desc)
		step = 0;
	for (uint64_t *end = entry + count; entry < end; entry++, desc += step) {
		table->live += is_live(desc) - is_live(*entry);
		table->unknown |= desc == JUDGE_UNKNOWN;
		*entry = desc;
	}
}

uint64_t pgtsim_judge_tables_nowhere(const struct judge_tables *tables)
{
	uint64_t count = 0;

	for (size_t i = 0; i < tables->buckets; i++)
		for (const struct judge_table *table = tables->by_pa[i]; table;
		     table = table->next_by_pa)
			count += table->stored && !table->led_to;
	return count;
}

struct judge_table *pgtsim_judge_table_in(const struct judge_tables *tables, uint64_t pa,
					  uint64_t last)
{
	const uint64_t step = 2048; /* the smallest table there is */
	struct judge_table *table = NULL;

	if ((last - pa) / step < tables->count) {
		for (uint64_t at = pa; !table && at <= last; at += step)
			table = pgtsim_judge_table_at(tables, at);
		return table;
	}
	for (size_t i = 0; i < tables->buckets; i++)
		for (table = tables->by_pa[i]; table; table = table->next_by_pa)
			if (table->pa >= pa && table->pa <= last)
				return table;
	return NULL;
}
