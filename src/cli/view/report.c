/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BOLD "\033[1m"
#define DIM "\033[2m"
#define RED "\033[31m"
#define PLAIN "\033[0m"

enum { LINEAR, VMEMMAP, OTHER };
enum { MAP, POPULATE, PASS_1, PASS_2 };

static const char *style(const struct report *report, const char *code)
{
	return report->colour ? code : "";
}

/* ---- what the observer sees ---- */

/* Ends the current part: adds what was counted since it began to its cost. */
static void close_part(struct report *report)
{
	const struct pgtsim_counts *now = &report->machine->tlb.counts;
	struct report_part *part = report->current;
	size_t count;
	const struct pgtsim_counter *counters = pgtsim_counters(&count);

	for (size_t i = 0; part && i < count; i++) {
		uint64_t *total = (uint64_t *)(void *)((char *)&part->cost + counters[i].offset);

		*total += pgtsim_counter_value(now, &counters[i]) -
			  pgtsim_counter_value(&report->mark, &counters[i]);
	}
	if (part)
		part->after = *now;
	report->mark = *now;
	report->current = NULL;
}

static unsigned region_of(const struct report *report, uint64_t va)
{
	const struct pgtsim_layout *layout = &report->machine->layout;

	if (va >= layout->vmemmap_start && va < layout->vmemmap_end)
		return VMEMMAP;
	return va >= layout->linear_start && va < layout->page_end ? LINEAR : OTHER;
}

static void see(struct pgtsim_observer *observer, const struct pgtsim_event *event)
{
	struct report *report =
		(struct report *)(void *)((char *)observer - offsetof(struct report, observer));

	if (event->op < PGTSIM_OP_BEGIN_MAP || event->op > PGTSIM_OP_BEGIN_PASS_2)
		return;
	close_part(report);
	report->current =
		&report->part[region_of(report, event->va)][event->op - PGTSIM_OP_BEGIN_MAP];
	report->current->times++;
}

/* ---- what is printed ---- */

struct amount {
	size_t offset;
	const char *one, *many;
};

#define AMOUNT(field, one, many)                                 \
	{                                                        \
		offsetof(struct pgtsim_counts, field), one, many \
	}

static const struct amount amounts[] = {
	AMOUNT(leaves_mapped, "leaf mapped", "leaves mapped"),
	AMOUNT(leaves_cleared, "leaf cleared", "leaves cleared"),
	AMOUNT(memmap_found, "page found mapped", "pages found mapped"),
	AMOUNT(memmap_kept, "page left mapped", "pages left mapped"),
	AMOUNT(altmap_kept, "of it not given back to the altmap",
	       "of them not given back to the altmap"),
	AMOUNT(tables_allocated, "table built", "tables built"),
	AMOUNT(tables_freed, "table freed", "tables freed"),
	AMOUNT(tables_kept, "empty table kept", "empty tables kept"),
	AMOUNT(pages_freed, "page freed", "pages freed"),
	AMOUNT(tlbi_leaf, "VAALE1IS", "VAALE1IS"),
	AMOUNT(tlbi_walk, "VAAE1IS", "VAAE1IS"),
	AMOUNT(tlbi_range, "RVAALE1IS", "RVAALE1IS"),
	AMOUNT(tlbi_all, "VMALLE1IS", "VMALLE1IS"),
	AMOUNT(dsb, "DSB", "DSB"),
	AMOUNT(isb, "ISB", "ISB"),
};

static uint64_t amount_of(const struct pgtsim_counts *counts, const struct amount *amount)
{
	uint64_t value;

	memcpy(&value, (const char *)counts + amount->offset, sizeof(value));
	return value;
}

/* Prints the counters that are not 0 and `end`, or `idle` if all are 0. */
static void print_cost(const struct report *report, const struct pgtsim_counts *cost,
		       const char *idle, const char *end)
{
	bool s390 = report->machine->geo.format == PGTSIM_FORMAT_S390;
	const char *separator = "";

	for (size_t i = 0; i < sizeof(amounts) / sizeof(amounts[0]); i++) {
		uint64_t value = amount_of(cost, &amounts[i]);
		const char *word;

		if (!value)
			continue;
		word = value == 1 ? amounts[i].one : amounts[i].many;
		if (s390 && amounts[i].offset == offsetof(struct pgtsim_counts, tlbi_all))
			word = "IDTE";
		pgtsim_printf(&report->out, "%s%" PRIu64 " %s", separator, value, word);
		separator = ", ";
	}
	pgtsim_printf(&report->out, "%s\n", *separator ? end : idle);
}

static void print_tables(const struct report *report, const char *when,
			 const struct pgtsim_counts *counts)
{
	const struct pgtsim_geometry *geo = &report->machine->geo;
	const uint64_t live[] = { counts->tables_pgd, counts->tables_p4d, counts->tables_pud,
				  counts->tables_pmd, counts->tables_pte };

	pgtsim_printf(&report->out, "  %stables %-13s", style(report, DIM), when);
	for (int level = pgtsim_root_level(geo); level <= PGTSIM_PTE; level++) {
		unsigned slot = level == pgtsim_root_level(geo) ? 0 : pgtsim_slot(level);

		pgtsim_printf(&report->out, " %s %" PRIu64, pgtsim_level_name(geo, level),
			      live[slot]);
	}
	pgtsim_printf(&report->out, "%s\n", style(report, PLAIN));
}

static bool tables_differ(const struct pgtsim_counts *a, const struct pgtsim_counts *b)
{
	return a->tables_pgd != b->tables_pgd || a->tables_p4d != b->tables_p4d ||
	       a->tables_pud != b->tables_pud || a->tables_pmd != b->tables_pmd ||
	       a->tables_pte != b->tables_pte;
}

static void print_parts(const struct report *report, unsigned region, const char *idle,
			const char *memmap)
{
	static const char *const regions[REPORT_REGIONS] = {
		[LINEAR] = "linear map",
		[VMEMMAP] = "vmemmap",
		[OTHER] = "other",
	};
	static const char *const parts[REPORT_PARTS] = {
		[MAP] = "map",
		[POPULATE] = "populate",
		[PASS_1] = "pass 1 (unmap)",
		[PASS_2] = "pass 2 (tables)",
	};

	bool s390 = report->machine->geo.format == PGTSIM_FORMAT_S390;

	for (unsigned i = 0; i < REPORT_PARTS; i++) {
		const struct report_part *part = &report->part[region][i];

		if (!part->times)
			continue;
		/* s390 has one pass. */
		pgtsim_printf(&report->out, "  %-10s %-16s", regions[region],
			      s390 && i == PASS_1 ? "remove" : parts[i]);
		print_cost(report, &part->cost, idle,
			   i == POPULATE && part->cost.leaves_mapped ? memmap : "");
		if (i == PASS_1 && !s390 && region != VMEMMAP && part->times == 1)
			print_tables(report, "between", &part->after);
	}
}

/*
 * Prints the parts of an operation in the kernel's order: adding maps the linear map before the
 * vmemmap, removing unmaps it after the vmemmap.
 */
static void print_operation(const struct report *report, int result, const char *memmap)
{
	const char *idle = result ? "no entry was written" : "nothing to do";
	static const unsigned adding[] = { LINEAR, VMEMMAP, OTHER };
	static const unsigned removing[] = { VMEMMAP, LINEAR, OTHER };
	bool maps = report->part[LINEAR][MAP].times || report->part[OTHER][MAP].times;
	const struct pgtsim_counts *now = &report->machine->tlb.counts;

	if (tables_differ(&report->begin, now))
		print_tables(report, "before", &report->begin);
	for (unsigned i = 0; i < REPORT_REGIONS; i++)
		print_parts(report, maps ? adding[i] : removing[i], idle, memmap);
	if (tables_differ(&report->begin, now))
		print_tables(report, "after", now);
}

static void print_machine(const struct report *report)
{
	const struct pgtsim_geometry *geo = &report->machine->geo;
	const struct pgtsim_layout *layout = &report->machine->layout;

	pgtsim_printf(&report->out,
		      "%s%s%s: %uK pages, %u-bit VA, %u levels\n"
		      "  linear map from 0x%016" PRIx64 ", vmemmap from 0x%016" PRIx64 "\n",
		      style(report, BOLD), report->machine->policy.profile, style(report, PLAIN),
		      1u << (geo->page_shift - 10), geo->va_bits, geo->levels, layout->linear_start,
		      layout->vmemmap_start);
}

/* Prints why the memmap of an add did not come from where it was asked to. */
static void print_why(const struct report *report, const struct run *run,
		      const struct scenario_command *command)
{
	const struct pgtsim_add add = run_add(run, command);
	struct pgtsim_error why;

	pgtsim_memmap_source(&run->machine->hotplug, &add, &why);
	if (*why.text)
		pgtsim_printf(&report->out, "  the memmap came from RAM: %s\n", why.text);
}

/* Where the memmap of an add comes from; nothing for other commands. */
static const char *memmap_source(const struct run *run, const struct scenario_command *command)
{
	static const char *const sources[] = {
		[PGTSIM_MEMMAP_FROM_RAM] = ", from RAM",
		[PGTSIM_MEMMAP_FROM_ITSELF] = ", from each block's first pages",
		[PGTSIM_MEMMAP_FROM_ALTMAP] = ", from the altmap",
	};
	struct pgtsim_add add;

	if (command->kind != SCENARIO_ADD)
		return "";
	add = run_add(run, command);
	return sources[pgtsim_memmap_source(&run->machine->hotplug, &add, NULL)];
}

static void print_outcome(const struct report *report, const struct scenario_command *command,
			  int result, const char *reason)
{
	const char *name = scenario_errno_name(result);

	if (command->kind == SCENARIO_CHECK || command->kind == SCENARIO_EXPECT ||
	    result == RUN_FAILED)
		pgtsim_printf(&report->out, "  %s\n", result ? "does not hold" : "holds");
	else if (result)
		pgtsim_printf(&report->out, "  %s-%s%s%s: %s\n",
			      style(report, command->expected == result ? DIM : RED),
			      name ? name : "error", style(report, PLAIN),
			      command->expected == result ? ", as expected" : "", reason);
	else if (command->expected)
		pgtsim_printf(&report->out, "  %sno error%s, -%s was expected\n",
			      style(report, RED), style(report, PLAIN), command->expected_name);
}

/* Prints known weaknesses of the profile that showed up first in this command. */
static void print_remarks(struct report *report)
{
	const struct pgtsim_tlb *tlb = &report->machine->tlb;

	for (unsigned i = 0; i < PGTSIM_W_COUNT; i++) {
		const struct pgtsim_weakness *weakness = &pgtsim_weaknesses()[i];

		if (!pgtsim_tlb_remarked(tlb, (enum pgtsim_weakness_name)i) ||
		    report->remarks >> i & 1)
			continue;
		pgtsim_printf(&report->out, "  known weakness of %s: %s\n", weakness->releases,
			      weakness->text);
	}
	report->remarks = tlb->remarks;
}

static bool prints_itself(const struct scenario_command *command)
{
	return command->kind == SCENARIO_ECHO;
}

static void before(struct run_watcher *watcher, struct run *run,
		   const struct scenario_command *command)
{
	struct report *report = (struct report *)(void *)watcher;

	if (command->kind == SCENARIO_NOTE)
		pgtsim_printf(&report->out, "\n%s\n", command->text);
	else if (command->kind != SCENARIO_MACHINE && !prints_itself(command))
		pgtsim_printf(&report->out, "%s> %s%s\n", style(report, BOLD), command->source,
			      style(report, PLAIN));
	if (!run->machine)
		return;
	memset(report->part, 0, sizeof(report->part));
	report->begin = report->mark = run->machine->tlb.counts;
}

static void after(struct run_watcher *watcher, struct run *run,
		  const struct scenario_command *command, int result)
{
	struct report *report = (struct report *)(void *)watcher;

	if (!run->machine)
		return;
	report->machine = run->machine;
	if (command->kind == SCENARIO_MACHINE) {
		pgtsim_observe(&run->machine->tlb, &report->observer);
		print_machine(report);
		return;
	}
	close_part(report);
	if (command->kind != SCENARIO_RESET_STATS)
		print_operation(report, result, memmap_source(run, command));
	if (command->kind == SCENARIO_ADD && !result)
		print_why(report, run, command);
	if (command->kind == SCENARIO_SET_DIRECT_MAP && !result &&
	    !pgtsim_can_set_direct_map(run->machine))
		pgtsim_printf(&report->out,
			      "  nothing changed: with rodata=noalias pages of the linear map may "
			      "not, and the kernel says 0\n");
	if (!prints_itself(command))
		print_outcome(report, command, result, run->reason);
	print_remarks(report);
}

void report_init(struct report *report, const struct pgtsim_printer *out, bool colour)
{
	*report = (struct report){
		.watcher = { .before = before, .after = after },
		.observer = { .event = see },
		.out = *out,
		.colour = colour,
	};
}
