/* SPDX-License-Identifier: MIT */
#include "recording.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

enum {
	LEAVES_MAX = 1 << 24,  /* of one region after one step: 64 GiB of 4K pages */
	ENTRIES_MAX = 1 << 21, /* of one table: a page of 16 MiB */
};

int reader_complain(struct reader *reader, const char *format, ...)
{
	char what[REPLAY_LINE_MAX], where[REPLAY_PLACE_MAX] = "";
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
	snprintf(reader->message, sizeof(reader->message), "the host is out of memory");
	return -ENOMEM;
}

/* A member of an object; NULL, with a complaint, if it is missing or of another type. */
static struct json_object *member(struct reader *reader, struct json_object *object,
				  const char *name, enum json_type type)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, name, &value))
		reader_complain(reader, "'%s' is missing", name);
	else if (!json_object_is_type(value, type))
		reader_complain(reader, "'%s' must be of type %s", name, json_type_to_name(type));
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
		return reader_complain(reader, "a number in hexadecimal must be a string");
	text = json_object_get_string(value);
	length = (size_t)json_object_get_string_len(value);
	if (!length || length > 16 || strspn(text, "0123456789abcdefABCDEF") != length)
		return reader_complain(reader,
				       "a string of 1 to 16 hexadecimal digits was expected");
	*number = strtoull(text, NULL, 16);
	return 0;
}

static int read_integer(struct reader *reader, struct json_object *value, int64_t min, int64_t max,
			int64_t *number)
{
	if (!json_object_is_type(value, json_type_int))
		return reader_complain(reader, "an integer was expected");
	*number = json_object_get_int64(value);
	if (*number < min || *number > max)
		return reader_complain(reader, "%" PRId64 " is not from %" PRId64 " to %" PRId64,
				       *number, min, max);
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
		return reader_complain(reader, "an array of %zu was expected", width);
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
			return reader_complain(reader, "more than %d leaves", LEAVES_MAX);
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
		return reader_complain(reader, "a line of a scenario must be a string");
	text = json_object_get_string(value);
	length = (size_t)json_object_get_string_len(value);
	if (memchr(text, '\n', length))
		return reader_complain(reader, "a line of a scenario holds a line break");
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
		return reader_complain(reader, "an object was expected");
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
		return reader_complain(reader, "there are no steps");
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
		return reader_complain(reader, "window.%s must be its start and end", name);
	ret = read_hex(reader, json_object_array_get_idx(array, 0), &range->start);
	if (!ret)
		ret = read_hex(reader, json_object_array_get_idx(array, 1), &range->end);
	if (!ret && range->end - 1 < range->start)
		return reader_complain(reader, "window.%s is empty", name);
	return ret;
}

static int read_root(struct reader *reader, struct json_object *root)
{
	struct recording *recording = reader->recording;
	struct json_object *window, *machine;
	int ret;

	if (!json_object_is_type(root, json_type_object))
		return reader_complain(reader, "not a recording: no JSON object");
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

/* Reports a syntax error `offset` bytes after the start of the text. */
static int complain_json(struct reader *reader, const char *text, size_t offset, const char *what)
{
	size_t line = 1;

	for (size_t i = 0; i < offset; i++)
		line += text[i] == '\n';
	return reader_complain(reader, "not JSON: %s (line %zu, byte %zu)", what, line, offset + 1);
}

static int parse_json(struct reader *reader, struct json_tokener *tokener, const char *text,
		      size_t length)
{
	enum json_tokener_error error;
	size_t end;

	errno = 0;
	reader->recording->json = json_tokener_parse_ex(tokener, text, (int)length);
	error = json_tokener_get_error(tokener);
	/* json-c up to 0.17 has no error of its own for that. */
	if (!reader->recording->json && errno == ENOMEM)
		return out_of_memory(reader);
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

int recording_read(struct recording *recording, const char *text, size_t length,
		   struct reader *reader)
{
	struct json_tokener *tokener;
	int ret;

	*reader = (struct reader){ .recording = recording, .step = SIZE_MAX };
	if (length > INT_MAX)
		return reader_complain(reader, "too large");
	tokener = json_tokener_new();
	if (!tokener)
		return out_of_memory(reader);
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	ret = parse_json(reader, tokener, text, length);
	json_tokener_free(tokener);
	return ret ? ret : read_root(reader, recording->json);
}

void recording_free(struct recording *recording)
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
		return reader_complain(reader, "level %d: the machine's root is level %d",
				       row->level, pgtsim_root_level(geo));
	last = UINT64_MAX - row->va;
	if (row->count && (row->count - 1) > last / pgtsim_entry_size(geo, row->level))
		return reader_complain(reader, "a run that passes the end of the address space");
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

int recording_check(struct reader *reader, const struct pgtsim_geometry *geo)
{
	const struct recording *recording = reader->recording;
	int ret = 0;

	for (size_t i = 0; i < REGIONS; i++) {
		const struct range *window = &recording->window[i];

		if (pgtsim_geometry_check_va(geo, window->start, window->end - window->start))
			return reader_complain(reader,
					       "window.%s: not an address range of this machine",
					       region_names[i]);
	}
	for (size_t i = 0; !ret && i < recording->step_count; i++) {
		reader->step = i;
		ret = check_step(reader, geo, &recording->steps[i]);
	}
	reader->step = SIZE_MAX;
	return ret;
}

/* One constant of the kernel; what a recording does not have cannot contradict the machine. */
static int check_constant(struct reader *reader, struct json_object *info, const char *name,
			  uint64_t bits, uint64_t expected)
{
	struct json_object *value;
	uint64_t found;

	if (!json_object_object_get_ex(info, name, &value))
		return 0;
	if (read_hex(reader, value, &found))
		return -EINVAL;
	if ((found & bits) == (expected & bits))
		return 0;
	return reader_complain(reader,
			       "the machine line contradicts info.%s: 0x%" PRIx64
			       " there, 0x%" PRIx64 " here",
			       name, found & bits, expected & bits);
}

int recording_check_info(struct reader *reader, const struct pgtsim_machine *machine)
{
	const struct pgtsim_layout *layout = &machine->layout;
	const struct {
		const char *name;
		uint64_t bits, expected;
	} constants[] = {
		{ "PAGE_SIZE", UINT64_MAX, pgtsim_page_size(&machine->geo) },
		{ "sizeof_struct_page", UINT64_MAX, machine->vmemmap.struct_page },
		{ "memory_block_size", UINT64_MAX, machine->hotplug.config.block_size },
		{ "PAGE_OFFSET", UINT64_MAX, layout->page_offset },
		{ "PAGE_END", UINT64_MAX, layout->page_end },
		{ "PHYS_OFFSET", UINT64_MAX, layout->memstart },
		{ "VMEMMAP_START", UINT64_MAX, layout->vmemmap_start },
		{ "vmemmap", UINT64_MAX, layout->vmemmap },
		{ "PAGE_KERNEL", PGTSIM_DESC_NG, machine->policy.prot[PGTSIM_PROT_KERNEL] }, /* kpti= */
	};
	struct json_object *info;
	int ret = 0;

	if (!json_object_object_get_ex(reader->recording->json, "info", &info) ||
	    !json_object_is_type(info, json_type_object))
		return 0;
	for (size_t i = 0; !ret && i < sizeof(constants) / sizeof(constants[0]); i++)
		ret = check_constant(reader, info, constants[i].name, constants[i].bits,
				     constants[i].expected);
	return ret;
}

void reader_complain_line(struct reader *reader, unsigned line, const char *message)
{
	const struct recording *recording = reader->recording;
	unsigned first = 2;

	if (line <= 1) {
		reader_complain(reader, "machine: %s", message);
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
	reader_complain(reader, "%s", message);
}
