/* SPDX-License-Identifier: MIT */
#include "words.h"

#include <pgtsim/dump.h>

#include <stdarg.h>
#include <stdio.h>

void pgtsim_printf(const struct pgtsim_printer *out, const char *format, ...)
{
	char text[512];
	va_list args;

	if (!out || !out->print || !format)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	out->print(out->ctx, text);
}

const char *const pgtsim_scope_names[PGTSIM_SCOPE_NAMES] = { "is", "local", "os", "iommu" };

struct pgtsim_word pgtsim_size_word(unsigned shift)
{
	struct pgtsim_word word;

	snprintf(word.text, sizeof(word.text), "%u%.1s", 1u << shift % 10, &"\0KMGTPE"[shift / 10]);
	return word;
}

struct pgtsim_word pgtsim_bits_word(unsigned low, unsigned width)
{
	struct pgtsim_word word;

	if (width == 1)
		snprintf(word.text, sizeof(word.text), "%u", low);
	else
		snprintf(word.text, sizeof(word.text), "%u:%u", low + width - 1, low);
	return word;
}

/*
 * What Linux has in MAIR_EL1, by AttrIndx (MT_NORMAL and its like in asm/memory.h), in the words
 * of arch/arm64/mm/ptdump.c. NULL where it has nothing.
 */
#define MEMORY_TYPES 8

static const char *const memory_types[MEMORY_TYPES] = {
	"MEM/NORMAL", "MEM/NORMAL-TAGGED", "MEM/NORMAL-NC", "DEVICE/nGnRnE", "DEVICE/nGnRE",
};

/* Before 5.14 there were more of them, before 5.10 in another order. */
static const char *const memory_types_5_10[MEMORY_TYPES] = {
	"MEM/NORMAL",    "MEM/NORMAL-TAGGED", "MEM/NORMAL-NC", "MEM/NORMAL-WT",
	"DEVICE/nGnRnE", "DEVICE/nGnRE",      "DEVICE/GRE",
};

static const char *const memory_types_5_7[MEMORY_TYPES] = {
	"DEVICE/nGnRnE", "DEVICE/nGnRE", "DEVICE/GRE",
	"MEM/NORMAL-NC", "MEM/NORMAL",   "MEM/NORMAL-WT",
};

static unsigned attr_index(uint64_t desc)
{
	return (unsigned)((desc & PGTSIM_DESC_ATTRINDX_MASK) >> 2);
}

const char *pgtsim_memory_type(const struct pgtsim_policy *policy, uint64_t desc)
{
	switch (attr_index(policy->prot[PGTSIM_PROT_DEVICE])) {
	case 1:
		return memory_types_5_7[attr_index(desc)];
	case 5:
		return memory_types_5_10[attr_index(desc)];
	default:
		return memory_types[attr_index(desc)];
	}
}
