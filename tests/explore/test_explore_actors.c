/* SPDX-License-Identifier: MIT */
/*
 * The actors that come with the library, against each other on machines of several geometries.
 */
#include "pgtable/access.h"
#include "hotplug.h"

#include "events/events.h"

/* Geometries that must be tested, and others in which other levels are folded. */
static const struct {
	unsigned kib, va;
} geometries[] = { { 4, 48 }, { 16, 47 }, { 64, 48 }, { 4, 39 },
		   { 4, 52 }, { 16, 36 }, { 16, 52 }, { 64, 42 } };

/* How many of them are tested: the first four, or with the argument "all" each of them. */
static size_t geometry_count = 4;

struct world {
	struct pgtsim_machine_config config;
	uint64_t add, add_size; /* physical memory to add, if any */
	uint64_t map, map_size; /* … and virtual addresses to map */
};

static int setup(void *ctx, struct pgtsim_machine **machine)
{
	const struct world *world = ctx;
	struct pgtsim_map map = { .va = world->map, .pa = 0x80000000, .size = world->map_size };
	int ret = pgtsim_machine_new(machine, &world->config);

	if (!ret && world->add_size)
		ret = pgtsim_add_memory(&(*machine)->hotplug, world->add, world->add_size);
	if (ret || !world->map_size)
		return ret;
	map.attrs = (*machine)->policy.prot[PGTSIM_PROT_TAGGED];
	map.table_attrs = (*machine)->policy.linear_table;
	return pgtsim_map(&(*machine)->pgt, &map);
}

static struct world world_of(size_t geometry)
{
	return (struct world){
		.config =
			config_of("linux-6.12", geometries[geometry].kib, geometries[geometry].va),
	};
}

static struct pgtsim_exploration explore(struct world *world,
					 const struct pgtsim_actor_spec *actors, size_t count)
{
	const struct pgtsim_explore_config config = {
		.setup = setup,
		.ctx = world,
		.actors = actors,
		.actor_count = count,
	};
	struct pgtsim_exploration out;

	assert_int_equal(pgtsim_explore(&config, &out), 0);
	assert_true(out.complete);
	assert_int_equal(out.result, 0);
	return out;
}

/* Counts the words of a schedule's text. */
static unsigned words(const char *schedule)
{
	unsigned count = 1;

	for (; *schedule; schedule++)
		count += *schedule == ',';
	return count;
}

static void assert_none_fails(const struct pgtsim_exploration *out)
{
	if (out->failed)
		fail_msg("%s: %s", out->schedule, out->violation.text);
}

/* ---- B5 ---- */

static uint64_t section_of(unsigned kib)
{
	return kib == 64 ? 512 * MIB : 128 * MIB;
}

static uint64_t linear_start(const struct world *world)
{
	struct pgtsim_machine *machine = machine_of(&world->config);
	uint64_t start = pgtsim_linear(&machine->layout, 0x80000000);

	pgtsim_machine_free(&machine);
	return start;
}

static struct pgtsim_exploration read_while_removed(size_t geometry, bool lock)
{
	struct world world = world_of(geometry);
	uint64_t size = section_of(geometries[geometry].kib);
	struct pgtsim_actor_range removed = { .start = 0x80000000, .size = size };
	struct pgtsim_actor_range read = { .start = linear_start(&world),
					   .size = 2 * world.config.granule };
	const struct pgtsim_actor_spec actors[] = {
		{ .name = "reader",
		  .run = lock ? pgtsim_actor_ptdump : pgtsim_actor_ptdump_unlocked,
		  .arg = &read },
		{ .name = "remover", .run = pgtsim_actor_remove, .arg = &removed },
	};

	world.add = removed.start;
	world.add_size = size;
	return explore(&world, actors, COUNT(actors));
}

/* A reader without the hotplug lock reads a table that hot-remove has freed, in every geometry. */
static void reader_without_lock(void **state)
{
	(void)state;
	for (size_t i = 0; i < geometry_count; i++) {
		struct pgtsim_exploration out = read_while_removed(i, false);

		assert_int_equal(out.violation.name, PGTSIM_V_TABLE_USE_AFTER_FREE);
		assert_int_equal(words(out.schedule), 3);
		assert_true(out.schedules < 100);
		pgtsim_exploration_free(&out);
	}
}

/* With the lock there are two schedules, and none fails. */
static void reader_with_lock(void **state)
{
	(void)state;
	for (size_t i = 0; i < geometry_count; i++) {
		struct pgtsim_exploration out = read_while_removed(i, true);

		assert_none_fails(&out);
		assert_int_equal(out.schedules, 2);
		pgtsim_exploration_free(&out);
	}
}

/* ---- B20 ---- */

/* The removal may free every empty table, or only those inside its own region. */
enum bounds { NO_BOUNDS, FLOOR_AND_CEILING };

/*
 * A removal of the region of one entry of a table of this level, and vmalloc() in the next region,
 * which has the entry after it.
 */
static struct pgtsim_exploration map_while_removed(struct world *world, int level,
						   enum bounds bounds, size_t mappers)
{
	struct pgtsim_machine *machine = machine_of(&world->config);
	uint64_t entry = pgtsim_entry_size(&machine->geo, level);
	uint64_t page = pgtsim_page_size(&machine->geo);
	uint64_t va = pgtsim_va_start(&machine->geo);
	struct pgtsim_actor_range removed = { .start = va, .size = page };
	struct pgtsim_actor_range mapped = { .start = va + entry, .size = 2 * page };
	struct pgtsim_actor_range beside = { .start = va + 2 * entry + page, .size = page };
	const struct pgtsim_actor_spec actors[] = {
		{ "remover", pgtsim_actor_unmap, NULL, &removed },
		{ "mapper", pgtsim_actor_vmalloc, pgtsim_actor_vmalloc_check, &mapped },
		{ "second", pgtsim_actor_vmalloc, pgtsim_actor_vmalloc_check, &beside },
	};

	/* Two mappers share tables, or one pte table; never a page. */
	if (level < PGTSIM_PTE)
		beside.start = mapped.start + 4 * page;
	pgtsim_machine_free(&machine);
	world->map = va;
	world->map_size = page;
	if (bounds == FLOOR_AND_CEILING) {
		removed.floor = va;
		removed.ceiling = va + entry;
	}
	return explore(world, actors, 1 + mappers);
}

static bool is_b20(enum pgtsim_violation_name name)
{
	return name == PGTSIM_V_TABLE_USE_AFTER_FREE || name == PGTSIM_V_MAPPING_LOST ||
	       name == PGTSIM_V_NO_BREAK; /* it links a table where the old one may be cached */
}

/* Without bounds, hot-remove frees the table that vmalloc is about to use, at every level. */
static void vmalloc_without_bounds(void **state)
{
	(void)state;
	for (size_t i = 0; i < geometry_count; i++) {
		struct world world = world_of(i);
		struct pgtsim_machine *machine = machine_of(&world.config);
		int root = pgtsim_root_level(&machine->geo);

		pgtsim_machine_free(&machine);
		for (int level = root + 1; level <= PGTSIM_PTE; level++) {
			struct pgtsim_exploration out =
				map_while_removed(&world, level, NO_BOUNDS, 1);

			if (!is_b20(out.violation.name))
				fail_msg("%s: %s", out.schedule, out.violation.text);
			assert_true(words(out.schedule) <= 3);
			pgtsim_exploration_free(&out);
		}
	}
}

/* With floor and ceiling no schedule fails, also with a second vmalloc. */
static void vmalloc_with_bounds(void **state)
{
	uint64_t schedules = 0;

	(void)state;
	for (size_t i = 0; i < geometry_count; i++) {
		struct world world = world_of(i);
		struct pgtsim_machine *machine = machine_of(&world.config);
		int root = pgtsim_root_level(&machine->geo);

		pgtsim_machine_free(&machine);
		for (int level = root + 1; level <= PGTSIM_PTE; level++) {
			for (size_t mappers = 1; mappers <= 2; mappers++) {
				struct pgtsim_exploration out = map_while_removed(
					&world, level, FLOOR_AND_CEILING, mappers);

				assert_none_fails(&out);
				schedules += out.schedules;
				pgtsim_exploration_free(&out);
			}
		}
	}
	print_message("%llu schedules\n", (unsigned long long)schedules);
}

/* ---- others ---- */

static const struct pgtsim_actor_range first_page = { .start = 0xffff000000000000, .size = 4096 };

/* A mapper with a defect: it reads the entry only before it takes the lock. */
static int map_carelessly(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	struct pgtsim_pgtable *pgt = &machine->pgt;
	const struct pgtsim_actor_range *range = arg;
	const struct pgtsim_run run = { .table = pgt->root,
					.level = pgt->root->level,
					.va = range->start,
					.index = pgtsim_index(&pgt->geo, pgt->root->level,
							      range->start),
					.count = 1 };
	struct pgtsim_table *list = NULL;

	if (pgtsim_entry(pgt, run.table, run.index))
		return 0;
	assert_int_equal(pgtsim_tables_reserve(pgt, 1, &list), 1);
	pgtsim_actor_lock(actor, PGTSIM_LOCK_PAGE_TABLE);
	pgtsim_table_link(pgt, &run, &list, 0, PGTSIM_REGION_OTHER);
	return pgtsim_actor_unlock(actor, PGTSIM_LOCK_PAGE_TABLE);
}

/*
 * Mappers that read the entry again under the lock share tables; one that does not loses a mapping.
 */
static void mappers_look_again(void **state)
{
	struct pgtsim_actor_range one = first_page, two = first_page;
	struct pgtsim_actor_spec actors[] = {
		{ "one", pgtsim_actor_vmalloc, pgtsim_actor_vmalloc_check, &one },
		{ "two", pgtsim_actor_vmalloc, pgtsim_actor_vmalloc_check, &two },
	};
	struct world world = world_of(0);
	struct pgtsim_exploration out;

	(void)state;
	two.start += 4096;
	out = explore(&world, actors, 2);
	assert_none_fails(&out);
	assert_true(out.schedules > 10 && out.schedules < 1000);
	pgtsim_exploration_free(&out);
	actors[0].run = map_carelessly;
	actors[0].check = NULL;
	out = explore(&world, actors, 2);
	assert_int_equal(out.violation.name, PGTSIM_V_MAPPING_LOST);
	assert_string_equal(out.violation.text,
			    "one links a table in place of the one that two linked");
	pgtsim_exploration_free(&out);
}

/* The quirk that hot-add links tables without the page table lock can lose a mapping of vmalloc. */
static void quirk_hot_add_takes_no_page_table_lock(void **state)
{
	struct pgtsim_actor_range added = { .start = 0x80000000, .size = 128 * MIB };
	struct pgtsim_actor_range mapped = { .start = 0xfffffdffbfe00000, .size = 4096 };
	const struct pgtsim_actor_spec actors[] = {
		{ "adder", pgtsim_actor_add, NULL, &added },
		{ "mapper", pgtsim_actor_vmalloc, pgtsim_actor_vmalloc_check, &mapped },
	};
	struct world world = world_of(0);
	struct pgtsim_exploration out;

	(void)state;
	world.config.checker = false;
	out = explore(&world, actors, 2);
	assert_int_equal(out.violation.name, PGTSIM_V_MAPPING_LOST);
	pgtsim_exploration_free(&out);
	mapped.start = 0xffff900000000000; /* tables of its own */
	out = explore(&world, actors, 2);
	assert_none_fails(&out);
	assert_int_equal(out.schedules, 1);
	pgtsim_exploration_free(&out);
}

/* Clears the entry above the first page's pte table and frees that at once. */
static int free_hastily(struct pgtsim_actor *actor, struct pgtsim_machine *machine, void *arg)
{
	struct pgtsim_pgtable *pgt = &machine->pgt;
	struct pgtsim_table *table = pgt->root, *above = NULL;
	const struct pgtsim_event freed = {
		.op = PGTSIM_OP_TABLE_FREE,
		.level = PGTSIM_PTE,
		.count = 1,
	};

	(void)actor;
	(void)arg;
	while (table->level < PGTSIM_PTE) {
		above = table;
		table = pgt->ops.find(
			pgt->ops.ctx,
			pgtsim_desc_address(&pgt->geo, table->level, pgtsim_entry(pgt, table, 0)));
	}
	pgtsim_access_write(pgt, above, 0, 0);
	above->live--;
	pgtsim_state(above)->first = pgtsim_entries(&pgt->geo, above->level);
	pgtsim_emit_event_slowly(pgt->tlb, &freed);
	pgt->ops.free(pgt->ops.ctx, table);
	return 0;
}

/*
 * A CPU may walk to memory that is being removed: the DSB after the invalidate waits for the walk.
 */
static void cpu_walks(void **state)
{
	const uint64_t va[] = { first_page.start, first_page.start + GIB };
	struct pgtsim_actor_accesses accesses = { .va = va, .count = COUNT(va) };
	struct pgtsim_actor_range removed = first_page;
	struct pgtsim_actor_spec actors[] = {
		{ "cpu", pgtsim_actor_access, NULL, &accesses },
		{ "remover", pgtsim_actor_unmap, NULL, &removed },
		{ "other", pgtsim_actor_access, NULL, &accesses },
	};
	struct world world = world_of(0);
	struct pgtsim_exploration out;

	(void)state;
	world.config.checker = false;
	world.map = removed.start;
	world.map_size = removed.size;
	out = explore(&world, actors, 2);
	assert_none_fails(&out);
	assert_true(out.schedules > 5);
	pgtsim_exploration_free(&out);
	out = explore(&world, actors, 3);
	assert_none_fails(&out);
	pgtsim_exploration_free(&out);
	actors[1].run = free_hastily;
	out = explore(&world, actors, 2);
	assert_int_equal(out.violation.name, PGTSIM_V_TABLE_USE_AFTER_FREE);
	pgtsim_exploration_free(&out);
}

/* Adds and removes exclude each other by the hotplug lock, whatever they share. */
static void hotplug_excludes_hotplug(void **state)
{
	struct pgtsim_actor_range first = { .start = 0x80000000, .size = 128 * MIB };
	struct pgtsim_actor_range second = { .start = 0x88000000, .size = 128 * MIB };
	struct pgtsim_actor_range pages = { .start = 0, .size = 0 };
	const struct pgtsim_actor_spec actors[] = {
		{ "remover", pgtsim_actor_remove, NULL, &first },
		{ "adder", pgtsim_actor_add, NULL, &second },
		{ "memmap", pgtsim_actor_vmemmap_free, NULL, &pages },
	};
	struct world world = world_of(0);
	struct pgtsim_machine *machine = machine_of(&world.config);
	struct pgtsim_exploration out;

	(void)state;
	pages.start = machine->layout.vmemmap_end - 2 * MIB;
	pages.size = 2 * MIB;
	pgtsim_machine_free(&machine);
	world.config.checker = false;
	world.add = first.start;
	world.add_size = first.size;
	out = explore(&world, actors, COUNT(actors));
	assert_none_fails(&out);
	assert_int_equal(out.schedules, 6);
	pgtsim_exploration_free(&out);
}

/* A failed allocation is an actor's result; no schedule fails because of it. */
static int setup_failing(void *ctx, struct pgtsim_machine **machine)
{
	const struct world *world = ctx;
	int ret = pgtsim_machine_new(machine, &world->config);

	if (!ret)
		pgtsim_memory_fail((*machine)->memory, world->add, false);
	return ret;
}

static void allocations_of_actors_fail(void **state)
{
	struct pgtsim_actor_range one = first_page, two = first_page;
	const struct pgtsim_actor_spec actors[] = {
		{ "one", pgtsim_actor_vmalloc, pgtsim_actor_vmalloc_check, &one },
		{ "two", pgtsim_actor_vmalloc, pgtsim_actor_vmalloc_check, &two },
	};
	struct world world = world_of(0);
	const struct pgtsim_explore_config config = {
		.setup = setup_failing,
		.ctx = &world,
		.actors = actors,
		.actor_count = 2,
	};

	(void)state;
	two.start += 2 * MIB;
	for (world.add = 1; world.add <= 8; world.add++) {
		struct pgtsim_exploration out;

		assert_int_equal(pgtsim_explore(&config, &out), 0);
		assert_none_fails(&out);
		assert_int_equal(out.result, -ENOMEM);
		pgtsim_exploration_free(&out);
	}
}

/* ---- one schedule, step by step ---- */

struct shown {
	struct world world; /* the first member: what setup() takes */
	struct pgtsim_explore_row rows[8192];
	size_t count;
	bool mapped[8192]; /* after each step: whether a walk finds the page */
};

static void show_step(void *ctx, struct pgtsim_machine *machine,
		      const struct pgtsim_explore_row *row)
{
	static const struct pgtsim_visitor nothing;
	struct shown *shown = ctx;
	struct pgtsim_translation t;
	uint64_t last = shown->world.map + shown->world.map_size - 1;

	assert_int_equal(pgtsim_walk(&machine->pgt, shown->world.map, last, &nothing, NULL), 0);
	assert_true(shown->count < COUNT(shown->rows));
	shown->mapped[shown->count] = !pgtsim_translate(&machine->pgt, shown->world.map, &t);
	shown->rows[shown->count++] = *row;
}

/* True if the story tells of this step, in a row of its own or among steps that nobody else shares. */
static bool is_told(const struct pgtsim_exploration *out, const struct pgtsim_explore_row *step)
{
	for (size_t i = 0; i < out->row_count; i++) {
		const struct pgtsim_explore_row *row = &out->rows[i];

		if (step->step < row->step || step->step >= row->step + row->count ||
		    step->actor != row->actor)
			continue;
		return row->op == PGTSIM_STEP_MANY ||
		       (row->op == step->op && (row->count > 1 || (row->va == step->va &&
								    row->value == step->value &&
								    row->failed == step->failed)));
	}
	return false;
}

/*
 * Of a given schedule each step is shown, as the story tells it, with the machine as it is after the
 * step. What the caller reads there is no step itself, or there would be more of them.
 */
static void shows_each_step(void **state)
{
	static struct shown shown;
	struct pgtsim_actor_range range = { .size = 8192 };
	const struct pgtsim_actor_spec actors[] = {
		{ .name = "reader", .run = pgtsim_actor_ptdump_unlocked, .arg = &range },
		{ .name = "remover", .run = pgtsim_actor_unmap, .arg = &range },
	};
	struct pgtsim_explore_config config = {
		.setup = setup,
		.ctx = &shown,
		.actors = actors,
		.actor_count = 2,
		.step = show_step,
	};
	struct pgtsim_exploration found, given;
	size_t cleared = 0, counted = 0;

	(void)state;
	shown.world = world_of(0);
	shown.world.map = range.start = linear_start(&shown.world);
	shown.world.map_size = range.size;
	assert_int_equal(pgtsim_explore(&config, &found), 0);
	assert_true(found.failed > 0);
	assert_int_equal(shown.count, 0);
	config.schedule = found.schedule;
	assert_int_equal(pgtsim_explore(&config, &given), 0);
	assert_string_equal(given.schedule, found.schedule);
	for (size_t i = 0; i < shown.count; i++) {
		bool before = counted < given.rows[given.row_count - 1].step;

		counted += shown.rows[i].count;
		assert_true(!before || !shown.rows[i].count || is_told(&given, &shown.rows[i]));
		if (!cleared && shown.rows[i].op == PGTSIM_STEP_WRITE)
			cleared = i;
		assert_int_equal(shown.mapped[i], !cleared);
	}
	assert_true(cleared > 0);
	pgtsim_exploration_free(&found);
	pgtsim_exploration_free(&given);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reader_without_lock),
		cmocka_unit_test(reader_with_lock),
		cmocka_unit_test(vmalloc_without_bounds),
		cmocka_unit_test(vmalloc_with_bounds),
		cmocka_unit_test(mappers_look_again),
		cmocka_unit_test(quirk_hot_add_takes_no_page_table_lock),
		cmocka_unit_test(cpu_walks),
		cmocka_unit_test(hotplug_excludes_hotplug),
		cmocka_unit_test(allocations_of_actors_fail),
		cmocka_unit_test(shows_each_step),
	};

	if (argc > 1 && strcmp(argv[1], "all") == 0)
		geometry_count = COUNT(geometries);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
