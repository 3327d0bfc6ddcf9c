/* SPDX-License-Identifier: MIT */
/* statements: the commands that say what must hold, `check` and `expect`. */
#include <inttypes.h>
#include <stdio.h>

#include "runner.h"
#include "syntax.h"

static const char *level_name(const struct run *run, int level)
{
	const char *name = pgtsim_level_name(&run->machine->geo, level);

	return name ? name : "-";
}

/*
 * How many violations from this one on are its like: memory behind many neighbours is freed too early. What
 * is said of one holds for each of them. A few are told one by one.
 */
static size_t alike(const struct run *run, size_t first)
{
	const struct pgtsim_tlb *tlb = &run->machine->tlb;
	const struct pgtsim_violation *v = &tlb->violations[first];
	enum { FEW = 8 };
	size_t count = 1;

	while (v->name == PGTSIM_V_FREED_WHILE_MAPPED && first + count < tlb->violation_count &&
	       v[count].name == v->name && v[count].level == v->level &&
	       v[count].va == v[count - 1].va + pgtsim_entry_size(&run->machine->geo, v->level))
		count++;
	return count > FEW ? count : 1;
}

size_t run_print_violation(const struct run *run, size_t first, const struct pgtsim_printer *out)
{
	const struct pgtsim_violation *v = &run->machine->tlb.violations[first];
	const struct pgtsim_violation_kind *kind = pgtsim_violation_kind(v->name);
	size_t count = alike(run, first);
	char more[64];

	snprintf(more, sizeof(more), ", and %zu like it up to 0x%016" PRIx64, count - 1,
		 v[count - 1].va);
	pgtsim_printf(out, "%s 0x%016" PRIx64 " %s %s: %s%s; instead: %s\n", kind->name, v->va,
		      level_name(run, v->level), kind->meaning, v->text, count > 1 ? more : "",
		      kind->instead);
	return count;
}

static int do_check(struct run *run, const struct scenario_command *command)
{
	const struct pgtsim_tlb *tlb = &run->machine->tlb;

	if (command->arg_count)
		pgtsim_checker_set_strict(&run->machine->tlb, true);
	pgtsim_check_machine(run->machine);
	for (size_t i = 0; i < tlb->violation_count;)
		i += run_print_violation(run, i, &run->options->out);
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
