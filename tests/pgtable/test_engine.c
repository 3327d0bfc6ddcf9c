/* SPDX-License-Identifier: MIT */
/* The seam: whose operations are done, and single loads and stores of code that is not the library's. */
#include <errno.h>
#include <stdlib.h>

#include <pgtsim/engine.h>
#include <pgtsim/testing.h>

#define PA UINT64_C(0x80000000)
#define MIB (UINT64_C(1) << 20)

/* ---- who is asked ---- */

enum asked {
	MAP = 1,
	UNMAP = 2,
	FREE_TABLES = 4,
	POPULATE = 8,
	FREE_MEMMAP = 16,
	PROTECT = 32,
	SPLIT = 64,
	VMAP = 128,
	VUNMAP = 256,
	MAY_OFFLINE = 512,
	ONLINE = 1024,
	OFFLINE = 2048
};

struct asked_engine {
	struct pgtsim_engine engine; /* first */
	unsigned asked;
	int answer;
};

static int ask(struct pgtsim_engine *self, enum asked what)
{
	struct asked_engine *own = (struct asked_engine *)(void *)self;

	own->asked |= what;
	return own->answer;
}

static int ask_map(struct pgtsim_engine *self, struct pgtsim_pgtable *pgt,
		   const struct pgtsim_map *map)
{
	(void)pgt;
	(void)map;
	return ask(self, MAP);
}

static int ask_unmap(struct pgtsim_engine *self, struct pgtsim_pgtable *pgt,
		     const struct pgtsim_unmap *unmap)
{
	(void)pgt;
	(void)unmap;
	return ask(self, UNMAP);
}

static int ask_free_tables(struct pgtsim_engine *self, struct pgtsim_pgtable *pgt, uint64_t start,
			   uint64_t end, uint64_t floor, uint64_t ceiling)
{
	(void)pgt;
	(void)start;
	(void)end;
	(void)floor;
	(void)ceiling;
	return ask(self, FREE_TABLES);
}

static int ask_populate(struct pgtsim_engine *self, struct pgtsim_vmemmap *vmemmap, uint64_t start,
			uint64_t end, struct pgtsim_altmap *altmap, unsigned flags)
{
	(void)vmemmap;
	(void)start;
	(void)end;
	(void)altmap;
	(void)flags;
	return ask(self, POPULATE);
}

static int ask_free_memmap(struct pgtsim_engine *self, struct pgtsim_vmemmap *vmemmap,
			   uint64_t start, uint64_t end, struct pgtsim_altmap *altmap)
{
	(void)vmemmap;
	(void)start;
	(void)end;
	(void)altmap;
	return ask(self, FREE_MEMMAP);
}

static int ask_protect(struct pgtsim_engine *self, struct pgtsim_pgtable *pgt, uint64_t va,
		       uint64_t size, enum pgtsim_protect what, bool noflush)
{
	(void)pgt;
	(void)va;
	(void)size;
	(void)what;
	(void)noflush;
	return ask(self, PROTECT);
}

static int ask_split(struct pgtsim_engine *self, struct pgtsim_pgtable *pgt, uint64_t start,
		     uint64_t end)
{
	(void)pgt;
	(void)start;
	(void)end;
	return ask(self, SPLIT);
}

static int ask_vmap(struct pgtsim_engine *self, struct pgtsim_pgtable *pgt, uint64_t va,
		    uint64_t pa, uint64_t size, bool huge)
{
	(void)pgt;
	(void)va;
	(void)pa;
	(void)size;
	(void)huge;
	return ask(self, VMAP);
}

static int ask_vunmap(struct pgtsim_engine *self, struct pgtsim_pgtable *pgt, uint64_t va,
		      uint64_t size)
{
	(void)pgt;
	(void)va;
	(void)size;
	return ask(self, VUNMAP);
}

static int ask_may_offline(struct pgtsim_engine *self, struct pgtsim_hotplug *hotplug,
			   uint64_t start)
{
	(void)hotplug;
	(void)start;
	return ask(self, MAY_OFFLINE);
}

static int ask_online(struct pgtsim_engine *self, struct pgtsim_hotplug *hotplug, uint64_t start)
{
	(void)hotplug;
	(void)start;
	return ask(self, ONLINE);
}

static int ask_offline(struct pgtsim_engine *self, struct pgtsim_hotplug *hotplug, uint64_t start)
{
	(void)hotplug;
	(void)start;
	return ask(self, OFFLINE);
}

static struct asked_engine asked_engine(int answer)
{
	return (struct asked_engine){
		.engine = { "asked", ask_map, ask_unmap, ask_free_tables, ask_populate,
			    ask_free_memmap, ask_protect, ask_split, ask_vmap, ask_vunmap,
			    ask_may_offline, ask_online, ask_offline, NULL },
		.answer = answer,
	};
}

/* An engine that answers OWN is asked for all of hotplug, and the library does them as without it. */
static void own(void **state)
{
	struct pgtsim_machine *machine = *state, *other = pgtsim_test_machine("latest", 4096, 48);
	struct asked_engine engine = asked_engine(PGTSIM_ENGINE_OWN);

	pgtsim_engine_set(&machine->pgt, &engine.engine);
	assert_ptr_equal(pgtsim_engine_get(&machine->pgt), &engine.engine);
	assert_null(pgtsim_engine_get(&other->pgt));
	assert_int_equal(pgtsim_add_memory(&machine->hotplug, PA, 256 * MIB), 0);
	assert_int_equal(engine.asked, MAP | POPULATE);
	assert_int_equal(pgtsim_add_memory(&other->hotplug, PA, 256 * MIB), 0);
	pgtsim_assert_machines_equal(machine, other);
	assert_int_equal(pgtsim_remove_memory(&machine->hotplug, PA, 128 * MIB), 0);
	assert_int_equal(engine.asked, MAP | POPULATE | UNMAP | FREE_TABLES | FREE_MEMMAP);
	assert_int_equal(pgtsim_remove_memory(&other->hotplug, PA, 128 * MIB), 0);
	pgtsim_assert_machines_equal(machine, other);
	pgtsim_machine_free(&other);
}

/* What an engine answers is what the operation returns; wrong ranges do not come to it. */
static void answers(void **state)
{
	struct pgtsim_machine *machine = *state;
	struct asked_engine engine = asked_engine(-EBUSY);
	const struct pgtsim_unmap empty = { .start = 4096, .end = 4096 };

	pgtsim_engine_set(&machine->pgt, &engine.engine);
	assert_int_equal(pgtsim_add_memory(&machine->hotplug, PA, 128 * MIB), -EBUSY);
	assert_int_equal(engine.asked, MAP);
	assert_int_equal(pgtsim_unmap_range(&machine->pgt, &empty), -EINVAL);
	assert_int_equal(pgtsim_vmemmap_free(&machine->vmemmap, 0, 0, NULL), -EINVAL);
	assert_int_equal(engine.asked, MAP);
	pgtsim_engine_set(&machine->pgt, NULL);
	assert_int_equal(pgtsim_add_memory(&machine->hotplug, PA, 128 * MIB), 0);
}

/* The changes of live mappings, in a page table of pages; what the last of them returns is -EINVAL. */
static void change_live(struct pgtsim_machine *machine)
{
	uint64_t va = pgtsim_va_start(&machine->geo) + (UINT64_C(1) << 47);
	struct pgtsim_pgtable *pgt = &machine->pgt;

	assert_int_equal(pgtsim_vmap(pgt, va, PA, 4 * MIB, false), 0);
	assert_int_equal(pgtsim_split(pgt, va, va + 4096), 0);
	assert_int_equal(pgtsim_protect(pgt, va, 4096, PGTSIM_PROTECT_RO, false), 0);
	assert_int_equal(pgtsim_vunmap(pgt, va, 2 * MIB), 0);
	assert_int_equal(pgtsim_protect(pgt, va, 4096, PGTSIM_PROTECT_RO, false), -EINVAL);
}

/* It is asked for changes of live mappings, too, and where nothing is mapped for none. */
static void own_live(void **state)
{
	struct pgtsim_machine *machine = *state, *other = pgtsim_test_machine("latest", 4096, 48);
	uint64_t va = pgtsim_va_start(&machine->geo) + (UINT64_C(1) << 47);
	struct asked_engine engine = asked_engine(PGTSIM_ENGINE_OWN);

	pgtsim_engine_set(&machine->pgt, &engine.engine);
	change_live(machine);
	assert_int_equal(engine.asked, VMAP | SPLIT | PROTECT | VUNMAP);
	change_live(other);
	pgtsim_assert_machines_equal(machine, other);
	engine = asked_engine(-EBUSY);
	assert_int_equal(pgtsim_protect(&machine->pgt, va, 4096, PGTSIM_PROTECT_RO, false),
			 -EINVAL);
	assert_int_equal(engine.asked, 0);
	assert_int_equal(pgtsim_vunmap(&machine->pgt, va, 4096), -EBUSY);
	assert_int_equal(pgtsim_split(&machine->pgt, va, va + 4096), -EBUSY);
	assert_int_equal(pgtsim_vmap(&machine->pgt, va, PA, 4096, true), -EBUSY);
	pgtsim_machine_free(&other);
}

/* It is asked whether a memory block may go offline, and its veto counts; all blocks stay online then. */
static void blocks(void **state)
{
	struct pgtsim_machine *machine = *state;
	struct pgtsim_hotplug *hotplug = &machine->hotplug;
	struct asked_engine engine = asked_engine(PGTSIM_ENGINE_OWN);

	assert_int_equal(pgtsim_add_memory(hotplug, PA, 256 * MIB), 0);
	pgtsim_engine_set(&machine->pgt, &engine.engine);
	assert_int_equal(pgtsim_online_memory(hotplug, PA, 256 * MIB, PGTSIM_ZONE_MOVABLE), 0);
	assert_int_equal(engine.asked, ONLINE);
	engine = asked_engine(-EPERM);
	assert_int_equal(pgtsim_offline_memory(hotplug, PA, 256 * MIB), -EPERM);
	assert_int_equal(engine.asked, MAY_OFFLINE);
	assert_true(pgtsim_section_state(hotplug, PA).online);
	engine = asked_engine(0);
	assert_int_equal(pgtsim_offline_memory(hotplug, PA, 256 * MIB), 0);
	assert_int_equal(engine.asked, MAY_OFFLINE | OFFLINE);
	assert_false(pgtsim_section_state(hotplug, PA).online);
}

/* Answers 0 until the last block is to change. */
static int answers_last(struct pgtsim_engine *self, struct pgtsim_hotplug *hotplug, uint64_t start)
{
	(void)hotplug;
	return start == PA + 128 * MIB ? ask(self, ONLINE) : 0;
}

/* What online() and offline() answer is what the operation returns; the other block stays as it is. */
static void blocks_that_fail(void **state)
{
	static const int answers[] = { -EIO, -ENOBUFS };

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct pgtsim_machine *machine = pgtsim_test_machine("latest", 4096, 48);
		struct pgtsim_hotplug *hotplug = &machine->hotplug;
		struct asked_engine engine = asked_engine(answers[i]);

		engine.engine = (struct pgtsim_engine){ .online = answers_last };
		assert_int_equal(pgtsim_add_memory(hotplug, PA, 384 * MIB), 0);
		pgtsim_engine_set(&machine->pgt, &engine.engine);
		assert_int_equal(pgtsim_online_memory(hotplug, PA, 384 * MIB, PGTSIM_ZONE_MOVABLE),
				 answers[i]);
		assert_true(pgtsim_section_state(hotplug, PA).online);
		assert_false(pgtsim_section_state(hotplug, PA + 128 * MIB).online);
		assert_false(pgtsim_section_state(hotplug, PA + 256 * MIB).online);
		pgtsim_machine_free(&machine);

		machine = pgtsim_test_machine("latest", 4096, 48);
		hotplug = &machine->hotplug;
		engine.engine = (struct pgtsim_engine){ .offline = answers_last };
		assert_int_equal(pgtsim_add_memory(hotplug, PA, 384 * MIB), 0);
		assert_int_equal(pgtsim_online_memory(hotplug, PA, 384 * MIB, PGTSIM_ZONE_MOVABLE),
				 0);
		pgtsim_engine_set(&machine->pgt, &engine.engine);
		assert_int_equal(pgtsim_offline_memory(hotplug, PA, 384 * MIB), answers[i]);
		assert_false(pgtsim_section_state(hotplug, PA).online);
		assert_false(pgtsim_section_state(hotplug, PA + 128 * MIB).online);
		assert_true(pgtsim_section_state(hotplug, PA + 256 * MIB).online);
		assert_int_equal(hotplug->zones[0][PGTSIM_ZONE_MOVABLE].present, 128 * MIB >> 12);
		pgtsim_machine_free(&machine);
	}
}

/* ---- single entries ---- */

struct last_event {
	struct pgtsim_observer observer; /* first */
	struct pgtsim_event event;
};

static void remember(struct pgtsim_observer *self, const struct pgtsim_event *event)
{
	struct last_event *last = (struct last_event *)(void *)self;

	last->event = *event;
}

/* Takes a table and links it below `parent`; returns it. */
static struct pgtsim_table *link_table(struct pgtsim_machine *machine, struct pgtsim_table *parent,
				       uint64_t va)
{
	struct pgtsim_pgtable *pgt = &machine->pgt;
	struct pgtsim_table *table;

	assert_int_equal(pgtsim_tables_reserve(pgt, 1, &table), 1);
	pgtsim_table_begin(pgt, table, parent->level + 1, va, PGTSIM_REGION_LINEAR, true);
	pgtsim_tlb_publish(pgt->tlb);
	pgtsim_entry_store(pgt, parent, va,
			   pgtsim_desc_table(&pgt->geo, table->pa, machine->policy.linear_table),
			   0);
	pgtsim_tlb_sync(pgt->tlb);
	return table;
}

/* A store is the event that it is, and the tables, their records and the counters follow. */
static void stores(void **state)
{
	struct pgtsim_machine *machine = *state;
	struct last_event last = { .observer.event = remember };
	uint64_t va = pgtsim_linear(&machine->layout, PA);
	uint64_t attrs = machine->policy.prot[PGTSIM_PROT_TAGGED];
	struct pgtsim_table *table = machine->pgt.root;
	uint64_t leaf = pgtsim_desc_leaf(&machine->geo, PGTSIM_PTE, PA, attrs);

	pgtsim_observe(&machine->tlb, &last.observer);
	while (table->level < PGTSIM_PTE)
		table = link_table(machine, table, va);
	assert_int_equal(machine->tlb.counts.tables_constructed, 3);
	pgtsim_entry_store(&machine->pgt, table, va, leaf, 0);
	assert_int_equal(last.event.op, PGTSIM_OP_MAP);
	assert_int_equal(last.event.pa, PA);
	pgtsim_tlb_sync(&machine->tlb);
	pgtsim_assert_mapped_to(machine, va, PA, 4096);
	assert_true(pgtsim_entry_load(&machine->pgt, table, 0) == leaf);
	assert_int_equal(machine->tlb.counts.entries_read, 1);
	pgtsim_entry_store(&machine->pgt, table, va, leaf | 1 << 7, 0);
	assert_int_equal(last.event.op, PGTSIM_OP_POKE);
	pgtsim_entry_store(&machine->pgt, table, va, 0, 0);
	assert_int_equal(last.event.op, PGTSIM_OP_CLEAR);
	assert_int_equal(pgtsim_table_live(&machine->pgt, table), 0);
	pgtsim_unobserve(&machine->tlb, &last.observer);
}

/* Entries may be stored before their table is linked: the record of it follows. */
static void stores_early(void **state)
{
	struct pgtsim_machine *machine = *state;
	struct last_event last = { .observer.event = remember };
	uint64_t leaf = pgtsim_desc_leaf(&machine->geo, PGTSIM_PTE, PA,
					 machine->policy.prot[PGTSIM_PROT_TAGGED]);
	uint64_t before = machine->tlb.counts.entries_written;
	struct pgtsim_table *table;

	pgtsim_observe(&machine->tlb, &last.observer);
	assert_int_equal(pgtsim_tables_reserve(&machine->pgt, 1, &table), 1);
	pgtsim_table_begin(&machine->pgt, table, PGTSIM_PTE, pgtsim_linear(&machine->layout, PA),
			   PGTSIM_REGION_LINEAR, true);
	pgtsim_entry_store_early(&machine->pgt, table, 5, leaf);
	assert_int_equal(last.event.op, PGTSIM_OP_STORE);
	assert_true(last.event.pa == table->pa + 40 && last.event.new_desc == leaf);
	assert_int_equal(pgtsim_table_live(&machine->pgt, table), 1);
	pgtsim_entry_store_early(&machine->pgt, table, 5, leaf | 1 << 7);
	assert_int_equal(pgtsim_table_live(&machine->pgt, table), 1);
	pgtsim_entry_store_early(&machine->pgt, table, 5, 0);
	pgtsim_entry_store_early(&machine->pgt, table, 512, leaf);
	assert_int_equal(pgtsim_table_live(&machine->pgt, table), 0);
	assert_int_equal(machine->tlb.counts.entries_written, before + 3);
	assert_int_equal(machine->tlb.counts.violations, 0);
	pgtsim_table_give_back(&machine->pgt, table, 0, true);
	pgtsim_unobserve(&machine->tlb, &last.observer);
}

/* A table that is unlinked and freed without its destructor is told of, with it all is well. */
static void unlinks(void **state)
{
	struct pgtsim_machine *machine = *state;
	struct last_event last = { .observer.event = remember };
	uint64_t va = pgtsim_linear(&machine->layout, PA);

	pgtsim_observe(&machine->tlb, &last.observer);
	for (int i = 0; i < 2; i++) {
		struct pgtsim_table *table = link_table(machine, machine->pgt.root, va);

		pgtsim_entry_store(&machine->pgt, machine->pgt.root, va, 0, 0);
		assert_int_equal(last.event.op, PGTSIM_OP_UNLINK);
		assert_false(table->linked);
		pgtsim_tlb_flush_table(&machine->tlb, va);
		assert_int_equal(machine->tlb.counts.violations, 0);
		pgtsim_table_give_back(&machine->pgt, table, va, i == 0);
	}
	assert_int_equal(machine->tlb.counts.violations, 1);
	assert_int_equal(machine->tlb.violations[0].name, PGTSIM_V_TABLE_NOT_DESTROYED);
	pgtsim_unobserve(&machine->tlb, &last.observer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(own, pgtsim_test_setup, pgtsim_test_teardown),
		cmocka_unit_test_setup_teardown(own_live, pgtsim_test_setup, pgtsim_test_teardown),
		cmocka_unit_test_setup_teardown(blocks, pgtsim_test_setup, pgtsim_test_teardown),
		cmocka_unit_test(blocks_that_fail),
		cmocka_unit_test_setup_teardown(answers, pgtsim_test_setup, pgtsim_test_teardown),
		cmocka_unit_test_setup_teardown(stores, pgtsim_test_setup, pgtsim_test_teardown),
		cmocka_unit_test_setup_teardown(stores_early, pgtsim_test_setup,
						pgtsim_test_teardown),
		cmocka_unit_test_setup_teardown(unlinks, pgtsim_test_setup, pgtsim_test_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
