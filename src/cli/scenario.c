/* SPDX-License-Identifier: MIT */
#include "scenario.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgtsim/explore.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BLANKS " \t"

static const char name_characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789-_.";

struct parser;
struct slot;

/* Reads a word into a value. Returns 0, -EINVAL or -ENOMEM. */
typedef int value_parser(struct parser *p, const struct slot *slot, char *word,
			 struct scenario_value *value);

/* A place for an argument or an option. */
struct slot {
	const char *name;
	value_parser *parse; /* NULL: a flag */
	const char *const *choices;
	enum scenario_key key; /* of options */
	bool required;
	uint64_t least, most; /* of numbers; 0: no bound */
};

/* A row of the table of commands. */
struct command_spec {
	const char *name;
	enum scenario_kind kind;
	bool knobs; /* policy knobs are options too */
	bool text;  /* takes the rest of the line, no arguments or options */
	bool alone; /* not after `try` or `expect-error` */
	struct slot args[SCENARIO_ARGS_MAX]; /* those required come first */
	const struct slot *options;          /* ends with one that has no name; NULL: none */
	int (*finish)(struct parser *p); /* checks the command as a whole; NULL: nothing to do */
};

struct parser {
	struct scenario *out;
	struct scenario_error *error;
	unsigned line;
	size_t words;                     /* from a line to its copy that is cut into words */
	char *cursor;                     /* in that copy: what is still to be read of the line */
	struct scenario_command *command; /* the one being read */
	const struct command_spec *spec;  /* its row */
	size_t option_count;              /* in out->options */
	size_t command_room, option_room, altmap_room;
};

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

/* Messages */

#ifdef __GNUC__
__attribute__((format(printf, 2, 3)))
#endif
static int
fail(struct parser *p, const char *format, ...)
{
	va_list args;

	p->error->line = p->line;
	va_start(args, format);
	(void)vsnprintf(p->error->message, sizeof(p->error->message), format, args);
	va_end(args);
	return -EINVAL;
}

static int fail_memory(struct parser *p)
{
	(void)fail(p, "out of memory");
	return -ENOMEM;
}

struct quoted {
	char text[44];
};

/* A word from the scenario as it may stand in a message: plain ASCII, not too long. */
static struct quoted quote(const char *word)
{
	const size_t room = sizeof(((struct quoted *)NULL)->text) - sizeof("...");
	struct quoted quoted;
	size_t i;

	for (i = 0; word[i] != '\0' && i < room; i++)
		quoted.text[i] = word[i] >= ' ' && word[i] <= '~' ? word[i] : '?';
	(void)snprintf(quoted.text + i, sizeof("..."), "%s", word[i] == '\0' ? "" : "...");
	return quoted;
}

/* Near misses */

enum { NEAR_MAX = 31 }; /* longer words are near to nothing */

/* Looks for the known name nearest to a word. */
struct nearest {
	const char *word, *name; /* name: NULL if none is near */
	size_t distance;         /* the largest that is near, then that of the name, less 1 */
};

static struct nearest nearest_to(const char *word)
{
	size_t length = strlen(word);
	size_t limit = length < 6 ? 1 : length / 3;

	return (struct nearest){ .word = word, .distance = length < 2 ? 0 : limit };
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool alike(char a, char b)
{
	return lower(a) == lower(b);
}

/*
 * Letters to insert, drop, replace or swap with their neighbour (each letter once: optimal
 * string alignment), without regard to case. d[i][j] is that of the first i and j letters.
 */
static size_t distance(const char *a, const char *b)
{
	size_t d[NEAR_MAX + 1][NEAR_MAX + 1];
	size_t rows = strlen(a), columns = strlen(b);

	if (rows > NEAR_MAX || columns > NEAR_MAX)
		return SIZE_MAX;
	for (size_t i = 0; i <= rows; i++) {
		for (size_t j = 0; j <= columns; j++) {
			if (i == 0 || j == 0) {
				d[i][j] = i + j;
				continue;
			}
			d[i][j] = smaller(d[i - 1][j], d[i][j - 1]) + 1;
			d[i][j] = smaller(d[i][j], d[i - 1][j - 1] + !alike(a[i - 1], b[j - 1]));
			if (i > 1 && j > 1 && alike(a[i - 1], b[j - 2]) &&
			    alike(a[i - 2], b[j - 1]))
				d[i][j] = smaller(d[i][j], d[i - 2][j - 2] + 1);
		}
	}
	return d[rows][columns];
}

static void offer(struct nearest *near, const char *name)
{
	size_t away = distance(near->word, name);

	if (away > near->distance || (near->name && away == near->distance))
		return;
	near->name = name;
	near->distance = away;
}

/* `what` and the word it is about, with the nearest known name if there is one. */
static int fail_near(struct parser *p, const char *what, const struct nearest *near)
{
	struct quoted word = quote(near->word);

	if (!near->name)
		return fail(p, "%s '%s'", what, word.text);
	return fail(p, "%s '%s'; did you mean '%s'?", what, word.text, quote(near->name).text);
}

/* Memory */

/* Room for one more item. Returns the array, perhaps moved, or NULL with nothing changed. */
static void *make_room(void *array, size_t count, size_t *room, size_t size)
{
	size_t wanted = *room ? *room * 2 : 16;
	void *grown;

	if (count < *room)
		return array;
	if (wanted > SIZE_MAX / 2 / size)
		return NULL;
	grown = realloc(array, wanted * size);
	if (grown)
		*room = wanted;
	return grown;
}

static struct scenario_command *append_command(struct parser *p)
{
	struct scenario *out = p->out;
	struct scenario_command *commands =
		make_room(out->commands, out->command_count, &p->command_room, sizeof(*commands));

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
		make_room(out->options, p->option_count, &p->option_room, sizeof(*options));

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

static bool given(const struct parser *p, const char *name)
{
	for (size_t i = 0; i < p->command->option_count; i++)
		if (strcmp(own_options(p)[i].name, name) == 0)
			return true;
	return false;
}

/* Numbers */

enum number_fault {
	NUMBER_FINE,
	NUMBER_EMPTY,
	NUMBER_NEGATIVE,
	NUMBER_JUNK,
	NUMBER_LOWER_CASE,
	NUMBER_TOO_BIG,
};

static const char *const number_faults[] = {
	[NUMBER_EMPTY] = "is a number without digits",
	[NUMBER_NEGATIVE] = "is negative; numbers start at 0",
	[NUMBER_JUNK] = "is not a number (decimal or 0x hex, perhaps with K, M, G, T or P)",
	[NUMBER_LOWER_CASE] = "has a lower-case suffix; write K, M, G, T or P",
	[NUMBER_TOO_BIG] = "does not fit in 64 bits",
};

/* 16 and more for what is not a digit. */
static unsigned digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	c = lower(c);
	return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10) : 16;
}

/* Reads all digits; returns whether the number fits. */
static bool read_digits(const char **at, unsigned base, uint64_t *number)
{
	bool fits = true;

	*number = 0;
	for (unsigned digit; (digit = digit_value(**at)) < base; (*at)++) {
		fits &= *number <= (UINT64_MAX - digit) / base;
		*number = *number * base + digit;
	}
	return fits;
}

/* Applies what follows the digits. */
static enum number_fault read_suffix(const char *suffix, uint64_t *number)
{
	static const char suffixes[] = "KMGTP";
	const char *found;
	unsigned shift;

	if (*suffix == '\0')
		return NUMBER_FINE;
	if (suffix[1] != '\0')
		return NUMBER_JUNK;
	found = strchr(suffixes, *suffix);
	if (!found)
		return strchr("kmgtp", *suffix) ? NUMBER_LOWER_CASE : NUMBER_JUNK;
	shift = 10 * (unsigned)(found - suffixes + 1);
	if (*number > UINT64_MAX >> shift)
		return NUMBER_TOO_BIG;
	*number <<= shift;
	return NUMBER_FINE;
}

static enum number_fault read_number(const char *word, uint64_t *number)
{
	bool hex = strncmp(word, "0x", 2) == 0;
	const char *digits = hex ? word + 2 : word;
	const char *at = digits;
	bool fits = read_digits(&at, hex ? 16 : 10, number);
	enum number_fault fault;

	if (at == digits && *at != '\0')
		return *at == '-' ? NUMBER_NEGATIVE : NUMBER_JUNK;
	if (at == digits)
		return NUMBER_EMPTY;
	fault = read_suffix(at, number);
	return fits || (fault != NUMBER_FINE && fault != NUMBER_TOO_BIG) ? fault : NUMBER_TOO_BIG;
}

bool scenario_number(const char *word, uint64_t *number)
{
	return read_number(word, number) == NUMBER_FINE;
}

static int need_number(struct parser *p, const struct slot *slot, const char *word,
		       uint64_t *number)
{
	enum number_fault fault = read_number(word, number);

	if (fault == NUMBER_FINE)
		return 0;
	return fail(p, "%s: '%s' %s", slot->name, quote(word).text, number_faults[fault]);
}

/* Values */

static int parse_number(struct parser *p, const struct slot *slot, char *word,
			struct scenario_value *value)
{
	int err = need_number(p, slot, word, &value->number);

	if (err)
		return err;
	if (value->number < slot->least)
		return fail(p, "%s: '%s' is too small; the least is %llu", slot->name,
			    quote(word).text, (unsigned long long)slot->least);
	if (slot->most && value->number > slot->most)
		return fail(p, "%s: '%s' is too large; the most is %llu", slot->name,
			    quote(word).text, (unsigned long long)slot->most);
	return 0;
}

static int parse_range(struct parser *p, const struct slot *slot, char *word,
		       struct scenario_value *value)
{
	char *plus = strchr(word, '+');
	int err;

	if (!plus)
		return fail(p, "%s: '%s' is not a range; write BASE+SIZE", slot->name,
			    quote(word).text);
	*plus = '\0';
	err = need_number(p, slot, word, &value->range.base);
	if (!err)
		err = need_number(p, slot, plus + 1, &value->range.size);
	*plus = '+';
	return err;
}

/* Takes `linear` or `vmemmap` off the front of a word that is just that or goes on with `+`. */
static const char *read_origin(const char *word, enum scenario_origin *origin)
{
	static const char *const origins[] = {
		[SCENARIO_LINEAR] = "linear", [SCENARIO_VMEMMAP] = "vmemmap"
	};
	size_t length = strcspn(word, "+");

	*origin = SCENARIO_ABSOLUTE;
	for (unsigned i = SCENARIO_LINEAR; i < COUNT(origins); i++) {
		if (strlen(origins[i]) != length || strncmp(word, origins[i], length) != 0)
			continue;
		*origin = (enum scenario_origin)i;
		return word + length;
	}
	return word;
}

static int parse_address(struct parser *p, const struct slot *slot, char *word,
			 struct scenario_value *value)
{
	struct scenario_address *address = &value->address;
	const char *rest = read_origin(word, &address->origin);

	address->value = 0;
	if (address->origin == SCENARIO_ABSOLUTE) {
		if (digit_value(*word) >= 10 && *word != '-')
			return fail(p,
				    "%s: '%s' is not an address; write NUMBER, linear+OFFSET or "
				    "vmemmap+OFFSET",
				    slot->name, quote(word).text);
		return need_number(p, slot, rest, &address->value);
	}
	return *rest == '\0' ? 0 : need_number(p, slot, rest + 1, &address->value);
}

/* A value that is none of the choices: the nearest one, or else all of them. */
static int fail_choice(struct parser *p, const struct slot *slot, const char *word)
{
	struct nearest near = nearest_to(word);
	char what[64], list[128];
	size_t length = 0;

	(void)snprintf(what, sizeof(what), "%s: unknown value", slot->name);
	for (size_t i = 0; slot->choices[i]; i++) {
		offer(&near, slot->choices[i]);
		if (length < sizeof(list))
			length += (size_t)snprintf(list + length, sizeof(list) - length, "%s%s",
						   i ? ", " : "", slot->choices[i]);
	}
	if (near.name)
		return fail_near(p, what, &near);
	return fail(p, "%s '%s'; it is one of: %s", what, quote(word).text, list);
}

static int parse_choice(struct parser *p, const struct slot *slot, char *word,
			struct scenario_value *value)
{
	for (unsigned i = 0; slot->choices[i]; i++) {
		if (strcmp(slot->choices[i], word) == 0) {
			value->choice = i;
			return 0;
		}
	}
	return fail_choice(p, slot, word);
}

static int parse_profile(struct parser *p, const struct slot *slot, char *word,
			 struct scenario_value *value)
{
	struct slot profiles = *slot;

	profiles.choices = pgtsim_profiles();
	return parse_choice(p, &profiles, word, value);
}

static int parse_file(struct parser *p, const struct slot *slot, char *word,
		      struct scenario_value *value)
{
	(void)value;
	return *word == '\0' ? fail(p, "%s: a file's name is missing", slot->name) : 0;
}

static int parse_counter(struct parser *p, const struct slot *slot, char *word,
			 struct scenario_value *value)
{
	struct nearest near = nearest_to(word);
	const struct pgtsim_counter *counters;
	size_t count;

	(void)slot;
	value->counter = pgtsim_counter_find(word);
	if (value->counter)
		return 0;
	counters = pgtsim_counters(&count);
	for (size_t i = 0; i < count; i++)
		offer(&near, counters[i].name);
	return fail_near(p, "unknown counter", &near);
}

/* Finds a declared altmap by name; its number, or altmap_count if there is none. */
static size_t find_altmap(const struct scenario *out, const char *name)
{
	size_t i;

	for (i = 0; i < out->altmap_count; i++)
		if (out->altmap_names[i] && strcmp(out->altmap_names[i], name) == 0)
			break;
	return i;
}

/* One that must fail gets a number, but its name stays free. */
static int declare_altmap(struct parser *p, const struct slot *slot, char *word,
			  struct scenario_value *value)
{
	struct scenario *out = p->out;
	bool fails = p->command->expected != 0;
	const char **names;

	if (word[strspn(word, name_characters)] != '\0')
		return fail(p, "%s: '%s' is not a name of letters, digits, '-', '_' and '.'",
			    slot->name, quote(word).text);
	if (!fails && find_altmap(out, word) < out->altmap_count)
		return fail(p, "%s: altmap '%s' is declared twice", slot->name, quote(word).text);
	if (out->altmap_count == SCENARIO_ALTMAPS_MAX)
		return fail(p, "too many altmaps; the most is %d", SCENARIO_ALTMAPS_MAX);
	names = make_room(out->altmap_names, out->altmap_count, &p->altmap_room, sizeof(*names));
	if (!names)
		return fail_memory(p);
	out->altmap_names = names;
	value->altmap = out->altmap_count++;
	names[value->altmap] = fails ? NULL : word;
	return 0;
}

static int use_altmap(struct parser *p, const struct slot *slot, char *word,
		      struct scenario_value *value)
{
	struct nearest near = nearest_to(word);

	(void)slot;
	value->altmap = find_altmap(p->out, word);
	if (value->altmap < p->out->altmap_count)
		return 0;
	for (size_t i = 0; i < p->out->altmap_count; i++)
		if (p->out->altmap_names[i])
			offer(&near, p->out->altmap_names[i]);
	return fail_near(p, "no command before this one declares an altmap", &near);
}

/* Commands */

static int check_machine(struct parser *p)
{
	if (given(p, "ram") && given(p, "iomem"))
		return fail(p, "machine takes 'ram=' or 'iomem=', not both");
	return 0;
}

static int check_bounds(struct parser *p)
{
	if (p->command->arg_count == (given(p, "default") ? 0 : 2))
		return 0;
	return fail(p, "write 'bounds FLOOR CEILING' or 'bounds default'");
}

static int check_add(struct parser *p)
{
	if (given(p, "altmap") && !given(p, "device"))
		return fail(p, "'altmap=' needs 'device': only a driver's memory takes an altmap "
			       "by name");
	return 0;
}

/* Actors and explore */

/* What kinds of actors take after NAME and KIND; in the order of enum scenario_actor. */
static const struct actor_kind {
	const char *name;
	const char *wants;
	size_t least, most;
	value_parser *first, *others;
} actor_kinds[] = {
	{ "add", "BASE+SIZE", 1, 1, parse_range, NULL },
	{ "remove", "BASE+SIZE", 1, 1, parse_range, NULL },
	{ "unmap", "VA SIZE", 2, 2, parse_address, parse_number },
	{ "vmemmap-free", "START END", 2, 2, parse_address, parse_address },
	{ "vmalloc", "VA PAGES", 2, 2, parse_address, parse_number },
	{ "ptdump", "VA SIZE", 2, 2, parse_address, parse_number },
	{ "access", "VA, at most 4 of them", 1, 4, parse_address, parse_address },
};

static const char *const actor_names[] = { "add",     "remove", "unmap",  "vmemmap-free",
					   "vmalloc", "ptdump", "access", NULL };

size_t scenario_actors(const struct scenario *scenario, const struct scenario_command *explore,
		       size_t actors[SCENARIO_ACTORS_MAX])
{
	size_t end = (size_t)(explore - scenario->commands), start = end, count = 0;

	while (start && scenario->commands[start - 1].kind != SCENARIO_EXPLORE)
		start--;
	for (size_t i = start; i < end && count < SCENARIO_ACTORS_MAX; i++)
		if (scenario->commands[i].kind == SCENARIO_ACTOR)
			actors[count++] = i;
	return count;
}

/* The actors that the command being read would explore. */
static size_t actors_so_far(const struct parser *p, size_t actors[SCENARIO_ACTORS_MAX])
{
	return scenario_actors(p->out, p->command, actors);
}

static int declare_actor(struct parser *p, const struct slot *slot, char *word,
			 struct scenario_value *value)
{
	size_t actors[SCENARIO_ACTORS_MAX], count = actors_so_far(p, actors);

	(void)value;
	if (word[strspn(word, name_characters)] != '\0')
		return fail(p, "%s: '%s' is not a name of letters, digits, '-', '_' and '.'",
			    slot->name, quote(word).text);
	for (size_t i = 0; i < count; i++)
		if (!strcmp(p->out->commands[actors[i]].args[0].word, word))
			return fail(p, "%s: actor '%s' is declared twice", slot->name,
				    quote(word).text);
	if (count == SCENARIO_ACTORS_MAX)
		return fail(p, "too many actors; the most is %d", SCENARIO_ACTORS_MAX);
	return 0;
}

static const struct actor_kind *kind_of(const struct parser *p)
{
	return &actor_kinds[p->command->args[1].choice];
}

/* What comes after KIND, and depends on it. */
static int parse_actor_value(struct parser *p, const struct slot *slot, char *word,
			     struct scenario_value *value)
{
	const struct actor_kind *kind = kind_of(p);
	size_t at = p->command->arg_count - 3; /* this one counts already */

	(void)slot;
	if (at >= kind->most)
		return fail(p, "too many arguments for 'actor %s': '%s'", kind->name,
			    quote(word).text);
	return (at ? kind->others : kind->first)(p, &(const struct slot){ .name = kind->wants },
						 word, value);
}

static int check_actor(struct parser *p)
{
	const struct actor_kind *kind = kind_of(p);

	if (p->command->arg_count - 2 < kind->least)
		return fail(p, "an actor that does '%s' needs %s", kind->name, kind->wants);
	if (given(p, "lock") && p->command->args[1].choice != SCENARIO_ACTOR_PTDUMP)
		return fail(p, "'lock' is for 'ptdump' only: '%s' %s", kind->name,
			    p->command->args[1].choice < SCENARIO_ACTOR_VMALLOC ?
				    "always takes the hotplug lock" :
				    "never takes the hotplug lock");
	return 0;
}

static bool knows_actor(const void *ctx, const char *name, size_t length)
{
	const struct parser *p = ctx;
	size_t actors[SCENARIO_ACTORS_MAX], count = actors_so_far(p, actors);

	for (size_t i = 0; i < count; i++) {
		const char *actor = p->out->commands[actors[i]].args[0].word;

		if (strlen(actor) == length && !strncmp(actor, name, length))
			return true;
	}
	return false;
}

static int parse_schedule(struct parser *p, const struct slot *slot, char *word,
			  struct scenario_value *value)
{
	(void)value;
	if (pgtsim_schedule_is_valid(word, knows_actor, p))
		return 0;
	return fail(p, "%s: '%s' is not a schedule of the actors before it; write NAME*STEPS,...",
		    slot->name, quote(word).text);
}

static int check_explore(struct parser *p)
{
	size_t actors[SCENARIO_ACTORS_MAX];

	if (!actors_so_far(p, actors))
		return fail(p, "'explore' needs an 'actor' before it, and after the 'explore' "
			       "before");
	if (given(p, "bound") && given(p, "schedule"))
		return fail(p, "explore takes 'bound=' or 'schedule=', not both");
	return 0;
}

static int check_tlbi(struct parser *p)
{
	bool all = p->command->args[0].choice == SCENARIO_TLBI_ALL;

	if (p->command->arg_count == (all ? 1 : 2))
		return 0;
	return fail(p, "write 'tlbi leaf VA', 'tlbi walk VA' or 'tlbi all'");
}

/* clang-format off */
#define CHOICES(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define ON_OFF CHOICES("off", "on")

#define ARG(title, parser) { .name = title, .parse = parser, .required = true }
#define ARG_CHOICE(title, ...)                                                                     \
	{ .name = title, .parse = parse_choice, .choices = CHOICES(__VA_ARGS__), .required = true }
#define ARG_VA ARG("VA", parse_address)
#define ARG_SIZE ARG("SIZE", parse_number)
#define ARG_RANGE ARG("BASE+SIZE", parse_range)

#define OPTIONS(...) ((const struct slot[]){ __VA_ARGS__, { .name = NULL } })
#define OPTION(title, parser, id) { .name = title, .parse = parser, .key = SCENARIO_KEY_##id }
#define CHOICE(title, id, values)                                                                  \
	{ .name = title, .parse = parse_choice, .key = SCENARIO_KEY_##id, .choices = values }
#define NUMBER(title, id) OPTION(title, parse_number, id)
#define NUMBER_INT(title, id, low)                                                                 \
	{ .name = title, .parse = parse_number, .key = SCENARIO_KEY_##id, .least = low,            \
	  .most = INT32_MAX }
#define NUMBER_NEEDED(title, id, low)                                                              \
	{ .name = title, .parse = parse_number, .key = SCENARIO_KEY_##id, .least = low,            \
	  .required = true }
#define NUMBER_FROM_1(title, id)                                                                   \
	{ .name = title, .parse = parse_number, .key = SCENARIO_KEY_##id, .least = 1 }
#define ACTOR_VALUE { .name = "WHAT", .parse = parse_actor_value }
#define FLAG(title, id) OPTION(title, NULL, id)
#define OPTION_ALTMAP OPTION("altmap", use_altmap, ALTMAP)
/* clang-format on */

static const struct slot machine_options[] = {
	OPTION("profile", parse_profile, PROFILE),
	NUMBER("granule", GRANULE),
	NUMBER_INT("va", VA, 0),
	NUMBER_INT("va-actual", VA_ACTUAL, 0),
	NUMBER_INT("pa", PA, 0),
	OPTION("ram", parse_range, RAM),
	OPTION("iomem", parse_file, IOMEM),
	NUMBER("section", SECTION),
	NUMBER("block", BLOCK),
	NUMBER("struct-page", STRUCT_PAGE),
	CHOICE("blocks", BLOCKS, ON_OFF),
	CHOICE("cont", CONT, ON_OFF),
	CHOICE("memmap-on-memory", MEMMAP_ON_MEMORY, CHOICES("off", "on", "force")),
	NUMBER_INT("cpus", CPUS, 1),
	CHOICE("tlbi-range", TLBI_RANGE, ON_OFF),
	CHOICE("boot", BOOT, ON_OFF),
	CHOICE("checker", CHECKER, ON_OFF),
	CHOICE("bbml2", BBML2, ON_OFF),
	{ .name = NULL },
};

static const struct slot map_options[] = {
	CHOICE("blocks", BLOCKS, ON_OFF),
	CHOICE("cont", CONT, ON_OFF),
	CHOICE("prot", PROT, CHOICES("tagged", "kernel", "ro", "rx", "device")),
	CHOICE("tables", TABLES, CHOICES("noexec", "exec")),
	{ .name = NULL },
};

static const struct slot altmap_options[] = {
	NUMBER_NEEDED("base", BASE, 0),
	NUMBER("reserve", RESERVE),
	NUMBER_NEEDED("free", FREE_PAGES, 0),
	NUMBER("align", ALIGN),
	{ .name = NULL },
};

static const struct slot add_options[] = {
	FLAG("memmap-on-memory", MEMMAP_ON_MEMORY),
	FLAG("device", DEVICE),
	OPTION_ALTMAP,
	NUMBER_INT("node", NODE, 0),
	{ .name = NULL },
};

static const struct command_spec commands[] = {
	{ "machine", SCENARIO_MACHINE, .knobs = true, .alone = true, .options = machine_options,
	  .finish = check_machine },
	{ "map", SCENARIO_MAP, .args = { ARG_VA, ARG("PA", parse_number), ARG_SIZE },
	  .options = map_options },
	{ "unmap", SCENARIO_UNMAP, .args = { ARG_VA, ARG_SIZE } },
	{ "unmap-range", SCENARIO_UNMAP_RANGE, .args = { ARG_VA, ARG_SIZE },
	  .options = OPTIONS(FLAG("free", FREE), OPTION_ALTMAP) },
	{ "free-tables", SCENARIO_FREE_TABLES, .args = { ARG_VA, ARG_SIZE } },
	{ "bounds", SCENARIO_BOUNDS,
	  .args = { { .name = "FLOOR", .parse = parse_address },
		    { .name = "CEILING", .parse = parse_address } },
	  .options = OPTIONS(FLAG("default", DEFAULT)), .finish = check_bounds },
	{ "altmap", SCENARIO_ALTMAP, .args = { ARG("NAME", declare_altmap) },
	  .options = altmap_options },
	{ "vmemmap-populate", SCENARIO_VMEMMAP_POPULATE,
	  .args = { ARG("START", parse_address), ARG("END", parse_address) },
	  .options = OPTIONS(OPTION_ALTMAP, FLAG("pages", PAGES)) },
	{ "vmemmap-free", SCENARIO_VMEMMAP_FREE,
	  .args = { ARG("START", parse_address), ARG("END", parse_address) },
	  .options = OPTIONS(OPTION_ALTMAP) },
	{ "add", SCENARIO_ADD, .args = { ARG_RANGE }, .options = add_options, .finish = check_add },
	{ "online", SCENARIO_ONLINE, .args = { ARG_RANGE },
	  .options = OPTIONS(CHOICE("zone", ZONE, CHOICES("normal", "movable"))) },
	{ "offline", SCENARIO_OFFLINE, .args = { ARG_RANGE } },
	{ "remove", SCENARIO_REMOVE, .args = { ARG_RANGE } },
	{ "use", SCENARIO_USE, .args = { ARG_RANGE, ARG_CHOICE("KIND", "movable", "unmovable") } },
	{ "unuse", SCENARIO_UNUSE, .args = { ARG_RANGE } },
	{ "fail", SCENARIO_FAIL, .args = { ARG_CHOICE("WHAT", "alloc") },
	  .options = OPTIONS(NUMBER_NEEDED("nth", NTH, 1), FLAG("every", EVERY)) },
	{ "poke", SCENARIO_POKE,
	  .args = { ARG_CHOICE("LEVEL", "pgd", "p4d", "pud", "pmd", "pte"), ARG_VA,
		    ARG("DESCRIPTOR", parse_number) } },
	{ "tlbi", SCENARIO_TLBI,
	  .args = { ARG_CHOICE("WHAT", "leaf", "walk", "all"),
		    { .name = "VA", .parse = parse_address } },
	  .finish = check_tlbi },
	{ "barrier", SCENARIO_BARRIER,
	  .args = { ARG_CHOICE("WHICH", "dsb-ishst", "dsb-ish", "isb") } },
	{ "walk", SCENARIO_WALK, .args = { ARG_VA } },
	{ "access", SCENARIO_ACCESS, .args = { ARG_VA },
	  .options = OPTIONS(NUMBER_INT("cpu", CPU, 0)) },
	{ "dump", SCENARIO_DUMP,
	  .args = { { .name = "FORM",
		      .parse = parse_choice,
		      .choices = CHOICES("tables", "leaves", "ptdump", "json") } } },
	{ .name = "stats", .kind = SCENARIO_STATS },
	{ .name = "reset-stats", .kind = SCENARIO_RESET_STATS },
	{ "check", SCENARIO_CHECK, .alone = true },
	{ "expect", SCENARIO_EXPECT, .alone = true,
	  .args = { ARG("COUNTER", parse_counter),
		    ARG_CHOICE("OP", "==", "!=", "<", "<=", ">", ">="),
		    ARG("NUMBER", parse_number) } },
	{ "echo", SCENARIO_ECHO, .text = true, .alone = true },
	{ "note", SCENARIO_NOTE, .text = true, .alone = true },
	{ "actor", SCENARIO_ACTOR, .alone = true,
	  .args = { ARG("NAME", declare_actor),
		    { .name = "KIND",
		      .parse = parse_choice,
		      .choices = actor_names,
		      .required = true },
		    ACTOR_VALUE,
		    ACTOR_VALUE,
		    ACTOR_VALUE,
		    ACTOR_VALUE },
	  .options = OPTIONS(FLAG("lock", LOCK)), .finish = check_actor },
	{ "explore", SCENARIO_EXPLORE,
	  .options = OPTIONS(NUMBER_FROM_1("bound", BOUND),
			     OPTION("schedule", parse_schedule, SCHEDULE)),
	  .finish = check_explore },
};

/* Words */

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
static bool find_option(const struct command_spec *spec, const char *name, struct slot *found)
{
	const struct pgtsim_knob *knobs;
	size_t count = 0;

	for (const struct slot *slot = spec->options; slot && slot->name; slot++) {
		if (strcmp(slot->name, name) == 0) {
			*found = *slot;
			return true;
		}
	}
	knobs = pgtsim_knobs(&count);
	for (size_t i = 0; spec->knobs && i < count; i++) {
		if (strcmp(knobs[i].name, name) == 0) {
			*found = (struct slot)CHOICE(knobs[i].name, KNOB, knobs[i].values);
			return true;
		}
	}
	return false;
}

static void offer_options(const struct command_spec *spec, struct nearest *near)
{
	const struct pgtsim_knob *knobs;
	size_t count = 0;

	for (const struct slot *slot = spec->options; slot && slot->name; slot++)
		offer(near, slot->name);
	knobs = pgtsim_knobs(&count);
	for (size_t i = 0; spec->knobs && i < count; i++)
		offer(near, knobs[i].name);
}

/* Reads an option; value is NULL for a word without `=`. */
static int add_option(struct parser *p, const struct slot *slot, char *value)
{
	struct scenario_option *option;

	if (!slot->parse && value)
		return fail(p, "'%s' takes no value: write '%s' alone", slot->name, slot->name);
	if (slot->parse && !value)
		return fail(p, "'%s' needs a value: write '%s=...'", slot->name, slot->name);
	if (slot->key != SCENARIO_KEY_RAM && given(p, slot->name))
		return fail(p, "'%s' is given twice", slot->name);
	option = append_option(p, slot);
	if (!option)
		return fail_memory(p);
	option->value.word = value ? value : slot->name;
	return value ? slot->parse(p, slot, value, &option->value) : 0;
}

/* A word that has no place in the command. */
static int fail_surplus(struct parser *p, const char *word, bool is_option)
{
	const struct command_spec *spec = p->spec;
	struct nearest near = nearest_to(word);
	char what[64];

	offer_options(spec, &near);
	(void)snprintf(what, sizeof(what), "'%s' has no option", spec->name);
	if (is_option || near.name)
		return fail_near(p, what, &near);
	if (!spec->args[0].name && spec->options)
		return fail(p, "'%s' takes only key=value, not '%s'", spec->name, quote(word).text);
	return fail(p, "too many arguments for '%s': '%s'", spec->name, quote(word).text);
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

	return count < SCENARIO_ARGS_MAX && p->spec->args[count].name ? &p->spec->args[count] :
									NULL;
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

	if (find_option(p->spec, word, &slot) && (value || !slot.parse || !argument))
		return add_option(p, &slot, value);
	if (value || !argument)
		return fail_surplus(p, word, value != NULL);
	return add_argument(p, argument, word);
}

/* Looks for what is missing at the end of a line. */
static int finish_command(struct parser *p)
{
	const struct command_spec *spec = p->spec;
	const struct slot *argument = next_argument(p);

	if (argument && argument->required)
		return fail(p, "'%s' needs %s, which is missing", spec->name, argument->name);
	for (const struct slot *slot = spec->options; slot && slot->name; slot++)
		if (slot->required && !given(p, slot->name))
			return fail(p, "'%s' needs '%s=', which is missing", spec->name,
				    slot->name);
	return spec->finish ? spec->finish(p) : 0;
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
	if (*text == '\0' && p->spec->kind == SCENARIO_NOTE)
		return fail(p, "'note' needs a text");
	return 0;
}

/* Commands, line by line */

static int parse_errno(struct parser *p)
{
	char *word = next_word(p);
	struct nearest near;

	if (!word)
		return fail(p, "'expect-error' needs an errno and a command");
	near = nearest_to(word);
	for (size_t i = 0; i < COUNT(errnos); i++) {
		if (strcmp(errnos[i].name, word) == 0) {
			p->command->expected = -errnos[i].number;
			p->command->expected_name = errnos[i].name;
			return 0;
		}
		offer(&near, errnos[i].name);
	}
	return fail_near(p, "unknown errno", &near);
}

static int find_command(struct parser *p, const char *word)
{
	struct nearest near = nearest_to(word);

	for (size_t i = 0; i < COUNT(commands); i++) {
		if (strcmp(commands[i].name, word) == 0) {
			p->spec = &commands[i];
			p->command->kind = p->spec->kind;
			p->command->name = p->spec->name;
			return 0;
		}
		offer(&near, commands[i].name);
	}
	offer(&near, "expect-error");
	return fail_near(p, "unknown command", &near);
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
		return fail(p, "'%s' needs a command", prefix);
	if (is_prefix(*word))
		return fail(p, "'%s' does not take '%s'", prefix, *word);
	return 0;
}

static int parse_name(struct parser *p, char *word)
{
	const char *prefix = is_prefix(word) ? word : NULL;
	int err = prefix ? parse_prefix(p, &word) : 0;

	if (!err)
		err = find_command(p, word);
	if (!err && prefix && p->spec->alone)
		return fail(p, "'%s' does not take '%s'", prefix, p->spec->name);
	return err;
}

static int check_place(struct parser *p)
{
	const struct scenario *out = p->out;
	bool first = out->command_count == 1;
	bool machine = p->spec->kind == SCENARIO_MACHINE;

	if (first && !machine)
		return fail(p, "'%s' stands before 'machine', which must be the first command",
			    p->spec->name);
	if (!first && machine)
		return fail(p, "a second 'machine'; the first is in line %u",
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

static int parse_command(struct parser *p)
{
	char *first = next_word(p), *word;
	int err;

	if (!first)
		return 0;
	p->command = append_command(p);
	if (!p->command)
		return fail_memory(p);
	err = parse_name(p, first);
	if (!err)
		err = check_place(p);
	if (!err && p->spec->text)
		err = parse_rest(p);
	while (!err && !p->spec->text && (word = next_word(p)))
		err = parse_word(p, word);
	if (!err)
		err = finish_command(p);
	if (!err)
		p->command->source = keep_source(p, first);
	return err;
}

/* Lines */

/*
 * The length of the UTF-8 character at s, of which `left` bytes (not 0) are left. 0 if it is
 * none, or a control character other than tab.
 */
static size_t character(const unsigned char *s, size_t left)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t length = s[0] < 0x80 ? 1 : s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	uint32_t code = s[0] & (length == 1 ? 0x7f : 0xff >> (length + 1));

	if (length == 0 || length > left || s[0] >= 0xf8)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	if (code == '\t' || (code >= ' ' && code < 0x7f) || code >= 0xa0)
		return length;
	return 0;
}

static int check_line(struct parser *p, const char *line, size_t size)
{
	const unsigned char *bytes = (const unsigned char *)line;
	size_t length;

	for (size_t i = 0; i < size; i += length) {
		length = character(bytes + i, size - i);
		if (length == 0)
			return fail(p, "not a text file: byte 0x%02x in column %zu", bytes[i],
				    i + 1);
	}
	if (size > SCENARIO_LINE_MAX)
		return fail(p, "the line has %zu bytes; the most is %d", size, SCENARIO_LINE_MAX);
	return 0;
}

static int parse_line(struct parser *p, char *line, size_t size)
{
	int err;

	p->line++;
	if (size > 0 && line[size - 1] == '\r')
		size--;
	err = check_line(p, line, size);
	if (err)
		return err;
	line[size] = '\0';
	line[p->words + size] = '\0';
	p->cursor = line + p->words;
	return parse_command(p);
}

static int parse_text(struct parser *p, size_t length)
{
	char *text = p->out->text;
	size_t start = length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

	while (start < length) {
		const char *newline = memchr(text + start, '\n', length - start);
		size_t size = newline ? (size_t)(newline - text) - start : length - start;
		int err = parse_line(p, text + start, size);

		if (err)
			return err;
		start += size + 1;
	}
	if (p->out->command_count > 0)
		return 0;
	if (p->line == 0)
		p->line = 1;
	return fail(p, "there is no command; 'machine' must be the first one");
}

/* Two copies: one stays as it is, line by line; one is cut into words. */
static int copy_text(struct parser *p, const char *text, size_t length)
{
	p->words = length + 1;
	if (length < SIZE_MAX / 2 - 1)
		p->out->text = malloc(2 * p->words);
	if (!p->out->text)
		return fail_memory(p);
	if (length > 0) {
		memcpy(p->out->text, text, length);
		memcpy(p->out->text + p->words, text, length);
	}
	return 0;
}

/* The options move as they grow in number, so commands learn at the end where theirs are. */
static void hand_out_options(struct scenario *out)
{
	const struct scenario_option *options = out->options;

	for (size_t i = 0; i < out->command_count; i++) {
		out->commands[i].options = options;
		if (options)
			options += out->commands[i].option_count;
	}
}

int scenario_parse(struct scenario *out, const char *text, size_t length,
		   struct scenario_error *error)
{
	struct parser p = { .out = out, .error = error, .line = 1 };
	int err;

	*out = (struct scenario){ 0 };
	*error = (struct scenario_error){ 0 };
	err = copy_text(&p, text, length);
	p.line = 0;
	if (!err)
		err = parse_text(&p, length);
	if (err)
		scenario_free(out);
	else
		hand_out_options(out);
	return err;
}

void scenario_free(struct scenario *scenario)
{
	free(scenario->commands);
	free(scenario->options);
	free(scenario->altmap_names);
	free(scenario->text);
	*scenario = (struct scenario){ 0 };
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
