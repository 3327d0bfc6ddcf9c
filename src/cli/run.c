/* SPDX-License-Identifier: MIT */
#include "run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explore.h"

enum { RAM_MAX = 256 };

#ifdef __GNUC__
__attribute__((format(printf, 3, 4)))
#endif
static int
fail(struct run_error *error, const struct scenario_command *command, const char *format, ...)
{
	va_list args;

	error->line = command->line;
	va_start(args, format);
	vsnprintf(error->message, sizeof(error->message), format, args);
	va_end(args);
	return RUN_FAILED;
}

/* ---- values ---- */

static const struct scenario_value *option(const struct scenario_command *command,
					   enum scenario_key key)
{
	return scenario_option(command, key);
}

static bool flag(const struct scenario_command *command, enum scenario_key key)
{
	return option(command, key) != NULL;
}

static uint64_t number_or(const struct scenario_command *command, enum scenario_key key,
			  uint64_t otherwise)
{
	const struct scenario_value *value = option(command, key);

	return value ? value->number : otherwise;
}

static unsigned choice_or(const struct scenario_command *command, enum scenario_key key,
			  unsigned otherwise)
{
	const struct scenario_value *value = option(command, key);

	return value ? value->choice : otherwise;
}

int run_address(const struct run *run, const struct scenario_value *value, uint64_t *va)
{
	const struct pgtsim_layout *layout = &run->machine->layout;
	uint64_t base = 0;

	if (value->address.origin == SCENARIO_LINEAR)
		base = layout->linear_start;
	else if (value->address.origin == SCENARIO_VMEMMAP)
		base = layout->vmemmap_start;
	*va = base + value->address.value;
	return *va < base && *va ? -EINVAL : 0;
}

/* args[0] VA and args[1] SIZE as [*start, *end); an end of 0 is the end of the address space. */
static int va_range(const struct run *run, const struct scenario_command *command, uint64_t *start,
		    uint64_t *end)
{
	uint64_t size = command->args[1].number;
	int ret = run_address(run, &command->args[0], start);

	*end = *start + size;
	return ret ? ret : pgtsim_geometry_check_va(&run->machine->geo, *start, size);
}

static struct pgtsim_altmap *altmap_of(const struct run *run,
				       const struct scenario_command *command)
{
	const struct scenario_value *value = option(command, SCENARIO_KEY_ALTMAP);

	return value ? &run->altmaps[value->altmap] : NULL;
}

/* ---- the machine ---- */

static int read_iomem(const struct run_options *options, const char *name, uint32_t granule,
		      struct pgtsim_ram *ram, size_t *count)
{
	char *text = NULL;
	size_t length = 0;
	int ret = options->read_file ? options->read_file(options->ctx, name, &text, &length) :
				       -ENOENT;

	if (!ret)
		ret = pgtsim_iomem_read(text, length, granule, ram, RAM_MAX);
	free(text);
	if (ret < 0)
		return ret;
	if (ret > RAM_MAX)
		return -E2BIG;
	*count = (size_t)ret;
	return 0;
}

static int collect_ram(const struct run *run, const struct scenario_command *command,
		       struct pgtsim_machine_config *config, struct pgtsim_ram *ram)
{
	const struct scenario_value *iomem = option(command, SCENARIO_KEY_IOMEM);

	config->ram = ram;
	if (iomem)
		return read_iomem(run->options, iomem->word, config->granule, ram,
				  &config->ram_count);
	for (size_t i = 0; i < command->option_count; i++) {
		const struct scenario_option *o = &command->options[i];

		if (o->key != SCENARIO_KEY_RAM)
			continue;
		if (config->ram_count == RAM_MAX)
			return -E2BIG;
		if (o->value.range.size > UINT64_MAX - o->value.range.base)
			return -EINVAL;
		ram[config->ram_count].start = o->value.range.base;
		ram[config->ram_count++].end = o->value.range.base + o->value.range.size;
	}
	return 0;
}

static void set_knobs(const struct scenario_command *command, struct pgtsim_policy *policy)
{
	for (size_t i = 0; i < command->option_count; i++)
		if (command->options[i].key == SCENARIO_KEY_KNOB)
			pgtsim_policy_set(policy, command->options[i].name,
					  command->options[i].value.word);
}

static int create_machine(struct run *run, const struct scenario_command *command)
{
	const struct scenario_value *profile = option(command, SCENARIO_KEY_PROFILE);
	struct pgtsim_machine_config config;
	struct pgtsim_ram ram[RAM_MAX];
	const char *name = profile ? profile->word : "latest";
	uint64_t granule = number_or(command, SCENARIO_KEY_GRANULE, 4096);
	int ret = pgtsim_machine_config_init(&config,
					     run->options->profile ? run->options->profile : name);

	if (ret || granule > UINT32_MAX ||
	    number_or(command, SCENARIO_KEY_CPUS, 1) > PGTSIM_CPUS_MAX)
		return -EINVAL;
	config.granule = (uint32_t)granule;
	config.va_bits = (unsigned)number_or(command, SCENARIO_KEY_VA, config.va_bits);
	config.va_actual = (unsigned)number_or(command, SCENARIO_KEY_VA_ACTUAL, 0);
	config.pa_bits = (unsigned)number_or(command, SCENARIO_KEY_PA, 0);
	config.section_size = number_or(command, SCENARIO_KEY_SECTION, 0);
	config.block_size = number_or(command, SCENARIO_KEY_BLOCK, 0);
	if (number_or(command, SCENARIO_KEY_STRUCT_PAGE, 64) > 64)
		return -EINVAL;
	config.struct_page = (unsigned)number_or(command, SCENARIO_KEY_STRUCT_PAGE, 64);
	config.blocks = choice_or(command, SCENARIO_KEY_BLOCKS, 0);
	config.cont = choice_or(command, SCENARIO_KEY_CONT, 0);
	config.memmap_on_memory = (enum pgtsim_memmap_on_memory)choice_or(
		command, SCENARIO_KEY_MEMMAP_ON_MEMORY, PGTSIM_MEMMAP_OFF);
	config.tlbi_range = choice_or(command, SCENARIO_KEY_TLBI_RANGE, 0);
	config.checker = choice_or(command, SCENARIO_KEY_CHECKER, 1);
	config.bbml2 = choice_or(command, SCENARIO_KEY_BBML2, 0);
	config.boot = choice_or(command, SCENARIO_KEY_BOOT, 0);
	set_knobs(command, &config.policy);
	ret = collect_ram(run, command, &config, ram);
	return ret ? ret : pgtsim_machine_new(&run->machine, &config);
}

/* ---- page-table commands ---- */

static int do_map(struct run *run, const struct scenario_command *command)
{
	const struct pgtsim_policy *policy = &run->machine->policy;
	struct pgtsim_map map = {
		.pa = command->args[1].number,
		.size = command->args[2].number,
		.attrs = policy->prot[choice_or(command, SCENARIO_KEY_PROT, PGTSIM_PROT_TAGGED)],
		.table_attrs = policy->linear_table,
		.blocks = choice_or(command, SCENARIO_KEY_BLOCKS, 1),
		.cont = choice_or(command, SCENARIO_KEY_CONT, 1),
		.region = PGTSIM_REGION_OTHER,
	};
	int ret = run_address(run, &command->args[0], &map.va);

	if (choice_or(command, SCENARIO_KEY_TABLES, SCENARIO_TABLES_NOEXEC) == SCENARIO_TABLES_EXEC)
		map.table_attrs &= ~PGTSIM_DESC_PXNTABLE;
	return ret ? ret : pgtsim_map(&run->machine->pgt, &map);
}

void run_bounds(const struct run *run, uint64_t start, uint64_t end, uint64_t *floor,
		uint64_t *ceiling)
{
	if (run->bounds_set) {
		*floor = run->floor;
		*ceiling = run->ceiling;
	} else {
		pgtsim_machine_bounds(run->machine, start, end, floor, ceiling);
	}
}

static int do_unmap(struct run *run, const struct scenario_command *command)
{
	uint64_t start, end, floor, ceiling;
	int ret = va_range(run, command, &start, &end);

	if (ret)
		return ret;
	run_bounds(run, start, end, &floor, &ceiling);
	return pgtsim_unmap_linear(&run->machine->pgt, start, end - start, floor, ceiling);
}

static int do_unmap_range(struct run *run, const struct scenario_command *command)
{
	struct pgtsim_unmap unmap = {
		.free_mapped = flag(command, SCENARIO_KEY_FREE),
		.altmap = altmap_of(run, command),
		.memory = run->machine->memory,
	};
	int ret = va_range(run, command, &unmap.start, &unmap.end);

	return ret ? ret : pgtsim_unmap_range(&run->machine->pgt, &unmap);
}

static int do_free_tables(struct run *run, const struct scenario_command *command)
{
	uint64_t start, end, floor, ceiling;
	int ret = va_range(run, command, &start, &end);

	if (ret)
		return ret;
	run_bounds(run, start, end, &floor, &ceiling);
	return pgtsim_free_tables(&run->machine->pgt, start, end, floor, ceiling);
}

static int do_bounds(struct run *run, const struct scenario_command *command)
{
	uint64_t floor, ceiling;
	int ret;

	if (flag(command, SCENARIO_KEY_DEFAULT)) {
		run->bounds_set = false;
		return 0;
	}
	ret = run_address(run, &command->args[0], &floor);
	if (!ret)
		ret = run_address(run, &command->args[1], &ceiling);
	if (ret)
		return ret;
	run->bounds_set = true;
	run->floor = floor;
	run->ceiling = ceiling;
	return 0;
}

static int level_of(const struct run *run, const struct scenario_value *value)
{
	int level;

	if (pgtsim_level_of_name(&run->machine->geo, value->word, &level))
		return PGTSIM_PTE + 1;
	return level;
}

static int do_poke(struct run *run, const struct scenario_command *command)
{
	uint64_t va;
	int ret = run_address(run, &command->args[1], &va);

	return ret ? ret :
		     pgtsim_poke(&run->machine->pgt, level_of(run, &command->args[0]), va,
				 command->args[2].number);
}

/* ---- maintenance by hand ---- */

static int do_tlbi(struct run *run, const struct scenario_command *command)
{
	static const enum pgtsim_op ops[] = {
		[SCENARIO_TLBI_LEAF] = PGTSIM_OP_TLBI_LEAF,
		[SCENARIO_TLBI_WALK] = PGTSIM_OP_TLBI_WALK,
		[SCENARIO_TLBI_ALL] = PGTSIM_OP_TLBI_ALL,
	};
	const struct pgtsim_geometry *geo = &run->machine->geo;
	struct pgtsim_event event = {
		.op = ops[command->args[0].choice],
		.level = PGTSIM_PTE,
		.va = pgtsim_va_start(geo),
		.count = 1,
		.size = pgtsim_page_size(geo),
	};
	int ret = command->arg_count > 1 ? run_address(run, &command->args[1], &event.va) : 0;

	if (ret || event.va < pgtsim_va_start(geo))
		return -EINVAL;
	pgtsim_tlb_event(&run->machine->tlb, &event);
	return 0;
}

static int do_barrier(struct run *run, const struct scenario_command *command)
{
	static const enum pgtsim_op ops[] = {
		[SCENARIO_DSB_ISHST] = PGTSIM_OP_DSB_ISHST,
		[SCENARIO_DSB_ISH] = PGTSIM_OP_DSB_ISH,
		[SCENARIO_ISB] = PGTSIM_OP_ISB,
	};
	const struct pgtsim_event event = {
		.op = ops[command->args[0].choice],
		.level = PGTSIM_PTE,
		.count = 1,
	};

	pgtsim_tlb_event(&run->machine->tlb, &event);
	return 0;
}

/* ---- vmemmap and hotplug commands ---- */

static int do_altmap(struct run *run, const struct scenario_command *command)
{
	run->altmaps[command->args[0].altmap] = (struct pgtsim_altmap){
		.base = number_or(command, SCENARIO_KEY_BASE, 0),
		.reserve = number_or(command, SCENARIO_KEY_RESERVE, 0),
		.free = number_or(command, SCENARIO_KEY_FREE_PAGES, 0),
		.align = number_or(command, SCENARIO_KEY_ALIGN, 0),
	};
	return 0;
}

static int do_populate(struct run *run, const struct scenario_command *command)
{
	unsigned flags = flag(command, SCENARIO_KEY_PAGES) ? PGTSIM_POPULATE_PAGES : 0;
	uint64_t start, end;
	int ret = run_address(run, &command->args[0], &start);

	if (!ret)
		ret = run_address(run, &command->args[1], &end);
	return ret ? ret :
		     pgtsim_vmemmap_populate(&run->machine->vmemmap, start, end,
					     altmap_of(run, command), flags);
}

static int do_vmemmap_free(struct run *run, const struct scenario_command *command)
{
	uint64_t start, end;
	int ret = run_address(run, &command->args[0], &start);

	if (!ret)
		ret = run_address(run, &command->args[1], &end);
	return ret ? ret :
		     pgtsim_vmemmap_free(&run->machine->vmemmap, start, end,
					 altmap_of(run, command));
}

static int do_add(struct run *run, const struct scenario_command *command)
{
	const struct scenario_range *range = &command->args[0].range;
	const uint64_t node = number_or(command, SCENARIO_KEY_NODE, 0);
	const struct pgtsim_add add = {
		.start = range->base,
		.size = range->size,
		.node = node < PGTSIM_NODES ? (unsigned)node : PGTSIM_NODES,
		.memmap_on_memory = flag(command, SCENARIO_KEY_MEMMAP_ON_MEMORY),
		.device = flag(command, SCENARIO_KEY_DEVICE),
		.altmap = altmap_of(run, command),
	};

	return pgtsim_add_range(&run->machine->hotplug, &add);
}

static int do_online(struct run *run, const struct scenario_command *command)
{
	const struct scenario_range *range = &command->args[0].range;
	unsigned zone = choice_or(command, SCENARIO_KEY_ZONE, SCENARIO_ZONE_NORMAL);

	return pgtsim_online_memory(&run->machine->hotplug, range->base, range->size,
				    zone == SCENARIO_ZONE_MOVABLE ? PGTSIM_ZONE_MOVABLE :
								    PGTSIM_ZONE_NORMAL);
}

static int do_offline(struct run *run, const struct scenario_command *command)
{
	const struct scenario_range *range = &command->args[0].range;

	return pgtsim_offline_memory(&run->machine->hotplug, range->base, range->size);
}

static int do_use(struct run *run, const struct scenario_command *command)
{
	const struct scenario_range *range = &command->args[0].range;

	return pgtsim_use_memory(&run->machine->hotplug, range->base, range->size,
				 command->args[1].choice == SCENARIO_USE_MOVABLE);
}

static int do_unuse(struct run *run, const struct scenario_command *command)
{
	const struct scenario_range *range = &command->args[0].range;

	return pgtsim_unuse_memory(&run->machine->hotplug, range->base, range->size);
}

static int do_remove(struct run *run, const struct scenario_command *command)
{
	const struct scenario_range *range = &command->args[0].range;

	return pgtsim_remove_memory(&run->machine->hotplug, range->base, range->size);
}

static int do_fail(struct run *run, const struct scenario_command *command)
{
	pgtsim_memory_fail(run->machine->memory, number_or(command, SCENARIO_KEY_NTH, 1),
			   flag(command, SCENARIO_KEY_EVERY));
	return 0;
}

/* ---- commands that print ---- */

static int do_walk(struct run *run, const struct scenario_command *command)
{
	uint64_t va;
	int ret = run_address(run, &command->args[0], &va);

	if (ret || va < pgtsim_va_start(&run->machine->geo))
		return -EINVAL;
	pgtsim_dump_walk(&run->machine->pgt, va, &run->options->out);
	return 0;
}

/* The CPUs come with the first access: what happened before has left nothing in their TLBs. */
static int need_cpus(struct run *run)
{
	const struct scenario_command *machine = &run->scenario->commands[0];

	if (run->cpus)
		return 0;
	return pgtsim_cpus_new(&run->cpus, &run->machine->pgt,
			       (unsigned)number_or(machine, SCENARIO_KEY_CPUS, 1), 1);
}

static int do_access(struct run *run, const struct scenario_command *command)
{
	unsigned cpu = (unsigned)number_or(command, SCENARIO_KEY_CPU, 0);
	const struct pgtsim_pgtable *pgt = &run->machine->pgt;
	const struct pgtsim_printer *out = &run->options->out;
	struct pgtsim_access_result result;
	uint64_t va;
	int ret = run_address(run, &command->args[0], &va);

	if (!ret)
		ret = need_cpus(run);
	if (!ret)
		ret = pgtsim_cpu_access(run->cpus, cpu, va, &result);
	if (ret)
		return ret;
	pgtsim_printf(out, "access 0x%016" PRIx64 " cpu=%u %s ", va, cpu,
		      pgtsim_outcome_name(result.outcome));
	pgtsim_dump_translation(pgt, &result.used, out);
	if (result.outcome == PGTSIM_OUTCOME_STALE_HIT) {
		pgtsim_printf(out, "; the tables say ");
		pgtsim_dump_translation(pgt, &result.now, out);
	}
	pgtsim_printf(out, "\n");
	return 0;
}

static int do_dump(struct run *run, const struct scenario_command *command)
{
	static const enum pgtsim_dump_form forms[] = {
		[SCENARIO_DUMP_TABLES] = PGTSIM_DUMP_TABLES,
		[SCENARIO_DUMP_LEAVES] = PGTSIM_DUMP_LEAVES,
		[SCENARIO_DUMP_PTDUMP] = PGTSIM_DUMP_PTDUMP,
		[SCENARIO_DUMP_JSON] = PGTSIM_DUMP_JSON,
	};
	unsigned form = command->arg_count ? command->args[0].choice : SCENARIO_DUMP_TABLES;

	pgtsim_dump(&run->machine->pgt, &run->machine->layout, forms[form], &run->options->out);
	return 0;
}

static int do_stats(struct run *run, const struct scenario_command *command)
{
	size_t count;
	const struct pgtsim_counter *counters = pgtsim_counters(&count);

	(void)command;
	for (size_t i = 0; i < count; i++)
		pgtsim_printf(&run->options->out, "%s %" PRIu64 "\n", counters[i].name,
			      pgtsim_counter_value(&run->machine->tlb.counts, &counters[i]));
	return 0;
}

static int do_reset_stats(struct run *run, const struct scenario_command *command)
{
	(void)command;
	pgtsim_tlb_reset_counts(&run->machine->tlb);
	return 0;
}

static int do_echo(struct run *run, const struct scenario_command *command)
{
	run->options->out.print(run->options->out.ctx, command->text);
	run->options->out.print(run->options->out.ctx, "\n");
	return 0;
}

static int do_nothing(struct run *run, const struct scenario_command *command)
{
	(void)run;
	(void)command;
	return 0;
}

static int (*const actions[])(struct run *, const struct scenario_command *) = {
	[SCENARIO_MACHINE] = create_machine,
	[SCENARIO_MAP] = do_map,
	[SCENARIO_UNMAP] = do_unmap,
	[SCENARIO_UNMAP_RANGE] = do_unmap_range,
	[SCENARIO_FREE_TABLES] = do_free_tables,
	[SCENARIO_BOUNDS] = do_bounds,
	[SCENARIO_ALTMAP] = do_altmap,
	[SCENARIO_VMEMMAP_POPULATE] = do_populate,
	[SCENARIO_VMEMMAP_FREE] = do_vmemmap_free,
	[SCENARIO_ADD] = do_add,
	[SCENARIO_ONLINE] = do_online,
	[SCENARIO_OFFLINE] = do_offline,
	[SCENARIO_REMOVE] = do_remove,
	[SCENARIO_USE] = do_use,
	[SCENARIO_UNUSE] = do_unuse,
	[SCENARIO_FAIL] = do_fail,
	[SCENARIO_POKE] = do_poke,
	[SCENARIO_TLBI] = do_tlbi,
	[SCENARIO_BARRIER] = do_barrier,
	[SCENARIO_WALK] = do_walk,
	[SCENARIO_ACCESS] = do_access,
	[SCENARIO_DUMP] = do_dump,
	[SCENARIO_STATS] = do_stats,
	[SCENARIO_RESET_STATS] = do_reset_stats,
	[SCENARIO_CHECK] = do_nothing,
	[SCENARIO_EXPECT] = do_nothing,
	[SCENARIO_ECHO] = do_echo,
	[SCENARIO_NOTE] = do_nothing,
	[SCENARIO_ACTOR] = do_nothing,
	[SCENARIO_EXPLORE] = explore_actors,
};

/* ---- statements about the machine ---- */

static const char *level_name(const struct run *run, int level)
{
	const char *name = pgtsim_level_name(&run->machine->geo, level);

	return name ? name : "-";
}

static int check(struct run *run, const struct scenario_command *command, struct run_error *error)
{
	const struct pgtsim_tlb *tlb = &run->machine->tlb;

	pgtsim_check_machine(run->machine);
	for (size_t i = 0; i < tlb->violation_count; i++) {
		const struct pgtsim_violation *v = &tlb->violations[i];
		const struct pgtsim_violation_kind *kind = pgtsim_violation_kind(v->name);

		pgtsim_printf(&run->options->out, "%s 0x%016" PRIx64 " %s %s: %s; instead: %s\n",
			      kind->name, v->va, level_name(run, v->level), kind->meaning, v->text,
			      kind->instead);
	}
	if (!tlb->counts.violations)
		return RUN_OK;
	if (tlb->counts.violations > tlb->violation_count)
		return fail(error, command, "check: %" PRIu64 " violations, the first %zu shown",
			    tlb->counts.violations, tlb->violation_count);
	return fail(error, command, "check: %zu violation%s", tlb->violation_count,
		    tlb->violation_count == 1 ? "" : "s");
}

static bool compare(enum scenario_compare how, uint64_t a, uint64_t b)
{
	switch (how) {
	case SCENARIO_EQUAL:
		return a == b;
	case SCENARIO_NOT_EQUAL:
		return a != b;
	case SCENARIO_LESS:
		return a < b;
	case SCENARIO_LESS_EQUAL:
		return a <= b;
	case SCENARIO_GREATER:
		return a > b;
	case SCENARIO_GREATER_EQUAL:
		return a >= b;
	}
	return false;
}

static int expect(struct run *run, const struct scenario_command *command, struct run_error *error)
{
	const struct pgtsim_counter *counter = command->args[0].counter;
	uint64_t value = pgtsim_counter_value(&run->machine->tlb.counts, counter);

	if (compare((enum scenario_compare)command->args[1].choice, value, command->args[2].number))
		return RUN_OK;
	return fail(error, command, "%s: it is %" PRIu64, command->source, value);
}

/* Whether the command did what its prefix, if any, says. */
static int judge(const struct scenario_command *command, int result, struct run_error *error)
{
	const char *name = result ? scenario_errno_name(result) : "success";

	if (command->tolerated || result == command->expected)
		return RUN_OK;
	if (!name)
		name = "an error";
	if (command->expected)
		return fail(error, command, "%s: expected %s, got %s", command->source,
			    command->expected_name, name);
	return fail(error, command, "%s: %s (%s)", command->source, name, strerror(-result));
}

static int execute(struct run *run, const struct scenario_command *command, struct run_error *error)
{
	int result = 0, status;

	for (struct run_watcher *w = run->options->watchers; w; w = w->next)
		if (w->before)
			w->before(w, run, command);
	if (command->kind == SCENARIO_CHECK) {
		status = check(run, command, error);
	} else if (command->kind == SCENARIO_EXPECT) {
		status = expect(run, command, error);
	} else {
		result = actions[command->kind](run, command);
		status = judge(command, result, error);
	}
	for (struct run_watcher *w = run->options->watchers; w; w = w->next)
		if (w->after)
			w->after(w, run, command, status ? -EIO : result);
	return status;
}

int run_start(struct run *run, const struct scenario *scenario, const struct run_options *options,
	      struct run_error *error)
{
	*run = (struct run){ .scenario = scenario, .options = options };
	run->altmaps = calloc(scenario->altmap_count + 1, sizeof(*run->altmaps));
	if (!run->altmaps)
		return fail(error, &scenario->commands[0], "out of memory");
	return run_step(run, error);
}

int run_step(struct run *run, struct run_error *error)
{
	return execute(run, &run->scenario->commands[run->next++], error);
}

int run_rest(struct run *run, struct run_error *error)
{
	int status = RUN_OK;

	while (status == RUN_OK && run->next < run->scenario->command_count)
		status = run_step(run, error);
	return status;
}

/* Whether a command changes nothing. */
static bool only_looks(const struct scenario_command *command)
{
	switch (command->kind) {
	case SCENARIO_WALK:
	case SCENARIO_DUMP:
	case SCENARIO_STATS:
	case SCENARIO_CHECK:
	case SCENARIO_EXPECT:
	case SCENARIO_ECHO:
	case SCENARIO_NOTE:
	case SCENARIO_EXPLORE:
		return true;
	default:
		return false;
	}
}

static void print_nothing(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

int run_again(struct run *run, const struct run *original, const struct scenario_command *end,
	      struct run_options *options)
{
	struct run_error error;
	int status;

	*options = *original->options;
	options->out = (struct pgtsim_printer){ .print = print_nothing };
	options->watchers = NULL;
	status = run_start(run, original->scenario, options, &error);
	while (status == RUN_OK && &run->scenario->commands[run->next] < end) {
		if (only_looks(&run->scenario->commands[run->next]))
			run->next++;
		else
			status = run_step(run, &error);
	}
	if (status != RUN_OK)
		run_end(run);
	return status == RUN_OK ? 0 : -ENOMEM;
}

void run_end(struct run *run)
{
	pgtsim_cpus_free(&run->cpus);
	pgtsim_machine_free(&run->machine);
	free(run->altmaps);
	run->altmaps = NULL;
}
