// SPDX-License-Identifier: MIT
/* The same programs in the library, as pokes and events on a page table of its own. */
#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgtsim/pgtable.h>

#include "judged.h"

#define TABLE_BASE UINT64_C(0x100000000)
#define MEMORY_BASE UINT64_C(0x40000000)

enum { MAX_TABLES = 24, ENTRIES = 4 };

struct world {
	struct pgtsim_geometry geo;
	struct pgtsim_policy policy;
	struct pgtsim_tlb tlb;
	struct pgtsim_pgtable pgt;
	struct pgtsim_table table[MAX_TABLES];
	uint64_t entries[MAX_TABLES][ENTRIES];
	unsigned tables;
	uint64_t start, page;
	uint64_t table_desc[2][16]; /* of puds and pmds */
	bool freed[2][16];
	bool isb; /* only where the program has them */
	struct judged judged;
	bool table_freed; /* the judge does not know any more what it holds */
};

/* ---- an allocator of tables ---- */

static uint64_t pages_alloc(void *ctx, uint64_t count, struct pgtsim_table ***tail)
{
	struct world *w = ctx;
	uint64_t got = 0;

	for (; got < count && w->tables < MAX_TABLES; got++, w->tables++) {
		struct pgtsim_table *table = &w->table[w->tables];

		table->entries = w->entries[w->tables];
		table->pa = TABLE_BASE + ((uint64_t)w->tables << 16);
		**tail = table;
		*tail = &table->next;
	}
	return got;
}

static void pages_free(void *ctx, struct pgtsim_table *table)
{
	(void)ctx;
	(void)table;
}

static struct pgtsim_table *pages_find(const void *ctx, uint64_t pa)
{
	struct world *w = (struct world *)(uintptr_t)ctx;
	uint64_t i = (pa - TABLE_BASE) >> 16;

	return i < w->tables ? &w->table[i] : NULL;
}

/* ---- events ---- */

static void check(int ret)
{
	if (ret)
		abort();
}

static void emit(struct world *w, unsigned cpu, enum pgtsim_op op, uint64_t va, uint64_t size,
		 bool local)
{
	const struct pgtsim_event event = {
		.op = op,
		.level = PGTSIM_PTE,
		.va = va,
		.count = 1,
		.size = size,
		.cpu = cpu,
		.scope = local ? PGTSIM_SCOPE_LOCAL : PGTSIM_SCOPE_IS,
	};

	pgtsim_tlb_event(&w->tlb, &event);
}

/* An invalidate of a step, from va on. */
static void invalidate(struct world *w, const struct step *step, uint64_t va)
{
	static const enum pgtsim_op ops[] = { PGTSIM_OP_TLBI_LEAF, PGTSIM_OP_TLBI_WALK,
					      PGTSIM_OP_TLBI_RANGE, PGTSIM_OP_TLBI_RANGE_WALK,
					      PGTSIM_OP_TLBI_ALL };
	const struct pgtsim_event event = {
		.op = ops[step->invalidate],
		.level = PGTSIM_PTE,
		.va = va,
		.count = 1,
		.size = step->pages * w->page,
		.cpu = step->cpu,
		.scope = step->local ? PGTSIM_SCOPE_LOCAL : PGTSIM_SCOPE_IS,
		.ttl = step->hint == MODEL_ANY_LEVEL ? 0 :
						       pgtsim_ttl(&w->geo, PGTSIM_PUD + step->hint),
	};

	pgtsim_tlb_event(&w->tlb, &event);
}

static void settle(struct world *w)
{
	emit(w, 0, PGTSIM_OP_DSB_ISHST, 0, 0, false);
	emit(w, 0, PGTSIM_OP_TLBI_ALL, 0, 0, false);
	emit(w, 0, PGTSIM_OP_DSB_ISH, 0, 0, false);
	emit(w, 0, PGTSIM_OP_ISB, 0, 0, false);
	pgtsim_tlb_end(&w->tlb, w->start, UINT64_MAX);
	if (w->tlb.counts.violations)
		abort();
}

/* Links every table: maps everything, notes the table entries, clears the ptes. */
static void link_all(struct world *w)
{
	struct pgtsim_map map = {
		.va = w->start,
		.pa = MEMORY_BASE,
		.size = MODEL_PAGES * w->page,
		.attrs = w->policy.prot[PGTSIM_PROT_KERNEL],
	};

	check(pgtsim_map(&w->pgt, &map));
	for (unsigned page = 0; page < MODEL_PAGES; page++) {
		struct pgtsim_translation at;

		check(pgtsim_translate(&w->pgt, w->start + page * w->page, &at));
		w->table_desc[0][page / 16] = at.step[0].desc;
		w->table_desc[1][page / 4] = at.step[1].desc;
	}
	settle(w);
	for (unsigned page = 0; page < MODEL_PAGES; page++)
		check(pgtsim_poke(&w->pgt, PGTSIM_PTE, w->start + page * w->page, 0));
	settle(w);
}

/* ---- a world ---- */

static void world_init(struct world *w, const struct program *program)
{
	const struct pgtsim_geometry_config config = {
		.page_shift = (uint8_t)program->page_shift,
		.levels = 3,
		.bits = { 2, 2, 2 },
		.cont_pte = (uint8_t)program->group,
		.block_levels = 1 << (PGTSIM_PUD + 1) | 1 << (PGTSIM_PMD + 1),
	};
	const struct pgtsim_checker_cpu cpu = {
		.cpus = MODEL_CPUS,
		.bbm = (uint8_t)program->cpus.bbm,
		.ets2 = program->cpus.ets2,
	};

	memset(w, 0, sizeof(*w));
	check(pgtsim_geometry_custom(&w->geo, &config));
	check(pgtsim_policy_init(&w->policy, "latest"));
	pgtsim_tlb_init(&w->tlb);
	check(pgtsim_checker_start(&w->tlb, &w->geo, &w->policy));
	check(pgtsim_checker_set_cpu(&w->tlb, &cpu));
	check(judged_start(&w->judged, &w->tlb, &w->geo, &w->policy, &cpu));
	check(pgtsim_pgtable_init(
		&w->pgt, &w->geo, &w->policy, &w->tlb,
		(struct pgtsim_table_ops){ pages_alloc, pages_free, pages_find, w },
		PGTSIM_ACCESS_PRIVATE));
	w->start = pgtsim_va_start(&w->geo);
	w->page = pgtsim_page_size(&w->geo);
	w->isb = program->isb;
	link_all(w);
}

static void world_fini(struct world *w)
{
	pgtsim_pgtable_fini(&w->pgt);
	judged_stop(&w->judged);
	pgtsim_tlb_fini(&w->tlb);
}

/* ---- steps ---- */

static uint64_t leaf_desc(const struct world *w, const struct step *step)
{
	uint64_t attrs = w->policy.prot[PGTSIM_PROT_KERNEL];
	uint64_t pa = MEMORY_BASE + step->page * w->page;

	if (step->value == VALUE_OTHER)
		pa += MODEL_PAGES * w->page;
	/* The bit for hardware's dirty state is in no step's way. */
	attrs &= ~PGTSIM_DESC_DBM;
	if (step->value == VALUE_READONLY)
		attrs |= PGTSIM_DESC_AP2;
	if (step->value == VALUE_HINTED || step->value == VALUE_HINTED_YOUNG)
		attrs |= PGTSIM_DESC_CONT;
	if (step->value == VALUE_SOFT)
		attrs ^= PGTSIM_DESC_DIRTY;
	if (step->value == VALUE_YOUNG || step->value == VALUE_HINTED_YOUNG)
		attrs &= ~PGTSIM_DESC_AF;
	if (step->value == VALUE_DEVICE)
		attrs ^= PGTSIM_DESC_ATTRINDX(7);
	return pgtsim_desc_leaf(&w->geo, PGTSIM_PUD + step->level, pa, attrs);
}

/* The number of an entry's table, in its level. */
static unsigned number_of(const struct step *step)
{
	return step->page / (step->level == MODEL_PUD ? 16 : 4);
}

static uint64_t desc_of(const struct world *w, const struct step *step)
{
	uint64_t desc;

	if (step->value == VALUE_NONE)
		return 0;
	if (!is_table(step->value))
		return leaf_desc(w, step);
	desc = w->table_desc[step->level][number_of(step)];
	if (step->value == VALUE_TABLE_READONLY)
		desc |= PGTSIM_DESC_APTABLE_RO;
	if (step->value == VALUE_TABLE_SOFT)
		desc |= PGTSIM_DESC_DIRTY;
	return desc;
}

static void store(struct world *w, const struct step *step)
{
	if (!is_table(step->value) || !w->freed[step->level][number_of(step)])
		(void)pgtsim_poke_on(&w->pgt, PGTSIM_PUD + step->level,
				     w->start + step->page * w->page, desc_of(w, step), step->cpu);
}

/* True if a walk of the tables comes by a descriptor of `kind` at a level. */
static bool is_linked(const struct world *w, const struct step *step)
{
	struct pgtsim_translation at;
	unsigned level = (unsigned)step->level;

	(void)pgtsim_translate(&w->pgt, w->start + step->page * w->page, &at);
	return at.steps > level &&
	       pgtsim_desc_is_table(PGTSIM_PUD + step->level, at.step[level].desc);
}

static void free_table(struct world *w, const struct step *step)
{
	bool *freed = &w->freed[step->level][number_of(step)];
	const struct pgtsim_event event = {
		.op = PGTSIM_OP_TABLE_FREE,
		.level = PGTSIM_PUD + step->level + 1,
		.va = w->start + step->page * w->page,
		.count = 1,
		.pa = pgtsim_desc_address(&w->geo, PGTSIM_PUD + step->level,
					  w->table_desc[step->level][number_of(step)]),
	};

	if (*freed || is_linked(w, step))
		return;
	*freed = w->table_freed = true;
	pgtsim_tlb_event(&w->tlb, &event);
}

/* True if the tables map some page to `pa`. */
static bool is_mapped(const struct world *w, uint64_t pa)
{
	for (unsigned page = 0; page < MODEL_PAGES; page++) {
		uint64_t va = w->start + page * w->page;
		struct pgtsim_translation at;

		(void)pgtsim_translate(&w->pgt, va, &at);
		if (at.desc & PGTSIM_DESC_VALID &&
		    pgtsim_desc_address(&w->geo, at.level, at.desc) +
				    (va & (pgtsim_entry_size(&w->geo, at.level) - 1)) ==
			    pa)
			return true;
	}
	return false;
}

static void free_page(struct world *w, const struct step *step)
{
	const struct pgtsim_event event = {
		.op = PGTSIM_OP_PAGES_FREE,
		.level = PGTSIM_PTE,
		.count = 1,
		.pa = MEMORY_BASE + step->page * w->page,
	};

	if (!is_mapped(w, event.pa))
		pgtsim_tlb_event(&w->tlb, &event);
}

/* The end of an operation. Every CPU has its ISB if what is missing without is not asked. */
static void end(struct world *w)
{
	for (unsigned cpu = 0; cpu < MODEL_CPUS && !w->isb; cpu++)
		emit(w, cpu, PGTSIM_OP_ISB, 0, 0, false);
	pgtsim_tlb_end(&w->tlb, w->start, UINT64_MAX);
}

static void run_step(struct world *w, const struct step *step)
{
	static const enum pgtsim_op barriers[] = { PGTSIM_OP_DSB_ISHST, PGTSIM_OP_DSB_ISHLD,
						   PGTSIM_OP_DSB_ISH,   PGTSIM_OP_DSB_NSH,
						   PGTSIM_OP_DMB_ISHST, PGTSIM_OP_ISB };

	if (step->kind == STEP_STORE)
		store(w, step);
	else if (step->kind == STEP_BARRIER)
		emit(w, step->cpu, barriers[step->barrier], 0, 0, false);
	else if (step->kind == STEP_INVALIDATE)
		invalidate(w, step, w->start + step->page * w->page);
	else if (step->kind == STEP_FREE_TABLE)
		free_table(w, step);
	else if (step->kind == STEP_FREE_PAGE)
		free_page(w, step);
	else
		end(w);
}

/*
 * The checker has four names for a stale entry, by the step that is missing. The model knows only that
 * an entry is stale: if several steps are missing, it is a matter of taste which name is right.
 */
static const struct {
	const char *name;
	unsigned wrong;
} kinds[] = {
	{ "stale-leaf", MODEL_STALE },
	{ "stale-table", MODEL_STALE },
	{ "missing-barrier", MODEL_STALE },
	{ "wrong-invalidate", MODEL_STALE },
	{ "no-break", MODEL_NO_BREAK },
	{ "overlapping-sizes", MODEL_OVERLAPPING_SIZES },
	{ "not-visible", MODEL_NOT_VISIBLE },
	{ "unpublished-table", MODEL_UNPUBLISHED },
	{ "freed-while-cached", MODEL_FREED },
	{ "table-freed-while-cached", MODEL_FREED },
	{ "freed-while-mapped", MODEL_FREED },
	/*
	 * Members without the hint: to the model the group's translations of them are stale. The
	 * checker names the group by its first page.
	 */
	{ "misprogrammed-group", MODEL_STALE },
};

static unsigned kind_of(enum pgtsim_violation_name name)
{
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(pgtsim_violation_kind(name)->name, kinds[i].name) == 0)
			return kinds[i].wrong;
	fprintf(stderr, "the model knows no %s\n", pgtsim_violation_kind(name)->name);
	abort();
}

/* The violation at the lowest address, of the highest level. */
static void first_of(const struct world *w, struct finding *found)
{
	size_t count;
	const struct pgtsim_violation *first = NULL, *v = pgtsim_violations(&w->tlb, &count);

	for (size_t i = 0; i < count; i++)
		if (!first || v[i].va < first->va ||
		    (v[i].va == first->va && v[i].level < first->level))
			first = &v[i];
	if (!first)
		return;
	found->wrong = kind_of(first->name);
	found->page = (unsigned)((first->va - w->start) / w->page);
	found->level = first->level - PGTSIM_PUD;
	found->is_group = first->name == PGTSIM_V_MISPROGRAMMED_GROUP;
	memcpy(found->text, first->text, sizeof(first->text));
}

struct finding program_by_checker(const struct program *program)
{
	struct world w;
	struct finding found = { .step = 0 };

	world_init(&w, program);
	for (; found.step < program->count && !found.wrong; found.step++) {
		run_step(&w, &program->step[found.step]);
		first_of(&w, &found);
		found.judge_differs |= !w.table_freed && !judged_alike(&w.judged);
	}
	world_fini(&w);
	return found;
}

bool findings_agree(const struct program *program, const struct finding *model,
		    const struct finding *checker)
{
	unsigned group = checker->page & ~((1u << program->group) - 1);

	if (checker->judge_differs)
		return false;
	if (model->step != checker->step || !model->wrong != !checker->wrong)
		return false;
	if (checker->is_group)
		return model->bad_groups >> group & 1;
	/* In a group that is bad as a whole it is a matter of taste which entry is named. */
	if (model->bad_groups >> group & 1 &&
	    model->page >> program->group << program->group == group)
		return true;
	/* What is freed is named by the entry that leads there, of a block by its first page. */
	if (model->wrong & checker->wrong & MODEL_FREED && checker->level < MODEL_PTE)
		return model->page >> 2 * (MODEL_PTE - checker->level) ==
		       checker->page >> 2 * (MODEL_PTE - checker->level);
	return !model->wrong || ((model->wrong & checker->wrong) && model->page == checker->page);
}
