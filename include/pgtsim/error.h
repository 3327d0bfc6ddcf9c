/* SPDX-License-Identifier: MIT */
/*
 * error: why something failed, in words. Functions return a negative errno; the reason is kept
 * beside it, in a struct pgtsim_error of the caller's or of the machine: pgtsim_machine_reason().
 */
#ifndef PGTSIM_ERROR_H
#define PGTSIM_ERROR_H

#include <pgtsim/api.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pgtsim_error {
	int code;       /* the negative errno that was returned; 0: nothing has failed */
	char text[252]; /* one sentence with the numbers, without a period */
};

/* What a negative errno of this library means, where no more is known. Never NULL. */
PGTSIM_API const char *pgtsim_error_meaning(int code);

#ifdef __cplusplus
}
#endif

#endif
