/* SPDX-License-Identifier: MIT */
#include <pgtsim/cost.h>

#include <errno.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define KNOB(field) offsetof(struct pgtsim_cost_model, field)

/* clang-format off */
#define ARM_BANDWIDTH "https://learn.arm.com/learning-paths/servers-and-cloud-computing/"          \
	"memory-subsystem/streaming-bandwidth"
#define ONE_PAGE_FLUSH "https://git.kernel.org/linus/c320dbb7c80d"

#define CHOICE(title, field, number, text, from)                                                   \
	{ title, text, from, NULL, PGTSIM_COST_CHOICE, number, number, number, KNOB(field) }
#define TIME(title, field, kind, number, least, most, text, from, url)                             \
	{ title, text, from, url, PGTSIM_COST_##kind, number, least, most, KNOB(field) }

/*
 * What one flush costs is the least known: nobody has published the parts of TLBI, DSB ISH, and how
 * they grow with CPUs. Two numbers bound their sum. mprotect() of a page without its flush takes
 * 0.35 us less than with it (machine not named). A removal of 480 GB, if its leaves are 4K ptes,
 * takes 0.5 us a leaf, everything included (CPUs and page size not published).
 */
static const struct pgtsim_cost_knob knobs[] = {
	CHOICE("cpus", cpus, 128, "CPUs that hear a broadcast",
	       "of your machine; the default is that of a large server of one socket"),
	CHOICE("tlb-entries", tlb_entries, 1280, "TLB entries of a CPU",
	       "Arm Neoverse N1 Technical Reference Manual: 1280 entries in the second-level TLB"),
	TIME("tlbi", tlbi, ASSUMED, 10000, 5000, 50000, "to issue an invalidate",
	     "assumption: tens of cycles, as for a store that leaves the CPU", NULL),
	TIME("tlbi-per-cpu", tlbi_per_cpu, ASSUMED, 300, 0, 1000,
	     "to issue an invalidate, for each CPU that hears it",
	     "assumption: invalidates follow one another faster than they complete", NULL),
	TIME("dsb-ishst", dsb_ishst, ASSUMED, 10000, 3000, 100000, "DSB ISHST",
	     "assumption: tens of cycles; up to a memory access if a store is under way", NULL),
	TIME("dsb-ish", dsb_ish, ASSUMED, 20000, 10000, 100000, "DSB ISH, however many CPUs",
	     "assumption: a round trip on the die", NULL),
	TIME("dsb-ish-per-cpu", dsb_ish_per_cpu, DERIVED, 2300, 500, 7000,
	     "DSB ISH, for each CPU that hears the broadcast",
	     "a flush of one page took mprotect() 0.35 us (3.2 us less 2.85 us; D. Jain, Arm; "
	     "machine not named); that it is mostly this wait, and of 128 CPUs, is assumed",
	     ONE_PAGE_FLUSH),
	TIME("isb", isb, DERIVED, 13000, 5000, 40000, "ISB",
	     "about the delay of an x86 PAUSE, 40 cycles (A. Saidi, AWS, 2023); at 3 GHz",
	     "https://github.com/aerospike/aerospike-common/pull/17"),
	TIME("entry-read", entry_read, ASSUMED, 1000, 300, 3000, "to read a descriptor",
	     "assumption: a few cycles, its cache line aside", NULL),
	TIME("entry-write", entry_write, ASSUMED, 1000, 300, 3000, "to write a descriptor",
	     "assumption: a few cycles, its cache line aside", NULL),
	TIME("line", line, DERIVED, 3100, 800, 83000, "to bring a cache line of a table",
	     "one core streams 20.9 GB/s from DRAM on Graviton2: 3.1 ns for 64 bytes (Arm, ASCT); "
	     "least: 78 GB/s from the last-level cache of Graviton4; most: 83 ns, a DRAM access that "
	     "nothing prefetched (Arm, for Neoverse N1)", ARM_BANDWIDTH),
	TIME("table", table, ASSUMED, 100000, 30000, 3000000,
	     "to allocate or free a table page, the zeroing of a new one included",
	     "assumption: the page allocator's per-CPU list; most: 64 KiB zeroed", NULL),
	TIME("page", page, ASSUMED, 50000, 20000, 300000, "to free a page",
	     "assumption: the page allocator's per-CPU list; most: with the zone lock", NULL),
	TIME("refill", refill, DERIVED, 8800, 4400, 166000, "a walk after a TLB entry was lost",
	     "two reads from the L2 cache of Graviton2, 11 cycles at 2.5 GHz each (AnandTech, 2020); "
	     "least: one; most: two from DRAM, 83 ns each",
	     "https://www.anandtech.com/show/15578/"
	     "cloud-clash-amazon-graviton2-arm-against-intel-and-amd/3"),
	CHOICE("sockets", sockets, 1, "sockets that the CPUs are in", "of your machine"),
	TIME("dsb-ish-per-socket", dsb_ish_per_socket, ASSUMED, 300000, 100000, 1000000,
	     "DSB ISH, for each socket but the first that the broadcast crosses to",
	     "assumption: a round trip over the link between sockets", NULL),
};
/* clang-format on */

static uint64_t *field(struct pgtsim_cost_model *model, const struct pgtsim_cost_knob *knob)
{
	return (uint64_t *)(void *)((char *)model + knob->offset);
}

const struct pgtsim_cost_knob *pgtsim_cost_knobs(size_t *count)
{
	if (!count)
		return NULL;
	*count = COUNT(knobs);
	return knobs;
}

const char *pgtsim_cost_basis_name(enum pgtsim_cost_basis basis)
{
	static const char *const names[] = {
		[PGTSIM_COST_CHOICE] = "choice",
		[PGTSIM_COST_MEASURED] = "measured",
		[PGTSIM_COST_DERIVED] = "derived",
		[PGTSIM_COST_ASSUMED] = "assumed",
	};

	return (unsigned)basis < COUNT(names) ? names[basis] : NULL;
}

const char *pgtsim_cost_leaves_out(void)
{
	return "migration of pages in use, initialisation of the memmap, work on zones and buddy "
	       "lists, sysfs and udev, locks, interrupts, and other CPUs that broadcast at the "
	       "same time";
}

void pgtsim_cost_model_init(struct pgtsim_cost_model *model)
{
	if (!model)
		return;
	*model = (struct pgtsim_cost_model){ 0 };
	for (size_t i = 0; i < COUNT(knobs); i++)
		*field(model, &knobs[i]) = knobs[i].value;
}

int pgtsim_cost_set(struct pgtsim_cost_model *model, const char *name, uint64_t value)
{
	if (!name)
		return -EINVAL;
	for (size_t i = 0; i < COUNT(knobs); i++) {
		if (strcmp(knobs[i].name, name) != 0)
			continue;
		if (value > 1000000000)
			return -ERANGE;
		*field(model, &knobs[i]) = value;
		model->chosen |= UINT64_C(1) << i;
		return 0;
	}
	return -ENOENT;
}

uint64_t pgtsim_cost_get(const struct pgtsim_cost_model *model, const char *name)
{
	if (!name)
		return 0;
	for (size_t i = 0; i < COUNT(knobs); i++)
		if (!strcmp(knobs[i].name, name))
			return *(const uint64_t *)(const void *)((const char *)model +
								 knobs[i].offset);
	return 0;
}

static uint64_t sum(uint64_t a, uint64_t b)
{
	return a + b < a ? UINT64_MAX : a + b;
}

static uint64_t product(uint64_t a, uint64_t b)
{
	return a && b > UINT64_MAX / a ? UINT64_MAX : a * b;
}

void pgtsim_cost_of(const struct pgtsim_counts *counts, const struct pgtsim_cost_model *m,
		    struct pgtsim_cost *cost)
{
	if (!counts || !m || !cost)
		return;

	uint64_t operations =
		counts->tlbi_leaf + counts->tlbi_walk + counts->tlbi_range + counts->tlbi_all;
	uint64_t wait = sum(sum(m->dsb_ish, product(m->dsb_ish_per_cpu, m->cpus)),
			    product(m->dsb_ish_per_socket, m->sockets ? m->sockets - 1 : 0));

	cost->invalidates = product(operations, sum(m->tlbi, product(m->tlbi_per_cpu, m->cpus)));
	cost->barriers = sum(product(counts->dsb - counts->dsb_ish, m->dsb_ishst),
			     sum(product(counts->dsb_ish, wait), product(counts->isb, m->isb)));
	cost->entries = sum(product(counts->entries_read, m->entry_read),
			    product(counts->entries_written, m->entry_write));
	cost->lines = product(counts->lines_touched, m->line);
	cost->memory = sum(product(sum(counts->tables_allocated, counts->tables_freed), m->table),
			   product(counts->pages_freed, m->page));
	cost->time = sum(sum(cost->invalidates, cost->barriers),
			 sum(cost->entries, sum(cost->lines, cost->memory)));
	cost->refills =
		product(product(counts->tlbi_all, m->tlb_entries), product(m->cpus, m->refill));
}

/* The model with each constant that was not set at one end of its range. */
static struct pgtsim_cost_model model_at(const struct pgtsim_cost_model *model, bool high)
{
	struct pgtsim_cost_model end = *model;

	for (size_t i = 0; i < COUNT(knobs); i++)
		if (!(model->chosen >> i & 1) && *field(&end, &knobs[i]) == knobs[i].value)
			*field(&end, &knobs[i]) = high ? knobs[i].high : knobs[i].low;
	return end;
}

void pgtsim_cost_range(const struct pgtsim_counts *counts, const struct pgtsim_cost_model *model,
		       struct pgtsim_cost *low, struct pgtsim_cost *high)
{
	if (!counts || !model || !low || !high)
		return;

	const struct pgtsim_cost_model least = model_at(model, false), most = model_at(model, true);

	pgtsim_cost_of(counts, &least, low);
	pgtsim_cost_of(counts, &most, high);
}
