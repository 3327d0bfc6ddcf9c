/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "geometry.h"

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
	      "pgtsim decode: '18446744073709551616' does not fit in 64 bits\n");
	fails("decode 0x10000000000000000",
	      "pgtsim decode: '0x10000000000000000' does not fit in 64 bits\n");
	fails("decode 16384P", "pgtsim decode: '16384P' does not fit in 64 bits\n");
	fails("decode 0x", "pgtsim decode: '0x' is a number without digits\n");
	fails("decode K",
	      "pgtsim decode: 'K' is not a number (decimal or 0x hex, perhaps with K, M, G, T or P)\n");
	fails("decode 1KK",
	      "pgtsim decode: '1KK' is not a number (decimal or 0x hex, perhaps with K, M, G, T or P)\n");
	fails("decode 1k", "pgtsim decode: '1k' has a lower-case suffix; write K, M, G, T or P\n");
	fails("decode -1", "pgtsim decode: '-1' is negative; numbers start at 0\n");
	fails("geometry +1",
	      "pgtsim geometry: '+1' is not a number (decimal or 0x hex, perhaps with K, M, G, T or P)\n");
	fails("geometry 12a",
	      "pgtsim geometry: '12a' is not a number (decimal or 0x hex, perhaps with K, M, G, T or P)\n");
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
	fails("decode", "pgtsim decode: which descriptor? see pgtsim decode --help\n");
	fails("decode 1 2", "pgtsim decode: one argument too many: '2'\n");
	fails("decode 1 --nothing",
	      "pgtsim decode: there is no option '--nothing'; see pgtsim decode --help\n");
	fails("decode 1 --granule", "pgtsim decode: a value is missing after '--granule'\n");
	fails("decode 1 --granule=", "pgtsim decode: --granule: '' is a number without digits\n");
	fails("decode 1 --pa=0", "pgtsim decode: --pa: '0' is too small; the least is 1\n");
	fails("decode 1 --va=49",
	      "pgtsim decode: Linux has no configuration with 4K pages and 49 VA bits; use one of 39, 48, 52\n");
	fails("decode 1 --va=4294967344", "pgtsim decode: a size is beyond 32 bits\n");
	fails("decode 1 --granule=4294971392", "pgtsim decode: a size is beyond 32 bits\n");
	fails("decode 1 --edat=1", "pgtsim decode: --edat is for s390\n");
	fails("decode 1 --format=s390 --pa=48",
	      "pgtsim decode: --va-actual and --pa are for arm64\n");
	fails("decode 1 --format=s390 --edat=300", "pgtsim decode: --edat takes 0, 1 or 2\n");
	fails("decode 1 --level=p4d", "pgtsim decode: this geometry has no level 'p4d'\n");
	fails("geometry --level=pte",
	      "pgtsim geometry: there is no option '--level=pte'; see pgtsim geometry --help\n");
}

/* What a range covers counts in units of the operand, not of this geometry's pages. */
static void invalidates(void **state)
{
	(void)state;
	prints("decode tlbi vaale1is 0x7fff80008040",
	       "vaale1is: one address, its leaf only, every ASID; all CPUs of the inner shareable "
	       "domain\n"
	       "47:44   TTL       0x7: 4K granule, level 3 (pte): a leaf of another level stays "
	       "cached\n");
	prints("decode tlbi VAAE1 0xff800080804", "VA[55:12] 0xff800080804: VA 0xffff800080804000");
	prints("decode tlbi vaae1 0xfff00000001", "VA 0xfffff00000001000\n");
	prints("decode tlbi vaae1 0x1", "VA 0x0000000000001000\n");
	prints("decode tlbi vaae1 0x1", "0x0: no hint, a leaf of any level\n");
	prints("decode tlbi vae1is 0x5000000000001", "ASID      5\n");
	prints("decode tlbi vaae1is 0x5000000000001", "reserved  0x5: must be 0\n");
	prints("decode --granule=64K tlbi vaae1is 0x11",
	       "with 64K pages: the page at 0x0000000000010000, for the operand counts in 4K units");
	prints("decode tlbi vmalle1", "vmalle1: everything of EL1&0; this CPU only\n");
	prints("decode tlbi vaale1os 0x800000000001", "16K granule, level 0 (pgd): reserved");
}

/* (NUM + 1) * 2^(5 * SCALE + 1) pages; with LPA2 the base has no bits below 16. */
static void ranges_of_invalidates(void **state)
{
	(void)state;
	prints("decode tlbi rvaale1is 0x400000000005",
	       "47:46   TG        0x1: 4K granule\n"
	       "45:44   SCALE     0\n"
	       "43:39   NUM       0: (NUM + 1) * 2^(5 * SCALE + 1) = 2 pages\n"
	       "38:37   TTL       no hint, leaves of any level\n"
	       "36:0    VA[48:12] 0x5: from VA 0x0000000000005000\n"
	       "        covers    2 pages, 0x0000000000005000 to 0x0000000000006fff\n");
	prints("decode tlbi rvaale1is 0x508000000000", "= 128 pages\n");
	prints("decode tlbi rvaale1is 0x7f8000000000", "= 2097152 pages\n");
	prints("decode tlbi rvaale1is 0x40001fffffffff", "TG        0x0: reserved");
	prints("decode tlbi rvaale1is 0x401fffffffff", "from VA 0xfffffffffffff000\n");
	prints("decode --va=52 tlbi rvaale1is 0x400000000005",
	       "VA[52:16] 0x5: from VA 0x0000000000050000, in units of 64K because of LPA2\n");
	prints("decode --granule=16K --va=47 tlbi rvaale1is 0x800000000005",
	       "VA[50:14] 0x5: from VA 0x0000000000014000\n");
	prints("decode tlbi rvaale1is 0x800000000005", "not that of this geometry");
	prints("decode tlbi rvale1 0x406000000001", "level 3: leaves of another level stay cached");
}

static void wrong_invalidates(void **state)
{
	(void)state;
	fails("decode tlbi", "pgtsim decode: which TLBI operation? see pgtsim decode --help\n");
	fails("decode tlbi vaale1si 0",
	      "pgtsim decode: there is no TLBI operation 'vaale1si'; did you mean 'vaale1is'?\n");
	fails("decode tlbi ipas2e1 0",
	      "pgtsim decode: there is no TLBI operation 'ipas2e1' here; there are vaale1is, "
	      "vaae1is, rvaale1is, vmalle1is ...\n");
	fails("decode tlbi vaale1is", "pgtsim decode: vaale1is takes an operand\n");
	fails("decode tlbi vmalle1is 0", "pgtsim decode: vmalle1is takes no operand\n");
	fails("decode tlbi vaale1is x",
	      "pgtsim decode: 'x' is not a number (decimal or 0x hex, perhaps with K, M, G, T or P)\n");
}

static void help(void **state)
{
	(void)state;
	prints("decode --help", "pgtsim decode DESCRIPTOR [OPTION...] ");
	prints("decode --help", "--level=LEVEL");
	prints("geometry --help --va=7", "pgtsim geometry [VA] [OPTION...]\n");
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
		cmocka_unit_test(invalidates),
		cmocka_unit_test(ranges_of_invalidates),
		cmocka_unit_test(wrong_invalidates),
		cmocka_unit_test(help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
