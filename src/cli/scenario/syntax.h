/* SPDX-License-Identifier: MIT */
/*
 * syntax: the rows that say how a scenario command is written and what executes it. Private to
 * the folder scenario/.
 *
 * To add a command:
 *   1. scenario.h: a kind, and a key for each option that is new;
 *   2. the file with the commands it belongs to (tables.c, memory.c, …): the function that executes
 *      it, and a row in the table at the end of that file. COMMAND() without a function does not
 *      compile.
 * The parser, the runner, `pgtsim list` and what is made from that find it by its row.
 */
#ifndef PGTSIM_CLI_SCENARIO_SYNTAX_H
#define PGTSIM_CLI_SCENARIO_SYNTAX_H

#include "scenario.h"

struct parser;
struct run;
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

/* Everything there is to know about a scenario command. */
struct scenario_row {
	const char *name; /* NULL ends a table */
	enum scenario_kind kind;
	/*
	 * Executes the command. Returns 0 or a negative errno; or what run_fail() returns, for a
	 * statement about the machine that is false.
	 */
	int (*execute)(struct run *run, const struct scenario_command *command);
	bool knobs; /* policy knobs are options too */
	bool text;  /* takes the rest of the line, no arguments or options */
	bool alone; /* not after `try` or `expect-error` */
	bool looks; /* changes nothing */
	struct slot args[SCENARIO_ARGS_MAX]; /* those required come first */
	const struct slot *options;          /* ends with one that has no name; NULL: none */
	int (*finish)(struct parser *p); /* checks the command as a whole; NULL: nothing to do */
};

/* clang-format off */
#define COMMAND(title, id, function, ...)                                                          \
	{ .name = title, .kind = SCENARIO_##id, .execute = function, __VA_ARGS__ }
#define COMMANDS_END { .name = NULL }

#define CHOICES(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define ON_OFF CHOICES("off", "on")

#define NO_ARGS .args = { { .name = NULL } }
#define ARGS(...) .args = { __VA_ARGS__ }
#define ARG(title, parser) { .name = title, .parse = parser, .required = true }
#define ARG_OPTIONAL(title, parser) { .name = title, .parse = parser }
#define ARG_CHOICE(title, ...)                                                                     \
	{ .name = title, .parse = syntax_choice, .choices = CHOICES(__VA_ARGS__), .required = true }
#define ARG_VA ARG("VA", syntax_address)
#define ARG_SIZE ARG("SIZE", syntax_number)
#define ARG_RANGE ARG("BASE+SIZE", syntax_range)

#define OPTIONS(...) .options = (const struct slot[]){ __VA_ARGS__, { .name = NULL } }
#define OPTION(title, id, parser) { .name = title, .parse = parser, .key = SCENARIO_KEY_##id }
#define CHOICE(title, id, values)                                                                  \
	{ .name = title, .parse = syntax_choice, .key = SCENARIO_KEY_##id, .choices = values }
#define NUMBER(title, id) OPTION(title, id, syntax_number)
#define NUMBER_INT(title, id, low)                                                                 \
	{ .name = title, .parse = syntax_number, .key = SCENARIO_KEY_##id, .least = low,           \
	  .most = INT32_MAX }
#define NUMBER_NEEDED(title, id, low)                                                              \
	{ .name = title, .parse = syntax_number, .key = SCENARIO_KEY_##id, .least = low,           \
	  .required = true }
#define NUMBER_FROM_1(title, id)                                                                   \
	{ .name = title, .parse = syntax_number, .key = SCENARIO_KEY_##id, .least = 1 }
#define FLAG(title, id) OPTION(title, id, NULL)
#define OPTION_ALTMAP OPTION("altmap", ALTMAP, syntax_altmap)
/* clang-format on */

/* The tables of commands, one a file; each ends with COMMANDS_END. */
extern const struct scenario_row machine_commands[];   /* machine.c */
extern const struct scenario_row table_commands[];     /* tables.c */
extern const struct scenario_row live_commands[];      /* live.c */
extern const struct scenario_row memory_commands[];    /* memory.c */
extern const struct scenario_row zone_commands[];      /* zones.c */
extern const struct scenario_row tlb_commands[];       /* maintenance.c */
extern const struct scenario_row show_commands[];      /* show.c */
extern const struct scenario_row statement_commands[]; /* statements.c */
extern const struct scenario_row actor_commands[];     /* actors.c */

/* All rows in order: 0, 1, … until NULL. */
const struct scenario_row *scenario_row_at(size_t i);

/* ---- reading a scenario, for parsers of values and `finish` ---- */

struct parser {
	struct scenario *out;
	struct scenario_error *error;
	unsigned line;
	size_t words;                     /* from a line to its copy that is cut into words */
	char *cursor;                     /* in that copy: what is still to be read of the line */
	struct scenario_command *command; /* the one being read */
	const struct scenario_row *row;   /* its row */
	size_t option_count;              /* in out->options */
	size_t command_room, option_room, altmap_room;
};

/* Reads the line at p->cursor, one command at most. Returns 0, -EINVAL or -ENOMEM. */
int parser_read_command(struct parser *p);

/* True if the command being read has an option of this name. */
bool syntax_given(const struct parser *p, const char *name);

/* Sets the error of the line being read. Returns -EINVAL. */
#ifdef __GNUC__
__attribute__((format(printf, 2, 3)))
#endif
int syntax_fail(struct parser *p, const char *format, ...);

/* Like the function above, for an unknown word: WHAT 'WORD'; did you mean 'NAME'? */
struct nearest;
int syntax_fail_near(struct parser *p, const char *what, const struct nearest *near);

/* Sets the error "the host is out of memory". Returns -ENOMEM. */
int syntax_fail_memory(struct parser *p);

/*
 * Makes room for one more item of an array of the parser. Returns the array, perhaps moved, or NULL
 * with nothing changed.
 */
void *syntax_room(void *array, size_t count, size_t *room, size_t size);

struct quoted {
	char text[44];
};

/* A word from the scenario as it may stand in a message: printable ASCII, not too long. */
struct quoted syntax_quote(const char *word);

/* True if a word consists of letters, digits, '-', '_' and '.' only. */
bool syntax_is_name(const char *word);

value_parser syntax_number, syntax_range, syntax_address, syntax_choice, syntax_profile,
	syntax_file, syntax_counter, syntax_altmap, syntax_new_altmap;

#endif
