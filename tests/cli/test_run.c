/* SPDX-License-Identifier: MIT */
/*
 * The scenario runner: what scenarios do, what they print, and how they end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "view/report.h"
#include "scenario/runner.h"

struct output {
	char text[1 << 16];
	size_t length;
};

static void collect(void *ctx, const char *text)
{
	struct output *output = ctx;
	size_t length = strlen(text);

	assert_true(output->length + length < sizeof(output->text));
	memcpy(output->text + output->length, text, length + 1);
	output->length += length;
}

static int no_file(void *ctx, const char *name, char **text, size_t *length)
{
	static const char listing[] =
		"40000000-7fffffff : System RAM\n  40000000-400fffff : Kernel code\n";

	(void)ctx;
	if (strcmp(name, "iomem") != 0)
		return -2;
	*length = sizeof(listing) - 1;
	*text = malloc(sizeof(listing));
	assert_non_null(*text);
	memcpy(*text, listing, sizeof(listing));
	return 0;
}

/* Runs a scenario; keeps its output and the error that ended it. */
static int run_text(const char *text, const char *profile, struct run_watcher *watchers,
		    struct output *output, struct run_error *error)
{
	struct scenario scenario;
	struct scenario_error syntax;
	struct run_options options = {
		.out = { collect, output },
		.profile = profile,
		.read_file = no_file,
		.watchers = watchers,
	};
	struct run run;
	int status;

	output->length = 0;
	output->text[0] = error->message[0] = '\0';
	if (scenario_parse(&scenario, text, strlen(text), &syntax)) {
		error->line = syntax.line;
		strcpy(error->message, syntax.message);
		return RUN_BAD_SCENARIO;
	}
	status = run_start(&run, &scenario, &options, error);
	if (status == RUN_OK)
		status = run_rest(&run, error);
	run_end(&run);
	scenario_free(&scenario);
	return status;
}

struct good {
	const char *name, *text, *output;
};

#define READ_ONLY "a leaf of 4K, read-only, not executable, MEM/NORMAL"

static const struct good good[] = {
	{ "a machine alone", "machine\ncheck\n", "" },
	{ "echo prints its text", "machine\necho hello  there # not a comment\n",
	  "hello  there # not a comment\n" },
	{ "a dump is the rows of the table",
	  "machine profile=linux-6.1\nmap linear+0 0x40000000 2M\ndump\n",
	  "pgd 0xffff000000000000 0x1800000040001003 table\n"
	  "pud 0xffff000000000000 0x1800000040002003 table\n"
	  "pmd 0xffff000000000000 0x00e8000040000705 block\n" },
	{ "leaves without their tables",
	  "machine profile=linux-6.1\nmap linear+0 0x40000000 4K prot=kernel\ndump leaves\n",
	  "pte 0xffff000000000000 0x00e8000040000703 page\n" },
	{ "a table that may execute",
	  "machine profile=linux-6.1 va=39\nmap linear+0 0x40000000 2M tables=exec\ndump\n",
	  "pgd 0xffffff8000000000 0x1000000040001003 table\n"
	  "pmd 0xffffff8000000000 0x00e8000040000705 block\n" },
	{ "the identical mapping is there already",
	  "machine\nmap linear+0 0x40000000 4K\nexpect-error EEXIST map linear+0 0x40000000 4K\n",
	  "" },
	{ "try goes on", "machine\ntry unmap linear+0 0\ntry unmap linear+0 4K\n", "" },
	{ "the last page of the address space",
	  "machine\nmap 0xfffffffffffff000 0x40000000 4K\nexpect leaves.mapped == 1\n"
	  "unmap 0xfffffffffffff000 4K\nexpect tables.pte == 0\ncheck\n",
	  "" },
	{ "boot memory from a listing",
	  "machine iomem=iomem\nexpect-error EEXIST add 0x40000000+128M\nadd 0x80000000+128M\n",
	  "" },
	{ "a boot that is not counted",
	  "machine boot=on\nexpect leaves.mapped == 0\nexpect tables.allocated == 1\n"
	  "expect tables.pte == 512\nexpect dsb == 0\ncheck\n",
	  "" },
	{ "a hot-remove leaves what the bounds keep",
	  "machine profile=linux-6.12\nadd 0x80000000+256M\nonline 0x80000000+256M zone=movable\n"
	  "offline 0x80000000+256M\nremove 0x80000000+256M\nexpect tables.pte == 0\n"
	  "expect tables.kept == 1\nexpect tlbi.all == 1\ncheck\n",
	  "" },
	{ "a kernel that flushes after each leaf",
	  "machine profile=linux-5.7\nadd 0x80000000+128M\nreset-stats\nremove 0x80000000+128M\n"
	  "expect tlbi.leaf == 32769\nexpect tlbi.all == 0\n",
	  "" },
	{ "knobs over the profile",
	  "machine profile=linux-5.7 flush=range\nadd 0x80000000+128M\nreset-stats\n"
	  "remove 0x80000000+128M\nexpect tlbi.leaf == 1\nexpect tlbi.all == 1\n",
	  "" },
	{ "an allocation that fails undoes the add",
	  "machine\nfail alloc nth=70\nexpect-error ENOMEM add 0x80000000+256M\n"
	  "expect tables.pte == 0\nadd 0x80000000+256M\ncheck\n",
	  "" },
	{ "a failed populate gives the part of a shared block back",
	  "machine vmemmap-partial=track-unused block-failure=fail\n"
	  "vmemmap-populate vmemmap+0 vmemmap+1M\nfail alloc nth=1\n"
	  "expect-error ENOMEM vmemmap-populate vmemmap+1M vmemmap+4M\n"
	  "vmemmap-free vmemmap+0 vmemmap+1M\nexpect pages.freed == 512\ncheck\n",
	  "" },
	{ "a memory block that boot memory fills in part goes offline",
	  "machine section=2M block=1G ram=0x40000000+256M boot-guard=off\n"
	  "offline 0x40000000+1G\n",
	  "" },
	{ "a block that populate did not make, where unused parts are tracked",
	  "machine vmemmap-partial=track-unused\nvmemmap-populate vmemmap+0 vmemmap+1M\n"
	  "map vmemmap+64G 0x80000000 2M\nvmemmap-free vmemmap+64G vmemmap+0x1000001000\n",
	  "" },
	{ "zones shrink over a hole of petabytes",
	  "machine va=52\nadd 0xE000000000000+128M\nonline 0xE000000000000+128M\n"
	  "offline 0xE000000000000+128M\nremove 0xE000000000000+128M\ncheck\n",
	  "" },
	{ "what other rules for freeing tables leak",
	  "machine free-tables=never\nadd 0x80000000+128M\nremove 0x80000000+128M\n"
	  "expect tables.kept == 65\nexpect tables.freed == 0\n",
	  "" },
	{ "a test for the KASAN shadow that is turned round",
	  "machine free-tables=kasan-inverted\nadd 0x80000000+128M\nremove 0x80000000+128M\n"
	  "expect tables.kept == 65\nexpect tables.freed == 0\n",
	  "" },
	{ "tables stay when the root is shared with another region",
	  "machine free-tables=skip-when-regions-overlap\nadd 0x80000000+128M\n"
	  "remove 0x80000000+128M\nexpect tables.freed == 66\nexpect tables.kept == 1\n",
	  "" },
	{ "bounds keep a table until wider ones free it",
	  "machine\nmap linear+0 0x40000000 4K\nbounds linear+2M linear+1G\nunmap linear+0 4K\n"
	  "expect tables.pte == 1\nbounds default\nfree-tables linear+0 4K\n"
	  "expect tables.pte == 0\n",
	  "" },
	{ "both passes by themselves",
	  "machine\nmap linear+0 0x40000000 2M blocks=off\nunmap-range linear+0 2M\n"
	  "expect leaves.cleared == 512\nexpect tables.pte == 1\nfree-tables linear+0 2M\n"
	  "expect tables.pte == 0\n",
	  "" },
	{ "vmemmap by hand, from an altmap",
	  "machine profile=linux-6.12\naltmap a base=0x80000 reserve=0 free=1024 align=0\n"
	  "vmemmap-populate vmemmap+0 vmemmap+2M altmap=a\nexpect altmap.allocated == 512\n"
	  "dump leaves\nvmemmap-free vmemmap+0 vmemmap+2M altmap=a\n"
	  "expect altmap.freed == 512\n",
	  "pmd 0xfffffdffc0000000 0x0068000080000701 block\n" },
	{ "actors that do not meet need one schedule",
	  "machine\nadd 0x80000000+256M\nactor a remove 0x80000000+128M\n"
	  "actor b access linear+0\nexplore\nexpect explore.schedules == 1\ncheck\n",
	  "explored 1 schedule, 0 failed\n" },
	{ "exploring changes nothing, and each explore has its own actors",
	  "machine\nmap linear+0 0x80000000 4K\nactor a unmap linear+0 4K\nexplore\n"
	  "expect tables.freed == 0\nactor a unmap linear+0 4K\n"
	  "actor b vmalloc linear+1T 1\nexplore bound=1\n"
	  "expect explore.schedules == 2\ncheck\n",
	  "explored 1 schedule, 0 failed\nexplored 1 schedule, 0 failed\n" },
	{ "changes of live mappings are actors, and a lock keeps them apart",
	  "machine profile=linux-6.12\nmap linear+1G 2G 8K\n"
	  "actor a protect linear+1G 4K ro lock\nactor b protect linear+1G 4K x lock\n"
	  "actor c vmap linear+0x800000000000 8G 2M lock\n"
	  "actor d poke pte linear+0x40001000 0x00c8000080001707 lock\nexplore\n"
	  "expect explore.schedules == 24\nexpect explore.failed == 0\n",
	  "explored 24 schedules, 0 failed\n" },
	{ "what an actor returns is what explore returns",
	  "machine\nactor a remove 0x80000000+128M\nactor b add 0x80000000+128M\n"
	  "expect-error EINVAL explore\ncheck\n",
	  "explored 2 schedules, 0 failed\na fails: an argument does not fit this machine (EINVAL)\n" },
	{ "an allocation that is to fail fails in each schedule",
	  "machine\nfail alloc nth=1 every\nactor a vmalloc linear+0 1\n"
	  "expect-error ENOMEM explore\nexpect explore.failed == 0\ncheck\n",
	  "explored 1 schedule, 0 failed\na fails: no memory is left in the machine's RAM (ENOMEM)\n" },
	{ "a flush that is missing shows in the TLB that has the entry",
	  "machine cpus=2\nmap linear+0 0x40000000 8K prot=ro\naccess linear+8\n"
	  "access linear+4K\naccess linear+8 cpu=1\npoke pte linear+0 0\naccess linear+8\n"
	  "expect violations == 1\ntlbi leaf linear+0\naccess linear+8 cpu=1\n",
	  "access 0xffff000000000008 cpu=0 miss PA 0x0000000040000008: " READ_ONLY "\n"
	  "access 0xffff000000001000 cpu=0 walk PA 0x0000000040001000: " READ_ONLY "\n"
	  "access 0xffff000000000008 cpu=1 miss PA 0x0000000040000008: " READ_ONLY "\n"
	  "access 0xffff000000000008 cpu=0 stale-hit PA 0x0000000040000008: " READ_ONLY
	  "; the tables say no PA: translation fault, level 3 (pte)\n"
	  "access 0xffff000000000008 cpu=1 fault no PA: translation fault, level 3 (pte)\n" },
	{ "a poke that is completed by hand",
	  "machine\nmap linear+0 0x40000000 4K\naccess linear+0\nreset-stats\n"
	  "poke pte linear+0 0\nbarrier dsb-ishst\ntlbi leaf linear+0\nbarrier dsb-ish\n"
	  "barrier isb\naccess linear+0\nexpect dsb == 2\nexpect isb == 1\n"
	  "expect tlbi.leaf == 1\ncheck\n",
	  "access 0xffff000000000000 cpu=0 miss PA 0x0000000040000000: a leaf of 4K, read-write, "
	  "not executable, MEM/NORMAL-TAGGED\n"
	  "access 0xffff000000000000 cpu=0 fault no PA: translation fault, level 3 (pte)\n" },
	{ "invalidates by hand are counted",
	  "machine\ntlbi walk linear+0\ntlbi all\ntlbi all\nexpect tlbi.walk == 1\n"
	  "expect tlbi.all == 2\nexpect tlbi.leaf == 0\nexpect dsb == 0\n",
	  "" },
	{ "a table entry that is gone still leads the walk",
	  "machine checker=off\nmap linear+0 0x40000000 4K\naccess linear+0\n"
	  "poke pud linear+0 0\naccess linear+4K\ntlbi leaf linear+0\naccess linear+0\n"
	  "tlbi walk linear+0\naccess linear+0\nexpect violations == 2\n",
	  "access 0xffff000000000000 cpu=0 miss PA 0x0000000040000000: a leaf of 4K, read-write, "
	  "not executable, MEM/NORMAL-TAGGED\n"
	  "access 0xffff000000001000 cpu=0 stale-hit no PA: translation fault, level 3 (pte); "
	  "the tables say no PA: translation fault, level 1 (pud)\n"
	  "access 0xffff000000000000 cpu=0 stale-hit PA 0x0000000040000000: a leaf of 4K, "
	  "read-write, not executable, MEM/NORMAL-TAGGED; "
	  "the tables say no PA: translation fault, level 1 (pud)\n"
	  "access 0xffff000000000000 cpu=0 fault no PA: translation fault, level 1 (pud)\n" },
	{ "zones and sections as they come and go",
	  "machine memmap-on-memory=on split-check=block\nadd 0x80000000+128M memmap-on-memory\n"
	  "add 0x88000000+256M\nonline 0x80000000+256M zone=movable\nzones\nsections\n"
	  "offline 0x80000000+128M\nzones\n",
	  "zone normal node=0 pfn=0x40000 spanned=262144 present=262144 managed=262144\n"
	  "zone movable node=0 pfn=0x80000 spanned=65536 present=65536 managed=65024\n"
	  "sections 0x40000000+0x40000000 early online zone=normal\n"
	  "sections 0x80000000+0x8000000 online zone=movable memmap-pages=512\n"
	  "sections 0x88000000+0x8000000 online zone=movable\n"
	  "sections 0x90000000+0x8000000 offline\n"
	  "zone normal node=0 pfn=0x40000 spanned=262144 present=262144 managed=262144\n"
	  "zone movable node=0 pfn=0x88000 spanned=32768 present=32768 managed=32768\n" },
	{ "pages that are online, and those that a hibernation image saves",
	  "machine memmap-on-memory=on\nadd 0x80000000+128M memmap-on-memory\n"
	  "online-page 0x80200\nonline 0x80000000+128M\nonline-page 0x80000\nonline-page 0x801ff\n"
	  "online-page 0x80200\nonline-page 0xffffffffffffffff\nhibernates 0x7ffff000+1T\n"
	  "hibernates 1P+1P\n",
	  "online-page 0x80200 no\nonline-page 0x80000 no\nonline-page 0x801ff no\n"
	  "online-page 0x80200 yes\nonline-page 0xffffffffffffffff no\n"
	  "hibernates 0x7ffff000+0x1000\nhibernates 0x80200000+0x7e00000\n" },
	{ "struct pages lie on another node than their memory, or in it",
	  "machine profile=linux-6.12 memmap-on-memory=on\nadd 0x80000000+256M node=1\n"
	  "memmap 0x80000000+256M\nadd 0x90000000+128M node=2 memmap-on-memory\n"
	  "memmap 0x90000000+128M\nmemmap 0x98000000+64K\nexpect-error EINVAL memmap 1P+1\n"
	  "expect-error EINVAL memmap 0xffffffffffff000+4K\n",
	  "memmap of 0x80000000+0x10000000 node=1\n"
	  "memmap 0xfffffdffc1000000+0x400000 0x40200000 node=0 ram\n"
	  "memmap of 0x90000000+0x8000000 node=2\n"
	  "memmap 0xfffffdffc1400000+0x200000 0x90000000 node=2 altmap\n"
	  "memmap of 0x98000000+0x10000 node=0\n"
	  "memmap 0xfffffdffc1600000+0x1000 not mapped\n" },
	{ "a memmap that stays in memory that is gone",
	  "machine free-mapped=never\naltmap dev base=0x100000 free=2048\n"
	  "add 0x100000000+128M device altmap=dev\nremove 0x100000000+128M\n"
	  "memmap 0x100000000+128M\nexpect altmap.kept == 512\n",
	  "memmap of 0x100000000+0x8000000 node=0\n"
	  "memmap 0xfffffdffc3000000+0x200000 0x100000000 node=0 not RAM\n" },
	{ "set_memory_*() wants one area, and rodata=full its alias",
	  "machine boot=on\nvmap linear+0x800100000000 0x50000000 64K\n"
	  "declare linear+0x800100000000 64K vmalloc\nreset-stats\n"
	  "set-memory linear+0x800100001000 8K ro\nexpect tlbi.leaf == 4\n"
	  "expect-error EINVAL set-memory linear+0x80010000f000 8K ro\n"
	  "set-direct-map linear+0x20000000 8K invalid\nexpect entries.written == 6\n",
	  "" },
	{ "where the linear map may not change, set_direct_map_*() does nothing and says 0",
	  "machine boot=on rodata=noalias\nset-direct-map linear+0x20000000 8K invalid\n"
	  "expect entries.written == 0\n",
	  "" },
	{ "a veto stands until it is taken back",
	  "machine\nadd 0x80000000+128M\nveto online\nexpect-error EPERM online 0x80000000+128M\n"
	  "veto off\nonline 0x80000000+128M\nveto offline\nveto offline\n"
	  "expect-error EPERM offline 0x80000000+128M\nonline-page 0x80000\nveto off\n"
	  "offline 0x80000000+128M\nremove 0x80000000+128M\ncheck\n",
	  "online-page 0x80000 yes\n" },
	{ "a poked entry", "machine va=39\npoke pgd linear+1G 0x100\ndump\n",
	  "pgd 0xffffff8040000000 0x0000000000000100 invalid\n" },
};

/* Each of these scenarios succeeds and prints exactly this. */
static void good_scenarios(void **state)
{
	static struct output output;
	struct run_error error;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int status = run_text(good[i].text, NULL, NULL, &output, &error);

		if (status || strcmp(output.text, good[i].output) != 0)
			fail_msg("%s: status %d, %u: %s\n%s", good[i].name, status, error.line,
				 error.message, output.text);
	}
}

struct bad {
	const char *text;
	int status;
	unsigned line;
	const char *message;
};

static const struct bad bad[] = {
	{ "machine\nmap 0x1000 0x40000000 4K\n", 1, 2, "EINVAL" },
	{ "machine\nmap linear+0 0x1000000000000 4K\n", 1, 2, "EINVAL" },
	{ "machine\nmap linear+16 0x40000000 4K\n", 1, 2, "EINVAL" },
	{ "machine\nmap 0xfffffffffffff000 0x40000000 8K\n", 1, 2, "EINVAL" },
	{ "machine\nmap linear+0xffffffffffffffff 0x40000000 4K\n", 1, 2, "EINVAL" },
	{ "machine\nmap linear+0 0x40000000 0\n", 1, 2, "EINVAL" },
	{ "machine\nunmap 0x0 4K\n", 1, 2, "EINVAL" },
	{ "machine\nwalk 0x1000\n", 1, 2, "EINVAL" },
	{ "machine\naccess 0x1000\n", 1, 2, "EINVAL" },
	{ "machine cpus=2\naccess linear+0 cpu=2\n", 1, 2, "EINVAL" },
	{ "machine cpus=1025\n", 1, 1, "EINVAL" },
	{ "machine\ntlbi leaf 0x1000\n", 1, 2, "EINVAL" },
	{ "machine\nmap linear+0 0x40000000 4K\naccess linear+0\npoke pte linear+0 0\n"
	  "barrier dsb-ishst\ntlbi leaf linear+4K\nbarrier dsb-ish\nbarrier isb\n"
	  "access linear+0\ncheck\n",
	  1, 10, "check: 2 violations" },
	{ "machine\nvmemmap-populate vmemmap+2M vmemmap+0\n", 1, 2, "EINVAL" },
	{ "machine\nvmemmap-populate linear+0 linear+2M\n", 1, 2, "EINVAL" },
	{ "machine\nadd 0x80000000+1M\n", 1, 2, "EINVAL" },
	{ "machine\nhibernates 0x80000000+1\n", 1, 2, "EINVAL" },
	{ "machine\nhibernates 0x80000000+0\n", 1, 2, "EINVAL" },
	{ "machine\nhibernates 0xfffffffffffff000+8K\n", 1, 2, "EINVAL" },
	{ "machine\nadd 0x80000000+128M\nveto online\nonline 0x80000000+128M\n", 1, 4, "vetoed" },
	{ "machine\nadd 0x80000000+0\n", 1, 2, "EINVAL" },
	{ "machine\nadd 0xfffffffff8000000+256M\n", 1, 2, "EINVAL" },
	{ "machine\nadd 0xfffffffff0000000+256M\n", 1, 2, "E2BIG" },
	{ "machine\nadd 0x1000000000000+128M\n", 1, 2, "E2BIG" },
	{ "machine\nadd 0xfffffffffffff000+0xfffffffffffff000\n", 1, 2, "EINVAL" },
	{ "machine\nadd 0+128M\n", 1, 2, "E2BIG" },
	{ "machine\nadd 0x40000000+128M\n", 1, 2, "EEXIST" },
	{ "machine\nremove 0x80000000+128M\n", 1, 2, "EINVAL" },
	{ "machine\nremove 0x40000000+128M\n", 1, 2, "EBUSY" },
	{ "machine\noffline 0x40000000+128M\n", 1, 2, "EPERM" },
	{ "machine\nonline 0x40000000+128M\n", 1, 2, "EINVAL" },
	{ "machine ram=0x40000000+12K\nmap linear+0 0x40000000 2M blocks=off\n", 1, 2, "ENOMEM" },
	{ "machine ram=0x40000100+16M\n", 1, 1, "EINVAL" },
	{ "machine ram=0xfffffffff0000000+1G\n", 1, 1, "EINVAL" },
	{ "machine ram=0x40000000+1G ram=0x50000000+1G\n", 1, 1, "EINVAL" },
	{ "machine granule=8K\n", 1, 1, "EINVAL" },
	{ "machine va=47\n", 1, 1, "EINVAL" },
	{ "machine profile=linux-6.1 va=52\n", 1, 1, "EINVAL" },
	{ "machine section=100M\n", 1, 1, "EINVAL" },
	{ "machine block=64M\n", 1, 1, "EINVAL" },
	{ "machine struct-page=60\n", 1, 1, "EINVAL" },
	{ "machine iomem=elsewhere\n", 1, 1, "ENOENT" },
	{ "machine\nexpect dsb == 1\n", 1, 2, "it is 0" },
	{ "machine\nexpect-error EBUSY unmap linear+0 4K\n", 1, 2, "expected EBUSY, got success" },
	{ "machine\nexpect-error EBUSY unmap linear+0 0\n", 1, 2, "expected EBUSY, got EINVAL" },
	{ "machine\npoke pmd linear+0 0\n", 1, 2, "ENOENT" },
	{ "machine va=39\npoke pud linear+0 0\n", 1, 2, "EINVAL" },
	{ "machine va=39\npoke pgd linear+0 0x123003\nbarrier dsb-ishst\nbarrier isb\ncheck\n", 1,
	  5, "check: 1 violation" },
	{ "machine\nadd 0x80000000+128M\npoke pmd linear+1G 3\ncheck\n", 1, 4,
	  "check: 6 violations" },
	{ "machine\nuse 0x80000000+4K movable\n", 1, 2, "EINVAL" },
	{ "machine\nunuse 0x80000000+4K\n", 1, 2, "EINVAL" },
	{ "machine\nadd 0x80000000+128M node=16\n", 1, 2, "EINVAL" },
	{ "machine\nadd 0x80100000+2M device\n", 1, 2, "EINVAL" },
	{ "machine profile=linux-5.10\nadd 0x80000000+128M memmap-on-memory\n", 1, 2, "EINVAL" },
	{ "machine\nactor a unmap linear+0xffffffffffffffff 4K\nexplore\n", 1, 3, "EINVAL" },
	{ "machine\nactor a vmalloc linear+0 0xffffffffffffffff\nexplore\n", 1, 3, "EINVAL" },
	{ "machine\nactor a vmalloc linear+0 0\nexplore\n", 1, 3, "EINVAL" },
	{ "machine\nactor a vmalloc linear+1 1\nexplore\n", 1, 3, "EINVAL" },
	{ "machine\nactor a ptdump 0x0 4K\nexplore\n", 1, 3, "EINVAL" },
	{ "machine\nactor a ptdump linear+0 0\nexplore\n", 1, 3, "EINVAL" },
	{ "machine\nactor a vmemmap-free vmemmap+2M vmemmap+0\nexplore\n", 1, 3, "EINVAL" },
	{ "machine\nmap linear+0 0x80000000 4K\nactor a vmalloc linear+0 1\nexplore\n", 1, 4,
	  "EBUSY" },
	{ "map linear+0 0 4K\n", 2, 1, "machine" },
	{ "machine\nfrobnicate\n", 2, 2, "frobnicate" },
	{ "machine\nadd 0x80000000+99999999999G\n", 2, 2, "" },
	{ "machine\nunmap linear+0 4K\nexpect no.such == 1\n", 2, 3, "no.such" },
};

/* Each of these ends with its status, at its line, with a message that says what is wrong. */
static void bad_scenarios(void **state)
{
	static struct output output;
	struct run_error error;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int status = run_text(bad[i].text, NULL, NULL, &output, &error);

		if (status != bad[i].status || error.line != bad[i].line ||
		    !strstr(error.message, bad[i].message))
			fail_msg("%sstatus %d, %u: %s", bad[i].text, status, error.line,
				 error.message);
	}
}

/* A scenario with bad syntax at its end prints nothing: it is parsed before it is run. */
static void nothing_is_run_before_all_is_parsed(void **state)
{
	static struct output output;
	struct run_error error;

	(void)state;
	assert_int_equal(run_text("machine\necho before\nadd\n", NULL, NULL, &output, &error), 2);
	assert_int_equal(error.line, 3);
	assert_string_equal(output.text, "");
}

/* A profile given from outside replaces the scenario's. */
static void profile_can_be_overridden(void **state)
{
	static struct output output;
	struct run_error error;
	const char *text = "machine profile=linux-6.12\nadd 0x80000000+128M\nreset-stats\n"
			   "remove 0x80000000+128M\nexpect tlbi.leaf == 32769\n";

	(void)state;
	assert_int_equal(run_text(text, "linux-5.7", NULL, &output, &error), 0);
	assert_int_equal(run_text(text, NULL, NULL, &output, &error), 1);
}

/*
 * What 7.3.4 does, in numbers that its own functions or a live kernel gave: `lines`, then `then` as
 * linux-7.3, and `otherwise` as another profile, where a last line after ! fails.
 */
static const struct {
	const char *what, *keys, *lines, *then, *other, *otherwise;
} of_7_3[] = {
	{ "memory that holds its own memmap can't go offline", "memmap-on-memory=on",
	  "add 0x80000000+128M memmap-on-memory\nonline 0x80000000+128M zone=movable\n",
	  "expect-error EPERM offline 0x80000000+128M\n", "linux-6.12",
	  "offline 0x80000000+128M\n" },
	{ "a block of 1G can't go offline, all of it or a memory block", "blocks=on cont=on",
	  "add 0x80000000+1G\nonline 0x80000000+1G\nexpect tables.pte == 0\n",
	  "expect-error EPERM offline 0x80000000+1G\nexpect-error EPERM offline 0x88000000+128M\n",
	  "linux-6.12", "offline 0x80000000+1G\n" },
	{ "a populate that fails at its fourth page keeps three", "ram=0x80000000000+16G",
	  "vmemmap-populate vmemmap+0x200000 vmemmap+0x201000 pages\nfail alloc nth=4\n"
	  "expect-error ENOMEM vmemmap-populate vmemmap vmemmap+0x8000\n",
	  "expect dsb == 7\nexpect isb == 7\nexpect tlbi.leaf == 0\nexpect tlbi.walk == 0\n"
	  "expect leaves.cleared == 0\n",
	  "latest", "expect dsb == 13\nexpect isb == 10\nexpect leaves.cleared == 2\n" },
	{ "a contiguous group with a table in it gets no hint", "blocks=on cont=on",
	  "map linear+0x40a00000 0x80a00000 4K cont=off\nunmap-range linear+0x40a00000 4K\n"
	  "map linear+0x40000000 0x80000000 32M\n",
	  "check\n", "linux-6.12", "!check\n" },
	{ "every freed table has its destructor, those of the vmemmap had no constructor", "",
	  "add 0x80000000+256M\nremove 0x80000000+256M\nexpect tables.freed == 131\n",
	  "expect tables.constructed == 130\nexpect tables.destructed == 131\n", "linux-6.12",
	  "expect tables.constructed == 0\nexpect tables.destructed == 0\n" },
	{ "range invalidates with LPA2 begin at a 64K boundary", "va=52 pa=52 tlbi-range=on",
	  "map linear+0x1000 0x81000 0x21000\nreset-stats\nunmap-range linear+0x1000 0x21000\n",
	  "expect tlbi.leaf == 15\nexpect tlbi.range == 1\n", "linux-6.12",
	  "expect tlbi.leaf == 33\nexpect tlbi.range == 0\n" },
	{ "hot-added memory has large leaves on a CPU with BBM level 3", "bbm=3",
	  "add 0x80000000+128M\n", "expect tables.pte == 0\n", "linux-6.12",
	  "expect tables.pte == 64\n" },
	{ "what is mapped is not mapped again: the library's own rule", "",
	  "map linear 0x80000000 64K\nexpect-error EEXIST map linear 0x80000000 64K\n",
	  "expect entries.written == 16\n", "linux-6.12", "expect entries.written == 16\n" },
};

static void what_7_3_does(void **state)
{
	static struct output output;
	struct run_error error;
	char text[1024];

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(of_7_3) / sizeof(of_7_3[0]); i++) {
		size_t row = i / 2;
		const char *profile = i % 2 ? of_7_3[row].other : "linux-7.3";
		const char *end = i % 2 ? of_7_3[row].otherwise : of_7_3[row].then;
		bool fails = *end == '!';

		snprintf(text, sizeof(text), "machine profile=%s %s\n%s%s", profile,
			 of_7_3[row].keys, of_7_3[row].lines, end + fails);
		if (!run_text(text, NULL, NULL, &output, &error) == fails)
			fail_msg("%s, %s: %u: %s", of_7_3[row].what, profile, error.line,
				 error.message);
	}
}

/*
 * One scenario works in every geometry: after add and remove, only tables that the bounds keep
 * remain.
 */
static void one_scenario_for_every_geometry(void **state)
{
	static const char *const machines[] = {
		"granule=4K va=39",
		"granule=4K va=48",
		"granule=4K va=52",
		"granule=4K va=52 va-actual=48",
		"granule=16K va=36",
		"granule=16K va=47",
		"granule=16K va=48",
		"granule=16K va=52",
		"granule=16K va=52 va-actual=47",
		"granule=64K va=42",
		"granule=64K va=48",
		"granule=64K va=52",
		"granule=64K va=52 va-actual=48",
		"granule=4K va=48 blocks=on cont=on split-check=request",
		"profile=linux-6.12 granule=4K va=48 blocks=on cont=on",
		"granule=64K va=48 blocks=on cont=on",
		"granule=4K va=48 struct-page=56 split-check=request",
		"granule=16K va=47 struct-page=56",
		"granule=64K va=48 tlbi-range=on",
		"granule=4K va=48 block=1G",
	};
	static struct output output;
	struct run_error error;
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
		snprintf(text, sizeof(text),
			 "machine %s boot=on\nadd 0x80000000+1G\nonline 0x80000000+1G\ncheck\n"
			 "offline 0x80000000+1G\nremove 0x80000000+1G\ncheck\n"
			 "add 0x80000000+1G\nremove 0x80000000+1G\ncheck\n",
			 machines[i]);
		if (run_text(text, NULL, NULL, &output, &error))
			fail_msg("%s: %u: %s", machines[i], error.line, error.message);
	}
}

struct defect {
	const char *name, *violation, *bad, *good;
};

/*
 * Scenarios that show a defect, and the same steps done right. The gallery has those of real
 * kernels.
 */
static const struct defect defects[] = {
	{ "two parts of a section share a block whose unused part is not tracked", "memmap-hole",
	  "machine vmemmap-partial=clear-all struct-page=56\nadd 0x80000000+64M device\n"
	  "add 0x84000000+64M device\nremove 0x80000000+64M\ncheck\n",
	  "machine vmemmap-partial=track-unused struct-page=56\nadd 0x80000000+64M device\n"
	  "add 0x84000000+64M device\nremove 0x80000000+64M\ncheck\nremove 0x84000000+64M\n"
	  "expect pages.freed == 512\ncheck\n" },
	{ "an altmap, freed low, hands out frames that are in use", "backing-shared",
	  "machine\naltmap a base=0x80000 reserve=0 free=1024 align=0\n"
	  "vmemmap-populate vmemmap+0 vmemmap+2M altmap=a\n"
	  "vmemmap-populate vmemmap+2M vmemmap+4M altmap=a\n"
	  "vmemmap-free vmemmap+0 vmemmap+2M altmap=a\n"
	  "vmemmap-populate vmemmap+4M vmemmap+6M altmap=a\ncheck\n",
	  "machine\naltmap a base=0x80000 reserve=0 free=1024 align=0\n"
	  "vmemmap-populate vmemmap+0 vmemmap+2M altmap=a\n"
	  "vmemmap-populate vmemmap+2M vmemmap+4M altmap=a\n"
	  "vmemmap-free vmemmap+2M vmemmap+4M altmap=a\n"
	  "vmemmap-populate vmemmap+4M vmemmap+6M altmap=a\ncheck\n" },
	{ "padding that an altmap never gets back", "altmap-lost-padding",
	  "machine\naltmap a base=0x80001 reserve=0 free=1500 align=0\n"
	  "vmemmap-populate vmemmap+0 vmemmap+4K altmap=a\n"
	  "vmemmap-populate vmemmap+2M vmemmap+4M altmap=a\n"
	  "vmemmap-free vmemmap+0 vmemmap+4K altmap=a\n"
	  "vmemmap-free vmemmap+2M vmemmap+4M altmap=a\n"
	  "vmemmap-populate vmemmap+0 vmemmap+2M altmap=a\n"
	  "expect-error ENOMEM vmemmap-populate vmemmap+2M vmemmap+4M altmap=a\ncheck\n",
	  "machine\naltmap a base=0x80000 reserve=0 free=1536 align=0\n"
	  "vmemmap-populate vmemmap+0 vmemmap+2M altmap=a\n"
	  "vmemmap-free vmemmap+0 vmemmap+2M altmap=a\n"
	  "vmemmap-populate vmemmap+0 vmemmap+2M altmap=a\n"
	  "vmemmap-populate vmemmap+2M vmemmap+4M altmap=a\ncheck\n" },
	{ "more is freed to an altmap than it handed out", "altmap-wrapped",
	  "machine\naltmap a base=0x80000 reserve=0 free=512 align=0\n"
	  "vmemmap-populate vmemmap+0 vmemmap+2M\nvmemmap-free vmemmap+0 vmemmap+2M altmap=a\n"
	  "check\n",
	  "machine\naltmap a base=0x80000 reserve=0 free=512 align=0\n"
	  "vmemmap-populate vmemmap+0 vmemmap+2M altmap=a\n"
	  "vmemmap-free vmemmap+0 vmemmap+2M altmap=a\ncheck\n" },
	{ "an altmap where nothing is freed", "altmap-without-free",
	  "machine\naltmap a base=0x80000 reserve=0 free=512 align=0\n"
	  "unmap-range linear+0 4K altmap=a\ncheck\n",
	  "machine\naltmap a base=0x80000 reserve=0 free=512 align=0\n"
	  "unmap-range linear+0 4K\ncheck\n" },
};

/* Each defect is found by its name, and the later behaviour is clean. */
static void defects_are_named(void **state)
{
	static struct output output;
	struct run_error error;

	(void)state;
	for (size_t i = 0; i < sizeof(defects) / sizeof(defects[0]); i++) {
		const struct defect *d = &defects[i];
		int status = run_text(d->bad, NULL, NULL, &output, &error);

		if (status != RUN_FAILED || !strstr(error.message, "check:") ||
		    !strstr(output.text, d->violation))
			fail_msg("%s: %d, %u: %s\n%s", d->name, status, error.line, error.message,
				 output.text);
		status = run_text(d->good, NULL, NULL, &output, &error);
		if (status)
			fail_msg("%s, good: %u: %s\n%s", d->name, error.line, error.message,
				 output.text);
	}
}

/* The report shows tables before, between and after the passes, and the cost of each. */
static void report_tells_the_passes(void **state)
{
	static struct output output;
	struct pgtsim_printer out = { collect, &output };
	struct report report;
	struct run_error error;

	(void)state;
	report_init(&report, &out, false);
	assert_int_equal(run_text("machine profile=linux-5.7\nnote A DIMM goes.\n"
				  "add 0x80000000+128M\nremove 0x80000000+128M\n",
				  NULL, &report.watcher, &output, &error),
			 0);
	assert_non_null(strstr(output.text, "A DIMM goes."));
	assert_non_null(strstr(output.text, "linear map pass 1 (unmap)  32768 leaves cleared, "
					    "32768 VAALE1IS, 65536 DSB, 32768 ISB\n"));
	assert_non_null(strstr(output.text, "tables between       pgd 1 pud 1 pmd 1 pte 64\n"));
	assert_non_null(strstr(output.text, "linear map pass 2 (tables) 66 tables freed"));
	assert_null(strstr(output.text, "\033"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_scenarios),
		cmocka_unit_test(bad_scenarios),
		cmocka_unit_test(nothing_is_run_before_all_is_parsed),
		cmocka_unit_test(profile_can_be_overridden),
		cmocka_unit_test(one_scenario_for_every_geometry),
		cmocka_unit_test(what_7_3_does),
		cmocka_unit_test(defects_are_named),
		cmocka_unit_test(report_tells_the_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
