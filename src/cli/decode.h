/* SPDX-License-Identifier: MIT */
/*
 * decode: the commands `pgtsim decode` and `pgtsim geometry`: what the bits of a descriptor mean,
 * and how a virtual address splits. No machine is needed for either.
 */
#ifndef PGTSIM_CLI_DECODE_H
#define PGTSIM_CLI_DECODE_H

#include <pgtsim/dump.h>

/*
 * The commands: argv[0] is the command's own name. They print to standard output, errors to
 * standard error, and return the exit status: 0, or 2 for a wrong argument.
 */
int command_decode(int argc, char **argv);
int command_geometry(int argc, char **argv);

/* The same, with printers for the two outputs. */
int decode_descriptor(int argc, char **argv, const struct pgtsim_printer *out,
		      const struct pgtsim_printer *err);
int decode_geometry(int argc, char **argv, const struct pgtsim_printer *out,
		    const struct pgtsim_printer *err);

#endif
