/* SPDX-License-Identifier: MIT */
/*
 * linux_conformance [--first] [SCRIPTS [FIRST_SEED]]
 *
 * Runs that many random scripts (2000 if nothing is said, else PGTSIM_LINUX_SCRIPTS) spread over
 * all kernels and geometries that were compiled in, on the kernels' own functions and on the
 * library. The first one that differs of each geometry is shrunk and printed; with --first that
 * is the end. The exit status is 1 if any did.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <pgtsim/pgtsim.h>

#include "run.h"

struct row {
	const struct kc_kernel *kernel;
	unsigned va_actual;
	struct kc_tally tally;
	double seconds;
};

enum { MAX_ROWS = 256 };

static size_t make_rows(struct row *row)
{
	size_t n = 0;

	for (size_t i = 0; kc_kernels[i]; i++) {
		const struct kc_kernel *kernel = kc_kernels[i];

		row[n++] = (struct row){ .kernel = kernel, .va_actual = kernel->va_bits };
		if (kernel->va_bits == 52)
			row[n++] = (struct row){ .kernel = kernel,
						 .va_actual = kernel->page_shift == 14 ? 47 : 48 };
	}
	return n;
}

/* What this source does otherwise than the library's profile of its release. */
static void print_knobs(const struct kc_kernel *kernel)
{
	const char *profile = kc_nearest_profile(kernel);
	struct pgtsim_policy policy;

	if (pgtsim_policy_init(&policy, profile))
		return;
	printf("%s: nearest to %s", kernel->release, profile);
	for (const struct kc_knob *knob = kernel->knobs; knob->name; knob++) {
		const char *value = pgtsim_policy_get(&policy, knob->name);

		if (!value || strcmp(value, knob->value) != 0)
			printf(" %s=%s", knob->name, knob->value);
	}
	putchar('\n');
}

static void print_all_knobs(const struct row *row, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!i || strcmp(row[i].kernel->release, row[i - 1].kernel->release) != 0)
			print_knobs(row[i].kernel);
}

static void print_row(const struct row *row)
{
	const struct kc_kernel *k = row->kernel;
	char geometry[40];

	snprintf(geometry, sizeof(geometry), "%uK/%u", 1u << (k->page_shift - 10), k->va_bits);
	if (row->va_actual != k->va_bits)
		snprintf(geometry + strlen(geometry), 8, "@%u", row->va_actual);
	printf("%-9s %-9s %3u %4u %8" PRIu64 " %9" PRIu64 " %12" PRIu64 " %13" PRIu64
	       " %6.2f %6" PRIu64 "\n",
	       k->release, geometry, k->pa_bits, k->struct_page, row->tally.scripts,
	       row->tally.steps, row->tally.events, row->tally.entries, row->seconds,
	       row->tally.differences);
}

static void add_tally(struct kc_tally *sum, const struct kc_tally *one)
{
	sum->scripts += one->scripts;
	sum->steps += one->steps;
	sum->events += one->events;
	sum->entries += one->entries;
	sum->differences += one->differences;
	for (int d = 0; d < KC_DEPARTURES; d++)
		sum->departures[d] += one->departures[d];
	for (int o = 0; o < KC_OVER_LEAVES; o++)
		sum->over_leaf[o] += one->over_leaf[o];
}

static void print_departures(const struct kc_tally *all)
{
	for (int d = 0; d < KC_DEPARTURES; d++)
		printf("%9" PRIu64 " steps %s\n", all->departures[d], kc_departure_names[d]);
	printf("where the library says -EEXIST the kernel stops %" PRIu64 ", rewrites %" PRIu64
	       ", silently keeps %" PRIu64 "\n",
	       all->over_leaf[KC_OVER_BUG], all->over_leaf[KC_OVER_REWRITE],
	       all->over_leaf[KC_OVER_KEEP]);
}

static void print_table(const struct row *row, size_t n)
{
	struct kc_tally all = { 0 };
	double seconds = 0;

	printf("%-9s %-9s %3s %4s %8s %9s %12s %13s %6s %6s\n", "kernel", "geometry", "PA", "page",
	       "scripts", "steps", "events", "entries", "s", "differ");
	for (size_t i = 0; i < n; i++) {
		print_row(&row[i]);
		add_tally(&all, &row[i].tally);
		seconds += row[i].seconds;
	}
	printf("%-29s %7" PRIu64 " %9" PRIu64 " %12" PRIu64 " %13" PRIu64 " %6.2f %6" PRIu64 "\n",
	       "all", all.scripts, all.steps, all.events, all.entries, seconds, all.differences);
	print_departures(&all);
}

/* Leaves out every step without which the script still differs in the same kind of thing. */
static void shrink(struct kc_script *script, const struct kc_kernel *kernel)
{
	enum { KIND = 6 }; /* letters of the text that tell one kind from another */
	struct kc_difference first, difference;

	kc_run(script, kernel, NULL, &first);
	for (unsigned i = script->count; i-- > 0;) {
		struct kc_script less = *script;

		memmove(&less.step[i], &less.step[i + 1],
			(less.count - i - 1) * sizeof(less.step[0]));
		less.count--;
		if (!kc_run(&less, kernel, NULL, &difference) &&
		    !strncmp(difference.text, first.text, KIND))
			*script = less;
	}
}

static void report(struct kc_script *script, const struct row *row)
{
	struct kc_difference difference;
	unsigned before = script->count;

	shrink(script, row->kernel);
	kc_run(script, row->kernel, NULL, &difference);
	printf("seed %" PRIu64 " on %s, page 2^%u, VA %u (%u), PA %u, struct page %u: differs\n",
	       script->seed, row->kernel->release, row->kernel->page_shift, row->kernel->va_bits,
	       row->va_actual, row->kernel->pa_bits, row->kernel->struct_page);
	printf("  %u of %u steps, RAM at 0x%" PRIx64 ":\n", script->count, before,
	       script->ram_start);
	for (unsigned i = 0; i < script->count; i++) {
		printf("  %s %2u ", i == difference.step ? ">" : " ", i);
		kc_step_print(stdout, &script->step[i]);
	}
	printf("  what differs: %s\n", difference.text);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void run_seed(struct row *row, uint64_t seed)
{
	static const enum kc_family families[] = { KC_CALLS, KC_WILD, KC_LIVE, KC_HOTPLUG,
						   KC_WILD,  KC_WILD };
	struct kc_difference difference;
	/* A hash, so that every geometry and CPU meets every family. */
	unsigned family = (unsigned)((seed * UINT64_C(0x9e3779b97f4a7c15) >> 32) % (sizeof(families) / sizeof(families[0])));
	struct kc_script script;
	double start = now();

	kc_running = row->kernel;
	kc_script_make(&script, row->kernel, row->va_actual, seed, families[family]);
	if (!kc_run(&script, row->kernel, &row->tally, &difference) && row->tally.differences == 1)
		report(&script, row);
	row->seconds += now() - start;
}

static uint64_t number(const char *text, const char *otherwise)
{
	return strtoull(text ? text : otherwise, NULL, 0);
}

/* Returns how many differ. */
static uint64_t run_seeds(struct row *row, size_t n, uint64_t first, uint64_t scripts, bool all)
{
	uint64_t differences = 0;

	for (uint64_t i = 0; i < scripts && (all || !differences); i++) {
		struct row *one = &row[i % n];
		uint64_t before = one->tally.differences;

		run_seed(one, first + i);
		differences += one->tally.differences - before;
	}
	return differences;
}

int main(int argc, char **argv)
{
	static struct row row[MAX_ROWS];
	size_t n = make_rows(row);
	bool all = argc < 2 || strcmp(argv[1], "--first") != 0;
	char **argument = argv + (all ? 0 : 1);
	const char *wish = argument[1] ? argument[1] : getenv("PGTSIM_LINUX_SCRIPTS");
	uint64_t scripts = number(wish, "2000");
	uint64_t first = number(argument[1] ? argument[2] : NULL, "1"), differences;

	if (!n) {
		puts("no Linux source was there to compile (see the option linux_source)");
		return 77;
	}
	printf("%" PRIu64 " scripts, seeds from %" PRIu64 "\n", scripts, first);
	print_all_knobs(row, n);
	differences = run_seeds(row, n, first, scripts, all);
	print_table(row, n);
	return differences != 0;
}
