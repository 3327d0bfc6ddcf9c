/* SPDX-License-Identifier: MIT */
/* ptdump: a dump in the words of arch/arm64/mm/ptdump.c, or of s390's dump_pagetables.c. */
#include "dump.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "words.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

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
static uint64_t prot_of(const struct pgtsim_geometry *geo, const struct pgtsim_dump_entry *entry)
{
	uint64_t mask = 0;

	if (entry->lost)
		return 0;
	if (geo->format == PGTSIM_FORMAT_S390)
		return entry->desc & (PGTSIM_DESC_VALID | PGTSIM_DESC_AP2 | PGTSIM_DESC_PXN);
	for (size_t i = 0; i < COUNT(columns); i++)
		mask |= columns[i].mask;
	if (geo->oa == PGTSIM_OA_LPA2)
		mask &= ~PGTSIM_DESC_SH_MASK;
	return entry->desc & mask;
}

static void print_columns(const struct pgtsim_dumping *dump, uint64_t prot)
{
	const char *type = pgtsim_memory_type(dump->pgt->policy, prot);

	for (size_t i = 0; i < COUNT(columns) - 1; i++) {
		const struct column *column = &columns[i];
		bool set = (prot & column->mask) == column->value;

		pgtsim_printf(dump->out, " %s", set ? column->set : column->unset);
	}
	if (type)
		pgtsim_printf(dump->out, " %s", type);
}

/* print_prot() of s390: the levels are those of five, whatever the number of them. */
static void print_s390(const struct pgtsim_dumping *dump, uint64_t end, uint64_t size, char unit)
{
	static const char *const levels[PGTSIM_MAX_LEVELS] = { "ASCE", "PGD", "PUD", "PMD", "PTE" };
	const struct pgtsim_ptdump *pt = &dump->ptdump;

	pgtsim_printf(dump->out, "0x%016" PRIx64 "-0x%016" PRIx64 " %9" PRIu64 "%c %s ", pt->start, end,
		      size, unit, levels[pgtsim_slot(pt->level)]);
	if (pt->prot & PGTSIM_DESC_VALID)
		pgtsim_printf(dump->out, "%s %s\n", pt->prot & PGTSIM_DESC_AP2 ? "RO" : "RW",
			      pt->prot & PGTSIM_DESC_PXN ? "NX" : "X");
	else
		pgtsim_printf(dump->out, "I\n");
}

/* Prints what there is before `end`, and begins again there. */
static void close_range(struct pgtsim_dumping *dump, uint64_t end)
{
	struct pgtsim_ptdump *pt = &dump->ptdump;
	const char *name = pgtsim_level_name(&dump->pgt->geo, pt->level);
	uint64_t size = (end - pt->start) >> 10;
	const char *unit = "KMGTPE";

	if (end == pt->start)
		return;
	for (; size % 1024 == 0 && unit[1]; unit++)
		size /= 1024;
	if (dump->pgt->geo.format == PGTSIM_FORMAT_S390) {
		print_s390(dump, end, size, *unit);
		pt->start = end;
		return;
	}
	pgtsim_printf(dump->out, "0x%016" PRIx64 "-0x%016" PRIx64 "   %9" PRIu64 "%c %c%c%c",
		      pt->start, end, size, *unit, toupper(name[0]), toupper(name[1]),
		      toupper(name[2]));
	if (pt->prot)
		print_columns(dump, pt->prot);
	pgtsim_printf(dump->out, "\n");
	pt->start = end;
}

/* On s390 address 0 is the first, elsewhere the end of the address space. */
static bool is_passed(const struct pgtsim_geometry *geo, const struct pgtsim_marker *marker,
		      uint64_t va)
{
	return geo->from_zero ? marker->start <= va : marker->start - 1 <= va - 1;
}

/*
 * Prints the markers up to va. A marker inside an empty range splits it. Departure: the kernel prints
 * it at the next entry it looks at, which with its own mappings around is the same.
 */
static void pass_markers(struct pgtsim_dumping *dump, uint64_t va)
{
	struct pgtsim_ptdump *pt = &dump->ptdump;

	for (; pt->next->name && is_passed(&dump->pgt->geo, pt->next, va); pt->next++) {
		close_range(dump, pt->prot ? va : pt->next->start);
		pgtsim_printf(dump->out, "---[ %s ]---\n", pt->next->name);
	}
}

static void show_entry(struct pgtsim_dumping *dump, const struct pgtsim_dump_entry *entry)
{
	struct pgtsim_ptdump *pt = &dump->ptdump;
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

/* The names of s390. Departure: areas that the library's machines do not have are left out. */
static void set_s390_markers(struct pgtsim_dumping *dump, const struct pgtsim_layout *layout)
{
	const struct pgtsim_marker markers[] = {
		{ 0, "Identity Mapping Start" },
		{ layout->page_end, "Identity Mapping End" },
		{ layout->vmemmap_start, "vmemmap Area Start" },
		{ layout->vmemmap_end, "vmemmap Area End" },
	};

	pgtsim_printf(dump->out, "---[ Kernel Virtual Address Space ]---\n");
	memcpy(dump->ptdump.markers, markers, sizeof(markers));
}

/*
 * Imitates ptdump_walk() and note_page() of 6.12: from the start of the linear map in use to the
 * end. Departure: "vmemmap start" is the region's, where a 52-bit kernel of 6.12 that runs with
 * fewer names the first struct page in use.
 */
void pgtsim_dump_ptdump(struct pgtsim_dumping *dump, const struct pgtsim_layout *layout)
{
	struct pgtsim_ptdump *pt = &dump->ptdump;

	dump->show = show_entry;
	pt->next = pt->markers;
	pt->start = pgtsim_va_start(&dump->pgt->geo);
	pt->level = pgtsim_root_level(&dump->pgt->geo);
	if (layout && dump->pgt->geo.format == PGTSIM_FORMAT_S390) {
		set_s390_markers(dump, layout);
	} else if (layout) {
		const struct pgtsim_marker markers[] = {
			{ pt->start, "Linear Mapping start" },
			{ layout->page_end, "Linear Mapping end" },
			{ layout->vmemmap_start, "vmemmap start" },
			{ layout->vmemmap_end, "vmemmap end" },
		};

		memcpy(pt->markers, markers, sizeof(markers));
	}
	pgtsim_dump_entries(dump);
	/* The end of the address space, 0 where that is 2^64. */
	pass_markers(dump, pgtsim_va_last(&dump->pgt->geo) + 1);
	close_range(dump, pgtsim_va_last(&dump->pgt->geo) + 1);
}
