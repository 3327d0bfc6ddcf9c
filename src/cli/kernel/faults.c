/* SPDX-License-Identifier: MIT */
/* faults: a kernel's code that accesses memory that is not there, or never ends. */
#define _XOPEN_SOURCE 700 /* sigaction(), setitimer() */

#include <signal.h>
#include <stddef.h>
#include <sys/time.h>

#include "kernel.h"

/* PATIENCE: seconds of CPU time that a call may take without any event, or the load of another entry. */
enum { PATIENCE = 5 };

static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL };

enum { FAULTS = sizeof(faults) / sizeof(faults[0]) };

/* Whose code runs, for the handlers; how many seconds it has been silent; and whether that was too long. */
static const struct kc_plug *running;
static volatile sig_atomic_t silent, endless;

/* Ends the call if it was the kernel's code. If not, the instruction is done again without a handler. */
static void handle(int number)
{
	endless = 0;
	running->crashed();
	signal(number, SIG_DFL);
}

/* A second more. */
static void tick(int number)
{
	(void)number;
	if (++silent < PATIENCE)
		return;
	silent = 0;
	endless = 1;
	running->crashed();
}

void kernel_goes_on(void)
{
	silent = 0;
}

const char *kernel_end_reason(void)
{
	return endless ? "it loops without an end" : "it accesses memory that is not there";
}

static void set_timer(time_t seconds)
{
	const struct itimerval every = { .it_interval.tv_sec = seconds, .it_value.tv_sec = seconds };

	setitimer(ITIMER_VIRTUAL, &every, NULL);
}

void kernel_catch_faults(const struct kc_plug *plug)
{
	struct sigaction action = { .sa_handler = handle, .sa_flags = SA_NODEFER };

	silent = 0;
	if (running == plug)
		return;
	running = plug;
	for (unsigned i = 0; i < FAULTS; i++)
		sigaction(faults[i], &action, NULL);
	action = (struct sigaction){ .sa_handler = tick, .sa_flags = SA_NODEFER | SA_RESTART };
	sigaction(SIGVTALRM, &action, NULL);
	set_timer(1);
}

void kernel_forget_faults(void)
{
	if (!running)
		return;
	set_timer(0);
	signal(SIGVTALRM, SIG_DFL);
	for (unsigned i = 0; i < FAULTS; i++)
		signal(faults[i], SIG_DFL);
	running = NULL;
}
