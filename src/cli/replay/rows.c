/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "recording.h"

const char *const region_names[REGIONS] = { "linear", "vmemmap" };

int rows_order(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->va != y->va)
		return x->va < y->va ? -1 : 1;
	return (x->level > y->level) - (x->level < y->level);
}

int rows_push(struct rows *rows, struct row row)
{
	if (rows->count == rows->room) {
		size_t room = rows->room ? 2 * rows->room : 64;
		struct row *at = realloc(rows->at, room * sizeof(*at));

		if (!at)
			return -ENOMEM;
		rows->at = at;
		rows->room = room;
	}
	rows->at[rows->count++] = row;
	return 0;
}

void rows_sort(struct rows *rows)
{
	if (rows->count)
		qsort(rows->at, rows->count, sizeof(*rows->at), rows_order);
}

const struct row *rows_get(const struct rows *rows, size_t i)
{
	return i < rows->count ? &rows->at[i] : NULL;
}

const struct row *rows_find(const struct rows *rows, const struct row *row)
{
	if (!rows->count)
		return NULL;
	return bsearch(row, rows->at, rows->count, sizeof(*rows->at), rows_order);
}

void content_clear(struct content *content)
{
	for (size_t i = 0; i < LISTS; i++)
		content->list[i].count = 0;
}

void content_free(struct content *content)
{
	for (size_t i = 0; i < LISTS; i++)
		free(content->list[i].at);
}
