/* SPDX-License-Identifier: MIT */
/* Parses any text as a scenario, and runs it if it needs only a small machine. */
#include "fuzz.h"
#include "scenario/runner.h"

enum { RAM_LIMIT = 64 << 20, DUMPS_LIMIT = 3 };

static void print_nothing(void *ctx, const char *text)
{
	size_t *printed = ctx;

	*printed += strlen(text);
}

/* Table pages come from boot memory: with little of it nothing can grow large. */
static bool is_small(const struct scenario *scenario)
{
	const struct scenario_command *machine = &scenario->commands[0];
	uint64_t ram = 0;
	size_t dumps = 0;

	if (!scenario_option(machine, SCENARIO_KEY_RAM))
		return false; /* the default is a gigabyte */
	for (size_t i = 0; i < machine->option_count; i++) {
		const struct scenario_option *option = &machine->options[i];

		if (option->key != SCENARIO_KEY_RAM)
			continue;
		if (option->value.range.size > RAM_LIMIT)
			return false;
		ram += option->value.range.size;
	}
	for (size_t i = 0; i < scenario->command_count; i++)
		dumps += scenario->commands[i].kind == SCENARIO_DUMP;
	return ram <= RAM_LIMIT && dumps <= DUMPS_LIMIT;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t printed = 0;
	const struct run_options options = { .out = { print_nothing, &printed } };
	struct scenario_error bad;
	struct scenario scenario;
	struct run_error error;
	struct run run;

	if (scenario_parse(&scenario, (const char *)data, size, &bad))
		return 0;
	if (is_small(&scenario)) {
		if (!run_start(&run, &scenario, &options, &error))
			run_rest(&run, &error);
		run_end(&run);
	}
	scenario_free(&scenario);
	return 0;
}
