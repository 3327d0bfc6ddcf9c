/* SPDX-License-Identifier: MIT */
/*
 * reports: what the checker says of stale entries, and in which words. A part of cached.
 */
#ifndef PGTSIM_REPORTS_H
#define PGTSIM_REPORTS_H

#include "records.h"

/* Memory that goes while a translation to it may be cached. */
void pgtsim_tell_pages_freed(struct pgtsim_cached *c, const struct pgtsim_event *event);
void pgtsim_tell_table_freed(struct pgtsim_cached *c, const struct pgtsim_event *event);

/* An entry at va is written, as the event says, while `old` may be cached. */
void pgtsim_tell_made(struct pgtsim_cached *c, const struct pgtsim_event *event,
		      enum pgtsim_violation_name name, uint64_t va, uint64_t old);

/* A leaf without the hint is written where its contiguous group may be cached whole. */
void pgtsim_tell_joined(struct pgtsim_cached *c, const struct pgtsim_event *event);

/* An entry is changed in place that has to be cleared first. */
void pgtsim_tell_changed(struct pgtsim_cached *c, const struct pgtsim_event *event);

#endif
