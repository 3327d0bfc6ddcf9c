/* SPDX-License-Identifier: MIT */
/*
 * tlbi: explains an invalidate by its operation and its operand, the register that TLBI takes.
 * Arm ARM, C5.5: the TLBI System instructions.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "geometry.h"
#include "scenario/near.h"
#include "scenario/scenario.h"

/* What an operand holds. */
enum form { FORM_NONE, FORM_ASID, FORM_ADDRESS, FORM_RANGE };

static const struct operation {
	const char *name; /* without the suffix of its scope */
	enum form form;
	bool asid; /* removes entries of one ASID, and global ones */
	bool last; /* last-level entries only */
	const char *meaning;
} operations[] = {
	{ "vmalle1", FORM_NONE, false, false, "everything of EL1&0" },
	{ "aside1", FORM_ASID, true, false, "everything of one ASID that is not global" },
	{ "vae1", FORM_ADDRESS, true, false, "one address, every level" },
	{ "vale1", FORM_ADDRESS, true, true, "one address, its leaf only" },
	{ "vaae1", FORM_ADDRESS, false, false, "one address, every level, every ASID" },
	{ "vaale1", FORM_ADDRESS, false, true, "one address, its leaf only, every ASID" },
	{ "rvae1", FORM_RANGE, true, false, "a range of addresses, every level" },
	{ "rvale1", FORM_RANGE, true, true, "a range of addresses, leaves only" },
	{ "rvaae1", FORM_RANGE, false, false, "a range of addresses, every level, every ASID" },
	{ "rvaale1", FORM_RANGE, false, true, "a range of addresses, leaves only, every ASID" },
};

enum { OPERATIONS = sizeof(operations) / sizeof(operations[0]) };

static const struct scope {
	const char *suffix, *meaning;
} scopes[] = {
	{ "", "this CPU only" },
	{ "is", "all CPUs of the inner shareable domain" },
	{ "os", "all CPUs of the outer shareable domain" },
};

enum { SCOPES = sizeof(scopes) / sizeof(scopes[0]) };

/* One explanation under way. */
struct explanation {
	const struct operation *operation;
	const struct scope *scope;
	const struct pgtsim_geometry *geo;
	uint64_t operand;
	const struct pgtsim_printer *out;
};

static uint64_t bits(uint64_t value, unsigned high, unsigned low)
{
	return value >> low & (UINT64_MAX >> (63 - (high - low)));
}

/* A virtual address from its low bits: the highest of them counts for all above it. */
static uint64_t sign_extend(uint64_t value, unsigned width)
{
	return value >> (width - 1) & 1 ? value | ~(UINT64_MAX >> (64 - width)) : value;
}

#ifdef __GNUC__
__attribute__((format(printf, 4, 5)))
#endif
static void
print_field(const struct explanation *e, const char *place, const char *name, const char *format,
	    ...)
{
	char text[160];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	pgtsim_printf(e->out, "%-7s %-9s %s\n", place, name, text);
}

static void print_asid(const struct explanation *e)
{
	uint64_t asid = bits(e->operand, 63, 48);

	if (e->operation->asid)
		print_field(e, "63:48", "ASID", "%" PRIu64, asid);
	else if (asid)
		print_field(e, "63:48", "reserved", "0x%" PRIx64 ": must be 0", asid);
}

static unsigned granule_shift(uint64_t tg)
{
	return tg ? 10 + 2 * (unsigned)tg : 0;
}

/* ---- by address ---- */

/* Level 0 has leaves with LPA2 and 4K only, level 1 not with 16K unless LPA2. */
static bool level_has_leaves(const struct explanation *e, uint64_t tg, uint64_t level)
{
	bool lpa2 = e->geo->va_bits == 52 && e->geo->page_shift < 16;

	if (tg == 1)
		return level > 0 || lpa2;
	return tg == 2 ? level > 1 || (level == 1 && lpa2) : level > 0;
}

static void print_level_hint(const struct explanation *e)
{
	uint64_t ttl = bits(e->operand, 47, 44), tg = ttl >> 2, level = ttl & 3;
	const char *name;

	if (!tg) {
		print_field(e, "47:44", "TTL", "0x%" PRIx64 ": no hint, a leaf of any level", ttl);
		return;
	}
	name = pgtsim_level_name(e->geo, (int)level);
	print_field(e, "47:44", "TTL", "0x%" PRIx64 ": %uK granule, level %" PRIu64 "%s%s%s%s", ttl,
		    1u << (granule_shift(tg) - 10), level, name ? " (" : "", name ? name : "",
		    name ? ")" : "",
		    level_has_leaves(e, tg, level) ?
			    ": a leaf of another level stays cached" :
			    ": reserved, there are no leaves on this level");
}

/* The address counts in units of 4K whatever the granule is. */
static void explain_address(const struct explanation *e)
{
	uint64_t field = bits(e->operand, 43, 0);
	uint64_t va = sign_extend(field << 12, 56);
	uint64_t page = pgtsim_page_size(e->geo);

	print_asid(e);
	print_level_hint(e);
	print_field(e, "43:0", "VA[55:12]", "0x%" PRIx64 ": VA 0x%016" PRIx64, field, va);
	if (va & (page - 1))
		print_field(e, "", "",
			    "with %" PRIu64 "K pages: the page at 0x%016" PRIx64
			    ", for the operand counts in 4K units",
			    page >> 10, va & ~(page - 1));
}

/* ---- by range ---- */

/* With LPA2 the base counts in 64K, else in pages. */
static void explain_base(const struct explanation *e, unsigned shift, uint64_t pages)
{
	bool lpa2 = e->geo->va_bits == 52 && shift < 16;
	unsigned unit = lpa2 ? 16 : shift;
	uint64_t field = bits(e->operand, 36, 0), va = sign_extend(field << unit, 37 + unit);
	char name[32];

	snprintf(name, sizeof(name), "VA[%u:%u]", 36 + unit, unit);
	print_field(e, "36:0", name, "0x%" PRIx64 ": from VA 0x%016" PRIx64 "%s", field, va,
		    lpa2 ? ", in units of 64K because of LPA2" : "");
	print_field(e, "", "covers", "%" PRIu64 " pages, 0x%016" PRIx64 " to 0x%016" PRIx64, pages,
		    va, va + (pages << shift) - 1);
}

static void explain_range(const struct explanation *e)
{
	uint64_t tg = bits(e->operand, 47, 46), scale = bits(e->operand, 45, 44);
	uint64_t num = bits(e->operand, 43, 39), ttl = bits(e->operand, 38, 37);
	uint64_t pages = (num + 1) << (5 * scale + 1);
	unsigned shift = granule_shift(tg);

	print_asid(e);
	if (!tg) {
		print_field(e, "47:46", "TG",
			    "0x0: reserved; a range operation must name its granule");
		return;
	}
	print_field(e, "47:46", "TG", "0x%" PRIx64 ": %uK granule%s", tg, 1u << (shift - 10),
		    shift == e->geo->page_shift ? "" :
						  ", not that of this geometry: covers nothing for "
						  "certain");
	print_field(e, "45:44", "SCALE", "%" PRIu64, scale);
	print_field(e, "43:39", "NUM",
		    "%" PRIu64 ": (NUM + 1) * 2^(5 * SCALE + 1) = %" PRIu64 " pages", num, pages);
	if (ttl)
		print_field(e, "38:37", "TTL",
			    "level %" PRIu64 ": leaves of another level stay cached", ttl);
	else
		print_field(e, "38:37", "TTL", "no hint, leaves of any level");
	explain_base(e, shift, pages);
}

/* ---- the operation ---- */

/* Finds "vaale1is": an operation and a scope, in either case. */
static bool find_operation(const char *word, struct explanation *e)
{
	char lower[16];
	size_t length = 0;

	for (; word[length] && length < sizeof(lower) - 1; length++)
		lower[length] = (char)(word[length] >= 'A' && word[length] <= 'Z' ?
					       word[length] - 'A' + 'a' :
					       word[length]);
	lower[length] = '\0';
	for (size_t i = 0; i < OPERATIONS; i++) {
		size_t base = strlen(operations[i].name);

		for (size_t s = 0; s < SCOPES && !strncmp(lower, operations[i].name, base); s++) {
			e->operation = &operations[i];
			e->scope = &scopes[s];
			if (!word[length] && !strcmp(lower + base, scopes[s].suffix))
				return true;
		}
	}
	return false;
}

static int unknown_operation(const char *word, const struct pgtsim_printer *err)
{
	struct nearest near = nearest_to(word);
	char names[OPERATIONS * SCOPES][16];

	for (size_t i = 0; i < OPERATIONS * SCOPES; i++) {
		snprintf(names[i], sizeof(names[i]), "%s%s", operations[i / SCOPES].name,
			 scopes[i % SCOPES].suffix);
		nearest_offer(&near, names[i]);
	}
	pgtsim_printf(err, "pgtsim decode: there is no TLBI operation '%.100s'", word);
	if (near.name)
		pgtsim_printf(err, "; did you mean '%s'?\n", near.name);
	else
		pgtsim_printf(err,
			      " here; there are vaale1is, vaae1is, rvaale1is, vmalle1is ...\n");
	return 2;
}

static void explain(const struct explanation *e)
{
	pgtsim_printf(e->out, "%s%s: %s; %s\n", e->operation->name, e->scope->suffix,
		      e->operation->meaning, e->scope->meaning);
	if (e->operation->form == FORM_ASID)
		print_asid(e);
	else if (e->operation->form == FORM_ADDRESS)
		explain_address(e);
	else if (e->operation->form == FORM_RANGE)
		explain_range(e);
}

int decode_tlbi(const struct cli_words *words, const struct pgtsim_geometry *geo,
		const struct pgtsim_printer *out, const struct pgtsim_printer *err)
{
	struct explanation e = { .geo = geo, .out = out };
	bool needs_operand;

	if (!words->count) {
		pgtsim_printf(err,
			      "pgtsim decode: which TLBI operation? see pgtsim decode --help\n");
		return 2;
	}
	if (!find_operation(words->word[0], &e))
		return unknown_operation(words->word[0], err);
	needs_operand = e.operation->form != FORM_NONE;
	if (needs_operand != (words->count == 2)) {
		pgtsim_printf(err, "pgtsim decode: %s%s takes %s operand\n", e.operation->name,
			      e.scope->suffix, needs_operand ? "an" : "no");
		return 2;
	}
	if (needs_operand && !scenario_number(words->word[1], &e.operand)) {
		pgtsim_printf(err, "pgtsim decode: '%s' %s\n", words->word[1],
			      scenario_number_fault(words->word[1]));
		return 2;
	}
	explain(&e);
	return 0;
}
