/* SPDX-License-Identifier: MIT */
/*
 * main: random scripts on s390's own functions and on the library. After every step both must have
 * done the same: returned the same, stored the same values to the same entries, allocated and freed
 * the same pages, flushed, all in one order, and marked as many bytes. At the end every entry of every
 * table is compared.
 *
 *	s390_conformance [SCRIPTS [FIRST_SEED]]
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <pgtsim/format.h>
#include <pgtsim/pgtsim.h>

#include "kernel.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

extern const struct s390_kernel *const s390_kernels[];
extern const unsigned s390_kernel_count;

/* ---- what happens, in order ---- */

enum act { ALLOC, FREE, STORE, IDTE };

struct record {
	enum act act;
	uint64_t pa, value; /* of a page, or of an entry and what is stored there */
};

struct log {
	struct record *record;
	size_t count, room;
};

static void note(struct log *log, enum act act, uint64_t pa, uint64_t value)
{
	if (log->count == log->room) {
		log->room = 2 * log->room + 1024;
		log->record = realloc(log->record, log->room * sizeof(*log->record));
		if (!log->record)
			abort();
	}
	log->record[log->count++] = (struct record){ act, pa, value };
}

static void note_pages(struct log *log, enum act act, uint64_t pa, uint64_t pages)
{
	for (uint64_t i = 0; i < pages; i++)
		note(log, act, pa + (i << 12), 0);
}

/* ---- both sides ---- */

enum { RAM_MIB = 128, HOST_MIB = 1024 };

struct range {
	uint64_t start, end;
};

struct sides {
	const struct s390_kernel *kernel;
	struct s390_world world;
	struct pgtsim_memory *memory; /* of the kernel's side */
	struct pgtsim_machine *machine;
	struct pgtsim_observer observer;
	uint64_t altmap_freed; /* PA of what was freed to an altmap by the event before */
	uint8_t halves[RAM_MIB << 8]; /* of each page: page tables that share it, in the library */
	struct log kernel_log, own_log;
	uint64_t random;
	struct range populated[16];
	unsigned populated_count;
	char step[160];
};

static uint64_t kernel_alloc(void *ctx, unsigned order)
{
	struct sides *s = ctx;
	uint64_t pfn;

	if (pgtsim_memory_alloc(s->memory, order, &pfn))
		return 0;
	/* With init_on_alloc, as the library has it: what was marked in another life is not. */
	memset(s->world.memory + (pfn << 12), 0, (size_t)4096 << order);
	note_pages(&s->kernel_log, ALLOC, pfn << 12, UINT64_C(1) << order);
	return pfn << 12;
}

static void kernel_free(void *ctx, uint64_t pa, unsigned order)
{
	struct sides *s = ctx;

	if (pgtsim_memory_free_pages(s->memory, pa >> 12, order))
		printf("seed: the kernel frees 0x%" PRIx64 " wrongly\n", pa);
	note_pages(&s->kernel_log, FREE, pa, UINT64_C(1) << order);
}

static void kernel_store(void *ctx, uint64_t pa, uint64_t value)
{
	note(&((struct sides *)ctx)->kernel_log, STORE, pa, value);
}

static void kernel_idte(void *ctx)
{
	note(&((struct sides *)ctx)->kernel_log, IDTE, 0, 0);
}

/* Where the entry of a level that translates va is. */
static uint64_t entry_pa(struct pgtsim_machine *machine, int level, uint64_t va)
{
	const struct pgtsim_table *table = machine->pgt.root;

	for (int at = table->level; at < level; at++) {
		uint64_t desc = pgtsim_entry(&machine->pgt, table,
					     pgtsim_index(&machine->geo, at, va));

		table = pgtsim_memory_table(machine->memory,
					    pgtsim_desc_address(&machine->geo, at, desc));
	}
	return table->pa + 8 * pgtsim_index(&machine->geo, level, va);
}

/* What a split has stored to the new table, before that takes the leaf's place. */
static void note_entries(struct sides *s, const struct pgtsim_event *event)
{
	const struct pgtsim_geometry *geo = &s->machine->geo;
	const struct pgtsim_table *table = pgtsim_memory_table(
		s->machine->memory, pgtsim_desc_address(geo, event->level, event->new_desc));

	for (unsigned i = 0; i < pgtsim_entries(geo, table->level); i++)
		note(&s->own_log, STORE, table->pa + 8 * i,
		     pgtsim_desc_to_raw(geo, table->level,
					pgtsim_entry(&s->machine->pgt, table, i)));
}

/* Two page tables may share a page: it comes with the first and goes with the last. */
static void note_table(struct sides *s, enum act act, const struct pgtsim_event *event)
{
	unsigned order = pgtsim_table_order(&s->machine->geo, event->level);
	uint8_t *count = &s->halves[event->pa >> 12];

	if (event->level == PGTSIM_PTE && s->machine->policy.half_page_tables &&
	    (act == ALLOC ? (*count)++ : --*count))
		return;
	note_pages(&s->own_log, act, event->pa & ~UINT64_C(4095), UINT64_C(1) << order);
}

static void library_event(struct pgtsim_observer *self, const struct pgtsim_event *event)
{
	struct sides *s = (struct sides *)(void *)((char *)self - offsetof(struct sides, observer));
	const struct pgtsim_geometry *geo = &s->machine->geo;
	struct log *log = &s->own_log;
	bool to_altmap = event->pa && event->pa == s->altmap_freed;

	s->altmap_freed = 0;
	switch (event->op) {
	case PGTSIM_OP_TABLE_ALLOC:
		note_table(s, ALLOC, event);
		break;
	case PGTSIM_OP_TABLE_FREE:
		note_table(s, FREE, event);
		break;
	case PGTSIM_OP_PAGES_ALLOC:
		note_pages(log, ALLOC, event->pa, event->count);
		break;
	case PGTSIM_OP_PAGES_FREE:
		if (!to_altmap)
			note_pages(log, FREE, event->pa, event->count);
		break;
	case PGTSIM_OP_ALTMAP_FREE:
		s->altmap_freed = event->pa;
		break;
	case PGTSIM_OP_POKE:
	case PGTSIM_OP_MAP:
	case PGTSIM_OP_CLEAR:
	case PGTSIM_OP_LINK:
	case PGTSIM_OP_UNLINK:
		if (event->op == PGTSIM_OP_POKE)
			note_entries(s, event);
		note(log, STORE, entry_pa(s->machine, event->level, event->va),
		     pgtsim_desc_to_raw(geo, event->level, event->new_desc));
		break;
	case PGTSIM_OP_IDTE:
		note(log, IDTE, 0, 0);
		break;
	default:
		break;
	}
}

/* ---- comparing ---- */

static void print_log(const char *who, const struct log *log, size_t around)
{
	static const char *const names[] = { "alloc", "free", "store", "idte" };
	size_t from = around > 4 ? around - 4 : 0;

	for (size_t i = from; i < log->count && i < around + 4; i++)
		printf("    %s %zu: %s 0x%" PRIx64 " 0x%" PRIx64 "\n", who, i,
		       names[log->record[i].act], log->record[i].pa, log->record[i].value);
}

static bool same_record(const struct record *a, const struct record *b)
{
	return a->act == b->act && a->pa == b->pa && a->value == b->value;
}

static bool same_logs(struct sides *s)
{
	const struct log *a = &s->kernel_log, *b = &s->own_log;
	size_t i = 0;

	while (i < a->count && i < b->count && same_record(&a->record[i], &b->record[i]))
		i++;
	if (i == a->count && i == b->count)
		return true;
	printf("  %s: not the same from record %zu on\n", s->step, i);
	print_log("kernel", a, i);
	print_log("library", b, i);
	return false;
}

struct comparison {
	struct sides *sides;
	uint64_t differences;
};

static void compare_table(struct comparison *c, const struct pgtsim_table *table)
{
	struct pgtsim_machine *machine = c->sides->machine;
	const uint64_t *kernel = (const void *)(c->sides->world.memory + table->pa);
	bool is_root = table == machine->pgt.root; /* its last entry is the kernel's image */

	for (unsigned i = 0; i < pgtsim_entries(&machine->geo, table->level) - is_root; i++) {
		uint64_t desc = pgtsim_entry(&machine->pgt, table, i);

		c->differences += kernel[i] != pgtsim_desc_to_raw(&machine->geo, table->level, desc);
	}
}

static int compare_child(struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
			 struct pgtsim_table *child, void *arg)
{
	(void)pgt;
	(void)run;
	compare_table(arg, child);
	return 0;
}

static bool same_tables(struct sides *s)
{
	static const struct pgtsim_visitor visitor = { .table = compare_child };
	struct comparison c = { .sides = s };
	struct pgtsim_pgtable *pgt = &s->machine->pgt;

	compare_table(&c, pgt->root);
	pgtsim_walk(pgt, 0, pgtsim_va_last(&pgt->geo), &visitor, &c);
	if (c.differences)
		printf("  %" PRIu64 " entries differ at the end\n", c.differences);
	return !c.differences && pgtsim_memory_free_count(s->memory) ==
					 pgtsim_memory_free_count(s->machine->memory);
}

/* ---- scripts ---- */

static uint64_t below(struct sides *s, uint64_t n)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return (s->random >> 11) % n;
}

static const char *profile_of(const struct s390_kernel *kernel)
{
	if (!kernel->altmaps)
		return kernel->leaf_at_zero ? "s390-6.1" : "s390-5.9";
	return kernel->splits ? "s390-7.3" : "s390-6.12";
}

static int start(struct sides *s, const struct s390_kernel *kernel, unsigned char *memory)
{
	static const struct pgtsim_ram ram = { 0, RAM_MIB * MIB };
	struct pgtsim_machine_config config;
	unsigned edat = (unsigned)below(s, 3);
	uint64_t pfn, *root;

	if (pgtsim_machine_config_s390(&config, profile_of(kernel)))
		return -EINVAL;
	config.ram = &ram;
	config.ram_count = 1;
	config.edat = (uint8_t)edat;
	config.va_bits = below(s, 2) ? 42 : 53;
	config.struct_page = kernel->struct_page;
	config.checker = false;
	if (pgtsim_machine_new(&s->machine, &config) ||
	    pgtsim_memory_new(&s->memory, 12, 4096, &ram, 1) ||
	    pgtsim_memory_reserve_boot(s->memory, 0, 2) || pgtsim_memory_alloc(s->memory, 2, &pfn))
		return -ENOMEM;
	s->kernel = kernel;
	s->world = (struct s390_world){
		.memory = memory,
		.edat1 = edat >= 1,
		.edat2 = edat >= 2,
		.root = pfn << 12,
		.root_type = config.va_bits == 42 ? 1 : 2,
		.alloc = kernel_alloc,
		.free = kernel_free,
		.store = kernel_store,
		.idte = kernel_idte,
		.ctx = s,
	};
	root = (uint64_t *)(void *)(memory + s->world.root);
	for (unsigned i = 0; i < 2048; i++)
		root[i] = pgtsim_desc_empty(&s->machine->geo, s->machine->pgt.root->level);
	/* The kernel's image: without any entry the functions would take the root for an empty table. */
	root[2047] = 0;
	kernel->begin(&s->world);
	s->machine->tlb.single = true;
	s->observer.event = library_event;
	pgtsim_observe(&s->machine->tlb, &s->observer);
	return s->machine->pgt.root->pa == s->world.root ? 0 : -EFAULT;
}

static void end(struct sides *s)
{
	pgtsim_memory_free(&s->memory);
	pgtsim_machine_free(&s->machine);
}

/* A range of the identity mapping: of pages, segments, sections or regions. */
static void identity_range(struct sides *s, uint64_t *va, uint64_t *size)
{
	static const unsigned shifts[] = { 12, 20, 28, 31 };
	unsigned shift = shifts[below(s, s->world.edat1 ? 4 : 2)];
	uint64_t most = shift == 12 ? 600 : shift == 20 ? 20 : 10;

	*va = (below(s, 8) ? 8 * GIB : 0) + (below(s, most) << shift);
	*size = (1 + below(s, most / 2)) << shift;
}

/* A part of the memmap: of sections, or of sub-sections of 2 MiB. */
static void memmap_range(struct sides *s, uint64_t *va, uint64_t *end)
{
	uint64_t pages = below(s, 3) ? 1 << 16 : 512;
	uint64_t base = s->machine->vmemmap.base + 16 * MIB * s->kernel->struct_page / 4;
	uint64_t first = below(s, pages == 512 ? 300 : 6);

	*va = base + first * pages * s->kernel->struct_page;
	*end = *va + (1 + below(s, pages == 512 ? 40 : 2)) * pages * s->kernel->struct_page;
	*va &= ~UINT64_C(4095);
	*end = (*end + 4095) & ~UINT64_C(4095);
}

static int both_map(struct sides *s, int *library)
{
	uint64_t va, size;

	identity_range(s, &va, &size);
	snprintf(s->step, sizeof(s->step), "add 0x%" PRIx64 "+0x%" PRIx64, va, size);
	*library = pgtsim_map(&s->machine->pgt, &(struct pgtsim_map){
							.va = va,
							.pa = va,
							.size = size,
							.region = PGTSIM_REGION_LINEAR,
						});
	return s->kernel->add(va, size);
}

static int both_unmap(struct sides *s, int *library)
{
	uint64_t va, size;

	identity_range(s, &va, &size);
	snprintf(s->step, sizeof(s->step), "remove 0x%" PRIx64 "+0x%" PRIx64, va, size);
	*library = pgtsim_unmap_linear(&s->machine->pgt, va, size, 0, 0);
	s->kernel->remove(va, size);
	return 0;
}

/* An altmap of memory that is nobody's else, for one populate and the free of the same range. */
static int both_memmap(struct sides *s, int *library)
{
	struct pgtsim_altmap altmap = {
		.base = (512 * MIB) >> 12,
		.reserve = below(s, 20),
		.free = below(s, 3) ? 4096 : below(s, 2000),
	};
	struct s390_altmap other = {
		.base_pfn = altmap.base,
		.end_pfn = altmap.base + 8192,
		.reserve = altmap.reserve,
		.free = altmap.free,
	};
	bool with_altmap = !below(s, 6);
	uint64_t va, end;
	int ret;

	memmap_range(s, &va, &end);
	if (with_altmap) {
		/* An altmap takes back only its own, so nothing else is there. */
		va += 512 * MIB;
		end += 512 * MIB;
	}
	snprintf(s->step, sizeof(s->step), "populate 0x%" PRIx64 " to 0x%" PRIx64 "%s", va, end,
		 with_altmap ? " with an altmap" : "");
	*library = pgtsim_vmemmap_populate(&s->machine->vmemmap, va, end,
					   with_altmap ? &altmap : NULL, 0);
	ret = s->kernel->populate(va, end, with_altmap ? &other : NULL);
	if (!ret && !with_altmap && s->populated_count < COUNT(s->populated))
		s->populated[s->populated_count++] = (struct range){ va, end };
	if (!with_altmap || *library != ret)
		return ret;
	if (altmap.alloc != other.alloc || altmap.align != other.align)
		return 1;
	pgtsim_vmemmap_free(&s->machine->vmemmap, va, end, &altmap);
	s->kernel->free(va, end, &other);
	return altmap.alloc != other.alloc ? 1 : ret;
}

/*
 * Frees what was populated, or a part of it. Never more: a whole segment that holds the tail whose mark
 * is put off would go with it, and the kernel would then mark memory that is not there. Its callers
 * free what they have populated, section by section.
 */
static int both_free(struct sides *s, int *library)
{
	uint64_t va, end, pages;

	*library = 0;
	if (!s->populated_count)
		return 0;
	va = s->populated[below(s, s->populated_count)].start;
	end = s->populated[below(s, s->populated_count)].end;
	for (unsigned i = 0; i < s->populated_count; i++)
		if (s->populated[i].start == va)
			end = s->populated[i].end;
	pages = (end - va) >> 12;
	if (below(s, 2)) {
		va += below(s, pages) << 12;
		end = va + ((1 + below(s, (end - va) >> 12)) << 12);
	}
	snprintf(s->step, sizeof(s->step), "free 0x%" PRIx64 " to 0x%" PRIx64, va, end);
	*library = pgtsim_vmemmap_free(&s->machine->vmemmap, va, end, NULL);
	s->kernel->free(va, end, NULL);
	return 0;
}

static bool step(struct sides *s)
{
	bool show = getenv("S390_STEPS");
	static int (*const steps[])(struct sides *, int *) = {
		both_map, both_map, both_unmap, both_memmap, both_memmap, both_memmap, both_free,
		both_free,
	};
	uint64_t nth = below(s, 4) ? 0 : 1 + below(s, below(s, 2) ? 10 : 1000);
	bool every = below(s, 4) == 0;
	int (*one)(struct sides *, int *) = steps[below(s, COUNT(steps))];
	int library, kernel;

	/* A split without memory for its table: see README.md. */
	if (one == both_unmap && s->kernel->splits)
		nth = 0;
	pgtsim_memory_fail(s->memory, nth, every);
	pgtsim_memory_fail(s->machine->memory, nth, every);
	kernel = one(s, &library);
	pgtsim_memory_fail(s->memory, 0, false);
	pgtsim_memory_fail(s->machine->memory, 0, false);
	/* A kernel would stop here. */
	if (s->world.fault)
		return true;
	if (kernel != library) {
		printf("  %s, failing %" PRIu64 " %d: the kernel returns %d, the library %d: %s\n", s->step, nth, every, kernel, library,
		       pgtsim_machine_reason(s->machine, library));
		return false;
	}
	if (show)
		printf("  %s: %d, %zu records, marked %" PRIu64 " and %" PRIu64 "\n", s->step, kernel,
		       s->kernel_log.count, s->world.marked,
		       s->machine->tlb.counts.memmap_marked);
	if (!same_logs(s))
		return false;
	s->kernel_log.count = s->own_log.count = 0;
	if (s->world.marked == s->machine->tlb.counts.memmap_marked)
		return true;
	printf("  %s: the kernel has marked %" PRIu64 " bytes, the library %" PRIu64 "\n", s->step,
	       s->world.marked, s->machine->tlb.counts.memmap_marked);
	return false;
}

static uint64_t faults; /* scripts that end where the kernel touches a memmap that is not mapped */

static bool run_script(const struct s390_kernel *kernel, uint64_t seed, unsigned char *memory)
{
	struct sides s = { .random = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15) };
	bool good = start(&s, kernel, memory) == 0;

	s.kernel_log.count = s.own_log.count = 0;
	for (unsigned i = 0; good && i < 12 && !s.world.fault; i++)
		good = step(&s);
	good = good && (s.world.fault || same_tables(&s));
	faults += s.world.fault;
	if (s.world.fault && getenv("S390_STEPS"))
		printf("seed %" PRIu64 ", %s: the kernel faults\n", seed, s.step);
	if (!good)
		printf("seed %" PRIu64 " on %s, struct page %u, EDAT%s: differs\n", seed,
		       kernel->source, kernel->struct_page,
		       s.world.edat2 ? " 2" : s.world.edat1 ? " 1" : " 0");
	end(&s);
	free(s.kernel_log.record);
	free(s.own_log.record);
	return good;
}

int main(int argc, char **argv)
{
	uint64_t scripts = argc > 1 ? strtoull(argv[1], NULL, 0) : 1000;
	uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 0) : 0, failed = 0;
	unsigned char *memory = mmap(NULL, HOST_MIB * MIB, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		return 1;
	if (!s390_kernel_count) {
		printf("no Linux source was there when this was built\n");
		return 77;
	}
	for (unsigned i = 0; i < s390_kernel_count; i++)
		for (uint64_t seed = first; seed < first + scripts && failed < 5; seed++)
			failed += !run_script(s390_kernels[i], seed, memory);
	if (!failed)
		printf("%u kernels, %" PRIu64 " scripts on each: no difference; in %" PRIu64
		       " of them the kernel faults\n",
		       s390_kernel_count, scripts, faults);
	return failed ? 1 : 0;
}
