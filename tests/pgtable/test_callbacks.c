/* SPDX-License-Identifier: MIT */
/* Functions of the caller's that call back what they may not get -EBUSY, and nothing else happens. */
#include <pgtsim/pgtsim.h>

#include "fixture.h"

#define PA UINT64_C(0x80000000)

static struct pgtsim_machine *machine_new(void)
{
	struct pgtsim_machine_config config;
	struct pgtsim_machine *machine;

	assert_int_equal(pgtsim_machine_config_init(&config, "latest"), 0);
	assert_int_equal(pgtsim_machine_new(&machine, &config), 0);
	return machine;
}

/* Everything that changes a range of the page table. */
static void call_all(struct pgtsim_machine *m)
{
	struct pgtsim_pgtable *pgt = &m->pgt;
	const uint64_t va = pgtsim_linear(&m->layout, PA), page = 4096;
	const struct pgtsim_map map = { .va = va + GIB, .pa = PA, .size = page };
	const struct pgtsim_unmap unmap = { .start = va, .end = va + page };
	struct pgtsim_gather gather;

	pgtsim_gather_init(&gather, pgt, m->memory, NULL);
	assert_int_equal(pgtsim_map(pgt, &map), -EBUSY);
	assert_int_equal(m->error.code, -EBUSY);
	assert_non_null(strstr(m->error.text, "calls back"));
	assert_int_equal(pgtsim_unmap_range(pgt, &unmap), -EBUSY);
	assert_int_equal(pgtsim_free_tables(pgt, va, va + page, 0, 0), -EBUSY);
	assert_int_equal(pgtsim_gather_unmap(&gather, va, va + page), -EBUSY);
	assert_int_equal(pgtsim_protect(pgt, va, page, PGTSIM_PROTECT_RO, false), -EBUSY);
	assert_int_equal(pgtsim_split(pgt, va, va + page), -EBUSY);
	assert_int_equal(pgtsim_join(pgt, va), -EBUSY);
	assert_int_equal(pgtsim_vmap(pgt, va + GIB, PA, page, false), -EBUSY);
	assert_int_equal(pgtsim_vunmap(pgt, va, page), -EBUSY);
	assert_int_equal(pgtsim_unmap_linear(pgt, va, page, 0, 0), -EBUSY);
	assert_int_equal(pgtsim_vmemmap_populate(&m->vmemmap, m->vmemmap.start,
						 m->vmemmap.start + page, NULL, 0),
			 -EBUSY);
	assert_int_equal(pgtsim_vmemmap_free(&m->vmemmap, m->vmemmap.start,
					     m->vmemmap.start + page, NULL),
			 -EBUSY);
	assert_int_equal(pgtsim_add_memory(&m->hotplug, PA + GIB, 128 * MIB), -EBUSY);
	assert_int_equal(pgtsim_remove_memory(&m->hotplug, PA, 128 * MIB), -EBUSY);
	pgtsim_tables_undo(pgt, va, va + page - 1, 0);
}

static int entries_call_all(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	struct pgtsim_translation at;

	call_all(arg);
	/* Looking, and entries by hand, are a visitor's right. */
	pgtsim_translate(pgt, run->va, &at);
	assert_int_equal(pgtsim_poke(pgt, PGTSIM_PTE, run->va, 0), 0);
	return -EINTR;
}

static int table_calls_all(struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
			   struct pgtsim_table *child, void *arg)
{
	(void)pgt;
	(void)run;
	(void)child;
	call_all(arg);
	return 0;
}

static void visitors(void **state)
{
	static const struct pgtsim_visitor kinds[] = {
		{ .table = table_calls_all },
		{ .table_done = table_calls_all },
		{ .entries = entries_call_all },
	};
	struct pgtsim_machine *twin = machine_new(), *m = machine_new();

	(void)state;
	assert_int_equal(pgtsim_add_memory(&m->hotplug, PA, 128 * MIB), 0);
	assert_int_equal(pgtsim_add_memory(&twin->hotplug, PA, 128 * MIB), 0);
	for (size_t i = 0; i < COUNT(kinds); i++) {
		uint64_t va = pgtsim_linear(&m->layout, PA);

		assert_int_equal(pgtsim_walk(&m->pgt, va, va + MIB, &kinds[i], m),
				 kinds[i].entries ? -EINTR : 0);
		if (!kinds[i].entries)
			assert_null(pgtsim_machine_difference(m, twin));
	}
	/* After the walk all is allowed again. */
	assert_int_equal(pgtsim_remove_memory(&m->hotplug, PA, 128 * MIB), 0);
	pgtsim_machine_free(&m);
	pgtsim_machine_free(&twin);
}

/* ---- an allocator ---- */

static struct pgtsim_machine *machine_of_ops;
static unsigned calls;

static uint64_t alloc_calls_all(void *ctx, uint64_t count, struct pgtsim_table ***tail)
{
	calls++;
	call_all(machine_of_ops);
	return pgtsim_memory_table_ops(ctx).alloc(ctx, count, tail);
}

static void free_calls_all(void *ctx, struct pgtsim_table *table)
{
	calls++;
	call_all(machine_of_ops);
	pgtsim_memory_table_ops(ctx).free(ctx, table);
}

static void allocators(void **state)
{
	struct pgtsim_machine *twin = machine_new(), *m = machine_new();

	(void)state;
	machine_of_ops = m;
	m->pgt.ops.alloc = alloc_calls_all;
	m->pgt.ops.free = free_calls_all;
	assert_int_equal(pgtsim_add_memory(&m->hotplug, PA, 128 * MIB), 0);
	assert_int_equal(pgtsim_add_memory(&twin->hotplug, PA, 128 * MIB), 0);
	assert_null(pgtsim_machine_difference(m, twin));
	assert_int_equal(pgtsim_remove_memory(&m->hotplug, PA, 128 * MIB), 0);
	assert_in_range(calls, 4, 100000);
	m->pgt.ops = pgtsim_memory_table_ops(m->memory);
	pgtsim_machine_free(&m);
	pgtsim_machine_free(&twin);
}

/* ---- hooks ---- */

struct access_hook {
	struct pgtsim_access_hook hook;
	struct pgtsim_machine *machine;
	unsigned calls;
};

static void before_calls_all(struct pgtsim_access_hook *self, const uint64_t *entry, bool write)
{
	struct access_hook *hook = (struct access_hook *)(void *)self;
	struct pgtsim_translation at;

	(void)entry;
	(void)write;
	hook->calls++;
	pgtsim_translate(&hook->machine->pgt, pgtsim_linear(&hook->machine->layout, PA), &at);
	call_all(hook->machine);
}

/* A hook that looks is not called for that, so it ends. */
static void access_hooks(void **state)
{
	struct pgtsim_machine *m = machine_new();
	struct access_hook hook = { { .before = before_calls_all }, m, 0 };

	(void)state;
	m->pgt.access = PGTSIM_ACCESS_HOOKED;
	m->pgt.hook = &hook.hook;
	assert_int_equal(pgtsim_vmap(&m->pgt, pgtsim_va_start(&m->geo), PA, 4096, false), 0);
	assert_in_range(hook.calls, 4, 1000);
	m->pgt.hook = NULL;
	assert_int_equal(pgtsim_vunmap(&m->pgt, pgtsim_va_start(&m->geo), 4096), 0);
	pgtsim_machine_free(&m);
}

struct freeing {
	struct pgtsim_memory *memory;
	struct pgtsim_table *table;
	unsigned calls;
};

static void allocates_and_frees(struct freeing *freeing, uint64_t pfn)
{
	struct pgtsim_table *list = NULL, **tail = &list;
	enum pgtsim_bad_free bad;
	uint64_t other;

	freeing->calls++;
	assert_int_equal(pgtsim_memory_alloc(freeing->memory, 0, &other), -EBUSY);
	assert_int_equal(pgtsim_memory_alloc(freeing->memory, 3, &other), -EBUSY);
	assert_int_equal(pgtsim_memory_alloc_small(freeing->memory), -EBUSY);
	assert_int_equal(pgtsim_memory_alloc_run(freeing->memory, 4, &other), 0);
	assert_int_equal(pgtsim_memory_alloc_tables(freeing->memory, 1, &tail), 0);
	assert_int_equal(pgtsim_memory_reserve_boot(freeing->memory, pfn + 64, 1), -EBUSY);
	assert_int_equal(pgtsim_memory_free_pages(freeing->memory, pfn, 0), PGTSIM_FREE_BUSY);
	assert_int_equal(pgtsim_memory_free_run(freeing->memory, pfn, 1, &bad), 0);
	assert_int_equal(bad, PGTSIM_FREE_BUSY);
	assert_string_equal(pgtsim_bad_free_name(bad), "from the hook of a free");
	pgtsim_memory_free_table(freeing->memory, freeing->table);
}

static void pages_freed(void *ctx, uint64_t pfn, uint64_t pages, unsigned page_shift)
{
	(void)pages;
	(void)page_shift;
	allocates_and_frees(ctx, pfn);
}

static void table_freed(void *ctx, const struct pgtsim_table *table)
{
	allocates_and_frees(ctx, table->pa >> 12);
}

static void memory_hooks(void **state)
{
	const struct pgtsim_ram ram = { RAM_START, RAM_START + GIB };
	struct freeing freeing = { 0 };
	const struct pgtsim_memory_hook hook = { pages_freed, table_freed, &freeing };
	struct pgtsim_table **tail = &freeing.table;
	enum pgtsim_bad_free bad;
	uint64_t pfn;

	(void)state;
	assert_int_equal(pgtsim_memory_new(&freeing.memory, 12, 4096, &ram, 1), 0);
	assert_int_equal(pgtsim_memory_alloc_tables(freeing.memory, 1, &tail), 1);
	pgtsim_memory_set_hook(freeing.memory, &hook);
	assert_int_equal(pgtsim_memory_alloc(freeing.memory, 0, &pfn), 0);
	assert_int_equal(pgtsim_memory_free_pages(freeing.memory, pfn, 0), PGTSIM_FREE_OK);
	assert_int_equal(pgtsim_memory_alloc_run(freeing.memory, 2, &pfn), 2);
	assert_int_equal(pgtsim_memory_free_run(freeing.memory, pfn, 2, &bad), 2);
	pgtsim_memory_free_table(freeing.memory, freeing.table);
	assert_int_equal(freeing.calls, 3);
	assert_int_equal(pgtsim_memory_free_count(freeing.memory), GIB >> 12);
	pgtsim_memory_free(&freeing.memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(visitors),
		cmocka_unit_test(allocators),
		cmocka_unit_test(access_hooks),
		cmocka_unit_test(memory_hooks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
