/* SPDX-License-Identifier: MIT */
/*
 * story: what the scenario's `explore` commands found. Each is searched once, when the scenario is
 * loaded; later runs of the scenario are given the same result. A schedule can be seen step by step.
 */
#ifndef PGTSIM_WEB_STORY_H
#define PGTSIM_WEB_STORY_H

#include "page.h"
#include "scenario/runner.h"

/* For run_options.explore: searches, or gives what an earlier search of this line found. */
int story_explore(void *ctx, const struct run *run, unsigned line,
		  const struct pgtsim_explore_config *config, struct pgtsim_exploration *found);

/* Forgets all searches: the scenario goes. */
void story_forget(void);

/* The searches, as a field of the object being written. */
void story_put(void);

/*
 * The counted steps [v->first, end) of a schedule of the search on this line, as fields; a step that
 * is not counted is shown only if the schedule fails there.
 */
void story_views(const struct scenario *scenario, unsigned line, const char *schedule,
		 struct viewing *v, uint64_t end);

#endif
