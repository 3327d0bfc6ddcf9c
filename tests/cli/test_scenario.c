/* SPDX-License-Identifier: MIT */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Host allocations that are still to succeed; below 0 all do. */
static int allocations_left = -1;

static int allocation_fails(void)
{
	if (allocations_left > 0)
		allocations_left--;
	else if (allocations_left == 0)
		return 1;
	return 0;
}

static void *failing_malloc(size_t size)
{
	return allocation_fails() ? NULL : malloc(size);
}

static void *failing_realloc(void *old, size_t size)
{
	return allocation_fails() ? NULL : realloc(old, size);
}

/* Includes the parser's source, so that its allocations can be made to fail. */
#define malloc failing_malloc
#define realloc failing_realloc
#include "scenario/parser.c"
#undef malloc
#undef realloc

#include <setjmp.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MACHINE "machine granule=4K\n"

/* ---- a command as text ---- */

/* How values are shown: n number, a address, r range, c choice, t counter, m altmap, w word. */
static const char *const arg_types[] = {
	[SCENARIO_MAP] = "ann",
	[SCENARIO_UNMAP] = "an",
	[SCENARIO_UNMAP_RANGE] = "an",
	[SCENARIO_FREE_TABLES] = "an",
	[SCENARIO_BOUNDS] = "aa",
	[SCENARIO_ALTMAP] = "m",
	[SCENARIO_VMEMMAP_POPULATE] = "aa",
	[SCENARIO_VMEMMAP_FREE] = "aa",
	[SCENARIO_ADD] = "r",
	[SCENARIO_ONLINE] = "r",
	[SCENARIO_OFFLINE] = "r",
	[SCENARIO_REMOVE] = "r",
	[SCENARIO_USE] = "rc",
	[SCENARIO_UNUSE] = "r",
	[SCENARIO_FAIL] = "c",
	[SCENARIO_POKE] = "can",
	[SCENARIO_TLBI] = "ca",
	[SCENARIO_BARRIER] = "c",
	[SCENARIO_WALK] = "a",
	[SCENARIO_ACCESS] = "a",
	[SCENARIO_DUMP] = "c",
	[SCENARIO_EXPECT] = "tcn",
	[SCENARIO_NOTE] = "",
};

/* Like the table above, for actors, by kind. */
static const char *const actor_types[] = {
	[SCENARIO_ACTOR_ADD] = "wcr",       [SCENARIO_ACTOR_REMOVE] = "wcr",
	[SCENARIO_ACTOR_UNMAP] = "wcan",    [SCENARIO_ACTOR_VMEMMAP_FREE] = "wcaa",
	[SCENARIO_ACTOR_VMALLOC] = "wcan",  [SCENARIO_ACTOR_PTDUMP] = "wcan",
	[SCENARIO_ACTOR_ACCESS] = "wcaaaa",
};

/* The keys that are no numbers and no flags. */
static const char option_types[] = {
	[SCENARIO_KEY_KNOB] = 'c',       [SCENARIO_KEY_PROFILE] = 'c',
	[SCENARIO_KEY_RAM] = 'r',        [SCENARIO_KEY_IOMEM] = 'w',
	[SCENARIO_KEY_TLBI_RANGE] = 'c', [SCENARIO_KEY_BOOT] = 'c',
	[SCENARIO_KEY_CHECKER] = 'c',    [SCENARIO_KEY_BLOCKS] = 'c',
	[SCENARIO_KEY_CONT] = 'c',       [SCENARIO_KEY_PROT] = 'c',
	[SCENARIO_KEY_TABLES] = 'c',     [SCENARIO_KEY_ZONE] = 'c',
	[SCENARIO_KEY_ALTMAP] = 'm',     [SCENARIO_KEY_FREE] = 'f',
	[SCENARIO_KEY_PAGES] = 'f',      [SCENARIO_KEY_DEVICE] = 'f',
	[SCENARIO_KEY_EVERY] = 'f',      [SCENARIO_KEY_DEFAULT] = 'f',
	[SCENARIO_KEY_BBML2] = 'c',      [SCENARIO_KEY_LOCK] = 'f',
	[SCENARIO_KEY_SCHEDULE] = 'w',
};

struct shown {
	char text[512];
	size_t length;
};

static void show(struct shown *shown, const char *text)
{
	size_t length = strlen(text);

	assert_true(shown->length + length < sizeof(shown->text));
	memcpy(shown->text + shown->length, text, length + 1);
	shown->length += length;
}

static void show_number(struct shown *shown, const char *before, uint64_t number)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "%s%#llx", before, (unsigned long long)number);
	show(shown, text);
}

static void show_value(struct shown *shown, char type, const struct scenario_value *value)
{
	static const char *const origins[] = { "", "linear+", "vmemmap+" };

	switch (type) {
	case 'a':
		show_number(shown, origins[value->address.origin], value->address.value);
		break;
	case 'r':
		show_number(shown, "", value->range.base);
		show_number(shown, "+", value->range.size);
		break;
	case 'c':
		show_number(shown, "", value->choice);
		break;
	case 't':
		show(shown, value->counter->name);
		break;
	case 'm':
		show_number(shown, "#", value->altmap);
		break;
	case 'w':
		show(shown, value->word);
		break;
	case 'f':
		break;
	default:
		show_number(shown, "", value->number);
	}
}

static char option_type(const struct scenario_command *command,
			const struct scenario_option *option)
{
	if (option->key == SCENARIO_KEY_MEMMAP_ON_MEMORY)
		return command->kind == SCENARIO_MACHINE ? 'c' : 'f';
	return (size_t)option->key < sizeof(option_types) ? option_types[option->key] : 0;
}

static const char *types_of(const struct scenario_command *command)
{
	return command->kind == SCENARIO_ACTOR ? actor_types[command->args[1].choice] :
						 arg_types[command->kind];
}

static void show_command(struct shown *shown, const struct scenario_command *command)
{
	*shown = (struct shown){ .length = 0 };
	if (command->tolerated)
		show(shown, "try ");
	if (command->expected)
		show(shown, scenario_errno_name(command->expected));
	show(shown, command->expected ? " " : "");
	show(shown, command->name);
	for (size_t i = 0; i < command->arg_count; i++) {
		show(shown, " ");
		assert_non_null(command->args[i].word);
		show_value(shown, types_of(command)[i], &command->args[i]);
	}
	for (size_t i = 0; i < command->option_count; i++) {
		const struct scenario_option *option = &command->options[i];
		char type = option_type(command, option);

		show(shown, " ");
		show(shown, option->name);
		show(shown, type == 'f' ? "" : "=");
		show_value(shown, type, &option->value);
	}
	if (command->text) {
		show(shown, " [");
		show(shown, command->text);
		show(shown, "]");
	}
}

/* ---- helpers ---- */

/* Parses a copy in a block of its exact size, so that a sanitizer sees a read past its end. */
static int parse(struct scenario *out, const void *text, size_t length,
		 struct scenario_error *error)
{
	char *copy = malloc(length ? length : 1);
	int err;

	assert_non_null(copy);
	memcpy(copy, text, length);
	err = scenario_parse(out, copy, length, error);
	free(copy);
	return err;
}

static void parse_good(struct scenario *out, const char *text)
{
	struct scenario_error error;

	if (parse(out, text, strlen(text), &error) != 0)
		fail_msg("%s\n%u: %s", text, error.line, error.message);
}

/* Parses any bytes and checks what must hold for every outcome. Returns 0 if they are a scenario. */
static int parse_any(const void *text, size_t length)
{
	struct scenario scenario;
	struct scenario_error error;
	int err = parse(&scenario, text, length, &error);

	if (err) {
		assert_int_equal(-EINVAL, err);
		assert_true(error.line >= 1);
		assert_true(error.message[0] != '\0');
		for (const char *c = error.message; *c; c++)
			assert_in_range(*c, ' ', '~');
		assert_null(scenario.commands);
		assert_null(scenario.text);
	} else {
		assert_true(scenario.command_count >= 1);
		assert_int_equal(SCENARIO_MACHINE, scenario.commands[0].kind);
	}
	scenario_free(&scenario);
	return err == 0;
}

static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint32_t random_below(uint32_t bound)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 32) % bound;
}

/* ---- what is good ---- */

/* A last line, after a machine and an altmap called dev0, and what the parser makes of it. */
static const struct {
	const char *line, *shown;
} good_rows[] = {
	{ "map 0xffff000000000000 0x40000000 2M", "map 0xffff000000000000 0x40000000 0x200000" },
	{ "map linear+0x1000 4096 64K blocks=off cont=on prot=rx tables=exec",
	  "map linear+0x1000 0x1000 0x10000 blocks=0 cont=0x1 prot=0x3 tables=0x1" },
	{ "map linear 0 4K prot=tagged", "map linear+0 0 0x1000 prot=0" },
	{ "map prot=kernel linear 0 4K", "map linear+0 0 0x1000 prot=0x1" },
	{ "map 0 0 0 prot=device tables=noexec", "map 0 0 0 prot=0x4 tables=0" },
	{ "map 0 0 0 prot=ro", "map 0 0 0 prot=0x2" },
	{ "unmap vmemmap+1T 1P", "unmap vmemmap+0x10000000000 0x4000000000000" },
	{ "unmap-range linear 2M", "unmap-range linear+0 0x200000" },
	{ "unmap-range linear 2M free altmap=dev0",
	  "unmap-range linear+0 0x200000 free altmap=#0" },
	{ "unmap-range free linear 2M", "unmap-range linear+0 0x200000 free" },
	{ "free-tables linear+1G 1G", "free-tables linear+0x40000000 0x40000000" },
	{ "bounds 0 0", "bounds 0 0" },
	{ "bounds linear vmemmap+0xFF", "bounds linear+0 vmemmap+0xff" },
	{ "bounds default", "bounds default" },
	{ "altmap A-b_c.9 base=0x80000 reserve=1 free=2K align=512",
	  "altmap #0x1 base=0x80000 reserve=0x1 free=0x800 align=0x200" },
	{ "altmap free free=1 base=0", "altmap #0x1 free=0x1 base=0" },
	{ "expect-error EEXIST altmap dev0 base=0 free=0", "EEXIST altmap #0x1 base=0 free=0" },
	{ "vmemmap-populate vmemmap vmemmap+2M", "vmemmap-populate vmemmap+0 vmemmap+0x200000" },
	{ "vmemmap-populate vmemmap vmemmap+2M pages altmap=dev0",
	  "vmemmap-populate vmemmap+0 vmemmap+0x200000 pages altmap=#0" },
	{ "vmemmap-free vmemmap+1K vmemmap+2M altmap=dev0",
	  "vmemmap-free vmemmap+0x400 vmemmap+0x200000 altmap=#0" },
	{ "add 0x80000000+0x10000000", "add 0x80000000+0x10000000" },
	{ "add 2G+128M memmap-on-memory node=1",
	  "add 0x80000000+0x8000000 memmap-on-memory node=0x1" },
	{ "add 2G+2M device altmap=dev0", "add 0x80000000+0x200000 device altmap=#0" },
	{ "add 2G+2M altmap=dev0 device", "add 0x80000000+0x200000 altmap=#0 device" },
	{ "add 0xffffffffffffffff+0xffffffffffffffff",
	  "add 0xffffffffffffffff+0xffffffffffffffff" },
	{ "add 0+0", "add 0+0" },
	{ "online 2G+128M", "online 0x80000000+0x8000000" },
	{ "online 2G+128M zone=normal", "online 0x80000000+0x8000000 zone=0" },
	{ "online 0x80000000+0x8000000 zone=movable", "online 0x80000000+0x8000000 zone=0x1" },
	{ "offline 2G+128M", "offline 0x80000000+0x8000000" },
	{ "remove 2G+128M", "remove 0x80000000+0x8000000" },
	{ "use 2G+4K movable", "use 0x80000000+0x1000 0" },
	{ "use 2G+4K unmovable", "use 0x80000000+0x1000 0x1" },
	{ "unuse 2G+4K", "unuse 0x80000000+0x1000" },
	{ "fail alloc nth=1", "fail 0 nth=0x1" },
	{ "fail alloc nth=7 every", "fail 0 nth=0x7 every" },
	{ "poke pgd linear 0", "poke 0 linear+0 0" },
	{ "poke p4d linear 0", "poke 0x1 linear+0 0" },
	{ "poke pud linear 0", "poke 0x2 linear+0 0" },
	{ "poke pmd linear+2M 0x60000043c00701", "poke 0x3 linear+0x200000 0x60000043c00701" },
	{ "poke pte 0xffffffffffffffff 0xffffffffffffffff",
	  "poke 0x4 0xffffffffffffffff 0xffffffffffffffff" },
	{ "walk vmemmap", "walk vmemmap+0" },
	{ "access linear+4K", "access linear+0x1000" },
	{ "access 0x1000 cpu=3", "access 0x1000 cpu=0x3" },
	{ "tlbi leaf linear", "tlbi 0 linear+0" },
	{ "tlbi walk vmemmap+2M", "tlbi 0x1 vmemmap+0x200000" },
	{ "tlbi all", "tlbi 0x2" },
	{ "barrier dsb-ishst", "barrier 0" },
	{ "barrier dsb-ish", "barrier 0x1" },
	{ "barrier isb", "barrier 0x2" },
	{ "dump", "dump" },
	{ "dump tables", "dump 0" },
	{ "dump leaves", "dump 0x1" },
	{ "dump ptdump", "dump 0x2" },
	{ "dump json", "dump 0x3" },
	{ "stats", "stats" },
	{ "reset-stats", "reset-stats" },
	{ "check", "check" },
	{ "expect tables.pgd == 1", "expect tables.pgd 0 0x1" },
	{ "expect violations != 0", "expect violations 0x1 0" },
	{ "expect dsb < 1K", "expect dsb 0x2 0x400" },
	{ "expect isb <= 9", "expect isb 0x3 0x9" },
	{ "expect tlbi.leaf > 9", "expect tlbi.leaf 0x4 0x9" },
	{ "expect work.entries >= 9", "expect work.entries 0x5 0x9" },
	{ "echo", "echo []" },
	{ "echo  a # b\t=  c \t", "echo [a # b\t=  c]" },
	{ "note #1 gr\xc3\xbcn", "note [#1 gr\xc3\xbcn]" },
	{ "actor A-b_c.9 add 2G+128M", "actor A-b_c.9 0 0x80000000+0x8000000" },
	{ "actor b remove 2G+128M", "actor b 0x1 0x80000000+0x8000000" },
	{ "actor unmap unmap linear+2M 4K", "actor unmap 0x2 linear+0x200000 0x1000" },
	{ "actor d vmemmap-free vmemmap vmemmap+2M", "actor d 0x3 vmemmap+0 vmemmap+0x200000" },
	{ "actor e vmalloc 0xffff800000000000 3", "actor e 0x4 0xffff800000000000 0x3" },
	{ "actor f ptdump linear 1G", "actor f 0x5 linear+0 0x40000000" },
	{ "actor g lock ptdump linear 1G", "actor g 0x5 linear+0 0x40000000 lock" },
	{ "actor h access linear 1 2 vmemmap", "actor h 0x6 linear+0 0x1 0x2 vmemmap+0" },
	{ "try add 2G+1", "try add 0x80000000+0x1" },
	{ "try stats", "try stats" },
	{ "expect-error ENOMEM map linear 0 4K", "ENOMEM map linear+0 0 0x1000" },
	{ "expect-error EOPNOTSUPP reset-stats", "EOPNOTSUPP reset-stats" },
	{ "\t stats \t# all of them", "stats" },
	{ "stats #", "stats" },
};

/* Every command, with all its arguments and options. */
static void commands_are_read(void **state)
{
	char text[512];
	struct shown shown;
	struct scenario scenario;

	(void)state;
	for (size_t i = 0; i < COUNT(good_rows); i++) {
		(void)snprintf(text, sizeof(text), MACHINE "altmap dev0 base=0 free=8\n\n%s",
			       good_rows[i].line);
		parse_good(&scenario, text);
		assert_int_equal(3, scenario.command_count);
		assert_int_equal(4, scenario.commands[2].line);
		show_command(&shown, &scenario.commands[2]);
		assert_string_equal(good_rows[i].shown, shown.text);
		scenario_free(&scenario);
	}
}

static const struct {
	const char *line, *shown;
} machine_rows[] = {
	{ "machine", "machine" },
	{ "machine profile=linux-6.12 granule=16K va=52 va-actual=47 pa=52 ram=0x40000000+1G "
	  "block=128M blocks=on cont=off memmap-on-memory=off",
	  "machine profile=0xc granule=0x4000 va=0x34 va-actual=0x2f pa=0x34 "
	  "ram=0x40000000+0x40000000 block=0x8000000 blocks=0x1 cont=0 memmap-on-memory=0" },
	{ "machine ram=1G+1G ram=4G+1G ram=4G+1G",
	  "machine ram=0x40000000+0x40000000 ram=0x100000000+0x40000000 "
	  "ram=0x100000000+0x40000000" },
	{ "machine iomem=a=b/\xc3\xbc.txt", "machine iomem=a=b/\xc3\xbc.txt" },
	{ "machine section=128M block=256M struct-page=64 cpus=4 tlbi-range=on boot=on checker=off",
	  "machine section=0x8000000 block=0x10000000 struct-page=0x40 cpus=0x4 tlbi-range=0x1 "
	  "boot=0x1 checker=0" },
	{ "machine memmap-on-memory=force", "machine memmap-on-memory=0x2" },
	{ "machine flush=per-page-of-block map-failure=keep", "machine flush=0x1 map-failure=0x1" },
};

static void machines_are_read(void **state)
{
	struct shown shown;
	struct scenario scenario;

	(void)state;
	for (size_t i = 0; i < COUNT(machine_rows); i++) {
		parse_good(&scenario, machine_rows[i].line);
		show_command(&shown, &scenario.commands[0]);
		assert_string_equal(machine_rows[i].shown, shown.text);
		assert_string_equal(machine_rows[i].line, scenario.commands[0].source);
		scenario_free(&scenario);
	}
}

/* Names come from the library: each profile, each value of each knob, each counter. */
static void names_of_the_library(void **state)
{
	size_t count;
	const struct pgtsim_knob *knobs = pgtsim_knobs(&count);
	const struct pgtsim_counter *counters;
	char text[256];

	(void)state;
	for (const char *const *profile = pgtsim_profiles(); *profile; profile++) {
		(void)snprintf(text, sizeof(text), "machine profile=%s", *profile);
		assert_true(parse_any(text, strlen(text)));
	}
	for (size_t i = 0; i < count; i++) {
		for (const char *const *value = knobs[i].values; *value; value++) {
			struct scenario scenario;
			struct pgtsim_policy policy = { 0 };
			const struct scenario_option *option;

			(void)snprintf(text, sizeof(text), "machine %s=%s", knobs[i].name, *value);
			parse_good(&scenario, text);
			option = scenario.commands[0].options;
			assert_int_equal(SCENARIO_KEY_KNOB, option->key);
			assert_int_equal(
				0, pgtsim_policy_set(&policy, option->name, option->value.word));
			assert_string_equal(*value, pgtsim_policy_get(&policy, knobs[i].name));
			scenario_free(&scenario);
		}
	}
	counters = pgtsim_counters(&count);
	for (size_t i = 0; i < count; i++) {
		(void)snprintf(text, sizeof(text), MACHINE "expect %s >= 0", counters[i].name);
		assert_true(parse_any(text, strlen(text)));
	}
}

static void names_of_errors(void **state)
{
	(void)state;
	assert_string_equal("ENOMEM", scenario_errno_name(-ENOMEM));
	assert_string_equal("EOPNOTSUPP", scenario_errno_name(-EOPNOTSUPP));
	assert_null(scenario_errno_name(0));
	assert_null(scenario_errno_name(ENOMEM));
	assert_null(scenario_errno_name(-100000));
}

/* The lines of the next test's commands, and their sources. */
static const struct {
	unsigned line;
	const char *source;
} sources[] = {
	{ 3, "machine  va=48" },
	{ 5, "try  add 1G+1G device" },
	{ 6, "expect-error EBUSY remove 1G+1G" },
	{ 7, "echo # no comment" },
	{ 8, "echo" },
};

/* A byte-order mark, CRLF, comments and blank lines count as lines only; sources are kept. */
static void lines_and_sources(void **state)
{
	static const char text[] = "\xef\xbb\xbf# gr\xc3\xbcn\r\n"
				   "\r\n"
				   " machine  va=48\t # first\r\n"
				   "   \t\n"
				   "try  add 1G+1G device # \xe2\x82\xac \xf0\x9f\x98\x80\n"
				   "expect-error EBUSY remove 1G+1G\n"
				   "echo # no comment \r\n"
				   "\techo\t\n"
				   "stats#1";
	static const char last[] = "#stats";
	struct scenario scenario;
	struct scenario_error error;

	(void)state;
	/* A comment begins a word: `stats#1` is no command. */
	assert_int_equal(-EINVAL, parse(&scenario, text, strlen(text), &error));
	assert_int_equal(9, error.line);
	assert_int_equal(0, parse(&scenario, text, strlen(text) - strlen("stats#1"), &error));
	assert_int_equal(COUNT(sources), scenario.command_count);
	for (size_t i = 0; i < COUNT(sources); i++) {
		assert_int_equal(sources[i].line, scenario.commands[i].line);
		assert_string_equal(sources[i].source, scenario.commands[i].source);
	}
	assert_string_equal("# no comment", scenario.commands[3].text);
	assert_null(scenario.commands[0].text);
	assert_string_equal("EBUSY", scenario.commands[2].expected_name);
	assert_int_equal(-EBUSY, scenario.commands[2].expected);
	assert_null(scenario.commands[1].expected_name);
	scenario_free(&scenario);
	scenario_free(&scenario);
	assert_false(parse_any(last, strlen(last)));
}

static void options_are_found(void **state)
{
	struct scenario scenario;
	const struct scenario_command *add;

	(void)state;
	parse_good(&scenario, MACHINE "add 1G+1G device node=3\nstats");
	add = &scenario.commands[1];
	assert_int_equal(3, scenario_option(add, SCENARIO_KEY_NODE)->number);
	assert_string_equal("device", scenario_option(add, SCENARIO_KEY_DEVICE)->word);
	assert_string_equal("1G+1G", add->args[0].word);
	assert_null(scenario_option(add, SCENARIO_KEY_ALTMAP));
	assert_null(scenario_option(&scenario.commands[2], SCENARIO_KEY_NODE));
	scenario_free(&scenario);
}

/* Each explore runs the actors since the last explore; names may be used again. */
static void actors_are_found(void **state)
{
	static const char text[] = MACHINE "actor a access 0\nstats\nactor b access 0\n"
					   "try explore schedule=a,b*3,a*1\nactor a access 0\n"
					   "explore bound=7\n";
	size_t actors[SCENARIO_ACTORS_MAX];
	struct shown shown;
	struct scenario scenario;

	(void)state;
	parse_good(&scenario, text);
	assert_int_equal(2, scenario_actors(&scenario, &scenario.commands[4], actors));
	assert_int_equal(1, actors[0]);
	assert_int_equal(3, actors[1]);
	show_command(&shown, &scenario.commands[4]);
	assert_string_equal("try explore schedule=a,b*3,a*1", shown.text);
	assert_int_equal(1, scenario_actors(&scenario, &scenario.commands[6], actors));
	assert_int_equal(5, actors[0]);
	show_command(&shown, &scenario.commands[6]);
	assert_string_equal("explore bound=0x7", shown.text);
	scenario_free(&scenario);
}

/* An altmap declaration that must fail gets a number, but its name stays free. */
static void altmaps_are_numbered(void **state)
{
	struct scenario scenario;

	(void)state;
	parse_good(&scenario, MACHINE "expect-error EINVAL altmap a base=0 free=0\n"
				      "try altmap a base=0 free=0\n"
				      "altmap b base=0 free=0\n"
				      "vmemmap-free 0 0 altmap=a\n"
				      "vmemmap-free 0 0 altmap=b\n");
	assert_int_equal(3, scenario.altmap_count);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(i, scenario.commands[1 + i].args[0].altmap);
	assert_int_equal(1, scenario.commands[4].options[0].value.altmap);
	assert_int_equal(2, scenario.commands[5].options[0].value.altmap);
	scenario_free(&scenario);
}

/* ---- what is bad ---- */

/* A text, the line of its first error, and a part of the message. */
static const struct {
	const char *text;
	unsigned line;
	const char *message;
} bad_rows[] = {
	/* the whole */
	{ "", 1, "'machine' must be the first" },
	{ "\n# nothing\n", 2, "'machine' must be the first" },
	{ "stats\n" MACHINE, 1, "'stats' stands before 'machine'" },
	{ "\necho hello\n" MACHINE, 2, "'echo' stands before 'machine'" },
	{ "try stats\n" MACHINE, 1, "'stats' stands before 'machine'" },
	{ MACHINE "stats\nmachine\n", 3, "a second 'machine'; the first is in line 1" },
	{ MACHINE "stats\nstat\nfoo\n", 3, "unknown command 'stat'; did you mean 'stats'?" },

	/* commands */
	{ MACHINE "remvoe 0+0", 2, "did you mean 'remove'?" },
	{ MACHINE "remov 0+0", 2, "did you mean 'remove'?" },
	{ MACHINE "mpa 0 0 0", 2, "did you mean 'map'?" },
	{ MACHINE "MAP 0 0 0", 2, "did you mean 'map'?" },
	{ MACHINE "vmemap-free 0 0", 2, "did you mean 'vmemmap-free'?" },
	{ MACHINE "expect-eror EINVAL stats", 2, "did you mean 'expect-error'?" },
	{ MACHINE "frobnicate", 2, "unknown command 'frobnicate'" },
	{ MACHINE "x", 2, "unknown command 'x'" },
	{ MACHINE "profile=latest", 2, "unknown command 'profile=latest'" },
	{ MACHINE "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 2,
	  "unknown command 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...'" },
	{ MACHINE "m\xc3\xa4p", 2, "unknown command 'm?" },

	/* what stands before commands */
	{ MACHINE "try", 2, "'try' needs a command" },
	{ MACHINE "try # nothing", 2, "'try' needs a command" },
	{ MACHINE "expect-error", 2, "'expect-error' needs an errno and a command" },
	{ MACHINE "expect-error EBUSY", 2, "'expect-error' needs a command" },
	{ MACHINE "expect-error EBUSI stats", 2, "unknown errno 'EBUSI'; did you mean 'EBUSY'?" },
	{ MACHINE "expect-error enomem stats", 2, "did you mean 'ENOMEM'?" },
	{ MACHINE "expect-error 12 stats", 2, "unknown errno '12'" },
	{ MACHINE "expect-error stats", 2, "unknown errno 'stats'" },
	{ MACHINE "try machine", 2, "'try' does not take 'machine'" },
	{ MACHINE "try check", 2, "'try' does not take 'check'" },
	{ MACHINE "try expect dsb == 1", 2, "'try' does not take 'expect'" },
	{ MACHINE "try echo a", 2, "'try' does not take 'echo'" },
	{ MACHINE "try note a", 2, "'try' does not take 'note'" },
	{ MACHINE "try try stats", 2, "'try' does not take 'try'" },
	{ MACHINE "try expect-error EBUSY stats", 2, "'try' does not take 'expect-error'" },
	{ MACHINE "expect-error EBUSY try stats", 2, "'expect-error' does not take 'try'" },
	{ MACHINE "expect-error EBUSY machine", 2, "'expect-error' does not take 'machine'" },
	{ MACHINE "expect-error EBUSY check", 2, "'expect-error' does not take 'check'" },
	{ MACHINE "try sats", 2, "unknown command 'sats'; did you mean 'stats'?" },

	/* arguments */
	{ MACHINE "map", 2, "'map' needs VA, which is missing" },
	{ MACHINE "map 0 0", 2, "'map' needs SIZE, which is missing" },
	{ MACHINE "map 0 0 0 0", 2, "too many arguments for 'map': '0'" },
	{ MACHINE "stats now", 2, "too many arguments for 'stats': 'now'" },
	{ MACHINE "dump tables leaves", 2, "too many arguments for 'dump': 'leaves'" },
	{ MACHINE "dump xyz", 2,
	  "FORM: unknown value 'xyz'; it is one of: tables, leaves, ptdump, json" },
	{ MACHINE "dump leafs", 2, "unknown value 'leafs'" },
	{ MACHINE "dump tabels", 2, "did you mean 'tables'?" },
	{ MACHINE "poke pdm 0 0", 2, "LEVEL: unknown value 'pdm'; did you mean 'pmd'?" },
	{ MACHINE "poke 3 0 0", 2, "it is one of: pgd, p4d, pud, pmd, pte" },
	{ MACHINE "use 0+0 movabel", 2, "did you mean 'movable'?" },
	{ MACHINE "tlbi leaf", 2,
	  "write 'tlbi leaf VA', 'tlbi walk VA', 'tlbi all', 'tlbi range VA SIZE' or "
	  "'tlbi range-walk VA SIZE'" },
	{ MACHINE "tlbi all 0", 2,
	  "write 'tlbi leaf VA', 'tlbi walk VA', 'tlbi all', 'tlbi range VA SIZE' or "
	  "'tlbi range-walk VA SIZE'" },
	{ MACHINE "tlbi block 0", 2, "it is one of: leaf, walk, all" },
	{ MACHINE "barrier dsb.ish", 2, "unknown value 'dsb.ish'; did you mean 'dsb-ish'?" },
	{ MACHINE "access", 2, "'access' needs VA, which is missing" },
	{ MACHINE "access 0 cpu=x", 2, "cpu: 'x' is not a number" },
	{ MACHINE "use 0+0", 2, "'use' needs KIND, which is missing" },
	{ MACHINE "fail io nth=1", 2, "WHAT: unknown value 'io'; it is one of: alloc" },
	{ MACHINE "note", 2, "'note' needs a text" },
	{ MACHINE "note \t", 2, "'note' needs a text" },
	{ MACHINE "add 0x80000000", 2, "'0x80000000' is not a range; write BASE+SIZE" },
	{ MACHINE "add +4K", 2, "BASE+SIZE: '' is a number without digits" },
	{ MACHINE "add 4K+", 2, "BASE+SIZE: '' is a number without digits" },
	{ MACHINE "add 4K+4K+4K", 2, "'4K+4K' is not a number" },
	{ MACHINE "add linear+4K", 2, "'linear' is not a number" },
	{ MACHINE "walk here", 2, "VA: 'here' is not an address; write NUMBER, linear+OFFSET" },
	{ MACHINE "walk linear+", 2, "VA: '' is a number without digits" },
	{ MACHINE "walk linear-1", 2, "'linear-1' is not an address" },
	{ MACHINE "walk linearly", 2, "'linearly' is not an address" },
	{ MACHINE "walk linear+0+0", 2, "'0+0' is not a number" },
	{ MACHINE "walk 0+0", 2, "'0+0' is not a number" },
	{ MACHINE "walk -4096", 2, "VA: '-4096' is negative; numbers start at 0" },
	{ MACHINE "map 0 0 4k", 2, "SIZE: '4k' has a lower-case suffix; write K, M, G, T or P" },
	{ MACHINE "map 0 0 0x10000000000000000", 2, "does not fit in 64 bits" },
	{ MACHINE "bounds", 2, "write 'bounds FLOOR CEILING' or 'bounds default'" },
	{ MACHINE "bounds 0", 2, "write 'bounds FLOOR CEILING' or 'bounds default'" },
	{ MACHINE "bounds default 0", 2, "write 'bounds FLOOR CEILING' or 'bounds default'" },
	{ MACHINE "bounds 0 0 0", 2, "too many arguments for 'bounds': '0'" },
	{ MACHINE "bounds defualt 0", 2, "FLOOR: 'defualt' is not an address" },

	/* expect */
	{ MACHINE "expect", 2, "'expect' needs COUNTER, which is missing" },
	{ MACHINE "expect tables.pdg == 1", 2,
	  "unknown counter 'tables.pdg'; did you mean 'tables.pgd'?" },
	{ MACHINE "expect nothing.at.all == 1", 2, "unknown counter 'nothing.at.all'" },
	{ MACHINE "expect tables.pgd==1", 2, "unknown counter 'tables.pgd==1'" },
	{ MACHINE "expect dsb==1", 2, "'expect' has no option 'dsb'" },
	{ MACHINE "expect dsb = 1", 2,
	  "OP: unknown value '='; it is one of: ==, !=, <, <=, >, >=" },
	{ MACHINE "expect dsb == many", 2, "NUMBER: 'many' is not a number" },
	{ MACHINE "expect dsb ==", 2, "'expect' needs NUMBER, which is missing" },

	/* options */
	{ MACHINE "map 0 0 0 bloks=on", 2, "'map' has no option 'bloks'; did you mean 'blocks'?" },
	{ MACHINE "map 0 0 0 blocks=maybe", 2,
	  "blocks: unknown value 'maybe'; it is one of: off, on" },
	{ MACHINE "map 0 0 0 blocks=", 2, "blocks: unknown value ''" },
	{ MACHINE "map 0 0 0 blocks", 2, "'blocks' needs a value: write 'blocks=...'" },
	{ MACHINE "map 0 0 0 blocks=on blocks=on", 2, "'blocks' is given twice" },
	{ MACHINE "unmap 0 0 free", 2, "too many arguments for 'unmap': 'free'" },
	{ MACHINE "stats all=on", 2, "'stats' has no option 'all'" },
	{ MACHINE "add 0+0 devcie", 2, "'add' has no option 'devcie'; did you mean 'device'?" },
	{ MACHINE "add 0+0 device=on", 2, "'device' takes no value: write 'device' alone" },
	{ MACHINE "add 0+0 device device", 2, "'device' is given twice" },
	{ MACHINE "add 0+0 nod=1", 2, "did you mean 'node'?" },
	{ MACHINE "add 0+0 node=2147483648", 2,
	  "node: '2147483648' is too large; the most is 2147483647" },
	{ MACHINE "online 0+0 zone=foo", 2,
	  "zone: unknown value 'foo'; it is one of: normal, movable" },
	{ MACHINE "online 0+0 zone=Movable", 2, "did you mean 'movable'?" },
	{ MACHINE "fail alloc", 2, "'fail' needs 'nth=', which is missing" },
	{ MACHINE "fail alloc every", 2, "'fail' needs 'nth=', which is missing" },
	{ MACHINE "fail alloc nth=0", 2, "nth: '0' is too small; the least is 1" },
	{ MACHINE "try add 0+0 node=x", 2, "node: 'x' is not a number" },

	/* machine */
	{ "machine granule 4K", 1, "'granule' needs a value: write 'granule=...'" },
	{ "machine big", 1, "'machine' takes only key=value, not 'big'" },
	{ "machine granul=4K", 1, "'machine' has no option 'granul'; did you mean 'granule'?" },
	{ "machine flsh=range", 1, "did you mean 'flush'?" },
	{ "machine flush=ranges", 1, "flush: unknown value 'ranges'; did you mean 'range'?" },
	{ "machine map-failure=explode", 1,
	  "map-failure: unknown value 'explode'; it is one of: rollback, keep" },
	{ "machine flush=range flush=range", 1, "'flush' is given twice" },
	{ "machine flush", 1, "'flush' needs a value" },
	{ "machine profile=linux-6.2", 1,
	  "profile: unknown value 'linux-6.2'; did you mean 'linux-6.1'?" },
	{ "machine profile=windows", 1, "it is one of: linux-5.7, linux-5.10, " },
	{ "machine profile=", 1, "profile: unknown value ''" },
	{ "machine granule=", 1, "granule: '' is a number without digits" },
	{ "machine va=48 va=48", 1, "'va' is given twice" },
	{ "machine cpus=0", 1, "cpus: '0' is too small; the least is 1" },
	{ "machine ram=1G", 1, "ram: '1G' is not a range" },
	{ "machine iomem=", 1, "iomem: a file's name is missing" },
	{ "machine ram=0+1G iomem=a", 1, "machine takes 'ram=' or 'iomem=', not both" },
	{ "machine =4K", 1, "'machine' takes only key=value, not '=4K'" },

	/* altmaps */
	{ MACHINE "altmap a", 2, "'altmap' needs 'base=', which is missing" },
	{ MACHINE "altmap a base=0", 2, "'altmap' needs 'free=', which is missing" },
	{ MACHINE "altmap base=0 free=0", 2, "'altmap' needs NAME, which is missing" },
	{ MACHINE "altmap a/b base=0 free=0", 2, "NAME: 'a/b' is not a name of letters" },
	{ MACHINE "altmap a base=0 free=0\ntry altmap a base=0 free=0", 3,
	  "NAME: altmap 'a' is declared twice" },
	{ MACHINE "altmap dev0 base=0 free=0\nadd 0+0 device altmap=dev1", 3,
	  "declares an altmap 'dev1'; did you mean 'dev0'?" },
	{ MACHINE "add 0+0 device altmap=b\naltmap b base=0 free=0", 2,
	  "no command before this one declares an altmap 'b'" },
	{ MACHINE "vmemmap-free 0 0 altmap=", 2, "declares an altmap ''" },
	{ MACHINE "expect-error EINVAL altmap a base=0 free=0\nvmemmap-free 0 0 altmap=a", 3,
	  "declares an altmap 'a'" },
	{ MACHINE "altmap a base=0 free=0\nadd 0+0 altmap=a", 3, "'altmap=' needs 'device'" },

	/* actors */
	{ MACHINE "actor", 2, "'actor' needs NAME, which is missing" },
	{ MACHINE "actor a", 2, "'actor' needs KIND, which is missing" },
	{ MACHINE "actor a unnap linear 4K", 2,
	  "KIND: unknown value 'unnap'; did you mean 'unmap'?" },
	{ MACHINE "actor a/b unmap linear 4K", 2, "NAME: 'a/b' is not a name of letters" },
	{ MACHINE "actor a unmap linear", 2, "an actor that does 'unmap' needs VA SIZE" },
	{ MACHINE "actor a access", 2, "needs VA, at most 4 of them" },
	{ MACHINE "actor a add 2G+1 2", 2, "too many arguments for 'actor add': '2'" },
	{ MACHINE "actor a access 1 2 3 4 5", 2, "too many arguments for 'actor': '5'" },
	{ MACHINE "actor a remove linear", 2, "BASE+SIZE: 'linear' is not a range" },
	{ MACHINE "actor a vmalloc linear x", 2, "VA PAGES: 'x' is not a number" },
	{ MACHINE "actor a unmap linear 4K lock", 2, "'unmap' always takes the hotplug lock" },
	{ MACHINE "actor a access linear lock", 2, "'access' never takes the hotplug lock" },
	{ MACHINE "actor a unplug 0+128M lock", 2, "'unplug' always takes the hotplug lock" },
	{ MACHINE "actor a ptdump linear 4K rcu", 2, "'rcu' is for 'online-page'" },
	{ MACHINE "actor a online-page 1 lock rcu", 2, "takes 'lock' or 'rcu', not both" },
	{ MACHINE "actor a online-page", 2, "an actor that does 'online-page' needs PFN" },
	{ MACHINE "try actor a access 0", 2, "'try' does not take 'actor'" },
	{ MACHINE "actor a protect linear+0 4K", 2,
	  "an actor that does 'protect' needs VA SIZE WHAT" },
	{ MACHINE "actor a protect linear+0 4K read-only", 2, "it is one of: ro, rw, x, nx" },
	{ MACHINE "actor a poke level linear+0 0", 2, "it is one of: pgd, p4d, pud, pmd, pte" },
	{ MACHINE "actor a vmap linear+0 0 4K 4K", 2, "too many arguments for 'actor vmap'" },
	{ MACHINE "actor a remove 0+128M lock", 2, "always takes the hotplug lock" },
	{ MACHINE "actor a access 0 lock", 2, "never takes the hotplug lock" },
	{ MACHINE "veto", 2, "WHAT" },
	{ MACHINE "veto remove", 2, "it is one of: online, offline, off" },
	{ MACHINE "online-page", 2, "PFN" },
	{ MACHINE "actor a access 0\nactor a access 0", 3, "actor 'a' is declared twice" },
	{ MACHINE "actor a access 0\nactor b access 0\nactor c access 0\nactor d access 0\n"
		  "actor e access 0\nactor f access 0\nactor g access 0\nactor h access 0\n"
		  "actor i access 0",
	  10, "too many actors; the most is 8" },
	{ MACHINE "explore", 2, "'explore' needs an 'actor' before it" },
	{ MACHINE "actor a access 0\nexplore\nexplore", 4, "after the 'explore' before" },
	{ MACHINE "actor a access 0\nexplore bound=0", 3, "bound: '0' is too small" },
	{ MACHINE "actor a access 0\nexplore bound=1 schedule=a", 3, "not both" },
	{ MACHINE "actor a access 0\nexplore random preemptions=1", 3, "not both" },
	{ MACHINE "actor a access 0\nexplore seed=1", 3, "are for 'explore random'" },
	{ MACHINE "actor a access 0\nexplore schedule=", 3, "'' is not a schedule" },
	{ MACHINE "actor a access 0\nexplore schedule=b*1", 3, "'b*1' is not a schedule" },
	{ MACHINE "actor a access 0\nexplore schedule=a*1,", 3, "'a*1,' is not a schedule" },
	{ MACHINE "actor b access 0\nexplore\nactor a access 0\nexplore schedule=b*1", 5,
	  "'b*1' is not a schedule of the actors before it" },

	/* bytes */
	{ "\x7f"
	  "ELF\x02\x01",
	  1, "not a text file: byte 0x7f in column 1" },
	{ MACHINE "stats\x01", 2, "not a text file: byte 0x01 in column 6" },
	{ MACHINE "# \x1b[31m", 2, "not a text file: byte 0x1b in column 3" },
	{ MACHINE "echo a\rb\n", 2, "not a text file: byte 0x0d" },
	{ MACHINE "echo \xff", 2, "not a text file: byte 0xff in column 6" },
	{ MACHINE "echo \x80", 2, "not a text file: byte 0x80" },
	{ MACHINE "echo \xc3", 2, "not a text file: byte 0xc3" },
	{ MACHINE "echo \xc3(", 2, "not a text file: byte 0xc3" },
	{ MACHINE "echo \xc0\x80", 2, "not a text file: byte 0xc0" },
	{ MACHINE "echo \xe0\x80\x80", 2, "not a text file: byte 0xe0" },
	{ MACHINE "echo \xed\xa0\x80", 2, "not a text file: byte 0xed" },
	{ MACHINE "echo \xf4\x90\x80\x80", 2, "not a text file: byte 0xf4" },
	{ MACHINE "echo \xf8\x90\x80\x80", 2, "not a text file: byte 0xf8" },
	{ MACHINE "echo \xc2\x9b", 2, "not a text file: byte 0xc2" },
};

/* Each error names its line, and says what is wrong and, where it can, what would be right. */
static void errors_are_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad_rows); i++) {
		const char *text = bad_rows[i].text;
		struct scenario scenario;
		struct scenario_error error;

		if (parse(&scenario, text, strlen(text), &error) != -EINVAL)
			fail_msg("no error: %s", text);
		if (error.line != bad_rows[i].line || !strstr(error.message, bad_rows[i].message))
			fail_msg("%s\n%u: %s\n%u: %s", text, bad_rows[i].line, bad_rows[i].message,
				 error.line, error.message);
		assert_false(parse_any(text, strlen(text)));
	}
}

static void a_nul_is_no_text(void **state)
{
	static const char text[] = MACHINE "stats\0\n";
	struct scenario scenario;
	struct scenario_error error;

	(void)state;
	assert_int_equal(-EINVAL, parse(&scenario, text, sizeof(text) - 1, &error));
	assert_int_equal(2, error.line);
	assert_string_equal("not a text file: byte 0x00 in column 6", error.message);
}

/* The line break, LF or CRLF, does not count towards the length of the longest line. */
static void longest_line(void **state)
{
	char text[SCENARIO_LINE_MAX + 16];
	struct scenario scenario;
	struct scenario_error error;

	(void)state;
	memset(text, ' ', sizeof(text));
	memcpy(text, "machine", strlen("machine"));
	memcpy(text + SCENARIO_LINE_MAX, "\r\nstats\n", 8);
	assert_int_equal(0, parse(&scenario, text, SCENARIO_LINE_MAX + 8, &error));
	assert_string_equal("machine", scenario.commands[0].source);
	assert_int_equal(2, scenario.commands[1].line);
	scenario_free(&scenario);

	memset(text + SCENARIO_LINE_MAX, ' ', 8);
	assert_int_equal(-EINVAL, parse(&scenario, text, SCENARIO_LINE_MAX + 1, &error));
	assert_string_equal("the line has 4097 bytes; the most is 4096", error.message);
}

static void too_many_altmaps(void **state)
{
	size_t room = (SCENARIO_ALTMAPS_MAX + 2) * sizeof("altmap a9999 base=0 free=0\n");
	char *text = malloc(room);
	size_t length = 0;
	struct scenario scenario;
	struct scenario_error error;

	(void)state;
	assert_non_null(text);
	length += (size_t)snprintf(text, room, "machine\n");
	for (int i = 0; i <= SCENARIO_ALTMAPS_MAX; i++)
		length += (size_t)snprintf(text + length, room - length,
					   "altmap a%d base=0 free=0\n", i);
	assert_int_equal(-EINVAL, parse(&scenario, text, length, &error));
	assert_int_equal(SCENARIO_ALTMAPS_MAX + 2, error.line);
	assert_string_equal("too many altmaps; the most is 4096", error.message);
	free(text);
}

/* ---- any bytes ---- */

/* A text with every construct of the language, several times. */
static size_t big_text(char *text, size_t room)
{
	size_t length = 0;

	for (size_t i = 1; i < COUNT(machine_rows) && length == 0; i++)
		length += (size_t)snprintf(text, room, "%s # first\r\n", machine_rows[i].line);
	length += (size_t)snprintf(text + length, room - length, "altmap dev0 base=0 free=8\n");
	for (size_t i = 0; i < COUNT(good_rows); i++) {
		const char *line = good_rows[i].line;

		length += (size_t)snprintf(text + length, room - length, "%s\n", line);
	}
	assert_true(length < room);
	return length;
}

static void every_truncation(void **state)
{
	char text[8192];
	size_t length = big_text(text, sizeof(text)), good = 0;

	(void)state;
	assert_true(parse_any(text, length));
	for (size_t i = 0; i < length; i++)
		good += (size_t)parse_any(text, i);
	/* Wherever a line ends, at the least. */
	assert_true(good > COUNT(good_rows));
}

static void random_bytes(void **state)
{
	unsigned char bytes[512];

	(void)state;
	for (int round = 0; round < 2000; round++) {
		size_t length = random_below(sizeof(bytes));

		for (size_t i = 0; i < length; i++)
			bytes[i] = (unsigned char)random_below(256);
		(void)parse_any(bytes, length);
	}
}

/* Bytes of a good text change, go, or come twice. */
static void damaged_text(void **state)
{
	static const char useful[] = "\n\r \t#=+-0xKk.\0\xff\xc3\xbc"
				     "az";
	char text[8192], damaged[8192 + 64];
	size_t length = big_text(text, sizeof(text));

	(void)state;
	for (int round = 0; round < 3000; round++) {
		size_t at = random_below((uint32_t)length - 64), from = at, size = length;

		memcpy(damaged, text, length);
		if (round % 3 == 0) {
			damaged[at] = useful[random_below(sizeof(useful))];
		} else {
			from += random_below(64);
			if (round % 3 == 1) {
				memmove(damaged + at, damaged + from, length - from);
				size -= from - at;
			} else {
				memcpy(damaged + from, text + at, length - at);
				size += from - at;
			}
		}
		(void)parse_any(damaged, size);
	}
}

/* ---- memory ---- */

/* If any allocation fails, the parser returns -ENOMEM and leaks nothing. */
static void every_allocation_fails(void **state)
{
	char text[8192];
	size_t length = big_text(text, sizeof(text));
	struct scenario scenario;
	struct scenario_error error;
	int failures = 0, err;

	(void)state;
	for (;; failures++) {
		allocations_left = failures;
		err = scenario_parse(&scenario, text, length, &error);
		allocations_left = -1;
		if (err != -ENOMEM)
			break;
		assert_string_equal("the host is out of memory", error.message);
		assert_true(error.line >= 1);
		assert_null(scenario.commands);
		assert_null(scenario.options);
		assert_null(scenario.text);
	}
	assert_int_equal(0, err);
	assert_true(failures >= 6);
	scenario_free(&scenario);
}

/* More than memory can hold is an error before the text is looked at. */
static void absurd_length(void **state)
{
	struct scenario scenario;
	struct scenario_error error;

	(void)state;
	assert_int_equal(-ENOMEM, scenario_parse(&scenario, "", SIZE_MAX, &error));
	assert_int_equal(-ENOMEM, scenario_parse(&scenario, "", SIZE_MAX / 2, &error));
	assert_int_equal(-EINVAL, scenario_parse(&scenario, NULL, 0, &error));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_are_read),    cmocka_unit_test(machines_are_read),
		cmocka_unit_test(names_of_the_library), cmocka_unit_test(names_of_errors),
		cmocka_unit_test(lines_and_sources),    cmocka_unit_test(options_are_found),
		cmocka_unit_test(actors_are_found),     cmocka_unit_test(altmaps_are_numbered),
		cmocka_unit_test(errors_are_told),      cmocka_unit_test(a_nul_is_no_text),
		cmocka_unit_test(longest_line),         cmocka_unit_test(too_many_altmaps),
		cmocka_unit_test(every_truncation),     cmocka_unit_test(random_bytes),
		cmocka_unit_test(damaged_text),         cmocka_unit_test(every_allocation_fails),
		cmocka_unit_test(absurd_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
