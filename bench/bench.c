/* SPDX-License-Identifier: MIT */
/*
 * bench [--quick] [--json] [--only=NAME] [--limits] [--counts [--against=FILE]]
 *
 * Measures libpgtsim: for each case first the counters, then a line for each time, then a table.
 * Each time stands beside that of a memset of as many bytes as the case has in page tables, done in
 * turn with it. `ratio` is the quotient of the medians, `min_ratio` that of the lowest of each, which
 * says more on a machine that others use, too.
 *
 * --counts prints the counters alone, which are the same on every machine. --against compares them
 * with a file. --limits prints at the end whether each promised time is kept, and exits with status 1
 * if one is not. It needs a machine that does nothing else.
 *
 * Built with the Meson option linux_source, it runs the kernel's own functions, too: linux.c.
 */
#include "bench.h"

#include <stdarg.h>
#include <time.h>

#ifdef __linux__
#include <sys/mman.h>
#endif

enum { MAX_ROUNDS = 101, MAX_TIMES = 8, MAX_ROWS = 512 };

struct times {
	char phase[24], unit[24];
	uint64_t units;
	double ns[MAX_ROUNDS];
	unsigned rounds;
};

/* One line of the table. */
struct row {
	char name[48], phase[24], unit[24];
	double median, low, high, each;
	double memset, memset_low, ratio, ratio_low; /* of the medians, of the lowest */
	uint64_t units;
	unsigned rounds;
};

struct bench {
	bool quick, json, counts_only, limits;
	const char *only;
	FILE *against;
	bool differs;

	char name[48];
	uint64_t bytes;
	struct times memset, times[MAX_TIMES];
	unsigned time_count, round;
	double began;
	void *buffer;
	size_t room;

	struct row rows[MAX_ROWS];
	unsigned row_count;
};

/* volatile, so that the compiler cannot replace the call. */
static void *(*volatile do_memset)(void *, int, size_t) = memset;

void bench_must(bool holds, const char *what, const char *file, int line)
{
	if (holds)
		return;
	fflush(stdout);
	fprintf(stderr, "%s:%d: not true: %s\n", file, line, what);
	exit(1);
}

double bench_now(void)
{
	struct timespec now;

	must(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

bool bench_quick(const struct bench *bench)
{
	return bench->quick || bench->counts_only;
}

bool bench_counts_only(const struct bench *bench)
{
	return bench->counts_only;
}

uint32_t bench_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

const char *bench_size(uint64_t bytes)
{
	static char text[4][24];
	static unsigned next;
	char *out = text[next++ % COUNT(text)];
	const char *unit = "KMGT";

	for (bytes >>= 10; bytes >= 1024 && unit[1]; bytes >>= 10)
		unit++;
	snprintf(out, sizeof(text[0]), "%llu%c", (unsigned long long)bytes, *unit);
	return out;
}

/* ---- the memset ---- */

void *bench_buffer(size_t bytes)
{
	size_t huge = (size_t)2 << 20;
	void *buffer = aligned_alloc(huge, (bytes + huge - 1) & ~(huge - 1));

	must(buffer != NULL);
#ifdef MADV_HUGEPAGE
	madvise(buffer, (bytes + huge - 1) & ~(huge - 1), MADV_HUGEPAGE);
#endif
	return memset(buffer, 1, bytes);
}

static void take_memset(struct bench *bench)
{
	double began;

	if (!bench->bytes || bench->counts_only)
		return;
	if (bench->room < bench->bytes) {
		free(bench->buffer);
		bench->buffer = bench_buffer((size_t)bench->bytes);
		bench->room = (size_t)bench->bytes;
	}
	began = bench_now();
	do_memset(bench->buffer, (int)bench->round, (size_t)bench->bytes);
	bench->memset.ns[bench->memset.rounds++] = bench_now() - began;
}

/* ---- printing ---- */

static int compare_doubles(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double sorted_median(double *ns, unsigned rounds)
{
	qsort(ns, rounds, sizeof(*ns), compare_doubles);
	return rounds ? ns[rounds / 2] : 0;
}

static void print_line(const struct bench *bench, const struct row *row)
{
	if (bench->json)
		return;
	printf("time %s %s rounds=%u median_ns=%.0f min_ns=%.0f max_ns=%.0f units=%llu unit=%s "
	       "ns_each=%.3f memset_ns=%.0f memset_min_ns=%.0f ratio=%.2f min_ratio=%.2f\n",
	       row->name, row->phase, row->rounds, row->median, row->low, row->high,
	       (unsigned long long)row->units, row->unit, row->each, row->memset, row->memset_low,
	       row->ratio, row->ratio_low);
}

static struct row *add_row(struct bench *bench, const char *phase, const char *unit)
{
	struct row *row = &bench->rows[bench->row_count++];

	must(bench->row_count <= MAX_ROWS);
	*row = (struct row){ .units = 1 };
	snprintf(row->name, sizeof(row->name), "%s", bench->name);
	snprintf(row->phase, sizeof(row->phase), "%s", phase);
	snprintf(row->unit, sizeof(row->unit), "%s", unit);
	return row;
}

static void finish_case(struct bench *bench)
{
	double base = sorted_median(bench->memset.ns, bench->memset.rounds);

	for (unsigned i = 0; !bench->counts_only && i < bench->time_count; i++) {
		struct times *times = &bench->times[i];
		struct row *row = add_row(bench, times->phase, times->unit);

		row->median = sorted_median(times->ns, times->rounds);
		row->low = times->ns[0];
		row->high = times->ns[times->rounds - 1];
		row->rounds = times->rounds;
		row->units = times->units;
		row->each = row->median / (double)times->units;
		row->memset = base;
		row->memset_low = bench->memset.ns[0];
		row->ratio = base > 0 ? row->median / base : 0;
		row->ratio_low = base > 0 ? row->low / row->memset_low : 0;
		print_line(bench, row);
	}
	fflush(stdout);
}

void bench_value(struct bench *bench, const char *what, double value, const char *unit)
{
	struct row *row = add_row(bench, what, unit);

	row->each = value;
	row->units = 0;
	if (!bench->json)
		printf("value %s %s %.3f %s\n", row->name, what, value, unit);
}

static void print_table(const struct bench *bench)
{
	printf("\n%-26s %-12s %12s %24s %10s %-10s %8s %8s\n", "case", "phase", "median us",
	       "lowest .. highest", "ns each", "", "x memset", "lowest");
	for (unsigned i = 0; i < bench->row_count; i++) {
		const struct row *row = &bench->rows[i];

		if (!row->units) {
			printf("%-26s %-12s %48.3f %s\n", row->name, row->phase, row->each,
			       row->unit);
			continue;
		}
		printf("%-26s %-12s %12.1f %12.1f %11.1f %10.3f %-10s", row->name, row->phase,
		       row->median / 1e3, row->low / 1e3, row->high / 1e3, row->each, row->unit);
		if (row->ratio > 0)
			printf(" %8.2f %8.2f", row->ratio, row->ratio_low);
		printf("\n");
	}
}

static void print_json(const struct bench *bench)
{
	printf("[");
	for (unsigned i = 0; i < bench->row_count; i++) {
		const struct row *row = &bench->rows[i];

		printf("%s\n  {\"case\": \"%s\", \"phase\": \"%s\", \"unit\": \"%s\", ",
		       i ? "," : "", row->name, row->phase, row->unit);
		if (!row->units) {
			printf("\"value\": %.3f}", row->each);
			continue;
		}
		printf("\"units\": %llu, \"rounds\": %u, \"median_ns\": %.0f, \"min_ns\": %.0f, "
		       "\"max_ns\": %.0f, \"ns_each\": %.4f, \"memset_ns\": %.0f, "
		       "\"memset_min_ns\": %.0f, \"ratio\": %.3f, \"min_ratio\": %.3f}",
		       (unsigned long long)row->units, row->rounds, row->median, row->low,
		       row->high, row->each, row->memset, row->memset_low, row->ratio,
		       row->ratio_low);
	}
	printf("\n]\n");
}

/* ---- limits ---- */

/*
 * What a median may be at most, as a multiple of another one. Without `of_phase` the other one is
 * the memset beside it, or, where there is none, a microsecond for each unit.
 */
struct limit {
	const char *name, *phase, *of_name, *of_phase;
	double most;
};

static const struct limit limits[] = {
	{ "linear/ptes/1G", "all", NULL, NULL, 2.4 },
	{ "linear/ptes/256G", "all", NULL, NULL, 0.8 },
	{ "linear/2M/64G", "all", NULL, NULL, 3.5 },
	{ "vmemmap/pages/64G", "all", NULL, NULL, 6 },
	{ "linear/ptes-checked/16G", "all", "linear/ptes/16G", "all", 2 },
	{ "linear/2M-checked/64G", "all", "linear/2M/64G", "all", 2 },
	{ "translate/ptes/16G", "independent", "translate/ptes/16G", "bare", 2 },
	{ "churn/ptes", "add-last", "churn/ptes", "add-first", 1.2 },
	{ "churn/ptes", "remove-last", "churn/ptes", "remove-first", 1.2 },
	{ "live/split/64G", "split", "live/split/64G", "map", 3 },
	{ "small/ptes/64G", "map", "small/ptes/64G", "bare-map", 4 },
	{ "small/ptes/64G", "unmap", "small/ptes/64G", "bare-unmap", 7 },
	{ "machine", "create-free", NULL, NULL, 60 },
	{ "machine", "add-remove", NULL, NULL, 100 },
};

static const struct row *find_row(const struct bench *bench, const char *name, const char *phase)
{
	for (unsigned i = 0; i < bench->row_count; i++)
		if (!strcmp(bench->rows[i].name, name) && !strcmp(bench->rows[i].phase, phase))
			return &bench->rows[i];
	return NULL;
}

/* Prints each limit whose case was run. Returns whether all of them are kept. */
static bool check_limits(const struct bench *bench)
{
	bool kept = true;

	for (size_t i = 0; i < COUNT(limits); i++) {
		const struct limit *limit = &limits[i];
		const struct row *row = find_row(bench, limit->name, limit->phase);
		const struct row *of = NULL;
		double is;

		if (limit->of_name)
			of = find_row(bench, limit->of_name, limit->of_phase);
		if (!row || (limit->of_name && !of))
			continue;
		is = of ? row->each / of->each : row->ratio > 0 ? row->ratio : row->each / 1e3;
		printf("limit %s %s %.2f of at most %.2f: %s\n", limit->name, limit->phase, is,
		       limit->most, is <= limit->most ? "kept" : "EXCEEDED");
		kept = kept && is <= limit->most;
	}
	return kept;
}

/* ---- a case ---- */

bool bench_start(struct bench *bench, uint64_t bytes, const char *name, ...)
{
	va_list args;

	va_start(args, name);
	vsnprintf(bench->name, sizeof(bench->name), name, args);
	va_end(args);
	if (bench->only && !strstr(bench->name, bench->only))
		return false;
	bench->bytes = bytes;
	bench->memset.rounds = bench->time_count = bench->round = 0;
	memset(bench->times, 0, sizeof(bench->times));
	bench->began = bench_now();
	return true;
}

/* Goes on for half a second and at least 5 rounds, an odd number. The first is not measured. */
bool bench_round(struct bench *bench)
{
	double spent = bench_now() - bench->began, enough = bench->quick ? 5e7 : 5e8;
	unsigned least = bench->counts_only ? 1 : 6;

	if (bench->round >= least && (bench->counts_only || bench->round > MAX_ROUNDS ||
				      (spent >= enough && bench->round % 2 == 0))) {
		finish_case(bench);
		return false;
	}
	if (bench->round)
		take_memset(bench);
	bench->round++;
	return true;
}

void bench_time(struct bench *bench, const char *phase, double ns, uint64_t units, const char *unit)
{
	unsigned i = 0;

	if (bench->round == 1)
		return;
	while (i < bench->time_count && strcmp(bench->times[i].phase, phase) != 0)
		i++;
	must(i < MAX_TIMES);
	if (i == bench->time_count) {
		bench->time_count++;
		snprintf(bench->times[i].phase, sizeof(bench->times[i].phase), "%s", phase);
		snprintf(bench->times[i].unit, sizeof(bench->times[i].unit), "%s", unit);
		bench->times[i].units = units;
	}
	bench->times[i].ns[bench->times[i].rounds++] = ns;
}

/* Compares a line of counters with the next one of the file. */
static void compare_line(struct bench *bench, const char *line)
{
	char expected[1024] = "";

	if (!bench->against)
		return;
	if (fgets(expected, sizeof(expected), bench->against) && !strcmp(expected, line))
		return;
	if (!bench->differs)
		fprintf(stderr, "the counts are not as expected\n- %s+ %s", expected, line);
	bench->differs = true;
}

void bench_counts(struct bench *bench, const char *phase, const struct pgtsim_counts *before,
		  const struct pgtsim_counts *after)
{
	size_t n, used;
	const struct pgtsim_counter *counters = pgtsim_counters(&n);
	char line[1024];

	if (bench->round != 1)
		return;
	used = (size_t)snprintf(line, sizeof(line), "counts %s %s", bench->name, phase);
	for (size_t i = 0; i < n; i++) {
		uint64_t a = pgtsim_counter_value(before, &counters[i]);
		uint64_t b = pgtsim_counter_value(after, &counters[i]);

		if (a != b)
			used += (size_t)snprintf(line + used, sizeof(line) - used, " %s=%lld",
						 counters[i].name, (long long)(b - a));
		must(used < sizeof(line) - 1);
	}
	snprintf(line + used, sizeof(line) - used, "\n");
	if (!bench->json)
		fputs(line, stdout);
	compare_line(bench, line);
}

/* ---- the program ---- */

static void usage(void)
{
	fprintf(stderr, "usage: bench [--quick] [--json] [--only=NAME] [--limits] "
			"[--counts [--against=FILE]]\n");
	exit(2);
}

static void read_option(struct bench *bench, const char *option)
{
	if (!strcmp(option, "--quick")) {
		bench->quick = true;
	} else if (!strcmp(option, "--json")) {
		bench->json = true;
	} else if (!strcmp(option, "--counts")) {
		bench->counts_only = true;
	} else if (!strcmp(option, "--limits")) {
		bench->limits = true;
	} else if (!strncmp(option, "--only=", 7)) {
		bench->only = option + 7;
	} else if (!strncmp(option, "--against=", 10)) {
		bench->against = fopen(option + 10, "r");
		if (!bench->against)
			perror(option + 10);
		must(bench->against != NULL);
	} else {
		usage();
	}
}

int main(int argc, char **argv)
{
	static struct bench bench;
	char rest[2];

	for (int i = 1; i < argc; i++)
		read_option(&bench, argv[i]);
	bench_linear(&bench);
#ifdef BENCH_LINUX
	bench_linux(&bench);
#endif
	bench_hotplug(&bench);
	bench_vmemmap(&bench);
	bench_translate(&bench);
	bench_live(&bench);
	bench_small(&bench);
	bench_churn(&bench);
	if (!bench.counts_only) {
		bench_machines(&bench);
		bench_threads(&bench);
	}
	if (bench.against && !bench.differs && fgets(rest, sizeof(rest), bench.against)) {
		fprintf(stderr, "more counts were expected\n");
		bench.differs = true;
	}
	if (bench.json)
		print_json(&bench);
	else if (!bench.counts_only)
		print_table(&bench);
	free(bench.buffer);
	if (bench.against)
		fclose(bench.against);
	if (bench.limits && !check_limits(&bench))
		return 1;
	return bench.differs;
}
