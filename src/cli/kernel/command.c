/* SPDX-License-Identifier: MIT */
/* The command kernel: builds a kernel's functions, and says what is in such a file. */
#define _GNU_SOURCE 1 /* readlink(), setenv(): -std=c11 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host_limits.h"
#include "kernel.h"
#include "options.h"

struct kernel_arguments {
	const char *output;
	uint64_t granule, va, pa, struct_page;
};

/* ---- build ---- */

/* The exit status of diff.py if some of what differs does not run. */
enum { DIFF_NOT_ALL = 10 };

static bool has_script(const char *folder, const char *name, char *script, size_t size)
{
	struct stat status;

	snprintf(script, size, "%s/%s", folder, name);
	return !stat(script, &status);
}

/*
 * Finds a script: where PGTSIM_SHARE says, where it was installed to, or beside the folder of
 * this program if that was moved. Returns whether it is there.
 */
static bool find_script(const char *name, char *script, size_t size)
{
	const char *share = getenv("PGTSIM_SHARE");
	char program[1024], folder[1100], *slash;
	ssize_t length;

	if (share && *share)
		return has_script(share, name, script, size);
	if (has_script(PGTSIM_SHARE, name, script, size))
		return true;
	length = readlink("/proc/self/exe", program, sizeof(program) - 1);
	if (length < 0)
		return false;
	program[length] = '\0';
	slash = strrchr(program, '/');
	if (slash)
		*slash = '\0';
	snprintf(folder, sizeof(folder), "%s/../share/pgtsim/kernel", program);
	return has_script(folder, name, script, size);
}

/* Runs a script, argv[1], for the command `kernel WHAT`. Returns an exit status. */
static int run_script(const char *what, char **argv)
{
	char script[1200];
	int status = 0;
	pid_t child;

	if (!find_script(argv[1], script, sizeof(script))) {
		fprintf(stderr,
			"pgtsim kernel %s: %s is not there: install pgtsim with its share folder, "
			"or say in PGTSIM_SHARE where it is\n",
			what, script);
		return RUN_BAD_SCENARIO;
	}
	argv[1] = script;
	fflush(stdout);
	/* The script gets Ctrl-C, too, and ends: this waits for it. */
	limits_catch_interrupt();
	child = fork();
	if (child == 0) {
		execvp(argv[0], argv);
		_exit(errno == ENOENT ? 127 : 126);
	}
	if (child < 0)
		return RUN_NO_MEMORY;
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		fprintf(stderr, "pgtsim kernel %s: there is no Python: install python3\n", what);
	if (WIFEXITED(status) && WEXITSTATUS(status) == LIMITS_INTERRUPTED)
		return LIMITS_INTERRUPTED;
	if (WIFEXITED(status) && WEXITSTATUS(status) == DIFF_NOT_ALL)
		return RUN_FAILED;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? RUN_OK : RUN_BAD_SCENARIO;
}

/* Returns RUN_OK if Linux has such a configuration and this can build it. */
static int check_geometry(struct kernel_arguments *arguments)
{
	uint64_t kib = arguments->granule >> 10;
	struct pgtsim_geometry geo;

	if (!arguments->pa)
		arguments->pa = arguments->va == 52 ? 52 : 48;
	if (arguments->granule > UINT32_MAX || arguments->va > 52 || arguments->pa > 52 ||
	    pgtsim_geometry_linux(&geo, (uint32_t)arguments->granule, (unsigned)arguments->va, 0,
				  (unsigned)arguments->pa)) {
		fprintf(stderr,
			"pgtsim kernel build: Linux has no configuration with %" PRIu64
			"K pages, %" PRIu64 " bits of VA and %" PRIu64 " of PA\n",
			kib, arguments->va, arguments->pa);
		return RUN_BAD_SCENARIO;
	}
	if (arguments->struct_page == 56 || arguments->struct_page == 64)
		return RUN_OK;
	fprintf(stderr, "pgtsim kernel build: --struct-page is 56 or 64 bytes\n");
	return RUN_BAD_SCENARIO;
}

static int build(struct kernel_arguments *arguments, char *tree)
{
	char python[] = "python3", script[] = "build.py", numbers[4][24];
	char *argv[] = { python,     script,     tree,       (char *)(uintptr_t)arguments->output,
			 numbers[0], numbers[1], numbers[2], numbers[3],
			 NULL };
	int status = check_geometry(arguments);

	if (status != RUN_OK)
		return status;
	if (!arguments->output) {
		fprintf(stderr, "pgtsim kernel build: which file is to be written? say -o FILE\n");
		return RUN_BAD_SCENARIO;
	}
	snprintf(numbers[0], sizeof(numbers[0]), "%" PRIu64, arguments->granule >> 10);
	snprintf(numbers[1], sizeof(numbers[1]), "%" PRIu64, arguments->va);
	snprintf(numbers[2], sizeof(numbers[2]), "%" PRIu64, arguments->pa);
	snprintf(numbers[3], sizeof(numbers[3]), "%" PRIu64, arguments->struct_page);
	return run_script("build", argv);
}

/* ---- diff ---- */

static int diff(char *base, char *tree)
{
	char python[] = "python3", script[] = "diff.py";
	char *argv[] = { python, script, base, tree, NULL };

	return run_script("diff", argv);
}

/* ---- info ---- */

static void print_knobs(const struct kc_kernel *kernel)
{
	unsigned differ;
	const char *profile = kernel_nearest_profile(kernel, &differ);
	struct pgtsim_policy policy;

	if (pgtsim_policy_init(&policy, profile))
		return;
	printf("nearest profile  %s%s\n", profile, differ ? ", except for" : "");
	for (const struct kc_knob *knob = kernel->knobs; knob->name; knob++) {
		const char *value = pgtsim_policy_get(&policy, knob->name);

		if (!value || strcmp(value, knob->value) != 0)
			printf("                 %s=%s\n", knob->name, knob->value);
	}
	printf("read from it    ");
	for (const struct kc_knob *knob = kernel->knobs; knob->name; knob++)
		printf(" %s=%s", knob->name, knob->value);
	putchar('\n');
}

static void print_missing(const struct kc_plug *plug)
{
	for (const struct kc_missing *m = plug->missing; m->function; m++)
		printf("lacks            %s() in %s: no %s\n", m->function, m->file, m->operation);
	puts("library's own    arch_add_memory() and what calls it, online, offline, join; the actors\n"
	     "                 vmalloc and ptdump; locks are empty");
}

static int info(const char *path)
{
	struct kernel kernel;
	int status = kernel_open_or_complain(&kernel, path);
	const struct kc_kernel *k;

	if (status != RUN_OK)
		return status;
	k = kernel.plug->kernel;
	printf("release          %s\n", k->release);
	printf("tree             %s\n", kernel.plug->tree);
	printf("geometry         granule=%uK va=%u pa=%u struct-page=%u section=%uM\n",
	       1u << (k->page_shift - 10), k->va_bits, k->pa_bits, k->struct_page,
	       1u << (k->section_bits - 20));
	print_knobs(k);
	print_missing(kernel.plug);
	kernel_close(&kernel);
	return RUN_OK;
}

/* ---- the command ---- */

static int command_kernel(int argc, char **argv)
{
	struct kernel_arguments arguments = { .granule = 4096, .va = 48, .struct_page = 64 };
	struct cli_words words;
	int status = cli_parse(&cli_kernel, argc, argv, &arguments, &words);

	if (status != CLI_CONTINUE)
		return status;
	if (!strcmp(words.word[0], "diff") && words.count == 3)
		return diff(words.word[1], words.word[2]);
	if (!strcmp(words.word[0], "diff") || words.count == 3)
		fprintf(stderr, "pgtsim kernel: build and info take one, diff takes two: BASE TREE\n");
	else if (!strcmp(words.word[0], "build"))
		return build(&arguments, words.word[1]);
	else if (!strcmp(words.word[0], "info"))
		return info(words.word[1]);
	else
		fprintf(stderr, "pgtsim kernel: there is no 'kernel %s'; it is build, info or diff\n",
			words.word[0]);
	return RUN_BAD_SCENARIO;
}

static const struct cli_option options[] = {
	{ .name = "output",
	  .letter = 'o',
	  .value = "FILE",
	  .kind = CLI_WORD,
	  .offset = offsetof(struct kernel_arguments, output),
	  .meaning = "the file to build; -o is the same" },
	{ .name = "granule",
	  .value = "SIZE",
	  .kind = CLI_SIZE,
	  .offset = offsetof(struct kernel_arguments, granule),
	  .meaning = "the page size: 4K, 16K or 64K (4K)" },
	{ .name = "va",
	  .value = "BITS",
	  .kind = CLI_NUMBER,
	  .offset = offsetof(struct kernel_arguments, va),
	  .meaning = "CONFIG_ARM64_VA_BITS (48)" },
	{ .name = "pa",
	  .value = "BITS",
	  .kind = CLI_NUMBER,
	  .offset = offsetof(struct kernel_arguments, pa),
	  .meaning = "CONFIG_ARM64_PA_BITS (52 with --va=52, else 48)" },
	{ .name = "struct-page",
	  .value = "BYTES",
	  .kind = CLI_NUMBER,
	  .offset = offsetof(struct kernel_arguments, struct_page),
	  .meaning = "the size of a struct page, 56 or 64 (64)" },
	{ .name = NULL },
};

const struct cli_command cli_kernel = {
	.name = "kernel",
	.summary = "take the page-table code of your own kernel tree, to run scenarios on it",
	.usage =
		"pgtsim kernel build TREE -o FILE    compile the tree's functions for this host\n"
		"pgtsim kernel info FILE             say what was built: release, geometry, knobs\n"
		"pgtsim kernel diff BASE TREE        say which functions differ, and which of them run\n",
	.options = options,
	.notes =
		"TREE is an unpacked Linux source, a tarball of one, or a commit of a checkout: DIR@REVISION.\n"
		"FILE is for the option --kernel of other commands: the operations on page tables are then the\n"
		"tree's own functions. It needs a C compiler and Python. FILE holds code of the kernel, which is\n"
		"GPL-2.0, and runs inside pgtsim: build only trees that you trust.\n"
		"\n"
		"Exit status: 0 done, or all that differs runs; 1 some of it does not; 2 the tree cannot be built,\n"
		"or the file not be written or read.\n",
	.wanted = "build, info or diff, and what?",
	.least = 2,
	.most = 3,
	.run = command_kernel,
};
