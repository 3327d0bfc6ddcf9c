/* SPDX-License-Identifier: MIT */
/*
 * The search itself: tiny random programs, each explored and also run in every order there is by
 * an interpreter that knows nothing of the library.
 */
#include <pgtsim/explore.h>

#include "access.h"
#include "hotplug.h"

enum { ACTORS = 3, OPS = 4, ENTRIES = 3, TABLES = 2, LOCKS_USED = 2, PROGRAMS = 600 };

enum kind { READ, WRITE, LOCK, UNLOCK, FREE, SKIP_IF_ZERO };

struct op {
	enum kind kind;
	unsigned table, entry, value;
};

struct program {
	unsigned actors, ops[ACTORS];
	struct op op[ACTORS][OPS];
};

/* What can be told of an end: what was read and written, and whether freed tables were used. */
struct end {
	uint64_t value[TABLES][ENTRIES];
	uint64_t reg[ACTORS];
	uint64_t after_free;
};

/* What an actor writes depends on what it last read. */
static uint64_t written(const struct op *op, uint64_t reg)
{
	return (reg * 8 + op->value) & 0xffff;
}

/* ---- every order: the interpreter ---- */

struct set {
	uint64_t *item;
	size_t count, room;
};

static bool set_add(struct set *set, uint64_t item)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->item[i] == item)
			return false;
	if (set->count == set->room) {
		set->room = set->room ? 2 * set->room : 64;
		set->item = realloc(set->item, set->room * sizeof(*set->item));
		assert_non_null(set->item);
	}
	set->item[set->count++] = item;
	return true;
}

static uint64_t hash(const void *data, size_t size)
{
	const unsigned char *bytes = data;
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < size; i++)
		h = (h ^ bytes[i]) * 0x100000001b3;
	return h;
}

struct event {
	unsigned actor;
	const struct op *op;
	uint8_t before[ACTORS]; /* how many events of each actor come before in all equal orders */
};

struct state {
	struct end end;
	unsigned at[ACTORS], taken[ACTORS];
	bool freed[TABLES];
	int holder[LOCKS_USED]; /* -1: free */
	struct event event[ACTORS * OPS];
	unsigned events;
};

struct all_orders {
	const struct program *program;
	uint64_t orders;
	bool deadlock, after_free;
	struct set ends, traces;
};

static bool depend(const struct op *a, const struct op *b)
{
	bool locks = a->kind == LOCK || a->kind == UNLOCK;

	if (locks || b->kind == LOCK || b->kind == UNLOCK)
		return locks && (b->kind == LOCK || b->kind == UNLOCK) && a->entry == b->entry;
	if (a->table != b->table)
		return false;
	if (a->kind == FREE || b->kind == FREE)
		return true;
	return a->entry == b->entry && (a->kind == WRITE || b->kind == WRITE);
}

static void note_event(struct state *s, unsigned actor, const struct op *op)
{
	struct event *e = &s->event[s->events];

	*e = (struct event){ .actor = actor, .op = op };
	for (unsigned i = 0; i < s->events; i++) {
		const struct event *old = &s->event[i];
		unsigned number = 1;

		if (old->actor != actor && !depend(old->op, op))
			continue;
		for (unsigned k = 0; k < i; k++)
			number += s->event[k].actor == old->actor;
		for (unsigned k = 0; k < ACTORS; k++)
			if (old->before[k] > e->before[k])
				e->before[k] = old->before[k];
		if (number > e->before[old->actor])
			e->before[old->actor] = (uint8_t)number;
	}
	s->events++;
}

/* Passes over what is no step. Returns the next step's op, or NULL at the program's end. */
static const struct op *next_op(const struct program *p, struct state *s, unsigned actor)
{
	while (s->at[actor] < p->ops[actor]) {
		const struct op *op = &p->op[actor][s->at[actor]];

		if (op->kind == SKIP_IF_ZERO)
			s->at[actor] += s->end.reg[actor] ? 1 : 2;
		else if (op->kind == UNLOCK && s->holder[op->entry] != (int)actor)
			s->at[actor]++;
		else
			return op;
	}
	return NULL;
}

static void perform(struct state *s, unsigned actor, const struct op *op)
{
	note_event(s, actor, op);
	s->at[actor]++;
	if (op->kind == READ || op->kind == WRITE) {
		uint64_t *entry = &s->end.value[op->table][op->entry];

		s->end.after_free |= s->freed[op->table];
		if (op->kind == READ)
			s->end.reg[actor] = *entry;
		else
			*entry = written(op, s->end.reg[actor]);
	} else if (op->kind == FREE) {
		s->end.after_free |= s->freed[op->table];
		s->freed[op->table] = true;
	} else {
		s->holder[op->entry] = op->kind == LOCK ? (int)actor : -1;
	}
}

/* One number for all orders that differ only in steps that do not depend on each other. */
static uint64_t trace_of(const struct state *s)
{
	uint8_t clocks[ACTORS][OPS][ACTORS] = { 0 };
	unsigned count[ACTORS] = { 0 };

	for (unsigned i = 0; i < s->events; i++) {
		const struct event *e = &s->event[i];

		memcpy(clocks[e->actor][count[e->actor]++], e->before, sizeof(e->before));
	}
	return hash(clocks, sizeof(clocks)) ^ hash(count, sizeof(count)) * 31;
}

/* What a freed table holds is nobody's business. */
static uint64_t hash_end(const struct state *s)
{
	struct end end = s->end;

	for (unsigned i = 0; i < TABLES; i++)
		if (s->freed[i])
			memset(end.value[i], 0, sizeof(end.value[i]));
	return hash(&end, sizeof(end));
}

static void run_orders(struct all_orders *all, const struct state *s)
{
	bool left = false, any = false;

	for (unsigned i = 0; i < all->program->actors; i++) {
		struct state next = *s;
		const struct op *op = next_op(all->program, &next, i);

		if (!op)
			continue;
		left = true;
		if (op->kind == LOCK && next.holder[op->entry] >= 0)
			continue;
		any = true;
		perform(&next, i, op);
		run_orders(all, &next);
	}
	if (any)
		return;
	all->orders++;
	all->after_free |= s->end.after_free != 0;
	set_add(&all->traces, trace_of(s));
	if (left)
		all->deadlock = true;
	else
		set_add(&all->ends, hash_end(s));
}

/* ---- the same, explored ---- */

struct explored {
	const struct program *program;
	struct pgtsim_machine_config config;
	struct pgtsim_table *table[TABLES];
	uint64_t reg[ACTORS];
	struct set ends;
	unsigned next; /* actor to start */
};

static uint64_t table_va(unsigned table)
{
	return 0xffffff8000000000 + table * 2 * MIB;
}

static int build(void *ctx, struct pgtsim_machine **machine)
{
	struct explored *e = ctx;
	int ret = pgtsim_machine_new(machine, &e->config);

	e->next = 0;
	memset(e->reg, 0, sizeof(e->reg));
	for (unsigned i = 0; !ret && i < TABLES; i++) {
		struct pgtsim_pgtable *pgt = &(*machine)->pgt;
		const struct pgtsim_map map = {
			.va = table_va(i),
			.pa = 0x80000000,
			.size = 4096,
			.attrs = (*machine)->policy.prot[PGTSIM_PROT_TAGGED],
		};
		struct pgtsim_translation t;

		ret = pgtsim_map(pgt, &map);
		assert_int_equal(pgtsim_translate(pgt, map.va, &t), 0);
		e->table[i] = pgt->ops.find(
			pgt->ops.ctx, pgtsim_desc_address(&pgt->geo, PGTSIM_PMD, t.step[1].desc));
		assert_non_null(e->table[i]);
		pgtsim_access_write(pgt, e->table[i], 0, 0);
	}
	return ret;
}

static void interpret(struct pgtsim_actor *actor, struct pgtsim_machine *machine,
		      struct explored *e, unsigned me)
{
	struct pgtsim_pgtable *pgt = &machine->pgt;
	const struct program *p = e->program;

	for (unsigned i = 0; i < p->ops[me]; i++) {
		const struct op *op = &p->op[me][i];
		struct pgtsim_table *table = e->table[op->table];

		if (op->kind == READ)
			e->reg[me] = pgtsim_access_read(pgt, table, op->entry);
		else if (op->kind == WRITE)
			pgtsim_access_write(pgt, table, op->entry, written(op, e->reg[me]));
		else if (op->kind == LOCK)
			pgtsim_actor_lock(actor, (enum pgtsim_lock)op->entry);
		else if (op->kind == UNLOCK)
			pgtsim_actor_unlock(actor, (enum pgtsim_lock)op->entry);
		else if (op->kind == FREE)
			pgt->ops.free(pgt->ops.ctx, e->table[op->table]);
		else
			i += !e->reg[me];
	}
}

static int act(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	struct explored *e = arg;

	interpret(actor, machine, e, e->next++);
	return 0;
}

static void unlink_freed(struct pgtsim_machine *machine, unsigned table)
{
	const struct pgtsim_event freed = {
		.op = PGTSIM_OP_TABLE_FREE,
		.level = PGTSIM_PTE,
		.count = 1,
	};

	assert_int_equal(pgtsim_poke(&machine->pgt, PGTSIM_PMD, table_va(table), 0), 0);
	pgtsim_tlb_event(&machine->tlb, &freed);
}

/* Takes down what happened, and puts the tables in order for the checks that follow. */
static const char *take_down(void *ctx, struct pgtsim_machine *machine)
{
	struct explored *e = ctx;
	struct end end = { .after_free = machine->tlb.counts.violations != 0 };

	memcpy(end.reg, e->reg, sizeof(end.reg));
	for (unsigned i = 0; i < TABLES; i++) {
		const uint64_t *entries = e->table[i]->entries; /* NULL: freed */

		if (!entries) {
			unlink_freed(machine, i);
			continue;
		}
		for (unsigned k = 0; k < ENTRIES; k++)
			end.value[i][k] = entries[k];
		memset(e->table[i]->entries, 0, ENTRIES * sizeof(*entries));
		e->table[i]->live = 0;
	}
	set_add(&e->ends, hash(&end, sizeof(end)));
	return NULL;
}

/* ---- programs ---- */

static struct op random_op(uint32_t *seed, bool locks)
{
	static const enum kind with_locks[] = { READ, WRITE,  WRITE,  LOCK,
						LOCK, UNLOCK, UNLOCK, SKIP_IF_ZERO };
	static const enum kind with_frees[] = {
		READ, READ, WRITE, WRITE, WRITE, FREE, SKIP_IF_ZERO
	};
	struct op op = {
		.kind = locks ? with_locks[random_next(seed) % COUNT(with_locks)] :
				with_frees[random_next(seed) % COUNT(with_frees)],
		.entry = random_next(seed) % 2,
		.table = random_next(seed) % 2,
		.value = 1 + random_next(seed) % 7,
	};

	return op;
}

static struct program random_program(uint32_t seed)
{
	struct program p = { .actors = 2 + seed % 2 };

	seed = seed * 2654435761u + 1;
	for (unsigned i = 0; i < p.actors; i++) {
		p.ops[i] = 1 + random_next(&seed) % (p.actors == 2 ? OPS : OPS - 1);
		for (unsigned k = 0; k < p.ops[i]; k++)
			p.op[i][k] = random_op(&seed, seed % 8 < 4);
	}
	return p;
}

static struct pgtsim_explore_config config_for(struct explored *e, struct pgtsim_actor_spec *actors)
{
	static const char *const names[] = { "a", "b", "c" };

	for (unsigned i = 0; i < e->program->actors; i++)
		actors[i] = (struct pgtsim_actor_spec){ .name = names[i], .run = act, .arg = e };
	e->config = config_of("linux-6.12", 4, 39);
	e->config.checker = false;
	return (struct pgtsim_explore_config){
		.setup = build,
		.check = take_down,
		.ctx = e,
		.actors = actors,
		.actor_count = e->program->actors,
	};
}

static bool same_set(const struct set *a, const struct set *b)
{
	size_t common = 0;

	for (size_t i = 0; i < a->count; i++)
		for (size_t k = 0; k < b->count; k++)
			common += a->item[i] == b->item[k];
	return common == a->count && common == b->count;
}

static bool has(const struct program *p, enum kind kind)
{
	for (unsigned i = 0; i < p->actors; i++)
		for (unsigned k = 0; k < p->ops[i]; k++)
			if (p->op[i][k].kind == kind)
				return true;
	return false;
}

/* What the programs had in them, so that the test does not pass for want of it. */
struct tally {
	unsigned deadlocks, frees, several;
	uint64_t schedules, orders, cut;
};

static void compare(const struct program *p, uint32_t seed, struct tally *tally)
{
	struct all_orders all = { .program = p };
	struct state start = { .holder = { -1, -1 } };
	struct explored e = { .program = p };
	struct pgtsim_actor_spec actors[ACTORS];
	const struct pgtsim_explore_config config = config_for(&e, actors);
	struct pgtsim_exploration out;

	run_orders(&all, &start);
	assert_int_equal(pgtsim_explore(&config, &out), 0);
	assert_true(out.complete);
	if (!same_set(&all.ends, &e.ends))
		fail_msg("program %u: %zu ends explored, there are %zu", seed, e.ends.count,
			 all.ends.count);
	if (out.schedules != all.traces.count)
		fail_msg("program %u: %llu schedules explored, %zu differ of %llu", seed,
			 (unsigned long long)out.schedules, all.traces.count,
			 (unsigned long long)all.orders);
	assert_int_equal(all.deadlock || all.after_free, out.failed != 0);
	if (out.failed && !all.after_free)
		assert_int_equal(out.violation.name, PGTSIM_V_DEADLOCK);
	if (out.failed && !all.deadlock)
		assert_true(out.violation.name == PGTSIM_V_TABLE_USE_AFTER_FREE ||
			    out.violation.name == PGTSIM_V_DOUBLE_FREE);
	tally->deadlocks += all.deadlock;
	tally->frees += has(p, FREE);
	tally->several += out.schedules > 1;
	tally->schedules += out.schedules;
	tally->orders += all.orders;
	tally->cut += out.cut;
	pgtsim_exploration_free(&out);
	free(all.ends.item);
	free(all.traces.item);
	free(e.ends.item);
}

/* What is explored is all there is, each schedule once: every end, and deadlock if it can be. */
static void explores_every_schedule_once(void **state)
{
	struct tally tally = { 0 };

	(void)state;
	for (uint32_t seed = 1; seed <= PROGRAMS; seed++) {
		const struct program p = random_program(seed);

		compare(&p, seed, &tally);
	}
	print_message("%u programs: %u with deadlock, %u with frees, %u with several schedules; "
		      "%llu schedules (%llu cut) for %llu orders\n",
		      PROGRAMS, tally.deadlocks, tally.frees, tally.several,
		      (unsigned long long)tally.schedules, (unsigned long long)tally.cut,
		      (unsigned long long)tally.orders);
	assert_true(tally.deadlocks >= 30 && tally.frees >= 150 && tally.several >= 250);
	assert_true(tally.orders > 5 * tally.schedules);
}

/* ---- programs written by hand ---- */

/* a takes two locks in one order, b in the other. */
static const struct program crossed = {
	.actors = 2,
	.ops = { 4, 4 },
	.op = { { { LOCK, 0, 0, 0 }, { LOCK, 0, 1, 0 }, { UNLOCK, 0, 1, 0 }, { UNLOCK, 0, 0, 0 } },
		{ { LOCK, 0, 1, 0 },
		  { LOCK, 0, 0, 0 },
		  { UNLOCK, 0, 0, 0 },
		  { UNLOCK, 0, 1, 0 } } },
};

/* a reads twice what b writes and then frees. */
static const struct program freed = {
	.actors = 2,
	.ops = { 2, 2 },
	.op = { { { READ, 0, 0, 0 }, { READ, 0, 0, 0 } },
		{ { WRITE, 0, 0, 5 }, { FREE, 0, 0, 0 } } },
};

/* a reads 10 only if b writes, a writes, b reads that and writes, and only then a reads. */
static const struct program alternating = {
	.actors = 2,
	.ops = { 2, 3 },
	.op = { { { WRITE, 0, 0, 1 }, { READ, 0, 0, 0 } },
		{ { WRITE, 0, 0, 2 }, { READ, 0, 0, 0 }, { WRITE, 0, 0, 2 } } },
};

static struct pgtsim_exploration explore(struct explored *e, const struct program *p,
					 const char *schedule, uint64_t bound, bool first_only)
{
	struct pgtsim_actor_spec actors[ACTORS];
	struct pgtsim_explore_config config;
	struct pgtsim_exploration out;

	*e = (struct explored){ .program = p };
	config = config_for(e, actors);
	config.schedule = schedule;
	config.bound = bound;
	config.first_only = first_only;
	assert_int_equal(pgtsim_explore(&config, &out), 0);
	free(e->ends.item);
	return out;
}

/* Two locks taken in two orders end in a deadlock, which one switch of actors suffices for. */
static void finds_deadlock(void **state)
{
	struct explored e;
	struct pgtsim_exploration out = explore(&e, &crossed, NULL, 0, false);

	(void)state;
	assert_int_equal(out.violation.name, PGTSIM_V_DEADLOCK);
	assert_string_equal(out.schedule, "a*1,b*1");
	assert_int_equal(out.schedules, 3);
	assert_int_equal(out.failed, 1);
	assert_true(out.complete);
	assert_int_equal(out.row_count, 2);
	assert_int_equal(out.rows[0].op, PGTSIM_STEP_LOCK);
	assert_int_equal(out.rows[1].lock, PGTSIM_LOCK_PAGE_TABLE);
	assert_true(out.rows[1].failed);
	pgtsim_exploration_free(&out);
	assert_null(out.schedule);
}

static bool same_account(const struct pgtsim_exploration *a, const struct pgtsim_exploration *b)
{
	if (a->row_count != b->row_count || strcmp(a->schedule, b->schedule) != 0)
		return false;
	for (size_t i = 0; i < a->row_count; i++)
		if (a->rows[i].step != b->rows[i].step || a->rows[i].count != b->rows[i].count ||
		    a->rows[i].actor != b->rows[i].actor || a->rows[i].op != b->rows[i].op ||
		    a->rows[i].va != b->rows[i].va || a->rows[i].value != b->rows[i].value)
			return false;
	return a->violation.name == b->violation.name && a->violation.va == b->violation.va &&
	       !strcmp(a->violation.text, b->violation.text);
}

/* Exploring twice finds the same in the same order, and the schedule it names fails alike. */
static void repeats_itself(void **state)
{
	static const struct program *const programs[] = { &crossed, &freed };

	(void)state;
	for (size_t i = 0; i < COUNT(programs); i++) {
		struct explored e;
		struct pgtsim_exploration first = explore(&e, programs[i], NULL, 0, false);
		struct pgtsim_exploration second = explore(&e, programs[i], NULL, 0, false);
		struct pgtsim_exploration given =
			explore(&e, programs[i], first.schedule, 0, false);

		assert_int_equal(first.schedules, second.schedules);
		assert_true(same_account(&first, &second));
		assert_int_equal(given.schedules, 1);
		assert_int_equal(given.failed, 1);
		assert_true(same_account(&first, &given));
		pgtsim_exploration_free(&first);
		pgtsim_exploration_free(&second);
		pgtsim_exploration_free(&given);
	}
}

/* A use after free tells who, where and what; the fewest switches and steps that show it remain. */
static void tells_the_simplest_failure(void **state)
{
	struct explored e;
	struct pgtsim_exploration out = explore(&e, &freed, NULL, 0, false);

	(void)state;
	assert_int_equal(out.violation.name, PGTSIM_V_TABLE_USE_AFTER_FREE);
	assert_string_equal(out.violation.text,
			    "a reads entry 0 of the pte table of 0xffffff8000000000 after b freed "
			    "that table");
	assert_int_equal(out.violation.va, 0xffffff8000000000);
	assert_int_equal(out.violation.level, PGTSIM_PTE);
	assert_string_equal(out.schedule, "b*2,a*1");
	assert_int_equal(out.row_count, 3);
	assert_int_equal(out.rows[0].op, PGTSIM_STEP_WRITE);
	assert_int_equal(out.rows[0].value, 5);
	assert_int_equal(out.rows[1].op, PGTSIM_STEP_FREE);
	assert_int_equal(out.rows[2].op, PGTSIM_STEP_READ);
	assert_int_equal(out.rows[2].value, 5);
	assert_true(out.rows[2].failed && !out.rows[1].failed);
	pgtsim_exploration_free(&out);
}

static const char *refuse(void *ctx, struct pgtsim_machine *machine)
{
	struct explored *e = ctx;
	const char *wrong = e->reg[0] == 10 ? "a read 10" : NULL;

	take_down(ctx, machine);
	return wrong;
}

/* A check of the caller's sees each end; a failure that needs several switches is found. */
static void asks_the_caller(void **state)
{
	struct explored e = { .program = &alternating };
	struct pgtsim_actor_spec actors[ACTORS];
	struct pgtsim_explore_config config = config_for(&e, actors);
	struct pgtsim_exploration out;

	(void)state;
	config.check = refuse;
	assert_int_equal(pgtsim_explore(&config, &out), 0);
	assert_int_equal(out.failed, 1);
	assert_int_equal(out.violation.name, PGTSIM_V_EXPLORE_CHECK);
	assert_string_equal(out.violation.text, "a read 10");
	assert_string_equal(out.schedule, "b*1,a*1,b*2,a*1");
	pgtsim_exploration_free(&out);
	free(e.ends.item);
}

static int leak(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	(void)actor;
	(void)arg;
	return pgtsim_poke(&machine->pgt, PGTSIM_PMD, table_va(1), 0);
}

/* The machine is checked at the end: here a table is left that no entry points to. */
static void checks_the_machine(void **state)
{
	struct explored e = { .program = &freed };
	struct pgtsim_actor_spec actors[ACTORS];
	struct pgtsim_explore_config config = config_for(&e, actors);
	struct pgtsim_exploration out;

	(void)state;
	config.actor_count = 1;
	actors[0].run = leak;
	assert_int_equal(pgtsim_explore(&config, &out), 0);
	assert_int_equal(out.failed, 1);
	assert_int_equal(out.violation.name, PGTSIM_V_TABLE_LEAK);
	assert_false(out.rows[out.row_count - 1].failed);
	pgtsim_exploration_free(&out);
	free(e.ends.item);
}

/* A bound and "the first failure only" end a search early, and it says that there may be more. */
static void stops_early(void **state)
{
	struct explored e;
	struct pgtsim_exploration out = explore(&e, &crossed, NULL, 1, false);

	(void)state;
	assert_int_equal(out.schedules, 1);
	assert_false(out.complete);
	pgtsim_exploration_free(&out);
	out = explore(&e, &freed, NULL, 0, true);
	assert_int_equal(out.failed, 1);
	assert_false(out.complete);
	pgtsim_exploration_free(&out);
}

/* A given schedule goes by what is possible: who waits or has ended is passed over. */
static void follows_a_given_schedule(void **state)
{
	struct explored e;
	struct pgtsim_exploration out;

	(void)state;
	out = explore(&e, &crossed, "a*2,b*3,a", 0, false);
	assert_int_equal(out.schedules, 1);
	assert_int_equal(out.failed, 0);
	assert_int_equal(out.steps, 8);
	pgtsim_exploration_free(&out);
	out = explore(&e, &freed, "b,b,b,a*1000000", 0, false);
	assert_int_equal(out.failed, 1);
	pgtsim_exploration_free(&out);
}

/* ---- callers' mistakes ---- */

static int fail_setup(void *ctx, struct pgtsim_machine **machine)
{
	(void)ctx;
	(void)machine;
	return -EPERM;
}

/* Does nothing the second time. */
static int fickle(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	static unsigned times;
	struct explored *e = arg;

	(void)actor;
	e->next++;
	if (times++)
		return 0;
	pgtsim_access_read(&machine->pgt, e->table[0], 1);
	pgtsim_access_read(&machine->pgt, e->table[0], 0);
	return 0;
}

/* What cannot be explored is refused with an errno of its own, and nothing needs freeing. */
static void refuses_what_is_no_exploration(void **state)
{
	static const char *const bad[] = { "",    "a",    "a*0", "x*1",    "a*1,",
					   "a**", "a*1b", "*1",  "a,,b*1", "a*99999999999" };
	struct explored e = { .program = &freed };
	struct pgtsim_actor_spec actors[ACTORS];
	struct pgtsim_explore_config good = config_for(&e, actors), config = good;
	struct pgtsim_exploration out;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		config.schedule = bad[i];
		assert_int_equal(pgtsim_explore(&config, &out), i == 1 ? 0 : -EINVAL);
		pgtsim_exploration_free(&out);
	}
	config = good;
	config.actor_count = 0;
	assert_int_equal(pgtsim_explore(&config, &out), -EINVAL);
	config.actor_count = PGTSIM_ACTORS_MAX + 1;
	assert_int_equal(pgtsim_explore(&config, &out), -EINVAL);
	config = good;
	config.setup = NULL;
	assert_int_equal(pgtsim_explore(&config, &out), -EINVAL);
	config.setup = fail_setup;
	assert_int_equal(pgtsim_explore(&config, &out), -EPERM);
	config = good;
	actors[1].name = "a";
	assert_int_equal(pgtsim_explore(&config, &out), -EINVAL);
	actors[1].name = "b,c";
	assert_int_equal(pgtsim_explore(&config, &out), -EINVAL);
	actors[1].name = "b";
	actors[1].run = NULL;
	assert_int_equal(pgtsim_explore(&config, &out), -EINVAL);
	actors[1].run = act;
	actors[0].run = fickle;
	assert_int_equal(pgtsim_explore(&config, &out), -EIO);
	assert_null(out.schedule);
	free(e.ends.item);
}

static int lock_badly(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	(void)machine;
	(void)arg;
	assert_int_equal(pgtsim_actor_lock(actor, PGTSIM_LOCKS), -EINVAL);
	assert_int_equal(pgtsim_actor_unlock(actor, PGTSIM_LOCKS), -EINVAL);
	assert_int_equal(pgtsim_actor_unlock(actor, PGTSIM_LOCK_HOTPLUG), -EPERM);
	assert_int_equal(pgtsim_actor_lock(actor, PGTSIM_LOCK_HOTPLUG), 0);
	pgtsim_actor_lock(actor, PGTSIM_LOCK_HOTPLUG);
	return -ENODEV;
}

/* Wrong use of locks is an error; an actor that waits for itself is a deadlock, not a hang. */
static void notes_locks_used_badly(void **state)
{
	struct explored e = { .program = &freed };
	struct pgtsim_actor_spec actors[ACTORS];
	struct pgtsim_explore_config config = config_for(&e, actors);
	struct pgtsim_exploration out;

	(void)state;
	config.actor_count = 1;
	actors[0].run = lock_badly;
	assert_int_equal(pgtsim_explore(&config, &out), 0);
	assert_int_equal(out.violation.name, PGTSIM_V_DEADLOCK);
	assert_string_equal(out.violation.text, "a waits for the hotplug lock, which it holds");
	assert_int_equal(out.result, 0);
	pgtsim_exploration_free(&out);
	free(e.ends.item);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(explores_every_schedule_once),
		cmocka_unit_test(finds_deadlock),
		cmocka_unit_test(repeats_itself),
		cmocka_unit_test(tells_the_simplest_failure),
		cmocka_unit_test(asks_the_caller),
		cmocka_unit_test(checks_the_machine),
		cmocka_unit_test(stops_early),
		cmocka_unit_test(follows_a_given_schedule),
		cmocka_unit_test(refuses_what_is_no_exploration),
		cmocka_unit_test(notes_locks_used_badly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
