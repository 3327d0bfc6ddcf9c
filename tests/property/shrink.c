/* SPDX-License-Identifier: MIT */
/* shrink: makes a failing sequence smaller by trying simpler ones that still fail. */
#include <string.h>

#include "sequence.h"

enum { RUNS_MAX = 2000, REPEATS_MAX = 20 };

struct shrinking {
	struct sequence *s;
	run_function *run;
	struct failure *failure;
	unsigned runs;
};

bool sequence_rerun(struct sequence *s, struct failure *failure)
{
	return sequence_run(s, NULL, NULL, failure);
}

/* If this candidate fails too, it replaces the sequence. Returns whether it did. */
static bool accept(struct shrinking *shrinking, const struct sequence *candidate)
{
	struct sequence copy = *candidate;
	struct failure found;

	if (shrinking->runs == RUNS_MAX)
		return false;
	shrinking->runs++;
	if (shrinking->run(&copy, &found))
		return false;
	copy.count = found.op + 1;
	*shrinking->s = copy;
	*shrinking->failure = found;
	return true;
}

static bool drop(struct shrinking *shrinking, size_t from, size_t count)
{
	struct sequence candidate = *shrinking->s;

	if (from + count > candidate.count)
		return false;
	candidate.count -= count;
	memmove(&candidate.op[from], &candidate.op[from + count],
		(candidate.count - from) * sizeof(candidate.op[0]));
	return accept(shrinking, &candidate);
}

static bool drop_any(struct shrinking *shrinking)
{
	bool smaller = false;

	for (size_t count = shrinking->s->count / 2 + 1; count; count /= 2)
		for (size_t from = shrinking->s->count; from--;)
			smaller |= drop(shrinking, from, count);
	return smaller;
}

static void no_failure(struct operation *op, uint64_t page)
{
	(void)page;
	op->fail_nth = 0;
	op->fail_every = false;
}

static void earlier_failure(struct operation *op, uint64_t page)
{
	(void)page;
	op->fail_nth -= op->fail_nth > 1;
}

static void one_failure(struct operation *op, uint64_t page)
{
	(void)page;
	op->fail_every = false;
}

static void default_bounds(struct operation *op, uint64_t page)
{
	(void)page;
	op->bounds = false;
	op->floor = op->ceiling = 0;
}

static void no_blocks(struct operation *op, uint64_t page)
{
	(void)page;
	op->blocks = false;
}

static void no_hint(struct operation *op, uint64_t page)
{
	(void)page;
	op->cont = false;
}

static void usual_prot(struct operation *op, uint64_t page)
{
	(void)page;
	op->prot = 0;
}

static void one_page(struct operation *op, uint64_t page)
{
	op->size = op->size > page ? page : op->size;
}

static void half(struct operation *op, uint64_t page)
{
	if (op->size >= 2 * page)
		op->size = op->size / 2 / page * page;
}

static void page_less(struct operation *op, uint64_t page)
{
	op->size -= op->size > page ? page : 0;
}

static void aligned_size(struct operation *op, uint64_t page)
{
	op->size -= op->size % page;
}

static void aligned_start(struct operation *op, uint64_t page)
{
	op->start -= op->start % page;
	op->pa -= op->pa % page;
}

static void (*const changes[])(struct operation *op, uint64_t page) = {
	no_failure, one_failure, earlier_failure, default_bounds,
	no_blocks,  no_hint,     usual_prot,      one_page,
	half,       page_less,   aligned_size,    aligned_start,
};

enum { CHANGES = sizeof(changes) / sizeof(changes[0]) };

/* Makes an operation simpler in the nth way; false if it already is. */
static bool simplify(struct operation *op, unsigned n, uint64_t page)
{
	const struct operation was = *op;

	changes[n](op, page);
	return memcmp(&was, op, sizeof(was)) != 0;
}

/* Repeated as long as it helps, up to a limit. */
static bool simplify_one(struct shrinking *shrinking, size_t i, unsigned n)
{
	bool smaller = false;

	for (unsigned repeat = 0; repeat < REPEATS_MAX && i < shrinking->s->count; repeat++) {
		struct sequence candidate = *shrinking->s;

		if (!simplify(&candidate.op[i], n, UINT64_C(1) << candidate.config.page_shift) ||
		    !accept(shrinking, &candidate))
			break;
		smaller = true;
	}
	return smaller;
}

static bool simplify_any(struct shrinking *shrinking)
{
	bool smaller = false;

	for (size_t i = 0; i < shrinking->s->count; i++)
		for (unsigned n = 0; n < CHANGES; n++)
			smaller |= simplify_one(shrinking, i, n);
	return smaller;
}

void sequence_shrink(struct sequence *s, run_function *run, bool simplify_too,
		     struct failure *failure)
{
	struct shrinking shrinking = { .s = s, .run = run, .failure = failure };

	s->count = failure->op + 1 < s->count ? failure->op + 1 : s->count;
	for (unsigned round = 0; round < 20; round++) {
		bool smaller = drop_any(&shrinking);

		if (simplify_too)
			smaller |= simplify_any(&shrinking);
		if (!smaller)
			return;
	}
}
