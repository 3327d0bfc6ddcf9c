/* SPDX-License-Identifier: MIT */
#include "decode.h"

#include <stdio.h>
#include <string.h>

#include "scenario.h"

/* What both commands may be given; the geometry's sizes are 0 where the default is wanted. */
struct arguments {
	const char *command;
	const char *value; /* the descriptor or the address; NULL: none */
	const char *level; /* NULL: none */
	uint64_t granule, va, va_actual, pa;
	bool help;
};

static const char geometry_options[] =
	"  --granule=SIZE     page size: 4K, 16K or 64K (default: 4K)\n"
	"  --va=BITS          bits of a virtual address, CONFIG_ARM64_VA_BITS (default: 48)\n"
	"  --va-actual=BITS   what the CPU runs of them, if it lacks 52 bits: 48, or 47 with 16K\n"
	"  --pa=BITS          bits of a physical address: 48 or 52 (default: 52 if --va=52,\n"
	"                     else 48)\n";

static const char number_help[] =
	"\nNumbers are decimal or 0x and hexadecimal, with a suffix K, M, G, T or P if wanted.\n";

static int complain(const struct arguments *args, const struct pgtsim_printer *err,
		    const char *message, const char *what)
{
	pgtsim_printf(err, "pgtsim %s: %s%s%s%s\n", args->command, message, what ? " '" : "",
		      what ? what : "", what ? "'" : "");
	return 2;
}

/* What follows `name` in the argument, or NULL if it is another one. */
static const char *value_of(const char *argument, const char *name)
{
	size_t length = strlen(name);

	return strncmp(argument, name, length) ? NULL : argument + length;
}

/* Where this option's number goes, its text in *value; NULL if there is no such option. */
static uint64_t *number_option(struct arguments *args, const char *argument, const char **value)
{
	const struct {
		const char *name;
		uint64_t *number;
	} options[] = {
		{ "--granule=", &args->granule },
		{ "--va=", &args->va },
		{ "--va-actual=", &args->va_actual },
		{ "--pa=", &args->pa },
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		*value = value_of(argument, options[i].name);
		if (*value)
			return options[i].number;
	}
	return NULL;
}

static int take_option(struct arguments *args, const char *argument, bool has_level,
		       const struct pgtsim_printer *err)
{
	const char *value = has_level ? value_of(argument, "--level=") : NULL;
	uint64_t *number;

	if (!strcmp(argument, "--help")) {
		args->help = true;
		return 0;
	}
	if (value) {
		args->level = value;
		return 0;
	}
	number = number_option(args, argument, &value);
	if (!number)
		return complain(args, err, "unknown option", argument);
	/* 0 stands for the default here, and is no size that anybody can ask for. */
	if (!scenario_number(value, number) || !*number)
		return complain(args, err, "not a size:", argument);
	return 0;
}

/* Reads the arguments; has_level: --level is one of them. Returns 0 or 2. */
static int parse_arguments(struct arguments *args, int argc, char **argv, bool has_level,
			   const struct pgtsim_printer *err)
{
	*args = (struct arguments){ .command = argv[0], .granule = 4096, .va = 48 };
	for (int i = 1; i < argc; i++) {
		if (value_of(argv[i], "--")) {
			if (take_option(args, argv[i], has_level, err))
				return 2;
		} else if (args->value) {
			return complain(args, err, "one argument too many:", argv[i]);
		} else {
			args->value = argv[i];
		}
	}
	return 0;
}

static int build_geometry(const struct arguments *args, struct pgtsim_geometry *geo,
			  const struct pgtsim_printer *err)
{
	if (args->granule > UINT32_MAX || args->va > 64 || args->va_actual > 64 || args->pa > 64 ||
	    pgtsim_geometry_linux(geo, (uint32_t)args->granule, (unsigned)args->va,
				  (unsigned)args->va_actual, (unsigned)args->pa))
		return complain(args, err, "Linux has no such geometry; see --help", NULL);
	/* As the newest kernel does it: what is there is named, what is not is not missed. */
	geo->oa_keeps_49_48 = geo->oa == PGTSIM_OA_64K_52;
	return 0;
}

static int descriptor_help(const struct pgtsim_printer *out)
{
	pgtsim_printf(out, "usage: pgtsim decode DESCRIPTOR [OPTION...]\n\n"
			   "Prints what each bit of a stage-1 descriptor means.\n\n"
			   "  --level=LEVEL      pgd, p4d, pud, pmd or pte (default: pte)\n");
	out->print(out->ctx, geometry_options);
	out->print(out->ctx, number_help);
	return 0;
}

int decode_descriptor(int argc, char **argv, const struct pgtsim_printer *out,
		      const struct pgtsim_printer *err)
{
	struct arguments args;
	struct pgtsim_geometry geo;
	uint64_t desc;
	int level = PGTSIM_PTE;

	if (parse_arguments(&args, argc, argv, true, err))
		return 2;
	if (args.help)
		return descriptor_help(out);
	if (!args.value)
		return complain(&args, err, "a descriptor is needed; see --help", NULL);
	if (!scenario_number(args.value, &desc))
		return complain(&args, err, "not a number:", args.value);
	if (build_geometry(&args, &geo, err))
		return 2;
	if (args.level && pgtsim_level_of_name(&geo, args.level, &level))
		return complain(&args, err, "this geometry has no level", args.level);
	pgtsim_dump_desc(&geo, level, desc, out);
	return 0;
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

static int geometry_help(const struct pgtsim_printer *out)
{
	pgtsim_printf(out, "usage: pgtsim geometry [VA] [OPTION...]\n\n"
			   "Prints the levels of a geometry and how a virtual address splits into\n"
			   "indices (default: the first address of the region).\n\n");
	out->print(out->ctx, geometry_options);
	out->print(out->ctx, number_help);
	print_regimes(out);
	return 0;
}

int decode_geometry(int argc, char **argv, const struct pgtsim_printer *out,
		    const struct pgtsim_printer *err)
{
	struct arguments args;
	struct pgtsim_geometry geo;
	uint64_t va;

	if (parse_arguments(&args, argc, argv, false, err))
		return 2;
	if (args.help)
		return geometry_help(out);
	if (build_geometry(&args, &geo, err))
		return 2;
	va = pgtsim_va_start(&geo);
	if (args.value && !scenario_number(args.value, &va))
		return complain(&args, err, "not a number:", args.value);
	pgtsim_dump_geometry(&geo, va, out);
	return 0;
}

static void print_to_file(void *ctx, const char *text)
{
	fputs(text, ctx);
}

/* Runs one of the two with the standard streams. */
static int with_stdio(int (*run)(int argc, char **argv, const struct pgtsim_printer *out,
				 const struct pgtsim_printer *err),
		      int argc, char **argv)
{
	const struct pgtsim_printer out = { print_to_file, stdout };
	const struct pgtsim_printer err = { print_to_file, stderr };

	return run(argc, argv, &out, &err);
}

int command_decode(int argc, char **argv)
{
	return with_stdio(decode_descriptor, argc, argv);
}

int command_geometry(int argc, char **argv)
{
	return with_stdio(decode_geometry, argc, argv);
}
