/* SPDX-License-Identifier: MIT */
#include "json.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
	char *text;
	size_t length, room;
	bool comma; /* before the next item */
	bool lost;
} json;

static void put_bytes(const char *text, size_t length)
{
	if (json.length + length >= json.room) {
		size_t room = 2 * (json.length + length + 1024);
		char *grown = realloc(json.text, room);

		if (!grown) {
			json.lost = true;
			return;
		}
		json.text = grown;
		json.room = room;
	}
	memcpy(json.text + json.length, text, length);
	json.length += length;
	json.text[json.length] = '\0';
}

void put(void *ctx, const char *text)
{
	(void)ctx;
	put_bytes(text, strlen(text));
}

/* Characters that stand for themselves are copied together. */
void put_quoted(void *ctx, const char *text)
{
	while (*text) {
		size_t plain = 0;
		char escaped[8];

		while (text[plain] && text[plain] != '"' && text[plain] != '\\' &&
		       (unsigned char)text[plain] >= 0x20)
			plain++;
		put_bytes(text, plain);
		text += plain;
		if (!*text)
			break;
		if (*text == '"' || *text == '\\')
			snprintf(escaped, sizeof(escaped), "\\%c", *text);
		else
			snprintf(escaped, sizeof(escaped), "\\u%04x", (unsigned char)*text);
		put(ctx, escaped);
		text++;
	}
}

const struct pgtsim_printer quoted = { .print = put_quoted };

/* A comma if one is due; then what follows is an item, or the inside of a new list. */
void item(const char *text)
{
	size_t length = strlen(text);

	if (json.comma)
		put(NULL, ",");
	put(NULL, text);
	json.comma = length && text[length - 1] != '{' && text[length - 1] != '[' &&
		     text[length - 1] != ':';
}

void end(const char *text)
{
	put(NULL, text);
	json.comma = true;
}

void key(const char *name)
{
	char text[64];

	snprintf(text, sizeof(text), "\"%s\":", name);
	item(text);
}

void text_item(const char *text)
{
	item("\"");
	put_quoted(NULL, text);
	end("\"");
}

void number_item(double number)
{
	char text[32];

	snprintf(text, sizeof(text), "%.0f", number);
	item(text);
}

void hex_item(uint64_t number)
{
	char text[32];

	snprintf(text, sizeof(text), "\"0x%016" PRIx64 "\"", number);
	item(text);
}

void text_field(const char *name, const char *text)
{
	key(name);
	text_item(text ? text : "");
}

void number_field(const char *name, double number)
{
	key(name);
	number_item(number);
}

void hex_field(const char *name, uint64_t number)
{
	key(name);
	hex_item(number);
}

void list(const char *name)
{
	key(name);
	item("[");
}

void begin(void)
{
	json.length = 0;
	json.comma = json.lost = false;
	item("{");
}

const char *answer(void)
{
	put(NULL, "}");
	return json.lost ? "{\"error\":{\"line\":0,\"message\":\"out of memory\"}}" : json.text;
}

void json_lost(void)
{
	json.lost = true;
}
