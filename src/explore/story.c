/* SPDX-License-Identifier: MIT */
/*
 * The story of a schedule that failed: a row for each step that other actors share, or for several
 * alike in a row; steps that no other actor shares are only counted. The story ends at the failure.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <pgtsim/format.h>

#include "explore.h"

/* ---- writing the story ---- */

/* Adds an empty row. NULL, with x->error set, if there is no memory. */
static struct pgtsim_explore_row *add_row(struct pgtsim_exploring *x, unsigned actor,
					  enum pgtsim_explore_op op, const struct pgtsim_next *next)
{
	struct pgtsim_exploration *out = x->story;
	size_t room = x->row_room ? 2 * x->row_room : 64;
	struct pgtsim_explore_row *row = out->rows;

	if (out->row_count == x->row_room) {
		row = realloc(out->rows, room * sizeof(*row));
		if (!row) {
			x->error = -ENOBUFS;
			return NULL;
		}
		out->rows = row;
		x->row_room = room;
	}
	row += out->row_count++;
	*row = (struct pgtsim_explore_row){
		.step = x->counted + next->uncounted,
		.actor = actor,
		.op = op,
		.event = next->event,
	};
	row->failed = x->step == x->fails_at;
	x->row_table = NULL;
	return row;
}

static struct pgtsim_explore_row *last_row(const struct pgtsim_exploring *x)
{
	return x->story->row_count ? &x->story->rows[x->story->row_count - 1] : NULL;
}

void pgtsim_story_read_back(struct pgtsim_exploring *x)
{
	if (x->written)
		last_row(x)->value = *x->written;
	x->written = NULL;
}

static bool is_access(enum pgtsim_explore_op op)
{
	return op == PGTSIM_STEP_READ || op == PGTSIM_STEP_WRITE;
}

/* Counts a step that no other actor shares in a row of PGTSIM_STEP_MANY. */
static void add_to_many(struct pgtsim_exploring *x, unsigned actor, const struct pgtsim_next *next)
{
	struct pgtsim_explore_row *row = last_row(x);

	if (!row || row->op != PGTSIM_STEP_MANY || row->actor != actor)
		row = add_row(x, actor, PGTSIM_STEP_MANY, next);
	if (!row)
		return;
	row->count++;
	row->reads += next->op == PGTSIM_STEP_READ;
	row->writes += next->op == PGTSIM_STEP_WRITE;
	row->frees += next->op == PGTSIM_STEP_FREE;
	row->others += next->op > PGTSIM_STEP_MANY;
}

/*
 * True if an access can be joined to the last row: it is of the next entry in the same table, or it
 * reads the same entry again. The failing step always has its own row.
 */
static bool continues_row(const struct pgtsim_exploring *x, const struct pgtsim_explore_row *row,
			  unsigned actor, const struct pgtsim_next *next)
{
	if (row->actor != actor || row->op != next->op || x->row_table != next->table ||
	    x->step == x->fails_at)
		return false;
	return next->index == x->row_index + 1 ||
	       (next->op == PGTSIM_STEP_READ && next->index == x->row_index && row->entries == 1);
}

static void add_variable(struct pgtsim_exploring *x, unsigned actor, const struct pgtsim_next *next)
{
	bool reads = next->op == PGTSIM_STEP_READ;
	struct pgtsim_explore_row *row =
		add_row(x, actor, reads ? PGTSIM_STEP_LOAD : PGTSIM_STEP_SET, next);

	if (!row)
		return;
	row->count = !next->uncounted;
	row->entries = 1;
	row->va = next->index;
	row->value = pgtsim_variable_at(x, next->index)->value;
	if (!reads)
		x->written = &pgtsim_variable_at(x, next->index)->value;
}

static void add_access(struct pgtsim_exploring *x, unsigned actor, const struct pgtsim_next *next)
{
	const struct pgtsim_shadow *table = next->table;
	struct pgtsim_explore_row *row = last_row(x);

	if (row && continues_row(x, row, actor, next)) {
		row->count++;
		row->entries += next->index != x->row_index;
		x->row_index = next->index;
		return;
	}
	row = add_row(x, actor, next->op, next);
	if (!row)
		return;
	row->count = !next->uncounted;
	row->entries = 1;
	row->level = table->level;
	row->va = table->va + next->index * pgtsim_entry_size(&x->machine->geo, table->level);
	row->value = table->entries[next->index];
	x->row_table = table;
	x->row_index = next->index;
	if (next->op == PGTSIM_STEP_WRITE)
		x->written = &table->entries[next->index];
}

/* True if no other actor's steps depend on this step. */
static bool is_private_step(const struct pgtsim_exploring *x, const struct pgtsim_next *next)
{
	const struct pgtsim_shadow *table = next->table;

	if (x->step < x->met_room && x->met[x->step])
		return false;
	if (next->op > PGTSIM_STEP_MANY)
		return true;
	if (!table || !table->shared)
		return false;
	return next->op == PGTSIM_STEP_FREE ? !table->met : !table->shared[next->index];
}

/* True for a step that is not counted, but not for a change of what another actor looks up later. */
static bool is_left_out(const struct pgtsim_exploring *x, const struct pgtsim_next *next)
{
	return next->uncounted &&
	       !(next->table == &x->variables && pgtsim_is_looked_up(x, next->index));
}

void pgtsim_story_add_step(struct pgtsim_exploring *x, unsigned actor,
			   const struct pgtsim_next *next)
{
	const struct pgtsim_shadow *table = next->table;
	struct pgtsim_explore_row *row;

	x->story->geo = x->machine->geo;
	if (x->step > x->fails_at || (is_left_out(x, next) && x->step != x->fails_at))
		return;
	if (x->step != x->fails_at && is_private_step(x, next)) {
		add_to_many(x, actor, next);
		return;
	}
	if (table == &x->variables) {
		add_variable(x, actor, next);
		return;
	}
	if (is_access(next->op)) {
		add_access(x, actor, next);
		return;
	}
	row = add_row(x, actor, next->op, next);
	if (!row)
		return;
	row->count = !next->uncounted;
	row->lock = next->lock < PGTSIM_LOCKS ? (enum pgtsim_lock)next->lock : PGTSIM_LOCKS;
	if (table) {
		row->level = table->level;
		row->va = table->va;
	}
}

/* ---- showing each step ---- */

void pgtsim_story_show_step(struct pgtsim_exploring *x)
{
	const struct pgtsim_next *done = &x->doing;
	const struct pgtsim_shadow *table = done->table;
	struct pgtsim_tlb *tlb = &x->machine->tlb;
	const bool quiet = tlb->quiet;
	struct pgtsim_explore_row row = {
		.step = x->counted + done->uncounted,
		.count = !done->uncounted,
		.entries = is_access(done->op),
		.actor = x->doer,
		.op = done->op,
		.event = done->event,
		.lock = done->lock < PGTSIM_LOCKS ? (enum pgtsim_lock)done->lock : PGTSIM_LOCKS,
		.failed = x->failed_at == x->step,
	};

	if (table == &x->variables) {
		row.op = done->op == PGTSIM_STEP_READ ? PGTSIM_STEP_LOAD : PGTSIM_STEP_SET;
		row.va = done->index;
		row.value = pgtsim_variable_at(x, done->index)->value;
	} else if (table) {
		row.level = table->level;
		row.va = table->va;
	}
	if (is_access(row.op)) {
		row.va += done->index * pgtsim_entry_size(&x->machine->geo, table->level);
		row.value = table->entries[done->index];
	}
	x->shown = x->step;
	/* The caller's own reads are no steps, and nothing that it does is told or checked. */
	x->draining = tlb->quiet = true;
	x->config->step(x->config->ctx, x->machine, &row);
	x->draining = false;
	tlb->quiet = quiet;
}

/* ---- printing the story ---- */

/* For example "... 12 reads, 1 write where nobody else comes". */
static void print_many(const struct pgtsim_explore_row *row, const struct pgtsim_printer *out)
{
	const struct {
		uint64_t count;
		const char *one, *many;
	} parts[] = {
		{ row->reads, "read", "reads" },
		{ row->writes, "write", "writes" },
		{ row->frees, "free", "frees" },
		{ row->others, "barrier or invalidate", "barriers and invalidates" },
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
			      pgtsim_desc_to_raw(&exploration->geo, row->level, row->value));
}

/* A table that nothing links has no level. */
static void print_free(const struct pgtsim_exploration *exploration,
		       const struct pgtsim_explore_row *row, const struct pgtsim_printer *out)
{
	const char *level = pgtsim_level_name(&exploration->geo, row->level);

	if (level)
		pgtsim_printf(out, "frees  the %s table of 0x%016" PRIx64, level, row->va);
	else
		pgtsim_printf(out, "frees  the table that it did not link");
}

/* Prints the variables behind rwlocks and RCU under the numbers that callers use, and sections. */
static void print_variable(const struct pgtsim_explore_row *row, const struct pgtsim_printer *out)
{
	static const char *const parts[PGTSIM_SECTION_PARTS] = {
		[PGTSIM_SECTION_FLAGS] = "flags of the section",
		[PGTSIM_SECTION_POINTER] = "pointer to the section's usage map",
		[PGTSIM_SECTION_MAP] = "usage map of the section",
	};
	const char *what = row->op == PGTSIM_STEP_LOAD ? "reads " : "writes";
	uint64_t number = row->va;
	const char *kind = "variable";

	if (number >= PGTSIM_FIRST_SECTION) {
		number = (number - PGTSIM_FIRST_SECTION) % PGTSIM_SECTION_PARTS;
		if (number == PGTSIM_SECTION_MAP && row->op == PGTSIM_STEP_SET)
			what = "frees ";
		pgtsim_printf(out, "%s the %s", what, parts[number]);
		return;
	}
	if (number >= PGTSIM_FIRST_READER) {
		kind = "reader";
		number -= PGTSIM_FIRST_READER;
	} else if (number >= PGTSIM_FIRST_RWLOCK) {
		kind = "rwlock";
		number -= PGTSIM_FIRST_RWLOCK;
	}
	pgtsim_printf(out, "%s %s %" PRIu64 " = %" PRIu64, what, kind, number, row->value);
}

void pgtsim_story_print_what(const struct pgtsim_exploration *exploration,
			     const struct pgtsim_explore_row *row,
			     const struct pgtsim_printer *out)
{
	static const char *const fixed[] = {
		[PGTSIM_STEP_WALK] = "starts a walk",
		[PGTSIM_STEP_WALKED] = "ends   its walk",
		[PGTSIM_STEP_DSB] = "DSB ISH: nobody walks there any more",
		[PGTSIM_STEP_END] = "ends an operation",
	};

	switch (row->op) {
	case PGTSIM_STEP_READ:
	case PGTSIM_STEP_WRITE:
		print_access(exploration, row, out);
		break;
	case PGTSIM_STEP_FREE:
		print_free(exploration, row, out);
		break;
	case PGTSIM_STEP_LOCK:
	case PGTSIM_STEP_UNLOCK:
		pgtsim_printf(out, "%s %s", row->op == PGTSIM_STEP_LOCK ? "takes " : "leaves",
			      pgtsim_lock_name(row->lock));
		break;
	case PGTSIM_STEP_MANY:
		print_many(row, out);
		break;
	case PGTSIM_STEP_LOAD:
	case PGTSIM_STEP_SET:
		print_variable(row, out);
		break;
	case PGTSIM_STEP_WALK:
	case PGTSIM_STEP_WALKED:
	case PGTSIM_STEP_DSB:
	case PGTSIM_STEP_END:
		pgtsim_printf(out, "%s", fixed[row->op]);
		break;
	default: /* an event */
		pgtsim_printf(out, "%s", pgtsim_op_name(row->event));
		break;
	}
}

/* Steps that are not counted are printed as "5+": they come after step 5. */
static void print_row(const struct pgtsim_exploration *exploration,
		      const struct pgtsim_explore_row *row, const struct pgtsim_printer *out)
{
	char steps[48];

	if (row->count > 1)
		snprintf(steps, sizeof(steps), "%" PRIu64 "-%" PRIu64, row->step,
			 row->step + row->count - 1);
	else
		snprintf(steps, sizeof(steps), "%" PRIu64 "%s", row->step - !row->count,
			 row->count ? "" : "+");
	pgtsim_printf(out, "%c %13s  %-12s ", row->failed ? '>' : ' ', steps,
		      exploration->names[row->actor]);
	pgtsim_story_print_what(exploration, row, out);
	pgtsim_printf(out, "\n");
}

/* Prints why the search ended early, if it did. */
static void print_stop(const struct pgtsim_exploration *exploration,
		       const struct pgtsim_printer *out)
{
	static const char *const reasons[] = {
		[PGTSIM_STOPPED_NOT] = "",
		[PGTSIM_STOPPED_BOUND] = ": stopped at the bound",
		[PGTSIM_STOPPED_FIRST] = ": stopped at the first failure",
		[PGTSIM_STOPPED_ASKED] = ": stopped",
		[PGTSIM_STOPPED_PREEMPTIONS] = ": those with more preemptions are left out",
		[PGTSIM_STOPPED_RANDOM] = ": random ones",
		[PGTSIM_STOPPED_SHARED_CPU] =
			": actors share a CPU in some orders only, so others may be missing",
	};

	pgtsim_printf(out, "%s", reasons[exploration->stopped]);
	if (exploration->stopped && exploration->stopped < PGTSIM_STOPPED_PREEMPTIONS)
		pgtsim_printf(out, ", an estimated %" PRIu64 " in all", exploration->estimate);
}

void pgtsim_exploration_print(const struct pgtsim_exploration *exploration,
			      const struct pgtsim_printer *out)
{
	if (!exploration || !out)
		return;

	const struct pgtsim_violation *violation = &exploration->violation;

	pgtsim_printf(out, "explored %" PRIu64 " schedule%s, %" PRIu64 " failed%s",
		      exploration->schedules, exploration->schedules == 1 ? "" : "s",
		      exploration->failed, exploration->complete ? "" : " (not all");
	print_stop(exploration, out);
	pgtsim_printf(out, "%s\n", exploration->complete ? "" : ")");
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
