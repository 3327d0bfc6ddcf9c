/* SPDX-License-Identifier: MIT */
/* The message that each of several hundred bad scenarios gets: data/bad-inputs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scenario/runner.h"

enum { ERRNO_MAX = 133 };

static void print_nothing(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

/* Runs the scenario, and writes "LINE: MESSAGE" for its error. */
static void run_text(const char *text, char *said, size_t size)
{
	const struct run_options options = { .out = { print_nothing, NULL } };
	struct scenario_error syntax;
	struct run_error error = { 0 };
	struct scenario scenario;
	struct run run;
	int status;

	if (scenario_parse(&scenario, text, strlen(text), &syntax)) {
		snprintf(said, size, "%u: %s", syntax.line, syntax.message);
		return;
	}
	status = run_start(&run, &scenario, &options, &error);
	if (status == RUN_OK)
		status = run_rest(&run, &error);
	assert_int_equal(RUN_FAILED, status);
	snprintf(said, size, "%u: %s", error.line, error.message);
	run_end(&run);
	scenario_free(&scenario);
}

/* True if the message is, or ends in, what the host calls an errno. */
static bool is_bare(const char *message)
{
	size_t length = strlen(message);

	for (int error = 1; error <= ERRNO_MAX; error++) {
		const char *text = strerror(error);
		size_t tail = strlen(text);

		if (tail <= length && !strcmp(message + length - tail, text))
			return true;
	}
	return !strchr(message, ' ');
}

/* Each scenario gets its message, which is a sentence and no errno. */
static void every_message(void **state)
{
	FILE *file = fopen(PGTSIM_TEST_DATA "/bad-inputs", "r");
	char line[1024], said[512];
	unsigned rows = 0, wrong = 0;

	(void)state;
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		char *message = strchr(line, '\t');

		line[strcspn(line, "\n")] = '\0';
		if (!message)
			continue; /* the comment above them */
		*message++ = '\0';
		for (char *c = line; (c = strchr(c, ';'));)
			*c = '\n';
		run_text(line, said, sizeof(said));
		rows++;
		if (strcmp(said, message) || is_bare(said)) {
			print_error("%s\nsays: %s\nnot:  %s\n", line, said, message);
			wrong++;
		}
	}
	fclose(file);
	assert_int_equal(wrong, 0);
	assert_in_range(rows, 300, 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
