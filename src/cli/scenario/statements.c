/* SPDX-License-Identifier: MIT */
/* statements: the commands that say what must hold, `check` and `expect`. */
#include <inttypes.h>

#include "runner.h"
#include "syntax.h"

static const char *level_name(const struct run *run, int level)
{
	const char *name = pgtsim_level_name(&run->machine->geo, level);

	return name ? name : "-";
}

static int do_check(struct run *run, const struct scenario_command *command)
{
	const struct pgtsim_tlb *tlb = &run->machine->tlb;

	if (command->arg_count)
		pgtsim_checker_set_strict(&run->machine->tlb, true);
	pgtsim_check_machine(run->machine);
	for (size_t i = 0; i < tlb->violation_count; i++) {
		const struct pgtsim_violation *v = &tlb->violations[i];
		const struct pgtsim_violation_kind *kind = pgtsim_violation_kind(v->name);

		pgtsim_printf(&run->options->out, "%s 0x%016" PRIx64 " %s %s: %s; instead: %s\n",
			      kind->name, v->va, level_name(run, v->level), kind->meaning, v->text,
			      kind->instead);
	}
	if (!tlb->counts.violations)
		return 0;
	if (tlb->counts.violations > tlb->violation_count)
		return run_fail(run, command, "check: %" PRIu64 " violations, the first %zu shown",
				tlb->counts.violations, tlb->violation_count);
	return run_fail(run, command, "check: %zu violation%s", tlb->violation_count,
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

static int do_expect(struct run *run, const struct scenario_command *command)
{
	const struct pgtsim_counter *counter = command->args[0].counter;
	uint64_t value = pgtsim_counter_value(&run->machine->tlb.counts, counter);

	if (compare((enum scenario_compare)command->args[1].choice, value, command->args[2].number))
		return 0;
	return run_fail(run, command, "%s: it is %" PRIu64, command->source, value);
}

const struct scenario_row statement_commands[] = {
	COMMAND("check", CHECK, do_check,
		ARGS({ .name = "HOW", .parse = syntax_choice, .choices = CHOICES("strict") }),
		.alone = true, .looks = true),
	COMMAND("expect", EXPECT, do_expect,
		ARGS(ARG("COUNTER", syntax_counter),
		     ARG_CHOICE("OP", "==", "!=", "<", "<=", ">", ">="),
		     ARG("NUMBER", syntax_number)),
		.alone = true, .looks = true),
	COMMANDS_END,
};
