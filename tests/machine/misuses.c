/* SPDX-License-Identifier: MIT */
/*
 * misuses: no public function crashes when a pointer is NULL, or an enum, a level or a number is out of
 * range; and those that return an errno return one. misuses.py derives the calls from the headers, so
 * none is left out.
 */
#include <pgtsim/pgtsim.h>

#include <limits.h>
#include <signal.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct misuse {
	void (*call)(void);
	const char *text;
	bool fails; /* returns a negative errno */
};

/* What is valid, made anew for each call. */
static struct pgtsim_machine *m, *gone;
static struct pgtsim_cpus *cpus;
static struct pgtsim_judge *judge;
static struct pgtsim_run run;
static struct pgtsim_machine_config config;
static struct pgtsim_explore_config explore_config;
static struct pgtsim_gather gather;
static struct pgtsim_trace trace;
static struct pgtsim_notifier notifier;
static struct pgtsim_observer observer;
static struct pgtsim_altmap altmap;
static struct pgtsim_table *list, **tail;
static const struct pgtsim_visitor visitor;
static alignas(64) char bytes[1 << 16];
static void *const scratch = bytes;
static int result;

static void print_nothing(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

static const struct pgtsim_printer printer = { print_nothing, NULL };

#ifdef __GNUC__
#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wnonnull"
#endif

#include "misuses.inc"

/* A call that succeeds with strange numbers may take what nobody gives back here. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

static const char *volatile under_way;

static void crash(int number)
{
	const char *text = under_way;

	(void)number;
	if (write(STDERR_FILENO, text, strlen(text)) >= 0 &&
	    write(STDERR_FILENO, ": crashes\n", 10) >= 0)
		_exit(1);
	_exit(2);
}

static bool set_up(void)
{
	/* Little, so that a number of pages that is too large takes no time. */
	static const struct pgtsim_ram ram = { 0x40000000, 0x41000000 };

	memset(bytes, 0, sizeof(bytes));
	altmap = (struct pgtsim_altmap){ .base = 0x80000, .free = 64 };
	list = NULL;
	tail = &list;
	trace = (struct pgtsim_trace){ .tlb = NULL };
	notifier = (struct pgtsim_notifier){ .notify = NULL };
	observer = (struct pgtsim_observer){ .event = NULL };
	if (pgtsim_machine_config_init(&config, "latest"))
		return false;
	config.ram = &ram;
	config.ram_count = 1;
	if (pgtsim_machine_new(&m, &config) ||
	    pgtsim_cpus_new(&cpus, &m->pgt, 1, 1) ||
	    pgtsim_judge_new(&judge, &m->tlb, &m->geo))
		return false;
	run = (struct pgtsim_run){
		.table = m->pgt.root,
		.level = m->pgt.root->level,
		.va = m->layout.linear_start,
		.last = m->layout.linear_start + 4095,
		.count = 1,
	};
	pgtsim_gather_init(&gather, &m->pgt, m->memory, NULL);
	result = 0;
	return true;
}

static void tear_down(void)
{
	pgtsim_judge_free(&judge);
	pgtsim_cpus_free(&cpus);
	pgtsim_machine_free(&m);
}

/* In builds with a sanitizer that looks for leaks. */
void __lsan_disable(void) __attribute__((weak));

int main(void)
{
	const size_t count = sizeof(misuses) / sizeof(misuses[0]);
	unsigned wrong = 0;

	/* Calls that succeed take memory that nobody gives back. */
	if (__lsan_disable)
		__lsan_disable();
	signal(SIGSEGV, crash);
	signal(SIGABRT, crash);
	for (size_t i = 0; i < count; i++) {
		if (!set_up())
			return 1;
		under_way = misuses[i].text;
		misuses[i].call();
		tear_down();
		if (!misuses[i].fails || result < 0)
			continue;
		fprintf(stderr, "%s: returns %d\n", misuses[i].text, result);
		wrong++;
	}
	printf("%zu misuses, %u without an error\n", count, wrong);
	return count < 500 || wrong;
}
