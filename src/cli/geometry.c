/* SPDX-License-Identifier: MIT */
/* The command geometry. */
#include "geometry.h"

#include <string.h>

#include <pgtsim/machine.h>

#include "scenario/scenario.h"

const char geometry_notes[] =
	"Numbers are decimal or 0x and hexadecimal, with a suffix K, M, G, T or P if wanted.\n";

/* What no machine could tell of: options of the other format, numbers that its fields do not hold. */
static const char *misplaced(const struct geometry_arguments *args, bool s390)
{
	bool has_edat = args->edat != GEOMETRY_NO_EDAT;

	if ((args->granule | args->va | args->va_actual | args->pa) > UINT32_MAX)
		return "a size is beyond 32 bits";
	if (s390 && (args->va_actual || args->pa))
		return "--va-actual and --pa are for arm64";
	if (s390 && has_edat && args->edat > UINT8_MAX)
		return "--edat takes 0, 1 or 2";
	return !s390 && has_edat ? "--edat is for s390" : NULL;
}

/* Says why there is no such geometry: else what a machine would say that had it. */
static int refuse(const struct geometry_arguments *args, const char *command, bool s390,
		  const struct pgtsim_printer *err)
{
	struct pgtsim_error error = { .text = "no kernel has such a geometry" };
	const char *wrong = misplaced(args, s390);
	struct pgtsim_machine_config config;
	struct pgtsim_machine *machine = NULL;

	if (s390)
		pgtsim_machine_config_s390(&config, pgtsim_profiles_of(PGTSIM_FORMAT_S390)[0]);
	else
		pgtsim_machine_config_init(&config, "latest");
	config.error = &error;
	config.granule = (uint32_t)args->granule;
	if (args->va)
		config.va_bits = (unsigned)args->va;
	config.va_actual = (unsigned)args->va_actual;
	config.pa_bits = (unsigned)args->pa;
	if (args->edat != GEOMETRY_NO_EDAT)
		config.edat = (uint8_t)args->edat;
	if (!wrong)
		pgtsim_machine_new(&machine, &config);
	pgtsim_machine_free(&machine);
	pgtsim_printf(err, "pgtsim %s: %s\n", command, wrong ? wrong : error.text);
	return 2;
}

static int build_s390(const struct geometry_arguments *args, const char *command,
		      struct pgtsim_geometry *geo, const struct pgtsim_printer *err)
{
	unsigned edat = args->edat == GEOMETRY_NO_EDAT ? 2 :
			args->edat > 2                 ? 3 :
							 (unsigned)args->edat;

	if (args->granule == 4096 && args->va <= 64 && !args->va_actual && !args->pa &&
	    !pgtsim_geometry_s390(geo, args->va ? (unsigned)args->va : 42, edat))
		return 0;
	return refuse(args, command, true, err);
}

static int build_arm64(const struct geometry_arguments *args, const char *command,
		       struct pgtsim_geometry *geo, const struct pgtsim_printer *err)
{
	unsigned va = args->va ? (unsigned)args->va : 48;

	if (args->granule > UINT32_MAX || args->va > 64 || args->va_actual > 64 || args->pa > 64 ||
	    args->edat != GEOMETRY_NO_EDAT ||
	    pgtsim_geometry_linux(geo, (uint32_t)args->granule, va, (unsigned)args->va_actual,
				  (unsigned)args->pa))
		return refuse(args, command, false, err);
	/* Since 6.12 Linux leaves PA[49:48] in bits 49:48, too, with 64K/52: that is no error. */
	geo->oa_keeps_49_48 = geo->oa == PGTSIM_OA_64K_52;
	return 0;
}

int geometry_build(const struct geometry_arguments *args, const char *command,
		   struct pgtsim_geometry *geo, const struct pgtsim_printer *err)
{
	if (args->format && !strcmp(args->format, "s390"))
		return build_s390(args, command, geo, err);
	if (!args->format || !strcmp(args->format, "arm64"))
		return build_arm64(args, command, geo, err);
	pgtsim_printf(err, "pgtsim %s: there is no format '%.40s'; use arm64 or s390\n", command,
		      args->format);
	return 2;
}

static void print_regimes(const struct pgtsim_printer *out)
{
	size_t count;
	const struct pgtsim_regime *regimes = pgtsim_regimes(&count);

	pgtsim_printf(out, "Linux has these, as granule/bits:");
	for (size_t i = 0; i < count; i++)
		pgtsim_printf(out, "%s%s", i ? ", " : " ", regimes[i].name);
	pgtsim_printf(out, ".\n");
}

int decode_geometry(int argc, char **argv, const struct pgtsim_printer *out,
		    const struct pgtsim_printer *err)
{
	struct geometry_arguments args = GEOMETRY_DEFAULTS;
	struct pgtsim_geometry geo;
	struct cli_words words;
	uint64_t va;
	int status = cli_parse_to(&cli_geometry, argc, argv, &args, &words, out, err);

	if (status == 0)
		print_regimes(out);
	if (status != CLI_CONTINUE)
		return status;
	if (geometry_build(&args, "geometry", &geo, err))
		return 2;
	va = pgtsim_va_start(&geo);
	if (words.count && !scenario_number(words.word[0], &va)) {
		pgtsim_printf(err, "pgtsim geometry: '%s' %s\n", words.word[0],
			      scenario_number_fault(words.word[0]));
		return 2;
	}
	pgtsim_dump_geometry(&geo, va, out);
	return 0;
}

static int command_geometry(int argc, char **argv)
{
	return decode_geometry(argc, argv, cli_out, cli_err);
}

static const struct cli_option options[] = {
	GEOMETRY_OPTIONS,
	{ .name = NULL },
};

const struct cli_command cli_geometry = {
	.name = "geometry",
	.summary = "how a virtual address splits into indices",
	.usage = "pgtsim geometry [VA] [OPTION...]\n"
		 "\n"
		 "Prints the levels of a geometry and how a virtual address splits into\n"
		 "indices (default: the first address of the region).\n",
	.options = options,
	.notes = geometry_notes,
	.most = 1,
	.run = command_geometry,
};
