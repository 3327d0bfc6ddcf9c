/* SPDX-License-Identifier: MIT */
/*
 * geometry: the options that choose a geometry, for the commands decode and geometry. Neither needs
 * a machine.
 */
#ifndef PGTSIM_CLI_GEOMETRY_H
#define PGTSIM_CLI_GEOMETRY_H

#include <pgtsim/dump.h>

#include "options.h"

/* What both commands may be given; 0 is the default. */
struct geometry_arguments {
	const char *level;  /* NULL: none */
	const char *format; /* NULL: arm64 */
	uint64_t granule, va, va_actual, pa;
	uint64_t edat; /* GEOMETRY_NO_EDAT: not given */
};

#define GEOMETRY_NO_EDAT UINT64_MAX
#define GEOMETRY_DEFAULTS { .granule = 4096, .edat = GEOMETRY_NO_EDAT }

/* Rows of a table of options. */
#define GEOMETRY_OPTION(title, shown, field, text)                                    \
	{                                                                             \
		.name = title, .value = shown, .kind = CLI_SIZE,                      \
		.offset = offsetof(struct geometry_arguments, field), .meaning = text \
	}
/* clang-format off */
#define GEOMETRY_OPTIONS                                                                           \
	{ .name = "format", .value = "NAME", .kind = CLI_WORD,                                     \
	  .offset = offsetof(struct geometry_arguments, format),                                   \
	  .meaning = "whose tables: arm64 or s390 (default: arm64)" },                             \
	{ .name = "edat", .value = "N", .kind = CLI_NUMBER,                                        \
	  .offset = offsetof(struct geometry_arguments, edat),                                     \
	  .meaning = "s390: 0 pages alone, 1 segments of 1M, too, 2 also 2G (default: 2)" },       \
	GEOMETRY_OPTION("granule", "SIZE", granule, "page size: 4K, 16K or 64K (default: 4K)"),    \
	GEOMETRY_OPTION("va", "BITS", va,                                                          \
			"bits of a virtual address, CONFIG_ARM64_VA_BITS (default: 48);\n"         \
			"s390: 42 or 53 (default: 42)"),                                           \
	GEOMETRY_OPTION("va-actual", "BITS", va_actual,                                            \
			"what the CPU runs of them, if it lacks 52 bits: 48, or 47 with 16K"),     \
	GEOMETRY_OPTION("pa", "BITS", pa,                                                          \
			"bits of a physical address: 48 or 52 (default: 52 if\n--va=52, else 48)")
/* clang-format on */

extern const char geometry_notes[]; /* how numbers are written */

/* Returns 0; 2, after saying on `err` what is wrong. */
int geometry_build(const struct geometry_arguments *args, const char *command,
		   struct pgtsim_geometry *geo, const struct pgtsim_printer *err);

/* The commands with printers for the two outputs, for tests. argv[0] is the command's name. */
int decode_descriptor(int argc, char **argv, const struct pgtsim_printer *out,
		      const struct pgtsim_printer *err);
int decode_geometry(int argc, char **argv, const struct pgtsim_printer *out,
		    const struct pgtsim_printer *err);

/*
 * `decode tlbi OPERATION [OPERAND]`: explains what an invalidate covers. `words` are those behind
 * "tlbi". Returns 0, or 2 after saying on `err` what is wrong.
 */
int decode_tlbi(const struct cli_words *words, const struct pgtsim_geometry *geo,
		const struct pgtsim_printer *out, const struct pgtsim_printer *err);

#endif
