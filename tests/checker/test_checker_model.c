/* SPDX-License-Identifier: MIT */
/*
 * cached: against a model. The model is slow and literal: every page of tables with all values that
 * a walk may see in it, and the set of all translations and table entries that may be cached.
 * Whatever can be walked, from the root or from a cached table entry, is in the set; an invalidate
 * names what it covers; DSB ISH takes that out. Both see the same random events, sensible or not.
 */
#include "fixture.h"

#include <pgtsim/teardown.h>

enum {
	MAX_WORDS = 1280, /* entries of all tables of one stream */
	MAX_TABLES = 160,
	MAX_SLOTS = 256, /* entries of one level */
	MAX_SEEN = 24,
	MAX_ITEMS = 24,
};

#define TABLE_BASE UINT64_C(0x100000000)

/* ---- tables: an allocator that never hands out a page twice ---- */

struct pages {
	struct pgtsim_table table[MAX_TABLES];
	uint64_t entries[MAX_WORDS];
	unsigned count, most; /* the largest table has so many */
};

static uint64_t pages_alloc(void *ctx, uint64_t count, struct pgtsim_table ***tail)
{
	struct pages *pages = ctx;
	uint64_t got = 0;

	for (; got < count && pages->count < MAX_TABLES; got++, pages->count++) {
		struct pgtsim_table *table = &pages->table[pages->count];

		if ((pages->count + 1) * pages->most > MAX_WORDS)
			break;
		table->entries = &pages->entries[pages->count * pages->most];
		table->pa = TABLE_BASE + ((uint64_t)pages->count << 12);
		**tail = table;
		*tail = &table->next;
	}
	return got;
}

static void pages_free(void *ctx, struct pgtsim_table *table)
{
	(void)ctx;
	(void)table;
}

static struct pgtsim_table *pages_find(const void *ctx, uint64_t pa)
{
	struct pages *pages = (struct pages *)(uintptr_t)ctx;
	uint64_t i = (pa - TABLE_BASE) >> 12;

	return i < pages->count ? &pages->table[i] : NULL;
}

/* ---- the model ---- */

/* An entry of a table: what it holds, and all that a walk may see. */
struct word {
	uint64_t now;
	uint64_t seen[MAX_SEEN];
	unsigned count;
};

/* What may be cached: a leaf's translation or a table's entry. */
struct item {
	uint64_t desc;
	uint64_t covered; /* a bit for each invalidate since DSB ISH that removes it */
};

/* All that may be cached for one entry of a level. */
struct slot {
	struct item item[MAX_ITEMS];
	unsigned count;
	uint64_t leaves, tables; /* a bit for each invalidate since DSB ISH that removes such */
	bool coarse;             /* cached.h: here the checker may say "stale" for longer */
	bool lost;               /* held by a table that went */
};

struct model {
	struct pgtsim_observer observer; /* first: the callback casts */
	struct pgtsim_geometry geo;
	const struct pgtsim_tlb *tlb;
	struct word word[MAX_WORDS];
	unsigned most; /* entries of the largest table */
	struct slot slot[PGTSIM_MAX_LEVELS][MAX_SLOTS];
	unsigned operations; /* invalidates since DSB ISH */
	bool changed;
	uint64_t compared, stale, coarse;
	bool print;
	uint32_t number; /* of the stream, for messages */
	unsigned event;
};

static bool is_table(int level, uint64_t desc)
{
	return pgtsim_desc_kind(level, desc) == PGTSIM_TABLE;
}

static bool is_leaf(const struct model *m, int level, uint64_t desc)
{
	enum pgtsim_kind kind = pgtsim_desc_kind(level, desc);

	return kind == PGTSIM_PAGE ||
	       (kind == PGTSIM_BLOCK && m->geo.block_legal[pgtsim_slot(level)]);
}

static unsigned slot_number(const struct model *m, int level, uint64_t va)
{
	return (unsigned)((va - pgtsim_va_start(&m->geo)) >> m->geo.shift[pgtsim_slot(level)]);
}

static struct slot *slot_at(struct model *m, int level, uint64_t va)
{
	return &m->slot[pgtsim_slot(level)][slot_number(m, level, va)];
}

static unsigned number_of(uint64_t pa)
{
	return (unsigned)((pa - TABLE_BASE) >> 12);
}

static uint64_t table_below(const struct model *m, int level, uint64_t desc)
{
	return pgtsim_desc_address(&m->geo, level, desc);
}

/* The word that the tables now have for va at a level; NULL if a table above it is missing. */
static struct word *word_at(struct model *m, int level, uint64_t va)
{
	unsigned table = 0;

	for (int at = pgtsim_root_level(&m->geo);; at++) {
		struct word *word = &m->word[table * m->most + pgtsim_index(&m->geo, at, va)];

		if (at == level)
			return word;
		if (!is_table(at, word->now))
			return NULL;
		table = number_of(table_below(m, at, word->now));
	}
}

/* Puts something into the set, found by a walk through what invalidates `from` will remove. */
static void cache(struct model *m, int level, uint64_t va, uint64_t desc, uint64_t from)
{
	struct slot *slot = slot_at(m, level, va);
	unsigned i = 0;

	/* What removes the table entry it was found through, and itself, will remove it. */
	from &= is_table(level, desc) ? slot->tables : slot->leaves;
	while (i < slot->count && slot->item[i].desc != desc)
		i++;
	if (i == slot->count) {
		assert_true(slot->count < MAX_ITEMS);
		slot->item[slot->count++] = (struct item){ desc, from };
		m->changed = true;
	} else if (slot->item[i].covered && !from) {
		slot->item[i].covered = 0;
		m->changed = true;
	}
}

/* A leaf with the hint may be cached as any part of its group. */
static void cache_leaf(struct model *m, int level, uint64_t va, uint64_t desc, uint64_t from)
{
	uint64_t size = pgtsim_entry_size(&m->geo, level);
	unsigned group = pgtsim_cont_entries(&m->geo, level);
	uint64_t first = va & ~(group * size - 1);

	if (!(desc & PGTSIM_DESC_CONT) || group == 1) {
		cache(m, level, va, desc, from);
		return;
	}
	for (uint64_t at = first; at - first < group * size; at += size)
		cache(m, level, at, desc + (at - va), from);
}

/* Everything that a walk may find in one table. */
static void walk(struct model *m, unsigned table, int level, uint64_t va, uint64_t from)
{
	uint64_t size = pgtsim_entry_size(&m->geo, level);

	for (unsigned i = 0; i < pgtsim_entries(&m->geo, level); i++, va += size) {
		const struct word *word = &m->word[table * m->most + i];

		for (unsigned s = 0; s < word->count; s++) {
			if (is_table(level, word->seen[s]))
				cache(m, level, va, word->seen[s], from);
			else if (is_leaf(m, level, word->seen[s]))
				cache_leaf(m, level, va, word->seen[s], from);
		}
	}
}

static void walk_from_cache(struct model *m)
{
	uint64_t start = pgtsim_va_start(&m->geo);

	for (int level = pgtsim_root_level(&m->geo); level < PGTSIM_PTE; level++) {
		uint64_t size = pgtsim_entry_size(&m->geo, level);

		for (unsigned n = 0; n <= slot_number(m, level, UINT64_MAX); n++) {
			const struct slot *slot = &m->slot[pgtsim_slot(level)][n];

			for (unsigned i = 0; i < slot->count; i++)
				if (is_table(level, slot->item[i].desc))
					walk(m,
					     number_of(table_below(m, level, slot->item[i].desc)),
					     level + 1, start + n * size, slot->item[i].covered);
		}
	}
}

/* Whatever may be walked may be cached, at any time. */
static void speculate(struct model *m)
{
	do {
		m->changed = false;
		walk(m, 0, pgtsim_root_level(&m->geo), pgtsim_va_start(&m->geo), 0);
		walk_from_cache(m);
	} while (m->changed);
}

/* True if a walk caches the same for both: the hint means nothing where there are no groups. */
static bool same(const struct model *m, int level, uint64_t a, uint64_t b)
{
	uint64_t hint = pgtsim_cont_entries(&m->geo, level) > 1 ? 0 : PGTSIM_DESC_CONT;

	return (a | hint) == (b | hint);
}

/* How many of a slot the tables do not give. */
static unsigned stale_items(struct model *m, const struct slot *slot, int level, unsigned n)
{
	uint64_t va = pgtsim_va_start(&m->geo) + n * pgtsim_entry_size(&m->geo, level);
	const struct word *word = slot->count ? word_at(m, level, va) : NULL;
	unsigned stale = 0;

	for (unsigned i = 0; i < slot->count; i++)
		stale += !word || !same(m, level, word->now, slot->item[i].desc);
	return stale;
}

/* ---- what the events do to it ---- */

static void store(struct model *m, int level, uint64_t va, uint64_t desc)
{
	struct word *word = word_at(m, level, va);
	unsigned i = 0;

	assert_non_null(word);
	word->now = desc;
	while (i < word->count && word->seen[i] != desc)
		i++;
	if (i == word->count) {
		assert_true(i < MAX_SEEN);
		word->seen[word->count++] = desc;
	}
}

static void note_slot(struct slot *slot)
{
	for (unsigned n = 0; n < slot->count; n++)
		if (slot->item[n].covered || slot->lost)
			slot->coarse = true;
}

/*
 * A store to what is being invalidated, or to what a table that went has, too; the same for all that
 * its contiguous group gives a value to.
 */
static void note_coarse(struct model *m, const struct pgtsim_event *event)
{
	bool hint = (event->old_desc | event->new_desc) & PGTSIM_DESC_CONT;
	uint64_t group = hint ? pgtsim_cont_entries(&m->geo, event->level) : 1;
	uint64_t size = pgtsim_entry_size(&m->geo, event->level), mask = group * size - 1;
	uint64_t first = event->va & ~mask;
	uint64_t count = (((event->va + (event->count - 1) * size) | mask) - first) / size + 1;

	for (uint64_t i = 0; i < count; i++)
		note_slot(slot_at(m, event->level, first + i * size));
}

static void see_stores(struct model *m)
{
	for (unsigned i = 0; i < MAX_WORDS; i++) {
		m->word[i].seen[0] = m->word[i].now;
		m->word[i].count = 1;
	}
}

static void complete(struct model *m)
{
	see_stores(m);
	for (unsigned level = 0; level < PGTSIM_MAX_LEVELS; level++)
		for (unsigned n = 0; n < MAX_SLOTS; n++) {
			struct slot *slot = &m->slot[level][n];
			unsigned kept = 0;

			for (unsigned i = 0; i < slot->count; i++)
				if (!slot->item[i].covered)
					slot->item[kept++] = slot->item[i];
			slot->count = kept;
			slot->leaves = slot->tables = 0;
		}
	m->operations = 0;
}

/* Covers what is cached for va by the invalidate `bit`; tables only if it is for all levels. */
static void cover(struct model *m, uint64_t va, uint64_t bit, bool tables)
{
	for (int level = pgtsim_root_level(&m->geo); level <= PGTSIM_PTE; level++) {
		struct slot *slot = slot_at(m, level, va);

		slot->leaves |= bit;
		slot->tables |= tables ? bit : 0;
		for (unsigned i = 0; i < slot->count; i++)
			if (tables || !is_table(level, slot->item[i].desc))
				slot->item[i].covered |= bit;
	}
}

static void invalidate(struct model *m, const struct pgtsim_event *event)
{
	uint64_t page = pgtsim_page_size(&m->geo), start = pgtsim_va_start(&m->geo);
	uint64_t va = event->va, size = event->size, count = event->count;
	uint64_t bit;

	assert_true(m->operations < 64);
	bit = UINT64_C(1) << m->operations++;
	if (event->op == PGTSIM_OP_TLBI_RANGE) {
		count = event->size / page;
		size = page;
	} else if (event->op == PGTSIM_OP_TLBI_ALL) {
		va = start;
		count = -start / page;
		size = page;
	}
	for (uint64_t i = 0; i < count; i++)
		if (va + i * size >= start)
			cover(m, va + i * size, bit,
			      event->op == PGTSIM_OP_TLBI_WALK || event->op == PGTSIM_OP_TLBI_ALL);
}

/* Each leaf is cleared, DSB ISHST, invalidated by VA, DSB ISH, before the next. */
static void clear_and_flush(struct model *m, const struct pgtsim_event *event)
{
	for (uint64_t i = 0; i < event->count; i++) {
		const struct pgtsim_event one = {
			.op = PGTSIM_OP_TLBI_LEAF,
			.va = event->va + i * event->size,
			.count = 1,
		};

		store(m, event->level, one.va, 0);
		speculate(m);
		see_stores(m);
		if (m->operations == 64)
			complete(m);
		invalidate(m, &one);
		speculate(m);
		complete(m);
		speculate(m);
	}
}

static void store_run(struct model *m, const struct pgtsim_event *event)
{
	for (uint64_t i = 0; i < event->count; i++) {
		store(m, event->level, event->va + i * event->size,
		      event->new_desc ? event->new_desc + i * event->step : 0);
		if (event->flags & PGTSIM_EACH_SYNC) {
			speculate(m);
			see_stores(m);
		}
	}
}

/*
 * A table goes, or comes back: the checker does not tell which of the tables that were there
 * holds what is below.
 */
static void replaced(struct model *m, const struct pgtsim_event *event)
{
	for (int level = event->level + 1; level <= PGTSIM_PTE; level++)
		for (unsigned n = slot_number(m, level, event->va);
		     n <= slot_number(m, level, event->va + (event->size - 1)); n++) {
			struct slot *slot = &m->slot[pgtsim_slot(level)][n];

			if (!slot->count)
				continue;
			slot->lost = true;
			slot->coarse |= is_table(event->level, event->new_desc) ||
					stale_items(m, slot, level, n);
		}
}

static void apply(struct model *m, const struct pgtsim_event *event)
{
	if ((event->op == PGTSIM_OP_POKE || event->op == PGTSIM_OP_UNLINK) &&
	    (is_table(event->level, event->new_desc) || is_table(event->level, event->old_desc)))
		replaced(m, event);
	switch (event->op) {
	case PGTSIM_OP_LINK:
	case PGTSIM_OP_UNLINK:
	case PGTSIM_OP_MAP:
	case PGTSIM_OP_CLEAR:
	case PGTSIM_OP_POKE:
		note_coarse(m, event);
		if (event->flags & PGTSIM_EACH_FLUSH)
			clear_and_flush(m, event);
		else
			store_run(m, event);
		break;
	case PGTSIM_OP_DSB_ISHST:
		see_stores(m);
		break;
	case PGTSIM_OP_DSB_ISH:
		complete(m);
		break;
	case PGTSIM_OP_TLBI_LEAF:
	case PGTSIM_OP_TLBI_WALK:
	case PGTSIM_OP_TLBI_RANGE:
	case PGTSIM_OP_TLBI_ALL:
		invalidate(m, event);
		break;
	default:
		break;
	}
	speculate(m);
}

/* ---- both compared ---- */

enum { CLEAN = PGTSIM_PGD - 1 };

/* For each page the lowest level of something stale, or CLEAN; and where that may be coarse. */
struct verdict {
	int level[MAX_SLOTS];
	bool coarse[MAX_SLOTS];
};

static void judge_slot(struct model *m, int level, unsigned n, struct verdict *out)
{
	struct slot *slot = &m->slot[pgtsim_slot(level)][n];
	unsigned pages = 1u << (m->geo.shift[pgtsim_slot(level)] - m->geo.page_shift);
	unsigned stale = stale_items(m, slot, level, n);

	if (stale > 1 || (stale && slot->lost && out->coarse[n * pages]))
		slot->coarse = true;
	for (unsigned p = n * pages; p < (n + 1) * pages; p++) {
		if (stale)
			out->level[p] = level;
		out->coarse[p] |= slot->coarse;
	}
}

static struct verdict judge(struct model *m)
{
	struct verdict verdict = { { 0 }, { 0 } };

	for (unsigned p = 0; p < MAX_SLOTS; p++)
		verdict.level[p] = CLEAN;
	for (int level = pgtsim_root_level(&m->geo); level <= PGTSIM_PTE; level++)
		for (unsigned n = 0; n <= slot_number(m, level, UINT64_MAX); n++)
			judge_slot(m, level, n, &verdict);
	return verdict;
}

/* Once both agree that a page is clean, nothing coarse is left there. */
static void forget_coarse(struct model *m, uint64_t va)
{
	for (int level = pgtsim_root_level(&m->geo); level <= PGTSIM_PTE; level++)
		slot_at(m, level, va)->coarse = slot_at(m, level, va)->lost = false;
}

static void compare(struct model *m, const struct pgtsim_event *event)
{
	uint64_t start = pgtsim_va_start(&m->geo), page = pgtsim_page_size(&m->geo);
	const struct verdict verdict = judge(m);

	for (unsigned p = 0; p <= slot_number(m, PGTSIM_PTE, UINT64_MAX); p++) {
		struct pgtsim_stale stale;
		int level = CLEAN;

		if (pgtsim_may_be_stale(m->tlb, start + p * page + 8, &stale))
			level = stale.level;
		m->compared++;
		m->stale += verdict.level[p] != CLEAN;
		if (level > verdict.level[p] && verdict.coarse[p]) {
			m->coarse++;
			slot_at(m, level, start + p * page)->coarse = true;
		} else if (level != verdict.level[p]) {
			fail_msg("stream %u, event %u (%s): page %u: the checker says %d, the "
				 "model %d",
				 m->number, m->event, pgtsim_op_name(event->op), p, level,
				 verdict.level[p]);
		}
		if (level == CLEAN)
			forget_coarse(m, start + p * page);
	}
}

static void print_event(const struct model *m, const struct pgtsim_event *event)
{
	print_message("%u %s level %d page 0x%llx count %llu size 0x%llx flags %u 0x%llx 0x%llx\n",
		      m->event, pgtsim_op_name(event->op), event->level,
		      (unsigned long long)(event->va - pgtsim_va_start(&m->geo)) >> 12,
		      (unsigned long long)event->count, (unsigned long long)event->size,
		      event->flags, (unsigned long long)event->old_desc,
		      (unsigned long long)event->new_desc);
}

static void on_event(struct pgtsim_observer *self, const struct pgtsim_event *event)
{
	struct model *m = (struct model *)(void *)self;

	m->event++;
	if (m->print)
		print_event(m, event);
	apply(m, event);
	compare(m, event);
}

/* ---- random streams ---- */

struct stream {
	struct pgtsim_geometry geo;
	struct pgtsim_policy policy;
	struct pgtsim_tlb tlb;
	struct pages pages;
	struct pgtsim_pgtable pgt;
	struct model model;
	uint32_t random;
	/* The table last linked under each entry, and in which table that was. */
	struct {
		uint64_t desc;
		const struct pgtsim_table *parent;
	} linked[PGTSIM_MAX_LEVELS][MAX_SLOTS];
};

static unsigned pick(struct stream *s, unsigned n)
{
	return random_next(&s->random) % n;
}

static uint64_t random_va(struct stream *s)
{
	uint64_t start = pgtsim_va_start(&s->geo);

	return start + pick(s, (unsigned)(-start >> s->geo.page_shift)) * pgtsim_page_size(&s->geo);
}

static int random_level(struct stream *s)
{
	return pgtsim_root_level(&s->geo) + (int)pick(s, s->geo.levels);
}

/* The run of one entry of `level`, or of the first above it that is no table. */
static struct pgtsim_run locate(struct stream *s, int level, uint64_t va)
{
	struct pgtsim_run run = { .table = s->pgt.root, .level = s->pgt.root->level, .count = 1 };

	for (;; run.level++) {
		uint64_t size = pgtsim_entry_size(&s->geo, run.level);
		uint64_t desc;

		run.index = pgtsim_index(&s->geo, run.level, va);
		run.va = pgtsim_entry_base(&s->geo, run.level, va);
		run.last = run.va + size - 1;
		desc = pgtsim_entry(&s->pgt, run.table, run.index);
		if (run.level == level || !is_table(run.level, desc))
			return run;
		run.table = pages_find(&s->pages, pgtsim_desc_address(&s->geo, run.level, desc));
	}
}

/* A leaf's descriptor: with the hint there is one for each entry, so that groups are of a piece. */
static uint64_t leaf_desc(struct stream *s, int level, uint64_t va, bool hint, unsigned variant)
{
	uint64_t pa = (va - pgtsim_va_start(&s->geo)) + (hint ? 0 : variant * UINT64_C(0x1000000));

	return pgtsim_desc_leaf(&s->geo, level, pgtsim_entry_base(&s->geo, level, pa),
				s->policy.prot[PGTSIM_PROT_KERNEL] | (hint ? PGTSIM_DESC_CONT : 0));
}

/* The run made longer as long as its entries are zero, or no tables. */
static void lengthen(struct stream *s, struct pgtsim_run *run, bool zero)
{
	unsigned most = 1 + pick(s, pgtsim_entries(&s->geo, run->level));

	while (run->count < most && run->index + run->count < pgtsim_entries(&s->geo, run->level)) {
		uint64_t desc = pgtsim_entry(&s->pgt, run->table, run->index + run->count);

		if (zero ? desc != 0 : is_table(run->level, desc))
			break;
		run->count++;
		run->last += pgtsim_entry_size(&s->geo, run->level);
	}
}

static void do_map(struct stream *s)
{
	struct pgtsim_run run = locate(s, random_level(s), random_va(s));
	bool hint = pgtsim_cont_entries(&s->geo, run.level) > 1 && pick(s, 2);
	unsigned group = pgtsim_cont_entries(&s->geo, run.level);
	uint64_t size = pgtsim_entry_size(&s->geo, run.level);
	uint64_t desc;

	/* Mostly whole groups. */
	if (hint && pick(s, 4)) {
		run = locate(s, run.level, run.va & ~(group * size - 1));
		if (run.level < PGTSIM_PTE && !s->geo.block_legal[pgtsim_slot(run.level)])
			return;
	}
	if ((run.level < PGTSIM_PTE && !s->geo.block_legal[pgtsim_slot(run.level)]) ||
	    pgtsim_entry(&s->pgt, run.table, run.index))
		return;
	lengthen(s, &run, true);
	desc = leaf_desc(s, run.level, run.va, hint, pick(s, 2));
	pgtsim_run_map(&s->pgt, &run, pgtsim_desc_address(&s->geo, run.level, desc),
		       s->policy.prot[PGTSIM_PROT_KERNEL] | (hint ? PGTSIM_DESC_CONT : 0),
		       pick(s, 2) ? PGTSIM_EACH_SYNC : 0);
}

static void do_clear(struct stream *s)
{
	struct pgtsim_run run = locate(s, random_level(s), random_va(s));

	if (is_table(run.level, pgtsim_entry(&s->pgt, run.table, run.index)))
		return;
	lengthen(s, &run, false);
	pgtsim_run_clear(&s->pgt, &run, pgtsim_run_live(&s->pgt, &run),
			 pick(s, 2) ? PGTSIM_EACH_FLUSH : 0);
}

static void do_link(struct stream *s)
{
	struct pgtsim_run run = locate(s, PGTSIM_PTE, random_va(s));
	struct pgtsim_table *list;

	if (run.level == PGTSIM_PTE || pgtsim_entry(&s->pgt, run.table, run.index) ||
	    !pgtsim_tables_reserve(&s->pgt, 1, &list))
		return;
	pgtsim_table_link(&s->pgt, &run, &list, s->policy.linear_table,
			  pick(s, 2) ? PGTSIM_REGION_VMEMMAP : PGTSIM_REGION_LINEAR);
	s->linked[pgtsim_slot(run.level)][slot_number(&s->model, run.level, run.va)].desc =
		pgtsim_entry(&s->pgt, run.table, run.index);
	s->linked[pgtsim_slot(run.level)][slot_number(&s->model, run.level, run.va)].parent =
		run.table;
}

static void do_unlink(struct stream *s)
{
	struct pgtsim_run run = locate(s, random_level(s), random_va(s));
	uint64_t desc = pgtsim_entry(&s->pgt, run.table, run.index);
	struct pgtsim_table *child;

	if (!is_table(run.level, desc))
		return;
	child = pages_find(&s->pages, pgtsim_desc_address(&s->geo, run.level, desc));
	if (child->live && pick(s, 4))
		return;
	pgtsim_table_unlink(&s->pgt, &run, child);
	/* It is free now: no entry may point to it again. */
	s->linked[pgtsim_slot(run.level)][slot_number(&s->model, run.level, run.va)].desc = 0;
}

static void do_poke(struct stream *s)
{
	int level = random_level(s);
	uint64_t va = random_va(s), desc = 0;
	const struct pgtsim_run run = locate(s, level, va);
	unsigned n = slot_number(&s->model, level, va);

	if (run.level != level)
		return;
	switch (pick(s, 5)) {
	case 0:
		if (level == PGTSIM_PTE || s->linked[pgtsim_slot(level)][n].parent != run.table)
			return;
		desc = s->linked[pgtsim_slot(level)][n].desc;
		break;
	case 1:
		desc = leaf_desc(s, level, va, true, 0);
		break;
	case 2:
		desc = leaf_desc(s, level, va, false, pick(s, 3));
		break;
	case 3:
		desc = pick(s, 2) ? UINT64_C(0x1230) :
				    leaf_desc(s, level, va, false, 0) & ~UINT64_C(2);
		break;
	default:
		break;
	}
	assert_int_equal(pgtsim_poke(&s->pgt, level, va, desc), 0);
}

static void send(struct stream *s, enum pgtsim_op op, uint64_t va, uint64_t count, uint64_t size)
{
	const struct pgtsim_event event = {
		.op = op,
		.level = PGTSIM_PTE,
		.va = va,
		.count = count,
		.size = size,
	};

	pgtsim_tlb_event(&s->tlb, &event);
}

static void do_barrier(struct stream *s)
{
	static const enum pgtsim_op ops[] = { PGTSIM_OP_DSB_ISHST, PGTSIM_OP_DSB_ISHST,
					      PGTSIM_OP_DSB_ISH, PGTSIM_OP_ISB };

	send(s, ops[pick(s, COUNT(ops))], 0, 1, 0);
}

/* A random run of pages. */
static uint64_t some_pages(struct stream *s, uint64_t va)
{
	uint64_t left = -va >> s->geo.page_shift;
	uint64_t pages = 1 + pick(s, (unsigned)left);

	return pick(s, 2) && pages > 4 ? 4 : pages;
}

static void do_invalidate(struct stream *s)
{
	uint64_t va = random_va(s), page = pgtsim_page_size(&s->geo);
	uint64_t pages = some_pages(s, va);

	if (s->model.operations > 40) {
		send(s, PGTSIM_OP_DSB_ISH, 0, 1, 0);
		return;
	}
	switch (pick(s, 8)) {
	case 0:
	case 1:
	case 2:
		send(s, PGTSIM_OP_TLBI_LEAF, va, pages, page);
		break;
	case 3:
	case 4:
	case 5:
		send(s, PGTSIM_OP_TLBI_WALK, va, 1, 0);
		break;
	case 6:
		send(s, PGTSIM_OP_TLBI_RANGE, va, 1, pages * page);
		break;
	default:
		send(s, PGTSIM_OP_TLBI_ALL, va, 1, page);
	}
}

/* What the library does of its own accord: sensible orders. */
static void do_operation(struct stream *s)
{
	uint64_t va = random_va(s), size = some_pages(s, va) << s->geo.page_shift;
	const struct pgtsim_unmap unmap = { .start = va, .end = va + size };
	const struct pgtsim_map map = {
		.va = va,
		.pa = va - pgtsim_va_start(&s->geo),
		.size = size,
		.attrs = s->policy.prot[PGTSIM_PROT_KERNEL],
		.table_attrs = s->policy.linear_table,
		.blocks = pick(s, 2),
		.cont = pick(s, 2),
		.region = PGTSIM_REGION_LINEAR,
	};

	if (pick(s, 2)) {
		(void)pgtsim_map(&s->pgt, &map);
		return;
	}
	assert_int_equal(pgtsim_unmap_range(&s->pgt, &unmap), 0);
	if (pick(s, 2))
		assert_int_equal(pgtsim_free_tables(&s->pgt, va, va + size, 0, 0), 0);
}

static void (*const actions[])(struct stream *) = {
	do_map,     do_map,     do_map,        do_clear,      do_clear,      do_link,    do_link,
	do_unlink,  do_poke,    do_poke,       do_invalidate, do_invalidate, do_barrier, do_barrier,
	do_barrier, do_barrier, do_invalidate, do_operation,  do_clear,
};

static const struct pgtsim_geometry_config shapes[] = {
	{ .page_shift = 12, .levels = 1, .bits = { 3 }, .cont_pte = 2 },
	{ .page_shift = 12,
	  .levels = 2,
	  .bits = { 2, 3 },
	  .cont_pte = 2,
	  .cont_pmd = 1,
	  .block_levels = 1 << 3 },
	{ .page_shift = 12,
	  .levels = 3,
	  .bits = { 1, 2, 2 },
	  .cont_pte = 2,
	  .cont_pmd = 1,
	  .block_levels = 1 << 3 },
	{ .page_shift = 12,
	  .levels = 3,
	  .bits = { 1, 2, 3 },
	  .cont_pte = 1,
	  .cont_pmd = 2,
	  .block_levels = 1 << 3 | 1 << 2 },
	{ .page_shift = 12,
	  .levels = 4,
	  .bits = { 1, 1, 1, 2 },
	  .cont_pte = 1,
	  .block_levels = 1 << 3 | 1 << 2 },
	{ .page_shift = 12, .levels = 2, .bits = { 1, 7 }, .cont_pte = 4, .block_levels = 1 << 3 },
	{ .page_shift = 12, .levels = 1, .bits = { 8 }, .cont_pte = 7 },
};

enum { SMALL_SHAPES = 5 }; /* the others, of several words of bits, have fewer streams */

static void stream_init(struct stream *s, unsigned number, bool print)
{
	static const char *const starts[][2] = {
		{ "linux-5.7", "per-leaf" },
		{ "linux-6.12", "range" },
		{ "linux-7.3", "at-end" },
	};
	unsigned shape = number % 40 < 2 ? SMALL_SHAPES + number % 40 : number % SMALL_SHAPES;

	memset(s, 0, sizeof(*s));
	assert_int_equal(pgtsim_geometry_custom(&s->geo, &shapes[shape]), 0);
	s->policy = profile(starts[number % COUNT(starts)][0]);
	assert_int_equal(pgtsim_policy_set(&s->policy, "flush", starts[number % COUNT(starts)][1]),
			 0);
	s->random = (uint32_t)(number * UINT32_C(2654435761)) | 1;
	pgtsim_tlb_init(&s->tlb);
	s->tlb.range_operations = number % 2;
	s->tlb.single = number % 7 == 0;
	assert_int_equal(pgtsim_checker_start(&s->tlb, &s->geo, &s->policy), 0);
	s->model.observer.event = on_event;
	s->model.geo = s->geo;
	s->model.tlb = &s->tlb;
	s->model.number = number;
	s->model.print = print;
	for (int level = pgtsim_root_level(&s->geo); level <= PGTSIM_PTE; level++)
		if (s->pages.most < pgtsim_entries(&s->geo, level))
			s->pages.most = pgtsim_entries(&s->geo, level);
	s->model.most = s->pages.most;
	see_stores(&s->model);
	assert_int_equal(pgtsim_pgtable_init(&s->pgt, &s->geo, &s->policy, &s->tlb,
					     (struct pgtsim_table_ops){ pages_alloc, pages_free,
									pages_find, &s->pages },
					     PGTSIM_ACCESS_PRIVATE),
			 0);
	pgtsim_observe(&s->tlb, &s->model.observer);
}

static void stream_fini(struct stream *s)
{
	pgtsim_unobserve(&s->tlb, &s->model.observer);
	pgtsim_pgtable_fini(&s->pgt);
	pgtsim_tlb_fini(&s->tlb);
}

/* Which streams to run, and whether to print their events. */
static unsigned first_stream, streams = 5000;
static bool print_events;

/* After each event of thousands of random streams, checker and model agree on every page. */
static void model_agrees(void **state)
{
	struct stream *s = malloc(sizeof(*s));
	uint64_t compared = 0, stale = 0, coarse = 0;

	(void)state;
	assert_non_null(s);
	for (unsigned n = first_stream; n - first_stream < streams; n++) {
		stream_init(s, n, print_events);
		for (unsigned i = 0; i < 120; i++)
			actions[pick(s, COUNT(actions))](s);
		compared += s->model.compared;
		stale += s->model.stale;
		coarse += s->model.coarse;
		stream_fini(s);
	}
	print_message("streams %u to %u: %llu verdicts, %llu stale, %llu coarse\n", first_stream,
		      first_stream + streams - 1, (unsigned long long)compared,
		      (unsigned long long)stale, (unsigned long long)coarse);
	assert_true(stale > compared / 10 && coarse < stale / 10);
	free(s);
}

/* test_cached_model [FIRST [COUNT]]: other streams; a single one prints its events. */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(model_agrees),
	};

	if (argc > 1) {
		first_stream = (unsigned)strtoul(argv[1], NULL, 0);
		streams = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 0) : 1;
		print_events = streams == 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
