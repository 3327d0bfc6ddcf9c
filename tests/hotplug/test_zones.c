/* SPDX-License-Identifier: MIT */
/*
 * hotplug: zones and nodes. Compares their spanned, present and managed pages with a recount.
 */
#include "hotplug.h"

enum { SLOTS = 24, DEVICES = 6, NODES_USED = 4 };

/* The last section is half full at most, so that a device finds room in it. */
static const struct pgtsim_ram ram = { RAM_START, RAM_START + 576 * MIB };
static const uint64_t base = UINT64_C(0x100000000);

/* What the test knows of one memory block. */
struct slot {
	bool there, online, self_hosted;
	unsigned node;
	enum pgtsim_zone zone;
};

struct range {
	uint64_t start, size;
};

/* A machine, and what the test has done to it. */
struct world {
	struct pgtsim_machine *machine;
	uint64_t block, memmap_pages; /* of a block that holds its own */
	uint32_t seed;
	struct slot slot[SLOTS];
	struct range device[DEVICES];
	size_t devices;
	unsigned done; /* operations that were not refused */
};

static void world_init(struct world *w, const struct pgtsim_machine_config *config,
		       uint64_t memmap_pages, uint32_t seed)
{
	*w = (struct world){
		.machine = machine_of(config),
		.memmap_pages = memmap_pages,
		.seed = seed,
	};
	w->block = w->machine->hotplug.config.block_size;
}

static uint64_t slot_start(const struct world *w, size_t n)
{
	return base + n * w->block;
}

static uint64_t frames(const struct world *w, uint64_t bytes)
{
	return bytes >> w->machine->geo.page_shift;
}

/* ---- the recount ---- */

static void count_range(struct pgtsim_zone_state *sum, uint64_t pfn, uint64_t pages,
			uint64_t reserved)
{
	uint64_t end = sum->spanned ? sum->start_pfn + sum->spanned : 0;

	if (!sum->spanned || pfn < sum->start_pfn)
		sum->start_pfn = pfn;
	if (pfn + pages > end)
		end = pfn + pages;
	sum->spanned = end - sum->start_pfn;
	sum->present += pages;
	sum->managed += pages - reserved;
}

/* One zone of a node, or with zone < 0 all of them. */
static struct pgtsim_zone_state recount(const struct world *w, unsigned node, int zone)
{
	struct pgtsim_zone_state sum = { 0 };

	if (node == 0 && zone != PGTSIM_ZONE_MOVABLE)
		count_range(&sum, frames(w, ram.start), frames(w, ram.end - ram.start), 0);
	for (size_t i = 0; i < SLOTS; i++) {
		const struct slot *slot = &w->slot[i];

		if (slot->online && slot->node == node &&
		    (zone < 0 || slot->zone == (unsigned)zone))
			count_range(&sum, frames(w, slot_start(w, i)), frames(w, w->block),
				    slot->self_hosted ? w->memmap_pages : 0);
	}
	return sum;
}

static bool states_equal(const struct pgtsim_zone_state *a, const struct pgtsim_zone_state *b)
{
	return a->start_pfn == b->start_pfn && a->spanned == b->spanned &&
	       a->present == b->present && a->managed == b->managed;
}

static bool zones_right(const struct world *w)
{
	const struct pgtsim_hotplug *hotplug = &w->machine->hotplug;

	for (unsigned node = 0; node < PGTSIM_NODES; node++) {
		struct pgtsim_zone_state is = pgtsim_node_state(hotplug, node);
		struct pgtsim_zone_state want = recount(w, node, -1);

		if (!states_equal(&is, &want))
			return false;
		for (int zone = 0; zone < PGTSIM_ZONES; zone++) {
			is = pgtsim_zone_state(hotplug, node, (enum pgtsim_zone)zone);
			want = recount(w, node, zone);
			if (!states_equal(&is, &want))
				return false;
		}
	}
	return true;
}

static bool device_touches(const struct world *w, uint64_t start, uint64_t size)
{
	for (size_t i = 0; i < w->devices; i++)
		if (start < w->device[i].start + w->device[i].size &&
		    w->device[i].start < start + size)
			return true;
	return false;
}

/* Every section of every slot is what the test made it. */
static bool sections_right(const struct world *w)
{
	uint64_t size = w->machine->hotplug.config.section_size;

	for (size_t i = 0; i < SLOTS; i++) {
		const struct slot *slot = &w->slot[i];
		uint64_t start = slot_start(w, i);

		for (uint64_t pa = start; pa < start + w->block; pa += size) {
			struct pgtsim_section_state is =
				pgtsim_section_state(&w->machine->hotplug, pa);

			if (is.present != (slot->there || device_touches(w, pa, size)) ||
			    is.online != slot->online || is.early ||
			    (slot->online && is.zone != slot->zone) ||
			    is.memmap_pages != (slot->self_hosted ? w->memmap_pages : 0))
				return false;
		}
	}
	return true;
}

/* ---- random operations ---- */

struct pick {
	size_t first, count;
	uint64_t start, size;
};

static unsigned below(struct world *w, unsigned n)
{
	return random_next(&w->seed) % n;
}

static struct pick pick_slots(struct world *w)
{
	struct pick pick = { .first = below(w, SLOTS), .count = 1 + below(w, 3) };

	if (pick.first + pick.count > SLOTS)
		pick.count = SLOTS - pick.first;
	pick.start = slot_start(w, pick.first);
	pick.size = pick.count * w->block;
	return pick;
}

/* Counts the picked slots that are present, that are online, and that hold their own memmap. */
static void count_slots(const struct world *w, const struct pick *pick, size_t *there,
			size_t *online, size_t *self_hosted)
{
	*there = *online = *self_hosted = 0;
	for (size_t i = pick->first; i < pick->first + pick->count; i++) {
		*there += w->slot[i].there;
		*online += w->slot[i].online;
		*self_hosted += w->slot[i].self_hosted;
	}
}

/* Each operation returns true if the result is the one that the test expects. */

static bool random_add(struct world *w)
{
	struct pick pick = pick_slots(w);
	struct pgtsim_add add = {
		.start = pick.start,
		.size = pick.size,
		.node = below(w, NODES_USED),
		.memmap_on_memory = w->memmap_pages && below(w, 2),
	};
	size_t there, online, self_hosted;
	int want = 0;

	count_slots(w, &pick, &there, &online, &self_hosted);
	if (there || device_touches(w, pick.start, pick.size))
		want = -EEXIST;
	if (pgtsim_add_range(&w->machine->hotplug, &add) != want)
		return false;
	w->done += !want;
	for (size_t i = pick.first; !want && i < pick.first + pick.count; i++)
		w->slot[i] = (struct slot){
			.there = true,
			.node = add.node,
			.self_hosted = add.memmap_on_memory,
		};
	return true;
}

static bool random_online(struct world *w)
{
	struct pick pick = pick_slots(w);
	enum pgtsim_zone zone = below(w, 2) ? PGTSIM_ZONE_MOVABLE : PGTSIM_ZONE_NORMAL;
	size_t there, online, self_hosted;
	bool want;

	count_slots(w, &pick, &there, &online, &self_hosted);
	want = there == pick.count && !online;
	if (pgtsim_online_memory(&w->machine->hotplug, pick.start, pick.size, zone) !=
	    (want ? 0 : -EINVAL))
		return false;
	w->done += want;
	for (size_t i = pick.first; want && i < pick.first + pick.count; i++) {
		w->slot[i].online = true;
		w->slot[i].zone = zone;
	}
	return true;
}

static bool random_offline(struct world *w)
{
	struct pick pick = pick_slots(w);
	size_t there, online, self_hosted;
	bool want;

	count_slots(w, &pick, &there, &online, &self_hosted);
	want = online == pick.count;
	if (pgtsim_offline_memory(&w->machine->hotplug, pick.start, pick.size) !=
	    (want ? 0 : -EINVAL))
		return false;
	w->done += want;
	for (size_t i = pick.first; want && i < pick.first + pick.count; i++)
		w->slot[i].online = false;
	return true;
}

static bool random_remove(struct world *w)
{
	struct pick pick = pick_slots(w);
	size_t there, online, self_hosted;
	int want = 0;

	for (size_t i = 0; i < w->devices; i++)
		if (w->device[i].start == pick.start && w->device[i].size == pick.size)
			return true;
	count_slots(w, &pick, &there, &online, &self_hosted);
	if (there < pick.count || (!online && self_hosted && self_hosted < pick.count))
		want = -EINVAL;
	else if (online)
		want = -EBUSY;
	if (remove_memory(w->machine, pick.start, pick.size) != want)
		return false;
	w->done += !want;
	for (size_t i = pick.first; !want && i < pick.first + pick.count; i++)
		w->slot[i] = (struct slot){ 0 };
	return true;
}

/* Adds a device at a random place, possibly in a section of boot memory. */
static bool random_device(struct world *w)
{
	uint64_t room = below(w, 4) ? SLOTS * w->block : 64 * MIB;
	uint64_t from = room == 64 * MIB ? ram.end : base;
	uint64_t start = from + below(w, (unsigned)(room / (2 * MIB))) * 2 * MIB;
	uint64_t size = (1 + below(w, 40)) * 2 * MIB;
	bool free = !device_touches(w, start, size);

	if (w->devices == DEVICES || start + size > from + room)
		return true;
	for (size_t i = 0; i < SLOTS; i++)
		if (w->slot[i].there && start < slot_start(w, i) + w->block &&
		    slot_start(w, i) < start + size)
			free = false;
	if (add_device(w->machine, start, size, NULL) != (free ? 0 : -EEXIST))
		return false;
	if (free)
		w->device[w->devices++] = (struct range){ start, size };
	return true;
}

static bool random_device_remove(struct world *w)
{
	size_t n = below(w, DEVICES);

	if (n >= w->devices)
		return true;
	if (remove_memory(w->machine, w->device[n].start, w->device[n].size))
		return false;
	w->device[n] = w->device[--w->devices];
	return true;
}

static void random_steps(struct world *w, unsigned steps)
{
	static bool (*const operations[])(struct world *) = {
		random_add,    random_online, random_offline,       random_add,     random_online,
		random_remove, random_device, random_device_remove, random_offline,
	};
	uint32_t seed = w->seed;

	for (unsigned step = 0; step < steps; step++) {
		unsigned n = below(w, COUNT(operations));

		if (!operations[n](w))
			fail_msg("seed 0x%x step %u: operation %u answers otherwise", seed, step,
				 n);
		if (!zones_right(w) || !sections_right(w))
			fail_msg("seed 0x%x step %u: %s are wrong after operation %u", seed, step,
				 zones_right(w) ? "sections" : "zones", n);
	}
}

/* Removes everything in random order; nothing may be left. */
static void take_all_away(struct world *w)
{
	size_t left = SLOTS;

	while (w->devices)
		assert_true(random_device_remove(w));
	while (left) {
		assert_true(below(w, 2) ? random_offline(w) : random_remove(w));
		assert_true(zones_right(w));
		left = 0;
		for (size_t i = 0; i < SLOTS; i++)
			left += w->slot[i].there;
	}
	assert_int_equal(w->machine->tlb.counts.violations, 0);
	assert_clean(w->machine);
}

struct geometry_row {
	const char *profile;
	unsigned kib, va;
	uint64_t block; /* 0: a section */
	enum pgtsim_memmap_on_memory mode;
	uint64_t memmap_pages;
	uint32_t seed;
	unsigned edat, struct_page; /* s390 */
};

static const struct geometry_row rows[] = {
	{ "latest", 4, 48, 0, PGTSIM_MEMMAP_ON, 512, 0x1234567, 0, 0 },
	{ "linux-6.12", 4, 52, 256 * MIB, PGTSIM_MEMMAP_FORCE, 1024, 0x2345678, 0, 0 },
	{ "linux-5.7", 16, 47, 0, PGTSIM_MEMMAP_OFF, 0, 0x3456789, 0, 0 },
	{ "linux-6.1", 64, 52, 0, PGTSIM_MEMMAP_OFF, 0, 0x456789a, 0, 0 },
	{ "s390-5.9", 4, 42, 0, PGTSIM_MEMMAP_OFF, 0, 0x56789ab, 1, 64 },
	{ "s390-6.12", 4, 42, 0, PGTSIM_MEMMAP_ON, 1024, 0x6789abc, 1, 64 },
	{ "s390-7.3", 4, 53, 0, PGTSIM_MEMMAP_FORCE, 1024, 0x789abcd, 2, 64 },
	{ "s390-7.3", 4, 42, 0, PGTSIM_MEMMAP_OFF, 0, 0x89abcde, 1, 56 },
};

/* After each of 10,000 random operations, zones, nodes and sections equal the recount. */
static void random_operations(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pgtsim_machine_config config =
			config_of(rows[i].profile, rows[i].kib, rows[i].va);
		struct world w;

		config.ram = &ram;
		if (is_s390(&config.policy)) {
			config.edat = (uint8_t)rows[i].edat;
			config.struct_page = rows[i].struct_page;
			config.policy.free_order = PGTSIM_FREE_AFTER_INVALIDATE;
		} else {
			config.blocks = true;
			config.cont = config.policy.flush != PGTSIM_FLUSH_PER_LEAF;
		}
		config.block_size = rows[i].block;
		config.memmap_on_memory = rows[i].mode;
		config.policy.split_check = PGTSIM_SPLIT_CHECK_BLOCK; /* or they stay online */
		world_init(&w, &config, rows[i].memmap_pages, rows[i].seed);
		print_message("%s %uK/%u: seed 0x%x\n", rows[i].profile, rows[i].kib, rows[i].va,
			      (unsigned)w.seed);
		random_steps(&w, 10000);
		assert_true(w.done >= 1000);
		take_all_away(&w);
		pgtsim_machine_free(&w.machine);
	}
}

/* ---- single cases ---- */

/* Blocks of 128 MiB, and of 256 MiB. */
static const char *const two[] = { "latest", "s390-7.3" };

static uint64_t block_of(const struct pgtsim_machine *machine)
{
	return machine->hotplug.config.block_size;
}

static void online(struct pgtsim_machine *machine, uint64_t slot)
{
	uint64_t size = block_of(machine);

	assert_int_equal(pgtsim_online_memory(&machine->hotplug, base + slot * size, size,
					      PGTSIM_ZONE_MOVABLE),
			 0);
}

static void offline(struct pgtsim_machine *machine, uint64_t slot)
{
	uint64_t size = block_of(machine);

	assert_int_equal(pgtsim_offline_memory(&machine->hotplug, base + slot * size, size), 0);
}

/* The movable zone of node 2 spans some blocks from block `first` on, `present` of them there. */
static void assert_spans(const struct pgtsim_machine *machine, uint64_t first, uint64_t spanned,
			 uint64_t present)
{
	struct pgtsim_zone_state zone =
		pgtsim_zone_state(&machine->hotplug, 2, PGTSIM_ZONE_MOVABLE);
	struct pgtsim_zone_state node = pgtsim_node_state(&machine->hotplug, 2);
	uint64_t pages = block_of(machine) >> 12;

	assert_int_equal(zone.start_pfn, spanned ? (base >> 12) + first * pages : 0);
	assert_int_equal(zone.spanned, spanned * pages);
	assert_int_equal(zone.present, present * pages);
	assert_int_equal(zone.managed, present * pages);
	assert_true(states_equal(&zone, &node));
}

static void check_holes(const char *name)
{
	struct pgtsim_machine *machine = simple_machine(name, 4);
	const struct pgtsim_add add = { .start = base, .size = 8 * block_of(machine), .node = 2 };

	assert_int_equal(pgtsim_add_range(&machine->hotplug, &add), 0);
	assert_spans(machine, 0, 0, 0);
	online(machine, 5);
	assert_spans(machine, 5, 1, 1);
	online(machine, 1);
	assert_spans(machine, 1, 5, 2);
	online(machine, 3);
	assert_spans(machine, 1, 5, 3);
	offline(machine, 3);
	assert_spans(machine, 1, 5, 2);
	offline(machine, 1);
	assert_spans(machine, 5, 1, 1);
	online(machine, 0);
	online(machine, 2);
	offline(machine, 5);
	assert_spans(machine, 0, 3, 2);
	offline(machine, 2);
	offline(machine, 0);
	assert_spans(machine, 0, 0, 0);
	pgtsim_machine_free(&machine);
}

/* A zone still spans a hole in its middle; at its end it shrinks past all absent memory. */
static void holes(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(two); i++)
		check_holes(two[i]);
}

static void check_others(const char *name)
{
	struct pgtsim_machine *machine = simple_machine(name, 4);
	struct pgtsim_hotplug *hotplug = &machine->hotplug;
	uint64_t size = block_of(machine), pages = size >> 12;

	for (unsigned i = 0; i < 6; i++) {
		const struct pgtsim_add add = {
			.start = base + i * size,
			.size = size,
			.node = i == 1 || i == 4 ? 3 : 2,
		};

		assert_int_equal(pgtsim_add_range(hotplug, &add), 0);
		if (i == 2 || i == 3)
			assert_int_equal(pgtsim_online_memory(hotplug, add.start, add.size,
							      PGTSIM_ZONE_NORMAL),
					 0);
		else
			online(machine, i);
	}
	assert_int_equal(pgtsim_node_state(hotplug, 3).spanned, 4 * pages);
	assert_int_equal(pgtsim_zone_state(hotplug, 2, PGTSIM_ZONE_MOVABLE).spanned, 6 * pages);
	offline(machine, 0);
	assert_int_equal(pgtsim_zone_state(hotplug, 2, PGTSIM_ZONE_MOVABLE).spanned, pages);
	assert_int_equal(pgtsim_zone_state(hotplug, 2, PGTSIM_ZONE_NORMAL).spanned, 2 * pages);
	assert_int_equal(pgtsim_node_state(hotplug, 2).spanned, 4 * pages);
	offline(machine, 4);
	assert_int_equal(pgtsim_node_state(hotplug, 3).spanned, pages);
	assert_int_equal(pgtsim_node_state(hotplug, 3).start_pfn, (base >> 12) + pages);
	pgtsim_machine_free(&machine);
}

/* Memory of another node or zone between two blocks does not end the search for an end. */
static void others_in_between(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(two); i++)
		check_others(two[i]);
}

/* Boot memory in two ranges: hot-added blocks between and around them come and go. */
static void around_boot_memory(void **state)
{
	static const struct pgtsim_ram ranges[] = { { 4 * GIB, 4 * GIB + 64 * MIB },
						 { 5 * GIB, 5 * GIB + 192 * MIB } };
	struct pgtsim_machine_config config = config_of("linux-6.12", 4, 48);
	struct pgtsim_machine *machine, *twin;
	struct pgtsim_hotplug *hotplug;

	(void)state;
	config.ram = ranges;
	config.ram_count = COUNT(ranges);
	machine = machine_of(&config);
	twin = machine_of(&config);
	hotplug = &machine->hotplug;
	assert_int_equal(pgtsim_add_memory(hotplug, 4 * GIB + 512 * MIB, 128 * MIB), 0);
	assert_int_equal(pgtsim_add_memory(hotplug, 6 * GIB, 128 * MIB), 0);
	assert_int_equal(pgtsim_online_memory(hotplug, 6 * GIB, 128 * MIB, PGTSIM_ZONE_NORMAL), 0);
	assert_int_equal(pgtsim_node_state(hotplug, 0).spanned, (2 * GIB + 128 * MIB) >> 12);
	assert_int_equal(
		pgtsim_online_memory(hotplug, 4 * GIB + 512 * MIB, 128 * MIB, PGTSIM_ZONE_NORMAL),
		0);
	assert_int_equal(pgtsim_offline_memory(hotplug, 4 * GIB + 512 * MIB, 128 * MIB), 0);
	assert_int_equal(pgtsim_node_state(hotplug, 0).spanned, (2 * GIB + 128 * MIB) >> 12);
	assert_int_equal(pgtsim_offline_memory(hotplug, 6 * GIB, 128 * MIB), 0);
	assert_int_equal(pgtsim_node_state(hotplug, 0).spanned, (GIB + 192 * MIB) >> 12);
	assert_int_equal(pgtsim_node_state(hotplug, 0).present, 256 * MIB >> 12);
	assert_memory_equal(hotplug->zones, twin->hotplug.zones, sizeof(hotplug->zones));
	pgtsim_machine_free(&machine);
	pgtsim_machine_free(&twin);
}

/* Nodes and zones that do not exist are empty, and nothing can go online in such a zone. */
static void no_such_zone(void **state)
{
	struct pgtsim_machine *machine = simple_machine("latest", 4);
	struct pgtsim_hotplug *hotplug = &machine->hotplug;

	(void)state;
	assert_int_equal(pgtsim_zone_state(hotplug, PGTSIM_NODES, PGTSIM_ZONE_NORMAL).spanned, 0);
	assert_int_equal(pgtsim_zone_state(hotplug, 0, PGTSIM_ZONES).spanned, 0);
	assert_int_equal(pgtsim_node_state(hotplug, PGTSIM_NODES).spanned, 0);
	assert_int_equal(pgtsim_add_memory(hotplug, base, 128 * MIB), 0);
	assert_int_equal(pgtsim_online_memory(hotplug, base, 128 * MIB, PGTSIM_ZONES), -EINVAL);
	assert_false(pgtsim_section_state(hotplug, base).online);
	pgtsim_machine_free(&machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_operations), cmocka_unit_test(holes),
		cmocka_unit_test(others_in_between), cmocka_unit_test(around_boot_memory),
		cmocka_unit_test(no_such_zone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
