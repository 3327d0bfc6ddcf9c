/* SPDX-License-Identifier: MIT */
#include "tracer.h"

#include <inttypes.h>

/* Prints a text as a JSON string. */
static void print_string(const struct pgtsim_printer *out, const char *text)
{
	out->print(out->ctx, "\"");
	for (; *text; text++)
		if (*text == '"' || *text == '\\')
			pgtsim_printf(out, "\\%c", *text);
		else if ((unsigned char)*text < ' ')
			pgtsim_printf(out, "\\u%04x", (unsigned char)*text);
		else
			pgtsim_printf(out, "%c", *text);
	out->print(out->ctx, "\"");
}

/* True for keys that say how much memory there is. The judge does not need them. */
static bool is_about_memory(enum scenario_key key)
{
	return key == SCENARIO_KEY_RAM || key == SCENARIO_KEY_IOMEM || key == SCENARIO_KEY_BOOT ||
	       key == SCENARIO_KEY_CHECKER;
}

/* Prints the keys with which the judge makes a machine of the same kind. */
static void print_machine(const struct tracer *tracer, const struct run *run,
			  const struct scenario_command *command)
{
	const struct pgtsim_printer *out = &tracer->out;

	pgtsim_printf(out, "{\"op\":\"machine\",\"keys\":\"profile=%s",
		      run->machine->policy.profile);
	for (size_t i = 0; i < command->option_count; i++) {
		const struct scenario_option *option = &command->options[i];

		if (option->key != SCENARIO_KEY_PROFILE && !is_about_memory(option->key))
			pgtsim_printf(out, " %s=%s", option->name, option->value.word);
	}
	pgtsim_printf(out, "\"}\n");
}

static void print_violations(struct tracer *tracer, const struct run *run)
{
	const struct pgtsim_printer *out = &tracer->out;
	size_t count;
	const struct pgtsim_violation *found = pgtsim_violations(&run->machine->tlb, &count);

	for (; tracer->violations < count; tracer->violations++) {
		const struct pgtsim_violation *v = &found[tracer->violations];
		const char *level = pgtsim_level_name(&run->machine->geo, v->level);

		pgtsim_printf(out,
			      "{\"op\":\"violation\",\"name\":\"%s\",\"va\":\"0x%016" PRIx64 "\"",
			      pgtsim_violation_kind(v->name)->name, v->va);
		if (level)
			pgtsim_printf(out, ",\"level\":\"%s\"", level);
		pgtsim_printf(out, ",\"text\":");
		print_string(out, v->text);
		pgtsim_printf(out, "}\n");
	}
}

static void after(struct run_watcher *watcher, struct run *run,
		  const struct scenario_command *command, int result)
{
	struct tracer *tracer = (struct tracer *)(void *)watcher;

	if (!run->machine)
		return;
	if (command->kind == SCENARIO_MACHINE && !result) {
		pgtsim_trace_start(&tracer->trace, &run->machine->tlb, &run->machine->geo,
				   &tracer->out);
		print_machine(tracer, run, command);
	}
	print_violations(tracer, run);
}

void tracer_init(struct tracer *tracer, const struct pgtsim_printer *out)
{
	*tracer = (struct tracer){ .watcher = { .after = after }, .out = *out };
}
