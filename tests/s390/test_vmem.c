/* SPDX-License-Identifier: MIT */
#include <pgtsim/dump.h>
#include <pgtsim/format.h>

#include "hotplug.h"

/* 1 GiB of boot memory; sections of 256 MiB are added behind it. */
static const struct pgtsim_ram s390_ram = { 0, GIB };

enum { SECTION_MIB = 256 };

#define SECTION (SECTION_MIB * MIB)

static struct pgtsim_machine *s390_machine(unsigned edat, unsigned struct_page, const char *knob,
					   const char *value)
{
	struct pgtsim_machine_config config;

	assert_int_equal(pgtsim_machine_config_s390(&config, "s390-6.12"), 0);
	config.ram = &s390_ram;
	config.ram_count = 1;
	config.edat = (uint8_t)edat;
	config.struct_page = struct_page;
	config.va_bits = edat == 2 ? 53 : 42;
	if (knob)
		assert_int_equal(pgtsim_policy_set(&config.policy, knob, value), 0);
	return machine_of(&config);
}

/* The architecture's value of the entry that a walk to va ends with. */
static uint64_t raw_at(struct pgtsim_machine *machine, uint64_t va, int *level)
{
	struct pgtsim_translation at;

	pgtsim_translate(&machine->pgt, va, &at);
	*level = at.level;
	return pgtsim_desc_to_raw(&machine->geo, at.level, at.desc);
}

/* Counts the entries of s390's tables that are empty, and those with the value that *arg begins with. */
static void count_entries(void *arg, uint64_t pa, const void *bytes, size_t size)
{
	uint64_t *count = arg, entry;

	(void)pa;
	for (size_t i = 0; i < size; i += sizeof(entry)) {
		memcpy(&entry, (const char *)bytes + i, sizeof(entry));
		count[1] += entry == count[0];
		count[2] += entry == 0x20 || entry == 0x24;
		count[3]++;
	}
}

/* Tables are handed out with s390's own values: an empty entry is not zero. */
static void test_export(void **state)
{
	struct pgtsim_machine *machine = s390_machine(1, 64, NULL, NULL);
	uint64_t count[4] = { UINT64_C(0x100003503) };

	(void)state;
	assert_int_equal(pgtsim_add_memory(&machine->hotplug, 4 * GIB, 256 * MIB), 0);
	pgtsim_export_tables(&machine->pgt, count_entries, count);
	assert_int_equal(count[1], 1);
	/* The root, and a segment table each for the section and its memmap. */
	assert_int_equal(count[3], 3 * 2048);
	assert_int_equal(count[2], count[3] - 2 - 256 - 4);
	pgtsim_machine_free(&machine);
}

/* An entry that points to a table has its type, how long a region's table is, and from 7.3 on a bit. */
static void check_table_entries(const char *profile, const uint64_t *low)
{
	struct pgtsim_machine_config config;
	struct pgtsim_machine *machine;
	struct pgtsim_translation at;

	assert_int_equal(pgtsim_machine_config_s390(&config, profile), 0);
	config.ram = &s390_ram;
	config.ram_count = 1;
	config.edat = 0;
	config.va_bits = 53;
	machine = machine_of(&config);
	assert_int_equal(pgtsim_add_memory(&machine->hotplug, 4 * GIB, SECTION), 0);
	pgtsim_translate(&machine->pgt, 4 * GIB, &at);
	assert_int_equal(at.steps, 4);
	for (unsigned i = 0; i + 1 < at.steps; i++)
		assert_int_equal(pgtsim_desc_to_raw(&machine->geo, at.step[i].level, at.step[i].desc) &
					 0xfff,
				 low[i]);
	pgtsim_machine_free(&machine);
}

static void test_table_entries(void **state)
{
	(void)state;
	check_table_entries("s390-5.9", (const uint64_t[]){ 0x00b, 0x007, 0x000 });
	check_table_entries("s390-7.3", (const uint64_t[]){ 0x00b, 0x007, 0x001 });
}

static void add_text(void *ctx, const char *text)
{
	char *all = ctx;

	strncat(all, text, 2047 - strlen(all));
}

/* The kernel's dump: its levels, I for what is invalid, and the areas from address 0 on. */
static void test_ptdump(void **state)
{
	static const char wanted[] =
		"---[ Kernel Virtual Address Space ]---\n"
		"---[ Identity Mapping Start ]---\n"
		"0x0000000000000000-0x0000000100000000         4G PUD I\n"
		"0x0000000100000000-0x0000000110000000       256M PMD RW NX\n"
		"0x0000000110000000-0x0000000180000000      1792M PMD I\n"
		"0x0000000180000000-0x0000037180000000      3520G PUD I\n"
		"---[ Identity Mapping End ]---\n"
		"---[ vmemmap Area Start ]---\n"
		"0x0000037180000000-0x0000037184000000        64M PMD I\n"
		"0x0000037184000000-0x0000037184400000         4M PMD RW NX\n"
		"0x0000037184400000-0x0000037200000000      1980M PMD I\n"
		"0x0000037200000000-0x0000037f60000000     54784M PUD I\n"
		"---[ vmemmap Area End ]---\n"
		"0x0000037f60000000-0x0000040000000000    526848M PUD I\n";
	struct pgtsim_machine *machine = s390_machine(1, 64, NULL, NULL);
	char text[2048] = "";
	const struct pgtsim_printer out = { add_text, text };

	(void)state;
	assert_int_equal(pgtsim_add_memory(&machine->hotplug, 4 * GIB, SECTION), 0);
	pgtsim_dump(&machine->pgt, &machine->layout, PGTSIM_DUMP_PTDUMP, &out);
	assert_string_equal(text, wanted);
	pgtsim_machine_free(&machine);
}

/* What a machine has after one section was added at 4 GiB. */
struct added {
	unsigned edat, struct_page;
	uint64_t leaves; /* of the section and its memmap */
	uint64_t tables; /* the root not counted */
	uint64_t pages;  /* of its memmap */
	uint64_t raw;    /* the first leaf of the section */
};

static const struct added added[] = {
	{ 0, 64, 65536 + 1024, 2 + 256 + 4, 1024, 0x10000013d },
	{ 0, 56, 65536 + 896, 2 + 256 + 4, 896, 0x10000013d },
	{ 1, 64, 256 + 4, 2, 1024, 0x100003503 },
	{ 1, 56, 256 + 4, 2, 1024, 0x100003503 },
	/* Four levels; a section is less than 2G, so it has segments. */
	{ 2, 64, 256 + 4, 4, 1024, 0x100003503 },
};

/* A section takes the leaves that EDAT allows, and its memmap segments even where it fills them not. */
static void test_add(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(added); i++) {
		const struct added *a = &added[i];
		struct pgtsim_machine *machine =
			s390_machine(a->edat, a->struct_page, NULL, NULL);
		int level;

		assert_int_equal(pgtsim_add_memory(&machine->hotplug, 4 * GIB, SECTION), 0);
		assert_int_equal(machine->tlb.counts.leaves_mapped, a->leaves);
		assert_int_equal(machine->tlb.counts.tables_allocated, 1 + a->tables);
		assert_int_equal(machine->tlb.counts.pages_allocated, a->pages);
		assert_int_equal(raw_at(machine, 4 * GIB, &level), a->raw);
		assert_int_equal(machine->tlb.counts.dsb + machine->tlb.counts.isb, 0);
		assert_clean(machine);
		pgtsim_machine_free(&machine);
	}
}

/* 2G leaves need EDAT2 and a range that is a multiple of 2G; what is left over gets segments. */
static void test_large_leaves(void **state)
{
	struct pgtsim_machine *machine = s390_machine(2, 64, NULL, NULL);
	int level;

	(void)state;
	assert_int_equal(pgtsim_add_memory(&machine->hotplug, 4 * GIB, 2 * GIB + SECTION), 0);
	assert_int_equal(raw_at(machine, 4 * GIB, &level), 0x100003507);
	assert_int_equal(level, PGTSIM_PUD);
	assert_int_equal(raw_at(machine, 6 * GIB, &level), 0x180003503);
	assert_int_equal(level, PGTSIM_PMD);
	assert_int_equal(raw_at(machine, 7 * GIB, &level), 0x20);
	assert_clean(machine);
	pgtsim_machine_free(&machine);
}

/* What a caller maps elsewhere gets large leaves only where its address is as aligned as they are. */
static void test_mapped_elsewhere(void **state)
{
	static const struct {
		uint64_t pa, leaves;
	} rows[] = { { 4 * GIB, 2 }, { 5 * GIB + MIB, 2 }, { 4 * GIB + 4096, 512 } };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pgtsim_machine *machine = s390_machine(1, 64, NULL, NULL);
		const struct pgtsim_map map = { .va = 4 * GIB, .pa = rows[i].pa, .size = 2 * MIB };
		struct pgtsim_translation at;

		assert_int_equal(pgtsim_map(&machine->pgt, &map), 0);
		assert_int_equal(machine->tlb.counts.leaves_mapped, rows[i].leaves);
		assert_int_equal(pgtsim_translate(&machine->pgt, 4 * GIB + MIB + 77, &at), 0);
		assert_int_equal(at.pa, rows[i].pa + MIB + 77);
		pgtsim_machine_free(&machine);
	}
}

/* Writes down the operations of a removal, those alike next to each other once. */
struct record {
	struct pgtsim_observer observer;
	char text[400];
};

static void record_event(struct pgtsim_observer *self, const struct pgtsim_event *event)
{
	struct record *record = (struct record *)(void *)self;
	const char *name = pgtsim_op_name(event->op);
	size_t length = strlen(record->text), last = strlen(name);

	if (event->op >= PGTSIM_OP_BEGIN_MAP)
		return;
	if (length > last && !strcmp(record->text + length - last, name))
		return;
	snprintf(record->text + length, sizeof(record->text) - length, " %s", name);
}

static void remove_and_record(struct pgtsim_machine *machine, struct record *record)
{
	*record = (struct record){ .observer = { .event = record_event } };
	pgtsim_observe(&machine->tlb, &record->observer);
	assert_int_equal(pgtsim_remove_memory(&machine->hotplug, 4 * GIB, SECTION), 0);
	pgtsim_unobserve(&machine->tlb, &record->observer);
}

/*
 * Memory is freed before its leaf is cleared, a table before its entry is, and one IDTE ends each of
 * the two removals; with free-order=after-invalidate memory and tables go behind the IDTE.
 */
static void test_remove_order(void **state)
{
	static const struct {
		const char *order, *events;
	} cases[] = {
		{ "before-clear", " pages-free clear table-free unlink idte"
				  " clear table-free unlink idte" },
		{ "after-invalidate", " clear unlink idte pages-free table-free"
				      " clear unlink idte table-free" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct pgtsim_machine *machine =
			s390_machine(1, 64, "free-order", cases[i].order);
		struct record record;

		assert_int_equal(pgtsim_add_memory(&machine->hotplug, 4 * GIB, SECTION), 0);
		remove_and_record(machine, &record);
		assert_string_equal(record.text, cases[i].events);
		pgtsim_machine_free(&machine);
	}
}

/* The checker names what is freed before the IDTE, and nothing once memory and tables are gathered. */
static void test_checker(void **state)
{
	(void)state;
	for (unsigned edat = 0; edat <= 2; edat++) {
		struct pgtsim_machine *early = s390_machine(edat, 64, NULL, NULL);
		struct pgtsim_machine *late =
			s390_machine(edat, 64, "free-order", "after-invalidate");

		assert_int_equal(pgtsim_add_memory(&early->hotplug, 4 * GIB, SECTION), 0);
		assert_int_equal(pgtsim_remove_memory(&early->hotplug, 4 * GIB, SECTION), 0);
		assert_true(early->tlb.counts.violations > 0);
		assert_int_equal(early->tlb.violations[0].name, PGTSIM_V_FREED_WHILE_MAPPED);
		assert_int_equal(pgtsim_add_memory(&late->hotplug, 4 * GIB, SECTION), 0);
		assert_int_equal(pgtsim_remove_memory(&late->hotplug, 4 * GIB, SECTION), 0);
		assert_clean(late);
		assert_same(early, late);
		pgtsim_machine_free(&early);
		pgtsim_machine_free(&late);
	}
}

/* An add that fails leaves nothing; one that does not has everything, unless its failure was lost. */
static void check_add(unsigned edat, unsigned nth, bool lost)
{
	struct pgtsim_machine *machine =
		s390_machine(edat, 56, "free-order", "after-invalidate");
	uint64_t free_pages = pgtsim_memory_free_count(machine->memory);
	int ret;

	pgtsim_memory_fail(machine->memory, nth, false);
	ret = pgtsim_add_memory(&machine->hotplug, 4 * GIB, SECTION);
	pgtsim_memory_fail(machine->memory, 0, false);
	if (ret) {
		assert_int_equal(ret, -ENOMEM);
		assert_int_equal(pgtsim_memory_free_count(machine->memory), free_pages);
		assert_int_equal(machine->pgt.root->live, 0);
	}
	if (lost) {
		assert_int_equal(ret, 0);
		assert_true(pgtsim_check_machine(machine) > 0);
		assert_int_equal(machine->tlb.violations[0].name, PGTSIM_V_LINEAR_HOLE);
	} else {
		assert_clean(machine);
	}
	pgtsim_machine_free(&machine);
}

/*
 * Whichever allocation fails. With pages alone the failure of a page table of the identity mapping is
 * lost from the second one on: the kernel returns 0 and has mapped a part.
 */
static void test_failures(void **state)
{
	enum { LINEAR_TABLES = 256 };

	(void)state;
	for (unsigned nth = 1; nth <= 12; nth++) {
		check_add(1, nth, false);
		check_add(2, nth, false);
	}
	/* The segment table and the first page table, the others, and the memmap's first. */
	check_add(0, 1, false);
	check_add(0, 2, false);
	for (unsigned nth = 3; nth <= LINEAR_TABLES + 1; nth += 50)
		check_add(0, nth, true);
	check_add(0, LINEAR_TABLES + 2, false);
	check_add(0, LINEAR_TABLES + 3, false);
	check_add(0, LINEAR_TABLES + 4, false);
}

/* A table that cannot be had ends the add only of the table that it would be in: the next goes on. */
static void test_lost_failure(void **state)
{
	struct pgtsim_machine *machine = s390_machine(0, 64, NULL, NULL);
	const struct pgtsim_map map = { .va = 4 * GIB - 4 * MIB, .pa = 4 * GIB - 4 * MIB,
					.size = 8 * MIB, .region = PGTSIM_REGION_LINEAR };
	int level;

	(void)state;
	/* The segment table and two page tables; the third one fails. */
	pgtsim_memory_fail(machine->memory, 4, false);
	assert_int_equal(pgtsim_map(&machine->pgt, &map), 0);
	raw_at(machine, 4 * GIB - 3 * MIB, &level);
	assert_int_equal(level, PGTSIM_PTE);
	raw_at(machine, 4 * GIB - 2 * MIB, &level);
	assert_int_equal(level, PGTSIM_PMD);
	raw_at(machine, 4 * GIB - MIB, &level);
	assert_int_equal(level, PGTSIM_PMD);
	raw_at(machine, 4 * GIB, &level);
	assert_int_equal(level, PGTSIM_PTE);
	pgtsim_machine_free(&machine);
}

/* A populate that fails takes all of its range, what was there before included. */
static void test_failed_populate(void **state)
{
	struct pgtsim_machine *machine = s390_machine(1, 64, NULL, NULL);
	uint64_t start = machine->vmemmap.base + 64 * MIB;

	(void)state;
	assert_int_equal(pgtsim_vmemmap_populate(&machine->vmemmap, start, start + MIB, NULL, 0), 0);
	/* Neither the second segment nor a page table for it can be had. */
	pgtsim_memory_fail(machine->memory, 1, true);
	assert_int_equal(pgtsim_vmemmap_populate(&machine->vmemmap, start, start + 2 * MIB, NULL, 0),
			 -ENOMEM);
	assert_int_equal(machine->pgt.root->live, 0);
	assert_int_equal(machine->tlb.counts.pages_freed, 256);
	pgtsim_machine_free(&machine);
}

/* Without memory for a segment the memmap gets pages. */
static void test_fallback(void **state)
{
	struct pgtsim_machine *machine = s390_machine(1, 64, NULL, NULL);
	uint64_t start = machine->vmemmap.base + 64 * MIB;
	int level;

	(void)state;
	assert_int_equal(pgtsim_vmemmap_populate(&machine->vmemmap, start, start + MIB, NULL, 0), 0);
	pgtsim_memory_fail(machine->memory, 1, false);
	assert_int_equal(pgtsim_vmemmap_populate(&machine->vmemmap, start + MIB, start + 2 * MIB,
						 NULL, 0),
			 0);
	raw_at(machine, start, &level);
	assert_int_equal(level, PGTSIM_PMD);
	raw_at(machine, start + MIB, &level);
	assert_int_equal(level, PGTSIM_PTE);
	assert_clean(machine);
	pgtsim_machine_free(&machine);
}

/*
 * Sections of 3.5 MiB of memmap share segments: those added in order mark nothing; one out of order
 * marks the tail that was put off, and what lies before it. The segment goes with its last user.
 */
static void test_sub_segments(void **state)
{
	struct pgtsim_machine *machine = s390_machine(1, 56, NULL, NULL);
	const struct pgtsim_counts *counts = &machine->tlb.counts;

	(void)state;
	assert_int_equal(pgtsim_add_memory(&machine->hotplug, 4 * GIB, SECTION), 0);
	assert_int_equal(pgtsim_add_memory(&machine->hotplug, 4 * GIB + SECTION, SECTION), 0);
	assert_int_equal(counts->memmap_marked, 0);
	assert_int_equal(counts->pages_allocated, 7 * 256);
	/* The upper half of the shared segment goes: it is marked, and the segment stays. */
	assert_int_equal(pgtsim_remove_memory(&machine->hotplug, 4 * GIB + SECTION, SECTION), 0);
	assert_int_equal(counts->memmap_marked, MIB / 2);
	assert_int_equal(counts->pages_freed, 3 * 256);
	assert_int_equal(pgtsim_remove_memory(&machine->hotplug, 4 * GIB, SECTION), 0);
	assert_int_equal(counts->memmap_marked, MIB);
	assert_int_equal(counts->pages_freed, 7 * 256);
	/* The upper one first: what lies before it is marked. */
	assert_int_equal(pgtsim_add_memory(&machine->hotplug, 4 * GIB + SECTION, SECTION), 0);
	assert_int_equal(counts->memmap_marked, MIB + MIB / 2);
	assert_int_equal(machine->pgt.root->live, 2);
	pgtsim_machine_free(&machine);
}

/*
 * A tail whose mark was put off is not forgotten when its segment is removed as a whole: the kernel
 * marks later what is not there any more.
 */
static void test_tail_of_removed_segment(void **state)
{
	struct pgtsim_machine *machine = s390_machine(1, 64, "free-order", "after-invalidate");
	const struct pgtsim_counts *counts = &machine->tlb.counts;
	struct pgtsim_vmemmap *vmemmap = &machine->vmemmap;
	uint64_t start = vmemmap->base + 64 * MIB;

	(void)state;
	assert_int_equal(pgtsim_vmemmap_populate(vmemmap, start, start + MIB / 2, NULL, 0), 0);
	pgtsim_vmemmap_free(vmemmap, start, start + MIB, NULL);
	assert_int_equal(counts->memmap_marked, 0);
	assert_clean(machine);
	assert_int_equal(pgtsim_vmemmap_populate(vmemmap, start + 2 * MIB, start + 2 * MIB + MIB / 2,
						 NULL, 0),
			 0);
	assert_int_equal(counts->memmap_marked, MIB / 2);
	assert_int_equal(machine->tlb.counts.violations, 1);
	assert_int_equal(machine->tlb.violations[0].name, PGTSIM_V_MARKED_IN_USE);
	pgtsim_machine_free(&machine);
}

/* A range that cuts a leaf of the identity mapping leaves it as it is, of 1M and of 2G. */
static void test_cut_leaves(void **state)
{
	struct pgtsim_machine *machine = s390_machine(2, 64, NULL, NULL);
	int level;

	(void)state;
	assert_int_equal(pgtsim_add_memory(&machine->hotplug, 4 * GIB, 2 * GIB + SECTION), 0);
	assert_int_equal(pgtsim_unmap_linear(&machine->pgt, 4 * GIB + MIB, 4 * KIB, 0, 0), 0);
	assert_int_equal(pgtsim_unmap_linear(&machine->pgt, 6 * GIB + 4 * KIB, MIB, 0, 0), 0);
	raw_at(machine, 4 * GIB + MIB, &level);
	assert_int_equal(level, PGTSIM_PUD);
	raw_at(machine, 6 * GIB, &level);
	assert_int_equal(level, PGTSIM_PMD);
	raw_at(machine, 6 * GIB + MIB, &level);
	assert_int_equal(level, PGTSIM_PMD);
	assert_clean(machine);
	pgtsim_machine_free(&machine);
}

/* A machine that cannot be has a sentence. */
static struct pgtsim_machine *newest_machine(void)
{
	struct pgtsim_machine_config config;
	struct pgtsim_machine *machine;

	assert_int_equal(pgtsim_machine_config_s390(&config, "s390-7.3"), 0);
	config.ram = &s390_ram;
	config.ram_count = 1;
	config.edat = 2;
	config.va_bits = 53;
	assert_int_equal(pgtsim_machine_new(&machine, &config), 0);
	return machine;
}

/*
 * From 7.3 on a 2G leaf that a removal cuts is split by one CRDTE, so what is not removed stays
 * mapped, and no CPU has anything of the leaf. Without memory for the table the kernel goes on.
 */
static void test_split_leaves(void **state)
{
	struct pgtsim_machine *machine = newest_machine();
	int level;

	(void)state;
	assert_int_equal(pgtsim_add_memory(&machine->hotplug, 4 * GIB, 4 * GIB), 0);
	assert_int_equal(raw_at(machine, 4 * GIB, &level) & 0xffff, 0xf505);
	assert_int_equal(level, PGTSIM_PUD);
	assert_int_equal(pgtsim_unmap_linear(&machine->pgt, 5 * GIB, GIB, 0, 0), 0);
	assert_int_equal(raw_at(machine, 5 * GIB - MIB, &level) & 0xffff, 0xf501);
	assert_int_equal(level, PGTSIM_PMD);
	assert_int_equal(raw_at(machine, 5 * GIB, &level), 0x20);
	assert_int_equal(machine->tlb.counts.violations, 0);

	pgtsim_memory_fail(machine->memory, 1, false);
	assert_int_equal(pgtsim_unmap_linear(&machine->pgt, 7 * GIB, GIB, 0, 0), 0);
	assert_int_equal(raw_at(machine, 7 * GIB, &level) & 0xffff, 0xf505);
	assert_int_equal(machine->tlb.counts.violations, 1);
	assert_int_equal(machine->tlb.violations[0].name, PGTSIM_V_LEAF_AS_TABLE);
	pgtsim_machine_free(&machine);
}

static void test_refused(void **state)
{
	static const struct {
		uint32_t granule;
		unsigned va, edat;
		const char *profile, *text;
	} cases[] = {
		{ 16384, 42, 1, "s390-6.12", "s390 has no pages of 16K, only of 4K" },
		{ 4096, 48, 1, "s390-6.12",
		  "s390's kernel has no address space of 48 bits; use 42 (three levels) or 53 "
		  "(four)" },
		{ 4096, 42, 3, "s390-6.12",
		  "edat=3: 0 is pages alone, 1 has segments of 1M, 2 also regions of 2G" },
		{ 4096, 42, 1, "linux-6.12",
		  "linux-6.12 is a profile of arm64; format=s390 takes s390-5.9" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct pgtsim_machine_config config;
		struct pgtsim_machine *machine;
		struct pgtsim_error error;

		assert_int_equal(pgtsim_machine_config_s390(&config, cases[i].profile), 0);
		config.granule = cases[i].granule;
		config.va_bits = cases[i].va;
		config.edat = (uint8_t)cases[i].edat;
		config.error = &error;
		assert_int_equal(pgtsim_machine_new(&machine, &config), -EINVAL);
		assert_string_equal(error.text, cases[i].text);
	}
}

/* What only s390 can do is refused on arm64. */
static void test_refused_on_arm64(void **state)
{
	static const char *const knobs[][2] = {
		{ "leaf-split", "split" },    { "s390-bits", "7.3" },      { "leaf-at-zero", "on" },
		{ "altmap-full", "refused" }, { "add-outside", "erange" }, { "half-page-tables", "on" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(knobs); i++) {
		struct pgtsim_machine_config config;
		struct pgtsim_machine *machine;
		struct pgtsim_error error;
		char text[96];

		assert_int_equal(pgtsim_machine_config_init(&config, "latest"), 0);
		assert_int_equal(pgtsim_policy_set(&config.policy, knobs[i][0], knobs[i][1]), 0);
		config.error = &error;
		assert_int_equal(pgtsim_machine_new(&machine, &config), -EINVAL);
		snprintf(text, sizeof(text), "%s=%s is s390's: it goes with format=s390",
			 knobs[i][0], knobs[i][1]);
		assert_string_equal(error.text, text);
	}
}

/*
 * To 6.0 no large leaf maps address 0, to 6.7 an altmap is refused, and to 5.11 memory beyond the
 * identity mapping is -ERANGE.
 */
static void check_release(const char *profile, int level_at_zero, int with_altmap, int outside)
{
	struct pgtsim_machine_config config;
	struct pgtsim_machine *machine;
	struct pgtsim_altmap altmap = { .base = 4 * GIB >> 12, .free = 4096 };
	struct pgtsim_map map = { .size = 4 * GIB, .region = PGTSIM_REGION_LINEAR };
	int level;

	assert_int_equal(pgtsim_machine_config_s390(&config, profile), 0);
	config.ram = &s390_ram;
	config.ram_count = 1;
	config.edat = 2;
	machine = machine_of(&config);
	assert_int_equal(pgtsim_map(&machine->pgt, &map), 0);
	raw_at(machine, 0, &level);
	assert_int_equal(level, level_at_zero);
	raw_at(machine, 2 * GIB, &level);
	assert_int_equal(level, PGTSIM_PUD);
	pgtsim_unmap_linear(&machine->pgt, 0, 4 * GIB, 0, 0);
	assert_int_equal(add_device(machine, 4 * GIB, SECTION, &altmap), with_altmap);
	assert_int_equal(pgtsim_add_memory(&machine->hotplug, UINT64_C(1) << 43, SECTION), outside);
	pgtsim_machine_free(&machine);
}

static void test_releases(void **state)
{
	(void)state;
	check_release("s390-5.9", PGTSIM_PTE, -EINVAL, -ERANGE);
	check_release("s390-6.1", PGTSIM_PUD, -EINVAL, -E2BIG);
	check_release("s390-6.12", PGTSIM_PUD, 0, -E2BIG);
	check_release("s390-7.3", PGTSIM_PUD, 0, -E2BIG);
}

/* What is modelled for arm64 alone says so. */
static void test_not_yet(void **state)
{
	struct pgtsim_machine *machine = s390_machine(1, 64, NULL, NULL);

	(void)state;
	assert_int_equal(pgtsim_protect(&machine->pgt, 0, MIB, PGTSIM_PROTECT_RO, false), -EINVAL);
	assert_string_equal(pgtsim_machine_reason(machine, -EINVAL),
			    "format=s390 does not know how attributes change yet");
	assert_int_equal(pgtsim_split(&machine->pgt, 0, MIB), -EINVAL);
	assert_int_equal(pgtsim_join(&machine->pgt, 0), -EINVAL);
	assert_int_equal(pgtsim_vmap(&machine->pgt, 0, 0, MIB, false), -EINVAL);
	assert_int_equal(pgtsim_vunmap(&machine->pgt, 0, MIB), -EINVAL);
	pgtsim_machine_free(&machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_export),        cmocka_unit_test(test_ptdump),
		cmocka_unit_test(test_table_entries),
		cmocka_unit_test(test_releases),
		cmocka_unit_test(test_add),           cmocka_unit_test(test_large_leaves),
		cmocka_unit_test(test_mapped_elsewhere),
		cmocka_unit_test(test_remove_order),  cmocka_unit_test(test_checker),
		cmocka_unit_test(test_failures),      cmocka_unit_test(test_failed_populate),
		cmocka_unit_test(test_fallback),      cmocka_unit_test(test_sub_segments),
		cmocka_unit_test(test_tail_of_removed_segment),
		cmocka_unit_test(test_cut_leaves),
		cmocka_unit_test(test_split_leaves),    cmocka_unit_test(test_refused),
		cmocka_unit_test(test_refused_on_arm64),
		cmocka_unit_test(test_not_yet),       cmocka_unit_test(test_lost_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
