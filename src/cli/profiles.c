/* SPDX-License-Identifier: MIT */
/* The command profiles. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <pgtsim/format.h>
#include <pgtsim/policy.h>

#include "options.h"

/* The rows of stable releases between two others are listed below the table, not in it. */
static bool in_table(const char *name)
{
	const char *dot = strchr(name, '.');

	return !dot || !strchr(dot + 1, '.');
}

static void print_table(enum pgtsim_format format)
{
	const char *const *names = pgtsim_profiles_of(format);
	size_t count;
	const struct pgtsim_knob *knobs = pgtsim_knobs(&count);

	printf("%-26s", "");
	for (size_t p = 0; names[p]; p++)
		if (in_table(names[p]))
			printf(" %-*s", names[p + 1] ? 16 : 0, names[p]);
	printf("\n");
	for (size_t i = 0; i < count; i++) {
		if (!(knobs[i].formats & 1u << format))
			continue;
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

static void print_knobs(enum pgtsim_format format)
{
	size_t count;
	const struct pgtsim_knob *knobs = pgtsim_knobs(&count);

	printf("\nEach row is a knob: machine KNOB=VALUE changes one.\n\n");
	for (size_t i = 0; i < count; i++) {
		if (!(knobs[i].formats & 1u << format))
			continue;
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

struct profiles_arguments {
	enum pgtsim_format format;
};

static int take_format(void *arguments, const char *value)
{
	struct profiles_arguments *a = arguments;

	for (unsigned i = 0; i < PGTSIM_FORMAT_COUNT; i++) {
		a->format = (enum pgtsim_format)i;
		if (!strcmp(value, pgtsim_format_name(a->format)))
			return 0;
	}
	fprintf(stderr, "pgtsim profiles: there is no format '%s'; use arm64 or s390\n", value);
	return -EINVAL;
}

static const struct cli_option profiles_options[] = {
	{ .name = "format",
	  .value = "NAME",
	  .kind = CLI_TAKE,
	  .take = take_format,
	  .meaning = "whose kernels: arm64 or s390 (default: arm64)" },
	{ .name = NULL },
};

static int command_profiles(int argc, char **argv)
{
	struct profiles_arguments a = { PGTSIM_FORMAT_ARM64 };
	struct cli_words words;
	int status = cli_parse(&cli_profiles, argc, argv, &a, &words);

	if (status != CLI_CONTINUE)
		return status;
	print_table(a.format);
	print_knobs(a.format);
	if (a.format != PGTSIM_FORMAT_ARM64)
		return 0;
	print_rows();
	print_weaknesses();
	printf("\nThe profiles of s390: pgtsim profiles --format=s390\n");
	return 0;
}

const struct cli_command cli_profiles = {
	.name = "profiles",
	.summary = "the kernels that can be modelled, and where they differ",
	.usage =
		"pgtsim profiles                  the kernels that can be modelled, and where they "
		"differ\n",
	.options = profiles_options,
	.run = command_profiles,
};
