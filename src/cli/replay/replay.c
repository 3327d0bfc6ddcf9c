/* SPDX-License-Identifier: MIT */
#include "replay.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"

/* A real kernel has run these steps, so each violation that the machine reports is a difference. */
static void tell_violations(struct replay *replay)
{
	size_t count;
	const struct pgtsim_violation *found = pgtsim_violations(&replay->run.machine->tlb, &count);

	for (; replay->told < count; replay->told++)
		replay_differ(replay, NULL, "%s 0x%016" PRIx64 ": %s",
			      pgtsim_violation_kind(found[replay->told].name)->name,
			      found[replay->told].va, found[replay->told].text);
}

/*
 * Executes a step's commands. Returns 0, -EINVAL if one failed, which is a difference, or -ENOMEM if
 * the host is out of memory.
 */
static int run_ops(struct replay *replay)
{
	const struct scenario *scenario = replay->run.scenario;
	struct run_error error;

	while (replay->run.next < scenario->command_count &&
	       scenario->commands[replay->run.next].line <= replay->step->last_line) {
		int status = run_step(&replay->run, &error);

		if (status == RUN_OK)
			continue;
		if (status == RUN_NO_MEMORY)
			return -ENOMEM;
		replay_differ(replay, NULL, "expected success, found %s", error.message);
		return -EINVAL;
	}
	return 0;
}

static int replay_steps(struct replay *replay)
{
	const struct recording *recording = replay->recording;
	int ret = 0;

	for (size_t i = 0; !ret && i < recording->step_count; i++) {
		replay->step = &recording->steps[i];
		ret = run_ops(replay);
		if (ret)
			break;
		ret = replay_compare_step(replay);
		tell_violations(replay);
	}
	return ret == -ENOMEM ? ret : 0;
}

static void print_result(const struct replay *replay, const char *name,
			 const struct pgtsim_printer *out)
{
	out->print(out->ctx, name);
	pgtsim_printf(out, ": %zu steps, %" PRIu64 " descriptors compared, %" PRIu64 " differ\n",
		      replay->steps, replay->descriptors, replay->differences);
	for (size_t i = 0; i < replay->listed; i++) {
		out->print(out->ctx, replay->lines[i]);
		out->print(out->ctx, "\n");
	}
	if (replay->differences > replay->listed)
		pgtsim_printf(out, "  and %" PRIu64 " more\n",
			      replay->differences - replay->listed);
}

static void print_nothing(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

/* Runs the scenario of a recording. Returns 0, or a negative errno with the reader's message. */
static int replay_scenario(struct replay *replay, const struct scenario *scenario,
			   struct reader *reader)
{
	static const struct run_options options = { .out = { print_nothing, NULL } };
	struct run_error error;
	int ret = -EINVAL;
	int status = run_start(&replay->run, scenario, &options, &error);

	if (status == RUN_NO_MEMORY)
		ret = -ENOMEM;
	if (status != RUN_OK)
		reader_complain_line(reader, error.line, error.message);
	else
		ret = recording_check_info(reader, replay->run.machine);
	if (!ret)
		ret = recording_check(reader, replay_geometry(replay));
	if (!ret) {
		ret = replay_steps(replay);
		if (ret)
			reader_complain(reader, "the host is out of memory");
	}
	run_end(&replay->run);
	return ret;
}

static int replay_recording(struct replay *replay, struct reader *reader)
{
	const struct recording *recording = replay->recording;
	struct scenario_error error;
	struct scenario scenario;
	int ret = scenario_parse(&scenario, recording->text, recording->length, &error);

	if (ret) {
		reader_complain_line(reader, error.line, error.message);
		return ret;
	}
	ret = replay_scenario(replay, &scenario, reader);
	scenario_free(&scenario);
	return ret;
}

static void replay_free(struct replay *replay)
{
	for (size_t i = 0; i < REGIONS; i++) {
		content_free(&replay->base[i]);
		content_free(&replay->now[i]);
	}
	free(replay);
}

int replay_text(const char *name, const char *text, size_t length, const struct pgtsim_printer *out,
		const struct pgtsim_printer *errors)
{
	struct recording recording = { 0 };
	struct replay *replay = calloc(1, sizeof(*replay));
	struct reader reader = { .message = "the host is out of memory" };
	int ret = replay ? recording_read(&recording, text, length, &reader) : -ENOMEM;
	int status = RUN_BAD_SCENARIO;

	if (!ret) {
		replay->recording = &recording;
		ret = replay_recording(replay, &reader);
	}
	if (ret) {
		errors->print(errors->ctx, name);
		errors->print(errors->ctx, ": ");
		errors->print(errors->ctx, reader.message);
		errors->print(errors->ctx, "\n");
		if (ret == -ENOMEM)
			status = RUN_NO_MEMORY;
	} else {
		print_result(replay, name, out);
		status = replay->differences ? RUN_FAILED : RUN_OK;
	}
	if (replay)
		replay_free(replay);
	recording_free(&recording);
	return status;
}
