/* SPDX-License-Identifier: MIT */
#include <stddef.h>
#include <stdint.h>

/* Includes the source, because only inside it the kind of fault is known. */
#include "scenario/values.c"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct {
	const char *word;
	uint64_t number;
} number_rows[] = {
	{ "0", 0 },
	{ "007", 7 },
	{ "0x0", 0 },
	{ "0xaBcDeF", 0xabcdef },
	{ "4K", 4096 },
	{ "0x10K", 16384 },
	{ "3M", UINT64_C(3) << 20 },
	{ "1G", UINT64_C(1) << 30 },
	{ "2T", UINT64_C(2) << 40 },
	{ "16383P", UINT64_C(16383) << 50 },
	{ "18446744073709551615", UINT64_MAX },
	{ "0xffffffffffffffff", UINT64_MAX },
	{ "0x000000000000000000000001", 1 },
	{ "18014398509481983K", UINT64_MAX - 1023 },
};

/* Every way to write a number, and the largest ones. */
static void numbers_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(number_rows); i++) {
		uint64_t number = 1;

		assert_int_equal(NUMBER_FINE, read_number(number_rows[i].word, &number));
		assert_int_equal(number_rows[i].number, number);
	}
}

static const struct {
	const char *word;
	enum number_fault fault;
} bad_number_rows[] = {
	{ "", NUMBER_EMPTY },
	{ "0x", NUMBER_EMPTY },
	{ "-1", NUMBER_NEGATIVE },
	{ "-0x1", NUMBER_NEGATIVE },
	{ "+1", NUMBER_JUNK },
	{ "K", NUMBER_JUNK },
	{ "0xK", NUMBER_JUNK },
	{ "0X10", NUMBER_JUNK },
	{ "1.5G", NUMBER_JUNK },
	{ "4KB", NUMBER_JUNK },
	{ "4KK", NUMBER_JUNK },
	{ "1E", NUMBER_JUNK },
	{ "1_000", NUMBER_JUNK },
	{ "ff", NUMBER_JUNK },
	{ "99999999999999999999x", NUMBER_JUNK },
	{ "4k", NUMBER_LOWER_CASE },
	{ "0x10g", NUMBER_LOWER_CASE },
	{ "18446744073709551616", NUMBER_TOO_BIG },
	{ "0x10000000000000000", NUMBER_TOO_BIG },
	{ "16384P", NUMBER_TOO_BIG },
	{ "18014398509481984K", NUMBER_TOO_BIG },
	{ "18446744073709551616K", NUMBER_TOO_BIG },
};

/* Words that are no numbers are refused for the right reason. */
static void bad_numbers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad_number_rows); i++) {
		uint64_t number;

		if (read_number(bad_number_rows[i].word, &number) != bad_number_rows[i].fault)
			fail_msg("'%s'", bad_number_rows[i].word);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_read),
		cmocka_unit_test(bad_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
