/* SPDX-License-Identifier: MIT */
/* bits: ranges of a bitmap against an array of booleans. */
#include "fixture.h"

#include "arch/bits.h"

enum { BITS = 150, WORDS = 3 };

static bool expected(const bool *bits, unsigned lo, unsigned hi)
{
	for (unsigned i = lo; i < hi; i++)
		if (bits[i])
			return true;
	return false;
}

static void compare(const uint64_t *words, const bool *bits)
{
	for (unsigned i = 0; i < WORDS * 64; i++)
		assert_int_equal(pgtsim_bit(words, i), i < BITS && bits[i]);
}

/* Setting and clearing any range changes these bits and no others. */
static void ranges_are_exact(void **state)
{
	(void)state;
	for (unsigned lo = 0; lo <= BITS; lo++) {
		for (unsigned hi = lo; hi <= BITS; hi++) {
			uint64_t words[WORDS] = { 0 };
			bool bits[BITS] = { false };

			for (unsigned i = lo; i < hi; i++)
				bits[i] = true;
			pgtsim_bits_set(words, lo, hi);
			compare(words, bits);
			memset(words, 0xff, sizeof(words));
			pgtsim_bits_clear(words, lo, hi);
			for (unsigned i = 0; i < WORDS; i++)
				words[i] = ~words[i];
			compare(words, bits);
		}
	}
}

/* A range has a bit if one lies in it, not beside it. */
static void any_looks_at_its_range(void **state)
{
	uint32_t seed = 5;

	(void)state;
	for (unsigned round = 0; round < 50; round++) {
		uint64_t words[WORDS] = { 0 };
		bool bits[BITS] = { false };

		for (unsigned n = 0; n < 3; n++) {
			unsigned i = random_next(&seed) % BITS;

			bits[i] = true;
			pgtsim_bits_set(words, i, i + 1);
		}
		for (unsigned lo = 0; lo <= BITS; lo++)
			for (unsigned hi = lo; hi <= BITS; hi++)
				assert_int_equal(pgtsim_bits_any(words, lo, hi),
						 expected(bits, lo, hi));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_are_exact),
		cmocka_unit_test(any_looks_at_its_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
