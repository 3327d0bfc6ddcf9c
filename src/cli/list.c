/* SPDX-License-Identifier: MIT */
/*
 * The command list: prints the tables of names, for the documentation, for other languages and for
 * shell completion.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <pgtsim/cost.h>
#include <pgtsim/policy.h>
#include <pgtsim/tlb.h>

#include "options.h"
#include "scenario/near.h"
#include "scenario/runner.h"
#include "scenario/syntax.h"

struct list_arguments {
	bool json;
};

/* A list under way. */
struct list {
	bool json, any;
};

/* ---- rows ---- */

static void print_string(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putchar('\\');
		if ((unsigned char)*text < ' ')
			printf("\\u%04x", (unsigned char)*text);
		else
			putchar(*text);
	}
	putchar('"');
}

static void print_member(const char *name, const char *value)
{
	printf(",\"%s\":", name);
	print_string(value);
}

/* A line `NAME meaning`, or an object that end_row() closes. */
static void begin_row(struct list *list, const char *name, const char *meaning)
{
	if (!list->json) {
		printf("%s\t%.*s\n", name, (int)strcspn(meaning, "\n"), meaning);
		return;
	}
	printf("%s\n{\"name\":", list->any ? "," : "");
	list->any = true;
	print_string(name);
	print_member("meaning", meaning);
}

static void end_row(const struct list *list)
{
	if (list->json)
		putchar('}');
}

static void print_values(const char *name, const char *const *values)
{
	printf(",\"%s\":[", name);
	for (size_t i = 0; values[i]; i++) {
		printf("%s", i ? "," : "");
		print_string(values[i]);
	}
	putchar(']');
}

/* ---- the lists ---- */

static void list_options(const struct cli_option *options, const char **separator)
{
	for (const struct cli_option *o = options; o && o->name; o++) {
		printf("%s{\"name\":\"--%s\"", *separator, o->name);
		print_member("value", o->value ? o->value : "");
		print_member("meaning", o->meaning);
		putchar('}');
		*separator = ",";
	}
}

static void list_commands(struct list *list)
{
	for (const struct cli_command *const *c = cli_commands; *c; c++) {
		const char *separator = "";

		if (!(*c)->summary)
			continue;
		begin_row(list, (*c)->name, (*c)->summary);
		if (list->json)
			printf(",\"options\":[");
		if (list->json) {
			list_options((*c)->options, &separator);
			list_options(cli_limit_options, &separator);
		}
		if (list->json)
			putchar(']');
		end_row(list);
	}
}

static void print_slot(const struct slot *slot, const char *separator)
{
	printf("%s{\"name\":", separator);
	print_string(slot->name);
	printf(",\"required\":%s,\"flag\":%s", slot->required ? "true" : "false",
	       slot->parse ? "false" : "true");
	if (slot->choices)
		print_values("values", slot->choices);
	putchar('}');
}

static void print_slots(const struct scenario_row *row)
{
	printf(",\"arguments\":[");
	for (size_t i = 0; i < SCENARIO_ARGS_MAX && row->args[i].name; i++)
		print_slot(&row->args[i], i ? "," : "");
	printf("],\"keys\":[");
	for (const struct slot *slot = row->options; slot && slot->name; slot++)
		print_slot(slot, slot == row->options ? "" : ",");
	printf("],\"knobs\":%s", row->knobs ? "true" : "false");
}

static void list_scenario(struct list *list)
{
	const struct scenario_row *row;

	for (size_t i = 0; (row = scenario_row_at(i)); i++) {
		char usage[160];
		size_t length = 0;

		usage[0] = '\0';
		for (size_t a = 0; a < SCENARIO_ARGS_MAX && row->args[a].name; a++)
			length += (size_t)snprintf(usage + length, sizeof(usage) - length,
						   row->args[a].required ? "%s%s" : "%s[%s]",
						   a ? " " : "", row->args[a].name);
		begin_row(list, row->name, usage);
		if (list->json)
			print_slots(row);
		end_row(list);
	}
}

static void list_counters(struct list *list)
{
	size_t count;
	const struct pgtsim_counter *counters = pgtsim_counters(&count);

	for (size_t i = 0; i < count; i++) {
		begin_row(list, counters[i].name, counters[i].meaning);
		end_row(list);
	}
}

static void list_knobs(struct list *list)
{
	size_t count;
	const struct pgtsim_knob *knobs = pgtsim_knobs(&count);

	for (size_t i = 0; i < count; i++) {
		begin_row(list, knobs[i].name, knobs[i].meaning);
		if (list->json)
			print_values("values", knobs[i].values);
		end_row(list);
	}
}

static void list_violations(struct list *list)
{
	for (unsigned i = 0; i < PGTSIM_V_COUNT; i++) {
		const struct pgtsim_violation_kind *kind =
			pgtsim_violation_kind((enum pgtsim_violation_name)i);

		begin_row(list, kind->name, kind->meaning);
		if (list->json)
			print_member("instead", kind->instead);
		end_row(list);
	}
}

static void list_profiles(struct list *list)
{
	size_t count;
	const struct pgtsim_knob *knobs = pgtsim_knobs(&count);

	for (const char *const *name = pgtsim_profiles(); *name; name++) {
		struct pgtsim_policy policy;

		pgtsim_policy_init(&policy, *name);
		begin_row(list, *name, "");
		for (size_t i = 0; list->json && i < count; i++)
			print_member(knobs[i].name, pgtsim_policy_get(&policy, knobs[i].name));
		end_row(list);
	}
}

static void list_constants(struct list *list)
{
	size_t count;
	const struct pgtsim_cost_knob *knobs = pgtsim_cost_knobs(&count);

	for (size_t i = 0; i < count; i++) {
		begin_row(list, knobs[i].name, knobs[i].meaning);
		if (list->json) {
			print_member("basis", pgtsim_cost_basis_name(knobs[i].basis));
			print_member("source", knobs[i].source);
			print_member("address", knobs[i].address ? knobs[i].address : "");
			printf(",\"value\":%" PRIu64 ",\"low\":%" PRIu64 ",\"high\":%" PRIu64,
			       knobs[i].value, knobs[i].low, knobs[i].high);
		}
		end_row(list);
	}
}

static const struct {
	const char *name;
	void (*print)(struct list *list);
} lists[] = {
	{ "commands", list_commands },     { "scenario", list_scenario },
	{ "counters", list_counters },     { "knobs", list_knobs },
	{ "violations", list_violations }, { "profiles", list_profiles },
	{ "constants", list_constants },
};

enum { LISTS = sizeof(lists) / sizeof(lists[0]) };

/* ---- the command ---- */

static int unknown_list(const char *word)
{
	struct nearest near = nearest_to(word);

	for (size_t i = 0; i < LISTS; i++)
		nearest_offer(&near, lists[i].name);
	if (near.name)
		fprintf(stderr, "pgtsim list: there is no list '%s'; did you mean '%s'?\n", word,
			near.name);
	else
		fprintf(stderr, "pgtsim list: there is no list '%s'; see pgtsim list --help\n",
			word);
	return RUN_BAD_SCENARIO;
}

static int command_list(int argc, char **argv)
{
	struct list_arguments arguments = { false };
	struct cli_words words;
	struct list list = { false, false };
	int status = cli_parse(&cli_list, argc, argv, &arguments, &words);

	if (status != CLI_CONTINUE)
		return status;
	list.json = arguments.json;
	for (size_t i = 0; i < LISTS; i++) {
		if (strcmp(words.word[0], lists[i].name))
			continue;
		printf("%s", list.json ? "[" : "");
		lists[i].print(&list);
		printf("%s", list.json ? "\n]\n" : "");
		return RUN_OK;
	}
	return unknown_list(words.word[0]);
}

static const struct cli_option options[] = {
	{ .name = "json",
	  .kind = CLI_FLAG,
	  .offset = offsetof(struct list_arguments, json),
	  .meaning = "a JSON array of objects, with everything there is to know of each" },
	{ .name = NULL },
};

const struct cli_command cli_list = {
	.name = "list",
	.summary = "the names of commands, counters, knobs, violations and more",
	.usage =
		"pgtsim list LIST [--json]        print a list of names with their meanings, a line each\n"
		"\n"
		"LIST is one of commands (of pgtsim), scenario (commands of scenarios), counters, knobs,\n"
		"violations, profiles, constants (of the cost model).\n",
	.options = options,
	.wanted = "which list?",
	.least = 1,
	.most = 1,
	.run = command_list,
};
