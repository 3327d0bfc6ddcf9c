/* SPDX-License-Identifier: MIT */
/*
 * The search: small random programs. Each one is explored by the library, and also run in every
 * possible order by an interpreter that shares no code with it; both must find the same ends.
 */
#include <pgtsim/explore.h>

#include <limits.h>

#include "events/events.h"

#include "pgtable/access.h"
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

/* The observable result of a schedule: values read and written, and uses of freed tables. */
struct end {
	uint64_t value[TABLES][ENTRIES];
	uint64_t reg[ACTORS];
	uint64_t after_free;
};

/*
 * The value that an actor writes depends on its last read, so that each order shows in the result.
 */
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
	uint8_t before[ACTORS]; /* steps of each actor that come before in all equivalent orders */
};

struct state {
	struct end end;
	unsigned at[ACTORS], taken[ACTORS];
	unsigned last, preemptions; /* actor of the last step; switches from actors that could go on */
	bool freed[TABLES];
	int holder[LOCKS_USED]; /* -1: free */
	struct event event[ACTORS * OPS];
	unsigned events;
};

struct all_orders {
	const struct program *program;
	unsigned most; /* preemptions allowed */
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

/* Skips operations that are no steps. Returns the next step's, or NULL at the program's end. */
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

/* A hash that is equal for orders which differ only in the order of independent steps. */
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

/* The contents of freed tables do not count. */
static uint64_t hash_end(const struct state *s)
{
	struct end end = s->end;

	for (unsigned i = 0; i < TABLES; i++)
		if (s->freed[i])
			memset(end.value[i], 0, sizeof(end.value[i]));
	return hash(&end, sizeof(end));
}

/* True if the actor can take a step now. */
static bool can_go_on(const struct program *p, struct state s, unsigned actor)
{
	const struct op *op = next_op(p, &s, actor);

	return op && !(op->kind == LOCK && s.holder[op->entry] >= 0);
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
		next.preemptions += s->events && s->last != i &&
				    can_go_on(all->program, *s, s->last);
		next.last = i;
		if (next.preemptions > all->most)
			continue;
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
	pgtsim_emit_event_slowly(&machine->tlb, &freed);
}

/* Records the result of a schedule, and repairs the tables for the checks that follow. */
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

/*
 * Counts what occurred in the programs: each kind of case must occur for the test to mean anything.
 */
struct tally {
	unsigned deadlocks, frees, several;
	uint64_t schedules, orders, cut;
};

static void compare(const struct program *p, uint32_t seed, struct tally *tally)
{
	struct all_orders all = { .program = p, .most = UINT_MAX };
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

/* The search finds every end of a program, deadlock included, and runs no schedule twice. */
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

/* The shards of a search have no schedule in common, and together run all schedules. */
static void shards_are_the_whole(void **state)
{
	uint64_t schedules = 0, apart = 0;

	(void)state;
	for (uint32_t seed = 1; seed <= 120; seed++) {
		const struct program p = random_program(seed);
		struct all_orders all = { .program = &p, .most = UINT_MAX };
		struct state start = { .holder = { -1, -1 } };
		struct explored e = { .program = &p };
		struct pgtsim_actor_spec actors[ACTORS];
		struct pgtsim_explore_config config = config_for(&e, actors);
		uint64_t found = 0;

		run_orders(&all, &start);
		config.shards = 2 + seed % 3;
		for (config.shard = 0; config.shard < config.shards; config.shard++) {
			struct pgtsim_exploration out;

			assert_int_equal(pgtsim_explore(&config, &out), 0);
			assert_true(out.complete);
			found += out.schedules;
			apart += out.schedules && out.schedules < all.traces.count;
			pgtsim_exploration_free(&out);
		}
		assert_int_equal(found, all.traces.count);
		assert_true(same_set(&all.ends, &e.ends));
		schedules += found;
		free(all.ends.item);
		free(all.traces.item);
		free(e.ends.item);
	}
	print_message("%llu schedules, in %llu shards that had some of them\n",
		      (unsigned long long)schedules, (unsigned long long)apart);
	assert_true(apart > 30);
}

/* With a limit on preemptions, every end of an order within the limit is found. */
static void bounds_preemptions(void **state)
{
	unsigned left_out = 0;

	(void)state;
	for (uint32_t seed = 1; seed <= 200; seed++) {
		const struct program p = random_program(seed);
		struct all_orders all = { .program = &p, .most = seed % 3 };
		struct state start = { .holder = { -1, -1 } };
		struct explored e = { .program = &p };
		struct pgtsim_actor_spec actors[ACTORS];
		struct pgtsim_explore_config config = config_for(&e, actors);
		struct pgtsim_exploration out;

		run_orders(&all, &start);
		config.limit_preemptions = true;
		config.preemptions = all.most;
		assert_int_equal(pgtsim_explore(&config, &out), 0);
		for (size_t i = 0; i < all.ends.count; i++)
			assert_true(!set_add(&e.ends, all.ends.item[i]));
		assert_true(out.failed || !(all.deadlock || all.after_free));
		assert_int_equal(out.complete, out.stopped == PGTSIM_STOPPED_NOT);
		left_out += out.stopped == PGTSIM_STOPPED_PREEMPTIONS;
		pgtsim_exploration_free(&out);
		free(all.ends.item);
		free(all.traces.item);
		free(e.ends.item);
	}
	assert_true(left_out > 20);
}

/* ---- programs written by hand ---- */

/* Actor a takes two locks in one order, b in the other. */
static const struct program crossed = {
	.actors = 2,
	.ops = { 4, 4 },
	.op = { { { LOCK, 0, 0, 0 }, { LOCK, 0, 1, 0 }, { UNLOCK, 0, 1, 0 }, { UNLOCK, 0, 0, 0 } },
		{ { LOCK, 0, 1, 0 },
		  { LOCK, 0, 0, 0 },
		  { UNLOCK, 0, 0, 0 },
		  { UNLOCK, 0, 1, 0 } } },
};

/* Actor a reads twice an entry that b writes, and whose table b then frees. */
static const struct program freed = {
	.actors = 2,
	.ops = { 2, 2 },
	.op = { { { READ, 0, 0, 0 }, { READ, 0, 0, 0 } },
		{ { WRITE, 0, 0, 5 }, { FREE, 0, 0, 0 } } },
};

/* Actor a reads 10 only in the order: b writes, a writes, b reads that and writes, a reads. */
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

/* Two locks taken in opposite orders: the deadlock is found, and shown with a single switch. */
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

/* Exploring twice gives the same result, and the schedule that it names fails the same way. */
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

/*
 * A use after free names actor, address and table; the schedule has the fewest switches and steps.
 */
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

/* The caller's check runs at each end; a failure that needs several switches is found. */
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

/* The machine is checked at the end: an actor leaves a table that no entry points to. */
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

/* A given schedule is followed exactly; after its end the actors go on in their order. */
static void follows_a_given_schedule(void **state)
{
	struct explored e;
	struct pgtsim_exploration out;

	(void)state;
	out = explore(&e, &crossed, "a*4,b*3", 0, false);
	assert_int_equal(out.schedules, 1);
	assert_int_equal(out.failed, 0);
	assert_int_equal(out.steps, 8);
	pgtsim_exploration_free(&out);
	out = explore(&e, &freed, "b,b,b,a*2", 0, false);
	assert_int_equal(out.failed, 1);
	pgtsim_exploration_free(&out);
}

/* A given schedule that cannot run as written is an error that says where and why. */
static void refuses_steps_that_are_not_there(void **state)
{
	static const struct {
		const struct program *program;
		const char *schedule, *problem;
	} bad[] = {
		{ &crossed, "a*2,b*3,a",
		  "word 2 of the schedule cannot run as written: after 2 steps b waits for the "
		  "page table lock" },
		{ &crossed, "a*2,b",
		  "word 2 of the schedule cannot run as written: after 2 steps b waits for the "
		  "page table lock" },
		{ &freed, "b*3",
		  "word 1 of the schedule cannot run as written: after 2 steps b has ended" },
		{ &freed, "b*2,a*1000000",
		  "word 2 of the schedule cannot run as written: after 4 steps a has ended" },
		{ &freed, "b*1+1",
		  "word 1 of the schedule cannot run as written: after 1 steps b has no such "
		  "uncounted step" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct explored e = { .program = bad[i].program };
		struct pgtsim_actor_spec actors[ACTORS];
		struct pgtsim_explore_config config = config_for(&e, actors);
		struct pgtsim_exploration out;

		config.schedule = bad[i].schedule;
		assert_int_equal(pgtsim_explore(&config, &out), -EINVAL);
		assert_string_equal(out.problem, bad[i].problem);
		assert_null(out.schedule);
		free(e.ends.item);
	}
}

/* Random schedules find a defect that exploring finds, and equal seeds give equal schedules. */
static void walks_randomly(void **state)
{
	struct explored e = { .program = &crossed };
	struct pgtsim_actor_spec actors[ACTORS];
	struct pgtsim_explore_config config = config_for(&e, actors);
	struct pgtsim_exploration out, again;

	(void)state;
	config.runs = 50;
	config.seed = 7;
	assert_int_equal(pgtsim_explore(&config, &out), 0);
	assert_int_equal(out.schedules, 50);
	assert_true(out.failed > 0 && out.failed < 50);
	assert_int_equal(out.violation.name, PGTSIM_V_DEADLOCK);
	assert_string_equal(out.schedule, "a*1,b*1");
	assert_int_equal(out.stopped, PGTSIM_STOPPED_RANDOM);
	assert_false(out.complete);
	assert_int_equal(pgtsim_explore(&config, &again), 0);
	assert_int_equal(out.failed, again.failed);
	pgtsim_exploration_free(&out);
	pgtsim_exploration_free(&again);
	free(e.ends.item);
}

static bool stop_at_two(void *ctx, const struct pgtsim_explore_progress *progress)
{
	(void)ctx;
	assert_true(progress->estimate >= progress->schedules);
	return progress->schedules == 2;
}

/* progress() is called during the search and can end it: the result so far is returned. */
static void stops_when_asked(void **state)
{
	struct explored e = { .program = &crossed };
	struct pgtsim_actor_spec actors[ACTORS];
	struct pgtsim_explore_config config = config_for(&e, actors);
	struct pgtsim_exploration out;

	(void)state;
	config.progress = stop_at_two;
	assert_int_equal(pgtsim_explore(&config, &out), 0);
	assert_int_equal(out.schedules, 2);
	assert_int_equal(out.stopped, PGTSIM_STOPPED_ASKED);
	assert_false(out.complete);
	assert_true(out.estimate >= 2);
	pgtsim_exploration_free(&out);
	free(e.ends.item);
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

/* Wrong configurations and failures return their errno, and nothing needs freeing. */
static void refuses_what_is_no_exploration(void **state)
{
	static const char *const bad[] = { "",     "a",  "a*0",    "x*1",           "a*1,",  "a**",
					   "a*1b", "*1", "a,,b*1", "a*99999999999", "a*1+", "a*0+0" };
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
	(void)arg;
	assert_ptr_equal(pgtsim_actor_of(machine), actor);
	assert_false(pgtsim_actor_holds(actor, PGTSIM_LOCK_HOTPLUG));
	assert_false(pgtsim_actor_holds(actor, PGTSIM_LOCKS));
	assert_int_equal(pgtsim_actor_lock(actor, PGTSIM_LOCKS), -EINVAL);
	assert_int_equal(pgtsim_actor_unlock(actor, PGTSIM_LOCKS), -EINVAL);
	assert_int_equal(pgtsim_actor_unlock(actor, PGTSIM_LOCK_HOTPLUG), -EPERM);
	assert_int_equal(pgtsim_actor_lock(actor, PGTSIM_LOCK_HOTPLUG), 0);
	assert_true(pgtsim_actor_holds(actor, PGTSIM_LOCK_HOTPLUG));
	pgtsim_actor_lock(actor, PGTSIM_LOCK_HOTPLUG);
	return -ENODEV;
}

/*
 * Wrong use of locks is an error. An actor that waits for itself is a deadlock, and does not hang.
 */
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
		cmocka_unit_test(shards_are_the_whole),
		cmocka_unit_test(bounds_preemptions),
		cmocka_unit_test(finds_deadlock),
		cmocka_unit_test(repeats_itself),
		cmocka_unit_test(tells_the_simplest_failure),
		cmocka_unit_test(asks_the_caller),
		cmocka_unit_test(checks_the_machine),
		cmocka_unit_test(stops_early),
		cmocka_unit_test(walks_randomly),
		cmocka_unit_test(stops_when_asked),
		cmocka_unit_test(follows_a_given_schedule),
		cmocka_unit_test(refuses_steps_that_are_not_there),
		cmocka_unit_test(refuses_what_is_no_exploration),
		cmocka_unit_test(notes_locks_used_badly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
