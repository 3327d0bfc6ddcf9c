/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include "gallery/gallery.h"
#include "view/steps.h"
#include "view/words.h"
#include "view/tree.h"

static void print_nothing(void *ctx, const char *string)
{
	(void)ctx;
	(void)string;
}

static const struct run_options options = { .out = { .print = print_nothing } };

struct seen {
	const struct steps_index *index;
	struct tree tree;
	struct tree_row rows[64];
	size_t count;
	uint64_t tables, moments;
	unsigned rows_max;
	uint64_t focus;
	char text[1024];
};

static void keep_row(void *ctx, const struct tree_row *row)
{
	struct seen *seen = ctx;

	assert_true(seen->count < 64);
	seen->rows[seen->count++] = *row;
	seen->tables += row->tables;
}

static void look(void *ctx, struct run *run, const struct step *step)
{
	struct seen *seen = ctx;

	(void)step;
	assert_int_equal(tree_init(&seen->tree, run->machine), 0);
	if (seen->rows_max)
		seen->tree.rows_max = seen->rows_max;
	if (seen->focus)
		seen->tree.focus[seen->tree.focus_count++] = seen->focus;
	seen->count = 0;
	seen->tables = 0;
	tree_rows(&seen->tree, keep_row, seen);
	tree_fini(&seen->tree);
}

/* Makes a tree of the machine at the end of a scenario. */
static void visit(const char *text, steps_see *see, uint64_t first, uint64_t last,
		  struct seen *seen)
{
	struct scenario_error error;
	struct steps_index index;
	struct scenario scenario;

	assert_int_equal(scenario_parse(&scenario, text, strlen(text), &error), 0);
	assert_int_equal(steps_index(&index, &scenario, &options), 0);
	seen->index = &index;
	if (first == UINT64_MAX)
		first = index.end.count - 1;
	steps_seek(&index, first, last, see, seen);
	steps_index_free(&index);
	scenario_free(&scenario);
}

static void visit_end(const char *text, struct seen *seen)
{
	visit(text, look, UINT64_MAX, UINT64_MAX, seen);
}

/*
 * Tables that look the same are one row, in every geometry; the rows together contain all tables.
 */
static void alike_tables_fold(void **state)
{
	static const struct {
		const char *machine;
		unsigned rows, tables;
	} cases[] = {
		{ "granule=4K va=48", 4, 1 + 1 + 1 + 64 },
		{ "granule=4K va=39", 3, 1 + 1 + 64 },
		{ "granule=16K va=47", 3, 1 + 1 + 4 },
		{ "granule=64K va=42", 3 - 1, 1 + 1 },
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct seen seen = { 0 };

		snprintf(text, sizeof(text), "machine %s\nmap linear+0 0x80000000 128M blocks=off",
			 cases[i].machine);
		visit_end(text, &seen);
		assert_int_equal(seen.count, cases[i].rows);
		assert_int_equal(seen.tables, cases[i].tables);
	}
}

/* A table that differs in one entry has its own row, and so has one on the way to a focus. */
static void what_differs_stands_alone(void **state)
{
	static const char text[] = "machine va=39\nmap linear+0 0x80000000 16M blocks=off\n";
	struct seen seen = { 0 };
	char poked[256];

	(void)state;
	snprintf(poked, sizeof(poked), "%spoke pte linear+6M 0x00e8000080600703\n", text);
	visit_end(poked, &seen);
	assert_int_equal(seen.count, 2 + 3);
	assert_int_equal(seen.rows[2].tables, 3);
	assert_int_equal(seen.rows[3].tables, 1);
	assert_int_equal(seen.rows[4].tables, 4);
	seen.focus = UINT64_C(0xffffff8000200000);
	visit_end(text, &seen);
	assert_int_equal(seen.count, 2 + 3);
	assert_int_equal(seen.rows[2].tables, 1);
	assert_int_equal(seen.rows[3].va, seen.focus);
	assert_int_equal(seen.rows[4].tables, 6);
}

/* Two empty tables differ if an old entry of one of them may still be cached. */
static void what_is_stale_stands_alone(void **state)
{
	struct seen seen = { 0 };

	(void)state;
	visit_end("machine va=39 profile=linux-5.7\nmap linear+0 0x80000000 2M blocks=off\n"
		  "map linear+2M 0x80200000 2M blocks=off cont=off\nunmap-range linear+0 4M\n",
		  &seen);
	assert_int_equal(seen.count, 4);
	assert_int_equal(seen.rows[2].stale, 512 - 32);
	assert_int_equal(seen.rows[3].stale, 0);
}

/* When the most rows are reached, one more row counts the rest. */
static void rows_are_limited(void **state)
{
	struct seen seen = { .rows_max = 3 };
	char text[1024] = "machine va=39\n";

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 "map linear+%uM 0x80000000 %uK blocks=off\n", 2 * i, 4 + 4 * i);
	visit_end(text, &seen);
	assert_int_equal(seen.count, 4);
	assert_null(seen.rows[3].table);
	assert_int_equal(seen.rows[3].tables, 9);
	assert_int_equal(seen.tables, 12);
}

/* A part ends where the kind or the attributes of entries change. */
static void count_parts(void *ctx, struct run *run, const struct step *step)
{
	static const unsigned ends[] = { 4, 6, 8, 512 };
	struct seen *seen = ctx;
	struct tree_part part = { 0 };
	struct tree tree;

	look(ctx, run, step);
	assert_int_equal(tree_init(&tree, run->machine), 0);
	for (unsigned i = 0; i < 4; i++) {
		part = tree_part(&tree, &seen->rows[seen->count - 1], part.index + part.count);
		assert_int_equal(part.index + part.count, ends[i]);
		assert_int_equal(part.kind, i == 1 || i == 3 ? PGTSIM_NONE : PGTSIM_PAGE);
	}
	assert_int_equal(tree_part(&tree, &seen->rows[seen->count - 1], 512).count, 0);
	tree_fini(&tree);
	seen->moments++;
}

static void parts_are_what_is_alike(void **state)
{
	struct seen seen = { 0 };

	(void)state;
	visit("machine va=39\nmap linear+0 0x80000000 16K\nmap linear+24K 0x90000000 8K prot=ro\n",
	      count_parts, UINT64_MAX, UINT64_MAX, &seen);
	assert_int_equal(seen.moments, 1);
}

/* At every moment, the entries shown as stale are exactly those that may be stale. */
static void compare_stale(void *ctx, struct run *run, const struct step *step)
{
	const struct pgtsim_geometry *geo = &run->machine->geo;
	struct seen *seen = ctx;
	struct pgtsim_stale stale;
	struct tree tree;

	look(ctx, run, step);
	assert_int_equal(tree_init(&tree, run->machine), 0);
	for (size_t r = 0; r < seen->count; r++) {
		const struct tree_row *row = &seen->rows[r];
		const uint64_t size = pgtsim_entry_size(geo, row->level);
		struct tree_part part = tree_stale(&tree, row, 0);

		for (unsigned i = 0; i < row->entries; i++) {
			bool is =
				pgtsim_may_be_stale(&run->machine->tlb, row->va + i * size, &stale);

			if (i >= part.index + part.count)
				part = tree_stale(&tree, row, i);
			if (part.kind != PGTSIM_NONE && i >= part.index) {
				assert_true(is &&
					    (stale.level != row->level ||
					     stale.desc == part.desc + (i - part.index) * size));
				seen->moments++;
			} else {
				assert_false(is && stale.level == row->level);
			}
		}
	}
	tree_fini(&tree);
}

static void stale_is_what_may_be_stale(void **state)
{
	static const char *const machines[] = { "profile=linux-5.7 cont=on", "profile=latest" };
	char text[256];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct seen seen = { 0 };

		snprintf(
			text, sizeof(text),
			"machine va=39 %s\nmap linear+0 0x80000000 128K\nmap linear+4M 0x80400000 8K\n"
			"unmap linear+0 128K\nunmap linear+4M 8K\n",
			machines[i]);
		visit(text, compare_stale, 0, UINT64_MAX, &seen);
		assert_true(seen.moments > 100);
	}
}

static void take_ahead(void *ctx, struct run *run, const struct step *step)
{
	struct seen *seen = ctx;
	struct tree tree;
	uint64_t ahead;

	assert_int_equal(tree_init(&tree, run->machine), 0);
	ahead = tree_take_ahead(&tree, step->event);
	seen->tables += ahead;
	seen->moments += ahead && tree.stale_count;
	seen->count += tree.stale_count;
	tree_fini(&tree);
}

/*
 * While contiguous groups are written for the first time nothing is gone: what a TLB may hold of a group
 * before all of it is there is ahead, 15 entries after the first one. While they are cleared nothing is.
 */
static void half_groups_are_ahead(void **state)
{
	static const char map[] = "machine va=39\nmap linear+0 0x80000000 128K\n";
	struct seen seen = { 0 }, all = { 0 };
	char text[128];

	(void)state;
	visit(map, take_ahead, 0, UINT64_MAX, &seen);
	assert_int_equal(seen.tables, 2 * (15 * 16 / 2));
	assert_int_equal(seen.count, 0);
	snprintf(text, sizeof(text), "%sunmap linear+0 128K\n", map);
	visit(text, take_ahead, 0, UINT64_MAX, &all);
	assert_int_equal(all.tables, seen.tables);
	assert_true(all.count > 0);
}

/* An empty table in the pass's range is kept unless all of it is between the bounds. */
static void kept_tables(void **state)
{
	struct pgtsim_table table = { 0 };
	struct tree_row row = { .table = &table, .depth = 1, .va = 0x4000, .span = 0x1000 };
	static const struct {
		struct tree_pass pass;
		uint32_t live;
		int kept;
	} cases[] = {
		{ { true, 0, 0xffff, 0, 0 }, 0, 0 },
		{ { true, 0, 0xffff, 0x4000, 0x5000 }, 0, 0 },
		{ { true, 0, 0xffff, 0x4001, 0 }, 0, -1 },
		{ { true, 0, 0xffff, 0, 0x4fff }, 0, 1 },
		{ { true, 0, 0xffff, 0, 0x4fff }, 1, 0 },
		{ { true, 0x5000, 0xffff, 0, 0x4fff }, 0, 0 },
		{ { true, 0, 0x3fff, 0, 0x3000 }, 0, 0 },
		{ { false, 0, 0xffff, 0, 0x4fff }, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		table.live = cases[i].live;
		assert_int_equal(tree_kept(&row, &cases[i].pass), cases[i].kept);
	}
	row.depth = 0;
	assert_int_equal(tree_kept(&row, &cases[2].pass), 0);
}

static void keep_text(void *ctx, const char *text)
{
	struct seen *seen = ctx;

	strncat(seen->text, text, sizeof(seen->text) - strlen(seen->text) - 1);
}

/* Every moment of every scenario has a sentence: one complete line. */
static void check_sentence(void *ctx, struct run *run, const struct step *step)
{
	struct seen *seen = ctx;
	const struct pgtsim_printer out = { keep_text, seen };
	size_t length;

	seen->text[0] = '\0';
	words_moment(&out, run, step, seen->index);
	length = strlen(seen->text);
	assert_true(length > 8 && length < 600);
	assert_null(strchr(seen->text, '\n'));
	if (step->event)
		assert_int_equal(seen->text[length - 1], '.');
	seen->moments++;
}

static void every_moment_has_a_sentence(void **state)
{
	struct seen seen = { 0 };

	(void)state;
	for (const struct gallery_pair *pair = gallery_pairs; pair->number; pair++)
		if (in_share((unsigned)(pair - gallery_pairs)))
			visit(pair->bad.text, check_sentence, 0, 3000, &seen);
	assert_true(seen.moments > 3000 / test_share());
}

static const struct {
	const char *text, *sentence;
	uint64_t moment;
} sentences[] = {
	{ "machine granule=16K va=47\n",
	  "A machine with the page table of latest: 16K pages, 47-bit addresses, 3 levels. "
	  "The root table is empty.",
	  0 },
	{ "machine va=39\nmap linear+2M 0x80200000 2M blocks=on\n",
	  "A leaf is written: pmd[1] is now a block, and VA 0xffffff8000200000 (2M) maps to "
	  "PA 0x80200000.",
	  7 },
	{ "machine\nexpect-error EINVAL add 0x80000000+1M\n",
	  "add ends with -EINVAL, as expected: its size is not a multiple of the memory "
	  "block (128M).",
	  UINT64_MAX },
	{ "machine\nadd 0x80000000+1M\n",
	  "The run ends here: add 0x80000000+1M: its size is not a multiple of the memory "
	  "block (128M) (EINVAL).",
	  UINT64_MAX },
	{ "machine va=39\nbounds linear+2M linear+4M\nfree-tables linear+0 4M\n",
	  "Pass 2 (free tables) over the 4M from VA 0xffffff8000000000 (linear map) begins: "
	  "every table that is empty now is freed, if the floor 0xffffff8000200000 and the "
	  "ceiling 0xffffff8000400000 leave all of it to this region.",
	  2 },
	{ "machine va=39\nfree-tables linear+0 4M\n",
	  "Pass 2 (free tables) over the 4M from VA 0xffffff8000000000 (linear map) begins: "
	  "every table that is empty now is freed, if the floor 0xffffff8000000000 and the "
	  "ceiling 0xffffffc000000000 leave all of it to this region.",
	  1 },
	{ "machine\nnote Now it begins.\n", "Now it begins.", UINT64_MAX },
	{ "machine\nbarrier dmb-ishst\n",
	  "DMB ISHST: stores after it are seen after those before it. It waits for nothing.",
	  1 },
	{ "machine\nbarrier dsb-nsh\n",
	  "DSB NSH: waits like DSB ISH, but only for this CPU.",
	  1 },
	{ "machine va=39\ntlbi range-walk linear+0 2M\n",
	  "TLBI RVAAE1IS: every CPU drops what it has cached of the range from VA "
	  "0xffffff8000000000, of all levels.",
	  1 },
};

/* Sentences name the right entries, addresses and errors. */
static void sentences_say_what_happened(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(sentences) / sizeof(sentences[0]); i++) {
		struct seen seen = { 0 };

		visit(sentences[i].text, check_sentence, sentences[i].moment, sentences[i].moment, &seen);
		assert_string_equal(seen.text, sentences[i].sentence);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(half_groups_are_ahead),
		cmocka_unit_test(alike_tables_fold),
	cmocka_unit_test(what_differs_stands_alone),
	cmocka_unit_test(what_is_stale_stands_alone),
	cmocka_unit_test(rows_are_limited),
	cmocka_unit_test(parts_are_what_is_alike),
	cmocka_unit_test(stale_is_what_may_be_stale),
	cmocka_unit_test(kept_tables),
	cmocka_unit_test(every_moment_has_a_sentence),
	cmocka_unit_test(sentences_say_what_happened),
};

int main(void)
{
	return cmocka_run_group_tests_name("tree", tests, NULL, NULL);
}
