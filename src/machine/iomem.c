/* SPDX-License-Identifier: MIT */
/* iomem: reads the RAM of a /proc/iomem listing. */
#include <pgtsim/machine.h>

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "arch/error.h"

/* A hexadecimal number at *text; moves on behind it. */
static bool read_hex(const char **text, const char *end, uint64_t *value)
{
	const char *start = *text;

	for (*value = 0; *text < end && *text - start < 16; (*text)++) {
		const char *digits = "0123456789abcdef";
		const char *digit = **text ? strchr(digits, **text) : NULL;

		if (!digit)
			break;
		*value = *value << 4 | (uint64_t)(digit - digits);
	}
	return *text > start;
}

/* "start-end : name", end inclusive; it may end before it begins. */
static bool read_line(const char *line, const char *end, struct pgtsim_ram *range, bool *is_ram)
{
	static const char separator[] = " : ", name[] = "System RAM";
	size_t length;

	if (!read_hex(&line, end, &range->start) || line == end || *line++ != '-' ||
	    !read_hex(&line, end, &range->end))
		return false;
	length = (size_t)(end - line);
	if (length < sizeof(separator) - 1 || memcmp(line, separator, sizeof(separator) - 1) != 0)
		return false;
	line += sizeof(separator) - 1;
	length -= sizeof(separator) - 1;
	*is_ram = length == sizeof(name) - 1 && !memcmp(line, name, length);
	return true;
}

static bool round_inwards(struct pgtsim_ram *range, uint64_t granule)
{
	uint64_t start = (range->start + granule - 1) & ~(granule - 1);
	bool wraps = start < range->start;

	range->start = start;
	range->end = (range->end + 1) & ~(granule - 1);
	return !wraps && range->start < range->end;
}

/* Where the reader of a listing is. */
struct listing {
	bool resources;   /* a line was read that others may be nested in */
	size_t ram_depth; /* lines indented by more than this lie in RAM; SIZE_MAX: none */
	unsigned line;    /* its number, from 1 on */
	struct pgtsim_error *error;
};

/* Why a line that is not nested cannot be read; `range` is what it says if it is `readable`. */
static int bad_line(const struct listing *listing, const struct pgtsim_ram *range, bool readable)
{
	if (readable && range->end < range->start)
		return pgtsim_error_set(listing->error, -EINVAL,
					"line %u of the listing ends before it begins",
					listing->line);
	if (readable)
		return pgtsim_error_set(listing->error, -EINVAL,
					"the listing hides its addresses, they are all 0: read "
					"/proc/iomem as root");
	return pgtsim_error_set(listing->error, -EINVAL,
				"it is no /proc/iomem listing: line %u is not 'START-END : NAME'",
				listing->line);
}

/*
 * Reads one line that is not empty. Returns 1 if it is RAM that is not part of other RAM, 0 if not,
 * or -EINVAL. What is nested in RAM is part of it, but RAM may be nested in something else.
 */
static int read_resource(struct listing *listing, const char *line, const char *end,
			 struct pgtsim_ram *range)
{
	bool is_ram, readable;
	size_t depth = 0;

	while (line + depth < end && line[depth] == ' ')
		depth++;
	if (depth && (!listing->resources || depth > listing->ram_depth))
		return 0;
	readable = read_line(line + depth, end, range, &is_ram);
	if (!readable || range->end < range->start || (!range->start && !range->end))
		return depth ? 0 : bad_line(listing, range, readable);
	listing->resources = true;
	listing->ram_depth = is_ram ? depth : SIZE_MAX;
	return is_ram;
}

static int read_listing(const char *text, size_t length, uint32_t granule, struct pgtsim_ram *ram,
			size_t room, struct pgtsim_error *error)
{
	const char *end = text + length;
	struct listing listing = { .ram_depth = SIZE_MAX, .error = error };
	int count = 0;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *line = text, *line_end = newline ? newline : end;
		struct pgtsim_ram range;
		int found;

		listing.line++;
		text = newline ? newline + 1 : end;
		found = line == line_end ? 0 : read_resource(&listing, line, line_end, &range);
		if (found < 0)
			return found;
		if (!found || !round_inwards(&range, granule))
			continue;
		if ((size_t)count < room)
			ram[count] = range;
		count++;
	}
	if (count)
		return count;
	return pgtsim_error_set(error, -EINVAL,
				"the listing names no System RAM of a page (%s) or more",
				pgtsim_amount(granule).text);
}

/* A granule that is a power of two; everything else is checked with the machine. */
static bool arguments_ok(const char *text, size_t length, uint32_t granule)
{
	return (text || !length) && granule && !(granule & (granule - 1));
}

int pgtsim_iomem_read(const char *text, size_t length, uint32_t granule, struct pgtsim_ram *ram,
		      size_t room)
{
	if (!arguments_ok(text, length, granule) || (room && !ram))
		return -EINVAL;
	return read_listing(text, length, granule, ram, room, NULL);
}

int pgtsim_iomem_explain(const char *text, size_t length, uint32_t granule,
			 struct pgtsim_error *error)
{
	int count;

	if (!error)
		return -EINVAL;
	*error = (struct pgtsim_error){ 0 };
	if (!arguments_ok(text, length, granule))
		return pgtsim_error_set(error, -EINVAL,
					"there is no text, or pages of %s do not exist",
					pgtsim_amount(granule).text);
	count = read_listing(text, length, granule, NULL, 0, error);
	return count < 0 ? count : 0;
}
