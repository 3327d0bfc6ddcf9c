/* SPDX-License-Identifier: MIT */
/* words: how sizes, bit ranges and memory types are written. */
#ifndef PGTSIM_WORDS_H
#define PGTSIM_WORDS_H

#include <pgtsim/policy.h>

/* A size, or a bit range, as text. */
struct pgtsim_word {
	char text[24];
};

/* 2^shift bytes: "4K", "2M", "128T". */
struct pgtsim_word pgtsim_size_word(unsigned shift);

/* "47:39", or "10" for a single bit. */
struct pgtsim_word pgtsim_bits_word(unsigned low, unsigned width);

/* How the scopes of an invalidate, PGTSIM_SCOPE_…, are written in a trace. */
enum { PGTSIM_SCOPE_NAMES = 4 };
extern const char *const pgtsim_scope_names[PGTSIM_SCOPE_NAMES];

/* The memory type of a leaf, in the order of the profile's kernel; NULL if it has none. */
const char *pgtsim_memory_type(const struct pgtsim_policy *policy, uint64_t desc);

#endif
