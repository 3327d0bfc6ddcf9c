/* SPDX-License-Identifier: MIT */
/*
 * Replaying recordings: real ones show no difference, planted faults are found and named, and input
 * that is no recording is refused with one line.
 */
#define _POSIX_C_SOURCE 200809L /* dup2(), fileno(), strtok_r() */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Host allocations that will still succeed; below 0: all do. */
static int allocations_left = -1;

static int allocation_fails(void)
{
	if (allocations_left > 0)
		allocations_left--;
	else if (allocations_left == 0)
		return 1;
	return 0;
}

static void *failing_calloc(size_t count, size_t size)
{
	return allocation_fails() ? NULL : calloc(count, size);
}

static void *failing_realloc(void *old, size_t size)
{
	return allocation_fails() ? NULL : realloc(old, size);
}

/* The command's own files: its allocations must fail on demand. */
#define calloc failing_calloc
#define realloc failing_realloc
#include "file.c"
#include "replay/rows.c"
#include "replay/recording.c"
#include "replay/frames.c"
#include "replay/compare.c"
#include "replay/replay.c"
#include "replay.c"
#undef calloc
#undef realloc

#include <setjmp.h>
#include <cmocka.h>

#ifndef PGTSIM_TEST_DATA
#define PGTSIM_TEST_DATA "tests/data"
#endif

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- replaying texts ---- */

struct output {
	char text[1 << 15];
	size_t length;
};

static struct output out, errors;

static void to_output(void *ctx, const char *text)
{
	struct output *output = ctx;
	size_t length = strlen(text);

	assert_true(output->length + length < sizeof(output->text));
	memcpy(output->text + output->length, text, length + 1);
	output->length += length;
}

static size_t lines_of(const struct output *output)
{
	size_t lines = 0;

	for (size_t i = 0; i < output->length; i++)
		lines += output->text[i] == '\n';
	return lines;
}

/* Replays a text under the name "F" and checks the form of the output. */
static int replay_bytes(const char *text, size_t length)
{
	const struct pgtsim_printer printer = { to_output, &out },
				    complaints = { to_output, &errors };
	int status;

	out.length = errors.length = 0;
	out.text[0] = errors.text[0] = '\0';
	status = replay_text("F", text, length, &printer, &complaints);
	if (status == RUN_BAD_SCENARIO || status == RUN_NO_MEMORY) {
		assert_int_equal(0, out.length);
		assert_int_equal(1, lines_of(&errors));
		assert_memory_equal("F: ", errors.text, 3);
		assert_true(errors.length > 4);
	} else {
		assert_int_equal(0, errors.length);
		assert_memory_equal("F: ", out.text, 3);
		assert_non_null(strstr(out.text, " descriptors compared, "));
		assert_int_equal(status == RUN_OK, lines_of(&out) == 1);
	}
	return status;
}

/* The text of a recording; freed by the caller. */
static char *load(const char *name, size_t *length)
{
	char path[4096], *text;

	snprintf(path, sizeof(path), "%s/recordings/%s.json", PGTSIM_TEST_DATA, name);
	assert_int_equal(0, file_read(path, &text, length));
	return text;
}

static struct json_object *load_json(const char *name)
{
	size_t length;
	char *text = load(name, &length);
	struct json_object *root = json_tokener_parse(text);

	free(text);
	assert_non_null(root);
	return root;
}

/* Replays a changed recording and frees it. */
static int replay_json(struct json_object *root)
{
	const char *text = json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN);
	int status = replay_bytes(text, strlen(text));

	json_object_put(root);
	return status;
}

/* A recording's parts: "steps 1 detail linear tables 0 2". NULL if there is no such part. */
static struct json_object *part(struct json_object *object, const char *path)
{
	char words[128], *word, *rest = words;

	assert_true(strlen(path) < sizeof(words));
	strcpy(words, path);
	while (object && (word = strtok_r(rest, " ", &rest))) {
		if (json_object_is_type(object, json_type_array))
			object = json_object_array_get_idx(object, strtoul(word, NULL, 10));
		else
			object = json_object_object_get(object, word);
	}
	return object;
}

/* The object or array that holds what a path leads to; *last becomes the path's last word. */
static struct json_object *holder_of(struct json_object *root, const char *path, const char **last)
{
	const char *space = strrchr(path, ' ');
	char above[128] = "";
	struct json_object *holder;

	assert_true(strlen(path) < sizeof(above));
	if (space)
		memcpy(above, path, (size_t)(space - path));
	*last = space ? space + 1 : path;
	holder = part(root, above);
	assert_non_null(holder);
	return holder;
}

/* Replaces the value at a path by `value`; NULL is JSON's null. */
static void put(struct json_object *root, const char *path, struct json_object *value)
{
	const char *last;
	struct json_object *holder = holder_of(root, path, &last);

	if (json_object_is_type(holder, json_type_array))
		json_object_array_put_idx(holder, strtoul(last, NULL, 10), value);
	else
		json_object_object_add(holder, last, value);
}

static void take_away(struct json_object *root, const char *path)
{
	const char *last;
	struct json_object *holder = holder_of(root, path, &last);

	if (json_object_is_type(holder, json_type_array))
		json_object_array_del_idx(holder, strtoul(last, NULL, 10), 1);
	else
		json_object_object_del(holder, last);
}

/* Replaces the value at a path by a piece of JSON; NULL removes it. */
static void change(struct json_object *root, const char *path, const char *json)
{
	if (json)
		put(root, path, json_tokener_parse(json));
	else
		take_away(root, path);
}

/* ---- real recordings ---- */

/* The numbers of steps and descriptors, as counted by another program. */
static const struct {
	const char *name;
	unsigned steps, descriptors;
} recordings[] = {
	{ "61-4k-va48", 8, 394029 },          { "612-16k-va47-blocks", 4, 231 },
	{ "612-16k-va47-mom", 8, 98763 },     { "612-16k-va47", 8, 98763 },
	{ "612-4k-va48-blocks", 11, 653 },    { "612-4k-va48-mom", 8, 394029 },
	{ "612-4k-va48-partial", 3, 98513 },  { "612-4k-va48-zone", 8, 134491 },
	{ "612-4k-va48", 8, 394029 },         { "own-4k-va39", 8, 394011 },
	{ "own-64k-va48-blocks", 4, 69 },     { "own-64k-va48", 4, 49221 },
	{ "73-16k-va47-blocks-1g", 6, 1461 }, { "73-16k-va47", 8, 98763 },
	{ "73-4k-va48-bbml3", 8, 813 },       { "73-4k-va48-blocks-1g", 6, 66 },
	{ "73-4k-va48-blocks", 7, 614 },      { "73-4k-va48-kpti", 4, 197016 },
	{ "73-4k-va48-mom-one", 6, 164191 },  { "73-4k-va48-partial", 3, 98513 },
	{ "73-4k-va48-zone", 8, 134491 },     { "73-4k-va48", 8, 394029 },
	{ "73-4k-va52", 8, 394047 },          { "73-own-4k-va39-blocks", 4, 398 },
	{ "73-own-64k-va48", 4, 49221 },
};

/* The same steps on the same machine give the same tables. */
static void recordings_replay(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(recordings); i++) {
		char expected[128], *text;
		size_t length;
		int status;

		text = load(recordings[i].name, &length);
		status = replay_bytes(text, length);
		free(text);
		snprintf(expected, sizeof(expected),
			 "F: %u steps, %u descriptors compared, 0 differ\n", recordings[i].steps,
			 recordings[i].descriptors);
		assert_string_equal(expected, out.text);
		assert_int_equal(RUN_OK, status);
	}
}

/* ---- planted faults ---- */

/*
 * One part of a recording changed, and the lines that must report it. `value` is JSON; NULL removes
 * the part.
 */
static const struct {
	const char *recording, *path, *value;
	unsigned differences;
	const char *line;
} faults[] = {
	/* A bit of a run of linear leaves is wrong in all of them: PXN. */
	{ "612-4k-va48-blocks", "steps 1 detail linear leaves 0 3", "\"d8000080000705\"", 128,
	  "  step 1 (add) linear pmd 0xffff000040000000: expected 0x00d8000080000705, found "
	  "0x00f8000080000705\n" },
	/* … and the output address: linear leaves are compared exactly. */
	{ "612-4k-va48-blocks", "steps 1 detail linear leaves 0 3", "\"f8000080200705\"", 128,
	  "linear pmd 0xffff000040000000: expected 0x00f8000080200705, found "
	  "0x00f8000080000705\n" },
	/* The recording lacks a leaf at the end of a run … */
	{ "612-4k-va48", "steps 2 detail linear leaves 0 2", "65535", 1,
	  "  step 2 (online) linear pte 0xffff00004ffff000: expected none, found "
	  "0x00e800008ffff707\n" },
	/* … has one too many … */
	{ "612-4k-va48", "steps 2 detail linear leaves 0 2", "65537", 1,
	  "  step 2 (online) linear pte 0xffff000050000000: expected 0x00e8000090000707, found "
	  "none\n" },
	/* … or none at all. */
	{ "own-64k-va48", "steps 1 detail linear leaves 0", NULL, 16384,
	  "  step 1 (add) linear pte 0xffff000040000000: expected none, found "
	  "0x00e8000080000707\n" },
	/* A leaf of another level is two differences. */
	{ "612-4k-va48-blocks", "steps 1 detail vmemmap leaves 1 0", "3", 2,
	  "vmemmap pte 0xfffffdffc1200000: expected 0x0068000042000701, found none\n" },
	/* An attribute of page-allocator-backed vmemmap leaves: DBM. */
	{ "612-4k-va48-blocks", "steps 1 detail vmemmap leaves 0 3", "\"60000045600701\"", 1,
	  "  step 1 (add) vmemmap pmd 0xfffffdffc1000000: expected 0x0060000045600701, found" },
	/* Address bits below the block size must be zero. */
	{ "612-4k-va48-blocks", "steps 1 detail vmemmap leaves 0 3", "\"68000045601701\"", 1,
	  "  step 1 (add) vmemmap pmd 0xfffffdffc1000000: expected 0x0068000045601701, found" },
	/* The recording says altmap: the address is compared. */
	{ "612-4k-va48-blocks", "steps 1 detail vmemmap leaves 0 3", "\"68000080000701\"", 1,
	  "  step 1 (add) vmemmap pmd 0xfffffdffc1000000: expected 0x0068000080000701, found" },
	/* Two leaves of the recording share a frame … */
	{ "612-4k-va48-blocks", "steps 1 detail vmemmap leaves 1 3", "\"68000045600701\"", 1,
	  ": expected memory of its own, found 0x45600000, in the recording that of vmemmap pmd "
	  "0xfffffdffc1" },
	/* … or a leaf and a table. */
	{ "612-4k-va48-blocks", "steps 1 detail linear tables 1 2", "\"1800000045601003\"", 1,
	  "linear pud 0xffff000040000000: expected memory of its own, found 0x45601000, in the "
	  "recording that of vmemmap pmd 0xfffffdffc1000000\n" },
	/* A new table's attributes … */
	{ "612-4k-va48", "steps 1 detail linear tables 2 2", "\"1000000044b69003\"", 1,
	  "linear pmd 0xffff000040000000: expected table 0x1000000044b69003 (address aside), "
	  "found 0x18000" },
	/* … its entries … */
	{ "612-4k-va48", "steps 1 detail linear tables 2 3", "511", 1,
	  "linear pmd 0xffff000040000000: expected a table of 511 entries, found 512\n" },
	/* … a missing one … */
	{ "612-4k-va48", "steps 1 detail linear tables 2", NULL, 1,
	  "linear pmd 0xffff000040000000: expected none, found table 0x18000000" },
	/* … and an extra one. */
	{ "612-4k-va48", "steps 4 detail linear tables 1", "[1,\"ffff000040000000\",\"1003\",0]", 1,
	  "  step 4 (remove) linear pud 0xffff000040000000: expected table 0x0000000000001003, "
	  "found none\n" },
	/* One listed twice is extra, too; its own frame it may share with itself. */
	{ "612-4k-va48", "steps 1 detail linear tables 130",
	  "[1,\"ffff000040000000\",\"1800000044b68003\",128]", 1,
	  "linear pud 0xffff000040000000: expected table 0x1800000044b68003, found none\n" },
	/* Tables of `before`: what they gain, each step against the first. */
	{ "612-4k-va48", "steps 1 detail vmemmap tables 1 3", "11", 1,
	  "  step 1 (add) vmemmap pud 0xfffffdffc0000000: expected a table with +3 entries since "
	  "'before', found +2\n" },
	{ "612-4k-va48", "steps 1 detail linear tables 0", NULL, 1,
	  "  step 1 (add) linear pgd 0xffff000000000000: expected a table with -1 entries since "
	  "'before', found +1\n" },
	{ "612-4k-va48", "steps 0 detail vmemmap tables 1 3", "9", 8,
	  "  step 4 (remove) vmemmap pud 0xfffffdffc0000000: expected a table with -1 entries "
	  "since 'before', found +0\n" },
	/* An entry that is not valid. */
	{ "own-4k-va39", "steps 4 detail linear nonzero_invalid 0",
	  "[3,\"ffffff8040000000\",\"2\"]", 1,
	  "  step 4 (remove) linear pte 0xffffff8040000000: expected 0x0000000000000002, found "
	  "none\n" },
};

static void fault_is_found(size_t i)
{
	struct json_object *root = load_json(faults[i].recording);
	const char *value = faults[i].value;
	char count[64];

	change(root, faults[i].path, value);
	assert_int_equal(RUN_FAILED, replay_json(root));
	snprintf(count, sizeof(count), " compared, %u differ\n", faults[i].differences);
	if (!strstr(out.text, count) || !strstr(out.text, faults[i].line))
		print_error("%s = %s:\n%s", faults[i].path, value ? value : "none", out.text);
	assert_non_null(strstr(out.text, count));
	assert_non_null(strstr(out.text, faults[i].line));
}

/* A recording with one fault differs in as many places, and the place is named. */
static void planted_faults(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(faults); i++)
		fault_is_found(i);
}

/* Every bit of a linear descriptor counts. */
static void every_bit_counts(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 64; bit++) {
		struct json_object *root = load_json("own-64k-va48-blocks");
		char desc[32];

		snprintf(desc, sizeof(desc), "%" PRIx64,
			 UINT64_C(0xe8000080000705) ^ PGTSIM_BIT(bit));
		put(root, "steps 3 detail linear leaves 0 3", json_object_new_string(desc));
		assert_int_equal(RUN_FAILED, replay_json(root));
		assert_non_null(strstr(out.text, " compared, 2 differ\n"));
	}
}

/* A table's address does not count, nor that of a leaf from the page allocator. */
static void addresses_do_not_count(void **state)
{
	struct json_object *root = load_json("612-4k-va48");

	(void)state;
	put(root, "steps 1 detail linear tables 2 2", json_object_new_string("1800000070000003"));
	put(root, "steps 1 detail vmemmap leaves 0 3", json_object_new_string("68000071000701"));
	assert_int_equal(RUN_OK, replay_json(root));
}

/* At most fifty differences are listed, and how many more there are. */
static void long_listings_end(void **state)
{
	struct json_object *root = load_json("612-4k-va48-blocks");

	(void)state;
	take_away(root, "steps 1 detail linear leaves 0");
	assert_int_equal(RUN_FAILED, replay_json(root));
	assert_int_equal(1 + 50 + 1, lines_of(&out));
	assert_non_null(strstr(out.text, "\n  and 78 more\n"));
}

/* Adds a line of scenario at the end of the step `add`, and drops the steps behind it. */
static struct json_object *with_op(const char *name, const char *first, const char *second)
{
	struct json_object *root = load_json(name), *ops = part(root, "steps 1 ops");
	struct json_object *steps = part(root, "steps");

	json_object_array_del_idx(steps, 2, json_object_array_length(steps) - 2);
	json_object_array_add(ops, json_object_new_string(first));
	if (second)
		json_object_array_add(ops, json_object_new_string(second));
	return root;
}

/* Two leaves of the simulator that share a frame differ, although both look right. */
static void simulator_shares_a_frame(void **state)
{
	(void)state;
	assert_int_equal(RUN_FAILED,
			 replay_json(with_op("612-16k-va47",
					     "poke pte 0xffffffbfc0400000 0x00e8000050000703",
					     "poke pte 0xffffffbfc0408000 0x00e8000050000703")));
	assert_non_null(strstr(out.text, " compared, 3 differ\n"));
	assert_non_null(strstr(out.text, "expected memory of its own, found 0x50000000, in the "
					 "simulator that of vmemmap pte 0xffffffbfc040"));
}

/* A leaf in hot-added memory is an altmap's: not where the recording has none. */
static void simulator_uses_hot_added_memory(void **state)
{
	(void)state;
	assert_int_equal(
		RUN_FAILED,
		replay_json(with_op("612-16k-va47",
				    "poke pte 0xffffffbfc0404000 0x00e8000081230703", NULL)));
	assert_non_null(strstr(out.text, " compared, 2 differ\n"));
	assert_non_null(strstr(out.text, "vmemmap pte 0xffffffbfc0404000: expected 0x00e80000"));
	assert_non_null(strstr(out.text, ", found 0x00e8000081230703\n"));
	assert_non_null(
		strstr(out.text, "  step 1 (add): no-break 0xffffffbfc0404000: 0x00e80000"));
}

/* A violation counts as a difference, even if all tables are as recorded: B1. */
static void violations_differ(void **state)
{
	struct json_object *root = load_json("612-4k-va48-blocks");
	char machine[512];

	(void)state;
	snprintf(machine, sizeof(machine), "\"%s flush=per-leaf\"",
		 json_object_get_string(part(root, "machine")));
	change(root, "machine", machine);
	assert_int_equal(RUN_FAILED, replay_json(root));
	assert_non_null(strstr(out.text, "): stale-leaf 0xffff0000"));
	assert_null(strstr(out.text, "expected"));
}

/* What the simulator has and the recording lacks: leaves, invalid entries, tables. */
static void simulator_has_more(void **state)
{
	(void)state;
	assert_int_equal(RUN_FAILED,
			 replay_json(with_op("612-4k-va48-blocks",
					     "poke pmd 0xffff000050000000 0x00e0000000000000",
					     "map 0xffff000050200000 0x90200000 4K blocks=off")));
	assert_non_null(strstr(out.text, "linear pmd 0xffff000050000000: expected none, found "
					 "0x00e0000000000000\n"));
	assert_non_null(strstr(out.text, "linear pmd 0xffff000050200000: expected none, found "
					 "table 0x18"));
	assert_non_null(strstr(out.text, "linear pte 0xffff000050200000: expected none, found "
					 "0x00e8000090200707\n"));
	assert_non_null(strstr(out.text, "linear pud 0xffff000040000000: expected a table of 128 "
					 "entries, found 130\n"));
	assert_non_null(strstr(out.text, " compared, 4 differ\n"));
}

/* A command that fails ends the replay of the file. What it printed is not shown. */
static void failing_command(void **state)
{
	(void)state;
	assert_int_equal(RUN_FAILED,
			 replay_json(with_op("612-4k-va48-blocks", "dump", "add 0x80000000+128M")));
	assert_string_equal("F: 0 steps, 3 descriptors compared, 1 differ\n"
			    "  step 1 (add): expected success, found add 0x80000000+128M: there is "
			    "memory in this range already (EEXIST)\n",
			    out.text);
}

/* Blank lines and comments are no commands; a step of nothing else is compared like any. */
static void ops_of_nothing(void **state)
{
	struct json_object *root = load_json("612-4k-va48-blocks");

	(void)state;
	json_object_array_add(part(root, "steps 0 ops"), json_object_new_string("# nothing"));
	json_object_array_add(part(root, "steps 1 ops"), json_object_new_string(""));
	json_object_array_add(part(root, "steps 3 ops"), json_object_new_string("  "));
	assert_int_equal(RUN_OK, replay_json(root));
}

/* Without a step `before` there is no boot content: all counts. */
static void recording_without_before(void **state)
{
	struct json_object *root = load_json("own-4k-va39");

	(void)state;
	take_away(root, "steps 0");
	assert_int_equal(RUN_FAILED, replay_json(root));
	assert_non_null(strstr(out.text, "F: 8 steps, "));
	assert_non_null(strstr(out.text, "vmemmap pgd 0xfffffffec0000000: expected a table of 10 "
					 "entries, found 2\n"));
}

/* ---- what is no recording ---- */

/* A part to replace (value NULL: to remove), and the message. */
static const struct {
	const char *path, *value, *message;
} wrong_parts[] = {
	{ "window", NULL, "F: 'window' is missing\n" },
	{ "machine", NULL, "F: 'machine' is missing\n" },
	{ "steps", NULL, "F: 'steps' is missing\n" },
	{ "window pa", NULL, "F: 'pa' is missing\n" },
	{ "window linear", NULL, "F: 'linear' is missing\n" },
	{ "window vmemmap", NULL, "F: 'vmemmap' is missing\n" },
	{ "steps 1 step", NULL, "F: steps[1]: 'step' is missing\n" },
	{ "steps 1 ops", NULL, "F: steps[1]: 'ops' is missing\n" },
	{ "steps 1 detail", NULL, "F: steps[1]: 'detail' is missing\n" },
	{ "steps 2 detail linear", NULL, "F: steps[2]: 'linear' is missing\n" },
	{ "steps 2 detail vmemmap", NULL, "F: steps[2]: 'vmemmap' is missing\n" },
	{ "steps 2 detail linear tables", NULL,
	  "F: steps[2].detail.linear: 'tables' is missing\n" },
	{ "steps 2 detail vmemmap leaves", NULL,
	  "F: steps[2].detail.vmemmap: 'leaves' is missing\n" },
	{ "steps 2 detail vmemmap nonzero_invalid", NULL,
	  "F: steps[2].detail.vmemmap: 'nonzero_invalid' is missing\n" },
	{ "steps 1", "7", "F: steps[1]: an object was expected\n" },
	{ "steps", "[]", "F: there are no steps\n" },
	{ "steps 1 ops 0", "7", "F: steps[1].ops[0]: a line of a scenario must be a string\n" },
	{ "steps 1 ops 0", "\"add 1\\nadd 2\"",
	  "F: steps[1].ops[0]: a line of a scenario holds a line break\n" },
	{ "machine", "\"machine\\nadd 0x80000000+128M\"",
	  "F: a line of a scenario holds a line break\n" },
	{ "machine", "\"machine\\u0000granule=4K\"", "F: machine: " },
	{ "machine", "\"\"", "F: steps[1].ops[0]: " },
	{ "machine", "\"machine granule=5K\"", "F: machine: " },
	{ "machine", "\"machine va=7\"", "F: machine: " },
	{ "machine", "\"machine iomem=x\"", "F: machine: " },
	{ "info PAGE_SIZE", "\"4000\"",
	  "F: the machine line contradicts info.PAGE_SIZE: 0x4000 there, 0x1000 here\n" },
	{ "info memory_block_size", "\"40000000\"",
	  "F: the machine line contradicts info.memory_block_size: 0x40000000 there, 0x8000000 "
	  "here\n" },
	{ "info PAGE_KERNEL", "\"e8000000000f03\"",
	  "F: the machine line contradicts info.PAGE_KERNEL: 0x800 there, 0x0 here\n" },
	{ "steps 1 ops 0", "\"add\"", "F: steps[1].ops[0]: " },
	{ "steps 3 ops 1", "\"add 7+%n\"", "F: steps[3].ops[1]: " },
	{ "steps 3 ops 1", "\"machine\"", "F: steps[3].ops[1]: " },
	{ "window pa", "[\"1\"]", "F: window.pa must be its start and end\n" },
	{ "window pa", "[\"2000\",\"2000\"]", "F: window.pa is empty\n" },
	{ "window linear", "[\"ffff000060000000\",\"ffff000040000000\"]",
	  "F: window.linear is empty\n" },
	{ "window linear", "[\"0\",\"0\"]",
	  "F: window.linear: not an address range of this machine\n" },
	{ "window vmemmap", "[\"fffe000000000000\",\"ffff000040000000\"]",
	  "F: window.vmemmap: not an address range of this machine\n" },
	{ "window pa 0", "\"0x80000000\"",
	  "F: a string of 1 to 16 hexadecimal digits was expected\n" },
	{ "window pa 0", "\"\"", "F: a string of 1 to 16 hexadecimal digits was expected\n" },
	{ "window pa 0", "\"10000000000000000\"",
	  "F: a string of 1 to 16 hexadecimal digits was expected\n" },
	{ "steps 1 detail linear tables 1 2", "\"18000z\"",
	  "F: steps[1].detail.linear.tables[1]: a string of 1 to 16 hexadecimal digits was "
	  "expected\n" },
	{ "steps 1 detail linear tables 1 2", "\"18\\u00001\"",
	  "F: steps[1].detail.linear.tables[1]: a string of 1 to 16 hexadecimal digits was "
	  "expected\n" },
	{ "steps 1 detail linear tables 1 1", "5",
	  "F: steps[1].detail.linear.tables[1]: a number in hexadecimal must be a string\n" },
	{ "steps 1 detail linear tables 1 0", "3",
	  "F: steps[1].detail.linear.tables[1]: 3 is not from -1 to 2\n" },
	{ "steps 1 detail linear tables 1 0", "-1",
	  "F: steps[1].detail.linear: level -1: the machine's root is level 0\n" },
	{ "steps 1 detail linear tables 1 3", "2097153",
	  "F: steps[1].detail.linear.tables[1]: 2097153 is not from 0 to 2097152\n" },
	{ "steps 1 detail linear tables 1 3", "1.5",
	  "F: steps[1].detail.linear.tables[1]: an integer was expected\n" },
	{ "steps 1 detail linear tables 1", "[1,\"0\",\"0\"]",
	  "F: steps[1].detail.linear.tables[1]: an array of 4 was expected\n" },
	{ "steps 1 detail linear leaves 0", "{}",
	  "F: steps[1].detail.linear.leaves[0]: an array of 4 was expected\n" },
	{ "steps 1 detail linear leaves 0 0", "4",
	  "F: steps[1].detail.linear.leaves[0]: 4 is not from -1 to 3\n" },
	{ "steps 1 detail linear leaves 0 2", "0",
	  "F: steps[1].detail.linear.leaves[0]: 0 is not from 1 to 16777216\n" },
	{ "steps 1 detail linear leaves 0 2", "99999999999999999999999",
	  "F: steps[1].detail.linear.leaves[0]: 9223372036854775807 is not from 1 to 16777216\n" },
	{ "steps 1 detail linear leaves 1", "[3,\"ffff000060000000\",16777216,\"1\"]",
	  "F: steps[1].detail.linear.leaves[1]: more than 16777216 leaves\n" },
	{ "steps 1 detail linear leaves 0", "[1,\"ffff000060000000\",16777216,\"1\"]",
	  "F: steps[1].detail.linear: a run that passes the end of the address space\n" },
	{ "steps 1 detail linear nonzero_invalid 0", "[3,\"0\",\"0\",1]",
	  "F: steps[1].detail.linear.nonzero_invalid[0]: an array of 3 was expected\n" },
};

static void wrong_part_is_told(size_t i)
{
	struct json_object *root = load_json("612-4k-va48-blocks");
	const char *value = wrong_parts[i].value;
	size_t length = strlen(wrong_parts[i].message);

	change(root, wrong_parts[i].path, value);
	assert_int_equal(RUN_BAD_SCENARIO, replay_json(root));
	if (strncmp(errors.text, wrong_parts[i].message, length) != 0)
		print_error("%s = %s: %s", wrong_parts[i].path, value ? value : "none",
			    errors.text);
	assert_memory_equal(wrong_parts[i].message, errors.text, length);
}

/* A recording with a part that cannot be right is refused, and the part named. */
static void wrong_parts_are_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(wrong_parts); i++)
		wrong_part_is_told(i);
}

/* Every member that replay reads must have its type; others are refused. */
static void wrong_types(void **state)
{
	static const char *const paths[] = {
		"window",
		"window pa",
		"window linear 0",
		"machine",
		"steps",
		"steps 1",
		"steps 1 step",
		"steps 1 ops",
		"steps 1 ops 0",
		"steps 0 detail",
		"steps 1 detail linear",
		"steps 1 detail vmemmap tables",
		"steps 1 detail vmemmap leaves",
		"steps 1 detail vmemmap nonzero_invalid",
		"steps 1 detail linear tables 0",
		"steps 1 detail linear tables 0 0",
		"steps 1 detail linear tables 0 1",
		"steps 1 detail linear tables 0 2",
		"steps 1 detail linear tables 0 3",
		"steps 1 detail linear leaves 0 2",
		"steps 1 detail linear leaves 0 3",
	};
	static const char *const values[] = { "null", "true", "-7", "0.5", "\"x\"", "[]", "{}" };

	(void)state;
	for (size_t i = 0; i < COUNT(paths); i++) {
		for (size_t v = 0; v < COUNT(values); v++) {
			struct json_object *root = load_json("612-4k-va48-blocks");
			struct json_object *value = json_tokener_parse(values[v]);
			bool same = json_object_is_type(part(root, paths[i]),
							json_object_get_type(value));
			int status;

			put(root, paths[i], value);
			status = replay_json(root);
			if (!same)
				assert_int_equal(RUN_BAD_SCENARIO, status);
		}
	}
}

/* A recording that is cut off anywhere is refused, except if only its last line break is missing. */
static void truncated(void **state)
{
	size_t length;
	char *text = load("own-64k-va48-blocks", &length);

	(void)state;
	for (size_t end = 0; end < length - 1; end++) {
		/* A block of its own size, so that a sanitizer sees a byte too far. */
		char *copy = malloc(end + 1);

		memcpy(copy, text, end);
		copy[end] = '}';
		assert_int_equal(RUN_BAD_SCENARIO, replay_bytes(copy, end));
		assert_non_null(strstr(errors.text, "not JSON: it ends too soon"));
		free(copy);
	}
	assert_int_equal(RUN_OK, replay_bytes(text, length - 1));
	free(text);
}

/* Texts that are not JSON, or not a single object. */
static void not_json(void **state)
{
	static const char deep[] = "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[";
	static const struct {
		const char *text, *message;
	} texts[] = {
		{ "", "ends too soon (line 1, byte 1)" },
		{ "{}", "F: 'window' is missing\n" },
		{ "[]", "F: not a recording: no JSON object\n" },
		{ "null ", "F: not a recording: no JSON object\n" },
		{ "7 ", "F: not a recording: no JSON object\n" },
		{ "{\"a\":1,\n}", "(line 2, " },
		{ "{} {}", "F: not JSON: " },
		{ "{}\nx", "F: not JSON: " },
		{ "machine granule=4K\n", "F: not JSON: " },
		{ deep, "F: not JSON: " },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		assert_int_equal(RUN_BAD_SCENARIO,
				 replay_bytes(texts[i].text, strlen(texts[i].text)));
		if (!strstr(errors.text, texts[i].message))
			print_error("%s: %s", texts[i].text, errors.text);
		assert_non_null(strstr(errors.text, texts[i].message));
	}
	assert_int_equal(RUN_BAD_SCENARIO, replay_bytes("{}\0", 3));
	assert_int_equal(RUN_BAD_SCENARIO, replay_bytes("\0{}", 3));
	assert_int_equal(RUN_BAD_SCENARIO, replay_bytes("", (size_t)INT_MAX + 1));
	assert_string_equal("F: too large\n", errors.text);
}

static uint32_t random_state = 1;

/* Numbers that look random and are always the same: xorshift. */
static uint32_t any(uint32_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state % below;
}

/* Random bytes are refused. */
static void garbage(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		char bytes[64];
		size_t length = any(sizeof(bytes) + 1);

		for (size_t b = 0; b < length; b++)
			bytes[b] = (char)any(256);
		assert_int_equal(RUN_BAD_SCENARIO, replay_bytes(bytes, length));
	}
}

/* A recording with overwritten bytes: any status, and output of the right form. */
static void overwritten(void **state)
{
	static const char bytes[] = "0123456789abcdef[]{}\",:+-. \n\\";
	size_t length;
	char *text = load("612-4k-va48-blocks", &length);
	char *copy = malloc(length);

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		memcpy(copy, text, length);
		for (uint32_t n = 1 + any(3); n; n--)
			copy[any((uint32_t)length)] = bytes[any(sizeof(bytes) - 1)];
		replay_bytes(copy, length);
	}
	free(copy);
	free(text);
}

/* Messages show the printable characters of a step's name, cut to fit. */
static void names_are_cleaned(void **state)
{
	struct json_object *root = load_json("own-64k-va48-blocks");
	char name[300];

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	memcpy(name, "\033[31m\n\303\244", 8);
	name[sizeof(name) - 1] = '\0';
	put(root, "steps 1 step", json_object_new_string(name));
	put(root, "steps 1 detail linear leaves 0 2", json_object_new_int(1));
	assert_int_equal(RUN_FAILED, replay_json(root));
	assert_int_equal(2, lines_of(&out));
	assert_non_null(strstr(out.text, "  step 1 (?[31m???nnnn"));
	assert_null(strchr(out.text, '\033'));
}

/* If any host allocation fails, the recording is refused. */
static void out_of_host_memory(void **state)
{
	size_t length;
	char *text = load("own-64k-va48", &length);
	int status, allocations = 0;

	(void)state;
	do {
		allocations_left = allocations++;
		status = replay_bytes(text, length);
		if (status != RUN_OK)
			assert_int_equal(RUN_NO_MEMORY, status);
	} while (status != RUN_OK && allocations < 1000);
	allocations_left = -1;
	assert_int_equal(RUN_OK, status);
	assert_true(allocations > 10);
	free(text);
}

/* ---- the command ---- */

/* Runs the command with its output in temporary files; both are read back. */
static int command(char **argv)
{
	FILE *files[2] = { tmpfile(), tmpfile() };
	struct output *outputs[2] = { &out, &errors };
	int saved[2], argc = 0, status;

	fflush(NULL);
	for (int i = 0; i < 2; i++) {
		saved[i] = dup(i + 1);
		assert_true(dup2(fileno(files[i]), i + 1) >= 0);
	}
	while (argv[argc])
		argc++;
	status = command_replay(argc, argv);
	fflush(NULL);
	for (int i = 0; i < 2; i++) {
		dup2(saved[i], i + 1);
		close(saved[i]);
		rewind(files[i]);
		outputs[i]->length =
			fread(outputs[i]->text, 1, sizeof(outputs[i]->text) - 1, files[i]);
		outputs[i]->text[outputs[i]->length] = '\0';
		fclose(files[i]);
	}
	return status;
}

/* Files are replayed one after the other; the worst of them is the exit status. */
static void command_line(void **state)
{
	char replay[] = "replay", good[] = PGTSIM_TEST_DATA "/recordings/own-64k-va48-blocks.json";
	char bad[] = PGTSIM_TEST_DATA "/recordings/README.md", missing[] = "/nonexistent/file";
	char directory[] = PGTSIM_TEST_DATA, option[] = "--what", asked[] = "--help";

	(void)state;
	assert_int_equal(0, command((char *[]){ replay, good, good, NULL }));
	assert_int_equal(2, lines_of(&out));
	assert_memory_equal(good, out.text, sizeof(good) - 1);
	assert_int_equal(2, command((char *[]){ replay, bad, good, NULL }));
	assert_int_equal(1, lines_of(&out));
	assert_memory_equal(bad, errors.text, sizeof(bad) - 1);
	assert_int_equal(2, command((char *[]){ replay, missing, NULL }));
	assert_string_equal("/nonexistent/file: there is no such file\n", errors.text);
	assert_int_equal(2, command((char *[]){ replay, directory, NULL }));
	assert_int_equal(2, command((char *[]){ replay, option, good, NULL }));
	assert_int_equal(0, out.length);
	assert_int_equal(2, command((char *[]){ replay, NULL }));
	assert_int_equal(0, command((char *[]){ replay, asked, NULL }));
	assert_memory_equal("pgtsim replay FILE...", out.text, 21);
	assert_int_equal(0, errors.length);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recordings_replay),
		cmocka_unit_test(planted_faults),
		cmocka_unit_test(every_bit_counts),
		cmocka_unit_test(addresses_do_not_count),
		cmocka_unit_test(long_listings_end),
		cmocka_unit_test(simulator_shares_a_frame),
		cmocka_unit_test(simulator_uses_hot_added_memory),
		cmocka_unit_test(violations_differ),
		cmocka_unit_test(simulator_has_more),
		cmocka_unit_test(failing_command),
		cmocka_unit_test(ops_of_nothing),
		cmocka_unit_test(recording_without_before),
		cmocka_unit_test(wrong_parts_are_told),
		cmocka_unit_test(wrong_types),
		cmocka_unit_test(truncated),
		cmocka_unit_test(not_json),
		cmocka_unit_test(garbage),
		cmocka_unit_test(overwritten),
		cmocka_unit_test(names_are_cleaned),
		cmocka_unit_test(out_of_host_memory),
		cmocka_unit_test(command_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
