/* SPDX-License-Identifier: MIT */
/*
 * Devices, memmap on memory and random operations on every kind of s390 machine: what the tests of hotplug
 * hold of arm64, where it is not about arm64's bits.
 */
#include "hotplug.h"

static const uint64_t base = 4 * GIB;

enum { SECTION_MIB = 256, KINDS = 48 };

#define SECTION (SECTION_MIB * MIB)

/*
 * Releases, levels, what leaves there are, and sizes of struct page. Memory waits for the invalidate: as the
 * kernel does it the checker has something to say about each page.
 */
static struct pgtsim_machine_config kind(unsigned n)
{
	struct pgtsim_machine_config config =
		config_of(s390_profiles[n % 4], 4, n / 4 % 2 ? 53 : 42);

	config.edat = (uint8_t)(n / 8 % 3);
	config.struct_page = n / 24 ? 56 : 64;
	config.policy.free_order = PGTSIM_FREE_AFTER_INVALIDATE;
	return config;
}

static void each_kind(void (*test)(const struct pgtsim_machine_config *config))
{
	for (unsigned n = 0; n < KINDS; n++) {
		const struct pgtsim_machine_config config = kind(n);

		test(&config);
	}
}

static uint64_t memmap_of(const struct pgtsim_machine_config *config, uint64_t size)
{
	return (size >> 12) * config->struct_page >> 12;
}

/* Removes it, and then nothing may be left of it. */
static void remove_all(struct pgtsim_machine *machine, const struct pgtsim_machine_config *config,
		       uint64_t start, uint64_t size)
{
	const struct pgtsim_counts *counts = &machine->tlb.counts;
	struct pgtsim_machine *twin = machine_of(config);

	assert_int_equal(remove_memory(machine, start, size), 0);
	assert_int_equal(counts->pages_freed, counts->pages_allocated + counts->altmap_allocated);
	assert_same(machine, twin);
	assert_clean(machine);
	pgtsim_machine_free(&twin);
}

/* ---- devices ---- */

static void check_subsections(const struct pgtsim_machine_config *config)
{
	static const uint64_t offsets[] = { 0, 2 * MIB, 254 * MIB, 1022 * MIB };

	for (size_t i = 0; i < 2 * COUNT(offsets); i++) {
		struct pgtsim_machine *machine = machine_of(config);
		uint64_t start = base + offsets[i / 2], size = (1 + i % 2) * 2 * MIB;

		assert_int_equal(add_device(machine, start, size, NULL), 0);
		assert_true(pgtsim_section_state(&machine->hotplug, start).present);
		assert_true(linear_is_mapped(machine, start));
		assert_true(linear_is_mapped(machine, start + size - 1));
		assert_false(linear_is_mapped(machine, start - 1));
		assert_false(linear_is_mapped(machine, start + size));
		assert_true(memmap_is_mapped(machine, start));
		assert_true(memmap_is_mapped(machine, start + size - 1));
		remove_all(machine, config, start, size);
		pgtsim_machine_free(&machine);
	}
}

/* A device of a sub-section or two, anywhere in a section or across its end: nothing else is mapped. */
static void one_subsection(void **state)
{
	(void)state;
	each_kind(check_subsections);
}

static void check_half_section(const struct pgtsim_machine_config *config)
{
	struct pgtsim_machine *machine = machine_of(config);
	uint64_t size = 2 * SECTION + SECTION / 2;

	assert_int_equal(add_device(machine, base, size, NULL), 0);
	assert_true(memmap_is_mapped(machine, base + size - 1));
	assert_clean(machine);
	remove_all(machine, config, base, size);
	pgtsim_machine_free(&machine);
}

/* A device over two and a half sections, whose memmap ends inside a segment or between two. */
static void half_a_section(void **state)
{
	(void)state;
	each_kind(check_half_section);
}

static void check_two_devices(const struct pgtsim_machine_config *config)
{
	struct pgtsim_machine *machine = machine_of(config), *twin = machine_of(config);
	uint64_t size = 32 * MIB, other = base + size;

	assert_int_equal(add_device(machine, base, size, NULL), 0);
	assert_int_equal(add_device(machine, other, size, NULL), 0);
	assert_clean(machine);
	assert_int_equal(remove_memory(machine, base, size), 0);
	assert_true(linear_is_mapped(machine, other));
	assert_false(linear_is_mapped(machine, base));
	assert_true(memmap_is_mapped(machine, other));
	assert_true(memmap_is_mapped(machine, other + size - 1));
	assert_clean(machine);
	assert_int_equal(remove_memory(machine, other, size), 0);
	assert_same(machine, twin);
	pgtsim_machine_free(&machine);
	pgtsim_machine_free(&twin);
}

/* Two devices whose struct pages share a segment: it stays until the second one goes. */
static void two_devices_in_one_section(void **state)
{
	(void)state;
	each_kind(check_two_devices);
}

static void check_neighbour(const struct pgtsim_machine_config *config)
{
	struct pgtsim_machine *machine = machine_of(config), *twin = machine_of(config);
	int ret = -ENOMEM;

	assert_int_equal(add_device(machine, base, 2 * MIB, NULL), 0);
	assert_int_equal(add_device(twin, base, 2 * MIB, NULL), 0);
	/* With pages alone a failure may be lost: s390/vmem. */
	for (uint64_t nth = 1; config->edat && ret; nth++) {
		pgtsim_memory_fail(machine->memory, nth, true);
		ret = add_device(machine, base + 2 * MIB, 2 * SECTION, NULL);
		pgtsim_memory_fail(machine->memory, 0, false);
		if (ret)
			assert_same(machine, twin);
	}
	assert_clean(machine);
	pgtsim_machine_free(&machine);
	pgtsim_machine_free(&twin);
}

/* A failed add leaves a neighbour alone with which its struct pages would have shared a segment. */
static void failure_spares_the_neighbour(void **state)
{
	(void)state;
	each_kind(check_neighbour);
}

static void check_refusals(const struct pgtsim_machine_config *config)
{
	struct pgtsim_machine *machine = machine_of(config), *twin = machine_of(config);
	struct pgtsim_hotplug *hotplug = &machine->hotplug;
	uint64_t size = SECTION, end = machine->layout.page_end;
	int outside = strcmp(config->policy.profile, "s390-5.9") ? -E2BIG : -ERANGE;

	assert_int_equal(add_device(machine, base, size, NULL), 0);
	assert_int_equal(add_device(twin, base, size, NULL), 0);
	assert_int_equal(add_device(machine, base + size, 0, NULL), -EINVAL);
	assert_int_equal(add_device(machine, base + size, MIB, NULL), -EINVAL);
	assert_int_equal(add_device(machine, base + size + MIB, 2 * MIB, NULL), -EINVAL);
	assert_int_equal(add_device(machine, end, 2 * MIB, NULL), outside);
	assert_int_equal(add_device(machine, end - 2 * MIB, 4 * MIB, NULL), outside);
	assert_int_equal(add_device(machine, base, size, NULL), -EEXIST);
	assert_int_equal(add_device(machine, base + size - 2 * MIB, 4 * MIB, NULL), -EEXIST);
	assert_int_equal(add_device(machine, base - 2 * MIB, 4 * MIB, NULL), -EEXIST);
	assert_int_equal(add_device(machine, RAM_START, 2 * MIB, NULL), -EEXIST);
	assert_int_equal(pgtsim_add_memory(hotplug, base, size), -EEXIST);
	assert_int_equal(pgtsim_online_memory(hotplug, base, size, PGTSIM_ZONE_NORMAL), -EINVAL);
	assert_int_equal(pgtsim_offline_memory(hotplug, base, size), -EINVAL);
	assert_int_equal(remove_memory(machine, base, size / 2), -EINVAL);
	assert_int_equal(remove_memory(machine, base, 2 * size), -EINVAL);
	assert_int_equal(remove_memory(machine, base + 2 * MIB, size - 2 * MIB), -EINVAL);
	assert_same(machine, twin);
	assert_int_equal(remove_memory(machine, base, size), 0);
	assert_int_equal(remove_memory(machine, base, size), -EINVAL);
	assert_clean(machine);
	pgtsim_machine_free(&machine);
	pgtsim_machine_free(&twin);
}

/* Bad ranges, overlaps, going online or offline, and removing anything but the whole device. */
static void refusals(void **state)
{
	(void)state;
	each_kind(check_refusals);
}

/* ---- altmap ---- */

static void check_altmap(const struct pgtsim_machine_config *config)
{
	struct pgtsim_machine *machine = machine_of(config);
	const struct pgtsim_counts *counts = &machine->tlb.counts;
	uint64_t pages = memmap_of(config, GIB);
	struct pgtsim_altmap altmap = altmap_over(machine, base, 0, pages);
	unsigned rule = config->policy.altmap_full;
	int ret = add_device(machine, base, GIB, &altmap);

	if (rule == PGTSIM_ALTMAP_REFUSED) {
		assert_int_equal(ret, -EINVAL);
		pgtsim_machine_free(&machine);
		return;
	}
	assert_int_equal(ret, 0);
	assert_int_equal(altmap.align, 0);
	assert_int_equal(altmap.alloc, rule == PGTSIM_ALTMAP_IGNORED ? 0 : pages);
	assert_int_equal(counts->altmap_allocated, altmap.alloc);
	assert_int_equal(counts->pages_allocated, pages - altmap.alloc);
	if (altmap.alloc)
		assert_int_equal(memmap_at(machine, base).pa, base);
	assert_clean(machine);
	assert_int_equal(remove_memory(machine, base, GIB), 0);
	assert_int_equal(altmap.alloc, 0);
	assert_int_equal(counts->altmap_freed, counts->altmap_allocated);
	assert_clean(machine);
	pgtsim_machine_free(&machine);
}

/* The memmap comes from the altmap, in ascending order, and goes back to it, where the release has them. */
static void altmap_holds_the_memmap(void **state)
{
	(void)state;
	each_kind(check_altmap);
}

static void check_reserve(const struct pgtsim_machine_config *config)
{
	struct pgtsim_machine *machine;
	struct pgtsim_altmap altmap;
	unsigned rule = config->policy.altmap_full;
	uint64_t lost = config->edat ? 256 - 3 : 0; /* up to the next segment */

	if (rule == PGTSIM_ALTMAP_REFUSED || rule == PGTSIM_ALTMAP_IGNORED)
		return;
	machine = machine_of(config);
	altmap = altmap_over(machine, base, 3, 2045);
	assert_int_equal(add_device(machine, base, SECTION, &altmap), 0);
	assert_int_equal(memmap_at(machine, base).pa, base + ((3 + lost) << 12));
	assert_int_equal(altmap.align, lost);
	assert_clean(machine);
	assert_int_equal(remove_memory(machine, base, SECTION), 0);
	assert_int_equal(altmap.alloc, 0);
	assert_int_equal(altmap.align, lost);
	assert_clean(machine);
	pgtsim_machine_free(&machine);
}

/* Pages at the start are the driver's own: the memmap begins behind them, at a segment's boundary. */
static void altmap_reserve(void **state)
{
	(void)state;
	each_kind(check_reserve);
}

/* ---- memmap on memory ---- */

static void check_self_hosted(const struct pgtsim_machine_config *from)
{
	static const uint64_t blocks[] = { SECTION, 2 * SECTION, 4 * SECTION };
	unsigned rule = from->policy.altmap_full;

	if (rule == PGTSIM_ALTMAP_REFUSED || rule == PGTSIM_ALTMAP_IGNORED)
		return;
	for (size_t i = 0; i < COUNT(blocks); i++) {
		struct pgtsim_machine_config config = *from;
		struct pgtsim_machine *machine;
		uint64_t pages, block = blocks[i];

		config.block_size = block;
		config.memmap_on_memory = PGTSIM_MEMMAP_ON;
		machine = machine_of(&config);
		pages = memmap_of(&config, block);
		/* The memmap of a block has to be whole segments. */
		pages = pages % 256 ? 0 : pages;
		assert_int_equal(add_self_hosted(machine, base, 2 * block), 0);
		for (uint64_t pa = base; pa < base + 2 * block; pa += block) {
			assert_int_equal(pgtsim_section_state(&machine->hotplug, pa).memmap_pages,
					 pages);
			if (pages)
				assert_int_equal(memmap_at(machine, pa).pa, pa);
		}
		assert_int_equal(machine->tlb.counts.altmap_allocated, 2 * pages);
		assert_clean(machine);
		remove_all(machine, &config, base, 2 * block);
		pgtsim_machine_free(&machine);
	}
}

/* A block whose memmap is a number of segments holds it at its start; others are added without. */
static void self_hosted_blocks(void **state)
{
	(void)state;
	each_kind(check_self_hosted);
}

/* ---- random operations ---- */

enum { SLOTS = 10, STEPS = 40 };

struct world {
	struct pgtsim_machine *machine;
	bool may_fail; /* with pages alone a failure may be lost: s390/vmem */
	uint32_t seed;
	bool there[SLOTS];
};

/* Adds or removes some sections, sometimes while an allocation fails; then all or nothing is done. */
static void random_step(struct world *w)
{
	struct pgtsim_hotplug *hotplug = &w->machine->hotplug;
	uint64_t first = random_next(&w->seed) % SLOTS, count = 1 + random_next(&w->seed) % 3;
	bool add = random_next(&w->seed) % 2, fails = random_next(&w->seed) % 3 == 0;
	unsigned there = 0;
	int ret;

	if (first + count > SLOTS)
		count = SLOTS - first;
	for (uint64_t i = first; i < first + count; i++)
		there += w->there[i];
	if (fails && w->may_fail)
		pgtsim_memory_fail(w->machine->memory, 1 + random_next(&w->seed) % 12, true);
	ret = add ? pgtsim_add_memory(hotplug, base + first * SECTION, count * SECTION) :
		    remove_memory(w->machine, base + first * SECTION, count * SECTION);
	pgtsim_memory_fail(w->machine->memory, 0, false);
	if (add && there)
		assert_int_equal(ret, -EEXIST);
	else if (add)
		assert_true(!ret || (fails && ret == -ENOMEM));
	else
		assert_int_equal(ret, there == count ? 0 : -EINVAL);
	for (uint64_t i = first; !ret && i < first + count; i++)
		w->there[i] = add;
}

static void check_sections(const struct world *w)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		for (unsigned at = 0; at < 4; at++) {
			uint64_t pa = base + i * SECTION + at * (SECTION / 4) + at * 4096;

			assert_int_equal(linear_is_mapped(w->machine, pa), w->there[i]);
			/* The ends of a memmap may share a segment with the neighbour's. */
			if (w->there[i] || (at && at < 3))
				assert_int_equal(memmap_is_mapped(w->machine, pa), w->there[i]);
		}
	}
}

static void check_random(const struct pgtsim_machine_config *config)
{
	struct world w = {
		.machine = machine_of(config),
		.may_fail = config->edat,
		.seed = 12345 + config->edat,
	};
	struct pgtsim_machine *twin = machine_of(config);

	for (unsigned i = 0; i < STEPS; i++) {
		random_step(&w);
		check_sections(&w);
		assert_clean(w.machine);
	}
	for (unsigned i = 0; i < SLOTS; i++)
		if (w.there[i])
			assert_int_equal(remove_memory(w.machine, base + i * SECTION, SECTION), 0);
	assert_same(w.machine, twin);
	assert_clean(w.machine);
	pgtsim_machine_free(&w.machine);
	pgtsim_machine_free(&twin);
}

/* After each of many adds and removes exactly what is there is mapped, and at the end nothing is left. */
static void random_operations(void **state)
{
	(void)state;
	each_kind(check_random);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_subsection),
		cmocka_unit_test(half_a_section),
		cmocka_unit_test(two_devices_in_one_section),
		cmocka_unit_test(failure_spares_the_neighbour),
		cmocka_unit_test(refusals),
		cmocka_unit_test(altmap_holds_the_memmap),
		cmocka_unit_test(altmap_reserve),
		cmocka_unit_test(self_hosted_blocks),
		cmocka_unit_test(random_operations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
