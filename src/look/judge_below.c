/* SPDX-License-Identifier: MIT */
/* judge_below: what the checker is told of the entries below one that comes, goes or changes. */
#include <pgtsim/desc.h>
#include <pgtsim/format.h>

#include "events/events.h"
#include "judge.h"

/* What one event may concern: more is no trace of a real machine, and would take forever. */
enum { VISITS_MAX = 1 << 22 /* tables, and runs of entries */ };

/* A visit of all that a table entry leads to. */
struct below {
	struct pgtsim_judge *judge;
	enum pgtsim_below_change change;
	unsigned cpu;  /* which changes it */
	unsigned left; /* visits */
	bool no_memory;
};

/* The restrictions of the table entries above a table, ORed: as they were, and as they are. */
struct above {
	uint64_t before, after;
};

static bool leads_on(int level, uint64_t desc)
{
	return level < PGTSIM_PTE && desc != JUDGE_UNKNOWN && pgtsim_desc_is_table(level, desc);
}

struct judge_table *pgtsim_judge_child(const struct pgtsim_judge *judge, int level, uint64_t va,
				       uint64_t desc)
{
	struct judge_table *table;

	if (!leads_on(level, desc))
		return NULL;
	table = pgtsim_judge_table_at(&judge->tables, pgtsim_desc_address(judge->geo, level, desc));
	if (table)
		return table;
	table = pgtsim_judge_table_of(&judge->tables, level + 1, va);
	return table && pgtsim_judge_table_is_assumed(table) ? table : NULL;
}

/* Whether some of its entries may be valid, and the trace has not told of them. */
static bool is_untold(const struct judge_table *table, unsigned entries)
{
	unsigned i = 0;

	while (table->unknown && i < entries && table->entry[i] != JUDGE_UNKNOWN)
		i++;
	return table->unknown && i < entries;
}

/* How many entries from `index` on are one run: empty, or alike, each with the next address. */
static unsigned run_length(const struct judge_table *table, int level, unsigned index,
			   uint64_t size)
{
	uint64_t first = table->entry[index], step = first ? size : 0;
	unsigned count = 1;

	if (pgtsim_desc_is_table(level, first) || (first && !(first & PGTSIM_DESC_VALID)))
		return 1;
	while (index + count < table->count && table->entry[index + count] == first + count * step)
		count++;
	return count;
}

/* Tells of a run of entries that begins at va. */
static void tell_entries(const struct below *below, uint64_t desc, int level, uint64_t va,
			 unsigned count, const struct above *above)
{
	struct pgtsim_checker *checker = below->judge->tlb->checker;
	const struct pgtsim_event event = {
		.op = PGTSIM_OP_POKE,
		.level = level,
		.va = va,
		.count = count,
		.size = pgtsim_entry_size(below->judge->geo, level),
		.old_desc = desc,
		.new_desc = desc,
		.pa = above->after,
		.step = above->before,
		.cpu = below->cpu,
	};

	if (below->change == PGTSIM_BELOW_COMES)
		checker->reachable(checker, &event);
	else if (below->change == PGTSIM_BELOW_GOES)
		checker->unreachable(checker, &event);
	else if (above->before != above->after)
		checker->attributes(checker, &event);
}

/*
 * The table that an entry leads to. Of one that comes, and of which nothing is known, it is known from
 * then on where it stands. NULL if it leads to none that is known, or without memory.
 */
static struct judge_table *child_of(struct below *below, int level, uint64_t va, uint64_t desc)
{
	struct judge_tables *tables = &below->judge->tables;
	struct judge_table *child = pgtsim_judge_child(below->judge, level, va, desc);

	if (child || !leads_on(level, desc) || below->change != PGTSIM_BELOW_COMES)
		return child;
	child = pgtsim_judge_table_add(tables, pgtsim_desc_address(below->judge->geo, level, desc),
				       JUDGE_UNKNOWN);
	if (child)
		pgtsim_judge_table_place(tables, child, level + 1, va);
	below->no_memory |= !child;
	return child;
}

/* Notes what is not known of a table that is visited, and where it stands. */
static void begin_visit(struct below *below, struct judge_table *table, int level, uint64_t va)
{
	struct pgtsim_judge_unknown *unknown = &below->judge->unknown;
	bool placed = table->level != JUDGE_UNPLACED,
	     here = table->level == level && table->va == va;

	table->visited = true;
	if (below->change != PGTSIM_BELOW_COMES)
		unknown->tables += is_untold(table, pgtsim_entries(below->judge->geo, level));
	else
		unknown->shared += placed && !here;
	/* It was linked while stores to it were taken for those to a table that is not. */
	if (below->change != PGTSIM_BELOW_COMES && table->stored && !table->led_to)
		unknown->pages++;
	if (!here)
		pgtsim_judge_table_place(&below->judge->tables, table, level, va);
}

/* A table comes with the entry above it, or goes or changes with it, and so does all below. */
static void visit(struct below *below, struct judge_table *table, int level, uint64_t va,
		  const struct above *above)
{
	uint64_t size = pgtsim_entry_size(below->judge->geo, level);
	unsigned entries = pgtsim_entries(below->judge->geo, level), next;
	bool restricts = below->change == PGTSIM_BELOW_RESTRICTS;

	begin_visit(below, table, level, va);
	/* What an empty entry was may be found under other restrictions, if its store is not yet seen. */
	for (unsigned i = 0; (table->live || restricts) && i < entries && below->left; i = next) {
		uint64_t desc = table->entry[i], bits = desc & PGTSIM_DESC_RESTRICTIONS;
		const struct above more = { above->before | bits, above->after | bits };
		struct judge_table *child;

		below->left--;
		next = i + run_length(table, level, i, size);
		if ((!desc && !restricts) || desc == JUDGE_UNKNOWN)
			continue;
		tell_entries(below, desc, level, va + i * size, next - i, above);
		if (!leads_on(level, desc))
			continue;
		child = child_of(below, level, va + i * size, desc);
		/* A loop of tables is followed once. */
		if (child && !child->visited)
			visit(below, child, level + 1, va + i * size, &more);
		else
			below->judge->unknown.tables++;
	}
	table->visited = false;
	if (below->change == PGTSIM_BELOW_GOES)
		pgtsim_judge_table_displace(&below->judge->tables, table);
}

int pgtsim_judge_below(struct pgtsim_judge *judge, const struct pgtsim_event *event,
		       enum pgtsim_below_change change)
{
	uint64_t old = event->old_desc | event->pa, desc = event->new_desc | event->pa,
		 before = change == PGTSIM_BELOW_COMES ? desc : old,
		 after = change == PGTSIM_BELOW_GOES ? old : desc;
	const struct above above = { before & PGTSIM_DESC_RESTRICTIONS,
				     after & PGTSIM_DESC_RESTRICTIONS };
	struct below below = { judge, change, event->cpu, VISITS_MAX, false };
	uint64_t way = change == PGTSIM_BELOW_GOES ? event->old_desc : event->new_desc;
	struct judge_table *child = child_of(&below, event->level, event->va, way);

	if (child)
		visit(&below, child, event->level + 1, event->va, &above);
	else if (change != PGTSIM_BELOW_COMES && leads_on(event->level, way))
		judge->unknown.tables++;
	return below.left ?
		       0 :
		       pgtsim_judge_fail(judge, "more than %u runs of entries are below the entry",
					 VISITS_MAX - 1);
}

uint64_t pgtsim_judge_above(const struct pgtsim_judge *judge, int level, uint64_t va)
{
	uint64_t above = 0;

	for (int at = pgtsim_root_level(judge->geo); at < level; at++) {
		const struct judge_table *table = pgtsim_judge_table_of(&judge->tables, at, va);
		uint64_t desc = table ? table->entry[pgtsim_index(judge->geo, at, va)] : 0;

		if (desc != JUDGE_UNKNOWN && pgtsim_desc_is_table(at, desc))
			above |= desc & PGTSIM_DESC_RESTRICTIONS;
	}
	return above;
}
