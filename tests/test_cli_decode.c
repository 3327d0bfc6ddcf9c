/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The command's own file: it belongs to no library. */
#include "decode.c"

enum { MAX_ARGUMENTS = 8 };

/* What one command printed, and how it ended. */
struct result {
	char out[4096], err[1024];
	int status;
};

static void add(void *ctx, const char *text)
{
	char *to = ctx;

	strcat(to, text);
}

/* Runs `pgtsim LINE`, split at the blanks. */
static struct result run(const char *line)
{
	struct result result = { .status = -1 };
	const struct pgtsim_printer out = { add, result.out }, err = { add, result.err };
	char copy[256], *argv[MAX_ARGUMENTS + 1] = { NULL };
	int argc = 0;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
		assert_true(argc < MAX_ARGUMENTS);
		argv[argc++] = word;
	}
	if (!strcmp(argv[0], "decode"))
		result.status = decode_descriptor(argc, argv, &out, &err);
	else
		result.status = decode_geometry(argc, argv, &out, &err);
	return result;
}

/* The command succeeds and prints this somewhere. */
static void prints(const char *line, const char *part)
{
	const struct result result = run(line);

	assert_string_equal(result.err, "");
	assert_int_equal(result.status, 0);
	if (!strstr(result.out, part))
		fail_msg("no '%s' in:\n%s", part, result.out);
}

static void fails(const char *line, const char *error)
{
	const struct result result = run(line);

	assert_string_equal(result.err, error);
	assert_string_equal(result.out, "");
	assert_int_equal(result.status, 2);
}

/* A descriptor is a pte of 4K/48 unless the options say otherwise. */
static void a_descriptor(void **state)
{
	(void)state;
	prints("decode 0x00e8000080000707", "0x00e8000080000707 at level 3 (pte): page\n"
					    "0            valid     0x1   valid\n"
					    "1            type      0x1   page\n"
					    "47:12        PA        0x80000000, 4K of it\n");
	prints("decode --level=pmd 0x1800000041ee9003", "level 2 (pmd): table\n");
	prints("decode 0x1800000041ee9003 --level=pgd", "level 0 (pgd): table\n");
	prints("decode 1 --level=pgd --va=39", "level 1 (pgd): block\n");
	prints("decode 1 --level=pgd --va=52 --va-actual=48", "level 0 (pgd): block\n");
	prints("decode 1 --level=p4d --va=52", "0x0, 512G of it\n");
	prints("decode 0x20005403 --granule=64K --pa=52", "0x5000020000000, 64K of it\n");
	prints("decode 0", "level 3 (pte): none\n");
}

/* What Linux leaves in bits 49:48 is no error of the descriptor. */
static void a_descriptor_of_64k_with_52_bits(void **state)
{
	(void)state;
	prints("decode 0x00e9000020005707 --granule=64K --va=52", "copy of PA[49:48]");
	prints("decode 0x00e8000020005707 --granule=64K --va=52", "0x5000020000000");
}

/* Decimal, hexadecimal, and what a suffix multiplies with. */
static void numbers(void **state)
{
	(void)state;
	prints("decode 18446744073709551615", "0xffffffffffffffff at");
	prints("decode 0xffFFffffffffffff", "0xffffffffffffffff at");
	prints("decode 16383P", "0xfffc000000000000 at");
	prints("decode 0x10T", "0x0000100000000000 at");
	prints("decode 3G", "0x00000000c0000000 at");
	prints("decode 1M", "0x0000000000100000 at");
	prints("geometry --granule=0x4000 --va=47", "granule 16K");
	fails("decode 18446744073709551616",
	      "pgtsim decode: not a number: '18446744073709551616'\n");
	fails("decode 0x10000000000000000", "pgtsim decode: not a number: '0x10000000000000000'\n");
	fails("decode 16384P", "pgtsim decode: not a number: '16384P'\n");
	fails("decode 0x", "pgtsim decode: not a number: '0x'\n");
	fails("decode K", "pgtsim decode: not a number: 'K'\n");
	fails("decode 1KK", "pgtsim decode: not a number: '1KK'\n");
	fails("decode 1k", "pgtsim decode: not a number: '1k'\n");
	fails("decode -1", "pgtsim decode: not a number: '-1'\n");
	fails("geometry +1", "pgtsim geometry: not a number: '+1'\n");
	fails("geometry 12a", "pgtsim geometry: not a number: '12a'\n");
}

static void a_geometry(void **state)
{
	(void)state;
	prints("geometry", "granule 4K, 4 levels, VA of 48 bits, PA of 48 bits\n");
	prints("geometry", "\n0xffff000000000000:\n");
	prints("geometry 0xffff800080201234",
	       "| 0xffff | 256   | 2     | 1     | 1     | 0x234  |");
	prints("geometry 4K", "\n0x0000000000001000, outside the region:\n");
	prints("geometry --granule=16K --va=52 --va-actual=47", "VA of 47 bits (a kernel of 52)");
	prints("geometry --va=52", "(LPA2: PA[51:50] in bits 9:8 of a descriptor)\n");
}

static void wrong_arguments(void **state)
{
	(void)state;
	fails("decode", "pgtsim decode: a descriptor is needed; see --help\n");
	fails("decode 1 2", "pgtsim decode: one argument too many: '2'\n");
	fails("decode 1 --nothing", "pgtsim decode: unknown option '--nothing'\n");
	fails("decode 1 --granule", "pgtsim decode: unknown option '--granule'\n");
	fails("decode 1 --granule=", "pgtsim decode: not a size: '--granule='\n");
	fails("decode 1 --pa=0", "pgtsim decode: not a size: '--pa=0'\n");
	fails("decode 1 --va=49", "pgtsim decode: Linux has no such geometry; see --help\n");
	fails("decode 1 --va=4294967344",
	      "pgtsim decode: Linux has no such geometry; see --help\n");
	fails("decode 1 --granule=4294971392",
	      "pgtsim decode: Linux has no such geometry; see --help\n");
	fails("decode 1 --level=p4d", "pgtsim decode: this geometry has no level 'p4d'\n");
	fails("geometry --level=pte", "pgtsim geometry: unknown option '--level=pte'\n");
}

static void help(void **state)
{
	(void)state;
	prints("decode --help", "usage: pgtsim decode DESCRIPTOR [OPTION...]\n");
	prints("decode --help", "--level=LEVEL");
	prints("geometry --help --va=7", "usage: pgtsim geometry [VA] [OPTION...]\n");
	prints("geometry --help", "4K/39, 4K/48, 4K/52, 16K/36,");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_descriptor),
		cmocka_unit_test(a_descriptor_of_64k_with_52_bits),
		cmocka_unit_test(numbers),
		cmocka_unit_test(a_geometry),
		cmocka_unit_test(wrong_arguments),
		cmocka_unit_test(help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
