/* SPDX-License-Identifier: MIT */
/* error: writes down why something failed. */
#ifndef PGTSIM_ARCH_ERROR_H
#define PGTSIM_ARCH_ERROR_H

#include <stdarg.h>

#include <pgtsim/error.h>

#ifdef __GNUC__
#define PGTSIM_PRINTF(at, first) __attribute__((format(printf, at, first)))
#else
#define PGTSIM_PRINTF(at, first)
#endif

/* Bytes as people and scenarios write them: "128M"; 1000 is "1000". */
struct pgtsim_amount {
	char text[24];
};

struct pgtsim_amount pgtsim_amount(uint64_t bytes);

/* Sets *error, if it is not NULL. Returns `code`, a negative errno, to be returned. */
PGTSIM_PRINTF(3, 4)
int pgtsim_error_set(struct pgtsim_error *error, int code, const char *format, ...);

PGTSIM_PRINTF(3, 0)
int pgtsim_error_set_list(struct pgtsim_error *error, int code, const char *format, va_list args);

#endif
