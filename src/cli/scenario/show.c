/* SPDX-License-Identifier: MIT */
/* show: the commands that print, and `access`, which prints what a CPU gets. */
#include <errno.h>
#include <inttypes.h>

#include "runner.h"
#include "syntax.h"

static int do_walk(struct run *run, const struct scenario_command *command)
{
	uint64_t va;
	int ret = run_address(run, &command->args[0], &va);

	if (!ret)
		ret = run_check_range(run, va, 1);
	if (ret)
		return ret;
	pgtsim_dump_walk(&run->machine->pgt, va, &run->options->out);
	return 0;
}

/* The CPUs are made at the first access; their TLBs are empty then. */
static int need_cpus(struct run *run)
{
	const struct scenario_command *machine = &run->scenario->commands[0];

	if (run->cpus)
		return 0;
	return pgtsim_cpus_new(&run->cpus, &run->machine->pgt,
			       (unsigned)scenario_number_or(machine, SCENARIO_KEY_CPUS, 1), 1);
}

static int do_access(struct run *run, const struct scenario_command *command)
{
	unsigned cpu = (unsigned)scenario_number_or(command, SCENARIO_KEY_CPU, 0);
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

static int do_note(struct run *run, const struct scenario_command *command)
{
	(void)run;
	(void)command;
	return 0;
}

const struct scenario_row show_commands[] = {
	COMMAND("walk", WALK, do_walk, ARGS(ARG_VA), .looks = true),
	COMMAND("access", ACCESS, do_access, ARGS(ARG_VA), OPTIONS(NUMBER_INT("cpu", CPU, 0))),
	COMMAND("dump", DUMP, do_dump,
		ARGS({ .name = "FORM",
		       .parse = syntax_choice,
		       .choices = CHOICES("tables", "leaves", "ptdump", "json") }),
		.looks = true),
	COMMAND("stats", STATS, do_stats, NO_ARGS, .looks = true),
	COMMAND("reset-stats", RESET_STATS, do_reset_stats, NO_ARGS),
	COMMAND("echo", ECHO, do_echo, NO_ARGS, .text = true, .alone = true, .looks = true),
	COMMAND("note", NOTE, do_note, NO_ARGS, .text = true, .alone = true, .looks = true),
	COMMANDS_END,
};
