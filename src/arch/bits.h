/* SPDX-License-Identifier: MIT */
/* bits: ranges [lo, hi) of a bitmap of 64-bit words. */
#ifndef PGTSIM_BITS_H
#define PGTSIM_BITS_H

#include <stdbool.h>
#include <stdint.h>

static inline unsigned pgtsim_lowest_bit(uint64_t word)
{
	return (unsigned)__builtin_ctzll(word);
}

/* The bits of word `w` that lie in [lo, hi). */
static inline uint64_t pgtsim_bits_word(unsigned w, unsigned lo, unsigned hi)
{
	unsigned from = lo > w * 64 ? lo - w * 64 : 0;
	unsigned to = hi < w * 64 + 64 ? hi - w * 64 : 64;

	if (lo >= w * 64 + 64 || hi <= w * 64 || from >= to)
		return 0;
	return ~UINT64_C(0) >> (64 - (to - from)) << from;
}

static inline void pgtsim_bits_set(uint64_t *bits, unsigned lo, unsigned hi)
{
	uint64_t from = ~UINT64_C(0) << lo % 64;

	for (unsigned w = lo / 64; w * 64 < hi; w++, from = ~UINT64_C(0))
		bits[w] |= hi - w * 64 < 64 ? from & ~(~UINT64_C(0) << hi % 64) : from;
}

static inline void pgtsim_bit_set(uint64_t *bits, unsigned i)
{
	bits[i / 64] |= UINT64_C(1) << i % 64;
}

static inline void pgtsim_bits_clear(uint64_t *bits, unsigned lo, unsigned hi)
{
	for (unsigned w = lo / 64; w * 64 < hi; w++)
		bits[w] &= ~pgtsim_bits_word(w, lo, hi);
}

static inline bool pgtsim_bits_any(const uint64_t *bits, unsigned lo, unsigned hi)
{
	for (unsigned w = lo / 64; w * 64 < hi; w++)
		if (bits[w] & pgtsim_bits_word(w, lo, hi))
			return true;
	return false;
}

static inline void pgtsim_bit_clear(uint64_t *bits, unsigned i)
{
	bits[i / 64] &= ~(UINT64_C(1) << i % 64);
}

/* The first bit that is set in [lo, hi), or hi. The bitmap must have a word for hi. */
static inline unsigned pgtsim_bits_first(const uint64_t *bits, unsigned lo, unsigned hi)
{
	uint64_t word = bits[lo / 64] >> lo % 64;

	if (word)
		return lo + pgtsim_lowest_bit(word);
	for (unsigned w = lo / 64 + 1; w * 64 < hi; w++)
		if (bits[w])
			return w * 64 + pgtsim_lowest_bit(bits[w]);
	return hi;
}

static inline bool pgtsim_bit(const uint64_t *bits, unsigned i)
{
	return bits[i / 64] >> i % 64 & 1;
}

#endif
