/* SPDX-License-Identifier: MIT */
/*
 * Exploring with the checker on: small random programs of stores, invalidates, barriers, hints and
 * frees by several CPUs. Each is explored, and also run in every order there is by a loop that knows
 * nothing of dependence. However an order ends, exploring must come to the same end.
 */
#include <pgtsim/explore.h>
#include <pgtsim/checker.h>

#include "events/events.h"
#include "pgtable/access.h"
#include "hotplug.h"

enum { CPUS = 3, OPS = 6, PAGES = 16, BLOCKS = 2 };

enum kind { STORE_PAGE, STORE_BLOCK, INVALIDATE, BARRIER, FREE, END };

struct op {
	enum kind kind;
	enum pgtsim_op event; /* of invalidates and barriers */
	unsigned at, count;   /* which page or block; how many */
	unsigned value;       /* what is stored: index into values() */
};

struct program {
	unsigned cpus, ops[CPUS];
	struct op op[CPUS][OPS];
	bool cont;   /* the pages begin as a contiguous group */
	bool shares; /* all actors but the last are CPU 1: each runs while the others wait */
};

static const uint64_t base_va = 0xffffff8000000000, base_pa = 0x80000000;

/* A machine with 16 pages, 15 empty entries' worth of room and a block, and what they hold. */
struct world {
	struct pgtsim_machine *machine;
	struct pgtsim_table *pmd, *pte;
	uint64_t page[PAGES + 1], block[BLOCKS];
	uint64_t link; /* block[0] at the beginning: it points to the table of the pages */
};

static struct pgtsim_table *table_at(const struct pgtsim_pgtable *pgt, uint64_t va, int level)
{
	struct pgtsim_table *table = pgt->root;

	while (table->level < level)
		table = pgt->ops.find(
			pgt->ops.ctx,
			pgtsim_desc_address(
				&pgt->geo, table->level,
				table->entries[pgtsim_index(&pgt->geo, table->level, va)]));
	return table;
}

static void build(struct world *w, const struct program *p)
{
	static struct pgtsim_machine_config config;
	struct pgtsim_map map = { .va = base_va, .pa = base_pa, .size = 64 * KIB };

	if (!config.granule)
		config = config_of("latest", 4, 39);
	assert_int_equal(pgtsim_machine_new(&w->machine, &config), 0);
	map.attrs = w->machine->policy.prot[PGTSIM_PROT_KERNEL];
	map.cont = p->cont;
	assert_int_equal(pgtsim_map(&w->machine->pgt, &map), 0);
	map.va += 2 * MIB;
	map.pa += 2 * MIB;
	map.size = 2 * MIB;
	map.blocks = true;
	map.cont = false;
	assert_int_equal(pgtsim_map(&w->machine->pgt, &map), 0);
	w->pmd = table_at(&w->machine->pgt, base_va, PGTSIM_PMD);
	w->pte = table_at(&w->machine->pgt, base_va, PGTSIM_PTE);
	pgtsim_table_materialize(w->pmd);
	pgtsim_table_materialize(w->pte);
	memcpy(w->page, w->pte->entries, sizeof(w->page));
	memcpy(w->block, w->pmd->entries, sizeof(w->block));
	w->link = w->block[0];
}

/* What may be stored to a page: nothing, its first value, that with or without the hint, another page. */
static uint64_t page_value(const struct world *w, const struct op *op)
{
	uint64_t attrs = w->machine->policy.prot[PGTSIM_PROT_KERNEL];
	uint64_t pa = base_pa + op->at * 4096;

	switch (op->value) {
	case 0:
	case 1:
	case 2:
		return 0;
	case 3:
		return pgtsim_desc_leaf(&w->machine->geo, PGTSIM_PTE, pa, attrs);
	case 4:
		return pgtsim_desc_leaf(&w->machine->geo, PGTSIM_PTE, pa, attrs | PGTSIM_DESC_CONT);
	default:
		return pgtsim_desc_leaf(&w->machine->geo, PGTSIM_PTE, pa + MIB, attrs);
	}
}

/* The same for a block; block 0 is the table of the pages, or nothing. */
static uint64_t block_value(const struct world *w, const struct op *op)
{
	uint64_t attrs = w->machine->policy.prot[PGTSIM_PROT_KERNEL];
	uint64_t pa = base_pa + 2 * MIB * op->at;

	if (op->value < 3)
		return 0;
	if (op->at == 0)
		return w->link;
	return pgtsim_desc_leaf(&w->machine->geo, PGTSIM_PMD, op->value == 3 ? pa : pa + 2 * MIB,
				attrs);
}

static void emit(struct world *w, unsigned cpu, struct pgtsim_event event)
{
	event.cpu = cpu;
	pgtsim_tlb_event(&w->machine->tlb, &event);
}

/* What the library tells of entries below a table entry that comes or goes. */
static void tell_below(struct world *w, bool comes)
{
	struct pgtsim_checker *checker = w->machine->tlb.checker;

	for (unsigned i = 0; i < PAGES + 1; i++) {
		const struct pgtsim_event event = {
			.op = PGTSIM_OP_POKE,
			.level = PGTSIM_PTE,
			.va = base_va + i * 4096,
			.count = 1,
			.size = 4096,
			.old_desc = w->page[i],
			.new_desc = w->page[i],
		};

		if (!w->page[i])
			continue;
		if (comes)
			checker->reachable(checker, &event);
		else
			checker->unreachable(checker, &event);
	}
}

static void store(struct world *w, unsigned cpu, const struct op *op)
{
	bool block = op->kind == STORE_BLOCK;
	struct pgtsim_table *table = block ? w->pmd : w->pte;
	uint64_t value = block ? block_value(w, op) : page_value(w, op);
	uint64_t *held = block ? &w->block[op->at] : &w->page[op->at], old;
	struct pgtsim_event event = {
		.op = PGTSIM_OP_POKE,
		.level = table->level,
		.va = base_va + op->at * (block ? 2 * MIB : 4096),
		.count = 1,
		.size = block ? 2 * MIB : 4096,
		.new_desc = value,
	};

	pgtsim_access_write(&w->machine->pgt, table, op->at, value);
	old = event.old_desc = *held;
	*held = value;
	if (old == value)
		return;
	if (block && op->at == 0) {
		event.op = value ? PGTSIM_OP_LINK : PGTSIM_OP_UNLINK;
		tell_below(w, value != 0);
	} else if (!old || !value) {
		event.op = value ? PGTSIM_OP_MAP : PGTSIM_OP_CLEAR;
	}
	emit(w, cpu, event);
}

/* The CPU that an actor's events are of. */
static unsigned cpu_of(const struct program *p, unsigned actor)
{
	return p->shares && actor + 1 < (p->cpus > 2 ? p->cpus : 3) ? 1 : actor;
}

static void perform(struct world *w, unsigned cpu, const struct op *op)
{
	uint64_t va = base_va + op->at * 4096;
	struct pgtsim_event event = { .op = op->event, .level = PGTSIM_PTE, .count = 1 };

	switch (op->kind) {
	case STORE_PAGE:
	case STORE_BLOCK:
		store(w, cpu, op);
		return;
	case INVALIDATE:
		event.va = va;
		event.size = op->event == PGTSIM_OP_TLBI_RANGE ? op->count * 4096 : 4096;
		if (op->event == PGTSIM_OP_TLBI_LEAF)
			event.count = op->count;
		break;
	case BARRIER:
		break;
	case FREE:
		event.op = PGTSIM_OP_PAGES_FREE;
		event.pa = base_pa + op->at * 4096;
		break;
	case END:
		pgtsim_tlb_end_on(&w->machine->tlb, va, va + op->count * 4096 - 1, cpu);
		return;
	}
	emit(w, cpu, event);
}

/* ---- how an order ends ---- */

/* What is stale at the end, as one number, and which violations there ever were: bit PGTSIM_V_… */
struct outcome {
	uint64_t stale, found;
};

struct outcomes {
	struct outcome *list;
	size_t count, room;
};

static uint64_t mix(uint64_t a, uint64_t b)
{
	return (a ^ b) * UINT64_C(0x9e3779b97f4a7c15) ^ (a ^ b) >> 29;
}

/* Entry by entry, as runs may be cut in different ways; the order does not matter. */
static void add_stale(void *ctx, const struct pgtsim_stale_run *run)
{
	uint64_t size = run->level == PGTSIM_PTE ? 4096 : 2 * MIB, *sum = ctx;

	for (uint64_t i = 0; i < run->count; i++)
		*sum += mix(mix(run->va + i * size, (uint64_t)run->level + 7),
			    run->walk ? 0 : run->desc + i * size);
}

static struct outcome judge(struct world *w)
{
	struct pgtsim_tlb *tlb = &w->machine->tlb;
	struct outcome outcome = { 0 };

	pgtsim_tlb_end(tlb, base_va, base_va + 4 * MIB - 1);
	pgtsim_stale_visit(tlb, add_stale, &outcome.stale);
	for (size_t i = 0; i < tlb->violation_count; i++)
		outcome.found |= UINT64_C(1) << tlb->violations[i].name;
	return outcome;
}

static bool has_outcome(const struct outcomes *all, const struct outcome *outcome)
{
	for (size_t i = 0; i < all->count; i++)
		if (all->list[i].stale == outcome->stale && all->list[i].found == outcome->found)
			return true;
	return false;
}

static void add_outcome(struct outcomes *all, const struct outcome *outcome)
{
	if (has_outcome(all, outcome))
		return;
	if (all->count == all->room) {
		all->room = all->room ? 2 * all->room : 16;
		all->list = realloc(all->list, all->room * sizeof(*all->list));
		assert_non_null(all->list);
	}
	all->list[all->count++] = *outcome;
}

/* ---- every order ---- */

struct orders {
	const struct program *program;
	unsigned count, failed;
	unsigned char order[CPUS * OPS];
	struct outcomes outcomes;
};

static void run_order(struct orders *all, unsigned steps)
{
	const struct program *p = all->program;
	unsigned at[CPUS] = { 0 };
	struct outcome outcome;
	struct world w;

	build(&w, p);
	for (unsigned i = 0; i < steps; i++) {
		unsigned cpu = all->order[i];

		perform(&w, cpu_of(p, cpu), &p->op[cpu][at[cpu]++]);
	}
	all->count++;
	outcome = judge(&w);
	all->failed += outcome.found != 0;
	add_outcome(&all->outcomes, &outcome);
	pgtsim_machine_free(&w.machine);
}

static void every_order(struct orders *all, const unsigned *at, unsigned steps)
{
	bool any = false;

	for (unsigned i = 0; i < all->program->cpus; i++) {
		unsigned next[CPUS];

		if (at[i] == all->program->ops[i])
			continue;
		any = true;
		memcpy(next, at, sizeof(next));
		next[i]++;
		all->order[steps] = (unsigned char)i;
		every_order(all, next, steps + 1);
	}
	if (!any)
		run_order(all, steps);
}

/* ---- the same, explored ---- */

struct explored {
	const struct program *program;
	struct world world;
	unsigned next;
	struct outcomes outcomes;
};

static int setup(void *ctx, struct pgtsim_machine **machine)
{
	struct explored *e = ctx;

	build(&e->world, e->program);
	e->next = 0;
	*machine = e->world.machine;
	return 0;
}

static int act(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	struct explored *e = arg;
	unsigned me = e->next++;

	(void)actor;
	(void)machine;
	for (unsigned i = 0; i < e->program->ops[me]; i++)
		perform(&e->world, cpu_of(e->program, me), &e->program->op[me][i]);
	return 0;
}

/* The tables are as at the beginning when the machine is checked: only what the checker heard counts. */
static const char *finish(void *ctx, struct pgtsim_machine *machine)
{
	struct explored *e = ctx;
	const struct outcome outcome = judge(&e->world);
	struct world fresh;

	(void)machine;
	add_outcome(&e->outcomes, &outcome);
	build(&fresh, e->program);
	memcpy(e->world.pte->entries, fresh.page, sizeof(fresh.page));
	e->world.pmd->entries[1] = fresh.block[1];
	e->world.pmd->entries[0] = e->world.link;
	pgtsim_machine_free(&fresh.machine);
	return NULL;
}

static struct pgtsim_exploration explore(const struct program *p, struct outcomes *outcomes)
{
	static const char *const names[CPUS] = { "a", "b", "c" };
	struct explored e = { .program = p };
	struct pgtsim_actor_spec actors[CPUS];
	const struct pgtsim_explore_config config = {
		.setup = setup,
		.check = finish,
		.ctx = &e,
		.actors = actors,
		.actor_count = p->cpus,
	};
	struct pgtsim_exploration out;

	for (unsigned i = 0; i < p->cpus; i++)
		actors[i] = (struct pgtsim_actor_spec){ .name = names[i], .run = act, .arg = &e };
	assert_int_equal(pgtsim_explore(&config, &out), 0);
	assert_true(out.complete);
	*outcomes = e.outcomes;
	return out;
}

/* ---- programs ---- */

static struct op random_store(uint32_t *seed)
{
	static const unsigned pages[] = { 0, 1, 1, 2, 15 };
	struct op op = { .kind = random_next(seed) % 8 ? STORE_PAGE : STORE_BLOCK };

	op.value = random_next(seed) % 6;
	op.at = op.kind == STORE_PAGE ? pages[random_next(seed) % COUNT(pages)] :
					random_next(seed) % BLOCKS;
	return op;
}

static struct op random_invalidate(uint32_t *seed)
{
	static const enum pgtsim_op events[] = { PGTSIM_OP_TLBI_LEAF, PGTSIM_OP_TLBI_LEAF,
						 PGTSIM_OP_TLBI_WALK, PGTSIM_OP_TLBI_RANGE,
						 PGTSIM_OP_TLBI_ALL };
	static const unsigned at[] = { 0, 0, 1, 2, 7, 16, 512, 700 };

	return (struct op){
		.kind = INVALIDATE,
		.event = events[random_next(seed) % COUNT(events)],
		.at = at[random_next(seed) % COUNT(at)],
		.count = 1 + random_next(seed) % 3 * 8,
	};
}

static struct op barrier(enum pgtsim_op event)
{
	return (struct op){ .kind = BARRIER, .event = event };
}

static struct op random_other(uint32_t *seed)
{
	static const enum pgtsim_op events[] = {
		PGTSIM_OP_DSB_ISHST, PGTSIM_OP_DSB_ISH, PGTSIM_OP_DSB_ISH,   PGTSIM_OP_ISB,
		PGTSIM_OP_DSB_ISHLD, PGTSIM_OP_DSB_NSH, PGTSIM_OP_DMB_ISHST,
	};
	struct op op = barrier(events[random_next(seed) % COUNT(events)]);

	switch (random_next(seed) % 6) {
	case 0:
		return (struct op){ .kind = FREE, .at = random_next(seed) % 3 };
	case 1:
		return (struct op){ .kind = END, .at = random_next(seed) % 3 * 8, .count = 8 };
	case 2:
		return random_store(seed);
	case 3:
		return random_invalidate(seed);
	default:
		return op;
	}
}

/* An invalidate that covers what a store took away. */
static struct op right_invalidate(uint32_t *seed, const struct op *store)
{
	struct op op = random_invalidate(seed);

	op.at = store->kind == STORE_PAGE ? store->at / 16 * 16 : store->at * 512;
	op.count = 16;
	if (op.event == PGTSIM_OP_TLBI_LEAF || op.event == PGTSIM_OP_TLBI_RANGE)
		op.event =
			store->kind == STORE_BLOCK && !store->at ? PGTSIM_OP_TLBI_WALK : op.event;
	return op;
}

/* A right sequence, of which a step may be missing or another one. */
static unsigned random_sequence(uint32_t *seed, struct op *op, unsigned most)
{
	const struct op first = random_store(seed);
	const struct op right[] = {
		first,
		barrier(PGTSIM_OP_DSB_ISHST),
		right_invalidate(seed, &first),
		barrier(PGTSIM_OP_DSB_ISH),
		barrier(PGTSIM_OP_ISB),
	};
	unsigned fault = random_next(seed) % 10, count = 0, from = random_next(seed) % 4 % 3;

	for (unsigned i = from; i < COUNT(right) && count < most; i++) {
		if (i == fault && random_next(seed) % 2)
			continue;
		op[count++] = i == fault ? random_other(seed) : right[i];
	}
	return count;
}

static struct program random_program(uint32_t seed)
{
	struct program p = { .cpus = seed % 4 ? 2 : 3 };

	seed = seed * 2654435761u + 1;
	p.cont = random_next(&seed) % 2;
	for (unsigned i = 0; i < p.cpus; i++)
		p.ops[i] = random_sequence(&seed, p.op[i], p.cpus == 2 ? 5 : 4 - i);
	if (p.cpus == 3 && random_next(&seed) % 2)
		p.op[2][p.ops[2] - 1] = (struct op){ .kind = random_next(&seed) % 3 ? FREE : END,
						     .at = 1,
						     .count = 8 };
	return p;
}

struct tally {
	unsigned mixed, failed, several;
	uint64_t orders, schedules;
};

static const char *op_text(const struct op *op)
{
	static const char *const kinds[] = { "store page", "store block", "", "", "free", "end" };

	return *kinds[op->kind] ? kinds[op->kind] : pgtsim_op_name(op->event);
}

static void print_program(const struct program *p)
{
	for (unsigned i = 0; i < p->cpus; i++)
		for (unsigned k = 0; k < p->ops[i]; k++)
			print_message("%c: %s at %u count %u value %u%s\n", 'a' + (char)i,
				      op_text(&p->op[i][k]), p->op[i][k].at, p->op[i][k].count,
				      p->op[i][k].value, p->cont ? " cont" : "");
}

static void compare(uint32_t seed, bool shares, struct tally *tally)
{
	struct program p = random_program(seed);
	struct orders all = { .program = &p };
	const unsigned start[CPUS] = { 0 };
	struct outcomes outcomes;
	struct pgtsim_exploration out;

	p.shares = shares;
	out = explore(&p, &outcomes);
	every_order(&all, start, 0);
	for (size_t i = 0; i < all.outcomes.count; i++)
		if (!has_outcome(&outcomes, &all.outcomes.list[i])) {
			print_program(&p);
			fail_msg("program %u%s: %zu of %zu ends are explored, in %llu schedules",
				 seed, shares ? ", shared CPU" : "", outcomes.count,
				 all.outcomes.count, (unsigned long long)out.schedules);
		}
	assert_int_equal(all.outcomes.count, outcomes.count);
	assert_int_equal(!out.failed, !all.failed);
	tally->mixed += all.failed && all.failed < all.count;
	tally->failed += all.failed != 0;
	tally->several += outcomes.count > 1;
	tally->orders += all.count;
	tally->schedules += out.schedules;
	pgtsim_exploration_free(&out);
	free(outcomes.list);
	free(all.outcomes.list);
}

/* What is stale at the end of some order, and whether it fails, is so in an explored one, too. */
static void find_every_outcome(bool shares)
{
	const char *wanted = getenv("PGTSIM_EXPLORE_PROGRAMS");
	uint32_t programs =
		(wanted ? (uint32_t)strtoul(wanted, NULL, 10) : 50) / (shares ? 12 : 1);
	/* A table with leaves is unlinked beside a free; so is a group; two invalidates change places. */
	static const uint32_t rare[] = { 544, 1504, 1849 };
	struct tally tally = { 0 };

	for (size_t i = 0; i < COUNT(rare) && !shares; i++)
		compare(rare[i], shares, &tally);
	tally = (struct tally){ 0 };
	for (uint32_t seed = 1; seed <= programs; seed++)
		compare(seed, shares, &tally);
	print_message("%u programs: %u fail in some orders, %u in all, %u have several ends; "
		      "%llu schedules for %llu orders\n",
		      programs, tally.mixed, tally.failed - tally.mixed, tally.several,
		      (unsigned long long)tally.schedules, (unsigned long long)tally.orders);
	assert_true(tally.mixed >= programs / 25 && tally.several >= programs / 5);
}

static void finds_every_outcome(void **state)
{
	(void)state;
	find_every_outcome(false);
}

/* Actors that share a CPU share its barriers, too. */
static void finds_every_outcome_of_a_shared_cpu(void **state)
{
	(void)state;
	find_every_outcome(true);
}

static int new_machine(void *ctx, struct pgtsim_machine **machine)
{
	struct pgtsim_machine_config config;
	int ret = pgtsim_machine_config_init(&config, "latest");

	(void)ctx;
	return ret ? ret : pgtsim_machine_new(machine, &config);
}

/* Issues a DSB as the CPU that *arg names. */
static int synchronise(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	const unsigned *cpu = arg;

	(void)actor;
	return pgtsim_barrier(&machine->tlb, PGTSIM_OP_DSB_ISH, *cpu);
}

/* Two actors that share a CPU: both orders of their barriers are tried, and that is all. */
static void shared_cpu_is_complete(void **state)
{
	(void)state;
	for (unsigned shared = 0; shared < 2; shared++) {
		unsigned first = shared ? 1 : 0, second = 1;
		struct pgtsim_actor_spec actors[] = {
			{ .name = "a", .run = synchronise, .arg = &first },
			{ .name = "b", .run = synchronise, .arg = &second },
		};
		const struct pgtsim_explore_config config = {
			.setup = new_machine,
			.actors = actors,
			.actor_count = 2,
		};
		struct pgtsim_exploration out;

		assert_int_equal(pgtsim_explore(&config, &out), 0);
		assert_int_equal(out.failed, 0);
		assert_true(out.complete);
		assert_int_equal(out.schedules, shared ? 2 : 1);
		pgtsim_exploration_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_every_outcome),
		cmocka_unit_test(finds_every_outcome_of_a_shared_cpu),
		cmocka_unit_test(shared_cpu_is_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
