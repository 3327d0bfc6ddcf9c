/* SPDX-License-Identifier: MIT */
/* The command sweep: what it costs to remove memory, over kernels, geometries and sizes. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgtsim/machine.h>

#include "measure.h"
#include "run.h"
#include "scenario.h"

static const char sweep_help[] =
	"pgtsim sweep [OPTIONS]   hot-adds and removes memory on many machines, a line each\n"
	"\n"
	"  --profiles=NAME,...      kernels (default: all)\n"
	"  --geometries=NAME,...    4K/48, 16K/47 ... (default: all that a kernel can run)\n"
	"  --leaves=KIND,...        of the linear map: ptes, blocks, cont (default: all three)\n"
	"  --sizes=SIZE,...         bytes removed, whole sections (default: 1G,4G,16G)\n"
	"  --cost=NAME=NUMBER,...   change constants of the cost model\n"
	"  --shard=I/N              only the I-th of N parts; the header is part 1's, so that\n"
	"                           the parts only need concatenating\n"
	"  --json                   one JSON object a line instead of CSV\n"
	"\n"
	"Counters and costs are those of the removal alone; costs are nanoseconds.\n";

struct sweep {
	const char *profiles, *geometries, *leaves, *sizes;
	uint64_t shard, shards, row;
	bool json;
	struct pgtsim_cost_model model;
};

/* One machine of the sweep. */
struct point {
	const char *profile;
	const struct pgtsim_regime *regime;
	const char *leaves;
	uint64_t size;
};

static const char *const all_leaves[] = { "ptes", "blocks", "cont" };

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

/* The memmap and the tables come from boot memory: a thirty-second is enough for both. */
static int build(const struct point *point, struct pgtsim_machine **machine)
{
	struct pgtsim_ram ram = { 0x40000000, 0 };
	struct pgtsim_machine_config config;
	int ret = pgtsim_machine_config_init(&config, point->profile);

	ram.end = ram.start + (UINT64_C(1) << 29) +
		  ((point->size >> 5) + ((1u << 29) - 1)) / (1u << 29) * (1u << 29);
	config.granule = (uint32_t)page(point);
	config.va_bits = point->regime->va_bits;
	config.ram = &ram;
	config.ram_count = 1;
	config.blocks = strcmp(point->leaves, "ptes") != 0;
	config.cont = !strcmp(point->leaves, "cont");
	config.checker = false;
	return ret ? ret : pgtsim_machine_new(machine, &config);
}

/* Adds memory right behind boot memory, and removes it again. */
static int remove_it(const struct point *point, struct pgtsim_machine *machine,
		     struct pgtsim_counts *counts)
{
	uint64_t block = machine->hotplug.config.block_size;
	uint64_t base = 0x40000000 + pgtsim_memory_ram_count(machine->memory) * page(point);
	int ret;

	base = (base + block - 1) & ~(block - 1);
	ret = pgtsim_add_memory(&machine->hotplug, base, point->size);
	pgtsim_tlb_reset_counts(&machine->tlb);
	if (!ret)
		ret = pgtsim_remove_memory(&machine->hotplug, base, point->size);
	*counts = machine->tlb.counts;
	return ret;
}

static void print_header(void)
{
	const char *name;

	printf("profile,geometry,leaves,bytes,result");
	for (size_t i = 0; (name = measure_name(i)); i++)
		printf(",%s", name);
	printf("\n");
}

static void print_row(const struct sweep *sweep, const struct point *point, int ret,
		      const struct measure *m)
{
	const char *result = ret ? scenario_errno_name(ret) : "ok", *name;

	printf(sweep->json ? "{\"profile\":\"%s\",\"geometry\":\"%s\",\"leaves\":\"%s\","
			     "\"bytes\":%" PRIu64 ",\"result\":\"%s\"" :
			     "%s,%s,%s,%" PRIu64 ",%s",
	       point->profile, point->regime->name, point->leaves, point->size,
	       result ? result : "error");
	for (size_t i = 0; (name = measure_name(i)); i++)
		if (sweep->json)
			printf(",\"%s\":%" PRIu64, name, measure_value(m, i));
		else
			printf(",%" PRIu64, measure_value(m, i));
	printf(sweep->json ? "}\n" : "\n");
}

/* A geometry that the profile cannot run is no row. */
static void measure_point(struct sweep *sweep, const struct point *point)
{
	struct pgtsim_machine *machine = NULL;
	struct measure m = { 0 };
	int ret;

	if (sweep->row++ % sweep->shards != sweep->shard - 1)
		return;
	ret = build(point, &machine);
	if (!ret)
		ret = remove_it(point, machine, &m.counts);
	pgtsim_machine_free(&machine);
	pgtsim_cost_of(&m.counts, &sweep->model, &m.cost);
	print_row(sweep, point, ret, &m);
}

static bool runs(const char *profile, const struct pgtsim_regime *regime)
{
	struct pgtsim_policy policy;

	pgtsim_policy_init(&policy, profile);
	return regime->va_bits != 52 || regime->page_shift == 16 || policy.lpa2;
}

static void sweep_sizes(struct sweep *sweep, struct point *point)
{
	for (size_t i = 0; i < sizeof(all_leaves) / sizeof(all_leaves[0]); i++) {
		point->leaves = all_leaves[i];
		if (!listed(sweep->leaves, point->leaves))
			continue;
		for (const char *at = sweep->sizes, *next; *at; at = next) {
			char word[32] = { 0 };

			memcpy(word, at, item(at, &next));
			scenario_number(word, &point->size);
			measure_point(sweep, point);
		}
	}
}

static void sweep_all(struct sweep *sweep)
{
	const char *const *profiles = pgtsim_profiles();
	size_t regimes;
	const struct pgtsim_regime *regime = pgtsim_regimes(&regimes);

	if (!sweep->json && sweep->shard == 1)
		print_header();
	for (; *profiles; profiles++) {
		if (!listed(sweep->profiles, *profiles) ||
		    (!sweep->profiles && !strcmp(*profiles, "latest")))
			continue;
		for (size_t r = 0; r < regimes; r++) {
			struct point point = { .profile = *profiles, .regime = &regime[r] };

			if (listed(sweep->geometries, regime[r].name) &&
			    runs(*profiles, &regime[r]))
				sweep_sizes(sweep, &point);
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

static bool is_leaves(const char *name)
{
	return !strcmp(name, "ptes") || !strcmp(name, "blocks") || !strcmp(name, "cont");
}

/* Whole sections of 64K, so that every geometry can, up to what the largest linear map holds. */
static bool is_size(const char *word)
{
	uint64_t size;

	return scenario_number(word, &size) && size && !(size & ((1u << 29) - 1)) &&
	       size <= UINT64_C(1) << 46;
}

/* Whether each item of a list is one of its kind. */
static int check_list(const char *list, const char *what, bool (*known)(const char *))
{
	for (const char *next; list && *list; list = next) {
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

static int parse_shard(struct sweep *sweep, const char *value)
{
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

static const char *value_of(const char *argument, const char *option)
{
	size_t length = strlen(option);

	return strncmp(argument, option, length) ? NULL : argument + length;
}

static int parse(struct sweep *sweep, const char *argument)
{
	const char *value;

	if ((value = value_of(argument, "--profiles=")))
		return sweep->profiles = value, check_list(value, "no profile is", is_profile);
	if ((value = value_of(argument, "--geometries=")))
		return sweep->geometries = value, check_list(value, "no geometry is", is_geometry);
	if ((value = value_of(argument, "--leaves=")))
		return sweep->leaves = value, check_list(value, "no kind of leaf is", is_leaves);
	if ((value = value_of(argument, "--sizes=")))
		return sweep->sizes = value,
		       check_list(value, "not a multiple of 512M up to 64T:", is_size);
	if ((value = value_of(argument, "--cost=")))
		return measure_model("sweep", value, &sweep->model);
	if ((value = value_of(argument, "--shard=")))
		return parse_shard(sweep, value);
	if (!strcmp(argument, "--json"))
		return sweep->json = true, 0;
	return wrong("unexpected", argument, strlen(argument));
}

int command_sweep(int argc, char **argv)
{
	struct sweep sweep = { .sizes = "1G,4G,16G", .shard = 1, .shards = 1 };

	pgtsim_cost_model_init(&sweep.model);
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--help"))
			return fputs(sweep_help, stdout), RUN_OK;
		if (parse(&sweep, argv[i]))
			return RUN_BAD_SCENARIO;
	}
	sweep_all(&sweep);
	return RUN_OK;
}
