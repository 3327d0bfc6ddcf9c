/* SPDX-License-Identifier: MIT */
/* parser: reads the text of a scenario line by line. This is the only file that allocates. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "near.h"
#include "syntax.h"

/* ---- messages ---- */

int syntax_fail(struct parser *p, const char *format, ...)
{
	va_list args;

	p->error->line = p->line;
	va_start(args, format);
	(void)vsnprintf(p->error->message, sizeof(p->error->message), format, args);
	va_end(args);
	return -EINVAL;
}

int syntax_fail_memory(struct parser *p)
{
	(void)syntax_fail(p, "the host is out of memory");
	return -ENOMEM;
}

struct quoted syntax_quote(const char *word)
{
	const size_t room = sizeof(((struct quoted *)NULL)->text) - sizeof("...");
	struct quoted quoted;
	size_t i;

	for (i = 0; word[i] != '\0' && i < room; i++)
		quoted.text[i] = word[i] >= ' ' && word[i] <= '~' ? word[i] : '?';
	(void)snprintf(quoted.text + i, sizeof("..."), "%s", word[i] == '\0' ? "" : "...");
	return quoted;
}

int syntax_fail_near(struct parser *p, const char *what, const struct nearest *near)
{
	struct quoted word = syntax_quote(near->word);

	if (!near->name)
		return syntax_fail(p, "%s '%s'", what, word.text);
	return syntax_fail(p, "%s '%s'; did you mean '%s'?", what, word.text,
			   syntax_quote(near->name).text);
}

/* ---- memory ---- */

void *syntax_room(void *array, size_t count, size_t *room, size_t size)
{
	size_t wanted = *room ? *room * 2 : 16;
	void *grown;

	if (count < *room)
		return array;
	if (wanted > SIZE_MAX / 2 / size)
		return NULL;
	grown = realloc(array, wanted * size);
	if (grown)
		*room = wanted;
	return grown;
}

/* ---- lines ---- */

/*
 * The length of the UTF-8 character at s, of which `left` bytes (not 0) are left. 0 if it is
 * none, or a control character other than tab.
 */
static size_t character(const unsigned char *s, size_t left)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t length = s[0] < 0x80 ? 1 : s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	uint32_t code = s[0] & (length == 1 ? 0x7f : 0xff >> (length + 1));

	if (length == 0 || length > left || s[0] >= 0xf8)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	if (code == '\t' || (code >= ' ' && code < 0x7f) || code >= 0xa0)
		return length;
	return 0;
}

static int check_line(struct parser *p, const char *line, size_t size)
{
	const unsigned char *bytes = (const unsigned char *)line;
	size_t length;

	for (size_t i = 0; i < size; i += length) {
		length = character(bytes + i, size - i);
		if (length == 0)
			return syntax_fail(p, "not a text file: byte 0x%02x in column %zu",
					   bytes[i], i + 1);
	}
	if (size > SCENARIO_LINE_MAX)
		return syntax_fail(p, "the line has %zu bytes; the most is %d", size,
				   SCENARIO_LINE_MAX);
	return 0;
}

static int parse_line(struct parser *p, char *line, size_t size)
{
	int err;

	p->line++;
	if (size > 0 && line[size - 1] == '\r')
		size--;
	err = check_line(p, line, size);
	if (err)
		return err;
	line[size] = '\0';
	line[p->words + size] = '\0';
	p->cursor = line + p->words;
	return parser_read_command(p);
}

static int parse_text(struct parser *p, size_t length)
{
	char *text = p->out->text;
	size_t start = length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

	while (start < length) {
		const char *newline = memchr(text + start, '\n', length - start);
		size_t size = newline ? (size_t)(newline - text) - start : length - start;
		int err = parse_line(p, text + start, size);

		if (err)
			return err;
		start += size + 1;
	}
	if (p->out->command_count > 0)
		return 0;
	if (p->line == 0)
		p->line = 1;
	return syntax_fail(p, "there is no command; 'machine' must be the first one");
}

/* Two copies: one stays as it is, line by line; one is cut into words. */
static int copy_text(struct parser *p, const char *text, size_t length)
{
	p->words = length + 1;
	if (length < SIZE_MAX / 2 - 1)
		p->out->text = malloc(2 * p->words);
	if (!p->out->text)
		return syntax_fail_memory(p);
	if (length > 0) {
		memcpy(p->out->text, text, length);
		memcpy(p->out->text + p->words, text, length);
	}
	return 0;
}

/* The options move as they grow in number, so commands learn at the end where theirs are. */
static void hand_out_options(struct scenario *out)
{
	const struct scenario_option *options = out->options;

	for (size_t i = 0; i < out->command_count; i++) {
		out->commands[i].options = options;
		if (options)
			options += out->commands[i].option_count;
	}
}

int scenario_parse(struct scenario *out, const char *text, size_t length,
		   struct scenario_error *error)
{
	struct parser p = { .out = out, .error = error, .line = 1 };
	int err;

	*out = (struct scenario){ 0 };
	*error = (struct scenario_error){ 0 };
	err = copy_text(&p, text, length);
	p.line = 0;
	if (!err)
		err = parse_text(&p, length);
	if (err)
		scenario_free(out);
	else
		hand_out_options(out);
	return err;
}

void scenario_free(struct scenario *scenario)
{
	free(scenario->commands);
	free(scenario->options);
	free(scenario->altmap_names);
	free(scenario->text);
	*scenario = (struct scenario){ 0 };
}
