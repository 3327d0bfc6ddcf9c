/* SPDX-License-Identifier: MIT */
/* The command replay. */
#include "replay.h"

#include <stdio.h>
#include <stdlib.h>

#include "file.h"
#include "host_limits.h"
#include "options.h"
#include "replay/replay.h"
#include "scenario/runner.h"

static int replay_file(const char *path)
{
	size_t length;
	char *text;
	int status = file_read(path, &text, &length);

	if (status)
		return file_complain(path, -status);
	status = replay_text(path, text, length, cli_out, cli_err);
	free(text);
	return status;
}

int command_replay(int argc, char **argv)
{
	struct cli_words files;
	int status = cli_parse(&cli_replay, argc, argv, NULL, &files), worst = RUN_OK;

	if (status != CLI_CONTINUE)
		return status;
	limits_catch_interrupt();
	for (int i = 0; i < files.count && !limits_stop(); i++) {
		limits_progress("recording %d of %d: %s", i + 1, files.count, files.word[i]);
		status = replay_file(files.word[i]);
		if (status > worst)
			worst = status;
	}
	limits_progress(NULL);
	return worst;
}

const struct cli_command cli_replay = {
	.name = "replay",
	.summary = "replay recordings of live kernels and compare every descriptor",
	.usage =
		"pgtsim replay FILE...            replay recordings of live kernels; '-': standard input\n",
	.notes =
		"A recording is a JSON file: a machine, and what the page tables of a real kernel held\n"
		"after each step. The same steps are run here, and after each one every descriptor of\n"
		"the linear map and the vmemmap inside the recording's window is compared: exactly, but\n"
		"for the addresses of table pages and of what the page allocator gave: those must be\n"
		"distinct.\n"
		"\n"
		"Exit status: 0 nothing differs; 1 something does; 2 a file is no recording, or one that\n"
		"cannot be replayed, or the command line is wrong.\n",
	.wanted = "which recording?",
	.least = 1,
	.most = -1,
	.run = command_replay,
};
