/* SPDX-License-Identifier: MIT */
#include "dump.h"

#include <inttypes.h>

#include <pgtsim/format.h>

#include "memory/lookup.h"

/* ---- the walk of a dump ---- */

/*
 * Shows what the walker left out before va: table entries that point to no table. A translation
 * ends at each of them.
 */
static void show_lost(struct pgtsim_dumping *dump, uint64_t va)
{
	uint64_t start = pgtsim_va_start(&dump->pgt->geo);

	while (dump->next - start < va - start) {
		struct pgtsim_translation end;
		struct pgtsim_dump_entry entry = { .va = dump->next, .lost = true };

		pgtsim_translate(dump->pgt, dump->next, &end);
		entry.level = end.level;
		entry.desc = end.desc;
		dump->show(dump, &entry);
		dump->next += pgtsim_entry_size(&dump->pgt->geo, end.level);
	}
}

static int dump_entries(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	struct pgtsim_dumping *dump = arg;
	struct pgtsim_dump_entry entry = { .level = run->level, .va = run->va };
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
	struct pgtsim_dumping *dump = arg;
	const struct pgtsim_dump_entry entry = { .level = run->level,
						 .va = run->va,
						 .desc = pgtsim_entry(pgt, run->table,
								      run->index) };

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
	pgtsim_walk(pgt, pgtsim_va_start(&pgt->geo), pgtsim_va_last(&pgt->geo), visitor, arg);
	tlb->quiet = quiet;
	tlb->counts.work_entries = work;
}

void pgtsim_dump_entries(struct pgtsim_dumping *dump)
{
	static const struct pgtsim_visitor visitor = { .entries = dump_entries,
						       .table = dump_table };

	dump->next = pgtsim_va_start(&dump->pgt->geo);
	walk_unseen(dump->pgt, &visitor, dump);
	show_lost(dump, pgtsim_va_last(&dump->pgt->geo) + 1);
}

/* ---- the tables' memory ---- */

enum { S390_ENTRIES = 2048 }; /* of its largest tables */

struct exporter {
	void (*table)(void *arg, uint64_t pa, const void *bytes, size_t size);
	void *arg;
};

static void hand_out(const struct pgtsim_pgtable *pgt, struct pgtsim_table *table,
		     const struct exporter *to)
{
	size_t count = pgtsim_entries(&pgt->geo, table->level);
	uint64_t raw[S390_ENTRIES];

	pgtsim_table_materialize(table);
	if (pgt->geo.format == PGTSIM_FORMAT_ARM64) {
		to->table(to->arg, table->pa, table->entries, count * sizeof(raw[0]));
		return;
	}
	for (size_t i = 0; i < count && i < S390_ENTRIES; i++)
		raw[i] = pgtsim_desc_to_raw(&pgt->geo, table->level, table->entries[i]);
	to->table(to->arg, table->pa, raw, count * sizeof(raw[0]));
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

	if (!pgt || !table || !pgt->root)
		return;
	hand_out(pgt, pgt->root, &to);
	walk_unseen(pgt, &visitor, &to);
}

/* ---- forms: tables, leaves, json ---- */

static const char *kind_of(const struct pgtsim_dump_entry *entry)
{
	return pgtsim_kind_name(pgtsim_desc_kind(entry->level, entry->desc));
}

static const char *level_of(const struct pgtsim_dumping *dump,
			    const struct pgtsim_dump_entry *entry)
{
	return pgtsim_level_name(&dump->pgt->geo, entry->level);
}

static uint64_t raw_of(const struct pgtsim_dumping *dump, const struct pgtsim_dump_entry *entry)
{
	return pgtsim_desc_to_raw(&dump->pgt->geo, entry->level, entry->desc);
}

static void show_line(struct pgtsim_dumping *dump, const struct pgtsim_dump_entry *entry)
{
	if (entry->desc)
		pgtsim_printf(dump->out, "%s 0x%016" PRIx64 " 0x%016" PRIx64 " %s\n",
			      level_of(dump, entry), entry->va,
			      raw_of(dump, entry), kind_of(entry));
}

static void show_leaf(struct pgtsim_dumping *dump, const struct pgtsim_dump_entry *entry)
{
	if (!pgtsim_desc_is_table(entry->level, entry->desc))
		show_line(dump, entry);
}

static void show_json(struct pgtsim_dumping *dump, const struct pgtsim_dump_entry *entry)
{
	if (!entry->desc)
		return;
	pgtsim_printf(dump->out,
		      "%s\n{\"level\":\"%s\",\"va\":\"0x%016" PRIx64 "\",\"desc\":\"0x%016" PRIx64
		      "\",\"kind\":\"%s\"}",
		      dump->any ? "," : "", level_of(dump, entry), entry->va, raw_of(dump, entry),
		      kind_of(entry));
	dump->any = true;
}

static void dump_json(struct pgtsim_dumping *dump)
{
	const struct pgtsim_geometry *geo = &dump->pgt->geo;

	pgtsim_printf(dump->out,
		      "{\"version\":1,\"granule\":%" PRIu64 ",\"va_bits\":%u,\"levels\":%u,"
		      "\"entries\":[",
		      pgtsim_page_size(geo), geo->va_bits, geo->levels);
	pgtsim_dump_entries(dump);
	pgtsim_printf(dump->out, "%s]}\n", dump->any ? "\n" : "");
}

void pgtsim_dump(struct pgtsim_pgtable *pgt, const struct pgtsim_layout *layout,
		 enum pgtsim_dump_form form, const struct pgtsim_printer *out)
{
	static void (*const shows[])(struct pgtsim_dumping *, const struct pgtsim_dump_entry *) = {
		[PGTSIM_DUMP_TABLES] = show_line,
		[PGTSIM_DUMP_LEAVES] = show_leaf,
		[PGTSIM_DUMP_JSON] = show_json,
	};
	struct pgtsim_dumping dump = {
		.pgt = pgt,
		.out = out,
	};

	if (!pgt || !out || (unsigned)form > PGTSIM_DUMP_JSON)
		return;
	dump.show = shows[form];
	if (form == PGTSIM_DUMP_PTDUMP)
		pgtsim_dump_ptdump(&dump, layout);
	else if (form == PGTSIM_DUMP_JSON)
		dump_json(&dump);
	else
		pgtsim_dump_entries(&dump);
}
