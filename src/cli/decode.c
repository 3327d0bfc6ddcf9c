/* SPDX-License-Identifier: MIT */
/* The command decode. */
#include <stdio.h>
#include <string.h>

#include <pgtsim/format.h>

#include "geometry.h"
#include "scenario/scenario.h"

static int complain(const struct pgtsim_printer *err, const char *message, const char *word)
{
	pgtsim_printf(err, "pgtsim decode: %s '%s'\n", message, word);
	return 2;
}

static int not_a_number(const struct pgtsim_printer *err, const char *word)
{
	pgtsim_printf(err, "pgtsim decode: '%s' %s\n", word, scenario_number_fault(word));
	return 2;
}

static int decode_words(const struct cli_words *words, const char *level_name,
			const struct pgtsim_geometry *geo, const struct pgtsim_printer *out,
			const struct pgtsim_printer *err)
{
	int level = PGTSIM_PTE;
	uint64_t desc;

	if (words->count > 1)
		return complain(err, "one argument too many:", words->word[1]);
	if (!scenario_number(words->word[0], &desc))
		return not_a_number(err, words->word[0]);
	if (level_name && pgtsim_level_of_name(geo, level_name, &level))
		return complain(err, "this geometry has no level", level_name);
	pgtsim_dump_desc(geo, level, pgtsim_desc_from_raw(geo, level, desc), out);
	return 0;
}

int decode_descriptor(int argc, char **argv, const struct pgtsim_printer *out,
		      const struct pgtsim_printer *err)
{
	struct geometry_arguments args = GEOMETRY_DEFAULTS;
	struct pgtsim_geometry geo;
	struct cli_words words;
	int status = cli_parse_to(&cli_decode, argc, argv, &args, &words, out, err);

	if (status != CLI_CONTINUE)
		return status;
	if (geometry_build(&args, "decode", &geo, err))
		return 2;
	if (!strcmp(words.word[0], "tlbi") && geo.format != PGTSIM_FORMAT_ARM64)
		return complain(err, "no operand of arm64's", words.word[0]);
	if (!strcmp(words.word[0], "tlbi")) {
		words.word++;
		words.count--;
		return decode_tlbi(&words, &geo, out, err);
	}
	return decode_words(&words, args.level, &geo, out, err);
}

static int command_decode(int argc, char **argv)
{
	return decode_descriptor(argc, argv, cli_out, cli_err);
}

static const struct cli_option options[] = {
	{ .name = "level",
	  .value = "LEVEL",
	  .kind = CLI_WORD,
	  .offset = offsetof(struct geometry_arguments, level),
	  .meaning = "pgd, p4d, pud, pmd or pte (default: pte)" },
	GEOMETRY_OPTIONS,
	{ .name = NULL },
};

const struct cli_command cli_decode = {
	.name = "decode",
	.summary = "what each bit of a descriptor or of a TLBI operand means",
	.usage =
		"pgtsim decode DESCRIPTOR [OPTION...]         what each bit of a stage-1 descriptor means\n"
		"pgtsim decode tlbi OPERATION [OPERAND]       what an invalidate covers: vaale1is,\n"
		"                                             rvaale1is, vmalle1 ...\n",
	.options = options,
	.notes = geometry_notes,
	.wanted = "which descriptor?",
	.least = 1,
	.most = 3,
	.run = command_decode,
};
