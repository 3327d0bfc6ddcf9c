/* SPDX-License-Identifier: MIT */
/*
 * variant: a scenario on another machine than the one it describes, for the commands that compare.
 */
#ifndef PGTSIM_CLI_VARIANT_H
#define PGTSIM_CLI_VARIANT_H

#include <stddef.h>

/*
 * Copies the text of a scenario with the keys of its command `machine` replaced by those of
 * `changes`, "KEY=VALUE,...". Nothing is checked: parsing the copy says what is wrong with it. A
 * text without a command stays as it is. Returns 0 or -ENOMEM; *out is the caller's to free.
 */
int variant_of(const char *text, size_t length, const char *changes, char **out,
	       size_t *out_length);

/* The value of a key in changes, not ended by a NUL, or NULL if it is not among them. */
const char *variant_change(const char *changes, const char *key);

#endif
