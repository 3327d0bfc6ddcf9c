/* SPDX-License-Identifier: MIT */
/*
 * coroutine: functions that can stop in the middle and continue later. All run in one thread, each on
 * its own stack. Uses ucontext natively, and Emscripten's fibers in a web page.
 */
#ifndef PGTSIM_COROUTINE_H
#define PGTSIM_COROUTINE_H

#include <stdbool.h>
#include <stddef.h>

struct pgtsim_coroutine;

/*
 * Makes a coroutine that has no function yet. Returns NULL if there is no memory or this system has
 * no coroutines. The caller frees it.
 */
struct pgtsim_coroutine *pgtsim_coroutine_new(void);

/* True if this system has coroutines. */
bool pgtsim_coroutine_supported(void);

/*
 * Sets the function that the next resume calls. The coroutine must not be in the middle of another
 * function.
 */
void pgtsim_coroutine_start(struct pgtsim_coroutine *coroutine, void (*function)(void *arg),
			    void *arg);

/* Runs the coroutine until it yields (returns true) or its function returns (returns false). */
bool pgtsim_coroutine_resume(struct pgtsim_coroutine *coroutine);

/*
 * Goes back to the caller of pgtsim_coroutine_resume(). May be called only from inside the
 * coroutine.
 */
void pgtsim_coroutine_yield(struct pgtsim_coroutine *coroutine);

/*
 * Frees a coroutine and sets the pointer to NULL; does nothing if it is NULL. If the function has
 * not returned, whatever it has allocated is leaked.
 */
void pgtsim_coroutine_free(struct pgtsim_coroutine **coroutine);

#endif
