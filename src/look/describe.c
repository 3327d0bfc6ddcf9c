/* SPDX-License-Identifier: MIT */
/* describe: one walk and one descriptor, field by field. */
#include <pgtsim/dump.h>
#include <pgtsim/format.h>

#include <inttypes.h>
#include <stdio.h>

#include "arch/address.h"
#include "words.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- one walk ---- */

static void print_step(const struct pgtsim_geometry *geo, const struct pgtsim_step *step,
		       const struct pgtsim_printer *out)
{
	unsigned slot = pgtsim_slot(step->level);

	pgtsim_printf(out, "%-6s %5d  %-5s  %5u  0x%016" PRIx64 "  %s\n",
		      pgtsim_level_name(geo, step->level), step->level,
		      pgtsim_bits_word(geo->shift[slot], geo->bits[slot]).text, step->index,
		      pgtsim_desc_to_raw(geo, step->level, step->desc),
		      pgtsim_kind_name(pgtsim_desc_kind(step->level, step->desc)));
}

void pgtsim_dump_translation(const struct pgtsim_pgtable *pgt, const struct pgtsim_translation *end,
			     const struct pgtsim_printer *out)
{
	if (!pgt || !end || !out)
		return;

	unsigned shift = pgt->geo.shift[pgtsim_slot(end->level)];
	bool arm64 = pgt->geo.format == PGTSIM_FORMAT_ARM64;
	const char *type = arm64 ? pgtsim_memory_type(pgt->policy, end->desc) : NULL;

	if (end->fault) {
		pgtsim_printf(out, "no PA: %s, level %d (%s)", pgtsim_fault_name(end->fault),
			      end->level, pgtsim_level_name(&pgt->geo, end->level));
		return;
	}
	pgtsim_printf(out, "PA 0x%016" PRIx64 ": a leaf of %s, %s, %s", end->pa,
		      pgtsim_size_word(shift).text, end->writable ? "read-write" : "read-only",
		      end->executable ? "executable" : "not executable");
	if (arm64)
		pgtsim_printf(out, "%s, %s", end->desc & PGTSIM_DESC_CONT ? ", contiguous" : "",
			      type ? type : "a memory type that Linux does not set");
}

void pgtsim_dump_walk(const struct pgtsim_pgtable *pgt, uint64_t va,
		      const struct pgtsim_printer *out)
{
	struct pgtsim_translation end;

	if (!pgt || !out)
		return;
	pgtsim_translate(pgt, va, &end);
	pgtsim_printf(out, "VA 0x%016" PRIx64 "\n", va);
	if (!end.steps && pgt->geo.from_zero) {
		pgtsim_printf(out, "outside the region, which ends at 0x%016" PRIx64 "\n",
			      pgtsim_va_last(&pgt->geo));
		return;
	}
	if (!end.steps) {
		pgtsim_printf(out,
			      "outside the region of TTBR1, which begins at 0x%016" PRIx64 "\n",
			      pgtsim_va_start(&pgt->geo));
		return;
	}
	pgtsim_printf(out, "level   arch  bits   index  entry               kind\n");
	for (unsigned i = 0; i < end.steps; i++)
		print_step(&pgt->geo, &end.step[i], out);
	if (!end.fault)
		pgtsim_printf(out, "%-6s        %-5s  0x%" PRIx64 "\n", "offset",
			      pgtsim_bits_word(0, pgt->geo.shift[pgtsim_slot(end.level)]).text,
			      va & (end.size - 1));
	pgtsim_dump_translation(pgt, &end, out);
	pgtsim_printf(out, "\n");
}

/* ---- one descriptor ---- */

/* A field of a descriptor; meaning[] by its value, NULL for a value that needs no line. */
struct field {
	uint8_t low, width;
	const char *name;
	const char *meaning[8];
};

#define FIELD(low, width, name, ...) \
	{                            \
		low, width, name,    \
		{                    \
			__VA_ARGS__  \
		}                    \
	}

/* Of blocks and pages: Arm ARM D8.3; bits 58:55 are software's. */
static const struct field leaf_fields[] = {
	FIELD(2, 3, "AttrIndx", "MEM/NORMAL", "MEM/NORMAL-TAGGED", "MEM/NORMAL-NC", "DEVICE/nGnRnE",
	      "DEVICE/nGnRE", "not set by Linux", "not set by Linux", "not set by Linux"),
	FIELD(5, 1, "NS", NULL, "non-secure; ignored outside Secure state"),
	FIELD(6, 2, "AP", "EL1 read-write, EL0 none", "EL1 and EL0 read-write",
	      "EL1 read-only, EL0 none", "EL1 and EL0 read-only"),
	FIELD(8, 2, "SH", "non-shareable", "reserved", "outer shareable", "inner shareable"),
	FIELD(10, 1, "AF", NULL, "access flag: accessed"),
	FIELD(11, 1, "nG", NULL, "not global: of one ASID"),
	FIELD(50, 1, "GP", NULL, "guarded page: branch targets are checked"),
	FIELD(51, 1, "DBM", NULL, "dirty bit modifier; Linux: may be written"),
	FIELD(52, 1, "Contig", NULL, "one of a contiguous group"),
	FIELD(53, 1, "PXN", NULL, "not executable at EL1"),
	FIELD(54, 1, "UXN", NULL, "not executable at EL0"),
	FIELD(55, 1, "dirty", NULL, "software bit; Linux: has been written"),
};

/* Of table descriptors: the same. */
static const struct field table_fields[] = {
	FIELD(10, 1, "AF", NULL, "access flag of the table (FEAT_HAFT)"),
	FIELD(59, 1, "PXNTable", NULL, "nothing below is executable at EL1"),
	FIELD(60, 1, "UXNTable", NULL, "nothing below is executable at EL0"),
	FIELD(61, 2, "APTable", NULL, "below: no access at EL0", "below: read-only",
	      "below: read-only, no access at EL0"),
	FIELD(63, 1, "NSTable", NULL, "non-secure below; ignored outside Secure state"),
};

static void print_bits(const struct pgtsim_printer *out, const char *bits, const char *name,
		       uint64_t value, const char *meaning)
{
	pgtsim_printf(out, "%-11s  %-8s  0x%-2" PRIx64 "  %s\n", bits, name, value, meaning);
}

static void print_fields(const struct pgtsim_geometry *geo, uint64_t desc,
			 const struct field *fields, size_t count, const struct pgtsim_printer *out)
{
	for (size_t i = 0; i < count; i++) {
		const struct field *field = &fields[i];
		uint64_t value = desc >> field->low & (PGTSIM_BIT(field->width) - 1);
		bool absent = fields == leaf_fields && field->low == 8 && geo->oa == PGTSIM_OA_LPA2;

		if (field->meaning[value] && !absent)
			print_bits(out, pgtsim_bits_word(field->low, field->width).text,
				   field->name, value, field->meaning[value]);
	}
}

/* What a bit is that no field of the kind holds. */
static const char *unnamed_bit(enum pgtsim_kind kind, unsigned bit)
{
	switch (kind) {
	case PGTSIM_TABLE:
		if (bit <= 11 || (bit >= 51 && bit <= 58))
			return "ignored: free for software";
		break;
	case PGTSIM_BLOCK:
	case PGTSIM_PAGE:
		if (kind == PGTSIM_BLOCK && bit == 16)
			return "nT (FEAT_BBM): the TLB may not hold it";
		if (bit >= 56 && bit <= 58)
			return "software bit";
		if (bit >= 59)
			return bit == 63 ? "ignored" : "PBHA, or ignored";
		break;
	case PGTSIM_INVALID:
	case PGTSIM_NONE:
		if (bit == 11)
			return "software bit; Linux: present although invalid";
		return "ignored: free for software";
	}
	return "reserved, should be 0";
}

static void print_unnamed(enum pgtsim_kind kind, uint64_t rest, const struct pgtsim_printer *out)
{
	for (unsigned bit = 0; bit < 64; bit++)
		if (rest & PGTSIM_BIT(bit))
			print_bits(out, pgtsim_bits_word(bit, 1).text, "-", 1,
				   unnamed_bit(kind, bit));
}

/* The output address and where it stands (Arm ARM D8.3.1). */
static void print_address(const struct pgtsim_geometry *geo, int level, uint64_t desc,
			  const struct pgtsim_printer *out)
{
	static const char *const moved[] = { "", ",15:12", ",9:8" };
	enum pgtsim_kind kind = pgtsim_desc_kind(level, desc);
	uint64_t pa = pgtsim_desc_address(geo, level, desc);
	unsigned shift = geo->shift[pgtsim_slot(level)];
	const char *too_wide = pa >> geo->pa_bits ? ", wider than a PA: a walk faults" : "";
	char bits[32];

	snprintf(bits, sizeof(bits), "%u:%u%s", geo->oa == PGTSIM_OA_LPA2 ? 49 : 47,
		 kind == PGTSIM_BLOCK ? shift : geo->page_shift, moved[geo->oa]);
	if (kind == PGTSIM_TABLE)
		pgtsim_printf(out, "%-11s  table at  0x%" PRIx64 "%s\n", bits, pa, too_wide);
	else
		pgtsim_printf(out, "%-11s  PA        0x%" PRIx64 ", %s of it%s\n", bits, pa,
			      pgtsim_size_word(shift).text, too_wide);
}

/* Bits 1:0. */
static void print_type(const struct pgtsim_geometry *geo, int level, uint64_t desc,
		       const struct pgtsim_printer *out)
{
	enum pgtsim_kind kind = pgtsim_desc_kind(level, desc);
	const char *meaning = pgtsim_kind_name(kind);

	if (kind == PGTSIM_NONE || !(desc & PGTSIM_DESC_VALID)) {
		print_bits(out, "0", "valid", 0, "invalid: a walk that gets here faults");
		return;
	}
	print_bits(out, "0", "valid", 1, "valid");
	if (kind == PGTSIM_INVALID)
		meaning = "reserved at this level: a walk that gets here faults";
	else if (kind == PGTSIM_BLOCK && !geo->block_legal[pgtsim_slot(level)])
		meaning = "block, which is not legal at this level: a walk faults";
	print_bits(out, "1", "type", desc >> 1 & 1, meaning);
}

/* 64K with 52-bit addresses: Linux 6.12 on leaves PA[49:48] where they stand in an address. */
static void print_copy(const struct pgtsim_geometry *geo, uint64_t named,
		       const struct pgtsim_printer *out)
{
	if (geo->oa == PGTSIM_OA_64K_52 && named >> 48 & 3)
		print_bits(out, "49:48", "-", named >> 48 & 3,
			   "copy of PA[49:48], left by Linux 6.12 on; reserved");
}

/* The bits of a table, block or page descriptor that have a name. */
static uint64_t named_bits(const struct pgtsim_geometry *geo, int level, uint64_t desc)
{
	const uint64_t copy = geo->oa == PGTSIM_OA_64K_52 ? PGTSIM_BIT(49) | PGTSIM_BIT(48) : 0;
	struct pgtsim_geometry wide = *geo;
	struct pgtsim_desc parts;
	uint64_t named;

	/* An address that is too wide stands in address bits all the same. */
	wide.pa_bits = geo->oa == PGTSIM_OA_48 ? 48 : 52;
	wide.pa_mask = PGTSIM_BIT(wide.pa_bits) - pgtsim_page_size(geo);
	pgtsim_desc_decode(&wide, level, desc, &parts);
	named = pgtsim_desc_encode(&wide, level, &parts);
	/* Half a copy is none. */
	return (named ^ desc) & copy ? named & desc & ~copy : named & desc;
}

/* ---- one entry of s390's ---- */

/* Region and segment entries (z/Architecture, DAT-table entries; software's bits as Linux has them). */
static const struct field s390_table_fields[] = {
	FIELD(8, 1, "NX", NULL, "nothing below is executable"),
	FIELD(9, 1, "P", NULL, "what is below is read-only"),
};

static const struct field s390_large_fields[] = {
	FIELD(0, 1, "read", NULL, "software bit: may be read"),
	FIELD(1, 1, "write", NULL, "software bit: may be written"),
	FIELD(8, 1, "NX", NULL, "not executable"),
	FIELD(9, 1, "P", "read-write", "read-only"),
	FIELD(12, 1, "young", NULL, "software bit: accessed"),
	FIELD(13, 1, "dirty", NULL, "software bit: has been written"),
	FIELD(14, 1, "softdirty", NULL, "software bit: written since somebody looked"),
};

static const struct field s390_page_fields[] = {
	FIELD(0, 1, "present", NULL, "software bit: present"),
	FIELD(1, 1, "softdirty", NULL, "software bit: written since somebody looked"),
	FIELD(2, 1, "young", NULL, "software bit: accessed"),
	FIELD(3, 1, "dirty", NULL, "software bit: has been written"),
	FIELD(4, 1, "read", NULL, "software bit: may be read"),
	FIELD(5, 1, "write", NULL, "software bit: may be written"),
	FIELD(6, 1, "special", NULL, "software bit: no struct page is counted"),
	FIELD(7, 1, "unused", NULL, "software bit: of a guest's unused page"),
	FIELD(8, 1, "NX", NULL, "not executable"),
	FIELD(9, 1, "P", "read-write", "read-only"),
};

/* Bits that are set and have no line of their own yet. */
static void print_s390_rest(enum pgtsim_kind kind, int level, bool valid, uint64_t rest,
			    const struct pgtsim_printer *out)
{
	for (unsigned bit = 0; bit < 64; bit++) {
		const char *meaning = "reserved or ignored";

		if (!(rest & PGTSIM_BIT(bit)))
			continue;
		if (bit == 11 && level == PGTSIM_PTE && valid)
			meaning = "must be 0: a walk faults";
		else if (kind == PGTSIM_NONE || kind == PGTSIM_INVALID)
			meaning = "free for software: a walk does not look at it";
		else if (kind == PGTSIM_TABLE && level == PGTSIM_PMD && bit == 0)
			meaning = "software bit: present";
		else if (bit == 4)
			meaning = "common to address spaces";
		else if (kind == PGTSIM_TABLE && level < PGTSIM_PMD && (bit == 6 || bit == 7))
			meaning = "of the next table's offset: its first entries are missing";
		print_bits(out, pgtsim_bits_word(bit, 1).text, "-", 1, meaning);
	}
}

/* The bits of an entry that have a line of their own. */
static uint64_t s390_named(const struct pgtsim_geometry *geo, enum pgtsim_kind kind, int level)
{
	uint64_t named = level == PGTSIM_PTE ? PGTSIM_S390_PTE_INVALID :
					       PGTSIM_S390_INVALID | PGTSIM_S390_TYPE;

	switch (kind) {
	case PGTSIM_TABLE:
		named |= ~UINT64_C(0xfff) | 0x300;
		return named | (level < PGTSIM_PMD ? PGTSIM_S390_LENGTH : 0x800);
	case PGTSIM_BLOCK:
		return named | ~(pgtsim_entry_size(geo, level) - 1) | PGTSIM_S390_LARGE | 0x7303;
	case PGTSIM_PAGE:
		return named | ~UINT64_C(0xfff) | 0x3ff;
	default:
		return named;
	}
}

/* The bits that say what a region or segment entry is. */
static void print_s390_type(const struct pgtsim_geometry *geo, int level, uint64_t raw,
			    const struct pgtsim_printer *out)
{
	static const char *const types[] = { "of a segment table", "of a region-third table",
					     "of a region-second table",
					     "of a region-first table" };
	uint64_t type = (raw & PGTSIM_S390_TYPE) >> 2;
	bool large = raw & PGTSIM_S390_LARGE;

	if (level == PGTSIM_PTE)
		return;
	print_bits(out, "3:2", "TT", type, types[type]);
	if (raw & PGTSIM_S390_INVALID)
		return;
	if (large)
		print_bits(out, "10", "FC", 1,
			   geo->block_legal[pgtsim_slot(level)] ?
				   "large: a leaf" :
				   "large, which this CPU does not know here: a walk faults");
	else if (level < PGTSIM_PMD)
		print_bits(out, "1:0", "TL", raw & PGTSIM_S390_LENGTH,
			   "how many quarters of the next table there are, less 1");
}

static void dump_s390(const struct pgtsim_geometry *geo, int level, uint64_t desc,
		      const struct pgtsim_printer *out)
{
	enum pgtsim_kind kind = pgtsim_desc_kind(level, desc);
	uint64_t raw = pgtsim_desc_to_raw(geo, level, desc);
	uint64_t pa = pgtsim_desc_address(geo, level, desc);
	unsigned shift = geo->shift[pgtsim_slot(level)];
	bool invalid = !(desc & PGTSIM_DESC_VALID);

	pgtsim_printf(out, "0x%016" PRIx64 " at level %d (%s): %s\n", raw, level,
		      pgtsim_level_name(geo, level), pgtsim_kind_name(kind));
	print_bits(out, level == PGTSIM_PTE ? "10" : "5", "I", invalid,
		   invalid ? "invalid: a walk that gets here faults" : "valid");
	print_s390_type(geo, level, raw, out);
	if (kind == PGTSIM_TABLE) {
		pgtsim_printf(out, "%-11s  table at  0x%" PRIx64 "\n",
			      level < PGTSIM_PMD ? "63:12" : "63:11", pa);
		print_fields(geo, raw, s390_table_fields, COUNT(s390_table_fields), out);
	} else if (kind == PGTSIM_BLOCK || kind == PGTSIM_PAGE) {
		pgtsim_printf(out, "%-11s  PA        0x%" PRIx64 ", %s of it\n",
			      pgtsim_bits_word(shift, 64 - shift).text, pa,
			      pgtsim_size_word(shift).text);
		if (kind == PGTSIM_PAGE)
			print_fields(geo, raw, s390_page_fields, COUNT(s390_page_fields), out);
		else
			print_fields(geo, raw, s390_large_fields, COUNT(s390_large_fields), out);
	}
	print_s390_rest(kind, level, !invalid, raw & ~s390_named(geo, kind, level), out);
}

void pgtsim_dump_desc(const struct pgtsim_geometry *geo, int level, uint64_t desc,
		      const struct pgtsim_printer *out)
{
	if (!geo || !out || !pgtsim_is_level(level))
		return;
	if (geo->format == PGTSIM_FORMAT_S390) {
		dump_s390(geo, level, desc, out);
		return;
	}

	enum pgtsim_kind kind = pgtsim_desc_kind(level, desc);
	uint64_t named = named_bits(geo, level, desc);

	pgtsim_printf(out, "0x%016" PRIx64 " at level %d (%s): %s\n", desc, level,
		      pgtsim_level_name(geo, level), pgtsim_kind_name(kind));
	print_type(geo, level, desc, out);
	if (kind == PGTSIM_NONE || kind == PGTSIM_INVALID) {
		print_unnamed(kind, desc & ~PGTSIM_DESC_VALID, out);
		return;
	}
	print_address(geo, level, desc, out);
	if (kind == PGTSIM_TABLE)
		print_fields(geo, desc, table_fields, COUNT(table_fields), out);
	else
		print_fields(geo, desc, leaf_fields, COUNT(leaf_fields), out);
	print_copy(geo, named, out);
	print_unnamed(kind, desc & ~named, out);
}
