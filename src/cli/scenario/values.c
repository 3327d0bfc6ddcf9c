/* SPDX-License-Identifier: MIT */
/* values: reads the words of a command into values. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "near.h"
#include "syntax.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- numbers ---- */

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

/* The value of a hexadecimal digit; 16 if it is none. */
static unsigned digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a' + 10);
	return c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10) : 16;
}

/* Reads all digits. Returns false if the number does not fit. */
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

const char *scenario_number_fault(const char *word)
{
	uint64_t number;

	return number_faults[read_number(word, &number)];
}

static int need_number(struct parser *p, const struct slot *slot, const char *word,
		       uint64_t *number)
{
	enum number_fault fault = read_number(word, number);

	if (fault == NUMBER_FINE)
		return 0;
	return syntax_fail(p, "%s: '%s' %s", slot->name, syntax_quote(word).text,
			   number_faults[fault]);
}

/* ---- values ---- */

int syntax_number(struct parser *p, const struct slot *slot, char *word,
		  struct scenario_value *value)
{
	int err = need_number(p, slot, word, &value->number);

	if (err)
		return err;
	if (value->number < slot->least)
		return syntax_fail(p, "%s: '%s' is too small; the least is %llu", slot->name,
				   syntax_quote(word).text, (unsigned long long)slot->least);
	if (slot->most && value->number > slot->most)
		return syntax_fail(p, "%s: '%s' is too large; the most is %llu", slot->name,
				   syntax_quote(word).text, (unsigned long long)slot->most);
	return 0;
}

int syntax_range(struct parser *p, const struct slot *slot, char *word,
		 struct scenario_value *value)
{
	char *plus = strchr(word, '+');
	int err;

	if (!plus)
		return syntax_fail(p, "%s: '%s' is not a range; write BASE+SIZE", slot->name,
				   syntax_quote(word).text);
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

int syntax_address(struct parser *p, const struct slot *slot, char *word,
		   struct scenario_value *value)
{
	struct scenario_address *address = &value->address;
	const char *rest = read_origin(word, &address->origin);

	address->value = 0;
	if (address->origin == SCENARIO_ABSOLUTE) {
		if (digit_value(*word) >= 10 && *word != '-')
			return syntax_fail(
				p,
				"%s: '%s' is not an address; write NUMBER, linear+OFFSET or "
				"vmemmap+OFFSET",
				slot->name, syntax_quote(word).text);
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
		nearest_offer(&near, slot->choices[i]);
		if (length < sizeof(list))
			length += (size_t)snprintf(list + length, sizeof(list) - length, "%s%s",
						   i ? ", " : "", slot->choices[i]);
	}
	if (near.name)
		return syntax_fail_near(p, what, &near);
	return syntax_fail(p, "%s '%s'; it is one of: %s", what, syntax_quote(word).text, list);
}

int syntax_choice(struct parser *p, const struct slot *slot, char *word,
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

int syntax_profile(struct parser *p, const struct slot *slot, char *word,
		   struct scenario_value *value)
{
	struct slot profiles = *slot;

	profiles.choices = pgtsim_profiles_of(!strncmp(word, "s390-", 5) ? PGTSIM_FORMAT_S390 :
									   PGTSIM_FORMAT_ARM64);
	return syntax_choice(p, &profiles, word, value);
}

int syntax_file(struct parser *p, const struct slot *slot, char *word, struct scenario_value *value)
{
	(void)value;
	return *word == '\0' ? syntax_fail(p, "%s: a file's name is missing", slot->name) : 0;
}

int syntax_counter(struct parser *p, const struct slot *slot, char *word,
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
		nearest_offer(&near, counters[i].name);
	return syntax_fail_near(p, "unknown counter", &near);
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

/* A declaration that must fail gets a number, but its name stays free. */
int syntax_new_altmap(struct parser *p, const struct slot *slot, char *word,
		      struct scenario_value *value)
{
	struct scenario *out = p->out;
	bool fails = p->command->expected != 0;
	const char **names;

	if (!syntax_is_name(word))
		return syntax_fail(p, "%s: '%s' is not a name of letters, digits, '-', '_' and '.'",
				   slot->name, syntax_quote(word).text);
	if (!fails && find_altmap(out, word) < out->altmap_count)
		return syntax_fail(p, "%s: altmap '%s' is declared twice", slot->name,
				   syntax_quote(word).text);
	if (out->altmap_count == SCENARIO_ALTMAPS_MAX)
		return syntax_fail(p, "too many altmaps; the most is %d", SCENARIO_ALTMAPS_MAX);
	names = syntax_room(out->altmap_names, out->altmap_count, &p->altmap_room, sizeof(*names));
	if (!names)
		return syntax_fail_memory(p);
	out->altmap_names = names;
	value->altmap = out->altmap_count++;
	names[value->altmap] = fails ? NULL : word;
	return 0;
}

int syntax_altmap(struct parser *p, const struct slot *slot, char *word,
		  struct scenario_value *value)
{
	struct nearest near = nearest_to(word);

	(void)slot;
	value->altmap = find_altmap(p->out, word);
	if (value->altmap < p->out->altmap_count)
		return 0;
	for (size_t i = 0; i < p->out->altmap_count; i++)
		if (p->out->altmap_names[i])
			nearest_offer(&near, p->out->altmap_names[i]);
	return syntax_fail_near(p, "no command before this one declares an altmap", &near);
}
