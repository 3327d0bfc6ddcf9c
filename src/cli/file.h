/* SPDX-License-Identifier: MIT */
/*
 * file: whole files in memory, for the command; the scenario library reads none.
 */
#ifndef PGTSIM_CLI_FILE_H
#define PGTSIM_CLI_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/*
 * Reads a file, "-" being standard input, into memory that the caller frees. It is followed by a
 * NUL that *length does not count. Returns 0 or a negative errno: -EFBIG from 256 MiB on.
 */
int file_read(const char *path, char **text, size_t *length);

/*
 * Like the function above, for a file that is named in the file `path`: its name is relative to
 * that file's directory. A `read_file` function for struct run_options; path is its ctx. Returns
 * -ENODEV for a pipe or a device, which could keep the command waiting or reading for ever.
 */
int file_read_beside(void *path, const char *name, char **text, size_t *length);

/* Flushes an output file. Returns 0, or the errno (positive) of this or any earlier write. */
int file_flush(FILE *file);

/* Whether two names are of one file: a regular one, or one that is not there yet. */
bool file_is(const char *path, const char *other);

/* Says on standard error what is wrong with a file; returns the exit status for it. */
int file_complain(const char *path, int error);

/* The same, for a file that was to be written. */
int file_complain_of_output(const char *path, int error);

#endif
