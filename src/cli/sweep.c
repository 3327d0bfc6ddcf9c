/* SPDX-License-Identifier: MIT */
/* The command sweep: what it costs to remove memory, over kernels, geometries and sizes. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgtsim/machine.h>

#include "file.h"
#include "host_limits.h"
#include "measure.h"
#include "options.h"
#include "scenario/runner.h"
#include "variant.h"

struct sweep {
	const char *profiles, *geometries, *leaves, *sizes, *memmaps;
	const char *with; /* KEY=VALUE,... of the command `machine` */
	uint64_t shard, shards, row;
	bool json, text;
	struct pgtsim_cost_model model;
	int status; /* RUN_NO_MEMORY: the rest is not measured */
};

/* One machine of the sweep. */
struct point {
	const char *profile;
	const struct pgtsim_regime *regime;
	const char *leaves, *memmap;
	uint64_t size;
};

/* In the order of rows; NULL ends a list. */
static const char *const all_leaves[] = { "ptes", "blocks", "cont", NULL };
static const char *const all_memmaps[] = { "off", "on", "force", NULL };

/* The length of an item that begins at `list`, and where the next one does. */
static size_t item(const char *list, const char **next)
{
	size_t length = strcspn(list, ",");

	*next = list + length + (list[length] == ',');
	return length;
}

static bool listed(const char *list, const char *name)
{
	for (const char *next; list && *list; list = next) {
		size_t length = item(list, &next);

		if (strlen(name) == length && !strncmp(list, name, length))
			return true;
	}
	return !list;
}

static uint64_t page(const struct point *point)
{
	return UINT64_C(1) << point->regime->page_shift;
}

/*
 * The command that makes the machine. The memmap and the tables come from boot memory: a
 * thirty-second is enough for both.
 */
static int write_machine(const struct sweep *sweep, const struct point *point, char **text,
			 size_t *length)
{
	const uint64_t unit = UINT64_C(1) << 29;
	uint64_t ram = unit + ((point->size >> 5) + unit - 1) / unit * unit;
	char line[256];
	int written =
		snprintf(line, sizeof(line),
			 "machine profile=%s granule=%" PRIu64 " va=%u ram=0x40000000+%" PRIu64
			 " blocks=%s cont=%s memmap-on-memory=%s checker=off\n",
			 point->profile, page(point), point->regime->va_bits, ram,
			 strcmp(point->leaves, "ptes") ? "on" : "off",
			 strcmp(point->leaves, "cont") ? "off" : "on", point->memmap);

	return variant_of(line, (size_t)written, sweep->with, text, length);
}

/* With memmap on memory up to 6.7, a memory block is added and removed at a time. */
static bool goes_by_block(const struct point *point, const struct pgtsim_machine *machine)
{
	return strcmp(point->memmap, "off") &&
	       machine->pgt.policy->memmap_on_memory != PGTSIM_MOM_6_8;
}

static int add_or_remove(const struct point *point, struct pgtsim_machine *machine, bool removes)
{
	uint64_t block = machine->hotplug.config.block_size;
	uint64_t base = 0x40000000 + pgtsim_memory_ram_count(machine->memory) * page(point);
	uint64_t step = goes_by_block(point, machine) ? block : point->size;
	struct pgtsim_add add = {
		.size = step,
		.memmap_on_memory = strcmp(point->memmap, "off") != 0,
	};
	int ret = 0;

	base = (base + block - 1) & ~(block - 1);
	if (point->size % block)
		return -EINVAL;
	for (uint64_t done = 0; !ret && done < point->size; done += step) {
		add.start = base + done;
		ret = removes ? pgtsim_remove_memory(&machine->hotplug, add.start, step) :
				pgtsim_add_range(&machine->hotplug, &add);
	}
	return ret;
}

/* Adds memory right behind boot memory, and removes it again. Returns the result for the row. */
static const char *remove_it(const struct point *point, struct pgtsim_machine *machine,
			     struct pgtsim_counts *counts)
{
	int ret = add_or_remove(point, machine, false);
	const char *name;

	pgtsim_tlb_reset_counts(&machine->tlb);
	if (!ret)
		ret = add_or_remove(point, machine, true);
	*counts = machine->tlb.counts;
	if (!ret)
		return strcmp(point->memmap, "off") && !counts->altmap_freed ? "memmap-elsewhere" :
									       "ok";
	name = scenario_errno_name(ret);
	return name ? name : "error";
}

static void print_header(const struct sweep *sweep)
{
	size_t count;
	const struct pgtsim_cost_knob *knobs = pgtsim_cost_knobs(&count);
	const char *name;

	if (sweep->text) {
		printf("%-15s %-7s %-6s %-6s %5s  %-8s  %-24s  %s\n", "profile", "pages", "leaves",
		       "memmap", "size", "   time", "  (range)", "refills, not in the time");
		return;
	}
	printf("profile,geometry,leaves,memmap_on_memory,bytes,with,result");
	for (size_t i = 0; (name = measure_name(i)); i++)
		printf(",%s", name);
	for (size_t i = 0; i < count; i++)
		printf(",model.%s", knobs[i].name);
	printf("\n");
}

static void print_text(const struct point *point, const char *result, const struct measure *m)
{
	static const char units[] = " KMGTP";
	uint64_t size = point->size;
	unsigned unit = 0;

	for (; !(size & 1023); size >>= 10)
		unit++;
	printf("%-15s %-7s %-6s %-6s %4" PRIu64 "%c  ", point->profile, point->regime->name,
	       point->leaves, point->memmap, size, units[unit]);
	if (strcmp(result, "ok"))
		printf("%s\n", result);
	else
		printf("%s  (%s to %s)  %s\n", measure_column(m->cost.time).text,
		       measure_column(m->low.time).text, measure_column(m->high.time).text,
		       measure_column(m->cost.refills).text);
}

/* The items of --with, in one column of CSV. */
static void print_with(const char *with)
{
	for (; *with; with++)
		putchar(*with == ',' ? ' ' : *with);
}

static void print_value(const struct sweep *sweep, const char *prefix, const char *name,
			uint64_t value)
{
	if (sweep->json)
		printf(",\"%s%s\":%" PRIu64, prefix, name, value);
	else
		printf(",%" PRIu64, value);
}

static void print_row(const struct sweep *sweep, const struct point *point, const char *result,
		      const struct measure *m)
{
	const char *name;
	size_t count;
	const struct pgtsim_cost_knob *knobs = pgtsim_cost_knobs(&count);

	limits_progress(NULL);
	if (sweep->text) {
		print_text(point, result, m);
		return;
	}
	printf(sweep->json ? "{\"profile\":\"%s\",\"geometry\":\"%s\",\"leaves\":\"%s\","
			     "\"memmap_on_memory\":\"%s\",\"bytes\":%" PRIu64 ",\"with\":\"" :
			     "%s,%s,%s,%s,%" PRIu64 ",",
	       point->profile, point->regime->name, point->leaves, point->memmap, point->size);
	print_with(sweep->with);
	printf(sweep->json ? "\",\"result\":\"%s\"" : ",%s", result);
	for (size_t i = 0; (name = measure_name(i)); i++)
		print_value(sweep, "", name, measure_value(m, i));
	for (size_t i = 0; i < count; i++)
		print_value(sweep, "model.", knobs[i].name,
			    pgtsim_cost_get(&sweep->model, knobs[i].name));
	printf(sweep->json ? "}\n" : "\n");
}

/* Says what is wrong with a machine, and makes that the status of the whole. */
static void fail(struct sweep *sweep, const struct point *point, int status, const char *message)
{
	if (status == RUN_NO_MEMORY)
		file_complain("pgtsim sweep", ENOBUFS);
	else
		fprintf(stderr, "pgtsim sweep: %s %s: %s\n", point->profile, point->regime->name,
			message);
	sweep->status = status;
}

/* Measures on the machine that the text describes. */
static void measure_machine(struct sweep *sweep, const struct point *point, const char *text,
			    size_t length)
{
	const struct run_options options = { .out = { .print = cli_print_nothing } };
	struct scenario_error wrong;
	struct scenario scenario;
	struct run_error error;
	struct measure m = { .counts = { 0 } };
	struct run run;
	int status = scenario_parse(&scenario, text, length, &wrong);
	const char *result;

	if (status) {
		fail(sweep, point, run_parse_status(status), wrong.message);
		return;
	}
	status = run_start(&run, &scenario, &options, &error);
	if (status == RUN_OK) {
		result = remove_it(point, run.machine, &m.counts);
		measure_cost(&m, &sweep->model);
		if (pgtsim_machine_out_of_host_memory(run.machine))
			fail(sweep, point, RUN_NO_MEMORY, NULL);
		else
			print_row(sweep, point, result, &m);
	} else {
		fail(sweep, point, status == RUN_FAILED ? RUN_BAD_SCENARIO : status, error.message);
	}
	run_end(&run);
	scenario_free(&scenario);
}

static void measure_point(struct sweep *sweep, const struct point *point)
{
	char *text;
	size_t length;

	if (sweep->status || limits_stop() || sweep->row++ % sweep->shards != sweep->shard - 1)
		return;
	limits_progress("%s %s %s", point->profile, point->regime->name, point->leaves);
	if (write_machine(sweep, point, &text, &length)) {
		fail(sweep, point, RUN_NO_MEMORY, NULL);
		return;
	}
	measure_machine(sweep, point, text, length);
	free(text);
}

/* A geometry, or memmap on memory, that the profile does not have gets no row. */
static bool has(const char *profile, const struct pgtsim_regime *regime)
{
	struct pgtsim_policy policy;

	pgtsim_policy_init(&policy, profile);
	return regime->va_bits != 52 || regime->page_shift == 16 || policy.lpa2;
}

static bool has_memmap(const char *profile, const char *memmap)
{
	struct pgtsim_policy policy;

	pgtsim_policy_init(&policy, profile);
	return !strcmp(memmap, "off") || policy.memmap_on_memory != PGTSIM_MOM_NONE;
}

static void sweep_sizes(struct sweep *sweep, struct point *point)
{
	for (const char *at = sweep->sizes, *next; *at; at = next) {
		char word[32] = { 0 };

		memcpy(word, at, item(at, &next));
		scenario_number(word, &point->size);
		measure_point(sweep, point);
	}
}

static void sweep_leaves(struct sweep *sweep, struct point *point)
{
	for (const char *const *leaves = all_leaves; *leaves; leaves++) {
		point->leaves = *leaves;
		for (const char *const *memmap = all_memmaps; *memmap; memmap++) {
			point->memmap = *memmap;
			if (listed(sweep->leaves, *leaves) && listed(sweep->memmaps, *memmap) &&
			    has_memmap(point->profile, *memmap))
				sweep_sizes(sweep, point);
		}
	}
}

/* What a table for people has at its end. */
static void print_footer(const struct sweep *sweep)
{
	printf("\n%" PRIu64 " CPUs, %" PRIu64
	       " socket%s, a cost model: pgtsim cost --model says where "
	       "the ranges come from.\n",
	       sweep->model.cpus, sweep->model.sockets, sweep->model.sockets == 1 ? "" : "s");
	measure_print_left_out();
}

static void sweep_all(struct sweep *sweep)
{
	const char *const *profiles = pgtsim_profiles();
	size_t regimes;
	const struct pgtsim_regime *regime = pgtsim_regimes(&regimes);

	if (!sweep->json && sweep->shard == 1)
		print_header(sweep);
	for (; *profiles; profiles++) {
		if (!listed(sweep->profiles, *profiles) ||
		    (!sweep->profiles && !strcmp(*profiles, "latest")))
			continue;
		for (size_t r = 0; r < regimes; r++) {
			struct point point = { .profile = *profiles, .regime = &regime[r] };

			if (listed(sweep->geometries, regime[r].name) && has(*profiles, &regime[r]))
				sweep_leaves(sweep, &point);
		}
	}
}

/* ---- arguments ---- */

static int wrong(const char *what, const char *word, size_t length)
{
	fprintf(stderr, "pgtsim sweep: %s '%.*s'; see pgtsim sweep --help\n", what, (int)length,
		word);
	return -EINVAL;
}

static bool is_profile(const char *name)
{
	struct pgtsim_policy policy;

	return !pgtsim_policy_init(&policy, name);
}

static bool is_geometry(const char *name)
{
	size_t count;
	const struct pgtsim_regime *regimes = pgtsim_regimes(&count);

	for (size_t i = 0; i < count; i++)
		if (!strcmp(regimes[i].name, name))
			return true;
	return false;
}

static bool is_one_of(const char *const *names, const char *name)
{
	while (*names && strcmp(*names, name))
		names++;
	return *names != NULL;
}

static bool is_leaves(const char *name)
{
	return is_one_of(all_leaves, name);
}

static bool is_memmap(const char *name)
{
	return is_one_of(all_memmaps, name);
}

/* The smallest memory blocks there are, up to what the largest linear map holds. */
static bool is_size(const char *word)
{
	uint64_t size;

	return scenario_number(word, &size) && size && !(size & ((1u << 27) - 1)) &&
	       size <= UINT64_C(1) << 46;
}

/* True if each item of the list is valid for its kind. */
static int check_list(const char *list, const char *what, bool (*known)(const char *))
{
	if (!*list)
		return wrong(what, list, 0);
	for (const char *next; *list; list = next) {
		char word[32] = { 0 };
		size_t length = item(list, &next);

		if (length >= sizeof(word))
			return wrong(what, list, length);
		memcpy(word, list, length);
		if (!known(word))
			return wrong(what, list, length);
	}
	return 0;
}

static int take_shard(void *arguments, const char *value)
{
	struct sweep *sweep = arguments;
	char word[32] = { 0 };
	const char *slash = strchr(value, '/');

	if (slash && (size_t)(slash - value) < sizeof(word)) {
		memcpy(word, value, (size_t)(slash - value));
		if (scenario_number(word, &sweep->shard) &&
		    scenario_number(slash + 1, &sweep->shards) && sweep->shard &&
		    sweep->shard <= sweep->shards)
			return 0;
	}
	return wrong("--shard wants I/N, not", value, strlen(value));
}

static int take_profiles(void *arguments, const char *value)
{
	((struct sweep *)arguments)->profiles = value;
	if (strstr(value, "s390-")) {
		fprintf(stderr, "pgtsim sweep: only arm64's kernels are swept, not '%s'\n", value);
		return -EINVAL;
	}
	return check_list(value, "no profile is", is_profile);
}

static int take_geometries(void *arguments, const char *value)
{
	((struct sweep *)arguments)->geometries = value;
	return check_list(value, "no geometry is", is_geometry);
}

static int take_leaves(void *arguments, const char *value)
{
	((struct sweep *)arguments)->leaves = value;
	return check_list(value, "no kind of leaf is", is_leaves);
}

static int take_sizes(void *arguments, const char *value)
{
	((struct sweep *)arguments)->sizes = value;
	return check_list(value, "not a multiple of 128M up to 64T:", is_size);
}

static int take_memmaps(void *arguments, const char *value)
{
	((struct sweep *)arguments)->memmaps = value;
	return check_list(value, "memmap on memory is off, on or force, not", is_memmap);
}

/* Parses a machine with these keys, to say what is wrong with them before anything is measured. */
static int check_with(const char *with)
{
	struct scenario_error error;
	struct scenario scenario;
	char *text;
	size_t length;
	int ret = variant_of("machine", 7, with, &text, &length);

	if (ret) {
		file_complain("pgtsim sweep", ENOMEM);
		return ret;
	}
	ret = scenario_parse(&scenario, text, length, &error);
	if (ret)
		fprintf(stderr, "pgtsim sweep: --with: %s\n", error.message);
	else
		scenario_free(&scenario);
	free(text);
	return ret;
}

/* Keys that a row has a column for, or that the sweep needs as it sets them. */
static int take_with(void *arguments, const char *value)
{
	static const char *const own[] = { "profile", "granule", "va",
					   "blocks",  "cont",    "ram",
					   "iomem",   "checker", "memmap-on-memory" };

	((struct sweep *)arguments)->with = value;
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (variant_change(value, own[i]))
			return wrong("the sweep itself sets", own[i], strlen(own[i]));
	return check_with(value);
}

static int take_cost(void *arguments, const char *value)
{
	return measure_model("sweep", value, &((struct sweep *)arguments)->model);
}

static int command_sweep(int argc, char **argv)
{
	struct sweep sweep = {
		.sizes = "1G,4G,16G", .memmaps = "off", .with = "", .shard = 1, .shards = 1
	};
	struct cli_words words;
	int status;

	pgtsim_cost_model_init(&sweep.model);
	status = cli_parse(&cli_sweep, argc, argv, &sweep, &words);
	if (status != CLI_CONTINUE)
		return status;
	limits_catch_interrupt();
	sweep_all(&sweep);
	limits_progress(NULL);
	if (sweep.text && !sweep.status)
		print_footer(&sweep);
	return sweep.status;
}

#define TAKE(title, shown, function, text)                                                         \
	{                                                                                          \
		.name = title, .value = shown, .kind = CLI_TAKE, .take = function, .meaning = text \
	}

static const struct cli_option options[] = {
	TAKE("profiles", "NAME,...", take_profiles, "kernels (default: all)"),
	TAKE("geometries", "NAME,...", take_geometries,
	     "4K/48, 16K/47 ... (default: all that a kernel can run)"),
	TAKE("leaves", "KIND,...", take_leaves,
	     "of the linear map: ptes, blocks, cont (default: all three)"),
	TAKE("sizes", "SIZE,...", take_sizes,
	     "bytes removed, multiples of 128M (default: 1G,4G,16G)"),
	TAKE("memmap-on-memory", "KIND,...", take_memmaps,
	     "off, on, force: where the memmap is (default: off)"),
	TAKE("with", "KEY=VALUE,...", take_with,
	     "other keys of the scenario command machine: flush=per-leaf,\nrepeat-tlbi=on"),
	TAKE("cost", "NAME=NUMBER,...", take_cost, "change constants of the cost model"),
	TAKE("shard", "I/N", take_shard,
	     "only the I-th of N parts; the header is part 1's, so that\n"
	     "the parts only need concatenating"),
	{ .name = "text",
	  .kind = CLI_FLAG,
	  .offset = offsetof(struct sweep, text),
	  .meaning = "a table for people: times with their ranges" },
	{ .name = "json",
	  .kind = CLI_FLAG,
	  .offset = offsetof(struct sweep, json),
	  .meaning = "one JSON object a line instead of CSV" },
	{ .name = NULL },
};

const struct cli_command cli_sweep = {
	.name = "sweep",
	.summary = "what removals cost, over kernels, geometries and sizes",
	.usage =
		"pgtsim sweep [OPTIONS]   hot-adds and removes memory on many machines, a line each\n",
	.options = options,
	.notes =
		"Counters and costs are those of the removal alone; costs are nanoseconds, constants of the\n"
		"model picoseconds. A size that is no multiple of the kernel's memory block has the result\n"
		"EINVAL. With memmap on memory, kernels up to 6.7 add and remove one block at a time; the\n"
		"result memmap-elsewhere says that the kernel did not put it there.\n",
	.run = command_sweep,
};
