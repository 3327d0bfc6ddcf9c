/* SPDX-License-Identifier: MIT */
#define _XOPEN_SOURCE 700 /* ucontext on macOS */
#define _DARWIN_C_SOURCE 1

#include "coroutine.h"

#include <stdint.h>
#include <stdlib.h>

#ifdef __EMSCRIPTEN__
#include <emscripten/fiber.h>
#elif !defined(PGTSIM_NO_UCONTEXT)
#include <ucontext.h>
#endif

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define WITH_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(WITH_ASAN)
#define WITH_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__) && !defined(WITH_TSAN)
#define WITH_TSAN 1
#endif
#ifdef WITH_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef WITH_TSAN
#include <sanitizer/tsan_interface.h>
#endif

/*
 * The deepest calls on these stacks are printf() and the page-table walker. Sanitizers make frames
 * several times larger.
 */
/* WebAssembly wants stacks so aligned; malloc() there gives less. */
enum { STACK_BYTES = 512 << 10, STACK_ALIGN = 16, ASYNCIFY_BYTES = 64 << 10 };

/* ---- switching stacks ---- */

#ifdef __EMSCRIPTEN__
struct context {
	emscripten_fiber_t fiber;
	char asyncify[ASYNCIFY_BYTES];
};
#elif !defined(PGTSIM_NO_UCONTEXT)
struct context {
	ucontext_t context;
};
#else
struct context {
	char unused;
};
#endif

struct pgtsim_coroutine {
	struct context inside, outside;
	void (*function)(void *arg);
	void *arg;
	bool running;        /* its function has not returned yet */
	void *outside_stack; /* the resumer's stack, which sanitizers must be told */
	size_t outside_bytes;
	void *inside_fiber, *outside_fiber;
	char *stack;
};

#ifdef __EMSCRIPTEN__
static void switch_stacks(struct context *from, struct context *to)
{
	emscripten_fiber_swap(&from->fiber, &to->fiber);
}

/* Initialized at each resume: the resumer may be on another stack each time. */
static void init_outside(struct pgtsim_coroutine *c)
{
	emscripten_fiber_init_from_current_context(&c->outside.fiber, c->outside.asyncify,
						   ASYNCIFY_BYTES);
}
#elif !defined(PGTSIM_NO_UCONTEXT)
/*
 * Does what swapcontext() does, which the address sanitizer intercepts and complains about.
 * getcontext() returns twice: `back` is true the second time, when somebody switched back.
 */
static void switch_stacks(struct context *from, struct context *to)
{
	volatile bool back = false;

	getcontext(&from->context);
	if (back)
		return;
	back = true;
	setcontext(&to->context);
}
#else
static void switch_stacks(struct context *from, struct context *to)
{
	(void)from;
	(void)to;
}
#endif

/* ---- switching stacks and telling the sanitizers ---- */

/* Switches from the resumer to the coroutine. Returns when the coroutine yields or ends. */
static void enter(struct pgtsim_coroutine *coroutine)
{
#ifdef WITH_ASAN
	void *fake = NULL;

	__sanitizer_start_switch_fiber(&fake, coroutine->stack, STACK_BYTES);
#endif
#ifdef WITH_TSAN
	coroutine->outside_fiber = __tsan_get_current_fiber();
	__tsan_switch_to_fiber(coroutine->inside_fiber, 0);
#endif
#ifdef __EMSCRIPTEN__
	init_outside(coroutine);
#endif
	switch_stacks(&coroutine->outside, &coroutine->inside);
#ifdef WITH_ASAN
	__sanitizer_finish_switch_fiber(fake, NULL, NULL);
#endif
}

/* Must be called first after each switch to the coroutine's stack. */
static void finish_switch(struct pgtsim_coroutine *coroutine, void *fake)
{
#ifdef WITH_ASAN
	const void *stack;

	__sanitizer_finish_switch_fiber(fake, &stack, &coroutine->outside_bytes);
	coroutine->outside_stack = (void *)(uintptr_t)stack;
#else
	(void)coroutine;
	(void)fake;
#endif
}

/* Switches from the coroutine to the resumer. Returns when it is resumed. */
static void leave(struct pgtsim_coroutine *coroutine)
{
	void *fake = NULL;

#ifdef WITH_ASAN
	__sanitizer_start_switch_fiber(&fake, coroutine->outside_stack, coroutine->outside_bytes);
#endif
#ifdef WITH_TSAN
	__tsan_switch_to_fiber(coroutine->outside_fiber, 0);
#endif
	switch_stacks(&coroutine->inside, &coroutine->outside);
	finish_switch(coroutine, fake);
}

/*
 * The bottom frame of a coroutine's stack. It never returns: when a function ends, the next one
 * starts on the same stack.
 */
static void run(struct pgtsim_coroutine *coroutine)
{
	finish_switch(coroutine, NULL);
	for (;;) {
		coroutine->function(coroutine->arg);
		coroutine->running = false;
		leave(coroutine);
	}
}

/* ---- stacks ---- */

#ifdef __EMSCRIPTEN__
static void start(void *arg)
{
	run(arg);
}

static void init_stack(struct pgtsim_coroutine *c)
{
	emscripten_fiber_init(&c->inside.fiber, start, c, c->stack, STACK_BYTES, c->inside.asyncify,
			      ASYNCIFY_BYTES);
}
#elif !defined(PGTSIM_NO_UCONTEXT)
/* makecontext() passes arguments of type int, so the pointer is passed as two halves. */
static void start(unsigned high, unsigned low)
{
	run((struct pgtsim_coroutine *)(uintptr_t)((uint64_t)high << 32 | low));
}

static void init_stack(struct pgtsim_coroutine *c)
{
	uint64_t pointer = (uintptr_t)c;

	getcontext(&c->inside.context);
	c->inside.context.uc_stack.ss_sp = c->stack;
	c->inside.context.uc_stack.ss_size = STACK_BYTES;
	c->inside.context.uc_link = NULL;
	makecontext(&c->inside.context, (void (*)(void))start, 2, (unsigned)(pointer >> 32),
		    (unsigned)pointer);
}
#else
static void init_stack(struct pgtsim_coroutine *c)
{
	(void)c;
	(void)run;
}
#endif

bool pgtsim_coroutine_supported(void)
{
#if defined(__EMSCRIPTEN__) || !defined(PGTSIM_NO_UCONTEXT)
	return true;
#else
	return false;
#endif
}

struct pgtsim_coroutine *pgtsim_coroutine_new(void)
{
	struct pgtsim_coroutine *c;

	if (!pgtsim_coroutine_supported())
		return NULL;
	c = calloc(1, sizeof(*c));
	if (c)
		c->stack = aligned_alloc(STACK_ALIGN, STACK_BYTES);
	if (!c || !c->stack) {
		free(c);
		return NULL;
	}
	init_stack(c);
#ifdef WITH_TSAN
	c->inside_fiber = __tsan_create_fiber(0);
#endif
	return c;
}

void pgtsim_coroutine_start(struct pgtsim_coroutine *coroutine, void (*function)(void *arg),
			    void *arg)
{
	coroutine->function = function;
	coroutine->arg = arg;
	coroutine->running = true;
}

bool pgtsim_coroutine_resume(struct pgtsim_coroutine *coroutine)
{
	enter(coroutine);
	return coroutine->running;
}

void pgtsim_coroutine_yield(struct pgtsim_coroutine *coroutine)
{
	leave(coroutine);
}

void pgtsim_coroutine_free(struct pgtsim_coroutine **coroutine)
{
	struct pgtsim_coroutine *c = *coroutine;

	*coroutine = NULL;
	if (!c)
		return;
#ifdef WITH_TSAN
	__tsan_destroy_fiber(c->inside_fiber);
#endif
	free(c->stack);
	free(c);
}
