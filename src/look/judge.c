/* SPDX-License-Identifier: MIT */
#include "judge.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <pgtsim/cpu.h>
#include <pgtsim/desc.h>
#include <pgtsim/format.h>

#include "events/events.h"

/* What one event may concern: more is no trace of a real machine, and would take forever. */
enum {
	LOOP_MAX = 1 << 21,    /* addresses of an invalidate, further apart than a page */
	ADDRESS_BITS_MAX = 56, /* of physical addresses */
	COUNT_BITS_MAX = 52,   /* of pages, operations */
};

int pgtsim_judge_fail(struct pgtsim_judge *judge, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(judge->error, sizeof(judge->error), format, args);
	va_end(args);
	return -EINVAL;
}

int pgtsim_judge_fail_memory(struct pgtsim_judge *judge)
{
	if (judge->tables.bytes > JUDGE_BYTES_MAX)
		pgtsim_judge_fail(judge, "the trace has more than 1 GiB of tables");
	else
		pgtsim_judge_fail(judge, "the host is out of memory");
	return -ENOBUFS;
}

/* ---- entries ---- */

/* True if the table that an entry points to is another one afterwards, or is gone. */
static bool moves_table(const struct pgtsim_judge *judge, const struct pgtsim_event *event)
{
	bool was = pgtsim_desc_is_table(event->level, event->old_desc);
	bool is = pgtsim_desc_is_table(event->level, event->new_desc);

	return was != is ||
	       (is && pgtsim_desc_address(judge->geo, event->level, event->old_desc) !=
			      pgtsim_desc_address(judge->geo, event->level, event->new_desc));
}

/* The table whose entries the event changes; one that is not known yet is assumed. */
static struct judge_table *table_of(struct pgtsim_judge *judge, const struct pgtsim_event *event)
{
	struct judge_table *table = pgtsim_judge_table_of(&judge->tables, event->level, event->va);

	return table ? table : pgtsim_judge_table_assume(&judge->tables, event->level, event->va);
}

/* Tells the checker of the entries below those of `change`: `before` the change, or after it. */
static int tell_below(struct pgtsim_judge *judge, const struct pgtsim_event *change, bool before)
{
	bool moves = moves_table(judge, change);

	if (before)
		return moves ? pgtsim_judge_below(judge, change, PGTSIM_BELOW_GOES) : 0;
	if (moves)
		return pgtsim_judge_below(judge, change, PGTSIM_BELOW_COMES);
	if (pgtsim_desc_is_table(change->level, change->new_desc) &&
	    (change->old_desc ^ change->new_desc) & PGTSIM_DESC_RESTRICTIONS & ~change->pa)
		return pgtsim_judge_below(judge, change, PGTSIM_BELOW_RESTRICTS);
	return 0;
}

/* Emits the change of entries that are known to hold what the event says. */
static int change_entries(struct pgtsim_judge *judge, struct judge_table *table, unsigned index,
			  const struct pgtsim_event *event)
{
	struct pgtsim_checker *checker = judge->tlb->checker;
	struct pgtsim_event change = *event;
	int ret;

	change.pa = pgtsim_judge_above(judge, event->level, event->va);
	ret = tell_below(judge, &change, true);
	pgtsim_judge_table_set(table, index, (unsigned)event->count, event->new_desc, event->step);
	if (event->op == PGTSIM_OP_POKE)
		checker->poke(checker, &change);
	if (!ret)
		ret = tell_below(judge, &change, false);
	pgtsim_tlb_event(judge->tlb, event);
	return ret;
}

static int check_entries(struct pgtsim_judge *judge, const struct pgtsim_event *event)
{
	const struct pgtsim_geometry *geo = judge->geo;
	uint64_t size;
	unsigned room;

	if (event->level < pgtsim_root_level(geo) || event->level > PGTSIM_PTE)
		return pgtsim_judge_fail(judge, "level %d: there is none in this geometry",
					 event->level);
	size = pgtsim_entry_size(geo, event->level);
	if (!pgtsim_va_inside(geo, event->va) || event->va & (size - 1))
		return pgtsim_judge_fail(judge, "va 0x%016llx: no entry of its level begins there",
					 (unsigned long long)event->va);
	if (event->size && event->size != size)
		return pgtsim_judge_fail(judge,
					 "size %llu: an entry of its level translates %llu bytes",
					 (unsigned long long)event->size, (unsigned long long)size);
	room = pgtsim_entries(geo, event->level) - pgtsim_index(geo, event->level, event->va);
	if (!event->count || event->count > room)
		return pgtsim_judge_fail(judge,
					 "count %llu: the table has %u entries from there on",
					 (unsigned long long)event->count, room);
	return 0;
}

/* What entry `i` of an event holds, `first` being the first one's descriptor. */
static uint64_t entry_of(const struct pgtsim_event *event, uint64_t first, uint64_t i)
{
	return first ? first + i * event->step : 0;
}

/* Compares the entries with what came before. */
static int check_old(struct pgtsim_judge *judge, const struct judge_table *table, unsigned index,
		     const struct pgtsim_event *event)
{
	for (uint64_t i = 0; i < event->count; i++) {
		uint64_t known = table->entry[index + i], old = entry_of(event, event->old_desc, i);

		if (known != JUDGE_UNKNOWN && known != old)
			return pgtsim_judge_fail(
				judge,
				"old 0x%016llx: by what came before, the entry holds 0x%016llx",
				(unsigned long long)pgtsim_desc_to_raw(judge->geo, event->level,
								       old),
				(unsigned long long)pgtsim_desc_to_raw(judge->geo, event->level,
								       known));
	}
	return 0;
}

/* Entries that something else takes the place of are overwritten one by one, whatever the event calls it. */
static int overwrite_entries(struct pgtsim_judge *judge, struct judge_table *table, unsigned index,
			     const struct pgtsim_event *event)
{
	struct pgtsim_event one = *event;
	int ret = 0;

	one.op = PGTSIM_OP_POKE;
	one.flags = 0;
	one.count = 1;
	one.step = 0;
	for (uint64_t i = 0; i < event->count && !ret; i++) {
		one.va = event->va + i * event->size;
		one.old_desc = entry_of(event, event->old_desc, i);
		one.new_desc = entry_of(event, event->new_desc, i);
		ret = change_entries(judge, table, index + (unsigned)i, &one);
	}
	return ret;
}

static int judge_entries(struct pgtsim_judge *judge, const struct pgtsim_event *event)
{
	struct pgtsim_event whole = *event;
	struct judge_table *table;
	unsigned index;
	int ret = check_entries(judge, event);

	if (ret)
		return ret;
	table = table_of(judge, event);
	if (!table)
		return pgtsim_judge_fail_memory(judge);
	index = pgtsim_index(judge->geo, event->level, event->va);
	ret = check_old(judge, table, index, event);
	if (ret)
		return ret;
	whole.size = pgtsim_entry_size(judge->geo, event->level);
	/* What leaves map is what their descriptors say. */
	if (event->op == PGTSIM_OP_MAP || event->op == PGTSIM_OP_CLEAR)
		whole.pa = pgtsim_desc_address(judge->geo, event->level,
					       event->new_desc ? event->new_desc : event->old_desc);
	if (event->op != PGTSIM_OP_POKE && event->old_desc && event->new_desc)
		return overwrite_entries(judge, table, index, &whole);
	return change_entries(judge, table, index, &whole);
}

/* One of the stores of an event, of `desc` at `pa`. */
static int judge_one_store(struct pgtsim_judge *judge, struct judge_table *table,
			   const struct pgtsim_event *event)
{
	uint64_t page = pgtsim_page_size(judge->geo);
	unsigned index = (unsigned)((event->pa & (page - 1)) / sizeof(uint64_t));
	struct pgtsim_event change = *event;

	table->stored = true;
	if (table->level != JUDGE_UNPLACED)
		judge->unknown.stores += table->entry[index] == JUDGE_UNKNOWN;
	change.old_desc = table->entry[index] == JUDGE_UNKNOWN ? 0 : table->entry[index];
	if (table->level == JUDGE_UNPLACED || index >= pgtsim_entries(judge->geo, table->level)) {
		pgtsim_judge_table_set(table, index, 1, event->new_desc, 0);
		pgtsim_tlb_event(judge->tlb, &change);
		return 0;
	}
	change.op = PGTSIM_OP_POKE;
	change.level = table->level;
	change.size = pgtsim_entry_size(judge->geo, table->level);
	change.va = table->va + index * change.size;
	return change_entries(judge, table, index, &change);
}

/* Stores at physical addresses: changes of entries if their table stands somewhere. */
static int judge_store(struct pgtsim_judge *judge, const struct pgtsim_event *event)
{
	uint64_t page = pgtsim_page_size(judge->geo);
	struct judge_table *table = pgtsim_judge_table_at(&judge->tables, event->pa & ~(page - 1));
	struct pgtsim_event one = *event;
	int ret = 0;

	/* What an empty entry is depends on its level, which is not known before the table is linked. */
	if (judge->geo->format != PGTSIM_FORMAT_ARM64)
		return pgtsim_judge_fail(
			judge,
			"store: with format=%s stores are judged by their "
			"virtual address alone: map, clear, link, unlink, poke",
			pgtsim_format_name((enum pgtsim_format)judge->geo->format));
	if (event->pa % sizeof(uint64_t) || event->pa >> ADDRESS_BITS_MAX)
		return pgtsim_judge_fail(judge, "pa 0x%llx: no descriptor can stand there",
					 (unsigned long long)event->pa);
	if (!event->count || event->count > (page - (event->pa & (page - 1))) / sizeof(uint64_t))
		return pgtsim_judge_fail(judge, "count %llu: the page ends before",
					 (unsigned long long)event->count);
	if (!table)
		table = pgtsim_judge_table_add(&judge->tables, event->pa & ~(page - 1),
					       JUDGE_UNKNOWN);
	if (!table)
		return pgtsim_judge_fail_memory(judge);
	one.count = 1;
	one.step = 0;
	for (uint64_t i = 0; i < event->count && !ret; i++) {
		ret = judge_one_store(judge, table, &one);
		one.pa += sizeof(uint64_t);
		one.new_desc += event->step;
	}
	return ret;
}

/* ---- tables ---- */

/* `unit`: what the address is a multiple of. */
static int check_pages(struct pgtsim_judge *judge, const struct pgtsim_event *event, uint64_t unit)
{
	uint64_t page = pgtsim_page_size(judge->geo);

	if (event->pa & (unit - 1) || event->pa >> ADDRESS_BITS_MAX)
		return pgtsim_judge_fail(judge, "pa 0x%llx: no page begins there",
					 (unsigned long long)event->pa);
	if (!event->count || event->count > (UINT64_C(1) << ADDRESS_BITS_MAX) / page)
		return pgtsim_judge_fail(judge, "count %llu: that many pages there cannot be",
					 (unsigned long long)event->count);
	return 0;
}

/* The level of a table event, whose root is PGTSIM_PGD whatever its level is. */
static int table_level(const struct pgtsim_judge *judge, const struct pgtsim_event *event)
{
	int root = pgtsim_root_level(judge->geo);

	return event->level < root ? root : event->level;
}

static int check_table(struct pgtsim_judge *judge, const struct pgtsim_event *event)
{
	bool half = judge->geo->half_tables && event->level == PGTSIM_PTE;
	int ret = check_pages(judge, event, pgtsim_page_size(judge->geo) >> half);

	if (ret)
		return ret;
	if (event->level < PGTSIM_PGD || event->level > PGTSIM_PTE)
		return pgtsim_judge_fail(judge, "level %d: there is none in this geometry",
					 event->level);
	if (event->count != 1)
		return pgtsim_judge_fail(judge, "count %llu: tables come and go one by one",
					 (unsigned long long)event->count);
	if (!pgtsim_va_inside(judge->geo, event->va))
		return pgtsim_judge_fail(judge,
					 "va 0x%016llx: no table of this geometry translates it",
					 (unsigned long long)event->va);
	return 0;
}

static int judge_table_alloc(struct pgtsim_judge *judge, const struct pgtsim_event *event)
{
	struct judge_table *table;
	int ret = check_table(judge, event), level = table_level(judge, event);

	if (ret)
		return ret;
	table = pgtsim_judge_table_at(&judge->tables, event->pa);
	if (table && table->level != JUDGE_UNPLACED)
		return pgtsim_judge_fail(judge, "pa 0x%llx: a table that is linked stands there",
					 (unsigned long long)event->pa);
	if (table)
		pgtsim_judge_table_remove(&judge->tables, table);
	table = pgtsim_judge_table_add(&judge->tables, event->pa, 0);
	if (!table)
		return pgtsim_judge_fail_memory(judge);
	if (level == pgtsim_root_level(judge->geo))
		pgtsim_judge_table_place(&judge->tables, table, level, event->va);
	pgtsim_tlb_event(judge->tlb, event);
	return 0;
}

/* The page of a table, at pa, is freed. */
static void free_table(struct pgtsim_judge *judge, struct judge_table *table, uint64_t pa)
{
	if (table->level != JUDGE_UNPLACED && table->level != pgtsim_root_level(judge->geo))
		pgtsim_tlb_violation(judge->tlb, PGTSIM_V_FREED_WHILE_MAPPED, table->va,
				     table->level - 1,
				     "the table at PA 0x%llx is freed, its entry is not cleared",
				     (unsigned long long)pa);
	pgtsim_judge_table_remove(&judge->tables, table);
}

static int judge_table_free(struct pgtsim_judge *judge, const struct pgtsim_event *event)
{
	struct judge_table *table;
	int ret = check_table(judge, event);

	if (ret)
		return ret;
	table = pgtsim_judge_table_at(&judge->tables, event->pa);
	if (!table) {
		table = pgtsim_judge_table_of(&judge->tables, table_level(judge, event), event->va);
		if (table && !pgtsim_judge_table_is_assumed(table))
			table = NULL;
	}
	if (table)
		free_table(judge, table, event->pa);
	pgtsim_tlb_event(judge->tlb, event);
	return 0;
}

/* ---- the rest ---- */

static int judge_pages(struct pgtsim_judge *judge, const struct pgtsim_event *event)
{
	int ret = check_pages(judge, event, pgtsim_page_size(judge->geo));

	if (!ret)
		pgtsim_tlb_event(judge->tlb, event);
	return ret;
}

/* A page that is freed like any other may be that of a table. */
static int judge_pages_free(struct pgtsim_judge *judge, const struct pgtsim_event *event)
{
	uint64_t page = pgtsim_page_size(judge->geo);
	struct judge_table *table;
	int ret = check_pages(judge, event, page);

	if (ret)
		return ret;
	while ((table = pgtsim_judge_table_in(&judge->tables, event->pa,
					      event->pa + (event->count * page - 1))))
		free_table(judge, table, table->pa);
	pgtsim_tlb_event(judge->tlb, event);
	return 0;
}

static int judge_invalidate(struct pgtsim_judge *judge, const struct pgtsim_event *event)
{
	struct pgtsim_event whole = *event;
	uint64_t page = pgtsim_page_size(judge->geo);

	if (!event->count || event->count >> COUNT_BITS_MAX ||
	    (event->size > page && event->count > LOOP_MAX))
		return pgtsim_judge_fail(judge,
					 "count %llu: that many invalidates are no single event",
					 (unsigned long long)event->count);
	if (event->size >> COUNT_BITS_MAX && event->op != PGTSIM_OP_TLBI_ALL)
		return pgtsim_judge_fail(judge, "size %llu: no invalidate covers that",
					 (unsigned long long)event->size);
	if (event->op == PGTSIM_OP_TLBI_LEAF && !event->size)
		whole.size = page;
	pgtsim_tlb_event(judge->tlb, &whole);
	return 0;
}

static int judge_begin(struct pgtsim_judge *judge, const struct pgtsim_event *event)
{
	if (event->size && event->size - 1 > UINT64_MAX - event->va)
		return pgtsim_judge_fail(judge, "size %llu: the range ends past 2^64",
					 (unsigned long long)event->size);
	pgtsim_tlb_event(judge->tlb, event);
	return 0;
}

static int judge_barrier(struct pgtsim_judge *judge, const struct pgtsim_event *event)
{
	pgtsim_tlb_event(judge->tlb, event);
	return 0;
}

static int (*const judges[PGTSIM_OP_COUNT])(struct pgtsim_judge *, const struct pgtsim_event *) = {
	[PGTSIM_OP_TABLE_ALLOC] = judge_table_alloc,
	[PGTSIM_OP_TABLE_FREE] = judge_table_free,
	[PGTSIM_OP_LINK] = judge_entries,
	[PGTSIM_OP_UNLINK] = judge_entries,
	[PGTSIM_OP_MAP] = judge_entries,
	[PGTSIM_OP_CLEAR] = judge_entries,
	[PGTSIM_OP_POKE] = judge_entries,
	[PGTSIM_OP_STORE] = judge_store,
	[PGTSIM_OP_PAGES_ALLOC] = judge_pages,
	[PGTSIM_OP_PAGES_FREE] = judge_pages_free,
	[PGTSIM_OP_ALTMAP_ALLOC] = judge_pages,
	[PGTSIM_OP_ALTMAP_FREE] = judge_pages_free,
	[PGTSIM_OP_KASAN_ADD] = judge_pages,
	[PGTSIM_OP_KASAN_REMOVE] = judge_pages,
	[PGTSIM_OP_MIGRATE] = judge_pages,
	[PGTSIM_OP_TLBI_LEAF] = judge_invalidate,
	[PGTSIM_OP_TLBI_WALK] = judge_invalidate,
	[PGTSIM_OP_TLBI_RANGE] = judge_invalidate,
	[PGTSIM_OP_TLBI_RANGE_WALK] = judge_invalidate,
	[PGTSIM_OP_TLBI_ALL] = judge_invalidate,
	[PGTSIM_OP_BEGIN_MAP] = judge_begin,
	[PGTSIM_OP_BEGIN_POPULATE] = judge_begin,
	[PGTSIM_OP_BEGIN_PASS_1] = judge_begin,
	[PGTSIM_OP_BEGIN_PASS_2] = judge_begin,
};

/* ---- from outside ---- */

int pgtsim_judge_new(struct pgtsim_judge **judge, struct pgtsim_tlb *tlb,
		     const struct pgtsim_geometry *geo)
{
	if (!judge || !tlb || !geo)
		return -EINVAL;
	*judge = NULL;
	if (!tlb->checker)
		return -EINVAL;
	*judge = calloc(1, sizeof(**judge));
	if (!*judge)
		return -ENOBUFS;
	(*judge)->tlb = tlb;
	(*judge)->geo = geo;
	pgtsim_judge_tables_init(&(*judge)->tables, geo);
	return 0;
}

void pgtsim_judge_free(struct pgtsim_judge **judge)
{
	if (!judge)
		return;
	if (*judge)
		pgtsim_judge_tables_free(&(*judge)->tables);
	free(*judge);
	*judge = NULL;
}

int pgtsim_judge_root(struct pgtsim_judge *judge, uint64_t pa)
{
	struct judge_table *table;

	if (!judge)
		return -EINVAL;
	if (pa & (pgtsim_page_size(judge->geo) - 1) || pa >> ADDRESS_BITS_MAX)
		return pgtsim_judge_fail(judge, "root 0x%llx: no page begins there",
					 (unsigned long long)pa);
	table = pgtsim_judge_table_at(&judge->tables, pa);
	if (!table)
		table = pgtsim_judge_table_add(&judge->tables, pa, JUDGE_UNKNOWN);
	if (!table)
		return pgtsim_judge_fail_memory(judge);
	pgtsim_judge_table_place(&judge->tables, table, pgtsim_root_level(judge->geo),
				 pgtsim_va_start(judge->geo));
	return 0;
}

int pgtsim_judge_event(struct pgtsim_judge *judge, const struct pgtsim_event *event)
{
	if (!judge || !event)
		return -EINVAL;
	judge->error[0] = '\0';
	if ((unsigned)event->op >= PGTSIM_OP_COUNT)
		return pgtsim_judge_fail(judge, "op %u: there is none", (unsigned)event->op);
	if (event->cpu >= PGTSIM_CPUS_MAX)
		return pgtsim_judge_fail(judge, "cpu %u: there are CPUs 0 to %d", event->cpu,
					 PGTSIM_CPUS_MAX - 1);
	return (judges[event->op] ? judges[event->op] : judge_barrier)(judge, event);
}

void pgtsim_judge_end(struct pgtsim_judge *judge, uint64_t va, uint64_t last)
{
	if (!judge)
		return;
	pgtsim_tlb_end(judge->tlb, va, last);
}

const char *pgtsim_judge_error(const struct pgtsim_judge *judge)
{
	return judge ? judge->error : NULL;
}

struct pgtsim_judge_unknown pgtsim_judge_unknown(const struct pgtsim_judge *judge)
{
	struct pgtsim_judge_unknown unknown = { 0 };

	if (judge) {
		unknown = judge->unknown;
		unknown.pages += pgtsim_judge_tables_nowhere(&judge->tables);
	}
	return unknown;
}
