/* SPDX-License-Identifier: MIT */
#include "variant.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t\r"

/* The value of the key of this length in the list, or NULL. */
static const char *find_change(const char *changes, const char *key, size_t length)
{
	while (*changes) {
		size_t item = strcspn(changes, ",");

		if (item > length && changes[length] == '=' && !strncmp(changes, key, length))
			return changes + length + 1;
		changes += item + (changes[item] == ',');
	}
	return NULL;
}

const char *variant_change(const char *changes, const char *key)
{
	return find_change(changes, key, strlen(key));
}

/* The line of the first command: where it begins; *length receives its size. NULL: there is none. */
static char *machine_line(char *text, size_t *length)
{
	size_t start = strncmp(text, "\xef\xbb\xbf", 3) ? 0 : 3;

	for (char *line = text + start; *line; line += *length + (line[*length] == '\n')) {
		char first;

		*length = strcspn(line, "\n");
		first = line[strspn(line, BLANKS)];
		if (first && first != '\n' && first != '#')
			return line;
	}
	return NULL;
}

/* Blanks the words of the line whose keys are changed. Returns where its comment or its end is. */
static char *blank_words(char *line, size_t length, const char *changes)
{
	char *end = line + length, *word = line, *next;

	for (; word < end; word = next) {
		size_t key;

		while (word < end && strchr(BLANKS, *word))
			word++;
		if (word == end || *word == '#')
			break;
		next = word + strcspn(word, BLANKS "\n");
		key = strcspn(word, "=");
		if (word + key < next && find_change(changes, word, key))
			memset(word, ' ', (size_t)(next - word));
	}
	return word;
}

int variant_of(const char *text, size_t length, const char *changes, char **out, size_t *out_length)
{
	size_t more = strlen(changes), line_length = 0, rest;
	char *copy = malloc(length + more + 3), *line, *end;

	if (!copy)
		return -ENOMEM;
	memcpy(copy, text, length);
	copy[length] = '\0';
	*out = copy;
	*out_length = length;
	line = machine_line(copy, &line_length);
	if (!line)
		return 0;
	end = blank_words(line, line_length, changes);
	rest = length - (size_t)(end - copy);
	memmove(end + more + 2, end, rest + 1);
	*end = ' ';
	memcpy(end + 1, changes, more);
	for (char *c = end + 1; c < end + 1 + more; c++)
		if (*c == ',')
			*c = ' ';
	end[more + 1] = ' ';
	*out_length = length + more + 2;
	return 0;
}
