/* SPDX-License-Identifier: MIT */
/*
 * run: applies a sequence to a machine, to a second machine that gets only the operations that
 * succeed, and to the oracle.
 */
#include <inttypes.h>
#include <string.h>

#include "../fixture.h"
#include "sequence.h"

static uint64_t next_random(struct dice *dice)
{
	dice->state ^= dice->state >> 12;
	dice->state ^= dice->state << 25;
	dice->state ^= dice->state >> 27;
	return dice->state * UINT64_C(0x2545f4914f6cdd1d);
}

uint64_t dice_below(struct dice *dice, uint64_t n)
{
	uint64_t number = 0;

	if (!dice->data)
		return (next_random(dice) >> 16) % n;
	for (uint64_t room = n - 1; room && dice->size; room >>= 8, dice->size--)
		number = number << 8 | *dice->data++;
	return number % n;
}

void sequence_oracle(const struct sequence *s, struct oracle *o)
{
	oracle_init(o, &s->config);
	memcpy(o->altmap, s->altmap, sizeof(o->altmap));
}

/* ---- the oracle's side ---- */

static void default_bounds(const struct oracle *o, const struct operation *op, uint64_t *floor,
			   uint64_t *ceiling)
{
	uint64_t last = op->start + op->size - 1;

	*floor = op->floor;
	*ceiling = op->ceiling;
	if (op->bounds)
		return;
	*floor = *ceiling = 0;
	if (op->start >= o->page_offset && last < o->page_end) {
		*floor = o->page_offset;
		*ceiling = o->page_end;
	} else if (op->start >= o->vmemmap && last < o->vmemmap_end) {
		*floor = o->vmemmap;
		*ceiling = o->vmemmap_end;
	}
}

static int oracle_unmap(struct oracle *o, const struct operation *op, bool pass_1)
{
	uint64_t floor, ceiling;
	int ret = pass_1 ? oracle_unmap_range(o, op->start, op->size, false, -1) : 0;

	default_bounds(o, op, &floor, &ceiling);
	return ret ? ret : oracle_free_tables(o, op->start, op->size, floor, ceiling);
}

static int oracle_apply_map(struct oracle *o, const struct operation *op)
{
	const struct oracle_map map = {
		.va = op->start,
		.pa = op->pa,
		.size = op->size,
		.attrs = o->prot[op->prot],
		.table_attrs = o->linear_table,
		.blocks = op->blocks,
		.cont = op->cont,
	};

	return oracle_map(o, &map);
}

static int dispatch(struct oracle *o, const struct operation *op)
{
	uint64_t end = op->start + op->size;

	switch (op->kind) {
	case OP_MAP:
		return oracle_apply_map(o, op);
	case OP_UNMAP:
	case OP_FREE_TABLES:
		return oracle_unmap(o, op, op->kind == OP_UNMAP);
	case OP_UNMAP_RANGE:
		return oracle_unmap_range(o, op->start, op->size, op->free, op->altmap);
	case OP_POPULATE:
		return oracle_populate(o, op->start, end, op->altmap, op->pages);
	case OP_VMEMMAP_FREE:
		return oracle_vmemmap_free(o, op->start, end, op->altmap);
	case OP_ADD:
		return oracle_add(o, op->start, op->size, op->device, op->altmap,
				  op->memmap_on_memory);
	case OP_ONLINE:
		return oracle_online(o, op->start, op->size);
	case OP_OFFLINE:
		return oracle_offline(o, op->start, op->size);
	default:
		return oracle_remove(o, op->start, op->size);
	}
}

int oracle_apply(struct oracle *o, const struct operation *op)
{
	int ret;

	o->violates = o->foreign = false;
	oracle_fail(o, op->fail_nth, op->fail_every);
	ret = dispatch(o, op);
	oracle_fail(o, 0, false);
	return ret;
}

/* ---- a run ---- */

struct running {
	struct oracle was, now;
	struct subject subject, twin;
	uint64_t hash;
	struct failure *failure;
};

/*
 * Operations whose outcome the oracle cannot know: when memory is nearly used up, and wrong frees.
 */
static bool beyond(const struct oracle *o)
{
	return o->full || o->foreign ||
	       oracle_pages_allocated(o) + o->lost > (o->config.ram_size >> o->geo.page_shift) / 2;
}

static bool stays(const struct oracle *o, const struct operation *op, int ret)
{
	return ret == -ENOMEM && ((op->kind == OP_MAP && o->config.keep_map) ||
				  (op->kind == OP_POPULATE && o->config.keep_populate));
}

/* Compares what the library's own check finds with what it should find. */
static bool check(struct running *r, const struct sequence *s, uint64_t violations)
{
	struct pgtsim_machine *m = r->subject.machine;
	bool expected = r->now.violates;

	if ((m->tlb.counts.violations != violations) != expected)
		return complain(r->failure, r->now.linear,
				"%" PRIu64 " violations, expected %s: %s",
				m->tlb.counts.violations - violations, expected ? "some" : "none",
				m->tlb.violation_count ? m->tlb.violations[0].text : "");
	violations = m->tlb.counts.violations;
	pgtsim_check(&m->pgt);
	if (m->tlb.counts.violations != violations)
		return complain(r->failure, r->now.linear, "pgtsim_check finds something");
	if (!s->whole_machine)
		return true;
	pgtsim_check_machine(m);
	expected = oracle_has_hole(&r->now) || oracle_shares_frames(&r->now) ||
		   oracle_has_empty_table(&r->now);
	if ((m->tlb.counts.violations != violations) != expected)
		return complain(r->failure, r->now.linear, "pgtsim_check_machine finds %s: %s",
				expected ? "nothing" : "this",
				m->tlb.violation_count ? m->tlb.violations[0].text : "");
	return true;
}

/* The second machine's cache checker must report something only where a leaf or group was cut. */
static bool check_cached(struct running *r)
{
	const struct pgtsim_tlb *tlb = &r->twin.machine->tlb;

	for (size_t i = 0; i < tlb->violation_count && !r->now.stale; i++) {
		const struct pgtsim_violation *v = &tlb->violations[i];

		if (v->name < PGTSIM_V_STALE_LEAF)
			continue;
		complain(r->failure, v->va, "nothing was cut, but %s: %s",
			 pgtsim_violation_kind(v->name)->name, v->text);
		r->failure->checker = true;
		return false;
	}
	return true;
}

static bool compare_twin(struct running *r, const struct operation *op, int ret)
{
	const char *difference;
	int twin = 0;

	if (!ret || stays(&r->now, op, ret))
		twin = subject_apply(&r->twin, op);
	else
		twin = ret;
	if (twin != ret)
		return complain(r->failure, op->start, "the twin returned %d, not %d", twin, ret);
	/* Operations that succeeded have been compared with the oracle already. */
	difference = ret ? pgtsim_machine_difference(r->subject.machine, r->twin.machine) : NULL;
	if (difference)
		return complain(r->failure, op->start, "the %s is not as it was", difference);
	return check_cached(r);
}

static bool compare_altmaps(struct running *r)
{
	for (size_t i = 0; i < ORACLE_ALTMAPS; i++) {
		const struct pgtsim_altmap *found = &r->subject.altmap[i];
		const struct oracle_altmap *expected = &r->now.altmap[i];

		if (found->alloc != expected->alloc || found->align != expected->align)
			return complain(r->failure, r->now.vmemmap,
					"altmap %zu: %" PRIu64 " pages and %" PRIu64
					" of padding, expected %" PRIu64 " and %" PRIu64,
					i, found->alloc, found->align, expected->alloc,
					expected->align);
	}
	return true;
}

static bool step(struct running *r, const struct sequence *s, const struct operation *op,
		 int expected)
{
	uint64_t violations = r->subject.machine->tlb.counts.violations, hash = r->hash;
	int ret = subject_apply(&r->subject, op);

	if (ret != expected)
		return complain(r->failure, op->start, "returned %d, expected %d", ret, expected);
	if (!compare(&r->now, &r->subject.machine->pgt, r->subject.machine->memory, &r->hash,
		     r->failure) ||
	    !compare_altmaps(r))
		return false;
	if (ret && !stays(&r->now, op, ret) && r->hash != hash)
		return complain(r->failure, op->start, "an error, but entries have changed");
	return check(r, s, violations) && compare_twin(r, op, ret);
}

static void take_out(struct sequence *s, size_t i)
{
	s->count--;
	memmove(&s->op[i], &s->op[i + 1], (s->count - i) * sizeof(s->op[0]));
}

static bool run_all(struct running *r, struct sequence *s, struct dice *dice,
		    generate_function *generate)
{
	unsigned draws = 0;

	for (size_t i = 0; i < SEQUENCE_MAX; i++) {
		int expected;

		if (i == s->count) {
			if (!generate || ++draws > SEQUENCE_MAX || (dice->data && !dice->size))
				return true;
			generate(dice, &r->now, &s->op[s->count++]);
		}
		oracle_copy(&r->was, &r->now);
		expected = oracle_apply(&r->now, &s->op[i]);
		if (beyond(&r->now)) {
			oracle_copy(&r->now, &r->was);
			take_out(s, i--);
			continue;
		}
		r->failure->op = i;
		if (!step(r, s, &s->op[i], expected))
			return false;
	}
	return true;
}

bool sequence_run(struct sequence *s, struct dice *dice, generate_function *generate,
		  struct failure *failure)
{
	static struct running r; /* large */
	bool good;

	r.failure = failure;
	r.hash = 0;
	sequence_oracle(s, &r.now);
	subject_init(&r.subject, s, false);
	subject_init(&r.twin, s, true);
	good = run_all(&r, s, dice, generate);
	subject_fini(&r.subject);
	subject_fini(&r.twin);
	return good;
}
