/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include <ctype.h>

#include <pgtsim/trace.h>
#include <pgtsim/vmemmap.h>

#include "events/events.h"

/* ---- what a trace says ---- */

struct text {
	char *at;
	size_t length, room;
};

static void text_add(void *ctx, const char *more)
{
	struct text *text = ctx;
	size_t n = strlen(more);

	if (text->length + n + 1 > text->room) {
		text->room = 2 * (text->length + n + 1);
		text->at = realloc(text->at, text->room);
		assert_non_null(text->at);
	}
	memcpy(text->at + text->length, more, n + 1);
	text->length += n;
}

/* A page table whose events are traced from after its creation on. */
struct traced {
	struct fixture f;
	struct pgtsim_trace trace;
	struct text text;
};

static void start(struct traced *t, const char *name, const struct pgtsim_geometry *geo)
{
	const struct pgtsim_policy policy = profile(name);
	const struct pgtsim_printer out = { text_add, &t->text };

	t->text = (struct text){ 0 };
	fixture_init(&t->f, &policy, geo);
	pgtsim_tlb_reset_counts(&t->f.tlb);
	pgtsim_trace_start(&t->trace, &t->f.tlb, &t->f.pgt.geo, &out);
}

static void stop(struct traced *t)
{
	pgtsim_trace_stop(&t->trace);
	free(t->text.at);
	fixture_drop(&t->f);
}

static uint64_t first_va(const struct traced *t)
{
	return pgtsim_va_start(&t->f.pgt.geo);
}

static void map_pages(struct traced *t, uint64_t va, uint64_t pa, uint64_t size)
{
	assert_int_equal(map_linear(&t->f, va, pa, size, false), 0);
}

static void send(struct traced *t, const struct pgtsim_event *event)
{
	t->text.length = 0;
	pgtsim_emit_event_slowly(&t->f.tlb, event);
}

/* ---- reading a line: an object of strings, numbers and arrays of strings ---- */

static const char *skip_string(const char *at)
{
	assert_int_equal(*at++, '"');
	for (; *at != '"'; at++) {
		assert_true(isprint((unsigned char)*at));
		assert_int_not_equal(*at, '\\');
	}
	return at + 1;
}

static const char *skip_value(const char *at)
{
	if (*at == '"')
		return skip_string(at);
	if (*at == '[') {
		do
			at = skip_string(at + 1);
		while (*at == ',');
		assert_int_equal(*at, ']');
		return at + 1;
	}
	assert_true(isdigit((unsigned char)*at));
	assert_false(at[0] == '0' && isdigit((unsigned char)at[1]));
	return at + strspn(at, "0123456789");
}

/* Fails unless the line is a JSON object of that form. */
static void is_json(const char *at)
{
	assert_int_equal(*at, '{');
	do {
		at = skip_string(at + 1);
		assert_int_equal(*at, ':');
		at = skip_value(at + 1);
	} while (*at == ',');
	assert_string_equal(at, "}");
}

static bool has(const char *line, const char *what)
{
	return strstr(line, what) != NULL;
}

/* The number of this field, or `otherwise` if there is none. */
static uint64_t number(const char *line, const char *field, uint64_t otherwise)
{
	char name[32];
	const char *at;

	snprintf(name, sizeof(name), "\"%s\":", field);
	at = strstr(line, name);
	return at ? strtoull(at + strlen(name), NULL, 10) : otherwise;
}

/* The operation's name, as if it stood alone: {"op":"map" … */
static bool is_op(const char *line, const char *op)
{
	const size_t start_of_name = strlen("{\"op\":\"");

	return strncmp(line + start_of_name, op, strlen(op)) == 0 &&
	       line[start_of_name + strlen(op)] == '"';
}

/* What the flags of a line say happened `n` times. */
static void add_flags(struct pgtsim_counts *counts, const char *line, uint64_t n)
{
	if (has(line, "\"sync\"")) {
		counts->dsb += n;
		counts->isb += n;
	}
	if (has(line, "\"flush\"")) {
		counts->dsb += 2 * n;
		counts->dsb_ish += n;
		counts->isb += n;
		counts->tlbi_leaf += n;
	}
	if (has(line, "\"ctor\""))
		counts->tables_constructed += n;
	if (has(line, "\"dtor\""))
		counts->tables_destructed += n;
}

static void add_line(struct pgtsim_counts *counts, const char *line)
{
	const struct {
		const char *op;
		uint64_t *counter;
	} ops[] = {
		{ "table-alloc", &counts->tables_allocated },
		{ "table-free", &counts->tables_freed },
		{ "map", &counts->leaves_mapped },
		{ "clear", &counts->leaves_cleared },
		{ "pages-alloc", &counts->pages_allocated },
		{ "pages-free", &counts->pages_freed },
		{ "altmap-alloc", &counts->altmap_allocated },
		{ "altmap-free", &counts->altmap_freed },
		{ "dsb-ishst", &counts->dsb },
		{ "dsb-ish", &counts->dsb },
		{ "isb", &counts->isb },
		{ "tlbi-leaf", &counts->tlbi_leaf },
		{ "tlbi-walk", &counts->tlbi_walk },
		{ "tlbi-range", &counts->tlbi_range },
		{ "tlbi-all", &counts->tlbi_all },
	};
	uint64_t n = number(line, "count", 1);

	if (is_op(line, "dsb-ish"))
		counts->dsb_ish += n;
	for (size_t i = 0; i < COUNT(ops); i++)
		if (is_op(line, ops[i].op))
			*ops[i].counter += n;
	add_flags(counts, line, n);
}

/* Every line is JSON, and all together tell what the counters say. */
static void trace_tells_the_counts(struct traced *t)
{
	struct pgtsim_counts told = { 0 };
	const struct pgtsim_counts *counts = &t->f.tlb.counts;
	unsigned lines = 0;

	for (char *line = strtok(t->text.at, "\n"); line; line = strtok(NULL, "\n"), lines++) {
		is_json(line);
		if (lines)
			add_line(&told, line);
	}
	/* Tables now live, and what was read and written, are not in a trace. */
	told.tables_pgd = counts->tables_pgd;
	told.tables_p4d = counts->tables_p4d;
	told.tables_pud = counts->tables_pud;
	told.tables_pmd = counts->tables_pmd;
	told.tables_pte = counts->tables_pte;
	told.tables_kept = counts->tables_kept;
	told.entries_read = counts->entries_read;
	told.lines_touched = counts->lines_touched;
	told.entries_written = counts->entries_written;
	told.violations = counts->violations;
	assert_counts_equal(&told, counts);
	assert_true(lines > 10);
}

/* ---- tests ---- */

/* The first mapping of a 4K/39 table, line by line. */
static void a_map_line_by_line(void **state)
{
	const struct pgtsim_geometry geo = linux_geometry(4, 39, 0, 0);
	struct traced t;

	(void)state;
	start(&t, "linux-6.1", &geo);
	map_pages(&t, first_va(&t) + 0x1000, 0x80000000, 0x2000);
	assert_string_equal(
		t.text.at,
		"{\"format\":\"pgtsim-trace\",\"version\":1}\n"
		"{\"op\":\"begin-map\",\"va\":\"0xffffff8000001000\",\"size\":8192}\n"
		"{\"op\":\"table-alloc\",\"level\":\"pmd\",\"va\":\"0xffffff8000001000\","
		"\"pa\":\"0x0000000040001000\"}\n"
		"{\"op\":\"dsb-ishst\"}\n"
		"{\"op\":\"link\",\"level\":\"pgd\",\"va\":\"0xffffff8000000000\","
		"\"size\":1073741824,\"old\":\"0x0000000000000000\","
		"\"new\":\"0x1800000040001003\",\"flags\":[\"seen\"]}\n"
		"{\"op\":\"table-alloc\",\"level\":\"pte\",\"va\":\"0xffffff8000001000\","
		"\"pa\":\"0x0000000040002000\"}\n"
		"{\"op\":\"dsb-ishst\"}\n"
		"{\"op\":\"link\",\"level\":\"pmd\",\"va\":\"0xffffff8000000000\","
		"\"size\":2097152,\"old\":\"0x0000000000000000\","
		"\"new\":\"0x1800000040002003\"}\n"
		"{\"op\":\"dsb-ishst\"}\n"
		"{\"op\":\"isb\"}\n"
		"{\"op\":\"map\",\"level\":\"pte\",\"va\":\"0xffffff8000001000\",\"count\":2,"
		"\"size\":4096,\"old\":\"0x0000000000000000\",\"new\":\"0x00e8000080000707\","
		"\"step\":\"0x0000000000001000\",\"pa\":\"0x0000000080000000\","
		"\"flags\":[\"sync\"]}\n");
	stop(&t);
}

/* What is taken down again: one line a run, in the order of the kernel. */
static void an_unmap_line_by_line(void **state)
{
	const struct pgtsim_geometry geo = linux_geometry(16, 36, 0, 0);
	struct traced t;
	struct pgtsim_unmap unmap;

	(void)state;
	start(&t, "linux-6.12", &geo);
	map_pages(&t, first_va(&t), 0x80000000, 0xc000);
	unmap = (struct pgtsim_unmap){ .start = first_va(&t), .end = first_va(&t) + 0xc000 };
	t.text.length = 0;
	assert_int_equal(pgtsim_unmap_range(&t.f.pgt, &unmap), 0);
	assert_int_equal(pgtsim_free_tables(&t.f.pgt, unmap.start, unmap.end, 0, 0), 0);
	assert_string_equal(
		t.text.at,
		"{\"op\":\"begin-pass-1\",\"va\":\"0xfffffff000000000\",\"size\":49152}\n"
		"{\"op\":\"clear\",\"level\":\"pte\",\"va\":\"0xfffffff000000000\",\"count\":3,"
		"\"size\":16384,\"old\":\"0x00e8000080000707\",\"new\":\"0x0000000000000000\","
		"\"step\":\"0x0000000000004000\",\"pa\":\"0x0000000080000000\"}\n"
		"{\"op\":\"dsb-ishst\"}\n"
		"{\"op\":\"tlbi-leaf\",\"va\":\"0xfffffff000000000\",\"count\":3,\"size\":16384}\n"
		"{\"op\":\"dsb-ish\"}\n"
		"{\"op\":\"isb\"}\n"
		"{\"op\":\"end\",\"va\":\"0xfffffff000000000\",\"last\":\"0xfffffff00000bfff\"}\n"
		"{\"op\":\"begin-pass-2\",\"va\":\"0xfffffff000000000\",\"size\":49152}\n"
		"{\"op\":\"unlink\",\"level\":\"pgd\",\"va\":\"0xfffffff000000000\","
		"\"size\":33554432,\"old\":\"0x1800000040004003\","
		"\"new\":\"0x0000000000000000\"}\n"
		"{\"op\":\"dsb-ishst\"}\n"
		"{\"op\":\"isb\"}\n"
		"{\"op\":\"dsb-ishst\"}\n"
		"{\"op\":\"tlbi-walk\",\"va\":\"0xfffffff000000000\"}\n"
		"{\"op\":\"dsb-ish\"}\n"
		"{\"op\":\"isb\"}\n"
		"{\"op\":\"table-free\",\"level\":\"pte\",\"va\":\"0xfffffff000000000\","
		"\"pa\":\"0x0000000040004000\"}\n"
		"{\"op\":\"end\",\"va\":\"0xfffffff000000000\",\"last\":\"0xfffffff00000bfff\"}\n");
	stop(&t);
}

/* A root is "pgd" whatever its level; a level that is folded away has no name to print. */
static void levels_have_names(void **state)
{
	const struct pgtsim_geometry geo = linux_geometry(64, 42, 0, 0);
	struct traced t;

	(void)state;
	start(&t, "latest", &geo);
	send(&t, &(struct pgtsim_event){ .op = PGTSIM_OP_TABLE_ALLOC, .level = PGTSIM_PGD });
	assert_string_equal(t.text.at, "{\"op\":\"table-alloc\",\"level\":\"pgd\","
				       "\"va\":\"0x0000000000000000\","
				       "\"pa\":\"0x0000000000000000\"}\n");
	send(&t, &(struct pgtsim_event){ .op = PGTSIM_OP_LINK, .level = PGTSIM_PMD, .count = 1 });
	assert_true(has(t.text.at, "{\"op\":\"link\",\"level\":\"pgd\",\"va\":"));
	send(&t, &(struct pgtsim_event){ .op = PGTSIM_OP_LINK, .level = PGTSIM_PUD, .count = 1 });
	assert_true(has(t.text.at, "{\"op\":\"link\",\"va\":"));
	stop(&t);
}

/* An operation, and its line up to the flags. */
static const struct {
	enum pgtsim_op op;
	const char *expected;
} rows[] = {
	{ PGTSIM_OP_PAGES_ALLOC, "pages-alloc\",\"count\":9,\"pa\":\"0x0000000000000003\"" },
	{ PGTSIM_OP_PAGES_FREE, "pages-free\",\"count\":9,\"pa\":\"0x0000000000000003\"" },
	{ PGTSIM_OP_ALTMAP_ALLOC, "altmap-alloc\",\"count\":9,\"pa\":\"0x0000000000000003\"" },
	{ PGTSIM_OP_ALTMAP_FREE, "altmap-free\",\"count\":9,\"pa\":\"0x0000000000000003\"" },
	{ PGTSIM_OP_DSB_ISHST, "dsb-ishst\",\"count\":9" },
	{ PGTSIM_OP_DSB_ISH, "dsb-ish\",\"count\":9" },
	{ PGTSIM_OP_ISB, "isb\",\"count\":9" },
	{ PGTSIM_OP_TLBI_RANGE,
	  "tlbi-range\",\"va\":\"0x0000000000000001\",\"count\":9,\"size\":2" },
	{ PGTSIM_OP_TLBI_ALL, "tlbi-all\",\"count\":9" },
	{ PGTSIM_OP_BEGIN_POPULATE,
	  "begin-populate\",\"va\":\"0x0000000000000001\",\"count\":9,\"size\":2" },
};

/* Each operation has the fields that say something of it, and all flags have names. */
static void operations_have_their_fields(void **state)
{
	const struct pgtsim_geometry geo = linux_geometry(4, 48, 0, 0);
	struct traced t;

	(void)state;
	start(&t, "latest", &geo);
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct pgtsim_event event = {
			.op = rows[i].op,
			.flags = 7,
			.va = 1,
			.count = 9,
			.size = 2,
			.pa = 3,
		};
		char expected[256];

		send(&t, &event);
		snprintf(expected, sizeof(expected),
			 "{\"op\":\"%s,\"flags\":[\"sync\",\"flush\",\"free\"]}\n",
			 rows[i].expected);
		assert_string_equal(t.text.at, expected);
	}
	stop(&t);
}

/* Every operation there is makes one line of JSON, with the largest numbers too. */
static void every_operation_is_json(void **state)
{
	const struct pgtsim_geometry geo = linux_geometry(4, 52, 0, 0);
	const uint64_t all = UINT64_MAX;
	struct traced t;

	(void)state;
	start(&t, "latest", &geo);
	for (int op = 0; op < PGTSIM_OP_COUNT; op++) {
		send(&t, &(struct pgtsim_event){ .op = (enum pgtsim_op)op,
						 .level = PGTSIM_PTE,
						 .flags = 7,
						 .va = all,
						 .count = all,
						 .size = all,
						 .old_desc = all,
						 .new_desc = all,
						 .step = all,
						 .pa = all });
		assert_int_equal(t.text.at[t.text.length - 1], '\n');
		t.text.at[t.text.length - 1] = '\0';
		is_json(t.text.at);
		assert_true(is_op(t.text.at, pgtsim_op_name((enum pgtsim_op)op)));
	}
	stop(&t);
}

/* An invalidate for less or more than the Inner Shareable domain says for whom it is. */
static void scopes_have_names(void **state)
{
	static const char *const names[] = { "", "\"scope\":\"local\"", "\"scope\":\"os\"",
					     "\"scope\":\"iommu\"" };
	const struct pgtsim_geometry geo = linux_geometry(4, 48, 0, 48);
	struct traced t;

	(void)state;
	start(&t, "latest", &geo);
	for (unsigned scope = 0; scope < COUNT(names); scope++) {
		t.text.length = 0;
		assert_int_equal(pgtsim_invalidate(&t.f.tlb, PGTSIM_OP_TLBI_ALL, 0, 0, 0,
						   (enum pgtsim_scope)scope, 0),
				 0);
		assert_non_null(strstr(t.text.at, names[scope]));
	}
	stop(&t);
}

/* After the stop nothing more is printed; other observers stay. */
static void nothing_after_the_stop(void **state)
{
	const struct pgtsim_geometry geo = linux_geometry(4, 48, 0, 0);
	struct recorder recorder;
	struct traced t;
	size_t length;

	(void)state;
	start(&t, "latest", &geo);
	recorder_start(&recorder, &t.f);
	pgtsim_trace_stop(&t.trace);
	length = t.text.length;
	map_pages(&t, first_va(&t), 0x80000000, 0x1000);
	assert_int_equal(t.text.length, length);
	assert_true(recorder.count > 0);
	recorder_stop(&recorder, &t.f);
	stop(&t);
}

/* A linear map and a vmemmap come and go; the vmemmap's memory from pages and from an altmap. */
static void come_and_go(struct traced *t)
{
	struct pgtsim_pgtable *pgt = &t->f.pgt;
	uint64_t pmd = pgtsim_entry_size(&pgt->geo, PGTSIM_PMD), linear = first_va(t);
	struct pgtsim_altmap altmap = { .base = 0x80000, .free = 0x10000 };
	struct pgtsim_vmemmap vmemmap = {
		.pgt = pgt,
		.memory = t->f.memory,
		.start = -8 * pmd,
		.end = -pmd,
		.base = -8 * pmd,
		.section_pages = pmd / 64,
		.struct_page = 64,
	};
	const struct pgtsim_unmap unmap = { .start = linear, .end = linear + 3 * pmd };
	const uint64_t size = 64 * pgtsim_page_size(&pgt->geo);

	assert_int_equal(map_linear(&t->f, linear, 0, 2 * pmd, true), 0);
	assert_int_equal(map_linear(&t->f, linear + 2 * pmd, 2 * pmd, size, false), 0);
	assert_int_equal(
		pgtsim_vmemmap_populate(&vmemmap, vmemmap.start, vmemmap.start + size, NULL, 0), 0);
	assert_int_equal(pgtsim_vmemmap_populate(&vmemmap, vmemmap.start + pmd,
						 vmemmap.start + pmd + size, &altmap, 0),
			 0);
	assert_int_equal(pgtsim_vmemmap_free(&vmemmap, vmemmap.start + pmd,
					     vmemmap.start + pmd + size,
					     altmap.alloc ? &altmap : NULL),
			 0);
	assert_int_equal(pgtsim_vmemmap_free(&vmemmap, vmemmap.start, vmemmap.start + size, NULL),
			 0);
	assert_int_equal(pgtsim_unmap_range(pgt, &unmap), 0);
	assert_int_equal(pgtsim_free_tables(pgt, unmap.start, unmap.end, 0, 0), 0);
}

/* The runs of a trace, expanded, are what the counters count, for every kernel. */
static void totals_equal_the_counters(void **state)
{
	static const struct {
		unsigned kib, va;
	} geometries[] = { { 4, 39 }, { 4, 48 }, { 16, 47 }, { 64, 48 }, { 4, 52 } };

	(void)state;
	for (size_t i = 0; i < COUNT(all_profiles); i++) {
		for (size_t g = 0; g < COUNT(geometries); g++) {
			const struct pgtsim_geometry geo =
				linux_geometry(geometries[g].kib, geometries[g].va, 0, 0);
			struct traced t;

			start(&t, all_profiles[i], &geo);
			come_and_go(&t);
			assert_int_equal(t.f.tlb.counts.violations, 0);
			trace_tells_the_counts(&t);
			stop(&t);
		}
	}
}

/* The same with range operations, which 7.3 uses where the CPU has them. */
static void totals_with_range_operations(void **state)
{
	const struct pgtsim_geometry geo = linux_geometry(4, 48, 0, 0);
	struct traced t;

	(void)state;
	start(&t, "linux-7.3", &geo);
	t.f.tlb.range_operations = true;
	come_and_go(&t);
	assert_true(t.f.tlb.counts.tlbi_range > 0);
	trace_tells_the_counts(&t);
	stop(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_map_line_by_line),
		cmocka_unit_test(an_unmap_line_by_line),
		cmocka_unit_test(levels_have_names),
		cmocka_unit_test(operations_have_their_fields),
		cmocka_unit_test(every_operation_is_json),
		cmocka_unit_test(scopes_have_names),
		cmocka_unit_test(nothing_after_the_stop),
		cmocka_unit_test(totals_equal_the_counters),
		cmocka_unit_test(totals_with_range_operations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
