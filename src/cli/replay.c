/* SPDX-License-Identifier: MIT */
#include "replay.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "file.h"
#include "run.h"

enum {
	LINE_MAX_BYTES = 512,  /* of a difference or what is wrong */
	PLACE_MAX_BYTES = 128, /* of the place in the recording */
	DIFFERENCES_MAX = 50,  /* that are listed */
	NAME_MAX_BYTES = 64,   /* of a step's name */
	LEAVES_MAX = 1 << 24,  /* of one region after one step: 64 GiB of 4K pages */
	ENTRIES_MAX = 1 << 21, /* of one table: a page of 16 MiB */
};

enum region { LINEAR, VMEMMAP, REGIONS };

/* What a region holds after a step, one array each. */
enum list { TABLES, LEAVES, INVALID, LISTS };

static const char *const region_names[REGIONS] = { "linear", "vmemmap" };

/*
 * Table: the entry, its descriptor, and the live entries of the table it points to. Leaves: a run
 * whose descriptor grows by the entry size. Invalid: one entry, count 1.
 */
struct row {
	int level;
	uint64_t va, desc, count;
};

/* By va, then from the root down: the order of a walk. */
struct rows {
	struct row *at;
	size_t count, room;
};

struct content {
	struct rows list[LISTS];
};

struct range {
	uint64_t start, end; /* end may be that of the address space: 0 */
};

struct step {
	const char *name;
	unsigned last_line; /* of the scenario, after which this step is compared */
	struct content content[REGIONS];
};

struct recording {
	struct json_object *json; /* owns the names */
	struct range window[REGIONS], pa;
	struct step *steps;
	size_t step_count;
	bool has_before; /* steps[0] is it */
	char *text;      /* the scenario: the machine, then a line for each op */
	size_t length, room;
	unsigned lines;
};

struct replay {
	const struct recording *recording;
	struct run run;
	const struct step *step;
	enum region region;
	struct content base[REGIONS]; /* the simulator's at the step `before` */
	struct content now[REGIONS];
	size_t steps;
	uint64_t descriptors, differences;
	size_t told; /* violations of the machine that are among the differences */
	size_t listed;
	char lines[DIFFERENCES_MAX][LINE_MAX_BYTES];
};

/* ---- rows ---- */

static int row_order(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->va != y->va)
		return x->va < y->va ? -1 : 1;
	return (x->level > y->level) - (x->level < y->level);
}

static int rows_push(struct rows *rows, struct row row)
{
	if (rows->count == rows->room) {
		size_t room = rows->room ? 2 * rows->room : 64;
		struct row *at = realloc(rows->at, room * sizeof(*at));

		if (!at)
			return -ENOMEM;
		rows->at = at;
		rows->room = room;
	}
	rows->at[rows->count++] = row;
	return 0;
}

static void rows_sort(struct rows *rows)
{
	if (rows->count)
		qsort(rows->at, rows->count, sizeof(*rows->at), row_order);
}

/* NULL behind the last one. */
static const struct row *rows_get(const struct rows *rows, size_t i)
{
	return i < rows->count ? &rows->at[i] : NULL;
}

/* The row of the same entry, or NULL. */
static const struct row *rows_find(const struct rows *rows, const struct row *row)
{
	if (!rows->count)
		return NULL;
	return bsearch(row, rows->at, rows->count, sizeof(*rows->at), row_order);
}

static void content_clear(struct content *content)
{
	for (size_t i = 0; i < LISTS; i++)
		content->list[i].count = 0;
}

static void content_free(struct content *content)
{
	for (size_t i = 0; i < LISTS; i++)
		free(content->list[i].at);
}

/* ---- reading a recording ---- */

/* Where the reader is, for its complaint. */
struct reader {
	struct recording *recording;
	size_t step;               /* SIZE_MAX: in none */
	const char *region, *list; /* NULL: in none */
	size_t row;
	char message[PLACE_MAX_BYTES + 2 + LINE_MAX_BYTES];
};

#ifdef __GNUC__
__attribute__((format(printf, 2, 3)))
#endif
static int
complain(struct reader *reader, const char *format, ...)
{
	char what[LINE_MAX_BYTES], where[PLACE_MAX_BYTES] = "";
	int length = 0;
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	if (reader->step != SIZE_MAX)
		length += snprintf(where, sizeof(where), "steps[%zu]", reader->step);
	if (reader->region)
		length += snprintf(where + length, sizeof(where) - (size_t)length, ".detail.%s",
				   reader->region);
	if (reader->list)
		length += snprintf(where + length, sizeof(where) - (size_t)length, ".%s[%zu]",
				   reader->list, reader->row);
	snprintf(reader->message, sizeof(reader->message), "%s%s%s", where, length ? ": " : "",
		 what);
	return -EINVAL;
}

static int out_of_memory(struct reader *reader)
{
	snprintf(reader->message, sizeof(reader->message), "out of memory");
	return -ENOMEM;
}

/* A member of an object; NULL, with a complaint, if it is missing or of another type. */
static struct json_object *member(struct reader *reader, struct json_object *object,
				  const char *name, enum json_type type)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, name, &value))
		complain(reader, "'%s' is missing", name);
	else if (!json_object_is_type(value, type))
		complain(reader, "'%s' must be of type %s", name, json_type_to_name(type));
	else
		return value;
	return NULL;
}

/* A string of hexadecimal digits without 0x. */
static int read_hex(struct reader *reader, struct json_object *value, uint64_t *number)
{
	const char *text;
	size_t length;

	if (!json_object_is_type(value, json_type_string))
		return complain(reader, "a number in hexadecimal must be a string");
	text = json_object_get_string(value);
	length = (size_t)json_object_get_string_len(value);
	if (!length || length > 16 || strspn(text, "0123456789abcdefABCDEF") != length)
		return complain(reader, "a string of 1 to 16 hexadecimal digits was expected");
	*number = strtoull(text, NULL, 16);
	return 0;
}

static int read_integer(struct reader *reader, struct json_object *value, int64_t min, int64_t max,
			int64_t *number)
{
	if (!json_object_is_type(value, json_type_int))
		return complain(reader, "an integer was expected");
	*number = json_object_get_int64(value);
	if (*number < min || *number > max)
		return complain(reader, "%" PRId64 " is not from %" PRId64 " to %" PRId64, *number,
				min, max);
	return 0;
}

/* The lists and what their columns are: level, va, descriptor, count. */
static const struct {
	const char *name, *columns;
	int64_t level_max, count_min, count_max;
} lists[LISTS] = {
	[TABLES] = { "tables", "lvdc", PGTSIM_PMD, 0, ENTRIES_MAX },
	[LEAVES] = { "leaves", "lvcd", PGTSIM_PTE, 1, LEAVES_MAX },
	[INVALID] = { "nonzero_invalid", "lvd", PGTSIM_PTE, 1, 1 },
};

static int read_column(struct reader *reader, enum list list, char column,
		       struct json_object *value, struct row *row)
{
	int64_t number = 0;
	int ret = 0;

	switch (column) {
	case 'l':
		ret = read_integer(reader, value, PGTSIM_PGD, lists[list].level_max, &number);
		row->level = (int)number;
		return ret;
	case 'c':
		ret = read_integer(reader, value, lists[list].count_min, lists[list].count_max,
				   &number);
		row->count = (uint64_t)number;
		return ret;
	case 'v':
		return read_hex(reader, value, &row->va);
	default:
		return read_hex(reader, value, &row->desc);
	}
}

static int read_row(struct reader *reader, enum list list, struct json_object *value,
		    struct row *row)
{
	const char *columns = lists[list].columns;
	size_t width = strlen(columns);

	row->count = 1;
	if (!json_object_is_type(value, json_type_array) ||
	    json_object_array_length(value) != width)
		return complain(reader, "an array of %zu was expected", width);
	for (size_t i = 0; i < width; i++) {
		struct json_object *cell = json_object_array_get_idx(value, i);
		int ret = read_column(reader, list, columns[i], cell, row);

		if (ret)
			return ret;
	}
	return 0;
}

static int read_list(struct reader *reader, enum list list, struct json_object *region,
		     struct rows *rows)
{
	struct json_object *array = member(reader, region, lists[list].name, json_type_array);
	uint64_t total = 0;

	if (!array)
		return -EINVAL;
	reader->list = lists[list].name;
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		struct row row;
		int ret;

		reader->row = i;
		ret = read_row(reader, list, json_object_array_get_idx(array, i), &row);
		if (ret)
			return ret;
		total += row.count;
		if (list == LEAVES && total > LEAVES_MAX)
			return complain(reader, "more than %d leaves", LEAVES_MAX);
		if (rows_push(rows, row))
			return out_of_memory(reader);
	}
	rows_sort(rows);
	reader->list = NULL;
	return 0;
}

static int read_region(struct reader *reader, struct json_object *detail, enum region region,
		       struct content *content)
{
	struct json_object *object = member(reader, detail, region_names[region], json_type_object);

	if (!object)
		return -EINVAL;
	reader->region = region_names[region];
	for (enum list list = TABLES; list < LISTS; list++) {
		int ret = read_list(reader, list, object, &content->list[list]);

		if (ret)
			return ret;
	}
	reader->region = NULL;
	return 0;
}

static int add_text(struct recording *recording, const char *text, size_t length)
{
	if (recording->room - recording->length < length + 1) {
		size_t room = 2 * (recording->length + length + 1);
		char *larger = realloc(recording->text, room);

		if (!larger)
			return -ENOMEM;
		recording->text = larger;
		recording->room = room;
	}
	memcpy(recording->text + recording->length, text, length);
	recording->length += length;
	recording->text[recording->length++] = '\n';
	recording->lines++;
	return 0;
}

/* Takes a line of the scenario. A line break in it would let steps run into each other. */
static int read_line(struct reader *reader, struct json_object *value)
{
	const char *text;
	size_t length;

	if (!json_object_is_type(value, json_type_string))
		return complain(reader, "a line of a scenario must be a string");
	text = json_object_get_string(value);
	length = (size_t)json_object_get_string_len(value);
	if (memchr(text, '\n', length))
		return complain(reader, "a line of a scenario holds a line break");
	return add_text(reader->recording, text, length) ? out_of_memory(reader) : 0;
}

static int read_ops(struct reader *reader, struct json_object *ops)
{
	reader->list = "ops";
	for (size_t i = 0; i < json_object_array_length(ops); i++) {
		int ret;

		reader->row = i;
		ret = read_line(reader, json_object_array_get_idx(ops, i));
		if (ret)
			return ret;
	}
	reader->list = NULL;
	return 0;
}

static int read_step(struct reader *reader, struct json_object *object, struct step *step)
{
	struct json_object *name, *ops, *detail;
	int ret;

	if (!json_object_is_type(object, json_type_object))
		return complain(reader, "an object was expected");
	name = member(reader, object, "step", json_type_string);
	ops = name ? member(reader, object, "ops", json_type_array) : NULL;
	detail = ops ? member(reader, object, "detail", json_type_object) : NULL;
	if (!detail)
		return -EINVAL;
	step->name = json_object_get_string(name);
	ret = read_ops(reader, ops);
	step->last_line = reader->recording->lines;
	for (enum region region = LINEAR; !ret && region < REGIONS; region++)
		ret = read_region(reader, detail, region, &step->content[region]);
	return ret;
}

static int read_steps(struct reader *reader, struct json_object *root)
{
	struct recording *recording = reader->recording;
	struct json_object *array = member(reader, root, "steps", json_type_array);
	size_t count = array ? json_object_array_length(array) : 0;
	int ret = 0;

	if (!array)
		return -EINVAL;
	if (!count)
		return complain(reader, "there are no steps");
	recording->steps = calloc(count, sizeof(*recording->steps));
	if (!recording->steps)
		return out_of_memory(reader);
	recording->step_count = count;
	for (size_t i = 0; !ret && i < count; i++) {
		reader->step = i;
		ret = read_step(reader, json_object_array_get_idx(array, i), &recording->steps[i]);
	}
	if (ret)
		return ret;
	reader->step = SIZE_MAX;
	recording->has_before = !strcmp(recording->steps[0].name, "before");
	return 0;
}

static int read_range(struct reader *reader, struct json_object *window, const char *name,
		      struct range *range)
{
	struct json_object *array = member(reader, window, name, json_type_array);
	int ret;

	if (!array)
		return -EINVAL;
	if (json_object_array_length(array) != 2)
		return complain(reader, "window.%s must be its start and end", name);
	ret = read_hex(reader, json_object_array_get_idx(array, 0), &range->start);
	if (!ret)
		ret = read_hex(reader, json_object_array_get_idx(array, 1), &range->end);
	if (!ret && range->end - 1 < range->start)
		return complain(reader, "window.%s is empty", name);
	return ret;
}

static int read_root(struct reader *reader, struct json_object *root)
{
	struct recording *recording = reader->recording;
	struct json_object *window, *machine;
	int ret;

	if (!json_object_is_type(root, json_type_object))
		return complain(reader, "not a recording: no JSON object");
	window = member(reader, root, "window", json_type_object);
	machine = window ? member(reader, root, "machine", json_type_string) : NULL;
	if (!machine)
		return -EINVAL;
	ret = read_range(reader, window, "pa", &recording->pa);
	for (enum region region = LINEAR; !ret && region < REGIONS; region++)
		ret = read_range(reader, window, region_names[region], &recording->window[region]);
	if (!ret)
		ret = read_line(reader, machine);
	return ret ? ret : read_steps(reader, root);
}

/* Where the text goes wrong: `offset` bytes behind its start. */
static int complain_json(struct reader *reader, const char *text, size_t offset, const char *what)
{
	size_t line = 1;

	for (size_t i = 0; i < offset; i++)
		line += text[i] == '\n';
	return complain(reader, "not JSON: %s (line %zu, byte %zu)", what, line, offset + 1);
}

static int parse_json(struct reader *reader, struct json_tokener *tokener, const char *text,
		      size_t length)
{
	enum json_tokener_error error;
	size_t end;

	reader->recording->json = json_tokener_parse_ex(tokener, text, (int)length);
	error = json_tokener_get_error(tokener);
	end = json_tokener_get_parse_end(tokener);
	if (error == json_tokener_continue)
		return complain_json(reader, text, length, "it ends too soon");
	if (error != json_tokener_success)
		return complain_json(reader, text, end, json_tokener_error_desc(error));
	while (end < length && strchr(" \t\r\n", text[end]) && text[end])
		end++;
	if (end < length)
		return complain_json(reader, text, end, "something follows it");
	return 0;
}

static int recording_read(struct recording *recording, const char *text, size_t length,
			  struct reader *reader)
{
	struct json_tokener *tokener;
	int ret;

	*reader = (struct reader){ .recording = recording, .step = SIZE_MAX };
	if (length > INT_MAX)
		return complain(reader, "too large");
	tokener = json_tokener_new();
	if (!tokener)
		return out_of_memory(reader);
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	ret = parse_json(reader, tokener, text, length);
	json_tokener_free(tokener);
	return ret ? ret : read_root(reader, recording->json);
}

static void recording_free(struct recording *recording)
{
	for (size_t i = 0; i < recording->step_count; i++)
		for (size_t region = 0; region < REGIONS; region++)
			content_free(&recording->steps[i].content[region]);
	free(recording->steps);
	free(recording->text);
	json_object_put(recording->json);
}

/* ---- whether a recording suits its machine ---- */

static int check_row(struct reader *reader, const struct pgtsim_geometry *geo,
		     const struct row *row)
{
	uint64_t last;

	if (row->level < pgtsim_root_level(geo))
		return complain(reader, "level %d: the machine's root is level %d", row->level,
				pgtsim_root_level(geo));
	last = UINT64_MAX - row->va;
	if (row->count && (row->count - 1) > last / pgtsim_entry_size(geo, row->level))
		return complain(reader, "a run that passes the end of the address space");
	return 0;
}

static int check_rows(struct reader *reader, const struct pgtsim_geometry *geo, enum list list,
		      const struct rows *rows)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < rows->count; i++) {
		struct row row = rows->at[i];

		if (list == TABLES)
			row.count = 1;
		ret = check_row(reader, geo, &row);
	}
	return ret;
}

static int check_step(struct reader *reader, const struct pgtsim_geometry *geo,
		      const struct step *step)
{
	int ret = 0;

	for (size_t region = 0; region < REGIONS; region++)
		for (enum list list = TABLES; !ret && list < LISTS; list++) {
			reader->region = region_names[region];
			ret = check_rows(reader, geo, list, &step->content[region].list[list]);
		}
	reader->region = NULL;
	return ret;
}

/* What only the machine's geometry can tell. Its functions must not see what this refuses. */
static int recording_check(struct reader *reader, const struct pgtsim_geometry *geo)
{
	const struct recording *recording = reader->recording;
	int ret = 0;

	for (size_t i = 0; i < REGIONS; i++) {
		const struct range *window = &recording->window[i];

		if (pgtsim_geometry_check_va(geo, window->start, window->end - window->start))
			return complain(reader, "window.%s: not an address range of this machine",
					region_names[i]);
	}
	for (size_t i = 0; !ret && i < recording->step_count; i++) {
		reader->step = i;
		ret = check_step(reader, geo, &recording->steps[i]);
	}
	reader->step = SIZE_MAX;
	return ret;
}

/* Says where a line of the scenario stands in the recording. */
static void complain_line(struct reader *reader, unsigned line, const char *message)
{
	const struct recording *recording = reader->recording;
	unsigned first = 2;

	if (line <= 1) {
		complain(reader, "machine: %s", message);
		return;
	}
	for (size_t i = 0; i < recording->step_count; i++) {
		if (line <= recording->steps[i].last_line) {
			reader->step = i;
			reader->list = "ops";
			reader->row = line - first;
			break;
		}
		first = recording->steps[i].last_line + 1;
	}
	complain(reader, "%s", message);
}

/* ---- collecting from the simulator ---- */

/* A table entry of the walk: a row with what is live below it. */
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

/* Leaves or what is invalid, from entry `index` on: as many as one row can hold. */
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

static const struct pgtsim_geometry *geometry(const struct replay *replay)
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

/* Counts a difference and keeps its line; `place` may be NULL. */
#ifdef __GNUC__
__attribute__((format(printf, 3, 4)))
#endif
static void
differ(struct replay *replay, const struct row *place, const char *format, ...)
{
	size_t length, size = sizeof(replay->lines[0]);
	va_list args;
	char *line;

	replay->differences++;
	if (replay->listed == DIFFERENCES_MAX)
		return;
	line = replay->lines[replay->listed++];
	print_step(replay, line, size);
	length = strlen(line);
	if (place)
		snprintf(line + length, size - length, " %s %s 0x%016" PRIx64,
			 region_names[replay->region],
			 pgtsim_level_name(geometry(replay), place->level), place->va);
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

static uint64_t address_of(const struct replay *replay, const struct row *entry)
{
	return pgtsim_desc_address(geometry(replay), entry->level, entry->desc);
}

/* Everything of a descriptor but its output address. */
static uint64_t attributes_of(const struct replay *replay, const struct row *entry)
{
	return entry->desc & ~pgtsim_desc_oa(geometry(replay), address_of(replay, entry));
}

/* Whether an address lies in the memory that was hot-added: what an altmap hands out. */
static bool hot_added(const struct replay *replay, uint64_t pa)
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
	    hot_added(replay, address_of(replay, expected)) ||
	    hot_added(replay, address_of(replay, found)))
		return false;
	return attributes_of(replay, expected) == attributes_of(replay, found);
}

static void compare_leaves(struct replay *replay, enum list list, const struct rows *expected,
			   const struct rows *found)
{
	struct cursor e = { .rows = expected }, f = { .rows = found };
	struct row want, got;

	for (;;) {
		bool wanted = cursor_get(&e, geometry(replay), &want);
		bool present = cursor_get(&f, geometry(replay), &got);
		int order = !wanted ? 1 : !present ? -1 : row_order(&want, &got);

		if (!wanted && !present)
			return;
		if (order < 0)
			differ(replay, &want, "expected 0x%016" PRIx64 ", found none", want.desc);
		else if (order > 0)
			differ(replay, &got, "expected none, found 0x%016" PRIx64, got.desc);
		else if (!same_leaf(replay, list, &want, &got))
			differ(replay, &want, "expected 0x%016" PRIx64 ", found 0x%016" PRIx64,
			       want.desc, got.desc);
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

/* A table that came since `before`; NULL where it is missing. */
static void compare_table(struct replay *replay, const struct row *want, const struct row *got)
{
	if (!got) {
		differ(replay, want, "expected table 0x%016" PRIx64 ", found none", want->desc);
		return;
	}
	if (!want) {
		differ(replay, got, "expected none, found table 0x%016" PRIx64, got->desc);
		return;
	}
	if (attributes_of(replay, want) != attributes_of(replay, got))
		differ(replay, want,
		       "expected table 0x%016" PRIx64 " but for its address, found 0x%016" PRIx64,
		       want->desc, got->desc);
	if (want->count != got->count)
		differ(replay, want, "expected a table of %" PRIu64 " entries, found %" PRIu64,
		       want->count, got->count);
}

static void compare_new_tables(struct replay *replay, const struct rows *expected,
			       const struct rows *found)
{
	const struct rows *before = before_tables(replay);
	size_t e = 0, f = 0;

	while (e < expected->count || f < found->count) {
		const struct row *want = rows_get(expected, e), *got = rows_get(found, f);
		int order = !want ? 1 : !got ? -1 : row_order(want, got);

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
		if (pgtsim_entry_base(geometry(replay), table->level, row->va) != table->va)
			break;
		if (row->level == table->level + 1 && row_order(row, row - 1) &&
		    rows_find(tables, row))
			count++;
	}
	return count;
}

/* How many entries of a simulator's table are no boot content. A missing table counts 0. */
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

		if (i && !row_order(table, table - 1))
			continue; /* listed twice */
		got = gained(replay, found, table) - gained(replay, base, table);
		if (want != got)
			differ(replay, table,
			       "expected a table with %+" PRId64
			       " entries since 'before', found %+" PRId64,
			       want, got);
	}
}

/* ---- frames ---- */

/* Memory that one holder must have to itself: a table page, or what a run of leaves maps. */
struct frame {
	uint64_t start, end;
	const struct row *row;
	enum region region;
	bool table;
};

static int frame_order(const void *a, const void *b)
{
	const struct frame *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

static size_t list_tables(const struct replay *replay, const struct rows *tables,
			  enum region region, struct frame *frames)
{
	for (size_t i = 0; i < tables->count; i++) {
		uint64_t start = address_of(replay, &tables->at[i]);

		frames[i] = (struct frame){
			.start = start,
			.end = start + pgtsim_page_size(geometry(replay)),
			.row = &tables->at[i],
			.region = region,
			.table = true,
		};
	}
	return tables->count;
}

/* The vmemmap's leaves but for those of an altmap. */
static size_t list_leaves(const struct replay *replay, const struct rows *leaves,
			  struct frame *frames)
{
	size_t count = 0;

	for (size_t i = 0; i < leaves->count; i++) {
		const struct row *row = &leaves->at[i];
		uint64_t start = address_of(replay, row);

		if (hot_added(replay, start))
			continue;
		frames[count++] = (struct frame){
			.start = start,
			.end = start + row->count * pgtsim_entry_size(geometry(replay), row->level),
			.row = row,
			.region = VMEMMAP,
		};
	}
	return count;
}

/* Both windows may lie below the same upper table. */
static bool same_holder(const struct frame *a, const struct frame *b)
{
	return a->table && b->table && !row_order(a->row, b->row);
}

static void differ_frame(struct replay *replay, const struct frame *frame,
			 const struct frame *holder, const char *whose)
{
	replay->region = frame->region;
	differ(replay, frame->row,
	       "expected memory of its own, found 0x%" PRIx64 ", %s that of %s %s 0x%016" PRIx64,
	       frame->start, whose, region_names[holder->region],
	       pgtsim_level_name(geometry(replay), holder->row->level), holder->row->va);
}

static void compare_frames(struct replay *replay, struct frame *frames, size_t count,
			   const char *whose)
{
	const struct frame *furthest = frames; /* the one that ends last of those before */

	qsort(frames, count, sizeof(*frames), frame_order);
	for (size_t i = 1; i < count; i++) {
		const struct frame *frame = &frames[i];

		if (frame->start < furthest->end && !same_holder(frame, furthest))
			differ_frame(replay, frame, furthest, whose);
		if (frame->end > furthest->end)
			furthest = frame;
	}
}

/*
 * Whether all that was compared without its address has memory of its own, in the recording as
 * in the simulator. Returns 0 or -ENOMEM.
 */
static int check_frames(struct replay *replay, const struct content *content, const char *whose)
{
	const struct rows *leaves = &content[VMEMMAP].list[LEAVES];
	size_t count = leaves->count + 1;
	struct frame *frames;

	for (enum region region = LINEAR; region < REGIONS; region++)
		count += content[region].list[TABLES].count;
	frames = calloc(count, sizeof(*frames));
	if (!frames)
		return -ENOMEM;
	count = list_leaves(replay, leaves, frames);
	for (enum region region = LINEAR; region < REGIONS; region++)
		count += list_tables(replay, &content[region].list[TABLES], region, frames + count);
	compare_frames(replay, frames, count, whose);
	free(frames);
	return 0;
}

/* ---- the replay ---- */

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

/* Compares the machine with the recording after a step. Returns 0 or a negative errno. */
static int compare_step(struct replay *replay)
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
	ret = check_frames(replay, step->content, "in the recording");
	return ret ? ret : check_frames(replay, found, "in the simulator");
}

/* A real kernel has run this: what the machine finds wrong with it is a difference. */
static void tell_violations(struct replay *replay)
{
	size_t count;
	const struct pgtsim_violation *found = pgtsim_violations(&replay->run.machine->tlb, &count);

	for (; replay->told < count; replay->told++)
		differ(replay, NULL, "%s 0x%016" PRIx64 ": %s",
		       pgtsim_violation_kind(found[replay->told].name)->name,
		       found[replay->told].va, found[replay->told].text);
}

/* Executes a step's commands. Returns whether they succeeded; if not, that is a difference. */
static bool run_ops(struct replay *replay)
{
	const struct scenario *scenario = replay->run.scenario;
	struct run_error error;

	while (replay->run.next < scenario->command_count &&
	       scenario->commands[replay->run.next].line <= replay->step->last_line) {
		if (run_step(&replay->run, &error) == RUN_OK)
			continue;
		differ(replay, NULL, "expected success, found %s", error.message);
		return false;
	}
	return true;
}

static int replay_steps(struct replay *replay)
{
	const struct recording *recording = replay->recording;
	int ret = 0;

	for (size_t i = 0; !ret && i < recording->step_count; i++) {
		replay->step = &recording->steps[i];
		if (!run_ops(replay))
			break;
		ret = compare_step(replay);
		tell_violations(replay);
	}
	return ret;
}

static void print_result(const struct replay *replay, const char *name,
			 const struct pgtsim_printer *out)
{
	out->print(out->ctx, name);
	pgtsim_printf(out, ": %zu steps, %" PRIu64 " descriptors compared, %" PRIu64 " differ\n",
		      replay->steps, replay->descriptors, replay->differences);
	for (size_t i = 0; i < replay->listed; i++) {
		out->print(out->ctx, replay->lines[i]);
		out->print(out->ctx, "\n");
	}
	if (replay->differences > replay->listed)
		pgtsim_printf(out, "  and %" PRIu64 " more\n",
			      replay->differences - replay->listed);
}

static void print_nothing(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

/* Runs the scenario of a recording. Returns 0, or a negative errno with the reader's message. */
static int replay_scenario(struct replay *replay, const struct scenario *scenario,
			   struct reader *reader)
{
	static const struct run_options options = { .out = { print_nothing, NULL } };
	struct run_error error;
	int ret = -EINVAL;

	if (run_start(&replay->run, scenario, &options, &error) != RUN_OK)
		complain_line(reader, error.line, error.message);
	else
		ret = recording_check(reader, geometry(replay));
	if (!ret) {
		ret = replay_steps(replay);
		if (ret)
			complain(reader, "%s", strerror(-ret));
	}
	run_end(&replay->run);
	return ret;
}

static int replay_recording(struct replay *replay, struct reader *reader)
{
	const struct recording *recording = replay->recording;
	struct scenario_error error;
	struct scenario scenario;
	int ret = scenario_parse(&scenario, recording->text, recording->length, &error);

	if (ret) {
		complain_line(reader, error.line, error.message);
		return ret;
	}
	ret = replay_scenario(replay, &scenario, reader);
	scenario_free(&scenario);
	return ret;
}

static void replay_free(struct replay *replay)
{
	for (size_t i = 0; i < REGIONS; i++) {
		content_free(&replay->base[i]);
		content_free(&replay->now[i]);
	}
	free(replay);
}

int replay_text(const char *name, const char *text, size_t length, const struct pgtsim_printer *out,
		const struct pgtsim_printer *errors)
{
	struct recording recording = { 0 };
	struct replay *replay = calloc(1, sizeof(*replay));
	struct reader reader = { .message = "out of memory" };
	int ret = replay ? recording_read(&recording, text, length, &reader) : -ENOMEM;
	int status = RUN_BAD_SCENARIO;

	if (!ret) {
		replay->recording = &recording;
		ret = replay_recording(replay, &reader);
	}
	if (ret) {
		errors->print(errors->ctx, name);
		errors->print(errors->ctx, ": ");
		errors->print(errors->ctx, reader.message);
		errors->print(errors->ctx, "\n");
	} else {
		print_result(replay, name, out);
		status = replay->differences ? RUN_FAILED : RUN_OK;
	}
	if (replay)
		replay_free(replay);
	recording_free(&recording);
	return status;
}

/* ---- the command ---- */

static const char help[] =
	"pgtsim replay FILE...            replay recordings of live kernels; '-': standard input\n"
	"\n"
	"A recording is a JSON file: a machine, and what the page tables of a real kernel held\n"
	"after each step. The same steps are run here, and after each one every descriptor of\n"
	"the linear map and the vmemmap inside the recording's window is compared: exactly, but\n"
	"for the addresses of table pages and of what the page allocator gave: those must be\n"
	"distinct.\n"
	"\n"
	"Exit status: 0 nothing differs; 1 something does; 2 a file is no recording, or one that\n"
	"cannot be replayed, or the command line is wrong.\n";

static void print_to(void *file, const char *text)
{
	fputs(text, file);
}

static int replay_file(const char *path)
{
	const struct pgtsim_printer out = { print_to, stdout }, errors = { print_to, stderr };
	size_t length;
	char *text;
	int status = file_read(path, &text, &length);

	if (status)
		return file_complain(path, -status);
	status = replay_text(path, text, length, &out, &errors);
	free(text);
	return status;
}

static bool arguments_fit(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (argv[i][0] == '-' && argv[i][1]) {
			fprintf(stderr,
				"pgtsim replay: unexpected '%s'; see pgtsim replay --help\n",
				argv[i]);
			return false;
		}
	if (argc < 2)
		fputs("pgtsim replay: which recording? see pgtsim replay --help\n", stderr);
	return argc >= 2;
}

int command_replay(int argc, char **argv)
{
	int status = RUN_OK;

	if (argc > 1 && !strcmp(argv[1], "--help"))
		return fputs(help, stdout), RUN_OK;
	if (!arguments_fit(argc, argv))
		return RUN_BAD_SCENARIO;
	for (int i = 1; i < argc; i++) {
		int result = replay_file(argv[i]);

		if (result > status)
			status = result;
	}
	return status;
}
