/* SPDX-License-Identifier: MIT */
/* The memmap that a removal leaves mapped: free-mapped=never. */
#include "hotplug.h"

static const uint64_t base = UINT64_C(0x100000000);

static struct pgtsim_machine *keeper(const char *profile, unsigned kib, unsigned va)
{
	struct pgtsim_machine_config config = config_of(profile, kib, va);

	config.policy.free_mapped = PGTSIM_FREE_MAPPED_NEVER;
	return machine_of(&config);
}

static const struct {
	const char *profile;
	unsigned kib, va;
} kernels[] = {
	{ "linux-5.10", 4, 48 },  { "linux-6.1", 64, 42 }, { "linux-6.12", 4, 52 },
	{ "linux-6.12", 16, 47 }, { "linux-7.3", 4, 39 },  { "linux-7.3", 16, 36 },
	{ "latest", 64, 52 },
};

/*
 * Memory comes and goes: all of its memmap stays, counted, and the second add takes no page for it. A
 * machine that unmaps has the linear map's cost in common, and ends with the tables that it began with.
 */
static void next_add_finds_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(kernels); i++) {
		struct pgtsim_machine *m =
			keeper(kernels[i].profile, kernels[i].kib, kernels[i].va);
		const struct pgtsim_counts *counts = &m->tlb.counts;
		uint64_t size = 2 * m->hotplug.config.block_size, pages, leaves;

		assert_int_equal(pgtsim_add_memory(&m->hotplug, base, size), 0);
		pages = counts->pages_allocated;
		assert_int_equal(pages, (size >> m->geo.page_shift) * 64 >> m->geo.page_shift);
		assert_int_equal(counts->memmap_found, 0);
		leaves = counts->leaves_mapped;
		assert_int_equal(pgtsim_remove_memory(&m->hotplug, base, size), 0);
		assert_int_equal(counts->pages_freed, 0);
		assert_int_equal(counts->memmap_kept, pages);
		assert_int_equal(counts->altmap_kept, 0);
		assert_int_equal(counts->leaves_cleared, size >> m->geo.page_shift);
		assert_int_equal(pgtsim_add_memory(&m->hotplug, base, size), 0);
		assert_int_equal(counts->pages_allocated, pages);
		assert_int_equal(counts->memmap_found, pages);
		assert_int_equal(counts->leaves_mapped - leaves, size >> m->geo.page_shift);
		assert_int_equal(pgtsim_check_machine(m), 0);
		pgtsim_machine_free(&m);
	}
}

/* A device's memmap stays in its altmap, which says so when the device goes. */
static void altmap_gets_nothing_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(kernels); i++) {
		struct pgtsim_machine *m =
			keeper(kernels[i].profile, kernels[i].kib, kernels[i].va);
		uint64_t size = m->hotplug.config.block_size;
		struct pgtsim_altmap altmap = { .base = base >> m->geo.page_shift,
						.free = size >> m->geo.page_shift };
		const struct pgtsim_add add = {
			.start = base, .size = size, .device = true, .altmap = &altmap
		};
		uint64_t pages;

		assert_int_equal(pgtsim_add_range(&m->hotplug, &add), 0);
		pages = altmap.alloc;
		assert_true(pages > 0);
		assert_int_equal(pgtsim_remove_memory(&m->hotplug, base, size), 0);
		assert_int_equal(altmap.alloc, pages);
		assert_int_equal(m->tlb.counts.memmap_kept, pages);
		assert_int_equal(m->tlb.counts.altmap_kept, pages);
		assert_int_equal(m->tlb.counts.altmap_freed, 0);
		assert_int_equal(m->tlb.violation_count, 1);
		assert_int_equal(m->tlb.violations[0].name, PGTSIM_V_ALTMAP_NOT_EMPTY);
		pgtsim_machine_free(&m);
	}
}

struct bystander {
	struct pgtsim_observer observer; /* first */
	struct pgtsim_end_observer ends;
	struct pgtsim_tlb *tlb;
	unsigned begun, ended;
};

/* While an operation is under way, another thread does work, too. */
static void begins(struct pgtsim_observer *self, const struct pgtsim_event *event)
{
	struct bystander *bystander = (struct bystander *)(void *)self;

	if (event->op != PGTSIM_OP_BEGIN_PASS_1 && event->op != PGTSIM_OP_BEGIN_PASS_2)
		return;
	bystander->begun++;
	bystander->tlb->counts.work_entries += 1000000;
}

static void ends(struct pgtsim_end_observer *self, uint64_t va, uint64_t last)
{
	struct bystander *bystander =
		(struct bystander *)(void *)((char *)self - offsetof(struct bystander, ends));

	(void)va;
	(void)last;
	bystander->ended++;
}

/* What stays mapped is looked at without a count of its own, others' counts stay, and the pass ends. */
static void keeping_ends_and_counts_nothing(void **state)
{
	struct pgtsim_machine *m = keeper("linux-6.12", 4, 48);
	struct bystander bystander = { .observer.event = begins, .ends.end = ends, .tlb = &m->tlb };
	uint64_t start = pgtsim_page_of_pfn(&m->vmemmap, base >> 12);
	uint64_t before, size = m->hotplug.config.block_size;

	(void)state;
	assert_int_equal(pgtsim_add_memory(&m->hotplug, base, size), 0);
	pgtsim_observe(&m->tlb, &bystander.observer);
	m->tlb.end_observer = &bystander.ends;
	before = m->tlb.counts.work_entries;
	assert_int_equal(pgtsim_vmemmap_free(&m->vmemmap, start, start + (size >> 6), NULL), 0);
	assert_int_equal(m->tlb.counts.memmap_kept, (size >> 6) >> 12);
	assert_int_equal(bystander.begun, 1);
	assert_int_equal(bystander.ended, 1);
	assert_int_equal(m->tlb.counts.work_entries - before, 1000000);
	m->tlb.end_observer = NULL;
	pgtsim_unobserve(&m->tlb, &bystander.observer);
	pgtsim_machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(next_add_finds_it),
		cmocka_unit_test(altmap_gets_nothing_back),
		cmocka_unit_test(keeping_ends_and_counts_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
