/* SPDX-License-Identifier: MIT */
/*
 * The gallery: each bad scenario finds what it says and nothing else, each good one is clean, and
 * a scenario that is not what it says is noticed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gallery/gallery.h"

enum { TEXT_MAX = 1 << 13 };

static void drop(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

static const struct pgtsim_printer nowhere = { drop, NULL };

static void collect(void *ctx, const char *text)
{
	strncat(ctx, text, TEXT_MAX - 1 - strlen(ctx));
}

/* A gallery file with another text, which the caller owns. */
static struct gallery_file file_with(const struct gallery_file *file, const char *text)
{
	return (struct gallery_file){ file->name, text, strlen(text) };
}

static struct gallery_verdict play_text(const char *text)
{
	const struct gallery_file file = { "text.pgt", text, strlen(text) };
	struct gallery_verdict verdict;

	gallery_play(&file, &nowhere, NULL, NULL, &verdict);
	return verdict;
}

/* Writes `text` with the one place that says `from` changed to `to`. */
static void change(char *out, const char *text, const char *from, const char *to)
{
	const char *place = strstr(text, from);

	if (!place || strstr(place + 1, from))
		fail_msg("not one '%s' in:\n%s", from, text);
	snprintf(out, TEXT_MAX, "%.*s%s%s", (int)(place - text), text, to, place + strlen(from));
}

/* Where the opening comment ends. */
static size_t comment_length(const char *text)
{
	size_t length = 0;

	while (text[length] == '#')
		length += strcspn(text + length, "\n") + 1;
	return length;
}

static void play_as_told(const struct gallery_file *file)
{
	struct gallery_verdict verdict;

	gallery_play(file, &nowhere, NULL, NULL, &verdict);
	if (!verdict.as_told)
		fail_msg("%s: found '%s', %u: %s", file->name, verdict.found, verdict.error.line,
			 verdict.error.message);
}

/* Each scenario finds what its line "# finds:" says: good ones nothing, bad ones something. */
static void each_finds_what_it_says(void **state)
{
	(void)state;
	for (const struct gallery_pair *pair = gallery_pairs; pair->number; pair++) {
		char finds[160];

		play_as_told(&pair->bad);
		play_as_told(&pair->good);
		gallery_value(&pair->bad, "finds", finds, sizeof(finds));
		assert_string_not_equal(finds, "nothing");
		gallery_value(&pair->good, "finds", finds, sizeof(finds));
		assert_string_equal(finds, "nothing");
	}
}

/* The gallery is numbered from B1 on without a gap. */
static void all_rows_are_there(void **state)
{
	enum { PAIRS = 38 };

	(void)state;
	for (unsigned i = 0; i < PAIRS; i++)
		assert_int_equal(gallery_pairs[i].number, i + 1);
	assert_int_equal(gallery_pairs[PAIRS].number, 0);
}

/* Both have the same title, a story, and say what fixed it; the last command looks at the result. */
static void each_tells_its_story(void **state)
{
	(void)state;
	for (const struct gallery_pair *pair = gallery_pairs; pair->number; pair++) {
		const struct gallery_file *files[] = { &pair->bad, &pair->good };
		char id[16], title[2][80], fixed[2][128];

		snprintf(id, sizeof(id), "B%u", pair->number);
		for (size_t i = 0; i < 2; i++) {
			gallery_value(files[i], id, title[i], sizeof(title[i]));
			gallery_value(files[i], "fixed", fixed[i], sizeof(fixed[i]));
			assert_true(*title[i] && *fixed[i]);
			assert_non_null(strstr(files[i]->text, "\n#\n# "));
			assert_non_null(strstr(files[i]->text, "\ncheck\n"));
		}
		assert_string_equal(title[0], title[1]);
		assert_string_equal(fixed[0], fixed[1]);
	}
}

/*
 * A bad scenario that no longer has its defect is noticed, and so is a good one that has it. B5 is
 * left out, because each of the five runs would search for seconds.
 */
static void exchanged_scenarios_are_noticed(void **state)
{
	(void)state;
	for (const struct gallery_pair *pair = gallery_pairs; pair->number; pair++) {
		const char *bad = pair->bad.text, *good = pair->good.text;
		char fixed[TEXT_MAX], broken[TEXT_MAX], text[TEXT_MAX] = "";
		struct gallery_pair exchanged[2] = { *pair };

		if (pair->number == 5)
			continue;
		snprintf(fixed, sizeof(fixed), "%.*s%s", (int)comment_length(bad), bad,
			 good + comment_length(good));
		snprintf(broken, sizeof(broken), "%.*s%s", (int)comment_length(good), good,
			 bad + comment_length(bad));
		assert_int_equal(gallery_run_all(exchanged, &nowhere, NULL), RUN_OK);
		exchanged[0].bad = file_with(&pair->bad, fixed);
		assert_int_equal(
			gallery_run_all(exchanged, &(struct pgtsim_printer){ collect, text }, NULL),
			RUN_FAILED);
		assert_non_null(strstr(text, "NOT FOUND clean"));
		assert_int_equal(gallery_tell(exchanged, &nowhere), RUN_FAILED);
		exchanged[0].bad = pair->bad;
		exchanged[0].good = file_with(&pair->good, broken);
		assert_int_equal(gallery_run_all(exchanged, &nowhere, NULL), RUN_FAILED);
		assert_int_equal(gallery_tell(exchanged, &nowhere), RUN_FAILED);
	}
}

/* A finding counts only if the last command finds it, under exactly that name. */
static void verdicts(void **state)
{
	static const struct {
		const char *text, *found;
		bool as_told;
	} rows[] = {
		{ "# finds: nothing\nmachine\ncheck\n", "nothing", true },
		{ "machine\ncheck\n", "nothing", false },
		{ "# finds: linear-hole\nmachine\ncheck\n", "nothing", false },
		{ "# finds: tlbi.all\nmachine\nexpect tlbi.all == 1\n", "tlbi.all", true },
		{ "# finds: tlbi.leaf\nmachine\nexpect tlbi.all == 1\n", "tlbi.all", false },
		{ "# finds: tlbi.all\nmachine\nexpect tlbi.all == 1\ncheck\n", "", false },
		{ "# finds: table-leak stale-table stale-leaf\nmachine\nmap linear+0 0x40000000 4K\npoke pmd linear+0 0\n"
		  "check\n",
		  "table-leak stale-table stale-leaf", true },
		{ "# finds: table-leak\nmachine\nmap linear+0 0x40000000 4K\npoke pmd linear+0 0\n"
		  "check\n",
		  "table-leak stale-table stale-leaf", false },
		{ "# finds: tlbi.all\nmachine\nexpect tlbi.leaf == 1\nexpect tlbi.all == 1\n", "",
		  false },
		{ "# finds: altmap-without-free\nmachine\n"
		  "altmap a base=0x80000 reserve=0 free=512 align=0\n"
		  "unmap-range linear+0 4K altmap=a\nexpect tlbi.all == 1\ncheck\n",
		  "", false },
		{ "# finds: nothing\nmachine\nremove 0x80000000+128M\n", "", false },
		{ "# finds: nothing\nmachine granule=8K\n", "", false },
		{ "# finds: nothing\nnonsense\n", "", false },
		{ "# finds: ", "", false },
		{ "#", "", false },
		{ "", "", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct gallery_verdict verdict = play_text(rows[i].text);

		if (verdict.as_told != rows[i].as_told || strcmp(verdict.found, rows[i].found) != 0)
			fail_msg("%sfound '%s'", rows[i].text, verdict.found);
	}
}

/* B1 is there with every granule: the size of a contiguous group changes, and nothing else. */
static void stale_groups_of_every_granule(void **state)
{
	static const char *const rows[][2] = {
		{ "granule=4K", "0x80000000+128M" },
		{ "granule=16K va=47", "0x80000000+1G" },
		{ "granule=64K ram=0x400000000+1G", "0x800000000+16G" },
	};
	const struct gallery_pair *pair = gallery_find("B1");

	(void)state;
	assert_non_null(pair);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct gallery_file *files[] = { &pair->bad, &pair->good };

		for (size_t f = 0; f < 2; f++) {
			char granule[TEXT_MAX], added[TEXT_MAX], text[TEXT_MAX], range[64];
			struct gallery_file file;

			change(granule, files[f]->text, "granule=4K", rows[i][0]);
			snprintf(range, sizeof(range), "add %s\n", rows[i][1]);
			change(added, granule, "add 0x80000000+128M\n", range);
			snprintf(range, sizeof(range), "remove %s\n", rows[i][1]);
			change(text, added, "remove 0x80000000+128M\n", range);
			file = file_with(files[f], text);
			play_as_told(&file);
		}
	}
}

/* A pair is found by its id, in upper or lower case, and by nothing else. */
static void found_by_id(void **state)
{
	static const char *const none[] = { "",
					    "B",
					    "B0",
					    "B39",
					    "B99",
					    "B1x",
					    "1",
					    "B-1",
					    "B+1",
					    "B 1",
					    "all",
					    "C1",
					    "B99999999999999999999" };

	(void)state;
	assert_ptr_equal(gallery_find("B1"), &gallery_pairs[0]);
	assert_ptr_equal(gallery_find("b1"), &gallery_pairs[0]);
	assert_int_equal(gallery_find("B10")->number, 10);
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_null(gallery_find(none[i]));
}

/* The story comes before what each scenario does, and what it prints is further in. */
static void telling_one(void **state)
{
	char text[TEXT_MAX] = "";
	const struct pgtsim_printer out = { collect, text };

	(void)state;
	assert_int_equal(gallery_tell(gallery_find("B12"), &out), RUN_OK);
	assert_non_null(strstr(text, "B12: an invalid block is taken for a table\n\nA block of"));
	assert_non_null(strstr(text, "\nfixed: 15bfba1ad77f (7.1)\n"));
	assert_non_null(strstr(text, "\n    walk linear+1G\n      VA 0xffff000040000000\n"));
	assert_non_null(strstr(text, "\n    check\n      invalid-entry 0xffff000040000000 pmd "));
	assert_non_null(strstr(text, "\n  bad_b12.pgt:17: check: 2 violations\n"));
	assert_non_null(strstr(text, "\n    check\n  Clean.\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_finds_what_it_says),
		cmocka_unit_test(all_rows_are_there),
		cmocka_unit_test(each_tells_its_story),
		cmocka_unit_test(exchanged_scenarios_are_noticed),
		cmocka_unit_test(verdicts),
		cmocka_unit_test(stale_groups_of_every_granule),
		cmocka_unit_test(found_by_id),
		cmocka_unit_test(telling_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
