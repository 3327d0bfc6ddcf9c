/* SPDX-License-Identifier: MIT */
/*
 * Threads that share one machine: what they did together is what they would have done in turn.
 * With a number as argument each test is repeated that often.
 */
#define _POSIX_C_SOURCE 200809L /* pthread_barrier_t */

#include <pthread.h>

#include <atomic_ops.h>

#include "hotplug.h"

enum {
	HOTPLUGGERS = 2,
	MAPPERS = 3,
	READERS = 2,
	THREADS = HOTPLUGGERS + MAPPERS + READERS,
	ROUNDS = 18,    /* of a mapper */
	HOT_ROUNDS = 3, /* of a hotplugger */
	SLOT_PAGES = 4, /* a mapper's part of each pte table */
};

#define DEVICE (UINT64_C(1) << 40) /* what the mappers map beside pages of the machine's memory */

static unsigned repetitions = 1;

/* A place for the mappers: right below the vmemmap, or where nothing else is. */
enum place { BELOW_VMEMMAP, ABOVE_LINEAR };

struct team {
	struct pgtsim_machine *machine;
	enum place place;
	bool failures; /* allocations fail now and then, which the threads take as it comes */
	bool alone;    /* nobody to wait for: one after the other */
	pthread_mutex_t hotplug_lock;
	pthread_barrier_t meeting; /* of the mappers, so that they meet at empty entries */
	unsigned stop;             /* for the readers; atomic */
	uint64_t boot_leaves;      /* of the boot memory's linear map */
};

struct member {
	struct team *team;
	unsigned number;
	uint32_t seed;
	char wrong[160]; /* the first thing that was; CMocka's own checks are for one thread */
};

#ifdef __GNUC__
__attribute__((format(printf, 3, 4)))
#endif
static void
expect(struct member *member, bool good, const char *text, ...)
{
	va_list args;

	if (good || member->wrong[0])
		return;
	va_start(args, text);
	vsnprintf(member->wrong, sizeof(member->wrong), text, args);
	va_end(args);
}

static bool done_or_failed(const struct member *member, int ret)
{
	return !ret || (member->team->failures && ret == -ENOMEM);
}

/* ---- hotplug ---- */

static int hotplug(struct member *member,
		   int (*operation)(struct pgtsim_machine *, uint64_t, uint64_t), uint64_t pa,
		   uint64_t size)
{
	int ret;

	pthread_mutex_lock(&member->team->hotplug_lock);
	ret = operation(member->team->machine, pa, size);
	pthread_mutex_unlock(&member->team->hotplug_lock);
	return ret;
}

static int add(struct pgtsim_machine *machine, uint64_t pa, uint64_t size)
{
	return pgtsim_add_memory(&machine->hotplug, pa, size);
}

static int online(struct pgtsim_machine *machine, uint64_t pa, uint64_t size)
{
	return pgtsim_online_memory(&machine->hotplug, pa, size, PGTSIM_ZONE_MOVABLE);
}

static int offline(struct pgtsim_machine *machine, uint64_t pa, uint64_t size)
{
	return pgtsim_offline_memory(&machine->hotplug, pa, size);
}

/* Adds and removes sections of its own. */
static void *hotplugger(void *arg)
{
	struct member *member = arg;
	struct pgtsim_machine *machine = member->team->machine;
	uint64_t size = machine->hotplug.config.section_size;
	uint64_t pa = UINT64_C(0x100000000) + member->number * 2 * size;

	for (unsigned round = 0; round < HOT_ROUNDS; round++) {
		int ret = hotplug(member, add, pa, size);

		expect(member, done_or_failed(member, ret), "add: %d", ret);
		if (ret)
			continue;
		expect(member, linear_is_mapped(machine, pa + size - 1), "added, but not mapped");
		expect(member, memmap_is_mapped(machine, pa), "added without a memmap");
		expect(member, !hotplug(member, online, pa, size), "online");
		expect(member, !hotplug(member, offline, pa, size), "offline");
		expect(member, !hotplug(member, remove_memory, pa, size), "remove");
	}
	return NULL;
}

/* ---- mappers ---- */

/*
 * Where a mapper works in a round: its slot in a pte table that is new to all of them, every few
 * rounds in a new table of each level; or (blocks) its entry of a pmd table.
 */
static uint64_t slot(const struct team *team, unsigned number, unsigned round, bool block)
{
	const struct pgtsim_machine *machine = team->machine;
	uint64_t pmd = pgtsim_entry_size(&machine->geo, PGTSIM_PMD);
	bool flat = pgtsim_root_level(&machine->geo) == PGTSIM_PMD;
	uint64_t far = pmd << (flat ? 5 : machine->geo.bits[pgtsim_slot(PGTSIM_PMD)]);
	uint64_t offset = round / 6 * far + round % 6 * (MAPPERS + 1) * pmd;
	uint64_t base = machine->layout.page_end + 2 * far;

	if (team->place == BELOW_VMEMMAP)
		base = (machine->layout.vmemmap_start - (ROUNDS / 6 + 1) * far) & ~(pmd - 1);
	return base + offset +
	       (block ? (number + 1) * pmd : number * SLOT_PAGES * pgtsim_page_size(&machine->geo));
}

/* What a mapper does in a round. */
struct job {
	uint64_t va, pa, size;
	bool block, own_page; /* a page of the machine's memory, freed as it is unmapped */
};

static struct job job_of(const struct team *team, unsigned number, unsigned round)
{
	const struct pgtsim_geometry *geo = &team->machine->geo;
	struct job job = { .block = round % 3 == 2, .own_page = round % 3 == 0 };

	job.va = slot(team, number, round, job.block);
	job.size = pgtsim_page_size(geo) * (job.own_page ? 1 : SLOT_PAGES - 1);
	if (job.block)
		job.size = pgtsim_entry_size(geo, PGTSIM_PMD);
	job.pa = DEVICE + (job.va & (DEVICE - 1));
	return job;
}

static int take_page(struct team *team, struct job *job)
{
	uint64_t pfn;
	int ret = pgtsim_memory_alloc(team->machine->memory, 0, &pfn);

	job->pa = pfn << team->machine->geo.page_shift;
	return ret;
}

static int map_job(struct team *team, struct job *job)
{
	struct pgtsim_machine *machine = team->machine;
	struct pgtsim_map map = {
		.va = job->va,
		.size = job->size,
		.attrs = machine->policy.prot[PGTSIM_PROT_KERNEL],
		.table_attrs = machine->policy.linear_table,
		.blocks = job->block,
	};
	int ret = job->own_page ? take_page(team, job) : 0;

	if (ret)
		return ret;
	map.pa = job->pa;
	ret = pgtsim_map(&machine->pgt, &map);
	if (ret && job->own_page)
		pgtsim_memory_free_pages(machine->memory, job->pa >> machine->geo.page_shift, 0);
	return ret;
}

/* vunmap(): the tables stay. */
static void unmap_job(struct team *team, const struct job *job)
{
	const struct pgtsim_unmap unmap = {
		.start = job->va,
		.end = job->va + job->size,
		.free_mapped = job->own_page,
		.memory = team->machine->memory,
	};

	pgtsim_unmap_range(&team->machine->pgt, &unmap);
}

static bool is_mapped_to(const struct team *team, uint64_t va, uint64_t pa)
{
	struct pgtsim_translation at;

	return !pgtsim_translate(&team->machine->pgt, va, &at) && at.pa == pa;
}

/* Maps and unmaps ranges of its own, beside those of the others. */
static void *mapper(void *arg)
{
	struct member *member = arg;
	struct team *team = member->team;

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct job job = job_of(team, member->number, round);
		int ret;

		if (!team->alone)
			pthread_barrier_wait(&team->meeting);
		ret = map_job(team, &job);
		expect(member, done_or_failed(member, ret), "map in round %u: %d", round, ret);
		if (ret)
			continue;
		expect(member, is_mapped_to(team, job.va + job.size - 1, job.pa + job.size - 1),
		       "0x%llx was mapped and is not", (unsigned long long)job.va);
		unmap_job(team, &job);
		expect(member, !is_mapped_to(team, job.va, job.pa), "unmapped and still there");
	}
	return NULL;
}

/* ---- readers ---- */

static int count_leaves(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	*(uint64_t *)arg += pgtsim_run_live(pgt, run);
	return 0;
}

static uint64_t leaves_of(struct pgtsim_machine *machine, uint64_t va, uint64_t size)
{
	static const struct pgtsim_visitor visitor = { .entries = count_leaves };
	uint64_t leaves = 0;

	pgtsim_walk(&machine->pgt, va, va + size - 1, &visitor, &leaves);
	return leaves;
}

static uint64_t boot_leaves(struct pgtsim_machine *machine)
{
	return leaves_of(machine, pgtsim_linear(&machine->layout, small_ram.start),
			 small_ram.end - small_ram.start);
}

/* What a mapper maps is there as a whole or not at all, page by page. */
static void read_slot(struct member *member)
{
	unsigned round = random_next(&member->seed) % ROUNDS;
	struct job job = job_of(member->team, random_next(&member->seed) % MAPPERS, round);
	struct pgtsim_translation at;
	int ret = pgtsim_translate(&member->team->machine->pgt, job.va + 8, &at);

	if (ret)
		expect(member, at.fault == PGTSIM_FAULT_TRANSLATION, "0x%llx: fault %d",
		       (unsigned long long)job.va, at.fault);
	else if (!job.own_page)
		expect(member, at.pa == job.pa + 8, "0x%llx: PA 0x%llx", (unsigned long long)job.va,
		       (unsigned long long)at.pa);
}

/* Translates and walks while the others work. Memory that stays is there all the time. */
static void *reader(void *arg)
{
	struct member *member = arg;
	struct team *team = member->team;
	uint64_t size = small_ram.end - small_ram.start;

	do {
		for (unsigned i = 0; i < 50; i++) {
			uint64_t pa = small_ram.start + random_next(&member->seed) % size;

			expect(member, linear_is_mapped(team->machine, pa), "boot memory is gone");
			read_slot(member);
		}
		expect(member, boot_leaves(team->machine) == team->boot_leaves, "boot leaves");
		leaves_of(team->machine, slot(team, 0, 0, false),
			  slot(team, 0, ROUNDS - 1, true) - slot(team, 0, 0, false));
	} while (!team->alone && !AO_int_load_acquire(&team->stop));
	return NULL;
}

/* ---- all together ---- */

static void *(*job_of_thread(unsigned i, unsigned *number))(void *)
{
	*number = i;
	if (i < HOTPLUGGERS)
		return hotplugger;
	*number -= HOTPLUGGERS;
	if (*number < MAPPERS)
		return mapper;
	*number -= MAPPERS;
	return reader;
}

static void run_in_turn(struct team *team, struct member *members)
{
	team->alone = true;
	for (unsigned i = 0; i < THREADS; i++)
		job_of_thread(i, &members[i].number)(&members[i]);
}

static void run_at_once(struct team *team, struct member *members)
{
	pthread_t threads[THREADS];

	for (unsigned i = 0; i < THREADS; i++) {
		void *(*job)(void *) = job_of_thread(i, &members[i].number);

		assert_int_equal(pthread_create(&threads[i], NULL, job, &members[i]), 0);
	}
	for (unsigned i = 0; i < HOTPLUGGERS + MAPPERS; i++)
		pthread_join(threads[i], NULL);
	AO_int_store_release(&team->stop, 1);
	for (unsigned i = HOTPLUGGERS + MAPPERS; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void run_team(struct team *team, void (*run)(struct team *, struct member *))
{
	struct member members[THREADS] = { 0 };

	for (unsigned i = 0; i < THREADS; i++) {
		members[i].team = team;
		members[i].seed = i + 1;
	}
	pthread_mutex_init(&team->hotplug_lock, NULL);
	pthread_barrier_init(&team->meeting, NULL, MAPPERS);
	team->boot_leaves = boot_leaves(team->machine);
	run(team, members);
	pthread_barrier_destroy(&team->meeting);
	pthread_mutex_destroy(&team->hotplug_lock);
	for (unsigned i = 0; i < THREADS; i++)
		if (members[i].wrong[0])
			fail_msg("thread %u: %s", i, members[i].wrong);
}

static const struct {
	const char *profile;
	unsigned kib, va;
	bool blocks;
} cases[] = {
	{ "linux-7.3", 4, 48, true },  { "linux-6.1", 4, 39, false },
	{ "linux-6.12", 4, 52, true }, { "linux-6.12", 16, 47, true },
	{ "linux-6.1", 64, 48, true }, { "linux-7.3", 64, 42, false },
};

static struct team team_of(size_t i, enum place place, enum pgtsim_access access, bool boot)
{
	struct pgtsim_machine_config config =
		config_of(cases[i].profile, cases[i].kib, cases[i].va);

	config.blocks = cases[i].blocks;
	config.boot = boot;
	config.access = access;
	return (struct team){ .machine = machine_of(&config), .place = place };
}

/* Table pages now live, and counters that do not depend on who came first. */
static void assert_same_sums(const struct pgtsim_machine *a, const struct pgtsim_machine *b)
{
	static const char *const names[] = {
		"tables.pgd", "tables.p4d",      "tables.pud",     "tables.pmd",
		"tables.pte", "leaves.mapped",   "leaves.cleared", "pages.allocated",
		"tlbi.leaf",  "pages.freed",     "tlbi.range",     "tlbi.all",
		"violations", "entries.written",
	};
	const struct pgtsim_counts *x = &a->tlb.counts, *y = &b->tlb.counts;

	for (size_t i = 0; i < COUNT(names); i++) {
		const struct pgtsim_counter *counter = pgtsim_counter_find(names[i]);

		if (pgtsim_counter_value(x, counter) != pgtsim_counter_value(y, counter))
			fail_msg("%s: %llu and %llu", names[i],
				 (unsigned long long)pgtsim_counter_value(x, counter),
				 (unsigned long long)pgtsim_counter_value(y, counter));
	}
	assert_int_equal(x->tables_constructed - x->tables_destructed,
			 y->tables_constructed - y->tables_destructed);
	assert_int_equal(x->tables_allocated - x->tables_freed,
			 y->tables_allocated - y->tables_freed);
	assert_int_equal(pgtsim_memory_free_count(a->memory), pgtsim_memory_free_count(b->memory));
}

/* Hotplug, mappers and readers at once leave the sums that one private thread leaves. */
static void together_as_in_turn(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases) * 2 * repetitions; i++) {
		enum place place = i & 1 ? ABOVE_LINEAR : BELOW_VMEMMAP;
		struct team shared =
			team_of(i / 2 % COUNT(cases), place, PGTSIM_ACCESS_SHARED, true);
		struct team twin =
			team_of(i / 2 % COUNT(cases), place, PGTSIM_ACCESS_PRIVATE, true);

		run_team(&shared, run_at_once);
		run_team(&twin, run_in_turn);
		assert_clean(shared.machine);
		assert_same_sums(shared.machine, twin.machine);
		pgtsim_machine_free(&shared.machine);
		pgtsim_machine_free(&twin.machine);
	}
}

/* Allocations that fail under everybody's hands leave nothing behind. */
static void failures_among_threads(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases) * 2 * repetitions; i++) {
		struct team team =
			team_of(i / 2 % COUNT(cases), i & 1 ? ABOVE_LINEAR : BELOW_VMEMMAP,
				PGTSIM_ACCESS_SHARED, true);
		const struct pgtsim_counts *counts = &team.machine->tlb.counts;
		uint64_t pages = pgtsim_memory_free_count(team.machine->memory);
		uint64_t tables = 0;

		team.failures = true;
		pgtsim_memory_fail(team.machine->memory, 5 + i % 7, true);
		run_team(&team, run_at_once);
		assert_clean(team.machine);
		assert_int_equal(counts->leaves_mapped, counts->leaves_cleared);
		tables = counts->tables_allocated - 1 - counts->tables_freed;
		assert_int_equal(pgtsim_memory_free_count(team.machine->memory), pages - tables);
		pgtsim_machine_free(&team.machine);
	}
}

/* ---- one step at a time ---- */

/* What an intruder waits for. Before a store without a lock is the business of explore. */
enum way { BEFORE_READ, BEFORE_ALLOC };

/* Maps a page of its own, once, right before another operation reads an entry or reserves tables. */
struct intruder {
	struct pgtsim_access_hook hook; /* first: the callback casts */
	struct pgtsim_table_ops ops;    /* the machine's own */
	struct pgtsim_machine *machine;
	unsigned left; /* times until then */
	uint64_t va;
};

static struct pgtsim_map page_at(const struct pgtsim_machine *machine, uint64_t va)
{
	return (struct pgtsim_map){
		.va = va,
		.pa = DEVICE + (va & (DEVICE - 1)),
		.size = pgtsim_page_size(&machine->geo),
		.attrs = machine->policy.prot[PGTSIM_PROT_KERNEL],
		.table_attrs = machine->policy.linear_table,
	};
}

static void come(struct intruder *intruder)
{
	struct pgtsim_pgtable *pgt = &intruder->machine->pgt;
	struct pgtsim_map map = page_at(intruder->machine, intruder->va);

	if (!intruder->left || --intruder->left)
		return;
	pgt->hook = NULL;
	pgt->ops = intruder->ops;
	assert_int_equal(pgtsim_map(pgt, &map), 0);
}

static void before_access(struct pgtsim_access_hook *self, const uint64_t *entry, bool write)
{
	(void)entry;
	if (!write)
		come((struct intruder *)(void *)self);
}

static uint64_t before_alloc(void *ctx, uint64_t count, struct pgtsim_table ***tail)
{
	struct intruder *intruder = ctx;

	come(intruder);
	return intruder->ops.alloc(intruder->ops.ctx, count, tail);
}

static void just_free(void *ctx, struct pgtsim_table *table)
{
	const struct intruder *intruder = ctx;

	intruder->ops.free(intruder->ops.ctx, table);
}

static struct pgtsim_table *just_find(const void *ctx, uint64_t pa)
{
	const struct intruder *intruder = ctx;

	return intruder->ops.find(intruder->ops.ctx, pa);
}

/* Starts a machine with an intruder who comes the n-th time. */
static struct pgtsim_machine *start_intruder(struct intruder *intruder, enum way way, size_t i,
					     unsigned n)
{
	struct team team =
		team_of(i, BELOW_VMEMMAP,
			way == BEFORE_READ ? PGTSIM_ACCESS_HOOKED : PGTSIM_ACCESS_SHARED, false);
	struct pgtsim_pgtable *pgt = &team.machine->pgt;

	*intruder = (struct intruder){
		.hook = { .before = before_access },
		.ops = pgt->ops,
		.machine = team.machine,
		.left = n,
		.va = team.machine->layout.vmemmap_start - pgtsim_page_size(&team.machine->geo),
	};
	if (way == BEFORE_READ)
		pgt->hook = &intruder->hook;
	else
		pgt->ops =
			(struct pgtsim_table_ops){ before_alloc, just_free, just_find, intruder };
	return team.machine;
}

/*
 * Both operations are done, one at va unless that is 0, and nothing but the tables in use is
 * allocated. Frees the machine. Returns whether the intruder came.
 */
static bool end_intruder(struct intruder *intruder, uint64_t va, uint64_t free_before)
{
	struct pgtsim_machine *machine = intruder->machine;
	const struct pgtsim_counts *counts = &machine->tlb.counts;
	uint64_t used = counts->tables_allocated - 1 - counts->tables_freed +
			counts->pages_allocated - counts->pages_freed;
	bool came = !intruder->left;
	struct pgtsim_translation at;

	machine->pgt.hook = NULL;
	machine->pgt.ops = intruder->ops;
	assert_true(!va || !pgtsim_translate(&machine->pgt, va, &at));
	assert_int_equal(pgtsim_translate(&machine->pgt, intruder->va, &at), came ? 0 : -EFAULT);
	assert_int_equal(pgtsim_memory_free_count(machine->memory), free_before - used);
	assert_clean(machine);
	pgtsim_machine_free(&intruder->machine);
	return came;
}

/* Each table but the root had its constructor called, and its destructor if it is gone. */
static bool constructed_like_live(const struct pgtsim_counts *counts)
{
	return !counts->tables_constructed ||
	       counts->tables_constructed - counts->tables_destructed ==
		       counts->tables_allocated - counts->tables_freed - 1;
}

static bool map_beside_intruder(enum way way, size_t i, unsigned n)
{
	struct intruder intruder;
	struct pgtsim_machine *machine = start_intruder(&intruder, way, i, n);
	uint64_t pages = pgtsim_memory_free_count(machine->memory);
	struct pgtsim_map map = page_at(machine, intruder.va - pgtsim_page_size(&machine->geo));

	assert_int_equal(pgtsim_map(&machine->pgt, &map), 0);
	assert_true(constructed_like_live(&machine->tlb.counts));
	return end_intruder(&intruder, map.va, pages);
}

static bool populate_beside_intruder(enum way way, size_t i, unsigned n)
{
	struct intruder intruder;
	struct pgtsim_machine *machine = start_intruder(&intruder, way, i, n);
	uint64_t pages = pgtsim_memory_free_count(machine->memory);
	uint64_t va = machine->vmemmap.start;

	assert_int_equal(pgtsim_vmemmap_populate(&machine->vmemmap, va, va + 64, NULL,
						 PGTSIM_POPULATE_PAGES),
			 0);
	return end_intruder(&intruder, va, pages);
}

/*
 * Whatever moment another mapper chooses to link tables that an operation needs, both get theirs:
 * a mapping beside it, and the vmemmap, which shares upper tables with what lies below it.
 */
static void tables_that_come_meanwhile(void **state)
{
	static bool (*const operations[])(
		enum way, size_t, unsigned) = { map_beside_intruder, populate_beside_intruder };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (size_t op = 0; op < COUNT(operations); op++) {
			unsigned reads = 1, allocs = 1;

			while (operations[op](BEFORE_READ, i, reads))
				reads++;
			while (operations[op](BEFORE_ALLOC, i, allocs))
				allocs++;
			assert_true(reads > 3 && allocs > 1);
		}
	}
}

/* A table that is linked too late is back on its list, and as if it had never been there. */
static void the_second_table_is_dropped(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct team team = team_of(i, BELOW_VMEMMAP, PGTSIM_ACCESS_SHARED, false);
		struct pgtsim_pgtable *pgt = &team.machine->pgt;
		const struct pgtsim_map map = page_at(team.machine, UINT64_C(0) - MIB);
		const struct pgtsim_run run = { .table = pgt->root,
						.level = pgt->root->level,
						.va = map.va };
		uint64_t pages = pgtsim_memory_free_count(team.machine->memory);
		struct pgtsim_table *list, *reserved;

		assert_int_equal(pgtsim_map(pgt, &map), 0);
		pages -= team.machine->tlb.counts.tables_allocated - 1;
		assert_int_equal(pgtsim_tables_reserve(pgt, 1, &list), 1);
		reserved = list;
		pgtsim_table_link(pgt, &run, &list, 0, PGTSIM_REGION_OTHER);
		assert_ptr_equal(list, reserved);
		assert_int_equal(team.machine->tlb.counts.tables_freed, 1);
		assert_true(constructed_like_live(&team.machine->tlb.counts));
		pgtsim_tables_release(pgt, &list);
		assert_int_equal(pgtsim_memory_free_count(team.machine->memory), pages);
		assert_true(is_mapped_to(&team, map.va, map.pa));
		assert_clean(team.machine);
		pgtsim_machine_free(&team.machine);
	}
}

/* Neither pass takes a table that comes meanwhile for a leaf of its own. */
static void passes_leave_tables_that_come_meanwhile(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		bool came = true;

		for (unsigned n = 1; came; n++) {
			struct intruder intruder;
			struct pgtsim_machine *machine =
				start_intruder(&intruder, BEFORE_READ, i, n);
			uint64_t pages = pgtsim_memory_free_count(machine->memory);
			uint64_t page = pgtsim_page_size(&machine->geo), va = intruder.va - page;
			const struct pgtsim_unmap unmap = { .start = va, .end = va + page };
			struct pgtsim_gather gather;

			assert_int_equal(pgtsim_unmap_range(&machine->pgt, &unmap), 0);
			pgtsim_gather_init(&gather, &machine->pgt, machine->memory, NULL);
			assert_int_equal(pgtsim_gather_unmap(&gather, va, va + page), 0);
			pgtsim_gather_flush(&gather);
			assert_int_equal(
				pgtsim_free_tables(&machine->pgt, va, va + page, va, va + page), 0);
			came = end_intruder(&intruder, 0, pages);
			assert_true(came || n > 3);
		}
	}
}

/* ---- page tables of one thread each, tables from one memory ---- */

enum { OWNERS = 2, OWN_ROUNDS = 60, SPREAD = 8 };

/* A private page table and its thread. */
struct owner {
	struct pgtsim_policy policy;
	struct pgtsim_tlb tlb;
	struct pgtsim_pgtable pgt;
	uint64_t wrong;
};

/* Maps a page in each of several tables, looks at them, and takes all down. */
static void *use_own(void *arg)
{
	struct owner *owner = arg;
	struct pgtsim_pgtable *pgt = &owner->pgt;
	uint64_t va = pgtsim_va_start(&pgt->geo), end = va + SPREAD * GIB;

	for (unsigned round = 0; round < OWN_ROUNDS; round++) {
		const struct pgtsim_unmap unmap = { .start = va, .end = end };

		for (unsigned i = 0; i < SPREAD; i++) {
			const struct pgtsim_map map = { .va = va + i * GIB,
							.pa = DEVICE + i * 4096,
							.size = 4096,
							.attrs = PGTSIM_DESC_AF };
			struct pgtsim_translation t = { .pa = 0 };

			owner->wrong += pgtsim_map(pgt, &map) != 0;
			owner->wrong += pgtsim_translate(pgt, map.va, &t) || t.pa != map.pa;
		}
		owner->wrong += pgtsim_unmap_range(pgt, &unmap) != 0;
		owner->wrong += pgtsim_free_tables(pgt, va, end, va, 0) != 0;
	}
	return NULL;
}

/* Threads with a page table each may take their tables from one memory. */
static void private_tables_of_one_memory(void **state)
{
	const struct pgtsim_geometry geo = linux_geometry(4, 48, 0, 48);
	const struct pgtsim_ram ram = { RAM_START, RAM_START + GIB };
	struct pgtsim_memory *memory;
	struct owner owner[OWNERS];
	pthread_t thread[OWNERS];

	(void)state;
	assert_int_equal(pgtsim_memory_new(&memory, 12, 4096, &ram, 1), 0);
	pgtsim_memory_share(memory);
	for (unsigned i = 0; i < OWNERS; i++) {
		owner[i] = (struct owner){ .policy = profile("latest") };
		pgtsim_tlb_init(&owner[i].tlb);
		assert_int_equal(pgtsim_pgtable_init(&owner[i].pgt, &geo, &owner[i].policy,
						     &owner[i].tlb, pgtsim_memory_table_ops(memory),
						     PGTSIM_ACCESS_PRIVATE),
				 0);
	}
	for (unsigned i = 0; i < OWNERS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, use_own, &owner[i]), 0);
	for (unsigned i = 0; i < OWNERS; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
	for (unsigned i = 0; i < OWNERS; i++) {
		assert_int_equal(owner[i].wrong, 0);
		pgtsim_pgtable_fini(&owner[i].pgt);
		pgtsim_tlb_fini(&owner[i].tlb);
	}
	assert_int_equal(pgtsim_memory_free_count(memory), pgtsim_memory_ram_count(memory));
	pgtsim_memory_free(&memory);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(tables_that_come_meanwhile),
	cmocka_unit_test(passes_leave_tables_that_come_meanwhile),
	cmocka_unit_test(the_second_table_is_dropped),
	cmocka_unit_test(together_as_in_turn),
	cmocka_unit_test(failures_among_threads),
	cmocka_unit_test(private_tables_of_one_memory),
};

int main(int argc, char **argv)
{
	if (argc > 1)
		repetitions = (unsigned)strtoul(argv[1], NULL, 10);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
