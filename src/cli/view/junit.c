/* SPDX-License-Identifier: MIT */
#include "junit.h"

#include <errno.h>
#include <stdio.h>

#include "file.h"

/* Bytes of the UTF-8 character at `text`; 0 if XML does not allow it, or it is malformed. */
static int character_size(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	int size = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if (s[0] < ' ' || s[0] > 0xf4)
		return 0;
	for (int i = 1; i < size; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f) ||
	    (s[0] == 0xef && s[1] == 0xbf && s[2] >= 0xbe))
		return 0;
	return size;
}

/* Prints text for XML. Bytes that XML does not allow, as a file's name may have, become '?'. */
static void put_escaped(FILE *out, const char *text)
{
	int size;

	for (; *text; text += size ? size : 1) {
		size = character_size(text);
		if (*text == '&')
			fputs("&amp;", out);
		else if (*text == '<')
			fputs("&lt;", out);
		else if (*text == '>')
			fputs("&gt;", out);
		else if (*text == '"')
			fputs("&quot;", out);
		else if (size)
			fprintf(out, "%.*s", size, text);
		else
			fputc('?', out);
	}
}

static bool is_test(const struct scenario_command *command)
{
	return command->kind == SCENARIO_EXPECT || command->kind == SCENARIO_CHECK ||
	       command->expected;
}

/* Returns the command that ended the run early, or NULL. */
static const struct scenario_command *ended_at(const struct scenario *scenario,
					       const struct run *run, int status)
{
	return status == RUN_OK || !run->next ? NULL : &scenario->commands[run->next - 1];
}

static void put_case(FILE *out, const struct scenario_command *command, const char *failure)
{
	fprintf(out, "  <testcase name=\"line %u: ", command->line);
	put_escaped(out, command->source);
	fputs("\"", out);
	if (!failure) {
		fputs("/>\n", out);
		return;
	}
	fputs(">\n    <failure message=\"", out);
	put_escaped(out, failure);
	fputs("\"/>\n  </testcase>\n", out);
}

int junit_write(const char *path, const char *suite, const struct scenario *scenario,
		const struct run *run, int status, const struct run_error *error)
{
	const struct scenario_command *last = ended_at(scenario, run, status);
	FILE *out = fopen(path, "w");
	unsigned tests = 0;
	int lost;

	if (!out)
		return errno;
	for (size_t i = 0; i < run->next; i++)
		tests += is_test(&scenario->commands[i]) || &scenario->commands[i] == last;
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"", out);
	put_escaped(out, suite);
	fprintf(out, "\" tests=\"%u\" failures=\"%d\">\n", tests, last ? 1 : 0);
	for (size_t i = 0; i < run->next; i++) {
		const struct scenario_command *command = &scenario->commands[i];

		if (command == last)
			put_case(out, command, error->message);
		else if (is_test(command))
			put_case(out, command, NULL);
	}
	fputs("</testsuite>\n", out);
	lost = file_flush(out);
	fclose(out);
	return lost;
}
