/* SPDX-License-Identifier: MIT */
/* command: reads a line as the row of its command says. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "near.h"
#include "syntax.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BLANKS " \t"

static const char name_characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789-_.";

bool syntax_is_name(const char *word)
{
	return word[strspn(word, name_characters)] == '\0';
}

static const struct {
	const char *name;
	int number;
} errnos[] = {
	{ "ENOMEM", ENOMEM },       { "EINVAL", EINVAL },
	{ "EBUSY", EBUSY },         { "EEXIST", EEXIST },
	{ "EPERM", EPERM },         { "E2BIG", E2BIG },
	{ "ENOENT", ENOENT },       { "EFAULT", EFAULT },
	{ "ENOSPC", ENOSPC },       { "ENODEV", ENODEV },
	{ "ENXIO", ENXIO },         { "EAGAIN", EAGAIN },
	{ "EINTR", EINTR },         { "EIO", EIO },
	{ "EACCES", EACCES },       { "EDOM", EDOM },
	{ "ERANGE", ERANGE },       { "EOVERFLOW", EOVERFLOW },
	{ "ENOSYS", ENOSYS },       { "EOPNOTSUPP", EOPNOTSUPP },
	{ "ENOTSUP", ENOTSUP },     { "EALREADY", EALREADY },
	{ "ECANCELED", ECANCELED }, { "ETIMEDOUT", ETIMEDOUT },
};

/* ---- memory ---- */

static struct scenario_command *append_command(struct parser *p)
{
	struct scenario *out = p->out;
	struct scenario_command *commands =
		syntax_room(out->commands, out->command_count, &p->command_room, sizeof(*commands));

	if (!commands)
		return NULL;
	out->commands = commands;
	commands += out->command_count++;
	*commands = (struct scenario_command){ .line = p->line };
	return commands;
}

static struct scenario_option *append_option(struct parser *p, const struct slot *slot)
{
	struct scenario *out = p->out;
	struct scenario_option *options =
		syntax_room(out->options, p->option_count, &p->option_room, sizeof(*options));

	if (!options)
		return NULL;
	out->options = options;
	options += p->option_count++;
	*options = (struct scenario_option){ .key = slot->key, .name = slot->name };
	p->command->option_count++;
	return options;
}

/* The options of the command being read, which are the last ones so far. */
static struct scenario_option *own_options(const struct parser *p)
{
	return p->out->options + (p->option_count - p->command->option_count);
}

bool syntax_given(const struct parser *p, const char *name)
{
	for (size_t i = 0; i < p->command->option_count; i++)
		if (strcmp(own_options(p)[i].name, name) == 0)
			return true;
	return false;
}
/* ---- words ---- */

/* Takes the next word of the line; NULL at its end or at a comment. */
static char *next_word(struct parser *p)
{
	char *word = p->cursor + strspn(p->cursor, BLANKS);

	if (*word == '#')
		*word = '\0';
	p->cursor = word;
	if (*word == '\0')
		return NULL;
	p->cursor += strcspn(word, BLANKS);
	if (*p->cursor != '\0')
		*p->cursor++ = '\0';
	return word;
}

/* The slot of a command's option. Returns whether there is one. */
static bool find_option(const struct scenario_row *row, const char *name, struct slot *found)
{
	const struct pgtsim_knob *knobs;
	size_t count = 0;

	for (const struct slot *slot = row->options; slot && slot->name; slot++) {
		if (strcmp(slot->name, name) == 0) {
			*found = *slot;
			return true;
		}
	}
	knobs = pgtsim_knobs(&count);
	for (size_t i = 0; row->knobs && i < count; i++) {
		if (strcmp(knobs[i].name, name) == 0) {
			*found = (struct slot)CHOICE(knobs[i].name, KNOB, knobs[i].values);
			return true;
		}
	}
	return false;
}

static void offer_options(const struct scenario_row *row, struct nearest *near)
{
	const struct pgtsim_knob *knobs;
	size_t count = 0;

	for (const struct slot *slot = row->options; slot && slot->name; slot++)
		nearest_offer(near, slot->name);
	knobs = pgtsim_knobs(&count);
	for (size_t i = 0; row->knobs && i < count; i++)
		nearest_offer(near, knobs[i].name);
}

/* Reads an option; value is NULL for a word without `=`. */
static int add_option(struct parser *p, const struct slot *slot, char *value)
{
	struct scenario_option *option;

	if (!slot->parse && value)
		return syntax_fail(p, "'%s' takes no value: write '%s' alone", slot->name,
				   slot->name);
	if (slot->parse && !value)
		return syntax_fail(p, "'%s' needs a value: write '%s=...'", slot->name, slot->name);
	if (slot->key != SCENARIO_KEY_RAM && syntax_given(p, slot->name))
		return syntax_fail(p, "'%s' is given twice", slot->name);
	option = append_option(p, slot);
	if (!option)
		return syntax_fail_memory(p);
	option->value.word = value ? value : slot->name;
	return value ? slot->parse(p, slot, value, &option->value) : 0;
}

/* Reports a word that the command does not accept. */
static int fail_surplus(struct parser *p, const char *word, bool is_option)
{
	const struct scenario_row *row = p->row;
	struct nearest near = nearest_to(word);
	char what[64];

	offer_options(row, &near);
	(void)snprintf(what, sizeof(what), "'%s' has no option", row->name);
	if (is_option || near.name)
		return syntax_fail_near(p, what, &near);
	if (!row->args[0].name && row->options)
		return syntax_fail(p, "'%s' takes only key=value, not '%s'", row->name,
				   syntax_quote(word).text);
	return syntax_fail(p, "too many arguments for '%s': '%s'", row->name,
			   syntax_quote(word).text);
}

/* Cuts key=value in two and returns the value; NULL if the word is something else (`<=`). */
static char *cut_option(char *word)
{
	char *equals = strchr(word, '=');

	if (!equals || equals == word)
		return NULL;
	/* No key has a dot, but counters have: tables.pgd==1. */
	if (word + strspn(word, name_characters) != equals ||
	    memchr(word, '.', (size_t)(equals - word)))
		return NULL;
	*equals = '\0';
	return equals + 1;
}

/* The place of the next argument; NULL if the command takes no more. */
static const struct slot *next_argument(const struct parser *p)
{
	size_t count = p->command->arg_count;

	return count < SCENARIO_ARGS_MAX && p->row->args[count].name ? &p->row->args[count] : NULL;
}

static int add_argument(struct parser *p, const struct slot *slot, char *word)
{
	struct scenario_value *value = &p->command->args[p->command->arg_count++];

	value->word = word;
	return slot->parse(p, slot, word, value);
}

/* An argument may be spelt like a key (an altmap's name), but not like a flag. */
static int parse_word(struct parser *p, char *word)
{
	const struct slot *argument = next_argument(p);
	char *value = cut_option(word);
	struct slot slot;

	if (find_option(p->row, word, &slot) && (value || !slot.parse || !argument))
		return add_option(p, &slot, value);
	if (value || !argument)
		return fail_surplus(p, word, value != NULL);
	return add_argument(p, argument, word);
}

/* Reports an argument or option that is missing at the end of the line. */
static int finish_command(struct parser *p)
{
	const struct scenario_row *row = p->row;
	const struct slot *argument = next_argument(p);

	if (argument && argument->required)
		return syntax_fail(p, "'%s' needs %s, which is missing", row->name, argument->name);
	for (const struct slot *slot = row->options; slot && slot->name; slot++)
		if (slot->required && !syntax_given(p, slot->name))
			return syntax_fail(p, "'%s' needs '%s=', which is missing", row->name,
					   slot->name);
	return row->finish ? row->finish(p) : 0;
}

/* Takes the rest of the line as it is, comment signs included. */
static int parse_rest(struct parser *p)
{
	char *text = p->cursor + strspn(p->cursor, BLANKS);
	char *end = text + strlen(text);

	while (end > text && strchr(BLANKS, end[-1]))
		end--;
	*end = '\0';
	p->cursor = end;
	p->command->text = text;
	if (*text == '\0' && p->row->kind == SCENARIO_NOTE)
		return syntax_fail(p, "'note' needs a text");
	return 0;
}

/* ---- commands, line by line ---- */

static int parse_errno(struct parser *p)
{
	char *word = next_word(p);
	struct nearest near;

	if (!word)
		return syntax_fail(p, "'expect-error' needs an errno and a command");
	near = nearest_to(word);
	for (size_t i = 0; i < COUNT(errnos); i++) {
		if (strcmp(errnos[i].name, word) == 0) {
			p->command->expected = -errnos[i].number;
			p->command->expected_name = errnos[i].name;
			return 0;
		}
		nearest_offer(&near, errnos[i].name);
	}
	return syntax_fail_near(p, "unknown errno", &near);
}

static int find_command(struct parser *p, const char *word)
{
	struct nearest near = nearest_to(word);

	const struct scenario_row *row;

	for (size_t i = 0; (row = scenario_row_at(i)); i++) {
		if (strcmp(row->name, word) == 0) {
			p->row = row;
			p->command->row = row;
			p->command->kind = row->kind;
			p->command->name = row->name;
			return 0;
		}
		nearest_offer(&near, row->name);
	}
	nearest_offer(&near, "expect-error");
	return syntax_fail_near(p, "unknown command", &near);
}

static bool is_prefix(const char *word)
{
	return strcmp(word, "try") == 0 || strcmp(word, "expect-error") == 0;
}

/* Reads what may stand before a command; *word moves on to the command itself. */
static int parse_prefix(struct parser *p, char **word)
{
	const char *prefix = *word;
	int err = 0;

	if (strcmp(prefix, "try") == 0)
		p->command->tolerated = true;
	else
		err = parse_errno(p);
	if (err)
		return err;
	*word = next_word(p);
	if (!*word)
		return syntax_fail(p, "'%s' needs a command", prefix);
	if (is_prefix(*word))
		return syntax_fail(p, "'%s' does not take '%s'", prefix, *word);
	return 0;
}

static int parse_name(struct parser *p, char *word)
{
	const char *prefix = is_prefix(word) ? word : NULL;
	int err = prefix ? parse_prefix(p, &word) : 0;

	if (!err)
		err = find_command(p, word);
	if (!err && prefix && p->row->alone)
		return syntax_fail(p, "'%s' does not take '%s'", prefix, p->row->name);
	return err;
}

static int check_place(struct parser *p)
{
	const struct scenario *out = p->out;
	bool first = out->command_count == 1;
	bool machine = p->row->kind == SCENARIO_MACHINE;

	if (first && !machine)
		return syntax_fail(p,
				   "'%s' stands before 'machine', which must be the first command",
				   p->row->name);
	if (!first && machine)
		return syntax_fail(p, "a second 'machine'; the first is in line %u",
				   out->commands[0].line);
	return 0;
}

/* The line as written, from its first word to where reading ended. */
static const char *keep_source(const struct parser *p, char *first)
{
	char *end = p->cursor - p->words;

	while (strchr(BLANKS, end[-1]))
		end--;
	*end = '\0';
	return first - p->words;
}

int parser_read_command(struct parser *p)
{
	char *first = next_word(p), *word;
	int err;

	if (!first)
		return 0;
	p->command = append_command(p);
	if (!p->command)
		return syntax_fail_memory(p);
	err = parse_name(p, first);
	if (!err)
		err = check_place(p);
	if (!err && p->row->text)
		err = parse_rest(p);
	while (!err && !p->row->text && (word = next_word(p)))
		err = parse_word(p, word);
	if (!err)
		err = finish_command(p);
	if (!err)
		p->command->source = keep_source(p, first);
	return err;
}

const struct scenario_value *scenario_option(const struct scenario_command *command,
					     enum scenario_key key)
{
	for (size_t i = 0; i < command->option_count; i++)
		if (command->options[i].key == key)
			return &command->options[i].value;
	return NULL;
}

const char *scenario_errno_name(int error)
{
	for (size_t i = 0; i < COUNT(errnos); i++)
		if (errnos[i].number == -error)
			return errnos[i].name;
	return NULL;
}

uint64_t scenario_number_or(const struct scenario_command *command, enum scenario_key key,
			    uint64_t otherwise)
{
	const struct scenario_value *value = scenario_option(command, key);

	return value ? value->number : otherwise;
}

unsigned scenario_choice_or(const struct scenario_command *command, enum scenario_key key,
			    unsigned otherwise)
{
	const struct scenario_value *value = scenario_option(command, key);

	return value ? value->choice : otherwise;
}

bool scenario_flag(const struct scenario_command *command, enum scenario_key key)
{
	return scenario_option(command, key) != NULL;
}
