/* SPDX-License-Identifier: MIT */
/*
 * trace: every event as one JSON object a line, the first line an object with the version.
 * Fields that are 0 and mean nothing for an operation are left out; the guide lists the others.
 */
#ifndef PGTSIM_TRACE_H
#define PGTSIM_TRACE_H

#include <pgtsim/dump.h>
#include <pgtsim/tlb.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { PGTSIM_TRACE_VERSION = 1 };

/* Embedded by its owner. */
struct pgtsim_trace {
	struct pgtsim_observer observer;
	struct pgtsim_printer out;
	const struct pgtsim_geometry *geo;
	struct pgtsim_tlb *tlb;
	struct pgtsim_end_observer end;
};

/*
 * Starts tracing: prints the version line, then each event until pgtsim_trace_stop(). tlb and geo are
 * the caller's. Does nothing for NULL. Stopping what has not started, and is all 0, does nothing.
 */
PGTSIM_API void pgtsim_trace_start(struct pgtsim_trace *trace, struct pgtsim_tlb *tlb,
				   const struct pgtsim_geometry *geo,
				   const struct pgtsim_printer *out);
PGTSIM_API void pgtsim_trace_stop(struct pgtsim_trace *trace);

#ifdef __cplusplus
}
#endif

#endif
