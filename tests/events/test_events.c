/* SPDX-License-Identifier: MIT */
/* Events of a caller's own making: barriers, invalidates, frees, and those that are incomplete. */
#include "hotplug.h"

#include "events/events.h"
#include "events/ops.h"

#define VA UINT64_C(0xffff000000000000)
#define ADDED UINT64_C(0x80000000)

/* The last event that was emitted. */
struct last {
	struct pgtsim_observer observer;
	struct pgtsim_event event;
	unsigned count;
};

static void keep(struct pgtsim_observer *self, const struct pgtsim_event *event)
{
	struct last *last = (struct last *)(void *)self;

	last->event = *event;
	last->count++;
}

static void start(struct pgtsim_tlb *tlb, struct last *last)
{
	*last = (struct last){ .observer = { .event = keep } };
	pgtsim_tlb_init(tlb);
	pgtsim_observe(tlb, &last->observer);
}

/* Each barrier is one event of the CPU that issues it; what is no barrier is refused. */
static void barriers_of_a_cpu(void **state)
{
	struct pgtsim_tlb tlb;
	struct last last;

	(void)state;
	start(&tlb, &last);
	for (int op = 0; op < PGTSIM_OP_COUNT; op++) {
		const char *name = pgtsim_op_name((enum pgtsim_op)op);
		bool barrier = !strncmp(name, "dsb", 3) || !strncmp(name, "dmb", 3) ||
			       !strcmp(name, "isb");
		unsigned before = last.count;

		assert_int_equal(pgtsim_barrier(&tlb, (enum pgtsim_op)op, 3),
				 barrier ? 0 : -EINVAL);
		assert_int_equal(last.count, before + barrier);
		if (!barrier)
			continue;
		assert_int_equal(last.event.op, op);
		assert_int_equal(last.event.cpu, 3);
		assert_int_equal(last.event.count, 1);
	}
	assert_int_equal(pgtsim_barrier(&tlb, PGTSIM_OP_COUNT, 0), -EINVAL);
	assert_int_equal(tlb.counts.dsb, 6);
	assert_int_equal(tlb.counts.dmb, 3);
	assert_int_equal(tlb.counts.isb, 1);
	assert_int_equal(tlb.counts.dsb_ish, 1);
	pgtsim_tlb_fini(&tlb);
}

/* An invalidate of VA by CPU 2, and what comes of it. */
static const struct {
	enum pgtsim_op op;
	uint64_t size;
	enum pgtsim_scope scope;
	uint8_t ttl;
	int ret;
} invalidate_rows[] = {
	{ PGTSIM_OP_TLBI_LEAF, 0, PGTSIM_SCOPE_IS, 7, 0 },
	{ PGTSIM_OP_TLBI_WALK, 0, PGTSIM_SCOPE_LOCAL, 0, 0 },
	{ PGTSIM_OP_TLBI_RANGE, 8192, PGTSIM_SCOPE_OS, 6, 0 },
	{ PGTSIM_OP_TLBI_RANGE_WALK, 8192, PGTSIM_SCOPE_LOCAL, 0, 0 },
	{ PGTSIM_OP_TLBI_ALL, 0, PGTSIM_SCOPE_LOCAL, 0, 0 },
	{ PGTSIM_OP_TLBI_RANGE, 0, PGTSIM_SCOPE_IS, 0, -EINVAL },
	{ PGTSIM_OP_TLBI_WALK, 4096, PGTSIM_SCOPE_IS, 0, -EINVAL },
	{ PGTSIM_OP_TLBI_ALL, 4096, PGTSIM_SCOPE_IS, 0, -EINVAL },
	{ PGTSIM_OP_TLBI_ALL, 0, PGTSIM_SCOPE_IS, 7, -EINVAL },
	{ PGTSIM_OP_TLBI_LEAF, 0, (enum pgtsim_scope)4, 0, -EINVAL },
	{ PGTSIM_OP_TLBI_LEAF, 0, PGTSIM_SCOPE_IS, 16, -EINVAL },
	{ PGTSIM_OP_DSB_ISH, 0, PGTSIM_SCOPE_IS, 0, -EINVAL },
	{ PGTSIM_OP_MAP, 0, PGTSIM_SCOPE_IS, 0, -EINVAL },
};

/* Each invalidate is one event with its CPU, scope and level; local ones have a counter. */
static void invalidates_of_a_cpu(void **state)
{
	struct pgtsim_tlb tlb;
	struct last last;

	(void)state;
	start(&tlb, &last);
	for (size_t i = 0; i < COUNT(invalidate_rows); i++) {
		unsigned before = last.count;

		assert_int_equal(
			pgtsim_invalidate(&tlb, invalidate_rows[i].op, VA, invalidate_rows[i].size,
					  2, invalidate_rows[i].scope, invalidate_rows[i].ttl),
			invalidate_rows[i].ret);
		assert_int_equal(last.count, before + !invalidate_rows[i].ret);
		if (invalidate_rows[i].ret)
			continue;
		assert_int_equal(last.event.op, invalidate_rows[i].op);
		assert_int_equal(last.event.va, VA);
		assert_int_equal(last.event.count, 1);
		assert_int_equal(last.event.size, invalidate_rows[i].size);
		assert_int_equal(last.event.cpu, 2);
		assert_int_equal(last.event.scope, invalidate_rows[i].scope);
		assert_int_equal(last.event.ttl, invalidate_rows[i].ttl);
	}
	assert_int_equal(tlb.counts.tlbi_local, 3);
	assert_int_equal(tlb.counts.tlbi_range, 2);
	assert_int_equal(tlb.counts.violations, 0);
	pgtsim_tlb_fini(&tlb);
}

/* A level hint is the granule and the level; the root of five levels has none. */
static void level_hints(void **state)
{
	static const unsigned granules[] = { 4, 16, 64 };

	(void)state;
	for (unsigned g = 0; g < COUNT(granules); g++) {
		const struct pgtsim_geometry geo =
			linux_geometry(granules[g], granules[g] == 16 ? 47 : 48, 0, 48);

		for (int level = 0; level <= PGTSIM_PTE; level++)
			assert_int_equal(pgtsim_ttl(&geo, level), (g + 1) << 2 | (unsigned)level);
		assert_int_equal(pgtsim_ttl(&geo, PGTSIM_PGD), 0);
		assert_int_equal(pgtsim_ttl(&geo, 4), 0);
	}
}

/* A complete event of each kind that needs something. */
#define TABLE .op = PGTSIM_OP_TABLE_FREE, .level = PGTSIM_PTE, .count = 1, .va = VA, .pa = 0x1000
#define LEAF .op = PGTSIM_OP_CLEAR, .level = PGTSIM_PTE, .va = VA
#define DSB .op = PGTSIM_OP_DSB_ISH, .count = 1
#define RANGE .op = PGTSIM_OP_TLBI_RANGE, .count = 1, .va = VA

static const struct {
	const char *field; /* what is missing or too much; NULL: nothing */
	struct pgtsim_event event;
} event_fields[] = {
	{ NULL, { TABLE } },
	{ "va", { .op = PGTSIM_OP_TABLE_FREE, .level = PGTSIM_PTE, .count = 1, .pa = 0x1000 } },
	{ "pa", { .op = PGTSIM_OP_TABLE_FREE, .level = PGTSIM_PTE, .count = 1, .va = VA } },
	{ "scope", { TABLE, .scope = PGTSIM_SCOPE_LOCAL } },
	{ "ttl", { TABLE, .ttl = 7 } },
	{ NULL, { LEAF, .count = 1, .size = 4096, .old_desc = 0x703 } },
	{ "count", { LEAF, .size = 4096, .old_desc = 0x703 } },
	{ "size", { LEAF, .count = 1, .old_desc = 0x703 } },
	{ "old_desc", { LEAF, .count = 1, .size = 4096 } },
	{ NULL, { DSB } },
	{ NULL, { DSB, .level = PGTSIM_PTE, .cpu = 3 } },
	{ "level", { DSB, .level = PGTSIM_PMD } },
	{ "va", { DSB, .va = VA } },
	{ "flags", { DSB, .flags = PGTSIM_EACH_FREE } },
	{ "desc", { DSB, .new_desc = 1 } },
	{ "pa", { DSB, .pa = 4096 } },
	{ "size", { DSB, .size = 4096 } },
	{ NULL, { RANGE, .size = 8192 } },
	{ "size", { RANGE } },
	{ "scope", { RANGE, .size = 8192, .scope = 4 } },
	{ "op", { .op = PGTSIM_OP_COUNT, .count = 1 } },
};

/* An event that is incomplete is reported by the field's name, and has no other effect. */
static void incomplete_events_are_reported(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(event_fields); i++) {
		const char *field = event_fields[i].field;
		struct pgtsim_tlb tlb;
		struct last last;
		char quoted[32];

		start(&tlb, &last);
		pgtsim_tlb_event(&tlb, &event_fields[i].event);
		assert_int_equal(last.count, !field);
		assert_int_equal(tlb.counts.violations, field != NULL);
		if (field) {
			snprintf(quoted, sizeof(quoted), "`%s`", field);
			assert_int_equal(tlb.violations[0].name, PGTSIM_V_INCOMPLETE_EVENT);
			assert_non_null(strstr(tlb.violations[0].text, quoted));
		}
		pgtsim_tlb_fini(&tlb);
	}
}

/* Every event that the library emits itself is complete, whatever it does. */
struct completeness {
	struct pgtsim_observer observer;
	unsigned seen;
};

static void assert_complete(struct pgtsim_observer *self, const struct pgtsim_event *event)
{
	const char *lacks = pgtsim_event_lacks(event, false);

	((struct completeness *)(void *)self)->seen++;
	if (lacks)
		fail_msg("%s: %s", pgtsim_op_name(event->op), lacks);
}

static void own_events_are_complete(void **state)
{
	(void)state;
	for (size_t p = 0; p < COUNT(all_profiles); p++) {
		struct pgtsim_machine *machine = simple_machine(all_profiles[p], 4);
		struct completeness c = { .observer = { .event = assert_complete } };

		pgtsim_observe(&machine->tlb, &c.observer);
		assert_int_equal(pgtsim_add_memory(&machine->hotplug, ADDED, 128 * MIB), 0);
		assert_int_equal(pgtsim_remove_memory(&machine->hotplug, ADDED, 128 * MIB), 0);
		assert_true(c.seen > 100);
		pgtsim_unobserve(&machine->tlb, &c.observer);
		pgtsim_machine_free(&machine);
	}
}

/* ---- CPUs whose invalidates are repeated ---- */

/* After each DSB ISH of the library's comes another invalidate and another DSB ISH. */
static void repeated_invalidates(void **state)
{
	const struct pgtsim_geometry geo = linux_geometry(4, 48, 0, 48);
	const struct pgtsim_policy policy = profile("linux-6.12");
	struct pgtsim_tlb tlb;

	(void)state;
	pgtsim_tlb_init(&tlb);
	tlb.repeat_tlbi = true;
	pgtsim_tlb_flush_table(&tlb, VA);
	assert_int_equal(tlb.counts.dsb, 3);
	assert_int_equal(tlb.counts.dsb_ish, 2);
	assert_int_equal(tlb.counts.isb, 1);
	assert_int_equal(tlb.counts.tlbi_walk, 1);
	assert_int_equal(tlb.counts.tlbi_leaf, 1);
	pgtsim_tlb_flush_range(&tlb, &geo, &policy, VA, VA + 16 * KIB);
	assert_int_equal(tlb.counts.dsb, 6);
	assert_int_equal(tlb.counts.tlbi_leaf, 6);
	pgtsim_tlb_sync(&tlb);
	assert_int_equal(tlb.counts.dsb, 7);
	assert_int_equal(tlb.counts.tlbi_leaf, 6);
	pgtsim_tlb_fini(&tlb);
}

/* A flush after each leaf repeats each of them, whether anyone watches or not. */
static void repeated_flush_of_each_leaf(void **state)
{
	(void)state;
	for (unsigned checked = 0; checked < 2; checked++) {
		struct pgtsim_machine_config config = config_of("linux-5.10", 4, 48);
		struct pgtsim_counts once, twice;

		config.checker = checked;
		for (unsigned repeat = 0; repeat < 2; repeat++) {
			struct pgtsim_machine *machine;

			config.repeat_tlbi = repeat;
			machine = machine_of(&config);
			assert_int_equal(pgtsim_add_memory(&machine->hotplug, ADDED, 128 * MIB), 0);
			pgtsim_tlb_reset_counts(&machine->tlb);
			assert_int_equal(pgtsim_remove_memory(&machine->hotplug, ADDED, 128 * MIB),
					 0);
			assert_clean(machine);
			*(repeat ? &twice : &once) = machine->tlb.counts;
			pgtsim_machine_free(&machine);
		}
		assert_true(once.dsb_ish > 32768);
		assert_int_equal(twice.dsb_ish, 2 * once.dsb_ish);
		assert_int_equal(twice.dsb, once.dsb + once.dsb_ish);
		assert_int_equal(twice.tlbi_leaf, once.tlbi_leaf + once.dsb_ish);
		assert_int_equal(twice.isb, once.isb);
		assert_int_equal(twice.leaves_cleared, once.leaves_cleared);
	}
}

/* ---- frees ---- */

/* Pages that a caller gives back are an event once, whether it says so itself or not. */
static void pages_freed_by_a_caller(void **state)
{
	struct pgtsim_machine *machine = simple_machine("latest", 4);
	struct pgtsim_event event = { .op = PGTSIM_OP_PAGES_FREE, .count = 8 };
	enum pgtsim_bad_free bad;
	struct last last = { .observer = { .event = keep } };
	uint64_t pfn;

	(void)state;
	pgtsim_observe(&machine->tlb, &last.observer);
	assert_int_equal(pgtsim_memory_alloc_run(machine->memory, 16, &pfn), 16);
	assert_int_equal(pgtsim_memory_free_run(machine->memory, pfn, 8, &bad), 8);
	assert_int_equal(last.count, 1);
	assert_int_equal(last.event.op, PGTSIM_OP_PAGES_FREE);
	assert_int_equal(last.event.pa, pfn << 12);
	assert_int_equal(last.event.count, 8);
	event.pa = (pfn + 8) << 12;
	pgtsim_tlb_event(&machine->tlb, &event);
	for (unsigned i = 8; i < 16; i++)
		assert_int_equal(pgtsim_memory_free_pages(machine->memory, pfn + i, 0), 0);
	assert_int_equal(last.count, 2);
	assert_int_equal(machine->tlb.counts.pages_freed, 16);
	assert_int_equal(pgtsim_memory_free_pages(machine->memory, pfn, 0), PGTSIM_FREE_DOUBLE);
	assert_int_equal(last.count, 2);
	assert_int_equal(machine->tlb.counts.violations, 0);
	pgtsim_unobserve(&machine->tlb, &last.observer);
	pgtsim_machine_free(&machine);
}

/* What the library frees itself is one event, with the memory's own left out. */
static void frees_of_the_library(void **state)
{
	struct pgtsim_counts counts[2];

	(void)state;
	for (unsigned checked = 0; checked < 2; checked++) {
		struct pgtsim_machine_config config = config_of("latest", 16, 47);
		struct pgtsim_machine *machine;

		config.checker = checked;
		machine = machine_of(&config);
		assert_int_equal(pgtsim_add_memory(&machine->hotplug, ADDED, 128 * MIB), 0);
		assert_int_equal(pgtsim_remove_memory(&machine->hotplug, ADDED, 128 * MIB), 0);
		counts[checked] = machine->tlb.counts;
		pgtsim_machine_free(&machine);
	}
	assert_true(counts[0].pages_freed > 0 && counts[0].tables_freed > 0);
	assert_int_equal(counts[1].pages_freed, counts[0].pages_freed);
	assert_int_equal(counts[1].tables_freed, counts[0].tables_freed);
}

/* What is said of a free counts for the very next one only. */
static void said_and_not_done(void **state)
{
	struct pgtsim_machine *machine = simple_machine("latest", 4);
	struct pgtsim_event event = { .op = PGTSIM_OP_PAGES_FREE, .count = 1 };
	uint64_t pfn;

	(void)state;
	assert_int_equal(pgtsim_memory_alloc_run(machine->memory, 1, &pfn), 1);
	event.pa = pfn << 12;
	pgtsim_tlb_event(&machine->tlb, &event);
	pgtsim_tlb_sync(&machine->tlb);
	assert_int_equal(pgtsim_memory_free_pages(machine->memory, pfn, 0), 0);
	assert_int_equal(machine->tlb.counts.pages_freed, 2);
	pgtsim_machine_free(&machine);
}

/* Memory that a visitor frees while a TLB may still translate to it is reported. */
static int free_too_early(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	uint64_t desc = pgtsim_entry(pgt, run->table, run->index);
	unsigned live = pgtsim_run_live(pgt, run);
	enum pgtsim_bad_free bad;

	if (!live)
		return 0;
	pgtsim_run_clear(pgt, run, live, 0);
	pgtsim_memory_free_run(
		arg, pgtsim_desc_address(&pgt->geo, run->level, desc) >> pgt->geo.page_shift,
		run->count, &bad);
	return 0;
}

static void pages_freed_before_the_flush(void **state)
{
	static const struct pgtsim_visitor visitor = { .entries = free_too_early };
	struct pgtsim_machine *machine = simple_machine("latest", 4);
	uint64_t pfn;
	struct pgtsim_map map = { .va = pgtsim_linear(&machine->layout, 0x80000000),
				  .size = 2 * MIB,
				  .attrs = machine->policy.prot[PGTSIM_PROT_KERNEL] };

	(void)state;
	assert_int_equal(pgtsim_memory_alloc_run(machine->memory, 512, &pfn), 512);
	map.pa = pfn << 12;
	assert_int_equal(pgtsim_map(&machine->pgt, &map), 0);
	assert_int_equal(pgtsim_walk(&machine->pgt, map.va, map.va + map.size - 1, &visitor,
				     machine->memory),
			 0);
	assert_int_equal(machine->tlb.counts.violations, 1);
	assert_int_equal(machine->tlb.violations[0].name, PGTSIM_V_FREED_WHILE_CACHED);
	pgtsim_machine_free(&machine);
}

/* A table page that a caller gives back is an event once, and one of a table never linked is none. */
static void tables_freed_by_a_caller(void **state)
{
	struct pgtsim_machine *machine = simple_machine("latest", 4);
	const struct pgtsim_map map = { .va = pgtsim_linear(&machine->layout, 0x80000000),
					.pa = 0x80000000,
					.size = 4096,
					.attrs = machine->policy.prot[PGTSIM_PROT_KERNEL] };
	const struct pgtsim_unmap unmap = { .start = map.va, .end = map.va + 4096 };
	struct last last = { .observer = { .event = keep } };
	struct pgtsim_table *spare, **tail = &spare, *table;
	struct pgtsim_translation at;

	(void)state;
	pgtsim_observe(&machine->tlb, &last.observer);
	assert_int_equal(pgtsim_memory_alloc_tables(machine->memory, 1, &tail), 1);
	pgtsim_memory_free_table(machine->memory, spare);
	assert_int_equal(last.count, 0);
	assert_int_equal(pgtsim_map(&machine->pgt, &map), 0);
	pgtsim_translate(&machine->pgt, map.va, &at);
	table = pgtsim_memory_table(
		machine->memory,
		pgtsim_desc_address(&machine->pgt.geo, PGTSIM_PMD, at.step[at.steps - 2].desc));
	assert_int_equal(pgtsim_unmap_range(&machine->pgt, &unmap), 0);
	assert_int_equal(pgtsim_poke(&machine->pgt, PGTSIM_PMD, map.va, 0), 0);
	pgtsim_tlb_flush_table(&machine->tlb, map.va);
	last.count = 0;
	machine->pgt.ops.free(machine->pgt.ops.ctx, table);
	assert_int_equal(last.count, 1);
	assert_int_equal(last.event.op, PGTSIM_OP_TABLE_FREE);
	assert_int_equal(last.event.level, PGTSIM_PTE);
	assert_int_equal(machine->tlb.counts.tables_pte, 0);
	assert_int_equal(machine->tlb.counts.tables_freed, 1);
	pgtsim_unobserve(&machine->tlb, &last.observer);
	pgtsim_machine_free(&machine);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(barriers_of_a_cpu),
	cmocka_unit_test(invalidates_of_a_cpu),
	cmocka_unit_test(level_hints),
	cmocka_unit_test(incomplete_events_are_reported),
	cmocka_unit_test(own_events_are_complete),
	cmocka_unit_test(repeated_invalidates),
	cmocka_unit_test(repeated_flush_of_each_leaf),
	cmocka_unit_test(pages_freed_by_a_caller),
	cmocka_unit_test(frees_of_the_library),
	cmocka_unit_test(said_and_not_done),
	cmocka_unit_test(pages_freed_before_the_flush),
	cmocka_unit_test(tables_freed_by_a_caller),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
