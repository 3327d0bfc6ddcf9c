/* SPDX-License-Identifier: MIT */
/* The command profiles. */
#include <stdio.h>
#include <string.h>

#include <pgtsim/policy.h>

#include "options.h"

/* The rows of stable releases between two others are listed below the table, not in it. */
static bool in_table(const char *name)
{
	const char *dot = strchr(name, '.');

	return !dot || !strchr(dot + 1, '.');
}

static void print_table(void)
{
	size_t count;
	const struct pgtsim_knob *knobs = pgtsim_knobs(&count);
	const char *const *names = pgtsim_profiles();

	printf("%-26s", "");
	for (size_t p = 0; names[p]; p++)
		if (in_table(names[p]))
			printf(" %-*s", names[p + 1] ? 16 : 0, names[p]);
	printf("\n");
	for (size_t i = 0; i < count; i++) {
		printf("%-26s", knobs[i].name);
		for (size_t p = 0; names[p]; p++) {
			struct pgtsim_policy policy;

			pgtsim_policy_init(&policy, names[p]);
			if (in_table(names[p]))
				printf(" %-*s", names[p + 1] ? 16 : 0,
				       pgtsim_policy_get(&policy, knobs[i].name));
		}
		printf("\n");
	}
}

static void print_knobs(void)
{
	size_t count;
	const struct pgtsim_knob *knobs = pgtsim_knobs(&count);

	printf("\nEach row is a knob: machine KNOB=VALUE changes one.\n\n");
	for (size_t i = 0; i < count; i++) {
		printf("  %-24s %s: ", knobs[i].name, knobs[i].meaning);
		for (const char *const *value = knobs[i].values; *value; value++)
			printf("%s%s", value == knobs[i].values ? "" : "|", *value);
		printf("\n");
	}
}

static void print_rows(void)
{
	size_t count;
	const struct pgtsim_profile *rows = pgtsim_profile_rows(&count);

	printf("\nThe stable release that each profile describes:\n\n");
	for (size_t i = 0; i < count; i++) {
		printf("  %-14s  %s: %s\n", rows[i].name, rows[i].release, rows[i].summary);
		if (!in_table(rows[i].name))
			printf("  %-14s  as %s, with %s\n", "", rows[i].base, rows[i].changes);
	}
}

static void print_weakness(enum pgtsim_weakness_name name)
{
	const struct pgtsim_weakness *weakness = &pgtsim_weaknesses()[name];

	printf("  %s (%s=%s), %s:\n    %s;\n    instead: %s\n   ", weakness->name, weakness->knob,
	       weakness->value, weakness->releases, weakness->text, weakness->remedy);
	for (const char *const *profile = pgtsim_profiles(); *profile; profile++) {
		struct pgtsim_policy policy;

		pgtsim_policy_init(&policy, *profile);
		if (pgtsim_policy_has_weakness(&policy, name))
			printf(" %s", *profile);
	}
	printf("\n");
}

static void print_weaknesses(void)
{
	printf("\nKnown weaknesses, the knob that chooses each, and the profiles that have it:\n\n");
	for (unsigned i = 0; i < PGTSIM_W_COUNT; i++)
		print_weakness((enum pgtsim_weakness_name)i);
}

static int command_profiles(int argc, char **argv)
{
	struct cli_words words;
	int status = cli_parse(&cli_profiles, argc, argv, NULL, &words);

	if (status != CLI_CONTINUE)
		return status;
	print_table();
	print_knobs();
	print_rows();
	print_weaknesses();
	return 0;
}

const struct cli_command cli_profiles = {
	.name = "profiles",
	.summary = "the kernels that can be modelled, and where they differ",
	.usage =
		"pgtsim profiles                  the kernels that can be modelled, and where they "
		"differ\n",
	.run = command_profiles,
};
