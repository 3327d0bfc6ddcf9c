// SPDX-License-Identifier: MIT
/*
 * judge: what the checker says of short sequences. Each line of the standard input is "0" or "1",
 * whether the CPUs have FEAT_ETS2, and a sequence in the words of sequence.py. For each a line
 * is written: the names of the violations at page x, or "clean"; then "stale" if an old translation
 * of x may still be in use.
 *
 * Only public headers are used: the sequence's stores are pokes, everything else is an event.
 */
#include <pgtsim/checker.h>
#include <pgtsim/machine.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE UINT64_C(4096)
#define PA_A UINT64_C(0x40000000)
#define PA_B UINT64_C(0x48000000)

/* A machine with pages x and y, and the CPU whose turn it is. */
struct world {
	struct pgtsim_machine *machine;
	uint64_t x;
	unsigned cpu;
};

static const struct {
	const char *word;
	enum pgtsim_op op;
} barriers[] = {
	{ "dsb", PGTSIM_OP_DSB_ISH },      { "dsb.st", PGTSIM_OP_DSB_ISHST },
	{ "dsb.ld", PGTSIM_OP_DSB_ISHLD }, { "dsb.nsh", PGTSIM_OP_DSB_NSH },
	{ "dsb.osh", PGTSIM_OP_DSB_OSH },  { "dsb.sy", PGTSIM_OP_DSB_SY },
	{ "dmb", PGTSIM_OP_DMB_ISH },      { "dmb.st", PGTSIM_OP_DMB_ISHST },
	{ "dmb.ld", PGTSIM_OP_DMB_ISHLD }, { "isb", PGTSIM_OP_ISB },
};

static const struct {
	const char *word;
	enum pgtsim_op op;
} invalidates[] = {
	{ "leaf", PGTSIM_OP_TLBI_LEAF }, { "yleaf", PGTSIM_OP_TLBI_LEAF },
	{ "walk", PGTSIM_OP_TLBI_WALK }, { "range", PGTSIM_OP_TLBI_RANGE },
	{ "all", PGTSIM_OP_TLBI_ALL },
};

static const struct {
	const char *suffix;
	enum pgtsim_scope scope;
} scopes[] = {
	{ "", PGTSIM_SCOPE_IS },
	{ ".local", PGTSIM_SCOPE_LOCAL },
	{ ".os", PGTSIM_SCOPE_OS },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void die(const char *what, const char *word)
{
	fprintf(stderr, "judge: %s: %s\n", what, word);
	exit(2);
}

/* Emits an event of the CPU whose turn it is. */
static void emit(struct world *w, enum pgtsim_op op, uint64_t va, enum pgtsim_scope scope)
{
	const struct pgtsim_event event = {
		.op = op,
		.level = PGTSIM_PTE,
		.va = va,
		.count = 1,
		.size = va ? PAGE : 0, /* a barrier, or an invalidate of everything, has none */
		.cpu = w->cpu,
		.scope = (uint8_t)scope,
	};

	pgtsim_tlb_event(&w->machine->tlb, &event);
}

/* The descriptor that a word stores: 0 invalid, A read-write, R read-only, B another page. */
static uint64_t descriptor(const struct world *w, char value, uint64_t pa)
{
	const uint64_t attrs = w->machine->policy.prot[PGTSIM_PROT_TAGGED];

	switch (value) {
	case '0':
		return 0;
	case 'A':
		return pgtsim_desc_leaf(&w->machine->geo, PGTSIM_PTE, pa, attrs);
	case 'R':
		return pgtsim_desc_leaf(&w->machine->geo, PGTSIM_PTE, pa,
					(attrs | PGTSIM_DESC_AP2) & ~PGTSIM_DESC_DBM);
	default:
		return pgtsim_desc_leaf(&w->machine->geo, PGTSIM_PTE, pa + PA_B - PA_A, attrs);
	}
}

static void poke(struct world *w, uint64_t page, char value)
{
	uint64_t desc = descriptor(w, value, PA_A + page * PAGE);

	if (pgtsim_poke(&w->machine->pgt, PGTSIM_PTE, w->x + page * PAGE, desc))
		die("cannot store", "");
}

static bool barrier(struct world *w, const char *word)
{
	for (size_t i = 0; i < COUNT(barriers); i++)
		if (strcmp(barriers[i].word, word) == 0) {
			emit(w, barriers[i].op, 0, PGTSIM_SCOPE_IS);
			return true;
		}
	return false;
}

static bool invalidate(struct world *w, const char *word)
{
	for (size_t i = 0; i < COUNT(invalidates); i++) {
		size_t length = strlen(invalidates[i].word);

		if (strncmp(word, invalidates[i].word, length) != 0)
			continue;
		for (size_t s = 0; s < COUNT(scopes); s++)
			if (strcmp(word + length, scopes[s].suffix) == 0) {
				emit(w, invalidates[i].op, w->x + (word[0] == 'y' ? PAGE : 0),
				     scopes[s].scope);
				return true;
			}
	}
	return false;
}

/* One step; `/` is the other CPU's turn. */
static void step(struct world *w, const char *word)
{
	if (word[0] == '/')
		w->cpu = 1 - w->cpu;
	else if (strcmp(word, "y0") == 0 || strcmp(word, "yB") == 0)
		poke(w, 1, word[1]);
	else if (strlen(word) == 1 && strchr("0ABR", word[0]))
		poke(w, 0, word[0]);
	else if (!barrier(w, word) && !invalidate(w, word))
		die("no such step", word);
}

/* A machine whose pages x (as `first` says) and y are mapped, everything flushed and seen. */
static void world_init(struct world *w, bool ets2, char first)
{
	const struct pgtsim_checker_cpu cpu = { .ets2 = ets2, .cpus = 2 };
	struct pgtsim_machine_config config;
	struct pgtsim_map map = { .pa = PA_A, .size = 4 * PAGE, .region = PGTSIM_REGION_LINEAR };

	if (pgtsim_machine_config_init(&config, "latest"))
		die("no profile", "latest");
	if (pgtsim_machine_new(&w->machine, &config))
		die("no memory", "");
	if (pgtsim_checker_set_cpu(&w->machine->tlb, &cpu))
		die("cannot set the CPU", "");
	w->cpu = 0;
	w->x = map.va = pgtsim_linear(&w->machine->layout, PA_A);
	map.attrs = config.policy.prot[PGTSIM_PROT_TAGGED];
	map.table_attrs = config.policy.linear_table;
	if (pgtsim_map(&w->machine->pgt, &map))
		die("cannot map", "");
	if (first != 'V')
		poke(w, 0, '0');
	emit(w, PGTSIM_OP_DSB_ISHST, 0, PGTSIM_SCOPE_IS);
	emit(w, PGTSIM_OP_TLBI_ALL, 0, PGTSIM_SCOPE_IS);
	emit(w, PGTSIM_OP_DSB_ISH, 0, PGTSIM_SCOPE_IS);
	if (first == 'R')
		poke(w, 0, 'R');
	emit(w, PGTSIM_OP_DSB_ISHST, 0, PGTSIM_SCOPE_IS);
	emit(w, PGTSIM_OP_ISB, 0, PGTSIM_SCOPE_IS);
	pgtsim_tlb_end(&w->machine->tlb, w->x, w->x + 4 * PAGE - 1);
	if (w->machine->tlb.counts.violations)
		die("the setup is not clean", w->machine->tlb.violations[0].text);
}

static void print_verdict(const struct world *w)
{
	size_t count;
	const struct pgtsim_violation *violations = pgtsim_violations(&w->machine->tlb, &count);
	struct pgtsim_stale stale;
	bool clean = true;

	for (size_t i = 0; i < count; i++)
		if (violations[i].va - w->x < PAGE) {
			printf("%s ", pgtsim_violation_kind(violations[i].name)->name);
			clean = false;
		}
	printf("%s%s\n", clean ? "clean " : "",
	       pgtsim_may_be_stale(&w->machine->tlb, w->x, &stale) ? "stale" : "");
}

static void judge(char *line)
{
	struct world w;
	bool ets2 = strcmp(strtok(line, " \n"), "1") == 0;
	char *first = strtok(NULL, " \n");

	world_init(&w, ets2, first[0]);
	for (char *word = strtok(NULL, " \n"); word; word = strtok(NULL, " \n"))
		step(&w, word);
	pgtsim_tlb_end(&w.machine->tlb, w.x, w.x + PAGE - 1);
	print_verdict(&w);
	pgtsim_machine_free(&w.machine);
}

int main(void)
{
	char line[512];

	while (fgets(line, sizeof(line), stdin))
		judge(line);
	return 0;
}
