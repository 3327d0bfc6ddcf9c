/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <pgtsim/policy.h>

#include "host_limits.h"
#include "scenario/near.h"
#include "scenario/runner.h"

/* The option -h or --help, which every command has. */
static const struct cli_option help_option = { .name = "help" };

/* So are these. */
static const struct cli_option limit_options[] = {
	{ .name = "max-memory",
	  .value = "SIZE",
	  .kind = CLI_NUMBER,
	  .offset = offsetof(struct limits, memory),
	  .meaning = "address space that a process may take [4G]; 0: no limit" },
	{ .name = "max-time",
	  .value = "SECONDS",
	  .kind = CLI_NUMBER,
	  .offset = offsetof(struct limits, seconds),
	  .meaning = "then it ends with what it has [3600]; 0: no limit" },
	{ .name = "max-schedules",
	  .value = "N",
	  .kind = CLI_NUMBER,
	  .offset = offsetof(struct limits, schedules),
	  .meaning = "of each search, whatever its bound [0: no limit]" },
	{ .name = NULL },
};

const struct cli_option *const cli_limit_options = limit_options;

/* One reading of a command line. */
struct parse {
	const struct cli_command *command;
	void *arguments;
	struct cli_words *words;
	const struct pgtsim_printer *out, *err;
};

void cli_print_to(void *file, const char *text)
{
	limits_progress(NULL);
	fputs(text, file ? file : stdout);
}

static void print_to_stderr(void *ctx, const char *text)
{
	(void)ctx;
	fputs(text, stderr);
}

void cli_print_nothing(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

static const struct pgtsim_printer out_printer = { cli_print_to, NULL };
static const struct pgtsim_printer err_printer = { print_to_stderr, NULL };
const struct pgtsim_printer *const cli_out = &out_printer, *const cli_err = &err_printer;

/* ---- help ---- */

enum { HELP_COLUMN = 20 };

/* An option's meaning, its further lines below the first one. */
static void print_meaning(const char *meaning, const struct pgtsim_printer *out)
{
	for (;;) {
		size_t length = strcspn(meaning, "\n");

		pgtsim_printf(out, "%.*s\n", (int)length, meaning);
		if (!meaning[length])
			return;
		meaning += length + 1;
		pgtsim_printf(out, "  %*s ", HELP_COLUMN, "");
	}
}

static void print_options(const struct cli_option *options, const struct pgtsim_printer *out)
{
	pgtsim_printf(out, "\n");
	for (const struct cli_option *o = options; o->name; o++) {
		char title[48];

		snprintf(title, sizeof(title), "--%s%s%s", o->name, o->value ? "=" : "",
			 o->value ? o->value : "");
		pgtsim_printf(out, "  %-*s ", HELP_COLUMN, title);
		print_meaning(o->meaning, out);
	}
}

void cli_help(const struct cli_command *command, const struct pgtsim_printer *out)
{
	out->print(out->ctx, command->usage);
	if (command->options)
		print_options(command->options, out);
	if (command->notes) {
		pgtsim_printf(out, "\n");
		out->print(out->ctx, command->notes);
	}
	print_options(limit_options, out);
}

/* ---- messages ---- */

static int fail(const struct parse *p, const char *what, const char *word, const char *more)
{
	pgtsim_printf(p->err, "pgtsim %s: %s '%.200s'%s\n", p->command->name, what, word, more);
	return RUN_BAD_SCENARIO;
}

static int fail_unknown(const struct parse *p, const char *argument)
{
	struct nearest near;
	char name[32], more[80];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(argument + 2, "="), argument + 2);
	near = nearest_to(name);
	nearest_offer(&near, help_option.name);
	for (const struct cli_option *o = p->command->options; o && o->name; o++)
		nearest_offer(&near, o->name);
	for (const struct cli_option *o = limit_options; o->name; o++)
		nearest_offer(&near, o->name);
	if (argument[1] == '-' && near.name)
		snprintf(more, sizeof(more), "; did you mean '--%s'?", near.name);
	else
		snprintf(more, sizeof(more), "; see pgtsim %s --help", p->command->name);
	return fail(p, "there is no option", argument, more);
}

static int fail_profile(const struct parse *p, const char *word)
{
	struct nearest near = nearest_to(word);
	char more[80] = "; see pgtsim profiles";

	for (const char *const *name = pgtsim_profiles(); *name; name++)
		nearest_offer(&near, *name);
	if (near.name)
		snprintf(more, sizeof(more), "; did you mean '%s'?", near.name);
	return fail(p, "there is no profile", word, more);
}

/* ---- values ---- */

static int take_number(const struct parse *p, const struct cli_option *o, const char *value,
		       uint64_t *number)
{
	const char *fault = scenario_number_fault(value);
	char what[64], more[80];

	if (scenario_number(value, number) && (*number || o->kind == CLI_NUMBER))
		return 0;
	snprintf(more, sizeof(more), " %s", fault ? fault : "is too small; the least is 1");
	snprintf(what, sizeof(what), "--%s:", o->name);
	return fail(p, what, value, more);
}

static bool is_limit(const struct cli_option *o)
{
	for (const struct cli_option *limit = limit_options; limit->name; limit++)
		if (limit == o)
			return true;
	return false;
}

static int take_value(const struct parse *p, const struct cli_option *o, const char *value)
{
	void *place = is_limit(o) ? (char *)&limits + o->offset : (char *)p->arguments + o->offset;
	struct pgtsim_policy policy;

	switch (o->kind) {
	case CLI_FLAG:
		*(bool *)place = true;
		return 0;
	case CLI_NUMBER:
	case CLI_SIZE:
		return take_number(p, o, value, place);
	case CLI_PROFILE:
		if (pgtsim_policy_init(&policy, value))
			return fail_profile(p, value);
		break;
	case CLI_TAKE:
		return o->take(p->arguments, value) ? RUN_BAD_SCENARIO : 0;
	case CLI_WORD:
		break;
	}
	*(const char **)place = value;
	return 0;
}

/* ---- the command line ---- */

static bool is_named(const struct cli_option *o, const char *name, size_t length)
{
	return strlen(o->name) == length && !strncmp(o->name, name, length);
}

static const struct cli_option *find_option(const struct parse *p, const char *argument)
{
	size_t length = strcspn(argument + 2, "=");

	if (!strcmp(argument, "-h"))
		return &help_option;
	if (argument[1] != '-') {
		for (const struct cli_option *o = p->command->options; o && o->name; o++)
			if (o->letter && argument[1] == o->letter && !argument[2])
				return o;
		return NULL;
	}
	for (const struct cli_option *o = p->command->options; o && o->name; o++)
		if (is_named(o, argument + 2, length))
			return o;
	for (const struct cli_option *o = limit_options; o->name; o++)
		if (is_named(o, argument + 2, length))
			return o;
	return !strcmp(argument, "--help") ? &help_option : NULL;
}

static bool is_option(const char *argument)
{
	return argument[0] == '-' && argument[1] && !(argument[1] >= '0' && argument[1] <= '9');
}

/* Reads the option argv[*i], and its value behind it if it has one there. */
static int take_option(const struct parse *p, int argc, char **argv, int *i)
{
	const struct cli_option *o = find_option(p, argv[*i]);
	const char *value = strchr(argv[*i], '=');

	if (!o)
		return fail_unknown(p, argv[*i]);
	if (!o->value && value)
		return fail(p, "no value belongs to a flag:", argv[*i], "");
	if (value)
		value++;
	else if (o->value && *i + 1 < argc)
		value = argv[++*i];
	if (o->value && !value)
		return fail(p, "a value is missing after", argv[*i], "");
	return take_value(p, o, value);
}

static int check_words(const struct parse *p)
{
	const struct cli_command *command = p->command;

	if (command->most >= 0 && p->words->count > command->most)
		return fail(p, "one argument too many:", p->words->word[command->most], "");
	if (p->words->count >= command->least)
		return CLI_CONTINUE;
	pgtsim_printf(p->err, "pgtsim %s: %s see pgtsim %s --help\n", command->name,
		      command->wanted, command->name);
	return RUN_BAD_SCENARIO;
}

/* With --help on the line, nothing else on it matters, right or wrong. */
static bool asks_for_help(const struct parse *p, int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
		if (is_option(argv[i]) && find_option(p, argv[i]) == &help_option)
			return true;
	return false;
}

int cli_parse_to(const struct cli_command *command, int argc, char **argv, void *arguments,
		 struct cli_words *words, const struct pgtsim_printer *out,
		 const struct pgtsim_printer *err)
{
	const struct parse p = { command, arguments, words, out, err };
	bool only_words = false;

	*words = (struct cli_words){ .word = argv };
	if (asks_for_help(&p, argc, argv)) {
		cli_help(command, out);
		return RUN_OK;
	}
	for (int i = 1; i < argc; i++) {
		int status = 0;

		if (only_words || !is_option(argv[i]))
			words->word[words->count++] = argv[i];
		else if (!strcmp(argv[i], "--"))
			only_words = true;
		else
			status = take_option(&p, argc, argv, &i);
		if (status)
			return status;
	}
	return check_words(&p);
}

int cli_parse(const struct cli_command *command, int argc, char **argv, void *arguments,
	      struct cli_words *words)
{
	int status = cli_parse_to(command, argc, argv, arguments, words, cli_out, cli_err);

	if (status == CLI_CONTINUE)
		limits_start();
	return status;
}
