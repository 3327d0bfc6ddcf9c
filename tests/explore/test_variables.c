/* SPDX-License-Identifier: MIT */
/* What actors share besides the tables: variables, reader-writer locks and RCU. */
#include <pgtsim/explore.h>

#include "hotplug.h"

static struct pgtsim_machine_config config;
static const uint64_t va = 0xffffff8000000000;

static int setup(void *ctx, struct pgtsim_machine **machine)
{
	const struct pgtsim_map map = { .va = va, .pa = 0x80000000, .size = 4096 };

	(void)ctx;
	if (pgtsim_machine_new(machine, &config))
		return -ENOMEM;
	return pgtsim_map(&(*machine)->pgt, &map);
}

typedef int run_fn(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg);

static struct pgtsim_exploration explore(run_fn *a, run_fn *b, void *arg)
{
	const struct pgtsim_actor_spec actors[] = { { "a", a, NULL, arg }, { "b", b, NULL, arg } };
	const struct pgtsim_explore_config explore_config = {
		.setup = setup,
		.actors = actors,
		.actor_count = 2,
	};
	struct pgtsim_exploration out;

	config = config_of("latest", 4, 39);
	config.checker = false;
	assert_int_equal(pgtsim_explore(&explore_config, &out), 0);
	assert_true(out.complete);
	return out;
}

/* ---- variables ---- */

static unsigned both_zero, any_run;

/* Each writes its variable, then reads the other's: they cannot both read 0. */
static int write_then_read(struct pgtsim_actor *actor, unsigned own, unsigned *seen)
{
	pgtsim_actor_store(actor, own, 1);
	*seen = (unsigned)pgtsim_actor_load(actor, 1 - own);
	return 0;
}

static unsigned seen[2];

static int first(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	(void)machine;
	(void)arg;
	return write_then_read(actor, 0, &seen[0]);
}

static int second(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	(void)machine;
	(void)arg;
	write_then_read(actor, 1, &seen[1]);
	return 0;
}

static void note_seen(struct pgtsim_machine *machine, int result, void *arg)
{
	(void)machine;
	(void)result;
	(void)arg;
	any_run++;
	both_zero += !seen[0] && !seen[1];
}

/* Accesses of variables are steps: all three outcomes of two of them are found, and no other. */
static void variables_are_steps(void **state)
{
	const struct pgtsim_actor_spec actors[] = { { "a", first, note_seen, NULL },
						    { "b", second, NULL, NULL } };
	const struct pgtsim_explore_config explore_config = {
		.setup = setup,
		.actors = actors,
		.actor_count = 2,
	};
	struct pgtsim_exploration out;

	(void)state;
	config = config_of("latest", 4, 39);
	assert_int_equal(pgtsim_explore(&explore_config, &out), 0);
	assert_int_equal(out.schedules, 3);
	assert_int_equal(any_run, 3);
	assert_int_equal(both_zero, 0);
	pgtsim_exploration_free(&out);
}

static int spin(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	(void)machine;
	(void)arg;
	while (!pgtsim_actor_load(actor, 3))
		;
	return 0;
}

static int set(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	(void)machine;
	(void)arg;
	return pgtsim_actor_store(actor, 3, 1);
}

static int set_another(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	(void)machine;
	(void)arg;
	return pgtsim_actor_store(actor, 4, 1);
}

/* A polling loop ends when its variable is written; if nobody writes it, that is a deadlock. */
static void a_spin_ends_or_is_a_deadlock(void **state)
{
	struct pgtsim_exploration out = explore(spin, set, NULL);

	(void)state;
	assert_int_equal(out.failed, 0);
	assert_int_equal(out.schedules, 2);
	pgtsim_exploration_free(&out);
	out = explore(spin, set_another, NULL);
	assert_int_equal(out.failed, out.schedules);
	assert_int_equal(out.violation.name, PGTSIM_V_DEADLOCK);
	assert_string_equal(out.violation.text, "a waits for a variable to change, which nobody does");
	pgtsim_exploration_free(&out);
}

/* ---- readers that take no lock, and a table that is freed ---- */

static struct pgtsim_table *find_table(struct pgtsim_pgtable *pgt, struct pgtsim_run *above)
{
	struct pgtsim_table *table = pgt->root;

	while (table && table->level < PGTSIM_PTE) {
		uint64_t desc = pgtsim_entry(pgt, table, pgtsim_index(&pgt->geo, table->level, va));

		*above = (struct pgtsim_run){ .table = table,
					      .level = table->level,
					      .index = pgtsim_index(&pgt->geo, table->level, va),
					      .count = 1,
					      .va = va };
		if (!pgtsim_desc_is_table(table->level, desc))
			return NULL;
		table = pgt->ops.find(pgt->ops.ctx, pgtsim_desc_address(&pgt->geo, table->level, desc));
	}
	return table;
}

enum protection { NOTHING, RWLOCK, RCU };

static int look(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	enum protection by = *(enum protection *)arg;
	struct pgtsim_run above;
	struct pgtsim_table *table;

	if (by == RWLOCK)
		pgtsim_actor_read_lock(actor, 0);
	if (by == RCU)
		pgtsim_actor_rcu_read_lock(actor);
	table = find_table(&machine->pgt, &above);
	if (table)
		(void)pgtsim_entry(&machine->pgt, table, 0);
	if (by == RWLOCK)
		return pgtsim_actor_read_unlock(actor, 0);
	if (by == RCU)
		pgtsim_actor_rcu_read_unlock(actor);
	return 0;
}

/* Clears the entry, waits for readers that may still use the table, then frees it. */
static int take_away(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	struct pgtsim_pgtable *pgt = &machine->pgt;
	enum protection by = *(enum protection *)arg;
	struct pgtsim_run above;
	struct pgtsim_table *table = find_table(pgt, &above);

	if (by == RWLOCK)
		pgtsim_actor_write_lock(actor, 0);
	assert_int_equal(pgtsim_poke(pgt, PGTSIM_PMD, va, 0), 0);
	if (by == RCU)
		pgtsim_actor_synchronize_rcu(actor);
	pgt->ops.free(pgt->ops.ctx, table);
	pgtsim_tlb_event(pgt->tlb, &(struct pgtsim_event){ .op = PGTSIM_OP_TABLE_FREE,
							   .level = PGTSIM_PTE,
							   .va = va,
							   .count = 1,
							   .pa = table->pa });
	return by == RWLOCK ? pgtsim_actor_write_unlock(actor, 0) : 0;
}

/* A lockless reader reads a freed table, unless a rwlock or a grace period prevents that. */
static void readers_are_waited_for(void **state)
{
	(void)state;
	for (enum protection by = NOTHING; by <= RCU; by++) {
		struct pgtsim_exploration out = explore(look, take_away, &by);

		if (by == NOTHING)
			assert_int_equal(out.violation.name, PGTSIM_V_TABLE_USE_AFTER_FREE);
		else if (out.failed)
			fail_msg("%s: %s", out.schedule, out.violation.text);
		assert_true(out.schedules > 1);
		pgtsim_exploration_free(&out);
	}
}

static int misuse(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	(void)machine;
	(void)arg;
	assert_int_equal(pgtsim_actor_store(actor, PGTSIM_VARIABLES, 1), -EINVAL);
	assert_int_equal(pgtsim_actor_load(actor, PGTSIM_VARIABLES), 0);
	assert_false(pgtsim_actor_compare_swap(actor, 0, 1, 2));
	assert_true(pgtsim_actor_compare_swap(actor, 0, 0, 2));
	assert_int_equal(pgtsim_actor_read_lock(actor, PGTSIM_RWLOCKS), -EINVAL);
	assert_int_equal(pgtsim_actor_write_unlock(actor, 1), -EPERM);
	assert_int_equal(pgtsim_actor_read_unlock(actor, 1), -EPERM);
	return 0;
}

/* Wrong numbers and wrong use of locks are errors. */
static void refuses_what_is_not_there(void **state)
{
	struct pgtsim_exploration out = explore(misuse, set, NULL);

	(void)state;
	assert_int_equal(out.failed, 0);
	pgtsim_exploration_free(&out);
}

/* ---- a section's usage map ---- */

enum { BLOCK = 128 << 20 };

static int online_block(void *ctx, struct pgtsim_machine **machine)
{
	struct pgtsim_machine_config plain;
	int ret = pgtsim_machine_config_init(&plain, "linux-6.1");

	plain.blocks = true;
	plain.policy.usage_map = *(const uint8_t *)ctx;
	ret = ret ? ret : pgtsim_machine_new(machine, &plain);
	ret = ret ? ret : pgtsim_add_memory(&(*machine)->hotplug, 0x80000000, BLOCK);
	return ret ? ret :
		     pgtsim_online_memory(&(*machine)->hotplug, 0x80000000, BLOCK,
					  PGTSIM_ZONE_NORMAL);
}

static int look_up_locked(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	int ret;

	assert_int_equal(pgtsim_actor_lock(actor, PGTSIM_LOCK_HOTPLUG), 0);
	ret = pgtsim_actor_online_page(actor, machine, arg);
	return pgtsim_actor_unlock(actor, PGTSIM_LOCK_HOTPLUG) ? -EIO : ret;
}

typedef int act(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg);

/* Two readers of this page while a memory block is unplugged. */
static struct pgtsim_exploration unplug_beside(act *read, struct pgtsim_actor_range *page,
					       uint8_t usage_map)
{
	static struct pgtsim_actor_range removed = { .start = 0x80000000, .size = BLOCK };
	const struct pgtsim_actor_spec actors[] = {
		{ .name = "reader", .run = read, .arg = page },
		{ .name = "again", .run = read, .arg = page },
		{ .name = "remover", .run = pgtsim_actor_unplug, .arg = &removed },
	};
	const struct pgtsim_explore_config search = {
		.setup = online_block,
		.ctx = &usage_map,
		.actors = actors,
		.actor_count = 3,
	};
	struct pgtsim_exploration out;

	assert_int_equal(pgtsim_explore(&search, &out), 0);
	return out;
}

/*
 * A reader of a section's usage map may meet its end: only a grace period together with an RCU read
 * section prevents that, or the hotplug lock. A page of another section is never in the way.
 */
static void usage_map_of_a_section(void **state)
{
	static struct pgtsim_actor_range inside = { .start = 0x87fff000 },
					 outside = { .start = 0x40000000 };
	static const struct {
		act *read;
		struct pgtsim_actor_range *page;
		uint8_t usage_map;
		bool fails;
	} rows[] = {
		{ pgtsim_actor_online_page, &inside, PGTSIM_USAGE_MAP_AT_ONCE, true },
		{ pgtsim_actor_online_page, &inside, PGTSIM_USAGE_MAP_GRACE_PERIOD, true },
		{ pgtsim_actor_online_page_rcu, &inside, PGTSIM_USAGE_MAP_AT_ONCE, true },
		{ pgtsim_actor_online_page_rcu, &inside, PGTSIM_USAGE_MAP_GRACE_PERIOD, false },
		{ look_up_locked, &inside, PGTSIM_USAGE_MAP_AT_ONCE, false },
		{ look_up_locked, &inside, PGTSIM_USAGE_MAP_GRACE_PERIOD, false },
		{ pgtsim_actor_online_page, &outside, PGTSIM_USAGE_MAP_AT_ONCE, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgtsim_exploration out =
			unplug_beside(rows[i].read, rows[i].page, rows[i].usage_map);

		assert_true(out.complete);
		assert_int_equal(out.result, 0);
		assert_int_equal(out.failed > 0, rows[i].fails);
		if (out.failed)
			assert_int_equal(out.violation.name, PGTSIM_V_USAGE_MAP_USE_AFTER_FREE);
		pgtsim_exploration_free(&out);
	}
}

static struct pgtsim_actor_range block_a = { .start = 0x80000000, .size = BLOCK };
static struct pgtsim_actor_range block_b = { .start = 0x90000000, .size = BLOCK };

static int online_blocks(void *ctx, struct pgtsim_machine **machine)
{
	int ret = online_block(ctx, machine);

	ret = ret ? ret : pgtsim_add_memory(&(*machine)->hotplug, block_b.start, BLOCK);
	return ret ? ret :
		     pgtsim_online_memory(&(*machine)->hotplug, block_b.start, BLOCK,
					  PGTSIM_ZONE_NORMAL);
}

static int a_then_b(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	act *read = *(act **)arg;
	int ret = read(actor, machine, &block_a);

	return ret ? ret : read(actor, machine, &block_b);
}

static int b_then_a(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	act *read = *(act **)arg;
	int ret = read(actor, machine, &block_b);

	return ret ? ret : read(actor, machine, &block_a);
}

/* The second time the memory block may be gone: that is nothing to wait for. */
static int a_twice(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	act *read = *(act **)arg;
	int ret = read(actor, machine, &block_a);

	return ret ? ret : read(actor, machine, &block_a);
}

/* Unplugs a memory block, adds it again and takes it online. */
static int unplug_and_add(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	const struct pgtsim_actor_range *range = arg;
	int ret = pgtsim_actor_unplug(actor, machine, arg);

	ret = ret ? ret : pgtsim_actor_add(actor, machine, arg);
	pgtsim_actor_lock(actor, PGTSIM_LOCK_HOTPLUG);
	ret = ret ? ret :
		    pgtsim_online_memory(&machine->hotplug, range->start, range->size,
					 PGTSIM_ZONE_NORMAL);
	pgtsim_actor_unlock(actor, PGTSIM_LOCK_HOTPLUG);
	return ret;
}

/* Fails only by the end of a usage map, if at all, and so does the schedule that is told, run again. */
static void assert_fails(struct pgtsim_explore_config *search, bool fails)
{
	struct pgtsim_exploration out, again;

	assert_int_equal(pgtsim_explore(search, &out), 0);
	assert_true(out.complete);
	assert_int_equal(out.result, 0);
	assert_int_equal(out.failed > 0, fails);
	if (out.failed) {
		assert_int_equal(out.violation.name, PGTSIM_V_USAGE_MAP_USE_AFTER_FREE);
		search->schedule = out.schedule;
		assert_int_equal(pgtsim_explore(search, &again), 0);
		assert_string_equal(again.violation.text, out.violation.text);
		pgtsim_exploration_free(&again);
	}
	pgtsim_exploration_free(&out);
}

/*
 * Each section has its own flags, pointer and map: what a reader looks up before or after hides no
 * race and makes none, and an add gives the section a new map.
 */
static void each_section_has_its_own_usage_map(void **state)
{
	static const struct {
		act *run, *read, *change;
		bool grace_period, fails;
	} rows[] = {
		{ a_then_b, pgtsim_actor_online_page_rcu, pgtsim_actor_unplug, false, true },
		{ a_then_b, pgtsim_actor_online_page_rcu, pgtsim_actor_unplug, true, false },
		{ a_then_b, pgtsim_actor_online_page, pgtsim_actor_unplug, true, true },
		{ a_then_b, look_up_locked, pgtsim_actor_unplug, false, false },
		{ b_then_a, pgtsim_actor_online_page_rcu, pgtsim_actor_unplug, false, true },
		{ b_then_a, look_up_locked, pgtsim_actor_unplug, false, false },
		{ a_twice, look_up_locked, pgtsim_actor_unplug, false, false },
		{ a_twice, pgtsim_actor_online_page_rcu, unplug_and_add, true, false },
		{ a_twice, pgtsim_actor_online_page, unplug_and_add, true, true },
		{ a_twice, look_up_locked, unplug_and_add, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		act *read = rows[i].read;
		uint8_t usage_map = rows[i].grace_period ? PGTSIM_USAGE_MAP_GRACE_PERIOD :
							   PGTSIM_USAGE_MAP_AT_ONCE;
		const struct pgtsim_actor_spec actors[] = {
			{ .name = "reader", .run = rows[i].run, .arg = &read },
			{ .name = "remover", .run = rows[i].change, .arg = &block_a },
		};
		struct pgtsim_explore_config search = {
			.setup = online_blocks,
			.ctx = &usage_map,
			.actors = actors,
			.actor_count = 2,
		};

		print_message("row %zu\n", i);
		assert_fails(&search, rows[i].fails);
	}
}

/* ---- vmalloc ---- */

/* The profile, and what one run of an actor took. */
struct vmalloc {
	const char *profile;
	uint64_t dsb, isb;
};

static int plain_machine(void *ctx, struct pgtsim_machine **machine)
{
	const struct vmalloc *vmalloc = ctx;
	struct pgtsim_machine_config plain = config_of(vmalloc->profile, 4, 48);
	int ret = pgtsim_machine_new(machine, &plain);

	if (!ret)
		pgtsim_tlb_reset_counts(&(*machine)->tlb);
	return ret;
}

static const char *keep_barriers(void *ctx, struct pgtsim_machine *machine)
{
	struct vmalloc *vmalloc = ctx;

	vmalloc->dsb = machine->tlb.counts.dsb;
	vmalloc->isb = machine->tlb.counts.isb;
	return NULL;
}

/*
 * Ten pages in two tables: a pair of barriers for each page, or, from 6.18 on, for each table. Each of the
 * four tables that are linked has one, but up to 6.1 not that in the root.
 */
static void barriers_of_vmalloc(void **state)
{
	static const struct {
		const char *profile;
		unsigned pages, links;
	} rows[] = { { "linux-6.1", 10, 3 },
		     { "linux-6.12", 10, 4 },
		     { "linux-7.3", 2, 4 },
		     { "latest", 2, 4 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgtsim_actor_range range = { .start = 0xffff8000001fb000,
						    .size = 10 * 4096 };
		const struct pgtsim_actor_spec actor = { .name = "vmalloc",
							 .run = pgtsim_actor_vmalloc,
							 .check = pgtsim_actor_vmalloc_check,
							 .arg = &range };
		struct vmalloc vmalloc = { .profile = rows[i].profile };
		const struct pgtsim_explore_config search = { .setup = plain_machine,
							      .check = keep_barriers,
							      .ctx = &vmalloc,
							      .actors = &actor,
							      .actor_count = 1 };
		struct pgtsim_exploration out;

		assert_int_equal(pgtsim_explore(&search, &out), 0);
		assert_int_equal(out.failed, 0);
		assert_int_equal(vmalloc.dsb, rows[i].pages + rows[i].links);
		assert_int_equal(vmalloc.isb, vmalloc.dsb);
		pgtsim_exploration_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(variables_are_steps),
		cmocka_unit_test(a_spin_ends_or_is_a_deadlock),
		cmocka_unit_test(readers_are_waited_for),
		cmocka_unit_test(refuses_what_is_not_there),
		cmocka_unit_test(usage_map_of_a_section),
		cmocka_unit_test(each_section_has_its_own_usage_map),
		cmocka_unit_test(barriers_of_vmalloc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
