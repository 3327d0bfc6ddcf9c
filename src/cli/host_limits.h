/* SPDX-License-Identifier: MIT */
/*
 * host_limits: what a run of the command may take of the host, so that it harms no machine that runs it
 * unattended; and Ctrl-C, which ends it early with what it has.
 */
#ifndef PGTSIM_CLI_HOST_LIMITS_H
#define PGTSIM_CLI_HOST_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

/* 0: no limit. */
struct limits {
	uint64_t memory;    /* bytes of address space of each process */
	uint64_t seconds;   /* of wall time */
	uint64_t schedules; /* of each search */
};

/* Every command takes these: --max-memory, --max-time, --max-schedules. */
extern struct limits limits;

/* Exit statuses. */
enum { LIMITS_TIME_UP = 4, LIMITS_INTERRUPTED = 130 };

/* Sets the limits. Once the time is up for some seconds and nobody has stopped, the command ends. */
void limits_start(void);

/*
 * From now on the caller asks limits_stop() between steps of its work: the first Ctrl-C does not end
 * the command, a second one does.
 */
void limits_catch_interrupt(void);

/* True if the work should end with what there is. */
bool limits_stop(void);

/* The same, as a function of struct run_options. */
bool limits_stop_run(void *ctx);

/* The exit status of a command that ended with `status`; says on stderr which limit it ran into. */
int limits_status(int status);

/* Shows how far the work is, if stderr is a terminal, at most once a second; NULL clears that. */
#ifdef __GNUC__
__attribute__((format(printf, 1, 2)))
#endif
void limits_progress(const char *format, ...);

#endif
