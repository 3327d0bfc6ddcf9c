/* SPDX-License-Identifier: MIT */
/* maintenance: the commands that issue one invalidate or one barrier. */
#include <errno.h>

#include "runner.h"
#include "syntax.h"

static unsigned cpu_of(const struct scenario_command *command)
{
	return (unsigned)scenario_number_or(command, SCENARIO_KEY_CPU, 0);
}

/* Which CPUs an invalidate reaches. */
static uint8_t scope_of(const struct scenario_command *command)
{
	if (scenario_flag(command, SCENARIO_KEY_LOCAL))
		return PGTSIM_SCOPE_LOCAL;
	if (scenario_flag(command, SCENARIO_KEY_OS))
		return PGTSIM_SCOPE_OS;
	return scenario_flag(command, SCENARIO_KEY_IOMMU_ONLY) ? PGTSIM_SCOPE_IOMMU :
								 PGTSIM_SCOPE_IS;
}

/* The level hint as the operand holds it: granule (1: 4K, 2: 16K, 3: 64K) and level; 0 for none. */
static uint8_t hint_of(const struct run *run, const struct scenario_command *command)
{
	const struct scenario_value *ttl = scenario_option(command, SCENARIO_KEY_TTL);
	unsigned granule = (run->machine->geo.page_shift - 10u) / 2;

	return ttl ? (uint8_t)(granule << 2 | ttl->number) : 0;
}

/* s390's kernel flushes by one IDTE, whatever the range. */
static int do_idte(struct run *run, const struct scenario_command *command)
{
	if (command->args[0].choice != SCENARIO_TLBI_ALL || scope_of(command) != PGTSIM_SCOPE_IS)
		return run_refuse(run, -EINVAL,
				  "s390 invalidates all at once, for all CPUs: tlbi all");
	pgtsim_invalidate(&run->machine->tlb, PGTSIM_OP_IDTE, 0, 0, cpu_of(command),
			  PGTSIM_SCOPE_IS, 0);
	return 0;
}

static int do_tlbi(struct run *run, const struct scenario_command *command)
{
	static const enum pgtsim_op ops[] = {
		[SCENARIO_TLBI_LEAF] = PGTSIM_OP_TLBI_LEAF,
		[SCENARIO_TLBI_WALK] = PGTSIM_OP_TLBI_WALK,
		[SCENARIO_TLBI_ALL] = PGTSIM_OP_TLBI_ALL,
		[SCENARIO_TLBI_RANGE] = PGTSIM_OP_TLBI_RANGE,
		[SCENARIO_TLBI_RANGE_WALK] = PGTSIM_OP_TLBI_RANGE_WALK,
	};
	const struct pgtsim_geometry *geo = &run->machine->geo;
	struct pgtsim_event event = {
		.op = ops[command->args[0].choice],
		.level = PGTSIM_PTE,
		.va = pgtsim_va_start(geo),
		.count = 1,
		.size = pgtsim_page_size(geo),
		.cpu = cpu_of(command),
		.scope = scope_of(command),
		.ttl = hint_of(run, command),
	};
	int ret = command->arg_count > 1 ? run_address(run, &command->args[1], &event.va) : 0;

	if (geo->format == PGTSIM_FORMAT_S390)
		return do_idte(run, command);
	if (command->arg_count > 2)
		event.size = command->args[2].number;
	if (!ret)
		ret = run_check_range(run, event.va, 1);
	if (ret)
		return ret;
	if (!event.size)
		return run_refuse(run, -EINVAL, "the range is empty");
	pgtsim_tlb_event(&run->machine->tlb, &event);
	return 0;
}

static int do_barrier(struct run *run, const struct scenario_command *command)
{
	if (run->machine->geo.format == PGTSIM_FORMAT_S390)
		return run_refuse(run, -EINVAL,
				  "s390 has no such barrier: stores keep their order");

	static const enum pgtsim_op ops[] = {
		[SCENARIO_DSB_ISHST] = PGTSIM_OP_DSB_ISHST,
		[SCENARIO_DSB_ISH] = PGTSIM_OP_DSB_ISH,
		[SCENARIO_ISB] = PGTSIM_OP_ISB,
		[SCENARIO_DSB_ISHLD] = PGTSIM_OP_DSB_ISHLD,
		[SCENARIO_DSB_NSH] = PGTSIM_OP_DSB_NSH,
		[SCENARIO_DSB_OSH] = PGTSIM_OP_DSB_OSH,
		[SCENARIO_DSB_SY] = PGTSIM_OP_DSB_SY,
		[SCENARIO_DMB_ISHST] = PGTSIM_OP_DMB_ISHST,
		[SCENARIO_DMB_ISH] = PGTSIM_OP_DMB_ISH,
		[SCENARIO_DMB_ISHLD] = PGTSIM_OP_DMB_ISHLD,
	};
	const struct pgtsim_event event = {
		.op = ops[command->args[0].choice],
		.level = PGTSIM_PTE,
		.count = 1,
		.cpu = cpu_of(command),
	};

	pgtsim_tlb_event(&run->machine->tlb, &event);
	return 0;
}

static int check_tlbi(struct parser *p)
{
	static const size_t needed[] = {
		[SCENARIO_TLBI_LEAF] = 2,  [SCENARIO_TLBI_WALK] = 2,       [SCENARIO_TLBI_ALL] = 1,
		[SCENARIO_TLBI_RANGE] = 3, [SCENARIO_TLBI_RANGE_WALK] = 3,
	};

	if (p->command->arg_count != needed[p->command->args[0].choice])
		return syntax_fail(p, "write 'tlbi leaf VA', 'tlbi walk VA', 'tlbi all', "
				      "'tlbi range VA SIZE' or 'tlbi range-walk VA SIZE'");
	if (syntax_given(p, "local") + syntax_given(p, "os") + syntax_given(p, "iommu") > 1)
		return syntax_fail(p, "an invalidate is for 'local', 'os' or 'iommu', one of them");
	return 0;
}

const struct scenario_row tlb_commands[] = {
	COMMAND("tlbi", TLBI, do_tlbi,
		ARGS(ARG_CHOICE("WHAT", "leaf", "walk", "all", "range", "range-walk"),
		     ARG_OPTIONAL("VA", syntax_address), ARG_OPTIONAL("SIZE", syntax_number)),
		OPTIONS(FLAG("local", LOCAL), FLAG("os", OS), FLAG("iommu", IOMMU_ONLY),
			{ .name = "ttl",
			  .parse = syntax_number,
			  .key = SCENARIO_KEY_TTL,
			  .most = 3 },
			NUMBER_INT("cpu", CPU, 0)),
		.finish = check_tlbi),
	COMMAND("barrier", BARRIER, do_barrier,
		ARGS(ARG_CHOICE("WHICH", "dsb-ishst", "dsb-ish", "isb", "dsb-ishld", "dsb-nsh",
				"dsb-osh", "dsb-sy", "dmb-ishst", "dmb-ish", "dmb-ishld")),
		OPTIONS(NUMBER_INT("cpu", CPU, 0))),
	COMMANDS_END,
};
