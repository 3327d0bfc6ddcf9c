/* SPDX-License-Identifier: MIT */
/*
 * coroutine: functions that stop in the middle and go on later, all in one thread, each on a
 * stack of its own. Natively ucontext, in a web page Emscripten's fibers.
 */
#ifndef PGTSIM_COROUTINE_H
#define PGTSIM_COROUTINE_H

#include <stdbool.h>
#include <stddef.h>

struct pgtsim_coroutine;

/*
 * Makes one that has nothing to run yet. Returns NULL if there is no memory, or no coroutines on
 * this system.
 */
struct pgtsim_coroutine *pgtsim_coroutine_new(void);

/* Whether this system has coroutines at all. */
bool pgtsim_coroutine_supported(void);

/*
 * Lets it run `function` from the start when it is next resumed. It must not be in the middle of
 * another one.
 */
void pgtsim_coroutine_start(struct pgtsim_coroutine *coroutine, void (*function)(void *arg),
			    void *arg);

/* Runs it until it yields or its function returns. Returns whether it is still in the middle. */
bool pgtsim_coroutine_resume(struct pgtsim_coroutine *coroutine);

/* Goes back to whoever resumed it. Called inside of it only. */
void pgtsim_coroutine_yield(struct pgtsim_coroutine *coroutine);

/* Frees it, and sets it to NULL. One in the middle leaks what its function holds. NULL is allowed. */
void pgtsim_coroutine_free(struct pgtsim_coroutine **coroutine);

#endif
