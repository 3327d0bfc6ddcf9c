/* SPDX-License-Identifier: MIT */
#include "compare.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NAME_MAX_BYTES = 64 }; /* of a step's name */

/* ---- collecting from the simulator ---- */

/* Visitor for table entries: adds a row with the number of live entries in the table. */
static int collect_table(struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
			 struct pgtsim_table *child, void *arg)
{
	struct content *content = arg;
	struct row row = {
		.level = run->level,
		.va = pgtsim_entry_base(&pgt->geo, run->level, run->va),
		.desc = pgtsim_entry(pgt, run->table, run->index),
		.count = child->live,
	};

	return rows_push(&content->list[TABLES], row);
}

/* Adds a row for as many leaves or invalid entries from `index` on as one row can hold. */
static struct row entry_row(const struct pgtsim_pgtable *pgt, const struct pgtsim_run *run,
			    unsigned index)
{
	uint64_t size = pgtsim_entry_size(&pgt->geo, run->level);
	struct row row = {
		.level = run->level,
		.va = pgtsim_entry_base(&pgt->geo, run->level, run->va) +
		      (index - run->index) * size,
		.desc = pgtsim_entry(pgt, run->table, index),
		.count = 1,
	};

	if (row.desc & PGTSIM_DESC_VALID)
		row.count = pgtsim_run_uniform(pgt, run->table, index,
					       run->index + run->count - index, size);
	return row;
}

static int collect_entries(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	struct content *content = arg;
	unsigned i = run->index, end = run->index + run->count;
	int ret = 0;

	i += pgtsim_run_zeros(pgt, run->table, i, end - i);
	while (!ret && i < end) {
		struct row row = entry_row(pgt, run, i);

		ret = rows_push(&content->list[row.desc & PGTSIM_DESC_VALID ? LEAVES : INVALID],
				row);
		i += (unsigned)row.count;
		if (i < end)
			i += pgtsim_run_zeros(pgt, run->table, i, end - i);
	}
	return ret;
}

static int collect(struct replay *replay, struct content content[REGIONS])
{
	static const struct pgtsim_visitor visitor = {
		.entries = collect_entries,
		.table = collect_table,
	};
	int ret = 0;

	for (size_t i = 0; !ret && i < REGIONS; i++) {
		const struct range *window = &replay->recording->window[i];

		content_clear(&content[i]);
		ret = pgtsim_walk(&replay->run.machine->pgt, window->start, window->end - 1,
				  &visitor, &content[i]);
	}
	return ret;
}

/* ---- differences ---- */

const struct pgtsim_geometry *replay_geometry(const struct replay *replay)
{
	return &replay->run.machine->geo;
}

/* A step's name is what the file says: printable bytes of it only. */
static void print_step(const struct replay *replay, char *line, size_t size)
{
	const char *name = replay->step->name;
	char shown[NAME_MAX_BYTES];
	size_t length = 0;

	for (; name[length] && length < sizeof(shown) - 1; length++)
		shown[length] = name[length] >= ' ' && name[length] <= '~' ? name[length] : '?';
	shown[length] = '\0';
	snprintf(line, size, "  step %zu (%s)", (size_t)(replay->step - replay->recording->steps),
		 shown);
}

void replay_differ(struct replay *replay, const struct row *place, const char *format, ...)
{
	size_t length, size = sizeof(replay->lines[0]);
	va_list args;
	char *line;

	replay->differences++;
	if (replay->listed == REPLAY_DIFFERENCES_MAX)
		return;
	line = replay->lines[replay->listed++];
	print_step(replay, line, size);
	length = strlen(line);
	if (place)
		snprintf(line + length, size - length, " %s %s 0x%016" PRIx64,
			 region_names[replay->region],
			 pgtsim_level_name(replay_geometry(replay), place->level), place->va);
	length = strlen(line);
	snprintf(line + length, size - length, ": ");
	length = strlen(line);
	va_start(args, format);
	vsnprintf(line + length, size - length, format, args);
	va_end(args);
}

/* ---- comparing leaves ---- */

/* One entry of a list after the other, runs expanded. */
struct cursor {
	const struct rows *rows;
	size_t row;
	uint64_t done; /* entries of this row */
};

static bool cursor_get(const struct cursor *cursor, const struct pgtsim_geometry *geo,
		       struct row *entry)
{
	uint64_t offset;

	if (cursor->row == cursor->rows->count)
		return false;
	*entry = cursor->rows->at[cursor->row];
	offset = cursor->done * pgtsim_entry_size(geo, entry->level);
	entry->va += offset;
	entry->desc += offset;
	return true;
}

static void cursor_next(struct cursor *cursor)
{
	if (++cursor->done == cursor->rows->at[cursor->row].count) {
		cursor->row++;
		cursor->done = 0;
	}
}

uint64_t replay_address(const struct replay *replay, const struct row *entry)
{
	return pgtsim_desc_address(replay_geometry(replay), entry->level, entry->desc);
}

/* A descriptor without its output address. */
static uint64_t attributes_of(const struct replay *replay, const struct row *entry)
{
	return entry->desc &
	       ~pgtsim_desc_oa(replay_geometry(replay), replay_address(replay, entry));
}

bool replay_hot_added(const struct replay *replay, uint64_t pa)
{
	const struct range *window = &replay->recording->pa;

	return pa - window->start < window->end - window->start;
}

static bool same_leaf(const struct replay *replay, enum list list, const struct row *expected,
		      const struct row *found)
{
	if (expected->desc == found->desc)
		return true;
	if (list == INVALID || replay->region == LINEAR ||
	    replay_hot_added(replay, replay_address(replay, expected)) ||
	    replay_hot_added(replay, replay_address(replay, found)))
		return false;
	return attributes_of(replay, expected) == attributes_of(replay, found);
}

static void compare_leaves(struct replay *replay, enum list list, const struct rows *expected,
			   const struct rows *found)
{
	struct cursor e = { .rows = expected }, f = { .rows = found };
	struct row want, got;

	for (;;) {
		bool wanted = cursor_get(&e, replay_geometry(replay), &want);
		bool present = cursor_get(&f, replay_geometry(replay), &got);
		int order = !wanted ? 1 : !present ? -1 : rows_order(&want, &got);

		if (!wanted && !present)
			return;
		if (order < 0)
			replay_differ(replay, &want, "expected 0x%016" PRIx64 ", found none",
				      want.desc);
		else if (order > 0)
			replay_differ(replay, &got, "expected none, found 0x%016" PRIx64, got.desc);
		else if (!same_leaf(replay, list, &want, &got))
			replay_differ(replay, &want,
				      "expected 0x%016" PRIx64 ", found 0x%016" PRIx64, want.desc,
				      got.desc);
		if (order <= 0)
			cursor_next(&e);
		if (order >= 0)
			cursor_next(&f);
	}
}

/* ---- comparing tables ---- */

static const struct rows *before_tables(const struct replay *replay)
{
	static const struct rows none;
	const struct recording *recording = replay->recording;

	return recording->has_before ? &recording->steps[0].content[replay->region].list[TABLES] :
				       &none;
}

/* Compares a table that is new since `before`; either may be NULL if it is missing. */
static void compare_table(struct replay *replay, const struct row *want, const struct row *got)
{
	if (!got) {
		replay_differ(replay, want, "expected table 0x%016" PRIx64 ", found none",
			      want->desc);
		return;
	}
	if (!want) {
		replay_differ(replay, got, "expected none, found table 0x%016" PRIx64, got->desc);
		return;
	}
	if (attributes_of(replay, want) != attributes_of(replay, got))
		replay_differ(replay, want,
			      "expected table 0x%016" PRIx64
			      " (address aside), found 0x%016" PRIx64,
			      want->desc, got->desc);
	if (want->count != got->count)
		replay_differ(replay, want,
			      "expected a table of %" PRIu64 " entries, found %" PRIu64,
			      want->count, got->count);
}

static void compare_new_tables(struct replay *replay, const struct rows *expected,
			       const struct rows *found)
{
	const struct rows *before = before_tables(replay);
	size_t e = 0, f = 0;

	while (e < expected->count || f < found->count) {
		const struct row *want = rows_get(expected, e), *got = rows_get(found, f);
		int order = !want ? 1 : !got ? -1 : rows_order(want, got);

		if (order < 0)
			got = NULL;
		if (order > 0)
			want = NULL;
		if (!rows_find(before, want ? want : got))
			compare_table(replay, want, got);
		e += want != NULL;
		f += got != NULL;
	}
}

/*
 * How many entries of a table, a row of `before`, lead to other tables of `before`. The simulator
 * makes those when it first needs them: no gain, they were there on the real machine.
 */
static uint64_t boot_entries(const struct replay *replay, const struct rows *tables,
			     const struct row *table)
{
	const struct rows *before = before_tables(replay);
	const struct row *end = before->at + before->count;
	uint64_t count = 0;

	for (const struct row *row = table + 1; row < end; row++) {
		if (pgtsim_entry_base(replay_geometry(replay), table->level, row->va) != table->va)
			break;
		if (row->level == table->level + 1 && rows_order(row, row - 1) &&
		    rows_find(tables, row))
			count++;
	}
	return count;
}

/* Entries of a simulated table, without boot content. 0 if the table is missing. */
static int64_t gained(const struct replay *replay, const struct rows *tables,
		      const struct row *table)
{
	const struct row *row = rows_find(tables, table);

	return row ? (int64_t)row->count - (int64_t)boot_entries(replay, tables, table) : 0;
}

/* The tables of `before`: the simulator has none of boot's content, so what they gained. */
static void compare_old_tables(struct replay *replay, const struct rows *expected,
			       const struct rows *base, const struct rows *found)
{
	const struct rows *before = before_tables(replay);

	for (size_t i = 0; i < before->count; i++) {
		const struct row *table = &before->at[i], *now = rows_find(expected, table);
		int64_t want = (int64_t)(now ? now->count : 0) - (int64_t)table->count, got;

		if (i && !rows_order(table, table - 1))
			continue; /* listed twice */
		got = gained(replay, found, table) - gained(replay, base, table);
		if (want != got)
			replay_differ(replay, table,
				      "expected a table with %+" PRId64
				      " entries since 'before', found %+" PRId64,
				      want, got);
	}
}

/* ---- one step ---- */

static void count_descriptors(struct replay *replay, const struct content *content)
{
	replay->descriptors += content->list[TABLES].count;
	for (size_t i = 0; i < content->list[LEAVES].count; i++)
		replay->descriptors += content->list[LEAVES].at[i].count;
}

static void compare_region(struct replay *replay, const struct content *expected,
			   const struct content *base, const struct content *found)
{
	count_descriptors(replay, expected);
	compare_new_tables(replay, &expected->list[TABLES], &found->list[TABLES]);
	compare_old_tables(replay, &expected->list[TABLES], &base->list[TABLES],
			   &found->list[TABLES]);
	compare_leaves(replay, LEAVES, &expected->list[LEAVES], &found->list[LEAVES]);
	compare_leaves(replay, INVALID, &expected->list[INVALID], &found->list[INVALID]);
}

int replay_compare_step(struct replay *replay)
{
	const struct step *step = replay->step;
	bool before = replay->recording->has_before && step == replay->recording->steps;
	struct content *found = before ? replay->base : replay->now;
	int ret = collect(replay, found);

	if (ret)
		return ret;
	for (enum region region = LINEAR; region < REGIONS; region++) {
		replay->region = region;
		compare_region(replay, &step->content[region], &replay->base[region],
			       &found[region]);
	}
	replay->steps += !before;
	ret = replay_check_frames(replay, step->content, "in the recording");
	return ret ? ret : replay_check_frames(replay, found, "in the simulator");
}
