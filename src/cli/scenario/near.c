/* SPDX-License-Identifier: MIT */
#include "near.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { NEAR_MAX = 31 }; /* longer words are near to nothing */

struct nearest nearest_to(const char *word)
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

void nearest_offer(struct nearest *near, const char *name)
{
	size_t away = distance(near->word, name);

	if (away > near->distance || (near->name && away == near->distance))
		return;
	near->name = name;
	near->distance = away;
}
