/* SPDX-License-Identifier: MIT */
/*
 * The kernel's own functions, compiled for the host from a Linux source: what the same work costs
 * there. They are those of tests/conformance/linux without its log: a store is a store, a barrier
 * or an invalidate is counted, as the library does. Of the kernel that is left out or simulated
 * which is no page-table code (locks, fixmap slots, the page allocator: see the README there); the
 * memmap comes from an altmap, whose allocator is the kernel's.
 */
#include "bench.h"
#include "world.h"

#define PA (UINT64_C(1) << 40)
#define OUTPUT_ADDRESS UINT64_C(0xfffffffff000)

enum { ENTRIES = 512, SAMPLES = 64, MAX_PHASES = 3 };

extern const struct kc_kernel BENCH_LINUX;
static const struct kc_kernel *const kernel = &BENCH_LINUX;

struct kind {
	const char *name;
	uint64_t size; /* of memory, bytes */
	uint64_t leaf;
	uint64_t shift; /* of the physical address, as in linear.c */
	unsigned flags;
	bool memmap;                   /* of that memory, not the memory */
	const char *phase[MAX_PHASES]; /* the first one maps, the last one frees the tables */
};

static const struct kind kinds[] = {
	{ .name = "ptes", .size = GIB, .leaf = 4 * KIB, .phase = { "map", "pass-1", "pass-2" } },
	{ .name = "2M",
	  .size = 64 * GIB,
	  .leaf = 2 * MIB,
	  .shift = 2 * MIB,
	  .flags = KC_BLOCKS,
	  .phase = { "map", "pass-1", "pass-2" } },
	{ .name = "pages-altmap",
	  .size = 8 * GIB,
	  .leaf = 4 * KIB,
	  .memmap = true,
	  .phase = { "populate", "free" } },
};

struct job {
	const struct kind *kind;
	unsigned phases;
	struct kc_layout layout;
	uint64_t start, end, pa, leaves;
	uint64_t tables; /* below the root */
	struct kc_altmap altmap;
};

static struct job job_of(const struct kind *kind)
{
	struct job job = { .kind = kind, .pa = PA + kind->shift };

	kc_running = kernel;
	kernel->start(kernel->va_bits, RAM_START);
	memset(kc_world.noted, 0, sizeof(kc_world.noted));
	job.layout = kernel->layout();
	job.start = job.layout.linear_0 + PA;
	job.end = job.start + kind->size;
	if (kind->memmap) {
		job.start = job.layout.memmap + PA / 4096 * kernel->struct_page;
		job.end = job.start + kind->size / 4096 * kernel->struct_page;
	}
	job.leaves = (job.end - job.start) / kind->leaf;
	job.altmap = (struct kc_altmap){ .base = PA / 4096, .free = job.leaves };
	while (job.phases < MAX_PHASES && kind->phase[job.phases])
		job.phases++;
	return job;
}

static enum kc_end kernel_does(struct job *job, unsigned phase)
{
	if (job->kind->memmap)
		return phase ? kernel->free_memmap(job->start, job->end, &job->altmap) :
			       kernel->populate(job->start, job->end, &job->altmap, true);
	if (phase == 0)
		return kernel->map(job->start, job->pa, job->end - job->start, 0, job->kind->flags);
	if (phase == 1)
		return kernel->unmap(job->start, job->end, false, NULL);
	return kernel->free_tables(job->start, job->end, job->layout.page_offset,
				   job->layout.page_end);
}

/* ---- what the kernel's tables hold ---- */

static uint64_t entry_of(uint64_t table, int level, uint64_t va)
{
	const uint64_t *entry = kc_memory(table);

	return entry[va >> (39 - 9 * level) & (ENTRIES - 1)];
}

/* The leaf that translates an address, 0 if none does. */
static uint64_t leaf_at(uint64_t va)
{
	uint64_t desc = entry_of(kc_world.root, 0, va);
	struct kc_entry to = kernel->decode(0, desc);

	for (int level = 1; to.table; level++) {
		desc = entry_of(to.pa, level, va);
		to = kernel->decode(level, desc);
	}
	return desc;
}

/* Some addresses are mapped where they should be, or none is, and nothing is beside them. */
static void must_translate(const struct job *job, bool mapped)
{
	uint64_t size = job->end - job->start;
	uint32_t seed = 7;

	for (unsigned i = 0; i < SAMPLES; i++) {
		uint64_t random = (uint64_t)bench_random(&seed) << 21 ^ bench_random(&seed);
		uint64_t offset = i ? random % size : size - 1;
		uint64_t desc = leaf_at(job->start + offset);

		offset -= offset % job->kind->leaf;
		must(mapped ? (desc & OUTPUT_ADDRESS) == job->pa + offset : !desc);
	}
	must(!leaf_at(job->end) && !leaf_at(job->start - 1));
}

static void must_be_done(const struct job *job, unsigned phase)
{
	uint64_t tables = phase + 1 < job->phases ? job->tables : 0;

	must_translate(job, phase == 0);
	must(kc_world.free_pages == kc_world.pages - 1 - tables);
	must(job->altmap.alloc == (job->kind->memmap && !phase ? job->leaves : 0));
	must(!kc_world.warnings && !kc_world.noted[KC_BAD_FREE]);
}

/* ---- the first time, beside the library ---- */

/* A machine of the library that does what this kernel does. */
static struct pgtsim_machine *twin_of(const struct kind *kind)
{
	static const struct pgtsim_ram ram = { RAM_START, RAM_START + KC_RAM_BYTES };
	struct pgtsim_machine_config config;
	struct pgtsim_machine *twin;

	/* The knobs that were read from the source are all that matters here. */
	must(pgtsim_machine_config_init(&config, "latest") == 0);
	for (const struct kc_knob *knob = kernel->knobs; knob->name; knob++)
		must(pgtsim_policy_set(&config.policy, knob->name, knob->value) == 0);
	config.ram = &ram;
	config.ram_count = 1;
	config.blocks = kind->flags & KC_BLOCKS;
	config.cont = false;
	must(pgtsim_machine_new(&twin, &config) == 0);
	return twin;
}

static int twin_maps(struct pgtsim_machine *twin, const struct job *job)
{
	const struct pgtsim_map map = {
		.va = job->start,
		.pa = job->pa,
		.size = job->end - job->start,
		.attrs = twin->policy.prot[PGTSIM_PROT_TAGGED],
		.table_attrs = twin->policy.linear_table,
		.blocks = job->kind->flags & KC_BLOCKS,
		.region = PGTSIM_REGION_LINEAR,
	};

	return pgtsim_map(&twin->pgt, &map);
}

static int twin_does(struct pgtsim_machine *twin, const struct job *job,
		     struct pgtsim_altmap *altmap, unsigned phase)
{
	const struct pgtsim_unmap unmap = { .start = job->start, .end = job->end };

	if (job->kind->memmap)
		return phase ? pgtsim_vmemmap_free(&twin->vmemmap, job->start, job->end, altmap) :
			       pgtsim_vmemmap_populate(&twin->vmemmap, job->start, job->end, altmap,
						       PGTSIM_POPULATE_PAGES);
	if (phase == 0)
		return twin_maps(twin, job);
	if (phase == 1)
		return pgtsim_unmap_range(&twin->pgt, &unmap);
	return pgtsim_free_tables(&twin->pgt, job->start, job->end, twin->layout.page_offset,
				  twin->layout.page_end);
}

struct census {
	uint64_t leaves, tables;
};

/* Counts what is below a table, and compares each leaf with the library's. */
static void walk(struct census *census, const struct pgtsim_machine *twin, uint64_t table,
		 int level, uint64_t va)
{
	const uint64_t *entry = kc_memory(table);
	struct pgtsim_translation at;

	for (unsigned i = 0; i < ENTRIES; i++, va += UINT64_C(1) << (39 - 9 * level)) {
		struct kc_entry to = kernel->decode(level, entry[i]);

		if (to.table) {
			census->tables++;
			walk(census, twin, to.pa, level + 1, va);
		} else if (entry[i]) {
			census->leaves++;
			must(pgtsim_translate(&twin->pgt, va, &at) == 0);
			must(at.level == level && at.desc == entry[i]);
		}
	}
}

static void must_be_alike(const struct pgtsim_machine *twin)
{
	const struct pgtsim_counts *counts = &twin->tlb.counts;
	const uint64_t *noted = kc_world.noted;
	struct census census = { 0 };

	walk(&census, twin, kc_world.root, 0, -(UINT64_C(1) << kernel->va_bits));
	must(census.leaves == counts->leaves_mapped - counts->leaves_cleared);
	must(census.tables == counts->tables_allocated - counts->tables_freed - 1);
	must(noted[KC_DSB_ISHST] + noted[KC_DSB_ISH] == counts->dsb);
	must(noted[KC_DSB_ISH] == counts->dsb_ish);
	must(noted[KC_ISB] == counts->isb);
	must(noted[KC_TLBI_LEAF] == counts->tlbi_leaf);
	must(noted[KC_TLBI_WALK] == counts->tlbi_walk);
	must(noted[KC_TLBI_ALL] == counts->tlbi_all);
	must(noted[KC_ALTMAP_ALLOC] == counts->altmap_allocated);
	must(kc_world.free_pages == pgtsim_memory_free_count(twin->memory));
}

/* Does it all once, so that each leaf, and the number of all else, is what the library says. */
static void rehearse(struct job *job)
{
	struct pgtsim_machine *twin = twin_of(job->kind);
	struct pgtsim_altmap altmap = { .base = job->altmap.base, .free = job->altmap.free };

	for (unsigned phase = 0; phase < job->phases; phase++) {
		kc_begin();
		must(kernel_does(job, phase) == KC_DONE);
		must(twin_does(twin, job, &altmap, phase) == 0);
		must_be_alike(twin);
		if (phase == 0)
			job->tables = kc_world.pages - 1 - kc_world.free_pages;
		must_be_done(job, phase);
	}
	pgtsim_machine_free(&twin);
}

/* ---- then alone ---- */

static void one_round(struct bench *bench, struct job *job)
{
	double all = 0;

	for (unsigned phase = 0; phase < job->phases; phase++) {
		double ns = bench_now();

		must(kernel_does(job, phase) == KC_DONE);
		ns = bench_now() - ns;
		must_be_done(job, phase);
		bench_time(bench, job->kind->phase[phase], ns, job->leaves, "leaf");
		all += ns;
	}
	bench_time(bench, "all", all, job->leaves, "leaf");
}

void bench_linux(struct bench *bench)
{
	for (size_t k = 0; k < COUNT(kinds); k++) {
		struct job job = job_of(&kinds[k]);

		rehearse(&job);
		if (bench_start(bench, job.tables * 4096, "linux/%s/%s", kinds[k].name,
				bench_size(kinds[k].size)))
			while (bench_round(bench))
				one_round(bench, &job);
	}
}
