/* SPDX-License-Identifier: MIT */
/*
 * options: what each command of pgtsim says of itself, and how its options are read.
 *
 * To add a command: a file with a `const struct cli_command`, declared at the end of this header,
 * and its row in main.c. Its help, `pgtsim list commands` and the shell completion come from it.
 */
#ifndef PGTSIM_CLI_OPTIONS_H
#define PGTSIM_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgtsim/dump.h>

/* What an option's value is, and what of the command's arguments it goes into. */
enum cli_kind {
	CLI_FLAG,    /* no value; a bool */
	CLI_WORD,    /* const char * */
	CLI_NUMBER,  /* uint64_t; as scenarios write numbers */
	CLI_SIZE,    /* like CLI_NUMBER, and not 0 */
	CLI_PROFILE, /* const char *: one of pgtsim_profiles() */
	CLI_TAKE,    /* read by take() */
};

struct cli_option {
	const char *name;  /* "profile", without dashes; NULL ends a list */
	const char *value; /* its name in the help, "NAME"; NULL: a flag */
	enum cli_kind kind;
	size_t offset; /* in the command's arguments */
	/* CLI_TAKE: reads the value. Returns 0, or -EINVAL after telling on stderr what is wrong. */
	int (*take)(void *arguments, const char *value);
	const char *meaning; /* for the help; may have several lines */
	char letter;         /* 'o': may be written -o, too; 0: none */
};

struct cli_command {
	const char *name;
	const char *summary;              /* for pgtsim --help; NULL: not listed there */
	const char *usage;                /* the help's first lines, each with its newline */
	const struct cli_option *options; /* NULL: none but --help */
	const char *notes;                /* the rest of the help; NULL: none */
	const char *wanted; /* asked if there are fewer words than `least`: "which scenario?" */
	int least, most;    /* words that are no options; most -1: any number */
	int (*run)(int argc, char **argv);
};

/* The words that are no options, in order. */
struct cli_words {
	char **word; /* argv itself, which cli_parse() puts in order */
	int count;
};

enum { CLI_CONTINUE = -1 };

/*
 * Reads a command line: `--name=value`, `--name value`, flags, `-h` and `--help`, anywhere before
 * a `--`. A word like -1 is no option. Returns CLI_CONTINUE with *arguments and *words filled in; or
 * the exit status, after printing the help to `out` or what is wrong to `err`.
 */
int cli_parse_to(const struct cli_command *command, int argc, char **argv, void *arguments,
		 struct cli_words *words, const struct pgtsim_printer *out,
		 const struct pgtsim_printer *err);

/* Like cli_parse(), with standard output and standard error. */
int cli_parse(const struct cli_command *command, int argc, char **argv, void *arguments,
	      struct cli_words *words);

/* Prints a command's help. */
void cli_help(const struct cli_command *command, const struct pgtsim_printer *out);

/* Prints to the FILE that is its context; prints nothing. */
void cli_print_to(void *file, const char *text);
void cli_print_nothing(void *ctx, const char *text);

/* What every command takes besides its own options; a NULL name ends the list. */
extern const struct cli_option *const cli_limit_options;

/* Standard output and standard error. */
extern const struct pgtsim_printer *const cli_out, *const cli_err;

/* The commands in the order of pgtsim --help; NULL ends the list. */
extern const struct cli_command *const cli_commands[];

extern const struct cli_command cli_run, cli_replay, cli_cost, cli_compare, cli_sweep, cli_profiles,
	cli_draw, cli_gallery, cli_decode, cli_geometry, cli_judge, cli_list, cli_explore,
	cli_kernel;

#endif
