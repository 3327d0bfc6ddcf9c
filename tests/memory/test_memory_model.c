/* SPDX-License-Identifier: MIT */
/* Runs and single calls against a naive model of the page allocator. */
#include "host_memory.h"

#include "share.h"

/* The naive model: an array of frames, and for each free block, found anew, its order. */
enum { MODEL_CHUNKS = 8, NO_ORDER = 255 };

struct model {
	unsigned chunk_count;
	uint64_t chunk[MODEL_CHUNKS];
	uint8_t owner[MODEL_CHUNKS * CHUNK_FRAMES];
	uint8_t order[MODEL_CHUNKS * CHUNK_FRAMES]; /* of the allocated block that starts here */
	uint8_t free_order[MODEL_CHUNKS * CHUNK_FRAMES]; /* of the free block that starts here */
	uint64_t fail_in, fail_again;
};

/* Two memories that get the same, one in runs and one in single calls, and the model. */
struct property {
	struct pgtsim_memory *runs, *singles;
	struct model *model;
	uint64_t random;
	unsigned layout, seed, step;
};

#define CHECK(p, condition)                                                                        \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fail_msg("layout %u seed %u step %u, line %d: %s", (p)->layout, (p)->seed, \
				 (p)->step, __LINE__, #condition);                                 \
	} while (0)

static unsigned model_frames(const struct model *model)
{
	return model->chunk_count * CHUNK_FRAMES;
}

static uint64_t model_pfn(const struct model *model, unsigned frame)
{
	return model->chunk[frame / CHUNK_FRAMES] * CHUNK + frame % CHUNK_FRAMES;
}

/* The model's number of a frame; -1 if it has none. */
static int model_frame(const struct model *model, uint64_t pfn)
{
	for (unsigned i = 0; i < model->chunk_count; i++)
		if (model->chunk[i] == pfn / CHUNK)
			return (int)(i * CHUNK_FRAMES + pfn % CHUNK);
	return -1;
}

static bool all_free(const struct model *model, unsigned frame, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (model->owner[frame + i] != PGTSIM_OWNER_FREE)
			return false;
	return true;
}

/* Finds the free blocks of this frame's chunk anew: the largest aligned ones. */
static void model_refresh(struct model *model, unsigned frame)
{
	unsigned end;

	frame -= frame % CHUNK_FRAMES;
	end = frame + CHUNK_FRAMES;
	memset(&model->free_order[frame], NO_ORDER, CHUNK_FRAMES);
	while (frame < end) {
		unsigned order = 0;

		if (model->owner[frame] != PGTSIM_OWNER_FREE) {
			frame++;
			continue;
		}
		while (order < PGTSIM_MAX_ORDER && frame % (2u << order) == 0 &&
		       all_free(model, frame + (1u << order), 1u << order))
			order++;
		model->free_order[frame] = (uint8_t)order;
		frame += 1u << order;
	}
}

static void model_own(struct model *model, unsigned frame, unsigned order, uint8_t owner)
{
	memset(&model->owner[frame], owner, 1u << order);
	memset(&model->order[frame], NO_ORDER, 1u << order);
	model->order[frame] = (uint8_t)order;
	model_refresh(model, frame);
}

/* The lowest free block of the smallest sufficient order; -1 if there is none. */
static int model_find(const struct model *model, unsigned order)
{
	int best = -1;
	unsigned best_order = NO_ORDER;

	for (unsigned i = 0; i < model_frames(model); i++) {
		if (model->free_order[i] >= order && model->free_order[i] < best_order) {
			best_order = model->free_order[i];
			best = (int)i;
		}
	}
	return best;
}

static int model_alloc(struct model *model, unsigned order, uint8_t owner, uint64_t *pfn)
{
	int frame;

	if (model->fail_in == 1) {
		model->fail_in = model->fail_again;
		return -ENOMEM;
	}
	frame = model_find(model, order);
	if (frame < 0)
		return -ENOMEM;
	if (model->fail_in)
		model->fail_in--;
	model_own(model, (unsigned)frame, order, owner);
	*pfn = model_pfn(model, (unsigned)frame);
	return 0;
}

static enum pgtsim_bad_free model_free(struct model *model, uint64_t pfn, unsigned order)
{
	int frame = model_frame(model, pfn);

	if (frame < 0 || model->owner[frame] == PGTSIM_OWNER_NOT_RAM)
		return PGTSIM_FREE_NOT_RAM;
	if (model->owner[frame] == PGTSIM_OWNER_FREE)
		return PGTSIM_FREE_DOUBLE;
	if (model->owner[frame] == PGTSIM_OWNER_BOOT)
		return PGTSIM_FREE_BOOT;
	if (model->owner[frame] == PGTSIM_OWNER_TABLE)
		return PGTSIM_FREE_WRONG_OWNER;
	if (order > PGTSIM_MAX_ORDER || model->order[frame] != order)
		return PGTSIM_FREE_WRONG_ORDER;
	model_own(model, (unsigned)frame, order, PGTSIM_OWNER_FREE);
	return PGTSIM_FREE_OK;
}

static int model_reserve(struct model *model, uint64_t pfn, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		int frame = model_frame(model, pfn + i);

		if (frame < 0 || model->owner[frame] == PGTSIM_OWNER_NOT_RAM)
			return -EINVAL;
	}
	for (uint64_t i = 0; i < count; i++)
		if (model->owner[model_frame(model, pfn + i)] != PGTSIM_OWNER_FREE)
			return -EBUSY;
	for (uint64_t i = 0; i < count; i++)
		model_own(model, (unsigned)model_frame(model, pfn + i), 0, PGTSIM_OWNER_BOOT);
	return count ? 0 : -EINVAL;
}

static void model_add_range(struct model *model, const struct pfn_range *range)
{
	for (uint64_t pfn = range->start; pfn < range->end; pfn++) {
		if (model_frame(model, pfn) < 0) {
			assert_true(model->chunk_count < MODEL_CHUNKS);
			model->chunk[model->chunk_count++] = pfn / CHUNK;
		}
		model->owner[model_frame(model, pfn)] = PGTSIM_OWNER_FREE;
	}
	for (unsigned i = 0; i < model_frames(model); i += CHUNK_FRAMES)
		model_refresh(model, i);
}

/* xorshift64: Marsaglia, "Xorshift RNGs", 2003. Below `limit`, which is small. */
static unsigned random_below(struct property *p, unsigned limit)
{
	p->random ^= p->random << 13;
	p->random ^= p->random >> 7;
	p->random ^= p->random << 17;
	return (unsigned)((p->random >> 16) % limit);
}

/* Mostly few, sometimes more than a chunk. */
static unsigned random_count(struct property *p)
{
	static const unsigned limits[] = { 3, 20, 20, 100, 1500 };

	return random_below(p, limits[random_below(p, COUNT(limits))]);
}

/* A frame that is RAM, near RAM or, rarely, far from it. */
static uint64_t random_pfn(struct property *p)
{
	if (random_below(p, 50) == 0)
		return p->random;
	return model_pfn(p->model, random_below(p, model_frames(p->model)));
}

/* The first frame at or after a random one that `owner` has; -1 if there is none. */
static int random_owned(struct property *p, uint8_t owner)
{
	unsigned frame = random_below(p, model_frames(p->model));

	for (; frame < model_frames(p->model); frame++)
		if (p->model->owner[frame] == owner && p->model->order[frame] != NO_ORDER)
			return (int)frame;
	return -1;
}

static int alloc_one(struct property *p, unsigned order)
{
	uint64_t a = 0, b = 0, m = 0;
	int err = model_alloc(p->model, order, PGTSIM_OWNER_PAGES, &m);

	CHECK(p, pgtsim_memory_alloc(p->runs, order, &a) == err);
	CHECK(p, pgtsim_memory_alloc(p->singles, order, &b) == err);
	CHECK(p, a == m && b == m);
	return err;
}

static void do_alloc(struct property *p)
{
	alloc_one(p, random_below(p, random_below(p, 4) ? 5 : ORDERS));
}

/* Order-0 pages, in runs and one by one. */
static void alloc_pages(struct property *p, unsigned count)
{
	for (unsigned left = count; left;) {
		uint64_t pfn = 0, b = 0, m = 0;
		uint64_t run = pgtsim_memory_alloc_run(p->runs, left, &pfn);
		int expected = run ? 0 : -ENOMEM;

		CHECK(p, run <= left);
		for (uint64_t i = 0; i < (run ? run : 1); i++) {
			CHECK(p, model_alloc(p->model, 0, PGTSIM_OWNER_PAGES, &m) == expected);
			CHECK(p, pgtsim_memory_alloc(p->singles, 0, &b) == expected);
			CHECK(p, expected || (m == pfn + i && b == m));
		}
		if (!run)
			break;
		left -= (unsigned)run;
	}
}

static void do_alloc_run(struct property *p)
{
	alloc_pages(p, random_count(p));
}

static void do_alloc_tables(struct property *p)
{
	unsigned count = random_count(p);
	struct pgtsim_table *list = NULL, **tail = &list, *one, **one_tail;
	uint64_t got = pgtsim_memory_alloc_tables(p->runs, count, &tail), m = 0;

	CHECK(p, got <= count && list_length(list) == got && *tail == NULL);
	for (; list; list = list->next) {
		if (random_below(p, 4) == 0)
			pgtsim_table_use_upper_pool(p->runs, list);
		pgtsim_table_materialize(list);
		one_tail = &one;
		CHECK(p, model_alloc(p->model, 0, PGTSIM_OWNER_TABLE, &m) == 0);
		CHECK(p, pgtsim_memory_alloc_tables(p->singles, 1, &one_tail) == 1);
		CHECK(p, list->pa == m << 12 && one->pa == m << 12);
		CHECK(p, list->entries[0] == 0 && list->entries[511] == 0);
	}
	one_tail = &one;
	if (got < count) {
		CHECK(p, model_alloc(p->model, 0, PGTSIM_OWNER_TABLE, &m) == -ENOMEM);
		CHECK(p, pgtsim_memory_alloc_tables(p->singles, 1, &one_tail) == 0);
	}
}

/* Frees the pages that start at a frame. */
static void free_one(struct property *p, unsigned frame)
{
	unsigned order = p->model->order[frame];
	uint64_t pfn = model_pfn(p->model, frame);

	CHECK(p, model_free(p->model, pfn, order) == PGTSIM_FREE_OK);
	CHECK(p, pgtsim_memory_free_pages(p->runs, pfn, order) == PGTSIM_FREE_OK);
	CHECK(p, pgtsim_memory_free_pages(p->singles, pfn, order) == PGTSIM_FREE_OK);
}

static void do_free(struct property *p)
{
	int frame = random_owned(p, PGTSIM_OWNER_PAGES);

	if (frame >= 0)
		free_one(p, (unsigned)frame);
}

/* Most of these are wrong. */
static void do_free_anything(struct property *p)
{
	unsigned order = random_below(p, 4) ? random_below(p, 3) : random_below(p, 20);
	uint64_t pfn = random_pfn(p);
	enum pgtsim_bad_free bad = model_free(p->model, pfn, order);

	CHECK(p, pgtsim_memory_free_pages(p->runs, pfn, order) == bad);
	CHECK(p, pgtsim_memory_free_pages(p->singles, pfn, order) == bad);
}

static void do_free_run(struct property *p)
{
	int frame = random_owned(p, PGTSIM_OWNER_PAGES);
	uint64_t pfn = frame < 0 ? random_pfn(p) : model_pfn(p->model, (unsigned)frame);
	unsigned count = random_count(p), done = 0;
	enum pgtsim_bad_free bad = PGTSIM_FREE_OK, m = PGTSIM_FREE_OK;
	uint64_t got = pgtsim_memory_free_run(p->runs, pfn, count, &bad);

	while (done < count && m == PGTSIM_FREE_OK) {
		m = model_free(p->model, pfn + done, 0);
		CHECK(p, pgtsim_memory_free_pages(p->singles, pfn + done, 0) == m);
		done += m == PGTSIM_FREE_OK;
	}
	CHECK(p, got == done && bad == m);
}

static void free_one_table(struct property *p, unsigned frame)
{
	uint64_t pfn = model_pfn(p->model, frame);
	struct pgtsim_table *a = pgtsim_memory_table(p->runs, pfn << 12);
	struct pgtsim_table *b = pgtsim_memory_table(p->singles, pfn << 12);

	CHECK(p, a && b);
	a->entries[random_below(p, 512)] = 1;
	a->live = 1;
	pgtsim_memory_free_table(p->runs, a);
	pgtsim_memory_free_table(p->singles, b);
	model_own(p->model, frame, 0, PGTSIM_OWNER_FREE);
}

static void do_free_tables(struct property *p)
{
	int start = random_owned(p, PGTSIM_OWNER_TABLE);
	unsigned count = random_count(p);

	if (start < 0)
		return;
	for (unsigned i = (unsigned)start; i < model_frames(p->model) && count; i++, count--)
		if (p->model->owner[i] == PGTSIM_OWNER_TABLE)
			free_one_table(p, i);
}

static void do_fail(struct property *p)
{
	unsigned nth = random_below(p, 3) ? random_below(p, 100) : 0;
	bool every = random_below(p, 2);

	p->model->fail_in = nth;
	p->model->fail_again = every ? nth : 0;
	pgtsim_memory_fail(p->runs, nth, every);
	pgtsim_memory_fail(p->singles, nth, every);
}

static void reserve(struct property *p, uint64_t pfn, unsigned count)
{
	int err = model_reserve(p->model, pfn, count);

	CHECK(p, pgtsim_memory_reserve_boot(p->runs, pfn, count) == err);
	CHECK(p, pgtsim_memory_reserve_boot(p->singles, pfn, count) == err);
}

static void do_reserve(struct property *p)
{
	uint64_t pfn = random_pfn(p);

	reserve(p, pfn, random_below(p, 8) ? random_below(p, 8) : random_count(p));
}

static void check_same(struct property *p, bool owners)
{
	uint64_t free_count = 0;

	for (unsigned i = 0; i < model_frames(p->model); i++)
		free_count += p->model->owner[i] == PGTSIM_OWNER_FREE;
	CHECK(p, pgtsim_memory_free_count(p->runs) == free_count);
	CHECK(p, pgtsim_memory_free_count(p->singles) == free_count);
	for (unsigned i = 0; owners && i < model_frames(p->model); i++) {
		uint64_t pfn = model_pfn(p->model, i);

		CHECK(p, pgtsim_memory_owner(p->runs, pfn) == p->model->owner[i]);
		CHECK(p, pgtsim_memory_owner(p->singles, pfn) == p->model->owner[i]);
		CHECK(p, !pgtsim_memory_table(p->runs, pfn << 12) ==
				 (p->model->owner[i] != PGTSIM_OWNER_TABLE));
	}
}

static void do_random_step(struct property *p)
{
	static void (*const actions[])(struct property * p) = {
		do_alloc,         do_alloc,    do_alloc_run,   do_alloc_run,   do_alloc_tables,
		do_alloc_tables,  do_free,     do_free,        do_free_run,    do_free_run,
		do_free_anything, do_free_run, do_free_tables, do_free_tables, do_free_tables,
		do_free_anything, do_fail,
	};

	if (random_below(p, 60) == 0)
		do_reserve(p);
	else
		actions[random_below(p, COUNT(actions))](p);
	check_same(p, p->step % 16 == 0);
}

/* Allocates all in blocks from large to small: the free blocks are the model's. */
static void drain(struct property *p)
{
	for (int order = PGTSIM_MAX_ORDER; order >= 0;)
		order -= alloc_one(p, (unsigned)order) != 0;
	CHECK(p, pgtsim_memory_free_count(p->runs) == 0);
}

/* Frees all, then allocates all. */
static void finish(struct property *p)
{
	pgtsim_memory_fail(p->runs, 0, false);
	pgtsim_memory_fail(p->singles, 0, false);
	p->model->fail_in = 0;
	for (unsigned i = 0; i < model_frames(p->model); i++) {
		if (p->model->owner[i] == PGTSIM_OWNER_TABLE)
			free_one_table(p, i);
		else if (p->model->owner[i] == PGTSIM_OWNER_PAGES)
			free_one(p, i);
	}
	check_same(p, true);
	check_pools_whole(p->runs);
	drain(p);
}

/* RAM for the property test; the ranges of a model ascend, memory gets them in reverse. */
static const struct {
	size_t count;
	struct pfn_range range[5];
} layouts[] = {
	{ 1, { { 0, 3072 } } },
	{ 1, { { 1025, 1026 } } },
	{ 2, { { 1000, 1030 }, { 1500, 5003 } } },
	{ 3, { { 0, 50 }, { 100, 200 }, { 200, 2048 } } },
	{ 5, { { 1, 2 }, { 3, 4 }, { 5, 9 }, { 16, 1000 }, { 1023, 1025 } } },
	{ 2, { { 4096 - 7, 4096 + 300 }, { REGION_FRAMES * 3 + 5, REGION_FRAMES * 3 + 2048 } } },
	{ 2, { { REGION_FRAMES - 1024, REGION_FRAMES + 2048 }, { TOP - 2500, TOP } } },
};

static void run_property(unsigned layout, unsigned seed)
{
	static struct model model;
	struct property p = { .model = &model, .layout = layout, .seed = seed };
	size_t count = layouts[layout].count;
	struct pfn_range reversed[COUNT(layouts[0].range)];

	memset(&model, 0, sizeof(model));
	p.random = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
	for (size_t i = 0; i < count; i++) {
		model_add_range(&model, &layouts[layout].range[i]);
		reversed[count - 1 - i] = layouts[layout].range[i];
	}
	p.runs = make(reversed, count);
	p.singles = make(reversed, count);
	check_same(&p, true);
	for (p.step = 1; p.step <= 250; p.step++)
		do_random_step(&p);
	finish(&p);
	pgtsim_memory_free(&p.runs);
	pgtsim_memory_free(&p.singles);
}

/* Runs, single calls and the model agree on every result, whatever is asked of them. */
static void test_runs_equal_singles_equal_model(void **state)
{
	(void)state;
	for (unsigned layout = 0; layout < COUNT(layouts); layout++)
		for (unsigned seed = 0; seed < 8; seed++)
			if (in_share(seed + layout))
				run_property(layout, seed);
}

/*
 * For the test of blocks that single pages are taken of: four chunks, all of it allocated as single
 * pages, save the block [START, START + 2^order), another of that order above, and a larger one.
 */
enum { START = CHUNK_FRAMES, OTHER = 2 * CHUNK_FRAMES, LARGER = 3 * CHUNK_FRAMES };

static void start_with_blocks(struct property *p, struct model *model, unsigned order)
{
	const struct pfn_range range = { 0, 4 * CHUNK };
	const struct pfn_range free[] = { { START, START + (UINT64_C(1) << order) },
					  { OTHER, OTHER + (UINT64_C(1) << order) },
					  { LARGER, LARGER + (UINT64_C(2) << order) } };
	enum pgtsim_bad_free bad;
	uint64_t pfn;

	*p = (struct property){ .model = model, .seed = order };
	p->runs = make(&range, 1);
	p->singles = make(&range, 1);
	while (pgtsim_memory_alloc_run(p->runs, 4 * CHUNK, &pfn) > 0)
		;
	while (pgtsim_memory_alloc(p->singles, 0, &pfn) == 0)
		;
	memset(model, 0, sizeof(*model));
	model_add_range(model, &range);
	memset(model->owner, PGTSIM_OWNER_PAGES, 4 * CHUNK);
	for (size_t i = 0; i < COUNT(free); i++) {
		uint64_t count = free[i].end - free[i].start;

		if (order == PGTSIM_MAX_ORDER && free[i].start == LARGER)
			continue;
		pgtsim_memory_free_run(p->runs, free[i].start, count, &bad);
		pgtsim_memory_free_run(p->singles, free[i].start, count, &bad);
		memset(&model->owner[free[i].start], PGTSIM_OWNER_FREE, count);
	}
	for (unsigned i = 0; i < model_frames(model); i += CHUNK_FRAMES)
		model_refresh(model, i);
}

/* What happens when `taken` pages of the block were taken. Returns whether there is such a case. */
static bool interrupt(struct property *p, unsigned what, unsigned order, unsigned taken)
{
	const unsigned frames[] = { START,
				    START + taken - 1,
				    START + taken / 2,
				    START + (1u << order),
				    START + (2u << order),
				    START - 1,
				    0,
				    OTHER + (1u << order),
				    OTHER - 1,
				    4 * CHUNK_FRAMES - 1 };

	if (what < COUNT(frames)) {
		if (p->model->owner[frames[what]] == PGTSIM_OWNER_PAGES)
			free_one(p, frames[what]);
		return true;
	}
	what -= COUNT(frames);
	if (what < ORDERS) {
		alloc_one(p, what);
		return true;
	}
	what -= ORDERS;
	if (what == 0)
		reserve(p, START + taken, 1);
	else if (what == 1)
		reserve(p, OTHER, 1);
	else if (what == 2)
		reserve(p, START, 1);
	return what <= 2;
}

/* Single pages taken of a block of each order are the model's, whatever comes in between. */
static void test_pages_of_each_block(void **state)
{
	static struct model model;
	bool more = true;

	(void)state;
	for (unsigned what = 0; more; what++)
		for (unsigned order = 0; order < ORDERS; order++)
			for (unsigned taken = 1; taken <= 1u << order; taken += 1 + taken) {
				struct property p;

				start_with_blocks(&p, &model, order);
				p.layout = what;
				p.step = taken;
				alloc_pages(&p, taken);
				more = interrupt(&p, what, order, taken);
				alloc_pages(&p, 20);
				check_same(&p, true);
				drain(&p);
				pgtsim_memory_free(&p.runs);
				pgtsim_memory_free(&p.singles);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs_equal_singles_equal_model),
		cmocka_unit_test(test_pages_of_each_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
