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

#endif
