/* SPDX-License-Identifier: MIT */
/* The command gallery. */
#include "gallery/gallery.h"

#include <stdio.h>
#include <string.h>

#include "host_limits.h"
#include "kernel/kernel.h"
#include "options.h"

struct gallery_arguments {
	const char *kernel;
};

static bool stop_before(const struct gallery_pair *next)
{
	limits_progress("defect B%u", next->number);
	return limits_stop();
}

static int run_all(void)
{
	int status;

	limits_catch_interrupt();
	status = gallery_run_all(gallery_pairs, cli_out, stop_before);
	limits_progress(NULL);
	return status;
}

/* Runs all on a kernel, or one pair. */
static int run_kernel(const char *path, const struct gallery_pair *only)
{
	struct kernel kernel;
	int status = kernel_open_or_complain(&kernel, path);

	if (status != RUN_OK)
		return status;
	kernel.run.leaves_out_knobs = true;
	limits_catch_interrupt();
	status = gallery_run_kernel(gallery_pairs, only, &kernel.run, cli_out, stop_before);
	limits_progress(NULL);
	kernel_close(&kernel);
	return status;
}

static int command_gallery(int argc, char **argv)
{
	const struct gallery_pair *pair;
	struct cli_words words;
	const char *id;
	struct gallery_arguments arguments = { NULL };
	int status = cli_parse(&cli_gallery, argc, argv, &arguments, &words);

	if (status != CLI_CONTINUE)
		return status;
	if (arguments.kernel && (!words.count || !strcmp(words.word[0], "all")))
		return run_kernel(arguments.kernel, NULL);
	if (!words.count)
		return gallery_list(cli_out), RUN_OK;
	id = words.word[0];
	if (!strcmp(id, "all"))
		return run_all();
	pair = gallery_find(id);
	if (!pair)
		return fprintf(stderr, "pgtsim gallery: there is no '%s'; see pgtsim gallery\n",
			       id),
		       RUN_BAD_SCENARIO;
	return arguments.kernel ? run_kernel(arguments.kernel, pair) : gallery_tell(pair, cli_out);
}

static const struct cli_option options[] = {
	{ .name = "kernel",
	  .value = "FILE",
	  .kind = CLI_WORD,
	  .offset = offsetof(struct gallery_arguments, kernel),
	  .meaning = "run each bad scenario on the functions of a kernel tree, and say\n"
		     "whether its defect shows there: see pgtsim kernel --help" },
	{ .name = NULL },
};

const struct cli_command cli_gallery = {
	.name = "gallery",
	.summary = "defects of real kernels, each found by the checks",
	.usage =
		"pgtsim gallery                   list defects of real kernels, each a pair of scenarios\n"
		"pgtsim gallery B1                tell the story of one, run the bad scenario and the good\n"
		"pgtsim gallery all               run all, and say of each whether it was found\n",
	.options = options,
	.notes =
		"Exit status: 0 each bad scenario finds what it is about, and each good one nothing; 1 not so;\n"
		"2 the command line is wrong. With --kernel 1 if a defect shows.\n",
	.most = 1,
	.run = command_gallery,
};
