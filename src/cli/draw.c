/* SPDX-License-Identifier: MIT */
/* The command draw. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "file.h"
#include "options.h"
#include "scenario/runner.h"
#include "view/svg.h"

struct draw_arguments {
	const char *file, *profile;
	uint64_t at; /* UINT64_MAX: the end */
};

static int draw_index(const struct steps_index *index, const struct draw_arguments *arguments)
{
	const struct steps_end *end = &index->end;
	uint64_t moment = arguments->at == UINT64_MAX ? end->count - 1 : arguments->at;

	if (end->status == RUN_NO_MEMORY)
		return file_complain(arguments->file, ENOBUFS);
	if (!end->count)
		return fprintf(stderr, "%s:%u: %s\n", arguments->file, end->error.line,
			       end->error.message),
		       RUN_BAD_SCENARIO;
	if (moment >= end->count)
		return fprintf(stderr, "pgtsim draw: %s has moments 0 to %" PRIu64 "\n",
			       arguments->file, end->count - 1),
		       RUN_BAD_SCENARIO;
	return svg_draw(index, moment, cli_out) ? RUN_OK : file_complain(arguments->file, ENOMEM);
}

static int draw_text(const char *text, size_t length, const struct draw_arguments *arguments)
{
	const struct run_options options = {
		.out = { .print = cli_print_nothing },
		.profile = arguments->profile,
		.read_file = file_read_beside,
		.ctx = (void *)(uintptr_t)arguments->file,
	};
	struct scenario_error error;
	struct scenario scenario;
	struct steps_index index;
	int status;

	status = scenario_parse(&scenario, text, length, &error);
	if (status) {
		fprintf(stderr, "%s:%u: %s\n", arguments->file, error.line, error.message);
		return run_parse_status(status);
	}
	if (steps_index(&index, &scenario, &options)) {
		status = file_complain(arguments->file, ENOMEM);
	} else {
		status = draw_index(&index, arguments);
		steps_index_free(&index);
	}
	scenario_free(&scenario);
	return status;
}

static int command_draw(int argc, char **argv)
{
	struct draw_arguments arguments = { .at = UINT64_MAX };
	struct cli_words words;
	size_t length;
	char *text;
	int status = cli_parse(&cli_draw, argc, argv, &arguments, &words);

	if (status != CLI_CONTINUE)
		return status;
	arguments.file = words.word[0];
	status = file_read(arguments.file, &text, &length);
	if (status)
		return file_complain(arguments.file, -status);
	status = draw_text(text, length, &arguments);
	free(text);
	return status;
}

static const struct cli_option options[] = {
	{ .name = "at",
	  .value = "N",
	  .kind = CLI_NUMBER,
	  .offset = offsetof(struct draw_arguments, at),
	  .meaning = "at moment N, as pgtsim run --step numbers them, instead of the end" },
	{ .name = "profile",
	  .value = "NAME",
	  .kind = CLI_PROFILE,
	  .offset = offsetof(struct draw_arguments, profile),
	  .meaning = "as this kernel, whatever the scenario says" },
	{ .name = NULL },
};

const struct cli_command cli_draw = {
	.name = "draw",
	.summary = "the tables of a scenario's machine as SVG",
	.usage =
		"pgtsim draw FILE [OPTIONS]       the tables of a scenario's machine as SVG, for slides\n",
	.options = options,
	.notes =
		"Writes to standard output. A row is a table, or several that are alike. Exit status: 0; 2 the\n"
		"scenario or the command line is wrong, or there is no such moment.\n",
	.wanted = "which scenario?",
	.least = 1,
	.most = 1,
	.run = command_draw,
};
