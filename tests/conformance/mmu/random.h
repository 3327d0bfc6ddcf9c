/* SPDX-License-Identifier: MIT */
/* A sequence that a seed makes repeatable: SplitMix64. */
#ifndef RANDOM_H
#define RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct random {
	uint64_t state;
};

static inline uint64_t random_bits(struct random *r)
{
	uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* 0 to n - 1. */
static inline uint64_t random_below(struct random *r, uint64_t n)
{
	return random_bits(r) % n;
}

/* True once in n times. */
static inline bool random_once_in(struct random *r, unsigned n)
{
	return random_below(r, n) == 0;
}

#endif
