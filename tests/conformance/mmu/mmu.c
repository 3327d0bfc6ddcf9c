/* SPDX-License-Identifier: MIT */
/*
 * mmu QEMU PAYLOAD [TRANSLATIONS [SEED]]
 *
 * Compares the library's walk with an MMU: README.md. Without numbers it asks about a million VAs
 * from a fixed seed, and then each regime must have met every end that a walk of it can have. Exit
 * status: 0 no difference, 1 there are some or it did not run, 77 there is no QEMU.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <pgtsim/dump.h>

#include "answer.h"
#include "guest.h"
#include "limits.h"
#include "model.h"
#include "regime.h"
#include "seen.h"

enum {
	SKIPPED = 77,
	SECONDS = 60, /* for QEMU; it takes some three */
	MODELS_A_REGIME = 8,
	SHOWN = 5, /* mismatches, of a regime */
};

/* One command for the guest, and the library's tables behind it. */
struct round {
	struct model model;
	struct guest_command *command;
};

/* One line of the summary. */
struct tally {
	uint64_t translations, answers, faults, left_out, mismatches;
	uint64_t shown, last_shown; /* how many mismatches; the VA */
	struct seen seen;
};

struct suite {
	struct guest guest;
	struct regime regimes[MAX_REGIMES];
	size_t regime_count;
	struct round rounds[MAX_REGIMES * MODELS_A_REGIME];
	size_t round_count;
	struct model_slots slots;
	struct tally tallies[MAX_REGIMES];
	uint64_t each; /* VAs of a round */
};

/* ---- before ---- */

static void copy_table(void *arg, uint64_t pa, const void *bytes, size_t size)
{
	memcpy(guest_at(arg, pa), bytes, size);
}

/* Writes the VAs that can be asked about. */
static void choose_vas(struct suite *suite, struct round *round, struct tally *tally)
{
	uint64_t *vas = guest_at(&suite->guest, round->command->vas);

	for (size_t n = 0; round->command->count < suite->each; n++) {
		uint64_t va = model_va(&round->model, n);

		if (limits_leave_out(&suite->guest, &round->model, va))
			tally->left_out++;
		else
			vas[round->command->count++] = va;
		if (n > suite->each * 50)
			break;
	}
}

static bool prepare_round(struct suite *suite, size_t regime, unsigned number, uint64_t seed)
{
	static const unsigned sh[] = { 0, 2, 3 };
	struct round *round = &suite->rounds[suite->round_count];
	struct guest_command *commands = guest_at(&suite->guest, GUEST_COMMANDS + 64);
	const struct pgtsim_geometry *geo = &suite->regimes[regime].geo;
	uint64_t vas, answers;

	if (!model_new(&round->model, &suite->regimes[regime], &suite->slots, number, seed))
		return false;
	vas = guest_data(&suite->guest, suite->each * sizeof(uint64_t));
	answers = guest_data(&suite->guest, suite->each * sizeof(struct guest_answer));
	round->command = &commands[suite->round_count++];
	*round->command = (struct guest_command){
		.tcr = regime_tcr(geo, sh[random_below(&round->model.random, 3)]),
		.ttbr1 = regime_ttbr1(geo, round->model.pgt.root->pa),
		.mair = REGIME_MAIR,
		.vas = vas,
		.answers = answers,
		.execute_from = GUEST_VOID,
	};
	if (!vas || !answers)
		return false;
	pgtsim_export_tables(&round->model.pgt, copy_table, &suite->guest);
	choose_vas(suite, round, &suite->tallies[regime]);
	return true;
}

static bool prepare(struct suite *suite, uint64_t translations, uint64_t seed)
{
	struct guest_header *header = guest_at(&suite->guest, GUEST_COMMANDS);
	struct random seeds = { seed };

	suite->regime_count = regime_all(suite->regimes);
	if (!suite->regime_count)
		return false;
	suite->each = translations / (suite->regime_count * MODELS_A_REGIME) + 1;
	for (size_t regime = 0; regime < suite->regime_count; regime++)
		for (unsigned i = 0; i < MODELS_A_REGIME; i++)
			if (!prepare_round(suite, regime, i, random_bits(&seeds)))
				return false;
	header->commands = suite->round_count;
	return true;
}

/* ---- after ---- */

/* A question that is answered differently. */
struct mismatch {
	const struct round *round;
	uint64_t va;
	enum guest_question question;
	struct answer ours, mmu;
};

static void show_mismatch(const struct mismatch *m, const struct pgtsim_translation *t)
{
	printf("\n%s, VA 0x%016" PRIx64 ": %s?\n", m->round->model.regime->name, m->va,
	       answer_question(m->question));
	for (unsigned i = 0; i < t->steps; i++) {
		const struct pgtsim_step *step = &t->step[i];

		printf("  level %2d  index %4u  0x%016" PRIx64 "  %s\n", step->level, step->index,
		       step->desc, pgtsim_kind_name(pgtsim_desc_kind(step->level, step->desc)));
	}
	printf("  the library: ");
	answer_print(&m->ours);
	printf("\n  the MMU:     ");
	answer_print(&m->mmu);
	printf("\n");
}

/*
 * The library's answer. Where no entry was changed the address is the one that pgtsim_map() was
 * given, so that a wrong descriptor is found, too, which both walks read alike.
 */
static struct answer ask_library(const struct mismatch *m, const struct pgtsim_translation *t)
{
	const struct model *model = &m->round->model;
	struct answer answer = answer_of_library(t, model->regime, m->round->command, m->question);
	uint64_t pa;

	if (answer.kind == ANSWER_PA && model_target(model, m->va, &pa))
		answer.pa = pa & ANSWER_PA_MASK;
	return answer;
}

/* Shows the first mismatches of a regime, but not one VA several times on end. */
static void show_once(const struct mismatch *m, const struct pgtsim_translation *t,
		      struct tally *tally)
{
	if (tally->shown == SHOWN || (tally->shown && tally->last_shown == m->va))
		return;
	tally->shown++;
	tally->last_shown = m->va;
	show_mismatch(m, t);
}

/* Compares all answers about one VA. The first difference is one mismatch; the others are none. */
static void compare_va(const struct round *round, uint64_t va, const struct guest_answer *answer,
		       struct tally *tally)
{
	struct mismatch m = { .round = round, .va = va };
	struct pgtsim_translation t;
	bool good = true;

	(void)pgtsim_translate(&round->model.pgt, va, &t);
	for (; m.question < GUEST_QUESTIONS; m.question++) {
		m.ours = ask_library(&m, &t);
		m.mmu = answer_of_mmu(answer, m.question);
		tally->answers += m.mmu.kind != ANSWER_NOT_TRIED;
		if (good && !answer_equal(&m.ours, &m.mmu)) {
			good = false;
			show_once(&m, &t, tally);
		}
	}
	seen_add(&tally->seen, &t);
	tally->translations++;
	tally->faults += t.fault != PGTSIM_FAULT_NONE;
	tally->mismatches += !good;
}

static void compare_round(const struct suite *suite, const struct round *round, struct tally *tally)
{
	const uint64_t *vas = guest_at(&suite->guest, round->command->vas);
	const struct guest_answer *answers = guest_at(&suite->guest, round->command->answers);

	for (uint64_t i = 0; i < round->command->count; i++)
		compare_va(round, vas[i], &answers[i], tally);
}

static void add_tally(struct tally *sum, const struct tally *tally)
{
	sum->translations += tally->translations;
	sum->answers += tally->answers;
	sum->faults += tally->faults;
	sum->left_out += tally->left_out;
	sum->mismatches += tally->mismatches;
}

static void print_tally(const char *name, const struct tally *tally)
{
	printf("%-18s %12" PRIu64 " %10" PRIu64 " %10" PRIu64 " %9" PRIu64 " %10" PRIu64 "\n", name,
	       tally->translations, tally->answers, tally->faults, tally->left_out,
	       tally->mismatches);
}

/* Returns whether all is as it should be. */
static bool compare(struct suite *suite, bool everything)
{
	struct tally sum = { 0 };
	unsigned missing = 0;

	for (size_t i = 0; i < suite->round_count; i++)
		compare_round(suite, &suite->rounds[i], &suite->tallies[i / MODELS_A_REGIME]);
	printf("\n%-18s %12s %10s %10s %9s %10s\n", "regime", "translations", "answers", "faults",
	       "left out", "mismatches");
	for (size_t i = 0; i < suite->regime_count; i++) {
		print_tally(suite->regimes[i].name, &suite->tallies[i]);
		add_tally(&sum, &suite->tallies[i]);
	}
	print_tally("all", &sum);
	for (size_t i = 0; i < suite->regime_count; i++)
		missing += seen_missing(&suite->guest, &suite->regimes[i], &suite->tallies[i].seen);
	return sum.mismatches == 0 && !(everything && missing);
}

/* ---- all together ---- */

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int run(struct suite *suite, int argc, char **argv)
{
	uint64_t translations = argc > 3 ? strtoull(argv[3], NULL, 0) : 1000000;
	uint64_t seed = argc > 4 ? strtoull(argv[4], NULL, 0) : 1;
	double began = seconds(), prepared, ran;
	bool good;

	printf("QEMU %u.%u, seed %" PRIu64 "\n", suite->guest.major, suite->guest.minor, seed);
	if (!prepare(suite, translations, seed)) {
		printf("no memory for the tables\n");
		return EXIT_FAILURE;
	}
	prepared = seconds();
	if (!guest_run(&suite->guest, argv[1], argv[2], SECONDS))
		return EXIT_FAILURE;
	ran = seconds();
	good = compare(suite, argc == 3);
	printf("%.1f s to prepare, %.1f s in QEMU, %.1f s to compare\n", prepared - began,
	       ran - prepared, seconds() - ran);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	struct suite *suite;
	int status = SKIPPED;

	if (argc < 3) {
		fprintf(stderr, "usage: mmu QEMU PAYLOAD [TRANSLATIONS [SEED]]\n");
		return EXIT_FAILURE;
	}
	suite = calloc(1, sizeof(*suite));
	if (!suite)
		return EXIT_FAILURE;
	if (guest_open(&suite->guest, argv[1]))
		status = run(suite, argc, argv);
	for (size_t i = 0; i < suite->round_count; i++)
		model_free(&suite->rounds[i].model);
	guest_close(&suite->guest);
	free(suite);
	return status;
}
