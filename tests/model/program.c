// SPDX-License-Identifier: MIT
#include "program.h"

#include <stdio.h>
#include <string.h>

/* ---- random programs ---- */

struct dice {
	uint32_t state;
	struct program *program;
	const struct features *features;
	uint64_t hinted; /* pages that began as members of a contiguous group */
};

static unsigned roll(struct dice *dice, unsigned n)
{
	dice->state ^= dice->state << 13;
	dice->state ^= dice->state >> 17;
	dice->state ^= dice->state << 5;
	return dice->state % n;
}

static void add(struct dice *dice, struct step step)
{
	struct program *p = dice->program;

	if (dice->features->cpus)
		step.cpu = roll(dice, 8) == 0;
	if (p->count < MAX_STEPS)
		p->step[p->count++] = step;
}

static void add_barrier(struct dice *dice, enum model_barrier barrier)
{
	static const enum model_barrier kinds[] = { MODEL_DSB_ISHLD, MODEL_DSB_NSH,
						    MODEL_DMB_ISHST };

	if (dice->features->kinds && roll(dice, 12) == 0)
		barrier = kinds[roll(dice, 3)];
	add(dice, (struct step){ .kind = STEP_BARRIER, .barrier = barrier });
}

static unsigned size_of(int level)
{
	return level == MODEL_PTE ? 1 : level == MODEL_PMD ? 4 : 16;
}

static enum step_value random_leaf(struct dice *dice, unsigned page)
{
	static const enum step_value leaf[] = { VALUE_NONE,     VALUE_NONE,    VALUE_NONE,
						VALUE_NONE,     VALUE_NONE,    VALUE_PAGE,
						VALUE_PAGE,     VALUE_PAGE,    VALUE_OTHER,
						VALUE_READONLY, VALUE_READONLY };
	static const enum step_value more[] = { VALUE_YOUNG,  VALUE_YOUNG,  VALUE_SOFT,
						VALUE_DEVICE, VALUE_HINTED, VALUE_HINTED_YOUNG };

	if (dice->features->leaves && roll(dice, 4) == 0)
		return more[roll(dice, dice->hinted >> page & 1 ? 6 : 4)];
	return leaf[roll(dice, dice->features->permissions ? 11 : 9)];
}

static enum step_value random_upper(struct dice *dice)
{
	static const enum step_value upper[] = {
		VALUE_NONE,  VALUE_NONE,  VALUE_NONE,  VALUE_NONE,
		VALUE_TABLE, VALUE_TABLE, VALUE_TABLE, VALUE_PAGE
	};

	if (dice->features->tables && roll(dice, 3) == 0)
		return roll(dice, 3) ? VALUE_TABLE_READONLY : VALUE_TABLE_SOFT;
	return upper[roll(dice, 8)];
}

/* Some store; few pages, so that steps meet. */
static struct step random_store(struct dice *dice)
{
	struct step step = { .kind = STEP_STORE, .level = MODEL_PTE, .page = roll(dice, 24) };

	if (roll(dice, 4) == 0)
		step.level = roll(dice, 3) ? MODEL_PMD : MODEL_PUD;
	step.page -= step.page % size_of(step.level);
	step.value = step.level == MODEL_PTE ? random_leaf(dice, step.page) :
						  random_upper(dice);
	return step;
}

static void add_invalidate(struct dice *dice, unsigned page, int level)
{
	struct step step = { .kind = STEP_INVALIDATE, .page = page, .pages = 1 };

	step.invalidate = level != MODEL_PTE ? ONE_WALK : ONE_LEAF;
	step.hint = MODEL_ANY_LEVEL;
	if (roll(dice, 6) == 0) {
		step.invalidate = roll(dice, 4);
		if (step.invalidate == RANGE_WALK)
			step.invalidate = ALL;
		else if (step.invalidate == RANGE && dice->features->hints && roll(dice, 2))
			step.invalidate = RANGE_WALK;
	}
	if (roll(dice, 16) == 0)
		step.page = roll(dice, 24);
	if (step.invalidate == RANGE || step.invalidate == RANGE_WALK)
		step.pages = 2 + 2 * roll(dice, 4);
	step.local = dice->features->scopes && roll(dice, 10) == 0;
	if (dice->features->hints && step.invalidate != ALL && roll(dice, 4) == 0)
		step.hint = roll(dice, 6) ? level : (int)roll(dice, 3);
	/* With pages of 16K this level has no hint. */
	if (dice->program->page_shift == 14 && step.hint == MODEL_PUD)
		step.hint = MODEL_ANY_LEVEL;
	add(dice, step);
}

/* Something is freed: mostly what was cleared. */
static void add_free(struct dice *dice, const struct step *store)
{
	struct step step = { .kind = STEP_FREE_PAGE, .page = store->page, .level = store->level };

	if (roll(dice, 8) == 0)
		step.page = roll(dice, 24);
	if (store->level != MODEL_PTE)
		step.kind = STEP_FREE_TABLE;
	else if (roll(dice, 8) == 0)
		step.page += MODEL_PAGES;
	add(dice, step);
}

/* Stores, then what they want, most of it. */
static void random_action(struct dice *dice)
{
	unsigned stores = 1 + roll(dice, 3);
	struct step step[3];

	for (unsigned i = 0; i < stores; i++) {
		step[i] = random_store(dice);
		if (i && roll(dice, 2)) {
			step[i] = step[i - 1];
			step[i].page = (step[i].page + size_of(step[i].level)) % MODEL_PAGES;
		}
		add(dice, step[i]);
	}
	if (roll(dice, 12))
		add_barrier(dice, MODEL_DSB_ISHST);
	for (unsigned i = 0; i < stores; i++)
		for (unsigned n = 0; n < size_of(step[i].level); n += 1 + roll(dice, 2))
			if (roll(dice, 24))
				add_invalidate(dice, step[i].page + n, step[i].level);
	if (roll(dice, 12))
		add_barrier(dice, MODEL_DSB_ISH);
	if (dice->features->isb && roll(dice, 12))
		add_barrier(dice, MODEL_ISB);
	if (dice->features->frees && roll(dice, 3) == 0)
		add_free(dice, &step[roll(dice, stores)]);
	if (roll(dice, 2))
		add(dice, (struct step){ .kind = STEP_END });
}

/* What is mapped at first: pages, groups, a block. */
static void random_start(struct dice *dice)
{
	unsigned group = 1u << dice->program->group;

	for (unsigned page = 0; page < 24; page += group) {
		enum step_value value = VALUE_PAGE + (roll(dice, 3) == 0 ? 3 : 0);

		if (roll(dice, 4) == 0)
			continue;
		if (value == VALUE_HINTED)
			dice->hinted |= ((UINT64_C(1) << group) - 1) << page;
		for (unsigned i = 0; i < group; i++)
			dice->program->step[dice->program->count++] = (struct step){
				.kind = STEP_STORE,
				.level = MODEL_PTE,
				.page = page + i,
				.value = value,
			};
	}
	dice->program->step[dice->program->count++] =
		(struct step){ .kind = STEP_BARRIER, .barrier = MODEL_DSB_ISHST };
	dice->program->step[dice->program->count++] =
		(struct step){ .kind = STEP_BARRIER, .barrier = MODEL_ISB };
	dice->program->step[dice->program->count++] = (struct step){ .kind = STEP_END };
}

void program_random(struct program *program, uint32_t seed, const struct features *features)
{
	struct dice dice = { seed * UINT32_C(2654435761) | 1, program, features, 0 };

	*program = (struct program){
		.group = 1 + seed % 2,
		.page_shift = 12 + 2 * (seed % 3),
		.isb = features->isb,
	};
	if (features->versions) {
		program->cpus.bbm = roll(&dice, 4);
		program->cpus.ets2 = roll(&dice, 3) == 0;
	}
	random_start(&dice);
	for (unsigned i = 1 + roll(&dice, 4); i; i--)
		random_action(&dice);
	if (program->count > MAX_STEPS - 1)
		program->count = MAX_STEPS - 1;
	program->step[program->count++] = (struct step){ .kind = STEP_END };
}

/* ---- printing and shrinking ---- */

static const char *const barrier_names[] = { "DSB ISHST", "DSB ISHLD", "DSB ISH",
					     "DSB NSH",   "DMB ISHST", "ISB" };
static const char *const value_names[] = {
	"none",  "page", "other",        "readonly", "hinted",         "device",
	"young", "soft", "hinted young", "table",    "table readonly", "table soft",
};
static const char *const level_names[] = { "pud", "pmd", "pte" };
static const char *const invalidate_names[] = { "leaf", "walk", "range", "range-walk", "all" };

static void print_step(unsigned number, const struct step *step)
{
	printf("%3u ", number);
	if (step->kind == STEP_STORE)
		printf("store %s %u %s", level_names[step->level], step->page,
		       value_names[step->value]);
	else if (step->kind == STEP_BARRIER)
		printf("%s", barrier_names[step->barrier]);
	else if (step->kind == STEP_INVALIDATE)
		printf("TLBI %s %u, %u pages%s%s%s", invalidate_names[step->invalidate], step->page,
		       step->pages, step->local ? ", local" : "",
		       step->hint == MODEL_ANY_LEVEL ? "" : ", hint ",
		       step->hint == MODEL_ANY_LEVEL ? "" : level_names[step->hint]);
	else if (step->kind == STEP_FREE_TABLE)
		printf("free the table of %s %u", level_names[step->level], step->page);
	else if (step->kind == STEP_FREE_PAGE)
		printf("free page %u", step->page);
	else
		printf("end");
	printf("%s\n", step->cpu ? " (CPU 1)" : "");
}

void program_print(const struct program *program)
{
	printf("pages of %u K, groups of %u, FEAT_BBM %u%s\n", 1u << (program->page_shift - 10),
	       1u << program->group, program->cpus.bbm, program->cpus.ets2 ? ", FEAT_ETS2" : "");
	for (unsigned i = 0; i < program->count; i++)
		print_step(i, &program->step[i]);
}

static bool differs(const struct program *program)
{
	struct finding model = program_by_model(program), checker = program_by_checker(program);

	return !findings_agree(program, &model, &checker);
}

void program_shrink(struct program *program)
{
	for (bool again = true; again;) {
		again = false;
		for (unsigned i = 0; i < program->count; i++) {
			struct program less = *program;

			/* Groups stay whole. */
			if (less.step[i].value == VALUE_HINTED)
				continue;
			memmove(&less.step[i], &less.step[i + 1],
				(less.count - i - 1) * sizeof(less.step[0]));
			less.count--;
			if (!differs(&less))
				continue;
			*program = less;
			again = true;
			i--;
		}
	}
}

/* ---- by the model ---- */

bool is_table(enum step_value value)
{
	return value >= VALUE_TABLE;
}

static struct model_value value_of(const struct step *step)
{
	unsigned number = step->page / size_of(step->level);
	enum step_value value = step->value;

	if (value == VALUE_NONE)
		return (struct model_value){ .kind = MODEL_NONE };
	return (struct model_value){
		.kind = is_table(value) ? MODEL_TABLE : MODEL_LEAF,
		.address = is_table(value) ? number :
					     step->page + (value == VALUE_OTHER ? MODEL_PAGES : 0),
		.cont = value == VALUE_HINTED || value == VALUE_HINTED_YOUNG,
		.readonly = value == VALUE_READONLY || value == VALUE_TABLE_READONLY,
		.device = value == VALUE_DEVICE,
		.young = value == VALUE_YOUNG || value == VALUE_HINTED_YOUNG,
		.soft = value == VALUE_SOFT || value == VALUE_TABLE_SOFT,
	};
}

static void invalidate(struct model *model, const struct step *step)
{
	struct model_invalidate op = {
		.page = step->page,
		.pages = step->pages,
		.walk = step->invalidate == ONE_WALK || step->invalidate == RANGE_WALK ||
			step->invalidate == ALL,
		.local = step->local,
		.level = step->hint,
	};

	if (step->invalidate == ALL) {
		op.page = 0;
		op.pages = MODEL_PAGES;
	}
	if (op.page + op.pages > MODEL_PAGES)
		op.pages = MODEL_PAGES - op.page;
	model_invalidate(model, step->cpu, &op);
}

/* The first page with something wrong, its highest level; what is wrong with the others counts, too. */
static void find_wrong(const struct model *model, struct finding *found)
{
	for (unsigned page = 0; page < MODEL_PAGES && !found->wrong; page++)
		for (int level = MODEL_PTE; level >= MODEL_PUD; level--) {
			unsigned wrong = page % size_of(level) ? 0 : model_end(model, level, page);

			if (!wrong)
				continue;
			found->wrong |= wrong;
			found->page = page;
			found->level = level;
		}
}

/* Only groups of ptes are in programs. */
static void find_groups(const struct model *model, unsigned group, struct finding *found)
{
	for (unsigned page = 0; page < MODEL_PAGES; page += 1u << group)
		if (model_misprogrammed(model, MODEL_PTE, page))
			found->bad_groups |= UINT64_C(1) << page;
	if (found->bad_groups && !found->wrong)
		found->wrong = MODEL_STALE;
}

static void end(struct model *model, const struct program *program, struct finding *found)
{
	for (unsigned cpu = 0; cpu < MODEL_CPUS && !program->isb; cpu++)
		model_barrier(model, cpu, MODEL_ISB);
	find_wrong(model, found);
	find_groups(model, program->group, found);
}

/* A table that was freed is not linked again. */
static void store(struct model *model, const struct step *step, const bool *freed,
		  struct finding *found)
{
	if (!model_reachable(model, step->level, step->page) ||
	    (is_table(step->value) && freed[step->page / size_of(step->level)]))
		return;
	found->wrong = model_store(model, step->cpu, step->level, step->page, value_of(step),
				   &found->page);
	found->level = step->level;
}

/* What the tables lead to is not freed. */
static void free_table(const struct model *model, const struct step *step, bool *freed,
		       struct finding *found)
{
	bool *gone = &freed[step->page / size_of(step->level)];

	if (*gone || model_linked(model, step->level, step->page))
		return;
	*gone = true;
	found->wrong = model_free_table(model, step->level, step->page, &found->page);
}

struct finding program_by_model(const struct program *program)
{
	struct model *model = model_new(program->group, &program->cpus);
	struct finding found = { .step = 0 };
	bool freed[2][16] = { { false } };

	for (; found.step < program->count && !found.wrong; found.step++) {
		const struct step *step = &program->step[found.step];

		if (step->kind == STEP_STORE)
			store(model, step, freed[step->level % 2], &found);
		else if (step->kind == STEP_BARRIER)
			model_barrier(model, step->cpu, step->barrier);
		else if (step->kind == STEP_INVALIDATE)
			invalidate(model, step);
		else if (step->kind == STEP_FREE_TABLE)
			free_table(model, step, freed[step->level % 2], &found);
		else if (step->kind == STEP_FREE_PAGE && !model_mapped(model, step->page))
			found.wrong = model_free_page(model, step->page, &found.page);
		else if (step->kind == STEP_END)
			end(model, program, &found);
	}
	model_free(model);
	return found;
}
