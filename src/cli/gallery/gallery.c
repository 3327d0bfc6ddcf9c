/* SPDX-License-Identifier: MIT */
#include "gallery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the opening comment ---- */

static const char *next_line(const char *line)
{
	line += strcspn(line, "\n");
	return *line ? line + 1 : line;
}

/* The first line of the opening comment that begins with `start`; NULL if there is none. */
static const char *comment_line(const char *text, const char *start)
{
	while (*text == '#' && strncmp(text, start, strlen(start)) != 0)
		text = next_line(text);
	return *text == '#' ? text : NULL;
}

void gallery_value(const struct gallery_file *file, const char *key, char *value, size_t size)
{
	char start[32];
	const char *line;

	snprintf(start, sizeof(start), "# %s: ", key);
	line = comment_line(file->text, start);
	*value = '\0';
	if (line) {
		line += strlen(start);
		snprintf(value, size, "%.*s", (int)strcspn(line, "\n"), line);
	}
}

static void title_of(const struct gallery_pair *pair, char *title, size_t size)
{
	char id[16];

	snprintf(id, sizeof(id), "B%u", pair->number);
	gallery_value(&pair->bad, id, title, size);
}

const struct gallery_pair *gallery_find(const char *id)
{
	const struct gallery_pair *pair = gallery_pairs;
	char *end;
	unsigned long number;

	if ((*id != 'b' && *id != 'B') || id[1] < '1' || id[1] > '9')
		return NULL;
	number = strtoul(id + 1, &end, 10);
	while (pair->number && pair->number != number)
		pair++;
	return *end || !pair->number ? NULL : pair;
}

/* ---- running one ---- */

static void add_name(struct gallery_verdict *verdict, const char *name)
{
	size_t used = strlen(verdict->found);

	snprintf(verdict->found + used, sizeof(verdict->found) - used, "%s%s", used ? " " : "",
		 name);
}

/* The violations by name, each once, in the order in which they were found. */
static void name_violations(const struct pgtsim_tlb *tlb, struct gallery_verdict *verdict)
{
	bool named[PGTSIM_V_COUNT] = { false };

	for (size_t i = 0; i < tlb->violation_count; i++) {
		enum pgtsim_violation_name name = tlb->violations[i].name;

		if (!named[name])
			add_name(verdict, pgtsim_violation_kind(name)->name);
		named[name] = true;
	}
}

/* Sets what the run's last command found; nothing if an earlier command ended the run. */
static void name_findings(const struct run *run, struct gallery_verdict *verdict)
{
	const struct scenario *scenario = run->scenario;
	const struct scenario_command *last = &scenario->commands[scenario->command_count - 1];

	if (verdict->status == RUN_OK)
		add_name(verdict, "nothing");
	else if (run->next < scenario->command_count)
		return;
	else if (last->kind == SCENARIO_CHECK)
		name_violations(&run->machine->tlb, verdict);
	else if (last->kind == SCENARIO_EXPECT)
		add_name(verdict, last->args[0].counter->name);
}

static void play(const struct scenario *scenario, const struct run_options *options,
		 struct gallery_verdict *verdict)
{
	struct run run;

	verdict->status = run_start(&run, scenario, options, &verdict->error);
	if (verdict->status == RUN_OK)
		verdict->status = run_rest(&run, &verdict->error);
	name_findings(&run, verdict);
	run_end(&run);
}

void gallery_play(const struct gallery_file *file, const struct pgtsim_printer *out,
		  struct run_watcher *watchers, const struct run_kernel *kernel,
		  struct gallery_verdict *verdict)
{
	const struct run_options options = {
		.out = *out,
		.watchers = watchers,
		.kernel = kernel,
	};
	struct scenario scenario;
	struct scenario_error syntax;
	char finds[sizeof(verdict->found)];
	int ret;

	*verdict = (struct gallery_verdict){ .status = RUN_BAD_SCENARIO };
	gallery_value(file, "finds", finds, sizeof(finds));
	ret = scenario_parse(&scenario, file->text, file->length, &syntax);
	if (ret) {
		verdict->status = run_parse_status(ret);
		verdict->error.line = syntax.line;
		snprintf(verdict->error.message, sizeof(verdict->error.message), "%s",
			 syntax.message);
		return;
	}
	play(&scenario, &options, verdict);
	scenario_free(&scenario);
	verdict->as_told = *finds && !strcmp(finds, verdict->found);
}

/* ---- the list ---- */

void gallery_list(const struct pgtsim_printer *out)
{
	for (const struct gallery_pair *pair = gallery_pairs; pair->number; pair++) {
		char title[80];

		title_of(pair, title, sizeof(title));
		pgtsim_printf(out, "B%-3u %s\n", pair->number, title);
	}
}

/* ---- one pair ---- */

/* Prints each command as it runs, and its output indented. */
struct teller {
	struct run_watcher watcher;
	struct pgtsim_printer out;
	bool in_line;
};

static void print_inwards(void *ctx, const char *text)
{
	struct teller *teller = ctx;

	while (*text) {
		size_t length = strcspn(text, "\n");
		bool ends = text[length] == '\n';

		if (!teller->in_line)
			pgtsim_printf(&teller->out, "      ");
		pgtsim_printf(&teller->out, "%.*s", (int)length, text);
		if (ends)
			pgtsim_printf(&teller->out, "\n");
		teller->in_line = !ends;
		text += length + ends;
	}
}

static void tell_command(struct run_watcher *watcher, struct run *run,
			 const struct scenario_command *command)
{
	struct teller *teller = (struct teller *)(void *)watcher;

	(void)run;
	pgtsim_printf(&teller->out, "    %s\n", command->source);
}

/* The comment's lines between the title and the first "#" alone after it. */
static void tell_story(const struct gallery_file *file, const struct pgtsim_printer *out)
{
	const char *line = strstr(file->text, "\n#\n");

	if (!line)
		return;
	for (line += 3; line[0] == '#' && line[1] == ' '; line = next_line(line))
		pgtsim_printf(out, "%.*s\n", (int)strcspn(line, "\n") - 2, line + 2);
}

static void tell_value(const struct gallery_file *file, const char *key,
		       const struct pgtsim_printer *out)
{
	char value[128];

	gallery_value(file, key, value, sizeof(value));
	if (*value)
		pgtsim_printf(out, "%s: %s\n", key, value);
}

static void tell_defect(const struct gallery_pair *pair, const struct pgtsim_printer *out)
{
	char title[80];

	title_of(pair, title, sizeof(title));
	pgtsim_printf(out, "B%u: %s\n\n", pair->number, title);
	tell_story(&pair->bad, out);
	pgtsim_printf(out, "\n");
	tell_value(&pair->bad, "where", out);
	tell_value(&pair->bad, "fixed", out);
	tell_value(&pair->bad, "finds", out);
}

static int verdict_status(const struct gallery_verdict *verdict)
{
	if (verdict->status == RUN_NO_MEMORY)
		return RUN_NO_MEMORY;
	return verdict->as_told ? RUN_OK : RUN_FAILED;
}

static int tell_run(const struct gallery_file *file, const struct pgtsim_printer *out)
{
	struct teller teller = { .watcher = { .before = tell_command }, .out = *out };
	const struct pgtsim_printer inwards = { print_inwards, &teller };
	struct gallery_verdict verdict;

	pgtsim_printf(out, "\n  %s\n", file->name);
	gallery_play(file, &inwards, &teller.watcher, NULL, &verdict);
	if (verdict.status != RUN_OK)
		pgtsim_printf(out, "  %s:%u: %s\n", file->name, verdict.error.line,
			      verdict.error.message);
	if (verdict.as_told)
		pgtsim_printf(out, "  %s\n",
			      verdict.status == RUN_OK ? "Clean." : "That is the defect, found.");
	else
		pgtsim_printf(out, "  This is not what the scenario is about.\n");
	return verdict_status(&verdict);
}

/* The worse of two: what is not known counts more than what is wrong. */
static int worse(int a, int b)
{
	return a > b ? a : b;
}

int gallery_tell(const struct gallery_pair *pair, const struct pgtsim_printer *out)
{
	int found, clean;

	tell_defect(pair, out);
	found = tell_run(&pair->bad, out);
	pgtsim_printf(out, "\n");
	tell_story(&pair->good, out);
	clean = tell_run(&pair->good, out);
	return worse(found, clean);
}

/* ---- all pairs ---- */

static void no_text(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

static int run_pair(const struct gallery_pair *pair, const struct pgtsim_printer *out)
{
	const struct pgtsim_printer nowhere = { no_text, NULL };
	struct gallery_verdict bad, good;
	char title[80];

	title_of(pair, title, sizeof(title));
	gallery_play(&pair->bad, &nowhere, NULL, NULL, &bad);
	gallery_play(&pair->good, &nowhere, NULL, NULL, &good);
	pgtsim_printf(out, "B%-3u %-9s %-9s %-37s %s\n", pair->number,
		      bad.as_told ? "found" : "NOT FOUND", good.as_told ? "clean" : "NOT CLEAN",
		      bad.found, title);
	return worse(verdict_status(&bad), verdict_status(&good));
}

static bool is_stopped(gallery_stop *stop, const struct gallery_pair *next)
{
	return stop && stop(next);
}

int gallery_run_all(const struct gallery_pair *pairs, const struct pgtsim_printer *out,
		    gallery_stop *stop)
{
	unsigned count = 0, right = 0;
	int status = RUN_OK;

	for (; pairs[count].number && status != RUN_NO_MEMORY; count++) {
		int pair;

		if (is_stopped(stop, &pairs[count]))
			break;
		pair = run_pair(&pairs[count], out);
		right += pair == RUN_OK;
		status = worse(status, pair);
	}
	if (status == RUN_NO_MEMORY) {
		pgtsim_printf(out, "%s\n", RUN_NO_MEMORY_TEXT);
		return status;
	}
	pgtsim_printf(out, "%u of %u defects found, and clean where they are fixed\n", right,
		      count);
	return status;
}

/* ---- a kernel ---- */

/* What came of a bad scenario on a kernel, in a word or two. */
static const char *kernel_word(const struct gallery_verdict *verdict)
{
	if (verdict->as_told)
		return "found";
	if (verdict->status == RUN_OK)
		return "clean";
	return *verdict->found ? "other" : "differs";
}

/* Runs one bad scenario on a kernel. Returns a status as gallery_run_kernel() does. */
static int run_on_kernel(const struct gallery_pair *pair, const struct run_kernel *kernel,
			 const struct pgtsim_printer *out)
{
	const struct pgtsim_printer nowhere = { no_text, NULL };
	struct gallery_verdict verdict;
	const char *word;
	char title[80];

	title_of(pair, title, sizeof(title));
	gallery_play(&pair->bad, &nowhere, NULL, kernel, &verdict);
	word = kernel_word(&verdict);
	pgtsim_printf(out, "B%-3u %-8s %-25s %s\n", pair->number, word, verdict.found, title);
	if (!verdict.as_told && verdict.status != RUN_OK)
		pgtsim_printf(out, "     %s\n", verdict.error.message);
	if (verdict.status == RUN_NO_MEMORY)
		return RUN_NO_MEMORY;
	return verdict.as_told ? RUN_FAILED : RUN_OK;
}

int gallery_run_kernel(const struct gallery_pair *pairs, const struct gallery_pair *only,
		       const struct run_kernel *kernel, const struct pgtsim_printer *out,
		       gallery_stop *stop)
{
	unsigned found = 0, count = 0, elsewhere = 0;
	int status = RUN_OK;

	for (; pairs->number && !is_stopped(stop, pairs); pairs++) {
		char in_tree[8];
		int one;

		if (only && pairs != only)
			continue;
		gallery_value(&pairs->bad, "in a tree", in_tree, sizeof(in_tree));
		if (strcmp(in_tree, "yes") != 0) {
			elsewhere++;
			continue;
		}
		one = run_on_kernel(pairs, kernel, out);
		found += one == RUN_FAILED;
		status = worse(status, one);
		count++;
	}
	pgtsim_printf(out, "%u of %u defects show on this kernel; %u others lie elsewhere\n", found,
		      count, elsewhere);
	return status;
}
