/* SPDX-License-Identifier: MIT */
/*
 * testing: assertions for unit tests of memory-management ideas, with CMocka. Header only; not
 * part of <pgtsim/pgtsim.h>, since it needs <cmocka.h>.
 *
 * A failing assertion prints what it found and fails the test at the line of the caller.
 */
#ifndef PGTSIM_TESTING_H
#define PGTSIM_TESTING_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <pgtsim/pgtsim.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- fixtures ---- */

/* A machine with defaults under a profile; fails the test if there can be none. */
#define pgtsim_test_machine(profile, granule, va_bits)                                             \
	pgtsim_test_machine_at(profile, granule, va_bits, __FILE__, __LINE__)

static inline struct pgtsim_machine *pgtsim_test_machine_at(const char *profile, uint32_t granule,
							    unsigned va_bits, const char *file,
							    int line)
{
	struct pgtsim_machine_config config;
	struct pgtsim_machine *machine = NULL;
	int ret = pgtsim_machine_config_init(&config, profile);

	config.granule = granule;
	config.va_bits = va_bits;
	if (!ret)
		ret = pgtsim_machine_new(&machine, &config);
	if (ret) {
		print_error("no machine %s, granule %" PRIu32 ", %u bits: error %d\n", profile,
			    granule, va_bits, -ret);
		_fail(file, line);
	}
	return machine;
}

/* CMocka's setup: *state is a machine of the newest profile, 4K granule, 48 bits … */
static inline int pgtsim_test_setup(void **state)
{
	*state = pgtsim_test_machine("latest", 4096, 48);
	return 0;
}

/* … and its teardown. */
static inline int pgtsim_test_teardown(void **state)
{
	struct pgtsim_machine *machine = (struct pgtsim_machine *)*state;

	pgtsim_machine_free(&machine);
	*state = NULL;
	return 0;
}

/* What a machine holds at one moment: pages of the allocator, and live tables. */
struct pgtsim_test_mark {
	uint64_t free_pages, tables;
};

static inline struct pgtsim_test_mark pgtsim_test_mark(const struct pgtsim_machine *machine)
{
	const struct pgtsim_counts *counts = &machine->tlb.counts;
	struct pgtsim_test_mark mark;

	mark.free_pages = pgtsim_memory_free_count(machine->memory);
	mark.tables = counts->tables_pgd + counts->tables_p4d + counts->tables_pud +
		      counts->tables_pmd + counts->tables_pte;
	return mark;
}

/* ---- mapped or not ---- */

static inline void pgtsim_test_print(void *ctx, const char *text)
{
	(void)ctx;
	print_error("%s", text);
}

static inline void pgtsim_test_print_walk(const struct pgtsim_machine *machine, uint64_t va)
{
	const struct pgtsim_printer out = { pgtsim_test_print, NULL };

	pgtsim_dump_walk(&machine->pgt, va, &out);
}

/* [va, va + size), bytes, is mapped to [pa, pa + size), every page of it. */
#define pgtsim_assert_mapped_to(machine, va, pa, size)                                             \
	pgtsim_assert_mapped_to_at(machine, va, pa, size, __FILE__, __LINE__)

static inline void pgtsim_assert_mapped_to_at(const struct pgtsim_machine *machine, uint64_t va,
					      uint64_t pa, uint64_t size, const char *file,
					      int line)
{
	uint64_t done = 0;

	while (done < size) {
		struct pgtsim_translation at;
		int ret = pgtsim_translate(&machine->pgt, va + done, &at);

		if (ret || at.pa != pa + done) {
			print_error("0x%016" PRIx64 " should be mapped to 0x%" PRIx64 ", but:\n",
				    va + done, pa + done);
			pgtsim_test_print_walk(machine, va + done);
			_fail(file, line);
			return;
		}
		done += at.size - ((va + done) & (at.size - 1));
	}
}

/* Nothing of [va, va + size), bytes, is mapped. */
#define pgtsim_assert_not_mapped(machine, va, size)                                                \
	pgtsim_assert_not_mapped_at(machine, va, size, __FILE__, __LINE__)

static inline void pgtsim_assert_not_mapped_at(const struct pgtsim_machine *machine, uint64_t va,
					       uint64_t size, const char *file, int line)
{
	const uint64_t page = pgtsim_page_size(&machine->geo);
	uint64_t done = 0;

	while (done < size) {
		struct pgtsim_translation at;

		if (!pgtsim_translate(&machine->pgt, va + done, &at)) {
			print_error("0x%016" PRIx64 " should not be mapped, but:\n", va + done);
			pgtsim_test_print_walk(machine, va + done);
			_fail(file, line);
			return;
		}
		/* A fault at a level holds for all that its entry covers. */
		if (at.fault == PGTSIM_FAULT_TRANSLATION && at.level < PGTSIM_PTE)
			done += pgtsim_entry_size(&machine->geo, at.level) -
				((va + done) & (pgtsim_entry_size(&machine->geo, at.level) - 1));
		else
			done += page - ((va + done) & (page - 1));
	}
}

/* ---- caches, leaks, invariants ---- */

enum { PGTSIM_TEST_SHOWN = 3 }; /* violations of one kind that are printed */

/* The first violations of one kind from number `from` on, and how many more there are. */
static inline void pgtsim_test_print_kind(const struct pgtsim_machine *machine, size_t from,
					  enum pgtsim_violation_name name)
{
	const struct pgtsim_violation_kind *kind = pgtsim_violation_kind(name);
	size_t count, found = 0;
	const struct pgtsim_violation *v = pgtsim_violations(&machine->tlb, &count);

	for (size_t i = from; i < count; i++) {
		const char *level = pgtsim_level_name(&machine->geo, v[i].level);

		if (v[i].name != name || found++ >= PGTSIM_TEST_SHOWN)
			continue;
		if (found == 1)
			print_error("%s: %s; instead: %s\n", kind->name, kind->meaning,
				    kind->instead);
		print_error("  0x%016" PRIx64 " (%s): %s\n", v[i].va, level ? level : "-",
			    v[i].text);
	}
	if (found > PGTSIM_TEST_SHOWN)
		print_error("  … and %u more\n", (unsigned)(found - PGTSIM_TEST_SHOWN));
}

/* The violations from number `from` on, kind by kind. */
static inline void pgtsim_test_print_violations(const struct pgtsim_machine *machine, size_t from)
{
	for (int name = 0; name < PGTSIM_V_COUNT; name++)
		pgtsim_test_print_kind(machine, from, (enum pgtsim_violation_name)name);
	if (machine->tlb.counts.violations > machine->tlb.violation_count)
		print_error("%" PRIu64 " violations in all; only the first are kept\n",
			    machine->tlb.counts.violations);
}

/* No TLB and no walk cache may hold what the tables no longer say; nothing was found so far. */
#define pgtsim_assert_nothing_stale(machine)                                                       \
	pgtsim_assert_nothing_stale_at(machine, __FILE__, __LINE__)

static inline void pgtsim_assert_nothing_stale_at(struct pgtsim_machine *machine, const char *file,
						  int line)
{
	if (!machine->tlb.checker) {
		print_error("the machine's checker is off\n");
		_fail(file, line);
		return;
	}
	pgtsim_tlb_end(&machine->tlb, pgtsim_va_start(&machine->geo), UINT64_MAX);
	if (machine->tlb.counts.violations) {
		pgtsim_test_print_violations(machine, 0);
		_fail(file, line);
	}
}

/* Every invariant holds: pgtsim_check_machine() finds nothing, nor was anything found before. */
#define pgtsim_assert_clean(machine) pgtsim_assert_clean_at(machine, __FILE__, __LINE__)

static inline void pgtsim_assert_clean_at(struct pgtsim_machine *machine, const char *file,
					  int line)
{
	pgtsim_check_machine(machine);
	if (machine->tlb.counts.violations) {
		pgtsim_test_print_violations(machine, 0);
		_fail(file, line);
	}
}

/* As many pages are free and as many tables live as at the mark. */
#define pgtsim_assert_nothing_leaked(machine, mark)                                                \
	pgtsim_assert_nothing_leaked_at(machine, mark, __FILE__, __LINE__)

static inline void pgtsim_assert_nothing_leaked_at(const struct pgtsim_machine *machine,
						   struct pgtsim_test_mark mark, const char *file,
						   int line)
{
	struct pgtsim_test_mark now = pgtsim_test_mark(machine);

	if (now.free_pages == mark.free_pages && now.tables == mark.tables)
		return;
	print_error("%" PRIu64 " pages are free, %" PRIu64 " were; %" PRIu64
		    " tables are live, %" PRIu64 " were\n",
		    now.free_pages, mark.free_pages, now.tables, mark.tables);
	_fail(file, line);
}

/*
 * Two machines hold the same: tables, memory, sections, zones. Says which part differs, and the first
 * entry that does.
 */
#define pgtsim_assert_machines_equal(a, b)                                                         \
	pgtsim_assert_machines_equal_at(a, b, __FILE__, __LINE__)

static inline void pgtsim_assert_machines_equal_at(const struct pgtsim_machine *a,
						   const struct pgtsim_machine *b,
						   const char *file, int line)
{
	const char *difference = pgtsim_machine_difference(a, b);
	struct pgtsim_difference first;

	if (!difference)
		return;
	print_error("the machines differ: %s\n", difference);
	if (!strcmp(difference, "page table") &&
	    pgtsim_pgtable_difference(&a->pgt, &b->pgt, &first))
		print_error("  0x%016" PRIx64 " (%s): 0x%016" PRIx64 " and 0x%016" PRIx64 "\n",
			    first.va, pgtsim_level_name(&a->geo, first.level), first.desc_a,
			    first.desc_b);
	_fail(file, line);
}

#ifdef __cplusplus
}
#endif

#endif
