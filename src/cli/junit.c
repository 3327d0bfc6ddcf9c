/* SPDX-License-Identifier: MIT */
#include "junit.h"

#include <errno.h>
#include <stdio.h>

#include "file.h"

static void put_escaped(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '&')
			fputs("&amp;", out);
		else if (*text == '<')
			fputs("&lt;", out);
		else if (*text == '>')
			fputs("&gt;", out);
		else if (*text == '"')
			fputs("&quot;", out);
		else if ((unsigned char)*text >= ' ')
			fputc(*text, out);
	}
}

static bool is_test(const struct scenario_command *command)
{
	return command->kind == SCENARIO_EXPECT || command->kind == SCENARIO_CHECK ||
	       command->expected;
}

/* The command that ended the run, or NULL if it came to the end. */
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
