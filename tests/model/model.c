// SPDX-License-Identifier: MIT
#include "model.h"

#include <stdlib.h>
#include <string.h>

#define ENTRIES 4u

/* A value that an entry in memory had, or has. */
struct version {
	struct model_value value;
	unsigned writer;
	bool complete; /* a DSB of its writer has made it visible to all … */
	bool own;      /* … or to the writer's own walks at least, … */
	bool synced;   /* … and an ISB of the writer came after */
	bool ordered;  /* before the writer's later stores */
	unsigned born; /* how many invalidates came before */
};

/* An entry in memory: all its values so far, and how far each CPU's walks are sure to be. */
struct word {
	struct version version[MODEL_VALUES];
	unsigned count;
	unsigned oldest[MODEL_CPUS]; /* a walk of this CPU sees this value or a later one */
};

/* Something that may be cached; `readonly` of it includes the tables above. */
struct item {
	struct model_value value;
	uint64_t covered; /* a bit for each invalidate on its way that will remove it */
};

struct slot {
	struct item item[MODEL_ITEMS];
	unsigned count;
};

struct operation {
	unsigned cpu;
	struct model_invalidate op;
};

struct model {
	unsigned group;
	struct model_cpus cpus;
	struct word word[MODEL_LEVELS][MODEL_PAGES]; /* by number, as if all were one row */
	struct slot slot[MODEL_CPUS][MODEL_LEVELS][MODEL_PAGES];
	struct operation operation[MODEL_OPERATIONS]; /* invalidates on their way */
	unsigned operations;
	bool unsynced[MODEL_CPUS][MODEL_LEVELS][MODEL_PAGES]; /* gone by its DSB, no ISB since */
	bool grown;                                           /* something new may be cached */
};

static unsigned pages_of(int level)
{
	return level == MODEL_PTE ? 1 : level == MODEL_PMD ? ENTRIES : ENTRIES * ENTRIES;
}

/* Entries of a level in the whole region. */
static unsigned entries_of(int level)
{
	return MODEL_PAGES / pages_of(level);
}

/* True if a walk gives the same translation through both. The access flag does not count. */
static bool equal(struct model_value a, struct model_value b)
{
	return a.kind == b.kind &&
	       (a.kind == MODEL_NONE || (a.address == b.address && a.cont == b.cont &&
					 a.readonly == b.readonly && a.device == b.device));
}

/* True if a walk that finds it goes on, so that it may be cached. */
static bool cacheable(struct model_value value)
{
	return value.kind == MODEL_TABLE || (value.kind == MODEL_LEAF && !value.young);
}

static struct model_value now(const struct word *word)
{
	return word->version[word->count - 1].value;
}

/* What the tables say of an entry. */
struct place {
	const struct word *word;  /* NULL if no table leads there */
	struct model_value value; /* with what the tables above restrict */
};

static struct place find(const struct model *m, int level, unsigned n)
{
	struct place place = { NULL, { .kind = MODEL_NONE } };
	unsigned table = 0; /* the number of the table that holds it, in its level */
	bool readonly = false;

	for (int at = MODEL_PUD; at < level; at++) {
		unsigned index = n * pages_of(level) / pages_of(at) % ENTRIES;
		struct model_value value = now(&m->word[at][table * ENTRIES + index]);

		if (value.kind != MODEL_TABLE)
			return place;
		table = value.address;
		readonly |= value.readonly;
	}
	place.word = &m->word[level][table * ENTRIES + n % ENTRIES];
	place.value = now(place.word);
	place.value.readonly |= readonly;
	return place;
}

/* ---- what may be cached ---- */

/* True if an invalidate that is on its way removes an item of this entry. */
static bool removes(const struct operation *operation, unsigned cpu, int level, unsigned n,
		    struct model_value value)
{
	const struct model_invalidate *op = &operation->op;
	unsigned first = op->page / pages_of(level),
		 last = (op->page + op->pages - 1) / pages_of(level);

	return (!op->local || operation->cpu == cpu) && n >= first && n <= last &&
	       (op->walk || value.kind == MODEL_LEAF) &&
	       (op->level == MODEL_ANY_LEVEL || op->level == level);
}

/*
 * A walk has found this. It may have gone through a cached table entry that the invalidates in
 * `through` will remove: then the walk came before they did, so what they remove of this entry is
 * removed, too. One value may be in the slot several times, if it was found in several ways: it is
 * gone when it is gone in each of them. One that goes with fewer invalidates outlives the others.
 */
static void cache(struct model *m, unsigned cpu, int level, unsigned n, struct model_value value,
		  uint64_t through)
{
	struct slot *slot = &m->slot[cpu][level][n];
	uint64_t covered = 0;
	unsigned kept = 0;

	for (unsigned o = 0; o < m->operations; o++)
		if (through >> o & 1 && removes(&m->operation[o], cpu, level, n, value))
			covered |= UINT64_C(1) << o;
	for (unsigned i = 0; i < slot->count; i++)
		if (equal(slot->item[i].value, value) && !(slot->item[i].covered & ~covered))
			return;
	for (unsigned i = 0; i < slot->count; i++)
		if (!equal(slot->item[i].value, value) || covered & ~slot->item[i].covered)
			slot->item[kept++] = slot->item[i];
	slot->count = kept;
	if (slot->count == MODEL_ITEMS)
		abort();
	slot->item[slot->count++] = (struct item){ .value = value, .covered = covered };
	m->grown = true;
}

/* A leaf; with the hint it brings in its whole group, computed from this one. */
static void cache_leaf(struct model *m, unsigned cpu, int level, unsigned n,
		       struct model_value value, uint64_t through)
{
	unsigned group = value.cont ? 1u << m->group : 1;
	unsigned first = n / group * group;

	for (unsigned i = first; i < first + group; i++) {
		struct model_value part = value;

		part.address = value.address + (i - n) * pages_of(level);
		cache(m, cpu, level, i, part, through);
	}
}

/* The way to a table: its number, the first entry's number in its level, and what led there. */
struct way {
	unsigned table, first;
	bool readonly;
	uint64_t through;
};

/* A CPU walks one table: every value that it may see of each entry may be cached. */
static void walk(struct model *m, unsigned cpu, int level, const struct way *way)
{
	for (unsigned i = 0; i < ENTRIES; i++) {
		const struct word *word = &m->word[level][way->table * ENTRIES + i];

		for (unsigned v = word->oldest[cpu]; v < word->count; v++) {
			struct model_value value = word->version[v].value;

			/*
			 * Those that came before the store remove it, too. But the checker does
			 * not count on it, and it is no loss: the DSB between is due anyway.
			 */
			uint64_t through = way->through >> word->version[v].born
								   << word->version[v].born;

			value.readonly |= way->readonly;
			if (value.kind == MODEL_TABLE)
				cache(m, cpu, level, way->first + i, value, through);
			else if (cacheable(value))
				cache_leaf(m, cpu, level, way->first + i, value, through);
		}
	}
}

/* A CPU goes on from the table entries that it may have cached. */
static void walk_below(struct model *m, unsigned cpu, int level, unsigned n)
{
	const struct slot *slot = &m->slot[cpu][level][n];

	for (unsigned i = 0; i < slot->count; i++)
		if (slot->item[i].value.kind == MODEL_TABLE)
			walk(m, cpu, level + 1,
			     &(struct way){ .table = slot->item[i].value.address,
					    .first = n * ENTRIES,
					    .readonly = slot->item[i].value.readonly,
					    .through = slot->item[i].covered });
}

/* Whatever may be walked, from the root or from a cached table entry on, may be cached. */
static void speculate(struct model *m)
{
	do {
		m->grown = false;
		for (unsigned cpu = 0; cpu < MODEL_CPUS; cpu++) {
			walk(m, cpu, MODEL_PUD, &(struct way){ .table = 0 });
			for (int level = MODEL_PUD; level < MODEL_PTE; level++)
				for (unsigned n = 0; n < entries_of(level); n++)
					walk_below(m, cpu, level, n);
		}
	} while (m->grown);
}

/* ---- what a cached item may still do ---- */

/* The leaf that the tables have for a page, and its level; NONE if there is none. */
static struct model_value leaf_of(const struct model *m, unsigned page, int *level)
{
	for (*level = MODEL_PUD; *level < MODEL_LEVELS; ++*level) {
		const struct place place = find(m, *level, page / pages_of(*level));

		if (!place.word)
			break;
		if (place.value.kind != MODEL_TABLE)
			return place.value;
	}
	return (struct model_value){ .kind = MODEL_NONE };
}

/* The page that a leaf of a level maps `page` to. */
static unsigned output(struct model_value leaf, int level, unsigned page)
{
	return leaf.address + page % pages_of(level);
}

/* True if a leaf translates a page as the tables do now. */
static bool is_alike(const struct model *m, struct model_value leaf, int level, unsigned page)
{
	int there;
	const struct model_value value = leaf_of(m, page, &there);

	return cacheable(value) && output(value, there, page) == output(leaf, level, page) &&
	       value.readonly == leaf.readonly && value.device == leaf.device;
}

static bool item_is_alike(const struct model *m, int level, unsigned n, struct model_value value);

/* What a cached table entry leads to, entry by entry. */
static bool table_is_alike(const struct model *m, int level, unsigned n, struct model_value table)
{
	for (unsigned i = 0; i < ENTRIES; i++) {
		struct model_value value = now(&m->word[level + 1][table.address * ENTRIES + i]);

		value.readonly |= table.readonly;
		if (!cacheable(value) || !item_is_alike(m, level + 1, n * ENTRIES + i, value))
			return false;
	}
	return true;
}

/* True if all pages of an item are translated through it as the tables do it. */
static bool item_is_alike(const struct model *m, int level, unsigned n, struct model_value value)
{
	if (value.kind == MODEL_TABLE)
		return table_is_alike(m, level, n, value);
	for (unsigned i = 0; i < pages_of(level); i++)
		if (!is_alike(m, value, level, n * pages_of(level) + i))
			return false;
	return true;
}

/* What is wrong if an item is cached when an operation ends. */
static unsigned wrong_item(const struct model *m, int level, unsigned n, struct model_value value)
{
	const struct place place = find(m, level, n);

	if (place.word && equal(value, place.value))
		return 0;
	if (m->cpus.bbm < 2 || !item_is_alike(m, level, n, value))
		return MODEL_STALE;
	return m->cpus.bbm == 2 && value.kind == MODEL_LEAF ? MODEL_OVERLAPPING_SIZES : 0;
}

/* ---- barriers and invalidates ---- */

/* A barrier of a CPU, for one of its stores. */
static void settle(struct version *version, enum model_barrier barrier, bool ets2)
{
	bool all = barrier == MODEL_DSB_ISHST || barrier == MODEL_DSB_ISH;
	bool dmb = barrier == MODEL_DMB_ISHST;

	version->complete |= all || (dmb && ets2);
	version->own |= all || barrier == MODEL_DSB_NSH || (dmb && ets2);
	version->ordered |= all || dmb;
	version->synced |= barrier == MODEL_ISB && version->own;
}

/* The stores of a CPU are seen by the walks of `seer`. */
static void see(struct word *word, unsigned cpu, unsigned seer)
{
	for (unsigned v = word->oldest[seer] + 1; v < word->count; v++)
		if (word->version[v].writer == cpu)
			word->oldest[seer] = v;
}

static void settle_word(struct model *m, struct word *word, unsigned cpu,
			enum model_barrier barrier)
{
	for (unsigned seer = 0; seer < MODEL_CPUS; seer++)
		if (barrier == MODEL_DSB_ISHST || barrier == MODEL_DSB_ISH ||
		    (barrier == MODEL_DSB_NSH && seer == cpu))
			see(word, cpu, seer);
	for (unsigned v = 1; v < word->count; v++)
		if (word->version[v].writer == cpu)
			settle(&word->version[v], barrier, m->cpus.ets2);
}

static bool has(const struct slot *slot, struct model_value value, uint64_t done)
{
	for (unsigned i = 0; i < slot->count; i++)
		if (equal(slot->item[i].value, value) && !(slot->item[i].covered & done))
			return true;
	return false;
}

/*
 * Invalidates are complete: their items go from one slot. Returns whether a stale one went that the
 * CPU which issued them, of slot `own`, holds no more either: if it does they were in vain for it,
 * and an ISB would not help.
 */
static bool complete_slot(const struct model *m, struct slot *slot, const struct slot *own,
			  int level, unsigned n, uint64_t done)
{
	unsigned kept = 0;
	bool stale = false;

	for (unsigned i = 0; i < slot->count; i++) {
		const struct item item = slot->item[i];

		if (!(item.covered & done))
			slot->item[kept++] = item;
		else
			stale |= wrong_item(m, level, n, item.value) && !has(own, item.value, done);
	}
	slot->count = kept;
	return stale;
}

/* The invalidates of a CPU are complete, or those of its own TLB only. */
static void complete(struct model *m, unsigned cpu, bool local_only)
{
	uint64_t done = 0;

	for (unsigned o = 0; o < m->operations; o++)
		if (m->operation[o].cpu == cpu && (m->operation[o].op.local || !local_only))
			done |= UINT64_C(1) << o;
	for (unsigned c = 0; c < MODEL_CPUS; c++)
		for (int level = MODEL_PUD; level < MODEL_LEVELS; level++)
			for (unsigned n = 0; n < entries_of(level); n++) {
				const struct slot own = m->slot[cpu][level][n];

				m->unsynced[cpu][level][n] |= complete_slot(
					m, &m->slot[c][level][n], &own, level, n, done);
			}
}

void model_barrier(struct model *m, unsigned cpu, enum model_barrier barrier)
{
	for (int level = MODEL_PUD; level < MODEL_LEVELS; level++)
		for (unsigned n = 0; n < entries_of(level); n++)
			settle_word(m, &m->word[level][n], cpu, barrier);
	if (barrier == MODEL_DSB_ISH || barrier == MODEL_DSB_NSH)
		complete(m, cpu, barrier == MODEL_DSB_NSH);
	if (barrier == MODEL_ISB)
		memset(m->unsynced[cpu], 0, sizeof(m->unsynced[cpu]));
	speculate(m);
}

void model_invalidate(struct model *m, unsigned cpu, const struct model_invalidate *op)
{
	struct operation *operation = &m->operation[m->operations];
	uint64_t bit = UINT64_C(1) << m->operations;

	if (m->operations == MODEL_OPERATIONS)
		abort();
	*operation = (struct operation){ cpu, *op };
	m->operations++;
	for (unsigned c = 0; c < MODEL_CPUS; c++)
		for (int level = MODEL_PUD; level < MODEL_LEVELS; level++)
			for (unsigned n = 0; n < entries_of(level); n++) {
				struct slot *slot = &m->slot[c][level][n];

				for (unsigned i = 0; i < slot->count; i++)
					if (removes(operation, c, level, n, slot->item[i].value))
						slot->item[i].covered |= bit;
			}
	speculate(m);
}

/* ---- stores ---- */

/* What is wrong if a CPU may have both in use for one page. */
static unsigned conflict(const struct model *m, struct model_value cached, int cached_level,
			 struct model_value leaf, int level, unsigned page)
{
	unsigned wrong = 0;

	if (output(cached, cached_level, page) != output(leaf, level, page) ||
	    cached.device != leaf.device)
		wrong |= MODEL_NO_BREAK;
	if (m->cpus.bbm < 2 && (cached_level != level || cached.cont != leaf.cont))
		wrong |= MODEL_OVERLAPPING_SIZES;
	return wrong;
}

/* What may be cached for a page beside the leaf that has just been made. */
static unsigned conflict_at(const struct model *m, unsigned page)
{
	int level;
	const struct model_value leaf = leaf_of(m, page, &level);
	unsigned wrong = 0;

	if (!cacheable(leaf))
		return 0;
	for (unsigned cpu = 0; cpu < MODEL_CPUS; cpu++)
		for (int at = MODEL_PUD; at < MODEL_LEVELS; at++) {
			const struct slot *slot = &m->slot[cpu][at][page / pages_of(at)];

			for (unsigned i = 0; i < slot->count; i++)
				if (slot->item[i].value.kind == MODEL_LEAF)
					wrong |= conflict(m, slot->item[i].value, at, leaf, level,
							  page);
		}
	return wrong;
}

/* True if one valid entry may not become another in place. */
static bool needs_break(const struct model *m, struct model_value old, struct model_value value)
{
	if (!cacheable(old) || !cacheable(value))
		return false;
	if (old.kind != value.kind)
		return m->cpus.bbm < 2;
	if (old.address != value.address || old.device != value.device)
		return true;
	return m->cpus.bbm < 2 &&
	       (old.cont != value.cont || (old.cont && old.readonly != value.readonly));
}

/* True if a leaf is written where a table may be cached, or the reverse. */
static bool may_be_other_kind(const struct model *m, int level, unsigned n,
			      struct model_value value)
{
	for (unsigned cpu = 0; cpu < MODEL_CPUS && cacheable(value) && m->cpus.bbm < 2; cpu++) {
		const struct slot *slot = &m->slot[cpu][level][n];

		for (unsigned i = 0; i < slot->count; i++)
			if (slot->item[i].value.kind != value.kind)
				return true;
	}
	return false;
}

/* True if a store to the table that changes what walks see may be seen after a later one. */
static bool is_unordered(const struct model *m, int level, unsigned table)
{
	for (unsigned i = 0; i < ENTRIES; i++) {
		const struct word *word = &m->word[level][table * ENTRIES + i];

		/* Who sees an ordered store sees none before it. */
		for (unsigned v = word->count - 1; v && !word->version[v].ordered; v--) {
			struct model_value old = word->version[v - 1].value,
					   value = word->version[v].value;

			if ((cacheable(old) || cacheable(value)) &&
			    !(equal(old, value) && old.young == value.young))
				return true;
		}
	}
	return false;
}

/* A value that walks may still find from before cannot be told from a new one. */
static unsigned born(const struct model *m, const struct word *word, struct model_value value)
{
	unsigned first = word->oldest[0];

	for (unsigned cpu = 1; cpu < MODEL_CPUS; cpu++)
		if (word->oldest[cpu] < first)
			first = word->oldest[cpu];
	for (unsigned v = first; v < word->count; v++)
		if (equal(word->version[v].value, value) &&
		    word->version[v].value.young == value.young)
			return word->version[v].born;
	return m->operations;
}

unsigned model_store(struct model *m, unsigned cpu, int level, unsigned page,
		     struct model_value value, unsigned *at)
{
	unsigned n = page / pages_of(level), pages = pages_of(level), wrong = 0;
	struct word *word = (struct word *)(uintptr_t)find(m, level, n).word;
	const struct model_value old = now(word);

	if (word->count == MODEL_VALUES)
		abort();
	word->version[word->count] =
		(struct version){ .value = value, .writer = cpu };
	word->version[word->count].born = born(m, word, value);
	word->count++;
	*at = n * pages_of(level);
	if (needs_break(m, old, value) || may_be_other_kind(m, level, n, value))
		wrong = MODEL_NO_BREAK;
	if (value.kind == MODEL_TABLE && old.kind != MODEL_TABLE &&
	    is_unordered(m, level + 1, value.address))
		wrong |= MODEL_UNPUBLISHED;
	/* The same once more, or the same table with other restrictions: no new translation. */
	if ((equal(old, value) && old.young == value.young) ||
	    (value.kind == MODEL_TABLE && old.kind == MODEL_TABLE && old.address == value.address))
		pages = 0;
	for (unsigned i = 0; i < pages && !wrong; i++) {
		*at = n * pages_of(level) + i;
		wrong = conflict_at(m, *at);
	}
	speculate(m);
	return wrong;
}

/* ---- questions ---- */

bool model_reachable(const struct model *m, int level, unsigned page)
{
	return find(m, level, page / pages_of(level)).word != NULL;
}

bool model_linked(const struct model *m, int level, unsigned page)
{
	return find(m, level, page / pages_of(level)).value.kind == MODEL_TABLE;
}

bool model_mapped(const struct model *m, unsigned out)
{
	for (unsigned page = 0; page < MODEL_PAGES; page++) {
		int level;
		const struct model_value leaf = leaf_of(m, page, &level);

		if (leaf.kind == MODEL_LEAF && output(leaf, level, page) == out)
			return true;
	}
	return false;
}

/* True if the entry is new, and what makes it visible has not come. */
static bool is_not_visible(const struct model *m, const struct word *word)
{
	unsigned v = word->count - 1;

	if (!cacheable(now(word)))
		return false;
	while (v && cacheable(word->version[v - 1].value) &&
	       equal(word->version[v - 1].value, now(word)))
		v--;
	return v && !cacheable(word->version[v - 1].value) &&
	       !(word->version[v].complete && (word->version[v].synced || m->cpus.ets2));
}

/* The value of a leaf that may bring in the group of entry n; NONE if it may not. */
static struct model_value member(const struct model *m, int level, unsigned n)
{
	const struct place place = find(m, level, n);

	if (place.word && place.value.kind == MODEL_LEAF && cacheable(place.value) &&
	    place.value.cont)
		return place.value;
	return (struct model_value){ .kind = MODEL_NONE };
}

bool model_misprogrammed(const struct model *m, int level, unsigned page)
{
	unsigned entries = 1u << m->group, first = page / pages_of(level) / entries * entries;
	unsigned hinted = 0, cached = 0;

	/* Hardware may set the access flag of one member alone: a young one is a member, too. */
	for (unsigned n = first; n < first + entries; n++) {
		const struct place place = find(m, level, n);

		hinted += place.word && place.value.kind == MODEL_LEAF && place.value.cont;
		cached += member(m, level, n).kind == MODEL_LEAF;
	}
	return cached && hinted < entries;
}

unsigned model_end(const struct model *m, int level, unsigned page)
{
	unsigned n = page / pages_of(level);
	unsigned wrong = is_not_visible(m, &m->word[level][n]) ? MODEL_NOT_VISIBLE : 0;

	for (unsigned cpu = 0; cpu < MODEL_CPUS; cpu++) {
		const struct slot *slot = &m->slot[cpu][level][n];

		for (unsigned i = 0; i < slot->count; i++)
			wrong |= wrong_item(m, level, n, slot->item[i].value);
		if (m->unsynced[cpu][level][n] && !m->cpus.ets2)
			wrong |= MODEL_STALE;
	}
	return wrong;
}

/* True if a CPU may have an item of a kind in use that leads to an address, for a page. */
static bool leads_to(const struct model *m, int level, unsigned page, enum model_kind kind,
		     unsigned address)
{
	for (unsigned cpu = 0; cpu < MODEL_CPUS; cpu++) {
		const struct slot *slot = &m->slot[cpu][level][page / pages_of(level)];

		for (unsigned i = 0; i < slot->count; i++) {
			const struct model_value value = slot->item[i].value;

			if (value.kind == kind &&
			    (kind == MODEL_TABLE ? value.address : output(value, level, page)) ==
				    address)
				return true;
		}
	}
	return false;
}

unsigned model_free_table(const struct model *m, int level, unsigned page, unsigned *at)
{
	*at = page / pages_of(level) * pages_of(level);
	return leads_to(m, level, page, MODEL_TABLE, page / pages_of(level)) ? MODEL_FREED : 0;
}

unsigned model_free_page(const struct model *m, unsigned out, unsigned *at)
{
	for (*at = 0; *at < MODEL_PAGES; ++*at)
		for (int level = MODEL_PUD; level < MODEL_LEVELS; level++)
			if (leads_to(m, level, *at, MODEL_LEAF, out))
				return MODEL_FREED;
	return 0;
}

/* ---- a new one ---- */

static void init_words(struct model *m, int level, enum model_kind kind)
{
	for (unsigned n = 0; n < entries_of(level); n++) {
		struct word *word = &m->word[level][n];

		word->version[0].value =
			(struct model_value){ .kind = kind,
					      .address = kind == MODEL_TABLE ? n : 0 };
		word->count = 1;
	}
}

struct model *model_new(unsigned group, const struct model_cpus *cpus)
{
	struct model *m = calloc(1, sizeof(*m));

	if (!m)
		abort();
	m->group = group;
	m->cpus = *cpus;
	init_words(m, MODEL_PUD, MODEL_TABLE);
	init_words(m, MODEL_PMD, MODEL_TABLE);
	init_words(m, MODEL_PTE, MODEL_NONE);
	speculate(m);
	return m;
}

void model_free(struct model *model)
{
	free(model);
}
