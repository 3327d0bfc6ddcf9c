/* SPDX-License-Identifier: MIT */
/*
 * judge_line: reads the lines of a trace. A parser for just this format, without allocation: a
 * trace has many millions of lines.
 */
#include "judge.h"

#include <errno.h>
#include <string.h>

#include <pgtsim/format.h>
#include <pgtsim/trace.h>

#include "events/ops.h"
#include "words.h"

/* The fields of a line, as bits. */
enum {
	HAS_LEVEL = 1 << 0,
	HAS_VA = 1 << 1,
	HAS_COUNT = 1 << 2,
	HAS_SIZE = 1 << 3,
	HAS_OLD = 1 << 4,
	HAS_NEW = 1 << 5,
	HAS_STEP = 1 << 6,
	HAS_PA = 1 << 7,
	HAS_CPU = 1 << 8,
	HAS_SCOPE = 1 << 9,
	HAS_TTL = 1 << 10,
	HAS_FLAGS = 1 << 11,
	HAS_OP = 1 << 12,
	HAS_FORMAT = 1 << 13,
	HAS_VERSION = 1 << 14,
	HAS_ROOT = 1 << 15,
	HAS_LAST = 1 << 16,
	HAS_NAME = 1 << 17,
	HAS_TEXT = 1 << 18,
	HAS_KEYS = 1 << 19,
	HAS_ENTRY = HAS_LEVEL | HAS_VA | HAS_OLD | HAS_NEW,
	HAS_TABLE = HAS_LEVEL | HAS_VA | HAS_PA,
	HAS_PAGES = HAS_PA | HAS_COUNT,
};

/* What an operation cannot do without. */
static const unsigned needs[PGTSIM_OP_COUNT] = {
	[PGTSIM_OP_TABLE_ALLOC] = HAS_TABLE,
	[PGTSIM_OP_TABLE_FREE] = HAS_TABLE,
	[PGTSIM_OP_LINK] = HAS_ENTRY,
	[PGTSIM_OP_UNLINK] = HAS_ENTRY,
	[PGTSIM_OP_MAP] = HAS_ENTRY | HAS_COUNT,
	[PGTSIM_OP_CLEAR] = HAS_ENTRY | HAS_COUNT,
	[PGTSIM_OP_POKE] = HAS_ENTRY,
	[PGTSIM_OP_PAGES_ALLOC] = HAS_PAGES,
	[PGTSIM_OP_PAGES_FREE] = HAS_PAGES,
	[PGTSIM_OP_ALTMAP_ALLOC] = HAS_PAGES,
	[PGTSIM_OP_ALTMAP_FREE] = HAS_PAGES,
	[PGTSIM_OP_KASAN_ADD] = HAS_PAGES,
	[PGTSIM_OP_KASAN_REMOVE] = HAS_PAGES,
	[PGTSIM_OP_MIGRATE] = HAS_PAGES,
	[PGTSIM_OP_TLBI_LEAF] = HAS_VA,
	[PGTSIM_OP_TLBI_WALK] = HAS_VA,
	[PGTSIM_OP_TLBI_RANGE] = HAS_VA | HAS_SIZE,
	[PGTSIM_OP_TLBI_RANGE_WALK] = HAS_VA | HAS_SIZE,
	[PGTSIM_OP_STORE] = HAS_PA | HAS_NEW,
	[PGTSIM_OP_BEGIN_MAP] = HAS_VA | HAS_SIZE,
	[PGTSIM_OP_BEGIN_POPULATE] = HAS_VA | HAS_SIZE,
	[PGTSIM_OP_BEGIN_PASS_1] = HAS_VA | HAS_SIZE,
	[PGTSIM_OP_BEGIN_PASS_2] = HAS_VA | HAS_SIZE,
};

/* A piece of the line. */
struct text {
	const char *at;
	size_t length;
};

/* A line under way. */
struct line {
	struct pgtsim_judge *judge;
	const char *at, *end;
	unsigned has;
	struct text op, level, scope, format, name, words;
	uint64_t version, root, last, cpu, ttl;
	struct pgtsim_event event;
};

static bool is_text(const struct text *text, const char *word)
{
	return text->length == strlen(word) && !memcmp(text->at, word, text->length);
}

/* How much of a text may stand in a message. */
static int shown(const struct text *text)
{
	return text->length < 40 ? (int)text->length : 40;
}

/* ---- tokens ---- */

static int fail_syntax(struct line *line, const char *what)
{
	return pgtsim_judge_fail(line->judge, "not a line of a trace: %s expected", what);
}

static char next_character(struct line *line)
{
	while (line->at < line->end && (*line->at == ' ' || *line->at == '\t' || *line->at == '\r'))
		line->at++;
	return line->at < line->end ? *line->at : '\0';
}

static bool take(struct line *line, char character)
{
	if (next_character(line) != character)
		return false;
	line->at++;
	return true;
}

/* A string: its bytes as they stand, escapes included. */
static int take_string(struct line *line, struct text *text)
{
	if (!take(line, '"'))
		return fail_syntax(line, "a string");
	text->at = line->at;
	while (line->at < line->end && *line->at != '"')
		line->at += *line->at == '\\' && line->at + 1 < line->end ? 2 : 1;
	if (line->at >= line->end)
		return pgtsim_judge_fail(line->judge, "not a line of a trace: it ends in a string");
	text->length = (size_t)(line->at++ - text->at);
	return 0;
}

static unsigned digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 16;
}

static bool read_digits(const char *at, const char *end, unsigned base, uint64_t *number)
{
	const uint64_t most = UINT64_MAX / base;
	bool fits = at < end;

	for (*number = 0; at < end; at++) {
		unsigned digit = digit_of(*at);

		if (digit >= base || *number > most || *number * base > UINT64_MAX - digit)
			return false;
		*number = *number * base + digit;
	}
	return fits;
}

/* A number: 12, or "0x00c" as a string, for JSON has no numbers of 64 bits. */
static int take_number(struct line *line, uint64_t *number)
{
	struct text text;
	int ret;

	if (next_character(line) != '"') {
		text.at = line->at;
		while (line->at < line->end && *line->at >= '0' && *line->at <= '9')
			line->at++;
		if (read_digits(text.at, line->at, 10, number))
			return 0;
		return fail_syntax(line, "a number");
	}
	ret = take_string(line, &text);
	if (ret)
		return ret;
	if (text.length > 2 && text.at[0] == '0' && text.at[1] == 'x' &&
	    read_digits(text.at + 2, text.at + text.length, 16, number))
		return 0;
	return fail_syntax(line, "a number like 12 or \"0x1000\"");
}

static int take_flags(struct line *line)
{
	struct text text;
	unsigned i;
	int ret;

	if (!take(line, '['))
		return fail_syntax(line, "a list");
	do {
		ret = take_string(line, &text);
		if (ret)
			return ret;
		for (i = 0; pgtsim_flag_name(i) && !is_text(&text, pgtsim_flag_name(i)); i++)
			;
		if (!pgtsim_flag_name(i))
			return pgtsim_judge_fail(line->judge, "there is no flag '%.*s'",
						 shown(&text), text.at);
		line->event.flags |= 1u << i;
	} while (take(line, ','));
	return take(line, ']') ? 0 : fail_syntax(line, "']'");
}

/* ---- members ---- */

enum form { FORM_STRING, FORM_NUMBER, FORM_FLAGS };

#define STRING(title, bit, member)                                     \
	{                                                              \
		title, bit, FORM_STRING, offsetof(struct line, member) \
	}
#define NUMBER(title, bit, member)                                     \
	{                                                              \
		title, bit, FORM_NUMBER, offsetof(struct line, member) \
	}

/* The most frequent first. */
static const struct member {
	const char *name;
	unsigned bit;
	enum form form;
	size_t offset;
} members[] = {
	STRING("op", HAS_OP, op),
	NUMBER("va", HAS_VA, event.va),
	STRING("level", HAS_LEVEL, level),
	NUMBER("size", HAS_SIZE, event.size),
	NUMBER("count", HAS_COUNT, event.count),
	NUMBER("old", HAS_OLD, event.old_desc),
	NUMBER("new", HAS_NEW, event.new_desc),
	NUMBER("step", HAS_STEP, event.step),
	NUMBER("pa", HAS_PA, event.pa),
	NUMBER("cpu", HAS_CPU, cpu),
	STRING("scope", HAS_SCOPE, scope),
	NUMBER("ttl", HAS_TTL, ttl),
	{ "flags", HAS_FLAGS, FORM_FLAGS, 0 },
	NUMBER("value", HAS_NEW, event.new_desc),
	NUMBER("last", HAS_LAST, last),
	STRING("format", HAS_FORMAT, format),
	NUMBER("version", HAS_VERSION, version),
	NUMBER("root", HAS_ROOT, root),
	STRING("name", HAS_NAME, name),
	STRING("text", HAS_TEXT, words),
	STRING("keys", HAS_KEYS, words),
};

enum { MEMBERS = sizeof(members) / sizeof(members[0]) };

static int take_member(struct line *line)
{
	const struct member *member = members;
	struct text name;
	void *place;
	int ret = take_string(line, &name);

	if (ret)
		return ret;
	while (member < members + MEMBERS && !is_text(&name, member->name))
		member++;
	if (member == members + MEMBERS)
		return pgtsim_judge_fail(line->judge, "there is no field '%.*s'", shown(&name),
					 name.at);
	if (line->has & member->bit)
		return pgtsim_judge_fail(line->judge, "'%s' is there twice", member->name);
	line->has |= member->bit;
	if (!take(line, ':'))
		return fail_syntax(line, "':'");
	place = (char *)line + member->offset;
	if (member->form == FORM_STRING)
		return take_string(line, place);
	return member->form == FORM_NUMBER ? take_number(line, place) : take_flags(line);
}

static int take_members(struct line *line)
{
	if (!take(line, '{'))
		return fail_syntax(line, "'{'");
	do {
		int ret = take_member(line);

		if (ret)
			return ret;
	} while (take(line, ','));
	if (!take(line, '}'))
		return fail_syntax(line, "',' or '}'");
	return next_character(line) ? fail_syntax(line, "nothing behind '}'") : 0;
}

/* ---- what a line says ---- */

static int read_level(struct line *line)
{
	const struct pgtsim_geometry *geo = line->judge->geo;
	bool table =
		line->event.op == PGTSIM_OP_TABLE_ALLOC || line->event.op == PGTSIM_OP_TABLE_FREE;

	if (table && is_text(&line->level, "pgd")) {
		line->event.level = PGTSIM_PGD;
		return 0;
	}
	for (int level = pgtsim_root_level(geo); level <= PGTSIM_PTE; level++)
		if (is_text(&line->level, pgtsim_level_name(geo, level))) {
			line->event.level = level;
			return 0;
		}
	return pgtsim_judge_fail(line->judge, "this geometry has no level '%.*s'",
				 shown(&line->level), line->level.at);
}

static int read_scope(struct line *line)
{
	for (unsigned i = 0; i < PGTSIM_SCOPE_NAMES; i++)
		if (is_text(&line->scope, pgtsim_scope_names[i])) {
			line->event.scope = (uint8_t)i;
			return 0;
		}
	return pgtsim_judge_fail(line->judge, "scope: it is one of is, local, os, iommu");
}

/* Looks for a field that the operation cannot do without. */
static int check_needs(struct line *line)
{
	unsigned lacks = needs[line->event.op] & ~line->has;

	for (size_t i = 0; lacks && i < MEMBERS; i++)
		if (members[i].bit & lacks)
			return pgtsim_judge_fail(line->judge, "%s lacks '%s'",
						 pgtsim_op_name(line->event.op), members[i].name);
	return 0;
}

/* Entries of another architecture, as the library keeps them (format.h). */
static void keep_descriptors(struct line *line)
{
	const struct pgtsim_geometry *geo = line->judge->geo;
	struct pgtsim_event *event = &line->event;

	if (line->has & HAS_OLD)
		event->old_desc = pgtsim_desc_from_raw(geo, event->level, event->old_desc);
	if (line->has & HAS_NEW && event->op != PGTSIM_OP_STORE)
		event->new_desc = pgtsim_desc_from_raw(geo, event->level, event->new_desc);
}

static int judge_op(struct line *line)
{
	struct pgtsim_event *event = &line->event;
	int ret = check_needs(line);

	if (!ret && line->has & HAS_LEVEL)
		ret = read_level(line);
	if (!ret && line->has & HAS_SCOPE)
		ret = read_scope(line);
	if (ret)
		return ret;
	if (line->cpu > INT32_MAX || line->ttl > 15)
		return pgtsim_judge_fail(line->judge, "%s: too large",
					 line->ttl > 15 ? "ttl" : "cpu");
	if (line->judge->geo->format != PGTSIM_FORMAT_ARM64)
		keep_descriptors(line);
	/* Leaves map consecutive memory unless the line says otherwise. */
	if (line->has & HAS_LEVEL && !(line->has & HAS_STEP) &&
	    event->level >= pgtsim_root_level(line->judge->geo))
		event->step = pgtsim_entry_size(line->judge->geo, event->level);
	event->cpu = (unsigned)line->cpu;
	event->ttl = (uint8_t)line->ttl;
	if (!(line->has & HAS_COUNT))
		event->count = 1;
	return pgtsim_judge_event(line->judge, event);
}

static int judge_header(struct line *line)
{
	if (!is_text(&line->format, "pgtsim-trace") || !(line->has & HAS_VERSION))
		return pgtsim_judge_fail(line->judge, "the format is no pgtsim-trace");
	if (line->version != PGTSIM_TRACE_VERSION)
		return pgtsim_judge_fail(line->judge, "version %llu: this program reads version %d",
					 (unsigned long long)line->version, PGTSIM_TRACE_VERSION);
	return line->has & HAS_ROOT ? pgtsim_judge_root(line->judge, line->root) : 0;
}

static int judge_end_line(struct line *line)
{
	if ((line->has & (HAS_VA | HAS_LAST)) != (HAS_VA | HAS_LAST))
		return pgtsim_judge_fail(line->judge, "end lacks '%s'",
					 line->has & HAS_VA ? "last" : "va");
	pgtsim_judge_end(line->judge, line->event.va, line->last);
	return 0;
}

/* Violations that the judge decides by itself: of those it does not believe the trace. */
static const char *const decided[] = {
	"stale-leaf",        "stale-table",        "freed-while-cached", "table-freed-while-cached",
	"missing-barrier",   "wrong-invalidate",   "no-break",           "overlapping-sizes",
	"unpublished-table", "not-visible",        "misaligned-range",   "misprogrammed-group",
	"incomplete-event",  "illegal-descriptor",
};

static bool is_decided(const struct text *name)
{
	for (size_t i = 0; i < sizeof(decided) / sizeof(decided[0]); i++)
		if (is_text(name, decided[i]))
			return true;
	return false;
}

/* True if the judge has found this one already: a table that is freed while it is linked. */
static bool is_found(const struct line *line, enum pgtsim_violation_name name)
{
	size_t count;
	const struct pgtsim_violation *found = pgtsim_violations(line->judge->tlb, &count);

	for (size_t i = 0; name == PGTSIM_V_FREED_WHILE_MAPPED && i < count; i++)
		if (found[i].name == name && found[i].va == line->event.va)
			return true;
	return false;
}

/* What the traced machine found wrong and no event shows: holes, page blocks, locks. */
static int judge_violation(struct line *line)
{
	const int most = 200; /* bytes of text */

	line->event.level = PGTSIM_PTE;
	if (line->has & HAS_LEVEL && read_level(line))
		return -EINVAL;
	for (unsigned i = 0; i < PGTSIM_V_COUNT; i++) {
		enum pgtsim_violation_name name = (enum pgtsim_violation_name)i;

		if (!is_text(&line->name, pgtsim_violation_kind(name)->name))
			continue;
		if (!is_decided(&line->name) && !is_found(line, name))
			pgtsim_tlb_violation(
				line->judge->tlb, name, line->event.va, line->event.level, "%.*s",
				line->words.length < (size_t)most ? (int)line->words.length : most,
				line->words.length ? line->words.at : "");
		return 0;
	}
	return pgtsim_judge_fail(line->judge, "there is no violation '%.*s'", shown(&line->name),
				 line->name.length ? line->name.at : "");
}

static int judge_members(struct line *line)
{
	if (line->has & HAS_FORMAT)
		return judge_header(line);
	if (!(line->has & HAS_OP))
		return pgtsim_judge_fail(line->judge, "'op' is missing");
	if (is_text(&line->op, "end"))
		return judge_end_line(line);
	if (is_text(&line->op, "violation"))
		return judge_violation(line);
	if (is_text(&line->op, "machine"))
		return 0;
	for (unsigned op = 0; op < PGTSIM_OP_COUNT; op++)
		if (is_text(&line->op, pgtsim_op_name((enum pgtsim_op)op))) {
			line->event.op = (enum pgtsim_op)op;
			return judge_op(line);
		}
	return pgtsim_judge_fail(line->judge, "there is no operation '%.*s'", shown(&line->op),
				 line->op.at);
}

int pgtsim_judge_line(struct pgtsim_judge *judge, const char *text, size_t length)
{
	struct line line = { .judge = judge, .at = text, .end = text + length };
	int ret;

	if (!judge || !text)
		return -EINVAL;
	judge->error[0] = '\0';
	if (memchr(text, '\0', length))
		return pgtsim_judge_fail(judge, "not a line of a trace: a byte 0 stands in it");
	if (!next_character(&line) && line.at == line.end)
		return 0;
	ret = take_members(&line);
	return ret ? ret : judge_members(&line);
}
