/* SPDX-License-Identifier: MIT */
/* Why commands fail: each message is one sentence that says what is wrong, with the numbers. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scenario/runner.h"

static void print_nothing(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

/* Reads a file: its contents depend on its name. */
static int read_file(void *ctx, const char *name, char **text, size_t *length)
{
	static const char hidden[] =
		"00000000-00000000 : System RAM\n  00000000-00000000 : Kernel code\n";
	static const char *const files[][2] = {
		{ "hidden", hidden },
		{ "other", "no listing\n" },
		{ "cut", "40000000-7fffffff : System RAM\n80000000-ffff" },
		{ "reversed", "7fffffff-40000000 : System RAM\n" },
		{ "no-ram", "09000000-09000fff : pl011\n" },
		{ "small", "40000000-40000ffe : System RAM\n" },
		{ "twice", "40000000-7fffffff : System RAM\nc0000000-cfffffff : System RAM\n"
			   "60000000-9fffffff : System RAM\n" },
		{ "far", "40000000-7fffffff : System RAM\n"
			 "ffff000000000-ffff03fffffff : System RAM\n" },
		{ "nested",
		  "80000000-fffffffff : System RAM\n1050000000-304fffffff : CXL Window 0\n"
		  "  1050000000-304fffffff : System RAM\n" },
	};
	const char *found = NULL;

	(void)ctx;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (!strcmp(name, files[i][0]))
			found = files[i][1];
	if (!found)
		return -ENOENT;
	*length = strlen(found);
	*text = malloc(*length + 1);
	assert_non_null(*text);
	memcpy(*text, found, *length + 1);
	return 0;
}

#define MEMMAP_OFFLINE                                                                              \
	"refused, known weakness of 7.1 and later, up to 7.3.4: a memory block that holds its own " \
	"memmap can't go offline: the check looks at the block without its memmap pages, and that " \
	"start lies inside a leaf (EPERM)"
#define BLOCK_OFFLINE                                                                             \
	"refused, known weakness of 7.1 and later, up to 7.3.4: memory mapped by a block or "     \
	"contiguous group larger than a memory block can't go offline: each memory block on its " \
	"own would cut the leaf (EPERM)"

/* Scenarios, and the message that ends them. */
static const struct {
	const char *text, *message;
} rows[] = {
	{ "machine granule=64K va=47",
	  "Linux has no configuration with 64K pages and 47 VA bits; use one of 42, 48, 52 (EINVAL)" },
	{ "machine granule=5K", "arm64 has no pages of 5K; use 4K, 16K or 64K (EINVAL)" },
	{ "machine profile=linux-6.1 va=52",
	  "linux-6.1 has no 52-bit VA with 4K pages: that came with LPA2, later (EINVAL)" },
	{ "machine struct-page=60", "struct-page=60: a struct page has 56 or 64 bytes (EINVAL)" },
	{ "machine section=3M", "section=3M is not a power of two (EINVAL)" },
	{ "machine block=96M", "block=96M is not a power of two (EINVAL)" },
	{ "machine block=64M", "block=64M is less than a section (128M) (EINVAL)" },
	{ "machine cpus=1025", "there are at most 1024 CPUs (EINVAL)" },
	{ "machine ram=0x40000001+1G",
	  "RAM range 1 is not a multiple of the page size (4K) (EINVAL)" },
	{ "machine ram=0x40000000+0", "RAM range 1 is empty (EINVAL)" },
	{ "machine ram=1G+1G ram=4G+1G ram=0x60000000+1G", "RAM ranges 1 and 3 overlap (EINVAL)" },
	{ "machine iomem=hidden",
	  "hidden: the listing hides its addresses, they are all 0: read /proc/iomem as "
	  "root (EINVAL)" },
	{ "machine iomem=other",
	  "other: it is no /proc/iomem listing: line 1 is not 'START-END : NAME' (EINVAL)" },
	{ "machine iomem=cut",
	  "cut: it is no /proc/iomem listing: line 2 is not 'START-END : NAME' (EINVAL)" },
	{ "machine iomem=reversed",
	  "reversed: line 1 of the listing ends before it begins (EINVAL)" },
	{ "machine iomem=no-ram",
	  "no-ram: the listing names no System RAM of a page (4K) or more (EINVAL)" },
	{ "machine iomem=small",
	  "small: the listing names no System RAM of a page (4K) or more (EINVAL)" },
	{ "machine iomem=twice", "RAM ranges 1 and 3 overlap (EINVAL)" },
	{ "machine iomem=far",
	  "beyond the linear map of this machine (PA 0x40000000 to 0x800040000000 with "
	  "va=48) (EINVAL)" },
	{ "machine iomem=nested\nadd 0x1050000000+1G",
	  "there is memory in this range already (EEXIST)" },
	{ "machine iomem=missing", "missing: there is no such file (ENOENT)" },
	{ "machine\nadd 2G+100M",
	  "its size is not a multiple of the memory block (128M) (EINVAL)" },
	{ "machine\nadd 0x80000001+128M",
	  "its start is not a multiple of the memory block (128M) (EINVAL)" },
	{ "machine block=1G\nadd 0xc8000000+1G",
	  "its start is not a multiple of the memory block (1G) (EINVAL)" },
	{ "machine\nadd 2G+1M device",
	  "its size is not a multiple of the sub-section (2M) (EINVAL)" },
	{ "machine\nadd 2G+0", "the range is empty (EINVAL)" },
	{ "machine profile=linux-7.3 memmap-on-memory=on\nadd 2G+128M memmap-on-memory\n"
	  "online 2G+128M\ntry offline 2G+128M\noffline 2G+128M",
	  MEMMAP_OFFLINE },
	{ "machine profile=linux-7.3 blocks=on\nadd 2G+1G\nonline 2G+1G\noffline 2G+128M",
	  BLOCK_OFFLINE },
	{ "machine profile=linux-7.3\noffline 0x40000000+128M",
	  "this kernel does not let boot memory go offline (EPERM)" },
	{ "machine\nadd 2G+128M node=5000", "there are nodes 0 to 15 (EINVAL)" },
	{ "machine va=39\nadd 0x5000000000+1G device",
	  "beyond the linear map of this machine (PA 0x40000000 to 0x4040000000 with va=39) "
	  "(E2BIG)" },
	{ "machine\nadd 2G+128M\nadd 2G+128M", "there is memory in this range already (EEXIST)" },
	{ "machine\nadd 2G+1T",
	  "no memory for table 262144 of the 525315 that the mapping needs (ENOMEM)" },
	{ "machine\nremove 2G+128M",
	  "nothing is there to remove, or only a part of what has to go at once: no memory "
	  "block at 0x80000000 (EINVAL)" },
	{ "machine\nadd 2G+128M\nonline 2G+128M\nremove 2G+128M",
	  "some of it is online: take it offline first (from 0x80000000 on) (EBUSY)" },
	{ "machine\nonline 2G+128M",
	  "not all of it is memory that was added and is offline: the memory block at "
	  "0x80000000 is not there (EINVAL)" },
	{ "machine\noffline 2G+128M",
	  "not all of it is memory that is online: the memory block at 0x80000000 is not "
	  "there (EINVAL)" },
	{ "machine\nuse 2G+4K movable", "not all of it is online memory (EINVAL)" },
	{ "machine\nuse 2G+1 movable",
	  "its size is not a multiple of the page size (4K) (EINVAL)" },
	{ "machine\nmap linear+4K 2G 8K\nmap linear+0 2G 8K",
	  "an entry in this range is in use already: the pte of VA 0xffff000000001000 "
	  "(EEXIST)" },
	{ "machine\nmap linear+0 1 4K",
	  "VA and PA differ in their offset within a page (4K) (EINVAL)" },
	{ "machine\nmap linear+0 2G 0", "the range is empty (EINVAL)" },
	{ "machine\nmap 0 0 4K",
	  "VA 0x0+4K is not in the kernel's half of 48 bits, from 0xffff000000000000 on "
	  "(EINVAL)" },
	{ "machine\nunmap linear+0 0", "the range is empty (EINVAL)" },
	{ "machine\npoke pte linear+0 0",
	  "no table leads to this entry: the pgd of VA 0xffff000000000000 points to none "
	  "(ENOENT)" },
	{ "machine\npoke p4d linear+0 0",
	  "there is no entry of this level at this address: this geometry has 4 levels "
	  "(EINVAL)" },
};

static void run_text(const char *text, struct run_error *error)
{
	const struct run_options options = { .out = { print_nothing, NULL },
					     .read_file = read_file };
	struct scenario_error syntax;
	struct scenario scenario;
	struct run run;
	int status;

	assert_int_equal(0, scenario_parse(&scenario, text, strlen(text), &syntax));
	status = run_start(&run, &scenario, &options, error);
	if (status == RUN_OK)
		status = run_rest(&run, error);
	assert_int_equal(RUN_FAILED, status);
	run_end(&run);
	scenario_free(&scenario);
}

/* The message is the command, a colon, and the sentence. */
static void every_reason(void **state)
{
	size_t right = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct run_error error;
		const char *last = strrchr(rows[i].text, '\n');
		const char *command = last ? last + 1 : rows[i].text;
		size_t length = strlen(command);

		run_text(rows[i].text, &error);
		if (strncmp(error.message, command, length) ||
		    strncmp(error.message + length, ": ", 2) ||
		    strcmp(error.message + length + 2, rows[i].message))
			print_error("%s\nsays: %s\nnot:  %s: %s\n", rows[i].text, error.message,
				    command, rows[i].message);
		else
			right++;
	}
	assert_int_equal(right, sizeof(rows) / sizeof(rows[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
