/* SPDX-License-Identifier: MIT */
/*
 * The pgtsim command: finds the command that the first word names, and runs it. Each command has a
 * file of its own.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <pgtsim/api.h>

#include "file.h"
#include "host_limits.h"
#include "options.h"
#include "scenario/near.h"
#include "scenario/runner.h"

const struct cli_command *const cli_commands[] = {
	&cli_run,     &cli_explore, &cli_judge,    &cli_replay, &cli_cost,
	&cli_compare, &cli_sweep,   &cli_profiles, &cli_draw,   &cli_gallery,
	&cli_kernel,  &cli_decode,  &cli_geometry, &cli_list,   NULL,
};

static int print_help(void)
{
	printf("pgtsim simulates the arm64 kernel page table and memory hotplug.\n\n");
	for (const struct cli_command *const *c = cli_commands; *c; c++)
		if ((*c)->summary)
			printf("  pgtsim %-10s %s\n", (*c)->name, (*c)->summary);
	printf("\npgtsim COMMAND --help says more of each.\n\n"
	       "To see memory come and go on two kernels, save this as try.pgt:\n\n"
	       "  machine granule=4K va=48 ram=0x40000000+1G\n"
	       "  add 0x80000000+128M\n"
	       "  remove 0x80000000+128M\n\n"
	       "and run it:\n\n"
	       "  pgtsim run --profile=linux-5.7 try.pgt\n"
	       "  pgtsim run --profile=latest try.pgt\n");
	return RUN_OK;
}

static int print_version(void)
{
	printf("pgtsim %s\n", PGTSIM_VERSION);
	return RUN_OK;
}

static int unknown(const char *word)
{
	struct nearest near = nearest_to(word);

	for (const struct cli_command *const *c = cli_commands; *c; c++)
		nearest_offer(&near, (*c)->name);
	if (near.name)
		fprintf(stderr, "pgtsim: there is no command '%s'; did you mean '%s'?\n", word,
			near.name);
	else
		fprintf(stderr, "pgtsim: there is no command '%s'; see pgtsim --help\n", word);
	return RUN_BAD_SCENARIO;
}

static int run_command(int argc, char **argv)
{
	const char *word = argv[0];

	if (!strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "help"))
		return print_help();
	if (!strcmp(word, "--version"))
		return print_version();
	for (const struct cli_command *const *c = cli_commands; *c; c++)
		if (!strcmp(word, (*c)->name))
			return (*c)->run(argc, argv);
	return unknown(word);
}

/*
 * A file that is opened gets the lowest free descriptor. If standard output is closed, that must not
 * be a trace: what is written to it fails instead.
 */
static void open_standard_files(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			return;
}

int main(int argc, char **argv)
{
	int status, lost;

	if (argc < 2) {
		fprintf(stderr, "pgtsim: which command? see pgtsim --help\n");
		return RUN_BAD_SCENARIO;
	}
	open_standard_files();
	status = limits_status(run_command(argc - 1, argv + 1));
	lost = file_flush(stdout);
	return lost ? file_complain("standard output", lost) : status;
}
