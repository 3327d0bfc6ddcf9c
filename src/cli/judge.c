/* SPDX-License-Identifier: MIT */
/* The command judge. */
#define _POSIX_C_SOURCE 200809L /* getline() */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgtsim/checker.h>
#include <pgtsim/judge.h>

#include "file.h"
#include "host_limits.h"
#include "options.h"
#include "scenario/runner.h"

enum {
	BAD_LINES_SHOWN = 20,
	MACHINE_MAX = 2048,    /* bytes of a machine's keys */
	LINES_PER_LOOK = 1024, /* between two looks at the clock */
};

/* A trace under way. */
struct judging {
	const char *name;
	FILE *file;
	struct run run; /* its machine has the geometry, the profile and the checker */
	struct pgtsim_judge *judge;
	char *line;
	size_t room;
	uint64_t number, judged, bad;
	int error;      /* why no further line could be read; 0: it was the last one */
	bool any_event; /* one of them was an event: no line about the trace itself */
	size_t shown;   /* violations printed */
	bool lenient;   /* known weaknesses of the profile are remarks, not violations */
};

/* ---- lines ---- */

/*
 * Reads the next line, without its newline; *cut: it had none. Returns false at the end, and where the
 * file cannot be read on: j->error says why.
 */
static bool next_line(struct judging *j, size_t *length, bool *cut)
{
	ssize_t size;

	errno = 0;
	size = getline(&j->line, &j->room, j->file);
	if (size < 0) {
		j->error = feof(j->file) ? 0 : errno ? errno : EIO;
		return false;
	}
	j->number++;
	*cut = j->line[size - 1] != '\n';
	*length = (size_t)size - !*cut;
	return true;
}

static void print_violations(struct judging *j)
{
	size_t count;

	pgtsim_violations(&j->run.machine->tlb, &count);
	if (j->shown < count)
		limits_progress(NULL);
	while (j->shown < count) {
		printf("%s:%" PRIu64 ": ", j->name, j->number);
		j->shown += run_print_violation(&j->run, j->shown, cli_out);
	}
}

/* Its first line, {"format":…}, and the second one, {"op":"machine"…}, are no events. */
static bool is_about_trace(const char *line)
{
	return strstr(line, "\"format\":") || strstr(line, "\"op\":\"machine\"");
}

/* Judges the line that was read. Returns 0, or -ENOBUFS if the rest cannot be judged. */
static int judge_line(struct judging *j, size_t length, bool cut)
{
	int ret = pgtsim_judge_line(j->judge, j->line, length);

	if (ret == -ENOBUFS) {
		fprintf(stderr, "%s:%" PRIu64 ": %s\n", j->name, j->number,
			pgtsim_judge_error(j->judge));
		return ret;
	}
	if (ret && cut)
		fprintf(stderr, "%s:%" PRIu64 ": the last line is cut off and was not judged\n",
			j->name, j->number);
	else if (ret && ++j->bad <= BAD_LINES_SHOWN)
		fprintf(stderr, "%s:%" PRIu64 ": %s\n", j->name, j->number,
			pgtsim_judge_error(j->judge));
	j->judged += !ret;
	j->any_event = j->any_event || (!ret && !is_about_trace(j->line));
	print_violations(j);
	return 0;
}

/* ---- the machine ---- */

/* Adds KEY=VALUE words to a machine command, except keys that it already has. */
static bool add_keys(char *machine, const char *keys, size_t length)
{
	while (length) {
		size_t word = strcspn(keys, " "), key;
		char start[64];

		if (word > length)
			word = length;
		key = (size_t)((const char *)memchr(keys, '=', word) ?
				       (const char *)memchr(keys, '=', word) - keys :
				       (ptrdiff_t)word);
		snprintf(start, sizeof(start), " %.*s=", (int)key, keys);
		if (word && !strstr(machine, start)) {
			size_t used = strlen(machine);

			if (word + 2 > MACHINE_MAX - used)
				return false;
			snprintf(machine + used, MACHINE_MAX - used, " %.*s", (int)word, keys);
		}
		keys += word + (word < length);
		length -= word + (word < length);
	}
	return true;
}

/* Returns the keys in a line {"op":"machine","keys":"…"}; NULL if it is another kind of line. */
static const char *machine_keys(const char *line, size_t *length)
{
	const char *keys = strstr(line, "\"keys\":\"");

	if (!keys || !strstr(line, "\"op\":\"machine\""))
		return NULL;
	keys += strlen("\"keys\":\"");
	*length = strcspn(keys, "\"\n\r\t");
	return keys;
}

/* Makes the machine whose rules hold. The message is one of the command line. */
static int make_machine(struct judging *j, struct scenario *scenario, const char *machine)
{
	static const struct run_options options = { .out = { .print = cli_print_nothing } };
	struct scenario_error wrong;
	struct run_error error;
	int ret;

	ret = scenario_parse(scenario, machine, strlen(machine), &wrong);
	if (ret) {
		fprintf(stderr, "pgtsim judge: %s\n", wrong.message);
		return run_parse_status(ret);
	}
	ret = run_start(&j->run, scenario, &options, &error);
	if (ret != RUN_OK) {
		fprintf(stderr, "pgtsim judge: %s\n", error.message);
		return ret == RUN_NO_MEMORY ? ret : RUN_BAD_SCENARIO;
	}
	ret = pgtsim_judge_new(&j->judge, &j->run.machine->tlb, &j->run.machine->geo);
	if (ret == -ENOBUFS)
		return file_complain(j->name, ENOBUFS);
	if (ret) {
		fprintf(stderr, "pgtsim judge: there is nothing to judge by with checker=off\n");
		return RUN_BAD_SCENARIO;
	}
	pgtsim_checker_set_strict(&j->run.machine->tlb, !j->lenient);
	return RUN_OK;
}

/* ---- a whole trace ---- */

/* Now and then, as each look costs a system call: shows how far it is; true if it should stop here. */
static bool is_stopped(const struct judging *j)
{
	if (j->number % LINES_PER_LOOK)
		return false;
	limits_progress("%s: line %" PRIu64, j->name, j->number);
	return limits_stop();
}

/* What is open at the end of a trace is judged there; where it was stopped nobody knows what follows. */
static int judge_rest(struct judging *j)
{
	bool cut, stopped = false;
	size_t length;
	int ret = 0;

	while (ret == 0 && !stopped && next_line(j, &length, &cut)) {
		ret = judge_line(j, length, cut);
		stopped = is_stopped(j);
	}
	limits_progress(NULL);
	if (ret)
		return RUN_NO_MEMORY;
	if (j->error)
		return file_complain(j->name, j->error);
	if (stopped)
		fprintf(stderr, "%s:%" PRIu64 ": stopped after this line\n", j->name, j->number);
	else
		pgtsim_judge_end(j->judge, 0, UINT64_MAX);
	print_violations(j);
	return RUN_OK;
}

/* What the trace did not tell: it is not clean for that. */
static void print_unknown(const struct judging *j)
{
	struct pgtsim_judge_unknown unknown = pgtsim_judge_unknown(j->judge);

	if (unknown.tables)
		printf("%s: not judged: what %" PRIu64
		       " table%s held that went or changed: the trace "
		       "does not tell all of it (table-alloc says that a table is empty)\n",
		       j->name, unknown.tables, unknown.tables == 1 ? "" : "s");
	if (unknown.stores)
		printf("%s: not judged: %" PRIu64
		       " store%s over values that the trace does not tell "
		       "(poke tells them)\n",
		       j->name, unknown.stores, unknown.stores == 1 ? "" : "s");
	if (unknown.pages)
		printf("%s: not judged: %" PRIu64 " page%s with stores while no known table entry led there "
		       "(`root` in the first line says where the root table is)\n",
		       j->name, unknown.pages, unknown.pages == 1 ? "" : "s");
	if (unknown.shared)
		printf("%s: not judged: the other places of %" PRIu64 " table%s to which several entries "
		       "led\n",
		       j->name, unknown.shared, unknown.shared == 1 ? "" : "s");
}

static int conclude(const struct judging *j)
{
	uint64_t violations = j->run.machine->tlb.counts.violations;

	if (j->bad > BAD_LINES_SHOWN)
		fprintf(stderr, "%s: and %" PRIu64 " more bad lines\n", j->name,
			j->bad - BAD_LINES_SHOWN);
	if (violations > j->shown)
		printf("%s: only the first %zu violations are shown\n", j->name, j->shown);
	printf("%s: %" PRIu64 " lines judged, %" PRIu64 " violation%s\n", j->name, j->judged,
	       violations, violations == 1 ? "" : "s");
	print_unknown(j);
	if (pgtsim_machine_out_of_host_memory(j->run.machine))
		return file_complain(j->name, ENOBUFS);
	if (j->bad)
		return RUN_BAD_SCENARIO;
	if (!j->any_event) {
		fprintf(stderr, "%s: there is no event in it, so nothing was judged\n", j->name);
		return RUN_BAD_SCENARIO;
	}
	return violations ? RUN_FAILED : RUN_OK;
}

/* Of all its bytes: a 0 among them is no end. */
static char *copy_line(const char *line, size_t length)
{
	char *copy = malloc(length + 1);

	if (copy) {
		memcpy(copy, line, length);
		copy[length] = '\0';
	}
	return copy;
}

/* `machine` has the keys of the command line; the first two lines of the trace may have more. */
static int judge_trace(struct judging *j, char *machine)
{
	struct scenario scenario = { 0 };
	size_t length = 0, header_length = 0, keys_length;
	const char *keys;
	bool cut = false, any = next_line(j, &header_length, &cut);
	char *header = any ? copy_line(j->line, header_length) : NULL;
	bool second = any && !cut && next_line(j, &length, &cut);
	int status = RUN_OK;

	keys = second ? machine_keys(j->line, &keys_length) : NULL;
	if (any && !header)
		status = file_complain(j->name, ENOMEM);
	else if (keys && !add_keys(machine, keys, keys_length))
		status = file_complain(j->name, E2BIG);
	if (status == RUN_OK)
		status = make_machine(j, &scenario, machine);
	if (status == RUN_OK && any) {
		/* Now that the judge exists, judge the first line, which was read before. */
		char *line = j->line;

		j->line = header;
		j->number -= second;
		if (judge_line(j, header_length, !second && cut))
			status = RUN_NO_MEMORY;
		j->number += second;
		header = j->line;
		j->line = line;
		if (status == RUN_OK && second && judge_line(j, length, cut))
			status = RUN_NO_MEMORY;
	}
	if (status == RUN_OK)
		status = judge_rest(j);
	if (status == RUN_OK)
		status = conclude(j);
	free(header);
	pgtsim_judge_free(&j->judge);
	if (scenario.commands)
		run_end(&j->run);
	scenario_free(&scenario);
	return status;
}

/* Takes a word KEY=VALUE: `strict` is the command's own, the others are the machine's. */
static bool take_word(struct judging *j, char *machine, const char *word)
{
	bool off = !strcmp(word, "strict=off");

	if (off || !strcmp(word, "strict=on")) {
		j->lenient = off;
		return true;
	}
	if (!strncmp(word, "strict=", 7))
		return false;
	return strchr(word, '=') && !strpbrk(word, " \t\n#") &&
	       add_keys(machine, word, strlen(word));
}

static int command_judge(int argc, char **argv)
{
	struct judging j = { .number = 0 };
	char machine[MACHINE_MAX] = "machine";
	struct cli_words words;
	int status = cli_parse(&cli_judge, argc, argv, NULL, &words);

	if (status != CLI_CONTINUE)
		return status;
	for (int i = 1; i < words.count; i++)
		if (!take_word(&j, machine, words.word[i])) {
			fprintf(stderr, "pgtsim judge: '%s' is not %s\n", words.word[i],
				strncmp(words.word[i], "strict=", 7) ?
					"key=value; one trace at a time" :
					"strict=on or strict=off");
			return RUN_BAD_SCENARIO;
		}
	j.name = words.word[0];
	j.file = strcmp(j.name, "-") ? fopen(j.name, "r") : stdin;
	if (!j.file)
		return file_complain(j.name, errno);
	limits_catch_interrupt();
	status = judge_trace(&j, machine);
	if (j.file != stdin)
		fclose(j.file);
	free(j.line);
	return status;
}

const struct cli_command cli_judge = {
	.name = "judge",
	.summary = "judge a recorded trace of stores, barriers and invalidates",
	.usage =
		"pgtsim judge TRACE [KEY=VALUE...]   judge what --trace wrote, or anybody else; '-' is\n"
		"                                    standard input\n",
	.notes =
		"Prints each violation as check does, with the line of the trace at which it is certain.\n"
		"KEY=VALUE are keys of the scenario command machine: profile, granule, va, va-actual, pa ...\n"
		"They win over those in the trace's second line. The format is described in the guide.\n"
		"With strict=off known weaknesses of the profile's kernel are remarks, as they are of check.\n"
		"\n"
		"Exit status: 0 no violation; 1 there are some; 2 a line is no line of a trace, or the command\n"
		"line is wrong.\n",
	.wanted = "which trace?",
	.least = 1,
	.most = -1,
	.run = command_judge,
};
