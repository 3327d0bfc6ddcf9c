/* SPDX-License-Identifier: MIT */
/*
 * What every public header needs: the export mark and the version.
 */
#ifndef PGTSIM_API_H
#define PGTSIM_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PGTSIM_VERSION "0.1.0"

#ifndef PGTSIM_API
#ifdef __GNUC__
#define PGTSIM_API __attribute__((visibility("default")))
#else
#define PGTSIM_API
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the library that the program runs with: compare it with PGTSIM_VERSION. */
PGTSIM_API const char *pgtsim_version(void);

#ifdef __cplusplus
}
#endif

#endif
