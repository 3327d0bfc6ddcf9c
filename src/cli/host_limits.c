/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L

#include "host_limits.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "scenario/runner.h"

/* GRACE: seconds that work has to stop by itself when the time is up. */
enum { DEFAULT_SECONDS = 3600, GRACE = 10 };

struct limits limits = { .memory = UINT64_C(4) << 30, .seconds = DEFAULT_SECONDS };

static volatile sig_atomic_t interrupted, time_up;
static time_t end; /* 0: never */

/* ---- memory ---- */

/* AddressSanitizer and the like reserve more address space than any machine has. */
static bool counts_memory(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
	__has_feature(memory_sanitizer)
	return false;
#else
	return true;
#endif
#else
	return true;
#endif
}

static void limit_memory(void)
{
	struct rlimit limit;

	if (!limits.memory || !counts_memory() || getrlimit(RLIMIT_AS, &limit) ||
	    limits.memory >= limit.rlim_cur || limits.memory > (rlim_t)-1)
		return;
	limit.rlim_cur = (rlim_t)limits.memory;
	setrlimit(RLIMIT_AS, &limit);
}

/* ---- time, Ctrl-C ---- */

/* The handler is called once. A read that waits for another process goes on waiting. */
static void catch_once(int number, void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };

	action.sa_flags |= (int)SA_RESETHAND;
	sigemptyset(&action.sa_mask);
	sigaction(number, &action, NULL);
}

static void interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

/* The second time there was no stop in between: one step of the work takes too long. */
static void expire(int number)
{
	static const char text[] =
		"pgtsim: the time is up, and the step under way does not end: --max-time changes that\n";

	if (time_up) {
		(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
		_exit(LIMITS_TIME_UP);
	}
	time_up = 1;
	catch_once(number, expire);
	alarm(GRACE);
}

void limits_start(void)
{
	enum { MOST = 1 << 30 };

	limit_memory();
	if (!limits.seconds || limits.seconds > MOST)
		return;
	end = time(NULL) + (time_t)limits.seconds;
	catch_once(SIGALRM, expire);
	alarm((unsigned)limits.seconds);
}

void limits_catch_interrupt(void)
{
	if (!interrupted)
		catch_once(SIGINT, interrupt);
}

/* Processes that were forked have no alarm: they look at the clock. */
bool limits_stop(void)
{
	if (end && !time_up && time(NULL) >= end)
		time_up = 1;
	return interrupted || time_up;
}

bool limits_stop_run(void *ctx)
{
	(void)ctx;
	return limits_stop();
}

int limits_status(int status)
{
	if (interrupted)
		return LIMITS_INTERRUPTED;
	if (time_up) {
		fprintf(stderr,
			"pgtsim: stopped after %" PRIu64
			" seconds: --max-time=SECONDS changes that\n",
			limits.seconds);
		return LIMITS_TIME_UP;
	}
	if (status == RUN_NO_MEMORY && limits.memory && counts_memory())
		fprintf(stderr,
			"pgtsim: it may take %" PRIu64
			"M of memory: --max-memory=SIZE changes that\n",
			limits.memory >> 20);
	return status;
}

/* ---- progress ---- */

void limits_progress(const char *format, ...)
{
	static time_t shown;
	static bool visible;
	time_t now;
	va_list args;

	if (!format && !visible)
		return;
	now = time(NULL);
	if (!shown)
		shown = now; /* what is done within a second shows nothing */
	if (format && (now == shown || !isatty(STDERR_FILENO)))
		return;
	shown = now;
	visible = format;
	fputc('\r', stderr);
	if (format) {
		va_start(args, format);
		vfprintf(stderr, format, args);
		va_end(args);
	}
	fputs("\033[K", stderr);
	fflush(stderr);
}
