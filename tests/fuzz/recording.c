/* SPDX-License-Identifier: MIT */
/* Reads any text as a recording, unless it has sizes that would only take long. */
#include "fuzz.h"
#include "replay/replay.h"

static void print_nothing(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

static unsigned digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 16;
}

static unsigned suffix(char c)
{
	static const char suffixes[] = " KMGTP";
	const char *at = c ? strchr(suffixes, c) : NULL;

	return at ? 10 * (unsigned)(at - suffixes) : 0;
}

/* Reads the number at *text and moves *text behind the word. Returns 0 if it is not a number. */
static uint64_t number_in(const char **text)
{
	bool hex = (*text)[0] == '0' && (*text)[1] == 'x';
	uint64_t number = 0, base = hex ? 16 : 10;

	for (*text += hex ? 2 : 0; digit(**text) < base; ++*text)
		number = number * base + digit(**text);
	/* A number of more than 47 bits is an address or a descriptor. */
	if (number >> 47)
		return 0;
	if (suffix(**text))
		return number >> 24 ? UINT64_MAX : number << suffix(**text);
	return digit(**text) < 16 ? 0 : number;
}

/* The words of operations come after these; elsewhere in a recording no number is a size. */
static bool is_small(const char *text)
{
	while (*text) {
		if (!strchr(" +=", *text++))
			continue;
		if (digit(*text) < 10 && number_in(&text) >> 33)
			return false;
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct pgtsim_printer nowhere = { print_nothing, NULL };
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (is_small(text))
		replay_text("fuzz", text, size, &nowhere, &nowhere);
	free(text);
	return 0;
}
