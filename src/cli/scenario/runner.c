/* SPDX-License-Identifier: MIT */
#include "runner.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syntax.h"

int run_fail(struct run *run, const struct scenario_command *command, const char *format, ...)
{
	va_list args;

	run->error->line = command->line;
	va_start(args, format);
	vsnprintf(run->error->message, sizeof(run->error->message), format, args);
	va_end(args);
	return RUN_FAILED;
}

/* ---- values ---- */

int run_address(struct run *run, const struct scenario_value *value, uint64_t *va)
{
	const struct pgtsim_layout *layout = &run->machine->layout;
	uint64_t base = 0;

	if (value->address.origin == SCENARIO_LINEAR)
		base = layout->linear_start;
	else if (value->address.origin == SCENARIO_VMEMMAP)
		base = layout->vmemmap_start;
	*va = base + value->address.value;
	if (*va >= base || !*va)
		return 0;
	return run_refuse(run, -EINVAL, "the address lies beyond the end of the address space");
}

int run_check_range(struct run *run, uint64_t va, uint64_t size)
{
	const struct pgtsim_geometry *geo = &run->machine->geo;

	if (!pgtsim_geometry_check_va(geo, va, size))
		return 0;
	if (!size)
		return run_refuse(run, -EINVAL, "the range is empty");
	return run_refuse(
		run, -EINVAL,
		"VA 0x%" PRIx64 " and the 0x%" PRIx64
		" bytes from there on are not in the kernel's half of %u bits, from 0x%016" PRIx64
		" on",
		va, size, geo->va_bits, pgtsim_va_start(geo));
}

struct pgtsim_altmap *run_altmap(const struct run *run, const struct scenario_command *command)
{
	const struct scenario_value *value = scenario_option(command, SCENARIO_KEY_ALTMAP);

	return value ? &run->altmaps[value->altmap] : NULL;
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

const char *run_file_reason(int error)
{
	static const struct {
		int error;
		const char *reason;
	} reasons[] = {
		{ ENOENT, "there is no such file" },
		{ EACCES, "you may not open it" },
		{ EPERM, "you may not open it" },
		{ EROFS, "nothing can be written there" },
		{ EISDIR, "it is a directory, not a file" },
		{ ENOTDIR, "a part of its path is no directory" },
		{ ENODEV, "it is not a regular file" },
		{ ELOOP, "its symbolic links lead in a circle" },
		{ ENAMETOOLONG, "its name is too long" },
		{ EFBIG, "it is too large, or reaches a limit of the shell" },
		{ ENOSPC, "there is no space left for it" },
		{ EPIPE, "nobody reads it any more" },
		{ EBADF, "it is closed" },
		{ EMFILE, "too many files are open" },
		{ EINTR, "it was interrupted" },
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].error == error)
			return reasons[i].reason;
	return "it could not be read or written";
}

/* ---- execution ---- */

/* Whether the command did what its prefix, if any, says. */
static int judge(struct run *run, const struct scenario_command *command, int result)
{
	const char *name = result ? scenario_errno_name(result) : "success";

	if (command->tolerated || result == command->expected)
		return RUN_OK;
	if (!name)
		name = "an error";
	if (command->expected)
		return run_fail(run, command, "%s: expected %s, got %s", command->source,
				command->expected_name, name);
	return run_fail(run, command, "%s: %s (%s)", command->source, run->reason, name);
}

int run_refuse(struct run *run, int result, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(run->reason, sizeof(run->reason), format, args);
	va_end(args);
	return result;
}

/* Executes a command, and notes which known weaknesses it showed, for the first time or again. */
static int execute_and_note(struct run *run, const struct scenario_command *command)
{
	uint32_t before = 0;
	int result;

	run->reason[0] = '\0';
	if (run->machine) {
		before = run->machine->tlb.remarks;
		run->machine->tlb.remarks = 0;
		run->machine->error.code = 0;
	}
	result = command->row->execute(run, command);
	if (result < 0 && !*run->reason)
		run_refuse(run, result, "%s", pgtsim_machine_reason(run->machine, result));
	run->remarks = run->machine ? run->machine->tlb.remarks : 0;
	if (run->machine)
		run->machine->tlb.remarks |= before;
	return result;
}

static int execute(struct run *run, const struct scenario_command *command)
{
	int result, status;

	for (struct run_watcher *w = run->options->watchers; w; w = w->next)
		if (w->before)
			w->before(w, run, command);
	result = execute_and_note(run, command);
	if (result == -ENOBUFS ||
	    (run->machine && pgtsim_machine_out_of_host_memory(run->machine))) {
		run_fail(run, command, "%s: %s", command->source, RUN_NO_MEMORY_TEXT);
		return RUN_NO_MEMORY;
	}
	status = result == RUN_FAILED ? RUN_FAILED : judge(run, command, result);
	for (struct run_watcher *w = run->options->watchers; w; w = w->next)
		if (w->after)
			w->after(w, run, command, result);
	return status;
}

int run_start(struct run *run, const struct scenario *scenario, const struct run_options *options,
	      struct run_error *error)
{
	*run = (struct run){ .scenario = scenario, .options = options };
	run->altmaps = calloc(scenario->altmap_count + 1, sizeof(*run->altmaps));
	if (!run->altmaps) {
		run->error = error;
		run_fail(run, &scenario->commands[0], RUN_NO_MEMORY_TEXT);
		return RUN_NO_MEMORY;
	}
	return run_step(run, error);
}

int run_step(struct run *run, struct run_error *error)
{
	run->error = error;
	return execute(run, &run->scenario->commands[run->next++]);
}

int run_rest(struct run *run, struct run_error *error)
{
	int status = RUN_OK;

	while (status == RUN_OK && run->next < run->scenario->command_count &&
	       !(run->options->stop && run->options->stop(run->options->ctx)))
		status = run_step(run, error);
	return status;
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
		if (run->scenario->commands[run->next].row->looks)
			run->next++;
		else
			status = run_step(run, &error);
	}
	if (status != RUN_OK)
		run_end(run);
	if (status == RUN_OK)
		return 0;
	return status == RUN_NO_MEMORY ? -ENOBUFS : -EIO;
}

void run_end(struct run *run)
{
	pgtsim_cpus_free(&run->cpus);
	pgtsim_machine_free(&run->machine);
	if (run->engine)
		run->options->kernel->detach(run->options->kernel, run->engine);
	run->engine = NULL;
	free(run->altmaps);
	run->altmaps = NULL;
}
