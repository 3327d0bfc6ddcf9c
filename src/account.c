/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "exploring.h"

/* ---- writing it down ---- */

static struct pgtsim_explore_row *add_row(struct pgtsim_exploring *x, unsigned actor,
					  enum pgtsim_explore_op op)
{
	struct pgtsim_exploration *out = x->account;
	size_t room = x->row_room ? 2 * x->row_room : 64;
	struct pgtsim_explore_row *row = out->rows;

	if (out->row_count == x->row_room) {
		row = realloc(out->rows, room * sizeof(*row));
		if (!row) {
			x->error = -ENOMEM;
			return NULL;
		}
		out->rows = row;
		x->row_room = room;
	}
	row += out->row_count++;
	*row = (struct pgtsim_explore_row){ .step = x->step, .actor = actor, .op = op };
	row->failed = x->step == x->fails_at;
	x->row_table = NULL;
	return row;
}

static struct pgtsim_explore_row *last_row(const struct pgtsim_exploring *x)
{
	return x->account->row_count ? &x->account->rows[x->account->row_count - 1] : NULL;
}

void pgtsim_account_value(struct pgtsim_exploring *x)
{
	if (x->written)
		last_row(x)->value = *x->written;
	x->written = NULL;
}

static bool is_access(enum pgtsim_explore_op op)
{
	return op == PGTSIM_STEP_READ || op == PGTSIM_STEP_WRITE;
}

/* A row for accesses where nobody else comes. */
static void fold(struct pgtsim_exploring *x, unsigned actor, const struct pgtsim_next *next)
{
	struct pgtsim_explore_row *row = last_row(x);

	if (!row || row->op != PGTSIM_STEP_MANY || row->actor != actor)
		row = add_row(x, actor, PGTSIM_STEP_MANY);
	if (!row)
		return;
	row->count++;
	row->reads += next->op == PGTSIM_STEP_READ;
	row->writes += next->op == PGTSIM_STEP_WRITE;
	row->frees += next->op == PGTSIM_STEP_FREE;
}

/* Whether an access reads the same entry again, or is of the next one. */
static bool goes_on(const struct pgtsim_exploring *x, const struct pgtsim_explore_row *row,
		    unsigned actor, const struct pgtsim_next *next)
{
	if (row->actor != actor || row->op != next->op || x->row_table != next->table ||
	    x->step == x->fails_at)
		return false;
	return next->index == x->row_index + 1 ||
	       (next->op == PGTSIM_STEP_READ && next->index == x->row_index && row->entries == 1);
}

static void add_access(struct pgtsim_exploring *x, unsigned actor, const struct pgtsim_next *next)
{
	const struct pgtsim_watched *table = next->table;
	struct pgtsim_explore_row *row = last_row(x);

	if (row && goes_on(x, row, actor, next)) {
		row->count++;
		row->entries += next->index != x->row_index;
		x->row_index = next->index;
		return;
	}
	row = add_row(x, actor, next->op);
	if (!row)
		return;
	row->count = row->entries = 1;
	row->level = table->level;
	row->va = table->va + next->index * pgtsim_entry_size(&x->machine->geo, table->level);
	row->value = table->entries[next->index];
	x->row_table = table;
	x->row_index = next->index;
	if (next->op == PGTSIM_STEP_WRITE)
		x->written = &table->entries[next->index];
}

static bool nobody_else(const struct pgtsim_next *next)
{
	const struct pgtsim_watched *table = next->table;

	if (!table || !table->shared)
		return false;
	return next->op == PGTSIM_STEP_FREE ? !table->met : !table->shared[next->index];
}

void pgtsim_account_step(struct pgtsim_exploring *x, unsigned actor, const struct pgtsim_next *next)
{
	const struct pgtsim_watched *table = next->table;
	struct pgtsim_explore_row *row;

	x->account->geo = x->machine->geo;
	if (x->step > x->fails_at)
		return;
	if (x->step != x->fails_at && nobody_else(next)) {
		fold(x, actor, next);
		return;
	}
	if (is_access(next->op)) {
		add_access(x, actor, next);
		return;
	}
	row = add_row(x, actor, next->op);
	if (!row)
		return;
	row->count = 1;
	row->lock = next->lock < PGTSIM_LOCKS ? (enum pgtsim_lock)next->lock : PGTSIM_LOCKS;
	if (table) {
		row->level = table->level;
		row->va = table->va;
	}
}

/* ---- printing it ---- */

static const char *lock_name(enum pgtsim_lock lock)
{
	return lock == PGTSIM_LOCK_HOTPLUG ? "the hotplug lock" : "the page table lock";
}

static void print_many(const struct pgtsim_explore_row *row, const struct pgtsim_printer *out)
{
	const struct {
		uint64_t count;
		const char *one, *many;
	} parts[] = {
		{ row->reads, "read", "reads" },
		{ row->writes, "write", "writes" },
		{ row->frees, "free", "frees" },
	};
	const char *separator = "... ";

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (!parts[i].count)
			continue;
		pgtsim_printf(out, "%s%" PRIu64 " %s", separator, parts[i].count,
			      parts[i].count == 1 ? parts[i].one : parts[i].many);
		separator = ", ";
	}
	pgtsim_printf(out, " where nobody else comes");
}

static void print_access(const struct pgtsim_exploration *exploration,
			 const struct pgtsim_explore_row *row, const struct pgtsim_printer *out)
{
	const char *what = row->op == PGTSIM_STEP_READ ? "reads" : "writes";

	if (row->entries > 1)
		pgtsim_printf(out, "%-6s %" PRIu64 " %s entries from 0x%016" PRIx64, what,
			      row->entries, pgtsim_level_name(&exploration->geo, row->level),
			      row->va);
	else
		pgtsim_printf(out, "%-6s %s 0x%016" PRIx64 " = 0x%016" PRIx64, what,
			      pgtsim_level_name(&exploration->geo, row->level), row->va,
			      row->value);
}

static void print_free(const struct pgtsim_exploration *exploration,
		       const struct pgtsim_explore_row *row, const struct pgtsim_printer *out)
{
	const char *level = pgtsim_level_name(&exploration->geo, row->level);

	if (level)
		pgtsim_printf(out, "frees  the %s table of 0x%016" PRIx64, level, row->va);
	else
		pgtsim_printf(out, "frees  the table that it did not link");
}

static void print_what(const struct pgtsim_exploration *exploration,
		       const struct pgtsim_explore_row *row, const struct pgtsim_printer *out)
{
	switch (row->op) {
	case PGTSIM_STEP_READ:
	case PGTSIM_STEP_WRITE:
		print_access(exploration, row, out);
		break;
	case PGTSIM_STEP_FREE:
		print_free(exploration, row, out);
		break;
	case PGTSIM_STEP_LOCK:
		pgtsim_printf(out, "takes  %s", lock_name(row->lock));
		break;
	case PGTSIM_STEP_UNLOCK:
		pgtsim_printf(out, "leaves %s", lock_name(row->lock));
		break;
	case PGTSIM_STEP_WALK:
		pgtsim_printf(out, "starts a walk");
		break;
	case PGTSIM_STEP_WALKED:
		pgtsim_printf(out, "ends   its walk");
		break;
	case PGTSIM_STEP_DSB:
		pgtsim_printf(out, "DSB ISH: nobody walks there any more");
		break;
	case PGTSIM_STEP_MANY:
		print_many(row, out);
		break;
	}
}

static void print_row(const struct pgtsim_exploration *exploration,
		      const struct pgtsim_explore_row *row, const struct pgtsim_printer *out)
{
	char steps[48];

	if (row->count > 1)
		snprintf(steps, sizeof(steps), "%" PRIu64 "-%" PRIu64, row->step,
			 row->step + row->count - 1);
	else
		snprintf(steps, sizeof(steps), "%" PRIu64, row->step);
	pgtsim_printf(out, "%c %13s  %-12s ", row->failed ? '>' : ' ', steps,
		      exploration->names[row->actor]);
	print_what(exploration, row, out);
	pgtsim_printf(out, "\n");
}

void pgtsim_exploration_print(const struct pgtsim_exploration *exploration,
			      const struct pgtsim_printer *out)
{
	const struct pgtsim_violation *violation = &exploration->violation;

	pgtsim_printf(out, "explored %" PRIu64 " schedule%s, %" PRIu64 " failed%s\n",
		      exploration->schedules, exploration->schedules == 1 ? "" : "s",
		      exploration->failed, exploration->complete ? "" : " (not all)");
	if (!exploration->schedule)
		return;
	pgtsim_printf(out, "%s: ", pgtsim_violation_kind(violation->name)->name);
	out->print(out->ctx, violation->text);
	pgtsim_printf(out, "\n%15s  %-12s does\n", "step", "actor");
	for (size_t i = 0; i < exploration->row_count; i++)
		print_row(exploration, &exploration->rows[i], out);
	pgtsim_printf(out, "again with: schedule=");
	out->print(out->ctx, exploration->schedule);
	pgtsim_printf(out, "\n");
}
