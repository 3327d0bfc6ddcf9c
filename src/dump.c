/* SPDX-License-Identifier: MIT */
#include <pgtsim/dump.h>

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "directory.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

void pgtsim_printf(const struct pgtsim_printer *out, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	out->print(out->ctx, text);
}

/* ---- names ---- */

/* A size, or a bit range, as text. */
struct word {
	char text[24];
};

/* 2^shift bytes: "4K", "2M", "128T". */
static struct word size_word(unsigned shift)
{
	struct word word;

	snprintf(word.text, sizeof(word.text), "%u%.1s", 1u << shift % 10, &"\0KMGTPE"[shift / 10]);
	return word;
}

/* "47:39", or "10" for a single bit. */
static struct word bits_word(unsigned low, unsigned width)
{
	struct word word;

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

/* The memory type of a leaf, in the order of the page table's kernel; NULL if it has none. */
static const char *memory_type(const struct pgtsim_policy *policy, uint64_t desc)
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

/* ---- the walk of a dump ---- */

/* An entry as a dump meets it, or (desc 0) the first of several that are zero. */
struct entry {
	int level;
	uint64_t va, desc;
	bool lost; /* a table entry that points to no table */
};

/* A line that the kernel's dump prints where a region begins or ends. */
struct marker {
	uint64_t start;
	const char *name;
};

/* A range of alike entries, not printed yet. */
struct ptdump {
	struct marker markers[5];  /* name NULL at the end */
	const struct marker *next; /* to print */
	uint64_t start, prot;      /* prot 0: nothing is mapped */
	int level;
};

struct dump {
	struct pgtsim_pgtable *pgt;
	const struct pgtsim_printer *out;
	void (*show)(struct dump *dump, const struct entry *entry);
	uint64_t next; /* the first address not shown yet; 0: all are */
	bool any;      /* something was shown */
	struct ptdump ptdump;
};

/*
 * Shows what the walker left out before va: table entries that point to no table. A translation
 * ends at each of them.
 */
static void show_lost(struct dump *dump, uint64_t va)
{
	while (dump->next - 1 < va - 1) {
		struct pgtsim_translation end;
		struct entry entry = { .va = dump->next, .lost = true };

		pgtsim_translate(dump->pgt, dump->next, &end);
		entry.level = end.level;
		entry.desc = end.desc;
		dump->show(dump, &entry);
		dump->next += pgtsim_entry_size(&dump->pgt->geo, end.level);
	}
}

static int dump_entries(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	struct dump *dump = arg;
	struct entry entry = { .level = run->level, .va = run->va };
	unsigned end = run->index + run->count, n;

	show_lost(dump, run->va);
	for (unsigned i = run->index; i < end; i += n) {
		n = pgtsim_run_zeros(pgt, run->table, i, end - i);
		entry.desc = n ? 0 : pgtsim_entry(pgt, run->table, i);
		dump->show(dump, &entry);
		n += n == 0;
		entry.va += n * pgtsim_entry_size(&pgt->geo, run->level);
	}
	dump->next = run->last + 1;
	return 0;
}

static int dump_table(struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
		      struct pgtsim_table *child, void *arg)
{
	struct dump *dump = arg;
	const struct entry entry = { .level = run->level,
				     .va = run->va,
				     .desc = pgtsim_entry(pgt, run->table, run->index) };

	(void)child;
	show_lost(dump, run->va);
	dump->show(dump, &entry);
	return 0;
}

/* Visits everything; nothing is counted, and what is wrong is no violation of the dump's. */
static void walk_unseen(struct pgtsim_pgtable *pgt, const struct pgtsim_visitor *visitor, void *arg)
{
	struct pgtsim_tlb *tlb = pgt->tlb;
	uint64_t work = tlb->counts.work_entries;
	bool quiet = tlb->quiet;

	tlb->quiet = true;
	pgtsim_walk(pgt, pgtsim_va_start(&pgt->geo), UINT64_MAX, visitor, arg);
	tlb->quiet = quiet;
	tlb->counts.work_entries = work;
}

static void dump_walk(struct dump *dump)
{
	static const struct pgtsim_visitor visitor = { .entries = dump_entries,
						       .table = dump_table };

	dump->next = pgtsim_va_start(&dump->pgt->geo);
	walk_unseen(dump->pgt, &visitor, dump);
	show_lost(dump, 0);
}

/* ---- the tables' memory ---- */

struct exporter {
	void (*table)(void *arg, uint64_t pa, const void *bytes, size_t size);
	void *arg;
};

static void hand_out(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
		     const struct exporter *to)
{
	size_t size = pgtsim_entries(&pgt->geo, table->level) * sizeof(table->entries[0]);

	pgtsim_table_write_out(table);
	to->table(to->arg, table->pa, table->entries, size);
}

static int export_table(struct pgtsim_pgtable *pgt, struct pgtsim_run *run,
			struct pgtsim_table *child, void *arg)
{
	(void)run;
	hand_out(pgt, child, arg);
	return 0;
}

void pgtsim_export_tables(struct pgtsim_pgtable *pgt,
			  void (*table)(void *arg, uint64_t pa, const void *bytes, size_t size),
			  void *arg)
{
	static const struct pgtsim_visitor visitor = { .table = export_table };
	struct exporter to = { table, arg };

	hand_out(pgt, pgt->root, &to);
	walk_unseen(pgt, &visitor, &to);
}

/* ---- forms: tables, leaves, json ---- */

static const char *kind_of(const struct entry *entry)
{
	return pgtsim_kind_name(pgtsim_desc_kind(entry->level, entry->desc));
}

static const char *level_of(const struct dump *dump, const struct entry *entry)
{
	return pgtsim_level_name(&dump->pgt->geo, entry->level);
}

static void show_line(struct dump *dump, const struct entry *entry)
{
	if (entry->desc)
		pgtsim_printf(dump->out, "%s 0x%016" PRIx64 " 0x%016" PRIx64 " %s\n",
			      level_of(dump, entry), entry->va, entry->desc, kind_of(entry));
}

static void show_leaf(struct dump *dump, const struct entry *entry)
{
	if (!pgtsim_desc_is_table(entry->level, entry->desc))
		show_line(dump, entry);
}

static void show_json(struct dump *dump, const struct entry *entry)
{
	if (!entry->desc)
		return;
	pgtsim_printf(dump->out,
		      "%s\n{\"level\":\"%s\",\"va\":\"0x%016" PRIx64 "\",\"desc\":\"0x%016" PRIx64
		      "\",\"kind\":\"%s\"}",
		      dump->any ? "," : "", level_of(dump, entry), entry->va, entry->desc,
		      kind_of(entry));
	dump->any = true;
}

static void dump_json(struct dump *dump)
{
	const struct pgtsim_geometry *geo = &dump->pgt->geo;

	pgtsim_printf(dump->out,
		      "{\"version\":1,\"granule\":%" PRIu64 ",\"va_bits\":%u,\"levels\":%u,"
		      "\"entries\":[",
		      pgtsim_page_size(geo), geo->va_bits, geo->levels);
	dump_walk(dump);
	pgtsim_printf(dump->out, "%s]}\n", dump->any ? "\n" : "");
}

/* ---- form: ptdump ---- */

/* One column of the kernel's dump, a space before it; `unset` NULL: nothing if it is not set. */
struct column {
	uint64_t mask, value;
	const char *set, *unset;
};

/* The order and the words of 6.12's pte_bits[]; the memory type is the last column. */
static const struct column columns[] = {
	{ PGTSIM_DESC_VALID, PGTSIM_DESC_VALID, " ", "F" },
	{ PGTSIM_DESC_AP1, PGTSIM_DESC_AP1, "USR", "   " },
	{ PGTSIM_DESC_AP2, PGTSIM_DESC_AP2, "ro", "RW" },
	{ PGTSIM_DESC_PXN, PGTSIM_DESC_PXN, "NX", "x " },
	{ PGTSIM_DESC_SH_MASK, PGTSIM_DESC_SH_INNER, "SHD", "   " },
	{ PGTSIM_DESC_AF, PGTSIM_DESC_AF, "AF", "  " },
	{ PGTSIM_DESC_NG, PGTSIM_DESC_NG, "NG", "  " },
	{ PGTSIM_DESC_CONT, PGTSIM_DESC_CONT, "CON", "   " },
	{ PGTSIM_DESC_TABLE, PGTSIM_DESC_TABLE, "   ", "BLK" },
	{ PGTSIM_DESC_UXN, PGTSIM_DESC_UXN, "UXN", "   " },
	{ PGTSIM_DESC_GP, PGTSIM_DESC_GP, "GP", "  " },
	{ PGTSIM_DESC_ATTRINDX_MASK, 0, NULL, NULL },
};

/*
 * The bits that tell ranges apart. Departure: with LPA2 the kernel takes PA[51:50] for SH, so
 * that a dump may say SHD where there is no such field.
 */
static uint64_t prot_of(const struct pgtsim_geometry *geo, const struct entry *entry)
{
	uint64_t mask = 0;

	if (entry->lost)
		return 0;
	for (size_t i = 0; i < COUNT(columns); i++)
		mask |= columns[i].mask;
	if (geo->oa == PGTSIM_OA_LPA2)
		mask &= ~PGTSIM_DESC_SH_MASK;
	return entry->desc & mask;
}

static void print_columns(const struct dump *dump, uint64_t prot)
{
	const char *type = memory_type(dump->pgt->policy, prot);

	for (size_t i = 0; i < COUNT(columns) - 1; i++) {
		const struct column *column = &columns[i];
		bool set = (prot & column->mask) == column->value;

		pgtsim_printf(dump->out, " %s", set ? column->set : column->unset);
	}
	if (type)
		pgtsim_printf(dump->out, " %s", type);
}

/* Prints what there is before `end`, and begins again there. */
static void close_range(struct dump *dump, uint64_t end)
{
	struct ptdump *pt = &dump->ptdump;
	const char *name = pgtsim_level_name(&dump->pgt->geo, pt->level);
	uint64_t size = (end - pt->start) >> 10;
	const char *unit = "KMGTPE";

	if (end == pt->start)
		return;
	for (; size % 1024 == 0 && unit[1]; unit++)
		size /= 1024;
	pgtsim_printf(dump->out, "0x%016" PRIx64 "-0x%016" PRIx64 "   %9" PRIu64 "%c %c%c%c",
		      pt->start, end, size, *unit, toupper(name[0]), toupper(name[1]),
		      toupper(name[2]));
	if (pt->prot)
		print_columns(dump, pt->prot);
	pgtsim_printf(dump->out, "\n");
	pt->start = end;
}

/*
 * Prints the markers up to va, 0 being the end of the address space. A marker inside an empty
 * range splits it. Departure: the kernel prints it at the next entry it looks at, which with
 * its own mappings around is the same.
 */
static void pass_markers(struct dump *dump, uint64_t va)
{
	struct ptdump *pt = &dump->ptdump;

	for (; pt->next->name && pt->next->start - 1 <= va - 1; pt->next++) {
		close_range(dump, pt->prot ? va : pt->next->start);
		pgtsim_printf(dump->out, "---[ %s ]---\n", pt->next->name);
	}
}

static void show_ptdump(struct dump *dump, const struct entry *entry)
{
	struct ptdump *pt = &dump->ptdump;
	uint64_t prot = prot_of(&dump->pgt->geo, entry);

	if (pgtsim_desc_is_table(entry->level, entry->desc) && !entry->lost)
		return;
	pass_markers(dump, entry->va);
	if (prot == pt->prot && entry->level == pt->level)
		return;
	close_range(dump, entry->va);
	pt->prot = prot;
	pt->level = entry->level;
}

/*
 * Imitates ptdump_walk() and note_page() of 6.12: from the start of the linear map in use to the
 * end. Departure: "vmemmap start" is the region's, where a 52-bit kernel of 6.12 that runs with
 * fewer names the first struct page in use.
 */
static void dump_ptdump(struct dump *dump, const struct pgtsim_layout *layout)
{
	struct ptdump *pt = &dump->ptdump;

	pt->next = pt->markers;
	pt->start = pgtsim_va_start(&dump->pgt->geo);
	pt->level = pgtsim_root_level(&dump->pgt->geo);
	if (layout) {
		const struct marker markers[] = {
			{ pt->start, "Linear Mapping start" },
			{ layout->page_end, "Linear Mapping end" },
			{ layout->vmemmap_start, "vmemmap start" },
			{ layout->vmemmap_end, "vmemmap end" },
		};

		memcpy(pt->markers, markers, sizeof(markers));
	}
	dump_walk(dump);
	pass_markers(dump, 0);
	close_range(dump, 0);
}

void pgtsim_dump(struct pgtsim_pgtable *pgt, const struct pgtsim_layout *layout,
		 enum pgtsim_dump_form form, const struct pgtsim_printer *out)
{
	static void (*const shows[])(struct dump *, const struct entry *) = {
		[PGTSIM_DUMP_TABLES] = show_line,
		[PGTSIM_DUMP_LEAVES] = show_leaf,
		[PGTSIM_DUMP_PTDUMP] = show_ptdump,
		[PGTSIM_DUMP_JSON] = show_json,
	};
	struct dump dump = { .pgt = pgt, .out = out, .show = shows[form] };

	if (form == PGTSIM_DUMP_PTDUMP)
		dump_ptdump(&dump, layout);
	else if (form == PGTSIM_DUMP_JSON)
		dump_json(&dump);
	else
		dump_walk(&dump);
}

/* ---- one walk ---- */

static void print_step(const struct pgtsim_geometry *geo, const struct pgtsim_step *step,
		       const struct pgtsim_printer *out)
{
	unsigned slot = pgtsim_slot(step->level);

	pgtsim_printf(out, "%-6s %5d  %-5s  %5u  0x%016" PRIx64 "  %s\n",
		      pgtsim_level_name(geo, step->level), step->level,
		      bits_word(geo->shift[slot], geo->bits[slot]).text, step->index, step->desc,
		      pgtsim_kind_name(pgtsim_desc_kind(step->level, step->desc)));
}

void pgtsim_dump_translation(const struct pgtsim_pgtable *pgt, const struct pgtsim_translation *end,
			     const struct pgtsim_printer *out)
{
	unsigned shift = pgt->geo.shift[pgtsim_slot(end->level)];
	const char *type = memory_type(pgt->policy, end->desc);

	if (end->fault) {
		pgtsim_printf(out, "no PA: %s, level %d (%s)", pgtsim_fault_name(end->fault),
			      end->level, pgtsim_level_name(&pgt->geo, end->level));
		return;
	}
	pgtsim_printf(out, "PA 0x%016" PRIx64 ": a leaf of %s, %s, %s%s, %s", end->pa,
		      size_word(shift).text, end->writable ? "read-write" : "read-only",
		      end->executable ? "executable" : "not executable",
		      end->desc & PGTSIM_DESC_CONT ? ", contiguous" : "",
		      type ? type : "a memory type that Linux does not set");
}

void pgtsim_dump_walk(const struct pgtsim_pgtable *pgt, uint64_t va,
		      const struct pgtsim_printer *out)
{
	struct pgtsim_translation end;

	pgtsim_translate(pgt, va, &end);
	pgtsim_printf(out, "VA 0x%016" PRIx64 "\n", va);
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
			      bits_word(0, pgt->geo.shift[pgtsim_slot(end.level)]).text,
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
			print_bits(out, bits_word(field->low, field->width).text, field->name,
				   value, field->meaning[value]);
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
			print_bits(out, bits_word(bit, 1).text, "-", 1, unnamed_bit(kind, bit));
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
			      size_word(shift).text, too_wide);
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

void pgtsim_dump_desc(const struct pgtsim_geometry *geo, int level, uint64_t desc,
		      const struct pgtsim_printer *out)
{
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

/* ---- geometry ---- */

static const char *block_use(const struct pgtsim_geometry *geo, int level)
{
	if (level == PGTSIM_PTE)
		return "pages";
	if (geo->block[pgtsim_slot(level)])
		return "used";
	return geo->block_legal[pgtsim_slot(level)] ? "legal" : "-";
}

static void print_level(const struct pgtsim_geometry *geo, int level, uint64_t va,
			const struct pgtsim_printer *out)
{
	unsigned slot = pgtsim_slot(level), shift = geo->shift[slot];
	char group[64] = "-";

	if (geo->cont[slot])
		snprintf(group, sizeof(group), "%u x %s = %s", pgtsim_cont_entries(geo, level),
			 size_word(shift).text, size_word(shift + geo->cont[slot]).text);
	pgtsim_printf(out, "%-6s %5d  %-5s  %7u  %5s  %-6s  %-18s  %5u\n",
		      pgtsim_level_name(geo, level), level, bits_word(shift, geo->bits[slot]).text,
		      pgtsim_entries(geo, level), size_word(shift).text, block_use(geo, level),
		      group, pgtsim_index(geo, level, va));
}

/* A column of the picture: the bits, whose they are, and what va has there. */
struct cell {
	char bits[24], name[8], value[24];
};

enum { MAX_CELLS = PGTSIM_MAX_LEVELS + 2 };

/* Cuts va into cells, highest bits first. Returns their number. */
static size_t cut(const struct pgtsim_geometry *geo, uint64_t va, struct cell *cells)
{
	int root = pgtsim_root_level(geo);
	unsigned top = geo->shift[pgtsim_slot(root)] + geo->bits[pgtsim_slot(root)];
	struct cell *cell = cells;

	memset(cells, 0, MAX_CELLS * sizeof(*cells));
	memcpy(cell->bits, bits_word(top, 64 - top).text, sizeof(cell->bits));
	snprintf(cell->value, sizeof(cell->value), "0x%" PRIx64, va >> top);
	cell++;
	for (int level = root; level <= PGTSIM_PTE; level++, cell++) {
		unsigned slot = pgtsim_slot(level);

		memcpy(cell->bits, bits_word(geo->shift[slot], geo->bits[slot]).text,
		       sizeof(cell->bits));
		snprintf(cell->name, sizeof(cell->name), "%s", pgtsim_level_name(geo, level));
		snprintf(cell->value, sizeof(cell->value), "%u", pgtsim_index(geo, level, va));
	}
	memcpy(cell->bits, bits_word(0, geo->page_shift).text, sizeof(cell->bits));
	snprintf(cell->name, sizeof(cell->name), "offset");
	snprintf(cell->value, sizeof(cell->value), "0x%" PRIx64, va & (pgtsim_page_size(geo) - 1));
	return (size_t)(cell - cells) + 1;
}

static int cell_width(const struct cell *cell)
{
	size_t width = strlen(cell->bits);

	if (strlen(cell->name) > width)
		width = strlen(cell->name);
	if (strlen(cell->value) > width)
		width = strlen(cell->value);
	return (int)width;
}

/* One line of the picture: the texts at this offset in each cell. */
static void print_row(const struct cell *cells, size_t count, size_t offset,
		      const struct pgtsim_printer *out)
{
	for (size_t i = 0; i < count; i++)
		pgtsim_printf(out, "| %-*s ", cell_width(&cells[i]),
			      (const char *)&cells[i] + offset);
	pgtsim_printf(out, "|\n");
}

static void print_rule(const struct cell *cells, size_t count, const struct pgtsim_printer *out)
{
	static const char dashes[] = "--------------------------------";

	for (size_t i = 0; i < count; i++)
		pgtsim_printf(out, "+%.*s", cell_width(&cells[i]) + 2, dashes);
	pgtsim_printf(out, "+\n");
}

static void print_picture(const struct pgtsim_geometry *geo, uint64_t va,
			  const struct pgtsim_printer *out)
{
	struct cell cells[MAX_CELLS];
	size_t count = cut(geo, va, cells);

	print_rule(cells, count, out);
	print_row(cells, count, offsetof(struct cell, bits), out);
	print_row(cells, count, offsetof(struct cell, name), out);
	print_row(cells, count, offsetof(struct cell, value), out);
	print_rule(cells, count, out);
}

void pgtsim_dump_geometry(const struct pgtsim_geometry *geo, uint64_t va,
			  const struct pgtsim_printer *out)
{
	static const char *const oa_names[] = {
		[PGTSIM_OA_48] = "",
		[PGTSIM_OA_64K_52] = " (PA[51:48] in bits 15:12 of a descriptor)",
		[PGTSIM_OA_LPA2] = " (LPA2: PA[51:50] in bits 9:8 of a descriptor)",
	};

	pgtsim_printf(out, "granule %s, %u levels, VA of %u bits", size_word(geo->page_shift).text,
		      geo->levels, geo->va_bits);
	if (geo->config_va_bits != geo->va_bits)
		pgtsim_printf(out, " (a kernel of %u)", geo->config_va_bits);
	pgtsim_printf(out, ", PA of %u bits%s\n", geo->pa_bits, oa_names[geo->oa]);
	pgtsim_printf(out, "region 0x%016" PRIx64 " to 0x%016" PRIx64 "\n\n", pgtsim_va_start(geo),
		      UINT64_MAX);
	pgtsim_printf(out, "level   arch  bits   entries   each  blocks  %-18s  index\n",
		      "contiguous group");
	for (int level = pgtsim_root_level(geo); level <= PGTSIM_PTE; level++)
		print_level(geo, level, va, out);
	pgtsim_printf(out, "\n0x%016" PRIx64 "%s\n", va,
		      va < pgtsim_va_start(geo) ? ", outside the region:" : ":");
	print_picture(geo, va, out);
}
