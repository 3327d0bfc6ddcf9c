/* SPDX-License-Identifier: MIT */
#include "steps.h"

#include <stddef.h>

struct stepping {
	struct run_watcher watcher;
	struct pgtsim_observer observer;
	struct run *run;
	const struct scenario_command *command;
	uint64_t number, first, last;
	steps_see *see;
	void *ctx;
};

static void moment(struct stepping *s, const struct pgtsim_event *event, int result)
{
	const struct step step = {
		.number = s->number++,
		.command = s->command,
		.event = event,
		.result = result,
	};

	if (step.number >= s->first && step.number <= s->last)
		s->see(s->ctx, s->run, &step);
}

static void happened(struct pgtsim_observer *observer, const struct pgtsim_event *event)
{
	struct stepping *s =
		(struct stepping *)(void *)((char *)observer - offsetof(struct stepping, observer));

	moment(s, event, 0);
}

static void begin(struct run_watcher *watcher, struct run *run,
		  const struct scenario_command *command)
{
	struct stepping *s = (struct stepping *)(void *)watcher;

	s->run = run;
	s->command = command;
}

static void ended(struct run_watcher *watcher, struct run *run,
		  const struct scenario_command *command, int result)
{
	struct stepping *s = (struct stepping *)(void *)watcher;

	if (!run->machine)
		return;
	moment(s, NULL, result);
	if (command->kind != SCENARIO_MACHINE)
		return;
	run->machine->tlb.single = true;
	pgtsim_observe(&run->machine->tlb, &s->observer);
}

void steps_visit(const struct scenario *scenario, const struct run_options *options, uint64_t first,
		 uint64_t last, steps_see *see, void *ctx, struct steps_end *end)
{
	struct stepping s = {
		.watcher = { .before = begin, .after = ended, .next = options->watchers },
		.observer = { .event = happened },
		.first = first,
		.last = last,
		.see = see,
		.ctx = ctx,
	};
	struct run_options stepped = *options;
	struct run run;

	stepped.watchers = &s.watcher;
	*end = (struct steps_end){ 0 };
	end->status = run_start(&run, scenario, &stepped, &end->error);
	if (end->status == RUN_OK)
		end->status = run_rest(&run, &end->error);
	end->count = s.number;
	run_end(&run);
}
