/* SPDX-License-Identifier: MIT */
/* reports: what the checker says of what it found, and in which words. */
#ifndef PGTSIM_REPORTS_H
#define PGTSIM_REPORTS_H

#include "stale_set.h"

/* An entry at va is written, as the event says, while values of the run may be cached. */
void pgtsim_report_made(struct checker *c, const struct pgtsim_event *event,
			enum pgtsim_violation_name name, uint64_t va, const struct stale *run);

/* A leaf without the hint is written where its contiguous group may be cached whole. */
void pgtsim_report_joined(struct checker *c, const struct pgtsim_event *event);

/* An entry is changed in place that has to be cleared first. */
void pgtsim_report_changed(struct checker *c, const struct pgtsim_event *event);

/* Memory that is freed, of tables or not, while something that leads to it may be cached. */
void pgtsim_report_freed(struct checker *c, uint64_t pa, uint64_t last);

/* A table at pa is linked, as the event says; stores to it of a CPU may not be seen yet. */
void pgtsim_report_unpublished(struct checker *c, const struct pgtsim_event *event, uint64_t pa,
			       unsigned cpu);

/* New entries that a CPU wrote and that a walk may not see yet. */
void pgtsim_report_not_visible(struct checker *c, const struct unseen *unseen, unsigned cpu);

/* A range operation whose base has bits that its operand does not hold. */
void pgtsim_report_misaligned_range(struct checker *c, const struct pgtsim_event *event);

/*
 * Reports all of [va, last] that should not be when an operation of a CPU, or of any, ends. What
 * another CPU wrote or cleared there is not judged: its barriers and invalidates may be still to come.
 */
void pgtsim_report_end(struct checker *c, uint64_t va, uint64_t last, unsigned cpu);

/* Remarks so far become violations. */
void pgtsim_report_remarks(struct checker *c);

#endif
